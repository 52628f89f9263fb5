"""Tokens that read contacts without a team beside their sites, and notices that were read."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
COLUMNS = (
    ("service_token", sa.Column("sees_unassigned", sa.Boolean(), server_default=sa.false())),
    ("account", sa.Column("dismissed", sa.JSON(), server_default="[]")),
)


def upgrade() -> None:
    """Add the columns: no token reads more than before, and nobody has read a notice."""
    inspector = sa.inspect(op.get_bind())
    for table, column in COLUMNS:
        if column.name not in {known["name"] for known in inspector.get_columns(table)}:
            column.nullable = False
            op.add_column(table, column)
