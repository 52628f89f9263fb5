"""Severity: known answers, a strict and a lenient evaluator found again, refusal where nothing connects them, and who may read what."""

from __future__ import annotations

import numpy as np
import pytest

from qa_core.statistics import fit_severity


def test_two_evaluators_who_share_their_advisors_differ_by_what_they_differ() -> None:
    # Each scored both advisors; eve gives 10 less than tom. The mean of all stays 75.
    found = fit_severity([70, 80, 65, 85], ["ada", "ada", "bob", "bob"], ["eve", "tom", "eve", "tom"])

    assert found.evaluators["eve"].value == pytest.approx(7.5) and found.evaluators["tom"].value == pytest.approx(-7.5)
    assert found.evaluators["eve"].raw == pytest.approx(67.5)
    assert found.advisors["ada"].value == pytest.approx(75) and found.advisors["bob"].value == pytest.approx(75)


def test_who_was_scored_by_the_strict_one_alone_is_lifted() -> None:
    # By hand: eve is 10 below tom on ada. bob met only eve (60 → 65), cleo only tom (80 → 75).
    found = fit_severity([70, 80, 60, 80], ["ada", "ada", "bob", "cleo"], ["eve", "tom", "eve", "tom"])

    assert found.advisors["bob"].raw == 60 and found.advisors["bob"].value == pytest.approx(65)
    assert found.advisors["cleo"].value == pytest.approx(75) and found.advisors["ada"].value == pytest.approx(75)


def test_a_simulated_strict_and_a_lenient_evaluator_are_found_again() -> None:
    chance = np.random.default_rng(4)
    n, severities, grids = 6000, np.array([5.0, -4.0, 0.0, 0.0]), np.array([0.0, 6.0])
    levels = chance.normal(80, 5, 60)
    # The strict one mostly meets the good advisors: their plain means lie.
    advisor = chance.integers(0, 60, n)
    evaluator = np.where((levels[advisor] > 80) & (chance.random(n) < 0.7), 0, chance.integers(0, 4, n))
    grid = chance.integers(0, 2, n)
    scores = levels[advisor] - severities[evaluator] + grids[grid] + chance.normal(0, 7, n)
    found = fit_severity(scores, advisor.tolist(), evaluator.tolist(), grid.tolist())
    centre = severities[evaluator].mean()
    truth = severities - centre

    assert all(found.evaluators[name].low < truth[name] < found.evaluators[name].high for name in range(4))
    assert found.deviation == pytest.approx(7, abs=0.2)
    inside = [found.advisors[name].low < levels[name] - centre + grids[grid].mean() < found.advisors[name].high for name in range(60)]
    assert np.mean(inside) > 0.85
    assert abs(found.evaluators[0].shrunk) < abs(found.evaluators[0].value)


@pytest.mark.parametrize(
    ("advisors", "evaluators", "grids", "apart"),
    [
        (["ada", "ada", "bob"], ["eve", "tom", "zoe"], None, (("zoe",), ())),  # zoe shares no advisor with anybody
        (["ada", "ada", "ada"], ["eve", "eve", "zoe"], ["phone", "phone", "mail"], (("zoe",), ("mail",))),  # severe, or on a harder grid?
        (["ada", "bob", "ada", "bob"], ["eve", "eve", "tom", "tom"], ["phone", "mail", "phone", "mail"], ((), ("mail",))),  # hard grid, or weak advisor?
    ],
)
def test_what_nothing_connects_is_refused_and_named(advisors: list[str], evaluators: list[str], grids: list[str] | None, apart: tuple[tuple, tuple]) -> None:
    found = fit_severity([70.0, 80.0, 75.0, 60.0][: len(advisors)], advisors, evaluators, grids)

    assert not found.is_connected and not found.evaluators
    assert (found.apart_evaluators, found.apart_grids) == apart


def test_one_evaluator_alone_has_no_severity() -> None:
    assert not fit_severity([70, 80], ["ada", "bob"], ["eve", "eve"]).is_connected
    assert not fit_severity([], [], []).is_connected
