"""The served app, in a process and a folder of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from builders import postgresql
from builders.centres import ENVIRONMENT
from qa_core.access import passwords
from qa_core.base.environment import PROJECT

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
STREAMLIT = ("-m", "streamlit")
MAX_MILLISECONDS = 180_000
"""How long a page may take on a busy machine before it counts as broken."""
IDLE_MILLISECONDS = 60_000
"""How long one may take where up to two programs want each core."""


def find_patience() -> int:
    """Find how many milliseconds a page may take now, by how busy the machine is."""
    busy = os.getloadavg()[0] / (2 * (os.cpu_count() or 1))
    return int(min(MAX_MILLISECONDS, IDLE_MILLISECONDS * max(1.0, busy)))


@dataclass(frozen=True)
class Server:
    """A running server: its address, the folder of its centre, its process and its output."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")

    @property
    def port(self) -> str:
        return self.url.rpartition(":")[2]


@contextmanager
def serve(folder: Path, *start: str, python: Sequence[str] = (sys.executable,)) -> Iterator[Server]:
    """The app as `streamlit run app.py` serves it, over the centre in that folder,
    until the block ends. `start`: other arguments of Python than those that start Streamlit;
    `python`: see `forked_python`.
    """
    with serve_all(folder, 1, start or STREAMLIT, python) as [running]:
        yield running


@contextmanager
def serve_all(
    folder: Path,
    number: int,
    start: Sequence[str] = STREAMLIT,
    python: Sequence[str] = (sys.executable,),
    **more: str,
) -> Iterator[list[Server]]:
    """So many processes of the app over one centre, started at once, with more of the
    environment.
    """
    kept = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT}
    # `living_in` and its like have emptied it, or set it themselves.
    records = {name: os.environ[name] for name in ("QA_DATABASE_URL",) if name in os.environ}
    with ExitStack() as stack:
        given = {**kept, **records, "QA_HOME": str(folder), **more}
        servers = [
            stack.enter_context(_start(folder, port, [*python, *start], given))
            for port in find_ports(number)
        ]
        for server in servers:
            _wait_for(server)
        yield servers


def find_ports(number: int) -> list[int]:
    """Find so many ports that are free now."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(number)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@contextmanager
def _start(
    folder: Path, port: int, command: Sequence[str], environment: dict[str, str]
) -> Iterator[Server]:
    log = folder / f"server-{port}.log"
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [*command, "run", "app.py", "--server.port", str(port)],
            cwd=PROJECT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            yield Server(f"http://127.0.0.1:{port}", folder, process, log)
        finally:
            process.terminate()
            process.wait(timeout=180)


def _wait_for(server: Server) -> None:
    for _ in range(1_200):
        if server.process.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"{server.url}/_stcore/health", timeout=10).close()
            return
        except OSError:
            time.sleep(0.1)
    log = server.log.read_text(encoding="utf-8")
    pytest.fail(f"the server did not start:\n{log[-3000:]}")


@contextmanager
def living_in(folder: Path, on_postgresql: bool = postgresql.IS_ON) -> Iterator[None]:
    """Let this process work on the centre in that folder, beside its server."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        for name in ENVIRONMENT:
            patch.delenv(name, raising=False)
        patch.setenv("QA_HOME", str(folder))
        patch.setattr(passwords, "ROUNDS", 4)
        if on_postgresql:
            stack.enter_context(postgresql.fresh_records(patch))
        yield
