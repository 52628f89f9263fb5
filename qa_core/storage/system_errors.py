"""System errors that stop work: a full disk, a busy or read-only store."""

import errno
import logging
import os
import secrets
from collections.abc import Iterator

from qa_core.base import environment, i18n
from qa_core.base.errors import AccessDenied, Refusal, build_misread, build_unopened

TEMPORARY_CODES = frozenset({"store_busy", "store_down", "lake_busy", "disk_full"})
"""Codes of refusals that say nothing against the file: it is worth another try."""

_FULL = (
    "no space left",
    "disk is full",
    "disk quota exceeded",
    "file too large",
    "out of disk space",
    "disk i/o error",
)
_BUSY = (
    "database is locked",
    "database table is locked",
    "database is busy",
    "could not obtain lock",
    "lock timeout",
)
_DOWN = (
    "connection refused",
    "connection to server",
    "connection is bad",
    "connection timeout",
    "server closed the connection",
    "terminating connection",
    "the database system is",
    "failed to resolve host",
)
"""Signs of the driver of PostgreSQL that nobody answers it."""
_TOO_LARGE = ("too large to convert to sqlite integer", "integer out of range")
"""Signs of a number that no row can have."""
_DAMAGED = ("file is not a database", "database disk image is malformed")
_READ_ONLY = ("readonly database", "read-only file system", "unable to open database file")


def find_refusal(error: BaseException) -> Refusal | None:
    """Find what to tell a person of a system error; a refusal's own; None for a defect."""
    if isinstance(error, Refusal):
        return error
    for cause in _causes(error):
        text = str(cause).casefold()
        if getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or any(
            sign in text for sign in _FULL
        ):
            return Refusal(
                "disk_full",
                "The disk that holds the stores is full or failing. Free some space, then try "
                "again. Nothing is half-done or counted twice.",
            )
        if any(sign in text for sign in _BUSY):
            return Refusal(
                "store_busy",
                "Another program is using the records. Try again when it is done. Nothing is "
                "half-done or counted twice.",
            )
        if any(sign in text for sign in _TOO_LARGE):
            return AccessDenied()
        if isinstance(cause, UnicodeEncodeError) and "surrogates" in text:
            return build_misread("bad_encoding", ascii(cause.object)[:80], "UTF-8", cause)
        of_database = type(cause).__module__.startswith(("psycopg", "sqlalchemy", "sqlite3"))
        if of_database and any(sign in text for sign in _DOWN):
            return Refusal(
                "store_down",
                "The database does not answer. Start PostgreSQL, or correct QA_DATABASE_URL, then "
                "try again.",
            )
        if of_database and any(sign in text for sign in _DAMAGED):
            return Refusal("store_damaged", "The records are damaged. Restore a backup.")
        if _is_denied(cause) or any(sign in text for sign in _READ_ONLY):
            return Refusal(
                "store_read_only",
                "Écoute cannot write its stores: their folder or a file in it is read-only "
                "for its user. Change the owner or the mode, then try again.",
            )
    return None


def find_closed_file(error: BaseException) -> Refusal | None:
    """Find what to tell the operator of a file elsewhere that the system closes to Écoute."""
    is_closed = getattr(error, "errno", None) in (errno.EACCES, errno.EPERM, errno.ENAMETOOLONG)
    if not is_closed or not error.filename:
        return None
    return build_unopened(os.path.abspath(error.filename), error, "unreadable_file")


def log_failure(log: logging.Logger, work: str, error: Exception) -> None:
    """Log that this work failed: in one line where it was refused or the system stopped it,
    with a number and the traceback where it has a defect.
    """
    refusal = find_refusal(error)
    if refusal is None:
        log.error("%s failed: error %s", work, secrets.token_hex(4), exc_info=error)
    else:
        log.warning("%s: %s", work, i18n.format_for_operator(refusal))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes; drivers, lake and engine wrap them each in its way."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = getattr(error, "orig", None) or error.__cause__ or error.__context__


def _is_denied(cause: BaseException) -> bool:
    """Return whether the system refuses a write below the folder of the stores."""
    if not isinstance(cause, OSError) or cause.errno not in (
        errno.EROFS,
        errno.EACCES,
        errno.EPERM,
    ):
        return False
    folder = str(environment.current().folder)
    return str(cause.filename or "").startswith(folder)
