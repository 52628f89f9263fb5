"""Cached results of a question over a whole month, or over the days of one data file: one
file per result, beside the contacts, valid until a commit changes one of these days.
"""

import functools
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc

from qa_core.storage.lake import tables

Days = tuple[date, date]
"""First and last day, both included."""

MAX_FILES = 50_000
MAX_MAPPED = 2_000
UNUSED_DAYS = 40
"""Days after which sums that nobody asked for again are deleted."""


_stand_in: ContextVar[Path | None] = ContextVar("stand_in", default=None)


def folder() -> Path:
    return _stand_in.get() or tables.lake_folder() / "sums"


@contextmanager
def use_folder(path: Path) -> Iterator[None]:
    """Make this thread keep its sums there, and find none of the others."""
    token = _stand_in.set(path)
    try:
        yield
    finally:
        _stand_in.reset(token)


def list_spans(contacts: tables.Snapshot, month: Days) -> list[Days]:
    """List the days of a whole month by the files that they lie in; one span where that is
    not known. A change of few contacts leaves the sums of the other spans.
    """
    first, last = month
    parts = contacts.parts_of(f"{first:%Y-%m}")
    starts = sorted({first, *(part.days[0] for part in parts[1:])})
    ends = [start - timedelta(days=1) for start in starts[1:]]
    return list(zip(starts, [*ends, last], strict=True))


def read(days: Days, key: str) -> pa.Table | None:
    """Read the sums of these days; None where there are none."""
    path = str(_folder_of(days) / key)
    try:
        os.utime(path)
        return _map(path)
    except (OSError, pa.ArrowInvalid):
        return None


@functools.lru_cache(maxsize=MAX_MAPPED)
def _map(path: str) -> pa.Table:
    """Map a file of sums into memory. Its name tells what is in it."""
    with pa.memory_map(path) as source:
        return pa.ipc.open_file(source).read_all()


def write(days: Days, key: str, sums: pa.Table) -> None:
    """Keep the sums of these days. Where that fails they are computed again next time."""
    path = _folder_of(days) / key
    part = path.with_name(f"{key}.{uuid.uuid4().hex}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with pa.OSFile(str(part), "wb") as file, pa.ipc.new_file(file, sums.schema) as writer:
            writer.write_table(sums)
        part.replace(path)


def _folder_of(days: Days) -> Path:
    return folder() / "_".join(map(str, days))


def forget_changed(base: tables.Snapshot) -> None:
    """Delete the sums of all days that lie in other files now than in that version."""
    changed = set(base.parts) ^ set(tables.snapshot("contacts").parts)
    for path in folder().glob("*"):
        try:
            first, last = map(date.fromisoformat, path.name.split("_"))
        except ValueError:  # of an earlier version
            shutil.rmtree(path, ignore_errors=True)
            continue
        if any(part.overlaps(first, last) for part in changed):
            shutil.rmtree(path, ignore_errors=True)


def forget() -> None:
    shutil.rmtree(folder(), ignore_errors=True)


def tidy() -> None:
    """Delete sums that nobody asked for lately, and the oldest beyond `MAX_FILES`."""
    files = {}
    for path in folder().glob("*/*"):
        with suppress(OSError):
            files[path] = path.stat().st_mtime
    newest_first = sorted(files, key=files.get, reverse=True)
    oldest = time.time() - UNUSED_DAYS * 86_400
    for position, path in enumerate(newest_first):
        if position >= MAX_FILES or files[path] < oldest:
            path.unlink(missing_ok=True)
