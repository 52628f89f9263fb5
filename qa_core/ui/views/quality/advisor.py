"""One advisor beside their colleagues: what the same contacts would have given in other
hands, over time, by criterion, and what was evaluated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from qa_core import stats
from qa_core.access.roles import Viewer
from qa_core.analysis import case_mix, charts, series
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import _, ngettext
from qa_core.metrics import formatting, query
from qa_core.metrics.dimensions import Filters
from qa_core.metrics.kpis import Kpi, get_kpi
from qa_core.metrics.query import AdvisorProfile, scorecard_texts
from qa_core.stats import Standard
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.ui import cached, cards, drill, segmented_choice, tables
from qa_core.ui.filter_bar import FilterState
from qa_core.ui.views.quality.advisors import MEASURES

LEAST_MATCHED = 0.8
FEW_A_WEEK = 10
"""With fewer values in most weeks the trend goes by month."""


@dataclass(frozen=True)
class CaseMixSide:
    """One advisor's filters, and those of the colleagues in the same teams (None: there
    are none), by period.
    """

    advisor: AdvisorProfile
    own: Filters
    others: Filters | None
    colleagues: int


def note_reading(viewer: Viewer, advisor: AdvisorProfile) -> None:
    """One row of the journal per advisor that was opened."""
    if st.session_state.get("advisor_read") != advisor.advisor_id:
        st.session_state["advisor_read"] = advisor.advisor_id
        with store.writing() as session:
            audit_log.record(session, viewer.username, "advisor_read", advisor.advisor_id)


def read_side(viewer: Viewer, look: FilterState, advisor: AdvisorProfile) -> CaseMixSide:
    """The advisor's contacts, and those of the colleagues in the same teams in the same
    period.
    """
    where = look.where.with_value("team", *advisor.teams)
    colleagues = [
        one.advisor_id
        for one in cached.find_advisors(viewer, look.where.period, advisor.teams)
        if one.advisor_id != advisor.advisor_id
    ]
    others = where.with_value("advisor", *colleagues) if colleagues else None
    return CaseMixSide(
        advisor, where.with_value("advisor", advisor.advisor_id), others, len(colleagues)
    )


def show_case_mix(viewer: Viewer, side: CaseMixSide) -> None:
    """Every measure beside what the colleagues' averages would have given with the same
    contacts.
    """
    rows = cached.headline(viewer, MEASURES, side.own)
    standards = _standardise(viewer, side)
    sides = case_mix.find_sides(standards)
    named = formatting.listing(side.advisor.teams[:3]) if all(side.advisor.teams) else ""
    with st.container(border=True, gap="xxsmall"):
        cards.show_heading(_find(standards, sides, side), _explain(side, named))
        table = []
        for key in MEASURES:
            kpi, row, standard = get_kpi(key), rows[key], standards.get(key)
            line: dict[str, Any] = {
                _("Measure"): cards.title_of(kpi),
                _("Reading"): _read(standard, sides.get(key, 0), kpi),
                _("Difference"): _describe_difference(standard, kpi) if standard else "–",
                _("Observed"): tables.cell(row) or _(formatting.NO_DATA),
                _("Expected, same contacts"): formatting.value(standard.expected, kpi.unit)
                if standard
                else "–",
                "n": row.n,
            }
            table.append(line)
        wide = st.column_config.TextColumn(_("Difference"), width=185)
        columns = {
            "n": tables.count_column("n"),
            _("Measure"): tables.name_column(_("Measure"), 172),
            _("Difference"): wide,
        }
        tables.show(table, columns, "case_mix")
        loose = [
            standard
            for standard in standards.values()
            if standard and standard.matched < LEAST_MATCHED
        ]
        if loose:
            share = formatting.percent(min(standard.matched for standard in loose), 0)
            st.caption(
                _(
                    "Where colleagues met few contacts of the very same kind, their queue or "
                    "channel stands in: as few as {share} match exactly.",
                    share=share,
                )
            )


def show_course(viewer: Viewer, look: FilterState, side: CaseMixSide) -> None:
    """One measure over time, the advisor's and the colleagues', and the criteria of the
    grid.
    """
    left, right = st.columns([5, 4], gap="small")
    with left:
        _show_trend(viewer, look, side)
    with right:
        _show_criteria(viewer, look, side)


def show_evaluations(viewer: Viewer, look: FilterState, side: CaseMixSide) -> None:
    """The latest evaluations, each leading to its contact, and the way to all contacts."""
    texts = scorecard_texts.find_grid_texts(viewer)
    criterion = st.query_params.get("criterion")
    frame = query.find_evaluations_of(
        viewer, side.advisor.advisor_id, side.own.with_period(look.trend.period), criterion
    )
    with st.container(border=True, gap="xxsmall"):
        title = (
            _("Recent evaluations")
            if criterion is None
            else _("Evaluations with: {criterion}", criterion=texts.name("criterion", criterion))
        )
        cards.show_heading(
            ChartTitle(title),
            _(
                "In {period}, newest first. Click a line to read the evaluation.",
                period=formatting.period(look.trend.period),
            ),
        )
        if criterion is not None:
            st.button(
                _("All criteria"),
                icon=":material/filter_alt_off:",
                type="tertiary",
                on_click=_forget_criterion,
            )
        if frame.empty:
            st.caption(_("No contact of theirs was evaluated in this period."))
        else:
            entries = frame.to_dict("records")
            tables.show(
                [_line(entry, texts) for entry in entries],
                {},
                "evaluations_of",
                lambda: _open(entries),
                height=420,
            )
        if drill.is_open_to(viewer):
            st.button(
                _("All contacts of {name}", name=side.advisor.name),
                icon=":material/call:",
                on_click=drill.to_contacts,
                args=({"advisor": side.advisor.name},),
            )


def _standardise(viewer: Viewer, side: CaseMixSide) -> dict[str, Standard | None]:
    if side.others is None:
        return dict.fromkeys(MEASURES)
    own, others = (
        cached.measure(viewer, MEASURES, case_mix.KIND, where) for where in (side.own, side.others)
    )
    return {key: case_mix.standardise(get_kpi(key), own, others) for key in MEASURES}


def _find(
    standards: dict[str, Standard | None], sides: dict[str, int], side: CaseMixSide
) -> ChartTitle:
    known = [key for key, standard in standards.items() if standard is not None]
    if side.others is None or not known:
        return ChartTitle(_("No colleagues to compare with in this period"))
    good = [
        key
        for key in known
        if sides[key] and get_kpi(key).better == ("up" if sides[key] > 0 else "down")
    ]
    bad = [key for key in known if sides[key] and key not in good]
    if not good and not bad:
        return ChartTitle(
            _("No more difference from colleagues than chance explains, with the same contacts")
        )
    parts = (
        [
            _(
                "to look at: {measures}",
                measures=formatting.listing(cards.title_of(get_kpi(key)) for key in bad),
            )
        ]
        if bad
        else []
    )
    parts += (
        [
            _(
                "better: {measures}",
                measures=formatting.listing(cards.title_of(get_kpi(key)) for key in good),
            )
        ]
        if good
        else []
    )
    return ChartTitle(
        _("With the same contacts, {parts}", parts="; ".join(parts)),
        "attention" if bad else "better",
    )


def _explain(side: CaseMixSide, teams: str) -> str:
    said = _(
        "Expected: what the averages of colleagues would have given with the same contacts, by "
        "channel, queue and reason."
    )
    if side.colleagues:
        counted = ngettext("{n} colleague", "{n} colleagues", side.colleagues)
        said += " " + (
            _("Compared with {colleagues} of {teams}.", colleagues=counted, teams=teams)
            if teams
            else _("Compared with {colleagues}.", colleagues=counted)
        )
    return (
        said
        + " "
        + _(
            "A difference counts only where chance does not explain it, all measures tried at once."
        )
    )


def _describe_difference(standard: Standard, kpi: Kpi) -> str:
    low, high = (formatting.change(edge, kpi.unit) for edge in (standard.low, standard.high))
    return _(
        "{difference}  ({low} to {high})",
        difference=formatting.change(standard.difference, kpi.unit),
        low=low,
        high=high,
    )


def _read(standard: Standard | None, side: int, kpi: Kpi) -> str:
    if standard is None:
        return _("too few values")
    if not side:
        return _("chance explains it")
    if kpi.better == "neither":
        return _("differs")
    return _("better than expected") if (side > 0) == (kpi.better == "up") else _("to look at")


def _show_trend(viewer: Viewer, look: FilterState, side: CaseMixSide) -> None:
    with st.container(border=True, height="stretch", gap="xxsmall"):
        key = segmented_choice.ask(
            "measure",
            _("Measure"),
            {key: cards.title_of(get_kpi(key)) for key in MEASURES},
            key="advisor_measure",
        )
        kpi = get_kpi(key)
        wheres = [where for where in (side.own, side.others) if where is not None]
        # A median of nothing compares as few, too.
        is_dense = _points(viewer, look, kpi, look.grain, side.own)["n"].median() >= FEW_A_WEEK
        grain = look.grain if is_dense else "month"
        points = [_points(viewer, look, kpi, grain, where) for where in wheres]
        if points[0]["value"].isna().all():
            cards.show_heading(
                ChartTitle(_("Nothing to show in this period")),
                _("No value is known, or all are pending or hidden."),
            )
            return
        by = (
            _("{title} by month", title=cards.title_of(kpi))
            if grain == "month"
            else _("{title} by week", title=cards.title_of(kpi))
        )
        cards.show_heading(
            ChartTitle(by),
            _("Band: 95 % interval; grey, dotted: colleagues. Few values swing by chance."),
        )
        around = points[1]["value"].tolist() if len(points) > 1 else None
        figure = charts.build_trend(
            points[0],
            kpi.unit,
            grain=grain,
            dark=cards.is_dark(),
            before=around,
            bounds=kpi.bounds,
            height=360,
        )
        cards.show_figure(figure, f"course_{key}", by)


def _points(
    viewer: Viewer, look: FilterState, kpi: Kpi, grain: str, where: Filters
) -> pd.DataFrame:
    frame = cached.measure(viewer, (kpi.key,), (grain,), where.with_period(look.trend.period))
    return series.build_series(
        frame,
        kpi,
        grain,
        look.trend.period,
        look.first_day,
        look.whole_until,
        look.where.period.first_day,
    ).points


def _show_criteria(viewer: Viewer, look: FilterState, side: CaseMixSide) -> None:
    wheres = [
        where.with_period(look.trend.period)
        for where in (side.own, side.others)
        if where is not None
    ]
    own, *others = (
        cached.measure(viewer, ("evaluation_score",), ("criterion",), where) for where in wheres
    )
    own = own[own["criterion"].notna() & own["value"].notna()]
    texts = scorecard_texts.find_grid_texts(viewer)
    caption = _(
        "Share of points by criterion, 95 % interval, {period}; grey: colleagues' average, as "
        "wide as chance makes it.",
        period=formatting.period(look.trend.period),
    )
    if own.empty:
        with st.container(border=True, height="stretch"):
            cards.show_heading(ChartTitle(_("No evaluation in this period")))
        return
    around = (
        {
            row.criterion: row
            for row in others[0].itertuples()
            if not formatting.is_missing(row.value)
        }
        if others
        else {}
    )
    order = {key: position for position, key in enumerate(texts.by_dimension.get("criterion", {}))}
    own = own.sort_values(
        "criterion", key=lambda column: [(order.get(key, len(order))) for key in column]
    )
    halves = [
        stats.Z95 * other.deviation / row.n**0.5
        if (other := around.get(row.criterion)) is not None
        else None
        for row in own.itertuples()
    ]
    centres = [around[key].value if key in around else None for key in own["criterion"]]
    edges = [
        [
            None if centre is None or formatting.is_missing(half) else centre + sign * half
            for centre, half in zip(centres, halves, strict=True)
        ]
        for sign in (-1, 1)
    ]
    frame = own.assign(
        key=own["criterion"],
        label=[texts.name("criterion", key) for key in own["criterion"]],
        chance_low=pd.Series(edges[0], index=own.index, dtype=float).clip(0, 100),
        chance_high=pd.Series(edges[1], index=own.index, dtype=float).clip(0, 100),
    )
    figure = charts.build_dots(frame, "score", dark=cards.is_dark(), bounds=(0, 100), row_height=36)
    cards.show_chart(
        figure,
        _find_criteria(own, others, texts),
        caption,
        "criteria_of",
        on_select=_choose_criterion,
    )


def _find_criteria(
    own: pd.DataFrame, others: list[pd.DataFrame], texts: scorecard_texts.GridTexts
) -> ChartTitle:
    """The criteria on which chance does not explain the difference from colleagues, all
    of them tried at once.
    """
    if not others:
        return ChartTitle(_("No colleagues to compare with in this period"))
    sides = case_mix.find_sides(case_mix.compare_criteria(own, others[0]))
    low, high = (
        [texts.name("criterion", key) for key, side in sides.items() if side == sign]
        for sign in (-1, 1)
    )
    if not sides:
        return ChartTitle(_("Too few evaluations to compare criterion by criterion"))
    if low:
        return ChartTitle(
            _("To look at: {criteria}", criteria=formatting.listing(low)), "attention"
        )
    if high:
        return ChartTitle(
            _("Better than colleagues: {criteria}", criteria=formatting.listing(high)), "better"
        )
    return ChartTitle(_("No criterion differs from colleagues' by more than chance"))


def _choose_criterion() -> None:
    chosen = drill.clicked("criteria_of")
    if chosen:
        st.query_params["criterion"] = str(chosen[0])


def _forget_criterion() -> None:
    st.query_params.pop("criterion", None)


def _line(entry: dict[str, Any], texts: scorecard_texts.GridTexts) -> dict[str, Any]:
    line = {
        _("Contact of"): formatting.day(entry["day"].date(), year=True),
        _("Score"): formatting.value(entry["score"], "score"),
        _("Outcome"): {"pass": _("passed"), "fail": _("not passed")}.get(entry["outcome"], "–"),
        _("Grid"): None
        if formatting.is_missing(entry["grid"])
        else texts.name("grid", entry["grid"]),
    }
    if "earned" in entry:
        line[_("Points")] = _(
            "{earned} of {possible}",
            earned=f"{entry['earned']:g}",
            possible=f"{entry['possible']:g}",
        )
    if "evaluator" in entry:
        line[_("Listened by")] = entry["evaluator"]
    return line


def _open(entries: list[dict[str, Any]]) -> None:
    cells = st.session_state["evaluations_of"]["selection"]["cells"]
    entry = entries[cells[0][0]] if cells else None
    if entry:
        drill.to_evaluation("advisor", int(entry["evaluation_id"]))
