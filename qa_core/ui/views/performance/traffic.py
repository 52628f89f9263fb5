"""The Traffic page: contacts and service level by weekday, half-hour, channel."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import streamlit as st

from qa_core.access.roles import Role, Viewer
from qa_core.analysis import note_texts, peers
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.charts import traffic as charts
from qa_core.base import environment
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics.kpis import Unit, dimensions, formatting, get_kpi, half_hours
from qa_core.ui.frame import cached, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import cards, download_links, drill, segmented_choice, tables, trend_cards

WAIT = "average_speed_of_answer"
TILES = ("received", "service_level", "abandon_rate", WAIT)
MEASURES = ("answer_rate", "service_level", "abandon_rate", "received")
"""What the map of the week can show, the default first."""
IN_TABLE = (
    "received",
    "answer_rate",
    "service_level",
    "abandon_rate",
    WAIT,
    "recovered_rate",
)
PER: Mapping[str, str] = {
    "half_hour": N_("Per half-hour"),
    "hour": N_("Per hour"),
    "weekday": N_("Per day"),
}
MIN = 30
"""Contacts from which on a rate of a half-hour is shown."""
FEW = N_("Too few contacts to compare times")


@dataclass(frozen=True)
class Clock:
    """Finest division of the day that is known.

    `grain`: `half_hour`; `hour` where only totals by the hour are known; empty where
    neither is, or where the viewer may not see them. `left_out`: contacts without a time
    of day. `times`: how often each (weekday, half-hour) came on days with contacts.
    """

    grain: str = ""
    left_out: int = 0
    times: Mapping[tuple[int, str], int] = field(default_factory=dict)

    def count(self, at: Any, weekday: int | None = None) -> float:
        """Count how often that half-hour or hour came, on one weekday or on all."""
        half_hours = sum(
            count
            for (day, half), count in self.times.items()
            if weekday in (None, day)
            and (half == at if self.grain == "half_hour" else int(half[:2]) == at)
        )
        return half_hours if self.grain == "half_hour" else half_hours / 2

    def count_of(self, cut: str, value: Any) -> float | None:
        """Count how often a value of the table's cut came; None where that says nothing."""
        if cut == "weekday":
            return self.times.get((value, "12:00"), 0)
        return self.count(value) if cut in PER else None


def read_clock(viewer: Viewer, state: FilterState) -> Clock:
    """Return how the day can be cut for this viewer, and how often each part came."""
    if not viewer.can_cut_by("half_hour"):
        return Clock()
    period, zone = state.where.period, environment.current().zone
    for grain in ("half_hour", "hour"):
        frame = read_cut(viewer, state, grain)
        counted = frame.loc[frame["kpi"] == "received", "n"].sum()
        if counted:
            break
    total = _read_whole(viewer, state)["received"].n
    by_day = cached.measure(viewer, ("received",), ("day",), dimensions.Filters(period))
    days = [day for day, n in zip(by_day["day"], by_day["n"], strict=True) if n]
    return Clock(
        grain=grain if counted else "",
        left_out=int(total - counted),
        times=half_hours.count_half_hours(days, zone, cached.data_through(viewer)),
    )


def _read_whole(viewer: Viewer, state: FilterState) -> dict[str, Any]:
    return cached.headline(viewer, TILES, state.where, state.compare)


def read_cut(viewer: Viewer, state: FilterState, cut: str) -> pd.DataFrame:
    """Return rows of the KPIs by one cut; by time of day, without contacts that have none."""
    frame = cached.measure(viewer, IN_TABLE, (cut,), state.where, state.compare)
    return frame[frame[cut].notna()] if cut in PER else frame


def show_top(viewer: Viewer, state: FilterState) -> None:
    rows = _read_whole(viewer, state)
    series = trend_cards.read_series(viewer, state, TILES)
    cards.show_tiles([cards.build_tile(rows[key], state, series[key]) for key in TILES])


def show_when(viewer: Viewer, state: FilterState, clock: Clock) -> None:
    """Show the map of the week; a click on a cell opens its contacts."""
    if not clock.grain and viewer.needs_suppression:
        text = _(
            "Weekdays and half-hours are shown to managers and team leads only: such detail "
            "could single out a few people."
        )
        cards.card(_("Months and channels only"), text)
        return
    if not clock.grain:
        cards.card(_("No data by half-hour or hour"), _describe_left_out(clock))
        return
    with cards.card():
        heading = st.container(gap="xxsmall")
        whole = cached.headline(viewer, MEASURES, state.where, state.compare)
        known = [key for key in MEASURES if not formatting.is_missing(whole[key].value)]
        measures = tuple(known) or ("received",)
        # One advisor has too few contacts for rates by half-hour.
        offered = reversed(measures) if viewer.role == Role.ADVISOR else measures
        measure = segmented_choice.ask(
            "measure", _("Measure"), {key: _(get_kpi(key).title) for key in offered}
        )
        grain, frame = _read_week(viewer, state, measure, clock)
        if frame.empty:
            with heading:
                cards.show_heading(_("No data in this period"))
            return
        finding, caption, marked = (
            _find_busiest(frame, clock)
            if measure == "received"
            else _find_worst_cell(frame, measure, state, grain)
        )
        with heading:
            cards.show_heading(finding, caption)
        kpi, key = get_kpi(measure), f"when_{measure}"
        figure = charts.build_when(
            frame,
            grain,
            is_rate=kpi.is_rate,
            better=kpi.better,
            marked=marked,
            dark=styles.is_dark(),
        )
        on_select = drill.on_point(viewer, key, ("weekday", grain), measure)
        cards.show_figure(figure, key, f"{finding.text}. {caption}", on_select)
        if text := _describe_left_out(clock):
            st.caption(text)
        download_links.show_figures("when", measures, ("weekday", grain), state.where)


def show_hours(viewer: Viewer, state: FilterState, clock: Clock) -> None:
    """Show service level and abandonment by hour of the day."""
    if not clock.grain:
        return
    keys = ("service_level", "abandon_rate")
    whole = _read_whole(viewer, state)["service_level"]
    if formatting.is_missing(whole.value):
        why = " ".join(note_texts.describe_populations([whole]))
        cards.card(_("No service level by hour"), why)
        return
    frame = cached.measure(viewer, keys, ("hour",), state.where, state.compare)
    frame = frame[(frame["n"] >= MIN) & frame["value"].notna() & frame["hour"].notna()]
    if frame.empty:
        show_too_few()
        return
    at = charts.list_times(frame["hour"].tolist(), "hour")
    level, abandoned = (frame[frame["kpi"] == key].set_index("hour").reindex(at) for key in keys)
    lines = [charts.ChartLine(_("Service level"), level)]
    if abandoned["value"].notna().any():
        lines.append(charts.ChartLine(_("Abandon rate"), abandoned, "attention", "dash"))
    if state.compare:
        before = level["value_before"].where(level["n_before"] >= MIN).to_frame("value")
        if before["value"].notna().any():
            lines.append(charts.ChartLine(state.compare_title, before, "reference", "dot"))
    caption = _("By hour of the day, with 95 % confidence interval")
    figure = charts.build_lines(
        at, lines, Unit.RATE, "hour", dark=styles.is_dark(), bounds=(0.0, 1.0), height=280
    )
    finding = ChartTitle(_("No service level by hour"))
    if level["value"].notna().any():
        worst = find_worst(level.reset_index(), "up")
        finding = describe_worst(worst, "service_level", "hour")
    on_select = drill.on_point(viewer, "hours", "hour", "service_level")
    cards.show_chart(figure, finding, caption, "hours", on_select=on_select, kpi="service_level")


def show_too_few() -> None:
    """Show a card that says how many contacts it takes to compare times."""
    cards.card(
        _(FEW),
        _("Times are compared from {n} contacts each. A longer period may show more.", n=MIN),
    )


def show_table(viewer: Viewer, state: FilterState, clock: Clock) -> None:
    """Show all figures by half-hour, weekday or channel; a click opens the contacts."""
    cuts = [clock.grain, "weekday", "channel"] if clock.grain else ["channel"]
    titles = state.name_cuts(viewer, cuts)
    if not titles:
        cards.show_one_cut(_("Side by side"))
        return
    with cards.card(_("Side by side")):
        cut = next(iter(titles))
        if len(titles) > 1:
            cut = segmented_choice.ask("by", _("Break down by"), titles)
        by = tables.index_rows(read_cut(viewer, state, cut), cut)
        values = [value for value in by if by[value]["received"].n]
        if cut == "channel":
            values.sort(key=lambda value: -by[value]["received"].n)
        on_line = drill.on_value(viewer, cut)
        columns = tables.drop_empty(_columns(by, cut, state, clock), values)
        tables.show(values, columns, f"table_{cut}", on_line, height=400)
        tables.show_definitions(IN_TABLE, state)
        download_links.show_figures("cut", IN_TABLE, (cut,), state.where)


def _columns(
    by: tables.Rows, cut: str, state: FilterState, clock: Clock
) -> list[tables.TableColumn | None]:
    def of(key: str, field: str = "value") -> Any:
        return lambda value: getattr(by[value][key], field)

    def rate(key: str, heading: str = "", width: int = 74) -> tables.TableColumn:
        # Bars for all of them would leave no room for the headings.
        build = tables.share_column if key == "service_level" else tables.percent_column
        return build(heading or cards.column_of(key), of(key), width)

    def mean(value: Any) -> str | None:
        times = clock.count_of(cut, value)
        if not times:
            return None
        received = by[value]["received"].n / times
        return formatting.number(received, 2 if received < 1 else 1)

    change = of("service_level", "delta")
    return [
        tables.text_column(
            formatting.dimension(cut), lambda value: formatting.name(cut, value), 110
        ),
        tables.kpi_column("received", lambda value: by[value]["received"], 72),
        tables.number_text_column(_(PER[cut]), mean) if cut in PER else None,
        rate("answer_rate"),
        rate("service_level", width=124),
        tables.number_text_column(
            _("Change"), lambda value: formatting.change(change(value), Unit.RATE)
        )
        if state.compare
        else None,
        rate("abandon_rate", width=106),
        tables.value_column(_("Median wait"), of(WAIT, "p50"), Unit.SECONDS),
        tables.value_column(_("p90 wait"), of(WAIT, "p90"), Unit.SECONDS),
        rate("recovered_rate", _("Recovered")),
    ]


def find_worst(frame: pd.DataFrame, better: str) -> Any | None:
    """Return the worst of the rows that are clearly worse than the rest, by the better end
    of its interval; None without any.

    `frame`: rows of `measure` for one rate.
    """
    bad = find_bad(frame, better)
    if bad.empty:
        return None
    return next(
        bad.sort_values("high" if better == "up" else "low", ascending=better == "up").itertuples()
    )


def find_bad(frame: pd.DataFrame, better: str) -> pd.DataFrame:
    """Return rows of `MIN` contacts or more that are clearly worse, tested together."""
    known = frame[(frame["n"] >= MIN) & frame["value"].notna()]
    keys = tuple(str(index) for index in known.index)
    compared = peers.compare_rates(
        keys, tuple(known["numerator"].astype(int)), tuple(known["denominator"].astype(int))
    )
    chosen = set(compared.below if better == "up" else compared.above)
    return known.loc[[str(index) in chosen for index in known.index]]


def _read_week(
    viewer: Viewer, state: FilterState, measure: str, clock: Clock
) -> tuple[str, pd.DataFrame]:
    """Return the week's cells by half-hour, or hour if most have too few contacts."""
    read = {}
    for grain in dict.fromkeys((clock.grain, "hour" if measure != "received" else clock.grain)):
        frame = cached.measure(viewer, (measure,), ("weekday", grain), state.where, state.compare)
        frame = frame[frame[grain].notna()]
        filled = frame[frame["n"] > 0].reset_index(drop=True)
        read[grain] = _with_text(filled, measure, grain, clock)
        if read[grain].loc[read[grain]["enough"], "n"].sum() >= frame["n"].sum() / 2:
            return grain, read[grain]
    return next(iter(read.items()))


def _with_text(frame: pd.DataFrame, measure: str, grain: str, clock: Clock) -> pd.DataFrame:
    """Return the cells with their value, whether they rest on `enough`, and the text of
    the pointer. Contacts are a mean of the times that the half-hour came.
    """
    frame = frame.copy()
    if measure == "received":
        frame["times"] = [
            clock.count(at, weekday)
            for weekday, at in zip(frame["weekday"], frame[grain], strict=True)
        ]
        frame["value"] = [
            n / times if times else None
            for n, times in zip(frame["n"], frame["times"], strict=True)
        ]
        frame["enough"] = frame["value"].notna()
    else:
        frame["enough"] = (frame["n"] >= MIN) & frame["value"].notna()
    frame["text"] = [_describe_cell(row, measure, grain) for row in frame.itertuples()]
    return frame


def _describe_cell(row: Any, measure: str, grain: str) -> str:
    if measure == "received":
        lines = [
            _("{mean} contacts each time", mean=formatting.number(row.value, 1)),
            f"n = {formatting.number(row.n)}",
        ]
    else:
        lines = [
            formatting.value(row.value, Unit.RATE),
            formatting.interval(row.low, row.high, Unit.RATE),
            f"n = {formatting.number(row.n)}",
            "" if row.enough else _("small sample"),
        ]
    return "<br>".join(filter(None, [f"<b>{describe_when(row, grain)}</b>", *lines]))


def describe_when(row: Any, grain: str) -> str:
    """Return an hour of the day, or a cell of the week, in words."""
    hour = formatting.name(grain, getattr(row, grain))
    if not hasattr(row, "weekday"):
        return hour
    return _("{weekday} at {hour}", weekday=formatting.name("weekday", row.weekday), hour=hour)


def describe_worst(worst: Any | None, key: str, grain: str) -> ChartTitle:
    """Return the heading of a chart by hour with that worst row (None: without)."""
    title = formatting.short_title(get_kpi(key))
    if worst is None:
        return ChartTitle(_("{title}: no time is clearly worse", title=title))
    when, value = describe_when(worst, grain), formatting.percent(worst.value)
    text = _("{title} clearly worse: {when}, {value}", title=title, when=when, value=value)
    return ChartTitle(text, "attention")


def _find_busiest(
    frame: pd.DataFrame, clock: Clock
) -> tuple[ChartTitle, str, list[tuple[int, Any]]]:
    """Return heading, caption and marked cells of the map of contacts."""
    known = frame[frame["enough"]]
    if known.empty:
        return ChartTitle(_(FEW)), "", []
    top = known.loc[known["value"].idxmax()]
    text = _(
        "Busiest: {when}, {mean} contacts",
        when=describe_when(top, clock.grain),
        mean=formatting.number(top["value"], 1),
    )
    caption = _("Mean number of contacts. Stronger colour: more")
    return ChartTitle(text), caption, [(top["weekday"], top[clock.grain])]


def _find_worst_cell(
    frame: pd.DataFrame, measure: str, state: FilterState, grain: str
) -> tuple[ChartTitle, str, list[tuple[int, Any]]]:
    """Return heading, caption and marked cells of the map of a rate."""
    kpi, known = get_kpi(measure), frame[frame["enough"]]
    if known.empty:
        few = _("Open circles: fewer than {n} contacts", n=MIN)
        return ChartTitle(_(FEW)), few, []
    ends = [formatting.percent(known["value"].agg(end), 0) for end in ("max", "min")]
    best, poorest = ends if kpi.better == "up" else reversed(ends)
    caption = _(
        "{title} from {best} (pale) to {worst} (strong). Diamonds: clearly worse than the "
        "rest. Open circles: fewer than {n} contacts",
        title=formatting.short_title(kpi),
        best=best,
        worst=poorest,
        n=MIN,
    )
    bad, worst = find_bad(frame, kpi.better), find_worst(frame, kpi.better)
    can_compare = worst is not None and state.compare is not None
    if can_compare and not formatting.is_missing(worst.value_before) and worst.n_before >= MIN:
        before = formatting.percent(worst.value_before)
        there = _("{period}: {value} at the same time", period=state.compare_title, value=before)
        caption = f"{there}. {caption}"
    marked = [] if worst is None else list(zip(bad["weekday"], bad[grain], strict=True))
    return describe_worst(worst, measure, grain), caption, marked


def _describe_left_out(clock: Clock) -> str:
    """Describe contacts that belong to no half-hour; empty without any."""
    if not clock.left_out:
        return ""
    return ngettext(
        "{count} contact has no half-hour in its file and is in no cell.",
        "{count} contacts have no half-hour in their files and are in no cell.",
        clock.left_out,
        count=formatting.number(clock.left_out),
    )
