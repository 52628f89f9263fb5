"""The Disputes page: waiting and decided ones, and how often answers changed."""

from collections.abc import Mapping, Sequence

from qa_core.access.roles import Viewer
from qa_core.base.i18n import N_, _, capitalise, uncapitalise
from qa_core.metrics.kpis import formatting
from qa_core.metrics.rows import scorecard_texts
from qa_core.quality.evaluations import disputes
from qa_core.quality.evaluations.disputes import DisputeOutcome
from qa_core.quality.this_week import describe_waiting
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.views.quality.evaluation_answers import DECIDED, describe_request
from qa_core.ui.widgets import cards, drill, segmented_choice, tables
from qa_core.ui.widgets.scorecard_answers import format_points

STATES = {
    "open": (N_("open"), lambda line: line.decision is None),
    "decided": (N_("decided"), lambda line: line.decision is not None),
}


def show_lists(viewer: Viewer) -> None:
    """Show the disputes by state, the oldest open one first; a click opens the evaluation."""
    lines, texts = disputes.find_disputes(viewer), scorecard_texts.find_scorecard_texts(viewer)
    waiting = [line for line in lines if line.decision is None]
    with cards.card(describe_waiting(waiting)):
        shown = segmented_choice.ask_state("disputes", lines, STATES)
        columns = [
            tables.number_text_column(
                capitalise(_("waiting")), lambda line: formatting.days(line.age_days)
            ),
            tables.text_column(_("Advisor"), lambda line: line.advisor),
            tables.text_column(
                _("Criterion"), lambda line: texts.name("criterion", line.criterion), 270
            ),
            tables.text_column(
                _("Proposal"), lambda line: describe_request(line.proposed, line.original)
            ),
            tables.text_column(_("Evaluated by"), lambda line: line.evaluator),
            tables.day_text_column(_("Contact date"), lambda line: line.local_day),
            tables.text_column(_("Team"), lambda line: line.team),
        ]
        if any(line.decision is not None for line in shown):
            columns += [
                tables.text_column(
                    _("Decision"), lambda line: line.decision and _(DECIDED[line.decision])
                ),
                tables.number_text_column(_("Now"), lambda line: format_points(line.decided)),
                tables.text_column(_("By"), lambda line: line.decided_by),
                tables.day_text_column(_("When"), lambda line: line.decided_at),
            ]
        if shown or lines:
            tables.show(
                shown,
                columns,
                "disputes_list",
                lambda line: drill.to_evaluation("disputes", line.evaluation_id),
                height=420,
            )


def show_outcomes(viewer: Viewer, state: FilterState) -> None:
    """Show how many answers were disputed and changed, by criterion, and by evaluator to those
    who may see evaluators.
    """
    outcomes = disputes.count_outcomes(viewer, state.where.period)
    if evaluators := outcomes.by_evaluator:
        names = {outcome.key: outcome.name for outcome in evaluators}
        _show_outcomes(state, evaluators, names, _("By evaluator"), _("Evaluator"))
    if disputed := [outcome for outcome in outcomes.by_criterion if outcome.disputed]:
        texts = scorecard_texts.find_scorecard_texts(viewer)
        names = {outcome.key: texts.name("criterion", outcome.key) for outcome in disputed}
        _show_outcomes(state, disputed, names, _("Disputed criteria"), _("Criterion"))


def _show_outcomes(
    state: FilterState,
    outcomes: Sequence[DisputeOutcome],
    names: Mapping[str, str],
    title: str,
    heading: str,
) -> None:
    columns = (
        tables.text_column(heading, lambda outcome: names[outcome.key]),
        tables.text_column(_("Evaluations"), lambda outcome: outcome.evaluations),
        tables.text_column(_("Disputed"), lambda outcome: outcome.disputed),
        tables.text_column(_("Decided"), lambda outcome: outcome.decided),
        tables.text_column(_("Changed"), lambda outcome: outcome.changed),
        tables.number_text_column(_("Share changed"), _describe_share),
    )
    caption = _(
        "All evaluations in {period}; other filters do not apply. Changed: share of decided "
        "disputes, 95 % confidence interval.",
        period=state.period_title or uncapitalise(_("All data")),
    )
    with cards.card(title, caption):
        tables.show(outcomes, columns, f"outcomes_{heading}", height=420)


def _describe_share(outcome: DisputeOutcome) -> str | None:
    if outcome.share is None:
        return None
    between = formatting.interval(outcome.low, outcome.high, "rate")
    return f"{formatting.percent(outcome.share, 0)}  ({between})"
