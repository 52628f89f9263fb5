"""A centre that keeps the rules, for the tests that break them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path

import pytest

from builders.centres import add_people, contact, land
from builders.listening_centre import accredit, inform, keep_audio, open_gates
from builders.sounds import make
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.compliance.documents import printing
from qa_core.compliance.documents.facts import DETAILS
from qa_core.compliance.rules import catalogue
from qa_core.compliance.rules.catalogue import RuleVerdict
from qa_core.storage import audit_log, permissions
from qa_core.storage.records import store
from qa_core.storage.records.listening import Playback, Recording
from qa_core.upkeep import purge

SYSTEM = Viewer.SYSTEM
RECENT = datetime.combine(environment.today() - timedelta(days=2), time(9))
CALL = {"advisor_id": "A1", "team": "Nord", "notice_played": True, "talk_seconds": 60.0}


def judge() -> dict[str, RuleVerdict]:
    """The verdict on each rule, by its number."""
    return {verdict.rule.number: verdict for verdict in purge.judge_rules(SYSTEM)}


def judge_rule(number: str) -> RuleVerdict:
    """The verdict on one rule, found alone: judging all of them takes ten times as long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            catalogue, "RULES", tuple(rule for rule in catalogue.RULES if rule.number == number)
        )
        return judge()[number]


def play(kept: Recording, **more: object) -> Playback:
    """A playback of a recording by eve."""
    return Playback(
        recording_id=kept.id, source_system="generic", contact_id=kept.contact_id,
        **{"advisor_id": "A1", "username": "eve", "purpose": "quality", "reason": "r"} | more,
    )  # fmt: skip


def build_running_centre(add_person: Callable[..., str], folder: Path) -> None:
    """A centre in order: gates open, people accredited and informed, one of ten contacts
    recorded, listened to and on record, the documents printed and a backup made.
    """
    add_person("eve", "evaluator")
    add_people({"A1": "Ann"}, {"Nord": "Lille"})
    open_gates()
    printing.enter_details(SYSTEM, dict.fromkeys(DETAILS, "x"))
    accredit("eve")
    inform("A1")
    land([contact(RECENT, f"c{n}", recorded=n == 0, **CALL) for n in range(10)])
    with store.writing() as session:
        kept = keep_audio(session, "c0", make(folder / "c0.wav"))
        session.add(play(kept))
        audit_log.record(session, "eve", "recording_played", "generic/c0", reason="quality: r")
        audit_log.record(session, "system", "backup_made")
    for path in permissions.find_open():
        path.chmod(path.stat().st_mode & 0o700)
    print_documents()


def print_documents(count: int | None = None) -> None:
    """Note that the documents were printed as they stand."""
    states = printing.find_all(SYSTEM)[:count]
    with store.writing() as session:
        for state in states:
            audit_log.record(
                session,
                "dora",
                "document_printed",
                state.kind.name,
                reason=f"fr pdf {state.digest}",
            )
