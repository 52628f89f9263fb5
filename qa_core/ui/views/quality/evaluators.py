"""Evaluators over all their evaluations: how much, how high, how strict, how often
corrected, how long; by name, for managers alone.
"""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base import environment
from qa_core.base.i18n import _, ngettext
from qa_core.metrics import formatting
from qa_core.metrics.dimensions import Period
from qa_core.metrics.kpis import Unit
from qa_core.metrics.query.severity import Evaluators
from qa_core.quality.evaluations import disputes
from qa_core.quality.evaluations.disputes import DisputeOutcome
from qa_core.stats.severity import RaterEffect
from qa_core.ui import cached, cards, segmented_choice, tables

SPANS = (90, 180, 365)
FEW = 30
"""Below so many evaluations what is said of an evaluator is little more than chance."""


def show(viewer: Viewer) -> None:
    """The table, what it says, and what it must not be used for."""
    days = int(
        segmented_choice.ask(
            "days",
            _("Period"),
            {str(span): ngettext("Last {n} day", "Last {n} days", span) for span in SPANS},
            key="evaluators_days",
        )
    )
    period = Period(environment.today() - timedelta(days=days), environment.today())
    found = cached.find_evaluators(viewer, period)
    if not found.figures:
        with st.container(border=True):
            cards.show_heading(
                ChartTitle(_("No evaluation in this period")), _("Choose a longer one.")
            )
        return
    outcomes = {
        outcome.key: outcome
        for outcome in disputes.count_outcomes(viewer, period).by_evaluator or ()
    }
    with st.container(border=True, gap="xxsmall"):
        cards.show_heading(
            _find(found),
            _("Contacts of {period}. By name, not by rank.", period=formatting.period(period)),
        )
        head = _("Evaluator")
        rows = [
            {
                head: item.name or formatting.name("evaluator", None),
                _("Evaluations"): item.n,
                _("Mean score"): formatting.value(item.mean, Unit.SCORE),
                _("Spread"): formatting.value(item.deviation, Unit.SCORE)
                if item.deviation is not None
                else None,
                _("Severity"): _describe_effect(item.severity),
                _("Shrunk"): formatting.change(item.severity.shrunk, Unit.SCORE)
                if item.severity
                else None,
                _("Disputes lost"): _describe_lost(outcomes.get(item.evaluator)),
                _("Median time"): formatting.duration(item.median_seconds)
                if item.median_seconds is not None
                else None,
            }
            for item in found.figures
        ]
        if all(item.median_seconds is None for item in found.figures):
            rows = [
                {title: value for title, value in row.items() if title != _("Median time")}
                for row in rows
            ]
        config = {
            head: tables.name_column(head, 150),
            _("Evaluations"): tables.count_column(_("Evaluations"), 90),
            _("Severity"): st.column_config.TextColumn(_("Severity"), width=150),
        }
        tables.show(rows, config, "table_evaluators", height=420)
        if found.apart or found.apart_grids:
            st.warning(_describe_apart(found), icon=":material/link_off:")
        st.caption(
            _(
                "Severity: points that an evaluator gives less (+) or more (−) than the others "
                "would give to the same advisors on the same grid, with its "
                "95 % interval. Shrunk: drawn to nought by what chance did. Spread: standard "
                "deviation of the scores."
            )
        )
        st.caption(
            _(
                "Disputes lost: answers changed of those decided. Median time: of evaluations "
                "filled here; imported ones do not say."
            )
        )
        st.warning(
            _(
                "A severity compares people who did not hear the same contacts: it assumes "
                "that contacts came to evaluators by chance. It is a reason to "
                "calibrate together, never one to judge an evaluator, and no score is changed "
                "by it."
            ),
            icon=":material/warning:",
        )


def _find(found: Evaluators) -> ChartTitle:
    known = [
        item
        for item in found.figures
        if item.severity is not None and item.severity.low is not None
    ]
    apart = [item for item in known if item.severity.low > 0 or item.severity.high < 0]
    if len(known) < 2:
        return ChartTitle(_("How strict evaluators are cannot be compared here"))
    if not apart:
        return ChartTitle(_("No evaluator is stricter than the others by more than chance"))
    values = [item.severity.value for item in known]
    size = formatting.change(max(values) - min(values), Unit.SCORE).lstrip("+")
    return ChartTitle(
        _("The strictest and the most lenient evaluator lie {size} apart", size=size), "attention"
    )


def _describe_effect(effect: RaterEffect | None) -> str | None:
    if effect is None:
        return None
    value = formatting.change(effect.value, Unit.SCORE)
    if effect.low is None:
        return value
    few = " · " + _("small sample") if effect.n < FEW else ""
    return (
        f"{value}  ({formatting.number(effect.low, 1)} – {formatting.number(effect.high, 1)}){few}"
    )


def _describe_lost(outcome: DisputeOutcome | None) -> str | None:
    return (
        _("{changed} of {decided}", changed=outcome.changed, decided=outcome.decided)
        if outcome and outcome.decided
        else None
    )


def _describe_apart(found: Evaluators) -> str:
    if found.apart:
        names = cards.escape(formatting.listing(found.apart))
        return _(
            "Nothing connects {names} with the others: they share no advisor on the same grid. "
            "No severity is given.",
            names=names,
        )
    names = cards.escape(formatting.listing(found.apart_grids))
    return _(
        "Nothing connects the grids: {names} met advisors whom no other grid met. No severity "
        "is given.",
        names=names,
    )
