"""Alerts as people meet them: what was found, the way to where to look, and taking note
of it.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import alerts
from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.metrics.kpis import get_kpi
from qa_core.metrics.kpis.declaration import CONTACT_DIMENSIONS
from qa_core.ui import cached, drill, gate, menu


def show_open(viewer: Viewer, found: Sequence[alerts.Alert], with_rule: bool = False) -> None:
    """Alerts that nobody looks after yet, each with the way to where to look;
    `with_rule`: and with what made it ring since when.
    """
    for event in found:
        with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="xxsmall"):
            told = f"  \n:gray[{_describe_since(event)}]" if with_rule else ""
            st.markdown(
                f":orange[:material/notifications_active:] {describe(viewer, event)}{told}",
                width="stretch",
            )
            _show_way(viewer, event)
            if viewer.can(Permission.EDIT_ALERTS):
                key = f"acknowledge_{event.id}"
                st.button(
                    "",
                    icon=":material/check:",
                    key=key,
                    type="tertiary",
                    help=_("Acknowledge"),
                    on_click=_acknowledge,
                    args=(event.id,),
                )


def describe(viewer: Viewer, event: alerts.Alert) -> str:
    """One alert as markdown; names of places and values are shown letter by letter."""
    currency = cached.find_currency(viewer) if viewer.can(Permission.SEE_TRACKING) else None
    return (
        f"**{gate.escape(alerts.describe_slice(event))}** – "
        f"{gate.escape(alerts.describe(event, currency))}"
    )


def _show_way(viewer: Viewer, event: alerts.Alert) -> None:
    """To the contacts behind it, for who may see single contacts; else to the page that
    tells more.
    """
    kpi, values = get_kpi(event.rule.kpi), event.values
    if (
        drill.is_open_to(viewer)
        and kpi.subject == "contacts"
        and set(values) <= set(CONTACT_DIMENSIONS)
    ):
        start = event.period.first_day
        span = {
            event.rule.grain: f"{start:%Y-%m}" if event.rule.grain == "month" else start.isoformat()
        }
        arguments, key = (values | span, kpi.key), f"rung_{event.id}"
        st.button(
            "",
            icon=":material/arrow_forward:",
            key=key,
            type="tertiary",
            help=_("Open the contacts"),
            on_click=drill.to_contacts,
            args=arguments,
        )
        return
    page = menu.find_page_explaining(kpi.needs)
    if page.is_open_to(viewer) and page.can_filter_by(set(values)):
        month = {"period": f"{event.period.first_day:%Y-%m}"} if event.rule.grain == "month" else {}
        st.page_link(
            page.path,
            label=_(page.title),
            icon=":material/arrow_forward:",
            query_params=values | month,
        )


def _describe_since(event: alerts.Alert) -> str:
    grain = event.rule.grain
    first = formatting.name(
        grain, f"{event.first_day:%Y-%m}" if grain == "month" else event.first_day
    )
    return gate.escape(
        _("Since: {first}. Rule: {rule}.", first=first, rule=alerts.describe_rule(event.rule))
    )


def _acknowledge(number: int) -> None:
    alerts.acknowledge(gate.current_viewer(Permission.EDIT_ALERTS), number)
