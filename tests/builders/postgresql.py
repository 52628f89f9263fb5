"""A PostgreSQL server of the tests' own, and databases in it: records that an owner made,
for an application role that owns nothing.
"""

from __future__ import annotations

import atexit
import functools
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from builders.centres import ENVIRONMENT
from qa_core.base.environment import PROJECT
from qa_core.storage.records import store

IS_ON = os.environ.get("QA_TEST_RECORDS") == "postgresql"
"""True where the stores of all tests keep their records in PostgreSQL."""
APPLICATION, OWNER = "ecoute_app", "ecoute_owner"
EMPTY = "empty_centre"
"""The database of an empty centre, of which the others are copies."""
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "200",
    "log_min_messages": "fatal",
}
STOP_WITH_PARENT = '"$@" & read _; kill -INT $!; wait $!; rm -r "$0"/*'
"""Shell script around the server: it ends it, and the connections that are left, once the
other end of its input is closed, also by a death.
"""
_numbers = count()


@dataclass(frozen=True)
class PostgresqlServer:
    """A running server: the folder of its socket and of its programs."""

    folder: Path
    programs: Path

    def url(self, database: str, role: str = APPLICATION) -> str:
        return f"postgresql+psycopg://{role}@/{database}?host={self.folder}"

    def run(self, statement: str, database: str = "postgres", role: str = "postgres") -> None:
        """Run one statement outside of any transaction."""
        engine = sa.create_engine(
            self.url(database, role), isolation_level="AUTOCOMMIT", poolclass=sa.NullPool
        )
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)

    def make_empty(self) -> None:
        """Make the empty centre as docs/replicas.md says: the owner migrates, and gives the
        application its rights.
        """
        for role in (OWNER, APPLICATION):
            self.run(f"CREATE ROLE {role} LOGIN")
        self.run(f"CREATE DATABASE {EMPTY} OWNER {OWNER}")
        with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as home:
            for name in ENVIRONMENT:
                patch.delenv(name, raising=False)
            patch.setenv("QA_HOME", home)
            patch.setenv("QA_DATABASE_URL", self.url(EMPTY, OWNER))
            store.migrate()
            store.close()
        self.grant(EMPTY)

    def grant(self, database: str) -> None:
        """Run deploy/postgresql.sql as the owner."""
        psql = [self.programs / "psql", "-q", "-h", self.folder, "-U", OWNER, "-d", database]
        script = ["-v", f"app={APPLICATION}", "-f", PROJECT / "deploy" / "postgresql.sql"]
        subprocess.run([*psql, *script], check=True, capture_output=True)

    @contextmanager
    def database(self) -> Iterator[str]:
        """Make a database for one test. Yields its name."""
        name = f"centre_{os.getpid()}_{next(_numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {EMPTY} OWNER {OWNER}")
        try:
            yield name
        finally:
            for role in (APPLICATION, OWNER):
                store.engine_for(self.url(name, role)).dispose()
            self.run(f"DROP DATABASE {name} WITH (FORCE)")


def find_programs() -> Path | None:
    """Find the folder of PostgreSQL's programs, of the newest version that is installed."""
    versions = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: float(path.parent.name)
    )
    on_path = shutil.which("initdb")
    folders = [*([Path(on_path).resolve().parent] if on_path else []), *reversed(versions)]
    wanted = ("initdb", "postgres", "psql")
    return next(
        (folder for folder in folders if all((folder / name).exists() for name in wanted)), None
    )


def explain_absence() -> str | None:
    """Say why no server can be started here; None where one can."""
    if not importlib.util.find_spec("psycopg"):
        return "no PostgreSQL driver: pip install -r requirements-dev.txt"
    if find_programs() is None:
        return "PostgreSQL's server is not installed (Debian: apt install postgresql)"
    if os.geteuid() == 0 and _find_user() is None:
        return "PostgreSQL does not run as root, and there is no user postgres"
    return None


def _find_user() -> pwd.struct_passwd | None:
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return None


@contextmanager
def serve() -> Iterator[PostgresqlServer]:
    """A server over an empty folder, reached by its socket alone, until the block ends."""
    programs, folder = find_programs(), Path(tempfile.mkdtemp(prefix="ecoute-postgresql-"))
    identity = {}
    if os.geteuid() == 0:
        user = _find_user()
        os.chown(folder, user.pw_uid, user.pw_gid)
        identity = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    folder.chmod(0o711)  # others pass through to the socket
    data = folder / "data"
    make = [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N"]
    subprocess.run(
        [*make, "-E", "UTF8", "--locale=C.UTF-8"], check=True, capture_output=True, **identity
    )
    settings = [f"-c{name}={value}" for name, value in SETTINGS.items()]
    command = [programs / "postgres", "-D", data, "-k", folder, *settings]
    process = subprocess.Popen(
        ["sh", "-c", STOP_WITH_PARENT, folder, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **identity,
    )
    server = PostgresqlServer(folder, programs)
    try:
        wait_for("PostgreSQL", server.run, process)
        yield server
    finally:
        process.stdin.close()
        process.wait(timeout=180)
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(name: str, run: Callable[[str], object], process: subprocess.Popen[bytes]) -> None:
    """Wait until the server runs a statement; fails where it does not start."""
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            run("SELECT 1")
            return
        except sa.exc.OperationalError:
            time.sleep(0.05)
    pytest.fail(f"{name} did not start")


@functools.cache
def running() -> PostgresqlServer:
    """The server of this process, with the empty centre in it; it ends with the process."""
    stack = ExitStack()
    atexit.register(stack.close)
    server = stack.enter_context(serve())
    server.make_empty()
    return server


@contextmanager
def fresh_records(patch: pytest.MonkeyPatch, role: str = APPLICATION) -> Iterator[None]:
    """Keep the records of the block in a database of their own, for that role."""
    with running().database() as name:
        patch.setenv("QA_DATABASE_URL", running().url(name, role))
        yield
