"""Merges of rows into the facts: new keys are added, known keys take the columns of the
file, equal rows change nothing.
"""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import pyarrow as pa
from deltalake.transaction import Transaction

from qa_core.base import environment
from qa_core.base.progress import Progress, ignore_progress
from qa_core.storage.lake import tables
from qa_core.storage.lake.before_images import (
    LOADED,
    current_commits,
    image_folder,
    last_transaction,
)
from qa_core.storage.lake.maintenance import vacuum
from qa_core.storage.lake.neighbours import INPUTS
from qa_core.storage.lake.rewrite import Rewrite, commit_with_retries

Rows = Path | str | pa.Table | pa.RecordBatchReader


COMMITS_BETWEEN_VACUUMS = 10
"""Commits between two vacuums: each commit leaves the months it replaced behind."""


@dataclass(frozen=True)
class MergeResult:
    """Result of a merge. `missing`: keys that are not in the lake, where none may be
    created. Days cover the updated and the new rows, before and after.
    """

    new: int = 0
    updated: int = 0
    unchanged: int = 0
    missing: int = 0
    first_day: date | None = None
    last_day: date | None = None


def merge_contacts(
    rows: Rows,
    columns: Sequence[str],
    batch_id: str,
    create: bool = True,
    progress: Progress = ignore_progress,
    for_new: Sequence[str] = (),
    is_derived: bool = False,
    keys_absent_at_version: int | None = None,
) -> MergeResult:
    """Merge contacts, one row per key, in one commit, neighbours included.

    `columns` replace what is stored, null included; others keep their value. With
    `create` the rows hold `started_at`, `local_start` and `month` too, and a changed
    row takes this batch's id. Without, only known keys change and their batch stays. A
    contact whose start changes moves to its month. Only new contacts take the columns
    `for_new`, such as defaults. A change that `is_derived` follows from what is stored:
    it cannot be undone by itself, and blocks no other batch. `keys_absent_at_version`: a
    version known to hold none of the keys; while it is current, no key is looked up.
    """
    always = ("started_at", "local_start", "month") if create else ()
    return _merge(
        "contacts",
        rows,
        tuple(dict.fromkeys((*always, *columns))),
        batch_id,
        create,
        progress,
        tuple(for_new),
        is_derived,
        keys_absent_at_version,
    )


def merge_spend(rows: Rows, batch_id: str, progress: Progress = ignore_progress) -> MergeResult:
    """Merge amounts, one row per day, source, medium, campaign and currency; a known
    key takes the new amount.
    """
    return _merge("spend", rows, ("month", "amount"), batch_id, True, progress)


def merge_intervals(
    rows: Rows, columns: Sequence[str], batch_id: str, progress: Progress = ignore_progress
) -> MergeResult:
    """Merge totals, one row per start, length, queue, channel, team and system; a known
    key takes the columns of the file. The rows hold `local_start` and `month` too.
    """
    return _merge(
        "intervals",
        rows,
        tuple(dict.fromkeys(("local_start", "month", *columns))),
        batch_id,
        True,
        progress,
    )


def has_commit(batch_id: str) -> bool:
    """Return whether rows of that batch are in the lake: it landed and was not undone."""
    return any(
        last_transaction(tables.snapshot(name), batch_id) == LOADED for name in tables.TABLES
    )


def commit_result(batch_id: str) -> MergeResult | None:
    """Read the result of the first commit of a batch in the lake, for an import killed
    before noting it; None when there is none.
    """
    for name in tables.TABLES:
        base = tables.snapshot(name)
        if last_transaction(base, batch_id) == LOADED:
            counts = next(
                entry["result"] for entry in current_commits(base) if entry["batch_id"] == batch_id
            )
            return MergeResult(
                **{
                    **counts,
                    **{
                        day: date.fromisoformat(counts[day]) if counts[day] else None
                        for day in ("first_day", "last_day")
                    },
                }
            )
    return None


def _merge(
    name: str,
    rows: Rows,
    columns: tuple[str, ...],
    batch_id: str,
    create: bool,
    progress: Progress,
    for_new: tuple[str, ...] = (),
    is_derived: bool = False,
    keys_absent_at_version: int | None = None,
) -> MergeResult:
    unknown = {*columns, *for_new} - set(tables.columns_of(name))
    if unknown:
        raise ValueError(f"{name} has no column {', '.join(sorted(unknown))}")
    written = (*columns, "batch_id") if create else columns
    with _spool(rows) as source:
        result = commit_with_retries(
            name,
            lambda connection, base: _attempt(
                Rewrite(connection, base, written, progress, for_new=for_new),
                source,
                columns,
                batch_id,
                create,
                is_derived,
                [] if base.version == keys_absent_at_version else base.files(),
            ),
            _count_rows(source),
        )
    if tables.version(name) % COMMITS_BETWEEN_VACUUMS == 0:
        vacuum()
    return result


def _attempt(
    rewrite: Rewrite,
    source: Path | pa.Table,
    columns: tuple[str, ...],
    batch_id: str,
    create: bool,
    is_derived: bool,
    files: Sequence[str],
) -> MergeResult:
    """Merge the rows; `files` are those in which their keys may be stored."""
    _make_incoming(rewrite, source, (*columns, *rewrite.for_new), batch_id)
    stored = tables.select_from_files(rewrite.base.name, files)
    rewrite.connection.execute(f"CREATE TEMP VIEW stored AS {stored}")
    _classify_rows(rewrite, columns, create)
    result = _count(rewrite)
    # A batch that changes nothing is committed too, so that it is known to have been
    # seen.
    metadata = {"undo": [] if is_derived else _keep_before_image(rewrite, result)}
    counts = {
        **asdict(result),
        "first_day": str(result.first_day or ""),
        "last_day": str(result.last_day or ""),
    }
    rewrite.run(
        [Transaction(batch_id, LOADED)], {"batch_id": batch_id, "result": counts, **metadata}
    )
    return result


def _make_incoming(
    rewrite: Rewrite, source: Path | pa.Table, columns: Sequence[str], batch_id: str
) -> None:
    name, connection = rewrite.base.name, rewrite.connection
    if isinstance(source, Path):
        relation = f"read_parquet({tables.quote(str(source))})"
    else:
        connection.register("given", source)
        relation = "given"
    declared_columns = tables.TABLES[name].columns
    select_list = ", ".join(
        f'CAST("{column}" AS {tables.sql_type(declared_columns[column])}) AS "{column}"'
        for column in dict.fromkeys((*rewrite.key, *columns))
    )
    connection.execute(
        f"CREATE TEMP VIEW incoming AS SELECT {select_list}, {tables.quote(batch_id)} AS batch_id "
        f"FROM {relation}"
    )
    twice = connection.execute(
        f"SELECT {rewrite.list_key('i')} FROM incoming i GROUP BY ALL HAVING count(*) > 1 LIMIT 1"
    ).fetchone()
    if twice:
        raise ValueError(f"two rows for one key of {name}")


def _classify_rows(rewrite: Rewrite, columns: Sequence[str], create: bool) -> None:
    """Decide for each incoming row: new, changed, unchanged, or missing."""
    name = rewrite.base.name
    clock = "day" if name == "spend" else "local_start"
    has_clock = clock in columns or clock in rewrite.key
    sort = tables.CLOCKS[name]
    new_sort = f"i.{sort}" if sort in columns or sort in rewrite.key else f"s.{sort}"
    differs = " OR ".join(f'i."{column}" IS DISTINCT FROM s."{column}"' for column in columns)
    new_month = "i.month" if "month" in columns else "s.month"
    day = f"CAST({f'i.{clock}' if has_clock else f's.{clock}'} AS DATE)"
    status = (
        f"CASE WHEN s.month IS NULL THEN '{'new' if create else 'missing'}' WHEN "
        f"{differs} THEN 'changed' ELSE 'unchanged' END"
    )
    customers = _list_customers(rewrite) if name == "contacts" and not rewrite.starts_empty else ""
    rewrite.connection.execute(f"""
        CREATE TEMP TABLE row_status AS
        SELECT {rewrite.list_key("i")}, s.month AS old_month, {new_month} AS new_month,
            s.{sort} AS old_clock, {new_sort} AS new_clock, {status} AS status,
            least({day}, CAST(s.{clock} AS DATE)) AS first_day, greatest({day},
                CAST(s.{clock} AS DATE)) AS last_day{customers}
        FROM incoming i LEFT JOIN stored s ON {rewrite.match("i", "s")}
    """)


def _list_customers(rewrite: Rewrite) -> str:
    """List the columns of `row_status` with the customers whose neighbours may change: of new
    rows, and of rows with a changed input of the neighbours.
    """
    touches = (
        " OR ".join(
            f'i."{name}" IS DISTINCT FROM s."{name}"' for name in INPUTS if name in rewrite.columns
        )
        or "false"
    )
    columns = []
    for title, name in (("customer", "customer_key"), ("start", "started_at")):
        after = f'i."{name}"' if name in rewrite.columns else f's."{name}"'
        columns.append(
            f'CASE WHEN s.month IS NOT NULL AND ({touches}) THEN s."{name}" END AS before_{title}'
        )
        columns.append(
            f"CASE WHEN s.month IS NULL THEN {rewrite.select_new(name)} WHEN {touches} THEN "
            f"{after} END AS after_{title}"
        )
    return ", " + ", ".join(columns)


def _count(rewrite: Rewrite) -> MergeResult:
    counts = dict.fromkeys(("new", "changed", "unchanged", "missing"), 0)
    first = last = None
    for status, number, least, greatest in rewrite.connection.execute(
        "SELECT status, count(*), min(first_day), max(last_day) FROM row_status GROUP BY status"
    ).fetchall():
        counts[status] = number
        if status != "missing" and least:
            first, last = min(first or least, least), max(last or greatest, greatest)
    rewrite.connection.execute("DELETE FROM row_status WHERE status IN ('unchanged', 'missing')")
    return MergeResult(
        counts["new"], counts["changed"], counts["unchanged"], counts["missing"], first, last
    )


def _keep_before_image(rewrite: Rewrite, result: MergeResult) -> list[str]:
    """Keep what the batch is about to replace, and the keys that it adds, for undoing.
    Returns the names of the files.
    """
    image_folder().mkdir(parents=True, exist_ok=True)
    select = {
        "changed": "SELECT s.* FROM stored s SEMI JOIN (SELECT * FROM row_status WHERE status = "
        f"'changed') f ON {rewrite.match('s', 'f')}",
        "new": f"SELECT {rewrite.list_key('f')} FROM row_status f WHERE status = 'new'",
    }
    kinds = [status for status, rows in (("changed", result.updated), ("new", result.new)) if rows]
    names = {status: f"{rewrite.base.name}-{uuid.uuid4().hex}-{status}.parquet" for status in kinds}
    for status, name in names.items():
        rewrite.connection.execute(
            f"COPY ({select[status]}) TO {tables.quote(str(image_folder() / name))} (FORMAT "
            "parquet, COMPRESSION zstd)"
        )
    for path in (*(image_folder() / name for name in names.values()), image_folder()):
        environment.sync(path)
    return list(names.values())


def _count_rows(source: Path | pa.Table) -> int:
    import pyarrow.parquet

    return (
        source.num_rows
        if isinstance(source, pa.Table)
        else pyarrow.parquet.read_metadata(source).num_rows
    )


@contextmanager
def _spool(rows: Rows) -> Iterator[Path | pa.Table]:
    """Return the rows in a form that can be read several times: a stream goes through a
    temporary file.
    """
    if isinstance(rows, (str, Path)):
        yield Path(rows)
        return
    if isinstance(rows, pa.Table):
        yield rows
        return
    import pyarrow.parquet

    with tables.scratch_folder() as folder:
        spool = folder / "rows.parquet"
        with pyarrow.parquet.ParquetWriter(spool, rows.schema, compression="zstd") as writer:
            for batch in rows:
                writer.write_batch(batch)
        yield spool
