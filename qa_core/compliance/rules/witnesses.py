"""Witnesses: rows compared with what the audit log, the replay list and other rows say of them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

from qa_core.compliance import certificates, restrictions
from qa_core.compliance.rules.findings import RuleFacts
from qa_core.storage import replay_list
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.listening import (
    Accreditation,
    AdvisorNotice,
    ConfirmedEvaluator,
    GateValue,
)
from qa_core.storage.records.people import Advisor
from qa_core.storage.records.retention import (
    ListeningExclusion,
    Objection,
    Purge,
    Restriction,
    SubjectRequest,
)
from qa_core.storage.records.settings import SettingValue

LOGGED = {
    "accredited": Accreditation.given_at,
    "advisor_informed": AdvisorNotice.entered_at,
    "evaluator_confirmed": ConfirmedEvaluator.confirmed_at,
    "exclusion_entered": ListeningExclusion.entered_at,
    "gate_set": GateValue.set_at,
    "request_entered": SubjectRequest.entered_at,
    "restriction_entered": Restriction.entered_at,
    "setting_changed": SettingValue.set_at,
}
"""Act of the audit log → the moment of the rows that it enters."""
REPLAYED = {"objection": Objection, "exclusion": ListeningExclusion, "restriction": Restriction}
"""Kind of the replay list → the rows that are in force while it has them."""
NAMES = ("number", *restrictions.SUBJECT)


def count_unlogged(facts: RuleFacts) -> int:
    """Count the rows that were entered on days on which the audit log has fewer such acts."""
    start, unlogged = facts.read(sa.select(sa.func.min(JournalRow.at))).scalar(), 0
    for action, moment in LOGGED.items():
        acts = facts.read(sa.select(JournalRow.at).where(JournalRow.action == action)).scalars()
        logged = Counter(at[:10] for at in acts)
        rows = facts.read(sa.select(moment)).scalars()
        entered = Counter(at.date().isoformat() for at in rows if at.isoformat() >= (start or ""))
        unlogged += (entered - logged).total()
    return unlogged


def count_forged(facts: RuleFacts) -> int:
    """Count certificates of deletion whose signature does not fit, and those that the audit log
    has and the rows do not.
    """
    finished = facts.read(sa.select(Purge).where(Purge.finished_at.is_not(None))).scalars().all()
    numbers = sa.select(JournalRow.object).where(JournalRow.action == "purged")
    lost = {*facts.read(numbers).scalars()} - {str(row.id) for row in finished}
    return len(lost) + sum(not certificates.certify(row).is_genuine for row in finished)


def count_lost(facts: RuleFacts, *kinds: str) -> int:
    """Count what the replay list holds in force and the rows do not."""
    known = replay_list.find()
    people = {*facts.read(sa.select(Advisor.advisor_id)).scalars(), None}
    rows = {kind: _find_in_force(facts, REPLAYED[kind]) for kind in kinds}
    promised = (
        (entry.kind, restrictions.read_key(entry.key))
        for entry in (known.entries if known else ())
        if entry.kind in kinds
    )
    return sum(
        _name(what) not in rows[kind]
        for kind, what in promised
        # An advisor under another id by now has a row under that id.
        if what.get("advisor_id") in people
    )


def count_requests(facts: RuleFacts, entered: Iterable[Any]) -> int:
    """Count requests that were never entered or answered through the product, or are gone."""
    acts: dict[str, set[str]] = {"request_entered": set(), "request_answered": set()}
    logged = sa.select(JournalRow.action, JournalRow.object).where(JournalRow.action.in_(acts))
    for action, number in facts.read(logged):
        acts[action].add(number)
    start = facts.read(sa.select(sa.func.min(JournalRow.at))).scalar() or ""
    numbers = {str(item.id) for item in entered}
    answered = {
        str(item.id)
        for item in entered
        if not item.is_open and item.answered_on.isoformat() > start[:10]
    }
    gone = acts["request_entered"] - acts["request_answered"] - numbers
    return len(gone) + len(answered - acts["request_answered"])


def _find_in_force(facts: RuleFacts, kind: type[Any]) -> set[tuple[str | None, ...]]:
    rows = facts.read(sa.select(kind)).scalars()
    return {_name(vars(row)) for row in rows if getattr(row, "lifted_at", None) is None}


def _name(what: Mapping[str, Any]) -> tuple[str | None, ...]:
    return tuple(what.get(name) for name in NAMES)
