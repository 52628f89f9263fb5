"""Tables: columns with their values and look, lines to compare and to click."""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import pandas as pd
import streamlit as st
from streamlit import column_config

from qa_core.base.i18n import _, ngettext
from qa_core.metrics.kpis import Unit, formatting, get_kpi
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import cards, explain_link

ROW_HEIGHT, HEIGHTS = 36, {3: 66, 4: 84}
"""Height of a row, and of one with so many lines of text; Streamlit wraps texts only in a row
above 64 pixels.
"""
LOOSE = 1.15
"""Share of a line that words fill when a text is wrapped, as its inverse."""
FULL = 930
"""Pixels for the columns of a table as wide as the page, on a screen of 1,280."""
IN_SECTION = 895
"""The same in a section that opens."""
NARROW, WIDE, PADDING = 4.2, 7.6, 17
"""Pixels of a character (of `NARROW_LETTERS`, and others), and beside a text."""
NARROW_LETTERS = frozenset("fijlrtI.,:;'’|!()[]-– \u00a0\u202f")
SMALLEST, MAX_WORD, LARGEST = 60, 110, 400
"""Least and most pixels that a word asks for, and most of a column."""
WIDTHS = {"small": 75, "medium": 200, "large": 400}
MAX_PINNED = 170
"""Widest column that stays in sight; on a phone, a wider one would hide all others."""
Line = TypeVar("Line")
Rows = Mapping[Any, Mapping[str, Any]]
"""Rows of `measure` by the value of a dimension (None: missing), then KPI."""
Width = int | str | None


@dataclass(frozen=True)
class TableColumn:
    """One column: its heading, the value of a line in it, and how the browser shows it."""

    heading: str
    value: Callable[[Any], Any]
    config: Any = None


def name_column(heading: str, value: Callable[[Any], Any], width: Width = 150) -> TableColumn:
    """Build the column that names the lines; unless it is wide, it stays in sight when the
    rest scrolls.
    """
    is_pinned = not isinstance(width, int) or width <= MAX_PINNED
    config = column_config.TextColumn(heading, width=width, pinned=is_pinned)
    return TableColumn(heading, value, config)


def dimension_column(dimension: str, width: Width = 150) -> TableColumn:
    """Build the column that names the values of a dimension, one per line."""
    heading = formatting.dimension(dimension)
    return name_column(heading, lambda value: formatting.name(dimension, value), width)


def text_column(heading: str, value: Callable[[Any], Any], width: Width = None) -> TableColumn:
    """Build a column of text."""
    config = None if width is None else column_config.TextColumn(heading, width=width)
    return TableColumn(heading, value, config)


def day_text_column(
    heading: str, value: Callable[[Any], Any], width: Width = None, missing: str | None = None
) -> TableColumn:
    """Build a column of days, or of the days of moments, as text; `missing`: the text where
    there is none.
    """

    def describe(line: Any) -> str | None:
        day = value(line)
        if isinstance(day, datetime):
            return formatting.local_day(day)
        return formatting.day(day, year=True) if day else missing

    return text_column(heading, describe, width)


def number_text_column(
    heading: str, value: Callable[[Any], Any], width: Width = None
) -> TableColumn:
    """Build a column of numbers that are texts already, such as `3 / 4`; a dash for none."""
    config = column_config.TextColumn(heading, width=width, alignment="right")
    return TableColumn(heading, lambda line: value(line) or None, config)


def value_column(
    heading: str, value: Callable[[Any], Any], unit: Unit, width: Width = None
) -> TableColumn:
    """Build a column of values in that unit, as text; a dash for none."""

    def describe(line: Any) -> str | None:
        amount = value(line)
        return None if formatting.is_missing(amount) else formatting.value(amount, unit)

    return number_text_column(heading, describe, width)


def count_column(heading: str, value: Callable[[Any], Any], width: Width = "small") -> TableColumn:
    """Build a column of numbers."""
    config = column_config.NumberColumn(heading, format="localized", width=width)
    return TableColumn(heading, value, config)


def share_column(heading: str, value: Callable[[Any], Any], width: Width = "small") -> TableColumn:
    """Build a column of rates (0–1) as bars."""
    config = column_config.ProgressColumn(
        heading, format="%.0f %%", min_value=0, max_value=100, width=width
    )
    return TableColumn(heading, lambda line: _in_hundredths(value(line)), config)


def percent_column(
    heading: str, value: Callable[[Any], Any], width: Width = "small"
) -> TableColumn:
    """Build a column of rates (0–1) as numbers, where there is no room for bars."""
    config = column_config.NumberColumn(heading, format="%.0f %%", width=width)
    return TableColumn(heading, lambda line: _in_hundredths(value(line)), config)


def trend_column(heading: str, value: Callable[[Any], Any], width: int) -> TableColumn:
    """Build a column of small line charts."""
    return TableColumn(heading, value, column_config.LineChartColumn(heading, width=width))


def moment_column(heading: str, value: Callable[[Any], Any], pinned: bool = False) -> TableColumn:
    """Build a column of days with their times."""
    config = column_config.DatetimeColumn(
        heading, format="DD/MM/YYYY HH:mm", width=118, pinned=pinned
    )
    return TableColumn(heading, value, config)


def day_column(heading: str, value: Callable[[Any], Any]) -> TableColumn:
    """Build a column of days."""
    config = column_config.DateColumn(heading, format="DD/MM/YYYY", width=95)
    return TableColumn(heading, value, config)


def kpi_column(
    key: str, row_of: Callable[[Any], Any], width: int, has_bar: bool = False
) -> TableColumn:
    """Build the column of a KPI in the format of its unit; rates as bars with `has_bar`.

    `row_of` returns the row of `measure` of a line, or None for a dash.
    """
    heading, unit = cards.column_of(key), get_kpi(key).unit
    if unit == Unit.RATE:
        build = share_column if has_bar else percent_column
        return build(heading, lambda line: value_of(row_of(line)), width)
    if unit == Unit.COUNT:
        return count_column(heading, lambda line: to_integer(value_of(row_of(line))), width)
    return value_column(heading, lambda line: value_of(row_of(line)), unit, width)


def interval_column(key: str, row_of: Callable[[Any], Any], heading: str = "") -> TableColumn:
    """Build the column of a KPI with its interval beside each value."""
    return number_text_column(
        heading or cards.column_of(key), lambda line: with_interval(row_of(line))
    )


def drop_empty(
    columns: Sequence[TableColumn | None], lines: Sequence[Any]
) -> list[TableColumn | None]:
    """Return the columns without those that have no value in any line."""
    return [
        None if column is not None and all(map(_is_empty, map(column.value, lines))) else column
        for column in columns
    ]


def _is_empty(value: Any) -> bool:
    return value in (None, "", "–") or formatting.is_missing(value)


def show(
    lines: Sequence[Line],
    columns: Sequence[TableColumn | None],
    key: str,
    on_line: Callable[[Line], None] | None = None,
    height: int | None = None,
    room: int | None = FULL,
    is_choice: bool = False,
) -> None:
    """Show a table of these lines, or that there are none; columns that are None are left
    out.

    `on_line`: what a click on a line does. `height`: beyond it the table scrolls. `room`:
    pixels on a small screen, where long texts wrap so that no column is out of sight (None:
    the columns say their widths, and texts are cut off). `is_choice`: whether a line can be
    selected, which `find_chosen` returns.
    """
    if not lines:
        st.caption(_("None yet."))
        return
    if on_line or is_choice:
        st.caption(_("Select a row to open it."))
    shown = [column for column in columns if column is not None]
    frame = pd.DataFrame(
        [{column.heading: column.value(line) for column in shown} for line in lines]
    )
    widths, row_height = ({}, ROW_HEIGHT) if room is None else _find_widths(shown, frame, room)
    fits = height is None or row_height * len(lines) + ROW_HEIGHT <= height
    on_select: Any = "rerun" if is_choice else "ignore"
    if on_line:
        on_select = functools.partial(_open, key, lines, on_line)
    st.dataframe(
        frame,
        column_config={
            column.heading: {**(column.config or {}), **widths.get(column.heading, {})}
            for column in shown
            if column.config or column.heading in widths
        },
        hide_index=True,
        key=key,
        on_select=on_select,
        selection_mode="single-row" if is_choice else "single-cell",
        row_height=row_height,
        height="content" if fits else height,
        placeholder="–",
    )


def choose(
    lines: Sequence[Line], columns: Sequence[TableColumn | None], key: str, **options: Any
) -> Line | None:
    """Show a table to select a line from, and return that line; `options` go to `show`."""
    show(lines, columns, key, is_choice=True, **options)
    return find_chosen(key, lines)


def _find_widths(
    columns: Sequence[TableColumn], frame: pd.DataFrame, room: int
) -> tuple[dict[str, dict[str, int]], int]:
    """Return widths of the columns of text that fit the room, and the height of a row: at least
    the longest word and what three lines need, else four, and the room that is left shared out.
    No wider than their texts where all columns have room.
    """
    fixed, needed, words, texts_of, cells = 0.0, {}, {}, {}, {}
    for column in columns:
        config, values = column.config or {}, list(frame.get(column.heading, ()))
        texts = [column.heading, *(value for value in values if isinstance(value, str))]
        length = max(map(_measure, texts))
        width = config.get("width")
        width = WIDTHS.get(width, width) or LARGEST
        kind = (config.get("type_config") or {"type": "text"})["type"]
        if kind == "text" and (len(texts) > 1 or all(map(formatting.is_missing, values))):
            needed[column.heading] = width = min(width, length)
            word = max(_measure(word) for text in texts for word in text.split(" "))
            words[column.heading] = min(width, MAX_WORD, max(SMALLEST, word))
            texts_of[column.heading] = min(length, 3 * LARGEST) - PADDING
            cells[column.heading] = max(map(_measure, texts[1:]), default=0.0)
        else:
            fixed += width if config.get("width") else min(width, length)
    if fixed + sum(needed.values()) <= room:
        return {heading: {"width": int(width)} for heading, width in needed.items()}, ROW_HEIGHT
    for lines in HEIGHTS:
        least = {
            heading: min(width, max(words[heading], texts_of[heading] * LOOSE / lines + PADDING))
            for heading, width in needed.items()
        }
        if fixed + sum(least.values()) <= room:
            break
    else:
        least = words
    left, widths = max(0.0, room - fixed - sum(least.values())), {}
    for index, heading in enumerate(sorted(needed, key=lambda name: needed[name] - least[name])):
        more = min(needed[heading] - least[heading], left / (len(needed) - index))
        widths[heading] = {"width": int(least[heading] + more)}
        left -= more
    has_long = any(cells[heading] > widths[heading]["width"] + 1 for heading in widths)
    return widths, HEIGHTS[lines] if has_long else ROW_HEIGHT


def _measure(text: str) -> float:
    narrow = sum(letter in NARROW_LETTERS for letter in text)
    return NARROW * narrow + WIDE * (len(text) - narrow) + PADDING


def find_clicked(key: str, lines: Sequence[Line]) -> Line | None:
    """Return the line of that table that was clicked."""
    cells = st.session_state.get(key, {}).get("selection", {}).get("cells")
    return lines[cells[0][0]] if cells and cells[0][0] < len(lines) else None


def find_chosen(key: str, lines: Sequence[Line]) -> Line | None:
    """Return the line of that table that is selected."""
    rows = st.session_state.get(key, {}).get("selection", {}).get("rows")
    return lines[rows[0]] if rows and rows[0] < len(lines) else None


def value_of(row: Any) -> float | None:
    """Return the value of a row of `measure`; None where it is missing."""
    return None if row is None or formatting.is_missing(row.value) else row.value


def to_integer(value: float | None) -> int | None:
    """Return a count as an integer; None where it is missing."""
    return None if formatting.is_missing(value) else int(value)


def with_interval(row: Any, unit: str = "") -> str:
    """Return the value of a row of `measure`, or of a thing in that unit, with its interval."""
    unit = unit or get_kpi(row.kpi).unit
    if formatting.is_missing(row.value):
        return ""
    between = formatting.interval(row.low, row.high, unit)
    return formatting.value(row.value, unit) + (f"  ({between})" if between else "")


def sparklines(frame: pd.DataFrame, dimension: str, grain: str, kpi: str) -> dict[Any, list[float]]:
    """Return a KPI over time by value of a dimension, where there are two points."""
    lines: dict[Any, list[float]] = {}
    for row in frame[frame["kpi"] == kpi].sort_values(grain).itertuples():
        if not formatting.is_missing(row.value):
            lines.setdefault(_known(getattr(row, dimension)), []).append(float(row.value))
    return {value: known for value, known in lines.items() if len(known) > 1}


def index_rows(frame: pd.DataFrame, dimension: str) -> dict[Any, dict[str, Any]]:
    """Return the rows of a frame by the dimension's value (None: missing), then KPI."""
    table: dict[Any, dict[str, Any]] = {}
    for row in frame.itertuples():
        table.setdefault(_known(getattr(row, dimension)), {})[row.kpi] = row
    return table


def show_hidden(by: Rows) -> None:
    """Show how many rows of `index_rows` are hidden, if any are."""
    hidden = sum(any(row.status == "suppressed" for row in rows.values()) for rows in by.values())
    if hidden:
        text = ngettext(
            "{n} row has hidden numbers: based on fewer than five advisors or ten contacts, or "
            "revealing such a number.",
            "{n} rows have hidden numbers: based on fewer than five advisors or ten contacts, or "
            "revealing such a number.",
            hidden,
        )
        st.caption(text)


def largest_first(by: Rows, kpi: str) -> list[Any]:
    """Return the values of `index_rows` by their number of that KPI, missing numbers last."""
    return sorted(
        by,
        key=lambda value: -1 if formatting.is_missing(by[value][kpi].n) else by[value][kpi].n,
        reverse=True,
    )


def show_foot() -> Any:
    """Return the line below a table, for its definitions and its export."""
    return st.container(horizontal=True, vertical_alignment="center", gap="medium")


def show_definitions(kpis: Sequence[str], state: FilterState | None = None, key: str = "") -> None:
    """Show on demand what the columns mean. `key`: where a page has several tables."""
    with st.popover(
        _("Definitions"),
        icon=":material/help:",
        type="tertiary",
        key=f"definitions_{key}" if key else None,
    ):
        if state is not None:
            st.caption(state.period_title)
        for name in kpis:
            kpi = get_kpi(name)
            st.markdown(f"**{_(kpi.title)}** – {_(kpi.meaning)}  \n{escape(_(kpi.formula))}")
            explain_link.show_link(name)


def _open(key: str, lines: Sequence[Line], act: Callable[[Line], None]) -> None:
    line = find_clicked(key, lines)
    if line is not None:
        act(line)


def _in_hundredths(value: float | None) -> float | None:
    # Only the browser's format of whole numbers is the same in both languages.
    return None if formatting.is_missing(value) else 100 * value


def _known(value: Any) -> Any:
    return None if formatting.is_missing(value) else value
