"""Scores: what evaluators gave, how far apart, on which criteria, and their last
evaluations. Never an advisor or a customer.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis import charts
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import _
from qa_core.metrics import formatting, query
from qa_core.metrics.query import scorecard_texts
from qa_core.ui import cached, cards, drill, tables
from qa_core.ui.cards import Tile
from qa_core.ui.filter_bar import FilterState

KPIS = ("evaluations", "evaluation_score", "evaluation_pass_rate")


def show_top(viewer: Viewer, look: FilterState) -> bool:
    """Four tiles: how many, their mean, their spread, the share that passed. False
    where there is no evaluation in the period.
    """
    rows = cached.headline(viewer, KPIS, look.where, look.compare)
    if not rows["evaluations"].n:
        with st.container(border=True):
            cards.show_heading(
                ChartTitle(_("You gave no evaluation in {period}", period=look.period_title))
            )
            st.caption(_("Choose a longer period above, or take a filter away."))
        return False
    tiles = [cards.build_tile(rows[key], look) for key in KPIS]
    cards.show_tiles([*tiles[:2], _build_spread(rows["evaluation_score"]), tiles[2]])
    return True


def show_cuts(viewer: Viewer, look: FilterState) -> None:
    """The mean score of each criterion, and of each grid where several were used, with
    its interval.
    """
    grids_given = cached.measure(viewer, ("evaluation_score",), ("grid",), look.where)[
        "grid"
    ].nunique()
    if grids_given < 2:
        # The tiles have the mean of the only grid.
        _show_dots(viewer, look, "criterion", _("Score by criterion"))
        return
    left, right = st.columns(2, gap="small")
    with left:
        _show_dots(viewer, look, "criterion", _("Score by criterion"))
    with right:
        _show_dots(viewer, look, "grid", _("Score by grid"))


def show_last(viewer: Viewer, look: FilterState) -> None:
    """The last evaluations of the period."""
    found, texts = (
        query.find_given_evaluations(viewer, look.where),
        scorecard_texts.find_grid_texts(viewer),
    )
    with st.container(border=True, gap="xxsmall"):
        cards.show_heading(
            ChartTitle(_("My last evaluations")),
            _(
                "By the day of the contact, in {period}; at most fifty. Click a line to read it.",
                period=look.period_title,
            ),
        )
        rows = [
            {
                _("Contact of"): formatting.day(record["day"].date(), year=True),
                _("Grid"): formatting.name("grid", None)
                if formatting.is_missing(record["grid"])
                else texts.name("grid", record["grid"]),
                _("Queue"): None if formatting.is_missing(record["queue"]) else record["queue"],
                _("Score"): None
                if formatting.is_missing(record["score"])
                else formatting.value(record["score"], "score"),
                _("Outcome"): {"pass": _("passed"), "fail": _("not passed")}.get(record["outcome"]),
            }
            for record in found.to_dict("records")
        ]
        tables.show(
            rows, {}, "table_scores", lambda: _open(found["evaluation_id"].tolist()), height=560
        )


def _open(numbers: list[int]) -> None:
    cells = st.session_state["table_scores"]["selection"]["cells"]
    if cells:
        drill.to_evaluation("scores", numbers[cells[0][0]])


def _build_spread(score: Any) -> Tile:
    title = _("Spread of scores")
    help_text = _(
        "The standard deviation of the scores you gave: about two thirds of them lie within "
        "this distance of their mean."
    )
    if formatting.is_missing(score.deviation):
        return Tile(title, f":gray[{_(formatting.NO_DATA)}]", help_text, _("It takes two scores."))
    return Tile(
        title,
        formatting.value(score.deviation, "score"),
        help_text,
        f"n\u00a0=\u00a0{formatting.number(score.n)}",
    )


def _show_dots(viewer: Viewer, look: FilterState, dimension: str, title: str) -> None:
    frame = cached.measure(viewer, ("evaluation_score",), (dimension,), look.where)
    frame = frame[frame[dimension].notna() & frame["value"].notna()].sort_values(
        "value", ascending=False
    )
    if frame.empty:
        with st.container(border=True, height="stretch"):
            cards.show_heading(ChartTitle(title))
            st.caption(_(formatting.NO_DATA))
        return
    texts = scorecard_texts.find_grid_texts(viewer)
    frame = frame.assign(
        key=frame[dimension], label=[texts.name(dimension, key) for key in frame[dimension]]
    )
    picture = charts.build_dots(
        frame, "score", dark=cards.is_dark(), bounds=(0, 100), row_height=40
    )
    cards.show_chart(
        picture,
        ChartTitle(title),
        _("Mean and 95 % interval, {period}", period=look.period_title),
        f"scores_{dimension}",
        kpi="evaluation_score",
    )
