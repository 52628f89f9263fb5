"""The sign-in in a real browser and on the bare wire: what keeps people in, and what
keeps everybody else out.
"""

from __future__ import annotations

import time
import urllib.error
import urllib.request
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import raw
import sqlalchemy as sa
from builders.servers import Server, living_in, serve
from builders.visitors import PASSWORD

from qa_core.access import accounts, passwords, sessions
from qa_core.access.accounts import AccountTerms
from qa_core.access.roles import Role, Viewer
from qa_core.storage.records import store
from qa_core.storage.records.people import LoginSession, SignInThrottle
from qa_core.ui import asgi as wall
from qa_core.ui.frame import menu

COOKIE, XSRF = "ecoute_session", "_streamlit_xsrf"


def add(role: str, **bounds) -> str:
    """A new person with `PASSWORD`."""
    username = f"{role}-{uuid.uuid4().hex[:8]}"
    accounts.add(Viewer.SYSTEM, username, role, password=PASSWORD, **bounds)
    return username


def cookies_of(page) -> dict[str, str]:
    return {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}


def open_session(username: str) -> dict[str, str]:
    """The cookies of a browser in which that person has just signed in."""
    token = raw.generate_xsrf_token_string()
    here = wall.browser.build({XSRF: token}, {}, "192.0.2.1")
    return {XSRF: token, COOKIE: sessions.sign_in(username, PASSWORD, here, one_time_days=7)}


def count_tries() -> int:
    """The failures that the throttle counts; a try under way counts as one until it is
    known to be good.
    """
    with store.reading() as session:
        return session.scalar(sa.select(sa.func.sum(SignInThrottle.failures))) or 0


def is_in(page) -> bool:
    """Whether the page, once drawn, shows somebody signed in."""
    page.get_by_role("button", name="Sign out").or_(
        page.get_by_label("Password", exact=True)
    ).first.wait_for()
    return page.get_by_role("button", name="Sign out").count() > 0


def request(
    server: Server,
    path: str,
    method: str = "GET",
    headers: dict[str, str] | None = None,
    data: bytes | None = None,
):
    ask = urllib.request.Request(server.url + path, method=method, headers=headers or {}, data=data)
    try:
        return urllib.request.urlopen(ask, timeout=60)
    except urllib.error.HTTPError as error:
        return error


def test_a_stranger_signs_in_and_lands_where_they_meant_to_be_and_a_reload_keeps_them(
    new_page, sign_in_as
) -> None:
    page = new_page()
    page.goto("/journal?actor=system")
    sign_in_as(page, add("dpo"))

    page.get_by_role("heading", name="Audit log").wait_for()
    assert page.url.endswith("/journal?actor=system")

    page.reload()
    page.get_by_role("heading", name="Audit log").wait_for()
    assert page.url.endswith("/journal?actor=system")
    # No script of a page reads the id of the session.
    [cookie] = [one for one in page.context.cookies() if one["name"] == COOKIE]
    assert cookie["httpOnly"] and cookie["sameSite"] == "Strict"
    assert COOKIE not in page.evaluate("document.cookie")


# The next test loses the sign-in where this one would, in one connection without a browser.
@pytest.mark.long
def test_all_who_sign_in_at_the_same_moment_are_in_at_the_first_try_and_stay_in(
    new_page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        passwords, "ROUNDS", 12
    )  # what a password costs outside of tests: runs have time to come in between
    people_and_pages = [(add("dpo"), new_page()) for _ in range(2)]
    for _username, page in people_and_pages:
        page.set_default_timeout(180_000)
        page.goto("/journal", wait_until="commit")
    for username, page in people_and_pages:
        page.get_by_label("Username", exact=True).fill(username)
        page.get_by_label("Password", exact=True).fill(PASSWORD)
        page.get_by_role("button", name="Sign in").click()

    for number, (_username, page) in enumerate(people_and_pages):
        page.get_by_role("button", name="Sign out").wait_for()
        if number % 2:
            page.goto("/my_account")
        else:
            page.reload()

    assert all(is_in(page) for _username, page in people_and_pages)


def test_a_run_that_comes_in_between_does_not_lose_the_sign_in(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "ROUNDS", 13)
    username, tries = add("dpo"), count_tries()
    with raw.visitor(server.host) as visitor:
        visitor.send()
        form = visitor.read()
        visitor.typed = {form.ids["Username"]: username, form.ids["Password"]: PASSWORD}
        visitor.send(press=form.ids["Sign in"])
        deadline = time.monotonic() + 300
        while count_tries() == tries and time.monotonic() < deadline:
            time.sleep(0.01)
        visitor.send()  # while the password is checked

        assert visitor.read().leads_to.startswith("/session/")


@pytest.mark.long
def test_the_bare_address_leads_each_reader_to_their_own_page(new_page, sign_in_as) -> None:
    page = new_page()
    page.goto("/")
    sign_in_as(page, add("dpo"))

    page.get_by_role("heading", name="Compliance").wait_for()
    page.wait_for_url("**/listening_rules")


def test_signing_out_ends_the_session_in_every_browser_that_holds_its_cookie(
    new_page, sign_in_as
) -> None:
    page, copy = new_page(), new_page()
    page.goto("/my_account")
    sign_in_as(page, add("evaluator"))
    copy.context.add_cookies(page.context.cookies())
    copy.goto("/my_account")
    assert is_in(copy)  # a whole copy of the browser is that browser

    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Password", exact=True).wait_for()

    copy.reload()
    assert not is_in(copy)
    page.reload()
    assert not is_in(page)
    assert COOKIE not in cookies_of(page)  # what is good for nothing is not left lying about


@pytest.mark.long
def test_a_second_tab_is_signed_in_and_out_with_the_first(new_page, sign_in_as) -> None:
    page = new_page()
    tab = page.context.new_page()
    page.goto("/journal")
    sign_in_as(page, add("dpo"))
    page.reload()
    page.get_by_role("heading", name="Audit log").wait_for()
    tab.goto("/my_account")
    assert is_in(tab)

    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Password", exact=True).wait_for()

    tab.reload()
    assert not is_in(tab)
    page.reload()
    assert not is_in(page)


def test_the_cookie_alone_is_worth_nothing_in_another_browser(server: Server) -> None:
    cookies = open_session(add("dpo"))

    seen = raw.visit(
        server.host, "journal", cookies={COOKIE: cookies[COOKIE]}
    )  # and a token of its own

    assert seen.met_the_sign_in and seen.titles == []
    assert raw.visit(server.host, "journal", cookies=cookies).titles == ["Audit log"]


def test_a_stolen_session_id_of_the_server_shows_nothing_and_its_owner_comes_back(
    server: Server,
) -> None:
    username = add("dpo")
    cookies = open_session(username)
    own = raw.visit(server.host, "journal", cookies=cookies)
    assert username in own.text and own.session_id

    stolen = raw.visit(server.host, "journal", session_id=own.session_id)

    assert stolen.session_id != own.session_id  # of another browser: it is not resumed
    assert stolen.met_the_sign_in and username not in stolen.text and stolen.titles == []
    assert raw.visit(server.host, "journal", cookies=cookies).titles == ["Audit log"]


@pytest.mark.parametrize(
    "token", ["", "x", "a" * 43, "eyJhbGciOiJub25lIn0.eyJ1c2VybmFtZSI6InJvb3QifQ.", "' or 1=1 --"]
)
def test_a_forged_cookie_meets_the_sign_in(token: str, server: Server) -> None:
    assert raw.visit(server.host, "people", cookies={COOKIE: token}).met_the_sign_in


def test_an_address_of_another_role_is_answered_with_the_way_to_one_s_own_first_page(
    server: Server,
) -> None:
    cookies = open_session(add("dpo"))
    for page in (
        page
        for pages in menu.MENU.values()
        for page in pages
        if not page.is_open_to(Viewer("", Role.DPO))
    ):
        seen = raw.visit(server.host, page.key, cookies=cookies)
        assert (
            seen.titles == []
            and "You do not have access to this, or it does not exist" in seen.text
        ), page.key


@pytest.mark.parametrize(
    "age",
    [{"created_at": sessions.MAX_AGE}, {"last_seen_at": sessions.IDLE}],
    ids=["after eight hours", "after half an hour unused"],
)
def test_an_old_session_meets_the_sign_in(age: dict[str, timedelta], server: Server) -> None:
    username = add("dpo")
    cookies = open_session(username)
    assert raw.visit(server.host, "journal", cookies=cookies).titles == ["Audit log"]

    with store.writing() as session:
        row = session.scalars(
            sa.select(LoginSession).where(LoginSession.username == username)
        ).one()
        for name, span in age.items():
            setattr(row, name, getattr(row, name) - span)

    seen = raw.visit(server.host, "journal", cookies=cookies)
    assert seen.met_the_sign_in and seen.titles == []


def test_a_closed_account_is_out_at_the_next_click(new_page, sign_in_as) -> None:
    page = new_page()
    page.goto("/journal")
    username = add("dpo")
    sign_in_as(page, username)
    page.get_by_role("button", name="Verify the seals").wait_for()

    accounts.disable(Viewer.SYSTEM, username)
    page.get_by_role("button", name="Verify the seals").click()

    page.get_by_label("Password", exact=True).wait_for()
    assert page.get_by_role("heading", name="Audit log").count() == 0
    with store.reading() as session:
        assert accounts.audit_log.verify(session).ok


def test_another_role_counts_at_once(server: Server) -> None:
    username = add("dpo")
    cookies = open_session(username)
    assert raw.visit(server.host, "journal", cookies=cookies).titles == ["Audit log"]

    accounts.change(Viewer.SYSTEM, username, AccountTerms("evaluator"))

    assert raw.visit(server.host, "journal", cookies=cookies).met_the_sign_in
    cookies = open_session(username)
    assert raw.visit(server.host, "journal", cookies=cookies).titles == []
    assert raw.visit(server.host, "scores", cookies=cookies).titles == ["Scores"]


@pytest.mark.long
def test_a_one_time_password_opens_nothing_but_the_choice_of_an_own_one(
    new_page, sign_in_as
) -> None:
    one_time = accounts.add(Viewer.SYSTEM, f"new-{uuid.uuid4().hex[:8]}", "dpo")
    with store.reading() as session:
        username = session.scalars(
            sa.select(accounts.Account.username).order_by(accounts.Account.created_at.desc())
        ).first()
    page = new_page()
    page.goto("/journal")
    sign_in_as(page, username, one_time)

    page.get_by_role("heading", name="Choose your password").wait_for()
    assert page.get_by_role("heading", name="Audit log").count() == 0
    page.get_by_label("Current password").fill(one_time)
    page.get_by_label("New password", exact=True).fill("Amber-Lantern-48-boats")
    page.get_by_label("New password again").fill("Amber-Lantern-48-boats")
    page.get_by_role("button", name="Change password").click()

    page.get_by_role("heading", name="Audit log").wait_for()


@pytest.mark.long
def test_a_wrong_password_and_an_unknown_name_say_the_same(new_page, sign_in_as) -> None:
    page = new_page()
    page.goto("/journal")
    told = []
    for username in (add("dpo"), "nobody-here"):
        sign_in_as(page, username, "wrong", wait=False)
        alert = page.get_by_role("alert").first
        alert.wait_for()
        told.append(alert.inner_text())
        page.reload()
    assert told[0] == told[1] and "wrong" in told[0]


def test_a_file_is_taken_from_whoever_may_upload_and_from_nobody_else(server: Server) -> None:
    address = f"/_stcore/upload_file/{raw.visit(server.host).session_id}/{uuid.uuid4()}"
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; '
        b'filename="a.csv"\r\n\r\na,b\r\n--x--\r\n'
    )

    def send(cookies: dict[str, str]) -> int:
        headers = {
            "Content-Type": "multipart/form-data; boundary=x",
            "X-Xsrftoken": cookies[XSRF],
            "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
        }
        return request(server, address, "PUT", headers, body).status

    assert send({XSRF: raw.generate_xsrf_token_string()}) == 403
    assert send(open_session(add("dpo"))) == 403
    assert (
        send(open_session(add("admin"))) == 400
    )  # past the wall; that session of the server is over by now


def test_the_headers_stand_on_every_answer_and_what_is_closed_is_not_found(server: Server) -> None:
    open_addresses = ("/_stcore/health", "/_stcore/host-config", "/healthz")
    for path in ("/", "/journal", *open_addresses, "/no/such/file"):
        answer = request(server, path)
        assert (
            "script-src 'self' 'unsafe-eval' 'wasm-unsafe-eval' 'sha256-"
            in answer.headers["Content-Security-Policy"]
        ), path
        assert (
            "'unsafe-inline'"
            not in answer.headers["Content-Security-Policy"].split("script-src")[1].split(";")[0]
        )
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "server" not in answer.headers
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cache-Control"] == "no-store"
    for path in (
        "/_stcore/metrics",
        "/_stcore/metrics/",
        "/_stcore/agent/interact",
        "/_stcore/agent/openapi.json",
        "/_stcore/agent/mcp",
        "/download/x.y",
    ):
        assert request(server, path).status == 404, path
    assert request(server, "/_stcore/agent/interact", "POST", data=b"{}").status == 404


def test_no_other_host_is_called_and_the_policy_breaks_nothing(
    new_page, sign_in_as, server: Server
) -> None:
    page = new_page()
    called, complaints = [], []
    page.on("request", lambda ask: called.append(ask.url))
    page.on(
        "console",
        lambda message: (
            complaints.append(message.text) if "Content Security Policy" in message.text else None
        ),
    )
    page.goto("/")
    sign_in_as(page, add("dpo"))
    page.reload()
    assert is_in(page)

    assert [url for url in called if not url.startswith((server.url, "data:", "blob:"))] == []
    assert complaints == []


@pytest.mark.long
def test_a_download_is_one_click_for_one_session(new_page, sign_in_as, server: Server) -> None:
    page, other = new_page(), new_page()
    page.goto("/journal")
    sign_in_as(page, add("dpo"))
    link = page.get_by_role("link", name="Export · CSV")
    address = link.get_attribute("href")
    with page.context.expect_page():
        link.click()
    other.goto("/journal")
    sign_in_as(other, add("dpo"))

    assert page.request.get(address).status == 200
    assert page.request.get(address).text().lstrip("\ufeff").startswith("seq,at,actor")
    assert other.request.get(address).status == 404
    assert request(server, address).status == 404


def test_all_at_once_the_first_visitors_of_a_cold_server_meet_the_sign_in_at_every_address(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    folder = tmp_path_factory.mktemp("cold")
    addresses = ["", *(page.key for pages in menu.MENU.values() for page in pages)]
    with living_in(folder):
        store.migrate()
        accounts.add(Viewer.SYSTEM, "root", "admin", password=PASSWORD)
        with serve(folder) as cold, ThreadPoolExecutor(len(addresses)) as visitors:
            # Together, so that each of them is there before the server has run the
            # front door for any other.
            seen = dict(
                zip(
                    addresses,
                    visitors.map(lambda page: raw.visit(cold.host, page, "id=1"), addresses),
                    strict=True,
                )
            )

    assert all(
        visit.met_the_sign_in and visit.is_hidden_menu and visit.titles == []
        for visit in seen.values()
    ), seen


def test_the_policy_of_components_is_wider_than_that_of_pages() -> None:
    assert (
        "'unsafe-inline'"
        in wall.headers_for("/component/x")["Content-Security-Policy"]
        .split("script-src")[1]
        .split(";")[0]
    )
    assert "Cache-Control" not in wall.headers_for("/static/js/x.js")
