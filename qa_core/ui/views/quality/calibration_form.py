"""Opening a calibration round: who scores, on which grid, until when, and which
contacts, by chance or by number.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.analysis.chart_titles import ChartTitle
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics import formatting
from qa_core.metrics.query.scorecard_texts import find_grid_texts
from qa_core.quality import calibration, scorecards
from qa_core.quality.calibration.contact_choice import keys_of
from qa_core.quality.calibration.sessions import LEAST_EVALUATORS, LONGEST_TITLE
from qa_core.ui import cards, gate, tables

USUAL_CONTACTS, USUAL_DAYS, MOST_DRAWN = 8, 7, 50
WAYS = {"chance": N_("By chance, from those listened to"), "number": N_("By number")}


def show(viewer: Viewer, opened: Callable[[int], None]) -> None:
    """The form, or what is missing before a round can be opened. `opened` is called
    with the number of the new round.
    """
    offered, people = scorecards.find_published(viewer), calibration.find_evaluators(viewer)
    texts = find_grid_texts(viewer)
    listeners = {person.username: person.name for person in people if person.is_accredited}
    if not offered or len(listeners) < LEAST_EVALUATORS:
        with st.container(border=True):
            cards.show_heading(ChartTitle(_("A round cannot be opened yet")))
            if not offered:
                st.caption(_("There is no published grid. Publish one first."))
            if len(listeners) < LEAST_EVALUATORS:
                st.caption(
                    _(
                        "It takes two evaluators with an account who are accredited for the "
                        "quality of service; there are {n}. An administrator adds accounts, "
                        "the data protection officer gives accreditations.",
                        n=len(listeners),
                    )
                )
        return
    with st.container(border=True, gap="small"):
        caption = _(
            "Everybody scores every contact, alone. Choose contacts that are not easy: these "
            "show where the grid is unclear."
        )
        cards.show_heading(ChartTitle(_("A new round")), caption)
        one, two, three = st.columns(3, gap="small")
        title = one.text_input(_("Title"), max_chars=LONGEST_TITLE, key="calibration_title")
        grid = two.selectbox(
            _("Grid"),
            offered,
            format_func=lambda item: _(
                "{grid}, version {n}", grid=texts.name("grid", item.title), n=item.version
            ),
            key="calibration_grid",
        )
        due = three.date_input(
            _("Due"),
            environment.today() + timedelta(days=USUAL_DAYS),
            min_value=environment.today(),
            format="DD/MM/YYYY",
            key="calibration_due",
        )
        left, right = st.columns([2, 1], gap="small")
        chosen = left.multiselect(
            _("Evaluators"),
            list(listeners),
            list(listeners),
            format_func=listeners.get,
            key="calibration_evaluators",
        )
        reference = right.selectbox(
            _("Reference"),
            [None, *chosen],
            format_func=lambda name: listeners.get(name) or _("None: each against all"),
            key="calibration_reference_new",
        )
        keys = _ask_contacts(viewer)
        if st.button(
            _("Open the round"), type="primary", icon=":material/balance:", key="open_round"
        ):
            try:
                number = calibration.open_session(
                    gate.current_viewer(Permission.MANAGE_CALIBRATIONS),
                    title,
                    grid.id,
                    chosen,
                    keys,
                    due,
                    reference,
                )
            except Refusal as refusal:
                gate.show_refusal(refusal)
                return
            opened(number)


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
            _("Numbers of contacts, one a line"), height=120, key="calibration_numbers"
        )
        try:
            return calibration.find_typed(viewer, text)
        except Refusal as refusal:
            gate.show_refusal(refusal)
            return []
    plans = {candidate.plan_id: candidate.plan for candidate in calibration.find_candidates(viewer)}
    if not plans:
        st.caption(_("No contact of a listening plan has been listened to yet. Choose by number."))
        return []
    one, two, three = st.columns(3, gap="small")
    plan = one.selectbox(
        _("Listening plan"),
        [None, *plans],
        format_func=lambda key: plans.get(key) or _("All plans"),
        key="calibration_plan",
    )
    n = two.number_input(_("How many"), 1, MOST_DRAWN, USUAL_CONTACTS, key="calibration_n")
    seed = three.number_input(
        _("Seed"),
        0,
        10**6,
        1,
        key="calibration_seed",
        help=_("The same number over the same contacts draws the same ones."),
    )
    drawn = calibration.draw_candidates(viewer, int(n), int(seed), plan)
    st.caption(ngettext("{n} contact is drawn.", "{n} contacts are drawn.", len(drawn)))
    rows = [
        {
            _("Contact of"): formatting.moment(item.local_start),
            _("Number"): item.contact_id,
            _("Listening plan"): item.plan,
        }
        for item in drawn
    ]
    tables.show(rows, {}, "calibration_drawn", height=240)
    return keys_of(drawn)
