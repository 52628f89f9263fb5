"""Small files of every family, each with its right numbers in `table.csv`: an import
gives these numbers, or asks, or refuses.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from builders.import_files import describe_question, run_confirmed
from builders.listening_centre import allow_evaluations
from builders.long_seeds import leave_to_long

from qa_core.access.roles import Viewer
from qa_core.files.options import ImportOptions
from qa_core.ingest.reading.report import FileReport
from qa_core.metrics import measure

HERE = Path(__file__).parent
KPIS = {
    "received": "received",
    "answered": "answered",
    "missed": "missed",
    "wait": "average_speed_of_answer",
    "talk": "average_talk_time",
    "handle": "average_handle_time",
    "csat": "csat_mean",
    "score": "evaluation_score",
}
"""Columns of the table and the KPIs that they hold; an empty cell: there is no data."""
OPTIONS = {
    "map": "columns",
    "word": "words",
    "only": "only",
    "unit": "units",
    "scale": "scales",
}


def read_table() -> list[dict[str, str]]:
    with (HERE / "table.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def parse_options(text: str) -> ImportOptions:
    """`--word Result:VM=voicemail | --only direction=inbound` as the options of an import."""
    chosen: dict[str, object] = {}
    for part in filter(None, (part.strip() for part in text.split("|"))):
        name, _space, value = part.removeprefix("--").partition(" ")
        if name in OPTIONS:
            pairs = chosen.setdefault(OPTIONS[name], [])
            key, _equals, meaning = (
                value.rpartition("=") if name == "word" else value.partition("=")
            )
            pairs.append((key, meaning))
        else:
            chosen[name.replace("-", "_")] = value or True
    return ImportOptions(**chosen)


def import_case(case: dict[str, str]) -> FileReport:
    path = HERE / "files" / case["file"]
    options = parse_options(case["options"])
    return run_confirmed(Viewer.SYSTEM, case["kind"], [path], options)[0]


def choose_quick(cases: list[dict[str, str]]) -> list[dict[str, str]]:
    """Choose the cases of every run: each kind with each verdict, and every third file."""
    one_of_each = {(case["kind"], case["verdict"]): case for case in reversed(cases)}
    return [*one_of_each.values(), *cases[::3]]


CASES = read_table()


@pytest.mark.parametrize(
    "case",
    leave_to_long(CASES, but=choose_quick(CASES)),
    ids=lambda case: f"{case['file']} {case['options']}".strip(),
)
def test_a_file_gives_its_right_numbers_or_a_question(centre: Path, case: dict[str, str]) -> None:
    if case["kind"] == "evaluations":
        allow_evaluations("Ann", "Bob")
    report = import_case(case)
    said = describe_question(report)
    if case["verdict"] not in ("sure", "guess"):
        assert said.get("error", {}).get("code") == case["verdict"], report.as_text()
        assert case["verdict"] in REFUSED or said["error"]["options"], "a question has answers"
        return
    assert report.refusal is None, report.as_text()
    frame = measure(Viewer.SYSTEM, list(KPIS.values()))
    values = {row["kpi"]: row["value"] for row in frame.to_dict("records")}
    found = {name: values.get(kpi) for name, kpi in KPIS.items()}
    expected = {name: float(case[name]) if case[name] else None for name in KPIS}
    assert {name: value if value == value else None for name, value in found.items()} == (
        pytest.approx(expected, abs=0.005, nan_ok=True)
    ), report.as_text()


REFUSED = {
    "blank_dates",
    "crosstab",
    "destroyed_timestamps",
    "grouped_rows",
    "headers_only",
    "missing_year",
    "not_contacts",
    "one_column",
}
"""Verdicts that no option would change."""
