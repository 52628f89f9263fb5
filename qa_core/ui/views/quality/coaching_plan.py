"""One coaching plan in full: its goal and effect, its sessions and remarks, and its end."""

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import _
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
    severity_of,
)
from qa_core.ui import (
    actions,
    cached,
    cards,
    download_links,
    drill,
    gate,
    layout,
    personal_data,
    readings,
)
from qa_core.ui.markdown import escape

PLAN, READ = "plan", "coaching_read"
SEEN = "coaching_seen"
"""Version of each plan that was on the screen, by number of the plan."""
ENDS = {CoachingState.REACHED: "check_circle", CoachingState.STOPPED: "cancel"}
"""How a plan can end, with the symbol of the button."""


def choose(plan_id: int) -> None:
    """Callback: show that plan in full."""
    st.query_params[PLAN] = str(plan_id)


def format_evaluation(entry: plans.EvaluationReference) -> str:
    """Return the day and the score of an evaluation that a plan comes from."""
    return f"{formatting.day(entry.day, year=True)} · {formatting.value(entry.score, 'score')}"


def show_training_file(advisor_id: str) -> None:
    """Show the button that exports the training file of an advisor."""
    download_links.show_download(
        training_file.KIND, label=_("Training file"), key=advisor_id, advisor_id=advisor_id
    )


def show(viewer: Viewer, plan: CoachingPlanView, texts: GridTexts) -> None:
    """Show the plan, with what this viewer may do about it."""
    plan = readings.read(
        READ, plan.advisor_id, lambda: plans.read_plan(viewer, plan.id), lambda: plan
    )
    # An end is decided on what was on the screen, not on what this run has just read.
    seen = st.session_state.get(SEEN, {}).get(plan.id, plan.version)
    start = _("since {day}", day=formatting.day(plan.starts_on, year=True))
    parts = [plan.advisor, plan.team, describe_state(plan), start, plan.opened_by]
    hint = " · ".join(filter(None, parts))
    title = ChartTitle(plan.goal, "attention" if plan.is_overdue else "")
    with cards.card(title, hint, gap="small"):
        left, right = st.columns(2, gap="medium")
        with left:
            _show_effect(viewer, plan, texts)
        with right:
            _show_notes(plan)
        with layout.row():
            if plan.may_change:
                _ask_end(plan, seen)
            show_training_file(plan.advisor_id)
    st.session_state[SEEN] = {**st.session_state.get(SEEN, {}), plan.id: plan.version}


def _show_effect(viewer: Viewer, plan: CoachingPlanView, texts: GridTexts) -> None:
    effect = cached.find_effect(viewer, plan.id)
    cards.show_heading(
        ChartTitle(describe_verdict(effect), severity_of(effect)), describe_criteria(plan, texts)
    )
    st.markdown("\n".join(f"- {escape(sentence)}" for sentence in describe_effect(effect)))
    heard = ()
    if plan.evaluations:
        heard = plans.find_evaluations(viewer, plan.advisor_id, plan.evaluations)
    if not heard:
        return
    st.caption(_("Based on these evaluations"))
    with st.container(horizontal=True, gap="small"):
        for entry in heard:
            title, key = escape(format_evaluation(entry)), f"heard_{plan.id}_{entry.id}"
            layout.show_quiet_button(
                "grading", title, key, drill.to_evaluation, "coaching", entry.id
            )


def _show_notes(plan: CoachingPlanView) -> None:
    cards.show_heading(_("Sessions and remarks"), describe_progress(plan))
    for note in reversed(plan.notes):
        kind = _("remark")
        if note.minutes is not None:
            kind = _("session of {n} min", n=note.minutes)
        moment = formatting.local_moment(note.written_at)
        with st.container(gap=None):
            st.caption(escape(f"{moment} · {note.author} · {kind}"))
            st.text(note.text)
    if not plan.notes:
        st.caption(_("Nothing written yet."))
    if plan.may_note:
        _ask_note(plan)
    elif plan.has_left and plan.state == CoachingState.OPEN:
        message = _(
            "{name} has left the team {team}, so this plan can only be ended. Their present team "
            "lead can open a new one.",
            name=plan.advisor,
            team=plan.team,
        )
        st.caption(escape(message))


def _ask_note(plan: CoachingPlanView) -> None:
    # Another key for each note: the field is empty once its note is written.
    key = f"{plan.id}_{len(plan.notes)}"
    text = st.text_area(
        _("Write"),
        max_chars=LONGEST_NOTE,
        height=90,
        key=f"note_{key}",
        help=_("The advisor, the team lead and their manager can read it."),
    )
    personal_data.show_warning(text)
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
            with actions.show_refusals():
                plans.add_note(gate.current_viewer(Permission.SEE_COACHING), plan.id, text, minutes)
                st.session_state.get(SEEN, {}).pop(plan.id, None)
                choose(plan.id)
                actions.finish(_("Written."))


def _ask_end(plan: CoachingPlanView, seen: int) -> None:
    """Ask how the plan ends. `seen`: the version that was on the screen."""
    with st.popover(_("End the plan"), icon=":material/flag:", key=f"end_{plan.id}"):
        st.caption(_("An ended plan stays readable. Its effect is followed for ninety more days."))
        for state, symbol in ENDS.items():
            if st.button(
                _(STATES[state]),
                icon=f":material/{symbol}:",
                key=f"end_{plan.id}_{state}",
                width="stretch",
            ):
                with actions.show_refusals():
                    acting = gate.current_viewer(Permission.MANAGE_COACHING)
                    plans.end_plan(acting, plan.id, state, seen)
                    choose(plan.id)
                    actions.finish(_("The plan has ended."))
