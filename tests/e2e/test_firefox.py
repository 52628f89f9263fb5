"""The sign-in in a real Firefox; `test_browser_sign_in.py` has the same in Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import firefox
import pytest
from builders import identity_provider
from builders.servers import Server
from builders.visitors import PASSWORD

from qa_core.access import accounts
from qa_core.access.roles import Viewer

pytestmark = [pytest.mark.browser, pytest.mark.long]
DRAWN = "document.querySelector(\"[data-test-script-state='notRunning']\")"
FORM = "document.querySelector('input[type=password]')"
SIGN_OUT = ".st-key-sign_out button"


@pytest.fixture(scope="module")
def running() -> Iterator[firefox.Firefox]:
    found = firefox.find()
    if found is None:
        pytest.skip("no Firefox was found (firefox-esr, firefox)")
    with firefox.run(found) as started:
        yield started


@pytest.fixture
def person(running: firefox.Firefox) -> str:
    """A browser without a cookie."""
    return running.call("browser.createUserContext")["userContext"]


def sign_in(tab: firefox.Tab, username: str) -> None:
    tab.wait_for(f"{FORM} && {DRAWN}")
    tab.type("input[type=text]", username)
    tab.type("input[type=password]", PASSWORD)
    tab.press("[data-testid=stFormSubmitButton] button")
    tab.wait_for(f"document.querySelector({SIGN_OUT!r}) && {DRAWN}")


def find_cookie(running: firefox.Firefox, person: str) -> dict | None:
    found = running.call(
        "storage.getCookies",
        filter={"name": "ecoute_session"},
        partition={"type": "storageKey", "userContext": person},
    )
    return next(iter(found["cookies"]), None)


def test_sign_in_reload_second_tab_and_sign_out(
    server: Server, running: firefox.Firefox, person: str
) -> None:
    accounts.add(Viewer.SYSTEM, "dora", "dpo", password=PASSWORD)
    first = running.new_tab(person)
    first.open(f"{server.url}/journal?actor=system")
    sign_in(first, "dora")
    title = "[...document.querySelectorAll('h1')].some(one => one.innerText == 'Audit log')"
    first.wait_for(f"{title} && location.href.endsWith('/journal?actor=system')")
    cookie = find_cookie(running, person)
    assert cookie["httpOnly"] and cookie["sameSite"] == "strict"
    assert "ecoute_session" not in first.ask("document.cookie")

    first.reload()
    first.wait_for(title)
    second = running.new_tab(person)
    second.open(f"{server.url}/my_account")
    second.wait_for(f"document.querySelector({SIGN_OUT!r}) && {DRAWN}")
    stranger = running.new_tab(running.call("browser.createUserContext")["userContext"])
    stranger.open(f"{server.url}/journal")
    stranger.wait_for(FORM)

    first.press(SIGN_OUT)
    first.wait_for(f"{FORM} && location.pathname == '/'")
    second.reload()
    second.wait_for(FORM)
    assert second.ask(f"document.querySelector({SIGN_OUT!r})") is None
    assert find_cookie(running, person) is None
    sign_in(first, "dora")  # and in again, in the same browser


def test_sign_in_and_sign_out_at_an_identity_provider(
    server: Server, running: firefox.Firefox, person: str
) -> None:
    with identity_provider.run() as provider:
        identity_provider.configure(corporate=provider.issuer)
        provider.claims = {"groups": ["privacy"], "sub": "3", "preferred_username": "cleo"}
        tab = running.new_tab(person)
        tab.open(f"{server.url}/journal")
        tab.wait_for(f"{FORM} && {DRAWN}")
        buttons = "[...document.querySelectorAll('button')]"
        button = f"{buttons}.find(one => one.innerText.includes('corporate'))"
        tab.wait_for(button)
        tab.ask(f"{button}.click()")
        tab.wait_for(f"document.querySelector({SIGN_OUT!r}) && {DRAWN}")

        tab.press(SIGN_OUT)
        tab.wait_for(f"location.href.startsWith('{provider.issuer}/end_session?')")
        tab.open(f"{server.url}/journal")
        tab.wait_for(FORM)
