"""The First contact page: three measures of resolution, and why they differ."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import charts
from qa_core.analysis.series import Series
from qa_core.base.i18n import N_, _, capitalise
from qa_core.metrics.kpis import formatting, get_kpi
from qa_core.ui.frame import cached, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.views.performance import machines, rate_mix_waterfall, repeats
from qa_core.ui.views.performance.repeats import SETTING, Window
from qa_core.ui.widgets import cards, drill, sections, tables, trend_cards

REPEAT = "first_contact_resolution"
SURVEYED = "first_contact_resolution_surveyed"
THREE = (REPEAT, "first_contact_resolution_declared", SURVEYED)
SPENT = "repeat_handle_time"
MIN = 30
"""Contacts from which on a share is `ok` rather than a small sample, and shown."""
TITLES = {
    ("declared", "yes"): N_("Declared resolved"),
    ("declared", "no"): N_("Declared not resolved"),
    ("surveyed", "yes"): N_("Customer: resolved in one contact"),
    ("surveyed", "no"): N_("Customer: not in one contact"),
}


def show(viewer: Viewer, state: FilterState) -> None:
    window = repeats.ask_window(viewer)
    rows = cached.headline(
        viewer,
        (*THREE, "answered", "response_rate", "repeat_contacts", SPENT),
        state.where,
        state.compare,
        window.overrides,
    )
    series = trend_cards.read_series(viewer, state, THREE, window.overrides)
    _show_tiles(state, rows, series, window)
    left, right = st.columns([2, 3], gap="small")
    with left:
        why = ""
        if rows[REPEAT].status == "pending":
            why = _(
                "All {n} first contacts are pending: their {days} are not over, or start before "
                "the data. A shorter window may show more.",
                n=formatting.number(rows[REPEAT].pending),
                days=formatting.days(window.days),
            )
        trend_cards.show_trend(viewer, state, series[REPEAT], window=window.tried, why_empty=why)
    with right:
        repeats.show(viewer, state, "reason", window)
    change = (viewer, state, REPEAT, series[REPEAT].spread, window)
    sections.show("change", _("Why the rate changed"), rate_mix_waterfall.show, *change)
    title = _("Repeat contacts by queue")
    sections.show("queues", title, repeats.show, viewer, state, "queue", window)
    machines.offer(viewer, state, window.overrides)
    # Other windows, and what is left out, are in no published table.
    if not viewer.needs_suppression:

        def show_agreement() -> None:
            _compare_resolutions(viewer, state, window)
            _show_left_out(rows[REPEAT], rows["answered"], window)

        title = _("Declared, confirmed and measured resolution compared")
        sections.show("agreement", title, show_agreement)
        sections.show("windows", _("Other windows"), _show_window, viewer, state, window)
    if drill.is_open_to(viewer):
        title = _("Chains of repeat contacts (the journal records who opens them)")
        sections.show("chains", title, repeats.show_chains, viewer, state, window)


def _show_tiles(
    state: FilterState, rows: Mapping[str, Any], series: Mapping[str, Series], window: Window
) -> None:
    rate, repeats = rows["response_rate"].value, rows["repeat_contacts"].value
    extra = {
        THREE[2]: ""
        if formatting.is_missing(rate)
        else _("response rate {rate}", rate=formatting.percent(rate, 0)),
        SPENT: ""
        if formatting.is_missing(repeats)
        else _("{n} repeat contacts", n=formatting.number(repeats)),
    }
    tiles = [
        cards.build_tile(rows[key], state, series.get(key), extra.get(key, ""))
        for key in (*THREE, SPENT)
    ]
    # The link explains the number by the settings: another window has another number.
    cards.show_tiles(
        [
            replace(tile, kpi="") if window.tried and tile.kpi in (REPEAT, SPENT) else tile
            for tile in tiles
        ]
    )


def _show_window(viewer: Viewer, state: FilterState, window: Window) -> None:
    """Show how the share depends on the window within which a contact is a repeat."""
    windows = sorted({*map(float, SETTING.offered_values), window.days})
    frame = cached.measure_under(
        viewer, REPEAT, SETTING.name, tuple(f"{days:g}" for days in windows), state.where
    )
    # Each window has its own contacts: of a few, a longer window may even look better.
    frame.loc[frame["status"] != "ok", ["value", "low", "high"]] = None
    known = [
        (days, value)
        for days, value in zip(windows, frame["value"], strict=True)
        if not formatting.is_missing(value)
    ]
    if len(known) < 2:
        cards.card(_("Needs {n} contacts with a complete repeat window.", n=MIN))
        return
    (shortest, first), (longest, last) = known[0], known[-1]
    figure = charts.build_curve(
        windows,
        frame,
        "rate",
        here=window.days,
        x_label=_("window in days"),
        dark=styles.is_dark(),
        height=270,
    )
    finding = _(
        "From {first} within {days} to {last} within {longest}",
        first=formatting.percent(first),
        days=formatting.days(shortest),
        last=formatting.percent(last),
        longest=formatting.days(longest),
    )
    caption = _(
        "Line: {title} by length of the repeat window, for contacts with a complete window. "
        "Dashed: this page's window",
        title=formatting.short_title(get_kpi(REPEAT)),
    )
    cards.show_chart(figure, finding, caption, "window_curve")


@dataclass(frozen=True)
class ResolutionCounts:
    """Repeats of contacts whose resolution somebody stated, and whose window is
    complete.

    `dimension`, `value`: who said what (yes or no). `row`: row of `measure`, of those
    without a repeat contact. `confirmed`: row of the surveyed.
    """

    dimension: str
    value: str
    row: Any
    confirmed: Any

    @property
    def share_back(self) -> float:
        return (self.row.n - self.row.numerator) / self.row.n


def _read_counts(viewer: Viewer, state: FilterState, window: Window) -> list[ResolutionCounts]:
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
                surveyed_row = confirmed.get(value) if dimension == "declared" else None
                counts.append(ResolutionCounts(dimension, value, row, surveyed_row))
    return counts


def _compare_resolutions(viewer: Viewer, state: FilterState, window: Window) -> None:
    """Compare declarations and survey answers with repeat contacts, where both are known."""
    counts = _read_counts(viewer, state, window)
    caption = _(
        "First contacts with a statement and a complete repeat window. A repeat contact proves no "
        "failure; without one, success is not proven."
    )
    with cards.card(_describe_agreement(counts, window), caption, is_stretched=True):
        if not counts:
            return
        columns = (
            tables.name_column(
                _("Statement"), lambda item: _(TITLES[item.dimension, item.value]), 218
            ),
            tables.count_column("n", lambda item: int(item.row.n), 52),
            tables.percent_column(_("Repeat"), lambda item: item.share_back, 80),
            tables.percent_column(_("No repeat"), lambda item: 1 - item.share_back, 88),
            tables.text_column(_("95 % interval"), _describe_interval, 104),
            tables.text_column(_("Customer confirms"), _describe_confirmation, 120)
            if any(item.confirmed for item in counts)
            else None,
        )
        on_line = (
            (lambda item: drill.to_contacts({item.dimension: item.value}, REPEAT, window.tried))
            if drill.is_open_to(viewer)
            else None
        )
        tables.show(counts, columns, "agreement", on_line, room=tables.IN_SECTION)


def _describe_agreement(counts: list[ResolutionCounts], window: Window) -> str:
    """Describe how far declarations and repeats agree, no surer than the counts."""
    by = {(item.dimension, item.value): item for item in counts}
    yes, no = by.get(("declared", "yes")), by.get(("declared", "no"))
    if not yes:
        return _("Too few contacts with a statement to explain why the three rates differ")
    if no and yes.row.low <= no.row.high and no.row.low <= yes.row.high:
        return _("No clear link between advisors' declarations and repeat contacts")
    return _(
        "{back} of contacts declared resolved had a repeat contact within {days}",
        back=formatting.percent(yes.share_back, 0),
        days=formatting.days(window.days),
    )


def _describe_interval(item: ResolutionCounts) -> str:
    return formatting.interval(1 - item.row.high, 1 - item.row.low, "rate")


def _describe_confirmation(item: ResolutionCounts) -> str:
    if item.confirmed is None:
        return ""
    share, n = formatting.percent(item.confirmed.value, 0), formatting.number(item.confirmed.n)
    return _("{n} of {all}", n=share, all=n)


def _show_left_out(row: Any, answered: Any, window: Window) -> None:
    """Show which answered contacts could not be judged by repeat, and what would help.

    `row`, `answered`: rows of `measure` of the resolution by repeat, of answered contacts.
    """
    is_known = not (formatting.is_missing(row.pending) or formatting.is_missing(row.n))
    with cards.card(_("Left out of the measured resolution"), is_stretched=True, gap="xsmall"):
        _show_share(
            capitalise(_("pending")),
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
