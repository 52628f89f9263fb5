"""Audit log: append-only rows, each sealed with the one before, in the transaction of
the act.

It holds no content, customer name or score. After each commit the number and seal of
the last row are noted beside the secrets, in the file that QA_ANCHOR names, and now and
then in the server's log: only such a note shows that rows were cut off the end.
"""

import fcntl
import hashlib
import hmac
import logging
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.storage import replay_list, system_errors
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import now
from qa_core.storage.records.listening import ConfirmedEvaluator
from qa_core.storage.records.people import Account, Advisor, AdvisorAlias
from qa_core.storage.records.retention import JournalCut, JournalRewording
from qa_core.storage.signatures import compute_mac, is_signature, sign

LOG = logging.getLogger("qa_core.journal")
LOG_SECONDS = 600
"""Seconds between two notes in the server's log."""
MIN_NAME_LENGTH = 3
"""Shorter spellings, and bare numbers, mean a person only where they are the whole value."""
WITHDRAWALS = {
    **dict.fromkeys(("account_change", "account_disable", "account_remove"), "accounts"),
    **dict.fromkeys(("account_reset", "password_changed", "second_factor_added"), "accounts"),
    "recovery_code_used": "accounts",
    "account_revoke_token": "tokens",
    "accreditation_ended": "accreditations",
    **dict.fromkeys(("mail_choices_changed", "mail_stopped"), "mails"),
    **dict.fromkeys(("webhook_entered", "webhook_removed"), "webhooks"),
    **dict.fromkeys(("gate_set", "setting_changed"), "settings"),
}
"""Acts that may take something away by the account, token, webhook or setting that their object
names first, and what they concern. The replay list notes them: no restored backup may give it
back unnoticed.
"""
_WORD = re.compile(r"\w[\w-]+")
FIRST_MAC = "0" * 64
PENDING_END = "journal_end"
"""Key in a session's `info`: the end to note once its transaction is committed, by file."""
_NEWEST = sa.select(JournalRow.seq, JournalRow.mac).order_by(JournalRow.seq.desc()).limit(1)


@dataclass(frozen=True)
class Verification:
    """Result of a check of the whole journal. `first_bad`: the first row that was
    edited, moved, follows a gap, or is missing at the end. `is_cut`: the only fault is
    a missing end, or an end other than the one noted. `missing_note`: the file in which
    no end is noted though there are rows. `warnings`: codes, such as `end_beside_log`
    where the only note lies with the log, and is cut with it.
    """

    rows: int
    ok: bool
    first_bad: int | None
    is_cut: bool = False
    missing_note: str | None = None
    warnings: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class End:
    """Noted last row of the journal: number and seal. `is_accepted`: replaces any noted."""

    seq: int
    mac: str
    is_accepted: bool = False


def record(session: Session, actor: str, action: str, object: str = "", reason: str = "") -> None:
    """Append one act to the journal, in the caller's transaction. `store.writing` lets one
    writer in at a time, so that no two rows get one number. Names of the centre's people are
    masked, in the object where they are written in full: the row outlasts an erasure.
    """
    from qa_core.base.masking import mask_inside

    reason = mask_inside(_mask_people(session, reason))
    object = _mask_people(session, object, in_full=True)
    last = session.execute(_NEWEST).first() or _find_cut(session)
    seq, previous = (last.seq + 1, last.mac) if last else (1, FIRST_MAC)
    at = _format_moment(now())
    mac = compute_mac(
        environment.secret("journal"), previous, seq, at, actor, action, object, reason
    )
    session.execute(
        sa.insert(JournalRow).values(
            seq=seq, at=at, actor=actor, action=action, object=object, reason=reason, mac=mac
        )
    )
    pending = session.info.setdefault(PENDING_END, {})
    for path in _end_files():
        # A note that is missing, or not of this journal, stays so: new rows must not make
        # good what was cut. Only the very first row makes one.
        if path in pending or _is_current(session, _read_end(path), is_first=seq == 1):
            pending[path] = replace(pending.get(path, End(seq, mac)), seq=seq, mac=mac)
    if kind := WITHDRAWALS.get(action):
        name = re.split("[ =]", object.removeprefix("token:"))[0]
        try:
            replay_list.add(kind, replay_list.digest(kind, name))
        except (OSError, Refusal):  # an account must be closed all the same
            LOG.exception("%s of %s is not noted for restored backups", action, kind)


@contextmanager
def noting() -> Iterator[Session]:
    """Open a session for what is noted of somebody who only reads. Raises Refusal soon where
    the records are held by another writer: what is not noted is not shown.
    """
    try:
        with store.writing(store.NOTE_SECONDS) as session:
            yield session
    except sa.exc.OperationalError as error:
        raise system_errors.find_refusal(error) or error from error


def note_reading(actor: str, action: str, object: str = "", reason: str = "") -> None:
    """Append one act of somebody who only reads. Raises what `noting` raises."""
    with noting() as session:
        record(session, actor, action, object, reason)


def anchor(session: Session, actor: str, reason: str = "") -> None:
    """Note the present end in all files, whatever they say, and record that it was done,
    with the number of the row that was noted until then.
    """
    noted = [end.seq for end in map(_read_end, _end_files()) if end is not None]
    reason = f"{reason}; noted until now: row {max(noted)}" if noted else reason
    record(session, actor, "journal_anchored", ", ".join(map(str, _end_files())), reason)
    end = find_end(session)
    for path in _end_files():
        session.info[PENDING_END][path] = replace(end, is_accepted=True)


def anchor_once(session: Session, actor: str) -> Path | None:
    """Make the file of QA_ANCHOR when it is configured for the first time. Returns it.

    A file that was made before and is missing stays missing: verification reports it.
    """
    first, *others = _end_files()
    if not others or others[0].exists() or not first.exists():
        return None
    earlier_anchor = sa.select(JournalRow.seq).where(
        JournalRow.action == "journal_anchored", JournalRow.object.contains(str(others[0]))
    )
    if session.scalar(earlier_anchor.limit(1)) is not None:
        return None
    whole = verify(session)
    if not whole.rows or whole.first_bad is not None:
        return None
    anchor(session, actor, "first use of QA_ANCHOR")
    return others[0]


@sa.event.listens_for(Session, "after_commit")
def _note_end(session: Session) -> None:
    global _logged_at
    pending = session.info.pop(PENDING_END, {})
    for path, end in pending.items():
        try:
            _write_end(path, end)
        except OSError:
            LOG.exception("the end of the journal cannot be noted in %s", path)
    if pending and (_logged_at is None or time.monotonic() - _logged_at > LOG_SECONDS):
        _logged_at = time.monotonic()
        end = max(pending.values(), key=lambda end: end.seq)
        LOG.info("end of the journal: row %d, seal %s", end.seq, end.mac)


_logged_at: float | None = None


@sa.event.listens_for(Session, "after_rollback")
def _forget_end(session: Session) -> None:
    session.info.pop(PENDING_END, None)


def end_file() -> Path:
    """Locate the note of this journal's end: beside the secrets, one file per database,
    whichever role or address it is reached by.
    """
    here, address = environment.current(), sa.make_url(environment.current().database_url)
    if here.database_url == f"sqlite:///{here.folder / 'records.sqlite'}":
        return here.secrets_folder / "journal.end"
    name = f"{address.get_backend_name()} {address.database} {address.query.get('options', '')}"
    return here.secrets_folder / f"journal-{hashlib.sha256(name.encode()).hexdigest()[:12]}.end"


def _end_files() -> list[Path]:
    elsewhere = os.environ.get("QA_ANCHOR")
    return [end_file(), *([Path(elsewhere).expanduser().resolve()] if elsewhere else [])]


def verify(session: Session) -> Verification:
    """Recompute every seal. Edits, deletions and swaps show at their row; a cut end
    shows against the noted ends. No noted end may be missing.
    """
    # Read first: a row that comes in between must not look like one that is missing.
    ends = {path: _read_end(path) for path in _end_files()}
    noted_ends = [end for end in ends.values() if end is not None]
    latest = max((end.seq for end in noted_ends), default=0)
    # From the oldest to the newest: once a row is of a later key, no earlier one is good.
    keys, rows, first_bad, is_cut = environment.find_keys("journal")[::-1], 0, None, False
    cut, reworded = _find_cut(session), _find_reworded(session)
    previous, next_seq = (cut.mac, cut.seq + 1) if cut else (FIRST_MAC, 1)
    for row in (
        session.execute(sa.select(JournalRow).order_by(JournalRow.seq)).scalars().yield_per(5000)
    ):
        rows += 1
        if first_bad is None:
            is_sealed = _is_reworded(reworded, row)
            while keys and not is_sealed and not _is_sealed(keys[0], previous, row):
                del keys[0]
            if row.seq != next_seq or not keys:
                first_bad = row.seq
            elif any(
                row.seq == end.seq and not hmac.compare_digest(row.mac, end.mac)
                for end in noted_ends
            ):
                first_bad, is_cut = row.seq, True
        previous, next_seq = row.mac, row.seq + 1
    # The first account writes the first row: without any, all of them were taken away.
    is_emptied = not rows and session.scalar(sa.select(Account.username).limit(1)) is not None
    if first_bad is None and (latest >= next_seq or is_emptied):
        first_bad, is_cut = next_seq, True
    missing = [str(path) for path, end in ends.items() if end is None] if rows else []
    is_ok = first_bad is None and not missing
    here = environment.current()
    beside = (here.folder.resolve(), here.secrets_folder.resolve())
    is_elsewhere = any(not any(map(path.is_relative_to, beside)) for path in _end_files()[1:])
    warnings = () if is_elsewhere else ("end_beside_log",)
    return Verification(rows, is_ok, first_bad, is_cut, missing[0] if missing else None, warnings)


def is_foreign(session: Session) -> bool:
    """Return whether no key that is here sealed the first row, as in another centre's stores."""
    cut, first = _find_cut(session), sa.select(JournalRow).order_by(JournalRow.seq).limit(1)
    row = session.execute(first).scalars().first()
    if row is None or _is_reworded(_find_reworded(session), row):
        return False
    previous = cut.mac if cut else FIRST_MAC
    return not any(_is_sealed(key, previous, row) for key in environment.find_keys("journal"))


def purge(session: Session, before: datetime) -> None:
    """Delete the rows from before that moment, in the caller's transaction. The seal of
    the last one is kept, signed, as the beginning of what verification walks.

    Raises Refusal where the role of the database may not delete rows that young.
    """
    last = session.execute(_NEWEST.where(JournalRow.at < _format_moment(before))).first()
    if last is None:
        return
    session.execute(sa.delete(JournalRow).where(JournalRow.seq <= last.seq))
    if session.scalar(sa.select(sa.func.min(JournalRow.seq)).where(JournalRow.seq <= last.seq)):
        raise Refusal(
            "journal_kept",
            "The role of QA_DATABASE_URL may not delete journal rows younger than six months. "
            "Purge as the owner of the tables.",
        )
    session.execute(sa.delete(JournalRewording).where(JournalRewording.seq <= last.seq))
    session.execute(sa.delete(JournalCut))
    session.add(JournalCut(seq=last.seq, mac=last.mac, signature=sign("cut", last.seq, last.mac)))


def count_before(
    session: Session, before: datetime
) -> tuple[int, datetime | None, datetime | None]:
    """Count the rows from before that moment, with the moments of the first and the last."""
    moments = sa.func.min(JournalRow.at), sa.func.max(JournalRow.at)
    old = JournalRow.at < _format_moment(before)
    count, *ends = session.execute(sa.select(sa.func.count(), *moments).where(old)).one()
    return count, *(datetime.fromisoformat(end) if end else None for end in ends)


_NAMES = sa.union(
    *(
        sa.select(column.label("name"))
        for column in (
            Account.display_name,
            Advisor.name,
            AdvisorAlias.alias,
            ConfirmedEvaluator.title,
        )
    )
)


def _mask_people(session: Session, reason: str, in_full: bool = False) -> str:
    """Mask the names of advisors, accounts and evaluators: a whole name however it is
    written, a part of one where it begins with a capital; or names of several words alone.
    """
    if " " not in reason and (in_full or not any(map(str.isupper, reason))):
        return reason
    from qa_core.base.masking import MASK

    names = session.scalars(Unscoped(_NAMES, "Names are masked in reasons. None is shown."))
    text = reason.casefold()
    capitals = {word.casefold() for word in _WORD.findall(reason) if word[0].isupper()}
    # Few of the names share a word with the reason: only these are looked at closely.
    shared = {
        name: parts
        for name in names
        if (parts := capitals.intersection(name.casefold().split())) or name.casefold() in text
    }
    usernames = set(session.scalars(sa.select(Account.username))) if shared else set()
    masked = set()
    for name, parts in shared.items():
        if is_telling(name) and name not in usernames and not (in_full and " " not in name):
            reason = re.sub(rf"\b{re.escape(name)}\b", MASK, reason, flags=re.IGNORECASE)
            masked.update(filter(is_telling, () if in_full else parts))

    def mask_part(match: re.Match[str]) -> str:
        return MASK if match[0].casefold() in masked and match[0][0].isupper() else match[0]

    return _WORD.sub(mask_part, reason)


def is_telling(name: str) -> bool:
    """Return whether a spelling means its person within a sentence too."""
    return len(name) >= MIN_NAME_LENGTH and not name.isdecimal()


def name_advisor(advisor_id: str) -> str:
    """Return the pseudonym of an advisor in the audit log. Rows are never changed; with the
    advisor goes what tells whom the pseudonym means.
    """
    return _name_advisor(environment.secret("journal"), advisor_id)


def find_advisors(advisor_ids: Iterable[str]) -> dict[str, str]:
    """Map the pseudonyms of these advisors, one for each secret that the audit log has had,
    to their ids.
    """
    keys = environment.find_keys("journal")
    return {_name_advisor(key, name): name for name in advisor_ids for key in keys}


def _name_advisor(key: bytes, advisor_id: str) -> str:
    return f"advisor {compute_mac(key, 'signature', 'advisor', advisor_id)[:16]}"


def find_end(session: Session) -> End:
    """Return the last row, in the transaction that wrote it."""
    return End(*session.execute(_NEWEST).one())


def _find_cut(session: Session) -> JournalCut | None:
    """Find the end of the purged rows; one with a false signature does not count."""
    cut = session.scalar(sa.select(JournalCut))
    if cut is None or not is_signature(cut.signature, "cut", cut.seq, cut.mac):
        return None
    return cut


def sign_words(row: Mapping[str, int | str]) -> str:
    """Sign a row whose words a migration changed. Its seal stays as it was, so that the seals of
    the rows after it and the noted ends still fit.
    """
    return sign("reworded", *row.values())


def _find_reworded(session: Session) -> dict[int, str]:
    return dict(session.execute(sa.select(JournalRewording.seq, JournalRewording.signature)).all())


def _is_reworded(reworded: Mapping[int, str], row: JournalRow) -> bool:
    words = (getattr(row, name) for name in JournalRow.__table__.columns.keys())  # noqa: SIM118
    return row.seq in reworded and is_signature(reworded[row.seq], "reworded", *words)


def _format_moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def _is_current(session: Session, end: End | None, is_first: bool) -> bool:
    if end is None:
        return is_first
    mac = session.scalar(sa.select(JournalRow.mac).where(JournalRow.seq == end.seq))
    if mac is None and (cut := _find_cut(session)) is not None:  # its row was purged
        return cut.seq > end.seq or (cut.seq == end.seq and cut.mac == end.mac)
    return mac == end.mac


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
            end.is_accepted or not seq.isdigit() or int(seq) < end.seq
        ):  # another process may have committed, and noted, a later row
            file.seek(0)
            file.write(f"{end.seq} {end.mac}\n".encode())
            file.truncate()


def _is_sealed(key: bytes, previous: str, row: JournalRow) -> bool:
    mac = compute_mac(key, previous, row.seq, row.at, row.actor, row.action, row.object, row.reason)
    return hmac.compare_digest(mac, row.mac)
