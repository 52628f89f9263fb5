"""What the tests of platforms share: a file of our own making, staged as an import
would stage it, its rows by contact.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from qa_core.files.options import ImportOptions
from qa_core.ingest.reading import table_reader
from qa_core.ingest.staging.staged import Staged


def stage(
    folder: Path,
    name: str,
    content: str | bytes | list | dict,
    kind: str = "contacts",
    **options: Any,
) -> tuple[Staged, list[dict[str, Any]]]:
    """Write a file, read it, hold it to the accounting identity; returns what was
    staged and its rows in the order of the file.
    """
    path = folder / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(
            content if isinstance(content, str) else json.dumps(content), encoding="utf-8"
        )
    staged = table_reader.stage(path, kind, ImportOptions(**options))
    try:
        staged.tally.require_identity(name, pending=staged.accepted)
        assert staged.tally.rejected == pq.read_metadata(staged.rejected_rows).num_rows
        rows = pq.read_table(staged.rows).sort_by("line").to_pylist()
        assert len(rows) == staged.accepted
        return staged, rows
    finally:
        staged.discard()


def pick(rows: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    """Some columns of the rows."""
    return [tuple(row.get(name) for name in names) for row in rows]
