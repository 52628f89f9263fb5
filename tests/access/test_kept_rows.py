"""Sums by team that are kept for everybody give each viewer the rows of their scope."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, land

from qa_core.access import kept_rows
from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.metrics import measure
from qa_core.metrics.dimensions import Filters, Period
from qa_core.storage import engine
from qa_core.storage.guard import Scoped
from qa_core.storage.schema import CONTACTS

TEAMS = ("North", "South", "East", None)
FIRST, LAST = date(2025, 1, 1), date(2025, 6, 20)
KPIS = ("received", "average_speed_of_answer")


@pytest.fixture
def rows(centre: Path) -> list[dict[str, Any]]:
    """Three calls a day of three of four teams, one of them no team."""
    add_people({"a": "Ann"}, {"North": "Lille", "South": "Lyon", "East": "Lyon"})
    chance, rows = random.Random(7), []
    for place in range((LAST - FIRST).days + 1):
        for number in range(3):
            at = datetime(2025, 1, 1) + timedelta(days=place, hours=8 + number)
            given = {"team": chance.choice(TEAMS), "advisor_id": f"a{number}"}
            given |= {"queue": chance.choice(("Help", "Sales")), "wait_seconds": chance.random()}
            rows.append(contact(at, f"{place}-{number}", **given))
    land(rows)
    return rows


def make_viewer(chance: random.Random) -> Viewer:
    """A manager of some teams, or a lead of some, from and until days within months."""
    if chance.random() < 0.3:
        teams = tuple(chance.sample(TEAMS[:3], chance.randrange(3)))
        return Viewer(
            "mo", Role.MANAGER, managed_teams=teams, sees_unassigned=chance.random() < 0.5
        )

    def day() -> date | None:
        return chance.choice((None, FIRST + timedelta(chance.randrange(170)), date(2025, 3, 1)))

    spans = [TeamSpan(chance.choice(TEAMS[:3]), day(), day()) for _ in range(chance.randrange(4))]
    return Viewer("lou", Role.TEAM_LEAD, led_teams=tuple(spans))


def holds(viewer: Viewer, row: dict[str, Any]) -> bool:
    """Count by hand: a managed team, no team where those are seen, a team led on that day."""
    if viewer.role == Role.MANAGER:
        return viewer.sees_unassigned if row["team"] is None else row["team"] in viewer.teams
    return row["team"] in viewer.teams_on(row["started_at"].date())


def check(rows: list[dict[str, Any]], seeds: range) -> int:
    """Compare figures from sums with the scope in SQL and with a count by hand. Returns how
    many rows were seen in all.
    """
    total = 0
    for seed in seeds:
        chance = random.Random(seed)
        viewer = make_viewer(chance)
        first = FIRST + timedelta(chance.choice((0, 0, chance.randrange(170))))
        last = chance.choice((LAST, min(LAST, first + timedelta(chance.randrange(100)))))
        inside = [row for row in rows if first <= row["started_at"].date() <= last]
        own = [row for row in inside if holds(viewer, row)]
        days = Filters(Period(first, last))
        frame = measure(viewer, KPIS, (), days)
        assert frame["n"].tolist() == [len(own), len(own)], (viewer, first, last)
        waits = sum(row["wait_seconds"] for row in own) / max(len(own), 1)
        assert not own or frame["value"].iat[1] == pytest.approx(waits)
        for by in (("queue",), ("team",), ("advisor",), ("week",), ("month", "queue")):
            cut = measure(viewer, KPIS, by, days)
            assert cut["n"].sum() == 2 * len(own), (viewer, by)
        helped = measure(viewer, KPIS, (), Filters.of(days.period, {"queue": ("Help",)}))
        assert helped["n"].iat[0] == sum(row["queue"] == "Help" for row in own)
        if viewer.can_cut_by("team"):
            north = measure(viewer, KPIS, (), Filters.of(days.period, {"team": ("North",)}))
            assert north["n"].iat[0] == sum(row["team"] == "North" for row in own)
        counted = sa.select(sa.func.count().label("n"), sa.cast(CONTACTS.c.local_start, sa.Date))
        by_day = engine.current().run(
            Scoped(counted.group_by(sa.cast(CONTACTS.c.local_start, sa.Date)), viewer)
        )
        assert by_day["n"].sum() == sum(holds(viewer, row) for row in rows)
        total += len(own)
    return total


def test_sums_of_teams_are_those_of_the_scope(rows: list[dict[str, Any]]) -> None:
    assert check(rows, range(12)) > 500


@pytest.mark.long
def test_sums_of_teams_are_those_of_three_hundred_scopes(rows: list[dict[str, Any]]) -> None:
    assert check(rows, range(300)) > 10_000


def test_another_scope_counts_no_contact_again(
    rows: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = Viewer("lou", Role.TEAM_LEAD, led_teams=(TeamSpan("North", date(2025, 2, 11)),))
    manager = Viewer("mo", Role.MANAGER, managed_teams=("North",))
    others = (
        Viewer("max", Role.MANAGER, managed_teams=("South", "East"), sees_unassigned=True),
        Viewer("liz", Role.TEAM_LEAD, led_teams=(TeamSpan("East", None, date(2025, 2, 20)),)),
    )
    questions = [
        ((), Filters()),
        (("queue",), Filters(Period(date(2025, 5, 20), LAST))),
        (("week",), Filters(Period(date(2025, 3, 5), date(2025, 6, 2)))),
        ((), Filters.of(Period(), {"queue": ("Sales",)})),
    ]
    for by, where in questions:
        measure(lead, KPIS, by, where)
        measure(manager, KPIS, by, where)
    asked: list[Any] = []
    run = engine.DuckDbEngine.run
    monkeypatch.setattr(
        engine.DuckDbEngine, "run", lambda *given, **named: asked.append(1) or run(*given, **named)
    )
    for by, where in questions:
        figures = [measure(viewer, KPIS, by, where)["n"].sum() for viewer in others]
        assert figures[0] > 0
    assert asked == []


def test_a_scope_is_cut_in_the_months_where_a_team_is_taken_over() -> None:
    spans = (TeamSpan("North", date(2025, 2, 11), date(2025, 4, 1)), TeamSpan("South"))
    lead = Viewer("lou", Role.TEAM_LEAD, led_teams=spans)
    assert kept_rows.find_cuts(lead) == {date(2025, 2, 1)}
    assert kept_rows.find_cuts(Viewer("mo", Role.MANAGER, managed_teams=("North",))) == set()
