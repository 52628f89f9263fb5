"""Traces of a customer in the files of a centre."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import duckdb
import pytest

from qa_core.access.roles import Viewer
from qa_core.storage.lake import maintenance
from qa_core.upkeep import erasure

ANN, BOB = "0612345601", "0612345602"
CALLS = f"""contact_id,ticket,started_at,customer,outcome,queue
C1,T1,2026-03-02 09:00:00,{ANN},answered,Sales
C2,T2,2026-03-02 09:05:00,{BOB},answered,Sales
C3,T3,2026-03-05 09:10:00,{ANN},abandoned,Sales
"""


def find_traces(centre: Path, key: str) -> list[str]:
    """The files of the centre in which the key stands, Parquet read cell by cell and
    all others as they are.
    """
    found = []
    for path in sorted(path for path in centre.rglob("*") if path.is_file()):
        if path.suffix == ".parquet":
            here = path.stat()
            is_there = key in _read_cells(path, (here.st_ino, here.st_size, here.st_mtime_ns))
        else:
            is_there = key.encode() in path.read_bytes()
        found += [str(path.relative_to(centre))] if is_there else []
    return found


@functools.lru_cache(maxsize=500)
def _read_cells(path: Path, _written: tuple[int, ...]) -> str:
    """Read all cells of a Parquet file, which are asked for one word after the other."""
    cells = f"SELECT CAST(r AS VARCHAR) FROM read_parquet('{path}') r"
    return "\n".join(row for (row,) in _connect().execute(cells).fetchall())


@functools.cache
def _connect() -> duckdb.DuckDBPyConnection:
    """Open one database for all files: making one takes longer than reading a small file."""
    return duckdb.connect(config={"threads": 1, "enable_external_file_cache": False})


def forget(key: str, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, int]:
    """Erase a customer, as if the ten minutes for readers had passed."""
    monkeypatch.setattr(maintenance, "READER_SECONDS", 0)
    return erasure.erase(Viewer.SYSTEM, "customer", key).counts
