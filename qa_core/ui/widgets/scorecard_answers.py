"""The answers of a scorecard as widgets, with comments. Who shows them saves them."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from qa_core import scoring
from qa_core.base import i18n
from qa_core.base.i18n import N_, _, capitalise
from qa_core.metrics.kpis import formatting
from qa_core.quality.evaluations.drafts import Draft
from qa_core.scoring import NOT_APPLICABLE, Criterion, CriticalClass, Fails
from qa_core.ui.frame import layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import personal_data

PICKED = N_("Picked by hand: counts in no figure")
MAX_COMMENT = 1000
MAX_BUTTONS = 6
"""Points from which on a criterion without levels is a number to type."""
OVERALL = ""
"""Stands for the whole evaluation among the criteria of comments."""
HARMS = {
    CriticalClass.CUSTOMER: N_("Critical for the customer"),
    CriticalClass.BUSINESS: N_("Critical for the business"),
    CriticalClass.COMPLIANCE: N_("Critical for compliance"),
}
FAILS = {
    Fails.GRID: N_("0 fails the whole evaluation"),
    Fails.SECTION: N_("0 sets this section to 0"),
}


def describe_failure(harm: str | None, text: scoring.Text | None, fails: str) -> str:
    """Describe a critical error: its harm, its criterion, and the consequence."""
    consequence = _(FAILS[Fails.GRID if fails == Fails.GRID else Fails.SECTION])
    return _(
        "{what}: {text}",
        what=_(HARMS[CriticalClass(harm)]) if harm else _("Critical error"),
        text=f"{describe_text(text)}. {consequence}.",
    )


def name(prefix: str, kind: str, criterion: str) -> str:
    """Return the key of a widget; `kind`: answer, na, comment."""
    return f"{prefix}{kind}_{criterion}"


def fill(prefix: str, draft: Draft, only_missing: bool = False) -> None:
    """Put the answers and comments of an evaluation into the widgets, before they are shown."""
    _put({name(prefix, "comment", OVERALL): draft.comment}, only_missing)
    for criterion in draft.scorecard.criteria:
        put(prefix, criterion, draft, only_missing)


def put(prefix: str, criterion: Criterion, draft: Draft, only_missing: bool = False) -> None:
    """Put the answer and the comment of one criterion into its widgets."""
    key = criterion.key
    answer = draft.answers.get(key)
    values: dict[str, Any] = {name(prefix, "comment", key): draft.comments.get(key, "")}
    if _is_number(criterion):
        is_points = answer not in (None, NOT_APPLICABLE)
        values[name(prefix, "answer", key)] = float(answer) if is_points else None
        values[name(prefix, "na", key)] = answer == NOT_APPLICABLE
    else:
        values[name(prefix, "answer", key)] = code(answer)
    _put(values, only_missing)


def forget(prefix: str) -> None:
    """Remove all widget values of this tab under that prefix."""
    for widget in [widget for widget in st.session_state if str(widget).startswith(prefix)]:
        del st.session_state[widget]


def read(prefix: str, scorecard: scoring.Scorecard) -> dict[str, Any]:
    """Return what the widgets hold: {answers, comments, comment}."""
    state = st.session_state
    answers: dict[str, Any] = {}
    for criterion in scorecard.criteria:
        given = state.get(name(prefix, "answer", criterion.key))
        if state.get(name(prefix, "na", criterion.key)) or given == NOT_APPLICABLE:
            answers[criterion.key] = NOT_APPLICABLE
        elif given is not None:
            points = float(given)
            answers[criterion.key] = int(points) if points.is_integer() else points
    comments = {
        key: state.get(name(prefix, "comment", key)) or ""
        for key in (OVERALL, *(criterion.key for criterion in scorecard.criteria))
    }
    return {"answers": answers, "comment": comments.pop(OVERALL), "comments": comments}


def show_notes(criterion: Criterion) -> None:
    """Show what is special about a criterion: what 0 does, and a bonus."""
    if criterion.critical:
        st.caption(
            f":red[:material/report:] {_(HARMS[criterion.critical])} · {_(FAILS[criterion.fails])}"
        )
    if criterion.bonus:
        bonus = _("Bonus: adds points, never removes any")
        st.caption(f":green[:material/add_circle:] {bonus}")


def ask(prefix: str, criterion: Criterion, hook: Mapping[str, Any], disabled: bool) -> None:
    """Ask for one answer: buttons for its levels, or a number. `hook`: what a change calls."""
    widget = name(prefix, "answer", criterion.key)
    label = escape(describe_text(criterion.text))
    if _is_number(criterion):
        na = name(prefix, "na", criterion.key)
        is_na = criterion.not_applicable and bool(st.session_state.get(na))
        st.number_input(
            label,
            min_value=0.0,
            max_value=float(criterion.points),
            step=1.0,
            format="%g",
            key=widget,
            placeholder=_("0 to {points}", points=code(criterion.points)),
            label_visibility="collapsed",
            disabled=disabled or is_na,
            width=140,
            **hook,
        )
        if criterion.not_applicable:
            st.checkbox(_("Not applicable"), key=na, disabled=disabled, **hook)
        return
    options = [code(level) for level in find_levels(criterion)]
    if criterion.not_applicable:
        options.append(NOT_APPLICABLE)
    stored = st.session_state.get(widget)
    if stored is not None and stored not in options:
        options.append(stored)
    st.segmented_control(
        label,
        options,
        format_func=lambda option: describe(criterion, option),
        key=widget,
        label_visibility="collapsed",
        disabled=disabled,
        **hook,
    )


def show_criterion(
    prefix: str,
    criterion: Criterion,
    comment: str,
    hook: Mapping[str, Any] = {},
    locked: str = "",
    is_bold: bool = False,
) -> None:
    """Show a criterion, its guidance for the pointer, with its answer and its comment to give;
    only those given, with the reason, if it is `locked`. `comment`: the one that is kept.
    """
    with st.container(gap="xxsmall", key=name(prefix, "box", criterion.key)):
        text = escape(describe_text(criterion.text))
        guidance = escape(describe_text(criterion.help)) if criterion.help else None
        st.markdown(f"**{text}**" if is_bold else text, help=guidance)
        show_notes(criterion)
        with layout.row():
            ask(prefix, criterion, hook, disabled=bool(locked))
            if not locked:
                icon = ":material/chat:" if comment else ":material/add_comment:"
                with st.popover(_("Comment"), icon=icon, type="tertiary"):
                    ask_comment(prefix, criterion.key, describe_text(criterion.text), hook)
        if locked:
            st.caption(f":material/gavel: {escape(locked)}")
        if comment:
            st.text(comment)
            personal_data.show_hint(comment)


def ask_comment(prefix: str, criterion: str, label: str, hook: Mapping[str, Any] = {}) -> None:
    """Ask for the comment on one answer, or on the whole (`OVERALL`)."""
    st.text_area(
        label,
        key=name(prefix, "comment", criterion),
        max_chars=MAX_COMMENT,
        height=96,
        help=_(
            "Write only what the work needs: no names, numbers or health of customers. Numbers "
            "and addresses are masked."
        ),
        **hook,
    )


def find_levels(criterion: Criterion) -> list[Any]:
    """Return the answers to choose from; empty where points are typed."""
    if criterion.levels:
        return sorted(criterion.levels)
    return [] if _is_number(criterion) else list(range(int(criterion.points) + 1))


def code(value: Any) -> str | None:
    """Return an answer as the widgets name it: "1.5", "na", or None without one."""
    return None if value is None else value if value == NOT_APPLICABLE else f"{float(value):g}"


def describe(criterion: Criterion, given: str | None) -> str:
    """Return the code of an answer in words."""
    if given is None:
        return _("no answer")
    if criterion.points == 1 and given in ("0", "1"):
        return capitalise(_("yes") if given == "1" else _("no"))
    return format_points(given)


def format_points(given: float | str | None) -> str:
    """Return points as `1.5`, with two decimals at most; "N/A" without any."""
    if given in (None, NOT_APPLICABLE):
        return _("N/A")
    decimals = f"{float(given):.2f}".rstrip("0").partition(".")[2]
    return formatting.number(float(given), len(decimals))


def format_score(score: Any, short: bool = False) -> str:
    """Return a score that is exact so far, as a fraction; "no data" without one."""
    return formatting.value(None if score is None else float(score), "score", short=short)


def describe_text(text: scoring.Text | None) -> str:
    """Return a text of the scorecard in the reader's language."""
    return text.in_language(i18n.language()) if text else ""


def _put(values: Mapping[str, Any], only_missing: bool) -> None:
    for widget, content in values.items():
        if not only_missing or widget not in st.session_state:
            st.session_state[widget] = content


def _is_number(criterion: Criterion) -> bool:
    return not criterion.levels and (
        criterion.points.denominator != 1 or criterion.points >= MAX_BUTTONS
    )
