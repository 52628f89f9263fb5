"""Differences of a rate between levels of factors, plain and adjusted for the other
factors.

Associations, never causes. Cells are grouped counts: for every combination of levels
that occurs, the number of rows (`n`) and of hits.
"""

import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from qa_core.stats import CONFIDENCE, Z95, difference_interval, holm

MIN_ROWS = 30
"""Minimum rows of a level, and of its rest, for a comparison."""

POOLED = "\x00folded"
"""Level that pools the small levels of one factor."""


@dataclass(frozen=True)
class Fit:
    """Coefficients of a logistic regression (log-odds) and their covariance."""

    coefficients: np.ndarray
    covariance: np.ndarray

    @property
    def errors(self) -> np.ndarray:
        return np.sqrt(np.diag(self.covariance))


@dataclass(frozen=True)
class Driver:
    """Difference between the rates of one level and of the rest of its factor, 0–1.

    `adjusted` and its interval: adjusted for the other factors; None where the level
    cannot be separated from them. `is_significant`: significant after correction for
    all levels tested.
    """

    factor: str
    level: Hashable
    n: int
    rate: float
    difference: float
    low: float
    high: float
    adjusted: float | None = None
    adjusted_low: float | None = None
    adjusted_high: float | None = None
    p_value: float = 1.0
    is_significant: bool = False

    @property
    def size(self) -> float:
        """Return the adjusted difference, or the plain one where there is none."""
        return self.difference if self.adjusted is None else self.adjusted


def fit_logistic(design: np.ndarray, n: np.ndarray, hits: np.ndarray) -> Fit | None:
    """Fit a logistic regression to grouped counts by Firth's penalised likelihood
    (Firth 1993), which stays finite where a level has all hits or none.

    `design`: one row per cell, its first column all 1. Return None when the fit does
    not converge, as with linearly dependent columns.
    """
    share = (hits.sum() + 0.5) / (n.sum() + 1)
    beta = np.zeros(design.shape[1])
    beta[0] = math.log(share / (1 - share))
    best = _penalised_likelihood(design, n, hits, beta)
    for _ in range(60):
        chance = _logistic(design @ beta)
        weight = n * chance * (1 - chance)
        try:
            covariance = np.linalg.inv(design.T @ (weight[:, None] * design))
        except np.linalg.LinAlgError:
            return None
        leverage = weight * np.einsum("ij,ij->i", design @ covariance, design)
        step = covariance @ (design.T @ (hits - n * chance + leverage * (0.5 - chance)))
        largest = np.abs(step).max()
        if not np.isfinite(largest):
            return None
        if largest < 1e-7:
            return Fit(beta, covariance)
        step *= min(1.0, 2.0 / largest)
        # Halve the step while it lowers the penalised likelihood: with many
        # small levels whole steps would oscillate.
        while (
            likelihood := _penalised_likelihood(design, n, hits, beta + step)
        ) < best - 1e-12 and np.abs(step).max() > 1e-9:
            step /= 2
        beta, gain, best = beta + step, likelihood - best, likelihood
        if abs(gain) < 1e-10:
            return Fit(beta, covariance)
    return None


def _penalised_likelihood(
    design: np.ndarray, n: np.ndarray, hits: np.ndarray, beta: np.ndarray
) -> float:
    """Return the penalised log-likelihood: log L + ½ log det(information)."""
    odds = np.clip(design @ beta, -35, 35)
    chance = _logistic(odds)
    information = design.T @ ((n * chance * (1 - chance))[:, None] * design)
    return float(
        (hits * odds - n * np.logaddexp(0, odds)).sum() + np.linalg.slogdet(information)[1] / 2
    )


def find_drivers(
    cells: pd.DataFrame, reported_levels: Mapping[str, Collection[Hashable] | None]
) -> tuple[Driver, ...]:
    """Compare every level with the rest of its factor, unadjusted and adjusted for the
    other factors.

    `cells`: one column per factor of `reported_levels`, then `n` and `hits`; missing
    levels are counted but not reported. `reported_levels`: the levels to report of each
    factor, None for all. Small levels are pooled as `POOLED`. Sorted by size, the
    largest first.
    """
    if cells.empty:
        return ()
    cells = pool_small_levels(cells, list(reported_levels))
    n, hits = cells["n"].to_numpy(float), cells["hits"].to_numpy(float)
    adjustments = (
        _standardise(cells, list(reported_levels), n, hits) if len(reported_levels) > 1 else {}
    )
    total, wins, drivers, changes = int(n.sum()), int(hits.sum()), [], []
    for factor, levels in reported_levels.items():
        sums = cells.groupby(factor, dropna=False)[["n", "hits"]].sum()
        for level, size, good in zip(sums.index, sums["n"], sums["hits"], strict=True):
            if pd.isna(level) or level == POOLED or (levels is not None and level not in levels):
                continue
            driver = compare_with_rest(factor, level, int(good), int(size), wins, total)
            if driver is not None:
                drivers.append(driver)
                changes.append(adjustments.get((factor, level)))
    return mark_significant(
        [
            _adjust(driver, change) if change else driver
            for driver, change in zip(drivers, changes, strict=True)
        ]
    )


def compare_with_rest(
    factor: str, level: Hashable, hits: int, n: int, all_hits: int, total: int
) -> Driver | None:
    """Compare a level with the rest by counts (Newcombe 1998). None below `MIN_ROWS` each side."""
    rest, rest_hits = total - n, all_hits - hits
    if min(n, rest) < MIN_ROWS:
        return None
    pooled_rate = all_hits / total
    error = math.sqrt(pooled_rate * (1 - pooled_rate) * (1 / n + 1 / rest))
    difference = hits / n - rest_hits / rest
    low, high = difference_interval(hits, n, rest_hits, rest)
    return Driver(
        factor,
        level,
        n,
        hits / n,
        difference,
        low,
        high,
        p_value=math.erfc(abs(difference) / error / math.sqrt(2)) if error else 1.0,
    )


def mark_significant(drivers: Sequence[Driver]) -> tuple[Driver, ...]:
    """Mark the significant differences (Holm 1979). Sort by size, largest first."""
    sure = holm([driver.p_value for driver in drivers], 1 - CONFIDENCE)
    results = [
        replace(driver, is_significant=significant)
        for driver, significant in zip(drivers, sure, strict=True)
    ]
    return tuple(
        sorted(results, key=lambda driver: (-abs(driver.size), driver.factor, str(driver.level)))
    )


def pool_small_levels(cells: pd.DataFrame, factors: Sequence[str]) -> pd.DataFrame:
    """Pool the small levels of each factor; add up equal cells."""
    cells = cells.copy()
    for factor in factors:
        sizes = cells.groupby(factor, dropna=False)["n"].sum()
        small = [level for level, n in sizes.items() if not pd.isna(level) and n < MIN_ROWS]
        if small:
            cells[factor] = cells[factor].where(~cells[factor].isin(small), POOLED)
    return cells.groupby(list(factors), dropna=False, as_index=False)[["n", "hits"]].sum()


def _adjust(driver: Driver, change: tuple[float, float]) -> Driver:
    difference, error = change
    return replace(
        driver,
        adjusted=difference,
        adjusted_low=difference - Z95 * error,
        adjusted_high=difference + Z95 * error,
        p_value=math.erfc(abs(difference) / error / math.sqrt(2)),
    )


def _standardise(
    cells: pd.DataFrame, factors: Sequence[str], n: np.ndarray, hits: np.ndarray
) -> dict[tuple[str, Hashable], tuple[float, float]]:
    """Return (factor, level) → adjusted difference to the rest and its standard error.

    Marginal standardisation: the rate if every row had that level, minus the rate if
    every row had one of the others in their own proportions. Standard errors by the
    delta method.
    """
    columns: list[np.ndarray] = [np.ones(len(cells))]
    places: dict[str, dict[Hashable, int | None]] = {}
    shares: dict[str, dict[Hashable, float]] = {}
    for factor in factors:
        codes, levels = pd.factorize(cells[factor], use_na_sentinel=False)
        weights = np.bincount(codes, weights=n, minlength=len(levels))
        reference = int(weights.argmax())
        names = [None if pd.isna(level) else level for level in levels]
        places[factor] = {names[reference]: None}
        shares[factor] = dict(zip(names, weights, strict=True))
        for code, name in enumerate(names):
            if code != reference:
                places[factor][name] = len(columns)
                columns.append((codes == code).astype(float))
    design = np.column_stack(columns)
    # Drop levels determined by earlier factors (nobody waits for an e-mail).
    independent_columns = _independent(design, n)
    fit = fit_logistic(design[:, independent_columns], n, hits)
    if fit is None:
        return {}
    position = {column: at for at, column in enumerate(independent_columns)}
    design, total, differences = design[:, independent_columns], n.sum(), {}
    for factor, of_level in places.items():
        own = [position[column] for column in of_level.values() if column in position]
        base = design @ fit.coefficients - design[:, own] @ fit.coefficients[own]
        rates, slopes = {}, {}
        for level, column in of_level.items():
            at = position.get(column) if column is not None else None
            chance = _logistic(base + (fit.coefficients[at] if at is not None else 0.0))
            weight = n * chance * (1 - chance) / total
            slope = design.T @ weight
            slope[own] = 0.0
            if at is not None:
                slope[at] = weight.sum()
            rates[level], slopes[level] = float(n @ chance / total), slope
        for level, column in of_level.items():
            if column is not None and column not in position:
                continue
            others = [other for other in of_level if other != level]
            rest = sum(shares[factor][other] for other in others)
            if not rest:
                continue
            difference = (
                rates[level] - sum(shares[factor][other] * rates[other] for other in others) / rest
            )
            slope = (
                slopes[level]
                - sum(shares[factor][other] * slopes[other] for other in others) / rest
            )
            error = math.sqrt(max(float(slope @ fit.covariance @ slope), 0.0))
            if error > 0:
                differences[factor, level] = (float(difference), error)
    return differences


def _independent(design: np.ndarray, n: np.ndarray) -> list[int]:
    """Return the columns that are linearly independent of those before them."""
    products, independent_columns = design.T @ (n[:, None] * design), [0]
    for column in range(1, design.shape[1]):
        among = products[np.ix_(independent_columns, independent_columns)]
        with_it = products[independent_columns, column]
        residual = products[column, column] - with_it @ np.linalg.solve(among, with_it)
        if residual > 1e-8 * products[column, column]:
            independent_columns.append(column)
    return independent_columns


def _logistic(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(values, -35, 35)))
