"""One row of filters above every page that has them: drawn in the frame, kept in the
address, offered within the viewer's scope.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.i18n import _
from qa_core.metrics import dimensions, formatting, periods, query
from qa_core.metrics.dimensions import Filters, Period
from qa_core.metrics.kpis import BY_KEY
from qa_core.storage.records.base import now
from qa_core.ui import cached, menu, url_state
from qa_core.ui.plain import escape

ALWAYS = ("period", "from", "to", "compare")

MOST_BUTTONS = 14
"""Up to so many values are buttons; beyond, a list to search in."""

_LOOK, _PAGE = "look", "look_page"
_BEFORE = "look_before"
_MISSING = "-"
"""Stands for "not known" among the options."""


@dataclass(frozen=True)
class FilterState:
    """What the person looks at: filters with their period, what it is compared with,
    and the longer period of the trends.
    """

    where: Filters = field(default_factory=Filters)
    compare: Period | None = None
    period_title: str = ""
    compare_title: str = ""
    grain: str = "week"
    trend: Filters = field(default_factory=Filters)
    first_day: date | None = None
    last_day: date | None = None

    whole_until: date | None = None
    """The last day that is over, of those with data."""

    currency: str | None = None
    """That of all spend, where there is only one."""

    def currency_of(self, row: Any) -> str | None:
        """The currency of a row of `measure`, which says it only where there are
        several.
        """
        return getattr(row, "currency", None) or self.currency

    @property
    def is_cut_short(self) -> bool:
        """Whether the period goes on beyond the last day that is over, so that its
        totals are still growing.
        """
        return (
            self.whole_until is not None
            and self.where.period.is_bounded
            and self.where.period.last_day > self.whole_until
        )

    @property
    def has_data(self) -> bool:
        """Whether the lake holds anything at all."""
        return self.last_day is not None


def show(viewer: Viewer, page_key: str) -> None:
    """Draw the row for that page and remember what was chosen; called by the front
    door, before the page runs.
    """
    st.session_state[_LOOK] = FilterState()
    st.session_state[_PAGE] = page_key
    keep(_drawn(page_key))
    _widen(page_key)
    span = query.data_span(viewer)
    page = menu.find_page(page_key)
    if span is None or page.filters is None:
        url_state.write(page_key, {})
        return
    first_day, last_day = span
    dimensions = [
        dimension
        for dimension in page.filters
        if viewer.can_cut_by(dimension) and _fits(viewer, page_key, dimension)
    ]
    _take_address(page_key, dimensions)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="filter_bar"):
        period = _ask_period(viewer, first_day, last_day)
        compare_with = _ask_comparison() if page.has_comparison else "none"
        values = {dimension: _ask_values(viewer, dimension) for dimension in dimensions}
        if any(values.values()):
            st.button(
                _("Clear"),
                icon=":material/filter_alt_off:",
                type="tertiary",
                on_click=clear,
                help=_("Take the filters away"),
            )
    url_state.write(page_key, describe(page_key))
    compare = periods.build_comparison(compare_with, period)
    where = Filters.of(period, values)
    grain, trend = periods.build_trend(period, viewer.needs_suppression)
    st.session_state[_LOOK] = FilterState(
        where=where,
        compare=compare,
        period_title=formatting.period(period),
        compare_title=formatting.period(compare) if compare else "",
        grain=grain,
        trend=where.with_period(trend),
        first_day=first_day,
        last_day=last_day,
        whole_until=periods.last_whole_day(last_day, environment.to_local(now()).date()),
        currency=cached.find_currency(viewer) if viewer.can(Permission.SEE_TRACKING) else None,
    )


def _fits(viewer: Viewer, page_key: str, dimension: str) -> bool:
    """Whether what the page shows can be cut by that dimension: a page about one KPI
    has it in its address. What contacts there are, evaluators are not told.
    """
    if page_key != "explain":
        return True
    kpi = BY_KEY.get(st.query_params.get("kpi", ""))
    return viewer.can(Permission.SEE_CALL_STATISTICS) and (
        kpi is None or dimension in kpi.dimensions
    )


def share() -> dict[str, list[str]]:
    """What the row of this page says, for a link to the explanation of one of its
    figures; the period even where it is as usual, so that the other page takes all of
    it from the link.
    """
    page_key = st.session_state.get(_PAGE)
    if page_key is None or menu.find_page(page_key).filters is None:
        return {}
    said = describe(page_key) | {
        "period": [st.session_state.get("period") or periods.USUAL],
        "compare": [],
    }
    return {name: values for name, values in said.items() if values}


def _drawn(page_key: str) -> tuple[str, ...]:
    page = menu.find_page(page_key)
    if page.filters is None:
        return ()
    return *(name for name in ALWAYS if name != "compare" or page.has_comparison), *page.filters


def current() -> FilterState:
    """What the row above the page says."""
    return st.session_state.get(_LOOK, FilterState())


def show_title(title: str, period: Period | None = None) -> None:
    """The title of a page, and below it the days it is about: those of the row, or
    others.
    """
    look = current()
    with st.container(gap=None):
        st.title(title, anchor=False)
        if not look.has_data:
            return
        said = formatting.period(period) if period else look.period_title
        starts_late = (
            period is None
            and look.where.period.is_bounded
            and look.where.period.first_day < look.first_day
        )
        if starts_late:
            said = _(
                "{period}; there is data from {day} on",
                period=said,
                day=formatting.day(look.first_day, year=True),
            )
        elif period is None and look.compare:
            said = _("{period}, compared with {before}", period=said, before=look.compare_title)
        if period is None and look.is_cut_short:
            said = _(
                "{period}; whole days until {day}, totals are provisional",
                period=said,
                day=formatting.day(look.whole_until, year=True),
            )
        st.caption(said)


def choose_period(choice: str) -> None:
    """Callback: choose that period."""
    st.session_state["period"] = choice


def clear() -> None:
    """Callback: take away every filter on a dimension."""
    for dimension in menu.all_filters():
        if dimension in st.session_state:
            st.session_state[dimension] = []


def narrow(values: dict[str, Any]) -> None:
    """Callback: add values to the row, as a click on a chart or a table does, until the
    reader leaves the contacts for another page.
    """
    held = {dimension: st.session_state.get(dimension) or [] for dimension in values}
    chosen = {
        dimension: [_MISSING if value is None else str(value)]
        for dimension, value in values.items()
    }
    st.session_state[_BEFORE] = (held, chosen)
    st.session_state.update(chosen)


def _widen(page_key: str) -> None:
    """Undo what a click narrowed, where the reader did not change it since."""
    if page_key in ("contacts", "contact") or _BEFORE not in st.session_state:
        return
    held, chosen = st.session_state.pop(_BEFORE)
    for dimension, values in chosen.items():
        if st.session_state.get(dimension) == values:
            st.session_state[dimension] = held[dimension]


def keep(drawn: Collection[str] = ()) -> None:
    """Hold the row for later, but for what this run draws: Streamlit forgets a widget
    that a run does not draw.
    """
    for key in {*ALWAYS, *menu.all_filters()} - set(drawn):
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]


def _take_address(page_key: str, dimensions: Sequence[str]) -> None:
    """Where the address brings news, the widgets follow it; what it does not say is as
    usual.
    """
    given = url_state.read(page_key, (*ALWAYS, *dimensions))
    if given is None:
        return
    for key in ("period", "compare"):
        _set(key, given[key][0] if given.get(key) else None)
    for key in ("from", "to"):
        try:
            _set(key, date.fromisoformat(given[key][0]) if given.get(key) else None)
        except ValueError:
            _set(key, None)
    for key in dimensions:
        _set(key, given.get(key) or None)


def describe(page_key: str) -> dict[str, list[str]]:
    """The row as it stands, as the address of that page says it; empty lists for what
    is as usual.
    """
    held, page = st.session_state, menu.find_page(page_key)
    period, compare = held.get("period") or periods.USUAL, held.get("compare") or "previous"
    return {
        "period": [] if period == periods.USUAL else [period],
        **{
            key: [held[key].isoformat()] if period == "days" and held.get(key) else []
            for key in ("from", "to")
        },
        **{dimension: list(held.get(dimension) or []) for dimension in page.filters or ()},
        "compare": [compare] if page.has_comparison and compare != "previous" else [],
    }


def _set(key: str, value: Any) -> None:
    if value is not None:
        st.session_state[key] = value
    elif key in st.session_state:
        del st.session_state[key]


def _ask_period(viewer: Viewer, first_day: date, last_day: date) -> Period:
    titles = {key: _(title) for key, title in periods.choices(viewer).items()}
    held = st.session_state.get("period")
    if not held or not periods.is_known(held, viewer, last_day):
        held = periods.default(viewer)
    # Said on every run: a popover is built when it is first opened, and would take the
    # first option, of which the last run said nothing.
    st.session_state["period"] = held
    if held not in titles:
        titles[held] = (
            _(periods.MONTHS[held])
            if held in periods.MONTHS
            else formatting.month(date.fromisoformat(f"{held}-01"), year=True)
        )
    with st.popover(f":material/calendar_month: **{titles[held]}**"):
        st.radio(_("Period"), list(titles), format_func=titles.get, key="period")
        chosen: tuple[date, ...] = ()
        if held == "days":
            ends = (
                ("from", _("From"), max(first_day, last_day.replace(day=1))),
                ("to", _("To"), last_day),
            )
            chosen = tuple(_ask_day(key, title, day) for key, title, day in ends)
    return periods.build_period(held, last_day, first_day, chosen)


def _ask_day(key: str, title: str, default: date) -> date:
    st.session_state.setdefault(key, default)
    return st.date_input(title, key=key, format="DD/MM/YYYY") or default


def _ask_comparison() -> str:
    titles = {key: _(title) for key, title in periods.COMPARISONS.items()}
    held = st.session_state.get("compare")
    held = st.session_state["compare"] = held if held in titles else "previous"
    with st.popover(f":material/compare_arrows: **{titles[held]}**"):
        aligned = _(
            "The same days of the week: moved back by whole weeks, a year by 52 of them. Whole "
            "months are compared with whole months."
        )
        st.radio(
            _("Compare with"), list(titles), format_func=titles.get, key="compare", help=aligned
        )
    return held


def _ask_values(viewer: Viewer, dimension: str) -> tuple[str | None, ...]:
    found = [value for value, _count in cached.find_values(viewer, dimension)]
    titles = {
        key: formatting.name(dimension, None if key == _MISSING else key)
        for key in (_MISSING if value is None else str(value) for value in found)
    }
    # What is no longer offered (another viewer, a purged queue) must not stay as an
    # invisible filter.
    held = st.session_state[dimension] = [
        key for key in st.session_state.get(dimension) or [] if key in titles
    ]
    title = _(dimensions.get_dimension(dimension).title)
    with (
        st.popover(_name_chosen(title, [titles[key] for key in held]), disabled=not titles),
        st.container(width=320),
    ):
        if len(titles) <= MOST_BUTTONS:
            st.pills(
                title,
                list(titles),
                format_func=lambda key: escape(titles.get(key, key)),
                key=dimension,
                selection_mode="multi",
            )
        else:
            st.multiselect(
                title,
                list(titles),
                format_func=lambda key: titles.get(key, key),
                key=dimension,
                placeholder=_("All"),
            )
    return tuple(None if key == _MISSING else key for key in held)


def _name_chosen(title: str, chosen: Sequence[str]) -> str:
    """The dimension, and what of it was chosen: the first by name, the others counted."""
    if not chosen:
        return title
    first = escape(chosen[0] if len(chosen[0]) <= 24 else chosen[0][:23].rstrip() + "…")
    return _(
        "{title}: {chosen}",
        title=title,
        chosen=f"**{first}**" + (f" +{len(chosen) - 1}" if len(chosen) > 1 else ""),
    )
