"""The action list of irritants: who sees to what until when, how far they are, and what
came of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.irritants import action_list, texts
from qa_core.analysis.irritants.action_list import (
    LONGEST_NOTE,
    OPEN,
    ActionEntry,
    ActionPlan,
    ActionState,
)
from qa_core.analysis.irritants.subject import Count
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _, ngettext
from qa_core.metrics import formatting
from qa_core.ui import cached, cards, download_links, gate, tables
from qa_core.ui.filter_bar import FilterState
from qa_core.ui.views.performance import irritant_examples

TABLE, CHOSEN, HELD, OUTCOME = (
    "table_action_list",
    "action_chosen",
    "action_versions",
    "action_outcome",
)


def show(viewer: Viewer, look: FilterState) -> tuple[ActionEntry, ...]:
    """The list, where there is one, with the entry chosen; returns the entries."""
    if said := st.session_state.pop(OUTCOME, None):
        st.success(said, icon=":material/check:")
    entries = action_list.find_entries(viewer)
    if not entries:
        return ()
    chosen = next((entry for entry in entries if entry.id == st.session_state.get(CHOSEN)), None)
    with st.container(border=True, gap="xxsmall"):
        count = sum(entry.state in OPEN for entry in entries)
        late = sum(entry.is_late for entry in entries)
        text = ngettext("Action list: {n} open", "Action list: {n} open", count) + (
            " · " + ngettext("{n} late", "{n} late", late) if late else ""
        )
        cards.show_heading(
            ChartTitle(text, "attention" if late else ""),
            _("Before and since it was taken in hand, eight weeks each, in what you may see."),
        )
        _show_table(viewer, entries)
        download_links.show_download(_("Export"), "irritants")
    if chosen is not None:
        _show_entry(viewer, look, chosen)
    return entries


def choose(number: int) -> None:
    """Callback: show that entry in full, as it is now."""
    st.session_state[CHOSEN] = number
    st.session_state.setdefault(HELD, {}).pop(number, None)


def describe(text: str) -> None:
    """Say that above the list on the next run."""
    st.session_state[OUTCOME] = text


def _show_table(viewer: Viewer, entries: Sequence[ActionEntry]) -> None:
    head, state, owner, due = _("Irritant"), _("State"), _("Owner"), _("Due")
    before, since, change = _("Before"), _("Since"), _("Change")
    rows, follows = [], any(entry.in_hand_on for entry in entries) and not viewer.needs_suppression
    for entry in entries:
        row: dict[str, Any] = {
            head: texts.title(entry.subject),
            state: _(texts.STATES[entry.state]),
        }
        if not viewer.needs_suppression:
            row[owner] = entry.owner_name
        row[due] = (
            (("⚠ " if entry.is_late else "") + formatting.day(entry.due_on, year=True))
            if entry.due_on
            else None
        )
        if follows:
            counts = _follow(viewer, entry)
            row |= {
                before: texts.describe_count(counts[0]),
                since: texts.describe_count(counts[1]),
                change: texts.describe_change(counts[1], counts[0]),
            }
        rows.append(row)
    config = {
        head: st.column_config.TextColumn(head, width=208),
        state: st.column_config.TextColumn(state, width=96),
        owner: st.column_config.TextColumn(owner, width=132),
        due: st.column_config.TextColumn(due, width=110),
        before: st.column_config.TextColumn(before, width=128),
        since: st.column_config.TextColumn(since, width=128),
        change: st.column_config.TextColumn(change, width=210),
    }

    def take() -> None:
        cells = st.session_state[TABLE]["selection"]["cells"]
        if cells:
            choose(entries[cells[0][0]].id)

    tables.show(rows, config, TABLE, take, height=300)


def _follow(viewer: Viewer, entry: ActionEntry) -> tuple[Count | None, Count | None]:
    if entry.in_hand_on is None:
        return None, None
    return cached.find_follow_up(viewer, entry.subject, entry.filters, entry.in_hand_on)


def _show_entry(viewer: Viewer, look: FilterState, entry: ActionEntry) -> None:
    with st.container(border=True, gap="xsmall"):
        cards.show_heading(
            ChartTitle(texts.title(entry.subject)),
            " · ".join(filter(None, (texts.describe_filters(entry), ", ".join(entry.teams)))),
        )
        left, right = st.columns(2, gap="medium")
        with left:
            if entry.may_change:
                _ask_plan(viewer, entry)
            elif not viewer.needs_suppression:
                _show_plan(entry)
        with right:
            _show_history(entry)
            irritant_examples.show(
                viewer, entry.subject, entry.filters.with_period(look.where.period), "entry"
            )


def _ask_plan(viewer: Viewer, entry: ActionEntry) -> None:
    """The form; it is filled and sent as of the version that was shown first, whatever
    others do meanwhile.
    """
    held = st.session_state.setdefault(HELD, {}).setdefault(entry.id, entry.version)
    owners = action_list.find_owners(viewer, entry)
    options: list[str | None] = [None, *owners]
    key = f"{entry.id}_{held}"
    with st.form(f"action_{key}", border=False):
        one, two = st.columns(2, gap="small")
        states = list(ActionState)
        state = one.selectbox(
            _("State"),
            states,
            index=states.index(entry.state),
            format_func=lambda name: _(texts.STATES[name]),
            key=f"state_{key}",
        )
        due = two.date_input(_("Due"), entry.due_on, format="DD/MM/YYYY", key=f"due_{key}")
        place = options.index(entry.owner)
        owner = st.selectbox(
            _("Owner"),
            options,
            index=place,
            format_func=lambda name: owners.get(name) or _("Nobody"),
            key=f"owner_{key}",
        )
        note = st.text_area(
            _("Note"),
            entry.note,
            max_chars=LONGEST_NOTE,
            height=90,
            key=f"note_{key}",
            help=_("Seen by whoever sees the entry. No names of customers."),
        )
        if not st.form_submit_button(_("Save"), type="primary", icon=":material/save:"):
            return
    st.session_state[HELD].pop(entry.id, None)
    try:
        action_list.change_entry(
            gate.current_viewer(Permission.MANAGE_IRRITANTS),
            entry.id,
            held,
            ActionPlan(ActionState(state), owner, due, note.strip()),
        )
    except Refusal as refusal:
        gate.show_refusal(refusal)
        st.button(_("Show it as it is now"), key=f"again_{key}")
        return
    describe(_("Saved."))
    st.rerun()


def _show_plan(entry: ActionEntry) -> None:
    due = formatting.day(entry.due_on, year=True) if entry.due_on else "–"
    facts = {
        _("State"): _(texts.STATES[entry.state]),
        _("Owner"): entry.owner_name or _("Nobody"),
        _("Due"): due,
        _("Note"): entry.note or "–",
    }
    for name, value in facts.items():
        st.caption(name)
        st.text(value)


def _show_history(entry: ActionEntry) -> None:
    st.caption(_("History"))
    for step in reversed(entry.steps):
        said = [
            _(texts.STATES[step.state]),
            formatting.moment(environment.to_local(step.at)),
            step.by,
        ]
        st.text(" · ".join(filter(None, said)))
