"""Contribution of intervals to KPIs, for platforms that export only totals: where no
contact covers the same channel, queue and day, and never twice.
"""

import functools
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from qa_core.base import environment
from qa_core.centre.settings import Settings
from qa_core.metrics.kpi import dimension_sql
from qa_core.metrics.kpi.statements import MetricQuery, case_by_date, changes_of, select_groups
from qa_core.metrics.kpis import (
    COMPONENTS,
    COUNTED_DIRECTION,
    INTERVAL_DIMENSIONS,
    NOT_OF_INTERVALS,
    TOTALS,
    IntervalContribution,
    Kpi,
)
from qa_core.storage import engine, lake, name_merges
from qa_core.storage.facts.guard import Scoped, Unscoped
from qa_core.storage.facts.schema import CONTACTS, INTERVALS
from qa_core.storage.records import store

FROM_TOTALS = "from_totals"
"""Note of a value with intervals: no percentiles of theirs, no confidence interval of means."""

MIXED_HANDLING = "mixed_handling"
"""Note of a value of people with intervals, in a centre whose machines took contacts too."""
NOT_IN_TOTALS = "handled_by"
"""Dimension by which intervals cannot be cut, although their contacts belong to it."""

MAX = {"hour": 60, "half_hour": 30, "day": 1_440, "weekday": 1_440, "week": 10_080}
"""Longest interval in minutes that fits into one hour, half-hour, day or week."""

_COUNTING_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("source_system", "queue", "channel", "team")),
        ("day", pa.date32()),
        ("length_minutes", pa.int32()),
    ]
)
_COUNTING = sa.table("counting", *(sa.column(name) for name in _COUNTING_SCHEMA.names))
Record = dict[str, Any]


def find_totals(question: MetricQuery, kpis: Sequence[Kpi]) -> list[Record]:
    """Find what intervals add to these KPIs, one record per group, named as
    `statements.on_contacts` names it; nothing where there are no intervals.
    """
    summed_kpis = [kpi for kpi in kpis if kpi.sums]
    months = dimension_sql.months(question.where.period)
    if (
        not summed_kpis
        or lake.version("intervals") < 0
        or not dimension_sql.dimensions_of(question.by, question.where)
        <= {*INTERVAL_DIMENSIONS, NOT_IN_TOTALS}
    ):
        return []
    if not lake.files("intervals", **months):
        return []
    columns = [sa.func.sum(TOTALS.c.received).label("present")]
    for kpi in summed_kpis:
        columns += [
            aggregate.label(f"{kpi.key}__{suffix}")
            for suffix, aggregate in _aggregates(_sums_of(question, kpi))
        ]
    with store.reading() as session:
        spellings = name_merges.find_kept_names(session)["queue"]
    statement = select_groups(question.groups(TOTALS.c), columns).add_cte(
        _counted_intervals(question, spellings)
    )
    statement = statement.where(*question.filters(TOTALS.c))
    counting = find_counting(
        environment.current().lake_url,
        lake.version("contacts"),
        lake.version("intervals"),
        tuple(sorted(spellings.items())),
    )
    rows = engine.current().run(
        Scoped(statement, question.viewer), {"counting": counting}, **months
    )
    return rows.to_dict("records")


def add_totals(question: MetricQuery, kpis: Sequence[Kpi], records: list[Record]) -> list[Record]:
    """Add interval sums to contact sums, by group; groups without contacts come last."""
    if NOT_IN_TOTALS in dimension_sql.dimensions_of(question.by, question.where):
        return _note_left_out(question, kpis, records)
    totals = find_totals(question, kpis)
    if not totals:
        return records
    together: dict[tuple[Hashable, ...], Record] = {
        question.key_of(record): dict(record) for record in records
    }
    for record in totals:
        target = together.setdefault(
            question.key_of(record), {f"by_{name}": record[f"by_{name}"] for name in question.by}
        )
        for name, value in record.items():
            if name == "present" or "__" in name:
                target[name] = _number(target.get(name)) + _number(value)
        for kpi in kpis:
            if weight_of(kpi, record):
                target |= {f"{kpi.key}__deviation": None, f"{kpi.key}__note:{FROM_TOTALS}": 1}
                if kpi.counts_people and question.has_machines:
                    target[f"{kpi.key}__note:{MIXED_HANDLING}"] = 1
    return list(together.values())


def _note_left_out(
    question: MetricQuery, kpis: Sequence[Kpi], records: list[Record]
) -> list[Record]:
    """Note how many contacts of intervals each group would have if these named the handler."""
    values = tuple(pair for pair in question.where.values if pair[0] != NOT_IN_TOTALS)
    by = tuple(name for name in question.by if name != NOT_IN_TOTALS)
    whole = replace(question, by=by, where=replace(question.where, values=values))
    left_out = {whole.key_of(record): record["present"] for record in find_totals(whole, kpis)}
    notes = [f"{kpi.key}__note:totals_left_out" for kpi in kpis if kpi.sums]
    records = records or ([] if question.by else [{"present": 0}])
    return [
        record | dict.fromkeys(notes, left_out.get(whole.key_of(record), 0)) for record in records
    ]


def weight_of(kpi: Kpi, record: Mapping[str, Any]) -> int:
    """Count the contacts that the intervals of a group speak of, as far as that KPI uses them."""
    return int(max(_number(record.get(f"{kpi.key}__{name}")) for name in ("n", "required_rows")))


def _number(value: Any) -> Any:
    return 0 if value is None or value != value else value


def _counted_intervals(question: MetricQuery, spellings: Mapping[str, str]) -> sa.CTE:
    """Return the intervals of the period that count, queues by the centre's names."""
    intervals = INTERVALS.c
    same = [
        intervals[name].is_not_distinct_from(_COUNTING.c[name])
        for name in ("source_system", "queue", "channel", "team", "length_minutes")
    ]
    conditions = [
        *dimension_sql.within(question.where.period, intervals),
        sa.cast(intervals.local_start, sa.Date) == _COUNTING.c.day,
        *same,
    ]
    conditions += [
        intervals.length_minutes <= MAX[name]
        for name in sorted(dimension_sql.dimensions_of(question.by, question.where) & MAX.keys())
    ]
    queue = (
        sa.case(spellings, value=intervals.queue, else_=intervals.queue).label("queue")
        if spellings
        else intervals.queue
    )
    missing = [sa.cast(sa.null(), TOTALS.c[name].type).label(name) for name in NOT_OF_INTERVALS]
    columns = [
        *(queue if column is intervals.queue else column for column in intervals),
        sa.literal_column("'inbound'", sa.Text).label("direction"),
        *missing,
    ]
    return sa.select(*columns).where(*conditions).cte("totals")


def _sums_of(question: MetricQuery, kpi: Kpi) -> IntervalContribution:
    """Return what intervals add, each by the settings of its day."""
    runs = changes_of(question.pieces, kpi.settings)
    contributions = [_make(question, kpi, settings) for _, settings in runs]
    if len(contributions) == 1:
        return contributions[0]
    merged_fields: dict[str, Any] = {}
    for field in fields(IntervalContribution):
        values = [getattr(sums, field.name) for sums in contributions]
        if field.name == "notes":
            codes = dict.fromkeys(code for notes in values for code, _ in notes)
            merged_fields["notes"] = tuple(
                (
                    code,
                    case_by_date(
                        runs,
                        [dict(notes).get(code, sa.literal_column("0")) for notes in values],
                        TOTALS.c.local_start,
                    ),
                )
                for code in codes
            )
        elif values[0] is not None:
            merged_fields[field.name] = case_by_date(runs, values, TOTALS.c.local_start)
    return IntervalContribution(**merged_fields)


def _make(question: MetricQuery, kpi: Kpi, settings: Settings) -> IntervalContribution:
    assert kpi.sums is not None
    return kpi.sums(question.current_inputs(settings))


def _aggregates(sums: IntervalContribution) -> list[tuple[str, sa.ColumnElement[Any]]]:
    columns = {
        "n": sums.denominator,
        "hits": sums.hits,
        "sum": sums.amount,
        "required_rows": sums.required_rows,
    }
    aggregates = [
        (name, sa.func.sum(column).filter(sums.usable))
        for name, column in columns.items()
        if column is not None
    ]
    return [*aggregates, *((f"note:{code}", sa.func.sum(column)) for code, column in sums.notes)]


@functools.lru_cache(maxsize=2)
def find_counting(
    lake_url: str, contacts: int, intervals: int, spellings: tuple[tuple[str, str], ...]
) -> pa.Table:
    """Find which intervals count, day by day, once per version of the lake and for all
    viewers. An interval does not count where an inbound contact of its channel covers it, or
    where its own system has the same data in finer form: a shorter interval, or, where it
    names no queue, one of a queue. Who names no channel may be of any.
    """
    merged_names = dict(spellings)
    contact_day, day = (
        sa.cast(table.c.local_start, sa.Date).label("day") for table in (CONTACTS, INTERVALS)
    )
    channels: dict[tuple[Hashable, ...], set[str | None]] = defaultdict(set)
    of_contacts = sa.select(contact_day, CONTACTS.c.queue, CONTACTS.c.channel)
    for row in _run(of_contacts.where(COUNTED_DIRECTION).distinct()):
        for place in ((row["day"], row["queue"]), (row["day"],)):
            channels[place].add(row["channel"])
    key = (INTERVALS.c.source_system, day, INTERVALS.c.queue, INTERVALS.c.channel, INTERVALS.c.team)
    keys = _run(
        sa.select(*key, sa.func.min(INTERVALS.c.length_minutes).label("length_minutes")).group_by(
            *key
        )
    )
    for row in keys:
        if row["queue"] is not None:
            channels[row["source_system"], row["day"]].add(row["channel"])

    def counts(row: Record) -> bool:
        queue = merged_names.get(row["queue"], row["queue"])
        places = ((row["day"], queue),)
        if queue is None:
            places = ((row["day"],), (row["source_system"], row["day"]))
        there = set().union(*(channels[place] for place in places))
        return not (there & {row["channel"], None} if row["channel"] else there)

    return pa.Table.from_pylist([row for row in keys if counts(row)], schema=_COUNTING_SCHEMA)


def _run(statement: sa.Select) -> list[Record]:
    """Run a statement over the whole lake: its rows, missing values None and days as dates."""
    query = Unscoped(
        statement,
        "The intervals that count beside single contacts are the same for everybody. Only days, "
        "queues, channels and teams are read, and cached for all viewers.",
    )
    records = dimension_sql.plain_records(engine.current().run(query))
    return [{**record, "day": record["day"].date()} for record in records]


@functools.lru_cache(maxsize=2)
def find_silent(lake_url: str, version: int) -> dict[str, tuple[str, ...]]:
    """Find, for each component of the handling time, the systems whose intervals never
    give it; looked up once per version of the lake.
    """
    if version < 0:
        return {}
    counts = [
        sa.func.count(INTERVALS.c[f"{component}_seconds"]).label(component)
        for component in COMPONENTS
    ]
    query = Unscoped(
        sa.select(INTERVALS.c.source_system, *counts).group_by(INTERVALS.c.source_system),
        "The durations that a system never gives are the same for everybody. Only systems and "
        "counts are read, and cached for all viewers.",
    )
    frame = engine.current().run(query)
    return {
        component: tuple(frame["source_system"][frame[component] == 0]) for component in COMPONENTS
    }
