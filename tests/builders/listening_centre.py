"""A centre that may listen: every gate entered, people accredited, advisors informed;
for the tests of the quality cycle.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from qa_core.access import accounts
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.centre import members
from qa_core.compliance.conditions import accreditations, evaluators, gates, notices
from qa_core.compliance.recordings import deletion
from qa_core.metrics import query
from qa_core.storage.records import store
from qa_core.storage.records.listening import Draw, Recording
from qa_core.storage.records.people import Advisor

ENTERED = {
    "works_council_consulted_on": "2026-01-05",
    "purposes": "training,evaluation,quality",
    "callers_informed_since": "2026-01-05",
    "recording_retention_months": "6",
    "analysis_retention_months": "12",
}


EVALUATORS = ("Eve", "Bea", "Max")
"""EvaluationAuthors of files, as the files of tests name them."""


def open_gates() -> None:
    """Enter what each gate asks for; the last one opens with the first `accredit`."""
    for name, value in ENTERED.items():
        gates.set_gate(Viewer.SYSTEM, name, value)


def accredit(*usernames: str, days: int = 30) -> None:
    """Accredit these people for every purpose, for so many days from today."""
    for username in usernames:
        accreditations.accredit(Viewer.SYSTEM, username, environment.today() + timedelta(days=days))


def accredit_evaluators(*names: str) -> None:
    """Accredit these evaluators of files for all past days; who has no account is confirmed."""
    for name in names:
        with store.reading() as session:
            known = evaluators.EvaluationAuthors(session).find(name)
        start, until = date(2020, 1, 1), environment.today() + timedelta(days=30)
        if known is not None and known.is_accredited(start, None):
            continue
        if known is None:
            evaluators.confirm(Viewer.SYSTEM, name, "evaluated before the centre used Écoute")
        who = known.name if known else name
        accreditations.accredit(Viewer.SYSTEM, who, until, (), start, "their evaluations")


def inform(*advisors: str, on: str = "2026-01-06") -> None:
    """Enter that these advisors were informed on that day."""
    notices.inform(Viewer.SYSTEM, list(advisors), date.fromisoformat(on))


def allow_evaluations(*advisors: str) -> None:
    """Let a centre import evaluations: enter the gates, accredit an evaluator and the
    `EVALUATORS` of files, add the advisors named, and inform everybody, unless that is done.
    """
    with store.reading() as session:
        missing = gates.find_missing(session)
        known = set(members.find_names(session))
    if "accredited_listeners" in missing:
        accounts.add(Viewer.SYSTEM, "listener", "evaluator", password="Violet-Harbour-27-lamps")
        accredit("listener")
    accredit_evaluators(*EVALUATORS)
    for name in set(missing) & set(ENTERED):
        gates.set_gate(Viewer.SYSTEM, name, ENTERED[name])
    with store.writing() as session:
        session.add_all(Advisor(advisor_id=name, name=name) for name in set(advisors) - known)
    waiting = [
        notice.advisor_id
        for notice in notices.find_all(Viewer.SYSTEM)
        if notice.informed_on is None
    ]
    if waiting:
        inform(*waiting)


def keep_audio(session: Session, contact_id: str, path: Path) -> Recording:
    """Keep that file as the recording of a contact, as an import does. The caller holds
    the lock of imports where a server may start meanwhile.
    """
    [found] = query.find_recorded(Viewer.SYSTEM, [contact_id])
    recording = deletion.add(session, deletion.store_audio(path), found, ",".join(gates.PURPOSES))
    session.flush()
    return recording


def build_draw(drawn_by: str, **more: Any) -> Draw:
    """Build a draw that left nothing out, to be given its plan and its contacts."""
    return Draw(
        seed=1,
        lake_version="1",
        frame=1,
        frame_digest="",
        excluded={},
        short={},
        frame_shares={},
        drawn_by=drawn_by,
        **more,
    )
