"""Blocks of a document, whatever it is rendered to, and its blanks."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from qa_core.base.i18n import _

BLANK = re.compile("⟦([^⟧]*)⟧")
"""A value that the configuration lacks; its group says which."""


class Blank(str):
    """Title of a value that the configuration lacks; it prints as a place to fill in."""


@dataclass(frozen=True)
class Heading:
    text: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; a quoted one is spoken, signed or copied word by word."""

    text: str
    is_quoted: bool = False


@dataclass(frozen=True)
class Bullets:
    items: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """A table; `header` may be empty, `shares` are the columns' shares of the width."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    shares: tuple[float, ...]


Block = Heading | Paragraph | Bullets | Grid


def list_texts(blocks: Iterable[Block]) -> Iterator[str]:
    for block in blocks:
        match block:
            case Bullets():
                yield from block.items
            case Grid():
                yield from block.header
                for row in block.rows:
                    yield from row
            case _:
                yield block.text


def split_blanks(text: str) -> Iterator[tuple[str, bool]]:
    """Split a text into pieces to show, each with whether it is a blank."""
    for number, piece in enumerate(BLANK.split(text)):
        if number % 2:
            yield _("[to fill in: {what}]", what=piece), True
        elif piece:
            yield piece, False
