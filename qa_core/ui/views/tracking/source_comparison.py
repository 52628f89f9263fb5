"""Campaigns (sources, numbers) against each other and before: what needs a look."""

from collections.abc import Iterator
from typing import Any

import streamlit as st

from qa_core import stats
from qa_core.access.roles import Viewer
from qa_core.analysis import chart_titles, charts
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.comparisons import MIN_VALUES, compare_values
from qa_core.base.i18n import _, ngettext
from qa_core.metrics.kpis import FactTable, formatting, get_kpi
from qa_core.stats import Comparison, control_charts
from qa_core.ui.frame import cached, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.tracking import source_steps, source_tables
from qa_core.ui.widgets import alert_banner, cards, drill, segmented_choice, tables, trend_cards
from qa_core.ui.widgets.alert_banner import AttentionItem

RATES = (
    "answer_rate",
    "recovered_rate",
    "first_contact_resolution",
    "first_contact_resolution_declared",
    "csat",
)
MAX_ITEMS = 6


def find_rates(by: tables.Rows) -> tuple[str, ...]:
    """Return the rates that have a value in some row; all where none has."""
    known = tuple(
        key
        for key in RATES
        if any(key in row and not formatting.is_missing(row[key].value) for row in by.values())
    )
    return known or RATES


def show_dots(viewer: Viewer, state: FilterState, by: tables.Rows, dimension: str) -> None:
    """Show one rate of all values: dot and interval over the bar that chance would fill."""
    titles = {key: source_steps.title_of(key) for key in find_rates(by)}
    with cards.card(is_stretched=True):
        place = st.container(gap="xxsmall")
        key = segmented_choice.ask("on", _("Compare on"), titles)
        kpi = get_kpi(key)
        compared = compare_values(by, key)
        if len(compared.rows) < 2:
            with place:
                hint = _(
                    "Needs two rows with at least {n} values each in this period.", n=MIN_VALUES
                )
                cards.show_heading(_("{title}: nothing to compare", title=titles[key]), hint)
            return
        finding = describe(compared.result, len(compared.names), titles[key], kpi.better)
        parts = (
            _("With 95 % confidence interval. Grey: range from chance alone."),
            _describe_rest(compared.result),
            source_tables.describe_basis(viewer, state, by, dimension),
        )
        caption = " ".join(filter(None, parts))
        with place:
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
            text = ngettext(
                "{n} other is not shown: too few values, hidden, or no room.",
                "{n} others are not shown: too few values, hidden, or no room.",
                left_out,
            )
            st.caption(text)


def _contacts_behind(key: str) -> str:
    """Return the KPI whose contacts a click opens: rates of callers have none."""
    return key if get_kpi(key).subject == FactTable.CONTACTS else "missed"


def describe(compared: Comparison, count: int, title: str, better: str) -> ChartTitle:
    """Describe how many of that count can be told apart on one rate."""
    apart = len(compared.above) + len(compared.below)
    said = {"title": title, "n": count}
    if compared.p_value is None:
        return ChartTitle(_("{title}: too little data to compare the {n}", **said))
    if not apart and compared.p_value < chart_titles.SIGNIFICANCE_LEVEL:
        return ChartTitle(_("{title}: the {n} differ, but no single one stands out", **said))
    if not apart:
        return ChartTitle(_("{title}: no clear difference between the {n}", **said))
    worse = compared.below if better == "up" else compared.above
    return ChartTitle(
        _("{title}: {clear} of {n} clearly differ from the rest", clear=apart, **said),
        "attention" if worse else "better",
    )


def _describe_rest(compared: Comparison) -> str:
    if compared.p_value is None:
        return ""
    if not compared.above and not compared.below:
        return _(
            "Chance alone would give differences this large in {share} of cases.",
            share=formatting.percent(compared.p_value, 0),
        )
    parts = []
    if compared.below:
        parts.append(_("Below the rest: {names}.", names=formatting.listing(compared.below)))
    if compared.above:
        parts.append(_("Above the rest: {names}.", names=formatting.listing(compared.above)))
    return " ".join(parts)


def show_attention(viewer: Viewer, state: FilterState, by: tables.Rows, dimension: str) -> None:
    """Show what differs from the rest or moved, and the attribution; worse first."""
    rates = find_rates(by)
    moved, tried, whole = _find_moved(viewer, state, by, rates, dimension)
    apart, attribution = _find_apart(by, rates, dimension), _find_attribution(viewer, state)
    worse, better = alert_banner.split([*apart, *moved, *attribution])
    if worse:
        finding = ChartTitle(_("What needs a look"), "attention")
    elif better and any(item in better for item in moved):
        finding = ChartTitle(_("What got better"), "better")
    elif better:
        finding = ChartTitle(_("What stands out"), "better")
    elif tried or any(compare_values(by, key).result.p_value is not None for key in rates):
        finding = ChartTitle(_("Nothing stands out"))
    else:
        finding = ChartTitle(_("Too little data to see what stands out"))
    with cards.card(finding, _describe_what_was_tried(state, tried, whole)):
        alert_banner.show_items(viewer, [*worse, *better][:MAX_ITEMS])
        st.caption(source_tables.describe_attribution(viewer, state))


def _find_apart(by: tables.Rows, rates: tuple[str, ...], dimension: str) -> Iterator[AttentionItem]:
    """Find those that differ from the rest by more than chance, a rate's values at once."""
    for key in rates:
        compared = compare_values(by, key)
        for name, row in zip(compared.names, compared.rows, strict=True):
            side = compared.side_of(name)
            if not side:
                continue
            said = {
                "name": escape(formatting.name(dimension, name)),
                "kpi": source_steps.title_of(key),
                "value": formatting.percent(row.value, 0),
                "between": formatting.interval(row.low, row.high, "rate"),
            }
            text = (
                _("**{name}**: {kpi} {value} ({between}), above the rest", **said)
                if side > 0
                else _("**{name}**: {kpi} {value} ({between}), below the rest", **said)
            )
            severity = chart_titles.severity_of(side, get_kpi(key).better)
            strength = compared.strength_of(row)
            yield AttentionItem(strength, text, severity, {dimension: name}, _contacts_behind(key))


def _find_moved(
    viewer: Viewer, state: FilterState, by: tables.Rows, rates: tuple[str, ...], dimension: str
) -> tuple[list[AttentionItem], int, int]:
    """Find rates that moved by more than chance; return them, the tried, and all."""
    if state.compare is None:
        return [], 0, 0
    rows = [
        (value, row[key])
        for value, row in by.items()
        if value is not None
        for key in rates
        if key in row
    ]
    tried = [
        (value, row)
        for value, row in rows
        if not formatting.is_missing(row.delta) and min(row.n, row.n_before) >= MIN_VALUES
    ]
    if not tried:
        return [], 0, len(rows)
    # Bonferroni: with so many tries at once, each must be that much surer.
    factor = stats.bonferroni_factor(len(tried))
    series = trend_cards.read_series(viewer, state, rates)
    items = (
        _describe_moved(value, row, dimension, factor * series[row.kpi].spread)
        for value, row in tried
    )
    return [item for item in items if item is not None], len(tried), len(rows)


def _describe_moved(value: Any, row: Any, dimension: str, spread: float) -> AttentionItem | None:
    kpi = get_kpi(row.kpi)
    between = control_charts.interval_of_change(row, spread)
    if not between:
        return None
    severity = chart_titles.describe_change("", row.delta, between, kpi.unit, kpi.better).severity
    if not severity:
        return None
    text = _(
        "**{name}**: {kpi} {change}, now {value}",
        name=escape(formatting.name(dimension, value)),
        kpi=source_steps.title_of(row.kpi),
        change=formatting.change(row.delta, kpi.unit),
        value=formatting.percent(row.value, 0),
    )
    strength = 2 * abs(row.delta) / (between[1] - between[0])
    return AttentionItem(strength, text, severity, {dimension: value}, _contacts_behind(row.kpi))


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


def _describe_what_was_tried(state: FilterState, tried: int, whole: int) -> str:
    first = _("Clearly different from the rest (95 %, all tested at once for each rate)")
    if state.compare is None:
        return first + ". " + _("Choose a comparison above to see what changed.")
    if not tried:
        return first + ". " + _("The period before has too little data to see what changed.")
    return _(
        "{first}; or clearly changed since {period} ({count} of {whole} rates tested at once)",
        first=first,
        period=state.compare_title,
        count=formatting.number(tried),
        whole=formatting.number(whole),
    )
