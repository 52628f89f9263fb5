"""Factors associated with satisfaction, adjusted for each other. Never causes."""

from qa_core.access.roles import Viewer
from qa_core.analysis import charts, driver_texts
from qa_core.base.i18n import _
from qa_core.metrics.kpis import Unit
from qa_core.metrics.query import Drivers
from qa_core.stats.adjusted_differences import MIN_ROWS, Driver
from qa_core.ui.frame import cached, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import cards

MAX_ROWS = 18


def show(viewer: Viewer, state: FilterState) -> None:
    """Show dots with intervals, the largest difference first, grey if it is not clear."""
    read = cached.find_drivers(viewer, state.where)
    if not read.drivers:
        why = _("A factor needs at least {n} ratings on each side.", n=MIN_ROWS)
        if read.is_narrowed:
            why = _(cards.ONE_AT_A_TIME)
        cards.show_message(driver_texts.conclude(read), why)
        return
    show_chart(read, driver_texts.choose(read.drivers, MAX_ROWS), "drivers")


def show_chart(read: Drivers, drawn: list[Driver], key: str) -> None:
    figure = charts.build_differences(
        driver_texts.build_frame(drawn), Unit.RATE, dark=styles.is_dark(), row_height=23
    )
    caption = driver_texts.explain(read, len(drawn))
    cards.show_chart(figure, driver_texts.conclude(read), caption, key)
