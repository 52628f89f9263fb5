"""Who did what, when and why: append-only, each row sealed with the one before, in the transaction of the act itself.

No content, name of a customer, or score stands in it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core import home
from qa_core.records.model import JournalRow, now

FIRST_MAC = "0" * 64


@dataclass(frozen=True)
class Verification:
    """What a walk over the whole journal found; `first_bad` is the first row that was edited, moved, or follows a gap."""

    rows: int
    ok: bool
    first_bad: int | None


def record(session: Session, actor: str, action: str, object: str = "", reason: str = "") -> None:
    """Append one act to the journal, in the caller's transaction: both happen or neither does."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.text("LOCK TABLE journal IN EXCLUSIVE MODE"))
    last = session.execute(sa.select(JournalRow.seq, JournalRow.mac).order_by(JournalRow.seq.desc()).limit(1)).first()
    seq, previous = (last.seq + 1, last.mac) if last else (1, FIRST_MAC)
    at = now().isoformat(timespec="microseconds")
    mac = _mac(home.secret("journal"), previous, seq, at, actor, action, object, reason)
    session.execute(sa.insert(JournalRow).values(seq=seq, at=at, actor=actor, action=action, object=object, reason=reason, mac=mac))


def verify(session: Session) -> Verification:
    """Walk the journal and recompute every seal. Edits, deletions and swaps show at their row; a cut end does not."""
    key, previous, expected, rows, first_bad = home.secret("journal"), FIRST_MAC, 1, 0, None
    for row in session.execute(sa.select(JournalRow).order_by(JournalRow.seq)).scalars().yield_per(5000):
        rows += 1
        if first_bad is None:
            mac = _mac(key, previous, row.seq, row.at, row.actor, row.action, row.object, row.reason)
            if row.seq != expected or not hmac.compare_digest(mac, row.mac):
                first_bad = row.seq
        previous, expected = row.mac, row.seq + 1
    return Verification(rows, first_bad is None, first_bad)


def _mac(key: bytes, previous: str, *fields: int | str) -> str:
    canonical = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return hmac.new(key, previous.encode() + b"\x1f" + canonical.encode(), hashlib.sha256).hexdigest()
