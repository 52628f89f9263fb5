"""One advisor beside their colleagues: scores, a measure over time, evaluations."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
import streamlit as st

from qa_core import stats
from qa_core.access.roles import Viewer
from qa_core.analysis import charts, peers
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import _, ngettext
from qa_core.metrics import query
from qa_core.metrics.kpis import Kpi, formatting, get_kpi, periods
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.metrics.query import AdvisorProfile
from qa_core.metrics.rows import scorecard_texts
from qa_core.metrics.rows.scorecard_texts import ScorecardTexts
from qa_core.stats import StandardisedValue
from qa_core.ui.frame import cached, layout, open_once, styles, url_state
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.views.quality.advisors import MEASURES
from qa_core.ui.widgets import (
    cards,
    drill,
    evaluation_tables,
    segmented_choice,
    tables,
    trend_cards,
)

FEW_A_WEEK = 10
"""Values in a usual week from which on the trend goes by week."""


@dataclass(frozen=True)
class CaseMixSide:
    """Filters of one advisor and of colleagues in the same teams (None: no colleague)."""

    advisor: AdvisorProfile
    own: Filters
    others: Filters | None
    colleagues: int

    @property
    def wheres(self) -> list[Filters]:
        return [where for where in (self.own, self.others) if where is not None]


def read(viewer: Viewer, advisor_id: str, period: Period) -> AdvisorProfile:
    acts = (query.read_advisor, query.get_advisor)
    return open_once.read("advisor_read", advisor_id, *acts, viewer, advisor_id, period)


def read_side(viewer: Viewer, state: FilterState, advisor: AdvisorProfile) -> CaseMixSide:
    """Return the filters of the advisor's contacts and of colleagues' contacts."""
    where = state.where.with_value("team", *advisor.teams)
    colleagues = [
        colleague.advisor_id
        for colleague in cached.find_advisors(viewer, state.where.period, advisor.teams)
        if colleague.advisor_id != advisor.advisor_id
    ]
    others = where.with_value("advisor", *colleagues) if colleagues else None
    own = where.with_value("advisor", advisor.advisor_id)
    return CaseMixSide(advisor, own, others, len(colleagues))


def show_case_mix(viewer: Viewer, side: CaseMixSide) -> None:
    """Show each measure beside its expected value with the same contacts."""
    rows = cached.headline(viewer, MEASURES, side.own)
    lately = trend_cards.describe_lately(viewer, side.own, MEASURES)
    standards = _standardise(viewer, side)
    sides = peers.find_sides(standards)

    def describe_expected(key: str) -> str:
        standard = standards.get(key)
        return formatting.value(standard.expected, get_kpi(key).unit) if standard else "–"

    columns = (
        tables.name_column(_("Measure"), lambda key: formatting.short_title(get_kpi(key)), 172),
        tables.text_column(
            _("Reading"), lambda key: _read(standards.get(key), sides.get(key, 0), get_kpi(key))
        ),
        tables.number_text_column(
            _("Difference"), lambda key: _describe_difference(standards.get(key), get_kpi(key)), 185
        ),
        tables.number_text_column(
            _("Observed"), lambda key: tables.with_interval(rows[key]) or _(formatting.NO_DATA)
        ),
        tables.number_text_column(_("Expected"), describe_expected),
        tables.count_column("n", lambda key: rows[key].n),
        tables.text_column(periods.name_last(periods.LATE_DAYS), lambda key: lately.get(key, "–"))
        if lately
        else None,
    )
    with cards.card(_describe_case_mix(standards, sides), _explain(side, standards, sides)):
        tables.show(MEASURES, columns, "case_mix")


def show_course(viewer: Viewer, state: FilterState, side: CaseMixSide) -> None:
    """Show one measure over time, and the criteria of the scorecard."""
    left, right = st.columns([5, 4], gap="small")
    with left:
        _show_trend(viewer, state, side)
    with right:
        _show_criteria(viewer, state, side)


def show_evaluations(viewer: Viewer, state: FilterState, side: CaseMixSide) -> None:
    """Show the latest evaluations, each leading to itself, and the way to all contacts."""
    texts = scorecard_texts.find_scorecard_texts(viewer)
    criterion, period = st.query_params.get("criterion"), state.trend.period
    frame = query.find_evaluations_of(
        viewer, side.advisor.advisor_id, side.own.with_period(period), criterion
    )
    title = _("Recent evaluations")
    if criterion is not None:
        title = _("Evaluations with: {criterion}", criterion=texts.name("criterion", criterion))
    with cards.card(title, formatting.period(period)):
        if criterion is not None:
            url_state.show_removable("criterion", _("All criteria"))
        names = ("date", "score", "outcome", "scorecard", "points", "evaluator")
        evaluation_tables.show(
            frame.to_dict("records"), names, texts, "advisor", "evaluations_of", height=420
        )
        if drill.is_open_to(viewer):
            values = {"advisor": side.advisor.name}
            layout.show_button("call", _("Contacts"), "all_contacts", drill.to_contacts, values)


def _standardise(viewer: Viewer, side: CaseMixSide) -> dict[str, StandardisedValue | None]:
    if side.others is None:
        return dict.fromkeys(MEASURES)
    own, others = (cached.measure(viewer, MEASURES, peers.KIND, where) for where in side.wheres)
    return {key: peers.standardise(get_kpi(key), own, others) for key in MEASURES}


def _describe_case_mix(
    standards: Mapping[str, StandardisedValue | None], sides: Mapping[str, int]
) -> ChartTitle:
    known = [key for key, standard in standards.items() if standard is not None]
    if not known:
        return ChartTitle(_("No colleagues to compare with in this period"))
    outliers = [key for key in known if sides[key]]
    if not outliers:
        return ChartTitle(_("No statistically clear difference from colleagues"))
    good = [key for key in outliers if get_kpi(key).better == ("up" if sides[key] > 0 else "down")]
    bad = [key for key in outliers if key not in good]
    parts = []
    if bad:
        parts.append(_("to look at: {measures}", measures=_list_measures(bad)))
    if good:
        parts.append(_("better: {measures}", measures=_list_measures(good)))
    return ChartTitle(
        _("With the same contacts, {parts}", parts="; ".join(parts)),
        "attention" if bad else "better",
    )


def _list_measures(keys: list[str]) -> str:
    return formatting.listing(formatting.short_title(get_kpi(key)) for key in keys)


def _explain(
    side: CaseMixSide, standards: Mapping[str, StandardisedValue | None], sides: Mapping[str, int]
) -> str:
    rule = _(
        "Expected: colleagues' averages applied to the same contacts (channel, queue, reason)."
    )
    is_beside = any(
        standard and (standard.low > 0 or standard.high < 0) and not sides[key]
        for key, standard in standards.items()
    )
    if is_beside:
        rule += " " + _(
            "The reading allows for all measures at once: a single interval may exclude 0 by "
            "chance."
        )
    if not side.colleagues:
        return rule
    counted = ngettext("{n} colleague", "{n} colleagues", side.colleagues)
    return f"{rule} " + _("Compared with {colleagues}.", colleagues=counted)


def _describe_difference(standard: StandardisedValue | None, kpi: Kpi) -> str:
    if standard is None:
        return "–"
    between = charts.format_between(standard.low, standard.high, kpi.unit)
    return f"{formatting.change(standard.difference, kpi.unit)}  ({between})"


def _read(standard: StandardisedValue | None, side: int, kpi: Kpi) -> str:
    """Return the reading of a difference. `side`: 1 above, −1 below, 0 no clear difference."""
    if standard is None:
        return _("too few values")
    if not side:
        return _("no clear difference")
    if kpi.better == "neither":
        return _("differs")
    return _("better than expected") if (side > 0) == (kpi.better == "up") else _("to look at")


def _show_trend(viewer: Viewer, state: FilterState, side: CaseMixSide) -> None:
    with cards.card(is_stretched=True):
        titles = {key: formatting.short_title(get_kpi(key)) for key in MEASURES}
        key = segmented_choice.ask("measure", _("Measure"), titles, key="advisor_measure")
        kpi = get_kpi(key)
        # A median of nothing compares as few, too.
        usual = _read_points(viewer, state, kpi, state.grain, side.own)["n"].median()
        grain = state.grain if usual >= FEW_A_WEEK else "month"
        own, *others = (_read_points(viewer, state, kpi, grain, where) for where in side.wheres)
        if own["value"].isna().all():
            cards.show_heading(_("No data in this period"))
            return
        title = trend_cards.describe_grain(kpi, grain)
        text = _("Line: advisor. Band: 95 % confidence interval. Grey, dotted: colleagues.")
        cards.show_heading(title, text)
        figure = charts.build_trend(
            own,
            kpi.unit,
            grain=grain,
            dark=styles.is_dark(),
            before=others[0]["value"].tolist() if others else None,
            bounds=kpi.bounds,
            height=360,
        )
        cards.show_figure(figure, f"course_{key}", title)


def _read_points(
    viewer: Viewer, state: FilterState, kpi: Kpi, grain: str, where: Filters
) -> pd.DataFrame:
    frame = cached.measure(viewer, (kpi.key,), (grain,), where.with_period(state.trend.period))
    return trend_cards.build(state, frame, kpi, grain).points


def _show_criteria(viewer: Viewer, state: FilterState, side: CaseMixSide) -> None:
    period = state.trend.period
    own, *others = (
        cached.measure(viewer, ("evaluation_score",), ("criterion",), where.with_period(period))
        for where in side.wheres
    )
    own = own[own["criterion"].notna() & own["value"].notna()]
    if own.empty:
        cards.card(_("No evaluation in this period"))
        return
    texts = scorecard_texts.find_scorecard_texts(viewer)
    order = {key: position for position, key in enumerate(texts.by_dimension.get("criterion", {}))}
    own = own.sort_values(
        "criterion", key=lambda column: [order.get(key, len(order)) for key in column]
    )
    low, high = zip(*_find_chance(own, others), strict=True)
    frame = own.assign(
        key=own["criterion"],
        label=[texts.name("criterion", key) for key in own["criterion"]],
        chance_low=pd.Series(low, index=own.index, dtype=float).clip(0, 100),
        chance_high=pd.Series(high, index=own.index, dtype=float).clip(0, 100),
    )
    caption = f"{_(cards.WITH_RANGE)} {formatting.period(period)}"
    figure = charts.build_dots(
        frame, "score", dark=styles.is_dark(), bounds=(0, 100), row_height=36
    )
    finding = _describe_criteria(own, others, texts)
    cards.show_chart(figure, finding, caption, "criteria_of", on_select=_choose_criterion)


def _find_chance(
    own: pd.DataFrame, others: list[pd.DataFrame]
) -> list[tuple[float | None, float | None]]:
    """Return by criterion the ends of the chance bar around the colleagues' average."""
    averages = {row.criterion: row for frame in others for row in frame.itertuples()}
    ends: list[tuple[float | None, float | None]] = []
    for row in own.itertuples():
        other = averages.get(row.criterion)
        is_known = other is not None and not any(
            map(formatting.is_missing, (other.value, other.deviation))
        )
        ends.append(
            stats.chance_range(other.value, other.deviation, row.n) if is_known else (None, None)
        )
    return ends


def _describe_criteria(
    own: pd.DataFrame, others: list[pd.DataFrame], texts: ScorecardTexts
) -> ChartTitle:
    """Name the criteria that clearly differ from colleagues', tested together."""
    if not others:
        return ChartTitle(_("No colleagues to compare with in this period"))
    sides = peers.find_sides(peers.compare_criteria(own, others[0]))
    if not sides:
        return ChartTitle(_("Too few evaluations to compare criterion by criterion"))
    low, high = (
        formatting.listing(
            texts.name("criterion", key) for key, side in sides.items() if side == sign
        )
        for sign in (-1, 1)
    )
    if low:
        return ChartTitle(_("Below colleagues: {criteria}", criteria=low), "attention")
    if high:
        return ChartTitle(_("Better than colleagues: {criteria}", criteria=high), "better")
    return ChartTitle(_("No statistically clear difference from colleagues"))


def _choose_criterion() -> None:
    if chosen := drill.clicked("criteria_of"):
        st.query_params["criterion"] = str(chosen[0])
