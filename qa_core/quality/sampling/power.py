"""How many evaluations it takes to see a difference, and what a plan's number can show
at all: told before anybody is judged on too few.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from qa_core import stats
from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.metrics import query
from qa_core.metrics.dimensions import Filters, Period, add_months

KPI = "evaluation_score"
USUAL_DEVIATION = 15.0
"""Points, where a centre has no evaluations of its own yet."""
FEWEST = 30
"""Evaluations from which on a centre's own deviation is used."""
SPANS = (1, 3, 12)
"""Months: one, a quarter, a year."""


@dataclass(frozen=True)
class Spread:
    """How far single scores lie from their advisor's mean, in points; from
    `evaluations` of the last year, or (`is_own` false) a usual value.
    """

    deviation: float
    evaluations: int
    is_own: bool


@dataclass(frozen=True)
class Detectable:
    """With so many evaluations on each side, the smallest difference of two means that
    would show in four of five cases.
    """

    months: int
    evaluations: int
    points: float


def find_spread(viewer: Viewer) -> Spread:
    """The centre's own deviation within advisors, in the viewer's scope, over the last
    twelve months.
    """
    viewer.require(Permission.MANAGE_LISTENING)
    today = environment.today()
    where = Filters(Period(add_months(today.replace(day=1), -12), today))
    frame = query.measure(viewer, (KPI,), ("advisor",), where)
    n = [int(count or 0) for count in frame["n"].fillna(0)]
    variance = stats.pooled_variance(frame["deviation"].astype(float).tolist(), n)
    if sum(n) < FEWEST or not variance:
        return Spread(USUAL_DEVIATION, sum(n), False)
    return Spread(math.sqrt(variance), sum(n), True)


def needed(deviation: float, points: float) -> int:
    """How many evaluations of each of two (advisors, teams, periods) it takes until a
    difference of so many points shows in four of five cases.
    """
    # The difference of two means of n values has the deviation of one mean of n values,
    # times √2.
    return stats.extra_values_needed(deviation * math.sqrt(2), 0, points)


def find_detectable(deviation: float, a_month: int) -> tuple[Detectable, ...]:
    """What so many evaluations a month show after one month, a quarter and a year,
    against as many others.
    """
    return tuple(
        Detectable(
            months,
            a_month * months,
            stats.detectable_difference(deviation * math.sqrt(2), a_month * months),
        )
        for months in SPANS
        if a_month
    )
