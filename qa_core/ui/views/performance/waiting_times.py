"""Waiting: percentiles, the distribution of waits, and missed callers."""

from typing import Any

import pandas as pd
import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import chart_titles, note_texts
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.charts import traffic as charts
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics import query
from qa_core.metrics.kpis import Unit, formatting, get_kpi
from qa_core.metrics.query import Recovery
from qa_core.ui.frame import cached, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.views.performance import traffic
from qa_core.ui.views.performance.traffic import MIN, WAIT, Clock
from qa_core.ui.widgets import cards, download_links, drill, trend_cards

WAITS_OF = {"answered": WAIT, "abandoned": "average_time_to_abandon"}
"""KPI that counts the contacts of each kind of bar: those with a known wait."""
PERCENTILES = {
    "p95": ("attention", "dot"),
    "p90": ("accent", "solid"),
    "p50": ("reference", "dash"),
}
MIN_FOR_TAIL = 100
"""Waits from which on the longest tenth is at least ten people."""
THRESHOLDS = (*range(5, 61, 5), *range(70, 121, 10), 150, 180, 240, 300)
GOAL = 0.8
"""Share that planners usually ask for: "80 % within 20 seconds"."""
WIDTHS = (5, 10, 15, 30, 60, 120)
MAX_BARS = 36
NO_WAITS = N_("No wait of single contacts is known")
FEW_WAITS = N_("Too few contacts to say when waits are longest")


def show(viewer: Viewer, state: FilterState, clock: Clock) -> None:
    """Show the cards on waiting that this viewer's data allows."""
    if viewer.needs_suppression:
        return
    if not clock.grain:
        _show_trend(viewer, state)
        return
    left, right = st.columns(2, gap="small")
    with left:
        _show_day(viewer, state, clock)
    with right:
        _show_trend(viewer, state)
    waits = cached.find_waits(viewer, state.where)
    if not waits.empty:
        left, right = st.columns(2, gap="small")
        with left:
            _show_distribution(viewer, state, waits)
        with right:
            _show_thresholds(viewer, state)
    recovery = cached.find_recovery(viewer, state.where)
    if recovery.missed_contacts:
        _show_recovery(viewer, state, recovery)


def _show_day(viewer: Viewer, state: FilterState, clock: Clock) -> None:
    frame = traffic.read_waits(viewer, state, clock)
    frame = frame[frame["p50"].notna()].set_index(clock.grain)
    if frame.empty or frame["n"].max() < MIN:
        cards.show_message(_(NO_WAITS if frame.empty else FEW_WAITS))
        return
    at = charts.list_times(list(frame.index), clock.grain)
    frame = _hide_small_samples(frame).reindex(at)
    finding = _(FEW_WAITS)
    if frame["p90"].notna().any():
        worst = frame["p90"].astype(float).idxmax()
        finding = _(
            "Longest waits at {hour}: one in ten waits more than {wait}",
            hour=formatting.name(clock.grain, worst),
            wait=formatting.duration(frame.loc[worst, "p90"]),
        )
    lines = _lines({name: frame[name] for name in PERCENTILES}, frame["n"])
    _show_percentiles(viewer, at, lines, clock.grain, finding, "waits_day")


def _show_percentiles(
    viewer: Viewer,
    at: list[Any],
    lines: list[charts.ChartLine],
    grain: str,
    finding: ChartTitle | str,
    key: str,
) -> None:
    caption = _(
        "Median, 90th and 95th percentile of the wait of answered contacts (from {few} and {many} "
        "contacts)",
        few=MIN,
        many=MIN_FOR_TAIL,
    )
    figure = charts.build_lines(at, lines, Unit.SECONDS, grain, dark=styles.is_dark())
    on_select = drill.on_point(viewer, key, grain, WAIT)
    cards.show_chart(figure, finding, caption, key, on_select=on_select, kpi=WAIT)


def _show_trend(viewer: Viewer, state: FilterState) -> None:
    frame = _hide_small_samples(traffic.read_trend_of_waits(viewer, state))
    series = {
        name: trend_cards.build(
            state, frame.assign(value=frame[name], low=None, high=None), get_kpi(WAIT), state.grain
        )
        for name in PERCENTILES
    }
    tail, is_by_month = series["p90"], state.grain == "month"
    if series["p50"].points["value"].isna().all():
        cards.show_message(_(NO_WAITS))
        return
    finding: ChartTitle | str = _(FEW_WAITS)
    if tail.points["value"].notna().any():
        finding = chart_titles.prefix(_("90th percentile of the wait"), tail.finding)
    values = {name: percentile.points["value"] for name, percentile in series.items()}
    lines = _lines(values, tail.points["n"])
    at = [f"{day:%Y-%m}" if is_by_month else day for day in tail.points["at"]]
    _show_percentiles(viewer, at, lines, state.grain, finding, "waits_trend")


def _hide_small_samples(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    for name, least in (("p50", MIN), ("p90", MIN_FOR_TAIL), ("p95", MIN_FOR_TAIL)):
        frame[name] = frame[name].where(frame["n"] >= least)
    return frame


def _lines(values: dict[str, pd.Series], n: pd.Series) -> list[charts.ChartLine]:
    return [
        charts.ChartLine(
            _("median") if name == "p50" else name,
            pd.DataFrame({"value": values[name].to_numpy(), "n": n.to_numpy()}).astype(float),
            tone,
            dash,
        )
        for name, (tone, dash) in PERCENTILES.items()
    ]


def _show_distribution(viewer: Viewer, state: FilterState, waits: pd.DataFrame) -> None:
    """Show the distribution of waits, answered and abandoned."""
    threshold = cached.current_settings().service_level_seconds
    bars, width, beyond = split_waits(waits, threshold)
    gone = waits[waits["abandoned"] > 0]
    early = int(gone.loc[gone["second"] <= threshold, "abandoned"].sum())
    total = int(gone["abandoned"].sum())
    of_abandoned = cached.headline(viewer, (WAITS_OF["abandoned"],), state.where).values()
    finding = " ".join(note_texts.describe_populations(of_abandoned)) or _(
        "Too few abandoned contacts to say how long callers wait"
    )
    if total >= MIN:
        median = int(gone["second"][gone["abandoned"].cumsum() >= total / 2].iloc[0])
        finding = _(
            "Half of the abandoned contacts had waited {wait} or more",
            wait=formatting.duration(median),
        )
    caption = _(
        "Contacts by their wait. Dashed: the service level threshold, with {share} of abandons "
        "within it",
        share=formatting.percent(early / total, 0) if total else "–",
    )
    if beyond:
        caption += ". " + ngettext(
            "{count} longer wait is not shown",
            "{count} longer waits are not shown",
            beyond,
            count=formatting.number(beyond),
        )
    figure = charts.build_waits(bars, width, threshold, dark=styles.is_dark())
    on_select = _open_waits if drill.is_open_to(viewer) else None
    cards.show_chart(figure, finding, caption, "waits_spread", on_select=on_select)


def _open_waits() -> None:
    """Callback: open the contacts of the bar that was clicked."""
    if clicked := drill.clicked("waits_spread"):
        outcome, above, until = clicked
        # The last bar has all waits from the longest counted one on.
        upper = until if until < query.MAX_WAIT else ""
        drill.to_contacts({}, WAITS_OF[outcome], waited=f"{above}-{upper}")


def split_waits(waits: pd.DataFrame, threshold: float) -> tuple[pd.DataFrame, int, int]:
    """Return bars of equal width (`until`, `answered`, `abandoned`) that reach as far as 99
    of 100 waits, their width in seconds, and how many waits lie beyond.

    Waits of 0 are in the first bar; a bar holds its last second, as the threshold does.
    """
    both = waits["answered"] + waits["abandoned"]
    reach = max(
        float(waits["second"][both.cumsum() >= 0.99 * both.sum()].iloc[0]), 2 * threshold, 30
    )
    width = next((width for width in WIDTHS if reach / width <= MAX_BARS), WIDTHS[-1])
    places = (waits["second"].clip(lower=1) + width - 1) // width
    count = min(-int(-reach // width), MAX_BARS)
    bars = (
        waits.groupby(places)[["answered", "abandoned"]]
        .sum()
        .reindex(range(1, count + 1), fill_value=0)
    )
    bars.insert(0, "until", bars.index * width)
    return bars.reset_index(drop=True), width, int(both[places > count].sum())


def _show_thresholds(viewer: Viewer, state: FilterState) -> None:
    """Show the service level as it would be with every other threshold."""
    here = cached.current_settings().service_level_seconds
    thresholds = tuple(sorted({*map(float, THRESHOLDS), float(here)}))
    frame = cached.find_service_levels(viewer, thresholds, state.where)
    if frame["value"].isna().all():
        row = cached.headline(viewer, ("service_level",), state.where)["service_level"]
        cards.show_missing(_("No service level by threshold"), [row])
        return
    level = frame[frame["threshold"] == here].iloc[0]["value"]
    reached = frame[frame["value"] >= GOAL]
    finding = _describe_within(level, here)
    if not reached.empty and reached["threshold"].iloc[0] != here:
        wanted = _describe_within(GOAL, reached["threshold"].iloc[0])
        finding = _("{first}; {second}", first=finding, second=wanted)
    caption = _(
        "Answered within x seconds, by the service level formula in the settings; single contacts "
        "only. Dashed: the threshold in force"
    )
    figure = charts.build_threshold_curve(frame, here, dark=styles.is_dark())
    cards.show_chart(figure, finding, caption, "thresholds", kpi="service_level")


def _describe_within(share: float, seconds: float) -> str:
    level, threshold = formatting.percent(share), formatting.duration(seconds)
    return _("{level} within {here}", level=level, here=threshold)


def _show_recovery(viewer: Viewer, state: FilterState, recovery: Recovery) -> None:
    """Show the outcome of missed callers within the recovery window."""
    hours = formatting.number(cached.current_settings().recovery_hours)
    keys = ("recovered_rate", "call_back_rate")
    rows = cached.headline(viewer, keys, state.where, state.compare)
    left, right = st.columns([2, 3], gap="small")
    with left:
        cards.show_tiles([cards.build_tile(rows[key], state) for key in keys])
        with cards.card(is_stretched=True):
            _show_not_judged(recovery, hours)
            if drill.is_open_to(viewer):
                st.button(
                    _("Open the missed contacts"),
                    icon=":material/arrow_forward:",
                    on_click=drill.to_contacts,
                    args=({}, "missed"),
                    key="open_missed",
                )
            download_links.show_figures("recovery", ("missed", *keys), (state.grain,), state.where)
    with right:
        parts = [
            (_("Reached by our call-back"), recovery.by_call_back, "better"),
            (_("Got through by trying again"), recovery.by_new_try, ""),
            (_("Called back, not reached"), recovery.called_back_in_vain, "reference"),
            (_("Not called back"), recovery.not_called_back, "attention"),
        ]
        caption = _(
            "Missed callers (one per caller and window of {hours} hours), by what happened within "
            "it",
            hours=hours,
        )
        figure = charts.build_shares(parts, dark=styles.is_dark())
        cards.show_chart(
            figure, _describe_recovery(recovery), caption, "recovery", kpi="recovered_rate"
        )


def _show_not_judged(recovery: Recovery, hours: str) -> None:
    if recovery.withheld:
        st.caption(cards.describe_unidentified(recovery.withheld))
    if recovery.open:
        st.caption(
            ngettext(
                "{count} caller may still be reached: the {hours} hours are not over.",
                "{count} callers may still be reached: their {hours} hours are not over.",
                recovery.open,
                count=formatting.number(recovery.open),
                hours=hours,
            )
        )


def _describe_recovery(recovery: Recovery) -> str:
    if recovery.known_callers < MIN:
        return _("Too few missed callers to show what happened to them")
    share = formatting.percent(recovery.not_called_back / recovery.known_callers, 0)
    return _("{share} of missed callers were not called back and did not get through", share=share)
