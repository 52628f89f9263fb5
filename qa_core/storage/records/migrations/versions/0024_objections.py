"""Objections of advisors, and objections that a person lifted; classes of recordings."""

import sqlalchemy as sa
from alembic import op

from qa_core.storage.records.base import Base, UtcDateTime

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Add the columns. What is in force stays so; recordings kept as proof get their class."""
    columns = sa.inspect(op.get_bind()).get_columns
    if "lifted_at" not in {column["name"] for column in columns("objection")}:
        with op.batch_alter_table("objection") as batch:
            batch.add_column(sa.Column("advisor_id", sa.Text()))
            batch.add_column(sa.Column("lifted_by", sa.Text()))
            batch.add_column(sa.Column("lifted_at", UtcDateTime()))
            batch.add_column(sa.Column("lifted_because", sa.Text()))
            batch.create_index("ix_objection_advisor_id", ["advisor_id"])
            batch.create_foreign_key(
                "fk_objection_advisor",
                "advisor",
                ["advisor_id"],
                ["advisor_id"],
                ondelete="CASCADE",
                onupdate="CASCADE",
            )
    if "kept_as" not in {column["name"] for column in columns("recording")}:
        op.add_column("recording", sa.Column("kept_as", sa.Text()))
    Base.metadata.tables["sealed_opening"].create(op.get_bind(), checkfirst=True)
    recording = sa.table("recording", sa.column("kept_as"), sa.column("purpose"))
    proof = recording.c.purpose == "proof"
    op.execute(sa.update(recording).where(proof).values(kept_as="proof"))
