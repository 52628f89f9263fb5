"""Signatures: what a file must show to be recognised as written by one tool. A signature
must be sure: a plain table belongs to the generic profile.
"""

import csv
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import Any

from qa_core.files.archives import Content, require_columns
from qa_core.files.header_text import simplify
from qa_core.files.json_documents import JsonObjects

SAMPLE_BYTES = 256 << 10
SAMPLE_LINES = 200
SAMPLE_OBJECTS = 25
TITLE_ROWS = 30


@dataclass(frozen=True)
class Sample:
    """`name`: of the file, only ever a hint. `objects`: the first of a JSON document."""

    name: str
    lines: tuple[str, ...] = ()
    objects: tuple[dict[str, Any], ...] = ()
    is_document: bool = False

    @cached_property
    def delimiter(self) -> str:
        from qa_core.files.readers import find_delimiter

        return find_delimiter(list(self.lines))

    @cached_property
    def rows(self) -> list[list[str]]:
        """The lines as cells, under the delimiter that fits best."""
        # Line by line: a quote that is never closed spoils one row, not the sample.
        return [
            next(csv.reader([line], delimiter=self.delimiter, skipinitialspace=True), [])
            for line in self.lines
        ]

    @cached_property
    def header_rows(self) -> list[set[str]]:
        """The simplified cells of each of the first rows, the header perhaps among them."""
        return [{simplify(cell) for cell in row} for row in self.rows[:TITLE_ROWS]]


def take_sample(content: Content) -> Sample:
    """Look at the beginning; empty for binary files. Raises Refusal for a file that is too wide."""
    start = content.read_start(SAMPLE_BYTES)
    text = content.decode_start(start)
    if text is None:
        return Sample(content.name)
    if text.lstrip()[:1] in ("{", "["):
        from qa_core.files.readers import refuse_other_types

        refuse_other_types(content, start)
        objects = tuple(islice(JsonObjects(content), SAMPLE_OBJECTS))
        if objects:
            require_columns(content.name, max(map(len, objects)))
            return Sample(content.name, objects=objects, is_document=True)
    lines = text.splitlines()
    whole = lines[:-1] if len(start) == SAMPLE_BYTES and len(lines) > 1 else lines
    sample = Sample(content.name, tuple(whole[:SAMPLE_LINES]))
    require_columns(content.name, max(map(len, sample.rows), default=0))
    return sample


def take_inner(item: Mapping[str, Any], within: Iterable[str]) -> Mapping[str, Any]:
    """Take the object that an item wraps under the first of these keys; else the item."""
    inner = next(filter(None, map(item.get, within)), None)
    return inner if isinstance(inner, Mapping) else item


@dataclass(frozen=True)
class Keys:
    """JSON objects that all have these keys; each of `some` is in any of them. `within`:
    keys that wrap the objects. `endings`: of one key at least.
    """

    every: tuple[str, ...]
    some: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()

    def fits(self, sample: Sample) -> bool:
        objects = [set(take_inner(item, self.within)) for item in sample.objects]
        return (
            bool(objects)
            and all(keys.issuperset(self.every) for keys in objects)
            and set().union(*objects).issuperset(self.some)
            and (not self.endings or all(map(self._has_ending, objects)))
        )

    def _has_ending(self, keys: set[str]) -> bool:
        return any(key.endswith(self.endings) for key in keys)


@dataclass(frozen=True)
class Headers:
    """Table with a row that has all these headers, however spelt; `|` separates
    spellings. `values`: header → the values that most cells below it have.
    """

    names: tuple[str, ...]
    values: Mapping[str, Iterable[str]] = field(default_factory=dict, hash=False)

    def fits(self, sample: Sample) -> bool:
        index = self.find_row(sample.header_rows)
        return index is not None and all(
            self._has_values(sample.rows[index:], name, values)
            for name, values in self.values.items()
        )

    def find_row(self, rows: Iterable[set[str]]) -> int | None:
        """Find the first of these rows of simplified cells that has all headers."""
        groups = [{simplify(text) for text in name.split("|")} for name in self.names]
        fits = (index for index, row in enumerate(rows) if all(row & group for group in groups))
        return next(fits, None)

    def _has_values(self, rows: list[list[str]], name: str, values: Iterable[str]) -> bool:
        header = [simplify(cell) for cell in rows[0]]
        column = next(header.index(text) for text in name.split("|") if text in header)
        cells = [row[column].strip().upper() for row in rows[1:] if len(row) > column]
        return sum(cell in values for cell in cells) * 2 > len(cells)


@dataclass(frozen=True)
class Layout:
    """Columns of a table without a header, and tests of cells that show it."""

    names: tuple[str, ...]
    tests: Mapping[str, Callable[[str], object]] = field(hash=False)
    min_cells: int = 0

    @cached_property
    def _places(self) -> list[tuple[int, Callable[[str], object]]]:
        return sorted(
            ((self.names.index(name), test) for name, test in self.tests.items()),
            key=lambda index: index[0],
        )

    def fits(self, row: list[str]) -> bool:
        return len(row) >= max(self.min_cells, self._places[-1][0] + 1) and all(
            test(row[index]) for index, test in self._places
        )


@dataclass(frozen=True)
class Rows:
    """Table without a header, most of whose rows fit one of these layouts."""

    layouts: tuple[Layout, ...]

    def fits(self, sample: Sample) -> bool:
        rows = [row for row in sample.rows if any(row)]
        return sum(self.find_layout(row) is not None for row in rows) * 2 > len(rows)

    def find_layout(self, row: list[str]) -> tuple[str, ...] | None:
        return next((layout.names for layout in self.layouts if layout.fits(row)), None)


@dataclass(frozen=True)
class Lines:
    """Text most of whose lines match."""

    pattern: re.Pattern[str]

    def fits(self, sample: Sample) -> bool:
        lines = [line for line in sample.lines if line.strip()]
        return sum(bool(self.pattern.match(line)) for line in lines) * 2 > len(lines)


Signature = Keys | Headers | Rows | Lines
