"""Results of a closed session: marks, agreement of evaluators, unclear criteria."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from qa_core import scoring
from qa_core.access.roles import Permission, Viewer
from qa_core.metrics.kpi.calibration_metrics import on_marks
from qa_core.quality.calibration import sessions
from qa_core.quality.calibration.sessions import CalibrationSession
from qa_core.quality.evaluations import finalise
from qa_core.stats.agreement import (
    Agreement,
    Alignment,
    compare_points,
    find_pairs,
    measure_agreement,
    sum_alignments,
)
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation

MIN_CONTACTS = 5
"""Minimum contacts for a verdict on a criterion."""
LOW_ALIGNMENT, LOW_AGREEMENT = 0.8, 0.667
"""Unclear criterion: under 4/5 of equal points, or under Krippendorff's tentative α."""

Marks = Mapping[tuple[int, str], Mapping[str, float | None]]
"""(contact, evaluator) → criterion → points (None: not applicable)."""


@dataclass(frozen=True)
class CriterionResult:
    criterion: scoring.Criterion
    alignment: Alignment
    agreement: Agreement

    @property
    def level(self) -> str:
        return choose_level(self.criterion)

    @property
    def has_enough(self) -> bool:
        return self.agreement.contacts >= MIN_CONTACTS and self.alignment.value is not None

    @property
    def is_unclear(self) -> bool:
        """Return whether alignment is low, or agreement significantly so."""
        if not self.has_enough:
            return False
        high = self.agreement.high
        return self.alignment.value < LOW_ALIGNMENT or (high is not None and high < LOW_AGREEMENT)


@dataclass(frozen=True)
class EvaluatorResult:
    """One evaluator compared with the reference or with the others. `leniency`: points
    given more (or less), of the points possible, −1…1. `alignment` is empty for the
    reference.
    """

    username: str
    name: str
    finished: int
    alignment: Alignment
    leniency: float | None


@dataclass(frozen=True)
class Results:
    """Closed session: marks submitted in time, (contact, evaluator) → score 0–100."""

    session: CalibrationSession
    marks: Marks
    scores: Mapping[tuple[int, str], float | None]
    comments: Mapping[tuple[int, str], Mapping[str, str]]
    alignment: Alignment
    criteria: tuple[CriterionResult, ...]
    evaluators: tuple[EvaluatorResult, ...]

    @property
    def unclear_criteria(self) -> tuple[CriterionResult, ...]:
        """Return the criteria to reword, the least aligned first."""
        return tuple(
            sorted(
                (item for item in self.criteria if item.is_unclear),
                key=lambda item: item.alignment.value,
            )
        )


def get_results(viewer: Viewer, number: int) -> Results:
    """Return the results of a closed session for its managers and participants. Raise
    Refusal (`round_open`) for everybody while it is open.
    """
    viewer.require(Permission.SEE_CALIBRATIONS)
    with store.reading() as session:
        row = sessions.get_row(session, viewer, number)
        if row.closed_at is None:
            raise sessions.build_open_refusal()
        calibration = sessions.build(session, viewer, row)
        submitted = sa.select(Evaluation).where(*sessions.is_submitted(number))
        submitted = submitted.options(selectinload(Evaluation.answers))
        evaluations = session.scalars(on_marks(submitted)).all()
        numbers = {
            (contact.source_system, contact.contact_id): contact.id
            for contact in calibration.contacts
        }
        marks, scores, comments = {}, {}, {}
        for evaluation in evaluations:
            number = numbers.get((evaluation.source_system, evaluation.contact_id))
            if number is not None and evaluation.evaluator in calibration.evaluators:
                key = number, evaluation.evaluator
                marks[key] = finalise.read_points(evaluation)
                comments[key] = finalise.read_comments(evaluation)
                scores[key] = evaluation.score
    return compute_results(calibration, marks, scores, comments)


def compute_results(
    calibration: CalibrationSession,
    marks: Marks,
    scores: Mapping[tuple[int, str], float | None],
    comments: Mapping[tuple[int, str], Mapping[str, str]],
) -> Results:
    """Compute the results of a session from its marks."""
    by_criterion: dict[str, list[Alignment]] = {
        criterion.key: [] for criterion in calibration.scorecard.criteria
    }
    by_evaluator: dict[str, list[Alignment]] = {username: [] for username in calibration.evaluators}
    leniencies: dict[str, list[float]] = {username: [] for username in calibration.evaluators}
    for contact in calibration.contacts:
        present = [
            username for username in calibration.evaluators if (contact.id, username) in marks
        ]
        for one, other in find_pairs(present, contact.reference_evaluator):
            for criterion in calibration.scorecard.criteria:
                points = [
                    marks[contact.id, evaluator].get(criterion.key) for evaluator in (one, other)
                ]
                compared = compare_points(*points, float(criterion.points))
                by_criterion[criterion.key].append(compared)
                # With a reference the difference is the other's alone,
                # without one both have it.
                for username, sign in ((one, 1), (other, -1)):
                    if username != contact.reference_evaluator:
                        by_evaluator[username].append(compared)
                        leniencies[username] += (
                            [sign * (points[0] - points[1])] if compared.n else []
                        )
    sums = {key: sum_alignments(parts) for key, parts in by_criterion.items()}
    totals = {username: sum_alignments(parts) for username, parts in by_evaluator.items()}
    return Results(
        calibration,
        marks,
        scores,
        comments,
        sum_alignments(sums.values()),
        tuple(
            CriterionResult(
                criterion,
                sums[criterion.key],
                measure_agreement(
                    build_marks_table(calibration, marks, criterion.key), choose_level(criterion)
                ),
            )
            for criterion in calibration.scorecard.criteria
        ),
        tuple(
            EvaluatorResult(
                username,
                name,
                calibration.finished.get(username, 0),
                totals[username],
                sum(leniencies[username]) / totals[username].possible
                if totals[username].possible
                else None,
            )
            for username, name in calibration.evaluators.items()
        ),
    )


def choose_level(criterion: scoring.Criterion) -> str:
    """Return the level of α: `nominal` for two levels, else `ordinal`."""
    return "nominal" if len(set(criterion.levels)) == 2 else "ordinal"


def build_marks_table(calibration: CalibrationSession, marks: Marks, key: str) -> np.ndarray:
    """Return contacts × evaluators of one criterion; NaN: no points."""
    table = np.full((len(calibration.contacts), len(calibration.evaluators)), np.nan)
    for line, contact in enumerate(calibration.contacts):
        for column, username in enumerate(calibration.evaluators):
            points = marks.get((contact.id, username), {}).get(key)
            if points is not None:
                table[line, column] = points
    return table
