"""A lake that an earlier version wrote: what was not known then reads as missing, and
the next import brings it up to date, once.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from datetime import date, datetime
from multiprocessing.synchronize import Event
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from qa_core.storage import lake
from qa_core.storage.facts.schema import CONTACT_KEY, INTERVAL_KEY, arrow_schema
from qa_core.storage.lake import maintenance, tables

SPAWN = multiprocessing.get_context("spawn")
NOON = datetime(2026, 3, 10, 12)
LATER = datetime(2026, 5, 2, 9)
STARTED = {"source_system": "generic", "started_at": NOON, "local_start": NOON, "month": "2026-03"}
ROWS = {
    "contacts": {
        **STARTED,
        "contact_id": "c1",
        "ticket": "T1",
        "customer_key": "ann",
        "outcome": "answered",
        "wait_seconds": 5.0,
    },
    "intervals": {
        **STARTED,
        "length_minutes": 30,
        "queue": "sales",
        "channel": "phone",
        "team": None,
        "received": 9,
        "short_abandons": 2,
    },
    "spend": {
        "day": date(2026, 3, 10),
        "month": "2026-03",
        "source": "Google",
        "medium": None,
        "campaign": "spring",
        "amount": 12.5,
        "currency": "EUR",
    },
}
ADDED = {"contacts": "ticket", "intervals": "short_abandons", "spend": "campaign"}
"""In each table, a column that the earlier version did not have."""


def merge(name: str, batch: str, **changes: object) -> lake.MergeResult:
    row = {**ROWS[name], **changes}
    schema = arrow_schema(tables.TABLES[name])
    rows = pa.Table.from_pylist([row], schema=pa.schema([schema.field(column) for column in row]))
    carried = [column for column in row if column not in (*CONTACT_KEY, *INTERVAL_KEY)]
    if name == "contacts":
        return lake.merge_contacts(
            rows, [column for column in row if column not in CONTACT_KEY], batch
        )
    return (
        lake.merge_spend(rows, batch)
        if name == "spend"
        else lake.merge_intervals(rows, carried, batch)
    )


def forget_column(name: str) -> Path:
    """Write the table anew as the earlier version had it; returns its folder."""
    folder = tables.snapshot(name).folder
    with lake.working(others={name}) as connection:
        rows = connection.sql(f"SELECT * EXCLUDE ({ADDED[name]}) FROM {name}").to_arrow_table()
    shutil.rmtree(folder)
    write_deltalake(folder, rows, partition_by=["month"])
    return folder


def read(name: str, *columns: str) -> list[tuple]:
    with lake.working(others={name}) as connection:
        return connection.execute(
            f"SELECT {', '.join(columns)} FROM {name} ORDER BY ALL"
        ).fetchall()


def columns_in_lake(folder: Path) -> list[str]:
    return [field.name for field in DeltaTable(folder).schema().fields]


@pytest.mark.parametrize("name", ROWS)
def test_a_column_that_an_old_lake_has_not_reads_as_missing_in_its_type(
    centre: Path, name: str
) -> None:
    merge(name, "b1")
    folder = forget_column(name)
    before = columns_in_lake(folder)
    assert read(name, ADDED[name]) == [(None,)]
    with lake.working(others={name}) as connection:
        (kind,) = connection.execute(f"SELECT typeof({ADDED[name]}) FROM {name}").fetchone()
    assert kind == tables.sql_type(tables.TABLES[name].columns[ADDED[name]])
    assert columns_in_lake(folder) == before, "reading changes nothing"


@pytest.mark.parametrize("name", ROWS)
def test_the_next_import_adds_the_column_to_an_old_lake_once(centre: Path, name: str) -> None:
    merge(name, "b1")
    folder = forget_column(name)
    moment = (
        {"day": LATER.date()} if name == "spend" else {"started_at": LATER, "local_start": LATER}
    )
    merge(
        name,
        "b2",
        month="2026-05",
        **moment,
        **({"contact_id": "c2"} if name == "contacts" else {}),
    )
    assert read(name, "month", ADDED[name]) == [
        ("2026-03", None),
        ("2026-05", ROWS[name][ADDED[name]]),
    ]
    merge(
        name,
        "b3",
        month="2026-05",
        **moment,
        **({"contact_id": "c3"} if name == "contacts" else {}),
    )
    assert sorted(columns_in_lake(folder)) == sorted(tables.columns_of(name))
    assert [entry["operation"] for entry in DeltaTable(folder).history()].count("ADD COLUMN") == 1
    assert lake.undo("b3") + lake.undo("b2") >= 1
    assert read(name, "month", ADDED[name]) == [("2026-03", None)]


def test_an_old_month_is_changed_and_erased_like_any_other(centre: Path) -> None:
    merge("contacts", "b1")
    merge("contacts", "b2", contact_id="c2", customer_key="bob")
    forget_column("contacts")
    merge("contacts", "b3", contact_id="c3", started_at=LATER, local_start=LATER, month="2026-05")
    merge("contacts", "b4", contact_id="c2", customer_key="bob", wait_seconds=8.0)
    assert read("contacts", "contact_id", "ticket", "wait_seconds") == [
        ("c1", None, 5.0),
        ("c2", "T1", 8.0),
        ("c3", "T1", 5.0),
    ]
    maintenance.vacuum()
    assert lake.erase("bob") == 1
    assert read("contacts", "contact_id", "ticket") == [("c1", None), ("c3", "T1")]


def keep_reading(home: str, began: Event, enough: Event) -> None:
    """Read the lake over and over, as a page would; anything but the two known answers
    ends this process in failure.
    """
    os.environ["QA_HOME"] = home
    while not enough.is_set():
        assert read("contacts", "contact_id", "ticket") in (
            [("c1", None)],
            [("c1", None), ("c2", "T1")],
        )
        began.set()


def test_an_old_lake_is_brought_up_to_date_while_another_process_reads(centre: Path) -> None:
    merge("contacts", "b1")
    forget_column("contacts")
    began, enough = SPAWN.Event(), SPAWN.Event()
    reader = SPAWN.Process(target=keep_reading, args=(str(centre), began, enough))
    reader.start()
    assert began.wait(60)
    merge("contacts", "b2", contact_id="c2", started_at=LATER, local_start=LATER, month="2026-05")
    assert read("contacts", "contact_id", "ticket") == [("c1", None), ("c2", "T1")]
    enough.set()
    reader.join(60)
    assert reader.exitcode == 0
