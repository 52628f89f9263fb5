"""How far several people who marked the same contacts agree: alignment in points, and
Krippendorff's α with its interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

RESAMPLES = 500
LEAST_DEFINED = 0.5
"""An interval is given where α is defined in at least this share of the resamples."""


@dataclass(frozen=True)
class Alignment:
    """Points that were given alike, of the points possible, over `n` comparisons: sums,
    so that parts add up to their whole.

    `apart` counts the comparisons in which one side said "not applicable" and the other
    gave points; they are in neither sum.
    """

    close: float = 0.0
    possible: float = 0.0
    n: int = 0
    apart: int = 0

    def __add__(self, other: Alignment) -> Alignment:
        return Alignment(
            self.close + other.close,
            self.possible + other.possible,
            self.n + other.n,
            self.apart + other.apart,
        )

    @property
    def value(self) -> float | None:
        """1 − |a − b| / max, weighted by the points possible; None where nothing could
        be compared.
        """
        return self.close / self.possible if self.possible else None


def compare_points(one: float | None, other: float | None, most: float) -> Alignment:
    """Two marks of one criterion that is worth `most` points; None is "not applicable"."""
    if one is None or other is None:
        return Alignment(apart=int((one is None) != (other is None)))
    return Alignment(most - abs(one - other), most, 1)


def add_up(parts: Iterable[Alignment]) -> Alignment:
    """The sum of several comparisons: their mean weighted by the points possible."""
    return sum(parts, Alignment())


def find_pairs(present: Sequence[str], reference: str | None) -> list[tuple[str, str]]:
    """Who is compared with whom on one contact: each with the reference where that one
    marked it, else everybody with everybody.
    """
    if reference in present:
        return [(username, reference) for username in present if username != reference]
    return list(combinations(present, 2))


def alignment_interval(
    contacts: Iterable[Alignment], resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float] | None:
    """Between which values an alignment lies 95 % of the time, from drawing contacts
    again with replacement: `contacts` are the sums of each.

    The same for the same seed; None with fewer than two contacts on which something
    could be compared, and where all are aligned alike: the draws then do not differ,
    and say nothing of other contacts.
    """
    sums = np.array([(part.close, part.possible) for part in contacts if part.possible], float)
    if len(sums) < 2 or len(np.unique(sums[:, 0] / sums[:, 1])) < 2:
        return None
    drawn = _draw(len(sums), resamples, np.random.default_rng(seed)) @ sums
    low, high = np.quantile(drawn[:, 0] / drawn[:, 1], (0.025, 0.975))
    value = sums[:, 0].sum() / sums[:, 1].sum()
    return float(min(low, value)), float(max(high, value))


@dataclass(frozen=True)
class Agreement:
    """Krippendorff's α, 1 for full agreement and 0 for that of chance; None where it is
    undefined, because nobody was marked twice or all marks are the same. `low` and
    `high`: between which it lies 95 % of the time; None where too few resamples define
    it.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    contacts: int = 0
    """How many were marked by at least two."""


def measure_agreement(
    marks: Any, level: str = "ordinal", resamples: int = RESAMPLES, seed: int = 0
) -> Agreement:
    """α of one criterion. `marks`: contacts × evaluators, NaN where nobody marked or
    the criterion does not apply; `level`: `ordinal` or `nominal`.

    The interval comes from drawing contacts again with replacement (percentiles of
    `resamples`, the same for the same seed). Source: K. Krippendorff, Computing
    Krippendorff's Alpha-Reliability (2011).
    """
    marks = np.asarray(marks, float)
    marks = marks[np.sum(~np.isnan(marks), axis=1) >= 2]
    domain = np.unique(marks[~np.isnan(marks)])
    if len(domain) < 2:
        return Agreement(None, contacts=len(marks))
    counts = np.stack([np.sum(marks == value, axis=1) for value in domain], axis=1).astype(float)
    value = float(alphas(counts, np.ones((1, len(counts))), level)[0])
    drawn = (
        _resample(counts, level, resamples, np.random.default_rng(seed))
        if len(counts) > 1
        else np.array([])
    )
    defined = drawn[~np.isnan(drawn)]
    if not resamples or len(defined) < LEAST_DEFINED * resamples:
        return Agreement(value, contacts=len(marks))
    low, high = np.quantile(defined, (0.025, 0.975))
    return Agreement(value, float(min(low, value)), float(max(high, value)), len(marks))


def alphas(counts: np.ndarray, weights: np.ndarray, level: str) -> np.ndarray:
    """α of each row of `weights` (resamples × contacts: how often each contact counts)
    from `counts` (contacts × values: how many gave that value).

    Many at once, from sums and sums of squares: Σ (a − b)² over the pairs of a contact
    is m Σ a² − (Σ a)², so no matrix of coincidence is needed. NaN where a resample has
    no variance.
    """
    of_contact, totals = counts.sum(axis=1), weights @ counts
    n = totals.sum(axis=1)
    if level == "ordinal":
        # Two values are as far apart as there are marks between them, half of their own
        # included.
        places = np.cumsum(totals, axis=1) - totals / 2
        within = of_contact * (places**2 @ counts.T) - (places @ counts.T) ** 2
        overall = n * np.sum(totals * places**2, axis=1) - np.sum(totals * places, axis=1) ** 2
    else:
        within = of_contact**2 - np.sum(counts**2, axis=1)
        overall = n**2 - np.sum(totals**2, axis=1)
    observed = np.sum(weights * within / (of_contact - 1), axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(
            np.count_nonzero(totals, axis=1) > 1, 1 - (n - 1) * observed / overall, np.nan
        )


def _resample(
    counts: np.ndarray, level: str, resamples: int, chance: np.random.Generator
) -> np.ndarray:
    return alphas(counts, _draw(len(counts), resamples, chance), level)


def _draw(contacts: int, resamples: int, chance: np.random.Generator) -> np.ndarray:
    """How often each contact counts in each resample."""
    return chance.multinomial(contacts, np.full(contacts, 1 / contacts), resamples).astype(float)
