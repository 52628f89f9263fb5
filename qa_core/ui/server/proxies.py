"""Uvicorn as it serves here: visitors as trusted proxies state them, heads of requests in time."""

import ipaddress
from asyncio import Transport
from collections.abc import Iterable

import uvicorn.config
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from qa_core.base import environment

HEAD_SECONDS = 20
"""Seconds in which a client has to send the head of a request, from the connection or from the
first byte after the last answer on.
"""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class TrustedProxies:
    """ASGI middleware that reads X-Forwarded-For and -Proto from trusted proxies alone.

    It takes the place of uvicorn's, which trusts everybody on this machine and takes any
    text for an address.
    """

    def __init__(self, app: ASGIApp, trusted_hosts: object = None) -> None:
        self.app = app
        self.trusted = environment.find_proxies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        peer = parse_address((scope.get("client") or ("",))[0])
        if peer is not None and self._trusts(peer):
            headers = [
                (name, value.decode("latin1"))
                for name, value in scope["headers"]
                if name in (b"x-forwarded-for", b"x-forwarded-proto")
            ]
            forwarded = [value for name, value in headers if name == b"x-forwarded-for"]
            visitor = self._find_visitor(",".join(forwarded).split(","), peer)
            scope["client"] = (str(visitor), 0)
            scheme = next((value for name, value in headers if name == b"x-forwarded-proto"), "")
            if scheme in ("http", "https"):
                secure = scheme.removeprefix("http")
                scope["scheme"] = ("ws" if scope["type"] == "websocket" else "http") + secure
        await self.app(scope, receive, send)

    def _find_visitor(self, hops: Iterable[str], peer: Address) -> Address:
        """Return the last hop that is no proxy of ours: what stands before it is hearsay."""
        for hop in reversed(list(hops)):
            address = parse_address(hop)
            if address is None:
                return peer
            peer = address
            if not self._trusts(address):
                break
        return peer

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self.trusted)


def parse_address(text: str) -> Address | None:
    """Parse an IP address, with or without a port; None for anything else."""
    text = text.strip().split("%")[0]
    if text.startswith("["):
        text = text[1:].split("]")[0]
    elif text.count(":") == 1:
        text = text.split(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _connect(self: H11Protocol, transport: Transport) -> None:
    _connection_made(self, transport)
    self.head_until = None
    _wait_for_head(self)


def _receive(self: H11Protocol, data: bytes) -> None:
    _data_received(self, data)  # which ends every wait
    _wait_for_head(self)


def _wait_for_head(self: H11Protocol) -> None:
    """Close the connection at the end of the time, unless a request is under way by then."""
    is_under_way = self.cycle is not None and not self.cycle.response_complete
    if is_under_way or self.transport.get_protocol() is not self:  # upgraded to a WebSocket
        self.head_until = None
    elif self.timeout_keep_alive_task is None and not self.transport.is_closing():
        self.head_until = self.head_until or self.loop.time() + HEAD_SECONDS
        close = self.timeout_keep_alive_handler
        self.timeout_keep_alive_task = self.loop.call_at(self.head_until, close)


_connection_made, _data_received = H11Protocol.connection_made, H11Protocol.data_received


def install() -> None:
    """Have uvicorn use `TrustedProxies`, wait for no client longer than `HEAD_SECONDS`, and add
    no header `server`. It has its configuration by then, loads the app, and wraps it afterwards.
    """
    H11Protocol.connection_made, H11Protocol.data_received = _connect, _receive
    uvicorn.config.ProxyHeadersMiddleware = TrustedProxies
    uvicorn.config.Config.encoded_headers = property(lambda _config: [], lambda *_headers: None)
