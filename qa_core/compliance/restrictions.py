"""Restrictions and objections: what the data protection officer enters for a person or a contact,
and what holds until it is lifted.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import masking
from qa_core.base.errors import AccessDenied, Misuse
from qa_core.storage import audit_log, replay_list
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.retention import Objection, Restriction
from qa_core.storage.records.store import Session

MAX_REASON = 500
SUBJECT = ("customer_key", "advisor_id", "source_system", "contact_id")
"""Columns that name the person or the contact."""
Lasting = type[Restriction] | type[Objection]


@dataclass(frozen=True)
class LastingEntry:
    """Entry in force: of a pseudonym, an advisor or a contact."""

    id: int
    customer_key: str | None
    advisor_id: str | None
    source_system: str | None
    contact_id: str | None
    entered_by: str
    entered_at: datetime

    @property
    def title(self) -> str:
        return self.customer_key or self.advisor_id or self.contact_id

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "entered_at": self.entered_at.isoformat()}


def add(
    session: Session,
    viewer: Viewer,
    kind: Lasting = Restriction,
    reason: str = "",
    **what: str | None,
) -> None:
    """Enter a `customer_key`, an `advisor_id`, or a `contact_id` with its `source_system`,
    unless it is in force already.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    if sum(bool(what.get(name)) for name in ("customer_key", "advisor_id", "contact_id")) != 1:
        raise Misuse("one_subject", "Name exactly one person, line or contact.")
    in_force = sa.select(kind.id).filter_by(**what, lifted_at=None)
    if session.scalar(_of_anybody(in_force)) is None:
        session.add(kind(**what, entered_by=viewer.username))
        audit_log.record(session, viewer.username, f"{kind.__tablename__}_entered", reason=reason)


def add_objections(
    session: Session, actor: str, contacts: Iterable[tuple[str, str]], because: str
) -> list[str]:
    """Enter the objections to contacts that a file or the lake brings, unless they are in
    force. Returns their keys in the replay list.
    """
    known = set(find_objecting(session)[1])
    fresh = [
        {"source_system": system, "contact_id": number}
        for system, number in contacts
        if not known & {(system, number), (None, number)}
    ]
    session.add_all(Objection(**what, entered_by=actor) for what in fresh)
    if fresh:
        audit_log.record(session, actor, "objection_entered", because, reason=str(len(fresh)))
    return [write_key(**what) for what in fresh]


def remove_objections(session: Session, contacts: Collection[tuple[str, str]]) -> None:
    """Remove the objections to contacts of the demo centre, which nobody entered."""
    for row in session.scalars(_of_anybody(sa.select(Objection))).all():
        if (row.source_system, row.contact_id) in contacts:
            session.delete(row)
    replay_list.drop("objection", *(_write_contact(*contact) for contact in contacts))


def lift(
    session: Session, viewer: Viewer, number: int, reason: str, kind: Lasting = Restriction
) -> dict[str, str | None]:
    """Lift an entry, with a reason; return what it names. Raises AccessDenied if it is not in
    force.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    reason = masking.clean_text(reason, MAX_REASON, "no_reason")
    entry = session.scalar(_of_anybody(sa.select(kind).where(kind.id == number)))
    if entry is None or entry.lifted_at is not None:
        raise AccessDenied()
    entry.lifted_at, entry.lifted_by = now(), viewer.username
    if kind is Objection:
        entry.lifted_because = reason
    what = f"{kind.__tablename__}_lifted", str(number)
    audit_log.record(session, viewer.username, *what, reason=reason)
    return {name: getattr(entry, name) for name in SUBJECT}


def _write_contact(system: str, contact_id: str) -> str:
    return write_key(source_system=system, contact_id=contact_id)


def write_key(**what: str | None) -> str:
    """Write what an entry names as the key of its act in the replay list."""
    return json.dumps({name: what.get(name) for name in SUBJECT})


def read_key(key: str) -> Mapping[str, str | None]:
    """Read such a key; older ones of objections list customer, system and contact."""
    what = json.loads(key)
    names = ("customer_key", "source_system", "contact_id")
    return what if isinstance(what, dict) else dict(zip(names, what, strict=True))


def find_all(viewer: Viewer, kind: Lasting = Restriction) -> list[LastingEntry]:
    """List what is in force, newest first."""
    viewer.require(Permission.SEE_COMPLIANCE)
    with store.reading() as session:
        return find_in_force(session, kind)


def find_in_force(session: Session, kind: Lasting) -> list[LastingEntry]:
    """Read what is in force, newest first."""
    columns = (getattr(kind, field.name) for field in fields(LastingEntry))  # for thousands of rows
    in_force = sa.select(*columns).where(kind.lifted_at.is_(None)).order_by(kind.id.desc())
    return [LastingEntry(*row) for row in session.execute(_of_anybody(in_force))]


def find_objecting(session: Session) -> tuple[list[str], list[tuple[str | None, str]]]:
    """Find the customers and the contacts (system, id) with an objection in force."""
    names = (Objection.customer_key, Objection.source_system, Objection.contact_id)
    in_force = sa.select(*names).where(Objection.lifted_at.is_(None))
    rows = session.execute(_of_anybody(in_force)).all()
    customers = [customer for customer, _system, _id in rows if customer]
    return customers, [(system, contact_id) for _key, system, contact_id in rows if contact_id]


def _of_anybody(statement: sa.Select) -> Unscoped:
    return Unscoped(
        statement,
        "Restrictions and objections apply to everybody. The data protection officer keeps the "
        "list.",
    )
