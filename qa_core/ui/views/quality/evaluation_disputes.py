"""A dispute under its criterion: answers in words, its form, and its decision."""

from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import N_, _
from qa_core.metrics.kpis import formatting
from qa_core.quality.evaluations import disputes
from qa_core.quality.evaluations.disputes import DisputeDecision
from qa_core.quality.evaluations.evaluation_view_types import (
    AnswerView,
    DisputeView,
    EvaluationView,
)
from qa_core.scoring import NOT_APPLICABLE
from qa_core.ui.frame import gate, layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import actions, cards, personal_data
from qa_core.ui.widgets.scorecard_answers import format_points

OPEN = "disputed_criterion"
"""Key of the criterion whose form is open."""
WHO_DECIDES = N_("A manager who did not make the evaluation decides. The original answer is kept.")
DECIDED = {
    DisputeDecision.KEEP: N_("Kept"),
    DisputeDecision.ACCEPT: N_("Accepted"),
    DisputeDecision.THIRD: N_("Decided otherwise"),
}


def show_button(answer: AnswerView) -> None:
    """Show the button that opens the form of that criterion."""
    layout.show_quiet_button("", _("Dispute"), f"dispute_{answer.key}", _open, answer.key)


def show(viewer: Viewer, evaluation: EvaluationView, answer: AnswerView) -> None:
    """Show the dispute of that criterion, or the form to raise one."""
    dispute = answer.dispute
    if dispute is None:
        if evaluation.may_dispute and st.session_state.get(OPEN) == answer.key:
            _show_form(viewer, evaluation, answer)
        return
    with cards.card():
        day = formatting.local_day(dispute.raised_at)
        request = describe_request(dispute.proposed, dispute.original)
        st.markdown(f":material/gavel: {escape(f'{day} · {request}')}")
        st.text(dispute.reason)
        if dispute.decision is not None:
            _show_decision(dispute, answer)
        elif evaluation.may_decide:
            _ask_decision(viewer, dispute, answer)
        else:
            st.caption(_(WHO_DECIDES))


def _show_decision(dispute: DisputeView, answer: AnswerView) -> None:
    decision = _(DECIDED[DisputeDecision(dispute.decision)])
    text = _("{what}: {text}", what=decision, text=of_most(dispute.decided, answer.most))
    day = formatting.local_day(dispute.decided_at)
    by = _("by {name}, {when}", name=dispute.decided_by, when=day)
    st.markdown(f"**{escape(text)}** · {escape(by)}")
    st.text(dispute.decision_reason or "")


def _show_form(viewer: Viewer, evaluation: EvaluationView, answer: AnswerView) -> None:
    with cards.card(gap="small"):
        proposed = _ask_answer(_("Answer"), answer, f"proposed_{answer.key}", (answer.earned,))
        hint = _("Without customer names or numbers")
        reason = personal_data.ask_text(
            _("Reason"), disputes.MAX_TEXT, f"reason_{answer.key}", placeholder=hint
        )
        is_objection = st.checkbox(
            _("I object to this evaluation: a copy goes to the data protection officer"),
            key=f"objection_{answer.key}",
        )
        with layout.row():
            is_sent = st.button(_("Send"), type="primary", key=f"send_{answer.key}")
            layout.show_button("", _("Cancel"), f"leave_{answer.key}", _open, None)
        st.caption(_(WHO_DECIDES))
    if is_sent and proposed is None:
        st.warning(_(actions.INCOMPLETE))
    elif is_sent:
        content = (evaluation.evaluation_id, answer.key, proposed, reason, is_objection)
        with actions.show_refusals():
            disputes.raise_dispute(viewer, *content)
            _open(None)
            actions.finish()


def _ask_decision(viewer: Viewer, dispute: DisputeView, answer: AnswerView) -> None:
    key = f"decision_{dispute.dispute_id}"
    without = (dispute.original, dispute.proposed)
    titles = {
        DisputeDecision.KEEP: _("Keep {points}", points=of_most(dispute.original, answer.most)),
        DisputeDecision.ACCEPT: _("Accept {points}", points=of_most(dispute.proposed, answer.most)),
    }
    if _can_ask(answer, without):
        titles[DisputeDecision.THIRD] = _("Another value")
    decision = st.radio(
        _("Decision"), list(titles), format_func=titles.get, index=None, horizontal=True, key=key
    )
    third = None
    if decision == DisputeDecision.THIRD:
        third = _ask_answer(_("Answer"), answer, f"{key}_third", without)
    reason = personal_data.ask_text(_("Reason"), disputes.MAX_TEXT, f"{key}_reason")
    if not st.button(_("Decide"), type="primary", key=f"{key}_send"):
        return
    gate.current_viewer(Permission.DECIDE_DISPUTES)
    if decision is None:
        st.warning(_(actions.INCOMPLETE))
        return
    with actions.show_refusals():
        disputes.decide(viewer, dispute.dispute_id, decision, third, reason)
        actions.finish()


def _open(criterion: str | None) -> None:
    st.session_state[OPEN] = criterion


def of_most(points: float | None, most: float) -> str:
    """Return `1 of 2`, or "N/A"."""
    if points is None:
        return format_points(None)
    return _("{n} of {all}", n=format_points(points), all=format_points(most))


def describe_request(proposed: float | None, original: float | None) -> str:
    """Return `2 instead of 1`."""
    words = {"proposed": format_points(proposed), "original": format_points(original)}
    return _("{proposed} instead of {original}", **words)


def _find_options(answer: AnswerView, without: tuple[float | None, ...]) -> list[float | None]:
    """Return the other answers to choose from; None means not applicable."""
    levels: list[float | None] = [level for level in answer.levels if level not in without]
    return levels + ([None] if answer.not_applicable and None not in without else [])


def _can_ask(answer: AnswerView, without: tuple[float | None, ...]) -> bool:
    """Return whether another answer is left to choose."""
    return not answer.levels or bool(_find_options(answer, without))


def _ask_answer(label: str, answer: AnswerView, key: str, without: tuple[float | None, ...]) -> Any:
    """Ask for another answer: points, "na", or None while none is chosen."""
    options = _find_options(answer, without)
    if not answer.levels:
        can_leave_out = None in options
        is_left_out = can_leave_out and st.checkbox(_("Not applicable"), key=f"{key}_na")
        points = st.number_input(
            label, 0.0, answer.most, value=None, step=answer.most / 4, key=key, disabled=is_left_out
        )
        return NOT_APPLICABLE if is_left_out else points
    position = st.radio(
        label,
        range(len(options)),
        format_func=lambda position: of_most(options[position], answer.most),
        index=None,
        horizontal=True,
        key=key,
    )
    if position is None or position >= len(options):
        return None
    return NOT_APPLICABLE if options[position] is None else options[position]
