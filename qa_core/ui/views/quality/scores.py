"""The Scores page: scores that an evaluator gave, by criterion. Never an advisor."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import charts
from qa_core.base.i18n import _
from qa_core.metrics import query
from qa_core.metrics.kpis import formatting
from qa_core.metrics.rows import scorecard_texts
from qa_core.ui.frame import cached, styles
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import cards, drill, tables, trend_cards

KPIS = ("evaluations", "evaluation_score", "evaluation_pass_rate")


def show_top(viewer: Viewer, state: FilterState) -> bool:
    """Show four tiles; return False if the period has no evaluation."""
    rows = cached.headline(viewer, KPIS, state.where, state.compare)
    if not rows["evaluations"].n:
        with cards.card(_("You made no evaluation in {period}", period=state.period_title)):
            st.caption(_("Choose a longer period above, or remove a filter."))
        return False
    lately = trend_cards.describe_lately(viewer, state.where, KPIS)
    count, mean, passed = (
        cards.build_tile(rows[key], state, lately=lately.get(key, "")) for key in KPIS
    )
    cards.show_tiles([count, mean, _build_spread(rows["evaluation_score"]), passed])
    return True


def show_cuts(viewer: Viewer, state: FilterState) -> None:
    """Show the mean score by criterion, and by scorecard if there were several."""
    grids = cached.measure(viewer, ("evaluation_score",), ("grid",), state.where)["grid"]
    if grids.nunique() < 2:  # the tiles have the mean of the only one
        _show_dots(viewer, state, "criterion", _("Score by criterion"))
        return
    left, right = st.columns(2, gap="small")
    with left:
        _show_dots(viewer, state, "criterion", _("Score by criterion"))
    with right:
        _show_dots(viewer, state, "grid", _("Score by scorecard"))


def show_last(viewer: Viewer, state: FilterState) -> None:
    """Show the last evaluations of the period."""
    entries = query.find_evaluations_given(viewer, state.where).to_dict("records")
    texts = scorecard_texts.find_scorecard_texts(viewer)
    outcomes = {"pass": _("passed"), "fail": _("not passed")}

    def grid(entry: Mapping[str, Any]) -> str:
        is_missing = formatting.is_missing(entry["grid"])
        return formatting.name("grid", None) if is_missing else texts.name("grid", entry["grid"])

    def queue(entry: Mapping[str, Any]) -> str | None:
        return None if formatting.is_missing(entry["queue"]) else entry["queue"]

    def score(entry: Mapping[str, Any]) -> str | None:
        is_missing = formatting.is_missing(entry["score"])
        return None if is_missing else formatting.value(entry["score"], "score")

    hint = _(
        "By day of the contact, in {period}; at most fifty. Select a row to read the evaluation.",
        period=state.period_title,
    )
    columns = (
        tables.day_text_column(_("Contact date"), lambda entry: entry["day"].date()),
        tables.text_column(_("Scorecard"), grid),
        tables.text_column(_("Queue"), queue),
        tables.text_column(_("Score"), score),
        tables.text_column(_("Outcome"), lambda entry: outcomes.get(entry["outcome"])),
    )
    with cards.card(_("My last evaluations"), hint):
        tables.show(
            entries,
            columns,
            "table_scores",
            lambda entry: drill.to_evaluation("scores", entry["evaluation_id"]),
            height=560,
        )


def _build_spread(score: Any) -> cards.Tile:
    title = _("Spread of scores")
    help_text = _(
        "Standard deviation of your scores: about two thirds of them lie within this distance of "
        "their mean."
    )
    if formatting.is_missing(score.deviation):
        return cards.Tile(
            title, f":gray[{_(formatting.NO_DATA)}]", help_text, _("Needs at least two scores.")
        )
    spread = formatting.value(score.deviation, "score")
    return cards.Tile(title, spread, help_text, f"n\u00a0=\u00a0{formatting.number(score.n)}")


def _show_dots(viewer: Viewer, state: FilterState, dimension: str, title: str) -> None:
    frame = cached.measure(viewer, ("evaluation_score",), (dimension,), state.where)
    frame = frame[frame[dimension].notna() & frame["value"].notna()]
    if frame.empty:
        with cards.card(title, is_stretched=True):
            st.caption(_(formatting.NO_DATA))
        return
    texts = scorecard_texts.find_scorecard_texts(viewer)
    frame = frame.sort_values("value", ascending=False).assign(key=lambda rows: rows[dimension])
    frame["label"] = [texts.name(dimension, key) for key in frame[dimension]]
    figure = charts.build_dots(
        frame, "score", dark=styles.is_dark(), bounds=(0, 100), row_height=40
    )
    caption = _("Dot: mean. Bar: 95 % confidence interval. {period}", period=state.period_title)
    cards.show_chart(figure, title, caption, f"scores_{dimension}", kpi="evaluation_score")
