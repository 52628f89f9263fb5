"""Tickets of links: sealed with a key of this centre, so that nobody else can make,
change or read one.

They are encrypted because proxies and browsers log addresses, and a ticket may hold the
reason of a playback.
"""

import base64
import json
import secrets
from contextlib import suppress
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from qa_core.base import environment
from qa_core.base.errors import AccessDenied

NONCE_BYTES = 12


def seal(use: str, content: dict[str, Any], key: str = "cookie") -> str:
    """Seal content into a ticket for that use, safe in an address, with that secret."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    body = json.dumps(content, separators=(",", ":")).encode()
    cipher = _cipher(use, environment.secret(key))
    return base64.urlsafe_b64encode(nonce + cipher.encrypt(nonce, body, None)).decode().rstrip("=")


def unseal(use: str, ticket: str, key: str = "cookie") -> dict[str, Any]:
    """Open a ticket. Raises AccessDenied unless it was sealed here for that use, with the
    present secret or one that still reads.
    """
    try:
        content = base64.urlsafe_b64decode(ticket + "=" * (-len(ticket) % 4))
        for secret in environment.find_keys(key):
            with suppress(InvalidTag):
                cipher = _cipher(use, secret)
                return json.loads(
                    cipher.decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], None)
                )
    except ValueError as error:
        raise AccessDenied() from error
    raise AccessDenied()


def _cipher(use: str, secret: bytes) -> AESGCM:
    # One key per use, so that a ticket for a download can never stand for one for a
    # recording.
    return AESGCM(
        HKDF(SHA256(), length=32, salt=None, info=f"ticket: {use}".encode()).derive(secret)
    )
