"""Requests of persons are extended, refused and performed; corrected values of contacts."""

import sqlalchemy as sa
from alembic import op

from qa_core.storage.records.base import Base

revision = "0026"
down_revision = "0024"


def upgrade() -> None:
    """Add the table and the columns: earlier answers count as granted."""
    Base.metadata.tables["rectification"].create(op.get_bind(), checkfirst=True)
    known = {item["name"] for item in sa.inspect(op.get_bind()).get_columns("subject_request")}
    for name in ("details", "extended_because", "identity_check"):
        if name not in known:
            op.add_column("subject_request", sa.Column(name, sa.Text()))
    if "is_refused" not in known:
        is_refused = sa.Column("is_refused", sa.Boolean(), nullable=False, server_default="0")
        op.add_column("subject_request", is_refused)
