"""Who listened to one's calls: one line per listening, with its purpose and the reason
that was given.
"""

from __future__ import annotations

import re

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base import environment
from qa_core.base.i18n import N_, _, ngettext
from qa_core.compliance import gates
from qa_core.compliance.recordings import playback_list
from qa_core.metrics import formatting
from qa_core.ui import cards, drill, tables

PURPOSES = {
    **gates.PURPOSE_TITLES,
    "targeted": N_("targeted listening"),
    "calibration": N_("calibration"),
}
BY_GRID = re.compile(r"(scored|targeted|calibration|self) (\d+)")
KINDS = {
    "scored": N_("evaluation no. {n}"),
    "targeted": N_("targeted evaluation no. {n}"),
    "calibration": N_("calibration no. {n}"),
}
"""A grid that is filled in beside the recording gives its kind and number as the
reason.
"""


def show(viewer: Viewer) -> None:
    """The listenings of others to the viewer's own calls; a click opens the contact."""
    entries = playback_list.find_own(viewer)
    with st.container(border=True, gap="xxsmall", key="own_listenings"):
        title = (
            ngettext(
                "Your calls were listened to {n} time",
                "Your calls were listened to {n} times",
                len(entries),
            )
            if entries
            else _("Who listened to me")
        )
        cards.show_heading(
            ChartTitle(title),
            _(
                "Each time that somebody played one of your recordings. Click a line to open "
                "the contact."
            ),
        )
        if not entries:
            st.caption(_("Nobody has played a recording of yours."))
            return

        def open_row() -> None:
            cells = st.session_state["own_listenings_table"]["selection"]["cells"]
            if cells:
                entry = entries[cells[0][0]]
                drill.to_contact("my_quality", entry.source_system, entry.contact_id)

        rows = [
            {
                _("Listened on"): formatting.moment(environment.to_local(entry.played_at)),
                _("Listened by"): entry.listener,
                _("Contact of"): formatting.day(entry.local_day, year=True),
                _("For"): _(PURPOSES.get(entry.purpose, entry.purpose)),
                _("Reason"): _describe_reason(entry.reason),
            }
            for entry in entries
        ]
        tables.show(rows, {}, "own_listenings_table", open_row, height=320)


def _describe_reason(reason: str) -> str:
    match = BY_GRID.fullmatch(reason)
    return _(KINDS[match[1]], n=match[2]) if match and match[1] in KINDS else reason
