"""Requests of persons are answered by their act: it is done here, and an answer that says it is
done is refused while the stores say that it is not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import Misuse, Refusal
from qa_core.base.i18n import N_, NN_, _, ngettext
from qa_core.compliance import requests
from qa_core.compliance.requests import PersonRequest
from qa_core.metrics.kpis import formatting
from qa_core.storage.facts.personal_data import ADVISOR, CUSTOMER
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

REQUESTS = "subject_request"
EVALUATION = "evaluation "
"""Before the number of the evaluation that an objection in the product is about."""


@dataclass(frozen=True)
class RequestAct:
    """Act that answers a kind of request. `count_left`: how much is still not done, and `left`
    the sentence about that, or its two forms. `perform`: does it and describes the outcome;
    None: it needs more than the request says.
    """

    count_left: Callable[[PersonRequest], int]
    left: str | tuple[str, str]
    perform: Callable[[Viewer, PersonRequest], str] | None = None
    title: str = ""


def find_act(item: PersonRequest) -> RequestAct | None:
    """Find the act for a request; None where its answer alone settles it."""
    if item.kind == "objection" and (item.contact_id or "").startswith(EVALUATION):
        return ACTS["contest"]
    is_of_account = item.subject_kind not in (CUSTOMER, ADVISOR)
    return None if is_of_account and item.kind in OF_CONTACTS else ACTS.get(item.kind)


def perform(viewer: Viewer, number: int) -> str:
    """Do what a request asks for; return what it met. Raises Refusal before the requester's
    identity was checked, and for a request whose act needs more than it says.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    item = _get_checked(viewer, number)
    act = find_act(item)
    if act is None or act.perform is None:
        raise Misuse("no_act", N_("This request has no act of its own."))
    return act.perform(viewer, item)


def answer(viewer: Viewer, number: int, text: str, how: str = "", is_refused: bool = False) -> None:
    """Record the answer: done, or refused with its reason. Raises Refusal for "done" while the
    stores still hold what the request is about. `how`: the identity was checked, if not before.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    if how:
        requests.check_identity(viewer, number, how)
    if not is_refused and (left := describe_left(_get_checked(viewer, number))):
        raise Refusal("not_done", "{left} Do what the request asks for, or refuse it.", left=left)
    requests.record_answer(viewer, number, text, is_refused)


def _get_checked(viewer: Viewer, number: int) -> PersonRequest:
    item = requests.get(viewer, number)
    if not item.is_open:
        raise Refusal("already_answered", requests.ALREADY_ANSWERED)
    if item.identity_check is None:
        message = "Check the requester's identity before you answer, and say how."
        raise Refusal("identity_unchecked", message)
    return item


def describe_left(item: PersonRequest) -> str:
    """Describe what a request asks for and the stores do not show yet; empty when done."""
    act = find_act(item)
    left = act.count_left(item) if act else 0
    if not left:
        return ""
    if isinstance(act.left, str):
        return _(act.left)
    return ngettext(*act.left, left, count=formatting.number(left))


def _count_rows(item: PersonRequest) -> int:
    """Count the rows that still name the person, the requests themselves aside."""
    if not item.subject or item.subject.startswith(erasure.STAND_IN):
        return 0
    tables = person_copy.collect(item.subject_kind, item.subject)
    return sum(len(rows) for name, rows in tables.items() if name not in (REQUESTS, "objection"))


def _count_missing_copies(item: PersonRequest) -> int:
    made = sa.select(JournalRow.seq).where(
        JournalRow.action == "subject_exported", JournalRow.object == f"request {item.id}"
    )
    return _is_missing(made)


def _count_missing_objections(item: PersonRequest) -> int:
    if item.subject_kind == ADVISOR:
        return _is_missing(sa.select(ListeningExclusion.id).filter_by(advisor_id=item.subject))
    return _is_missing(sa.select(Objection.id).filter_by(customer_key=item.subject))


def _count_missing_restrictions(item: PersonRequest) -> int:
    column = "customer_key" if item.subject_kind == CUSTOMER else "advisor_id"
    in_force = {column: item.subject, "lifted_at": None}
    return _is_missing(sa.select(Restriction.id).filter_by(**in_force))


def _count_missing_exclusions(item: PersonRequest) -> int:
    contact = {"source_system": item.source_system, "contact_id": item.contact_id}
    return _is_missing(sa.select(ListeningExclusion.id).filter_by(**contact))


def _count_missing_rectifications(item: PersonRequest) -> int:
    made = sa.select(Rectification.id).where(Rectification.request_id == item.id)
    by_name = sa.select(JournalRow.seq).where(
        JournalRow.action.in_(CORRECTIONS), JournalRow.at >= item.received_on.isoformat()
    )
    return _is_missing(made) and (item.subject_kind == CUSTOMER or _is_missing(by_name))


def _count_open_disputes(item: PersonRequest) -> int:
    theirs = sa.select(sa.func.count(Dispute.id)).join(
        Evaluation, Evaluation.id == Dispute.evaluation_id
    )
    theirs = theirs.where(Dispute.decided_at.is_(None), Evaluation.advisor_id == item.subject)
    if item.contact_id:
        theirs = theirs.where(Evaluation.id == int(item.contact_id.removeprefix(EVALUATION)))
    with store.reading() as session:
        return session.scalar(erasure.exempt(theirs))


def _is_missing(rows: sa.Select) -> int:
    with store.reading() as session:
        return int(session.scalar(erasure.exempt(rows.limit(1))) is None)


def _erase(viewer: Viewer, item: PersonRequest) -> str:
    counts = subjects.erase(viewer, **{item.subject_kind: item.subject})
    return subjects.ActOutcome(counts.get("contacts", 0), counts.get("recording", 0)).describe()


def _object(viewer: Viewer, item: PersonRequest) -> str:
    if item.subject_kind == ADVISOR:
        return subjects.exclude(viewer, "requested", advisor=item.subject).describe()
    return subjects.object_to(viewer, [item.subject]).describe()


def _restrict(viewer: Viewer, item: PersonRequest) -> str:
    who = {item.subject_kind: item.subject}
    return subjects.restrict(viewer, **who, reason=f"request {item.id}").describe()


COPY = RequestAct(
    _count_missing_copies,
    N_("The person's copy was not made yet."),
)
ACTS: Mapping[str, RequestAct] = {
    "access": COPY,
    "portability": COPY,
    "erasure": RequestAct(
        _count_rows,
        NN_("{count} row still names this person.", "{count} rows still name this person."),
        _erase,
        N_("Erase this person"),
    ),
    "objection": RequestAct(
        _count_missing_objections,
        N_("The objection is not entered."),
        _object,
        N_("Enter the objection"),
    ),
    "restriction": RequestAct(
        _count_missing_restrictions,
        N_("The restriction is not in force."),
        _restrict,
        N_("Restrict"),
    ),
    "rectification": RequestAct(
        _count_missing_rectifications,
        N_("Nothing was corrected for this request."),
    ),
    "contest": RequestAct(
        _count_open_disputes,
        NN_("{count} dispute waits for a decision.", "{count} disputes wait for a decision."),
    ),
    requests.EXCLUSION: RequestAct(
        _count_missing_exclusions,
        N_("The contact is not excluded."),
        lambda viewer, item: subjects.grant_exclusion(viewer, item.id).describe(),
        N_("Exclude the contact"),
    ),
}
OF_CONTACTS = ("objection", "restriction", "contest", requests.EXCLUSION)
"""Requests about contacts, which an account has none of."""
CORRECTIONS = ("account_change", "names_merged", "evaluation_amended", "dispute_decided")
"""Acts in the audit log by which an advisor's or account's data are corrected elsewhere."""
