"""The link from a value to its explanation, and the parameters of that page."""

from collections.abc import Iterable, Mapping, Sequence

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base.i18n import N_, _
from qa_core.metrics.kpis import Kpi, dimensions, formatting, get_kpi, periods
from qa_core.ui.frame import filter_bar, menu, url_state

PAGE, TITLE = "explain", N_("Explain")
Extra = tuple[tuple[str, tuple[str | None, ...]], ...]
"""Dimensions beside the filter bar's, with the values kept (None: missing)."""


def show_link(
    kpi: str,
    values: Mapping[str, Sequence[str | None]] = {},
    label: str = "",
    help_text: str | None = None,
) -> None:
    """Show the link to the explanation of a KPI under this page's filters and these values."""
    chosen = {
        dimension: ["" if value is None else str(value) for value in kept]
        for dimension, kept in values.items()
    }
    st.page_link(
        menu.find_page(PAGE).path,
        label=f":gray[:material/function: :small[{label or _(TITLE)}]]",
        help=help_text,
        query_params={"kpi": kpi, **filter_bar.share(), **chosen},
    )


def read_kpi() -> Kpi:
    """Return the KPI of the address. Raises Misuse for an unknown one."""
    return get_kpi(st.query_params.get("kpi", "received"))


def read_extra(
    viewer: Viewer, page: str = PAGE, offered: Iterable[str] = dimensions.BY_KEY
) -> Extra:
    """Return what the address adds to the filter bar of that page, of the dimensions `offered`
    and without what is unknown.
    """
    filters = menu.find_page(page).filters
    known = [
        key
        for key in offered
        if key not in filters and key in st.query_params and viewer.can_cut_by(key)
    ]
    return tuple(
        (key, tuple(value or None for value in st.query_params.get_all(key))) for key in known
    )


def show_extra(extra: Extra) -> None:
    """Show what the address adds, as buttons that remove it."""
    for dimension, values in extra:
        names = formatting.listing(formatting.name(dimension, value) for value in values)
        label = _("{what}: {text}", what=formatting.dimension(dimension), text=names)
        url_state.show_removable(dimension, label)


def narrow(where: dimensions.Filters, extra: Extra) -> dimensions.Filters:
    """Return the filters with those that the address adds."""
    for dimension, values in extra:
        # A week or month that was clicked on may lie outside the period chosen above.
        period = periods.period_of(dimension, values[0]) if len(values) == 1 else None
        where = where.with_period(period) if period else where.with_value(dimension, *values)
    return where
