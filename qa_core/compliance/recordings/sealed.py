"""Openings of sealed recordings (docs/compliance.md, R23): the data protection officer asks with a
reason, a manager of that team agrees, and both are in the audit log. They count as no listening.
"""

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.base.masking import clean_text
from qa_core.compliance.conditions.accreditations import MAX_REASON
from qa_core.compliance.recordings import vault
from qa_core.compliance.recordings.deletion import is_over
from qa_core.metrics import downloads
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Scoped, Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.listening import QUALITY, Recording, SealedOpening
from qa_core.storage.records.store import Session

DAYS = 7
"""Days after the agreement in which the recording may be fetched."""
ENDINGS = {"audio/mpeg": "mp3", "audio/ogg": "ogg"}


@dataclass(frozen=True)
class Opening:
    """Opening that was asked for; `is_open`: it is agreed to, and may be fetched now;
    `is_restricted`: nobody may agree to it or fetch it until the restriction is lifted.
    """

    id: int
    contact: str
    kept_as: str
    reason: str
    asked_by: str
    confirmed_by: str | None
    is_open: bool
    is_restricted: bool


def ask(viewer: Viewer, source_system: str | None, contact_id: str, reason: str) -> int:
    """Ask to open the sealed recording of a contact, with a reason. Needs MANAGE_COMPLIANCE.
    Raises AccessDenied where there is none.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    reason = clean_text(reason, MAX_REASON, "no_reason")
    kept = sa.select(Recording).where(Recording.contact_id == contact_id, sa.not_(QUALITY))
    if source_system:
        kept = kept.where(Recording.source_system == source_system)
    with store.writing() as session:
        recording = session.scalar(
            _of_anybody(kept.where(Recording.file_name.is_not(None)).limit(1))
        )
        if recording is None:
            raise AccessDenied()
        opening = SealedOpening(recording_id=recording.id, reason=reason, asked_by=viewer.username)
        session.add(opening)
        _log(session, viewer, "asked", recording, reason)
        session.flush()
        return opening.id


def agree(viewer: Viewer, number: int) -> None:
    """Agree to an opening, as a manager of the contact's team who did not ask. It stays open as
    long as after the first agreement.
    """
    viewer.require(Permission.SEE_RULES)
    with store.writing() as session:
        opening = _get(session, number)
        if viewer.role != Role.MANAGER or opening.asked_by == viewer.username:
            raise AccessDenied()
        recording = store.get_in_scope(session, viewer, Recording, opening.recording_id)
        if opening.confirmed_at is None:
            opening.confirmed_by, opening.confirmed_at = viewer.username, now()
            _log(session, viewer, "agreed", recording, opening.reason)


def find_all(viewer: Viewer) -> list[Opening]:
    """List the openings of the last days, newest first: for the data protection officer all,
    for a manager those that they may agree to.
    """
    viewer.require(Permission.SEE_RULES)
    rows = sa.select(SealedOpening, Recording).join(Recording).order_by(SealedOpening.id.desc())
    last = sa.func.coalesce(SealedOpening.confirmed_at, SealedOpening.asked_at)
    rows = rows.where(last >= now() - timedelta(days=2 * DAYS))
    query = _of_anybody(rows)
    if not viewer.can(Permission.MANAGE_COMPLIANCE):
        query = Scoped(rows.where(SealedOpening.confirmed_at.is_(None)), viewer)
    with store.reading() as session:
        free = set(session.scalars(_unrestricted(sa.select(Recording.id).where(sa.not_(QUALITY)))))
        return [
            Opening(
                opening.id,
                f"{recording.source_system}/{recording.contact_id}",
                recording.kept_as,
                opening.reason,
                opening.asked_by,
                opening.confirmed_by,
                recording.id in free and _is_open(session, opening, recording),
                recording.id not in free,
            )
            for opening, recording in session.execute(query)
        ]


def build_file(viewer: Viewer, number: int, form: str) -> downloads.Download:
    """Build the file of a recording whose opening is agreed to; `form` is always `audio`."""
    viewer.require(Permission.MANAGE_COMPLIANCE)
    with audit_log.noting() as session:
        opening = _get(session, number)
        recording = session.scalar(
            _unrestricted(sa.select(Recording).where(Recording.id == opening.recording_id))
        )
        if recording is None or not _is_open(session, opening, recording):
            raise AccessDenied()
        _log(session, viewer, "fetched", recording, opening.reason)
        name = f"sealed-{number}.{ENDINGS.get(recording.media_type, 'wav')}"
        content = b"".join(vault.read(recording.file_name))
    return downloads.Download(name, recording.media_type, content)


downloads.declare("sealed_recording", Permission.MANAGE_COMPLIANCE, build_file)


def _is_open(session: Session, opening: SealedOpening, recording: Recording) -> bool:
    return (
        opening.confirmed_at is not None
        and now() < opening.confirmed_at + timedelta(days=DAYS)
        and recording.file_name is not None
        and not is_over(session, recording)
    )


def _get(session: Session, number: int) -> SealedOpening:
    opening = session.scalar(
        _of_anybody(sa.select(SealedOpening).where(SealedOpening.id == number))
    )
    if opening is None:
        raise AccessDenied()
    return opening


def _log(session: Session, viewer: Viewer, act: str, recording: Recording, reason: str) -> None:
    what = f"{recording.source_system}/{recording.contact_id}"
    audit_log.record(session, viewer.username, f"sealed_opening_{act}", what, reason=reason)


class _Everybody:
    """Reader of all teams, from whom restricted contacts are hidden as from every person."""

    def scope(self, table: sa.FromClause) -> sa.ColumnElement[bool]:
        return table.c.id.is_not(None)


def _unrestricted(statement: sa.Select) -> Scoped:
    return Scoped(statement, _Everybody())


def _of_anybody(statement: sa.Select) -> Unscoped:
    return Unscoped(
        statement,
        "The data protection officer opens a sealed recording of any team, together with a "
        "manager of it. Its own rules are checked here.",
    )
