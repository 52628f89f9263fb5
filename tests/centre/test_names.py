"""Advisors under several names and spellings of queues, reasons and campaigns:
suggested, merged where somebody says so, undone exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders import listening_centre
from builders.import_files import bring, find_contacts, find_evaluations, find_facts
from builders.shown_texts import as_read
from sqlalchemy.orm import Session
from streamlit.testing.v1 import AppTest

from qa_core import ingest
from qa_core.access import accounts
from qa_core.access.roles import Role, Viewer
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.centre.rules import name_decisions, name_suggestions
from qa_core.compliance.conditions import notices
from qa_core.ingest.load import recovery
from qa_core.metrics import query
from qa_core.storage import audit_log
from qa_core.storage.records import due_work, store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation, ScorecardVersion
from qa_core.storage.records.imports import CENTRE_RULES
from qa_core.storage.records.listening import (
    Calibration,
    CalibrationContact,
    CoachingPlan,
    DrawnContact,
    ListeningPlan,
    Playback,
    Recording,
)
from qa_core.storage.records.people import Advisor

PHONE = """contact_id,started_at,advisor,queue,customer,outcome
P1,2026-03-02 09:00,4012,Billing,0612345601,answered
P2,2026-03-02 10:00,4012,billing ,0612345602,answered
P3,2026-03-02 11:00,4013,Sales,0612345603,answered
"""
CHAT = """contact_id,started_at,advisor,queue,customer,outcome,channel
T1,2026-03-03 09:00,Diane Martin,Billing,0612345601,answered,chat
"""
PEOPLE = """advisor_id,name,team,site
D1,Diane Martin,North,Lyon
"""
MARKS = """contact_id,advisor,evaluator,evaluated_at,grid,score
P1,4012,eve,2026-03-05 10:00,Service,80
"""
SYSTEM = Viewer.SYSTEM


@pytest.fixture
def folder(start_from: Callable[..., Any], tmp_path: Path) -> Path:
    start_from(bring_two_systems, tmp_path)
    return tmp_path


def bring_two_systems(folder: Path) -> None:
    bring(folder, "advisors", PEOPLE)
    bring(folder, "contacts", PHONE, system="phone")
    bring(folder, "contacts", CHAT, system="chat")


def merge(*decision: Any) -> int:
    """Count one name as another and apply it, as page and command line do. Returns how
    many contacts changed.
    """
    name_decisions.merge(*decision)
    return recovery.apply_due_rules()


def undo(number: int) -> int:
    name_decisions.undo(SYSTEM, number)
    return recovery.apply_due_rules()


def test_a_merged_advisor_is_one_person_in_contacts_and_evaluations_with_the_team_that_is_known(
    folder: Path,
) -> None:
    bring(folder, "evaluations", MARKS, scales={"score": "0-100"})

    contacts = merge(SYSTEM, "advisor", "4012", "D1")

    assert contacts == 2
    assert find_contacts(
        "advisor_id", "team", "given_advisor_id", where="source_system = 'phone'"
    ) == [
        ("P1", "D1", "North", "4012"),
        ("P2", "D1", "North", "4012"),
        ("P3", "4013", None, None),
    ]
    with store.reading() as session:
        assert session.execute(sa.select(Evaluation.advisor_id, Evaluation.team)).all() == [
            ("D1", "North")
        ]
    rows = query.measure(SYSTEM, ("answered",), ("advisor",))
    assert dict(zip(rows["advisor"], rows["value"], strict=True)) == {"Diane Martin": 3, "4013": 1}


def test_undoing_a_merge_restores_every_fact_exactly(folder: Path) -> None:
    bring(folder, "evaluations", MARKS, scales={"score": "0-100"})
    facts, marks = find_facts(), find_evaluations()

    number = name_decisions.merge(SYSTEM, "advisor", "4012", "D1")
    recovery.apply_due_rules()
    assert find_facts() != facts and find_evaluations() != marks

    assert undo(number) == 2
    assert find_facts() == facts
    assert find_evaluations() == marks


def test_contacts_that_come_after_a_merge_follow_it_and_its_undoing(folder: Path) -> None:
    number = name_decisions.merge(SYSTEM, "advisor", "4012", "D1")
    recovery.apply_due_rules()

    report = bring(folder, "contacts", PHONE.replace("P1", "P9").split("P2")[0], system="phone")

    assert ("advisor", "counted with the advisor kept in the merge") in {
        (item.field, item.decision) for item in report.decisions
    }
    assert find_contacts("advisor_id", "team", where="contact_id = 'P9'") == [("P9", "D1", "North")]
    undo(number)
    assert find_contacts("advisor_id", "team", where="contact_id = 'P9'") == [("P9", "4012", None)]


def test_the_same_file_again_changes_nothing_after_a_merge(folder: Path) -> None:
    merge(SYSTEM, "advisor", "4012", "D1")
    merge(SYSTEM, "queue", "billing", "Billing")
    facts = find_facts()

    report = bring(folder, "contacts", PHONE + "\n", system="phone")

    assert (report.tally.new, report.tally.updated, report.tally.unchanged) == (0, 0, 3)
    assert find_facts() == facts


def test_an_evaluation_that_comes_again_after_a_merge_is_unchanged(folder: Path) -> None:
    bring(folder, "evaluations", MARKS, scales={"score": "0-100"})
    merge(SYSTEM, "advisor", "4012", "D1")

    report = bring(folder, "evaluations", MARKS + "\n", scales={"score": "0-100"})

    assert (report.tally.updated, report.tally.unchanged) == (0, 1)
    with store.reading() as session:
        assert session.scalars(sa.select(Evaluation.advisor_id)).all() == ["D1"]


def test_a_merge_stands_in_the_way_of_no_undone_import_and_holds_after_it(folder: Path) -> None:
    changed = bring(
        folder,
        "contacts",
        PHONE.replace("P1,2026-03-02 09:00", "P1,2026-03-02 09:30"),
        system="phone",
    )
    merge(SYSTEM, "advisor", "4012", "D1")

    ingest.undo(SYSTEM, changed.batch_id)

    assert find_contacts(
        "strftime(local_start, '%H:%M')", "advisor_id", where="contact_id = 'P1'"
    ) == [("P1", "09:00", "D1")]


def test_merges_may_follow_one_another_and_be_undone_in_any_order(folder: Path) -> None:
    first = name_decisions.merge(SYSTEM, "advisor", "4013", "4012")
    recovery.apply_due_rules()
    second = name_decisions.merge(SYSTEM, "advisor", "4012", "D1")
    recovery.apply_due_rules()
    assert {advisor_id for _contact, advisor_id in find_contacts("advisor_id")} == {"D1"}

    undo(second)
    assert find_contacts("advisor_id", where="contact_id = 'P3'") == [("P3", "4012")]
    undo(first)
    assert find_contacts("advisor_id", where="contact_id = 'P3'") == [("P3", "4013")]


def test_a_circle_of_names_is_refused(folder: Path) -> None:
    merge(SYSTEM, "advisor", "4012", "D1")

    for spelling, kept in (("D1", "4012"), ("4012", "D1"), ("D1", "D1")):
        with pytest.raises(Refusal) as refusal:
            name_decisions.merge(SYSTEM, "advisor", spelling, kept)
        assert refusal.value.code == "same_already"
    with pytest.raises(Refusal) as refusal:
        name_decisions.merge(SYSTEM, "advisor", "4012", "4013")
    assert refusal.value.code == "merged_already"


def test_what_nobody_knows_is_refused(folder: Path) -> None:
    with pytest.raises(Refusal) as refusal:
        name_decisions.merge(SYSTEM, "advisor", "Nobody", "D1")
    assert refusal.value.code == "unknown_advisor"
    with pytest.raises(Misuse):
        name_decisions.merge(SYSTEM, "colour", "red", "rouge")
    with pytest.raises(Refusal) as refusal:
        name_decisions.undo(SYSTEM, 99)
    assert refusal.value.code == "no_decision"


def test_people_of_the_same_name_are_suggested_never_merged_and_kept_apart_for_good(
    folder: Path,
) -> None:
    with store.writing() as session:
        session.add_all(
            [
                Advisor(advisor_id="S1", name="Sam Petit"),
                Advisor(advisor_id="S2", name="Sam Petit"),
                Advisor(advisor_id="S3", name="PETIT Sâm"),
            ]
        )

    found = {
        frozenset((item.spelling, item.kept)): item.evidence
        for item in name_suggestions.find_suggestions(SYSTEM, "advisor")
    }
    assert found == {
        frozenset(pair): "same_name" for pair in (("S1", "S2"), ("S1", "S3"), ("S2", "S3"))
    }

    name_decisions.keep_apart(SYSTEM, "advisor", "S2", "S1")
    assert frozenset(("S1", "S2")) not in {
        frozenset((item.spelling, item.kept))
        for item in name_suggestions.find_suggestions(SYSTEM, "advisor")
    }


@pytest.mark.parametrize(
    ("one", "other", "evidence"),
    [
        ("Diane Martin", "MARTIN Diané", "same_name"),
        ("D. Martin", "Diane Martin", "initials"),
        ("B. Martin", "Diane Martin", None),
        ("Diane Martin", "Dianne Martin", "similar"),
        ("Agent 12", "Agent 13", None),
        ("Diane Martin", "Becky Stone", None),
    ],
)
def test_names_look_alike_when_a_person_would_say_so(
    centre: Path, one: str, other: str, evidence: str | None
) -> None:
    with store.writing() as session:
        session.add_all([Advisor(advisor_id="a1", name=one), Advisor(advisor_id="a2", name=other)])

    assert [item.evidence for item in name_suggestions.find_suggestions(SYSTEM, "advisor")] == (
        [evidence] if evidence else []
    )


def test_an_alias_that_is_the_id_of_another_is_suggested(folder: Path) -> None:
    bring(folder, "advisors", "advisor_id,name,aliases\nB7,Becky Stone,ext 77\n")
    with store.writing() as session:
        session.add(Advisor(advisor_id="EXT-77", name="Poste"))

    [item] = name_suggestions.find_suggestions(SYSTEM, "advisor")

    assert ({item.spelling, item.kept}, item.evidence) == ({"B7", "EXT-77"}, "same_alias")


def test_the_one_whose_team_is_known_is_proposed_to_be_kept(folder: Path) -> None:
    bring(
        folder,
        "contacts",
        "contact_id,started_at,advisor\nX1,2026-03-04 09:00,D. Martin\nX2,2026-03-04 10:00,D. "
        "Martin\n",
    )

    [item] = name_suggestions.find_suggestions(SYSTEM, "advisor")

    assert (item.spelling, item.kept, item.spelling_use.contacts) == ("D. Martin", "D1", 2)


def test_tools_that_know_both_speak_against_a_suggestion(folder: Path) -> None:
    with store.writing() as session:
        session.execute(
            sa.update(Advisor)
            .where(Advisor.advisor_id.in_(("4012", "4013")))
            .values(name="Diane Durand")
        )

    [item] = [
        item
        for item in name_suggestions.find_suggestions(SYSTEM, "advisor")
        if {item.spelling, item.kept} == {"4012", "4013"}
    ]

    assert (item.kept, item.together) == ("4012", ("phone",))
    assert "phone" in name_suggestions.describe(item)


def test_spellings_of_a_queue_are_counted_as_one_and_apart_again(folder: Path) -> None:
    [item] = name_suggestions.find_suggestions(SYSTEM, "queue")
    assert (item.spelling, item.kept) == ("billing", "Billing")
    facts = find_facts()

    number = name_decisions.merge(SYSTEM, "queue", item.spelling, item.kept)
    contacts = recovery.apply_due_rules()

    assert contacts == 1
    rows = query.measure(SYSTEM, ("received",), ("queue",))
    assert dict(zip(rows["queue"], rows["value"], strict=True)) == {"Billing": 3, "Sales": 1}
    assert name_suggestions.find_suggestions(SYSTEM, "queue") == []
    undo(number)
    assert find_facts() == facts


def test_a_campaign_is_spelled_alike_in_contacts_tracking_and_spend(folder: Path) -> None:
    bring(folder, "tracking", "contact_id,source,campaign\nP1,Google,spring 26\nP3,Google,Spring\n")
    bring(
        folder,
        "spend",
        "day,source,campaign,amount,currency\n2026-03-02,Google,spring "
        "26,30,EUR\n2026-03-02,Google,Spring,50,EUR\n",
    )
    facts = find_facts()

    number = name_decisions.merge(SYSTEM, "campaign", "spring 26", "Spring")
    recovery.apply_due_rules()
    bring(
        folder, "tracking", "contact_id,source,campaign\nP2,Google,spring 26\nP7,Google,spring 26\n"
    )
    bring(
        folder,
        "contacts",
        "contact_id,started_at,outcome\nP7,2026-03-02 12:00,answered\n",
        system="phone",
    )

    rows = query.measure(SYSTEM, ("received", "cost_per_contact"), ("campaign",))
    values = {(row.campaign, row.kpi): row.value for row in rows.itertuples()}
    assert values[("Spring", "received")] == 4
    assert values[("Spring", "cost_per_contact")] == 20

    undo(number)
    assert [row for row in find_facts() if "P7" not in row and "P2" not in row] == [
        row for row in facts if "P7" not in row and "P2" not in row
    ]
    assert find_contacts("campaign", where="campaign IS NOT NULL") == [
        ("P1", "spring 26"),
        ("P2", "spring 26"),
        ("P3", "Spring"),
        ("P7", "spring 26"),
    ]


def test_a_change_that_was_killed_half_way_is_finished_at_the_next_start(folder: Path) -> None:
    number = name_decisions.merge(SYSTEM, "advisor", "4012", "D1")
    recovery.apply_due_rules()
    merged = find_facts()
    undo(number)
    with store.writing() as session:
        # As a kill between the records and the lake leaves it.
        session.execute(sa.text("UPDATE name_decision SET undone_at = NULL"))
        due_work.request(session, CENTRE_RULES)

    ingest.resume()

    assert find_facts() == merged
    assert not due_work.is_due(CENTRE_RULES)


def test_an_advisor_who_signs_in_follows_their_merged_name_and_back(
    folder: Path, add_person: Callable[..., str]
) -> None:
    def count_own() -> int:
        with store.reading() as session:
            return query.count_contacts(accounts.get_viewer(session, "diane"))

    add_person("diane", "advisor", advisor_id="4012")
    assert count_own() == 2
    number = name_decisions.merge(SYSTEM, "advisor", "4012", "D1")
    recovery.apply_due_rules()
    assert count_own() == 3, "two of the telephone, one of the chat"
    undo(number)
    assert count_own() == 2


def test_what_was_drawn_heard_evaluated_and_coached_follows_a_merge_and_returns(
    folder: Path,
) -> None:
    listening_centre.inform("4012", on="2026-02-01")
    with store.writing() as session:
        session.add(
            CoachingPlan(
                advisor_id="4012",
                team="North",
                local_day=date(2026, 3, 9),
                goal="Greet",
                starts_on=date(2026, 3, 9),
                opened_by="leo",
            )
        )
        hear(session, "P1", "4012")
    before = heard()

    number = name_decisions.merge(SYSTEM, "advisor", "4012", "D1")
    recovery.apply_due_rules()

    assert before == {"plans": ["4012"], "P1": [("4012", None)] * 4 + ["4012"]}
    assert heard() == {"plans": ["D1"], "P1": [("D1", "North")] * 4 + ["D1"]}
    assert {notice.advisor_id: notice.informed_on for notice in notices.find_all(SYSTEM)} == {
        "D1": date(2026, 2, 1),
        "4013": None,
    }

    # What came while they were one belongs to the contact, and a plan of that time to
    # the one it was opened for.
    with store.writing() as session:
        session.add(
            CoachingPlan(
                advisor_id="D1",
                team="North",
                local_day=date(2026, 3, 9),
                goal="Listen",
                starts_on=date(2026, 3, 9),
                opened_by="leo",
            )
        )
        hear(session, "P2", "D1", "North")
        hear(session, "T1", "D1", "North")
    undo(number)

    assert heard() == before | {
        "plans": ["4012", "D1"],
        "P2": [("4012", None)] * 4 + ["4012"],
        "T1": [("D1", "North")] * 4 + ["D1"],
    }


def hear(session: Session, contact_id: str, advisor_id: str, team: str | None = None) -> None:
    """Draw, record, play, calibrate and evaluate that contact of the phone (T1: of the
    chat).
    """
    of = {
        "source_system": "chat" if contact_id == "T1" else "phone",
        "contact_id": contact_id,
        "advisor_id": advisor_id,
    }
    start = datetime(2026, 3, 2, 9)
    kept = {
        "purpose": "quality",
        "digest": contact_id,
        "media_type": "audio/ogg",
        "clear_bytes": 1,
        "seconds": 1.0,
        "recorded_at": now(),
        "delete_after": now(),
    }
    recording = Recording(**of, team=team, local_day=start.date(), **kept)
    session.add(recording)
    session.flush()
    session.add(
        Playback(
            **of, recording_id=recording.id, username="eve", purpose="quality", reason="the plan"
        )
    )
    plan = ListeningPlan(
        name=contact_id,
        purpose="quality",
        starts_on=start.date(),
        ends_on=start.date(),
        grid_key="-",
        created_by="system",
    )
    plan.per_advisor = plan.maximum_per_advisor = 1
    made = listening_centre.build_draw("system", plan=plan)
    made.contacts = [DrawnContact(**of, position=1, team=team, local_start=start)]
    grid = ScorecardVersion(
        key=contact_id, version=1, title="Service", content={}, published_at=now()
    )
    session.add_all([made, grid])
    session.flush()
    round_ = Calibration(
        title=contact_id, grid_id=grid.id, evaluators=["eve", "tom"], opened_by="mona"
    )
    round_.contacts = [CalibrationContact(**of, team=team, local_start=start)]
    session.add_all(
        [
            round_,
            Evaluation(
                **of,
                team=team,
                local_day=start.date(),
                evaluated_at=now(),
                evaluator="eve",
                score=80.0,
            ),
        ]
    )


def heard() -> dict[str, list[object]]:
    """Of the plans the advisors; of each contact advisor and team as the records have
    them, last the listening, which has no team.
    """
    found: dict[str, list[object]] = {}
    with store.reading() as session:
        found["plans"] = list(
            session.scalars(sa.select(CoachingPlan.advisor_id).order_by(CoachingPlan.id))
        )
        for table in (Recording, DrawnContact, CalibrationContact, Evaluation):
            for row in session.scalars(sa.select(table).order_by(table.id)):
                found.setdefault(row.contact_id, []).append((row.advisor_id, row.team))
        for row in session.scalars(sa.select(Playback).order_by(Playback.id)):
            found.setdefault(row.contact_id, []).append(row.advisor_id)
    return found


def test_only_administrators_decide_on_names_and_the_journal_keeps_it(folder: Path) -> None:
    for role in set(Role) - {Role.ADMIN}:
        for work in (
            lambda viewer: name_decisions.merge(viewer, "advisor", "4012", "D1"),
            lambda viewer: name_decisions.keep_apart(viewer, "advisor", "4012", "D1"),
            lambda viewer: name_decisions.undo(viewer, 1),
            name_decisions.find_decisions,
            lambda viewer: name_decisions.find_names(viewer, "queue"),
            lambda viewer: name_suggestions.find_suggestions(viewer, "advisor"),
        ):
            with pytest.raises(AccessDenied):
                work(Viewer("someone", role))

    admin = Viewer("root", Role.ADMIN)
    number = name_decisions.merge(admin, "advisor", "4012", "D1")
    name_decisions.undo(admin, number)
    with store.reading() as session:
        acts = session.execute(
            sa.select(JournalRow.actor, JournalRow.action, JournalRow.object).where(
                JournalRow.action.like("names_%")
            )
        ).all()
        assert acts == [
            ("root", "names_merged", audit_log.name_advisor("4012")),
            ("root", "names_undone", audit_log.name_advisor("4012")),
        ]
        assert audit_log.verify(session).ok


def test_an_administrator_merges_and_undoes_on_the_page(
    folder: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("root", "admin")
    app = open_app("root", "names")
    app.button_group[0].set_value("queue").run()
    assert "billing  →  Billing" in [item.value for item in app.text]

    next(button for button in app.button if button.label == "Merge").click().run()

    assert not app.exception
    assert as_read(app.success[0].value) == "Done: 1 past contact updated."
    assert len(find_contacts(where="queue = 'Billing'")) == 3
    next(button for button in app.button if button.label == "Undo").click().run()
    assert not app.exception
    assert len(find_contacts(where="queue = 'Billing'")) == 2
