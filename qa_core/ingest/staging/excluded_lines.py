"""Excluded lines in the rows of a file (docs/compliance.md, R9): every number of a row is compared
while it is read, because most numbers are not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qa_core.base import environment
from qa_core.ingest.staging.arrays import find_matches, is_among
from qa_core.ingest.staging.pseudonyms import MIN_WHOLE_DIGITS, find_number, find_outside_number
from qa_core.storage.records import store

PARTIES = ("customer", "caller", "called", "tracking_number")
"""Fields that hold numbers; the short number of a line is looked for there alone."""


class ExcludedLines:
    """Numbers of lines, normalised, that no contact may be recorded on."""

    def __init__(self, numbers: Iterable[str], country: str) -> None:
        self._numbers, self._country = frozenset(numbers), country
        digits = {number: number.lstrip("+") for number in self._numbers}
        ends = {text[-MIN_WHOLE_DIGITS:] for text in digits.values() if _is_whole(text)}
        self._short = frozenset(name for name, text in digits.items() if not _is_whole(text))
        self._ends = "|".join(sorted(ends))

    @classmethod
    def current(cls) -> ExcludedLines:
        """Load the lines that the data protection officer has excluded."""
        from qa_core.compliance.conditions import exclusions

        with store.reading_or_empty() as session:
            return cls(exclusions.load(session).numbers, environment.current().country)

    def __bool__(self) -> bool:
        return bool(self._numbers)

    def find_rows(self, columns: Sequence[pa.Array], parties: Iterable[pa.Array]) -> np.ndarray:
        """Find the rows that have one of the lines in any column (a mask)."""
        masks = [np.zeros(len(columns[0]), bool)]
        if self._ends:
            for cells in columns:
                digits = pc.replace_substring_regex(cells, r"\D+", "")
                may_be = find_matches(digits, self._ends)
                for at in np.flatnonzero(may_be):
                    may_be[at] = self._is_line(cells[int(at)].as_py())
                masks.append(may_be)
        if self._short:
            masks += [is_among(pc.utf8_trim_whitespace(cells), self._short) for cells in parties]
        return np.logical_or.reduce(masks)

    def is_in_record(self, item: Any, parties: Sequence[Any]) -> bool:
        """Return whether an item of an export, nested or not, has one of the lines."""
        if self._short and any(str(text).strip() in self._short for text in parties):
            return True
        return bool(self._ends) and any(
            re.search(self._ends, re.sub(r"\D+", "", text)) and self._is_line(text)
            for text in _list_texts(item)
        )

    def _is_line(self, text: str) -> bool:
        outside = find_outside_number(text)
        written = (text, outside) if outside else (text,)
        return any(find_number(part, self._country) in self._numbers for part in written)


def _is_whole(digits: str) -> bool:
    return len(digits) >= MIN_WHOLE_DIGITS


def _list_texts(item: Any) -> Iterator[str]:
    if isinstance(item, str):
        yield item
    elif isinstance(item, Mapping):
        for value in item.values():
            yield from _list_texts(value)
    elif isinstance(item, list | tuple):
        for value in item:
            yield from _list_texts(value)
