"""Rows that an import rejected, kept for correction: line, reason, and the row's cells
with identities masked, also inside of other cells.
"""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from qa_core.base import environment
from qa_core.base.environment import write_private
from qa_core.base.masking import mask_inside
from qa_core.ingest.staging.staged import Staged
from qa_core.metrics.downloads import escape

REJECTED_SCHEMA = pa.schema(
    [("line", pa.int64()), ("reason", pa.string()), ("cells", pa.list_(pa.string()))]
)
"""Schema of the rows that reading a file rejects."""

RejectedRow = tuple[int, str, dict[str, str]]
"""Line of the file, reason code, and cells by column of the file."""


def write(batch_id: str, staged: Staged, rejected_rows: Iterable[RejectedRow] = ()) -> Path | None:
    """Write the quarantine of a batch, readable by its owner alone; None when nothing
    was rejected.

    `rejected_rows`: rows rejected after they were read. A cell that a spreadsheet
    would run as a formula is written as text.
    """
    rows = _read_rejected(staged) + [
        (line, reason, [cells.get(name, "") for name in staged.headers])
        for line, reason, cells in rejected_rows
    ]
    if not rows:
        return None
    content = io.StringIO()
    writer = csv.writer(content)
    writer.writerow(["line", "reason", *map(escape, staged.headers)])
    for line, reason, cells in sorted(rows, key=lambda row: row[0]):
        writer.writerow([line, reason, *(escape(mask_inside(cell or "")) for cell in cells)])
    path = build_path(batch_id)
    path.unlink(missing_ok=True)
    write_private(path, content.getvalue().encode("utf-8"))
    return path


def write_rejected(
    writer: pq.ParquetWriter, rows: list[tuple[int, str, list[str]]], width: int
) -> None:
    """Write rows that reading a file rejects: line, reason and masked cells, as many as columns."""
    if rows:
        lines, reasons, cells = zip(*rows, strict=True)
        padded = [(row + [""] * width)[:width] for row in cells]
        table = pa.table([list(lines), list(reasons), padded], schema=REJECTED_SCHEMA)
        writer.write_table(table)


def build_path(batch_id: str) -> Path:
    """Build the path of that batch's quarantine, whether it exists or not."""
    return environment.current().folder / "quarantine" / f"{batch_id}.csv"


def read(path: Path, limit: int = 200) -> tuple[list[str], list[list[str]]]:
    """Read the header and the first rows of a quarantine."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        return header, [row for row, _position in zip(rows, range(limit), strict=False)]


def _read_rejected(staged: Staged) -> list[tuple[int, str, list[str]]]:
    if not staged.tally.rejected:
        return []
    table = pq.read_table(staged.rejected_rows)
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))
