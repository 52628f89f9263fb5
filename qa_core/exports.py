"""Figures as a file: one line per group and KPI, under the definitions and the filters that made them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from qa_core import downloads, figures, query, slices
from qa_core.access import Permission, Viewer
from qa_core.kpis import get_kpi
from qa_core.slices import Filters, Period
from qa_core.wording import N_, _

COLUMNS = {
    "value": N_("Value"), "numerator": N_("Numerator"), "denominator": N_("Denominator"), "n": N_("n"), "low": N_("95 % from"), "high": N_("95 % to"), "status": N_("Status"),
}  # fmt: skip


def parameters(kpis: Sequence[str], by: Sequence[str], where: Filters) -> dict[str, Any]:
    """The question as plain values, for a link that asks it again when it is followed."""
    period = where.period
    return {
        "kpis": list(kpis),
        "by": list(by),
        "first_day": period.first_day.isoformat() if period.first_day else "",
        "last_day": period.last_day.isoformat() if period.last_day else "",
        "values": [[dimension, list(chosen)] for dimension, chosen in where.values],
    }


def build_file(viewer: Viewer, kpis: list[str], by: list[str], first_day: str, last_day: str, values: list[list[Any]]) -> downloads.Download:
    """A CSV of the figures, within the viewer's scope; numbers unrounded."""
    period = Period(date.fromisoformat(first_day) if first_day else None, date.fromisoformat(last_day) if last_day else None)
    where = Filters.of(period, {dimension: tuple(chosen) for dimension, chosen in values})
    rows = list(_lines(viewer, kpis, by, where))
    name = "-".join(["ecoute", *by, first_day, last_day]).strip("-")
    return downloads.Download(f"{name}.csv", "text/csv; charset=utf-8", downloads.to_csv(rows[0], rows[1:]))


def _lines(viewer: Viewer, kpis: list[str], by: list[str], where: Filters) -> Iterator[list[Any]]:
    yield [_("Period"), figures.period(where.period)]
    for dimension, chosen in where.values:
        yield [_(slices.get_dimension(dimension).title), ", ".join(figures.name(dimension, value) for value in chosen)]
    for key in kpis:
        kpi = get_kpi(key)
        yield [_(kpi.title), _(kpi.meaning), _(kpi.formula)]
    yield []
    frame = query.measure(viewer, tuple(kpis), tuple(by), where)
    dimensions = [*by, *(["currency"] if "currency" in frame.columns else [])]
    yield [
        *(_(slices.get_dimension(key).title) if key in slices.BY_KEY else _("Currency") for key in dimensions),
        _("KPI"),
        *(_(title) for title in COLUMNS.values()),
    ]
    for record in frame.to_dict("records"):
        groups = [figures.name(key, record[key]) if key in slices.BY_KEY else record[key] for key in dimensions]
        yield [*groups, _(get_kpi(record["kpi"]).title), *("" if figures.is_missing(record[column]) else record[column] for column in COLUMNS)]


downloads.declare("figures", Permission.EXPORT_FIGURES, build_file)
