"""Marks of change, by subject of the records."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Create the table; each mark appears with the first change of its subject."""
    if sa.inspect(op.get_bind()).has_table("change_mark"):
        return
    op.create_table(
        "change_mark",
        sa.Column("subject", sa.Text(), primary_key=True),
        sa.Column("mark", sa.Text(), nullable=False),
    )
