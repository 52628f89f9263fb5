"""Signatures with the secret of the audit log, which also reads what an earlier one signed."""

import hashlib
import hmac
import json
from collections.abc import Sequence

from qa_core.base import environment


def sign(*fields: int | str) -> str:
    """Sign these fields with the secret of the audit log."""
    return compute_mac(environment.secret("journal"), "signature", *fields)


def find_signatures(*fields: int | str, keys: Sequence[bytes] = ()) -> list[str]:
    """Sign these fields with each secret that the audit log has had, the present one first;
    `keys`: these secrets, read once for many fields.
    """
    keys = keys or environment.find_keys("journal")
    return [compute_mac(key, "signature", *fields) for key in keys]


def is_signature(signature: str, *fields: int | str) -> bool:
    """Return whether these fields were signed so, with the present secret or an earlier one."""
    return any(hmac.compare_digest(signature, candidate) for candidate in find_signatures(*fields))


def compute_mac(key: bytes, previous: str, *fields: int | str) -> str:
    """Compute the seal of these fields after what came before."""
    canonical = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return hmac.new(
        key, previous.encode() + b"\x1f" + canonical.encode(), hashlib.sha256
    ).hexdigest()
