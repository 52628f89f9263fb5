"""Uses of tracking numbers: the campaigns of each number's contacts, month by month."""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.metrics.dimensions import Period
from qa_core.metrics.kpis import COUNTED_DIRECTION
from qa_core.metrics.query import dimension_sql
from qa_core.storage import engine
from qa_core.storage.guard import Scoped
from qa_core.storage.schema import CONTACTS, EVERY_CONTACT, on_every_contact

ASSIGNMENTS = sa.table(
    "assigned",
    sa.column("place", sa.Integer),
    sa.column("number", sa.Text),
    sa.column("starts_on", sa.Date),
    sa.column("ends_on", sa.Date),
)
"""The assignments beside the lake: `place` tells them apart, `ends_on` is the day after
the last.
"""
SOURCE_COLUMNS = ("source", "medium", "campaign")


def find_number_uses(viewer: Viewer, period: Period, assignments: pa.Table) -> pd.DataFrame:
    """Find one row per tracking number, source, medium, campaign, month and assignment
    that covers the day, over all contacts of the whole lake.

    `assigned`: as `ASSIGNED`, never two for one number and day. Columns:
    `tracking_number`, `source`, `medium`, `campaign`, `month`, `place` (missing: no
    assignment covers the day), `contacts` (those in the viewer's scope), `first_day`,
    `last_day`, and of these inside the period `inside`, `first_inside`, `last_inside`;
    `foreign`: contacts out of scope. Raises AccessDenied for whoever may not cut by
    tracking number.
    """
    viewer.require(Permission.SEE_TRACKING)
    if not viewer.can_cut_by("tracking_number"):
        raise AccessDenied()
    contact = CONTACTS.c
    day = sa.cast(contact.local_start, sa.Date)
    mine = EVERY_CONTACT.c.is_own
    inside = sa.and_(mine, *dimension_sql.within(period, contact))
    rows = sa.func.count().filter
    on_its_day = sa.and_(
        ASSIGNMENTS.c.number == contact.tracking_number,
        day >= ASSIGNMENTS.c.starts_on,
        sa.or_(ASSIGNMENTS.c.ends_on.is_(None), day < ASSIGNMENTS.c.ends_on),
    )
    groups = [
        contact.tracking_number,
        *(contact[name] for name in SOURCE_COLUMNS),
        contact.month,
        ASSIGNMENTS.c.place,
    ]
    statement = (
        sa.select(
            *groups,
            rows(mine).label("contacts"),
            rows(sa.not_(mine)).label("foreign"),
            sa.func.min(day).filter(mine).label("first_day"),
            sa.func.max(day).filter(mine).label("last_day"),
            rows(inside).label("inside"),
            sa.func.min(day).filter(inside).label("first_inside"),
            sa.func.max(day).filter(inside).label("last_inside"),
        )
        .select_from(CONTACTS.outerjoin(ASSIGNMENTS, on_its_day))
        .where(COUNTED_DIRECTION, contact.tracking_number.is_not(None))
        .group_by(*groups)
    )
    query = Scoped(
        on_every_contact(statement),
        viewer,
        beyond="The assignment of a tracking number concerns all its contacts. Contacts of other "
        "teams are only counted.",
    )
    return engine.current().run(query, {"assigned": assignments})
