"""The lake: what is merged is there once, whole, in its month, with the right
neighbours, whatever the order it came in.
"""

from __future__ import annotations

import math
import os
import random
import shutil
import time
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from builders.long_seeds import count_seeds, leave_to_long
from deltalake import DeltaTable, write_deltalake
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.cli import app
from qa_core.storage import lake
from qa_core.storage.facts import schema
from qa_core.storage.lake import maintenance, tables
from qa_core.ui import asgi

SCHEMA = schema.arrow_schema(schema.CONTACTS)
STORED = [name for name in SCHEMA.names if name not in schema.NEIGHBOURS]
MINUTE = timedelta(minutes=1)
DAY = 86400.0


def contact(
    contact_id: str, started_at: datetime, customer: str | None = "ann", **given: Any
) -> dict[str, Any]:
    """A row as an importer hands it over; the centre's clock is UTC here."""
    row = {
        "source_system": "generic",
        "contact_id": contact_id,
        "started_at": started_at,
        "local_start": started_at,
        "month": f"{started_at:%Y-%m}",
    }
    return {**row, "customer_key": customer, "direction": "inbound", "outcome": "answered", **given}


def rows_of(*rows: Mapping[str, Any]) -> pa.Table:
    columns = list(rows[0])
    return pa.Table.from_pylist(
        [dict(row) for row in rows], schema=pa.schema([SCHEMA.field(name) for name in columns])
    )


def merge(batch_id: str, *rows: Mapping[str, Any], create: bool = True) -> lake.MergeResult:
    carried = [name for name in rows[0] if name not in schema.CONTACT_KEY]
    return lake.merge_contacts(rows_of(*rows), carried, batch_id, create=create)


def stored(*columns: str, where: str = "true") -> list[tuple]:
    """Those columns of the lake, in the order of the contacts' ids."""
    with lake.working() as connection:
        return connection.execute(
            f"SELECT {', '.join(columns)} FROM contacts WHERE {where} ORDER BY contact_id"
        ).fetchall()


def everything() -> list[dict[str, Any]]:
    with lake.working() as connection:
        return (
            connection.sql("SELECT * FROM contacts ORDER BY source_system, contact_id")
            .to_arrow_table()
            .to_pylist()
        )


NOON = datetime(2026, 3, 10, 12)


def test_an_empty_lake_has_no_version_no_file_and_no_span(centre: Path) -> None:
    assert (lake.version("contacts"), lake.files("contacts"), lake.span()) == (-1, [], None)
    assert stored("contact_id") == []


def test_new_contacts_land_in_the_month_of_their_local_start(centre: Path) -> None:
    result = merge(
        "b1",
        contact("c1", datetime(2026, 1, 31, 23, 30)),
        contact("c2", datetime(2026, 2, 1, 0, 30)),
    )
    assert result == lake.MergeResult(new=2, first_day=date(2026, 1, 31), last_day=date(2026, 2, 1))
    assert stored("contact_id", "month", "batch_id") == [
        ("c1", "2026-01", "b1"),
        ("c2", "2026-02", "b1"),
    ]
    assert [Path(file).parent.name for file in lake.files("contacts")] == [
        "month=2026-01",
        "month=2026-02",
    ]
    assert [Path(file).parent.name for file in lake.files("contacts", "2026-02", "2026-12")] == [
        "month=2026-02"
    ]
    assert lake.span() == (datetime(2026, 1, 31, 23, 30), datetime(2026, 2, 1, 0, 30))


def test_the_lake_is_a_delta_table_that_other_engines_can_read(centre: Path) -> None:
    merge("b1", contact("c1", NOON), contact("c2", NOON + MINUTE))
    table = DeltaTable(centre / "lake" / "contacts")
    assert table.metadata().partition_columns == ["month"]
    assert pa.schema(table.schema().to_arrow()).names == SCHEMA.names
    assert sum(pa.table(table.get_add_actions())["num_records"].to_pylist()) == 2


def test_the_same_rows_again_change_nothing(centre: Path) -> None:
    merge("b1", contact("c1", NOON), contact("c2", NOON + MINUTE))
    before = lake.files("contacts")
    result = merge("b2", contact("c1", NOON), contact("c2", NOON + MINUTE))
    assert (result.new, result.updated, result.unchanged) == (0, 0, 2)
    assert lake.files("contacts") == before
    assert stored("batch_id") == [("b1",), ("b1",)]


def test_only_the_carried_columns_are_replaced(centre: Path) -> None:
    merge("b1", {**contact("c1", NOON), "campaign": "spring", "queue": "sales"})
    result = merge("b2", {**contact("c1", NOON), "queue": None})
    assert (result.updated, result.unchanged) == (1, 0)
    assert stored("campaign", "queue", "batch_id") == [("spring", None, "b2")]


def test_months_that_do_not_change_keep_their_files(centre: Path) -> None:
    merge("b1", contact("c1", datetime(2025, 1, 5)), contact("c2", NOON))
    january = lake.files("contacts", "2025-01", "2025-01")
    merge("b2", contact("c2", NOON, outcome="abandoned"))
    assert lake.files("contacts", "2025-01", "2025-01") == january


def test_surveys_touch_only_contacts_that_are_there_and_leave_their_batch(centre: Path) -> None:
    merge("b1", contact("c1", NOON), contact("c2", NOON + MINUTE))
    answers = [
        {"source_system": "generic", "contact_id": name, "csat": 4.0, "csat_scale": "1-5"}
        for name in ("c1", "nobody")
    ]
    result = merge("s1", *answers, create=False)
    assert (result.new, result.updated, result.unchanged, result.missing) == (0, 1, 0, 1)
    assert (result.first_day, result.last_day) == (date(2026, 3, 10), date(2026, 3, 10))
    assert stored("contact_id", "csat", "csat_scale", "batch_id") == [
        ("c1", 4.0, "1-5", "b1"),
        ("c2", None, None, "b1"),
    ]


def test_a_contact_whose_start_moves_changes_its_month_and_is_there_once(centre: Path) -> None:
    merge("b1", {**contact("c1", NOON), "campaign": "spring"})
    merge("b2", contact("c1", datetime(2026, 5, 2)))
    assert stored("contact_id", "month", "campaign") == [("c1", "2026-05", "spring")]
    assert [Path(file).parent.name for file in lake.files("contacts")] == ["month=2026-05"]


def test_two_rows_of_one_key_are_a_mistake_of_the_caller(centre: Path) -> None:
    with pytest.raises(ValueError, match="two rows"):
        merge("b1", contact("c1", NOON), contact("c1", NOON + MINUTE))
    assert lake.version("contacts") == -1


def test_a_stream_and_a_file_are_merged_like_a_table(centre: Path, tmp_path: Path) -> None:
    import pyarrow.parquet

    carried = [name for name in contact("c1", NOON) if name not in schema.CONTACT_KEY]
    table = rows_of(contact("c1", NOON))
    lake.merge_contacts(table.to_reader(), carried, "b1")
    pyarrow.parquet.write_table(rows_of(contact("c2", NOON)), tmp_path / "rows.parquet")
    lake.merge_contacts(tmp_path / "rows.parquet", carried, "b2")
    assert stored("contact_id", "batch_id") == [("c1", "b1"), ("c2", "b2")]
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_next_the_previous_and_the_reached_contact_are_seconds_away(centre: Path) -> None:
    merge(
        "b1",
        contact("c1", NOON, outcome="abandoned"),
        contact("c2", NOON + 2 * MINUTE),
        contact("c3", NOON + 10 * MINUTE, direction="outbound"),
        contact("c4", NOON + timedelta(days=2), outcome="voicemail"),
    )
    assert stored("contact_id", *schema.NEIGHBOURS) == [
        ("c1", 120.0, None, 120.0),
        (
            "c2",
            2 * DAY - 120,
            None,
            480.0,
        ),  # an abandoned try before it does not count; the call-back is no repeat
        ("c3", 2 * DAY - 600, 480.0, None),
        ("c4", None, 2 * DAY - 120, None),
    ]


def test_reasons_match_when_equal_or_when_either_is_missing(centre: Path) -> None:
    merge(
        "b1",
        contact("c1", NOON, reason="bill"),
        contact("c2", NOON + 1 * MINUTE, reason="move"),
        contact("c3", NOON + 2 * MINUTE, reason=None),
        contact("c4", NOON + 3 * MINUTE, reason="bill"),
    )
    assert stored("contact_id", "seconds_to_next", "seconds_since_previous") == [
        ("c1", 120.0, None),
        ("c2", 60.0, None),
        ("c3", 60.0, 60.0),
        ("c4", None, 60.0),
    ]


def test_a_neighbour_counts_up_to_the_31st_day_and_not_a_second_longer(centre: Path) -> None:
    merge(
        "b1",
        contact("c1", NOON),
        contact("c2", NOON + timedelta(days=31)),
        contact("c3", NOON + timedelta(days=62, seconds=1)),
    )
    assert stored("seconds_to_next", "seconds_since_previous") == [
        (31 * DAY, None),
        (None, 31 * DAY),
        (None, None),
    ]


def test_contacts_of_the_same_second_stand_in_the_order_of_their_ids(centre: Path) -> None:
    merge("b1", contact("c2", NOON), contact("c1", NOON))
    assert stored("seconds_to_next", "seconds_since_previous") == [(0.0, None), (None, 0.0)]


def test_an_unknown_customer_has_no_neighbours(centre: Path) -> None:
    merge("b1", contact("c1", NOON, None), contact("c2", NOON + MINUTE, None))
    assert stored(*schema.NEIGHBOURS) == [(None, None, None)] * 2


def test_a_customer_who_turns_out_to_be_another_leaves_the_first_ones_neighbours(
    centre: Path,
) -> None:
    merge("b1", contact("c1", NOON), contact("c2", NOON + MINUTE), contact("c3", NOON + 2 * MINUTE))
    merge("b2", contact("c2", NOON + MINUTE, None))
    assert stored("seconds_to_next") == [(120.0,), (None,), (None,)]


def test_a_customer_who_is_known_only_later_has_neighbours_from_then_on(centre: Path) -> None:
    merge("b1", contact("c1", NOON, None), contact("c2", NOON + MINUTE))
    merge("b2", contact("c1", NOON))
    assert stored("seconds_to_next", "seconds_since_previous") == [(60.0, None), (None, 60.0)]


def test_an_earlier_month_that_comes_late_changes_the_months_after_it(centre: Path) -> None:
    merge("march", contact("c2", datetime(2026, 3, 2)))
    merge("february", contact("c1", datetime(2026, 2, 27)))
    assert stored("seconds_to_next", "seconds_since_previous") == [(3 * DAY, None), (None, 3 * DAY)]


CUSTOMERS = (None, "ann", "bob")
CHANCE = st.fixed_dictionaries(
    {
        "contact_id": st.sampled_from([f"c{number:02}" for number in range(12)]),
        # Few moments, so that ties are common; around the reach of 31 days and the ends
        # of months.
        "started_at": st.sampled_from(
            [
                datetime(2026, 1, 31, 23, 59, 59) + timedelta(days=days, seconds=seconds)
                for days in (0, 1, 30, 31, 45, 62)
                for seconds in (0, 1)
            ]
        ),
        "customer": st.sampled_from(CUSTOMERS),
        "direction": st.sampled_from([None, "inbound", "outbound", "internal"]),
        "reason": st.sampled_from([None, "bill", "move"]),
        "outcome": st.sampled_from(["answered", "answered", "abandoned", None]),
    }
)


of_any_batches = given(
    st.lists(
        st.lists(CHANCE, min_size=1, max_size=8, unique_by=lambda row: row["contact_id"]),
        min_size=1,
        max_size=4,
    ),
    st.randoms(use_true_random=False),
)


@settings(max_examples=2, suppress_health_check=list(HealthCheck))
@of_any_batches
def test_no_order_of_imports_changes_the_neighbours(
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[list[dict[str, Any]]],
    chance: random.Random,
) -> None:
    check_neighbours(tmp_path_factory, batches, chance)


@pytest.mark.long
@settings(max_examples=count_seeds(100), suppress_health_check=list(HealthCheck))
@of_any_batches
def test_no_order_of_many_imports_changes_the_neighbours(
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[list[dict[str, Any]]],
    chance: random.Random,
) -> None:
    check_neighbours(tmp_path_factory, batches, chance)


def check_neighbours(
    tmp_path_factory: pytest.TempPathFactory,
    batches: list[list[dict[str, Any]]],
    chance: random.Random,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QA_HOME", str(tmp_path_factory.mktemp("lake")))
        last: dict[str, dict[str, Any]] = {}
        for number, batch in enumerate(batches):
            rows = [contact(**row) for row in batch]
            merge(f"b{number}", *rows)
            last.update({row["contact_id"]: row for row in rows})
            assert neighbours_in_lake() == neighbours_by_hand(last.values())
        patch.setenv("QA_HOME", str(tmp_path_factory.mktemp("lake")))
        shuffled = list(last.values())
        chance.shuffle(shuffled)
        for number, row in enumerate(shuffled):
            merge(f"b{number // 4}-{number}", row)
        assert neighbours_in_lake() == neighbours_by_hand(last.values())


def neighbours_in_lake() -> list[tuple]:
    return stored("contact_id", *schema.NEIGHBOURS)


def neighbours_by_hand(rows: Iterable[Mapping[str, Any]]) -> list[tuple]:
    """What docs/kpis.md and data/README.md say, contact by contact."""
    ordered = sorted(
        rows, key=lambda row: (row["started_at"], row["source_system"], row["contact_id"])
    )
    found = []
    for position, row in enumerate(ordered):
        others = [
            (other, place)
            for place, other in enumerate(ordered)
            if place != position
            and row["customer_key"]
            and other["customer_key"] == row["customer_key"]
        ]
        after, before = (
            [other for other, place in others if place > position],
            [other for other, place in others if place < position],
        )
        following = [other for other in after if inbound(other) and reasons_match(row, other)]
        preceding = [
            other
            for other in before
            if inbound(other) and other["outcome"] == "answered" and reasons_match(row, other)
        ]
        reached = [
            other
            for other in after
            if other["direction"] != "internal" and other["outcome"] == "answered"
        ]
        found.append(
            (
                row["contact_id"],
                distance(row, following[:1]),
                distance(row, preceding[-1:]),
                distance(row, reached[:1]),
            )
        )
    return sorted(found)


def inbound(row: Mapping[str, Any]) -> bool:
    return row["direction"] in (None, "inbound")


def reasons_match(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return one["reason"] is None or other["reason"] is None or one["reason"] == other["reason"]


def distance(row: Mapping[str, Any], other: list[Mapping[str, Any]]) -> float | None:
    if not other:
        return None
    seconds = abs((other[0]["started_at"] - row["started_at"]).total_seconds())
    return seconds if seconds <= 31 * DAY else None


def test_the_log_says_which_batches_landed_and_what_they_did(centre: Path) -> None:
    result = merge("b1", contact("c1", NOON))
    merge("b2", contact("c1", NOON))
    assert [lake.has_commit(name) for name in ("b1", "b2", "b3")] == [True, True, False]
    assert lake.commit_result("b1") == result
    assert lake.commit_result("b2") == lake.MergeResult(
        unchanged=1, first_day=date(2026, 3, 10), last_day=date(2026, 3, 10)
    )
    assert lake.commit_result("b3") is None


def test_undoing_a_batch_restores_exactly_what_stood_before(centre: Path) -> None:
    merge("b1", {**contact("c1", NOON), "campaign": "spring"}, contact("c2", NOON + MINUTE))
    before = everything()
    merge(
        "b2",
        contact("c1", datetime(2026, 5, 1), outcome="abandoned"),
        contact("c3", NOON + 2 * MINUTE),
    )
    assert everything() != before
    assert lake.undo("b2") == 2
    assert everything() == before
    assert not lake.has_commit("b2")
    assert list((centre / "lake" / "undo").iterdir()) != []
    lake.undo("b1")
    assert everything() == []
    assert list((centre / "lake" / "undo").iterdir()) == []


def test_undoing_a_batch_of_several_commits_goes_back_before_the_first(centre: Path) -> None:
    merge("b0", contact("c1", NOON))
    before = everything()
    merge("b1", contact("c1", NOON, outcome="abandoned"), contact("c2", NOON))
    merge(
        "b1",
        {"source_system": "generic", "contact_id": "c1", "campaign": "spring"},
        {"source_system": "generic", "contact_id": "c2", "campaign": "spring"},
        create=False,
    )
    lake.undo("b1")
    assert everything() == before


def test_a_batch_whose_rows_changed_since_is_not_undone_until_the_later_one_is(
    centre: Path,
) -> None:
    merge("b1", contact("c1", NOON), contact("c2", NOON))
    merge("s1", {"source_system": "generic", "contact_id": "c1", "csat": 5.0}, create=False)
    with pytest.raises(Refusal) as refusal:
        lake.undo("b1")
    assert refusal.value.code == "changed_since"
    assert refusal.value.params == {"later": "s1", "batch": "b1"}
    lake.undo("s1")
    lake.undo("b1")
    assert everything() == []


def test_a_batch_that_is_not_there_or_was_undone_cannot_be_undone(centre: Path) -> None:
    merge("b1", contact("c1", NOON))
    lake.undo("b1")
    for batch in ("b1", "nothing"):
        with pytest.raises(Refusal) as refusal:
            lake.undo(batch)
        assert refusal.value.code == "not_in_lake"


def test_a_file_taken_back_can_come_again_under_the_same_batch(centre: Path) -> None:
    merge("b1", contact("c1", NOON))
    lake.undo("b1")
    merge("b1", contact("c1", NOON))
    assert lake.has_commit("b1")
    assert stored("contact_id", "batch_id") == [("c1", "b1")]
    lake.undo("b1")
    assert everything() == []


def test_spend_of_the_same_day_and_campaign_is_replaced_not_added(centre: Path) -> None:
    def spend(amount: float, **given: Any) -> pa.Table:
        row = {
            "day": date(2026, 3, 1),
            "month": "2026-03",
            "source": "google",
            "medium": None,
            "campaign": "spring",
            "amount": amount,
            "currency": "EUR",
            **given,
        }
        return pa.Table.from_pylist(
            [row],
            schema=pa.schema(
                [field for field in schema.arrow_schema(schema.SPEND) if field.name != "batch_id"]
            ),
        )

    lake.merge_spend(spend(100.0), "p1")
    result = lake.merge_spend(spend(120.0), "p2")
    lake.merge_spend(spend(7.0, currency="USD"), "p3")
    assert (result.new, result.updated, result.first_day) == (0, 1, date(2026, 3, 1))
    with lake.working(others=["spend"]) as connection:
        amounts = "SELECT amount, currency, batch_id FROM spend ORDER BY currency"
        assert connection.execute(amounts).fetchall() == [(120.0, "EUR", "p2"), (7.0, "USD", "p3")]
    lake.undo("p2")
    with lake.working(others=["spend"]) as connection:
        assert connection.execute(amounts).fetchall() == [(100.0, "EUR", "p1"), (7.0, "USD", "p3")]


def test_an_erased_customer_is_found_nowhere_in_the_lake(
    centre: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge("b1", contact("c1", NOON, "secret-ann"), contact("c2", NOON + MINUTE, "bob"))
    merge("b2", contact("c1", NOON + MINUTE, "secret-ann"), contact("c2", NOON, "bob"))
    assert lake.erase("secret-ann") == 1
    assert stored("contact_id") == [("c2",)]
    monkeypatch.setattr(maintenance, "READER_SECONDS", 0)
    lake.vacuum()
    assert b"secret-ann" not in plain_content(centre / "lake")
    lake.undo("b2")
    assert stored("contact_id", "started_at") == [("c2", NOON + MINUTE)]
    assert lake.erase("secret-ann") == 0


def plain_content(folder: Path) -> bytes:
    """All that the Parquet files of a folder say, and its log."""
    import pyarrow.parquet

    files = [file for file in folder.rglob("*") if file.is_file()]
    return b"".join(
        repr(pyarrow.parquet.ParquetFile(file).read().to_pylist()).encode()
        if file.suffix == ".parquet"
        else file.read_bytes()
        for file in files
    )


def test_vacuum_leaves_the_files_of_the_last_ten_minutes_for_their_readers(
    centre: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge("b1", contact("c1", NOON))
    held = lake.files("contacts")
    merge("b2", contact("c1", NOON, outcome="abandoned"))
    left_behind = centre / "lake" / "contacts" / "month=2026-03" / "part-killed.parquet"
    left_behind.write_bytes(b"half a file")
    lake.vacuum()
    assert Path(held[0]).exists()
    assert not left_behind.exists()
    monkeypatch.setattr(maintenance, "READER_SECONDS", 0)
    lake.vacuum()
    assert not Path(held[0]).exists()
    assert stored("outcome") == [("abandoned",)]
    lake.undo("b2")
    assert stored("outcome") == [("answered",)]


def test_merges_clear_away_what_they_replaced_now_and_then(
    centre: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "READER_SECONDS", 0)
    for number in range(12):
        merge(f"b{number}", contact("c1", NOON, wait_seconds=float(number)))
    assert len(list((centre / "lake" / "contacts").rglob("part-*.parquet"))) <= 3
    assert stored("wait_seconds") == [(11.0,)]


def test_columns_for_new_contacts_leave_known_ones_alone(centre: Path) -> None:
    merge("b1", {**contact("c1", NOON), "team": "north"})
    rows = [{**contact(name, NOON), "team": "south"} for name in ("c1", "c2")]
    lake.merge_contacts(
        rows_of(*rows), ["customer_key", "direction", "outcome"], "b2", for_new=["team"]
    )
    assert stored("contact_id", "team", "batch_id") == [
        ("c1", "north", "b1"),
        ("c2", "south", "b2"),
    ]


def test_keys_are_looked_for_again_when_the_lake_changed_since_they_were_unknown(
    centre: Path,
) -> None:
    merge("b1", contact("c1", NOON))
    version = lake.version("contacts")
    for batch in ("b2", "b3"):
        rows = rows_of(contact("c2", NOON, outcome="answered" if batch == "b2" else "abandoned"))
        lake.merge_contacts(rows, ["outcome"], batch, keys_absent_at_version=version)
    assert stored("contact_id", "outcome", "batch_id") == [
        ("c1", "answered", "b1"),
        ("c2", "abandoned", "b3"),
    ]


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="macOS says no start")
def test_a_folder_of_a_killed_process_whose_number_came_back_is_removed(centre: Path) -> None:
    """After a restart of a container, its first process has the number that it had before."""
    temporary = environment.current().temporary_folder
    killed, older = f"lake-{os.getpid()}.1-a", f"staged-{os.getpid()}.1-b"
    for name in (killed, older):
        (temporary / name).mkdir(parents=True)
    with lake.scratch_folder() as own:
        lake.remove_dead_folders()
        assert list(temporary.iterdir()) == [own]


def test_files_that_no_log_names_are_strays(centre: Path) -> None:
    merge("b1", contact("c1", NOON))
    merge("b2", contact("c1", NOON, outcome="abandoned"), contact("c2", NOON))
    lake.undo("b2")
    [file] = map(Path, lake.files("contacts"))
    assert lake.find_strays(time.time() + 60) == []

    names = ("contacts/month=2026-01/copy.parquet", f"contacts/month=2020-01/{file.name}", "a.csv")
    for name in names:
        (centre / "lake" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, centre / "lake" / name)
    found = [path.relative_to(centre / "lake").as_posix() for path in lake.find_strays(math.inf)]
    assert found == sorted(names)


def test_a_commit_in_between_by_a_writer_without_the_lock_is_noticed_and_the_merge_done_again(
    centre: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    merge("b1", contact("c1", NOON))
    rows, commit = everything(), tables.commit

    def late(base: tables.Snapshot, change: tables.Commit) -> int:
        monkeypatch.setattr(tables, "commit", commit)
        write_deltalake(
            str(base.folder),
            pa.Table.from_pylist([{**rows[0], "contact_id": "c0"}], schema=SCHEMA),
            mode="append",
        )
        return commit(base, change)

    monkeypatch.setattr(tables, "commit", late)
    merge("b2", contact("c0", NOON), contact("c2", NOON))
    assert stored("contact_id", "batch_id") == [("c0", "b1"), ("c1", "b1"), ("c2", "b2")]


def test_a_lake_that_was_removed_and_made_again_is_seen_as_it_is(centre: Path) -> None:
    import shutil

    merge("b1", contact("c1", NOON))
    assert lake.version("contacts") == 1
    shutil.rmtree(centre / "lake")
    assert (lake.version("contacts"), lake.span()) == (-1, None)
    merge("b2", contact("c9", NOON))
    assert stored("contact_id") == [("c9",)]


@pytest.mark.parametrize("command", ["init", "doctor", "demo"])
def test_an_object_store_is_refused_before_anything_is_made(
    centre: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.setenv("QA_LAKE_URL", "s3://bucket/lake")
    before = set(centre.iterdir())

    assert app.run([command]) == 2
    assert "Object stores are not supported. Give a path" in capsys.readouterr().err
    with pytest.raises(SystemExit) as end:
        asgi.check_start()
    assert end.value.code == 2
    assert set(centre.iterdir()) == before


def test_the_lake_may_be_a_folder_elsewhere(centre: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_LAKE_URL", f"file://{centre}/elsewhere")
    merge("b1", contact("c1", NOON))
    assert stored("contact_id") == [("c1",)] and (centre / "elsewhere/contacts").is_dir()


def test_progress_rises_to_the_whole(centre: Path) -> None:
    shares: list[float] = []
    carried = [name for name in contact("c1", NOON) if name not in schema.CONTACT_KEY]
    lake.merge_contacts(
        rows_of(contact("c1", NOON), contact("c2", datetime(2026, 4, 1))),
        carried,
        "b1",
        progress=lambda step, share: shares.append(share),
    )
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_large_month_lies_in_files_of_whole_days_and_a_change_writes_few_of_them(
    centre: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "ROWS_PER_FILE", 10)
    march = [NOON.replace(day=1 + n // 3, hour=8 + n % 3) for n in range(60)]  # 1 to 20 March
    merge("b1", *(contact(f"c{n:02d}", at, f"customer {n}") for n, at in enumerate(march)))
    assert len(lake.files("contacts")) == 1
    merge("b1+", contact("c00", NOON.replace(day=1, hour=8), "customer 0", outcome="abandoned"))
    parts = tables.snapshot("contacts").parts_of("2026-03")
    assert [(part.rows, part.first_day.day, part.last_day.day) for part in parts] == [
        (12, 1, 4), (9, 5, 7), (9, 8, 10), (12, 11, 14), (9, 15, 17), (9, 18, 20)
    ]  # fmt: skip

    merge("b2", contact("new", NOON.replace(day=9), "customer 0"))  # who called on the 1st
    after = tables.snapshot("contacts").parts_of("2026-03")
    assert [part.rows for part in after] == [12, 9, 10, 12, 9, 9]
    assert [one == other for one, other in zip(parts, after, strict=True)] == [
        False, True, False, True, True, True
    ]  # fmt: skip
    [(_, seconds)] = stored("contact_id", "seconds_to_next", where="contact_id = 'c00'")
    assert seconds == 8 * DAY + 4 * 3600.0

    lake.undo("b2")
    lake.erase("customer 59")
    assert [part.rows for part in tables.snapshot("contacts").parts_of("2026-03")] == [
        12, 9, 9, 12, 9, 8
    ]  # fmt: skip
    assert len(stored("contact_id")) == 59


@pytest.mark.parametrize("seed", leave_to_long([1, 2], but=[1]))
def test_a_lake_of_many_files_holds_what_one_of_few_holds(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    """The same changes, in files of four contacts and in one file a month."""
    draw = random.Random(seed)
    batches = [
        [
            contact(
                f"c{draw.randrange(40):02d}",
                NOON + timedelta(minutes=draw.randrange(-20 * 1440, 30 * 1440)),
                draw.choice(["ann", "ben", "cleo", None]),
            )
            for _row in range(draw.choice([1, 2, 12]))
        ]
        for _batch in range(5)
    ]
    found = []
    for rows in (4, 1_000):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("QA_HOME", str(tmp_path_factory.mktemp("home")))
            patch.setattr(tables, "ROWS_PER_FILE", rows)
            for number, batch in enumerate(batches):
                merge(f"b{number}", *{row["contact_id"]: row for row in batch}.values())
            lake.undo("b4")
            lake.erase("ben")
            found.append(everything())
            files = len(lake.files("contacts"))
    assert found[0] == found[1]
    assert files <= 3  # a month each
