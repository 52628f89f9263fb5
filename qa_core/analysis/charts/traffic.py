"""Traffic and waits: weekday by time of day, lines over the day or over weeks, waiting
times, outcomes of missed contacts.
"""

import math
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd
import plotly.graph_objects as go

from qa_core.analysis.charts.elements import build_value_axis, draw_band, label_rows
from qa_core.analysis.charts.labels import (
    cut,
    find_range,
    format_point,
    list_values,
    plain,
)
from qa_core.analysis.charts.lines import date_axis
from qa_core.analysis.charts.palette import colours, finish
from qa_core.analysis.charts.sketch import Sketch
from qa_core.metrics.kpis import formatting

MIN_SPREAD = 0.1
"""Minimum range of rates for the full colour scale."""
MAX_TICKS, LABEL_LENGTH = 4, 14
LABEL_HEIGHT = 15


def build_when(
    frame: pd.DataFrame,
    grain: str,
    *,
    is_rate: bool,
    better: str = "up",
    marked: Collection[tuple[int, Hashable]] = (),
    dark: bool = False,
) -> go.Figure:
    """Draw weekday by `grain` (`half_hour` or `hour`), depth of colour for `value`,
    deeper where worse.

    `frame`: `weekday` (1–7), `grain`, `value`, `text` (hover) and `enough` (False: a
    small ring). `marked`: cells with a diamond. Cells carry their weekday and time.
    """
    tint, figure = colours(dark), Sketch()
    weekdays, times = sorted(set(frame["weekday"])), list_times(frame[grain].tolist(), grain)
    table = (
        frame[frame["enough"]]
        .pivot(index="weekday", columns=grain, values="value")
        .reindex(index=weekdays, columns=times)
    )
    shown = table.stack().tolist()
    low, high = (min(shown), max(shown)) if shown else (0.0, 1.0)
    if is_rate and high - low < MIN_SPREAD:
        low, high = (high - MIN_SPREAD, high) if better == "up" else (low, low + MIN_SPREAD)
    empty, deep = "rgba(127,127,127,.08)", tint.accent if better == "neither" else tint.attention
    figure.add_heatmap(
        z=table.to_numpy(),
        x=list(range(len(times))),
        y=list(range(len(weekdays))),
        zmin=low if is_rate else 0,
        zmax=high,
        colorscale=[[0, deep], [1, empty]] if better == "up" else [[0, empty], [1, deep]],
        xgap=1.5,
        hoverinfo="skip",
    )
    cells = list(zip(frame["weekday"], frame[grain], frame["enough"], strict=True))
    symbols = [
        "diamond" if (weekday, at) in marked else "square" if enough else "circle-open"
        for weekday, at, enough in cells
    ]
    # Heat maps report no clicks; these points, one on each cell, do.
    figure.add_scatter(
        x=[times.index(at) for at in frame[grain]],
        y=[weekdays.index(weekday) for weekday in frame["weekday"]],
        mode="markers",
        marker={
            "symbol": symbols,
            "size": [
                8 if symbol == "diamond" else 14 if symbol == "square" else 4 for symbol in symbols
            ],
            "color": [
                "rgba(0,0,0,0)"
                if symbol == "square"
                else tint.ink
                if symbol == "diamond"
                else tint.reference
                for symbol in symbols
            ],
            "line": {"width": 0},
        },
        selected={"marker": {"opacity": 1}},
        unselected={"marker": {"opacity": 1}},
        customdata=[[int(weekday), at] for weekday, at, _enough in cells],
        text=frame["text"].tolist(),
        hovertemplate="%{text}<extra></extra>",
    )
    label_rows(figure, [formatting.name("weekday", name)[:3] for name in weekdays])
    _clock_axis(figure, times, grain)
    height = 46 + 32 * max(len(weekdays), 2)
    return finish(figure, tint, height, hoverdistance=40, hovermode="closest")


@dataclass(frozen=True)
class ChartLine:
    """Line of a chart. `frame`: `value`, and optionally `low`, `high`, `n`, a row per
    place on the axis; `role`: accent, attention or reference.
    """

    label: str
    frame: pd.DataFrame
    role: str = "accent"
    dash: str = "solid"


def build_lines(
    at: Sequence[Hashable],
    lines: Sequence[ChartLine],
    unit: str,
    grain: str,
    *,
    dark: bool = False,
    bounds: tuple[float, float] | None = None,
    height: int = 270,
) -> go.Figure:
    """Draw several values over the times of a day or over weeks or months, each
    labelled at its end, with its interval as a band where it has one.

    `at`: values of the dimension `grain`, in order; every line has a row for each.
    Points carry theirs.
    """
    tint, figure = colours(dark), Sketch()
    paint = {"accent": tint.accent, "attention": tint.attention, "reference": tint.reference}
    is_clock, ends, shown = grain in ("hour", "half_hour"), [], []
    places = (
        list(range(len(at))) if is_clock else [date.fromisoformat(f"{text}-01"[:10]) for text in at]
    )
    names = [formatting.name(grain, text) for text in at]
    for line in lines:
        frame = line.frame.reset_index(drop=True)
        if {"low", "high"} <= set(frame.columns):
            colour = tint.band if line.role == "accent" else tint.chance
            draw_band(figure, places, frame["low"], frame["high"], colour)
        shown += list_values(frame, "low", "high", "value")
        figure.add_scatter(
            x=places,
            y=frame["value"],
            mode="lines+markers",
            line={
                "color": paint[line.role],
                "width": 2.2 if line.role == "accent" else 1.7,
                "dash": line.dash,
            },
            marker={"size": 4.5},
            selected={"marker": {"opacity": 1}},
            unselected={"marker": {"opacity": 1}},
            customdata=[[str(text)] for text in at],
            text=[
                f"<b>{plain(line.label)}</b><br>{format_point(row, name, unit)}"
                for row, name in zip(frame.itertuples(), names, strict=True)
            ],
            hovertemplate="%{text}<extra></extra>",
        )
        last = frame["value"].last_valid_index()
        if last is not None:
            ends.append((float(frame["value"][last]), line.label, paint[line.role]))
    low, high = find_range(shown, bounds)
    figure.update_yaxes(**build_value_axis(low, high, unit))
    _name_ends(figure, ends, (high - low) / height * LABEL_HEIGHT)
    if is_clock:
        _clock_axis(figure, at, grain)
    else:
        values = (line.frame["value"].reset_index(drop=True) for line in lines)
        starts = [text.first_valid_index() for text in values if text.notna().any()]
        date_axis(figure, places[min(starts, default=0) :], grain)
    lengths = (min(len(label), LABEL_LENGTH) for _value, label, _colour in ends)
    margin = 16 + 7 * max(lengths, default=0)
    return finish(figure, tint, height, hovermode="closest", margin_r=margin)


def list_times(values: Sequence[Hashable], grain: str) -> list[Hashable]:
    """Return every half-hour or hour from the first to the last of these."""
    if grain == "hour":
        return list(range(min(values), max(values) + 1))
    first, last = (
        int(value[:2]) * 2 + int(value[3:]) // 30 for value in (min(values), max(values))
    )
    return [f"{position // 2:02d}:{position % 2 * 30:02d}" for position in range(first, last + 1)]


def _name_ends(figure: Sketch, ends: list[tuple[float, str, str]], apart: float) -> None:
    """Label each line at its end, moved up where it would cover the one below."""
    position, lowest = {"x": 1, "xref": "paper", "xanchor": "left", "xshift": 4}, -math.inf
    for value, label, colour in sorted(ends):
        at = max(value, lowest)
        font = {"size": 11.5, "color": colour}
        text = cut(label, LABEL_LENGTH, 2)
        figure.add_annotation(y=at, text=text, font=font, align="left", **position)
        lowest = at + apart * (1 + text.count("<br>"))


def _clock_axis(figure: Sketch, times: Sequence[Hashable], grain: str) -> None:
    """Set ticks at whole hours, few enough for a phone."""
    whole = [
        (index, at if grain == "hour" else int(str(at)[:2]))
        for index, at in enumerate(times)
        if grain == "hour" or str(at).endswith(":00")
    ]
    step = next(
        (
            step
            for step in (1, 2, 3)
            if sum(hour % step == 0 for _place, hour in whole) <= MAX_TICKS
        ),
        4,
    )
    ticks = [(index, hour) for index, hour in whole if hour % step == 0]
    figure.update_xaxes(
        tickvals=[index for index, _hour in ticks],
        ticktext=[formatting.name("hour", hour) for _place, hour in ticks],
        range=[-0.5, len(times) - 0.5],
        showgrid=False,
    )
