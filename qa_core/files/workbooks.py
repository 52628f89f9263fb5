"""Workbooks, opened in a process with limits: a hostile one costs a refusal, not the server."""

import csv
import io
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.files.archives import (
    ZIP,
    Content,
    refuse_damaged,
    refuse_empty,
    refuse_locked,
    refuse_size,
    refuse_type,
)
from qa_core.files.decision import Decision

PROCESS = Path(__file__).with_name("workbook_process.py")
TOO_LARGE = 3
"""Code with which the process ends for a sheet beyond its limits."""
MAX_SECONDS = 180
MAX_UNPACKED_BYTES = 1 << 30
MAX_RATIO = 200
MIN_BYTES_FOR_RATIO = 16 << 20
MAX_ENTRIES = 5_000
MAX_PACKED_BYTES = 200 << 20
OLE = b"\xd0\xcf\x11\xe0"
TABLE_WITHIN = 1 << 18
_MARKUP = re.compile(r"\ufeff?\s*<(?:[!?]|[a-z][\w:]*[\s>])", re.IGNORECASE)
_TABLE = re.compile(r"<(?:\w+:)?table\b", re.IGNORECASE)
LOCK_MARK, LOCK_SIGN_WITHIN = "EncryptedPackage".encode("utf-16-le"), 1 << 20


def choose_sheet(
    content: Content, requested_sheet: str | None, score_rows: Callable[[list[list[str]]], int]
) -> tuple[str, list[Decision], bool]:
    """Choose the requested sheet, else the first of those whose headers are known best. Returns
    its name, the decisions, and whether others hold a table of the same kind.
    """
    sheets = find_sheets(content)
    names = [sheet["name"] for sheet in sheets]
    if requested_sheet is not None and requested_sheet not in names:
        raise Refusal(
            "unknown_sheet",
            "{name} has no sheet {sheet}. Its sheets: {names}.",
            options=tuple(f"--sheet {name}" for name in names),
            name=content.name,
            sheet=requested_sheet,
            names=", ".join(names),
        )
    if not names:
        raise refuse_empty(content.name)
    scores = [score_rows(sheet["rows"]) for sheet in sheets]
    best = max(scores)
    equal = [name for name, score in zip(names, scores, strict=True) if best and score == best]
    if requested_sheet is not None:
        return requested_sheet, [], len(equal) > 1 and requested_sheet in equal
    if len(equal) > 1:
        raise Refusal(
            "several_sheets",
            "The sheets {names} hold tables of the same kind. Choose one, and import the others in "
            "the same way.",
            options=tuple(f"--sheet {name}" for name in equal),
            names=", ".join(equal),
        )
    filled = (sheet["name"] for sheet in sheets if sheet["rows"])
    sheet_name = next(iter(equal), next(filled, names[0]))
    others = ", ".join(name for name in names if name != sheet_name)
    if not others:
        return sheet_name, [], False
    message = N_("the sheet {sheet} is read, the others are left aside")
    return sheet_name, [Decision.of("file", message, others, sheet=sheet_name)], False


def is_workbook(content: Content) -> bool:
    return content.read_start(len(OLE)).startswith((ZIP, OLE)) or is_markup(content)


def is_markup(content: Content) -> bool:
    """Return whether a file is a web page or an XML spreadsheet with a table, as tools export
    them under the name `.xls`.
    """
    if not _MARKUP.match(content.decode_start(content.read_start(512)) or ""):
        return False
    return bool(_TABLE.search(content.decode_start(content.read_start(TABLE_WITHIN)) or ""))


def write_rows(rows: list[list[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def find_sheets(content: Content) -> list[dict[str, Any]]:
    """Find every sheet, as its `name` and its first `rows`."""
    _check_archive(content)
    listing, _rest = _run(content, "list", "")
    if not listing["sheets"] and is_markup(content):
        raise refuse_type(content.name, "HTML or XML")
    return listing["sheets"]


def read_sheet(content: Content, sheet: str) -> tuple[int, bytes]:
    """Read a sheet: the number of unused rows at the top, and its cells as CSV."""
    heading, cells = _run(content, "rows", sheet)
    if not cells.strip(b",\n\r "):
        raise refuse_empty(content.name)
    return heading["first_row"], cells


def _check_archive(content: Content) -> None:
    with content.open() as file:
        start = file.read(LOCK_SIGN_WITHIN)
        if start.startswith(OLE) or is_markup(content):
            if LOCK_MARK in start:
                raise refuse_locked(content.name)
            return
        source = io.BytesIO(start + file.read(MAX_PACKED_BYTES)) if content.packing else file
        try:
            with zipfile.ZipFile(source) as archive:
                entries = archive.infolist()
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise refuse_damaged(content.name) from error
    if not any(entry.filename.lower().startswith(("xl/", "content.xml")) for entry in entries):
        raise refuse_type(content.name, "ZIP")
    unpacked_size = sum(entry.file_size for entry in entries)
    packed_size = max(1, sum(entry.compress_size for entry in entries))
    if (
        len(entries) > MAX_ENTRIES
        or unpacked_size > MAX_UNPACKED_BYTES
        or (unpacked_size > MIN_BYTES_FOR_RATIO and unpacked_size / packed_size > MAX_RATIO)
    ):
        raise refuse_size(content.name, "workbook")


def _run(content: Content, mode: str, sheet: str) -> tuple[dict[str, Any], bytes]:
    command = [sys.executable, "-I", str(PROCESS), mode, sheet]
    with content.open() as workbook:
        # An unpacked workbook is handed over without writing it anywhere.
        source = (
            {"input": workbook.read(MAX_PACKED_BYTES)} if content.packing else {"stdin": workbook}
        )
        try:
            done = subprocess.run(
                command, **source, capture_output=True, timeout=MAX_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise refuse_size(content.name, "workbook") from error
    if done.returncode:
        # A signal is the limit of processor time, or the system out of memory.
        out_of_room = (
            done.returncode == TOO_LARGE
            or done.returncode < 0
            or any(
                words in done.stderr[-4_000:]
                for words in (b"MemoryError", b"memory allocation", b"capacity overflow")
            )
        )
        raise refuse_size(content.name, "workbook") if out_of_room else refuse_damaged(content.name)
    line, _newline, rest = done.stdout.partition(b"\n")
    return json.loads(line), rest
