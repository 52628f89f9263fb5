"""Text arguments of commands and addresses: days, `NAME=VALUE` pairs, and options that
fields of a dataclass declare.
"""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any

from qa_core.base.errors import Misuse

_OPTION = "option"


@dataclass(frozen=True)
class DeclaredOption:
    """Option of the command line for a field of a dataclass."""

    name: str
    help_text: str
    metavar: str | None
    parse: Callable[[Any], Any]
    choices: tuple[str, ...]
    is_flag: bool
    is_repeated: bool


def declare_option(
    name: str,
    help_text: str,
    metavar: str | None = None,
    parse: Callable[[Any], Any] | None = None,
    choices: tuple[str, ...] = (),
    default: Any = None,
) -> Any:
    """Declare a field of a dataclass together with its option of the command line.

    `parse` turns the text into the value; `choices` are the only values. The option is a
    flag where the default is False, and can be repeated where it is a mapping.
    """
    is_repeated = isinstance(default, dict)
    declared = DeclaredOption(
        name,
        help_text,
        "|".join(choices) or metavar,
        parse or (lambda text: text),
        choices,
        default is False,
        is_repeated,
    )
    metadata = {_OPTION: declared}
    if is_repeated:
        return field(default_factory=dict, metadata=metadata)
    return field(default=default, metadata=metadata)


def find_declared(kind: type) -> Iterator[tuple[str, DeclaredOption]]:
    """Find the fields of a dataclass that declare an option, with it."""
    for item in fields(kind):
        if declared := item.metadata.get(_OPTION):
            yield item.name, declared


def parse_day(text: str | None) -> date | None:
    """Parse a day written YYYY-MM-DD; None when nothing was given."""
    if text is None:
        return None
    # fromisoformat takes weeks and days without dashes too; days around the first and the
    # last that there are cannot be reckoned with.
    if re.fullmatch(r"(19|2\d)\d\d-\d\d-\d\d", text, re.ASCII):
        with contextlib.suppress(ValueError):
            return date.fromisoformat(text)
    raise Misuse("bad_date", "{text} is not a date. Write it as 2026-11-24.", text=text)


def parse_pairs(texts: Iterable[str] | None, at_last: bool = False) -> list[tuple[str, str]]:
    """Parse pairs written NAME=VALUE, in the order given; the value may be empty. `at_last`:
    the name may hold equals signs of its own, the value none.
    """
    pairs = []
    for text in texts or ():
        name, equals, value = text.rpartition("=") if at_last else text.partition("=")
        if not equals or not name:
            raise Misuse("bad_pair", "Write {text} as NAME=VALUE.", text=text)
        pairs.append((name.strip(), value))
    return pairs
