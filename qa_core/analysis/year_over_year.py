"""Year-over-year comparison, and a test for seasonality."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from qa_core.metrics.kpis import periods
from qa_core.metrics.kpis.dimensions import Period, add_months
from qa_core.stats import adjusted_differences

MONTHS_PER_YEAR = 12
MIN_MONTHS = 2 * MONTHS_PER_YEAR
"""Minimum months for a season: every calendar month twice."""


def find_year_before(grain: str, period: Period) -> Period:
    """Return the period a year before: 52 weeks, or calendar months."""
    if grain == "week":
        return Period(period.first_day - timedelta(weeks=52), period.last_day - timedelta(weeks=52))
    end = periods.end_of("month", add_months(period.last_day.replace(day=1), -MONTHS_PER_YEAR))
    last = (
        end
        if periods.last_whole_month_end(period.last_day) == period.last_day
        else end.replace(day=min(period.last_day.day, end.day))
    )
    return Period(add_months(period.first_day.replace(day=1), -MONTHS_PER_YEAR), last)


def find_paired_months(
    first_day: date, last_day: date, most: int = MONTHS_PER_YEAR
) -> Period | None:
    """Return the last whole months, `most` at most, whose months a year before are
    complete too; None where there are none.
    """
    first = _first_whole_month(first_day)
    end = periods.last_whole_month_end(last_day)
    start = max(add_months(first, MONTHS_PER_YEAR), add_months(end.replace(day=1), 1 - most))
    return Period(start, end) if start <= end else None


def count_months(first_day: date, last_day: date) -> int:
    first = _first_whole_month(first_day)
    end = periods.last_whole_month_end(last_day) + timedelta(days=1)
    return max(0, (end.year - first.year) * MONTHS_PER_YEAR + end.month - first.month)


@dataclass(frozen=True)
class Season:
    """Seasonality of a rate. `p_value`: of "calendar months do not differ", with
    over-dispersion; `highest`, `lowest`: calendar months, 1–12.
    """

    p_value: float
    highest: int
    lowest: int


def find_season(counts: Sequence[tuple[str, float, float]]) -> Season | None:
    """Test a rate for seasonality: (month as YYYY-MM, hits, n) of consecutive whole
    months. The last full years are used.

    Joint Wald test of the months in a logistic regression on year and calendar month,
    scaled by the residual dispersion. None with less than two years, or a month without
    rows.
    """
    years = len(counts) // MONTHS_PER_YEAR
    used = counts[len(counts) - years * MONTHS_PER_YEAR :]
    if years * MONTHS_PER_YEAR < MIN_MONTHS or any(not n for _month_name, _hits, n in used):
        return None
    from scipy.special import fdtrc

    hits, n = (np.array([row[index] for row in used], dtype=float) for index in (1, 2))
    of_year = np.arange(len(used)) // MONTHS_PER_YEAR
    of_month = np.array([int(name[5:7]) for name, _hits, _n in used])
    columns = [
        np.ones(len(used)),
        *((of_year == year).astype(float) for year in range(1, years)),
        *((of_month == month).astype(float) for month in range(2, 13)),
    ]
    design = np.column_stack(columns)
    fit = adjusted_differences.fit_logistic(design, n, hits)
    if fit is None:
        return None
    month_terms = slice(years, years + MONTHS_PER_YEAR - 1)
    effects = fit.coefficients[month_terms]
    joint = float(
        effects @ np.linalg.solve(fit.covariance[month_terms, month_terms], effects)
    ) / len(effects)
    expected = 1 / (1 + np.exp(-design @ fit.coefficients))
    freedom = len(used) - design.shape[1]
    dispersion = max(
        1.0, float(((hits - n * expected) ** 2 / (n * expected * (1 - expected))).sum()) / freedom
    )
    levels = np.concatenate([[0.0], effects])
    return Season(
        float(fdtrc(len(effects), freedom, joint / dispersion)),
        int(levels.argmax()) + 1,
        int(levels.argmin()) + 1,
    )


def _first_whole_month(first_day: date) -> date:
    return first_day if first_day.day == 1 else add_months(first_day.replace(day=1), 1)
