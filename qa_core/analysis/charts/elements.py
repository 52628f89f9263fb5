"""Elements that several charts draw: interval lines, bands, value axes."""

from collections.abc import Iterable, Sequence
from typing import Any

from qa_core.analysis.charts.labels import format_tick
from qa_core.analysis.charts.sketch import Sketch
from qa_core.metrics import formatting


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
    figure.add_scatter(
        x=[edge for _row, low, high in known for edge in (low, high, None)],
        y=[place for row, _low, _high in known for place in (row, row, None)],
        mode="lines",
        line={"color": colour, "width": width},
        hoverinfo="skip",
    )


def draw_band(
    figure: Sketch, xs: Sequence[Any], low: Sequence[float], high: Sequence[float], colour: str
) -> None:
    """Fill the area between two lines, both known at every x."""
    figure.add_scatter(
        x=[*xs, *reversed(xs)],
        y=[*high, *reversed(list(low))],
        fill="toself",
        fillcolor=colour,
        line_width=0,
        mode="lines",
        hoverinfo="skip",
    )


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


def label_rows(figure: Sketch, labels: Sequence[str]) -> None:
    """Label the rows 0, 1, 2 …, the first on top."""
    figure.update_yaxes(
        range=[len(labels) - 0.5, -0.5],
        tickvals=list(range(len(labels))),
        ticktext=list(labels),
        showgrid=False,
    )
