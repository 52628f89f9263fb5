"""The Irritants page: what annoys customers in the period, and the chosen one in full."""

from collections.abc import Mapping, Sequence

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis.irritants import texts
from qa_core.analysis.irritants.action_list import OPEN, ActionEntry, open_entry
from qa_core.analysis.irritants.detection import FIGURES, KPIS, WORDS
from qa_core.analysis.irritants.subject import WAIT, IrritantCandidate
from qa_core.base.i18n import _, ngettext
from qa_core.metrics import query
from qa_core.ui.frame import cached, gate, layout
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.performance import action_list, irritant_examples
from qa_core.ui.widgets import actions, cards, drill, sections, tables

CHOSEN = "irritant_chosen_{}"


def show(viewer: Viewer, state: FilterState, entries: Sequence[ActionEntry]) -> None:
    """Show what stands out in figures; on demand, in words. `entries`: of the action list."""
    listed = {entry.subject.key: entry for entry in reversed(entries) if entry.state in OPEN}
    _show_part(viewer, state, FIGURES, listed)
    if query.may_read_remarks(viewer):
        sections.show(
            WORDS,
            _("In the words of customers and evaluators"),
            lambda: _show_part(viewer, state, WORDS, listed),
        )


def _show_part(
    viewer: Viewer, state: FilterState, part: str, listed: Mapping[str, ActionEntry]
) -> None:
    """Show a part and its chosen subject. `listed`: action list entries by subject."""
    found = cached.find_irritants(viewer, state.where, state.compare, (part,))
    if not found:
        caption = _(
            "Irritants are shown from five contacts, if the difference is statistically clear. A "
            "longer period may show more."
        )
        cards.card(_("Nothing stands out in this period"), _add_limits(viewer, caption))
        return
    finding = ngettext(
        "{n} irritant stands out: {first}",
        "{n} irritants stand out, first of all: {first}",
        len(found),
        first=texts.describe_subject(found[0].subject),
    )
    caption = _(
        "These have clearly more contacts than the share elsewhere would give. The largest excess "
        "comes first."
    )
    left, right = st.columns([5, 2], gap="small")
    with left, cards.card(finding, _add_limits(viewer, caption), is_stretched=True):
        shown = _choose_kinds(found, part)
        _show_table(shown, state, part, listed)
    with right, cards.card(is_stretched=True, gap="xsmall"):
        chosen = st.session_state.get(CHOSEN.format(part))
        candidate = next((one for one in shown if one.subject.key == chosen), shown[0])
        _show_one(viewer, state, part, candidate, listed.get(candidate.subject.key))


def _add_limits(viewer: Viewer, caption: str) -> str:
    if query.may_read_remarks(viewer):
        return caption
    left_out = _("The words of customers and evaluators are left out here.")
    return f"{caption} {left_out}"


def _choose_kinds(found: Sequence[IrritantCandidate], part: str) -> Sequence[IrritantCandidate]:
    kinds = list(dict.fromkeys(candidate.subject.kind for candidate in found))
    if len(kinds) < 2:
        return found
    chosen = st.pills(
        _("Found in"),
        kinds,
        format_func=lambda kind: _(texts.KINDS[kind]),
        selection_mode="multi",
        key=f"irritant_kinds_{part}",
        label_visibility="collapsed",
    )
    return [one for one in found if not chosen or one.subject.kind in chosen] or found


def _show_table(
    found: Sequence[IrritantCandidate],
    state: FilterState,
    part: str,
    listed: Mapping[str, ActionEntry],
) -> None:
    def describe_state(candidate: IrritantCandidate) -> str | None:
        entry = listed.get(candidate.subject.key)
        return _(texts.STATES[entry.state]) if entry else None

    columns = (
        tables.text_column(_("Irritant"), lambda one: texts.describe_subject(one.subject), 270),
        tables.count_column(_("Contacts"), lambda one: one.share.hits, 66),
        tables.percent_column(_("Share"), lambda one: one.share.value, 54),
        tables.percent_column(_("Others"), lambda one: one.share.other, 58),
        tables.text_column(
            _("Change (pts)"), lambda one: texts.mark_change(one.now, one.before), 86
        )
        if state.compare
        else None,
        tables.text_column(_("State"), describe_state, 94) if listed else None,
    )
    tables.show(
        found, columns, f"table_irritants_{part}", lambda one: _choose(part, one), height=470
    )
    st.caption(_("Select a row to see it in full."))


def _choose(part: str, candidate: IrritantCandidate) -> None:
    st.session_state[CHOSEN.format(part)] = candidate.subject.key


def _show_one(
    viewer: Viewer,
    state: FilterState,
    part: str,
    candidate: IrritantCandidate,
    entry: ActionEntry | None,
) -> None:
    """Show one candidate in full. `entry`: where it is on the action list already."""
    subject = candidate.subject
    cards.show_heading(texts.describe_subject(subject))
    st.text(texts.describe_share(candidate))
    if change := texts.describe_change(candidate.now, candidate.before):
        is_better = texts.is_better(candidate.now, candidate.before)
        with layout.row("xsmall"):
            st.badge(change, color={True: "green", False: "orange", None: "gray"}[is_better])
            st.caption(_("compared with {before}", before=state.compare_title))
    for line in (texts.describe_places(candidate), texts.describe_along(candidate)):
        if line:
            st.caption(escape(line))
    with st.container(horizontal=True, gap="small"):
        if entry is not None:
            title = _("On the action list: {state}", state=_(texts.STATES[entry.state]))
            key = f"show_entry_{part}"
            layout.show_button("checklist", title, key, action_list.choose, entry.id)
        elif viewer.can(Permission.MANAGE_IRRITANTS) and st.button(
            _("Put on the action list"),
            key=f"open_entry_{part}",
            icon=":material/add_task:",
            type="primary",
        ):
            with actions.show_refusals():
                acting = gate.current_viewer(Permission.MANAGE_IRRITANTS)
                action_list.choose(open_entry(acting, subject, state.where))
                actions.finish(_("Added to the action list. Choose an owner and a due date."))
        if subject.dimension not in (None, WAIT) and drill.is_open_to(viewer):
            key, values = f"irritant_contacts_{part}", {subject.dimension: subject.value}
            behind = KPIS[subject.kind]
            layout.show_button("call", _("Contacts"), key, drill.to_contacts, values, behind)
    irritant_examples.show(viewer, subject, state.where, part)
