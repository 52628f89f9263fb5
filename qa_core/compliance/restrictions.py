"""Restrictions for the data protection officer: who asked, and what is left out."""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import masking
from qa_core.base.errors import AccessDenied, Misuse
from qa_core.base.row_values import build_from_row
from qa_core.storage import audit_log
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.retention import Restriction
from qa_core.storage.records.store import Session

SUBJECT = ("customer_key", "advisor_id", "source_system", "contact_id")
"""What names the person or the contact that is restricted."""


@dataclass(frozen=True)
class RestrictionEntry:
    """A restriction in force: of a pseudonym, an advisor or a contact."""

    id: int
    customer_key: str | None
    advisor_id: str | None
    contact_id: str | None
    entered_by: str
    entered_at: datetime

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "entered_at": self.entered_at.isoformat()}


def add(session: Session, viewer: Viewer, reason: str = "", **what: str | None) -> None:
    """Restrict a `customer_key`, an `advisor_id`, or a `contact_id` with its `source_system`."""
    viewer.require(Permission.MANAGE_COMPLIANCE)
    if sum(bool(what.get(name)) for name in ("customer_key", "advisor_id", "contact_id")) != 1:
        raise Misuse("one_subject", "Name exactly one person, line or contact.")
    in_force = sa.select(Restriction.id).filter_by(**what, lifted_at=None)
    if session.scalar(_of_anybody(in_force)) is None:
        session.add(Restriction(**what, entered_by=viewer.username))
        audit_log.record(session, viewer.username, "restriction_entered", reason=reason)


def lift(session: Session, viewer: Viewer, number: int, reason: str) -> dict[str, str | None]:
    """Lift a restriction; return what was restricted. Raises AccessDenied if not in force."""
    viewer.require(Permission.MANAGE_COMPLIANCE)
    reason = masking.clean_text(reason, 500, "no_reason")
    entry = session.scalar(_of_anybody(sa.select(Restriction).where(Restriction.id == number)))
    if entry is None or entry.lifted_at is not None:
        raise AccessDenied()
    entry.lifted_at, entry.lifted_by = now(), viewer.username
    audit_log.record(session, viewer.username, "restriction_lifted", reason=reason)
    return {name: getattr(entry, name) for name in SUBJECT}


def write_key(**what: str | None) -> str:
    """Write what a restriction names as the key of its entry in the replay list."""
    return json.dumps({name: what.get(name) for name in SUBJECT})


def find_all(viewer: Viewer) -> list[RestrictionEntry]:
    """List the restrictions in force, newest first."""
    viewer.require(Permission.SEE_COMPLIANCE)
    in_force = sa.select(Restriction).where(Restriction.lifted_at.is_(None))
    with store.reading() as session:
        rows = session.scalars(_of_anybody(in_force.order_by(Restriction.id.desc())))
        return [build_from_row(RestrictionEntry, row) for row in rows]


def _of_anybody(statement: sa.Select) -> Unscoped:
    return Unscoped(
        statement, "Restrictions apply to everybody. The data protection officer keeps the list."
    )
