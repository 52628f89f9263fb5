"""Requests to the routes of the server itself, without a server."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette
from streamlit.web.server.starlette.starlette_app_utils import generate_xsrf_token_string

from builders.visitors import PASSWORD
from qa_core.access import sessions
from qa_core.compliance import recordings
from qa_core.ui import asgi
from qa_core.ui.server import browser


class Wire:
    """One signed-in browser that asks the server's own routes for addresses."""

    scheme = "http"

    def __init__(self, username: str | None, password: str = PASSWORD) -> None:
        self.cookies = {"_streamlit_xsrf": generate_xsrf_token_string(bytes(16))}
        if username:
            here = browser.build(self.cookies, {"host": "localhost"}, "127.0.0.1")
            self.cookies[browser.COOKIE] = sessions.sign_in(
                username, password, here, one_time_days=7
            )
            self.signed_in = sessions.resume(self.cookies[browser.COOKIE], here)

    def ticket(
        self, recording_id: int, purpose: str = "evaluation", reason: str = "drawn in May"
    ) -> str:
        return recordings.make_ticket(self.signed_in, recording_id, purpose, reason)

    def ask(
        self,
        address: str,
        asked: str | None = None,
        method: str = "GET",
        client: str = "127.0.0.1",
        **more: str,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer; `more`: headers."""
        path, _mark, query = address.partition("?")
        headers = {
            "host": "localhost",
            "cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        } | ({"range": asked} if asked else {})
        headers |= more
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": (client, 5000),
            "server": ("localhost", 80),
            "scheme": self.scheme,
            "root_path": "",
        }
        sent: list[dict] = []

        unread = [b""]

        async def receive() -> dict:
            if unread:
                return {"type": "http.request", "body": unread.pop(), "more_body": False}
            if any(
                message["type"] == "http.response.body" and not message.get("more_body")
                for message in sent
            ):
                return {"type": "http.disconnect"}
            await asyncio.sleep(0.01)
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict) -> None:
            sent.append(message)

        asyncio.run(Starlette(routes=asgi.ROUTES, middleware=asgi.MIDDLEWARE)(scope, receive, send))
        return (
            sent[0]["status"],
            {name.decode(): value.decode() for name, value in sent[0]["headers"]},
            b"".join(message.get("body", b"") for message in sent[1:]),
        )


@contextmanager
def serving() -> Iterator[int]:
    """Serve those routes from a thread of this process. Yields the port."""
    app = Starlette(routes=asgi.ROUTES, middleware=asgi.MIDDLEWARE)
    running = uvicorn.Server(uvicorn.Config(app, log_config=None))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        thread = threading.Thread(target=running.run, args=([listener],))
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            running.should_exit = True
            thread.join()
