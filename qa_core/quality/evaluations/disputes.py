"""Disputes: an advisor disagrees with one criterion, somebody other than its evaluator
decides, and the former answers are kept.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from qa_core import scoring, stats
from qa_core.access import people
from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment, masking
from qa_core.base.errors import AccessDenied, Refusal, require_known
from qa_core.base.i18n import N_
from qa_core.base.row_values import build_from_row
from qa_core.centre import members
from qa_core.compliance import requests
from qa_core.metrics.kpis import formatting
from qa_core.metrics.kpis.dimensions import Period
from qa_core.quality.evaluations import evaluation_view, finalise
from qa_core.quality.evaluations.evaluation_view_types import DisputeView
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import (
    EVALUATOR_KINDS,
    PUBLISHED,
    Evaluation,
    EvaluationAnswer,
    find_moment_of_change,
)
from qa_core.storage.records.listening import Dispute
from qa_core.storage.records.store import Session

MAX_TEXT = 2_000
"""Maximum characters of a reason or a comment."""
OTHER_ANSWER = N_("Choose another answer than those already given.")
NO_ANSWERS = N_("This evaluation has no scorecard answers. Write a comment instead.")


class DisputeDecision(StrEnum):
    """Decision: keep the answer, take the proposed one, or set a third."""

    KEEP = "keep"
    ACCEPT = "accept"
    THIRD = "third"


@dataclass(frozen=True, kw_only=True)
class DisputeLine(DisputeView):
    evaluation_id: int
    advisor: str | None
    team: str | None
    evaluator: str | None
    local_day: date

    @property
    def age_days(self) -> int:
        """Return the age in whole days of the centre, until the decision or today."""
        until = (
            environment.to_local(self.decided_at).date() if self.decided_at else environment.today()
        )
        return (until - environment.to_local(self.raised_at).date()).days


@dataclass(frozen=True)
class DisputeOutcome:
    """Disputes of an evaluator or criterion. `share`: changed answers, 0–1, 95 % interval."""

    key: str
    name: str
    evaluations: int
    disputed: int
    decided: int
    changed: int
    share: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class DisputeOutcomes:
    """Outcomes, most disputed first. `by_evaluator` None: hidden."""

    by_evaluator: tuple[DisputeOutcome, ...] | None
    by_criterion: tuple[DisputeOutcome, ...]


def raise_dispute(
    viewer: Viewer,
    evaluation_id: int,
    criterion: str,
    proposed: Any,
    reason: str,
    is_objection: bool = False,
) -> int:
    """Dispute one answer of one's own evaluation, with a proposed answer (points or
    "na") and a reason; return the dispute's id. `is_objection`: the advisor objects to the
    evaluation (GDPR, art. 21), and the data protection officer gets a copy.

    Raise Refusal after the last day, without a reason, for an answer that the criterion
    does not allow, and for a second dispute.
    """
    viewer.require(Permission.ANSWER_EVALUATIONS)
    reason = masking.clean_text(reason, MAX_TEXT, "no_reason")
    with store.writing() as session:
        evaluation = get_own(session, viewer, evaluation_id)
        scorecard = _require_scorecard(session, evaluation)
        last_day = evaluation_view.find_dispute_day(session, evaluation)
        if environment.today() > last_day:
            raise Refusal(
                "dispute_over",
                "Disputes were possible until {day}. Speak to your team lead.",
                day=formatting.day(last_day, year=True),
            )
        answers = finalise.read_answers(evaluation)
        if criterion not in answers:
            raise AccessDenied()
        before = sa.select(Dispute.id).where(
            Dispute.evaluation_id == evaluation.id, Dispute.criterion == criterion
        )
        if session.scalar(Scoped(before, viewer)) is not None:
            raise Refusal(
                "already_disputed",
                "You have already disputed this criterion. Each can be disputed once.",
            )
        scoring.score(scorecard, answers | {criterion: proposed})
        original, wanted = _points(answers[criterion]), _points(proposed)
        if original == wanted:
            raise Refusal("same_answer", OTHER_ANSWER)
        dispute = Dispute(
            evaluation_id=evaluation.id,
            criterion=criterion,
            original=original,
            proposed=wanted,
            reason=reason,
            raised_by=viewer.username,
        )
        session.add(dispute)
        session.flush()
        audit_log.record(session, viewer.username, "evaluation_disputed", str(evaluation.id))
        if is_objection:
            requests.enter_objection(session, viewer, f"evaluation {evaluation.id}")
        return dispute.id


def decide(
    viewer: Viewer, dispute_id: int, decision: str, points: Any = None, reason: str = ""
) -> None:
    """Decide on a dispute; `points` (or "na") with a third value only. A changed answer
    rescores the evaluation and keeps a revision.

    Raise Refusal for its evaluator and its advisor, for a decided dispute, and for a
    third value equal to the first two.
    """
    viewer.require(Permission.DECIDE_DISPUTES)
    require_known(decision, DisputeDecision, "unknown_decision")
    reason = masking.clean_text(reason, MAX_TEXT, "no_reason")
    with store.writing() as session:
        dispute = store.get_in_scope(session, viewer, Dispute, dispute_id)
        evaluation = evaluation_view.find_readable(session, viewer, dispute.evaluation_id)
        if evaluation_view.is_excluded_from_deciding(viewer, evaluation):
            raise Refusal(
                "own_evaluation",
                "You made this evaluation, or it is about you, so you cannot decide on it. "
                "Ask another manager.",
            )
        if dispute.decision is not None:
            raise Refusal(
                "already_decided",
                "This dispute was decided meanwhile. Open the page again to see the decision.",
            )
        answers = finalise.read_answers(evaluation)
        wanted = _choose_answer(decision, dispute, answers[dispute.criterion], points)
        if _points(wanted) != _points(answers[dispute.criterion]):
            scorecard = _require_scorecard(session, evaluation)
            comments = finalise.read_comments(evaluation)
            finalise.keep_revision(session, evaluation, f"disputed: {reason}", viewer.username)
            finalise.apply_scores(
                evaluation, scorecard, answers | {dispute.criterion: wanted}, comments
            )
            # The evaluation table is rebuilt only for a changed
            # `changed_at`.
            evaluation.changed_at = find_moment_of_change(session.connection())
        dispute.decision = decision
        dispute.decided = _points(wanted)
        dispute.decision_reason = reason
        dispute.decided_by, dispute.decided_at = viewer.username, now()
        audit_log.record(session, viewer.username, "dispute_decided", str(evaluation.id))


def find_disputes(viewer: Viewer) -> list[DisputeLine]:
    """Return the disputes in scope: open ones, oldest first; then newest decided."""
    viewer.require(Permission.DECIDE_DISPUTES)
    statement = (
        sa.select(
            Dispute,
            Evaluation.team,
            Evaluation.evaluator,
            Evaluation.local_day,
            Evaluation.advisor_id,
        )
        .join(Evaluation, Evaluation.id == Dispute.evaluation_id)
        .where(evaluation_view.is_readable(viewer))
        .order_by(
            Dispute.decided_at.is_not(None),
            Dispute.decided_at.desc(),
            Dispute.raised_at,
            Dispute.id,
        )
    )
    with store.reading() as session:
        names, advisors = people.find_names(session), members.find_names(session)
        return [
            build_from_row(
                DisputeLine,
                dispute,
                dispute_id=dispute.id,
                advisor=advisors.get(advisor_id, advisor_id),
                team=team,
                evaluator=names.get(evaluator, evaluator),
                local_day=local_day,
                decided_by=names.get(dispute.decided_by, dispute.decided_by),
            )
            for dispute, team, evaluator, local_day, advisor_id in session.execute(
                Scoped(statement, viewer)
            )
        ]


def count_outcomes(viewer: Viewer, period: Period) -> DisputeOutcomes:
    """Count disputes of the period by criterion, and by evaluator for viewers who may see them."""
    viewer.require(Permission.SEE_ADVISORS)
    within = [evaluation_view.is_readable(viewer), *PUBLISHED]
    within += [] if period.first_day is None else [Evaluation.local_day >= period.first_day]
    within += [] if period.last_day is None else [Evaluation.local_day <= period.last_day]
    disputed = (
        sa.select(Evaluation.evaluator, Dispute.criterion, Dispute.decision)
        .join(Evaluation, Evaluation.id == Dispute.evaluation_id)
        .where(*within)
    )
    by_criterion = (
        sa.select(EvaluationAnswer.criterion, sa.func.count())
        .join(Evaluation, Evaluation.id == EvaluationAnswer.evaluation_id)
        .where(*within)
    )
    by_evaluator = (
        sa.select(Evaluation.evaluator, sa.func.count())
        .where(*within, Evaluation.evaluator.is_not(None))
        .group_by(Evaluation.evaluator)
    )
    with store.reading() as session:
        rows = session.execute(Scoped(disputed, viewer)).all()
        by_criterion = by_criterion.group_by(EvaluationAnswer.criterion)
        criteria = dict(session.execute(Scoped(by_criterion, viewer)).all())
        evaluators, names = None, {}
        if viewer.can(Permission.SEE_EVALUATORS):
            evaluators = dict(session.execute(Scoped(by_evaluator, viewer)).all())
            names = people.find_names(session)
    return DisputeOutcomes(
        by_evaluator=None
        if evaluators is None
        else _count(evaluators, ((row.evaluator, row.decision) for row in rows), names),
        by_criterion=_count(criteria, ((row.criterion, row.decision) for row in rows), {}),
    )


def get_own(session: Session, viewer: Viewer, evaluation_id: int) -> Evaluation:
    """Return the published evaluation of the viewer's contact. Raise AccessDenied."""
    evaluation = evaluation_view.find_readable(session, viewer, evaluation_id)
    if (
        not viewer.advisor_id
        or evaluation.advisor_id != viewer.advisor_id
        or evaluation.kind not in EVALUATOR_KINDS
    ):
        raise AccessDenied()
    return evaluation


def _require_scorecard(session: Session, evaluation: Evaluation) -> scoring.Scorecard:
    scorecard = evaluation_view.find_scorecard(session, evaluation)
    if scorecard is None:
        raise Refusal("not_disputable", NO_ANSWERS)
    return scorecard


def _choose_answer(decision: str, dispute: Dispute, current: Any, points: Any) -> Any:
    if decision == DisputeDecision.THIRD:
        if points is None or _points(points) in (dispute.original, dispute.proposed):
            raise Refusal("no_third", OTHER_ANSWER)
        return points
    if decision == DisputeDecision.KEEP:
        return current
    if dispute.proposed is None:
        return scoring.NOT_APPLICABLE
    return dispute.proposed


def _points(answer: Any) -> float | None:
    return None if answer == scoring.NOT_APPLICABLE else float(answer)


def _count(
    evaluations: Mapping[str, int],
    decisions: Iterable[tuple[str | None, str | None]],
    names: Mapping[str, str],
) -> tuple[DisputeOutcome, ...]:
    disputed, decided, changed = Counter(), Counter(), Counter()
    for key, decision in decisions:
        disputed[key] += 1
        decided[key] += decision is not None
        changed[key] += decision in (DisputeDecision.ACCEPT, DisputeDecision.THIRD)
    counted = []
    for key, number in evaluations.items():
        between = stats.wilson(changed[key], decided[key]) or (None, None)
        share = changed[key] / decided[key] if decided[key] else None
        counted.append(
            DisputeOutcome(
                key,
                names.get(key) or key,
                number,
                disputed[key],
                decided[key],
                changed[key],
                share,
                *between,
            )
        )
    return tuple(
        sorted(counted, key=lambda outcome: (-outcome.disputed, -outcome.evaluations, outcome.name))
    )
