"""Factors compared with satisfaction: properties of a contact, with levels fixed for all."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from qa_core.base.i18n import N_
from qa_core.metrics.kpis import KpiInputs
from qa_core.metrics.kpis.rows import KNOWN_CUSTOMER, number, word
from qa_core.storage.facts.schema import CONTACTS

_c = CONTACTS.c
BANDS = ("short", "some", "long", "very_long")


@dataclass(frozen=True)
class Factor:
    """A property of contacts. `levels`: key → title (an English message); none for a
    dimension, whose values are names. `compared_levels`: default all; of two levels one
    is enough. `title` is empty where the level's title is enough. `expression`: the
    level of a contact, null where unknown.
    """

    key: str
    title: str
    levels: dict[str, str] = field(default_factory=dict, hash=False)
    compared_levels: tuple[str, ...] | None = None
    expression: Callable[[KpiInputs], sa.ColumnElement[Any]] | None = None
    seconds: dict[str, tuple[int, int | None]] = field(default_factory=dict, hash=False)
    """Of a time: the bounds of each level."""

    @property
    def is_dimension(self) -> bool:
        return self.expression is None


def _bands(
    column: sa.ColumnElement[Any], *edges: tuple[str | None, str]
) -> Callable[[KpiInputs], sa.ColumnElement[Any]]:
    """Return the first band whose edge the value stays below; the last has none."""
    *below, (_, last) = edges
    cases = [
        (column.is_(None), sa.cast(sa.null(), sa.Text)),
        *((column < number(edge), word(name)) for edge, name in below),
    ]
    return lambda inputs: sa.case(*cases, else_=word(last))


def _band_times(key: str, title: str, column: sa.ColumnElement[Any], *bounds: int) -> Factor:
    """Build the factor of a time in four bands, from these bounds in seconds."""
    edges = zip(map(str, map(float, bounds)), BANDS[:-1], strict=True)
    return Factor(
        key,
        title,
        expression=_bands(column, *edges, (None, BANDS[-1])),
        seconds=dict(zip(BANDS, pairwise((0, *bounds, None)), strict=True)),
    )


def _came_back(inputs: KpiInputs) -> sa.ColumnElement[Any]:
    """Return whether the customer was in touch again within the window of first contact;
    unknown while it is open, and for an unknown customer.
    """
    if inputs.span is None:
        return sa.cast(sa.null(), sa.Text)
    is_over = _c.started_at + sa.literal(inputs.window) <= sa.literal(inputs.span[1], sa.DateTime)
    came = sa.and_(_c.seconds_to_next.is_not(None), _c.seconds_to_next <= inputs.window_seconds)
    return sa.case(
        (sa.not_(KNOWN_CUSTOMER), sa.cast(sa.null(), sa.Text)),
        (came, word("yes")),
        (is_over, word("no")),
    )


def _had_been_in_touch(inputs: KpiInputs) -> sa.ColumnElement[Any]:
    before = sa.and_(
        _c.seconds_since_previous.is_not(None), _c.seconds_since_previous <= inputs.window_seconds
    )
    return sa.case(
        (sa.not_(KNOWN_CUSTOMER), sa.cast(sa.null(), sa.Text)),
        (before, word("yes")),
        else_=word("no"),
    )


FACTORS: tuple[Factor, ...] = (
    Factor("reason", N_("Reason")),
    Factor("queue", N_("Queue")),
    Factor("channel", N_("Channel")),
    Factor("campaign", N_("Campaign")),
    _band_times("wait", N_("Wait"), _c.wait_seconds, 10, 30, 120),
    _band_times("talk", N_("Talk"), _c.talk_seconds, 180, 300, 600),
    Factor(
        "transfers",
        N_("Transfers"),
        {"none": "0", "one": "1", "more": N_("2 or more")},
        None,
        _bands(_c.transfers, ("1", "none"), ("2", "one"), (None, "more")),
    ),
    Factor("declared", N_("Declared"), compared_levels=("no",)),
    Factor("came_back", "", {"yes": N_("Further contact soon after")}, ("yes",), _came_back),
    Factor(
        "had_been_in_touch",
        "",
        {"yes": N_("Previous contact shortly before")},
        ("yes",),
        _had_been_in_touch,
    ),
)
BY_KEY = {factor.key: factor for factor in FACTORS}
CRITERION = "criterion"
"""The factor of what an evaluation of the same contact says: each criterion with all
its points, against those with fewer.
"""
