"""A grid as its evaluator will see it, answerable, with the arithmetic beside it;
nothing of it is kept.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from qa_core import scoring
from qa_core.base import i18n
from qa_core.base.i18n import _, ngettext
from qa_core.metrics import formatting
from qa_core.quality.scorecards import table, worked_score
from qa_core.scoring import NOT_APPLICABLE, Criterion, Result, Scorecard
from qa_core.ui import gate, scorecard_answers, styles, tables
from qa_core.ui.scorecard_form import FAILS, HARMS

MOST_BUTTONS = 6
OUTCOMES = {"pass": ":green[:material/check_circle:] ", "fail": ":red[:material/cancel:] "}


def show(plan: Scorecard, key: str) -> None:
    """The grid on the left, what the answers come to on the right. `key` tells several
    previews apart.
    """
    st.subheader(_("Try it"), anchor=False)
    st.caption(
        _("As the evaluator will see it. Answer to see what each answer does; nothing is kept.")
    )
    styles.keep_in_view()
    left, right = st.columns([4, 3], gap="medium")
    with right:
        place = st.container(key="stays_in_view")
    shares: dict[str, Any] = {}
    with left:
        answers = {}
        for section in plan.sections:
            with st.container(border=True, gap="small"):
                st.markdown(f"##### {gate.escape(_describe(section.text))}")
                shares[section.name] = st.empty()
                for criterion in section.criteria:
                    answers[criterion.key], shares[criterion.key] = _show_criterion(criterion, key)
    result = scoring.score(plan, answers)
    weights = {answer.key: answer for answer in result.answers}
    for criterion in plan.criteria:
        shares[criterion.key].caption(_describe_weight(criterion, weights[criterion.key]))
    for one in worked_score.find_sums(plan, result):
        shares[one.name].caption(_describe_section(one))
    with place:
        _show_result(plan, result, key)


def _show_criterion(criterion: Criterion, key: str) -> tuple[Any, Any]:
    """Ask for the answer, all points at first; returns it, and the place for what it
    weighs.
    """
    with st.container(gap="xxsmall"):
        st.markdown(f"**{gate.escape(_describe(criterion.text))}**")
        if criterion.help:
            st.caption(gate.escape(_describe(criterion.help)))
        if criterion.critical:
            st.caption(
                f":red[:material/report:] {_(HARMS[criterion.critical])} · "
                f"{_(FAILS[criterion.fails])}"
            )
        if criterion.bonus:
            bonus = _("Bonus: adds points, never takes any away")
            st.caption(f":green[:material/add_circle:] {bonus}")
        place = st.empty()
        return _ask(criterion, f"{key}_{criterion.key}"), place


def _ask(criterion: Criterion, key: str) -> Any:
    label = _describe(criterion.text)
    highest = table.as_number(criterion.points)
    levels = sorted(map(table.as_number, criterion.levels)) or (
        list(range(highest + 1)) if isinstance(highest, int) and highest < MOST_BUTTONS else []
    )
    if levels:
        options = [*levels, *([NOT_APPLICABLE] if criterion.not_applicable else [])]
        # A bonus is given on top, so it is not taken for granted.
        usual = levels[0] if criterion.bonus else levels[-1]
        # The options stand in the key: a grid that is being written changes them.
        name = f"{key}_{options}"

        def say(option: Any) -> str:
            return scorecard_answers.describe(criterion, scorecard_answers.code(option))

        return st.segmented_control(
            label,
            options,
            default=usual,
            required=True,
            format_func=say,
            key=name,
            label_visibility="collapsed",
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        given = st.number_input(
            label,
            0.0,
            float(highest),
            0.0 if criterion.bonus else float(highest),
            key=f"{key}_{highest}",
            label_visibility="collapsed",
        )
        if criterion.not_applicable and st.checkbox(_("Not applicable"), key=f"{key}_na"):
            return NOT_APPLICABLE
    return given


def _show_result(plan: Scorecard, result: Result, key: str) -> None:
    with st.container(border=True, gap="small"):
        score = "–" if result.score is None else formatting.value(float(result.score), "score")
        outcome = (
            _("passed")
            if result.outcome == "pass"
            else _("not passed")
            if result.outcome == "fail"
            else _("no outcome")
        )
        st.markdown(f"### {OUTCOMES.get(result.outcome or '', '')}{score} · {outcome}")
        st.caption(_(worked_score.FORMULAS[plan.method]))
        if formula := worked_score.write_formula(plan, result):
            st.code(formula, language=None, wrap_lines=True)
        for sentence in worked_score.describe(plan, result):
            st.text(sentence)
        section, points, weight, percent = _("Section"), _("Points"), _("Weight"), _("Score")
        rows = [
            {
                section: one.title,
                points: f"{table.describe_exactly(one.earned)} / "
                f"{table.describe_exactly(one.possible)}",
                weight: formatting.percent(float(one.share)) if one.share else "–",
                percent: None if one.score is None else formatting.value(float(one.score), "score"),
            }
            for one in worked_score.find_sums(plan, result)
        ]
        config = {
            section: tables.name_column(section, 112),
            points: _narrow(points, 62),
            weight: _narrow(weight, 70),
            percent: _narrow(percent, 62),
        }
        tables.show(rows, config, f"sums_{key}")
        if result.calculated_score != result.score:
            st.caption(
                _(
                    "Before the critical error: {score}.",
                    score=formatting.value(float(result.calculated_score), "score"),
                )
            )


def _narrow(title: str, width: int) -> Any:
    return st.column_config.TextColumn(title, width=width, alignment="right")


def _describe_weight(criterion: Criterion, answer: scoring.Answer) -> str:
    points = (
        ngettext("{n} point", "{n} points", int(criterion.points))
        if criterion.points.denominator == 1
        else None
    )
    points = points or _("{points} points", points=formatting.number(float(criterion.points), 1))
    if criterion.bonus:
        return _("up to {points} on top", points=points)
    if not answer.applicable:
        return _("{points} · left out", points=points)
    return _(
        "{points} · {share} of the whole",
        points=points,
        share=formatting.percent(float(answer.applied_weight)),
    )


def _describe_section(one: worked_score.SectionSum) -> str:
    weight = _("weight {weight}", weight=table.describe_exactly(one.weight))
    return f"{weight} · " + (
        _("{share} of the whole", share=formatting.percent(float(one.share)))
        if one.share
        else _("does not apply")
    )


def _describe(text: scoring.Text) -> str:
    return text.in_language(i18n.language())
