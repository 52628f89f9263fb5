"""Vocabulary of a platform that is pulled: what it is asked for, and what it states."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from qa_core.base import outside
from qa_core.base.errors import Refusal

COUNT, LISTING, NONE = "count", "listing", "none"
"""Basis of completeness: the platform states a number, it lists every key, or neither."""
Row = Mapping[str, Any]
Items = Mapping[str, str]


class SourceFailed(Exception):
    """The source could not be read to its end; the argument is a code of `ledger.CAUSES`."""

    @property
    def cause(self) -> str:
        return str(self)


@contextmanager
def as_documented() -> Iterator[None]:
    """Raise SourceFailed where what is taken from an answer has another form than documented."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError):
        raise SourceFailed("changed") from None


@dataclass(frozen=True)
class Span:
    """Time of a reading in UTC, the end excluded."""

    since: datetime
    until: datetime


@dataclass(frozen=True)
class Page:
    """Rows that came together. `total`: rows that the platform states for the whole span."""

    rows: Sequence[Row] = ()
    total: int | None = None


@dataclass(frozen=True)
class SourceAccess:
    """Everything that a platform needs to read a source. `wait` sleeps for so many seconds."""

    address: str
    secret: str | None = field(repr=False)
    statement: str | None
    timezone: str
    wait: Callable[[float], None] = field(repr=False)


def check_host(address: str, _statement: str | None) -> str:
    """Raise Refusal for an address that may hold a key, and a host that the operator does not
    allow.
    """
    if "?" in address:
        raise Refusal("bad_address", "Write the address without a ? and what follows it.")
    with suppress(OSError):  # a name that leads nowhere is shown by `sources test`
        outside.parse_allowed(address)
    return address


@dataclass(frozen=True)
class SourcePlatform:
    """Declaration of a platform.

    `title`: its name · `basis`: of completeness · `settle`: time after which records of a day
    come no more and change no more · `overlap`: time read again with what is new of today ·
    `read`: pages of a span · `key`: column by which a row is known; None: each row counts ·
    `profile`: its reader of the import · `address`: the usual one · `asks`: what it needs to be
    added, of `address`, `secret` and `statement` · `check`: takes the address and the statement of
    one that is added, raises Refusal, and returns the address to keep.

    Instead of `read`, a platform that lists has `find_items`: name → version of each item of a
    span, the oldest first; and `fetch_items`, which puts items into a folder, and returns the
    files to import and the names of the items that they hold.
    """

    title: str
    basis: str
    settle: timedelta
    read: Callable[[SourceAccess, Span], Iterator[Page]] | None = None
    key: str | None = None
    profile: str | None = None
    address: str | None = None
    asks: tuple[str, ...] = ("secret",)
    check: Callable[[str, str | None], str] = check_host
    overlap: timedelta = timedelta(hours=1)
    find_items: Callable[[SourceAccess, Span], Items] | None = None
    fetch_items: Callable[[SourceAccess, Items, Path], tuple[Sequence[Path], set[str]]] | None = (
        None
    )
