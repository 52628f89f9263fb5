"""Who may listen and until when, and which advisors were told that calls are recorded
and listened to.
"""

from __future__ import annotations

from datetime import date, timedelta

import streamlit as st

from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base import environment
from qa_core.base.i18n import _, ngettext
from qa_core.compliance import accreditations, gates, notices
from qa_core.compliance.accreditations import Accredited
from qa_core.metrics import formatting
from qa_core.ui import menu, tables
from qa_core.ui.views.compliance.listening_rules import change, describe_purpose

USUAL_DAYS = 180
"""How long a new accreditation is proposed for."""


def show_accreditations(viewer: Viewer) -> None:
    """Everyone who was ever accredited; give one, or end one at once."""
    st.subheader(_("Who may listen"), anchor=False)
    found = accreditations.find_all(viewer)
    if found:
        name, role, purposes, until, state = (
            _("Name"),
            _("Role"),
            _("Purposes"),
            _("Until"),
            _("State"),
        )
        rows = [
            {
                name: item.display_name or item.username,
                role: _(menu.ROLE_TITLES[Role(item.role)]) if item.role in set(Role) else item.role,
                purposes: formatting.listing(map(describe_purpose, item.purposes)),
                until: formatting.day(item.ends_on, year=True),
                state: _describe_state(item),
            }
            for item in found
        ]
        tables.show(
            rows,
            {
                name: tables.name_column(name),
                purposes: st.column_config.TextColumn(purposes, width=260),
            },
            "accreditations",
            height=300,
        )
    else:
        st.caption(_("Nobody yet. Evaluators, team leads and managers can be accredited."))
    if viewer.can(Permission.MANAGE_COMPLIANCE):
        left, right = st.columns(2, gap="medium")
        with left:
            _ask_accreditation(viewer)
        with right:
            _ask_end([item for item in found if item.holds])


def show_notices(viewer: Viewer) -> None:
    """How many advisors were informed, who was not, and the day for those chosen."""
    st.subheader(_("Advisors informed"), anchor=False)
    found = notices.find_all(viewer)
    waiting = [notice for notice in found if notice.informed_on is None]
    if not found:
        st.caption(_("There are no advisors yet. They come with the first import."))
        return
    informed = len(found) - len(waiting)
    st.caption(
        ngettext(
            "{count} of {n} advisor is informed.",
            "{count} of {n} advisors are informed.",
            len(found),
            count=informed,
        )
        + (" " + _("Until then, none of their contacts is drawn.") if waiting else "")
    )
    left, right = st.columns(2, gap="medium")
    with left:
        name, day = _("Advisor"), _("Informed on")
        rows = [
            {
                name: notice.name,
                day: formatting.day(notice.informed_on, year=True)
                if notice.informed_on
                else _("not yet"),
            }
            for notice in found
        ]
        tables.show(
            rows,
            {name: tables.name_column(name), day: st.column_config.TextColumn(day, width=140)},
            "notices",
            height=300,
        )
    with right:
        if waiting and viewer.can(Permission.MANAGE_COMPLIANCE):
            _ask_notices({notice.advisor_id: notice.name for notice in waiting})


def _describe_state(item: Accredited) -> str:
    if item.holds:
        return _("holds")
    return _("ended early") if item.is_ended else _("expired")


def _ask_accreditation(viewer: Viewer) -> None:
    eligible = accreditations.find_eligible(viewer)
    entered = next(
        (standing.value for standing in gates.find_all(viewer) if standing.gate.name == "purposes"),
        None,
    )
    usual = entered.split(",") if entered else list(gates.PURPOSES)
    with st.form("accredit", border=True):
        username = st.selectbox(
            _("Accredit"),
            list(eligible),
            index=None,
            format_func=lambda name: eligible[name],
            placeholder=_("Choose a person"),
            key="accredit_who",
        )
        until = st.date_input(
            _("Until"),
            environment.today() + timedelta(days=USUAL_DAYS),
            min_value=environment.today(),
            format="DD/MM/YYYY",
            key="accredit_until",
        )
        # A new key for other purposes: the field would keep those proposed before.
        purposes = st.multiselect(
            _("Purposes"),
            gates.PURPOSES,
            usual,
            format_func=describe_purpose,
            key=f"accredit_purposes_{entered}",
        )
        sent = st.form_submit_button(_("Give the accreditation"), type="primary")
    if sent and (username is None or not isinstance(until, date) or not purposes):
        st.warning(_("Choose a person, a last day and at least one purpose."))
    elif sent:
        said = _(
            "{name} may listen until {day}.",
            name=eligible[username],
            day=formatting.day(until, year=True),
        )
        change(lambda acting: accreditations.accredit(acting, username, until, purposes), said)


def _ask_end(holding: list[Accredited]) -> None:
    if not holding:
        return
    titles = {
        item.id: f"{item.display_name or item.username} · {formatting.day(item.ends_on, year=True)}"
        for item in holding
    }
    with st.form("end_accreditation", border=True):
        number = st.selectbox(
            _("End at once"),
            list(titles),
            index=None,
            format_func=lambda key: titles[key],
            placeholder=_("Choose an accreditation"),
            key="end_which",
        )
        sent = st.form_submit_button(_("End the accreditation"))
    if sent and number is None:
        st.warning(_("Choose the accreditation that ends."))
    elif sent:
        change(
            lambda acting: accreditations.end(acting, number),
            _("The accreditation is ended; that person cannot listen any more."),
        )


def _ask_notices(waiting: dict[str, str]) -> None:
    with st.form("inform", border=True):
        chosen = st.multiselect(
            _("Informed"),
            list(waiting),
            format_func=lambda key: waiting[key],
            placeholder=_("Choose advisors"),
            key="inform_who",
        )
        everybody = st.checkbox(
            ngettext(
                "the {n} advisor who is not informed yet",
                "all {n} advisors who are not informed yet",
                len(waiting),
            ),
            key="inform_all",
        )
        day = st.date_input(
            _("Informed on"),
            environment.today(),
            max_value=environment.today(),
            format="DD/MM/YYYY",
            key="inform_on",
        )
        sent = st.form_submit_button(_("Save"), type="primary")
    advisors = list(waiting) if everybody else chosen
    if sent and (not advisors or not isinstance(day, date)):
        st.warning(_("Choose the advisors who were informed, and the day."))
    elif sent:
        said = ngettext(
            "{n} advisor is entered as informed.",
            "{n} advisors are entered as informed.",
            len(advisors),
        )
        change(lambda acting: notices.inform(acting, advisors, day), said)
