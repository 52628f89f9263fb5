"""Tickets: what a link on a page may fetch, sealed with a key of this centre, so that nobody can make or change one."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from qa_core import home
from qa_core.errors import AccessDenied


def seal(use: str, content: dict[str, Any]) -> str:
    """A ticket for that use, fit for an address. What stands in it can be read by whoever holds it."""
    body = json.dumps(content, separators=(",", ":")).encode()
    return f"{_encode(body)}.{_encode(_seal(use, body))}"


def unseal(use: str, ticket: str) -> dict[str, Any]:
    """What stands in a ticket. Raises AccessDenied for one that was not sealed here, for that use."""
    try:
        body, given = (_decode(part) for part in ticket.split("."))
    except ValueError as error:
        raise AccessDenied() from error
    if not hmac.compare_digest(given, _seal(use, body)):
        raise AccessDenied()
    return json.loads(body)


def _seal(use: str, body: bytes) -> bytes:
    return hmac.new(home.secret("cookie"), f"{use} ".encode() + body, hashlib.sha256).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
