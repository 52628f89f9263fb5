"""Notes on days: who writes about what, who sees them where, and that trends mark them,
the targets and the changes of settings.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, land, publish
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.analysis import alerts, annotations, targets
from qa_core.base.errors import AccessDenied, Misuse
from qa_core.metrics.kpis import get_kpi
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow

SYSTEM = Viewer.SYSTEM
MANAGER = Viewer("max", Role.MANAGER, managed_teams=("Nord",))
LEAD = Viewer(
    "lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord"), TeamSpan("Sud", None, date(2026, 1, 1)))
)
EXECUTIVE = Viewer("rex", Role.EXECUTIVE)
ADVISOR = Viewer("ann", Role.ADVISOR, advisor_id="a1")
ADMIN = Viewer("ada", Role.ADMIN)
MAY = Period(date(2026, 5, 1), date(2026, 5, 31))
THAT_DAY = date(2026, 5, 12)


@pytest.fixture
def two_sites(centre: Path) -> Path:
    """May 2026: Nord (Lille) answers care, Sud (Nice) answers sales."""
    add_people({"a1": "Ann"}, {"Nord": "Lille", "Sud": "Nice"})
    land(
        [
            contact("2026-05-04 10:00", team="Nord", queue="care"),
            contact("2026-05-31 10:00", team="Sud", queue="sales"),
        ]
    )
    return centre


def titles(viewer: Viewer, **values: str) -> list[str]:
    return [
        note.title
        for note in annotations.find(
            viewer, Filters.of(MAY, {name: [value] for name, value in values.items()})
        )
    ]


def test_leads_write_about_their_teams_managers_about_their_part_and_administrators_about_all(
    two_sites: Path,
) -> None:
    assert annotations.find_scopes(LEAD) == (("team", "Nord"),)
    assert annotations.find_scopes(MANAGER) == (
        ("site", "Lille"),
        ("team", "Nord"),
        ("queue", "care"),
    )
    everything = (
        (None, None),
        ("site", "Lille"),
        ("site", "Nice"),
        ("team", "Nord"),
        ("team", "Sud"),
        ("queue", "care"),
        ("queue", "sales"),
    )
    assert annotations.find_scopes(ADMIN) == everything
    assert (
        annotations.find_scopes(Viewer("mia", Role.MANAGER, managed_teams=("Nord", "Sud")))
        == everything
    )
    for viewer in (EXECUTIVE, ADVISOR):
        assert annotations.find_scopes(viewer) == ()
    for viewer, scope in (
        (LEAD, ("team", "Sud")),
        (MANAGER, ("site", "Nice")),
        (MANAGER, (None, None)),
        (EXECUTIVE, (None, None)),
    ):
        with pytest.raises(AccessDenied):
            annotations.add(viewer, "Strike", THAT_DAY, None, *scope)


def test_a_note_is_seen_where_it_may_matter_and_by_who_sees_the_place(two_sites: Path) -> None:
    for title, scope in (
        ("all", ()),
        ("lille", ("site", "Lille")),
        ("nord", ("team", "Nord")),
        ("care", ("queue", "care")),
    ):
        annotations.add(ADMIN, title, THAT_DAY, None, *scope)
    assert titles(MANAGER) == titles(LEAD) == ["all", "lille", "nord", "care"]
    assert titles(EXECUTIVE) == titles(ADVISOR) == ["all", "lille", "care"], "nobody else's teams"
    assert titles(MANAGER, queue="sales") == ["all", "lille", "nord"]
    assert titles(SYSTEM, team="Sud") == ["all", "care"], "Sud is in Nice"
    assert titles(Viewer("dan", Role.DPO)) == []


def test_a_note_stands_on_every_day_of_its_span(two_sites: Path) -> None:
    annotations.add(ADMIN, "Works", date(2026, 4, 20), date(2026, 5, 1))
    annotations.add(ADMIN, "Later", date(2026, 6, 1))
    assert titles(SYSTEM) == ["Works"]


def test_notes_are_journalled_without_what_they_say_and_removed_by_who_may_write_them(
    two_sites: Path,
) -> None:
    note = annotations.add(
        LEAD, "  Ten new   colleagues ", THAT_DAY, date(2026, 5, 13), "team", "Nord"
    )
    assert (note.title, note.author) == ("Ten new colleagues", "lea")
    for stranger in (EXECUTIVE, Viewer("sue", Role.TEAM_LEAD, led_teams=(TeamSpan("Sud"),))):
        with pytest.raises(AccessDenied):
            annotations.remove(stranger, note.id)
    assert [found.is_mine_to_remove for found in annotations.find(MANAGER)] == [True]
    annotations.remove(MANAGER, note.id)
    with pytest.raises(AccessDenied):
        annotations.remove(MANAGER, note.id)
    with store.reading() as session:
        rows = session.execute(
            sa.select(JournalRow.actor, JournalRow.action, JournalRow.object).order_by(
                JournalRow.seq
            )
        ).all()
    assert [tuple(row) for row in rows[-2:]] == [
        ("lea", "note_added", "2026-05-12 2026-05-13 team Nord"),
        ("max", "note_removed", "2026-05-12 2026-05-13 team Nord"),
    ]


def test_a_note_says_something_and_ends_after_it_starts(two_sites: Path) -> None:
    for title, last_day in (("  ", None), ("x" * 121, None), ("Strike", date(2026, 5, 1))):
        with pytest.raises(Misuse):
            annotations.add(ADMIN, title, THAT_DAY, last_day)


def test_a_lead_adds_a_note_from_a_trend_and_takes_it_away(
    open_app: Callable[..., AppTest], add_person: Callable[..., str], two_sites: Path
) -> None:
    land(
        [contact("2026-05-31 11:00", "missed", team="Nord", outcome="abandoned", wait_seconds=9.0)],
        "more",
    )  # without any a lead sees no answer rate
    add_person("lea", "team_lead", teams=("Nord",))
    app = open_app("lea", "overview")
    assert "What happened?" not in [field.label for field in app.text_input]
    app.session_state["note_trend_answer_rate"] = True
    app.run()
    app.text_input(key="note_title_trend_answer_rate").input("New headsets")
    next(
        button
        for button in app.button
        if button.label == "Add" and button.form_id == "note_form_trend_answer_rate"
    ).click()
    app.run()
    [note] = annotations.find(SYSTEM)
    assert (note.title, note.scope, note.first_day) == (
        "New headsets",
        ("team", "Nord"),
        date(2026, 5, 31),
    )
    app.button(key=f"note_remove_trend_answer_rate_{note.id}").click().run()
    assert annotations.find(SYSTEM) == ()


def test_a_tile_says_how_far_its_value_is_from_the_target(
    open_app: Callable[..., AppTest], add_person: Callable[..., str], two_sites: Path
) -> None:
    """Forty contacts, 30 answered: 75 %, of which the interval is 60–86 %."""
    land(
        [
            contact(
                "2026-05-31 11:00",
                f"t{n}",
                team="Nord",
                outcome="answered" if n < 29 else "abandoned",
                wait_seconds=9.0,
            )
            for n in range(39)
        ],
        "more",
    )
    add_person("lea", "team_lead", teams=("Nord",))
    targets.set_target(SYSTEM, "answer_rate", "80%")
    captions = [
        caption.value.replace("\u00a0", " ").replace("\u202f", " ")
        for caption in open_app("lea", "overview").caption
    ]
    assert any(
        "target 80.0 %, 5.0 pt below" in caption and ":orange[" not in caption
        for caption in captions
    )
    targets.set_target(SYSTEM, "answer_rate", "95%")
    captions = [
        caption.value.replace("\u00a0", " ").replace("\u202f", " ")
        for caption in open_app("lea", "overview").caption
    ]
    assert any(
        ":orange[:material/error:] target 95.0 %, 20.0 pt below" in caption for caption in captions
    )


def test_targets_are_set_and_removed_on_their_page(
    open_app: Callable[..., AppTest], add_person: Callable[..., str], two_sites: Path
) -> None:
    add_person("max", "manager", sites=("Lille",))
    app = open_app("max", "targets")
    app.selectbox(key="target_kpi").set_value("csat")
    app.text_input(key="target_value").input("85 %")
    next(button for button in app.button if button.label == "Add").click()
    app.run()
    [target] = targets.find_all(SYSTEM)
    assert (target.kpi, target.value, target.scope) == ("csat", 0.85, ("site", "Lille"))
    app.button(key=f"target_{target.id}").click().run()
    assert targets.find_all(SYSTEM) == ()


def test_a_target_is_offered_of_the_figures_that_one_sees_alone(
    open_app: Callable[..., AppTest], add_person: Callable[..., str], two_sites: Path
) -> None:
    add_person("max", "manager", sites=("Lille",))
    add_person("eva", "executive")
    title = get_kpi("alignment").title
    publish()

    offered = [
        open_app(who, "targets").selectbox(key="target_kpi").options for who in ("max", "eva")
    ]

    assert [title in options for options in offered] == [True, False]


def test_rules_are_added_and_ended_on_their_page(
    open_app: Callable[..., AppTest], add_person: Callable[..., str], two_sites: Path
) -> None:
    add_person("ada", "admin")
    app = open_app("ada", "targets", about="alerts")
    app.button(key="add_suggested").click().run()
    assert len(alerts.find_rules(SYSTEM)) == len(alerts.SUGGESTED)
    app.selectbox(key="rule_kpi").set_value("answer_rate").run()
    app.selectbox(key="rule_kind").set_value(alerts.RuleKind.THRESHOLD).run()
    app.text_input(key="rule_value").input("70 %").run()
    app.button(key="rule_add").click().run()
    added = alerts.find_rules(SYSTEM)[-1]
    assert (added.kpi, added.side, added.threshold, added.dimension) == (
        "answer_rate",
        "above",
        0.7,
        None,
    )
    app.button(key=f"rule_{added.id}").click().run()
    assert added not in alerts.find_rules(SYSTEM)
    assert not app.exception
