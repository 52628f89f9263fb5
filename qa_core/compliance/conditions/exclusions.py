"""Exclusions: lines, advisors and contacts that are never recorded or heard (docs/compliance.md,
R9), as the data protection officer keeps them.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied, Misuse, require_known
from qa_core.base.i18n import N_, _
from qa_core.base.row_values import build_from_row
from qa_core.centre import members
from qa_core.metrics.law.legal_obstacles import Exclusions
from qa_core.storage import audit_log, name_merges, replay_list
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.retention import ListeningExclusion, Objection
from qa_core.storage.records.store import Session

REASONS = {
    "representative": N_("Staff representative"),
    "private": N_("Private line"),
    "requested": N_("Requested by the advisor"),
}


@dataclass(frozen=True)
class ExclusionEntry:
    """One line of the list: what is excluded, in words, and why."""

    id: int
    what: str
    reason: str
    entered_by: str
    entered_at: datetime

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "entered_at": self.entered_at.isoformat()}


def load(session: Session) -> Exclusions:
    """Read what is excluded today, advisors who object included, under their ids of today."""
    kept_ids = name_merges.find_kept_names(session)["advisor"]
    rows = session.scalars(_of_anybody(sa.select(ListeningExclusion))).all()
    in_force = sa.select(Objection.advisor_id).where(Objection.lifted_at.is_(None))
    objecting = session.scalars(_of_anybody(in_force.where(Objection.advisor_id.is_not(None))))
    advisors = [*objecting, *(row.advisor_id for row in rows if row.advisor_id)]
    return Exclusions(
        frozenset(row.number for row in rows if row.number),
        frozenset(kept_ids.get(advisor_id, advisor_id) for advisor_id in advisors),
        frozenset((row.source_system, row.contact_id) for row in rows if row.contact_id),
    )


def add(session: Session, viewer: Viewer, reason: str, **what: str | None) -> None:
    """Enter a `number`, an `advisor_id`, or a `contact_id` with its `source_system`. The
    caller deletes the audio that it forbids.
    """
    viewer.require(Permission.MANAGE_COMPLIANCE)
    require_known(reason, REASONS, "unknown_reason")
    if sum(bool(what.get(name)) for name in ("number", "advisor_id", "contact_id")) != 1:
        raise Misuse("one_exclusion", "Name exactly one person, line or contact.")
    entered = _of_anybody(sa.select(ListeningExclusion.id).filter_by(**what))
    if session.scalar(entered) is None:
        session.add(ListeningExclusion(**what, reason=reason, entered_by=viewer.username))
        audit_log.record(session, viewer.username, "exclusion_entered", reason=reason)


def remove(viewer: Viewer, number: int) -> None:
    """Take an entry off the list; what was deleted stays so."""
    viewer.require(Permission.MANAGE_COMPLIANCE)
    with store.one_import_at_a_time():
        with store.writing() as session:
            entry = session.scalar(
                _of_anybody(sa.select(ListeningExclusion).where(ListeningExclusion.id == number))
            )
            if entry is None:
                raise AccessDenied()
            session.delete(entry)
            audit_log.record(session, viewer.username, "exclusion_removed", reason=entry.reason)
        contact = {"source_system": entry.source_system, "contact_id": entry.contact_id}
        for what in ({"number": entry.number}, {"advisor_id": entry.advisor_id}, contact):
            replay_list.drop("exclusion", json.dumps(what))


def find_all(viewer: Viewer) -> list[ExclusionEntry]:
    """List what is excluded, newest first."""
    viewer.require(Permission.SEE_COMPLIANCE)
    with store.reading() as session:
        rows = session.scalars(
            _of_anybody(sa.select(ListeningExclusion).order_by(ListeningExclusion.id.desc()))
        )
        names = members.find_names(session)
        return [build_from_row(ExclusionEntry, row, what=_describe(row, names)) for row in rows]


def _describe(row: ListeningExclusion, names: dict[str, str]) -> str:
    if row.number:
        return _("line {number}", number=row.number)
    if row.advisor_id:
        return _("advisor {name}", name=names.get(row.advisor_id, row.advisor_id))
    return _("contact {id}", id=row.contact_id)


def _of_anybody(statement: sa.Select) -> Unscoped:
    return Unscoped(
        statement,
        "The list of exclusions is the same for everybody. The data protection officer keeps it.",
    )
