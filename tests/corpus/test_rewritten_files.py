"""Equivalent spellings of corpus files, with headers as in code (`week_ending`) or with an
empty column, are read like the originals.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from builders.long_seeds import leave_to_long
from test_corpus import CASES, HERE, parse_options

from qa_core import ingest
from qa_core.access.roles import Viewer

Case = dict[str, str]
Rows = list[list[str]]
EMPTY = "Notes"
TURNED = ("calls_in_columns.csv", "marks_of_calls_in_columns.csv")
"""Their rows are their columns, so that an empty one is an empty row in the middle of the file."""


def read_rows(case: Case) -> tuple[Rows, str] | None:
    """Read a text file whose first line is its header, with the sign between its cells."""
    path = HERE / "files" / case["file"]
    if path.suffix != ".csv" or case["options"] not in ("", "--only period=week"):
        return None
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        return None
    sign = max(",;\t|", key=text.split("\n", 1)[0].count)
    rows = list(csv.reader(io.StringIO(text), delimiter=sign))
    is_table = len({len(row) for row in rows}) == 1 < len(rows[0])
    return (rows, sign) if is_table else None


def write_headers_of_code(rows: Rows) -> Rows:
    return [[name.replace(" ", "_") for name in rows[0]], *rows[1:]]


def insert_empty_column(rows: Rows) -> Rows:
    return [[row[0], "" if at else EMPTY, *row[1:]] for at, row in enumerate(rows)]


def understand(case: Case, path: Path) -> dict[str, Any]:
    """Read without importing: the questions, the columns, and what the rows were understood as."""
    options = parse_options(case["options"] + " | --dry-run")
    [report] = ingest.run(Viewer.SYSTEM, case["kind"], [path], options)
    counts = {fact.fact: fact.counts | {"column": None} for fact in report.reading.facts}
    return {
        "code": report.refusal and report.refusal.code,
        "questions": sorted(one.refusal.code for one in report.reading.questions),
        "columns": {name: column.replace(" ", "_") for name, column in report.mapping.items()},
        "facts": {name.replace(" ", "_"): found for name, found in counts.items()},
    }


WAYS = {write_headers_of_code: (), insert_empty_column: TURNED}
REWRITTEN = [
    (way, case)
    for way, but in WAYS.items()
    for case in CASES
    if case["file"] not in but and (found := read_rows(case)) and all(found[0][0])
]
QUICK = {
    "weeks.csv",  # weeks by their last day
    "words.csv",
    "flags_alone.csv",
    "score_critical_error.csv",
    "marks_in_brackets.csv",
    "marks_row_of_weights.csv",
}


@pytest.mark.parametrize(
    ("way", "case"),
    leave_to_long(REWRITTEN, but=[entry for entry in REWRITTEN if entry[1]["file"] in QUICK]),
    ids=lambda value: value.__name__ if callable(value) else f"{value['file']} {value['options']}",
)
def test_a_file_that_says_the_same_is_read_the_same(
    centre: Path, tmp_path: Path, way: Any, case: Case
) -> None:
    rows, sign = read_rows(case)
    path = tmp_path / case["file"]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=sign).writerows(way(rows))

    assert understand(case, path) == understand(case, HERE / "files" / case["file"])


def test_a_currency_behind_a_joint_is_the_currency_of_the_amounts(
    centre: Path, tmp_path: Path
) -> None:
    path = tmp_path / "spend.csv"
    path.write_text("day;source;campaign;cost_usd\n2026-03-09;google;A;10.00\n", "utf-8")

    [report] = ingest.run(Viewer.SYSTEM, "spend", [path], parse_options("--dry-run"))

    assert report.reading.questions == []
    assert "Currency: USD" in report.reading.rows[0]
