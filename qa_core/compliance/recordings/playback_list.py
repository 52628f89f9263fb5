"""Playbacks of an advisor's contacts, for the advisor (docs/compliance.md, R8)."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from qa_core.access import people
from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import PUBLISHED, Evaluation
from qa_core.storage.records.listening import Playback, Recording


@dataclass(frozen=True)
class Listening:
    """One playback of a contact of that `local_day`, by a person under their shown name."""

    source_system: str
    contact_id: str
    local_day: date
    played_at: datetime
    listener: str
    purpose: str
    reason: str


@dataclass(frozen=True)
class OwnCounts:
    """Numbers of what is kept of an advisor: recordings and published evaluations today,
    others' playbacks in the last twelve months.
    """

    recordings: int
    playbacks: int
    evaluations: int


def count_own(viewer: Viewer) -> OwnCounts:
    """Count what is kept of the viewer."""
    viewer.require(Permission.SEE_OWN_QUALITY)
    if not viewer.advisor_id:
        raise AccessDenied()
    since = now() - timedelta(days=365)
    kept = Recording.advisor_id == viewer.advisor_id, Recording.file_name.is_not(None)
    theirs = Playback.advisor_id == viewer.advisor_id, Playback.username != viewer.username
    made = Evaluation.advisor_id == viewer.advisor_id, *PUBLISHED
    counts = sa.select(
        *(
            sa.select(sa.func.count(table.id)).where(*conditions).scalar_subquery()
            for table, conditions in (
                (Recording, kept),
                (Playback, (*theirs, Playback.played_at >= since)),
                (Evaluation, made),
            )
        )
    )
    whole = Unscoped(
        counts, "An advisor counts their own recordings. The statement names the advisor."
    )
    with store.reading() as session:
        return OwnCounts(*session.execute(whole).one())


def find_own(viewer: Viewer, limit: int = 200) -> list[Listening]:
    """List others' playbacks of the viewer's contacts, newest first."""
    viewer.require(Permission.SEE_OWN_QUALITY)
    if not viewer.advisor_id:
        raise AccessDenied()
    statement = (
        sa.select(
            Playback.source_system, Playback.contact_id, Recording.local_day, Playback.played_at
        )
        .add_columns(Playback.username, Playback.purpose, Playback.reason)
        .join(Recording, Recording.id == Playback.recording_id)
        .where(Playback.advisor_id == viewer.advisor_id, Playback.username != viewer.username)
        .order_by(Playback.played_at.desc(), Playback.id.desc())
        .limit(limit)
    )
    theirs = Unscoped(
        statement,
        "An advisor reads every playback of their own calls, also of recordings stored before "
        "the advisor was known. The statement names the advisor.",
    )
    with store.reading() as session:
        names = people.find_names(session)
        return [
            Listening(*contact, names.get(username, username), purpose, reason)
            for *contact, username, purpose, reason in session.execute(theirs)
        ]
