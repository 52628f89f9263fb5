"""Listening plans: evaluators, numbers, filters and purpose of a draw."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import sqlalchemy as sa

from qa_core.access import accounts, people
from qa_core.access.roles import Permission, Viewer, has_on_others
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal, build_unknown
from qa_core.base.i18n import N_, _
from qa_core.base.row_values import build_from_row, read_fields
from qa_core.centre import members
from qa_core.compliance.conditions import gates
from qa_core.quality import scorecards
from qa_core.quality.sampling.plan_file import PlanContent, describe_unknown, parse_plan, refuse
from qa_core.quality.scorecards import publication
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Scoped, Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import ScorecardVersion
from qa_core.storage.records.listening import OPEN, Draw, DrawnContact, ListeningPlan
from qa_core.storage.records.store import Session

TARGETED = "targeted"


@dataclass(frozen=True, kw_only=True)
class PlanState(PlanContent):
    """Plan and its progress in scope. `short`: missing in the newest draw."""

    id: int
    is_closed: bool
    draws: int
    drawn: int
    done: int
    overdue: int
    short: int

    def as_json(self) -> dict[str, Any]:
        """Return the plan in the words of its file, with its progress."""
        return {
            **read_fields(self, ("name", "purpose")),
            "from": self.starts_on,
            "to": self.ends_on,
            "grid": self.grid_key,
            **read_fields(self, ("per_advisor", "maximum_per_advisor", "strata")),
            **self.filters,
            **read_fields(self, ("evaluators", "most_per_evaluator")),
            "due": self.due_on,
            "closed": self.is_closed,
            **read_fields(self, ("draws", "drawn", "done", "overdue", "short")),
        }


def add_plan(viewer: Viewer, content: Mapping[str, Any]) -> int:
    """Add a plan from the content of its file. Publish the starter scorecard that it
    names if no scorecard has that key.

    Raise Refusal `bad_plan` (naming the field and what it expects), `plan_exists`.
    """
    viewer.require(Permission.MANAGE_LISTENING)
    plan = parse_plan(content)
    plan = replace(
        plan, evaluators=tuple(dict.fromkeys(map(accounts.normalise_username, plan.evaluators)))
    )
    _check(viewer, plan)
    plan = replace(plan, grid_key=_publish_scorecard(viewer, plan.grid_key))
    with store.writing() as session:
        same_name = sa.select(ListeningPlan.id).where(ListeningPlan.name == plan.name)
        if session.scalar(same_name) is not None:
            message = N_(
                "There is already a plan {name}. Choose another name, or draw again from that "
                "plan: this adds what is missing."
            )
            raise Refusal("plan_exists", message, name=plan.name)
        plan_row = ListeningPlan(**asdict(plan), created_by=viewer.username)
        session.add(plan_row)
        session.flush()
        audit_log.record(session, viewer.username, "plan_added", plan.name, reason=plan.purpose)
        return plan_row.id


def close(viewer: Viewer, name: str) -> None:
    """Close a plan to further draws; drawn contacts stay with their evaluators."""
    viewer.require(Permission.MANAGE_LISTENING)
    with store.writing() as session:
        plan = get_row(session, name)
        if plan.closed_at is None:
            plan.closed_at, plan.closed_by = now(), viewer.username
            audit_log.record(session, viewer.username, "plan_closed", name)


def find_plans(viewer: Viewer) -> list[PlanState]:
    """Return every plan, open ones first, newest period first, with progress in scope."""
    viewer.require(Permission.MANAGE_LISTENING)
    today = environment.today()
    overdue = sa.and_(DrawnContact.state.in_(OPEN), DrawnContact.due_on < today)
    counts = (
        sa.select(
            Draw.plan_id,
            sa.func.count(),
            sa.func.sum(sa.case((DrawnContact.state == "done", 1), else_=0)),
            sa.func.sum(sa.case((overdue, 1), else_=0)),
        )
        .join(DrawnContact, DrawnContact.draw_id == Draw.id)
        .where(DrawnContact.state != "replaced")
        .group_by(Draw.plan_id)
    )
    with store.reading() as session:
        progress = {
            row[0]: tuple(int(value or 0) for value in row[1:])
            for row in session.execute(Scoped(counts, viewer))
        }
        draws: dict[int, list[Draw]] = {}
        visible = Draw.id.in_(find_visible(session, viewer))
        for draw in session.scalars(sa.select(Draw).where(visible).order_by(Draw.id)):
            draws.setdefault(draw.plan_id, []).append(draw)
        plans = list(session.scalars(sa.select(ListeningPlan)))
    states = [
        _build_state(plan, draws.get(plan.id, []), progress.get(plan.id, (0, 0, 0)))
        for plan in plans
    ]
    return sorted(states, key=lambda plan: (plan.is_closed, -plan.ends_on.toordinal(), plan.name))


@dataclass(frozen=True)
class PlannedListening:
    """Part of a plan for each of its advisors: purpose, days, and number of contacts."""

    purpose: str
    starts_on: date
    ends_on: date
    per_advisor: int


def find_own_planned(viewer: Viewer) -> list[PlannedListening]:
    """List the plans in force or to come that the viewer's contacts may be drawn for."""
    viewer.require(Permission.SEE_OWN_QUALITY)
    if not viewer.advisor_id:
        raise AccessDenied()
    today = environment.today()
    plans = sa.select(ListeningPlan).where(
        ListeningPlan.closed_at.is_(None),
        ListeningPlan.ends_on >= today,
        ListeningPlan.purpose.in_(gates.PURPOSES),
    )
    with store.reading() as session:
        teams = members.find_teams(session, today).get(viewer.advisor_id)
        rows = session.scalars(plans.order_by(ListeningPlan.starts_on, ListeningPlan.id)).all()
    return [
        build_from_row(PlannedListening, row)
        for row in rows
        if teams is None or not row.filters.get("team") or teams & {*row.filters["team"]}
    ]


def find_choices(viewer: Viewer) -> dict[str, list[tuple[str, str]]]:
    """Return `evaluators` (also without accreditation) and `grids` for a form: key, title."""
    viewer.require(Permission.MANAGE_LISTENING)
    with store.reading() as session:
        known = people.find_people(session).values()
        published = dict(
            session.execute(
                sa.select(ScorecardVersion.key, ScorecardVersion.title)
                .where(ScorecardVersion.published_at.is_not(None))
                .order_by(ScorecardVersion.version)
            ).all()
        )
    starters = {key: publication.name_starter(key) for key in publication.find_starters()}
    return {
        "evaluators": [
            (person.username, person.name)
            for person in known
            if person.is_active and has_on_others(person.role, Permission.FILL_SCORECARDS)
        ],
        "grids": sorted((starters | published).items()),
    }


def get_row(session: Session, name: str) -> ListeningPlan:
    """Return the plan of that name. Raises Refusal for an unknown one."""
    plan = session.scalar(sa.select(ListeningPlan).where(ListeningPlan.name == name))
    if plan is None:
        raise build_unknown("unknown_plan", N_("Listening plan"), name)
    return plan


def find_visible(session: Session, viewer: Viewer) -> set[int]:
    """Find the ids of the draws that the viewer made, or that have all of their contacts in
    scope.
    """
    if viewer.is_system:
        return set(session.scalars(sa.select(Draw.id)))
    inside = sa.case((viewer.scope(DrawnContact.__table__), 1), else_=0)
    is_visible = sa.or_(Draw.drawn_by == viewer.username, sa.func.min(inside) == 1)
    drawn = sa.select(Draw.id).outerjoin(DrawnContact, DrawnContact.draw_id == Draw.id)
    ids = session.scalars(
        Unscoped(
            drawn.group_by(Draw.id, Draw.drawn_by).having(is_visible),
            "A viewer sees a draw if all its contacts are in scope. So the statement checks only "
            "whether there are contacts outside.",
        )
    )
    return set(ids)


def _build_state(
    plan: ListeningPlan, draws: Sequence[Draw], progress: tuple[int, ...]
) -> PlanState:
    return build_from_row(
        PlanState,
        plan,
        strata=tuple(plan.strata),
        evaluators=tuple(plan.evaluators),
        is_closed=plan.closed_at is not None,
        draws=len(draws),
        short=sum(draws[-1].short.values()) if draws else 0,
        **dict(zip(("drawn", "done", "overdue"), progress, strict=True)),
    )


def _check(viewer: Viewer, plan: PlanContent) -> None:
    with store.reading() as session:
        roles = {
            person.username: person.role
            for person in people.find_people(session).values()
            if person.is_active
        }
        entered = gates.value_of(session, "purposes")
    if entered is not None and plan.purpose not in entered.split(","):
        raise refuse(
            "purpose",
            _(
                "one of the purposes entered for this centre: {known}. The data protection "
                "officer enters them.",
                known=entered.replace(",", ", "),
            ),
        )
    if not plan.evaluators:
        raise refuse("evaluators", _("at least one account."))
    for name in plan.evaluators:
        if name not in roles or not has_on_others(roles[name], Permission.FILL_SCORECARDS):
            raise refuse("evaluators", _("{value} is not an active evaluator.", value=name))
    outside = (
        []
        if viewer.is_system
        else [team for team in plan.filters.get("team", ()) if team not in viewer.teams]
    )
    if outside:
        raise refuse("team", _("{value} is not one of your teams.", value=outside[0]))


def _publish_scorecard(viewer: Viewer, key: str) -> str:
    """Return the key of the published scorecard; publish a starter first."""
    with store.reading() as session:
        newest = scorecards.find_newest_published(session, key)
        known = set(
            session.scalars(
                sa.select(ScorecardVersion.key).where(ScorecardVersion.published_at.is_not(None))
            )
        )
    if newest is not None and newest.content.get("section"):
        return newest.key
    spelled = key.replace("_", "-")
    if newest is not None or publication.read_starter(spelled) is None:
        raise refuse("grid", describe_unknown(key, sorted({*known, *publication.find_starters()})))
    scorecards.publish_starter(viewer, spelled)
    return spelled
