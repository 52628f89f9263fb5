"""Terms and events more frequent among unhappy contacts: counted per contact, tested
exactly, corrected for multiple tests.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TypeVar

from qa_core import stats
from qa_core.analysis.irritants.terms import Mention

MIN_CONTACTS = 5
"""Minimum contacts of a finding, so that nobody can be identified."""
FALSE_DISCOVERY_RATE = 0.05
"""False discovery rate (Benjamini and Hochberg 1995)."""
MERGE_SHARE = 0.8
"""Share of contacts in common above which a finding is merged into a larger one."""

Terms = tuple[str, ...]
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class TermShare:
    """Hits among `n` against the others; `gap`: interval of the difference."""

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
        """Return the hits beyond those that the others' share would give."""
        return self.hits - self.n * self.other

    @property
    def gap(self) -> tuple[float, float]:
        return stats.difference_interval(self.hits, self.n, self.other_hits, self.other_n)


@dataclass(frozen=True)
class Document:
    is_unhappy: bool
    mentions: tuple[Mention, ...]


@dataclass(frozen=True)
class TermUse:
    """Term, or two in one sentence, more frequent among `unhappy` (positions of documents)."""

    terms: Terms
    share: TermShare
    unhappy: frozenset[int]
    related: tuple[Terms, ...] = ()
    """Terms merged into it, in nearly the same contacts."""


def find_significant(shares: Mapping[Key, TermShare]) -> dict[Key, TermShare]:
    """Return the shares significantly above the others', with `MIN_CONTACTS` hits or more:
    one-sided Fisher's exact test with a false discovery rate of `FALSE_DISCOVERY_RATE`.
    """
    tried = {
        key: share
        for key, share in shares.items()
        if share.hits >= MIN_CONTACTS and share.n > 0 and share.other_n > 0
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
        if chance <= FALSE_DISCOVERY_RATE and share.gap[0] > 0
    }


def find_frequent_terms(documents: Sequence[Document]) -> list[TermUse]:
    """Return the terms and pairs significantly more frequent among the unhappy, most
    contacts first; those found almost only with a larger one are merged into it.
    """
    singly = [{(mention.term,) for mention in document.mentions} for document in documents]
    counted = _count(documents, singly)
    frequent = {
        terms[0] for terms, (unhappy, _others) in counted.items() if len(unhappy) >= MIN_CONTACTS
    }
    counted |= _count(documents, [_pairs(document, frequent) for document in documents])
    n = sum(document.is_unhappy for document in documents)
    shares = {
        terms: TermShare(len(unhappy), n, others, len(documents) - n)
        for terms, (unhappy, others) in counted.items()
    }
    uses = [
        TermUse(terms, share, frozenset(counted[terms][0]))
        for terms, share in find_significant(shares).items()
    ]
    return _merge_overlapping(
        sorted(
            uses,
            key=lambda item: (
                -item.share.hits,
                -len(item.terms),
                item.share.other_hits,
                item.terms,
            ),
        )
    )


def find_together(mentions: Iterable[Mention], terms: Terms) -> list[Mention] | None:
    """Return the mentions in the first sentence with all terms, or None."""
    by_sentence: dict[int, dict[str, Mention]] = {}
    for mention in mentions:
        if mention.term in terms:
            by_sentence.setdefault(mention.sentence, {}).setdefault(mention.term, mention)
    return next(
        (list(uses.values()) for uses in by_sentence.values() if len(uses) == len(terms)), None
    )


def most_frequent(texts: Iterable[str]) -> str:
    """Return the most frequent text, the first of equals."""
    return Counter(texts).most_common(1)[0][0]


def _count(
    documents: Sequence[Document], terms_of: Sequence[set[Terms]]
) -> dict[Terms, tuple[set[int], int]]:
    counted: dict[Terms, tuple[set[int], int]] = {}
    for index, (document, uses) in enumerate(zip(documents, terms_of, strict=True)):
        for terms in uses:
            unhappy, others = counted.get(terms, (set(), 0))
            if document.is_unhappy:
                unhappy.add(index)
            counted[terms] = (unhappy, others + (not document.is_unhappy))
    return counted


def _pairs(document: Document, frequent: set[str]) -> set[Terms]:
    by_sentence: dict[int, set[str]] = {}
    for mention in document.mentions:
        if mention.term in frequent:
            by_sentence.setdefault(mention.sentence, set()).add(mention.term)
    return {pair for terms in by_sentence.values() for pair in combinations(sorted(terms), 2)}


def _merge_overlapping(uses: Sequence[TermUse]) -> list[TermUse]:
    kept: list[TermUse] = []
    for item in uses:
        for index, larger in enumerate(kept):
            if len(item.unhappy & larger.unhappy) >= MERGE_SHARE * len(item.unhappy):
                kept[index] = replace(larger, related=(*larger.related, item.terms))
                break
        else:
            kept.append(item)
    return kept
