"""Contacts that still name a customer or an advisor: counts alone, for whoever checks
that they do so no longer than allowed (docs/compliance.md, R5b).
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.storage import engine, lake
from qa_core.storage.guard import Unscoped
from qa_core.storage.schema import CONTACTS

NAMING = ("advisor_id", "customer_key", "given_advisor_id", "given_customer_key")
"""A shared number leaves its key in `given_customer_key` alone."""


def count_identified(viewer: Viewer, before: date) -> tuple[int, date | None]:
    """Count the contacts of the whole centre before that day that carry a key of a
    customer or an advisor, with the day of the first.

    Reads the months up to that day alone, and of a centre without any, nothing.
    """
    viewer.require(Permission.SEE_COMPLIANCE)
    last_month = f"{before - timedelta(days=1):%Y-%m}"
    if not lake.files("contacts", last_month=last_month):
        return 0, None
    asked = sa.select(
        sa.func.count().label("contacts"), sa.func.min(CONTACTS.c.local_start).label("first")
    ).where(
        CONTACTS.c.local_start < datetime.combine(before, time.min),
        sa.or_(*(CONTACTS.c[name].is_not(None) for name in NAMING)),
    )
    query = Unscoped(
        asked,
        "The data protection officer checks the whole centre: a count and a day are read.",
    )
    [row] = engine.current().run(query, last_month=last_month).itertuples()
    return int(row.contacts), row.first.date() if row.contacts else None
