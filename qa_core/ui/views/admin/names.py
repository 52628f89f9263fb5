"""The parts of the Names page: what looks alike, deciding on any two names, and the
decisions that stand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _, ngettext
from qa_core.centre.rules import name_decisions, name_suggestions
from qa_core.centre.rules.name_suggestions import Suggestion
from qa_core.ingest.rules import due
from qa_core.metrics import formatting
from qa_core.ui import gate, url_state

KIND_TITLES = {
    "advisor": N_("Advisors"),
    "queue": N_("Queues"),
    "reason": N_("Reasons"),
    "campaign": N_("Campaigns"),
}
SHOWN = 30
OUTCOME = "names_outcome"


def choose_kind() -> str:
    """Which names are meant."""
    url_state.take("names", "kind", KIND_TITLES, "advisor")
    chosen = st.segmented_control(
        _("Names of"),
        list(KIND_TITLES),
        format_func=lambda kind: _(KIND_TITLES[kind]),
        key="kind",
        label_visibility="collapsed",
        required=True,
    )
    url_state.give("names", "kind", chosen, "advisor")
    return chosen


def show_outcome() -> None:
    """What came of the last decision."""
    if said := st.session_state.pop(OUTCOME, None):
        st.success(said, icon=":material/check:")


def show_suggestions(viewer: Viewer, kind: str) -> None:
    """Pairs that look alike, the surest first; each may be merged or kept apart."""
    found = name_suggestions.find_suggestions(viewer, kind)
    st.subheader(_("They look alike"), anchor=False)
    if not found:
        st.caption(_("No two names look alike that were not decided on."))
        return
    for item in found[:SHOWN]:
        _show_suggestion(item)
    if len(found) > SHOWN:
        st.caption(_("{count} more follow as you decide.", count=len(found) - SHOWN))


def _show_suggestion(item: Suggestion) -> None:
    key = f"{item.kind}:{item.spelling}:{item.kept}"
    with st.container(border=True):
        told, merge, apart = st.columns([6, 2, 2], vertical_alignment="center")
        with told:
            st.text(
                f"{_title(item.spelling, item.spelling_title)}  →  "
                f"{_title(item.kept, item.kept_title)}"
            )
            st.caption(gate.escape(name_suggestions.describe(item)))
        if merge.button(_("Count as one"), key=f"merge:{key}", type="primary", width="stretch"):
            _merge(item.kind, item.spelling, item.kept)
        if apart.button(_("Keep apart"), key=f"apart:{key}", width="stretch"):
            _do(lambda viewer: _kept_apart(viewer, item))


def ask_merge(viewer: Viewer, kind: str) -> None:
    """Merge any two names that somebody knows to mean the same."""
    known = name_decisions.find_names(viewer, kind)
    with st.expander(_("Any two names"), icon=":material/join:"):
        if len(known) < 2:
            st.caption(_("There are not two names yet. They come with imports."))
            return
        left, right, send = st.columns([4, 4, 2], vertical_alignment="bottom")
        spelling = left.selectbox(
            _("Name"),
            list(known),
            index=None,
            format_func=lambda name: _title(name, known.get(name, name)),
            key=f"spelling:{kind}",
        )
        kept = right.selectbox(
            _("counts as"),
            list(known),
            index=None,
            format_func=lambda name: _title(name, known.get(name, name)),
            key=f"kept:{kind}",
        )
        if send.button(
            _("Count as one"),
            key=f"merge_any:{kind}",
            disabled=not (spelling and kept),
            width="stretch",
        ):
            _merge(kind, spelling, kept)


def show_decisions(viewer: Viewer, kind: str) -> None:
    """The decisions that stand, each of which can be undone."""
    standing = [
        item
        for item in name_decisions.find_decisions(viewer)
        if item["kind"] == kind and item["undone_at"] is None
    ]
    st.subheader(_("Decided"), anchor=False)
    if not standing:
        st.caption(_("Nothing yet."))
    titles = name_decisions.find_names(viewer, kind) if standing else {}
    for item in standing:
        _show_decision(item, titles)


def _show_decision(item: dict[str, Any], titles: dict[str, str]) -> None:
    with st.container(border=True):
        told, undo = st.columns([8, 2], vertical_alignment="center")
        with told:
            names = [
                _title(item[side], titles.get(item[side], item[side]))
                for side in ("spelling", "kept")
            ]
            st.text(f"  {'→' if item['is_same'] else '≠'}  ".join(names))
            st.caption(
                gate.escape(
                    _(
                        "decided by {name}, {moment}",
                        name=item["decided_by"],
                        moment=formatting.moment(environment.to_local(item["decided_at"])),
                    )
                )
            )
        if undo.button(
            _("Undo"), key=f"undo:{item['id']}", icon=":material/undo:", width="stretch"
        ):
            _do(lambda viewer: _follow(name_decisions.undo(viewer, item["id"])))


def _merge(kind: str, spelling: str, kept: str) -> None:
    _do(lambda viewer: _follow(name_decisions.merge(viewer, kind, spelling, kept)))


def _kept_apart(viewer: Viewer, item: Suggestion) -> str:
    name_decisions.keep_apart(viewer, item.kind, item.spelling, item.kept)
    return _("They stay apart.")


def _follow(_decision: int | None) -> str:
    contacts = due.apply_due()
    return ngettext(
        "Done: {n} contact reads otherwise for it.",
        "Done: {n} contacts read otherwise for it.",
        contacts,
    )


def _do(work: Callable[[Viewer], str]) -> None:
    try:
        with st.spinner(_("Past contacts follow …")):
            said = work(gate.current_viewer(Permission.MANAGE_ADVISORS))
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    st.session_state[OUTCOME] = said
    st.rerun()


def _title(name: str, title: str) -> str:
    return name if name == title else f"{title} ({name})"
