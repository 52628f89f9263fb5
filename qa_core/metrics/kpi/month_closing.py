"""Closing months: add up their figures before the people behind them are deleted."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import MINIMUM_ADVISORS, Viewer
from qa_core.metrics.kpi import closed_months, dimension_sql, editions, statements
from qa_core.metrics.kpi.closed_months import CUTS, IDENTITIES, Record
from qa_core.metrics.kpi.measure import beside_the_lake
from qa_core.metrics.kpi.metric_query import build_query
from qa_core.metrics.kpi.statements import MetricQuery
from qa_core.metrics.kpis import FactTable, Kpi, get_kpi
from qa_core.metrics.kpis.dimensions import Filters, Period, add_months
from qa_core.metrics.kpis.periods import starts_of
from qa_core.storage import engine, lake
from qa_core.storage.facts.guard import Scoped, Unscoped
from qa_core.storage.facts.schema import CONTACTS
from qa_core.storage.records import store
from qa_core.storage.records.retention import ClosedMonth, MonthlyFigure

COLUMNS = {"declared": "declared_resolved", "surveyed": "survey_resolved"}
OF_OTHERS = ("site", "criterion", "section", "grid")
"""Dimensions that are no columns of a contact."""
PARTS = ("criterion", "section")
"""Dimensions that divide an evaluation: no other is counted beside one of them."""
MAX_ROWS = 5_000_000
"""Contacts, once for each dimension, that one statement may count: it holds them in memory."""
MAX_DIMENSIONS = 4
"""Dimensions that one statement counts: each takes memory for all its sums, of few rows too."""
Cut = tuple[str, ...]
Build = Callable[[MetricQuery, FactTable, Sequence[Kpi]], Scoped]


def close(group: str, through: date) -> None:
    """Close the months of a group up to the one of that day, all in one transaction; those
    that are closed stay as they are.

    Only figures of at least five advisors are kept. Of others it is noted that they are
    left out.
    """
    last, span = closed_months.find_last(group), lake.span()
    until = add_months(through.replace(day=1), 1) - timedelta(days=1)
    if last is not None and last >= until:
        return
    period = Period(last + timedelta(days=1) if last else None, until)
    rows = list(_add_up(group, period))
    # What executives see of these months is published while it can be counted.
    editions.publish_before_deletion(until)
    if group == IDENTITIES:
        lake.mark_known_customers(until + timedelta(days=1))
    first = period.first_day or (min(span[0].date(), until) if span else until).replace(day=1)
    with store.writing() as session:
        session.add_all(rows)
        session.add_all(
            ClosedMonth(group=group, month=f"{start:%Y-%m}", published={})
            for start in starts_of("month", Period(first, until))
        )
        editions.forget_evidence(session, until)


def _add_up(group: str, period: Period) -> Iterator[MonthlyFigure]:
    kpis = closed_months.kpis_of(group)
    dimensions, rows = _find_dimensions(period)
    at_once = max(1, min(MAX_DIMENSIONS, MAX_ROWS // max(1, rows)))
    for subject in dict.fromkeys(kpi.subject for kpi in kpis):
        some = [kpi for kpi in kpis if kpi.subject == subject]
        figures = list(_cut(group, subject, some, (None,), period))
        yield from figures
        used = [name for name in dimensions if any(name in kpi.dimensions for kpi in some)]
        parts, others = (
            [name for name in used if (name in PARTS) == is_part] for is_part in (1, 0)
        )
        together = [others[start : start + at_once] for start in range(0, len(others), at_once)]
        # Where all together are too few advisors, no part has enough.
        for names in (*([part] for part in parts), *together) if figures else ():
            yield from _cut_apart(group, subject, some, names, period)


def _cut_apart(
    group: str,
    subject: FactTable,
    kpis: Sequence[Kpi],
    dimensions: Sequence[str],
    period: Period,
) -> list[MonthlyFigure]:
    """Add up by each of the dimensions, half of them at a time where memory holds no more."""
    import duckdb

    try:
        return list(_cut(group, subject, kpis, dimensions, period))
    except duckdb.OutOfMemoryException:
        if len(dimensions) == 1:
            raise
    half = len(dimensions) // 2
    return [
        figure
        for names in (dimensions[:half], dimensions[half:])
        for figure in _cut_apart(group, subject, kpis, names, period)
    ]


def _find_dimensions(period: Period) -> tuple[list[str], int]:
    """List the dimensions with a value in the period, and all of evaluations; count the
    contacts.
    """
    columns = {name: CONTACTS.c[COLUMNS.get(name, name)] for name in CUTS if name not in OF_OTHERS}
    counts = (sa.func.count(column).label(name) for name, column in columns.items())
    query = Unscoped(
        sa.select(sa.func.count().label("rows"), *counts).where(
            *dimension_sql.within(period, CONTACTS.c)
        ),
        "The dimensions of closed months are the same for everybody. Only numbers are read.",
    )
    [found] = engine.current().run(query, **dimension_sql.months(period)).to_dict("records")
    return [name for name in CUTS if name in OF_OTHERS or found[name]], int(found["rows"])


def _cut(
    group: str,
    subject: FactTable,
    kpis: Sequence[Kpi],
    dimensions: Sequence[str | None],
    period: Period,
) -> Iterator[MonthlyFigure]:
    """Add up by each of the dimensions (None: by none), of the whole centre and of each team."""
    beside = beside_the_lake(subject, **dimension_sql.months(period))
    kpis = [kpi for kpi in kpis if {*dimensions} & {None, *kpi.dimensions}]
    places = [
        (
            dimension,
            is_whole,
            (*(() if is_whole else ("team",)), *filter(None, [dimension]), "month"),
        )
        for dimension in dimensions
        for is_whole in ((True,) if dimension in ("team", "site") else (True, False))
    ]
    cuts = [cut for _dimension, _is_whole, cut in places]
    by = tuple(dict.fromkeys(name for cut in cuts for name in cut))
    question = build_query(Viewer.SYSTEM, by, Filters(period))
    counted = _count(question, cuts, subject, kpis, beside)
    large = _find_large(question, cuts, subject, kpis, beside) if any(counted.values()) else set()
    for dimension, is_whole, cut in places:
        figures: dict[tuple[Any, ...], dict[str, Any]] = {}
        for cell, record in counted[cut]:
            values = dict(zip(cut, cell, strict=True))
            for kpi in kpis:
                is_kept = (cut, cell, kpi.key) in large
                if (dimension and dimension not in kpi.dimensions) or not (
                    is_kept or (record[f"{kpi.key}__n"] or 0) > 0
                ):
                    continue
                place = kpi.key, values["month"], None if is_whole else values["team"]
                value = values[dimension] if dimension and is_kept else None
                figures[*place, value, is_kept] = _sums_of(record, kpi.key) if is_kept else {}
        for (key, month, team, value, _is_kept), sums in figures.items():
            yield MonthlyFigure(
                group=group,
                kpi=key,
                local_day=date.fromisoformat(f"{month}-01"),
                is_whole=is_whole,
                team=team,
                dimension=dimension,
                value=value,
                sums=sums,
            )


def _find_large(
    question: MetricQuery,
    cuts: Sequence[Cut],
    subject: FactTable,
    kpis: Sequence[Kpi],
    beside: Mapping[str, Any],
) -> set[tuple[Cut, tuple[Any, ...], str]]:
    """Find the cells and KPIs with enough advisors behind them. Behind a missed or a
    repeated caller stand those who answer in that place.
    """
    is_own = subject not in (FactTable.MISSED, FactTable.CUSTOMERS)
    counted_kpis = kpis if is_own else [get_kpi("received")]
    table = subject if is_own else FactTable.CONTACTS
    counted = _count(question, cuts, table, counted_kpis, beside, _count_advisors)
    return {
        (cut, cell, kept.key)
        for cut, records in counted.items()
        for cell, record in records
        for kpi in counted_kpis
        if record[f"{kpi.key}__n"] >= MINIMUM_ADVISORS
        for kept in ([kpi] if is_own else kpis)
    }


def _add_sums(question: MetricQuery, subject: FactTable, kpis: Sequence[Kpi]) -> Scoped:
    return statements.BUILDERS[subject](question, list(kpis))


def _count_advisors(question: MetricQuery, subject: FactTable, kpis: Sequence[Kpi]) -> Scoped:
    """Count, instead of the rows of each KPI, the advisors with such rows."""
    cuts = tuple((*cut, "advisor") for cut in question.cuts)
    by_advisor = replace(question, by=(*question.by, "advisor"), cuts=cuts)
    query = _add_sums(by_advisor, subject, kpis)
    rows = query.statement.subquery()
    groups = [
        column
        for column in rows.c
        if column.name.startswith("by_") and not column.name.startswith("by_advisor")
    ]
    names = [f"{kpi.key}__n" for kpi in kpis]
    counts = (sa.func.count().filter(rows.c[name] > 0).label(name) for name in names)
    statement = sa.select(*groups, *counts).where(rows.c.by_advisor.is_not(None))
    return replace(query, statement=statement.group_by(*groups))


def _count(
    question: MetricQuery,
    cuts: Sequence[Cut],
    subject: FactTable,
    kpis: Sequence[Kpi],
    beside: Mapping[str, Any],
    build: Build = _add_sums,
) -> dict[Cut, list[tuple[tuple[Any, ...], Record]]]:
    """Count the cells of each cut: in one statement, but for means of advisors, which differ
    by what they are cut by. `build`: the statement over the groups of a question.
    """

    def run(question: MetricQuery) -> list[Record]:
        months = statements.months_of(question, subject)
        query = build(question, subject, kpis)
        return engine.current().run(query, beside, **months).to_dict("records")

    by_cut = {cut: replace(question, by=cut) for cut in cuts}
    if subject == FactTable.ADVISORS:
        found = [(cut, run(own)) for cut, own in by_cut.items()]
        listed = [(cut, record) for cut, records in found for record in records]
    else:
        names = {frozenset(cut): cut for cut in cuts}
        together = replace(question, cuts=tuple(by_cut))
        listed = [
            (names[frozenset(one for one in question.by if not record[f"by_{one}__out"])], record)
            for record in run(together)
        ]
    cells: dict[Cut, list[tuple[tuple[Any, ...], Record]]] = {cut: [] for cut in cuts}
    for cut, record in listed:
        cells[cut].append((by_cut[cut].key_of(record), record))
    return cells


def _sums_of(record: Record, kpi: str) -> dict[str, Any]:
    return {
        name.partition("__")[2]: float(value)
        for name, value in record.items()
        if name.startswith(f"{kpi}__") and value is not None and value == value
    }
