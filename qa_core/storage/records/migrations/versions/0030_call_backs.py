"""Call-backs, and tokens of wallboards."""

import sqlalchemy as sa
from alembic import op

from qa_core.storage.records.base import Base

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Add the table, and the column: every token so far is one of a script."""
    connection = op.get_bind()
    Base.metadata.tables["call_back"].create(connection, checkfirst=True)
    known = {column["name"] for column in sa.inspect(connection).get_columns("service_token")}
    if "is_display" not in known:
        column = sa.Column("is_display", sa.Boolean(), nullable=False, server_default=sa.false())
        op.add_column("service_token", column)
