"""What the advisor answers to an evaluation: that they read it, a comment, an
evaluation of their own; for the others, what they answered.
"""

from __future__ import annotations

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.quality.evaluations import advisor_response
from qa_core.quality.evaluations.disputes import LONGEST_TEXT
from qa_core.quality.evaluations.evaluation_view import READ_KINDS
from qa_core.quality.evaluations.evaluation_view_types import EvaluationView, SelfEvaluationView
from qa_core.ui import drill, gate
from qa_core.ui.views.quality import evaluation_answers
from qa_core.ui.views.quality.answer_texts import describe, warn_of_personal_data

COMMENT = "advisor_comment"


def show(viewer: Viewer, reading: EvaluationView) -> None:
    """The card below the answers."""
    if reading.kind not in READ_KINDS or reading.state != "published":
        return
    with st.container(border=True, gap="small"):
        st.markdown(
            "##### " + (_("Your answer") if reading.is_own else _("What the advisor answered"))
        )
        if reading.own is not None:
            _show_own(reading, reading.own)
        if reading.is_own and viewer.can(Permission.ANSWER_EVALUATIONS):
            _ask(viewer, reading)
        else:
            _describe(reading)


def _describe(reading: EvaluationView) -> None:
    if reading.acknowledged_at:
        st.caption(
            _(
                "Read on {when}.",
                when=formatting.moment(environment.to_local(reading.acknowledged_at)),
            )
        )
    else:
        st.caption(_("Not marked as read yet."))
    if reading.advisor_comment:
        st.text(reading.advisor_comment)


def _ask(viewer: Viewer, reading: EvaluationView) -> None:
    words = st.text_area(
        _("Your comment"),
        value=reading.advisor_comment or "",
        max_chars=LONGEST_TEXT,
        key=f"{COMMENT}_{reading.evaluation_id}",
    )
    warn_of_personal_data(words)
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        if reading.acknowledged_at is None and st.button(
            _("I have read it"), icon=":material/done_all:", type="primary"
        ):
            _do(advisor_response.acknowledge, viewer, reading.evaluation_id)
        if st.button(_("Save the comment"), icon=":material/save:"):
            _do(advisor_response.comment, viewer, reading.evaluation_id, words)
        if (
            reading.own is None
            and reading.is_disputable
            and st.button(_("Evaluate it yourself"), icon=":material/edit_square:")
        ):
            _start(viewer, reading.evaluation_id)
    if reading.acknowledged_at:
        st.caption(
            _(
                "Read on {when}.",
                when=formatting.moment(environment.to_local(reading.acknowledged_at)),
            )
        )
    if reading.own is None and reading.is_disputable:
        st.caption(
            _(
                "On the same grid, for you and your team lead; it makes no numbers. Done "
                "before you marked this one as read, it says so."
            )
            if reading.acknowledged_at is None
            else _(
                "On the same grid, for you and your team lead; it makes no numbers. It will "
                "say that it came after you read this one."
            )
        )


def _show_own(reading: EvaluationView, own: SelfEvaluationView) -> None:
    if not own.is_submitted:
        st.button(
            _("Go on with your own evaluation"),
            icon=":material/edit_square:",
            on_click=drill.to_draft,
            args=(own.evaluation_id,),
        )
        return
    after = _("made after reading the evaluator's")
    when = _("made before the evaluator's was marked as read") if own.was_before else after
    whose = _("Your own evaluation") if reading.is_own else _("The advisor's own evaluation")
    st.markdown(
        f"**{gate.escape(whose)}: "
        f"{describe(own.score) if own.score is None else formatting.value(own.score, 'score')}**"
    )
    st.caption(gate.escape(f"{evaluation_answers.count_agreed(reading)} · {when}"))
    if own.comment:
        st.text(own.comment)


def _start(viewer: Viewer, evaluation_id: int) -> None:
    try:
        own = advisor_response.start_self_evaluation(viewer, evaluation_id)
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    drill.to_draft(own)
    st.rerun()


def _do(act, *args: object) -> None:
    try:
        act(*args)
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    st.rerun()
