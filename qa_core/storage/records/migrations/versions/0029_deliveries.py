"""Choices of mail, the ledger of deliveries and the webhook."""

from alembic import op

from qa_core.storage.records.base import Base

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    for name in ("mail_choice", "delivery", "webhook"):
        Base.metadata.tables[name].create(op.get_bind(), checkfirst=True)
