"""Storage and deletion of recordings, row and file; the row stays as proof of deletion."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import doors, environment
from qa_core.centre import members
from qa_core.compliance.conditions import gates, recording_classes
from qa_core.compliance.conditions.recording_classes import RecordingClass
from qa_core.compliance.recordings import audio, vault
from qa_core.metrics.kpis.dimensions import add_months
from qa_core.storage import audit_log, replay_list
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.listening import QUALITY, Recording
from qa_core.storage.records.store import Session

if TYPE_CHECKING:
    from qa_core.metrics.query import RecordedContact

BY_HAND = "by_hand"
"""Reason of a deletion: the officer decided it."""
SEALED_MAY = frozenset({"expired", "objected", "proof", "erased", BY_HAND})
"""Reasons that do not end an obligation to keep a recording (GDPR art. 17(3)(b))."""

GOING = "recordings_going"
"""In a session's `info`: the files to delete once its transaction is committed."""

Key = tuple[str, str]
"""A contact: its system and its id."""


@dataclass(frozen=True)
class KeptRecordings:
    """Sealed recordings that an erasure left: their class, its last day, and their contacts, by
    which the data protection officer finds them.
    """

    kept_as: str
    until: date
    contacts: tuple[str, ...]


@dataclass(frozen=True)
class StoredAudio:
    """Encrypted audio on disk that has no row yet."""

    file_name: str
    digest: str
    media_type: str
    clear_bytes: int
    seconds: float
    peaks: tuple[int, ...]


def store_audio(path: Path, sound: audio.Audio | None = None) -> StoredAudio:
    """Read and encrypt an audio file. Raises audio.Unfit, OSError, leaving nothing behind."""
    sound = sound or audio.examine(path)
    name = vault.write(audio.read(sound))
    return StoredAudio(
        name,
        vault.find_digest(path),
        sound.media_type,
        vault.clear_bytes(name),
        sound.seconds,
        sound.peaks,
    )


@doors.writes("recording")
def add(
    session: Session,
    stored_audio: StoredAudio,
    contact: RecordedContact,
    purpose: str,
    recorded_at: datetime | None = None,
    batch_id: str | None = None,
    kept_as: RecordingClass | None = None,
) -> Recording:
    """Add stored audio as a contact's recording, for these purposes of quality (separated by
    commas) or sealed as of a class; `recorded_at` (with zone) default: its start.
    """
    months = kept_as.months if kept_as else gates.retention_months(session, "recording")
    recorded_at = recorded_at or contact.local_start.replace(tzinfo=environment.current().zone)
    day = min(
        contact.local_start.date(), environment.to_local(recorded_at).date(), environment.today()
    )
    recording = Recording(
        source_system=contact.source_system,
        contact_id=contact.contact_id,
        advisor_id=known_advisor(session, contact),
        team=contact.team,
        local_day=contact.local_start.date(),
        purpose=kept_as.name if kept_as else purpose,
        kept_as=kept_as.name if kept_as else None,
        **asdict(stored_audio),
        recorded_at=recorded_at.astimezone(UTC),
        delete_after=find_end(day, months),
        batch_id=batch_id,
    )
    session.add(recording)
    return recording


def known_advisor(session: Session, contact: RecordedContact) -> str | None:
    """Return the advisor of a contact if the records know them."""
    if contact.advisor_id and members.is_known(session, contact.advisor_id):
        return contact.advisor_id
    return None


def find_end(day: date, months: int) -> datetime:
    """Return the last second (UTC) of the same day so many months later, in the
    centre's time; a month's end without that day means its last day.
    """
    return datetime.combine(
        add_months(day, months), time(23, 59, 59), environment.current().zone
    ).astimezone(UTC)


def find_oldest_day(as_of: date, months: int) -> date:
    """Return the oldest day whose documents may still be kept on `as_of`."""
    day = add_months(as_of, -months)
    while add_months(day, months) < as_of:
        day += timedelta(days=1)
    while add_months(day - timedelta(days=1), months) >= as_of:
        day -= timedelta(days=1)
    return day


def find_last_moment(session: Session, recording: Recording) -> datetime:
    """Return when a recording ends: its own date or the retention of its class, whichever is
    earlier.
    """
    return _find_end_of(recording, _find_months(session, recording.kept_as))


def _find_months(session: Session, kept_as: str | None) -> int | None:
    """Find the retention of a class of recordings; None for one that is no longer in force."""
    if kept_as is None:
        return gates.retention_months(session, "recording")
    known = recording_classes.find_all(session).get(kept_as)
    return known.months if known else None


def _find_end_of(recording: Recording, months: int | None) -> datetime:
    if months is None:
        return recording.delete_after
    return min(recording.delete_after, find_end(recording.local_day, months))


def is_over(session: Session, recording: Recording) -> bool:
    """Return whether a recording has to be gone: nobody gets its audio any more."""
    return now() > find_last_moment(session, recording)


def is_expired(
    session: Session, as_of: date | None = None, is_sealed: bool = False
) -> sa.ColumnElement[bool]:
    """Build the predicate of recordings with a file due on that day (default: now): of those
    for quality, or of the sealed ones by the period of their class; and of deleted ones
    with a file or a waveform.
    """
    moment = now() if as_of is None else datetime.combine(as_of, time(), environment.current().zone)
    today = environment.to_local(moment).date()
    months = {None: gates.retention_months(session, "recording")}
    if is_sealed:
        months = {name: item.months for name, item in recording_classes.find_all(session).items()}
    is_old = (
        sa.and_(
            Recording.kept_as.is_(name) if name is None else Recording.kept_as == name,
            Recording.local_day < find_oldest_day(today, period),
        )
        for name, period in months.items()
    )
    is_there = Recording.file_name.is_not(None)
    is_left = Recording.deleted_at.is_not(None) & (is_there | Recording.peaks.is_not(None))
    return sa.and_(
        sa.not_(QUALITY) if is_sealed else QUALITY,
        is_left | sa.and_(is_there, sa.or_(Recording.delete_after < moment, *is_old)),
    )


def find_live(session: Session, contact_ids: Iterable[str] | None = None) -> list[Recording]:
    """List the recordings with a file (of these contacts, if named), by import order."""
    live = sa.select(Recording).where(Recording.file_name.is_not(None)).order_by(Recording.id)
    if contact_ids is None:
        return list(session.scalars(_of_anybody(live)))
    ids = sorted(contact_ids)
    parts = (ids[start : start + 1000] for start in range(0, len(ids), 1000))
    return [
        recording
        for part in parts
        for recording in session.scalars(_of_anybody(live.where(Recording.contact_id.in_(part))))
    ]


def is_bound(recording: Any, because: str) -> bool:
    """Return whether an obligation keeps a recording that would be deleted for that reason."""
    return recording.kept_as is not None and because in SEALED_MAY


def sum_up(session: Session, kept: Iterable[Recording]) -> list[KeptRecordings]:
    """Sum up sealed recordings by class, each with the last day of its last one."""
    by_class: dict[str, list[Recording]] = {}
    for recording in kept:
        by_class.setdefault(recording.kept_as, []).append(recording)

    sums = []
    for name, items in sorted(by_class.items()):
        months = _find_months(session, name)
        last = max(_find_end_of(item, months) for item in items)
        contacts = tuple(f"{item.source_system}/{item.contact_id}" for item in items)
        sums.append(KeptRecordings(name, environment.to_local(last).date(), contacts))
    return sums


def find_deleted(session: Session, contact_ids: Iterable[str]) -> set[Key]:
    """Find the contacts whose audio was deleted by hand or with a person: it comes no more."""
    gone = sa.select(Recording.source_system, Recording.contact_id).where(
        Recording.file_name.is_(None), Recording.deleted_because.in_((BY_HAND, "erased"))
    )
    wanted = set(contact_ids)
    keys = session.execute(_of_anybody(gone)).all()
    return {(system, contact_id) for system, contact_id in keys if contact_id in wanted}


def delete(session: Session, recording: Recording, because: str, actor: str) -> None:
    """Delete audio and waveform of a recording in the caller's transaction; log and say why."""
    drop(session, recording, because)
    what = f"{recording.source_system}/{recording.contact_id}"
    audit_log.record(session, actor, "recording_deleted", what, reason=because)


def drop(session: Session, recording: Recording, because: str) -> None:
    """Delete likewise, without logging."""
    if recording.file_name is not None:
        session.info.setdefault(GOING, []).append(recording.file_name)
    if recording.file_name is not None or recording.peaks is not None:
        recording.file_name = recording.peaks = None
        recording.deleted_at, recording.deleted_because = now(), because


def take_back(session: Session, batch_id: str) -> None:
    """Delete what an import brought."""
    of_batch = sa.select(Recording).where(
        Recording.batch_id == batch_id, Recording.file_name.is_not(None)
    )
    for recording in session.scalars(_of_anybody(of_batch)):
        drop(session, recording, "undone")


def delete_forbidden(actor: str, among: Path | None = None) -> int:
    """Delete audio by objection, no notice, stop, private line, exclusion: of all contacts, or
    only of those in a Parquet file. Returns how many.
    """
    with store.reading() as session:
        with_audio = sa.select(Recording.contact_id).where(Recording.file_name.is_not(None))
        ids = set(session.scalars(_of_anybody(with_audio)))
    if among and ids:
        here = pc.field("contact_id").isin(sorted(ids))
        ids = set(pq.read_table(among, columns=["contact_id"], filters=here).column(0).to_pylist())
    if not ids:
        return 0
    against = {
        (item.source_system, item.contact_id): item.against
        for item in _find_recorded(ids)
        if item.against
    }
    if not against:
        return 0
    for reason in sorted(set(against.values())):
        keys = [json.dumps(key) for key, other in against.items() if other == reason]
        replay_list.add("audio", *keys, value=reason)
    with store.writing() as session:
        return _delete_of(session, against, actor)


def delete_of(session: Session, contacts: Iterable[Key], because: str, actor: str) -> int:
    """Delete the audio of these contacts. Returns how many recordings."""
    return _delete_of(session, dict.fromkeys(contacts, because), actor)


def _delete_of(session: Session, reasons: Mapping[Key, str], actor: str) -> int:
    recordings = [
        (item, reasons[item.source_system, item.contact_id])
        for item in find_live(session, {contact_id for _system, contact_id in reasons})
        if (item.source_system, item.contact_id) in reasons
        and not is_bound(item, reasons[item.source_system, item.contact_id])
    ]
    for recording, because in recordings:
        delete(session, recording, because, actor)
    return len(recordings)


def delete_expired(viewer: Viewer, as_of: date | None = None, is_sealed: bool = False) -> int:
    """Delete expired recordings. Returns how many. Needs MANAGE_COMPLIANCE."""
    viewer.require(Permission.MANAGE_COMPLIANCE)
    with store.writing() as session:
        is_due = is_expired(session, as_of, is_sealed)
        statement = sa.select(Recording).where(is_due).order_by(Recording.id)
        recordings = session.scalars(_of_anybody(statement)).all()
        for recording in recordings:
            delete(session, recording, "expired", viewer.username)
    return len(recordings)


def _find_recorded(contact_ids: Iterable[str]) -> list[RecordedContact]:
    # Only here: what asks the lake loads the libraries of the pages, which an import of
    # a file that is known does without.
    from qa_core.compliance.conditions import exclusions
    from qa_core.metrics import query
    from qa_core.metrics.law.legal_obstacles import LegalAct, LegalFacts, find_obstacle

    with store.reading() as session:
        facts = LegalFacts(exclusions=exclusions.load(session))
    against = find_obstacle(LegalAct.KEEP, facts)
    return query.find_recorded(Viewer.SYSTEM, contact_ids, against=against, with_restricted=True)


def delete_orphans() -> int:
    """Delete the files that no row names. The caller holds the lock of imports."""
    with store.reading() as session:
        statement = sa.select(Recording.file_name).where(Recording.file_name.is_not(None))
        names = set(session.scalars(_of_anybody(statement)))
    return vault.delete_orphans(names)


def _of_anybody(statement: sa.Select) -> Unscoped:
    return Unscoped(
        statement,
        "Recordings of all teams are kept and deleted by their age and the fields of their "
        "contacts. None is played or shown.",
    )


@sa.event.listens_for(Session, "after_commit")
def _remove_files(session: Session) -> None:
    for name in session.info.pop(GOING, ()):
        try:
            vault.remove(name)
        except (OSError, vault.DamagedFile):
            # Nobody can play it any more, and the next import sweeps it away.
            logging.getLogger("qa_core").exception(
                "a recording that was deleted still has its file"
            )


@sa.event.listens_for(Session, "after_rollback")
def _keep_files(session: Session) -> None:
    session.info.pop(GOING, None)
