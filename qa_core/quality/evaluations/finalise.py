"""Scores of a complete evaluation, and revisions of what is replaced."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from qa_core import scoring
from qa_core.base import i18n
from qa_core.base.errors import Refusal
from qa_core.base.row_values import read_fields, write_fields
from qa_core.storage.records.evaluations import Evaluation, EvaluationAnswer
from qa_core.storage.records.listening import EvaluationRevision

ANSWER_FIELDS = ("section", "criterion", "earned", "possible", "applied_weight", "applicable")


def apply_scores(
    evaluation: Evaluation,
    scorecard: scoring.Scorecard,
    answers: Mapping[str, Any],
    comments: Mapping[str, str] | None = None,
) -> None:
    """Set score, calculated score, outcome and answer rows of an evaluation from its
    answers (criterion → points or "na") and comments by criterion.

    A criterion that stays keeps its row, so that nothing has to be flushed in between.
    Raise Refusal for a missing (`unanswered`) or wrong (`bad_answer`) answer.
    """
    require_complete(scorecard, answers)
    scores, answer_values = read_result(scoring.score(scorecard, answers))
    write_fields(evaluation, scores)
    current_rows = {answer.criterion: answer for answer in evaluation.answers}
    rows = []
    for values in answer_values:
        comment = ((comments or {}).get(values["criterion"]) or "").strip() or None
        row = current_rows.get(values["criterion"]) or EvaluationAnswer()
        write_fields(row, values | {"comment": comment})
        rows.append(row)
    evaluation.answers[:] = rows


def read_result(result: scoring.Result) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the scores of an evaluation, and its answers with `ANSWER_FIELDS`."""
    scores = {
        "score": _decimal(result.score),
        "calculated_score": _decimal(result.calculated_score),
        "outcome": result.outcome,
    }
    return scores, [
        {
            "section": answer.section,
            "criterion": answer.key,
            "earned": _decimal(answer.earned),
            "possible": float(answer.possible),
            "applied_weight": float(answer.applied_weight),
            "applicable": answer.applicable,
        }
        for answer in result.answers
    ]


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
    return {answer.criterion: answer.comment for answer in evaluation.answers if answer.comment}


def _decimal(value: Any) -> float | None:
    return None if value is None else float(value)
