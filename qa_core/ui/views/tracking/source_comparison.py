"""Campaigns (or sources, media, keywords, numbers) against each other and against
before: who differs by more than chance, and what needs a look.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import pandas as pd
import streamlit as st

from qa_core import stats
from qa_core.access.roles import Viewer
from qa_core.analysis import chart_titles, charts, peers
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import _, ngettext
from qa_core.metrics import formatting
from qa_core.metrics.kpis import FactTable, get_kpi
from qa_core.stats import Comparison, control_charts
from qa_core.ui import cached, cards, drill, segmented_choice, trend_cards
from qa_core.ui.filter_bar import FilterState
from qa_core.ui.views.tracking import source_steps, source_tables

RATES = (
    "answer_rate",
    "recovered_rate",
    "first_contact_resolution",
    "first_contact_resolution_declared",
    "csat",
)
LEAST = 5
"""A rate of fewer says nothing and is not compared."""
MOST_ROWS = 20
MOST_ITEMS = 6


@dataclass(frozen=True)
class ChangedSource:
    """One line of what needs a look: `strength` in steps of its own uncertainty; a
    click opens the contacts of `value` behind `kpi`.
    """

    strength: float
    text: str
    tone: str
    value: Any = None
    kpi: str = ""


def rates_for(viewer: Viewer, look: FilterState) -> tuple[str, ...]:
    """The rates that say something in what the viewer may see."""
    of_missed = () if source_steps.knows_missed(viewer, look) else ("answer_rate", "recovered_rate")
    return tuple(key for key in RATES if key not in of_missed)


def compare(
    by: Mapping[Any, Mapping[str, Any]], key: str
) -> tuple[list[Any], list[Any], Comparison]:
    """The values that can be compared on one rate, their rows, and what can honestly be
    said about them.
    """
    known = [(value, row[key]) for value, row in by.items() if value is not None and key in row]
    known = [
        (value, row)
        for value, row in known
        if not formatting.is_missing(row.value) and row.n >= LEAST
    ]
    names, rows = [value for value, _row in known], [row for _value, row in known]
    compared = peers.compare_rates(
        tuple(map(str, names)),
        tuple(int(row.numerator) for row in rows),
        tuple(int(row.n) for row in rows),
    )
    return names, rows, compared


def show_dots(
    viewer: Viewer, look: FilterState, by: Mapping[Any, Mapping[str, Any]], dimension: str
) -> None:
    """One rate of all values side by side: dot and interval over the grey bar that
    chance alone would fill.
    """
    titles = {key: source_steps.title_of(key) for key in rates_for(viewer, look)}
    with st.container(border=True, height="stretch", gap="xxsmall"):
        place = st.container(gap="xxsmall")
        key = segmented_choice.ask("on", _("Compare on"), titles)
        kpi = get_kpi(key)
        names, rows, compared = compare(by, key)
        if len(rows) < 2:
            with place:
                cards.show_heading(
                    ChartTitle(_("{title}: nothing to compare", title=titles[key])),
                    _("It takes two with at least {n} values each in this period.", n=LEAST),
                )
            return
        finding = describe(compared, len(names), titles[key], kpi.better)
        caption = " ".join(
            filter(
                None,
                (
                    _("95 % interval; grey: what chance alone would give."),
                    _describe_rest(compared),
                    source_tables.describe_basis(viewer, look, by, dimension),
                ),
            )
        )
        with place:
            cards.show_heading(finding, caption)
        drawn = _choose_rows(names, rows, compared)
        figure = charts.build_dots(
            _frame(names, rows, drawn, compared, kpi.better),
            kpi.unit,
            dark=cards.is_dark(),
            centre=_centre(rows),
            bounds=kpi.bounds,
            row_height=min(28, max(18, 440 // len(drawn))),
        )
        clickable = drill.is_open_to(viewer)
        behind = key if kpi.subject == FactTable.CONTACTS else "missed"
        cards.show_figure(
            figure,
            "dots",
            f"{finding.text}. {caption}",
            drill.on_point("dots", dimension, behind) if clickable else None,
        )
        left_out = sum(value is not None for value in by) - len(drawn)
        if left_out:
            st.caption(
                ngettext(
                    "{n} other is not drawn: too few values, hidden, or in the middle of many.",
                    "{n} others are not drawn: too few values, hidden, or in the middle of many.",
                    left_out,
                )
            )


def describe(compared: Comparison, count: int, title: str, better: str) -> ChartTitle:
    """How many can be told apart on one rate."""
    apart = len(compared.above) + len(compared.below)
    if compared.p_value is None:
        return ChartTitle(_("{title}: too little to compare the {n}", title=title, n=count))
    if not apart:
        if compared.p_value < chart_titles.SURE:
            return ChartTitle(
                _("{title}: the {n} differ, but no single one stands out", title=title, n=count)
            )
        return ChartTitle(_("{title}: the {n} cannot be told apart", title=title, n=count))
    worse = compared.below if better == "up" else compared.above
    return ChartTitle(
        _("{title}: {apart} of {n} differ from the rest", title=title, apart=apart, n=count),
        "attention" if worse else "better",
    )


def _describe_rest(compared: Comparison) -> str:
    if compared.p_value is None:
        return ""
    if not compared.above and not compared.below:
        return _(
            "Chance alone would make them differ as much in {share} of cases.",
            share=formatting.percent(compared.p_value, 0),
        )
    parts = []
    if compared.below:
        parts.append(_("Below the rest: {names}.", names=formatting.listing(compared.below)))
    if compared.above:
        parts.append(_("Above the rest: {names}.", names=formatting.listing(compared.above)))
    return " ".join(parts)


def _choose_rows(names: list[Any], rows: list[Any], compared: Comparison) -> list[int]:
    """The places of those drawn, highest rate first: all, or where they are many those
    who stand out and the largest others.
    """
    apart = {*compared.above, *compared.below}
    chosen = sorted(
        range(len(rows)), key=lambda place: (str(names[place]) not in apart, -rows[place].n)
    )[:MOST_ROWS]
    return sorted(chosen, key=lambda place: -rows[place].value)


def _centre(rows: list[Any]) -> float:
    return sum(row.numerator for row in rows) / sum(row.n for row in rows)


def _frame(
    names: list[Any], rows: list[Any], drawn: list[int], compared: Comparison, better: str
) -> pd.DataFrame:
    centre = _centre(rows)
    good, bad = (
        (compared.above, compared.below) if better == "up" else (compared.below, compared.above)
    )
    records = []
    for place in drawn:
        row, name = rows[place], str(names[place])
        half = stats.Z95 * math.sqrt(centre * (1 - centre) / row.n)
        tone = "better" if name in good else "attention" if name in bad else ""
        records.append(
            {
                "key": names[place],
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


def show_look(
    viewer: Viewer, look: FilterState, by: Mapping[Any, Mapping[str, Any]], dimension: str
) -> None:
    """What differs from the rest, what moved since the period before, and what became
    of the attribution itself; the worse first.
    """
    rates = rates_for(viewer, look)
    apart = list(_find_apart(by, rates, dimension))
    moved, tried, whole = _find_moved(viewer, look, rates, dimension)
    items = sorted(
        [*apart, *moved, *_find_attribution(viewer, look)], key=lambda item: -item.strength
    )
    worse, better = (
        [item for item in items if item.tone == tone] for tone in ("attention", "better")
    )
    with st.container(border=True, height="stretch", gap="xxsmall"):
        if worse:
            finding = ChartTitle(_("What needs a look"), "attention")
        elif better:
            finding = (
                ChartTitle(_("What got better"), "better")
                if any(item in better for item in moved)
                else ChartTitle(_("What stands out"), "better")
            )
        elif tried or any(compare(by, key)[2].p_value is not None for key in rates):
            finding = ChartTitle(_("Nothing stands out"))
        else:
            finding = ChartTitle(_("Too little to say what stands out"))
        cards.show_heading(finding, _describe_what_was_tried(look, tried, whole))
        clickable = drill.is_open_to(viewer)
        for place, item in enumerate([*worse, *better][:MOST_ITEMS]):
            with st.container(
                horizontal=True, wrap=False, vertical_alignment="center", gap="xxsmall"
            ):
                st.markdown(cards.ICONS[item.tone] + item.text, width="stretch")
                if clickable and item.kpi:
                    behind = (
                        item.kpi if get_kpi(item.kpi).subject == FactTable.CONTACTS else "missed"
                    )
                    st.button(
                        "",
                        icon=":material/arrow_forward:",
                        key=f"look_{place}",
                        type="tertiary",
                        help=_("Open the contacts"),
                        on_click=drill.to_contacts,
                        args=({dimension: item.value}, behind),
                    )
        st.caption(source_tables.describe_attribution(viewer, look))


def _find_apart(
    by: Mapping[Any, Mapping[str, Any]], rates: tuple[str, ...], dimension: str
) -> Iterator[ChangedSource]:
    """Those that differ from the rest by more than chance, all of one rate tried at
    once.
    """
    for key in rates:
        names, rows, compared = compare(by, key)
        better = get_kpi(key).better
        centre = _centre(rows) if rows else 0.0
        for name, row in zip(names, rows, strict=True):
            side = 1 if str(name) in compared.above else -1 if str(name) in compared.below else 0
            if not side:
                continue
            said = {
                "name": cards.escape(formatting.name(dimension, name)),
                "kpi": source_steps.title_of(key),
                "value": formatting.percent(row.value, 0),
            }
            said["between"] = formatting.interval(row.low, row.high, "rate")
            above, below = (
                _("**{name}**: {kpi} {value} ({between}), above the rest", **said),
                _("**{name}**: {kpi} {value} ({between}), below the rest", **said),
            )
            error = math.sqrt(centre * (1 - centre) / row.n) or 1.0
            yield ChangedSource(
                abs(row.value - centre) / error / stats.Z95,
                above if side > 0 else below,
                chart_titles.severity_of(side, better),
                name,
                key,
            )


def _find_moved(
    viewer: Viewer, look: FilterState, rates: tuple[str, ...], dimension: str
) -> tuple[list[ChangedSource], int, int]:
    """The rates of single values that moved since the period before, by more than
    chance where all are tried at once; how many could be tried, of how many.
    """
    if look.compare is None:
        return [], 0, 0
    groups = (
        tuple(key for key in rates if get_kpi(key).subject == subject)
        for subject in (FactTable.CONTACTS, FactTable.MISSES)
    )
    rows = [
        row
        for keys in groups
        if keys
        for row in cached.measure(viewer, keys, (dimension,), look.where, look.compare).itertuples()
    ]
    rows = [row for row in rows if not formatting.is_missing(getattr(row, dimension))]
    tried = [
        row
        for row in rows
        if not formatting.is_missing(row.delta) and min(row.n, row.n_before) >= LEAST
    ]
    if not tried:
        return [], 0, len(rows)
    # Bonferroni: with so many tries at once, each must be that much surer.
    wider = NormalDist().inv_cdf(1 - chart_titles.SURE / 2 / len(tried)) / stats.Z95
    spread = {
        key: series.spread for key, series in trend_cards.read_series(viewer, look, rates).items()
    }
    items = []
    for row in tried:
        kpi, value = get_kpi(row.kpi), getattr(row, dimension)
        between = control_charts.interval_of_change(row, wider * spread[row.kpi])
        tone = (
            chart_titles.describe_change("", row.delta, between, kpi.unit, kpi.better).tone
            if between
            else ""
        )
        if not tone:
            continue
        said = {
            "name": cards.escape(formatting.name(dimension, value)),
            "kpi": source_steps.title_of(row.kpi),
        }
        said |= {
            "change": formatting.change(row.delta, kpi.unit),
            "value": formatting.percent(row.value, 0),
        }
        items.append(
            ChangedSource(
                2 * abs(row.delta) / (between[1] - between[0]),
                _("**{name}**: {kpi} {change}, now {value}", **said),
                tone,
                value,
                row.kpi,
            )
        )
    return items, len(tried), len(rows)


def _find_attribution(viewer: Viewer, look: FilterState) -> Iterator[ChangedSource]:
    """The attribution rate itself, where it moved: whatever is compared above then
    rests on other contacts than before.
    """
    if look.compare is None:
        return
    row = cached.headline(viewer, ("attribution_rate",), look.where, look.compare)[
        "attribution_rate"
    ]
    between = control_charts.interval_of_change(row)
    if between is None or between[0] <= 0 <= between[1] or abs(row.delta) < 0.01:
        return
    said = {"change": formatting.change(row.delta, "rate"), "value": formatting.percent(row.value)}
    text = _(
        "**Attribution rate** {change}, now {value}: the campaigns of the two periods are not "
        "known alike",
        **said,
    )
    yield ChangedSource(
        2 * abs(row.delta) / (between[1] - between[0]),
        text,
        chart_titles.severity_of(math.copysign(1, row.delta), "up"),
    )


def _describe_what_was_tried(look: FilterState, tried: int, whole: int) -> str:
    first = _("Different from the rest by more than chance, all tried at once for each rate (95 %)")
    if look.compare is None:
        return first + ". " + _("Choose a comparison above to see what moved.")
    if not tried:
        return first + ". " + _("The period before has too little to say what moved.")
    return _(
        "{first}; or moved since {period} by more than chance, {count} of {whole} rates tried "
        "at once",
        first=first,
        period=look.compare_title,
        count=formatting.number(tried),
        whole=formatting.number(whole),
    )
