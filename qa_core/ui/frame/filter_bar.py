"""The row of filters above a page: kept in the address, with the values that are within
the viewer's scope.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.i18n import _
from qa_core.metrics import query
from qa_core.metrics.kpis import BY_KEY, formatting, periods
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage.records.base import now
from qa_core.ui.frame import cached, layout, menu, url_state
from qa_core.ui.frame.markdown import escape
from qa_core.ui.frame.menu import MenuPage

ALWAYS = ("period", "from", "to", "compare")
PAGE_DEFAULT = "default"
"""Choice of a period: on every page the one that it opens on (`MenuPage.period`)."""

MAX_BUTTONS = 14
"""Number of values up to which they are buttons; beyond, a list to search in."""

_STATE, _PAGE = "filter_state", "filter_page"
_BEFORE = "filter_before"
"""What a link to single contacts or to an explanation replaced, and by what."""
_MISSING = "-"
"""Stands for "not known" among the options."""


@dataclass(frozen=True)
class FilterState:
    """The filters chosen, their period, the one compared with, and the longer one of trends."""

    where: Filters = field(default_factory=Filters)
    compare: Period | None = None
    period_title: str = ""
    compare_title: str = ""
    grain: str = "week"
    trend: Filters = field(default_factory=Filters)
    first_day: date | None = None
    last_day: date | None = None

    whole_until: date | None = None
    """Last day that is over, of those with data."""

    currency: str | None = None
    """Currency of all spend, where there is only one."""

    def currency_of(self, row: Any) -> str | None:
        """Return the currency of a row of `measure`, which has one only where there are
        several.
        """
        return getattr(row, "currency", None) or self.currency

    @property
    def is_cut_short(self) -> bool:
        """Return whether the period goes on beyond the last day that is over, so that its
        totals are still growing.
        """
        return (
            self.whole_until is not None
            and self.where.period.is_bounded
            and self.where.period.last_day > self.whole_until
        )

    def may_cut(self, viewer: Viewer, dimension: str) -> bool:
        """Return whether the viewer sees figures under these filters by that dimension."""
        return viewer.can_cut_by(dimension) and query.may_cut(viewer, self.where, dimension)

    def name_cuts(self, viewer: Viewer, offered: Iterable[str]) -> dict[str, str]:
        """Return the titles of the dimensions offered that `may_cut` allows."""
        return {key: formatting.dimension(key) for key in offered if self.may_cut(viewer, key)}

    @property
    def has_data(self) -> bool:
        return self.last_day is not None


def show(viewer: Viewer, page_key: str) -> None:
    """Draw the row of a page and keep what was chosen; for the front door, before the page."""
    st.session_state[_STATE] = FilterState()
    st.session_state[_PAGE] = page_key
    keep(_drawn(page_key))
    _widen(page_key)
    span = query.data_span(viewer)
    page = menu.find_page(page_key)
    if span is None or page.filters is None:
        url_state.write(page_key, {})
        return
    first_day, last_day = span
    if last_day < first_day:
        st.session_state[_STATE] = FilterState(first_day=first_day, last_day=last_day)
        return
    dimensions = [
        dimension
        for dimension in page.filters
        if viewer.can_cut_by(dimension)
        and _fits(viewer, page_key, dimension)
        and (dimension != "handled_by" or query.count_machine_contacts())
    ]
    _take_address(page_key, dimensions)
    asked = {
        name: st.session_state.get(name) or []
        if name in dimensions
        else st.query_params.get_all(name)
        for name in page.filters
    }
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="filter_bar"):
        period = _ask_period(viewer, page, first_day, last_day)
        compare_with = _ask_comparison() if page.has_comparison else "none"
        offered = cached.find_all_values(viewer, tuple(dimensions))
        values = {
            dimension: _ask_values(viewer, dimension, [value for value, _count in counts])
            for dimension, counts in offered.items()
        }
        if any(values.values()):
            symbol, text = "filter_alt_off", _("Remove the filters")
            layout.show_quiet_button(symbol, _("Clear"), "clear_filters", clear, help=text)
    _tell_left_out(asked)
    url_state.write(page_key, describe(page_key))
    compare = periods.build_comparison(compare_with, period)
    where = Filters.of(period, values)
    grain, trend = periods.build_trend(period, viewer.needs_suppression)
    st.session_state[_STATE] = FilterState(
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
    """Return whether what the page shows can be cut by that dimension. The page that explains
    has its KPI in the address; the values of contacts are hidden from evaluators there.
    """
    if page_key != "explain":
        return True
    kpi = BY_KEY.get(st.query_params.get("kpi", ""))
    return viewer.can(Permission.SEE_CALL_STATISTICS) and (
        kpi is None or dimension in kpi.dimensions
    )


def share() -> dict[str, list[str]]:
    """Return the row of this page as query parameters, for a link to the explanation of a
    figure. The period is in it even if nobody chose it, so that the other page takes
    the whole row from the link.
    """
    page = _find_page()
    if page is None:
        return {}
    params = describe(page.key) | {"period": [_find_period(page) or page.period], "compare": []}
    return {name: values for name, values in params.items() if values}


def _find_page() -> MenuPage | None:
    """Return the page that this run draws, if it has a row."""
    page_key = st.session_state.get(_PAGE)
    page = menu.find_page(page_key) if page_key else None
    return page if page and page.filters is not None else None


def _find_period(page: MenuPage) -> str:
    """Return the period that an address of that page has to name: the one chosen, or the
    one that this page opened on; empty if that page opens on it too.
    """
    selected, here = st.session_state.get("period") or PAGE_DEFAULT, _find_page()
    if selected != PAGE_DEFAULT:
        return selected
    return here.period if here and here.period != page.period else ""


def _drawn(page_key: str) -> tuple[str, ...]:
    page = menu.find_page(page_key)
    if page.filters is None:
        return ()
    return *(name for name in ALWAYS if name != "compare" or page.has_comparison), *page.filters


def current() -> FilterState:
    """Return what is chosen in the row above the page."""
    return st.session_state.get(_STATE, FilterState())


def show_title(title: str, period: Period | None = None) -> None:
    """Show the title of a page and its days (default: the period of the row)."""
    state = current()
    with st.container(gap=None):
        st.title(title, anchor=False)
        if not state.has_data:
            return
        if period:
            text = formatting.period(period)
        else:
            text = formatting.period_of_data(state.where.period, state.first_day, state.compare)
        if period is None and state.is_cut_short:
            text = _(
                "{period}; complete days until {day}, totals are provisional",
                period=text,
                day=formatting.day(state.whole_until, year=True),
            )
        st.caption(text)


def clear() -> None:
    """Callback: remove every filter on a dimension."""
    for dimension in menu.all_filters():
        if dimension in st.session_state:
            st.session_state[dimension] = []


def narrow(values: dict[str, Any]) -> None:
    """Callback of a click on a chart or a table: put values and the period of this page
    into the row, until the reader leaves the contacts for another page.
    """
    selected = {dimension: st.session_state.get(dimension) or [] for dimension in values}
    chosen = {
        dimension: [_MISSING if value is None else str(value)]
        for dimension, value in values.items()
    }
    if period := _find_period(menu.find_page("contacts")):
        selected["period"], chosen["period"] = st.session_state.get("period", PAGE_DEFAULT), period
    st.session_state[_BEFORE] = (selected, chosen)
    st.session_state.update(chosen)


def _widen(page_key: str) -> None:
    """Restore the filters that a link replaced, unless the reader has changed them."""
    if page_key in ("contacts", "contact", "explain") or _BEFORE not in st.session_state:
        return
    selected, chosen = st.session_state.pop(_BEFORE)
    for dimension, values in chosen.items():
        if st.session_state.get(dimension) == values:
            st.session_state[dimension] = selected[dimension]


def keep(drawn: Collection[str] = ()) -> None:
    """Keep the values of the row, except those that this run draws: Streamlit forgets a
    widget that a run does not draw.
    """
    for key in {*ALWAYS, *menu.all_filters()} - set(drawn):
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]


def _take_address(page_key: str, dimensions: Sequence[str]) -> None:
    """Set the widgets from the address where it brings news; what it leaves out is as
    usual. The period of a figure is not chosen by looking at its explanation.
    """
    given = url_state.read(page_key, (*ALWAYS, *dimensions))
    if given is None:
        return
    if page_key == "explain" and st.session_state.get("period") == PAGE_DEFAULT:
        replaced = {"period": given["period"][0]} if given.get("period") else {}
        selected, chosen = st.session_state.get(_BEFORE, ({}, {}))
        st.session_state[_BEFORE] = (selected | {"period": PAGE_DEFAULT}, chosen | replaced)
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
    """Return the row as query parameters of that page; empty lists for what is as usual."""
    selected, page = st.session_state, menu.find_page(page_key)
    period, compare = _find_period(page), selected.get("compare") or "previous"
    return {
        "period": [period] if period else [],
        **{
            key: [selected[key].isoformat()] if period == "days" and selected.get(key) else []
            for key in ("from", "to")
        },
        **{dimension: list(selected.get(dimension) or []) for dimension in page.filters or ()},
        "compare": [compare] if page.has_comparison and compare != "previous" else [],
    }


def _set(key: str, value: Any) -> None:
    if value is not None:
        st.session_state[key] = value
    elif key in st.session_state:
        del st.session_state[key]


def _ask_period(viewer: Viewer, page: MenuPage, first_day: date, last_day: date) -> Period:
    titles = dict(periods.choices(viewer))
    usual = periods.default(viewer, page.period)
    default = usual
    if not viewer.needs_suppression:
        default = PAGE_DEFAULT
        titles = {default: _("Page default: {period}", period=titles[usual]), **titles}
    selected = st.session_state.get("period")
    if selected not in titles and not (selected and periods.is_known(selected, viewer, last_day)):
        selected = default
    # Set on every run: a popover is built when it is first opened, and would take the
    # first option otherwise.
    st.session_state["period"] = selected
    if selected not in titles:
        titles[selected] = (
            periods.name(selected)
            if selected in periods.MONTHS
            else formatting.month(date.fromisoformat(f"{selected}-01"), year=True)
        )
    chosen_period = usual if selected == PAGE_DEFAULT else selected
    with st.popover(f":material/calendar_month: **{titles[chosen_period]}**"):
        st.radio(_("Period"), list(titles), format_func=titles.get, key="period")
        chosen: tuple[date, ...] = ()
        if selected == "days":
            ends = (
                ("from", _("From"), max(first_day, last_day.replace(day=1))),
                ("to", _("To"), last_day),
            )
            chosen = tuple(_ask_day(key, title, day) for key, title, day in ends)
    return periods.build_period(chosen_period, last_day, first_day, chosen)


def _ask_day(key: str, title: str, default: date) -> date:
    st.session_state.setdefault(key, default)
    return st.date_input(title, key=key, format="DD/MM/YYYY") or default


def _ask_comparison() -> str:
    titles = {key: _(title) for key, title in periods.COMPARISONS.items()}
    selected = st.session_state.get("compare")
    selected = st.session_state["compare"] = selected if selected in titles else "previous"
    with st.popover(f":material/compare_arrows: **{titles[selected]}**"):
        aligned = _(
            "The same weekdays, whole weeks earlier (52 weeks for a year). Whole months are "
            "compared with whole months."
        )
        st.radio(
            _("Compare with"), list(titles), format_func=titles.get, key="compare", help=aligned
        )
    return selected


def _ask_values(
    viewer: Viewer, dimension: str, values: Sequence[str | None]
) -> tuple[str | None, ...]:
    titles = {
        key: formatting.name(dimension, None if key == _MISSING else key)
        for key in (_MISSING if value is None else str(value) for value in values)
    }
    # What is no longer offered (another viewer, a purged queue) must not stay as an
    # invisible filter.
    selected = st.session_state[dimension] = [
        key for key in st.session_state.get(dimension) or [] if key in titles
    ]
    title = formatting.dimension(dimension)
    widget: dict[str, Any] = {"key": dimension}
    if viewer.needs_suppression:
        widget |= {"on_change": _keep_one, "args": (dimension, tuple(selected))}
    with (
        st.popover(_name_chosen(title, [titles[key] for key in selected]), disabled=not titles),
        st.container(width=320),
    ):
        if len(titles) <= MAX_BUTTONS:
            st.pills(
                title,
                list(titles),
                format_func=lambda key: escape(titles.get(key, key)),
                selection_mode="multi",
                **widget,
            )
        else:
            st.multiselect(
                title,
                list(titles),
                format_func=lambda key: titles.get(key, key),
                placeholder=_("All"),
                **widget,
            )
    return tuple(None if key == _MISSING else key for key in selected)


def _tell_left_out(asked: Mapping[str, Sequence[str]]) -> None:
    """Name the values of a link that the viewer cannot filter by: the figures count more than
    the link says.
    """
    left_out = [
        formatting.name(dimension, None if key == _MISSING else key)
        for dimension, keys in asked.items()
        for key in keys
        if key not in (st.session_state.get(dimension) or ())
    ]
    if left_out:
        names = formatting.listing(left_out)
        text = _("Not filtered by {names}: you see no such contacts.", names=names)
        st.info(escape(text), icon=":material/filter_alt_off:")


def _keep_one(dimension: str, before: tuple[str, ...]) -> None:
    """Callback: keep only the value just chosen, for viewers with one filter at a time."""
    chosen = [key for key in st.session_state[dimension] if key not in before]
    if chosen:
        clear()
        st.session_state[dimension] = chosen


def _name_chosen(title: str, chosen: Sequence[str]) -> str:
    """Return the dimension with its first chosen value and the number of others."""
    if not chosen:
        return title
    first = escape(chosen[0] if len(chosen[0]) <= 24 else chosen[0][:23].rstrip() + "…")
    return _(
        "{what}: {text}",
        what=title,
        text=f"**{first}**" + (f" +{len(chosen) - 1}" if len(chosen) > 1 else ""),
    )
