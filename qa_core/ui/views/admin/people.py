"""People page: accounts, a new one, and one in full."""

import io
from collections.abc import Callable
from functools import partial
from typing import Any

import streamlit as st

from qa_core.access import account_list, accounts
from qa_core.access.account_list import ListedPerson
from qa_core.access.accounts import AccountAction, AccountTerms
from qa_core.access.roles import Role, Viewer
from qa_core.base.i18n import N_, _, ngettext
from qa_core.files import uploads
from qa_core.ui.frame import layout, menu
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.admin.account_requests import ACTS, SECOND, show_done
from qa_core.ui.widgets import actions, tables

LIST, OUTCOME, NEW = "accounts", "accounts_outcome", "accounts_added"
LISTED, LISTS = "accounts_listed", "account_lists"
STATES = {
    "new": N_("New account"),
    "waits": N_("needs a second person"),
    "asked": N_("awaiting a second person"),
    "unchanged": N_("there already"),
    "refused": N_("refused"),
    "added": N_("added"),
}
ROOM = 560
"""Pixels of the list beside the form."""


def show_list(viewer: Viewer, known: list[dict[str, Any]]) -> None:
    """Show the accounts; one can be selected."""
    advisors = dict(accounts.find_advisors(viewer))
    columns = (
        tables.text_column(_("Username"), lambda account: account["username"]),
        tables.text_column(_("Name"), lambda account: account["display_name"]),
        tables.text_column(_("Role"), lambda account: menu.name_role(account["role"])),
        tables.text_column(_("Scope"), lambda account: _describe_bounds(account, advisors)),
        tables.text_column(_("State"), _describe_state),
    )
    tables.choose(known, columns, LIST, room=ROOM)


def show_new(viewer: Viewer) -> None:
    st.subheader(_("New account"), anchor=False)
    role = _choose_role("new", Role.TEAM_LEAD)
    if accounts.needs_second(viewer, AccountAction.ADD, "", role):
        st.caption(_(SECOND))
    # Another key once an account was added: the form is empty; after a refusal it is not.
    added = st.session_state.get(NEW, 0)
    with st.form(f"new_account_{added}", border=True):
        username = st.text_input(_("Username"), max_chars=80)
        terms = _ask_bounds(viewer, role, f"new_{added}", {})
        sent = st.form_submit_button(_("Add"), type="primary")
    if outcome := st.session_state.pop(OUTCOME, None):
        show_done(*outcome)
    if sent:
        with actions.show_refusals():
            one_time = None
            is_proposed = accounts.needs_second(viewer, AccountAction.ADD, username, role)
            if is_proposed:
                accounts.propose(viewer, AccountAction.ADD, username, terms)
            else:
                one_time = accounts.add_under(viewer, username, terms)
            st.session_state[NEW] = added + 1
            st.session_state[OUTCOME] = (username, one_time, is_proposed)
            st.rerun()


def show_list_import(viewer: Viewer) -> None:
    """Ask for a table of people, show what each line would do, and add them at once."""
    st.subheader(_("Several accounts from a table"), anchor=False)
    left, _right = st.columns(2)
    sent = left.file_uploader(_("File"), key=f"list_{_count_lists()}")
    text = _(
        "Columns: name, role, and where needed team, site, advisor, email, since. Ann Lee "
        "becomes the username ann.lee."
    )
    st.caption(text)
    if sent is not None:
        with actions.show_refusals():
            with uploads.store_temporarily(sent.name, sent.getbuffer()) as path:
                people = account_list.check(viewer, account_list.read(path))
            _show_people(people)
            ready = [person for person in people if person.state in ("new", "waits")]
            label = ngettext("Add {n} account", "Add {n} accounts", len(ready))
            if ready and st.button(label, type="primary", key="add_list"):
                bar, done = st.progress(0.0), []
                for person in account_list.add(viewer, people):
                    done.append(person)
                    bar.progress(len(done) / len(people))
                st.session_state[LISTED] = done
                st.session_state[LISTS] = _count_lists() + 1
                st.rerun()
    elif done := st.session_state.get(LISTED):
        if any(person.password for person in done):
            table = io.StringIO()
            account_list.write_passwords(table, done)
            st.warning(_("One-time passwords are kept nowhere else. Copy them now."))
            st.code(table.getvalue(), language=None)
        _show_people(done)


def _count_lists() -> int:
    return st.session_state.get(LISTS, 0)


def _show_people(people: list[ListedPerson]) -> None:
    columns = (
        tables.count_column(_("Line"), lambda person: person.line),
        tables.text_column(_("Username"), lambda person: person.name),
        tables.text_column(_("Role"), lambda person: menu.name_role(person.role)),
        tables.text_column(_("State"), lambda person: _(STATES[person.state])),
        tables.text_column(_("Reason"), lambda person: person.reason, width="large"),
    )
    tables.show(people, columns, "listed_people")


def show_account(viewer: Viewer, account: dict[str, Any]) -> None:
    """Show one account: change, close, open or reset it."""
    username = account["username"]
    st.subheader(escape(username), anchor=False)
    if username == viewer.username:
        text = _(
            "This is your own account. Change password and language under My account; another "
            "administrator changes the rest."
        )
        st.info(text)
        return
    present = Role(account["role"]) if account["role"] in set(Role) else Role.ADVISOR
    role = _choose_role(username, present)
    if accounts.needs_second(viewer, AccountAction.CHANGE, username, role):
        st.caption(_(SECOND))
    with st.form(f"change_{username}", border=True):
        terms = _ask_bounds(viewer, role, username, account)
        sent = st.form_submit_button(_("Save"), type="primary")
    if sent:
        act = partial(accounts.change, viewer, username, terms)
        _do(viewer, AccountAction.CHANGE, username, act, terms)
    acts: dict[AccountAction, tuple[str, Callable[[Viewer, str], str | None]]] = {
        AccountAction.DISABLE: ("block", accounts.disable),
        AccountAction.ENABLE: ("lock_open", accounts.enable),
        AccountAction.RESET: ("key", accounts.reset),
    }
    del acts[AccountAction.ENABLE if account["active"] else AccountAction.DISABLE]
    with st.container(horizontal=True):
        for act, (symbol, perform) in acts.items():
            key = f"{act}_{username}"
            if st.button(_(ACTS[act]), icon=f":material/{symbol}:", key=key):
                _do(viewer, act, username, partial(perform, viewer, username))


def _choose_role(key: str, present: Role) -> Role:
    titles = {role: menu.name_role(role) for role in Role}
    return Role(layout.select(st, _("Role"), titles, f"role_{key}", present))


def _ask_bounds(viewer: Viewer, role: Role, key: str, account: dict[str, Any]) -> AccountTerms:
    name = st.text_input(
        _("Display name"), value=account.get("display_name", ""), max_chars=120, key=f"name_{key}"
    )
    terms: dict[str, Any] = {}
    options = {"accept_new_options": True, "placeholder": _("Choose")}
    if role == Role.TEAM_LEAD:
        terms = ask_scope(viewer, role, key, account, **options)
        terms["since"] = layout.ask_day(
            st, _("Since (empty: from the start)"), None, f"since_{key}"
        )
    elif role == Role.MANAGER:
        terms = ask_scope(viewer, role, key, account, **options)
        terms["sees_unassigned"] |= not terms["sites"]
    elif role == Role.ADVISOR:
        known, present = dict(accounts.find_advisors(viewer)), account.get("advisor_id")
        advisor = st.selectbox(
            _("Advisor"),
            list(known),
            index=list(known).index(present) if present in known else None,
            format_func=lambda key: known.get(key, key),
            key=f"advisor_{key}",
            **options,
        )
        terms = {"advisor_id": advisor}
    return AccountTerms(role, name.strip(), **terms)


def ask_scope(
    viewer: Viewer, role: Role, key: str, account: dict[str, Any], **options: Any
) -> dict[str, Any]:
    """Ask for the teams of a team lead, or the sites of a manager; empty for other roles.

    `account`: its present scope. `options` go to the fields.
    """
    if role == Role.TEAM_LEAD:
        known, present = accounts.find_teams(viewer), account.get("teams", [])
        teams = st.multiselect(_("Teams"), known, present, key=f"teams_{key}", **options)
        return {"teams": tuple(teams)}
    if role != Role.MANAGER:
        return {}
    known, present = accounts.find_sites(viewer), account.get("sites", [])
    sites = st.multiselect(_("Sites"), known, present, key=f"sites_{key}", **options)
    # With one site, contacts of no team can only be its own.
    sees_unassigned = st.checkbox(
        _("Also contacts of no team, such as missed calls"),
        value=account.get("sees_unassigned", len(known) <= 1),
        key=f"unassigned_{key}",
    )
    st.caption(_("Without sites, a manager sees only what belongs to no site."))
    return {"sites": tuple(sites), "sees_unassigned": sees_unassigned}


def _do(
    viewer: Viewer,
    act: AccountAction,
    username: str,
    perform: Callable[[], str | None],
    terms: AccountTerms | None = None,
) -> None:
    """Perform an act, or propose it where a second administrator has to confirm."""
    with actions.show_refusals():
        if accounts.needs_second(viewer, act, username, terms and terms.role):
            accounts.propose(viewer, act, username, terms)
            show_done(username, is_proposed=True)
        else:
            show_done(username, perform())


def _describe_bounds(account: dict[str, Any], advisors: dict[str, str]) -> str:
    match account["role"]:
        case Role.TEAM_LEAD:
            return ", ".join(account["teams"])
        case Role.MANAGER:
            return ", ".join(account["sites"]) or _("what belongs to no site")
        case Role.ADVISOR:
            advisor = account["advisor_id"] or ""
            name = advisors.get(advisor, advisor)
            return advisor if name == advisor else f"{name} ({advisor})"
    return ""


def _describe_state(account: dict[str, Any]) -> str:
    if not account["active"]:
        return _("closed")
    if account["demo"]:
        return _("demo")
    return _("password change due") if account["must_change_password"] else _("active")
