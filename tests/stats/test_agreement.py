"""Agreement: alignment in points and Krippendorff's α, against published values, by
hand, and against the definition on random marks.
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from dataclasses import astuple
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest

from qa_core.quality.calibration.results import choose_level
from qa_core.scoring import Criterion, Text
from qa_core.stats.agreement import (
    Agreement,
    Alignment,
    alignment_interval,
    compare_points,
    find_pairs,
    krippendorff_alphas,
    measure_agreement,
    sum_alignments,
)

NAN = float("nan")
PUBLISHED = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]
"""K. Krippendorff, Computing Krippendorff's Alpha-Reliability (2011): four observers,
twelve units, missing data.
"""


@pytest.mark.parametrize(("level", "expected"), [("nominal", 0.743), ("ordinal", 0.815)])
def test_alpha_is_that_of_the_paper(level: str, expected: float) -> None:
    found = measure_agreement(np.array(PUBLISHED).T, level)

    assert found.value == pytest.approx(expected, abs=5e-4)
    assert found.contacts == 11  # the twelfth was marked once
    assert found.low < found.value < found.high <= 1


def define_alpha(marks: np.ndarray, level: str) -> float:
    """Compute α from the matrix of coincidences, pair by pair (section C of the paper)."""
    units = [[float(mark) for mark in row if not np.isnan(mark)] for row in marks]
    coincidences: Counter[tuple[float, float]] = Counter()
    for unit in units:
        for one, other in permutations(unit, 2):
            coincidences[one, other] += 1 / (len(unit) - 1)
    totals = Counter(mark for unit in units for mark in unit)
    n = sum(totals.values())

    def squared_distance(one: float, other: float) -> float:
        if level == "nominal":
            return float(one != other)
        low, high = min(one, other), max(one, other)
        between = sum(count for value, count in totals.items() if low <= value <= high)
        return (between - (totals[low] + totals[high]) / 2) ** 2

    observed = sum(count * squared_distance(*pair) for pair, count in coincidences.items())
    expected = sum(
        totals[one] * totals[other] * squared_distance(one, other)
        for one in totals
        for other in totals
    )
    return 1 - (n - 1) * observed / expected


@pytest.mark.parametrize("level", ["nominal", "ordinal"])
def test_alpha_is_that_of_its_definition(level: str) -> None:
    chance = np.random.default_rng(11)
    for _ in range(60):
        marks = chance.choice(
            [0.0, 0.5, 1, 2, 5], (int(chance.integers(4, 15)), int(chance.integers(2, 6)))
        )
        marks[chance.random(marks.shape) < 0.3] = NAN
        marks = marks[np.sum(~np.isnan(marks), axis=1) >= 2]
        domain = np.unique(marks[~np.isnan(marks)])
        if len(domain) < 2:
            continue
        weights = chance.integers(1, 4, (1, len(marks)))
        counts = np.stack([np.sum(marks == value, axis=1) for value in domain], axis=1).astype(
            float
        )
        drawn = np.repeat(marks, weights[0], axis=0)

        assert krippendorff_alphas(counts, weights.astype(float), level)[0] == pytest.approx(
            define_alpha(drawn, level)
        )
        assert measure_agreement(drawn, level, resamples=0).value == pytest.approx(
            define_alpha(drawn, level)
        )


def test_of_two_answers_nominal_and_ordinal_alpha_are_the_same() -> None:
    chance = np.random.default_rng(3)
    marks = chance.integers(0, 2, (30, 4)) * 2.0

    assert astuple(measure_agreement(marks, "nominal")) == pytest.approx(
        astuple(measure_agreement(marks, "ordinal"))
    )
    assert [
        choose_level(Criterion("k", Text("", ""), Fraction(2), tuple(map(Fraction, levels))))
        for levels in ((0, 2), (0, 1, 2), ())
    ] == [
        "nominal",
        "ordinal",
        "ordinal",
    ]


def test_without_variance_alpha_is_undefined_and_not_one() -> None:
    assert measure_agreement([[2, 2], [2, 2], [2, 2]]) == Agreement(None, contacts=3)
    assert measure_agreement([[2, NAN], [NAN, 1]]).value is None  # nobody was marked twice
    assert measure_agreement(np.empty((0, 3))).value is None


def test_full_agreement_is_one_and_the_same_seed_gives_the_same_interval() -> None:
    chance = np.random.default_rng(5)
    truth = chance.integers(0, 3, (40, 1))
    noisy = np.clip(np.repeat(truth, 3, axis=1) + chance.integers(-1, 2, (40, 3)), 0, 2)

    assert measure_agreement(np.repeat(truth, 3, axis=1)).value == 1
    assert measure_agreement(noisy) == measure_agreement(noisy)
    assert measure_agreement(noisy, seed=1).low != measure_agreement(noisy, seed=2).low


def test_ten_against_seven_of_fifteen_are_aligned_to_eighty_percent() -> None:
    assert compare_points(10, 7, 15).value == pytest.approx(0.80)


def test_equal_totals_do_not_hide_opposite_answers() -> None:
    # 2 and 0 against 0 and 2: the totals agree, the answers do not at all.
    assert sum_alignments([compare_points(2, 0, 2), compare_points(0, 2, 2)]).value == 0


def test_criteria_weigh_by_their_points_and_not_applicable_leaves_both_sums() -> None:
    # (4 − 1) + (1 − 0) of 4 + 1 points; the third was not applicable to one of the two,
    # the fourth to both.
    parts = [
        compare_points(4, 3, 4),
        compare_points(1, 1, 1),
        compare_points(None, 0, 10),
        compare_points(None, None, 10),
    ]

    assert sum_alignments(parts) == Alignment(agreed_points=4, possible=5, n=2, unmatched_pairs=1)
    assert sum_alignments(parts).value == pytest.approx(0.8)
    assert compare_points(None, 3, 3).value is None


def test_alpha_needs_no_more_than_numpy() -> None:
    asked = (
        "import sys; from qa_core.stats.agreement import measure_agreement as ask; "
        "ask([[0, 1], [1, 1], [0, 0]])"
    )
    code = f"{asked}; print('scipy.stats' in sys.modules, 'pandas' in sys.modules)"

    assert subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split() == ["False", "False"]


def test_the_interval_of_an_alignment_comes_from_its_contacts() -> None:
    alike, apart = Alignment(10, 10, 1), Alignment(4, 10, 1)
    assert alignment_interval([alike] * 12) is None  # no draw differs: that is not certainty
    low, high = alignment_interval([alike] * 10 + [apart] * 10)
    assert 0.55 < low < 0.7 < high < 0.85
    assert alignment_interval([alike] * 10 + [apart] * 10) == (low, high)
    assert (
        alignment_interval([alike, Alignment(unmatched_pairs=1)]) is None
    )  # one contact says nothing of others


def test_each_is_held_against_the_reference_where_that_one_marked_it() -> None:
    assert find_pairs(("ann", "bob", "eve"), "bob") == [("ann", "bob"), ("eve", "bob")]
    assert find_pairs(("ann", "eve"), "bob") == [("ann", "eve")]
    assert find_pairs(("ann", "bob", "eve"), None) == [
        ("ann", "bob"),
        ("ann", "eve"),
        ("bob", "eve"),
    ]
