"""Differences from zero in rows: dot and interval, grey where not significant."""

import pandas as pd
import plotly.graph_objects as go

from qa_core.analysis.charts.elements import draw_intervals, label_rows, mark_severities
from qa_core.analysis.charts.labels import cut, find_range, list_values, plain
from qa_core.analysis.charts.palette import colours, dress
from qa_core.analysis.charts.sketch import Sketch
from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.metrics.kpis import Unit

CUT = 32


def build_differences(
    frame: pd.DataFrame, unit: str, *, dark: bool = False, row_height: int = 20
) -> go.Figure:
    """Draw dots with intervals around zero; rows keep their order, the first on top.

    `frame`: `label`, `value`, `low`, `high`, `n`, `severity` (`better`, `attention`;
    empty: grey), and optionally `plain`, a second value as an open mark. Rates are
    shown in points.
    """
    tint, figure = colours(dark), Sketch()
    frame = frame.reset_index(drop=True)
    rows = list(range(len(frame)))
    paint = {"better": tint.better, "attention": tint.attention, "": tint.reference}
    for severity, colour in paint.items():
        own = frame[frame["severity"] == severity].dropna(subset=["low"])
        if len(own):
            intervals = zip(own.index, own["low"], own["high"], strict=True)
            draw_intervals(figure, intervals, colour, 1.8)
    if "plain" in frame:
        ring = {"symbol": "circle-open", "size": 6.5, "color": tint.reference}
        ring["line"] = {"width": 1.3}
        still = {"hoverinfo": "skip", "cliponaxis": False}
        figure.add_scatter(x=frame["plain"], y=rows, mode="markers", marker=ring, **still)
    figure.add_scatter(
        x=frame["value"],
        y=rows,
        mode="markers",
        marker=mark_severities(frame["severity"], tint, tint.reference, sizes=(7.5, 10)),
        cliponaxis=False,
        text=[_describe(row, unit) for row in frame.itertuples()],
        hovertemplate="%{text}<extra></extra>",
    )
    low, high = find_range([0.0, *list_values(frame, "value", "low", "high", "plain")], None)
    ticks = formatting.nice_ticks(low, high, unit, 5)
    figure.add_vline(x=0, line={"color": tint.text, "width": 1.2})
    figure.update_xaxes(
        range=[low, high],
        tickvals=ticks,
        ticktext=[_tick(tick, unit) for tick in ticks],
        showgrid=True,
        side="bottom",
    )
    label_rows(figure, [cut(str(label), CUT) for label in frame["label"]])
    return dress(figure, tint, 34 + row_height * max(len(frame), 3))


def _tick(value: float, unit: str) -> str:
    scaled = 100 * value if unit == Unit.RATE else value
    return _signed(
        scaled,
        0
        if abs(scaled - round(scaled)) < 1e-9
        else 1
        if abs(10 * scaled - round(10 * scaled)) < 1e-9
        else 2,
    )


def format_between(low: float, high: float, unit: str) -> str:
    """Format the interval of a difference, the unit written once: −3.1 to +0.4 pt."""
    if unit == Unit.RATE:
        return _("{low} to {high}", low=_signed(100 * low, 1), high=formatting.change(high, unit))
    return _(
        "{low} to {high}", low=formatting.change(low, unit), high=formatting.change(high, unit)
    )


def _signed(value: float, digits: int) -> str:
    return ("+" if value > 0 else "") + formatting.number(value, digits)


def _describe(row: object, unit: str) -> str:
    parts = [f"<b>{plain(str(row.label))}</b>", formatting.change(row.value, unit)]
    if not formatting.is_missing(row.low):
        between = format_between(row.low, row.high, unit)
        parts.append(_("95 % confidence interval {interval}", interval=between))
    if not formatting.is_missing(getattr(row, "plain", None)):
        parts.append(_("unadjusted {change}", change=formatting.change(row.plain, unit)))
    if not formatting.is_missing(row.n):
        parts.append(f"n = {formatting.number(row.n)}")
    return "<br>".join(parts)
