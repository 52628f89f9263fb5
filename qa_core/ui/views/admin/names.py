"""The Names page: similar names, any two names, and the decisions in force."""

from collections.abc import Callable
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import N_, _, capitalise, ngettext
from qa_core.centre.rules import name_decisions, name_suggestions
from qa_core.ingest.load import recovery
from qa_core.metrics.kpis import formatting
from qa_core.ui.frame import cached, gate, layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import actions, segmented_choice

KIND_TITLES = {
    "advisor": N_("Advisors"),
    "queue": N_("Queues"),
    "reason": N_("Reasons"),
    "campaign": N_("Campaigns"),
}
MAX_SUGGESTIONS = 30


def choose_kind(viewer: Viewer) -> str:
    """Ask for the kind of names; each is shown with its number of similar pairs."""
    titles = {}
    for key, title in KIND_TITLES.items():
        count = len(cached.find_suggestions(viewer, key))
        titles[key] = f"{_(title)} ({count})" if count else _(title)
    return segmented_choice.ask("kind", _("Names of"), titles)


def show_suggestions(viewer: Viewer, kind: str) -> None:
    """Show pairs of similar names, the most similar first, to merge or to keep separate."""
    suggestions = cached.find_suggestions(viewer, kind)
    st.subheader(capitalise(_("similar names")), anchor=False)
    if not suggestions:
        st.caption(_("There are no similar names."))
    for item in suggestions[:MAX_SUGGESTIONS]:
        _show_suggestion(item)
    if more := len(suggestions[MAX_SUGGESTIONS:]):
        st.caption(_("{count} more will follow as you decide.", count=more))


def _show_suggestion(item: name_suggestions.Suggestion) -> None:
    pair = (item.kind, item.spelling, item.kept)
    key = ":".join(pair)
    spelling = _title(item.spelling, item.spelling_title)
    kept = _title(item.kept, item.kept_title)
    with st.container(border=True):
        about, merge, keep = st.columns([5, 3, 2], vertical_alignment="center")
        with about:
            st.text(f"{spelling}  →  {kept}")
            st.caption(escape(name_suggestions.describe(item)))
        if merge.button(_("Merge"), key=f"merge:{key}", type="primary", width="stretch"):
            update_contacts(Permission.MANAGE_ADVISORS, name_decisions.merge, *pair)
        if keep.button(_("Keep separate"), key=f"apart:{key}", width="stretch"):
            with actions.perform(Permission.MANAGE_ADVISORS) as acting:
                name_decisions.keep_apart(acting, *pair)


def ask_merge(viewer: Viewer, kind: str) -> None:
    """Ask for any two names that mean the same."""
    known = cached.find_names(viewer, kind)
    titles = {name: _title(name, title) for name, title in known.items()}
    with st.expander(_("Any two names"), icon=":material/join:"):
        left, right, send = st.columns([4, 4, 2], vertical_alignment="bottom")
        spelling = layout.select(left, _("Name"), titles, f"spelling:{kind}", is_optional=True)
        kept = layout.select(right, _("Counts as"), titles, f"kept:{kind}", is_optional=True)
        if send.button(
            _("Merge"), key=f"merge_any:{kind}", disabled=not (spelling and kept), width="stretch"
        ):
            update_contacts(Permission.MANAGE_ADVISORS, name_decisions.merge, kind, spelling, kept)


def show_decisions(viewer: Viewer, kind: str) -> None:
    """Show the decisions in force, each with a button to undo it."""
    in_force = [
        item
        for item in name_decisions.find_decisions(viewer)
        if item["kind"] == kind and item["undone_at"] is None
    ]
    st.subheader(_("Decided"), anchor=False)
    if not in_force:
        st.caption(_("None yet."))
        return
    titles = cached.find_names(viewer, kind)
    for item in in_force:
        _show_decision(item, titles)


def _show_decision(item: dict[str, Any], titles: dict[str, str]) -> None:
    spelling, kept = (
        _title(item[side], titles.get(item[side], item[side])) for side in ("spelling", "kept")
    )
    when = formatting.local_moment(item["decided_at"])
    by = _("by {name}, {when}", name=item["decided_by"], when=when)
    with st.container(border=True):
        about, undo = st.columns([8, 2], vertical_alignment="center")
        with about:
            st.text(f"{spelling}  {'→' if item['is_same'] else '≠'}  {kept}")
            st.caption(escape(by))
        if undo.button(
            _("Undo"), key=f"undo:{item['id']}", icon=":material/undo:", width="stretch"
        ):
            update_contacts(Permission.MANAGE_ADVISORS, name_decisions.undo, item["id"])


def update_contacts(permission: Permission, act: Callable[..., Any], *args: Any) -> None:
    """Do an act that changes a rule, apply it to past contacts, and say how many it changed."""
    with actions.show_refusals(), st.spinner(_("Updating past contacts …")):
        act(gate.current_viewer(permission), *args)
        text = ngettext(
            "Done: {n} past contact updated.",
            "Done: {n} past contacts updated.",
            recovery.apply_due_rules(),
        )
        actions.finish(text)


def _title(name: str, title: str) -> str:
    return name if name == title else f"{title} ({name})"
