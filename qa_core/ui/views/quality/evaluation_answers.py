"""The answers of an evaluation by section, beside the advisor's own, and the reply below."""

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import _, ngettext
from qa_core.metrics.kpis import formatting
from qa_core.quality.evaluations import advisor_response, drafts
from qa_core.quality.evaluations.disputes import MAX_TEXT
from qa_core.quality.evaluations.evaluation_view_types import (
    AnswerView,
    EvaluationView,
    SectionView,
    SelfEvaluationView,
)
from qa_core.storage.records.evaluations import EVALUATOR_KINDS
from qa_core.ui.frame import layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.quality import evaluation_disputes
from qa_core.ui.views.quality.evaluate import HEADS
from qa_core.ui.views.quality.evaluation_disputes import of_most
from qa_core.ui.widgets import actions, cards, drill, personal_data
from qa_core.ui.widgets.scorecard_answers import HARMS, describe_text, format_points


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
            evaluation_disputes.show_button(answer)
    if with_details:
        st.caption(escape(" · ".join(_describe_details(answer))))
    if answer.comment:
        st.text(answer.comment)
    _show_own(evaluation, answer)
    evaluation_disputes.show(viewer, evaluation, answer)


def _colour(answer: AnswerView) -> str:
    text = of_most(answer.earned, answer.most)
    if answer.earned is None:
        return f":gray[{text}]"
    if answer.is_failure:
        return f":red[**{text}**]"
    return f"**{text}**" if answer.earned >= answer.most else f":orange[**{text}**]"


def _describe_details(answer: AnswerView) -> list[str]:
    weight = _("Bonus")
    if not answer.bonus:
        weight = _("{share} of the total", share=formatting.percent(answer.share, 1))
    critical = _(HARMS[answer.critical]) if answer.critical in HARMS else ""
    return [part for part in (weight, critical, describe_text(answer.help)) if part]


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
    """Show the card below the answers."""
    if evaluation.kind not in EVALUATOR_KINDS or evaluation.state != "published":
        return
    with cards.card(_("The advisor's reply"), gap="small"):
        if evaluation.own is not None:
            _show_self_evaluation(evaluation, evaluation.own)
        if evaluation.is_own and viewer.can(Permission.ANSWER_EVALUATIONS):
            _ask_reply(viewer, evaluation)
            return
        if evaluation.acknowledged_at:
            _show_acknowledged(evaluation)
        else:
            st.caption(_("Not marked as read yet."))
        if evaluation.advisor_comment:
            st.text(evaluation.advisor_comment)


def _show_acknowledged(evaluation: EvaluationView) -> None:
    moment = formatting.local_moment(evaluation.acknowledged_at)
    st.caption(_("Read on {when}.", when=moment))


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
        _show_acknowledged(evaluation)
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
