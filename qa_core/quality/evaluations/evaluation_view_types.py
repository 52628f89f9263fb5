"""What a reader is told of one evaluation: the evaluation, its parts and answers,
disputes, former versions and remarks, as plain values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from qa_core.base import environment
from qa_core.scoring import Text


@dataclass(frozen=True)
class DisputeView:
    """One disagreement and what came of it. Points None: not applicable."""

    dispute_id: int
    criterion: str
    original: float | None
    proposed: float | None
    reason: str
    raised_at: datetime
    decision: str | None
    decided: float | None
    decision_reason: str | None
    decided_by: str | None
    decided_at: datetime | None


@dataclass(frozen=True)
class AnswerView:
    """One criterion as it was answered, and what its grid allows. `earned` None: not
    applicable; `share` is its part of the whole, 0–1.
    """

    key: str
    text: Text
    earned: float | None
    most: float
    share: float
    comment: str | None = None
    help: Text | None = None
    levels: tuple[float, ...] = ()
    """Lowest first; empty: any number from 0 to `most`."""
    not_applicable: bool = False
    critical: str | None = None
    fails: str | None = None
    bonus: bool = False
    dispute: DisputeView | None = None

    @property
    def is_failure(self) -> bool:
        """Whether this is a critical error."""
        return self.critical is not None and self.earned == 0


@dataclass(frozen=True)
class SectionView:
    """A part of the grid: its score 0–100 (None: nothing applies) and its share of the
    whole, 0–1.
    """

    name: str
    text: Text
    score: float | None
    share: float
    answers: tuple[AnswerView, ...]


@dataclass(frozen=True)
class SelfEvaluationView:
    """The advisor's own evaluation of the same contact; answers only once it is
    submitted.
    """

    evaluation_id: int
    is_submitted: bool
    was_before: bool
    """Whether it was submitted before the advisor said that they had read the
    evaluator's; of a draft, whether it still could be.
    """
    score: float | None
    outcome: str | None
    comment: str | None
    answers: Mapping[str, float | None]
    comments: Mapping[str, str]


@dataclass(frozen=True)
class RevisionView:
    """How the evaluation stood before a change."""

    version: int
    score: float | None
    outcome: str | None
    comment: str | None
    answers: Mapping[str, float | None]
    comments: Mapping[str, str]
    reason: str
    replaced_by: str | None
    replaced_at: datetime


@dataclass(frozen=True)
class TimedCommentView:
    """What was said about a moment of the recording."""

    seconds: float
    text: str
    criterion: str | None
    author: str | None


@dataclass(frozen=True)
class EvaluationView:
    """One evaluation in full. `evaluator` None: this reader is not told who; `advisor`
    None: nor of whom.
    """

    evaluation_id: int
    kind: str
    state: str
    purpose: str
    source_system: str | None
    contact_id: str | None
    advisor_id: str | None
    advisor: str | None
    team: str | None
    local_day: date
    evaluator: str | None
    grid: Text
    grid_version: int | None
    """None where no grid of the centre is known to it."""
    pass_mark: float | None
    score: float | None
    calculated_score: float | None
    outcome: str | None
    comment: str | None
    evaluated_at: datetime
    published_at: datetime | None
    acknowledged_at: datetime | None
    advisor_comment: str | None
    answered_evaluation_id: int | None
    sections: tuple[SectionView, ...]
    own: SelfEvaluationView | None
    revisions: tuple[RevisionView, ...]
    remarks: tuple[TimedCommentView, ...]
    dispute_until: date
    is_disputable: bool
    """Whether its answers can be scored again: they are those of its grid."""
    is_own: bool
    """Whether the reader is the advisor that it is about."""
    may_decide: bool
    is_readers_work: bool
    """Whether the reader is the evaluator who made it, here or in the tool that it came
    from.
    """
    may_correct: bool
    """Whether they can correct it here, because its answers are those of its grid:
    `amending` says whether they still may.
    """

    @property
    def answers(self) -> tuple[AnswerView, ...]:
        return tuple(answer for section in self.sections for answer in section.answers)

    @property
    def disputes(self) -> tuple[DisputeView, ...]:
        return tuple(answer.dispute for answer in self.answers if answer.dispute)

    @property
    def failures(self) -> tuple[AnswerView, ...]:
        """The critical errors."""
        return tuple(answer for answer in self.answers if answer.is_failure)

    @property
    def may_dispute(self) -> bool:
        """Whether this reader may dispute a criterion today."""
        return self.is_own and self.is_disputable and environment.today() <= self.dispute_until
