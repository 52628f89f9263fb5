"""Sample sizes: what a plan's number can show, and how many show more."""

from collections.abc import Sequence

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _, ngettext
from qa_core.metrics.kpis import formatting
from qa_core.quality.sampling import PlanState, power
from qa_core.ui.widgets import cards, tables

PER_MONTH, POINTS, TEAM = "sizes_each", "sizes_points", "sizes_team"
TEAM_SIZE = 10
DEFAULT_PER_MONTH = 4
DIFFERENCES = (2, 5, 10, 15, 20)


def show(viewer: Viewer, plans: Sequence[PlanState]) -> None:
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
    titles = {1: _("1 month"), 3: _("3 months"), 12: _("12 months")}
    columns = (
        tables.name_column(_("After"), lambda pair: titles[pair[0].months], 90),
        tables.text_column(_("Two advisors"), lambda pair: _describe_points(pair[0])),
        tables.text_column(_("Two teams"), lambda pair: _describe_points(pair[1])),
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
        tables.name_column(_("Difference"), lambda size: _("{n} points", n=size), 110),
        tables.count_column(
            _("Evaluations of each"), lambda size: power.count_needed(spread.deviation, size), 150
        ),
    )
    tables.show(DIFFERENCES, columns, "sizes_needed")
