"""Denominator families: which KPIs share a published table, which rows they count,
and which tables have to agree so that none gives away what another one hides.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from qa_core.access.roles import EXECUTIVE_DIMENSIONS
from qa_core.metrics.kpi.statements import MetricQuery, parts_of
from qa_core.metrics.kpis import (
    ALL,
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
    """Rows that a KPI counts (`part` "rows"), or the rows of its numerator ("hits").

    `within`: families whose hidden cells this one hides too, because each can be derived
    from the other. `with_source`: the dimensions ("": the total) by which its figures
    also count the rows with a known source.
    """

    kpi: str
    part: str = "rows"
    within: tuple[str, ...] = ()
    with_source: tuple[str, ...] = ()
    dimensions: tuple[str, ...] | None = None
    """Dimensions of its tables, where they are fewer than the KPI's."""
    is_widest: bool = False
    """Whether it counts, up to contacts outside opening hours, all rows."""
    among: str | None = None
    """The family whose rows its own are some of, as everybody knows."""
    is_of_nobody: bool = False
    """Whether no advisor took its rows: who works there is behind them."""
    tells_handlers: bool = False
    """Its figures count contacts that machines took or passed on. These are the cells of machines
    in the family it is `among`.
    """

    @property
    def key(self) -> str:
        return self.kpi if self.part == "rows" else f"{self.kpi}:{self.part}"


ANSWERED, ALL_RECEIVED = "answer_rate:hits", "received"
FAMILIES: Mapping[str, tuple[Family, ...]] = {
    "contacts": (
        Family("received", within=(ANSWERED,), is_widest=True),
        Family("answer_rate", within=(ANSWERED,), is_widest=True, among="received"),
        Family("answer_rate", "hits", with_source=COST_DIMENSIONS, among="answer_rate"),
        Family("abandon_rate", within=("service_level",), among=ALL_RECEIVED),
        Family("average_speed_of_answer", among=ANSWERED),
        # what it counts = answered with a known wait + abandoned
        Family(
            "service_level",
            within=("abandon_rate", "average_speed_of_answer"),
            among=ALL_RECEIVED,
        ),
        Family("average_time_to_abandon", among=ALL_RECEIVED, is_of_nobody=True),
        Family("average_handle_time", among=ANSWERED),
        Family("average_talk_time", among=ANSWERED),
        Family("transfer_rate", among=ANSWERED),
        Family("recovered_rate", is_of_nobody=True),
        Family("repeat_caller_rate"),
        Family("first_contact_resolution", among=ANSWERED),
        Family(
            "first_contact_resolution_declared",
            within=("first_contact_resolution_declared:hits",),
            among=ANSWERED,
        ),
        Family(
            "first_contact_resolution_declared",
            "hits",
            with_source=COST_DIMENSIONS,
            among="first_contact_resolution_declared",
        ),
        Family("first_contact_resolution_surveyed", among=ALL_RECEIVED),
        Family("machine_share", among=ANSWERED, tells_handlers=True),
        Family("lasting_resolution", among=ANSWERED, tells_handlers=True),
        Family("lasting_resolution_people", among=ANSWERED),
        Family("handover_rate", among=ALL_RECEIVED, tells_handlers=True),
        Family("handover_wait", among=ANSWERED, tells_handlers=True),
        # The count shown is the number of hits, among the rows that could have been one.
        Family("repeat_contacts", within=("repeat_contacts:hits",), among=ALL_RECEIVED),
        Family("repeat_contacts", "hits", within=("repeat_contacts",), among="repeat_contacts"),
        Family("cost_of_repeats", among="repeat_contacts:hits"),
        Family("repeat_handle_time", within=("cost_of_repeats",), among="repeat_contacts:hits"),
        Family("csat", among=ALL_RECEIVED),
        # with the same satisfied, and as many silent in both
        Family("csat_if_silent_unhappy", within=("csat",), among=ALL_RECEIVED),
        Family("unhappy_rate", among=ALL_RECEIVED),
        Family("nps", among=ALL_RECEIVED),
        Family("ces", among=ALL_RECEIVED),
        Family("response_rate", within=("response_rate:hits",), among=ALL_RECEIVED),
        Family("response_rate", "hits", among="response_rate"),
        # by anything but the source it would be a second cut: with or without one
        Family(
            "attribution_rate", with_source=COST_DIMENSIONS, dimensions=("source",), is_widest=True
        ),
        Family("recording_rate", among=ANSWERED),
    ),
    "evaluations": (
        Family("evaluations", is_widest=True),
        Family("evaluation_score", among="evaluations"),
        Family("evaluation_pass_rate", among="evaluations"),
        Family("critical_accuracy_customer", among="evaluations"),
        Family("critical_accuracy_business", among="evaluations"),
        Family("critical_accuracy_compliance", among="evaluations"),
    ),
}

DECIDED_BY: Mapping[str, str] = {
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
"""KPIs that count the rows of another family. KPIs of no family are not published: means
of single advisors, and listening.
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


@dataclass(frozen=True)
class PublishedPart:
    """A part of a family's rows that a figure shows (`of`: hits or negative)."""

    kpi: str
    of: str = "hits"

    @property
    def family(self) -> str:
        return family_of(self.kpi)


WITHOUT_PARTS = frozenset(
    {"answer_rate", "csat_if_silent_unhappy", "csat_if_silent_happy", "attribution_rate"}
    | {"first_time_callers", "returning_callers"}
)
"""KPIs whose numerator other families count, or the dimension itself tells; and those that
look at the whole past.
"""
PARTS: Mapping[str, tuple[PublishedPart, ...]] = {
    kind: tuple(
        PublishedPart(kpi.key, of)
        for kpi in ALL
        if KIND_OF.get(family_of(kpi.key)) == kind and kpi.key not in WITHOUT_PARTS
        for of in {
            KpiKind.RATIO: ("hits",),
            KpiKind.DISTINCT: ("hits",),
            KpiKind.STATISTIC: ("hits", "negative"),
        }.get(kpi.kind, ())
        if kpi.subject != FactTable.SPEND
    )
    for kind in FAMILIES
}


def find_parts(question: MetricQuery, kind: str, columns: Any) -> list[Predicate]:
    """Find the rows of each part; none of those that are no rows of contacts."""
    parts = []
    for part in PARTS[kind]:
        kpi = get_kpi(part.kpi)
        if kpi.subject in (FactTable.MISSED, FactTable.CUSTOMERS) or kpi.kind == KpiKind.DISTINCT:
            parts.append(sa.false())
            continue
        of_rows = parts_of(question, kpi, columns)
        parts.append(sa.and_(of_rows.denominator, getattr(of_rows, part.of)))
        if kpi.subject == FactTable.CONTACTS:
            parts[-1] = sa.and_(COUNTED_DIRECTION, parts[-1])
    return parts


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
