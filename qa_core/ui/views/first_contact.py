"""First contact: three ways to know whether a contact resolved it, why the share moved, who and what brings people back."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from qa_core import charts, exports, figures, slices
from qa_core.access import Viewer
from qa_core.findings import Finding
from qa_core.kpis import get_kpi
from qa_core.settings import BY_NAME
from qa_core.ui import cached, cards, drill, links, tables
from qa_core.ui.cards import Tile
from qa_core.ui.filter_bar import Look
from qa_core.ui.views import compared, trends
from qa_core.wording import _

REPEAT = "first_contact_resolution"
THREE = (REPEAT, "first_contact_resolution_declared", "first_contact_resolution_surveyed")
WINDOWS = BY_NAME["first_contact_days"].offered


def show_top(viewer: Viewer, look: Look) -> None:
    """Four tiles, the trend, and why it moved."""
    rows = cached.headline(viewer, (*THREE, "average_handle_time", "response_rate"), look.where, look.compare)
    series = trends.read_series(viewer, look, THREE)
    answered = rows["response_rate"]
    response = "" if figures.is_missing(answered.value) else _("response rate {rate}", rate=figures.percent(answered.value, 0))
    tiles = [cards.build_tile(rows[key], look, series[key], response if key == THREE[2] else "") for key in THREE]
    cards.show_tiles([*tiles, _build_cost(rows[REPEAT], rows["average_handle_time"], look)])
    left, right = st.columns([3, 2], gap="small")
    with left:
        trends.show_trend(viewer, look, series[REPEAT])
    with right:
        trends.show_change(viewer, look, REPEAT, "reason", series[REPEAT].spread)


def show_who_and_what(viewer: Viewer, look: Look) -> None:
    """Advisors against what chance would give (where the viewer may see them), reasons and queues, and what the window does."""
    sees_advisors = viewer.can_cut_by("advisor")
    left, right = st.columns([5, 4] if sees_advisors else 2, gap="small")
    with left:
        if sees_advisors:
            compared.show_dots(viewer, look, REPEAT)
        else:
            _show_table(viewer, look, "queue", _("Queues"))
        _show_window(viewer, look)
    with right:
        _show_table(viewer, look, "reason", _("Reasons that bring people back"), height=400 if sees_advisors else 560)
        if sees_advisors:
            _show_table(viewer, look, "queue", _("Queues"))


def _show_window(viewer: Viewer, look: Look) -> None:
    """How the share depends on the window that counts as a repeat."""
    frame = pd.concat([cached.measure(viewer, (REPEAT,), (), look.where, overrides={"first_contact_days": str(days)}) for days in WINDOWS])
    known = [(days, value) for days, value in zip(WINDOWS, frame["value"], strict=True) if not figures.is_missing(value)]
    if len(known) < 2:
        return
    # The window of one day is the first to be over.
    (_days, first), (longest, last) = known[0], known[-1]
    said = _("From {first} within one day to {last} within {n} days", first=figures.percent(first), last=figures.percent(last), n=longest)
    figure = charts.build_curve(
        WINDOWS,
        frame,
        "rate",
        here=cached.current_settings().first_contact_days,
        x_label=_("days within which a further contact counts as a repeat"),
        dark=cards.is_dark(),
    )
    cards.show_chart(
        figure, Finding(said), _("{title} by the length of its window; dashed: the window in force", title=cards.title_of(get_kpi(REPEAT))), "window"
    )


def _build_cost(resolved, handle, look: Look) -> Tile:
    """What repeats cost: repeats × handle time."""
    title = _("Time spent on repeats")
    help_text = _("First contacts that were followed by a further one within the window, times the average handle time.")
    if figures.is_missing(resolved.value) or figures.is_missing(handle.value):
        return Tile(title, cards.NOTHING, help_text, _(figures.NO_DATA))
    repeats = resolved.denominator - resolved.numerator
    tile = {
        "title": title,
        "value": f"{figures.number(repeats * handle.value / 3600)}{figures.NO_BREAK}h",
        "help": help_text,
        "below": _("{n} repeated contacts", n=figures.number(repeats)),
    }
    if look.compare and not figures.is_missing(resolved.value_before) and not figures.is_missing(handle.value_before):
        hours = (repeats * handle.value - resolved.n_before * (1 - resolved.value_before) * handle.value_before) / 3600
        tile |= {"delta": ("+" if hours > 0 else "") + f"{figures.number(hours)}{figures.NO_BREAK}h", "delta_up": hours >= 0}
    return Tile(**tile)


def _show_table(viewer: Viewer, look: Look, dimension: str, title: str, height: int = 400) -> None:
    frame = cached.measure(viewer, (REPEAT,), (dimension,), look.where, look.compare)
    lines = tables.sparklines(cached.measure(viewer, (REPEAT,), (dimension, look.grain), look.trend), dimension, look.grain, REPEAT)
    rows = [row for row in frame.itertuples() if not figures.is_missing(row.value)]
    rows.sort(key=lambda row: row.numerator - row.denominator)
    with st.container(border=True, height="stretch", gap="xxsmall"):
        clickable = drill.is_open_to(viewer)
        cards.show_heading(Finding(title), _("Click a line to see its contacts.") if clickable and rows else "")
        if not rows:
            st.caption(_(figures.NO_DATA))
            return
        values = [None if figures.is_missing(getattr(row, dimension)) else getattr(row, dimension) for row in rows]
        rate, repeats, change, trend = _("Resolved"), _("Repeats"), _("Change"), _("Trend")
        head = _(slices.get_dimension(dimension).title)
        shown = [
            {
                head: figures.name(dimension, value),
                rate: tables.as_share(row.value),
                repeats: int(row.denominator - row.numerator),
                **({change: figures.change(row.delta, "rate")} if look.compare else {}),
                trend: lines.get(value, []),
            }
            for value, row in zip(values, rows, strict=True)
        ]
        key = f"table_{REPEAT}_{dimension}"
        config = {
            head: tables.name_column(head, 140),
            rate: tables.percent_column(rate, 66),
            repeats: tables.count_column(repeats, 62),
            change: st.column_config.TextColumn(change, width=68),
            trend: tables.trend_column(trend, 56),
        }
        tables.show(shown, config, key, drill.on_row(key, dimension, values, REPEAT) if clickable else None, height=height)
        links.show_download(_("Export"), "figures", key=dimension, **exports.parameters((REPEAT,), (dimension,), look.where))
