"""How sure a number is: known intervals, and comparisons that do not see differences
where chance is enough.
"""

from __future__ import annotations

import math
import random
import statistics as plain
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control, fisher_exact

from qa_core import stats


@pytest.mark.parametrize(
    ("hits", "n", "low", "high"),
    [
        (4, 4, 0.5101, 1.0),
        (4, 5, 0.3755, 0.9638),
        (9, 10, 0.5958, 0.9821),
        (27, 30, 0.7438, 0.9654),
    ],
)
def test_wilson_gives_the_published_intervals(hits: int, n: int, low: float, high: float) -> None:
    assert stats.wilson(hits, n) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_holds_the_rate_inside_zero_and_one_and_has_a_width(pair: tuple[int, int]) -> None:
    low, high = stats.wilson(*pair)
    assert 0 <= low <= pair[0] / pair[1] <= high <= 1
    assert high > low


def test_nothing_counted_has_no_interval() -> None:
    assert stats.wilson(0, 0) is None
    assert stats.nps_interval(0, 0, 0) is None
    assert stats.mean_interval(3.0, None, 1) is None


def test_the_interval_of_a_mean_is_student_s() -> None:
    # 10, 12, 14: mean 12, deviation 2; t(2) = 4.302653, so ± 4.302653 · 2 / √3 = 4.968
    assert stats.mean_interval(12.0, 2.0, 3) == (
        pytest.approx(7.0317, abs=1e-4),
        pytest.approx(16.9683, abs=1e-4),
    )


def test_five_promoters_of_five_still_leave_doubt() -> None:
    # up 5.75, down 0.75 of 8: 0.625 ± 1.96 · √((6.5/8 − 0.625²) / 8)
    half = 1.959964 * math.sqrt((6.5 / 8 - 0.625**2) / 8)
    assert stats.nps_interval(5, 0, 0) == (pytest.approx(100 * (0.625 - half), abs=1e-3), 100.0)


@given(st.integers(0, 500), st.integers(0, 500), st.integers(0, 500))
def test_a_net_promoter_interval_lies_between_minus_and_plus_a_hundred(
    up: int, middle: int, down: int
) -> None:
    interval = stats.nps_interval(up, middle, down)
    assert interval is None or -100 <= interval[0] < interval[1] <= 100


@given(
    st.lists(
        st.tuples(st.integers(0, 40), st.integers(1, 40)).map(lambda pair: (min(pair), pair[1])),
        min_size=2,
        max_size=12,
    )
)
def test_shrunk_rates_lie_between_the_raw_rate_and_the_group_s(
    pairs: list[tuple[int, int]],
) -> None:
    shrunk = stats.shrink_rates([h for h, _ in pairs], [n for _, n in pairs])
    for (hits, n), estimate in zip(pairs, shrunk.estimates, strict=True):
        low, high = sorted((hits / n, shrunk.centre))
        assert low - 1e-9 <= estimate <= high + 1e-9


def test_members_who_differ_by_no_more_than_chance_are_all_given_the_group_s_rate() -> None:
    shrunk = stats.shrink_rates([10, 10, 10], [20, 20, 20])
    assert (shrunk.between, shrunk.estimates) == (0.0, (0.5, 0.5, 0.5))


def test_a_member_with_few_values_is_drawn_further_to_the_group() -> None:
    shrunk = stats.shrink_means([60.0, 80.0, 60.0, 80.0], [5.0, 5.0, 5.0, 5.0], [200, 200, 2, 2])
    assert abs(shrunk.estimates[2] - 70) < abs(shrunk.estimates[0] - 70)
    assert stats.shrink_means([None, 80.0], [None, 5.0], [0, 9]).estimates[0] is None


def test_eight_equal_agents_cannot_be_told_apart() -> None:
    draw = random.Random(3)
    hits = [sum(draw.random() < 0.9 for _ in range(500)) for _ in range(8)]
    compared = stats.compare_rates([f"a{i}" for i in range(8)], hits, [500] * 8)
    assert compared.p_value > 0.05
    assert (compared.above, compared.below, len(compared.indistinct)) == ((), (), 8)


def test_one_agent_far_below_the_rest_is_set_apart_and_the_others_are_not() -> None:
    compared = stats.compare_rates(["ann", "bob", "dan", "eve"], [450, 452, 300, 449], [500] * 4)
    assert compared.p_value < 0.01
    assert "dan" in compared.below
    assert "dan" not in compared.indistinct


def test_means_are_compared_from_their_sums_alone() -> None:
    compared = stats.compare_means(
        ["a", "b", "c"], [80.0, 80.5, 79.8], [10.0, 11.0, 9.0], [50, 40, 45]
    )
    assert (compared.above, compared.below, compared.indistinct) == ((), (), ("a", "b", "c"))
    apart = stats.compare_means(
        ["a", "b", "c"], [80.0, 60.0, 80.2], [10.0, 10.0, 10.0], [50, 50, 50]
    )
    assert apart.below == ("b",)


def test_a_single_value_decides_nothing() -> None:
    compared = stats.compare_means(["a", "b"], [100.0, 60.0], [None, 10.0], [1, 50])
    assert (compared.p_value, compared.indistinct) == (None, ("a", "b"))


def permuted_p_value(
    groups: list[list[float]], resamples: int = 2000, seed: int = 7
) -> float | None:
    """Return the p-value of "all groups have the same distribution", by permutation of
    values.

    None without two groups or any variance.
    """
    groups = [list(group) for group in groups if group]
    values = [value for group in groups for value in group]
    if len(groups) < 2 or len(set(values)) < 2:
        return None
    centre, sizes = sum(values) / len(values), [len(group) for group in groups]

    def between(flat: list[float]) -> float:
        total, position = 0.0, 0
        for size in sizes:
            total += size * (sum(flat[position : position + size]) / size - centre) ** 2
            position += size
        return total

    observed, draw, extreme = between(values), random.Random(seed), 0
    for _ in range(resamples):
        draw.shuffle(values)
        extreme += between(values) >= observed * (1 - 1e-12)
    return (1 + extreme) / (1 + resamples)


def test_welch_and_the_permutation_agree_on_ordinary_groups() -> None:
    draw = random.Random(11)
    groups = [[draw.gauss(70 + shift, 10) for _ in range(40)] for shift in (0, 0, 4)]
    by_sums = stats.means_p_value(
        [plain.fmean(g) for g in groups], [plain.stdev(g) for g in groups], [40] * 3
    )
    assert by_sums == pytest.approx(permuted_p_value(groups), abs=0.02)


@given(st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=8), min_size=2, max_size=4))
def test_a_p_value_is_a_probability_and_never_zero(groups: list[list[int]]) -> None:
    p = permuted_p_value(groups, resamples=50)
    assert p is None or 0 < p <= 1


def test_everybody_or_nobody_succeeding_says_nothing_of_a_difference() -> None:
    assert stats.rates_p_value([5, 5], [5, 5]) is None
    assert stats.rates_p_value([0, 0], [5, 5]) is None
    assert stats.rates_p_value([3], [5]) is None


def test_how_many_more_values_narrow_an_interval() -> None:
    # (1.96 · 10 / 2)² = 96.04 → 97 in all
    assert stats.extra_values_needed(deviation=10, n=40, difference=2, power=0.5) == 57
    assert stats.extra_values_needed(deviation=10, n=200, difference=2, power=0.5) == 0


def test_the_lady_who_tastes_tea_may_have_guessed() -> None:
    # Fisher (1935): three of four cups named right; 16/70 for three and 1/70 for four.
    assert stats.fisher_exact(3, 4, 1, 4) == pytest.approx(17 / 70)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_the_exact_test_is_that_of_scipy(
    hits: int, misses: int, other_hits: int, other_misses: int
) -> None:

    expected = fisher_exact(
        [[hits, misses], [other_hits, other_misses]], alternative="greater"
    ).pvalue
    assert stats.fisher_exact(
        hits, hits + misses, other_hits, other_hits + other_misses
    ) == pytest.approx(expected, abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_the_correction_for_many_tests_is_that_of_scipy(chances: list[float]) -> None:

    assert stats.benjamini_hochberg(chances) == pytest.approx(
        list(false_discovery_control(chances))
    )


def test_the_heavy_libraries_stay_unloaded_until_they_are_asked() -> None:
    code = (
        "import sys, qa_core.stats; print([name for name in ('scipy', 'numpy', "
        "'statsmodels', 'pandas') if name in sys.modules])"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.strip()
        == "[]"
    )
