"""Fake platforms on the loopback: the documented pages over a list of calls, with faults that a
seed chooses.
"""

from __future__ import annotations

import base64
import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from qa_core.base.environment import now
from qa_core.sources.platforms import aircall, callrail, genesys, twilio
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
class FakePlatform:
    """State of a fake platform. `before` runs before each answer: calls may come or change."""

    name: str
    calls: dict[str, Call] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    lasting: str | None = None
    before: Callable[[FakePlatform], None] = lambda _platform: None
    is_capped: bool = True
    """Whether the number of calls stops at the wall, as the calls do."""
    is_available: bool = True
    token_uses: int = 1000
    requests: list[str] = field(default_factory=list)
    port: int = 0
    _jobs: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    _tokens: int = 0
    _uses: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def find(self, since: datetime, until: datetime) -> list[Call]:
        """Find the calls that began from `since` on and before `until`, in order."""
        found = (call for call in self.calls.values() if since <= call.start < until)
        return sorted(found, key=lambda call: (call.start, call.id))

    def find_in(self, span: Span) -> dict[str, Call]:
        return {call.id: call for call in self.find(span.since, span.until)}

    def answer(
        self, method: str, target: str, headers: Any, body: bytes
    ) -> tuple[int, dict[str, str], Any]:
        self.before(self)
        parts = urlsplit(target)
        given = dict(parse_qsl(parts.query))
        self.requests.append(target)
        if self.lasting == "down":
            return 502, {}, {}
        if self.lasting == "denied" or not self._is_allowed(parts.path, headers):
            return 401, {}, {"error": "Unauthorized"}
        if self.lasting == "moved":
            return 302, {"Location": "http://127.0.0.2/elsewhere"}, {}
        status, answer = getattr(self, f"_answer_{self.name}")(method, parts.path, given, body)
        if self.lasting == "renamed":
            answer = {f"{key}_v2": value for key, value in answer.items()}
        return status, {}, answer

    def _is_allowed(self, path: str, headers: Any) -> bool:
        given = headers["Authorization"] or ""
        if self.name == "callrail":
            return given == 'Token token="tok-f00d"'
        if self.name == "genesys" and path != "/oauth/token":
            self._uses += 1
            return given == f"Bearer t{self._tokens}" and self._uses <= self.token_uses
        return given == "Basic " + base64.b64encode(SECRET.encode()).decode()

    def _answer_aircall(self, _method: str, _path: str, given: dict[str, str], _body: bytes) -> Any:
        first, last = (datetime.fromtimestamp(int(given[name]), UTC) for name in ("from", "to"))
        found = self.find(first, last + timedelta(seconds=1))
        page, rows = int(given["page"]), int(given["per_page"])
        assert rows <= 50 and given["order"] == "asc"
        total = min(len(found), aircall.WALL) if self.is_capped else len(found)
        shown = found[: aircall.WALL][(page - 1) * rows : page * rows]
        meta = {"count": len(shown), "total": total, "current_page": page, "per_page": rows}
        return 200, {"meta": meta, "calls": list(map(as_aircall, shown))}

    def _answer_callrail(self, _method: str, path: str, given: dict[str, str], _body: bytes) -> Any:
        assert path == "/v3/a/acc/calls.json" and int(given["per_page"]) <= 250
        since, until = (datetime.fromisoformat(given[name]) for name in ("start_date", "end_date"))
        found = self.find(since, until + timedelta(seconds=1))
        after = given.get("offset", "")
        rest = [call for call in found if f"{call.start.timestamp():015}{call.id}" > after]
        shown, rows = rest[: int(given["per_page"])], int(given["per_page"])
        answer = {"per_page": rows, "calls": list(map(as_callrail, shown))}
        answer["has_next_page"] = len(rest) > rows
        if answer["has_next_page"]:
            last = f"{shown[-1].start.timestamp():015}{shown[-1].id}"
            query = "&".join(
                f"{k}={v.replace('+', '%2B')}" for k, v in {**given, "offset": last}.items()
            )
            answer["next_page"] = f"{self.address}{path}?{query}"
        return 200, answer

    def _answer_twilio(self, _method: str, path: str, given: dict[str, str], _body: bytes) -> Any:
        assert path == "/2010-04-01/Accounts/acc/Calls.json"
        since, until = (
            datetime.fromisoformat(given[f"StartTime{sign}"] + "T00:00Z") for sign in "><"
        )
        found = self.find(since, until)[::-1]  # the newest first
        before = given.get("PageToken", "~")
        rest = [call for call in found if f"{call.start.timestamp():015}{call.id}" < before]
        rows = int(given["PageSize"])
        shown, link = rest[:rows], None
        if len(rest) > rows:
            last = f"{shown[-1].start.timestamp():015}{shown[-1].id}"
            link = (
                path
                + "?"
                + "&".join(
                    f"{k.replace('>', '%3E').replace('<', '%3C')}={v}"
                    for k, v in {**given, "PageToken": last}.items()
                )
            )
        return 200, {"calls": list(map(as_twilio, shown)), "next_page_uri": link, "page_size": rows}

    def _answer_genesys(self, method: str, path: str, given: dict[str, str], body: bytes) -> Any:
        if path == "/oauth/token":
            assert body == b"grant_type=client_credentials"
            self._tokens, self._uses = self._tokens + 1, 0
            return 200, {"access_token": f"t{self._tokens}", "token_type": "bearer"}
        rest = path.removeprefix("/api/v2/analytics/conversations/details/")
        if rest == "jobs/availability":
            latest = datetime(2030 if self.is_available else 2000, 1, 1, tzinfo=UTC)
            return 200, {"dataAvailabilityDate": f"{latest:%Y-%m-%dT%H:%M:%S.000Z}"}
        if method == "POST":
            content = json.loads(body)
            since, until = map(datetime.fromisoformat, content["interval"].split("/"))
            found = self.find(since, until)
            if rest == "jobs":
                self._jobs[job := f"job-{len(self._jobs)}"] = list(map(as_genesys, found))
                return 200, {"jobId": job}
            rows, page = content["paging"]["pageSize"], content["paging"]["pageNumber"]
            assert rest == "query" and rows <= 100
            shown = found[: genesys.WALL][(page - 1) * rows : page * rows]
            answer: dict[str, Any] = {"totalHits": len(found)}
            return 200, answer | ({"conversations": list(map(as_genesys, shown))} if shown else {})
        job, _slash, results = rest.removeprefix("jobs/").partition("/")
        if not results:
            looks = sum(f"{job}" in one and "results" not in one for one in self.requests)
            return 200, {"state": "FULFILLED" if looks > 1 else "QUEUED"}
        at, rows = int(given.get("cursor", 0)), min(int(given["pageSize"]), genesys.JOB_ROWS)
        answer = {"conversations": self._jobs[job][at : at + rows]}
        return 200, answer | (
            {"cursor": str(at + rows)} if at + rows < len(self._jobs[job]) else {}
        )


def as_aircall(call: Call) -> dict[str, Any]:
    start = int(call.start.timestamp())
    return {
        "id": int(call.id), "direction": "inbound", "status": "done", "raw_digits": call.number,
        "missed_call_reason": None if call.talk else "agents_did_not_answer",
        "started_at": start, "answered_at": start + 10 if call.talk else None,
        "ended_at": start + 10 + (call.talk or 20), "duration": 10 + (call.talk or 20),
        "voicemail": None, "recording": None, "tags": [],
        "user": {"id": 7, "name": call.advisor, "email": "d@example.org"} if call.talk else None,
        "number": {"id": 1, "name": "Support", "digits": "+33 1 70 00 00 01"},
    }  # fmt: skip


def as_callrail(call: Call) -> dict[str, Any]:
    return {
        "id": call.id, "answered": bool(call.talk), "voicemail": False, "direction": "inbound",
        "customer_phone_number": call.number, "tracking_phone_number": "+33170000001",
        "start_time": call.start.isoformat(), "duration": call.talk or 20, "recording": None,
        "source": "Google Ads", "campaign": "Spring", "agent_email": f"{call.advisor}@example.org",
    }  # fmt: skip


def as_twilio(call: Call) -> dict[str, Any]:
    at = format_datetime(call.start)
    return {
        "sid": call.id, "parent_call_sid": None, "date_created": at, "start_time": at,
        "end_time": format_datetime(call.start + timedelta(seconds=call.talk or 20)),
        "duration": str(call.talk or 0), "from": call.number, "to": "+33170000001",
        "direction": "inbound", "status": "completed" if call.talk else "no-answer",
    }  # fmt: skip


def as_genesys(call: Call) -> dict[str, Any]:
    def metrics(**values: int) -> list[dict[str, Any]]:
        return [{"name": name, "value": value} for name, value in values.items()]

    customer = {
        "mediaType": "voice",
        "direction": "inbound",
        "ani": f"tel:{call.number}",
        "dnis": "tel:+33170000001",
        "metrics": metrics(**({} if call.talk else {"tAbandon": 20000})),
    }
    agent = {
        "mediaType": "voice",
        "metrics": metrics(tAnswered=10000, tTalkComplete=(call.talk or 0) * 1000),
    }
    people = [{"purpose": "customer", "sessions": [customer]}]
    if call.talk:
        people.append(
            {
                "purpose": "agent",
                "userId": f"u-{call.advisor}",
                "participantName": call.advisor,
                "sessions": [agent],
            }
        )
    end = call.start + timedelta(seconds=10 + (call.talk or 20))
    return {
        "conversationId": call.id, "originatingDirection": "inbound", "participants": people,
        "conversationStart": f"{call.start:%Y-%m-%dT%H:%M:%S.000Z}",
        "conversationEnd": f"{end:%Y-%m-%dT%H:%M:%S.000Z}",
    }  # fmt: skip


def name_call(platform: str, number: int) -> str:
    """Name a call as that platform does."""
    return {
        "aircall": f"{number}", "callrail": f"CAL{number:032x}", "twilio": f"CA{number:032x}",
        "genesys": f"{number:08x}-0000-4000-8000-{number:012x}",
    }[platform]  # fmt: skip


def make_calls(
    platform: str, draw: random.Random, span: Span, count: int, first: int = 1
) -> dict[str, Call]:
    """Make calls of a span: some in one second, one at each edge of it."""
    seconds = int((span.until - span.since).total_seconds())
    offsets = [0, seconds - 1] + [draw.randrange(seconds) for _ in range(count)]
    if count > 12 and draw.random() < 0.3:
        offsets[2:12] = [offsets[2]] * 10
    calls = [
        Call(
            name_call(platform, first + n),
            span.since + timedelta(seconds=offset),
            draw.choice((None, draw.randrange(30, 400))),
            f"+336{draw.randrange(10**7, 10**8)}",
            f"Person {100 + n % max(60, count // 12)}",
        )
        for n, offset in enumerate(offsets[:count])
    ]
    return {call.id: call for call in calls}


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


@contextmanager
def serve(platform: FakePlatform) -> Iterator[FakePlatform]:
    """Serve a fake platform on the loopback."""

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
            status, headers, answer = platform.answer(self.command, self.path, self.headers, body)
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
    platform.port = server.server_port
    try:
        yield platform
    finally:
        server.shutdown()
        server.server_close()


PLATFORMS = {"aircall": aircall, "callrail": callrail, "genesys": genesys, "twilio": twilio}
