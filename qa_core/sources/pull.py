"""Pulling of sources: each day is read to its end, compared with what the platform states, and
given to the import. A day is complete, or it has a gap that shows until it is filled.
"""

import csv
import hashlib
import json
import logging
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.base.progress import Stop
from qa_core.files import uploads
from qa_core.ingest import pipeline
from qa_core.ingest.load import layouts
from qa_core.ingest.reading.report import UNCONFIRMED, FileReport
from qa_core.sources import ledger, register
from qa_core.sources.ledger import WindowEntry
from qa_core.sources.protocol.declaration import (
    NONE,
    Page,
    SourceAccess,
    SourceFailed,
    SourcePlatform,
    Span,
)
from qa_core.sources.register import SourceEntry
from qa_core.storage import lake, system_errors
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.imports import ImportBatch

LOG = logging.getLogger("qa_core")
MAX_READINGS = 3
"""Readings of a span whose rows change meanwhile."""
LOOK_SECONDS = 20.0
"""Seconds between two looks of the worker for days that are due."""
MAX_TWINS = 0.05
"""Share of the contacts of a day that are in another system by accident."""
COUNTS = ("new", "updated", "unchanged", "rejected", "skipped")
Wait = Callable[[float], None]
Tell = Callable[[SourceEntry, WindowEntry], None]


@dataclass
class Fetched:
    """Result of reading a span: the files to import, and what was counted."""

    paths: Sequence[Path]
    fetched: int
    expected: int | None
    is_complete: bool
    keys: dict[str, int] = field(default_factory=dict)
    listing: list[Any] | None = None
    """Number and digest of the items that were listed and are all imported now."""


def pull(
    viewer: Viewer,
    names: Sequence[str] = (),
    first: date | None = None,
    last: date | None = None,
    dry_run: bool = False,
    wait: Wait = time.sleep,
) -> Iterator[tuple[SourceEntry, WindowEntry]]:
    """Read the days of sources that are due, or the days from `first` to `last`, and yield each
    with its outcome. With `dry_run` nothing is written. Needs MANAGE_IMPORTS. Raises Refusal
    for an unknown source, or one that another process reads.
    """
    viewer.require(Permission.MANAGE_IMPORTS)
    sources = [register.get(name) for name in names] or register.find_sources(viewer)
    for entry in sources:
        with lock(entry.name):
            is_whole = first is not None or last is not None
            chosen = _choose(entry, first, last, dry_run)
            while chosen:
                for window in chosen:
                    yield entry, _pull_window(viewer, entry, window, wait, is_whole, dry_run)
                chosen = ledger.find_overtaken(chosen[0]) if _overwrites(entry, dry_run) else ()


def _choose(
    entry: SourceEntry, first: date | None, last: date | None, dry_run: bool
) -> Sequence[WindowEntry]:
    """Choose the days to read, the newest first. Listed files are read from the oldest day on,
    since the rows of a later file overwrite what an earlier one brought.
    """
    order = -1 if entry.declared.find_items else 1
    today = environment.today()
    if first is None and last is None:
        if not dry_run:
            ledger.enter_days(entry)
            return ledger.find_due(entry.name)[::order]
        first = last = today
    first, last = first or last, min(last or today, today)
    if not dry_run:
        ledger.enter_days(entry, first, last)
        return ledger.find_days(entry.name, first, last)[::order]
    days = (last - timedelta(days=n) for n in range((last - first).days + 1))
    return [
        WindowEntry(0, entry.name, day, ledger.DUE, None, 0, None, None, {}, None, None)
        for day in days
    ][::order]


def _overwrites(entry: SourceEntry, dry_run: bool) -> bool:
    """Return whether an earlier day that is read again may overwrite what later days brought."""
    return entry.declared.find_items is not None and not dry_run


def test(viewer: Viewer, name: str, wait: Wait = time.sleep) -> Page:
    """Ask a source for yesterday, and return the first page with rows or a number; nothing is
    written. Needs MANAGE_IMPORTS. Raises Refusal where it does not answer as documented.
    """
    viewer.require(Permission.MANAGE_IMPORTS)
    entry = register.get(name)
    access = entry.open(wait)
    span = ledger.find_span(environment.today() - timedelta(days=1))
    try:
        if entry.declared.find_items is not None:
            items = entry.declared.find_items(access, span)
            with uploads.open_folder() as folder:
                entry.declared.fetch_items(access, dict(list(items.items())[:1]), folder)
            return Page([{"file": name} for name in items], len(items))
        return next(iter(entry.declared.read(access, span)), Page())
    except SourceFailed as failed:
        raise Refusal(
            "source_failed",
            "{name} could not be read. {reason}",
            name=name,
            reason=ledger.describe_cause(failed.cause),
        ) from None


def follow(viewer: Viewer, stop: Stop, tell: Tell, do_due: Callable[[], None]) -> None:
    """Read what is due until stopped; the day at work is finished first. `do_due` does what
    follows imports.
    """
    while not stop.is_set():
        for entry in _find_sources(viewer):
            try:
                has_read = False
                for source, window in pull(viewer, (entry.name,), wait=stop.wait):
                    tell(source, window)
                    has_read = True
                    if stop.is_set():
                        return
                if has_read:
                    do_due()
            except Exception as error:  # such as another process at the source: the rest goes on
                system_errors.log_failure(LOG, f"the pull of {entry.name}", error)
        stop.wait(LOOK_SECONDS)


def _find_sources(viewer: Viewer) -> list[SourceEntry]:
    try:
        return register.find_sources(viewer)
    except Exception as error:  # such as records that do not answer
        system_errors.log_failure(LOG, "the list of sources", error)
        return []


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Hold the right to read a source. Raises Refusal while another process has it; it is freed
    when its holder dies.
    """
    path = uploads.find_pulled_folder() / f"{name}.lock"
    with environment.lock(path, waits=False) as is_held:
        if not is_held:
            raise Refusal(
                "source_busy",
                "Another process is reading {name}. Stop it, or wait for it.",
                name=name,
            )
        yield


def _pull_window(
    viewer: Viewer,
    entry: SourceEntry,
    window: WindowEntry,
    wait: Wait,
    is_whole: bool,
    dry_run: bool,
) -> WindowEntry:
    """Read one day, import it, and note the outcome."""
    began_at, day, state_before = now(), window.span, window.state
    if not dry_run:
        window = ledger.begin(window)
    since, known = day.since, None
    if is_whole or window.read_at is None:
        pass
    elif entry.declared.find_items is not None:
        is_known = state_before in (ledger.OPEN, ledger.COMPLETE)
        known = window.counts.get("listing") if is_known else None
    elif began_at < day.until:
        since = max(day.since, window.read_at - entry.declared.overlap)
    span = Span(since, min(day.until, began_at))
    values: dict[str, Any] = {}
    try:
        with uploads.open_folder() as folder:
            fetched = _fetch(entry, entry.open(wait), span, folder, known)
            state, values = _import(viewer, entry, window, span, fetched, folder, dry_run)
    except SourceFailed as failed:
        state, values = ledger.FAILED, {"cause": failed.cause}
    except Exception as error:
        refusal = system_errors.find_refusal(error)
        system_errors.log_failure(LOG, f"the pull of {window.label}", error)
        state, values = ledger.FAILED, {"cause": refusal.code if refusal else "error"}
        if refusal is not None:
            values["counts"] = {"refused": ledger.keep_refusal(refusal)}
    values = {"fetched": None, "expected": None, "counts": {}} | values
    if state in (ledger.COMPLETE, ledger.READ) and began_at < day.until:
        state = ledger.OPEN
    if dry_run:
        return replace(window, state=state, read_at=began_at, **values)
    if state != ledger.WAITING:
        for kept in uploads.find_pulled_folder().glob(f"{entry.name}-{window.day}.*"):
            kept.unlink(missing_ok=True)
    # A reading that died, or one that a person confirmed, may have changed contacts too.
    was_cut = state_before in (ledger.READING, ledger.WAITING) and state != ledger.WAITING
    if was_cut and _overwrites(entry, dry_run):
        ledger.note_overtaken(window)
    return ledger.settle(window, entry.declared.settle, state, began_at, **values)


def _import(
    viewer: Viewer,
    entry: SourceEntry,
    window: WindowEntry,
    span: Span,
    fetched: Fetched,
    folder: Path,
    dry_run: bool,
) -> tuple[str, dict[str, Any]]:
    values: dict[str, Any] = {"fetched": fetched.fetched, "expected": fetched.expected}
    counts: Counter[str] = Counter()
    refused: dict[str, Any] = {}
    state, options = ledger.COMPLETE, entry.build_options(dry_run)
    if entry.declared.basis == NONE:
        state = ledger.READ
    if not fetched.is_complete:
        state = ledger.GAP
        values["cause"] = "changing" if fetched.fetched == fetched.expected else None
    for path in fetched.paths:
        is_ours = path.parent == folder
        name = window.label if is_ours else f"{window.label} {path.name}"
        report = pipeline.run_upload(viewer, entry.kind, path, name, options)
        if report.is_refused:
            is_open = report.verdict == "asks"
            state = ledger.WAITING if is_open else ledger.FAILED
            values["cause"] = report.refusal.code
            values["fetched"] -= 1 if not is_ours else fetched.fetched
            if not is_open:
                refused = {"refused": ledger.keep_refusal(report.refusal)}
            if is_open and not dry_run:
                _keep_waiting(entry, window, path, report, is_ours)
        else:
            counts.update({item: getattr(report.tally, item) for item in COUNTS})
    if counts["updated"] and _overwrites(entry, dry_run):
        ledger.note_overtaken(window)
    has_nothing_new = fetched.listing is not None and not fetched.paths
    details: dict[str, Any] = dict(window.counts if has_nothing_new else counts) | refused
    is_day = span == window.span and state in (ledger.COMPLETE, ledger.READ)
    if is_day and entry.kind == "contacts" and not dry_run:
        system = entry.system or entry.declared.profile
        known, details["doubled"] = lake.compare_system(system, span.since, span.until)
        if entry.declared.key is not None:
            details["gone"] = len(known - fetched.keys.keys())
    if fetched.listing is not None and state == ledger.COMPLETE:
        details["listing"] = fetched.listing
    return state, values | {"counts": details}


def _fetch(
    entry: SourceEntry,
    access: SourceAccess,
    span: Span,
    folder: Path,
    known: Sequence[Any] | None = None,
) -> Fetched:
    """Read a span into files of that folder; again while its rows change. `known`: the listing of
    the last reading. Raises SourceFailed.
    """
    declared = entry.declared
    if declared.find_items is not None:
        return _fetch_listed(declared, access, span, folder, known)
    is_table = declared.profile is None
    path = folder / ("rows.csv" if is_table else "rows.json")
    for _reading in range(MAX_READINGS):
        with path.open("w", encoding="utf-8", newline="") as file:
            write = _write_table(file) if is_table else _write_lines(file)
            totals, fetched, keys = _write_rows(declared.read(access, span), declared.key, write)
        if declared.basis == NONE:
            return Fetched([path] if fetched else [], fetched, None, True, keys)
        if not totals:
            raise SourceFailed("changed")
        if set(totals) == {fetched}:
            break
    return Fetched([path] if fetched else [], fetched, totals[-1], set(totals) == {fetched}, keys)


def _fetch_listed(
    declared: SourcePlatform,
    access: SourceAccess,
    span: Span,
    folder: Path,
    known: Sequence[Any] | None,
) -> Fetched:
    """Fetch everything that is listed; listed again where something of it is gone or changed
    meanwhile. What was listed once and never fetched is missing. Where the listing begins as
    the last one did, what follows is fetched alone.
    """
    listed: dict[str, str] = {}
    done: dict[str, str] = {}
    paths: dict[Path, None] = {}
    for _reading in range(MAX_READINGS):
        found = declared.find_items(access, span)
        first = list(found.items())[: known[0]] if known and not listed else []
        if first and _digest(first) == known:
            done |= first
        listed |= found
        wanted = {name: version for name, version in found.items() if done.get(name) != version}
        files, fetched = declared.fetch_items(access, wanted, folder)
        paths |= dict.fromkeys(files)
        done |= {name: wanted[name] for name in fetched}
        if fetched == wanted.keys():
            break
    missing = sum(done.get(name) != version for name, version in listed.items())
    count = len(listed)
    listing = _digest(list(found.items()))
    return Fetched(list(paths), count - missing, count, not missing, listing=listing)


def _digest(items: Sequence[tuple[str, str]]) -> list[Any]:
    return [len(items), hashlib.sha256(repr(items).encode()).hexdigest()]


def _write_rows(
    pages: Iterator[Page], key: str | None, write: Callable[[Any], None]
) -> tuple[list[int], int, dict[str, int]]:
    """Write the rows of the pages, each version of a row once. Returns the numbers that the
    platform stated, the number of different rows, and their keys.
    """
    totals, count, keys = [], 0, {}
    for page in pages:
        if page.total is not None:
            totals.append(page.total)
        for row in page.rows:
            if key is None:
                count += 1
            else:
                if not isinstance(row, dict) or row.get(key) in (None, ""):
                    raise SourceFailed("changed")
                name, version = str(row[key]), hash(json.dumps(row, sort_keys=True))
                if keys.get(name) == version:
                    continue
                keys[name] = version
            write(row)
    return totals, len(keys) if key else count, keys


def _write_lines(file: Any) -> Callable[[Any], None]:
    return lambda row: file.write(json.dumps(row, ensure_ascii=False) + "\n") and None


def _write_table(file: Any) -> Callable[[Any], None]:
    writer = csv.writer(file)

    def write(row: Any) -> None:
        if not file.tell():
            writer.writerow(row)
        writer.writerow(row.values())

    return write


def _keep_waiting(
    entry: SourceEntry, window: WindowEntry, path: Path, report: FileReport, is_ours: bool
) -> None:
    """Keep what was read for the person who confirms how it is read, and name it on Imports."""
    if is_ours:
        kept = uploads.find_pulled_folder() / f"{entry.name}-{window.day}{path.suffix}"
        shutil.move(path, kept)
        os.chmod(kept, 0o600)
        path = kept
    if report.refusal.code == UNCONFIRMED:
        options = entry.build_options()
        named = {"profile": options.profile, "system": options.system, "timezone": options.timezone}
        words = (f" --{name} {value}" for name, value in named.items() if value)
        layouts.note_printed(report.reading, waiting="".join((str(path), *words)))


def undo(viewer: Viewer, number: int) -> int:
    """Undo everything that a day brought, the last import first; it is read again only on
    request. Returns the number of imports. Needs MANAGE_IMPORTS. Raises Refusal where a later
    import changed the same rows.
    """
    viewer.require(Permission.MANAGE_IMPORTS)
    window = ledger.get_window(viewer, number)
    with lock(window.source):
        batches = _find_batches(window)
        ledger.fill(viewer, number)  # undone in part, it is read again
        for batch in batches:
            pipeline.undo(viewer, batch)
        ledger.note_undone(viewer, number)
    return len(batches)


def _find_batches(window: WindowEntry) -> list[str]:
    name = ImportBatch.file_name
    kept = f"{window.source}-{window.day}"  # one that somebody confirmed
    mine = sa.or_(
        name == window.label,
        name.startswith(f"{window.label} ", autoescape=True),
        name.in_((f"{kept}.json", f"{kept}.csv")),
    )
    newest_first = ImportBatch.started_at.desc(), ImportBatch.id.desc()
    with store.reading() as session:
        found = sa.select(ImportBatch.id).where(mine, ImportBatch.state == "done")
        return list(session.scalars(found.order_by(*newest_first)))


def find_doubled(windows: Sequence[WindowEntry]) -> list[str]:
    """List other systems that have many contacts of these days too, at the same second with the
    same customer: a tool under two names counts each contact twice.
    """
    return sorted(
        {
            system
            for window in windows
            for system, count in window.counts.get("doubled", {}).items()
            if window.fetched and count > MAX_TWINS * window.fetched
        }
    )


def describe_doubled(source: str, system: str) -> str:
    """Warn of one tool that comes under two names."""
    return _(
        "{system} and the source {source} have the same contacts. Each counts twice: undo one.",
        system=system,
        source=source,
    )
