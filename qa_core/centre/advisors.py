"""Advisors: found by id, alias or name, created at first sight, with dated teams."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

from qa_core.storage import name_merges
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records.base import ADVISOR, Base
from qa_core.storage.records.imports import BeforeImage
from qa_core.storage.records.people import (
    Advisor,
    AdvisorAlias,
    ManagedSite,
    Membership,
    Site,
    Team,
    TeamLead,
)
from qa_core.storage.records.targets import Target

AdvisorReference = tuple[str | None, str | None]
"""Advisor as a file names them: the text in the advisor's column (an id or a name), and
the name beside it, if any.
"""

MEMBERSHIPS = pa.schema(
    [
        ("advisor_id", pa.string()),
        ("team", pa.string()),
        ("starts_on", pa.date32()),
        ("ends_on", pa.date32()),
    ]
)


MembershipSpans = Mapping[str, list[tuple[str, date, date]]]
"""By advisor, the teams with their first day and the day after their last."""


@lru_cache(maxsize=20_000)
def normalise_name(text: str) -> str:
    """Fold case, accents, punctuation and blanks, so that spellings agree."""
    letters = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(re.split(r"[\W_]+", plain.casefold())).strip() or text.strip().casefold()


def find_by_spelling(session: Session, only: str | None = None) -> dict[str, set[str]]:
    """Find the ids of the advisors who are called so, the merged ones with their kept id, by
    `fold_name` of their names, other spellings and ids. `only`: of that advisor.
    """
    kept_ids, found = name_merges.find_kept_names(session)["advisor"], {}
    ids = [only, *(name for name, kept_id in kept_ids.items() if kept_id == only)]
    spellings = (
        sa.select(column.class_.advisor_id, column).where(
            column.class_.advisor_id.in_(ids) if only else sa.true()
        )
        for column in (Advisor.advisor_id, Advisor.name, AdvisorAlias.alias)
    )
    for advisor_id, name in session.execute(sa.union(*spellings)):
        called = {advisor_id, kept_ids.get(advisor_id, advisor_id)}
        found.setdefault(fold_name(name), set()).update(called)
    return found


def fold_name(text: str) -> str:
    """Fold a name likewise, its words in whatever order (`BAR, Ann`)."""
    return " ".join(sorted(normalise_name(text).split()))


@dataclass
class Directory:
    """Advisors known at one moment, by id, alias and name."""

    ids: set[str] = field(default_factory=set)
    by_alias: dict[str, str] = field(default_factory=dict)
    by_name: dict[str, list[str]] = field(default_factory=dict)
    merged_ids: Mapping[str, str] = field(default_factory=dict)

    @staticmethod
    def load(session: Session) -> Directory:
        directory = Directory(merged_ids=name_merges.find_kept_names(session)["advisor"])
        names = sa.select(Advisor.advisor_id, Advisor.name).order_by(Advisor.advisor_id)
        for advisor_id, name in session.execute(names):
            directory.add(advisor_id, name)
        aliases = sa.select(AdvisorAlias.key, AdvisorAlias.advisor_id)
        directory.by_alias |= dict(session.execute(aliases).all())
        return directory

    def add(self, advisor_id: str, name: str) -> None:
        self.ids.add(advisor_id)
        self.by_name.setdefault(normalise_name(name), []).append(advisor_id)
        self.by_alias.setdefault(normalise_name(advisor_id), advisor_id)

    def find(
        self, text: str | None, name: str | None = None, shared_names: frozenset[str] = frozenset()
    ) -> str | None:
        """Find the advisor meant, or None.

        Where an id stands beside the name, the name alone decides only for an advisor
        known by nothing but that name, and not when the file gives it to several ids
        (`shared_names`).
        """
        for reference in (text, name if text is None else None):
            if reference is None:
                continue
            if reference in self.ids:
                return reference
            if normalise_name(reference) in self.by_alias:
                return self.by_alias[normalise_name(reference)]
            namesakes = self.by_name.get(normalise_name(reference), [])
            kept_ids = {self.merged_ids.get(advisor_id, advisor_id) for advisor_id in namesakes}
            if len(kept_ids) == 1:
                return namesakes[0] if len(namesakes) == 1 else kept_ids.pop()
        if text is not None and name is not None and normalise_name(name) not in shared_names:
            namesakes = [
                namesake
                for namesake in self.by_name.get(normalise_name(name), [])
                if normalise_name(namesake) == normalise_name(name)
            ]
            return namesakes[0] if len(namesakes) == 1 else None
        return None


@dataclass
class ResolvedNames:
    """Advisors of a file: the id of each reference, and the advisors and teams that are new."""

    ids: dict[AdvisorReference, str] = field(default_factory=dict)
    new_advisors: list[tuple[str, str]] = field(default_factory=list)
    aliases: list[tuple[str, str]] = field(default_factory=list)
    teams: list[tuple[str, str | None]] = field(default_factory=list)


def resolve_names(
    session: Session,
    pairs: Iterable[AdvisorReference],
    teams: Iterable[tuple[str, str | None]] = (),
    forgotten: Collection[AdvisorReference] = (),
) -> ResolvedNames:
    """Find or invent an id for each reference, and list the new teams; write nothing. For
    `forgotten` references, of erased advisors, none is invented.
    """
    pairs = sorted(
        {pair for pair in pairs if pair[0] or pair[1]},
        key=lambda pair: (pair[0] or "", pair[1] or ""),
    )
    names = Counter(normalise_name(name) for text, name in pairs if text and name)
    shared_names = frozenset(name for name, count in names.items() if count > 1)
    directory, naming = Directory.load(session), ResolvedNames()
    for text, name in pairs:
        advisor_id = directory.find(text, name, shared_names)
        if advisor_id is None and (text, name) in forgotten:
            continue
        if advisor_id is None:
            advisor_id = text or name
            directory.add(advisor_id, name or advisor_id)
            naming.new_advisors.append((advisor_id, name or advisor_id))
        elif (
            text is not None
            and text != advisor_id
            and normalise_name(text) not in directory.by_alias
        ):
            directory.by_alias[normalise_name(text)] = advisor_id
            naming.aliases.append((text, advisor_id))
        naming.ids[(text, name)] = advisor_id
    sites_by_team = dict(session.execute(sa.select(Team.name, Team.site_name)).all())
    naming.teams = [
        (team, site)
        for team, site in sorted(dict(teams).items())
        if team not in sites_by_team or (site and sites_by_team[team] is None)
    ]
    return naming


def create_names(session: Session, naming: ResolvedNames, batch_id: str) -> None:
    """Create what `resolve_names` found missing, in the caller's transaction, with what
    undoing the batch needs.
    """
    for advisor_id, name in naming.new_advisors:
        # Nothing to look up: they were not there, and this batch is new.
        session.add(BeforeImage(batch_id=batch_id, object="advisor", key=advisor_id))
        session.add(Advisor(advisor_id=advisor_id, name=name, created_by_batch=batch_id))
    session.flush()
    for alias, advisor_id in naming.aliases:
        _save_advisor_image(session, batch_id, advisor_id)
        session.add(AdvisorAlias(key=normalise_name(alias), alias=alias, advisor_id=advisor_id))
    for team, site in naming.teams:
        ensure_team(session, batch_id, team, site)
    session.flush()


def save_kinds(session: Session, batch_id: str, kinds: Mapping[str, str]) -> bool:
    """Keep whether advisors are persons or machines; returns whether one of an earlier batch
    changed.
    """
    is_older = False
    for advisor_id, kind in kinds.items():
        advisor = session.get_one(Advisor, advisor_id)
        if advisor.kind != kind:
            _save_advisor_image(session, batch_id, advisor_id)
            is_older |= advisor.created_by_batch != batch_id
            advisor.kind = kind
    return is_older


def find_memberships(session: Session) -> pa.Table:
    """Find all memberships as (advisor_id, team, starts_on, ends_on exclusive), never
    two teams on one day: the later start wins.
    """
    rows = session.execute(sa.select(Membership.__table__)).all()
    spans = [
        {"advisor_id": row.advisor_id, "team": row.team_name, "starts_on": first, "ends_on": end}
        for row, first, end in cut_overlaps(rows, lambda row: row.advisor_id)
    ]
    return pa.Table.from_pylist(spans, MEMBERSHIPS)


def cut_overlaps(
    rows: Iterable[Any], key: Callable[[Any], str]
) -> Iterator[tuple[Any, date, date]]:
    """Yield dated rows with their first day and the day after their last, never two of
    one key on one day: the later start wins, then the later row.
    """
    next_key, next_start = None, date.max
    for row in sorted(
        rows, key=lambda row: (key(row), row.starts_on or date.min, row.id), reverse=True
    ):
        first, end = row.starts_on or date.min, row.ends_on or date.max
        if key(row) == next_key:
            end = min(end, next_start)
        if first < end:
            yield row, first, end
            next_key, next_start = key(row), first


def group_spans(memberships: pa.Table) -> MembershipSpans:
    """Group memberships by advisor, to look up a few days."""
    spans: dict[str, list[tuple[str, date, date]]] = {}
    for row in memberships.to_pylist():
        spans.setdefault(row["advisor_id"], []).append(
            (row["team"], row["starts_on"], row["ends_on"])
        )
    return spans


def find_team(spans: MembershipSpans, advisor_id: str | None, day: date | None) -> str | None:
    if advisor_id is None or day is None:
        return None
    for team, starts_on, ends_on in spans.get(advisor_id, ()):
        if starts_on <= day < ends_on:
            return team
    return None


def import_row(session: Session, batch_id: str, directory: Directory, row: dict[str, Any]) -> str:
    """Import one row (its days inclusive): `new`, `updated` or `unchanged`."""
    text, name = row.get("advisor_id"), row.get("name")
    advisor_id = directory.find(text, name)
    is_new = advisor_id is None
    before = None if is_new else _read_state(session, advisor_id)
    if is_new:
        advisor_id = text or name
        session.add(
            Advisor(advisor_id=advisor_id, name=name or advisor_id, created_by_batch=batch_id)
        )
        session.flush()
        directory.add(advisor_id, name or advisor_id)
    advisor = session.get(Advisor, advisor_id)
    if name and advisor.name != name:
        advisor.name = name
    advisor.kind = row.get("kind") or advisor.kind
    for alias in (*(row.get("aliases") or ()), *((text,) if text and text != advisor_id else ())):
        if normalise_name(alias) not in directory.by_alias:
            session.add(AdvisorAlias(key=normalise_name(alias), alias=alias, advisor_id=advisor_id))
            directory.by_alias[normalise_name(alias)] = advisor_id
    has_new_site = _ensure_site(session, batch_id, row.get("site"))
    if row.get("team"):
        has_new_site |= ensure_team(session, batch_id, row["team"], row.get("site"))
        _set_membership(
            session,
            advisor_id,
            row["team"],
            row.get("from"),
            row["to"] + timedelta(days=1) if row.get("to") else None,
        )
    session.flush()
    is_changed = before != _read_state(session, advisor_id)
    if is_changed:
        _save_image(session, batch_id, "advisor", advisor_id, before)
    return "new" if is_new else "updated" if is_changed or has_new_site else "unchanged"


def _set_membership(
    session: Session, advisor_id: str, team: str, starts_on: date | None, ends_on: date | None
) -> None:
    of_advisor = sa.select(Membership).where(Membership.advisor_id == advisor_id)
    rows = session.scalars(of_advisor.order_by(Membership.starts_on)).all()
    same_start = next((row for row in rows if row.starts_on == starts_on), None)
    if starts_on is None and rows and same_start is None:
        # An undated statement says where the person is now: the newest membership
        # already does, or is corrected.
        same_start = rows[-1]
    if same_start is not None:
        same_start.team_name = team
        if ends_on is not None:
            same_start.ends_on = ends_on
        return
    for row in rows:
        if row.ends_on is None and (row.starts_on or date.min) < starts_on:
            row.ends_on = starts_on
    later = [row.starts_on for row in rows if row.starts_on and row.starts_on > starts_on]
    session.add(
        Membership(
            advisor_id=advisor_id,
            team_name=team,
            starts_on=starts_on,
            ends_on=ends_on or min(later, default=None),
        )
    )


def ensure_team(session: Session, batch_id: str | None, team: str, site: str | None) -> bool:
    """Create team and site where they do not exist; True when something was written.
    Undoing it needs a batch.
    """
    is_changed = _ensure_site(session, batch_id, site)
    row = session.get(Team, team)
    if row is None:
        _save_image(session, batch_id, "team", team, None)
        session.add(Team(name=team, site_name=site))
        is_changed = True
    elif site and row.site_name != site:
        _save_image(session, batch_id, "team", team, {"site": row.site_name})
        row.site_name = site
        is_changed = True
    session.flush()
    return is_changed


def _ensure_site(session: Session, batch_id: str | None, site: str | None) -> bool:
    """Create a site that does not exist, also one without a team; True when it was written."""
    if not site or session.get(Site, site) is not None:
        return False
    _save_image(session, batch_id, "site", site, None)
    session.add(Site(name=site))
    session.flush()
    return True


def _save_advisor_image(session: Session, batch_id: str, advisor_id: str) -> None:
    _save_image(session, batch_id, "advisor", advisor_id, _read_state(session, advisor_id))


def _save_image(
    session: Session, batch_id: str | None, kind: str, key: str, content: dict[str, Any] | None
) -> None:
    known = sa.select(BeforeImage.id).filter_by(batch_id=batch_id, object=kind, key=key)
    if batch_id is None or session.execute(known).first():
        return
    session.add(BeforeImage(batch_id=batch_id, object=kind, key=key, content=content))
    session.flush()


def _read_state(session: Session, advisor_id: str) -> dict[str, Any] | None:
    session.flush()
    advisor = session.get(Advisor, advisor_id)
    if advisor is None:
        return None
    aliases = sa.select(AdvisorAlias.key, AdvisorAlias.alias).filter_by(advisor_id=advisor_id)
    of_advisor = sa.select(Membership).filter_by(advisor_id=advisor_id)
    spans = session.scalars(of_advisor.order_by(Membership.starts_on, Membership.id)).all()
    return {
        "name": advisor.name,
        "kind": advisor.kind,
        "aliases": [list(pair) for pair in session.execute(aliases.order_by(AdvisorAlias.key))],
        "memberships": [
            [
                span.team_name,
                *(day.isoformat() if day else None for day in (span.starts_on, span.ends_on)),
            ]
            for span in spans
        ],
    }


def restore(session: Session, batch_id: str, in_lake: tuple[set[str], set[str]]) -> None:
    """Restore advisors, teams and sites to what they were before the batch.

    Those referred to since stay: by contacts (`in_lake`: advisors and teams), or by what
    people entered, such as an evaluation, an account or an exclusion.
    """
    used_advisors, used_teams = in_lake
    used_advisors = used_advisors | _find_referred(session)
    later = aliased(BeforeImage)
    is_later = sa.and_(
        later.object == BeforeImage.object,
        later.key == BeforeImage.key,
        later.id > BeforeImage.id,
        later.batch_id != batch_id,
    )
    is_own = sa.and_(BeforeImage.batch_id == batch_id, BeforeImage.object == "advisor")
    overtaken = sa.select(BeforeImage.key).join(later, is_later).where(is_own)
    changed_since = set(session.scalars(overtaken))
    for image in _find_images(session, batch_id, "advisor"):
        advisor = session.get(Advisor, image.key)
        if (
            advisor is None
            or image.key in changed_since
            or (image.content is None and image.key in used_advisors)
        ):
            continue
        session.execute(sa.delete(AdvisorAlias).filter_by(advisor_id=image.key))
        session.execute(sa.delete(Membership).filter_by(advisor_id=image.key))
        if image.content is None:
            session.execute(sa.delete(Advisor).filter_by(advisor_id=image.key))
            continue
        advisor.name, advisor.kind = image.content["name"], image.content.get("kind")
        session.add_all(
            AdvisorAlias(key=key, alias=alias, advisor_id=image.key)
            for key, alias in image.content["aliases"]
        )
        for team, *days in image.content["memberships"]:
            starts_on, ends_on = (date.fromisoformat(day) if day else None for day in days)
            session.add(
                Membership(
                    advisor_id=image.key, team_name=team, starts_on=starts_on, ends_on=ends_on
                )
            )
    session.flush()
    used_teams = used_teams | set(
        session.scalars(sa.union(sa.select(Membership.team_name), sa.select(TeamLead.team_name)))
    )
    used_teams |= set(
        session.scalars(sa.select(Target.dimension_value).where(Target.dimension == "team"))
    )
    for image in _find_images(session, batch_id, "team"):
        team = session.get(Team, image.key)
        if team is not None and image.content is not None:
            team.site_name = image.content["site"]
        elif team is not None and image.key not in used_teams:
            session.delete(team)
    session.flush()
    of_teams = sa.select(Team.site_name).where(Team.site_name.is_not(None))
    used_sites = set(session.scalars(sa.union(of_teams, sa.select(ManagedSite.site_name))))
    created = {image.key for image in _find_images(session, batch_id, "site")}
    session.execute(sa.delete(Site).where(Site.name.in_(created - used_sites)))


def _find_referred(session: Session) -> set[str]:
    """Find the advisors to whom any table refers but those that imports write of them."""
    columns = (
        column
        for table in Base.metadata.sorted_tables
        if table not in (AdvisorAlias.__table__, Membership.__table__)
        for column in table.columns
        if any(key.target_fullname == ADVISOR for key in column.foreign_keys)
    )
    named = sa.union(*(sa.select(column).where(column.is_not(None)) for column in columns))
    query = Unscoped(named, "Whom something refers to stays when an import is undone. Only ids.")
    return set(session.scalars(query))


def find_later_batch(session: Session, batch_id: str, kind: str = "advisor") -> str | None:
    """Find a batch that changed an object of that kind after this batch had changed it."""
    changed = sa.select(BeforeImage.key, BeforeImage.id).filter_by(batch_id=batch_id, object=kind)
    mine = changed.subquery()
    later = sa.select(BeforeImage.batch_id).join(mine, BeforeImage.key == mine.c.key)
    is_later = BeforeImage.id > mine.c.id, BeforeImage.batch_id != batch_id
    return session.scalar(later.where(BeforeImage.object == kind, *is_later).limit(1))


def _find_images(session: Session, batch_id: str, kind: str) -> Sequence[BeforeImage]:
    images = sa.select(BeforeImage).filter_by(batch_id=batch_id, object=kind)
    return session.scalars(images.order_by(BeforeImage.id)).all()
