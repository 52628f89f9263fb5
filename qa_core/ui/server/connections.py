"""WebSocket connections: bound to their browser and session, few for strangers."""

import asyncio
import contextlib
import hashlib
import logging
import secrets
import time
from collections import Counter
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import streamlit as st
from google.protobuf.message import DecodeError
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

from qa_core.access import sessions
from qa_core.base.errors import Refusal
from qa_core.ui.server import browser

BROWSER_HEADER = "x-ecoute-browser"
"""Names the browser to Streamlit, which resumes a session for the same one only
(`server.trustedUserHeaders`): a session's id alone gets no frame.
"""
CONNECTION_HEADER = "x-ecoute-connection"
CHECK_SECONDS = 0.5
"""Seconds between two looks at whether the session of a connection is still live."""
MAX_STRANGERS, MAX_OF_AN_ADDRESS = 500, 100
STRANGER_IDLE_SECONDS = 600
BURST, PER_SECOND, MAX_WAIT = 200, 3, 10
"""Messages of the strangers of one address: so many at once, then so many a second. Who
would wait for more than so many seconds is disconnected.
"""
GATE_SECONDS = 5
"""Seconds that a run has to meet the gate, once its session was found over."""
LOG = logging.getLogger("qa_core")
TRY_AGAIN_LATER, POLICY_VIOLATION, UNSUPPORTED_DATA = 1013, 1008, 1003


@dataclass
class Connection:
    """One WebSocket. `token`: of the session it shows; None for a stranger. Moments are
    of the monotonic clock: the last check, the last that found the session live, the
    first that found it over, and the last run that the visitor asked for.
    """

    browser: sessions.Browser
    token: str | None = None
    checked_at: float = 0.0
    live_at: float = 0.0
    over_at: float | None = None
    asked_at: float = 0.0
    is_closed: bool = False

    def meets_gate(self, moment: float) -> bool:
        """Return whether a run may still be on its way to the gate's sign-in form."""
        self.over_at = self.over_at or moment
        return self.asked_at > self.live_at and moment - self.over_at < GATE_SECONDS


@dataclass
class Budget:
    """Messages that somebody may still send: `burst` at once, then `per_second`."""

    burst: float = BURST
    per_second: float = PER_SECOND
    spent: float = 0.0
    at: float = field(default_factory=time.monotonic)

    def take(self) -> float:
        """Take one message. Returns the seconds to wait before it is read."""
        moment = time.monotonic()
        self.spent = max(0.0, self.spent - (moment - self.at) * self.per_second) + 1
        self.at = moment
        return max(0.0, (self.spent - self.burst) / self.per_second)

    def give_back(self) -> None:
        """Take back one message that was not read."""
        self.spent -= 1


class Budgets(dict[str, Budget]):
    """Budgets by network, made when they are asked for."""

    def __missing__(self, network: str) -> Budget:
        if len(self) > MAX_STRANGERS:
            self.clear()
        return self.setdefault(network, Budget())


_connections: dict[str, Connection] = {}


def note_session(token: str | None) -> None:
    """Note which session the connection of this run shows; None after a sign-out."""
    connection = _connections.get(st.context.headers.get(CONNECTION_HEADER) or "")
    if connection is not None:
        connection.token, connection.over_at = token, None
        connection.checked_at = connection.live_at = time.monotonic()


class Connections:
    """ASGI middleware around Streamlit's WebSocket."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.strangers: Counter[str] = Counter()
        self.budgets = Budgets()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await self.app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        if not _comes_from_here(request):
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        connection = Connection(browser.build_for(request))
        cookie = request.cookies.get(browser.COOKIE)
        if await run_in_threadpool(is_live, cookie, connection.browser):
            connection.token = cookie
        address = connection.browser.network
        is_stranger = connection.token is None
        if is_stranger and (
            self.strangers[address] >= MAX_OF_AN_ADDRESS or self.strangers.total() >= MAX_STRANGERS
        ):
            await send({"type": "websocket.close", "code": TRY_AGAIN_LATER})
            return
        number = secrets.token_hex(16)
        _connections[number] = connection
        self.strangers[address] += is_stranger
        try:
            await self.app(
                _mark(scope, connection.browser, number),
                self._slow_down(connection, receive, send),
                _stop_when_over(connection, send),
            )
        finally:
            del _connections[number]
            self.strangers[address] -= is_stranger
            if not self.strangers[address]:
                del self.strangers[address]

    def _slow_down(self, connection: Connection, receive: Receive, send: Send) -> Receive:
        async def receive_slowly() -> Message:
            is_known = connection.token is not None
            try:
                message = await asyncio.wait_for(
                    receive(), None if is_known else STRANGER_IDLE_SECONDS
                )
            except TimeoutError:
                return await _hang_up(connection, send, TRY_AGAIN_LATER)
            if message["type"] != "websocket.receive":
                return message
            request = _read(message)
            if request is None:
                return await _hang_up(connection, send, UNSUPPORTED_DATA)
            if is_known:
                if request.WhichOneof("type") == "rerun_script":
                    connection.asked_at = time.monotonic()
            elif connection.token is None:
                wait = self.budgets[connection.browser.network].take()
                if wait > MAX_WAIT:
                    return await _hang_up(connection, send, TRY_AGAIN_LATER)
                await asyncio.sleep(wait)
            return message

        return receive_slowly


def _stop_when_over(connection: Connection, send: Send) -> Send:
    async def send_while_live(message: Message) -> None:
        if message["type"] == "websocket.send" and connection.token is not None:
            moment = time.monotonic()
            if moment - connection.checked_at > CHECK_SECONDS:
                connection.checked_at = moment
                token = connection.token
                is_over = not await run_in_threadpool(is_live, token, connection.browser)
                # Signed out in this tab meanwhile, it goes on as a stranger's.
                if not is_over:
                    connection.live_at = moment
                elif connection.token == token and not connection.meets_gate(moment):
                    await _close(connection, send, POLICY_VIOLATION)
        if not connection.is_closed:
            await send(message)

    return send_while_live


def _comes_from_here(request: HTTPConnection) -> bool:
    """Return whether a page of this very server, or of a configured origin, opens the
    WebSocket: scheme, host and port. A browser always says where its page is from.
    """
    origin = _split_origin(request.headers.get("origin", ""))
    scheme = "https" if request.url.scheme == "wss" else "http"
    own = _split_origin(f"{scheme}://{request.headers.get('host', '')}")
    known = {own, *map(_split_origin, st.get_option("server.corsAllowedOrigins"))}
    is_known = origin is not None and origin in known
    if not is_known:
        said = "WebSocket refused: its page is from %.200r, this is %s://%s (see QA_PROXIES)"
        LOG.warning(said, request.headers.get("origin"), scheme, request.headers.get("host", ""))
    return is_known


def _split_origin(url: str) -> tuple[str, str, int] | None:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None


def _read(message: Message) -> BackMsg | None:
    """Read a message; None for text and garbage, which Streamlit would log at length."""
    content = message.get("bytes")
    try:
        return None if content is None else BackMsg.FromString(content)
    except DecodeError:
        return None


async def _hang_up(connection: Connection, send: Send, code: int) -> Message:
    await _close(connection, send, code)
    return {"type": "websocket.disconnect", "code": code}


async def _close(connection: Connection, send: Send, code: int) -> None:
    connection.is_closed = True
    with contextlib.suppress(Exception):  # the other end may be gone already
        await send({"type": "websocket.close", "code": code})


def _mark(scope: Scope, here: sessions.Browser, number: str) -> Scope:
    """Add the headers by which Streamlit and a run know the browser and the connection."""
    own = {BROWSER_HEADER: hashlib.sha256(here.token).hexdigest(), CONNECTION_HEADER: number}
    headers = [(name, value) for name, value in scope["headers"] if name.decode() not in own]
    headers += [(name.encode(), value.encode()) for name, value in own.items()]
    return {**scope, "headers": headers}


def is_live(token: str | None, here: sessions.Browser) -> bool:
    """Return whether that is the id of a live session of this browser."""
    try:
        return sessions.is_live(token, here)
    except Refusal:  # no records yet
        return False
