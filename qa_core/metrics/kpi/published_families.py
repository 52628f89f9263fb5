"""Denominator families: which KPIs share a published table, which rows they count,
and which tables have to agree so that none gives away what another one hides.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from qa_core.access.roles import EXECUTIVE_DIMENSIONS
from qa_core.metrics.kpi.statements import MetricQuery, parts_of
from qa_core.metrics.kpis import (
    COUNTED_DIRECTION,
    EVALUATED,
    RECEIVED,
    FactTable,
    Kpi,
    KpiKind,
    get_kpi,
)
from qa_core.metrics.kpis.declaration import Predicate
from qa_core.storage.facts.schema import CONTACTS

DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "contacts": tuple(sorted(EXECUTIVE_DIMENSIONS - {"month", "grid"})),
    "evaluations": tuple(sorted(EXECUTIVE_DIMENSIONS - {"month"})),
}
"""The dimensions that tables are published by, for each kind of row."""
COST_DIMENSIONS = ("", "medium", "campaign")
"""By which a cost can be cut, besides by source ("": not at all)."""
WITH_SOURCE = "with_source:"
"""Before a dimension: its cells, of rows with a known source alone."""


@dataclass(frozen=True)
class Family:
    """The rows that a KPI counts (`part` "rows"), or those of its numerator ("hits").

    `within`: families whose hidden cells this one hides too, because its figures and
    theirs give each other away. `with_source`: the dimensions ("": the total) by which
    its figures also count the rows with a known source.
    """

    kpi: str
    part: str = "rows"
    within: tuple[str, ...] = ()
    with_source: tuple[str, ...] = ()
    dimensions: tuple[str, ...] | None = None
    """Those of its tables, where they are fewer than those of the KPI."""
    is_widest: bool = False
    """Whether it counts, up to contacts outside opening hours, all rows."""

    @property
    def key(self) -> str:
        return self.kpi if self.part == "rows" else f"{self.kpi}:{self.part}"


FAMILIES: Mapping[str, tuple[Family, ...]] = {
    "contacts": (
        Family("answer_rate", "hits", with_source=COST_DIMENSIONS),
        Family("answer_rate", within=("answer_rate:hits",), is_widest=True),
        Family("abandon_rate", within=("service_level",)),
        Family("average_speed_of_answer"),
        # what it counts = answered with a known wait + abandoned
        Family("service_level", within=("abandon_rate", "average_speed_of_answer")),
        Family("average_time_to_abandon"),
        Family("average_handle_time"),
        Family("average_talk_time"),
        Family("transfer_rate"),
        Family("recovered_rate"),
        Family("repeat_caller_rate"),
        Family("first_contact_resolution"),
        Family("first_contact_resolution_declared", "hits", with_source=COST_DIMENSIONS),
        Family(
            "first_contact_resolution_declared", within=("first_contact_resolution_declared:hits",)
        ),
        Family("first_contact_resolution_surveyed"),
        # The count shown is that of the hits, among the rows that could have been one.
        Family("repeat_contacts", "hits", within=("repeat_contacts",)),
        Family("repeat_contacts", within=("repeat_contacts:hits",)),
        Family("cost_of_repeats"),
        Family("repeat_handle_time", within=("cost_of_repeats",)),
        Family("csat"),
        # with the same satisfied, and as many silent in both
        Family("csat_if_silent_unhappy", within=("csat",)),
        Family("unhappy_rate"),
        Family("nps"),
        Family("ces"),
        Family("response_rate", "hits"),
        Family("response_rate", within=("response_rate:hits",)),
        # by anything but the source it would be a second cut: with or without one
        Family(
            "attribution_rate", with_source=COST_DIMENSIONS, dimensions=("source",), is_widest=True
        ),
        Family("recording_rate"),
    ),
    "evaluations": (
        Family("evaluations", is_widest=True),
        Family("evaluation_score"),
        Family("evaluation_pass_rate"),
        Family("critical_accuracy_customer"),
        Family("critical_accuracy_business"),
        Family("critical_accuracy_compliance"),
    ),
}

DECIDED_BY: Mapping[str, str] = {
    "received": "answer_rate",
    "answered": "answer_rate:hits",
    "missed": "answer_rate",
    "talk_time": "average_talk_time",
    "csat_mean": "csat",
    "csat_if_silent_happy": "csat_if_silent_unhappy",
    "ces_agree": "ces",
    "call_back_rate": "recovered_rate",
    "first_time_callers": "repeat_caller_rate",
    "returning_callers": "repeat_caller_rate",
    "cost_per_contact": "attribution_rate",
    "cost_per_answered": "answer_rate:hits",
    "cost_per_resolved": "first_contact_resolution_declared:hits",
}
"""KPIs that count the rows of another family. KPIs of no family are not published:
those of single advisors' means, and of listening.
"""

COSTS = frozenset({"cost_per_contact", "cost_per_answered", "cost_per_resolved"})
COUNTED_WITH_SOURCE = COSTS | {"attribution_rate"}
"""KPIs that count the rows of a cell with a known source."""


MISSED_CALLERS, CUSTOMERS = "recovered_rate", "repeat_caller_rate"
"""Families that do not count contacts, but callers once per recovery window and customers once."""


def dimensions_of(family: Family) -> tuple[str, ...]:
    """Return the dimensions that the tables of a family are published by."""
    if family.dimensions is not None:
        return family.dimensions
    open_to = get_kpi(family.kpi).dimensions
    return tuple(name for name in DIMENSIONS[KIND_OF[family.key]] if name in open_to)


def family_of(kpi: str) -> str:
    """Return the key of the family that decides about a KPI."""
    return DECIDED_BY.get(kpi, kpi)


KIND_OF: Mapping[str, str] = {
    family.key: kind for kind, families in FAMILIES.items() for family in families
}


@dataclass(frozen=True, eq=False)
class Population:
    """Rows that a figure counts, and those that bring their advisors to it. `totals`:
    the KPI and the sum of it that intervals add to the rows, where some do.
    """

    rows: Predicate
    advisors: Predicate
    totals: tuple[Kpi, str] | None = None


def find_population(question: MetricQuery, family: Family) -> Population:
    """Find the rows of a family; none where missed callers or customers are counted,
    which are rows of another kind (`published_tables`).
    """
    kpi = get_kpi(family.kpi)
    if kpi.subject == FactTable.EVALUATION_ANSWERS:
        rows = parts_of(question, kpi, EVALUATED.c).denominator
        return Population(rows, rows)
    if kpi.subject == FactTable.MISSED:
        return _inbound_population(sa.false(), RECEIVED)
    parts = parts_of(question, kpi, CONTACTS.c)
    advisors = (
        parts.denominator if parts.contributing_advisors is None else parts.contributing_advisors
    )
    if family.part == "hits":
        return _inbound_population(parts.hits, parts.hits, (kpi, "hits") if kpi.sums else None)
    rows = parts.denominator
    if kpi.kind == KpiKind.TOTAL and parts.hits is not None:
        rows = advisors  # a count is one among those it could have been
    if kpi.kind == KpiKind.DISTINCT:
        rows = sa.false()
    return _inbound_population(rows, advisors, (kpi, "n") if kpi.sums else None)


def _inbound_population(
    rows: Predicate, advisors: Predicate, totals: tuple[Kpi, str] | None = None
) -> Population:
    return Population(
        sa.and_(COUNTED_DIRECTION, rows), sa.and_(COUNTED_DIRECTION, advisors), totals
    )
