"""How long people wait for a page when fifty change filters at once, against the bare page
under the same clients. Prints; fails nothing.

Each visitor is a WebSocket session of its own: changes a filter, reads the page until it
is whole, thinks, and goes on. With QA_HOME set to a demo centre, that one is served; else
one is made in a temporary folder. Three or four arguments, or none: the number of people, the
seconds they stay, the mean seconds between changes, and the number of processes of the app
among which they are divided, as nginx divides them.
"""

from __future__ import annotations

import os
import random
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

import raw
from bench_server import cpu_seconds, megabytes
from builders.servers import find_ports, serve_all
from builders.visitors import PASSWORD

from qa_core.access import accounts, sessions
from qa_core.access.roles import Viewer
from qa_core.cli import demo
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.storage import lake
from qa_core.storage.records import store
from qa_core.ui.server import browser

PEOPLE, SECONDS, THINK = map(int, sys.argv[1:4] if len(sys.argv) > 3 else (50, 300, 25))
PROCESSES = int(sys.argv[4]) if len(sys.argv) > 4 else 1
PAGES = ("overview", "traffic", "first_contact", "satisfaction")


@dataclass(frozen=True)
class Waits:
    """Seconds that people waited, and what the server spent."""

    seconds: list[float]
    errors: int
    spent: float
    lasted: float
    before: float
    after: float
    largest: float

    def describe(self, title: str) -> str:
        median, p95 = self.quantile(0.5), self.quantile(0.95)
        return (
            f"{title}: {len(self.seconds)} changes in {self.lasted:.0f} s, "
            f"median {median * 1000:.0f} ms, p95 "
            f"{p95 * 1000:.0f} ms, {self.spent / max(len(self.seconds), 1):.3f} s CPU a change, "
            f"{self.spent / self.lasted:.2f} cores, {self.before:.0f} → {self.after:.0f} MB "
            f"(at most {self.largest:.0f}), {self.errors} errors, load {os.getloadavg()[0]:.1f}"
        )

    def quantile(self, share: float) -> float:
        ordered = sorted(self.seconds)
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def stay(
    host: str,
    cookies: dict[str, str],
    choose: Callable[[random.Random], tuple[str, str]],
    seed: int,
) -> tuple[list[float], int]:
    """Change filters until the time is over. Returns the waits and the number of errors."""
    chance, waits, errors = random.Random(seed), [], 0
    time.sleep(chance.random() * THINK)
    until = time.perf_counter() + SECONDS
    with raw.visitor(host, cookies) as visitor:
        while time.perf_counter() < until:
            page, question = choose(chance)
            began = time.perf_counter()
            visitor.send(page, question)
            seen = visitor.read()
            waits.append(time.perf_counter() - began)
            errors += "went wrong" in seen.text or not seen.titles or seen.met_the_sign_in
            left = until - time.perf_counter()
            thinks = chance.expovariate(1 / THINK) if THINK else 0.0
            time.sleep(max(0.0, min(thinks, left)))
    return waits, errors


def measure(
    servers: list[tuple[str, int]],
    cookies: list[dict[str, str]],
    choose: Callable[[random.Random], tuple[str, str]],
) -> Waits:
    """Let everybody stay at once on these hosts with their processes, after one who opens the
    page first on each.
    """
    for host, _process in servers:
        with raw.visitor(host, cookies[0]) as first:
            first.send(*choose(random.Random(0)))
            first.read()
    processes = [process for _host, process in servers]

    def add_up(number: Callable[[int], float]) -> float:
        return sum(map(number, processes))

    def resident(name: str) -> float:
        return add_up(lambda process: megabytes(process, name))

    before, spent, began = resident("VmRSS"), add_up(cpu_seconds), time.perf_counter()
    with ThreadPoolExecutor(len(cookies)) as pool:
        stays = [
            pool.submit(stay, servers[number % len(servers)][0], mine, choose, number)
            for number, mine in enumerate(cookies)
        ]
        found = [item.result() for item in stays]
    return Waits(
        [wait for waits, _errors in found for wait in waits],
        sum(errors for _waits, errors in found),
        add_up(cpu_seconds) - spent,
        time.perf_counter() - began,
        before,
        resident("VmRSS"),
        resident("VmHWM"),
    )


@contextmanager
def serve_bare() -> Iterator[tuple[str, int]]:
    """Serve the bare page as Streamlit collects garbage by itself, after each run; yields its
    host with port, and its process.
    """
    [port] = find_ports(1)
    page = Path(__file__).with_name("bare_page.py")
    command = [sys.executable, "-m", "streamlit", "run", str(page), "--server.port", str(port)]
    command += ["--runner.postScriptGC", "true"]
    process = subprocess.Popen([*command, "--server.headless", "true"], stdout=subprocess.DEVNULL)
    try:
        for _attempt in range(100):
            time.sleep(0.2)
            try:
                with raw.visitor(f"127.0.0.1:{port}"):
                    break
            except OSError:
                continue
        yield f"127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def choose_bare(chance: random.Random) -> tuple[str, str]:
    return "", f"queue=queue+{chance.randrange(12)}"


def choose_own(queues: list[str]) -> Callable[[random.Random], tuple[str, str]]:
    """Return a choice among the pages, periods and queues."""

    def choose(chance: random.Random) -> tuple[str, str]:
        queue = chance.choice([None, *queues])
        period = chance.choice(("28d", "3m"))
        return chance.choice(PAGES), f"period={period}" + (f"&queue={queue}" if queue else "")

    return choose


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(os.environ.setdefault("QA_HOME", temporary))
        store.migrate()
        if lake.span() is None:
            demo.build(Viewer.SYSTEM)
        queues = [value for value, _count in query.find_values(Viewer.SYSTEM, "queue", Filters())]
        with serve_bare() as (host, process):
            nobody = [{} for _number in range(PEOPLE)]
            bare = measure([(host, process)], nobody, choose_bare)
        print(bare.describe("bare page"), flush=True)
        name = f"visitor-{secrets.token_hex(4)}"
        accounts.add(Viewer.SYSTEM, name, "manager", password=PASSWORD)
        with serve_all(folder, PROCESSES) as servers:
            cookies = []
            for _number in range(PEOPLE):
                mine = {"_streamlit_xsrf": raw.generate_xsrf_token_string()}
                here = browser.build(mine, {"host": "localhost"}, "127.0.0.1")
                mine[browser.COOKIE] = sessions.sign_in(name, PASSWORD, here, one_time_days=7)
                cookies.append(mine)
            hosts = [(server.host, server.process.pid) for server in servers]
            own = measure(hosts, cookies, choose_own(queues[:4]))
        accounts.disable(Viewer.SYSTEM, name)
        print(own.describe("Écoute"))
        print(
            f"against the bare page: median {own.quantile(0.5) / bare.quantile(0.5):.2f} ×, p95 "
            f"{own.quantile(0.95) / bare.quantile(0.95):.2f} × (aim 1.3), mean "
            f"{statistics.mean(own.seconds) / statistics.mean(bare.seconds):.2f} ×"
        )


if __name__ == "__main__":
    main()
