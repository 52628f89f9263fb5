"""Figures of executives: published editions of whole months. Every page, file and command
asks here.

For every month and every KPI an edition holds one table per dimension, with its total. A
question has one cut or one filter, month besides, and whole months; it reads lines of these
tables and nothing else: neither the lake nor the evaluations. A longer period shows a cell
that is shown in each of its months. `editions` publishes, `published_tables` hides.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import EXECUTIVE_DIMENSIONS, Viewer
from qa_core.base.errors import Refusal
from qa_core.base.i18n import uncapitalise
from qa_core.metrics.kpi import closed_months, populations
from qa_core.metrics.kpi.data_span import find_published
from qa_core.metrics.kpi.edition_schedule import describe_next
from qa_core.metrics.kpi.interval_totals import FROM_TOTALS
from qa_core.metrics.kpi.result_rows import WITHOUT_COUNT, Row, finish_row, read_row
from qa_core.metrics.kpis import FactTable, Kpi, KpiKind, formatting, periods
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage.records import store
from qa_core.storage.records.editions import Edition, EditionTable

Sums = dict[str, Any]
Cells = dict[str | None, dict[str, Sums | None]]
"""Value of a dimension → KPI → sums, as `metrics.kpi.statements` names them; None: hidden."""


def close_period(where: Filters) -> Filters:
    """Return the filters with open ends of the period at the ends of the whole months
    there are data for. Raises Refusal unless the period is one of whole months that are
    over.
    """
    span, period = find_published(), where.period
    if span is None:
        raise Refusal(
            "not_published", "No month has been published yet. {when}", when=describe_next()
        )
    first = period.first_day or min(span[0], period.last_day or span[0])
    last = period.last_day or span[1]
    if first <= last and is_published(Period(first, last)):
        return where.with_period(Period(first, last))
    start = span[1].replace(day=1)
    raise Refusal(
        "whole_months",
        "You see complete calendar months only. Choose whole months that end on {last} at the "
        "latest.",
        (f"--from {start} --to {span[1]}",),
        last=span[1],
    )


def is_published(period: Period) -> bool:
    """Return whether a period is one of whole months, none after the last published one."""
    span = find_published()
    return period.is_whole_months and span is not None and period.last_day <= span[1]


def require_one_table(
    by: Collection[str], where: Filters, overrides: Mapping[str, str] = {}
) -> None:
    """Raise Refusal unless one published table is read: one cut or filter, settings in force."""
    if overrides:
        raise Refusal(
            "settings_in_force",
            "You see figures computed with the settings in force. Leave {names} unchanged; "
            "only managers see other values.",
            names=", ".join(overrides),
        )
    filters = {name: values for name, values in where.values if name != "month"}
    cuts = [name for name in by if name != "month"]
    if len({*cuts, *filters}) > 1:
        raise Refusal(
            "one_table",
            "You see one breakdown or one filter at a time, plus months. This asks for "
            "{names}: choose one of them.",
            tuple(f"--by {name}" for name in sorted({*cuts, *filters})),
            names=", ".join(map(formatting.dimension, sorted({*cuts, *filters}))),
        )
    several = [name for name, values in filters.items() if len(values) > 1 and name not in cuts]
    for name in several:
        raise Refusal(
            "one_line",
            "You can filter on one value at a time. Choose one {name}, or break down by it.",
            (f"--by {name}",),
            name=uncapitalise(formatting.dimension(name)),
        )


def may_cut(viewer: Viewer, where: Filters, dimension: str) -> bool:
    """Return whether that viewer sees figures under these filters cut by that dimension."""
    if not viewer.needs_suppression:
        return True
    return dimension in EXECUTIVE_DIMENSIONS and all(
        name in ("month", dimension) for name, _values in where.values
    )


def answer(kpis: Sequence[Kpi], by: Sequence[str], where: Filters) -> list[Row]:
    """Answer a question of `measure` from editions alone; its period is closed."""
    filters = dict(where.values)
    dimension = next(iter({*by, *filters} - {"month"}), "")
    span, months = find_published(), _list_months(where)
    tables = load(dimension, months)
    places: dict[tuple[Any, ...], list[dict[str, Sums | None]]] = {} if by else {(): []}
    for month, cells in sorted(tables.items()):
        for value, sums in cells.items():
            if value in filters.get(dimension, (value,)):
                key = tuple(month if name == "month" else value for name in by)
                places.setdefault(key, []).append(sums)
    # What is lost is missing in every sum that it belongs to.
    is_lost = "month" not in by and any(
        month not in tables and span and f"{span[0]:%Y-%m}" <= month <= f"{span[1]:%Y-%m}"
        for month in months
    )
    keys = {kpi.key for kpi in kpis}
    rows: list[Row] = []
    for key, found in places.items():
        if by and not any(keys & sums.keys() for sums in found):
            continue
        group = dict(zip(by, key, strict=True))
        for kpi in kpis:
            parts = [] if is_lost else [sums[kpi.key] for sums in found if kpi.key in sums]
            rows += [replace(row, by=group | row.by) for row in read_rows(kpi, parts)]
    if len({row.by.get("currency") for row in rows} - {None}) < 2:
        for row in rows:
            row.by.pop("currency", None)
    if dimension in populations.TEAMS:
        populations.note_published(kpis, where, rows)
    return rows


def _list_months(where: Filters) -> list[str]:
    if not where.period.is_bounded:
        return []
    chosen = dict(where.values).get("month")
    months = [f"{start:%Y-%m}" for start in periods.starts_of("month", where.period)]
    return [month for month in months if chosen is None or month in chosen]


def load(dimension: str, months: Sequence[str]) -> dict[str, Cells]:
    """Load the newest editions of some months by one dimension: month → cells."""
    newest = (
        sa.select(Edition.month, sa.func.max(Edition.number).label("number"))
        .where(Edition.month.in_(months))
        .group_by(Edition.month)
        .subquery()
    )
    statement = (
        sa.select(Edition.month, EditionTable.entries)
        .join(Edition, EditionTable.edition_id == Edition.id)
        .join(newest, sa.and_(Edition.month == newest.c.month, Edition.number == newest.c.number))
        .where(EditionTable.dimension == dimension)
    )
    with store.reading() as session:
        return {month: read_cells(entries) for month, entries in session.execute(statement)}


def read_cells(entries: Sequence[Sequence[Any]]) -> Cells:
    """Read the cells of one table of an edition."""
    cells: Cells = {}
    for value, kpi, sums in entries:
        cells.setdefault(value, {})[kpi] = sums
    return cells


def read_rows(kpi: Kpi, parts: Sequence[Sums | None]) -> list[Row]:
    """Read one KPI in one place from its sums in each month: a row, or one per currency."""
    is_repeated = kpi.kind == KpiKind.DISTINCT and sum(bool(part) for part in parts) > 1
    if any(part is None for part in parts) or is_repeated:
        row = Row(kpi.key)
        row.suppress()
        return [row]
    if kpi.subject == FactTable.SPEND:
        return _read_money(kpi, parts)
    record: dict[str, Any] = {}
    for part in parts:
        sums = {f"{kpi.key}__{name}": amount for name, amount in part.items()}
        closed_months.pool(record, kpi.key, sums)
    if record.get(f"{kpi.key}__note:{FROM_TOTALS}"):
        record[f"{kpi.key}__deviation"] = None
    row = read_row(replace(kpi, has_percentiles=False), record)
    # Counts of what a KPI leaves out are in no published table.
    row.notes = tuple(note for note in row.notes if note.startswith(WITHOUT_COUNT))
    row.pending = row.unknown_identity = None
    return [row]


def _read_money(kpi: Kpi, parts: Sequence[Sums]) -> list[Row]:
    amounts: dict[str | None, list[float]] = {}
    for part in parts:
        for currency, (amount, entries) in part.get("money", {}).items():
            total = amounts.setdefault(currency, [0.0, 0])
            total[0], total[1] = total[0] + amount, total[1] + entries
    is_total, rows = kpi.kind == KpiKind.TOTAL, []
    contacts = sum(part.get("n", 0) for part in parts)
    for currency, (amount, entries) in (amounts or {None: [0.0, 0]}).items():
        n = int(entries if is_total else contacts)
        row = Row(kpi.key, n=n, denominator=None if is_total else n, by={"currency": currency})
        if n and currency in amounts:
            row.numerator, row.value = amount, amount if is_total else amount / n
        finish_row(row)
        rows.append(row)
    return rows
