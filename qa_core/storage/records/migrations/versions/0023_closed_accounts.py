"""Accounts say when they were closed, so that the names of leavers can go in time."""

import sqlalchemy as sa
from alembic import op

from qa_core.storage.records.base import UtcDateTime, now

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Add the column; the time of accounts that are closed already begins now."""
    columns = sa.inspect(op.get_bind()).get_columns("account")
    if "closed_at" not in {column["name"] for column in columns}:
        op.add_column("account", sa.Column("closed_at", UtcDateTime(), nullable=True))
    account = sa.table("account", sa.column("closed_at", UtcDateTime()), sa.column("active"))
    is_closed = account.c.active == sa.false(), account.c.closed_at.is_(None)
    op.execute(sa.update(account).where(*is_closed).values(closed_at=now()))
