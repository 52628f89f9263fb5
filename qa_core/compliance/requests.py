"""Requests of persons (GDPR, art. 12, 15–21): entered, checked, answered within a month."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment, masking
from qa_core.base.arguments import require_between
from qa_core.base.errors import AccessDenied, Refusal, require_known
from qa_core.base.i18n import N_
from qa_core.base.row_values import build_from_row
from qa_core.metrics.kpis.dimensions import add_months
from qa_core.metrics.law import recording_flags
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.facts.personal_data import STAND_IN
from qa_core.storage.records import store
from qa_core.storage.records.retention import SubjectRequest
from qa_core.storage.records.store import Session

KINDS = {
    "access": N_("Access"),
    "rectification": N_("Rectification"),
    "objection": N_("Objection"),
    "erasure": N_("Erasure"),
    "restriction": N_("Restriction"),
    "portability": N_("Portability"),
    "contest": N_("Contest of an evaluation"),
}
EXCLUSION = "exclusion"
"""An advisor's request in the product: leave out one contact of theirs."""
TITLES = {**KINDS, EXCLUSION: N_("Exclusion of a contact")}
TO_DESCRIBE = ("rectification", "objection", "contest")
"""Requests that mean nothing without words."""
ALREADY_ASKED = N_("You have already made this request.")
ALREADY_ANSWERED = N_("This request already has an answer.")
WITH_AUDIO = ("access", "portability")
"""Requests for which audio may be handed out."""
MAX_TEXT = 500
EXTENDED_MONTHS = 3
"""Months for an answer in all, where it is extended (GDPR art. 12(3))."""
SIGNED_IN = "signed in"
"""Identity check of somebody who asks in the product."""
REMIND_DAYS = 7
"""Days before the due day from which a request is pressing."""


@dataclass(frozen=True)
class PersonRequest:
    """A request; `subject` is a pseudonym, the id of an advisor or a user name, and empty
    once the person is erased.
    """

    id: int
    kind: str
    subject_kind: str
    subject: str
    source_system: str | None
    contact_id: str | None
    details: str | None
    received_on: date
    due_on: date
    extended_because: str | None
    identity_checked_by: str | None
    identity_check: str | None
    answered_on: date | None
    answered_by: str | None
    answer: str | None
    is_refused: bool
    audio_confirmed_by: str | None
    entered_by: str

    @property
    def is_open(self) -> bool:
        return self.answered_on is None

    @property
    def is_late(self) -> bool:
        return self.is_open and self.due_on < environment.today()

    @property
    def is_irregular(self) -> bool:
        """Return whether it is due later than the law allows, was answered without a check of
        the identity, or as an erasure that still names the person.
        """
        last_day = add_months(self.received_on, EXTENDED_MONTHS if self.extended_because else 1)
        is_named = self.subject and not self.subject.startswith(STAND_IN)
        is_undone = self.kind == "erasure" and is_named and not self.is_refused
        is_wrong = is_undone or self.identity_checked_by is None
        return self.due_on > last_day or (not self.is_open and is_wrong)

    @property
    def is_pressing(self) -> bool:
        """Return whether the answer is due within a week."""
        return self.is_open and (self.due_on - environment.today()).days <= REMIND_DAYS


def add(
    viewer: Viewer,
    kind: str,
    subject_kind: str,
    subject: str,
    received_on: date,
    details: str = "",
) -> int:
    """Enter a request; its answer is due a month after it came. Returns its number."""
    viewer.require(Permission.MANAGE_COMPLIANCE)
    require_known(kind, KINDS, "unknown_request")
    require_between(received_on, last=environment.today())
    what = masking.clean_text(details, MAX_TEXT, "no_details", is_needed=False)
    with store.writing() as session:
        return _enter(
            session, viewer, kind, subject_kind, subject, received_on, details=what or None
        )


def ask(viewer: Viewer, kind: str, details: str) -> int:
    """Make a request as the advisor it is about; the officer gets it with its month. Raises
    Refusal while an equal one is open.
    """
    viewer.require(Permission.SEE_OWN_QUALITY)
    require_known(kind, KINDS, "unknown_request")
    what = masking.clean_text(details, MAX_TEXT, "no_details", is_needed=kind in TO_DESCRIBE)
    if any(
        item.is_open and (item.kind, item.contact_id) == (kind, None) for item in find_own(viewer)
    ):
        raise Refusal("already_asked", ALREADY_ASKED)
    with store.writing() as session:
        return _enter_own(session, viewer, kind, details=what or None)


def ask_exclusion(viewer: Viewer, source_system: str, contact_id: str) -> int:
    """Ask, as its advisor, to have one contact left out of recording and listening; the
    data protection officer answers. Raises Refusal where that was asked before.
    """
    viewer.require(Permission.SEE_OWN_QUALITY)
    key, contacts = (source_system, contact_id), recording_flags.find_recorded(viewer, [contact_id])
    if key not in {(item.source_system, item.contact_id) for item in contacts}:
        raise AccessDenied()
    if key in {(item.source_system, item.contact_id) for item in find_own(viewer)}:
        raise Refusal("already_asked", ALREADY_ASKED)
    with store.writing() as session:
        contact = {"source_system": source_system, "contact_id": contact_id}
        return _enter_own(session, viewer, EXCLUSION, **contact)


def enter_objection(session: Session, viewer: Viewer, about: str) -> None:
    """Enter, in the caller's transaction, that an advisor objects to something about them:
    the data protection officer's copy, with its month.
    """
    viewer.require(Permission.SEE_OWN_QUALITY)
    _enter_own(session, viewer, "objection", contact_id=about)


def _enter_own(session: Session, viewer: Viewer, kind: str, **more: str | None) -> int:
    """Enter a request that an advisor makes in the product today, having signed in."""
    if not viewer.advisor_id:
        raise AccessDenied()
    subject = ("advisor", viewer.advisor_id, environment.today())
    checked = {"identity_checked_by": viewer.username, "identity_check": SIGNED_IN}
    return _enter(session, viewer, kind, *subject, **checked, **more)


def _enter(
    session: Session,
    viewer: Viewer,
    kind: str,
    subject_kind: str,
    subject: str,
    received_on: date,
    **more: str | None,
) -> int:
    request = SubjectRequest(
        kind=kind,
        subject_kind=subject_kind,
        subject=subject,
        received_on=received_on,
        due_on=add_months(received_on, 1),
        entered_by=viewer.username,
        **more,
    )
    session.add(request)
    session.flush()
    audit_log.record(session, viewer.username, "request_entered", str(request.id), reason=kind)
    return request.id


def confirm_audio(viewer: Viewer, number: int) -> None:
    """Agree, as a second person, that audio is handed out for an open request for access or
    a copy. Raises Refusal for the person who entered it, AccessDenied for another request.
    """
    viewer.require(Permission.SEE_RULES)
    with store.writing() as session:
        request = session.scalar(_of_anybody(SubjectRequest.id == number))
        if request is None or request.kind not in WITH_AUDIO or request.answered_on is not None:
            raise AccessDenied()
        if request.entered_by == viewer.username:
            raise Refusal(
                "second_person", "Handing out audio takes two people. Somebody else has to agree."
            )
        request.audio_confirmed_by = viewer.username
        audit_log.record(session, viewer.username, "audio_handout_confirmed", str(number))


def find_waiting_for_audio(viewer: Viewer) -> list[PersonRequest]:
    """List the open requests whose audio a second person may agree to hand out."""
    viewer.require(Permission.SEE_RULES)
    return _find(
        SubjectRequest.kind.in_(WITH_AUDIO),
        SubjectRequest.answered_on.is_(None),
        SubjectRequest.audio_confirmed_by.is_(None),
        SubjectRequest.entered_by != viewer.username,
    )


def check_identity(viewer: Viewer, number: int, how: str) -> None:
    """Record how the requester's identity was checked. Raises AccessDenied for a request that
    there is not, or that is answered.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    how = masking.clean_text(how, MAX_TEXT, "no_details")
    with _changing(viewer, number, "request_identified") as request:
        request.identity_checked_by, request.identity_check = viewer.username, how


def extend(viewer: Viewer, number: int, reason: str) -> None:
    """Give the answer two months more (GDPR art. 12(3)): once, within the first month. The
    person gets the reason.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    reason = masking.clean_text(reason, MAX_TEXT, "no_reason")
    with _changing(viewer, number, "request_extended") as request:
        if request.extended_because or request.due_on < environment.today():
            message = "The deadline can be extended once, and only before it has passed."
            raise Refusal("not_extendable", message)
        request.extended_because = reason
        request.due_on = add_months(request.received_on, EXTENDED_MONTHS)


def record_answer(viewer: Viewer, number: int, text: str, is_refused: bool) -> None:
    """Record the answer to an open request; `upkeep.request_acts` asks the stores before."""
    viewer.require(Permission.MANAGE_COMPLIANCE)
    text = masking.clean_text(text, MAX_TEXT, "no_answer")
    with _changing(viewer, number, "request_answered") as request:
        request.answered_on, request.answered_by = environment.today(), viewer.username
        request.answer, request.is_refused = text, is_refused


@contextmanager
def _changing(viewer: Viewer, number: int, act: str) -> Iterator[SubjectRequest]:
    """Open a request that is not answered, and log what is done with it."""
    with store.writing() as session:
        request = session.scalar(_of_anybody(SubjectRequest.id == number))
        if request is None:
            raise AccessDenied()
        if request.answered_on is not None:
            raise Refusal("already_answered", ALREADY_ANSWERED)
        yield request
        audit_log.record(session, viewer.username, act, str(number))


def get(viewer: Viewer, number: int) -> PersonRequest:
    """Return a request. Raises AccessDenied for one that there is not."""
    for item in find_all(viewer):
        if item.id == number:
            return item
    raise AccessDenied()


def find_all(viewer: Viewer) -> list[PersonRequest]:
    """List the requests, open ones first, by due day."""
    viewer.require(Permission.SEE_COMPLIANCE)
    return _find()


def find_own(viewer: Viewer) -> list[PersonRequest]:
    """List what an advisor asked for in the product, open ones first."""
    viewer.require(Permission.SEE_OWN_QUALITY)
    theirs = SubjectRequest.subject_kind == "advisor", SubjectRequest.subject == viewer.advisor_id
    return _find(*theirs) if viewer.advisor_id else []


def _of_anybody(*conditions: sa.ColumnElement[bool]) -> Unscoped:
    return Unscoped(
        sa.select(SubjectRequest).where(*conditions),
        "The data protection officer answers the requests of everybody; advisors find their own.",
    )


def _find(*conditions: sa.ColumnElement[bool]) -> list[PersonRequest]:
    with store.reading() as session:
        rows = session.scalars(_of_anybody(*conditions)).all()
    requests = [build_from_row(PersonRequest, row) for row in rows]
    return sorted(requests, key=lambda item: (not item.is_open, item.due_on, item.id))
