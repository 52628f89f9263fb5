"""The way to identity providers, back, and out again, on the served app, without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest
import raw
import requests
from builders import identity_provider
from builders.forked_python import forked_python
from builders.servers import Server, living_in, serve
from builders.visitors import PASSWORD
from starlette.applications import Starlette
from starlette.testclient import TestClient

from qa_core.access import accounts, identity
from qa_core.access.roles import Viewer
from qa_core.storage.records import store
from qa_core.ui.server import browser, connections, identity_routes

Provider = identity_provider.Provider


@pytest.fixture(scope="module")
def corporate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    folder = tmp_path_factory.mktemp("centre")
    with living_in(folder), identity_provider.run() as provider:
        store.migrate()
        accounts.add(Viewer.SYSTEM, "root", "admin", password=PASSWORD)
        identity_provider.configure(
            corporate=provider.issuer, partner="http://localhost:1", other="https://o.example"
        )
        provider.claims = {"groups": ["privacy"], "sid": "s1"}
        yield provider


@pytest.fixture(scope="module")
def server(corporate: Provider) -> Iterator[Server]:
    with serve(identity.config_file().parent, python=forked_python()) as running:
        yield running


def go_to_the_provider(server: Server) -> tuple[requests.Session, str]:
    """A browser, and the address at which the provider sends it back."""
    visitor = requests.Session()
    visitor.cookies.set("_streamlit_xsrf", raw.generate_xsrf_token_string())
    arrived = visitor.get(f"{server.url}/sign-in/corporate", allow_redirects=False)
    back = requests.get(arrived.headers["Location"], allow_redirects=False).headers["Location"]
    assert back.startswith(f"{server.url}/sign-in/corporate/callback?")
    return visitor, back


def sign_in(server: Server) -> dict[str, str]:
    """Go to the provider and back; the cookies of the browser."""
    visitor, back = go_to_the_provider(server)
    assert requests.get(back, allow_redirects=False).status_code == 403  # another browser
    arrived = visitor.get(back, allow_redirects=False)
    assert (arrived.status_code, arrived.headers["Location"]) == (303, "/")
    return {name: visitor.cookies[name] for name in ("_streamlit_xsrf", browser.COOKIE)}


def send_logout(server: Server, token: str) -> requests.Response:
    """What the provider sends: no cookie, no XSRF token."""
    return requests.post(f"{server.url}/sign-in/corporate/logout", data={"logout_token": token})


def test_a_sign_in_leads_to_the_provider_and_back_into_the_app(server: Server) -> None:
    with raw.visitor(server.host) as stranger:
        stranger.send()
        seen = stranger.read()
        assert seen.met_the_sign_in
        for name in ("corporate", "partner", "other"):
            assert f"Sign in with Account of {name}" in seen.ids
        stranger.send(press=seen.ids["Sign in with Account of corporate"])
        assert stranger.read().leads_to == "/sign-in/corporate"

    assert raw.visit(server.host, "journal", cookies=sign_in(server)).titles == ["Audit log"]
    assert requests.get(f"{server.url}/sign-in/nobody").status_code == 403
    away = requests.get(
        f"{server.url}/sign-in/partner",
        cookies={"_streamlit_xsrf": raw.generate_xsrf_token_string()},
    )
    assert (away.status_code, "does not answer" in away.text) == (403, True)


def test_an_answer_is_taken_once_and_only_as_it_was_asked_for(server: Server) -> None:
    visitor, back = go_to_the_provider(server)
    _other, elsewhere = go_to_the_provider(server)
    state = dict(parse_qsl(urlsplit(elsewhere).query))["state"]
    mine = dict(parse_qsl(urlsplit(back).query))["state"]

    def answer(address: str) -> int:
        return visitor.get(address, allow_redirects=False).status_code

    assert answer(back.replace(mine, state)) == 403  # what another browser asked for
    assert answer(back.replace("/corporate/", "/other/")) == 403
    visitor, back = go_to_the_provider(server)
    assert answer(back) == 303
    assert answer(back) == 403


def test_the_sign_out_leads_on_to_the_provider_s_own(server: Server, corporate: Provider) -> None:
    cookies = sign_in(server)
    with raw.visitor(server.host, cookies) as person:
        person.send("journal")
        person.send("journal", press=person.read().ids["Sign out"])
        leads_to = person.read().leads_to

    assert leads_to.startswith(f"{corporate.issuer}/end_session?")
    asked = dict(parse_qsl(urlsplit(leads_to).query))
    assert asked["post_logout_redirect_uri"] == f"{server.url}/"
    assert raw.visit(server.host, "journal", cookies=cookies).met_the_sign_in


def test_a_logout_at_the_provider_ends_the_session_here(
    server: Server, corporate: Provider
) -> None:
    cookies = sign_in(server)
    logout = corporate.build_logout(sid="s1", sub=None)

    answer = send_logout(server, logout)

    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert raw.visit(server.host, "journal", cookies=cookies).met_the_sign_in
    again = send_logout(server, logout)
    assert (again.status_code, again.headers["Cache-Control"]) == (400, "no-store")


def test_what_is_no_logout_is_refused_by_its_size_and_form(server: Server) -> None:
    address = f"{server.url}/sign-in/corporate/logout"
    for content in ("", "logout_token=%FF", "a=b&" * 20, b"\xff", {"logout_token": ["x", "y"]}):
        assert requests.post(address, data=content).status_code == 400
    assert requests.post(f"{server.url}/sign-in/nobody/logout").status_code == 400
    assert requests.post(address, data="x" * (identity_routes.BODY_BYTES + 1)).status_code == 413


def test_logouts_that_fail_are_few_and_those_that_succeed_are_not_counted(
    corporate: Provider,
) -> None:
    client = TestClient(Starlette(routes=identity_routes.ROUTES))

    def send(token: str) -> int:
        answer = client.post("/sign-in/corporate/logout", data={"logout_token": token})
        return answer.status_code

    good = [send(corporate.build_logout(sub="nobody")) for _ in range(100)]
    bad = []
    while 429 not in bad and len(bad) < 2 * connections.BURST:
        bad.append(send("x"))

    assert good == [200] * 100 and bad[: connections.BURST - 1] == [400] * (connections.BURST - 1)
    assert bad[-1] == 429
