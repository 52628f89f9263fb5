"""Advisors or teams side by side on one KPI: dots in bands, the funnel, the table."""

from collections.abc import Callable, Sequence

import pandas as pd
import streamlit as st

from qa_core import stats
from qa_core.access.roles import Viewer
from qa_core.analysis import chart_titles, charts, peers
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.peers import Group, Peer
from qa_core.base.i18n import _, ngettext, uncapitalise
from qa_core.centre.advisors import normalise_name
from qa_core.metrics.kpis import FactTable, formatting, get_kpi
from qa_core.ui.frame import cached, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import cards, segmented_choice, tables

MAX_ROWS = 24
MAX_NAMES = 6
Callback = Callable[[], None] | None


def read_group(viewer: Viewer, state: FilterState, key: str, dimension: str) -> Group | None:
    """Compare the advisors or teams in scope on one KPI; None, and said, for fewer than two."""
    kpi, frame = get_kpi(key), cached.measure(viewer, (key,), (dimension,), state.where)
    group = peers.build_group(kpi, frame, dimension)
    if group is None:
        least = peers.find_minimum(kpi)
        caption = _("Needs two with at least {n} values each in this period.", n=least)
        title = _("{title}: nothing to compare with", title=formatting.short_title(kpi))
        cards.card(title, caption)
    return group


def show_bands(group: Group, on_select: Callback, with_shrunk: bool = False) -> None:
    """Show dots and intervals, band by band and by name, never in an order of merit."""
    kpi, names = group.kpi, {peer.name: peer.name for peer in group.peers}
    title = formatting.short_title(kpi)
    drawn = _choose(group.peers)
    frame = _frame(group, drawn)
    figure = charts.build_dots(
        frame if with_shrunk else frame.drop(columns="shrunk"),
        kpi.unit,
        dark=styles.is_dark(),
        centre=group.centre,
        bounds=kpi.bounds,
        row_height=_row_height(len(drawn)),
        breaks=[row for row in range(1, len(drawn)) if drawn[row].band != drawn[row - 1].band],
    )
    parts = [_(cards.WITH_RANGE), chart_titles.describe_outliers(group.comparison, names)]
    if with_shrunk:
        parts.append(_("Open circle: shrunk towards the group average."))
    parts.append(describe_left_out(len(group.peers) - len(drawn) + len(group.excluded)))
    caption, finding = " ".join(filter(None, parts)), describe_comparison(group, title)
    cards.show_chart(figure, finding, caption, f"dots_{kpi.key}", on_select=on_select, kpi=kpi.key)


def describe_comparison(group: Group, title: str) -> ChartTitle:
    """Describe how many of the group clearly differ on that KPI."""
    count, better = len(group.peers), group.kpi.better
    return chart_titles.describe_comparison(group.comparison, count, title, better)


def describe_left_out(count: int) -> str:
    """Describe how many a comparison leaves out; empty for none."""
    if not count:
        return ""
    return ngettext(
        "{n} other is not shown: too few values, hidden, or no room.",
        "{n} others are not shown: too few values, hidden, or no room.",
        count,
    )


def show_funnel(group: Group, on_select: Callback) -> None:
    """Show value against number of values, between limits that widen where there are few."""
    distance = {peer.name: abs(peer.value - group.centre) for peer in group.peers}
    beyond = [
        peer
        for peer in group.peers
        if distance[peer.name] > group.funnel.half_width(peer.n, stats.OUTER_CONFIDENCE)
    ]
    named = beyond or [peer for peer in group.peers if peer.band != "indistinct"]
    names = {peer.name for peer in named[:MAX_NAMES]}
    frame = _frame(group, group.peers)
    rows = min(len(group.peers), MAX_ROWS)
    figure = charts.build_funnel_plot(
        frame.assign(is_named=[name in names for name in frame["key"]]),
        group.funnel,
        group.kpi.unit,
        dark=styles.is_dark(),
        bounds=group.kpi.bounds,
        height=max(300, 46 + rows * _row_height(rows)),
    )
    text = _("All are within the outer limits of the funnel")
    if beyond:
        text = ngettext(
            "{n} of {all} is outside the outer limits",
            "{n} of {all} are outside the outer limits",
            len(beyond),
            all=len(group.peers),
        )
    outside = sum(distance[peer.name] > group.funnel.half_width(peer.n) for peer in group.peers)
    caption = _explain_funnel(group, outside)
    if beyond and all(peer.band == "indistinct" for peer in beyond):
        caption += " " + _("Tested together, all of them show no clear difference.")
    cards.show_chart(
        figure, text, caption, f"funnel_{group.kpi.key}", on_select=on_select, kpi=group.kpi.key
    )


def _explain_funnel(group: Group, outside: int) -> str:
    """Explain the limits. `outside`: number of peers beyond the inner ones."""
    parts = [
        _(
            "Horizontal: number of values. Dashed: 95 % of values lie within by chance "
            "alone. Solid: 99.8 %."
        )
    ]
    if outside:
        text = ngettext(
            "{n} is outside the dashed limits; chance alone would put {by_chance} of {all} there.",
            "{n} are outside the dashed limits; chance alone would put {by_chance} of {all} there.",
            outside,
            all=len(group.peers),
            by_chance=formatting.number(0.05 * len(group.peers), 1),
        )
        parts.append(text)
    return " ".join(parts)


def show_needed(group: Group, title: str, on_name: Callable[[str], None]) -> None:
    """Show everybody by name, and the values still needed. `title`: of the names."""
    kpi = group.kpi
    sizes = {f"{size:g}": _format_size(group, size) for size in peers.DIFFERENCES[kpi.unit]}
    is_evaluations = kpi.subject == FactTable.EVALUATION_ANSWERS
    counted = uncapitalise(_("Evaluations") if is_evaluations else _("Contacts"))
    with cards.card():
        top, right = st.columns([3, 2], vertical_alignment="top")
        with right:
            chosen = segmented_choice.ask("difference", _("Difference to detect"), sizes)
        size = float(chosen)
        needed = {peer.name: group.extra_values_needed(peer, size) for peer in group.peers}
        with top:
            finding = _describe_needed(list(needed.values()), sizes[chosen], counted)
            by_name = _(
                "In alphabetical order. Advisors in the same band show no clear difference."
            )
            meaning = _(
                "Still needed: {counted} it takes to detect a difference of this size from the "
                "group (80 % power).",
                counted=counted,
            )
            cards.show_heading(finding, f"{by_name} {meaning}")
        columns = (
            tables.name_column(title, lambda peer: peer.name),
            tables.text_column(_("Band"), lambda peer: _(peers.BANDS[peer.band])),
            tables.count_column("n", lambda peer: peer.n),
            tables.number_text_column(
                cards.column_of(kpi.key), lambda peer: tables.with_interval(peer, kpi.unit)
            ),
            tables.value_column(_("Shrunk estimate"), lambda peer: peer.shrunk, kpi.unit),
            tables.count_column(_("Still needed"), lambda peer: needed[peer.name], 105),
            tables.number_text_column(
                _("Detectable today"),
                lambda peer: f"± {_format_size(group, group.detectable_difference(peer))}",
            ),
        )
        lines = sorted(group.peers, key=lambda peer: normalise_name(peer.name))
        tables.show(
            lines, columns, f"needed_{kpi.key}", lambda peer: on_name(peer.name), height=520
        )


def _format_size(group: Group, size: float) -> str:
    return formatting.change(size, group.kpi.unit).lstrip("+")


def _describe_needed(needed: list[int], difference: str, counted: str) -> str:
    waiting = sum(count > 0 for count in needed)
    if not waiting:
        return _("Enough data to detect {difference} for everyone", difference=difference)
    return ngettext(
        "To detect {difference}, {n} of {all} needs more {counted}",
        "To detect {difference}, {n} of {all} need more {counted}",
        waiting,
        difference=difference,
        all=len(needed),
        counted=counted,
    )


def _row_height(rows: int) -> int:
    return min(28, max(18, 440 // rows))


def _choose(members: Sequence[Peer]) -> list[Peer]:
    """Return all, or of many those who stand out and the first of the others by name."""
    outliers = [peer for peer in members if peer.band != "indistinct"][:MAX_ROWS]
    others = [peer for peer in members if peer.band == "indistinct"][: MAX_ROWS - len(outliers)]
    return [peer for peer in members if peer in outliers or peer in others]


def _frame(group: Group, chosen: Sequence[Peer]) -> pd.DataFrame:
    records = []
    for peer in chosen:
        # As wide as chance alone asks: the funnel beside it has its own, wider limits.
        low, high = stats.chance_range(group.centre, group.deviation, peer.n)
        records.append(
            {
                "key": peer.name,
                "label": peer.name,
                "value": peer.value,
                "low": peer.low,
                "high": peer.high,
                "n": peer.n,
                "shrunk": peer.shrunk,
                "chance_low": low,
                "chance_high": high,
                "severity": group.severity_of(peer),
            }
        )
    return pd.DataFrame(records).astype({"low": float, "high": float})
