"""Coaching: the list of the week with the way to a prefilled plan, and the plans with
how they stand and what came of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Role, Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics.query import scorecard_texts
from qa_core.quality.coaching import plans, training_file
from qa_core.quality.coaching.needs import Need
from qa_core.quality.coaching.plans import CoachingPlanView, CoachingState
from qa_core.quality.coaching.texts import (
    describe_criteria,
    describe_progress,
    describe_reason,
    describe_result,
    describe_state,
    describe_week,
    suggest_goal,
)
from qa_core.ui import cached, cards, download_links, drill, menu, segmented_choice, tables
from qa_core.ui.views.quality import coaching_form, coaching_plan

TABLE = "coaching_plans"
WHICH = {"open": N_("Under way"), "ended": N_("Plans that ended")}


def show_outcome() -> None:
    """What came of the last change."""
    if said := st.session_state.pop(coaching_plan.OUTCOME, None):
        st.success(said, icon=":material/check:")


def show_week(viewer: Viewer) -> None:
    """Who needs what this week, and for each the way to a plan that is filled from it."""
    week = cached.find_needs(viewer)
    texts = scorecard_texts.find_grid_texts(viewer)
    with st.container(border=True, gap="small"):
        n = len(week.needs)
        finding = (
            ChartTitle(
                ngettext("This week: {n} advisor needs you", "This week: {n} advisors need you", n)
            )
            if n
            else ChartTitle(_("Nothing to see to this week"))
        )
        cards.show_heading(finding, describe_week(week))
        for need in week.needs:
            _show_need(need, texts)
        st.button(
            _("Open a plan"),
            icon=":material/add:",
            on_click=coaching_form.begin,
            args=(None,),
            key="open_any",
        )
    coaching_form.show(viewer, texts)


def show_plans(viewer: Viewer) -> None:
    """The plans in scope, open or ended, and the one that the address names in full."""
    found, texts = plans.find_plans(viewer), scorecard_texts.find_grid_texts(viewer)
    sides = {
        "open": [plan for plan in found if plan.state == CoachingState.OPEN],
        "ended": [plan for plan in found if plan.state != CoachingState.OPEN],
    }
    with st.container(border=True, gap="xxsmall"):
        late = sum(plan.is_overdue for plan in found)
        text = ngettext("{n} plan under way", "{n} plans under way", len(sides["open"])) + (
            " · " + ngettext("{n} overdue", "{n} overdue", late) if late else ""
        )
        caption = _(
            "The change on the criteria of a plan, with its interval: against matched "
            "colleagues where there are some."
        )
        if not viewer.can(Permission.SEE_ADVISORS):
            caption = _(
                "What you and your team lead agreed to work on, and how your scores on it "
                "changed. Colleagues see none of it."
            )
        cards.show_heading(
            ChartTitle(text if found else _("No coaching plan yet"), "attention" if late else ""),
            caption if found else "",
        )
        if found:
            which = (
                segmented_choice.ask(
                    "coaching",
                    _("Plans"),
                    {key: _(title) for key, title in WHICH.items()},
                    key="coaching_which",
                )
                if sides["ended"]
                else "open"
            )
            if sides[which]:
                _show_table(viewer, sides[which], texts, which)
            else:
                st.caption(_("None."))
    chosen = _find_chosen(viewer, found)
    if chosen is not None:
        coaching_plan.show(viewer, chosen, texts)


def show_line(viewer: Viewer, advisor_id: str | None = None) -> None:
    """On other pages: the open plans of one advisor (None: one's own), each leading to
    itself, and their training file.
    """
    person = advisor_id or viewer.advisor_id
    if not viewer.can(Permission.SEE_COACHING) or person is None:
        return
    page, texts = menu.find_page("coaching"), scorecard_texts.find_grid_texts(viewer)
    for plan in plans.find_plans(viewer, person, is_open=True):
        with st.container(gap=None):
            label = cards.escape(_("Coaching: {goal}", goal=plan.goal))
            st.page_link(
                page.path, label=label, icon=page.icon, query_params={"plan": str(plan.id)}
            )
            st.caption(cards.escape(f"{describe_state(plan)} · {describe_criteria(plan, texts)}"))
    download_links.show_download(
        _("Training file"), training_file.KIND, key=person, advisor_id=person
    )


def _show_need(need: Need, texts: scorecard_texts.GridTexts) -> None:
    with st.container(border=True, gap="xsmall", key=f"need_{need.advisor_id}"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            label = cards.escape(need.advisor)
            st.button(
                label,
                key=f"who_{need.advisor_id}",
                type="tertiary",
                icon=":material/person:",
                on_click=drill.to_advisor,
                args=(need.advisor_id,),
            )
            st.caption(cards.escape(need.team))
        st.markdown(
            "\n".join(
                f"- {cards.escape(describe_reason(reason, texts))}" for reason in need.reasons
            )
        )
        with st.container(horizontal=True, gap="small"):
            for plan_id in dict.fromkeys(
                reason.plan_id for reason in need.reasons if reason.plan_id is not None
            ):
                key = f"plan_of_{need.advisor_id}_{plan_id}"
                st.button(
                    _("Show the plan"),
                    key=key,
                    icon=":material/arrow_forward:",
                    on_click=coaching_plan.choose,
                    args=(plan_id,),
                )
            if need.criteria:
                start = {
                    "advisor_id": need.advisor_id,
                    "criteria": need.criteria,
                    "goal": suggest_goal(need, texts),
                }
                st.button(
                    _("Open a plan for this"),
                    key=f"open_{need.advisor_id}",
                    type="primary",
                    icon=":material/add:",
                    on_click=coaching_form.begin,
                    args=(start,),
                )


def _show_table(
    viewer: Viewer, found: Sequence[CoachingPlanView], texts: scorecard_texts.GridTexts, which: str
) -> None:
    who, goal, state, about, held, result = (
        _("Advisor"),
        _("Goal"),
        _("State"),
        _("Criteria"),
        _("Sessions"),
        _("Change"),
    )
    rows = []
    for plan in found:
        row: dict[str, Any] = {} if viewer.role == Role.ADVISOR else {who: plan.advisor}
        row |= {
            goal: plan.goal,
            state: ("⚠ " if plan.is_overdue else "") + describe_state(plan),
            result: describe_result(cached.find_effect(viewer, plan.id)),
            held: describe_progress(plan),
            about: describe_criteria(plan, texts),
        }
        rows.append(row)
    config = {
        who: tables.name_column(who),
        goal: st.column_config.TextColumn(goal, width=215),
        state: st.column_config.TextColumn(state, width=165),
        result: st.column_config.TextColumn(result, width=285),
        held: st.column_config.TextColumn(held, width=130),
        about: st.column_config.TextColumn(about, width=320),
    }
    key = f"{TABLE}_{which}"

    def take() -> None:
        cells = st.session_state[key]["selection"]["cells"]
        if cells:
            coaching_plan.choose(found[cells[0][0]].id)

    tables.show(rows, config, key, take, height=300)


def _find_chosen(viewer: Viewer, found: Sequence[CoachingPlanView]) -> CoachingPlanView | None:
    """The plan of the address, or the only one there is."""
    asked = st.query_params.get(coaching_plan.PLAN)
    if asked is not None:
        return plans.get_plan(viewer, int(asked) if asked.isdecimal() else 0)
    return found[0] if len(found) == 1 else None
