"""DuckDB connections: one set of options, and a memory limit that grows with the rows."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from qa_core.base.errors import Refusal

if TYPE_CHECKING:
    import duckdb


MILLION = 1_000_000
MEGABYTES_PER_MILLION_ROWS = 50
"""Ten million contacts are imported, sorted and joined within it; within 300 MB they were not."""
MAX_THREADS = 4
_idle: dict[int, list[duckdb.DuckDBPyConnection]] = {}
"""Databases that nobody uses, by the process that opened them: a fork must not touch them."""


def connect(
    memory_limit: str, spill_folder: Path, threads: int = MAX_THREADS, preserve_order: bool = False
) -> duckdb.DuckDBPyConnection:
    """Open an empty in-memory database that spills into `spill_folder` and installs
    nothing.

    Without `preserve_order`, statements without ORDER BY return rows in any order and
    need less memory.
    """
    import duckdb  # what is published already is read without it

    connection = duckdb.connect(
        config={
            "memory_limit": memory_limit,
            "threads": _limit(threads),
            "temp_directory": str(spill_folder),
            "preserve_insertion_order": preserve_order,
            # Give freed memory back to the machine: by default up to 512 MB of it stay. With
            # less than 8 MB, a statement on few rows takes three times as long.
            "allocator_flush_threshold": "8MB",
            "allocator_bulk_deallocation_flush_threshold": "8MB",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    _set_options(connection)
    return connection


def _limit(threads: int) -> int:
    return min(threads, os.cpu_count() or 1)


@contextmanager
def borrow(
    memory_limit: str, spill_folder: Path, threads: int = MAX_THREADS
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Lend a connection as `connect` opens it, alone on its database. The database was
    another's before where one is idle, as making one takes twenty milliseconds: what is
    created and registered has to be temporary, and no setting may be changed.

    A database that has spilled, or in which something failed, is closed.
    """
    idle = _idle.setdefault(os.getpid(), [])
    database = None
    with suppress(IndexError):
        database = _prepare(idle.pop(), memory_limit, spill_folder, threads)
    database = database or connect(memory_limit, spill_folder, threads)
    is_clean = False
    try:
        with closing(database.cursor()) as connection:
            _set_options(connection)
            yield connection
        is_clean = True
    except Refusal:  # of what was asked for; nothing of the database failed
        is_clean = True
        raise
    finally:
        if is_clean and not spill_folder.exists() and not idle:
            database.execute("SET enable_external_file_cache = false")  # which empties it
            idle.append(database)
        else:
            database.close()


def _prepare(
    database: duckdb.DuckDBPyConnection, memory_limit: str, spill_folder: Path, threads: int
) -> duckdb.DuckDBPyConnection | None:
    """Set an idle database to these options; None if it takes them no more."""
    import duckdb

    with suppress(duckdb.Error):
        database.execute(f"SET memory_limit = '{memory_limit}'")
        database.execute(f"SET threads = {_limit(threads)}")
        database.execute("SET temp_directory = ?", [str(spill_folder)])
        database.execute("SET enable_external_file_cache = true")
        return database
    database.close()
    return None


def _set_options(connection: duckdb.DuckDBPyConnection) -> None:
    hide_progress(connection)
    connection.execute("SET parquet_metadata_cache = true")


def hide_progress(connection: duckdb.DuckDBPyConnection) -> None:
    """Show no progress: after two seconds it would write into what a command prints."""
    connection.execute("SET enable_progress_bar = false")


def memory_limit(rows: int, min_megabytes: int) -> str:
    """Compute DuckDB's memory limit for that many rows: `min_megabytes` up to two million
    rows, at most half of the machine.

    It grows by doublings of the rows, so that a growing lake rarely changes it.
    """
    rounded_rows = 2 * MILLION
    while rounded_rows < rows:
        rounded_rows *= 2
    megabytes = min_megabytes + MEGABYTES_PER_MILLION_ROWS * (rounded_rows // MILLION - 2)
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2 // MILLION
    return f"{max(min_megabytes, min(megabytes, half))}MB"
