"""Proportionality of recording and listening over the last days (docs/compliance.md,
R2).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.centre import members
from qa_core.metrics.query.recorded_shares import RecordedShare, find_recorded_shares
from qa_core.storage.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.listening import Playback

DAYS = 30
MUCH_RATIO, MUCH_FROM = 2.0, 5
"""Far more than the rest: more than twice the mean of those who were heard at all, and
at least so many contacts.
"""
PERMANENT_FROM, ENOUGH_ANSWERED = 0.95, 30
"""A team of which nearly everything is recorded: permanent recording, which is not
allowed. Of fewer answered contacts nothing is said.
"""


@dataclass(frozen=True)
class AdvisorPlaybacks:
    """An advisor and how many contacts others played; `is_much`: far more than the rest."""

    advisor_id: str
    name: str
    contacts: int
    is_much: bool


@dataclass(frozen=True)
class Proportions:
    """Recording by team and playbacks by advisor over the last `DAYS` days, today
    included.
    """

    first_day: date
    last_day: date
    playbacks: tuple[AdvisorPlaybacks, ...]
    recorded_shares: tuple[RecordedShare, ...]


def is_permanent(share: RecordedShare) -> bool:
    """Tell whether nearly everything of a team is recorded."""
    return share.rate >= PERMANENT_FROM and share.answered_contacts >= ENOUGH_ANSWERED


def is_exceeded(proportions: Proportions) -> bool:
    """Tell whether a team is permanently recorded, or an advisor played far more."""
    return any(map(is_permanent, proportions.recorded_shares)) or any(
        one.is_much for one in proportions.playbacks
    )


def find(viewer: Viewer) -> Proportions:
    """Count playbacks by advisor, most first, and recordings by team. Advisors' own
    playbacks do not count.
    """
    viewer.require(Permission.SEE_COMPLIANCE)
    last_day = environment.today()
    first_day = last_day - timedelta(days=DAYS - 1)
    since = datetime.combine(first_day, time.min, tzinfo=environment.current().zone)
    contact = sa.func.count(sa.distinct(Playback.source_system + "\t" + Playback.contact_id))
    statement = (
        sa.select(Playback.advisor_id, contact)
        .where(
            Playback.played_at >= since,
            Playback.purpose != "own",
            Playback.advisor_id.is_not(None),
        )
        .group_by(Playback.advisor_id)
    )
    with store.reading() as session:
        query = Unscoped(
            statement,
            "The data protection officer watches how much each advisor of the centre is listened "
            "to: counts are read, no contact.",
        )
        rows, names = session.execute(query).all(), members.find_names(session)
    mean = sum(count for _advisor, count in rows) / len(rows) if rows else 0.0
    playbacks = [
        AdvisorPlaybacks(
            advisor_id,
            names.get(advisor_id, advisor_id),
            count,
            count >= MUCH_FROM and count > MUCH_RATIO * mean,
        )
        for advisor_id, count in rows
    ]
    playbacks.sort(key=lambda one: (-one.contacts, one.name))
    return Proportions(
        first_day,
        last_day,
        tuple(playbacks),
        tuple(find_recorded_shares(viewer, first_day, last_day)),
    )
