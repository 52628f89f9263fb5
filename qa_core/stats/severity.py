"""Additive model, score = advisor + evaluator + scorecard: severity of evaluators and
adjusted scores of advisors, by least squares.
"""

import itertools
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from qa_core.stats.intervals import t_quantile

NULL_EIGENVALUE = 1e-9
"""Relative eigenvalue below which a direction is undetermined by the data."""


@dataclass(frozen=True)
class RaterEffect:
    """Estimate from `n` evaluations with its 95 % interval. `raw`: plain mean of their
    scores; `shrunk`: empirical Bayes estimate (evaluators only).
    """

    value: float
    low: float | None
    high: float | None
    n: int
    raw: float
    shrunk: float | None = None


@dataclass(frozen=True)
class Severity:
    """Fitted model. Where `disconnected_evaluators` or `disconnected_scorecards` is not
    empty, the design is not connected and nothing is estimated; they name the smaller
    groups.
    """

    n: int
    evaluators: dict[Hashable, RaterEffect]
    """Severity in points: positive for evaluators who give less."""
    advisors: dict[Hashable, RaterEffect]
    """Score that an average evaluator would give on an average scorecard."""
    deviation: float | None = None
    """Residual standard deviation of a single score, in points."""
    disconnected_evaluators: tuple[Hashable, ...] = ()
    disconnected_scorecards: tuple[Hashable, ...] = ()

    @property
    def is_connected(self) -> bool:
        return bool(self.advisors)


def fit_severity(
    scores: Sequence[float],
    advisors: Sequence[Hashable],
    evaluators: Sequence[Hashable],
    scorecards: Sequence[Hashable] | None = None,
) -> Severity:
    """Fit the additive model by least squares; the sequences are aligned, one place per
    evaluation.

    Severities and scorecard effects are centred over evaluations, so that the overall
    mean is kept. Evaluators are compared through the advisors and scorecards they
    share. Nothing is estimated where that leaves a difference undetermined, nor with a
    single evaluator.
    """
    y = np.asarray(scores, float)
    advisor_names, advisor = _number(advisors)
    factors = [
        _number(evaluators),
        _number(scorecards if scorecards is not None else [None] * len(y)),
    ]
    sizes = [len(names) for names, _codes in factors]
    if len(y) == 0 or sizes[0] < 2:
        return Severity(len(y), {}, {})
    starts = np.cumsum([0, *sizes])
    width = int(starts[-1])
    encounters = np.zeros((len(advisor_names), width))
    for (_names, codes), start in zip(factors, starts, strict=False):
        np.add.at(encounters, (advisor, start + codes), 1.0)
    n_advisor, sums = np.bincount(advisor).astype(float), np.bincount(advisor, y)
    # Eliminate the advisors first: what remains is as wide as there are evaluators
    # and scorecards.
    inner = np.zeros((width, width))
    both = np.zeros(sizes)
    np.add.at(both, (factors[0][1], factors[1][1]), 1.0)
    inner[: sizes[0], sizes[0] :], inner[sizes[0] :, : sizes[0]] = both, both.T
    inner[np.arange(width), np.arange(width)] = encounters.sum(axis=0)
    right = np.concatenate(
        [
            np.bincount(codes, y, minlength=size)
            for (_names, codes), size in zip(factors, sizes, strict=True)
        ]
    )
    shares = encounters / n_advisor[:, None]
    values, vectors = np.linalg.eigh(inner - encounters.T @ shares)
    is_determined = values > NULL_EIGENVALUE * max(1.0, float(inner.max()))
    unlinked = [
        _find_disconnected(
            vectors[start:stop, ~is_determined], encounters[:, start:stop].sum(axis=0)
        )
        for start, stop in itertools.pairwise(starts)
    ]
    if any(len(places) for places in unlinked):
        unlinked_names = [
            tuple(names[index] for index in places)
            for places, (names, _codes) in zip(unlinked, factors, strict=True)
        ]
        return Severity(
            len(y),
            {},
            {},
            disconnected_evaluators=unlinked_names[0],
            disconnected_scorecards=unlinked_names[1],
        )
    inverse = (vectors[:, is_determined] / values[is_determined]) @ vectors[:, is_determined].T
    effects = inverse @ (right - encounters.T @ (sums / n_advisor))
    weights = encounters.sum(axis=0) / len(y)
    for start, stop in itertools.pairwise(starts):
        effects[start:stop] -= weights[start:stop] @ effects[start:stop]
    levels = sums / n_advisor - shares @ effects
    fitted_scores = levels[advisor] + sum(
        effects[start + codes] for (_names, codes), start in zip(factors, starts, strict=False)
    )
    freedom = len(y) - len(advisor_names) - int(is_determined.sum())
    variance = float(np.sum((y - fitted_scores) ** 2)) / freedom if freedom > 0 else math.nan
    # Only contrasts can be estimated: each evaluator against the mean of all.
    contrasts = np.eye(sizes[0], width) - np.concatenate([weights[: sizes[0]], np.zeros(sizes[1])])
    of_evaluators = variance * np.einsum("ij,jk,ik->i", contrasts, inverse, contrasts)
    design = shares - weights
    of_advisors = variance * (1 / n_advisor + np.einsum("ij,jk,ik->i", design, inverse, design))
    severities = -effects[: sizes[0]]
    raw = right[: sizes[0]] / encounters[:, : sizes[0]].sum(axis=0)
    counts = np.bincount(factors[0][1])
    shrunk = _shrink(severities, of_evaluators)
    return Severity(
        len(y),
        {
            name: _effect(severities[i], of_evaluators[i], freedom, counts[i], raw[i], shrunk[i])
            for i, name in enumerate(factors[0][0])
        },
        {
            name: _effect(levels[i], of_advisors[i], freedom, n_advisor[i], sums[i] / n_advisor[i])
            for i, name in enumerate(advisor_names)
        },
        deviation=None if math.isnan(variance) else math.sqrt(variance),
    )


def _number(names: Sequence[Hashable]) -> tuple[list[Hashable], np.ndarray]:
    places: dict[Hashable, int] = {}
    codes = np.fromiter(
        (places.setdefault(name, len(places)) for name in names), np.int64, len(names)
    )
    return list(places), codes


def _find_disconnected(directions: np.ndarray, n: np.ndarray) -> list[int]:
    """Return the places that cannot be compared with the largest group: those that some
    undetermined direction moves differently.
    """
    rows = [tuple(row) for row in np.round(directions, 6) + 0.0]
    sizes: dict[tuple[float, ...], float] = {}
    for row, count in zip(rows, n, strict=True):
        sizes[row] = sizes.get(row, 0.0) + count
    largest = max(sizes, key=lambda row: sizes[row])
    return [index for index, row in enumerate(rows) if row != largest]


def _shrink(values: np.ndarray, variances: np.ndarray) -> list[float | None]:
    """Shrink severities towards zero (DerSimonian and Laird 1986)."""
    if not np.all(variances > 0):
        return [None] * len(values)
    weights = 1 / variances
    centre = weights @ values / weights.sum()
    spread = weights @ (values - centre) ** 2 - (len(values) - 1)
    between = max(0.0, spread / (weights.sum() - weights @ weights / weights.sum()))
    return [
        float(value * between / (between + variance))
        for value, variance in zip(values, variances, strict=True)
    ]


def _effect(
    value: float, variance: float, freedom: int, n: float, raw: float, shrunk: float | None = None
) -> RaterEffect:
    half = t_quantile(freedom) * math.sqrt(variance) if freedom > 0 and variance >= 0 else None
    low, high = (None, None) if half is None else (float(value - half), float(value + half))
    return RaterEffect(float(value), low, high, int(n), float(raw), shrunk)
