"""The form that opens a coaching plan, empty or filled from what the list of the week
says.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.metrics.query.scorecard_texts import GridTexts
from qa_core.quality.coaching import plans
from qa_core.quality.coaching.plans import LONGEST_GOAL
from qa_core.ui import cards, gate
from qa_core.ui.views.quality import coaching_plan

START, ROUND = "coaching_start", "coaching_round"
USUAL_WEEKS = 6


def begin(start: dict[str, Any] | None) -> None:
    """Callback: open the form, filled with `advisor_id`, `criteria` and `goal` where
    they are given.
    """
    st.session_state[START] = start or {}
    st.session_state[ROUND] = st.session_state.get(ROUND, 0) + 1


def show(viewer: Viewer, texts: GridTexts) -> None:
    """The form, while it is open."""
    start = st.session_state.get(START)
    if start is None:
        return
    people, number = plans.find_trainees(viewer), st.session_state[ROUND]
    with st.container(border=True, gap="small"):
        cards.show_heading(
            ChartTitle(_("Open a coaching plan")),
            _("Agree on it with the advisor first: they read it, and may write on it."),
        )
        if not people:
            st.caption(_("Nobody is in a team that you lead today."))
            return
        given = start.get("advisor_id")
        options = list(people)
        advisor = st.selectbox(
            _("Advisor"),
            options,
            index=options.index(given) if given in options else 0,
            format_func=people.get,
            key=f"coaching_who_{number}",
        )
        # Another advisor is another plan: what was filled in for the first one is not
        # theirs.
        key, is_given = f"{number}_{advisor}", advisor == given
        goal = st.text_area(
            _("Goal"),
            start.get("goal", "") if is_given else "",
            max_chars=LONGEST_GOAL,
            height=80,
            key=f"coaching_goal_{key}",
            help=_("What the advisor will do differently, so that both would notice."),
        )
        coaching_plan.warn_of_personal_data(goal)
        known = plans.find_criteria(viewer, advisor)
        criteria = st.multiselect(
            _("Criteria"),
            known,
            [name for name in start.get("criteria", ()) if name in known] if is_given else [],
            format_func=lambda name: texts.name("criterion", name),
            placeholder=_("None: the whole score"),
            key=f"coaching_criteria_{key}",
        )
        heard = {entry.id: entry for entry in plans.find_heard(viewer, advisor)}
        evaluations = st.multiselect(
            _("Comes from these evaluations"),
            list(heard),
            format_func=lambda number: (
                f"{formatting.day(heard[number].day, year=True)} · "
                f"{formatting.value(heard[number].score, 'score')}"
            ),
            placeholder=_("None in particular"),
            key=f"coaching_heard_{key}",
        )
        today = environment.today()
        with st.container(horizontal=True, gap="small"):
            starts_on = st.date_input(
                _("Starts"), today, format="DD/MM/YYYY", key=f"coaching_starts_{key}", width=180
            )
            due_on = st.date_input(
                _("Due"),
                today + timedelta(weeks=USUAL_WEEKS),
                format="DD/MM/YYYY",
                key=f"coaching_due_{key}",
                width=180,
            )
        with st.container(horizontal=True, gap="small"):
            is_sent = st.button(
                _("Open the plan"),
                type="primary",
                icon=":material/check:",
                key=f"coaching_send_{number}",
            )
            st.button(_("Cancel"), on_click=_close, key=f"coaching_cancel_{number}")
    if is_sent:
        try:
            opened = plans.open_plan(
                gate.current_viewer(Permission.MANAGE_COACHING),
                advisor,
                goal,
                criteria,
                evaluations,
                starts_on,
                due_on,
            )
        except Refusal as refusal:
            gate.show_refusal(refusal)
            return
        _close()
        coaching_plan.choose(opened)
        coaching_plan.describe(_("The plan is open, and the advisor can read it."))
        st.rerun()


def _close() -> None:
    st.session_state.pop(START, None)
