"""Sessions: sign-in behind a throttle, and one revocable row per sign-in.

The browser holds a random id. The records hold its hash, bound to the browser's own
token: a copied cookie or a copied server session opens nothing elsewhere
(docs/access.md, section 3).
"""

import hashlib
import ipaddress
import secrets
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access import accounts, passwords, second_factor, throttle
from qa_core.access.roles import Viewer
from qa_core.access.throttle import Browser
from qa_core.base import signed_links
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.base.i18n import N_
from qa_core.base.row_values import build_from_row
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.people import Account, LoginSession, UsedLogoutToken

IDLE, MAX_AGE = timedelta(minutes=30), timedelta(hours=8)
SEEN_EVERY = timedelta(minutes=1)
"""Precision of `last_seen_at`: writing it on each run would cost a write each time."""
CLOCK_DRIFT = timedelta(minutes=5)
"""Longest time that the clock of another server may be ahead. A session used later than that
was used before the clock was set back: it ends, or it would last too long.
"""

EXPIRED = "expired one-time password"
"""Reason of a failed sign-in, in the audit log."""

EXCHANGE = timedelta(minutes=1)
"""Time in which the ticket of a new session is exchanged for its cookie."""
SECOND_STEP = timedelta(minutes=5)
"""Time for the code after the password."""
NEWS_FOR = timedelta(days=14)
"""Time for which a new browser, or a change of the account, is news to the person."""
KNOWN_FOR = timedelta(days=30)
"""Time for which a browser counts as one that the person signed in with before."""


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
    throttle.count_try(browser, username)
    with store.reading() as session:
        account = session.get(Account, username)
        is_local = account is not None and not accounts.is_external(session, username)
        password_hash = account.password_hash if is_local else None
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
            throttle.forget_try(session, username, browser, keeps_own=True)
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
    throttle.count_try(browser, username, is_code=True)
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


def build_exchange(token: str, page: str) -> str:
    """Build the ticket for which a browser gets the cookie of its new session, once; `page`:
    the address at which it goes on.
    """
    until = (now() + EXCHANGE).timestamp()
    claims = {"token": token, "page": page, "until": until, "id": secrets.token_hex(16)}
    return signed_links.seal("session cookie", claims)


def exchange(ticket: str, browser: Browser) -> tuple[str, str]:
    """Take a ticket. Returns the id of the session, and the address at which to go on.

    Raises Refusal for one that is old, of another browser, or was taken before.
    """
    claims = signed_links.unseal("session cookie", ticket)
    if not is_live(claims["token"], browser) or claims["until"] < now().timestamp():
        raise AccessDenied()
    with store.writing() as session:
        use_once(session, f"exchange {claims['id']}")
    return claims["token"], claims["page"]


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
        use_once(session, f"{origin.provider} {logout_id}")
        for row in session.scalars(rows).all():
            row.revoked_at = now()
            audit_log.record(session, row.username, "session_ended", str(row.id), origin.provider)


def use_once(session: Session, secret: str) -> None:
    """Mark what may be used once, and is good for less than an hour, as used. Raises Refusal
    where it was used before.
    """
    old = UsedLogoutToken.used_at < now() - throttle.FORGET_AFTER
    session.execute(sa.delete(UsedLogoutToken).where(old))
    key = throttle.hash_with_key(secret.encode())
    if session.get(UsedLogoutToken, key) is not None:
        raise Refusal("used_token", N_("This was already used. Sign in again."))
    session.add(UsedLogoutToken(key=key))


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
        if row.first_at > now() - NEWS_FOR
        and row.browser_hash not in throttle.find_hashes(browser.token)
    ]


def change_password(signed_in: SignedIn, browser: Browser, current: str, new: str) -> None:
    """Replace one's own password. All other sessions of the person end."""
    username = signed_in.viewer.username
    throttle.count_try(browser, username)
    with store.reading() as session:
        old_hash = session.get(Account, username).password_hash
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
        throttle.forget_try(session, username, browser)
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
    throttle.forget_try(session, account.username, browser)
    token = secrets.token_urlsafe(32)
    session.add(
        LoginSession(
            token_hash=throttle.hash_with_key(token.encode()),
            username=account.username,
            token_version=account.token_version,
            browser_hash=throttle.hash_with_key(browser.token),
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
        _live(moment).where(LoginSession.token_hash.in_(throttle.find_hashes(token.encode())))
    ).one_or_none()
    if row is None or row.browser_hash not in throttle.find_hashes(browser.token):
        return None
    if session.get(Account, row.username).demo and not browser.is_local:
        return None
    return row


def _delete_old(session: Session) -> None:
    session.execute(sa.delete(LoginSession).where(LoginSession.created_at < now() - KNOWN_FOR))
    is_over = sa.and_(LoginSession.created_at < now() - MAX_AGE, LoginSession.id_token.is_not(None))
    session.execute(sa.update(LoginSession).where(is_over).values(id_token=None))
