"""Requests of persons are answered by their act: what each met, what is refused while the
stores say otherwise, and ten copies compared with the stores.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, evaluation, land
from builders.import_files import bring, find_contacts
from builders.listening_centre import keep_audio
from builders.running_centre import build_running_centre
from builders.sounds import make
from streamlit.testing.v1 import AppTest

from qa_core.access import accounts
from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.centre import settings
from qa_core.cli.app import run
from qa_core.compliance import audit_report, requests, restrictions
from qa_core.compliance.conditions import gates, recording_classes
from qa_core.compliance.recordings import deletion
from qa_core.metrics import query
from qa_core.storage import lake
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import Dispute, ListeningPlan, Playback, Recording
from qa_core.storage.records.retention import Rectification
from qa_core.ui.views.compliance import person_requests
from qa_core.upkeep import purge, request_acts, subjects

SYSTEM = Viewer.SYSTEM
TODAY = environment.today()
ANN, KEY = "0612345601", "a" * 32
RECENT = datetime.combine(TODAY - timedelta(days=2), time(9))
CALLS = """contact_id,started_at,advisor,team,customer,outcome,queue,talk_seconds
C1,{day} 09:00:00,Zelda,North,0612345601,answered,Sales,60
C2,{day} 09:05:00,Yann,North,0612345602,answered,Sales,90
"""


@pytest.fixture
def kept(start_from: Callable[..., Any], tmp_path: Path) -> Path:
    start_from(build_kept, tmp_path)
    return tmp_path


def build_kept(folder: Path) -> None:
    """Three contacts of one customer and one of another, two of them with audio."""
    add_people({"A1": "Ann", "A2": "Bob"}, {"Nord": "Lille"})
    people = {"team": "Nord", "advisor_id": "A1"}
    land([contact(RECENT, f"c{n}", customer_key=KEY, **people) for n in range(3)])
    land([contact(RECENT, "d0", customer_key="b" * 32, **people)], "second")
    with store.writing() as session:
        for name in ("c0", "c1"):
            keep_audio(session, name, make(folder / f"{name}.wav"))


def enter(kind: str, subject_kind: str = "customer", subject: str = KEY) -> int:
    return requests.add(SYSTEM, kind, subject_kind, subject, TODAY)


def find_audio() -> set[str]:
    kept = sa.select(Recording.contact_id).where(Recording.file_name.is_not(None))
    with store.reading() as session:
        return set(session.scalars(Unscoped(kept, "a test")))


@pytest.mark.parametrize(
    "kind, met",
    [
        ("objection", "Done: 3 contacts, 2 recordings deleted."),
        ("erasure", "Done: 3 contacts, 2 recordings deleted."),
        ("restriction", "Done: 3 contacts, 0 recordings deleted."),
    ],
)
def test_a_request_is_done_by_its_act_and_not_before(kept: Path, kind: str, met: str) -> None:
    number = enter(kind)
    for act in (
        lambda: request_acts.perform(SYSTEM, number),
        lambda: request_acts.answer(SYSTEM, number, "Done."),
    ):
        with pytest.raises(Refusal) as refusal:
            act()
        assert refusal.value.code == "identity_unchecked"
    requests.check_identity(SYSTEM, number, "call back on that number")
    with pytest.raises(Refusal) as refusal:
        request_acts.answer(SYSTEM, number, "Done.")
    assert refusal.value.code == "not_done"
    if kind == "erasure":
        # Three contacts and two recordings.
        assert str(refusal.value).startswith("5 rows still name this person.")

    assert request_acts.perform(SYSTEM, number) == met
    request_acts.answer(SYSTEM, number, "Done.")
    item = requests.get(SYSTEM, number)
    assert (item.answer, item.is_refused, item.identity_check) == (
        "Done.",
        False,
        None if kind == "erasure" else "call back on that number",
    )
    with pytest.raises(Refusal):
        request_acts.perform(SYSTEM, number)


def test_a_request_of_an_erased_customer_is_named_without_the_end_of_a_pseudonym(
    kept: Path,
) -> None:
    number = enter("erasure")
    assert person_requests.name_subject(requests.get(SYSTEM, number)) == f"Customer •• {KEY[-2:]}"
    requests.check_identity(SYSTEM, number, "letter")
    request_acts.perform(SYSTEM, number)
    assert person_requests.name_subject(requests.get(SYSTEM, number)) == "Customer ••"


def test_an_act_that_meets_nothing_says_so(kept: Path) -> None:
    number = enter("objection", subject=subjects.find_customer(ANN))
    requests.check_identity(SYSTEM, number, "letter")
    assert request_acts.perform(SYSTEM, number) == (
        "Done: 0 contacts, 0 recordings deleted. It met nothing: check the number or id."
    )


@pytest.mark.parametrize(
    "written", [f"tel:+33{ANN[1:]}", f"sip:+33{ANN[1:]}@x.fr", f"{ANN} (portable)"]
)
def test_every_way_to_write_a_number_means_its_customer(kept: Path, written: str) -> None:
    assert subjects.find_customer(written) == subjects.find_customer(ANN)
    assert run(["requests", "add", "access", "--customer", written]) == 0
    assert run(["requests", "add", "access", "--customer", "nobody knows"]) == 1


def test_an_advisor_and_an_account_are_erased_by_their_request(
    kept: Path, add_person: Callable[..., str]
) -> None:
    add_person("eve", "evaluator")
    for subject_kind, subject in (("advisor", "A1"), ("account", "eve")):
        number = enter("erasure", subject_kind, subject)
        requests.check_identity(SYSTEM, number, "identity card")
        with pytest.raises(Refusal):
            request_acts.answer(SYSTEM, number, "Done.")
        request_acts.perform(SYSTEM, number)
        request_acts.answer(SYSTEM, number, "Done.")
        assert requests.get(SYSTEM, number).subject not in ("A1", "eve")


def test_refusing_and_extending_need_a_reason_and_extending_happens_once(kept: Path) -> None:
    number = requests.add(SYSTEM, "erasure", "customer", KEY, TODAY.replace(day=1))
    with pytest.raises(Refusal):
        requests.extend(SYSTEM, number, " ")
    before = requests.get(SYSTEM, number).due_on
    requests.extend(SYSTEM, number, "Many requests at once.")
    item = requests.get(SYSTEM, number)
    assert (item.due_on.month - before.month) % 12 == 2 and item.due_on.day == 1
    with pytest.raises(Refusal):
        requests.extend(SYSTEM, number, "Again.")
    late = requests.add(SYSTEM, "access", "customer", KEY, TODAY - timedelta(days=40))
    with pytest.raises(Refusal):
        requests.extend(SYSTEM, late, "Too late.")
    with pytest.raises(Refusal):
        request_acts.answer(SYSTEM, number, " ", is_refused=True)
    # Somebody whose identity cannot be checked is refused for that reason.
    request_acts.answer(SYSTEM, number, "Identity not shown.", is_refused=True)
    assert requests.get(SYSTEM, number).is_refused


def test_the_command_line_does_the_same(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def ask(*arguments: str) -> Any:
        capsys.readouterr()
        assert run(["requests", *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    [item] = ask("add", "erasure", "--customer", KEY, "--details", "everything")
    number = str(item["id"])
    assert (item["details"], item["is_refused"]) == ("everything", False)
    answer = ["requests", "answer", number, "--answer", "Done."]
    assert run(answer) == 1
    assert run([*answer, "--identity-checked"]) == 1
    assert "5 rows still name this person" in capsys.readouterr().err
    assert run(["requests", "perform", number, "--how", "identity card"]) == 0
    assert "Done: 3 contacts, 2 recordings deleted." in capsys.readouterr().out
    [item] = ask("answer", number, "--answer", "Done.")
    assert item["answer"] == "Done."

    [item, _done] = ask("add", "access", "--customer", "b" * 32)
    [item, _done] = ask("extend", str(item["id"]), "--reason", "Many requests.")
    assert item["extended_because"] == "Many requests."
    [_done, item] = sorted(
        ask("answer", str(item["id"]), "--answer", "Unfounded.", "--refuse"),
        key=lambda one: one["id"],
    )
    assert item["is_refused"] is True


def test_an_objection_to_an_evaluation_waits_for_its_dispute(
    kept: Path, add_person: Callable[..., str]
) -> None:
    add_person("ann", "advisor", advisor_id="A1")
    with store.writing() as session:
        made = evaluation(contact(RECENT, "c0", advisor_id="A1", team="Nord"), 80.0)
        session.add(made)
        session.flush()
        dispute = Dispute(
            evaluation_id=made.id, criterion="greeting", raised_by="ann", reason="no", original=0
        )
        session.add(dispute)
        requests.enter_objection(
            session, accounts.get_viewer(session, "ann"), f"evaluation {made.id}"
        )
    [item] = requests.find_all(SYSTEM)
    assert item.identity_check == requests.SIGNED_IN
    with pytest.raises(Refusal):
        request_acts.answer(SYSTEM, item.id, "Decided.")
    with store.writing() as session:
        session.execute(sa.update(Dispute).values(decided_at=environment.now(), decision="keep"))
    request_acts.answer(SYSTEM, item.id, "Decided.")


def test_only_the_officer_acts(kept: Path) -> None:
    number = enter("erasure")
    acts: tuple[tuple[Callable[..., Any], tuple[Any, ...]], ...] = (
        (request_acts.perform, (number,)),
        (request_acts.answer, (number, "Done.")),
        (requests.extend, (number, "why")),
        (requests.check_identity, (number, "card")),
        (subjects.rectify, ((None, "c0"), {"queue": "x"}, "why")),
        (subjects.delete_audio, ([(None, "c0")], "why")),
        (subjects.lift, (1, "why")),
    )
    for role in set(Role) - {Role.DPO}:
        for act, given in acts:
            with pytest.raises(AccessDenied):
                act(Viewer("somebody", role), *given)


# Corrected values


def test_a_corrected_value_stays_when_the_same_file_comes_again(
    centre: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = CALLS.format(day=RECENT.date())
    bring(tmp_path, "contacts", text)
    number = str(enter("rectification", subject=subjects.find_customer(ANN)))
    fields = ["advisor=Yann", "queue=Billing", "talk_seconds=75", "customer=0612345699"]
    command = ["subject", "rectify", *fields, "--contact", "C1", "--reason", "not Zelda's call"]
    assert run([*command, "--request", number]) == 0
    assert capsys.readouterr().out.startswith("Done: 1 contact, 0 recordings deleted.")

    right = ("C1", "Yann", "Billing", 75.0, subjects.find_customer("0612345699"))
    columns = ("advisor_id", "queue", "talk_seconds", "customer_key")
    assert find_contacts(*columns)[0] == right
    bring(tmp_path, "contacts", text.replace("Sales", "Support"), "again.csv")
    first, second = find_contacts(*columns)
    assert first == right
    assert second[2] == "Support"  # what nobody corrected follows the file
    [entry] = audit_report.find_entries(SYSTEM, action="contact_rectified")
    assert entry.object == "generic/C1: advisor_id, queue, talk_seconds, customer_key"
    assert entry.reason == "not •••'s call"
    request_acts.answer(SYSTEM, int(number), "Corrected.", "identity card")


def test_an_undone_import_takes_no_correction_back(centre: Path, tmp_path: Path) -> None:
    text = CALLS.format(day=RECENT.date())
    bring(tmp_path, "contacts", text)
    subjects.rectify(SYSTEM, (None, "C1"), {"queue": "Billing"}, "wrong queue")
    report = bring(tmp_path, "contacts", text.replace(",60", ",61"), "more.csv")
    assert run(["batches", "undo", report.batch_id]) == 0
    assert find_contacts("queue", "talk_seconds")[0] == ("C1", "Billing", 60.0)


def test_an_erased_person_is_in_no_correction(centre: Path, tmp_path: Path) -> None:
    bring(tmp_path, "contacts", CALLS.format(day=RECENT.date()))
    subjects.rectify(SYSTEM, (None, "C1"), {"reason": "moves house"}, "said so")
    subjects.rectify(SYSTEM, (None, "C2"), {"advisor": "Zelda"}, "said so")
    subjects.erase(SYSTEM, customer=subjects.find_customer(ANN))
    subjects.erase(SYSTEM, advisor="Zelda")
    with store.reading() as session:
        assert session.scalar(Unscoped(sa.select(sa.func.count(Rectification.id)), "a test")) == 0
    assert find_contacts("advisor_id") == [("C2", None)]


def test_what_cannot_be_a_value_is_refused(kept: Path) -> None:
    for fields in (
        {"colour": "red"},
        {"outcome": "lovely"},
        {"talk_seconds": "-5"},
        {"talk_seconds": "long"},
        {"team": "Nowhere"},
    ):
        with pytest.raises(Misuse):
            subjects.rectify(SYSTEM, (None, "c0"), fields, "why")
    for number in ("nope", "c0"):
        with pytest.raises(Refusal):
            subjects.rectify(SYSTEM, ("other", number), {"queue": "x"}, "why")
    with pytest.raises(Refusal):
        subjects.rectify(SYSTEM, (None, "c0"), {"queue": "x"}, " ")


# Audio


def test_audio_is_deleted_with_a_reason_and_a_genuine_certificate(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["subject", "delete-audio", "--contact", "c0", "--reason", "promised to Ann"]) == 0
    assert "Deleted. Certificate no. 1." in capsys.readouterr().out
    assert find_audio() == {"c1"}
    [certificate] = purge.find_certificates(SYSTEM)
    assert certificate.is_genuine and certificate.kinds["recordings"].count == 1
    [entry] = audit_report.find_entries(SYSTEM, action="purged")
    assert entry.reason == "recordings: 1 · promised to •••"
    with pytest.raises(Refusal):
        subjects.delete_audio(SYSTEM, [(None, "c0")], "again")
    with pytest.raises(Refusal):
        subjects.delete_audio(SYSTEM, [(None, "c1")], " ")

    # No purpose is entered here, so that a rule forbids the other one.
    subjects.delete_audio(SYSTEM, [], "no purpose", with_forbidden=True)
    assert find_audio() == set()


def test_lawful_and_sealed_audio_is_no_audio_that_a_rule_forbids(
    centre: Path, add_person: Callable[..., str], tmp_path: Path
) -> None:
    build_running_centre(add_person, tmp_path)  # c0 is kept for three purposes, all in force
    [found] = query.find_recorded(SYSTEM, ["c1"])
    with store.writing() as session:
        settings.set_value(session, SYSTEM, "recording_classes", "mifid=60 AMF")
        mifid = recording_classes.find_all(session)["mifid"]
        sound = deletion.store_audio(make(tmp_path / "c1.wav"))
        deletion.add(session, sound, found, "", kept_as=mifid)

    for contacts in ([], [(None, "c1")]):
        with pytest.raises(Refusal, match="No audio is kept"):
            subjects.delete_audio(SYSTEM, contacts, "tidying", with_forbidden=True)
    assert find_audio() == {"c0", "c1"}

    gates.set_gate(SYSTEM, "purposes", "training")
    with pytest.raises(Refusal):
        subjects.delete_audio(SYSTEM, [], "tidying", with_forbidden=True)


def test_restricting_and_lifting_leave_their_reason(kept: Path) -> None:
    subjects.restrict(SYSTEM, customer=KEY, reason="says that it is wrong")
    [entry] = restrictions.find_all(SYSTEM)
    with pytest.raises(Refusal):
        subjects.lift(SYSTEM, entry.id, " ")
    subjects.lift(SYSTEM, entry.id, "it is right")
    reasons = [
        entry.reason
        for act in ("restriction_entered", "restriction_lifted")
        for entry in audit_report.find_entries(SYSTEM, action=act)
    ]
    assert reasons == ["says that it is wrong", "it is right"]


# Pages


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()
    assert not app.exception


def fill(app: AppTest, label: str, text: str) -> None:
    next(field for field in app.text_input if field.label == label).set_value(text)


def count_rows(key: str) -> dict[str, int]:
    """Count a customer's contacts, recordings and playbacks in the stores, by hand."""
    with lake.working() as connection:
        ids = [
            name
            for (name,) in connection.execute(
                "SELECT contact_id FROM contacts WHERE customer_key = ?", [key]
            ).fetchall()
        ]
    counts = {"contacts": len(ids)}
    with store.reading() as session:
        for table in (Recording, Playback, Evaluation):
            theirs = sa.select(sa.func.count(table.id)).where(table.contact_id.in_(ids))
            counts[table.__tablename__] = session.scalar(Unscoped(theirs, "a test"))
    return counts


def test_ten_requests_for_access_are_answered_on_the_page_in_french(
    kept: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("dora", "dpo", language="fr")
    keys = [f"{n:032x}" for n in range(10, 20)]
    land([
        contact(RECENT, f"e{n}-{m}", customer_key=key, team="Nord", advisor_id="A1")
        for n, key in enumerate(keys)
        for m in range(n + 1)
    ], "third")  # fmt: skip
    with store.writing() as session:
        for n in range(0, 10, 2):
            audio = keep_audio(session, f"e{n}-0", make(kept / f"e{n}.wav"))
            session.add(
                Playback(
                    recording_id=audio.id,
                    source_system="generic",
                    contact_id=f"e{n}-0",
                    advisor_id="A1",
                    username="eve",
                    purpose="quality",
                    reason="r",
                )
            )
            session.add(evaluation(contact(RECENT, f"e{n}-0", advisor_id="A1", team="Nord"), 80.0))
    for key in keys:
        enter("access", subject=key)

    app = open_app("dora", "listening_rules", section="requests")
    for n, key in enumerate(keys):
        fill(app, "Comment avez-vous vérifié l’identité du demandeur\u202f?", "rappel de ce numéro")
        press(app, "Identité vérifiée")
        number = app.selectbox(key="open_request").value
        labels = [link.proto.label for link in app.get("link_button")]
        assert f"Copie pour la demande {number}, sans audio" in labels
        content = subjects.export_for(SYSTEM, number)  # what the link gives
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            held = json.loads(archive.read("data.json"))
        found = {name: len(held.get(name, [])) for name in count_rows(key)}
        assert found == count_rows(key) and found["contacts"] == n + 1
        fill(app, "Réponse donnée", "Copie envoyée.")
        press(app, "Enregistrer la réponse")

    answered = requests.find_all(SYSTEM)
    assert [item.answer for item in answered] == ["Copie envoyée."] * 10
    assert {item.identity_checked_by for item in answered} == {"dora"}


def test_the_list_shows_the_oldest_open_request_first_and_filters_by_state(
    kept: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("dora", "dpo")
    for days in (3, 20, 9):
        requests.add(SYSTEM, "access", "customer", KEY, TODAY - timedelta(days=days))
    refused = enter("erasure")
    request_acts.answer(SYSTEM, refused, "Unfounded.", is_refused=True)

    app = open_app("dora", "listening_rules", section="requests")
    days = [(TODAY - item.received_on).days for item in requests.find_all(SYSTEM)]
    assert days == [20, 9, 3, 0]
    [table] = app.dataframe
    assert list(table.value["No."]) == [2, 3, 1]
    app = open_app("dora", "listening_rules", section="requests", requests="refused")
    [table] = app.dataframe
    assert list(table.value["Answer"]) == ["Unfounded."]


def test_the_officer_does_each_act_on_the_page(
    kept: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("dora", "dpo")
    app = open_app("dora", "listening_rules", section="rights")

    def act(name: str, button: str, ticks: tuple[str, ...] = (), **texts: str) -> str:
        app.selectbox(key="officer_act").set_value(name).run()
        for field, text in texts.items():
            key = f"act_{name}_{field}"
            if field in ("kind", "field"):
                app.selectbox(key=key).set_value(text)
            else:
                app.text_input(key=key).set_value(text)
        for tick in ticks:
            app.checkbox(key=f"act_{name}_{tick}").check()
        next(one for one in app.button if one.form_id == f"act_{name}").click().run()
        assert not app.exception
        shown = (*app.success, *app.warning, *app.error)
        return next(item.value.replace("\\", "") for item in shown)

    said = act("rectify", "", who="c2", field="queue", value="Billing", reason="wrong")
    assert said == "Done: 1 contact, 0 recordings deleted."
    said = act("delete_audio", "", who="c0", reason="promised")
    assert said == "1 recording deleted. Certificate no. 1."
    assert act("object", "", kind="customer", who=KEY).startswith("Done: 3 contacts, 1 recording")
    assert act("object", "", kind="customer", who="junk").startswith("junk is no number")
    assert act("erase", "", kind="customer", who=KEY) == "Fill in all fields first."
    said = act("erase", "", ("is_sure",), kind="customer", who=KEY)
    assert said.startswith("Done: 3 contacts")
    # Nothing stays in the form of somebody who is gone, nor the tick for the next one.
    assert app.text_input(key="act_erase_who").value == ""
    assert app.checkbox(key="act_erase_is_sure").value is False
    assert find_contacts() == [("d0",)]
    subjects.rectify(SYSTEM, (None, "d0"), {"reason": "moves"}, "said Jeanne Duval")
    assert act("erase_words", "", words="Jeanne Duval") == "Found in texts: Rectifications 1."
    said = act("erase_words", "", ("is_final",), words="Jeanne Duval")
    assert said == "Erased in texts: Rectifications 1."
    assert act("erase_words", "", words="Jeanne Duval") == "No text has these words."


@pytest.mark.parametrize("language", ["en", "fr"])
def test_an_advisor_asks_for_a_right_sees_the_answer_and_what_is_planned(
    kept: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str], language: str
) -> None:
    add_person("ann", "advisor", advisor_id="A1", language=language)
    plan = {"purpose": "quality", "grid_key": "g", "per_advisor": 3, "maximum_per_advisor": 5}
    with store.writing() as session:
        for name, teams, back in (("a", [], 0), ("b", ["Sud"], 0), ("c", [], 40)):
            start = TODAY - timedelta(days=back)
            days = {"starts_on": start, "ends_on": start + timedelta(days=20)}
            filters = {"team": teams} if teams else {}
            session.add(ListeningPlan(name=name, created_by="m", filters=filters, **days, **plan))
        ann = accounts.get_viewer(session, "ann")
    app = open_app("ann", "recording_and_rights")
    assert not app.exception
    planned = [frame.value for frame in app.dataframe][-1]
    # The centre keeps no teams of Ann: a plan of any team may draw her contacts.
    assert len(planned) == 2 and list(planned.iloc[:, 3]) == [3, 3]

    app.selectbox(key="own_request_kind").set_value("contest")
    next(one for one in app.button if one.form_id == "own_request").click().run()
    assert not requests.find_all(SYSTEM)  # a contest needs words
    app.text_input(key="own_request_details").set_value("Evaluation of 3 November")
    next(one for one in app.button if one.form_id == "own_request").click().run()
    assert not app.exception
    [item] = requests.find_own(ann)
    assert (item.kind, item.subject, item.identity_check) == ("contest", "A1", "signed in")
    with pytest.raises(Refusal):
        requests.ask(ann, "contest", "Again")
    with pytest.raises(AccessDenied):
        requests.ask(Viewer("lea", Role.TEAM_LEAD), "access", "")
    request_acts.answer(SYSTEM, item.id, "The manager has decided.")
    app = open_app("ann", "recording_and_rights")
    assert "The manager has decided." in str([frame.value for frame in app.dataframe])
