"""A scorecard as evaluators will see it, with its arithmetic; nothing of it is kept."""

from typing import Any

import streamlit as st

from qa_core import scoring
from qa_core.base.i18n import _, ngettext
from qa_core.metrics.kpis import formatting
from qa_core.quality.scorecards import table, worked_score
from qa_core.scoring import NOT_APPLICABLE, Criterion, Result, Scorecard
from qa_core.ui.frame import layout, styles
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import cards, evaluation_tables, scorecard_answers, tables
from qa_core.ui.widgets.scorecard_answers import describe_text

ICONS = {"pass": ":green[:material/check_circle:] ", "fail": ":red[:material/cancel:] "}


def show(scorecard: Scorecard, key: str) -> None:
    """Show the scorecard on the left, its score on the right. `key`: unique on the page."""
    st.subheader(_("Try it"), anchor=False)
    text = _(
        "As the evaluator will see it. Answer to see the effect of each answer; nothing is saved."
    )
    st.caption(text)
    styles.keep_in_view()
    left, right = st.columns([4, 3], gap="medium")
    container = right.container(key="stays_in_view")
    notes: dict[str, Any] = {}
    answers: dict[str, Any] = {}
    with left:
        for section in scorecard.sections:
            with cards.card(describe_text(section.text), gap="small"):
                notes[section.name] = st.empty()
                for criterion in section.criteria:
                    answers[criterion.key], notes[criterion.key] = _show_criterion(criterion, key)
    result = scoring.score(scorecard, answers)
    weights = {answer.key: answer for answer in result.answers}
    for criterion in scorecard.criteria:
        notes[criterion.key].caption(_describe_weight(criterion, weights[criterion.key]))
    for part in worked_score.find_sums(scorecard, result):
        notes[part.name].caption(_describe_section(part))
    with container:
        _show_result(scorecard, result, key)


def _show_criterion(criterion: Criterion, key: str) -> tuple[Any, Any]:
    """Ask for the answer, all points at first; return it with the place for its weight."""
    with st.container(gap="xxsmall"):
        st.markdown(f"**{escape(describe_text(criterion.text))}**")
        if criterion.help:
            st.caption(escape(describe_text(criterion.help)))
        scorecard_answers.show_notes(criterion)
        container = st.empty()
        return _ask(criterion, f"{key}_{criterion.key}"), container


def _ask(criterion: Criterion, key: str) -> Any:
    label = escape(describe_text(criterion.text))
    levels = [table.as_number(level) for level in scorecard_answers.find_levels(criterion)]
    if levels:
        options = [*levels, *([NOT_APPLICABLE] if criterion.not_applicable else [])]
        return st.segmented_control(
            label,
            options,
            # A bonus is given on top, so it is not taken for granted.
            default=levels[0] if criterion.bonus else levels[-1],
            required=True,
            format_func=lambda option: scorecard_answers.describe(
                criterion, scorecard_answers.code(option)
            ),
            # A scorecard that is being written changes its options.
            key=f"{key}_{options}",
            label_visibility="collapsed",
        )
    highest = table.as_number(criterion.points)
    with layout.row():
        points = st.number_input(
            label,
            0.0,
            float(highest),
            0.0 if criterion.bonus else float(highest),
            key=f"{key}_{highest}",
            label_visibility="collapsed",
        )
        if criterion.not_applicable and st.checkbox(_("Not applicable"), key=f"{key}_na"):
            return NOT_APPLICABLE
    return points


def _show_result(scorecard: Scorecard, result: Result, key: str) -> None:
    outcome = _(evaluation_tables.OUTCOMES.get(result.outcome or "", "")) or "–"
    with cards.card(gap="small"):
        icon = ICONS.get(result.outcome or "", "")
        st.markdown(f"### {icon}{_format_score(result.score) or '–'} · {outcome}")
        st.caption(_(worked_score.FORMULAS[scorecard.method]))
        if formula := worked_score.write_formula(scorecard, result):
            st.code(formula, language=None, wrap_lines=True)
        for sentence in worked_score.describe_steps(scorecard, result):
            st.text(sentence)
        exactly = table.describe_exactly
        columns = (
            tables.name_column(_("Section"), lambda part: part.title, None),
            tables.number_text_column(
                _("Points"), lambda part: f"{exactly(part.earned)} / {exactly(part.possible)}", 62
            ),
            tables.number_text_column(
                _("Weight"),
                lambda part: formatting.percent(float(part.share)) if part.share else "–",
                70,
            ),
            tables.number_text_column(_("Score"), lambda part: _format_score(part.score), 62),
        )
        tables.show(worked_score.find_sums(scorecard, result), columns, f"sums_{key}", room=345)
        if result.calculated_score != result.score:
            score = _format_score(result.calculated_score)
            st.caption(_("Before the critical error: {score}.", score=score))


def _format_score(score: Any) -> str | None:
    return None if score is None else formatting.value(float(score), "score")


def _describe_weight(criterion: Criterion, answer: scoring.Answer) -> str:
    if criterion.points.denominator == 1:
        points = ngettext("{n} point", "{n} points", int(criterion.points))
    else:
        points = _("{points} points", points=formatting.number(float(criterion.points), 1))
    if criterion.bonus:
        return f"{points} · {_('Bonus')}"
    if not answer.applicable:
        return f"{points} · {_('N/A')}"
    share = formatting.percent(float(answer.applied_weight))
    return f"{points} · " + _("{share} of the total", share=share)


def _describe_section(part: worked_score.SectionSum) -> str:
    weight = table.describe_exactly(part.weight)
    text = _("{what}: {text}", what=_("Weight"), text=weight)
    if not part.share:
        return text
    share = _("{share} of the total", share=formatting.percent(float(part.share)))
    return f"{text} · {share}"
