"""Drawn files: what a reading states is true or asked about, nothing is loaded before somebody
confirms it, and with the right answers the stores have the right counts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from builders.long_seeds import count_seeds, leave_to_long
from corpus.drawn import DrawnFile, draw

from qa_core import ingest
from qa_core.access.roles import Viewer
from qa_core.files.options import ImportOptions
from qa_core.ingest.reading.reading import Reading
from qa_core.ingest.reading.report import UNCONFIRMED, FileReport
from qa_core.storage import lake
from qa_core.storage.records import store
from qa_core.storage.records.imports import WaitingRow

COUNTS = ("received", "answered", "abandoned")
DAYS = ("first_day", "last_day")
WHO = (*COUNTS, "directions", "customers")
CENTRES = 12
"""Number of centres among which many files are divided: an import takes longer in a large one."""
ASKS_ABOUT: dict[str, tuple[str, ...]] = {
    "ambiguous_dates": DAYS,
    "other_days": DAYS,
    "missing_date": DAYS,
    "days_or_periods": DAYS,
    "mixed_ids": WHO,
    "which_direction": WHO,
    "unread_direction": WHO,
    "ambiguous_scale": ("scale", "ratings"),
    "unclear_rating": ("scale", "rating"),
    "rated_unanswered": ("ratings",),
    "ambiguous_unit": ("wait", "talk"),
    "ambiguous_duration": ("wait", "talk"),
    "duration_and_wait": ("wait", "talk"),
    "outcome_and_talk": COUNTS,
}
"""For each question, the facts that it is about."""


def list_facts(reading: Reading) -> dict[str, Any]:
    """Return the facts that the reading states, by subject of the truth."""
    facts = {fact["fact"]: fact for fact in reading.as_json()["facts"]}
    counts = {name: fact["counts"] for name, fact in facts.items()}
    stated = {name: counts["days"][name] for name in DAYS if "days" in counts}
    stated |= {name: reading.headline[name] for name in COUNTS if name in reading.headline}
    if "direction" in counts:
        stated["directions"] = counts["direction"]["ways"]
        stated["customers"] = counts.get("customers", {}).get("customers", 0)
    for name in ("wait", "talk"):
        if f"{name}_seconds" in counts:
            stated[name] = counts[f"{name}_seconds"]["median"]
    if "ratings" in counts:
        stated |= {"ratings": counts["ratings"]["csat"], "scale": counts["ratings"]["scale"]}
    for name in ("csat", "nps", "ces"):
        if reading.kind == "surveys" and name in facts:
            scale = counts[name].get("scale", "0-10")
            stated |= {"rating": name, "scale": scale}
    return stated


def find_wrong(drawn: DrawnFile, reading: Reading) -> dict[str, tuple[Any, Any]]:
    """Facts that differ from the truth, with what is stated and what is true."""
    stated = list_facts(reading)
    return {
        name: (stated[name], true)
        for name, true in drawn.truth.items()
        if name in stated and _as_text(stated[name]) != _as_text(true)
    }


def _as_text(value: Any) -> str:
    return str(sorted(value.items()) if isinstance(value, dict) else value)


def find_answer(drawn: DrawnFile, code: str, field: str | None) -> str:
    """The right answer to a question; a question that the drawing did not foresee fails."""
    return drawn.answers[code if code in drawn.answers else f"{code} {field}"]


def count_stored(kind: str, system: str) -> dict[str, Any]:
    """Count with plain SQL what the stores have of a system."""
    if kind == "contacts":
        query = (
            "SELECT count(*) FILTER (direction = 'inbound'), "
            "count(*) FILTER (direction = 'inbound' AND outcome = 'answered'), "
            "count(*) FILTER (direction = 'inbound' AND outcome IN ('abandoned', 'unanswered')), "
            "count(DISTINCT customer_key), min(local_start)::DATE, max(local_start)::DATE "
            f"FROM contacts WHERE source_system = '{system}'"
        )
    else:
        query = (
            "SELECT sum(received), sum(answered), sum(abandoned), NULL, min(local_start)::DATE, "
            f"max(local_start)::DATE FROM intervals WHERE source_system = '{system}'"
        )
    with lake.working(others=["intervals"]) as connection:
        row = connection.execute(query).fetchone()
    return dict(zip((*COUNTS, "customers", *DAYS), row, strict=True))


def bring(folder: Path, drawn: DrawnFile, seed: int, is_loaded: bool) -> FileReport:
    """Import a drawn file as a careful person does, and fail at the first false statement."""
    path, system = folder / drawn.name, f"s{seed}"
    path.write_text(drawn.text, encoding="utf-8")
    options = ImportOptions(system=system)
    [report] = ingest.run(Viewer.SYSTEM, drawn.kind, [path], options)
    if drawn.refused:
        assert report.refusal.code == drawn.refused, report.as_text()
        return report
    if not drawn.is_declared:
        assert report.refusal is not None and report.refusal.code == UNCONFIRMED, report.as_text()
        assert not any(count_stored("contacts", system)[name] for name in COUNTS)
    else:
        assert report.refusal is None, report.as_text()
    questions = report.reading.questions
    covered = {name for item in questions for name in ASKS_ABOUT[item.refusal.code]}
    wrong = find_wrong(drawn, report.reading)
    assert wrong.keys() <= covered, f"{wrong} {report.as_text()}"
    if not is_loaded:
        return report
    for question in questions:
        answer = find_answer(drawn, question.refusal.code, question.refusal.params.get("field"))
        options = options.with_answer(answer)
    for _run in range(2):
        if report.is_refused:
            confirmed = options.with_answer(f"--confirm {report.reading.layout}")
            [report] = ingest.run(Viewer.SYSTEM, drawn.kind, [path], confirmed)
    assert not report.is_refused, report.as_text()
    assert not find_wrong(drawn, report.reading), report.as_text()
    return report


def require_truth(folder: Path, seed: int, is_loaded: bool = True) -> None:
    """Read the file of a seed, load it with the right answers, and compare it with its truth."""
    drawn = draw(seed)
    is_loaded |= drawn.is_declared
    report = bring(folder, drawn, seed, is_loaded)
    if drawn.refused or not is_loaded:
        return
    if drawn.kind == "surveys":
        with store.reading() as session:
            assert session.query(WaitingRow).count() > 0
        return
    stored = count_stored(drawn.kind, f"s{seed}")
    expected = {name: drawn.truth[name] for name in stored if name in drawn.truth}
    found = {name: value for name, value in stored.items() if name in expected}
    assert {name: str(value) for name, value in found.items()} == {
        name: str(value) for name, value in expected.items()
    }, report.as_text()


@pytest.mark.parametrize("seed", leave_to_long(range(24), but=range(12)))
def test_a_reading_is_true_or_asks_and_is_loaded_only_when_confirmed(
    centre: Path, seed: int
) -> None:
    # Loading takes most of the time: every third file, and those that need no confirmation.
    require_truth(centre, seed, is_loaded=seed % 3 == 0)


@pytest.mark.long
@pytest.mark.parametrize("part", range(CENTRES))
def test_many_drawn_readings_are_true_or_ask(centre: Path, part: int) -> None:
    for seed in range(24 + part, count_seeds(3_000), CENTRES):
        require_truth(centre, seed)
