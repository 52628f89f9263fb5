"""How many evaluations it takes: what a plan's number can show of an advisor and of a
team, and what it would take to see more.
"""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base.i18n import _, ngettext
from qa_core.metrics import formatting
from qa_core.quality.sampling import PlanState, power
from qa_core.ui import tables

PER_MONTH, POINTS, TEAM = "sizes_each", "sizes_points", "sizes_team"
TEAM_SIZE = 10


def show(viewer: Viewer, plans: Sequence[PlanState]) -> None:
    """The centre's own spread, what so many a month detect, and how many a difference
    takes.
    """
    spread = power.find_spread(viewer)
    if spread.is_own:
        said = ngettext(
            "Single scores of an advisor here lie {points} points around their mean (standard "
            "deviation, {count} evaluation of the last year).",
            "Single scores of an advisor here lie {points} points around their mean (standard "
            "deviation, {count} evaluations of the last year).",
            spread.evaluations,
            count=formatting.number(spread.evaluations),
            points=formatting.number(spread.deviation, 1),
        )
    else:
        said = _(
            "There are too few evaluations here to say how much scores scatter; {points} "
            "points are usual.",
            points=formatting.number(spread.deviation, 1),
        )
    st.caption(said)
    left, right = st.columns(2, gap="medium")
    with left, st.container(border=True, gap="small"):
        _show_detectable(spread, plans)
    with right, st.container(border=True, gap="small"):
        _show_needed(spread)
    st.caption(
        _(
            "For two means, two-sided at 5 %, seen in four of five cases. A smaller difference "
            "may be there all the same: it does not show, "
            "and no single month of a few calls says who is better."
        )
    )


def _show_detectable(spread: power.Spread, plans: Sequence[PlanState]) -> None:
    st.markdown("**" + _("What does it show?") + "**")
    present = next(
        (plan.per_advisor for plan in plans if not plan.is_closed and plan.per_advisor), 4
    )
    one, two = st.columns(2)
    each = int(one.number_input(_("Per advisor and month"), 1, 200, present, key=PER_MONTH))
    team = int(two.number_input(_("Advisors in a team"), 1, 500, TEAM_SIZE, key=TEAM))
    span, alone, together = _("After"), _("Two advisors"), _("Two teams")
    titles = {1: _("1 month"), 3: _("3 months"), 12: _("12 months")}
    rows = [
        {
            span: titles[single.months],
            alone: _(
                "{points} pt ({n} each)",
                points=formatting.number(single.points, 1),
                n=formatting.number(single.evaluations),
            ),
            together: _(
                "{points} pt ({n} each)",
                points=formatting.number(of_team.points, 1),
                n=formatting.number(of_team.evaluations),
            ),
        }
        for single, of_team in zip(
            power.find_detectable(spread.deviation, each),
            power.find_detectable(spread.deviation, each * team),
            strict=True,
        )
    ]
    st.caption(_("The smallest difference that would show:"))
    tables.show(rows, {span: tables.name_column(span, 90)}, "sizes_table")
    month = power.find_detectable(spread.deviation, each)[0]
    st.markdown(
        _(
            "With {n} a month, two advisors who differ by fewer than {points} points cannot be "
            "told apart after one month.",
            n=each,
            points=formatting.number(month.points),
        )
    )


def _show_needed(spread: power.Spread) -> None:
    st.markdown("**" + _("What would it take?") + "**")
    points = int(st.number_input(_("To see a difference of so many points"), 1, 100, 5, key=POINTS))
    count = power.needed(spread.deviation, points)
    st.markdown(
        ngettext(
            "**{count} evaluation** of each of the two, whether advisors, teams, or one before "
            "and after coaching.",
            "**{count} evaluations** of each of the two, whether advisors, teams, or one "
            "before and after coaching.",
            count,
            count=formatting.number(count),
        )
    )
    difference, each = _("Difference"), _("Evaluations of each")
    rows = [
        {difference: _("{n} points", n=size), each: power.needed(spread.deviation, size)}
        for size in (2, 5, 10, 15, 20)
    ]
    tables.show(
        rows,
        {difference: tables.name_column(difference, 110), each: tables.count_column(each, 150)},
        "sizes_needed",
    )
