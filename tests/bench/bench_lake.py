"""Measure the lake and the engine: a million contacts merged, changed and merged again,
a day into a large lake, and questions on 250,000.

Each step runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from qa_core.storage import engine, lake
from qa_core.storage.facts import schema
from qa_core.storage.facts.guard import Unscoped

SPAWN = multiprocessing.get_context("spawn")
MILLION = 1_000_000


def write_contacts(
    path: Path,
    count: int,
    months: int,
    first_id: int = 0,
    start: str = "2025-01-01 07:00:00",
    added_wrap: float = 0.0,
) -> None:
    """Contacts spread evenly over those months; three of them per customer on average,
    one in twenty without.
    """
    share = "(hash({seed}) % 1000003) / 1000003.0"
    duckdb.connect().execute(f"""
        COPY (
            WITH chance AS (
                SELECT i, {share.format(seed="i")} AS u, {share.format(seed="i * 7 + 1")} AS v,
                    {share.format(seed="i * 13 + 5")} AS w,
                    TIMESTAMP '{start}' + to_seconds(CAST(floor((i - {first_id}) * {months} * 30.4 *
                        86400 / {count}) AS BIGINT)) AS started_at
                FROM range({first_id}, {first_id + count}) t(i)
            )
            SELECT 'generic' AS source_system, 'c-' || lpad(CAST(i AS VARCHAR), 9,
                '0') AS contact_id, started_at,
                started_at + INTERVAL 1 HOUR AS local_start, strftime(started_at + INTERVAL 1 HOUR,
                    '%Y-%m') AS month,
                'inbound' AS direction, 'phone' AS channel,
                'queue ' || CAST(floor(u * 6) AS INTEGER) AS queue, CASE WHEN v >= 0.2
                    THEN 'reason ' || CAST(floor(v * 10) AS INTEGER) END AS reason,
                'advisor ' || CAST(floor(w * 60) AS INTEGER) AS advisor_id,
                    'team ' || CAST(floor(w * 6) AS INTEGER) AS team,
                CASE WHEN u >= 0.05 THEN sha256(CAST(CAST(floor(v * {MILLION} / 3) AS INTEGER) AS
                    VARCHAR)) END AS customer_key,
                CASE WHEN u < 0.85 THEN 'answered' ELSE 'abandoned' END AS outcome,
                    floor(u * 1000) / 10 AS wait_seconds,
                CASE WHEN u < 0.85 THEN floor(v * 600) END AS talk_seconds,
                    floor(w * 30) AS hold_seconds, floor(w * 60) + {added_wrap} AS wrap_seconds,
                0 AS transfers, u < 0.7 AS declared_resolved
            FROM chance
        ) TO '{path}' (FORMAT parquet)
    """)


def merge(home: str, path: Path, batch: str) -> tuple[lake.MergeResult, float, float, int]:
    """Returns the result, the seconds by the clock and of the processors, and the peak
    memory in MB.
    """
    os.environ["QA_HOME"] = home
    carried = [name for name in pq.read_schema(path).names if name not in schema.CONTACT_KEY]
    started, worked = time.perf_counter(), time.process_time()
    result = lake.merge_contacts(path, carried, batch)
    return (
        result,
        time.perf_counter() - started,
        time.process_time() - worked,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )


def ask(home: str) -> list[tuple[str, float, float]]:
    """Each question's median and greatest time in milliseconds, warm."""
    os.environ["QA_HOME"] = home
    c, count = schema.CONTACTS.c, sa.func.count().label("n")
    june = c.local_start >= datetime(2025, 6, 1), c.local_start < datetime(2025, 7, 1)
    week = sa.func.date_trunc("week", c.local_start)
    handled = sa.func.sum(c.talk_seconds + c.hold_seconds + c.wrap_seconds).label("handled")
    answered = sa.func.count().filter(c.outcome == "answered").label("answered")
    questions = {
        "totals of all months": (
            sa.select(count, answered, sa.func.sum(c.wait_seconds).label("wait")),
            None,
        ),
        "weekly trend of 4 measures, all months": (
            sa.select(
                week, count, answered, handled, sa.func.sum(c.wait_seconds).label("wait")
            ).group_by(week),
            None,
        ),
        "by queue, all months": (sa.select(c.queue, count, answered).group_by(c.queue), None),
        "one month by advisor": (
            sa.select(c.advisor_id, c.team, count, answered, handled)
            .where(*june)
            .group_by(c.advisor_id, c.team),
            "2025-06",
        ),
        "median wait, all months": (
            sa.select(sa.func.percentile_cont(0.5).within_group(c.wait_seconds).label("p50")),
            None,
        ),
    }
    measured = []
    for title, (statement, month) in questions.items():
        times = []
        for _round in range(32):
            started = time.perf_counter()
            engine.current().run(Unscoped(statement, "a measurement"), {}, month, month)
            times.append(1000 * (time.perf_counter() - started))
        measured.append((title, statistics.median(times[2:]), max(times[2:])))
    return measured


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, SPAWN.Pool(1, maxtasksperchild=1) as pool:
        where = Path(folder)
        write_contacts(where / "new.parquet", MILLION, 12)
        write_contacts(where / "changed.parquet", MILLION, 12, added_wrap=1.0)
        write_contacts(
            where / "day.parquet", 3_000, 1, first_id=MILLION, start="2025-12-20 07:00:00"
        )
        write_contacts(where / "demo.parquet", 250_000, 18)
        print("lake: merging contacts")
        for title, file in (
            ("1,000,000 new", "new"),
            ("the same changed", "changed"),
            ("the same again", "changed"),
            ("a day of 3,000", "day"),
        ):
            result, seconds, worked, peak = pool.apply(
                merge, (str(where / "large"), where / f"{file}.parquet", f"{title}")
            )
            print(
                f"  {title:22} {seconds:6.2f} s (processor {worked:6.2f} s)  peak {peak:4} MB   "
                f"new {result.new:,} updated {result.updated:,} unchanged {result.unchanged:,}"
            )
        pool.apply(merge, (str(where / "demo"), where / "demo.parquet", "demo"))
        print("engine: questions on 250,000 contacts of 18 months")
        for title, median, worst in pool.apply(ask, (str(where / "demo"),)):
            print(f"  {title:40} median {median:5.1f} ms  worst {worst:5.1f} ms")


if __name__ == "__main__":
    main()
