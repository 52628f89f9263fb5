"""A grid to fill in: each answer is saved as it is given, the score grows beside it,
and what another tab changed meanwhile is shown, never lost.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import streamlit as st

from qa_core import scoring
from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment, masking
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _
from qa_core.metrics import formatting
from qa_core.quality.evaluations import drafts
from qa_core.quality.evaluations.drafts import Draft
from qa_core.scoring import Criterion, CriticalClass, Fails
from qa_core.ui import gate, scorecard_answers
from qa_core.ui.scorecard_answers import OVERALL, code, describe_text

IDLE_SECONDS = 300
"""A longer silence between two answers is no time spent on the evaluation."""

HARMS = {
    CriticalClass.CUSTOMER: N_("Critical for the customer"),
    CriticalClass.BUSINESS: N_("Critical for the business"),
    CriticalClass.COMPLIANCE: N_("Critical for compliance"),
}
WORDS = {
    drafts.SCORED: N_("What you would say to the advisor: what was good, what to try next time"),
    drafts.CALIBRATION: N_("Why you scored it so: the others read it once the round is closed"),
    drafts.SELF: N_("What went well, and what you would do otherwise"),
}
FAILS = {
    Fails.GRID: N_("0 fails the whole evaluation"),
    Fails.SECTION: N_("0 makes this section count 0"),
}


@dataclasses.dataclass
class OpenDraft:
    """What this tab holds of a draft: the version it last saved or read, and what went
    wrong since.
    """

    version: int
    seconds: float
    touched_at: float
    refusal: Refusal | None = None
    typed: dict[str, Any] | None = None
    """What could not be saved over a newer version: {answers, comments, comment}."""


def show(draft: Draft) -> None:
    """The form, section by section. Call `show_standing` beside it for the score."""
    held = _hold(draft)
    if held.refusal is not None and held.typed is None:
        gate.show_refusal(held.refusal)
        held.refusal = None
    if held.typed is not None:
        _show_conflict(draft, held)
        return
    for section in draft.plan.sections:
        _show_section(draft, section)
    with st.container(border=True, gap="xsmall"):
        st.markdown("##### " + _("The contact as a whole"))
        _ask_comment(draft, OVERALL, _(WORDS.get(draft.kind, WORDS[drafts.SCORED])))


def show_standing(draft: Draft) -> None:
    """How far the grid is answered and what that comes to, with the critical errors."""
    answers = draft.answers
    missing = sum(answers.get(criterion.key) is None for criterion in draft.plan.criteria)
    whole = len(draft.plan.criteria)
    with st.container(border=True, gap="xxsmall"):
        result = _score_so_far(draft)
        if result is None or result.score is None:
            st.markdown("### –")
        else:
            colour = (
                ""
                if result.outcome is None or missing
                else "green"
                if result.outcome == "pass"
                else "red"
            )
            score = formatting.value(float(result.score), "score", short=True)
            st.markdown(f"### :{colour}[{score}]" if colour else f"### {score}")
        st.caption(" · ".join(_describe_standing(draft, result, missing)))
        answered = _("{n} of {all} answered", n=whole - missing, all=whole)
        st.progress((whole - missing) / whole, text=answered)
        for failure in result.failures if result else ():
            criterion = next(item for item in draft.plan.criteria if item.key == failure.key)
            harm, consequence = _(HARMS[failure.critical]), _(FAILS[criterion.fails])
            said = _(
                "{harm}: {criterion}. {consequence}.",
                harm=harm,
                criterion=describe_text(criterion.text),
                consequence=consequence,
            )
            st.markdown(f":red[:material/report:] {gate.escape(said)}")
        st.caption(
            _(
                "{minutes} min spent · saved {time}",
                minutes=int(draft.seconds_spent // 60),
                time=f"{environment.to_local(draft.saved_at):%H:%M:%S}",
            )
        )


def _describe_standing(draft: Draft, result: scoring.Result | None, missing: int) -> list[str]:
    said = [_("Score so far") if missing else _("Score")]
    if not missing and result is not None and result.outcome is not None:
        said.append(_("Passed") if result.outcome == "pass" else _("Not passed"))
    if result is not None and result.score != result.calculated_score:
        said.append(
            _(
                "{score} before the critical error",
                score=formatting.value(float(result.calculated_score), "score", short=True),
            )
        )
    if draft.plan.pass_mark is not None:
        said.append(_("pass mark {mark}", mark=formatting.number(float(draft.plan.pass_mark))))
    return said


def save(draft_id: int, plan: scoring.Scorecard) -> int | None:
    """Callback of each answer and comment: keep everything as it stands now, and return
    the version to be submitted.

    None: it could not be kept, and `show` says why. 0: this tab holds nothing of that
    draft any more, since an earlier click submitted it.
    """
    viewer, held = (
        gate.current_viewer(Permission.FILL_GRIDS),
        st.session_state.get(f"{_prefix(draft_id)}held"),
    )
    if held is None:
        return 0
    _write(viewer, draft_id, held, scorecard_answers.read(_prefix(draft_id), plan))
    return held.version if held.refusal is None else None


def has_conflict(draft: Draft) -> bool:
    """Whether what was typed here could not be saved over what is stored."""
    return _hold(draft).typed is not None


def find_kinds(draft: Draft) -> list[str]:
    """The titles of the kinds of personal data that the comments seem to hold, in the
    language spoken.
    """
    return scorecard_answers.find_kinds([*draft.comments.values(), draft.comment])


def find_differences(
    draft: Draft, typed: dict[str, Any]
) -> Iterator[tuple[str, str, str, str, str]]:
    """(kind, criterion, its text, what is stored, what was typed) of each answer and
    comment that differs.
    """
    for criterion in draft.plan.criteria:
        text = describe_text(criterion.text)
        stored, here = draft.answers.get(criterion.key), typed["answers"].get(criterion.key)
        if stored != here:
            yield (
                "answer",
                criterion.key,
                text,
                scorecard_answers.describe(criterion, code(stored)),
                scorecard_answers.describe(criterion, code(here)),
            )
        written, here = (
            draft.comments.get(criterion.key, ""),
            masking.mask(typed["comments"].get(criterion.key, "")).strip(),
        )
        if written != here:
            yield (
                "comment",
                criterion.key,
                _("Comment: {criterion}", criterion=text),
                written or "–",
                here or "–",
            )
    here = masking.mask(typed["comment"]).strip()
    if draft.comment != here:
        yield "comment", OVERALL, _("The contact as a whole"), draft.comment or "–", here or "–"


def forget(draft_id: int) -> None:
    """Let go of what this tab holds of a draft."""
    scorecard_answers.forget(_prefix(draft_id))


def _prefix(draft_id: int) -> str:
    return f"grid_{draft_id}_"


def _key(draft_id: int, kind: str, criterion: str) -> str:
    return scorecard_answers.name(_prefix(draft_id), kind, criterion)


def _hold(draft: Draft) -> OpenDraft:
    """What this tab holds; what is stored is shown as soon as it is newer and nothing
    here is unsaved.
    """
    name = f"{_prefix(draft.id)}held"
    held = st.session_state.get(name)
    if held is None:
        held = st.session_state[name] = OpenDraft(draft.version, draft.seconds_spent, time.time())
        _fill(draft)
    elif held.typed is None and held.version != draft.version:
        held.version = draft.version
        _fill(draft)
    else:
        # Streamlit forgets what belongs to widgets that another page did not draw.
        _fill(draft, only_missing=True)
    return held


def _fill(draft: Draft, only_missing: bool = False) -> None:
    scorecard_answers.fill(
        _prefix(draft.id), draft.plan, draft.answers, draft.comments, draft.comment, only_missing
    )


def _show_section(draft: Draft, section: scoring.Section) -> None:
    with st.container(border=True, gap="small"):
        with st.container(
            horizontal=True,
            horizontal_alignment="distribute",
            vertical_alignment="center",
            gap="small",
            wrap=False,
        ):
            st.markdown(f"##### {gate.escape(describe_text(section.text))}", width="content")
            result = _score_so_far(draft)
            score = (
                next((part.score for part in result.sections if part.name == section.name), None)
                if result
                else None
            )
            st.markdown(
                ""
                if score is None
                else f"**{formatting.value(float(score), 'score', short=True)}**",
                width="content",
            )
        for criterion in section.criteria:
            _show_criterion(draft, criterion)


def _show_criterion(draft: Draft, criterion: Criterion) -> None:
    with st.container(gap="xxsmall", key=_key(draft.id, "box", criterion.key)):
        st.markdown(
            f"**{gate.escape(describe_text(criterion.text))}**",
            help=gate.escape(describe_text(criterion.help)) if criterion.help else None,
        )
        if criterion.critical:
            st.caption(
                f":red[:material/report:] {_(HARMS[criterion.critical])} · "
                f"{_(FAILS[criterion.fails])}"
            )
        if criterion.bonus:
            bonus = _("Bonus: adds points, never takes any away")
            st.caption(f":green[:material/add_circle:] {bonus}")
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            scorecard_answers.ask(_prefix(draft.id), criterion, save, (draft.id, draft.plan))
            comment = draft.comments.get(criterion.key, "")
            with st.popover(
                _("Comment"),
                icon=":material/chat:" if comment else ":material/add_comment:",
                type="tertiary",
            ):
                _ask_comment(draft, criterion.key, describe_text(criterion.text))
        if comment:
            st.text(comment)
            scorecard_answers.warn(comment)


def _ask_comment(draft: Draft, criterion: str, label: str) -> None:
    scorecard_answers.ask_comment(_prefix(draft.id), criterion, label, save, (draft.id, draft.plan))
    if criterion == OVERALL:
        scorecard_answers.warn(draft.comment)


def _write(viewer: Viewer, draft_id: int, held: OpenDraft, typed: dict[str, Any]) -> None:
    moment = time.time()
    held.seconds += min(moment - held.touched_at, IDLE_SECONDS)
    held.touched_at = moment
    try:
        held.version = drafts.save(viewer, draft_id, held.version, **typed, seconds=held.seconds)
    except Refusal as refusal:
        held.refusal = refusal
        held.typed = typed if refusal.code == drafts.CHANGED_MEANWHILE else None
        return
    held.typed = held.refusal = None
    for criterion, text in ((OVERALL, typed["comment"]), *typed["comments"].items()):
        # As it was kept: without what is masked.
        masked = masking.mask(text)
        # Only what changes is sent back: it would go over what is typed meanwhile.
        if masked != text and _key(draft_id, "comment", criterion) in st.session_state:
            st.session_state[_key(draft_id, "comment", criterion)] = masked


def _show_conflict(draft: Draft, held: OpenDraft) -> None:
    """What is stored beside what was typed here, to choose from answer by answer."""
    differing = list(find_differences(draft, held.typed or {}))
    with st.container(border=True, gap="small"):
        st.markdown("##### " + _("Changed in two places"))
        st.caption(
            _(
                "This evaluation was changed in another tab while you went on here. Nothing is "
                "lost: choose what counts."
            )
        )
        for kind, key, label, stored, typed in differing:
            st.radio(
                label,
                ["typed", "stored"],
                # What one tab has and the other has not is kept, unless the reader says
                # otherwise.
                index=int(typed in (_("no answer"), "–")),
                format_func=lambda side, stored=stored, typed=typed: (
                    _("Here: {value}", value=gate.escape(typed))
                    if side == "typed"
                    else _("There: {value}", value=gate.escape(stored))
                ),
                key=_key(draft.id, f"choice_{kind}", key),
            )
        st.button(
            _("Keep what I chose"),
            type="primary",
            key=f"{_prefix(draft.id)}settle",
            on_click=_settle,
            args=(draft, [item[:2] for item in differing]),
        )


def _settle(draft: Draft, differing: list[tuple[str, str]]) -> None:
    viewer, held = (
        gate.current_viewer(Permission.FILL_GRIDS),
        st.session_state[f"{_prefix(draft.id)}held"],
    )
    typed = held.typed
    answers, comments, comment = dict(draft.answers), dict(draft.comments), draft.comment
    for kind, key in differing:
        if st.session_state.get(_key(draft.id, f"choice_{kind}", key)) != "typed":
            continue
        if kind == "answer":
            answers[key] = typed["answers"].get(key)
        elif key == OVERALL:
            comment = typed["comment"]
        else:
            comments[key] = typed["comments"].get(key, "")
    held.version = draft.version
    _write(viewer, draft.id, held, {"answers": answers, "comments": comments, "comment": comment})
    if held.typed is None:
        kept = drafts.get_draft(viewer, draft.id)
        held.version = kept.version
        _fill(kept)


def _score_so_far(draft: Draft) -> scoring.Result | None:
    """What the answers given come to, as if the grid asked nothing else; None without
    any.
    """
    answers = {key: value for key, value in draft.answers.items() if value is not None}
    parts = (
        dataclasses.replace(
            part, criteria=tuple(item for item in part.criteria if item.key in answers)
        )
        for part in draft.plan.sections
    )
    sections = tuple(part for part in parts if part.criteria)
    return (
        scoring.score(dataclasses.replace(draft.plan, sections=sections), answers)
        if sections
        else None
    )
