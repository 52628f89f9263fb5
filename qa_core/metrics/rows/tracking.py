"""Currencies of the spend."""

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.storage import engine
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.facts.schema import SPEND


def find_currencies(viewer: Viewer) -> list[str]:
    """Find the currencies of all spend, in alphabetical order."""
    viewer.require(Permission.SEE_TRACKING)
    statement = sa.select(SPEND.c.currency).distinct().order_by(SPEND.c.currency)
    frame = engine.current().run(Scoped(statement, viewer))
    return list(frame["currency"])
