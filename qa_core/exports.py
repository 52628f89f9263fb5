"""Figures and lists of contacts as files, under the definitions and the filters that made them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from qa_core import downloads, figures, numbers, query, slices
from qa_core.access import Permission, Viewer
from qa_core.kpis import get_kpi
from qa_core.settings import get_setting
from qa_core.slices import Filters, Period
from qa_core.wording import N_, _

COLUMNS = {
    "value": N_("Value"), "numerator": N_("Numerator"), "denominator": N_("Denominator"), "n": N_("n"), "low": N_("95 % from"), "high": N_("95 % to"),
    "status": N_("Status"),
}  # fmt: skip


CONTACT_COLUMNS = {
    "local_start": N_("Start"), "channel": N_("Channel"), "queue": N_("Queue"), "reason": N_("Reason"), "team": N_("Team"), "advisor": N_("Advisor"),
    "outcome": N_("Outcome"),
    "wait_seconds": N_("Wait"), "talk_seconds": N_("Talk"), "csat": N_("Rating"), "campaign": N_("Campaign"), "customer": N_("Customer"),
}  # fmt: skip
"""What a list of contacts shows, on the page and in its file, as far as the reader may see it."""
MOST_CONTACTS = 5000
"""A file is for reading and passing on, not for carrying the centre away."""


def parameters(kpis: Sequence[str], by: Sequence[str], where: Filters, overrides: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The question as plain values, for a link that asks it again when it is followed."""
    return {"kpis": list(kpis), "by": list(by), **_filters(where), **({"overrides": dict(overrides)} if overrides else {})}


def contact_parameters(where: Filters, behind: str | None, order: str, overrides: Mapping[str, str] | None = None) -> dict[str, Any]:
    """A list of contacts as plain values, for its link."""
    return {"behind": behind or "", "order": order, **_filters(where), **({"overrides": dict(overrides)} if overrides else {})}


def number_parameters(period: Period, loose: bool = False) -> dict[str, Any]:
    """The history of tracking numbers as plain values, for its link; `loose`: the contacts without a campaign instead."""
    return {"loose": loose, **{name: _filters(Filters(period))[name] for name in ("first_day", "last_day")}}


def _filters(where: Filters) -> dict[str, Any]:
    period = where.period
    return {
        "first_day": period.first_day.isoformat() if period.first_day else "",
        "last_day": period.last_day.isoformat() if period.last_day else "",
        "values": [[dimension, list(chosen)] for dimension, chosen in where.values],
    }


def build_file(
    viewer: Viewer, kpis: list[str], by: list[str], first_day: str, last_day: str, values: list[list[Any]], overrides: Mapping[str, str] = {}
) -> downloads.Download:
    """A CSV of the figures, within the viewer's scope; numbers unrounded. `overrides` replace settings, and the file says so."""
    where = read_filters(first_day, last_day, values)
    rows = list(_lines(viewer, kpis, by, where, overrides))
    name = "-".join(["ecoute", *by, first_day, last_day]).strip("-")
    return downloads.Download(f"{name}.csv", "text/csv; charset=utf-8", downloads.to_csv(rows[0], rows[1:]))


def build_contacts(
    viewer: Viewer, behind: str, order: str, first_day: str, last_day: str, values: list[list[Any]], overrides: Mapping[str, str] = {}
) -> downloads.Download:
    """A CSV of the contacts of a list, the first `MOST_CONTACTS` of them, with the columns that the viewer may see; durations in seconds."""
    rows = list(_contact_lines(viewer, read_filters(first_day, last_day, values), behind or None, order, overrides))
    name = "-".join(["ecoute-contacts", first_day, last_day]).strip("-")
    return downloads.Download(f"{name}.csv", "text/csv; charset=utf-8", downloads.to_csv(rows[0], rows[1:]))


def build_numbers(viewer: Viewer, loose: bool, first_day: str, last_day: str) -> downloads.Download:
    """A CSV of which number carried which campaign when, or of the numbers with contacts that have no campaign; days as ISO dates, open ends empty."""
    period = read_filters(first_day, last_day, []).period
    history = numbers.find_history(viewer, period)
    if loose:
        header = [_(slices.get_dimension("tracking_number").title), _("Contacts without a campaign"), _("of"), _("From"), _("Until"), _("Last campaign")]
        lines = [[one.number, one.contacts, one.among, one.first_day, one.last_day, one.usual.campaign if one.usual else None] for one in history.loose]
    else:
        header = [*(_(slices.get_dimension(name).title) for name in ("tracking_number", "source", "medium", "campaign")), _("From"), _("Until")]
        header += [_("How it is known"), _("In this period"), _("In all")]
        lines = [
            [one.number, *one.carried, one.first_day, one.last_day, _("assigned") if one.is_assigned else _("seen on contacts"), one.inside, one.contacts]
            for one in history.stretches
        ]
    rows = [["" if cell is None else cell for cell in line] for line in ([], header, *lines)]
    name = "-".join(["ecoute-numbers", first_day, last_day]).strip("-")
    return downloads.Download(f"{name}.csv", "text/csv; charset=utf-8", downloads.to_csv([_("Period"), figures.period(period)], rows))


def read_filters(first_day: str, last_day: str, values: list[list[Any]]) -> Filters:
    period = Period(date.fromisoformat(first_day) if first_day else None, date.fromisoformat(last_day) if last_day else None)
    return Filters.of(period, {dimension: tuple(chosen) for dimension, chosen in values})


def say_filters(where: Filters, overrides: Mapping[str, str] = {}) -> Iterator[list[Any]]:
    yield [_("Period"), figures.period(where.period)]
    for dimension, chosen in where.values:
        yield [_(slices.get_dimension(dimension).title), ", ".join(figures.name(dimension, value) for value in chosen)]
    for name, text in overrides.items():
        yield [_(get_setting(name).title), text]


def _contact_lines(viewer: Viewer, where: Filters, behind: str | None, order: str, overrides: Mapping[str, str]) -> Iterator[list[Any]]:
    yield from say_filters(where, overrides)
    if behind:
        kpi = get_kpi(behind)
        yield [_(kpi.title), _(kpi.meaning), _(kpi.formula)]
    allowed = query.contact_columns(viewer)
    columns = [name for name in CONTACT_COLUMNS if name in allowed]
    frame = query.find_contacts(viewer, where, columns, MOST_CONTACTS, order=order, behind=behind, overrides=overrides)
    yield [_("Contacts"), len(frame), _("of"), query.count_contacts(viewer, where, behind, overrides)]
    yield []
    yield [_("{title} (seconds)", title=_(CONTACT_COLUMNS[name])) if name.endswith("_seconds") else _(CONTACT_COLUMNS[name]) for name in columns]
    for record in frame.to_dict("records"):
        yield [_contact_cell(name, record[name]) for name in columns]


def _contact_cell(name: str, value: Any) -> Any:
    if figures.is_missing(value):
        return ""
    if name == "local_start":
        return value.isoformat(sep=" ", timespec="seconds")
    return figures.name(name, value) if name in ("channel", "outcome") else value


def _lines(viewer: Viewer, kpis: list[str], by: list[str], where: Filters, overrides: Mapping[str, str]) -> Iterator[list[Any]]:
    yield from say_filters(where, overrides)
    for key in kpis:
        kpi = get_kpi(key)
        yield [_(kpi.title), _(kpi.meaning), _(kpi.formula)]
    yield []
    frame = query.measure(viewer, tuple(kpis), tuple(by), where, overrides=overrides)
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
downloads.declare("numbers", Permission.EXPORT_FIGURES, build_numbers)
downloads.declare("contacts", Permission.EXPORT_CONTACTS, build_contacts)
