"""The form that opens a coaching plan, empty or filled from the list of the week."""

from datetime import timedelta
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.i18n import _
from qa_core.metrics.query.scorecard_texts import GridTexts
from qa_core.quality.coaching import plans
from qa_core.quality.coaching.plans import LONGEST_GOAL
from qa_core.ui import actions, cards, gate, layout, personal_data, select_box
from qa_core.ui.views.quality import coaching_plan

START, ROUND = "coaching_start", "coaching_round"
USUAL_WEEKS = 6


def begin(start: dict[str, Any] | None) -> None:
    """Callback: open the form, filled with `advisor_id`, `criteria` and `goal` if given."""
    st.session_state[START] = start or {}
    st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1


def show(viewer: Viewer, texts: GridTexts) -> None:
    """Show the form, while it is open."""
    start = st.session_state.get(START)
    if start is None:
        return
    people, number = plans.find_trainees(viewer), st.session_state[ROUND]
    hint = _("Agree on it with the advisor first. The advisor can read the plan and write on it.")
    with cards.card(_("Open a coaching plan"), hint, gap="small"):
        if not people:
            st.caption(_("You lead no advisor today."))
            return
        suggested = start.get("advisor_id")
        advisor = select_box.select(st, _("Advisor"), people, f"coaching_who_{number}", suggested)
        # What was suggested for one advisor is not filled in for another.
        key = f"{number}_{advisor}"
        content = _ask_content(viewer, advisor, start if advisor == suggested else {}, key, texts)
        with st.container(horizontal=True, gap="small"):
            is_sent = st.button(
                _("Open the plan"),
                type="primary",
                icon=":material/check:",
                key=f"coaching_send_{number}",
            )
            st.button(_("Cancel"), on_click=_close, key=f"coaching_cancel_{number}")
    if is_sent:
        with actions.show_refusals():
            acting = gate.current_viewer(Permission.MANAGE_COACHING)
            opened = plans.open_plan(acting, advisor, *content)
            _close()
            coaching_plan.choose(opened)
            actions.finish(_("The plan is open, and the advisor can read it."))


def _ask_content(
    viewer: Viewer, advisor: str, start: dict[str, Any], key: str, texts: GridTexts
) -> tuple[Any, ...]:
    """Ask for goal, criteria, evaluations, first and last day of a plan."""
    goal = st.text_area(
        _("Goal"),
        start.get("goal", ""),
        max_chars=LONGEST_GOAL,
        height=80,
        key=f"coaching_goal_{key}",
        help=_("What the advisor will do differently, visibly to both of you."),
    )
    personal_data.show_warning(goal)
    known = plans.find_criteria(viewer, advisor)
    criteria = st.multiselect(
        _("Criteria"),
        known,
        [name for name in start.get("criteria", ()) if name in known],
        format_func=lambda name: texts.name("criterion", name),
        placeholder=_("None: the overall score"),
        key=f"coaching_criteria_{key}",
    )
    heard = {entry.id: entry for entry in plans.find_evaluations(viewer, advisor)}
    evaluations = st.multiselect(
        _("Based on these evaluations"),
        list(heard),
        format_func=lambda number: coaching_plan.format_evaluation(heard[number]),
        placeholder=_("None in particular"),
        key=f"coaching_heard_{key}",
    )
    today = environment.today()
    with st.container(horizontal=True, gap="small"):
        starts_on = layout.ask_day(st, _("Starts"), today, f"coaching_starts_{key}", width=180)
        usual = today + timedelta(weeks=USUAL_WEEKS)
        due_on = layout.ask_day(st, _("Due"), usual, f"coaching_due_{key}", width=180)
    return goal, criteria, evaluations, starts_on, due_on


def _close() -> None:
    st.session_state.pop(START, None)
