"""The Evaluation page: one evaluation to read, with its recording and its history."""

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import N_, _, ngettext
from qa_core.compliance import recordings
from qa_core.compliance.conditions import gates
from qa_core.metrics.kpis import formatting
from qa_core.quality.evaluations import drafts
from qa_core.quality.evaluations.evaluation_view import get_evaluation, read_evaluation
from qa_core.quality.evaluations.evaluation_view_types import EvaluationView
from qa_core.ui.frame import layout, open_once, url_state
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.quality.evaluate import HEADS
from qa_core.ui.widgets import cards, drill, player, scorecard_answers
from qa_core.ui.widgets.evaluation_tables import OUTCOMES
from qa_core.ui.widgets.scorecard_answers import OVERALL, describe_text, format_points

LOOKS = {"pass": ("check_circle", "green"), "fail": ("error", "orange")}
"""Symbol and colour of an outcome."""
STATES = {"draft": N_("Draft"), "submitted": N_("Submitted, not shown to the advisor yet")}
READ = "evaluation_read"


def read(viewer: Viewer, given: str) -> EvaluationView:
    number = url_state.read_number(given)
    return open_once.read(READ, given, read_evaluation, get_evaluation, viewer, number)


def show_head(viewer: Viewer, evaluation: EvaluationView) -> None:
    """Show the score and what it means, whose contact it was, and the scorecard."""
    day = formatting.day(evaluation.local_day, year=True)
    st.title(_("Evaluation of the contact of {day}", day=day), anchor=False)
    st.caption(escape(" · ".join(_describe_origin(evaluation))))
    if evaluation.kind == "self":
        _show_self_evaluation(evaluation)
    score, pass_mark = formatting.value(evaluation.score, "score"), None
    if evaluation.pass_mark is not None:
        mark = formatting.value(evaluation.pass_mark, "score", short=True)
        pass_mark = _("Pass mark: {mark}.", mark=mark)
    with cards.card(gap="xsmall"):
        with layout.row("medium"):
            st.metric(_("Score"), score, help=pass_mark, width="content")
            with st.container(horizontal=True, gap="xsmall", width="content"):
                _show_badges(evaluation)
        for failure in evaluation.failures:
            text = scorecard_answers.describe_failure(failure.critical, failure.text, failure.fails)
            st.error(escape(text), icon=":material/report:")
        if evaluation.failures and evaluation.calculated_score not in (None, evaluation.score):
            before = formatting.value(evaluation.calculated_score, "score")
            st.caption(_("Before the critical error: {score}.", score=before))
        if evaluation.comment:
            st.caption(_("Comment"))
            st.text(evaluation.comment)
        if evaluation.contact_id and viewer.can(Permission.SEE_CONTACTS):
            contact = (evaluation.source_system, evaluation.contact_id)
            drill.show_contact_button("evaluation", *contact)
        elif evaluation.state == "draft":
            title, number = _("Continue"), evaluation.evaluation_id
            layout.show_quiet_button("edit", title, "continue_draft", drill.to_draft, number)


def _show_self_evaluation(evaluation: EvaluationView) -> None:
    st.info(_(HEADS[drafts.SELF][1]), icon=":material/person:")
    if evaluation.answered_evaluation_id:
        title, target = _("Read the evaluation"), evaluation.answered_evaluation_id
        layout.show_button(
            "rate_review", title, "open_answered", drill.to_evaluation, "evaluation", target
        )


def show_recording(viewer: Viewer, evaluation: EvaluationView) -> None:
    """Show the recording with its remarks; only the remarks to viewers who may not listen."""
    can_play = (
        viewer.can(Permission.LISTEN)
        and evaluation.contact_id is not None
        and evaluation.state != "draft"
    )
    if not can_play and not evaluation.timed_comments:
        return
    with cards.card(_("Recording")):
        is_played = False
        if can_play:
            default = (recordings.OWN, _("my own call"))
            is_played = player.show(
                evaluation.source_system,
                evaluation.contact_id,
                *(default if evaluation.is_own else (None, None)),
                f"play_{evaluation.evaluation_id}",
                evaluation.evaluation_id,
            )
        for comment in () if is_played else evaluation.timed_comments:
            moment, text = st.columns([1, 9], gap="small", wrap=False)
            moment.caption(f"{int(comment.seconds) // 60}:{int(comment.seconds) % 60:02d}")
            text.text(comment.text)
            if comment.author:
                text.caption(escape(comment.author))


def show_history(evaluation: EvaluationView) -> None:
    """Show each change with the former values, the latest change first."""
    revisions = evaluation.revisions
    if not revisions:
        return
    titles = {answer.key: describe_text(answer.text) for answer in evaluation.answers}
    score = evaluation.score
    answers = {answer.key: answer.earned for answer in evaluation.answers}
    comments = {answer.key: answer.comment or "" for answer in evaluation.answers}
    comments[OVERALL] = evaluation.comment or ""
    with cards.card(ngettext("Changed once", "Changed {n} times", len(revisions))):
        for revision in reversed(revisions):
            change = _(
                "{what}: {before} → {after}",
                what=_("Score"),
                before=formatting.value(revision.score, "score"),
                after=formatting.value(score, "score"),
            )
            by = formatting.local_moment(revision.replaced_at)
            if revision.replaced_by:
                by = _("by {name}, {when}", when=by, name=revision.replaced_by)
            st.markdown(f"**{escape(change)}** · {escape(by)}")
            for key, earned in revision.answers.items():
                if key in answers and answers[key] != earned:
                    _show_change(
                        titles.get(key, key), format_points(earned), format_points(answers[key])
                    )
            before = dict.fromkeys(revision.answers, "") | dict(revision.comments)
            before[OVERALL] = revision.comment or ""
            for key, text in before.items():
                if key in comments and comments[key] != text:
                    label = _("The contact as a whole")
                    if key != OVERALL:
                        label = _("Comment: {criterion}", criterion=titles.get(key, key))
                    _show_change(label, text or "–", comments[key] or "–")
            st.text(revision.reason.partition(": ")[2] or revision.reason)
            answers, comments, score = dict(revision.answers), before, revision.score


def _show_change(label: str, before: str, after: str) -> None:
    text = _("{what}: {before} → {after}", what=label, before=before, after=after)
    st.caption(escape(text))


def _describe_origin(evaluation: EvaluationView) -> list[str]:
    by = formatting.local_day(evaluation.evaluated_at)
    if evaluation.evaluator:
        by = _("by {name}, {when}", name=evaluation.evaluator, when=by)
    version, purpose = evaluation.scorecard_version, gates.PURPOSE_TITLES.get(evaluation.purpose)
    parts = [
        describe_text(evaluation.scorecard),
        _("version {version}", version=version) if version else None,
        None if evaluation.is_own else evaluation.advisor,
        None if evaluation.is_own else evaluation.team,
        by,
        _(purpose) if purpose else None,
    ]
    return [part for part in parts if part]


def _show_badges(evaluation: EvaluationView) -> None:
    badges = []
    if evaluation.outcome in LOOKS:
        badges.append((_(OUTCOMES[evaluation.outcome]), *LOOKS[evaluation.outcome]))
    if evaluation.state in STATES:
        badges.append((_(STATES[evaluation.state]), "edit_note", "gray"))
    if evaluation.kind == "targeted":
        badges.append((_(scorecard_answers.PICKED), "my_location", "gray"))
    if waiting := sum(dispute.decision is None for dispute in evaluation.disputes):
        text = ngettext("{n} open dispute", "{n} open disputes", waiting)
        badges.append((text, "gavel", "blue"))
    if evaluation.revisions:
        badges.append((_("Changed since"), "history", "gray"))
    if evaluation.acknowledged_at:
        badges.append((_("Read by the advisor"), "done_all", "gray"))
    for text, symbol, colour in badges:
        st.badge(text, icon=f":material/{symbol}:", color=colour)
