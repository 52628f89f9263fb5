"""The way to what stands behind a value: a quiet link, and what the address it leads to
says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _
from qa_core.metrics import dimensions, periods
from qa_core.metrics.dimensions import Filters
from qa_core.metrics.kpis import Kpi, get_kpi
from qa_core.ui import filter_bar, menu

PAGE = "explain"
Extra = tuple[tuple[str, tuple[str | None, ...]], ...]
"""Dimensions beside those of the row of filters, and the values kept (None: missing)."""


def show_link(
    kpi: str,
    values: Mapping[str, Sequence[str | None]] = {},
    label: str = "",
    help_text: str | None = None,
) -> None:
    """A link to the explanation of that KPI under the filters of this page, and these
    besides; `help_text` shows when it is pointed at.
    """
    besides = {
        dimension: ["" if value is None else str(value) for value in chosen]
        for dimension, chosen in values.items()
    }
    parameters = {"kpi": kpi, **filter_bar.share(), **besides}
    said = label or _("Explain")
    st.page_link(
        menu.find_page(PAGE).path,
        label=f":gray[:small[{said}]]",
        icon=":material/function:",
        help=help_text,
        query_params=parameters,
    )


def read_kpi() -> Kpi:
    """The KPI that the address names. Raises Misuse for an unknown one."""
    return get_kpi(st.query_params.get("kpi", "received"))


def read_extra(viewer: Viewer) -> Extra:
    """What the address adds to the row of filters; what is unknown there is passed
    over.
    """
    known = [
        key
        for key in dimensions.BY_KEY
        if key not in menu.find_page(PAGE).filters
        and key in st.query_params
        and viewer.can_cut_by(key)
    ]
    return tuple(
        (key, tuple(value or None for value in st.query_params.get_all(key))) for key in known
    )


def narrow(where: Filters, extra: Extra) -> Filters:
    """The filters of the row with those that the address adds."""
    for dimension, values in extra:
        # A week or month that was clicked on may lie outside the period chosen above.
        period = periods.period_of(dimension, values[0]) if len(values) == 1 else None
        where = where.with_period(period) if period else where.with_value(dimension, *values)
    return where
