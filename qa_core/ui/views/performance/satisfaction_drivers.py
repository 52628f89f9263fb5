"""Factors associated with satisfaction: each level of each factor against the rest, the
other factors held alike. Never worded as causes.
"""

from __future__ import annotations

from qa_core.access.roles import Viewer
from qa_core.analysis import charts, driver_texts
from qa_core.base.i18n import _, ngettext
from qa_core.metrics import formatting
from qa_core.metrics.kpis import Unit
from qa_core.metrics.query import Drivers
from qa_core.metrics.query.driver_factors import CRITERION
from qa_core.stats.adjusted_differences import MIN_ROWS
from qa_core.ui import cached, cards, styles
from qa_core.ui.filter_bar import FilterState

MOST_ROWS = 18


def show(viewer: Viewer, state: FilterState) -> None:
    """Show dots with intervals, the largest difference first, grey if chance explains it."""
    read = cached.find_drivers(viewer, state.where)
    if not read.drivers:
        cards.show_message(driver_texts.conclude(read), _describe_why_not(read))
        return
    drawn = driver_texts.choose(read.drivers, MOST_ROWS)
    figure = charts.build_differences(
        driver_texts.build_frame(drawn), Unit.RATE, dark=styles.is_dark(), row_height=23
    )
    cards.show_chart(figure, driver_texts.conclude(read), _explain(read, len(drawn)), "drivers")


def _explain(read: Drivers, drawn: int) -> str:
    tried = len(read.drivers)
    parts = [
        _(
            "Each against all other ratings, the other factors held alike, with 95 % interval; "
            "open: by itself."
        )
        if read.is_adjusted
        else _("Each against all other ratings, by itself, with 95 % interval."),
        ngettext(
            "Grey: chance explains it.", "Grey: chance explains it, all {n} tried at once.", tried
        ),
        _("An association is not a cause."),
    ]
    if tried > drawn:
        parts.append(
            ngettext(
                "{n} smaller one is not drawn.", "{n} smaller ones are not drawn.", tried - drawn
            )
        )
    if read.evaluated_contacts is not None and not any(
        driver.factor == CRITERION for driver in read.drivers
    ):
        parts.append(
            _(
                "Too few rated contacts were evaluated to try the criteria ({n}).",
                n=formatting.number(read.evaluated_contacts),
            )
        )
    return " ".join(parts)


def _describe_why_not(read: Drivers) -> str:
    if read.is_narrowed:
        return _("You see what follows from one cut at a time: take the filters away.")
    return _("A level takes at least {n} ratings, and as many of the others.", n=MIN_ROWS)
