"""States by day as strips."""

from collections.abc import Mapping, Sequence
from datetime import date

import plotly.graph_objects as go

from qa_core.analysis.charts.lines import date_axis
from qa_core.analysis.charts.palette import colours, finish
from qa_core.analysis.charts.sketch import Sketch

QUIET, NOTED, ATTENTION = 0, 1, 2
"""Weights of a state: what is as it should be stays in the background."""
ROW_HEIGHT = 15


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
