"""Second factor of local accounts: one-time codes (TOTP, RFC 6238) and recovery codes."""

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable

import pyotp
import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access import throttle
from qa_core.access.roles import Viewer
from qa_core.base import signed_links
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.base.i18n import N_
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.people import SecondFactor

ISSUER = "Écoute"
STEP_SECONDS = 30
DRIFT_STEPS = 1
"""Steps by which the clock of a phone may be wrong."""
RECOVERY_CODES = 10
WRONG_CODE = N_("The code is wrong or already used. Wait for the next code and enter it.")


def is_enrolled(session: Session, username: str) -> bool:
    """Return whether that account needs a code to sign in."""
    row = session.get(SecondFactor, username)
    return row is not None and row.confirmed_at is not None


def has_factor(username: str) -> bool:
    """Return whether that account needs a code to sign in, in a new transaction."""
    with store.reading() as session:
        return is_enrolled(session, username)


def start(viewer: Viewer) -> str:
    """Make a secret for an app. Returns its address (`otpauth://…`), to be shown as a picture.

    It counts once `confirm` got a code made with it. Raises Refusal where a factor is in use.
    """
    username = viewer.username
    secret = pyotp.random_base32()
    with store.writing() as session:
        if is_enrolled(session, username):
            raise Refusal("second_factor_exists", "You already have a second factor.")
        session.merge(SecondFactor(username=username, secret=_seal(username, secret)))
    return pyotp.TOTP(secret).provisioning_uri(name=username, issuer_name=ISSUER)


def confirm(viewer: Viewer, code: str, browser: throttle.Browser) -> list[str]:
    """Put the new factor in use. Returns the recovery codes, which are shown only now.

    Raises Refusal for a wrong code, AccessDenied where none was started.
    """
    username = viewer.username
    codes = ["-".join(secrets.token_hex(2) for _ in range(7)) for _ in range(RECOVERY_CODES)]

    def add(session: Session) -> bool:
        row = session.get(SecondFactor, username)
        if row is None or row.confirmed_at is not None:
            raise AccessDenied()
        if not _use_code(row, code):
            return False
        row.confirmed_at = now()
        row.recovery = [_hash(username, recovery_code) for recovery_code in codes]
        return True

    _change(username, browser, "second_factor_added", add)
    return codes


def remove(viewer: Viewer, code: str, browser: throttle.Browser) -> None:
    """Remove one's own factor. Raises Refusal for a wrong code."""

    def take(session: Session) -> bool:
        is_right = use(session, viewer.username, code)
        if is_right:
            drop(session, viewer.username)
        return is_right

    _change(viewer.username, browser, "second_factor_removed", take)


def _change(
    username: str, browser: throttle.Browser, action: str, change: Callable[[Session], bool]
) -> None:
    """Change a factor by a code, throttled and in the audit log like the sign-in."""
    throttle.count_try(browser, username)
    with store.writing() as session:
        is_right = change(session)
        if is_right:
            throttle.forget_try(session, username, browser)
            audit_log.record(session, username, action, username)
        else:
            audit_log.record(session, username, "second_factor_refused", browser.address)
    if not is_right:
        raise Refusal("wrong_code", WRONG_CODE)


def drop(session: Session, username: str) -> None:
    """Remove the factor of that account, in the caller's transaction."""
    session.execute(sa.delete(SecondFactor).where(SecondFactor.username == username))


def use(session: Session, username: str, code: str) -> bool:
    """Use a code of the app or a recovery code of that account; each is good once."""
    row = session.get(SecondFactor, username)
    if row is None or row.confirmed_at is None:
        return False
    recovery = _hash(username, code.strip().lower())
    if any(hmac.compare_digest(recovery, digest) for digest in row.recovery):
        row.recovery = [digest for digest in row.recovery if digest != recovery]
        audit_log.record(session, username, "recovery_code_used", username)
        return True
    return _use_code(row, code)


def _use_code(row: SecondFactor, code: str) -> bool:
    totp = pyotp.TOTP(signed_links.unseal("second factor", row.secret, "journal")["secret"])
    code, present = "".join(code.split()), int(time.time()) // STEP_SECONDS
    # A last code from a time to come is of a clock that was set back: it shuts nobody out.
    last = row.last_step if row.last_step <= present + DRIFT_STEPS else 0
    for step in range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1):
        if step > last and hmac.compare_digest(totp.generate_otp(step), code):
            row.last_step = step
            row.secret = _seal(row.username, totp.secret)  # the key may be a new one
            return True
    return False


def _seal(username: str, secret: str) -> str:
    # Not with the key of cookies: a new one signs everybody out, and must not lock them out.
    return signed_links.seal("second factor", {"username": username, "secret": secret}, "journal")


def _hash(username: str, code: str) -> str:
    return hashlib.sha256(f"{username} {code}".encode()).hexdigest()
