"""The demo centre may listen, and has calls to listen to; `test_demo.py` removes both."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders import demo_centre

from qa_core.access.roles import Role, Viewer
from qa_core.cli import demo
from qa_core.cli.demo import listening as calls
from qa_core.compliance.conditions import accreditations, gates, notices
from qa_core.storage.records import store
from qa_core.storage.records.listening import Recording
from qa_core.storage.records.people import Account, Advisor

SYSTEM = Viewer.SYSTEM
TINY = demo.DemoPlan(last_day=date(2026, 11, 22), months=1, advisors=6, contacts=400)


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
    centre: Path, build_once: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QA_DATABASE_URL", raising=False)
    demo_centre.fill(centre, build_once, demo_centre.RECENT)

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


def test_beside_advisors_of_the_centre_itself_the_demo_opens_no_gate(centre: Path) -> None:
    with store.writing() as session:
        session.add(Advisor(advisor_id="real", name="Somebody real"))

    demo.build(SYSTEM, plan=TINY)

    with store.reading() as session:
        assert set(gates.find_missing(session)) == {gate.name for gate in gates.ALL}
