"""After a calibration: whose marks the others are held against, and what was agreed on
for a contact, criterion by criterion.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import i18n
from qa_core.base.errors import Refusal
from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.quality import calibration
from qa_core.quality.calibration import CalibrationSession, Results, SessionContact
from qa_core.quality.calibration.sessions import LONGEST_NOTE
from qa_core.scoring import NOT_APPLICABLE, Criterion
from qa_core.ui import gate

OUTCOME = "calibration_outcome"


def show_reference(found: CalibrationSession) -> None:
    """Choose the reference of a round, or none."""
    present = {contact.reference_evaluator for contact in found.contacts}
    usual = next(iter(present)) if len(present) == 1 else None
    options = [None, *found.evaluators]
    st.selectbox(
        _("Reference"),
        options,
        index=options.index(usual) if usual in options else 0,
        format_func=lambda name: found.evaluators.get(name) or _("None: each against all"),
        key=f"reference_{found.id}",
        on_change=_set_reference,
        args=(found.id,),
    )


def _set_reference(number: int) -> None:
    try:
        calibration.set_reference(
            gate.current_viewer(Permission.MANAGE_CALIBRATIONS),
            number,
            st.session_state.get(f"reference_{number}"),
        )
    except Refusal as refusal:
        gate.show_refusal(refusal)


def show(viewer: Viewer, results: Results, contact: SessionContact) -> None:
    """What was agreed on, and for who manages the round the form to write it down."""
    agreed = contact.consensus
    if agreed and agreed.get("note"):
        st.caption(_("Why this was agreed on"))
        st.text(agreed["note"])
    if not viewer.can(Permission.MANAGE_CALIBRATIONS):
        return
    title = _("Change what was agreed on") if agreed else _("Write down what was agreed on")
    with st.expander(title, icon=":material/handshake:"):
        _ask(results, contact)


def _ask(results: Results, contact: SessionContact) -> None:
    found, agreed = results.round, contact.consensus or {"answers": {}, "note": ""}
    answers: dict[str, Any] = {}
    with st.form(f"consensus_{contact.id}", border=False):
        columns = st.columns(2, gap="medium")
        for place, criterion in enumerate(found.grid.criteria):
            with columns[place % 2]:
                answers[criterion.key] = _ask_answer(
                    results, contact, criterion, agreed["answers"].get(criterion.key)
                )
        note = st.text_area(
            _("Why"),
            agreed["note"],
            max_chars=LONGEST_NOTE,
            height=90,
            help=_("No names of customers."),
            key=f"note_{contact.id}",
        )
        if not st.form_submit_button(_("Save"), type="primary", icon=":material/save:"):
            return
    given = {key: value for key, value in answers.items() if value is not None}
    try:
        calibration.agree(
            gate.current_viewer(Permission.MANAGE_CALIBRATIONS), contact.id, given, note
        )
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    st.session_state[OUTCOME] = _("Saved.")
    st.rerun()


def _ask_answer(
    results: Results, contact: SessionContact, criterion: Criterion, agreed: Any
) -> Any:
    """One answer: offered is what the grid allows; suggested is what was agreed on,
    else what all gave alike.
    """
    given = {
        marks.get(criterion.key)
        for (number, _evaluator), marks in results.marks.items()
        if number == contact.id
    }
    if agreed is None and len(given) == 1:
        alike = next(iter(given))
        agreed = NOT_APPLICABLE if alike is None else alike
    label, key = criterion.text.in_language(i18n.language()), f"agreed_{contact.id}_{criterion.key}"
    whole = criterion.points.denominator == 1
    levels = [float(level) for level in criterion.levels] or (
        [float(points) for points in range(int(criterion.points) + 1)] if whole else []
    )
    options: list[Any] = [*levels, *([NOT_APPLICABLE] if criterion.not_applicable else [])]
    if agreed is not None and agreed not in options:
        options.append(agreed)
    return st.selectbox(
        gate.escape(label),
        options,
        index=options.index(agreed) if agreed is not None else None,
        format_func=lambda value: (
            _("n/a")
            if value == NOT_APPLICABLE
            else formatting.number(value, 0 if float(value).is_integer() else 1)
        ),
        key=key,
        placeholder=_("Choose"),
    )
