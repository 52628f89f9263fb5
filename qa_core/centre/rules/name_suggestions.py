"""Suggestions of names that may mean the same, with the evidence for and against."""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations

import sqlalchemy as sa
from rapidfuzz import fuzz
from sqlalchemy.orm import Session

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import N_, _, ngettext
from qa_core.centre.advisors import normalise_name
from qa_core.centre.rules.active_rules import source_value
from qa_core.storage import lake, name_merges
from qa_core.storage.records import store
from qa_core.storage.records.centre_rules import NameDecision
from qa_core.storage.records.people import Advisor, AdvisorAlias, Membership

MIN_SIMILARITY = 87
"""Least similarity of two names, in per cent (rapidfuzz's ratio): below it, unrelated
names outnumber spellings.
"""
MIN_LENGTH = 4
MAX_BLOCK_SIZE = 200
"""Names that share a word are compared pairwise, unless more than these share it."""

SAME_NAME, SAME_ALIAS, INITIALS, SIMILAR = "same_name", "same_alias", "initials", "similar"
EVIDENCE = {
    SAME_NAME: N_("the same name"),
    SAME_ALIAS: N_("a name or id of one is an alias of the other"),
    INITIALS: N_("same surname, same initial"),
    SIMILAR: N_("similar names"),
}
"""Evidence, the strongest first."""


@dataclass(frozen=True)
class NameUse:
    """Use of a name: the number of contacts, and the tools that they came from."""

    contacts: int = 0
    systems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Suggestion:
    """Two names that may mean the same; `kept` is the more frequent. `together`: tools
    that know both, which is evidence against.
    """

    kind: str
    spelling: str
    kept: str
    evidence: str
    spelling_title: str
    kept_title: str
    spelling_use: NameUse
    kept_use: NameUse

    @property
    def together(self) -> tuple[str, ...]:
        return tuple(sorted(set(self.spelling_use.systems) & set(self.kept_use.systems)))


def find_suggestions(viewer: Viewer, kind: str) -> list[Suggestion]:
    """Find the pairs of names of that kind that may mean the same, the surest first,
    without those decided on. Needs MANAGE_ADVISORS.
    """
    viewer.require(Permission.MANAGE_ADVISORS)
    store.require_ready()
    uses = find_uses("advisor_id" if kind == "advisor" else kind)
    with store.reading() as session:
        merged_names = set(name_merges.find_kept_names(session)[kind])
        decided = sa.select(NameDecision.spelling, NameDecision.kept).where(
            NameDecision.kind == kind, NameDecision.undone_at.is_(None)
        )
        decisions = {frozenset(pair) for pair in session.execute(decided)}
        titles = (
            dict(session.execute(sa.select(Advisor.advisor_id, Advisor.name)).all())
            if kind == "advisor"
            else {name: name for name in uses}
        )
        team_members = (
            set(session.scalars(sa.select(Membership.advisor_id))) if kind == "advisor" else set()
        )
        pairs = _pair_advisors(session, titles) if kind == "advisor" else _pair_spellings(titles)
    suggestions = [
        _build_suggestion(kind, first, other, evidence, titles, uses, team_members)
        for (first, other), evidence in pairs.items()
        if frozenset((first, other)) not in decisions and not {first, other} & merged_names
    ]
    return sorted(
        suggestions,
        key=lambda item: (
            list(EVIDENCE).index(item.evidence),
            bool(item.together),
            -item.spelling_use.contacts,
            item.kept,
            item.spelling,
        ),
    )


def describe(item: Suggestion) -> str:
    """Describe the evidence for and against it, in the language of the thread."""
    parts = [
        _(EVIDENCE[item.evidence]),
        ngettext("{n} contact", "{n} contacts", item.spelling_use.contacts),
    ]
    if item.together:
        parts.append(_("but {systems} knows both", systems=", ".join(item.together)))
    return " · ".join(parts)


def _build_suggestion(
    kind: str,
    first: str,
    second: str,
    evidence: str,
    titles: Mapping[str, str],
    uses: Mapping[str, NameUse],
    team_members: Collection[str],
) -> Suggestion:
    # Of an advisor, keep the one whose team is known, then the one with an id of their
    # own; else the name with more contacts.
    kept_name, spelling = sorted(
        (first, second),
        key=lambda name: (
            name not in team_members,
            kind == "advisor" and name == titles[name],
            -uses.get(name, NameUse()).contacts,
            name,
        ),
    )
    return Suggestion(
        kind,
        spelling,
        kept_name,
        evidence,
        titles[spelling],
        titles[kept_name],
        uses.get(spelling, NameUse()),
        uses.get(kept_name, NameUse()),
    )


def find_uses(column: str) -> dict[str, NameUse]:
    """Find every source value of that column, with its use. For writers who decide on
    names, not for showing contacts.
    """
    with lake.working() as connection:
        rows = connection.execute(
            f"SELECT {source_value(column)} AS name, count(*), list(DISTINCT c.source_system) FROM "
            f"contacts c WHERE {source_value(column)} IS NOT NULL GROUP BY 1"
        ).fetchall()
    return {name: NameUse(count, tuple(sorted(systems))) for name, count, systems in rows}


def _pair_spellings(titles: Mapping[str, str]) -> dict[tuple[str, str], str]:
    return {
        pair: evidence
        for pair in _find_pairs(titles)
        if (evidence := _compare(*pair, initials=False))
    }


def _pair_advisors(session: Session, titles: Mapping[str, str]) -> dict[tuple[str, str], str]:
    pairs: dict[tuple[str, str], str] = {}
    by_title: dict[str, list[str]] = defaultdict(list)
    for advisor_id, name in titles.items():
        by_title[name].append(advisor_id)
    for ids in by_title.values():
        pairs |= dict.fromkeys(combinations(sorted(ids), 2), SAME_NAME)
    for title, other in _find_pairs(by_title):
        if evidence := _compare(title, other, initials=True):
            pairs |= {
                tuple(sorted((first, second))): evidence
                for first in by_title[title]
                for second in by_title[other]
            }
    # What a tool calls somebody: their aliases, their id, their name.
    by_key: dict[str, set[str]] = defaultdict(set)
    for key, advisor_id in session.execute(sa.select(AdvisorAlias.key, AdvisorAlias.advisor_id)):
        by_key[key].add(advisor_id)
    for advisor_id, name in titles.items():
        for key in {normalise_name(advisor_id), normalise_name(name)} & set(by_key):
            by_key[key].add(advisor_id)
    for ids in by_key.values():
        pairs = dict.fromkeys(combinations(sorted(ids), 2), SAME_ALIAS) | pairs
    return pairs


def _find_pairs(texts: Iterable[str]) -> set[tuple[str, str]]:
    """Find pairs worth comparing: they share a word or its beginning."""
    blocks: dict[str, set[str]] = defaultdict(set)
    for text in texts:
        for word in normalise_name(text).split():
            blocks[word[:MIN_LENGTH]].add(text)
    return {
        pair
        for block in blocks.values()
        if len(block) <= MAX_BLOCK_SIZE
        for pair in combinations(sorted(block), 2)
    }


def _compare(name: str, other: str, initials: bool) -> str | None:
    """Return why two names look similar; None if they do not, or if their numbers differ."""
    first, second = (sorted(normalise_name(text).split()) for text in (name, other))
    if first == second:
        return SAME_NAME
    if re.findall(r"\d+", " ".join(first)) != re.findall(r"\d+", " ".join(second)):
        return None
    if initials and len(first) == len(second) > 1:
        rest, other_rest = list(first), list(second)
        for word in set(first) & set(second):
            rest.remove(word)
            other_rest.remove(word)
        if len(rest) == 1 and min(len(rest[0]), len(other_rest[0])) == 1:
            return INITIALS if rest[0][0] == other_rest[0][0] else None
    texts = "".join(first), "".join(second)
    return (
        SIMILAR
        if min(map(len, texts)) >= MIN_LENGTH and fuzz.ratio(*texts) >= MIN_SIMILARITY
        else None
    )
