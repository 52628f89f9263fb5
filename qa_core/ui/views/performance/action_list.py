"""The action list of irritants: owner, due date, state and outcome of each entry."""

from collections.abc import Sequence

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.irritants import action_list, detection, texts
from qa_core.analysis.irritants.action_list import ActionEntry, ActionPlan, ActionState
from qa_core.analysis.irritants.detection import Example
from qa_core.analysis.irritants.subject import Count, IrritantSubject
from qa_core.base.i18n import _, ngettext
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.ui.frame import cached, layout, open_once
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import actions, cards, download_links, drill, notes, tables

TABLE, CHOSEN = "table_action_list", "action_chosen"
SEEN = "action_versions"
"""Version of each entry that its form was filled from, by number of the entry."""
REQUESTED, READ = "irritant_examples", "irritant_read"


def show(viewer: Viewer, state: FilterState) -> tuple[ActionEntry, ...]:
    """Show the list and its chosen entry, if there are any entries; return them."""
    entries = action_list.find_entries(viewer)
    if not entries:
        return ()
    chosen = next((entry for entry in entries if entry.id == st.session_state.get(CHOSEN)), None)
    count = sum(entry.state in action_list.OPEN for entry in entries)
    late = sum(entry.is_late for entry in entries)
    text = ngettext("Action list: {n} open", "Action list: {n} open", count)
    if late:
        text += " · " + ngettext("{n} overdue", "{n} overdue", late)
    hint = _("Eight weeks before and eight weeks since it was taken in hand, within your scope.")
    with cards.card(ChartTitle(text, "attention" if late else ""), hint):
        _show_table(viewer, entries)
        download_links.show_download("irritants")
    if chosen is not None:
        _show_entry(viewer, state, chosen)
    return entries


def choose(number: int) -> None:
    """Callback: show that entry in full, as it is now."""
    st.session_state[CHOSEN] = number
    st.session_state.setdefault(SEEN, {}).pop(number, None)


def _show_table(viewer: Viewer, entries: Sequence[ActionEntry]) -> None:
    has_counts = any(entry.in_hand_on for entry in entries) and not viewer.needs_suppression
    counts = {entry.id: _find_counts(viewer, entry) for entry in entries if has_counts}
    columns: list[tables.TableColumn | None] = [
        tables.text_column(_("Irritant"), lambda entry: texts.describe_subject(entry.subject), 222),
        tables.text_column(_("State"), lambda entry: _(texts.STATES[entry.state]), 96),
        None
        if viewer.needs_suppression
        else tables.text_column(_("Owner"), lambda entry: entry.owner_name, 134),
        tables.text_column(_("Due"), _describe_due, 102),
    ]
    if has_counts:
        columns += [
            tables.number_text_column(
                _("Before"), lambda entry: texts.describe_count(counts[entry.id][0]), 119
            ),
            tables.number_text_column(
                _("Since"), lambda entry: texts.describe_count(counts[entry.id][1]), 119
            ),
            tables.number_text_column(
                _("Change (pts)"), lambda entry: texts.mark_change(*reversed(counts[entry.id])), 84
            ),
        ]
    tables.show(entries, columns, TABLE, lambda entry: choose(entry.id), height=300)


def _describe_due(entry: ActionEntry) -> str | None:
    if entry.due_on is None:
        return None
    return ("⚠ " if entry.is_late else "") + formatting.day(entry.due_on, year=True)


def _find_counts(viewer: Viewer, entry: ActionEntry) -> tuple[Count | None, Count | None]:
    if entry.in_hand_on is None:
        return None, None
    return cached.find_follow_up(viewer, entry.subject, entry.filters, entry.in_hand_on)


def _show_entry(viewer: Viewer, state: FilterState, entry: ActionEntry) -> None:
    change = texts.describe_change(*reversed(_find_counts(viewer, entry)))
    text = _("{change} since it was taken in hand", change=change) if change else ""
    scope = (texts.describe_filters(entry), ", ".join(entry.teams), text)
    hint = " · ".join(filter(None, scope))
    with cards.card(texts.describe_subject(entry.subject), hint, gap="xsmall"):
        left, right = st.columns(2, gap="medium")
        with left:
            if entry.may_change:
                _ask_plan(viewer, entry)
            elif not viewer.needs_suppression:
                _show_plan(entry)
        with right:
            _show_history(entry)
            where = entry.filters.with_period(state.where.period)
            show_examples(viewer, entry.subject, where, "entry")


def _ask_plan(viewer: Viewer, entry: ActionEntry) -> None:
    """Show the form for the version that was shown first."""
    version = st.session_state.setdefault(SEEN, {}).setdefault(entry.id, entry.version)
    names = {None: _("Nobody"), **action_list.find_owners(viewer, entry)}
    states = {state: _(texts.STATES[state]) for state in ActionState}
    key = f"{entry.id}_{version}"
    with st.form(f"action_{key}", border=False):
        left, right = st.columns(2, gap="small")
        chosen = layout.select(left, _("State"), states, f"state_{key}", entry.state)
        due = layout.ask_day(right, _("Due"), entry.due_on, f"due_{key}")
        owner = layout.select(st, _("Owner"), names, f"owner_{key}", entry.owner)
        note = st.text_area(
            _("Note"),
            entry.note,
            max_chars=action_list.MAX_NOTE,
            height=90,
            key=f"note_{key}",
            help=_(notes.NO_NAMES),
        )
        if not st.form_submit_button(_("Save"), type="primary", icon=":material/save:"):
            return
    st.session_state[SEEN].pop(entry.id, None)
    plan = ActionPlan(ActionState(chosen), owner, due, note.strip())
    with actions.perform(Permission.MANAGE_IRRITANTS) as acting:
        action_list.change_entry(acting, entry.id, version, plan)
    st.button(_("Show the current version"), key=f"again_{key}")


def _show_plan(entry: ActionEntry) -> None:
    facts = {
        _("State"): _(texts.STATES[entry.state]),
        _("Owner"): entry.owner_name or _("Nobody"),
        _("Due"): formatting.day(entry.due_on, year=True) if entry.due_on else "–",
        _("Note"): entry.note or "–",
    }
    for name, value in facts.items():
        st.caption(name)
        st.text(value)


def _show_history(entry: ActionEntry) -> None:
    st.caption(_("History"))
    for step in reversed(entry.steps):
        moment = formatting.local_moment(step.at)
        st.text(" · ".join(filter(None, (_(texts.STATES[step.state]), moment, step.by))))


def show_examples(viewer: Viewer, subject: IrritantSubject, where: Filters, key: str) -> None:
    """Show up to five examples on demand; nothing for a viewer who reads no remarks."""
    if not query.may_read_remarks(viewer):
        return
    requested = (key, subject.key, where)
    if st.session_state.get(REQUESTED) != requested:
        title, act = _("Examples"), (st.session_state.update, {REQUESTED: requested})
        layout.show_button("format_quote", title, f"examples_{key}", *act)
        return
    acts = (detection.read_examples, detection.find_examples)
    examples = open_once.read(READ, requested, *acts, viewer, subject, where)
    if not examples:
        st.caption(_("No unhappy customer wrote about it in this period."))
        return
    for position, example in enumerate(examples):
        _show_example(example, f"{key}_{position}")


def _show_example(example: Example, key: str) -> None:
    sentence, start, end = example.sentence, example.start, example.end
    marked = f"**{escape(sentence[start:end])}**" if end else ""
    where = [formatting.moment(example.local_start), example.reason or example.queue]
    with st.container(gap=None):
        st.markdown(f"{escape(sentence[:start])}{marked}{escape(sentence[end:])}")
        title = escape(" · ".join(filter(None, where)))
        act = (drill.to_contact, "irritants", example.source_system, example.contact_id)
        layout.show_quiet_button("open_in_new", title, f"open_{key}", *act)
