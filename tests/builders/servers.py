"""The served app, in a process and a folder of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

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
LONGEST_MILLISECONDS = 180_000
"""How long a page may take on a busy machine before it counts as broken."""


@dataclass(frozen=True)
class Server:
    """A running server: its address and the folder of its centre."""

    url: str
    folder: Path

    @property
    def host(self) -> str:
        return self.url.removeprefix("http://")


@contextmanager
def serve(folder: Path, *start: str) -> Iterator[Server]:
    """The app as `streamlit run app.py` serves it, over the centre in that folder,
    until the block ends. `start`: other arguments of Python than those that start Streamlit.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT} | {
        "QA_HOME": str(folder)
    }
    log = (folder / "server.log").open("w", encoding="utf-8")
    start = start or ("-m", "streamlit")
    command = [sys.executable, *start, "run", "app.py", "--server.port", str(port)]
    process = subprocess.Popen(
        command, cwd=PROJECT, env=environment, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url, process, folder / "server.log")
        yield Server(url, folder)
    finally:
        process.terminate()
        process.wait(timeout=30)
        log.close()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(1_200):
        if process.poll() is not None:
            break
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=1).close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"the server did not start:\n{log.read_text(encoding='utf-8')[-3000:]}")


@contextmanager
def living_in(folder: Path) -> Iterator[None]:
    """Let this process work on the centre in that folder, beside its server."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ENVIRONMENT:
            patch.delenv(name, raising=False)
        patch.setenv("QA_HOME", str(folder))
        patch.setattr(passwords, "ROUNDS", 4)
        yield
