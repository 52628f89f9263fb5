"""One coaching plan: the form that opens it, its effect, sessions and remarks, and its end."""

from datetime import timedelta
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base import environment
from qa_core.base.i18n import _
from qa_core.metrics.kpis import formatting
from qa_core.metrics.rows.scorecard_texts import ScorecardTexts
from qa_core.quality.coaching import plans, training_file
from qa_core.quality.coaching import texts as wording
from qa_core.quality.coaching.plans import CoachingPlanView, CoachingState
from qa_core.quality.this_week import PLAN
from qa_core.ui.frame import cached, gate, layout, open_once
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import actions, cards, download_links, drill, personal_data

READ = "coaching_read"
SEEN = "coaching_seen"
"""Version of each plan that was on the screen, by number of the plan."""
ENDS = {CoachingState.REACHED: "check_circle", CoachingState.STOPPED: "cancel"}
"""How a plan can end, with the symbol of the button."""
START, ROUND = "coaching_start", "coaching_round"
DEFAULT_WEEKS = 6


def choose(plan_id: int) -> None:
    """Callback: show that plan in full."""
    st.query_params[PLAN] = str(plan_id)


def _format_evaluation(entry: plans.EvaluationReference) -> str:
    return f"{formatting.day(entry.day, year=True)} · {formatting.value(entry.score, 'score')}"


def show_training_file(advisor_id: str) -> None:
    download_links.show_download(
        training_file.KIND, label=_("Training file"), key=advisor_id, advisor_id=advisor_id
    )


def show(viewer: Viewer, plan: CoachingPlanView, texts: ScorecardTexts) -> None:
    """Show the plan, with what this viewer may do about it."""
    plan = open_once.read(
        READ, plan.advisor_id, lambda: plans.read_plan(viewer, plan.id), lambda: plan
    )
    # An end is decided on what was on the screen, not on what this run has just read.
    seen = st.session_state.get(SEEN, {}).get(plan.id, plan.version)
    start = _("since {day}", day=formatting.day(plan.starts_on, year=True))
    parts = [plan.advisor, plan.team, wording.describe_state(plan), start, plan.opened_by]
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


def _show_effect(viewer: Viewer, plan: CoachingPlanView, texts: ScorecardTexts) -> None:
    effect = cached.find_effect(viewer, plan.id)
    cards.show_heading(
        ChartTitle(wording.describe_result(effect), wording.severity_of(effect)),
        wording.describe_criteria(plan, texts),
    )
    st.markdown("\n".join(f"- {escape(sentence)}" for sentence in wording.describe_effect(effect)))
    heard = ()
    if plan.evaluations:
        heard = plans.find_evaluations(viewer, plan.advisor_id, plan.evaluations)
    if not heard:
        return
    st.caption(_("Based on these evaluations"))
    with st.container(horizontal=True, gap="small"):
        for entry in heard:
            title, key = escape(_format_evaluation(entry)), f"heard_{plan.id}_{entry.id}"
            layout.show_quiet_button(
                "grading", title, key, drill.to_evaluation, "coaching", entry.id
            )


def _show_notes(plan: CoachingPlanView) -> None:
    cards.show_heading(_("Sessions and remarks"), wording.describe_progress(plan))
    for note in reversed(plan.notes):
        parts = [formatting.local_moment(note.written_at), note.author]
        if note.minutes is not None:
            parts.append(_("session of {n} min", n=note.minutes))
        with st.container(gap=None):
            st.caption(escape(" · ".join(parts)))
            st.text(note.text)
    if plan.may_note:
        _ask_note(plan)
    elif plan.has_left and plan.state == CoachingState.OPEN:
        st.caption(escape(_(plans.LEFT_TEAM, team=plan.team)))


def _ask_note(plan: CoachingPlanView) -> None:
    # Another key for each note: the field is empty once its note is written.
    key = f"{plan.id}_{len(plan.notes)}"
    hint = _("The advisor, the team lead and their manager can read it.")
    text = personal_data.ask_text(_("Write"), plans.MAX_NOTE, f"note_{key}", height=90, help=hint)
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
        minutes = st.number_input(
            _("Minutes of a session"), 1, plans.MAX_SESSION, None, key=f"minutes_{key}", width=190
        )
        if st.button(_("Add"), icon=":material/add_comment:", key=f"add_{key}"):
            with actions.perform(Permission.SEE_COACHING) as acting:
                plans.add_note(acting, plan.id, text, minutes)
                st.session_state.get(SEEN, {}).pop(plan.id, None)
                choose(plan.id)


def _ask_end(plan: CoachingPlanView, seen: int) -> None:
    """Ask how the plan ends. `seen`: the version that was on the screen."""
    with st.popover(_("End the plan"), icon=":material/flag:", key=f"end_{plan.id}"):
        for state, symbol in ENDS.items():
            if st.button(
                _(wording.STATES[state]),
                icon=f":material/{symbol}:",
                key=f"end_{plan.id}_{state}",
                width="stretch",
            ):
                with actions.perform(Permission.MANAGE_COACHING) as acting:
                    plans.end_plan(acting, plan.id, state, seen)
                    choose(plan.id)


def begin(start: dict[str, Any] | None) -> None:
    """Callback: open the form, filled with `advisor_id`, `criteria` and `goal` if given.
    `is_shown`: false where the page does not show the plan that was opened.
    """
    st.session_state[START] = start or {}
    st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1


def show_form(texts: ScorecardTexts) -> None:
    """Show the form in a dialog, while it is open."""
    if START in st.session_state:
        st.dialog(_("Open a plan"), width="medium", on_dismiss=_close_form)(_fill_form)(texts)


def _fill_form(texts: ScorecardTexts) -> None:
    if (start := st.session_state.get(START)) is None:
        st.rerun()
    viewer = gate.current_viewer(Permission.MANAGE_COACHING)
    people, number = plans.find_trainees(viewer), st.session_state[ROUND]
    st.caption(
        _("Agree on it with the advisor first. The advisor can read the plan and write on it.")
    )
    if not people:
        st.caption(_("You lead no advisor today."))
        return
    suggested = start.get("advisor_id")
    advisor = layout.select(st, _("Advisor"), people, f"coaching_who_{number}", suggested)
    # What was suggested for one advisor is not filled in for another.
    key = f"{number}_{advisor}"
    content = _ask_content(viewer, advisor, start if advisor == suggested else {}, key, texts)
    with layout.row():
        title, key = _("Open a plan"), f"coaching_send_{number}"
        is_sent = st.button(title, type="primary", icon=":material/check:", key=key)
        layout.show_button("", _("Cancel"), f"coaching_cancel_{number}", _close_form)
    if is_sent:
        with actions.perform(Permission.MANAGE_COACHING) as acting:
            opened = plans.open_plan(acting, advisor, *content)
            _close_form()
            if start.get("is_shown", True):
                choose(opened)


def _ask_content(
    viewer: Viewer, advisor: str, start: dict[str, Any], key: str, texts: ScorecardTexts
) -> tuple[Any, ...]:
    goal = personal_data.ask_text(
        _("Goal"),
        plans.MAX_GOAL,
        f"coaching_goal_{key}",
        value=start.get("goal", ""),
        height=80,
    )
    known = plans.find_criteria(viewer, advisor)
    titles = {name: texts.name("criterion", name) for name in known}
    criteria = layout.select_many(
        st, _("Criteria"), titles, f"coaching_criteria_{key}", start.get("criteria", ())
    )
    offered = plans.find_evaluations(viewer, advisor)
    titles = {entry.id: _format_evaluation(entry) for entry in offered}
    label = _("Based on these evaluations")
    evaluations = layout.select_many(st, label, titles, f"coaching_heard_{key}")
    today = environment.today()
    with st.container(horizontal=True, gap="small"):
        starts_on = layout.ask_day(st, _("From"), today, f"coaching_starts_{key}", width=180)
        usual = today + timedelta(weeks=DEFAULT_WEEKS)
        due_on = layout.ask_day(st, _("Due"), usual, f"coaching_due_{key}", width=180)
    return goal, criteria, evaluations, starts_on, due_on


def _close_form() -> None:
    st.session_state.pop(START, None)
