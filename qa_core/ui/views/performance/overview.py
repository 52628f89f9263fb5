"""The Overview page: is the centre doing well, and what needs a look?"""

from collections.abc import Mapping, Sequence

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import attention
from qa_core.analysis.headline import FIRST, SECOND
from qa_core.analysis.series import Series
from qa_core.base.i18n import _
from qa_core.metrics.kpis import formatting, get_kpi
from qa_core.ui.frame import cached
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.performance import machines
from qa_core.ui.widgets import alert_banner, cards, drill, tables, trend_cards

WIDTHS = {
    "received": 68,
    "answer_rate": 74,
    "average_speed_of_answer": 60,
    "first_contact_resolution": 74,
    "csat": 74,
}
"""KPIs of the table of queues, with the widths of their columns in pixels."""


def show(viewer: Viewer, state: FilterState) -> None:
    """Show four tiles, the trend that matters most, and what needs a look; then the other
    tiles, and the queues.
    """
    keys = tuple(key for key in (*FIRST, *SECOND) if viewer.can(get_kpi(key).needs))
    rows = cached.headline(viewer, keys, state.where, state.compare)
    series = trend_cards.read_series(viewer, state, keys)
    tiles = [cards.build_tile(row, state, series[key]) for key, row in rows.items()]
    cards.show_tiles(tiles[: len(FIRST)])
    shown = max(series.values(), key=_measure_concern)
    if not _measure_concern(shown):
        usual = [series["answer_rate"], series["first_contact_resolution"]]
        shown = next((trend for trend in usual if trend.known_points), usual[0])
    left, right = st.columns([3, 2], gap="small")
    with left:
        trend_cards.show_trend(viewer, state, shown, height=300, has_title=True)
    with right:
        _show_attention(viewer, state, series)
    cards.show_tiles(tiles[len(FIRST) :])
    _show_queues(viewer, state, tuple(key for key in WIDTHS if key in rows))
    machines.offer(viewer, state)


def _measure_concern(series: Series) -> int:
    """Rank a trend by its points beyond the limit on the bad side, and its run there."""
    if series.finding.severity != "attention" or series.signals is None:
        return 0
    return max(series.signals.below, series.signals.above) * 10 + abs(series.signals.run)


def _show_attention(viewer: Viewer, state: FilterState, series: Mapping[str, Series]) -> None:
    """Show alerts, unusual trends and clear changes, the worse ones first."""
    found, hint = alert_banner.find(viewer, state, series, cached.find_alerts(viewer))
    with cards.card(found.heading, hint, is_stretched=True):
        alert_banner.show_open(viewer, found.alerts)
        if found.more:
            with st.expander(escape(attention.describe_more(len(found.more)))):
                alert_banner.show_open(viewer, found.more)
        for trend in found.trends:
            title, text = formatting.short_title(trend.kpi), escape(trend.finding.text)
            st.markdown(f":orange[:material/error:] **{title}** – {text}")
        alert_banner.show_items(viewer, found.items)


def _show_queues(viewer: Viewer, state: FilterState, keys: Sequence[str]) -> None:
    if not state.may_cut(viewer, "queue"):
        cards.show_one_cut(_("Queues"))
        return
    by = tables.index_rows(cached.measure(viewer, keys, ("queue",), state.where), "queue")
    queues = tables.largest_first(by, "received")
    on_line = drill.on_value(viewer, "queue")
    columns = (
        tables.dimension_column("queue", 140),
        *(
            tables.kpi_column(key, lambda queue, key=key: by[queue][key], WIDTHS[key])
            for key in keys
        ),
    )
    with cards.card(_("Queues"), is_stretched=True):
        columns = tables.drop_empty(columns, queues)
        tables.show(queues, columns, "table_overview_queue", on_line, height=330)
        with tables.show_foot():
            tables.show_definitions(keys, state)
