"""Detection of irritants in figures, and in words of customers and evaluators."""

import functools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pandas as pd

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis.irritants import term_counts
from qa_core.analysis.irritants.subject import (
    TEXT_KINDS,
    Count,
    IrritantCandidate,
    IrritantKind,
    IrritantSubject,
    Place,
)
from qa_core.analysis.irritants.term_counts import Document, TermShare
from qa_core.analysis.irritants.terms import Mention, extract, find_mentions, split_sentences
from qa_core.base.errors import AccessDenied
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import audit_log

KPIS = {IrritantKind.REPEATS: "first_contact_resolution", IrritantKind.LOW_RATINGS: "unhappy_rate"}
DIMENSIONS = ("reason", "queue")
PARTS = FIGURES, WORDS = "figures", "words"
"""Parts of the detection: shares of contacts, and the terms of remarks and tags."""
MAX_EXAMPLES, MAX_ALONG = 5, 4
FOLLOW_UP_DAYS = 56
"""Days measured before and after the start: whole weeks, so that weekdays are balanced."""
_ORIGINS = {
    IrritantKind.CUSTOMER_WORDS: "customer",
    IrritantKind.EVALUATOR_WORDS: "evaluator",
    IrritantKind.TAGS: "evaluator",
}


@dataclass(frozen=True)
class Example:
    """Contact that shows an irritant: a sentence, and the place of the words in it."""

    source_system: str
    contact_id: str
    local_start: datetime
    queue: str | None
    reason: str | None
    sentence: str
    start: int = 0
    end: int = 0


@dataclass(frozen=True)
class _Remark:
    """Row of `query.find_remarks` and its terms."""

    row: Any
    document: Document


def find_candidates(
    viewer: Viewer, where: Filters, compare: Period | None = None, parts: Sequence[str] = PARTS
) -> tuple[IrritantCandidate, ...]:
    """Return the irritants of a period in scope, by contacts beyond the others' share.

    `parts`: where to look, of `PARTS`. Viewers without access to remarks get none found
    in texts, and of figures those published to them. Nothing is compared with a period that
    has data on too few days. Raise AccessDenied for viewers who may not see irritants.
    """
    viewer.require(Permission.SEE_IRRITANTS)
    if compare and query.is_incomplete(compare):
        compare = None
    candidates: list[IrritantCandidate] = []
    if FIGURES in parts:
        for dimension in DIMENSIONS:
            if query.may_cut(viewer, where, dimension):
                candidates += _find_in_figures(viewer, dimension, where, compare)
    if WORDS in parts and query.may_read_remarks(viewer):
        candidates += _find_in_words(viewer, where, compare)
    return tuple(
        sorted(candidates, key=lambda candidate: (-candidate.share.excess, candidate.subject.key))
    )


def count_contacts(viewer: Viewer, subject: IrritantSubject, where: Filters) -> Count | None:
    """Count the contacts that show an irritant; None where hidden, and for a wait."""
    viewer.require(Permission.SEE_IRRITANTS)
    if subject.kind in TEXT_KINDS:
        remarks = _read(viewer, subject.kind, where)
        return Count(sum(_matches(remark, subject) for remark in remarks), len(remarks))
    if subject.dimension not in DIMENSIONS:
        return None
    kpi = KPIS[subject.kind]
    where = where.with_value(subject.dimension, subject.value)
    row = next(query.measure(viewer, (kpi,), (), where).itertuples())
    return None if row.status == "suppressed" else _count(subject.kind, row)


def find_follow_up(
    viewer: Viewer, subject: IrritantSubject, filters: Filters, in_hand_on: date
) -> tuple[Count | None, Count | None]:
    """Count an irritant in the eight weeks before it was taken in hand and in those
    since, in scope. (None, None) for viewers of whole months only.
    """
    if viewer.needs_suppression:
        return None, None
    before = Period(in_hand_on - timedelta(days=FOLLOW_UP_DAYS), in_hand_on - timedelta(days=1))
    since = Period(in_hand_on, in_hand_on + timedelta(days=FOLLOW_UP_DAYS - 1))
    return count_contacts(viewer, subject, filters.with_period(before)), count_contacts(
        viewer, subject, filters.with_period(since)
    )


def find_examples(viewer: Viewer, subject: IrritantSubject, where: Filters) -> tuple[Example, ...]:
    """Return up to five unhappy contacts in scope that show the irritant, newest first; none
    for a wait.

    Raise AccessDenied for viewers who may not read remarks.
    """
    viewer.require(Permission.SEE_IRRITANTS)
    if not query.may_read_remarks(viewer):
        raise AccessDenied()
    if subject.kind in TEXT_KINDS:
        shown = [
            remark for remark in _read(viewer, subject.kind, where) if _matches(remark, subject)
        ]
        return _take_distinct(_quote(remark, subject) for remark in shown)
    if subject.dimension not in DIMENSIONS:
        return ()
    frame = query.find_remarks(viewer, where.with_value(subject.dimension, subject.value))
    rows = [row for row in frame.itertuples() if row.is_unhappy and row.origin == "customer"]
    return _take_distinct(_quote_start(row) for row in rows)


def read_examples(viewer: Viewer, subject: IrritantSubject, where: Filters) -> tuple[Example, ...]:
    """Return `find_examples` and record the reading in the audit log."""
    examples = find_examples(viewer, subject, where)
    contacts = ", ".join(f"{example.source_system}/{example.contact_id}" for example in examples)
    if examples:
        audit_log.note_reading(viewer.username, "irritant_read", contacts)
    return examples


def _find_in_figures(
    viewer: Viewer, dimension: str, where: Filters, compare: Period | None
) -> Iterator[IrritantCandidate]:
    kpis = tuple(KPIS.values())
    frame = query.measure(viewer, kpis, (dimension,), where, compare)
    whole = {row.kpi: row for row in query.measure(viewer, kpis, (), where).itertuples()}
    for kind, kpi in KPIS.items():
        total = _count(kind, whole[kpi])
        rows = {
            getattr(row, dimension): row
            for row in frame[frame["kpi"] == kpi].itertuples()
            if isinstance(getattr(row, dimension), str)
        }
        counts = {value: count for value, row in rows.items() if (count := _count(kind, row)).n}
        shares = {
            value: TermShare(count.hits, count.n, total.hits - count.hits, total.n - count.n)
            for value, count in counts.items()
        }
        for value, share in term_counts.find_significant(shares).items():
            subject = IrritantSubject(kind, dimension, value)
            yield IrritantCandidate(
                subject, share, counts[value], _count_before(kind, rows[value]) if compare else None
            )


def _find_in_words(
    viewer: Viewer, where: Filters, compare: Period | None
) -> Iterator[IrritantCandidate]:
    frame = query.find_remarks(viewer, where)
    earlier = query.find_remarks(viewer, where.with_period(compare)) if compare else None
    for kind in _ORIGINS:
        remarks = _select(frame, kind)
        before = None if earlier is None else _select(earlier, kind)
        for term_use in term_counts.find_frequent_terms([remark.document for remark in remarks]):
            concerned = [remarks[index] for index in sorted(term_use.unhappy)]
            shown = term_counts.most_frequent(
                _spell(remark, term_use.terms) for remark in concerned
            )
            subject = IrritantSubject(kind, terms=term_use.terms, shown=shown)
            count = (
                None
                if before is None
                else Count(sum(_matches(remark, subject) for remark in before), len(before))
            )
            related = [
                term_counts.most_frequent(
                    _spell(remark, terms) for remark in concerned if _has(remark, terms)
                )
                for terms in term_use.related[:MAX_ALONG]
            ]
            yield IrritantCandidate(
                subject,
                term_use.share,
                Count(len(concerned), len(remarks)),
                count,
                _find_places(concerned),
                tuple(dict.fromkeys(related)),
            )


def _find_places(concerned: Sequence[_Remark]) -> tuple[Place, ...]:
    places = []
    for dimension in DIMENSIONS:
        counted = Counter(
            value
            for remark in concerned
            if isinstance(value := getattr(remark.row, dimension), str)
        )
        places += [Place(dimension, value, contacts) for value, contacts in counted.most_common(1)]
    return tuple(places)


def _read(viewer: Viewer, kind: IrritantKind, where: Filters) -> list[_Remark]:
    return _select(query.find_remarks(viewer, where), kind)


def _select(frame: pd.DataFrame, kind: IrritantKind) -> list[_Remark]:
    """Return the remarks of one kind with their terms; equal texts share them."""
    is_tags = kind == IrritantKind.TAGS
    find = functools.cache(_find_tags if is_tags else find_mentions)
    selected = []
    rows = frame[frame["origin"] == _ORIGINS[kind]].astype(object)
    for row in rows.itertuples(index=False):
        mentions = find((row.tags or "") if is_tags else row.text)
        if mentions or (row.text and not is_tags):
            selected.append(_Remark(row, Document(bool(row.is_unhappy), mentions)))
    return selected


def _find_tags(text: str) -> tuple[Mention, ...]:
    """Return the tags as terms, each as a separate sentence, so that they form no pairs."""
    tags = filter(None, text.split("\n"))
    return tuple(
        Mention(f"tag:{tag.casefold()}", sentence, 0, 0) for sentence, tag in enumerate(tags)
    )


def _matches(remark: _Remark, subject: IrritantSubject) -> bool:
    return remark.document.is_unhappy and _has(remark, subject.terms)


def _has(remark: _Remark, terms: tuple[str, ...]) -> bool:
    return term_counts.find_together(remark.document.mentions, terms) is not None


def _spell(remark: _Remark, terms: tuple[str, ...]) -> str:
    together = term_counts.find_together(remark.document.mentions, terms) or []
    if terms[0].startswith("tag:"):
        return next(
            tag for tag in remark.row.tags.split("\n") if f"tag:{tag.casefold()}" == terms[0]
        )
    return extract(remark.row.text, together)


def _take_distinct(examples: Iterable[Example]) -> tuple[Example, ...]:
    different: dict[str, Example] = {}
    for example in examples:
        if (
            different.setdefault(example.sentence.casefold(), example) is example
            and len(different) == MAX_EXAMPLES
        ):
            break
    return tuple(different.values())


def _quote(remark: _Remark, subject: IrritantSubject) -> Example:
    if subject.kind == IrritantKind.TAGS:
        return _quote_start(remark.row)
    text = remark.row.text
    together = term_counts.find_together(remark.document.mentions, subject.terms) or []
    first = min(mention.start for mention in together)
    last = max(mention.end for mention in together)
    start, end = next(span for span in split_sentences(text) if span[0] <= first < span[1])
    start += len(text[start:end]) - len(text[start:end].lstrip())
    return _build_example(remark.row, text[start:end].rstrip(), first - start, last - start)


def _quote_start(row: Any) -> Example:
    first = next(iter(split_sentences(row.text or "")), (0, 0))
    return _build_example(row, (row.text or "")[first[0] : first[1]].strip())


def _build_example(row: Any, sentence: str, start: int = 0, end: int = 0) -> Example:
    queue, reason = (
        None if formatting.is_missing(value) else value for value in (row.queue, row.reason)
    )
    at = row.local_start.to_pydatetime()
    return Example(row.source_system, row.contact_id, at, queue, reason, sentence, start, end)


def _count(kind: IrritantKind, row: Any) -> Count:
    """Count the contacts of a row that went badly; zero where hidden or empty."""
    if formatting.is_missing(row.value):
        return Count(0, 0)
    n, hits = int(row.denominator), int(row.numerator)
    return Count(n - hits if kind == IrritantKind.REPEATS else hits, n)


def _count_before(kind: IrritantKind, row: Any) -> Count:
    if formatting.is_missing(row.value_before):
        return Count(0, 0)
    n = int(row.n_before)
    hits = round(row.value_before * n)
    return Count(n - hits if kind == IrritantKind.REPEATS else hits, n)
