"""Closing months: add up their figures before the people behind them are deleted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import MINIMUM_ADVISORS, Viewer
from qa_core.metrics.dimensions import Filters, Period, add_months
from qa_core.metrics.kpis import FactTable, Kpi
from qa_core.metrics.query import closed_months, dimension_sql, statements, suppression
from qa_core.metrics.query.closed_months import CUTS, IDENTITIES, Record
from qa_core.metrics.query.measure import beside_the_lake, build_query
from qa_core.metrics.query.statements import MetricQuery
from qa_core.storage import engine, lake
from qa_core.storage.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.retention import ClosedMonth, MonthlyFigure
from qa_core.storage.schema import CONTACTS

COLUMNS = {"declared": "declared_resolved", "surveyed": "survey_resolved"}
OF_OTHERS = ("site", "criterion", "section", "grid")
"""Dimensions that are no columns of a contact."""


def close(group: str, through: date) -> None:
    """Close the months of a group up to the one of that day, all in one transaction; those
    that are closed stay as they are.

    Only figures of at least five advisors are kept.
    """
    last = closed_months.find_last(group)
    until = add_months(through.replace(day=1), 1) - timedelta(days=1)
    if last is not None and last >= until:
        return
    period = Period(last + timedelta(days=1) if last else None, until)
    rows = list(_add_up(group, period))
    with store.writing() as session:
        session.add_all(rows)
        session.add(ClosedMonth(group=group, month=f"{until:%Y-%m}"))
    if group == IDENTITIES:
        lake.mark_known_customers(until + timedelta(days=1))


def _add_up(group: str, period: Period) -> Iterator[MonthlyFigure]:
    kpis, cuts = closed_months.kpis_of(group), _find_cuts(period)
    for subject in dict.fromkeys(kpi.subject for kpi in kpis):
        for replaces_rows in (True, False):
            some = [
                kpi
                for kpi in kpis
                if kpi.subject == subject
                and (closed_months.group_of(kpi) == group) == replaces_rows
            ]
            found = list(_cut(group, subject, some, None, period, replaces_rows)) if some else []
            yield from found
            # Where all together are too few advisors, no part has enough.
            for dimension in cuts if found else ():
                fitting = [kpi for kpi in some if dimension in kpi.dimensions]
                if fitting:
                    yield from _cut(group, subject, fitting, dimension, period, replaces_rows)


def _find_cuts(period: Period) -> list[str]:
    """List the dimensions that any contact of the period has a value of; those of
    evaluations always.
    """
    columns = {name: CONTACTS.c[COLUMNS.get(name, name)] for name in CUTS if name not in OF_OTHERS}
    counted = sa.select(*(sa.func.count(column).label(name) for name, column in columns.items()))
    query = Unscoped(
        counted.where(*dimension_sql.within(period, CONTACTS.c)),
        "What closed months can be cut by is the same for everybody: numbers are read.",
    )
    [found] = engine.current().run(query, **dimension_sql.months(period)).to_dict("records")
    return [name for name in CUTS if name in OF_OTHERS or found[name]]


def _cut(
    group: str,
    subject: FactTable,
    kpis: Sequence[Kpi],
    dimension: str | None,
    period: Period,
    replaces_rows: bool,
) -> Iterator[MonthlyFigure]:
    """Add up by one dimension: of the whole centre, and of each team where the figures
    take the place of rows.
    """
    beside = beside_the_lake(subject)
    own = (dimension,) if dimension else ()
    is_within_teams = replaces_rows and dimension not in ("team", "site")
    for above in ((), ("team",)) if is_within_teams else ((),):
        question = build_query(Viewer.SYSTEM, (*above, *own, "month"), Filters(period))
        advisors = _count_advisors(question, subject, kpis, beside)
        if not advisors:
            return  # nothing large enough, so nothing within teams either
        sums = _run(question, subject, kpis, beside) if replaces_rows else []
        found = {_place(question, record): record for record in sums}
        published: Mapping[str, suppression.Published] = {}
        if replaces_rows and not above:
            published, _judged = suppression.weigh(question, subject, list(kpis), beside, dimension)
        for (place, key), count in advisors.items():
            named = dict(zip(question.by, place, strict=True))
            month, value = named["month"], named[dimension] if dimension else None
            shown = suppression.ALL if dimension is None else value
            yield MonthlyFigure(
                group=group,
                kpi=key,
                local_day=date.fromisoformat(f"{month}-01"),
                is_whole=not above,
                team=named["team"] if above else None,
                dimension=dimension,
                value=value,
                sums=_sums_of(found.get(place, {}), key),
                advisors=count,
                is_published=key in published and published[key].shows(shown, month, month),
            )


def _count_advisors(
    question: MetricQuery, subject: FactTable, kpis: Sequence[Kpi], beside: Mapping[str, Any]
) -> dict[tuple[tuple[Any, ...], str], int]:
    """Count the advisors behind each KPI in each place; only of places with enough."""
    counts: Counter[tuple[tuple[Any, ...], str]] = Counter()
    for record in _run(replace(question, by_advisor=True), subject, kpis, beside):
        if isinstance(record["behind_advisor"], str):
            place = _place(question, record)
            counts.update((place, kpi.key) for kpi in kpis if record[f"{kpi.key}__behind"] > 0)
    return {key: count for key, count in counts.items() if count >= MINIMUM_ADVISORS}


def _run(
    question: MetricQuery, subject: FactTable, kpis: Sequence[Kpi], beside: Mapping[str, Any]
) -> list[Record]:
    statement = statements.BUILDERS[subject](question, list(kpis))
    read = statements.months_of(question, subject)
    return engine.current().run(statement, beside, **read).to_dict("records")


def _place(question: MetricQuery, record: Record) -> tuple[Any, ...]:
    return tuple(
        dimension_sql.plain(name, record[f"by_{name}"], question.names) for name in question.by
    )


def _sums_of(record: Record, kpi: str) -> dict[str, Any]:
    return {
        name.partition("__")[2]: float(value)
        for name, value in record.items()
        if name.startswith(f"{kpi}__") and value is not None and value == value
    }
