"""Notes on days: markers on the trends, and the forms that add and remove them."""

import textwrap
from datetime import date

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import annotations
from qa_core.analysis.annotations import DayNote, Scope
from qa_core.analysis.charts import Marker
from qa_core.analysis.charts.labels import plain
from qa_core.base.i18n import N_, _
from qa_core.metrics import query
from qa_core.metrics.kpis import dimensions, formatting
from qa_core.ui.frame import cached, layout
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import actions

NO_NAMES = N_("Everyone who sees these figures can read it. Do not name people.")
MARKER_WIDTH = 44
"""Characters on one line of the text of a marker."""


def find_markers(viewer: Viewer, state: FilterState, kpi: str) -> list[Marker]:
    """Return the notes on the days of the trends, and the changes of that KPI's rules."""
    notes = [
        _build_marker(note.first_day, note.last_day, describe(note))
        for note in cached.find_notes(viewer, state.trend)
    ]
    changes = [
        _build_marker(change.day, change.day, _describe_change(change), is_change=True)
        for change in cached.find_changes(viewer, state.trend.period, (kpi,))
    ]
    return [*notes, *changes]


def show_popover(viewer: Viewer, state: FilterState, key: str) -> None:
    """Show the button that adds or removes notes on days, if the viewer may write any."""
    scopes = cached.find_note_scopes(viewer)
    if not scopes or state.last_day is None:
        return
    popover = st.popover(
        "",
        icon=":material/edit_calendar:",
        type="tertiary",
        help=_("Add a note"),
        key=f"note_{key}",
        on_change="rerun",
    )
    if popover.open:  # a page has many of them
        notes = cached.find_notes(viewer, state.trend)
        with popover:
            ask(scopes, key, state.last_day)
            show_list([note for note in notes if note.is_mine_to_remove], key)


def ask(scopes: tuple[Scope, ...], key: str, day: date) -> None:
    """Show the form of a new note."""
    with st.form(f"note_form_{key}", border=False, clear_on_submit=True):
        title = st.text_input(
            _("What happened?"),
            max_chars=annotations.MAX_TITLE,
            help=_(NO_NAMES),
            key=f"note_title_{key}",
        )
        left, right = st.columns(2)
        first = layout.ask_day(left, _("From"), day, f"note_from_{key}")
        last = layout.ask_day(right, _("To"), None, f"note_to_{key}")
        scope = scopes[0]
        if len(scopes) > 1:
            scope = st.selectbox(
                _("Where?"), scopes, format_func=name_scope, key=f"note_scope_{key}"
            )
        sent = st.form_submit_button(_("Add"), type="primary")
    if sent and first is not None:
        with actions.perform(Permission.EDIT_NOTES, "") as acting:
            annotations.add(acting, title, first, last, *scope)


def show_list(notes: list[DayNote], key: str) -> None:
    """Show notes, each with a button to remove it where the viewer may."""
    for note in notes:
        days = formatting.period(dimensions.Period(note.first_day, note.last_day))
        text = f"**{days}** {escape(describe(note))}"
        key_of_note, act = f"note_remove_{key}_{note.id}", (annotations.remove, note.id)
        actions.show_removable(
            text, key_of_note, note.is_mine_to_remove, Permission.EDIT_NOTES, *act
        )


def describe(note: DayNote) -> str:
    """Return the text of a note, with its scope where that is not the whole centre."""
    return note.title if note.dimension is None else f"{note.title} ({name_scope(note.scope)})"


def name_scope(scope: Scope) -> str:
    """Return the name of a site, team, queue or the whole centre."""
    dimension, name = scope
    if dimension is None:
        return _("The whole centre")
    return f"{formatting.dimension(dimension)} {formatting.name(dimension, name)}"


def _describe_change(change: query.Change) -> str:
    what = f"{_('Scorecard')} {change.title}" if change.is_grid else _(change.title)
    return _("{what}: {before} → {after}", what=what, before=change.before, after=change.after)


def _build_marker(first_day: date, last_day: date, text: str, is_change: bool = False) -> Marker:
    days = formatting.period(dimensions.Period(first_day, last_day))
    lines = map(plain, textwrap.wrap(text, MARKER_WIDTH))
    return Marker(first_day, last_day, "<br>".join((f"<b>{days}</b>", *lines)), is_change)
