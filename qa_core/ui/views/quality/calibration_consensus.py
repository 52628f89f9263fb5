"""The reference of a calibration session, and what was agreed on for a contact."""

from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base.i18n import _
from qa_core.metrics import formatting
from qa_core.quality import calibration
from qa_core.quality.calibration import CalibrationSession, Results, SessionContact
from qa_core.quality.calibration.sessions import LONGEST_NOTE
from qa_core.scoring import NOT_APPLICABLE, Criterion
from qa_core.ui import actions, gate, select_box
from qa_core.ui.markdown import escape
from qa_core.ui.scorecard_answers import describe_text


def show_reference(found: CalibrationSession) -> None:
    """Ask for the evaluator that the others are compared with, or none."""
    present = {contact.reference_evaluator for contact in found.contacts}
    usual = next(iter(present)) if len(present) == 1 else None
    names = {None: _("None: each against all"), **found.evaluators}
    hook = {"on_change": _set_reference, "args": (found.id,)}
    select_box.select(st, _("Reference"), names, f"reference_{found.id}", usual, **hook)


def _set_reference(number: int) -> None:
    with actions.show_refusals():
        acting = gate.current_viewer(Permission.MANAGE_CALIBRATIONS)
        calibration.set_reference(acting, number, st.session_state.get(f"reference_{number}"))


def show(viewer: Viewer, results: Results, contact: SessionContact) -> None:
    """Show what was agreed on, and to who manages the session the form to write it down."""
    agreed = contact.consensus
    if agreed and agreed.get("note"):
        st.caption(_("Reason for the agreed answers"))
        st.text(agreed["note"])
    if not viewer.can(Permission.MANAGE_CALIBRATIONS):
        return
    title = _("Change the agreed answers") if agreed else _("Record the agreed answers")
    with st.expander(title, icon=":material/handshake:"):
        _ask(results, contact)


def _ask(results: Results, contact: SessionContact) -> None:
    agreed = contact.consensus or {"answers": {}, "note": ""}
    answers: dict[str, Any] = {}
    with st.form(f"consensus_{contact.id}", border=False):
        columns = st.columns(2, gap="medium")
        for place, criterion in enumerate(results.session.scorecard.criteria):
            with columns[place % 2]:
                answers[criterion.key] = _ask_answer(
                    results, contact, criterion, agreed["answers"].get(criterion.key)
                )
        note = st.text_area(
            _("Why"),
            agreed["note"],
            max_chars=LONGEST_NOTE,
            height=90,
            help=_("Do not name customers."),
            key=f"note_{contact.id}",
        )
        if not st.form_submit_button(_("Save"), type="primary", icon=":material/save:"):
            return
    given = {key: value for key, value in answers.items() if value is not None}
    with actions.show_refusals():
        acting = gate.current_viewer(Permission.MANAGE_CALIBRATIONS)
        calibration.record_consensus(acting, contact.id, given, note)
        actions.finish(_("Saved."))


def _ask_answer(
    results: Results, contact: SessionContact, criterion: Criterion, agreed: Any
) -> Any:
    """Ask for one answer, suggesting what was agreed on, else what all gave alike."""
    given = {
        marks.get(criterion.key)
        for (number, _evaluator), marks in results.marks.items()
        if number == contact.id
    }
    if agreed is None and len(given) == 1:
        alike = next(iter(given))
        agreed = NOT_APPLICABLE if alike is None else alike
    options: list[Any] = [float(level) for level in criterion.levels]
    if not options and criterion.points.denominator == 1:
        options = [float(points) for points in range(int(criterion.points) + 1)]
    if criterion.not_applicable:
        options.append(NOT_APPLICABLE)
    if agreed is not None and agreed not in options:
        options.append(agreed)
    return st.selectbox(
        escape(describe_text(criterion.text)),
        options,
        index=options.index(agreed) if agreed is not None else None,
        format_func=lambda value: describe_points(None if value == NOT_APPLICABLE else value),
        key=f"agreed_{contact.id}_{criterion.key}",
        placeholder=_("Choose"),
    )


def describe_points(points: float | None) -> str:
    """Return a mark as people write it; None stands for not applicable."""
    if points is None:
        return _("n/a")
    return formatting.number(points, 0 if float(points).is_integer() else 1)
