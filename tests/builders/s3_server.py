"""Objects of S3 on the loopback: the backend of moto behind a server with faults."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

import requests
from moto import mock_aws
from moto.core import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from builders.source_servers import Answering

BUCKET = "records"
BEHIND = "https://s3.amazonaws.com"


@dataclass
class FakeBucket:
    """A bucket. `faults` are of the next answers, `before` runs before each."""

    faults: list[str] = field(default_factory=list)
    before: Any = lambda _target: None
    requests: list[str] = field(default_factory=list)
    is_quick: bool = False
    """Whether objects are taken from the backend without moto's handling of the request."""
    port: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/{BUCKET}/ctr/"

    def put(self, key: str, content: bytes | str, at: datetime) -> None:
        content = content.encode() if isinstance(content, str) else content
        backend = s3_backends[DEFAULT_ACCOUNT_ID]["aws"]
        backend.put_object(BUCKET, f"ctr/{key}", content).last_modified = at.astimezone(UTC)

    def remove(self, key: str) -> None:
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].delete_object(BUCKET, f"ctr/{key}")


def make_record(number: int, start: datetime, talk: int | None = 60, **more: Any) -> str:
    """Make a contact record as Amazon Connect streams it."""
    moments = [start + timedelta(seconds=n) for n in (0, 10, 10 + (talk or 20))]
    begun, connected, ended = (f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for at in moments)
    agent = {
        "Username": f"agent{number % 7}",
        "ConnectedToAgentTimestamp": connected,
        "AgentInteractionDuration": talk,
        "CustomerHoldDuration": 0,
        "AfterContactWorkDuration": 5,
    }
    record = {
        "ContactId": name_contact(number),
        "Channel": "VOICE",
        "InitiationMethod": "INBOUND",
        "InitiationTimestamp": begun,
        "DisconnectTimestamp": ended,
        "LastUpdateTimestamp": ended,
        "DisconnectReason": "CUSTOMER_DISCONNECT",
        "Queue": {"Name": "support", "Duration": 10},
        "Agent": agent if talk else None,
        "CustomerEndpoint": {"Address": f"+336{number:08}", "Type": "TELEPHONE_NUMBER"},
    }
    return json.dumps(record | more)


def name_contact(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-{number:012x}"


@contextmanager
def serve() -> Iterator[FakeBucket]:
    """Serve an empty bucket on the loopback."""
    bucket = FakeBucket()

    class Handler(Answering):
        def do_GET(self) -> None:
            bucket.requests.append(self.path)
            bucket.before(self.path)
            fault = bucket.faults.pop(0) if bucket.faults else ""
            if fault.isdecimal():
                return self.send(int(fault), {}, b"<Error><Code>Fault</Code></Error>")
            if fault == "gone away":
                self.close_connection = True
                return None
            if bucket.is_quick and "?" not in self.path:
                return self.send_object(unquote(self.path).removeprefix(f"/{BUCKET}/"))
            names = ("Host", "Connection", "Accept-Encoding")
            headers = {name: value for name, value in self.headers.items() if name not in names}
            answer = requests.get(BEHIND + self.path, headers=headers, timeout=30)
            left_out = ("content-length", "content-encoding", "connection", "transfer-encoding")
            given = {
                name: value
                for name, value in answer.headers.items()
                if name.lower() not in left_out
            }
            if fault == "torn":
                self.close_connection = True
                given["Content-Length"] = str(len(answer.content) + 9)
            return self.send(answer.status_code, given, answer.content)

        def send_object(self, key: str) -> None:
            found = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].get_object(BUCKET, key)
            if found is None:
                return self.send(404, {}, b"<Error><Code>NoSuchKey</Code></Error>")
            if found.etag != self.headers["If-Match"]:
                return self.send(412, {}, b"<Error><Code>PreconditionFailed</Code></Error>")
            return self.send(200, {"ETag": found.etag}, found.value)

    with mock_aws():
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].create_bucket(BUCKET, "us-east-1")
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        bucket.port = server.server_port
        try:
            yield bucket
        finally:
            server.shutdown()
            server.server_close()
