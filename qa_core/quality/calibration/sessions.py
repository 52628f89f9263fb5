"""Calibration sessions: opened on contacts and evaluators, closed once, then agreed on.
Nobody sees another's marks before the closing. Their only writer.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from qa_core import scoring
from qa_core.access import people
from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base import doors, environment, masking
from qa_core.base.arguments import require_between
from qa_core.base.errors import AccessDenied, Refusal, require_number
from qa_core.base.i18n import N_, _
from qa_core.base.row_values import build_from_row, read_fields
from qa_core.compliance.conditions import accreditations, gates
from qa_core.compliance.recordings import law
from qa_core.metrics.kpi.calibration_metrics import find_calibrations, on_marks
from qa_core.metrics.law import listening_rights
from qa_core.quality.calibration.contact_choice import PURPOSE
from qa_core.quality.evaluations.drafts import CONTACT, require_published
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import CALIBRATION, Evaluation, ScorecardVersion
from qa_core.storage.records.listening import Calibration, CalibrationContact
from qa_core.storage.records.store import Session

MIN_EVALUATORS, MAX_CONTACTS = 2, 200
MAX_TITLE, MAX_NOTE = 120, 2000


@dataclass(frozen=True)
class SessionContact:
    """Contact of a session; evaluators know its `position`, not its advisor."""

    id: int
    position: int
    source_system: str
    contact_id: str
    local_start: datetime
    reference_evaluator: str | None
    consensus: Mapping[str, Any] | None
    """{answers, note, by, at}; None before the session is closed."""


@dataclass(frozen=True)
class CalibrationSession:
    """Session as the viewer may see it. `finished`: evaluations submitted by evaluator;
    while it is open, evaluators see their own only.
    """

    id: int
    title: str
    grid_id: int
    scorecard: scoring.Scorecard
    scorecard_version: int
    evaluators: Mapping[str, str]
    """Username → name; the stored name where no account exists."""
    contacts: tuple[SessionContact, ...]
    finished: Mapping[str, int]
    due_on: date | None
    opened_by: str
    opened_at: datetime
    closed_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.closed_at is None

    @property
    def is_overdue(self) -> bool:
        return self.is_open and self.due_on is not None and self.due_on < environment.today()

    @property
    def unfinished(self) -> int:
        """Return the missing evaluations, of contacts × evaluators."""
        return len(self.contacts) * len(self.evaluators) - sum(self.finished.values())


def open_session(
    viewer: Viewer,
    title: str,
    grid_id: int,
    evaluators: Sequence[str],
    contacts: Sequence[tuple[str, str]],
    due_on: date | None = None,
    reference_evaluator: str | None = None,
) -> int:
    """Open a session on contacts (`source_system`, `contact_id`) and return its id. The
    others are compared with the reference evaluator if set, else with each other.

    Raise Refusal while a gate is closed, for a contact that may not be listened to or
    whose advisor was not informed, for an evaluator without accreditation, for fewer
    than two evaluators, and for an unpublished scorecard.
    """
    viewer.require(Permission.MANAGE_CALIBRATIONS)
    title = masking.clean_text(title, MAX_TITLE, "bad_title")
    evaluators = list(dict.fromkeys(evaluators))
    keys = list(dict.fromkeys(contacts))
    _check_input(evaluators, keys, due_on, reference_evaluator)
    with store.reading() as session:
        legal = law.load(session)
    allowed = listening_rights.find_listenable(viewer, keys, legal)
    listenable = {contact.key: contact for contact in allowed}
    with store.writing() as session:
        gates.require_open(session, PURPOSE)
        scorecard_row = require_published(session.get(ScorecardVersion, grid_id))
        accounts = people.find_people(session)
        for username in evaluators:
            account = accounts.get(username)
            if (
                account is None
                or account.role != Role.EVALUATOR
                or not account.is_active
                or not accreditations.is_accredited(session, username, PURPOSE)
            ):
                raise accreditations.build_unaccredited("not_accredited", [username])
        for key in keys:
            contact = listenable.get(key)
            if contact is None:
                message = N_(
                    "Contact {number} may not be listened to (deleted, objection, stopped "
                    "recording, private line, or advisor not informed). Leave it out."
                )
                raise Refusal("not_listenable", message, number=key[1])
        calibration = Calibration(
            title=title,
            grid_id=scorecard_row.id,
            evaluators=evaluators,
            due_on=due_on,
            opened_by=viewer.username,
        )
        calibration.contacts = build_contacts(
            (listenable[key] for key in keys), reference_evaluator
        )
        session.add(calibration)
        session.flush()
        size = f"{len(keys)} contacts, {len(evaluators)} evaluators"
        _record(session, viewer, "calibration_opened", calibration.id, size)
        return calibration.id


@doors.writes("calibration_contact")
def build_contacts(
    contacts: Iterable[listening_rights.Listenable], reference_evaluator: str | None = None
) -> list[CalibrationContact]:
    return [
        CalibrationContact(
            **read_fields(contact, (*CONTACT, "local_start")),
            reference_evaluator=reference_evaluator,
        )
        for contact in contacts
    ]


def close_session(viewer: Viewer, number: int) -> None:
    """Close a session and delete its drafts. Closing twice changes nothing."""
    viewer.require(Permission.MANAGE_CALIBRATIONS)
    with store.writing() as session:
        row = get_row(session, viewer, number)
        if row.closed_at is not None:
            return
        drafts = sa.select(Evaluation).where(
            Evaluation.calibration_id == number, Evaluation.state == "draft"
        )
        submitted = sa.select(sa.func.count()).where(*is_submitted(number))
        done = session.scalar(on_marks(submitted)) or 0
        for draft in session.scalars(on_marks(drafts)).all():
            session.delete(draft)
        row.closed_at, row.closed_by = now(), viewer.username
        missing = len(row.contacts) * len(row.evaluators) - done
        _record(session, viewer, "calibration_closed", number, f"{done} done, {missing} missing")


def set_reference(viewer: Viewer, number: int, evaluator: str | None) -> None:
    """Set the reference evaluator (None: no reference) on all contacts."""
    viewer.require(Permission.MANAGE_CALIBRATIONS)
    with store.writing() as session:
        row = get_row(session, viewer, number)
        if evaluator is not None and evaluator not in row.evaluators:
            raise AccessDenied()
        for contact in row.contacts:
            contact.reference_evaluator = evaluator
        _record(session, viewer, "calibration_reference", number, evaluator or "none")


def record_consensus(
    viewer: Viewer, contact_number: int, answers: Mapping[str, Any], note: str = ""
) -> None:
    """Record the answers agreed on for one contact of a closed session (criterion →
    points or "na", all of them), and why. Replaces an earlier record.

    Raise Refusal while the session is open and for answers that the scorecard does not
    allow.
    """
    viewer.require(Permission.MANAGE_CALIBRATIONS)
    note = masking.clean_text(note, MAX_NOTE, "too_long", is_needed=False)
    with store.writing() as session:
        row, contact = get_contact(session, viewer, contact_number)
        if row.closed_at is None:
            raise build_open_refusal()
        scoring.score(
            scoring.parse_scorecard(session.get_one(ScorecardVersion, row.grid_id).content),
            answers,
        )
        contact.consensus = {
            "answers": dict(answers),
            "note": note,
            "by": viewer.username,
            "at": now().isoformat(),
        }
        _record(session, viewer, "calibration_agreed", row.id, f"contact {contact.id}")


def find_sessions(viewer: Viewer) -> tuple[CalibrationSession, ...]:
    """Return the viewer's sessions, open ones first, newest first."""
    viewer.require(Permission.SEE_CALIBRATIONS)
    with store.reading() as session:
        rows = reversed(find_calibrations(session, viewer))
        sessions = [build(session, viewer, row) for row in rows]
    return tuple(sorted(sessions, key=lambda item: not item.is_open))


def get_row(session: Session, viewer: Viewer, number: int) -> Calibration:
    """Return the row of a session, contacts loaded. Raise AccessDenied."""
    for row in find_calibrations(session, viewer, Calibration.id == number):
        return row
    raise AccessDenied()


def get_contact(
    session: Session, viewer: Viewer, number: int
) -> tuple[Calibration, CalibrationContact]:
    """Return a contact and its session's row. Raise AccessDenied as `get_row` does."""
    is_in_it = Calibration.contacts.any(CalibrationContact.id == number)
    for row in find_calibrations(session, viewer, is_in_it):
        return row, next(contact for contact in row.contacts if contact.id == number)
    raise AccessDenied()


def build(session: Session, viewer: Viewer, row: Calibration) -> CalibrationSession:
    names = people.find_names(session)
    scorecard_row = session.get_one(ScorecardVersion, row.grid_id)
    done = sa.select(Evaluation.evaluator, sa.func.count()).where(*is_submitted(row.id))
    counted = dict(session.execute(on_marks(done.group_by(Evaluation.evaluator))).all())
    knows_all = row.closed_at is not None or viewer.can(Permission.MANAGE_CALIBRATIONS)
    return build_from_row(
        CalibrationSession,
        row,
        scorecard=scoring.parse_scorecard(scorecard_row.content),
        scorecard_version=scorecard_row.version,
        evaluators={username: names.get(username, username) for username in row.evaluators},
        contacts=tuple(
            build_from_row(
                SessionContact,
                contact,
                position=position,
                consensus=contact.consensus if row.closed_at is not None else None,
            )
            for position, contact in enumerate(
                sorted(row.contacts, key=lambda contact: contact.id), start=1
            )
        ),
        finished={
            username: counted.get(username, 0)
            for username in row.evaluators
            if knows_all or username == viewer.username
        },
        opened_by=names.get(row.opened_by, row.opened_by),
    )


def is_submitted(number: int) -> tuple[sa.ColumnElement[bool], ...]:
    """Build the conditions of the evaluations submitted in a session."""
    of_session = Evaluation.calibration_id == number
    return of_session, Evaluation.kind == CALIBRATION, Evaluation.state != "draft"


def build_open_refusal() -> Refusal:
    return Refusal(
        "round_open",
        "This session is still open. Scores stay hidden until it closes, so that evaluators "
        "do not influence each other.",
    )


def _record(session: Session, viewer: Viewer, action: str, number: int, reason: str) -> None:
    audit_log.record(session, viewer.username, action, f"calibration {number}", reason)


def _check_input(
    evaluators: Sequence[str],
    keys: Sequence[Any],
    due_on: date | None,
    reference: str | None,
) -> None:
    if len(evaluators) < MIN_EVALUATORS:
        raise Refusal("few_evaluators", "A calibration session needs at least two evaluators.")
    require_number(_("Contacts"), len(keys), 1, MAX_CONTACTS, "bad_contacts")
    if due_on is not None:
        require_between(due_on, environment.today())
    if reference is not None and reference not in evaluators:
        raise Refusal("bad_reference", "Choose the reference among the evaluators of the session.")
