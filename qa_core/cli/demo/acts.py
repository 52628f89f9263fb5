"""Acts of the people of the demo centre: advisors answered evaluations, the team lead coached,
the manager set goals and took up irritants, and the law was kept, but for one request and one
document.
"""

from contextlib import suppress
from datetime import time, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from qa_core import scoring
from qa_core.access import service_tokens
from qa_core.access.accounts import AccountTerms, confirm, find_requests
from qa_core.access.roles import Role, Viewer
from qa_core.access.sessions import SignedIn
from qa_core.analysis import alerts, annotations, targets
from qa_core.analysis.irritants import action_list
from qa_core.analysis.irritants.action_list import ActionState
from qa_core.analysis.irritants.subject import IrritantKind, IrritantSubject
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.centre.rules import name_decisions
from qa_core.cli.demo.accounts import Cast, order_colleagues
from qa_core.cli.demo.listening import BATCH
from qa_core.cli.demo.seasons import LAUNCH
from qa_core.cli.demo.story import STORY, DemoPlan, Entry
from qa_core.compliance import requests
from qa_core.compliance.conditions import exclusions
from qa_core.compliance.documents import printing
from qa_core.compliance.recordings import playback
from qa_core.ingest.load import recovery
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.quality.evaluations import advisor_response, disputes, evaluation_view, finalise
from qa_core.quality.evaluations.disputes import DisputeDecision
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.alerts import AlertRule
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.irritants import Irritant, IrritantStep
from qa_core.storage.records.listening import (
    CoachingNote,
    CoachingPlan,
    Dispute,
    EvaluationRevision,
    Recording,
)
from qa_core.storage.records.store import Session
from qa_core.upkeep import request_acts, subjects

RECENT, SETTLED = timedelta(days=31), timedelta(days=3)
"""Age in days of the evaluations that are answered."""

SAID = STORY.advisors
"""Texts that they write, with the manager's decisions on their disputes."""
LOOKED_AT_DAYS = 90
COACHED_AT, TAKEN_UP_AT = time(16, 30), time(10)
"""Times of day of what happens in coaching, and to an irritant."""

Kept = dict[str, list[int]]
"""Ids of goals that were set, by kind."""

RIGHTS = STORY.rights


def answer_evaluations(cast: Cast) -> None:
    """Answer the latest evaluations of the lead's team; they go with their batches."""
    username = cast.name(Role.ADVISOR)
    decided: list[tuple[int, str]] = []
    disputed: set[str] = set()
    with store.writing() as session:
        evaluations_of_team = _find_latest(session, cast.team)
        own = [
            evaluation
            for evaluation in evaluations_of_team
            if evaluation.advisor_id == cast.advisor_id
        ]
        others = {item.advisor_id: item for item in reversed(evaluations_of_team)}
        others.pop(cast.advisor_id, None)
        colleagues = sorted(others.values(), key=lambda item: item.evaluated_at, reverse=True)
        for evaluations, outcomes in ((own, SAID.own_disputes), (colleagues, SAID.disputes)):
            for evaluation, outcome in zip(evaluations[1:], outcomes, strict=False):
                raised_by = username if evaluations is own else evaluation.advisor_id
                dispute = _dispute(session, evaluation, raised_by, disputed)
                if dispute is not None and outcome != "pending":
                    decided.append((dispute.id, outcome))
        for number, evaluation in enumerate([*own[1:], *colleagues[1::2]]):
            evaluation.acknowledged_at = evaluation.evaluated_at + timedelta(hours=20 + number % 7)
            if number < len(SAID.comments):
                evaluation.advisor_comment = SAID.comments[number]
        if len(own) > 1:
            _evaluate_oneself(session, own[1], username)
    manager = cast.view(Role.MANAGER)
    for dispute_id, outcome in decided:
        reason = SAID.decisions[outcome]
        disputes.decide(manager, dispute_id, DisputeDecision(outcome), reason=reason)
    _date_decisions([dispute_id for dispute_id, _outcome in decided])


def _find_latest(session: Session, team: str) -> list[Evaluation]:
    """Find the team's imported evaluations of its last weeks but the last days, newest first."""
    mine = (
        Evaluation.team == team,
        Evaluation.kind == "scored",
        Evaluation.state == "published",
        Evaluation.advisor_id.is_not(None),
    )
    last = sa.select(sa.func.max(Evaluation.evaluated_at)).where(*mine)
    newest = session.scalar(Scoped(last, Viewer.SYSTEM))
    if newest is None:
        return []
    statement = (
        sa.select(Evaluation)
        .where(*mine, Evaluation.evaluated_at.between(newest - RECENT, newest - SETTLED))
        .options(selectinload(Evaluation.answers))
    )
    statement = statement.order_by(Evaluation.evaluated_at.desc(), Evaluation.contact_id)
    return list(session.scalars(Scoped(statement, Viewer.SYSTEM)))


def _dispute(
    session: Session, evaluation: Evaluation, raised_by: str, disputed: set[str]
) -> Dispute | None:
    """Dispute the criterion that lost most, one level up; None if nothing was lost."""
    plan = evaluation_view.find_scorecard(session, evaluation)
    answers = finalise.read_answers(evaluation)
    raised = _raise_levels(plan, answers, len(answers)) if plan else {}
    if not raised:
        return None
    criterion = next((key for key in raised if key not in disputed), next(iter(raised)))
    disputed.add(criterion)
    dispute = Dispute(
        evaluation_id=evaluation.id,
        criterion=criterion,
        original=answers[criterion],
        proposed=raised[criterion],
        reason=SAID.reasons.get(criterion, SAID.other_reason),
        raised_by=raised_by,
        raised_at=evaluation.evaluated_at + timedelta(hours=28),
    )
    session.add(dispute)
    session.flush()
    return dispute


def _raise_levels(
    plan: scoring.Scorecard, answers: dict[str, object], count: int
) -> dict[str, float]:
    """Raise the criteria that lost most points by one level, except critical errors."""
    lost = []
    for criterion in plan.criteria:
        earned = answers[criterion.key]
        higher = sorted(
            float(level)
            for level in criterion.levels
            if earned != scoring.NOT_APPLICABLE and float(level) > float(earned)
        )
        if higher and not criterion.critical:
            lost.append((float(earned) / float(criterion.points), criterion.key, higher[0]))
    return {key: level for _share, key, level in sorted(lost)[:count]}


def _evaluate_oneself(session: Session, evaluation: Evaluation, username: str) -> None:
    """Add the advisor's self-evaluation of that contact, kinder on two criteria."""
    plan = evaluation_view.find_scorecard(session, evaluation)
    if plan is None or evaluation.grid_id is None:
        return
    self_evaluation = advisor_response.open_self_evaluation(
        session, Viewer.SYSTEM, evaluation, username
    )
    answers = finalise.read_answers(evaluation)
    finalise.apply_scores(self_evaluation, plan, answers | _raise_levels(plan, answers, 2))
    at = evaluation.evaluated_at + timedelta(hours=9)
    self_evaluation.draft, self_evaluation.state = None, "published"
    self_evaluation.started_at = at - timedelta(minutes=11)
    self_evaluation.submitted_at = self_evaluation.evaluated_at = self_evaluation.published_at = at


def _date_decisions(dispute_ids: list[int]) -> None:
    """Move the decisions of the demo centre some days after what they decide on."""
    with store.writing() as session:
        raised = sa.select(Dispute).where(Dispute.id.in_(dispute_ids))
        for dispute in session.scalars(Scoped(raised, Viewer.SYSTEM)):
            dispute.decided_at = dispute.raised_at + timedelta(days=1, hours=5)
            of_it = EvaluationRevision.evaluation_id == dispute.evaluation_id
            session.execute(
                sa.update(EvaluationRevision).where(of_it).values(replaced_at=dispute.decided_at)
            )


def coach(viewer: Viewer, cast: Cast) -> None:
    """Open the plans of the demo's team lead, except those older than the centre."""
    plan, lead = cast.plan, cast.name(Role.TEAM_LEAD)
    weak, *ordinary = order_colleagues(cast.staff)
    stories = list(zip((cast.advisor, *ordinary), STORY.coaching.others, strict=False))
    if cast.staff.scores[weak] < 0:
        stories.append((weak, STORY.coaching.weak))
    with store.writing() as session:
        for advisor, story in stories:
            starts_on = plan.day(story.starts)
            if starts_on < plan.first_day:
                continue
            advisor_id = cast.staff.ids[advisor]
            spoken = cast.name(Role.ADVISOR) if advisor == cast.advisor else lead
            session.add(
                CoachingPlan(
                    advisor_id=advisor_id,
                    team=cast.team,
                    local_day=starts_on,
                    goal=story.goal,
                    criteria=story.criteria
                    or _find_weakest(viewer, plan, cast.team, advisor_id, story),
                    evaluations=[],
                    starts_on=starts_on,
                    due_on=plan.day(story.due),
                    state=story.get("state", "open"),
                    version=1 + len(story.notes),
                    opened_by=lead,
                    opened_at=plan.moment(story.starts, COACHED_AT),
                    ended_on=plan.day(story.ended) if "ended" in story else None,
                    notes=[
                        CoachingNote(
                            text=note.text,
                            minutes=note.get("minutes"),
                            author=spoken if note.get("is_own") else lead,
                            written_at=plan.moment(note.days, COACHED_AT),
                        )
                        for note in story.notes
                    ],
                )
            )


def _find_weakest(
    viewer: Viewer, plan: DemoPlan, team: str, advisor_id: str, story: Entry
) -> list[str]:
    """Find the two criteria on which the advisor was furthest behind before the plan."""
    before = Period(plan.day(story.starts + LOOKED_AT_DAYS), plan.day(story.starts + 1))
    where = Filters.of(before, {"team": (team,)})
    everybody, own = (
        query.measure(viewer, ("evaluation_score",), ("criterion",), cut)
        .set_index("criterion")["value"]
        .to_dict()
        for cut in (where, where.with_value("advisor", advisor_id))
    )
    behind = {
        criterion: value - everybody[criterion]
        for criterion, value in own.items()
        if not formatting.is_missing(value)
    }
    return sorted(behind, key=behind.__getitem__)[:2]


def set_goals(viewer: Viewer, plan: DemoPlan) -> Kept:
    """Set targets, a note and alert rules where nobody has, and evaluate the rules."""
    present = {target.kpi for target in targets.find_all(viewer)}
    goals = [
        targets.set_target(viewer, kpi, text).id
        for kpi, text in STORY.targets.items()
        if kpi not in present
    ]
    launch = plan.day(LAUNCH.age)
    is_within = launch >= plan.first_day
    notes = [annotations.add(viewer, LAUNCH.note, launch).id] if is_within else []
    rules = [rule.id for rule in alerts.add_suggested(viewer)]
    alerts.evaluate(viewer)
    return {"targets": goals, "notes": notes, "rules": rules}


def remove_goals(viewer: Viewer, kept: Kept) -> None:
    """Remove what was set and still exists, with all that its rules fired."""
    for remove, numbers in (
        (targets.remove, "targets"),
        (annotations.remove, "notes"),
        (alerts.end, "rules"),
    ):
        for number in kept.get(numbers, ()):
            try:
                remove(viewer, number)
            except AccessDenied:
                continue  # somebody has taken it away before
    with store.writing() as session:
        session.execute(sa.delete(AlertRule).where(AlertRule.id.in_(kept.get("rules", ()))))


def add_irritants(cast: Cast) -> None:
    """Add the irritants as the demo's manager would; existing entries stay."""
    manager, plan = cast.view(Role.MANAGER), cast.plan
    for story in STORY.irritants:
        kind, terms = IrritantKind(story.subject.kind), tuple(story.subject.get("terms", ()))
        words = {"kind": kind, "terms": terms}
        subject = IrritantSubject(**(story.subject | words))
        number = action_list.open_entry(manager, subject, Filters(), cast.name(story.owner))
        with store.writing() as session:
            entry = session.get(Irritant, number)
            entry.steps = [
                IrritantStep(
                    state=ActionState(state),
                    taken_by=manager.username,
                    taken_at=plan.moment(days, TAKEN_UP_AT),
                )
                for state, days in story.steps.items()
            ]
            entry.state, entry.opened_at = entry.steps[-1].state, entry.steps[0].taken_at
            entry.due_on, entry.note = plan.day(story.due), story.note


def keep_law(cast: Cast) -> None:
    """Let the invited people do what the law asks for, through the doors of the product."""
    officer, admin = cast.view(Role.DPO), cast.view(Role.ADMIN)
    newest = sa.select(Recording).where(Recording.batch_id == BATCH)
    newest = newest.order_by(Recording.local_day.desc(), Recording.id)
    with store.reading() as session:
        kept = session.scalars(Scoped(newest, Viewer.SYSTEM)).all()
    printing.enter_details(officer, RIGHTS.details)
    # The demo's own advisor sees who listened.
    first = sorted(kept, key=lambda one: one.advisor_id != cast.advisor_id)[:1]
    for listener in RIGHTS.listeners:
        _listen(cast.view(listener.role), [*first, *kept], listener)
    if kept:
        subjects.object_to(officer, contacts=[(kept[-1].source_system, kept[-1].contact_id)])
    person, today = ("advisor", cast.advisor_id), environment.today()
    asked_on = today - timedelta(days=RIGHTS.answered_after)
    number = requests.add(officer, "access", *person, asked_on)
    subjects.export_for(officer, number)
    request_acts.answer(officer, number, RIGHTS.answer, RIGHTS.identity_check)
    asked_on = today - timedelta(days=RIGHTS.waiting_for)
    requests.add(officer, "rectification", *person, asked_on)
    with store.writing() as session:
        exclusions.add(session, officer, "representative", number=RIGHTS.representatives_line)
    for name, purpose in RIGHTS.tokens.items():
        service_tokens.add(admin, name, AccountTerms(Role.EXECUTIVE, purpose))
    confirm(officer, find_requests(officer)[0].id)
    with suppress(AccessDenied, Refusal):  # a small centre has no call of both campaigns
        name_decisions.merge(admin, "campaign", *RIGHTS.spellings)
        recovery.apply_due_rules()
    for kind in printing.ALL:
        if kind.name != RIGHTS.not_printed:
            printing.print_document(officer, kind.name, "fr", "pdf")


def _listen(viewer: Viewer, kept: list[Recording], listener: Entry) -> None:
    """Play as many of these recordings as the listener has in the story."""
    signed_in, count = SignedIn(viewer, 0, False), listener.calls
    for recording in kept:
        with suppress(AccessDenied, Refusal):
            address = playback.make_ticket(
                signed_in, recording.id, listener.purpose, listener.reason
            )
            playback.open_ticket(signed_in, address.removeprefix("/audio/"))
            count -= 1
        if not count:
            return
