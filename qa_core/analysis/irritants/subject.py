"""What an irritant is about, and what it weighs: the values that the counting, the
action list and the page share.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from qa_core import stats
from qa_core.analysis.irritants.term_counts import TermShare


class IrritantKind(StrEnum):
    """What an irritant is seen from."""

    REPEATS = "repeats"
    LOW_RATINGS = "low_ratings"
    CUSTOMER_WORDS = "customer_words"
    EVALUATOR_WORDS = "evaluator_words"
    TAGS = "tags"


WAIT = "wait"
"""Beside the dimensions `reason` and `queue`: a band of waits, named by its first
second.
"""
IN_WORDS = frozenset({IrritantKind.CUSTOMER_WORDS, IrritantKind.EVALUATOR_WORDS, IrritantKind.TAGS})
"""Those that come from what somebody wrote: for readers of remarks alone."""


@dataclass(frozen=True)
class IrritantSubject:
    """A reason, queue or wait after which customers come back or are unhappy, or the
    one or two terms that they or evaluators write.
    """

    kind: IrritantKind
    dimension: str | None = None
    value: str | None = None
    terms: tuple[str, ...] = ()
    shown: str = field(default="", compare=False)
    """The terms as they are mostly written."""

    @property
    def key(self) -> str:
        return "|".join((self.kind, self.dimension or "", self.value or "", *self.terms))


@dataclass(frozen=True)
class Count:
    """So many of so many in one period; the share is missing where there is nothing to
    count.
    """

    hits: int
    n: int

    @property
    def share(self) -> float | None:
        return self.hits / self.n if self.n else None

    def change_from(self, before: Count) -> tuple[float, float] | None:
        """The 95 % interval of the change of the share; None where one of the two is
        missing.
        """
        return stats.difference_interval(self.hits, self.n, before.hits, before.n)


@dataclass(frozen=True)
class Place:
    """Where an irritant is met most: so many of its contacts have this value."""

    dimension: str
    value: str
    contacts: int


@dataclass(frozen=True)
class IrritantCandidate:
    """An irritant as the figures of a period show it. `now` and `before` are what is
    followed over time: of words, the unhappy contacts that have them among all that
    have a remark; of the others the share itself.
    """

    subject: IrritantSubject
    share: TermShare
    now: Count
    before: Count | None = None
    places: tuple[Place, ...] = ()
    along: tuple[str, ...] = ()
    """Words that go with it."""
