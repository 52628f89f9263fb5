"""States of the rules, day by day."""

from alembic import op

from qa_core.storage.records.base import Base

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Make the new table."""
    Base.metadata.tables["rule_day"].create(op.get_bind(), checkfirst=True)
