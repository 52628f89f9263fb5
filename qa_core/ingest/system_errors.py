"""Obstacles: what stops an import although the file is right, such as a full disk or a
busy store. Said in words; the same file will land later.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_

TEMPORARY_CODES = frozenset({"store_busy", "lake_busy", "disk_full"})
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


def find_refusal(error: BaseException) -> Refusal | None:
    """What to tell a person about that error, when it is an obstacle; None when it is a
    defect.
    """
    for cause in _causes(error):
        text = str(cause).casefold()
        if getattr(cause, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) or any(
            sign in text for sign in _FULL
        ):
            return Refusal(
                "disk_full",
                N_(
                    "There is no space left where the stores are, or the disk fails. Free "
                    "some, then import the file again: nothing will be counted twice."
                ),
            )
        if any(sign in text for sign in _BUSY):
            return Refusal(
                "store_busy",
                N_(
                    "Another program holds the records. Import the file again when it is done: "
                    "nothing will be counted twice."
                ),
            )
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and those that led to it; drivers, the lake and the engine each wrap
    the system's own in their own way.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = getattr(error, "orig", None) or error.__cause__ or error.__context__
