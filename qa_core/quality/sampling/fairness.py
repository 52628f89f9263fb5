"""Fairness of a draw: drawn contacts compared with the frame, advisor by advisor.

Every advisor gives the same number, so the sample does not mirror the frame. Its
expectation is the sum over advisors of the contacts drawn times the shares in that
advisor's part of the frame.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

SIMULATIONS = 2000
MIN_EXPECTED = 5.0
"""Minimum expected per value for chi-square; below it, simulation."""


@dataclass(frozen=True)
class AdvisorShare:
    """Value of a dimension: in the frame, expected, drawn, deviation by chance."""

    value: str | None
    frame: int
    expected: float
    drawn: int
    deviation: float = 0.0


@dataclass(frozen=True)
class Fairness:
    """Comparison on one dimension. `p_value`: chance of a sample at least this far from
    expected; None where nothing can differ.
    """

    dimension: str
    shares: tuple[AdvisorShare, ...]
    p_value: float | None
    is_simulated: bool


def assess_fairness(
    dimension: str,
    frame: Mapping[str, Mapping[str | None, int]],
    drawn: Mapping[str, Mapping[str | None, int]],
    seed: int,
) -> Fairness:
    """Compare the drawn contacts (advisor → value → contacts) with the frame, under
    random draws within each advisor.

    Chi-square on the sum of hypergeometric draws; simulated from the seed where a value
    is expected fewer than five times. A stratified draw is closer to the frame than
    chance, so a small p-value means that something is wrong.
    """
    values = sorted(
        {value for counts in frame.values() for value in counts},
        key=lambda value: (value is None, value or ""),
    )
    advisors = [advisor for advisor in frame if sum(drawn.get(advisor, {}).values())]
    sizes, counts = (
        np.array(
            [[of[advisor].get(value, 0) for value in values] for advisor in advisors],
            dtype=np.int64,
        ).reshape(len(advisors), len(values))
        for of in (frame, drawn)
    )
    frame_totals = [sum(counted.get(value, 0) for counted in frame.values()) for value in values]
    drawn_totals, total = counts.sum(axis=1), sizes.sum(axis=1)
    share = sizes / np.maximum(total, 1)[:, None]
    expected, observed = drawn_totals @ share, counts.sum(axis=0)
    # Advisors whose contacts are all drawn have no variance.
    spread = drawn_totals * (total - drawn_totals) / np.maximum(total - 1, 1)
    covariance = np.diag(spread @ share) - (share * spread[:, None]).T @ share
    deviations = np.sqrt(np.maximum(np.diag(covariance), 0))
    rows = zip(
        values,
        frame_totals,
        map(float, expected),
        map(int, observed),
        map(float, deviations),
        strict=True,
    )
    shares = tuple(AdvisorShare(*row) for row in rows)
    rank = np.linalg.matrix_rank(covariance, tol=1e-9) if advisors else 0
    if rank == 0:
        return Fairness(dimension, shares, None, False)
    if expected[expected > 0].min() >= MIN_EXPECTED:
        from scipy import special

        gap = observed - expected
        distance = float(gap @ np.linalg.pinv(covariance, rcond=1e-9) @ gap)
        return Fairness(dimension, shares, float(special.chdtrc(rank, distance)), False)
    p_value = _simulate(sizes, drawn_totals, expected, observed, seed)
    return Fairness(dimension, shares, p_value, True)


def _simulate(
    sizes: np.ndarray,
    drawn_totals: np.ndarray,
    expected: np.ndarray,
    observed: np.ndarray,
    seed: int,
) -> float:
    chance = np.random.Generator(np.random.PCG64(seed % (1 << 63)))
    there = expected > 0
    sums = np.zeros((SIMULATIONS, sizes.shape[1]))
    for size, count in zip(sizes, drawn_totals, strict=True):
        sums += chance.multivariate_hypergeometric(
            size, int(count), size=SIMULATIONS, method="marginals"
        )
    distances = (((sums - expected) ** 2)[:, there] / expected[there]).sum(axis=1)
    reached = (((observed - expected) ** 2)[there] / expected[there]).sum()
    return float((np.sum(distances >= reached - 1e-9) + 1) / (SIMULATIONS + 1))
