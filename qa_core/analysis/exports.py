"""Files of figures and contacts, with their definitions and filters."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import note_texts, tracking_numbers
from qa_core.base import declared
from qa_core.base.i18n import _, capitalise
from qa_core.centre.settings import get_setting
from qa_core.metrics import downloads, query, spreadsheets
from qa_core.metrics.kpis import Kpi, formatting, get_kpi
from qa_core.metrics.kpis.dimensions import BY_KEY, Filters, Period, get_dimension
from qa_core.metrics.kpis.formatting import setting_value, since
from qa_core.metrics.spreadsheets import (
    DAY,
    MOMENT,
    MONTH,
    Cell,
    Sheet,
    make_file,
    plain,
    unit_format,
)

_DECLARED = declared.read(__file__)
COLUMNS: dict[str, str] = _DECLARED["figures"]
CONTACT_COLUMNS: dict[str, str] = _DECLARED["contacts"]
"""Columns of a list of contacts; the viewer's permissions limit them."""
MAX_CONTACTS = 5000
"""Maximum contacts of a file; it is for reading, not for bulk extraction."""


def build_figure_parameters(
    kpis: Sequence[str],
    by: Sequence[str],
    where: Filters,
    overrides: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a query as plain values, for a download link that runs it again."""
    return {
        "kpis": list(kpis),
        "by": list(by),
        **_filters(where),
        **({"overrides": dict(overrides)} if overrides else {}),
    }


def build_contact_parameters(
    where: Filters,
    behind: str | None,
    order: str,
    overrides: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a list of contacts as plain values, for its download link."""
    return {
        "behind": behind or "",
        "order": order,
        **_filters(where),
        **({"overrides": dict(overrides)} if overrides else {}),
    }


def build_number_parameters(period: Period) -> dict[str, Any]:
    """Return the campaigns of tracking numbers for a link."""
    return {name: _filters(Filters(period))[name] for name in ("first_day", "last_day")}


def _filters(where: Filters) -> dict[str, Any]:
    period = where.period
    return {
        "first_day": period.first_day.isoformat() if period.first_day else "",
        "last_day": period.last_day.isoformat() if period.last_day else "",
        "values": [[dimension, list(chosen)] for dimension, chosen in where.values],
    }


def build_file(
    viewer: Viewer,
    kpis: list[str],
    by: list[str],
    first_day: str,
    last_day: str,
    values: list[list[Any]],
    overrides: Mapping[str, str] = {},
    form: str = "csv",
) -> downloads.Download:
    """Build a file of figures within the viewer's scope, numbers unrounded. `overrides`
    replace settings, and are listed in the file.
    """
    where = read_filters(first_day, last_day, values)
    frame = query.measure(viewer, tuple(kpis), tuple(by), where, overrides=overrides)
    dimensions = [*by, *(["currency"] if "currency" in frame.columns else [])]
    header = [
        *(_(get_dimension(key).title) if key in BY_KEY else _("Currency") for key in dimensions),
        _("KPI"),
        *build_figure_titles(),
    ]
    only = find_currency(viewer)
    rows = [
        [
            *(_group_cell(key, getattr(row, key)) for key in dimensions),
            _(get_kpi(row.kpi).title),
            *build_figure_cells(row, getattr(row, "currency", None) or only),
        ]
        for row in frame.itertuples(index=False)
    ]
    name = "-".join(["ecoute", *by, first_day, last_day]).strip("-")
    about = describe_file(viewer, where, tuple(map(get_kpi, kpis)), overrides)
    return make_file(Sheet(name, header, rows, about), form)


def build_contacts(
    viewer: Viewer,
    behind: str,
    order: str,
    first_day: str,
    last_day: str,
    values: list[list[Any]],
    overrides: Mapping[str, str] = {},
    form: str = "csv",
) -> downloads.Download:
    """Build a file of the first `MAX_CONTACTS` contacts the viewer sees; durations in seconds."""
    where, kpis = read_filters(first_day, last_day, values), (get_kpi(behind),) if behind else ()
    allowed = query.contact_columns(viewer)
    columns = [name for name in CONTACT_COLUMNS if name in allowed]
    frame = query.find_contacts(
        viewer,
        where,
        columns,
        MAX_CONTACTS,
        order=order,
        behind=behind or None,
        overrides=overrides,
    )
    every = query.count_contacts(viewer, where, behind or None, overrides)
    counted = [_("Contacts"), len(frame), _("of"), every]
    titles = [_(CONTACT_COLUMNS[name]) for name in columns]
    header = [
        _("{title} (seconds)", title=title) if name.endswith("_seconds") else title
        for name, title in zip(columns, titles, strict=True)
    ]
    rows = (
        [_contact_cell(name, record[name]) for name in columns]
        for record in frame.to_dict("records")
    )
    name = "-".join(["ecoute-contacts", first_day, last_day]).strip("-")
    about = [*describe_file(viewer, where, kpis, overrides), counted]
    return make_file(Sheet(name, header, rows, about), form)


def build_numbers(
    viewer: Viewer, first_day: str, last_day: str, form: str = "csv"
) -> downloads.Download:
    """Build a file of the campaigns of tracking numbers. Open ends are empty."""
    where = read_filters(first_day, last_day, [])
    header = [
        _("Tracking number"),
        *(_(get_dimension(name).title) for name in ("source", "medium", "campaign")),
        _("From"),
        _("Until"),
        _("Known from"),
        _("Contacts"),
    ]
    rows = [
        [
            span.number,
            *span.campaign_key,
            span.first_day,
            span.last_day,
            _("assigned") if span.is_assigned else _("seen on contacts"),
            span.contacts,
        ]
        for span in tracking_numbers.find_spans(viewer, where.period)
    ]
    name = "-".join(["ecoute-numbers", first_day, last_day]).strip("-")
    return make_file(Sheet(name, header, rows, describe_file(viewer, where)), form)


def read_filters(first_day: str, last_day: str, values: list[list[Any]]) -> Filters:
    period = Period(
        date.fromisoformat(first_day) if first_day else None,
        date.fromisoformat(last_day) if last_day else None,
    )
    return Filters.of(period, {dimension: tuple(chosen) for dimension, chosen in values})


def describe_filters(where: Filters, overrides: Mapping[str, str] = {}) -> Iterator[list[Any]]:
    yield [_("Period"), formatting.period(where.period)]
    for dimension, chosen in where.values:
        yield [
            _(get_dimension(dimension).title),
            ", ".join(formatting.name(dimension, value) for value in chosen),
        ]
    for name, text in overrides.items():
        yield [_(get_setting(name).title), text]


def describe_file(
    viewer: Viewer, where: Filters, kpis: Sequence[Kpi] = (), overrides: Mapping[str, str] = {}
) -> Iterator[list[Any]]:
    """Yield the notes of a file: filters, definitions, settings in force, end of the
    data, who exported it when, and what is hidden.
    """
    yield from describe_filters(where, overrides)
    for kpi in kpis:
        yield [_(kpi.title), _(kpi.meaning), _(kpi.formula)]
    for entry in dict.fromkeys(
        entry for kpi in kpis for entry in query.find_settings(viewer, kpi, where.period, overrides)
    ):
        if entry.name not in overrides:
            yield [
                _(get_setting(entry.name).title),
                setting_value(entry.name, entry.value),
                since(entry.since),
            ]
    yield from describe_origin(viewer)


def describe_origin(viewer: Viewer) -> Iterator[list[Any]]:
    """Yield the end of the data, who exported it when, and what is hidden from them."""
    through = query.data_through(viewer)
    yield [_("Data through"), formatting.moment(through) if through else _(formatting.NO_DATA)]
    yield spreadsheets.describe_exporter(viewer)
    if viewer.needs_suppression:
        yield [
            capitalise(_("hidden")),
            _(
                "Figures based on fewer than five advisors or ten contacts, and others that would "
                "reveal them."
            ),
        ]


def find_currency(viewer: Viewer) -> str | None:
    """Return the currency of all spend; None for several, none or hidden."""
    currencies = query.find_currencies(viewer) if viewer.can(Permission.SEE_TRACKING) else ()
    return currencies[0] if len(currencies) == 1 else None


def build_figure_titles() -> list[str]:
    first, *others = COLUMNS.values()
    return [_(first), _("As shown"), *(_(title) for title in others)]


def build_figure_cells(row: Any, currency: str | None) -> list[Any]:
    """Return the cells of a row of `measure`, value unrounded and as shown."""
    unit = get_kpi(row.kpi).unit
    value, low, high = (
        None if formatting.is_missing(number) else Cell(number, unit_format(unit, currency))
        for number in (row.value, row.low, row.high)
    )
    parts = map(plain, (row.numerator, row.denominator, row.n))
    return [
        value,
        formatting.value(value.value, unit, currency) if value else "",
        *parts,
        low,
        high,
        row.status,
        " ".join(note_texts.describe(row.notes or ())),
    ]


def _group_cell(dimension: str, key: Any) -> Any:
    name = formatting.name(dimension, key) if dimension in BY_KEY else key
    if dimension not in ("day", "week", "month") or formatting.is_missing(key):
        return name
    return Cell(date.fromisoformat(f"{key}-01"[:10]), MONTH if dimension == "month" else DAY, name)


def _contact_cell(name: str, value: Any) -> Any:
    if formatting.is_missing(value):
        return None
    if name == "local_start":
        return Cell(value.to_pydatetime(), MOMENT, value.isoformat(sep=" ", timespec="seconds"))
    return formatting.name(name, value) if name in ("channel", "outcome") else value


downloads.declare("figures", Permission.EXPORT_FIGURES, build_file)
downloads.declare("numbers", Permission.EXPORT_FIGURES, build_numbers)
downloads.declare("contacts", Permission.EXPORT_CONTACTS, build_contacts)
