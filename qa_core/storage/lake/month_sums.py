"""Sums of whole months, kept beside the contacts they were computed from: what a question
found in a month, as a file of its own, until a commit replaces the month.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc

from qa_core.storage.lake import tables

MOST_FILES = 50_000
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


def read(month: str, key: str) -> pa.Table | None:
    """Read the sums of a month; None where there are none."""
    path = folder() / month / key
    try:
        with pa.memory_map(str(path)) as source:
            found = pa.ipc.open_file(source).read_all()
        os.utime(path)
    except (OSError, pa.ArrowInvalid):
        return None
    return found


def write(month: str, key: str, sums: pa.Table) -> None:
    """Keep the sums of a month. Where that fails they are computed again next time."""
    path = folder() / month / key
    part = path.with_name(f"{key}.{uuid.uuid4().hex}")
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with pa.OSFile(str(part), "wb") as file, pa.ipc.new_file(file, sums.schema) as writer:
            writer.write_table(sums)
        part.replace(path)


def forget(months: Iterable[str] | None = None) -> None:
    """Delete the sums of these months (default: all), whose contacts change."""
    for path in [folder()] if months is None else [folder() / month for month in months]:
        shutil.rmtree(path, ignore_errors=True)


def tidy() -> None:
    """Delete sums that nobody asked for lately, and the oldest beyond `MOST_FILES`."""
    files = {}
    for path in folder().glob("*/*"):
        with suppress(OSError):
            files[path] = path.stat().st_mtime
    newest_first = sorted(files, key=files.get, reverse=True)
    oldest = time.time() - UNUSED_DAYS * 86_400
    for position, path in enumerate(newest_first):
        if position >= MOST_FILES or files[path] < oldest:
            path.unlink(missing_ok=True)
