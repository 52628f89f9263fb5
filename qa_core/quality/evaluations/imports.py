"""Evaluations imported from files, with scorecards created where needed, and undo."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from fractions import Fraction
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from qa_core import scoring
from qa_core.base import doors, masking
from qa_core.base.row_values import read_fields, write_fields
from qa_core.centre import advisors
from qa_core.centre.advisors import normalise_name
from qa_core.compliance.conditions.evaluators import EvaluationAuthors
from qa_core.quality import scorecards
from qa_core.quality.evaluations.finalise import ANSWER_FIELDS, read_result
from qa_core.storage.erased_people import ErasedPeople
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import (
    Evaluation,
    EvaluationAnswer,
    ScorecardVersion,
    find_moment_of_change,
)
from qa_core.storage.records.imports import BeforeImage
from qa_core.storage.records.listening import EvaluationRevision
from qa_core.storage.records.store import Session

OF_CONTACT = "evaluation-"
"""Beginning of the key of an evaluation that its contact, people and moment identify."""
FIELDS = (
    "source_system", "contact_id", "advisor_id", "team", "local_day", "evaluator", "evaluated_at",
    "grid_id", "grid_name", "score", "calculated_score", "outcome", "comment", "tags",
)  # fmt: skip
UNNAMED_SCORECARD = "Imported"
KEYS_PER_QUERY = 5_000


@dataclass(frozen=True)
class ImportedAnswer:
    """Answer to one criterion; `points` None: not applicable."""

    criterion: str
    points: float | None
    possible: float | None
    section: str | None = None


@dataclass(frozen=True)
class ImportedEvaluation:
    """Evaluation of a file. Either `marks`, or a `score` 0–100."""

    external_key: str
    local_day: date
    evaluated_at: datetime
    source_system: str | None = None
    contact_id: str | None = None
    advisor_id: str | None = None
    team: str | None = None
    evaluator: str | None = None
    scorecard: str | None = None
    score: float | None = None
    marks: tuple[ImportedAnswer, ...] = ()
    comment: str | None = None
    tags: tuple[str, ...] = ()


class EvaluationImporter:
    """Writer of one batch's evaluations, in the caller's transaction."""

    def __init__(
        self, session: Session, batch_id: str, items: Sequence[ImportedEvaluation]
    ) -> None:
        self._session, self._batch_id = session, batch_id
        self._marks = _gather_marks(items)
        external_keys = [item.external_key for item in items]
        self._scorecards: dict[str, ScorecardVersion] = {}
        self._parsed: dict[int, scoring.Scorecard | None] = {}
        self._evaluators = EvaluationAuthors(session)
        self._erased = ErasedPeople.load()
        self._known: dict[str, Evaluation] = {}
        self._remembered: set[str] = set()
        amended = sa.select(EvaluationRevision.evaluation_id).distinct()
        self._amended = set(session.scalars(_unscoped(amended)))
        for first in range(0, len(external_keys), KEYS_PER_QUERY):
            some = external_keys[first : first + KEYS_PER_QUERY]
            named = (
                sa.select(Evaluation)
                .where(Evaluation.external_key.in_(some))
                .options(selectinload(Evaluation.answers))
            )
            self._known |= {
                evaluation.external_key: evaluation
                for evaluation in session.scalars(_unscoped(named))
            }
            images = sa.select(BeforeImage.key).where(
                BeforeImage.batch_id == batch_id,
                BeforeImage.object == "evaluation",
                BeforeImage.key.in_(some),
            )
            self._remembered |= set(session.scalars(_unscoped(images)))

    @doors.writes("evaluation")
    def import_one(self, item: ImportedEvaluation) -> str:
        """Write one evaluation, identified by its external key; return `new`, `updated`
        or `unchanged`.

        Raise Refusal when the marks do not fit the scorecard of that name.
        """
        if self._erased.names_contact(item.source_system, item.contact_id):
            item = replace(item, comment=None, tags=())
        evaluator = self._evaluators.find(item.evaluator)
        scorecard_row = (
            self._find_or_create_scorecard(item) if item.scorecard or item.marks else None
        )
        values, answers = _compute_score(item, self._parse_cached(scorecard_row))
        as_in_file = ("source_system", "contact_id", "advisor_id", "team", "local_day")
        values |= read_fields(item, (*as_in_file, "evaluated_at", "comment")) | {
            "evaluator": evaluator.name if evaluator else item.evaluator,
            "grid_id": scorecard_row.id if scorecard_row else None,
            "grid_name": scorecard_row.title if scorecard_row else None,
            "tags": list(item.tags) or None,
        }
        evaluation = self._known.get(item.external_key) or self._find_by_contact(item, values)
        # Corrections and decisions made here take precedence over the source.
        if evaluation is not None and (
            evaluation.id in self._amended or _read_source_values(evaluation) == (values, answers)
        ):
            return "unchanged"
        if item.external_key not in self._remembered:
            self._remembered.add(item.external_key)
            self._session.add(
                BeforeImage(
                    batch_id=self._batch_id,
                    object="evaluation",
                    key=item.external_key,
                    content=_build_before_image(evaluation),
                )
            )
        status = "updated" if evaluation is not None else "new"
        if evaluation is None:
            evaluation = self._known[item.external_key] = Evaluation(
                external_key=item.external_key, state="published", purpose="evaluation"
            )
            self._session.add(evaluation)
        else:
            # Flush the removal first: a criterion that stays has the same
            # key.
            evaluation.answers.clear()
            self._session.flush()
        write_fields(evaluation, values)
        evaluation.given_advisor_id = evaluation.given_team = None
        evaluation.batch_id, evaluation.state = self._batch_id, "published"
        evaluation.changed_at = find_moment_of_change(self._session.connection())
        evaluation.answers.extend(EvaluationAnswer(**answer) for answer in answers)
        return status

    def _parse_cached(self, scorecard_row: ScorecardVersion | None) -> scoring.Scorecard | None:
        if scorecard_row is None:
            return None
        if scorecard_row.id not in self._parsed:
            self._parsed[scorecard_row.id] = scorecards.find_parsed(scorecard_row)
        return self._parsed[scorecard_row.id]

    def _find_by_contact(
        self, item: ImportedEvaluation, values: Mapping[str, Any]
    ) -> Evaluation | None:
        """Find an evaluation whose key was made from the id that its contact had before numbers
        in ids were keyed (`storage.keyed_ids`), and give it its key of today.
        """
        made_of = ("source_system", "contact_id", "advisor_id", "evaluated_at", "evaluator")
        if not (item.external_key.startswith(OF_CONTACT) and masking.is_keyed(item.contact_id)):
            return None
        same = {name: values[name] for name in (*made_of, "grid_id")}
        named = sa.select(Evaluation).filter_by(**same)
        named = named.where(Evaluation.external_key.startswith(OF_CONTACT))
        [evaluation, *others] = self._session.scalars(_unscoped(named)).all() or [None]
        if evaluation is None or others:
            return None
        of_it = (BeforeImage.object == "evaluation", BeforeImage.key == evaluation.external_key)
        self._session.execute(sa.update(BeforeImage).where(*of_it).values(key=item.external_key))
        evaluation.external_key = item.external_key
        self._known[item.external_key] = evaluation
        return evaluation

    def _find_or_create_scorecard(self, item: ImportedEvaluation) -> ScorecardVersion:
        title = item.scorecard or UNNAMED_SCORECARD
        if title not in self._scorecards:
            key = re.sub(r"\s+", "-", normalise_name(title))
            newest = (
                sa.select(ScorecardVersion)
                .where(
                    ScorecardVersion.published_at.is_not(None),
                    sa.or_(ScorecardVersion.key == key, ScorecardVersion.title == title),
                )
                .order_by(ScorecardVersion.version.desc())
                .limit(1)
            )
            scorecard_row = self._session.execute(newest).scalar_one_or_none()
            if scorecard_row is None:
                scorecard_row = ScorecardVersion(
                    key=key,
                    version=1,
                    title=title,
                    content=_build_content(title, self._marks[title]),
                    published_at=now(),
                )
                self._session.add(scorecard_row)
                self._session.flush()
                self._session.add(
                    BeforeImage(
                        batch_id=self._batch_id,
                        object="grid",
                        key=str(scorecard_row.id),
                        content=None,
                    )
                )
            self._scorecards[title] = scorecard_row
        return self._scorecards[title]


def restore(session: Session, batch_id: str, external_keys: Sequence[str] | None = None) -> None:
    """Restore evaluations (named or all) as before the batch; delete the scorecards it created."""
    images = sa.select(BeforeImage).filter_by(batch_id=batch_id, object="evaluation")
    if external_keys is not None:
        images = images.where(BeforeImage.key.in_(external_keys))
    for image in session.scalars(_unscoped(images)).all():
        named = sa.select(Evaluation).filter_by(external_key=image.key)
        evaluation = session.scalars(_unscoped(named)).one_or_none()
        if evaluation is not None and image.content is None:
            session.delete(evaluation)
        elif evaluation is not None:
            _restore_one(session, evaluation, image.content)
        session.delete(image)
    session.flush()
    used_ids = sa.select(Evaluation.grid_id).where(Evaluation.grid_id.is_not(None)).distinct()
    used = set(session.scalars(_unscoped(used_ids)))
    images = sa.select(BeforeImage).filter_by(batch_id=batch_id, object="grid")
    for image in session.scalars(_unscoped(images)).all():
        scorecard_row = session.get(ScorecardVersion, int(image.key))
        if scorecard_row is not None and scorecard_row.id not in used:
            session.delete(scorecard_row)
            session.delete(image)
    session.flush()


def find_later_batch(session: Session, batch_id: str) -> str | None:
    """Return a later batch that changed one of this batch's evaluations."""
    return advisors.find_later_batch(session, batch_id, "evaluation")


def _unscoped(statement: sa.Select) -> Unscoped:
    return Unscoped(
        statement,
        "An import, and its undoing, find evaluations of all advisors by the keys of the file. "
        "The person who imports sees only their number.",
    )


def _compute_score(
    item: ImportedEvaluation, scorecard: scoring.Scorecard | None
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if not item.marks:
        return {"score": item.score, "calculated_score": item.score, "outcome": None}, []
    answers = _match_answers(scorecard, item.marks) if scorecard else None
    if answers is not None:
        scores, rows = read_result(scoring.score(scorecard, answers))
        return scores, sorted(rows, key=lambda answer: answer["criterion"])
    # The file's criteria differ from the scorecard's: weigh all points equally.
    total = sum(mark.possible or 0.0 for mark in item.marks if mark.points is not None)
    rows = [
        {
            "section": mark.section,
            "criterion": mark.criterion,
            "earned": mark.points,
            "possible": (mark.possible or 0.0) if mark.points is not None else 0.0,
            "applied_weight": (mark.possible or 0.0) / total
            if mark.points is not None and total
            else 0.0,
            "applicable": mark.points is not None,
        }
        for mark in item.marks
    ]
    score = (
        item.score
        if item.score is not None
        else 100 * sum(mark.points for mark in item.marks if mark.points is not None) / total
        if total
        else None
    )
    return {"score": score, "calculated_score": score, "outcome": None}, sorted(
        rows, key=lambda answer: answer["criterion"]
    )


def _match_answers(
    scorecard: scoring.Scorecard, marks: Sequence[ImportedAnswer]
) -> dict[str, Any] | None:
    """Return the marks by scorecard key, out of its points where the file has another maximum;
    None unless they are exactly its criteria.
    """
    criteria: dict[str, scoring.Criterion] = {}
    for criterion in scorecard.criteria:
        for spelling in (criterion.key, criterion.text.fr, criterion.text.en):
            criteria.setdefault(normalise_name(spelling), criterion)
    answers: dict[str, Any] = {}
    for mark in marks:
        criterion = criteria.get(normalise_name(mark.criterion))
        if criterion is None:
            return None
        answers[criterion.key] = scoring.NOT_APPLICABLE
        if mark.points is not None:
            share = criterion.points / Fraction(str(mark.possible)) if mark.possible else 1
            answers[criterion.key] = Fraction(str(mark.points)) * share
    return answers if len(answers) == len(scorecard.criteria) else None


def _gather_marks(items: Iterable[ImportedEvaluation]) -> dict[str, list[ImportedAnswer]]:
    """Gather one answer to each criterion of each scorecard, in their order in the file: the
    first that applies, which alone says the points possible.
    """
    found: dict[str, dict[tuple[str | None, str], ImportedAnswer]] = {}
    for item in items:
        marks = found.setdefault(item.scorecard or UNNAMED_SCORECARD, {})
        for mark in item.marks:
            place = (mark.section, mark.criterion)
            if place not in marks or not marks[place].possible:
                marks[place] = mark
    return {title: list(marks.values()) for title, marks in found.items()}


def _build_content(title: str, marks: Sequence[ImportedAnswer]) -> dict[str, Any]:
    sections: dict[str, list[dict[str, Any]]] = {}
    for mark in marks:
        if mark.possible:
            criterion = {
                "key": mark.criterion,
                "text": {"fr": mark.criterion, "en": mark.criterion},
                "points": mark.possible,
                "not_applicable": True,
            }
            sections.setdefault(mark.section or title, []).append(criterion)
    return {
        "title": title,
        "method": "points_times_weight",
        "section": [{"name": name, "criterion": criteria} for name, criteria in sections.items()],
    }


def _read_source_values(evaluation: Evaluation) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the source's values and answers, before name merges."""
    answers = sorted(
        (read_fields(answer, ANSWER_FIELDS) for answer in evaluation.answers),
        key=lambda answer: answer["criterion"],
    )
    as_given = {
        "advisor_id": evaluation.given_advisor_id or evaluation.advisor_id,
        "team": None if evaluation.given_team == "" else evaluation.team,
    }
    return read_fields(evaluation, FIELDS) | as_given, answers


def _build_before_image(evaluation: Evaluation | None) -> dict[str, Any] | None:
    if evaluation is None:
        return None
    values, answers = _read_source_values(evaluation)
    values |= {
        "local_day": evaluation.local_day.isoformat(),
        "evaluated_at": evaluation.evaluated_at.isoformat(),
    }
    return {
        **values,
        "answers": answers,
        "batch_id": evaluation.batch_id,
        "state": evaluation.state,
    }


def _restore_one(session: Session, evaluation: Evaluation, content: Mapping[str, Any]) -> None:
    # Older images have no comment.
    write_fields(evaluation, {name: content.get(name) for name in (*FIELDS, "batch_id", "state")})
    evaluation.given_advisor_id = evaluation.given_team = None
    evaluation.local_day = date.fromisoformat(content["local_day"])
    evaluation.evaluated_at = datetime.fromisoformat(content["evaluated_at"])
    evaluation.changed_at = find_moment_of_change(session.connection())
    evaluation.answers.clear()
    session.flush()
    evaluation.answers.extend(EvaluationAnswer(**answer) for answer in content["answers"])
