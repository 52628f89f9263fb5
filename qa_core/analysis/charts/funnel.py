"""Funnel plot of members, and criteria by advisor."""

from collections.abc import Sequence

import pandas as pd
import plotly.graph_objects as go

from qa_core.analysis.charts import elements
from qa_core.analysis.charts.labels import cut, find_range, format_point
from qa_core.analysis.charts.palette import colours, finish
from qa_core.analysis.charts.sketch import Sketch
from qa_core.metrics.kpis import Unit, formatting
from qa_core.stats import CONFIDENCE, OUTER_CONFIDENCE, Funnel

STEPS = 60
NAME_WIDTH, NAME_HEIGHT = 0.36, 13
"""Part of the width that the name of an outlier takes, and its height in pixels."""
MIN_SPREAD = 20.0
"""Minimum range of shares in points for the full colour scale."""


def build_funnel_plot(
    frame: pd.DataFrame,
    funnel: Funnel,
    unit: str,
    *,
    dark: bool = False,
    bounds: tuple[float, float] | None = None,
    height: int = 330,
) -> go.Figure:
    """Draw value against number of values, with limits of chance: 95 % dashed, 99.8 %
    solid.

    `frame`: `key`, `label`, `value`, `low`, `high`, `n`, `severity`, and `is_named`
    (shows its name). Points carry their key.
    """
    tint, figure = colours(dark), Sketch()
    least, most = float(frame["n"].min()), float(frame["n"].max())
    first, last = max(1.0, least * 0.8), most * 1.06 + 1
    at = [first + (last - first) * (step / STEPS) ** 2 for step in range(STEPS + 1)]
    shown = frame["value"].tolist()
    for confidence, dash, width in ((CONFIDENCE, "dash", 1.0), (OUTER_CONFIDENCE, "solid", 1.3)):
        for sign in (1, -1):
            edge = [funnel.centre + sign * funnel.half_width(n, confidence) for n in at]
            shown.append(funnel.centre + sign * funnel.half_width(least, confidence))
            elements.draw_line(figure, at, edge, tint.reference, width, dash)
    figure.add_hline(y=funnel.centre, line={"color": tint.text, "width": 1.2})
    figure.add_points(
        x=frame["n"],
        y=frame["value"],
        marker=elements.mark_severities(frame["severity"], tint, tint.accent, "triangle-up"),
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
        customdata=[[key] for key in frame["key"]],
        text=[format_point(row, row.label, unit) for row in frame.itertuples()],
    )
    font = {"size": 11.5, "color": tint.ink}
    named = sorted((row for row in frame.itertuples() if row.is_named), key=lambda row: -row.n)
    # Place names away from the centre, above each other: outliers are often close.
    spread = (max(shown) - min(shown)) or 1.0
    pixel, width = spread / (height - 70), (last - first) * NAME_WIDTH
    placed: list[tuple[float, float]] = []
    for row in named:
        away = 1 if row.value > funnel.centre else -1
        if bounds and not bounds[0] <= row.value + away * 2 * NAME_HEIGHT * pixel <= bounds[1]:
            away = -away
        is_right = row.n > (first + last) / 2
        left, at_height = row.n - width * is_right, row.value + away * NAME_HEIGHT * pixel
        while any(
            abs(left - other) < width and abs(at_height - there) < NAME_HEIGHT * pixel * 0.99
            for other, there in placed
        ):
            at_height += away * NAME_HEIGHT * pixel
        placed.append((left, at_height))
        shown.append(at_height + away * NAME_HEIGHT * pixel)
        figure.add_annotation(
            x=row.n,
            y=row.value,
            text=cut(row.label, 18),
            font=font,
            xanchor="right" if is_right else "left",
            yshift=(at_height - row.value) / pixel,
        )
    low, high = find_range(shown, bounds)
    sizes = formatting.nice_ticks(first, last, Unit.COUNT, 4)
    figure.update_yaxes(**elements.build_value_axis(low, high, unit))
    figure.update_xaxes(
        range=[first, last],
        tickvals=sizes,
        ticktext=[
            f"n{formatting.NO_BREAK}={formatting.NO_BREAK}{formatting.number(size)}"
            for size in sizes
        ],
    )
    return finish(figure, tint, height, hovermode="closest")


def build_criteria(
    frame: pd.DataFrame,
    advisors: Sequence[str],
    criteria: Sequence[tuple[str, str]],
    *,
    dark: bool = False,
) -> go.Figure:
    """Draw advisors by criteria, depth of colour for points missed; a small ring for
    too few evaluations.

    `frame`: `advisor`, `criterion`, `value` (0–100), `enough`, `text` (hover).
    `criteria`: key and text, in order. Cells carry both keys.
    """
    tint, figure = colours(dark), Sketch()
    rows, columns = (
        {name: row for row, name in enumerate(advisors)},
        {key: column for column, (key, _text) in enumerate(criteria)},
    )
    table = (
        frame[frame["enough"]]
        .pivot(index="advisor", columns="criterion", values="value")
        .reindex(index=list(rows), columns=list(columns))
    )
    shown = table.stack().tolist()
    low, high = (min(shown), max(shown)) if shown else (0.0, 100.0)
    figure.add_heatmap(
        z=table.to_numpy(),
        x=list(range(len(columns))),
        y=list(range(len(rows))),
        zmin=min(low, high - MIN_SPREAD),
        zmax=high,
        colorscale=[[0, tint.attention], [1, "rgba(127,127,127,.08)"]],
        hoverinfo="skip",
    )
    enough = frame["enough"].tolist()
    # Heat maps report no clicks; these points, one on each cell, do.
    figure.add_scatter(
        x=[columns[key] for key in frame["criterion"]],
        y=[rows[name] for name in frame["advisor"]],
        mode="markers+text",
        text=[
            formatting.number(value) if flag else ""
            for value, flag in zip(frame["value"], enough, strict=True)
        ],
        textfont={"size": 11, "color": tint.ink},
        marker={
            "symbol": ["square" if flag else "circle-open" for flag in enough],
            "size": [20 if flag else 6 for flag in enough],
            "color": ["rgba(0,0,0,0)" if flag else tint.reference for flag in enough],
            "line": {"width": [0 if flag else 1.2 for flag in enough]},
        },
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
        customdata=[
            [name, key] for name, key in zip(frame["advisor"], frame["criterion"], strict=True)
        ],
        hovertext=frame["text"].tolist(),
        hovertemplate="%{hovertext}<extra></extra>",
    )
    elements.label_rows(figure, [cut(name, 22) for name in advisors])
    titles = [cut(text, 28) for _key, text in criteria]
    figure.update_xaxes(
        range=[-0.5, len(columns) - 0.5],
        tickvals=list(range(len(columns))),
        ticktext=titles,
        tickangle=-90,
        showgrid=False,
        side="top",
    )
    height = 200 + 25 * max(len(rows), 2)
    return finish(figure, tint, height, hoverdistance=40, hovermode="closest")
