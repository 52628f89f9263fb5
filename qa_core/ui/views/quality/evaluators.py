"""Evaluators by name, for managers alone: how much, how strict, how long."""

from datetime import timedelta

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base import environment
from qa_core.base.i18n import _
from qa_core.metrics.kpis import Unit, formatting, periods
from qa_core.metrics.kpis.dimensions import Period
from qa_core.metrics.rows.severity import EvaluatorFigures, Evaluators
from qa_core.quality.evaluations import disputes
from qa_core.stats.severity import RaterEffect
from qa_core.ui.frame import cached
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import cards, segmented_choice, tables

SPANS = (90, 180, 365)
FEW = 30
"""Evaluations from which on the severity of an evaluator is more than chance."""


def show(viewer: Viewer) -> None:
    """Show the table, what it says, and what it must not be used for."""
    titles = {str(span): periods.name_last(span) for span in SPANS}
    days = int(segmented_choice.ask("days", _("Period"), titles, key="evaluators_days"))
    period = Period(environment.today() - timedelta(days=days), environment.today())
    evaluators = cached.find_evaluators(viewer, period)
    if not evaluators.figures:
        cards.card(_("No evaluation in this period"))
        return
    by_evaluator = disputes.count_outcomes(viewer, period).by_evaluator or ()
    outcomes = {outcome.key: outcome for outcome in by_evaluator}

    def shrunk(item: EvaluatorFigures) -> str | None:
        return formatting.change(item.severity.shrunk, Unit.SCORE) if item.severity else None

    columns = (
        tables.name_column(
            _("Evaluator"), lambda item: item.name or formatting.name("evaluator", None), 150
        ),
        tables.count_column(_("Evaluations"), lambda item: item.n, 90),
        tables.value_column(_("Mean score"), lambda item: item.mean, Unit.SCORE),
        tables.value_column(_("Spread"), lambda item: item.deviation, Unit.SCORE),
        tables.number_text_column(
            _("Severity"), lambda item: _describe_severity(item.severity), 240
        ),
        tables.number_text_column(_("Shrunk"), shrunk),
        tables.text_column(
            _("Disputes lost"), lambda item: _describe_lost(outcomes.get(item.evaluator))
        ),
        tables.value_column(_("Median time"), lambda item: item.median_seconds, Unit.SECONDS)
        if any(item.median_seconds is not None for item in evaluators.figures)
        else None,
    )
    with cards.card(_describe(evaluators), formatting.period(period)):
        tables.show(evaluators.figures, columns, "table_evaluators", height=420)
        if unconnected := evaluators.disconnected or evaluators.disconnected_scorecards:
            names = escape(formatting.listing(unconnected))
            text = _(
                "No severity can be estimated: nothing connects {names} with the other "
                "evaluations.",
                names=names,
            )
            st.warning(text, icon=":material/link_off:")
        text = _(
            "Severity: points an evaluator gives less (+) or more (−) than others for the same "
            "advisors and scorecard, with 95 % confidence interval. Shrunk: moved towards zero, "
            "because part of it is chance. Spread: standard deviation of the scores."
        )
        st.caption(text)
        text = _(
            "Severity compares evaluators who heard different contacts, and assumes that contacts "
            "reached them at random. Use it to calibrate together, never to judge an evaluator. "
            "It changes no score."
        )
        st.warning(text, icon=":material/warning:")


def _describe(evaluators: Evaluators) -> ChartTitle:
    known = [
        item.severity
        for item in evaluators.figures
        if item.severity is not None and item.severity.low is not None
    ]
    if len(known) < 2:
        return ChartTitle(_("The severity of evaluators cannot be compared here"))
    if not any(effect.low > 0 or effect.high < 0 for effect in known):
        return ChartTitle(_("No statistically clear difference in severity between evaluators"))
    values = [effect.value for effect in known]
    size = formatting.change(max(values) - min(values), Unit.SCORE).lstrip("+")
    return ChartTitle(
        _("The strictest and the most lenient evaluator differ by {size}", size=size), "attention"
    )


def _describe_severity(effect: RaterEffect | None) -> str | None:
    if effect is None:
        return None
    value = formatting.change(effect.value, Unit.SCORE)
    if effect.low is None:
        return value
    low, high = (formatting.number(end, 1) for end in (effect.low, effect.high))
    few = " · " + _("small sample") if effect.n < FEW else ""
    return f"{value}  ({low} – {high}){few}"


def _describe_lost(outcome: disputes.DisputeOutcome | None) -> str | None:
    if outcome is None or not outcome.decided:
        return None
    return _("{n} of {all}", n=outcome.changed, all=outcome.decided)
