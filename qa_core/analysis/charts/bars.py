"""Waterfall of a change."""

import itertools
from collections.abc import Mapping, Sequence
from datetime import date

import plotly.graph_objects as go

from qa_core.analysis.charts.labels import cut, plain
from qa_core.analysis.charts.lines import date_axis
from qa_core.analysis.charts.palette import colours, finish
from qa_core.analysis.charts.sketch import Sketch
from qa_core.metrics.kpis import formatting

QUIET, NOTED, ATTENTION = 0, 1, 2
"""Weights of a state: what is as it should be stays in the background."""
ROW_HEIGHT = 15


def build_waterfall(
    before: float,
    after: float,
    parts: Sequence[tuple[str, float, str | None]],
    unit: str,
    *,
    better: str = "up",
    labels: tuple[str, str],
    dark: bool = False,
    height: int = 270,
) -> go.Figure:
    """Draw the way from `before` through each part (label, effect, key for drill-down
    or None) to `after`.

    The axis does not start at zero where that would hide the parts; its cut is then
    marked on the two totals.
    """
    tint, figure = colours(dark), Sketch()
    edges = list(itertools.accumulate((effect for _label, effect, _key in parts), initial=before))
    low, high = min(*edges, after), max(*edges, after)
    span = (high - low) or abs(before) * 0.1 or 1
    floor = low - span * 0.55
    is_cut = floor > 0
    floor = floor if is_cut else min(0.0, low - span * 0.1)
    good = {"up": 1, "down": -1}.get(better, 0)

    def paint(effect: float) -> str:
        if not good:
            return tint.reference
        return tint.better if effect * good > 0 else tint.attention

    # Name, base, length, colour, text, key.
    bars = [
        (labels[0], floor, before - floor, tint.reference, formatting.value(before, unit), None),
        *(
            (label, edge, effect, paint(effect), formatting.change(effect, unit), key)
            for (label, effect, key), edge in zip(parts, edges, strict=False)
        ),
        (labels[1], floor, after - floor, tint.reference, formatting.value(after, unit), None),
    ]
    rows = list(range(len(bars)))
    names, bases, lengths, colour, texts, keys = map(list, zip(*bars, strict=True))
    figure.add_bar(
        x=lengths,
        y=rows,
        base=bases,
        orientation="h",
        marker_color=colour,
        width=0.68,
        customdata=[[key] for key in keys],
        hovertext=[f"<b>{plain(name)}</b><br>{text}" for name, *_rest, text, _key in bars],
        hoverinfo="text",
    )
    joint = {"type": "line", "line": {"color": tint.reference, "width": 1}}
    joints = [
        {**joint, "x0": edge, "x1": edge, "y0": row + 0.34, "y1": row + 0.66}
        for row, edge in enumerate(edges)
    ]
    figure.update_layout(shapes=joints)
    font = {"size": 11.5, "color": tint.text}
    for row, (base, length, text) in enumerate(zip(bases, lengths, texts, strict=True)):
        # The texts of falls are on their left, the others on their right, outside the bars.
        side = (
            {"xanchor": "right", "xshift": -4} if length < 0 else {"xanchor": "left", "xshift": 4}
        )
        figure.add_annotation(x=base + length, y=row, text=text, font=font, **side)
    if is_cut:
        mark = {"x": floor, "text": "≈", "textangle": 90, "xshift": 9}
        for row in (0, rows[-1]):
            figure.add_annotation(y=row, font={"size": 18, "color": tint.paper}, **mark)
    figure.update_xaxes(range=[floor, high + span * 0.42], visible=False)
    figure.update_yaxes(
        range=[len(rows) - 0.4, -0.6],
        tickvals=rows,
        ticktext=[cut(name, 28) for name in names],
        showgrid=False,
    )
    return finish(figure, tint, height)


def build_strips(
    days: Sequence[date],
    rows: Mapping[str, Sequence[tuple[int, str] | None]],
    *,
    dark: bool = False,
) -> go.Figure:
    """Draw for each row the weight of its state on each day, and its words on demand; None
    is a day that nobody noted.
    """
    tint, figure = colours(dark), Sketch()
    cells = list(rows.values())
    scale = [tint.band, tint.accent, tint.attention]
    figure.add_heatmap(
        z=[[cell and cell[0] for cell in row] for row in cells],
        x=list(days),
        y=list(rows),
        text=[[cell[1] if cell else "" for cell in row] for row in cells],
        hovertemplate="%{text}<extra></extra>",
        hoverongaps=False,
        colorscale=[[weight / 2, colour] for weight, colour in enumerate(scale)],
        zmin=QUIET,
        zmax=ATTENTION,
        xgap=1,
    )
    figure.update_yaxes(autorange="reversed", showgrid=False, type="category")
    figure.update_xaxes(showgrid=False)
    date_axis(figure, list(days), "day")
    return finish(figure, tint, 40 + ROW_HEIGHT * len(rows))
