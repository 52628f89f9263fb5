"""Sessions: sign-in behind a throttle, and one revocable row per sign-in.

The browser holds a random id. The records hold its hash, bound to the browser's own
token: a copied cookie or a copied server session opens nothing elsewhere
(docs/access.md, section 3).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access import accounts, passwords
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.base.i18n import N_
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.people import Account, LoginSession, SignInThrottle

IDLE, MAX_AGE = timedelta(minutes=30), timedelta(hours=8)
SEEN_EVERY = timedelta(minutes=1)
"""Precision of `last_seen_at`: writing it on each run would cost a write each time."""

EXPIRED = "expired one-time password"
"""Reason of a failed sign-in, in the audit log."""

FAILURES_PER_ACCOUNT, FAILURES_PER_ADDRESS = 5, 50
FIRST_WAIT, MAX_WAIT = timedelta(seconds=30), timedelta(minutes=15)
FORGET_AFTER = timedelta(hours=1)
"""Age from which failures no longer count: no lock is permanent."""


@dataclass(frozen=True)
class Browser:
    """Origin of a request: Streamlit's token of the browser, its user agent, its
    address.

    `is_local`: it runs on this very machine, with no proxy in between.
    """

    token: bytes
    name: str = ""
    address: str = ""
    is_local: bool = False


@dataclass(frozen=True)
class SignedIn:
    """Live session: its viewer, and whether they must choose a password first."""

    viewer: Viewer
    session_id: int
    must_change_password: bool


@dataclass(frozen=True)
class OwnSession:
    """One of a person's sessions, as they see it."""

    id: int
    browser_name: str
    created_at: datetime
    last_seen_at: datetime
    is_this_one: bool


def is_loopback(address: str | None) -> bool:
    """Tell whether that address is this machine."""
    try:
        return ipaddress.ip_address((address or "").split("%")[0]).is_loopback
    except ValueError:
        return False


def sign_in(username: str, password: str, browser: Browser, one_time_days: int) -> str:
    """Check a password and open a session. Returns the random id for the browser's
    cookie.

    `one_time_days`: days for which a one-time password is valid.

    Raises the same Refusal, after the same time, for an unknown name, a wrong password
    and a closed account. Only the holder of an expired one-time password learns that it
    has expired.
    """
    username = accounts.normalise_username(username)
    if not browser.token:
        raise Refusal(
            "no_browser_token",
            N_(
                "Your browser refuses cookies; allow them for this address, reload the page "
                "and sign in again."
            ),
        )
    with store.writing() as session:
        # Counted before the password is looked at, so that many tries at once are not
        # many tries for one.
        _count_try(session, username, browser)
        account = session.get(Account, username)
        kept = account.password_hash if account else None
    good = passwords.matches(password, kept)
    with store.writing() as session:
        account = session.get(Account, username)
        reason = _find_failure(
            account,
            good and account is not None and account.password_hash == kept,
            browser,
            now() - timedelta(days=one_time_days),
        )
        if reason:
            audit_log.record(
                session,
                username if account else "stranger",
                "sign_in_failed",
                browser.address,
                reason,
            )
        else:
            _forget_try(session, username, browser)
            token = secrets.token_urlsafe(32)
            session.add(
                LoginSession(
                    token_hash=_hash(token.encode()),
                    username=account.username,
                    token_version=account.token_version,
                    browser_hash=_hash(browser.token),
                    browser_name=browser.name[:200],
                )
            )
            _delete_old(session)
            audit_log.record(session, account.username, "sign_in", browser.address)
    if reason == EXPIRED:
        message = N_(
            "This one-time password is older than {days} days and opens nothing any more. Ask "
            "an administrator for a new one."
        )
        raise Refusal("old_one_time_password", message, days=one_time_days)
    if reason:
        raise Refusal(
            "sign_in_failed", N_("The username or the password is wrong, or the account is closed.")
        )
    return token


def resume(token: str | None, browser: Browser) -> SignedIn | None:
    """Find the live session of that id on this browser; None if there is none."""
    if not token or not browser.token:
        return None
    moment = now()
    with store.reading() as session:
        row = _find_live(session, token, browser, moment)
        if row is None:
            return None
        account = session.get(Account, row.username)
        viewer = accounts.get_viewer(session, row.username)
        signed_in = SignedIn(viewer, row.id, account.must_change_password)
        stale = moment - row.last_seen_at > SEEN_EVERY
    if stale:
        with store.writing() as session:
            session.execute(
                sa.update(LoginSession)
                .where(LoginSession.id == signed_in.session_id)
                .values(last_seen_at=moment)
            )
    return signed_in


def sign_out(token: str | None, browser: Browser) -> None:
    """End the session of that id."""
    if not token:
        return
    with store.writing() as session:
        row = _find_live(session, token, browser, now())
        if row is not None:
            row.revoked_at = now()
            audit_log.record(session, row.username, "sign_out", browser.address)


def find_sessions(signed_in: SignedIn) -> list[OwnSession]:
    """List one's own live sessions, newest first."""
    moment = now()
    with store.reading() as session:
        rows = session.scalars(
            _live(moment)
            .where(LoginSession.username == signed_in.viewer.username)
            .order_by(LoginSession.id.desc())
        ).all()
        return [
            OwnSession(
                row.id,
                row.browser_name,
                row.created_at,
                row.last_seen_at,
                row.id == signed_in.session_id,
            )
            for row in rows
        ]


def end_session(signed_in: SignedIn, session_id: int) -> None:
    """End one of one's own sessions. Raises AccessDenied for any other."""
    with store.writing() as session:
        row = session.get(LoginSession, session_id)
        if row is None or row.username != signed_in.viewer.username:
            raise AccessDenied()
        row.revoked_at = now()
        audit_log.record(session, signed_in.viewer.username, "session_ended", str(session_id))


def change_password(signed_in: SignedIn, browser: Browser, current: str, new: str) -> None:
    """Replace one's own password. All other sessions of the person end."""
    username = signed_in.viewer.username
    with store.writing() as session:
        _count_try(session, username, browser)
        kept = session.get(Account, username).password_hash
    if not passwords.matches(current, kept):
        raise Refusal("wrong_password", N_("The present password is wrong."))
    passwords.check_policy(new, username)
    if passwords.normalise(current) == passwords.normalise(new):
        raise Refusal("same_password", N_("The new password is the present one; choose another."))
    hashed = passwords.hash_password(new)
    with store.writing() as session:
        account, row = (
            session.get(Account, username),
            session.get(LoginSession, signed_in.session_id),
        )
        if (
            account is None
            or not account.active
            or account.password_hash != kept
            or row is None
            or row.revoked_at is not None
        ):
            raise AccessDenied()
        _forget_try(session, username, browser)
        account.password_hash, account.must_change_password, account.one_time_since = (
            hashed,
            False,
            None,
        )
        account.token_version += 1
        row.token_version = account.token_version
        audit_log.record(session, username, "password_changed", username)


def _find_failure(
    account: Account | None, good: bool, browser: Browser, oldest_one_time: datetime
) -> str:
    if account is None:
        return "unknown account"
    if not good:
        return "wrong password"
    if not account.active:
        return "closed account"
    if account.demo and not browser.is_local:
        return "demo account from elsewhere"
    if account.one_time_since is not None and account.one_time_since < oldest_one_time:
        return EXPIRED
    return ""


def _live(moment: datetime) -> sa.Select[tuple[LoginSession]]:
    return (
        sa.select(LoginSession)
        .join(Account, Account.username == LoginSession.username)
        .where(
            LoginSession.revoked_at.is_(None),
            LoginSession.created_at > moment - MAX_AGE,
            LoginSession.last_seen_at > moment - IDLE,
            LoginSession.token_version == Account.token_version,
            Account.active,
        )
    )


def _find_live(
    session: Session, token: str, browser: Browser, moment: datetime
) -> LoginSession | None:
    row = session.scalars(
        _live(moment).where(LoginSession.token_hash == _hash(token.encode()))
    ).one_or_none()
    if row is None or not hmac.compare_digest(row.browser_hash, _hash(browser.token)):
        return None
    if session.get(Account, row.username).demo and not browser.is_local:
        return None
    return row


def _hash(value: bytes) -> str:
    # Keyed, so that a new cookie secret signs everybody out and a copy of the records
    # opens nothing.
    return hmac.new(environment.secret("cookie"), value, hashlib.sha256).hexdigest()


def _throttles(username: str, browser: Browser) -> tuple[tuple[str, int], ...]:
    # Hashed: what strangers type into the name field may well be a password.
    return (
        (f"account:{_hash(b'name ' + username.encode())}", FAILURES_PER_ACCOUNT),
        (f"address:{browser.address}", FAILURES_PER_ADDRESS),
    )


def _count_try(session: Session, username: str, browser: Browser) -> None:
    moment = now()
    session.execute(
        sa.delete(SignInThrottle).where(SignInThrottle.last_failure_at < moment - FORGET_AFTER)
    )
    rows = []
    for key, limit in _throttles(username, browser):
        row = session.get(SignInThrottle, key)
        if row is None:
            row = SignInThrottle(key=key, failures=0)
            session.add(row)
        if row.blocked_until is not None and row.blocked_until > moment:
            wait = int((row.blocked_until - moment).total_seconds()) + 1
            raise Refusal(
                "too_many_tries",
                N_("Too many tries. Wait {seconds} seconds and try again."),
                seconds=wait,
            )
        rows.append((row, limit))
    for row, limit in rows:
        row.failures += 1
        row.last_failure_at = moment
        if row.failures >= limit:
            row.blocked_until = moment + min(
                FIRST_WAIT * 2 ** min(row.failures - limit, 10), MAX_WAIT
            )


def _forget_try(session: Session, username: str, browser: Browser) -> None:
    (account_key, _limit), (address_key, _) = _throttles(username, browser)
    session.execute(sa.delete(SignInThrottle).where(SignInThrottle.key == account_key))
    row = session.get(SignInThrottle, address_key)
    if row is not None:
        # One good sign-in takes back its own count only: an address that guesses must
        # not wash itself clean.
        row.failures -= 1
        if row.failures < FAILURES_PER_ADDRESS:
            row.blocked_until = None


def _delete_old(session: Session) -> None:
    session.execute(sa.delete(LoginSession).where(LoginSession.created_at < now() - MAX_AGE))
