"""A frame of measured values → a Plotly figure. Pure: no data is read and nothing is decided here, only drawn.

One accent colour for data, orange for what needs a look, green for better, grey for reference; series in Okabe–Ito
order; never colour alone. Backgrounds are transparent, so that one figure serves the page and its cards.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import pandas as pd
import plotly.graph_objects as go

from qa_core import figures
from qa_core.kpis import Unit
from qa_core.wording import _

SERIES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#666666")
FONT = "Inter, 'Helvetica Neue', Arial, sans-serif"


@dataclass(frozen=True)
class Colours:
    """The colours of one mode, by their meaning."""

    accent: str
    band: str
    attention: str
    better: str
    reference: str
    chance: str
    text: str
    ink: str
    grid: str
    paper: str


LIGHT = Colours(
    "#0072B2", "rgba(0,114,178,.15)", "#D55E00", "#009E73", "#7A868D", "rgba(110,122,130,.20)", "#5A666E", "#1E2A32", "rgba(110,122,130,.18)", "#FAFAF8"
)
DARK = Colours(
    "#56B4E9", "rgba(86,180,233,.20)", "#E69F00", "#2BB98F", "#94A0A7", "rgba(150,162,170,.22)", "#AEB9BF", "#E6EAEC", "rgba(150,162,170,.20)", "#14191D"
)


def colours(dark: bool) -> Colours:
    return DARK if dark else LIGHT


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
    marks = [paint[signals[position]] if position in signals else (tint.accent, "circle") for position in range(len(at))]
    text = [
        _point_text(row, figures.name(grain, day.isoformat()[:7] if grain == "month" else day), unit, currency, provisional[position])
        for position, (row, day) in enumerate(zip(points.itertuples(), at, strict=True))
    ]
    figure.add_scatter(
        x=at,
        y=points["value"],
        mode="markers",
        marker={
            "color": [colour for colour, _symbol in marks],
            "symbol": [symbol for _colour, symbol in marks],
            "size": [10 if position in signals else (5 if len(at) <= 40 else 3.5) for position in range(len(at))],
            "line": {"width": 1, "color": tint.paper},
        },
        customdata=[[moment.isoformat()] for moment in at],
        text=text,
        hovertemplate="%{text}<extra></extra>",
    )
    low, high = _room(shown, bounds)
    ticks = figures.nice_ticks(low, high, unit)
    figure.update_yaxes(range=[low, high], tickvals=ticks, ticktext=[_tick(tick, unit, currency, ticks) for tick in ticks])
    _date_axis(figure, at, grain)
    return _dress(figure, tint, height)


def build_dots(
    frame: pd.DataFrame,
    unit: str,
    *,
    dark: bool = False,
    currency: str | None = None,
    centre: float | None = None,
    bounds: tuple[float, float] | None = None,
    row_height: int = 22,
) -> go.Figure:
    """Dots and intervals, one row each, against what chance alone would give.

    `frame`: `key`, `label`, `value`, `low`, `high`, `n`, and optionally `chance_low`/`chance_high` (the grey bar of that row) and
    `tone` (`better`, `attention` or empty). Rows are drawn in the order given, the first on top. Dots carry their key.
    """
    tint, figure = colours(dark), go.Figure()
    frame = frame.reset_index(drop=True)
    rows = list(range(len(frame)))
    if "chance_low" in frame:
        figure.add_bar(
            x=frame["chance_high"] - frame["chance_low"],
            y=rows,
            base=frame["chance_low"],
            orientation="h",
            width=1,
            marker={"color": tint.chance, "line": {"width": 0}},
            hoverinfo="skip",
        )
    if centre is not None:
        figure.add_vline(x=centre, line={"color": tint.text, "width": 1.2})
    lines_x, lines_y = [], []
    for row, (low, high) in enumerate(zip(frame["low"], frame["high"], strict=True)):
        if not figures.is_missing(low):
            lines_x += [low, high, None]
            lines_y += [row, row, None]
    figure.add_scatter(x=lines_x, y=lines_y, mode="lines", line={"color": tint.reference, "width": 1.6}, hoverinfo="skip")
    tones = frame["tone"].tolist() if "tone" in frame else [""] * len(frame)
    paint = {"better": tint.better, "attention": tint.attention}
    figure.add_scatter(
        x=frame["value"],
        y=rows,
        mode="markers",
        marker={
            "color": [paint.get(tone, tint.accent) for tone in tones],
            "symbol": [{"better": "triangle-right", "attention": "diamond"}.get(tone, "circle") for tone in tones],
            "size": [11 if tone else 8.5 for tone in tones],
        },
        customdata=[[key] for key in frame["key"]],
        text=[_point_text(row, row.label, unit, currency) for row in frame.itertuples()],
        hovertemplate="%{text}<extra></extra>",
    )
    shown = [value for name in ("value", "low", "high", "chance_low", "chance_high") if name in frame for value in frame[name].dropna()]
    low, high = _room(shown, bounds)
    ticks = figures.nice_ticks(low, high, unit, 4)
    figure.update_xaxes(range=[low, high], tickvals=ticks, ticktext=[_tick(tick, unit, currency, ticks) for tick in ticks], showgrid=True, side="bottom")
    figure.update_yaxes(range=[len(frame) - 0.5, -0.5], tickvals=rows, ticktext=[_cut(str(label)) for label in frame["label"]], showgrid=False)
    return _dress(figure, tint, 46 + row_height * max(len(frame), 2))


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
    """Why a value moved: from `before` through each part (label, effect, key for drill-down or None) to `after`.

    The axis does not start at zero where that would hide the parts; then its cut is marked on the two totals.
    """
    tint, figure = colours(dark), go.Figure()
    edges, running = [before], before
    for _label, effect, _key in parts:
        running += effect
        edges.append(running)
    low, high = min(*edges, after), max(*edges, after)
    span = (high - low) or abs(before) * 0.1 or 1
    floor = low - span * 0.55
    cut = floor > 0
    floor = floor if cut else min(0.0, low - span * 0.1)
    good = 1 if better == "up" else -1
    names = [labels[0], *(label for label, _effect, _key in parts), labels[1]]
    bases, lengths, paint, text, keys = [floor], [before - floor], [tint.reference], [figures.value(before, unit)], [None]
    running = before
    for _label, effect, key in parts:
        bases.append(running)
        lengths.append(effect)
        paint.append(tint.reference if better == "neither" else tint.better if effect * good > 0 else tint.attention)
        text.append(figures.change(effect, unit))
        keys.append(key)
        running += effect
    bases.append(floor)
    lengths.append(after - floor)
    paint.append(tint.reference)
    text.append(figures.value(after, unit))
    keys.append(None)
    rows = list(range(len(names)))
    figure.add_bar(
        x=lengths,
        y=rows,
        base=bases,
        orientation="h",
        marker_color=paint,
        width=0.68,
        customdata=[[key] for key in keys],
        hovertext=[f"<b>{_plain(name)}</b><br>{figure_text}" for name, figure_text in zip(names, text, strict=True)],
        hoverinfo="text",
    )
    # Shapes and notes are set at once: added one by one, Plotly checks all of them each time.
    edge_at = [edges[min(row, len(edges) - 1)] for row in rows]
    joints = [
        {"type": "line", "x0": edge_at[row], "x1": edge_at[row], "y0": row + 0.34, "y1": row + 0.66, "line": {"color": tint.reference, "width": 1}}
        for row in rows[:-1]
    ]
    notes = []
    for row, (base, length, label) in enumerate(zip(bases, lengths, text, strict=True)):
        # A fall is labelled on its left, anything else on its right; labels stay outside the bars.
        side = {"x": base + length, "xanchor": "right", "xshift": -4} if length < 0 else {"x": base + length, "xanchor": "left", "xshift": 4}
        notes.append({**side, "y": row, "text": label, "showarrow": False, "font": {"size": 11.5, "color": tint.text}})
    if cut:
        mark = {"x": floor, "text": "≈", "textangle": 90, "showarrow": False, "xshift": 9, "font": {"size": 18, "color": tint.paper}}
        notes += [{**mark, "y": row} for row in (0, len(names) - 1)]
    figure.update_layout(shapes=joints, annotations=notes)
    figure.update_xaxes(range=[floor, high + span * 0.42], visible=False)
    figure.update_yaxes(range=[len(names) - 0.4, -0.6], tickvals=rows, ticktext=[_cut(name, 24) for name in names], showgrid=False)
    return _dress(figure, tint, height)


def build_funnel(steps: Sequence[tuple[str, float | None, str]], *, dark: bool = False, height: int = 240) -> go.Figure:
    """A path as horizontal bars: (label, count or None, note such as the share of the step before), widest first; unknown steps say so."""
    tint, figure = colours(dark), go.Figure()
    rows = list(range(len(steps)))
    lengths = [0 if figures.is_missing(count) else count for _label, count, _note in steps]
    figure.add_bar(x=lengths, y=rows, orientation="h", marker_color=[_fade(tint.accent, 1 - 0.13 * row) for row in rows], width=0.62, hoverinfo="skip")
    said = [figures.value(count, Unit.COUNT) + (f" · {note}" if note else "") for _label, count, note in steps]
    note = {"showarrow": False, "xanchor": "left", "xshift": 6, "font": {"size": 12, "color": tint.text}}
    figure.update_layout(annotations=[{**note, "x": lengths[row], "y": row, "text": said[row]} for row in rows])
    figure.update_xaxes(range=[0, max([*lengths, 1]) * 1.55], visible=False)
    figure.update_yaxes(range=[len(steps) - 0.5, -0.5], tickvals=rows, ticktext=[_cut(label) for label, _count, _note in steps], showgrid=False)
    return _dress(figure, tint, height)


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
        x=list(xs), y=frame["value"], mode="lines+markers", line={"color": tint.accent, "width": 2.2}, marker={"size": 6},
        text=[_point_text(row, f"{figures.number(x)} {x_label}", unit) for x, row in zip(xs, frame.itertuples(), strict=True)], hovertemplate="%{text}<extra></extra>",
    )  # fmt: skip
    if here is not None:
        figure.add_vline(x=here, line={"color": tint.reference, "width": 1, "dash": "dash"})
    low, high = _room([value for name in ("value", "low", "high") for value in frame[name].dropna()], (0, 1) if unit == Unit.RATE else None)
    ticks = figures.nice_ticks(low, high, unit, 4)
    figure.update_yaxes(range=[low, high], tickvals=ticks, ticktext=[_tick(tick, unit, None, ticks) for tick in ticks])
    figure.update_xaxes(tickvals=list(xs), ticktext=[figures.number(x) for x in xs], title={"text": x_label, "font": {"size": 11.5}, "standoff": 4})
    return _dress(figure, tint, height)


def build_heat(frame: pd.DataFrame, unit: str, *, better: str = "up", dark: bool = False, height: int = 250) -> go.Figure:
    """When: weekday (1–7) down, hour (0–23) across, `value` as depth of colour: the deeper, the more it needs a look."""
    tint, figure = colours(dark), go.Figure()
    table = frame.pivot(index="weekday", columns="hour", values="value").sort_index().sort_index(axis=1)
    counts = frame.pivot(index="weekday", columns="hour", values="n").reindex(index=table.index, columns=table.columns)
    empty, deep = ("rgba(127,127,127,.08)", tint.attention if better != "neither" else tint.accent)
    scale = [[0, deep], [1, empty]] if better == "up" else [[0, empty], [1, deep]]
    text = [
        [
            f"<b>{figures.name('weekday', weekday)} {figures.name('hour', hour)}</b><br>{figures.value(table.loc[weekday, hour], unit)}<br>n = {figures.value(counts.loc[weekday, hour], Unit.COUNT)}"
            for hour in table.columns
        ]
        for weekday in table.index
    ]
    figure.add_heatmap(
        z=table.to_numpy(),
        x=[figures.name("hour", hour) for hour in table.columns],
        y=[figures.name("weekday", weekday) for weekday in table.index],
        colorscale=scale,
        showscale=False,
        xgap=2,
        ygap=2,
        text=text,
        hovertemplate="%{text}<extra></extra>",
    )
    figure.update_yaxes(autorange="reversed", showgrid=False)
    figure.update_xaxes(showgrid=False, type="category")
    return _dress(figure, tint, height)


def build_stretch(parts: Sequence[tuple[str, float]], *, dark: bool = False, height: int = 84) -> go.Figure:
    """Times one after the other on a single bar: (label, seconds), each written on its part or named on hovering."""
    tint, figure = colours(dark), go.Figure()
    total = sum(seconds for _label, seconds in parts) or 1
    paint = (tint.reference, tint.accent, SERIES[1], SERIES[3])
    for position, (label, seconds) in enumerate(parts):
        text = f"{_plain(label)}<br>{figures.duration(seconds)}" if seconds / total > 0.12 else ""
        figure.add_bar(
            x=[seconds], y=[0], orientation="h", marker_color=paint[position % len(paint)], text=[text], textposition="inside", insidetextanchor="middle",
            textfont={"color": tint.paper, "size": 12}, hovertext=[f"{_plain(label)}: {figures.duration(seconds)}"], hoverinfo="text",
        )  # fmt: skip
    figure.update_layout(barmode="stack")
    figure.update_xaxes(visible=False, range=[0, total])
    figure.update_yaxes(visible=False)
    return _dress(figure, tint, height)


def _dress(figure: go.Figure, tint: Colours, height: int) -> go.Figure:
    figure.update_xaxes(showline=False, zeroline=False, gridcolor=tint.grid, ticks="", automargin=True, fixedrange=True)
    figure.update_yaxes(showline=False, zeroline=False, gridcolor=tint.grid, ticks="", automargin=True, fixedrange=True, ticklabelstandoff=6)
    return figure.update_layout(
        template="none",
        height=height,
        margin={"l": 6, "r": 10, "t": 8, "b": 6},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 12, "color": tint.text},
        showlegend=False,
        hoverlabel={"font": {"family": FONT, "size": 12.5, "color": tint.ink}, "bgcolor": tint.paper, "bordercolor": tint.reference, "align": "left"},
        dragmode=False,
        clickmode="event+select",
        bargap=0.3,
    )


def _point_text(row: object, title: str, unit: str, currency: str | None = None, provisional: bool = False) -> str:
    parts = [f"<b>{_plain(title)}</b>", figures.value(row.value, unit, currency)]
    between = figures.interval(getattr(row, "low", None), getattr(row, "high", None), unit, currency)
    if between:
        parts.append(_("95 % interval {interval}", interval=between))
    if not figures.is_missing(getattr(row, "n", None)):
        parts.append(f"n = {figures.number(row.n)}")
    if provisional:
        parts.append(_("provisional"))
    return "<br>".join(parts)


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


def _room(shown: Sequence[float], bounds: tuple[float, float] | None) -> tuple[float, float]:
    """The ends of an axis with air around the values, never outside what the unit allows."""
    if not shown:
        return (0.0, 1.0)
    low, high = min(shown), max(shown)
    air = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    low, high = low - air, high + air
    return (max(low, bounds[0]), min(high, bounds[1])) if bounds and max(low, bounds[0]) < min(high, bounds[1]) else (low, high)


def _tick(value: float, unit: str, currency: str | None, ticks: Sequence[float]) -> str:
    step = min((second - first for first, second in zip(ticks, ticks[1:], strict=False)), default=1)
    if unit == Unit.RATE:
        return figures.percent(value, 0 if step >= 0.00999 else 1)
    if unit == Unit.SECONDS or unit == Unit.MONEY or unit == Unit.COUNT:
        text = figures.value(value, unit, currency)
        return text.replace(f"{figures.NO_BREAK}00{figures.NO_BREAK}s", "")
    return figures.number(value, 0 if step >= 1 else 1 if step >= 0.0999 else 2)


def _date_axis(figure: go.Figure, at: Sequence[date], grain: str) -> None:
    """Ticks that a reader of either language understands; Plotly's own month names stay English."""
    if not at:
        return
    span = (at[-1] - at[0]).days
    if span > 100:
        months = list(pd.period_range(at[0], at[-1], freq="M"))
        step = max(1, -(-len(months) // 7))
        ticks = [max(month.start_time.date(), at[0]) for month in months[::step] if month.start_time.date() >= at[0] - timedelta(days=6)]
        years = {tick.year for tick in ticks}
        text = [figures.month(tick, year=len(years) > 1) for tick in ticks]
    else:
        step = max(1, -(-len(at) // 7))
        ticks = list(at[::step])
        text = [figures.month(tick) if grain == "month" else figures.day(tick) for tick in ticks]
    pad = timedelta(days=max(span * 0.015, 0.5))
    figure.update_xaxes(tickvals=ticks, ticktext=text, range=[pd.Timestamp(at[0]) - pad, pd.Timestamp(at[-1]) + pad], showgrid=False, type="date")


def _cut(label: str, length: int = 26) -> str:
    return _plain(label if len(label) <= length else label[: length - 1].rstrip() + "…")


def _plain(text: str) -> str:
    """Text as text: Plotly reads a few HTML tags, links among them, in every label."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _fade(colour: str, strength: float) -> str:
    red, green, blue = (int(colour[position : position + 2], 16) for position in (1, 3, 5))
    return f"rgba({red},{green},{blue},{max(strength, 0.35):.2f})"
