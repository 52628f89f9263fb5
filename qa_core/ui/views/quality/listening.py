"""The Listening plan page: plans with their progress, draws, assignments, sample sizes."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _, ngettext
from qa_core.compliance.conditions import gates
from qa_core.metrics.kpis import dimensions, formatting, periods
from qa_core.metrics.law.sampling_frame import DIMENSIONS, FILTERS
from qa_core.metrics.rows import scorecard_texts
from qa_core.quality import sampling
from qa_core.quality.sampling import PlanState, labels, power
from qa_core.quality.sampling.plan_file import LIMITS
from qa_core.ui.frame import cached, gate, layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.quality import draws
from qa_core.ui.widgets import actions, cards, empty_states, segmented_choice, tables

SECTION = "part"
SECTIONS = {
    "plans": N_("Plans"),
    "draw": N_("Draws"),
    "given": N_("Assigned"),
    "sizes": N_("How many"),
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
    "most_per_evaluator": N_("At most per evaluator"),
    "strata": N_("Spread over"),
}
"""Labels of the fields, by their name in a plan's file."""

PER_MONTH, POINTS, TEAM = "sizes_each", "sizes_points", "sizes_team"
TEAM_SIZE = 10
DEFAULT_PER_MONTH = 4
DIFFERENCES = (2, 5, 10, 15, 20)


def show(viewer: Viewer) -> None:
    """Show plans, draws, assigned contacts, or sample sizes, and why nothing can be drawn yet."""
    titles = {key: _(title) for key, title in SECTIONS.items()}
    section = segmented_choice.ask(SECTION, _("About"), titles)
    if refusal := sampling.find_obstacle(viewer):
        gate.show_refusal(refusal)
    plans = sampling.find_plans(viewer)
    if section == "sizes":
        _show_sample_sizes(viewer, plans)
    elif section == "plans":
        choices, texts = sampling.find_choices(viewer), scorecard_texts.find_scorecard_texts(viewer)
        scorecards = {key: texts.name("grid", title) for key, title in choices["grids"]}
        evaluators = dict(choices["evaluators"])
        _show_plans(plans, scorecards, evaluators)
        _ask_plan(viewer, scorecards, evaluators, is_first=not plans)
    elif not plans:
        text = _("Make a plan under Plans to draw contacts.")
        empty_states.card(":material/inbox:", _("No plan yet"), text)
    elif section == "draw":
        draws.show(viewer, plans)
    else:
        draws.show_assigned(viewer, plans)


def _show_plans(
    plans: Sequence[PlanState], scorecards: Mapping[str, str], names: Mapping[str, str]
) -> None:
    for plan in plans:
        evaluators = [names.get(username, username) for username in plan.evaluators]
        with cards.card(gap="xsmall"):
            left, right = st.columns([3, 2], gap="medium")
            with left:
                _show_rules(plan, scorecards.get(plan.grid_key, plan.grid_key), evaluators)
            with right:
                _show_progress(plan)
                if plan.is_closed or plan.purpose == "targeted":
                    continue
                with layout.row():
                    key, draw = f"draw_{plan.id}", {SECTION: "draw", draws.PLAN: plan.name}
                    act = (st.session_state.update, draw)
                    look = "tertiary" if plan.draws else "primary"
                    layout.show_button("casino", _("Draw"), key, *act, type=look)
                    key = f"close_{plan.id}"
                    layout.show_quiet_button("lock", _("Close"), key, _close, plan.name)


def _show_rules(plan: PlanState, scorecard: str, evaluators: Sequence[str]) -> None:
    closed = " · " + _("closed") if plan.is_closed else ""
    period = formatting.period(dimensions.Period(plan.starts_on, plan.ends_on))
    st.markdown(f"**{escape(plan.name)}**{closed}")
    st.caption(escape(f"{labels.name_purpose(plan.purpose)} · {period} · {scorecard}"))
    st.caption(escape(" · ".join(_describe_rules(plan, evaluators))))


def _show_progress(plan: PlanState) -> None:
    if plan.drawn:
        text = _("{n} of {all}", n=formatting.number(plan.done), all=formatting.number(plan.drawn))
        st.progress(min(1.0, plan.done / plan.drawn), text=text)
    elif plan.draws and plan.purpose != "targeted":  # what was picked may have been withdrawn
        st.caption(_("Nothing was drawn: no contact was left that may be listened to."))
    else:
        st.caption(_("None yet."))
    parts = []
    if plan.overdue:
        overdue = _("{n} overdue", n=formatting.number(plan.overdue))
        parts.append(f":orange[:material/error:] {overdue}")
    if plan.short:
        short = formatting.number(plan.short)
        parts.append(_("{n} missing: draw again, as far as contacts may be listened to", n=short))
    if plan.due_on:
        parts.append(_("due {day}", day=formatting.day(plan.due_on, year=True)))
    if parts:
        st.caption(" · ".join(parts))


def _describe_rules(plan: PlanState, evaluators: Sequence[str]) -> list[str]:
    """Return what limits the plan, each rule under the label of its field."""
    shortest, longest = (plan.filters.get(name) for name in LIMITS)
    strata = (labels.name_dimension(name).lower() for name in plan.strata)
    is_drawn = plan.purpose != "targeted"
    rules = [
        (FIELDS["per_advisor"], plan.per_advisor if is_drawn else ""),
        (FIELDS["maximum_per_advisor"], plan.maximum_per_advisor if is_drawn else ""),
        (FIELDS["strata"], formatting.listing(strata)),
        *(
            (
                dimensions.get_dimension(name).title,
                formatting.listing(formatting.name(name, value) for value in values),
            )
            for name, values in plan.filters.items()
            if isinstance(values, list)
        ),
        (FIELDS["minimum_seconds"], shortest),
        (FIELDS["maximum_seconds"], longest),
        (FIELDS["most_per_evaluator"], plan.most_per_evaluator),
        (FIELDS["evaluators"], formatting.listing(evaluators)),
    ]
    return [_("{what}: {text}", what=_(title), text=value) for title, value in rules if value]


def _close(name: str) -> None:
    with actions.show_refusals():
        sampling.close(gate.current_viewer(Permission.MANAGE_LISTENING), name)
        actions.keep_outcome(_("Saved."))


def _ask_plan(
    viewer: Viewer, scorecards: Mapping[str, str], evaluators: Mapping[str, str], is_first: bool
) -> None:
    """Show the form; it is open while there is no plan."""
    with st.expander(_("Make a plan"), icon=":material/add:", expanded=is_first):
        if not evaluators:
            text = _(
                "Nobody can fill in scorecards yet. An administrator adds an account with the "
                "role of evaluator, under People."
            )
            st.info(text)
            return
        with st.form("listening_plan", border=False):
            content = _ask_content(scorecards, evaluators)
            with st.expander(_("More"), icon=":material/tune:"):
                content |= _ask_more(viewer)
            sent = st.form_submit_button(_("Make a plan"), type="primary")
    if sent:
        with actions.perform(Permission.MANAGE_LISTENING) as acting:
            _add(acting, content)


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


def _ask_content(scorecards: Mapping[str, str], evaluators: Mapping[str, str]) -> dict[str, Any]:
    """Ask for the fields of every plan; return them as in a plan file."""
    first = environment.today().replace(day=1)
    following = dimensions.add_months(first, 1)
    left, middle, right = st.columns(3)
    content = {
        "name": left.text_input(_(FIELDS["name"]), max_chars=80, placeholder=f"{first:%Y-%m}"),
        "purpose": layout.select(
            middle, _(FIELDS["purpose"]), {key: labels.name_purpose(key) for key in gates.PURPOSES}
        ),
        "grid": layout.select(right, _(FIELDS["grid"]), scorecards),
    }
    left, middle, right = st.columns(3)
    content |= {
        "from": layout.ask_day(left, _(FIELDS["from"]), first),
        "to": layout.ask_day(middle, _(FIELDS["to"]), following - timedelta(days=1)),
    }
    due = layout.ask_day(right, _(FIELDS["due"]), following + timedelta(days=4))
    content |= {"due": due} if due else {}
    left, middle, right = st.columns(3)
    most_help = _(
        "Counts contacts of all plans, in the months of the period. The law does not allow "
        "permanent listening."
    )
    most = middle.number_input(_(FIELDS["maximum_per_advisor"]), 1, 1000, 6, help=most_help)
    people = layout.select_many(right, _(FIELDS["evaluators"]), evaluators)
    return content | {
        "per_advisor": int(left.number_input(_(FIELDS["per_advisor"]), 1, 1000, 4)),
        "maximum_per_advisor": int(most),
        "evaluators": people,
    }


def _ask_more(viewer: Viewer) -> dict[str, Any]:
    """Ask for the optional fields; return those that are filled in, as in a plan file."""
    content: dict[str, Any] = {}
    for column, dimension in zip(st.columns(len(FILTERS)), FILTERS, strict=True):
        known = sorted(viewer.teams)
        if dimension != "team":
            values = cached.find_values(viewer, dimension)
            known = [value for value, _count in values if value is not None]
        titles = {value: formatting.name(dimension, value) for value in known}
        content[dimension] = layout.select_many(
            column, formatting.dimension(dimension), titles, placeholder=_("All")
        )
    left, middle, right = st.columns(3)
    content["minimum_seconds"] = left.number_input(_(FIELDS["minimum_seconds"]), 0, 86_400, 30)
    content["maximum_seconds"] = middle.number_input(
        _(FIELDS["maximum_seconds"]), 1, 86_400, None, placeholder=_("No limit")
    )
    content["most_per_evaluator"] = right.number_input(
        _(FIELDS["most_per_evaluator"]), 1, 100_000, None, placeholder=_("No limit")
    )
    left, middle, right = st.columns(3)
    cuts = {name: labels.name_dimension(name) for name in DIMENSIONS}
    default = ("channel", "weekday")
    strata = layout.select_many(left, _(FIELDS["strata"]), cuts, chosen=default)
    days = middle.number_input(_("Days before advisors see results"), 0, 365, 0)
    dispute_days = right.number_input(
        _("Days for advisors to dispute"), 0, 365, DEFAULT_DISPUTE_DAYS
    )
    given = {name: value for name, value in content.items() if value}
    return given | {"strata": strata, "publish_after_days": days, "dispute_days": dispute_days}


def _show_sample_sizes(viewer: Viewer, plans: Sequence[PlanState]) -> None:
    """Show the centre's spread, what a number detects, what a difference takes."""
    spread = power.find_spread(viewer)
    st.caption(_describe_spread(spread))
    left, right = st.columns(2, gap="medium")
    with left, cards.card(gap="small"):
        _show_detectable(spread, plans)
    with right, cards.card(gap="small"):
        _show_needed(spread)
    text = _(
        "Two-sided test of two means at 5 %, 80 % power. A single month of a few contacts does "
        "not show who is better."
    )
    st.caption(text)


def _describe_spread(spread: power.Spread) -> str:
    points = formatting.number(spread.deviation, 1)
    if spread.is_own:
        return ngettext(
            "Scores of one advisor spread by {points} points here (standard deviation, {count} "
            "evaluation of the last year).",
            "Scores of one advisor spread by {points} points here (standard deviation, {count} "
            "evaluations of the last year).",
            spread.evaluations,
            count=formatting.number(spread.evaluations),
            points=points,
        )
    return _(
        "Too few evaluations here to measure the spread of scores. Usual value: {points} points.",
        points=points,
    )


def _show_detectable(spread: power.Spread, plans: Sequence[PlanState]) -> None:
    st.markdown("**" + _("Smallest detectable difference") + "**")
    present = (plan.per_advisor for plan in plans if not plan.is_closed and plan.per_advisor)
    left, right = st.columns(2)
    each = int(
        left.number_input(
            _("Per advisor and month"), 1, 200, next(present, DEFAULT_PER_MONTH), key=PER_MONTH
        )
    )
    team = int(right.number_input(_("Advisors in a team"), 1, 500, TEAM_SIZE, key=TEAM))
    of_two = power.find_detectable(spread.deviation, each)
    of_teams = power.find_detectable(spread.deviation, each * team)
    columns = (
        tables.name_column(_("After"), lambda pair: periods.name(f"{pair[0].months}m"), 90),
        tables.number_text_column(_("Two advisors"), lambda pair: _describe_points(pair[0])),
        tables.number_text_column(_("Two teams"), lambda pair: _describe_points(pair[1])),
    )
    tables.show(list(zip(of_two, of_teams, strict=True)), columns, "sizes_table")


def _describe_points(detectable: power.Detectable) -> str:
    return _(
        "{points} pt ({n} each)",
        points=formatting.number(detectable.points, 1),
        n=formatting.number(detectable.evaluations),
    )


def _show_needed(spread: power.Spread) -> None:
    st.markdown("**" + _("What would it take?") + "**")
    points = int(st.number_input(_("Difference to detect, in points"), 1, 100, 5, key=POINTS))
    count = power.count_needed(spread.deviation, points)
    text = ngettext(
        "**{count} evaluation** on each side: two advisors, two teams, or one before and "
        "after coaching.",
        "**{count} evaluations** on each side: two advisors, two teams, or one before and "
        "after coaching.",
        count,
        count=formatting.number(count),
    )
    st.markdown(text)
    columns = (
        tables.name_column(_("Difference"), lambda size: _("{points} points", points=size), 110),
        tables.count_column(
            _("Evaluations of each"), lambda size: power.count_needed(spread.deviation, size), 150
        ),
    )
    tables.show(DIFFERENCES, columns, "sizes_needed")
