"""Alignment and agreement, against a plain count of random small centres."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from builders.long_seeds import count_seeds, leave_to_long
from builders.plain_count import (
    CUTS,
    SCOPES,
    assert_same,
    pairs_of,
)
from builders.random_centre import (
    LOOSELY,
    Marked,
    make_contacts,
    make_rounds,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_core.access.roles import Role, Viewer
from qa_core.metrics import query
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import Calibration

OF_MARKS: dict[str, Callable[[Marked], Any]] = {
    "criterion": lambda one: one.criterion,
    "section": lambda one: one.section,
    "grid": lambda one: one.grid,
    "day": lambda one: CUTS["day"](one.row),
    "week": lambda one: CUTS["week"](one.row),
    "month": lambda one: CUTS["month"](one.row),
    "weekday": lambda one: CUTS["weekday"](one.row),
}


def alignment_of(marked: list[Marked], evaluator: str | None = None) -> dict[str, Any]:
    """Points alike of points possible, pair by pair; of one evaluator, in the pairs
    where they are not the reference.
    """
    close = possible = n = 0.0
    for one in marked:
        for first, second in pairs_of(one):
            if evaluator and (evaluator not in (first, second) or evaluator == one.reference):
                continue
            if None not in (one.marks[first], one.marks[second]):
                n += 1
                possible += one.most
                close += one.most - abs(one.marks[first] - one.marks[second])
    return {
        "n": n,
        "numerator": close if n else None,
        "denominator": possible,
        "value": close / possible if n else None,
    }


def agreement_of(marked: list[Marked]) -> dict[str, Any]:
    """Krippendorff's α for ordinal marks from its definition: pairs within contacts
    against pairs of all marks, apart by the marks between them.
    """
    units = [
        [points / one.most for points in one.marks.values() if points is not None] for one in marked
    ]
    units = [unit for unit in units if len(unit) > 1]
    every = sorted(mark for unit in units for mark in unit)

    def apart(one: float, other: float) -> float:
        low, high = min(one, other), max(one, other)
        return (
            sum(low <= mark <= high for mark in every) - (every.count(one) + every.count(other)) / 2
        ) ** 2

    observed = sum(
        apart(*pair) / (len(unit) - 1) for unit in units for pair in itertools.permutations(unit, 2)
    )
    expected = sum(apart(*pair) for pair in itertools.permutations(every, 2))
    return {
        "n": len(units),
        "value": 1 - (len(every) - 1) * observed / expected if expected else None,
    }


@pytest.mark.parametrize("seed", leave_to_long([1, 2], but=[1]))
def test_alignment_and_agreement_equal_a_plain_count_of_the_closed_rounds_in_scope(
    records: Path, seed: int
) -> None:
    compare_with_plain_count(seed)


@pytest.mark.long
@given(seed=st.integers(0, 2**32))
@settings(max_examples=count_seeds(60), **LOOSELY)
def test_alignment_and_agreement_equal_a_plain_count_of_many_rounds(
    records: Path, seed: int
) -> None:
    compare_with_plain_count(seed)


def compare_with_plain_count(seed: int) -> None:
    draw = random.Random(seed)
    contacts = make_contacts(draw, 40)
    with store.writing() as session:
        session.query(Evaluation).delete()
        session.query(Calibration).delete()
    rounds = make_rounds(draw, contacts)
    period = draw.choice((Period(), Period(date(2026, 3, 15), date(2026, 4, 12))))
    managers = {
        name: entry
        for name, entry in SCOPES.items()
        if entry[0].is_system or entry[0].role == Role.MANAGER
    }
    of_viewer = [
        (viewer, [one for one in rounds if all(map(may_see, one.contacts))])
        for viewer, may_see in managers.values()
    ]
    of_viewer.append(
        (Viewer("eve", Role.EVALUATOR), [one for one in rounds if "eve" in one.evaluators])
    )
    for viewer, seen in of_viewer:
        everything = [one for found in seen if found.is_closed for one in found.marked]
        marked = [
            one
            for one in everything
            if (period.first_day or date.min)
            <= one.row["local_start"].date()
            <= (period.last_day or date.max)
        ]
        whole, none = query.measure(
            viewer, ("alignment", "agreement"), where=Filters(period)
        ).itertuples()
        assert_same(whole, alignment_of(marked), f"{viewer.username}, alignment")
        assert (none.status, none.n, none.notes) == ("no_data", 0, ("one_criterion",))
        for by, value_of in OF_MARKS.items():
            for row in query.measure(viewer, ("alignment",), (by,), Filters(period)).itertuples():
                assert_same(
                    row,
                    alignment_of([one for one in marked if value_of(one) == getattr(row, by)]),
                    f"{viewer.username}, alignment by {by}",
                )
        for by in ("section", "grid", "month"):
            cells = query.measure(viewer, ("agreement",), ("criterion", by), Filters(period))
            assert {tuple(cell) for cell in cells[["criterion", by]].itertuples(index=False)} == {
                (one.criterion, OF_MARKS[by](one)) for one in marked
            }
            for row in cells.itertuples():
                of_cell = [
                    one
                    for one in marked
                    if one.criterion == row.criterion and OF_MARKS[by](one) == getattr(row, by)
                ]
                assert_same(
                    row,
                    agreement_of(of_cell),
                    f"{viewer.username}, agreement of {row.criterion} by {by}",
                )
        greets = [one for one in marked if one.criterion == "greets"]
        chosen = Filters.of(period, {"criterion": ["greets"]})
        for row, expected in zip(
            query.measure(viewer, ("alignment", "agreement"), where=chosen).itertuples(),
            (alignment_of, agreement_of),
            strict=True,
        ):
            assert_same(row, expected(greets), f"{viewer.username}, {row.kpi} of one criterion")
        if viewer.can_cut_by("evaluator"):
            for row in query.measure(
                viewer, ("alignment",), ("evaluator",), Filters(period)
            ).itertuples():
                assert_same(
                    row,
                    alignment_of(marked, row.evaluator),
                    f"{viewer.username}, alignment by evaluator",
                )
                (alone,) = query.measure(
                    viewer, ("alignment",), where=Filters.of(period, {"evaluator": [row.evaluator]})
                ).itertuples()
                assert_same(
                    alone,
                    alignment_of(marked, row.evaluator),
                    f"{viewer.username}, alignment of {row.evaluator}",
                )
