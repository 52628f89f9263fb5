"""Calibration rounds: what an evaluator still has to score, how far each round is, and
the way to its results once it is closed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics import formatting
from qa_core.metrics.kpis import get_kpi
from qa_core.metrics.query.scorecard_texts import find_grid_texts
from qa_core.quality import calibration
from qa_core.quality.calibration import CalibrationSession, Task
from qa_core.ui import cached, cards, drill, gate, segmented_choice, tables
from qa_core.ui.views.quality import calibration_form, calibration_results, evaluators

TABLE, ROUND, OUTCOME, CLOSING = (
    "table_calibrations",
    "round",
    "calibration_outcome",
    "calibration_closing",
)
VIEWS = {"rounds": N_("Rounds"), "new": N_("Open a round"), "evaluators": N_("Evaluators")}
STATES = {"waiting": N_("Waiting"), "started": N_("Started"), "done": N_("Done")}


def show(viewer: Viewer) -> None:
    """The rounds; who manages them may open one, and look at evaluators over all their
    evaluations.
    """
    if said := st.session_state.pop(OUTCOME, None):
        st.success(said, icon=":material/check:")
    chosen = "rounds"
    if viewer.can(Permission.MANAGE_CALIBRATIONS):
        chosen = segmented_choice.ask(
            "view",
            _("View"),
            {key: _(title) for key, title in VIEWS.items()},
            key="calibration_view",
        )
    if chosen == "new":
        calibration_form.show(viewer, _open)
    elif chosen == "evaluators":
        evaluators.show(viewer)
    else:
        _show_rounds(viewer)


def _open(number: int) -> None:
    """After opening a round: show it."""
    st.session_state[OUTCOME] = _("The round is open. Its evaluators find it on this page.")
    st.query_params.from_dict({ROUND: str(number)})
    st.rerun()


def _show_rounds(viewer: Viewer) -> None:
    if viewer.can(Permission.FILL_GRIDS):
        _show_tasks(calibration.find_worklist(viewer))
    rounds = calibration.find_sessions(viewer)
    if not rounds:
        with st.container(border=True):
            how = _("A manager opens one, on contacts that two evaluators or more then score.")
            if viewer.can(Permission.MANAGE_CALIBRATIONS):
                how = _(
                    "Open one above, on contacts that two evaluators or more then score: do "
                    "they read the grid alike?"
                )
            cards.show_heading(ChartTitle(_("There is no calibration round yet")), how)
        return
    _show_list(viewer, rounds)
    if viewer.can(Permission.MANAGE_CALIBRATIONS):
        _show_all_closed(viewer)
    asked = st.query_params.get(ROUND)
    found = next(
        (item for item in rounds if str(item.id) == asked),
        next((item for item in rounds if not item.is_open), rounds[0]),
    )
    if found.is_open:
        _show_open(viewer, found)
    else:
        calibration_results.show(viewer, found)


def _show_tasks(tasks: Sequence[Task]) -> None:
    """What is still to score, with the way into the form."""
    left = [task for task in tasks if task.state != "done"]
    if not left:
        return
    with st.container(border=True, gap="xsmall"):
        late = any(task.is_overdue for task in left)
        text = ngettext("{n} contact to score", "{n} contacts to score", len(left))
        cards.show_heading(
            ChartTitle(text, "attention" if late else ""),
            _("Score as you would any other. Nobody sees your marks before the round is closed."),
        )
        for task in left:
            with st.container(
                horizontal=True,
                vertical_alignment="center",
                gap="small",
                key=f"task_{task.contact_number}",
            ):
                label = _("Go on") if task.state == "started" else _("Score it")
                icon = ":material/edit:" if task.state == "started" else ":material/headphones:"
                st.button(
                    label,
                    key=f"score_{task.contact_number}",
                    icon=icon,
                    on_click=_start,
                    args=(task.contact_number,),
                )
                due = _("due {day}", day=formatting.day(task.due_on)) if task.due_on else None
                st.text(
                    " · ".join(
                        filter(
                            None,
                            (
                                task.title,
                                calibration_results.name_contact(task.position, task.local_start),
                                due,
                            ),
                        )
                    )
                )


def _start(contact_number: int) -> None:
    viewer = gate.current_viewer(Permission.SEE_CALIBRATIONS)
    try:
        drill.to_draft(calibration.start(viewer, contact_number))
    except Refusal as refusal:
        gate.show_refusal(refusal)


def _show_list(viewer: Viewer, rounds: Sequence[CalibrationSession]) -> None:
    head, contacts, finished, due, state = (
        _("Round"),
        _("Contacts"),
        _("Evaluations"),
        _("Due"),
        _("State"),
    )
    rows = []
    for item in rounds:
        expected = len(item.contacts) * len(item.finished)
        rows.append(
            {
                head: item.title,
                _("Grid"): calibration_results.in_language(item.grid.text),
                contacts: len(item.contacts),
                finished: _("{done} of {all}", done=sum(item.finished.values()), all=expected),
                due: ("⚠ " if item.is_overdue else "") + formatting.day(item.due_on, year=True)
                if item.due_on
                else None,
                state: _("open")
                if item.is_open
                else _(
                    "closed on {day}",
                    day=formatting.day(environment.to_local(item.closed_at).date()),
                ),
            }
        )

    def choose() -> None:
        cells = st.session_state[TABLE]["selection"]["cells"]
        if cells:
            st.query_params[ROUND] = str(rounds[cells[0][0]].id)

    waiting = sum(item.is_open for item in rounds)
    with st.container(border=True, gap="xxsmall"):
        text = (
            ngettext("{n} round is open", "{n} rounds are open", waiting)
            if waiting
            else _("No round is open")
        )
        cards.show_heading(ChartTitle(text), _("Click a line to see the round below."))
        tables.show(
            rows,
            {head: tables.name_column(head, 220), contacts: tables.count_column(contacts)},
            TABLE,
            choose,
            height=260,
        )


def _show_all_closed(viewer: Viewer) -> None:
    """The two KPIs of calibration over all closed rounds, criterion by criterion, the
    least alike first.
    """
    (whole,) = cached.measure(viewer, ("alignment",)).itertuples()
    if formatting.is_missing(whole.value):
        return
    alignment, agreement = (get_kpi(key) for key in ("alignment", "agreement"))
    parts: dict[tuple[str, str], dict[str, Any]] = {}
    for row in cached.measure(
        viewer, ("alignment", "agreement"), ("grid", "criterion")
    ).itertuples():
        parts.setdefault((row.grid, row.criterion), {})[row.kpi] = row
    known = [
        (key, rows)
        for key, rows in parts.items()
        if not formatting.is_missing(rows["alignment"].value)
    ]
    criterion, texts = _("Criterion"), find_grid_texts(viewer)
    lines = [
        {
            criterion: texts.name("criterion", name),
            _("Grid"): texts.name("grid", grid),
            cards.title_of(alignment): tables.cell(rows["alignment"]),
            cards.title_of(agreement): tables.cell(rows["agreement"]),
        }
        for (grid, name), rows in sorted(known, key=lambda entry: entry[1]["alignment"].value)
    ]
    with st.container(border=True, gap="xxsmall"):
        text = _(
            "All closed rounds: {alignment} of the points alike",
            alignment=formatting.percent(whole.value),
        )
        cards.show_heading(
            ChartTitle(text),
            _(
                "By criterion, the least alike first; agreement beyond chance is of each "
                "criterion alone, with its 95 % interval."
            ),
        )
        tables.show(
            lines, {criterion: tables.name_column(criterion, 220)}, "table_alignment", height=260
        )


def _show_open(viewer: Viewer, found: CalibrationSession) -> None:
    """Who is done with how much, never with what."""
    with st.container(border=True, gap="xsmall"):
        text = _("{title}: still open", title=found.title)
        cards.show_heading(
            ChartTitle(text),
            _(
                "Opened by {name}. Marks stay unseen, to managers too, until the round is closed.",
                name=found.opened_by,
            ),
        )
        for username, done in found.finished.items():
            st.progress(
                done / len(found.contacts),
                text=gate.escape(f"{found.evaluators[username]}: {done} / {len(found.contacts)}"),
            )
        if viewer.can(Permission.MANAGE_CALIBRATIONS):
            _offer_closing(found)


def _offer_closing(found: CalibrationSession) -> None:
    if st.session_state.get(CLOSING) != found.id:
        kind = "secondary" if found.unfinished else "primary"
        st.button(
            _("Close the round"),
            type=kind,
            icon=":material/lock_open:",
            key="close_round",
            on_click=_ask_closing,
            args=(found.id,),
        )
        return
    missing = found.unfinished
    if missing:
        st.warning(
            ngettext(
                "{n} evaluation is missing. It will be left out, and what was begun of it is "
                "dropped: after the closing it would not be blind.",
                "{n} evaluations are missing. They will be left out, and what was begun of "
                "them is dropped: after the closing they would not be blind.",
                missing,
            )
        )
    with st.container(horizontal=True, gap="small"):
        st.button(
            _("Close it now"), type="primary", key="close_now", on_click=_close, args=(found.id,)
        )
        st.button(_("Leave it open"), key="leave_open", on_click=_ask_closing, args=(None,))


def _ask_closing(number: int | None) -> None:
    st.session_state[CLOSING] = number


def _close(number: int) -> None:
    try:
        calibration.close_session(gate.current_viewer(Permission.MANAGE_CALIBRATIONS), number)
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    st.session_state.pop(CLOSING, None)
    st.session_state[OUTCOME] = _(
        "The round is closed; everybody who took part sees the marks now."
    )
    st.query_params[ROUND] = str(number)
