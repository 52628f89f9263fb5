"""Evaluations beside the lake, read from the month that is asked on: what a process read before,
and what was published, corrected or deleted meanwhile, changes no answer.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from builders.centres import add_people, contact, evaluation

from qa_core.access.roles import Viewer
from qa_core.metrics import query
from qa_core.metrics.kpi import evaluation_table
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation

SCORES = {"2026-03-02": 50.0, "2026-05-04": 70.0, "2026-07-06": 90.0}
"""Scores of the only evaluation on each of these days."""


def count(first: str | None = None, last: str | None = None) -> tuple[int, float | None]:
    """Return how many evaluations the days have, and their mean score."""
    period = Period(first and date.fromisoformat(first), last and date.fromisoformat(last))
    [row] = query.measure(Viewer.SYSTEM, ("evaluation_score",), (), Filters(period)).to_dict(
        "records"
    )
    return row["n"], row["value"]


def count_read() -> int:
    [cached] = evaluation_table._tables.values()
    return cached.table.num_rows


@pytest.fixture
def graded(centre: Path) -> Path:
    add_people({"a1": "Ann"})
    with store.writing() as session:
        for number, (day, score) in enumerate(SCORES.items()):
            row = contact(f"{day} 09:00", f"c{number}", team="Nord", advisor_id="a1")
            session.add(evaluation(row, score))
    evaluation_table._tables.clear()
    return centre


def test_each_question_reads_the_months_that_nobody_asked_for_yet(graded: Path) -> None:
    assert count("2026-07-01", "2026-07-31") == (1, 90.0)
    assert count_read() == 1
    assert count("2026-05-01", "2026-07-31") == (2, 80.0)
    assert count_read() == 2
    assert count() == (3, 70.0)
    assert count("2026-07-01", "2026-07-31") == (1, 90.0)


@pytest.mark.parametrize("first", ["2026-07-01", "2026-05-01", None])
def test_changes_of_any_month_are_seen_whatever_was_read(graded: Path, first: str | None) -> None:
    count(first, "2026-07-31")
    with store.writing() as session:
        session.query(Evaluation).filter(Evaluation.score == 50.0).delete()
    assert count() == (2, 80.0)

    count(first, "2026-07-31")
    with store.writing() as session:
        session.query(Evaluation).filter(Evaluation.score == 90.0).delete()
        row = contact("2026-04-06 09:00", "c9", team="Nord", advisor_id="a1")
        session.add(evaluation(row, 40.0))
    assert count("2026-07-01", "2026-07-31")[0] == 0
    assert count() == (2, 55.0)
