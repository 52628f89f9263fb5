"""Text arguments of commands and addresses: days, and `NAME=VALUE` pairs."""

import contextlib
import re
from collections.abc import Iterable
from datetime import date

from qa_core.base.errors import Misuse


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
