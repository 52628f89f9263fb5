"""The steps of contacts, from received to evaluated; each a share of its base."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from qa_core.access.roles import Viewer
from qa_core.analysis import note_texts
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics.kpis import formatting
from qa_core.ui.frame import cached
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import tables

COUNTED = (
    "received",
    "answer_rate",
    "first_contact_resolution",
    "first_contact_resolution_declared",
    "csat",
)
OF_MISSES = ("call_back_rate", "recovered_rate")
OF_EVALUATIONS = ("evaluations", "evaluation_score")
KPIS = (*COUNTED[:2], *OF_MISSES, *COUNTED[2:], *OF_EVALUATIONS)
FIRST_GROUPS, EVERY_GROUP = (COUNTED, OF_MISSES), (COUNTED, OF_MISSES, OF_EVALUATIONS)
"""KPIs that the page reads first, and KPIs of all steps."""
DIMENSIONS = ("campaign", "source", "medium", "keyword", "tracking_number")
"""Dimensions that the page can compare by."""
TITLES: Mapping[str, str] = {
    "received": N_("Contacts"),
    "answered": N_("Answered"),
    "missed": N_("Missed"),
    "missed_callers": N_("Missed callers"),
    "call_back_rate": N_("Called back"),
    "recovered_rate": N_("Reached"),
    "first_contact_resolution": N_("No repeat contact"),
    "first_contact_resolution_declared": N_("Declared resolved"),
    "csat": N_("Satisfied"),
    "ratings": N_("Ratings"),
    "evaluations": N_("Evaluated"),
}


COUNTS: Mapping[str, tuple[str, Callable[[Any], float]]] = {
    "received": ("received", lambda row: row.value),
    "missed": ("answer_rate", lambda row: row.denominator - row.numerator),
    "missed_callers": ("recovered_rate", lambda row: row.denominator),
    "ratings": ("csat", lambda row: row.denominator),
    "evaluations": ("evaluations", lambda row: row.value),
}
"""Steps that are a number: the KPI whose row has it, and how."""
SHARES = {"answered": "answer_rate"} | {key: key for key in (*OF_MISSES, *COUNTED[2:])}
"""Steps that are a share of their base: the KPI that is this share."""


def title_of(key: str) -> str:
    return _(TITLES[key])


def read(
    viewer: Viewer,
    state: FilterState,
    dimension: str,
    groups: Sequence[tuple[str, ...]] = FIRST_GROUPS,
) -> dict[Any, dict[str, Any]]:
    """Return the rows of these KPIs by value of the dimension."""
    by: dict[Any, dict[str, Any]] = {}
    for kpis in groups:
        frame = cached.measure(viewer, kpis, (dimension,), state.where)
        for value, row in tables.index_rows(frame, dimension).items():
            by.setdefault(value, {}).update(row)
    return by


def read_count(rows: Mapping[str, Any], step: str) -> int | None:
    """Return the number of a step from the rows of one value by KPI; None if not known."""
    kpi, count = COUNTS[step]
    row = rows.get(kpi)
    return None if tables.value_of(row) is None else tables.to_integer(count(row))


def read_share(rows: Mapping[str, Any], step: str) -> float | None:
    """Return the share of a step from the rows of one value by KPI; None if not known."""
    return tables.value_of(rows.get(SHARES[step]))


def describe_limits(by: tables.Rows) -> Iterable[str]:
    """Yield what the steps of the known values do not hold."""
    known = [rows for value, rows in by.items() if value is not None]
    received = (rows["received"] for rows in known if "received" in rows)
    yield from note_texts.describe_populations(received)
    reached = (rows["recovered_rate"] for rows in known if "recovered_rate" in rows)
    if uncounted := sum(tables.to_integer(row.unknown_identity) or 0 for row in reached):
        yield ngettext(
            "{count} missed contact came from a withheld or shared number, so its outcome is not "
            "known.",
            "{count} missed contacts came from withheld or shared numbers, so their outcome is not "
            "known.",
            uncounted,
            count=formatting.number(uncounted),
        )
