"""Stacked bars of shares, month by month."""

from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from qa_core.analysis.charts.labels import plain
from qa_core.analysis.charts.palette import FONT, LEGEND, colours, dress
from qa_core.analysis.charts.sketch import Sketch
from qa_core.metrics import formatting

WRITTEN = 0.1
"""Minimum share whose bar has room for its text."""


def build_shares(frame: pd.DataFrame, marks: Mapping[str, str], *, dark: bool = False) -> go.Figure:
    """Draw stacked bars of shares. `frame`: `month` (YYYY-MM), `mark`, `n`; `marks`:
    mark → title, the least pleased first.
    """
    tint, figure = colours(dark), Sketch()
    table = (
        frame.pivot(index="month", columns="mark", values="n")
        .reindex(columns=list(marks))
        .fillna(0)
        .sort_index()
    )
    shares = table.div(table.sum(axis=1), axis=0)
    months = list(table.index)
    for (mark, title), (colour, ink) in zip(marks.items(), _paint(len(marks), dark), strict=True):
        written = [
            formatting.percent(share, 0) if share >= WRITTEN and len(months) <= 14 else ""
            for share in shares[mark]
        ]
        hover = [
            f"<b>{plain(title)}</b><br>{formatting.name('month', month)}<br>"
            f"{formatting.percent(share)}<br>n = {formatting.number(n)}"
            for month, share, n in zip(months, shares[mark], table[mark], strict=True)
        ]
        figure.add_bar(
            x=list(range(len(months))),
            y=shares[mark],
            name=plain(title),
            marker={"color": colour, "line": {"width": 0}},
            text=written,
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            textfont={"size": 10.5, "color": ink},
            hovertext=hover,
            hoverinfo="text",
        )
    step = max(1, -(-len(months) // 7))
    ticks = list(range(0, len(months), step))
    text = [
        formatting.month(months[place], year=False)
        + (f"<br>{months[place][:4]}" if place == 0 or months[place][5:] == "01" else "")
        for place in ticks
    ]
    figure.update_xaxes(tickvals=ticks, ticktext=text, showgrid=False)
    figure.update_yaxes(range=[0, 1], visible=False)
    legend = LEGEND | {"x": 0, "xanchor": "left", "y": 1.02}
    legend["font"] = {"family": FONT, "size": 11.5}
    return dress(figure, tint, 230, barmode="stack", bargap=0.18, showlegend=True, legend=legend)


def _paint(count: int, dark: bool) -> list[tuple[str, str]]:
    """Return (colour, text colour) per mark, from unhappy over grey to happy."""
    tint = colours(dark)
    grey = ("#5B666D" if dark else "#C3C9CC", "#FFFFFF" if dark else "#1E2A32")
    strong = (
        (tint.attention, "#14191D" if dark else "#FFFFFF"),
        (tint.better, "#14191D" if dark else "#FFFFFF"),
    )
    if count == 3:
        return [strong[0], grey, strong[1]]
    pale = (
        (("#8A6420", "#FFFFFF"), ("#1F6F59", "#FFFFFF"))
        if dark
        else (("#F0A878", "#1E2A32"), ("#86CDB6", "#1E2A32"))
    )
    return [strong[0], *([pale[0]] if count == 5 else []), grey, pale[1], strong[1]]
