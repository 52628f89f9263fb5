"""Delta tables as files: the current version, the writers' lock, and the one way to
commit. Readers see old or new, never half.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import operator
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import sqlalchemy as sa
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction, Transaction

from qa_core.base import declared, environment
from qa_core.base.errors import Refusal
from qa_core.storage.facts import duckdb_connection, schema
from qa_core.storage.facts.schema import CONTACTS, DERIVED, INTERVALS, SPEND, arrow_schema

if TYPE_CHECKING:
    import duckdb

TABLES: Mapping[str, sa.Table] = {table.name: table for table in (CONTACTS, SPEND, INTERVALS)}
MEANINGS = declared.read(schema.__file__)
"""Meaning of each table (`about`), and type and meaning of its `columns`."""
CLOCKS: Mapping[str, str] = {"contacts": "started_at", "spend": "day", "intervals": "started_at"}
"""Column each file is sorted by, so that a few days inside a month read little."""

LOCAL_CLOCK = "local_start"
"""Column of contacts that says the day, by the local clock."""

WAIT_SECONDS = 30 * 60
"""Seconds that a writer waits for another one: longer than the longest import."""

VERSIONS_READ = 1000
"""How many versions back somebody may still be reading."""

ROWS_PER_GROUP = 50_000
ROWS_PER_FILE = 50_000
"""A month of more than twice as many contacts is cut at its first change into files of so
many at least, each of whole days: the next change of few rows writes few.
"""
MEGABYTES = 320
FEW_ROWS = 100_000
"""New rows for which one thread does: several need more memory, and time to share so few."""
LOG_RETENTION = "interval 3650 days"
"""Retention of the log: it names the batch of each commit for undoing, and so outlives
every before-image.
"""

_LOG_FILE = re.compile(r"(\d{20})\.json")
_PART_FILE = re.compile(r"[\w.=%-]+/[\w.-]+\.parquet")
"""Path of a file of a table: in the folder of its month, and nowhere else."""
_LINEAGE = re.compile(r"/part-([0-9a-f]{32})-[0-9a-f]{64}\.parquet$")


@dataclass(frozen=True)
class Part:
    """Parquet file of a table, with the least and greatest value of its sort column. Where
    they are known, `first_day` and `last_day` bound its contacts by the local clock.
    """

    month: str
    path: str
    rows: int
    size: int
    first: datetime | None
    last: datetime | None
    first_day: date | None = None
    last_day: date | None = None

    def may_hold(self, first: datetime, last: datetime) -> bool:
        """Return whether rows may lie from `first` to `last` by the sort column."""
        begins, ends = self.first or datetime.min, self.last or datetime.max
        return begins <= last and first - timedelta(seconds=1) < ends  # fractions may be cut

    @property
    def days(self) -> tuple[date, date]:
        """Return the first and the last day that it can hold, at most its month."""
        if self.first_day and self.last_day:
            return self.first_day, self.last_day
        start = date.fromisoformat(f"{self.month}-01")
        return start, (start + timedelta(days=32)).replace(day=1) - timedelta(days=1)

    @property
    def lineage(self) -> int:
        """Return the number that a file hands on to those that replace it, where no figure
        changes.
        """
        named = _LINEAGE.search(self.path)
        return int(named[1] if named else hashlib.sha256(self.path.encode()).hexdigest()[:32], 16)

    def overlaps(self, first_day: date, last_day: date) -> bool:
        own_first, own_last = self.days
        return own_first <= last_day and first_day <= own_last


@dataclass(frozen=True)
class Snapshot:
    """Version of a table; -1 is a table that does not exist yet."""

    name: str
    folder: Path
    version: int = -1
    parts: tuple[Part, ...] = ()

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def months(self) -> frozenset[str]:
        return frozenset(part.month for part in self.parts)

    def files(
        self,
        first_month: str | None = None,
        last_month: str | None = None,
        months: Iterable[str] | None = None,
    ) -> list[str]:
        """List the files that hold those months (both inclusive; None is open), sorted
        by month.
        """
        month_set = None if months is None else frozenset(months)
        return [
            str(self.folder / part.path)
            for part in self.parts
            if (first_month is None or part.month >= first_month)
            and (last_month is None or part.month <= last_month)
            and (month_set is None or part.month in month_set)
        ]

    def parts_of(self, month: str) -> list[Part]:
        """List the parts of a month, the earliest first."""
        parts = [part for part in self.parts if part.month == month]
        return sorted(parts, key=lambda part: part.first or datetime.min)


def join_lineages(parts: Iterable[Part]) -> int:
    """Join the lineages of files; it stays while they are rewritten and no figure changes."""
    return functools.reduce(operator.xor, (part.lineage for part in parts), 0)


@dataclass
class Commit:
    """Files that one commit adds and removes, and its log entry."""

    adds: list[AddAction] = field(default_factory=list)
    removed: list[Part] = field(default_factory=list)
    transactions: list[Transaction] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)


def lake_folder() -> Path:
    return _resolve(environment.current().lake_url)


@functools.lru_cache(maxsize=8)
def _resolve(url: str) -> Path:
    return Path(url).resolve()


_database: ContextVar[duckdb.DuckDBPyConnection | None] = ContextVar("database", default=None)
_newest: dict[Path, tuple[int, tuple[int, int]]] = {}
_snapshots: dict[Path, tuple[tuple[int, tuple[int, int]], Snapshot]] = {}


def version(name: str) -> int:
    """Read the number of the current version, -1 when the table does not exist. A few
    system calls, so that every statement may ask.
    """
    return _find_newest(_table_folder(name))[0]


def snapshot(name: str) -> Snapshot:
    """Read the current version of the table with its files, once per version and process."""
    folder = _table_folder(name)
    newest = _find_newest(folder)
    if newest[0] < 0:
        return Snapshot(name, folder)
    cached = _snapshots.get(folder)
    if cached is None or cached[0] != newest:
        cached = (newest, _read_snapshot(name, folder, newest[0]))
        _snapshots[folder] = cached
    return cached[1]


def _table_folder(name: str) -> Path:
    return lake_folder() / TABLES[name].name


def _find_newest(folder: Path) -> tuple[int, tuple[int, int]]:
    """Find the newest version and the identity of its log entry: a lake that was
    removed and made again has another one.
    """
    log, newest = f"{folder}/_delta_log", _newest.get(folder)
    if newest and _identity(log, newest[0]) == newest[1]:
        while following := _identity(log, newest[0] + 1):
            newest = (newest[0] + 1, following)
    else:
        try:
            number = max(
                (
                    int(match[1])
                    for entry in os.scandir(log)
                    if (match := _LOG_FILE.fullmatch(entry.name))
                ),
                default=-1,
            )
        except FileNotFoundError:
            number = -1
        newest = (number, _identity(log, number) or (0, 0))
    _newest[folder] = newest
    return newest


def _identity(log: str, number: int) -> tuple[int, int] | None:
    try:
        status = os.stat(f"{log}/{number:020d}.json")
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def _read_snapshot(name: str, folder: Path, number: int) -> Snapshot:
    try:
        actions = pa.table(DeltaTable(folder, version=number).get_add_actions(flatten=True))
        rows = actions.to_pylist()
        if strays := [row["path"] for row in rows if not _PART_FILE.fullmatch(row["path"])]:
            raise DeltaError(strays[0])
    except (DeltaError, OSError) as error:
        raise Refusal(
            "lake_damaged",
            "The log of {table} in the lake cannot be read ({folder}). Restore the lake from a "
            "backup.",
            table=name,
            folder=str(folder),
        ) from error
    if not actions.num_rows:
        return Snapshot(name, folder, number)
    first, last = f"min.{CLOCKS[name]}", f"max.{CLOCKS[name]}"
    first_local, last_local = f"min.{LOCAL_CLOCK}", f"max.{LOCAL_CLOCK}"
    parts = [
        Part(
            row["partition.month"],
            row["path"],
            row["num_records"],
            row["size_bytes"],
            row.get(first),
            row.get(last),
            *(at and at.date() for at in (row.get(first_local), row.get(last_local))),
        )
        for row in rows
    ]
    return Snapshot(
        name, folder, number, tuple(sorted(parts, key=lambda part: (part.month, part.path)))
    )


@contextmanager
def writing(name: str) -> Iterator[None]:
    """Hold the lock of the writers of that table, across threads and processes; the
    system frees it when its holder dies.
    """
    lake_folder().mkdir(parents=True, exist_ok=True)
    with (lake_folder() / f".{name}.lock").open("w") as file:
        if not _lock_until(time.monotonic() + WAIT_SECONDS, file):
            raise build_busy()
        yield


def build_busy() -> Refusal:
    """Build what to tell while others hold the lake."""
    return Refusal("lake_busy", "Another program keeps changing the lake. Stop it, then try again.")


def _lock_until(deadline: float, file: IO[Any]) -> bool:
    """Lock a file for this process alone; return False where others hold it until that
    moment of the monotonic clock.
    """
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)


@contextmanager
def reading() -> Iterator[None]:
    """Say that the contacts are being read as they stand, so that `wait_for_readers`
    leaves the files of this version alone. It locks the version's log entry, and writes
    nothing.
    """
    while (number := version("contacts")) >= 0:
        with _log_entry(number).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            if number == version("contacts"):
                yield
                return
    yield


def wait_for_readers(seconds: float) -> None:
    """Wait until nobody reads an earlier version of the contacts, at most `seconds`."""
    deadline, newest = time.monotonic() + seconds, version("contacts")
    for number in range(max(newest - VERSIONS_READ, 0), newest):
        with suppress(FileNotFoundError), _log_entry(number).open("rb") as file:
            _lock_until(deadline, file)


def _log_entry(number: int) -> Path:
    return _table_folder("contacts") / "_delta_log" / f"{number:020d}.json"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a folder for a writer, removed at the end; its number tells whether its
    maker still lives.
    """
    name = f"lake-{environment.name_process()}-{uuid.uuid4().hex[:8]}"
    temporary = environment.current().temporary_folder / name
    temporary.mkdir(parents=True)
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def scratch(
    rows: int, spill_folder: Path | None = None, threads: int = duckdb_connection.MAX_THREADS
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a DuckDB connection for a writer of that many rows; it spills into
    `spill_folder`, by default a new folder. Inside `one_database` it belongs to that
    database.
    """
    database = _database.get()
    if database is not None:
        with closing(database.cursor()) as connection:
            duckdb_connection.hide_progress(connection)
            yield connection
        return
    limit = duckdb_connection.memory_limit(rows, MEGABYTES)
    with scratch_folder() if spill_folder is None else nullcontext(spill_folder) as temporary:
        spill_folder = spill_folder or temporary / "spill"
        with duckdb_connection.borrow(limit, spill_folder, threads) as connection:
            yield connection


@contextmanager
def one_database(rows: int, spill_folder: Path, new_rows: int) -> Iterator[None]:
    """Let every `scratch` inside be of one database, so that what it knows of the lake's
    files is read once. `rows`: as of the largest; `new_rows`: those that come in.
    """
    threads = 1 if new_rows <= FEW_ROWS else duckdb_connection.MAX_THREADS
    with scratch(rows, spill_folder, threads) as database:
        token = _database.set(database)
        try:
            yield
        finally:
            _database.reset(token)


def quote(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def columns_of(name: str) -> list[str]:
    """List the columns of the table, in their declared order."""
    return [column.name for column in TABLES[name].columns]


def sql_type(column: sa.Column) -> str:
    """Return DuckDB's type of a declared column."""
    return {
        sa.Text: "VARCHAR",
        sa.DateTime: "TIMESTAMP",
        sa.Date: "DATE",
        sa.Double: "DOUBLE",
        sa.Integer: "INTEGER",
        sa.BigInteger: "BIGINT",
        sa.Boolean: "BOOLEAN",
    }[type(column.type)]


def select_from_files(name: str, files: Sequence[str], places: str = "") -> str:
    """Write a SELECT of the whole table over those files; typed and empty without
    files. A column that was declared after a file was written is null in its rows.

    `places`: a relation of `filename` and `file_row_number`; only these rows are read.
    """
    if not files:
        return _select_from(name, frozenset(columns_of(name)), "") + " WHERE false"
    same_columns: dict[frozenset[str], list[str]] = {}
    for file in files:
        same_columns.setdefault(missing_in(name, file), []).append(file)
    placed = f" SEMI JOIN {places} USING (filename, file_row_number)" if places else ""
    return " UNION ALL ".join(
        _select_from(name, missing, f" FROM {read_files(some, bool(places))}{placed}")
        for missing, some in same_columns.items()
    )


def read_files(files: Sequence[str], with_places: bool = False) -> str:
    """Write the relation of Parquet files, if asked with the place of each row: `filename` and
    `file_row_number`.
    """
    listed = ", ".join(map(quote, files))
    options = ", filename = true, file_row_number = true" if with_places else ""
    return (
        f"read_parquet([{listed}], hive_partitioning = true, "
        f"hive_types = {{'month': VARCHAR}}{options})"
    )


def _select_from(name: str, missing: frozenset[str], relation: str) -> str:
    absent = {
        column.name: f"CAST(NULL AS {sql_type(column)})" for column in TABLES[name].columns
    } | (DERIVED.get(name, {}) if relation else {})
    columns = (
        f'{absent[column]} AS "{column}"' if column in missing else f'"{column}"'
        for column in columns_of(name)
    )
    return f"SELECT {', '.join(columns)}{relation}"


@functools.lru_cache(maxsize=20_000)  # a file of the lake never changes
def missing_in(name: str, file: str) -> frozenset[str]:
    """List the declared columns that a file lacks; its month is in its path."""
    import pyarrow.parquet

    return frozenset(columns_of(name)) - {"month", *pyarrow.parquet.read_schema(file).names}


def write_parts(
    connection: duckdb.DuckDBPyConnection,
    target: Snapshot,
    month: str,
    select: str,
    replaced: Sequence[Part] = (),
    new_rows: int = 0,
) -> list[AddAction]:
    """Write rows of one month as new files, not yet part of the table: one, or where many
    contacts change that were there, several of whole days. `replaced`: the parts whose rows
    they are, with so many new ones at most.
    """
    rows = sum(part.rows for part in replaced) + new_rows
    is_small = len(replaced) < 2 and rows <= 2 * ROWS_PER_FILE
    if target.name != "contacts" or not replaced or is_small:
        return _write_pieces(connection, target, month, [select])
    kept = [part for part in target.parts_of(month) if part not in replaced]
    starts = _find_first_days(connection, f"({select})", [part.first_day for part in kept])
    if len(starts) < 2:
        return _write_pieces(connection, target, month, [select])
    # On disk: in memory, the rows of a large month would be there twice.
    [spill] = connection.execute("SELECT current_setting('temp_directory')").fetchone()
    file = Path(spill).with_name(f"month-{uuid.uuid4().hex}.parquet")
    rows_of_month = f"SELECT * FROM read_parquet({quote(str(file))})"
    try:
        connection.execute(
            f"COPY ({select}) TO {quote(str(file))} "
            f"(FORMAT parquet, COMPRESSION lz4, ROW_GROUP_SIZE {ROWS_PER_GROUP // 5})"
        )
        pieces = []
        for day, following in pairwise([*starts, None]):
            end = f" AND {LOCAL_CLOCK} < DATE '{following}'" if following else ""
            pieces.append(f"{rows_of_month} WHERE {LOCAL_CLOCK} >= DATE '{day}'{end}")
        return _write_pieces(connection, target, month, pieces)
    finally:
        file.unlink(missing_ok=True)


def _write_pieces(
    connection: duckdb.DuckDBPyConnection,
    target: Snapshot,
    month: str,
    pieces: Sequence[str],
) -> list[AddAction]:
    """Write each piece of a month as a file."""
    adds = [write_part(connection, target, month, piece) for piece in pieces]
    return [add for add in adds if add]


def _find_first_days(
    connection: duckdb.DuckDBPyConnection, relation: str, kept: Sequence[date | None]
) -> list[date]:
    """Divide the days of these rows: find the first one of each file. A file ends before
    one that is `kept`, so that no two hold the same days.
    """
    days = connection.execute(
        f"SELECT CAST({LOCAL_CLOCK} AS DATE) AS day, count(*) FROM {relation} GROUP BY day "
        "ORDER BY day"
    ).fetchall()
    total = sum(rows for _day, rows in days)
    share = total / max(total // ROWS_PER_FILE, 1)
    starts: list[date] = []
    held = 0.0
    for day, rows in days:
        ends_before_kept = starts and any(d and starts[-1] < d <= day for d in kept)
        if not starts or ends_before_kept or held >= share:
            starts.append(day)
            held = max(held - share, 0.0)
        held += rows
    return starts


def write_part(
    connection: duckdb.DuckDBPyConnection,
    target: Snapshot,
    month: str,
    select: str,
    lineage: int | None = None,
) -> AddAction | None:
    """Write rows of one month as a new file, not yet part of the table; None when there
    are none. The name of the file holds its lineage (default: a new one) and its SHA-256.
    """
    derived = DERIVED.get(target.name, {})
    select_list = ", ".join(
        f'{derived[name]} AS "{name}"' if name in derived else f'"{name}"'
        for name in columns_of(target.name)
        if name != "month"
    )
    name = f"part-{uuid.uuid4().int if lineage is None else lineage:032x}"
    file = target.folder / f"month={month}" / f"{name}.parquet"
    file.parent.mkdir(parents=True, exist_ok=True)
    clock = CLOCKS[target.name]
    statistics = connection.execute(
        f"COPY (SELECT {select_list} FROM ({select}) ORDER BY {clock}) TO {quote(str(file))} "
        f"(FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE {ROWS_PER_GROUP}, "
        "RETURN_STATS true)"
    ).fetchone()
    rows = statistics[1] if statistics else 0
    if not rows:
        file.unlink(missing_ok=True)
        return None
    with file.open("rb") as content:
        digest = hashlib.file_digest(content, "sha256").hexdigest()
    file = file.rename(file.with_name(f"{name}-{digest}.parquet"))
    status = file.stat()
    clocks = (clock, LOCAL_CLOCK) if target.name == "contacts" else (clock,)
    least, greatest = (
        {name: statistics[4][f'"{name}"'][end].replace(" ", "T") for name in clocks}
        for end in ("min", "max")
    )
    content = {
        "numRecords": rows,
        "minValues": least,
        "maxValues": greatest,
        "nullCount": dict.fromkeys(clocks, 0),
    }
    return AddAction(
        str(file.relative_to(target.folder)),
        status.st_size,
        {"month": month},
        int(status.st_mtime * 1000),
        True,
        json.dumps(content),
    )


def commit(base: Snapshot, change: Commit) -> int:
    """Make the change the next version, atomically. Raises CommitFailedError when
    somebody committed since `base`.

    Delta itself would accept two appends of the same new contact, so any commit in
    between makes us start again.
    """
    if base.version < 0:
        _create(base)
    table = DeltaTable(base.folder)
    if table.version() != max(base.version, 0):
        raise CommitFailedError("the table moved on")
    _add_new_columns(base.name, table)
    _make_durable(base, change.adds)
    now = int(time.time() * 1000)
    removals = [
        RemoveAction(part.path, True, now, part.size, {"month": part.month})
        for part in change.removed
    ]
    table.create_write_transaction(
        [*change.adds, *removals],
        "append",
        arrow_schema(TABLES[base.name]),
        partition_by=["month"],
        commit_properties=CommitProperties(
            custom_metadata=change.metadata,
            max_commit_retries=0,
            app_transactions=change.transactions,
        ),
    )
    number = version(base.name)
    log = base.folder / "_delta_log"
    entries = [
        path for other in range(base.version + 1, number + 1) for path in log.glob(f"{other:020d}*")
    ]
    for path in (*entries, *log.glob("_last_checkpoint"), log):
        environment.sync(path)
    return number


def _add_new_columns(name: str, table: DeltaTable) -> None:
    """Add the columns that were declared since to a table of an earlier version, in a
    separate commit; its files stay unchanged.
    """
    names = {item.name for item in table.schema().fields}
    fresh = [item.with_nullable(True) for item in _describe(name) if item.name not in names]
    if fresh:
        table.alter.add_columns(
            Schema.from_arrow(pa.schema(fresh)).fields,
            commit_properties=CommitProperties(max_commit_retries=0),
        )


def _make_durable(base: Snapshot, adds: Iterable[AddAction]) -> None:
    """Flush new files to the disk before a commit names them, so that no version points
    to an empty file after a power failure.
    """
    files = [base.folder / add.path for add in adds]
    folders = {folder: None for file in files for folder in (file.parent, base.folder)}
    for path in (*files, *folders):
        environment.sync(path)


def discard(base: Snapshot, adds: Iterable[AddAction]) -> None:
    """Delete files that were written for a commit that did not happen."""
    for add in adds:
        (base.folder / add.path).unlink(missing_ok=True)


def _create(base: Snapshot) -> None:
    DeltaTable.create(
        base.folder,
        Schema.from_arrow(_describe(base.name)),
        description=MEANINGS[base.name]["about"],
        mode="ignore",
        partition_by=["month"],
        configuration={"delta.logRetentionDuration": LOG_RETENTION},
    )


def _describe(name: str) -> pa.Schema:
    """Build the schema of a table with the meaning of each column as its comment."""
    meanings = MEANINGS[name]["columns"]
    fields = arrow_schema(TABLES[name])
    return pa.schema([item.with_metadata({"comment": meanings[item.name][1]}) for item in fields])
