"""What the intervals of platforms that export only totals add to KPIs: where no contact covers the same queue and day, and never twice."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import fields
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from qa_core import engines, home, lake, names
from qa_core.facts import CONTACTS, INTERVALS
from qa_core.kpis import COMPONENTS, COUNTED_DIRECTION, INTERVAL_DIMENSIONS, NOT_OF_INTERVALS, TOTALS, Kpi, Sums
from qa_core.query import cuts
from qa_core.query.statements import Question, grouped, runs_of, switch
from qa_core.records import store
from qa_core.settings import Settings

FROM_TOTALS = "from_totals"
"""The note of a value to which intervals added: it has no percentiles of theirs, and a mean no confidence interval."""

HOUR = 60
"""A longer interval belongs to no hour of the day."""

_COVERED = sa.table("covered", sa.column("day", sa.Date), sa.column("queue", sa.Text))
Record = dict[str, Any]


def find_totals(question: Question, kpis: Sequence[Kpi]) -> list[Record]:
    """What intervals add to these KPIs, one record per group, named as `statements.on_contacts` names it; nothing where there are no intervals."""
    asked = [kpi for kpi in kpis if kpi.sums]
    read = cuts.months(question.where.period)
    if not asked or lake.version("intervals") < 0 or not cuts.dimensions_of(question.by, question.where) <= set(INTERVAL_DIMENSIONS):
        return []
    if not lake.files("intervals", **read):
        return []
    columns = [sa.func.sum(TOTALS.c.received).label("present")]
    for kpi in asked:
        columns += [aggregate.label(f"{kpi.key}__{suffix}") for suffix, aggregate in _aggregates(_sums_of(question, kpi))]
    with store.reading() as session:
        spellings = names.find_kept(session)["queue"]
    statement = grouped(question.groups(TOTALS.c), columns).add_cte(_uncovered(question, spellings))
    statement = statement.where(question.viewer.scope(TOTALS), *question.filters(TOTALS.c))
    beside = {"covered": _find_covered(home.current().lake_url, lake.version("contacts"))}
    return engines.current().run(statement, beside, **read).to_dict("records")


def add_totals(question: Question, kpis: Sequence[Kpi], records: list[Record]) -> list[Record]:
    """The sums of the contacts with those of the intervals, group by group; groups that only intervals have come behind."""
    found = find_totals(question, kpis)
    if not found:
        return records
    together: dict[tuple[Hashable, ...], Record] = {_key(question, record): dict(record) for record in records}
    for record in found:
        target = together.setdefault(_key(question, record), {f"by_{name}": record[f"by_{name}"] for name in question.by})
        for name, value in record.items():
            if name == "present" or "__" in name:
                target[name] = _number(target.get(name)) + _number(value)
        for kpi in kpis:
            if weight_of(kpi, record):
                target |= {f"{kpi.key}__deviation": None, f"{kpi.key}__note:{FROM_TOTALS}": 1}
    return list(together.values())


def weight_of(kpi: Kpi, record: Mapping[str, Any]) -> int:
    """How many contacts the intervals of a group speak of, as far as that KPI uses them."""
    return int(max(_number(record.get(f"{kpi.key}__{name}")) for name in ("n", "evidence")))


def _key(question: Question, record: Mapping[str, Any]) -> tuple[Hashable, ...]:
    return tuple(cuts.plain(name, record[f"by_{name}"], question.names) for name in question.by)


def _number(value: Any) -> Any:
    return 0 if value is None or value != value else value


def _uncovered(question: Question, spellings: Mapping[str, str]) -> sa.CTE:
    """The intervals of the period that count: no contact covers them, nor, in their own system, an interval that says the same more finely.

    `spellings`: the names of queues that the centre keeps, by the others that files may have.
    """
    day = sa.cast(INTERVALS.c.local_start, sa.Date)
    queue = sa.case(*((INTERVALS.c.queue == spelling, sa.literal(name)) for spelling, name in spellings.items()), else_=INTERVALS.c.queue) if spellings else INTERVALS.c.queue
    own = [queue.label("queue") if column is INTERVALS.c.queue else column for column in INTERVALS.c]
    like = (INTERVALS.c.source_system, day, INTERVALS.c.queue, INTERVALS.c.channel, INTERVALS.c.team)
    shortest = sa.func.min(INTERVALS.c.length_minutes).over(partition_by=like).label("shortest")
    queues = sa.func.count(INTERVALS.c.queue).over(partition_by=(INTERVALS.c.source_system, day)).label("queues")
    every = sa.select(*own, day.label("day"), shortest, queues).where(*cuts.within(question.where.period, INTERVALS.c)).cte("every_interval")
    kept = every.c
    covered = sa.exists().where(_COVERED.c.day == kept.day, sa.or_(kept.queue.is_(None), _COVERED.c.queue == kept.queue))
    conditions = [~covered, kept.length_minutes == kept.shortest, sa.or_(kept.queue.is_not(None), kept.queues == 0)]
    if "hour" in cuts.dimensions_of(question.by, question.where):
        conditions.append(kept.length_minutes <= HOUR)
    missing = [sa.cast(sa.null(), TOTALS.c[name].type).label(name) for name in NOT_OF_INTERVALS]
    columns = [*(kept[column.name] for column in INTERVALS.c), sa.literal_column("'inbound'", sa.Text).label("direction"), *missing]
    return sa.select(*columns).where(*conditions).cte("totals")


def _sums_of(question: Question, kpi: Kpi) -> Sums:
    """What intervals add, each by the settings of its own day."""
    runs = runs_of(question.pieces, kpi.settings)
    made = [_make(question, kpi, settings) for _, settings in runs]
    if len(made) == 1:
        return made[0]
    merged: dict[str, Any] = {}
    for field in fields(Sums):
        values = [getattr(sums, field.name) for sums in made]
        if field.name == "notes":
            codes = dict.fromkeys(code for notes in values for code, _ in notes)
            merged["notes"] = tuple((code, switch(runs, [dict(notes).get(code, sa.literal_column("0")) for notes in values], TOTALS.c.local_start)) for code in codes)
        elif values[0] is not None:
            merged[field.name] = switch(runs, values, TOTALS.c.local_start)
    return Sums(**merged)


def _make(question: Question, kpi: Kpi, settings: Settings) -> Sums:
    assert kpi.sums is not None
    return kpi.sums(question.give(settings))


def _aggregates(sums: Sums) -> list[tuple[str, sa.ColumnElement[Any]]]:
    named = {"n": sums.counted, "hits": sums.hits, "sum": sums.amount, "evidence": sums.evidence}
    made = [(name, sa.func.sum(column).filter(sums.usable)) for name, column in named.items() if column is not None]
    return [*made, *((f"note:{code}", sa.func.sum(column)) for code, column in sums.notes)]


@functools.lru_cache(maxsize=2)
def _find_covered(lake_url: str, version: int) -> pa.Table:
    """The days and queues of which single contacts are known, whoever looks: one row each, looked up once per version of the lake."""
    day = sa.cast(CONTACTS.c.local_start, sa.Date).label("day")
    frame = engines.current().run(sa.select(day, CONTACTS.c.queue).where(COUNTED_DIRECTION).distinct())
    days = [value.date() if hasattr(value, "date") else value for value in frame["day"]]
    queues = [value if isinstance(value, str) else None for value in frame["queue"]]
    return pa.table({"day": pa.array(days, pa.date32()), "queue": pa.array(queues, pa.string())})


@functools.lru_cache(maxsize=2)
def find_silent(lake_url: str, version: int) -> dict[str, tuple[str, ...]]:
    """For each component of the handling time, the systems whose intervals never give it; looked up once per version of the lake."""
    if version < 0:
        return {}
    counts = [sa.func.count(INTERVALS.c[f"{component}_seconds"]).label(component) for component in COMPONENTS]
    frame = engines.current().run(sa.select(INTERVALS.c.source_system, *counts).group_by(INTERVALS.c.source_system))
    return {component: tuple(frame["source_system"][frame[component] == 0]) for component in COMPONENTS}
