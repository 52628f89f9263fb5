"""Answers of demo advisors to evaluations: read, commented, disputed, self-evaluated."""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from qa_core import scoring
from qa_core.access.roles import Role, Viewer
from qa_core.cli.demo.accounts import Cast
from qa_core.cli.demo.story import STORY
from qa_core.quality.evaluations import advisor_response, disputes, evaluation_view, finalise
from qa_core.quality.evaluations.disputes import DisputeDecision
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import Dispute, EvaluationRevision
from qa_core.storage.records.store import Session

RECENT, SETTLED = timedelta(days=31), timedelta(days=3)
"""Age in days of the evaluations that are answered."""

SAID = STORY.advisors
"""Texts that they write, with the manager's decisions on their disputes."""


def answer(cast: Cast) -> None:
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
