"""Correcting an evaluation where its evaluator reads it: the answers as they stand,
what a change does to the score, and why, for the advisor to read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from qa_core import scoring
from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _
from qa_core.metrics import formatting
from qa_core.quality.evaluations import corrections, drafts, finalise
from qa_core.quality.evaluations.corrections import CorrectionBase
from qa_core.quality.evaluations.drafts import Draft
from qa_core.quality.evaluations.evaluation_view_types import EvaluationView
from qa_core.scoring import Criterion
from qa_core.ui import gate, scorecard_answers, scorecard_form
from qa_core.ui.scorecard_answers import OVERALL, describe_text

OPEN = "correction_open"
"""The evaluation whose form stands open."""
SAVED = "correction_saved"
OUTCOMES = {"pass": N_("Passed"), "fail": N_("Not passed")}


@dataclass
class OpenCorrection:
    """What this tab holds beside the widgets: the version that was looked at, and what
    went wrong at the last try to save.
    """

    version: int
    refusal: Refusal | None = None


def show(reading: EvaluationView) -> None:
    """The way to the form, and the form while it stands open; nothing for who did not
    make this evaluation, and why not where it cannot be corrected.
    """
    if not reading.may_correct:
        if reading.is_readers_work:
            said = _(
                "It came from a file, and its answers are not those of a grid that is known "
                "here: correct it where it was made, and import that again."
            )
            st.caption(said)
        return
    if st.session_state.pop(SAVED, None) == reading.evaluation_id:
        st.success(
            _("Corrected. How it stood before is kept below, with your reason."),
            icon=":material/task_alt:",
        )
    if st.session_state.get(OPEN) == reading.evaluation_id:
        _show_form(reading.evaluation_id)
    else:
        label = _("Correct this evaluation")
        st.button(
            label,
            icon=":material/edit_note:",
            type="tertiary",
            key="correct",
            on_click=_open,
            args=(reading.evaluation_id,),
        )


@st.fragment
def _show_form(evaluation_id: int) -> None:
    viewer, prefix = gate.current_viewer(Permission.FILL_GRIDS), _prefix(evaluation_id)
    with st.container(border=True, gap="small", key=f"{prefix}form"):
        st.markdown("##### " + _("Correct this evaluation"))
        try:
            standing = corrections.get_standing(viewer, evaluation_id)
        except Refusal as refusal:
            gate.show_refusal(refusal)
            _show_way_out(evaluation_id)
            return
        evaluation = standing.evaluation
        st.caption(
            _("The advisor reads what you change, and why. How it stood before stays on record.")
        )
        held = _hold(standing)
        for section in evaluation.plan.sections:
            st.markdown(f"**{gate.escape(describe_text(section.text))}**")
            for criterion in section.criteria:
                _show_criterion(prefix, criterion, criterion.key in standing.disputed, evaluation)
        scorecard_answers.ask_comment(prefix, OVERALL, _("The contact as a whole"))
        given = scorecard_answers.read(prefix, evaluation.plan)
        scorecard_answers.warn(given["comment"])
        _show_changes(evaluation, given)
        _ask_to_save(viewer, evaluation, held, given)


def _show_criterion(
    prefix: str, criterion: Criterion, is_disputed: bool, evaluation: Draft
) -> None:
    with st.container(gap="xxsmall"):
        st.markdown(
            gate.escape(describe_text(criterion.text)),
            help=gate.escape(describe_text(criterion.help)) if criterion.help else None,
        )
        if criterion.critical:
            st.caption(
                f":red[:material/report:] {_(scorecard_form.HARMS[criterion.critical])} · "
                f"{_(scorecard_form.FAILS[criterion.fails])}"
            )
        if is_disputed:
            # Whatever this tab held: a decision may have come meanwhile.
            scorecard_answers.put(
                prefix,
                criterion,
                evaluation.answers[criterion.key],
                evaluation.comments.get(criterion.key, ""),
            )
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            scorecard_answers.ask(prefix, criterion, disabled=is_disputed)
            comment = st.session_state[scorecard_answers.name(prefix, "comment", criterion.key)]
            if not is_disputed:
                with st.popover(
                    _("Comment"),
                    icon=":material/chat:" if comment else ":material/add_comment:",
                    type="tertiary",
                ):
                    scorecard_answers.ask_comment(
                        prefix, criterion.key, describe_text(criterion.text)
                    )
        if is_disputed:
            st.caption(
                ":material/gavel: "
                + _(
                    "Disputed by the advisor: it stays as it is, only who decides on disputes "
                    "changes it."
                )
            )
        if comment:
            st.text(comment)
            scorecard_answers.warn(comment)


def _show_changes(evaluation: Draft, given: dict[str, Any]) -> None:
    """What differs from what stands, and the score before and after."""
    with st.container(border=True, gap="xxsmall"):
        changes = list(scorecard_form.find_differences(evaluation, given))
        if not changes:
            st.caption(_("Nothing is changed yet."))
            return
        if finalise.find_missing(evaluation.plan, given["answers"]):
            said = _("An answer is missing")
        else:
            said = _describe_scores(
                evaluation.result, scoring.score(evaluation.plan, given["answers"])
            )
        st.markdown(f"**{gate.escape(said)}**")
        for _kind, _key, label, before, after in changes:
            st.caption(
                gate.escape(
                    _(
                        "{criterion}: {before} → {after}",
                        criterion=label,
                        before=before,
                        after=after,
                    )
                )
            )


def _describe_scores(before: scoring.Result, after: scoring.Result) -> str:
    scores = [
        _(formatting.NO_DATA)
        if result.score is None
        else formatting.value(float(result.score), "score")
        for result in (before, after)
    ]
    said = _("Score {before} → {after}", before=scores[0], after=scores[1])
    if before.outcome == after.outcome or after.outcome is None:
        return said
    return f"{said} · {_(OUTCOMES[after.outcome])}"


def _ask_to_save(
    viewer: Viewer, evaluation: Draft, held: OpenCorrection, given: dict[str, Any]
) -> None:
    prefix = _prefix(evaluation.id)
    reason = st.text_area(
        _("Why is it corrected?"),
        max_chars=corrections.LONGEST_REASON,
        height=80,
        key=f"{prefix}reason",
        placeholder=_("What you heard again or got wrong, without names or numbers of customers"),
    )
    scorecard_answers.warn(reason)
    is_kept = False
    if kinds := scorecard_answers.find_kinds([*given["comments"].values(), given["comment"]]):
        said = _(
            "The comments seem to hold personal data: {kinds}. Take out what the work does not "
            "need.",
            kinds=formatting.listing(kinds),
        )
        st.warning(said, icon=":material/privacy_tip:")
        is_kept = st.checkbox(_("It is needed to judge the contact: keep it"), key=f"{prefix}keep")
    if held.refusal is not None:
        gate.show_refusal(held.refusal)
        if held.refusal.code == drafts.CHANGED_MEANWHILE:
            st.button(
                _("Begin again from what stands now"),
                key=f"{prefix}again",
                on_click=scorecard_answers.forget,
                args=(prefix,),
            )
        else:
            held.refusal = None
    with st.container(horizontal=True, gap="small"):
        is_sent = st.button(
            _("Save the correction"), type="primary", icon=":material/save:", key=f"{prefix}save"
        )
        _show_way_out(evaluation.id)
    if not is_sent:
        return
    try:
        corrections.amend(
            viewer, evaluation.id, held.version, **given, reason=reason, keeps_personal_data=is_kept
        )
    except Refusal as refusal:
        # What differs from what stands now is shown on the next run, so that saving
        # once more is a choice.
        held.version, held.refusal = evaluation.version, refusal
    else:
        _close(evaluation.id)
        st.session_state[SAVED] = evaluation.id
    st.rerun()


def _show_way_out(evaluation_id: int) -> None:
    if st.button(_("Leave it as it was"), key=f"{_prefix(evaluation_id)}leave"):
        _close(evaluation_id)
        st.rerun()


def _hold(standing: CorrectionBase) -> OpenCorrection:
    evaluation = standing.evaluation
    prefix = _prefix(evaluation.id)
    held = st.session_state.get(f"{prefix}held")
    if held is None or scorecard_answers.name(prefix, "comment", OVERALL) not in st.session_state:
        held = st.session_state[f"{prefix}held"] = OpenCorrection(evaluation.version)
        scorecard_answers.fill(
            prefix, evaluation.plan, evaluation.answers, evaluation.comments, evaluation.comment
        )
    else:
        scorecard_answers.fill(
            prefix,
            evaluation.plan,
            evaluation.answers,
            evaluation.comments,
            evaluation.comment,
            only_missing=True,
        )
    return held


def _open(evaluation_id: int) -> None:
    st.session_state[OPEN] = evaluation_id


def _close(evaluation_id: int) -> None:
    st.session_state.pop(OPEN, None)
    scorecard_answers.forget(_prefix(evaluation_id))


def _prefix(evaluation_id: int) -> str:
    return f"correct_{evaluation_id}_"
