"""The parts of the listening plan: plans with how far they are, and the ways to drawing, giving out and sizing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from qa_core import figures, sampling
from qa_core.access import Permission, Viewer
from qa_core.errors import Refusal
from qa_core.sampling import PlanState, words
from qa_core.slices import Period
from qa_core.ui import address, gate
from qa_core.ui.plain import escape
from qa_core.ui.views import listening_draw, listening_form, listening_given, listening_sizes
from qa_core.wording import N_, _

PAGE, ABOUT, OUTCOME = "listening", "part", "listening_outcome"
SECTIONS = {"plans": N_("Plans"), "draw": N_("Draws"), "given": N_("Given out"), "sizes": N_("How many?")}


def choose_section() -> str:
    """Plans, drawing, what was given out, or how many it takes."""
    titles = {key: _(title) for key, title in SECTIONS.items()}
    address.take(PAGE, ABOUT, titles, "plans")
    chosen = st.segmented_control(_("About"), list(titles), format_func=titles.get, key=ABOUT, label_visibility="collapsed", required=True)
    address.give(PAGE, ABOUT, chosen, "plans")
    return chosen


def show_outcome() -> None:
    """What came of the last change."""
    if said := st.session_state.pop(OUTCOME, None):
        st.success(said, icon=":material/check:")


def show_obstacle(viewer: Viewer) -> None:
    """Why nothing can be drawn yet."""
    refusal = sampling.find_obstacle(viewer)
    if refusal is not None:
        gate.show_refusal(refusal)


def show(viewer: Viewer, section: str) -> None:
    """The chosen part."""
    plans = sampling.find_plans(viewer)
    if section == "sizes":
        listening_sizes.show(viewer, plans)
    elif section == "plans":
        _show_plans(plans)
        listening_form.ask(viewer, change, has_plans=bool(plans))
    elif not plans:
        _show_first_step()
    elif section == "draw":
        listening_draw.show(viewer, plans, change)
    else:
        listening_given.show(viewer, plans, change)


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
        st.write(_("Contacts are drawn for a plan: its purpose, its period, how many of each advisor, and who listens. Make one under Plans."))


def _show_plans(plans: Sequence[PlanState]) -> None:
    for plan in plans:
        _show_plan(plan)


def _show_plan(plan: PlanState) -> None:
    with st.container(border=True, gap="xsmall"):
        left, right = st.columns([3, 2], gap="medium")
        with left:
            closed = " · " + _("closed") if plan.is_closed else ""
            st.markdown(f"**{escape(plan.name)}**{closed}")
            parts = [words.purpose_title(plan.purpose), figures.period(Period(plan.starts_on, plan.ends_on)), plan.grid_key]
            st.caption(escape(" · ".join(parts)))
            st.caption(escape(" · ".join(_say_rules(plan))))
        with right:
            if plan.drawn:
                st.progress(
                    min(1.0, plan.done / plan.drawn), text=_("{done} of {drawn} done", done=figures.number(plan.done), drawn=figures.number(plan.drawn))
                )
            else:
                st.caption(_("Nothing is drawn yet."))
            said = []
            if plan.overdue:
                said.append(":orange[:material/error:] " + _("{n} overdue", n=figures.number(plan.overdue)))
            if plan.short:
                said.append(_("{n} missing: fewer contacts than the plan asks", n=figures.number(plan.short)))
            if plan.due_on:
                said.append(_("due on {day}", day=figures.day(plan.due_on, year=True)))
            if said:
                st.caption(" · ".join(said))
            if not plan.is_closed and plan.purpose != "targeted":
                st.button(_("Close"), key=f"close_{plan.id}", type="tertiary", icon=":material/lock:", on_click=_close, args=(plan.name,))


def _say_rules(plan: PlanState) -> list[str]:
    said = []
    if plan.purpose != "targeted":
        said.append(_("{n} per advisor, at most {most} with all plans", n=plan.per_advisor, most=plan.maximum_per_advisor))
    if plan.strata:
        said.append(_("spread over {names}", names=figures.listing(words.dimension_title(name).lower() for name in plan.strata)))
    said += [f"{name}: {figures.listing(map(str, values))}" for name, values in plan.filters.items() if isinstance(values, list)]
    if plan.evaluators:
        said.append(_("evaluators: {names}", names=figures.listing(plan.evaluators)))
    return said


def _close(name: str) -> None:
    try:
        sampling.close(gate.current_viewer(Permission.MANAGE_LISTENING), name)
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    st.session_state[OUTCOME] = _("The plan is closed: nothing more is drawn for it.")
