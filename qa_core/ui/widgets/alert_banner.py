"""All that needs a look on a page: alerts with their acknowledgement, and clear changes."""

from collections.abc import Mapping, Sequence
from datetime import date

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import alerts, attention
from qa_core.analysis.attention import AttentionItem
from qa_core.analysis.series import Series
from qa_core.base.i18n import N_, _
from qa_core.metrics.kpis import formatting, get_kpi
from qa_core.metrics.kpis.declaration import CONTACT_DIMENSIONS
from qa_core.ui.frame import cached, layout, menu
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import actions, cards, drill, sections

NO_COMPARISON = N_("Choose a comparison above to see what changed.")


def find(
    viewer: Viewer,
    state: FilterState,
    series: Mapping[str, Series],
    events: Sequence[alerts.Alert] = (),
    cuts: Sequence[str] = attention.CUTS,
) -> tuple[attention.Attention, str]:
    """Find what needs a look under the filters of the page, and say what was compared."""
    given = (state.where, state.compare, series, events, cached.measure_cuts, escape, cuts)
    found = attention.find_attention(viewer, *given)
    hint = _(NO_COMPARISON)
    if state.compare:
        hint = attention.describe_tried(state.compare_title, found.compared, found.tried)
    return found, hint


def show_items(viewer: Viewer, items: Sequence[AttentionItem]) -> None:
    """Show these items, each with a link to its contacts."""
    for position, item in enumerate(items):
        with layout.line():
            st.markdown(cards.ICONS[item.severity] + item.text, width="stretch")
            if drill.is_open_to(viewer):
                drill.show_arrow(f"look_{position}", dict(item.values), item.behind)


def show_open(viewer: Viewer, events: Sequence[alerts.Alert], with_rule: bool = False) -> None:
    """Show alerts that nobody acknowledged; `with_rule`: their rule and first day too."""
    for event in events:
        with layout.line():
            since = ""
            if with_rule:
                first = formatting.name(event.rule.grain, _format_start(event, event.first_day))
                rule = alerts.describe_rule(event.rule)
                text = _("Since: {first}. Rule: {rule}.", first=first, rule=rule)
                since = f"  \n:gray[{escape(text)}]"
            text = f":orange[:material/notifications_active:] {describe(viewer, event)}{since}"
            st.markdown(text, width="stretch")
            _show_link(viewer, event)
            if viewer.can(Permission.EDIT_ALERTS):
                key, permission = f"acknowledge_{event.id}", Permission.EDIT_ALERTS
                act = (actions.do, permission, alerts.acknowledge, event.id)
                layout.show_icon_button("check", _("Acknowledge"), key, *act)


def describe(viewer: Viewer, event: alerts.Alert) -> str:
    """Return one alert as markdown."""
    currency = cached.find_currency(viewer) if viewer.can(Permission.SEE_TRACKING) else None
    return (
        f"**{escape(alerts.describe_slice(event))}** – {escape(alerts.describe(event, currency))}"
    )


def _show_link(viewer: Viewer, event: alerts.Alert) -> None:
    """Show the link to the contacts, or to the page on that KPI if the viewer sees none."""
    kpi, values = get_kpi(event.rule.kpi), event.values
    is_month = event.rule.grain == "month"
    start = _format_start(event, event.period.first_day)
    if (
        drill.is_open_to(viewer)
        and kpi.subject == "contacts"
        and set(values) <= set(CONTACT_DIMENSIONS)
    ):
        drill.show_arrow(f"rung_{event.id}", values | {event.rule.grain: start}, kpi.key)
        return
    page = menu.find_page_explaining(kpi.needs)
    if page.is_open_to(viewer) and set(values) <= set(page.filters or ()):
        period = {"period": start} if is_month else {}
        address = values | period | sections.find_address(kpi.key)
        menu.show_page_link(page.key, symbol="arrow_forward", query=address)


def _format_start(event: alerts.Alert, day: date) -> str:
    return f"{day:%Y-%m}" if event.rule.grain == "month" else day.isoformat()
