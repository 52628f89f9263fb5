"""The First contact page: three measures of resolution, and why they differ."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import charts, peers
from qa_core.analysis.series import Series
from qa_core.base.i18n import _
from qa_core.metrics.kpis import formatting, get_kpi
from qa_core.ui.frame import cached, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.views.performance import (
    rate_mix_waterfall,
    repeat_chains,
    repeat_reasons,
    resolution_agreement,
    resolution_window,
)
from qa_core.ui.views.performance.resolution_window import SETTING, Window
from qa_core.ui.widgets import cards, drill, peer_dots, sections, trend_cards

REPEAT = "first_contact_resolution"
THREE = (REPEAT, "first_contact_resolution_declared", "first_contact_resolution_surveyed")
SPENT = "repeat_handle_time"
MIN = 30
"""Contacts from which on a share is `ok` rather than a small sample."""


def show(viewer: Viewer, state: FilterState) -> None:
    """Show the whole page."""
    window = resolution_window.ask(viewer)
    rows = cached.headline(
        viewer,
        (*THREE, "answered", "response_rate", "repeat_contacts", SPENT),
        state.where,
        state.compare,
        window.overrides,
    )
    series = trend_cards.read_series(viewer, state, THREE, window.overrides)
    _show_tiles(state, rows, series, window)
    left, right = st.columns([2, 3], gap="small")
    with left:
        why_empty = _describe_pending(rows[REPEAT], window)
        trend_cards.show_trend(
            viewer, state, series[REPEAT], window=window.tried, why_empty=why_empty
        )
    with right:
        repeat_reasons.show(viewer, state, "reason", window)
    sections.show(
        "change",
        _("Why the rate changed"),
        lambda: rate_mix_waterfall.show(viewer, state, REPEAT, series[REPEAT].spread, window),
    )
    sections.show(
        "queues",
        _("Repeat contacts by queue"),
        lambda: repeat_reasons.show(viewer, state, "queue", window),
    )
    # Other windows, and what is left out, are in no published table.
    if not viewer.needs_suppression:
        sections.show(
            "agreement",
            _("Declared, confirmed and measured resolution compared"),
            lambda: _show_agreement(viewer, state, rows, window),
        )
        sections.show("windows", _("Other windows"), lambda: _show_window(viewer, state, window))
    if viewer.can_cut_by("advisor") and not viewer.advisor_id:
        sections.show("advisors", _("Advisors"), lambda: _show_advisors(viewer, state, window))
    if drill.is_open_to(viewer):
        sections.show(
            "chains",
            _("Chains of repeat contacts (the journal records who opens them)"),
            lambda: repeat_chains.show(viewer, state, window),
        )


def _show_agreement(
    viewer: Viewer, state: FilterState, rows: Mapping[str, Any], window: Window
) -> None:
    resolution_agreement.show(viewer, state, window)
    resolution_agreement.show_left_out(rows[REPEAT], rows["answered"], window)


def _show_tiles(
    state: FilterState, rows: Mapping[str, Any], series: Mapping[str, Series], window: Window
) -> None:
    rate, repeats = rows["response_rate"].value, rows["repeat_contacts"].value
    extra = {
        THREE[2]: ""
        if formatting.is_missing(rate)
        else _("response rate {rate}", rate=formatting.percent(rate, 0)),
        SPENT: ""
        if formatting.is_missing(repeats)
        else _("{n} repeat contacts", n=formatting.number(repeats)),
    }
    tiles = [
        cards.build_tile(rows[key], state, series.get(key), extra.get(key, ""))
        for key in (*THREE, SPENT)
    ]
    # The link explains the number by the settings: another window has another number.
    cards.show_tiles(
        [
            replace(tile, kpi="") if window.tried and tile.kpi in (REPEAT, SPENT) else tile
            for tile in tiles
        ]
    )


def _describe_pending(row: Any, window: Window) -> str:
    """Describe what to try if every first contact is pending."""
    if row.status != "pending":
        return ""
    return _(
        "All {n} first contacts are pending: their {days} are not over, or start before the data. "
        "A shorter window may show more.",
        n=formatting.number(row.pending),
        days=formatting.days(window.days),
    )


def _show_window(viewer: Viewer, state: FilterState, window: Window) -> None:
    """Show how the share depends on the window within which a contact is a repeat."""
    windows = sorted({*map(float, SETTING.offered_values), window.days})
    frame = cached.measure_under(
        viewer, REPEAT, SETTING.name, tuple(f"{days:g}" for days in windows), state.where
    )
    # Each window has its own contacts: of a few, a longer window may even look better.
    frame.loc[frame["status"] != "ok", ["value", "low", "high"]] = None
    known = [
        (days, value)
        for days, value in zip(windows, frame["value"], strict=True)
        if not formatting.is_missing(value)
    ]
    if len(known) < 2:
        cards.show_message(_("Needs {n} contacts with a complete repeat window.", n=MIN))
        return
    (shortest, first), (longest, last) = known[0], known[-1]
    figure = charts.build_curve(
        windows,
        frame,
        "rate",
        here=window.days,
        x_label=_("window in days"),
        dark=styles.is_dark(),
        height=270,
    )
    finding = _(
        "From {first} within {days} to {last} within {longest}",
        first=formatting.percent(first),
        days=formatting.days(shortest),
        last=formatting.percent(last),
        longest=formatting.days(longest),
    )
    caption = _(
        "Line: {title} by length of the repeat window, for contacts with a complete window. "
        "Dashed: this page's window",
        title=cards.title_of(get_kpi(REPEAT)),
    )
    cards.show_chart(figure, finding, caption, "window_curve")


def _show_advisors(viewer: Viewer, state: FilterState, window: Window) -> None:
    frame = cached.measure(viewer, (REPEAT,), ("advisor",), state.where, overrides=window.overrides)
    group = peers.build_group(get_kpi(REPEAT), frame, "advisor")
    if group is None:
        peer_dots.show_nobody(REPEAT)
        return
    key = f"dots_{REPEAT}"
    peer_dots.show_bands(group, drill.on_point(viewer, key, "advisor", REPEAT, window.tried))
