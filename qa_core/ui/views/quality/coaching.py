"""The Coaching page: who needs what this week, the plans, their progress and effect."""

from collections.abc import Sequence

import streamlit as st

from qa_core.access.roles import Permission, Role, Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics.rows import scorecard_texts
from qa_core.quality.coaching import plans
from qa_core.quality.coaching import texts as wording
from qa_core.quality.coaching.needs import Need
from qa_core.quality.coaching.plans import CoachingPlanView, CoachingState
from qa_core.ui.frame import cached, layout, menu, url_state
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.quality import coaching_plan
from qa_core.ui.widgets import cards, drill, segmented_choice, tables

VIEWS = {"open": N_("Under way"), "ended": N_("Ended plans")}


def show_week(viewer: Viewer) -> None:
    """Show who needs what this week, each with the way to a plan filled from it."""
    week, texts = cached.find_needs(viewer), scorecard_texts.find_scorecard_texts(viewer)
    title = _("No advisor needs you this week")
    if week.needs:
        title = ngettext(
            "This week: {n} advisor needs you", "This week: {n} advisors need you", len(week.needs)
        )
    with cards.card(title, wording.describe_week(week), gap="small"):
        for need in week.needs:
            if not need.is_unheard_only:
                _show_need(need, texts)
        if unheard := [need for need in week.needs if need.is_unheard_only]:
            _show_unheard(unheard, texts)
        layout.show_button("add", _("Open a plan"), "open_any", coaching_plan.begin, None)
    coaching_plan.show_form(texts)


def show_plans(viewer: Viewer) -> None:
    """Show the plans in scope, open or ended, and the one that the address names."""
    known, texts = plans.find_plans(viewer), scorecard_texts.find_scorecard_texts(viewer)
    with cards.card(_describe(known)):
        by_view = {
            "open": [plan for plan in known if plan.state == CoachingState.OPEN],
            "ended": [plan for plan in known if plan.state != CoachingState.OPEN],
        }
        chosen = "open"
        if by_view["ended"]:
            titles = {key: _(title) for key, title in VIEWS.items()}
            chosen = segmented_choice.ask("coaching", _("Plans"), titles, key="coaching_which")
        if known:
            _show_table(viewer, by_view[chosen], texts, f"coaching_plans_{chosen}")
    plan = known[0] if len(known) == 1 else None
    if (asked := st.query_params.get(coaching_plan.PLAN)) is not None:
        plan = plans.get_plan(viewer, url_state.read_number(asked))
    if plan is not None:
        coaching_plan.show(viewer, plan, texts)


def _describe(known: Sequence[CoachingPlanView]) -> ChartTitle:
    if not known:
        return ChartTitle(_("No plan yet"))
    count = sum(plan.state == CoachingState.OPEN for plan in known)
    late = sum(plan.is_overdue for plan in known)
    text = ngettext("{n} plan under way", "{n} plans under way", count)
    if late:
        text += " · " + ngettext("{n} overdue", "{n} overdue", late)
    return ChartTitle(text, "attention" if late else "")


def show_line(viewer: Viewer, advisor_id: str | None = None) -> None:
    """Show an advisor's open plans on another page (None: one's own), as links."""
    person = advisor_id or viewer.advisor_id
    if not viewer.can(Permission.SEE_COACHING) or person is None:
        return
    texts = scorecard_texts.find_scorecard_texts(viewer)
    for plan in plans.find_plans(viewer, person, is_open=True):
        with st.container(gap=None):
            label = escape(_("Coaching: {goal}", goal=plan.goal))
            menu.show_page_link("coaching", label, query={"plan": str(plan.id)})
            st.caption(
                escape(f"{wording.describe_state(plan)} · {wording.describe_criteria(plan, texts)}")
            )
    with layout.row():
        coaching_plan.show_training_file(person)
        if viewer.can(Permission.MANAGE_COACHING) and person in plans.find_trainees(viewer):
            start = {"advisor_id": person, "is_shown": False}
            layout.show_quiet_button(
                "add", _("Open a plan"), "open_here", coaching_plan.begin, start
            )
            coaching_plan.show_form(texts)


def _show_need(need: Need, texts: scorecard_texts.ScorecardTexts) -> None:
    with cards.card(gap="xsmall", key=f"need_{need.advisor_id}"):
        with layout.row():
            number = need.advisor_id
            layout.show_quiet_button(
                "person", escape(need.advisor), f"who_{number}", drill.to_advisor, number
            )
            st.caption(escape(need.team))
        reasons = (escape(wording.describe_reason(reason, texts)) for reason in need.reasons)
        st.markdown("\n".join(f"- {reason}" for reason in reasons))
        with st.container(horizontal=True, gap="small"):
            plan_ids = (reason.plan_id for reason in need.reasons if reason.plan_id is not None)
            for plan_id in dict.fromkeys(plan_ids):
                key, title = f"plan_of_{need.advisor_id}_{plan_id}", _("Show the plan")
                layout.show_button("arrow_forward", title, key, coaching_plan.choose, plan_id)
            if need.criteria:
                start = {
                    "advisor_id": need.advisor_id,
                    "criteria": need.criteria,
                    "goal": wording.suggest_goal(need, texts),
                }
                key, title = f"open_{need.advisor_id}", _("Open a plan")
                layout.show_button("add", title, key, coaching_plan.begin, start, type="primary")


def _show_unheard(needs: Sequence[Need], texts: scorecard_texts.ScorecardTexts) -> None:
    columns = (
        tables.name_column(_("Advisor"), lambda need: need.advisor),
        tables.text_column(_("Team"), lambda need: need.team),
        tables.text_column(
            _("Evidence"), lambda need: wording.describe_reason(need.reasons[0], texts)
        ),
    )
    tables.show(
        needs, columns, "unheard", lambda need: drill.to_advisor(need.advisor_id), height=300
    )


def _show_table(
    viewer: Viewer,
    shown: Sequence[CoachingPlanView],
    texts: scorecard_texts.ScorecardTexts,
    key: str,
) -> None:
    def state(plan: CoachingPlanView) -> str:
        return ("⚠ " if plan.is_overdue else "") + wording.describe_state(plan)

    columns = (
        None
        if viewer.role == Role.ADVISOR
        else tables.name_column(_("Advisor"), lambda plan: plan.advisor),
        tables.text_column(_("Goal"), lambda plan: plan.goal, 215),
        tables.text_column(_("State"), state, 165),
        tables.text_column(
            _("Change"),
            lambda plan: wording.describe_result(cached.find_effect(viewer, plan.id)),
            285,
        ),
        tables.text_column(_("Sessions"), wording.describe_progress, 130),
        tables.text_column(_("Criteria"), lambda plan: wording.describe_criteria(plan, texts), 320),
    )
    tables.show(shown, columns, key, lambda plan: coaching_plan.choose(plan.id), height=300)
