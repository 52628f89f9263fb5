"""Explanation of a value in words."""

from datetime import date, datetime
from typing import Any

from qa_core.base.i18n import N_, _
from qa_core.metrics.kpis import FactTable, Kpi, KpiKind, Unit, formatting
from qa_core.metrics.query import Explanation

_ALL_CONTACTS, _COUNTED_CONTACTS = N_("All contacts, inbound and outbound"), N_("Counted contacts")
UNIVERSES = {
    FactTable.MISSED: N_("All missed contacts"),
    FactTable.EVALUATION_ANSWERS: N_("All published evaluations"),
    FactTable.ADVISORS: N_("All advisors evaluated"),
    "alignment": N_("All pairs of scores in closed calibration sessions"),
    "agreement": N_("All scored contacts of closed calibration sessions"),
}
COUNTED = {
    FactTable.MISSED: N_("Counted: missed callers, one miss each"),
    FactTable.EVALUATION_ANSWERS: N_("Counted evaluations"),
    FactTable.ADVISORS: N_("Counted advisors"),
    "alignment": N_("Compared pairs"),
    "agreement": N_("Counted: contacts scored by two evaluators or more"),
}

PUBLISHED = N_(
    "The value is the published one: what changed in the data since then counts only where it "
    "concerns many."
)
"""Sentence beside a value with `is_published`."""


def name_universe(kpi: Kpi) -> str:
    """Return the title of all rows the KPI looks at."""
    if kpi.key == "spend":
        return _("All spend entries")
    return _(UNIVERSES.get(kpi.key) or UNIVERSES.get(kpi.subject, _ALL_CONTACTS))


def name_counted(kpi: Kpi) -> str:
    if kpi.kind == KpiKind.DISTINCT:
        return _("Counted customers, once each")
    if kpi.key == "spend":
        return _("Counted entries")
    return _(COUNTED.get(kpi.key) or COUNTED.get(kpi.subject, _COUNTED_CONTACTS))


def build_rows(explanation: Explanation) -> list[tuple[str, int]]:
    """Return titles and counts from all rows to those counted; empty if hidden."""
    if explanation.universe is None or explanation.counted is None:
        return []
    kpi, totals = explanation.kpi, explanation.from_totals
    rows = [(name_universe(kpi), explanation.universe)]
    rows += [
        (f"{formatting.MINUS} {_(line.title)}", line.n) for line in explanation.excluded if line.n
    ]
    rows.append((f"= {name_counted(kpi)}", explanation.counted + totals))
    return [*rows, (_("including totals by interval"), totals)] if totals else rows


def format_calculation(kpi: Kpi, row: Any, currency: str | None = None) -> str:
    """Write numerator / denominator = value; empty for a total."""
    if (
        formatting.is_missing(row.value)
        or formatting.is_missing(row.numerator)
        or not row.denominator
    ):
        return ""
    result = formatting.value(row.value, kpi.unit, currency)
    n = formatting.number(row.denominator)
    if kpi.unit == Unit.NPS:
        return f"100 × {formatting.number(row.numerator)} / {n} = {result}"
    if kpi.unit == Unit.MONEY:
        return f"{formatting.money(row.numerator, currency)} / {n} = {result}"
    if kpi.unit == Unit.SECONDS:
        return f"{formatting.duration(row.numerator)} / {n} = {result}"
    return (
        f"{formatting.number(row.numerator, 0 if float(row.numerator).is_integer() else 1)} "
        f"/ {n} = {result}"
    )


def describe_moment(moment: datetime | date | None) -> str:
    """Format the newest contact or day of a source."""
    if moment is None:
        return "–"
    if isinstance(moment, datetime):
        return formatting.moment(moment)
    return formatting.day(moment, year=True)
