"""Statistical power: evaluations needed for a difference, and what a plan can detect."""

import math
from dataclasses import dataclass

from qa_core import stats
from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters, Period, add_months

KPI = "evaluation_score"
DEFAULT_DEVIATION = 15.0
"""Points; used until the centre has enough evaluations."""
MIN_EVALUATIONS = 30
"""Minimum evaluations for a centre's own standard deviation."""
SPAN_MONTHS = (1, 3, 12)
"""Months: one, a quarter, a year."""


@dataclass(frozen=True)
class Spread:
    """Standard deviation of single scores within advisors, in points: the centre's own,
    from `evaluations` of the last year, or a usual value.
    """

    deviation: float
    evaluations: int
    is_own: bool


@dataclass(frozen=True)
class Detectable:
    """Smallest difference of two means detected four times in five."""

    months: int
    evaluations: int
    points: float


def find_spread(viewer: Viewer) -> Spread:
    """Return the deviation within advisors in scope, over twelve months."""
    viewer.require(Permission.MANAGE_LISTENING)
    today = environment.today()
    where = Filters(Period(add_months(today.replace(day=1), -12), today))
    frame = query.measure(viewer, (KPI,), ("advisor",), where)
    n = [int(count or 0) for count in frame["n"].fillna(0)]
    variance = stats.pooled_variance(frame["deviation"].astype(float).tolist(), n)
    if sum(n) < MIN_EVALUATIONS or not variance:
        return Spread(DEFAULT_DEVIATION, sum(n), False)
    return Spread(math.sqrt(variance), sum(n), True)


def count_needed(deviation: float, points: float) -> int:
    """Return the evaluations per side that detect a difference of `points`."""
    # The standard error of a difference of two means is √2 times the error of one.
    return stats.extra_values_needed(deviation * math.sqrt(2), 0, points)


def find_detectable(deviation: float, a_month: int) -> tuple[Detectable, ...]:
    """Return what `a_month` evaluations detect after each of `SPAN_MONTHS`."""
    return tuple(
        Detectable(
            months,
            a_month * months,
            stats.detectable_difference(deviation * math.sqrt(2), a_month * months),
        )
        for months in SPAN_MONTHS
        if a_month
    )
