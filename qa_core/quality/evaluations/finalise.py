"""Scores of a complete evaluation, and revisions of what is replaced."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from qa_core import scoring
from qa_core.base import i18n
from qa_core.base.errors import Refusal
from qa_core.base.row_values import read_fields
from qa_core.storage.records.evaluations import Evaluation, EvaluationAnswer
from qa_core.storage.records.listening import EvaluationRevision

ANSWER_FIELDS = ("section", "criterion", "earned", "possible", "applied_weight", "applicable")


def apply_scores(
    evaluation: Evaluation,
    scorecard: scoring.Scorecard,
    answers: Mapping[str, Any],
    comments: Mapping[str, str] | None = None,
) -> scoring.Result:
    """Set score, calculated score, outcome and answer rows of an evaluation from its
    answers (criterion → points or "na") and comments by criterion.

    A criterion that stays keeps its row, so that nothing has to be flushed in between.
    Raise Refusal for a missing (`unanswered`) or wrong (`bad_answer`) answer.
    """
    require_complete(scorecard, answers)
    result = scoring.score(scorecard, answers)
    evaluation.score = _decimal(result.score)
    evaluation.calculated_score = _decimal(result.calculated_score)
    evaluation.outcome = result.outcome
    current_rows = {answer.criterion: answer for answer in evaluation.answers}
    rows = [
        current_rows.get(answer.key) or EvaluationAnswer(criterion=answer.key)
        for answer in result.answers
    ]
    for row, answer in zip(rows, result.answers, strict=True):
        row.section, row.applicable = answer.section, answer.applicable
        row.earned = _decimal(answer.earned)
        row.possible = float(answer.possible)
        row.applied_weight = float(answer.applied_weight)
        row.comment = ((comments or {}).get(answer.key) or "").strip() or None
    evaluation.answers[:] = rows
    return result


def find_missing(
    scorecard: scoring.Scorecard, answers: Mapping[str, Any]
) -> list[scoring.Criterion]:
    """Return the criteria without an answer, in the order of the scorecard."""
    return [criterion for criterion in scorecard.criteria if answers.get(criterion.key) is None]


def require_complete(scorecard: scoring.Scorecard, answers: Mapping[str, Any]) -> None:
    """Refuse missing answers, naming the criteria in the reader's language."""
    if missing := find_missing(scorecard, answers):
        named = " · ".join(criterion.text.in_language(i18n.language()) for criterion in missing)
        raise Refusal(
            "unanswered",
            "Criteria without an answer: {criteria}. Answer them, then submit.",
            criteria=named,
        )


def keep_revision(session: Session, evaluation: Evaluation, reason: str, actor: str) -> None:
    """Store the evaluation as a revision under its current version, and raise the
    version. Call it before the change, in the same transaction.
    """
    content = read_fields(evaluation, ("score", "calculated_score", "outcome", "comment"))
    content["answers"] = [
        read_fields(answer, (*ANSWER_FIELDS, "comment"))
        for answer in sorted(evaluation.answers, key=lambda answer: answer.criterion)
    ]
    session.add(
        EvaluationRevision(
            evaluation_id=evaluation.id,
            version=evaluation.version,
            content=content,
            reason=reason,
            replaced_by=actor,
        )
    )
    evaluation.version += 1


def read_points(evaluation: Evaluation) -> dict[str, float | None]:
    """Return the points of a complete evaluation by criterion; None: not applicable."""
    return {
        answer.criterion: answer.earned if answer.applicable else None
        for answer in evaluation.answers
    }


def read_answers(evaluation: Evaluation) -> dict[str, Any]:
    """Return the answers of a complete evaluation: criterion → points or "na"."""
    return {
        answer.criterion: answer.earned if answer.applicable else scoring.NOT_APPLICABLE
        for answer in evaluation.answers
    }


def read_comments(evaluation: Evaluation) -> dict[str, str]:
    """Return the comments of a complete evaluation by criterion."""
    return {answer.criterion: answer.comment for answer in evaluation.answers if answer.comment}


def _decimal(value: Any) -> float | None:
    return None if value is None else float(value)
