"""Dry run of an import: its rows before and after, overlaps, clock changes, figures."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.base.masking import MASK
from qa_core.files import readers
from qa_core.files.archives import open_content
from qa_core.files.options import ImportOptions
from qa_core.ingest.columns import header_matching, table_bounds
from qa_core.ingest.load import contacts
from qa_core.ingest.reading.registry import get_profile
from qa_core.ingest.staging.staged import Staged
from qa_core.metrics import query
from qa_core.metrics.kpis import BY_KEY, formatting
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import lake
from qa_core.storage.lake import tables
from qa_core.storage.records import store

HEADLINE = (
    "received",
    "answer_rate",
    "first_contact_resolution",
    "first_contact_resolution_declared",
    "csat",
)
FREE_TEXT = ("survey_comment", "comment")
MAX_COLUMNS = 12

Merge = Callable[[], lake.MergeResult]
"""Merge of the import into the lake."""


@dataclass(frozen=True)
class ShownRow:
    """Row of a file: its cells in used columns, and the values they become; identities masked."""

    line: int
    cells: dict[str, str]
    values: dict[str, Any]


@dataclass(frozen=True)
class ClockHour:
    """An hour that the centre's clock showed twice, and how many rows fall into it."""

    start: datetime
    rows: int


@dataclass(frozen=True)
class Overlap:
    """Contacts that another source already has for days and queues of this file."""

    system: str
    contacts: int
    rows: int
    first_day: date
    last_day: date


@dataclass(frozen=True)
class FigureEffect:
    """Headline figure of the file's days, today and after; None without data, by `status`."""

    kpi: str
    before: float | None
    after: float | None
    n_before: int
    n_after: int
    status_before: str
    status_after: str

    @property
    def title(self) -> str:
        """An English gettext message."""
        return BY_KEY[self.kpi].title

    def format_before(self) -> str:
        return _format_value(self.kpi, self.before, self.status_before)

    def format_after(self) -> str:
        return _format_value(self.kpi, self.after, self.status_after)


@dataclass(frozen=True)
class Examination:
    """Findings of a dry run besides the counts of the report."""

    rows: tuple[ShownRow, ...] = ()
    first_day: date | None = None
    last_day: date | None = None
    clock_hours: tuple[ClockHour, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    in_period: int = 0
    """Number of stored contacts of the same system on the file's days."""
    pseudonymised: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()
    """Columns of free text, which are kept as they are written."""
    effects: tuple[FigureEffect, ...] = ()

    def as_remarks(self) -> Iterator[str]:
        """Yield all but rows and figures, a sentence each, in the current language."""
        if self.first_day and self.last_day:
            yield _(
                "Days of the file: {period}",
                period=formatting.period(Period(self.first_day, self.last_day)),
            )
        if self.in_period:
            yield _(
                "Already imported for these days from the same tool: {count} contacts.",
                count=formatting.number(self.in_period),
            )
        for hour in self.clock_hours:
            yield _(
                "{rows} rows fall into the hour from {moment}, which the clock showed "
                "twice that night.",
                rows=formatting.number(hour.rows),
                moment=formatting.moment(hour.start),
            )
        if self.pseudonymised:
            yield _(
                "Personal columns, kept only as pseudonyms: {columns}",
                columns=formatting.listing(self.pseudonymised),
            )
        if self.comments:
            yield _(
                "Free text, kept as written: {columns}. Make sure that it names no customer.",
                columns=formatting.listing(self.comments),
            )
        if self.dropped:
            yield _(
                "Columns not kept: {columns}",
                columns=header_matching.format_headers(list(self.dropped), MAX_COLUMNS),
            )

    def as_warnings(self) -> Iterator[str]:
        """Yield what might make the figures wrong, in the current language."""
        for overlap in self.overlaps:
            yield _(
                "{rows} rows fall on days and queues for which {system} already brought "
                "{contacts} contacts ({period}). The same calls would count twice. Import "
                "only one of the two, or give both the same tool name.",
                rows=formatting.number(overlap.rows),
                system=overlap.system,
                contacts=formatting.number(overlap.contacts),
                period=formatting.period(Period(overlap.first_day, overlap.last_day)),
            )

    def as_lines(self) -> list[str]:
        """List all findings as lines for a terminal."""
        lines = [*self.as_warnings(), *self.as_remarks()]
        for effect in self.effects:
            lines.append(f"{_(effect.title)}: {effect.format_before()} → {effect.format_after()}")
        for row in self.rows:
            cells = (f"{name}: {cell}" for name, cell in row.cells.items() if cell)
            values = (f"{name}: {value}" for name, value in row.values.items())
            lines.append(_("line {line}", line=row.line))
            lines += ["  < " + " · ".join(cells), "  > " + " · ".join(values)]
        return lines


def _format_value(kpi: str, value: float | None, status: str) -> str:
    if value is None:
        return _("window not complete yet") if status == "pending" else _("no data")
    return formatting.value(value, BY_KEY[kpi].unit)


def examine(
    connection: duckdb.DuckDBPyConnection, staged: Staged, merge: Merge | None = None
) -> Examination:
    """Examine `staged` beside the facts of `connection`; `merge` is tried on a copy of the lake."""
    first, last = _find_days(connection, staged)
    is_contacts = staged.kind == "contacts" and first is not None
    return Examination(
        rows=find_rows(staged),
        first_day=first,
        last_day=last,
        clock_hours=_find_clock_hours(connection, first, last)
        if first and "local_start" in staged.columns
        else (),
        overlaps=_find_overlaps(connection, staged) if is_contacts else (),
        in_period=_count_in_period(connection, staged, first, last) if is_contacts else 0,
        pseudonymised=staged.pseudonymised,
        dropped=staged.dropped,
        comments=tuple(column for name, column in staged.mapping.items() if name in FREE_TEXT),
        effects=measure_effects(merge) if merge else (),
    )


def find_columns(
    path: Path, kind: str, options: ImportOptions
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Find the headers of a refused file, and the fields that they name; nothing without any."""
    try:
        vocabulary = header_matching.build_vocabulary(get_profile(kind, None).fields)
        source = readers.open_source(
            open_content(path, options.encoding),
            options,
            lambda rows: header_matching.score_rows(rows, vocabulary),
        )
        headers = table_bounds.find_header(
            source.sample(table_bounds.SAMPLE_ROWS), vocabulary, tuple(options.columns.values())
        ).names
    except (Refusal, OSError):
        return (), {}
    headers_by_field = {
        hit[0].name: text
        for text in reversed(headers)
        if text not in options.ignored
        and (hit := header_matching.find_field(header_matching.parse_header(text), vocabulary))
    }
    return headers, headers_by_field | {
        field: column for field, column in options.columns.items() if column in headers
    }


def find_rows(staged: Staged) -> tuple[ShownRow, ...]:
    """Read the first rows as the file has them and as they were understood."""
    if not staged.before:
        return ()
    rows = pq.read_table(staged.rows, filters=[("line", "in", list(staged.before))]).to_pylist()
    typed = {row["line"]: row for row in reversed(rows)}  # of several on a line, the first
    return tuple(ShownRow(line, staged.before[line], _mask(typed[line])) for line in sorted(typed))


def _mask(row: dict[str, Any]) -> dict[str, Any]:
    hidden = {name: MASK for name in FREE_TEXT if row.get(name)}
    if row.get("customer_key"):
        hidden["customer_key"] = f"•• {row['customer_key'][-2:]}"
    return {
        name: hidden.get(name, value)
        for name, value in row.items()
        if name != "line" and value is not None
    }


def _find_days(
    connection: duckdb.DuckDBPyConnection, staged: Staged
) -> tuple[date | None, date | None]:
    for clock in ("local_start", "day", "answered_at"):
        if clock in staged.columns:
            days = f"SELECT CAST(min({clock}) AS DATE), CAST(max({clock}) AS DATE) FROM staged"
            return connection.execute(days).fetchone()
    return None, None


def _find_clock_hours(
    connection: duckdb.DuckDBPyConnection, first: date, last: date
) -> tuple[ClockHour, ...]:
    """Find the hours of these days that the clock shows twice, and count their rows."""
    zone = environment.current().zone
    hours = []
    for offset in range((last - first).days + 1):
        midnight = datetime.combine(first + timedelta(days=offset), time.min, zone)
        if (midnight + timedelta(days=1)).utcoffset() >= midnight.utcoffset():
            continue
        for hour in range(24):
            start = midnight.replace(hour=hour, minute=30)
            if start.utcoffset() > start.replace(fold=1).utcoffset():
                hours.append(start.replace(minute=0, tzinfo=None))
    count = "SELECT count(*) FROM staged WHERE date_trunc('hour', local_start) = ?"
    counted = (ClockHour(hour, connection.execute(count, [hour]).fetchone()[0]) for hour in hours)
    return tuple(item for item in counted if item.rows)


def _find_overlaps(connection: duckdb.DuckDBPyConnection, staged: Staged) -> tuple[Overlap, ...]:
    """Find systems with contacts of the same day, channel and queue (any if the file has none)."""
    by_queue = "queue" in staged.columns
    queue, same_queue = (
        ("queue", "AND c.queue IS NOT DISTINCT FROM d.queue") if by_queue else ("NULL AS queue", "")
    )
    channel = "channel"
    if channel not in staged.columns:
        channel = f"{tables.quote(staged.defaults.get('channel', ''))} AS channel"
    rows = connection.execute(
        f"""
        WITH days AS (SELECT {queue}, {channel}, CAST(local_start AS DATE) AS day, count(*) AS rows
            FROM staged GROUP BY ALL),
        there AS (
            SELECT source_system, {"queue," if by_queue else ""} channel,
                CAST(local_start AS DATE) AS day, count(*) AS contacts FROM contacts
            WHERE source_system NOT IN ({_select_systems(staged)})
                AND month BETWEEN (SELECT strftime(min(day), '%Y-%m') FROM days)
                    AND (SELECT strftime(max(day), '%Y-%m') FROM days)
            GROUP BY ALL
        )
        SELECT c.source_system, sum(c.contacts), sum(d.rows), min(d.day), max(d.day) FROM days d
        JOIN there c ON c.day = d.day AND coalesce(nullif(d.channel, '') = c.channel, true)
            {same_queue}
        GROUP BY c.source_system ORDER BY c.source_system"""
    ).fetchall()
    return tuple(
        Overlap(system, int(contacts), int(count), first, last)
        for system, contacts, count, first, last in rows
    )


def _count_in_period(
    connection: duckdb.DuckDBPyConnection, staged: Staged, first: date, last: date
) -> int:
    query = (
        "SELECT count(*) FROM contacts WHERE source_system IN "
        f"({_select_systems(staged)}) AND CAST(local_start AS DATE) BETWEEN ? AND ?"
    )
    return connection.execute(query, [first, last]).fetchone()[0]


def _select_systems(staged: Staged) -> str:
    return f"SELECT DISTINCT {contacts.select_system(staged)} FROM staged"


def measure_effects(merge: Merge) -> tuple[FigureEffect, ...]:
    """Measure headline figures of the days that the import touches, before and after,
    on a copy of the lake: totals of the centre, read as the system, whoever imports.
    """
    with _copy_lake() as copy:
        with environment.use_environment(copy):
            result = merge()
            period = Period(result.first_day, result.last_day)
            after = _measure(period)
        before = _measure(period) if store.is_ready() else {}
    return tuple(
        _compare(key, before.get(key, {}), after[key])
        for key in HEADLINE
        if before.get(key, {}).get("n") or after[key]["n"]
    )


def _measure(period: Period) -> dict[str, dict[str, Any]]:
    frame = query.measure(Viewer.SYSTEM, HEADLINE, where=Filters(period))
    return {row["kpi"]: row for row in frame.to_dict("records")}


def _compare(key: str, before: dict[str, Any], after: dict[str, Any]) -> FigureEffect:
    def number(row: dict[str, Any]) -> float | None:
        value = row.get("value")
        return None if value is None or value != value else float(value)

    return FigureEffect(
        key,
        number(before),
        number(after),
        int(before.get("n") or 0),
        int(after.get("n") or 0),
        str(before.get("status", "no_data")),
        str(after.get("status", "no_data")),
    )


@contextmanager
def _copy_lake() -> Iterator[environment.Environment]:
    """Open a home with links to the files of the lake, and the centre's records or empty ones."""
    here = environment.current()
    folder = Path(tempfile.mkdtemp(prefix=f"{lake.TRIAL}-{os.getpid()}-"))
    try:
        # No cluster sees the copy.
        lake_url = str(folder / "lake")
        copy = replace(here, folder=folder, lake_url=lake_url, engine_url="duckdb://")
        source = tables.lake_folder()
        for name in tables.TABLES:
            log = source / name / "_delta_log"
            if log.is_dir():
                shutil.copytree(log, folder / "lake" / name / "_delta_log")
                with environment.use_environment(copy):
                    parts = tables.snapshot(name).parts
                for part in parts:
                    _link_file(source / name / part.path, folder / "lake" / name / part.path)
        if not store.is_ready():
            copy = replace(copy, database_url=f"sqlite:///{folder / 'records.sqlite'}")
            with environment.use_environment(copy):
                store.migrate()
        yield copy
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _link_file(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)
