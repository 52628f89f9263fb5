"""Dry run of an import: its rows before and after, overlaps, clock changes, figures."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import duckdb

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.ingest.reading.examination import (
    ClockHour,
    Examination,
    FigureEffect,
    Overlap,
)
from qa_core.ingest.reading.reading import FREE_TEXT, find_days, find_rows
from qa_core.ingest.staging.staged import Staged
from qa_core.metrics import query
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

Merge = Callable[[], lake.MergeResult]
"""Merge of the import into the lake."""


def examine(
    connection: duckdb.DuckDBPyConnection, staged: Staged, merge: Merge | None = None
) -> Examination:
    """Examine `staged` beside the facts of `connection`; `merge` is tried on a copy of the lake."""
    first, last = find_days(connection, staged)
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
    return f"SELECT DISTINCT {staged.select_system()} FROM staged"


def measure_effects(merge: Merge) -> tuple[FigureEffect, ...]:
    """Measure headline figures of the days that the import touches, before and after,
    on a copy of the lake. Reads totals of the centre as the system, for any importer.
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
    folder = Path(tempfile.mkdtemp(prefix=f"{lake.TRIAL}-{environment.name_process()}-"))
    try:
        # No cluster sees the copy.
        lake_url = str(folder / "lake")
        copy = replace(here, folder=folder, lake_url=lake_url, engine_url=environment.DUCKDB)
        if environment.find_drill_file(here).exists():
            environment.find_drill_file(copy).touch()
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
