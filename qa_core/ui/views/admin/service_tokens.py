"""Service tokens page: the tokens, a new one, and examples of questions to the API."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from urllib.parse import urlsplit

import streamlit as st

from qa_core.access import accounts, service_tokens
from qa_core.access.roles import DEFAULT_TOKEN_DAYS, MAX_TOKEN_DAYS, TOKEN_ROLES, Permission, Viewer
from qa_core.access.service_tokens import STATE_TITLES, TokenState
from qa_core.base import environment
from qa_core.base.i18n import _
from qa_core.metrics import kpis, query
from qa_core.metrics.kpis import dimensions, formatting
from qa_core.ui.frame import layout, menu
from qa_core.ui.frame.markdown import escape
from qa_core.ui.views.admin import api_examples, people
from qa_core.ui.views.admin.account_requests import SECOND
from qa_core.ui.widgets import actions, notices, tables

NEW = "new_service_token"


def show_tokens(viewer: Viewer) -> None:
    """Show each token with its state, and a button that revokes it."""
    tokens = service_tokens.find_tokens(viewer)
    if not tokens:
        st.caption(_("None yet."))
    own_names = {token["name"] for token in tokens if token["created_by"] == viewer.username}
    notices.show_lost_figures(viewer, "tokens", lambda: _find_lost(viewer, own_names))
    for token in tokens:
        with st.container(border=True):
            bounds = (menu.name_role(token["role"]), *token["teams"], *token["sites"])
            bounds += (_("without a team"),) if token["sees_unassigned"] else ()
            bounds += (_("wallboard"),) if token["is_display"] else ()
            st.text(" · ".join((token["name"], *bounds, *token["kpis"])))
            if token["purpose"]:
                st.text(token["purpose"])
            title, used = STATE_TITLES[token["state"]], token["last_used_on"]
            expires = datetime.fromisoformat(token["expires_at"])
            text = _(
                "{state}. Created by {name}, expires {moment}, last used: {day}",
                state=_(title).capitalize(),
                name=escape(token["created_by"]),
                moment=formatting.local_moment(expires),
                day=formatting.day(date.fromisoformat(used), year=True) if used else _("never"),
            )
            st.caption(text)
            if token["state"] not in (TokenState.REVOKED, TokenState.EXPIRED) and st.button(
                _("Revoke"), key=f"revoke_{token['name']}"
            ):
                with actions.perform(Permission.MANAGE_ACCOUNTS) as acting:
                    service_tokens.revoke(acting, token["name"])


def _find_lost(viewer: Viewer, own_names: Collection[str]) -> list[str]:
    readers = service_tokens.find_viewers(viewer)
    return [
        name
        for name in sorted(own_names & readers.keys())
        if query.find_out_of_scope(readers[name], readers[name].kpis or tuple(kpis.BY_KEY))
    ]


def show_new(viewer: Viewer) -> None:
    """Show the form of a new token, and once the secret of one that was added."""
    st.subheader(_("New service token"), anchor=False)
    role = st.selectbox(_("Role"), TOKEN_ROLES, format_func=menu.name_role)
    with st.form(NEW, border=True):
        name = st.text_input(_("Name"), max_chars=80)
        purpose = st.text_input(_("Purpose"), max_chars=200)
        scope = people.ask_scope(
            viewer, role, "token", {"sees_unassigned": False}, placeholder=_("Choose")
        )
        keys = st.multiselect(
            _("KPIs (none: all the role can see)"),
            kpis.find_open(role),
            format_func=lambda key: _(kpis.BY_KEY[key].title),
            placeholder=_("All"),
        )
        last_days = (DEFAULT_TOKEN_DAYS, 1, MAX_TOKEN_DAYS)
        usual, least, most = (environment.today() + timedelta(days=n) for n in last_days)
        help_text = _("A screen opens it at {address} with the secret.", address="/display")
        is_display = st.toggle(_("Opens the wallboard only"), help=help_text)
        until = layout.ask_day(st, _("Last day"), usual, min_value=least, max_value=most)
        sent = st.form_submit_button(_("Add"), type="primary")
    if sent:
        with actions.show_refusals():
            scope["sees_unassigned"] = scope.get("sees_unassigned") or None
            terms = accounts.AccountTerms(role, purpose.strip(), **scope, kpis=tuple(keys))
            token = service_tokens.add(viewer, name, terms, until=until, is_display=is_display)
            st.success(_("Secret of {name}, shown only now.", name=escape(token.name)))
            st.code(token.secret, language=None)
            if token.state == TokenState.WAITING:
                st.info(_(SECOND))


def show_examples() -> None:
    """Show examples for each tool, then the KPIs and dimensions that may be asked for."""
    st.subheader(_("Read figures"), anchor=False)
    text = _(
        "One address, with the parameters kpi, by, from, to, where, set and explain. The "
        "answer holds what the token's role may see."
    )
    st.caption(text)
    there = urlsplit(st.context.url or api_examples.DOCUMENTED_ADDRESS)
    examples = api_examples.build_examples(f"{there.scheme}://{there.netloc}")
    tabs = st.tabs([example["tool"] for example in examples])
    for tab, example in zip(tabs, examples, strict=True):
        with tab:
            st.caption(_(example["hint"]))
            st.code(example["code"], language=None)
    lists = {_("KPI"): kpis.ALL, _("Dimension"): dimensions.DIMENSIONS}
    for column, (title, entries) in zip(st.columns(2), lists.items(), strict=True):
        with column:
            columns = (
                tables.text_column(title, lambda entry: entry.key),
                tables.text_column(_("Title"), lambda entry: _(entry.title)),
            )
            tables.show(list(entries), columns, f"api_{title}", height=430)
