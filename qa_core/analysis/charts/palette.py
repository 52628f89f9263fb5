"""Colours by meaning in both modes, and the common layout of figures."""

import functools
import pickle
from dataclasses import dataclass, field
from typing import Any

import plotly.graph_objects as go

from qa_core.analysis.charts.sketch import Sketch

MAX_KEPT = 200
"""Charts kept as Plotly checked them: that takes most of the time of drawing one again."""
FONT = "'Source Sans', sans-serif"


@dataclass(frozen=True)
class Colours:
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
    "#0072B2",
    "rgba(0,114,178,.15)",
    "#D55E00",
    "#009E73",
    "#7A868D",
    "rgba(110,122,130,.20)",
    "#5A666E",
    "#0F181E",
    "rgba(110,122,130,.18)",
    "#FAFAF8",
)
DARK = Colours(
    "#56B4E9",
    "rgba(86,180,233,.20)",
    "#E69F00",
    "#2BB98F",
    "#94A0A7",
    "rgba(150,162,170,.22)",
    "#AEB9BF",
    "#E6EAEC",
    "rgba(150,162,170,.20)",
    "#14191D",
)


def colours(dark: bool) -> Colours:
    return DARK if dark else LIGHT


def finish(figure: Sketch, tint: Colours, height: int, **layout: Any) -> go.Figure:
    """Finish a chart with the common layout and a height in pixels; `layout` overrides."""
    layout = figure.layout | {"height": height} | layout
    return _finish(_Drawing(pickle.dumps((figure.traces, layout)), tint, figure.traces, layout))


@dataclass(frozen=True)
class _Drawing:
    """Chart before Plotly checks it. `content`: all of it as bytes, by which two are equal."""

    content: bytes
    tint: Colours
    traces: list[dict[str, Any]] = field(compare=False)
    layout: dict[str, Any] = field(compare=False)


@functools.lru_cache(maxsize=MAX_KEPT)
def _finish(drawing: _Drawing) -> go.Figure:
    common = {"template": _build_template(drawing.tint)}
    return go.Figure(drawing.traces, common | drawing.layout)


def forget_charts() -> None:
    """Forget the charts that were drawn, with the names in them."""
    _finish.cache_clear()


@functools.cache
def _build_template(tint: Colours) -> go.layout.Template:
    """Build the common layout: no frame, font, quiet grid, upright labels."""
    axis = {
        "showline": False,
        "zeroline": False,
        "gridcolor": tint.grid,
        "ticks": "",
        "automargin": True,
        "fixedrange": True,
    }
    layout = go.Layout(
        xaxis={**axis, "tickangle": 0},
        yaxis={**axis, "ticklabelstandoff": 6},
        margin={"l": 6, "r": 12, "t": 8, "b": 6},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 12, "color": tint.text},
        showlegend=False,
        hoverlabel={
            "font": {"family": FONT, "size": 12.5, "color": tint.ink},
            "bgcolor": tint.paper,
            "bordercolor": tint.reference,
            "align": "left",
        },
        dragmode=False,
        clickmode="event+select",
        bargap=0.3,
    )
    return go.layout.Template(layout=layout)
