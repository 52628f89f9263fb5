"""Effect of a coaching plan: scores on its criteria before and after, compared with
matched colleagues who were not coached on them.

Difference in differences (Card and Krueger 1994). Interval by Student's t with the
pooled variance of single evaluations, plus the variance between colleagues' changes
that chance does not explain (DerSimonian and Laird 1986).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import sqlalchemy as sa

from qa_core import stats
from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.quality.coaching import plans
from qa_core.quality.coaching.plans import CoachingPlanView, find_names
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.listening import CoachingPlan

BEFORE_DAYS = AFTER_DAYS = 90
"""Days before the start, and after the end, in which evaluations count."""
MIN_EVALUATIONS, MIN_COLLEAGUE_EVALUATIONS = 5, 3
"""Minimum evaluations on each side of the start, of the advisor and of a colleague."""
MAX_COLLEAGUES = 5
DETECTABLE_CHANGE = 10.0
"""Change in points that should be detectable."""


@dataclass(frozen=True)
class PeriodScores:
    """Evaluations on one side of the start: count, mean (0–100), deviation."""

    n: int
    mean: float | None = None
    deviation: float | None = None


@dataclass(frozen=True)
class BeforeAndAfter:
    """Evaluations of one person before and after the start."""

    before: PeriodScores
    after: PeriodScores

    @property
    def change(self) -> float:
        return self.after.mean - self.before.mean


@dataclass(frozen=True)
class Estimate:
    value: float
    low: float
    high: float

    @property
    def is_significant(self) -> bool:
        return not self.low <= 0 <= self.high


@dataclass(frozen=True)
class CoachingEffect:
    """`change`: the advisor's own; `effect`: beyond the `colleagues`' change (None:
    nobody to compare with, or not visible to the viewer). `missing_before`,
    `missing_after`: evaluations lacking for an estimate; `missing_for_power`: more
    evaluations until a change of `DETECTABLE_CHANGE` points is detectable.
    """

    own: BeforeAndAfter
    before: Period
    after: Period
    missing_before: int
    missing_after: int
    change: Estimate | None = None
    effect: Estimate | None = None
    colleagues: int = 0
    colleagues_before: float | None = None
    colleagues_after: float | None = None
    missing_for_power: int | None = None
    sees_colleagues: bool = True


def find_effect(viewer: Viewer, plan_id: int) -> CoachingEffect:
    """Estimate the effect of a plan; no colleagues for advisors. Raise AccessDenied."""
    plan = plans.get_plan(viewer, plan_id)
    before, after = find_periods(plan)
    sees = viewer.can(Permission.SEE_ADVISORS)
    sides = [_read_scores(viewer, plan, period, by_advisor=sees) for period in (before, after)]
    name = plan.advisor if sees else None
    own = BeforeAndAfter(*(side.get(name, PeriodScores(0)) for side in sides))
    if not sees:
        return estimate(own, None, before, after)
    with store.reading() as session:
        names = find_names(session)
        # Advisors coached on the same criteria are excluded even if the viewer
        # may not see their plans; nothing of these plans is shown.
        plans_meanwhile = Unscoped(
            sa.select(CoachingPlan).where(
                CoachingPlan.starts_on <= after.last_day,
                sa.or_(CoachingPlan.ended_on.is_(None), CoachingPlan.ended_on >= before.first_day),
            ),
            "Colleagues coached on the same criteria are no comparison, also when another lead "
            "coached them. They are excluded, and their plans are not shown.",
        )
        coached = {
            names.get(row.advisor_id, row.advisor_id)
            for row in session.scalars(plans_meanwhile)
            if not row.criteria or not plan.criteria or set(row.criteria) & set(plan.criteria)
        }
    others = [
        BeforeAndAfter(side, sides[1].get(name, PeriodScores(0)))
        for name, side in sides[0].items()
        if name != plan.advisor and name not in coached
    ]
    return estimate(own, others, before, after)


def find_periods(plan: CoachingPlanView) -> tuple[Period, Period]:
    """Return the days before a plan, and from its start to `AFTER_DAYS` past its end."""
    today = environment.today()
    last = (
        today if plan.ended_on is None else min(today, plan.ended_on + timedelta(days=AFTER_DAYS))
    )
    return Period(
        plan.starts_on - timedelta(days=BEFORE_DAYS), plan.starts_on - timedelta(days=1)
    ), Period(plan.starts_on, max(last, plan.starts_on))


def estimate(
    own: BeforeAndAfter, others: Sequence[BeforeAndAfter] | None, before: Period, after: Period
) -> CoachingEffect:
    """Estimate the effect from sums; `others` None: not visible to the viewer."""
    missing = [max(0, MIN_EVALUATIONS - side.n) for side in (own.before, own.after)]
    without_estimate = CoachingEffect(
        own, before, after, *missing, sees_colleagues=others is not None
    )
    if any(missing):
        return without_estimate
    matched = match_colleagues(own.before, others or ())
    everybody = [side for course in (own, *matched) for side in (course.before, course.after)]
    within = stats.pooled_variance(
        [side.deviation for side in everybody], [side.n for side in everybody]
    )
    freedom = max(1, sum(side.n for side in everybody) - len(everybody))
    own_square = _compute_variance(own, within)
    change = _build_estimate(own.change, own_square, freedom)
    missing_for_power = stats.extra_values_needed(math.sqrt(within), own.after.n, DETECTABLE_CHANGE)
    if not matched:
        lacking = None if change.is_significant else missing_for_power
        return replace(without_estimate, change=change, missing_for_power=lacking)
    changes = [course.change for course in matched]
    squares = [_compute_variance(course, within) for course in matched]
    k, mean = len(matched), sum(changes) / len(matched)
    apart = (
        sum((change_of_colleague - mean) ** 2 for change_of_colleague in changes) / (k - 1)
        if k > 1
        else 0.0
    )
    beyond = max(0.0, apart - sum(squares) / k)
    effect = _build_estimate(
        own.change - mean, own_square + sum(squares) / (k * k) + beyond * (1 + 1 / k), freedom
    )
    return replace(
        without_estimate,
        change=change,
        effect=effect,
        colleagues=k,
        colleagues_before=sum(course.before.mean for course in matched) / k,
        colleagues_after=sum(course.after.mean for course in matched) / k,
        missing_for_power=None if effect.is_significant else missing_for_power,
    )


def match_colleagues(own: PeriodScores, others: Iterable[BeforeAndAfter]) -> list[BeforeAndAfter]:
    """Return the nearest colleagues before the start, by score (SD) and evaluations (log ratio)."""
    usable = [
        course
        for course in others
        if min(course.before.n, course.after.n) >= MIN_COLLEAGUE_EVALUATIONS
    ]
    within = stats.pooled_variance(
        [own.deviation, *(course.before.deviation for course in usable)],
        [own.n, *(course.before.n for course in usable)],
    )
    scale = math.sqrt(within) or 1.0
    return sorted(
        usable,
        key=lambda course: (
            abs(course.before.mean - own.mean) / scale + abs(math.log(course.before.n / own.n))
        ),
    )[:MAX_COLLEAGUES]


def _compute_variance(course: BeforeAndAfter, within: float) -> float:
    return within / course.before.n + within / course.after.n


def _build_estimate(value: float, square: float, freedom: int) -> Estimate:
    half = stats.t_quantile(freedom) * math.sqrt(square)
    return Estimate(value, value - half, value + half)


def _read_scores(
    viewer: Viewer, plan: CoachingPlanView, period: Period, by_advisor: bool
) -> dict[str | None, PeriodScores]:
    """Return the plan's scores, each evaluation once, by advisor's name or None for one's own."""
    values = {"criterion": plan.criteria} | ({"team": (plan.team,)} if by_advisor else {})
    frame = query.measure(
        viewer,
        ("evaluation_score",),
        ("advisor",) if by_advisor else (),
        Filters.of(period, values),
    )
    return {
        getattr(row, "advisor", None): PeriodScores(
            int(row.n),
            float(row.value),
            None if formatting.is_missing(row.deviation) else float(row.deviation),
        )
        for row in frame.itertuples()
        if not formatting.is_missing(row.value)
    }
