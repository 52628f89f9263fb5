"""How long an Asterisk queue_log of five million lines takes to import, and how much
memory. Prints; fails nothing.
"""

from __future__ import annotations

import heapq
import os
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from qa_core.access.roles import Viewer
from qa_core.ingest import run
from qa_core.storage.records import store

LINES = int(os.environ.get("BENCH_LINES", "5000000"))
AIM_SECONDS, AIM_MEGABYTES = 60, 1000


def write_log(path: Path, lines: int) -> None:
    """Calls that overlap: most answered, some abandoned, timed out, transferred or
    never closed, with pauses of agents between.
    """
    chance = random.Random(3)
    numbers = [
        f"0{chance.choice('123467')}{chance.randrange(10**8):08}" for _number in range(400_000)
    ]
    coming: list[tuple[int, int, str]] = []
    now, written, calls, order = 1_760_000_000, 0, 0, 0
    with path.open("w") as file:
        while written < lines:
            now += chance.randrange(4)
            calls += 1
            call, queue, agent = (
                f"{now}.{calls}",
                f"queue-{chance.randrange(12)}",
                f"SIP/{1000 + chance.randrange(200)}",
            )
            wait, talk, fate = chance.randrange(1, 120), chance.randrange(20, 600), chance.random()
            caller = chance.choice(numbers) if chance.random() > 0.03 else "anonymous"
            events = [(now, f"{call}|{queue}|NONE|ENTERQUEUE||{caller}|1")]
            if chance.random() < 0.3:
                events.append(
                    (
                        now + 1,
                        f"{call}|{queue}|SIP/{1000 + chance.randrange(200)}|RINGNOANSWER|15000",
                    )
                )
            if fate < 0.15:
                events.append(
                    (
                        now + wait,
                        f"{call}|{queue}|NONE|"
                        f"{'ABANDON' if fate < 0.12 else 'EXITWITHTIMEOUT'}|1|1|{wait}",
                    )
                )
            elif fate > 0.16:
                events.append((now + wait, f"{call}|{queue}|{agent}|CONNECT|{wait}|{call}x|3"))
                if fate < 0.2:
                    events.append(
                        (
                            now + wait + talk,
                            f"{call}|{queue}|{agent}|BLINDTRANSFER|500|from-internal|{wait}|"
                            f"{talk}|1",
                        )
                    )
                elif fate > 0.21:
                    events.append(
                        (
                            now + wait + talk,
                            f"{call}|{queue}|{agent}|COMPLETECALLER|{wait}|{talk}|1",
                        )
                    )
            if chance.random() < 0.2:
                events.append((now, f"NONE|NONE|{agent}|PAUSE|lunch"))
            for at, event in events:
                order += 1
                heapq.heappush(coming, (at, order, event))
            while coming and coming[0][0] <= now and written < lines:
                at, _order, event = heapq.heappop(coming)
                file.write(f"{at}|{event}\n")
                written += 1


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "queue_log"
        write_log(log, LINES)
        os.environ["QA_HOME"] = str(Path(folder) / "home")
        Path(os.environ["QA_HOME"]).mkdir()
        store.migrate()
        began = time.perf_counter()
        report = run(Viewer.SYSTEM, "contacts", [log])[0]
        seconds = time.perf_counter() - began
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        aims = f"aims: under {AIM_SECONDS} s and {AIM_MEGABYTES} MB"
        print(
            f"queue_log of {report.tally.read:,} lines, {report.tally.new:,} calls: "
            f"{seconds:.1f} s, {memory:.0f} MB at most ({aims})"
        )


if __name__ == "__main__":
    main()
