"""Audit log: append-only rows, each sealed with the one before, in the transaction of
the act.

It holds no content, customer name or score. After each commit the number and seal of
the last row are noted beside the secrets: only that note shows that rows were cut off
the end.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.base import environment
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import now

FIRST_MAC = "0" * 64
PENDING_END = "journal_end"
"""Key in a session's `info`: the end to note once its transaction is committed."""


@dataclass(frozen=True)
class Verification:
    """Result of a check of the whole journal. `first_bad`: the first row that was
    edited, moved, follows a gap, or is missing at the end. `is_cut`: the only fault is
    a missing end, or an end other than the one noted.
    """

    rows: int
    ok: bool
    first_bad: int | None
    is_cut: bool = False


@dataclass(frozen=True)
class End:
    """Noted last row of the journal: its number and its seal."""

    seq: int
    mac: str


def record(session: Session, actor: str, action: str, object: str = "", reason: str = "") -> None:
    """Append one act to the journal, in the caller's transaction."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(sa.text("LOCK TABLE journal IN EXCLUSIVE MODE"))
    last = session.execute(
        sa.select(JournalRow.seq, JournalRow.mac).order_by(JournalRow.seq.desc()).limit(1)
    ).first()
    seq, previous = (last.seq + 1, last.mac) if last else (1, FIRST_MAC)
    at = now().isoformat(timespec="microseconds")
    mac = _mac(environment.secret("journal"), previous, seq, at, actor, action, object, reason)
    session.execute(
        sa.insert(JournalRow).values(
            seq=seq, at=at, actor=actor, action=action, object=object, reason=reason, mac=mac
        )
    )
    path = end_file()
    if PENDING_END in session.info or _is_current(session, _read_end(path)):
        session.info[PENDING_END] = (path, End(seq, mac))


@sa.event.listens_for(Session, "after_commit")
def _note_end(session: Session) -> None:
    noted = session.info.pop(PENDING_END, None)
    if noted is not None:
        _write_end(*noted)


@sa.event.listens_for(Session, "after_rollback")
def _forget_end(session: Session) -> None:
    session.info.pop(PENDING_END, None)


def end_file() -> Path:
    """Locate the note of this journal's end: beside the secrets, one file per database."""
    here = environment.current()
    usual = here.database_url == f"sqlite:///{here.folder / 'records.sqlite'}"
    return here.secrets_folder / (
        "journal.end"
        if usual
        else f"journal-{hashlib.sha256(here.database_url.encode()).hexdigest()[:12]}.end"
    )


def verify(session: Session) -> Verification:
    """Recompute every seal. Edits, deletions and swaps show at their row; a cut end
    shows against the noted one.
    """
    # Read first: a row that comes in between must not look like one that is missing.
    end = _read_end(end_file())
    key, previous, expected, rows, first_bad, is_cut = (
        environment.secret("journal"),
        FIRST_MAC,
        1,
        0,
        None,
        False,
    )
    for row in (
        session.execute(sa.select(JournalRow).order_by(JournalRow.seq)).scalars().yield_per(5000)
    ):
        rows += 1
        if first_bad is None:
            mac = _mac(
                key, previous, row.seq, row.at, row.actor, row.action, row.object, row.reason
            )
            if row.seq != expected or not hmac.compare_digest(mac, row.mac):
                first_bad = row.seq
            elif (
                end is not None and row.seq == end.seq and not hmac.compare_digest(row.mac, end.mac)
            ):
                first_bad, is_cut = row.seq, True
        previous, expected = row.mac, row.seq + 1
    if first_bad is None and end is not None and end.seq >= expected:
        first_bad, is_cut = expected, True
    return Verification(rows, first_bad is None, first_bad, is_cut)


def _is_current(session: Session, end: End | None) -> bool:
    # Once rows are gone the note stays as it is: new rows must not make good what was
    # cut.
    return (
        end is None
        or session.scalar(sa.select(JournalRow.mac).where(JournalRow.seq == end.seq)) == end.mac
    )


def _read_end(path: Path) -> End | None:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            seq, _, mac = file.read().decode("ascii", "replace").strip().partition(" ")
    except FileNotFoundError:
        return None
    return End(int(seq), mac) if seq.isdecimal() else None


def _write_end(path: Path, end: End) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        seq = file.read().split(b" ")[0]
        if (
            not seq.isdigit() or int(seq) < end.seq
        ):  # another process may have committed, and noted, a later row
            file.seek(0)
            file.write(f"{end.seq} {end.mac}\n".encode())
            file.truncate()


def _mac(key: bytes, previous: str, *fields: int | str) -> str:
    canonical = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    return hmac.new(
        key, previous.encode() + b"\x1f" + canonical.encode(), hashlib.sha256
    ).hexdigest()
