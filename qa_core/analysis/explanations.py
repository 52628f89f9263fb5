"""Explanation of a value in words, on the page and in its file."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import exports
from qa_core.base.i18n import N_, _
from qa_core.metrics import downloads, query
from qa_core.metrics.kpi.freshness import SOURCE_TITLES
from qa_core.metrics.kpis import FactTable, Kpi, KpiKind, Unit, formatting, get_kpi
from qa_core.metrics.kpis.formatting import setting_value
from qa_core.metrics.query import Explanation
from qa_core.metrics.spreadsheets import Sheet, make_file

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


def build_file(
    viewer: Viewer,
    kpis: list[str],
    by: list[str],
    first_day: str,
    last_day: str,
    values: list[list[Any]],
    form: str = "csv",
) -> downloads.Download:
    """Build the explanation of one KPI within the viewer's scope, numbers unrounded."""
    explanation = query.explain(
        viewer, get_kpi(kpis[0]).key, exports.read_filters(first_day, last_day, values)
    )
    name = "-".join(["ecoute", explanation.kpi.key, first_day, last_day]).strip("-")
    about = exports.describe_file(viewer, explanation.where, (explanation.kpi,))
    return make_file(
        Sheet(name, exports.build_figure_titles(), _rows(viewer, explanation), about), form
    )


def _rows(viewer: Viewer, explanation: Explanation) -> Iterator[list[Any]]:
    only = exports.find_currency(viewer)
    for row in explanation.rows:
        yield exports.build_figure_cells(row, row.by.get("currency") or only)
    yield []
    yield from ([title, n] for title, n in build_rows(explanation))
    yield []
    for variant in explanation.variants:
        yield [
            setting_value(str(explanation.varied_setting), variant.value),
            variant.row.value,
            variant.row.n,
        ]
    yield []
    yield [
        _("Tool"),
        _("Kind"),
        _("Rows"),
        _("Imports"),
        _("Last import"),
        _("Newest contact or day"),
    ]
    for source in explanation.sources:
        yield [
            source.system,
            _(SOURCE_TITLES[source.kind]),
            source.rows,
            source.batches,
            formatting.moment(source.imported_at),
            describe_moment(source.newest),
        ]


downloads.declare("explanation", Permission.EXPORT_FIGURES, build_file)
