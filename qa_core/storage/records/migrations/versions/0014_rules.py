"""States of the rules, day by day; exclusions and requests for them; restrictions."""

import sqlalchemy as sa
from alembic import op

from qa_core.storage.records.base import Base

revision = "0014"
down_revision = "0013"
TABLES = ("rule_day", "exclusion", "restriction")
COLUMNS = ("source_system", "contact_id")


def upgrade() -> None:
    """Make the new tables, and the contact that a request is about."""
    for name in TABLES:
        Base.metadata.tables[name].create(op.get_bind(), checkfirst=True)
    known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("subject_request")}
    for name in COLUMNS:
        if name not in known:
            op.add_column("subject_request", sa.Column(name, sa.String()))
