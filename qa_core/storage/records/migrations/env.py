"""Runs the migrations of the records, in one transaction, on the database that the
caller names.
"""

import sqlalchemy as sa
from alembic import context

from qa_core.storage.records.base import Base
from qa_core.storage.records.store import engine_for

engine = engine_for(context.config.get_main_option("sqlalchemy.url")).execution_options(writes=True)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7301)"))
        context.run_migrations()
