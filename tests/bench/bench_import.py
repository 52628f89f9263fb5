"""Import of a million contacts: as new, the same file again, a changed copy. Prints
seconds and peak memory of each, in a process of its own.

Run: python tests/bench/bench_import.py [ROWS]
"""

from __future__ import annotations

import csv
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
HEADER = [
    "contact_id",
    "started_at",
    "queue",
    "advisor",
    "customer",
    "outcome",
    "wait_seconds",
    "talk_seconds",
    "hold_seconds",
    "wrap_seconds",
    "transfers",
    "declared_resolved",
    "reason",
    "csat",
]


def write_calls(path: Path, rows: int, seed: int = 7, share_changed: float = 0.0) -> None:
    """Write a file of calls over two years; with `share_changed`, that share of them
    talked longer than in the first file.
    """
    draw, change = random.Random(seed), random.Random(seed + 1)
    start = datetime(2024, 1, 1)
    reasons = ("Billing", "Delivery", "Technical support", "Contract", "Complaint")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number in range(rows):
            at = start + timedelta(seconds=int(number * 730 * 86400 / rows))
            answered = draw.random() < 0.9
            talk = draw.randint(20, 900) + (60 if change.random() < share_changed else 0)
            measured = [
                draw.randint(0, 90),
                talk,
                draw.randint(0, 40),
                draw.randint(5, 120),
                int(draw.random() < 0.1),
                draw.choice(("yes", "no")),
                draw.choice(reasons),
                draw.choice(["", "", "3", "4", "5"]),
            ]
            if not answered:
                measured[1:6], measured[7] = [""] * 5, ""
            caller = f"06{draw.randint(0, 299_999):08d}"
            agent = f"A{draw.randint(1, 250):03d}" if answered else ""
            writer.writerow(
                [
                    f"C{number:08d}",
                    f"{at:%Y-%m-%d %H:%M:%S}",
                    f"Queue {number % 12}",
                    agent,
                    caller,
                    "answered" if answered else "abandoned",
                    *measured,
                ]
            )


def run_once(label: str, path: Path, home: Path) -> None:
    """Import in a fresh process and print what it took."""
    before = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--import", str(path)],
        env=os.environ | {"QA_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - before
    print(f"{label:28} {seconds:6.1f} s   {done.stdout.strip() or done.stderr.strip()[-400:]}")


def import_here(path: Path) -> None:
    sys.path.insert(0, str(PROJECT))
    from qa_core import ingest
    from qa_core.access.roles import Viewer
    from qa_core.storage.records import store

    store.migrate()
    steps: dict[str, float] = {}
    begun = time.perf_counter()
    report = ingest.run(
        Viewer.SYSTEM,
        "contacts",
        [path],
        progress=lambda step, share: steps.__setitem__(step, time.perf_counter() - begun),
    )[0]
    counts = " ".join(
        f"{name}={count}"
        for name, count in report.tally.as_counts().items()
        if count and isinstance(count, int)
    )
    usage = resource.getrusage(resource.RUSAGE_SELF)
    peak, busy = usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime
    ends = " ".join(f"{step.lower()} until {at:.1f}" for step, at in steps.items())
    print(f"processor {busy:.1f} s   peak {peak:.0f} MB   {counts or report.as_text()}   {ends}")


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        home, calls, changed = (
            Path(folder) / "home",
            Path(folder) / "calls.csv",
            Path(folder) / "changed.csv",
        )
        write_calls(calls, rows)
        write_calls(changed, rows, share_changed=0.05)
        print(f"{rows:,} rows, {calls.stat().st_size / 1e6:.0f} MB")
        run_once("new file", calls, home)
        run_once("same file again", calls, home)
        run_once("copy with 5 % changed", changed, home)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--import"]:
        import_here(Path(sys.argv[2]))
    else:
        main()
