"""The Advisors page: which advisors clearly differ and which do not, never a rank."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis import charts, peers
from qa_core.analysis.charts.labels import plain
from qa_core.base.i18n import N_, _, ngettext
from qa_core.centre.advisors import normalise_name
from qa_core.metrics.kpis import Unit, formatting, get_kpi
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.metrics.rows import scorecard_texts
from qa_core.metrics.rows.severity import Adjusted
from qa_core.ui.frame import cached, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.views.quality import disputes
from qa_core.ui.widgets import (
    cards,
    download_links,
    drill,
    peer_dots,
    segmented_choice,
    tables,
    trend_cards,
)

KPIS = ("evaluation_score", "first_contact_resolution", "csat", "average_handle_time")
BOTH = OVER_ALL, OF_MEANS = ("evaluation_score", "advisor_mean_score")
"""The two ways to average the scores of a team."""
MEASURES = (
    OVER_ALL,
    "first_contact_resolution",
    "first_contact_resolution_declared",
    "csat",
    "csat_mean",
    "average_handle_time",
)
LISTENED = "listened_rate"
"""A measure of listening: nobody is listened to far more than the rest."""
VIEWS = {
    "measure": N_("One measure"),
    "all": N_("All measures"),
    "criteria": N_("Criteria"),
    "teams": N_("By team"),
}
ADJUSTED = N_("Adjusted score")

MIN_EVALUATIONS = 3
"""Evaluations from which on a share is no anecdote."""
MAX_ADVISORS = 40


def show_tiles(viewer: Viewer, state: FilterState) -> None:
    rows = cached.headline(viewer, KPIS, state.where, state.compare)
    series = trend_cards.read_series(viewer, state, KPIS)
    lately = trend_cards.describe_lately(viewer, state.where, KPIS, series)
    tiles = [
        cards.build_tile(rows[key], state, series[key], lately=lately.get(key, "")) for key in KPIS
    ]
    cards.show_tiles(tiles)


def show_views(viewer: Viewer, state: FilterState) -> None:
    """Show one of four views; only the chosen one is worked out."""
    titles = {key: _(title) for key, title in VIEWS.items() if key != "teams" or _has_teams(viewer)}
    chosen = segmented_choice.ask("view", _("View"), titles)
    if chosen == "measure":
        _show_measure(viewer, state)
    elif chosen == "all":
        _show_table(viewer, state)
    elif chosen == "criteria":
        _show_criteria(viewer, state)
        if not viewer.can(Permission.DECIDE_DISPUTES):  # who decides has a page for it
            disputes.show_outcomes(viewer, state)
    else:
        _show_teams(viewer, state)


def _show_measure(viewer: Viewer, state: FilterState) -> None:
    rows = cached.headline(viewer, KPIS, state.where, state.compare)
    usual = next((key for key in KPIS if rows[key].n), "")  # a centre may not evaluate yet
    group = _ask_group(viewer, state, (*MEASURES, LISTENED), "advisor", usual)
    if group is None:
        return
    key = group.kpi.key
    parameters = {} if key == MEASURES[0] else {"measure": key}
    open_advisor = partial(_open_advisor, viewer, state, **parameters)

    def on_point(chart: str) -> Callable[[], None]:
        return lambda: open_advisor(next(iter(drill.clicked(chart)), None))

    left, right = st.columns([5, 4], gap="small")
    with left:
        peer_dots.show_bands(group, on_point(f"dots_{key}"), with_shrunk=True)
    with right:
        peer_dots.show_funnel(group, on_point(f"funnel_{key}"))
    peer_dots.show_needed(group, _("Advisor"), open_advisor)
    st.caption(" ".join(filter(None, (peers.describe_test(group), _describe_between(group)))))
    download_links.show_figures("measure", (key,), ("advisor",), state.where)


def _ask_group(
    viewer: Viewer, state: FilterState, keys: Sequence[str], dimension: str, usual: str = ""
) -> peers.Group | None:
    """Ask for a measure and return those to compare on it; None, and said, if there are none."""
    titles = {key: formatting.short_title(get_kpi(key)) for key in keys}
    own_key = f"{dimension}s_measure"
    key = segmented_choice.ask("measure", _("Measure"), titles, key=own_key, usual=usual)
    return peer_dots.read_group(viewer, state, key, dimension)


def _describe_between(group: peers.Group) -> str:
    """Describe how much advisors really differ, and what that does to the estimates."""
    if group.between <= 0:
        return ""
    return _(
        "Advisors really differ by about {amount} (one standard deviation). Estimates are shrunk "
        "towards the group average, because part of every value is chance.",
        amount=formatting.change(group.between, group.kpi.unit).lstrip("+"),
    )


def _open_advisor(viewer: Viewer, state: FilterState, name: str | None, **parameters: str) -> None:
    """Callback: open the page of an advisor, by name; `parameters`: of its address."""
    for advisor in cached.find_advisors(viewer, state.where.period):
        if advisor.name == name:
            drill.to_advisor(advisor.advisor_id, **parameters)


def _show_table(viewer: Viewer, state: FilterState) -> None:
    kpis = (*MEASURES, "answered", "evaluations")
    by = tables.index_rows(cached.measure(viewer, kpis, ("advisor",), state.where), "advisor")
    scores = cached.find_adjusted_scores(viewer, state.where)
    columns = [
        tables.name_column(_("Advisor"), lambda name: name),
        tables.count_column(_("Answered"), lambda name: by[name]["answered"].value),
        tables.count_column(_("Evaluations"), lambda name: by[name]["evaluations"].value),
    ]
    for key in MEASURES:
        if key != "csat_mean":  # beside the rate of satisfied it says the same
            columns.append(tables.interval_column(key, lambda name, key=key: by[name][key]))
        if key == "evaluation_score" and scores.is_connected:
            adjusted = tables.number_text_column(
                _(ADJUSTED), lambda name: _describe_adjusted(scores, name)
            )
            columns.append(adjusted)
    by_name = _("In alphabetical order: value and 95 % confidence interval.")
    names = sorted((name for name in by if name is not None), key=normalise_name)
    with cards.card(_("Side by side"), by_name):
        on_name = partial(_open_advisor, viewer, state)
        tables.show(names, columns, "table_advisors", on_name, height=640)
        with tables.show_foot():
            tables.show_definitions(MEASURES, state)
            download_links.show_figures("all", kpis, ("advisor",), state.where)
        if scores.is_connected:
            text = _(
                "Adjusted: score an average evaluator (of {n}) would give on an average scorecard. "
                "It assumes that contacts reached evaluators at random. Only the plain score "
                "counts.",
                n=scores.evaluators,
            )
            st.caption(text)


def _describe_adjusted(scores: Adjusted, name: str) -> str:
    """Return an advisor's adjusted score with its interval; empty without one."""
    key = next((key for key, shown in scores.names.items() if shown == name), None)
    effect = scores.advisors.get(key)
    if effect is None:
        return ""
    between = formatting.interval(effect.low, effect.high, Unit.SCORE)
    score = formatting.value(min(100.0, max(0.0, effect.value)), Unit.SCORE)
    return f"{score}  ({between})" if between else score


def _has_teams(viewer: Viewer) -> bool:
    if not viewer.can_cut_by("team"):
        return False
    teams = [team for team, _count in cached.find_values(viewer, "team", Filters())]
    return sum(team is not None for team in teams) > 1


def _show_teams(viewer: Viewer, state: FilterState) -> None:
    """Show teams side by side: both ways of averaging, and the bands of teams on one measure."""
    _show_both(viewer, state)
    if group := _ask_group(viewer, state, MEASURES, "team"):
        key = group.kpi.key
        behind = key if group.kpi.subject == "contacts" else None
        peer_dots.show_bands(group, drill.on_point(viewer, f"dots_{key}", "team", behind))
        st.caption(peers.describe_test(group))


def _show_both(viewer: Viewer, state: FilterState) -> None:
    by = tables.index_rows(cached.measure(viewer, BOTH, ("team",), state.where), "team")
    names = sorted((name for name in by if name is not None), key=normalise_name)

    def describe_gap(name: str) -> str:
        values = [by[name][key].value for key in BOTH]
        is_known = not any(map(formatting.is_missing, values))
        return formatting.change(values[0] - values[1], "score") if is_known else ""

    columns = (
        tables.name_column(_("Team"), lambda name: name),
        tables.interval_column(
            OVER_ALL, lambda name: by[name][OVER_ALL], _("Over all evaluations")
        ),
        tables.interval_column(
            OF_MEANS, lambda name: by[name][OF_MEANS], _("Mean of advisors' means")
        ),
        tables.number_text_column(_("Difference"), describe_gap),
        tables.count_column(_("Evaluations"), lambda name: by[name][OVER_ALL].n),
        tables.count_column(_("Advisors"), lambda name: by[name][OF_MEANS].n),
    )
    hint = _(
        "Over all evaluations: each evaluation counts once, so advisors with more weigh more. "
        "Mean of means: each advisor counts once."
    )
    with cards.card(_("Evaluation score by team, averaged in two ways"), hint):
        tables.show(names, columns, "table_teams", drill.on_value(viewer, "team"), height=420)
        download_links.show_figures("teams", (*BOTH, "evaluations"), ("team",), state.where)


def _show_criteria(viewer: Viewer, state: FilterState) -> None:
    """Show the heat map; a click opens the advisor's evaluations with that criterion."""
    frame = cached.measure(viewer, ("evaluation_score",), ("advisor", "criterion"), state.where)
    frame = frame[frame["advisor"].notna() & frame["criterion"].notna() & frame["value"].notna()]
    if frame.empty:
        cards.card(_("No evaluation in this period"))
        return
    texts = scorecard_texts.find_scorecard_texts(viewer)
    everybody = sorted(set(frame["advisor"]), key=normalise_name)
    names = everybody[:MAX_ADVISORS]
    order = {key: position for position, key in enumerate(texts.by_dimension.get("criterion", {}))}
    keys = sorted(set(frame["criterion"]), key=lambda key: (order.get(key, len(order)), key))
    criteria = {key: texts.name("criterion", key) for key in keys}
    shown = frame[frame["advisor"].isin(names)].copy()
    shown["enough"] = shown["n"] >= MIN_EVALUATIONS
    shown["text"] = [describe_cell(row, criteria[row.criterion]) for row in shown.itertuples()]
    figure = charts.build_criteria(shown, names, list(criteria.items()), dark=styles.is_dark())
    blank, others = int((~shown["enough"]).sum()), len(everybody) - len(names)
    finding, caption = _describe_lost(frame, criteria), _explain_criteria(blank, others)

    def open_cell() -> None:
        if len(values := drill.clicked("criteria")) == 2:
            _open_advisor(viewer, state, values[0], criterion=str(values[1]))

    cards.show_chart(figure, finding, caption, "criteria", on_select=open_cell)
    download_links.show_figures(
        "criteria", ("evaluation_score",), ("advisor", "criterion"), state.where
    )


def describe_cell(row: Any, criterion: str) -> str:
    share = f"n = {int(row.n)}"
    if row.n >= MIN_EVALUATIONS:
        share = _(
            "{share} of points: {k} of {n}",
            share=formatting.percent(row.value / 100, 0),
            k=formatting.number(row.numerator / 100, 1),
            n=formatting.number(row.n),
        )
    return f"<b>{plain(row.advisor)}</b><br>{plain(criterion)}<br>{share}"


def _explain_criteria(blank: int, others: int) -> str:
    """Explain the map. `blank`: cells of few evaluations; `others`: advisors not drawn."""
    parts = [
        _(
            "Share of points by criterion and advisor, in alphabetical order. The stronger the "
            "colour, the more points are missed."
        ),
        _("Select a cell to see its evaluations."),
    ]
    if blank:
        text = ngettext(
            "Circle: fewer than {least} evaluations ({n} cell).",
            "Circles: fewer than {least} evaluations ({n} cells).",
            blank,
            least=MIN_EVALUATIONS,
        )
        parts.append(text)
    return " ".join(filter(None, (*parts, peer_dots.describe_left_out(others))))


def _describe_lost(frame: pd.DataFrame, criteria: Mapping[str, str]) -> str:
    """Name the criterion that loses the most points over all these advisors together."""
    sums = frame.groupby("criterion")[["numerator", "n"]].sum()
    shares = sums["numerator"] / sums["n"]
    lowest = shares.idxmin()
    return _(
        "Most points are lost on {criterion} ({share} earned)",
        criterion=criteria[lowest],
        share=formatting.percent(shares[lowest] / 100, 0),
    )
