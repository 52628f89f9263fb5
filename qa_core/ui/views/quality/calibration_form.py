"""The form that opens a calibration session, contacts by chance or number."""

from datetime import timedelta

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics import formatting
from qa_core.metrics.query.scorecard_texts import find_grid_texts
from qa_core.quality import calibration, scorecards
from qa_core.quality.calibration.contact_choice import list_keys
from qa_core.quality.calibration.sessions import LEAST_EVALUATORS, LONGEST_TITLE
from qa_core.quality.scorecards.versions import PublishedScorecard
from qa_core.ui import actions, cards, gate, layout, select_box, tables

SESSION = "round"
"""Name in the address of the session that is shown."""
USUAL_CONTACTS, USUAL_DAYS, MOST_DRAWN = 8, 7, 50
WAYS = {"chance": N_("At random, from contacts listened to"), "number": N_("By number")}


def show(viewer: Viewer) -> None:
    """Show the form, or what is missing before a session can be opened."""
    offered, people = scorecards.find_published(viewer), calibration.find_evaluators(viewer)
    listeners = {person.username: person.name for person in people if person.is_accredited}
    if offered and len(listeners) >= LEAST_EVALUATORS:
        _show_form(viewer, offered, listeners)
        return
    with cards.card(_("A session cannot be opened yet")):
        if not offered:
            st.caption(_("There is no published scorecard. Publish one first."))
        if len(listeners) < LEAST_EVALUATORS:
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
    texts = find_grid_texts(viewer)
    caption = _(
        "Every evaluator scores every contact alone. Choose difficult contacts: they show where "
        "the scorecard is unclear."
    )
    with cards.card(_("A new session"), caption, gap="small"):
        one, two, three = st.columns(3, gap="small")
        title = one.text_input(_("Title"), max_chars=LONGEST_TITLE, key="calibration_title")
        scorecard = two.selectbox(
            _("Scorecard"),
            offered,
            format_func=lambda item: _(
                "{grid}, version {n}", grid=texts.name("grid", item.title), n=item.version
            ),
            key="calibration_grid",
        )
        today = environment.today()
        usual = today + timedelta(days=USUAL_DAYS)
        due = layout.ask_day(three, _("Due"), usual, "calibration_due", min_value=today)
        left, right = st.columns([2, 1], gap="small")
        chosen = left.multiselect(
            _("Evaluators"),
            list(listeners),
            list(listeners),
            format_func=listeners.get,
            key="calibration_evaluators",
        )
        names = {None: _("None: each against all")} | {name: listeners[name] for name in chosen}
        reference = select_box.select(right, _("Reference"), names, "calibration_reference_new")
        keys = _ask_contacts(viewer)
        if st.button(
            _("Open the session"), type="primary", icon=":material/balance:", key="open_round"
        ):
            with actions.show_refusals():
                acting = gate.current_viewer(Permission.MANAGE_CALIBRATIONS)
                number = calibration.open_session(
                    acting, title, scorecard.id, chosen, keys, due, reference
                )
                st.query_params.from_dict({SESSION: str(number)})
                actions.finish(_("The session is open. Its evaluators find it on this page."))


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
        st.caption(_("No contact of a listening plan has been listened to yet. Choose by number."))
        return []
    one, two, three = st.columns(3, gap="small")
    titles = {None: _("All plans"), **plans}
    plan = select_box.select(one, _("Listening plan"), titles, "calibration_plan")
    n = two.number_input(_("How many"), 1, MOST_DRAWN, USUAL_CONTACTS, key="calibration_n")
    seed = three.number_input(
        _("Seed"),
        0,
        10**6,
        1,
        key="calibration_seed",
        help=_("With the same contacts, the same seed gives the same draw."),
    )
    drawn = calibration.draw_candidates(viewer, int(n), int(seed), plan)
    st.caption(ngettext("{n} contact is drawn.", "{n} contacts are drawn.", len(drawn)))
    columns = (
        tables.text_column(_("Contact date"), lambda item: formatting.moment(item.local_start)),
        tables.text_column(_("Contact number"), lambda item: item.contact_id),
        tables.text_column(_("Listening plan"), lambda item: item.plan),
    )
    tables.show(drawn, columns, "calibration_drawn", height=240)
    return list_keys(drawn)
