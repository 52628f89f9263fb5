"""How long the demo centre of `make run` takes to simulate and import, and how much
memory. Prints; fails nothing.
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from qa_core.access.roles import Viewer
from qa_core.cli import demo
from qa_core.storage.records import store

AIM_SECONDS = 40


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["QA_HOME"] = folder
        store.migrate()
        began = last = time.perf_counter()
        steps: list[tuple[str, float]] = []

        def tell(step: str, share: float) -> None:
            nonlocal last
            now = time.perf_counter()
            if steps:
                steps[-1] = (steps[-1][0], now - last)
            steps.append((step, 0.0))
            last = now

        demo.build(Viewer.SYSTEM, plan=demo.DemoPlan(last_day=date(2026, 11, 22)), progress=tell)
        ended = time.perf_counter()
        steps[-1] = (steps[-1][0], ended - last)
        for step, seconds in steps:
            print(f"  {seconds:6.2f} s  {step}")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"demo centre, 250,000 contacts: {ended - began:.1f} s (aim: under {AIM_SECONDS} "
            f"s), {memory:.0f} MB at most"
        )
        began = time.perf_counter()
        demo.remove(Viewer.SYSTEM)
        print(f"taken away again: {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main()
