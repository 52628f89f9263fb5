"""Fixtures shared by the tests: an empty centre in a folder of its own."""

from __future__ import annotations

import fcntl
import functools
import gc
import os
import pickle
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
import streamlit
from builders import postgresql
from builders.centres import ENVIRONMENT
from builders.random_centre import records as records
from builders.visitors import PASSWORD, Visitor
from sqlalchemy.dialects.sqlite.base import SQLiteDialect
from streamlit.components.v2 import manifest_scanner
from streamlit.testing.v1 import AppTest, local_script_runner
from streamlit.util import calc_hash
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string
from tools import durations, sources
from xdist.scheduler.loadfile import LoadFileScheduling

from qa_core.access import accounts, passwords, sessions
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.storage.engine import DuckDbEngine
from qa_core.storage.records import store

# No test depends on an idle machine: it fails no test that an example takes long to
# make or to run.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")

# For each app that is opened, AppTest looks through all installed packages for
# components; they stay the same while tests run.
manifest_scanner.scan_component_manifests = functools.cache(
    manifest_scanner.scan_component_manifests
)


SQLiteDialect.__eq__ = lambda one, other: type(one) is type(other)
SQLiteDialect.__hash__ = lambda one: hash(type(one))
STATEMENTS = sa.util.LRUCache(10_000)


@sa.event.listens_for(sa.Engine, "engine_connect")
def share_compiled_statements(connection: sa.Connection) -> None:
    """Have the databases of all tests share their compiled statements: each would compile, and
    keep in memory, some hundred of its own.
    """
    if isinstance(connection.dialect, SQLiteDialect):
        connection.execution_options(compiled_cache=STATEMENTS)


TESTS = Path(__file__).parent

passwords.ROUNDS = 4
"""The cheapest that bcrypt takes. A test of what a password costs sets its own."""


def pytest_xdist_auto_num_workers() -> int:
    """Run one process more than there are cores: those in a browser wait for its pages."""
    return (os.cpu_count() or 1) + 1


OF_THE_SOURCE = re.compile(r"tests/test_(architecture|dependencies|docs|documents|rooms|words)\.py")
"""Tests that read the source: one process runs them all, and parses it once."""
SHARED_OUT = re.compile(
    r"tests/((access/test_matrix|metrics/test_suppression)\.py::test_no_|"
    r"corpus/test_drawn\.py::test_many_)"
)
"""Tests without fixtures of their file, or whose fixtures are made once for all processes:
each process takes one after the other. Of all other files, one process runs all tests.
"""


class ByFile(LoadFileScheduling):
    def _split_scope(self, nodeid: str) -> str:
        if OF_THE_SOURCE.match(nodeid):
            return "source"
        return nodeid if SHARED_OUT.match(nodeid) else super()._split_scope(nodeid)

    def _reschedule(self, node: Any) -> None:
        """Give a process that replaces a crashed one two tests to begin with: each runs a test
        once it knows the next, and would wait for ever with one alone.
        """
        super()._reschedule(node)
        if not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
            self._reschedule(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile | None:
    return ByFile(config, log) if config.getoption("dist") == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Any:
    """Have one process compile the tests where they are not, while the others wait: of a fresh
    clone, each would compile them all.
    """
    here = os.open(TESTS, os.O_RDONLY)
    if "PYTEST_XDIST_WORKER" in os.environ and not any(TESTS.glob("ui/__pycache__/*-pytest-*")):
        fcntl.flock(here, fcntl.LOCK_EX)
    try:
        return (yield)
    finally:
        os.close(here)


def pytest_collection_finish() -> None:
    """Have the garbage collector leave out what is imported, and look less often: going
    through it took every fifteenth second of the tests.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    if OF_THE_SOURCE.match(item.nodeid) and not (nextitem and OF_THE_SOURCE.match(nextitem.nodeid)):
        sources.forget()


MAIN = sys.modules["__main__"]
MAX_SECONDS = 300
"""How long a page may take on a busy machine before it counts as broken."""


def wait_for_script(runner: Any, _timeout: float = 0) -> None:
    """Wait until the script of an AppTest is over. Streamlit's own function looks a thousand
    times a second, and gives up after three seconds.
    """
    runner._script_thread.join(MAX_SECONDS)
    sys.modules["__main__"] = MAIN  # a process that a test starts would run the page again
    if not runner.script_stopped():
        runner.request_stop()
        raise RuntimeError(f"the page took longer than {MAX_SECONDS} seconds")


local_script_runner.require_widgets_deltas = wait_for_script


MEMORY = Path("/dev/shm")
"""Files in memory, on Linux."""
MEMORY_NEEDED = 4 << 30


def keep_files_in_memory() -> None:
    """Have the folders of tests in memory where there is room: each write to the records and
    to the lake waits for the disk, some ten thousand times in a run.
    """
    if (
        "PYTEST_DEBUG_TEMPROOT" not in os.environ
        and os.access(MEMORY, os.W_OK)
        and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED
    ):
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(MEMORY)


def pytest_configure(config: pytest.Config) -> None:
    keep_files_in_memory()
    config.pluginmanager.register(durations.Durations(config))
    if postgresql.IS_ON and (reason := postgresql.explain_absence()):
        pytest.exit(f"The tests do not run on PostgreSQL: {reason}", returncode=0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if postgresql.IS_ON and (mark := item.get_closest_marker("sqlite")):
            item.add_marker(pytest.mark.skip(reason=f"only on SQLite: {mark.args[0]}"))


@pytest.fixture(scope="session")
def empty_records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The records of an empty centre, migrated once: going through every migration anew
    would be a good part of the time of most tests.
    """
    folder = tmp_path_factory.mktemp("empty")
    with pytest.MonkeyPatch.context() as patch:
        for name in ENVIRONMENT:
            patch.delenv(name, raising=False)
        patch.setenv("QA_HOME", str(folder))
        store.migrate()
        store.engine_for(
            environment.current().database_url
        ).dispose()  # the last connection that closes leaves everything in the one file
        return store.file_of(environment.current().database_url)


@pytest.fixture
def centre(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Path]:
    """An empty centre: records migrated, no lake yet, secrets made on first use.
    Returns its folder.

    On PostgreSQL, the app's role owns nothing; tests that change what it may not are
    marked `owner`.
    """
    for name in ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    environment._read_shift.cache_clear()  # a moved clock starts anew, not at another test's
    monkeypatch.setenv("QA_HOME", str(tmp_path))
    if not postgresql.IS_ON:
        shutil.copy(request.getfixturevalue("empty_records"), tmp_path)
        yield tmp_path
        return
    is_owner = request.node.get_closest_marker("owner")
    role = postgresql.OWNER if is_owner else postgresql.APPLICATION
    with postgresql.fresh_records(monkeypatch, role):
        yield tmp_path


@pytest.fixture(scope="session")
def build_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Any]:
    """Build a centre once for all processes of the tests: `build_once("marked", folder,
    build)` lets `build` fill the folder, which is the centre's, or copies what it filled
    elsewhere. Returns what it returned.
    """
    base = tmp_path_factory.getbasetemp()
    together = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def make(name: str, folder: Path, build: Callable[[], Any]) -> Any:
        kept, returned = together / f"built-{name}", together / f"built-{name}.pickle"
        with (together / f"built-{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not returned.exists():
                found = build()
                store.close()
                shutil.copytree(folder, kept, dirs_exist_ok=True)
                returned.write_bytes(pickle.dumps(found))
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        return pickle.loads(returned.read_bytes())

    return make


@pytest.fixture(scope="session")
def made_centres() -> dict[Callable[..., Any], tuple[Path, Any]]:
    return {}


@pytest.fixture
def start_from(
    centre: Path,
    tmp_path_factory: pytest.TempPathFactory,
    made_centres: dict[Callable[..., Any], tuple[Path, Any]],
) -> Callable[..., Any]:
    """Start from what that function makes of the empty centre, before anything else is in
    it: `start_from(build, add_person)`. The function runs once, later tests start from a
    copy of the stores. Returns what it returned.
    """

    def start(build: Callable[..., Any], *given: Any) -> Any:
        if postgresql.IS_ON:
            return build(*given)
        if build in made_centres:
            folder, found = made_centres[build]
            shutil.copytree(folder, centre, dirs_exist_ok=True)
        else:
            found = build(*given)
            store.close()
            folder = tmp_path_factory.mktemp("made")
            shutil.copytree(centre, folder, dirs_exist_ok=True)
            made_centres[build] = folder, found
        with store.reading() as session:
            session.connection()  # the records are in use, as they are after a build
        return found

    return start


@pytest.fixture
def add_person(centre: Path) -> Callable[..., str]:
    """Add an account with `PASSWORD`: `add_person("lea", "manager", sites=("Lyon",))`.
    Returns its name.
    """

    def add(username: str, role: str, **bounds: Any) -> str:
        accounts.add(Viewer.SYSTEM, username, role, password=PASSWORD, **bounds)
        return username

    return add


@pytest.fixture
def open_app(
    add_person: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., AppTest]:
    """Open the app as that person (None: a stranger), on that page ("overview"; None:
    where the app leads), with that query.

    The person is signed in for real: a session in the records, its cookie in the
    browser's connection. `password`: of accounts that `add_person` did not make.
    """
    from qa_core.ui.frame import menu
    from qa_core.ui.server import browser

    def open_page(
        username: str | None, page: str | None = None, password: str = PASSWORD, **query: str
    ) -> AppTest:
        cookies = {"_streamlit_xsrf": generate_xsrf_token_string(b"0123456789abcdef")}
        if username is not None:
            cookies[browser.COOKIE] = sessions.sign_in(
                username,
                password,
                browser.build(cookies, {"host": "localhost"}, "127.0.0.1"),
                one_time_days=7,
            )
        app = AppTest.from_file(str(environment.PROJECT / "qa_core/ui/front_door.py"))
        run = app._run

        def run_with_own_cookies(*arguments: Any, **options: Any) -> AppTest:
            context = "streamlit.runtime.context._get_client_context"
            monkeypatch.setattr(context, lambda: Visitor(cookies=cookies))
            return run(*arguments, **options)

        app._run = run_with_own_cookies
        if page is not None:
            # As a link does; `switch_page` would draw the person's first page before it.
            app._page_hash = calc_hash(menu.find_page(page).key)
        for name, value in query.items():
            app.query_params[name] = value
        return app.run()

    yield open_page
    streamlit.cache_data.clear()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the statements that the engine runs on the lake from now on."""
    statements: list[str] = []
    run = DuckDbEngine.run

    def note(engine: DuckDbEngine, query: Any, *given: Any, **named: Any) -> Any:
        statements.append(str(query.statement))
        return run(engine, query, *given, **named)

    monkeypatch.setattr(DuckDbEngine, "run", note)
    return statements
