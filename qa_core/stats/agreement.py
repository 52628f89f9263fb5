"""Agreement of evaluators: alignment in points, Krippendorff's α with a bootstrap interval."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

RESAMPLES = 500
MIN_DEFINED = 0.5
"""Minimum share of resamples in which α is defined, for an interval."""


@dataclass(frozen=True)
class Alignment:
    """Matching points, of the points possible, over `n` comparisons; both are sums and
    add up.

    `unmatched_pairs`: comparisons of "not applicable" with points; they are in neither sum.
    """

    agreed_points: float = 0.0
    possible: float = 0.0
    n: int = 0
    unmatched_pairs: int = 0

    def __add__(self, other: Alignment) -> Alignment:
        return Alignment(
            self.agreed_points + other.agreed_points,
            self.possible + other.possible,
            self.n + other.n,
            self.unmatched_pairs + other.unmatched_pairs,
        )

    @property
    def value(self) -> float | None:
        """Return Σ (max − |a − b|) / Σ max; None where nothing could be compared."""
        return self.agreed_points / self.possible if self.possible else None


def compare_points(one: float | None, other: float | None, most: float) -> Alignment:
    """Compare two marks of a criterion worth `most`; None is "not applicable"."""
    if one is None or other is None:
        return Alignment(unmatched_pairs=int((one is None) != (other is None)))
    return Alignment(most - abs(one - other), most, 1)


def sum_alignments(parts: Iterable[Alignment]) -> Alignment:
    """Sum alignments: the mean weighted by the points possible."""
    return sum(parts, Alignment())


def find_pairs(present: Sequence[str], reference: str | None) -> list[tuple[str, str]]:
    """Pair the evaluators of a contact: each with the reference, else all pairs."""
    if reference in present:
        return [(username, reference) for username in present if username != reference]
    return list(combinations(present, 2))


def alignment_interval(
    contacts: Iterable[Alignment], resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float] | None:
    """Return the 95 % bootstrap interval of an alignment, resampling contacts.

    `contacts`: one `Alignment` each. Deterministic for a seed. None with fewer than two
    comparable contacts, or when all have the same alignment: resamples would not differ.
    """
    sums = np.array(
        [(part.agreed_points, part.possible) for part in contacts if part.possible], float
    )
    if len(sums) < 2 or len(np.unique(sums[:, 0] / sums[:, 1])) < 2:
        return None
    resampled_sums = _draw(len(sums), resamples, np.random.default_rng(seed)) @ sums
    low, high = np.quantile(resampled_sums[:, 0] / resampled_sums[:, 1], (0.025, 0.975))
    value = sums[:, 0].sum() / sums[:, 1].sum()
    return float(min(low, value)), float(max(high, value))


@dataclass(frozen=True)
class Agreement:
    """Krippendorff's α: 1 is full agreement, 0 is chance agreement, with its 95 % interval.

    `value` is None where α is undefined: no contact with two marks, or all marks equal.
    The interval is None where too few resamples define α.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    contacts: int = 0
    """Contacts with two marks or more."""


def measure_agreement(
    marks: Any, level: str = "ordinal", resamples: int = RESAMPLES, seed: int = 0
) -> Agreement:
    """Compute Krippendorff's α of one criterion with a bootstrap interval over
    contacts.

    `marks`: contacts × evaluators, NaN where unmarked or not applicable; `level`:
    `ordinal` or `nominal`. The interval comes from drawing contacts again with
    replacement (percentiles of `resamples`, the same for the same seed). Source:
    K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011).
    """
    marks = np.asarray(marks, float)
    marks = marks[np.sum(~np.isnan(marks), axis=1) >= 2]
    domain = np.unique(marks[~np.isnan(marks)])
    if len(domain) < 2:
        return Agreement(None, contacts=len(marks))
    counts = np.stack([np.sum(marks == value, axis=1) for value in domain], axis=1).astype(float)
    value = float(krippendorff_alphas(counts, np.ones((1, len(counts))), level)[0])
    alphas = (
        krippendorff_alphas(
            counts, _draw(len(counts), resamples, np.random.default_rng(seed)), level
        )
        if len(counts) > 1
        else np.array([])
    )
    defined_alphas = alphas[~np.isnan(alphas)]
    if not resamples or len(defined_alphas) < MIN_DEFINED * resamples:
        return Agreement(value, contacts=len(marks))
    low, high = np.quantile(defined_alphas, (0.025, 0.975))
    return Agreement(value, float(min(low, value)), float(max(high, value)), len(marks))


def krippendorff_alphas(counts: np.ndarray, weights: np.ndarray, level: str) -> np.ndarray:
    """Compute α for each row of `weights` (resamples × contacts: multiplicity of each
    contact) from `counts` (contacts × values: evaluators who gave the value).

    Σ (a − b)² over the pairs of a contact is m Σ a² − (Σ a)², so sums and sums of
    squares suffice, without a coincidence matrix. NaN where a resample has no variance.
    """
    of_contact, totals = counts.sum(axis=1), weights @ counts
    n = totals.sum(axis=1)
    if level == "ordinal":
        # Ordinal distance of two values: the marks between them, plus half of
        # their own.
        places = np.cumsum(totals, axis=1) - totals / 2
        within = of_contact * (places**2 @ counts.T) - (places @ counts.T) ** 2
        overall = n * np.sum(totals * places**2, axis=1) - np.sum(totals * places, axis=1) ** 2
    else:
        within = of_contact**2 - np.sum(counts**2, axis=1)
        overall = n**2 - np.sum(totals**2, axis=1)
    disagreement = np.sum(weights * within / (of_contact - 1), axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(
            np.count_nonzero(totals, axis=1) > 1, 1 - (n - 1) * disagreement / overall, np.nan
        )


def _draw(contacts: int, resamples: int, chance: np.random.Generator) -> np.ndarray:
    """Draw the multiplicity of each contact in each resample."""
    return chance.multinomial(contacts, np.full(contacts, 1 / contacts), resamples).astype(float)
