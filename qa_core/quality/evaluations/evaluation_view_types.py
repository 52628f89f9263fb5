"""Values of one evaluation as shown to a reader."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from qa_core.base import environment
from qa_core.scoring import Text


@dataclass(frozen=True)
class DisputeView:
    """Dispute and its decision. Points None: not applicable."""

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
    """Answer to one criterion, and what its scorecard allows. `earned` None: not
    applicable; `share`: its part of the whole, 0–1.
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
        return self.critical is not None and self.earned == 0


@dataclass(frozen=True)
class SectionView:
    """Section; `score` 0–100 (None: nothing applies)."""

    name: str
    text: Text
    score: float | None
    answers: tuple[AnswerView, ...]

    @property
    def share(self) -> float:
        """Return its part of the whole, 0–1."""
        return sum(answer.share for answer in self.answers)


@dataclass(frozen=True, kw_only=True)
class EvaluationContent:
    """Answers and scores of one evaluation, by criterion."""

    score: float | None
    outcome: str | None
    comment: str | None
    answers: Mapping[str, float | None]
    comments: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class SelfEvaluationView(EvaluationContent):
    """Advisor's evaluation of the same contact; answers only once submitted."""

    evaluation_id: int
    is_submitted: bool
    was_before: bool
    """Whether it was submitted before the advisor acknowledged the evaluator's; of a
    draft, whether it still could be.
    """


@dataclass(frozen=True, kw_only=True)
class RevisionView(EvaluationContent):
    version: int
    reason: str
    replaced_by: str | None
    replaced_at: datetime


@dataclass(frozen=True)
class TimedCommentView:
    """Comment at a moment of the recording; `author` None: not shown."""

    id: int
    seconds: float
    text: str
    criterion: str | None
    author: str | None


@dataclass(frozen=True)
class EvaluationView:
    """One evaluation in full. `evaluator`, `advisor` None: not shown to this reader."""

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
    scorecard: Text
    scorecard_version: int | None
    """None for an evaluation without a scorecard of the centre."""
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
    timed_comments: tuple[TimedCommentView, ...]
    dispute_until: date
    is_disputable: bool
    """True: it can be scored again, since its answers fit its scorecard."""
    is_own: bool
    """Whether the reader is the advisor concerned."""
    may_decide: bool
    is_readers_work: bool
    """Whether the reader made it, here or in the tool it was imported from."""
    may_correct: bool
    """Whether the reader made it on its scorecard."""

    @property
    def answers(self) -> tuple[AnswerView, ...]:
        return tuple(answer for section in self.sections for answer in section.answers)

    @property
    def disputes(self) -> tuple[DisputeView, ...]:
        return tuple(answer.dispute for answer in self.answers if answer.dispute)

    @property
    def failures(self) -> tuple[AnswerView, ...]:
        return tuple(answer for answer in self.answers if answer.is_failure)

    @property
    def may_dispute(self) -> bool:
        """Return whether this reader may dispute a criterion today."""
        return self.is_own and self.is_disputable and environment.today() <= self.dispute_until
