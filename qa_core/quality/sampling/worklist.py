"""Contacts drawn for an evaluator."""

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.row_values import build_from_row
from qa_core.compliance.conditions import accreditations
from qa_core.compliance.recordings import law
from qa_core.metrics.law.evaluator_contact import find_listed
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import EVALUATOR_KINDS, Evaluation
from qa_core.storage.records.listening import OPEN, Draw, DrawnContact, ListeningPlan


@dataclass(frozen=True, kw_only=True)
class DrawnItem:
    """Contact drawn for a plan, in a list."""

    drawn_id: int
    source_system: str
    contact_id: str
    local_start: datetime
    channel: str | None
    queue: str | None
    due_on: date | None
    state: str
    plan: str
    purpose: str
    is_overdue: bool


@dataclass(frozen=True, kw_only=True)
class Assignment(DrawnItem):
    """Contact for its evaluator: waiting or started; `seconds`: talk and hold, None: unknown."""

    seconds: float | None
    grid_key: str
    evaluation_id: int | None


def find_worklist(viewer: Viewer) -> list[Assignment]:
    """Return what waits for the viewer: overdue first, then by due day, then as drawn.

    Leaves out purposes without accreditation today, and contacts that nobody may listen
    to any more.
    """
    viewer.require(Permission.FILL_SCORECARDS)
    today = environment.today()
    drafts = sa.select(
        Evaluation.drawn_id, sa.func.max(Evaluation.id).label("evaluation_id")
    ).where(
        Evaluation.evaluator == viewer.username,
        Evaluation.kind.in_(EVALUATOR_KINDS),
        Evaluation.drawn_id.is_not(None),
    )
    drafts = drafts.group_by(Evaluation.drawn_id).subquery()
    statement = (
        sa.select(DrawnContact, ListeningPlan, drafts.c.evaluation_id)
        .join(Draw, Draw.id == DrawnContact.draw_id)
        .join(ListeningPlan, ListeningPlan.id == Draw.plan_id)
        .outerjoin(drafts, drafts.c.drawn_id == DrawnContact.id)
        .where(DrawnContact.evaluator == viewer.username, DrawnContact.state.in_(OPEN))
    )
    with store.reading() as session:
        rows = session.execute(Scoped(statement, viewer)).all()
        purposes = {plan.purpose for _drawn, plan, _evaluation in rows}
        allowed = {
            purpose
            for purpose in purposes
            if accreditations.is_accredited(session, viewer.username, purpose)
        }
        legal = law.load(session)
    listed = find_listed(
        viewer,
        {
            (drawn.source_system, drawn.contact_id): drawn.local_start.date()
            for drawn, _plan, _evaluation in rows
        },
        legal,
    )
    assignments = []
    for drawn, plan, evaluation_id in rows:
        contact = listed.get((drawn.source_system, drawn.contact_id))
        if plan.purpose not in allowed or (contact and contact.is_withdrawn):
            continue
        assignments.append(
            build_from_row(
                Assignment,
                drawn,
                drawn_id=drawn.id,
                channel=drawn.stratum.get("channel"),
                queue=drawn.stratum.get("queue"),
                seconds=contact.seconds if contact else None,
                plan=plan.name,
                purpose=plan.purpose,
                grid_key=plan.grid_key,
                evaluation_id=evaluation_id,
                is_overdue=drawn.due_on is not None and drawn.due_on < today,
            )
        )
    return sorted(
        assignments, key=lambda item: (item.due_on is None, item.due_on or date.max, item.drawn_id)
    )
