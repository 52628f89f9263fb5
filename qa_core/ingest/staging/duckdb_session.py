"""DuckDB connection over one staged file and the facts in the lake, in which rows are
numbered, compared and joined before the commit.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from qa_core.ingest.staging.staged import Staged
from qa_core.storage import lake
from qa_core.storage.facts.schema import CONTACT_KEY
from qa_core.storage.lake import tables


@dataclass(frozen=True)
class PreparedRows:
    """Rows ready to merge, one per contact or interval: the columns that the file carries,
    and those that only a new contact gets. `duplicates`: other rows of the same ones.
    """

    path: Path
    rows: int
    carried: tuple[str, ...]
    for_new: tuple[str, ...] = ()
    duplicates: int = 0


def one_database(staged: Staged) -> AbstractContextManager[None]:
    """Let everything that the import of this file asks be of one database. It spills into
    the folder of the staged file.
    """
    rows = lake.snapshot("contacts").rows + staged.accepted
    return tables.one_database(rows, staged.folder / "spill", staged.accepted)


@contextmanager
def open_session(staged: Staged) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a connection with a view of the contacts and of the table that the file is for,
    and the view `staged`. It spills into the folder of the staged file, and writes nowhere else.
    """
    rows = f"read_parquet({tables.quote(str(staged.rows))})"
    others = {staged.kind} & tables.TABLES.keys()
    with lake.working(staged.accepted, staged.folder / "spill", others) as connection:
        connection.execute(f"CREATE TEMP VIEW staged AS SELECT * FROM {rows}")
        yield connection


def compare(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    path: Path,
    key: Sequence[str] = CONTACT_KEY,
    carried: Sequence[str] = (),
) -> lake.MergeResult:
    """Count what merging the Parquet rows at `path` would change, for a dry run."""
    same_key = " AND ".join(f'r."{name}" IS NOT DISTINCT FROM c."{name}"' for name in key)
    same_values = (
        " AND ".join(f'r."{name}" IS NOT DISTINCT FROM c."{name}"' for name in carried) or "true"
    )
    row = connection.execute(
        f"""
        SELECT count(*) FILTER (WHERE c.batch_id IS NULL),
            count(*) FILTER (WHERE c.batch_id IS NOT NULL AND NOT ({same_values})),
            count(*) FILTER (WHERE c.batch_id IS NOT NULL AND {same_values})
        FROM read_parquet({tables.quote(str(path))}) r LEFT JOIN {table} c ON {same_key}"""
    ).fetchone()
    return lake.MergeResult(*row)


def write_rows(connection: duckdb.DuckDBPyConnection, select: str, path: Path) -> int:
    """Write the result of a SELECT as Parquet; returns its number of rows."""
    return connection.execute(
        f"COPY ({select}) TO {tables.quote(str(path))} (FORMAT parquet, COMPRESSION snappy)"
    ).fetchone()[0]
