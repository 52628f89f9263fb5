"""Evaluation of a rule, period by period: no small or unfinished ones, no look ahead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from qa_core.analysis.alerts.rules import Rule, RuleKind
from qa_core.analysis.series import Series
from qa_core.metrics.kpi.result_rows import SMALL_SAMPLE
from qa_core.metrics.kpis import formatting
from qa_core.stats import control_charts


@dataclass(frozen=True)
class Firing:
    """Signal in one period: `threshold`, `beyond_limit`, `two_of_three`, `run` or
    `target`; `side`: −1 below, 1 above `reference`.
    """

    fired: str
    side: int
    reference: float | None


def find_usable(series: Series) -> list[int]:
    """Return the positions of complete periods with enough contacts."""
    points = series.points
    enough = series.kpi.is_amount | (points["n"] >= SMALL_SAMPLE)
    return [
        position
        for position, keep in enumerate(points["value"].notna() & ~points["provisional"] & enough)
        if keep
    ]


def find_firings(
    rule: Rule, series: Series, gaps: Mapping[date, Mapping[str, Any]], usable: Sequence[int]
) -> dict[int, Firing]:
    """Return usable positions where the rule held. `gaps`: day → row of `targets.add_gaps`."""
    judged = {
        position: _evaluate(rule, series, gaps, usable[: number + 1])
        for number, position in enumerate(usable)
    }
    return {position: found for position, found in judged.items() if found is not None}


def find_alert_positions(
    firings: Mapping[int, Firing], usable: Sequence[int], clear_after: int
) -> list[int]:
    """Return the positions of the current alert: those at which the rule held, back to
    the first gap of `clear_after` periods; empty where such a gap ends the series.
    """
    held: list[int] = []
    clear = 0
    for position in reversed(usable):
        if position in firings:
            held.insert(0, position)
            clear = 0
        else:
            clear += 1
            if clear >= clear_after:
                break
    return held


def _evaluate(
    rule: Rule, series: Series, gaps: Mapping[date, Mapping[str, Any]], known: Sequence[int]
) -> Firing | None:
    if rule.kind == RuleKind.THRESHOLD:
        side = 1 if rule.side == "above" else -1
        last = [float(series.points["value"].iat[position]) for position in known[-rule.periods :]]
        holds = len(last) == rule.periods and all(
            side * (value - rule.threshold) > 0 for value in last
        )
        return Firing("threshold", side, rule.threshold) if holds else None
    if rule.kind == RuleKind.TARGET:
        gap = gaps.get(series.points["at"].iat[known[-1]])
        missed = gap is not None and gap["is_met"] is False and gap["is_sure"] is True
        return (
            Firing("target", 1 if gap["gap"] > 0 else -1, float(gap["target"])) if missed else None
        )
    return _evaluate_control(series, known[-1])


def _evaluate_control(series: Series, position: int) -> Firing | None:
    """Evaluate the control chart as of that position; later points do not count."""
    span = series.spans[-1]
    if span.control is None or position < span.first:
        return None
    control, points = span.control, series.points
    values = [
        float(value)
        if span.first <= place <= position and not flag and not formatting.is_missing(value)
        else None
        for place, (value, flag) in enumerate(
            zip(points["value"], points["provisional"], strict=True)
        )
    ]
    signals = control_charts.find_signals(values, control)
    side = dict(signals.positions).get(position)
    if side is None or side == {"up": 1, "down": -1}.get(series.kpi.better):
        return None
    if signals.below or signals.above:
        return Firing("beyond_limit", side, (control.high if side > 0 else control.low)[position])
    return Firing(
        "run" if abs(signals.run) >= control_charts.RUN else "two_of_three", side, control.centre
    )
