"""What a closed round shows: the marks beside each other, how far evaluators agree, and
which criteria are not clear to them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from qa_core import scoring
from qa_core.access.roles import Permission, Viewer
from qa_core.metrics.query.calibration_metrics import on_marks
from qa_core.quality.calibration import sessions
from qa_core.quality.calibration.sessions import CalibrationSession
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

ENOUGH_CONTACTS = 5
"""On fewer than so many contacts nothing is said of a criterion."""
LOW_ALIGNMENT, LOW_AGREEMENT = 0.8, 0.667
"""Below these a criterion is to be reworded: four fifths of the points given alike; α
from which Krippendorff allows tentative conclusions.
"""

Marks = Mapping[tuple[int, str], Mapping[str, float | None]]
"""(contact, evaluator) → criterion → points (None: not applicable)."""


@dataclass(frozen=True)
class CriterionResult:
    """How far the evaluators agree on one criterion."""

    criterion: scoring.Criterion
    alignment: Alignment
    agreement: Agreement

    @property
    def level(self) -> str:
        """How α reads its marks."""
        return level_of(self.criterion)

    @property
    def has_enough(self) -> bool:
        return self.agreement.contacts >= ENOUGH_CONTACTS and self.alignment.value is not None

    @property
    def is_unclear(self) -> bool:
        """Whether its words need a look: too few points alike, or agreement that is low
        by more than chance.
        """
        if not self.has_enough:
            return False
        high = self.agreement.high
        return self.alignment.value < LOW_ALIGNMENT or (high is not None and high < LOW_AGREEMENT)


@dataclass(frozen=True)
class EvaluatorResult:
    """One evaluator against the reference, or against the others; `lean`: points given
    more (or less) than they, of the points possible, −1…1.

    `alignment` is empty for who is the reference everywhere.
    """

    username: str
    name: str
    finished: int
    alignment: Alignment
    lean: float | None


@dataclass(frozen=True)
class Results:
    """A closed round. `marks` holds what was submitted in time; `scores`: (contact,
    evaluator) → 0–100.
    """

    round: CalibrationSession
    marks: Marks
    scores: Mapping[tuple[int, str], float | None]
    comments: Mapping[tuple[int, str], Mapping[str, str]]
    alignment: Alignment
    criteria: tuple[CriterionResult, ...]
    evaluators: tuple[EvaluatorResult, ...]

    @property
    def unclear(self) -> tuple[CriterionResult, ...]:
        """The criteria to reword, the least aligned first."""
        return tuple(
            sorted(
                (item for item in self.criteria if item.is_unclear),
                key=lambda item: item.alignment.value,
            )
        )


def get_results(viewer: Viewer, number: int) -> Results:
    """What a closed round shows to whoever manages or took part in it. Raises Refusal
    (`round_open`) for everybody before it is closed.
    """
    viewer.require(Permission.SEE_CALIBRATIONS)
    with store.reading() as session:
        row = sessions.get_row(session, viewer, number)
        if row.closed_at is None:
            raise sessions.still_open()
        found = sessions.build(session, viewer, row)
        submitted = sa.select(Evaluation).where(
            Evaluation.calibration_id == number,
            Evaluation.kind == sessions.KIND,
            Evaluation.state != "draft",
        )
        submitted = submitted.options(selectinload(Evaluation.answers))
        evaluations = session.scalars(on_marks(submitted)).all()
        numbers = {
            (contact.source_system, contact.contact_id): contact.id for contact in found.contacts
        }
        marks, scores, comments = {}, {}, {}
        for evaluation in evaluations:
            place = (
                numbers.get((evaluation.source_system, evaluation.contact_id)),
                evaluation.evaluator,
            )
            if place[0] is not None and place[1] in found.evaluators:
                marks[place] = {
                    answer.criterion: answer.earned if answer.applicable else None
                    for answer in evaluation.answers
                }
                comments[place] = {
                    answer.criterion: answer.comment
                    for answer in evaluation.answers
                    if answer.comment
                }
                scores[place] = evaluation.score
    return work_out(found, marks, scores, comments)


def work_out(
    found: CalibrationSession,
    marks: Marks,
    scores: Mapping[tuple[int, str], float | None],
    comments: Mapping[tuple[int, str], Mapping[str, str]],
) -> Results:
    """The figures of a round from its marks."""
    by_criterion: dict[str, list[Alignment]] = {
        criterion.key: [] for criterion in found.grid.criteria
    }
    by_evaluator: dict[str, list[Alignment]] = {username: [] for username in found.evaluators}
    leans: dict[str, list[float]] = {username: [] for username in found.evaluators}
    for contact in found.contacts:
        present = [username for username in found.evaluators if (contact.id, username) in marks]
        for one, other in find_pairs(present, contact.reference_evaluator):
            for criterion in found.grid.criteria:
                points = [
                    marks[contact.id, evaluator].get(criterion.key) for evaluator in (one, other)
                ]
                compared = compare_points(*points, float(criterion.points))
                by_criterion[criterion.key].append(compared)
                # Against a reference the difference is the other's alone; without one
                # it is of both.
                for username, sign in ((one, 1), (other, -1)):
                    if username != contact.reference_evaluator:
                        by_evaluator[username].append(compared)
                        leans[username] += [sign * (points[0] - points[1])] if compared.n else []
    sums = {key: sum_alignments(parts) for key, parts in by_criterion.items()}
    totals = {username: sum_alignments(parts) for username, parts in by_evaluator.items()}
    return Results(
        found,
        marks,
        scores,
        comments,
        sum_alignments(sums.values()),
        tuple(
            CriterionResult(criterion, sums[criterion.key], _agree(found, marks, criterion))
            for criterion in found.grid.criteria
        ),
        tuple(
            EvaluatorResult(
                username,
                name,
                found.finished.get(username, 0),
                totals[username],
                sum(leans[username]) / totals[username].possible
                if totals[username].possible
                else None,
            )
            for username, name in found.evaluators.items()
        ),
    )


def _agree(found: CalibrationSession, marks: Marks, criterion: scoring.Criterion) -> Agreement:
    return measure_agreement(table_of(found, marks, criterion.key), level_of(criterion))


def level_of(criterion: scoring.Criterion) -> str:
    """How α reads the marks of a criterion: `nominal` where there are two answers, yes
    and no; `ordinal` where there are more, which are in an order.
    """
    return "nominal" if len(set(criterion.levels)) == 2 else "ordinal"


def table_of(found: CalibrationSession, marks: Marks, key: str) -> np.ndarray:
    """The marks of one criterion: contacts × evaluators, NaN where nobody marked or it
    did not apply.
    """
    table = np.full((len(found.contacts), len(found.evaluators)), np.nan)
    for line, contact in enumerate(found.contacts):
        for column, username in enumerate(found.evaluators):
            points = marks.get((contact.id, username), {}).get(key)
            if points is not None:
                table[line, column] = points
    return table
