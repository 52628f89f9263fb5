"""The roster says whether an advisor is a person or a machine."""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Add the column; nobody is said to be a machine yet."""
    if "kind" not in {
        column["name"] for column in sa.inspect(op.get_bind()).get_columns("advisor")
    }:
        op.add_column("advisor", sa.Column("kind", sa.Text(), nullable=True))
