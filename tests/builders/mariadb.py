"""A MariaDB server of the tests' own, reached by its socket alone."""

from __future__ import annotations

import atexit
import functools
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import sqlalchemy as sa

from builders.postgresql import wait_for

STOP_WITH_PARENT = '"$@" & read _; kill $!; wait $!; rm -rf "$0"/*'
"""Shell script around the server: it ends it once the other end of its input is closed, also
by a death.
"""
SETTINGS = (
    "--skip-networking",
    "--innodb-flush-log-at-trx-commit=0",
    "--innodb-buffer-pool-size=16M",
    "--innodb-log-file-size=8M",
    "--performance-schema=off",
)


def explain_absence() -> str | None:
    """Say why no server can be started here; None where one can."""
    if not importlib.util.find_spec("pymysql"):
        return "no MariaDB driver: pip install -r requirements-dev.txt"
    if _find("mariadbd") is None or _find("mariadb-install-db") is None:
        return "MariaDB's server is not installed (Debian: apt install mariadb-server)"
    return None


def _find(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")


@contextmanager
def serve() -> Iterator[Path]:
    """Serve over an empty folder until the block ends. Yields the path of the socket."""
    folder = Path(tempfile.mkdtemp(prefix="ecoute-mariadb-"))
    folder.chmod(0o711)
    user = pwd.getpwuid(os.geteuid()).pw_name
    own = ["--no-defaults", f"--datadir={folder / 'data'}", f"--user={user}"]
    make = [_find("mariadb-install-db"), *own, "--auth-root-authentication-method=normal"]
    subprocess.run([*make, "--skip-test-db"], check=True, capture_output=True)
    socket = folder / "socket"
    command = [_find("mariadbd"), *own, f"--socket={socket}", *SETTINGS]
    process = subprocess.Popen(
        ["sh", "-c", STOP_WITH_PARENT, folder, *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for("MariaDB", functools.partial(run, socket), process)
        yield socket
    finally:
        process.stdin.close()
        process.wait(timeout=60)
        shutil.rmtree(folder, ignore_errors=True)


def run(socket: Path, *statements: str) -> None:
    engine = sa.create_engine(
        f"mysql+pymysql://root@localhost/?unix_socket={socket}", poolclass=sa.NullPool
    )
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


@functools.cache
def running() -> Path:
    """Start the server of this process, which ends with it. Returns the path of its socket."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(serve())
