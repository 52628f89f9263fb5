"""One number wherever it is read: page, file, workbook and command line say the same of
every KPI, and the parts of a cut add up to the whole.
"""

from __future__ import annotations

import csv
import io
import json
import math
import random
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from builders.centres import add_people, contact, land, land_spend
from builders.random_centre import (
    ADVISORS,
    DAYS,
    FIRST,
    TEAMS,
    make_contacts,
    make_evaluations,
    make_rounds,
)
from python_calamine import CalamineWorkbook

from qa_core.access.roles import Viewer
from qa_core.analysis import exports
from qa_core.cli.app import run
from qa_core.metrics import kpis, query
from qa_core.metrics.kpis import KpiKind, formatting
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage.records import store
from qa_core.ui.frame.filter_bar import FilterState
from qa_core.ui.widgets import cards

SYSTEM = Viewer.SYSTEM
WHERE = Filters(Period(FIRST.date(), (FIRST + timedelta(days=DAYS)).date()))
BY_PEOPLE = Filters.of(WHERE.period, {"handled_by": ["person", "machine_then_person", None]})
KEYS = tuple(kpi.key for kpi in kpis.ALL)

WHY_NOT = {
    "missed": "a part none of whose contacts has a known outcome has no data",
    "csat_if_silent_unhappy": "a part where no survey is known to have been sent has no data",
    "csat_if_silent_happy": "a part where no survey is known to have been sent has no data",
    "cost_per_contact": "money of a part without contacts buys none, and has no cost per contact",
    "cost_per_answered": "money of a part without answered contacts buys none",
    "cost_per_resolved": "money of a part without resolved contacts buys none",
}
"""Whose parts may add up to less than the whole."""
SHARED = {"alignment": ("evaluator",)}
"""A pair of marks is of two evaluators, and counted under each: their parts add up to
more.
"""
SHARED_BY_EVALUATIONS = ("criterion", "section")
"""So is one evaluation, under each of its criteria and sections."""


@pytest.fixture
def drawn(centre: Path, start_from: Callable[..., Any]) -> Path:
    """120 contacts of 45 days with evaluations and calibrations, and spend in one
    currency.
    """
    start_from(draw_centre)
    return centre


def draw_centre() -> None:
    draw = random.Random(7)
    contacts = make_contacts(draw, 120)
    add_people(ADVISORS, TEAMS)
    land(contacts)
    land_spend(
        [("2026-03-12", "google", "spring", 30.0, "EUR"), ("2026-04-02", "bing", None, 12.5, "EUR")]
    )
    with store.writing() as session:
        session.add_all(made for made in make_evaluations(draw, contacts) if made.grid_id is None)
    make_rounds(draw, contacts)


def test_every_kpi_reads_the_same_on_its_tile_in_both_files_and_on_the_command_line(
    drawn: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = list(query.measure(SYSTEM, KEYS, (), WHERE).itertuples())
    assert {row.kpi for row in rows} == set(KEYS)
    measured = [None if formatting.is_missing(row.value) else row.value for row in rows]
    assert sum(value is not None for value in measured) > len(KEYS) / 2

    asked = exports.build_figure_parameters(KEYS, (), WHERE)
    lines = list(
        csv.reader(io.StringIO(exports.build_file(SYSTEM, **asked).content.decode("utf-8-sig")))
    )
    filed = [
        dict(zip(lines[lines.index([]) + 1], line, strict=True))
        for line in lines[lines.index([]) + 2 :]
    ]
    # Two threads of the engine may add in another order.
    nearly = [None if value is None else pytest.approx(value, rel=1e-12) for value in measured]
    assert [float(line["Value"]) if line["Value"] else None for line in filed] == nearly

    workbook = CalamineWorkbook.from_filelike(
        io.BytesIO(exports.build_file(SYSTEM, **asked, form="xlsx").content)
    )
    head, *body = workbook.get_sheet_by_index(0).to_python()
    cells = [dict(zip(head, line, strict=True))["Value"] for line in body]
    assert [None if cell == "" else cell for cell in cells] == nearly

    assert (
        run(
            [
                "kpi",
                *KEYS,
                "--from",
                str(WHERE.period.first_day),
                "--to",
                str(WHERE.period.last_day),
                "--json",
            ]
        )
        == 0
    )
    assert [row["value"] for row in json.loads(capsys.readouterr().out)["rows"]] == nearly

    look = FilterState(where=WHERE, currency="EUR")
    for row, line in zip(rows, filed, strict=True):
        if not formatting.is_missing(row.value):
            assert cards.build_tile(row, look).value.lstrip("−-") == line["As shown"].lstrip(
                "'"
            ).lstrip("−-"), row.kpi


def test_the_parts_of_every_cut_add_up_to_the_whole(drawn: Path) -> None:
    added_up = [kpi for kpi in kpis.ALL if kpi.kind in (KpiKind.TOTAL, KpiKind.RATIO)]

    def measure(by: str | None, where: Filters = WHERE) -> dict[str, pd.DataFrame]:
        """The rows of each of these KPIs that has the dimension, by its key."""
        cut = tuple(kpi.key for kpi in added_up if by is None or by in kpi.dimensions)
        found = query.measure(SYSTEM, cut, () if by is None else (by,), where)
        return {key: found[found["kpi"] == key] for key in cut}

    wholes = measure(None)
    with_people = [kpi for kpi in added_up if "handled_by" in kpi.dimensions]
    of_people = query.measure(SYSTEM, tuple(kpi.key for kpi in with_people), (), BY_PEOPLE)
    by_people = {**wholes, **dict(iter(of_people.groupby("kpi")))}
    for dimension in sorted({name for kpi in added_up for name in kpi.dimensions}):
        for key, parts in measure(dimension).items():
            for name in ("numerator", "denominator"):
                # A machine is no advisor.
                (total,) = (by_people if dimension == "advisor" else wholes)[key][name]
                summed = parts[name].fillna(0).sum()
                if formatting.is_missing(total):
                    continue
                if dimension in SHARED.get(key, SHARED_BY_EVALUATIONS):
                    assert summed >= total - 1e-9, (key, dimension, name)
                elif key in WHY_NOT:
                    assert summed <= total + 1e-9, (key, dimension, name)
                else:
                    assert math.isclose(summed, total, abs_tol=1e-9), (key, dimension, name)


def test_a_change_between_two_single_contacts_is_called_neither_better_nor_worse(
    centre: Path,
) -> None:
    land(
        [
            contact("2026-09-20 09:00", wait_seconds=5.0),
            contact("2026-10-20 09:00", wait_seconds=95.0),
        ]
    )
    september, october = (Period(date(2026, month, 1), date(2026, month, 30)) for month in (9, 10))
    where = Filters(october)
    (row,) = query.measure(
        SYSTEM, ("average_speed_of_answer",), where=where, compare=september
    ).itertuples()

    tile = cards.build_tile(row, FilterState(where=where, compare=september))

    assert (tile.delta, tile.delta_arrow, tile.delta_tone) == (
        formatting.change(90, "seconds"),
        "up",
        "",
    )
