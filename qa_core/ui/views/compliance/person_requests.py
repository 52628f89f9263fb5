"""Requests of persons: the list, and each one from the identity check to its answer."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.i18n import N_, _, ngettext
from qa_core.compliance import requests
from qa_core.compliance.requests import PersonRequest
from qa_core.metrics.kpis import formatting
from qa_core.ui.frame import layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.compliance import rights
from qa_core.ui.widgets import act_form, actions, cards, download_links, segmented_choice, tables
from qa_core.ui.widgets.act_form import ActField
from qa_core.upkeep import request_acts, subjects

STATES = {
    "open": (N_("open"), lambda item: item.is_open),
    "done": (N_("done"), lambda item: not item.is_open and not item.is_refused),
    "refused": (N_("refused"), lambda item: item.is_refused),
}


def show(viewer: Viewer) -> None:
    """Show the requests, the oldest open one first; work on one, or enter another."""
    entries = requests.find_all(viewer)
    late = [item for item in entries if item.is_late]
    if late:
        text = ngettext(
            "{n} request is unanswered after its month. Who acts: the data protection officer.",
            "{n} requests are unanswered after their month. Who acts: the data protection officer.",
            len(late),
        )
        st.error(text, icon=":material/schedule:")
    columns = (
        tables.count_column(_("No."), lambda item: item.id, width=70),
        tables.text_column(_("Request"), lambda item: _(requests.TITLES[item.kind])),
        tables.text_column(_("Concerns"), name_subject),
        tables.day_text_column(_("Received on"), lambda item: item.received_on),
        tables.day_text_column(_("Due"), lambda item: item.due_on),
        tables.text_column(_("Answer"), lambda item: item.answer or _("open"), 320),
    )
    shown = segmented_choice.ask_state("requests", entries, STATES)
    tables.show(shown, columns, "person_requests", height=240)
    if not viewer.can(Permission.MANAGE_COMPLIANCE):
        return
    left, right = st.columns(2, gap="medium")
    with left:
        _show_open([item for item in entries if item.is_open])
    with right:
        _ask_request()


def _show_open(waiting: Sequence[PersonRequest]) -> None:
    """Show one open request, and what is to do next."""
    if not waiting:
        return
    titles = {
        item.id: f"{item.id} · {_(requests.TITLES[item.kind])} · {formatting.day(item.due_on)}"
        for item in waiting
    }
    number = layout.select(st, _("Request"), titles, "open_request")
    item = next((item for item in waiting if item.id == number), waiting[0])
    key = f"request_{item.id}"
    with cards.card(gap="small"):
        st.markdown(f"**{escape(name_subject(item))}**")
        for text in (item.details, item.identity_check, item.extended_because):
            if text:
                st.text(text)
        if item.identity_checked_by is None:
            act_form.show(
                f"{key}_identity",
                N_("Identity checked"),
                [ActField("how", N_("How did you check the requester's identity?"))],
                lambda acting, how: requests.check_identity(acting, item.id, how),
            )
        else:
            _show_act(item, key)
    _ask_answer(item, key)
    if item.extended_because is None and not item.is_late:
        with st.popover(_("Two months more"), icon=":material/more_time:", type="tertiary"):
            act_form.show(
                f"{key}_extend",
                N_("Extend"),
                [ActField("reason", N_("Reason for the person"))],
                lambda acting, reason: requests.extend(acting, item.id, reason),
            )


def _show_act(item: PersonRequest, key: str) -> None:
    """Show the act that the request asks for, or that the stores show it done."""
    left = request_acts.describe_left(item)
    if left:
        st.caption(escape(left))
    else:
        st.markdown(f":green[:material/check_circle: {escape(_('done'))}]")
    if item.kind in requests.WITH_AUDIO:
        title = _("Copy for request {number}, without audio", number=item.id)
        if item.audio_confirmed_by:
            title = _("Copy for request {number}, with audio", number=item.id)
        download_links.show_download(
            "copy_of_person", label=title, key=str(item.id), forms=("zip",), number=item.id
        )
    elif item.kind == "rectification":
        rights.show_act("rectify", request=item.id)
    elif left and (title := request_acts.name_act(item)):
        act_form.show(f"{key}_act", title, (), partial(request_acts.perform, number=item.id))


def _ask_answer(item: PersonRequest, key: str) -> None:
    def answer(acting: Viewer, outcome: str, text: str) -> None:
        request_acts.answer(acting, item.id, text, is_refused=outcome == "refused")

    outcomes = {"done": N_("done"), "refused": N_("refused")}
    fields = ActField("outcome", N_("Answer"), outcomes), ActField("text", N_("Answer given"))
    act_form.show(f"{key}_answer", N_("Record the answer"), fields, answer)


def _ask_request() -> None:

    def enter(acting: Viewer, kind: str, subject_kind: str, who: str, **more: object) -> None:
        requests.add(acting, kind, subject_kind, subjects.FIND[subject_kind](who), **more)

    persons = {kind: rights.KINDS[kind] for kind in subjects.FIND}
    fields = (
        ActField("kind", N_("Request"), requests.KINDS),
        ActField("subject_kind", N_("Concerns"), persons),
        rights.FIELDS["who"],
        ActField("details", N_("What is asked"), is_optional=True),
        ActField("received_on", N_("Received on"), usual=environment.today()),
    )
    act_form.show("person_request", N_("Record the request"), fields, enter)


def show_audio_to_confirm(viewer: Viewer) -> None:
    """Show the copies whose audio a second person has to agree to."""
    waiting = requests.find_waiting_for_audio(viewer)
    if not waiting:
        return
    st.subheader(_("Audio to hand out"), anchor=False)
    text = _(
        "Handing out audio takes two people. If you agree, the audio is part of the person's copy."
    )
    st.caption(text)
    for item in waiting:
        label = _("Agree: request {number}, {subject}", number=item.id, subject=name_subject(item))
        if st.button(escape(label), key=f"audio_{item.id}", icon=":material/volume_up:"):
            with actions.perform(Permission.SEE_RULES) as acting:
                requests.confirm_audio(acting, item.id)


def name_subject(item: PersonRequest) -> str:
    """Name whom a request concerns; the end of a pseudonym is enough to distinguish two."""
    end = f"•• {item.subject[-2:]}" if item.subject_kind == "customer" else item.subject
    parts = (f"{_(rights.KINDS[item.subject_kind])} {end}".strip(), item.contact_id)
    return " · ".join(filter(None, parts))
