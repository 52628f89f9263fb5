"""The lake with several processes at once: two writers both land, a reader never sees
half, and a killed writer leaves no trace.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa
from builders.long_seeds import leave_to_long

from qa_core.base.progress import Progress, ignore_progress
from qa_core.storage import engine, lake
from qa_core.storage.facts import schema
from qa_core.storage.facts.guard import Unscoped

SPAWN = multiprocessing.get_context(
    "spawn"
)  # as other programs would run: nothing shared with us but the folder
SCHEMA = schema.arrow_schema(schema.CONTACTS)
START = datetime(2026, 1, 1)
CONTACTS = 3_000
SECONDS = 300


def rows(first: int, count: int, wait: float) -> pa.Table:
    """Contacts over three months, each customer back after a thousand others; all with
    the same wait.
    """
    numbers = range(first, first + count)
    starts = [START + timedelta(seconds=2400 * (number % CONTACTS)) for number in numbers]
    columns = {
        "source_system": ["generic"] * count,
        "contact_id": [f"c{number:06}" for number in numbers],
        "started_at": starts,
        "local_start": starts,
        "month": [f"{start:%Y-%m}" for start in starts],
        "customer_key": [f"customer {number % 1000}" for number in numbers],
        "wait_seconds": [wait] * count,
    }
    return pa.table(columns, schema=pa.schema([SCHEMA.field(name) for name in columns]))


def merge(
    first: int, count: int, wait: float, batch: str, progress: Progress = ignore_progress
) -> lake.MergeResult:
    return lake.merge_contacts(
        rows(first, count, wait), ["customer_key", "wait_seconds"], batch, progress=progress
    )


def merge_when_told(home: str, first: int, batch: str, start: Event) -> None:
    os.environ["QA_HOME"] = home
    start.wait(SECONDS)
    merge(first, CONTACTS, 1.0, batch)


def merge_and_hang(home: str, share: float, told: Connection) -> None:
    """Merge until that share of the work is done, then say so and wait to be killed."""
    os.environ["QA_HOME"] = home

    def hang(step: str, done: float) -> None:
        if done >= share:
            told.send(done)
            time.sleep(SECONDS)

    merge(0, CONTACTS, 1.0, "killed", progress=hang)


def merge_until_killed(home: str, told: Connection) -> None:
    os.environ["QA_HOME"] = home
    for number in range(1000):
        told.send(number)
        merge(0, CONTACTS, float(number), f"k{number}")


def read_until_told(home: str, stop: Event, seen: Connection) -> None:
    os.environ["QA_HOME"] = home
    c = schema.CONTACTS.c
    statement = sa.select(
        sa.func.count().label("n"),
        sa.func.min(c.wait_seconds).label("least"),
        sa.func.max(c.wait_seconds).label("greatest"),
    )
    query = Unscoped(statement, "a test reads all rows")
    states = set()
    while not stop.is_set():
        states.add(next(iter(engine.current().run(query).itertuples(index=False, name=None))))
        if len(states) == 1:
            seen.send("started")
    seen.send(states)


def content() -> list[tuple]:
    with lake.working() as connection:
        return connection.execute(
            f"SELECT contact_id, month, wait_seconds, {', '.join(schema.NEIGHBOURS)} FROM "
            "contacts ORDER BY contact_id"
        ).fetchall()


def test_two_imports_at_once_both_land_as_if_one_had_come_after_the_other(
    centre: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = SPAWN.Event()
    writers = [
        SPAWN.Process(
            target=merge_when_told, args=(str(centre), number * CONTACTS, f"b{number}", start)
        )
        for number in range(2)
    ]
    for writer in writers:
        writer.start()
    start.set()
    for writer in writers:
        writer.join(SECONDS)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert lake.has_commit("b0") and lake.has_commit("b1")
    together = content()
    assert len(together) == 2 * CONTACTS
    monkeypatch.setenv("QA_HOME", str(centre / "alone"))
    merge(0, 2 * CONTACTS, 1.0, "b0")
    assert together == content()


def test_a_reader_during_imports_sees_the_old_or_the_new_state_and_never_half(centre: Path) -> None:
    merge(0, CONTACTS, 0.0, "b0")
    stop = SPAWN.Event()
    ours, theirs = SPAWN.Pipe()
    reader = SPAWN.Process(target=read_until_told, args=(str(centre), stop, theirs))
    reader.start()
    assert ours.poll(SECONDS)
    for number in range(1, 5):
        merge(0, CONTACTS, float(number), f"b{number}")
    stop.set()
    states = "started"
    while states == "started":
        assert ours.poll(SECONDS)
        states = ours.recv()
    reader.join(SECONDS)
    assert states <= {(CONTACTS, float(number), float(number)) for number in range(5)}
    assert len(states) > 1


@pytest.mark.parametrize("share", leave_to_long([0.3, 0.6, 1.0], but=[0.6]))
def test_an_import_killed_midway_leaves_the_old_state_and_the_next_one_works(
    centre: Path, share: float
) -> None:
    merge(0, CONTACTS, 0.0, "b0")
    before, files = content(), lake.files("contacts")
    ours, theirs = SPAWN.Pipe()
    writer = SPAWN.Process(target=merge_and_hang, args=(str(centre), share, theirs))
    writer.start()
    assert ours.poll(SECONDS)
    os.kill(writer.pid, signal.SIGKILL)
    writer.join(SECONDS)
    assert (content(), lake.files("contacts"), lake.has_commit("killed")) == (before, files, False)
    result = merge(0, CONTACTS, 2.0, "killed")
    assert (result.new, result.updated) == (0, CONTACTS)
    assert {wait for _id, _month, wait, *_rest in content()} == {2.0}
    assert lake.vacuum() > 0
    assert list((centre / "tmp").glob("lake-*")) == []
    lake.undo("killed")
    assert content() == before


@pytest.mark.long
def test_imports_killed_at_any_moment_leave_one_whole_state(centre: Path) -> None:
    merge(0, CONTACTS, -1.0, "b0")
    chance = random.Random(5)
    for _round in range(40):
        ours, theirs = SPAWN.Pipe()
        writer = SPAWN.Process(target=merge_until_killed, args=(str(centre), theirs))
        writer.start()
        assert ours.poll(SECONDS)
        time.sleep(chance.uniform(0, 1.5))
        os.kill(writer.pid, signal.SIGKILL)
        writer.join(SECONDS)
        rows = content()
        assert len(rows) == CONTACTS
        assert len({wait for _id, _month, wait, *_rest in rows}) == 1
