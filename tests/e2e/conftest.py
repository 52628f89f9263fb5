"""The real server on a free port, and a real Chromium in front of it. Without a browser
these tests say so and are skipped.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import chromium
import pytest
from builders.centres import ENVIRONMENT

from qa_core.access import accounts, passwords
from qa_core.access.roles import Viewer
from qa_core.base.environment import PROJECT
from qa_core.storage.records import store

PASSWORD = "Violet-Harbour-27-lamps"
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
def serve(folder: Path) -> Iterator[Server]:
    """The app as `streamlit run app.py` serves it, over the centre in that folder,
    until the block ends.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if name not in ENVIRONMENT} | {
        "QA_HOME": str(folder)
    }
    log = (folder / "server.log").open("w", encoding="utf-8")
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
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


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over a centre without data, for one file of tests. This process works on
    the same centre.
    """
    folder = tmp_path_factory.mktemp("centre")
    with living_in(folder):
        store.migrate()
        accounts.add(Viewer.SYSTEM, "root", "admin", password=PASSWORD)
        with serve(folder) as running:
            yield running


@pytest.fixture(scope="module")
def browser():
    """A Chromium: `QA_CHROMIUM`, the system's, or Playwright's own.

    For one file only: while it runs its event loop counts as running in this thread,
    and tests of other files that start one would be refused.
    """
    sync_api = pytest.importorskip(
        "playwright.sync_api",
        reason="playwright is not installed: pip install -r requirements-dev.txt",
    )
    found = chromium.find()
    if found is None:
        pytest.skip(
            "no Chromium was found (QA_CHROMIUM, chromium, google-chrome, playwright's own): "
            "python tests/e2e/chromium.py installs one"
        )
    with sync_api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        yield running
        running.close()


@pytest.fixture
def new_page(browser, server: Server) -> Iterator[Callable[..., object]]:
    """Open a page in a browser of its own, with no cookie: `new_page(locale="fr-FR")`."""
    contexts = []

    def open_page(**options):
        contexts.append(
            browser.new_context(
                **{
                    "base_url": server.url,
                    "locale": "en-GB",
                    "viewport": {"width": 1440, "height": 900},
                }
                | options
            )
        )
        contexts[-1].set_default_timeout(LONGEST_MILLISECONDS)
        return contexts[-1].new_page()

    yield open_page
    for context in contexts:
        context.close()


@pytest.fixture
def sign_in_as() -> Callable[..., None]:
    """Fill in the sign-in form that the page shows, and wait until the person is in."""

    def fill(page, username: str, password: str = PASSWORD, wait: bool = True) -> None:
        page.get_by_label("Username", exact=True).wait_for()
        # A form sent into a page that is still being drawn may be forgotten.
        page.locator("[data-test-script-state='notRunning']").wait_for(state="attached")
        page.get_by_label("Username", exact=True).fill(username)
        page.get_by_label("Password", exact=True).fill(password)
        page.get_by_role("button", name="Sign in").click()
        if wait:
            page.get_by_role("button", name="Sign out").wait_for()
            # The bare address leads on to the first page; a click in between may be
            # forgotten.
            page.wait_for_timeout(300)
            page.locator("[data-test-script-state='notRunning']").wait_for(state="attached")

    return fill
