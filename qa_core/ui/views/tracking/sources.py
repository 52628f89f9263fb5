"""The Sources page: what a campaign brings, from call to resolution, and its cost."""

from collections.abc import Iterator
from typing import Any

import streamlit as st

from qa_core import stats
from qa_core.access.roles import Viewer
from qa_core.analysis import attention, chart_titles, charts
from qa_core.analysis.attention import AttentionItem
from qa_core.analysis.comparisons import MIN_VALUES, compare_values
from qa_core.base.i18n import _
from qa_core.metrics.kpis import FactTable, dimensions, formatting, get_kpi
from qa_core.stats import control_charts
from qa_core.ui.frame import cached, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.tracking import source_numbers, source_steps, source_tables
from qa_core.ui.widgets import (
    alert_banner,
    cards,
    drill,
    peer_dots,
    sections,
    segmented_choice,
    tables,
    trend_cards,
)

TILES = ("attribution_rate", "cost_per_contact", "cost_per_answered", "cost_per_resolved")
RATES = (
    "answer_rate",
    "recovered_rate",
    "first_contact_resolution",
    "first_contact_resolution_declared",
    "csat",
)
MAX_ITEMS = 6


def show(viewer: Viewer, state: FilterState) -> None:
    """Show the whole page: the answer, and the sections that a reader can open."""
    _show_tiles(viewer, state)
    titles = {
        key: _(dimensions.get_dimension(key).title)
        for key in source_steps.DIMENSIONS
        if state.may_cut(viewer, key)
    }
    if not titles:
        cards.show_one_cut(_("Sources"))
        return
    dimension = segmented_choice.ask("by", _("By"), titles)
    by = source_steps.read(viewer, state, dimension)
    source_tables.show_overview(viewer, state, by, dimension)
    _show_attention(viewer, state, by, dimension)
    sections.show(
        "path",
        _("Step by step, from received to evaluated"),
        lambda: _show_path(viewer, state, dimension),
    )
    sections.show(
        "rates",
        _("One rate compared, with its interval"),
        lambda: _show_dots(viewer, state, by, dimension),
    )
    sections.show(
        "costs", _("Spend and cost per contact"), lambda: _show_money(viewer, state, dimension)
    )
    sections.show(
        "callers",
        _("New and returning callers"),
        lambda: source_tables.show_callers(viewer, state, by, dimension),
    )
    if viewer.can_cut_by("tracking_match"):
        sections.show(
            "attribution",
            _("How the source was found"),
            lambda: source_tables.show_attribution(viewer, state),
        )
    if viewer.can_cut_by("tracking_number"):
        sections.show(
            "numbers",
            _("Tracking numbers and their campaigns"),
            lambda: source_numbers.show(viewer, state),
        )


def _show_tiles(viewer: Viewer, state: FilterState) -> None:
    """Show four tiles; a cost in several currencies says each of them."""
    frame = cached.measure(viewer, TILES, (), state.where, state.compare)
    rows: dict[str, list[Any]] = {}
    for row in frame.itertuples():
        rows.setdefault(row.kpi, []).append(row)
    has_currencies = "currency" in frame.columns
    series = trend_cards.read_series(viewer, state, TILES[:1] if has_currencies else TILES)
    tiles = []
    for key in TILES:
        known = [row for row in rows[key] if not formatting.is_missing(row.value)] or rows[key]
        others = " · ".join(
            formatting.money(row.value, state.currency_of(row)) for row in known[1:]
        )
        extra = _("and {amounts}", amounts=others) if others else ""
        tiles.append(cards.build_tile(known[0], state, series.get(key), extra))
    cards.show_tiles(tiles)


def _show_path(viewer: Viewer, state: FilterState, dimension: str) -> None:
    by = source_steps.read(viewer, state, dimension, source_steps.EVERY_GROUP)
    with st.container(width=380):
        value = source_steps.ask_value(by, dimension)
    source_steps.show_path(viewer, state, by, dimension, value)
    source_tables.show_steps(viewer, state, by, dimension)


def _show_money(viewer: Viewer, state: FilterState, dimension: str) -> None:
    source_tables.show_costs(viewer, state, dimension)
    series = trend_cards.read_series(viewer, state, TILES if state.currency else TILES[:1])
    shown = series[TILES[0]]
    cost = series.get("cost_per_answered")
    if cost is not None and cost.points["value"].notna().any():
        shown = cost
    trend_cards.show_trend(viewer, state, shown, height=300, title=cards.title_of(shown.kpi))


def _find_rates(by: tables.Rows) -> tuple[str, ...]:
    """Return the rates that have a value in some row; all where none has."""
    known = tuple(
        key
        for key in RATES
        if any(key in row and not formatting.is_missing(row[key].value) for row in by.values())
    )
    return known or RATES


def _show_dots(viewer: Viewer, state: FilterState, by: tables.Rows, dimension: str) -> None:
    """Show one rate of all values: dot and interval over the bar that chance would fill."""
    titles = {key: source_steps.title_of(key) for key in _find_rates(by)}
    with cards.card(is_stretched=True):
        heading = st.container(gap="xxsmall")
        key = segmented_choice.ask("on", _("Compare on"), titles)
        kpi = get_kpi(key)
        compared = compare_values(by, key)
        if len(compared.rows) < 2:
            with heading:
                cards.show_heading(*peer_dots.describe_too_few(titles[key], MIN_VALUES))
            return
        finding = chart_titles.describe_comparison(
            compared.result, len(compared.names), titles[key], kpi.better
        )
        named = {str(name): formatting.name(dimension, name) for name in compared.names}
        parts = (
            _(cards.WITH_RANGE),
            chart_titles.describe_outliers(compared.result, named),
            source_tables.describe_basis(viewer, state, by, dimension),
        )
        caption = " ".join(filter(None, parts))
        with heading:
            cards.show_heading(finding, caption)
        frame = compared.as_frame()
        figure = charts.build_dots(
            frame,
            kpi.unit,
            dark=styles.is_dark(),
            centre=compared.centre,
            bounds=kpi.bounds,
            row_height=min(28, max(18, 440 // len(frame))),
        )
        on_select = drill.on_point(viewer, "dots", dimension, _contacts_behind(key))
        cards.show_figure(figure, "dots", f"{finding.text}. {caption}", on_select)
        if left_out := sum(value is not None for value in by) - len(frame):
            st.caption(peer_dots.describe_left_out(left_out))


def _contacts_behind(key: str) -> str:
    """Return the KPI whose contacts a click opens: rates of callers have none."""
    return key if get_kpi(key).subject == FactTable.CONTACTS else "missed"


def _show_attention(viewer: Viewer, state: FilterState, by: tables.Rows, dimension: str) -> None:
    """Show what differs from the rest or moved, and the attribution; worse first."""
    rates = _find_rates(by)
    moved, tried, whole = _find_moved(viewer, state, by, rates, dimension)
    outliers, attribution = _find_outliers(by, rates, dimension), _find_attribution(viewer, state)
    worse, better = attention.split([*outliers, *moved, *attribution])
    was_tried = bool(tried) or any(
        compare_values(by, key).result.p_value is not None for key in rates
    )
    finding = attention.conclude(worse, better, was_tried)
    hint = _(alert_banner.NO_COMPARISON)
    if state.compare:
        hint = attention.describe_tried(state.compare_title, tried, whole)
    with cards.card(finding, hint):
        alert_banner.show_items(viewer, [*worse, *better][:MAX_ITEMS])
        st.caption(source_tables.describe_attribution(viewer, state))


def _find_outliers(
    by: tables.Rows, rates: tuple[str, ...], dimension: str
) -> Iterator[AttentionItem]:
    """Find the values that clearly differ from the rest, tested together for each rate."""
    for key in rates:
        compared = compare_values(by, key)
        for name, row in zip(compared.names, compared.rows, strict=True):
            side = compared.side_of(name)
            if not side:
                continue
            params = {
                "name": escape(formatting.name(dimension, name)),
                "kpi": source_steps.title_of(key),
                "value": formatting.percent(row.value, 0),
                "between": formatting.interval(row.low, row.high, "rate"),
            }
            text = (
                _("**{name}**: {kpi} {value} ({between}), above the rest", **params)
                if side > 0
                else _("**{name}**: {kpi} {value} ({between}), below the rest", **params)
            )
            severity = chart_titles.severity_of(side, get_kpi(key).better)
            strength = compared.strength_of(row)
            yield AttentionItem(strength, text, severity, {dimension: name}, _contacts_behind(key))


def _find_moved(
    viewer: Viewer, state: FilterState, by: tables.Rows, rates: tuple[str, ...], dimension: str
) -> tuple[list[AttentionItem], int, int]:
    """Return the rates that clearly moved, how many were tested, and how many there are."""
    if state.compare is None:
        return [], 0, 0
    rows = [
        row[key] for value, row in by.items() if value is not None for key in rates if key in row
    ]
    tried = [
        row
        for row in rows
        if not formatting.is_missing(row.delta) and min(row.n, row.n_before) >= MIN_VALUES
    ]
    if not tried:
        return [], 0, len(rows)
    # Bonferroni: with so many tries at once, each must be that much surer.
    factor = stats.bonferroni_factor(len(tried))
    series = trend_cards.read_series(viewer, state, rates)
    items = (
        attention.build_change(
            row,
            dimension,
            factor * series[row.kpi].spread,
            source_steps.title_of(row.kpi),
            _contacts_behind(row.kpi),
            escape,
        )
        for row in tried
    )
    return [item for item in items if item and item.severity], len(tried), len(rows)


def _find_attribution(viewer: Viewer, state: FilterState) -> Iterator[AttentionItem]:
    """Find a change of the attribution rate: the periods then rest on different contacts."""
    if state.compare is None:
        return
    rows = cached.headline(viewer, ("attribution_rate",), state.where, state.compare)
    row = rows["attribution_rate"]
    between = control_charts.interval_of_change(row)
    if between is None or between[0] <= 0 <= between[1] or abs(row.delta) < 0.01:
        return
    text = _(
        "**Attribution rate** {change}, now {value}: campaigns are not known equally well in both "
        "periods",
        change=formatting.change(row.delta, "rate"),
        value=formatting.percent(row.value),
    )
    strength = 2 * abs(row.delta) / (between[1] - between[0])
    severity = chart_titles.severity_of(row.delta, "up")
    yield AttentionItem(strength, text, severity)
