"""Workbooks are opened in a process of their own, with limits of memory and time: a hostile one costs a refusal, not the server."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qa_core.errors import Refusal
from qa_core.ingest.staged import Decision
from qa_core.wording import N_

PROCESS = Path(__file__).with_name("workbook_process.py")
SECONDS = 180
LARGEST_UNPACKED = 1 << 30
LARGEST_RATIO = 200
RATIO_MATTERS_FROM = 16 << 20
MOST_ENTRIES = 5_000
LARGEST_TEXT = 400 << 20


def choose_sheet(path: Path, wanted: str | None, prefers: Callable[[list[list[str]]], int]) -> tuple[str, list[Decision]]:
    """The sheet to read: the one asked for, else the one whose headers are known best (the first of equals)."""
    _check_archive(path)
    listing, _rest = _run(path, "list", "")
    sheets = listing["sheets"]
    names = [sheet["name"] for sheet in sheets]
    if wanted is not None:
        if wanted in names:
            return wanted, []
        raise Refusal(
            "unknown_sheet",
            N_("{name} has no sheet called {sheet}; it has: {names}."),
            options=tuple(f"--sheet {name}" for name in names),
            name=path.name,
            sheet=wanted,
            names=", ".join(names),
        )
    if not names:
        raise Refusal("empty_file", N_("{name} is empty. Export it again and try once more."), name=path.name)
    scores = [prefers(sheet["rows"]) for sheet in sheets]
    chosen = names[scores.index(max(scores))] if max(scores) else next((sheet["name"] for sheet in sheets if sheet["rows"]), names[0])
    others = ", ".join(name for name in names if name != chosen)
    if not others:
        return chosen, []
    places = (("sheet", chosen), ("others", others))
    return chosen, [Decision("file", N_("the sheet {sheet} is read; --sheet chooses another"), N_("left aside: {others}"), places)]


def read_sheet(path: Path, sheet: str) -> tuple[int, bytes]:
    """The number of rows above the first one used, and the cells as CSV text in UTF-8."""
    heading, content = _run(path, "rows", sheet)
    if heading.get("error"):
        raise _too_large(path)
    if not content.strip(b",\n\r "):
        raise Refusal("empty_file", N_("{name} is empty. Export it again and try once more."), name=path.name)
    return heading["first_row"], content


def _check_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise _damaged(path) from error
    if not any(entry.filename.lower().startswith(("xl/", "content.xml")) for entry in entries):
        raise Refusal("wrong_file_type", N_("{name} is a file of type {type}. Export it as CSV or XLSX and import that."), name=path.name, type="ZIP")
    unpacked = sum(entry.file_size for entry in entries)
    packed = max(1, path.stat().st_size)
    if len(entries) > MOST_ENTRIES or unpacked > LARGEST_UNPACKED or (unpacked > RATIO_MATTERS_FROM and unpacked / packed > LARGEST_RATIO):
        raise _too_large(path)


def _run(path: Path, mode: str, sheet: str) -> tuple[dict[str, Any], bytes]:
    command = [sys.executable, "-I", str(PROCESS), str(path.resolve()), mode, sheet]
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints)
        try:
            content = _read_within(process, path)
            code = process.wait(timeout=SECONDS)
        except subprocess.TimeoutExpired as error:
            raise _too_large(path) from error
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stdout.close()
        complaints.seek(0)
        said = complaints.read()[-4_000:]
    if code:
        out_of_room = code < 0 or b"MemoryError" in said or b"memory allocation" in said or b"capacity overflow" in said
        raise _too_large(path) if out_of_room else _damaged(path)
    line, _newline, rest = content.partition(b"\n")
    return json.loads(line), rest


def _read_within(process: subprocess.Popen[bytes], path: Path) -> bytes:
    import threading

    # A process that neither ends nor writes would block the read below; its CPU limit does not count time asleep.
    watchdog = threading.Timer(SECONDS, process.kill)
    watchdog.start()
    try:
        content = process.stdout.read(LARGEST_TEXT + 1)
    finally:
        watchdog.cancel()
    if len(content) > LARGEST_TEXT:
        raise _too_large(path)
    return content


def _too_large(path: Path) -> Refusal:
    return Refusal(
        "workbook_too_large",
        N_("{name} unpacks to more than can be read safely, or has cells very far apart. Save the table alone in a new workbook, or as CSV."),
        name=path.name,
    )


def _damaged(path: Path) -> Refusal:
    return Refusal(
        "damaged_file", N_("{name} is damaged or was cut short: it cannot be opened as a workbook. Export it again, or save it as CSV."), name=path.name
    )
