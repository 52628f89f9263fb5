"""Contact as its evaluator may see it: when, where and why; never who called, nor what
they said of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.metrics.query.legal_obstacles import LegalAct, LegalFacts, find_obstacle
from qa_core.storage import engine
from qa_core.storage.guard import Scoped, Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import DrawnContact
from qa_core.storage.schema import CONTACTS

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


def find_assigned(
    viewer: Viewer, source_system: str, contact_id: str, local_day: date, legal: LegalFacts
) -> AssignedContact | None:
    """Find the contact of that day, drawn for the viewer or being evaluated by them;
    None where the lake has it no more. Raises AccessDenied for any other.
    """
    viewer.require(Permission.FILL_GRIDS)
    with store.reading() as session:
        if not viewer.is_system and not _is_theirs(session, viewer, source_system, contact_id):
            raise AccessDenied()
    key = (CONTACTS.c.source_system == source_system, CONTACTS.c.contact_id == contact_id)
    month = f"{local_day:%Y-%m}"
    query = Unscoped(
        sa.select(
            *(CONTACTS.c[name] for name in SHOWN_COLUMNS),
            find_obstacle(LegalAct.EVALUATE, legal).label("against"),
        ).where(*key),
        "An evaluator has no contacts in scope. This one was drawn for them, or they are "
        "evaluating it, which is checked just before. Neither customer nor advisor is read.",
    )
    frame = engine.current().run(query, legal.tables, first_month=month, last_month=month)
    if frame.empty:
        return None
    row: dict[str, Any] = {
        name: None if value != value else value
        for name, value in frame.to_dict("records")[0].items()
    }
    parts = [row[name] for name in ("talk_seconds", "hold_seconds") if row[name] is not None]
    start = row["local_start"].to_pydatetime()
    return AssignedContact(
        start,
        row["channel"],
        row["queue"],
        row["reason"],
        sum(parts) if parts else None,
        row["against"] is not None,
    )


def find_withdrawn(
    viewer: Viewer, days: Mapping[tuple[str, str], date], legal: LegalFacts
) -> set[tuple[str, str]]:
    """Find which of these contacts (system and id → their day) nobody may listen to any
    more, so that they are not even listed.
    """
    viewer.require(Permission.FILL_GRIDS)
    if not days:
        return set()
    months = [f"{day:%Y-%m}" for day in days.values()]
    is_listed = CONTACTS.c.contact_id.in_([contact_id for _system, contact_id in days])
    query = Unscoped(
        sa.select(CONTACTS.c.source_system, CONTACTS.c.contact_id).where(
            is_listed, find_obstacle(LegalAct.EVALUATE, legal).is_not(None)
        ),
        "An evaluator has no contacts in scope. For the contacts of their list, only withdrawn "
        "ones are searched.",
    )
    frame = engine.current().run(
        query, legal.tables, first_month=min(months), last_month=max(months)
    )
    return set(zip(frame["source_system"], frame["contact_id"], strict=True)) & set(days)


def _is_theirs(session: Any, viewer: Viewer, source_system: str, contact_id: str) -> bool:
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
