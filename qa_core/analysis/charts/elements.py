"""Elements that several charts draw: lines, bands, marks, value axes."""

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from qa_core.analysis.charts.labels import format_tick
from qa_core.analysis.charts.palette import Colours
from qa_core.analysis.charts.sketch import Sketch
from qa_core.metrics.kpis import formatting


def draw_line(
    figure: Sketch,
    xs: Sequence[Any],
    ys: Sequence[Any],
    colour: str,
    width: float = 1,
    dash: str = "solid",
) -> None:
    """Draw a line that says nothing when one points at it; missing values are gaps."""
    line = {"color": colour, "width": width, "dash": dash}
    figure.add_scatter(x=xs, y=ys, mode="lines", line=line, hoverinfo="skip")


def draw_intervals(
    figure: Sketch,
    intervals: Iterable[tuple[int, float | None, float | None]],
    colour: str,
    width: float = 1.6,
) -> None:
    """Draw a horizontal line for each (row, low, high) that is known."""
    known = [
        (row, low, high)
        for row, low, high in intervals
        if not formatting.is_missing(low) and not formatting.is_missing(high)
    ]
    edges = [edge for _row, low, high in known for edge in (low, high, None)]
    places = [place for row, _low, _high in known for place in (row, row, None)]
    draw_line(figure, edges, places, colour, width)


def draw_band(
    figure: Sketch, xs: Sequence[Any], low: pd.Series, high: pd.Series, colour: str
) -> None:
    """Fill the area between two lines, in one piece where both are known."""
    for start, end in find_runs(low.notna() & high.notna()):
        places, bottom, top = xs[start:end], list(low[start:end]), list(high[start:end])
        if end - start == 1:  # a single interval has no width to fill
            draw_line(figure, [*places, *places], [*bottom, *top], colour, 6)
            continue
        figure.add_scatter(
            x=[*places, *reversed(places)],
            y=[*top, *reversed(bottom)],
            fill="toself",
            fillcolor=colour,
            line_width=0,
            mode="lines",
            hoverinfo="skip",
        )


def find_runs(known: pd.Series) -> list[tuple[int, int]]:
    """Return the runs of True as half-open positions."""
    runs, start = [], None
    for position, flag in enumerate([*known, False]):
        if flag and start is None:
            start = position
        elif not flag and start is not None:
            runs.append((start, position))
            start = None
    return runs


def build_value_axis(
    low: float, high: float, unit: str, currency: str | None = None, count: int = 5
) -> dict[str, Any]:
    """Build the range and the ticks of an axis of values in that unit."""
    ticks = formatting.nice_ticks(low, high, unit, count)
    return {
        "range": [low, high],
        "tickvals": ticks,
        "ticktext": [format_tick(tick, unit, currency, ticks) for tick in ticks],
    }


def mark_severities(
    severities: Sequence[str],
    tint: Colours,
    usual: str,
    better: str = "triangle-right",
    sizes: tuple[float, float] = (8.5, 11),
) -> dict[str, Any]:
    """Build the marks of points by severity. `usual`: colour of those without one;
    `better`: shape of the better ones; `sizes`: without a severity, and with one.
    """
    paint = {"better": tint.better, "attention": tint.attention}
    symbols = {"better": better, "attention": "diamond"}
    return {
        "color": [paint.get(severity, usual) for severity in severities],
        "symbol": [symbols.get(severity, "circle") for severity in severities],
        "size": [sizes[bool(severity)] for severity in severities],
    }


def label_rows(figure: Sketch, labels: Sequence[str]) -> None:
    """Label the rows 0, 1, 2 …, the first on top."""
    figure.update_yaxes(
        range=[len(labels) - 0.5, -0.5],
        tickvals=list(range(len(labels))),
        ticktext=list(labels),
        showgrid=False,
    )
