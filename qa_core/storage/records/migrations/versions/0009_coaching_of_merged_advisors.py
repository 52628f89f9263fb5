"""Coaching of merged advisors"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("coaching_plan", sa.Column("given_advisor_id", sa.Text(), nullable=True))
