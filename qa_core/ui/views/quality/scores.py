"""The Scores page: scores that an evaluator gave, by criterion. Never an advisor."""

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
from qa_core.ui.widgets import cards, evaluation_tables, trend_cards

KPIS = ("evaluations", "evaluation_score", "evaluation_pass_rate")


def show_top(viewer: Viewer, state: FilterState) -> bool:
    """Show four tiles; return False if the period has no evaluation."""
    rows = cached.headline(viewer, KPIS, state.where, state.compare)
    if not rows["evaluations"].n:
        cards.card(_("No evaluation in this period"))
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
    entries = query.find_evaluations_given(viewer, state.where).to_dict("records")
    texts = scorecard_texts.find_scorecard_texts(viewer)
    with cards.card(_("My last evaluations"), state.period_title):
        names = ("date", "scorecard", "score", "outcome")
        evaluation_tables.show(entries, names, texts, "scores", "table_scores", height=560)


def _build_spread(score: Any) -> cards.Tile:
    title = _("Spread of scores")
    help_text = _(
        "Standard deviation of your scores: about two thirds of them lie within this distance of "
        "their mean."
    )
    if formatting.is_missing(score.deviation):
        return cards.Tile(title, cards.NOTHING, help_text, _(formatting.NO_DATA))
    spread = formatting.value(score.deviation, "score")
    return cards.Tile(title, spread, help_text, f"n\u00a0=\u00a0{formatting.number(score.n)}")


def _show_dots(viewer: Viewer, state: FilterState, dimension: str, title: str) -> None:
    frame = cached.measure(viewer, ("evaluation_score",), (dimension,), state.where)
    frame = frame[frame[dimension].notna() & frame["value"].notna()]
    if frame.empty:
        cards.card(title, _(formatting.NO_DATA))
        return
    texts = scorecard_texts.find_scorecard_texts(viewer)
    frame = frame.sort_values("value", ascending=False).assign(key=lambda rows: rows[dimension])
    frame["label"] = [texts.name(dimension, key) for key in frame[dimension]]
    figure = charts.build_dots(
        frame, "score", dark=styles.is_dark(), bounds=(0, 100), row_height=40
    )
    caption = _("With 95 % confidence interval, {period}", period=state.period_title)
    cards.show_chart(figure, title, caption, f"scores_{dimension}", kpi="evaluation_score")
