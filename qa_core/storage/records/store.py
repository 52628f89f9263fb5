"""Records store: one engine per database, read sessions, and one write session at a time."""

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import orm

from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.base.i18n import N_
from qa_core.storage.facts.guard import Reader, Scoped
from qa_core.storage.records import changes, row_rules
from qa_core.storage.records.base import Base

BUSY_SECONDS = 30
"""Seconds that a writer waits for another one before it gives up."""

NOTE_SECONDS = 3
"""Seconds that somebody who only reads waits for the note that has to be written of it."""

WRITERS_LOCK = 7303
"""Advisory lock that serialises writers on PostgreSQL."""

IMPORTS_LOCK = 7302
"""Advisory lock that serialises imports on PostgreSQL."""

INSUFFICIENT_PRIVILEGE = "42501"
"""PostgreSQL's code of what the role may not do."""

FIRST_REVISION = "0009"
"""Revision where migrations begin."""

INIT = "python -m qa_core init"

MIGRATIONS = Path(__file__).with_name("migrations")


class Session(orm.Session):
    """Session that takes `Scoped` and `Unscoped` statements. Others reach only tables
    without people's data, except in the rooms that own these.
    """

    def execute(self, statement: Any, *arguments: Any, **options: Any) -> sa.Result[Any]:
        return super().execute(self._prepare(statement), *arguments, **options)

    def scalars(self, statement: Any, *arguments: Any, **options: Any) -> sa.ScalarResult[Any]:
        return super().scalars(self._prepare(statement), *arguments, **options)

    def scalar(self, statement: Any, *arguments: Any, **options: Any) -> Any:
        return super().scalar(self._prepare(statement), *arguments, **options)

    def _prepare(self, statement: Any) -> Any:
        return row_rules.prepare(statement, self)


@sa.event.listens_for(Session, "do_orm_execute")
def _let_relationships_load(state: orm.ORMExecuteState) -> None:
    # The row that they belong to was checked when it was read.
    if state.is_relationship_load or state.is_column_load:
        state.update_execution_options(**{row_rules.OPTION: row_rules.PERSONAL})


changes.watch(Session)


@sa.event.listens_for(sa.Engine, "before_cursor_execute")
def _require_scope(_connection, _cursor, text, _parameters, context, _many) -> None:
    row_rules.require_scope(text, context.execution_options)


@functools.cache
def engine_for(url: str) -> sa.Engine:
    """Return the engine of that database, made once per process."""
    address = sa.make_url(url)
    if address.get_backend_name() != "sqlite":
        try:
            return sa.create_engine(address, pool_pre_ping=True, hide_parameters=True)
        except (ModuleNotFoundError, sa.exc.NoSuchModuleError) as error:
            message = N_(
                "QA_DATABASE_URL names a database whose driver is not installed. For PostgreSQL, "
                "install psycopg[binary] and write postgresql+psycopg://…"
            )
            options = ("python -m pip install -r requirements-postgresql.txt",)
            raise Refusal("no_driver", message, options) from error
    file = file_of(url)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    # An error that is shown or logged names no value.
    waits = {"timeout": BUSY_SECONDS}
    engine = sa.create_engine(address, connect_args=waits, hide_parameters=True)

    @sa.event.listens_for(engine, "connect")
    def _configure(connection, _record) -> None:
        connection.isolation_level = None  # SQLAlchemy's own BEGIN below decides, not the driver
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute("PRAGMA synchronous=FULL")
        # What is deleted is overwritten, not only left out of sight.
        cursor.execute("PRAGMA secure_delete=ON")
        cursor.close()

    @sa.event.listens_for(engine, "begin")
    def _begin(connection) -> None:
        # A writer takes the lock at once: a reader that turns writer half-way fails
        # instead of waiting.
        seconds = connection.get_execution_options().get("writes")
        if seconds:
            connection.exec_driver_sql(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if seconds else "BEGIN")

    return engine


def file_of(url: str) -> Path | None:
    """Return the file of the records, where they are in SQLite."""
    address = sa.make_url(url)
    if address.get_backend_name() == "sqlite" and address.database:
        return Path(address.database)
    return None


_shared: ContextVar[Session | None] = ContextVar("shared", default=None)
"""Session of `one_state`, in this thread."""

Found = TypeVar("Found")


@contextmanager
def reading() -> Iterator[Session]:
    """Open a session on one consistent state; nothing is written."""
    shared = _shared.get()
    if shared is None:
        with Session(_reading_engine()) as session:
            yield session
        return
    try:
        yield shared
    except Exception:
        _renew(shared)
        raise


@contextmanager
def one_state() -> Iterator[None]:
    """Let everything that this thread reads meanwhile share one session, and so one state
    of the records; what is written meanwhile is seen afterwards.
    """
    with Session(_reading_engine()) as session:
        token = _shared.set(session)
        try:
            yield
        finally:
            _shared.reset(token)


def remember(session: Session, key: str, find: Callable[[Session], Found]) -> Found:
    """Return what `find` reads with that session: within `one_state` it is read once."""
    if session is not _shared.get():
        return find(session)
    if key not in session.info:
        session.info[key] = find(session)
    return session.info[key]


def _renew(session: Session) -> None:
    """Let a shared session see the newest state; objects at hand keep what they hold."""
    session.expunge_all()
    session.rollback()
    session.info.clear()


def _reading_engine() -> sa.Engine:
    engine = engine_for(environment.current().database_url)
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ")
    return engine


@contextmanager
def writing(seconds: float | None = None) -> Iterator[Session]:
    """Open a session that is committed whole at the end, or not at all. Writers queue, for
    so many seconds at most (default: `BUSY_SECONDS`).
    """
    with ExitStack() as stack:
        if (shared := _shared.get()) is not None:
            _renew(shared)
            stack.callback(_renew, shared)
        yield stack.enter_context(_open_for_writing(seconds or BUSY_SECONDS))


@contextmanager
def _open_for_writing(seconds: float) -> Iterator[Session]:
    engine = engine_for(environment.current().database_url).execution_options(writes=seconds)
    with Session(engine, expire_on_commit=False) as session, session.begin():
        if engine.dialect.name == "postgresql":
            # SQLite has one writer at a time by itself; what is counted or compared
            # before it is written relies on that.
            session.execute(sa.text(f"SET LOCAL lock_timeout = '{int(seconds * 1000)}ms'"))
            session.execute(sa.select(sa.func.pg_advisory_xact_lock(WRITERS_LOCK)))
        yield session


def empty_log() -> None:
    """Let SQLite write its log into the database, whose pages hold nothing of what was deleted."""
    engine = engine_for(environment.current().database_url)
    if (shared := _shared.get()) is not None:
        _renew(shared)  # SQLite would wait for this page's own reading to end
    if engine.dialect.name == "sqlite":
        with closing(engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")


def close() -> None:
    """Close every connection, so that the file of SQLite holds everything and may be moved."""
    empty_log()
    engine_for(environment.current().database_url).dispose()


def copy_into(target: Path) -> None:
    """Copy the records of SQLite as they are at this moment, while others write on."""
    target.touch(mode=0o600)
    engine = engine_for(environment.current().database_url)
    with closing(engine.raw_connection()) as connection:
        connection.cursor().execute("VACUUM INTO ?", (str(target),))


def migrate() -> None:
    """Create the records, or migrate them to the newest revision; safe at every start
    and from several processes.

    Raises Refusal for a revision that no migration starts from: older than the first
    version, or newer than this program; and for a role that may not migrate.
    """
    from alembic import command
    from alembic.config import Config

    _refuse_unfinished_restore()
    if not has_tables():
        environment.mark_drill()
    file = file_of(environment.current().database_url)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
    _require_known_revision()
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("sqlalchemy.url", environment.current().database_url.replace("%", "%%"))
    try:
        command.upgrade(config, "head")
    except sa.exc.ProgrammingError as error:
        if getattr(error.orig, "sqlstate", None) != INSUFFICIENT_PRIVILEGE:
            raise
        message = N_(
            "The records need an update that the role of QA_DATABASE_URL may not make. Update "
            "them once as the owner of the tables."
        )
        raise Refusal("owner_needed", message, (INIT,)) from error
    empty_log()


def _require_known_revision() -> None:
    revision, newest = _find_revision(), _newest_revision()
    if revision is None or revision == newest or FIRST_REVISION <= revision < newest:
        return
    if revision > newest:
        message = N_(
            "The records in {folder} were made by a newer version of Écoute. Update the "
            "program, then try again."
        )
        raise Refusal("newer_records", message, folder=str(environment.current().folder))
    message = N_(
        "The records in {folder} are older than the first version and cannot be updated. Move "
        "that folder away, create new records and import your files again."
    )
    raise Refusal("too_old_records", message, (INIT,), folder=str(environment.current().folder))


def is_ready() -> bool:
    """Return whether the records are at the newest revision; once true, it stays so here."""
    url = environment.current().database_url
    file = file_of(url)
    key = (url, file.stat().st_ino if file is not None and file.exists() else 0)
    if key not in _ready and _find_revision() == _newest_revision():
        _ready.add(key)
    return key in _ready


_ready: set[tuple[str, int]] = set()


def _find_revision() -> str | None:
    """Find the revision of the records; None where there are none."""
    if not has_tables():
        return None
    with engine_for(environment.current().database_url).connect() as connection:
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


@functools.cache
def _newest_revision() -> str:
    # By the names of the files: Alembic would compile every migration anew.
    return max(path.name[:4] for path in (MIGRATIONS / "versions").glob("0*.py"))


def has_tables() -> bool:
    """Return whether records exist, of whatever version."""
    file = file_of(environment.current().database_url)
    if file is not None and not file.exists():
        return False
    return sa.inspect(engine_for(environment.current().database_url)).has_table("alembic_version")


def require_ready() -> None:
    """Refuse missing or older records, with the command that helps."""
    if is_ready():
        return
    _refuse_unfinished_restore()
    if has_tables():
        raise Refusal(
            "old_records",
            "The records in {folder} are from an earlier version. Update them on the server first.",
            (INIT,),
            folder=str(environment.current().folder),
        )
    raise Refusal(
        "no_records",
        "There are no records in {folder} yet. Create them on the server first.",
        (INIT,),
        folder=str(environment.current().folder),
    )


def restoring_folder() -> Path:
    """Return the folder in which a backup is unpacked before it becomes the stores."""
    return environment.current().folder / "restoring"


def _refuse_unfinished_restore() -> None:
    # The records are the last to be moved out of it.
    if restoring_folder().exists() and not has_tables():
        raise Refusal(
            "restore_unfinished",
            "A restore into {folder} was interrupted. Run it again.",
            ("python -m qa_core restore FILE",),
            folder=str(environment.current().folder),
        )


def get_in_scope(session: Session, viewer: Reader, model: type[Found], number: int) -> Found:
    """Return the row of that id in the viewer's scope. Raises AccessDenied without one."""
    row = session.scalar(Scoped(sa.select(model).where(model.id == number), viewer))
    if row is None:
        raise AccessDenied()
    return row


@contextmanager
def one_import_at_a_time() -> Iterator[None]:
    """Hold the right to change the stores; others wait. It is freed when its holder dies."""
    engine = engine_for(environment.current().database_url)
    if engine.dialect.name == "postgresql":
        # In no transaction: one that waits for the length of an import may be ended by the
        # server, and the lock with it.
        with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_lock(IMPORTS_LOCK)))
            try:
                yield
            finally:
                connection.execute(sa.select(sa.func.pg_advisory_unlock(IMPORTS_LOCK)))
        return
    with environment.lock(environment.current().folder / ".imports.lock"):
        yield


@contextmanager
def reading_or_empty() -> Iterator[Session]:
    """Open the records for reading; empty ones in memory for a dry run where there are none."""
    if is_ready():
        with reading() as session:
            yield session
        return
    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        yield session
    engine.dispose()


@contextmanager
def rehearsing() -> Iterator[Session]:
    """Open a session that is rolled back; on empty records in memory where there are none."""
    with ExitStack() as stack:
        if is_ready():
            engine = engine_for(environment.current().database_url)
            session = stack.enter_context(Session(engine.execution_options(writes=BUSY_SECONDS)))
        else:
            session = stack.enter_context(reading_or_empty())
        yield session
        session.rollback()
