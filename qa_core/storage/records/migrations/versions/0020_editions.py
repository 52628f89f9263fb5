"""Editions: months as they were published to executives, instead of files beside the records."""

import shutil

from alembic import op

from qa_core.base import environment
from qa_core.storage.records.base import Base

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Make the new tables. What earlier versions kept in files is worked out anew."""
    for name in ("edition", "edition_table"):
        Base.metadata.tables[name].create(op.get_bind(), checkfirst=True)
    shutil.rmtree(environment.current().folder / "published", ignore_errors=True)
