"""Sessions: sign-in behind a throttle, and one revocable row per sign-in.

The browser holds a random id. The records hold its hash, bound to the browser's own
token: a copied cookie or a copied server session opens nothing elsewhere
(docs/access.md, section 3).
"""

import hashlib
import hmac
import ipaddress
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access import accounts, passwords, second_factor
from qa_core.access.roles import Viewer
from qa_core.base import environment, signed_links
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.base.i18n import N_
from qa_core.base.row_values import build_from_row
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.people import Account, LoginSession, SignInThrottle, UsedLogoutToken

IDLE, MAX_AGE = timedelta(minutes=30), timedelta(hours=8)
SEEN_EVERY = timedelta(minutes=1)
"""Precision of `last_seen_at`: writing it on each run would cost a write each time."""
CLOCK_DRIFT = timedelta(minutes=5)
"""Longest time that the clock of another server may be ahead. A session used later than that
was used before the clock was set back: it ends, or it would last too long.
"""

EXPIRED = "expired one-time password"
"""Reason of a failed sign-in, in the audit log."""

FAILURES_PER_BROWSER, FAILURES_PER_ADDRESS, FAILURES_PER_ACCOUNT = 5, 50, 50
"""Failures before a wait: of one account from one address (or from a browser it signed in
with before), of one address, and of one account from everywhere.
"""
FIRST_WAIT, MAX_WAIT = timedelta(seconds=30), timedelta(minutes=15)
FORGET_AFTER = timedelta(hours=1)
"""Age from which failures no longer count: no lock is permanent."""
SECOND_STEP = timedelta(minutes=5)
"""Time for the code after the password."""
NEWS_FOR = timedelta(days=14)
"""Time for which a new browser, or a change of the account, is news to the person."""
KNOWN_FOR = timedelta(days=30)
"""Time for which a browser counts as one that the person signed in with before."""


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


class SecondStep(Refusal):
    """The password is right, and a code is missing: `ticket` goes to `finish_sign_in`."""

    def __init__(self, ticket: str) -> None:
        super().__init__("second_factor", N_("Enter the code of your app, or a recovery code."))
        self.ticket = ticket


@dataclass(frozen=True)
class Origin:
    """Sign-in at an identity provider. `sid`: its id there; `id_token`: sealed."""

    provider: str
    sid: str | None = None
    id_token: str | None = None


@dataclass(frozen=True)
class OwnSession:
    """One of a person's sessions, as they see it."""

    id: int
    browser_name: str
    created_at: datetime
    last_seen_at: datetime
    is_this_one: bool


@dataclass(frozen=True)
class NewBrowser:
    """Browser that a person signed in with for the first time."""

    name: str
    first_at: datetime


def is_loopback(address: str | None) -> bool:
    """Return whether that address is this machine."""
    try:
        return ipaddress.ip_address((address or "").split("%")[0]).is_loopback
    except ValueError:
        return False


def sign_in(username: str, password: str, browser: Browser, one_time_days: int) -> str:
    """Check a password and open a session. Returns the random id for the browser's
    cookie.

    `one_time_days`: days for which a one-time password is valid.

    Raises SecondStep where a code has to follow. Raises the same Refusal, after the same
    time, for an unknown name, a wrong password and a closed account. Only the holder of
    an expired one-time password learns that it has expired.
    """
    username = accounts.normalise_username(username)
    if not browser.token:
        raise Refusal(
            "no_browser_token",
            "Your browser refuses cookies. Allow them for this address, reload the page and "
            "sign in again.",
        )
    with store.writing() as session:
        # Counted before the password is looked at, so that many tries at once are not
        # many tries for one.
        wait = _count_try(session, username, browser)
        account = session.get(Account, username)
        password_hash = account.password_hash if account else None
    require_no_wait(wait)
    good, ticket = passwords.matches(password, password_hash), None
    with store.writing() as session:
        account = session.get(Account, username)
        reason = _find_failure(
            account,
            good and account is not None and account.password_hash == password_hash,
            browser,
            now() - timedelta(days=one_time_days),
        )
        if reason:
            actor = username if account else "stranger"
            audit_log.record(session, actor, "sign_in_failed", browser.address, reason)
        elif second_factor.is_enrolled(session, username):
            # The count of this browser stays: codes are guessed no faster than passwords.
            _forget_try(session, username, browser, keeps_own=True)
            ticket = _build_ticket(account, browser)
        else:
            token = _open_session(session, account, browser)
    if ticket:
        raise SecondStep(ticket)
    if reason == EXPIRED:
        message = N_(
            "This one-time password is more than {days} days old and no longer valid. Ask an "
            "administrator for a new one."
        )
        raise Refusal("old_one_time_password", message, days=one_time_days)
    if reason:
        raise Refusal(
            "sign_in_failed", "The username or the password is wrong, or the account is closed."
        )
    return token


def finish_sign_in(ticket: str, code: str, browser: Browser) -> str:
    """Check the code after the password, and open the session. Returns the random id.

    Raises AccessDenied for a ticket that is old, or of another browser or password;
    Refusal for a wrong code, throttled like passwords.
    """
    claims = signed_links.unseal("second step", ticket)
    username = claims["username"]
    with store.writing() as session:
        wait = _count_try(session, username, browser)
    require_no_wait(wait)
    with store.writing() as session:
        account = session.get(Account, username)
        expected_claims = account and _build_claims(account, browser)
        if (
            not expected_claims
            or not account.active
            or claims | expected_claims != claims
            or not 0 <= claims["until"] - now().timestamp() <= SECOND_STEP.total_seconds()
        ):
            raise AccessDenied()
        if second_factor.use(session, username, code):
            return _open_session(session, account, browser)
        audit_log.record(session, username, "sign_in_failed", browser.address, "wrong code")
    raise Refusal("wrong_code", second_factor.WRONG_CODE)


def open_external(username: str, browser: Browser, origin: Origin) -> str:
    """Open the session of a person for whom an identity provider answered. Returns the id."""
    with store.writing() as session:
        account = session.get(Account, username)
        if account is None or not account.active or not browser.token:
            raise AccessDenied()
        return _open_session(session, account, browser, origin)


def resume(token: str | None, browser: Browser) -> SignedIn | None:
    """Find the live session of that id on this browser; None if there is none."""
    if not token or not browser.token:
        return None
    moment = now()
    with store.reading() as session:
        # A page asks several times while it reads one state of the records.
        key = f"live {token} {browser}"
        row = store.remember(
            session, key, lambda open_session: _find_live(open_session, token, browser, moment)
        )
        if row is None:
            return None
        account = session.get(Account, row.username)
        viewer = accounts.get_viewer(session, row.username)
        signed_in = SignedIn(viewer, row.id, account.must_change_password)
        stale = moment - row.last_seen_at > SEEN_EVERY
    if stale:
        # Where another writer holds the records, the next run notes it: nobody is kept out.
        with suppress(sa.exc.OperationalError), store.writing(store.NOTE_SECONDS) as session:
            session.execute(
                sa.update(LoginSession)
                .where(LoginSession.id == signed_in.session_id)
                .values(last_seen_at=moment)
            )
    return signed_in


def is_live(token: str | None, browser: Browser) -> bool:
    """Return whether that id is of a live session on this browser; it does not count as use."""
    if not token or not browser.token:
        return False
    with store.reading() as session:
        return _find_live(session, token, browser, now()) is not None


def sign_out(token: str | None, browser: Browser) -> Origin | None:
    """End the session of that id. Returns where it came from, if from an identity provider."""
    if not token:
        return None
    with store.writing() as session:
        row = _find_live(session, token, browser, now())
        if row is None:
            return None
        row.revoked_at = now()
        audit_log.record(session, row.username, "sign_out", browser.address)
        return Origin(row.provider, row.provider_session, row.id_token) if row.provider else None


def end_external(origin: Origin, username: str | None, logout_id: str) -> None:
    """End the sessions of that sign-in at a provider: by its `sid`, of the person, or both.

    Raises Refusal where the logout token of that id was used before.
    """
    key = _hash(f"{origin.provider} {logout_id}".encode())
    rows = sa.select(LoginSession).where(
        LoginSession.provider == origin.provider, LoginSession.revoked_at.is_(None)
    )
    if username is not None:
        rows = rows.where(LoginSession.username == username)
    if origin.sid is not None:
        is_meant = LoginSession.provider_session == origin.sid
        if username is not None:  # the provider may have opened it without naming a sid
            is_meant |= LoginSession.provider_session.is_(None)
        rows = rows.where(is_meant)
    with store.writing() as session:
        old = UsedLogoutToken.used_at < now() - FORGET_AFTER
        session.execute(sa.delete(UsedLogoutToken).where(old))
        if session.get(UsedLogoutToken, key) is not None:
            raise Refusal("used_token", "This logout token was already used.")
        session.add(UsedLogoutToken(key=key))
        for row in session.scalars(rows).all():
            row.revoked_at = now()
            audit_log.record(session, row.username, "session_ended", str(row.id), origin.provider)


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
            build_from_row(OwnSession, row, is_this_one=row.id == signed_in.session_id)
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


def end_others(signed_in: SignedIn) -> None:
    """End all of one's own sessions but this one."""
    username = signed_in.viewer.username
    with store.writing() as session:
        session.execute(
            sa.update(LoginSession)
            .where(
                LoginSession.username == username,
                LoginSession.id != signed_in.session_id,
                LoginSession.revoked_at.is_(None),
            )
            .values(revoked_at=now())
        )
        audit_log.record(session, username, "session_ended", "all others")


def find_new_browsers(username: str, browser: Browser) -> list[NewBrowser]:
    """List the browsers other than this one that the person first signed in with in the
    last `NEWS_FOR`, newest first; not the very first one.
    """
    first_at = sa.func.min(LoginSession.created_at).label("first_at")
    statement = (
        sa.select(
            LoginSession.browser_hash,
            sa.func.max(LoginSession.browser_name).label("name"),
            first_at,
        )
        .where(LoginSession.username == username)
        .group_by(LoginSession.browser_hash)
        .order_by(first_at)
    )
    with store.reading() as session:
        later = session.execute(statement).all()[1:]
    return [
        NewBrowser(row.name, row.first_at)
        for row in reversed(later)
        if row.first_at > now() - NEWS_FOR and row.browser_hash not in _find_hashes(browser.token)
    ]


def change_password(signed_in: SignedIn, browser: Browser, current: str, new: str) -> None:
    """Replace one's own password. All other sessions of the person end."""
    username = signed_in.viewer.username
    with store.writing() as session:
        wait = _count_try(session, username, browser)
        old_hash = session.get(Account, username).password_hash
    require_no_wait(wait)
    if not passwords.matches(current, old_hash):
        raise Refusal("wrong_password", "The current password is wrong.")
    passwords.check_policy(new, username)
    if passwords.normalise(current) == passwords.normalise(new):
        raise Refusal("same_password", "The new password equals the current one. Choose another.")
    new_hash = passwords.hash_password(new)
    with store.writing() as session:
        account = session.get(Account, username)
        row = session.get(LoginSession, signed_in.session_id)
        if (
            account is None
            or not account.active
            or account.password_hash != old_hash
            or row is None
            or row.revoked_at is not None
        ):
            raise AccessDenied()
        _forget_try(session, username, browser)
        account.password_hash = new_hash
        account.must_change_password = False
        account.one_time_since = None
        account.token_version += 1
        row.token_version = account.token_version
        audit_log.record(session, username, "password_changed", username)


def _build_ticket(account: Account, browser: Browser) -> str:
    until = (now() + SECOND_STEP).timestamp()
    return signed_links.seal("second step", {**_build_claims(account, browser), "until": until})


def _build_claims(account: Account, browser: Browser) -> dict[str, str]:
    return {
        "username": account.username,
        "account": hashlib.sha256(
            f"{account.token_version} {account.active} {account.password_hash}".encode()
        ).hexdigest(),
        "browser": hashlib.sha256(browser.token).hexdigest(),
    }


def _open_session(
    session: Session, account: Account, browser: Browser, origin: Origin | None = None
) -> str:
    _forget_try(session, account.username, browser)
    token = secrets.token_urlsafe(32)
    session.add(
        LoginSession(
            token_hash=_hash(token.encode()),
            username=account.username,
            token_version=account.token_version,
            browser_hash=_hash(browser.token),
            browser_name=browser.name[:200],
            provider=origin and origin.provider,
            provider_session=origin and origin.sid,
            id_token=origin and origin.id_token,
        )
    )
    _delete_old(session)
    provider = origin.provider if origin else ""
    audit_log.record(session, account.username, "sign_in", browser.address, provider)
    return token


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
            LoginSession.last_seen_at.between(moment - IDLE, moment + CLOCK_DRIFT),
            LoginSession.token_version == Account.token_version,
            Account.active,
        )
    )


def _find_live(
    session: Session, token: str, browser: Browser, moment: datetime
) -> LoginSession | None:
    row = session.scalars(
        _live(moment).where(LoginSession.token_hash.in_(_find_hashes(token.encode())))
    ).one_or_none()
    if row is None or row.browser_hash not in _find_hashes(browser.token):
        return None
    if session.get(Account, row.username).demo and not browser.is_local:
        return None
    return row


def _hash(value: bytes) -> str:
    return _find_hashes(value)[0]


def _find_hashes(value: bytes) -> list[str]:
    """Compute the keyed hash of a value, with the present key first, then with those that
    still read: a copy of the records opens nothing.
    """
    keys = environment.find_keys("cookie")
    return [hmac.new(key, value, hashlib.sha256).hexdigest() for key in keys]


def _throttles(
    session: Session, username: str, browser: Browser
) -> tuple[list[tuple[SignInThrottle, int]], SignInThrottle]:
    """Find or make the counts, with limits, that delay this try, and the account's in all."""
    # Hashed: what strangers type into the name field may well be a password.
    name, network = _hash(b"name " + username.encode()), _find_network(browser.address)
    account = _find_throttle(session, f"account:{name}")
    if _is_known(session, username, browser):
        # Nobody else can make it wait, whatever they try at other addresses or at its own.
        key = _hash(b"browser " + username.encode() + b" " + browser.token)
        return [(_find_throttle(session, f"browser:{key}"), FAILURES_PER_BROWSER)], account
    return [
        (_find_throttle(session, f"account:{name}:{network}"), FAILURES_PER_BROWSER),
        (_find_throttle(session, f"address:{network}"), FAILURES_PER_ADDRESS),
    ], account


def _find_throttle(session: Session, key: str) -> SignInThrottle:
    row = session.get(SignInThrottle, key)
    if row is None:
        row = SignInThrottle(key=key, failures=0, last_failure_at=now())
        session.add(row)
    return row


def _find_network(address: str) -> str:
    """Return the address, or for IPv6 its /64 network: one person may use all of it."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network((ip, 64), strict=False)) if ip.version == 6 else str(ip)


def _is_known(session: Session, username: str, browser: Browser) -> bool:
    row = sa.select(LoginSession.id).where(
        LoginSession.username == username,
        LoginSession.browser_hash.in_(_find_hashes(browser.token)),
    )
    return session.scalar(row.limit(1)) is not None


def _count_try(session: Session, username: str, browser: Browser) -> timedelta:
    """Count a try as a failure, unless it comes too early. Returns how long it has to wait.

    The count of an account from everywhere blocks nobody: who comes from a new address
    then waits once, and gets in with the right password whatever others try meanwhile.
    """
    moment = _forget_old(session)
    rows, account = _throttles(session, username, browser)
    own_count = rows[0][0]
    is_attacked = account.failures >= FAILURES_PER_ACCOUNT and len(rows) > 1
    if is_attacked and not own_count.failures and own_count.blocked_until is None:
        own_count.blocked_until = moment + FIRST_WAIT
    wait = _count_failure(rows, moment)
    if not wait:
        account.failures += 1
        account.last_failure_at = moment
    return wait


def find_token_wait(session: Session, address: str) -> timedelta:
    """Find how long an address has to wait before another of its wrong service tokens counts."""
    row, moment = session.get(SignInThrottle, f"token:{_find_network(address)}"), now()
    end = row.blocked_until if row and row.blocked_until else moment
    return max(end - moment, timedelta(0))


def count_bad_token(session: Session, address: str) -> timedelta:
    """Count a service token that opens nothing, unless it comes too early. Returns how long
    that address has to wait.

    Scripts have a count of their own: one that was forgotten keeps no person out.
    """
    moment = _forget_old(session)
    throttle = _find_throttle(session, f"token:{_find_network(address)}")
    return _count_failure([(throttle, FAILURES_PER_ADDRESS)], moment)


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
        if row.blocked_until is not None and row.blocked_until > moment:
            return row.blocked_until - moment
    for row, limit in rows:
        row.failures += 1
        row.last_failure_at = moment
        if row.failures >= limit:
            row.blocked_until = moment + min(
                FIRST_WAIT * 2 ** min(row.failures - limit, 10), MAX_WAIT
            )
    return timedelta(0)


def require_no_wait(wait: timedelta) -> None:
    """Raise Refusal `too_many_tries` while there is something to wait for."""
    if wait:
        raise Refusal(
            "too_many_tries",
            "Too many tries. Wait {seconds} seconds, then try again.",
            seconds=int(wait.total_seconds()) + 1,
        )


def _forget_try(session: Session, username: str, browser: Browser, keeps_own: bool = False) -> None:
    ((own_throttle, _), *shared_throttles), account = _throttles(session, username, browser)
    session.flush()
    if not keeps_own:
        session.delete(own_throttle)
    # One good sign-in takes back its own count only: an address that guesses must not
    # wash itself clean.
    for row, limit in (*shared_throttles, (account, FAILURES_PER_ACCOUNT)):
        row.failures = max(row.failures - 1, 0)
        if row.failures < limit:
            row.blocked_until = None


def _delete_old(session: Session) -> None:
    session.execute(sa.delete(LoginSession).where(LoginSession.created_at < now() - KNOWN_FOR))
    is_over = sa.and_(LoginSession.created_at < now() - MAX_AGE, LoginSession.id_token.is_not(None))
    session.execute(sa.update(LoginSession).where(is_over).values(id_token=None))
