"""The answers of an evaluation by section, beside the advisor's own, with disputes; the reply."""

from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics.kpis import formatting
from qa_core.quality.evaluations import advisor_response, disputes, drafts
from qa_core.quality.evaluations.disputes import MAX_TEXT, DisputeDecision
from qa_core.quality.evaluations.evaluation_view_types import (
    AnswerView,
    DisputeView,
    EvaluationView,
    SectionView,
    SelfEvaluationView,
)
from qa_core.scoring import NOT_APPLICABLE
from qa_core.storage.records.evaluations import EVALUATOR_KINDS
from qa_core.ui.frame import gate, layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.quality.evaluate import HEADS
from qa_core.ui.widgets import actions, cards, drill, personal_data
from qa_core.ui.widgets.scorecard_answers import HARMS, describe_text, format_points

OPEN = "disputed_criterion"
"""Key of the criterion whose form is open."""
WHO_DECIDES = N_("A manager who did not make the evaluation decides. The original answer is kept.")
DECIDED = {
    DisputeDecision.KEEP: N_("Kept"),
    DisputeDecision.ACCEPT: N_("Accepted"),
    DisputeDecision.THIRD: N_("Decided otherwise"),
}


def show(viewer: Viewer, evaluation: EvaluationView) -> None:
    """Show every section with its criteria; weights and guidance on demand."""
    if not evaluation.sections:
        if evaluation.state != "draft":
            st.caption(_("The source gives a score without answers."))
        return
    with layout.row("medium"):
        with_details = st.toggle(_("Show weights and guidance"), key="evaluation_details")
        if evaluation.may_dispute:
            day = formatting.day(evaluation.dispute_until, year=True)
            text = _("Do you disagree? You can dispute each answer once, until {day}.", day=day)
            st.caption(text)
    for section in evaluation.sections:
        _show_section(viewer, evaluation, section, with_details)


def _show_section(
    viewer: Viewer, evaluation: EvaluationView, section: SectionView, with_details: bool
) -> None:
    title, share = describe_text(section.text) or _("Answers"), ""
    if section.share:
        share = _("{share} of the total", share=formatting.percent(section.share, 0))
    score = format_points(None)
    if section.score is not None:
        score = formatting.value(section.score, "score", short=True)
    with cards.card(gap="xsmall"):
        with layout.row(horizontal_alignment="distribute", wrap=False):
            st.markdown(f"**{escape(title)}** :small[:gray[{escape(share)}]]")
            st.markdown(f"**{escape(score)}**", width="content")
        if section.score is not None:
            st.progress(min(1.0, max(0.0, section.score / 100)))
        for answer in section.answers:
            _show_answer(viewer, evaluation, answer, with_details)


def _show_answer(
    viewer: Viewer, evaluation: EvaluationView, answer: AnswerView, with_details: bool
) -> None:
    text = escape(describe_text(answer.text))
    with layout.row(wrap=False):
        title = f":red[:material/report:] **{text}**" if answer.is_failure else text
        st.markdown(title, width="stretch")
        st.markdown(_colour(answer), width="content")
        if evaluation.may_dispute and answer.dispute is None:
            key = f"dispute_{answer.key}"
            layout.show_quiet_button("", _("Dispute"), key, _open, answer.key)
    if with_details:
        weight = _("Bonus")
        if not answer.bonus:
            weight = _("{share} of the total", share=formatting.percent(answer.share, 1))
        critical = _(HARMS[answer.critical]) if answer.critical in HARMS else ""
        details = (weight, critical, describe_text(answer.help))
        st.caption(escape(" · ".join(filter(None, details))))
    if answer.comment:
        st.text(answer.comment)
    _show_own(evaluation, answer)
    _show_dispute(viewer, evaluation, answer)


def _colour(answer: AnswerView) -> str:
    text = of_most(answer.earned, answer.most)
    if answer.bonus:
        text = f"+{formatting.number(answer.earned)}" if answer.earned else _("no bonus")
    if answer.earned is None or (answer.bonus and not answer.earned):
        return f":gray[{text}]"
    if answer.is_failure:
        return f":red[**{text}**]"
    return f"**{text}**" if answer.earned >= answer.most else f":orange[**{text}**]"


def _show_own(evaluation: EvaluationView, answer: AnswerView) -> None:
    """Show the advisor's own answer, if it differs or has a comment."""
    self_evaluation = evaluation.own
    if self_evaluation is None or answer.key not in self_evaluation.answers:
        return
    given, comment = self_evaluation.answers[answer.key], self_evaluation.comments.get(answer.key)
    if given != answer.earned or comment:
        title = _("Self-evaluation")
        text = _("{what}: {text}", what=title, text=of_most(given, answer.most))
        st.caption(f":material/person: {escape(text)}")
    if comment:
        st.text(comment)


def _count_agreed(evaluation: EvaluationView) -> str:
    """Describe on how many criteria the advisor and the evaluator gave the same answer."""
    self_evaluation = evaluation.own.answers if evaluation.own else {}
    compared = [answer for answer in evaluation.answers if answer.key in self_evaluation]
    same = sum(self_evaluation[answer.key] == answer.earned for answer in compared)
    return ngettext(
        "the same answer on {same} of {n} criterion",
        "the same answer on {same} of {n} criteria",
        len(compared),
        same=same,
    )


def show_reply(viewer: Viewer, evaluation: EvaluationView) -> None:
    if evaluation.kind not in EVALUATOR_KINDS or evaluation.state != "published":
        return
    with cards.card(_("The advisor's reply"), gap="small"):
        if evaluation.own is not None:
            _show_self_evaluation(evaluation, evaluation.own)
        if evaluation.is_own and viewer.can(Permission.ANSWER_EVALUATIONS):
            _ask_reply(viewer, evaluation)
            return
        st.caption(_describe_reading(evaluation))
        if evaluation.advisor_comment:
            st.text(evaluation.advisor_comment)


def _describe_reading(evaluation: EvaluationView) -> str:
    if not evaluation.acknowledged_at:
        return _("Not marked as read yet.")
    return _("Read on {when}.", when=formatting.local_moment(evaluation.acknowledged_at))


def _ask_reply(viewer: Viewer, evaluation: EvaluationView) -> None:
    number, is_read = evaluation.evaluation_id, evaluation.acknowledged_at is not None
    can_evaluate = evaluation.own is None and evaluation.is_disputable
    stored, key = evaluation.advisor_comment or "", f"advisor_comment_{number}"
    words = personal_data.ask_text(_("Comment"), MAX_TEXT, key, value=stored)
    with layout.row(), actions.show_refusals():
        if not is_read and st.button(
            _("I have read it"), icon=":material/done_all:", type="primary"
        ):
            advisor_response.acknowledge(viewer, number)
            actions.finish()
        if st.button(_("Save"), icon=":material/save:"):
            advisor_response.comment(viewer, number, words)
            actions.finish()
        if can_evaluate and st.button(_("Evaluate it yourself"), icon=":material/edit_square:"):
            drill.to_draft(advisor_response.start_self_evaluation(viewer, number))
            actions.finish()
    if is_read:
        st.caption(_describe_reading(evaluation))
    if can_evaluate:
        st.caption(_(HEADS[drafts.SELF][1]))


def _show_self_evaluation(evaluation: EvaluationView, self_evaluation: SelfEvaluationView) -> None:
    if not self_evaluation.is_submitted:
        title, number = _("Continue"), self_evaluation.evaluation_id
        layout.show_button("edit_square", title, "continue_own", drill.to_draft, number)
        return
    when = _("made after reading the evaluation")
    if self_evaluation.was_before:
        when = _("made before the evaluation was marked as read")
    score = (
        format_points(None)
        if self_evaluation.score is None
        else formatting.value(self_evaluation.score, "score")
    )
    text = _("{what}: {text}", what=_("Self-evaluation"), text=score)
    st.markdown(f"**{escape(text)}**")
    st.caption(escape(f"{_count_agreed(evaluation)} · {when}"))
    if self_evaluation.comment:
        st.text(self_evaluation.comment)


def _show_dispute(viewer: Viewer, evaluation: EvaluationView, answer: AnswerView) -> None:
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
        proposed = _ask_answer(answer, f"proposed_{answer.key}", (answer.earned,))
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
    if not answer.levels or _find_options(answer, without):
        titles[DisputeDecision.THIRD] = _("Another value")
    decision = st.radio(
        _("Decision"), list(titles), format_func=titles.get, index=None, horizontal=True, key=key
    )
    third = None
    if decision == DisputeDecision.THIRD:
        third = _ask_answer(answer, f"{key}_third", without)
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


def _ask_answer(answer: AnswerView, key: str, without: tuple[float | None, ...]) -> Any:
    """Ask for another answer: points, "na", or None while none is chosen."""
    label = _("Answer")
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
