"""Disputes in lists: those that wait, those that were decided, and how often evaluators
and criteria are disputed and changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base import environment
from qa_core.base.i18n import _, ngettext
from qa_core.metrics import formatting
from qa_core.metrics.query import scorecard_texts
from qa_core.metrics.query.scorecard_texts import GridTexts
from qa_core.quality.evaluations.disputes import (
    DisputeLine,
    DisputeOutcome,
    count_outcomes,
    find_disputes,
)
from qa_core.ui import cards, drill, tables
from qa_core.ui.filter_bar import FilterState
from qa_core.ui.views.quality.answer_texts import describe
from qa_core.ui.views.quality.evaluation_disputes import DECIDED

LATE_DAYS = 7
"""Beyond so many days a dispute that waits needs a look."""


def show_lists(viewer: Viewer) -> None:
    """The open ones, oldest first, and the decided ones; a click opens the evaluation,
    where they are decided.
    """
    lines, texts = find_disputes(viewer), scorecard_texts.find_grid_texts(viewer)
    waiting, decided = (
        [line for line in lines if line.decision is None],
        [line for line in lines if line.decision is not None],
    )
    with st.container(border=True, gap="xxsmall"):
        cards.show_heading(
            _find(waiting),
            _("Click a line to open the evaluation; it is decided there, under the criterion.")
            if waiting
            else "",
        )
        if waiting:
            _show_table(
                waiting, [_describe_waiting(line, texts) for line in waiting], "open_disputes"
            )
    if decided:
        with st.container(border=True, gap="xxsmall"):
            cards.show_heading(
                ChartTitle(ngettext("{n} decided", "{n} decided", len(decided))),
                _("Newest decision first."),
            )
            _show_table(
                decided, [_describe_decided(line, texts) for line in decided], "decided_disputes"
            )


def show_outcomes(viewer: Viewer, look: FilterState) -> None:
    """How many answers were disputed and changed, by evaluator and by criterion."""
    outcomes = count_outcomes(viewer, look.where.period)
    caption = _(
        "Evaluations of contacts in {period}. Changed: share of the decided, with its 95 % "
        "interval.",
        period=look.period_title or _("all data"),
    )
    if outcomes.by_evaluator:
        names = [outcome.name for outcome in outcomes.by_evaluator]
        _show_outcomes(
            outcomes.by_evaluator, names, ChartTitle(_("By evaluator")), caption, _("Evaluator")
        )
    _show_criteria(
        viewer, outcomes.by_criterion, ChartTitle(_("By criterion, those disputed")), caption
    )


def show_criteria(viewer: Viewer, look: FilterState) -> None:
    """The criteria that advisors disputed and what came of it, for who leads them;
    nothing where none was.
    """
    caption = _(
        "All evaluations of your teams in {period}, whatever else is filtered. Changed: share "
        "of the decided, with its 95 % interval.",
        period=look.period_title or _("all data"),
    )
    _show_criteria(
        viewer,
        count_outcomes(viewer, look.where.period).by_criterion,
        ChartTitle(_("Disputed criteria")),
        caption,
    )


def _show_criteria(
    viewer: Viewer, outcomes: Sequence[DisputeOutcome], finding: ChartTitle, caption: str
) -> None:
    disputed, texts = (
        [outcome for outcome in outcomes if outcome.disputed],
        scorecard_texts.find_grid_texts(viewer),
    )
    if disputed:
        _show_outcomes(
            disputed,
            [texts.name("criterion", outcome.key) for outcome in disputed],
            finding,
            caption,
            _("Criterion"),
        )


def _find(waiting: Sequence[DisputeLine]) -> ChartTitle:
    if not waiting:
        return ChartTitle(_("No dispute waits for a decision"))
    oldest = max(line.age_days for line in waiting)
    if not oldest:
        return ChartTitle(
            ngettext(
                "{n} dispute waits for a decision, since today",
                "{n} disputes wait for a decision, all since today",
                len(waiting),
            )
        )
    text = ngettext(
        "{n} dispute waits for a decision, since {days}",
        "{n} disputes wait for a decision, the oldest since {days}",
        len(waiting),
        days=formatting.days(oldest),
    )
    return ChartTitle(text, "attention" if oldest > LATE_DAYS else "")


def _show_table(lines: Sequence[DisputeLine], rows: list[dict[str, Any]], key: str) -> None:
    def open_row() -> None:
        cells = st.session_state[key]["selection"]["cells"]
        if cells:
            drill.to_evaluation("disputes", lines[cells[0][0]].evaluation_id)

    criterion = _("Criterion")
    tables.show(
        rows,
        {criterion: st.column_config.TextColumn(criterion, width=270)},
        key,
        open_row,
        height=420,
    )


def _describe_waiting(line: DisputeLine, texts: GridTexts) -> dict[str, Any]:
    return {
        _("Waiting"): formatting.days(line.age_days) if line.age_days else _("since today"),
        _("Advisor"): line.advisor,
        _("Criterion"): texts.name("criterion", line.criterion),
        _("Asked for"): _(
            "{proposed} instead of {original}",
            proposed=describe(line.proposed),
            original=describe(line.original),
        ),
        _("Listened by"): line.evaluator,
        _("Contact of"): formatting.day(line.local_day, year=True),
        _("Team"): line.team,
    }


def _describe_decided(line: DisputeLine, texts: GridTexts) -> dict[str, Any]:
    return {
        _("Decision"): _(DECIDED[line.decision]),
        _("Advisor"): line.advisor,
        _("Criterion"): texts.name("criterion", line.criterion),
        _("Asked for"): _(
            "{proposed} instead of {original}",
            proposed=describe(line.proposed),
            original=describe(line.original),
        ),
        _("Now"): describe(line.decided),
        _("Decided by"): line.decided_by,
        _("Decided on"): formatting.day(environment.to_local(line.decided_at).date(), year=True),
        _("After"): formatting.days(line.age_days) if line.age_days else _("the same day"),
        _("Listened by"): line.evaluator,
    }


def _show_outcomes(
    outcomes: Sequence[DisputeOutcome],
    names: Sequence[str],
    finding: ChartTitle,
    caption: str,
    title: str,
) -> None:
    with st.container(border=True, gap="xxsmall"):
        cards.show_heading(finding, caption)
        rows = [
            {
                title: name,
                _("Evaluations"): outcome.evaluations,
                _("Disputed"): outcome.disputed,
                _("Decided"): outcome.decided,
                _("Changed"): outcome.changed,
                _("Share changed"): _describe_share(outcome),
            }
            for outcome, name in zip(outcomes, names, strict=True)
        ]
        tables.show(rows, {}, f"outcomes_{title}", height=420)


def _describe_share(outcome: DisputeOutcome) -> str | None:
    if outcome.share is None:
        return None
    return (
        f"{formatting.percent(outcome.share, 0)}  "
        f"({formatting.interval(outcome.low, outcome.high, 'rate')})"
    )
