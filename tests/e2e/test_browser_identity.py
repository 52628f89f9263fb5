"""The sign-in at an identity provider and the sign-out there, in a real browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import requests
from builders import identity_provider
from builders.servers import Server


@pytest.mark.long
def test_a_logout_at_the_provider_ends_the_session_of_every_tab_and_of_no_other_browser(
    server: Server, new_page: Callable[..., object]
) -> None:
    with identity_provider.run() as provider:
        identity_provider.configure(corporate=provider.issuer)
        provider.claims = {"groups": ["privacy"], "sub": "2", "preferred_username": "bea"}
        page, other = new_page(), new_page()
        tab = page.context.new_page()
        for one, sid in ((page, "first"), (other, "second")):
            provider.claims["sid"] = sid
            one.goto("/journal")
            one.get_by_role("button", name="Sign in with Account of corporate").click()
            one.get_by_role("button", name="Sign out").wait_for()
        tab.goto("/my_account")
        tab.get_by_role("button", name="Sign out").wait_for()

        token = provider.build_logout(sid="first", sub=None)
        address = f"{server.url}/sign-in/corporate/logout"
        assert requests.post(address, data={"logout_token": token}).status_code == 200

        page.get_by_role("link", name="My account").first.click()  # the next click
        page.get_by_label("Password", exact=True).wait_for()
        tab.reload()
        tab.get_by_label("Password", exact=True).wait_for()
        other.reload()
        other.get_by_role("button", name="Sign out").wait_for()


@pytest.mark.long
def test_the_page_leads_to_the_provider_in_its_own_tab_and_the_sign_out_too(
    server: Server, new_page: Callable[..., object]
) -> None:
    with identity_provider.run() as provider:
        identity_provider.configure(corporate=provider.issuer)
        provider.claims = {"groups": ["privacy"]}
        page = new_page()
        page.goto("/journal")

        page.get_by_role("button", name="Sign in with Account of corporate").click()
        page.get_by_role("button", name="Sign out").wait_for()
        page.locator("[data-test-script-state='notRunning']").wait_for(state="attached")
        page.get_by_role("button", name="Sign out").click()

        page.wait_for_url(f"{provider.issuer}/end_session?**")
        assert len(page.context.pages) == 1
        page.goto("/journal")
        page.get_by_label("Password", exact=True).wait_for()
