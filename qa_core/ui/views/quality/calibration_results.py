"""A closed calibration: how far the evaluators agree, criterion by criterion and one by
one, and the marks of each contact beside each other.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base import i18n
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics import formatting
from qa_core.metrics.kpis import Unit
from qa_core.quality import calibration
from qa_core.quality.calibration import (
    CalibrationSession,
    CriterionResult,
    EvaluatorResult,
    Results,
    SessionContact,
)
from qa_core.quality.calibration.results import ENOUGH_CONTACTS, LOW_AGREEMENT
from qa_core.scoring import Text
from qa_core.stats.agreement import Agreement
from qa_core.ui import cards, drill, tables
from qa_core.ui.cards import Tile
from qa_core.ui.views.quality import calibration_consensus

SOUND = 0.8
READINGS = (
    (SOUND, N_("sound")),
    (LOW_AGREEMENT, N_("tentative")),
    (float("-inf"), N_("not enough")),
)
"""How Krippendorff reads α: from 0.8 conclusions are sound, from 0.667 tentative."""
NOT_APPLICABLE = N_("n/a")
LEVELS = {"nominal": N_("two answers"), "ordinal": N_("ordered")}


def show(viewer: Viewer, found: CalibrationSession) -> None:
    """All of it, from the whole to the single contact."""
    results = calibration.get_results(viewer, found.id)
    _show_tiles(results)
    _show_criteria(results)
    _show_evaluators(viewer, results)
    _show_contact(viewer, results)


def in_language(text: Text) -> str:
    """A text of the grid in the language spoken."""
    return text.in_language(i18n.language())


def name_contact(position: int, local_start: datetime) -> str:
    """What a contact of a round is called, to people who are not told whose it was."""
    return _(
        "Contact {position}, {moment}", position=position, moment=formatting.moment(local_start)
    )


def describe_agreement(found: Agreement) -> str:
    """α with its interval; what it is when everybody gave the same is said, and is not
    1.
    """
    if found.value is None:
        return _("undefined")
    # Draws of a handful of contacts are nearly all alike: their interval would look as
    # if much were known.
    is_known = found.low is not None and found.contacts >= ENOUGH_CONTACTS
    between = (
        f"  ({formatting.number(found.low, 2)} – {formatting.number(found.high, 2)})"
        if is_known
        else ""
    )
    return formatting.number(found.value, 2) + between


def describe_points(points: float | None) -> str:
    """A mark as people write it."""
    return (
        _(NOT_APPLICABLE)
        if points is None
        else formatting.number(points, 0 if float(points).is_integer() else 1)
    )


def _show_tiles(results: Results) -> None:
    found = results.round
    done, expected = sum(found.finished.values()), len(found.contacts) * len(found.evaluators)
    missing = (
        ngettext("{n} missing, left out", "{n} missing, left out", found.unfinished)
        if found.unfinished
        else _("all finished")
    )
    unclear = results.unclear
    cards.show_tiles(
        [
            Tile(
                _("Alignment"),
                formatting.value(results.alignment.value, Unit.RATE),
                _(
                    "Points that were given alike, of the points possible: 1 − difference / "
                    "points of the criterion, weighted by points."
                ),
                _("{n} comparisons", n=formatting.number(results.alignment.n)),
            ),
            Tile(
                _("Evaluations"),
                f"{done} / {expected}",
                _("Submitted before the round was closed, of contacts × evaluators."),
                missing,
            ),
            Tile(
                _("Criteria to reword"),
                formatting.number(len(unclear)),
                _(
                    "Less than 80 % aligned, or an α that is below 0.667 by more than chance; "
                    "on five contacts at least."
                ),
                _("of {n} criteria", n=len(results.criteria)),
            ),
        ]
    )


def _show_criteria(results: Results) -> None:
    head, points, alignment, alpha, reading = (
        _("Criterion"),
        _("Points"),
        _("Alignment"),
        _("α (95 %)"),
        _("Reading"),
    )
    unclear = results.unclear
    ordered = [*unclear, *(item for item in results.criteria if item not in unclear)]
    rows = [
        {
            head: ("⚠ " if item.is_unclear else "") + in_language(item.criterion.text),
            points: describe_points(float(item.criterion.points)),
            alignment: tables.as_share(item.alignment.value),
            alpha: describe_agreement(item.agreement),
            _("Scale"): _(LEVELS[item.level]),
            reading: _read(item),
        }
        | ({_("One said n/a"): item.alignment.apart or None} if results.alignment.apart else {})
        for item in ordered
    ]
    if unclear:
        first = in_language(unclear[0].criterion.text)
        text = ngettext(
            "{n} criterion to reword: {first}",
            "{n} criteria to reword, first of all: {first}",
            len(unclear),
            first=first,
        )
    elif all(item.agreement.contacts < ENOUGH_CONTACTS for item in results.criteria):
        text = _(
            "Too few contacts to say which criteria to reword: it takes {n}", n=ENOUGH_CONTACTS
        )
    else:
        text = _("No criterion asks to be reworded")
    config = {
        head: tables.name_column(head, 310),
        points: st.column_config.TextColumn(points, width=60),
        alignment: tables.share_column(alignment, 120),
    }
    config |= {alpha: st.column_config.TextColumn(alpha, width=150)}
    with st.container(border=True, gap="xxsmall"):
        cards.show_heading(
            ChartTitle(text, "attention" if unclear else ""),
            _("Those to reword first, then as in the grid."),
        )
        tables.show(rows, config, f"criteria_{results.round.id}", height=520)
        with st.popover(_("How to read this"), icon=":material/help:", type="tertiary"):
            st.caption(
                _(
                    "Alignment: 10 against 7 of 15 points are 80 %. Where only one says not "
                    "applicable, the pair is left out, and counted beside."
                )
            )
            st.caption(
                _(
                    "α (Krippendorff) sets agreement against chance: 1 is full agreement, 0 "
                    "what chance alone would give. From 0.8 it is sound, from 0.667 "
                    "tentative. Where nearly everybody gives the same mark, α can be low "
                    "although alignment is high: then look at both."
                )
            )
            st.caption(
                _(
                    "The scale says how α reads the marks: as two answers (nominal) or as "
                    "points in an order, where 2 against 3 is nearer than 0 against 3 "
                    "(ordinal). Of two answers both give the same number."
                )
            )
            st.caption(
                _(
                    "Undefined: every mark is the same, so that nothing tells agreement from "
                    "habit; it is not 1."
                )
            )
            st.caption(
                _(
                    "The interval comes from 500 draws of the contacts; on few contacts it is "
                    "wide, and that is what is known."
                )
            )


def _read(item: CriterionResult) -> str:
    """What α says in a word; of too few contacts nothing."""
    if item.agreement.value is None:
        return _("all marks the same") if item.agreement.contacts else _("not compared")
    if item.agreement.contacts < ENOUGH_CONTACTS:
        return _("too few contacts")
    return _(next(said for least, said in READINGS if item.agreement.value >= least))


def _show_evaluators(viewer: Viewer, results: Results) -> None:
    head, alignment, lean = _("Evaluator"), _("Alignment"), _("Gives more or less")
    ordered = sorted(results.evaluators, key=lambda item: item.name.casefold())
    rows = [
        {
            head: _("{name} (you)", name=item.name)
            if item.username == viewer.username
            else item.name,
            _("Finished"): item.finished,
            alignment: tables.as_share(item.alignment.value),
            lean: _describe_lean(item, results.round),
        }
        for item in ordered
    ]
    own = next((item for item in ordered if item.username == viewer.username), None)
    with st.container(border=True, gap="xxsmall"):
        cards.show_heading(
            ChartTitle(_find_own(own) if own else _("Evaluator by evaluator")),
            _explain_reference(results.round),
        )
        tables.show(
            rows,
            {head: tables.name_column(head, 160), alignment: tables.share_column(alignment)},
            f"evaluators_{results.round.id}",
            height=300,
        )
        st.caption(
            _(
                "By name, not by rank. More or less: points given beyond the others' (or the "
                "reference's), of 100 possible."
            )
        )
        if viewer.can(Permission.MANAGE_CALIBRATIONS):
            with st.columns(2)[0]:
                calibration_consensus.show_reference(results.round)


def _find_own(own: EvaluatorResult) -> str:
    if own.alignment.value is None:
        return _("You are the reference, or finished nothing that could be compared")
    return _("You are aligned to {share}", share=formatting.value(own.alignment.value, Unit.RATE))


def _describe_lean(item: EvaluatorResult, found: CalibrationSession) -> str:
    if item.lean is None:
        is_reference = any(
            contact.reference_evaluator == item.username for contact in found.contacts
        )
        return _("reference") if is_reference and item.finished else "–"
    return formatting.change(100 * item.lean, Unit.SCORE)


def _explain_reference(found: CalibrationSession) -> str:
    names = {contact.reference_evaluator for contact in found.contacts} - {None}
    if not names:
        return _("Without a reference each is held against all others.")
    said = formatting.listing(sorted(found.evaluators.get(name, name) for name in names))
    return _(
        "Held against the reference, {names}; where that one is missing, each against all.",
        names=said,
    )


def _show_contact(viewer: Viewer, results: Results) -> None:
    """The marks of one contact beside each other, those that differ marked, and what
    was agreed on.
    """
    found = results.round
    with st.container(border=True, gap="xsmall"):
        top, right = st.columns([3, 2], vertical_alignment="top")
        with right:
            contact: SessionContact = st.selectbox(
                _("Contact"),
                found.contacts,
                format_func=lambda item: name_contact(item.position, item.local_start),
                key=f"contact_of_{found.id}",
            )
        columns = [
            username for username in found.evaluators if (contact.id, username) in results.marks
        ]
        rows = [
            _build_row(results, contact, columns, criterion) for criterion in found.grid.criteria
        ]
        apart = sum(row.pop("apart") for row in rows)
        with top:
            text = (
                ngettext(
                    "{n} criterion was marked differently",
                    "{n} criteria were marked differently",
                    apart,
                )
                if apart
                else _("All gave the same marks")
            )
            cards.show_heading(
                ChartTitle(text),
                _(
                    "⚠ marks a criterion on which they differ. Last line: the score that each "
                    "came to."
                ),
            )
        head = _("Criterion")
        scores = {
            _title(found, contact, username): formatting.value(
                results.scores[contact.id, username], Unit.SCORE
            )
            for username in columns
        }
        rows.append({head: _("Score"), **scores})
        tables.show(
            rows,
            {head: tables.name_column(head, 310)},
            f"marks_{found.id}_{contact.id}",
            height=640,
        )
        _show_comments(results, contact, columns)
        if viewer.can(Permission.SEE_CONTACTS):
            key = (contact.source_system, contact.contact_id)
            st.button(
                _("Open the contact"),
                icon=":material/call:",
                key="open_contact",
                on_click=drill.to_contact,
                args=("calibration", *key),
                type="tertiary",
            )
        calibration_consensus.show(viewer, results, contact)


def _build_row(
    results: Results, contact: SessionContact, columns: list[str], criterion: Any
) -> dict[str, Any]:
    given = [results.marks[contact.id, username].get(criterion.key) for username in columns]
    differ = len(set(given)) > 1
    row: dict[str, Any] = {
        "apart": differ,
        _("Criterion"): ("⚠ " if differ else "") + in_language(criterion.text),
    }
    row |= {
        _title(results.round, contact, username): describe_points(points)
        for username, points in zip(columns, given, strict=True)
    }
    if contact.consensus:
        agreed = contact.consensus["answers"].get(criterion.key)
        row[_("Agreed on")] = describe_points(None if agreed == "na" else agreed)
    return row


def _title(found: CalibrationSession, contact: SessionContact, username: str) -> str:
    name = found.evaluators[username]
    return _("{name} (reference)", name=name) if contact.reference_evaluator == username else name


def _show_comments(results: Results, contact: SessionContact, columns: list[str]) -> None:
    said = [
        f"{in_language(criterion.text)} · {results.round.evaluators[username]}: {text}"
        for criterion in results.round.grid.criteria
        for username in columns
        if (text := results.comments.get((contact.id, username), {}).get(criterion.key))
    ]
    if said:
        with st.expander(
            ngettext("{n} comment", "{n} comments", len(said)), icon=":material/comment:"
        ):
            for line in said:
                st.text(line)
