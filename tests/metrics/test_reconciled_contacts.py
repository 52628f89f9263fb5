"""Every KPI against an independent count: plain loops over small random centres give
what `measure` gives, for each role and each cut.
"""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders.centres import PARIS, contact, land
from builders.long_seeds import count_seeds
from builders.plain_count import (
    CUTS,
    ON_CONTACTS,
    SCOPES,
    Count,
    assert_same,
    is_inbound,
    is_peoples,
)
from builders.random_centre import (
    DAYS,
    FIRST,
    LOOSELY,
    Contact,
    choose_settings,
    fresh_lake,
    listen,
    make_contacts,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_core.access.roles import Viewer
from qa_core.metrics import kpis, query
from qa_core.metrics.kpis.dimensions import DIMENSIONS, Filters, Period

PLACES = {"day", "week", "month", "weekday", "hour", "half_hour", "channel", "queue"}
"""Cuts under which missed contacts are counted in the whole centre."""


def is_received(row: Contact) -> bool:
    """Tell received contacts: a cell without any has no row of its own in most tables."""
    return is_inbound(row) and row["outcome"] != "closed"


def test_every_kpi_of_every_role_equals_a_plain_count_of_its_own_rows(records: Path) -> None:
    compare_with_plain_count(records, 11, 60)


@pytest.mark.long
@given(seed=st.integers(0, 2**32), size=st.integers(1, 120))
@settings(max_examples=count_seeds(40), **LOOSELY)
def test_every_kpi_of_every_role_equals_a_plain_count_in_many_centres(
    records: Path, seed: int, size: int
) -> None:
    compare_with_plain_count(records, seed, size)


def compare_with_plain_count(records: Path, seed: int, size: int) -> None:
    draw = random.Random(seed)
    contacts = make_contacts(draw, size)
    with pytest.MonkeyPatch.context() as patch:
        fresh_lake(records, patch)
        count = Count(contacts, choose_settings(draw), listen(draw, contacts))
        land(contacts)
        period = draw.choice(
            (
                Period(),
                Period(date(2026, 3, 15), date(2026, 4, 12)),
                Period(first_day=date(2026, 4, 1)),
                Period(last_day=date(2026, 3, 29)),
            )
        )

        def inside(row):
            return (
                (period.first_day or date.min)
                <= row["local_start"].date()
                <= (period.last_day or date.max)
            )

        for name, (viewer, may_see) in SCOPES.items():
            seen = [row for row in contacts if may_see(row)]
            rows = [row for row in seen if inside(row)]
            allowed = [key for key in ON_CONTACTS if viewer.can(kpis.BY_KEY[key].needs)]
            whole = [row for row in contacts if inside(row)]
            first = FIRST.date() - timedelta(days=1)
            days = [
                day
                for day in (first + timedelta(days=place) for place in range(DAYS + 2))
                if (period.first_day or first) <= day <= (period.last_day or day)
            ]
            for row in query.measure(viewer, allowed, where=Filters(period)).itertuples():
                expected = count.for_viewer(viewer, row.kpi, rows, seen, whole, days)
                assert_same(row, expected, f"{name}, {row.kpi}")
            cuts = [key for key in CUTS if viewer.can_cut_by(key)]
            for by in (draw.sample(cuts, 1), draw.sample(cuts, 2)):
                groups: dict[tuple, list[Contact]] = defaultdict(list)
                for row in filter(is_peoples, rows) if "advisor" in by else rows:
                    groups[tuple(CUTS[key](row) for key in by)].append(row)
                frame = query.measure(viewer, allowed, by, Filters(period))
                found = (
                    {
                        tuple(None if value != value else value for value in values)
                        for values in frame[by].itertuples(index=False)
                    }
                    if len(frame)
                    else set()
                )
                assert found <= set(groups)
                received = {
                    key for key, members in groups.items() if any(map(is_received, members))
                }
                assert received <= found
                for row in frame.itertuples():
                    key = tuple(
                        None if getattr(row, one) != getattr(row, one) else getattr(row, one)
                        for one in by
                    )
                    same = [
                        (CUTS[one], at) for one, at in zip(by, key, strict=True) if one in PLACES
                    ]
                    beside = [row for row in whole if all(of(row) == at for of, at in same)]
                    expected = count.for_viewer(viewer, row.kpi, groups[key], seen, beside, days)
                    if key not in received:
                        expected.pop("unknown_identity", None)
                    assert_same(
                        row,
                        expected,
                        f"{name}, {row.kpi} by {dict(zip(by, key, strict=True))}",
                    )


of_any_seed = given(seed=st.integers(0, 2**32))


@of_any_seed
@settings(max_examples=1, **LOOSELY)
def test_every_kpi_may_be_cut_by_every_dimension_it_names(records: Path, seed: int) -> None:
    compare_every_cut(records, seed)


@pytest.mark.long
@of_any_seed
@settings(max_examples=count_seeds(20), **LOOSELY)
def test_every_kpi_may_be_cut_by_every_dimension_in_many_centres(records: Path, seed: int) -> None:
    compare_every_cut(records, seed)


def compare_every_cut(records: Path, seed: int) -> None:
    assert set(CUTS) == {dimension.key for dimension in DIMENSIONS if dimension.family != "quality"}
    draw = random.Random(seed)
    contacts = make_contacts(draw, 60)
    with pytest.MonkeyPatch.context() as patch:
        fresh_lake(records, patch)
        count = Count(contacts, choose_settings(draw), listen(draw, contacts))
        land(contacts)
        for by, group_of in CUTS.items():
            groups: dict[Any, list[Contact]] = defaultdict(list)
            for row in filter(is_peoples, contacts) if by == "advisor" else contacts:
                groups[group_of(row)].append(row)
            for row in query.measure(
                Viewer.SYSTEM,
                [key for key in ON_CONTACTS if by in kpis.BY_KEY[key].dimensions],
                (by,),
            ).itertuples():
                cell = None if getattr(row, by) != getattr(row, by) else getattr(row, by)
                expected = count.of(row.kpi, groups[cell], contacts)
                if not any(is_received(row) for row in groups[cell]):
                    expected.pop("unknown_identity", None)
                assert_same(row, expected, f"{row.kpi} by {by} = {cell}")


def test_the_clock_of_the_random_centres_is_that_of_paris() -> None:
    assert contact("2026-03-29 03:30")["started_at"] == datetime(2026, 3, 29, 1, 30)
    assert PARIS.key == "Europe/Paris"
