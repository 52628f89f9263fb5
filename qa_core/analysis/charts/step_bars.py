"""Steps of a path as bars. Each bar is a share of its base and has its own track, so that
nobody compares lengths of different bases.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from qa_core.analysis.charts.elements import draw_intervals, label_rows
from qa_core.analysis.charts.labels import cut, plain
from qa_core.analysis.charts.palette import colours, dress
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
        place, between = (1.03, "<br>") if row in tracked else (0.0, " · ")
        figure.add_annotation(x=place, y=row, text=between.join(map(plain, bar.text)), **beside)
        if bar.is_first and row:
            figure.add_hline(y=row - 0.5, line={"color": tint.grid, "width": 1})
    figure.update_xaxes(range=[0, 1.5], visible=False)
    labels = [
        f"{cut(bar.label)}"
        + (f'<br><span style="font-size:11px">{plain(bar.note)}</span>' if bar.note else "")
        for bar in bars
    ]
    label_rows(figure, labels)
    return dress(figure, tint, 14 + 42 * len(bars), barmode="overlay")
