"""A draw from a month of ten million contacts: seconds for the whole of it, and peak memory. Prints; fails nothing.

Run: python tests/bench/bench_draw.py [CONTACTS] [ADVISORS]
"""

from __future__ import annotations

import os
import resource
import sys
import tempfile
import time
from datetime import date, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import duckdb

from qa_core import facts, lake, sampling
from qa_core.access import Viewer
from qa_core.records import store
from qa_core.records.listening import AdvisorNotice, ListeningPlan
from qa_core.records.model import Advisor
from qa_core.sampling import draws

MONTH = datetime(2026, 10, 1)


def main(contacts: int = 10_000_000, advisors: int = 2000) -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["QA_HOME"] = folder
        store.migrate()
        _fill(contacts, advisors)
        with store.writing() as session:
            session.add_all(Advisor(advisor_id=f"a{number}", name=f"Advisor {number}") for number in range(advisors))
            session.flush()
            session.add_all(AdvisorNotice(advisor_id=f"a{number}", informed_on=date(2026, 1, 1), entered_by="bench") for number in range(advisors))
            plan = ListeningPlan(name="bench", purpose="quality", starts_on=MONTH.date(), ends_on=date(2026, 10, 31), grid_key="-", created_by="bench")
            plan.per_advisor, plan.maximum_per_advisor, plan.strata = 4, 6, ["channel", "weekday"]
            session.add(plan)
            session.flush()
            for run in ("first", "second"):
                began, worked = time.perf_counter(), time.process_time()
                result: sampling.Result = draws.compute(session, Viewer.SYSTEM, plan, 5)
                seconds, worked = time.perf_counter() - began, time.process_time() - worked
                print(f"{run} draw: {len(result.drawn)} of a frame of {result.frame} in {contacts} contacts: {seconds:.1f} s, {worked:.1f} s of processors")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


def _fill(contacts: int, advisors: int) -> None:
    given = [column.name for column in facts.CONTACTS.columns if column.name not in (*facts.NEIGHBOURS, "batch_id")]
    schema = facts.arrow_schema(facts.CONTACTS)
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
    }
    types = {field.name: str(field.type) for field in schema}
    sql = {"string": "VARCHAR", "double": "DOUBLE", "bool": "BOOLEAN", "int32": "INTEGER", "timestamp[us]": "TIMESTAMP"}
    columns = ", ".join(f"CAST({known.get(name, 'NULL')} AS {sql[types[name]]}) AS {name}" for name in given)
    part = 2_500_000  # each merge writes the month anew
    for start in range(0, contacts, part):
        table = duckdb.sql(f"SELECT {columns} FROM range({start}, {min(contacts, start + part)}) t(n)").to_arrow_table()
        lake.merge_contacts(table, [name for name in given if name not in (*facts.CONTACT_KEY, "month")], f"b{start}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
