"""Count of customer keys: shows that they are pseudonyms (docs/compliance.md, R16)."""

import functools

import sqlalchemy as sa

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.storage import engine, lake
from qa_core.storage.guard import Unscoped
from qa_core.storage.schema import CONTACTS

PSEUDONYM = "[0-9a-f]{32}"


def count_customer_keys(viewer: Viewer) -> tuple[int, int]:
    """Count the newest month's contacts with a key, and those whose key is no pseudonym."""
    viewer.require(Permission.SEE_RULES)
    damage = lake.find_damage(names=["contacts"])
    return _count(environment.current().lake_url, (lake.version("contacts"), *damage))


@functools.lru_cache(maxsize=2)
def _count(_lake_url: str, _state: tuple[object, ...]) -> tuple[int, int]:
    span = lake.span()
    if span is None:
        return 0, 0
    key = CONTACTS.c.customer_key
    is_other = sa.not_(sa.func.regexp_full_match(key, PSEUDONYM))
    query = Unscoped(
        sa.select(
            sa.func.count(key).label("total"), sa.func.count(key).filter(is_other).label("other")
        ),
        "The check that callers' numbers are pseudonyms counts in the whole centre.",
    )
    frame = engine.current().run(query, first_month=f"{span[1]:%Y-%m}")
    return int(frame["total"][0]), int(frame["other"][0])
