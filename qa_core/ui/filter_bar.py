"""One row of filters above every page that has them: drawn in the frame, kept in the address, offered within the viewer's scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import streamlit as st

from qa_core import figures, query, slices, spans, wording
from qa_core.access import Permission, Viewer
from qa_core.slices import Filters, Period
from qa_core.ui import cached
from qa_core.wording import _

PAGES: dict[str, tuple[str, ...]] = {
    "overview": ("channel", "queue", "team", "reason", "campaign"),
    "first_contact": ("channel", "queue", "team", "reason", "campaign"),
    "satisfaction": ("channel", "queue", "reason", "campaign"),
    "sources": ("source", "campaign"),
    "advisors": ("channel", "queue", "team", "reason", "campaign"),
    "my_quality": ("channel", "queue", "reason"),
    "contacts": ("channel", "queue", "team", "reason", "campaign"),
}
"""The pages that have the row, and the dimensions they filter by, besides period and comparison."""
WITHOUT_COMPARISON = frozenset({"contacts"})

WIDTH = 112
"""Of one field, in pixels: seven in a row beside the menu on a small laptop, three on a phone."""

_LOOK = "look"
_MISSING = "-"
"""Stands for "not known" among the options."""


@dataclass(frozen=True)
class Look:
    """What the person looks at: filters with their period, what it is compared with, and the longer period of the trends."""

    where: Filters = Filters()
    compare: Period | None = None
    period_title: str = ""
    compare_title: str = ""
    grain: str = "week"
    trend: Filters = Filters()
    first_day: date | None = None
    last_day: date | None = None

    currency: str | None = None
    """That of all spend, where there is only one."""

    def currency_of(self, row: Any) -> str | None:
        """The currency of a row of `measure`, which says it only where there are several."""
        return getattr(row, "currency", None) or self.currency

    @property
    def has_data(self) -> bool:
        """Whether the lake holds anything at all."""
        return self.last_day is not None


def show(viewer: Viewer, page_key: str) -> None:
    """Draw the row for that page and remember what was chosen; called by the front door, before the page runs."""
    st.session_state[_LOOK] = Look()
    cached.look_up_version()
    _keep_undrawn(page_key)
    span = query.data_span(viewer)
    if span is None or page_key not in PAGES:
        return
    first_day, last_day = span
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall", key="filter_bar"):
        period = _ask_period(viewer, first_day, last_day)
        compare_with = "none" if page_key in WITHOUT_COMPARISON else _ask_comparison()
        values = {dimension: _ask_values(viewer, dimension) for dimension in PAGES[page_key] if viewer.can_cut_by(dimension)}
    compare = spans.build_comparison(compare_with, period)
    where = Filters.of(period, values)
    grain, trend = spans.build_trend(period, viewer.needs_suppression)
    st.session_state[_LOOK] = Look(
        where=where,
        compare=compare,
        period_title=figures.period(period),
        compare_title=figures.period(compare) if compare else "",
        grain=grain,
        trend=where.with_period(trend),
        first_day=first_day,
        last_day=last_day,
        currency=cached.find_currency(viewer) if viewer.can(Permission.SEE_TRACKING) else None,
    )


def current() -> Look:
    """What the row above the page says."""
    return st.session_state.get(_LOOK, Look())


def show_title(title: str) -> None:
    """The title of a page, and beside it the days it is about."""
    look = current()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        st.title(title, anchor=False, width="content")
        if look.has_data:
            compared = _("{period}, compared with {before}", period=look.period_title, before=look.compare_title) if look.compare else look.period_title
            st.caption(compared, width="content")


def show_all_data() -> None:
    """Callback: choose the whole of the data, without filters."""
    clear()
    st.session_state["period"] = "12m" if "period" in st.session_state and st.session_state["period"] in spans.MONTHS else "all"


def clear() -> None:
    """Callback: take away every filter on a dimension."""
    for dimension in {name for names in PAGES.values() for name in names}:
        if dimension in st.session_state:
            st.session_state[dimension] = []


def narrow(values: dict[str, Any], whole: bool = False) -> None:
    """Callback: add values to the row, as a click on a chart or a table does; `whole` takes all data as the period."""
    for dimension, value in values.items():
        st.session_state[dimension] = [_MISSING if value is None else value]
    if whole:
        st.session_state["period"] = "all"


def _keep_undrawn(page_key: str) -> None:
    """Streamlit forgets a widget that a run does not draw; the filters of other pages shall be there again when the reader comes back."""
    drawn = {"period", "from", "to", "compare", *PAGES[page_key]} if page_key in PAGES else set()
    if page_key in WITHOUT_COMPARISON:
        drawn.discard("compare")
    for key in {"period", "from", "to", "compare", *(name for names in PAGES.values() for name in names)} - drawn:
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]


def _ask_period(viewer: Viewer, first_day: date, last_day: date) -> Period:
    titles = spans.choices(viewer)
    default = spans.default(viewer)
    options = list(titles)
    _understand("period", titles)
    choice = st.selectbox(
        _("Period"), options, index=options.index(default), format_func=lambda key: _(titles[key]), key="period", bind="query-params", width=WIDTH
    )
    chosen: tuple[date, ...] = ()
    if choice == "days":
        ends = (("from", _("From"), max(first_day, last_day.replace(day=1))), ("to", _("To"), last_day))
        chosen = tuple(_ask_day(key, title, day) for key, title, day in ends)
    return spans.build_period(choice if choice in titles else default, last_day, first_day, chosen)


def _ask_day(key: str, title: str, default: date) -> date:
    return st.date_input(title, value=default, key=key, bind="query-params", format="DD/MM/YYYY", width=WIDTH) or default


def _ask_comparison() -> str:
    titles = spans.COMPARISONS
    _understand("compare", titles)
    choice = st.selectbox(_("Compare with"), list(titles), format_func=lambda key: _(titles[key]), key="compare", bind="query-params", width=WIDTH)
    return choice if choice in titles else "previous"


def _ask_values(viewer: Viewer, dimension: str) -> tuple[str | None, ...]:
    found = [value for value, _count in cached.find_values(viewer, dimension)]
    options = [_MISSING if value is None else str(value) for value in found]
    titles = {key: figures.name(dimension, None if key == _MISSING else key) for key in options}
    _understand(dimension, figures.CHANNELS if dimension == "channel" else titles, many=True)
    held = st.session_state.get(dimension)
    if held:
        # What is no longer offered (another viewer, a purged queue) must not stay as an invisible filter.
        st.session_state[dimension] = [key for key in held if key in titles]
    chosen = st.multiselect(
        _(slices.get_dimension(dimension).title),
        options,
        format_func=lambda key: titles.get(key, key),
        key=dimension,
        bind="query-params",
        placeholder=_("All"),
        wrap=False,
        width=WIDTH,
    )
    return tuple(None if key == _MISSING else key for key in chosen if key in titles)


def _understand(key: str, titles: Mapping[str, str], many: bool = False) -> None:
    """Streamlit keeps the shown title in the address; an address sent by somebody who reads the other language means the same."""
    given = st.query_params.get_all(key)
    if key in st.session_state or not given:
        return
    spoken, meant = wording.language(), {}
    for language in wording.LANGUAGES:
        wording.use(language)
        meant |= {_(title): name for name, title in titles.items()}
    wording.use(spoken)
    if all(text in meant for text in given) and [_(titles[meant[text]]) for text in given] != given:
        st.session_state[key] = [meant[text] for text in given] if many else meant[given[0]]
