"""Bounds of the table in a file: titles, phantom columns; blank rows, notes and totals."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from qa_core.base import declared
from qa_core.base.errors import Refusal
from qa_core.files.header_text import simplify
from qa_core.ingest.columns.header_matching import Vocabulary, count_known, require_no_crosstab
from qa_core.ingest.words.tables import list_words

SAMPLE_ROWS = 60
FOOTERS = list_words("footers")
FOOTER = rf"(?i)^\s*(?:{'|'.join(sorted(FOOTERS))})\b"
"""Beginning of a cell of a row that is no data."""
MIN_WIDTH_OF_NOTES = 3
_RULE = frozenset("-=: ")
"""Signs of a line that separates headers and rows."""
_MOMENT = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{2,4}|\d{1,2}:\d{2}")
_RECORDS_WITHOUT_HEADER: list[dict[str, Any]] = declared.read(__file__)["records_without_header"]


@dataclass(frozen=True)
class HeaderRow:
    """Header row: its row and line in the file, and its names (empty: phantom columns).
    `raw`: its cells unchanged. `second_rows`: lines right under it that are no data,
    and their kind. `span`: its columns where another table is beside it.
    """

    row: int
    line: int
    names: tuple[str, ...]
    raw: tuple[str, ...] = ()
    second_rows: Mapping[int, str] = field(default_factory=dict)
    span: tuple[int, int] | None = None
    date_parts: tuple[int, int, int] | None = None
    """Columns of year, month and day; the last one becomes the whole date."""
    constants: tuple[str, ...] = ()
    """Texts that lines above the table give all its rows: the cells of its last columns."""

    @property
    def width(self) -> int:
        return len(self.names)


def find_header(
    sample: list[tuple[int, list[str]]], vocabulary: Vocabulary, requested: tuple[str, ...]
) -> HeaderRow:
    """Find the row that names the most fields, else the first like headers. Raises Refusal."""
    filled = [
        (index, line, [cell.strip() for cell in row])
        for index, (line, row) in enumerate(sample)
        if any(cell.strip() for cell in row)
    ]
    if not filled:
        raise Refusal("empty_file", "The file is empty. Export it again and try once more.")
    requested_names = {simplify(name) for name in requested}
    best, best_score = None, 0
    for index, line, cells in filled:
        score = count_known(cells, vocabulary) + 3 * sum(
            simplify(cell) in requested_names for cell in cells if cell
        )
        # One known word in a row of many cells is rather a value ("Total") than a header.
        # Names over two rows of headers stand in both.
        is_second = best is not None and index == best[0] + 1 and score == best_score > 1
        is_second = is_second and sum(map(bool, cells)) > sum(map(bool, best[2]))
        is_better = score > best_score or (is_second and looks_like_headers(cells))
        # Below a header with unknown names, words such as `answered` are values.
        is_better &= best is None or looks_like_data(best[2]) or not looks_like_data(cells)
        if is_better and (score > 1 or looks_like_headers(cells)):
            best, best_score = (index, line, cells), score
    if best is None:
        _require_header([cells for _index, _line, cells in filled])
        best = max(filled, key=lambda row: sum(map(bool, row[2])))
        if looks_like_data(best[2]):
            require_no_crosstab(best[2])
            raise Refusal(
                "no_header",
                "The file has no header row: line {line} already holds data. Add a first row "
                "that names the columns in order.",
                line=best[1],
            )
    index, line, cells = best
    while cells and not cells[-1]:
        cells.pop()
    return HeaderRow(index, line, make_unique(cells), tuple(cells))


def _require_header(rows: list[list[str]]) -> None:
    """Raise Refusal where most rows are records without a header, in a layout of their own."""
    for records in _RECORDS_WITHOUT_HEADER:
        pattern = re.compile(records["pattern"])
        if sum(bool(pattern.search(",".join(row))) for row in rows) * 2 > len(rows):
            raise Refusal("records_without_header", records["message"], tuple(records["options"]))


def looks_like_data(cells: list[str]) -> bool:
    """Return whether a row that names no field holds a date, a time or mostly numbers."""
    filled = [cell for cell in cells if cell]
    numbers = sum(not any(letter.isalpha() for letter in cell) for cell in filled)
    return any(_MOMENT.search(cell) for cell in filled) or numbers > len(filled) / 2


def looks_like_headers(cells: list[str]) -> bool:
    """Return whether every filled cell has a letter, and no two are the same."""
    filled = [cell for cell in cells if cell]
    return all(any(letter.isalpha() for letter in cell) for cell in filled) and len(
        set(filled)
    ) == len(filled)


def make_unique(cells: list[str]) -> tuple[str, ...]:
    """Number the repeated names of columns: `Date`, `Date (2)`."""
    seen: dict[str, int] = {}
    names = []
    for cell in cells:
        seen[cell] = seen.get(cell, 0) + 1
        names.append(f"{cell} ({seen[cell]})" if cell and seen[cell] > 1 else cell)
    return tuple(names)


def classify_row(row: list[str], width: int, key: tuple[int, ...]) -> str | None:
    """Classify a row as `blank`, `note`, `footer` or `too_many_cells`; None when it is
    data. `key`: the columns without which a row says nothing, such as its start.
    """
    filled = [index for index, cell in enumerate(row) if cell and not cell.isspace()]
    if all(set(row[index]) <= _RULE for index in filled):
        return "blank"
    if is_footer(row):
        return "footer"
    if len(filled) == 1 and width >= MIN_WIDTH_OF_NOTES and filled[0] not in key:
        return "note"
    if filled[-1] >= width:
        return "too_many_cells"
    return None


def is_footer(row: list[str]) -> bool:
    """Return whether the first filled cell marks totals or the end of a report."""
    first = next((cell for cell in row if cell and not cell.isspace()), "")
    if len(first) > 60 or not first[:1].isalpha():
        return False
    words = simplify(first)
    return any(words == footer or words.startswith(footer + " ") for footer in FOOTERS)
