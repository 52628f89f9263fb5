"""Connections to hosts outside. The operator allows each host (QA_OUTSIDE_HOSTS), TLS is
verified, and no private network is reached unless its address itself is allowed.
"""

import ipaddress
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

import urllib3

from qa_core.base import environment
from qa_core.base.errors import Refusal

PUBLIC = ipaddress.ip_network("2000::/3")
"""All that is given out of IPv6; others are of a site, or lead to an IPv4 address."""


class NotAllowed(Exception):
    """The host is not allowed, or its name leads to a private network."""


class _Connection(urllib3.connection.HTTPConnection):
    """Connection that ends where the head of an answer is late. By itself, a socket gives each
    byte the whole time anew: one byte now and then would hold the caller for good.
    """

    def getresponse(self) -> urllib3.HTTPResponse:
        until = time.monotonic() + self.timeout
        timer = threading.Timer(self.timeout, self._shut)
        timer.start()
        try:
            answer = super().getresponse()
        finally:
            timer.cancel()
        if time.monotonic() >= until:
            raise TimeoutError
        return answer

    def _shut(self) -> None:
        with suppress(OSError):  # over already
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)


class _TlsConnection(_Connection, urllib3.connection.HTTPSConnection):
    pass


def connect(address: SplitResult, seconds: float) -> urllib3.HTTPConnectionPool:
    """Open a pool to the address that was checked, under the name of the host: another look-up
    of the name could lead elsewhere. Raises NotAllowed, OSError.
    """
    [ip, *_rest] = find_addresses(address)
    timeout = urllib3.Timeout(seconds)
    if address.scheme == "http":
        pool = urllib3.HTTPConnectionPool(ip, address.port or 80, timeout)
        pool.ConnectionCls = _Connection
    else:
        pool = urllib3.HTTPSConnectionPool(
            ip,
            address.port or 443,
            timeout,
            server_hostname=address.hostname,
            assert_hostname=address.hostname,
        )
        pool.ConnectionCls = _TlsConnection
    return pool


def parse_allowed(address: str) -> SplitResult:
    """Split an address that may be reached. Raises Refusal for another one, OSError for a name
    that leads nowhere.
    """
    parts = None
    try:
        parts = urlsplit(address)
        find_addresses(parts)
    except (NotAllowed, ValueError):
        raise Refusal(
            "outside_host",
            "{host} may not be reached. The operator allows public hosts in QA_OUTSIDE_HOSTS; "
            "the address starts with https://.",
            host=(parts and parts.hostname) or "?",
        ) from None
    return parts


def find_addresses(address: SplitResult) -> Sequence[str]:
    """Find the IP addresses of a host that is allowed. Raises NotAllowed, also where one of
    them is private and not itself allowed; OSError for a name that leads nowhere.
    """
    allowed = environment.find_outside_hosts()
    try:
        host, port = (address.hostname or "").casefold(), address.port or 443
    except ValueError:
        raise NotAllowed from None
    if host not in allowed or address.username is not None:
        raise NotAllowed
    try:
        ipaddress.ip_address(host)
        if address.scheme in ("http", "https"):
            return [host]  # named by the operator as it is
    except ValueError:
        pass
    if address.scheme != "https":
        raise NotAllowed
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    ips = [str(entry[4][0]) for entry in found]
    if not ips or not all(map(_is_public, ips)):
        raise NotAllowed
    return ips


def _is_public(text: str) -> bool:
    ip = ipaddress.ip_address(text)
    if ip.version == 6 and (ip not in PUBLIC or ip.sixtofour or ip.teredo):
        return False
    return ip.is_global and not ip.is_multicast
