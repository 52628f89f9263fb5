"""Undoing a batch restores exactly what stood before; an import killed at any moment is
finished or taken back, never counted twice.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.forked_python import forked_python
from builders.import_files import (
    CALLS,
    SURVEYS,
    TRACKING,
    bring,
    find_contacts,
    find_evaluations,
    find_facts,
    find_memberships,
    find_waiting,
    write,
)
from builders.listening_centre import allow_evaluations, inform, open_gates
from builders.long_seeds import leave_to_long

from qa_core import ingest
from qa_core.access.roles import Viewer
from qa_core.base import i18n
from qa_core.base.errors import Refusal
from qa_core.compliance import restrictions
from qa_core.compliance.conditions import exclusions, notices
from qa_core.storage import audit_log, lake
from qa_core.storage.records import store
from qa_core.storage.records.imports import BeforeImage, ImportBatch, WaitingRow
from qa_core.storage.records.people import Advisor, Site, Team
from qa_core.storage.records.retention import Objection
from qa_core.upkeep import subjects

MARKS = (
    "contact_id,evaluator,evaluated_at,grid,score\nC1,Eve,2026-03-05,Service,80\nC9,Max,"
    "2026-03-05,Service,60\n"
)


def everything() -> dict[str, object]:
    """All that an undo must restore."""
    with store.reading() as session:
        people = [
            sorted(session.scalars(sa.select(column)))
            for column in (Advisor.advisor_id, Team.name, Site.name)
        ]
    facts = sorted(map(str, find_facts())) if lake.version("contacts") >= 0 else []
    return {
        "facts": facts,
        "evaluations": find_evaluations(),
        "waiting": sorted(find_waiting(), key=str),
        "memberships": find_memberships(),
        "people": people,
    }


CHANGED = CALLS.replace(",120,", ",999,").replace("Becky", "Fatou").replace("C3", "C9")
FILES = {
    "contacts": CHANGED,
    "surveys": SURVEYS,
    "tracking": TRACKING,
    "evaluations": MARKS,
    "advisors": "advisor_id,name,team,site,from\nDiane,Diane "
    "Leroy,South,Lille,2026-01-01\nA9,Zoé,South,Lille,\n",
    "spend": "day,source,campaign,amount,currency\n2026-03-01,Google,Spring,99,EUR\n2026-03-02,"
    "Bing,Spring,7,EUR\n",
}


def bring_one_of_each(folder: Path) -> None:
    bring(folder, "contacts", CALLS)
    bring(folder, "surveys", "contact_id,csat\nC1,1\nC9,4\n")
    bring(
        folder,
        "evaluations",
        "contact_id,evaluator,evaluated_at,grid,score\nC1,Eve,2026-03-05,Service,30\nC9,Eve,"
        "2026-03-05,Service,60\n",
    )
    bring(folder, "spend", "day,source,campaign,amount,currency\n2026-03-01,Google,Spring,10,EUR\n")


@pytest.mark.parametrize("kind", FILES)
def test_an_undone_batch_leaves_everything_as_it_was(
    centre: Path, start_from: Callable[..., None], kind: str
) -> None:
    start_from(bring_one_of_each, centre)
    before = everything()
    report = bring(centre, kind, FILES[kind])
    assert everything() != before
    assert ingest.undo(Viewer.SYSTEM, report.batch_id) == {
        "batch": report.batch_id,
        "state": "undone",
    }
    assert everything() == before
    assert (
        next(
            row["state"]
            for row in ingest.find_batches(Viewer.SYSTEM)
            if row["id"] == report.batch_id
        )
        == "undone"
    )
    # It can come again.
    again = bring(centre, kind, FILES[kind])
    assert not again.recognised and again.tally.as_counts() == report.tally.as_counts()


def test_undoing_contacts_lets_what_had_joined_them_wait_again(centre: Path) -> None:
    bring(centre, "surveys", SURVEYS)
    bring(centre, "tracking", TRACKING)
    allow_evaluations("Becky", "Diane")
    bring(centre, "evaluations", MARKS)
    before = everything()
    report = bring(centre, "contacts", CALLS)
    assert len(find_evaluations()) == 1
    ingest.undo(Viewer.SYSTEM, report.batch_id)
    assert everything() == before and find_contacts() == []


def test_undoing_surveys_takes_back_those_that_joined_later(centre: Path) -> None:
    report = bring(centre, "surveys", SURVEYS)
    bring(centre, "contacts", CALLS)
    ingest.undo(Viewer.SYSTEM, report.batch_id)
    assert find_contacts("csat", "survey_sent") == [
        ("C1", None, None),
        ("C2", None, None),
        ("C3", None, None),
    ]
    assert find_waiting() == []


def test_an_undo_that_would_lose_a_later_import_is_refused_and_changes_nothing(
    centre: Path,
) -> None:
    bring(centre, "surveys", "contact_id,csat\nC1,1\n")
    first = bring(centre, "contacts", CALLS)
    bring(centre, "contacts", CALLS.replace(",180,", ",181,"))
    before = everything()
    with pytest.raises(Refusal) as refused:
        ingest.undo(Viewer.SYSTEM, first.batch_id)
    assert refused.value.code == "changed_since" and everything() == before


def test_what_was_entered_for_an_advisor_holds_when_their_first_file_is_undone(
    centre: Path,
) -> None:
    """Diane came with the file: a restriction, an objection, an exclusion and her notice."""
    first = bring(centre, "contacts", CALLS)
    open_gates()
    inform("Diane")
    subjects.exclude(Viewer.SYSTEM, "representative", advisor="Diane")
    subjects.object_to(Viewer.SYSTEM, advisors=["Diane"])
    subjects.restrict(Viewer.SYSTEM, advisor="Diane")

    ingest.undo(Viewer.SYSTEM, first.batch_id)

    with store.reading() as session:
        assert session.scalars(sa.select(Advisor.advisor_id)).all() == ["Diane"]
        assert exclusions.load(session).advisors == {"Diane"}
    assert [entry.advisor_id for entry in restrictions.find_all(Viewer.SYSTEM)] == ["Diane"]
    [objection] = restrictions.find_all(Viewer.SYSTEM, Objection)
    assert objection.advisor_id == "Diane"
    [notice] = notices.find_all(Viewer.SYSTEM)
    assert notice.informed_on is not None


def test_contacts_that_were_evaluated_since_are_not_taken_away(centre: Path) -> None:
    calls = bring(centre, "contacts", CALLS)
    marks = bring(centre, "evaluations", MARKS)
    with pytest.raises(Refusal) as refused:
        ingest.undo(Viewer.SYSTEM, calls.batch_id)
    assert refused.value.params["later"] == marks.batch_id
    for batch in (marks, calls):
        ingest.undo(Viewer.SYSTEM, batch.batch_id)
    assert find_contacts() == [] and find_evaluations() == []


def test_what_is_not_standing_cannot_be_undone(centre: Path) -> None:
    report = bring(centre, "contacts", CALLS)
    ingest.undo(Viewer.SYSTEM, report.batch_id)
    for batch in (report.batch_id, "nobody"):
        with pytest.raises(Refusal) as refused, i18n.in_language("fr"):
            ingest.undo(Viewer.SYSTEM, batch)
        assert "undone" not in str(refused.value)


MOMENTS = [
    ("qa_core.ingest.reading.table_reader.stage", "after"),
    ("qa_core.ingest.load.contacts.prepare_contacts", "after"),
    ("qa_core.ingest.load.batches.start", "after"),
    ("qa_core.storage.lake.tables.write_part", "after"),
    ("qa_core.storage.lake.tables.commit", "before"),
    ("qa_core.storage.lake.tables.commit", "after"),
    ("qa_core.ingest.matching.pending_rows.mark_joined", "before"),
    ("qa_core.ingest.matching.late_joins.join_arrived", "after"),
    ("qa_core.ingest.load.batches.finish", "after"),
]


def run_to_death(place: str, when: str, *arguments: str) -> int:
    command = [*forked_python(), "-m", "tests.builders.killed_import", place, when, *arguments]
    return subprocess.run(
        command,
        cwd=Path(__file__).parents[2],
        env=os.environ,
        capture_output=True,
        check=False,
        timeout=300,
    ).returncode


def expect_whole(centre: Path, expected: dict[str, object]) -> None:
    """After a restart and the same import again everything stands once, and nothing
    half-done is left.
    """
    ingest.resume()
    assert bring(centre, "contacts", CALLS).tally.read == 3
    assert everything() == expected
    with store.reading() as session:
        states = session.execute(
            sa.select(ImportBatch.state, ImportBatch.counts).where(ImportBatch.kind == "contacts")
        ).all()
        assert [state for state, _counts in states if state != "failed"] == ["done"]
        assert next(counts["new"] for state, counts in states if state == "done") == 3
        assert (
            session.scalar(
                sa.select(sa.func.count())
                .select_from(WaitingRow)
                .where(WaitingRow.joined_by.is_not(None))
            )
            == 5
        )
        failed = sa.select(ImportBatch.id).where(ImportBatch.state == "failed")
        assert (
            session.scalar(
                sa.select(sa.func.count())
                .select_from(BeforeImage)
                .where(BeforeImage.batch_id.in_(failed))
            )
            == 0
        )
        assert audit_log.verify(session).ok
    assert list((centre / "tmp").glob("staged-*")) == []


@pytest.fixture
def waiting_centre(centre: Path, start_from: Callable[..., Any]) -> dict[str, object]:
    """A centre where surveys, tracking and an evaluation wait; returns what stands
    there once the calls have come, and takes them away again.
    """
    return start_from(build_waiting_centre, centre)


def build_waiting_centre(folder: Path) -> dict[str, object]:
    allow_evaluations("Becky", "Diane")
    for kind, text in (("surveys", SURVEYS), ("tracking", TRACKING), ("evaluations", MARKS)):
        bring(folder, kind, text)
    report = bring(folder, "contacts", CALLS)
    whole = everything()
    ingest.undo(Viewer.SYSTEM, report.batch_id)
    with store.writing() as session:
        session.execute(sa.delete(ImportBatch).where(ImportBatch.id == report.batch_id))
    return whole


IN_EACH_RUN = [MOMENTS[place] for place in (4, 7)]
"""Before the commit, and after it, among what it joins."""


@pytest.mark.parametrize(
    "place,when", leave_to_long(MOMENTS, but=IN_EACH_RUN), ids=lambda value: value.split(".")[-1]
)
def test_an_import_killed_at_that_moment_is_finished_or_taken_back(
    centre: Path, waiting_centre: dict[str, object], place: str, when: str
) -> None:
    path = write(centre, "calls.csv", CALLS)
    assert run_to_death(place, when, "contacts", str(path)) == -signal.SIGKILL
    expect_whole(centre, waiting_centre)


UNDO_MOMENTS = [
    ("qa_core.ingest.load.rollback.rollback", "before"),
    ("qa_core.storage.lake.undo", "after"),
    ("qa_core.ingest.load.batches.rollback_records", "before"),
]


@pytest.mark.parametrize(
    "place,when",
    leave_to_long(UNDO_MOMENTS, but=UNDO_MOMENTS[1:2]),
    ids=lambda value: value.split(".")[-1],
)
def test_an_undo_killed_at_that_moment_is_finished(centre: Path, place: str, when: str) -> None:
    bring(centre, "surveys", SURVEYS)
    before = everything()
    report = bring(centre, "contacts", CALLS)
    assert run_to_death(place, when, "undo", report.batch_id) == -signal.SIGKILL
    assert ingest.resume() == [report.batch_id]
    assert everything() == before


@pytest.mark.parametrize(
    "place",
    ["qa_core.ingest.load.batches.finish", "qa_core.ingest.load.recovery.apply_objections"],
)
def test_a_contact_of_a_killed_import_is_marked_when_its_customer_objected(
    centre: Path, place: str
) -> None:
    calls = "contact_id,started_at,customer,outcome\n"
    bring(centre, "contacts", calls + "c1,2026-03-02 09:00:00,0612345601,answered\n")
    [(_id, customer)] = find_contacts("customer_key")
    subjects.object_to(Viewer.SYSTEM, customers=[customer])
    path = write(centre, "later.csv", calls + "c2,2026-03-03 09:00:00,0612345601,answered\n")

    assert run_to_death(place, "before", "contacts", str(path)) == -signal.SIGKILL
    ingest.resume()

    assert find_contacts("customer_objected") == [("c1", True), ("c2", True)]


@pytest.mark.long
@pytest.mark.parametrize("seed", range(12))
def test_an_import_killed_at_any_time_is_finished_or_taken_back(
    centre: Path, waiting_centre: dict[str, object], seed: int
) -> None:
    path = write(centre, "calls.csv", CALLS)
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.builders.killed_import", "-", "-", "contacts", str(path)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    time.sleep(random.Random(seed).uniform(0.8, 4))
    child.kill()
    child.wait()
    expect_whole(centre, waiting_centre)
