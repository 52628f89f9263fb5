"""Text arguments of commands and addresses: days, `NAME=VALUE` pairs, and options that
fields of a dataclass declare.
"""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import Field, dataclass, field, fields
from datetime import date
from functools import partial
from typing import Any

from qa_core.base.errors import Misuse, build_malformed
from qa_core.base.i18n import N_

_OPTION = "option"


@dataclass(frozen=True)
class DeclaredOption:
    """Option of the command line for a field of a dataclass: its name there, and the only
    values that it may have, if any. `parse` turns its text into the value.
    """

    help_text: str
    metavar: str | None = None
    name: str | None = None
    choices: tuple[str, ...] = ()
    is_repeated: bool = False
    is_list: bool = False
    """True: it takes several of the choices, separated by commas."""
    parse: Callable[[Any], Any] | None = None


def declare_option(help_text: str, metavar: str | None = None, **declared: Any) -> Any:
    """Declare a field of a dataclass, None by default, with its `DeclaredOption`."""
    return field(default=None, metadata={_OPTION: DeclaredOption(help_text, metavar, **declared)})


def declare_flag(help_text: str) -> Any:
    """Declare a field of a dataclass, False by default, with its `DeclaredOption`."""
    return field(default=False, metadata={_OPTION: DeclaredOption(help_text)})


def declare_pairs(help_text: str, metavar: str, name: str, at_last: bool = False) -> Any:
    """Declare a field of pairs, with an option NAME=VALUE that may be repeated."""
    parse = partial(parse_pairs, at_last=at_last)
    declared = DeclaredOption(help_text, metavar, name, is_repeated=True, parse=parse)
    return field(default_factory=dict, metadata={_OPTION: declared})


def find_declared(kind: type) -> Iterator[tuple[Field, DeclaredOption]]:
    """Find the fields of a dataclass that declare an option, with it."""
    for item in fields(kind):
        if declared := item.metadata.get(_OPTION):
            yield item, declared


def parse_day(text: str | None) -> date | None:
    """Parse a day written YYYY-MM-DD; None when nothing was given."""
    if text is None:
        return None
    # fromisoformat takes weeks and days without dashes too; days around the first and the
    # last that there are cannot be reckoned with.
    if re.fullmatch(r"(19|2\d)\d\d-\d\d-\d\d", text, re.ASCII):
        with contextlib.suppress(ValueError):
            return date.fromisoformat(text)
    raise build_malformed("bad_date", text, "2026-11-24")


def require_between(day: date, first: date | None = None, last: date | None = None) -> None:
    """Raise Misuse for a day before the first or after the last that is possible."""
    if (first and day < first) or (last and day > last):
        message = N_("{day} is not possible. Choose a day from {first} to {last}.")
        raise Misuse("bad_date", message, day=day, first=first or "…", last=last or "…")


def parse_pairs(texts: Iterable[str] | None, at_last: bool = False) -> list[tuple[str, str]]:
    """Parse pairs written NAME=VALUE, in the order given; the value may be empty. `at_last`:
    split at the last equals sign instead of the first.
    """
    pairs = []
    for text in texts or ():
        name, equals, value = text.rpartition("=") if at_last else text.partition("=")
        if not equals or not name:
            raise build_malformed("bad_pair", text, "NAME=VALUE")
        pairs.append((name.strip(), value))
    return pairs
