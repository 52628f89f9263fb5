"""Playback: who may listen, by a link of one session good for a minute; each is a row."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from qa_core.access.roles import Permission, Role, Viewer
from qa_core.access.sessions import SignedIn
from qa_core.base import doors, masking, signed_links
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.base.i18n import _, format_refusal
from qa_core.base.row_values import build_from_row
from qa_core.compliance.conditions import accreditations, gates
from qa_core.compliance.recordings import vault
from qa_core.compliance.recordings.deletion import find_last_moment, is_over, known_advisor
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Scoped, Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import PUBLISHED, Evaluation
from qa_core.storage.records.listening import (
    QUALITY,
    Calibration,
    CalibrationContact,
    DrawnContact,
    Playback,
    Recording,
)
from qa_core.storage.records.store import Session

if TYPE_CHECKING:
    from qa_core.metrics.query import RecordedContact

OWN = "own"
"""The purpose of an advisor who listens to their own call."""

SECONDS_TO_START = 60
SECONDS_BEYOND = 15 * 60
"""Time a listening may go on after the recording's length: pauses, going back."""

MAX_REASON = 200


@dataclass(frozen=True)
class Playable:
    """Recording playable now. `peaks`: waveform, 0–100 per slice; `purposes`: this viewer's."""

    recording_id: int
    seconds: float
    media_type: str
    peaks: tuple[int, ...]
    last_moment: datetime
    purposes: tuple[str, ...]


@dataclass(frozen=True)
class Sound:
    """The target of a link: encrypted file, media type, length in clear bytes."""

    file_name: str
    media_type: str
    clear_bytes: int


def find_playable(
    viewer: Viewer, source_system: str, contact_id: str, purpose: str | None = None
) -> Playable | None:
    """Find the contact's recording this viewer may play (for that purpose); or None."""
    with store.reading() as session:
        of_contact = sa.select(Recording.id, Recording.purpose).where(
            Recording.source_system == source_system,
            Recording.contact_id == contact_id,
            QUALITY,
        )
        newest = of_contact.where(Recording.file_name.is_not(None)).order_by(Recording.id.desc())
        found = session.execute(_to_be_judged(newest.limit(1))).first()
        if found is None:
            return None
        recording_id, kept_for = found
        if viewer.role == Role.ADVISOR:
            purposes: tuple[str, ...] = (OWN,)
        else:
            centre_purposes = gates.find_purposes(session)
            purposes = tuple(
                item
                for item in gates.PURPOSES
                if item in centre_purposes
                and item in kept_for.split(",")
                and accreditations.is_accredited(session, viewer.username, item)
            )
        if not purposes:
            return None
        try:
            recording = require_playable(session, viewer, recording_id, purpose or purposes[0])
        except Refusal:
            return None
        ends = find_last_moment(session, recording)
        return Playable(
            recording.id,
            recording.seconds,
            recording.media_type,
            tuple(recording.peaks or ()),
            ends,
            purposes,
        )


def explain_absence(viewer: Viewer) -> str:
    """Explain why `find_playable` returned None, in a sentence that reveals no more."""
    viewer.require(Permission.LISTEN)
    with store.reading() as session:
        try:
            gates.require_open(session)
            if viewer.role != Role.ADVISOR:
                accreditations.require(session, viewer)
        except Refusal as refusal:
            return format_refusal(refusal)
        if viewer.role == Role.ADVISOR:
            return _(
                "You can listen to your own recorded and evaluated calls while their recording is "
                "kept."
            )
    return _("This contact has no recording that you may listen to.")


def require_playable(
    session: Session, viewer: Viewer, recording_id: int, purpose: str
) -> Recording:
    """Return the recording if that viewer may play it now for that purpose.

    Raises Refusal while the centre may not listen at all or the viewer is not
    accredited, AccessDenied for everything that has to do with the recording itself:
    missing, deleted, expired, objected to, out of scope.
    """
    return _require(session, viewer, recording_id, purpose)[0]


def make_ticket(signed_in: SignedIn, recording_id: int, purpose: str, reason: str) -> str:
    """Make the address at which that session may start playing within a minute. Raises
    Refusal without a reason, and as `require_playable`.
    """
    reason = _mask(" ".join(reason.split())[:MAX_REASON])
    if not reason:
        raise Refusal(
            "no_reason",
            "Say why you listen. The audit log keeps the reason, and the advisor can read it.",
        )
    with store.reading() as session:
        require_playable(session, signed_in.viewer, recording_id, purpose)
    content = {
        "id": secrets.token_hex(8),
        "recording": recording_id,
        "for": purpose,
        "reason": reason,
        "session": signed_in.session_id,
    }
    return "/audio/" + signed_links.seal(
        "audio", {**content, "until": int(time.time()) + SECONDS_TO_START}
    )


def _mask(reason: str) -> str:
    """Mask what looks like personal data, names after a title too, before it is logged."""
    for match in reversed(masking.find_personal_data(reason)):
        reason = reason[: match.start] + masking.MASK + reason[match.end :]
    return reason


def open_ticket(signed_in: SignedIn, ticket: str) -> Sound:
    """Open a link. Its first use is a playback, entered and logged; later ones belong
    to it.

    Raises AccessDenied for a link that is forged or another session's, Refusal for one
    that is too old, and as `require_playable` and `audit_log.noting`.
    """
    request, viewer = signed_links.unseal("audio", ticket), signed_in.viewer
    if request["session"] != signed_in.session_id:
        raise AccessDenied()
    with store.reading() as session:
        is_under_way = _is_under_way(session, request["id"])
    if not is_under_way:
        if not 0 <= request["until"] - time.time() <= SECONDS_TO_START:
            raise Refusal(
                "old_link",
                "This link has expired. Go back to the page and start the playback again.",
            )
        with audit_log.noting() as session:
            # Requests at once are one listening: only the first one's writer takes its time.
            if not _is_under_way(session, request["id"]):
                allowed = _require(session, viewer, request["recording"], request["for"])
                _enter(session, viewer, *allowed, request)
                return build_from_row(Sound, allowed[0])
    with store.reading() as session:
        recording = require_playable(session, viewer, request["recording"], request["for"])
        return build_from_row(Sound, recording)


def _is_under_way(session: Session, ticket: str) -> bool:
    """Return whether that link was used, on whichever server, and may still be."""
    started = sa.select(Playback.played_at, Recording.seconds).join(
        Recording, Recording.id == Playback.recording_id
    )
    row = session.execute(_to_be_judged(started.where(Playback.ticket == ticket))).first()
    if row is None:
        return False
    return time.time() < row.played_at.timestamp() + row.seconds + SECONDS_BEYOND


def read(sound: Sound, start: int, end: int) -> Iterator[bytes]:
    """Read a span of clear audio in pieces. Raises vault.DamagedFile, also for a wrong length."""
    if vault.clear_bytes(sound.file_name) != sound.clear_bytes:
        raise vault.DamagedFile(sound.file_name)
    return vault.read(sound.file_name, start, end)


def _require(
    session: Session, viewer: Viewer, recording_id: int, purpose: str
) -> tuple[Recording, RecordedContact]:
    # Only here: an import that deletes recordings does without the libraries of the pages.
    from qa_core.compliance.conditions import listened
    from qa_core.compliance.recordings import law
    from qa_core.metrics.law.legal_obstacles import LegalAct

    viewer.require(Permission.LISTEN)
    if viewer.is_system or (purpose == OWN) != (viewer.role == Role.ADVISOR):
        raise AccessDenied()
    if purpose == OWN:
        gates.require_open(session)
    else:
        gates.require_open(session, purpose)
        accreditations.require(session, viewer, purpose)
    recording = session.scalar(
        _to_be_judged(sa.select(Recording).where(Recording.id == recording_id))
    )
    if recording is None or recording.file_name is None or recording.kept_as is not None:
        raise AccessDenied()
    # The purpose of a listening is in force and one of the recording's; advisors need any of these.
    in_force = set(recording.purpose.split(",")) & set(gates.find_purposes(session))
    if not in_force if purpose == OWN else gates.COUNTS_AS.get(purpose, purpose) not in in_force:
        raise AccessDenied()
    if is_over(session, recording):
        raise AccessDenied()
    key = (recording.source_system, recording.contact_id)
    is_of_their_teams = viewer.role in (Role.MANAGER, Role.TEAM_LEAD)
    if not is_of_their_teams and not _has_ground(session, viewer, *key):
        raise AccessDenied()
    # The lake decides whose contact it is now; of the others, what was drawn or
    # evaluated has decided already.
    scope = viewer if is_of_their_teams else Viewer.SYSTEM
    verdicts = [
        item
        for item in law.judge(
            session, scope, LegalAct.PLAY, [recording.contact_id], recording.local_day
        )
        if (item.source_system, item.contact_id) == key
    ]
    if not verdicts or verdicts[0].against:
        raise AccessDenied()
    [contact] = verdicts
    if purpose != OWN:
        listened.require_room(session, key, contact.advisor_id)
    return recording, contact


def _to_be_judged(statement: sa.Select) -> Unscoped:
    return Unscoped(
        statement,
        "One function decides for all roles who may listen (_require), because a row scope "
        "cannot. It checks gates, accreditation and team, or the draw or evaluation.",
    )


def _has_ground(session: Session, viewer: Viewer, source_system: str, contact_id: str) -> bool:
    """Return whether an evaluator must listen to a contact, or its advisor was evaluated on it."""
    from qa_core.metrics.kpi.calibration_metrics import find_calibrations

    if viewer.role == Role.EVALUATOR:
        draws = sa.select(DrawnContact.id).where(
            DrawnContact.source_system == source_system, DrawnContact.contact_id == contact_id
        )
        draws = draws.where(DrawnContact.state != "replaced").limit(1)
        if session.scalar(Scoped(draws, viewer)) is not None:
            return True
        is_of_it = Calibration.contacts.any(
            sa.and_(
                CalibrationContact.source_system == source_system,
                CalibrationContact.contact_id == contact_id,
            )
        )
        return bool(find_calibrations(session, viewer, is_of_it, Calibration.closed_at.is_(None)))
    if viewer.role == Role.ADVISOR and viewer.advisor_id:
        evaluations = sa.select(Evaluation.id).where(
            *PUBLISHED,
            Evaluation.source_system == source_system,
            Evaluation.contact_id == contact_id,
        )
        return session.scalar(Scoped(evaluations.limit(1), viewer)) is not None
    return False


@doors.writes("playback")
def _enter(
    session: Session,
    viewer: Viewer,
    recording: Recording,
    contact: RecordedContact,
    request: dict[str, Any],
) -> None:
    purpose, reason = request["for"], request["reason"]
    session.add(
        Playback(
            recording_id=recording.id,
            source_system=recording.source_system,
            contact_id=recording.contact_id,
            advisor_id=known_advisor(session, contact),
            username=viewer.username,
            purpose=purpose,
            reason=reason,
            ticket=request["id"],
        )
    )
    what, why = f"{recording.source_system}/{recording.contact_id}", f"{purpose}: {reason}"
    audit_log.record(session, viewer.username, "recording_played", what, reason=why)
