"""Series, headings and figures: what is drawn from a frame of measured values, and what
is said about it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pandas as pd
import pytest

from qa_core.access.roles import Role, Viewer
from qa_core.analysis import chart_titles, charts
from qa_core.analysis.charts.bars import build_strips
from qa_core.analysis.series import build_series
from qa_core.base import i18n
from qa_core.metrics.kpis import BY_KEY, Unit, periods
from qa_core.metrics.kpis.dimensions import Period
from qa_core.stats import Comparison
from qa_core.stats.control_charts import ControlLimits, Signals

FIRST_MONDAY = date(2026, 6, 1)
WEEKS = [FIRST_MONDAY + timedelta(weeks=week) for week in range(12)]
SUNDAY = WEEKS[-1] + timedelta(days=6)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    i18n.use("en")
    yield
    i18n.use("en")


def weekly(kpi: str, values: list[float | None], n: int = 2000, pending: int = 0) -> pd.DataFrame:
    """The frame of `query.measure(…, by=("week",))` for one KPI; `pending` in the last
    week only.
    """
    return pd.DataFrame(
        {
            "week": WEEKS[: len(values)],
            "kpi": kpi,
            "value": pd.Series(values, dtype=float),
            "low": pd.Series(values, dtype=float) - 0.02,
            "high": pd.Series(values, dtype=float) + 0.02,
            "n": float(n),
            "pending": [float("nan")] * (len(values) - 1) + [float(pending)],
        }
    )


def series_of(kpi: str, values: list[float | None], last_day: date = SUNDAY, **more: int):
    return build_series(
        weekly(kpi, values, **more),
        BY_KEY[kpi],
        "week",
        Period(FIRST_MONDAY, SUNDAY),
        FIRST_MONDAY,
        last_day,
        SUNDAY,
    )


STEADY = [0.76, 0.75, 0.77, 0.76, 0.75, 0.76, 0.77, 0.75, 0.76]


def test_a_week_without_data_is_a_gap_and_not_a_zero() -> None:
    series = build_series(
        weekly("answer_rate", [0.9, 0.8]),
        BY_KEY["answer_rate"],
        "week",
        Period(FIRST_MONDAY, WEEKS[2]),
        FIRST_MONDAY,
        SUNDAY,
        SUNDAY,
    )

    assert list(series.points["at"]) == WEEKS[:3]
    assert pd.isna(series.points["value"][2])


def test_a_week_cut_short_is_provisional_and_a_total_is_not_drawn_as_a_fall() -> None:
    tuesday = WEEKS[-1] + timedelta(days=1)

    rate = series_of("answer_rate", [0.9] * 12, last_day=tuesday)
    total = series_of("received", [100.0] * 11 + [20.0], last_day=tuesday)

    assert list(rate.points["provisional"]) == [False] * 11 + [True]
    assert pd.isna(total.points["value"][11])


def test_a_value_that_waits_for_its_window_is_provisional() -> None:
    assert list(
        series_of("first_contact_resolution", [0.75] * 12, pending=40).points["provisional"]
    ) == [False] * 11 + [True]


def test_two_weeks_that_are_both_cut_short_are_no_week_without_data() -> None:
    thursday, tuesday = WEEKS[0] + timedelta(days=3), WEEKS[1] + timedelta(days=1)

    series = build_series(
        weekly("answer_rate", [0.9, 0.8]),
        BY_KEY["answer_rate"],
        "week",
        Period(FIRST_MONDAY, SUNDAY),
        thursday,
        tuesday,
        SUNDAY,
    )

    assert series.finding.text == "Too little data for control limits"


def test_the_heading_says_for_how_long_a_series_is_below_its_limit() -> None:
    fallen = series_of("first_contact_resolution", [*STEADY, 0.60, 0.61, 0.60])

    assert fallen.finding == chart_titles.ChartTitle("Below the limit for 3 weeks", "attention")
    assert fallen.signal_severities == {9: "attention", 10: "attention", 11: "attention"}
    assert (
        series_of("first_contact_resolution", [*STEADY, 0.75, 0.76, 0.77]).finding.text
        == "Within its usual range"
    )
    assert (
        series_of("first_contact_resolution", STEADY[:5]).finding.text
        == "Too little data for control limits"
    )
    assert (
        series_of("first_contact_resolution", [None] * 12).finding.text == "No data in this period"
    )


def test_low_is_good_where_the_kpi_says_so() -> None:
    assert series_of("abandon_rate", [*STEADY, 0.60, 0.61, 0.60]).finding.severity == "better"


def test_a_change_that_chance_explains_is_not_called_a_change() -> None:
    assert (
        chart_titles.describe_change("Satisfaction", -0.021, (-0.05, 0.01), Unit.RATE, "up").text
        == "Satisfaction: no statistically clear change"
    )
    assert chart_titles.describe_change(
        "Satisfaction", -0.021, (-0.03, -0.01), Unit.RATE, "up"
    ) == chart_titles.ChartTitle("Satisfaction fell by 2.1\u00a0pt", "attention")
    assert (
        chart_titles.describe_change("Satisfaction", float("nan"), None, Unit.RATE, "up").text
        == "Satisfaction: nothing to compare with"
    )


def test_advisors_are_said_to_be_alike_when_they_are() -> None:
    names = {name: name for name in ("Ada", "Bo", "Cy")}

    def describe(comparison: Comparison) -> chart_titles.ChartTitle:
        return chart_titles.describe_comparison(comparison, 3, "Score", "up")

    assert (
        describe(Comparison(0.72, (), (), ("Ada", "Bo", "Cy"))).text
        == "Score: no clear difference between the 3"
    )
    assert describe(Comparison(0.001, (), ("Cy",), ("Ada", "Bo"))) == chart_titles.ChartTitle(
        "Score: 1 of 3 clearly differ from the rest", "attention"
    )
    assert (
        describe(Comparison(0.02, (), (), ("Ada", "Bo", "Cy"))).text
        == "Score: the 3 differ, but no single one stands out"
    )
    assert describe(Comparison(None, (), (), ())).text == "Score: too little data to compare the 3"
    assert (
        chart_titles.describe_outliers(Comparison(0.001, (), ("Cy",), ("Ada", "Bo")), names)
        == "Below the rest: Cy."
    )


def test_a_trend_leaves_gaps_dots_what_is_provisional_and_carries_its_dates() -> None:
    points = pd.DataFrame(
        {
            "at": WEEKS[:4],
            "value": [0.7, None, 0.8, 0.6],
            "low": [0.6, None, 0.7, 0.5],
            "high": [0.8, None, 0.9, 0.7],
            "n": [10, 0, 10, 10],
            "provisional": [False, False, False, True],
        }
    )

    figure = charts.build_trend(points, Unit.RATE, signals={2: "attention"}, bounds=(0, 1))
    line, dotted, marks = figure.data[-3:]

    assert pd.isna(line.y[1]) and pd.isna(line.y[3])
    assert dotted.line.dash == "dot" and dotted.y[3] == 0.6
    assert marks.customdata[0][0] == "2026-06-01"
    assert marks.marker.symbol[2] == "diamond"  # never colour alone
    assert (
        len([trace for trace in figure.data if trace.fill == "toself"]) == 1
    )  # the last two weeks


def test_a_first_week_alone_shows_its_value_and_interval_and_no_empty_months_before() -> None:
    points = pd.DataFrame(
        {
            "at": WEEKS,
            "value": [None] * 11 + [0.8],
            "low": [None] * 11 + [0.7],
            "high": [None] * 11 + [0.9],
            "n": [0] * 11 + [40],
        }
    )

    figure = charts.build_trend(
        points.astype({"value": float, "low": float, "high": float}), Unit.RATE, bounds=(0, 1)
    )
    interval, marks = figure.data[0], figure.data[-1]

    assert list(interval.y) == [0.7, 0.9] and set(interval.x) == {WEEKS[-1]}
    assert marks.marker.size[-1] == 8
    assert figure.layout.xaxis.range[0].date() > WEEKS[-2]


def test_months_of_two_years_say_the_year_below_the_first_and_each_january() -> None:
    months = pd.date_range("2025-10-01", periods=13, freq="MS").date
    points = pd.DataFrame({"at": months, "value": 0.8, "low": 0.7, "high": 0.9, "n": 100})

    layout = charts.build_trend(points, Unit.RATE, grain="month").layout

    assert list(layout.xaxis.ticktext) == [
        "Oct<br>2025",
        "Dec",
        "Feb<br>2026",
        "Apr",
        "Jun",
        "Aug",
        "Oct",
    ]
    assert layout.template.layout.xaxis.tickangle == 0


def test_a_waterfall_ends_where_the_value_is_and_marks_its_cut_axis() -> None:
    figure = charts.build_waterfall(
        0.763,
        0.742,
        [("Billing", -0.016, "Billing"), ("Mix", -0.005, None)],
        Unit.RATE,
        labels=("Before", "Now"),
    )
    (bars,) = figure.data

    assert bars.base[1] + bars.x[1] == pytest.approx(0.747)
    assert bars.base[-1] + bars.x[-1] == pytest.approx(0.742)
    assert bars.base[0] > 0 and any(note.text == "≈" for note in figure.layout.annotations)
    assert [row[0] for row in bars.customdata] == [None, "Billing", None, None]


def test_dots_carry_their_key_and_their_chance_bar() -> None:
    frame = pd.DataFrame(
        {
            "key": ["a"],
            "label": ["<a href='x'>Ada</a>"],
            "value": [0.7],
            "low": [0.6],
            "high": [0.8],
            "n": [50],
            "chance_low": [0.65],
            "chance_high": [0.85],
            "severity": ["attention"],
        }
    )

    figure = charts.build_dots(frame, Unit.RATE, centre=0.75)

    assert figure.data[-1].customdata[0][0] == "a"
    assert "<a" not in figure.layout.yaxis.ticktext[0]
    assert figure.data[0].base[0] == 0.65 and figure.data[0].x[0] == pytest.approx(0.2)


def test_figures_are_transparent_and_change_their_colours_with_the_theme() -> None:
    points = pd.DataFrame(
        {
            "at": WEEKS[:2],
            "value": [1.0, 2.0],
            "low": [None, None],
            "high": [None, None],
            "n": [1, 1],
        }
    ).astype({"low": float, "high": float})

    light, dark = (charts.build_trend(points, Unit.SECONDS, dark=dark) for dark in (False, True))

    layouts = [figure.layout.template.layout for figure in (light, dark)]
    assert {layout.paper_bgcolor for layout in layouts} == {"rgba(0,0,0,0)"}
    assert layouts[0].font.color != layouts[1].font.color
    assert light.data[0].line.color != dark.data[0].line.color


def test_executives_choose_whole_months_that_have_ended() -> None:
    executive = Viewer("e", Role.EXECUTIVE)

    assert list(periods.choices(executive)) == ["1m", "3m", "6m", "12m"]
    assert periods.build_period("3m", date(2026, 11, 23), date(2025, 1, 1)) == Period(
        date(2026, 8, 1), date(2026, 10, 31)
    )
    assert periods.build_period("1m", date(2026, 11, 30), date(2025, 1, 1)) == Period(
        date(2026, 11, 1), date(2026, 11, 30)
    )
    assert periods.build_trend(Period(date(2026, 8, 1), date(2026, 10, 31)), whole_months=True) == (
        "month",
        Period(date(2025, 10, 1), date(2026, 10, 31)),
    )


def test_periods_end_where_the_data_ends() -> None:
    last, first = date(2026, 11, 23), date(2025, 6, 2)

    assert periods.build_period("28d", last, first) == Period(date(2026, 10, 27), last)
    assert periods.build_period("last_month", last, first) == Period(
        date(2026, 10, 1), date(2026, 10, 31)
    )
    assert periods.build_period("all", last, first) == Period(first, last)
    assert periods.build_period(
        "days", last, first, (date(2026, 5, 2), date(2026, 5, 1))
    ) == Period(date(2026, 5, 1), date(2026, 5, 2))
    assert periods.build_comparison("previous", Period(date(2026, 10, 27), last)) == Period(
        date(2026, 9, 29), date(2026, 10, 26)
    )
    assert periods.build_comparison("none", Period(first, last)) is None


def test_a_limit_without_width_is_drawn_as_nothing() -> None:
    assert (
        chart_titles.describe_trend(
            ControlLimits(0.5, (None,), (None,), (None,)), Signals((), 0, 0, 1), "week", "up", 1
        ).text
        == "Within its usual range"
    )


def test_what_is_usual_is_counted_anew_from_the_week_in_which_a_rule_changed() -> None:
    steady, higher = [0.75, 0.76, 0.74, 0.75, 0.76, 0.74, 0.75, 0.76], [0.85, 0.86, 0.85, 0.86]
    frame, kpi = weekly("service_level", steady + higher), BY_KEY["service_level"]
    span = (Period(FIRST_MONDAY, SUNDAY), FIRST_MONDAY, SUNDAY, SUNDAY)
    through = build_series(frame, kpi, "week", *span)
    anew = build_series(frame, kpi, "week", *span, restarts=[WEEKS[8]])
    across = build_series(frame, kpi, "week", *span, restarts=[WEEKS[7] + timedelta(days=3)])
    assert through.finding.text == "Above the limit for 4 weeks"
    assert anew.finding.text == "Too little data for control limits since the rules changed"
    assert (
        anew.limits.centre[:8] == pytest.approx([0.75125] * 8)
        and anew.limits.centre[8:] == (None,) * 4
    )
    assert across.limits is None, (
        "the week across the change is of neither rule, and seven are too few"
    )
    line = charts.build_trend(anew.points, kpi.unit, limits=anew.limits).data[1]
    assert line.y[8] is None and len(line.y) == 13, "the line of what is usual is interrupted there"


def test_targets_and_what_went_on_are_drawn_on_their_days_and_said_as_text() -> None:
    series = series_of("answer_rate", STEADY)
    targets = [
        charts.TargetLine(0.8, last_day=WEEKS[3]),
        charts.TargetLine(0.9, first_day=WEEKS[4]),
    ]
    days = (
        (WEEKS[2], WEEKS[4], "<b>Works</b>"),
        (WEEKS[2], WEEKS[2], "Strike"),
        (date(2026, 1, 1), date(2026, 1, 2), "Long ago"),
    )
    marks = [charts.Marker(*one) for one in days]
    figure = charts.build_trend(series.points, Unit.RATE, targets=targets, marks=marks)
    lines = [
        (trace.x[0], trace.x[1], trace.y[0])
        for trace in figure.data
        if trace.text and str(trace.text).startswith("target")
    ]
    assert lines == [(WEEKS[0], WEEKS[3], 0.8), (WEEKS[4], WEEKS[-1], 0.9)]
    signs = figure.data[-1]
    assert list(signs.x) == [WEEKS[2]] and list(signs.text) == ["<b>Works</b><br>Strike"]
    low, high = figure.layout.yaxis.range
    assert low < 0.75 and high > 0.9


def test_every_point_of_a_chart_is_said_in_words_as_its_hover_label() -> None:
    trend = charts.build_trend(series_of("answer_rate", [0.9, 0.8, 0.85]).points, Unit.RATE)
    said = charts.list_points(trend)
    assert len(said) == 12 and "80.0\u202f%" in said[1][1]

    strips = build_strips([WEEKS[0], WEEKS[1]], {"shop": [(0, "quiet<br>3 rows"), None]})
    assert charts.list_points(strips) == [("quiet", "3 rows")]

    bars = charts.build_waterfall(
        0.8, 0.9, [("Hold <b>", 0.1, None)], Unit.RATE, labels=("May", "June")
    )
    assert charts.list_points(bars)[0] == ("May", "80.0\u202f%")
    assert charts.list_points(bars)[1][0] == "Hold <b>"


def test_the_interval_of_a_difference_has_its_unit_once() -> None:
    assert charts.format_between(-0.031, 0.004, Unit.RATE) == "−3.1 to +0.4\u00a0pt"
    assert charts.format_between(-18.5, 26.6, Unit.NPS) == "−18.5 to +26.6\u00a0pt"
    assert charts.format_between(0.2, 19.2, Unit.SCORE) == "+0.2 to +19.2\u00a0pt"
    assert charts.format_between(-14, 54, Unit.SECONDS) == "−14\u00a0s to +54\u00a0s"
