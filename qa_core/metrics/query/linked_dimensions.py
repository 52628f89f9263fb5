"""Which values of one dimension lie inside another: a campaign belongs to one source, a
queue to one site. The total of the outer one, shown, is then a total of the inner ones
too, and small ones among them must not follow from it.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Collection, Iterable
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import EXECUTIVE_DIMENSIONS
from qa_core.base import environment
from qa_core.metrics.kpis import COUNTED_DIRECTION
from qa_core.metrics.query import dimension_sql
from qa_core.metrics.query.dimension_sql import Names
from qa_core.storage import engine, lake
from qa_core.storage.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.schema import CONTACTS

DIMENSIONS = tuple(sorted(EXECUTIVE_DIMENSIONS - {"week", "month", "grid"}))
"""Of a contact, and without an order: what an executive may cut by."""

Group = frozenset[Any]
Link = tuple[str, Group, str, Group]
"""A dimension and values of it, and another dimension with the values that the very
same contacts have there.
"""


def find_groups(dimension: str | None) -> tuple[Group, ...]:
    """Sets of values of that dimension, each set covering exactly some values of
    another dimension over the whole lake.
    """
    groups = {mine for one, mine, _other, _theirs in _find_now() if one == dimension}
    return tuple(sorted(groups, key=lambda group: sorted(map(str, group))))


def find_links(dimension: str | None, among: Collection[str]) -> tuple[Link, ...]:
    """The links between that dimension and others, those and others, and so on, of the
    dimensions `among`, each in both directions.
    """
    links = [link for link in _find_now() if link[0] in among and link[2] in among]
    reached = {dimension}
    while further := {other for one, _mine, other, _theirs in links if one in reached} - reached:
        reached |= further
    return tuple(link for link in links if link[0] in reached)


def _find_now() -> tuple[Link, ...]:
    if lake.version("contacts") < 0:
        return ()
    with store.reading() as session:
        names = Names.load(session, frozenset({"site"}))
    return _find_all(
        environment.current().lake_url, lake.version("contacts"), tuple(sorted(names.sites.items()))
    )


@functools.lru_cache(maxsize=4)
def _find_all(lake_url: str, version: int, sites: tuple[tuple[str, str], ...]) -> tuple[Link, ...]:
    names = Names({}, dict(sites))
    columns = [dimension_sql.expression(name, CONTACTS.c, names).label(name) for name in DIMENSIONS]
    query = Unscoped(
        sa.select(*columns).where(COUNTED_DIRECTION).distinct(),
        "Small cells are hidden by how values occur together in the whole lake: only values of "
        "dimensions that name nobody are read, and kept for all executives.",
    )
    frame = engine.current().run(query)
    values = {
        name: [dimension_sql.plain(name, value, names) for value in frame[name]]
        for name in DIMENSIONS
    }
    links = []
    for one, other in itertools.permutations(DIMENSIONS, 2):
        pairs = set(zip(values[one], values[other], strict=True))
        for mine in sorted(
            connected(values[one], values[other]), key=lambda group: sorted(map(str, group))
        ):
            if mine != frozenset(values[one]):
                links.append(
                    (
                        one,
                        mine,
                        other,
                        frozenset(theirs for value, theirs in pairs if value in mine),
                    )
                )
    return tuple(links)


def connected(inner: Iterable[Any], outer: Iterable[Any]) -> set[Group]:
    """The inner values that hang together through the outer ones they occur with."""
    members: dict[Any, set[Any]] = {}
    for value, other in set(zip(inner, outer, strict=True)):
        members.setdefault(other, set()).add(value)
    groups: list[set[Any]] = []
    for values in members.values():
        touching = [group for group in groups if group & values]
        groups = [group for group in groups if not group & values] + [values.union(*touching)]
    return {frozenset(group) for group in groups}
