"""Published tables: what executives see. Every page, file and command asks here.

For every calendar month that is over, and every KPI, there is one table per dimension,
with its total. A cell is hidden when fewer than five advisors or ten contacts are
behind it, and further cells, the smallest first, until no hidden one follows from sums
and differences of the others. A longer period shows a cell that is shown in each of its
months. A question has one cut or one filter, month besides, and whole months; it reads
lines of these tables and nothing else. The tables are worked out once per month and
state of the data, and kept in `QA_HOME/published`.
"""

import hashlib
import json
import logging
import os
import secrets
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from qa_core.access.roles import EXECUTIVE_DIMENSIONS, MINIMUM_ADVISORS, MINIMUM_CONTACTS, Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.metrics.kpi import (
    closed_months,
    dimension_sql,
    evaluation_table,
    published_tables,
    statements,
)
from qa_core.metrics.kpi.data_span import find_last_closed_day, find_span
from qa_core.metrics.kpi.metric_query import build_query
from qa_core.metrics.kpi.published_families import (
    COSTS,
    COUNTED_WITH_SOURCE,
    FAMILIES,
    KIND_OF,
    WITH_SOURCE,
    family_of,
)
from qa_core.metrics.kpi.published_tables import TOTAL, Cell, Table
from qa_core.metrics.kpi.result_rows import Row
from qa_core.metrics.kpi.statements import MetricQuery
from qa_core.metrics.kpis import KpiKind, get_kpi, periods
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import lake, name_merges, restrictions
from qa_core.storage.facts.schema import NEIGHBOUR_DAYS
from qa_core.storage.records import store

LOG = logging.getLogger("qa_core")
POLICY = 1
"""Raised with every change of what is hidden: tables kept by another one are not read."""
GROUPS = {"evaluations": closed_months.ANALYSES, "contacts": closed_months.IDENTITIES}
"""Kind of tables → the group of months whose people are deleted with it."""
ALWAYS_SHOWN = frozenset({"spend"})
"""What was spent says nothing of a person."""
PUBLISHED_BY = {
    family.kpi: family.dimensions
    for families in FAMILIES.values()
    for family in families
    if family.dimensions is not None
}
"""The dimensions of KPIs that are published by fewer than they can be cut by."""
NOT_OF_CONTACTS = ("pending", "unknown_identity", "p50", "p90", "p95")
"""Not in the published tables: counts of what a KPI leaves out, and percentiles."""

_tables: dict[Path, tuple[str, dict[str, Table]]] = {}
_lock = threading.Lock()


def close_period(where: Filters) -> Filters:
    """Return the filters with open ends of the period at the ends of the whole months
    there are data for. Raises Refusal unless the period is one of whole months that are
    over.
    """
    span, last_day = find_span(), find_last_closed_day()
    if span is None or last_day is None:
        return where
    first_day = span[0].replace(day=1)
    if last_day < first_day:
        raise Refusal(
            "no_whole_month", "You see complete calendar months only, and the data holds none yet."
        )
    period = where.period
    first = period.first_day or min(first_day, period.last_day or first_day)
    last = period.last_day or last_day
    if first <= last and is_closed(Period(first, last)):
        return where.with_period(Period(first, last))
    start = last_day.replace(day=1)
    raise Refusal(
        "whole_months",
        "You see complete calendar months only. Choose whole months that end on {last} at the "
        "latest.",
        (f"--from {start} --to {last_day}",),
        last=last_day,
    )


def is_closed(period: Period) -> bool:
    """Return whether a period is one of whole months that are over."""
    last_day = find_last_closed_day()
    return period.is_whole_months and last_day is not None and period.last_day <= last_day


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
            names=", ".join(sorted({*cuts, *filters})),
        )
    several = [name for name, values in filters.items() if len(values) > 1 and name not in cuts]
    for name in several:
        raise Refusal(
            "one_line",
            "You can filter on one value at a time. Choose one {name}, or break down by it.",
            (f"--by {name}",),
            name=name,
        )


def may_cut(viewer: Viewer, where: Filters, dimension: str) -> bool:
    """Return whether that viewer sees figures under these filters cut by that dimension."""
    if not viewer.needs_suppression:
        return True
    return dimension in EXECUTIVE_DIMENSIONS and all(
        name in ("month", dimension) for name, _values in where.values
    )


def shows(
    viewer: Viewer,
    kpi: str,
    months: Sequence[str],
    dimension: str | None = None,
    value: str | None = None,
) -> bool:
    """Return whether a cell is shown in each of these months that it has contacts in, and
    has some in one. What counts customers does not add up: it is shown for one month
    alone.
    """
    verdicts = _find_verdicts(_load(viewer, kpi), kpi, months, (dimension or "", value))
    return bool(verdicts) and _are_shown(kpi, verdicts)


def hide(question: MetricQuery, rows: Sequence[Row]) -> None:
    """Hide what is not published in rows of `measure`."""
    filters = dict(question.where.values)
    dimension = next(
        iter(dimension_sql.dimensions_of(question.by, question.where) - {"month"}), None
    )
    months = [
        month
        for month in _months_of(question.where.period)
        if "month" not in filters or month in filters["month"]
    ]
    tables_by_kind: dict[str, dict[str, dict[str, Table]]] = {}
    for row in rows:
        for name in NOT_OF_CONTACTS:
            setattr(row, name, None)
        if row.kpi in ALWAYS_SHOWN:
            continue
        key = family_of(row.kpi)
        is_published = not dimension or dimension in PUBLISHED_BY.get(row.kpi, (dimension,))
        if key not in KIND_OF or not is_published:
            row.suppress()
            continue
        kind = KIND_OF[key]
        if kind not in tables_by_kind:
            tables_by_kind[kind] = _load(question.viewer, row.kpi)
        cell = TOTAL
        if dimension:
            value = row.by[dimension] if dimension in row.by else filters[dimension][0]
            cell = dimension, None if value is None else str(value)
        row_months = [row.by["month"]] if "month" in row.by else months
        verdicts = _find_verdicts(tables_by_kind[kind], row.kpi, row_months, cell)
        if not _are_shown(row.kpi, verdicts) or (row.n and not verdicts):
            row.suppress()


def _are_shown(kpi: str, verdicts: Sequence[bool]) -> bool:
    return all(verdicts) and (len(verdicts) <= 1 or get_kpi(kpi).kind != KpiKind.DISTINCT)


def _find_verdicts(
    tables_by_month: Mapping[str, Mapping[str, Table]], kpi: str, months: Sequence[str], cell: Cell
) -> list[bool]:
    """Return whether the cell is shown, for each of the months that it has contacts in."""
    key, cells = family_of(kpi), [cell]
    if kpi in COUNTED_WITH_SOURCE and cell[0] != "source":
        with_source = WITH_SOURCE + cell[0], cell[1]
        cells = [with_source] if kpi in COSTS else [cell, with_source]
    tables = [tables_by_month[month].get(key, {}) for month in months if month in tables_by_month]
    return [
        all(table[one] for one in cells if one in table)
        for table in tables
        if any(one in table for one in cells)
    ]


def _months_of(period: Period) -> list[str]:
    if not period.is_bounded:
        return []
    return [f"{start:%Y-%m}" for start in periods.starts_of("month", period)]


def find_tables(kind: str) -> dict[str, dict[str, list[list[Any]]]]:
    """Map each month to what is published of it: KPI → [[dimension, value, shown]]."""
    return {
        month: {
            kpi: [[*cell, is_shown] for cell, is_shown in table.items()]
            for kpi, table in tables.items()
        }
        for month, tables in _load_kind(Viewer.SYSTEM, kind).items()
    }


def _load(viewer: Viewer, kpi: str) -> dict[str, dict[str, Table]]:
    """Load the tables of every closed month that decide about a KPI: month → KPI → cells."""
    kind = KIND_OF.get(family_of(kpi))
    return {} if kind is None else _load_kind(viewer, kind)


def _load_kind(viewer: Viewer, kind: str) -> dict[str, dict[str, Table]]:
    last_day, span = find_last_closed_day(), find_span()
    if last_day is None or span is None or last_day < span[0]:
        return {}
    # Where the people behind a month were deleted, what was published then stays so.
    closed_tables = {
        month: {kpi: _read_cells(cells) for kpi, cells in tables.items()}
        for month, tables in closed_months.find_published(GROUPS[kind]).items()
    }
    months = _months_of(Period(span[0].replace(day=1), last_day))
    question = build_query(viewer, ("site",), Filters())
    folder = environment.current().folder / "published"
    keys = {
        folder / f"{month}-{kind}.json": (month, key)
        for month, key in _find_keys(
            question, kind, [month for month in months if month not in closed_tables]
        )
    }
    with _lock:
        missing = [path for path, (_month, key) in keys.items() if not _is_kept(path, key)]
        if missing:
            new_tables = published_tables.work_out(
                question, kind, [keys[path][0] for path in missing]
            )
            for path in missing:
                month, key = keys[path]
                _tables[path] = key, new_tables[month]
                _write(path, key, new_tables[month])
        return closed_tables | {month: _tables[path][1] for path, (month, _key) in keys.items()}


def _read_cells(cells: Iterable[Sequence[Any]]) -> Table:
    return {(dimension, value): is_shown is True for dimension, value, is_shown in cells}


def _find_keys(
    question: MetricQuery, kind: str, months: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """Compute for each month a digest of all that its tables depend on."""
    with store.reading() as session:
        merges = name_merges.find_kept_names(session)
        counter = evaluation_table.change_counter(session) if kind == "evaluations" else ()
    names = sorted({name for one in FAMILIES[kind] for name in get_kpi(one.kpi).settings})
    contacts, intervals = lake.snapshot("contacts"), lake.snapshot("intervals")
    for month in months:
        period = periods.period_of("month", month)
        first = period.first_day - timedelta(days=NEIGHBOUR_DAYS)
        pieces = statements.pieces_within(question.pieces, period)
        inputs = [question.give(settings) for _day, settings in pieces]
        depends_on = (
            POLICY,
            FAMILIES[kind],
            (MINIMUM_ADVISORS, MINIMUM_CONTACTS, sorted(EXECUTIVE_DIMENSIONS)),
            contacts.files(f"{first:%Y-%m}", month),  # the first miss of a caller
            intervals.files(month, month),
            sorted(question.names.sites.items()),
            [sorted(kept_names.items()) for kept_names in merges.values()],
            counter,
            restrictions.find_current().write_test(),
            [(day, [getattr(values, name) for name in names]) for day, values in pieces],
            [(one.absent_components, one.absent_of_intervals) for one in inputs],
            [_within(period, one.span, one.window) for one in inputs],
        )
        yield month, hashlib.sha256(repr(depends_on).encode()).hexdigest()


def _within(
    period: Period, span: tuple[datetime, datetime] | None, window: timedelta
) -> list[datetime | str]:
    """Return the moments between which a first contact has a complete window, as far as
    they lie in the period: the ends of the data move with every import.
    """
    first = datetime.combine(period.first_day, datetime.min.time()) - timedelta(days=1)
    last = datetime.combine(period.last_day, datetime.min.time()) + timedelta(days=2)
    ends = (span[0] + window, span[1] - window) if span else ()
    return [min(max(end, first), last) for end in ends]


def _is_kept(path: Path, key: str) -> bool:
    """Return whether the table of that state is at hand, in memory or else in its file."""
    if path in _tables and _tables[path][0] == key:
        return True
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["key"] != key:
            return False
        _tables[path] = (key, {kpi: _read_cells(cells) for kpi, cells in content["tables"].items()})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return True


def _write(path: Path, key: str, tables: Mapping[str, Table]) -> None:
    """Keep a table for other processes, readable by its owner alone; any writer wrote the same."""
    content = {
        "key": key,
        "tables": {
            kpi: [[*cell, is_shown] for cell, is_shown in table.items()]
            for kpi, table in tables.items()
        },
    }
    draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file)
        os.replace(draft, path)
    except OSError as error:
        LOG.warning("the published tables could not be kept", exc_info=error)
        draft.unlink(missing_ok=True)
