"""Traffic: contacts, service level and abandonment by weekday, half-hour and channel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import streamlit as st

from qa_core.access.roles import Role, Viewer
from qa_core.analysis import exports, peers
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.analysis.charts import traffic as charts
from qa_core.base import environment
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics import dimensions, formatting, half_hours
from qa_core.metrics.dimensions import Period
from qa_core.metrics.half_hours import ClockChange
from qa_core.metrics.kpis import ALL, Unit, get_kpi
from qa_core.ui import cached, cards, download_links, drill, segmented_choice, tables, trend_cards
from qa_core.ui.filter_bar import FilterState
from qa_core.ui.views.tracking import source_steps

TILES = ("received", "service_level", "abandon_rate", "average_speed_of_answer")
MEASURES: Mapping[str, str] = {
    "answer_rate": N_("Answer rate"),
    "service_level": N_("Service level"),
    "abandon_rate": N_("Abandon rate"),
    "received": N_("Contacts received"),
}
"""What the map of the week can show; the first goes without saying."""
HEADINGS: Mapping[str, str] = {
    "answer_rate": N_("Most unanswered: {when}, {value} answered"),
    "service_level": N_("Service level lowest: {when}, {value}"),
    "abandon_rate": N_("Most give up: {when}, {value}"),
}
NEED_MISSED = {kpi.key for kpi in ALL if kpi.needs_missed}
PER: Mapping[str, str] = {
    "half_hour": N_("Per half-hour"),
    "hour": N_("Per hour"),
    "weekday": N_("Per day"),
}
ENOUGH = 30
"""Fewer contacts say nothing about a half-hour."""


@dataclass(frozen=True)
class Clock:
    """How finely the day can be cut: `grain` is `half_hour`, or `hour` where only
    totals by the hour are known, or empty where neither is known or may be seen.
    `left_out`: contacts of longer totals. `times`: how often each (weekday, half-hour)
    came on days with contacts; `changes`: of the clocks.
    """

    grain: str = ""
    left_out: int = 0
    days: int = 0
    times: Mapping[tuple[int, str], int] = field(default_factory=dict)
    changes: tuple[ClockChange, ...] = ()
    knows_missed: bool = True

    def keep(self, keys: Iterable[str]) -> tuple[str, ...]:
        """Of those KPIs, the ones that say something in what the viewer may see."""
        return tuple(key for key in keys if self.knows_missed or not get_kpi(key).needs_missed)

    def count(self, at: Any, weekday: int | None = None) -> float:
        """How often that half-hour or hour came, on one weekday or on all."""
        found = sum(
            count
            for (day, half), count in self.times.items()
            if weekday in (None, day)
            and (half == at if self.grain == "half_hour" else int(half[:2]) == at)
        )
        return found if self.grain == "half_hour" else found / 2

    def count_days(self, weekday: int) -> float:
        """How many days of that weekday came, by their noons."""
        return self.times.get((weekday, "12:00"), 0)


def read_clock(viewer: Viewer, look: FilterState) -> Clock:
    """How the day can be cut for this viewer, and how often each part of it came."""
    if not viewer.can_cut_by("half_hour"):
        return Clock()
    counts = {
        grain: cached.measure(viewer, ("received",), (grain,), look.where)["n"].sum()
        for grain in ("half_hour", "hour")
    }
    grain = next((grain for grain, count in counts.items() if count), "")
    total = cached.headline(viewer, ("received",), look.where)["received"].n
    by_day = cached.measure(viewer, ("received",), ("day",), dimensions.Filters(look.where.period))
    days = [day for day, n in zip(by_day["day"], by_day["n"], strict=True) if n]
    zone, period = environment.current().zone, look.where.period
    times = half_hours.count_half_hours(days, zone, cached.data_through(viewer))
    within = (
        Period(max(period.first_day, look.first_day), min(period.last_day, look.last_day))
        if days
        else None
    )
    changes = tuple(half_hours.find_clock_changes(within, zone)) if within else ()
    return Clock(
        grain,
        int(total - counts.get(grain, 0)),
        len(days),
        times,
        changes,
        source_steps.knows_missed(viewer, look),
    )


def describe_only_answered() -> None:
    """That rates of the missed are left out, and why."""
    st.caption(
        _(
            "Only answered contacts are counted here: those that nobody answered belong to "
            "nobody whose contacts you see."
        )
    )


def show_top(viewer: Viewer, look: FilterState, clock: Clock) -> None:
    """The tiles."""
    keys = clock.keep(TILES)
    rows = cached.headline(viewer, keys, look.where, look.compare)
    series = trend_cards.read_series(viewer, look, keys)
    cards.show_tiles([cards.build_tile(rows[key], look, series[key]) for key in keys])
    if not clock.knows_missed:
        describe_only_answered()


def show_when(viewer: Viewer, look: FilterState, clock: Clock) -> None:
    """The map of the week, in the measure chosen, under what stands out in it; a click
    on a cell opens its contacts.
    """
    if not clock.grain:
        _describe_why_not(viewer)
        return
    with st.container(border=True, gap="xxsmall"):
        place = st.container(gap="xxsmall")
        measures = clock.keep(MEASURES)
        # One advisor's contacts are too few for rates by half-hour: how many there were
        # comes first.
        offered = reversed(measures) if viewer.role == Role.ADVISOR else measures
        measure = segmented_choice.ask(
            "measure", _("Measure"), {key: _(MEASURES[key]) for key in offered}
        )
        grain, frame = _read_week(viewer, look, measure, clock)
        finding, caption, marked = (
            _find_busiest(frame, clock)
            if measure == "received"
            else _find_worst_cell(frame, measure, look, grain)
        )
        with place:
            cards.show_heading(finding, caption)
        kpi, key = get_kpi(measure), f"when_{measure}"
        figure = charts.build_when(
            frame,
            grain,
            is_rate=kpi.is_rate,
            better=kpi.better,
            marked=marked,
            dark=cards.is_dark(),
        )
        on_select = (
            drill.on_cell(key, ("weekday", grain), measure) if drill.is_open_to(viewer) else None
        )
        cards.show_figure(figure, key, f"{finding.text}. {caption}", on_select)
        for line in _describe_clock(viewer, look, clock):
            st.caption(line)
        download_links.show_download(
            _("Export"),
            "figures",
            key="when",
            **exports.parameters(measures, ("weekday", grain), look.where),
        )


def show_hours(viewer: Viewer, look: FilterState, clock: Clock) -> None:
    """Service level and abandonment by hour of the day, where enough contacts came."""
    if not clock.grain:
        return
    frame = cached.measure(
        viewer, clock.keep(("service_level", "abandon_rate")), ("hour",), look.where, look.compare
    )
    frame = frame[(frame["n"] >= ENOUGH) & frame["value"].notna()]
    if frame.empty:
        with st.container(border=True):
            cards.show_heading(
                ChartTitle(_("Too few contacts in any hour to say when the service level is low"))
            )
        return
    at = charts.times_between(frame["hour"].tolist(), "hour")
    level, abandoned = (
        frame[frame["kpi"] == key].set_index("hour").reindex(at)
        for key in ("service_level", "abandon_rate")
    )
    lines = [charts.ChartLine(_("Service level"), level)]
    caption = _("Service level by hour of the day; bands: 95 % interval")
    if clock.knows_missed:
        lines.append(charts.ChartLine(_("Abandon rate"), abandoned, "attention", "dash"))
        caption = _("Service level and abandon rate by hour of the day; bands: 95 % interval")
    before = (
        level["value_before"].where(level["n_before"] >= ENOUGH)
        if look.compare
        else pd.Series(dtype=float)
    )
    if before.notna().any():
        lines.append(charts.ChartLine(_("before"), before.to_frame("value"), "reference", "dot"))
        caption += ", " + _("dotted: service level in {period}", period=look.compare_title)
    figure = charts.build_lines(
        at, lines, Unit.RATE, "hour", dark=cards.is_dark(), bounds=(0.0, 1.0), height=280
    )
    on_select = (
        drill.on_point("hours", "hour", "service_level") if drill.is_open_to(viewer) else None
    )
    cards.show_chart(
        figure, _describe_hours(level), caption, "hours", on_select=on_select, kpi="service_level"
    )


def _describe_hours(level: pd.DataFrame) -> ChartTitle:
    if level["value"].isna().all():
        return ChartTitle(_("No waits are known: no service level by hour"))
    worst = find_worst(level.reset_index(), "up")
    if worst is None:
        return ChartTitle(_("Service level: no hour stands out by more than chance"))
    said = {
        "hour": formatting.name("hour", worst.hour),
        "value": formatting.percent(worst.value),
        "between": formatting.interval(worst.low, worst.high, Unit.RATE),
    }
    return ChartTitle(_("Service level lowest at {hour}: {value} ({between})", **said), "attention")


def show_table(viewer: Viewer, look: FilterState, clock: Clock) -> None:
    """All figures by half-hour, weekday or channel, to compare and to click."""
    cuts = [clock.grain, "weekday", "channel"] if clock.grain else ["channel"]
    with st.container(border=True, gap="xxsmall"):
        clickable = drill.is_open_to(viewer)
        cards.show_heading(
            ChartTitle(_("Side by side")),
            _("Click a line to see its contacts.") if clickable else "",
        )
        titles = {key: _(dimensions.get_dimension(key).title) for key in cuts}
        cut = segmented_choice.ask("by", _("Cut by"), titles) if len(cuts) > 1 else cuts[0]
        keys = clock.keep(
            (
                "received",
                "answer_rate",
                "service_level",
                "abandon_rate",
                "average_speed_of_answer",
                "recovered_rate",
            )
        )
        by = tables.wide(cached.measure(viewer, keys, (cut,), look.where, look.compare), cut)
        values = [value for value in by if by[value]["received"].n]
        values = (
            sorted(values, key=lambda value: -by[value]["received"].n)
            if cut == "channel"
            else values
        )
        rows = [
            {
                titles[cut]: formatting.name(cut, value),
                **_build_line(by[value], value, cut, look, clock),
            }
            for value in values
        ]
        tables.show(
            rows,
            _columns(titles[cut]),
            f"table_{cut}",
            drill.on_row(f"table_{cut}", cut, values) if clickable else None,
            height=400,
        )
        tables.note_definitions(keys, look)
        download_links.show_download(
            _("Export"), "figures", key="cut", **exports.parameters(keys, (cut,), look.where)
        )


def find_worst(frame: pd.DataFrame, better: str) -> Any | None:
    """The row that is worst by the kinder end of its interval, among those that differ
    from all others by more than chance; None where none does.

    `frame`: rows of `measure` for one rate. Rows of fewer than `ENOUGH` contacts are
    not compared.
    """
    bad = find_bad(frame, better)
    if bad.empty:
        return None
    return next(
        bad.sort_values("high" if better == "up" else "low", ascending=better == "up").itertuples()
    )


def find_bad(frame: pd.DataFrame, better: str) -> pd.DataFrame:
    """The rows that are worse than all others together by more than chance, all tried
    at once.
    """
    known = frame[(frame["n"] >= ENOUGH) & frame["value"].notna()]
    keys = tuple(str(index) for index in known.index)
    compared = peers.compare_rates(
        keys, tuple(known["numerator"].astype(int)), tuple(known["denominator"].astype(int))
    )
    chosen = set(compared.below if better == "up" else compared.above)
    return known[[str(index) in chosen for index in known.index]]


def _describe_why_not(viewer: Viewer) -> None:
    with st.container(border=True):
        if viewer.needs_suppression:
            cards.show_heading(
                ChartTitle(_("Months and channels only")),
                _(
                    "Weekdays and half-hours are shown to managers and team leads: so fine a "
                    "cut could single out a few people."
                ),
            )
        else:
            cards.show_heading(
                ChartTitle(_("Nothing is known by half-hour or hour")),
                _(
                    "The data has only totals of longer intervals, which belong to no hour of "
                    "the day."
                ),
            )


def _read_week(
    viewer: Viewer, look: FilterState, measure: str, clock: Clock
) -> tuple[str, pd.DataFrame]:
    """The cells of the week by half-hour; of a rate by hour, where too few contacts
    come in most half-hours.
    """
    read = {}
    for grain in dict.fromkeys((clock.grain, "hour" if measure != "received" else clock.grain)):
        frame = cached.measure(viewer, (measure,), ("weekday", grain), look.where, look.compare)
        read[grain] = _with_text(
            frame[frame["n"] > 0].reset_index(drop=True), measure, grain, clock
        )
        if read[grain].loc[read[grain]["enough"], "n"].sum() >= frame["n"].sum() / 2:
            return grain, read[grain]
    return next(iter(read.items()))


def _with_text(frame: pd.DataFrame, measure: str, grain: str, clock: Clock) -> pd.DataFrame:
    """The cells with their value to draw, whether they rest on enough, and what
    hovering says. Contacts are a mean: so many each time the half-hour came.
    """
    frame = frame.copy()
    texts = []
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
        frame["enough"] = (frame["n"] >= ENOUGH) & frame["value"].notna()
    for row in frame.itertuples():
        lines = [f"<b>{describe_when(row, grain)}</b>"]
        if measure == "received":
            lines += [
                _("{mean} contacts each time", mean=formatting.number(row.value, 1)),
                _(
                    "{n} contacts in {times} times",
                    n=formatting.number(row.n),
                    times=formatting.number(row.times, 0 if float(row.times).is_integer() else 1),
                ),
            ]
        else:
            lines += [
                formatting.value(row.value, Unit.RATE),
                formatting.interval(row.low, row.high, Unit.RATE),
                f"n = {formatting.number(row.n)}",
            ]
            lines += [] if row.enough else [_("small sample")]
        texts.append("<br>".join(filter(None, lines)))
    frame["text"] = texts
    return frame


def describe_when(row: Any, grain: str) -> str:
    """A cell of the week in words."""
    return _(
        "{weekday} at {hour}",
        weekday=formatting.name("weekday", row.weekday),
        hour=formatting.name(grain, getattr(row, grain)),
    )


def _find_busiest(
    frame: pd.DataFrame, clock: Clock
) -> tuple[ChartTitle, str, list[tuple[int, Any]]]:
    known = frame[frame["enough"]]
    if known.empty:
        return ChartTitle(_("Too few contacts to say when")), "", []
    top = known.loc[known["value"].idxmax()]
    mean = formatting.number(top["value"], 1)
    text = (
        _(
            "Busiest: {when}, {mean} contacts in the half-hour",
            when=describe_when(top, clock.grain),
            mean=mean,
        )
        if clock.grain == "half_hour"
        else _(
            "Busiest: {when}, {mean} contacts in the hour",
            when=describe_when(top, clock.grain),
            mean=mean,
        )
    )
    caption = ngettext(
        "Mean number of contacts over {n} day with contacts; the deeper the colour, the more",
        "Mean number of contacts over {n} days with contacts; the deeper the colour, the more",
        clock.days,
    )
    return ChartTitle(text), caption, [(top["weekday"], top[clock.grain])]


def _find_worst_cell(
    frame: pd.DataFrame, measure: str, look: FilterState, grain: str
) -> tuple[ChartTitle, str, list[tuple[int, Any]]]:
    kpi, known = get_kpi(measure), frame[frame["enough"]]
    if known.empty:
        return (
            ChartTitle(_("Too few contacts to say when")),
            _("Rings: fewer than {n} contacts", n=ENOUGH),
            [],
        )
    best, poorest = (
        formatting.percent(value, 0)
        for value in (
            (known["value"].max(), known["value"].min())
            if kpi.better == "up"
            else (known["value"].min(), known["value"].max())
        )
    )
    caption = _(
        "{title} from {best} (lightest) to {worst} (deepest); diamonds: worse than the rest by "
        "more than chance; rings: fewer than {n} contacts",
        title=cards.title_of(kpi),
        best=best,
        worst=poorest,
        n=ENOUGH,
    )
    bad = find_bad(frame, kpi.better)
    worst = find_worst(frame, kpi.better)
    if worst is None:
        return (
            ChartTitle(
                _(
                    "{title}: no time of the week stands out by more than chance",
                    title=cards.title_of(kpi),
                )
            ),
            caption,
            [],
        )
    if look.compare and not formatting.is_missing(worst.value_before) and worst.n_before >= ENOUGH:
        caption = (
            _(
                "{period}: {value} there",
                period=look.compare_title,
                value=formatting.percent(worst.value_before),
            )
            + ". "
            + caption
        )
    text = _(
        HEADINGS[measure], when=describe_when(worst, grain), value=formatting.percent(worst.value)
    )
    return (
        ChartTitle(text, "attention"),
        caption,
        list(zip(bad["weekday"], bad[grain], strict=True)),
    )


def _describe_clock(viewer: Viewer, look: FilterState, clock: Clock) -> list[str]:
    """What a reader must know of the clock: days of 23 or 25 hours, and what no
    half-hour holds.
    """
    lines = []
    for change in clock.changes:
        said = {
            "day": formatting.full_day(change.day),
            "hours": formatting.number(change.hours, 0 if change.hours.is_integer() else 1),
            "start": f"{change.start:%H:%M}",
            "end": f"{change.end:%H:%M}",
        }
        if not change.is_back:
            lines.append(
                _(
                    "{day} had {hours} hours: {start} to {end} did not exist; nothing is "
                    "missing there.",
                    **said,
                )
            )
            continue
        that_hour = look.where.with_period(Period(change.day, change.day)).with_value(
            "hour", str(change.start.hour)
        )
        n = cached.measure(viewer, ("received",), ("hour",), that_hour)["n"].sum()
        lines.append(
            _(
                "{day} had {hours} hours: {start} to {end} came twice. The {n} contacts there "
                "are those of both, and means count the time twice.",
                n=formatting.number(n),
                **said,
            )
            if n
            else _(
                "{day} had {hours} hours: {start} to {end} came twice; no contact came then, "
                "and means count the time twice.",
                **said,
            )
        )
    if clock.left_out:
        lines.append(
            ngettext(
                "{count} contact comes from totals of longer intervals and stands in no cell.",
                "{count} contacts come from totals of longer intervals and stand in no cell.",
                clock.left_out,
                count=formatting.number(clock.left_out),
            )
        )
    return [line[0].upper() + line[1:] for line in lines]


def _build_line(
    row: Mapping[str, Any], value: Any, cut: str, look: FilterState, clock: Clock
) -> dict[str, Any]:
    received, wait = row["received"], row["average_speed_of_answer"]
    times = {"weekday": lambda: clock.count_days(value), "channel": lambda: None}.get(
        cut, lambda: clock.count(value)
    )()
    share = {
        key: tables.as_share(row[key].value) if key in row else None
        for key in (*NEED_MISSED, "service_level")
    }
    line = {
        "received": (
            cards.column_of("received"),
            None if formatting.is_missing(received.value) else int(received.value),
        ),
        "mean": (_(PER.get(cut, "")), formatting.number(received.n / times, 1) if times else None),
        "answer_rate": (cards.column_of("answer_rate"), share["answer_rate"]),
        "service_level": (cards.column_of("service_level"), share["service_level"]),
        "change": (
            _("Change"),
            formatting.change(row["service_level"].delta, Unit.RATE) if look.compare else None,
        ),
        "abandon_rate": (cards.column_of("abandon_rate"), share["abandon_rate"]),
        "p50": (
            _("Median wait"),
            None if formatting.is_missing(wait.p50) else formatting.duration(wait.p50),
        ),
        "p90": (
            _("90 % wait at most"),
            None if formatting.is_missing(wait.p90) else formatting.duration(wait.p90),
        ),
        "recovered_rate": (_("Recovered"), share["recovered_rate"]),
    }
    left_out = {
        key for key, absent in (("mean", cut not in PER), ("change", not look.compare)) if absent
    } | (NEED_MISSED - row.keys())
    return {title: value for key, (title, value) in line.items() if key not in left_out}


def _columns(head: str) -> dict[str, Any]:
    shares = [
        *(cards.column_of(key) for key in ("answer_rate", "service_level", "abandon_rate")),
        _("Recovered"),
    ]
    received = cards.column_of("received")
    return {
        head: st.column_config.TextColumn(head, width=110),
        received: tables.count_column(received, 80),
        **{name: tables.share_column(name, 116) for name in shares},
    }
