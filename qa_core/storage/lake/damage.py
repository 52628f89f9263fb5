"""Damage of the lake: files of the current version that are missing or changed."""

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from qa_core.base.errors import Refusal
from qa_core.storage.lake import tables
from qa_core.storage.lake.tables import Part, Snapshot

_NAMED = re.compile(r'"([^"]+\.parquet)"')
_DIGEST = re.compile(r"-([0-9a-f]{64})\.parquet$")


@dataclass(frozen=True)
class Damage:
    """File of the lake that is not what was written. `month`: YYYY-MM."""

    table: str
    month: str
    path: str


def find_damage(deep: bool = False, names: Sequence[str] = tuple(tables.TABLES)) -> list[Damage]:
    """Find the damaged files of the current versions: those missing or of another size.

    With `deep` each file is read: its digest has to be the one in its name. Files that
    another writer named have none; they have to be readable to the end.
    """
    return [
        Damage(name, part.month, part.path)
        for name in names
        for snapshot in [tables.snapshot(name)]
        for part in snapshot.parts
        if _is_damaged(snapshot, part, deep)
    ]


@contextmanager
def explaining_damage(*names: str) -> Iterator[None]:
    """Turn an error of the block into a Refusal that names the damaged file, if there is one
    in these tables (none named: in any).
    """
    import duckdb

    try:
        yield
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        damaged_files = find_damage(deep=True, names=names or tuple(tables.TABLES))
        if not damaged_files:
            raise
        raise Refusal(
            "lake_damaged",
            "A file of {month} in the lake is missing or damaged: {table}/{path}. Other "
            "months can be used. Restore the lake from a backup.",
            ("python -m qa_core doctor --deep",),
            month=damaged_files[0].month,
            table=damaged_files[0].table,
            path=damaged_files[0].path,
        ) from error


def find_strays(before: float) -> list[Path]:
    """Find the files in the lake's folder that no log of a table names, from before that
    moment (seconds). Nothing reads them, and no deletion reaches them.
    """
    folder = tables.lake_folder()
    known = {
        folder / place / unquote(name)
        for entry in folder.glob("*/_delta_log/*.json")
        for name in _NAMED.findall(entry.read_text(encoding="utf-8"))
        for place in (entry.parent.parent.name, "undo")
    }
    own = [folder / "sums", *(folder / name / "_delta_log" for name in tables.TABLES)]
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path not in known
        and not path.name.endswith(".lock")
        and not any(map(path.is_relative_to, own))
        and path.stat().st_mtime < before
    ]


def _is_damaged(snapshot: Snapshot, part: Part, deep: bool) -> bool:
    file = snapshot.folder / part.path
    try:
        if file.stat().st_size != part.size:
            return True
        if not deep:
            return False
        if digest := _DIGEST.search(part.path):
            with file.open("rb") as content:
                return hashlib.file_digest(content, "sha256").hexdigest() != digest[1]
        with pq.ParquetFile(file) as content:
            for group in range(content.num_row_groups):
                content.read_row_group(group)
        return False
    except (OSError, pa.ArrowException):
        return True
