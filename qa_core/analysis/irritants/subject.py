"""Values shared by detection, action list and page."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from qa_core import stats
from qa_core.analysis.irritants.term_counts import TermShare


class IrritantKind(StrEnum):
    """Source of an irritant."""

    REPEATS = "repeats"
    LOW_RATINGS = "low_ratings"
    CUSTOMER_WORDS = "customer_words"
    EVALUATOR_WORDS = "evaluator_words"
    TAGS = "tags"


WAIT = "wait"
"""Pseudo-dimension of older entries: a band of waits, named by its first second."""
WAIT_BANDS = (0, 30, 60, 180, 300, 600)
"""Starts of the bands of waits, in seconds; the last has no end."""
TEXT_KINDS = frozenset(
    {IrritantKind.CUSTOMER_WORDS, IrritantKind.EVALUATOR_WORDS, IrritantKind.TAGS}
)
"""Kinds found in texts: only for readers of remarks."""


@dataclass(frozen=True)
class IrritantSubject:
    """Subject of an irritant: a reason or queue, or one or two terms."""

    kind: IrritantKind
    dimension: str | None = None
    value: str | None = None
    terms: tuple[str, ...] = ()
    shown: str = field(default="", compare=False)
    """The terms in their most frequent spelling."""

    @property
    def key(self) -> str:
        return "|".join((self.kind, self.dimension or "", self.value or "", *self.terms))


@dataclass(frozen=True)
class Count:
    """Hits among `n` in one period; the share is None for n = 0."""

    hits: int
    n: int

    @property
    def share(self) -> float | None:
        return self.hits / self.n if self.n else None

    def change_from(self, before: Count) -> tuple[float, float] | None:
        """Return the 95 % interval of the change of the share, or None."""
        return stats.difference_interval(self.hits, self.n, before.hits, before.n)


@dataclass(frozen=True)
class Place:
    """Most frequent value of a dimension among an irritant's contacts."""

    dimension: str
    value: str
    contacts: int


@dataclass(frozen=True)
class IrritantCandidate:
    """Irritant detected in a period. `now` and `before` are followed over time: of
    words, unhappy contacts with them among all with a remark; of the others the share
    itself.
    """

    subject: IrritantSubject
    share: TermShare
    now: Count
    before: Count | None = None
    places: tuple[Place, ...] = ()
    related: tuple[str, ...] = ()
    """Words that occur with it."""
