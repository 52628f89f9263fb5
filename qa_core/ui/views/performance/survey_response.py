"""Who answered: how far the silent could move satisfaction, and whether those who
answered are like all.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from qa_core import stats
from qa_core.access.roles import Viewer
from qa_core.analysis import charts, peers
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import _
from qa_core.metrics import dimensions, formatting
from qa_core.metrics.kpis import Unit, get_kpi
from qa_core.ui import cached, cards, tables
from qa_core.ui.filter_bar import FilterState

CUTS = ("channel", "queue", "reason")
KPIS = ("csat", "csat_if_silent_unhappy", "csat_if_silent_happy", "response_rate", "answered")


def show(viewer: Viewer, look: FilterState) -> None:
    """One card: satisfaction as answered, weighed like all answered contacts, and
    between its bounds if the silent were all of one mind.
    """
    rows = cached.headline(viewer, KPIS, look.where)
    csat, response = rows["csat"], rows["response_rate"]
    if formatting.is_missing(csat.value):
        with st.container(border=True, height="stretch", gap="xxsmall"):
            cards.show_heading(
                ChartTitle(_("Who answered: no rating to weigh")),
                _("No value is known, or all are pending or hidden."),
            )
        return
    lines = [_line("as_answered", _("As answered"), csat.value, csat.low, csat.high, csat.n)]
    differing, compared = [], False
    for dimension in CUTS:
        by = tables.wide(
            cached.measure(viewer, ("csat", "response_rate", "answered"), (dimension,), look.where),
            dimension,
        )
        weighed = _weigh(by, csat, rows["answered"])
        title = _(dimensions.get_dimension(dimension).title)
        if weighed:
            lines.append(
                _line(
                    dimension,
                    _("Weighed by {dimension}", dimension=title[0].lower() + title[1:]),
                    *weighed,
                    csat.n,
                )
            )
        differs = _differs(by)
        compared = compared or differs is not None
        if differs:
            differing.append(title[0].lower() + title[1:])
    low, high = rows["csat_if_silent_unhappy"].value, rows["csat_if_silent_happy"].value
    if not formatting.is_missing(low) and not formatting.is_missing(high):
        lines.append(
            _line(
                "silent",
                _("Silent all unhappy – happy"),
                None,
                low,
                high,
                rows["csat_if_silent_happy"].n,
            )
        )
    figure = charts.build_dots(
        pd.DataFrame(lines), Unit.RATE, dark=cards.is_dark(), bounds=(0.0, 1.0), row_height=24
    )
    cards.show_chart(
        figure,
        _conclude(response, low, high),
        _explain(lines, differing if compared else None, csat),
        "response",
    )


def _line(
    key: str, label: str, value: float | None, low: float | None, high: float | None, n: float
) -> dict[str, Any]:
    return {
        "key": key,
        "label": label,
        "value": float("nan") if value is None else value,
        "low": low,
        "high": high,
        "n": n,
    }


def _weigh(
    by: dict[Any, dict[str, Any]], whole: Any, answered: Any
) -> tuple[float, float, float] | None:
    """Satisfaction if each value had as large a part in the ratings as in the answered
    contacts; hidden values count together, as what is left.
    """
    hits, n, sizes = [], [], []
    for row in by.values():
        if (
            not formatting.is_missing(row["csat"].numerator)
            and not formatting.is_missing(row["answered"].value)
            and row["csat"].n
        ):
            hits.append(row["csat"].numerator)
            n.append(row["csat"].n)
            sizes.append(row["answered"].value)
    if formatting.is_missing(answered.value) or len(n) < 2:
        return None
    return stats.weigh_rate(
        [*hits, whole.numerator - sum(hits)],
        [*n, whole.n - sum(n)],
        [*sizes, answered.value - sum(sizes)],
    )


def _differs(by: dict[Any, dict[str, Any]]) -> bool | None:
    """Whether the response rates differ by more than chance, three cuts tried at once;
    None where there are no two to compare.
    """
    rates = [
        row["response_rate"]
        for row in by.values()
        if not formatting.is_missing(row["response_rate"].numerator) and row["response_rate"].n
    ]
    if len(rates) < 2:
        return None
    compared = peers.compare_rates(
        tuple(str(place) for place in range(len(rates))),
        tuple(int(row.numerator) for row in rates),
        tuple(int(row.n) for row in rates),
    )
    return compared.p_value is not None and compared.p_value * len(CUTS) < 1 - stats.CONFIDENCE


def _conclude(response: Any, low: float | None, high: float | None) -> ChartTitle:
    if formatting.is_missing(response.value):
        return ChartTitle(_("How many were asked is not known"))
    share = formatting.percent(response.value, 0)
    if formatting.is_missing(low) or formatting.is_missing(high):
        return ChartTitle(_("{share} of those asked answered", share=share))
    return ChartTitle(
        _(
            "{share} answered; the silent could put satisfaction anywhere from {low} to {high}",
            share=share,
            low=formatting.percent(low, 0),
            high=formatting.percent(high, 0),
        )
    )


def _explain(lines: list[dict[str, Any]], differing: list[str] | None, csat: Any) -> str:
    parts = [
        _(
            "{title}, with 95 % interval; weighed: as if every part of the answered contacts "
            "had given as many ratings as it is large.",
            title=_(get_kpi("csat").title),
        )
    ]
    if differing:
        parts.append(
            _("Who answers differs by {dimensions}.", dimensions=formatting.listing(differing))
        )
    elif differing is not None:
        parts.append(_("Who answers does not differ by more than chance."))
    moved = [line["value"] - csat.value for line in lines[1:] if line["value"] == line["value"]]
    if moved:
        parts.append(
            _(
                "Weighing moves satisfaction by {change} at most.",
                change=formatting.change(max(moved, key=abs), Unit.RATE),
            )
        )
    return " ".join(parts)
