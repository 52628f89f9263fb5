"""WebSocket connections, spoken to without a browser: whose frames they get, and how many
strangers may have.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import raw
from builders.forked_python import forked_python
from builders.servers import Server, living_in, serve
from builders.visitors import PASSWORD
from builders.wires import serving
from websockets.exceptions import ConnectionClosed, InvalidStatus

from qa_core.access import accounts, sessions
from qa_core.access.roles import Viewer
from qa_core.storage.records import store
from qa_core.ui.server import browser, connections, proxies


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("centre")
    with living_in(folder):
        store.migrate()
        accounts.add(Viewer.SYSTEM, "dora", "dpo", password=PASSWORD)
        with serve(folder, python=forked_python()) as running:
            yield running


def sign_in() -> dict[str, str]:
    cookies = {"_streamlit_xsrf": raw.generate_xsrf_token_string()}
    here = browser.build(cookies, {"host": "localhost"}, "127.0.0.1")
    return {**cookies, browser.COOKIE: sessions.sign_in("dora", PASSWORD, here, one_time_days=7)}


def test_the_id_of_a_session_gets_no_frame_in_another_browser(server: Server) -> None:
    cookies = sign_in()
    with raw.visitor(server.host, cookies) as owner:
        owner.send("journal")
        session_id = owner.read().session_id
        with raw.visitor(server.host, session_id=session_id) as thief:
            owner.send("journal")
            with pytest.raises(TimeoutError):
                thief.socket.recv(timeout=2)
            assert owner.read().titles == ["Audit log"]
            thief.send("journal")
            assert thief.read().met_the_sign_in
    again = raw.visit(server.host, "journal", cookies=cookies, session_id=session_id)
    assert again.session_id == session_id and again.titles == ["Audit log"]


def test_a_header_of_the_visitor_s_own_names_no_browser(server: Server) -> None:
    cookies = sign_in()
    with raw.visitor(server.host, cookies) as owner:
        owner.send("journal")
        session_id = owner.read().session_id
        forged = {connections.BROWSER_HEADER: "x", connections.CONNECTION_HEADER: "x"}
        with raw.visitor(server.host, session_id=session_id, headers=forged) as thief:
            thief.send("journal")
            assert thief.read().met_the_sign_in


def test_a_page_under_way_stops_when_its_session_is_over(server: Server) -> None:
    accounts.add(Viewer.SYSTEM, "tim", "dpo", password=PASSWORD)
    cookies = {"_streamlit_xsrf": raw.generate_xsrf_token_string()}
    here = browser.build(cookies, {"host": "localhost"}, "127.0.0.1")
    cookies[browser.COOKIE] = sessions.sign_in("tim", PASSWORD, here, one_time_days=7)
    with raw.visitor(server.host, cookies) as visitor:
        visitor.send("journal")
        assert visitor.read().titles == ["Audit log"]
        accounts.disable(Viewer.SYSTEM, "tim")
        visitor.send("journal")
        with contextlib.suppress(ConnectionClosed):
            assert visitor.read().titles == []


def test_strangers_of_one_address_have_so_many_connections_and_others_get_in(
    server: Server,
) -> None:
    cookies = sign_in()
    refused = 0
    with contextlib.ExitStack() as opened:
        for _ in range(connections.MAX_OF_AN_ADDRESS + 5):
            try:
                opened.enter_context(raw.visitor(server.host))
            except InvalidStatus:
                refused += 1
        assert refused == 5
        assert raw.visit(server.host, "journal", cookies=cookies).titles == ["Audit log"]
    assert raw.visit(server.host).met_the_sign_in


def test_a_stranger_s_messages_wait_once_there_are_too_many() -> None:
    budget = connections.Budget()
    waits = [budget.take() for _ in range(connections.BURST + 3)]

    assert waits[: connections.BURST] == [0.0] * connections.BURST
    assert 0.5 < waits[-1] < 1.1


def test_a_host_name_that_is_not_allowed_is_told_how_it_would_be(server: Server) -> None:
    request = http.client.HTTPConnection(server.host)
    request.request("GET", "/", headers={"Host": "centre.example"})
    response = request.getresponse()

    assert response.status == 403
    assert "STREAMLIT_SERVER_ALLOWED_HOSTS" in response.read().decode()
    log = server.log.read_text(encoding="utf-8")
    assert "Host names served: localhost" in log and "centre.example" in log


def count_open(clients: list[socket.socket]) -> int:
    """Count the connections that the server has not closed."""
    count = 0
    for client in clients:
        with contextlib.suppress(BlockingIOError):
            count += client.recv(1, socket.MSG_DONTWAIT) != b""
            continue
        count += 1
    return count


@pytest.mark.long
def test_two_hundred_clients_that_send_ten_bytes_a_minute_are_closed_and_nobody_waits_for_them(
    server: Server,
) -> None:
    """Of three kinds: some send nothing, some a head byte by byte, some one whole request first."""
    cookies = sign_in()
    assert raw.visit(server.host, "journal", cookies=cookies).titles == ["Audit log"]
    host, port = server.host.split(":")
    whole = b"GET /_stcore/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with contextlib.ExitStack() as opened:
        clients = [
            opened.enter_context(socket.create_connection((host, int(port)), timeout=60))
            for _ in range(200)
        ]
        for client in clients[100:]:
            client.sendall(whole)
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
        began = time.monotonic()
        for client in clients[50:]:
            client.sendall(b"GET / HTTP")
        open_after = []
        while time.monotonic() - began < 2.5 * proxies.HEAD_SECONDS:
            assert raw.visit(server.host, "journal", cookies=cookies).titles == ["Audit log"]
            time.sleep(6)  # ten bytes a minute
            for client in clients[50:]:
                with contextlib.suppress(OSError):
                    client.sendall(b"x")
            open_after.append((round(time.monotonic() - began), count_open(clients)))
        print(f"\nopen after seconds: {open_after}")
        assert open_after[-1][1] == 0


def test_a_client_has_so_long_for_the_head_of_a_request_and_a_slow_one_in_time_is_answered(
    centre: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proxies, "HEAD_SECONDS", 3.0)
    proxies.install()
    head = b"GET /api HTTP/1.1\r\nHost: localhost\r\n\r\n"

    def read_answer(client: socket.socket) -> bytes:
        answer = b""
        while not answer.endswith(b"}}") and (more := client.recv(4096)):
            answer += more
        return answer

    with serving() as port, contextlib.ExitStack() as opened:
        silent, slow, second, good = (
            opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
            for _ in range(4)
        )
        for client in (second, good):
            client.sendall(head)
            assert read_answer(client).startswith(b"HTTP/1.1 404")
        for client in (slow, second, good):
            client.sendall(head[:10])
        time.sleep(0.1)
        good.sendall(head[10:])
        assert read_answer(good).startswith(b"HTTP/1.1 404")

        deadline = time.monotonic() + 60
        while count_open([silent, slow, second]) and time.monotonic() < deadline:
            time.sleep(0.1)
            for client in (slow, second):
                with contextlib.suppress(OSError):
                    client.sendall(b"x")
        assert count_open([silent, slow, second]) == 0


BAD_REQUESTS = {
    "half a request": b"GET /_stcore/health HTT",
    "binary": bytes(range(256)) * 40,
    "huge headers": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 50_000 + b"\r\n",
    "less than it says": b"POST /api/kpi HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx",
    "more than it says": b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\nxxxx",
    "two lengths": b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2"
    b"\r\n\r\nx",
    "bad chunks": b"POST /api/kpi HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked"
    b"\r\n\r\nzz\r\n",
}


def test_slow_and_malformed_clients_keep_nobody_from_their_page(server: Server) -> None:
    cookies = sign_in()
    assert raw.visit(server.host, "journal", cookies=cookies).titles == ["Audit log"]
    [log] = server.folder.glob("server*.log")
    before = log.read_text(encoding="utf-8")
    host, port = server.host.split(":")
    with contextlib.ExitStack() as opened:
        for content in BAD_REQUESTS.values():
            client = opened.enter_context(socket.create_connection((host, int(port)), timeout=180))
            with contextlib.suppress(OSError):  # closed before it was all sent
                client.sendall(content)
        for content in (b"\xff" * 1_000, "garbage"):
            for own in ({}, cookies):
                sender = opened.enter_context(raw.visitor(server.host, own))
                sender.socket.send(content)
                with pytest.raises(ConnectionClosed):
                    sender.read()
        # Asks for page after page and reads none.
        deaf = opened.enter_context(raw.visitor(server.host, cookies))
        deaf.socket.close_timeout = 0.1
        for _ in range(8):
            deaf.send("journal")

        assert raw.visit(server.host, "journal", cookies=cookies).titles == ["Audit log"]

    assert raw.visit(server.host, "journal", cookies=cookies).titles == ["Audit log"]
    added = log.read_text(encoding="utf-8").removeprefix(before)
    assert "Traceback" not in added and len(added.splitlines()) <= len(BAD_REQUESTS) + 3, added
