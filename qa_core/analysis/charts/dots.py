"""Dots with intervals in rows, against chance or around zero."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from qa_core.analysis.charts import elements
from qa_core.analysis.charts.labels import cut, find_range, format_point, list_values, plain
from qa_core.analysis.charts.palette import colours, finish
from qa_core.analysis.charts.sketch import Sketch
from qa_core.base.i18n import _
from qa_core.metrics.kpis import Unit, formatting

MAX_LABEL = 32
"""Characters of a label beside a difference."""


def build_dots(
    frame: pd.DataFrame,
    unit: str,
    *,
    dark: bool = False,
    centre: float | None = None,
    bounds: tuple[float, float] | None = None,
    row_height: int = 22,
    breaks: Sequence[int] = (),
) -> go.Figure:
    """Draw dots and intervals, one row each, against the limits of chance.

    `frame`: `key`, `label`, `value`, `low`, `high`, `n`, and optionally `chance_low`
    and `chance_high` (grey bar), `shrunk` (ring) and `severity` (`better`, `attention`
    or empty). Rows keep their order, the first on top. Dots carry their key. `breaks`:
    rows with a line above them.
    """
    tint, figure = colours(dark), Sketch()
    frame = frame.reset_index(drop=True)
    rows = list(range(len(frame)))
    if "chance_low" in frame:
        figure.add_bar(
            x=frame["chance_high"] - frame["chance_low"],
            y=rows,
            base=frame["chance_low"],
            orientation="h",
            width=1,
            marker={"color": tint.chance, "line": {"width": 0}},
            hoverinfo="skip",
        )
    if centre is not None:
        figure.add_vline(x=centre, line={"color": tint.text, "width": 1.2})
    elements.draw_intervals(
        figure, zip(rows, frame["low"], frame["high"], strict=True), tint.reference
    )
    for row in breaks:
        figure.add_hline(y=row - 0.5, line={"color": tint.reference, "width": 1, "dash": "dot"})
    if "shrunk" in frame:
        ring = {"symbol": "circle-open", "size": 11, "color": tint.ink, "line": {"width": 1.3}}
        figure.add_scatter(x=frame["shrunk"], y=rows, mode="markers", marker=ring, hoverinfo="skip")
    severities = frame["severity"].tolist() if "severity" in frame else [""] * len(frame)
    figure.add_points(
        x=frame["value"],
        y=rows,
        marker=elements.mark_severities(severities, tint, tint.accent),
        customdata=[[key] for key in frame["key"]],
        text=[format_point(row, row.label, unit) for row in frame.itertuples()],
    )
    shown = list_values(frame, "value", "low", "high", "shrunk", "chance_low", "chance_high")
    low, high = find_range(shown, bounds)
    axis = elements.build_value_axis(low, high, unit, count=4)
    figure.update_xaxes(**axis, showgrid=True, side="bottom")
    lines = 2 if row_height >= 36 else 1
    elements.label_rows(figure, [cut(str(label), lines=lines) for label in frame["label"]])
    # The half of the last tick of an axis that ends there: 100 %.
    return finish(figure, tint, 46 + row_height * max(len(frame), 2), margin_r=20)


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
        of_severity = frame[frame["severity"] == severity].dropna(subset=["low"])
        if len(of_severity):
            intervals = zip(of_severity.index, of_severity["low"], of_severity["high"], strict=True)
            elements.draw_intervals(figure, intervals, colour, 1.8)
    if "plain" in frame:
        ring = {"symbol": "circle-open", "size": 6.5, "color": tint.reference}
        ring["line"] = {"width": 1.3}
        still = {"hoverinfo": "skip", "cliponaxis": False}
        figure.add_scatter(x=frame["plain"], y=rows, mode="markers", marker=ring, **still)
    figure.add_points(
        x=frame["value"],
        y=rows,
        marker=elements.mark_severities(frame["severity"], tint, tint.reference, sizes=(7.5, 10)),
        text=[_describe(row, unit) for row in frame.itertuples()],
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
    elements.label_rows(figure, [cut(str(label), MAX_LABEL) for label in frame["label"]])
    return finish(figure, tint, 34 + row_height * max(len(frame), 3))


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
    points = {Unit.RATE: 100, Unit.SCORE: 1, Unit.NPS: 1}.get(unit)
    least = formatting.change(low, unit) if points is None else _signed(points * low, 1)
    return _("{low} to {high}", low=least, high=formatting.change(high, unit))


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
