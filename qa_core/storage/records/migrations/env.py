"""Migration of the records in one transaction, on the database that the caller names."""

import sqlalchemy as sa
from alembic import context

from qa_core.storage.records.base import Base
from qa_core.storage.records.store import BUSY_SECONDS, engine_for

engine = engine_for(context.config.get_main_option("sqlalchemy.url")).execution_options(
    writes=BUSY_SECONDS
)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7301)"))
        if sa.inspect(connection).has_table("alembic_version"):
            context.run_migrations()
        else:
            Base.metadata.create_all(connection)
            context.get_context().stamp(context.script, "head")
