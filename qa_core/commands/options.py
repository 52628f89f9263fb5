"""Reads what several commands take as text: days, `NAME=VALUE` pairs, the person to read as."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from qa_core.access import Viewer
from qa_core.errors import Misuse
from qa_core.wording import N_


def parse_day(text: str | None) -> date | None:
    """A day written YYYY-MM-DD, or None when nothing was given."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text) if len(text) == 10 else _bad_day(text)
    except ValueError:
        return _bad_day(text)


def parse_pairs(texts: Iterable[str] | None) -> list[tuple[str, str]]:
    """Pairs written NAME=VALUE, in the order given; the value may be empty."""
    pairs = []
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise Misuse("bad_pair", N_("{text} should be written NAME=VALUE."), text=text)
        pairs.append((name.strip(), value))
    return pairs


def read_as(username: str | None) -> Viewer:
    """The viewer of that account, exactly as in the pages; without a name, the system itself. Raises AccessDenied."""
    if username is None:
        return Viewer.SYSTEM
    from qa_core import people
    from qa_core.records import store

    store.require_ready()
    with store.reading() as session:
        return people.get_viewer(session, username)


def _bad_day(text: str) -> date:
    raise Misuse("bad_date", N_("{text} is not a day; write it as 2026-11-24."), text=text)
