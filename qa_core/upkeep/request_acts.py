"""Requests of persons are answered by their act: it is done here, and an answer that says it is
done is refused while the stores say that it is not.
"""

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _, ngettext
from qa_core.compliance import requests
from qa_core.compliance.requests import PersonRequest
from qa_core.metrics.kpis import formatting
from qa_core.storage.facts.personal_data import ACCOUNT, ADVISOR, CUSTOMER, STAND_IN
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import Dispute
from qa_core.storage.records.retention import (
    ListeningExclusion,
    Objection,
    Rectification,
    Restriction,
)
from qa_core.upkeep import erasure, person_copy, subjects

TITLES = {
    "erasure": N_("Erase a person"),
    "objection": N_("Enter an objection"),
    "restriction": N_("Restrict"),
    requests.EXCLUSION: N_("Exclude"),
}
"""Requests that say all that their act needs, and the name of the act."""
EVALUATION = "evaluation "
"""Before the number of the evaluation that an objection in the product is about."""
AFTER_ERASURE = ("subject_request", "objection")
"""Tables that may name an erased customer: the map says why."""


def perform(viewer: Viewer, number: int) -> str:
    """Do what a request asks for; return what it met, in words. Raises Refusal before the
    requester's identity was checked, and where the act needs more than the request says.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    item = _get_checked(viewer, number)
    who = {item.subject_kind: item.subject}
    match item.kind if name_act(item) else "":
        case "erasure":
            outcome = subjects.erase_and_count(viewer, **who)
        case "objection":
            outcome = subjects.object_to(viewer, **{f"{item.subject_kind}s": [item.subject]})
        case "restriction":
            outcome = subjects.restrict(viewer, **who, reason=f"request {number}")
        case requests.EXCLUSION:
            contact = (item.source_system, item.contact_id)
            outcome = subjects.exclude(viewer, "requested", contacts=[contact])
        case _:
            raise _refuse(describe_left(item))
    return outcome.describe()


def answer(viewer: Viewer, number: int, text: str, how: str = "", is_refused: bool = False) -> None:
    """Record the answer: done, or refused with its reason. Raises Refusal for "done" while the
    stores do not show it. `how`: the identity was checked, if not before.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    if how:
        requests.check_identity(viewer, number, how)
    if not is_refused and (left := describe_left(_get_checked(viewer, number))):
        raise _refuse(left)
    requests.record_answer(viewer, number, text, is_refused)


def describe_left(item: PersonRequest) -> str:
    """Describe what a request asks for and the stores do not show yet; empty when done."""
    if item.kind != "erasure":
        return "" if _is_done(item) else _("What the request asks for is not done yet.")
    left = _count_rows(item)
    if not left:
        return ""
    return ngettext(
        "{count} row still names this person.",
        "{count} rows still name this person.",
        left,
        count=formatting.number(left),
    )


def name_act(item: PersonRequest) -> str:
    """Name the act of a request; empty where its act needs more, or is done elsewhere."""
    has_contacts = item.kind == "erasure" or item.subject_kind != ACCOUNT
    is_here = item.kind in TITLES and has_contacts and not _is_about_evaluation(item)
    return _(TITLES[item.kind]) if is_here else ""


def _is_about_evaluation(item: PersonRequest) -> bool:
    return (item.contact_id or "").startswith(EVALUATION)


def _count_rows(item: PersonRequest) -> int:
    """Count the rows that name a person who asked to be erased."""
    if not item.subject or item.subject.startswith(STAND_IN):
        return 0
    tables = person_copy.collect(item.subject_kind, item.subject, is_copied=False)
    return sum(len(rows) for name, rows in tables.items() if name not in AFTER_ERASURE)


def _is_done(item: PersonRequest) -> bool:
    """Return whether the stores show it done; True where there is nothing to look for."""
    trace = _find_trace(item)
    if trace is None:
        return True
    with store.reading() as session:
        return session.scalar(erasure.exempt(sa.select(trace))) is True


def _find_trace(item: PersonRequest) -> sa.ColumnElement[bool] | None:
    """Build the test of the stores that a request is done; None where no store would show it."""
    subject, is_customer = item.subject, item.subject_kind == CUSTOMER
    if item.kind == "contest" or _is_about_evaluation(item):
        number = (item.contact_id or "").removeprefix(EVALUATION)
        waits = sa.exists().where(
            Dispute.evaluation_id == Evaluation.id,
            Dispute.decided_at.is_(None),
            Evaluation.advisor_id == subject,
            Evaluation.id == int(number) if number else sa.true(),
        )
        return ~waits
    if item.kind in requests.WITH_AUDIO:
        is_copy = JournalRow.action == "subject_exported"
        return sa.exists().where(is_copy, JournalRow.object == f"request {item.id}")
    if item.kind == "rectification":
        return sa.exists().where(Rectification.request_id == item.id) | _is_corrected(item)
    if item.kind == requests.EXCLUSION:
        is_contact = ListeningExclusion.contact_id == item.contact_id
        return sa.exists().where(is_contact, ListeningExclusion.source_system == item.source_system)
    if item.subject_kind == ACCOUNT:
        return None
    kind = Restriction if item.kind == "restriction" else Objection
    column = kind.customer_key if is_customer else kind.advisor_id
    return sa.exists().where(column == subject, kind.lifted_at.is_(None))


def _is_corrected(item: PersonRequest) -> sa.ColumnElement[bool]:
    """Build the test of the audit log for a correction that others made since the request came:
    of an account, of an advisor's evaluation, or by a new list of advisors.
    """
    of_evaluation = sa.exists().where(
        JournalRow.action.in_(("evaluation_amended", "dispute_decided")),
        JournalRow.object == sa.cast(Evaluation.id, sa.Text),
        Evaluation.advisor_id == item.subject,
    )
    tests = {
        ACCOUNT: (JournalRow.action == "account_change", JournalRow.object == item.subject),
        ADVISOR: (JournalRow.action == "import", JournalRow.reason.startswith("advisors:")),
    }
    if item.subject_kind not in tests:
        return sa.false()
    is_later = JournalRow.at >= item.received_on.isoformat()
    return sa.exists().where(is_later, *tests[item.subject_kind]) | of_evaluation


def _get_checked(viewer: Viewer, number: int) -> PersonRequest:
    item = requests.get(viewer, number)
    if not item.is_open:
        raise Refusal("already_answered", requests.ALREADY_ANSWERED)
    if item.identity_checked_by is None:
        message = "Check the requester's identity before you answer, and say how."
        raise Refusal("identity_unchecked", message)
    return item


def _refuse(left: str) -> Refusal:
    return Refusal("not_done", "{left} Do what the request asks for, or refuse it.", left=left)
