"""The Calibration page: contacts to score, progress of sessions, a new one, and results."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base import environment
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics.kpis import formatting, get_kpi
from qa_core.metrics.rows.scorecard_texts import find_scorecard_texts
from qa_core.quality import calibration, scorecards
from qa_core.quality.calibration import CalibrationSession, Task
from qa_core.quality.calibration.sessions import MAX_TITLE, MIN_EVALUATORS
from qa_core.quality.scorecards.versions import PublishedScorecard
from qa_core.quality.this_week import SESSION
from qa_core.ui.frame import cached, gate, layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.quality import calibration_results, evaluators
from qa_core.ui.widgets import actions, cards, drill, segmented_choice, tables
from qa_core.ui.widgets.scorecard_answers import describe_text

CLOSING = "calibration_closing"
"""Number of the session whose closing waits for a confirmation."""
VIEWS = {
    "sessions": N_("Calibration sessions"),
    "new": N_("Open a session"),
    "evaluators": N_("Evaluators"),
}
OLD_SESSION = "round"
"""Name in the address of the session that is shown, and its name in older links."""
DEFAULT_CONTACTS, DEFAULT_DAYS, MAX_DRAWN = 8, 7, 50
WAYS = {"chance": N_("At random, from contacts listened to"), "number": N_("By number")}


def show(viewer: Viewer) -> None:
    """Show the sessions; who manages them may open one, and look at evaluators over all."""
    chosen = "sessions"
    if viewer.can(Permission.MANAGE_CALIBRATIONS):
        titles = {key: _(title) for key, title in VIEWS.items()}
        chosen = segmented_choice.ask("view", _("View"), titles, key="calibration_view")
    if chosen == "new":
        _show_new(viewer)
    elif chosen == "evaluators":
        evaluators.show(viewer)
    else:
        _show_sessions(viewer)


def _show_sessions(viewer: Viewer) -> None:
    if viewer.can(Permission.FILL_SCORECARDS):
        _show_tasks(calibration.find_worklist(viewer))
    sessions = calibration.find_sessions(viewer)
    if not sessions:
        cards.card(_("There is no calibration session yet"))
        return
    _show_list(sessions)
    if viewer.can(Permission.MANAGE_CALIBRATIONS):
        _show_all_closed(viewer)
    asked = st.query_params.get(SESSION) or st.query_params.get(OLD_SESSION)
    usual = next((item for item in sessions if not item.is_open), sessions[0])
    session = next((item for item in sessions if str(item.id) == asked), usual)
    if session.is_open:
        _show_open(viewer, session)
    else:
        calibration_results.show(viewer, session)


def _show_tasks(tasks: Sequence[Task]) -> None:
    left = [task for task in tasks if task.state != "done"]
    if not left:
        return
    text = ngettext("{n} contact to evaluate", "{n} contacts to evaluate", len(left))
    is_late = any(task.is_overdue for task in left)
    with cards.card(ChartTitle(text, "attention" if is_late else ""), gap="xsmall"):
        for task in left:
            is_started, number = task.state == "started", task.contact_number
            due = _("due {day}", day=formatting.day(task.due_on)) if task.due_on else None
            contact = calibration_results.name_contact(task.position, task.local_start)
            with layout.row(key=f"task_{number}"):
                symbol, title = "headphones", _("Start")
                if is_started:
                    symbol, title = "edit", _("Continue")
                layout.show_button(symbol, title, f"score_{number}", _start, number)
                st.text(" · ".join(filter(None, (task.title, contact, due))))


def _start(contact_number: int) -> None:
    with actions.show_refusals():
        viewer = gate.current_viewer(Permission.SEE_CALIBRATIONS)
        drill.to_draft(calibration.start(viewer, contact_number))


def _show_list(sessions: Sequence[CalibrationSession]) -> None:
    def finished(item: CalibrationSession) -> str:
        expected = len(item.contacts) * len(item.finished)
        return _("{n} of {all}", n=sum(item.finished.values()), all=expected)

    def due(item: CalibrationSession) -> str | None:
        if not item.due_on:
            return None
        return ("⚠ " if item.is_overdue else "") + formatting.day(item.due_on, year=True)

    def state(item: CalibrationSession) -> str:
        if item.is_open:
            return _("open")
        day = environment.to_local(item.closed_at).date()
        return _("closed on {day}", day=formatting.day(day))

    title = _("No session is open")
    if count := sum(item.is_open for item in sessions):
        title = ngettext("{n} session is open", "{n} sessions are open", count)
    columns = (
        tables.name_column(_("Calibration"), lambda item: item.title, 220),
        tables.text_column(_("Scorecard"), lambda item: describe_text(item.scorecard.text)),
        tables.count_column(_("Contacts"), lambda item: len(item.contacts)),
        tables.text_column(_("Evaluations"), finished),
        tables.text_column(_("Due"), due),
        tables.text_column(_("State"), state),
    )
    with cards.card(title):
        tables.show(sessions, columns, "table_calibrations", _choose, height=260)


def _choose(item: CalibrationSession) -> None:
    st.query_params.pop(OLD_SESSION, None)
    st.query_params[SESSION] = str(item.id)


def _show_all_closed(viewer: Viewer) -> None:
    """Show both KPIs over all closed sessions by criterion, the lowest alignment first."""
    (whole,) = cached.measure(viewer, ("alignment",)).itertuples()
    if formatting.is_missing(whole.value):
        return
    kpis = ("alignment", "agreement")
    by: dict[tuple[str, str], dict[str, Any]] = {}
    for row in cached.measure(viewer, kpis, ("grid", "criterion")).itertuples():
        by.setdefault((row.grid, row.criterion), {})[row.kpi] = row
    known = [key for key in by if not formatting.is_missing(by[key]["alignment"].value)]
    texts = find_scorecard_texts(viewer)
    title = _(
        "Alignment over all closed sessions: {alignment}", alignment=formatting.percent(whole.value)
    )
    columns = (
        tables.text_column(_("Criterion"), lambda key: texts.name("criterion", key[1]), 210),
        *(
            tables.interval_column(
                kpi, lambda key, kpi=kpi: by[key][kpi], heading=formatting.short_title(get_kpi(kpi))
            )
            for kpi in kpis
        ),
        tables.text_column(_("Scorecard"), lambda key: texts.name("grid", key[0])),
    )
    with cards.card(title):
        lines = sorted(known, key=lambda key: by[key]["alignment"].value)
        tables.show(lines, columns, "table_alignment", height=260)


def _show_open(viewer: Viewer, session: CalibrationSession) -> None:
    """Show who has finished how much, never the scores."""
    opened = formatting.local_moment(session.opened_at)
    by = _("by {name}, {when}", name=session.opened_by, when=opened)
    with cards.card(session.title, by, gap="xsmall"):
        whole = len(session.contacts)
        for username, done in session.finished.items():
            name, share = session.evaluators[username], f"{done} / {whole}"
            text = escape(_("{what}: {text}", what=name, text=share))
            st.progress(done / whole, text=text)
        if viewer.can(Permission.MANAGE_CALIBRATIONS):
            _ask_closing(session)


def _ask_closing(session: CalibrationSession) -> None:
    title, number = _("Close the session"), session.id
    if st.session_state.get(CLOSING) != number:
        look = "secondary" if session.unfinished else "primary"
        layout.show_button("lock_open", title, "close_session", _set_closing, number, type=look)
        return
    if session.unfinished:
        text = ngettext(
            "{n} evaluation is missing and will be left out. Unfinished work is dropped: "
            "after closing it would not be blind.",
            "{n} evaluations are missing and will be left out. Unfinished work is dropped: "
            "after closing it would not be blind.",
            session.unfinished,
        )
        st.warning(text)
    with layout.row():
        layout.show_button("", title, "close_now", _close, number, type="primary")
        layout.show_button("", _("Cancel"), "leave_open", _set_closing, None)


def _set_closing(number: int | None) -> None:
    st.session_state[CLOSING] = number


def _close(number: int) -> None:
    with actions.show_refusals():
        calibration.close_session(gate.current_viewer(Permission.MANAGE_CALIBRATIONS), number)
        _set_closing(None)
        actions.keep_outcome(_("Saved."))
        st.query_params[SESSION] = str(number)


def _show_new(viewer: Viewer) -> None:
    """Show the form, or what is missing before a session can be opened."""
    offered, people = scorecards.find_published(viewer), calibration.find_evaluators(viewer)
    listeners = {person.username: person.name for person in people if person.is_accredited}
    if offered and len(listeners) >= MIN_EVALUATORS:
        _show_form(viewer, offered, listeners)
        return
    with cards.card(_("A session cannot be opened yet")):
        if not offered:
            st.caption(_("There is no published scorecard. Publish one first."))
        if len(listeners) < MIN_EVALUATORS:
            text = _(
                "A session needs two evaluators with an account, accredited for quality of "
                "service; there are {n}. Administrators add accounts, the data protection "
                "officer grants accreditations.",
                n=len(listeners),
            )
            st.caption(text)


def _show_form(
    viewer: Viewer, offered: list[PublishedScorecard], listeners: dict[str, str]
) -> None:
    texts = find_scorecard_texts(viewer)
    with cards.card(gap="small"):
        left, middle, right = st.columns(3, gap="small")
        title = left.text_input(_("Title"), max_chars=MAX_TITLE, key="calibration_title")
        scorecard = middle.selectbox(
            _("Scorecard"),
            offered,
            format_func=lambda item: _(
                "{grid}, version {n}", grid=texts.name("grid", item.title), n=item.version
            ),
            key="calibration_grid",
        )
        today = environment.today()
        usual = today + timedelta(days=DEFAULT_DAYS)
        due = layout.ask_day(right, _("Due"), usual, "calibration_due", min_value=today)
        left, right = st.columns([2, 1], gap="small")
        chosen = layout.select_many(
            left, _("Evaluators"), listeners, "calibration_evaluators", listeners
        )
        names = {None: _("None: each against all")} | {name: listeners[name] for name in chosen}
        reference = layout.select(right, _("Reference"), names, "calibration_reference_new")
        keys = _ask_contacts(viewer)
        icon, key = ":material/balance:", "open_session"
        if st.button(_("Open a session"), type="primary", icon=icon, key=key):
            with actions.perform(Permission.MANAGE_CALIBRATIONS) as acting:
                number = calibration.open_session(
                    acting, title, scorecard.id, chosen, keys, due, reference
                )
                st.query_params.from_dict({SESSION: str(number)})


def _ask_contacts(viewer: Viewer) -> list[tuple[str, str]]:
    way = st.segmented_control(
        _("Contacts"),
        list(WAYS),
        format_func=lambda key: _(WAYS[key]),
        default="chance",
        required=True,
        key="calibration_way",
    )
    if way == "number":
        text = st.text_area(
            _("Contact numbers, one per line"), height=120, key="calibration_numbers"
        )
        with actions.show_refusals():
            return calibration.find_by_numbers(viewer, text)
        return []
    plans = {candidate.plan_id: candidate.plan for candidate in calibration.find_candidates(viewer)}
    if not plans:
        st.caption(
            _("No evaluated contact of a listening plan may be listened to. Choose by number.")
        )
        return []
    left, middle, right = st.columns(3, gap="small")
    titles = {None: _("All plans"), **plans}
    plan = layout.select(left, _("Listening plan"), titles, "calibration_plan")
    n = middle.number_input(_("How many"), 1, MAX_DRAWN, DEFAULT_CONTACTS, key="calibration_n")
    hint = _("The same seed repeats the same draw.")
    seed = right.number_input(_("Seed"), 0, 10**6, 1, key="calibration_seed", help=hint)
    drawn = calibration.draw_candidates(viewer, int(n), int(seed), plan)
    st.caption(ngettext("{n} contact is drawn.", "{n} contacts are drawn.", len(drawn)))
    columns = (
        tables.text_column(_("Contact date"), lambda item: formatting.moment(item.local_start)),
        tables.text_column(_("Contact number"), lambda item: item.contact_id),
        tables.text_column(_("Listening plan"), lambda item: item.plan),
    )
    tables.show(drawn, columns, "calibration_drawn", height=240)
    return [candidate.key for candidate in drawn]
