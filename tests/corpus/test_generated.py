"""Generated files: sure and right, or asked, or refused; never wrong."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from builders.long_seeds import count_seeds, leave_to_long
from corpus.generator import GeneratedFile, generate

from qa_core.base.errors import Refusal
from qa_core.files.options import ImportOptions
from qa_core.ingest.reading import table_reader

MANY = int(os.environ.get("QA_GENERATED_FILES") or count_seeds(5_000))


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("QA_TIMEZONE", "QA_COUNTRY", "QA_LANGUAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("QA_HOME", str(tmp_path / "home"))
    return tmp_path


def read(folder: Path, made: GeneratedFile) -> tuple[str, Any]:
    """`asked` with the code, or `read` with the rows."""
    path = folder / "calls.csv"
    path.write_text(made.text, encoding="utf-8")
    try:
        staged = table_reader.stage(path, "contacts", ImportOptions(dry_run=True))
    except Refusal as refusal:
        return "asked" if refusal.options else "refused", refusal.code
    rows = pq.read_table(staged.rows).to_pylist()
    staged.discard()
    return "read", rows


def find_wrong(made: GeneratedFile, rows: list[dict[str, Any]]) -> list[str]:
    """The headline numbers of the rows that differ from the truth; what is not known is
    not wrong.
    """
    wrong = []
    calls = [call for call in made.calls if call.is_inbound]
    marks = sum(call.csat or 0 for call in made.calls)
    if sum(row.get("csat") or 0 for row in rows) not in (0, marks):
        wrong.append("csat")
    rows = [row for row in rows if row.get("direction") in (None, "inbound")]
    if len(rows) != len(calls):
        wrong.append("received")
    answered = [call for call in calls if call.outcome == "answered"]
    known = [row for row in rows if row.get("outcome") is not None]
    if known:
        unknown = len(rows) - len(known)
        own = sum(row["outcome"] == "answered" for row in known)
        if unknown > len(made.hidden) or not own <= len(answered) <= own + unknown:
            wrong.append("answered")
        lost = sum(row["outcome"] in ("abandoned", "unanswered") for row in known)
        flagged = sum(call.outcome in ("abandoned", "unanswered") for call in calls)
        voicemails = sum(call.outcome == "voicemail" for call in calls)
        if not flagged - unknown <= lost <= flagged + voicemails:
            wrong.append("missed")
        kept = [call for call in answered if call.number not in made.hidden]
        own = [row for row in known if row["outcome"] == "answered"]
        for name, truth in (
            ("wait_seconds", [call.wait for call in kept]),
            ("talk_seconds", [call.talk for call in kept]),
            ("hold_seconds", [call.hold for call in kept]),
            ("wrap_seconds", [call.wrap for call in kept]),
        ):
            found = [row[name] for row in own if row.get(name) is not None]
            if not found:
                continue
            # Blank and damaged cells may hide the others of their row alone.
            rounding = 0.01 * len(truth) + 0.5
            most = sum(truth) + 1_000 * len(made.hidden) + rounding
            if not sum(truth) - rounding <= sum(found) <= most:
                wrong.append(name)
    return wrong


def run(folder: Path, seeds: range) -> tuple[dict[str, Counter[str]], list[str]]:
    """Verdicts by class of spelling, and the files with wrong numbers."""
    verdicts: dict[str, Counter[str]] = {}
    wrong = []
    for seed in seeds:
        made = generate(seed)
        verdict, found = read(folder, made)
        if verdict == "read":
            faults = find_wrong(made, found)
            verdict = "wrong" if faults else "right"
            if faults:
                wrong.append(f"seed {seed}: {', '.join(faults)} {made.classes}")
        for name, value in made.classes.items():
            verdicts.setdefault(f"{name} {value}", Counter())[verdict] += 1
        verdicts.setdefault("all", Counter())[verdict] += 1
    return verdicts, wrong


def show(verdicts: dict[str, Counter[str]]) -> str:
    columns = ("right", "asked", "refused", "wrong")
    lines = [f"{'':28}" + "".join(f"{name:>9}" for name in columns)]
    for name, counts in sorted(verdicts.items()):
        lines.append(f"{name:28}" + "".join(f"{counts[column]:9}" for column in columns))
    return "\n".join(lines)


@pytest.mark.parametrize("files", leave_to_long([20, 60], but=[20]))
def test_no_generated_file_gives_wrong_numbers(tmp_path: Path, files: int) -> None:
    verdicts, wrong = run(tmp_path, range(files))
    assert not wrong
    assert verdicts["all"]["right"] > verdicts["all"]["asked"]


@pytest.mark.long
def test_none_of_thousands_of_generated_files_gives_wrong_numbers(tmp_path: Path) -> None:
    verdicts, wrong = run(tmp_path, range(1_000, 1_000 + MANY))
    print("\n" + show(verdicts))
    assert not wrong, "\n".join(wrong[:20])
