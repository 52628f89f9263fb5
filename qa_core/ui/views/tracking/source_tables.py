"""Tables of campaigns (sources, numbers): steps, costs, callers, attribution."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import note_texts
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics.kpis import formatting, periods
from qa_core.metrics.kpis.declaration import SPEND_DIMENSIONS
from qa_core.ui.frame import cached
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.views.tracking import source_steps
from qa_core.ui.views.tracking.source_steps import COUNTED, KPIS, OF_MISSES, title_of
from qa_core.ui.widgets import cards, download_links, drill, tables

COSTS = ("spend", "cost_per_contact", "cost_per_answered", "cost_per_resolved")
CALLERS = ("first_time_callers", "returning_callers")
NAME_WIDTH = 176
"""Pixels for the names of most campaigns."""
MONEY_FORMATS = {"EUR": "euro", "USD": "dollar", "JPY": "yen"}
"""Currencies that the browser can write: the column then still sorts by amount."""
MIN = 10
"""Answered contacts from which on their cost is compared."""
OVERVIEW = ("received", "answered", "first_contact_resolution", "csat")
STEP_TABLES = {
    "table_sources": ("received", "answered", "missed", "missed_callers", *OF_MISSES),
    "table_outcomes": (*COUNTED[2:], "ratings", "evaluations", "score"),
}
"""Steps of the first table of the page, and of the two tables of all steps."""
OWN_WORDS = N_("From the contact's own file")


def _in_order(by: tables.Rows, kpi: str) -> list[Any]:
    """Return the values by their number of that KPI, the missing one last."""
    known = [value for value in tables.largest_first(by, kpi) if value is not None]
    return known + [value for value in by if value is None]


def show_overview(viewer: Viewer, state: FilterState, by: tables.Rows, dimension: str) -> None:
    """Show contacts by value, their outcome, and the cost of an answered contact."""
    costs: dict[Any, CostLine] = {}
    if state.currency and dimension in SPEND_DIMENSIONS:
        lines = _read_costs(viewer, state, dimension)
        costs = {line.value: line for line in lines if line.amount("cost_per_answered")}

    def cost(value: Any) -> float | None:
        return costs[value].amount("cost_per_answered") if value in costs else None

    steps = _build_step_columns(by)
    columns = (
        tables.dimension_column(dimension, NAME_WIDTH),
        *(steps.get(key) for key in OVERVIEW),
        _money_column("cost_per_answered", [state.currency], cost) if costs else None,
    )
    finding = _("Contacts and their outcome")
    if costs:
        finding = _describe_costs(list(costs.values()))
    basis = describe_basis(viewer, state, by, dimension)
    with cards.card(finding, f"{basis} {_describe_few(costs.values())}".strip()):
        lines, on_line = _in_order(by, "received"), drill.on_value(viewer, dimension)
        tables.show(lines, columns, "table_overview", on_line, height=330)
        tables.show_hidden(by)


def show_steps(viewer: Viewer, state: FilterState, dimension: str) -> None:
    """Show the steps side by side: of calls, then of answered contacts."""
    by = source_steps.read(viewer, state, dimension, source_steps.EVERY_GROUP)
    steps = _build_step_columns(by)
    with cards.card(_("Side by side"), describe_basis(viewer, state, by, dimension)):
        for key, shown in STEP_TABLES.items():
            columns = (
                tables.dimension_column(dimension, NAME_WIDTH),
                *(steps.get(step) for step in shown),
            )
            lines = _in_order(by, "received")
            tables.show(lines, columns, key, drill.on_value(viewer, dimension), height=330)
        for line in source_steps.describe_limits(by):
            st.caption(line)
        tables.show_hidden(by)
        with tables.show_foot():
            tables.show_definitions(KPIS, state, "steps")
            download_links.show_figures("steps", KPIS, (dimension,), state.where)


def _build_step_columns(by: tables.Rows) -> dict[str, tables.TableColumn | None]:
    """Build the column of each step, of the ratings and of the mean score."""

    def count(step: str) -> tables.TableColumn:
        heading = title_of(step)
        width = max(72, 20 + 7 * len(heading))
        return tables.count_column(
            heading, lambda value: source_steps.read_count(by[value], step), width
        )

    def share(step: str) -> tables.TableColumn:
        heading = title_of(step)
        width = 104 if len(heading) < 14 else 128
        return tables.share_column(
            heading, lambda value: source_steps.read_share(by[value], step), width
        )

    def score(value: Any) -> float | None:
        mean = tables.value_of(by[value].get("evaluation_score"))
        return None if mean is None else round(mean, 1)

    columns = {
        **{step: count(step) for step in source_steps.COUNTS},
        **{step: share(step) for step in source_steps.SHARES},
        "score": tables.count_column(_("Score"), score, 72),
    }
    shown = tables.drop_empty(list(columns.values()), list(by))
    return dict(zip(columns, shown, strict=True))


def describe_basis(viewer: Viewer, state: FilterState, by: tables.Rows, dimension: str) -> str:
    """Describe what a comparison rests on; the attribution rate if some is hidden."""
    counts = {value: row["received"].n for value, row in by.items() if "received" in row}
    if any(formatting.is_missing(count) for count in counts.values()):
        return describe_attribution(viewer, state)
    whole = sum(counts.values())
    return _(
        "{dimension}: known for {n} of {whole} contacts.",
        dimension=formatting.dimension(dimension),
        n=formatting.number(whole - counts.get(None, 0)),
        whole=formatting.number(whole),
    )


@dataclass(frozen=True)
class CostLine:
    """Line of the costs: a value in a currency (None: no spend), or the rest."""

    dimension: str
    value: Any
    currency: str | None
    rows: Mapping[str, Any]
    unattributed: int | None = None

    @property
    def name(self) -> str:
        if self.unattributed is not None:
            return _("Not attributed")
        return formatting.name(self.dimension, self.value)

    @property
    def contacts(self) -> int | None:
        if self.unattributed is not None:
            return self.unattributed
        row = self.rows.get("cost_per_contact")
        return None if row is None else tables.to_integer(row.n)

    @property
    def is_provisional(self) -> bool:
        return any("provisional_spend" in row.notes for row in self.rows.values())

    @property
    def note(self) -> str:
        if self.is_provisional:
            return _("provisional")
        return _("hidden") if _is_hidden(self.rows) else ""

    def amount(self, key: str) -> float | None:
        return tables.value_of(self.rows.get(key))

    def describe_change(self) -> str | None:
        """Describe how the cost of an answered contact changed, as a share of before."""
        if self.unattributed is not None:
            return None
        row = self.rows.get("cost_per_answered")
        change, before = getattr(row, "delta", None), getattr(row, "value_before", None)
        if formatting.is_missing(change) or not before:
            return ""
        return ("+" if change > 0 else "") + formatting.percent(change / before, 0)


def show_costs(viewer: Viewer, state: FilterState, dimension: str) -> None:
    """Show spend and cost of a contact: one line per campaign and currency."""
    by = dimension if dimension in SPEND_DIMENSIONS else "campaign"
    lines = _read_costs(viewer, state, by)
    currencies = sorted({line.currency for line in lines if line.currency})
    caption = f"{describe_attribution(viewer, state)} {_describe_few(lines)}".strip()
    if by != dimension:
        asked = formatting.dimension(dimension).lower()
        instead = _("By campaign: the cost by {dimension} is not known.", dimension=asked)
        caption = f"{instead} {caption}".strip()
    with cards.card(_describe_costs(lines), caption, is_stretched=True):
        if not any(line.amount("spend") or _is_hidden(line.rows) for line in lines):
            rows = (row for line in lines for row in line.rows.values())
            no_spend = _(
                "No spend is known in this period. Import daily campaign costs to see what a "
                "contact costs."
            )
            st.caption(" ".join(note_texts.describe_populations(rows)) or no_spend)
            return
        rate = cached.headline(viewer, ("attribution_rate",), state.where)["attribution_rate"]
        shown = list(lines)
        if not formatting.is_missing(rate.value):
            shown.append(CostLine(by, None, None, {}, int(rate.n - rate.numerator)))
        on_line = _open_cost if drill.is_open_to(viewer) else None
        tables.show(shown, _cost_columns(by, currencies), "table_costs", on_line, height=400)
        if any(line.is_provisional for line in lines):
            text = ngettext(
                "Provisional: the period includes the last {n} day, and its spend may still "
                "arrive.",
                "Provisional: the period includes the last {n} days, and their spend may "
                "still arrive.",
                cached.current_settings().provisional_spend_days,
            )
            st.caption(text)
        with tables.show_foot():
            tables.show_definitions(COSTS, state, "costs")
            download_links.show_figures("costs", COSTS, (by,), state.where)


def _read_costs(viewer: Viewer, state: FilterState, dimension: str) -> list[CostLine]:
    """Return the lines, most contacts first, missing values last."""
    frame = cached.measure(viewer, COSTS, (dimension,), state.where, state.compare)
    by: dict[tuple[Any, str | None], dict[str, Any]] = {}
    for row in frame.itertuples():
        value, currency = (
            None if formatting.is_missing(cell) else cell
            for cell in (getattr(row, dimension), state.currency_of(row))
        )
        by.setdefault((value, currency), {})[row.kpi] = row
    # With several currencies, a KPI without any amount has an empty line.
    paid = {value for value, currency in by if currency is not None}
    lines = [
        CostLine(dimension, value, currency, rows)
        for (value, currency), rows in by.items()
        if currency is not None or value not in paid
    ]

    def order(line: CostLine) -> tuple[bool, float, str]:
        count = -1 if line.contacts is None else line.contacts
        return line.value is None, -count, str((line.value, line.currency))

    return sorted(lines, key=order)


def _open_cost(line: CostLine) -> None:
    is_rest = line.unattributed is not None
    drill.to_contacts({"source": None} if is_rest else {line.dimension: line.value})


def _is_hidden(rows: Mapping[str, Any]) -> bool:
    return any(row.status == "suppressed" for row in rows.values())


def _describe_costs(lines: Sequence[CostLine]) -> str:
    """Name the dearest and the cheapest answered contact, if all cost in one currency."""
    known = [
        line
        for line in lines
        if line.value is not None
        and line.amount("cost_per_answered")
        and line.rows["cost_per_answered"].n >= MIN
    ]
    if len(known) < 2 or len({line.currency for line in known}) > 1:
        return _("What one contact costs")
    dear, cheap = (
        pick(known, key=lambda line: line.amount("cost_per_answered")) for pick in (max, min)
    )
    return _(
        "An answered contact costs from {least} ({cheap}) to {most} ({dear})",
        dear=dear.name,
        cheap=cheap.name,
        most=formatting.money(dear.amount("cost_per_answered"), dear.currency),
        least=formatting.money(cheap.amount("cost_per_answered"), cheap.currency),
    )


def _describe_few(lines: Iterable[CostLine]) -> str:
    """Say from how many contacts on costs are compared, if a cost rests on fewer."""
    costs = [line.rows["cost_per_answered"] for line in lines if line.amount("cost_per_answered")]
    if all(row.n >= MIN for row in costs):
        return ""
    return _("Costs are compared from {n} answered contacts on.", n=MIN)


def _money_column(
    key: str, currencies: Sequence[str], amount: Callable[[Any], float | None]
) -> tables.TableColumn:
    form = MONEY_FORMATS.get(currencies[0], "%.2f") if len(currencies) == 1 else "%.2f"
    heading = cards.column_of(key)
    config = st.column_config.NumberColumn(
        heading, format=form, width=100 if key == "spend" else 84
    )
    return tables.TableColumn(heading, amount, config)


def _cost_columns(dimension: str, currencies: Sequence[str]) -> list[tables.TableColumn | None]:
    def money(key: str) -> tables.TableColumn:
        return _money_column(key, currencies, lambda line: line.amount(key))

    has_several = len(currencies) > 1
    return [
        tables.name_column(
            formatting.dimension(dimension), lambda line: line.name, 144 if has_several else 168
        ),
        tables.text_column(_("Currency"), lambda line: line.currency, 60) if has_several else None,
        money("spend"),
        tables.count_column(cards.column_of("received"), lambda line: line.contacts, 66),
        *map(money, COSTS[1:]),
        tables.number_text_column(_("Change"), CostLine.describe_change, 62),
        tables.text_column(_("Note"), lambda line: line.note, 98),
    ]


def show_callers(viewer: Viewer, state: FilterState, by: tables.Rows, dimension: str) -> None:
    """Show customers who came for the first time, and who had come before."""
    if viewer.needs_suppression and periods.count_months(state.where.period) > 1:
        text = _("Each customer is counted once, so the figures of several months do not add up.")
        cards.card(_("New and returning callers: choose one month"), text)
        return
    frame = cached.measure(viewer, CALLERS, (dimension,), state.where)
    rows = tables.index_rows(frame, dimension)
    new, old = CALLERS

    def count(heading: str, key: str, field: str = "value") -> tables.TableColumn:
        return tables.count_column(
            heading, lambda value: tables.to_integer(getattr(rows[value][key], field)), 98
        )

    columns = (
        tables.dimension_column(dimension, NAME_WIDTH),
        count(_("First time"), new),
        count(_("Returning"), old),
        count(_("Without a number"), new, "unknown_identity"),
    )
    basis = describe_basis(viewer, state, by, dimension)
    basis = f"{basis} {_('Customers of closed hours are counted too.')}".strip()
    with cards.card(_describe_callers(rows, dimension), basis):
        lines = _in_order(rows, new)
        tables.show(lines, columns, "table_callers", drill.on_value(viewer, dimension), height=400)
        tables.show_hidden(rows)
        with tables.show_foot():
            tables.show_definitions(CALLERS, state, "callers")
            download_links.show_figures("callers", CALLERS, (dimension,), state.where)


def _describe_callers(rows: tables.Rows, dimension: str) -> str:
    """Name the value that brought most new customers, if there are two to compare."""
    counts = {
        value: row[CALLERS[0]].value
        for value, row in rows.items()
        if value is not None and not formatting.is_missing(row[CALLERS[0]].value)
    }
    if len(counts) < 2:
        return _("New and returning callers")
    first = max(counts, key=counts.get)
    return _(
        "{name} brought most new customers: {count}",
        name=formatting.name(dimension, first),
        count=formatting.number(counts[first]),
    )


def show_attribution(viewer: Viewer, state: FilterState) -> None:
    """Show how the source of contacts is known."""
    frame = cached.measure(viewer, ("attribution_rate",), ("tracking_match",), state.where)
    whole, nothing = frame["n"].sum(), formatting.name("tracking_match", None)
    counts: dict[str, int] = {}
    for row in frame.itertuples():
        known = tables.to_integer(row.numerator) or 0
        title = (
            _(OWN_WORDS)
            if formatting.is_missing(row.tracking_match)
            else formatting.name("tracking_match", row.tracking_match)
        )
        counts[title] = counts.get(title, 0) + known
        counts[nothing] = counts.get(nothing, 0) + int(row.n) - known
    known = [title for title, n in counts.items() if n and title != nothing]
    titles = sorted(known, key=counts.get, reverse=True)
    columns = (
        tables.name_column(_("How"), lambda title: title, NAME_WIDTH),
        tables.count_column(_("Contacts"), lambda title: counts[title], 70),
        tables.percent_column(
            _("Share"), lambda title: counts[title] / whole if whole else None, 56
        ),
    )
    finding = describe_attribution(viewer, state) or _("How the source was found")
    with cards.card(finding, is_stretched=True):
        tables.show([*titles, nothing], columns, "table_attribution", height=300)
        download_links.show_figures(
            "attribution", ("attribution_rate",), ("tracking_match",), state.where
        )


def describe_attribution(viewer: Viewer, state: FilterState) -> str:
    row = cached.headline(viewer, ("attribution_rate",), state.where)["attribution_rate"]
    if not formatting.is_missing(row.value):
        return _(
            "Attribution rate {rate}: the source of {n} of {whole} contacts is known, closed hours "
            "included.",
            rate=formatting.percent(row.value),
            n=formatting.number(row.numerator),
            whole=formatting.number(row.n),
        )
    return _(cards.HIDDEN) if row.status == "suppressed" else ""
