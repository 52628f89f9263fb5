"""Waiting: percentiles over the day and over time, how waits are spread, and what
became of missed callers.
"""

from __future__ import annotations

import math

import pandas as pd
import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import chart_titles, exports
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.charts import traffic as charts
from qa_core.analysis.series import build_series
from qa_core.base.i18n import _, ngettext
from qa_core.metrics import formatting, query
from qa_core.metrics.kpis import Unit, get_kpi
from qa_core.metrics.query import Recovery
from qa_core.ui import cached, cards, download_links, drill
from qa_core.ui.filter_bar import FilterState
from qa_core.ui.views.performance.traffic import ENOUGH, Clock

WAIT = "average_speed_of_answer"
WAITS_OF = {"answered": WAIT, "abandoned": "average_time_to_abandon"}
"""The KPI that counts the contacts of each kind of bar: those with a known wait."""
PERCENTILES = {
    "p95": ("attention", "dot"),
    "p90": ("accent", "solid"),
    "p50": ("reference", "dash"),
}
ENOUGH_FOR_TAIL = 100
"""With fewer waits, their longest tenth is fewer than ten people."""
THRESHOLDS = (*range(5, 61, 5), *range(70, 121, 10), 150, 180, 240, 300)
GOAL = 0.8
"""The share that planners usually ask for: "80 % within 20 seconds"."""
WIDTHS = (5, 10, 15, 30, 60, 120)
MOST_BARS = 36


def show(viewer: Viewer, look: FilterState, clock: Clock) -> None:
    """The cards on waiting; where single contacts may not be told apart, only the
    trend.
    """
    if not clock.grain:
        _show_trend(viewer, look)
        return
    left, right = st.columns(2, gap="small")
    with left:
        _show_day(viewer, look, clock)
    with right:
        _show_trend(viewer, look)
    waits = cached.find_waits(viewer, look.where)
    if not waits.empty:
        left, right = st.columns(2, gap="small")
        with left:
            _show_spread(viewer, look, waits)
        with right:
            _show_thresholds(viewer, look)
    recovery = cached.find_recovery(viewer, look.where)
    if recovery.missed:
        _show_recovery(viewer, look, recovery)


def _show_day(viewer: Viewer, look: FilterState, clock: Clock) -> None:
    frame = cached.measure(viewer, (WAIT,), (clock.grain,), look.where)
    frame = frame[frame["p50"].notna()].set_index(clock.grain)
    if len(frame) and frame["n"].max() < ENOUGH:
        with st.container(border=True, height="stretch"):
            cards.show_heading(ChartTitle(_("Too few contacts to say when waits are longest")))
        return
    if frame.empty:
        with st.container(border=True, height="stretch"):
            cards.show_heading(
                ChartTitle(_("No single waits are known")),
                _("Percentiles need the wait of each contact; totals have only sums."),
            )
        return
    at = charts.times_between(list(frame.index), clock.grain)
    frame = _hide_loose(frame).reindex(at)
    lines = _lines({name: frame[name] for name in PERCENTILES}, frame["n"])
    if frame["p90"].notna().any():
        worst = frame["p90"].astype(float).idxmax()
        wait = formatting.duration(frame.loc[worst, "p90"])
        finding = ChartTitle(
            _(
                "Longest waits at {hour}: one in ten waits more than {wait}",
                hour=formatting.name(clock.grain, worst),
                wait=wait,
            )
        )
    else:
        finding = ChartTitle(_("Too few contacts to say when waits are longest"))
    caption = _(
        "Half, nine in ten and 95 in a hundred of those answered waited at most so long; drawn "
        "from {few} or {many} contacts on",
        few=ENOUGH,
        many=ENOUGH_FOR_TAIL,
    )
    figure = charts.build_lines(at, lines, Unit.SECONDS, clock.grain, dark=cards.is_dark())
    on_select = drill.on_point("waits_day", clock.grain, WAIT) if drill.is_open_to(viewer) else None
    cards.show_chart(figure, finding, caption, "waits_day", on_select=on_select, kpi=WAIT)


def _show_trend(viewer: Viewer, look: FilterState) -> None:
    frame = _hide_loose(cached.measure(viewer, (WAIT,), (look.grain,), look.trend))
    kpi = get_kpi(WAIT)
    series = {
        name: build_series(
            frame.assign(value=frame[name], low=None, high=None),
            kpi,
            look.grain,
            look.trend.period,
            look.first_day,
            look.whole_until,
            look.where.period.first_day,
        )
        for name in PERCENTILES
    }
    tail = series["p90"]
    if series["p50"].points["value"].isna().all():
        with st.container(border=True, height="stretch"):
            cards.show_heading(
                ChartTitle(_("No single waits are known")),
                _("Percentiles need the wait of each contact; totals have only sums."),
            )
        return
    said = tail.finding
    finding = (
        ChartTitle(_("Too few contacts to say how the longest waits move"))
        if tail.points["value"].isna().all()
        else ChartTitle(
            _("Longest tenth of waits: {finding}", finding=said.text[0].lower() + said.text[1:]),
            said.tone,
        )
    )
    caption = (
        _("Percentiles of the wait of answered contacts by month")
        if look.grain == "month"
        else _("Percentiles of the wait of answered contacts by week")
    )
    lines = _lines({name: one.points["value"] for name, one in series.items()}, tail.points["n"])
    at = [f"{day:%Y-%m}" if look.grain == "month" else day for day in tail.points["at"]]
    figure = charts.build_lines(at, lines, Unit.SECONDS, look.grain, dark=cards.is_dark())
    on_select = (
        drill.on_point("waits_trend", look.grain, WAIT) if drill.is_open_to(viewer) else None
    )
    cards.show_chart(figure, finding, caption, "waits_trend", on_select=on_select, kpi=WAIT)


def _hide_loose(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame without percentiles that a handful of waits would decide."""
    frame = frame.copy()
    for name, least in (("p50", ENOUGH), ("p90", ENOUGH_FOR_TAIL), ("p95", ENOUGH_FOR_TAIL)):
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


def _show_spread(viewer: Viewer, look: FilterState, waits: pd.DataFrame) -> None:
    """How many waited how long, answered and abandoned."""
    threshold = cached.current_settings().service_level_seconds
    bars, width, beyond = split_waits(waits, threshold)
    gone = waits[waits["abandoned"] > 0]
    early = int(gone.loc[gone["second"] <= threshold, "abandoned"].sum())
    total = int(gone["abandoned"].sum())
    if total < ENOUGH:
        finding = ChartTitle(_("Too few gave up to say how long they wait"))
    else:
        median = int(gone["second"][gone["abandoned"].cumsum() >= total / 2].iloc[0])
        finding = ChartTitle(
            _(
                "Half of those who gave up had waited {wait} or more",
                wait=formatting.duration(median),
            )
        )
    caption = (
        _(
            "Contacts by their wait; {share} of those who gave up did so within the threshold "
            "(dashed)",
            share=formatting.percent(early / total, 0),
        )
        if total
        else _("Contacts by their wait; dashed: the threshold of the service level")
    )
    if beyond:
        caption += ". " + ngettext(
            "{count} longer wait is not drawn",
            "{count} longer waits are not drawn",
            beyond,
            count=formatting.number(beyond),
        )
    on_select = _open_waits if drill.is_open_to(viewer) else None
    cards.show_chart(
        charts.build_waits(bars, width, threshold, dark=cards.is_dark()),
        finding,
        caption,
        "waits_spread",
        on_select=on_select,
    )


def _open_waits() -> None:
    """Callback of the bars of waits: the contacts of the one that was clicked."""
    if clicked := drill.clicked("waits_spread"):
        outcome, above, until = clicked
        # Those who waited longest of all stand together in the bar where the count
        # ends.
        drill.to_contacts(
            {}, WAITS_OF[outcome], waited=f"{above}-{until if until < query.LONGEST_WAIT else ''}"
        )


def split_waits(waits: pd.DataFrame, threshold: float) -> tuple[pd.DataFrame, int, int]:
    """Bars of equal width (`until`, `answered`, `abandoned`) that reach as far as 99 of
    100 waits, their width in seconds, and how many waits lie beyond.

    Waits of 0 stand in the first bar; a bar holds its last second, as the threshold
    does.
    """
    both = waits["answered"] + waits["abandoned"]
    reach = max(
        float(waits["second"][both.cumsum() >= 0.99 * both.sum()].iloc[0]), 2 * threshold, 30
    )
    width = next((width for width in WIDTHS if reach / width <= MOST_BARS), WIDTHS[-1])
    places = (waits["second"].clip(lower=1) + width - 1) // width
    count = min(math.ceil(reach / width), MOST_BARS)
    bars = (
        waits.groupby(places)[["answered", "abandoned"]]
        .sum()
        .reindex(range(1, count + 1), fill_value=0)
    )
    bars.insert(0, "until", bars.index * width)
    return bars.reset_index(drop=True), width, int(both[places > count].sum())


def _show_thresholds(viewer: Viewer, look: FilterState) -> None:
    """The service level as it would be with every other threshold."""
    here = cached.current_settings().service_level_seconds
    frame = cached.find_service_levels(
        viewer, tuple(sorted({*map(float, THRESHOLDS), float(here)})), look.where
    )
    if frame["value"].isna().all():
        with st.container(border=True, height="stretch"):
            cards.show_heading(ChartTitle(_("No single waits are known")))
        return
    now = frame[frame["threshold"] == here].iloc[0]
    reached = frame[frame["value"] >= GOAL]
    said = {
        "level": formatting.percent(now["value"]),
        "here": formatting.duration(here),
        "goal": formatting.percent(GOAL, 0),
    }
    if reached.empty:
        text = _(
            "{level} within {here}; {goal} not even within {seconds}",
            seconds=formatting.duration(frame["threshold"].max()),
            **said,
        )
    elif reached["threshold"].iloc[0] == here:
        text = _("{level} within {here}", **said)
    else:
        text = _(
            "{level} within {here}; {goal} within {seconds}",
            seconds=formatting.duration(reached["threshold"].iloc[0]),
            **said,
        )
    finding = ChartTitle(text)
    caption = _(
        "Answered within x seconds, by the formula of the service level in the settings; "
        "dashed: the threshold in force; single contacts only"
    )
    cards.show_chart(
        charts.build_threshold_curve(frame, here, dark=cards.is_dark()),
        finding,
        caption,
        "thresholds",
        kpi="service_level",
    )


def _show_recovery(viewer: Viewer, look: FilterState, recovery: Recovery) -> None:
    """What became of missed callers within the recovery window."""
    hours = formatting.number(cached.current_settings().recovery_hours)
    keys = ("recovered_rate", "call_back_rate")
    rows = cached.headline(viewer, keys, look.where, look.compare)
    left, right = st.columns([2, 3], gap="small")
    with left:
        cards.show_tiles([cards.build_tile(rows[key], look) for key in keys])
        with st.container(border=True, height="stretch", gap="xxsmall"):
            if recovery.withheld:
                st.caption(
                    ngettext(
                        "{count} missed contact came from a withheld or shared number: nobody "
                        "can say what became of it.",
                        "{count} missed contacts came from withheld or shared numbers: nobody "
                        "can say what became of them.",
                        recovery.withheld,
                        count=formatting.number(recovery.withheld),
                    )
                )
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
            if drill.is_open_to(viewer):
                st.button(
                    _("Open the missed contacts"),
                    icon=":material/arrow_forward:",
                    on_click=drill.to_contacts,
                    args=({}, "missed"),
                    key="open_missed",
                )
            download_links.show_download(
                _("Export"),
                "figures",
                key="recovery",
                **exports.parameters(("missed", *keys), (look.grain,), look.where),
            )
    with right:
        parts = [
            (_("Reached by our call-back"), recovery.by_call_back, "better"),
            (_("Got through by trying again"), recovery.by_new_try, ""),
            (_("Called back, not reached"), recovery.called_back_in_vain, "reference"),
            (_("Nobody called back"), recovery.not_called_back, "attention"),
        ]
        finding = _describe_recovery(recovery)
        caption = _(
            "Missed callers, one per caller and window of {hours} hours, by what happened "
            "within it",
            hours=hours,
        )
        cards.show_chart(
            charts.build_shares(parts, dark=cards.is_dark()),
            finding,
            caption,
            "recovery",
            kpi="recovered_rate",
        )


def _describe_recovery(recovery: Recovery) -> chart_titles.ChartTitle:
    if not recovery.known:
        return ChartTitle(_("Nobody knows who was missed: no caller is known"))
    if recovery.known < ENOUGH:
        return ChartTitle(_("Too few missed callers to say how they are recovered"))
    share = formatting.percent(recovery.not_called_back / recovery.known, 0)
    return ChartTitle(
        _("{share} of missed callers were neither called back nor got through", share=share)
    )
