"""The steps of contacts, from received to evaluated; each a share of its base."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
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
    "answered": N_("Answered"),
    "missed": N_("Missed"),
    "missed_callers": N_("Missed callers"),
    "call_back_rate": N_("Called back"),
    "recovered_rate": N_("Reached"),
    "first_contact_resolution": N_("No repeat contact"),
    "first_contact_resolution_declared": N_("Declared resolved"),
    "csat": N_("Satisfied"),
    "evaluations": N_("Evaluated"),
}


@dataclass(frozen=True)
class PathStep:
    """One step: `count` of `base`, None if not known."""

    count: float | None = None
    base: float | None = None

    @property
    def share(self) -> float | None:
        return None if self.count is None or not self.base else self.count / self.base


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


def build_path(rows: Mapping[str, Any]) -> dict[str, PathStep]:
    """Return the steps of one value, from its rows by KPI."""
    received, evaluations = (_read_value(rows, key) for key in ("received", "evaluations"))
    answered, reached = _read_rate(rows, "answer_rate"), _read_rate(rows, "recovered_rate")
    missed = None if answered.count is None else answered.base - answered.count
    return {
        "received": PathStep(received),
        "answered": answered,
        "missed": PathStep(missed, answered.base),
        "missed_callers": PathStep(reached.base),
        **{key: _read_rate(rows, key) for key in (*OF_MISSES, *COUNTED[2:])},
        "evaluations": PathStep(evaluations),
    }


def _read_value(rows: Mapping[str, Any], key: str) -> float | None:
    return tables.value_of(rows.get(key))


def _read_rate(rows: Mapping[str, Any], key: str) -> PathStep:
    if _read_value(rows, key) is None:
        return PathStep()
    return PathStep(rows[key].numerator, rows[key].denominator)


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
