"""Status of draws: stored draws, assigned contacts, work of each evaluator."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from qa_core.access import people
from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.row_values import build_from_row
from qa_core.compliance.conditions import accreditations, gates
from qa_core.metrics.kpi.dimension_sql import Names
from qa_core.quality.sampling import draws, plans
from qa_core.quality.sampling.fairness import Fairness
from qa_core.quality.sampling.worklist import DrawnItem
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.listening import OPEN, Draw, DrawnContact, ListeningPlan

MAX = 500
"""Maximum contacts listed, waiting ones first."""


@dataclass(frozen=True)
class StoredDraw:
    """Draw as stored. `short`: advisor by name → contacts missing."""

    id: int
    plan: str
    seed: int
    frame: int
    excluded: Mapping[str, int]
    short: Mapping[str, int]
    drawn: int
    shares: tuple[Fairness, ...]
    drawn_by: str
    drawn_at: datetime


@dataclass(frozen=True, kw_only=True)
class DrawnAssignment(DrawnItem):
    """Drawn contact and its evaluator; `advisor` and `evaluator` by name."""

    advisor: str | None
    team: str | None
    evaluator: str | None
    replaced_because: str | None


@dataclass(frozen=True)
class Load:
    """Work of an evaluator. `may_listen`: accredited for all that waits."""

    evaluator: str
    waiting: int
    overdue: int
    done: int
    may_listen: bool


def find_obstacle(viewer: Viewer) -> Refusal | None:
    """Return why nothing can be drawn at all; None: it can."""
    viewer.require(Permission.MANAGE_LISTENING)
    with store.reading() as session:
        try:
            gates.require_open(session)
        except Refusal as refusal:
            return refusal
    return None


def find_draws(viewer: Viewer, plan: str) -> list[StoredDraw]:
    """Return the draws of a plan made by the viewer or in scope, newest first."""
    viewer.require(Permission.MANAGE_LISTENING)
    visible = []
    with store.reading() as session:
        names = Names.load(session, frozenset({"advisor"})).advisors
        statement = (
            sa.select(Draw)
            .join(ListeningPlan, ListeningPlan.id == Draw.plan_id)
            .where(ListeningPlan.name == plan, ListeningPlan.purpose != "targeted")
            .where(Draw.id.in_(plans.find_visible(session, viewer)))
        )
        for stored in session.scalars(statement.order_by(Draw.id.desc())):
            short = {names.get(key, key): missing for key, missing in stored.short.items()}
            visible.append(
                build_from_row(
                    StoredDraw,
                    stored,
                    plan=plan,
                    short=short,
                    drawn=len(draws.find_originals(stored)),
                    shares=draws.read_fairness(stored),
                )
            )
    return visible


def find_assignments(viewer: Viewer, plan: str | None = None) -> list[DrawnAssignment]:
    """Return the drawn contacts in scope: overdue, waiting by due day, done or replaced."""
    viewer.require(Permission.MANAGE_LISTENING)
    today = environment.today()
    is_open = DrawnContact.state.in_(OPEN)
    statement = (
        sa.select(DrawnContact, ListeningPlan.name, ListeningPlan.purpose)
        .join(Draw, Draw.id == DrawnContact.draw_id)
        .join(ListeningPlan, ListeningPlan.id == Draw.plan_id)
        .where(*([ListeningPlan.name == plan] if plan else []))
        .order_by(
            sa.case((is_open, 0), else_=1),
            sa.case((is_open, DrawnContact.due_on)).asc().nulls_last(),
            DrawnContact.id.desc(),
        )
        .limit(MAX)
    )
    with store.reading() as session:
        labels = Names.load(session, frozenset({"advisor"}))
        evaluators = people.find_names(session)
        return [
            build_from_row(
                DrawnAssignment,
                row,
                drawn_id=row.id,
                plan=name,
                purpose=purpose,
                advisor=labels.advisor_label(row.advisor_id),
                channel=row.stratum.get("channel"),
                queue=row.stratum.get("queue"),
                evaluator=evaluators.get(row.evaluator, row.evaluator),
                is_overdue=row.state in OPEN and row.due_on is not None and row.due_on < today,
            )
            for row, name, purpose in session.execute(Scoped(statement, viewer))
        ]


def find_load(viewer: Viewer) -> list[Load]:
    """Return the work of each evaluator in scope, most waiting first."""
    viewer.require(Permission.MANAGE_LISTENING)
    is_open, today = DrawnContact.state.in_(OPEN), environment.today()
    counts = [
        sa.func.sum(sa.case((test, 1), else_=0))
        for test in (
            is_open,
            sa.and_(is_open, DrawnContact.due_on < today),
            DrawnContact.state == "done",
        )
    ]
    statement = (
        sa.select(DrawnContact.evaluator, ListeningPlan.purpose, *counts)
        .join(Draw, Draw.id == DrawnContact.draw_id)
        .join(ListeningPlan, ListeningPlan.id == Draw.plan_id)
        .where(DrawnContact.evaluator.is_not(None), DrawnContact.state != "replaced")
        .group_by(DrawnContact.evaluator, ListeningPlan.purpose)
    )
    loads: dict[str, Load] = {}
    with store.reading() as session:
        names = people.find_names(session)
        for name, purpose, waiting, overdue, done in session.execute(Scoped(statement, viewer)):
            before = loads.get(name, Load(names.get(name, name), 0, 0, 0, True))
            loads[name] = Load(
                before.evaluator,
                before.waiting + int(waiting),
                before.overdue + int(overdue),
                before.done + int(done),
                before.may_listen
                and (not waiting or accreditations.is_accredited(session, name, purpose)),
            )
    return sorted(loads.values(), key=lambda load: (-load.waiting, load.evaluator))
