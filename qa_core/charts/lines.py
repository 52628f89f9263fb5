"""Values along a line: over time with what is usual, and against a setting."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd
import plotly.graph_objects as go

from qa_core import figures
from qa_core.charts.labels import find_range, say_point, say_tick
from qa_core.charts.palette import colours, dress
from qa_core.kpis import Unit


@dataclass(frozen=True)
class Limits:
    """What a series is expected to do: its centre and, point by point, the control limits around it."""

    centre: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


def build_trend(
    points: pd.DataFrame,
    unit: str,
    *,
    grain: str = "week",
    dark: bool = False,
    currency: str | None = None,
    limits: Limits | None = None,
    signals: Mapping[int, str] = {},
    before: Sequence[float | None] | None = None,
    target: float | None = None,
    bounds: tuple[float, float] | None = None,
    height: int = 270,
) -> go.Figure:
    """One KPI over time: a line with its interval band, control limits, what needs a look, and the earlier period in grey.

    `points`: `at` (date, ascending), `value`, `low`, `high`, `n`, and optionally `provisional` (bool): these are dotted.
    Missing values are gaps. `signals`: position in `points` → tone (`attention`, `better` or empty). Each point carries its date for drill-down.
    """
    tint, figure = colours(dark), go.Figure()
    points = points.reset_index(drop=True)
    at = [pd.Timestamp(moment).date() for moment in points["at"]]
    known = points["value"].notna()
    provisional = points["provisional"].fillna(False).astype(bool) if "provisional" in points else pd.Series(False, index=points.index)
    shown = [value for name in ("value", "low", "high") if name in points for value in points[name].dropna()]
    for start, end in _stretches(known & points["low"].notna() & points["high"].notna()) if "low" in points else ():
        part, days = points.iloc[start:end], at[start:end]
        if end - start == 1:  # an interval of its own has no width to fill
            figure.add_scatter(x=days * 2, y=[*part["low"], *part["high"]], mode="lines", line={"color": tint.band, "width": 6}, hoverinfo="skip")
            continue
        figure.add_scatter(
            x=[*days, *reversed(days)],
            y=[*part["high"], *reversed(part["low"].tolist())],
            fill="toself",
            fillcolor=tint.band,
            line_width=0,
            mode="lines",
            hoverinfo="skip",
        )
    if limits:
        figure.add_scatter(x=at, y=list(limits.centre), mode="lines", line={"color": tint.reference, "width": 1}, hoverinfo="skip")
        for edge in (limits.low, limits.high):
            figure.add_scatter(x=at, y=list(edge), mode="lines", line={"color": tint.reference, "width": 1, "dash": "dash"}, hoverinfo="skip")
            shown += [value for value in edge if not figures.is_missing(value)]
    if before is not None and any(not figures.is_missing(value) for value in before):
        figure.add_scatter(x=at, y=list(before), mode="lines", line={"color": tint.reference, "width": 1.3, "dash": "dot"}, hoverinfo="skip", connectgaps=False)
        shown += [value for value in before if not figures.is_missing(value)]
    if target is not None:
        figure.add_hline(y=target, line={"color": tint.better, "width": 1, "dash": "longdash"})
        shown.append(target)
    firm = points["value"].where(~provisional)
    figure.add_scatter(x=at, y=firm, mode="lines", line={"color": tint.accent, "width": 2.2}, hoverinfo="skip")
    # The dotted end starts at the last firm point, so that the line does not break.
    reach = provisional | provisional.shift(-1, fill_value=False)
    if provisional.any():
        figure.add_scatter(x=at, y=points["value"].where(reach & known), mode="lines", line={"color": tint.accent, "width": 2, "dash": "dot"}, hoverinfo="skip")
    paint = {"attention": (tint.attention, "diamond"), "better": (tint.better, "triangle-up"), "": (tint.ink, "circle-open")}
    alone = {start for start, end in _stretches(known) if end - start == 1}
    marks = [paint[signals[position]] if position in signals else (tint.accent, "circle") for position in range(len(at))]
    text = [
        say_point(row, figures.name(grain, day.isoformat()[:7] if grain == "month" else day), unit, currency, provisional[position])
        for position, (row, day) in enumerate(zip(points.itertuples(), at, strict=True))
    ]
    figure.add_scatter(
        x=at,
        y=points["value"],
        mode="markers",
        marker={
            "color": [colour for colour, _symbol in marks],
            "symbol": [symbol for _colour, symbol in marks],
            "size": [10 if position in signals else 8 if position in alone else 5 if len(at) <= 40 else 3.5 for position in range(len(at))],
            "line": {"width": 1, "color": tint.paper},
        },
        cliponaxis=False,  # a mark at 100 % is whole
        customdata=[[moment.isoformat()] for moment in at],
        text=text,
        hovertemplate="%{text}<extra></extra>",
    )
    low, high = find_range(shown, bounds)
    ticks = figures.nice_ticks(low, high, unit)
    figure.update_yaxes(range=[low, high], tickvals=ticks, ticktext=[say_tick(tick, unit, currency, ticks) for tick in ticks])
    # What lies before the first known value is left out, so that a centre's first weeks fill the picture.
    _date_axis(figure, at[int(known.argmax()) :], grain)
    return dress(figure, tint, height)


def build_curve(
    xs: Sequence[float], frame: pd.DataFrame, unit: str, *, here: float | None = None, x_label: str = "", dark: bool = False, height: int = 220
) -> go.Figure:
    """A value against a setting (`value`, `low`, `high`, in the order of `xs`), with the setting in force marked."""
    tint, figure = colours(dark), go.Figure()
    frame = frame.reset_index(drop=True)
    known = frame["low"].notna()
    if known.any():
        band_x = [x for x, keep in zip(xs, known, strict=True) if keep]
        figure.add_scatter(
            x=[*band_x, *reversed(band_x)],
            y=[*frame["high"][known], *reversed(frame["low"][known].tolist())],
            fill="toself",
            fillcolor=tint.band,
            line_width=0,
            mode="lines",
            hoverinfo="skip",
        )
    figure.add_scatter(
        x=list(xs),
        y=frame["value"],
        mode="lines+markers",
        line={"color": tint.accent, "width": 2.2},
        marker={"size": 6},
        text=[say_point(row, f"{figures.number(x)} {x_label}", unit) for x, row in zip(xs, frame.itertuples(), strict=True)],
        hovertemplate="%{text}<extra></extra>",
    )
    if here is not None:
        figure.add_vline(x=here, line={"color": tint.reference, "width": 1, "dash": "dash"})
    low, high = find_range([value for name in ("value", "low", "high") for value in frame[name].dropna()], (0, 1) if unit == Unit.RATE else None)
    ticks = figures.nice_ticks(low, high, unit, 4)
    figure.update_yaxes(range=[low, high], tickvals=ticks, ticktext=[say_tick(tick, unit, None, ticks) for tick in ticks])
    figure.update_xaxes(tickvals=list(xs), ticktext=[figures.number(x) for x in xs], title={"text": x_label, "font": {"size": 11.5}, "standoff": 4})
    return dress(figure, tint, height)


def _stretches(known: pd.Series) -> list[tuple[int, int]]:
    """The runs of True as half-open positions."""
    runs, start = [], None
    for position, flag in enumerate([*known, False]):
        if flag and start is None:
            start = position
        elif not flag and start is not None:
            runs.append((start, position))
            start = None
    return runs


def _date_axis(figure: go.Figure, at: Sequence[date], grain: str) -> None:
    """Ticks that a reader of either language understands; Plotly's own month names stay English."""
    if not at:
        return
    span = (at[-1] - at[0]).days
    if span > 100:
        months = list(pd.period_range(at[0], at[-1], freq="M"))
        step = max(1, -(-len(months) // 7))
        ticks = [max(month.start_time.date(), at[0]) for month in months[::step] if month.start_time.date() >= at[0] - timedelta(days=6)]
        # The year stands below the first month and each January after, so that labels need not lean.
        turns = [tick.year != before.year for before, tick in itertools.pairwise(ticks)]
        starts = [any(turns), *turns]
        text = [figures.month(tick, year=False) + (f"<br>{tick.year}" if start else "") for tick, start in zip(ticks, starts, strict=True)]
    else:
        step = max(1, -(-len(at) // 6))
        ticks = list(at[::step])
        text = [figures.month(tick) if grain == "month" else figures.day(tick) for tick in ticks]
    pad = timedelta(days=max(span * 0.015, 0.5))
    figure.update_xaxes(tickvals=ticks, ticktext=text, range=[pd.Timestamp(at[0]) - pad, pd.Timestamp(at[-1]) + pad], showgrid=False, type="date")
