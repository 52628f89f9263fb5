"""First contact: three ways to know whether a contact resolved it, how the share moves
and what the window does to it, and who can be told apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import charts, peers
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.series import Series
from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.metrics.kpis import get_kpi
from qa_core.ui import cached, cards, drill, peer_dots, trend_cards
from qa_core.ui.filter_bar import FilterState
from qa_core.ui.views.performance import (
    rate_mix_waterfall,
    repeat_chains,
    repeat_reasons,
    resolution_agreement,
    resolution_window,
)
from qa_core.ui.views.performance.resolution_window import SETTING, Window

REPEAT = "first_contact_resolution"
THREE = (REPEAT, "first_contact_resolution_declared", "first_contact_resolution_surveyed")
SPENT = "repeat_handle_time"
ENOUGH = 30
"""Of fewer contacts no window is told."""


def show(viewer: Viewer, look: FilterState) -> None:
    """The whole page: how much, how it moves, why the three differ, why it moved, what
    brings people back, who, and the chains.
    """
    tried = resolution_window.ask(viewer, look)
    rows = cached.headline(
        viewer,
        (*THREE, "answered", "response_rate", "repeat_contacts", SPENT),
        look.where,
        look.compare,
        tried.overrides,
    )
    series = trend_cards.read_series(viewer, look, THREE, tried.overrides)
    _show_tiles(look, rows, series, tried)
    left, right = st.columns([3, 2], gap="small")
    with left:
        trend_cards.show_trend(
            viewer,
            look,
            series[REPEAT],
            window=tried.tried,
            why_empty=_describe_why_pending(rows[REPEAT], tried),
        )
    with right:
        _show_window(viewer, look, tried)
    rate_mix_waterfall.show(viewer, look, REPEAT, series[REPEAT].spread, tried)
    left, right = st.columns([2, 1], gap="small")
    with left:
        resolution_agreement.show(viewer, look, tried)
    with right:
        resolution_agreement.show_left_out(rows[REPEAT], rows["answered"], tried)
    left, right = st.columns(2, gap="small")
    with left:
        repeat_reasons.show(viewer, look, "reason", tried)
    with right:
        repeat_reasons.show(viewer, look, "queue", tried)
    if viewer.can_cut_by("advisor") and not viewer.advisor_id:
        _show_advisors(viewer, look, tried)
    if drill.is_open_to(viewer):
        repeat_chains.show(viewer, look, tried)


def _show_tiles(
    look: FilterState, rows: Mapping[str, Any], series: Mapping[str, Series], tried: Window
) -> None:
    answered = rows["response_rate"]
    response = (
        ""
        if formatting.is_missing(answered.value)
        else _("response rate {rate}", rate=formatting.percent(answered.value, 0))
    )
    tiles = [
        cards.build_tile(rows[key], look, series[key], response if key == THREE[2] else "")
        for key in THREE
    ]
    counted = rows["repeat_contacts"]
    repeated = (
        ""
        if formatting.is_missing(counted.value)
        else _("{n} repeat contacts", n=formatting.number(counted.value))
    )
    tiles.append(cards.build_tile(rows[SPENT], look, extra=repeated))
    # What is explained is the number by the settings: another window has another one.
    cards.show_tiles(
        [
            replace(tile, kpi="") if tried.tried and tile.kpi in (REPEAT, SPENT) else tile
            for tile in tiles
        ]
    )


def _describe_why_pending(row: Any, tried: Window) -> str:
    """Where every first contact still waits for its window: that, and what would tell
    more.
    """
    if row.status != "pending":
        return ""
    return _(
        "All {n} first contacts are pending: their {days} are not over, or reach back beyond "
        "the first day of the data. A shorter window may tell more.",
        n=formatting.number(row.pending),
        days=formatting.days(tried.days),
    )


def _show_window(viewer: Viewer, look: FilterState, tried: Window) -> None:
    """How the share depends on the window that counts as a repeat."""
    windows = sorted({*map(float, SETTING.offered), tried.days})
    frame = pd.concat(
        [
            cached.measure(viewer, (REPEAT,), (), look.where, overrides={SETTING.name: f"{days:g}"})
            for days in windows
        ]
    )
    # Of a few contacts a longer window may even look better: each window has contacts
    # of its own.
    frame.loc[frame["status"] != "ok", ["value", "low", "high"]] = None
    known = [
        (days, value)
        for days, value in zip(windows, frame["value"], strict=True)
        if not formatting.is_missing(value)
    ]
    if len(known) < 2:
        with st.container(border=True, height="stretch", gap="xxsmall"):
            cards.show_heading(
                ChartTitle(_("Too short to try other windows")),
                _(
                    "Only contacts whose window is over on both sides can be judged, and it "
                    "takes {n} of them.",
                    n=ENOUGH,
                ),
            )
        return
    (first, share), (longest, last) = known[0], known[-1]
    finding = ChartTitle(
        _(
            "From {first} within {days} to {last} within {longest}",
            first=formatting.percent(share),
            days=formatting.days(first),
            last=formatting.percent(last),
            longest=formatting.days(longest),
        )
    )
    figure = charts.build_curve(
        windows,
        frame,
        "rate",
        here=tried.days,
        x_label=_("window in days"),
        dark=cards.is_dark(),
        height=270,
    )
    title = cards.title_of(get_kpi(REPEAT))
    caption = _(
        "{title} by the length of its window, each of the contacts whose window is over; "
        "dashed: the window of this page",
        title=title,
    )
    cards.show_chart(figure, finding, caption, "window_curve")


def _show_advisors(viewer: Viewer, look: FilterState, tried: Window) -> None:
    """Advisors against what chance alone would give."""
    frame = cached.measure(viewer, (REPEAT,), ("advisor",), look.where, overrides=tried.overrides)
    group = peers.build_group(get_kpi(REPEAT), frame, "advisor")
    if group is None:
        peer_dots.show_nobody(REPEAT)
        return
    peer_dots.show_bands(
        group,
        drill.on_point(f"dots_{REPEAT}", "advisor", REPEAT, window=tried.tried)
        if drill.is_open_to(viewer)
        else None,
    )
