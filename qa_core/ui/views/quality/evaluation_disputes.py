"""A dispute where it belongs, under its criterion: raised by the advisor, decided by a
manager, with what was asked and what was answered.
"""

from __future__ import annotations

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _
from qa_core.metrics import formatting
from qa_core.quality.evaluations import disputes
from qa_core.quality.evaluations.disputes import DisputeDecision
from qa_core.quality.evaluations.evaluation_view_types import (
    AnswerView,
    DisputeView,
    EvaluationView,
)
from qa_core.ui import gate
from qa_core.ui.views.quality import answer_texts
from qa_core.ui.views.quality.answer_texts import of_most, warn_of_personal_data

OPEN = "disputed_criterion"
"""The criterion whose form stands open."""
DECIDED = {
    DisputeDecision.KEEP: N_("Kept"),
    DisputeDecision.ACCEPT: N_("Accepted"),
    DisputeDecision.THIRD: N_("Decided otherwise"),
}


def show_way(answer: AnswerView) -> None:
    """The button that opens the form of that criterion."""
    st.button(
        _("Dispute"),
        type="tertiary",
        key=f"dispute_{answer.key}",
        on_click=_open,
        args=(answer.key,),
    )


def show(viewer: Viewer, reading: EvaluationView, answer: AnswerView) -> None:
    """The dispute of that criterion, or the form to raise one, for who may."""
    dispute = answer.dispute
    if dispute is None:
        if reading.may_dispute and st.session_state.get(OPEN) == answer.key:
            _show_form(viewer, reading, answer)
        return
    with st.container(border=True, gap="xxsmall"):
        asked = _(
            "Disputed on {day}: {proposed} instead of {original}",
            day=_day(dispute.raised_at),
            **_points(dispute, answer),
        )
        st.markdown(f":material/gavel: {gate.escape(asked)}")
        st.text(dispute.reason)
        if dispute.decision is not None:
            _show_decision(dispute, answer)
        elif reading.may_decide:
            _ask_decision(viewer, dispute, answer)
        else:
            st.caption(_("Not decided yet: somebody else than the evaluator decides."))


def _points(dispute: DisputeView, answer: AnswerView) -> dict[str, str]:
    return {
        "proposed": of_most(dispute.proposed, answer.most),
        "original": of_most(dispute.original, answer.most),
    }


def _show_decision(dispute: DisputeView, answer: AnswerView) -> None:
    said = _(
        "{decision}: {points}",
        decision=_(DECIDED[DisputeDecision(dispute.decision)]),
        points=of_most(dispute.decided, answer.most),
    )
    by = _("by {name} on {day}", name=dispute.decided_by, day=_day(dispute.decided_at))
    st.markdown(f"**{gate.escape(said)}** · {gate.escape(by)}")
    st.text(dispute.decision_reason or "")


def _show_form(viewer: Viewer, reading: EvaluationView, answer: AnswerView) -> None:
    with st.container(border=True, gap="small"):
        proposed = answer_texts.ask(
            _("What should it have been?"), answer, f"proposed_{answer.key}", (answer.earned,)
        )
        reason = st.text_area(
            _("Why?"),
            max_chars=disputes.LONGEST_TEXT,
            key=f"reason_{answer.key}",
            placeholder=_("What happened in the contact, without names or numbers of customers"),
        )
        warn_of_personal_data(reason)
        with st.container(horizontal=True, gap="small"):
            if st.button(_("Send the dispute"), type="primary", key=f"send_{answer.key}"):
                _raise(viewer, reading, answer, proposed, reason)
            st.button(_("Leave it"), key=f"leave_{answer.key}", on_click=_open, args=(None,))
        st.caption(
            _("A manager who did not make the evaluation decides. What was given stays on record.")
        )


def _raise(
    viewer: Viewer, reading: EvaluationView, answer: AnswerView, proposed: object, reason: str
) -> None:
    if proposed is None:
        st.warning(_("Choose what it should have been."))
        return
    try:
        disputes.raise_dispute(viewer, reading.evaluation_id, answer.key, proposed, reason)
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    _open(None)
    st.rerun()


def _ask_decision(viewer: Viewer, dispute: DisputeView, answer: AnswerView) -> None:
    key = f"decision_{dispute.dispute_id}"
    said = _points(dispute, answer)
    titles = {
        DisputeDecision.KEEP: _("Keep {points}", points=said["original"]),
        DisputeDecision.ACCEPT: _("Accept {points}", points=said["proposed"]),
        DisputeDecision.THIRD: _("Another value"),
    }
    without = (dispute.original, dispute.proposed)
    options = [
        decision
        for decision in titles
        if decision != DisputeDecision.THIRD or answer_texts.can_ask(answer, without)
    ]
    decision = st.radio(
        _("Decision"), options, format_func=titles.get, index=None, horizontal=True, key=key
    )
    third = (
        answer_texts.ask(_("Which?"), answer, f"{key}_third", without)
        if decision == DisputeDecision.THIRD
        else None
    )
    reason = st.text_area(
        _("Reason, for the advisor and the evaluator"),
        max_chars=disputes.LONGEST_TEXT,
        key=f"{key}_reason",
    )
    warn_of_personal_data(reason)
    if not st.button(_("Decide"), type="primary", key=f"{key}_send"):
        return
    gate.current_viewer(Permission.DECIDE_DISPUTES)
    if decision is None:
        st.warning(_("Choose a decision."))
        return
    try:
        disputes.decide(viewer, dispute.dispute_id, decision, third, reason)
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    st.rerun()


def _open(criterion: str | None) -> None:
    st.session_state[OPEN] = criterion


def _day(moment) -> str:
    return formatting.day(environment.to_local(moment).date(), year=True)
