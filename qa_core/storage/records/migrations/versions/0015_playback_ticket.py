"""The link of a playback: one link is one listening, also across servers."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Add the link, and its uniqueness."""
    inspector = sa.inspect(op.get_bind())
    if "ticket" not in {column["name"] for column in inspector.get_columns("playback")}:
        op.add_column("playback", sa.Column("ticket", sa.String()))
        op.create_index("ix_playback_ticket", "playback", ["ticket"], unique=True)
