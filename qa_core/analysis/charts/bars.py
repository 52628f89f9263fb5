"""Waterfall of a change, and times on a single bar."""

from collections.abc import Sequence

import plotly.graph_objects as go

from qa_core.analysis.charts.labels import cut, plain
from qa_core.analysis.charts.palette import SERIES, colours, dress
from qa_core.analysis.charts.sketch import Sketch
from qa_core.metrics import formatting


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
    """Draw the way from `before` through each part (label, effect, key for drill-down
    or None) to `after`.

    The axis does not start at zero where that would hide the parts; its cut is then
    marked on the two totals.
    """
    tint, figure = colours(dark), Sketch()
    edges, running = [before], before
    for _label, effect, _key in parts:
        running += effect
        edges.append(running)
    low, high = min(*edges, after), max(*edges, after)
    span = (high - low) or abs(before) * 0.1 or 1
    floor = low - span * 0.55
    is_cut = floor > 0
    floor = floor if is_cut else min(0.0, low - span * 0.1)
    good = 1 if better == "up" else -1
    names = [labels[0], *(label for label, _effect, _key in parts), labels[1]]
    bases, lengths, paint, text, keys = (
        [floor],
        [before - floor],
        [tint.reference],
        [formatting.value(before, unit)],
        [None],
    )
    running = before
    for _label, effect, key in parts:
        bases.append(running)
        lengths.append(effect)
        paint.append(
            tint.reference
            if better == "neither"
            else tint.better
            if effect * good > 0
            else tint.attention
        )
        text.append(formatting.change(effect, unit))
        keys.append(key)
        running += effect
    bases.append(floor)
    lengths.append(after - floor)
    paint.append(tint.reference)
    text.append(formatting.value(after, unit))
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
        hovertext=[
            f"<b>{plain(name)}</b><br>{figure_text}"
            for name, figure_text in zip(names, text, strict=True)
        ],
        hoverinfo="text",
    )
    # Set shapes and notes at once: Plotly validates all of them on each addition.
    edge_at = [edges[min(row, len(edges) - 1)] for row in rows]
    joints = [
        {
            "type": "line",
            "x0": edge_at[row],
            "x1": edge_at[row],
            "y0": row + 0.34,
            "y1": row + 0.66,
            "line": {"color": tint.reference, "width": 1},
        }
        for row in rows[:-1]
    ]
    notes = []
    for row, (base, length, label) in enumerate(zip(bases, lengths, text, strict=True)):
        # Label falls on their left, the others on their right, outside the
        # bars.
        side = (
            {"x": base + length, "xanchor": "right", "xshift": -4}
            if length < 0
            else {"x": base + length, "xanchor": "left", "xshift": 4}
        )
        notes.append(
            {
                **side,
                "y": row,
                "text": label,
                "showarrow": False,
                "font": {"size": 11.5, "color": tint.text},
            }
        )
    if is_cut:
        mark = {
            "x": floor,
            "text": "≈",
            "textangle": 90,
            "showarrow": False,
            "xshift": 9,
            "font": {"size": 18, "color": tint.paper},
        }
        notes += [{**mark, "y": row} for row in (0, len(names) - 1)]
    figure.update_layout(shapes=joints, annotations=notes)
    figure.update_xaxes(range=[floor, high + span * 0.42], visible=False)
    figure.update_yaxes(
        range=[len(names) - 0.4, -0.6],
        tickvals=rows,
        ticktext=[cut(name, 24) for name in names],
        showgrid=False,
    )
    return dress(figure, tint, height)


def build_durations(parts: Sequence[tuple[str, float]], *, dark: bool = False) -> go.Figure:
    """Draw times (label, seconds) in sequence on a single bar."""
    tint, figure = colours(dark), Sketch()
    total = sum(seconds for _label, seconds in parts) or 1
    paint = (tint.reference, tint.accent, SERIES[1], SERIES[3])
    for position, (label, seconds) in enumerate(parts):
        text = f"{plain(label)}<br>{formatting.duration(seconds)}" if seconds / total > 0.12 else ""
        figure.add_bar(
            x=[seconds],
            y=[0],
            orientation="h",
            marker_color=paint[position % len(paint)],
            text=[text],
            textposition="inside",
            insidetextanchor="middle",
            textfont={"color": tint.paper, "size": 12},
            hovertext=[f"{plain(label)}: {formatting.duration(seconds)}"],
            hoverinfo="text",
        )
    figure.update_layout(barmode="stack")
    figure.update_xaxes(visible=False, range=[0, total])
    figure.update_yaxes(visible=False)
    return dress(figure, tint, 84)
