"""People side by side: dots and intervals against chance, and what can honestly be said about who differs."""

from __future__ import annotations

import functools
import math
from typing import Any

import pandas as pd
import streamlit as st

from qa_core import charts, figures, findings, statistics
from qa_core.access import Viewer
from qa_core.findings import Finding
from qa_core.kpis import Kpi, Unit, get_kpi
from qa_core.statistics import Comparison
from qa_core.ui import cached, cards, drill
from qa_core.ui.filter_bar import Look
from qa_core.ui.views.trends import BOUNDS
from qa_core.wording import _, ngettext

MOST_ROWS = 24
LEAST_RATE, LEAST_MEAN = 5, 2
"""Below so few values nobody is compared: a rate of two says nothing, and one value has no spread."""


def compare(kpi: Kpi, rows: list[Any], names: list[str]) -> Comparison:
    """The members compared on one KPI: rates by their counts, means by their spread."""
    sizes = tuple(int(row.n) for row in rows)
    if kpi.unit == Unit.RATE:
        return _compare_rates(tuple(names), tuple(int(row.numerator) for row in rows), sizes)
    return _compare_means(tuple(names), tuple(row.value for row in rows), tuple(row.deviation for row in rows), sizes)


# Thousands of permutations for the same figures on every run of a page would be most of its time.
_compare_rates = functools.lru_cache(maxsize=64)(statistics.compare_rates)
_compare_means = functools.lru_cache(maxsize=64)(statistics.compare_means)


def show_dots(viewer: Viewer, look: Look, key: str, with_title: bool = False) -> None:
    """One KPI by advisor: dot and interval, the grey bar that chance alone would fill with as many contacts, who stands out and who does not."""
    kpi = get_kpi(key)
    least = LEAST_RATE if kpi.unit == Unit.RATE else LEAST_MEAN
    dimension = "advisor"
    frame = cached.measure(viewer, (key,), (dimension,), look.where)
    rows = [row for row in frame.itertuples() if not figures.is_missing(getattr(row, dimension)) and not figures.is_missing(row.value) and row.n >= least]
    few = int(((frame["n"] > 0) & (frame["n"] < least) & frame[dimension].notna()).sum())
    if len(rows) < 2:
        with st.container(border=True, height="stretch", gap="xxsmall"):
            finding = Finding(_("{title}: nobody to compare with", title=cards.title_of(kpi)))
            cards.show_heading(finding, _("It takes two advisors with at least {n} values each in this period.", n=least))
        return
    names = [getattr(row, dimension) for row in rows]
    comparison = compare(kpi, rows, names)
    finding = findings.describe_comparison(comparison, {name: name for name in names}, kpi.better)
    if with_title:
        finding = Finding(_("{title}: {finding}", title=cards.title_of(kpi), finding=finding.text[0].lower() + finding.text[1:]), finding.tone)
    drawn, hidden = _choose_rows(rows, comparison, dimension, kpi)
    caption = _(
        "{start}95 % interval; grey: what chance alone would give. {rest}",
        start="" if with_title else cards.title_of(kpi) + ", ",
        rest=findings.name_the_rest(comparison, {name: name for name in names}, kpi.better),
    )
    if hidden:
        caption += " " + ngettext("{n} other is not drawn.", "{n} others are not drawn.", hidden)
    if few:
        caption += " " + ngettext("{n} with too few values is left out.", "{n} with too few values are left out.", few)
    chart_key = f"dots_{key}"
    figure = charts.build_dots(
        _frame(kpi, drawn, comparison, dimension, rows),
        kpi.unit,
        dark=cards.is_dark(),
        centre=_centre(rows),
        bounds=BOUNDS.get(kpi.unit),
        row_height=min(28, max(18, 440 // len(drawn))),
    )
    cards.show_chart(
        figure,
        finding,
        caption[0].upper() + caption[1:].strip(),
        chart_key,
        on_select=drill.on_point(chart_key, dimension, key if kpi.subject == "contacts" else None) if drill.is_open_to(viewer) else None,
    )


def _centre(rows: list[Any]) -> float:
    return sum(row.value * row.n for row in rows) / sum(row.n for row in rows)


def _choose_rows(rows: list[Any], comparison: Comparison, dimension: str, kpi: Kpi) -> tuple[list[Any], int]:
    """All, best first; where they are many, those who stand out and the ends of the others."""
    ordered = sorted(rows, key=lambda row: -row.value if kpi.better != "down" else row.value)
    if len(ordered) <= MOST_ROWS:
        return ordered, 0
    apart = {*comparison.above, *comparison.below}
    kept = [row for row in ordered if getattr(row, dimension) in apart][:MOST_ROWS]
    others = [row for row in ordered if getattr(row, dimension) not in apart]
    room = MOST_ROWS - len(kept)
    half = room // 2
    kept += others[:half] + (others[-(room - half) :] if room - half else [])
    kept.sort(key=ordered.index)
    return kept, len(ordered) - len(kept)


def _frame(kpi: Kpi, drawn: list[Any], comparison: Comparison, dimension: str, rows: list[Any]) -> pd.DataFrame:
    centre = _centre(rows)
    within = statistics.pooled_variance([row.deviation for row in rows], [row.n for row in rows])
    good, bad = (comparison.above, comparison.below) if kpi.better != "down" else (comparison.below, comparison.above)
    records = []
    for row in drawn:
        name = getattr(row, dimension)
        half = statistics.Z95 * math.sqrt((centre * (1 - centre) if kpi.unit == Unit.RATE else within) / row.n)
        tone = "" if kpi.better == "neither" else "better" if name in good else "attention" if name in bad else ""
        records.append(
            {
                "key": name,
                "label": name,
                "value": row.value,
                "low": row.low,
                "high": row.high,
                "n": row.n,
                "chance_low": centre - half,
                "chance_high": centre + half,
                "tone": tone,
            }
        )
    return pd.DataFrame(records)
