"""Requests to the API of a platform: repeated where that helps, and never to another host."""

import base64
import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

import urllib3

from qa_core.base import environment, outside
from qa_core.sources.protocol.declaration import SourceFailed

TIMEOUT_SECONDS = 60
WAITS = (1, 2, 4, 8, 16, 32)
"""Seconds before each further attempt, where the platform does not say how many."""
MAX_WAIT_SECONDS = 900
MAX_BYTES = 256 << 20
Headers = Callable[[], Mapping[str, str]]


def build_basic(secret: str) -> Headers:
    """Build the header of a secret `id:token`."""
    text = "Basic " + base64.b64encode(secret.encode()).decode()
    return lambda: {"Authorization": text}


def connect(parts: SplitResult) -> urllib3.HTTPConnectionPool:
    """Open a pool of connections to a host. Raises SourceFailed."""
    try:
        return outside.connect(parts, TIMEOUT_SECONDS)
    except outside.NotAllowed:
        raise SourceFailed("not_allowed") from None
    except OSError:
        raise SourceFailed("unreachable") from None


def exchange(
    pool: urllib3.HTTPConnectionPool,
    method: str,
    target: str,
    body: bytes | None,
    headers: Mapping[str, Any],
    is_decoded: bool = True,
) -> tuple[int, Mapping[str, str], bytes]:
    """Send a request once. Returns the status, the headers and the content, which is cut after
    MAX_BYTES. Raises urllib3.exceptions.HTTPError.
    """
    answer = pool.urlopen(
        method, target, body, headers, retries=False, redirect=False, preload_content=False
    )
    content = answer.read(MAX_BYTES + 1, decode_content=is_decoded)
    if answer.length_remaining and len(content) <= MAX_BYTES:
        raise urllib3.exceptions.ProtocolError("the answer ends early")
    answer.release_conn()
    return answer.status, answer.headers, content


class Client(AbstractContextManager["Client"]):
    """Client of one host. `headers` builds the authorization anew where it has expired."""

    def __init__(
        self, address: str, headers: Headers, wait: Callable[[float], None], may_renew: bool = False
    ) -> None:
        self._parts = urlsplit(address.rstrip("/"))
        self._build_headers, self._wait, self._may_renew = headers, wait, may_renew
        self._headers: Mapping[str, str] | None = None
        self._pool = connect(self._parts)

    def __exit__(self, *_error: object) -> None:
        self._pool.close()

    def get(self, path: str, **parameters: Any) -> Any:
        """Get a JSON document. Raises SourceFailed."""
        query = urlencode({name: value for name, value in parameters.items() if value is not None})
        return self.send("GET", f"{path}?{query}" if query else path)

    def follow(self, link: str) -> Any:
        """Get the JSON document of a link that the platform gave. Raises SourceFailed for one
        that leads to another host.
        """
        parts = urlsplit(link)
        if parts.netloc and parts.netloc != self._parts.netloc:
            raise SourceFailed("not_allowed")
        path = parts.path.removeprefix(self._parts.path)
        return self.send("GET", f"{path}?{parts.query}" if parts.query else path)

    def send(
        self, method: str, path: str, body: bytes | None = None, form: str = "application/json"
    ) -> Any:
        """Send a request, again where the platform asks for it or the connection tears, and
        return the JSON of the answer. Raises SourceFailed.
        """
        cause, has_renewed = "unreachable", False
        for seconds in (*WAITS, None):
            if self._headers is None:
                self._headers = self._build_headers()
            headers = {
                "Host": self._parts.netloc,
                "Accept": "application/json",
                "Content-Type": form,
            }
            try:
                target = self._parts.path + path
                status, given, content = exchange(
                    self._pool, method, target, body, headers | self._headers
                )
            except urllib3.exceptions.HTTPError:
                cause = "unreachable"
            else:
                if status == 200:
                    try:
                        return json.loads(content)
                    except ValueError:
                        cause = "changed"
                elif status == 401 and self._may_renew and not has_renewed:
                    self._headers, has_renewed = None, True
                    continue
                elif status == 429:
                    cause = "throttled"
                elif status >= 500:
                    cause = "unreachable"
                else:
                    raise SourceFailed(CAUSES.get(status, "refused"))
                seconds = seconds and (_find_wait(given.get("Retry-After")) or seconds)
            if seconds is not None:
                self._wait(seconds)
        raise SourceFailed(cause)


CAUSES = {401: "denied", 403: "denied", **dict.fromkeys((301, 302, 303, 307, 308), "not_allowed")}
"""Causes of the statuses that another attempt does not change."""


def _find_wait(text: str | None) -> float | None:
    """Find the seconds that Retry-After names, as a number or as a date."""
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (moment - environment.now()).total_seconds()
    return min(max(seconds, 0.1), MAX_WAIT_SECONDS) if seconds == seconds else None
