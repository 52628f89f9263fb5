"""Reverse proxies: whose word on the visitor's address counts, on a real server."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.ui.server import browser, proxies


@contextmanager
def serve() -> Iterator[Callable[..., str]]:
    """Serve what an address is taken for; yields a function that asks."""

    def tell(request: Request) -> PlainTextResponse:
        here = browser.build({}, dict(request.headers), request.client.host)
        return PlainTextResponse(f"{request.url.scheme} {here.address} {here.is_local}")

    proxies.install()
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=[Route("/", tell)]), log_level="error"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()

    def ask(**headers: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", listening.getsockname()[1])
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", "/", headers={"Host": "localhost", **names})
        answer = connection.getresponse()
        assert answer.getheader("server") is None and answer.getheader("date")
        return answer.read().decode()

    while not server.started:
        thread.join(0.02)
    try:
        yield ask
    finally:
        server.should_exit = True
        thread.join()


def test_nobody_names_another_address_unless_a_proxy_is_configured(centre: Path) -> None:
    with serve() as ask:
        assert ask() == "http 127.0.0.1 True"
        assert ask(X_Forwarded_For="203.0.113.9") == "http 127.0.0.1 False"
        assert ask(X_Forwarded_For="<b>anybody</b>") == "http 127.0.0.1 False"
        assert ask(X_Forwarded_Proto="https") == "http 127.0.0.1 True"


@pytest.mark.parametrize(
    ("hops", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        ("198.51.100.1, 203.0.113.9", "203.0.113.9"),  # the first was sent by the visitor
        ("203.0.113.9, 10.0.0.7", "203.0.113.9"),  # a second proxy of ours
        ("203.0.113.9:4711", "203.0.113.9"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("free text", "127.0.0.1"),
        ("203.0.113.9, free text, 10.0.0.7", "10.0.0.7"),
        ("", "127.0.0.1"),
    ],
)
def test_a_configured_proxy_states_the_address_before_it(
    centre: Path, monkeypatch: pytest.MonkeyPatch, hops: str, address: str
) -> None:
    monkeypatch.setenv("QA_PROXIES", "127.0.0.1, 10.0.0.0/8")
    with serve() as ask:
        said = ask(X_Forwarded_For=hops, X_Forwarded_Proto="https")
    assert said == f"https {address} False"


def test_a_bad_list_of_proxies_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QA_PROXIES", "10.0.0.1, everybody")
    with pytest.raises(Refusal, match="everybody"):
        environment.find_proxies()
