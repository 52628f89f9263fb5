"""Rights of persons: what is exported is what the stores hold, who is erased is found in no
byte, and an objection holds at once and for what comes later.
"""

from __future__ import annotations

import csv
import io
import json
import os
import stat
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.erasure import find_traces
from builders.import_files import bring, find_contacts, find_waiting
from builders.listening_centre import accredit_evaluators, allow_evaluations, keep_audio
from builders.sounds import make

from qa_core import ingest
from qa_core.access.roles import Role, Viewer
from qa_core.base.errors import AccessDenied
from qa_core.centre.rules import name_decisions
from qa_core.centre.settings import set_value
from qa_core.cli.app import run
from qa_core.compliance.recordings import law
from qa_core.ingest.load import recovery
from qa_core.ingest.staging.pseudonyms import Pseudonyms
from qa_core.metrics.law.legal_obstacles import LegalAct
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import CoachingNote, CoachingPlan, Recording
from qa_core.upkeep import erasure, purge, restore, subjects

SYSTEM = Viewer.SYSTEM
ANN, BOB = "0612345601", "0612345602"
CALLS = f"""contact_id,started_at,advisor,team,customer,outcome,queue
C1,2026-11-02 09:00:00,Zelda,North,{ANN},answered,Sales
C2,2026-11-02 09:05:00,Yann,North,{BOB},answered,Sales
C3,2026-11-05 09:10:00,Zelda,North,{ANN},abandoned,Sales
"""
SURVEYS = "contact_id,answered_at,csat,comment\nC1,2026-11-02 12:00:00,2,unmistakable words\n"
SCORES = (
    "contact_id,advisor,evaluator,evaluated_at,grid,score,comment\n"
    "C1,Zelda,eve,2026-11-03,Service,80,unmistakable praise\nC2,Yann,eve,2026-11-03,Service,70,\n"
)


@pytest.fixture
def centre_of_two(
    centre: Path, start_from: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Ann called twice and Bob once; Zelda and Yann answered and were evaluated."""
    start_from(build_centre_of_two, tmp_path_factory.mktemp("delivered"))
    return centre


def build_centre_of_two(delivered: Path) -> None:
    for kind, text in (("contacts", CALLS), ("surveys", SURVEYS), ("evaluations", SCORES)):
        if kind == "evaluations":
            allow_evaluations()
        bring(delivered, kind, text)
    with store.one_import_at_a_time(), store.writing() as session:
        for name in ("C1", "C2"):
            keep_audio(session, name, make(delivered / f"{name}.wav"))
        plan = CoachingPlan(
            advisor_id="Zelda", local_day=now().date(), starts_on=now().date(), goal="a goal",
            opened_by="lea",
        )  # fmt: skip
        plan.notes = [CoachingNote(text="unmistakable note", author="lea")]
        session.add(plan)


def read(content: bytes) -> dict[str, list[dict[str, object]]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None and "index.html" in archive.namelist()
        return json.loads(archive.read("data.json"))


def live_audio() -> list[str]:
    statement = sa.select(Recording.contact_id).where(Recording.file_name.is_not(None))
    with store.reading() as session:
        return list(session.scalars(Unscoped(statement, "a test")))


def test_a_customer_gets_what_the_stores_hold_of_them_and_nothing_of_others(
    centre_of_two: Path,
) -> None:
    found = read(subjects.export(SYSTEM, customer=subjects.find_customer(ANN)))

    assert [row["contact_id"] for row in found["contacts"]] == ["C1", "C3"]
    assert found["contacts"][0]["survey_comment"] == "unmistakable words"
    assert [row["contact_id"] for row in found["recording"]] == ["C1"]
    assert "Zelda" not in json.dumps(found) and "Yann" not in json.dumps(found)


def test_no_cell_of_a_copy_starts_a_formula_in_any_locale(
    centre_of_two: Path, tmp_path: Path
) -> None:
    """Where cells are separated by semicolons, a comment may hold the start of one."""
    said = 'answered_at,contact_id,comment\n2026-11-12,C1,"fine;=HYPERLINK(A1);＝1+1"\n'
    bring(tmp_path, "surveys", said)
    content = subjects.export(SYSTEM, customer=subjects.find_customer(ANN))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = [name for name in archive.namelist() if name.endswith(".csv")]
        tables = [archive.read(name).decode("utf-8-sig") for name in names]
    assert any("fine;'=HYPERLINK(A1);'＝1+1" in table for table in tables)
    for separator in (",", ";", "\t"):
        rows = [
            row for text in tables for row in csv.reader(io.StringIO(text), delimiter=separator)
        ]
        cells = [cell for row in rows for cell in row]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@", "＝"))], separator


def test_an_advisor_gets_what_was_found_and_said_of_them(centre_of_two: Path) -> None:
    found = read(subjects.export(SYSTEM, advisor=subjects.find_advisor("zelda")))

    assert [row["contact_id"] for row in found["contacts"]] == ["C1", "C3"]
    assert [(row["score"], row["comment"]) for row in found["evaluation"]] == [
        (80.0, "unmistakable praise")
    ]
    assert [row["text"] for row in found["coaching_note"]] == ["unmistakable note"]
    text = json.dumps(found)
    assert "Yann" not in text and Pseudonyms.current().find_key(ANN) not in text


def test_the_command_writes_a_file_for_its_owner_alone(
    centre_of_two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "ann.zip"
    assert run(["subject", "export", "--customer", ANN, "--out", str(out)]) == 0

    assert stat.S_IMODE(os.stat(out).st_mode) == 0o600
    assert len(read(out.read_bytes())["contacts"]) == 2
    assert run(["subject", "export", "--customer", ANN, "--out", str(out)]) == 2
    assert run(["subject", "export", "--advisor", "Nobody"]) == 1
    assert run(["subject", "erase"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_no_byte_holds_a_customer_who_was_erased(centre_of_two: Path) -> None:
    key = subjects.find_customer(ANN)
    assert find_traces(centre_of_two, key) and find_traces(centre_of_two, "unmistakable words")

    assert run(["subject", "erase", "--customer", ANN]) == 0

    assert find_traces(centre_of_two, key) == []
    assert find_traces(centre_of_two, "unmistakable words") == []
    assert [contact_id for (contact_id,) in find_contacts()] == ["C2"]
    assert live_audio() == ["C2"]


def test_an_advisor_who_was_erased_leaves_contacts_without_a_name(centre_of_two: Path) -> None:
    subjects.erase(SYSTEM, advisor="Zelda")

    assert find_contacts("advisor_id", "team") == [
        ("C1", None, "North"),
        ("C2", "Yann", "North"),
        ("C3", None, "North"),
    ]
    for word in ("unmistakable praise", "unmistakable note"):
        assert find_traces(centre_of_two, word) == []
    with store.reading() as session:
        left = session.scalars(Unscoped(sa.select(Evaluation.advisor_id), "a test")).all()
    assert left == ["Yann"] and live_audio() == ["C2"]
    # The audit log names advisors by a pseudonym that the directory alone resolves.
    assert find_traces(centre_of_two, "Zelda") == []


def test_whoever_is_unknown_reads_that_nothing_is_held_about_them(
    centre_of_two: Path, tmp_path: Path
) -> None:
    out = tmp_path / "copy.zip"
    assert run(["subject", "export", "--customer", "+33612000000", "--out", str(out)]) == 0

    with zipfile.ZipFile(out) as archive:
        page = archive.read("index.en.html").decode()
    assert "We hold no data about you" in page and "This is a copy" not in page
    assert "Contacts (0)" not in page and "Your rights" in page


def test_who_evaluated_without_an_account_is_copied_and_erased_by_their_name(
    centre_of_two: Path, tmp_path: Path
) -> None:
    name = "Ottilie Faraway"
    accredit_evaluators(name)
    bring(tmp_path, "evaluations", SCORES.replace("eve", name).replace("11-03", "11-04"))
    out = tmp_path / "copy.zip"
    assert run(["subject", "export", "--account", name, "--out", str(out)]) == 0
    assert len(read(out.read_bytes())["evaluation"]) == 2

    assert run(["subject", "erase", "--account", name]) == 0

    out.unlink()
    for path in tmp_path.glob("*.csv"):
        path.unlink()
    for word in (name, name.lower()):
        assert find_traces(centre_of_two, word) == []
    with store.reading() as session:
        evaluators = session.scalars(Unscoped(sa.select(Evaluation.evaluator), "a test")).all()
    assert sum(one.startswith("former-") for one in evaluators) == 2
    assert run(["subject", "erase", "--account", name]) == 1


def test_an_objection_deletes_the_audio_and_holds_for_what_comes_later(
    centre_of_two: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert run(["objections", "add", "--number", ANN]) == 0

    assert live_audio() == ["C2"]
    later = CALLS.splitlines()[0] + f"\nC9,2026-11-09 09:00:00,Yann,North,{ANN},answered,Sales\n"
    bring(tmp_path_factory.mktemp("later"), "contacts", later)
    assert find_contacts("customer_objected") == [
        ("C1", True),
        ("C2", None),
        ("C3", True),
        ("C9", True),
    ]


def test_an_objection_to_one_contact_leaves_the_others(centre_of_two: Path) -> None:
    assert subjects.object_to(SYSTEM, contacts=[(None, "C1")]).recordings == 1
    assert find_contacts("customer_objected") == [("C1", True), ("C2", None), ("C3", None)]


def test_only_the_data_protection_officer_exports_erases_and_objects(centre_of_two: Path) -> None:
    for role in set(Role) - {Role.DPO}:
        viewer = Viewer("somebody", role)
        for act in (subjects.export, subjects.erase):
            with pytest.raises(AccessDenied):
                act(viewer, advisor="Zelda")
        with pytest.raises(AccessDenied):
            subjects.object_to(viewer, ["k"])


def test_nobody_but_the_operator_erases_without_a_decision(centre_of_two: Path) -> None:
    for role in Role:
        viewer = Viewer("somebody", role)
        for act in (
            lambda viewer: erasure.erase(viewer, "advisor", "Zelda"),
            lambda viewer: erasure.erase_words(viewer, "Zelda"),
            lambda viewer: restore.replay(viewer, now(), "a.bak"),
        ):
            with pytest.raises(AccessDenied):
                act(viewer)


OBJECTING = "contact_id,started_at,advisor,outcome,objected\n"


def list_objections(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert run(["objections", "list", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def bring_objection(folder: Path, said: str) -> str:
    row = f"C2,2026-11-02 09:05:00,Yann,answered,{said}\n"
    header = OBJECTING.replace("objected", "customer_objected")
    return bring(folder, "contacts", header + row).batch_id


def test_an_objection_of_a_file_outlasts_its_undo_and_a_later_no(
    centre_of_two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    batch = bring_objection(tmp_path, "yes")
    assert live_audio() == ["C1"]
    [entry] = list_objections(capsys)
    assert (entry["contact_id"], entry["customer_key"]) == ("C2", None)

    ingest.undo(SYSTEM, batch)
    assert dict(find_contacts("customer_objected"))["C2"] is True
    bring_objection(tmp_path, "no")
    assert dict(find_contacts("customer_objected"))["C2"] is True
    assert list_objections(capsys) == [entry]


def test_a_person_lifts_an_objection_with_a_reason(
    centre_of_two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bring_objection(tmp_path, "yes")
    [entry] = list_objections(capsys)
    number = str(entry["id"])
    assert run(["objections", "lift", number, "--reason", " "]) == 1
    assert run(["objections", "lift", number, "--reason", "a slip of the operator"]) == 0
    assert "Contacts met: 1" in capsys.readouterr().out
    assert run(["objections", "lift", number, "--reason", "again"]) == 1

    assert list_objections(capsys) == []
    assert dict(find_contacts("customer_objected"))["C2"] is False
    with store.reading() as session:
        lifted = session.scalars(
            sa.select(JournalRow).where(JournalRow.action == "objection_lifted")
        ).one()
    assert (lifted.object, lifted.reason) == (number, "a slip of the operator")
    assert live_audio() == ["C1"]  # what was deleted stays so


def test_a_lifted_objection_leaves_what_others_object_to(
    centre_of_two: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subjects.object_to(SYSTEM, contacts=[(None, "C1")])
    [ann] = [Pseudonyms.current().find_key(ANN)]
    subjects.object_to(SYSTEM, [ann])
    of_ann = next(item for item in list_objections(capsys) if item["customer_key"])
    subjects.lift_objection(SYSTEM, of_ann["id"], "she agreed in writing")
    assert find_contacts("customer_objected") == [("C1", True), ("C2", None), ("C3", False)]


def test_an_advisor_objects_until_it_is_lifted(
    centre_of_two: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    met = subjects.object_to(SYSTEM, advisors=["Zelda"])
    assert (met.contacts, met.recordings) == (2, 1)
    assert live_audio() == ["C2"]
    with store.reading() as session:
        [verdict] = law.judge(session, SYSTEM, LegalAct.EVALUATE, ["C1"])
        assert verdict.against == "excluded"
    [entry] = list_objections(capsys)
    subjects.lift_objection(SYSTEM, entry["id"], "withdrawn by Zelda")
    with store.reading() as session:
        [verdict] = law.judge(session, SYSTEM, LegalAct.EVALUATE, ["C1"])
        assert verdict.against is None


OTHER = "0612345699"
SCORE = "contact_id,evaluator,evaluated_at,grid,score\nC9,Eve,2026-11-10,Service,80\n"


def bring_call(folder: Path, *rows: str) -> None:
    header = "contact_id,started_at,advisor,team,customer,outcome,queue\n"
    lines = (f"{row},Yann,North,{ANN},answered,Sales\n" for row in rows)
    bring(folder, "contacts", header + "".join(lines))


def test_what_waits_for_a_contact_is_judged_after_the_objection_of_its_customer(
    centre_of_two: Path, tmp_path: Path
) -> None:
    """A waiting survey joins it first, a waiting evaluation never."""
    subjects.object_to(SYSTEM, [subjects.find_customer(ANN)])
    bring(tmp_path, "surveys", "contact_id,csat\nC9,4\n")
    bring(tmp_path, "evaluations", SCORE)

    bring_call(tmp_path, "C9,2026-11-09 09:00:00")

    assert find_contacts("customer_objected", "csat")[-1] == ("C9", True, 4.0)
    assert find_waiting() == [("evaluations", "C9")]
    with store.reading() as session:
        evaluated = session.scalars(Unscoped(sa.select(Evaluation.contact_id), "a test")).all()
    assert sorted(evaluated) == ["C1", "C2"]


def test_an_objection_meets_the_contacts_of_a_shared_number_and_lifting_it_too(
    centre_of_two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with store.writing() as session:
        set_value(session, SYSTEM, "shared_number_contacts_a_day", "2")
    busy = [f"D{minute},2026-11-09 09:0{minute}:00" for minute in range(3)]
    bring_call(tmp_path, *busy)
    key = subjects.find_customer(ANN)
    assert find_contacts("customer_key", "given_customer_key")[-1] == ("D2", None, key)

    met = subjects.object_to(SYSTEM, [key])

    assert (met.contacts, met.recordings, live_audio()) == (5, 1, ["C2"])
    bring_call(tmp_path, "E1,2026-11-09 09:30:00")
    objecting = {name for name, objects in find_contacts("customer_objected") if objects}
    assert objecting == {"C1", "C3", "D0", "D1", "D2", "E1"}
    purge.purge(SYSTEM)  # which enters what files say
    [entry] = list_objections(capsys)
    subjects.lift_objection(SYSTEM, entry["id"], "she agreed in writing")
    assert not any(objects for _name, objects in find_contacts("customer_objected"))


def test_who_called_so_often_that_their_number_counts_as_shared_is_erased_too(
    centre_of_two: Path, tmp_path: Path
) -> None:
    with store.writing() as session:
        set_value(session, SYSTEM, "shared_number_contacts_a_day", "2")
    bring_call(tmp_path, *(f"D{minute},2026-11-09 09:0{minute}:00" for minute in range(3)))
    bring(tmp_path, "surveys", "contact_id,answered_at,comment\nD1,2026-11-10,unmistakable rest\n")
    key = subjects.find_customer(ANN)
    content = subjects.export(SYSTEM, customer=key)
    assert not any(read(content).values())  # others may have called from there
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        page = archive.read("index.en.html").decode()
    assert "Several people use this number. Its contacts are left out" in page
    assert "We hold no data about you" not in page

    assert subjects.erase(SYSTEM, customer=key).counts["contacts"] == 5

    for path in tmp_path.glob("*.csv"):
        path.unlink()
    for word in (key, "unmistakable words", "unmistakable praise", "unmistakable rest"):
        assert find_traces(centre_of_two, word) == [], word
    assert live_audio() == ["C2"]
    assert [name for (name,) in find_contacts()] == ["C1", "C2", "C3", "D0", "D1", "D2"]


@pytest.mark.owner
def test_an_objection_stays_one_when_its_contacts_name_their_customer_no_more(
    centre_of_two: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    subjects.object_to(SYSTEM, [subjects.find_customer(ANN)])
    purge.purge(SYSTEM, date(2028, 1, 1))
    assert find_contacts("customer_key", "customer_objected")[0] == ("C1", None, True)
    purge.purge(SYSTEM)
    assert len(list_objections(capsys)) == 1


def test_a_contact_that_is_corrected_to_an_objecting_customer_loses_its_audio(
    centre_of_two: Path, tmp_path: Path
) -> None:
    subjects.object_to(SYSTEM, [subjects.find_customer(OTHER)])
    who = ["--contact", "C2", "--reason", "another number"]
    assert run(["subject", "rectify", f"customer={OTHER}", *who]) == 0
    assert dict(find_contacts("customer_objected"))["C2"] is True and live_audio() == ["C1"]
    header = OBJECTING.replace("objected", "customer_objected")
    bring(tmp_path, "contacts", header + "C2,2026-11-02 09:05:00,Yann,answered,no\n")
    assert dict(find_contacts("customer_objected"))["C2"] is True


def test_advisors_who_were_merged_are_one_person_in_a_copy_and_an_erasure(
    centre_of_two: Path, tmp_path: Path
) -> None:
    for path in tmp_path.glob("*.csv"):
        path.unlink()
    name_decisions.merge(SYSTEM, "advisor", "Yann", "Zelda")
    recovery.apply_due_rules()

    for name in ("Zelda", "Yann"):
        found = read(subjects.export(SYSTEM, advisor=subjects.find_advisor(name)))
        assert {row["advisor_id"] for row in found["advisor"]} == {"Zelda", "Yann"}
        assert [row["contact_id"] for row in found["contacts"]] == ["C1", "C2", "C3"]
        assert sorted(row["score"] for row in found["evaluation"]) == [70.0, 80.0]

    subjects.erase(SYSTEM, advisor="Zelda")

    assert find_contacts("advisor_id") == [("C1", None), ("C2", None), ("C3", None)]
    assert find_traces(centre_of_two, "Zelda") == find_traces(centre_of_two, "Yann") == []
