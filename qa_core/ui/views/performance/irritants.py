"""The Irritants page: what annoys customers in the period, and the chosen one in full."""

from collections.abc import Mapping, Sequence

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import note_texts
from qa_core.analysis.irritants import texts
from qa_core.analysis.irritants.action_list import OPEN, ActionEntry, open_entry
from qa_core.analysis.irritants.detection import FIGURES, KPIS, WORDS
from qa_core.analysis.irritants.subject import IrritantCandidate
from qa_core.base.i18n import _, ngettext
from qa_core.metrics import query
from qa_core.ui.frame import cached, layout
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.performance import action_list
from qa_core.ui.widgets import actions, cards, drill, sections, tables

CHOSEN = "irritant_chosen_{}"


def show(viewer: Viewer, state: FilterState, entries: Sequence[ActionEntry]) -> None:
    """Show what stands out in figures; on demand, in words. `entries`: of the action list."""
    listed = {entry.subject.key: entry for entry in reversed(entries) if entry.state in OPEN}
    _show_part(viewer, state, FIGURES, listed)
    if query.may_read_remarks(viewer):
        title = _("In the words of customers and evaluators")
        sections.show(WORDS, title, _show_part, viewer, state, WORDS, listed)


def _show_part(
    viewer: Viewer, state: FilterState, part: str, listed: Mapping[str, ActionEntry]
) -> None:
    """Show a part and its chosen subject. `listed`: action list entries by subject."""
    candidates = cached.find_irritants(viewer, state.where, state.compare, (part,))
    if not candidates:
        caption = _(
            "Irritants are shown from five contacts, if the difference is statistically clear. A "
            "longer period may show more."
        )
        cards.card(_("Nothing stands out in this period"), caption)
        return
    finding = ngettext(
        "{n} irritant stands out: {first}",
        "{n} irritants stand out, first of all: {first}",
        len(candidates),
        first=texts.describe_subject(candidates[0].subject),
    )
    caption = _(
        "These have clearly more contacts than the share elsewhere would give. The largest excess "
        "comes first."
    )
    if state.compare and all(candidate.before is None for candidate in candidates):
        caption += " " + _(note_texts.POPULATIONS[query.BEFORE_INCOMPLETE])
    left, right = st.columns([5, 2], gap="small")
    with left, cards.card(finding, caption, is_stretched=True):
        shown = _choose_kinds(candidates, part)
        _show_table(shown, state, part, listed)
    with right, cards.card(is_stretched=True, gap="xsmall"):
        chosen = st.session_state.get(CHOSEN.format(part))
        candidate = next((item for item in shown if item.subject.key == chosen), shown[0])
        _show_candidate(viewer, state, part, candidate, listed.get(candidate.subject.key))


def _choose_kinds(
    candidates: Sequence[IrritantCandidate], part: str
) -> Sequence[IrritantCandidate]:
    kinds = list(dict.fromkeys(candidate.subject.kind for candidate in candidates))
    if len(kinds) < 2:
        return candidates
    chosen = st.pills(
        _("Found in"),
        kinds,
        format_func=lambda kind: _(texts.KINDS[kind]),
        selection_mode="multi",
        key=f"irritant_kinds_{part}",
        label_visibility="collapsed",
    )
    return [item for item in candidates if not chosen or item.subject.kind in chosen] or candidates


def _show_table(
    candidates: Sequence[IrritantCandidate],
    state: FilterState,
    part: str,
    listed: Mapping[str, ActionEntry],
) -> None:
    def describe_state(candidate: IrritantCandidate) -> str | None:
        entry = listed.get(candidate.subject.key)
        return _(texts.STATES[entry.state]) if entry else None

    columns = (
        tables.text_column(
            _("Irritant"), lambda candidate: texts.describe_subject(candidate.subject), 270
        ),
        tables.count_column(_("Contacts"), lambda candidate: candidate.share.hits, 66),
        tables.percent_column(_("Share"), lambda candidate: candidate.share.value, 54),
        tables.percent_column(_("Others"), lambda candidate: candidate.share.other, 58),
        tables.number_text_column(
            _("Change (pts)"),
            lambda candidate: texts.mark_change(candidate.now, candidate.before),
            86,
        )
        if state.compare
        else None,
        tables.text_column(_("State"), describe_state, 94) if listed else None,
    )
    tables.show(
        candidates,
        columns,
        f"table_irritants_{part}",
        lambda candidate: _choose(part, candidate),
        height=470,
    )


def _choose(part: str, candidate: IrritantCandidate) -> None:
    st.session_state[CHOSEN.format(part)] = candidate.subject.key


def _show_candidate(
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
            with actions.perform(Permission.MANAGE_IRRITANTS) as acting:
                action_list.choose(open_entry(acting, subject, state.where))
        if subject.dimension is not None and drill.is_open_to(viewer):
            key, values = f"irritant_contacts_{part}", {subject.dimension: subject.value}
            behind = KPIS[subject.kind]
            layout.show_button("call", _("Contacts"), key, drill.to_contacts, values, behind)
    action_list.show_examples(viewer, subject, state.where, part)
