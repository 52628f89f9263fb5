"""Contacts that an evaluator has to score in open calibration sessions."""

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied
from qa_core.base.row_values import build_from_row, read_fields
from qa_core.compliance.conditions import accreditations, gates
from qa_core.compliance.recordings import law
from qa_core.metrics.law import listening_rights
from qa_core.quality.calibration import sessions
from qa_core.quality.calibration.contact_choice import PURPOSE
from qa_core.quality.evaluations import drafts
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import CALIBRATION, Evaluation


@dataclass(frozen=True)
class Task:
    """Contact of an open session. `state`: waiting · started · done."""

    contact_number: int
    calibration_id: int
    title: str
    position: int
    source_system: str
    contact_id: str
    local_start: datetime
    due_on: date | None
    state: str
    evaluation_id: int | None

    @property
    def is_overdue(self) -> bool:
        return (
            self.state != "done" and self.due_on is not None and self.due_on < environment.today()
        )


def find_worklist(viewer: Viewer) -> list[Task]:
    """Return the contacts of the viewer's open sessions, soonest due first."""
    viewer.require(Permission.SEE_CALIBRATIONS)
    viewer.require(Permission.FILL_SCORECARDS)
    evaluations = sa.select(Evaluation).where(
        Evaluation.kind == CALIBRATION, Evaluation.evaluator == viewer.username
    )
    with store.reading() as session:
        existing = {
            (row.calibration_id, row.source_system, row.contact_id): (row.id, row.state)
            for row in session.scalars(Scoped(evaluations, viewer))
        }
    tasks = []
    for item in sessions.find_sessions(viewer):
        for contact in item.contacts if item.is_open else ():
            key = (item.id, contact.source_system, contact.contact_id)
            evaluation_id, state = existing.get(key, (None, None))
            task = build_from_row(
                Task,
                contact,
                contact_number=contact.id,
                calibration_id=item.id,
                title=item.title,
                due_on=item.due_on,
                state="waiting" if state is None else "started" if state == "draft" else "done",
                evaluation_id=evaluation_id,
            )
            tasks.append(task)
    return sorted(
        tasks,
        key=lambda task: (
            task.due_on is None,
            task.due_on or date.max,
            task.calibration_id,
            task.position,
        ),
    )


def start(viewer: Viewer, contact_number: int) -> int:
    """Start or resume scoring one contact of an open session; return the id of the
    evaluation.

    Raise AccessDenied for others' sessions, Refusal for a closed one, and where the
    viewer or anybody may no longer listen to the contact.
    """
    viewer.require(Permission.FILL_SCORECARDS)
    viewer.require(Permission.SEE_CALIBRATIONS)
    with store.writing() as session:
        row, contact = sessions.get_contact(session, viewer, contact_number)
        if viewer.username not in row.evaluators:
            raise AccessDenied()
        gates.require_open(session, PURPOSE)
        accreditations.require(session, viewer, PURPOSE)
        drafts.require_not_own(session, viewer, contact.advisor_id)
        drafts.require_session_open(row)
        key, month = (contact.source_system, contact.contact_id), f"{contact.local_start:%Y-%m}"
        # As the system: the lake does not know the participants of a session.
        legal = law.load(session)
        if not listening_rights.find_listenable(Viewer.SYSTEM, [key], legal, month, month):
            raise drafts.build_withdrawn()
        draft = drafts.open_draft(
            session,
            viewer,
            kind=CALIBRATION,
            grid_id=row.grid_id,
            evaluator=viewer.username,
            purpose=PURPOSE,
            local_day=contact.local_start.date(),
            calibration_id=row.id,
            **read_fields(contact, drafts.CONTACT),
        )
        return draft.id
