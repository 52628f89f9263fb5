"""JSON of any shape as a stream of objects; nested keys flattened with dots."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.files.archives import Content, refuse_damaged, refuse_empty, require_columns

MAX_VALUE_LENGTH = 64 << 20
"""Characters of one value: no contact is longer."""
MAX_ENVELOPES = 3
"""Envelopes within one another."""
ENVELOPES = ("data", "response", "result", "_embedded", "body")
"""Keys of an object around the list of records."""
LISTS_OF_RECORDS = (
    "participants", "segments", "sessions", "legs", "metrics", "tags", "comments", "recordings",
    "attributes", "properties", "fields", "callflow", "applications", "events", "history",
)  # fmt: skip
"""Keys of lists inside one record."""
RECORD_KEYS = (
    "id", "contactid", "conversationid", "callid", "call_id", "sid", "uuid", "sessionid",
    "contact_id",
)  # fmt: skip
"""Keys that make an object a record, whatever lists follow."""


class JsonObjects:
    """Objects of a JSON file, read lazily from documents, lines, a list, or lists in an
    envelope. Raises Refusal `damaged_file`, `json_too_large` meanwhile.
    """

    def __init__(self, content: Content) -> None:
        self._content = content
        self._decoder = json.JSONDecoder()
        self._text, self._position = "", 0
        self._pieces: Iterator[tuple[str, float]] = iter(())
        self.share = 0.0
        """Share of the file that is read, 0–1."""

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self._text, self._position, self._pieces = "", 0, self._content.read_pieces()
        objects = self._read_documents()
        first, second = next(objects, None), next(objects, None)
        if first is not None and second is None:
            yield from find_list(first) or [first]
            return
        yield from (item for item in (first, second) if item is not None)
        yield from objects

    def _read_documents(self) -> Iterator[dict[str, Any]]:
        while self._peek():
            yield from self._read_document(0)

    def _read_document(self, depth: int) -> Iterator[dict[str, Any]]:
        start = self._peek()
        if start == "[":
            self._take("[")
            yield from _unwrap(self._read_items())
        elif start == "{" and depth < MAX_ENVELOPES:
            yield from self._read_object(depth)
        else:
            value = self._read_value()
            if isinstance(value, dict):
                yield from _unwrap(iter((value,)))
            elif not depth:
                raise self._refuse()

    def _read_items(self) -> Iterator[Any]:
        while self._has_next("]"):
            yield self._read_value()

    def _read_object(self, depth: int) -> Iterator[dict[str, Any]]:
        """Yield the object if it is a record, else what it envelopes: a list of
        objects, or one under `ENVELOPES`, before any of `RECORD_KEYS`.
        """
        self._take("{")
        record: dict[str, Any] = {}
        is_envelope = is_record = False
        while self._has_next("}"):
            key = self._read_value()
            if not isinstance(key, str):
                raise self._refuse()
            self._take(":")
            name, start = key.casefold(), self._peek()
            if start == "[" and not is_record and name not in LISTS_OF_RECORDS:
                self._take("[")
                if self._peek() in ("{", "]"):
                    is_envelope = True
                    yield from _unwrap(self._read_items())
                else:
                    record[key] = list(self._read_items())
            elif start == "{" and not is_record and name in ENVELOPES:
                is_envelope = True
                yield from self._read_document(depth + 1)
            else:
                record[key] = self._read_value()
            is_record = is_record or name in RECORD_KEYS
        if not is_envelope:
            yield from _unwrap(iter((record,)))

    def _has_next(self, end: str) -> bool:
        """Skip commas; at the `end` of a list or object, take it and return False."""
        while (sign := self._peek()) == ",":
            self._take(",")
        if sign is None:
            raise self._refuse()
        if sign == end:
            self._take(end)
        return sign != end

    def _peek(self) -> str | None:
        """Find the next character that is not blank; None at the end of the file."""
        while True:
            text, position = self._text, self._position
            while position < len(text) and text[position] in " \t\r\n":
                position += 1
            self._position = position
            if position < len(text):
                return text[position]
            if not self._read_on():
                return None

    def _take(self, sign: str) -> None:
        if self._peek() != sign:
            raise self._refuse()
        self._position += 1

    def _read_value(self) -> Any:
        """Decode the next value, reading on until it is whole."""
        self._peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._position)
            except ValueError as error:
                if not self._read_on():
                    raise self._refuse() from error
                continue
            except RecursionError as error:
                raise self._refuse() from error
            # A number at the end of the text may go on in the next piece.
            is_open = end == len(self._text) and not isinstance(value, (dict, list, str))
            if not is_open or not self._read_on():
                self._position = end
                return value

    def _read_on(self) -> bool:
        """Append the next piece of the file; False at its end."""
        if len(self._text) - self._position > MAX_VALUE_LENGTH:
            raise Refusal(
                "json_too_large",
                "{name} holds a value of more than {size} million characters. It is not a "
                "list of contacts.",
                name=self._content.name,
                size=MAX_VALUE_LENGTH >> 20,
            )
        piece, self.share = next(self._pieces, ("", 1.0))
        self._text, self._position = self._text[self._position :] + piece, 0
        return bool(piece)

    def _refuse(self) -> Refusal:
        return refuse_damaged(self._content.name)


def _unwrap(items: Iterator[Any]) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list, out of the wrapping that may be around each."""
    for item in items:
        if isinstance(item, dict):
            inner = next(iter(item.values()), None) if len(item) == 1 else None
            yield inner if isinstance(inner, dict) else item


def find_list(item: dict[str, Any]) -> list[dict[str, Any]]:
    """Find the only list of objects within a document, which may be rows beside the names of
    their columns, or records by id; empty for a record or several lists.
    """
    if any(key.casefold() in RECORD_KEYS for key in item):
        return []
    nested_lists = []
    for key, value in item.items():
        if isinstance(value, dict):
            nested_lists.append(find_list(value))
        elif isinstance(value, list) and key.casefold() not in LISTS_OF_RECORDS:
            nested_lists.append(list(_unwrap(value)))
    lists = [objects for objects in nested_lists if objects]
    if not lists:
        return _read_rows(item) or _read_by_id(item)
    return lists[0] if len(lists) == 1 else []


def _read_rows(item: dict[str, Any]) -> list[dict[str, Any]]:
    """Read `{"columns": [names], "data": [rows]}`; empty for anything else."""
    lists = [value for value in item.values() if isinstance(value, list) and value]
    names = [value for value in lists if all(isinstance(part, str) for part in value)]
    tables = [value for value in lists if all(isinstance(row, list) for row in value)]
    if len(names) != 1 or len(tables) != 1 or any(len(row) != len(names[0]) for row in tables[0]):
        return []
    if len(names[0]) < 2 or len(set(names[0]) - {""}) < len(names[0]):
        return []
    return [dict(zip(names[0], row, strict=True)) for row in tables[0]]


def _read_by_id(item: dict[str, Any]) -> list[dict[str, Any]]:
    """Read `{"17": {…}, "18": {…}}`, objects with the same keys; empty for anything else."""
    keys = {frozenset(value) if isinstance(value, dict) else None for value in item.values()}
    if len(item) < 2 or len(keys) > 1 or None in keys:
        return []
    return [{"id": key, **value} for key, value in item.items()]


@dataclass(frozen=True)
class Records:
    """Records with named values, read again from the start as often as asked."""

    names: tuple[str, ...]
    count: int
    read: Callable[[], Iterator[dict[str, str]]]
    decision: str


def open_records(content: Content) -> Records:
    """Open the objects of JSON as flat records. Raises Refusal for none, or for a JSON schema."""
    names: dict[str, None] = {}
    count = 0
    for item in JsonObjects(content):
        if "$schema" in item or (
            "properties" in item
            and item.get("type") in ("object", ["object", "null"], ["null", "object"])
        ):
            raise Refusal(
                "json_schema",
                "{name} is a JSON schema. It describes calls but holds none. Import the "
                "export itself.",
                name=content.name,
            )
        names |= dict.fromkeys(flatten(item))
        count += 1
        require_columns(content.name, len(names))
    if not names:
        raise refuse_empty(content.name)
    return Records(
        tuple(names),
        count,
        lambda: (flatten(item) for item in JsonObjects(content)),
        N_("read as JSON, nested keys joined with dots"),
    )


def flatten(item: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Join nested keys with dots, plain lists with commas, and the names of listed objects;
    other lists are left out.
    """
    flat: dict[str, str] = {}
    for key, value in item.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{name}.")
        elif isinstance(value, list):
            if all(not isinstance(part, (dict, list)) for part in value):
                flat[name] = ", ".join(as_text(part) for part in value)
            elif key.casefold() not in LISTS_OF_RECORDS:
                names = [as_text(part["name"]) for part in value if _has_name(part)]
                flat[f"{name}.name"] = "; ".join(names)
        else:
            flat[name] = as_text(value)
    return flat


def _has_name(value: Any) -> bool:
    return isinstance(value, Mapping) and isinstance(value.get("name"), str)


def as_text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def look_up(item: Mapping[str, Any], path: str) -> Any:
    """Find the value at a dotted path; None where there is none."""
    value: Any = item
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
