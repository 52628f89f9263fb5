"""Two processes of the app on one centre, behind a real nginx with the configuration that
is shipped.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import pytest
import raw
import requests
import sqlalchemy as sa
from builders import centre_with_calls, nginx, postgresql
from builders.servers import Server, living_in, serve_all
from builders.visitors import PASSWORD
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.exceptions import ConnectionClosed

from qa_core.access import accounts, sessions
from qa_core.access.roles import Viewer
from qa_core.base.environment import PROJECT
from qa_core.storage.records import store
from qa_core.storage.records.people import SignInThrottle
from qa_core.ui import browser

COOKIE = "ecoute_process"
COMMENT = "What you would say to the advisor: what was good, what to try next time"


class Replicas(NamedTuple):
    """Two processes, the nginx before them, and the grid that Eve has begun."""

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


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    """On PostgreSQL where it is installed, else on SQLite."""
    folder = tmp_path_factory.mktemp("centre")
    with living_in(folder, on_postgresql=not postgresql.explain_absence()):
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
            serve_all(folder, 2, QA_PROXIES="127.0.0.1") as servers,
            nginx.serve(tmp_path_factory.mktemp("nginx"), [one.port for one in servers]) as proxy,
        ):
            yield Replicas(servers, proxy, draft)


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
            assert visitor.read().titles == ["Journal"]
        accounts.disable(Viewer.SYSTEM, "dora")
        for visitor in (here, there):
            visitor.send("journal")
            with suppress(ConnectionClosed):
                assert visitor.read().titles == []


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
        message = ForwardMsg.FromString(page.socket.recv(timeout=30))
        if message.WhichOneof("type") == "file_urls_response":
            break
    [address] = message.file_urls_response.file_urls
    return requests.put(
        f"https://{replicas.proxy.host}{address.upload_url}",
        files={"file": ("calls.csv", bytes(size))},
        cookies=cookies,
        headers={"X-Xsrftoken": cookies["_streamlit_xsrf"]},
        verify=str(replicas.proxy.folder / "fullchain.pem"),
        timeout=60,
    ).status_code


def test_a_file_of_the_size_allowed_reaches_the_process_that_shows_the_page(
    replicas: Replicas,
) -> None:
    config = tomllib.loads((PROJECT / ".streamlit/config.toml").read_text(encoding="utf-8"))
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
