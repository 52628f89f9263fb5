"""Results of a closed calibration session: agreement, and answers side by side."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics.kpis import Unit, formatting, get_kpi
from qa_core.quality import calibration
from qa_core.quality.calibration import CalibrationSession, Results, SessionContact
from qa_core.quality.calibration.results import LOW_AGREEMENT, MIN_CONTACTS
from qa_core.quality.calibration.sessions import MAX_NOTE
from qa_core.scoring import NOT_APPLICABLE, Criterion
from qa_core.stats.agreement import Agreement
from qa_core.ui.frame import gate, layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import actions, cards, drill, notes, tables
from qa_core.ui.widgets.scorecard_answers import describe_text, format_points

READINGS = ((0.8, N_("sound")), (LOW_AGREEMENT, N_("tentative")), (float("-inf"), N_("not enough")))
"""Krippendorff's reading of α: least value, and what it allows."""
LEVELS = {"nominal": N_("two answers"), "ordinal": N_("ordered")}


def show(viewer: Viewer, session: CalibrationSession) -> None:
    """Show the results, from the whole to the single contact."""
    results = calibration.get_results(viewer, session.id)
    st.subheader(escape(session.title), anchor=False)
    _show_tiles(results)
    _show_criteria(results)
    _show_evaluators(viewer, results)
    _show_contact(viewer, results)


def name_contact(position: int, local_start: datetime) -> str:
    """Return the name of a contact of a session, without its advisor."""
    moment = formatting.moment(local_start)
    return _("Contact {position}, {moment}", position=position, moment=moment)


def describe_agreement(agreement: Agreement) -> str:
    """Return α with its interval; "undefined" if everybody always gave the same."""
    if agreement.value is None:
        return _("undefined")
    alpha = formatting.number(agreement.value, 2)
    # Resamples of a handful of contacts hardly differ: their interval would be too narrow.
    if agreement.low is None or agreement.contacts < MIN_CONTACTS:
        return alpha
    low, high = (formatting.number(end, 2) for end in (agreement.low, agreement.high))
    return f"{alpha}  ({low} – {high})"


def _show_tiles(results: Results) -> None:
    session = results.session
    done, expected = sum(session.finished.values()), len(session.contacts) * len(session.evaluators)
    missing = _("all finished")
    if session.unfinished:
        missing = ngettext("{n} missing, left out", "{n} missing, left out", session.unfinished)
    value = results.alignment.value
    alignment = cards.Tile(
        _("Alignment"),
        # "no data" would be cut on a phone.
        cards.NOTHING if formatting.is_missing(value) else formatting.value(value, Unit.RATE),
        _(get_kpi("alignment").formula),
        _("{n} comparisons", n=formatting.number(results.alignment.n)),
    )
    evaluations = cards.Tile(_("Evaluations"), f"{done} / {expected}", "", missing)
    unclear = cards.Tile(
        _("Criteria to reword"),
        formatting.number(len(results.unclear_criteria)),
        _(
            "Alignment below 80 %, or α clearly below 0.667 (95 % confidence), on at least five "
            "contacts."
        ),
        _("of {n} criteria", n=len(results.criteria)),
    )
    cards.show_tiles([alignment, evaluations, unclear])


def _show_criteria(results: Results) -> None:
    unclear = results.unclear_criteria
    rest = [item for item in results.criteria if item not in unclear]

    def name(item: calibration.CriterionResult) -> str:
        return ("⚠ " if item.is_unclear else "") + describe_text(item.criterion.text)

    columns = (
        tables.text_column(_("Criterion"), name, 220),  # leaves room for the next on a phone
        tables.share_column(_("Alignment"), lambda item: item.alignment.value, 110),
        tables.number_text_column(
            _("Points"), lambda item: format_points(item.criterion.points), 60
        ),
        tables.number_text_column(
            _("α (95 %)"), lambda item: describe_agreement(item.agreement), 150
        ),
        tables.text_column(_("Scale"), lambda item: _(LEVELS[item.level])),
        tables.text_column(_("Reading"), _read, 150),
        tables.text_column(_("Only one N/A"), lambda item: item.alignment.unmatched_pairs or None)
        if results.alignment.unmatched_pairs
        else None,
    )
    with cards.card(ChartTitle(_describe_criteria(results), "attention" if unclear else "")):
        tables.show([*unclear, *rest], columns, f"criteria_{results.session.id}", height=520)
        tables.show_definitions(("alignment", "agreement"))


def _describe_criteria(results: Results) -> str:
    if results.unclear_criteria:
        return ngettext(
            "{n} criterion to reword: {first}",
            "{n} criteria to reword, first: {first}",
            len(results.unclear_criteria),
            first=describe_text(results.unclear_criteria[0].criterion.text),
        )
    if all(item.agreement.contacts < MIN_CONTACTS for item in results.criteria):
        return _("Too few contacts to say which criteria to reword: {n} needed", n=MIN_CONTACTS)
    return _("No criterion needs rewording")


def _read(item: calibration.CriterionResult) -> str:
    """Return the reading of α in a word; none of too few contacts."""
    agreement = item.agreement
    if agreement.value is None:
        return _("undefined")
    if agreement.contacts < MIN_CONTACTS:
        return _("too few values")
    return _(next(word for least, word in READINGS if agreement.value >= least))


def _show_evaluators(viewer: Viewer, results: Results) -> None:
    session = results.session
    ordered = sorted(results.evaluators, key=lambda item: item.name.casefold())

    def name(item: calibration.EvaluatorResult) -> str:
        is_reader = item.username == viewer.username
        return _("{name} (you)", name=item.name) if is_reader else item.name

    columns = (
        tables.name_column(_("Evaluator"), name, 160),
        tables.text_column(_("Finished"), lambda item: item.finished),
        tables.share_column(_("Alignment"), lambda item: item.alignment.value),
        tables.number_text_column(
            _("Gives more or less"), lambda item: _describe_lean(item, session)
        ),
    )
    with cards.card(_("Alignment by evaluator"), _explain_reference(session)):
        tables.show(ordered, columns, f"evaluators_{session.id}", height=300)
        if viewer.can(Permission.MANAGE_CALIBRATIONS):
            present = {contact.reference_evaluator for contact in session.contacts}
            usual = next(iter(present)) if len(present) == 1 else None
            names = {None: _("None: each against all"), **session.evaluators}
            hook = {"on_change": _set_reference, "args": (session.id,)}
            place, key = st.columns(2)[0], f"reference_{session.id}"
            layout.select(place, _("Reference"), names, key, usual, **hook)


def _describe_lean(item: calibration.EvaluatorResult, session: CalibrationSession) -> str:
    if item.leniency is not None:
        return formatting.change(100 * item.leniency, Unit.SCORE)
    is_reference = any(contact.reference_evaluator == item.username for contact in session.contacts)
    return _("Reference") if is_reference and item.finished else "–"


def _explain_reference(session: CalibrationSession) -> str:
    names = {contact.reference_evaluator for contact in session.contacts} - {None}
    if not names:
        return _("Without a reference, each is compared with all others.")
    return _(
        "Compared with the reference, {names}; where it is missing, with all others.",
        names=formatting.listing(sorted(session.evaluators.get(name, name) for name in names)),
    )


def _show_contact(viewer: Viewer, results: Results) -> None:
    session = results.session
    with cards.card(gap="xsmall"):
        top, right = st.columns([3, 2], vertical_alignment="top")
        contact: SessionContact = right.selectbox(
            _("Contact"),
            session.contacts,
            format_func=lambda item: name_contact(item.position, item.local_start),
            key=f"contact_of_{session.id}",
        )
        evaluators = [name for name in session.evaluators if (contact.id, name) in results.marks]
        disputed = [
            criterion
            for criterion in session.scorecard.criteria
            if len({results.marks[contact.id, name].get(criterion.key) for name in evaluators}) > 1
        ]
        text = _("All gave the same points")
        if disputed:
            text = ngettext(
                "{n} criterion was scored differently",
                "{n} criteria were scored differently",
                len(disputed),
            )
        elif len(evaluators) < 2:
            text = _("Fewer than two evaluators finished this contact")
        with top:
            cards.show_heading(text)
        lines = [*session.scorecard.criteria, None]
        columns = _build_columns(results, contact, evaluators, disputed)
        tables.show(lines, columns, f"marks_{session.id}_{contact.id}", height=640)
        _show_comments(results, contact, evaluators)
        if viewer.can(Permission.SEE_CONTACTS):
            drill.show_contact_button("calibration", contact.source_system, contact.contact_id)
        _show_consensus(viewer, results, contact)


def _build_columns(
    results: Results,
    contact: SessionContact,
    evaluators: Sequence[str],
    disputed: Sequence[Criterion],
) -> list[tables.TableColumn | None]:
    """Build the columns of the answers; a line is a criterion, or None for the score.

    `disputed`: criteria on which the evaluators differ.
    """

    def name(criterion: Criterion | None) -> str:
        if criterion is None:
            return _("Score")
        return ("⚠ " if criterion in disputed else "") + describe_text(criterion.text)

    def mark(criterion: Criterion | None, evaluator: str) -> str:
        if criterion is None:
            return formatting.value(results.scores[contact.id, evaluator], Unit.SCORE)
        return format_points(results.marks[contact.id, evaluator].get(criterion.key))

    def agreed(criterion: Criterion | None) -> str | None:
        if criterion is None:
            return None
        points = contact.consensus["answers"].get(criterion.key)
        return format_points(points)

    def heading(evaluator: str) -> str:
        title = results.session.evaluators[evaluator]
        is_reference = contact.reference_evaluator == evaluator
        return _("{name} (reference)", name=title) if is_reference else title

    return [
        tables.text_column(_("Criterion"), name, 210),
        *(
            tables.number_text_column(
                heading(evaluator), lambda line, evaluator=evaluator: mark(line, evaluator)
            )
            for evaluator in evaluators
        ),
        tables.text_column(_("Agreed answer"), agreed) if contact.consensus else None,
    ]


def _show_comments(results: Results, contact: SessionContact, evaluators: Sequence[str]) -> None:
    lines = [
        f"{describe_text(criterion.text)} · "
        + _("{what}: {text}", what=results.session.evaluators[evaluator], text=text)
        for criterion in results.session.scorecard.criteria
        for evaluator in evaluators
        if (text := results.comments.get((contact.id, evaluator), {}).get(criterion.key))
    ]
    if lines:
        title = ngettext("{n} comment", "{n} comments", len(lines))
        with st.expander(title, icon=":material/comment:"):
            for line in lines:
                st.text(line)


def _set_reference(number: int) -> None:
    with actions.show_refusals():
        acting = gate.current_viewer(Permission.MANAGE_CALIBRATIONS)
        calibration.set_reference(acting, number, st.session_state.get(f"reference_{number}"))


def _show_consensus(viewer: Viewer, results: Results, contact: SessionContact) -> None:
    """Show the agreed answers, and the form that records them to session managers."""
    agreed = contact.consensus
    if agreed and agreed.get("note"):
        st.caption(_("Reason"))
        st.text(agreed["note"])
    if not viewer.can(Permission.MANAGE_CALIBRATIONS):
        return
    with st.expander(_("Agreed answer"), icon=":material/handshake:"):
        _ask_consensus(results, contact)


def _ask_consensus(results: Results, contact: SessionContact) -> None:
    agreed = contact.consensus or {"answers": {}, "note": ""}
    answers: dict[str, Any] = {}
    with st.form(f"consensus_{contact.id}", border=False):
        columns = st.columns(2, gap="medium")
        for position, criterion in enumerate(results.session.scorecard.criteria):
            with columns[position % 2]:
                answers[criterion.key] = _ask_answer(
                    results, contact, criterion, agreed["answers"].get(criterion.key)
                )
        note = st.text_area(
            _("Reason"),
            agreed["note"],
            max_chars=MAX_NOTE,
            height=90,
            help=_(notes.NO_NAMES),
            key=f"note_{contact.id}",
        )
        if not st.form_submit_button(_("Save"), type="primary", icon=":material/save:"):
            return
    given = {key: value for key, value in answers.items() if value is not None}
    with actions.perform(Permission.MANAGE_CALIBRATIONS) as acting:
        calibration.record_consensus(acting, contact.id, given, note)


def _ask_answer(
    results: Results, contact: SessionContact, criterion: Criterion, agreed: Any
) -> Any:
    """Ask for one answer; suggest the one agreed on, else the one that all gave."""
    given = {
        marks.get(criterion.key)
        for (number, _evaluator), marks in results.marks.items()
        if number == contact.id
    }
    if agreed is None and len(given) == 1:
        common = next(iter(given))
        agreed = NOT_APPLICABLE if common is None else common
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
        format_func=format_points,
        key=f"agreed_{contact.id}_{criterion.key}",
        placeholder=_("Choose"),
    )
