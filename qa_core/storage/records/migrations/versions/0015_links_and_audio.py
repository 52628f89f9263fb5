"""The link of a playback, which is one listening also across servers, and who agreed that
audio is handed out.
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
COLUMNS = {"playback": "ticket", "subject_request": "audio_confirmed_by"}


def upgrade() -> None:
    """Add the columns, and that a link is used once."""
    inspector = sa.inspect(op.get_bind())
    for table, name in COLUMNS.items():
        if name not in {column["name"] for column in inspector.get_columns(table)}:
            op.add_column(table, sa.Column(name, sa.String()))
    if not any("ticket" in one["column_names"] for one in inspector.get_indexes("playback")):
        op.create_index("ix_playback_ticket", "playback", ["ticket"], unique=True)
