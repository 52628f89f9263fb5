"""Service tokens: scripts that ask for figures."""

from alembic import op

from qa_core.storage.records.base import Base

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    Base.metadata.tables["service_token"].create(op.get_bind(), checkfirst=True)
