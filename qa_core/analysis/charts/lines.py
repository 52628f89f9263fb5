"""Lines over time with control limits, and curves against a setting."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd
import plotly.graph_objects as go

from qa_core.analysis.charts.elements import build_value_axis, draw_band, draw_line, find_runs
from qa_core.analysis.charts.labels import find_range, format_point, list_values
from qa_core.analysis.charts.palette import Colours, colours, finish
from qa_core.analysis.charts.sketch import Sketch
from qa_core.base.i18n import _
from qa_core.metrics.kpis import Unit, formatting
from qa_core.stats.control_charts import SteppedLimits


@dataclass(frozen=True)
class TargetLine:
    """Target from one day to another; None: beyond the chart."""

    value: float
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True)
class Marker:
    """Event on these days, with hover text. `is_change`: the KPI's rules changed then."""

    first_day: date
    last_day: date
    text: str
    is_change: bool = False


def build_trend(
    points: pd.DataFrame,
    unit: str,
    *,
    grain: str = "week",
    dark: bool = False,
    currency: str | None = None,
    limits: SteppedLimits | None = None,
    signals: Mapping[int, str] = {},
    before: Sequence[float | None] | None = None,
    targets: Sequence[TargetLine] = (),
    marks: Sequence[Marker] = (),
    bounds: tuple[float, float] | None = None,
    height: int = 270,
) -> go.Figure:
    """Draw one KPI over time: line with interval band, control limits, signals,
    targets, events, and the earlier period in grey.

    `points`: `at` (date, ascending), `value`, `low`, `high`, `n`, and optionally
    `provisional` (bool, dotted). Missing values are gaps. `signals`: position in
    `points` → severity (`attention`, `better` or empty). Points carry their date for
    drill-down.
    """
    tint, figure = colours(dark), Sketch()
    points = points.reset_index(drop=True)
    at = [pd.Timestamp(moment).date() for moment in points["at"]]
    known = points["value"].notna()
    provisional = (
        points["provisional"].fillna(False).astype(bool)
        if "provisional" in points
        else pd.Series(False, index=points.index)
    )
    shown = list_values(points, "value", "low", "high")
    if "low" in points:
        draw_band(figure, at, points["low"].where(known), points["high"], tint.band)
    if limits:
        for edge, dash in ((limits.centre, "solid"), (limits.low, "dash"), (limits.high, "dash")):
            xs, ys = _interrupt(at, edge, limits.breaks)
            draw_line(figure, xs, ys, tint.reference, dash=dash)
            shown += [value for value in edge if not formatting.is_missing(value)]
    if before is not None and any(not formatting.is_missing(value) for value in before):
        draw_line(figure, at, list(before), tint.reference, 1.3, "dot")
        shown += [value for value in before if not formatting.is_missing(value)]
    drawn = _draw_targets(figure, targets, at, unit, tint, currency)
    shown += [target.value for target in drawn]
    draw_line(figure, at, points["value"].where(~provisional), tint.accent, 2.2)
    # The dotted end starts at the last firm point, so that the line is continuous.
    reach = provisional | provisional.shift(-1, fill_value=False)
    if provisional.any():
        draw_line(figure, at, points["value"].where(reach & known), tint.accent, 2, "dot")
    paint = {
        "attention": (tint.attention, "diamond"),
        "better": (tint.better, "triangle-up"),
        "": (tint.ink, "circle-open"),
    }
    alone = {start for start, end in find_runs(known) if end - start == 1}
    dots = [
        paint[signals[position]] if position in signals else (tint.accent, "circle")
        for position in range(len(at))
    ]
    text = [
        format_point(
            row,
            formatting.name(grain, day.isoformat()[:7] if grain == "month" else day),
            unit,
            currency,
            provisional[position],
        )
        for position, (row, day) in enumerate(zip(points.itertuples(), at, strict=True))
    ]
    figure.add_points(
        x=at,
        y=points["value"],
        marker={
            "color": [colour for colour, _symbol in dots],
            "symbol": [symbol for _colour, symbol in dots],
            "size": [
                10
                if position in signals
                else 8
                if position in alone
                else 5
                if len(at) <= 40
                else 3.5
                for position in range(len(at))
            ],
            "line": {"width": 1, "color": tint.paper},
        },
        customdata=[[moment.isoformat()] for moment in at],
        text=text,
    )
    low, high = find_range(shown, bounds)
    figure.update_yaxes(**build_value_axis(low, high, unit, currency))
    # Start at the first known value, so that the first weeks fill the chart.
    at = at[int(known.argmax()) :]
    date_axis(figure, at, grain)
    _draw_marks(figure, marks, at, high, tint)
    return finish(figure, tint, height)


def _interrupt(
    at: Sequence[date], values: Sequence[float | None], breaks: Sequence[int]
) -> tuple[list[date], list[float | None]]:
    xs, ys = list(at), list(values)
    for position in sorted(breaks, reverse=True):
        xs.insert(position, xs[position])
        ys.insert(position, None)
    return xs, ys


def _draw_targets(
    figure: Sketch,
    targets: Sequence[TargetLine],
    at: Sequence[date],
    unit: str,
    tint: Colours,
    currency: str | None,
) -> list[TargetLine]:
    """Draw the targets that apply to days of the chart; return them."""
    drawn = [
        target
        for target in targets
        if at
        and (target.last_day is None or target.last_day >= at[0])
        and (target.first_day is None or target.first_day <= at[-1])
    ]
    for target in drawn:
        ends = [max(target.first_day or at[0], at[0]), min(target.last_day or at[-1], at[-1])]
        figure.add_scatter(
            x=ends,
            y=[target.value] * 2,
            mode="lines",
            line={"color": tint.better, "width": 1.4, "dash": "longdash"},
            text=_describe_target(target, unit, currency),
            hovertemplate="%{text}<extra></extra>",
        )
    return drawn


def _describe_target(target: TargetLine, unit: str, currency: str | None) -> str:
    return _("target {value}", value=formatting.value(target.value, unit, currency))


def _draw_marks(
    figure: Sketch, marks: Sequence[Marker], at: Sequence[date], top: float, tint: Colours
) -> None:
    """Draw a thin line on the first day of each event, a pale stripe over several days,
    and a sign at the top to hover over.
    """
    signs: dict[date, list[Marker]] = {}
    for mark in marks:
        if not at or mark.last_day < at[0]:
            continue
        # The last point is the first day of its week or month: mark later
        # events there.
        first, last = (min(max(day, at[0]), at[-1]) for day in (mark.first_day, mark.last_day))
        signs.setdefault(first, []).append(mark)
        if last > first:
            figure.add_vrect(x0=first, x1=last, fillcolor=tint.chance, line_width=0, layer="below")
        figure.add_vline(
            x=first, line={"color": tint.reference, "width": 1, "dash": "dot"}, layer="below"
        )
    if not signs:
        return
    figure.add_points(
        x=list(signs),
        y=[top] * len(signs),
        marker={
            "symbol": [
                "diamond-tall" if any(mark.is_change for mark in points) else "triangle-down"
                for points in signs.values()
            ],
            "size": 10,
            "color": tint.reference,
            "line": {"width": 1, "color": tint.paper},
        },
        text=["<br>".join(mark.text for mark in points) for points in signs.values()],
    )


def build_curve(
    xs: Sequence[float],
    frame: pd.DataFrame,
    unit: str,
    *,
    here: float | None = None,
    x_label: str = "",
    dark: bool = False,
    height: int = 220,
) -> go.Figure:
    """Draw a value against a setting (`value`, `low`, `high`, in the order of `xs`),
    with the setting in force marked.
    """
    tint, figure = colours(dark), Sketch()
    frame = frame.reset_index(drop=True)
    draw_band(figure, xs, frame["low"], frame["high"], tint.band)
    figure.add_scatter(
        x=list(xs),
        y=frame["value"],
        mode="lines+markers",
        line={"color": tint.accent, "width": 2.2},
        marker={"size": 6},
        text=[
            format_point(row, f"{formatting.number(x)} {x_label}", unit)
            for x, row in zip(xs, frame.itertuples(), strict=True)
        ],
        hovertemplate="%{text}<extra></extra>",
    )
    if here is not None:
        figure.add_vline(x=here, line={"color": tint.reference, "width": 1, "dash": "dash"})
    bounds = (0, 1) if unit == Unit.RATE else None
    low, high = find_range(list_values(frame, "value", "low", "high"), bounds)
    figure.update_yaxes(**build_value_axis(low, high, unit, count=4))
    figure.update_xaxes(
        tickvals=list(xs),
        ticktext=[formatting.number(x) for x in xs],
        title={"text": x_label, "font": {"size": 11.5}, "standoff": 4},
    )
    return finish(figure, tint, height)


def date_axis(figure: Sketch, at: Sequence[date], grain: str) -> None:
    """Set date ticks in the reader's language; Plotly's own month names are English."""
    if not at:
        return
    span = (at[-1] - at[0]).days
    if span > 100:
        months = list(pd.period_range(at[0], at[-1], freq="M"))
        step = max(1, -(-len(months) // 7))
        ticks = [
            max(month.start_time.date(), at[0])
            for month in months[::step]
            if month.start_time.date() >= at[0] - timedelta(days=6)
        ]
        # Write the year below the first month and each January, to keep labels
        # upright.
        turns = [tick.year != before.year for before, tick in itertools.pairwise(ticks)]
        starts = [any(turns), *turns]
        text = [
            formatting.month(tick, year=False) + (f"<br>{tick.year}" if start else "")
            for tick, start in zip(ticks, starts, strict=True)
        ]
    else:
        step = max(1, -(-len(at) // 6))
        ticks = list(at[::step])
        text = [
            formatting.month(tick) if grain == "month" else formatting.day(tick) for tick in ticks
        ]
    # A label at the last point would be left out where it sticks out of the chart.
    pad = timedelta(days=max(span * (0.07 if ticks[-1] == at[-1] else 0.015), 0.5))
    figure.update_xaxes(
        tickvals=ticks,
        ticktext=text,
        range=[pd.Timestamp(at[0]) - pad, pd.Timestamp(at[-1]) + pad],
        showgrid=False,
        type="date",
    )
