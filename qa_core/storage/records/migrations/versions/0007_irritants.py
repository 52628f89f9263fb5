"""What annoys customers: remarks of evaluators, and the list of what is done about it"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("evaluation", sa.Column("comment", sa.Text(), nullable=True))
    op.add_column("evaluation", sa.Column("tags", sa.JSON(), nullable=True))
    op.create_table(
        "irritant",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("dimension", sa.Text(), nullable=True),
        sa.Column("dimension_value", sa.Text(), nullable=True),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.Column("shown", sa.Text(), nullable=False),
        sa.Column("filters", sa.JSON(), nullable=False),
        sa.Column("concerns_unassigned", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("due_on", sa.Date(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("opened_by", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner"], ["account.username"], name=op.f("fk_irritant_owner"), ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_irritant")),
    )
    op.create_index(op.f("ix_irritant_owner"), "irritant", ["owner"])
    op.create_table(
        "irritant_team",
        sa.Column("irritant_id", sa.Integer(), nullable=False),
        sa.Column("team_name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["irritant_id"],
            ["irritant.id"],
            name=op.f("fk_irritant_team_irritant_id"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["team_name"],
            ["team.name"],
            name=op.f("fk_irritant_team_team_name"),
            ondelete="CASCADE",
            onupdate="CASCADE",
        ),
        sa.PrimaryKeyConstraint("irritant_id", "team_name", name=op.f("pk_irritant_team")),
    )
    op.create_index(op.f("ix_irritant_team_team_name"), "irritant_team", ["team_name"])
    op.create_table(
        "irritant_step",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("irritant_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("taken_by", sa.Text(), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["irritant_id"],
            ["irritant.id"],
            name=op.f("fk_irritant_step_irritant_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_irritant_step")),
    )
    op.create_index(op.f("ix_irritant_step_irritant_id"), "irritant_step", ["irritant_id"])
