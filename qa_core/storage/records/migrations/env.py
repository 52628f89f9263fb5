"""Migration of the records in one transaction, on the database that the caller names: what the
models declare is added to an older store, then its rows are changed by the revisions.
"""

from typing import Any

import sqlalchemy as sa
from alembic import context
from alembic.operations import Operations

from qa_core.storage.records.base import Base
from qa_core.storage.records.store import BUSY_SECONDS, engine_for


def complete(connection: sa.Connection) -> None:
    """Add the tables, columns and indexes that the models declare and the store lacks."""
    Base.metadata.create_all(connection)
    present, operations = sa.inspect(connection), Operations(context.get_context())
    tables = Base.metadata.sorted_tables
    referred = {key.column.table for table in tables for key in table.foreign_keys}
    for table in tables:
        known = {column["name"] for column in present.get_columns(table.name)}
        # A constraint makes a table of SQLite anew. Where others refer to it, their rows would
        # go with it: such a column fails here, before anything is changed.
        recreate = "never" if table in referred else "auto"
        with operations.batch_alter_table(table.name, recreate=recreate) as batch:
            for column in table.columns:
                if column.name not in known:
                    batch.add_column(_build(column))
                    if column.unique and not column.index:
                        batch.create_unique_constraint(None, [column.name])
        for index in table.indexes:
            index.create(connection, checkfirst=True)


def _build(column: sa.Column[Any]) -> sa.Column[Any]:
    """Build the same column for a table that exists."""
    references = (
        sa.ForeignKey(key.target_fullname, ondelete=key.ondelete, onupdate=key.onupdate)
        for key in column.foreign_keys
    )
    return sa.Column(
        column.name,
        column.type,
        *references,
        nullable=column.nullable,
        server_default=column.server_default,
    )


engine = engine_for(context.config.get_main_option("sqlalchemy.url")).execution_options(
    writes=BUSY_SECONDS
)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
    with connection.begin():
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7301)"))
        if sa.inspect(connection).has_table("alembic_version"):
            since = context.get_context().get_current_revision() or ""
            context.config.attributes["since"] = since
            if since < context.get_head_revision():
                complete(connection)
            if since < context.script.get_base():
                # Its revision has no file any more: the first one does the work of all of them.
                connection.execute(sa.text("DELETE FROM alembic_version"))
            context.run_migrations()
        else:
            Base.metadata.create_all(connection)
            context.get_context().stamp(context.script, "head")
