"""The Listening plan page: plans with their progress; drawing, giving out, sizing."""

from collections.abc import Sequence

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import N_, _
from qa_core.metrics import dimensions, formatting
from qa_core.metrics.dimensions import Period
from qa_core.metrics.query import scorecard_texts
from qa_core.quality import sampling
from qa_core.quality.sampling import PlanState, labels
from qa_core.quality.sampling.plan_file import LIMITS
from qa_core.ui import actions, cards, empty_states, gate, layout, segmented_choice
from qa_core.ui.markdown import escape
from qa_core.ui.views.quality import assigned_contacts, draws, listening_plan_form, sample_sizes

SECTION = "part"
SECTIONS = {
    "plans": N_("Plans"),
    "draw": N_("Draws"),
    "given": N_("Assigned"),
    "sizes": N_("How many?"),
}


def choose_section() -> str:
    """Ask for plans, draws, what was given out, or how many it takes."""
    titles = {key: _(title) for key, title in SECTIONS.items()}
    return segmented_choice.ask(SECTION, _("About"), titles)


def show_obstacle(viewer: Viewer) -> None:
    """Show why nothing can be drawn yet."""
    if refusal := sampling.find_obstacle(viewer):
        gate.show_refusal(refusal)


def show(viewer: Viewer, section: str) -> None:
    """Show the chosen section."""
    plans = sampling.find_plans(viewer)
    if section == "sizes":
        sample_sizes.show(viewer, plans)
    elif section == "plans":
        _show_plans(viewer, plans)
        listening_plan_form.ask(viewer, has_plans=bool(plans))
    elif not plans:
        text = _(
            "Contacts are drawn for a plan: purpose, period, contacts per advisor, "
            "evaluators. Make one under Plans."
        )
        empty_states.card(":material/inbox:", _("No plan yet"), text)
    elif section == "draw":
        draws.show(viewer, plans)
    else:
        assigned_contacts.show(viewer, plans)


def _show_plans(viewer: Viewer, plans: Sequence[PlanState]) -> None:
    choices, texts = sampling.find_choices(viewer), scorecard_texts.find_grid_texts(viewer)
    titles = {key: texts.name("grid", title) for key, title in choices["grids"]}
    names = dict(choices["evaluators"])
    for plan in plans:
        evaluators = [names.get(username, username) for username in plan.evaluators]
        with cards.card(gap="xsmall"):
            left, right = st.columns([3, 2], gap="medium")
            with left:
                _show_rules(plan, titles.get(plan.grid_key, plan.grid_key), evaluators)
            with right:
                _show_progress(plan)
                if not plan.is_closed and plan.purpose != "targeted":
                    _show_buttons(plan)


def _show_rules(plan: PlanState, scorecard: str, evaluators: Sequence[str]) -> None:
    closed = " · " + _("closed") if plan.is_closed else ""
    period = formatting.period(Period(plan.starts_on, plan.ends_on))
    st.markdown(f"**{escape(plan.name)}**{closed}")
    st.caption(escape(f"{labels.name_purpose(plan.purpose)} · {period} · {scorecard}"))
    st.caption(escape(" · ".join(_describe_rules(plan, evaluators))))


def _show_progress(plan: PlanState) -> None:
    if plan.drawn:
        text = _(
            "{done} of {drawn} done",
            done=formatting.number(plan.done),
            drawn=formatting.number(plan.drawn),
        )
        st.progress(min(1.0, plan.done / plan.drawn), text=text)
    elif plan.draws:
        st.caption(_("Nothing was drawn: no contact was left that may be listened to."))
    else:
        st.caption(_("Nothing is drawn yet."))
    parts = []
    if plan.overdue:
        overdue = _("{n} overdue", n=formatting.number(plan.overdue))
        parts.append(f":orange[:material/error:] {overdue}")
    if plan.short:
        short = formatting.number(plan.short)
        parts.append(_("{n} missing: too few contacts that may be listened to", n=short))
    if plan.due_on:
        parts.append(_("due on {day}", day=formatting.day(plan.due_on, year=True)))
    if parts:
        st.caption(" · ".join(parts))


def _show_buttons(plan: PlanState) -> None:
    with layout.row():
        title, look = _("Draw its contacts"), "primary"
        if plan.draws:
            title, look = _("Draws"), "tertiary"
        layout.show_button("casino", title, f"draw_{plan.id}", _go_to_draws, plan.name, type=look)
        layout.show_quiet_button("lock", _("Close"), f"close_{plan.id}", _close, plan.name)


def _describe_rules(plan: PlanState, evaluators: Sequence[str]) -> list[str]:
    shortest, longest = (plan.filters.get(name) for name in LIMITS)
    strata = (labels.name_dimension(name).lower() for name in plan.strata)
    parts = [
        None
        if plan.purpose == "targeted"
        else _(
            "{n} per advisor, at most {most} with all plans",
            n=plan.per_advisor,
            most=plan.maximum_per_advisor,
        ),
        _("spread over {names}", names=formatting.listing(strata)) if plan.strata else None,
        *(
            _describe_filter(name, values)
            for name, values in plan.filters.items()
            if isinstance(values, list)
        ),
        _("from {duration}", duration=formatting.duration(shortest)) if shortest else None,
        _("up to {duration}", duration=formatting.duration(longest)) if longest else None,
        _("at most {n} per evaluator", n=formatting.number(plan.most_per_evaluator))
        if plan.most_per_evaluator
        else None,
        _("evaluators: {names}", names=formatting.listing(evaluators)) if evaluators else None,
    ]
    return [part for part in parts if part]


def _describe_filter(dimension: str, values: Sequence[object]) -> str:
    return _(
        "{dimension}: {values}",
        dimension=_(dimensions.get_dimension(dimension).title).lower(),
        values=formatting.listing(formatting.name(dimension, value) for value in values),
    )


def _go_to_draws(name: str) -> None:
    st.session_state[SECTION], st.session_state[draws.PLAN] = "draw", name


def _close(name: str) -> None:
    with actions.show_refusals():
        sampling.close(gate.current_viewer(Permission.MANAGE_LISTENING), name)
        actions.keep_outcome(_("The plan is closed: no more contacts are drawn for it."))
