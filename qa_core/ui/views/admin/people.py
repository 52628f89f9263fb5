"""The parts of the People page: the list, one account, a new one, and what waits for a
second administrator.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import streamlit as st

from qa_core.access import accounts
from qa_core.access.accounts import Act, Wanted
from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _
from qa_core.metrics import formatting
from qa_core.ui import gate
from qa_core.ui.menu import ROLE_TITLES

LIST, OUTCOME, NEW = "accounts", "accounts_outcome", "accounts_added"
ACTS = {
    Act.ADD: N_("New account"),
    Act.CHANGE: N_("Other role or bounds"),
    Act.DISABLE: N_("Close the account"),
    Act.ENABLE: N_("Open the account"),
    Act.RESET: N_("New one-time password"),
}


def show_requests(viewer: Viewer) -> None:
    """What one administrator asked; another one confirms it, either may turn it down."""
    for request in accounts.find_requests(viewer):
        with st.container(border=True, horizontal=True, vertical_alignment="center"):
            role = _(ROLE_TITLES[Role(request.role)]) if request.role else ""
            st.text(" · ".join(filter(None, (_(ACTS[request.act]), request.username, role))))
            st.caption(
                _(
                    "asked by {name}, {moment}",
                    name=request.asked_by,
                    moment=formatting.moment(environment.to_local(request.asked_at)),
                )
            )
            if request.asked_by == viewer.username:
                st.caption(_("Another administrator has to confirm it."))
            elif st.button(_("Confirm"), key=f"confirm_{request.id}", type="primary"):
                _do(lambda request=request: accounts.confirm(viewer, request.id), request.username)
            if st.button(_("Decline"), key=f"decline_{request.id}"):
                _do(lambda request=request: accounts.decline(viewer, request.id), request.username)


def find_selected(known: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The account whose row is selected in the list."""
    rows = st.session_state.get(LIST, {}).get("selection", {}).get("rows", [])
    return known[rows[0]] if rows and rows[0] < len(known) else None


def show_list(viewer: Viewer, known: list[dict[str, Any]]) -> None:
    """The accounts, one of which may be selected."""
    advisors = dict(accounts.find_advisors(viewer))
    rows = [
        {
            _("Username"): account["username"],
            _("Name"): account["display_name"],
            _("Role"): _role_title(account["role"]),
            _("Bound to"): _bounds(account, advisors),
            _("State"): _state(account),
        }
        for account in known
    ]
    st.caption(_("Select a row to change an account; select none to add one."))
    widths = {
        _("Role"): st.column_config.Column(width=115),
        _("Bound to"): st.column_config.Column(width=120),
    }
    st.dataframe(
        rows,
        column_config=widths,
        hide_index=True,
        width="stretch",
        height="content",
        on_select="rerun",
        selection_mode="single-row",
        key=LIST,
    )


def show_new(viewer: Viewer) -> None:
    """Add an account."""
    st.subheader(_("New account"), anchor=False)
    role = _choose_role(viewer, "new", Role.TEAM_LEAD)
    # Empty once an account was added; what was refused stays to be mended.
    added = st.session_state.get(NEW, 0)
    with st.form(f"new_account_{added}", border=True):
        username = st.text_input(_("Username"), max_chars=80)
        wanted = _ask_bounds(viewer, role, f"new_{added}", {})
        sent = st.form_submit_button(_("Add the account"), type="primary")
    if told := st.session_state.pop(OUTCOME, None):
        _describe(*told)
    if sent:
        try:
            is_proposed = accounts.needs_second(viewer, username, role)
            if is_proposed:
                accounts.propose(viewer, Act.ADD, username, wanted)
                one_time = None
            else:
                bounds = (wanted.teams, wanted.sites, wanted.advisor_id, wanted.since)
                one_time = accounts.add(viewer, username, role, *bounds, None, wanted.display_name)
        except Refusal as refusal:
            gate.show_refusal(refusal)
            return
        st.session_state[NEW], st.session_state[OUTCOME] = (
            added + 1,
            (username, one_time, is_proposed),
        )
        st.rerun()


def show_one(viewer: Viewer, account: dict[str, Any]) -> None:
    """Change, close, open or reset one account."""
    username = account["username"]
    st.subheader(username, anchor=False)
    if username == viewer.username:
        st.info(
            _(
                "This is your own account: password and language are under My account, the "
                "rest is changed by another administrator."
            )
        )
        return
    role = _choose_role(
        viewer, username, Role(account["role"]) if account["role"] in set(Role) else Role.ADVISOR
    )
    with st.form(f"change_{username}", border=True):
        wanted = _ask_bounds(viewer, role, username, account)
        sent = st.form_submit_button(_("Save"), type="primary")
    if sent:
        _ask(
            viewer, Act.CHANGE, username, lambda: accounts.change(viewer, username, wanted), wanted
        )
    with st.container(horizontal=True):
        if account["active"]:
            if st.button(
                _("Close the account"), icon=":material/block:", key=f"disable_{username}"
            ):
                _ask(viewer, Act.DISABLE, username, lambda: accounts.disable(viewer, username))
        elif st.button(
            _("Open the account"), icon=":material/lock_open:", key=f"enable_{username}"
        ):
            _ask(viewer, Act.ENABLE, username, lambda: accounts.enable(viewer, username))
        if st.button(_("New one-time password"), icon=":material/key:", key=f"reset_{username}"):
            _ask(viewer, Act.RESET, username, lambda: accounts.reset(viewer, username))


def _choose_role(viewer: Viewer, key: str, present: Role) -> Role:
    roles = list(Role)
    chosen = st.selectbox(
        _("Role"),
        roles,
        index=roles.index(present),
        format_func=lambda role: _(ROLE_TITLES[role]),
        key=f"role_{key}",
    )
    if accounts.needs_second(viewer, key, chosen):
        st.caption(_("This role decides over others: a second administrator has to confirm."))
    return Role(chosen)


def _ask_bounds(viewer: Viewer, role: Role, key: str, account: dict[str, Any]) -> Wanted:
    """The fields that this role needs, inside a form."""
    name = st.text_input(
        _("Name shown"), value=account.get("display_name", ""), max_chars=120, key=f"name_{key}"
    )
    teams: list[str] = []
    sites: list[str] = []
    advisor: str | None = None
    since: date | None = None
    if role == Role.TEAM_LEAD:
        known = accounts.find_teams(viewer)
        teams = st.multiselect(
            _("Teams led"),
            known,
            default=account.get("teams", []),
            accept_new_options=True,
            placeholder=_("Choose or type"),
            key=f"teams_{key}",
        )
        since = st.date_input(
            _("Since (empty: from the beginning)"),
            value=None,
            key=f"since_{key}",
            format="DD/MM/YYYY",
        )
    if role == Role.MANAGER:
        known = accounts.find_sites(viewer)
        sites = st.multiselect(
            _("Sites managed"),
            known,
            default=account.get("sites", []),
            accept_new_options=True,
            placeholder=_("Choose or type"),
            key=f"sites_{key}",
        )
        st.caption(_("Without a site, a manager sees what belongs to no site."))
    if role == Role.ADVISOR:
        known = dict(accounts.find_advisors(viewer))
        present = account.get("advisor_id")
        index = list(known).index(present) if present in known else None
        advisor = st.selectbox(
            _("Advisor"),
            list(known),
            index=index,
            format_func=lambda key: known.get(key, key),
            accept_new_options=True,
            placeholder=_("Choose or type"),
            key=f"advisor_{key}",
        )
    return Wanted(role, name.strip(), tuple(teams), tuple(sites), advisor, since)


def _ask(
    viewer: Viewer,
    act: Act,
    username: str,
    work: Callable[[], str | None],
    wanted: Wanted | None = None,
) -> None:
    if accounts.needs_second(viewer, username, wanted.role if wanted else None):
        _do(lambda: accounts.propose(viewer, act, username, wanted), username, proposed=True)
    else:
        _do(work, username)


def _do(work: Callable[[], str | None], username: str, proposed: bool = False) -> None:
    """Do it and say what came of it."""
    try:
        one_time = work()
    except Refusal as refusal:
        gate.show_refusal(refusal)
        return
    _describe(username, one_time, proposed)


def _describe(username: str, one_time: str | None, proposed: bool) -> None:
    """What came of it; a one-time password is shown in this run and never again."""
    if proposed:
        st.info(_("Noted. Another administrator has to confirm it on this page."))
    elif one_time:
        st.success(
            _(
                "One-time password of {name}, shown only now. Hand it over in person; it has "
                "to be changed at the first sign-in.",
                name=username,
            )
        )
        st.code(one_time, language=None)
    else:
        st.success(_("Done: {name}.", name=username))


def _role_title(role: str) -> str:
    return _(ROLE_TITLES[Role(role)]) if role in set(Role) else role


def _bounds(account: dict[str, Any], advisors: dict[str, str]) -> str:
    """What counts for the role; the rest sleeps until the role asks for it."""
    advisor = account["advisor_id"] or ""
    counting = {
        Role.TEAM_LEAD: account["teams"],
        Role.MANAGER: account["sites"] or [_("what belongs to no site")],
        Role.ADVISOR: [
            f"{advisors[advisor]} ({advisor})"
            if advisors.get(advisor, advisor) != advisor
            else advisor
        ],
    }
    return ", ".join(counting.get(account["role"], []))


def _state(account: dict[str, Any]) -> str:
    if not account["active"]:
        return _("closed")
    return (
        _("demo")
        if account["demo"]
        else _("new password due")
        if account["must_change_password"]
        else _("active")
    )
