"""Timeline: spans of days in rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import plotly.graph_objects as go

from qa_core.analysis.charts.elements import label_rows
from qa_core.analysis.charts.labels import cut, plain
from qa_core.analysis.charts.palette import SERIES, colours, finish
from qa_core.analysis.charts.sketch import Sketch
from qa_core.metrics.kpis import formatting


@dataclass(frozen=True)
class DatedSpan:
    """Days (inclusive) in the row of `label`. `title`: on the bar where it fits;
    `below`: added to the hover text.
    """

    label: str
    title: str
    first_day: date
    last_day: date
    below: str = ""
    is_sure: bool = True


def build_spans(
    spans: Sequence[DatedSpan], first_day: date, last_day: date, *, dark: bool = False
) -> go.Figure:
    """Draw the spans between two days; overlapping ones share their row."""
    tint, figure = colours(dark), Sketch()
    labels = list(dict.fromkeys(span.label for span in spans))
    titles = list(dict.fromkeys(span.title for span in spans))
    whole = (last_day - first_day).days + 1
    bars, texts = [], []
    for row, label in enumerate(labels):
        of_label = [span for span in spans if span.label == label]
        lanes = _lay_out(of_label)
        height = 0.76 / (max(lanes) + 1)
        for span, lane in zip(of_label, lanes, strict=True):
            start, end = max(span.first_day, first_day), min(span.last_day, last_day)
            if start <= end:
                at = row - 0.38 + height * (lane + 0.5)
                bars.append((span, start, (end - start).days + 1, at, height))
    for span, _start, days, _at, _height in bars:
        # A title wider than its bar would cover its neighbours.
        texts.append(plain(span.title) if days / whole > 0.011 * len(span.title) else "")
    figure.add_bar(
        x=[days * 86_400_000 for _span, _start, days, _at, _height in bars],
        base=[start for _span, start, _days, _at, _height in bars],
        y=[at for _span, _start, _days, at, _height in bars],
        width=[height * 0.9 for *_rest, height in bars],
        orientation="h",
        marker={
            "color": [SERIES[titles.index(span.title) % len(SERIES)] for span, *_rest in bars],
            "opacity": [0.9 if span.is_sure else 0.4 for span, *_rest in bars],
            "line": {"width": 0},
        },
        text=texts,
        textposition="inside",
        insidetextanchor="start",
        textangle=0,
        textfont={
            "size": 11,
            "color": ["#FFFFFF" if span.is_sure else tint.ink for span, *_rest in bars],
        },
        hovertext=[
            f"<b>{plain(span.title)}</b><br>{plain(span.label)}<br>"
            f"{formatting.day(span.first_day, year=True)} – "
            f"{formatting.day(span.last_day, year=True)}"
            + (f"<br>{plain(span.below)}" if span.below else "")
            for span, *_rest in bars
        ],
        hoverinfo="text",
    )
    figure.update_xaxes(
        range=[first_day, last_day + timedelta(days=1)],
        type="date",
        side="top",
        nticks=5,
        tickformat="%m/%Y",
    )
    label_rows(figure, [cut(label) for label in labels])
    return finish(figure, tint, 40 + 26 * max(len(labels), 1))


def _lay_out(spans: Sequence[DatedSpan]) -> list[int]:
    """Return the lane of each span, so that none overlap."""
    ends: list[date] = []
    lanes = []
    for span in sorted(spans, key=lambda span: span.first_day):
        free = next((lane for lane, end in enumerate(ends) if end < span.first_day), len(ends))
        ends[free : free + 1] = [span.last_day]
        lanes.append((span, free))
    placed = {id(span): lane for span, lane in lanes}
    return [placed[id(span)] for span in spans]
