"""How much memory the real server takes with five people of five roles in five
browsers, each opening every page of theirs, and how many pages one process, two or more
serve in a minute behind nginx. Prints; fails nothing.

With QA_HOME set to a demo centre, that one is served; else one is made in a temporary
folder first.
"""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import chromium
import raw
from builders import nginx
from builders.servers import FLAGS, find_ports, serve, serve_all
from builders.visitors import PASSWORD
from playwright.sync_api import Page, sync_playwright

from qa_core.access import accounts, sessions
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.cli import demo
from qa_core.storage import lake
from qa_core.storage.records import store
from qa_core.ui.server import browser

AIM_MEGABYTES = 500
PROCESSES = tuple(map(int, os.environ.get("QA_BENCH_PROCESSES", "1,2").split(",")))
VISITORS, SECONDS = 8, 45
ROLES = ("manager", "lead", "executive", "evaluator", "admin")
ROUNDS = 3


def server_process(folder: Path) -> int:
    """The process that serves this folder."""
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            arguments, environment = (
                (entry / "cmdline").read_bytes(),
                (entry / "environ").read_bytes(),
            )
        except OSError:
            continue
        if b"streamlit" in arguments and f"QA_HOME={folder}".encode() in environment.split(b"\0"):
            return int(entry.name)
    raise SystemExit("the server's process was not found")


def megabytes(process: int, name: str) -> float:
    line = next(
        line
        for line in Path(f"/proc/{process}/status").read_text().splitlines()
        if line.startswith(name)
    )
    return int(line.split()[1]) * 1024 / 1e6


def settle(page: Page) -> None:
    """Wait until the page's script has run."""
    page.wait_for_timeout(150)
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(
        timeout=60_000
    )


def cpu_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def turn_pages(proxy: nginx.Proxy, cookies: dict[str, str], number: int, until: float) -> int:
    """Open the Overview again and again, each time of other days, so that nothing is
    remembered. Returns how often.
    """
    day, opened = environment.today() - timedelta(days=30 + 7 * number), 0
    with raw.visitor(proxy.host, cookies, tls=proxy.tls) as visitor:
        while time.perf_counter() < until:
            first = day - timedelta(days=opened)
            query = f"period=days&from={first}&to={first + timedelta(days=20)}"
            visitor.send("overview", query)
            seen = visitor.read()
            assert seen.titles == ["Overview"] and "went wrong" not in seen.text
            opened += 1
    return opened


def measure_processes(folder: Path) -> None:
    """Print pages a minute by number of processes, with their processor time."""
    name = f"visitor-{secrets.token_hex(4)}"  # people of the demo may not come through nginx
    accounts.add(Viewer.SYSTEM, name, "manager", password=PASSWORD)
    for count in PROCESSES:
        with ExitStack() as stack:
            servers = stack.enter_context(serve_all(folder, count, QA_PROXIES="127.0.0.1"))
            ports = [server.port for server in servers]
            temporary = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            # One that is shipped for and not started counts as gone.
            ports += [str(find_ports(1)[0])] if count == 1 else []
            proxy = stack.enter_context(nginx.serve(temporary, ports))
            cookies = []
            for number in range(VISITORS):
                mine = {
                    "_streamlit_xsrf": raw.generate_xsrf_token_string(),
                    "ecoute_process": ports[number % count],
                }
                here = browser.build(mine, {"host": "localhost"}, "127.0.0.1")
                mine[browser.COOKIE] = sessions.sign_in(name, PASSWORD, here, one_time_days=7)
                cookies.append(mine)
            pool = stack.enter_context(ThreadPoolExecutor(VISITORS))
            for mine in cookies[:count]:  # a cold process loads its libraries first
                turn_pages(proxy, mine, 40, time.perf_counter() + 5)
            before = sum(cpu_seconds(server.process.pid) for server in servers)
            began = time.perf_counter()
            turns = [
                pool.submit(turn_pages, proxy, mine, number, began + SECONDS)
                for number, mine in enumerate(cookies)
            ]
            opened, seconds = sum(turn.result() for turn in turns), time.perf_counter() - began
            spent = sum(cpu_seconds(server.process.pid) for server in servers) - before
            memory = sum(megabytes(server.process.pid, "VmRSS") for server in servers)
            print(
                f"{count} processes, {VISITORS} visitors: {opened * 60 / seconds:.0f} pages a "
                f"minute, {spent / opened:.2f} s CPU a page, {spent / seconds:.2f} cores used, "
                f"{memory:.0f} MB, load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
    accounts.disable(Viewer.SYSTEM, name)


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(os.environ.setdefault("QA_HOME", temporary))
        store.migrate()
        if lake.span() is None:
            demo.build(Viewer.SYSTEM)
        known = {entry["username"]: entry["password"] for entry in demo.sign_ins()}
        with serve(folder) as server, sync_playwright() as playwright:
            process = server_process(folder)
            print(f"idle: {megabytes(process, 'VmRSS'):.0f} MB")
            running = playwright.chromium.launch(executable_path=chromium.find(), args=list(FLAGS))
            pages = {}
            for role in ROLES:
                page = pages[role] = running.new_context(
                    base_url=server.url, locale="en-GB", viewport={"width": 1440, "height": 900}
                ).new_page()
                page.goto("/")
                page.get_by_label("Username", exact=True).fill(role)
                page.get_by_label("Password", exact=True).fill(known[role])
                page.get_by_role("button", name="Sign in").click()
                page.get_by_role("button", name="Sign out").wait_for(timeout=60_000)
                settle(page)
            print(f"five signed in: {megabytes(process, 'VmRSS'):.0f} MB")
            for turn in range(ROUNDS):
                began, opened = time.perf_counter(), 0
                links = {
                    role: page.locator('[data-testid="stSidebarNavLink"]').count()
                    for role, page in pages.items()
                }
                for position in range(max(links.values())):
                    for role, page in pages.items():
                        if position < links[role]:
                            page.locator('[data-testid="stSidebarNavLink"]').nth(position).click()
                            opened += 1
                    for page in pages.values():
                        settle(page)
                print(
                    f"round {turn + 1}: {opened} pages in {time.perf_counter() - began:.0f} s, "
                    f"now {megabytes(process, 'VmRSS'):.0f} MB, "
                    f"at most {megabytes(process, 'VmHWM'):.0f} MB (aim: under {AIM_MEGABYTES})",
                    flush=True,
                )
            running.close()
        measure_processes(folder)


if __name__ == "__main__":
    main()
