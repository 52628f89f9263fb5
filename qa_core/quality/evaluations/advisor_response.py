"""Responses of advisors to an evaluation: acknowledgement, comment, self-evaluation."""

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import masking
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.base.row_values import read_fields
from qa_core.quality.evaluations import disputes, drafts, evaluation_view
from qa_core.quality.evaluations.corrections import AMENDED
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import EVALUATOR_KINDS, Evaluation
from qa_core.storage.records.listening import Dispute, EvaluationRevision
from qa_core.storage.records.store import Session

NEWS_DAYS = 30
"""Days for which an unread evaluation, a decision and a correction are news."""


@dataclass(frozen=True)
class News:
    """Evaluations waiting for an advisor: unread, with a dispute decided lately, or
    corrected after they had read them. Ids, newest first.
    """

    unread: tuple[int, ...]
    decided: tuple[int, ...]
    corrected: tuple[int, ...]


def acknowledge(viewer: Viewer, evaluation_id: int) -> None:
    """Record that the advisor has read the evaluation; the first time counts."""
    viewer.require(Permission.ANSWER_EVALUATIONS)
    with store.writing() as session:
        evaluation = disputes.get_own(session, viewer, evaluation_id)
        if evaluation.acknowledged_at is None:
            _update(session, evaluation, acknowledged_at=now())
            audit_log.record(
                session, viewer.username, "evaluation_acknowledged", str(evaluation.id)
            )


def comment(viewer: Viewer, evaluation_id: int, text: str) -> None:
    """Set the advisor's comment on the evaluation, replacing an earlier one."""
    viewer.require(Permission.ANSWER_EVALUATIONS)
    words = masking.clean_text(text, disputes.MAX_TEXT, "no_text")
    with store.writing() as session:
        evaluation = disputes.get_own(session, viewer, evaluation_id)
        _update(session, evaluation, advisor_comment=words)
        audit_log.record(session, viewer.username, "evaluation_commented", str(evaluation.id))


def start_self_evaluation(viewer: Viewer, evaluation_id: int) -> int:
    """Open the advisor's own evaluation of the same contact on the same scorecard
    version, or the existing one; return its id.

    It counts in no figure. Readers see whether it was submitted before the advisor
    acknowledged the evaluator's.
    """
    viewer.require(Permission.ANSWER_EVALUATIONS)
    viewer.require(Permission.FILL_SCORECARDS)
    with store.writing() as session:
        evaluation = disputes.get_own(session, viewer, evaluation_id)
        self_evaluations = sa.select(Evaluation.id).where(
            Evaluation.answered_evaluation_id == evaluation.id, Evaluation.kind == "self"
        )
        existing = session.scalar(Scoped(self_evaluations.limit(1), viewer))
        if existing is not None:
            return existing
        if (
            evaluation.grid_id is None
            or evaluation_view.find_scorecard(session, evaluation) is None
        ):
            raise Refusal("no_grid", disputes.NO_ANSWERS)
        self_evaluation = open_self_evaluation(session, viewer, evaluation, viewer.username)
        audit_log.record(session, viewer.username, "self_evaluation_started", str(evaluation.id))
        return self_evaluation.id


def open_self_evaluation(
    session: Session, viewer: Viewer, evaluation: Evaluation, username: str
) -> Evaluation:
    """Open that person's own evaluation of the same contact, on the same scorecard."""
    return drafts.open_draft(
        session,
        viewer,
        kind=drafts.SELF,
        grid_id=evaluation.grid_id,
        evaluator=username,
        answered_evaluation_id=evaluation.id,
        **read_fields(evaluation, (*drafts.CONTACT, "local_day", "purpose")),
    )


def find_news(viewer: Viewer) -> News:
    """Find what waits for the viewer to be read."""
    viewer.require(Permission.ANSWER_EVALUATIONS)
    if not viewer.advisor_id:
        raise AccessDenied()
    since = now() - timedelta(days=NEWS_DAYS)
    mine = [evaluation_view.is_readable(viewer), Evaluation.kind.in_(EVALUATOR_KINDS)]
    shown_at = sa.func.coalesce(Evaluation.published_at, Evaluation.evaluated_at)
    unread = (
        sa.select(Evaluation.id)
        .where(*mine, Evaluation.acknowledged_at.is_(None), shown_at >= since)
        .order_by(shown_at.desc(), Evaluation.id.desc())
    )
    decided = (
        sa.select(Dispute.evaluation_id)
        .join(Evaluation, Evaluation.id == Dispute.evaluation_id)
        .where(*mine, Dispute.decided_at >= since)
    )
    corrected = (
        sa.select(Evaluation.id)
        .join(EvaluationRevision, EvaluationRevision.evaluation_id == Evaluation.id)
        .where(*mine)
    )
    corrected = corrected.where(
        EvaluationRevision.reason.startswith(AMENDED), EvaluationRevision.replaced_at >= since
    )
    corrected = corrected.where(
        EvaluationRevision.replaced_at > Evaluation.acknowledged_at
    ).order_by(EvaluationRevision.replaced_at.desc())
    with store.reading() as session:
        return News(
            tuple(session.scalars(Scoped(unread, viewer))),
            tuple(session.scalars(Scoped(decided.order_by(Dispute.decided_at.desc()), viewer))),
            tuple(dict.fromkeys(session.scalars(Scoped(corrected, viewer)))),
        )


def _update(session: Session, evaluation: Evaluation, **values: object) -> None:
    # No figure changes, so keep `changed_at`: the evaluation table is not rebuilt.
    session.execute(
        sa.update(Evaluation)
        .where(Evaluation.id == evaluation.id)
        .values(changed_at=Evaluation.changed_at, **values)
    )
