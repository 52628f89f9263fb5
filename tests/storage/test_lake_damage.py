"""Damage of the lake: found by the doctor, named where it is met, and no trouble elsewhere."""

from __future__ import annotations

import functools
import json
from datetime import date
from pathlib import Path

import pytest
from builders.centres import contact, land
from builders.health import find_check

from qa_core.access.roles import Role, Viewer
from qa_core.base.errors import Refusal
from qa_core.cli.app import run
from qa_core.metrics import measure
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import lake
from qa_core.storage.lake import month_sums

MANAGER = Viewer("max", Role.MANAGER, managed_teams=("Nord",))
MAY = Period(date(2026, 5, 1), date(2026, 5, 31))
JULY = Period(date(2026, 7, 1), date(2026, 7, 31))


@pytest.fixture
def file(centre: Path) -> Path:
    """The file of May; July has another."""
    land(
        [contact(f"2026-05-{day:02}", f"m{day}", team="Nord") for day in range(1, 29)]
        + [contact("2026-07-02", "j1", team="Nord")]
    )
    [file] = lake.files("contacts", "2026-05", "2026-05")
    return Path(file)


def count(period: Period) -> float:
    return measure(MANAGER, ("received",), where=Filters(period)).value.item()


state_of_the_lake = functools.partial(find_check, "lake")


def test_a_whole_lake_is_well(file: Path) -> None:
    assert state_of_the_lake()[0] == state_of_the_lake(deep=True)[0] == "ok"


@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_file_that_is_missing_or_cut_is_found_without_reading_it(file: Path, damage: str) -> None:
    content = file.read_bytes()
    file.unlink()
    if damage == "cut":
        file.write_bytes(content[:-9])

    state, detail = state_of_the_lake()

    assert state == "bad" and "2026-05" in detail and file.name in detail and "backup" in detail


def test_every_flipped_bit_is_found_by_the_deep_check(file: Path) -> None:
    content = file.read_bytes()
    for place in range(0, len(content), len(content) // 40):
        file.write_bytes(
            content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 :]
        )
        assert [(one.month, one.table) for one in lake.find_damage(deep=True)] == [
            ("2026-05", "contacts")
        ]
    file.write_bytes(content)
    assert lake.find_damage(deep=True) == []


def test_a_figure_of_a_damaged_month_names_the_file_and_other_months_are_counted(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (count(MAY), count(JULY)) == (28, 1)
    file.unlink()
    month_sums.forget()

    with pytest.raises(Refusal) as refused:
        count(MAY)

    assert refused.value.code == "lake_damaged"
    assert refused.value.params["month"] == "2026-05" and file.name in str(refused.value)
    assert count(JULY) == 1
    capsys.readouterr()
    assert run(["kpi", "received", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "lake_damaged"


def test_an_import_into_a_damaged_month_is_refused_and_changes_nothing(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-9])
    before = lake.version("contacts")

    with pytest.raises(Refusal) as refused:
        land([contact("2026-05-30", "m30", team="Nord")], "second")

    assert refused.value.code == "lake_damaged" and lake.version("contacts") == before
    assert count(JULY) == 1


def test_a_damaged_log_is_refused_in_a_sentence(file: Path) -> None:
    for entry in (file.parents[1] / "_delta_log").glob("*.json"):
        entry.write_text("{", encoding="utf-8")

    with pytest.raises(Refusal, match="log of contacts"):
        count(MAY)
    assert state_of_the_lake()[0] == "bad"
