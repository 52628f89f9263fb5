"""Whose contact it is: systems named row by row, tickets beside ids, and an older file
brought again after a newer one.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.import_files import bring, find_contacts, find_waiting

TWO_SYSTEMS = """source_system,contact_id,started_at,outcome,wait_seconds
phone,1,2026-03-02 09:00:00,answered,10
chat,1,2026-03-02 09:05:00,answered,20
,1,2026-03-02 09:10:00,abandoned,30
"""


def test_the_same_id_in_two_systems_of_one_file_stays_apart(centre: Path) -> None:
    report = bring(centre, "contacts", TWO_SYSTEMS)
    assert (report.tally.new, report.tally.duplicates, report.system) == (3, 0, "generic")
    assert find_contacts("source_system", "wait_seconds") == [
        ("1", "chat", 20.0),
        ("1", "generic", 30.0),
        ("1", "phone", 10.0),
    ]
    later = bring(centre, "contacts", TWO_SYSTEMS.replace(",20\n", ",25\n"))
    assert (later.tally.new, later.tally.updated, later.tally.unchanged) == (0, 1, 2)
    assert find_contacts("wait_seconds", where="source_system = 'chat'") == [("1", 25.0)]


def test_the_system_that_is_asked_for_goes_over_the_column_and_the_report_says_so(
    centre: Path,
) -> None:
    report = bring(centre, "contacts", TWO_SYSTEMS, system="crm")
    assert (report.tally.new, report.tally.duplicates) == (1, 2)
    assert find_contacts("source_system") == [("1", "crm")]
    said = next(
        decision.as_json() for decision in report.decisions if decision.field == "source_system"
    )
    assert (said["decision"], said["evidence"]) == ("crm", "source_system: as chosen")


def test_a_mapping_saved_under_a_name_leaves_the_file_its_own_systems(centre: Path) -> None:
    bring(centre, "contacts", TWO_SYSTEMS, save_mapping="hub")
    report = bring(
        centre, "contacts", TWO_SYSTEMS + "phone,2,2026-03-02 10:00:00,answered,5\n", profile="hub"
    )
    assert report.system == "hub"
    assert (report.tally.new, report.tally.unchanged) == (2, 2), (
        "the row without a system belongs to the hub"
    )
    assert find_contacts("source_system", where="contact_id = '2'") == [("2", "phone")]


def test_rows_without_an_id_keep_theirs_in_each_system(centre: Path) -> None:
    text = (
        "source_system,started_at,queue\na,2026-03-02 09:00:00,Sales\nb,2026-03-02 "
        "09:00:00,Sales\na,2026-03-02 09:00:00,Sales\n"
    )
    assert bring(centre, "contacts", text).tally.new == 3
    again = bring(centre, "contacts", text + "b,2026-03-02 11:00:00,Sales\n")
    assert (again.tally.new, again.tally.unchanged) == (1, 3)


CALLS_OF_TICKETS = """contact_id,ticket,started_at,outcome,customer
C1,T1,2026-03-02 09:00:00,answered,0612345601
C2,T1,2026-03-03 09:00:00,answered,0612345601
C3,T2,2026-03-03 10:00:00,answered,0612345602
"""
ANSWERS = """ticket,answered_at,csat
T1,2026-03-02 12:00:00,2
T1,2026-03-03 12:00:00,5
T2,2026-03-03 12:00:00,4
"""


@pytest.mark.parametrize("contacts_first", [True, False], ids=["contacts first", "surveys first"])
def test_surveys_find_their_contact_by_its_ticket(centre: Path, contacts_first: bool) -> None:
    files = [("contacts", CALLS_OF_TICKETS), ("surveys", ANSWERS)]
    for kind, text in files if contacts_first else reversed(files):
        bring(centre, kind, text)
    assert find_contacts("ticket", "csat") == [
        ("C1", "T1", 2.0),
        ("C2", "T1", 5.0),
        ("C3", "T2", 4.0),
    ]
    assert find_waiting() == []


def test_an_id_says_more_than_a_ticket_and_a_ticket_without_a_time_may_be_in_doubt(
    centre: Path,
) -> None:
    bring(centre, "contacts", CALLS_OF_TICKETS)
    report = bring(centre, "surveys", "contact_id,ticket,csat\nC1,T2,1\nC9,T2,2\n,T1,3\n,T2,4\n")
    assert (report.tally.updated, report.tally.skipped_kinds, report.tally.reasons) == (
        2,
        {"unmatched": 1},
        {"ambiguous_contact": 1},
    )
    assert find_contacts("csat") == [("C1", 1.0), ("C2", None), ("C3", 4.0)]


def test_tickets_that_two_systems_number_alike_are_not_guessed(centre: Path) -> None:
    bring(centre, "contacts", CALLS_OF_TICKETS, system="a")
    bring(centre, "contacts", CALLS_OF_TICKETS, system="b")
    assert bring(centre, "surveys", ANSWERS).tally.reasons == {"ambiguous_contact": 3}
    assert bring(centre, "surveys", ANSWERS, system="b").tally.updated == 3


def test_a_file_of_tickets_alone_has_the_ticket_for_its_id(centre: Path) -> None:
    bring(
        centre, "contacts", "ticket_id,created_at\nT1,2026-03-02 09:00:00\nT2,2026-03-02 10:00:00\n"
    )
    assert bring(centre, "surveys", ANSWERS).tally.updated == 2
    assert find_contacts("csat") == [("T1", 5.0), ("T2", 4.0)]


OLD = (
    "contact_id,started_at,outcome,wait_seconds,csat\nC1,2026-03-02 "
    "09:00:00,answered,10,4\nC2,2026-03-02 09:05:00,answered,20,4\n"
)
NEW = OLD.replace(",20,", ",25,")


def test_an_older_file_brought_again_after_a_newer_one_stands_again(centre: Path) -> None:
    bring(centre, "contacts", OLD)
    assert bring(centre, "contacts", NEW).tally.updated == 1
    restored = bring(centre, "contacts", OLD)
    assert (restored.recognised, restored.tally.updated, restored.tally.unchanged) == (False, 1, 1)
    assert find_contacts("wait_seconds") == [("C1", 10.0), ("C2", 20.0)]
    assert bring(centre, "contacts", OLD).recognised, "the last to be imported is known again"
    assert bring(centre, "contacts", NEW).tally.updated == 1


def test_a_file_is_recognised_while_nothing_else_changed_its_rows(centre: Path) -> None:
    bring(centre, "contacts", OLD)
    bring(centre, "contacts", "contact_id,started_at,outcome\nC3,2026-03-02 10:00:00,answered\n")
    bring(centre, "contacts", NEW, system="other")
    bring(centre, "contacts", NEW.replace(",25,", ",26,"), system="other")
    for wait in (5, 6):
        bring(
            centre,
            "contacts",
            f"contact_id,started_at,wait_seconds\nC4,2026-04-02 10:00:00,{wait}\n",
        )
    assert bring(centre, "contacts", OLD).recognised
    assert bring(centre, "surveys", "contact_id,nps\nC1,9\n", system="generic").tally.updated == 1
    assert bring(centre, "contacts", OLD).recognised, (
        "the file says nothing of what the survey brought"
    )
    assert bring(centre, "surveys", "contact_id,csat\nC1,1\n", system="generic").tally.updated == 1
    assert bring(centre, "contacts", OLD).tally.updated == 1
    assert find_contacts("csat", where="contact_id = 'C1' AND source_system = 'generic'") == [
        ("C1", 4.0)
    ]


def test_a_contact_that_a_later_file_moved_to_another_day_comes_back(centre: Path) -> None:
    bring(centre, "contacts", OLD)
    bring(centre, "contacts", "contact_id,started_at\nC2,2026-05-02 09:05:00\n")
    assert bring(centre, "contacts", OLD).tally.updated == 1
    assert [str(row[1]) for row in find_contacts("CAST(local_start AS DATE)")] == [
        "2026-03-02",
        "2026-03-02",
    ]


def test_an_older_file_is_recognised_once_the_newer_one_is_undone(centre: Path) -> None:
    from qa_core import ingest
    from qa_core.access.roles import Viewer

    bring(centre, "contacts", OLD)
    newer = bring(centre, "contacts", NEW)
    ingest.undo(Viewer.SYSTEM, newer.batch_id)
    assert bring(centre, "contacts", OLD).recognised
