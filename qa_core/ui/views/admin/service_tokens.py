"""Service tokens page: the tokens, a new one, and examples of questions to the API."""

from datetime import date, datetime
from urllib.parse import urlsplit

import streamlit as st

from qa_core.access import accounts, service_tokens
from qa_core.access.roles import DEFAULT_TOKEN_DAYS, MAX_TOKEN_DAYS, TOKEN_ROLES, Role, Viewer
from qa_core.access.service_tokens import STATE_TITLES, TokenState
from qa_core.base.i18n import _
from qa_core.metrics import dimensions, formatting, kpis
from qa_core.ui import actions, api_examples, menu, tables
from qa_core.ui.markdown import escape

NEW = "new_service_token"


def show_tokens(viewer: Viewer) -> None:
    """Show each token with its state, and a button that revokes it."""
    found = service_tokens.find_tokens(viewer)
    if not found:
        st.info(_("There are no service tokens yet."))
    for token in found:
        with st.container(border=True):
            bounds = (menu.name_role(token["role"]), *token["teams"], *token["sites"])
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
                with actions.show_refusals():
                    service_tokens.revoke(viewer, token["name"])
                    actions.finish(_("{name} is revoked.", name=token["name"]))


def show_new(viewer: Viewer) -> None:
    """Show the form of a new token, and once the secret of one that was added."""
    st.subheader(_("New service token"), anchor=False)
    role = st.selectbox(_("Role"), TOKEN_ROLES, format_func=menu.name_role)
    with st.form(NEW, border=True):
        name = st.text_input(_("Name"), max_chars=80)
        purpose = st.text_input(_("Purpose"), max_chars=200)
        teams = sites = ()
        if role == Role.TEAM_LEAD:
            teams = st.multiselect(_("Teams"), accounts.find_teams(viewer), placeholder="")
        elif role == Role.MANAGER:
            sites = st.multiselect(_("Sites"), accounts.find_sites(viewer), placeholder="")
            st.caption(_("Without sites, a manager sees only what belongs to no site."))
        keys = st.multiselect(
            _("KPIs (none: all the role can see)"),
            kpis.find_open(role),
            format_func=lambda key: _(kpis.BY_KEY[key].title),
            placeholder=_("All"),
        )
        days = st.number_input(_("Days until it expires"), 1, MAX_TOKEN_DAYS, DEFAULT_TOKEN_DAYS)
        sent = st.form_submit_button(_("Add the token"), type="primary")
    if sent:
        with actions.show_refusals():
            terms = accounts.AccountTerms(
                role, purpose.strip(), tuple(teams), tuple(sites), kpis=tuple(keys)
            )
            token = service_tokens.add(viewer, name, terms, days)
            st.success(_("Secret of {name}, shown only now.", name=escape(token.name)))
            st.code(token.secret, language=None)
            if token.state == TokenState.WAITING:
                st.info(_("It gives no access until a second person has confirmed it."))


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
    for tab, example in zip(st.tabs([one.tool for one in examples]), examples, strict=True):
        with tab:
            st.caption(_(example.hint))
            st.code(example.code, language=None)
    lists = {_("KPI"): kpis.ALL, _("Dimension"): dimensions.DIMENSIONS}
    for column, (title, entries) in zip(st.columns(2), lists.items(), strict=True):
        with column:
            columns = (
                tables.text_column(title, lambda entry: entry.key),
                tables.text_column(_("Title"), lambda entry: _(entry.title)),
            )
            tables.show(list(entries), columns, f"api_{title}", height=430)
