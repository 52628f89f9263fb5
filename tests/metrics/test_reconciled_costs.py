"""Costs, against a plain count of random small centres."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from builders.centres import land, land_spend
from builders.plain_count import (
    CUTS,
    assert_same,
    is_inbound,
)
from builders.random_centre import (
    LOOSELY,
    fresh_lake,
    make_contacts,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from qa_core.access.roles import Viewer
from qa_core.metrics import query


@given(seed=st.integers(0, 2**32), size=st.integers(0, 60))
@settings(max_examples=5, **LOOSELY)
def test_costs_divide_each_cell_s_money_by_its_own_contacts(
    records: Path, seed: int, size: int
) -> None:
    draw = random.Random(seed)
    contacts = [row for row in make_contacts(draw, size) if draw.random() < 0.9]
    spend = {
        (
            f"2026-03-{day:02d}",
            draw.choice(("google", "bing", "other")),
            draw.choice(("spring", None)),
            "EUR",
        ): float(draw.randrange(1, 90))
        for day in range(10, 31)
    }
    with pytest.MonkeyPatch.context() as patch:
        fresh_lake(records, patch)
        if contacts:
            land(contacts)
        land_spend(
            (day, source, campaign, amount, currency)
            for (day, source, campaign, currency), amount in spend.items()
        )
        kinds = {
            "cost_per_contact": lambda row: True,
            "cost_per_answered": lambda row: row["outcome"] == "answered",
            "cost_per_resolved": lambda row: (
                row["outcome"] == "answered" and row["declared_resolved"] is True
            ),
        }
        of_spend = {
            "source": lambda key: key[1],
            "campaign": lambda key: key[2],
            "month": lambda key: key[0][:7],
            "day": lambda key: date.fromisoformat(key[0]),
        }
        for by in (None, "source", "campaign", "month", "day"):
            money: dict[Any, float] = defaultdict(float)
            for key, amount in spend.items():
                money[of_spend[by](key) if by else None] += amount
            for row in query.measure(Viewer.SYSTEM, tuple(kinds), (by,) if by else ()).itertuples():
                cell = (
                    None if by is None or getattr(row, by) != getattr(row, by) else getattr(row, by)
                )
                n = sum(
                    is_inbound(one)
                    and one["source"] is not None
                    and kinds[row.kpi](one)
                    and (by is None or CUTS[by](one) == cell)
                    for one in contacts
                )
                assert_same(
                    row,
                    {"n": n, "value": money[cell] / n if n and cell in money else None},
                    f"{row.kpi} by {by}",
                )
