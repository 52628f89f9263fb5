"""Rows of stores since revision 0009, whose schema `env.py` has completed.

CONTRIBUTING.md, "Change the records", says how later revisions are added beside this one.
"""

import hashlib
import json
import shutil

import sqlalchemy as sa
from alembic import context, op

from qa_core.base import environment
from qa_core.storage import keyed_ids
from qa_core.storage.records.base import Base, now

revision = "0032"
down_revision = None


def upgrade() -> None:
    """Do what the revisions after the store's own did."""
    since, tables = context.config.attributes["since"], Base.metadata.tables
    if since < "0020":  # published figures are editions now
        shutil.rmtree(environment.current().folder / "published", ignore_errors=True)
    if since < "0022":
        with op.batch_alter_table("accreditation") as batch:
            batch.alter_column("username", existing_type=sa.Text(), nullable=True)
    if since < "0023":  # the time of accounts that are closed already begins now
        account = tables["account"]
        is_closed = account.c.active == sa.false(), account.c.closed_at.is_(None)
        op.execute(sa.update(account).where(*is_closed).values(closed_at=now()))
    if since < "0024":
        recording = tables["recording"]
        proof = recording.c.purpose == "proof"
        op.execute(sa.update(recording).where(proof).values(kept_as="proof"))
    if since < "0027":
        _confirm_layouts(op.get_bind())
    keyed_ids.take_over(op.get_bind())


def _confirm_layouts(connection: sa.Connection) -> None:
    """Confirm one layout for each kind, system and mapping imported so far."""
    tables = Base.metadata.tables
    batch, confirmed = tables["import_batch"], tables["confirmed_reading"]
    names = ("kind", "system", "mapping", "options", "actor", "finished_at")
    imported = sa.select(*(batch.c[name] for name in names)).where(
        batch.c.state == "done", batch.c.kind != "recordings"
    )
    layouts = {}
    for row in connection.execute(imported.order_by(batch.c.started_at)):
        text = json.dumps([row.kind, row.system, [*row.mapping.values()]], ensure_ascii=False)
        layout = hashlib.sha256(text.encode()).hexdigest()[:10]
        layouts[layout] = {
            "layout": layout,
            "kind": row.kind,
            "system": row.system,
            "mapping": row.mapping,
            "headers": [],
            "options": row.options,
            "words": {},
            "facts": {},
            "printed": [],
            "confirmed_by": row.actor,
            "confirmed_at": row.finished_at,
            "updated_at": row.finished_at,
        }
    known = set(connection.scalars(sa.select(confirmed.c.layout)))
    if new := [row for layout, row in layouts.items() if layout not in known]:
        connection.execute(sa.insert(confirmed), new)
