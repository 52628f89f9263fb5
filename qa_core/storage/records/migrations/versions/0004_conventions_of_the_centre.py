"""What the centre itself says about its contacts: names, opening hours, tracking
numbers
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def _site() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["site_name"], ["site.name"], ondelete="CASCADE", onupdate="CASCADE"
    )


def upgrade() -> None:
    op.create_table(
        "name_decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("spelling", sa.Text(), nullable=False),
        sa.Column("kept", sa.Text(), nullable=False),
        sa.Column("is_same", sa.Boolean(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("undone_by", sa.Text(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_name_decision")),
    )
    op.create_index("ix_name_decision_spelling", "name_decision", ["kind", "spelling"])
    op.create_table(
        "opening_hours",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("site_name", sa.Text(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("weekday", sa.Integer(), nullable=False),
        sa.Column("opens_at", sa.Text(), nullable=False),
        sa.Column("closes_at", sa.Text(), nullable=False),
        _site(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_opening_hours")),
    )
    op.create_index(op.f("ix_opening_hours_site_name"), "opening_hours", ["site_name"])
    op.create_table(
        "site_calendar",
        sa.Column("site_name", sa.Text(), nullable=False),
        sa.Column("country", sa.Text(), nullable=False),
        sa.Column("region", sa.Text(), nullable=True),
        _site(),
        sa.PrimaryKeyConstraint("site_name", name=op.f("pk_site_calendar")),
    )
    op.create_table(
        "closed_day",
        sa.Column("site_name", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        _site(),
        sa.PrimaryKeyConstraint("site_name", "day", name=op.f("pk_closed_day")),
    )
    op.create_table(
        "tracking_assignment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("tracking_number", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("medium", sa.Text(), nullable=True),
        sa.Column("campaign", sa.Text(), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(["batch_id"], ["import_batch.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tracking_assignment")),
    )
    op.create_index(op.f("ix_tracking_assignment_batch_id"), "tracking_assignment", ["batch_id"])
    op.create_table(
        "due_work",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_due_work")),
    )
    op.add_column("evaluation", sa.Column("given_advisor_id", sa.Text(), nullable=True))
    op.add_column("evaluation", sa.Column("given_team", sa.Text(), nullable=True))
