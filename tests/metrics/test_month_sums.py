"""Figures over many months: whole months are counted once and kept, until they change."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders.centres import add_people, contact, interval, land, land_intervals

from qa_core.access.roles import Role, Viewer
from qa_core.centre import settings
from qa_core.metrics import measure, query
from qa_core.metrics.kpi import distinct_customers
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import lake
from qa_core.storage.records import store
from qa_core.storage.records.retention import Restriction

SYSTEM = Viewer.SYSTEM
KPIS = ("first_time_callers", "returning_callers")
LEAD = Viewer("lou", Role.MANAGER, managed_teams=("North",))
MONTHS = ("2025-01", "2025-02", "2025-03", "2025-04", "2025-05", "2025-06")


@pytest.fixture
def half_a_year(centre: Path, start_from: Callable[..., Any]) -> Path:
    """The centre of `land_half_a_year`; returns the folder of the sums."""
    start_from(land_half_a_year)
    return centre / "lake" / "sums"


def land_half_a_year() -> None:
    """In the n-th month n calls of North, of 10, 20 … seconds of wait, and one of South."""
    add_people({"a": "Ann", "b": "Bob"}, {"North": "Lille", "South": "Lyon"})
    rows = []
    for place, month in enumerate(MONTHS, start=1):
        day = datetime.fromisoformat(f"{month}-10 09:00")
        rows += [call(day + timedelta(hours=n), f"{month}-{n}", 10.0 * n) for n in range(place)]
        rows.append(call(day, f"{month}-south", 500.0, advisor_id="b", team="South"))
    land(rows)


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


def test_months_without_any_known_wait_have_no_percentiles(centre: Path) -> None:
    rows = [call(datetime(2025, month, 5, 9), f"m{month}", 1.0) for month in range(1, 7)]
    land([row | {"wait_seconds": None} for row in rows])
    for _again in range(2):
        received, speed = ask(SYSTEM)
        assert received[1] == 6.0
        assert speed[1:3] == (-1.0, 0.0) and speed[5:7] == (-1.0, -1.0)


def test_any_days_are_added_up_from_what_was_kept_of_their_months(centre: Path) -> None:
    calls = [
        (datetime(2025, 4, 20) + timedelta(hours=13 * n), 7.0 * (n % 11), "ab"[n % 3 % 2])
        for n in range(90)
    ]  # until 7 June
    land([call(at, f"c{n}", wait, queue=queue) for n, (at, wait, queue) in enumerate(calls)])
    for first, last in ((20, 20), (3, 33), (11, 47), (0, 48)):
        days = Period(date(2025, 4, 20) + timedelta(first), date(2025, 4, 20) + timedelta(last))
        waits: dict[str, list[float]] = {"a": [], "b": []}
        mondays: dict[date, int] = {}
        for at, wait, queue in calls:
            if days.first_day <= at.date() <= days.last_day:
                waits[queue].append(wait)
                monday = at.date() - timedelta(at.weekday())
                mondays[monday] = mondays.get(monday, 0) + 1
        for _again in range(2):
            by_queue = ask(SYSTEM, "queue", where=Filters(days))
            found = {row[0]: row[2:4] for row in by_queue if row[1] == "average_speed_of_answer"}
            assert found == {
                queue: (round(sum(some) / len(some), 9), len(some))
                for queue, some in waits.items()
                if some
            }
            by_week = ask(SYSTEM, "week", where=Filters(days))
            assert {row[0]: row[2] for row in by_week if row[1] == "received"} == mondays
    [(_, _, n, _, _, p50, *_rest)] = ask(SYSTEM, where=Filters(days))[1:]
    assert (n, p50) == (90.0, sorted(wait for _at, wait, _queue in calls)[44])


def test_a_setting_that_changed_within_a_month_holds_from_its_day(centre: Path) -> None:
    land([call(datetime(2025, 5, day, 9), f"d{day}", 30.0) for day in range(1, 31)])

    def level(first: int, last: int) -> float:
        days = Filters(Period(date(2025, 5, first), date(2025, 5, last)))
        return measure(SYSTEM, ("service_level",), (), days)["value"].item()

    assert level(1, 30) == 0.0  # answered after 20 seconds
    with store.writing() as session:
        for day, seconds in ((11, "40"), (21, "20")):
            settings.set_value(
                session, SYSTEM, "service_level_seconds", seconds, date(2025, 5, day)
            )
    assert [level(1, 10), level(11, 20), level(21, 30), level(6, 25)] == [0.0, 1.0, 0.0, 0.5]
    assert level(1, 30) == round(10 / 30, 16)


def test_a_later_call_opens_the_windows_of_a_month_that_was_kept(centre: Path) -> None:
    early = call(datetime(2025, 3, 1, 9), "early", 1.0)
    land([early, call(datetime(2025, 5, 10, 9), "first", 1.0, customer_key="k")])
    may = Filters(Period(date(2025, 5, 1), date(2025, 5, 31)))

    def resolved() -> tuple[float, int]:
        row = measure(SYSTEM, ("first_contact_resolution",), (), may).iloc[0]
        return row["n"], row["pending"]

    assert resolved() == (0, 1)
    land([call(datetime(2025, 7, 1, 9), "late", 1.0, customer_key="other")], "second")
    assert resolved() == (1, 0)


def test_several_cuts_together_are_what_each_is_alone(
    half_a_year: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The customers of these 27 contacts are counted in three parts.
    monkeypatch.setattr(distinct_customers, "CONTACTS_AT_ONCE", 10)
    again = {"customer_key": "k-2025-03-0", "advisor_id": "b", "team": "South"}
    land(
        [
            call(datetime(2025, 3, 11, 9), "again", 5.0, **again),
            call(datetime(2025, 3, 12, 14), "and again", 5.0, **again | {"queue": "Sales"}),
            # Of a customer who was known, and is not named any more.
            call(datetime(2025, 3, 12, 15), "withheld", 5.0, customer_key=None, seen_before=True),
            *(
                call(datetime(2025, 3, 13), f"timeless {n}", 5.0, time_missing=True)
                for n in range(9)
            ),
        ],
        "second",
    )
    cuts = (("team",), (), ("queue", "hour"), ("advisor",), ("site",))
    kpis = ("received", "average_speed_of_answer", "recovered_rate", "repeat_caller_rate", *KPIS)
    where = Filters(Period(date(2025, 2, 5), date(2025, 6, 30)))
    before = Period(date(2025, 1, 1), date(2025, 2, 4))
    for viewer, compare in ((SYSTEM, before), (LEAD, None)):
        found = query.measure_cuts(viewer, kpis, cuts, where, compare)
        for cut, frame in zip(cuts, found, strict=True):
            alone = measure(viewer, kpis, cut, where, compare)
            order = [*cut, "kpi"]
            pd.testing.assert_frame_equal(
                frame.sort_values(order, ignore_index=True),
                alone.sort_values(order, ignore_index=True),
            )
    assert query.find_all_values(LEAD, ("team", "queue")) == {
        "team": [("North", 31)],
        "queue": [("Help", 31)],
    }
    total = query.measure_cuts(SYSTEM, ("repeat_caller_rate",), cuts, where)[1].iloc[0]
    assert (total["numerator"], total["n"], total["unknown_identity"]) == (1, 34, 1)


def test_several_cuts_under_a_filter_on_one_of_them_are_what_each_is_alone(
    half_a_year: Path,
) -> None:
    land(
        [call(datetime(2025, 6, 12, 9), f"s{n}", 70.0, team=None, queue="Sales") for n in (1, 2)],
        "second",
    )
    cuts = (("queue",), ("team",), ("channel",))
    counts = {
        "Help": [[("Help", 27)], [("North", 21), ("South", 6)], [("phone", 27)]],
        "Sales": [[("Sales", 2)], [(None, 2)], [("phone", 2)]],
    }
    kept = []
    for queue, expected in counts.items():
        where = Filters.of(values={"queue": [queue]})
        found = query.measure_cuts(SYSTEM, ("received", "average_speed_of_answer"), cuts, where)
        received = [frame[frame["kpi"] == "received"] for frame in found]
        assert [
            list(zip(frame[cut], frame["value"], strict=True))
            for (cut,), frame in zip(cuts, received, strict=True)
        ] == expected
        kept.append(set(half_a_year.glob("*/*")))
    assert kept[0] == kept[1]
    nested = (("queue", "team"), ("channel",))
    pair, channel = query.measure_cuts(SYSTEM, ("received",), nested, where)
    assert (pair["value"].tolist(), channel["value"].tolist()) == ([2.0], [2.0])


def test_sums_of_a_month_that_goes_on_are_kept_until_it_does(half_a_year: Path) -> None:
    ask()
    kept = set(half_a_year.glob("2025-06-*/*"))
    assert kept
    ask()
    assert set(half_a_year.glob("2025-06-*/*")) == kept

    land([call(datetime(2025, 6, 11, 9), "next", 40.0)], "second")

    assert not list(half_a_year.glob("2025-06-*/*"))
    assert ask()[0][1] == 28.0


def test_a_month_that_changes_is_counted_anew_and_nothing_of_it_stays(half_a_year: Path) -> None:
    ask()
    kept = {path.name: list(path.iterdir()) for path in half_a_year.iterdir()}

    land([call(datetime(2025, 2, 20, 9), "late", 1000.0)], "second")

    assert not list(half_a_year.glob("2025-02-*"))
    assert [row[1] for row in ask()] == [28.0, round((350 + 6 * 500 + 1000) / 28, 9)]
    january = "2025-01-01_2025-01-31"
    assert list((half_a_year / january).iterdir()) == kept[january]
    lake.erase("k-2025-03-2")
    assert not list(half_a_year.glob("2025-03-*"))
    assert ask()[0][1] == 27.0


def test_sums_are_of_those_who_asked_and_of_the_days_asked_for(half_a_year: Path) -> None:
    assert ask()[0][1] == 27.0
    assert ask(LEAD)[0][1] == 21.0
    assert ask(SYSTEM, where=Filters(Period(date(2025, 1, 11), date(2025, 5, 10))))[0][1] == 18.0
    assert query.find_values(LEAD, "team") == [("North", 21)]
    assert query.find_values(SYSTEM, "team") == [("North", 21), ("South", 6)]


def test_another_choice_of_a_filter_is_answered_by_the_same_sums(half_a_year: Path) -> None:
    land([call(datetime(2025, 6, 12, 9), "alone", 70.0, team=None, queue="Sales")], "second")

    def waited(*teams: str | None) -> list[tuple[Any, ...]]:
        rows = ask(SYSTEM, "queue", where=Filters.of(values={"team": teams}))
        return [row[:3] for row in rows if row[1] == "average_speed_of_answer"]

    assert waited("North") == [("Help", "average_speed_of_answer", round(350 / 21, 9))]
    kept = set(half_a_year.glob("*/*"))
    assert waited("South") == [("Help", "average_speed_of_answer", 500.0)]
    assert waited(None) == [("Sales", "average_speed_of_answer", 70.0)]
    assert waited("South", None) == [*waited("South"), *waited(None)]
    assert waited("East") == []
    assert set(half_a_year.glob("*/*")) == kept
    nobody = ask(where=Filters.of(values={"team": ["East"]}))
    assert nobody[0][:3] == ("received", -1.0, 0.0)  # missing


def test_damaged_sums_are_computed_again(half_a_year: Path) -> None:
    fresh = ask()
    for file in half_a_year.glob("*/*"):
        file.write_bytes(file.read_bytes()[:40])

    assert ask() == fresh


def test_missed_callers_of_any_days_are_added_up_too(centre: Path) -> None:
    def recovered(where: Filters) -> tuple[float, float]:
        [row] = query.measure(SYSTEM, ("recovered_rate",), where=where).itertuples()
        return row.numerator, row.denominator

    days = [(3, 5), (3, 20), (4, 2), (4, 25), (6, 30)]
    rows = []
    for n, (month, day) in enumerate(days):
        at = f"2025-0{month}-{day:02d}"
        rows.append(contact(f"{at} 09:00", outcome="abandoned", customer_key=f"k{n}"))
        if n % 2 == 0:
            rows.append(contact(f"{at} 09:30", direction="outbound", customer_key=f"k{n}"))
    land(rows)
    for first, last, called_back, nobody in ((20, 20, 0, 1), (1, 20, 1, 1), (1, 70, 2, 2)):
        period = Period(date(2025, 3, 1) + timedelta(first - 1), date(2025, 3, 1) + timedelta(last))
        for _again in range(2):
            assert recovered(Filters(period)) == (called_back, called_back + nobody)
    assert recovered(Filters()) == (3, 5)


def test_intervals_that_go_further_than_contacts_close_no_window(centre: Path) -> None:
    days = (2, 20, 30)
    land([call(datetime(2026, 1, day, 9), f"c{day}", 1.0, customer_key=f"k{day}") for day in days])
    land_intervals([interval("2026-03-20 00:00", queue="Other", received=5, answered=5)])
    january = Filters(Period(date(2026, 1, 1), date(2026, 1, 31)))
    row = measure(SYSTEM, ("first_contact_resolution",), (), january).iloc[0]
    assert (row["n"], row["pending"]) == (1, 2)


def test_the_same_cut_twice_and_days_beside_another_cut_count_once(centre: Path) -> None:
    land([call(datetime(2025, month, 10, 9), f"m{month}", 1.0) for month in range(1, 9)])
    for cuts in ((("queue",), ("queue",)), (("queue",), ("day",)), (("queue", "team"),) * 2):
        frames = query.measure_cuts(SYSTEM, ("received",), cuts)
        assert [frame["value"].sum() for frame in frames] == [8.0] * len(cuts)
        assert frames[0]["value"].tolist() == [8.0]


def test_a_file_that_was_away_for_a_while_changes_no_figure_afterwards(centre: Path) -> None:
    parts = {"talk_seconds": 60.0, "hold_seconds": 10.0, "wrap_seconds": 5.0}
    rows = [call(datetime(2025, 1, day, 9), f"j{day}", 1.0, **parts) for day in range(1, 21)]
    rows += [
        call(datetime(2025, month, 9), f"m{month}", 1.0, talk_seconds=60.0)
        for month in range(2, 13)
    ]
    land(rows)
    [file] = map(Path, lake.files("contacts", "2025-01", "2025-01"))
    january = Filters(Period(date(2025, 1, 1), date(2025, 1, 31)))

    away = file.rename(file.with_suffix(".away"))
    measure(SYSTEM, ("average_handle_time",), (), Filters(Period(date(2025, 5, 1))))
    away.rename(file)
    land([call(datetime(2025, 12, 20, 9), "next", 1.0)], "second")

    row = measure(SYSTEM, ("average_handle_time",), (), january).iloc[0]
    assert (row["value"], row["notes"]) == (75.0, ())


def test_callers_of_any_months_count_once_whatever_happens_to_their_contacts(centre: Path) -> None:
    def call_of(n: int, start: datetime) -> dict[str, Any]:
        team = ("North", "South", None)[n * n % 3]
        key = None if n % 9 == 4 else f"k{n * n % 11}"
        return contact(start, f"c{n}", customer_key=key, queue="AB"[n % 5 % 2], team=team)

    rows = [call_of(n, datetime(2025, 1, 2, 9) + timedelta(days=5 * n)) for n in range(47)]
    periods = [
        Period(),
        Period(date(2025, 2, 1), date(2025, 7, 31)),
        Period(date(2025, 3, 1), date(2025, 8, 31)),
        Period(date(2025, 2, 11), date(2025, 7, 20)),
    ]

    def check(rows: list[dict[str, Any]]) -> None:
        firsts: dict[str, datetime] = {}
        for row in sorted(rows, key=lambda row: row["started_at"]):
            if row["customer_key"]:
                firsts.setdefault(row["customer_key"], row["started_at"])
        cuts = ((SYSTEM, ()), (LEAD, ("queue",)))
        for (viewer, by), period in itertools.product(cuts, periods):
            counted: dict[Any, set[str]] = {}
            for row in rows:
                day, key = row["local_start"].date(), row["customer_key"]
                is_in = (period.first_day or day) <= day <= (period.last_day or day)
                if key and is_in and (viewer is SYSTEM or row["team"] == "North"):
                    kpi = KPIS[firsts[key] != row["started_at"]]
                    counted.setdefault((row["queue"] if by else None, kpi), set()).add(key)
            frame = measure(viewer, KPIS, by, where=Filters(period))
            found = {
                (row["queue"] if by else None, row["kpi"]): row["value"]
                for row in frame.to_dict("records")
                if row["value"] > 0
            }
            assert found == {place: len(keys) for place, keys in counted.items()}

    land(rows)
    check(rows)
    later = [
        call_of(60, datetime(2025, 8, 27, 9)),
        call_of(62, datetime(2024, 12, 30, 9)),
        call_of(64, datetime(2025, 4, 1, 9)),
    ]
    for place, row in enumerate(later):
        land([row], f"later {place}")
    check([*rows, *later])
    lake.undo("later 1")
    rows += [later[0], later[2]]
    check(rows)
    lake.erase("k5")
    rows = [row for row in rows if row["customer_key"] != "k5"]
    check(rows)
    with store.writing() as session:
        session.add(Restriction(customer_key="k1", entered_by="dpo"))
    check([row for row in rows if row["customer_key"] != "k1"])
