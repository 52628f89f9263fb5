"""Answers of an evaluation in words, and the choice of another one."""

from typing import Any

import streamlit as st

from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.quality.evaluations.evaluation_view_types import AnswerView
from qa_core.scoring import NOT_APPLICABLE


def describe(points: float | None) -> str:
    """Return `1.5` or "not applicable"."""
    if points is None:
        return _("not applicable")
    return formatting.number(points, 0 if float(points).is_integer() else 2)


def of_most(points: float | None, most: float) -> str:
    """Return `1 of 2`, or "not applicable"."""
    if points is None:
        return describe(None)
    return _("{points} of {most}", points=describe(points), most=describe(most))


def find_options(answer: AnswerView, without: tuple[float | None, ...]) -> list[float | None]:
    """Return the answers to choose from but those; None stands for not applicable."""
    levels: list[float | None] = [level for level in answer.levels if level not in without]
    return levels + ([None] if answer.not_applicable and None not in without else [])


def can_ask(answer: AnswerView, without: tuple[float | None, ...]) -> bool:
    """Return whether any other answer than those is left to choose."""
    return not answer.levels or bool(find_options(answer, without))


def ask(label: str, answer: AnswerView, key: str, without: tuple[float | None, ...]) -> Any:
    """Ask for an answer of that criterion but those: points, "na", or None without one."""
    options = find_options(answer, without)
    if not answer.levels:
        can_leave_out = None in options
        is_left_out = can_leave_out and st.checkbox(_("not applicable"), key=f"{key}_na")
        points = st.number_input(
            label, 0.0, answer.most, value=None, step=answer.most / 4, key=key, disabled=is_left_out
        )
        return NOT_APPLICABLE if is_left_out else points
    place = st.radio(
        label,
        range(len(options)),
        format_func=lambda place: of_most(options[place], answer.most),
        index=None,
        horizontal=True,
        key=key,
    )
    if place is None or place >= len(options):
        return None
    return NOT_APPLICABLE if options[place] is None else options[place]
