"""Tables of figures: rows to compare and to click, the same columns as a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.metrics.kpis import Unit, get_kpi
from qa_core.ui import cards, explain_link
from qa_core.ui.filter_bar import FilterState

ROW_HEIGHT = 36


def show(
    rows: Sequence[dict[str, Any]],
    config: dict[str, Any],
    key: str,
    on_select: Callable[[], None] | None = None,
    height: int | None = None,
) -> None:
    """A table; a click on a cell opens what is behind its row. Keys of the rows are the
    headers, in order.
    """
    frame = pd.DataFrame(list(rows))
    fits = height is None or ROW_HEIGHT * (len(frame) + 1) <= height
    st.dataframe(
        frame,
        column_config=config,
        hide_index=True,
        key=key,
        on_select=on_select or "ignore",
        selection_mode="single-cell",
        row_height=ROW_HEIGHT,
        height="content" if fits else height,
        placeholder="–",
    )


def name_column(title: str, width: int | str = 150) -> Any:
    """What the rows are called; stays in sight where the rest is scrolled sideways."""
    return st.column_config.TextColumn(title, width=width, pinned=True)


def share_column(title: str, width: int | str = "small") -> Any:
    """A rate as a bar; its values are `as_share`."""
    return st.column_config.ProgressColumn(
        title, format="%.0f %%", min_value=0, max_value=100, width=width
    )


def percent_column(title: str, width: int | str = "small") -> Any:
    """A rate as a number, where there is no room for a bar; its values are `as_share`."""
    return st.column_config.NumberColumn(title, format="%.0f %%", width=width)


def as_share(value: float | None) -> float | None:
    """A rate for the columns above: in hundredths, since only whole numbers read alike
    in both languages there.
    """
    return None if formatting.is_missing(value) else 100 * value


def count_column(title: str, width: int | str = "small") -> Any:
    """A whole number."""
    return st.column_config.NumberColumn(title, format="localized", width=width)


def trend_column(title: str, width: int | str = "small") -> Any:
    """Values over time as a line."""
    return st.column_config.LineChartColumn(title, width=width)


def sparklines(frame: pd.DataFrame, dimension: str, grain: str, kpi: str) -> dict[Any, list[float]]:
    """For each value of a dimension, the values of a KPI over time, from a frame cut by
    both.
    """
    lines: dict[Any, list[float]] = {}
    for row in frame[frame["kpi"] == kpi].sort_values(grain).itertuples():
        value = getattr(row, dimension)
        if not formatting.is_missing(row.value):
            lines.setdefault(None if formatting.is_missing(value) else value, []).append(
                float(row.value)
            )
    # One value makes no line.
    return {value: known for value, known in lines.items() if len(known) > 1}


def cell(row: Any) -> str:
    """A value with its interval in one cell."""
    unit = get_kpi(row.kpi).unit
    if formatting.is_missing(row.value):
        return ""
    between = formatting.interval(row.low, row.high, unit)
    return formatting.value(row.value, unit) + (f"  ({between})" if between else "")


def wide(frame: pd.DataFrame, dimension: str) -> dict[Any, dict[str, Any]]:
    """The rows of a frame by the value of the dimension (None is missing), then by KPI."""
    table: dict[Any, dict[str, Any]] = {}
    for row in frame.itertuples():
        value = getattr(row, dimension)
        table.setdefault(None if formatting.is_missing(value) else value, {})[row.kpi] = row
    return table


def largest_first(by: Mapping[Any, Mapping[str, Any]], kpi: str) -> list[Any]:
    """The values of `wide` by their number of that KPI; those whose number is missing
    or hidden come last.
    """
    return sorted(
        by,
        key=lambda value: -1 if formatting.is_missing(by[value][kpi].n) else by[value][kpi].n,
        reverse=True,
    )


def show_foot() -> Any:
    """The line below a table: to be filled with its definitions and its export."""
    return st.container(horizontal=True, vertical_alignment="center", gap="medium")


def note_definitions(kpis: Sequence[str], look: FilterState, key: str = "") -> None:
    """What the columns mean, on demand. `key`: tells several on one page apart."""
    with st.popover(
        _("Definitions"),
        icon=":material/help:",
        type="tertiary",
        key=f"definitions_{key}" if key else None,
    ):
        st.caption(look.period_title)
        for key in kpis:
            kpi = get_kpi(key)
            st.markdown(f"**{_(kpi.title)}** – {_(kpi.meaning)}  \n{cards.escape(_(kpi.formula))}")
            explain_link.show_link(key)


def is_rate(key: str) -> bool:
    """Whether that KPI is a share."""
    return get_kpi(key).unit == Unit.RATE
