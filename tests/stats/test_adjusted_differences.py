"""What goes with a rate: known answers, by hand and from a published table, and what is
left unsaid.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

from qa_core.stats import adjusted_differences
from qa_core.stats.adjusted_differences import find_drivers, fit_logistic

ADMISSIONS = {
    # Graduate admissions at Berkeley, autumn 1973 (Bickel, Hammel and O'Connell 1975):
    # department → (men, women) as (admitted, rejected).
    "A": ((512, 313), (89, 19)),
    "B": ((353, 207), (17, 8)),
    "C": ((120, 205), (202, 391)),
    "D": ((138, 279), (131, 244)),
    "E": ((53, 138), (94, 299)),
    "F": ((22, 351), (24, 317)),
}


def admissions() -> pd.DataFrame:
    rows = [
        {"sex": sex, "department": name, "n": admitted + rejected, "hits": admitted}
        for name, both in ADMISSIONS.items()
        for sex, (admitted, rejected) in zip(("men", "women"), both, strict=True)
    ]
    return pd.DataFrame(rows)


def cells(*rows: tuple[str, str, int, int]) -> pd.DataFrame:
    """Rows of (a, b, n, hits)."""
    return pd.DataFrame(rows, columns=["a", "b", "n", "hits"])


def test_a_level_is_held_against_the_rest_with_newcombes_interval() -> None:
    (driver,) = find_drivers(
        pd.DataFrame({"a": ["yes", "no"], "n": [100, 100], "hits": [40, 70]}), {"a": ["yes"]}
    )

    assert (driver.factor, driver.level, driver.n, driver.rate) == ("a", "yes", 100, 0.4)
    assert driver.difference == pytest.approx(-0.30)
    # Wilson: 0.309–0.498 for 40 of 100, 0.604–0.781 for 70 of 100.
    assert (driver.low, driver.high) == pytest.approx((-0.4216, -0.1630), abs=2e-4)
    assert driver.adjusted is None and driver.is_significant


def test_coefficients_agree_with_the_published_ones_of_the_berkeley_admissions() -> None:
    frame = admissions()
    design = np.column_stack(
        [np.ones(12), frame["sex"] == "women", *(frame["department"] == name for name in "BCDEF")]
    ).astype(float)

    fit = fit_logistic(design, frame["n"].to_numpy(float), frame["hits"].to_numpy(float))

    # Maximum likelihood gives 0.0999 (0.0808) for women and −3.3065 for department F;
    # Firth's penalty is small beside 4,526 applicants.
    assert fit.coefficients[1] == pytest.approx(0.0999, abs=0.001)
    assert fit.errors[1] == pytest.approx(0.0808, abs=0.0002)
    assert fit.coefficients[6] == pytest.approx(-3.3065, abs=0.015)


def test_what_the_other_factors_explain_is_taken_out() -> None:
    found = {
        (driver.factor, driver.level): driver
        for driver in find_drivers(admissions(), {"sex": ["women"], "department": None})
    }

    women = found["sex", "women"]
    # 557 of 1,835 women against 1,198 of 2,691 men; within the departments nothing of
    # that is left.
    assert women.difference == pytest.approx(557 / 1835 - 1198 / 2691)
    assert women.adjusted == pytest.approx(0.019, abs=0.001)
    assert women.adjusted_low < 0 < women.adjusted_high and not women.is_significant
    assert found["department", "F"].is_significant and found["department", "F"].adjusted < -0.35


def test_the_fit_of_two_levels_adds_half_a_row_to_each_cell() -> None:
    # In closed form, where one level has all hits: log odds of 4.5 / 6.5, and of 5.5 /
    # 0.5 above it.
    fit = fit_logistic(
        np.array([[1.0, 0.0], [1.0, 1.0]]), np.array([10.0, 5.0]), np.array([4.0, 5.0])
    )

    assert fit.coefficients == pytest.approx(
        [math.log(4.5 / 6.5), math.log(5.5 / 0.5) - math.log(4.5 / 6.5)]
    )


def test_the_fit_is_where_the_penalised_likelihood_is_highest() -> None:
    design = np.array([[1, a, b] for a in (0, 1) for b in (0, 1)], dtype=float)
    n, hits = np.array([12.0, 9.0, 15.0, 7.0]), np.array([5.0, 6.0, 3.0, 7.0])

    def loss(beta: np.ndarray) -> float:
        chance = 1 / (1 + np.exp(-design @ beta))
        information = design.T @ ((n * chance * (1 - chance))[:, None] * design)
        return -float(
            (hits * np.log(chance) + (n - hits) * np.log(1 - chance)).sum()
            + np.linalg.slogdet(information)[1] / 2
        )

    assert fit_logistic(design, n, hits).coefficients == pytest.approx(
        minimize(loss, np.zeros(3), tol=1e-10).x, abs=1e-4
    )


def test_columns_that_follow_from_each_other_have_no_fit() -> None:
    assert (
        fit_logistic(
            np.array([[1.0, 1.0], [1.0, 1.0]]), np.array([10.0, 10.0]), np.array([3.0, 5.0])
        )
        is None
    )


def test_a_level_of_fewer_than_thirty_is_not_told_but_stays_in_the_sums() -> None:
    frame = cells(("many", "x", 100, 50), ("also many", "x", 100, 80), ("few", "x", 29, 0))

    found = {driver.level: driver for driver in find_drivers(frame, {"a": None})}

    assert set(found) == {"many", "also many"}
    assert found["many"].difference == pytest.approx(50 / 100 - 80 / 129)


def test_a_missing_level_is_never_told() -> None:
    found = find_drivers(
        cells(("one", "x", 100, 50), ("two", "x", 100, 60), (None, "x", 100, 10)), {"a": None}
    )

    assert {driver.level for driver in found} == {"one", "two"}


def test_a_level_that_another_factor_determines_has_no_effect_of_its_own() -> None:
    # Nobody waits for an e-mail: "b" knows a wait of calls alone.
    frame = cells(
        ("call", "short", 100, 80), ("call", "long", 100, 60), ("e-mail", "none", 100, 50)
    )

    found = {driver.level: driver for driver in find_drivers(frame, {"a": None, "b": None})}

    assert found["none"].adjusted is None and found["e-mail"].adjusted is not None


def test_what_chance_explains_is_not_set_apart_when_many_are_tried() -> None:
    # One of twenty differs as much as chance makes one of twenty differ.
    rows = [(f"level {number}", "x", 100, 50) for number in range(19)]
    (outlier, *_others) = find_drivers(cells(*rows, ("odd", "x", 100, 61)), {"a": None})

    assert outlier.level == "odd" and outlier.p_value < 0.05 and not outlier.is_significant


def test_the_largest_difference_comes_first() -> None:
    found = find_drivers(
        cells(("low", "x", 100, 30), ("middle", "x", 100, 50), ("high", "x", 100, 90)), {"a": None}
    )

    assert [driver.level for driver in found] == ["high", "low", "middle"]


def test_nothing_is_said_of_no_ratings() -> None:
    assert find_drivers(cells(), {"a": None}) == ()
    assert adjusted_differences.mark_significant([]) == ()
