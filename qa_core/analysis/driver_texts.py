"""Drivers of satisfaction in words, and as the rows of a chart. Never worded as causes."""

from collections.abc import Sequence

import pandas as pd

from qa_core.base.i18n import _, ngettext
from qa_core.metrics.kpis import Unit, dimensions, formatting
from qa_core.metrics.query import Drivers
from qa_core.metrics.rows.driver_factors import BY_KEY, CRITERION
from qa_core.stats.adjusted_differences import Driver


def build_frame(drawn: Sequence[Driver]) -> pd.DataFrame:
    """Build the rows of `charts.build_differences`; grey where chance explains it."""
    records = [
        {
            "label": name(driver),
            "value": driver.size,
            "low": driver.low if driver.adjusted is None else driver.adjusted_low,
            "high": driver.high if driver.adjusted is None else driver.adjusted_high,
            "plain": None if driver.adjusted is None else driver.difference,
            "n": driver.n,
            "severity": ("better" if driver.size > 0 else "attention")
            if driver.is_significant
            else "",
        }
        for driver in drawn
    ]
    return pd.DataFrame(records).astype({"plain": float})


def name(driver: Driver) -> str:
    """Return the name of one level, with its factor."""
    factor = BY_KEY.get(driver.factor)
    if driver.factor == CRITERION or factor is None:
        return _(
            "{what}: {text}",
            what=_(dimensions.get_dimension(CRITERION).title),
            text=formatting.name(CRITERION, driver.level),
        )
    if factor.is_dimension:
        level = formatting.name(factor.key, driver.level)
    elif factor.seconds:
        level = formatting.time_band(*factor.seconds[driver.level])
    else:
        level = _(factor.levels[driver.level])
    return _("{what}: {text}", what=_(factor.title), text=level) if factor.title else level


def conclude(read: Drivers) -> str:
    """Say in one sentence what satisfaction goes with most."""
    if read.is_narrowed:
        return _("{title}: hidden under a filter", title=_("Satisfaction"))
    if not read.drivers:
        return _("Too few ratings to see what is linked to satisfaction")
    strongest = next((driver for driver in read.drivers if driver.is_significant), None)
    if strongest is None:
        return _("No factor tested is clearly linked to satisfaction")
    size = formatting.change(abs(strongest.size), Unit.RATE).lstrip("+")
    params = {"level": name(strongest), "size": size}
    if strongest.size > 0:
        return _("“{level}” goes with satisfaction {size} higher", **params)
    return _("“{level}” goes with satisfaction {size} lower", **params)


def choose(drivers: Sequence[Driver], most: int) -> list[Driver]:
    """Choose so many drivers at most: the significant ones, then the largest others."""
    places = sorted(
        range(len(drivers)), key=lambda index: (not drivers[index].is_significant, index)
    )
    return [drivers[index] for index in sorted(places[:most])]


def explain(read: Drivers, drawn: int) -> str:
    """Explain the chart of so many drivers: against whom, its marks, what is not drawn."""
    tried = len(read.drivers)
    parts = [
        _(
            "Each value against all other ratings, adjusted for other factors, with 95 % "
            "confidence interval. Open circle: unadjusted."
        )
        if read.is_adjusted
        else _("Each value against all other ratings, unadjusted, with 95 % confidence interval."),
        ngettext(
            "Grey: not statistically clear.",
            "Grey: not statistically clear, {n} tested at once.",
            tried,
        ),
        _("An association is not a cause."),
    ]
    if tried > drawn:
        parts.append(
            ngettext(
                "{n} smaller one is not shown.", "{n} smaller ones are not shown.", tried - drawn
            )
        )
    if read.evaluated_contacts is not None and not any(
        driver.factor == CRITERION for driver in read.drivers
    ):
        parts.append(
            _(
                "Too few rated contacts were evaluated to test the criteria ({n}).",
                n=formatting.number(read.evaluated_contacts),
            )
        )
    return " ".join(parts)
