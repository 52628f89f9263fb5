"""Session on a Spark Connect server: the files of the lake and Arrow tables as its temporary
views, statements run within a time, and clear words for what fails.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import hmac
import logging
import queue
import threading
import uuid
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import pyarrow as pa
import sqlalchemy as sa

from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.storage.facts.schema import CONTACTS, DERIVED
from qa_core.storage.lake import tables
from qa_core.storage.spark import engine_checks

if TYPE_CHECKING:
    import pandas as pd

LOG = logging.getLogger("qa_core")
T = TypeVar("T")
MAX_VIEWS = 200
OPEN_SECONDS, STOP_SECONDS = 60, 5
CHANNEL = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_reconnect_backoff_ms", 2000)]
"""A new session does not wait out the pauses that failures of an old one have earned."""
UNREADABLE = ("FAILED_READ_FILE", "FileNotFound", "PATH_NOT_FOUND")
NO_MEMORY = ("Not enough memory", "OutOfMemory")
OPTIONS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.caseSensitive": "false",
}
"""Options that the translation relies on, whatever the defaults of the cluster are."""

SEALED = "sealed:"
CLEAR = frozenset(
    column.name for column in CONTACTS.columns if isinstance(column.type, sa.Text)
) - {"survey_comment", "customer_key", "given_customer_key"} | {
    "cell", "criterion", "critical", "grid", "number", "section", "why",
}  # fmt: skip
"""Text columns of Arrow tables that reach the cluster as they are: ids, names of places and
of criteria. Tokens stand for the texts of all others.
"""

_TYPES = {"VARCHAR": "STRING", "TIMESTAMP": "TIMESTAMP_NTZ"}
"""Types of DuckDB that Spark calls otherwise."""


class Unreadable(OSError):
    """File that the cluster could not read."""


@dataclass(frozen=True)
class _Upload:
    """Arrow table that a session holds: its view, and the texts behind its tokens by column."""

    table: pa.Table
    view: str
    texts: Mapping[str, Mapping[str, str]]


@dataclass
class _Session:
    """Session of the server, and the temporary views that it holds, oldest first."""

    spark: Any
    views: dict[str, None] = field(default_factory=dict)
    uploads: dict[int, _Upload] = field(default_factory=dict)
    lock: Any = field(default_factory=threading.Lock)

    def keep(self, name: str, build: Callable[[], Any]) -> None:
        """Make a temporary view, unless the session has it; the oldest beyond `MAX_VIEWS` goes."""
        with self.lock:
            if name not in self.views:
                build().createOrReplaceTempView(name)
            self.views[name] = self.views.pop(name, None)
            if len(self.views) > MAX_VIEWS:
                oldest = next(iter(self.views))
                del self.views[oldest]
                self.spark.catalog.dropTempView(oldest)


class Cluster:
    """Spark Connect server by its URL. A session is opened at the first question, and anew
    after it was lost. `is_checked`: only a server that passed `engine check` is asked.
    """

    def __init__(self, url: str, is_checked: bool = True) -> None:
        self._url, self._is_checked = url, is_checked
        self.host = find_host(url)
        self._session: _Session | None = None
        self._files: dict[str, tuple[str, list[str]]] = {}
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        return self._open().spark.version

    def select_from_files(self, name: str, files: Sequence[str]) -> str:
        """Write a SELECT of the whole table over those files, for `run`. Raises Refusal for
        files from before columns that Spark cannot derive.
        """
        if not files:
            return tables.select_from_files(name, files)
        if any(tables.missing_in(name, file) & DERIVED.get(name, {}).keys() for file in files):
            raise Refusal(
                "lake_outdated",
                "The lake has files of an earlier version, which DuckDB reads but Spark "
                "cannot. Import their contacts again, or unset QA_ENGINE_URL.",
            )
        view = f"files_{hashlib.sha256(repr((name, files)).encode()).hexdigest()[:32]}"
        self._files.pop(view, None)
        self._files[view] = (name, list(files))
        if len(self._files) > MAX_VIEWS:
            self._files.pop(next(iter(self._files)), None)
        columns = ", ".join(f'"{column}"' for column in tables.columns_of(name))
        return f'SELECT {columns} FROM "{view}"'

    def run(
        self,
        text: str,
        parameters: Sequence[Any],
        views: Mapping[str, str],
        arrow: Mapping[str, pa.Table],
    ) -> pd.DataFrame:
        """Run a statement of DuckDB with its views; `arrow`: tables by name. Raises Refusal
        where the server fails, Unreadable where it cannot read a file.
        """
        from qa_core.storage.spark.translation import translate

        tag, seconds = uuid.uuid4().hex, environment.find_engine_seconds()
        texts: dict[str, str] = {}

        def work() -> pa.Table:
            session.spark.addTag(tag)
            key = environment.secret("pseudonyms")
            given, sealed = {}, {}
            for name, table in arrow.items():
                upload = _upload(session, table)
                given[name] = f'SELECT * FROM "{upload.view}"'
                for column, tokens in upload.texts.items():
                    sealed[column] = functools.partial(_seal, key, column)
                    texts.update(tokens)
            for view, (name, files) in self._files.copy().items():
                if any(view in select for select in views.values()):
                    session.keep(view, functools.partial(_read_files, session, name, files))
            sql = translate(text, parameters, given | dict(views), sealed)
            return session.spark.sql(sql).toArrow()

        for is_second in (False, True):
            session = self._open()
            try:
                return _to_frame(_within(seconds, work), texts)
            except TimeoutError:
                try:
                    _within(STOP_SECONDS, functools.partial(session.spark.interruptTag, tag))
                except (TimeoutError, *_failures()):
                    self._leave(session)
                raise Refusal(
                    "engine_slow",
                    "The cluster {host} did not answer within {seconds} seconds, and the "
                    "query was stopped. Choose a shorter period, or raise QA_ENGINE_SECONDS.",
                    host=self.host,
                    seconds=seconds,
                ) from None
            except _failures() as error:
                self._leave(session)
                if is_second or not _get_condition(error).startswith("INVALID_HANDLE"):
                    raise self._explain(error) from error
                # The server was started again meanwhile, and does not know the session.
        raise AssertionError

    def _open(self) -> _Session:
        """Return the session, opened where there is none. Raises Refusal."""
        with self._lock:
            if self._session is None:
                try:
                    spark = _within(OPEN_SECONDS, functools.partial(_connect, self._url))
                    version = _within(OPEN_SECONDS, lambda: spark.version)
                except ImportError as error:
                    raise Refusal(
                        "engine_not_installed",
                        "QA_ENGINE_URL needs the packages of requirements-cluster.txt. "
                        "Install them on the server.",
                        ("python -m pip install -r requirements-cluster.txt",),
                    ) from error
                except (TimeoutError, *_failures()) as error:
                    raise self._unreachable() from error
                if self._is_checked:
                    engine_checks.require(self.host, version)
                self._session = _Session(spark)
            return self._session

    def _leave(self, session: _Session) -> None:
        """Let the next question open a new session, unless another one did."""
        with self._lock:
            if self._session is session:
                self._session = None

    def _unreachable(self) -> Refusal:
        return Refusal(
            "engine_unreachable",
            "The Spark Connect server {host} of QA_ENGINE_URL does not answer. Start it and "
            "try again, or unset QA_ENGINE_URL to let DuckDB answer.",
            host=self.host,
        )

    def _explain(self, error: Exception) -> Exception:
        LOG.debug("the cluster failed", exc_info=error)
        condition = _get_condition(error)
        if "RETRIES" in condition or "UNAVAILABLE" in str(error) or "INVALID_HANDLE" in condition:
            return self._unreachable()
        if any(sign in str(error) for sign in UNREADABLE):
            return Unreadable(condition)
        if any(sign in str(error) for sign in NO_MEMORY):
            return Refusal(
                "engine_memory",
                "The cluster {host} has too little memory for this query. Choose a shorter "
                "period, or give its server and workers more.",
                host=self.host,
            )
        return Refusal(
            "engine_failed",
            "The cluster {host} could not answer this query ({condition}). Try again. If it "
            "fails again, unset QA_ENGINE_URL to let DuckDB answer.",
            host=self.host,
            condition=condition,
        )


def find_host(url: str) -> str:
    """Find the host and port of a URL, without its parameters: they hold the token. Raises
    Refusal for what is no URL of Spark Connect.
    """
    parts = urlsplit(url)
    with suppress(ValueError):
        if parts.scheme == "sc" and parts.hostname and "@" not in parts.netloc:
            return f"{parts.hostname}:{parts.port or 15002}"
    raise Refusal(
        "unknown_engine",
        "QA_ENGINE_URL must be duckdb:// or sc://HOST:PORT. Correct it, or unset it.",
    )


def _connect(url: str) -> Any:
    # A message is one line; what the client warns of besides is for its developers.
    warnings.filterwarnings("ignore", module=r"pyspark\.")
    from pyspark.sql.connect.client import DefaultChannelBuilder
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.session import SparkSession

    spark = SparkSession(connection=DefaultChannelBuilder(url, CHANNEL))
    spark.client.set_retry_policies([DefaultPolicy(max_retries=4)])
    for name, value in OPTIONS.items():
        spark.conf.set(name, value)
    # Left to the end of the interpreter, closing would wait for threads that are gone.
    atexit.register(spark.client.close)
    return spark


def _failures() -> tuple[type[Exception], ...]:
    """List what a server, its client and the translation raise."""
    import grpc
    from pyspark.errors import PySparkException
    from sqlglot.errors import SqlglotError

    from qa_core.storage.spark.translation import Unsupported

    return PySparkException, grpc.RpcError, SqlglotError, Unsupported


def _get_condition(error: Exception) -> str:
    """Return the name that Spark gives an error, else the name of its class."""
    return getattr(error, "getCondition", lambda: None)() or type(error).__name__


def _within(seconds: float, work: Callable[[], T]) -> T:
    """Do the work in a thread. Raises TimeoutError: a server that is gone may never say so."""
    results: queue.SimpleQueue[tuple[T | None, BaseException | None]] = queue.SimpleQueue()

    def act() -> None:
        try:
            results.put((work(), None))
        except BaseException as error:
            results.put((None, error))

    threading.Thread(target=act, daemon=True).start()
    try:
        result, error = results.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def _read_files(session: _Session, name: str, files: Sequence[str]) -> Any:
    types = {column.name: tables.sql_type(column) for column in tables.TABLES[name].columns}
    columns = ", ".join(f"`{column}` {_TYPES.get(of, of)}" for column, of in types.items())
    folder = str(tables.lake_folder())
    there = environment.find_engine_lake() or folder
    paths = [there + file.removeprefix(folder) for file in files]
    reader = session.spark.read.schema(columns).option("basePath", f"{there}/{name}")
    return reader.parquet(*paths)


def _upload(session: _Session, table: pa.Table) -> _Upload:
    """Bring an Arrow table to the session, once."""
    upload = session.uploads.get(id(table))
    if upload is None or upload.view not in session.views:
        sent, texts = seal_table(table)
        # The table is kept, so that no other one takes its number.
        upload = _Upload(table, f"given_{uuid.uuid4().hex}", texts)
        session.keep(upload.view, functools.partial(_send, session, sent))
        session.uploads[id(table)] = upload
        for key in [key for key, one in session.uploads.items() if one.view not in session.views]:
            del session.uploads[key]
    return upload


def seal_table(table: pa.Table) -> tuple[pa.Table, dict[str, dict[str, str]]]:
    """Replace texts that are not `CLEAR` by tokens. Returns the table, and texts by column."""
    texts: dict[str, dict[str, str]] = {}
    key, columns = environment.secret("pseudonyms"), []
    for column in table.schema:
        values = table[column.name]
        if pa.types.is_dictionary(column.type):
            values = values.cast(pa.string())
        if pa.types.is_string(values.type) and column.name not in CLEAR:
            coded = values.combine_chunks().dictionary_encode()
            clear = coded.dictionary.to_pylist()
            tokens = {_seal(key, column.name, text): text for text in clear}
            texts[column.name] = tokens
            values = pa.array(list(tokens), pa.string()).take(coded.indices)
        columns.append(values)
    return pa.table(columns, names=table.column_names), texts


def _send(session: _Session, table: pa.Table) -> Any:
    from pyspark.sql.pandas.types import from_arrow_schema

    if table.num_rows:
        return session.spark.createDataFrame(table)
    return session.spark.createDataFrame([], from_arrow_schema(table.schema, True))


def _seal(key: bytes, column: str, text: str) -> str:
    """Make the token of a text: the same one each time, from which nobody reads the text."""
    content = f"{column}\0{text}".encode()
    return SEALED + hmac.new(key, content, hashlib.sha256).hexdigest()[:32]


def _to_frame(table: pa.Table, texts: Mapping[str, str]) -> pd.DataFrame:
    """Build the frame that DuckDB makes of the same result, tokens replaced by their texts."""
    import duckdb

    histograms = {}
    for index, column in enumerate(table.schema):
        if pa.types.is_list(column.type) and pa.types.is_struct(column.type.value_type):
            histograms[column.name] = list(map(_count_values, table[index].to_pylist()))
            table = table.set_column(index, column.name, pa.nulls(len(table), pa.int8()))
        elif pa.types.is_timestamp(column.type) and column.type.tz:
            table = table.set_column(index, column.name, table[index].cast(pa.timestamp("us")))
        elif texts and pa.types.is_string(column.type):
            values = [texts.get(value, value) for value in table[index].to_pylist()]
            table = table.set_column(index, column.name, pa.array(values, pa.string()))
    with duckdb.connect() as connection:
        frame = connection.from_arrow(table).df()
    for name, cells in histograms.items():
        frame[name] = cells
    return frame


def _count_values(bins: list[dict[str, float]] | None) -> dict[float, int] | None:
    """Add up the bins of a histogram by value. Raises Refusal where they may be merged."""
    from qa_core.storage.spark.translation import DISTINCT_VALUES

    if bins is None:
        return None
    if len(bins) >= DISTINCT_VALUES:
        raise Refusal(
            "engine_failed",
            "A month has more than {n} different durations, which the cluster cannot count "
            "one by one. Unset QA_ENGINE_URL to let DuckDB answer.",
            n=DISTINCT_VALUES,
        )
    counts: dict[float, int] = {}
    for bin in bins:
        counts[bin["x"]] = counts.get(bin["x"], 0) + round(bin["y"])
    return counts
