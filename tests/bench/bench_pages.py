"""How long each page's script runs, first and warm, for each role of the demo centre,
and how much memory the process takes, at most and afterwards; then the same of `kpi`, each
time in a process of its own. Prints; fails nothing.

With QA_HOME set to a demo centre, that one is opened (it is migrated first); else one
is made in a temporary folder.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from streamlit.testing.v1 import AppTest
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string

from qa_core.access import sessions
from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.cli import demo
from qa_core.storage import lake
from qa_core.storage.records import store
from qa_core.ui import browser, menu
from qa_core.ui.views.performance import overview

AIM_MILLISECONDS, AIM_MEGABYTES = 300, 1000
COMMANDS = ([], ["--by", "month"], ["--by", "queue"], ["--by", "team"], ["--by", "advisor"])
"""Arguments of `kpi`, after these names."""
KPIS = (*overview.FIRST, *overview.SECOND)
REPEATS = 7


@dataclass(frozen=True)
class Visitor:
    """A browser as Streamlit knows it: what its connection brought along."""

    headers: tuple[tuple[str, str], ...] = (
        ("Host", "localhost:8501"),
        ("User-Agent", "a measurement"),
        ("Accept-Language", "en"),
    )
    cookies: dict[str, str] = field(default_factory=dict)
    remote_ip: str | None = "127.0.0.1"


@contextmanager
def centre() -> Iterator[None]:
    """The centre of QA_HOME, or a demo centre that is gone afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("QA_HOME", folder)
        store.migrate()
        if lake.span() is None:
            demo.build(Viewer.SYSTEM)
        yield


def resident() -> float:
    """The memory that the process holds now, in megabytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def forget_peak() -> None:
    """Count the largest memory anew."""
    Path("/proc/self/clear_refs").write_text("5")


def find_peak() -> float:
    """The largest memory since `forget_peak`, in megabytes."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measure_commands() -> None:
    for arguments in COMMANDS:
        command = [sys.executable, "-m", "qa_core", "kpi", *KPIS, *arguments]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=environment.PROJECT)
        _pid, status, used = os.wait4(process.pid, 0)
        name = " ".join(["kpi", *arguments])
        spent, failed = used.ru_utime + used.ru_stime, "  fails" if status else ""
        print(f"{name:36s} {spent:6.1f} s of processor, {used.ru_maxrss / 1024:6.0f} MB{failed}")


def measure_pages(role: Role, username: str, password: str) -> None:
    """Sign in as that person and run every page that is open to it."""
    cookies = {"_streamlit_xsrf": generate_xsrf_token_string(b"0123456789abcdef")}
    cookies[browser.COOKIE] = sessions.sign_in(
        username,
        password,
        browser.build(cookies, {"host": "localhost"}, "127.0.0.1"),
        one_time_days=7,
    )
    with mock.patch(
        "streamlit.runtime.context._get_client_context", lambda: Visitor(cookies=cookies)
    ):
        app = AppTest.from_file(
            str(environment.PROJECT / "qa_core/ui/front_door.py"), default_timeout=120
        ).run()
        for page in (
            page
            for pages in menu.MENU.values()
            for page in pages
            if page.is_open_to(Viewer(username, role))
        ):
            seconds, busy = [], []
            forget_peak()
            for _round in range(REPEATS + 1):
                wall, processor = time.perf_counter(), time.process_time()
                app.switch_page(page.path).run()
                seconds.append((time.perf_counter() - wall) * 1000)
                busy.append((time.process_time() - processor) * 1000)
            warm = statistics.median(seconds[1:])
            remark = (
                "  fails" if app.exception else "  over the aim" if warm > AIM_MILLISECONDS else ""
            )
            print(
                f"{role:11s} {page.key:24s} {seconds[0]:8.0f} {warm:8.0f} "
                f"{min(seconds[1:]):8.0f} {statistics.median(busy[1:]):8.0f} "
                f"{resident():8.0f} {find_peak():8.0f}{remark}",
                flush=True,
            )


def main() -> None:
    with centre():
        print(
            f"{'role':11s} {'page':24s} {'first':>8s} {'warm':>8s} {'least':>8s} {'cpu':>8s} "
            f"{'MB':>8s} {'peak':>8s}   (milliseconds)"
        )
        for entry in demo.sign_ins():
            measure_pages(Role(entry["role"]), entry["username"], entry["password"])
        measure_commands()
        print(f"aim: at most {AIM_MEGABYTES} MB")


if __name__ == "__main__":
    main()
