"""One-time passwords that end"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("account", sa.Column("one_time_since", sa.DateTime(timezone=True), nullable=True))
    account = sa.table(
        "account",
        sa.column("one_time_since", sa.DateTime(timezone=True)),
        sa.column("must_change_password", sa.Boolean()),
    )
    # Those that are out count from now on: their days begin when the rule does.
    moment = datetime.now(UTC)
    if op.get_bind().dialect.name == "sqlite":
        moment = moment.replace(tzinfo=None)
    op.execute(
        sa.update(account).where(account.c.must_change_password).values(one_time_since=moment)
    )
