"""Corrections of a published evaluation by its evaluator; former answers are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from qa_core import scoring
from qa_core.access.roles import Viewer
from qa_core.base import i18n, masking
from qa_core.base.errors import AccessDenied, Refusal, require_version
from qa_core.base.i18n import N_
from qa_core.quality.evaluations import drafts, evaluation_view, finalise
from qa_core.quality.evaluations.drafts import Draft
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import EVALUATOR_KINDS, Evaluation
from qa_core.storage.records.listening import Dispute
from qa_core.storage.records.store import Session

AMENDED = "amended"
MAX_REASON = 1_000


@dataclass(frozen=True)
class CorrectionBase:
    """Evaluation to correct; only a decision changes `disputed` criteria."""

    evaluation: Draft
    disputed: frozenset[str]


def get_correction_base(viewer: Viewer, evaluation_id: int) -> CorrectionBase:
    """Return the viewer's own evaluation to correct. Raise AccessDenied for any other,
    Refusal when they may no longer listen to its contact.
    """
    with store.reading() as session:
        evaluation = drafts.get_own(session, viewer, evaluation_id)
        _require_amendable(session, evaluation)
        drafts.require_may_continue(session, viewer, evaluation)
        disputed = _find_disputed(session, viewer, evaluation)
    return CorrectionBase(drafts.get_draft(viewer, evaluation_id), disputed)


def amend(
    viewer: Viewer,
    evaluation_id: int,
    version: int,
    answers: Mapping[str, Any],
    comments: Mapping[str, str],
    comment: str | None,
    reason: str,
    keeps_personal_data: bool = False,
) -> int:
    """Replace answers and comments of the viewer's own evaluation, keep the former as a
    revision, and return the new version.

    Raise Refusal for missing answers, an old version (`changed_meanwhile`), a criterion
    that was disputed (`disputed`), unconfirmed personal data and an unchanged
    evaluation, and without a reason.
    """
    reason_text = masking.clean_text(reason, MAX_REASON, "no_reason")
    with drafts.changing(viewer, evaluation_id) as (session, evaluation):
        _require_amendable(session, evaluation)
        drafts.require_may_continue(session, viewer, evaluation)
        require_version(evaluation.version, version)
        scorecard, kept = drafts.get_scorecard(session, evaluation), drafts.mask_comments(comments)
        words = masking.mask(comment or "").strip() or None
        finalise.require_complete(scorecard, answers)
        disputed = _find_disputed(session, viewer, evaluation)
        _require_undisputed(scorecard, evaluation, answers, kept, disputed)
        if (answers, kept, words) == (
            finalise.read_answers(evaluation),
            finalise.read_comments(evaluation),
            evaluation.comment,
        ):
            raise Refusal("nothing_changed", "Nothing has changed.")
        drafts.require_no_personal_data(scorecard, answers, kept, words, keeps_personal_data)
        finalise.keep_revision(session, evaluation, f"{AMENDED}: {reason_text}", viewer.username)
        finalise.apply_scores(evaluation, scorecard, answers, kept)
        evaluation.comment = words
        audit_log.record(
            session, viewer.username, "evaluation_amended", str(evaluation_id), reason=AMENDED
        )
        return evaluation.version


def _require_amendable(session: Session, evaluation: Evaluation) -> None:
    if (
        evaluation.state == "draft"
        or evaluation.kind not in EVALUATOR_KINDS
        or evaluation_view.find_scorecard(session, evaluation) is None
    ):
        raise AccessDenied()


def _find_disputed(session: Session, viewer: Viewer, evaluation: Evaluation) -> frozenset[str]:
    statement = sa.select(Dispute.criterion).where(Dispute.evaluation_id == evaluation.id)
    return frozenset(session.scalars(Scoped(statement, viewer)))


def _require_undisputed(
    scorecard: scoring.Scorecard,
    evaluation: Evaluation,
    answers: Mapping[str, Any],
    comments: Mapping[str, str],
    disputed: frozenset[str],
) -> None:
    """Refuse a change of a disputed criterion: before the decision it is not the
    evaluator's to make, and afterwards the decision applies.
    """
    current_answers = finalise.read_answers(evaluation)
    reason_text = finalise.read_comments(evaluation)
    touched = [
        criterion.text.in_language(i18n.language())
        for criterion in scorecard.criteria
        if criterion.key in disputed
        and (
            answers[criterion.key] != current_answers[criterion.key]
            or comments.get(criterion.key) != drafts.mask_comments(reason_text).get(criterion.key)
        )
    ]
    if touched:
        message = N_(
            "The advisor disputed {criteria}: only the decision on the dispute can change this. "
            "Correct the rest."
        )
        raise Refusal("disputed", message, criteria=" · ".join(touched))
