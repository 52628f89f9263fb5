"""Saved views: pages with their filters under a name."""

from alembic import op

from qa_core.storage.records.base import Base

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    Base.metadata.tables["saved_view"].create(op.get_bind(), checkfirst=True)
