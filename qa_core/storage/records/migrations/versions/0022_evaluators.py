"""Persons without an account whose evaluations may be imported, and their accreditations."""

import sqlalchemy as sa
from alembic import op

from qa_core.storage.records.base import Base

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Add the table and the columns: nobody is confirmed, and nothing is accredited anew."""
    tables = Base.metadata.tables
    tables["confirmed_evaluator"].create(op.get_bind(), checkfirst=True)
    known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("accreditation")}
    if "evaluator" in known:
        return
    with op.batch_alter_table("accreditation") as batch:
        batch.alter_column("username", existing_type=sa.Text(), nullable=True)
        batch.add_column(sa.Column("evaluator", sa.Text()))
        batch.add_column(sa.Column("reason", sa.Text()))
        batch.create_index("ix_accreditation_evaluator", ["evaluator"])
        batch.create_foreign_key(
            "fk_accreditation_evaluator",
            "confirmed_evaluator",
            ["evaluator"],
            ["name"],
            ondelete="CASCADE",
        )
