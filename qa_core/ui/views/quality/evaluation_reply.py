"""The advisor's reply to an evaluation: read, a comment, an evaluation of their own."""

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.quality.evaluations import advisor_response
from qa_core.quality.evaluations.disputes import LONGEST_TEXT
from qa_core.quality.evaluations.evaluation_view_types import EvaluationView, SelfEvaluationView
from qa_core.storage.records.evaluations import EVALUATOR_KINDS
from qa_core.ui import actions, cards, drill, layout, personal_data
from qa_core.ui.markdown import escape
from qa_core.ui.views.quality import evaluation_answers
from qa_core.ui.views.quality.answer_texts import describe


def show(viewer: Viewer, evaluation: EvaluationView) -> None:
    """Show the card below the answers."""
    if evaluation.kind not in EVALUATOR_KINDS or evaluation.state != "published":
        return
    title = _("Your reply") if evaluation.is_own else _("The advisor's reply")
    with cards.card(title, gap="small"):
        if evaluation.own is not None:
            _show_own(evaluation, evaluation.own)
        if evaluation.is_own and viewer.can(Permission.ANSWER_EVALUATIONS):
            _ask(viewer, evaluation)
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


def _ask(viewer: Viewer, evaluation: EvaluationView) -> None:
    number, is_read = evaluation.evaluation_id, evaluation.acknowledged_at is not None
    can_evaluate = evaluation.own is None and evaluation.is_disputable
    words = st.text_area(
        _("Your comment"),
        value=evaluation.advisor_comment or "",
        max_chars=LONGEST_TEXT,
        key=f"advisor_comment_{number}",
    )
    personal_data.show_warning(words)
    with layout.row(), actions.show_refusals():
        if not is_read and st.button(
            _("I have read it"), icon=":material/done_all:", type="primary"
        ):
            advisor_response.acknowledge(viewer, number)
            actions.finish()
        if st.button(_("Save the comment"), icon=":material/save:"):
            advisor_response.comment(viewer, number, words)
            actions.finish()
        if can_evaluate and st.button(_("Evaluate it yourself"), icon=":material/edit_square:"):
            drill.to_draft(advisor_response.start_self_evaluation(viewer, number))
            actions.finish()
    if is_read:
        _show_acknowledged(evaluation)
    if can_evaluate:
        text = _(
            "You use the same scorecard. Your team lead and manager see it; it counts in no "
            "figure. It shows whether you did it before marking this one as read."
        )
        if is_read:
            text = _(
                "You use the same scorecard. Your team lead and manager see it; it counts in no "
                "figure. It shows that you did it after reading this one."
            )
        st.caption(text)


def _show_own(evaluation: EvaluationView, own: SelfEvaluationView) -> None:
    if not own.is_submitted:
        title, number = _("Continue your self-evaluation"), own.evaluation_id
        layout.show_button("edit_square", title, "continue_own", drill.to_draft, number)
        return
    when = _("made after reading the evaluation")
    if own.was_before:
        when = _("made before the evaluation was marked as read")
    whose = _("Your self-evaluation") if evaluation.is_own else _("The advisor's self-evaluation")
    score = describe(None) if own.score is None else formatting.value(own.score, "score")
    st.markdown(f"**{escape(whose)}: {score}**")
    st.caption(escape(f"{evaluation_answers.count_agreed(evaluation)} · {when}"))
    if own.comment:
        st.text(own.comment)
