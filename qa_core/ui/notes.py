"""What was going on, beside the trends: markers on their days, and the popover in which
people note it.
"""

from __future__ import annotations

import textwrap
from datetime import date

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import annotations
from qa_core.analysis.annotations import DayNote, Scope
from qa_core.analysis.charts import Marker
from qa_core.analysis.charts.labels import plain
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.metrics import dimensions, formatting, query
from qa_core.metrics.dimensions import Period
from qa_core.ui import cached, gate
from qa_core.ui.filter_bar import FilterState

WIDTH = 44
"""So many characters stand on one line of what a marker says."""


def find_marks(viewer: Viewer, look: FilterState, kpi: str) -> list[Marker]:
    """The notes on the days of the trends, and the changes of the rules behind that
    KPI.
    """
    notes = [
        Marker(
            note.first_day,
            note.last_day,
            _text(Period(note.first_day, note.last_day), describe(note)),
        )
        for note in cached.find_notes(viewer, look.trend)
    ]
    changes = [
        Marker(
            change.day,
            change.day,
            _text(Period(change.day, change.day), _describe_change(change)),
            is_change=True,
        )
        for change in cached.find_changes(viewer, look.trend.period, (kpi,))
    ]
    return [*notes, *changes]


def show_popover(viewer: Viewer, look: FilterState, key: str) -> None:
    """Add a note to the days of the trends, and take away those that are there; nothing
    for whoever may write none.
    """
    scopes = cached.find_note_scopes(viewer)
    if not scopes or look.last_day is None:
        return
    with st.popover(
        "",
        icon=":material/edit_calendar:",
        type="tertiary",
        help=_("Add a note"),
        key=f"note_{key}",
    ):
        ask(scopes, key, look.last_day)
        show_list(
            [note for note in cached.find_notes(viewer, look.trend) if note.is_mine_to_remove], key
        )


def ask(scopes: tuple[Scope, ...], key: str, day: date) -> None:
    """What happened, when, and where."""
    with st.form(f"note_form_{key}", border=False, clear_on_submit=True):
        told = _("Everybody who sees these figures can read it: no names of people.")
        title = st.text_input(
            _("What happened?"),
            max_chars=annotations.LONGEST_TITLE,
            help=told,
            key=f"note_title_{key}",
        )
        left, right = st.columns(2)
        first = left.date_input(_("From"), value=day, format="DD/MM/YYYY", key=f"note_from_{key}")
        last = right.date_input(_("To"), value=None, format="DD/MM/YYYY", key=f"note_to_{key}")
        titles = {scope: name_scope(scope) for scope in scopes}
        scope = (
            st.selectbox(_("Where?"), scopes, format_func=titles.get, key=f"note_scope_{key}")
            if len(scopes) > 1
            else scopes[0]
        )
        sent = st.form_submit_button(_("Add a note"), type="primary")
    if sent and first is not None:
        try:
            annotations.add(gate.current_viewer(Permission.EDIT_NOTES), title, first, last, *scope)
        except Refusal as refusal:
            gate.show_refusal(refusal)
            return
        st.rerun()


def show_list(notes: list[DayNote], key: str) -> None:
    """The notes, each with the way to take it away where that is the reader's to do."""
    for note in notes:
        with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="xxsmall"):
            days = formatting.period(Period(note.first_day, note.last_day))
            st.markdown(f"**{days}** {gate.escape(describe(note))}", width="stretch")
            if note.is_mine_to_remove:
                name = f"note_remove_{key}_{note.id}"
                st.button(
                    "",
                    icon=":material/delete:",
                    type="tertiary",
                    help=_("Remove the note"),
                    key=name,
                    on_click=_remove,
                    args=(note.id,),
                )


def describe(note: DayNote) -> str:
    """What the note says, and of what where it is not the whole centre."""
    return note.title if note.dimension is None else f"{note.title} ({name_scope(note.scope)})"


def name_scope(scope: Scope) -> str:
    """The whole centre, or a site, team or queue by its name."""
    dimension, name = scope
    return (
        _("The whole centre")
        if dimension is None
        else f"{_(dimensions.get_dimension(dimension).title)} {formatting.name(dimension, name)}"
    )


def _remove(number: int) -> None:
    annotations.remove(gate.current_viewer(Permission.EDIT_NOTES), number)


def _describe_change(change: query.Change) -> str:
    if change.is_grid:
        return _(
            "Grid {name}: version {before} → {after}",
            name=change.title,
            before=change.before,
            after=change.after,
        )
    return _(
        "Setting changed: {title}, {before} → {after}",
        title=_(change.title),
        before=change.before,
        after=change.after,
    )


def _text(period: Period, text: str) -> str:
    return "<br>".join(
        (f"<b>{formatting.period(period)}</b>", *map(plain, textwrap.wrap(text, WIDTH)))
    )
