"""Points of a chart as text: the same words as its hover labels, for a table beside it."""

import html
import re
from collections.abc import Iterable, Iterator

import plotly.graph_objects as go

_TAG = re.compile(r"<[^>]+>")


def list_points(figure: go.Figure) -> list[tuple[str, str]]:
    """List what each point of the figure says when one points at it: its first line, and
    the others in one.
    """
    said = (text for trace in figure.data for text in _find_texts(trace))
    return [_split(text) for text in said if text]


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
