"""Pull of a day of 50,000 calls from Aircall's fake into a centre that has contacts, then of single
calls by the same worker. Prints processor seconds and the largest memory; fails nothing.

Run: python tests/bench/bench_pull.py [CONTACTS], or with QA_HOME of a centre, which is changed.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
from datetime import date, timedelta
from multiprocessing.synchronize import Semaphore
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from qa_core.access.roles import Viewer
from qa_core.sources import pull, register
from qa_core.sources.ledger import find_span
from qa_core.storage.records import store

SPAWN = multiprocessing.get_context("spawn")
DAY = date(2025, 12, 18)
CALLS = 50_000
SINGLE = 4


def serve(address: Any, more: Semaphore) -> None:
    """Serve the calls of the day; each `more` adds one to those of the day before it."""
    from builders.fakes import FAKES, make_calls
    from builders.source_servers import Call

    fake = FAKES["aircall"](is_capped=False)
    first = random.randrange(10**9)
    calls = make_calls("aircall", random.Random(first), find_span(DAY), CALLS, first)
    before = find_span(DAY - timedelta(days=1))
    single = list(make_calls("aircall", random.Random(1), before, SINGLE, first + CALLS).values())
    days = {DAY: sorted(calls.values(), key=lambda call: (call.start, call.id))}
    shown: list[Call] = []

    def find(since: Any, until: Any) -> list[Call]:
        place = shown if until <= find_span(DAY).since else days[DAY]
        return [call for call in place if since <= call.start < until]

    fake.find = find
    with fake.serve(Path()):
        address.send(fake.address)
        for call in single:
            more.acquire()
            shown.append(call)
            address.send(None)
        more.acquire()


def measure(day: date, title: str) -> None:
    spent = time.process_time()
    [(_entry, window)] = pull.pull(Viewer.SYSTEM, ("bench",), day, day)
    spent = time.process_time() - spent
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    counts = {name: window.counts[name] for name in ("new", "unchanged")}
    print(
        f"{title:20} {spent:6.2f} s CPU, at most {largest} MB, {window.state}, {counts}", flush=True
    )


def pull_here(address: Any, more: Semaphore) -> None:
    store.migrate()
    os.environ["QA_OUTSIDE_HOSTS"] = "127.0.0.1"
    register.add(
        Viewer.SYSTEM, "bench", "aircall", "contacts", address.recv(), None, DAY, "acc:tok-f00d"
    )
    measure(DAY, f"{CALLS} calls")
    for number in range(SINGLE):
        more.release()
        address.recv()
        measure(DAY - timedelta(days=1), f"call {number + 1} of a day")
    register.remove(Viewer.SYSTEM, "bench")
    more.release()


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        if "QA_HOME" not in os.environ:
            import bench_import  # here, so that it is not in the memory that is measured

            os.environ["QA_HOME"] = f"{folder}/home"
            bench_import.write_calls(Path(folder) / "calls.csv", rows)
            bench_import.run_once("contacts", Path(folder) / "calls.csv", Path(folder) / "home")
        here, there = SPAWN.Pipe()
        more = SPAWN.Semaphore(0)
        workers = [
            SPAWN.Process(target=work, args=(end, more))
            for work, end in ((serve, there), (pull_here, here))
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()


if __name__ == "__main__":
    main()
