"""One evaluation as a reader may see it: advisors their own once published, team leads
and managers those in scope, evaluators those they made.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from qa_core import scoring
from qa_core.access import people
from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.base.row_values import build_from_row
from qa_core.centre import members
from qa_core.quality import scorecards
from qa_core.quality.evaluations import finalise
from qa_core.quality.evaluations.evaluation_view_types import (
    AnswerView,
    DisputeView,
    EvaluationView,
    RevisionView,
    SectionView,
    SelfEvaluationView,
    TimedCommentView,
)
from qa_core.scoring import Text
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Scoped, Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import (
    EVALUATOR_KINDS,
    PUBLISHED,
    Evaluation,
    EvaluationAnswer,
)
from qa_core.storage.records.listening import (
    Dispute,
    Draw,
    DrawnContact,
    EvaluationRevision,
    ListeningPlan,
    TimedComment,
)
from qa_core.storage.records.store import Session

DISPUTE_DAYS = 14
"""Days after publication for a dispute, unless the plan sets them."""


def get_evaluation(viewer: Viewer, evaluation_id: int) -> EvaluationView:
    """Return an evaluation as the viewer may see it. Raise AccessDenied."""
    viewer.require(Permission.SEE_EVALUATIONS)
    with store.reading() as session:
        evaluation = find_readable(session, viewer, evaluation_id)
        return _build(session, viewer, evaluation)


def read_evaluation(viewer: Viewer, evaluation_id: int) -> EvaluationView:
    """Return `get_evaluation` and record the reading in the audit log."""
    evaluation = get_evaluation(viewer, evaluation_id)
    audit_log.note_reading(viewer.username, "evaluation_read", str(evaluation_id))
    return evaluation


def find_readable(session: Session, viewer: Viewer, evaluation_id: int) -> Evaluation:
    """Return the row of a readable evaluation. Raise AccessDenied for any other."""
    statement = (
        sa.select(Evaluation)
        .where(Evaluation.id == evaluation_id, is_readable(viewer))
        .options(selectinload(Evaluation.answers))
    )
    evaluation = session.scalars(Scoped(statement, viewer)).one_or_none()
    if evaluation is None:
        raise AccessDenied()
    return evaluation


def is_readable(viewer: Viewer) -> sa.ColumnElement[bool]:
    """Return a predicate: the evaluations this viewer may read; an evaluator's are their own."""
    if viewer.is_system or viewer.role == Role.EVALUATOR:
        return sa.true()
    if viewer.role not in (Role.ADVISOR, Role.TEAM_LEAD, Role.MANAGER):
        return sa.false()
    published = sa.and_(*PUBLISHED)
    if viewer.role == Role.ADVISOR:
        mine = sa.and_(Evaluation.kind == "self", Evaluation.evaluator == viewer.username)
        return sa.or_(published, mine)
    return published


def find_scorecard(session: Session, evaluation: Evaluation) -> scoring.Scorecard | None:
    """Return the scorecard version of an evaluation; None where its answers do not
    fit the scorecard, so that it cannot be scored again.
    """
    scorecard = scorecards.find_parsed(scorecards.find_version(session, evaluation.grid_id))
    if scorecard and {criterion.key for criterion in scorecard.criteria} == {
        answer.criterion for answer in evaluation.answers
    }:
        return scorecard
    return None


def find_dispute_day(session: Session, evaluation: Evaluation) -> date:
    """Return the last day for disputes, by the listening plan."""
    days = None
    if evaluation.drawn_id is not None:
        drawn = (
            sa.select(ListeningPlan.dispute_days)
            .join(Draw, Draw.plan_id == ListeningPlan.id)
            .join(DrawnContact, DrawnContact.draw_id == Draw.id)
        )
        days = session.scalar(
            Unscoped(
                drawn.where(DrawnContact.id == evaluation.drawn_id),
                "The plan of an evaluation sets the days in which it may be disputed. Only that "
                "number of days is read.",
            )
        )
    shown_on = environment.to_local(evaluation.published_at or evaluation.evaluated_at).date()
    return shown_on + timedelta(days=DISPUTE_DAYS if days is None else days)


def is_excluded_from_deciding(viewer: Viewer, evaluation: Evaluation) -> bool:
    is_evaluator = evaluation.evaluator is not None and evaluation.evaluator in (
        viewer.username,
        viewer.display_name,
    )
    return is_evaluator or (
        viewer.advisor_id is not None and viewer.advisor_id == evaluation.advisor_id
    )


def _build(session: Session, viewer: Viewer, evaluation: Evaluation) -> EvaluationView:
    names = people.find_names(session)
    is_own = viewer.role == Role.ADVISOR and evaluation.kind in EVALUATOR_KINDS
    # Evaluators can read only what they made.
    is_readers_work = (
        viewer.role == Role.EVALUATOR
        and evaluation.kind in EVALUATOR_KINDS
        and evaluation.state != "draft"
    )
    knows_evaluator = viewer.can(Permission.SEE_EVALUATORS) or viewer.role in (
        Role.ADVISOR,
        Role.EVALUATOR,
    )
    knows_advisor = viewer.can(Permission.SEE_ADVISORS) or viewer.role == Role.ADVISOR

    def name_of(username: str | None) -> str | None:
        if username == evaluation.evaluator and not knows_evaluator:
            return None
        if username == viewer.username or knows_advisor:
            return names.get(username, username)
        return None

    scorecard_row = scorecards.find_version(session, evaluation.grid_id)
    parsed = scorecards.find_parsed(scorecard_row)
    scorecard = find_scorecard(session, evaluation)
    disputes = _read_disputes(session, viewer, evaluation, names)
    self_evaluation = None
    if viewer.is_system or viewer.role in (Role.ADVISOR, Role.TEAM_LEAD, Role.MANAGER):
        self_evaluation = _read_self_evaluation(
            session, viewer, evaluation, with_draft=viewer.is_system or viewer.role == Role.ADVISOR
        )
    title = scorecard_row.title if scorecard_row else evaluation.grid_name or ""
    return build_from_row(
        EvaluationView,
        evaluation,
        evaluation_id=evaluation.id,
        advisor_id=evaluation.advisor_id if knows_advisor else None,
        advisor=members.find_names(session).get(evaluation.advisor_id) or evaluation.advisor_id
        if knows_advisor
        else None,
        team=evaluation.team if knows_advisor else None,
        evaluator=names.get(evaluation.evaluator, evaluation.evaluator)
        if knows_evaluator
        else None,
        scorecard=parsed.text if parsed else Text(title, title),
        scorecard_version=scorecard_row.version if parsed else None,
        pass_mark=float(scorecard.pass_mark)
        if scorecard and scorecard.pass_mark is not None
        else None,
        sections=_read_sections(evaluation, scorecard, disputes)
        if scorecard
        else _read_without_scorecard(evaluation, disputes),
        own=self_evaluation,
        revisions=_read_revisions(session, viewer, evaluation, name_of),
        timed_comments=read_timed_comments(session, viewer, evaluation, name_of),
        dispute_until=find_dispute_day(session, evaluation),
        is_disputable=scorecard is not None
        and evaluation.state == "published"
        and evaluation.kind in EVALUATOR_KINDS,
        is_own=is_own,
        may_decide=viewer.can(Permission.DECIDE_DISPUTES)
        and not is_excluded_from_deciding(viewer, evaluation),
        is_readers_work=is_readers_work,
        may_correct=is_readers_work and scorecard is not None,
    )


def _read_sections(
    evaluation: Evaluation, scorecard: scoring.Scorecard, disputes: Mapping[str, DisputeView]
) -> tuple[SectionView, ...]:
    by_criterion = {answer.criterion: answer for answer in evaluation.answers}
    scores = _score_sections(scorecard, evaluation)
    sections = []
    for section in scorecard.sections:
        answers = (
            _read_answer(by_criterion[criterion.key], criterion, disputes)
            for criterion in section.criteria
        )
        score = scores.get(section.name)
        sections.append(SectionView(section.name, section.text, score, tuple(answers)))
    return tuple(sections)


def _read_answer(
    answer: EvaluationAnswer, criterion: scoring.Criterion, disputes: Mapping[str, DisputeView]
) -> AnswerView:
    return build_from_row(
        AnswerView,
        criterion,
        earned=answer.earned if answer.applicable else None,
        most=float(criterion.points),
        share=answer.applied_weight,
        comment=answer.comment,
        levels=tuple(sorted(float(level) for level in criterion.levels)),
        dispute=disputes.get(criterion.key),
    )


def _score_sections(
    scorecard: scoring.Scorecard, evaluation: Evaluation
) -> dict[str, float | None]:
    try:
        result = scoring.score(scorecard, finalise.read_answers(evaluation))
    except Refusal:  # a draft with answers still missing
        return {}
    return {
        section.name: None if section.score is None else float(section.score)
        for section in result.sections
    }


def _read_without_scorecard(
    evaluation: Evaluation, disputes: Mapping[str, DisputeView]
) -> tuple[SectionView, ...]:
    """Return the source's answers, by section and criterion name."""
    by_section: dict[str, list[AnswerView]] = {}
    for answer in sorted(evaluation.answers, key=lambda answer: answer.criterion):
        shown = AnswerView(
            key=answer.criterion,
            text=Text(answer.criterion, answer.criterion),
            earned=answer.earned if answer.applicable else None,
            most=answer.possible,
            share=answer.applied_weight,
            comment=answer.comment,
            dispute=disputes.get(answer.criterion),
        )
        by_section.setdefault(answer.section or "", []).append(shown)
    sections = []
    for name, answers in by_section.items():
        counted = [answer for answer in answers if answer.earned is not None]
        possible = sum(answer.most for answer in counted)
        score = 100 * sum(answer.earned for answer in counted) / possible if possible else None
        sections.append(SectionView(name, Text(name, name), score, tuple(answers)))
    return tuple(sections)


def _read_disputes(
    session: Session, viewer: Viewer, evaluation: Evaluation, names: Mapping[str, str]
) -> dict[str, DisputeView]:
    statement = sa.select(Dispute).where(Dispute.evaluation_id == evaluation.id)
    return {
        dispute.criterion: build_from_row(
            DisputeView,
            dispute,
            dispute_id=dispute.id,
            decided_by=names.get(dispute.decided_by, dispute.decided_by),
        )
        for dispute in session.scalars(Scoped(statement, viewer))
    }


def _read_self_evaluation(
    session: Session, viewer: Viewer, evaluation: Evaluation, with_draft: bool
) -> SelfEvaluationView | None:
    statement = sa.select(Evaluation).where(
        Evaluation.answered_evaluation_id == evaluation.id, Evaluation.kind == "self"
    )
    statement = (
        statement.where(Evaluation.advisor_id == evaluation.advisor_id)
        .order_by(Evaluation.id)
        .limit(1)
        .options(selectinload(Evaluation.answers))
    )
    self_evaluation = session.scalars(Scoped(statement, viewer)).one_or_none()
    if self_evaluation is None or (self_evaluation.state == "draft" and not with_draft):
        return None
    is_submitted, read_at = self_evaluation.state != "draft", evaluation.acknowledged_at
    made_at = self_evaluation.submitted_at or self_evaluation.evaluated_at
    return SelfEvaluationView(
        evaluation_id=self_evaluation.id,
        is_submitted=is_submitted,
        was_before=read_at is None or (is_submitted and made_at < read_at),
        score=self_evaluation.score if is_submitted else None,
        outcome=self_evaluation.outcome if is_submitted else None,
        comment=self_evaluation.comment if is_submitted else None,
        answers=finalise.read_points(self_evaluation) if is_submitted else {},
        comments=finalise.read_comments(self_evaluation) if is_submitted else {},
    )


def _read_revisions(
    session: Session, viewer: Viewer, evaluation: Evaluation, name_of: Any
) -> tuple[RevisionView, ...]:
    statement = (
        sa.select(EvaluationRevision)
        .where(EvaluationRevision.evaluation_id == evaluation.id)
        .order_by(EvaluationRevision.version)
    )
    return tuple(
        RevisionView(
            version=revision.version,
            score=revision.content.get("score"),
            outcome=revision.content.get("outcome"),
            comment=revision.content.get("comment"),
            answers={
                answer["criterion"]: answer["earned"] if answer["applicable"] else None
                for answer in revision.content.get("answers", ())
            },
            comments={
                answer["criterion"]: answer["comment"]
                for answer in revision.content.get("answers", ())
                if answer.get("comment")
            },
            reason=revision.reason,
            replaced_by=name_of(revision.replaced_by),
            replaced_at=revision.replaced_at,
        )
        for revision in session.scalars(Scoped(statement, viewer))
    )


def read_timed_comments(
    session: Session, viewer: Viewer, evaluation: Evaluation, name_of: Any = lambda _author: None
) -> tuple[TimedCommentView, ...]:
    """Return the comments at moments of the recording, in its order."""
    statement = (
        sa.select(TimedComment)
        .where(TimedComment.evaluation_id == evaluation.id)
        .order_by(TimedComment.seconds, TimedComment.id)
    )
    return tuple(
        build_from_row(TimedCommentView, row, author=name_of(row.author))
        for row in session.scalars(Scoped(statement, viewer))
    )
