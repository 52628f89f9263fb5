"""Text of a file as rows of cells, in the type, encoding, delimiter and sheet that are found."""

import codecs
import collections
import csv
import io
import itertools
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import BinaryIO

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.files import archives, json_documents, parquet, workbooks
from qa_core.files.decision import Decision
from qa_core.files.json_documents import Records
from qa_core.files.options import ImportOptions

DELIMITER_NAMES = {
    ";": "semicolon",
    ",": "comma",
    "\t": "tab",
    "|": "bar",
    "^": "caret",
    "~": "tilde",
}
_SINGLE_BYTE_ENCODINGS = ("cp1252", "iso8859-15", "mac_roman", "cp850", "cp1250", "iso8859-2")
_COMMON_LETTERS = frozenset("éèêëàâäîïôöùûüçœæÉÈÊÀÂÇÎÔŒ€’‘“”«»–…°·áíóúñßåøæÄÖÜąćęłńśźżŁŚ\u00a0")
_FRENCH_LETTERS = frozenset("éèêàçùôî’")
MAX_NUL_SHARE = 0.05
SAMPLE_LINES = 200
MAX_CELL_LENGTH = 200_000
BLOCK_BYTES = 1 << 20
PARQUET = b"PAR1"
TEXT_TYPES = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for pattern, name in (
        (rb"BEGIN:VCARD", "vCard"),
        (rb"BEGIN:VCALENDAR", "iCalendar"),
        (rb"From \S+ +\w{3} \w{3} ", "mailbox"),
        (rb"(?:Return-Path|Received|Delivered-To|MIME-Version|Message-ID): ", "e-mail"),
        (
            rb"(?:--\s*(?:-- )?(?:MySQL|MariaDB|PostgreSQL|phpMyAdmin)|/\*!|PRAGMA |"
            rb"BEGIN TRANSACTION;|(?:CREATE TABLE|INSERT INTO) )",
            "SQL",
        ),
        (rb"\[?\d\d?[./]\d\d?[./]\d{2,4},? \d\d?:\d\d(?::\d\d)?(?:\]| -) [^;,\t:]+: ", "chat"),
        (rb"(?s)\{.{,200}\"messages\":\s*\[.{,300}\"from", "chat"),
        (rb"(?s)\[\s*\{.{,900}\"ts\":\s*\"\d{10}\.\d{6}\"", "chat"),
        (rb"(?s)[\[{].{,300}\"type\":\s*\"conversation(?:\.list)?\"", "Intercom"),
    )
)
"""Beginnings of texts that are no tables."""
OTHER_TYPES = (
    (b"%PDF", "PDF"), (b"\x89PNG", "PNG"), (b"\xff\xd8\xff", "JPEG"), (b"GIF8", "GIF"),
    (b"RIFF", "WAV"), (b"ID3", "MP3"), (b"OggS", "Ogg"), (b"Rar!", "RAR"), (b"7z\xbc\xaf", "7z"),
    (b"SQLite format 3", "SQLite"), (b"\x7fELF", "program"),
)  # fmt: skip

csv.field_size_limit(MAX_CELL_LENGTH)


@dataclass
class Source:
    """One text or sheet. `open_text` starts anew; `line_offset` is added to line
    numbers; `open_bytes`: where bytes can be cut at line ends, which is faster; `title`: the
    sheet's name, where other sheets hold a table of the same kind.
    """

    open_text: Callable[[], tuple[Iterator[str], Callable[[], float]]]
    open_bytes: Callable[[], BinaryIO] | None
    encoding: str
    size: int
    delimiter: str
    line_offset: int
    decisions: list[Decision]
    ends_with_newline: bool = True
    title: str = ""

    def parse_rows(self, lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
        """Parse lines as rows, each with its last line. Raises Refusal for an unclosed quote."""
        reader = csv.reader(
            lines, delimiter=self.delimiter, skipinitialspace=self.delimiter != "\t"
        )
        try:
            for row in reader:
                yield reader.line_num, row
        except csv.Error as error:
            raise Refusal(
                "unclosed_quote",
                "A quotation mark near line {line} is never closed, so the rows after it would be "
                "lost. Correct that line and try again.",
                line=reader.line_num,
            ) from error

    def sample(self, count: int) -> list[tuple[int, list[str]]]:
        """Read the first rows, each with the line of the text on which it ends."""
        lines, _share = self.open_text()
        with closing(lines):
            return list(islice(self.parse_rows(lines), count))


def open_source(
    content: archives.Content, options: ImportOptions, score_rows: Callable[[list[list[str]]], int]
) -> Source:
    """Find out how to read a file; `score_rows` scores the first rows of a sheet.
    Raises Refusal for an empty file, another type, or a workbook beyond the limits.
    """
    start = content.read_start(8192)
    if not start:
        raise archives.refuse_empty(content.name)
    if workbooks.is_workbook(content):
        return _open_workbook(content, options, score_rows)
    if options.sheet is not None:
        raise Refusal(
            "unknown_sheet",
            "{name} has no sheet {sheet}. Its sheets: {names}.",
            name=content.name,
            sheet=options.sheet,
            names="–",
        )
    if start.startswith(PARQUET):
        return _open_records(content, parquet.open_records(content))
    refuse_other_types(content, start)
    text = content.decode_start(start)
    if text is not None and text.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        return _open_records(content, json_documents.open_records(content))
    return _open_text(content, options)


def refuse_other_types(content: archives.Content, start: bytes) -> None:
    for magic, name in OTHER_TYPES:
        if start.startswith(magic):
            raise archives.refuse_type(content.name, name)
    if (
        start.count(b"\x00") > MAX_NUL_SHARE * len(start)
        and not start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        and not _find_unmarked_utf16(start)
    ):
        raise archives.refuse_type(content.name, "binary")
    text = start.lstrip(codecs.BOM_UTF8).lstrip()
    if text[:1] == b"<" and text[:200].lower().startswith(
        (b"<html", b"<!doctype", b"<?xml", b"<table")
    ):
        raise archives.refuse_type(content.name, "HTML or XML")
    for pattern, name in TEXT_TYPES:
        if pattern.match(text):
            raise archives.refuse_type(content.name, name)


def _find_unmarked_utf16(start: bytes) -> str | None:
    """Find UTF-16 without its mark: every second byte of Latin letters is zero."""
    even, odd = start[0:512:2].count(0), start[1:512:2].count(0)
    most = 0.8 * len(start[0:512:2])
    if odd > most and not even:
        return "utf-16-le"
    return "utf-16-be" if even > most and not odd else None


def _open_workbook(
    content: archives.Content, options: ImportOptions, score_rows: Callable[[list[list[str]]], int]
) -> Source:
    sheet, decisions, is_one_of_several = workbooks.choose_sheet(content, options.sheet, score_rows)
    first_row, cells = workbooks.read_sheet(content, sheet)
    source = open_cells(cells, decisions, first_row)
    source.title = sheet if is_one_of_several else ""
    return source


def open_cells(cells: bytes, decisions: list[Decision], first_row: int = 0) -> Source:
    """Open rows that were written as CSV."""

    def open_text() -> tuple[Iterator[str], Callable[[], float]]:
        raw = io.BytesIO(cells)
        text = io.TextIOWrapper(raw, encoding="utf-8", newline="")
        return text, lambda: raw.tell() / max(1, len(cells))

    size = len(cells)
    return Source(open_text, lambda: io.BytesIO(cells), "utf-8", size, ",", first_row, decisions)


def _open_records(content: archives.Content, records: Records) -> Source:
    def lines(progress: list[int]) -> Iterator[str]:
        line = io.StringIO()
        writer = csv.writer(line, lineterminator="\n")
        writer.writerow(records.names)
        for number, record in enumerate(records.read()):
            yield line.getvalue()
            line.seek(0)
            line.truncate()
            # One line of text is one record, whatever stands in its cells.
            cells = (record.get(name, "") for name in records.names)
            writer.writerow([" ".join(cell.splitlines()) for cell in cells])
            progress[0] = number
        yield line.getvalue()

    def open_text() -> tuple[Iterator[str], Callable[[], float]]:
        progress = [0]
        return lines(progress), lambda: progress[0] / max(1, records.count)

    decisions = [Decision.of("file", records.decision, records.count)]
    return Source(open_text, None, "utf-8", content.unpacked_size, ",", 0, decisions)


def _open_text(content: archives.Content, options: ImportOptions) -> Source:
    is_valid, nuls, ends_with_newline = _scan_text(content, options.encoding or "utf-8")
    encoding, decisions = _find_encoding(content, options, is_valid)
    nuls = 0 if encoding.startswith(("utf-16", "utf-32")) else nuls
    if nuls:
        decisions.append(Decision.of("file", N_("zero bytes are left out"), f"{nuls} × 00"))

    def open_bytes() -> BinaryIO:
        file = content.open()
        return io.BufferedReader(archives.ReplacingFile(file, b"\x00", b"")) if nuls else file

    def open_text() -> tuple[Iterator[str], Callable[[], float]]:
        raw = open_bytes()
        lines = (
            _decode_each_line(raw)
            if encoding == "mixed"
            else io.TextIOWrapper(raw, encoding=encoding, errors="replace", newline="")
        )
        return lines, lambda: 1.0 if raw.closed else raw.tell() / content.unpacked_size

    lines, _share = open_text()
    sample = [line for line, _n in zip(lines, range(SAMPLE_LINES), strict=False)]
    lines.close()
    if not any(line.strip() for line in sample):
        raise archives.refuse_empty(content.name)
    delimiter = parse_delimiter(options.delimiter) or find_delimiter(sample)
    decisions.append(
        Decision.of(
            "file",
            N_("read as text in {encoding}, cells separated by: {delimiter}"),
            encoding=encoding,
            delimiter=DELIMITER_NAMES.get(delimiter, delimiter),
        )
    )
    by_bytes = encoding in ("utf-8", "utf-8-sig", "ascii", "cp1252")
    return Source(
        open_text,
        open_bytes if by_bytes else None,
        encoding.removesuffix("-sig"),
        content.unpacked_size,
        delimiter,
        0,
        decisions,
        ends_with_newline,
    )


def parse_delimiter(name: str | None) -> str | None:
    """Find the character that `--delimiter` names. Raises Refusal where it is none."""
    if not name:
        return None
    names = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "bar": "|", "pipe": "|"}
    delimiter = names.get(name.lower(), name)
    if len(delimiter) != 1:
        raise Refusal(
            "bad_delimiter", "{value} is not a delimiter. Use one character, or tab.", value=name
        )
    return delimiter


def find_delimiter(lines: list[str]) -> str:
    """Find the delimiter with the most lines of equal width, preferring more cells; else comma."""
    best, best_score = ",", 0.0
    for delimiter in DELIMITER_NAMES:
        # A quote that is never closed spoils its own line, not the sample.
        is_closed = all(line.count('"') % 2 == 0 for line in lines)
        pieces = [lines] if is_closed else [[line] for line in lines]
        rows = itertools.chain.from_iterable(
            csv.reader(piece, delimiter=delimiter, skipinitialspace=delimiter != "\t")
            for piece in pieces
        )
        try:
            widths = collections.Counter(len(row) for row in rows if any(row))
        except csv.Error:
            continue
        widths.pop(1, None)
        if not widths:
            continue
        width, count = max(widths.items(), key=lambda item: (item[1], item[0]))
        score = count / max(1, len(lines)) * (width - 1) ** 0.5
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _scan_text(content: archives.Content, encoding: str) -> tuple[bool, int, bool]:
    """Read a text once: is it valid (also if cut within a letter), its zero bytes, its end."""
    decoder = codecs.getincrementaldecoder(encoding)()
    is_valid, nuls, last = True, 0, b""
    with content.open() as file:
        while block := file.read(BLOCK_BYTES):
            nuls += block.count(b"\x00")
            last = block[-1:]
            if is_valid:
                try:
                    decoder.decode(block)
                except UnicodeError:
                    is_valid = False
    return is_valid, nuls, last in archives.LINE_ENDS


def _find_encoding(
    content: archives.Content, options: ImportOptions, is_valid: bool
) -> tuple[str, list[Decision]]:
    """Choose the encoding, `mixed` where lines differ. Raises Refusal for a wrong one asked for."""
    if options.encoding:
        return _require_encoding(content, options.encoding, is_valid), []
    start = content.read_start(512)
    marked_encoding = archives.find_marked_encoding(start)
    if marked_encoding and (is_valid or marked_encoding != "utf-8-sig"):
        return marked_encoding, []
    wide = None if marked_encoding else _find_unmarked_utf16(start)
    if wide or is_valid:
        return wide or "utf-8", []
    good, other = _count_lines_beyond_ascii(content)
    if not good:
        return _find_single_byte_encoding(content)
    message = N_(
        "two encodings are mixed: each line is read as UTF-8 where possible, else as Windows-1252"
    )
    return "mixed", [Decision.of("file", message, f"UTF-8: {good} / {good + other}", good=good)]


def _find_single_byte_encoding(content: archives.Content) -> tuple[str, list[Decision]]:
    """Find the encoding under which the most letters are common ones; by default Windows-1252."""
    beyond = bytes(byte for byte in content.read_start(1 << 20) if byte > 127)
    usual = {
        name: sum(
            (letter in _COMMON_LETTERS) + (letter in _FRENCH_LETTERS)
            for letter in beyond.decode(name, errors="replace")
        )
        for name in _SINGLE_BYTE_ENCODINGS
    }
    best = max(_SINGLE_BYTE_ENCODINGS, key=lambda name: usual[name])
    if best == "cp1252" or usual["cp1252"] == usual[best]:
        return "cp1252", []
    seen = beyond[:20].decode(best, errors="replace")
    return best, [Decision.of("file", N_("read in the encoding {encoding}"), seen, encoding=best)]


def _require_encoding(content: archives.Content, name: str, is_valid: bool) -> str:
    if not is_valid:
        raise Refusal(
            "wrong_encoding",
            "{name} is not in the encoding {value}. Leave the encoding open, and it is detected.",
            options=("--encoding utf-8", "--encoding cp1252"),
            name=content.name,
            value=name,
        )
    codec = codecs.lookup(name).name
    return "utf-8-sig" if codec == "utf-8" else codec


def _count_lines_beyond_ascii(content: archives.Content) -> tuple[int, int]:
    good = other = 0
    with content.open() as file:
        for line in file:
            if not line.isascii():
                try:
                    line.decode("utf-8")
                    good += 1
                except UnicodeDecodeError:
                    other += 1
    return good, other


def _decode_each_line(raw: BinaryIO) -> Iterator[str]:
    with raw:
        for number, line in enumerate(raw):
            if not number:
                line = line.removeprefix(codecs.BOM_UTF8)
            yield archives.decode_line(line)
