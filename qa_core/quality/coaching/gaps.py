"""Scores significantly off the rest of the team or one's own past, corrected for all tests."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from qa_core import stats

MIN_EVALUATIONS = 5
"""Minimum evaluations for a comparison."""
FAMILY_ERROR_RATE = (1 - stats.CONFIDENCE) / 2
"""Error rate within whole scores, and within all criteria."""

Criterion = str | None
"""Key of a criterion; None: the whole score."""


@dataclass(frozen=True)
class AdvisorMean:
    """Mean of one advisor, 0–100, over `n` evaluations with their standard deviation."""

    advisor: str
    mean: float
    deviation: float | None
    n: int


@dataclass(frozen=True)
class CriterionGap:
    """Difference of an advisor's mean from the rest of the team. `low`, `high`:
    simultaneous interval over all comparisons; `shrunk_difference`: the difference with
    the advisor's mean shrunk towards the team's. `side`: −1 clearly below, 1 clearly
    above, 0 no clear difference.
    """

    advisor: str
    criterion: Criterion
    mean: float
    others: float
    low: float
    high: float
    shrunk_difference: float
    n: int
    side: int

    @property
    def is_significant(self) -> bool:
        """Return whether the advisor is clearly below."""
        return self.side < 0


@dataclass(frozen=True)
class ClearRise:
    """Rise of an advisor's score since an earlier period, with its simultaneous interval."""

    advisor: str
    before: AdvisorMean
    now: AdvisorMean
    low: float
    high: float


def find_gaps(values: Mapping[Criterion, Sequence[AdvisorMean]]) -> tuple[CriterionGap, ...]:
    """Return every possible comparison. One is clear where its interval excludes 0
    after Bonferroni correction (within whole scores, within all criteria) and the group
    test is significant (`stats.compare_means`).
    """
    usable = {
        criterion: [value for value in members if _is_usable(value)]
        for criterion, members in values.items()
    }
    usable = {criterion: members for criterion, members in usable.items() if len(members) > 1}
    tried = {
        True: len(usable.get(None, ())),
        False: sum(len(members) for criterion, members in usable.items() if criterion is not None),
    }
    return tuple(
        gap
        for criterion, members in usable.items()
        for gap in _compare(criterion, members, tried[criterion is None])
    )


def find_rises(pairs: Sequence[tuple[AdvisorMean, AdvisorMean]]) -> tuple[ClearRise, ...]:
    """Return the clear rises among pairs of before and now: interval by Student's t with
    the pooled variance, Bonferroni correction over all pairs.
    """
    usable = [pair for pair in pairs if all(map(_is_usable, pair))]
    means = [mean for pair in usable for mean in pair]
    within = stats.pooled_variance([mean.deviation for mean in means], [mean.n for mean in means])
    freedom = sum(mean.n for mean in means) - len(means)
    rises = []
    for before, now in usable:
        reach = stats.t_quantile(freedom, 1 - FAMILY_ERROR_RATE / len(usable))
        half = reach * math.sqrt(
            sum(max(mean.deviation**2, within) / mean.n for mean in (before, now))
        )
        change = now.mean - before.mean
        if change > half:
            rises.append(ClearRise(now.advisor, before, now, change - half, change + half))
    return tuple(rises)


def _is_usable(value: AdvisorMean) -> bool:
    return value.n >= MIN_EVALUATIONS and value.deviation is not None


def _compare(
    criterion: Criterion, members: Sequence[AdvisorMean], tried: int
) -> list[CriterionGap]:
    keys, means, sizes = (
        [getattr(member, name) for member in members] for name in ("advisor", "mean", "n")
    )
    deviations = [member.deviation for member in members]
    compared = stats.compare_means(keys, means, deviations, sizes)
    estimates = stats.shrink_means(means, deviations, sizes).estimates
    within = stats.pooled_variance(deviations, sizes)
    all_n = sum(sizes)
    total = sum(mean * n for mean, n in zip(means, sizes, strict=True))
    reach = stats.t_quantile(all_n - len(members), 1 - FAMILY_ERROR_RATE / tried)
    gaps = []
    for member, estimate in zip(members, estimates, strict=True):
        rest = all_n - member.n
        others = (total - member.mean * member.n) / rest
        half = reach * math.sqrt(max(member.deviation**2, within) / member.n + within / rest)
        difference = member.mean - others
        is_below = member.advisor in compared.below and difference + half < 0
        is_above = member.advisor in compared.above and difference - half > 0
        gaps.append(
            CriterionGap(
                member.advisor,
                criterion,
                member.mean,
                others,
                difference - half,
                difference + half,
                (member.mean if estimate is None else estimate) - others,
                member.n,
                is_above - is_below,
            )
        )
    return gaps
