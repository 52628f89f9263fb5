"""One coaching plan in full: its goal, what came of it, its sessions and remarks, and
how it ends.
"""

from __future__ import annotations

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base import environment, masking
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _
from qa_core.metrics import formatting
from qa_core.metrics.query.scorecard_texts import GridTexts
from qa_core.quality.coaching import plans, training_file
from qa_core.quality.coaching.plans import (
    LONGEST_NOTE,
    LONGEST_SESSION,
    CoachingPlanView,
    CoachingState,
)
from qa_core.quality.coaching.texts import (
    STATES,
    describe_criteria,
    describe_effect,
    describe_progress,
    describe_state,
    describe_verdict,
    tone_of,
)
from qa_core.ui import cached, cards, download_links, drill, gate, readings

PLAN, OUTCOME, SEEN, READ = "plan", "coaching_outcome", "coaching_seen", "coaching_read"


def choose(plan_id: int) -> None:
    """Callback: show that plan in full."""
    st.query_params[PLAN] = str(plan_id)


def describe(text: str) -> None:
    """Say that on top of the page on the next run."""
    st.session_state[OUTCOME] = text


def warn_of_personal_data(text: str) -> None:
    """Say below a field what in it seems to be personal data."""
    found = masking.find_personal_data(text)
    if found:
        kinds = formatting.listing(dict.fromkeys(_(masking.KINDS[one.kind]) for one in found))
        st.warning(
            _(
                "This seems to hold personal data ({kinds}). Take out what is not needed.",
                kinds=kinds,
            ),
            icon=":material/shield_person:",
        )


def show(viewer: Viewer, plan: CoachingPlanView, texts: GridTexts) -> None:
    """The plan, with what this reader may do about it."""
    plan = readings.read(
        READ, plan.advisor_id, lambda: plans.read_plan(viewer, plan.id), lambda: plan
    )
    # An end is decided on what was on the screen, not on what this run has just read.
    seen = st.session_state.get(SEEN, {}).get(plan.id, plan.version)
    with st.container(border=True, gap="small"):
        by = [
            plan.advisor,
            plan.team,
            describe_state(plan),
            _("since {day}", day=formatting.day(plan.starts_on, year=True)),
            plan.opened_by,
        ]
        cards.show_heading(
            ChartTitle(plan.goal, "attention" if plan.is_overdue else ""),
            " · ".join(filter(None, by)),
        )
        left, right = st.columns(2, gap="medium")
        with left:
            _show_effect(viewer, plan, texts)
        with right:
            _show_notes(viewer, plan)
        with st.container(horizontal=True, gap="small", vertical_alignment="center"):
            if plan.may_change:
                _ask_end(plan, seen)
            download_links.show_download(
                _("Training file"),
                training_file.KIND,
                key=plan.advisor_id,
                advisor_id=plan.advisor_id,
            )
    st.session_state[SEEN] = {**st.session_state.get(SEEN, {}), plan.id: plan.version}


def _show_effect(viewer: Viewer, plan: CoachingPlanView, texts: GridTexts) -> None:
    effect = cached.find_effect(viewer, plan.id)
    cards.show_heading(
        ChartTitle(describe_verdict(effect), tone_of(effect)), describe_criteria(plan, texts)
    )
    st.markdown("\n".join(f"- {cards.escape(sentence)}" for sentence in describe_effect(effect)))
    heard = plans.find_heard(viewer, plan.advisor_id, plan.evaluations) if plan.evaluations else ()
    if heard:
        st.caption(_("Comes from these evaluations"))
        with st.container(horizontal=True, gap="small"):
            for entry in heard:
                label = (
                    f"{formatting.day(entry.day, year=True)} · "
                    f"{formatting.value(entry.score, 'score')}"
                )
                st.button(
                    cards.escape(label),
                    key=f"heard_{plan.id}_{entry.id}",
                    type="tertiary",
                    icon=":material/grading:",
                    on_click=drill.to_evaluation,
                    args=("coaching", entry.id),
                )


def _show_notes(viewer: Viewer, plan: CoachingPlanView) -> None:
    cards.show_heading(ChartTitle(_("Sessions and remarks")), describe_progress(plan))
    for note in reversed(plan.notes):
        length = (
            _("session of {n} min", n=note.minutes) if note.minutes is not None else _("remark")
        )
        with st.container(gap=None):
            st.caption(
                cards.escape(
                    " · ".join(
                        (
                            formatting.moment(environment.to_local(note.written_at)),
                            note.author,
                            length,
                        )
                    )
                )
            )
            st.text(note.text)
    if not plan.notes:
        st.caption(_("Nothing written yet."))
    if plan.may_note:
        _ask_note(plan)
    elif plan.has_left and plan.state == CoachingState.OPEN:
        message = N_(
            "{name} has left the team {team}, in which this plan was opened: it can only be "
            "ended. Whoever leads them now opens another one."
        )
        st.caption(cards.escape(_(message, name=plan.advisor, team=plan.team)))


def _ask_note(plan: CoachingPlanView) -> None:
    # A new key for each version: the field is empty once its note is written.
    key = f"{plan.id}_{len(plan.notes)}"
    text = st.text_area(
        _("Write"),
        max_chars=LONGEST_NOTE,
        height=90,
        key=f"note_{key}",
        help=_("Read by the advisor, the team lead and their manager."),
    )
    warn_of_personal_data(text)
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        minutes = st.number_input(
            _("Minutes of a session"),
            1,
            LONGEST_SESSION,
            None,
            key=f"minutes_{key}",
            width=190,
            help=_("Empty: a remark without a session."),
        )
        if st.button(_("Add"), icon=":material/add_comment:", key=f"add_{key}"):
            try:
                plans.add_note(gate.current_viewer(Permission.SEE_COACHING), plan.id, text, minutes)
            except Refusal as refusal:
                gate.show_refusal(refusal)
                return
            describe(_("Written."))
            st.session_state.get(SEEN, {}).pop(plan.id, None)
            choose(plan.id)
            st.rerun()


def _ask_end(plan: CoachingPlanView, seen: int) -> None:
    with st.popover(_("End the plan"), icon=":material/flag:", key=f"end_{plan.id}"):
        st.caption(
            _("An ended plan stays readable, and its effect is followed for ninety days more.")
        )
        for state, icon in (
            (CoachingState.REACHED, ":material/check_circle:"),
            (CoachingState.STOPPED, ":material/cancel:"),
        ):
            if st.button(
                _(STATES[state]), icon=icon, key=f"end_{plan.id}_{state}", width="stretch"
            ):
                try:
                    plans.end_plan(
                        gate.current_viewer(Permission.MANAGE_COACHING), plan.id, state, seen
                    )
                except Refusal as refusal:
                    gate.show_refusal(refusal)
                    continue
                describe(_("The plan has ended."))
                choose(plan.id)
                st.rerun()
