"""The demo centre may listen, and has calls to listen to; both go with it, and what
people entered themselves stays.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import sqlalchemy as sa

from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.cli import demo
from qa_core.cli.demo import listening as calls
from qa_core.compliance.conditions import accreditations, gates, notices
from qa_core.storage.records import store
from qa_core.storage.records.listening import AdvisorNotice, GateValue, Recording
from qa_core.storage.records.people import Account, Advisor

SYSTEM = Viewer.SYSTEM
TINY = demo.DemoPlan(last_day=date(2026, 11, 22), months=1, advisors=6, contacts=1_000)


def recent_plan() -> demo.DemoPlan:
    """A centre whose recordings are not yet due for deletion, on whichever day this
    runs.
    """
    return demo.DemoPlan(
        last_day=environment.today() - timedelta(days=1), months=1, advisors=6, contacts=1_000
    )


def test_every_spoken_call_has_its_lines_and_a_small_file_of_audio() -> None:
    found = calls.read_calls()

    assert {path.name for path in calls.FOLDER.iterdir()} == {call["file"] for call in found} | {
        "calls.toml"
    }
    assert {call["language"] for call in found} == {"fr", "en"}
    assert {call["queue"] for call in found} == {
        "Facturation",
        "Assistance technique",
        "Abonnements",
        "Commercial",
        "Réclamations",
    }
    assert all(
        {speaker for speaker, _text in call["lines"]} <= {"advisor", "customer", "hold"}
        for call in found
    )
    understood = [calls.audio.examine(calls.FOLDER / call["file"]) for call in found]
    assert all(
        item.media_type == "audio/ogg" and 20 < item.seconds < 50 and item.channels == 1
        for item in understood
    )
    assert sum(path.stat().st_size for path in calls.FOLDER.glob("*.ogg")) < 600_000


def test_the_demo_opens_the_gates_and_informs_each_advisor_before_their_first_contact(
    centre: Path,
) -> None:
    plan = recent_plan()
    demo.build(SYSTEM, plan=plan)

    with store.reading() as session:
        gates.require_open(session, "evaluation")
        listening = {
            Role(account.role)
            for account in session.scalars(sa.select(Account))
            if accreditations.is_accredited(session, account.username)
        }
        informed = notices.find_information_days(session)
        assert set(informed) == set(session.scalars(sa.select(Advisor.advisor_id)))
        rows = session.scalars(sa.select(Recording)).all()
    assert listening == {Role.EVALUATOR, Role.TEAM_LEAD, Role.MANAGER}
    # The audio of one went with an objection.
    assert sorted({row.deleted_because for row in rows if not row.file_name}) == ["objected"]
    assert sum(not row.file_name for row in rows) == 1
    rows = [row for row in rows if row.file_name]
    assert rows and all(informed[row.advisor_id] <= row.local_day for row in rows)
    assert len({row.team for row in rows}) == 1 and all(
        row.peaks and row.batch_id == calls.BATCH for row in rows
    )


def test_removal_takes_what_the_demo_entered_and_leaves_what_people_did(centre: Path) -> None:
    gates.set_gate(SYSTEM, "recording_retention_months", "3")
    demo.build(SYSTEM, plan=TINY)
    gates.set_gate(SYSTEM, "purposes", "training")

    demo.remove(SYSTEM)

    with store.reading() as session:
        assert session.execute(sa.select(GateValue.name, GateValue.value)).all() == [
            ("recording_retention_months", "3"),
            ("purposes", "training"),
        ]
        assert session.scalar(sa.select(sa.func.count()).select_from(AdvisorNotice)) == 0
        assert session.scalar(sa.select(sa.func.count()).select_from(Recording)) == 0
    assert not list((centre / "recordings").glob("*/*.bin"))


def test_beside_advisors_of_the_centre_itself_the_demo_opens_no_gate(centre: Path) -> None:
    with store.writing() as session:
        session.add(Advisor(advisor_id="real", name="Somebody real"))

    demo.build(SYSTEM, plan=replace(TINY, contacts=400))

    with store.reading() as session:
        assert set(gates.find_missing(session)) == {gate.name for gate in gates.ALL}
