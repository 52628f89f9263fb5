"""Differences between the three resolutions, and contacts that could not be judged."""

from dataclasses import dataclass
from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base.i18n import N_, _
from qa_core.metrics.kpis import formatting
from qa_core.ui.frame import cached
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.views.performance.resolution_window import Window
from qa_core.ui.widgets import cards, drill, tables

REPEAT, SURVEYED = "first_contact_resolution", "first_contact_resolution_surveyed"
TITLES = {
    ("declared", "yes"): N_("Declared resolved"),
    ("declared", "no"): N_("Declared not resolved"),
    ("surveyed", "yes"): N_("Customer: resolved in one contact"),
    ("surveyed", "no"): N_("Customer: not in one contact"),
}
MIN = 30
"""Contacts from which on a share is shown."""


@dataclass(frozen=True)
class ResolutionCounts:
    """Repeats of contacts whose resolution somebody stated, and whose window is
    complete.

    `dimension`, `value`: who said what (yes or no). `back` of `n` had a repeat contact;
    `low` and `high`: the interval of that share. `confirmed`: row of `measure` of the
    surveyed.
    """

    dimension: str
    value: str
    n: int
    back: int
    low: float
    high: float
    confirmed: Any = None

    @property
    def share_back(self) -> float:
        return self.back / self.n


def read(viewer: Viewer, state: FilterState, window: Window) -> list[ResolutionCounts]:
    """Return the counts that are large enough to be shown, declarations first."""
    surveyed = cached.measure(viewer, (SURVEYED,), ("declared",), state.where)
    confirmed = {row.declared: row for row in surveyed.itertuples() if row.status == "ok"}
    counts = []
    for dimension in filter(viewer.can_cut_by, ("declared", "surveyed")):
        frame = cached.measure(
            viewer, (REPEAT,), (dimension,), state.where, overrides=window.overrides
        )
        rows = {getattr(row, dimension): row for row in frame.itertuples()}
        for value in ("yes", "no"):
            row = rows.get(value)
            if row is not None and not formatting.is_missing(row.value) and row.n >= MIN:
                counts.append(
                    ResolutionCounts(
                        dimension,
                        value,
                        int(row.n),
                        int(row.n - row.numerator),
                        1 - row.high,
                        1 - row.low,
                        confirmed.get(value) if dimension == "declared" else None,
                    )
                )
    return counts


def show(viewer: Viewer, state: FilterState, window: Window) -> None:
    """Compare declarations and survey answers with repeat contacts, where both are known."""
    counts = read(viewer, state, window)
    can_click = drill.is_open_to(viewer) and bool(counts)
    caption = _(
        "First contacts with a statement and a complete repeat window. A repeat contact proves no "
        "failure; without one, success is not proven."
    )
    with cards.card(describe(counts, window), caption, is_stretched=True):
        if not counts:
            return
        columns = (
            tables.name_column(
                _("Statement"), lambda row: _(TITLES[row.dimension, row.value]), 218
            ),
            tables.count_column("n", lambda row: row.n, 52),
            tables.percent_column(_("Repeat"), lambda row: row.share_back, 80),
            tables.percent_column(_("No repeat"), lambda row: 1 - row.share_back, 88),
            tables.text_column(
                _("95 % interval"),
                lambda row: formatting.interval(row.low, row.high, "rate"),
                104,
            ),
            tables.text_column(_("Customer confirms"), _describe_confirmation, 120)
            if any(row.confirmed for row in counts)
            else None,
        )
        on_line = (
            (lambda row: drill.to_contacts({row.dimension: row.value}, REPEAT, window.tried))
            if can_click
            else None
        )
        tables.show(counts, columns, "agreement", on_line, room=tables.IN_SECTION)


def describe(counts: list[ResolutionCounts], window: Window) -> str:
    """Describe how far declarations and repeats agree, no surer than the counts."""
    by = {(row.dimension, row.value): row for row in counts}
    yes, no = by.get(("declared", "yes")), by.get(("declared", "no"))
    if not yes:
        return _("Too few contacts with a statement to explain why the three rates differ")
    if no and yes.low <= no.high and no.low <= yes.high:
        return _("No clear link between advisors' declarations and repeat contacts")
    return _(
        "{back} of contacts declared resolved had a repeat contact within {days}",
        back=formatting.percent(yes.share_back, 0),
        days=formatting.days(window.days),
    )


def _describe_confirmation(row: ResolutionCounts) -> str:
    if row.confirmed is None:
        return ""
    share, n = formatting.percent(row.confirmed.value, 0), formatting.number(row.confirmed.n)
    return _("{n} of {all}", n=share, all=n)


def show_left_out(row: Any, answered: Any, window: Window) -> None:
    """Show which answered contacts could not be judged by repeat, and what would help.

    `row`, `answered`: rows of `measure` of the resolution by repeat, of answered contacts.
    """
    is_known = not (formatting.is_missing(row.pending) or formatting.is_missing(row.n))
    with cards.card(_("Left out of the measured resolution"), is_stretched=True, gap="xsmall"):
        _show_share(
            _("Pending"),
            row.pending,
            row.n + row.pending if is_known else None,
            _(
                "Their {days} are not over, or start before the data. Choose an earlier period or "
                "a shorter window.",
                days=formatting.days(window.days),
            ),
        )
        _show_share(
            _("Unknown caller"),
            row.unknown_identity,
            answered.value,
            _(
                "The number is withheld or shared by many. Import a customer or ticket number "
                "with the contacts."
            ),
        )


def _show_share(title: str, part: float | None, whole: float | None, remedy: str) -> None:
    if formatting.is_missing(part) or formatting.is_missing(whole) or not whole:
        st.markdown(f"**{title}** {cards.NOTHING}")
        return
    share = part / whole
    shown = formatting.percent(share)
    if 0 < share < 0.0005:
        shown = "< " + formatting.percent(0.001)
    st.markdown(f"**{_('{what}: {text}', what=title, text=shown)}** ({formatting.number(part)})")
    if part:
        st.caption(remedy)
