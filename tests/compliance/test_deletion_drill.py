"""Drills of deletion: a centre that lives through fourteen months, and purges that are
killed at any moment.
"""

from __future__ import annotations

import math
import os
import shutil
import subprocess
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from builders.aging_centre import add_one_of_each, add_scorecard
from builders.centres import add_people
from builders.erasure import find_traces
from builders.forked_python import forked_python
from builders.plain_overdue import count_outside, count_overdue

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.metrics import kpis, measure
from qa_core.metrics.kpi import editions
from qa_core.metrics.kpi.closed_months import LEFT_OUT
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.people import Advisor
from qa_core.upkeep import purge

SYSTEM = Viewer.SYSTEM
FIRST_DAY = date(2025, 1, 1)
ADVISORS = {f"a{number}": f"Advisor {number}" for number in range(6)}
PERSONAL = ("customer", "words", "comment", "goal", "note", "dispute", "row", "reason", "cells")
PERSONAL += ("person", "left", "answer")
"""What is written of people on each day, after the name of the day."""
Figures = dict[str, tuple[Any, Any]]


def measure_month(first_day: date) -> Figures:
    """Every KPI of that month: its value, and whether it is said not to be answerable."""
    following = (first_day + timedelta(days=32)).replace(day=1)
    period = Period(first_day, following - timedelta(days=1))
    frame = measure(SYSTEM, [kpi.key for kpi in kpis.ALL], where=Filters(period))
    return {
        row.kpi: (None if math.isnan(row.value) else row.value, LEFT_OUT in (row.notes or ()))
        for row in frame.astype({"value": float}).itertuples()
    }


def find_changed(before: Figures, after: Figures) -> list[str]:
    """The KPIs whose value is another one, and is not said to be missing."""
    return [
        name
        for name, (value, _left_out) in before.items()
        if after[name][0] != pytest.approx(value) and after[name] != (None, True)
    ]


def live_through(
    home: Path,
    days: Iterable[date],
    sent: Path,
    monkeypatch: pytest.MonkeyPatch,
    figures: dict[date, Figures] | None = None,
) -> dict[str, int]:
    """Live through these days: on each, one of every kind of data comes, then a purge runs,
    after which nothing may be overdue. Returns what was deleted by kind; `figures` takes
    those of each month as they were two weeks later, when no repeat window was open.
    """
    total: dict[str, int] = {}
    for number, day in enumerate(days):
        monkeypatch.setenv("QA_CLOCK", f"{day}T20:00")
        month = (day.replace(day=1) - timedelta(days=1)).replace(day=1)
        if figures is not None and day.day >= 15 and FIRST_DAY <= month not in figures:
            figures[month] = measure_month(month)
        at = datetime(day.year, day.month, day.day, 9, tzinfo=UTC)
        advisor_id = f"a{number % len(ADVISORS)}"
        with store.writing() as session:  # one who left comes back
            session.merge(Advisor(advisor_id=advisor_id, name=ADVISORS[advisor_id]))
        add_one_of_each(sent, f"d{day:%Y%m%d}", at, advisor_id)
        counted = count_overdue(home, day)
        result = purge.purge(SYSTEM)

        assert dict(result.deleted) == counted, day
        assert count_overdue(home, day) == {}, day
        assert count_outside(home, day) == 0, day
        assert purge.find_overdue(SYSTEM) == [], day
        if result.certificate:
            assert result.certificate.is_genuine
            certified = {kind: due.count for kind, due in result.certificate.kinds.items()}
            assert certified == counted, day
        for kind, count in counted.items():
            total[kind] = total.get(kind, 0) + count
    return total


@pytest.fixture
def drill(centre: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    environment.find_drill_file().touch()
    monkeypatch.setenv("QA_CLOCK", f"{FIRST_DAY}T08:00")
    add_people(ADVISORS)
    add_scorecard()
    return centre


@pytest.mark.sqlite("it counts in the file of the records by itself")
@pytest.mark.parametrize("middle", [(400,), pytest.param((182, 400), marks=pytest.mark.long)])
def test_nothing_is_overdue_after_the_purge_of_chosen_days(
    drill: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    middle: tuple[int, ...],
) -> None:
    days = [FIRST_DAY + timedelta(days=step) for step in (0, *middle, 1530)]
    old = len(days) - 1

    total = live_through(drill, days, tmp_path_factory.mktemp("sent"), monkeypatch)

    assert (total["recordings"], total["evaluations"], total["contacts"]) == (old, old, 2 * old)
    # Three years after the fourteenth month, nobody is found who came before.
    # The account in the name of the erased person is deleted like the others.
    assert (total["requests"], total["closed_accounts"], total["leavers"]) == (old, old + 1, 5)
    words = [f"d{day:%Y%m%d}-{what}" for day in days[:-1] for what in PERSONAL]
    # The proof that the last recording was deleted, today, names its advisor for a year.
    proven, new = f"a{old - 1}", f"a{old}"
    words += [name for advisor, name in ADVISORS.items() if advisor not in (proven, new)]
    assert [word for word in words if find_traces(drill, word)] == []
    assert all(find_traces(drill, f"d{days[-1]:%Y%m%d}-{what}") for what in PERSONAL)


DAILY = (
    (date(2025, 1, 25), date(2025, 2, 7)),
    (date(2025, 3, 22), date(2025, 4, 3)),  # with the day on which summer time begins
    (date(2026, 1, 25), date(2026, 2, 7)),
    (date(2026, 2, 24), date(2026, 3, 7)),
)
"""Days with a purge each: months close, and the periods of months of other lengths end."""


@pytest.mark.long
def test_nothing_is_overdue_within_fourteen_months_and_figures_stay(
    drill: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = (date(2026, 3, 8) - FIRST_DAY).days
    days = [
        day
        for step in range(count)
        if (day := FIRST_DAY + timedelta(days=step)).weekday() == 2
        or any(first <= day <= last for first, last in DAILY)
    ]

    figures: dict[date, Figures] = {}
    sent = tmp_path_factory.mktemp("sent")
    total = live_through(drill, days, sent, monkeypatch, figures)

    changed = {
        month: found
        for month, before in figures.items()
        if (found := find_changed(before, measure_month(month)))
    }
    after = {month: measure_month(month) for month in figures}
    left_out = sum(
        value != (None, True) and after[month][name] == (None, True)
        for month, before in figures.items()
        for name, value in before.items()
    )
    print(f"\n{len(days)} days, deleted: {total}; months: {len(figures)}; no longer: {left_out}")
    assert changed == {}
    assert set(total) >= {"recordings", "evaluations", "contacts", "journal", "quarantine"}
    with store.reading() as session:
        assert audit_log.verify(session).ok


MOMENTS = 50


def purge_elsewhere(home: Path, write: int) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*forked_python(), "-m", "tests.builders.killed_purge", "write", str(write)],
        cwd=environment.PROJECT,
        env={**os.environ, "QA_HOME": str(home)},
        capture_output=True,
        check=False,
    )


@pytest.mark.long
def test_a_purge_killed_at_any_of_fifty_writes_is_finished_by_the_next(
    centre: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_people({"ann-secret": "Ann"})
    add_scorecard()
    for name, at in (("old", datetime(2022, 1, 15, 9, tzinfo=UTC)), ("new", datetime.now(UTC))):
        add_one_of_each(tmp_path_factory.mktemp(name), name, at)
    store.engine_for(environment.current().database_url).dispose()
    homes = tmp_path_factory.mktemp("homes")
    expected = count_overdue(centre, environment.today())
    shutil.copytree(centre, homes / "whole")
    writes = int(purge_elsewhere(homes / "whole", 0).stdout)
    moments = sorted({1 + place * (writes - 1) // (MOMENTS - 1) for place in range(MOMENTS)})
    for moment in moments:
        home = homes / str(moment)
        shutil.copytree(centre, home)
        assert purge_elsewhere(home, moment).returncode == -9
        monkeypatch.setenv("QA_HOME", str(home))

        purge.purge(SYSTEM)

        certified: dict[str, int] = {}
        for certificate in purge.find_certificates(SYSTEM):
            assert certificate.is_genuine
            for kind, due in certificate.kinds.items():
                certified[kind] = certified.get(kind, 0) + due.count
        assert certified == expected, moment
        assert count_overdue(home, environment.today()) == {}, moment
        assert count_outside(home, environment.today()) == 0, moment
        words = ("old-customer", "old-words", "old-comment", "old-reason", "old-cells")
        assert [word for word in words if find_traces(home, word)] == [], moment
        assert find_traces(home, "new-comment") and find_traces(home, "new-customer")
        states = {one.month: one.state for one in editions.list_states()}
        assert states["2022-01"] == "published" and "changed" not in states.values(), moment
        with store.reading() as session:
            assert audit_log.verify(session).ok, moment
        store.engine_for(environment.current().database_url).dispose()
        shutil.rmtree(home)
    print(f"\n{writes} writes, killed at {len(moments)}")
    assert len(moments) == MOMENTS
