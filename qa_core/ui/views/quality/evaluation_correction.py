"""The correction of an evaluation by its evaluator: what changes, and why."""

from typing import Any

import streamlit as st

from qa_core import scoring
from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.quality.evaluations import corrections, drafts, finalise
from qa_core.quality.evaluations.drafts import Draft
from qa_core.quality.evaluations.evaluation_view_types import EvaluationView
from qa_core.ui.frame import gate, layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import cards, personal_data, scorecard_answers, scorecard_form
from qa_core.ui.widgets.evaluation_tables import OUTCOMES
from qa_core.ui.widgets.scorecard_answers import OVERALL, describe_text, format_score
from qa_core.ui.widgets.scorecard_form import OpenDraft

OPEN = "correction_open"
"""Number of the evaluation whose form is open."""
SAVED = "correction_saved"


def show(evaluation: EvaluationView) -> None:
    """Show the form or the button that opens it, to the evaluator alone."""
    if not evaluation.may_correct:
        if evaluation.is_readers_work:
            text = _(
                "This evaluation was imported, and its answers match no scorecard known here. "
                "Correct it in its source, then import it again."
            )
            st.caption(text)
        return
    number = evaluation.evaluation_id
    if st.session_state.pop(SAVED, None) == number:
        st.success(_("Saved."), icon=":material/task_alt:")
    if st.session_state.get(OPEN) == number:
        _show_form(number)
        return
    title, act = _("Correct this evaluation"), st.session_state.update
    layout.show_quiet_button("edit_note", title, "correct", act, {OPEN: number})


@st.fragment
def _show_form(evaluation_id: int) -> None:
    viewer, prefix = gate.current_viewer(Permission.FILL_SCORECARDS), _prefix(evaluation_id)
    with cards.card(_("Correct this evaluation"), gap="small", key=f"{prefix}form"):
        try:
            base = corrections.get_correction_base(viewer, evaluation_id)
        except Refusal as refusal:
            gate.show_refusal(refusal)
            _show_cancel(evaluation_id)
            return
        evaluation = base.evaluation
        st.caption(_("The advisor reads what you change, and why. The former version is kept."))
        open_draft = _hold(evaluation)
        for section in evaluation.scorecard.sections:
            st.markdown(f"**{escape(describe_text(section.text))}**")
            for criterion in section.criteria:
                _show_criterion(prefix, criterion, criterion.key in base.disputed, evaluation)
        scorecard_answers.ask_comment(prefix, OVERALL, _("The contact as a whole"))
        given = scorecard_answers.read(prefix, evaluation.scorecard)
        personal_data.show_hint(given["comment"])
        _show_changes(evaluation, given)
        _ask_to_save(viewer, evaluation, open_draft, given)


def _show_criterion(
    prefix: str, criterion: scoring.Criterion, is_disputed: bool, evaluation: Draft
) -> None:
    reason = ""
    if is_disputed:
        # The dispute may have been decided meanwhile: what this tab has is outdated.
        scorecard_answers.put(prefix, criterion, evaluation)
        reason = _(
            "Disputed by the advisor: only the decision on the dispute can change this answer."
        )
    comment = st.session_state[scorecard_answers.name(prefix, "comment", criterion.key)]
    scorecard_answers.show_criterion(prefix, criterion, comment, locked=reason)


def _show_changes(evaluation: Draft, given: dict[str, Any]) -> None:
    with cards.card():
        changes = list(scorecard_form.find_differences(evaluation, given))
        if not changes:
            st.caption(_("Nothing has changed."))
            return
        text = _("An answer is missing")
        if not finalise.find_missing(evaluation.scorecard, given["answers"]):
            after = scoring.score(evaluation.scorecard, given["answers"])
            text = _describe_scores(evaluation.result, after)
        st.markdown(f"**{escape(text)}**")
        for _kind, _key, label, before, after in changes:
            text = _("{what}: {before} → {after}", what=label, before=before, after=after)
            st.caption(escape(text))


def _describe_scores(before: scoring.Result, after: scoring.Result) -> str:
    first, then = (format_score(result.score) for result in (before, after))
    text = _("{what}: {before} → {after}", what=_("Score"), before=first, after=then)
    if before.outcome == after.outcome or after.outcome is None:
        return text
    return f"{text} · {_(OUTCOMES[after.outcome])}"


def _ask_to_save(
    viewer: Viewer, evaluation: Draft, open_draft: OpenDraft, given: dict[str, Any]
) -> None:
    prefix = _prefix(evaluation.id)
    reason = st.text_area(
        _("Reason"),
        max_chars=corrections.MAX_REASON,
        height=80,
        key=f"{prefix}reason",
        placeholder=_("Without customer names or numbers"),
    )
    personal_data.show_hint(reason)
    is_kept = personal_data.ask_to_keep(
        f"{prefix}keep", *given["comments"].values(), given["comment"]
    )
    if open_draft.refusal is not None:
        gate.show_refusal(open_draft.refusal)
        if open_draft.refusal.code == drafts.CHANGED_MEANWHILE:
            title, key = _("Show the current version"), f"{prefix}again"
            layout.show_button("", title, key, scorecard_answers.forget, prefix)
        else:
            open_draft.refusal = None
    with st.container(horizontal=True, gap="small"):
        is_sent = st.button(_("Save"), type="primary", icon=":material/save:", key=f"{prefix}save")
        _show_cancel(evaluation.id)
    if not is_sent:
        return
    try:
        corrections.amend(
            viewer,
            evaluation.id,
            open_draft.version,
            **given,
            reason=reason,
            keeps_personal_data=is_kept,
        )
    except Refusal as refusal:
        # The next run shows the differences, so that saving again is a decision.
        open_draft.version, open_draft.refusal = evaluation.version, refusal
    else:
        _close(evaluation.id)
        st.session_state[SAVED] = evaluation.id
    st.rerun()


def _show_cancel(evaluation_id: int) -> None:
    if st.button(_("Cancel"), key=f"{_prefix(evaluation_id)}leave"):
        _close(evaluation_id)
        st.rerun()


def _hold(evaluation: Draft) -> OpenDraft:
    """Return the draft of this tab, filled from the stored evaluation at first."""
    prefix = _prefix(evaluation.id)
    open_draft = st.session_state.get(f"{prefix}held")
    is_new = open_draft is None or scorecard_answers.name(prefix, "comment", OVERALL) not in (
        st.session_state
    )
    if is_new:
        open_draft = st.session_state[f"{prefix}held"] = OpenDraft(evaluation.version)
    scorecard_answers.fill(prefix, evaluation, only_missing=not is_new)
    return open_draft


def _close(evaluation_id: int) -> None:
    st.session_state.pop(OPEN, None)
    scorecard_answers.forget(_prefix(evaluation_id))


def _prefix(evaluation_id: int) -> str:
    return f"correct_{evaluation_id}_"
