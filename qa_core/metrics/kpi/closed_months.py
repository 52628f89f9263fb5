"""Closed months: figures that were added up before the people behind them were deleted
(docs/compliance.md, section 3), and where they take the place of the rows.

Two groups close at their own pace. `analyses`: what evaluations and playbacks are counted
for; their rows are gone. `identities`: KPIs over distinct customers; the contacts stay,
without anybody's name.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Role
from qa_core.metrics import kpis as declared
from qa_core.metrics.kpi import dimension_sql
from qa_core.metrics.kpi.dimension_sql import Names
from qa_core.metrics.kpi.statements import MetricQuery
from qa_core.metrics.kpis import FactTable, Kpi, KpiKind
from qa_core.metrics.kpis.dimensions import Period, add_months
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.retention import ClosedMonth, MonthlyFigure

ANALYSES, IDENTITIES = "analyses", "identities"
_SUBJECTS = {
    FactTable.EVALUATION_ANSWERS: ANALYSES,
    FactTable.ADVISORS: ANALYSES,
    FactTable.LISTENED: ANALYSES,
    FactTable.MISSED: IDENTITIES,
    FactTable.CUSTOMERS: IDENTITIES,
    FactTable.SELLING: IDENTITIES,
    FactTable.RETURNS: IDENTITIES,
}
CUTS = (
    "direction", "channel", "queue", "reason", "outcome", "handled_by", "declared", "surveyed",
    "site", "team", "source", "medium", "campaign", "criterion", "section", "grid",
)  # fmt: skip
"""The dimensions that closed months can be cut by, one at a time and by month besides."""

FROM_CLOSED = "from_closed_months"
LEFT_OUT = "closed_months_left_out"
"""Notes: part of the figure comes from closed months, or could not."""

Record = dict[str, Any]


def group_of(kpi: Kpi) -> str | None:
    """Return the group by which the months of that KPI close; None: they never do."""
    if kpi.subject in _SUBJECTS:
        return _SUBJECTS[kpi.subject]
    return IDENTITIES if kpi.kind == KpiKind.DISTINCT else None


def adds_up(kpi: Kpi) -> bool:
    """Return whether the figures of several months can be added up."""
    return kpi.kind != KpiKind.DISTINCT and kpi.subject != FactTable.ADVISORS


def find_last(group: str) -> date | None:
    """Return the last day of the last closed month of a group; None where none is."""
    with store.reading() as session:
        month = session.scalar(
            sa.select(sa.func.max(ClosedMonth.month)).where(ClosedMonth.group == group)
        )
    return None if month is None else _last_day(month)


def is_closed(month: str) -> bool:
    with store.reading() as session:
        closed = sa.exists().where(ClosedMonth.month >= month)
        return bool(session.scalar(sa.select(closed)))


@dataclass(frozen=True)
class ClosedPart:
    """Contribution of closed months to a question: `records` as a statement gives them,
    and the question about the time since (`is_empty`: it asks for none).
    """

    records: list[Record]
    since: MetricQuery
    is_empty: bool
    notes: tuple[str, ...] = ()


def split(question: MetricQuery, group: str | None, kpis: Iterable[Kpi]) -> ClosedPart:
    """Divide a question into its closed months and the time since."""
    last = find_last(group) if group else None
    period = question.where.period
    if last is None or (period.first_day and period.first_day > last):
        return ClosedPart([], question, False)
    is_empty = period.last_day is not None and period.last_day <= last
    # Where nothing is asked for since, the statement would look at a day without rows.
    first = last + timedelta(days=1)
    since = Period(first, max(first, period.last_day) if period.last_day else None)
    later = replace(question, where=question.where.with_period(since))
    cuts = set(dimension_sql.dimensions_of(question.by, question.where)) - {"month"}
    if len(cuts) > 1 or not cuts <= set(CUTS):
        return ClosedPart([], later, is_empty, (LEFT_OUT,))
    part = _find_figures(question, {kpi.key: kpi for kpi in kpis}, next(iter(cuts), None), last)
    return replace(part, since=later, is_empty=is_empty)


def _find_figures(
    question: MetricQuery, kpis: Mapping[str, Kpi], dimension: str | None, last: date
) -> ClosedPart:
    viewer, period = question.viewer, question.where.period
    by_team = not (viewer.is_system or viewer.role == Role.EXECUTIVE)
    own = None if by_team and dimension in ("team", "site") else dimension
    first = period.first_day or date.min
    until = min(period.last_day or last, last)
    figures = sa.select(MonthlyFigure).where(
        MonthlyFigure.kpi.in_(kpis),
        MonthlyFigure.is_whole.is_(not by_team),
        MonthlyFigure.dimension.is_(None) if own is None else MonthlyFigure.dimension == own,
        MonthlyFigure.local_day >= first,
        MonthlyFigure.local_day <= until,
    )
    with store.reading() as session:
        rows = session.scalars(Scoped(figures, viewer)).all()
    # Months asked for in part are left out: their sums have no days.
    notes = [LEFT_OUT] if (first.day != 1 and first > date.min) or until != _last_day(until) else []
    filter_values = dict(question.where.values)
    kept_values = {(*_place(row), row.value) for row in rows if row.sums}
    records: dict[tuple[Any, ...], Record] = {}
    for row in rows:
        value = _value_of(row, dimension, question.names)
        month = f"{row.local_day:%Y-%m}"
        if _last_day(row.local_day) > until or (
            "month" in filter_values and month not in filter_values["month"]
        ):
            continue
        wanted = filter_values.get(dimension or "", (value,))
        if own in filter_values and not row.sums:
            # Some value is left out: one that is wanted, if its figure is not there.
            is_wanted = any((*_place(row), one) not in kept_values for one in wanted)
        else:
            is_wanted = value in wanted
        if is_wanted and not row.sums:
            notes.append(LEFT_OUT)
        if not is_wanted or not row.sums:
            continue
        place = {name: month if name == "month" else value for name in question.by}
        empty = {"present": 0, "months": {}}
        record = records.setdefault(
            tuple(place.values()), {f"by_{name}": item for name, item in place.items()} | empty
        )
        record["months"].setdefault(row.kpi, set()).add(month)
        _add(record, row.kpi, row.sums)
    for record in records.values():
        for key, months in record.pop("months").items():
            if len(months) > 1 and not adds_up(kpis[key]):
                _drop(record, key)
                notes.append(LEFT_OUT)
    if records:
        notes.append(FROM_CLOSED)
    return ClosedPart(list(records.values()), question, False, tuple(dict.fromkeys(notes)))


def _place(row: MonthlyFigure) -> tuple[str, date, str | None]:
    return row.kpi, row.local_day, row.team


def _value_of(row: MonthlyFigure, dimension: str | None, names: Names) -> str | None:
    if row.is_whole or dimension not in ("team", "site"):
        return row.value
    return row.team if dimension == "team" else names.sites.get(row.team or "")


def _add(record: Record, kpi: str, sums: Mapping[str, Any]) -> None:
    record["present"] = max(record["present"], int(sums.get("n") or 0))
    pool(record, kpi, {f"{kpi}__{name}": value for name, value in sums.items()})


def merge(records: list[Record], closed_records: list[Record], kpis: Iterable[Kpi]) -> list[Record]:
    """Add the sums of closed months to those since, by group; leave out what cannot be added."""
    merged_records = {_key(record): dict(record) for record in records}
    for record in closed_records:
        target = merged_records.setdefault(_key(record), {})
        for kpi in kpis:
            own = {name: value for name, value in record.items() if name.startswith(f"{kpi.key}__")}
            if not adds_up(kpi) and own and target.get(f"{kpi.key}__n"):
                _drop(target, kpi.key)
            else:
                pool(target, kpi.key, own)
        target |= {name: value for name, value in record.items() if name.startswith("by_")}
        target["present"] = int(target.get("present") or 0) + int(record.get("present") or 0)
    return list(merged_records.values())


def _key(record: Record) -> tuple[Any, ...]:
    return tuple(
        None
        if value is None or value != value
        else f"{value:%Y-%m}"
        if name == "by_month" and not isinstance(value, str)
        else value
        for name, value in sorted(record.items())
        if name.startswith("by_")
    )


def pool(record: Record, kpi: str, sums: Mapping[str, Any]) -> None:
    """Add sums to a record; standard deviations are pooled."""
    size, added_size = record.get(f"{kpi}__n") or 0, sums.get(f"{kpi}__n") or 0
    deviation = f"{kpi}__deviation"
    if size and added_size:
        record[deviation] = _pool_deviation(
            (size, record.get(f"{kpi}__sum"), record.get(deviation)),
            (added_size, sums.get(f"{kpi}__sum"), sums.get(deviation)),
        )
    for name, value in sums.items():
        if name == deviation:
            if not size:
                record[name] = value
        elif value is not None and value == value:
            old = record.get(name)
            record[name] = value + (old if old is not None and old == old else 0)


def _pool_deviation(
    one: tuple[float, float | None, float | None], other: tuple[float, float | None, float | None]
) -> float | None:
    """Compute the standard deviation of two samples together, each as (n, sum, deviation)."""
    (n, total, deviation), (m, other_total, spread) = one, other
    if total is None or other_total is None:
        return None
    squares = sum(
        (size - 1) * (value if value is not None and value == value else 0.0) ** 2
        for size, value in ((n, deviation), (m, spread))
    )
    squares += n * m / (n + m) * (total / n - other_total / m) ** 2
    return math.sqrt(squares / (n + m - 1)) if n + m > 1 else None


def _drop(record: Record, kpi: str) -> None:
    for name in [name for name in record if name.startswith(f"{kpi}__")]:
        del record[name]


def find_published(group: str) -> dict[str, dict[str, Any]]:
    """Map each closed month of a group to what was shown of it before editions were kept."""
    with store.reading() as session:
        rows = sa.select(ClosedMonth.month, ClosedMonth.published)
        return dict(session.execute(rows.where(ClosedMonth.group == group)).all())


def _last_day(month: str | date) -> date:
    first = date.fromisoformat(f"{month}-01") if isinstance(month, str) else month.replace(day=1)
    return add_months(first, 1) - timedelta(days=1)


def kpis_of(group: str) -> list[Kpi]:
    """List the KPIs whose figures are kept when a month of the group closes."""
    return [kpi for kpi in declared.ALL if group_of(kpi) == group]
