"""Readings of files that a person has confirmed; layouts of earlier imports count as such."""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

from qa_core.storage.records.base import Base

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Add the table, with one layout for each kind, system and mapping imported so far."""
    bind, tables = op.get_bind(), Base.metadata.tables
    tables["confirmed_reading"].create(bind, checkfirst=True)
    batch, confirmed = tables["import_batch"], tables["confirmed_reading"]
    names = ("kind", "system", "mapping", "options", "actor", "finished_at")
    imported = sa.select(*(batch.c[name] for name in names)).where(
        batch.c.state == "done", batch.c.kind != "recordings"
    )
    layouts = {}
    for row in bind.execute(imported.order_by(batch.c.started_at)):
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
    known = set(bind.scalars(sa.select(confirmed.c.layout)))
    if new := [row for layout, row in layouts.items() if layout not in known]:
        bind.execute(sa.insert(confirmed), new)
