"""The Listening plan page: plans with their progress; drawing, giving out, sizing."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _
from qa_core.compliance.conditions import gates
from qa_core.metrics.kpis import dimensions, formatting
from qa_core.metrics.law.sampling_frame import DIMENSIONS, FILTERS
from qa_core.metrics.rows import scorecard_texts
from qa_core.quality import sampling
from qa_core.quality.sampling import PlanState, labels
from qa_core.quality.sampling.plan_file import LIMITS
from qa_core.ui.frame import cached, gate, layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.quality import draws, sample_sizes
from qa_core.ui.widgets import actions, cards, empty_states, segmented_choice

SECTION = "part"
SECTIONS = {
    "plans": N_("Plans"),
    "draw": N_("Draws"),
    "given": N_("Assigned"),
    "sizes": N_("How many?"),
}
DEFAULT_DISPUTE_DAYS = 14
FIELDS = {
    "name": N_("Name"),
    "purpose": N_("Purpose"),
    "grid": N_("Scorecard"),
    "from": N_("First day of contacts"),
    "to": N_("Last day of contacts"),
    "due": N_("To be done by"),
    "per_advisor": N_("Contacts per advisor"),
    "maximum_per_advisor": N_("At most per advisor"),
    "evaluators": N_("Evaluators"),
    "minimum_seconds": N_("Shortest call, in seconds"),
    "maximum_seconds": N_("Longest call, in seconds"),
}
"""Labels of the fields, by their name in a plan's file."""


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
        _ask_plan(viewer, has_plans=bool(plans))
    elif not plans:
        text = _(
            "Contacts are drawn for a plan: purpose, period, contacts per advisor, "
            "evaluators. Make one under Plans."
        )
        empty_states.card(":material/inbox:", _("No plan yet"), text)
    elif section == "draw":
        draws.show(viewer, plans)
    else:
        draws.show_assigned(viewer, plans)


def _show_plans(viewer: Viewer, plans: Sequence[PlanState]) -> None:
    choices, texts = sampling.find_choices(viewer), scorecard_texts.find_scorecard_texts(viewer)
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
    period = formatting.period(dimensions.Period(plan.starts_on, plan.ends_on))
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


def _ask_plan(viewer: Viewer, has_plans: bool) -> None:
    """Show the form; it is open while there is no plan."""
    choices, texts = sampling.find_choices(viewer), scorecard_texts.find_scorecard_texts(viewer)
    evaluators = dict(choices["evaluators"])
    scorecards = {key: texts.name("grid", title) for key, title in choices["grids"]}
    with st.expander(_("Make a plan"), icon=":material/add:", expanded=not has_plans):
        if not evaluators:
            text = _(
                "Nobody can fill in scorecards yet. An administrator adds an account with the "
                "role of evaluator, under People."
            )
            st.info(text)
            return
        with st.form("listening_plan", border=False):
            content = _ask_content(scorecards, evaluators)
            with st.expander(
                _("More: which contacts, how they are spread, when results are read"),
                icon=":material/tune:",
            ):
                content |= _ask_more(viewer)
            sent = st.form_submit_button(_("Make the plan"), type="primary")
    if sent:
        with actions.show_refusals():
            _add(gate.current_viewer(Permission.MANAGE_LISTENING), content)
            actions.finish(_("The plan is made. Draw its contacts now."))


def _add(viewer: Viewer, content: dict[str, Any]) -> None:
    """Add the plan. Raises Refusal, which names the fields by their labels."""
    try:
        sampling.add_plan(viewer, content)
    except Refusal as refusal:
        field = FIELDS.get(refusal.params.get("field", ""))
        if refusal.code != "bad_plan" or field is None:
            raise
        expected = refusal.params["expected"]
        for name in ("maximum_per_advisor", "per_advisor", "minimum_seconds"):
            expected = expected.replace(name, f"“{_(FIELDS[name])}”")
        raise Refusal(
            "bad_plan", "“{field}”: {expected}", field=_(field), expected=expected
        ) from refusal


def _ask_content(scorecards: dict[str, str], evaluators: dict[str, str]) -> dict[str, Any]:
    """Ask what every plan says; return it as its file would."""
    first = environment.today().replace(day=1)
    following = dimensions.add_months(first, 1)
    one, two, three = st.columns(3)
    content = {
        "name": one.text_input(_("Name"), max_chars=80, placeholder=f"{first:%Y-%m}"),
        "purpose": two.selectbox(_("Purpose"), gates.PURPOSES, format_func=labels.name_purpose),
        "grid": three.selectbox(_("Scorecard"), list(scorecards), format_func=scorecards.get),
    }
    one, two, three = st.columns(3)
    content |= {
        "from": layout.ask_day(one, _("First day of contacts"), first),
        "to": layout.ask_day(two, _("Last day of contacts"), following - timedelta(days=1)),
    }
    due = layout.ask_day(three, _("To be done by"), following + timedelta(days=4))
    content |= {"due": due} if due else {}
    one, two, three = st.columns(3)
    most_help = _(
        "Counts contacts of all plans, in the months of the period. The law does not allow "
        "permanent listening."
    )
    return content | {
        "per_advisor": int(one.number_input(_("Contacts per advisor"), 1, 1000, 4)),
        "maximum_per_advisor": int(
            two.number_input(_("At most per advisor"), 1, 1000, 6, help=most_help)
        ),
        "evaluators": three.multiselect(
            _("Evaluators"),
            list(evaluators),
            format_func=evaluators.get,
            placeholder=_("Choose people"),
        ),
    }


def _ask_more(viewer: Viewer) -> dict[str, Any]:
    """Ask what a plan may leave out; return it as its file would, without empty fields."""
    content: dict[str, Any] = {}
    for place, dimension in zip(st.columns(len(FILTERS)), FILTERS, strict=True):
        known = sorted(viewer.teams)
        if dimension != "team":
            found = cached.find_values(viewer, dimension)
            known = [value for value, _count in found if value is not None]
        content[dimension] = place.multiselect(
            _(dimensions.get_dimension(dimension).title),
            known,
            format_func=lambda value, dimension=dimension: formatting.name(dimension, value),
            placeholder=_("All"),
        )
    one, two, three = st.columns(3)
    content["minimum_seconds"] = one.number_input(_("Shortest call, in seconds"), 0, 86_400, 30)
    content["maximum_seconds"] = two.number_input(
        _("Longest call, in seconds"), 1, 86_400, None, placeholder=_("No limit")
    )
    content["most_per_evaluator"] = three.number_input(
        _("At most per evaluator"), 1, 100_000, None, placeholder=_("No limit")
    )
    one, two, three = st.columns(3)
    strata = one.multiselect(
        _("Spread over"),
        DIMENSIONS,
        ["channel", "weekday"],
        format_func=labels.name_dimension,
        help=_("Keeps each advisor's own proportions."),
    )
    days = two.number_input(_("Days before advisors see results"), 0, 365, 0)
    dispute_days = three.number_input(
        _("Days for advisors to dispute"), 0, 365, DEFAULT_DISPUTE_DAYS
    )
    given = {name: value for name, value in content.items() if value}
    return given | {"strata": strata, "publish_after_days": days, "dispute_days": dispute_days}
