"""Throttle of guesses: every door that asks for a secret counts its tries here, before it looks
at the secret, so that many tries at once are not many tries for one.
"""

import hashlib
import hmac
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.people import LoginSession, SignInThrottle

FAILURES_PER_BROWSER, FAILURES_PER_ADDRESS, FAILURES_PER_ACCOUNT = 5, 50, 50
"""Failures before a wait: of one account from one address (or from a browser it signed in
with before), of one address, and of one account from everywhere.
"""
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

    @property
    def network(self) -> str:
        """The address, or for IPv6 its /64 network: one person may use all of it."""
        try:
            ip = ipaddress.ip_address(self.address)
        except ValueError:
            return self.address
        return str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 else str(ip)


def hash_with_key(value: bytes) -> str:
    return find_hashes(value)[0]


def find_hashes(value: bytes) -> list[str]:
    """Compute the keyed hash of a value, with the present key first, then with those that
    still read: a copy of the records opens nothing.
    """
    keys = environment.find_keys("cookie")
    return [hmac.new(key, value, hashlib.sha256).hexdigest() for key in keys]


def count_try(browser: Browser, username: str, is_code: bool = False) -> None:
    """Count a try at a secret of that account as a failure, until `forget_try`.

    Raises Refusal `too_many_tries` while one has to wait. The count of an account from
    everywhere blocks nobody: a new address waits once, and then gets in with the right
    secret whatever others try meanwhile. `is_code`: a short code after the right password;
    those who guess it from many addresses do wait for each other.
    """
    with store.writing() as session:
        moment = _forget_old(session)
        rows, account = _throttles(session, username, browser, is_code)
        own = rows[0][0]
        is_attacked = account.failures >= FAILURES_PER_ACCOUNT and len(rows) > 1
        if is_attacked and not own.failures and own.blocked_until is None:
            own.blocked_until = moment + FIRST_WAIT
        wait = _count_failure(rows, moment)
        if not wait:
            account.failures += 1
            account.last_failure_at = moment
    _require_no_wait(wait)


def count_bad(browser: Browser, kind: str) -> None:
    """Count a secret of that kind (such as "token") that belongs to no account, by address.

    Raises Refusal `too_many_tries`. Kinds have counts of their own: a forgotten script keeps
    no person out.
    """
    key = f"{kind}:{browser.network}"
    with store.reading() as session:
        # Before anything is written: a flood of wrong secrets keeps no writer waiting.
        row, moment = session.get(SignInThrottle, key), now()
        _require_no_wait(_find_wait(row, moment) if row else timedelta(0))
    with store.writing() as session:
        moment = _forget_old(session)
        wait = _count_failure([(_find_throttle(session, key), FAILURES_PER_ADDRESS)], moment)
    _require_no_wait(wait)


def forget_try(session: Session, username: str, browser: Browser, keeps_own: bool = False) -> None:
    """Take back the try of that browser; `keeps_own`: its own count stays."""
    # Where the own count stays, the password alone was right.
    rows, account = _throttles(session, username, browser, is_code=not keeps_own)
    (own, _), *shared_throttles = rows
    session.flush()
    if not keeps_own:
        session.delete(own)
    # One good sign-in takes back its own count only: an address that guesses must not
    # wash itself clean.
    for row, limit in (*shared_throttles, (account, FAILURES_PER_ACCOUNT)):
        row.failures = max(row.failures - 1, 0)
        if row.failures < limit:
            row.blocked_until = None


def _throttles(
    session: Session, username: str, browser: Browser, is_code: bool
) -> tuple[list[tuple[SignInThrottle, int]], SignInThrottle]:
    """Find or make the counts, with limits, that delay this try, and the account's in all."""
    # Hashed: what strangers type into the name field may well be a password.
    name, network = hash_with_key(b"name " + username.encode()), browser.network
    account = _find_throttle(session, f"account:{name}")
    if _is_known(session, username, browser):
        # Nobody else can make it wait, whatever they try at other addresses or at its own.
        key = hash_with_key(b"browser " + username.encode() + b" " + browser.token)
        return [(_find_throttle(session, f"browser:{key}"), FAILURES_PER_BROWSER)], account
    limits = {
        f"account:{name}:{network}": FAILURES_PER_BROWSER,
        f"address:{network}": FAILURES_PER_ADDRESS,
    } | ({f"code:{name}": FAILURES_PER_ACCOUNT} if is_code else {})
    return [(_find_throttle(session, key), limit) for key, limit in limits.items()], account


def _find_throttle(session: Session, key: str) -> SignInThrottle:
    row = session.get(SignInThrottle, key)
    if row is None:
        row = SignInThrottle(key=key, failures=0, last_failure_at=now())
        session.add(row)
    return row


def _is_known(session: Session, username: str, browser: Browser) -> bool:
    row = sa.select(LoginSession.id).where(
        LoginSession.username == username,
        LoginSession.browser_hash.in_(find_hashes(browser.token)),
    )
    return session.scalar(row.limit(1)) is not None


def _forget_old(session: Session) -> datetime:
    moment = now()
    session.execute(
        sa.delete(SignInThrottle).where(SignInThrottle.last_failure_at < moment - FORGET_AFTER)
    )
    # Nobody waits for longer than that, even after the clock was set back.
    longest = moment + MAX_WAIT
    session.execute(
        sa.update(SignInThrottle)
        .where(SignInThrottle.blocked_until > longest)
        .values(blocked_until=longest)
    )
    return moment


def _count_failure(rows: list[tuple[SignInThrottle, int]], moment: datetime) -> timedelta:
    for row, _limit in rows:
        if wait := _find_wait(row, moment):
            return wait
    for row, limit in rows:
        row.failures += 1
        row.last_failure_at = moment
        if row.failures >= limit:
            row.blocked_until = moment + min(
                FIRST_WAIT * 2 ** min(row.failures - limit, 10), MAX_WAIT
            )
    return timedelta(0)


def _find_wait(row: SignInThrottle, moment: datetime) -> timedelta:
    return max((row.blocked_until or moment) - moment, timedelta(0))


def _require_no_wait(wait: timedelta) -> None:
    if wait:
        raise Refusal(
            "too_many_tries",
            "Too many tries. Wait {seconds} seconds, then try again.",
            seconds=int(wait.total_seconds()) + 1,
        )
