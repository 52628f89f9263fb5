"""Contact as its evaluator may see it: when, where and why; never the customer."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.metrics.kpi.dimension_sql import plain_records
from qa_core.metrics.law.legal_obstacles import LegalAct, LegalFacts, find_obstacle
from qa_core.storage import engine, restrictions
from qa_core.storage.facts.guard import Scoped, Unscoped
from qa_core.storage.facts.schema import CONTACTS
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import DrawnContact
from qa_core.storage.records.store import Session

SHOWN_COLUMNS = ("local_start", "channel", "queue", "reason", "talk_seconds", "hold_seconds")


@dataclass(frozen=True)
class AssignedContact:
    """A contact as its evaluator sees it. `seconds`: talk and hold, None where neither
    is known; `is_withdrawn`: nobody may listen to it any more.
    """

    local_start: datetime
    channel: str | None
    queue: str | None
    reason: str | None
    seconds: float | None
    is_withdrawn: bool


@dataclass(frozen=True)
class ListedContact:
    """A contact in the list of its evaluator. Fields as in `AssignedContact`."""

    seconds: float | None
    is_withdrawn: bool


def find_assigned(
    session: Session,
    viewer: Viewer,
    source_system: str,
    contact_id: str,
    local_day: date,
    legal: LegalFacts,
) -> AssignedContact | None:
    """Find the contact of that day, drawn for the viewer or being evaluated by them;
    None where the lake has it no more. Raises AccessDenied for any other, and while it is
    restricted.
    """
    viewer.require(Permission.FILL_SCORECARDS)
    if not viewer.is_system and not _is_theirs(session, viewer, source_system, contact_id):
        raise AccessDenied()
    key = (CONTACTS.c.source_system == source_system, CONTACTS.c.contact_id == contact_id)
    month = f"{local_day:%Y-%m}"
    query = Unscoped(
        sa.select(
            *(CONTACTS.c[name] for name in SHOWN_COLUMNS),
            find_obstacle(LegalAct.EVALUATE, legal).label("against"),
            restrictions.find_in_force(session).build_test().label("is_restricted"),
        ).where(*key),
        "An evaluator has no contacts in scope. This one was drawn for them, or they are "
        "evaluating it, which is checked just before. Neither customer nor advisor is read.",
    )
    frame = engine.current().run(query, legal.tables, first_month=month, last_month=month)
    if frame.empty:
        return None
    row = plain_records(frame)[0]
    if row["is_restricted"]:
        raise AccessDenied()
    start = row["local_start"].to_pydatetime()
    return AssignedContact(
        start,
        row["channel"],
        row["queue"],
        row["reason"],
        _sum_known(row),
        row["against"] is not None,
    )


def find_listed(
    viewer: Viewer, days: Mapping[tuple[str, str], date], legal: LegalFacts
) -> dict[tuple[str, str], ListedContact]:
    """Find how long each of these contacts lasted (system and id → their day), and
    whether anybody may listen to it now; without those that the lake has no more.
    """
    viewer.require(Permission.FILL_SCORECARDS)
    if not days:
        return {}
    months = [f"{day:%Y-%m}" for day in days.values()]
    names = ("source_system", "contact_id", "talk_seconds", "hold_seconds")
    query = Unscoped(
        sa.select(
            *(CONTACTS.c[name] for name in names),
            find_obstacle(LegalAct.EVALUATE, legal).label("against"),
            restrictions.find_current().build_test().label("is_restricted"),
        ).where(CONTACTS.c.contact_id.in_([contact_id for _system, contact_id in days])),
        "An evaluator has no contacts in scope. For the contacts of their list, only the "
        "duration and the right to listen are read.",
    )
    frame = engine.current().run(
        query, legal.tables, first_month=min(months), last_month=max(months)
    )
    listed = {
        (row["source_system"], row["contact_id"]): ListedContact(
            _sum_known(row), row["against"] is not None or row["is_restricted"]
        )
        for row in plain_records(frame)
    }
    return {key: contact for key, contact in listed.items() if key in days}


def _sum_known(row: Mapping[str, Any]) -> float | None:
    """Return the seconds of talk and hold that are known; None where neither is."""
    parts = [row[name] for name in ("talk_seconds", "hold_seconds") if row[name] is not None]
    return sum(parts) if parts else None


def _is_theirs(session: Session, viewer: Viewer, source_system: str, contact_id: str) -> bool:
    draws = sa.select(DrawnContact.id).where(
        DrawnContact.source_system == source_system,
        DrawnContact.contact_id == contact_id,
        DrawnContact.evaluator == viewer.username,
        DrawnContact.state != "replaced",
    )
    evaluations = sa.select(Evaluation.id).where(
        Evaluation.source_system == source_system,
        Evaluation.contact_id == contact_id,
        Evaluation.evaluator == viewer.username,
    )
    return any(
        session.scalar(Scoped(some.limit(1), viewer)) is not None for some in (draws, evaluations)
    )
