"""What undoing a batch needs: before-images of records, and which batch joined a
waiting row
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "before_image",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("batch_id", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_id"],
            ["import_batch.id"],
            name=op.f("fk_before_image_batch_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_before_image")),
        sa.UniqueConstraint(
            "batch_id", "object", "key", name=op.f("uq_before_image_batch_id_object_key")
        ),
    )
    op.create_index(op.f("ix_before_image_batch_id"), "before_image", ["batch_id"])
    op.add_column("waiting_row", sa.Column("joined_by", sa.Text(), nullable=True))
    op.create_index(op.f("ix_waiting_row_joined_by"), "waiting_row", ["joined_by"])
