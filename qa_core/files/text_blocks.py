"""Rows of a text in blocks: by Arrow's parser where they are regular, else by Python's."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from qa_core.base.errors import Refusal

if TYPE_CHECKING:
    from qa_core.files.readers import Source

BLOCK_BYTES = 3 << 20
ROWS_AT_ONCE = 25_000


@dataclass
class RowBlock:
    """Rows by column with their lines; `odd_rows` are not as wide as the header."""

    lines: np.ndarray
    cells: list[pa.Array]
    odd_rows: list[tuple[int, list[str]]]
    share: float

    def row(self, index: int) -> list[str]:
        return [column[index].as_py() for column in self.cells]

    def filter(self, rows: np.ndarray, odd_rows: list[tuple[int, list[str]]]) -> RowBlock:
        """Keep only these rows (a mask), with these odd ones."""
        cells = [column.filter(pa.array(rows)) for column in self.cells]
        return RowBlock(self.lines[rows], cells, odd_rows, self.share)

    def join_date(self, year: int, month: int, day: int) -> RowBlock:
        """Write the whole date into the column of the day: `2026-03-09`, `9 March 2026`."""
        months, cells = pc.utf8_trim_whitespace(self.cells[month]), [*self.cells]
        numeric = pc.match_substring_regex(months, r"^\d{1,2}$")
        days = pc.utf8_trim_whitespace(self.cells[day])
        padded = (pc.utf8_lpad(part, 2, "0") for part in (months, days))
        cells[day] = pc.if_else(
            numeric,
            pc.binary_join_element_wise(self.cells[year], *padded, "-"),
            pc.binary_join_element_wise(days, months, self.cells[year], " "),
        )
        return RowBlock(self.lines, cells, self.odd_rows, self.share)

    def append(self, texts: Sequence[str]) -> RowBlock:
        """Add columns with the same text in each row."""
        added = [pa.array([text] * len(self.lines), pa.string()) for text in texts]
        return RowBlock(self.lines, [*self.cells, *added], self.odd_rows, self.share)

    def clear_outside(self, first: int, last: int) -> RowBlock:
        nothing = pa.array([""] * len(self.lines), pa.string())
        cells = [
            column if first <= index < last else nothing for index, column in enumerate(self.cells)
        ]
        odd_rows = [(line, [""] * first + row[first:last]) for line, row in self.odd_rows]
        return RowBlock(self.lines, cells, odd_rows, self.share)


def read_blocks(source: Source, header_line: int, width: int) -> Iterator[RowBlock]:
    """Yield every row after the header, which ends on `header_line`, in blocks."""
    if source.open_bytes is None:
        lines, share = source.open_text()
        for _number in range(header_line):
            next(lines)
        yield from _read_rows(source, lines, header_line, width, share)
        return
    with source.open_bytes() as file:
        for _number in range(header_line):
            file.readline()
        yield from _read_bytes(source, file, header_line, width)


def _read_bytes(source: Source, file: BinaryIO, line: int, width: int) -> Iterator[RowBlock]:
    while piece := file.read(BLOCK_BYTES):
        piece += file.readline()
        if piece.count(b'"') % 2:
            # A cell with a line break crosses two blocks: only a reader with memory will do.
            rest = io.TextIOWrapper(file, encoding=source.encoding, errors="replace", newline="")
            text = itertools.chain(_decode(source, piece), rest)
            yield from _read_rows(source, text, line, width, lambda: file.tell() / source.size)
            return
        count = piece.count(b"\n") + (not piece.endswith(b"\n"))
        cells = _parse_regular(source, piece, count, width)
        if cells is not None:
            lines = np.arange(line + 1, line + count + 1) + source.line_offset
            yield RowBlock(lines, cells, [], file.tell() / source.size)
        else:
            text = _decode(source, piece)
            yield from _read_rows(source, text, line, width, lambda: file.tell() / source.size)
        line += count


def _decode(source: Source, piece: bytes) -> io.StringIO:
    return io.StringIO(piece.decode(source.encoding, errors="replace"), newline="")


def _parse_regular(source: Source, piece: bytes, count: int, width: int) -> list[pa.Array] | None:
    """Parse a block whose every line is a row of the right width; else None."""
    if b"\r" in piece and piece.count(b"\r") != piece.count(b"\r\n"):
        return None
    if b'"' in piece and (source.delimiter + ' "').encode() in piece:
        return None
    try:
        if source.encoding not in ("utf-8", "ascii"):
            piece = piece.decode(source.encoding).encode()
        cells = parse_columns(piece, source.delimiter, width)
    except (pa.ArrowInvalid, UnicodeDecodeError):
        return None
    return cells if len(cells[0]) == count else None


def parse_columns(text: bytes, delimiter: str, width: int, **options: Any) -> list[pa.Array]:
    """Parse CSV in UTF-8 as columns of text. Raises ArrowInvalid for a row of another width."""
    names = [str(index) for index in range(width)]
    table = arrow_csv.read_csv(
        pa.BufferReader(text),
        arrow_csv.ReadOptions(column_names=names, block_size=len(text) * 3 + 1, use_threads=False),
        arrow_csv.ParseOptions(delimiter=delimiter, ignore_empty_lines=False, **options),
        arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
        ),
    )
    return [
        column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
        for column in table.columns
    ]


def _read_rows(
    source: Source, lines: Iterator[str], line: int, width: int, share: object
) -> Iterator[RowBlock]:
    numbers: list[int] = []
    rows: list[list[str]] = []
    odd_rows: list[tuple[int, list[str]]] = []
    offset = line + source.line_offset
    row: list[str] = []
    previous_line = last_line = 0
    for number, row in source.parse_rows(lines):
        previous_line, last_line = last_line, number
        if len(row) == width:
            rows.append(row)
            numbers.append(number + offset)
        else:
            odd_rows.append((number + offset, row))
        if len(rows) + len(odd_rows) == ROWS_AT_ONCE:
            yield build_block(numbers, rows, odd_rows, width, share())
            numbers, rows, odd_rows = [], [], []
    # A cell that holds whole rows at the very end was opened by a quote that nobody closed.
    if (
        last_line - previous_line > 1
        and width > 1
        and row
        and any(text.count(source.delimiter) == width - 1 for text in row[-1].split("\n")[1:])
    ):
        raise Refusal(
            "unclosed_quote",
            "A quotation mark near line {line} is never closed, so the rows after it would "
            "be lost. Correct that line and try again.",
            line=previous_line + 1 + offset,
        )
    if rows or odd_rows:
        yield build_block(numbers, rows, odd_rows, width, share())


def build_block(
    numbers: Sequence[int],
    rows: Sequence[list[str]],
    odd_rows: list[tuple[int, list[str]]],
    width: int,
    share: float,
) -> RowBlock:
    columns = zip(*rows, strict=True) if rows else ([] for _index in range(width))
    cells = [pa.array(list(column), pa.string()) for column in columns]
    return RowBlock(np.array(numbers, np.int64), cells, odd_rows, share)
