"""The answers of a grid as widgets: one for each criterion, what they hold, and how an
answer is said. Whoever shows them decides when they are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from qa_core import scoring
from qa_core.base import i18n, masking
from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.scoring import NOT_APPLICABLE, Criterion

LONGEST_COMMENT = 1000
MOST_BUTTONS = 6
"""Up to so many whole points are buttons where the grid names no levels; beyond, a
number is typed.
"""
OVERALL = ""
"""Stands for the evaluation as a whole among the criteria that comments belong to."""


def name(prefix: str, kind: str, criterion: str) -> str:
    """The name of a widget; `kind`: answer, na, comment."""
    return f"{prefix}{kind}_{criterion}"


def fill(
    prefix: str,
    plan: scoring.Scorecard,
    answers: Mapping[str, Any],
    comments: Mapping[str, str],
    comment: str,
    only_missing: bool = False,
) -> None:
    """Put these answers and comments into the widgets, before they are shown."""
    _put({name(prefix, "comment", OVERALL): comment}, only_missing)
    for criterion in plan.criteria:
        put(
            prefix,
            criterion,
            answers.get(criterion.key),
            comments.get(criterion.key, ""),
            only_missing,
        )


def put(
    prefix: str, criterion: Criterion, answer: Any, comment: str, only_missing: bool = False
) -> None:
    """Put the answer and the comment of one criterion into its widgets, before they are
    shown.
    """
    wanted: dict[str, Any] = {name(prefix, "comment", criterion.key): comment}
    if _is_number(criterion):
        wanted[name(prefix, "answer", criterion.key)] = (
            None if answer in (None, NOT_APPLICABLE) else float(answer)
        )
        wanted[name(prefix, "na", criterion.key)] = answer == NOT_APPLICABLE
    else:
        wanted[name(prefix, "answer", criterion.key)] = code(answer)
    _put(wanted, only_missing)


def forget(prefix: str) -> None:
    """Let go of all that this tab holds under that prefix."""
    for widget in [widget for widget in st.session_state if str(widget).startswith(prefix)]:
        del st.session_state[widget]


def read(prefix: str, plan: scoring.Scorecard) -> dict[str, Any]:
    """What the widgets hold: {answers, comments, comment}."""
    answers: dict[str, Any] = {}
    for criterion in plan.criteria:
        given = st.session_state.get(name(prefix, "answer", criterion.key))
        if st.session_state.get(name(prefix, "na", criterion.key)) or given == NOT_APPLICABLE:
            answers[criterion.key] = NOT_APPLICABLE
        elif given is not None:
            points = float(given)
            answers[criterion.key] = int(points) if points.is_integer() else points
    comments = {
        criterion.key: st.session_state.get(name(prefix, "comment", criterion.key)) or ""
        for criterion in plan.criteria
    }
    return {
        "answers": answers,
        "comments": comments,
        "comment": st.session_state.get(name(prefix, "comment", OVERALL)) or "",
    }


def ask(
    prefix: str,
    criterion: Criterion,
    on_change: Callable[..., None] | None = None,
    args: tuple[Any, ...] = (),
    disabled: bool = False,
) -> None:
    """The answer to one criterion: buttons for its levels, or a number."""
    widget, label = name(prefix, "answer", criterion.key), describe_text(criterion.text)
    if _is_number(criterion):
        is_na = criterion.not_applicable and st.session_state.get(name(prefix, "na", criterion.key))
        st.number_input(
            label,
            min_value=0.0,
            max_value=float(criterion.points),
            step=1.0,
            format="%g",
            key=widget,
            placeholder=_("0 to {points}", points=code(criterion.points)),
            label_visibility="collapsed",
            disabled=disabled or bool(is_na),
            width=140,
            on_change=on_change,
            args=args,
        )
        if criterion.not_applicable:
            st.checkbox(
                _("Not applicable"),
                key=name(prefix, "na", criterion.key),
                on_change=on_change,
                args=args,
                disabled=disabled,
            )
        return
    options = [code(level) for level in _levels(criterion)] + (
        [NOT_APPLICABLE] if criterion.not_applicable else []
    )
    stored = st.session_state.get(widget)
    if stored is not None and stored not in options:
        options.append(stored)
    st.segmented_control(
        label,
        options,
        format_func=lambda option: describe(criterion, option),
        key=widget,
        label_visibility="collapsed",
        on_change=on_change,
        args=args,
        disabled=disabled,
    )


def ask_comment(
    prefix: str,
    criterion: str,
    label: str,
    on_change: Callable[..., None] | None = None,
    args: tuple[Any, ...] = (),
) -> None:
    """The words beside one answer, or beside the whole (`OVERALL`)."""
    st.text_area(
        label,
        key=name(prefix, "comment", criterion),
        max_chars=LONGEST_COMMENT,
        height=96,
        help=_(
            "Only what the work needs: no names, numbers or health of customers. Numbers and "
            "addresses are masked."
        ),
        on_change=on_change,
        args=args,
    )


def warn(text: str) -> None:
    """Say what seems to be personal in a text, while it is written."""
    kinds = dict.fromkeys(
        _(masking.KINDS[found.kind]) for found in masking.find_personal_data(text)
    )
    if kinds:
        said = _("This seems to hold personal data: {kinds}.", kinds=formatting.listing(kinds))
        st.caption(f":orange[:material/warning:] {said}")


def find_kinds(texts: list[str]) -> list[str]:
    """The titles of the kinds of personal data that these texts seem to hold, in the
    language spoken.
    """
    kinds = dict.fromkeys(
        found.kind for text in texts for found in masking.find_personal_data(text)
    )
    return [_(masking.KINDS[kind]) for kind in kinds]


def code(value: Any) -> str | None:
    """An answer as the widgets name it: "1.5", "na", or None without one."""
    return None if value is None else value if value == NOT_APPLICABLE else f"{float(value):g}"


def describe(criterion: Criterion, given: str | None) -> str:
    """The code of an answer in words."""
    if given is None:
        return _("no answer")
    if given == NOT_APPLICABLE:
        return _("N/A")
    if criterion.points == 1 and given in ("0", "1"):
        return _("Yes") if given == "1" else _("No")
    return formatting.number(float(given), 0 if float(given).is_integer() else 1)


def describe_text(text: scoring.Text | None) -> str:
    """A text of the grid in the language spoken."""
    return text.in_language(i18n.language()) if text else ""


def _put(wanted: Mapping[str, Any], only_missing: bool) -> None:
    for widget, content in wanted.items():
        if not only_missing or widget not in st.session_state:
            st.session_state[widget] = content


def _levels(criterion: Criterion) -> list[Any]:
    return sorted(criterion.levels) if criterion.levels else list(range(int(criterion.points) + 1))


def _is_number(criterion: Criterion) -> bool:
    return not criterion.levels and (
        criterion.points.denominator != 1 or criterion.points >= MOST_BUTTONS
    )
