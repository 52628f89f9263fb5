"""Sources that are pulled, and the windows of their days."""

from alembic import op

from qa_core.storage.records.base import Base

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    for name in ("pulled_source", "source_window"):
        Base.metadata.tables[name].create(op.get_bind(), checkfirst=True)
