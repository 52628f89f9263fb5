"""Application of customers' objections to all stored contacts."""

import sqlalchemy as sa

from qa_core.compliance import recordings
from qa_core.storage import lake
from qa_core.storage.records import store
from qa_core.storage.records.retention import Objection


def apply_objections(actor: str) -> int:
    """Mark stored contacts by the objections, and delete the audio that they forbid.
    The caller holds the lock of imports. Returns the number of recordings deleted.
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
