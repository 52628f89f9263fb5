"""People of identity providers."""

from alembic import op

from qa_core.storage.records.base import Base

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    Base.metadata.tables["external_identity"].create(op.get_bind(), checkfirst=True)
