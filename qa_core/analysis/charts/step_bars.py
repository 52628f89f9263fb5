"""Steps of a path as bars, each a share of its base on its own track, so that nobody
compares lengths of different bases; and states by day as strips.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import plotly.graph_objects as go

from qa_core.analysis.charts.elements import draw_intervals, label_rows
from qa_core.analysis.charts.labels import cut, plain
from qa_core.analysis.charts.lines import date_axis
from qa_core.analysis.charts.palette import colours, finish
from qa_core.analysis.charts.sketch import Sketch


@dataclass(frozen=True)
class Bar:
    """Row of the chart. `share`, `low`, `high`: 0–1, None for a number alone or an
    unknown share; `text`: beside the track, at most two lines; `opens`: target of a
    click, None for nothing; `is_first`: a rule above it starts another base.
    """

    label: str
    note: str
    text: tuple[str, ...]
    share: float | None = None
    low: float | None = None
    high: float | None = None
    is_loss: bool = False
    is_first: bool = False
    opens: str | None = None


def build_steps(bars: Sequence[Bar], *, dark: bool = False) -> go.Figure:
    """Draw the rows from the top: label and note, share with interval on its track,
    texts. Bars carry what they open.
    """
    tint, figure = colours(dark), Sketch()
    tracked = [row for row, bar in enumerate(bars) if bar.share is not None]
    hover = [
        f"<b>{plain(bar.label)}</b><br>{plain(' · '.join(filter(None, (*bar.text, bar.note))))}"
        for bar in bars
    ]
    common = {
        "y": tracked,
        "orientation": "h",
        "width": 0.46,
        "hovertext": [hover[row] for row in tracked],
        "hoverinfo": "text",
        "customdata": [[bars[row].opens] for row in tracked],
    }
    figure.add_bar(x=[1.0 for _row in tracked], marker_color=tint.chance, **common)
    paint = [tint.attention if bars[row].is_loss else tint.accent for row in tracked]
    figure.add_bar(x=[bars[row].share for row in tracked], marker_color=paint, **common)
    draw_intervals(figure, ((row, bars[row].low, bars[row].high) for row in tracked), tint.ink)
    beside = {"xanchor": "left", "align": "left", "font": {"size": 12, "color": tint.ink}}
    for row, bar in enumerate(bars):
        # Texts are beside the track in two lines; a number alone replaces the track.
        x, between = (1.03, "<br>") if row in tracked else (0.0, " · ")
        figure.add_annotation(x=x, y=row, text=between.join(map(plain, bar.text)), **beside)
        if bar.is_first and row:
            figure.add_hline(y=row - 0.5, line={"color": tint.grid, "width": 1})
    figure.update_xaxes(range=[0, 1.5], visible=False)
    labels = [
        f"{cut(bar.label)}"
        + (f'<br><span style="font-size:11px">{plain(bar.note)}</span>' if bar.note else "")
        for bar in bars
    ]
    label_rows(figure, labels)
    return finish(figure, tint, 14 + 42 * len(bars), barmode="overlay")


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
