"""Listening rights of contacts taken together: answered by an advisor, in the viewer's
scope, and with nothing that forbids it (docs/compliance.md, R3, R9).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from qa_core.access.roles import Viewer
from qa_core.metrics.kpis import ANSWERED
from qa_core.metrics.law.legal_obstacles import LegalAct, LegalFacts, find_obstacle
from qa_core.metrics.law.recording_flags import text_or_none
from qa_core.storage import engine
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import CONTACTS


@dataclass(frozen=True)
class Listenable:
    """A contact that may be listened to, and what decides who may read about it."""

    source_system: str
    contact_id: str
    local_start: datetime
    advisor_id: str
    team: str | None

    @property
    def key(self) -> tuple[str, str]:
        return self.source_system, self.contact_id


def find_listenable(
    viewer: Viewer,
    keys: Sequence[tuple[str, str]],
    legal: LegalFacts,
    first_month: str | None = None,
    last_month: str | None = None,
) -> list[Listenable]:
    """Find which of these contacts may be listened to, in the order of `keys`. Only the
    months (`YYYY-MM`) are read, where they are known.
    """
    keys = list(dict.fromkeys(keys))
    contacts = {
        contact.key: contact
        for contact in _read(
            viewer, [contact_id for _system, contact_id in keys], legal, first_month, last_month
        )
    }
    return [contacts[key] for key in keys if key in contacts]


def find_by_number(viewer: Viewer, numbers: Sequence[str], legal: LegalFacts) -> list[Listenable]:
    """Find the contacts with these ids, in any system, that may be listened to."""
    return _read(viewer, list(dict.fromkeys(numbers)), legal)


def _read(
    viewer: Viewer,
    numbers: list[str],
    legal: LegalFacts,
    first_month: str | None = None,
    last_month: str | None = None,
) -> list[Listenable]:
    if not numbers:
        return []
    columns = [
        CONTACTS.c[name]
        for name in ("source_system", "contact_id", "local_start", "advisor_id", "team")
    ]
    obstacle = find_obstacle(LegalAct.CALIBRATE, legal)
    statement = sa.select(*columns).where(
        CONTACTS.c.contact_id.in_(numbers),
        ANSWERED,
        CONTACTS.c.advisor_id.is_not(None),
        obstacle.is_(None),
    )
    frame = engine.current().run(
        Scoped(statement, viewer), legal.tables, first_month=first_month, last_month=last_month
    )
    rows = frame.itertuples(index=False)
    return [
        Listenable(
            row.source_system,
            row.contact_id,
            row.local_start.to_pydatetime(),
            row.advisor_id,
            text_or_none(row.team),
        )
        for row in rows
    ]
