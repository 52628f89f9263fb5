"""Sources of tests: a list of calls, and for an API a server on the loopback with faults that a
seed chooses. Each platform has its own in `builders/fakes/`.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from qa_core.access.roles import Viewer
from qa_core.base.environment import now
from qa_core.sources import register
from qa_core.sources.protocol.declaration import Span

SECRET = "acc:tok-f00d"
FAULTS = ("429", "429 after", "429 date", "500", "503", "torn", "cut json", "gone away")
"""Faults that pass: the same request succeeds later."""
LASTING = ("down", "denied", "renamed", "moved")
"""Faults that do not pass within a reading."""


@dataclass(frozen=True)
class Call:
    """A call as every platform knows it; `talk` is None where nobody answered."""

    id: str
    start: datetime
    talk: int | None
    number: str = "+33612345678"
    advisor: str = "Diane"


@dataclass
class Fake:
    """Source of tests: the calls that it has, and what it is added with."""

    calls: dict[str, Call] = field(default_factory=dict)
    address: str | None = None
    statement: str | None = None
    secret: str | None = None
    options: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its platform: the name of the file."""
        return type(self).__module__.rpartition(".")[2]

    @staticmethod
    def name_call(number: int) -> str:
        """Name a call as the platform does."""
        raise NotImplementedError

    def serve(self, folder: Path) -> AbstractContextManager[Any]:
        """Serve it until the block ends; files of it lie in that folder."""
        raise NotImplementedError

    def publish(self, at: datetime) -> None:
        """Put the calls where they are read from, as somebody who does so at that moment."""

    def add(self, since: date) -> None:
        """Add it as the source of its name."""
        register.add(
            Viewer.SYSTEM, self.name, self.name, "contacts", self.address, self.statement, since,
            self.secret, self.options,
        )  # fmt: skip

    def find(self, since: datetime, until: datetime) -> list[Call]:
        """Find the calls that began from `since` on and before `until`, in order."""
        found = (call for call in self.calls.values() if since <= call.start < until)
        return sorted(found, key=lambda call: (call.start, call.id))

    def find_in(self, span: Span) -> dict[str, Call]:
        return {call.id: call for call in self.find(span.since, span.until)}


@dataclass
class FakePlatform(Fake):
    """Fake API on the loopback. `before` runs before each answer: calls may come or change."""

    secret: str | None = SECRET
    faults: list[str] = field(default_factory=list)
    lasting: str | None = None
    before: Callable[[FakePlatform], None] = lambda _platform: None
    is_capped: bool = True
    """Whether the number of calls stops at the wall, as the calls do."""
    is_available: bool = True
    token_uses: int = 1000
    requests: list[str] = field(default_factory=list)

    @staticmethod
    def as_row(call: Call) -> dict[str, Any]:
        """Write a call as the platform does."""
        raise NotImplementedError

    def find_answer(self, method: str, path: str, given: dict[str, str], body: bytes) -> Any:
        """Answer a request that is allowed, with a status and a document."""
        raise NotImplementedError

    def is_allowed(self, _path: str, given: str) -> bool:
        """Return whether the header `Authorization` is accepted."""
        return given == "Basic " + base64.b64encode(SECRET.encode()).decode()

    def answer(
        self, method: str, target: str, headers: Any, body: bytes
    ) -> tuple[int, dict[str, str], Any]:
        self.before(self)
        parts = urlsplit(target)
        given = dict(parse_qsl(parts.query))
        self.requests.append(target)
        if self.lasting == "down":
            return 502, {}, {}
        if self.lasting == "denied" or not self.is_allowed(
            parts.path, headers["Authorization"] or ""
        ):
            return 401, {}, {"error": "Unauthorized"}
        if self.lasting == "moved":
            return 302, {"Location": "http://127.0.0.2/elsewhere"}, {}
        status, answer = self.find_answer(method, parts.path, given, body)
        if self.lasting == "renamed":
            answer = {f"{key}_v2": value for key, value in answer.items()}
        return status, {}, answer

    @contextmanager
    def serve(self, folder: Path) -> Iterator[FakePlatform]:
        platform = self

        class Handler(Answering):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0))
                fault = platform.faults.pop(0) if platform.faults else ""
                if fault.startswith("429"):
                    after = {
                        "429 after": "7",
                        "429 date": format_datetime(now() + timedelta(seconds=9)),
                    }
                    return self.send(
                        429, {"Retry-After": after[fault]} if fault in after else {}, b"{}"
                    )
                if fault in ("500", "503"):
                    return self.send(int(fault), {}, b"oops")
                if fault == "gone away":
                    self.close_connection = True
                    return None
                status, headers, answer = platform.answer(
                    self.command, self.path, self.headers, body
                )
                content = json.dumps(answer).encode()
                if fault == "cut json":
                    return self.send(200, {}, content[: len(content) // 2])
                if fault == "torn":
                    self.close_connection = True
                    return self.send(200, {"Content-Length": str(len(content) + 9)}, content)
                return self.send(status, headers, content)

            do_POST = do_GET

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self.address = f"http://127.0.0.1:{server.server_port}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()


def change(call: Call, talk: int) -> Call:
    return replace(call, talk=talk)


class Answering(BaseHTTPRequestHandler):
    """Handler of a fake server, which sends whole answers and logs nothing."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_given: Any) -> None:
        pass
