"""The form of an evaluation: answers saved as given, conflicts of tabs shown."""

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
from qa_core.metrics.kpis import formatting
from qa_core.quality.evaluations import drafts
from qa_core.quality.evaluations.drafts import Draft
from qa_core.ui.frame import gate, layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import cards, evaluation_tables, personal_data, scorecard_answers
from qa_core.ui.widgets.scorecard_answers import OVERALL, code, describe_text

IDLE_SECONDS = 300
"""Longest silence between two answers that counts as time spent on the evaluation."""
PROMPTS = {
    drafts.SCORED: N_("What you would tell the advisor: what was good, what to try next time"),
    drafts.CALIBRATION: N_(
        "Reasons for your scores; the others read them after the session is closed"
    ),
    drafts.SELF: N_("What went well, and what you would do differently"),
}
"""Label of the comment on the whole, by kind of evaluation."""


@dataclasses.dataclass
class OpenDraft:
    """Evaluation as this tab holds it: its version, the time spent, and the error since."""

    version: int
    seconds: float = 0.0
    touched_at: float = 0.0
    refusal: Refusal | None = None
    typed: dict[str, Any] | None = None
    """Entries that could not be saved over a newer version: {answers, comments, comment}."""


def show(draft: Draft) -> None:
    """Show the form, section by section; `show_score` goes beside it."""
    open_draft = _hold(draft)
    if open_draft.typed is not None:
        _show_conflict(draft, open_draft)
        return
    if open_draft.refusal is not None:
        gate.show_refusal(open_draft.refusal)
        open_draft.refusal = None
    for section in draft.scorecard.sections:
        _show_section(draft, section)
    with cards.card(_("The contact as a whole"), gap="xsmall"):
        label = _(PROMPTS.get(draft.kind, PROMPTS[drafts.SCORED]))
        scorecard_answers.ask_comment(_prefix(draft.id), OVERALL, label, _save_changes(draft))
        personal_data.show_hint(draft.comment)


def show_score(draft: Draft) -> None:
    """Show how much is answered, the score so far, and critical errors."""
    whole = len(draft.scorecard.criteria)
    missing = sum(
        draft.answers.get(criterion.key) is None for criterion in draft.scorecard.criteria
    )
    result = scoring.score_given(draft.scorecard, draft.answers)
    with cards.card():
        st.markdown(f"### {_colour_score(result, is_complete=not missing)}")
        st.caption(" · ".join(_describe_score(draft, result, missing)))
        st.progress((whole - missing) / whole, text=_("{n} of {all}", n=whole - missing, all=whole))
        for failure in result.failures if result else ():
            criterion = next(item for item in draft.scorecard.criteria if item.key == failure.key)
            error = scorecard_answers.describe_failure(
                failure.critical, criterion.text, criterion.fails
            )
            st.markdown(f":red[:material/report:] {escape(error)}")
        text = _(
            "{minutes} min spent · saved {time}",
            minutes=int(draft.seconds_spent // 60),
            time=f"{environment.to_local(draft.saved_at):%H:%M:%S}",
        )
        st.caption(text)


def _colour_score(result: scoring.Result | None, is_complete: bool) -> str:
    if result is None or result.score is None:
        return "–"
    score = formatting.value(float(result.score), "score", short=True)
    if result.outcome is None or not is_complete:
        return score
    return f":green[{score}]" if result.outcome == "pass" else f":red[{score}]"


def _describe_score(draft: Draft, result: scoring.Result | None, missing: int) -> list[str]:
    parts = [_("Score so far") if missing else _("Score")]
    if not missing and result is not None and result.outcome is not None:
        parts.append(_(evaluation_tables.OUTCOMES[result.outcome]))
    if result is not None and result.score != result.calculated_score:
        score = formatting.value(float(result.calculated_score), "score", short=True)
        parts.append(_("Before the critical error: {score}.", score=score))
    if draft.scorecard.pass_mark is not None:
        mark = formatting.number(float(draft.scorecard.pass_mark))
        parts.append(_("Pass mark: {mark}.", mark=mark))
    return parts


def save(draft_id: int, scorecard: scoring.Scorecard) -> int | None:
    """Callback: save all answers and comments; return the version to submit.

    None: they could not be saved, and `show` gives the reason. 0: an earlier click has
    submitted the draft.
    """
    viewer = gate.current_viewer(Permission.FILL_SCORECARDS)
    open_draft = st.session_state.get(f"{_prefix(draft_id)}held")
    if open_draft is None:
        return 0
    _write(viewer, draft_id, open_draft, scorecard_answers.read(_prefix(draft_id), scorecard))
    return open_draft.version if open_draft.refusal is None else None


def has_conflict(draft: Draft) -> bool:
    """Return whether what was typed here could not be saved over what is stored."""
    return _hold(draft).typed is not None


def find_differences(
    draft: Draft, typed: dict[str, Any]
) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield (kind, criterion, text, stored, typed) for each answer that differs."""
    for criterion in draft.scorecard.criteria:
        key, text = criterion.key, describe_text(criterion.text)
        stored, here = draft.answers.get(key), typed["answers"].get(key)
        if stored != here:
            words = (
                scorecard_answers.describe(criterion, code(answer)) for answer in (stored, here)
            )
            yield "answer", key, text, *words
        written, here = draft.comments.get(key, ""), _mask(typed["comments"].get(key, ""))
        if written != here:
            label = _("Comment: {criterion}", criterion=text)
            yield "comment", key, label, written or "–", here or "–"
    here = _mask(typed["comment"])
    if draft.comment != here:
        yield "comment", OVERALL, _("The contact as a whole"), draft.comment or "–", here or "–"


def forget(draft_id: int) -> None:
    """Remove the widget values of a draft from this tab."""
    scorecard_answers.forget(_prefix(draft_id))


def _mask(text: str) -> str:
    return masking.mask(text).strip()


def _prefix(draft_id: int) -> str:
    return f"grid_{draft_id}_"


def _key(draft_id: int, kind: str, criterion: str) -> str:
    return scorecard_answers.name(_prefix(draft_id), kind, criterion)


def _hold(draft: Draft) -> OpenDraft:
    """Return the draft of this tab, updated to a newer stored version without conflicts."""
    name = f"{_prefix(draft.id)}held"
    open_draft = st.session_state.get(name)
    if open_draft is None:
        open_draft = OpenDraft(draft.version, draft.seconds_spent, time.monotonic())
        st.session_state[name] = open_draft
        scorecard_answers.fill(_prefix(draft.id), draft)
    elif open_draft.typed is None and open_draft.version != draft.version:
        open_draft.version = draft.version
        scorecard_answers.fill(_prefix(draft.id), draft)
    else:
        # Streamlit forgets widgets that another page did not draw.
        scorecard_answers.fill(_prefix(draft.id), draft, only_missing=True)
    return open_draft


def _show_section(draft: Draft, section: scoring.Section) -> None:
    result = scoring.score_given(draft.scorecard, draft.answers)
    scores = {part.name: part.score for part in result.sections} if result else {}
    score = scores.get(section.name)
    with cards.card(gap="small"):
        with layout.row(horizontal_alignment="distribute", wrap=False):
            st.markdown(f"##### {escape(describe_text(section.text))}", width="content")
            shown = "" if score is None else formatting.value(float(score), "score", short=True)
            st.markdown(shown and f"**{shown}**", width="content")
        for criterion in section.criteria:
            scorecard_answers.show_criterion(
                _prefix(draft.id),
                criterion,
                draft.comments.get(criterion.key, ""),
                _save_changes(draft),
                is_bold=True,
            )


def _save_changes(draft: Draft) -> dict[str, Any]:
    return {"on_change": save, "args": (draft.id, draft.scorecard)}


def _write(viewer: Viewer, draft_id: int, open_draft: OpenDraft, typed: dict[str, Any]) -> None:
    moment = time.monotonic()
    open_draft.seconds += min(moment - open_draft.touched_at, IDLE_SECONDS)
    open_draft.touched_at = moment
    try:
        open_draft.version = drafts.save(
            viewer, draft_id, open_draft.version, **typed, seconds=open_draft.seconds
        )
    except Refusal as refusal:
        open_draft.refusal = refusal
        open_draft.typed = typed if refusal.code == drafts.CHANGED_MEANWHILE else None
        return
    open_draft.typed = open_draft.refusal = None
    for criterion, text in ((OVERALL, typed["comment"]), *typed["comments"].items()):
        masked, key = masking.mask(text), _key(draft_id, "comment", criterion)
        # Only what changes is sent back: it would replace what is typed meanwhile.
        if masked != text and key in st.session_state:
            st.session_state[key] = masked


def _show_conflict(draft: Draft, open_draft: OpenDraft) -> None:
    """Show stored and typed answers side by side, to choose one by one."""
    differing = list(find_differences(draft, open_draft.typed or {}))
    caption = _(
        "Another tab changed this evaluation while you worked here. Nothing is lost: choose what "
        "to keep."
    )
    with cards.card(_("Changed in two places"), caption, gap="small"):
        for kind, key, label, stored, typed in differing:
            titles = {
                "typed": _("{what}: {text}", what=_("Here"), text=escape(typed)),
                "stored": _("{what}: {text}", what=_("Other tab"), text=escape(stored)),
            }
            st.radio(
                label,
                list(titles),
                # An answer that only one tab has is proposed.
                index=int(typed in (_("no answer"), "–")),
                format_func=titles.get,
                key=_key(draft.id, f"choice_{kind}", key),
            )
        key, chosen = f"{_prefix(draft.id)}merge", [item[:2] for item in differing]
        layout.show_button("", _("Keep what I chose"), key, _merge, draft, chosen, type="primary")


def _merge(draft: Draft, differing: list[tuple[str, str]]) -> None:
    """Callback: save what was chosen in a conflict."""
    viewer = gate.current_viewer(Permission.FILL_SCORECARDS)
    open_draft = st.session_state[f"{_prefix(draft.id)}held"]
    typed = open_draft.typed
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
    open_draft.version = draft.version
    _write(
        viewer, draft.id, open_draft, {"answers": answers, "comments": comments, "comment": comment}
    )
    if open_draft.typed is None:
        kept = drafts.get_draft(viewer, draft.id)
        open_draft.version = kept.version
        scorecard_answers.fill(_prefix(kept.id), kept)
