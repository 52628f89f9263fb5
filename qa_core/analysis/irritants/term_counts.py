"""What is said, or happens, more among the unhappy than among the others: counted per
contact, tested exactly, corrected for the many tries. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeVar

from qa_core import stats
from qa_core.analysis.irritants.terms import Mention

FEWEST = 5
"""Of fewer contacts nothing is said: they could be told apart."""
FALSE_FINDINGS = 0.05
"""Of all that is said to stand out, the share that chance may have put there (Benjamini
and Hochberg 1995).
"""
SAME = 0.8
"""A finding of which so many contacts belong to a larger one says no more than goes
with it.
"""

Terms = tuple[str, ...]
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class TermShare:
    """So many of so many, against the others: `gap` is the 95 % interval of the
    difference of the two shares (MOVER).
    """

    hits: int
    n: int
    other_hits: int
    other_n: int

    @property
    def value(self) -> float:
        return self.hits / self.n

    @property
    def other(self) -> float:
        return self.other_hits / self.other_n

    @property
    def excess(self) -> float:
        """How many there are more than if the share were that of the others."""
        return self.hits - self.n * self.other

    @property
    def gap(self) -> tuple[float, float]:
        return stats.difference_interval(self.hits, self.n, self.other_hits, self.other_n)


@dataclass(frozen=True)
class Document:
    """What one contact says: whether it is among the unhappy, and its terms."""

    is_unhappy: bool
    mentions: tuple[Mention, ...]


@dataclass(frozen=True)
class TermUse:
    """A term, or two in one sentence, that the unhappy use more: their share against
    the others', and whose words they are (places of documents).
    """

    terms: Terms
    share: TermShare
    unhappy: frozenset[int]
    along: tuple[Terms, ...] = ()
    """What is found with it, in contacts that are nearly all among its own."""


def find_standing_out(shares: Mapping[Key, TermShare]) -> dict[Key, TermShare]:
    """The shares that are larger than those of the others by more than chance, of
    `FEWEST` hits or more: Fisher's exact test, one-sided, with the false findings of
    all these tests together held at `FALSE_FINDINGS`.
    """
    tried = {
        key: share
        for key, share in shares.items()
        if share.hits >= FEWEST and share.n > 0 and share.other_n > 0
    }
    if not tried:
        return {}
    chances = [
        stats.fisher_exact(share.hits, share.n, share.other_hits, share.other_n)
        for share in tried.values()
    ]
    corrected = stats.benjamini_hochberg(chances)
    return {
        key: share
        for (key, share), chance in zip(tried.items(), corrected, strict=True)
        if chance <= FALSE_FINDINGS and share.gap[0] > 0
    }


def find_said(documents: Sequence[Document]) -> list[TermUse]:
    """The terms and pairs that stand out among the unhappy, those of most contacts
    first; what is found almost only with a larger one stands with it.
    """
    singly = [{(mention.term,) for mention in document.mentions} for document in documents]
    counted = _count(documents, singly)
    frequent = {terms[0] for terms, (unhappy, _others) in counted.items() if len(unhappy) >= FEWEST}
    counted |= _count(documents, [_pairs(document, frequent) for document in documents])
    n = sum(document.is_unhappy for document in documents)
    shares = {
        terms: TermShare(len(unhappy), n, others, len(documents) - n)
        for terms, (unhappy, others) in counted.items()
    }
    said = [
        TermUse(terms, share, frozenset(counted[terms][0]))
        for terms, share in find_standing_out(shares).items()
    ]
    return _gather(
        sorted(
            said,
            key=lambda item: (
                -item.share.hits,
                -len(item.terms),
                item.share.other_hits,
                item.terms,
            ),
        )
    )


def find_together(mentions: Iterable[Mention], terms: Terms) -> list[Mention] | None:
    """The first sentence's mentions of all these terms; None where no sentence has them
    all.
    """
    by_sentence: dict[int, dict[str, Mention]] = {}
    for mention in mentions:
        if mention.term in terms:
            by_sentence.setdefault(mention.sentence, {}).setdefault(mention.term, mention)
    return next(
        (list(found.values()) for found in by_sentence.values() if len(found) == len(terms)), None
    )


def most_frequent(texts: Iterable[str]) -> str:
    """The text that occurs most; of equals the one that comes first."""
    return Counter(texts).most_common(1)[0][0]


def _count(
    documents: Sequence[Document], terms_of: Sequence[set[Terms]]
) -> dict[Terms, tuple[set[int], int]]:
    counted: dict[Terms, tuple[set[int], int]] = {}
    for place, (document, said) in enumerate(zip(documents, terms_of, strict=True)):
        for terms in said:
            unhappy, others = counted.get(terms, (set(), 0))
            if document.is_unhappy:
                unhappy.add(place)
            counted[terms] = (unhappy, others + (not document.is_unhappy))
    return counted


def _pairs(document: Document, frequent: set[str]) -> set[Terms]:
    by_sentence: dict[int, set[str]] = {}
    for mention in document.mentions:
        if mention.term in frequent:
            by_sentence.setdefault(mention.sentence, set()).add(mention.term)
    return {pair for terms in by_sentence.values() for pair in combinations(sorted(terms), 2)}


def _gather(said: Sequence[TermUse]) -> list[TermUse]:
    kept: list[TermUse] = []
    for item in said:
        for place, larger in enumerate(kept):
            if len(item.unhappy & larger.unhappy) >= SAME * len(item.unhappy):
                kept[place] = replace(larger, along=(*larger.along, item.terms))
                break
        else:
            kept.append(item)
    return kept
