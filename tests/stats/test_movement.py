"""How a number moves: limits, signals, changes and what explains them, with numbers
that can be checked by hand.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qa_core.stats import control_charts

ALL = [True] * 12


def test_a_rate_that_wobbles_as_chance_would_has_the_limits_of_a_p_chart() -> None:
    # 50 % of 100: one standard deviation is 5 points; neighbours that differ by less
    # than chance never narrow that.
    control = control_charts.rate_limits([0.5, 0.52] * 6, [100] * 12, ALL)

    assert control.centre == pytest.approx(0.51)
    assert control.spread == 1.0
    assert control.high[0] == pytest.approx(0.51 + 3 * math.sqrt(0.51 * 0.49 / 100))


def test_limits_widen_when_a_rate_wobbles_more_than_chance() -> None:
    control = control_charts.rate_limits([0.45, 0.55] * 6, [10_000] * 12, ALL)

    # Neighbours lie 20 standard deviations of chance apart: 20 / 1.128.
    assert control.spread == pytest.approx(20 / 1.128, rel=0.01)
    assert control_charts.find_signals([0.45, 0.55] * 6, control).positions == ()


def test_fewer_than_eight_points_say_nothing() -> None:
    assert control_charts.rate_limits([0.5] * 7, [100] * 7, [True] * 7) is None
    assert control_charts.mean_limits([1.0, 2.0] * 3, [True] * 6) is None


def test_a_fall_below_the_limit_is_found_and_does_not_move_what_is_usual() -> None:
    values = [0.76, 0.75, 0.77, 0.76, 0.75, 0.76, 0.77, 0.75, 0.76, 0.60, 0.61, 0.60]
    control = control_charts.rate_limits(values, [2000] * 12, ALL)
    signals = control_charts.find_signals(values, control)

    assert control.centre == pytest.approx(0.7589, abs=1e-4)
    assert [position for position, side in signals.positions if side < 0] == [9, 10, 11]
    assert signals.below == 3 and signals.above == 0


def test_eight_in_a_row_on_one_side_are_a_signal_where_the_series_ends() -> None:
    values = [10.0, 12.0, 10.0, 12.0, 10.0, 12.0, 10.0, 12.0] + [11.6] * 8
    control = control_charts.mean_limits(values, [True] * 8 + [False] * 8)

    signals = control_charts.find_signals(values, control)

    assert control.centre == 11.0
    assert signals.run == 9  # the twelve before the eight stands above, too
    assert control_charts.find_signals([*values[:-1], 10.9], control).run == -1


def test_a_missing_week_is_no_signal_and_breaks_no_run() -> None:
    values = [10.0, None, 12.0, None] + [10.0, 12.0] * 4
    control = control_charts.mean_limits(values, ALL)

    assert control_charts.find_signals(values, control).positions == ()


def row(now: tuple[float | None, ...], before: tuple[float | None, ...]) -> SimpleNamespace:
    """A row of a comparison, each side as value, low and high."""
    names = ("value", "low", "high")
    return SimpleNamespace(
        **dict(zip(names, now, strict=True)),
        **{f"{name}_before": part for name, part in zip(names, before, strict=True)},
    )


def test_the_interval_of_a_change_joins_the_two_intervals() -> None:
    # Newcombe 1998, example (a): 56/70 and 48/80, Wilson intervals; the difference 0.20
    # has 0.0524 to 0.3339.
    from qa_core.stats import wilson

    low, high = control_charts.interval_of_change(
        row((56 / 70, *wilson(56, 70)), (48 / 80, *wilson(48, 80)))
    )

    assert (round(low, 4), round(high, 4)) == (0.0524, 0.3339)


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_no_interval_without_both(missing: float | None) -> None:
    known, unknown = (0.4, 0.3, 0.5), (0.5, missing, missing)

    assert control_charts.interval_of_change(row(unknown, known)) is None
    assert control_charts.interval_of_change(row(known, unknown)) is None
    assert control_charts.interval_of_change(SimpleNamespace(value=0.5, low=0.4, high=0.6)) is None


def test_a_change_is_split_into_rates_and_mix() -> None:
    # Half billing at 60 %, half delivery at 80 % → billing a quarter at 60 %, delivery
    # three quarters at 80 %: all of it is mix.
    effects = control_charts.explain_change(
        {"billing": (60, 100), "delivery": (80, 100)}, {"billing": (30, 50), "delivery": (120, 150)}
    )

    assert [effect.rate for effect in effects] == [0, 0]
    assert sum(effect.mix for effect in effects) == pytest.approx(0.75 - 0.70)


def test_a_segment_that_is_new_is_all_mix() -> None:
    effects = {
        effect.segment: effect
        for effect in control_charts.explain_change(
            {"a": (50, 100)}, {"a": (50, 100), "b": (90, 100)}
        )
    }

    assert effects["b"].rate == 0
    assert effects["b"].mix == pytest.approx(0.45)


SEGMENTS = st.dictionaries(
    st.sampled_from("abcde"),
    st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    min_size=1,
)


@given(SEGMENTS, SEGMENTS)
def test_the_effects_are_the_change(before: dict, now: dict) -> None:
    effects = control_charts.explain_change(before, now)
    rate = lambda side: sum(n for n, _ in side.values()) / sum(d for _, d in side.values())  # noqa: E731

    assert sum(effect.rate + effect.mix for effect in effects) == pytest.approx(
        rate(now) - rate(before), abs=1e-9
    )
