"""The parts of the listening plan: plans with how far they are, and the ways to
drawing, giving out and sizing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _
from qa_core.metrics import dimensions, formatting
from qa_core.metrics.dimensions import Period
from qa_core.metrics.query import scorecard_texts
from qa_core.quality import sampling
from qa_core.quality.sampling import PlanState, labels
from qa_core.quality.sampling.plan_file import LIMITS
from qa_core.ui import gate, url_state
from qa_core.ui.plain import escape
from qa_core.ui.views.quality import assigned_contacts, draws, listening_plan_form, sample_sizes

PAGE, ABOUT, OUTCOME = "listening", "part", "listening_outcome"
SECTIONS = {
    "plans": N_("Plans"),
    "draw": N_("Draws"),
    "given": N_("Given out"),
    "sizes": N_("How many?"),
}


def choose_section() -> str:
    """Plans, drawing, what was given out, or how many it takes."""
    titles = {key: _(title) for key, title in SECTIONS.items()}
    url_state.take(PAGE, ABOUT, titles, "plans")
    chosen = st.segmented_control(
        _("About"),
        list(titles),
        format_func=titles.get,
        key=ABOUT,
        label_visibility="collapsed",
        required=True,
    )
    url_state.give(PAGE, ABOUT, chosen, "plans")
    return chosen


def show_outcome() -> None:
    """What came of the last change."""
    if said := st.session_state.pop(OUTCOME, None):
        st.success(said, icon=":material/check:")


def show_obstacle(viewer: Viewer) -> None:
    """Why nothing can be drawn yet."""
    refusal = sampling.find_obstacle(viewer)
    if refusal is not None and refusal.code == "gates_closed":
        # Said without the commands: whoever draws here enters no gate.
        titles = refusal.params["titles"]
        said = _(
            "Listening is not open yet. Still missing: {titles}. The data protection officer "
            "enters them on the page “Are we in order?”.",
            titles=titles,
        )
        st.error(gate.escape(said), icon=":material/lock:")
    elif refusal is not None:
        gate.show_refusal(refusal)


def show(viewer: Viewer, section: str) -> None:
    """The chosen part."""
    plans = sampling.find_plans(viewer)
    if section == "sizes":
        sample_sizes.show(viewer, plans)
    elif section == "plans":
        _show_plans(viewer, plans)
        listening_plan_form.ask(viewer, change, has_plans=bool(plans))
    elif not plans:
        _show_first_step()
    elif section == "draw":
        draws.show(viewer, plans, change)
    else:
        assigned_contacts.show(viewer, plans, change)


def change(act: Callable[[Viewer], Any], say: Callable[[Any], str]) -> None:
    """Do it as whoever is signed in now, and say what came of it on the next run."""
    try:
        result = act(gate.current_viewer(Permission.MANAGE_LISTENING))
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    st.session_state[OUTCOME] = say(result)
    st.rerun()


def _show_first_step() -> None:
    with st.container(border=True):
        st.markdown("#### :material/inbox: " + _("No plan yet"))
        st.write(
            _(
                "Contacts are drawn for a plan: its purpose, its period, how many of each "
                "advisor, and who listens. Make one under Plans."
            )
        )


def _show_plans(viewer: Viewer, plans: Sequence[PlanState]) -> None:
    choices, texts = sampling.find_choices(viewer), scorecard_texts.find_grid_texts(viewer)
    titles = {key: texts.name("grid", title) for key, title in choices["grids"]}
    names = dict(choices["evaluators"])
    for plan in plans:
        _show_plan(
            plan,
            titles.get(plan.grid_key, plan.grid_key),
            [names.get(username, username) for username in plan.evaluators],
        )


def _show_plan(plan: PlanState, grid: str, evaluators: Sequence[str]) -> None:
    with st.container(border=True, gap="xsmall"):
        left, right = st.columns([3, 2], gap="medium")
        with left:
            closed = " · " + _("closed") if plan.is_closed else ""
            st.markdown(f"**{escape(plan.name)}**{closed}")
            parts = [
                labels.purpose_title(plan.purpose),
                formatting.period(Period(plan.starts_on, plan.ends_on)),
                grid,
            ]
            st.caption(escape(" · ".join(parts)))
            st.caption(escape(" · ".join(_describe_rules(plan, evaluators))))
        with right:
            if plan.drawn:
                st.progress(
                    min(1.0, plan.done / plan.drawn),
                    text=_(
                        "{done} of {drawn} done",
                        done=formatting.number(plan.done),
                        drawn=formatting.number(plan.drawn),
                    ),
                )
            elif plan.draws:
                st.caption(_("The draw gave nothing: no contact was left that may be listened to."))
            else:
                st.caption(_("Nothing is drawn yet."))
            said = []
            if plan.overdue:
                said.append(
                    ":orange[:material/error:] "
                    + _("{n} overdue", n=formatting.number(plan.overdue))
                )
            if plan.short:
                said.append(
                    _(
                        "{n} missing: too few contacts that may be listened to",
                        n=formatting.number(plan.short),
                    )
                )
            if plan.due_on:
                said.append(_("due on {day}", day=formatting.day(plan.due_on, year=True)))
            if said:
                st.caption(" · ".join(said))
            if not plan.is_closed and plan.purpose != "targeted":
                with st.container(horizontal=True, vertical_alignment="center", gap="small"):
                    label, kind = (
                        (_("Draws"), "tertiary")
                        if plan.draws
                        else (_("Draw its contacts"), "primary")
                    )
                    st.button(
                        label,
                        key=f"draw_{plan.id}",
                        type=kind,
                        icon=":material/casino:",
                        on_click=_go_to_draws,
                        args=(plan.name,),
                    )
                    st.button(
                        _("Close"),
                        key=f"close_{plan.id}",
                        type="tertiary",
                        icon=":material/lock:",
                        on_click=_close,
                        args=(plan.name,),
                    )


def _describe_rules(plan: PlanState, evaluators: Sequence[str]) -> list[str]:
    said = []
    if plan.purpose != "targeted":
        said.append(
            _(
                "{n} per advisor, at most {most} with all plans",
                n=plan.per_advisor,
                most=plan.maximum_per_advisor,
            )
        )
    if plan.strata:
        said.append(
            _(
                "spread over {names}",
                names=formatting.listing(
                    labels.dimension_title(name).lower() for name in plan.strata
                ),
            )
        )
    said += [
        _describe_filter(name, values)
        for name, values in plan.filters.items()
        if isinstance(values, list)
    ]
    shortest, longest = (plan.filters.get(name) for name in LIMITS)
    if shortest:
        said.append(_("from {duration}", duration=formatting.duration(shortest)))
    if longest:
        said.append(_("up to {duration}", duration=formatting.duration(longest)))
    if plan.most_per_evaluator:
        said.append(_("at most {n} per evaluator", n=formatting.number(plan.most_per_evaluator)))
    if evaluators:
        said.append(_("evaluators: {names}", names=formatting.listing(evaluators)))
    return said


def _describe_filter(dimension: str, values: Sequence[object]) -> str:
    named = formatting.listing(formatting.name(dimension, value) for value in values)
    return _(
        "{dimension}: {values}",
        dimension=_(dimensions.get_dimension(dimension).title).lower(),
        values=named,
    )


def _go_to_draws(name: str) -> None:
    st.session_state[ABOUT], st.session_state[draws.PLAN] = "draw", name


def _close(name: str) -> None:
    try:
        sampling.close(gate.current_viewer(Permission.MANAGE_LISTENING), name)
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    st.session_state[OUTCOME] = _("The plan is closed: nothing more is drawn for it.")
