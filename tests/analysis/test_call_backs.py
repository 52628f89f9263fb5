"""Call-backs: who waits for one, in whose list, and what is noted about it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, land

from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.analysis import call_backs
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.metrics.rows import callbacks
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.call_backs import CallBack
from qa_core.upkeep import purge

NORD = Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord"),))
SUD = Viewer("sam", Role.TEAM_LEAD, led_teams=(TeamSpan("Sud"),))
FORMER = Viewer("leo", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord", None, date(2026, 3, 1)),))
NAMES = ("k1-first", "k1-again", "k1-third", "k2", "k2-second")
MISSED = {"outcome": "abandoned", "queue": "Billing"}


@pytest.fixture
def missed(centre: Path) -> Path:
    """Nord answers Billing, Sud answered it two months ago and answers Help now."""
    add_people({"a1": "Ann", "a2": "Bob"}, {"Nord": "Lille", "Sud": "Nice"})
    land(
        [
            contact("2026-03-02 09:00", "old", queue="Billing", team="Sud", advisor_id="a2"),
            contact("2026-05-06 09:00", "b", queue="Billing", team="Nord", advisor_id="a1"),
            contact("2026-05-06 09:00", "h", queue="Help", team="Sud", advisor_id="a2"),
            contact("2026-05-05 10:00", "k1-first", customer_key="k1aa", **MISSED),
            contact("2026-05-06 08:00", "k1-again", customer_key="k1aa", **MISSED),
            contact("2026-05-04 10:00", "k2", customer_key="k2bb", team="Nord", **MISSED),
            contact("2026-05-06 07:00", "hidden number", **MISSED),
            contact("2026-04-20 07:00", "long ago", customer_key="k4", **MISSED),
            contact("2099-05-06 07:00", "a wrong date", customer_key="k6", **MISSED),
            contact("2026-05-06 07:00", "reached", customer_key="k5", **MISSED),
            contact("2026-05-06 07:30", "our call", customer_key="k5", direction="outbound"),
        ]
    )
    return centre


def key_of(contact_id: str) -> str:
    return callbacks.build_key("generic", contact_id)


def listed(viewer: Viewer) -> list[tuple[str | None, int, str | None, str | None]]:
    names = {key_of(name): name for name in NAMES}
    return [
        (names[due.caller.tries[0]], len(due.caller.tries), due.caller.customer, due.state)
        for due in call_backs.find_due(viewer)
    ]


def test_missed_callers_of_the_queues_that_a_team_answers_are_listed(missed: Path) -> None:
    assert listed(NORD) == [("k2", 1, "•• bb", None), ("k1-again", 2, "•• aa", None)]
    assert listed(SUD) == listed(FORMER) == []


def test_a_call_back_is_taken_tried_and_done(missed: Path) -> None:
    call_backs.settle(NORD, key_of("k2"), "taken")
    call_backs.settle(NORD, key_of("k1-again"), "tried")
    assert [(row[0], row[3]) for row in listed(NORD)] == [("k2", "taken"), ("k1-again", "tried")]
    call_backs.settle(NORD, key_of("k1-again"), "done")
    assert [row[0] for row in listed(NORD)] == ["k2"]

    again = contact("2026-05-06 11:00", "k1-third", customer_key="k1aa", **MISSED)
    land([again, contact("2026-05-06 11:00", "k2-second", customer_key="k2bb", **MISSED)])
    assert [(row[0], row[1], row[3]) for row in listed(NORD)] == [
        ("k2-second", 2, "taken"),
        ("k1-third", 3, None),
    ]
    with store.reading() as session:
        acts = sa.select(JournalRow.object, JournalRow.reason).where(
            JournalRow.action == "call_back_noted"
        )
        found = session.execute(Unscoped(acts, "a test")).all()
    assert [tuple(row) for row in found] == [
        (f"call-back {key_of('k2')}", "taken"),
        (f"call-back {key_of('k1-again')}", "tried"),
        (f"call-back {key_of('k1-again')}", "done"),
    ]


def test_what_was_noted_is_put_back_and_nobody_takes_what_another_took(missed: Path) -> None:
    other = Viewer("luc", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord"),))
    call_backs.settle(NORD, key_of("k2"), "taken")
    with pytest.raises(Refusal, match="lea has taken this call-back"):
        call_backs.settle(other, key_of("k2"), "taken")
    call_backs.settle(NORD, key_of("k2"), "taken")
    call_backs.settle(other, key_of("k2"), None)
    call_backs.settle(other, key_of("k2"), "taken")
    assert [due.taken_by for due in call_backs.find_due(NORD)] == ["luc", None]

    call_backs.settle(NORD, key_of("k2"), "done")
    assert [row[0] for row in listed(NORD)] == ["k1-again"]
    call_backs.settle(NORD, key_of("k2"), None)
    assert listed(NORD)[0] == ("k2", 1, "•• bb", None)


@pytest.mark.parametrize("contact_id", ["k2", "reached", "hidden number", "b", "none"])
def test_nobody_notes_a_call_back_that_is_not_theirs(missed: Path, contact_id: str) -> None:
    with pytest.raises(AccessDenied):
        call_backs.settle(SUD, key_of(contact_id), "done")
    for role in (Role.ADVISOR, Role.EXECUTIVE, Role.ADMIN, Role.DPO, Role.EVALUATOR):
        with pytest.raises(AccessDenied):
            call_backs.find_due(Viewer("x", role, advisor_id="a1"))


def test_notes_on_call_backs_go_after_thirty_days(missed: Path) -> None:
    call_backs.settle(NORD, key_of("k2"), "taken")
    with store.writing() as session:
        old = sa.update(CallBack).values(changed_at=sa.text("'2026-01-01 08:00:00'"))
        session.execute(Unscoped(old, "a test"))
    purge.purge(Viewer.SYSTEM)
    with store.reading() as session:
        assert session.scalars(Unscoped(sa.select(CallBack), "a test")).all() == []
