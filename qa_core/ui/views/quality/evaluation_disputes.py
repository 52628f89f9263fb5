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

OPEN = "disputed_criterion"
"""Key of the criterion whose form is open."""
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
        asked = _(
            "Disputed on {day}: {proposed} instead of {original}",
            day=formatting.local_day(dispute.raised_at),
            proposed=of_most(dispute.proposed, answer.most),
            original=of_most(dispute.original, answer.most),
        )
        st.markdown(f":material/gavel: {escape(asked)}")
        st.text(dispute.reason)
        if dispute.decision is not None:
            _show_decision(dispute, answer)
        elif evaluation.may_decide:
            _ask_decision(viewer, dispute, answer)
        else:
            st.caption(_("Not decided yet. Somebody other than the evaluator decides."))


def _show_decision(dispute: DisputeView, answer: AnswerView) -> None:
    said = _(
        "{decision}: {points}",
        decision=_(DECIDED[DisputeDecision(dispute.decision)]),
        points=of_most(dispute.decided, answer.most),
    )
    day = formatting.local_day(dispute.decided_at)
    by = _("by {name} on {day}", name=dispute.decided_by, day=day)
    st.markdown(f"**{escape(said)}** · {escape(by)}")
    st.text(dispute.decision_reason or "")


def _show_form(viewer: Viewer, evaluation: EvaluationView, answer: AnswerView) -> None:
    with cards.card(gap="small"):
        proposed = _ask_answer(
            _("What should the answer be?"), answer, f"proposed_{answer.key}", (answer.earned,)
        )
        hint = _("What happened in the contact, without customer names or numbers")
        reason = personal_data.ask_text(
            _("Why?"), disputes.MAX_TEXT, f"reason_{answer.key}", placeholder=hint
        )
        is_objection = st.checkbox(
            _("I object to this evaluation: a copy goes to the data protection officer"),
            key=f"objection_{answer.key}",
        )
        with st.container(horizontal=True, gap="small"):
            if st.button(_("Send the dispute"), type="primary", key=f"send_{answer.key}"):
                if proposed is None:
                    st.warning(_("Choose the answer you think is right."))
                else:
                    with actions.show_refusals():
                        disputes.raise_dispute(
                            viewer,
                            evaluation.evaluation_id,
                            answer.key,
                            proposed,
                            reason,
                            is_objection,
                        )
                        _open(None)
                        actions.finish()
            st.button(_("Leave it"), key=f"leave_{answer.key}", on_click=_open, args=(None,))
        text = _("A manager who did not make the evaluation decides. The original answer is kept.")
        st.caption(text)


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
        third = _ask_answer(_("Which value?"), answer, f"{key}_third", without)
    label = _("Reason, for the advisor and the evaluator")
    reason = personal_data.ask_text(label, disputes.MAX_TEXT, f"{key}_reason")
    if not st.button(_("Decide"), type="primary", key=f"{key}_send"):
        return
    gate.current_viewer(Permission.DECIDE_DISPUTES)
    if decision is None:
        st.warning(_("Choose a decision."))
        return
    with actions.show_refusals():
        disputes.decide(viewer, dispute.dispute_id, decision, third, reason)
        actions.finish()


def _open(criterion: str | None) -> None:
    st.session_state[OPEN] = criterion


def format_points(points: float | None) -> str:
    """Return `1.5` or "not applicable"."""
    if points is None:
        return _("not applicable")
    return formatting.number(points, 0 if float(points).is_integer() else 2)


def of_most(points: float | None, most: float) -> str:
    """Return `1 of 2`, or "not applicable"."""
    if points is None:
        return format_points(None)
    return _("{points} of {most}", points=format_points(points), most=format_points(most))


def _find_options(answer: AnswerView, without: tuple[float | None, ...]) -> list[float | None]:
    """Return the answers to choose from but those; None stands for not applicable."""
    levels: list[float | None] = [level for level in answer.levels if level not in without]
    return levels + ([None] if answer.not_applicable and None not in without else [])


def _can_ask(answer: AnswerView, without: tuple[float | None, ...]) -> bool:
    """Return whether any other answer than those is left to choose."""
    return not answer.levels or bool(_find_options(answer, without))


def _ask_answer(label: str, answer: AnswerView, key: str, without: tuple[float | None, ...]) -> Any:
    """Ask for an answer of that criterion but those: points, "na", or None without one."""
    options = _find_options(answer, without)
    if not answer.levels:
        can_leave_out = None in options
        is_left_out = can_leave_out and st.checkbox(_("not applicable"), key=f"{key}_na")
        points = st.number_input(
            label, 0.0, answer.most, value=None, step=answer.most / 4, key=key, disabled=is_left_out
        )
        return NOT_APPLICABLE if is_left_out else points
    place = st.radio(
        label,
        range(len(options)),
        format_func=lambda place: of_most(options[place], answer.most),
        index=None,
        horizontal=True,
        key=key,
    )
    if place is None or place >= len(options):
        return None
    return NOT_APPLICABLE if options[place] is None else options[place]
