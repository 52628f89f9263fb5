"""Scores of advisors as an average evaluator would give them, beside the plain ones."""

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics import formatting
from qa_core.metrics.kpis import Unit
from qa_core.metrics.query.severity import Adjusted
from qa_core.ui import cached
from qa_core.ui.filter_bar import FilterState

TITLE = N_("Adjusted score")


def read(viewer: Viewer, state: FilterState) -> Adjusted:
    """Return the adjusted scores of advisors in scope; none without linked evaluators."""
    return cached.find_adjusted_scores(viewer, state.where)


def describe(scores: Adjusted, name: str) -> str:
    """Return an advisor's adjusted score with its interval; empty without one."""
    key = next((key for key, shown in scores.names.items() if shown == name), None)
    effect = scores.advisors.get(key)
    if effect is None:
        return ""
    between = formatting.interval(effect.low, effect.high, Unit.SCORE)
    score = formatting.value(min(100.0, max(0.0, effect.value)), Unit.SCORE)
    return f"{score}  ({between})" if between else score


def show_note(scores: Adjusted) -> None:
    """Show what was adjusted, or why nothing was."""
    if scores.is_connected:
        st.caption(
            _(
                "Adjusted: score an average evaluator (of {n}) would give on an average "
                "scorecard; least squares, advisor + evaluator + scorecard. It assumes that "
                "contacts reached evaluators at random. Only the plain score counts.",
                n=scores.evaluators,
            )
        )
    elif any(scores.apart):
        evaluators, grids = scores.apart
        said = (
            ngettext("{n} evaluator", "{n} evaluators", evaluators)
            if evaluators
            else ngettext("{n} scorecard", "{n} scorecards", grids)
        )
        text = _(
            "Scores are not adjusted for evaluator severity: {said} shared no advisor with "
            "the others in this period.",
            said=said,
        )
        st.caption(text)
