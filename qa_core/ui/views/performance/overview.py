"""Overview: is the centre doing well, and what needs a look?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import chart_titles, charts
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.series import Series
from qa_core.base.i18n import _
from qa_core.metrics import dimensions, formatting
from qa_core.metrics.kpis import get_kpi
from qa_core.stats import control_charts
from qa_core.ui import alert_banner, cached, cards, drill, tables, trend_cards
from qa_core.ui.filter_bar import FilterState
from qa_core.ui.views.performance import traffic
from qa_core.ui.views.tracking import source_steps

FIRST = ("received", "answer_rate", "first_contact_resolution", "csat")
IN_FIRST_ROW = len(FIRST)
SECOND = ("service_level", "average_speed_of_answer", "average_handle_time", "evaluation_score")
WATCHED = ("answer_rate", "first_contact_resolution", "csat")
"""The rates that are watched queue by queue and reason by reason."""
CAUTION = 1.6
"""Dozens of cells are tried at once: an interval this much wider (about 99.8 %) keeps
chance from filling the list.
"""
IN_TABLE = (
    "received",
    "answer_rate",
    "average_speed_of_answer",
    "first_contact_resolution",
    "csat",
)
MOST_ITEMS = 5
MOST_ALERTS = 4


@dataclass(frozen=True)
class AttentionItem:
    """A rate of one queue, reason or channel against before: how far it moved, in steps
    of its own uncertainty; without a tone where chance explains it.
    """

    strength: float
    text: str
    tone: str
    values: tuple[tuple[str, Any], ...]
    behind: str


def read(viewer: Viewer, look: FilterState) -> tuple[dict[str, Any], Mapping[str, Series]]:
    """The headline rows and the series that the viewer may see, of KPIs that say
    something in it.
    """
    knows_missed = source_steps.knows_missed(viewer, look)
    keys = tuple(
        key
        for key in (*FIRST, *SECOND)
        if viewer.can(get_kpi(key).needs) and (knows_missed or not get_kpi(key).needs_missed)
    )
    return cached.headline(viewer, keys, look.where, look.compare), trend_cards.read_series(
        viewer, look, keys
    )


def show_top(
    viewer: Viewer, look: FilterState, rows: dict[str, Any], series: Mapping[str, Series]
) -> None:
    """Four tiles, then what needs a look beside the trend that matters most."""
    cards.show_tiles(
        [cards.build_tile(rows[key], look, series[key]) for key in list(rows)[:IN_FIRST_ROW]]
    )
    if "answer_rate" not in rows:
        traffic.describe_only_answered()
    worst = max(series.values(), key=_concern)
    watched = (
        worst if _concern(worst) else series.get("answer_rate", series["first_contact_resolution"])
    )
    left, right = st.columns([3, 2], gap="small")
    with left:
        trend_cards.show_trend(viewer, look, watched, height=300, title=cards.title_of(watched.kpi))
    with right:
        _show_items(viewer, look, series)


def show_more(
    viewer: Viewer, look: FilterState, rows: dict[str, Any], series: Mapping[str, Series]
) -> None:
    """Four more tiles, the queues, and when calls go unanswered."""
    cards.show_tiles(
        [cards.build_tile(rows[key], look, series[key]) for key in list(rows)[IN_FIRST_ROW:]]
    )
    shown = tuple(key for key in IN_TABLE if key in rows)
    if not viewer.can_cut_by("hour"):
        show_cut(viewer, look, "queue", _("Queues"), shown)
        return
    left, right = st.columns([5, 3], gap="small")
    with left:
        show_cut(viewer, look, "queue", _("Queues"), shown)
    with right:
        _show_heat(viewer, look, "answer_rate" if "answer_rate" in rows else "service_level")


def _concern(series: Series) -> int:
    """How much a trend needs a look: points beyond the limit in the bad direction, or a
    long run there.
    """
    if series.finding.tone != "attention" or series.signals is None:
        return 0
    return max(series.signals.below, series.signals.above) * 10 + abs(series.signals.run)


def _show_items(viewer: Viewer, look: FilterState, series: Mapping[str, Series]) -> None:
    """The list of what moved by more than chance, the worse first; each line opens its
    contacts.
    """
    rung = cached.find_alerts(viewer)
    known = {event.rule.kpi for event in rung if event.rule.dimension is None}
    alarms = [
        one
        for one in series.values()
        if one.finding.tone == "attention" and one.kpi.key not in known
    ][:3]
    cells = _compare_cells(viewer, look, series) if look.compare else []
    items = sorted(
        (cell for cell in cells if cell is not None and cell.tone), key=lambda item: -item.strength
    )
    worse, better = (
        [item for item in items if item.tone == tone] for tone in ("attention", "better")
    )
    compared = sum(cell is not None for cell in cells)
    with st.container(border=True, height="stretch", gap="xxsmall"):
        if rung or alarms or worse:
            finding = ChartTitle(_("What needs a look"), "attention")
        elif better:
            finding = ChartTitle(_("What got better"), "better")
        elif compared or any(one.signals for one in series.values()):
            finding = ChartTitle(_("Nothing stands out"))
        else:
            finding = ChartTitle(_("Too little to say what stands out"))
        cards.show_heading(finding, _describe_what_was_looked_at(look, len(cells), compared))
        alert_banner.show_open(viewer, rung[:MOST_ALERTS])
        for one in alarms:
            st.markdown(
                f":orange[:material/error:] **{cards.title_of(one.kpi)}** – {one.finding.text}"
            )
        clickable = drill.is_open_to(viewer)
        for position, item in enumerate(
            [*worse, *better][: max(1, MOST_ITEMS - len(alarms) - len(rung[:MOST_ALERTS]))]
        ):
            with st.container(
                horizontal=True, wrap=False, vertical_alignment="center", gap="xxsmall"
            ):
                st.markdown(cards.ICONS[item.tone] + item.text, width="stretch")
                if not clickable:
                    continue
                help_text = _("Open the contacts")
                st.button(
                    "",
                    icon=":material/arrow_forward:",
                    key=f"look_{position}",
                    type="tertiary",
                    help=help_text,
                    on_click=drill.to_contacts,
                    args=(dict(item.values), item.behind),
                )


def _describe_what_was_looked_at(look: FilterState, cells: int, compared: int) -> str:
    """The limits of the list: what was compared, and how much could not be."""
    if look.compare is None:
        return _("Trends beyond their limits; choose a comparison to look queue by queue")
    if not compared:
        return _(
            "It takes {n} weeks or months of data to know what is usual, and an earlier period "
            "with enough contacts to compare queues, reasons and channels.",
            n=control_charts.BASELINE_POINTS,
        )
    return _(
        "Beyond its limits, or moved by clearly more than chance since {period}; {count} of "
        "{whole} rates by queue, reason and channel could be compared",
        period=look.compare_title,
        count=formatting.number(compared),
        whole=formatting.number(cells),
    )


def _compare_cells(
    viewer: Viewer, look: FilterState, series: Mapping[str, Series]
) -> Sequence[AttentionItem | None]:
    """Each watched rate by queue, reason and channel against the earlier period; None
    where there is too little to compare.
    """
    keys = tuple(key for key in WATCHED if key in series)
    cells: list[AttentionItem | None] = []
    for dimension in ("queue", "reason", "channel"):
        for row in cached.measure(
            viewer, keys, (dimension,), look.where, look.compare
        ).itertuples():
            kpi, value = get_kpi(row.kpi), getattr(row, dimension)
            if formatting.is_missing(value):
                continue
            spread = CAUTION * series[row.kpi].spread
            interval = control_charts.interval_of_change(row, spread)
            if formatting.is_missing(row.delta) or interval is None:
                cells.append(None)
                continue
            text = _(
                "{dimension} **{name}**: {kpi} {change}, now {value}",
                dimension=_(dimensions.get_dimension(dimension).title),
                name=cards.escape(formatting.name(dimension, value)),
                kpi=cards.column_of(row.kpi),
                change=formatting.change(row.delta, kpi.unit),
                value=formatting.value(row.value, kpi.unit),
            )
            tone = chart_titles.describe_change("", row.delta, interval, kpi.unit, kpi.better).tone
            cells.append(
                AttentionItem(
                    abs(row.delta) / ((interval[1] - interval[0]) / 2),
                    text,
                    tone,
                    ((dimension, value),),
                    row.kpi,
                )
            )
    return cells


def show_cut(
    viewer: Viewer, look: FilterState, dimension: str, title: str, keys: Sequence[str]
) -> None:
    """Those KPIs by one dimension, contacts received among them."""
    by = tables.wide(cached.measure(viewer, keys, (dimension,), look.where), dimension)
    ordered = tables.largest_first(by, "received")
    clickable = drill.is_open_to(viewer)
    heads = {key: cards.column_of(key) for key in keys}
    with st.container(border=True, height="stretch", gap="xxsmall"):
        cards.show_heading(
            ChartTitle(title),
            _("Click a line to see its contacts.") if clickable and ordered else "",
        )
        if not ordered:
            st.caption(_(formatting.NO_DATA))
            return
        rows, head = [], _(dimensions.get_dimension(dimension).title)
        for value in ordered:
            line = {head: formatting.name(dimension, value)}
            for key in keys:
                row = by[value][key]
                shown = None if formatting.is_missing(row.value) else row.value
                line[heads[key]] = (
                    shown
                    if key == "received"
                    else tables.as_share(shown)
                    if tables.is_rate(key)
                    else formatting.value(shown, get_kpi(key).unit)
                )
            rows.append(line)
        config: dict[str, Any] = {
            heads[key]: tables.percent_column(heads[key], 74)
            if tables.is_rate(key)
            else st.column_config.TextColumn(heads[key], width=60)
            for key in keys
        }
        config |= {
            head: tables.name_column(head, 140),
            heads["received"]: tables.count_column(heads["received"], 68),
        }
        key = f"table_overview_{dimension}"
        tables.show(
            rows,
            config,
            key,
            drill.on_row(key, dimension, ordered) if clickable else None,
            height=330,
        )
        with tables.show_foot():
            tables.note_definitions(keys, look)


def _show_heat(viewer: Viewer, look: FilterState, key: str) -> None:
    """That rate by weekday and hour, under the hour that is worse than the rest by more
    than chance, where there is one.
    """
    frame = cached.measure(viewer, (key,), ("weekday", "hour"), look.where)
    frame = frame[(frame["n"] >= traffic.ENOUGH) & frame["value"].notna()]
    if frame.empty:
        with st.container(border=True, height="stretch", gap="xxsmall"):
            cards.show_heading(
                ChartTitle(_("Too few contacts to say when")),
                _("No hour of the week has {n} contacts in this period.", n=traffic.ENOUGH),
            )
        return
    kpi, worst = get_kpi(key), traffic.find_worst(frame, "up")
    if worst is None:
        finding = ChartTitle(
            _(
                "{title}: no time of the week stands out by more than chance",
                title=cards.title_of(kpi),
            )
        )
    else:
        finding = ChartTitle(
            _(
                traffic.HEADINGS[key],
                when=traffic.describe_when(worst, "hour"),
                value=formatting.percent(worst.value),
            ),
            "attention",
        )
    caption = _(
        "{title} by weekday and hour; the deeper the colour, the lower", title=cards.title_of(kpi)
    )
    cards.show_chart(
        charts.build_heat(frame, "rate", better="up", dark=cards.is_dark(), height=245),
        finding,
        caption,
        "heat",
        kpi=key,
    )
