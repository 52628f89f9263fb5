"""Which values of one dimension lie inside another: a campaign belongs to one source, a queue to one site. The total of the outer one, shown, is then
a total of the inner ones too, and small ones among them must not follow from it."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from qa_core import engines, home, lake
from qa_core.access import EXECUTIVE_DIMENSIONS
from qa_core.facts import CONTACTS
from qa_core.kpis import COUNTED_DIRECTION
from qa_core.query import cuts
from qa_core.query.cuts import Names
from qa_core.records import store

DIMENSIONS = tuple(sorted(EXECUTIVE_DIMENSIONS - {"week", "month", "grid"}))
"""Of a contact, and without an order: what an executive may cut by."""

Group = frozenset[Any]


def find_groups(dimension: str | None) -> tuple[Group, ...]:
    """Sets of values of that dimension, each set covering exactly some values of another dimension over the whole lake."""
    if dimension not in DIMENSIONS or lake.version("contacts") < 0:
        return ()
    with store.reading() as session:
        names = Names.load(session, frozenset({"site"}))
    found = _find_all(home.current().lake_url, lake.version("contacts"), tuple(sorted(names.sites.items())))
    return found[dimension]


@functools.lru_cache(maxsize=4)
def _find_all(lake_url: str, version: int, sites: tuple[tuple[str, str], ...]) -> dict[str, tuple[Group, ...]]:
    names = Names({}, dict(sites))
    columns = [cuts.expression(name, CONTACTS.c, names).label(name) for name in DIMENSIONS]
    frame = engines.current().run(sa.select(*columns).where(COUNTED_DIRECTION).distinct())
    values = {name: [cuts.plain(name, value, names) for value in frame[name]] for name in DIMENSIONS}
    groups: dict[str, tuple[Group, ...]] = {}
    for inner in DIMENSIONS:
        every = frozenset(values[inner])
        made = {group for outer in DIMENSIONS if outer != inner for group in connected(values[inner], values[outer])}
        groups[inner] = tuple(sorted(made - {every}, key=lambda group: sorted(map(str, group))))
    return groups


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
