"""Query engine: runs a SQLAlchemy Core select over the facts and returns a DataFrame.

Nothing outside this room knows which engine answers, and no row outside the viewer's
scope is in its reach.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.storage import bounds, lake, name_merges, restrictions
from qa_core.storage.facts import duckdb_connection
from qa_core.storage.facts.guard import Scoped, Unscoped, has_scope
from qa_core.storage.facts.schema import CONTACTS, EVERY_CONTACT
from qa_core.storage.lake import tables
from qa_core.storage.lake.damage import explaining_damage
from qa_core.storage.records import store
from qa_core.storage.restrictions import CONTACT_COLUMNS, Restrictions
from qa_core.storage.spark.cluster import Cluster, Unreadable, find_host

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

MEGABYTES = 300
SPELLED_WHEN_READ = {"spend": "campaign", "intervals": "queue"}
TABLE_SUFFIX = "_given"
"""Suffix of an Arrow table's name beneath the view that is queried."""
warnings.filterwarnings("ignore", message="Arrow output on a DB-API result")


class Engine:
    _read: Callable[[str, Sequence[str]], str]
    """Writes the SELECT of a table over some of its files."""
    _answer: Callable[[str, list[Any], Mapping[str, str], Mapping[str, pa.Table]], pd.DataFrame]
    """Runs a statement over views, each with its SELECT, and Arrow tables by name."""

    def run(
        self,
        query: Scoped | Unscoped,
        arrow: Mapping[str, pa.Table] = {},
        first_month: str | None = None,
        last_month: str | None = None,
        leaves_out_damaged: bool = False,
        as_arrow: bool = False,
    ) -> pd.DataFrame | pa.Table:
        """Run one statement on the current version of the lake; thread-safe. `arrow`:
        tables of this statement alone, by name; the months (`YYYY-MM`, inclusive) bound
        what is read. `leaves_out_damaged`: files that are missing or cut are passed over,
        for what is not a figure. `as_arrow`: as a table where the engine makes one, which
        takes less than a frame.

        A `Scoped` one finds only the viewer's rows in every table that has a scope
        (`guard.has_scope`), and none of what is restricted. Raises TypeError for a
        statement that is neither scoped nor unscoped.
        """
        text, parameters = _compile(query)
        months = (first_month, last_month)
        given = {f"{view}{TABLE_SUFFIX}": rows for view, rows in arrow.items()}
        with explaining_damage(), tables.reading():
            views = _list_views(query, text, arrow, months, leaves_out_damaged, self._read)
            answer = self._answer_arrow if as_arrow else self._answer
            return answer(text, parameters, dict(views), given)

    def _answer_arrow(self, *given: Any) -> pd.DataFrame | pa.Table:
        return self._answer(*given)


class DuckDbEngine(Engine):
    """DuckDB in the process, locked to the lake's folder: no other file, extension or unlocking."""

    _read = staticmethod(tables.select_from_files)

    def __init__(self, folder: Path, temporary: Path, memory_limit: str) -> None:
        temporary.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.connection = duckdb_connection.connect(memory_limit, temporary, preserve_order=True)
        self.connection.execute(f"SET allowed_directories = [{tables.quote(f'{folder}/')}]")
        self.connection.execute("SET enable_external_access = false")
        self.connection.execute("SET lock_configuration = true")

    def _answer(self, text: str, parameters: list[Any], *given: Any) -> pd.DataFrame:
        with self._open(text, *given) as (cursor, whole):
            return cursor.execute(whole, parameters).df()

    def _answer_arrow(self, text: str, parameters: list[Any], *given: Any) -> pa.Table:
        # A relation, made by `sql`, would split and prepare the text a second time.
        with self._open(text, *given) as (cursor, whole):
            return cursor.execute(whole, parameters).to_arrow_table()

    @contextmanager
    def _open(
        self, text: str, views: Mapping[str, str], given: Mapping[str, Any]
    ) -> Iterator[tuple[Any, str]]:
        """Open a cursor; write the views before the text: created in the database, each
        would open its files once more.
        """
        whole = ", ".join(f'"{view}" AS NOT MATERIALIZED ({views[view]})' for view in views)
        if whole:
            whole = f"WITH {whole}" + (f", {text[5:]}" if text.startswith("WITH ") else f" {text}")
        with self.connection.cursor() as cursor, bounds.interrupting(cursor.interrupt):
            for name, rows in given.items():
                cursor.register(name, rows)
            yield cursor, whole or text


class SparkEngine(Engine):
    """Spark Connect: the same statements over the same files, on a cluster. `is_checked`:
    see `Cluster`. Raises Refusal for a URL of another kind.
    """

    def __init__(self, url: str, is_checked: bool = True) -> None:
        self.cluster = Cluster(url, is_checked)
        self._read, self._answer = self.cluster.select_from_files, self.cluster.run

    def run(self, *arguments: Any, **options: Any) -> pd.DataFrame:
        """Run one statement on the cluster, as `Engine.run` says."""
        try:
            return super().run(*arguments, **options)
        except Unreadable as error:
            raise Refusal(
                "engine_unreadable",
                "The cluster {host} cannot read files of the lake that are intact on this "
                "machine. Every worker must find them under the same path, or under "
                "QA_ENGINE_LAKE_URL.",
                host=self.cluster.host,
            ) from error


def _list_views(
    query: Scoped | Unscoped,
    text: str,
    arrow: Mapping[str, pa.Table],
    months: tuple[str | None, str | None],
    leaves_out_damaged: bool,
    read: Callable[[str, Sequence[str]], str],
) -> Iterator[tuple[str, str]]:
    """List the views of a statement, each with its SELECT; the view of an Arrow table reads
    its name with `TABLE_SUFFIX`. `read` writes the SELECT of a table over some of its files.
    """
    views = dict(tables.TABLES)
    restricted = _find_restricted(query)
    if isinstance(query, Scoped) and query.beyond:
        views[EVERY_CONTACT.name] = CONTACTS
    for view, table in views.items():
        if view in text and view not in arrow:
            files = lake.files(table.name, *months)
            if leaves_out_damaged:
                damaged_paths = {file.path for file in lake.find_damage(names=[table.name])}
                files = [file for file in files if not file.endswith(tuple(damaged_paths))]
            rows = _spell_names(table.name, read(table.name, files))
            if restricted and table is CONTACTS:
                rows = restricted.leave_out(rows)
            yield view, _narrow(query, view, table, rows)
    for view, given in arrow.items():
        table = sa.table(view, *map(sa.column, given.column_names))
        select = f'SELECT * FROM "{view}{TABLE_SUFFIX}"'
        columns = frozenset(given.column_names)
        if restricted and has_scope(columns) and columns >= CONTACT_COLUMNS:
            contacts = read("contacts", lake.files("contacts"))
            select = restricted.leave_out_parts(select, contacts)
        yield view, _narrow(query, view, table, select)


def describe(query: Scoped | Unscoped) -> str:
    """Describe a statement on contacts with its parameters, the scope of its viewer and the
    restrictions: equal descriptions have equal results on equal files.
    """
    scope = _scope(query, CONTACTS) if isinstance(query, Scoped) else ""
    restricted = _find_restricted(query).write_test()
    here = environment.current()
    # What a cluster counted is not taken for what DuckDB did, should it be left one day.
    counted_by = (find_host(here.engine_url),) if here.has_cluster else ()
    beyond = getattr(query, "beyond", None)
    return repr((*_compile(query), scope, beyond, restricted, *counted_by))


def _find_restricted(query: Scoped | Unscoped) -> Restrictions:
    if isinstance(query, Unscoped) or query.with_restricted:
        return Restrictions()
    return restrictions.find_current()


def _compile(query: Scoped | Unscoped) -> tuple[str, list[Any]]:
    if not isinstance(query, Scoped | Unscoped):
        raise TypeError("only Scoped and Unscoped statements are run on the facts")
    text, parameters = _compile_statement(query.statement)
    return text, list(parameters)


@functools.cache
def _get_dialect() -> sa.Dialect:
    from sqlalchemy.dialects import postgresql

    return postgresql.dialect(paramstyle="numeric_dollar")


@functools.lru_cache(maxsize=64)
def _compile_statement(statement: Any) -> tuple[str, tuple[Any, ...]]:
    # A statement is described by its text before it is run by it.
    compilation = statement.compile(
        dialect=_get_dialect(), compile_kwargs={"render_postcompile": True}
    )
    names = compilation.positiontup or ()
    return str(compilation), tuple(compilation.params[name] for name in names)


def _narrow(query: Scoped | Unscoped, view: str, table: sa.FromClause, rows: str) -> str:
    """Write the rows of a table that the statement may see: where the table has a
    scope, the viewer's rows, or every row with a mark on theirs.
    """
    if view == EVERY_CONTACT.name:
        is_own = f"coalesce({_scope(query, table)}, false) AS is_own"
        return f'SELECT *, {is_own} FROM ({rows}) AS "{table.name}"'
    if isinstance(query, Scoped) and has_scope(table.c.keys()):
        return f'SELECT * FROM ({rows}) AS "{table.name}" WHERE {_scope(query, table)}'
    return rows


def _scope(query: Scoped, table: sa.FromClause) -> str:
    """Write the viewer's scope as SQL: a view takes no parameters."""
    predicate = query.viewer.scope(table)
    return str(predicate.compile(dialect=_get_dialect(), compile_kwargs={"literal_binds": True}))


def _spell_names(table: str, select: str) -> str:
    """Write a table of totals with the centre's spellings. Contacts carry them already;
    in totals the spelling is part of the key and so stays as imported.
    """
    column = SPELLED_WHEN_READ.get(table)
    if column is None:
        return select
    with store.reading() as session:
        kept_names = name_merges.find_kept_names(session)[column]
    if not kept_names:
        return select
    columns = (
        f'{name_merges.spell(column, kept_names)} AS "{name}"' if name == column else f'"{name}"'
        for name in tables.columns_of(table)
    )
    return f"SELECT {', '.join(columns)} FROM ({select})"


def encode_texts(rows: pd.DataFrame | pa.Table) -> pa.Table:
    """Return the rows with dictionaries of their texts, which nearly every row repeats."""
    import pyarrow as pa

    if not isinstance(rows, pa.Table):
        rows = pa.Table.from_pandas(rows, preserve_index=False)
    columns = [
        column.dictionary_encode() if pa.types.is_string(column.type) else column
        for column in rows.columns
    ]
    return pa.table(columns, names=rows.column_names)


def current() -> Engine:
    """Return the engine of QA_ENGINE_URL, once per process and lake. Raises Refusal."""
    if (stand_in := _stand_in.get()) is not None:
        return stand_in
    here = environment.current()
    return _spark(here.engine_url) if here.has_cluster else make_duckdb()


def make_duckdb() -> Engine:
    """Return DuckDB over the current lake, whatever QA_ENGINE_URL is."""
    temporary = environment.current().temporary_folder / f"engine-{environment.name_process()}"
    limit = duckdb_connection.memory_limit(tables.snapshot("contacts").rows, MEGABYTES)
    return _duckdb(tables.lake_folder(), temporary, limit)


@contextmanager
def use_engine(engine: Engine) -> Iterator[None]:
    token = _stand_in.set(engine)
    try:
        yield
    finally:
        _stand_in.reset(token)


_stand_in: ContextVar[Engine | None] = ContextVar("stand_in", default=None)


_spark = functools.lru_cache(maxsize=2)(SparkEngine)
_duckdb = functools.lru_cache(maxsize=2)(DuckDbEngine)
"""Engine of the lake, and a second one for the copy in which an import is tried."""
