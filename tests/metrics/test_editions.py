"""Editions: a month is published once, and corrected only where the difference concerns many."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, evaluation, land, land_spend
from builders.forked_python import forked_python
from builders.long_seeds import leave_to_long
from builders.published import EXECUTIVE, MAY, land_all, land_two_queues, of_queue, shown

from qa_core.access.roles import Role, Viewer
from qa_core.analysis import board, board_pdf
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.centre import settings
from qa_core.cli.app import run
from qa_core.delivery import digests
from qa_core.metrics import query
from qa_core.metrics.kpi import editions, publication
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage import lake
from qa_core.storage.lake import tables
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import now
from qa_core.storage.records.editions import Edition
from qa_core.storage.records.imports import ImportBatch
from qa_core.upkeep import purge, subjects


def late(contacts: int, advisors: int, **columns: Any) -> None:
    """Land contacts of May that came late, and let what is due be done."""
    land(
        [
            contact(
                "2026-05-20 10:00",
                f"late{number}",
                queue="a",
                advisor_id=f"a{number % advisors}",
                **columns,
            )
            for number in range(contacts)
        ],
        "late",
    )


def find_counts(*kpis: str) -> dict[str, tuple[int, int]]:
    """Return the rows of these KPIs in editions and now, where an edition differs."""
    found = editions.find_differences(Viewer.SYSTEM)
    return {one.kpi: (one.published, one.now) for one in found if one.kpi in kpis}


def find_may() -> tuple[str, int | None]:
    [may] = [one for one in editions.list_states() if one.month == "2026-05"]
    return may.state, may.edition


def received(where: Filters = MAY) -> float:
    return query.measure(EXECUTIVE, ("received",), (), where)["n"].iloc[0]


@pytest.mark.parametrize(
    "contacts, advisors, is_corrected",
    [(16, 16, True), (9, 9, False), (16, 4, False)],
)
def test_a_correction_is_published_where_enough_contacts_of_enough_advisors_came(
    start_from: Callable[..., None], contacts: int, advisors: int, is_corrected: bool
) -> None:
    start_from(land_two_queues)
    assert received() == 320

    late(contacts, advisors)
    assert find_may() == ("due", 1)

    assert editions.publish_due() == (["2026-05"] if is_corrected else [])
    assert received() == (336 if is_corrected else 320)
    assert find_may() == (("published", 2) if is_corrected else ("changed", 1))
    told = [month for month, _at in editions.find_corrections(EXECUTIVE)]
    assert told == (["2026-05"] if is_corrected else [])
    sheet = board.find_figures(EXECUTIVE)
    named = board.describe_corrections(sheet)
    assert named.startswith("Published anew, with corrected data: May 2026") is is_corrected
    assert board_pdf.describe_foot(sheet, []).endswith(named)
    # Who sees present figures reads what differs instead.
    assert board.describe_corrections(board.find_figures(Viewer.SYSTEM)) == ""
    mailed = [line for part in digests.build(EXECUTIVE, "2026-05").sections for line in part.lines]
    assert mailed[-1].startswith("Published anew") is is_corrected
    differs = {} if is_corrected else {"received": (320, 320 + contacts)}
    assert find_counts("received") == differs
    assert editions.find_differences(EXECUTIVE) == []
    # A manager of one team reads what differs, and no count of the other teams.
    add_people({}, {"Nord": "Lille", "Sud": "Nice"})
    part = Viewer("max", Role.MANAGER, managed_teams=("Nord",))
    found = editions.find_differences(part)
    assert {one.kpi for one in found} >= set(differs)
    assert {(one.published, one.now) for one in found} <= {(None, None)}
    assert editions.publish_due() == []


def test_a_month_is_not_called_changed_once_a_late_import_was_undone(
    start_from: Callable[..., None],
) -> None:
    start_from(land_two_queues)
    late(9, 9)
    assert editions.publish_due() == []
    assert find_may() == ("changed", 1)

    lake.undo("late")

    assert find_may() == ("due", 1) and find_counts("received") == {}
    assert editions.publish_due() == []
    assert find_may() == ("published", 1)


def test_a_late_missed_contact_changes_no_answered_contacts(
    start_from: Callable[..., None],
) -> None:
    start_from(land_two_queues)
    land([contact("2026-05-20 10:00", "late", queue="a", outcome="abandoned")], "late")

    keys = ("received", "answered", "missed", "average_handle_time", "recovered_rate")
    assert find_counts(*keys) == {"received": (320, 321), "missed": (0, 1)}


def test_a_published_value_names_no_source_without_an_import_of_its_months(
    start_from: Callable[..., None], tmp_path: Path
) -> None:
    start_from(land_two_queues)
    rows = "contact_id,started_at,outcome\nT1,{day} 10:00:00,answered\n"
    for name, day in (("old", "2026-05-20"), ("new", "2026-11-20")):
        file = tmp_path / f"{name}.csv"
        file.write_text(rows.format(day=day))
        assert run(["import", "contacts", str(file), "--system", name]) == 0

    sources = query.explain(EXECUTIVE, "received", MAY).sources
    assert [(source.system, source.batches) for source in sources] == [("old", 1)]


def test_executives_are_told_that_a_value_is_the_published_one(
    start_from: Callable[..., None],
    add_person: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    start_from(land_two_queues)
    add_person("rex", "executive")
    add_person("max", "manager")
    told = "The value is the published one"
    for name, is_told in (("rex", True), ("max", False)):
        command = ["kpi", "received", "--explain", "--as", name]
        assert run([*command, "--from", "2026-05-01", "--to", "2026-05-31"]) == 0
        assert (told in capsys.readouterr().out) == is_told


@pytest.mark.parametrize(
    "evaluations, days_ago, is_corrected", [(12, 9, True), (9, 9, False), (12, 1, False)]
)
def test_evaluations_that_came_after_a_month_was_published_reach_executives_once_settled(
    start_from: Callable[..., None], evaluations: int, days_ago: int, is_corrected: bool
) -> None:
    start_from(land_two_queues)
    add_people({f"a{number}": f"Advisor {number}" for number in range(8)}, {"blue": None})
    rows = [{**row, "contact_id": f"c{n}"} for n, row in enumerate(of_queue("a", 8, 20))]
    rows = sorted(rows, key=lambda row: row["local_start"])[:evaluations]  # of all eight
    made_at = now() - timedelta(days=days_ago)
    with store.writing() as session:
        session.add_all(evaluation(row, 60.0, evaluated_at=made_at) for row in rows)
    assert editions.publish_due() == (["2026-05"] if is_corrected else [])
    scores = query.measure(EXECUTIVE, ("evaluation_score",), (), MAY)
    assert scores["n"].iloc[0] == (12 if is_corrected else 0)
    assert received() == 320 and editions.publish_due() == []
    is_waiting = evaluations == 9  # too few to be published; what is not settled is not due
    told = find_counts("received", "evaluation_score")
    assert told == ({"evaluation_score": (0, 9)} if is_waiting else {})


def test_a_published_month_is_told_with_the_settings_that_it_was_published_with(
    start_from: Callable[..., None],
) -> None:
    start_from(land_two_queues)
    with store.writing() as session:
        settings.set_value(session, Viewer.SYSTEM, "service_level_seconds", "60")
    told = {
        viewer.username: [
            entry.value
            for entry in query.explain(viewer, "service_level", MAY).settings
            if entry.name == "service_level_seconds"
        ]
        for viewer in (EXECUTIVE, Viewer.SYSTEM)
    }
    assert told == {EXECUTIVE.username: [20], Viewer.SYSTEM.username: [60]}


def test_a_correction_gives_nobody_away_beside_any_edition_before_it(
    start_from: Callable[..., None],
) -> None:
    start_from(land_two_queues)
    late(16, 16)
    assert editions.publish_due() == ["2026-05"]

    # Sixteen go and one comes: many beside the second edition, one contact beside the first.
    lake.undo("late")
    land([contact("2026-05-20 10:00", "one", queue="a", advisor_id="a1")], "one")

    assert editions.publish_due() == []
    assert received() == 336


@pytest.mark.owner
def test_a_purge_changes_no_edition(
    start_from: Callable[..., None],
) -> None:
    start_from(land_two_queues)
    deleted = purge.purge(Viewer.SYSTEM, date(2028, 1, 10)).deleted
    assert deleted["contacts"] == 321  # and the one after the month

    assert find_may() == ("published", 1)
    assert editions.publish_due() == []
    assert received() == 320


MOMENTS = [
    (name, when)
    for name in ("publish_before_deletion", "forget_evidence")
    for when in ("before", "after")
]


@pytest.mark.parametrize("name, when", leave_to_long(MOMENTS, but=MOMENTS[1:2]))
def test_neither_a_killed_purge_nor_an_erasure_changes_an_edition(
    centre: Path, monkeypatch: pytest.MonkeyPatch, name: str, when: str
) -> None:
    environment.find_drill_file().touch()
    monkeypatch.setenv("QA_CLOCK", "2026-07-20T08:00")
    rows = [{**row, "customer_key": "k"} for row in of_queue("a", 8, 20)]
    rows = [{**row, "contact_id": f"c{n}"} for n, row in enumerate(rows + of_queue("b", 8, 20))]
    back = contact("2026-06-02 10:00", "back", advisor_id="a0", customer_key="k")
    with monkeypatch.context() as patch:
        patch.setattr(tables, "ROWS_PER_FILE", 100)  # May is divided into several files
        land(rows)
        land([{**rows[0], "queue": "b"}], "again")
    land([back, {**back, "contact_id": "new", "customer_key": "new"}], "june")
    assert editions.publish_due() == ["2026-05"]
    june = Filters(Period(date(2026, 6, 1), date(2026, 6, 30)))
    store.engine_for(environment.current().database_url).dispose()

    # Contacts from the tenth of May on still name people.
    monkeypatch.setenv("QA_CLOCK", "2027-06-10T08:00")
    command = [*forked_python(), "-m", "tests.builders.killed_purge"]
    command += [f"qa_core.metrics.kpi.editions.{name}", when, "1"]
    assert subprocess.run(command, cwd=environment.PROJECT, check=False).returncode == -9
    purge.purge(Viewer.SYSTEM)
    assert [one.kinds["contacts"].count for one in purge.find_certificates(Viewer.SYSTEM)] == [96]
    subjects.erase(Viewer.SYSTEM, advisor="a3")
    editions.publish_due()

    assert {one.state for one in editions.list_states()} == {"published"}
    keys = ("first_time_callers", "returning_callers")
    counted = query.measure(Viewer.SYSTEM, keys, (), june)
    assert counted["value"].tolist() == [1.0, 1.0]


def test_late_contacts_of_a_part_that_is_hidden_are_not_published_though_the_total_grew_by_many(
    centre: Path,
) -> None:
    # Of the 26 that came, 10 are of two advisors in the hidden queues: 26 less 16.
    hidden = [*of_queue("small", 4, 6), *of_queue("smaller", 4, 3)]
    land_all(of_queue("a", 8, 20), of_queue("b", 8, 20), hidden)
    assert shown("received", "queue")["small"] == "suppressed"
    before = received()
    late(16, 16)
    rows = [
        contact("2026-05-21 10:00", f"more{number}", queue="small", advisor_id=f"a{number % 2}")
        for number in range(10)
    ]
    land(rows, "more")

    assert editions.publish_due() == []
    assert received() == before


def test_a_new_name_is_not_published_beside_the_old_ones(centre: Path) -> None:
    # Two queues become one: its number less the old one is the other's, which was hidden.
    land_all(of_queue("a", 8, 20), of_queue("b", 8, 20), of_queue("c", 8, 10), of_queue("d", 2, 6))
    before = shown("received", "queue")
    assert before["c"] == before["d"] == "suppressed"
    renamed = [
        {**row, "contact_id": f"c{320 + number}", "queue": "a"}
        for number, row in enumerate(of_queue("c", 8, 10))
    ]
    land(renamed, "renamed")
    assert dict(
        query.measure(Viewer.SYSTEM, ("received",), ("queue",), MAY).set_index("queue")["n"]
    ) == {"a": 240, "b": 160, "d": 12}

    assert editions.publish_due() == []
    assert shown("received", "queue") == before


def batch(first: date, last: date, finished_days_ago: int) -> None:
    """Note an import of these days that finished so many days ago."""
    with store.writing() as session:
        session.add(
            ImportBatch(
                id=f"of {first}",
                kind="contacts",
                file_name="f.csv",
                digest="d",
                system="generic",
                profile="p",
                options={},
                state="done",
                first_day=first,
                last_day=last,
                actor="ada",
                finished_at=now() - timedelta(days=finished_days_ago),
            )
        )


def test_a_process_beside_the_server_publishes_and_ends_with_the_server(centre: Path) -> None:
    rows = [*of_queue("a", 8, 20), *of_queue("a", 8, 20, month=4)]
    land([{**row, "contact_id": f"c{number}"} for number, row in enumerate(rows)])
    batch(date(2026, 4, 1), date(2026, 4, 30), finished_days_ago=9)
    assert editions.find_due() == ["2026-04"]

    def start() -> subprocess.Popen[bytes]:
        command = [*forked_python(), "-m", "qa_core.upkeep.beside"]
        return subprocess.Popen(command, cwd=environment.PROJECT, stdin=subprocess.PIPE)

    with store.one_import_at_a_time():  # it waits for its turn
        process = start()
        process.stdin.close()
        assert process.wait(timeout=600) == 1
    assert editions.find_due() == ["2026-04"]

    process = start()
    assert process.wait(timeout=600) == 0
    process.stdin.close()
    assert editions.find_due() == []
    assert received(Filters(Period(date(2026, 4, 1), date(2026, 4, 30)))) == 160


def test_a_month_waits_until_it_has_settled_and_an_administrator_need_not(centre: Path) -> None:
    rows = [*of_queue("a", 8, 20), *of_queue("a", 8, 20, month=4)]
    land([{**row, "contact_id": f"c{number}"} for number, row in enumerate(rows)])
    land([contact("2026-06-01 10:00", "after", advisor_id="a0")], "after")
    batch(date(2026, 4, 1), date(2026, 4, 30), finished_days_ago=9)
    batch(date(2026, 5, 1), date(2026, 5, 31), finished_days_ago=7)
    with pytest.raises(Refusal, match="No month has been published yet"):
        received()

    assert editions.publish_due() == ["2026-04"]
    states = {one.month: one.state for one in editions.list_states()}
    assert states == {"2026-04": "published", "2026-05": "waiting"}
    assert query.data_span(EXECUTIVE) == (date(2026, 4, 4), date(2026, 4, 30))
    with pytest.raises(Refusal, match="complete calendar months"):
        received()
    with pytest.raises(AccessDenied):
        editions.publish(Viewer("max", Role.MANAGER))
    assert editions.publish(Viewer("ada", Role.ADMIN)) == ["2026-05"]
    assert received() == 160
    with store.reading() as session:
        rows = sa.select(JournalRow.actor, JournalRow.object).where(
            JournalRow.action == "edition_published"
        )
        assert session.execute(rows).all() == [("system", "2026-04"), ("ada", "2026-05")]


def test_a_lost_edition_is_no_data_until_it_is_published_anew(centre: Path) -> None:
    land_all(of_queue("a", 8, 20, month=4), of_queue("a", 8, 20), of_queue("a", 8, 20, month=6))
    half = Filters(Period(date(2026, 4, 1), date(2026, 6, 30)))
    assert received(half) == 480
    with store.writing() as session:
        session.execute(sa.delete(Edition).where(Edition.month == "2026-05"))

    assert shown("received", where=half) == {None: "no_data"}
    assert shown("received", "month", where=half) == {
        "2026-04": "ok",
        "2026-06": "ok",
    }
    assert editions.publish_due() == ["2026-05"]
    assert received(half) == 480


def test_editions_hold_nothing_of_a_hidden_cell_but_that_it_is_hidden(centre: Path) -> None:
    land_all(of_queue("a", 8, 20), of_queue("b", 8, 10), of_queue("small", 2, 6))
    tables = publication.load("queue", ["2026-05"])["2026-05"]
    assert set(tables["small"].values()) == {None}
    assert tables["a"]["received"]["n"] == 160
    with store.reading() as session:
        [evidence] = session.scalars(sa.select(Edition.evidence))
    assert not [one for one in evidence if one[1:3] == ["queue", "small"]]


def test_executives_see_what_managers_see_of_large_groups(centre: Path) -> None:
    rows = [
        row | {"wait_seconds": 3.0 + number % 50, "talk_seconds": 60.0 + number % 7}
        for number, row in enumerate(of_queue("a", 8, 20) + of_queue("b", 8, 20))
    ]
    land_spend([("2026-05-04", None, None, 90.0, "EUR"), ("2026-05-05", None, None, 9.0, "USD")])
    land_all(rows, of_queue("a", 8, 20, month=6))
    kpis = ("received", "csat", "csat_mean", "average_talk_time", "answer_rate", "spend")
    where = Filters(Period(date(2026, 5, 1), date(2026, 6, 30)))
    columns = ["kpi", "value", "numerator", "denominator", "n", "low", "high", "status"]
    for by in ((), ("queue",), ("month",)):
        asked = kpis if by != ("queue",) else kpis[:-1]
        theirs, whole = (
            query.measure(viewer, asked, by, where, has_percentiles=False)[columns]
            for viewer in (EXECUTIVE, Viewer.SYSTEM)
        )
        numbers = columns[1:7]
        assert theirs.drop(columns=numbers).equals(whole.drop(columns=numbers))
        assert (theirs[numbers] - whole[numbers]).abs().max(axis=None) < 1e-9


def test_executives_read_which_figures_of_a_site_may_lack_missed_contacts(centre: Path) -> None:
    add_people({}, {"Nord": "Lille", "Sud": "Nantes"})
    rows = [row | {"team": "Nord"} for row in of_queue("a", 8, 20)]
    rows += [row | {"team": "Sud"} for row in of_queue("b", 8, 20)]
    missed = {"advisor_id": None, "outcome": "abandoned", "wait_seconds": 30.0}
    land_all(rows + [row | missed for row in of_queue("c", 8, 10)])
    lille, kpis = Filters.of(values={"site": ["Lille"]}), ("answer_rate", "answered")
    note = ("missed_without_team",)

    for rows in (
        query.measure(EXECUTIVE, kpis, ("site",)).query("site == 'Lille'"),
        query.measure(EXECUTIVE, kpis, (), lille),
    ):
        read = [(row.value, row.notes) for row in rows.itertuples()]
        assert read == [(1.0, note), (160.0, ())]
    (rate,) = query.measure(EXECUTIVE, ("answer_rate",)).itertuples()
    assert (rate.value, rate.notes) == (0.8, ())


def test_the_command_line_lists_and_publishes(centre: Path, capsys) -> None:
    rows = of_queue("a", 8, 20)
    land([{**row, "contact_id": f"c{number}"} for number, row in enumerate(rows)])
    land([contact("2026-06-01 10:00", "after", advisor_id="a0")], "after")
    assert run(["editions", "list", "--json"]) == 0
    [listed] = json.loads(capsys.readouterr().out)
    assert (listed["month"], listed["state"], listed["edition"]) == ("2026-05", "due", None)
    assert run(["editions", "publish", "2026-06"]) == 1
    assert "the data must hold it to its end" in capsys.readouterr().err
    for text in ("2026-13", "2026-5", "May"):
        assert run(["editions", "publish", "2026-05", text]) == 2
        assert f"{text} like this: 2026-10" in capsys.readouterr().err
    assert run(["editions", "due", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"published": ["2026-05"]}
    assert run(["editions", "publish", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"published": []}
