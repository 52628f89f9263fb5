"""Chart titles that state the statistical result."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from qa_core.base import declared
from qa_core.base.i18n import N_, _, ngettext, uncapitalise
from qa_core.metrics.kpis import formatting
from qa_core.stats import CONFIDENCE, Comparison
from qa_core.stats.control_charts import RUN, ControlLimits, Signals

SIGNIFICANCE_LEVEL = 1 - CONFIDENCE

SIDES = {"below": -1, "under_average": -1, "near_low": -1}
SIDES |= {"above": 1, "over_average": 1, "near_high": 1}
TREND_TITLES: dict[str, str] = declared.read(__file__)["trends"]
"""Titles by the state of the end of a series (`_judge_trend`)."""


@dataclass(frozen=True)
class ChartTitle:
    """Title with its `severity`: `attention`, `better` or empty."""

    text: str
    severity: str = ""


def severity_of(sign: float, better: str) -> str:
    """Return the severity of a move up (1) or down (−1); may be empty."""
    if better == "neither" or not sign:
        return ""
    return "better" if (sign > 0) == (better == "up") else "attention"


def describe_trend(
    control: ControlLimits | None,
    signals: Signals | None,
    grain: str,
    better: str,
    points: int,
    is_restarted: bool = False,
) -> ChartTitle:
    """Describe the end of a series: beyond limits, long on one side, or as usual.
    `points`: number of known values; `is_restarted`: limits are computed anew since the
    rules changed.
    """
    state, n = _judge_trend(control, signals, points, is_restarted)
    months = ngettext("{n} month", "{n} months", n)
    duration = months if grain == "month" else ngettext("{n} week", "{n} weeks", n)
    text = _(TREND_TITLES[state], duration=duration)
    return ChartTitle(text, severity_of(SIDES.get(state, 0), better))


def _judge_trend(
    control: ControlLimits | None, signals: Signals | None, points: int, is_restarted: bool = False
) -> tuple[str, int]:
    """Judge the end of a series, with the number of points that it has lasted: `no_data`,
    `restarted`, `short`, `below` or `above` (the limits), `under_average`, `over_average`,
    `near_low` or `near_high` (the limits, two of the last three points), `back`, `usual`.
    """
    if points == 0:
        return "no_data", 0
    if control is None and is_restarted:
        return "restarted", 0
    if control is None or signals is None:
        return "short", 0
    if signals.below:
        return "below", signals.below
    if signals.above:
        return "above", signals.above
    n = abs(signals.run)
    if n >= RUN:
        return ("under_average" if signals.run < 0 else "over_average"), n
    if signals.last:
        return ("near_low" if signals.last < 0 else "near_high"), 1
    is_back = signals.positions and signals.positions[-1][0] >= points - RUN
    return ("back" if is_back else "usual"), 0


def prefix(title: str, finding: ChartTitle) -> ChartTitle:
    """Return the finding as the rest of a sentence that begins with a title."""
    text = _("{what}: {text}", what=title, text=uncapitalise(finding.text))
    return ChartTitle(text, finding.severity)


def describe_change(
    title: str, amount: float | None, interval: tuple[float, float] | None, unit: str, better: str
) -> ChartTitle:
    """Describe a change between two periods, with its size if significant."""
    if formatting.is_missing(amount):
        return ChartTitle(_("{title}: nothing to compare with", title=title))
    size = formatting.change(abs(amount), unit).lstrip("+")
    if interval is None:
        change = formatting.change(amount, unit)
        text = _("{title}: {change}, without a confidence interval", title=title, change=change)
        return ChartTitle(text)
    if interval[0] <= 0 <= interval[1]:
        return ChartTitle(_("{title}: no statistically clear change", title=title))
    text = (
        _("{title} rose by {size}", title=title, size=size)
        if amount > 0
        else _("{title} fell by {size}", title=title, size=size)
    )
    return ChartTitle(text, severity_of(amount, better))


def describe_comparison(comparison: Comparison, count: int, title: str, better: str) -> ChartTitle:
    """Describe how many of that count differ significantly on what `title` names."""
    outliers = len(comparison.below) + len(comparison.above)
    params = {"title": title, "n": count}
    if comparison.p_value is None:
        return ChartTitle(_("{title}: too little data to compare the {n}", **params))
    if not outliers and comparison.p_value < SIGNIFICANCE_LEVEL:
        return ChartTitle(_("{title}: the {n} differ, but no single one stands out", **params))
    if not outliers:
        return ChartTitle(_("{title}: no clear difference between the {n}", **params))
    worse = {"up": comparison.below, "down": comparison.above}.get(better, ())
    severity = "" if better == "neither" else "attention" if worse else "better"
    text = _("{title}: {clear} of {n} clearly differ from the rest", clear=outliers, **params)
    return ChartTitle(text, severity)


def describe_outliers(comparison: Comparison, names: Mapping[Any, str]) -> str:
    """Name the members that differ significantly; else give the p-value, where it says that
    chance suffices.
    """
    if comparison.p_value is None:
        return ""
    if not comparison.above and not comparison.below:
        if comparison.p_value < SIGNIFICANCE_LEVEL:
            return ""
        return _(
            "Chance alone would give differences this large in {share} of cases.",
            share=formatting.percent(comparison.p_value, 0),
        )
    return " ".join(
        _(message, names=formatting.listing(names[key] for key in keys))
        for message, keys in (
            (N_("Below the rest: {names}."), comparison.below),
            (N_("Above the rest: {names}."), comparison.above),
        )
        if keys
    )
