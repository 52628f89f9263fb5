"""Objections that customers made, applied to all contacts that are stored."""

from __future__ import annotations

import sqlalchemy as sa

from qa_core.compliance import recordings
from qa_core.storage import lake
from qa_core.storage.records import store
from qa_core.storage.records.retention import Objection


def apply_objections(actor: str) -> int:
    """Bring all that is stored in line with the objections, and delete what audio they
    forbid. The caller holds the lock of imports. Returns how many recordings.
    """
    with store.reading() as session:
        entered = session.scalars(sa.select(Objection)).all()
    if not entered:
        return 0
    lake.mark_objected(
        [item.customer_key for item in entered if item.customer_key],
        [(item.source_system, item.contact_id) for item in entered if item.contact_id],
    )
    return recordings.delete_forbidden(actor)
