"""The board sheet: each KPI with its target, a year of trend, and the drivers."""

import itertools

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import attention, board, board_pdf, driver_texts
from qa_core.base.i18n import _
from qa_core.metrics.kpi.editions import EditionDifference
from qa_core.metrics.kpis import formatting, get_kpi, periods
from qa_core.ui.frame import cached, layout, styles
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.performance import satisfaction
from qa_core.ui.widgets import (
    cards,
    download_links,
    empty_states,
    explain_link,
    segmented_choice,
    trend_cards,
)

TREND_HEIGHT = 190
MAX_DIFFERENCES = 5
"""KPIs that the note on a published month names."""


def show(viewer: Viewer) -> None:
    """Show the sheet over the months chosen, and the button for its PDF."""
    titles = {key: periods.name(key) for key in periods.MONTHS}
    head = st.container(gap=None)
    head.title(_("Board sheet"), anchor=False)
    bar = layout.row(key=styles.NOT_PRINTED)
    with bar:
        choice = segmented_choice.ask("months", _("Period"), titles, usual=board.DEFAULT)
    figures = cached.find_board(viewer, choice)
    if figures is None:
        if viewer.needs_suppression:
            empty_states.show_no_month()
            return
        empty_states.card(":material/event_busy:", _("No complete month yet"))
        return
    head.caption(escape(f"{board.describe_period(figures)} · {board.describe_scope(figures)}"))
    with bar:
        download_links.show_download("board", label=_("PDF"), forms=("pdf",), months=choice)
    lines = board.build_lines(figures)
    for first in range(0, len(lines), 2):
        pair = lines[first : first + 2]
        for column, line in zip(st.columns(2, gap="small"), pair, strict=False):
            with column:
                _show_line(line, choice)
    _show_drivers(figures)
    st.caption(escape(board_pdf.describe_foot(figures, lines)))
    if not viewer.needs_suppression:
        _show_differences(viewer)


def _show_differences(viewer: Viewer) -> None:
    """Show the months whose published figures differ from the present ones, and in what."""
    for month, found in itertools.groupby(cached.find_differences(viewer), lambda one: one.month):
        names = [_name_difference(difference) for difference in found]
        if more := len(names[MAX_DIFFERENCES:]):
            names[MAX_DIFFERENCES:] = [attention.describe_more(more)]
        text = _(
            "{month}: executives see figures as published. The data now differs in: {kpis}. "
            "Published figures change only where the difference concerns many.",
            month=formatting.month(month),
            kpis=" · ".join(names),
        )
        st.caption(escape(text))


def _name_difference(difference: EditionDifference) -> str:
    title = formatting.short_title(get_kpi(difference.kpi))
    if difference.now is None:
        return title
    before, now = formatting.number(difference.published), formatting.number(difference.now)
    if difference.published == difference.now:
        return _("{title} (n = {n}, another value)", title=title, n=now)
    return f"{title} (n = {before} → {now})"


def _show_line(line: board.BoardLine, choice: str) -> None:
    with cards.card(line.sentence, is_stretched=True):
        st.metric(escape(line.title), line.value, label_visibility="collapsed")
        st.caption(escape(line.basis))
        target = line.target
        st.markdown(f":small[{cards.ICONS[target.severity]}{escape(target.text)}]")
        if line.series.points["value"].notna().any():
            figure = trend_cards.draw(line.series, line.steps, TREND_HEIGHT, line.currency)
            key = f"board_{line.kpi.key}_{line.currency or ''}"
            alt = f"{line.sentence.text} {line.value}. {line.basis}"
            cards.show_figure(figure, key, alt, kpi=line.kpi.key, kept={"period": [choice]})
        else:
            explain_link.show_link(line.kpi.key, {"period": [choice]})


def _show_drivers(figures: board.BoardFigures) -> None:
    drivers = figures.drivers
    if drivers is None:
        return
    drawn = driver_texts.choose(drivers.drivers, board_pdf.MAX_DRIVERS)
    if not drawn:
        cards.card(driver_texts.conclude(drivers))
        return
    satisfaction.show_drivers_chart(drivers, drawn, "board_drivers")
