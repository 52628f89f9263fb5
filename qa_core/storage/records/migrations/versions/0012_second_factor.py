"""Second factors of accounts."""

from alembic import op

from qa_core.storage.records.base import Base

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    Base.metadata.tables["second_factor"].create(op.get_bind(), checkfirst=True)
