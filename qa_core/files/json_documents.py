"""JSON of any shape as a stream of objects: one document or many lines, a list, or an
envelope around the list; nested keys flattened with dots.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.files.archives import Content

LARGEST_VALUE = 64 << 20
"""Characters of one object: more is no contact."""
MOST_NAMES = 2_000
_BLANK = " \t\r\n"
_OF_ONE_RECORD = (
    "participants",
    "segments",
    "sessions",
    "legs",
    "metrics",
    "tags",
    "comments",
    "recordings",
    "attributes",
    "properties",
    "fields",
    "callflow",
)
"""Lists inside a record, which are no envelope around records."""
_RECORD_SIGNS = (
    "id",
    "contactid",
    "conversationid",
    "callid",
    "call_id",
    "sid",
    "uuid",
    "sessionid",
    "contact_id",
)


class Documents:
    """The objects of a JSON file, wherever its lists are. Raises Refusal where the text
    is no JSON.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        self._decoder = json.JSONDecoder()
        self._text, self._at = "", 0
        self._pieces: Iterator[tuple[str, float]] = iter(())
        self.share = 0.0

    def objects(self) -> Iterator[tuple[int, str, dict[str, Any]]]:
        """Every object with its number from 1 on, and the name of the list it stands in
        ("" at the top).
        """
        self._text, self._at, self._pieces = "", 0, self._content.pieces()
        number = 0
        while self._peek() is not None:
            for envelope, item in self._value("", 0):
                number += 1
                yield number, envelope, item

    def _value(self, name: str, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
        sign = self._peek()
        if sign == "[":
            yield from self._list(name, depth)
        elif sign == "{" and depth < 3:
            yield from self._object(name, depth)
        else:
            value = self._read()
            if isinstance(value, dict):
                yield name, value
            elif depth == 0:
                raise self._no_json()

    def _list(self, name: str, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
        self._take("[")
        while (sign := self._peek()) != "]":
            if sign is None:
                raise self._cut()
            if sign == ",":
                self._take(",")
                continue
            value = self._read()
            if isinstance(value, dict):
                yield name, value
        self._take("]")

    def _object(self, name: str, depth: int) -> Iterator[tuple[str, dict[str, Any]]]:
        """One record, or an envelope whose list is streamed. Which of the two shows at
        the first list that it holds.
        """
        self._take("{")
        own: dict[str, Any] = {}
        is_envelope = False
        while (sign := self._peek()) != "}":
            if sign is None:
                raise self._cut()
            if sign == ",":
                self._take(",")
                continue
            key = self._read()
            if not isinstance(key, str):
                raise self._no_json()
            self._take(":")
            if (
                self._peek() == "["
                and not self._is_record(own)
                and key.casefold() not in _OF_ONE_RECORD
                and self._holds_objects()
            ):
                is_envelope = True
                yield from self._list(key, depth + 1)
            elif (
                self._peek() == "{"
                and key.casefold() in ("data", "response", "result", "_embedded", "body")
                and not self._is_record(own)
            ):
                is_envelope = True
                yield from self._value(key, depth + 1)
            else:
                own[key] = self._read()
        self._take("}")
        if not is_envelope:
            yield name, own

    @staticmethod
    def _is_record(own: Mapping[str, Any]) -> bool:
        return any(key.casefold() in _RECORD_SIGNS for key in own)

    def _holds_objects(self) -> bool:
        at = self._at + 1
        while True:
            while at < len(self._text) and self._text[at] in _BLANK:
                at += 1
            if at < len(self._text):
                return self._text[at] in "{]"
            if not self._more():
                return False
            at = 1

    def _peek(self) -> str | None:
        while True:
            text, at = self._text, self._at
            while at < len(text) and text[at] in _BLANK:
                at += 1
            self._at = at
            if at < len(text):
                return text[at]
            if not self._more():
                return None

    def _more(self) -> bool:
        if len(self._text) - self._at > LARGEST_VALUE:
            raise Refusal(
                "json_too_large",
                N_(
                    "{name} holds one value of more than {size} million characters, which no "
                    "contact is."
                ),
                name=self._content.name,
                size=LARGEST_VALUE >> 20,
            )
        block, self.share = next(self._pieces, ("", 1.0))
        self._text, self._at = self._text[self._at :] + block, 0
        return bool(block)

    def _take(self, sign: str) -> None:
        if self._peek() != sign:
            raise self._no_json()
        self._at += 1

    def _read(self) -> Any:
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except ValueError as error:
                if not self._more():
                    raise self._cut() if self._text else self._no_json() from error
                continue
            except RecursionError as error:
                raise self._no_json() from error
            # A number at the very end of what was read may go on in the next block.
            if end == len(self._text) and not isinstance(value, (dict, list, str)) and self._more():
                continue
            self._at = end
            return value

    def _no_json(self) -> Refusal:
        return Refusal(
            "damaged_file",
            N_(
                "{name} begins like JSON, and is none: something is missing or too much in it. "
                "Export it again."
            ),
            name=self._content.name,
        )

    def _cut(self) -> Refusal:
        return Refusal(
            "damaged_file",
            N_(
                "{name} is JSON that ends too early or is broken inside: nothing of it is "
                "imported. Export it again."
            ),
            name=self._content.name,
        )


@dataclass(frozen=True)
class Records:
    """Records with named values, read again from the start as often as asked."""

    names: tuple[str, ...]
    count: int
    read: Callable[[], Iterator[dict[str, str]]]
    decision: str


def open_records(content: Content) -> Records:
    """The objects of a JSON file as flat records. Raises Refusal where it holds none,
    or describes data rather than holding it.
    """
    names: dict[str, None] = {}
    count = 0
    for _number, _envelope, item in Documents(content).objects():
        if "$schema" in item or (
            "properties" in item
            and item.get("type") in ("object", ["object", "null"], ["null", "object"])
        ):
            raise Refusal(
                "json_schema",
                N_(
                    "{name} is a JSON schema: it says what calls would look like, and holds "
                    "none. Import the export itself."
                ),
                name=content.name,
            )
        names |= dict.fromkeys(flatten(item))
        count += 1
        if len(names) > MOST_NAMES:
            raise Refusal(
                "json_too_wide",
                N_("{name} has more than {count} different keys: it is no list of contacts."),
                name=content.name,
                count=MOST_NAMES,
            )
    if not names:
        raise Refusal(
            "empty_file",
            N_("{name} is empty. Export it again and try once more."),
            name=content.name,
        )
    return Records(
        tuple(names),
        count,
        lambda: (flatten(item) for _number, _envelope, item in Documents(content).objects()),
        N_("read as JSON: {count} objects, nested keys joined with dots"),
    )


def flatten(item: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Nested keys joined with dots; lists of plain values joined with commas, other
    lists left out; every value as text.
    """
    flat: dict[str, str] = {}
    for key, value in item.items():
        name = f"{before}{key}"
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{name}.")
        elif isinstance(value, list):
            if all(not isinstance(part, (dict, list)) for part in value):
                flat[name] = ", ".join(as_text(part) for part in value)
        else:
            flat[name] = as_text(value)
    return flat


def as_text(value: Any) -> str:
    """A JSON value as a cell would show it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def look_up(item: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, None where there is none."""
    value: Any = item
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
