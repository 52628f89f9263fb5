"""Count of the contacts that are restricted: what figures and lists leave out."""

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.storage import engine, lake, restrictions
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.facts.schema import CONTACTS


def count_restricted(viewer: Viewer) -> int:
    """Count the restricted contacts of the whole centre."""
    viewer.require(Permission.SEE_COMPLIANCE)
    restricted = restrictions.find_current()
    if not restricted or lake.span() is None:
        return 0
    is_restricted = sa.literal_column(f"({restricted.write_test()})", sa.Boolean)
    query = Unscoped(
        sa.select(sa.func.count().label("contacts")).select_from(CONTACTS).where(is_restricted),
        "The data protection officer sees the number of restricted contacts. Only that number is "
        "read.",
    )
    return int(engine.current().run(query)["contacts"][0])
