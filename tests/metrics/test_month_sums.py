"""Figures over many months: whole months are counted once and kept, until they change."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders.centres import add_people, contact, land

from qa_core.access.roles import Role, Viewer
from qa_core.metrics import measure, query
from qa_core.metrics.dimensions import Filters, Period
from qa_core.storage import lake

SYSTEM = Viewer.SYSTEM
LEAD = Viewer("lou", Role.MANAGER, managed_teams=("North",))
MONTHS = ("2025-01", "2025-02", "2025-03", "2025-04", "2025-05", "2025-06")


@pytest.fixture
def half_a_year(centre: Path) -> Path:
    """In the n-th month n calls of North, of 10, 20 … seconds of wait, and one of South;
    returns the folder of the sums.
    """
    add_people({"a": "Ann", "b": "Bob"}, {"North": "Lille", "South": "Lyon"})
    rows = []
    for place, month in enumerate(MONTHS, start=1):
        day = datetime.fromisoformat(f"{month}-10 09:00")
        rows += [call(day + timedelta(hours=n), f"{month}-{n}", 10.0 * n) for n in range(place)]
        rows.append(call(day, f"{month}-south", 500.0, advisor_id="b", team="South"))
    land(rows)
    return centre / "lake" / "sums"


def call(at: datetime, name: str, wait: float, **columns: Any) -> dict[str, Any]:
    given = {"advisor_id": "a", "team": "North", "queue": "Help", "customer_key": f"k-{name}"}
    return contact(at, name, **given | columns, wait_seconds=wait)


def ask(viewer: Viewer = SYSTEM, *by: str, **options: Any) -> list[tuple[Any, ...]]:
    frame = measure(viewer, ("received", "average_speed_of_answer"), by, **options)
    shown = ["kpi", "value", "n", "low", "high", "p50", "p90", "deviation"]
    return list(frame[[*by, *shown]].fillna(-1.0).round(9).itertuples(index=False, name=None))


def forget(sums: Path) -> None:
    for file in sums.glob("*/*"):
        file.unlink()


def test_what_was_kept_of_months_gives_the_figures_of_their_contacts(half_a_year: Path) -> None:
    for viewer in (SYSTEM, LEAD):
        for by in ((), ("team",), ("month",), ("week", "queue"), ("weekday",), ("advisor",)):
            fresh = ask(viewer, *by)
            assert ask(viewer, *by) == fresh
            forget(half_a_year)
            assert ask(viewer, *by) == fresh
    assert [row[:3] for row in ask(LEAD)] == [
        ("received", 21.0, 21.0),
        # 0; 0, 10; 0, 10, 20; … up to 50: 350 seconds in 21 calls
        ("average_speed_of_answer", round(350 / 21, 9), 21.0),
    ]
    [received, speed] = ask(SYSTEM)
    assert received[1] == 27.0
    assert speed[5:7] == (20.0, 500.0)  # the 14th and the 24th to 25th of 27 waits


def test_only_months_whose_windows_are_over_are_kept(half_a_year: Path) -> None:
    ask()

    # The last call is of 10 June: May ends less than a month before.
    assert sorted(path.name for path in half_a_year.iterdir()) == [
        "2025-01",
        "2025-02",
        "2025-03",
        "2025-04",
    ]


def test_a_month_that_changes_is_counted_anew_and_nothing_of_it_stays(half_a_year: Path) -> None:
    ask()
    kept = {path.name: list(path.iterdir()) for path in half_a_year.iterdir()}

    land([call(datetime(2025, 2, 20, 9), "late", 1000.0)], "second")

    assert not (half_a_year / "2025-02").exists()
    assert [row[1] for row in ask()] == [28.0, round((350 + 6 * 500 + 1000) / 28, 9)]
    assert list((half_a_year / "2025-01").iterdir()) == kept["2025-01"]
    lake.erase("k-2025-03-2")
    assert not (half_a_year / "2025-03").exists()
    assert ask()[0][1] == 27.0


def test_sums_are_of_those_who_asked_and_of_the_days_asked_for(half_a_year: Path) -> None:
    assert ask()[0][1] == 27.0
    assert ask(LEAD)[0][1] == 21.0
    assert ask(SYSTEM, where=Filters(Period(date(2025, 1, 11), date(2025, 5, 10))))[0][1] == 18.0
    assert query.find_values(LEAD, "team") == [("North", 21)]
    assert query.find_values(SYSTEM, "team") == [("North", 21), ("South", 6)]


def test_damaged_sums_are_computed_again(half_a_year: Path) -> None:
    fresh = ask()
    for file in half_a_year.glob("*/*"):
        file.write_bytes(file.read_bytes()[:40])

    assert ask() == fresh
