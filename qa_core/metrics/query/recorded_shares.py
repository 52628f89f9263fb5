"""Share of contacts that are recorded, team by team: counts alone, for whoever watches
that recording is not permanent (docs/compliance.md, R2).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.metrics.kpis.rows import ANSWERED
from qa_core.storage import engine, lake
from qa_core.storage.guard import Unscoped
from qa_core.storage.schema import CONTACTS


@dataclass(frozen=True)
class RecordedShare:
    """Of the answered contacts of a team (None: of none) whose source says so, how many
    were recorded.
    """

    team: str | None
    answered_contacts: int
    recorded_contacts: int

    @property
    def rate(self) -> float:
        return self.recorded_contacts / self.answered_contacts


def find_recorded_shares(viewer: Viewer, first_day: date, last_day: date) -> list[RecordedShare]:
    """By team, from one day through another, the highest share first. The data
    protection officer counts for the whole centre, and sees no contact.
    """
    viewer.require(Permission.SEE_COMPLIANCE)
    if lake.span() is None:
        return []
    columns = CONTACTS.c
    statement = (
        sa.select(
            columns.team,
            sa.func.count().label("answered"),
            sa.func.count().filter(columns.recorded).label("recorded"),
        )
        .where(
            ANSWERED,
            columns.recorded.is_not(None),
            columns.local_start >= datetime.combine(first_day, time.min),
            columns.local_start < datetime.combine(last_day + timedelta(days=1), time.min),
        )
        .group_by(columns.team)
    )
    query = Unscoped(
        statement,
        "The data protection officer watches recording in the whole centre: counts by team are "
        "read.",
    )
    frame = engine.current().run(
        query, first_month=f"{first_day:%Y-%m}", last_month=f"{last_day:%Y-%m}"
    )
    shares = [
        RecordedShare(
            row.team if isinstance(row.team, str) else None, int(row.answered), int(row.recorded)
        )
        for row in frame.itertuples()
    ]
    return sorted(shares, key=lambda share: (-share.rate, share.team or ""))
