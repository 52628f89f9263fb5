"""Counts over the whole centre for data protection: recorded contacts by team (R2 of
docs/compliance.md), keys of customers that are no pseudonyms (R16), restricted contacts.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment, masking
from qa_core.metrics.kpis.rows import ANSWERED
from qa_core.metrics.law.legal_obstacles import LegalFacts, build_keys
from qa_core.metrics.law.recording_flags import text_or_none
from qa_core.storage import engine, lake, restrictions
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.facts.personal_data import ColumnContent, find_columns
from qa_core.storage.facts.schema import AS_GIVEN, CONTACTS
from qa_core.storage.records import store
from qa_core.storage.records.listening import QUALITY, Recording

_AUDIO = sa.table(
    "with_audio", sa.column("source_system", sa.Text), sa.column("contact_id", sa.Text)
)


@dataclass(frozen=True)
class RecordedShare:
    """Of the answered contacts of a team (None: of none), how many were recorded. Of
    `unknown_contacts`, calls that are not among the answered, nobody can say.
    """

    team: str | None
    answered_contacts: int
    recorded_contacts: int
    unknown_contacts: int = 0

    @property
    def rate(self) -> float | None:
        return self.recorded_contacts / self.answered_contacts if self.answered_contacts else None


@dataclass(frozen=True)
class RecordingCounts:
    """Shares by team, the highest first, the advisors who answered anything, and the share of
    the whole centre by month.
    """

    shares: tuple[RecordedShare, ...] = ()
    advisors: frozenset[str] = frozenset()
    months: Mapping[str, RecordedShare] = field(default_factory=dict)


def count_recorded(
    viewer: Viewer, first_day: date, last_day: date, legal: LegalFacts
) -> RecordingCounts:
    """Count from one day through another. The data protection officer counts for the
    whole centre, and sees no contact.

    A contact is recorded if its source reports it, or if its audio is or was stored
    here, also where it is deleted since. Where the source does not report it, other
    contacts of a system whose audio comes here are not recorded. Contacts that are kept
    under a longer obligation do not count.
    """
    viewer.require(Permission.SEE_COMPLIANCE)
    if lake.span() is None:
        return RecordingCounts()
    sealed = frozenset(zip(*legal.sealed_keys.to_pydict().values(), strict=True))
    audio = frozenset(_find_audio(first_day, last_day))
    return _count_recorded(_find_state(), first_day, last_day, audio, sealed)


@functools.lru_cache(maxsize=16)
def _count_recorded(
    _state: tuple[object, ...],
    first_day: date,
    last_day: date,
    audio: frozenset[tuple[str, str]],
    sealed: frozenset[tuple[str, str]],
) -> RecordingCounts:
    legal = LegalFacts(sealed_keys=build_keys(sealed))
    c, has_audio = CONTACTS.c, _AUDIO.c.contact_id.is_not(None)
    is_recorded = sa.case(
        (has_audio, sa.true()),
        (c.recorded.is_not(None), c.recorded),
        (c.source_system.in_(sorted({system for system, _id in audio})), sa.false()),
    )
    is_phone = sa.func.coalesce(c.channel, "phone") == "phone"
    statement = (
        sa.select(
            c.team,
            c.advisor_id,
            c.month,
            sa.func.count(is_recorded).label("known"),
            sa.func.count().filter(is_recorded).label("recorded"),
            sa.func.count().filter(is_recorded.is_(None), is_phone).label("unknown"),
        )
        .select_from(
            CONTACTS.outerjoin(
                _AUDIO,
                sa.and_(
                    _AUDIO.c.source_system == c.source_system, _AUDIO.c.contact_id == c.contact_id
                ),
            )
        )
        .where(
            ANSWERED,
            c.local_start >= datetime.combine(first_day, time.min),
            c.local_start < datetime.combine(last_day + timedelta(days=1), time.min),
            sa.not_(legal.build_sealed_test()),
        )
        .group_by(c.team, c.advisor_id, c.month)
    )
    query = Unscoped(
        statement,
        "The data protection officer checks recording in the whole centre. Only counts by team "
        "and advisor are read.",
    )
    frame = engine.current().run(
        query,
        {**legal.tables, _AUDIO.name: build_keys(audio)},
        first_month=f"{first_day:%Y-%m}",
        last_month=f"{last_day:%Y-%m}",
    )
    names = ("known", "recorded", "unknown")
    teams, months = (
        {
            text_or_none(group): [int(rows[name].sum()) for name in names]
            for group, rows in frame.groupby(column, dropna=False)
        }
        for column in ("team", "month")
    )
    shares = [RecordedShare(team, *counts) for team, counts in teams.items()]
    shares.sort(key=lambda share: (-(share.rate or 0), share.team or ""))
    by_month = {month: RecordedShare(None, *counts) for month, counts in months.items()}
    return RecordingCounts(tuple(shares), frozenset(frame["advisor_id"].dropna()), by_month)


def _find_audio(first_day: date, last_day: date) -> list[tuple[str, str]]:
    """Find the contacts of those days whose audio is stored, or was until it was deleted."""
    keys = sa.select(Recording.source_system, Recording.contact_id).distinct()
    query = Unscoped(
        keys.where(Recording.local_day.between(first_day, last_day), QUALITY),
        "The data protection officer checks recording in the whole centre. Only keys of contacts "
        "with audio are counted.",
    )
    with store.reading() as session:
        return [tuple(row) for row in session.execute(query)]


def count_restricted(viewer: Viewer) -> int:
    viewer.require(Permission.SEE_COMPLIANCE)
    restricted = restrictions.find_current()
    if not restricted or lake.span() is None:
        return 0
    query = Unscoped(
        sa.select(sa.func.count().label("contacts"))
        .select_from(CONTACTS)
        .where(restricted.build_test()),
        "The data protection officer sees the number of restricted contacts. Only that number is "
        "read.",
    )
    return int(engine.current().run(query)["contacts"][0])


def count_matching(
    viewer: Viewer,
    contacts: Sequence[tuple[str | None, str]] = (),
    without: str | None = None,
    **values: Sequence[str],
) -> int:
    """Count the stored contacts of the whole centre that are among these (system or None,
    id), or have one of these values in one of these columns, or had it in their source, or
    none in the column `without`. No contact is shown.
    """
    viewer.require(Permission.SEE_COMPLIANCE)
    if lake.span() is None or not (contacts or without or any(values.values())):
        return 0
    c = CONTACTS.c
    is_one = (
        sa.and_(c.contact_id == number, c.source_system == system if system else sa.true())
        for system, number in contacts
    )
    is_unknown = [c[without].is_(None)] if without else []
    has_value = (
        c[column].in_(some)
        for name, some in values.items()
        for column in (name, AS_GIVEN.get(name))
        if column
    )
    is_met = sa.or_(*is_one, *is_unknown, *has_value)
    query = Unscoped(
        sa.select(sa.func.count().label("contacts")).select_from(CONTACTS).where(is_met),
        "The data protection officer sees how many contacts an act met. Only that number is read.",
    )
    return int(engine.current().run(query)["contacts"][0])


PSEUDONYM = "[0-9a-f]{32}"
CLEAR_NUMBER = rf"(.*[^0-9A-Za-z.])?{masking.CLEAR_NUMBER}([^0-9A-Za-z].*)?"
MAY_HAVE_NUMBERS = ("contact_id", "ticket", "reason", "given_reason", "keyword", "landing_page")
"""Columns that a caller's number can slip into; queues and lines have the centre's own."""


def count_customer_keys(viewer: Viewer) -> tuple[int, int]:
    """Count the contacts with a key, and those whose key is no pseudonym or that hold a telephone
    number in clear.
    """
    viewer.require(Permission.SEE_RULES)
    return _count(_find_state())


def count_personal_texts(viewer: Viewer, limit: int) -> tuple[int, int]:
    """Count the newest texts of each free-text column of the newest month's contacts, and
    those with personal data in them; nobody reads them.
    """
    viewer.require(Permission.SEE_RULES)
    return _count_personal_texts(_find_state(), limit)


def _find_state() -> tuple[object, ...]:
    """Find what differs after any change of the contacts: a key of what is counted once."""
    damage = lake.find_damage(names=["contacts"])
    return environment.current().lake_url, lake.version("contacts"), *damage


@functools.lru_cache(maxsize=2)
def _count_personal_texts(_state: tuple[object, ...], limit: int) -> tuple[int, int]:
    span = lake.span()
    texts: list[str] = []
    for name in find_columns(CONTACTS, ColumnContent.TEXT) if span else ():
        column = CONTACTS.c[name]
        newest = sa.select(column.label("text")).where(column.is_not(None))
        query = Unscoped(
            newest.order_by(CONTACTS.c.started_at.desc()).limit(limit),
            "Texts are searched for personal data in the whole centre. Only their number is shown.",
        )
        texts += engine.current().run(query, first_month=f"{span[1]:%Y-%m}")["text"].tolist()
    return len(texts), sum(bool(masking.find_personal_data(text)) for text in texts)


@functools.lru_cache(maxsize=2)
def _count(_state: tuple[object, ...]) -> tuple[int, int]:
    span = lake.span()
    if span is None:
        return 0, 0
    key = CONTACTS.c.customer_key
    is_other = sa.not_(sa.func.regexp_full_match(key, PSEUDONYM))
    columns = (CONTACTS.c[name] for name in MAY_HAVE_NUMBERS)
    has_number = sa.or_(*(sa.func.regexp_full_match(column, CLEAR_NUMBER) for column in columns))
    query = Unscoped(
        sa.select(
            sa.func.count(key).label("total"),
            sa.func.count().filter(sa.or_(is_other, has_number)).label("other"),
        ),
        "The check that callers' numbers are pseudonyms counts in the whole centre.",
    )
    frame = engine.current().run(query)
    return int(frame["total"][0]), int(frame["other"][0])
