"""Acts of a person: a refusal is shown where it happens, the outcome above the page."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _
from qa_core.ui.frame import gate, layout
from qa_core.ui.frame.markdown import escape

INCOMPLETE = N_("Fill in all fields first.")
_OUTCOME, _REFUSAL = "action_outcome", "action_refusal"


@contextmanager
def show_refusals() -> Iterator[None]:
    """Show a Refusal raised in the block; the rest of the block is skipped."""
    try:
        yield
    except Refusal as refusal:
        gate.show_refusal(refusal)


@contextmanager
def perform(permission: Permission, outcome: str | None = None) -> Iterator[Viewer]:
    """Give the viewer who acts in the block, then run the page again with the outcome above
    it (default: "Saved."). A Refusal is shown instead, and the rest of the block skipped.
    """
    with show_refusals():
        yield gate.current_viewer(permission)
        finish(_("Saved.") if outcome is None else outcome)


@contextmanager
def keep_refusals(key: str = _REFUSAL) -> Iterator[None]:
    """Keep a Refusal raised in the block, in a callback; usually for `show_outcome`."""
    try:
        yield
    except Refusal as refusal:
        st.session_state[key] = refusal


def do(permission: Permission, act: Callable[..., Any], *args: Any) -> None:
    """Callback: do an act as the viewer; a Refusal is kept for `show_outcome`."""
    with keep_refusals():
        act(gate.current_viewer(permission), *args)


def show_removable(
    text: str, key: str, is_own: bool, permission: Permission, act: Callable[..., Any], *args: Any
) -> None:
    """Show a line of markdown, with the button that removes what it names if it `is_own`."""
    with layout.line():
        st.markdown(text, width="stretch")
        if is_own:
            layout.show_icon_button("delete", _("Remove"), key, do, permission, act, *args)


def finish(outcome: str = "") -> NoReturn:
    """Run the page again, with that outcome above it."""
    keep_outcome(outcome)
    st.rerun()


def keep_outcome(outcome: str) -> None:
    """Keep an outcome for `show_outcome`; for callbacks, which the page's run follows."""
    st.session_state[_OUTCOME] = outcome


def show_outcome() -> None:
    """Show the outcome of the last act, once."""
    if refusal := st.session_state.pop(_REFUSAL, None):
        gate.show_refusal(refusal)
    if outcome := st.session_state.pop(_OUTCOME, ""):
        st.success(escape(outcome), icon=":material/check:")
