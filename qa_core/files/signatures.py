"""Signatures: what a file must show to be recognised as written by one tool. A signature
must be sure: a plain table belongs to the generic profile.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from qa_core.files.header_text import simplify
from qa_core.files.sample import TITLE_ROWS, Sample


class Beginning:
    """What the beginning of a file shows, looked at once for all signatures.
    `header_rows`: for each of the first rows, the names that its cells have.
    """

    def __init__(self, sample: Sample, header_rows: Iterable[set[str]] | None = None) -> None:
        self.sample = sample
        self._keys: dict[tuple[str, ...], list[set[str]]] = {}
        self._header_rows = header_rows

    @cached_property
    def header_rows(self) -> list[set[str]]:
        if self._header_rows is not None:
            return list(self._header_rows)
        return [{simplify(cell) for cell in row} for row in self.sample.rows[:TITLE_ROWS]]

    def find_keys(self, within: tuple[str, ...]) -> list[set[str]]:
        """Find the keys of each object, or of what it wraps under one of `within`."""
        if within not in self._keys:
            self._keys[within] = [set(take_inner(item, within)) for item in self.sample.objects]
        return self._keys[within]


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

    def fits(self, beginning: Beginning) -> bool:
        objects = beginning.find_keys(self.within)
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

    def fits(self, beginning: Beginning) -> bool:
        groups = [{simplify(text) for text in name.split("|")} for name in self.names]
        for place, cells in enumerate(beginning.header_rows):
            if all(group & cells for group in groups):
                return all(
                    self._has_values(beginning.sample.rows[place:], name, values)
                    for name, values in self.values.items()
                )
        return False

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

    def fits(self, row: list[str]) -> bool:
        places = {self.names.index(name): test for name, test in self.tests.items()}
        return len(row) >= max(self.min_cells, *(place + 1 for place in places)) and all(
            test(row[place]) for place, test in places.items()
        )


@dataclass(frozen=True)
class Rows:
    """Table without a header, most of whose rows fit one of these layouts."""

    layouts: tuple[Layout, ...]

    def fits(self, beginning: Beginning) -> bool:
        rows = [row for row in beginning.sample.rows if any(row)]
        return sum(self.find_layout(row) is not None for row in rows) * 2 > len(rows)

    def find_layout(self, row: list[str]) -> tuple[str, ...] | None:
        """Find the columns of a row by the layout that it fits."""
        return next((layout.names for layout in self.layouts if layout.fits(row)), None)


@dataclass(frozen=True)
class Lines:
    """Text most of whose lines match."""

    pattern: re.Pattern[str]

    def fits(self, beginning: Beginning) -> bool:
        lines = [line for line in beginning.sample.lines if line.strip()]
        return sum(bool(self.pattern.match(line)) for line in lines) * 2 > len(lines)


Signature = Keys | Headers | Rows | Lines
