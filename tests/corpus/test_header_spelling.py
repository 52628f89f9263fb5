"""A file whose headers are written as in code, `week_ending`, is read like the same file with
spaces in them.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from builders.long_seeds import leave_to_long
from test_corpus import CASES, HERE, parse_options

from qa_core import ingest
from qa_core.access.roles import Viewer

Case = dict[str, str]


def find_separator(text: str) -> str:
    return max(",;\t|", key=text.count)


def can_be_rewritten(case: Case) -> bool:
    """Return whether the first line of a text file is its header."""
    path = HERE / "files" / case["file"]
    if path.suffix != ".csv" or "--" in case["options"].replace("--only period=week", ""):
        return False
    try:
        header, *rows = path.read_text("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return False
    sign = find_separator(header)
    is_header = " " in header and all(header.split(sign))
    return is_header and all(header.count(sign) == row.count(sign) > 0 for row in rows)


def write_as_code(case: Case, folder: Path) -> Path:
    header, rest = (HERE / "files" / case["file"]).read_text("utf-8-sig").split("\n", 1)
    sign = find_separator(header)
    [names] = csv.reader([header], delimiter=sign)
    path = folder / case["file"]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=sign).writerow([name.replace(" ", "_") for name in names])
        file.write(rest)
    return path


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


REWRITTEN = [case for case in CASES if can_be_rewritten(case)]
QUICK = {
    "weeks.csv",  # weeks by their last day
    "costs_of_levels.csv",
    "score_critical_error.csv",
    "score_of_maximum.csv",
    "words.csv",
}


@pytest.mark.parametrize(
    "case",
    leave_to_long(REWRITTEN, but=[case for case in REWRITTEN if case["file"] in QUICK]),
    ids=lambda case: f"{case['file']} {case['options']}".strip(),
)
def test_headers_of_code_are_read_like_headers_with_spaces(
    centre: Path, tmp_path: Path, case: Case
) -> None:
    plain = understand(case, HERE / "files" / case["file"])

    assert understand(case, write_as_code(case, tmp_path)) == plain


def test_a_currency_behind_a_joint_is_the_currency_of_the_amounts(
    centre: Path, tmp_path: Path
) -> None:
    path = tmp_path / "spend.csv"
    path.write_text("day;source;campaign;cost_usd\n2026-03-09;google;A;10.00\n", "utf-8")

    [report] = ingest.run(Viewer.SYSTEM, "spend", [path], parse_options("--dry-run"))

    assert report.reading.questions == []
    assert "Currency: USD" in report.reading.rows[0]
