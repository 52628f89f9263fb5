"""One evaluation as a page to read: what it came to, of which contact, the recording
behind it, and how it stood before.
"""

from __future__ import annotations

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment, i18n
from qa_core.base.errors import AccessDenied
from qa_core.base.i18n import N_, _, ngettext
from qa_core.compliance import gates, recordings
from qa_core.metrics import formatting
from qa_core.quality.evaluations.evaluation_view import get_evaluation, read_evaluation
from qa_core.quality.evaluations.evaluation_view_types import EvaluationView
from qa_core.scoring import Text
from qa_core.ui import drill, gate, player, readings
from qa_core.ui.scorecard_answers import OVERALL
from qa_core.ui.views.quality.answer_texts import describe

OUTCOMES = {
    "pass": (N_("Passed"), "green", ":material/check_circle:"),
    "fail": (N_("Not passed"), "orange", ":material/error:"),
}
STATES = {"draft": N_("Draft"), "submitted": N_("Submitted, not shown to the advisor yet")}
READ = "evaluation_read"


def read(viewer: Viewer, given: str) -> EvaluationView:
    """The evaluation of that number in the address."""
    if not given.isascii() or not given.isdigit() or len(given) > 15:
        raise AccessDenied()
    return readings.read(
        READ,
        given,
        lambda: read_evaluation(viewer, int(given)),
        lambda: get_evaluation(viewer, int(given)),
    )


def show_head(viewer: Viewer, reading: EvaluationView) -> None:
    """The score and what it means, whose contact it was, and on which version of the
    grid it was evaluated.
    """
    st.title(
        _("Evaluation of the contact of {day}", day=formatting.day(reading.local_day, year=True)),
        anchor=False,
    )
    st.caption(gate.escape(" · ".join(_describe_origin(reading))))
    if reading.kind == "self":
        st.info(
            _(
                "This is your own evaluation of the contact. It stands beside the evaluator's "
                "and makes no numbers."
            ),
            icon=":material/person:",
        )
        if reading.answered_evaluation_id:
            st.button(
                _("Open the evaluation it answers"),
                icon=":material/rate_review:",
                on_click=drill.to_evaluation,
                args=("evaluation", reading.answered_evaluation_id),
            )
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
            st.metric(
                _("Score"),
                formatting.value(reading.score, "score"),
                help=_help_score(reading),
                width="content",
            )
            with st.container(horizontal=True, gap="xsmall", width="content"):
                _show_badges(reading)
        for failure in reading.failures:
            text = failure.text.in_language(i18n.language())
            brings = (
                _("it fails the whole evaluation")
                if failure.fails == "grid"
                else _("it brings its part of the grid to zero")
            )
            st.error(
                _(
                    "Critical error: {criterion} – {brings}.",
                    criterion=gate.escape(text),
                    brings=brings,
                ),
                icon=":material/report:",
            )
        if (
            reading.failures
            and reading.calculated_score is not None
            and reading.calculated_score != reading.score
        ):
            st.caption(
                _(
                    "Without the critical error the answers come to {score}.",
                    score=formatting.value(reading.calculated_score, "score"),
                )
            )
        if reading.comment:
            st.caption(_("In the evaluator's words"))
            st.text(reading.comment)
        _show_ways(viewer, reading)


def show_recording(viewer: Viewer, reading: EvaluationView) -> None:
    """The recording with what was remarked in it, for who may listen; else the remarks
    alone.
    """
    has_player = (
        viewer.can(Permission.LISTEN)
        and reading.contact_id is not None
        and reading.state != "draft"
    )
    if not has_player and not reading.remarks:
        return
    with st.container(border=True, gap="xxsmall"):
        st.markdown("##### " + _("Recording"))
        is_heard = False
        if has_player:
            purpose, reason = (recordings.OWN, _("my own call")) if reading.is_own else (None, None)
            is_heard = player.show(
                viewer,
                reading.source_system,
                reading.contact_id,
                purpose,
                reason,
                f"play_{reading.evaluation_id}",
                reading.evaluation_id,
            )
        for remark in () if is_heard else reading.remarks:
            head, tail = st.columns([1, 9], gap="small", wrap=False)
            head.caption(f"{int(remark.seconds) // 60}:{int(remark.seconds) % 60:02d}")
            tail.text(remark.text)
            if remark.author:
                tail.caption(gate.escape(remark.author))


def show_history(reading: EvaluationView) -> None:
    """How it stood before each change, the latest change first."""
    if not reading.revisions:
        return
    texts = {answer.key: answer.text.in_language(i18n.language()) for answer in reading.answers}
    later = {answer.key: answer.earned for answer in reading.answers}
    said_later = {answer.key: answer.comment or "" for answer in reading.answers} | {
        OVERALL: reading.comment or ""
    }
    score = reading.score
    with st.container(border=True, gap="xxsmall"):
        st.markdown(
            "##### " + ngettext("Changed once", "Changed {n} times", len(reading.revisions))
        )
        for revision in reversed(reading.revisions):
            said = _(
                "Score {before} → {after}",
                before=formatting.value(revision.score, "score"),
                after=formatting.value(score, "score"),
            )
            when = formatting.moment(environment.to_local(revision.replaced_at))
            by = (
                _("{when}, by {name}", when=when, name=revision.replaced_by)
                if revision.replaced_by
                else when
            )
            st.markdown(f"**{gate.escape(said)}** · {gate.escape(by)}")
            for key, earned in revision.answers.items():
                if key in later and later[key] != earned:
                    _show_change(texts.get(key, key), describe(earned), describe(later[key]))
            comments = (
                dict.fromkeys(revision.answers, "")
                | dict(revision.comments)
                | {OVERALL: revision.comment or ""}
            )
            for key, words in comments.items():
                if key in said_later and said_later[key] != words:
                    label = (
                        _("The contact as a whole")
                        if key == OVERALL
                        else _("Comment: {criterion}", criterion=texts.get(key, key))
                    )
                    _show_change(label, words or "–", said_later[key] or "–")
            st.text(revision.reason.partition(": ")[2] or revision.reason)
            later, said_later, score = dict(revision.answers), comments, revision.score


def _show_change(label: str, before: str, after: str) -> None:
    st.caption(
        gate.escape(
            _("{criterion}: {before} → {after}", criterion=label, before=before, after=after)
        )
    )


def name_grid(grid: Text) -> str:
    """The title of a grid in the language spoken."""
    return grid.in_language(i18n.language())


def _describe_origin(reading: EvaluationView) -> list[str]:
    purpose = gates.PURPOSE_TITLES.get(reading.purpose)
    said = [name_grid(reading.grid)]
    said += [_("version {n}", n=reading.grid_version)] if reading.grid_version else []
    said += [reading.advisor] if reading.advisor and not reading.is_own else []
    said += [reading.team] if reading.team and not reading.is_own else []
    when = formatting.day(environment.to_local(reading.evaluated_at).date(), year=True)
    said.append(
        _("evaluated by {name} on {day}", name=reading.evaluator, day=when)
        if reading.evaluator
        else _("evaluated on {day}", day=when)
    )
    said += [_("for: {purpose}", purpose=_(purpose).lower())] if purpose else []
    return [part for part in said if part]


def _show_badges(reading: EvaluationView) -> None:
    if reading.outcome in OUTCOMES:
        title, color, icon = OUTCOMES[reading.outcome]
        st.badge(_(title), icon=icon, color=color)
    if reading.state in STATES:
        st.badge(_(STATES[reading.state]), icon=":material/edit_note:", color="gray")
    if reading.kind == "targeted":
        st.badge(_("Chosen by hand: makes no numbers"), icon=":material/my_location:", color="gray")
    waiting = sum(dispute.decision is None for dispute in reading.disputes)
    if waiting:
        st.badge(
            ngettext("{n} open dispute", "{n} open disputes", waiting),
            icon=":material/gavel:",
            color="blue",
        )
    if reading.revisions:
        st.badge(_("Changed since"), icon=":material/history:", color="gray")
    if reading.acknowledged_at:
        st.badge(
            _("Read by you") if reading.is_own else _("Read by the advisor"),
            icon=":material/done_all:",
            color="gray",
        )


def _help_score(reading: EvaluationView) -> str | None:
    return (
        _(
            "Of 100; passed from {mark} on.",
            mark=formatting.value(reading.pass_mark, "score", short=True),
        )
        if reading.pass_mark is not None
        else None
    )


def _show_ways(viewer: Viewer, reading: EvaluationView) -> None:
    """To the contact for who may see it, and to the form for who fills it."""
    if reading.contact_id and viewer.can(Permission.SEE_CONTACTS):
        args = ("evaluation", reading.source_system, reading.contact_id)
        st.button(
            _("Open the contact"),
            icon=":material/call:",
            type="tertiary",
            on_click=drill.to_contact,
            args=args,
        )
    elif reading.state == "draft":
        st.button(
            _("Go on filling it"),
            icon=":material/edit:",
            type="tertiary",
            on_click=drill.to_draft,
            args=(reading.evaluation_id,),
        )
