"""Sessions know the sign-in at the identity provider that they came from; used logout
tokens.
"""

import sqlalchemy as sa
from alembic import op

from qa_core.storage.records.base import Base

revision = "0017"
down_revision = "0016"
COLUMNS = dict.fromkeys(("provider", "provider_session", "id_token"), sa.Text())


def upgrade() -> None:
    """Make the new table, and add the columns."""
    Base.metadata.tables["used_logout_token"].create(op.get_bind(), checkfirst=True)
    known = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("login_session")}
    for name, kind in COLUMNS.items():
        if name not in known:
            op.add_column("login_session", sa.Column(name, kind))
