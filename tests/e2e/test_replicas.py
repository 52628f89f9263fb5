"""Two processes of the app on one centre, behind a real nginx with the configuration that
is shipped.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, time, timedelta
from typing import NamedTuple

import pytest
import raw
import requests
import sqlalchemy as sa
from builders import centre_with_calls, centres, nginx, postgresql
from builders.forked_python import forked_python
from builders.servers import Server, find_patience, living_in, serve_all
from builders.visitors import PASSWORD
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ConnectionClosed

from qa_core.access import accounts, sessions
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.storage.records import store
from qa_core.storage.records.people import SignInThrottle
from qa_core.ui.server import browser

IS_INSTALLED = not postgresql.explain_absence()
COOKIE = "ecoute_process"
COMMENT = "What you would tell the advisor: what was good, what to try next time"


class Replicas(NamedTuple):
    """Two processes, the nginx before them, and the evaluation that Eve has begun."""

    servers: list[Server]
    proxy: nginx.Proxy
    draft: int

    @contextmanager
    def visit(
        self, cookies: dict[str, str], server: Server | None = None, address: str | None = None
    ) -> Iterator[raw.Visitor]:
        """Connect through nginx, with the mark of that process, and keep the mark it gives."""
        mark = {COOKIE: server.port} if server else {}
        with raw.visitor(
            self.proxy.host, cookies | mark, tls=self.proxy.tls, address=address
        ) as visitor:
            given = visitor.socket.response.headers["Set-Cookie"]
            cookies[COOKIE] = re.match(rf"{COOKIE}=(\d+); .*HttpOnly; Secure", given)[1]
            yield visitor


@contextmanager
def run_replicas(
    tmp_path_factory: pytest.TempPathFactory, on_postgresql: bool
) -> Iterator[Replicas]:
    folder = tmp_path_factory.mktemp("centre")
    with living_in(folder, on_postgresql):
        store.migrate()
        centre_with_calls.build(
            lambda username, role, **bounds: accounts.add(
                Viewer.SYSTEM, username, role, password=PASSWORD, **bounds
            )
        )
        accounts.add(Viewer.SYSTEM, "dora", "dpo", password=PASSWORD)
        accounts.add(Viewer.SYSTEM, "root", "admin", password=PASSWORD)
        draft = centre_with_calls.start_draft()
        with (
            serve_all(folder, 2, python=forked_python(), QA_PROXIES="127.0.0.1") as servers,
            nginx.serve(tmp_path_factory.mktemp("nginx"), [one.port for one in servers]) as proxy,
        ):
            yield Replicas(servers, proxy, draft)


@pytest.fixture(scope="module", params=[IS_INSTALLED, pytest.param(False, marks=pytest.mark.long)])
def replicas(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Replicas]:
    """On PostgreSQL where it is installed, else on SQLite; in the long tests on SQLite too."""
    with run_replicas(tmp_path_factory, request.param) as running:
        yield running


def sign_in(username: str, address: str = "127.0.0.1") -> dict[str, str]:
    cookies = {"_streamlit_xsrf": raw.generate_xsrf_token_string()}
    here = browser.build(cookies, {"host": "localhost"}, address)
    return {**cookies, browser.COOKIE: sessions.sign_in(username, PASSWORD, here, one_time_days=7)}


def test_a_sign_in_holds_in_every_process_and_so_does_its_end(replicas: Replicas) -> None:
    cookies = sign_in("dora")
    first, second = replicas.servers
    with (
        replicas.visit(dict(cookies), first) as here,
        replicas.visit(dict(cookies), second) as there,
    ):
        for visitor in (here, there):
            visitor.send("journal")
            assert visitor.read().titles == ["Audit log"]
        accounts.disable(Viewer.SYSTEM, "dora")
        for visitor in (here, there):
            visitor.send("journal")
            with suppress(ConnectionClosed):
                assert visitor.read().titles == []


def test_no_process_goes_on_with_answers_from_before_an_import(replicas: Replicas) -> None:
    cookies = sign_in("max")

    def count() -> list[str]:
        texts = []
        for server in replicas.servers:
            with replicas.visit(dict(cookies), server) as visitor:
                visitor.send("overview")
                texts.append(visitor.read().text)
        return [re.findall("n\xa0=\xa0(\\d+)", text)[0] for text in texts]

    assert count() == ["4", "4"]
    noon = datetime.combine(environment.today() - timedelta(days=3), time(12))
    row = centres.contact(noon, "late", advisor_id="A1", team="Nord", talk_seconds=25.0)
    centres.land([row], "late")
    assert count() == ["5", "5"]


def test_failed_sign_ins_are_counted_together_by_the_address_of_the_visitor(
    replicas: Replicas,
) -> None:
    texts = []
    for position in range(7):
        with replicas.visit({}, replicas.servers[position % 2], "127.0.0.2") as visitor:
            visitor.send()
            form = visitor.read()
            visitor.typed = {form.ids["Username"]: "lea", form.ids["Password"]: "Not-hers-1-word"}
            visitor.send(press=form.ids["Sign in"])
            texts.append(visitor.read().text)

    assert ["Too many" in text for text in texts] == [False] * 5 + [True] * 2
    with store.reading() as session:
        keys = session.scalars(sa.select(SignInThrottle.key)).all()
    assert sum("127.0.0.2" in key for key in keys) == 2


def upload(replicas: Replicas, page: raw.Visitor, cookies: dict[str, str], size: int) -> int:
    """Send a file of that size as the page would. Returns the status of the answer."""
    ask = BackMsg()
    ask.file_urls_request.request_id = "1"
    ask.file_urls_request.file_names.append("calls.csv")
    page.socket.send(ask.SerializeToString())
    while True:
        message = ForwardMsg.FromString(page.socket.recv(timeout=180))
        if message.WhichOneof("type") == "file_urls_response":
            break
    [address] = message.file_urls_response.file_urls
    return requests.put(
        f"https://{replicas.proxy.host}{address.upload_url}",
        files={"file": ("calls.csv", bytes(size))},
        cookies=cookies,
        headers={"X-Xsrftoken": cookies["_streamlit_xsrf"]},
        verify=str(replicas.proxy.folder / "fullchain.pem"),
        timeout=180,
    ).status_code


def test_a_file_of_the_size_allowed_reaches_the_process_that_shows_the_page(
    replicas: Replicas,
) -> None:
    config = tomllib.loads(
        (environment.PROJECT / ".streamlit/config.toml").read_text(encoding="utf-8")
    )
    largest = config["server"]["maxUploadSize"] * 1024 * 1024
    cookies = sign_in("root")
    with replicas.visit(cookies) as page:
        page.send("imports")
        assert page.read().titles == ["Imports"]
        # A form is a few hundred bytes longer than its file.
        assert upload(replicas, page, cookies, largest - 1_000) == 204
        assert upload(replicas, page, cookies, largest) == 413
        [other] = [one for one in replicas.servers if one.port != cookies[COOKIE]]
        assert upload(replicas, page, {**cookies, COOKIE: other.port}, 10) == 400


def test_who_evaluates_while_their_process_dies_goes_on_in_another_one(
    replicas: Replicas,
) -> None:
    cookies = sign_in("eve")
    query = f"id={replicas.draft}"
    with suppress(ConnectionClosed), replicas.visit(cookies) as visitor:
        visitor.send("evaluate", query)
        page = visitor.read()
        visitor.typed = {page.ids[COMMENT]: "Warm and clear"}
        visitor.send("evaluate", query)
        visitor.read()
        [dead] = [one for one in replicas.servers if one.port == cookies[COOKIE]]
        dead.process.kill()
        visitor.read()
        pytest.fail("the process went on")

    with replicas.visit(cookies) as visitor:
        visitor.send("evaluate", query)
        assert visitor.read().values[COMMENT] == "Warm and clear"
    assert cookies[COOKIE] != dead.port


@pytest.mark.long
@pytest.mark.browser
def test_a_page_in_a_browser_goes_on_by_itself_when_its_process_dies(
    tmp_path_factory: pytest.TempPathFactory, browser, sign_in_as
) -> None:
    with run_replicas(tmp_path_factory, IS_INSTALLED) as replicas:
        context = browser.new_context(
            base_url=f"https://{replicas.proxy.host}", locale="en-GB", ignore_https_errors=True
        )
        context.set_default_timeout(find_patience())
        page, address = context.new_page(), f"/evaluate?id={replicas.draft}"
        page.goto(address)
        sign_in_as(page, "eve")
        page.goto(address)
        words = page.locator("textarea").last
        words.fill("Names the day")
        page.wait_for_timeout(4_000)
        [port] = [one["value"] for one in context.cookies() if one["name"] == COOKIE]
        [dead] = [one for one in replicas.servers if one.port == port]
        dead.process.kill()
        # Drawn by the other one, in the same tab.
        first = page.locator(f"[class*='st-key-grid_{replicas.draft}_box_']").first
        page.wait_for_timeout(5_000)
        first.get_by_role("radio").last.click()
        page.get_by_text("1 of ").wait_for()
        assert page.locator("textarea").last.input_value() == "Names the day"
        assert page.get_by_role("button", name="Sign out").is_visible()
        [new] = [one["value"] for one in context.cookies() if one["name"] == COOKIE]
        assert new != port
        context.close()
