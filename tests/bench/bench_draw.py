"""A draw from a month of ten million contacts: seconds for the whole of it, and peak
memory. Prints; fails nothing.

Run: python tests/bench/bench_draw.py [CONTACTS] [ADVISORS] The lake is written in a
process of its own, file by file as the merge writes it; how long a merge takes is
bench_lake's business.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from datetime import date, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from qa_core.access.roles import Viewer
from qa_core.quality import sampling
from qa_core.quality.sampling import draws
from qa_core.storage.facts import schema
from qa_core.storage.lake import tables
from qa_core.storage.records import store
from qa_core.storage.records.listening import AdvisorNotice, ListeningPlan
from qa_core.storage.records.people import Advisor

MONTH = datetime(2026, 10, 1)


def main(contacts: int = 10_000_000, advisors: int = 1000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["QA_HOME"] = folder
        store.migrate()
        began = time.perf_counter()
        writer = multiprocessing.get_context("spawn").Process(
            target=_fill, args=(contacts, advisors)
        )
        writer.start()
        writer.join()
        print(
            f"{tables.snapshot('contacts').rows} contacts of {advisors} advisors written in "
            f"{time.perf_counter() - began:.1f} s",
            flush=True,
        )
        with store.writing() as session:
            session.add_all(
                Advisor(advisor_id=f"a{number}", name=f"Advisor {number}")
                for number in range(advisors)
            )
            session.flush()
            session.add_all(
                AdvisorNotice(
                    advisor_id=f"a{number}", informed_on=date(2026, 1, 1), entered_by="bench"
                )
                for number in range(advisors)
            )
            plan = ListeningPlan(
                name="bench",
                purpose="quality",
                starts_on=MONTH.date(),
                ends_on=date(2026, 10, 31),
                grid_key="-",
                created_by="bench",
            )
            plan.per_advisor, plan.maximum_per_advisor, plan.strata = 4, 6, ["channel", "weekday"]
            session.add(plan)
            session.flush()
            before = _memory()
            for run in ("first", "second"):
                began, worked = time.perf_counter(), time.process_time()
                result: sampling.DrawResult = draws.compute(session, Viewer.SYSTEM, plan, 5)
                seconds, worked = time.perf_counter() - began, time.process_time() - worked
                print(
                    f"{run} draw: {len(result.drawn)} of a frame of {result.frame}: "
                    f"{seconds:.1f} s, {worked:.1f} s of processors",
                    flush=True,
                )
    print(f"peak memory {_memory()} MB, {before} MB before the first draw")


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _fill(contacts: int, advisors: int) -> None:
    known = {
        "source_system": "'acd'",
        "contact_id": "'c' || n",
        "month": f"'{MONTH:%Y-%m}'",
        "started_at": f"TIMESTAMP '{MONTH}' + to_seconds(n * 2600000 // {contacts})",
        "local_start": f"TIMESTAMP '{MONTH}' + to_seconds(n * 2600000 // {contacts} + 3600)",
        "direction": "'inbound'",
        "channel": "CASE WHEN hash(n) % 4 = 0 THEN 'chat' ELSE 'phone' END",
        "queue": "'q' || hash(n + 1) % 8",
        "advisor_id": f"'a' || hash(n + 2) % {advisors}",
        "outcome": "CASE WHEN hash(n + 3) % 10 = 0 THEN 'abandoned' ELSE 'answered' END",
        "talk_seconds": "hash(n + 4) % 900",
        "recorded": "true",
        "notice_played": "hash(n + 5) % 50 > 0",
        "batch_id": "'bench'",
    }
    columns = ", ".join(
        f"CAST({known.get(column.name, 'NULL')} AS {tables.sql_type(column)}) AS {column.name}"
        for column in schema.CONTACTS.columns
    )
    base = tables.snapshot("contacts")
    with tables.writing("contacts"), tables.scratch(contacts) as connection:
        part = tables.write_part(
            connection, base, f"{MONTH:%Y-%m}", f"SELECT {columns} FROM range({contacts}) t(n)"
        )
        tables.commit(base, tables.Commit(adds=[part]))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
