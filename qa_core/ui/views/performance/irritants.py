"""What annoys customers in the period: what stands out, the one that was chosen in
full, and its examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.irritants import texts
from qa_core.analysis.irritants.action_list import OPEN, ActionEntry, open_entry
from qa_core.analysis.irritants.detection import KPIS
from qa_core.analysis.irritants.subject import WAIT, IrritantCandidate, IrritantSubject
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _, ngettext
from qa_core.metrics import query
from qa_core.metrics.dimensions import Filters
from qa_core.ui import cached, cards, drill, gate, tables
from qa_core.ui.filter_bar import FilterState
from qa_core.ui.views.performance import action_list, irritant_examples

TABLE, CHOSEN = "table_irritants", "irritant_chosen"


def show(viewer: Viewer, look: FilterState, entries: Sequence[ActionEntry]) -> None:
    """The table of what stands out, and beside it the one chosen."""
    found = cached.find_irritants(viewer, look.where, look.compare)
    text = (
        ngettext("{n} irritant stands out", "{n} irritants stand out", len(found))
        if found
        else _("Nothing stands out in this period")
    )
    caption = (
        _(
            "More contacts than the share of the others would give, and by more than chance. "
            "Those that add most come first."
        )
        if found
        else _(
            "Of fewer than five contacts, or of no more than chance would give, nothing is "
            "said. A longer period may tell more."
        )
    )
    if not query.may_read_remarks(viewer):
        caption += " " + _(
            "What comes from the words of customers and evaluators is left out here."
        )
    if not found:
        with st.container(border=True):
            cards.show_heading(ChartTitle(text), caption)
        return
    listed = {entry.subject.key: entry for entry in reversed(entries) if entry.state in OPEN}
    left, right = st.columns([2, 1], gap="small")
    with left, st.container(border=True, height="stretch", gap="xxsmall"):
        cards.show_heading(ChartTitle(text), caption)
        shown = _choose_kinds(found)
        _show_table(shown, look, listed)
    with right, st.container(border=True, height="stretch", gap="xsmall"):
        chosen = next(
            (
                candidate
                for candidate in shown
                if candidate.subject.key == st.session_state.get(CHOSEN)
            ),
            shown[0],
        )
        _show_one(viewer, look, chosen, listed.get(chosen.subject.key))


def _choose_kinds(found: Sequence[IrritantCandidate]) -> Sequence[IrritantCandidate]:
    kinds = list(dict.fromkeys(candidate.subject.kind for candidate in found))
    if len(kinds) < 2:
        return found
    chosen = st.pills(
        _("Seen from"),
        kinds,
        format_func=lambda kind: _(texts.KINDS[kind]),
        selection_mode="multi",
        key="irritant_kinds",
        label_visibility="collapsed",
    )
    return [
        candidate for candidate in found if not chosen or candidate.subject.kind in chosen
    ] or found


def _show_table(
    found: Sequence[IrritantCandidate], look: FilterState, listed: dict[str, ActionEntry]
) -> None:
    head, contacts, share, other, change, state = (
        _("Irritant"),
        _("Contacts"),
        _("Share"),
        _("Others"),
        _("Change (pts)"),
        _("State"),
    )
    rows = []
    for candidate in found:
        entry = listed.get(candidate.subject.key)
        row: dict[str, Any] = {
            head: texts.title(candidate.subject),
            contacts: candidate.share.hits,
            share: tables.as_share(candidate.share.value),
            other: tables.as_share(candidate.share.other),
        }
        if look.compare:
            row[change] = _describe_change(candidate)
        rows.append(
            row | ({state: _(texts.STATES[entry.state]) if entry else None} if listed else {})
        )
    config = {
        head: st.column_config.TextColumn(head, width=262),
        contacts: tables.count_column(contacts, 66),
        share: tables.percent_column(share, 54),
        other: tables.percent_column(other, 58),
        change: st.column_config.TextColumn(change, width=86),
        state: st.column_config.TextColumn(state, width=100),
    }

    def choose() -> None:
        cells = st.session_state[TABLE]["selection"]["cells"]
        if cells:
            st.session_state[CHOSEN] = found[cells[0][0]].subject.key

    tables.show(rows, config, TABLE, choose, height=470)
    st.caption(_("Click a line to see it in full."))


def _describe_change(candidate: IrritantCandidate) -> str:
    """The change of the share in short; in full beside the one chosen."""
    now, before = candidate.now, candidate.before
    if before is None or before.share is None or now.share is None:
        return ""
    mark = {True: "↓ ", False: "↑ ", None: ""}[texts.is_better(now, before)]
    return mark + texts.points(now.share - before.share)


def _show_one(
    viewer: Viewer, look: FilterState, candidate: IrritantCandidate, entry: ActionEntry | None
) -> None:
    subject = candidate.subject
    cards.show_heading(ChartTitle(texts.title(subject)))
    st.text(texts.describe_share(candidate))
    change = texts.describe_change(candidate.now, candidate.before)
    if change:
        better = texts.is_better(candidate.now, candidate.before)
        colour = {True: "green", False: "orange", None: "gray"}[better]
        with st.container(horizontal=True, gap="xsmall", vertical_alignment="center"):
            st.badge(change, color=colour)
            st.caption(_("compared with {before}", before=look.compare_title))
    for line in (texts.describe_places(candidate), texts.describe_along(candidate)):
        if line:
            st.caption(cards.escape(line))
    with st.container(horizontal=True, gap="small"):
        if entry is not None:
            st.button(
                _("On the action list: {state}", state=_(texts.STATES[entry.state])),
                key="show_entry",
                icon=":material/checklist:",
                on_click=action_list.choose,
                args=(entry.id,),
            )
        elif viewer.can(Permission.MANAGE_IRRITANTS) and st.button(
            _("Put on the action list"),
            key="open_entry",
            icon=":material/add_task:",
            type="primary",
        ):
            _open(subject, look.where)
        if subject.dimension not in (None, WAIT) and drill.is_open_to(viewer):
            values = {subject.dimension: subject.value}
            st.button(
                _("Contacts"),
                key="irritant_contacts",
                icon=":material/call:",
                on_click=drill.to_contacts,
                args=(values, KPIS[subject.kind]),
            )
    irritant_examples.show(viewer, subject, look.where, "candidate")


def _open(subject: IrritantSubject, where: Filters) -> None:
    try:
        number = open_entry(gate.current_viewer(Permission.MANAGE_IRRITANTS), subject, where)
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    action_list.choose(number)
    action_list.describe(_("It is on the action list now: say who sees to it, and until when."))
    st.rerun()
