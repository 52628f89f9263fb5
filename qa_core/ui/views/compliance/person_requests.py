"""Requests of persons and their answers; who is restricted or never listened to."""

import streamlit as st

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.i18n import _, ngettext
from qa_core.compliance import requests, restrictions
from qa_core.compliance.conditions import exclusions
from qa_core.metrics.kpis import formatting
from qa_core.metrics.law import centre_counts
from qa_core.ui.frame import layout
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import actions, download_links, tables
from qa_core.upkeep import subjects

SUBJECTS = ("customer", "advisor")


def show(viewer: Viewer) -> None:
    """Show the requests, open ones first; enter one, or its answer."""
    st.subheader(_("Data subject requests"), anchor=False)
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
        tables.text_column(_("Concerns"), _name_subject),
        tables.day_text_column(_("Received on"), lambda item: item.received_on),
        tables.day_text_column(_("Due"), lambda item: item.due_on),
        tables.text_column(_("Answer"), lambda item: item.answer or _("open"), 320),
    )
    tables.show(entries, columns, "person_requests", height=240)
    waiting = [item for item in entries if item.is_open]
    if viewer.can(Permission.MANAGE_COMPLIANCE):
        left, right = st.columns(2, gap="medium")
        with left:
            _ask_request()
        with right:
            _ask_answer(waiting)
            _show_copies(waiting)


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
        label = _("Agree: request {number}, {subject}", number=item.id, subject=_name_subject(item))
        if st.button(escape(label), key=f"audio_{item.id}", icon=":material/volume_up:"):
            with actions.perform(Permission.SEE_RULES) as acting:
                requests.confirm_audio(acting, item.id)


def _show_copies(waiting: list[requests.PersonRequest]) -> None:
    for item in waiting:
        if item.kind in requests.WITH_AUDIO:
            title = _("Copy for request {number}, without audio", number=item.id)
            if item.audio_confirmed_by:
                title = _("Copy for request {number}, with audio", number=item.id)
            download_links.show_download(
                "copy_of_person", label=title, key=str(item.id), forms=("zip",), number=item.id
            )


def show_restrictions(viewer: Viewer) -> None:
    """Show restrictions and how many contacts they exclude; change them."""
    st.subheader(_("Restricted"), anchor=False)
    entries = restrictions.find_all(viewer)
    count = centre_counts.count_restricted(viewer)
    text = ngettext(
        "{count} contact is excluded from figures, lists, draws and exports.",
        "{count} contacts are excluded from figures, lists, draws and exports.",
        count,
        count=formatting.number(count),
    )
    st.caption(text)
    if not viewer.can(Permission.MANAGE_COMPLIANCE):
        return
    left, right = st.columns(2, gap="medium")
    with left, st.form("restriction", border=True):
        subject_kind = st.segmented_control(
            _("Concerns"),
            SUBJECTS,
            default="customer",
            format_func=_name_kind,
            key="restricted_kind",
        )
        who = st.text_input(
            _("Number of the customer, or name of the advisor"), key="restricted_who"
        )
        if st.form_submit_button(_("Restrict")):
            with actions.perform(Permission.MANAGE_COMPLIANCE) as acting:
                kind = subject_kind or "customer"
                subjects.restrict(acting, **{kind: _find_subject(kind, who)})
    if entries:
        titles = {item.id: _name_restricted(item) for item in entries}
        with right, st.form("restriction_end", border=True):
            number = st.selectbox(_("In force"), list(titles), format_func=titles.get)
            if st.form_submit_button(_("Lift")):
                with actions.perform(Permission.MANAGE_COMPLIANCE) as acting:
                    subjects.lift(acting, number)


def _find_subject(kind: str, text: str) -> str:
    find = subjects.find_customer if kind == "customer" else subjects.find_advisor
    return find(text.strip())


def _name_restricted(item: restrictions.LastingEntry) -> str:
    what = item.advisor_id or item.contact_id or f"•• {item.customer_key[-2:]}"
    return f"{what} · {formatting.local_day(item.entered_at)}"


def _name_subject(item: requests.PersonRequest) -> str:
    # The end of a pseudonym is enough to distinguish two.
    if item.contact_id:
        return f"{_name_kind(item.subject_kind)} {item.subject} · {item.contact_id}"
    end = item.subject if item.subject_kind == "advisor" else f"•• {item.subject[-2:]}"
    return f"{_name_kind(item.subject_kind)} {end}"


def _name_kind(kind: str) -> str:
    return _("customer") if kind == "customer" else _("advisor")


def _ask_request() -> None:
    with st.form("person_request", border=True):
        kind = st.selectbox(
            _("Request"), list(requests.KINDS), format_func=lambda key: _(requests.KINDS[key])
        )
        subject_kind = st.segmented_control(
            _("Concerns"), SUBJECTS, default="customer", format_func=_name_kind
        )
        text = st.text_input(
            _("Number of the customer, or name of the advisor"),
            help=_("A number becomes a pseudonym at once; it is stored nowhere."),
        )
        today = environment.today()
        day = layout.ask_day(st, _("Received on"), today, max_value=today)
        sent = st.form_submit_button(_("Record the request"), type="primary")
    if sent and (not text.strip() or not subject_kind or day is None):
        st.warning(_(actions.INCOMPLETE))
    elif sent:
        with actions.perform(Permission.MANAGE_COMPLIANCE) as acting:
            requests.add(acting, kind, subject_kind, _find_subject(subject_kind, text), day)


def _ask_answer(waiting: list[requests.PersonRequest]) -> None:
    if not waiting:
        return
    titles = {
        item.id: f"{item.id} · {_(requests.TITLES[item.kind])} · {formatting.day(item.due_on)}"
        for item in waiting
    }
    with st.form("person_answer", border=True):
        number = st.selectbox(_("Answer"), list(titles), format_func=titles.get)
        text = st.text_input(_("Answer given"))
        is_checked = st.checkbox(_("I checked the requester's identity"))
        is_granted = any(item.kind == requests.EXCLUSION for item in waiting) and st.checkbox(
            _("Exclude the contact named by the advisor")
        )
        sent = st.form_submit_button(_("Record the answer"))
    if sent:
        with actions.perform(Permission.MANAGE_COMPLIANCE) as acting:
            if is_granted:
                subjects.grant_exclusion(acting, number)
            requests.answer(acting, number, text, is_checked)


def show_exclusions(viewer: Viewer) -> None:
    """Show the list; add to it, or take an entry off it."""
    st.subheader(_("Never recorded or listened to"), anchor=False)
    text = _(
        "Lines of staff representatives, private lines and single contacts. Name a line by its "
        "dialled number, or by the advisor or extension. Their contacts count in figures, but are "
        "never kept as audio, drawn, listened to or evaluated. Stored audio is deleted at once."
    )
    st.caption(text)
    entries = exclusions.find_all(viewer)
    columns = (
        tables.name_column(_("What"), lambda item: item.what, 260),
        tables.text_column(_("Why"), lambda item: _(exclusions.REASONS[item.reason]), 200),
        tables.text_column(_("Entered by"), lambda item: item.entered_by),
        tables.text_column(_("Entered on"), lambda item: formatting.local_day(item.entered_at)),
    )
    tables.show(entries, columns, "exclusions", height=240)
    if viewer.can(Permission.MANAGE_COMPLIANCE):
        left, right = st.columns(2, gap="medium")
        with left:
            _ask_exclusion()
        with right:
            _ask_end_of_exclusion(entries)


def _ask_exclusion() -> None:
    with st.form("exclusion", border=True):
        line = st.text_input(_("Number of the line"))
        advisor = st.text_input(_("Or the advisor or extension"))
        reasons = {code: _(title) for code, title in exclusions.REASONS.items()}
        reason = layout.select(st, _("Why"), reasons, "exclusion_reason")
        sent = st.form_submit_button(_("Exclude"), type="primary")
    if sent:
        with actions.perform(Permission.MANAGE_COMPLIANCE) as acting:
            person = _find_subject("advisor", advisor) if advisor.strip() else None
            outcome = subjects.exclude(acting, reason, line.strip() or None, person)
            actions.finish(outcome.describe())


def _ask_end_of_exclusion(entries: list[exclusions.ExclusionEntry]) -> None:
    if not entries:
        return
    titles = {item.id: item.what for item in entries}
    with st.form("exclusion_end", border=True):
        number = st.selectbox(_("Remove from the list"), list(titles), format_func=titles.get)
        sent = st.form_submit_button(_("Remove"))
    if sent:
        with actions.perform(Permission.MANAGE_COMPLIANCE) as acting:
            exclusions.remove(acting, number)
