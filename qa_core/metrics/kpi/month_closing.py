"""Closing months: add up their figures before the people behind them are deleted."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.facts.schema import CONTACTS
from qa_core.storage.records import store
from qa_core.storage.records.retention import ClosedMonth, MonthlyFigure

COLUMNS = {"declared": "declared_resolved", "surveyed": "survey_resolved"}
OF_OTHERS = ("site", "criterion", "section", "grid")
"""Dimensions that are no columns of a contact."""


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
    kpis, cuts = closed_months.kpis_of(group), _find_cuts(period)
    for subject in dict.fromkeys(kpi.subject for kpi in kpis):
        some = [kpi for kpi in kpis if kpi.subject == subject]
        figures = list(_cut(group, subject, some, None, period))
        yield from figures
        # Where all together are too few advisors, no part has enough.
        for dimension in cuts if figures else ():
            cut_kpis = [kpi for kpi in some if dimension in kpi.dimensions]
            if cut_kpis:
                yield from _cut(group, subject, cut_kpis, dimension, period)


def _find_cuts(period: Period) -> list[str]:
    """List the dimensions with a value in the period, and all of evaluations."""
    columns = {name: CONTACTS.c[COLUMNS.get(name, name)] for name in CUTS if name not in OF_OTHERS}
    statement = sa.select(*(sa.func.count(column).label(name) for name, column in columns.items()))
    query = Unscoped(
        statement.where(*dimension_sql.within(period, CONTACTS.c)),
        "The dimensions of closed months are the same for everybody. Only numbers are read.",
    )
    [counts] = engine.current().run(query, **dimension_sql.months(period)).to_dict("records")
    return [name for name in CUTS if name in OF_OTHERS or counts[name]]


def _cut(
    group: str, subject: FactTable, kpis: Sequence[Kpi], dimension: str | None, period: Period
) -> Iterator[MonthlyFigure]:
    """Add up by one dimension, of the whole centre and of each team."""
    beside = beside_the_lake(subject, **dimension_sql.months(period))
    dimensions = (dimension,) if dimension else ()
    for above in ((),) if dimension in ("team", "site") else ((), ("team",)):
        question = build_query(Viewer.SYSTEM, (*above, *dimensions, "month"), Filters(period))
        records = {
            question.key_of(record): record for record in _run(question, subject, kpis, beside)
        }
        large = _find_large(question, subject, kpis, beside) if records else set()
        figures: dict[tuple[Any, ...], dict[str, Any]] = {}
        for cell, key in ((cell, kpi.key) for cell in records for kpi in kpis):
            if (cell, key) not in large and not (records[cell][f"{key}__n"] or 0) > 0:
                continue
            values = dict(zip(question.by, cell, strict=True))
            is_kept = (cell, key) in large
            place = key, values["month"], values["team"] if above else None
            value = values[dimension] if dimension and is_kept else None
            figures[*place, value, is_kept] = _sums_of(records[cell], key) if is_kept else {}
        for (key, month, team, value, _is_kept), sums in figures.items():
            yield MonthlyFigure(
                group=group,
                kpi=key,
                local_day=date.fromisoformat(f"{month}-01"),
                is_whole=not above,
                team=team,
                dimension=dimension,
                value=value,
                sums=sums,
            )


def _find_large(
    question: MetricQuery, subject: FactTable, kpis: Sequence[Kpi], beside: Mapping[str, Any]
) -> set[tuple[tuple[Any, ...], str]]:
    """Find the places and KPIs with enough advisors behind them. Behind a missed or a
    repeated caller stand those who answer in that place.
    """
    is_own = subject not in (FactTable.MISSED, FactTable.CUSTOMERS)
    counted_kpis = kpis if is_own else [get_kpi("received")]
    table = subject if is_own else FactTable.CONTACTS
    advisors: Counter[tuple[tuple[Any, ...], str]] = Counter()
    by_advisor = replace(question, by=(*question.by, "advisor"))
    for record in _run(by_advisor, table, counted_kpis, beside):
        if isinstance(record["by_advisor"], str):
            cell = question.key_of(record)
            advisors.update((cell, kpi.key) for kpi in counted_kpis if record[f"{kpi.key}__n"] > 0)
    return {
        (cell, kpi.key)
        for (cell, key), count in advisors.items()
        for kpi in kpis
        if count >= MINIMUM_ADVISORS and key in (kpi.key, "received")
    }


def _run(
    question: MetricQuery, subject: FactTable, kpis: Sequence[Kpi], beside: Mapping[str, Any]
) -> list[Record]:
    statement = statements.BUILDERS[subject](question, list(kpis))
    months = statements.months_of(question, subject)
    return engine.current().run(statement, beside, **months).to_dict("records")


def _sums_of(record: Record, kpi: str) -> dict[str, Any]:
    return {
        name.partition("__")[2]: float(value)
        for name, value in record.items()
        if name.startswith(f"{kpi}__") and value is not None and value == value
    }
