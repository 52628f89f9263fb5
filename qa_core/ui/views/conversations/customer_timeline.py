"""The time line of one customer around a contact: what else happened within 31 days, as
far as the reader may see it.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import charts
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import _, ngettext
from qa_core.metrics import formatting, query
from qa_core.metrics.query import ChainContact, CustomerHistory
from qa_core.storage.schema import NEIGHBOUR_DAYS
from qa_core.ui import cards, drill, tables
from qa_core.ui.views.performance.repeat_chains import describe_end


def show(viewer: Viewer, contact: dict[str, Any]) -> None:
    """The card; nothing where the customer is unknown or was in contact only once."""
    history = query.find_history(viewer, contact["source_system"], contact["contact_id"])
    if len(history.links) + history.elsewhere < 2:
        return
    here = next(
        place
        for place, link in enumerate(history.links)
        if link.contact_id == contact["contact_id"]
        and link.source_system == contact["source_system"]
    )
    with st.container(border=True, gap="xxsmall"):
        cards.show_heading(_describe(history), _describe_scope(history))
        if len(history.links) < 2:
            return
        texts = [_format(link) for link in history.links]
        figure = charts.build_history(
            [link.local_start for link in history.links],
            [link.outcome == "answered" for link in history.links],
            texts,
            here,
            dark=cards.is_dark(),
        )
        cards.show_figure(figure, "history_line", "; ".join(texts))
        _show_table(viewer, history, here)


def _describe(history: CustomerHistory) -> ChartTitle:
    count = len(history.links) + history.elsewhere
    return ChartTitle(
        ngettext(
            "{n} contact of this customer within {days} days",
            "{n} contacts of this customer within {days} days",
            count,
            days=NEIGHBOUR_DAYS,
        )
    )


def _describe_scope(history: CustomerHistory) -> str:
    if not history.elsewhere:
        return _("Before and after this one, all in what you may see.")
    return ngettext(
        "Before and after this one; {n} lies beyond what you may see, and is only counted.",
        "Before and after this one; {n} lie beyond what you may see, and are only counted.",
        history.elsewhere,
    )


def _show_table(viewer: Viewer, history: CustomerHistory, here: int) -> None:
    now = history.links[here].local_start
    names_people = viewer.can_cut_by("advisor") and not viewer.advisor_id
    rows = [
        {
            _("Start"): link.local_start,
            _("From here"): _("this contact")
            if place == here
            else _distance((link.local_start - now).total_seconds()),
            _("Direction"): formatting.name("direction", link.direction or "inbound"),
            _("Channel"): formatting.name("channel", link.channel),
            _("Queue"): link.queue,
            _("Reason"): link.reason,
            **({_("Advisor"): link.advisor} if names_people else {}),
            _("Ended"): describe_end(link.outcome, link.declared_resolved),
            _("Talk"): None
            if link.talk_seconds is None
            else formatting.duration(link.talk_seconds),
        }
        for place, link in enumerate(history.links)
    ]

    # A table of its own for each contact: a line chosen in one is not chosen in the
    # next.
    key = f"history_{history.links[here].source_system}_{history.links[here].contact_id}"

    def open_row() -> None:
        cells = st.session_state[key]["selection"]["cells"]
        if cells and cells[0][0] != here:
            link = history.links[cells[0][0]]
            drill.to_neighbour(link.source_system, link.contact_id)

    config = {
        _("Start"): st.column_config.DatetimeColumn(
            _("Start"), format="DD/MM/YYYY HH:mm", width=130, pinned=True
        )
    }
    widths = {
        _("From here"): 120,
        _("Direction"): 90,
        _("Channel"): 90,
        _("Queue"): 150,
        _("Reason"): 130,
        _("Advisor"): 150,
        _("Ended"): 170,
        _("Talk"): 100,
    }
    config |= {
        title: st.column_config.TextColumn(title, width=width) for title, width in widths.items()
    }
    tables.show(rows, config, key, open_row, height=320)


def _distance(seconds: float) -> str:
    size = (
        formatting.days(round(abs(seconds) / 86_400))
        if abs(seconds) >= 2 * 86_400
        else formatting.duration(abs(seconds))
    )
    return (
        _("{duration} before", duration=size)
        if seconds < 0
        else _("{duration} later", duration=size)
    )


def _format(link: ChainContact) -> str:
    where = " · ".join(filter(None, (link.queue, link.reason)))
    return (
        f"{formatting.moment(link.local_start)}, "
        f"{describe_end(link.outcome, link.declared_resolved)}" + (f", {where}" if where else "")
    )
