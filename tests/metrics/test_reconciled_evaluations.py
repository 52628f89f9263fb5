"""Evaluations and their scores, against a plain count of random small centres."""

from __future__ import annotations

import random
import statistics
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from builders.centres import land
from builders.long_seeds import count_seeds, leave_to_long
from builders.plain_count import (
    CUTS,
    SCOPES,
    assert_same,
    mean,
    ratio,
    total,
)
from builders.random_centre import (
    CRITICAL,
    GRID,
    LOOSELY,
    fresh_lake,
    make_contacts,
    make_evaluations,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_core.access.roles import Viewer
from qa_core.metrics import kpis, query
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation

ON_EVALUATIONS = tuple(
    kpi.key
    for kpi in kpis.ALL
    if kpi.subject in (kpis.FactTable.EVALUATION_ANSWERS, kpis.FactTable.ADVISORS)
)


def mean_of_means(entries: list[tuple]) -> dict[str, Any]:
    of_advisor = defaultdict(list)
    for score, _, row, *_ in entries:
        if score is not None:
            of_advisor[row["advisor_id"]].append(score)
    return mean([statistics.fmean(scores) for scores in of_advisor.values()])


def accuracy(entries: list[tuple], name: str) -> dict[str, Any]:
    """Evaluations without an answer of 0 to a criterion of that class, of those with an
    answer to one.
    """
    applied = []
    for *_, grid, answers in entries:
        earned = [
            mark
            for (_, key), (mark, _) in answers.items()
            if grid == GRID and CRITICAL.get(key) == name and mark is not None
        ]
        if earned:
            applied.append(min(earned) > 0)
    return ratio([clean for clean in applied if clean], applied)


@pytest.mark.parametrize("seed", leave_to_long([11, 12], but=[11]))
def test_filters_and_cuts_of_evaluations_equal_a_plain_count(records: Path, seed: int) -> None:
    compare_with_plain_count(records, seed, 60)


@pytest.mark.long
@given(seed=st.integers(0, 2**32), size=st.integers(1, 120))
@settings(max_examples=count_seeds(40), **LOOSELY)
def test_filters_and_cuts_of_evaluations_equal_a_plain_count_in_many_centres(
    records: Path, seed: int, size: int
) -> None:
    compare_with_plain_count(records, seed, size)


def compare_with_plain_count(records: Path, seed: int, size: int) -> None:
    draw = random.Random(seed)
    contacts = make_contacts(draw, size)
    with pytest.MonkeyPatch.context() as patch:
        fresh_lake(records, patch)
        land(contacts)
        evaluations = make_evaluations(draw, contacts)
        published = [
            (one, next(row for row in contacts if row["contact_id"] == one.contact_id))
            for one in evaluations
            if one.state == "published"
        ]
        scores = [
            (
                one.score,
                one.outcome,
                row,
                one.grid_id,
                {(a.section, a.criterion): (a.earned, a.possible) for a in one.answers},
            )
            for one, row in published
        ]
        with store.writing() as session:
            session.query(Evaluation).delete()
            session.add_all(evaluations)
        for name, (viewer, may_see) in SCOPES.items():
            mine = [entry for entry in scores if may_see(entry[2])]
            for by in (None, *draw.sample([key for key in CUTS if viewer.can_cut_by(key)], 3)):
                groups: dict[Any, list] = defaultdict(list)
                for entry in mine:
                    groups[CUTS[by](entry[2]) if by else None].append(entry)
                frame = query.measure(
                    viewer,
                    [
                        key
                        for key in ON_EVALUATIONS
                        if by is None or by in kpis.BY_KEY[key].dimensions
                    ],
                    (by,) if by else (),
                )
                for row in frame.itertuples():
                    members = groups[
                        None
                        if by is None or getattr(row, by) != getattr(row, by)
                        else getattr(row, by)
                    ]
                    outcomes = [entry[1] for entry in members if entry[1]]
                    expected = {
                        "evaluation_score": mean([entry[0] for entry in members]),
                        "evaluations": total(members, members),
                        "evaluation_pass_rate": ratio(
                            [outcome for outcome in outcomes if outcome == "pass"], outcomes
                        ),
                        "advisor_mean_score": mean_of_means(members),
                        "critical_accuracy_customer": accuracy(members, "customer"),
                        "critical_accuracy_business": accuracy(members, "business"),
                        "critical_accuracy_compliance": accuracy(members, "compliance"),
                    }[row.kpi]
                    assert_same(row, expected, f"{name}, {row.kpi} by {by}")
            for row in query.measure(viewer, ("evaluation_score",), ("section",)).itertuples():
                of_section = [
                    [answers[key] for key in answers if key[0] == row.section]
                    for *_, answers in mine
                ]
                values = [
                    100 * sum(e or 0 for e, _ in parts) / possible
                    if (possible := sum(p for _, p in parts))
                    else None
                    for parts in of_section
                ]
                assert_same(row, mean(values), f"{name}, by section")
            for row in query.measure(
                viewer, ("critical_accuracy_compliance",), ("criterion",)
            ).itertuples():
                of_criterion = [
                    (None, None, None, grid, {key: answers[key]})
                    for *_, grid, answers in mine
                    for key in answers
                    if key[1] == row.criterion
                ]
                assert_same(row, accuracy(of_criterion, "compliance"), f"{name}, by criterion")
        dead = query.measure(
            Viewer.SYSTEM,
            ("evaluations",),
            where=Filters.of(values={"queue": ["care"], "evaluator": ["eve", "max"]}),
        )
        assert dead["n"].item() == sum(row["queue"] == "care" for _, row in published)
