"""Objections and requests of persons."""

from alembic import op

from qa_core.storage.records.base import Base

revision = "0011"
down_revision = "0010"
TABLES = ("objection", "subject_request")


def upgrade() -> None:
    for name in TABLES:
        Base.metadata.tables[name].create(op.get_bind(), checkfirst=True)
