"""Workbooks are opened in a process of their own, with limits of memory and time: a
hostile one costs a refusal, not the server.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.files.archives import Content
from qa_core.files.decision import Decision

PROCESS = Path(__file__).with_name("workbook_process.py")
SECONDS = 180
LARGEST_UNPACKED = 1 << 30
LARGEST_RATIO = 200
RATIO_MATTERS_FROM = 16 << 20
MOST_ENTRIES = 5_000
LARGEST_TEXT = 400 << 20
LARGEST_PACKED = 200 << 20
OLE = b"\xd0\xcf\x11\xe0"
LOCK_SIGN, LOCK_SIGN_WITHIN = "EncryptedPackage".encode("utf-16-le"), 1 << 20


def choose_sheet(
    content: Content, wanted: str | None, prefers: Callable[[list[list[str]]], int]
) -> tuple[str, list[Decision]]:
    """The sheet to read: the one asked for, else the one whose headers are known best
    (the first of equals).
    """
    sheets = find_sheets(content)
    names = [sheet["name"] for sheet in sheets]
    if wanted is not None:
        if wanted in names:
            return wanted, []
        raise Refusal(
            "unknown_sheet",
            N_("{name} has no sheet called {sheet}; it has: {names}."),
            options=tuple(f"--sheet {name}" for name in names),
            name=content.name,
            sheet=wanted,
            names=", ".join(names),
        )
    if not names:
        raise Refusal(
            "empty_file",
            N_("{name} is empty. Export it again and try once more."),
            name=content.name,
        )
    scores = [prefers(sheet["rows"]) for sheet in sheets]
    chosen = (
        names[scores.index(max(scores))]
        if max(scores)
        else next((sheet["name"] for sheet in sheets if sheet["rows"]), names[0])
    )
    others = ", ".join(name for name in names if name != chosen)
    if not others:
        return chosen, []
    places = (("sheet", chosen), ("others", others))
    return chosen, [
        Decision(
            "file",
            N_("the sheet {sheet} is read; --sheet chooses another"),
            N_("left aside: {others}"),
            places,
        )
    ]


def find_sheets(content: Content) -> list[dict[str, Any]]:
    """Every sheet as its `name` and its first `rows`."""
    _check_archive(content)
    listing, _rest = _run(content, "list", "")
    return listing["sheets"]


def read_sheet(content: Content, sheet: str) -> tuple[int, bytes]:
    """The number of rows above the first one used, and the cells as CSV text in UTF-8."""
    heading, cells = _run(content, "rows", sheet)
    if heading.get("error"):
        raise _too_large(content)
    if not cells.strip(b",\n\r "):
        raise Refusal(
            "empty_file",
            N_("{name} is empty. Export it again and try once more."),
            name=content.name,
        )
    return heading["first_row"], cells


def _check_archive(content: Content) -> None:
    with content.open() as file:
        start = file.read(LOCK_SIGN_WITHIN)
        if start.startswith(OLE):
            if LOCK_SIGN in start:
                raise Refusal(
                    "locked_file",
                    N_("{name} is locked with a password. Save it without one and import that."),
                    name=content.name,
                )
            return
        packed = io.BytesIO(start + file.read(LARGEST_PACKED)) if content.packing else content.path
    try:
        with zipfile.ZipFile(packed) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise _damaged(content) from error
    if not any(entry.filename.lower().startswith(("xl/", "content.xml")) for entry in entries):
        raise Refusal(
            "wrong_file_type",
            N_("{name} is a file of type {type}. Export it as CSV or XLSX and import that."),
            name=content.name,
            type="ZIP",
        )
    unpacked, packed_size = (
        sum(entry.file_size for entry in entries),
        max(1, sum(entry.compress_size for entry in entries)),
    )
    if (
        len(entries) > MOST_ENTRIES
        or unpacked > LARGEST_UNPACKED
        or (unpacked > RATIO_MATTERS_FROM and unpacked / packed_size > LARGEST_RATIO)
    ):
        raise _too_large(content)


def _run(content: Content, mode: str, sheet: str) -> tuple[dict[str, Any], bytes]:
    command = [sys.executable, "-I", str(PROCESS), mode, sheet]
    with tempfile.TemporaryFile() as complaints, content.open() as workbook:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if content.packing else workbook,
            stdout=subprocess.PIPE,
            stderr=complaints,
        )
        if content.packing:
            _feed(process, workbook.read(LARGEST_PACKED))
        try:
            output = _read_within(process, content)
            code = process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired as error:
            raise _too_large(content) from error
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stdout.close()
        complaints.seek(0)
        said = complaints.read()[-4_000:]
    if code:
        out_of_room = (
            code < 0
            or b"MemoryError" in said
            or b"memory allocation" in said
            or b"capacity overflow" in said
        )
        raise _too_large(content) if out_of_room else _damaged(content)
    line, _newline, rest = output.partition(b"\n")
    return json.loads(line), rest


def _feed(process: subprocess.Popen[bytes], workbook: bytes) -> None:
    """Hand an unpacked workbook over without writing it anywhere."""
    import threading

    def write() -> None:
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(workbook)

    threading.Thread(target=write, daemon=True).start()


def _read_within(process: subprocess.Popen[bytes], content: Content) -> bytes:
    import threading

    # A process that neither ends nor writes would block the read below; its CPU limit
    # does not count time asleep.
    watchdog = threading.Timer(SECONDS, process.kill)
    watchdog.start()
    try:
        output = process.stdout.read(LARGEST_TEXT + 1)
    finally:
        watchdog.cancel()
    if len(output) > LARGEST_TEXT:
        raise _too_large(content)
    return output


def _too_large(content: Content) -> Refusal:
    return Refusal(
        "workbook_too_large",
        N_(
            "{name} unpacks to more than can be read safely, or has cells very far apart. Save "
            "the table alone in a new workbook, or as CSV."
        ),
        name=content.name,
    )


def _damaged(content: Content) -> Refusal:
    return Refusal(
        "damaged_file",
        N_(
            "{name} is damaged or was cut short: it cannot be opened as a workbook. Export it "
            "again, or save it as CSV."
        ),
        name=content.name,
    )
