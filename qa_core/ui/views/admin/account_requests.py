"""Changes of accounts: those that wait for a second person, and those that were done."""

import streamlit as st

from qa_core.access import accounts
from qa_core.access.accounts import AccountAction, AccountChange
from qa_core.access.roles import Viewer
from qa_core.base.i18n import N_, _
from qa_core.metrics.kpis import formatting
from qa_core.storage.records.base import now
from qa_core.ui.frame import menu
from qa_core.ui.frame.markdown import escape
from qa_core.ui.widgets import actions, tables

SECOND = N_(
    "A second person has to confirm this under Account changes: a data protection officer, a "
    "manager or another administrator."
)
ANOTHER = N_(
    "Another person has to confirm this: a data protection officer, a manager or another "
    "administrator."
)
ALONE = N_("Where there is none, you can do so after 24 hours.")
ACTS = {
    AccountAction.ADD: N_("New account"),
    AccountAction.CHANGE: N_("Change of role or scope"),
    AccountAction.DISABLE: N_("Close the account"),
    AccountAction.ENABLE: N_("Open the account"),
    AccountAction.RESET: N_("New one-time password"),
    AccountAction.ADD_TOKEN: N_("New service token"),
    AccountAction.REVOKE_TOKEN: N_("Revoke the service token"),
}


def show_requests(viewer: Viewer) -> None:
    """Show the open requests, each to confirm by a second person or to decline."""
    for request in accounts.find_requests(viewer):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            role = menu.name_role(request.role) if request.role else ""
            bounds = request.terms and (
                *request.terms.teams,
                *request.terms.sites,
                _("without a team") if request.terms.sees_unassigned else "",
                request.terms.advisor_id,
                *request.terms.kpis,
            )
            about = (_(ACTS[request.act]), request.username, role, *(bounds or ()))
            st.text(" · ".join(filter(None, about)))
            moment = formatting.local_moment(request.asked_at)
            st.caption(_("by {name}, {when}", name=escape(request.asked_by), when=moment))
            is_old = now() - request.asked_at >= accounts.WAIT_ALONE
            is_own = viewer.username == request.asked_by and not is_old
            if is_own or viewer.username == request.username:
                st.caption(_(ANOTHER))
            elif st.button(_("Confirm"), key=f"confirm_{request.id}", type="primary"):
                with actions.show_refusals():
                    one_time = accounts.confirm(viewer, request.id)
                    show_done(request.username, one_time)
            if st.button(_("Decline"), key=f"decline_{request.id}"):
                with actions.show_refusals():
                    accounts.decline(viewer, request.id)
                    show_done(request.username)


def show_announced() -> None:
    """Show every reader the roles that one administrator is about to give alone."""
    for request in accounts.find_announced():
        text = _(
            "{asker} requested the role {role} for {name}, and nobody else can confirm it. From "
            "{moment} on, {asker} may do so alone. If you know nothing of this, speak up now.",
            asker=escape(request.asked_by),
            role=menu.name_role(request.role) if request.role else "–",
            name=escape(request.username),
            moment=formatting.local_moment(request.asked_at + accounts.WAIT_ALONE),
        )
        st.warning(text)


def show_done(username: str, one_time: str | None = None, is_proposed: bool = False) -> None:
    """Show the outcome of an action; a one-time password is shown in this run only."""
    if is_proposed:
        st.info(f"{_(SECOND)} {_(ALONE)}")
    elif one_time:
        text = _(
            "One-time password of {name}, shown only now. Hand it over in person. It has to "
            "be changed at the first sign-in.",
            name=escape(username),
        )
        st.success(text)
        st.code(one_time, language=None)
    else:
        st.success(_("Saved."))


def show_changes(changes: list[AccountChange], key: str) -> None:
    """Show the changes that were done, with who asked and who confirmed."""
    if not changes:
        st.info(_("No change in the last {days} days.", days=accounts.TOLD_DAYS))
        return
    columns = (
        tables.text_column(_("When"), lambda change: formatting.local_moment(change.done_at)),
        tables.text_column(_("Account"), lambda change: change.username),
        tables.text_column(_("Change made"), lambda change: _(ACTS[change.act])),
        tables.text_column(
            _("Role"), lambda change: menu.name_role(change.role) if change.role else ""
        ),
        tables.text_column(_("Requested by"), lambda change: change.asked_by),
        tables.text_column(
            _("Confirmed by"), lambda change: change.confirmed_by or _("nobody, done alone")
        ),
    )
    tables.show(changes, columns, key)
