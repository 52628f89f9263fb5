"""Ids of contacts hold no telephone numbers, in no store."""

from alembic import op

from qa_core.storage import keyed_ids
from qa_core.storage.records.base import Base

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    """Add the table of reworded rows of the audit log, and key the ids that were stored clear."""
    Base.metadata.tables["journal_rewording"].create(op.get_bind(), checkfirst=True)
    keyed_ids.take_over(op.get_bind())
