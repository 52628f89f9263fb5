"""Purges with their certificates, and cuts of the audit log."""

from alembic import op

from qa_core.storage.records.base import Base

revision = "0010"
down_revision = "0009"
TABLES = ("purge", "journal_cut", "monthly_closing", "monthly_figure")


def upgrade() -> None:
    for name in TABLES:
        Base.metadata.tables[name].create(op.get_bind(), checkfirst=True)
