"""Ranges, ticks and texts of charts, in the reader's language; and these texts as a list."""

import html
import itertools
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd
import plotly.graph_objects as go

from qa_core.base.i18n import _
from qa_core.metrics.kpis import Unit, formatting

_TAG = re.compile(r"<[^>]+>")


def format_point(
    row: object, title: str, unit: str, currency: str | None = None, provisional: bool = False
) -> str:
    """Format the hover text of a point: title, value, interval, n."""
    parts = [f"<b>{plain(title)}</b>", formatting.value(row.value, unit, currency)]
    between = formatting.interval(
        getattr(row, "low", None), getattr(row, "high", None), unit, currency
    )
    if between:
        parts.append(_("95 % confidence interval {interval}", interval=between))
    if not formatting.is_missing(getattr(row, "n", None)):
        parts.append(f"n = {formatting.number(row.n)}")
    if provisional:
        parts.append(_("provisional"))
    return "<br>".join(parts)


def list_values(frame: pd.DataFrame, *columns: str) -> list[float]:
    """Return the known values of these columns, as far as the frame has them."""
    return [value for name in columns if name in frame for value in frame[name].dropna()]


def find_range(shown: Sequence[float], bounds: tuple[float, float] | None) -> tuple[float, float]:
    """Return the range of an axis with padding, within the bounds of the unit."""
    if not shown:
        return (0.0, 1.0)
    low, high = min(shown), max(shown)
    air = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    low, high = low - air, high + air
    return (
        (max(low, bounds[0]), min(high, bounds[1]))
        if bounds and max(low, bounds[0]) < min(high, bounds[1])
        else (low, high)
    )


def format_tick(value: float, unit: str, currency: str | None, ticks: Sequence[float]) -> str:
    """Format a tick with no more decimals than its neighbours need."""
    step = min((second - first for first, second in itertools.pairwise(ticks)), default=1)
    if unit == Unit.RATE:
        return formatting.percent(value, 0 if step >= 0.00999 else 1)
    if unit == Unit.SECONDS or unit == Unit.MONEY or unit == Unit.COUNT:
        text = formatting.value(value, unit, currency)
        return text.replace(f"{formatting.NO_BREAK}00{formatting.NO_BREAK}s", "")
    return formatting.number(value, 0 if step >= 1 else 1 if step >= 0.0999 else 2)


def cut(label: str, length: int = 26, lines: int = 1) -> str:
    """Shorten a label to a length, or wrap it to some lines."""
    if lines > 1:
        return "<br>".join(
            map(plain, textwrap.wrap(label, length, max_lines=lines, placeholder="…"))
        )
    return plain(label if len(label) <= length else label[: length - 1].rstrip() + "…")


def plain(text: str) -> str:
    """Escape text: Plotly interprets some HTML tags, links included, in every label."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def list_points(figure: go.Figure) -> list[tuple[str, str]]:
    """List what each point of the figure says when one points at it: its first line, and
    the others in one.
    """
    texts = (text for trace in figure.data for text in _find_texts(trace))
    return [_split(text) for text in texts if text]


def _find_texts(trace: object) -> Iterator[str]:
    if trace.hovertemplate:
        texts = trace.text if "%{text}" in trace.hovertemplate else trace.hovertext
    else:
        texts = trace.hovertext if trace.hoverinfo == "text" else None
    yield from _flatten(texts)


def _flatten(texts: object) -> Iterator[str]:
    if isinstance(texts, str):
        yield texts
    elif isinstance(texts, Iterable):
        for part in texts:
            yield from _flatten(part)


def _split(text: str) -> tuple[str, str]:
    first, *others = (html.unescape(_TAG.sub("", line)) for line in text.split("<br>"))
    return first, " · ".join(others)
