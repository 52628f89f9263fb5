"""Coaching plans: a goal on criteria agreed between an advisor and their team lead,
sessions, remarks, and the end. The only writer of plans and notes.

Contact details in texts are masked; the audit log holds no text. The team's lead and
the advisor read and write, the manager reads, nobody else sees a plan. A plan stays
with the team it was opened in: once the advisor has left, its lead can only end it, and
the new lead does not see it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from qa_core.access import people
from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base import environment, masking
from qa_core.base.arguments import require_between
from qa_core.base.errors import (
    AccessDenied,
    Misuse,
    Refusal,
    build_unknown,
    require_number,
    require_version,
)
from qa_core.base.i18n import N_, _
from qa_core.base.row_values import build_from_row
from qa_core.centre import members
from qa_core.metrics import query
from qa_core.metrics.kpi.dimension_sql import Names
from qa_core.metrics.kpis.dimensions import Period
from qa_core.scoring import parse_scorecard
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import (
    PUBLISHED,
    Evaluation,
    EvaluationAnswer,
    ScorecardVersion,
)
from qa_core.storage.records.listening import CoachingNote, CoachingPlan
from qa_core.storage.records.store import Session

MAX_GOAL, MAX_NOTE, MAX_SESSION = 500, 2000, 480
"""Characters, characters, minutes."""
RECENT_DAYS = 28
"""Days before the newest data whose contacts place an advisor."""
LEFT_TEAM = N_(
    "The advisor has left the team {team}, so this plan can only be ended. Their present team "
    "lead can open a new one."
)


class CoachingState(StrEnum):
    OPEN = "open"
    REACHED = "reached"
    STOPPED = "stopped"


@dataclass(frozen=True)
class SessionNote:
    """Note on a plan; `minutes` of a session, None for a remark."""

    text: str
    minutes: int | None
    author: str
    written_at: datetime


@dataclass(frozen=True)
class EvaluationReference:
    id: int
    day: date
    score: float | None


@dataclass(frozen=True)
class CoachingPlanView:
    """Plan as the viewer may see it, people by name."""

    id: int
    advisor_id: str
    advisor: str
    team: str | None
    goal: str
    criteria: tuple[str, ...]
    evaluations: tuple[int, ...]
    starts_on: date
    due_on: date | None
    state: CoachingState
    version: int
    opened_by: str
    ended_on: date | None
    notes: tuple[SessionNote, ...]
    has_left: bool
    """Whether the advisor is no longer in the plan's team: it can only be ended."""
    may_change: bool
    may_note: bool

    @property
    def is_overdue(self) -> bool:
        return (
            self.state == CoachingState.OPEN
            and self.due_on is not None
            and self.due_on < environment.today()
        )

    @property
    def sessions(self) -> tuple[SessionNote, ...]:
        return tuple(note for note in self.notes if note.minutes is not None)

    @property
    def minutes(self) -> int:
        return sum(note.minutes or 0 for note in self.notes)


def open_plan(
    viewer: Viewer,
    advisor_id: str,
    goal: str,
    criteria: Sequence[str] = (),
    evaluations: Sequence[int] = (),
    starts_on: date | None = None,
    due_on: date | None = None,
) -> int:
    """Open a plan for an advisor who is today in a team that the viewer leads; return
    its id. Without criteria it is about the whole score.

    Raise AccessDenied for other advisors and for evaluations that are not theirs,
    Refusal for a bad goal or due day, Misuse for an unknown criterion.
    """
    viewer.require(Permission.MANAGE_COACHING)
    today = environment.today()
    goal, starts_on = masking.clean_text(goal, MAX_GOAL, "bad_goal"), starts_on or today
    if due_on is not None:
        require_between(due_on, starts_on)
    with store.writing() as session:
        team = find_members(session, viewer, today).get(advisor_id)
        if team is None:
            raise AccessDenied()
        theirs = sa.select(Evaluation.id).where(
            Evaluation.id.in_(evaluations), *_is_published_of(advisor_id)
        )
        if set(evaluations) - set(session.scalars(Scoped(theirs, viewer))):
            raise AccessDenied()
        known = _find_known_criteria(session, viewer, advisor_id)
        if unknown := sorted(set(criteria) - known.keys()):
            raise build_unknown("unknown_criterion", N_("Criterion"), unknown[0])
        plan = CoachingPlan(
            advisor_id=advisor_id,
            team=team,
            local_day=today,
            goal=goal,
            criteria=list(dict.fromkeys(criteria)),
            evaluations=list(dict.fromkeys(evaluations)),
            starts_on=starts_on,
            due_on=due_on,
            opened_by=viewer.username,
        )
        session.add(plan)
        session.flush()
        audit_log.record(session, viewer.username, "coaching_opened", f"plan {plan.id}")
        return plan.id


def add_note(viewer: Viewer, plan_id: int, text: str, minutes: int | None = None) -> None:
    """Add a remark, or session with `minutes`, to an open plan: by today's lead or the advisor."""
    viewer.require(Permission.SEE_COACHING)
    text = masking.clean_text(text, MAX_NOTE, "bad_note")
    if minutes is not None:
        require_number(_("Minutes of a session"), minutes, 1, MAX_SESSION, "bad_minutes")
    with store.writing() as session:
        plan = store.get_in_scope(session, viewer, CoachingPlan, plan_id)
        if not _may_note(viewer, plan):
            raise AccessDenied()
        _require_open(plan)
        if _has_left(plan, members.find_teams(session, environment.today())):
            raise Refusal("left_team", LEFT_TEAM, team=plan.team)
        plan.notes.append(CoachingNote(text=text, minutes=minutes, author=viewer.username))
        plan.version += 1
        kind = "remark" if minutes is None else "session"
        audit_log.record(session, viewer.username, "coaching_noted", f"plan {plan.id}", kind)


def end_plan(viewer: Viewer, plan_id: int, state: str, version: int) -> None:
    """End a plan as `reached` or `stopped`. Raise Refusal unless at `version`."""
    viewer.require(Permission.MANAGE_COACHING)
    if state not in (CoachingState.REACHED, CoachingState.STOPPED):
        raise Misuse("bad_state", "Choose how the plan ends: reached or stopped.")
    with store.writing() as session:
        plan = store.get_in_scope(session, viewer, CoachingPlan, plan_id)
        if not _may_change(viewer, plan):
            raise AccessDenied()
        _require_open(plan)
        require_version(plan.version, version)
        plan.state = CoachingState(state)
        plan.ended_on = environment.today()
        plan.version += 1
        audit_log.record(
            session, viewer.username, "coaching_ended", f"plan {plan.id}", reason=str(state)
        )


def find_plans(
    viewer: Viewer, advisor_id: str | None = None, is_open: bool | None = None
) -> tuple[CoachingPlanView, ...]:
    """Return the plans in scope: open ones by due day, then ended ones, newest first."""
    viewer.require(Permission.SEE_COACHING)
    statement = sa.select(CoachingPlan).options(selectinload(CoachingPlan.notes))
    if advisor_id is not None:
        statement = statement.where(CoachingPlan.advisor_id == advisor_id)
    if is_open is not None:
        statement = statement.where((CoachingPlan.state == CoachingState.OPEN) == is_open)
    with store.reading() as session:
        rows = session.scalars(Scoped(statement.order_by(CoachingPlan.id.desc()), viewer))
        views = _build_views(session, viewer, rows)
    return tuple(sorted(views, key=_sort_key))


def _sort_key(plan: CoachingPlanView) -> tuple[bool, int]:
    is_over = plan.state != CoachingState.OPEN
    day = (plan.ended_on or plan.starts_on) if is_over else (plan.due_on or date.max)
    return is_over, -day.toordinal() if is_over else day.toordinal()


def get_plan(viewer: Viewer, plan_id: int) -> CoachingPlanView:
    """Return one plan. Raise AccessDenied for missing as for forbidden ones."""
    viewer.require(Permission.SEE_COACHING)
    with store.reading() as session:
        row = store.get_in_scope(session, viewer, CoachingPlan, plan_id)
        return _build_views(session, viewer, [row])[0]


def read_plan(viewer: Viewer, plan_id: int) -> CoachingPlanView:
    """Return `get_plan`; audit the reading unless by the advisor."""
    plan = get_plan(viewer, plan_id)
    if viewer.role != Role.ADVISOR:
        who = audit_log.name_advisor(plan.advisor_id)
        audit_log.note_reading(viewer.username, "advisor_read", who)
    return plan


def find_trainees(viewer: Viewer) -> dict[str, str]:
    """Return advisor → name of those the viewer may open a plan for, by name."""
    viewer.require(Permission.MANAGE_COACHING)
    with store.reading() as session:
        names = find_names(session)
        trainees = find_members(session, viewer, environment.today())
    return dict(
        sorted(
            ((key, names.get(key, key)) for key in trainees), key=lambda entry: entry[1].casefold()
        )
    )


def find_criteria(viewer: Viewer, advisor_id: str) -> tuple[str, ...]:
    """Return the criteria for that advisor's plan: published ones in order, then evaluated ones."""
    viewer.require(Permission.MANAGE_COACHING)
    with store.reading() as session:
        return tuple(_find_known_criteria(session, viewer, advisor_id))


def find_evaluations(
    viewer: Viewer, advisor_id: str, evaluations: Sequence[int] | None = None, limit: int = 20
) -> tuple[EvaluationReference, ...]:
    """Return the newest published evaluations of that advisor in scope, or those named."""
    viewer.require(Permission.SEE_COACHING)
    statement = sa.select(Evaluation.id, Evaluation.local_day, Evaluation.score).where(
        *_is_published_of(advisor_id)
    )
    if evaluations is not None:
        statement = statement.where(Evaluation.id.in_(evaluations))
    newest = statement.order_by(Evaluation.local_day.desc(), Evaluation.id.desc()).limit(limit)
    with store.reading() as session:
        return tuple(EvaluationReference(*row) for row in session.execute(Scoped(newest, viewer)))


def find_members(session: Session, viewer: Viewer, day: date) -> dict[str, str]:
    """Return advisor → team, for advisors who are on that day in a team that the viewer
    leads or manages (for the system: any).

    By dated memberships; advisors without any, as where none were ever imported, by
    their latest contacts.
    """
    teams = viewer.teams_on(day)
    teams_by_advisor = members.find_members(session, day, None if viewer.is_system else teams)
    loose = members.find_never_placed(session)
    through = query.data_through(viewer) if loose else None
    if through is not None:
        for advisor in query.find_advisors(
            viewer, Period(through.date() - timedelta(days=RECENT_DAYS), through.date())
        ):
            team = next(
                (
                    name
                    for name in advisor.teams
                    if name is not None and (viewer.is_system or name in teams)
                ),
                None,
            )
            if advisor.advisor_id in loose and team is not None:
                teams_by_advisor[advisor.advisor_id] = team
    return teams_by_advisor


def find_names(session: Session) -> dict[str, str]:
    """Return advisor → name, with the id where several share the name."""
    return dict(Names.load(session, frozenset({"advisor"})).advisors)


def _may_change(viewer: Viewer, plan: CoachingPlan) -> bool:
    return viewer.can(Permission.MANAGE_COACHING) and (
        viewer.is_system or plan.team in viewer.teams_on(environment.today())
    )


def _may_note(viewer: Viewer, plan: CoachingPlan) -> bool:
    return _may_change(viewer, plan) or (
        viewer.role == Role.ADVISOR and plan.advisor_id == viewer.advisor_id
    )


def _has_left(plan: CoachingPlan, teams: Mapping[str, frozenset[str]]) -> bool:
    return plan.team is not None and plan.team not in teams.get(plan.advisor_id, (plan.team,))


def _require_open(plan: CoachingPlan) -> None:
    if plan.state != CoachingState.OPEN:
        raise Refusal("plan_ended", "This plan has ended. Open another one.")


def _is_published_of(advisor_id: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (Evaluation.advisor_id == advisor_id, *PUBLISHED)


def _find_known_criteria(session: Session, viewer: Viewer, advisor_id: str) -> dict[str, None]:
    scorecards = session.scalars(
        sa.select(ScorecardVersion.content)
        .where(ScorecardVersion.published_at.is_not(None))
        .order_by(ScorecardVersion.created_at, ScorecardVersion.id)
    )
    declared = [
        criterion.key for content in scorecards for criterion in parse_scorecard(content).criteria
    ]
    answered = (
        sa.select(EvaluationAnswer.criterion)
        .join(Evaluation, Evaluation.id == EvaluationAnswer.evaluation_id)
        .distinct()
    )
    answered = answered.where(*_is_published_of(advisor_id)).order_by(EvaluationAnswer.criterion)
    evaluated = session.scalars(Scoped(answered, viewer))
    return dict.fromkeys([*declared, *evaluated])


def _build_views(
    session: Session, viewer: Viewer, rows: Iterable[CoachingPlan]
) -> list[CoachingPlanView]:
    names, accounts = find_names(session), people.find_names(session)
    teams = members.find_teams(session, environment.today())
    views = []
    for row in rows:
        still_open, has_left = row.state == CoachingState.OPEN, _has_left(row, teams)
        notes = (
            SessionNote(
                note.text, note.minutes, accounts.get(note.author, note.author), note.written_at
            )
            for note in row.notes
        )
        view = build_from_row(
            CoachingPlanView,
            row,
            advisor=names.get(row.advisor_id, row.advisor_id),
            criteria=tuple(row.criteria),
            evaluations=tuple(row.evaluations),
            state=CoachingState(row.state),
            opened_by=accounts.get(row.opened_by, row.opened_by),
            notes=tuple(notes),
            has_left=has_left,
            may_change=still_open and _may_change(viewer, row),
            may_note=still_open and not has_left and _may_note(viewer, row),
        )
        views.append(view)
    return views
