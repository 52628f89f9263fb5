"""Answers of a grid in words: points of the most that there are, or not applicable; the
choice of one; and care with what is written beside.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from qa_core.base import masking
from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.quality.evaluations.evaluation_view_types import AnswerView
from qa_core.scoring import NOT_APPLICABLE


def describe(points: float | None) -> str:
    """1.5 or "not applicable"."""
    return (
        _("not applicable")
        if points is None
        else formatting.number(points, 0 if float(points).is_integer() else 2)
    )


def of_most(points: float | None, most: float) -> str:
    """1 of 2, or "not applicable"."""
    return (
        describe(None)
        if points is None
        else _("{points} of {most}", points=describe(points), most=describe(most))
    )


def ask(label: str, answer: AnswerView, key: str, without: tuple[float | None, ...]) -> Any:
    """Let a person choose an answer of that criterion but those: points, "na", or None
    while nothing is chosen.
    """
    if not answer.levels:
        return _ask_number(label, answer, key, without)
    options: list[float | None] = [level for level in answer.levels if level not in without]
    options += [None] if answer.not_applicable and None not in without else []
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


def can_ask(answer: AnswerView, without: tuple[float | None, ...]) -> bool:
    """Whether any other answer than those is left to choose."""
    return (
        not answer.levels
        or any(level not in without for level in answer.levels)
        or (answer.not_applicable and None not in without)
    )


def warn_of_personal_data(words: str) -> None:
    """Say what seems to be personal in what somebody writes, as they write it; contact
    details are masked besides when it is kept.
    """
    found = masking.find_personal_data(words)
    if found:
        kinds = formatting.listing(dict.fromkeys(_(masking.KINDS[one.kind]) for one in found))
        st.warning(
            _(
                "This seems to hold personal data ({kinds}). Take out what is not needed.",
                kinds=kinds,
            ),
            icon=":material/shield_person:",
        )


def _ask_number(label: str, answer: AnswerView, key: str, without: tuple[float | None, ...]) -> Any:
    is_left_out = (
        answer.not_applicable
        and None not in without
        and st.checkbox(_("not applicable"), key=f"{key}_na")
    )
    points = st.number_input(
        label,
        0.0,
        answer.most,
        value=None,
        step=answer.most / 4,
        key=key,
        disabled=bool(is_left_out),
    )
    return NOT_APPLICABLE if is_left_out else points
