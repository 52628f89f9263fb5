"""What KPIs should reach: which target a value answers to, who may set it, and how far
the value is from it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, land, publish

from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.analysis import targets
from qa_core.base import i18n
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.centre.rules import name_decisions
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow

SYSTEM = Viewer.SYSTEM
MANAGER = Viewer("max", Role.MANAGER, managed_teams=("Nord",))
LEAD = Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord"),))
EXECUTIVE = Viewer("rex", Role.EXECUTIVE)
ADVISOR = Viewer("ann", Role.ADVISOR, advisor_id="a1")
ADMIN = Viewer("ada", Role.ADMIN)
MAY = Period(date(2026, 5, 1), date(2026, 5, 31))


@pytest.fixture
def two_sites(centre: Path, start_from: Callable[..., Any]) -> Path:
    """May 2026. Nord (Lille): 8 of 10 answered in care. Sud (Nice): 4 of 5 answered in
    sales, on the last day.
    """
    start_from(land_two_sites)
    return centre


def land_two_sites() -> None:
    add_people({"a1": "Ann"}, {"Nord": "Lille", "Sud": "Nice"})
    nord = [
        contact(
            "2026-05-04 10:00",
            team="Nord",
            queue="care",
            outcome="answered" if number < 8 else "abandoned",
            wait_seconds=60.0,
        )
        for number in range(10)
    ]
    sud = [
        contact(
            "2026-05-31 10:00",
            team="Sud",
            queue="sales",
            outcome="answered" if number < 4 else "abandoned",
            wait_seconds=60.0,
        )
        for number in range(5)
    ]
    land([*nord, *sud])


def target_of(where: Filters, kpi: str = "answer_rate", viewer: Viewer = SYSTEM) -> list[float]:
    return [step.target.value for step in targets.find(viewer, kpi, where)]


def test_the_nearest_target_holds_of_the_team_then_the_queue_then_the_site_then_the_centre(
    two_sites: Path,
) -> None:
    nord, care = Filters.of(MAY, {"team": ["Nord"]}), Filters.of(MAY, {"queue": ["care"]})
    targets.set_target(SYSTEM, "answer_rate", "0.8")
    assert target_of(nord) == target_of(care) == target_of(Filters(MAY)) == [0.8]
    targets.set_target(SYSTEM, "answer_rate", "85 %", "site", "Lille")
    assert (target_of(nord), target_of(care)) == ([0.85], [0.8])
    targets.set_target(SYSTEM, "answer_rate", "0,9", "queue", "care")
    assert (target_of(nord), target_of(care)) == ([0.85], [0.9])
    assert target_of(Filters.of(MAY, {"team": ["Nord"], "queue": ["care"]})) == [0.9]
    targets.set_target(SYSTEM, "answer_rate", "0.95", "team", "Nord")
    assert target_of(nord) == [0.95]
    assert target_of(Filters.of(MAY, {"team": ["Nord", "Sud"]})) == [0.8]
    assert target_of(Filters(MAY), "service_level") == []


def test_a_target_follows_its_queue_when_that_is_merged_until_the_other_has_its_own(
    two_sites: Path,
) -> None:
    care = Filters.of(MAY, {"queue": ["care"]})
    targets.set_target(SYSTEM, "answer_rate", "0.9", "queue", "sales")
    number = name_decisions.merge(SYSTEM, "queue", "sales", "care")
    assert target_of(care) == [0.9]

    targets.set_target(SYSTEM, "answer_rate", "0.7", "queue", "care")
    assert target_of(care) == [0.7]
    name_decisions.undo(SYSTEM, number)
    assert target_of(Filters.of(MAY, {"queue": ["sales"]})) == [0.9]


def test_a_target_that_changes_within_a_period_is_given_in_steps(two_sites: Path) -> None:
    targets.set_target(SYSTEM, "answer_rate", "0.8")
    targets.set_target(
        SYSTEM, "answer_rate", "0.9", period=Period(date(2026, 5, 10), date(2026, 5, 19))
    )
    steps = targets.find(SYSTEM, "answer_rate", Filters(MAY))
    assert [(step.first_day, step.last_day, step.target.value) for step in steps] == [
        (date(2026, 5, 1), date(2026, 5, 9), 0.8),
        (date(2026, 5, 10), date(2026, 5, 19), 0.9),
        (date(2026, 5, 20), date(2026, 5, 31), 0.8),
    ]
    assert [(step.first_day, step.last_day) for step in targets.find(SYSTEM, "answer_rate")] == [
        (None, date(2026, 5, 9)),
        (date(2026, 5, 10), date(2026, 5, 19)),
        (date(2026, 5, 20), None),
    ]


def test_the_same_scope_and_days_again_replace_the_value(two_sites: Path) -> None:
    first = targets.set_target(SYSTEM, "answer_rate", "0.8", period=MAY)
    again = targets.set_target(SYSTEM, "answer_rate", "0.7", period=MAY)
    assert (first.id, [target.value for target in targets.find_all(SYSTEM)]) == (again.id, [0.7])


def test_the_gap_travels_beside_each_value_and_says_whether_chance_could_close_it(
    two_sites: Path,
) -> None:
    targets.set_target(SYSTEM, "answer_rate", "0.75")
    targets.set_target(SYSTEM, "answer_rate", "0.99", "team", "Nord")
    frame = targets.add_gaps(
        SYSTEM,
        query.measure(SYSTEM, ("answer_rate", "abandon_rate"), ("team",), Filters(MAY)),
        ("team",),
        Filters(MAY),
    )
    nord, _, sud, without = frame.itertuples()
    assert (nord.target, nord.gap, nord.is_met, nord.is_sure) == (
        0.99,
        pytest.approx(-0.19),
        False,
        True,
    )  # 8 of 10: 49–94 %
    assert (sud.target, sud.gap, sud.is_met, sud.is_sure) == (
        0.75,
        pytest.approx(0.05),
        True,
        False,
    )  # 4 of 5: 38–96 %
    assert (without.target != without.target, without.is_met) == (True, None)


def test_less_is_better_where_the_kpi_says_so_and_no_data_meets_nothing(two_sites: Path) -> None:
    targets.set_target(SYSTEM, "abandon_rate", "0.25")
    (row,) = targets.add_gaps(
        SYSTEM, query.measure(SYSTEM, ("abandon_rate",), where=Filters(MAY)), where=Filters(MAY)
    ).itertuples()
    assert (row.value, row.is_met) == (0.2, True)
    june = Filters(Period(date(2026, 6, 1), date(2026, 6, 30)))
    (row,) = targets.add_gaps(
        SYSTEM, query.measure(SYSTEM, ("abandon_rate",), where=june), where=june
    ).itertuples()
    assert (row.target, row.gap != row.gap, row.is_met) == (0.25, True, None)


def test_each_week_answers_to_the_target_in_force_on_its_last_day(two_sites: Path) -> None:
    targets.set_target(SYSTEM, "answer_rate", "0.8", period=Period(last_day=date(2026, 5, 9)))
    targets.set_target(SYSTEM, "answer_rate", "0.9", period=Period(first_day=date(2026, 5, 10)))
    frame = targets.add_gaps(
        SYSTEM,
        query.measure(SYSTEM, ("answer_rate",), ("day",), Filters(MAY)),
        ("day",),
        Filters(MAY),
    )
    assert list(frame["target"]) == [0.8, 0.9]
    frame = targets.add_gaps(
        SYSTEM,
        query.measure(SYSTEM, ("answer_rate",), ("week",), Filters(MAY)),
        ("week",),
        Filters(MAY),
    )
    assert list(frame["target"]) == [0.9, 0.9]  # the first week ends on 10 May


def test_what_adds_up_answers_to_the_target_of_its_very_days_and_scope_alone(
    two_sites: Path,
) -> None:
    with pytest.raises(Misuse) as refusal:
        targets.set_target(SYSTEM, "answered", "100")
    assert refusal.value.code == "no_period"
    targets.set_target(SYSTEM, "answered", "100", period=MAY)
    assert target_of(Filters(MAY), "answered") == [100.0]
    assert target_of(Filters(Period(date(2026, 5, 1), date(2026, 5, 7))), "answered") == []
    assert (
        target_of(Filters.of(MAY, {"team": ["Nord"]}), "answered")
        == target_of(Filters.of(MAY, {"channel": ["phone"]}), "answered")
        == []
    )


def test_managers_set_targets_of_their_sites_executives_of_the_organisation_and_administrators_all(
    two_sites: Path,
) -> None:
    targets.set_target(MANAGER, "answer_rate", "0.9", "team", "Nord")
    targets.set_target(MANAGER, "answer_rate", "0.9", "site", "Lille")
    targets.set_target(EXECUTIVE, "answer_rate", "0.9", "queue", "care")
    targets.set_target(EXECUTIVE, "answer_rate", "0.9")
    targets.set_target(ADMIN, "answer_rate", "0.9", "team", "Sud")
    for viewer, dimension, name in (
        (MANAGER, None, None),
        (MANAGER, "queue", "care"),
        (MANAGER, "team", "Sud"),
        (MANAGER, "site", "Nice"),
        (MANAGER, "team", "nowhere"),
        (EXECUTIVE, "team", "Nord"),
        (LEAD, "team", "Nord"),
        (ADVISOR, None, None),
    ):
        with pytest.raises(AccessDenied):
            targets.set_target(viewer, "answer_rate", "0.5", dimension, name)
    assert [(target.dimension, target.name) for target in targets.find_all(ADMIN)] == [
        (None, None),
        ("queue", "care"),
        ("site", "Lille"),
        ("team", "Nord"),
        ("team", "Sud"),
    ]


def test_nobody_sets_reads_or_removes_a_target_of_a_kpi_that_they_do_not_see(
    two_sites: Path, open_app, add_person
) -> None:
    publish()
    target = targets.set_target(ADMIN, "agreement", "0.8")
    assert targets.find_all(ADMIN) == (target,) and targets.find_all(EXECUTIVE) == ()
    with pytest.raises(AccessDenied):
        targets.set_target(EXECUTIVE, "agreement", "0.5")
    with pytest.raises(AccessDenied):
        targets.remove(EXECUTIVE, target.id)
    offered = {
        role: next(
            box.options
            for box in open_app(add_person(role, role), "targets").selectbox
            if box.key == "target_kpi"
        )
        for role in ("executive", "admin")
    }
    assert "Agreement" in offered["admin"]
    assert "Agreement" not in offered["executive"]


def test_a_manager_of_the_whole_centre_sets_its_targets_too(two_sites: Path) -> None:
    whole = replace(MANAGER, managed_teams=("Nord", "Sud"), sees_unassigned=True)
    targets.set_target(whole, "answer_rate", "0.9")
    targets.set_target(whole, "answer_rate", "0.8", "queue", "care")
    with pytest.raises(AccessDenied):
        targets.set_target(replace(whole, sees_unassigned=False), "answer_rate", "0.9")
    assert (None, None) in targets.find_scopes(whole) and (None, None) not in targets.find_scopes(
        MANAGER
    )


def test_other_people_s_teams_have_targets_that_nobody_else_sees(two_sites: Path) -> None:
    targets.set_target(SYSTEM, "answer_rate", "0.9", "team", "Sud")
    targets.set_target(SYSTEM, "answer_rate", "0.8", "team", "Nord")
    for viewer in (MANAGER, LEAD):
        assert [target.name for target in targets.find_all(viewer)] == ["Nord"]
        assert target_of(Filters.of(MAY, {"team": ["Sud"]}), viewer=viewer) == []
    assert targets.find_all(EXECUTIVE) == targets.find_all(ADVISOR) == ()
    with pytest.raises(AccessDenied):
        targets.find(ADMIN, "answer_rate", Filters(MAY))


def test_a_target_taken_away_is_gone_and_both_acts_stand_in_the_journal(two_sites: Path) -> None:
    mine = targets.set_target(MANAGER, "answer_rate", "0.9", "team", "Nord", MAY)
    foreign = targets.set_target(SYSTEM, "answer_rate", "0.9", "team", "Sud")
    for number in (foreign.id, 999):
        with pytest.raises(AccessDenied):
            targets.remove(MANAGER, number)
    targets.remove(MANAGER, mine.id)
    assert [target.id for target in targets.find_all(SYSTEM)] == [foreign.id]
    with store.reading() as session:
        rows = session.execute(
            sa.select(
                JournalRow.actor, JournalRow.action, JournalRow.object, JournalRow.reason
            ).order_by(JournalRow.seq)
        ).all()
    assert [tuple(row) for row in rows] == [
        ("max", "target_set", "answer_rate=0.9 team Nord", "from 2026-05-01 to 2026-05-31"),
        ("system", "target_set", "answer_rate=0.9 team Sud", ""),
        ("max", "target_removed", "answer_rate team Nord", ""),
    ]


@pytest.mark.parametrize(
    ("kpi", "text", "dimension", "name", "code"),
    [
        ("answer_rate", "85", None, None, "bad_target"),
        ("answer_rate", "much", None, None, "bad_target"),
        ("evaluation_score", "101", None, None, "bad_target"),
        ("average_handle_time", "-1", None, None, "bad_target"),
        ("average_handle_time", "inf", None, None, "bad_target"),
        ("answer_rate", "0.8", "channel", "phone", "bad_scope"),
        ("answer_rate", "0.8", "queue", "nowhere", "unknown_value"),
        ("answer_rate", "0.8", "team", "nowhere", "unknown_team"),
        ("answer_rate", "0.8", "site", "nowhere", "unknown_site"),
        ("cost_per_contact", "3", "team", "Nord", "cannot_cut"),
    ],
)
def test_what_cannot_be_a_target_is_refused(
    two_sites: Path, kpi: str, text: str, dimension: str | None, name: str | None, code: str
) -> None:
    with pytest.raises(Refusal) as refusal:
        targets.set_target(SYSTEM, kpi, text, dimension, name)
    assert refusal.value.code == code
    assert targets.find_all(SYSTEM) == ()


def test_an_unknown_place_is_named_as_pages_call_it(two_sites: Path) -> None:
    said = []
    for dimension in ("team", "site", "queue"):
        with pytest.raises(Refusal) as refusal:
            targets.set_target(SYSTEM, "answer_rate", "0.8", dimension, "Nowhere")
        with i18n.in_language("fr"):
            french = i18n.format_refusal(refusal.value)
        said.append((str(refusal.value), french.partition(" n’existe")[0]))
    assert said == [
        ("Team: Nowhere is not known here. Check the spelling.", "Équipe\u00a0: Nowhere"),
        ("Site: Nowhere is not known here. Check the spelling.", "Site\u00a0: Nowhere"),
        ("Queue: Nowhere is not known here. Check the spelling.", "File\u00a0: Nowhere"),
    ]


def test_a_target_is_seen_by_who_sees_its_kpi(two_sites: Path) -> None:
    targets.set_target(ADMIN, "agreement", "0.7")
    targets.set_target(ADMIN, "answer_rate", "80%")
    assert [target.kpi for target in targets.find_all(MANAGER)] == ["agreement", "answer_rate"]
    assert [target.kpi for target in targets.find_all(LEAD)] == ["answer_rate"]
