"""The cookie of a session: given by the server for a ticket, once, and hidden from scripts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from http.cookies import SimpleCookie
from pathlib import Path

import pytest
from builders.visitors import PASSWORD
from builders.wires import Wire
from streamlit.testing.v1 import AppTest
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string

from qa_core.access import sessions
from qa_core.ui.server import browser


@pytest.fixture
def signed_in(add_person: Callable[..., str]) -> Wire:
    """A browser in which Tom has just signed in, and which has no cookie of it yet."""
    add_person("tom", "team_lead")
    wire = Wire("tom")
    wire.token = wire.cookies.pop(browser.COOKIE)
    return wire


def take(wire: Wire, page: str = "/overview?site=Lyon", **more: str) -> tuple[str, SimpleCookie]:
    """Exchange a new ticket; where it leads, and the cookie given."""
    ticket = sessions.build_exchange(wire.token, page)
    assert wire.token not in ticket
    status, headers, _body = wire.ask(f"/session/{ticket}", **more)
    assert status == 303
    return headers["location"], SimpleCookie(headers.get("set-cookie", ""))


def test_a_ticket_gives_a_cookie_that_no_script_reads_and_leads_back(signed_in: Wire) -> None:
    leads_to, given = take(signed_in)

    cookie = given[browser.COOKIE]
    assert leads_to == "/overview?site=Lyon" and cookie.value == signed_in.token
    assert cookie["httponly"] and cookie["samesite"] == "strict" and not cookie["secure"]
    assert cookie["max-age"] == str(8 * 3600) and cookie["path"] == "/"


def test_over_https_the_cookie_never_goes_without_it(signed_in: Wire) -> None:
    signed_in.scheme = "https"

    _leads_to, given = take(signed_in)

    assert given[browser.COOKIE]["secure"]


def test_a_ticket_is_good_once_for_a_minute_and_in_its_browser(
    signed_in: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = sessions.build_exchange(signed_in.token, "/")

    def gives(wire: Wire, ticket: str) -> bool:
        return "set-cookie" in wire.ask(f"/session/{ticket}")[1]

    other = Wire(None)
    other.cookies["_streamlit_xsrf"] = generate_xsrf_token_string(b"another browser!")
    assert not gives(other, ticket)  # a thief of the address, whose browser is another
    assert not gives(signed_in, ("B" if ticket[0] == "A" else "A") + ticket[1:])
    assert gives(signed_in, ticket) and not gives(signed_in, ticket)

    late, present = sessions.build_exchange(signed_in.token, "/"), sessions.now()
    with monkeypatch.context() as later:
        later.setattr(sessions, "now", lambda: present + timedelta(seconds=61))
        assert not gives(signed_in, late)

    over = sessions.build_exchange(signed_in.token, "/")
    signed_in.cookies[browser.COOKIE] = signed_in.token
    here = browser.build(signed_in.cookies, {"host": "localhost"}, "127.0.0.1")
    sessions.sign_out(signed_in.token, here)
    assert not gives(signed_in, over)


def test_a_useless_cookie_is_taken_back_and_a_good_one_is_not(signed_in: Wire) -> None:
    signed_in.cookies[browser.COOKIE] = signed_in.token
    assert "set-cookie" not in signed_in.ask("/session")[1]

    signed_in.cookies[browser.COOKIE] = "useless"
    headers = signed_in.ask("/session")[1]
    assert SimpleCookie(headers["set-cookie"])[browser.COOKIE]["max-age"] == "0"


def test_the_form_leads_to_the_address_that_gives_the_cookie(
    open_app: Callable[..., AppTest], add_person: Callable[..., str], centre: Path
) -> None:
    add_person("tom", "team_lead")
    led: list[str] = []
    app = open_app(None, "overview")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("qa_core.ui.frame.gate.lead_to", led.append)
        app.text_input[0].set_value("tom")
        app.text_input[1].set_value(PASSWORD)
        app.button[0].click().run()

    assert led and all(address.startswith("/session/") for address in led)
