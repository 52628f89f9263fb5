"""Surveys, tracking and evaluations find their contact, in any order of the files;
doubt is rejected, never guessed.
"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, land
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
)
from builders.listening_centre import allow_evaluations
from hypothesis import given
from hypothesis import strategies as st

from qa_core import ingest
from qa_core.access.roles import Viewer
from qa_core.centre.rules import opening_hours
from qa_core.centre.settings import set_value
from qa_core.ingest.load import recovery
from qa_core.ingest.matching.contact_match import pair_nearest
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation

LONG = """contact_id,evaluator,evaluated_at,grid,criterion,points,possible
C1,Eve,2026-03-05 10:00:00,Service,Greeting,2,2
C1,Eve,2026-03-05 10:00:00,Service,Closing,1,2
C2,Eve,2026-03-05 11:00:00,Service,Greeting,0,2
C2,Eve,2026-03-05 11:00:00,Service,Closing,1,2
"""


def test_surveys_join_by_id_and_wait_for_contacts_that_have_not_come(centre: Path) -> None:
    bring(centre, "contacts", CALLS)
    report = bring(centre, "surveys", SURVEYS)
    assert (report.tally.read, report.tally.updated, report.tally.skipped_kinds) == (
        3,
        2,
        {"unmatched": 1},
    )
    assert find_contacts("csat", "nps", "survey_sent") == [
        ("C1", 5.0, 9.0, True),
        ("C2", 2.0, 3.0, True),
        ("C3", None, None, None),
    ]
    assert find_waiting() == [("surveys", "C9")]


def test_the_file_that_waited_is_recognised_as_joined(centre: Path) -> None:
    assert bring(centre, "surveys", SURVEYS).tally.skipped_kinds == {"unmatched": 3}
    bring(centre, "contacts", CALLS)
    again = bring(centre, "surveys", SURVEYS)
    assert (again.recognised, again.tally.unchanged, again.tally.skipped_kinds) == (
        True,
        2,
        {"unmatched": 1},
    )


FILES = {
    "contacts": CALLS,
    "surveys": SURVEYS,
    "tracking": TRACKING,
    "evaluations": LONG,
    "advisors": "advisor_id,name,team\nBecky,Becky,North\nDiane,Diane,North\n",
}


EVERY_THREE_IN_EVERY_ORDER = {
    ("contacts", "surveys", "tracking", "evaluations"),
    ("contacts", "evaluations", "tracking", "surveys"),
    ("surveys", "evaluations", "contacts", "tracking"),
    ("tracking", "surveys", "contacts", "evaluations"),
    ("tracking", "evaluations", "contacts", "surveys"),
    ("evaluations", "surveys", "tracking", "contacts"),
}
"""Orders of four files among which any three come in each of their six orders."""


def test_the_orders_hold_every_order_of_any_three_files() -> None:
    three = itertools.permutations(("contacts", "surveys", "tracking", "evaluations"), 3)
    assert set(three) == {
        part for order in EVERY_THREE_IN_EVERY_ORDER for part in itertools.combinations(order, 3)
    }


IN_EACH_RUN = {
    ("contacts", "surveys", "tracking", "evaluations"),
    ("surveys", "evaluations", "contacts", "tracking"),
    ("tracking", "evaluations", "contacts", "surveys"),
}


@pytest.mark.parametrize(
    "order",
    [
        pytest.param(order, marks=[] if order in IN_EACH_RUN else [pytest.mark.long])
        for order in itertools.permutations(("contacts", "surveys", "tracking", "evaluations"))
    ],
    ids="-".join,
)
def test_any_order_of_the_files_gives_the_same(centre: Path, order: tuple[str, ...]) -> None:
    allow_evaluations("Becky", "Diane")
    for kind in order:
        bring(centre, kind, FILES[kind])
    assert find_contacts("csat", "source", "tracking_match") == [
        ("C1", 5.0, "Google", "number_and_time"),
        ("C2", 2.0, "Bing", "number_and_time"),
        ("C3", None, None, None),
    ]
    assert [(row[2], row[3], row[4], str(row[5]), row[6]) for row in find_evaluations()[:2]] in (
        [
            ("C1", "Diane", "North", "2026-03-02", 75.0),
            ("C2", "Becky", "North", "2026-03-02", 25.0),
        ],
        [
            ("C2", "Becky", "North", "2026-03-02", 25.0),
            ("C1", "Diane", "North", "2026-03-02", 75.0),
        ],
    )
    assert find_waiting() == [("surveys", "C9"), ("tracking", None)] or find_waiting() == [
        ("tracking", None),
        ("surveys", "C9"),
    ]


def test_later_answers_overwrite_earlier_ones_also_when_both_had_waited(centre: Path) -> None:
    bring(centre, "surveys", "contact_id,csat,nps\nC1,1,2\nC2,3,5\nC3,5,6\n")
    bring(centre, "surveys", "contact_id,csat\nC1,5\nC2,1\n")
    bring(centre, "contacts", CALLS)
    assert find_contacts("csat", "nps") == [("C1", 5.0, 2.0), ("C2", 1.0, 5.0), ("C3", 5.0, 6.0)]


def test_rows_that_wait_are_kept_once_however_often_their_file_comes(centre: Path) -> None:
    bring(centre, "contacts", CALLS, system="north")
    bring(centre, "contacts", CALLS, system="south")
    # C1 and C2 are rejected, so the file is read again; C9 waits.
    counts = [bring(centre, "surveys", SURVEYS).tally.skipped_kinds for _time in range(3)]
    assert counts == [{"unmatched": 1}] * 3
    assert find_waiting() == [("surveys", "C9")]


def test_an_id_known_in_two_systems_is_rejected_unless_the_system_is_named(centre: Path) -> None:
    bring(centre, "contacts", CALLS, system="north")
    bring(centre, "contacts", CALLS, system="south")
    report = bring(centre, "surveys", SURVEYS)
    assert report.tally.reasons == {"ambiguous_contact": 2} and report.tally.skipped_kinds == {
        "unmatched": 1
    }
    assert (
        "C1" in report.quarantine.read_text()
        and "ambiguous_contact" in report.quarantine.read_text()
    )
    named = bring(centre, "surveys", SURVEYS, system="south")
    assert named.tally.updated == 2
    assert find_contacts("csat", where="csat IS NOT NULL AND source_system = 'north'") == []


@pytest.mark.parametrize("header", ["customer", "Phone"])
def test_a_survey_without_id_joins_the_last_contact_of_its_customer(
    centre: Path, header: str
) -> None:
    bring(centre, "contacts", CALLS)
    report = bring(
        centre,
        "surveys",
        f"{header},answered_at,csat\n06 12 34 56 01,2026-03-02 "
        "09:08:00,4\n0612345601,2026-03-02 15:00:00,2\n0612345699,2026-03-02 15:00:00,1\n",
    )
    assert (report.tally.updated, report.tally.skipped_kinds) == (2, {"unmatched": 1})
    assert find_contacts("csat") == [("C1", 4.0), ("C2", None), ("C3", 2.0)]


@pytest.mark.parametrize(
    "text",
    [
        "Phone,Survey date,Survey hour,csat\n0612345601,2026-03-02,09:08,4\n",
        "Phone,Date,Time,csat\n0612345601,2026-03-02,09:08:00,4\n",
    ],
)
def test_a_survey_with_date_and_time_apart_joins_the_contact_before_it(
    centre: Path, text: str
) -> None:
    bring(centre, "contacts", CALLS)
    bring(centre, "surveys", text.replace("Survey hour", "Time of survey"))
    assert find_contacts("csat") == [("C1", 4.0), ("C2", None), ("C3", None)]


def test_a_survey_with_a_day_alone_joins_the_last_contact_of_that_day(centre: Path) -> None:
    bring(centre, "contacts", CALLS)
    bring(centre, "surveys", "Phone,Date,csat\n0612345601,2026-03-02,4\n0612345602,2026-03-01,1\n")
    assert find_contacts("csat") == [("C1", None), ("C2", None), ("C3", 4.0)]


def test_tracking_joins_by_id_in_all_systems(centre: Path) -> None:
    bring(centre, "contacts", CALLS, system="pbx")
    report = bring(
        centre, "tracking", "contact_id,source,campaign\nC1,Google,Spring\nC8,Google,Spring\n"
    )
    assert (report.tally.updated, report.tally.skipped_kinds) == (1, {"unmatched": 1})
    assert find_contacts(
        "source", "tracking_match", "tracking_number", where="source IS NOT NULL"
    ) == [("C1", "Google", "id", "+33170000001")]


def test_tracking_joins_the_nearest_call_within_the_tolerance(centre: Path) -> None:
    bring(
        centre,
        "contacts",
        "contact_id,started_at,tracking_number\nC1,2026-03-02 09:00:00,N1\nC2,2026-03-02 "
        "09:01:30,N1\nC3,2026-03-02 09:20:00,N1\n",
    )
    text = (
        "tracking_number,started_at,source\nN1,2026-03-02 09:00:50,near the "
        "second\nN1,2026-03-02 09:17:59,121 seconds off\n"
    )
    report = bring(centre, "tracking", text)
    assert (report.tally.updated, report.tally.skipped_kinds) == (1, {"unmatched": 1})
    assert find_contacts("source") == [("C1", None), ("C2", "near the second"), ("C3", None)]
    with store.writing() as session:
        set_value(session, Viewer.SYSTEM, "tracking_tolerance_seconds", "121")
    assert bring(centre, "tracking", text + "\n").tally.updated == 1
    assert find_contacts("source", where="contact_id = 'C3'") == [("C3", "121 seconds off")]


def test_a_tie_between_two_calls_is_rejected(centre: Path) -> None:
    bring(
        centre,
        "contacts",
        "contact_id,started_at,tracking_number\nC1,2026-03-02 09:00:00,N1\nC2,2026-03-02 "
        "09:01:00,N1\n",
    )
    report = bring(
        centre, "tracking", "tracking_number,started_at,source\nN1,2026-03-02 09:00:30,Google\n"
    )
    assert report.tally.reasons == {"ambiguous_contact": 1} and report.tally.updated == 0


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(1, 4), st.just("s"), st.sampled_from("abcd")),
        unique_by=lambda pair: (pair[1], pair[3]),
    )
)
def test_pairs_are_one_to_one_and_nothing_nearer_was_free(
    pairs: list[tuple[int, int, str, str]],
) -> None:
    joined, doubtful = pair_nearest(sorted(pairs))
    assert len(set(joined.values())) == len(joined) and not doubtful & set(joined)
    distance = {(line, (system, contact)): far for far, line, system, contact in pairs}
    for (line, key), far in distance.items():
        if line not in joined and line not in doubtful:
            # It waits because every call that it could have was given to a nearer row,
            # or stands in doubt.
            taken_by = [other for other, taken in joined.items() if taken == key]
            rivals = [
                distance[(other, key)]
                for other in {*taken_by, *doubtful}
                if (other, key) in distance
            ]
            assert rivals and min(rivals) <= far


def test_evaluations_create_their_grid_once_and_update_in_place(centre: Path) -> None:
    bring(centre, "contacts", CALLS)
    report = bring(centre, "evaluations", LONG)
    assert (report.tally.read, report.tally.new, report.tally.folded_kinds) == (
        4,
        2,
        {"criterion": 2},
    )
    assert bring(centre, "evaluations", LONG + "\n").tally.unchanged == 2
    changed = bring(centre, "evaluations", LONG.replace("Closing,1,2\nC2", "Closing,2,2\nC2"))
    assert (changed.tally.updated, changed.tally.unchanged) == (1, 1)
    assert sorted((row[2], row[6]) for row in find_evaluations()[:2]) == [
        ("C1", 100.0),
        ("C2", 25.0),
    ]


@pytest.mark.parametrize(
    ("greeting", "closing", "score"),
    [("1,10", "1,4", 17.5), ("5,10", "4,4", 75), ("2,2", ",", 100)],
)
def test_points_are_out_of_the_maximum_of_their_file_not_of_the_scorecard_of_that_name(
    centre: Path, greeting: str, closing: str, score: float
) -> None:
    bring(centre, "contacts", CALLS)
    bring(centre, "evaluations", LONG)  # Greeting and Closing out of 2 each
    later = f"C3,Eve,2026-03-06 10:00:00,Service,Greeting,{greeting}\n"
    later += f"C3,Eve,2026-03-06 10:00:00,Service,Closing,{closing}\n"
    bring(centre, "evaluations", LONG.splitlines()[0] + "\n" + later)
    with store.reading() as session:
        scored = sa.select(Evaluation.score).filter_by(contact_id="C3")
        assert session.scalars(scored).all() == [score]


def test_two_evaluations_leave_one_contact(centre: Path) -> None:
    bring(centre, "contacts", CALLS)
    bring(
        centre,
        "evaluations",
        "contact_id,evaluator,evaluated_at,grid,score\nC1,Eve,2026-03-05,Service,80\nC1,Max,"
        "2026-03-05,Service,60\n",
    )
    assert len(find_contacts()) == 3 and len(find_evaluations()) == 2


def test_teams_follow_the_dated_membership_whichever_file_comes_first(centre: Path) -> None:
    calls = (
        "contact_id,started_at,advisor\nC1,2026-01-31 10:00:00,diane\nC2,2026-02-01 "
        "10:00:00,DIANE\nC3,2026-03-01 10:00:00,A7\n"
    )
    staff = (
        "advisor_id,name,team,site,from,to\nA7,Diane,North,Lille,,2026-01-31\nA7,Diane,"
        "South,Lyon,2026-02-01,\n"
    )
    report = bring(centre, "advisors", staff)
    assert (report.tally.new, report.tally.updated) == (1, 1)
    bring(centre, "contacts", calls)
    expected = [("C1", "A7", "North"), ("C2", "A7", "South"), ("C3", "A7", "South")]
    assert find_contacts("advisor_id", "team") == expected
    assert bring(centre, "advisors", staff + "\n").tally.unchanged == 2


def test_contacts_get_their_team_when_the_advisors_come_later(centre: Path) -> None:
    bring(
        centre,
        "contacts",
        "contact_id,started_at,advisor\nC1,2026-01-31 10:00:00,Diane\nC2,2026-02-01 "
        "10:00:00,Diane\n",
    )
    bring(
        centre,
        "advisors",
        "advisor_id,name,team,from,to\nA7,Diane,North,,2026-01-31\nA7,Diane,South,2026-02-01,\n",
    )
    assert find_contacts("advisor_id", "team") == [
        ("C1", "Diane", "North"),
        ("C2", "Diane", "South"),
    ]
    assert [row[:2] for row in find_memberships()] == [("Diane", "North"), ("Diane", "South")]


STAFF = "advisor_id,name,team,from\nA7,Diane,North,2026-01-01\n"
CALL = "contact_id,started_at,advisor\nC1,2026-01-31 10:00:00,A7\n"
MARK = "contact_id,advisor,evaluator,evaluated_at,grid,score\n"
MARKS = f"{MARK}C1,A7,Eve,2026-02-05,Service,80\n,A7,Eve,2026-02-05,Service,60\n"
MOVED = "advisor_id,name,team,from\nA7,Diane,South,2026-01-20\n"


def find_teams() -> tuple[str | None, list[str | None]]:
    with store.reading() as session:
        marks = session.scalars(sa.select(Evaluation.team).order_by(Evaluation.score)).all()
    return find_contacts("team")[0][1], list(marks)


def test_teams_follow_a_list_of_advisors_that_comes_late_and_its_undoing(centre: Path) -> None:
    bring(centre, "advisors", STAFF)
    bring(centre, "contacts", CALL)
    bring(centre, "evaluations", MARKS)
    assert find_teams() == ("North", ["North", "North"])

    report = bring(centre, "advisors", MOVED)
    assert find_teams() == ("South", ["South", "South"])

    ingest.undo(Viewer.SYSTEM, report.batch_id)
    assert find_teams() == ("North", ["North", "North"])


def test_a_team_that_the_file_names_stays_whatever_the_list_of_advisors_says(
    centre: Path,
) -> None:
    bring(centre, "advisors", STAFF)
    bring(centre, "contacts", CALL.replace("advisor\n", "advisor,team\n").replace("A7", "A7,North"))
    bring(centre, "advisors", MOVED)
    bring(centre, "contacts", CALL.replace("01-31", "02-28"))
    assert find_contacts("team") == [("C1", "North")]


def test_the_team_stays_when_it_is_no_longer_kept_who_answered(centre: Path) -> None:
    add_people(teams={"North": "Lille"})
    land([contact("2025-01-31 10:00", "C1", advisor_id=None, team="North", given_team="")])
    opening_hours.set_opening(Viewer.SYSTEM, "Lille", opening_hours.parse_hours(["mon-fri=9h-18h"]))
    recovery.apply_due_rules()
    assert find_contacts("team") == [("C1", "North")]


@pytest.mark.parametrize("columns", ["contact_id,started_at,advisor", "contact_id,started_at"])
def test_a_contact_whose_day_is_corrected_has_the_team_and_hours_of_that_day(
    centre: Path, columns: str
) -> None:
    bring(centre, "advisors", STAFF + MOVED.splitlines()[1] + "\n")
    add_people(teams={"Desk": "Lille"})
    opening_hours.set_opening(
        Viewer.SYSTEM, "Lille", opening_hours.parse_hours(["mon-fri=9:00-18:00"])
    )
    calls = (
        "contact_id,started_at,advisor,outcome\nC1,2026-01-19 10:00:00,A7,answered\n"
        "C2,2026-01-19 10:00:00,,abandoned\n"
    )
    bring(centre, "contacts", calls)
    assert find_contacts("team", "outcome") == [
        ("C1", "North", "answered"),
        ("C2", None, "abandoned"),
    ]

    later = "C1,2026-01-20 10:00:00,A7\nC2,2026-01-20 22:00:00,\n"
    if "advisor" not in columns:
        later = later.replace(",A7", "").replace(":00,\n", ":00\n")
    bring(centre, "contacts", f"{columns}\n{later}")

    assert find_contacts("team", "outcome") == [
        ("C1", "South", "answered"),
        ("C2", None, "closed"),
    ]


def test_two_advisors_of_one_name_stay_two(centre: Path) -> None:
    bring(centre, "advisors", "advisor_id,name\nA1,Jean Martin\nA2,Jean Martin\n")
    bring(
        centre,
        "contacts",
        "contact_id,started_at,advisor\nC1,2026-01-31 10:00:00,A1\nC2,2026-02-01 10:00:00,A2\n",
    )
    assert find_contacts("advisor_id") == [("C1", "A1"), ("C2", "A2")]


def test_the_same_facts_come_from_one_file_or_from_two(centre: Path) -> None:
    header, *rows = CALLS.splitlines(keepends=True)
    bring(centre, "contacts", CALLS)
    whole = find_facts()
    bring(centre, "contacts", header + rows[2], system="generic")
    bring(centre, "contacts", header + rows[0])
    assert find_facts() == whole


def test_a_tracking_number_in_another_spelling_is_the_same_number(centre: Path) -> None:
    bring(
        centre,
        "contacts",
        "call id;start time;agent;did\nC1;2026-03-13 09:00:00;Diane;01 23 45 67 89\n",
    )
    report = bring(
        centre,
        "tracking",
        "tracking_number,started_at,source\n+33123456789,2026-03-13 09:00:20,Google\n",
    )
    assert (
        find_contacts("source", "tracking_number") == [("C1", "Google", "+33123456789")]
        and not report.tally.skipped_kinds
    )


def test_a_contact_of_another_advisor_leaves_the_team_of_the_first(centre: Path) -> None:
    bring(centre, "advisors", "advisor_id,name,team,from\nA1,Anna,North,2026-01-01\n")
    calls = "contact_id,started_at,advisor,outcome\n"
    bring(centre, "contacts", calls + "c1,2026-03-02 09:00:00,Anna,answered\n")

    bring(centre, "contacts", calls + "c1,2026-03-02 09:00:00,Bob,answered\n")

    assert find_contacts("advisor_id", "team") == [("c1", "Bob", None)]
