"""Timeline of one customer's contacts."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import plotly.graph_objects as go

from qa_core.analysis.charts.elements import draw_line
from qa_core.analysis.charts.labels import plain
from qa_core.analysis.charts.palette import colours, dress
from qa_core.analysis.charts.sketch import Sketch
from qa_core.metrics import formatting


def build_history(
    at: Sequence[datetime],
    answered: Sequence[bool],
    texts: Sequence[str],
    here: int,
    *,
    dark: bool = False,
) -> go.Figure:
    """Draw a disc per answered contact, else a cross; `here` is large."""
    tint, figure = colours(dark), Sketch()
    draw_line(figure, (at[0], at[-1]), (0, 0), tint.reference)
    places = range(len(at))
    figure.add_scatter(
        x=list(at),
        y=[0] * len(at),
        mode="markers",
        marker={
            "color": [
                tint.ink if place == here else tint.accent if answered[place] else tint.attention
                for place in places
            ],
            "symbol": ["circle" if answered[place] else "x" for place in places],
            "opacity": 1,
            "size": [18 if place == here else 12 for place in places],
            "line": {"width": 1.5, "color": tint.paper},
        },
        text=[plain(text) for text in texts],
        hovertemplate="%{text}<extra></extra>",
        cliponaxis=False,
    )
    margin = max((at[-1] - at[0]) * 0.04, timedelta(hours=1))
    days = sorted({moment.date() for moment in at})
    span, kept = at[-1] - at[0], []
    for day in days:
        # Labels of neighbouring days would overlap.
        if not kept or span / 8 <= datetime.combine(day, datetime.min.time()) - datetime.combine(
            kept[-1], datetime.min.time()
        ):
            kept.append(day)
    first = {day: next(moment for moment in at if moment.date() == day) for day in kept}
    figure.update_xaxes(
        range=[at[0] - margin, at[-1] + margin],
        tickvals=list(first.values()),
        ticktext=[formatting.day(day) for day in kept],
        showgrid=False,
    )
    figure.update_yaxes(visible=False, range=[-1, 1])
    return dress(figure, tint, 96)
