"""The player of a recording: its waveform, its speed, and remarks at moments of it.

The address of the audio is asked for when somebody presses play, and only once there is
a reason to listen; each address is one listening. The waveform is drawn by wavesurfer.js
(folder `vendor`).
"""

import functools
from pathlib import Path
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment, i18n
from qa_core.base.errors import AccessDenied
from qa_core.base.i18n import N_, _
from qa_core.compliance import recordings
from qa_core.compliance.conditions import gates
from qa_core.compliance.recordings import Playable
from qa_core.metrics.kpis import formatting
from qa_core.quality.evaluations import timed_comments
from qa_core.ui.frame import gate, layout, scripts
from qa_core.ui.widgets import actions, personal_data

FOLDER = Path(__file__).parent
COMPONENT = "ecoute.player"
MIN_REASON = 5
LABELS = {
    "player": N_("Recording"),
    "position": N_("Position in the recording"),
    "play": N_("Play (space or K)"),
    "pause": N_("Pause (space or K)"),
    "back": N_("Back 5 seconds (J)"),
    "forward": N_("Forward 5 seconds (L)"),
    "speed": N_("Speed ([ and ])"),
    "remark": N_("Remark at this moment"),
    "remove": N_("Remove the remark at"),
    "loading": N_("Fetching the recording…"),
    "locked": N_("First say why you listen."),
    "failed": N_("The recording could not be fetched. Press play again."),
    "again": N_("Ready. Press play again."),
}


@st.fragment
def show(
    source_system: str,
    contact_id: str,
    purpose: str | None,
    reason: str | None,
    key: str,
    evaluation_id: int | None = None,
) -> bool:
    """Show the player of the recording of a contact, or why there is nothing to hear;
    nothing for a viewer who may not listen. Return whether there is a player.

    `purpose` and `reason` go into the journal with each listening; None: the listener is
    asked. `evaluation_id`: the evaluation whose remarks are shown, and added while its
    draft is open. `key` is unique on the page.
    """
    viewer = gate.current_viewer()
    if not viewer.can(Permission.LISTEN):
        return False
    playable = recordings.find_playable(viewer, source_system, contact_id, purpose)
    if playable is None:
        st.caption(recordings.explain_absence(viewer))
        return False
    with st.container(key=f"{key}_player", gap="xsmall"):
        if purpose is None or reason is None:
            purpose, reason = _ask_why(playable, purpose, reason, key)
        refused = st.session_state.pop(f"{key}_refused", None)
        if refused is not None:
            gate.show_refusal(refused)
        comments = _find_remarks(viewer, evaluation_id)
        is_open = comments is not None and comments.is_open
        data = {
            "peaks": list(playable.peaks),
            "seconds": playable.seconds,
            "labels": {name: _(text) for name, text in LABELS.items()},
            "remarks": _describe_remarks(comments),
            "writable": is_open,
            "locked": not reason,
            "refused": refused is not None,
            "address": st.session_state.get(f"{key}_address"),
        }
        scripts.declare(COMPONENT, FOLDER, "player.js", "player.html", "player.css")(
            key=key,
            data=data,
            on_asked_change=functools.partial(
                _give_address, playable.recording_id, purpose, reason, key
            ),
            on_remark_change=functools.partial(_note_moment, key, playable.seconds),
            on_removed_change=functools.partial(_remove_remark, key),
        )
        if is_open and f"{key}_moment" in st.session_state:
            _show_remark_form(comments, key, evaluation_id)
        day = formatting.full_day(environment.to_local(playable.last_moment).date())
        st.caption(_("Playback possible until {day}.", day=day))
    return True


def _ask_why(
    playable: Playable, purpose: str | None, reason: str | None, key: str
) -> tuple[str | None, str | None]:
    """Ask for the purpose and the reason if not given; None for what is missing."""
    if purpose is None:
        purpose = playable.purposes[0]
        if len(playable.purposes) > 1:
            purpose = st.segmented_control(
                _("Purpose"),
                playable.purposes,
                default=purpose,
                required=True,
                format_func=lambda name: _(gates.PURPOSE_TITLES[name]),
                key=f"{key}_purpose",
            )
    if reason is None:
        reason = st.text_input(
            _("Why do you listen?"),
            max_chars=200,
            key=f"{key}_reason",
            placeholder=_("Example: preparing Thursday's coaching session"),
            help=_("The advisor sees that you listened, when, and this reason."),
        ).strip()
    return purpose, reason if purpose and len(reason) >= MIN_REASON else None


def _give_address(recording_id: int, purpose: str | None, reason: str | None, key: str) -> None:
    signed_in = gate.current_signed_in()
    if purpose and reason:
        with actions.keep_refusals(f"{key}_refused"):
            st.session_state[f"{key}_address"] = recordings.make_ticket(
                signed_in, recording_id, purpose, reason
            )


def _note_moment(key: str, seconds: float) -> None:
    moment = _triggered(key, "remark")
    if isinstance(moment, int | float):
        st.session_state[f"{key}_moment"] = min(max(float(moment), 0.0), seconds)


def _remove_remark(key: str) -> None:
    number = _triggered(key, "removed")
    if isinstance(number, int):
        with actions.keep_refusals(f"{key}_refused"):
            timed_comments.remove_comment(gate.current_viewer(Permission.LISTEN), number)


def _triggered(key: str, event: str) -> Any:
    return (st.session_state.get(key) or {}).get(event)


def _find_remarks(viewer: Viewer, evaluation_id: int | None) -> timed_comments.TimedComments | None:
    if evaluation_id is None:
        return None
    try:
        return timed_comments.find_comments(viewer, evaluation_id)
    except AccessDenied:
        return None


def _describe_remarks(comments: timed_comments.TimedComments | None) -> list[dict[str, Any]]:
    if comments is None:
        return []
    language = i18n.language()
    return [
        {
            "id": entry.id,
            "seconds": entry.seconds,
            "text": entry.text,
            "about": comments.criteria[entry.criterion].in_language(language)
            if entry.criterion in comments.criteria
            else "",
            "removable": comments.is_open,
        }
        for entry in comments.entries
    ]


def _show_remark_form(comments: timed_comments.TimedComments, key: str, evaluation_id: int) -> None:
    language = i18n.language()
    with st.form(f"{key}_remark_form"):
        moment = st.session_state[f"{key}_moment"]
        st.text_area(
            _("Remark at {moment}", moment=f"{int(moment // 60)}:{int(moment % 60):02d}"),
            max_chars=timed_comments.MAX_COMMENT,
            height=80,
            key=f"{key}_remark_text",
        )
        criteria = {name: text.in_language(language) for name, text in comments.criteria.items()}
        titles = {"": _("The contact as a whole"), **criteria}
        layout.select(st, _("About"), titles, f"{key}_remark_about")
        if warning := personal_data.describe(st.session_state.get(f"{key}_personal", ())):
            st.warning(warning)
        with st.container(horizontal=True, gap="small"):
            st.form_submit_button(
                _("Save"),
                type="primary",
                on_click=_save_remark,
                args=(key, evaluation_id),
            )
            st.form_submit_button(_("Cancel"), on_click=_close_form, args=(key,))


def _save_remark(key: str, evaluation_id: int) -> None:
    """Save the remark; one that seems to hold personal data, at the second time only."""
    state = st.session_state
    viewer = gate.current_viewer(Permission.LISTEN)
    text = state.get(f"{key}_remark_text", "")
    kinds = personal_data.find_kinds(text)
    if kinds and state.get(f"{key}_warned") != text:
        state[f"{key}_warned"], state[f"{key}_personal"] = text, kinds
        return
    with actions.keep_refusals(f"{key}_refused"):
        about = state.get(f"{key}_remark_about") or None
        moment = state[f"{key}_moment"]
        timed_comments.add_comment(viewer, evaluation_id, moment, text, about)
        _close_form(key)


def _close_form(key: str) -> None:
    for name in ("moment", "warned", "personal", "remark_text", "remark_about"):
        st.session_state.pop(f"{key}_{name}", None)
