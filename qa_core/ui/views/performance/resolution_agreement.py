"""Why the three resolutions differ: what was declared and said, against who came back,
contact by contact; and what could not be judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import N_, _
from qa_core.metrics import formatting
from qa_core.ui import cached, cards, drill, tables
from qa_core.ui.filter_bar import FilterState
from qa_core.ui.views.performance.resolution_window import Window

REPEAT, SURVEYED = "first_contact_resolution", "first_contact_resolution_surveyed"
TITLES = {
    ("declared", "yes"): N_("Declared resolved"),
    ("declared", "no"): N_("Declared not resolved"),
    ("surveyed", "yes"): N_("Customer: resolved in one contact"),
    ("surveyed", "no"): N_("Customer: not in one contact"),
}
ENOUGH = 30
"""Of fewer contacts no share is told."""


@dataclass(frozen=True)
class ResolutionCounts:
    """What was said of contacts whose window is complete (`dimension`: by whom,
    `value`: yes or no), and what came of them: `back` came back of `n`; `low` and
    `high` are the ends of that share. `confirmed`: a row of `measure` on the surveyed
    among them.
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


def read(viewer: Viewer, look: FilterState, tried: Window) -> list[ResolutionCounts]:
    """The rows that are known well enough to be told, advisors first."""
    confirmed = cached.measure(viewer, (SURVEYED,), ("declared",), look.where)
    confirmed = {row.declared: row for row in confirmed.itertuples() if row.status == "ok"}
    found = []
    for dimension in ("declared", "surveyed"):
        if not viewer.can_cut_by(dimension):
            continue
        frame = cached.measure(
            viewer, (REPEAT,), (dimension,), look.where, overrides=tried.overrides
        )
        rows = {
            getattr(row, dimension): row
            for row in frame.itertuples()
            if not formatting.is_missing(row.value) and row.n >= ENOUGH
        }
        for value in ("yes", "no"):
            if value in rows:
                row = rows[value]
                extra = confirmed.get(value) if dimension == "declared" else None
                found.append(
                    ResolutionCounts(
                        dimension,
                        value,
                        int(row.n),
                        int(row.n - row.numerator),
                        1 - row.high,
                        1 - row.low,
                        extra,
                    )
                )
    return found


def show(viewer: Viewer, look: FilterState, tried: Window) -> None:
    """By repeat against declared and surveyed, on the contacts where both are known."""
    said = read(viewer, look, tried)
    with st.container(border=True, height="stretch", gap="xxsmall"):
        clickable = drill.is_open_to(viewer) and bool(said)
        caption = _(
            "First contacts whose window is complete and of which both are known. Coming back "
            "proves no failure, and staying away no success."
        )
        cards.show_heading(
            describe(said, tried),
            caption + (" " + _("Click a line to see its contacts.") if clickable else ""),
        )
        if not said:
            if viewer.needs_suppression:
                st.caption(_("Hidden, or no data."))
            return
        head, back, stayed, between, confirmed = (
            _("What was said"),
            _("Came back"),
            _("Did not"),
            _("95 % interval"),
            _("Customer confirms"),
        )
        shown = [
            {
                head: _(TITLES[row.dimension, row.value]),
                "n": row.n,
                back: 100 * row.share_back,
                stayed: 100 * (1 - row.share_back),
                between: formatting.interval(row.low, row.high, "rate"),
                **(
                    {confirmed: _confirmation(row)}
                    if any(other.confirmed for other in said)
                    else {}
                ),
            }
            for row in said
        ]
        config = {
            head: tables.name_column(head, 218),
            "n": tables.count_column("n", 52),
            back: tables.percent_column(back, 80),
            stayed: tables.percent_column(stayed, 88),
            between: st.column_config.TextColumn(
                between, width=104, help=_("Of the share that came back")
            ),
            confirmed: st.column_config.TextColumn(
                confirmed,
                width=120,
                help=_(
                    "Of those who answered both questions of the survey: resolved, and in one "
                    "contact"
                ),
            ),
        }

        def open_row() -> None:
            cells = st.session_state["agreement"]["selection"]["cells"]
            if cells:
                row = said[cells[0][0]]
                drill.to_contacts({row.dimension: row.value}, REPEAT, tried.tried)

        tables.show(shown, config, "agreement", open_row if clickable else None)


def describe(said: list[ResolutionCounts], tried: Window) -> ChartTitle:
    """One sentence on how far declarations and repeats agree, no surer than the counts."""
    by = {(row.dimension, row.value): row for row in said}
    yes, no = by.get(("declared", "yes")), by.get(("declared", "no"))
    days = formatting.days(tried.days)
    if yes and no:
        if yes.low <= no.high and no.low <= yes.high:
            return ChartTitle(_("What advisors declare does not tell who comes back"))
        return ChartTitle(
            _(
                "Of contacts declared resolved, {back} came back within {days}; of those "
                "declared not resolved, {stayed} did not",
                back=formatting.percent(yes.share_back, 0),
                stayed=formatting.percent(1 - no.share_back, 0),
                days=days,
            )
        )
    if yes:
        return ChartTitle(
            _(
                "Of contacts declared resolved, {back} came back within {days}",
                back=formatting.percent(yes.share_back, 0),
                days=days,
            )
        )
    return ChartTitle(_("Too few contacts of which both are known to say why the three differ"))


def _confirmation(row: ResolutionCounts) -> str:
    if row.confirmed is None:
        return ""
    return _(
        "{share} of {n}",
        share=formatting.percent(row.confirmed.value, 0),
        n=formatting.number(row.confirmed.n),
    )


def show_left_out(row: Any, answered: Any, tried: Window) -> None:
    """Which answered contacts could not be judged by repeat, what that means and how to
    have fewer of them.
    """
    pending = (
        None
        if formatting.is_missing(row.pending) or formatting.is_missing(row.n)
        else share(row.pending, row.n + row.pending)
    )
    unknown = (
        None
        if formatting.is_missing(row.unknown_identity) or formatting.is_missing(answered.value)
        else share(row.unknown_identity, answered.value)
    )
    with st.container(border=True, height="stretch", gap="xsmall"):
        cards.show_heading(ChartTitle(_("What cannot be judged by repeat")))
        _show_share(
            _("Pending"),
            pending,
            row.pending,
            _(
                "of first contacts are younger than {days}, or lie so near the first day of "
                "the data.",
                days=formatting.days(tried.days),
            ),
            _("To have fewer: choose a period that ended before that, or a shorter window."),
        )
        _show_share(
            _("Unknown caller"),
            unknown,
            row.unknown_identity,
            _("of answered contacts came from a withheld number or one that many share."),
            _(
                "To have fewer: import a customer number or the ticket with the contacts, and "
                "see whether the limit for shared numbers is too low."
            ),
        )


def share(part: float, whole: float) -> float | None:
    """Part of a whole; None of nothing."""
    return part / whole if whole else None


def _show_share(
    title: str, value: float | None, count: float | None, meaning: str, remedy: str
) -> None:
    if value is None:
        st.markdown(f"**{title}** {cards.NOTHING}")
        st.caption(_("Hidden, or no data."))
        return
    shown = (
        formatting.percent(value)
        if value == 0 or value >= 0.0005
        else "< " + formatting.percent(0.001)
    )
    st.markdown(
        "**" + _("{title}: {share}", title=title, share=shown) + f"** ({formatting.number(count)})"
    )
    st.caption(meaning + ("" if not count else " " + remedy))
