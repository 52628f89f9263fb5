"""Requests of persons: a month to answer, identity checked first, and the doctor reminds."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, land
from builders.health import find_check
from builders.listening_centre import keep_audio
from builders.sounds import make
from streamlit.testing.v1 import AppTest

from qa_core.access.accounts import get_viewer
from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.cli.app import run
from qa_core.compliance import requests
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import now
from qa_core.storage.records.listening import Recording
from qa_core.storage.records.people import Account
from qa_core.upkeep import request_acts, subjects

SYSTEM = Viewer.SYSTEM


def fill(app: AppTest, label: str, text: str) -> None:
    next(field for field in app.text_input if field.label == label).set_value(text)


def press(app: AppTest, label: str) -> None:
    next(button for button in app.button if button.label == label).click().run()


def test_a_request_is_due_a_month_after_it_came(
    centre: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def ask(*arguments: str) -> list[dict[str, object]]:
        capsys.readouterr()
        assert run(["requests", *arguments, "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    [entered] = ask("add", "access", "--customer", "0612345678", "--on", "2026-01-31")
    assert (entered["kind"], entered["received_on"], entered["due_on"]) == (
        "access",
        "2026-01-31",
        "2026-02-28",
    )
    assert "0612345678" not in json.dumps(entered)
    assert find_check("requests of persons")[0] == "bad"

    number = str(entered["id"])
    assert run(["requests", "answer", number, "--answer", "sent"]) == 1
    assert run(["requests", "answer", number, "--answer", "sent", "--identity-checked"]) == 1
    assert "is not done yet" in capsys.readouterr().err
    copy = str(centre / "copy.zip")
    assert run(["subject", "export", "--request", number, "--out", copy]) == 0
    [answered] = ask("answer", number, "--answer", "sent by post", "--identity-checked")
    assert (answered["answer"], answered["answered_on"]) == (
        "sent by post",
        environment.today().isoformat(),
    )
    assert run(["requests", "answer", number, "--answer", "x", "--identity-checked"]) == 1
    assert find_check("requests of persons")[0] == "ok"


def test_audio_is_handed_out_by_two_people(
    centre: Path, tmp_path: Path, add_person: Callable[..., str], open_app: Callable[..., AppTest]
) -> None:
    add_people({"A1": "Ann"}, {"Nord": "Lille"})
    add_person("dora", "dpo")
    add_person("mia", "manager", sites=("Lille",))
    day = datetime.combine(environment.today() - timedelta(days=3), time(9))
    land([contact(day, "c1", advisor_id="A1", team="Nord", customer_key="k" * 64)])
    with store.writing() as session:
        keep_audio(session, "c1", make(tmp_path / "c1.wav"))
        dora, mia = (get_viewer(session, name) for name in ("dora", "mia"))
    number = requests.add(dora, "access", "customer", "k" * 64, environment.today())

    def list_audio(viewer: Viewer) -> list[str]:
        with zipfile.ZipFile(io.BytesIO(subjects.export_for(viewer, number))) as archive:
            return [name for name in archive.namelist() if name.startswith("audio/")]

    assert list_audio(dora) == []
    with pytest.raises(Refusal):
        requests.confirm_audio(dora, number)
    for stranger in (Viewer("eve", Role.EVALUATOR), Viewer("lou", Role.TEAM_LEAD)):
        with pytest.raises(AccessDenied):
            requests.confirm_audio(stranger, number)
    with pytest.raises(AccessDenied):
        subjects.export_for(dora, number + 1)
    app = open_app("mia", "listening_rules")
    app.button(f"audio_{number}").click().run()
    assert not app.exception
    [name] = list_audio(dora)
    assert name.endswith(".wav")
    with pytest.raises(AccessDenied):
        list_audio(mia)
    with store.writing() as session:
        session.execute(sa.update(Recording).values(delete_after=now() - timedelta(seconds=1)))
    assert list_audio(dora) == []
    request_acts.answer(dora, number, "handed out", "identity card")
    with pytest.raises(AccessDenied):
        requests.confirm_audio(mia, number)


def test_the_doctor_reminds_in_the_last_week(centre: Path) -> None:
    today = environment.today()
    requests.add(SYSTEM, "erasure", "advisor", "A1", today)
    assert find_check("requests of persons")[0] == "ok"
    requests.add(SYSTEM, "access", "advisor", "A1", today - timedelta(days=26))
    assert find_check("requests of persons")[0] == "warn"


def test_what_is_no_request_is_refused(centre: Path) -> None:
    assert run(["requests", "add", "gossip", "--customer", "0612345678"]) == 2
    assert run(["requests", "add", "access"]) == 2
    assert run(["requests", "add", "access", "--customer", "0612345678", "--on", "2999-01-01"]) == 2
    with pytest.raises(AccessDenied):
        request_acts.answer(SYSTEM, 999, "Sent.", "identity card")
    for role in set(Role) - {Role.DPO}:
        with pytest.raises(AccessDenied):
            requests.find_all(Viewer("somebody", role))


def test_the_officer_enters_and_answers_a_request_on_the_page(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("dora", "dpo")
    add_people({"A1": "Ann"})
    app = open_app("dora", "listening_rules", section="requests")
    app.text_input(key="person_request_who").set_value("06 12 34 56 78")
    press(app, "Record the request")
    assert not app.exception

    fill(app, "Answer given", "sent")
    press(app, "Record the answer")
    assert any("identity" in item.value for item in app.error)
    fill(app, "How did you check the requester's identity?", "call back on that number")
    press(app, "Identity checked")
    subjects.export_for(SYSTEM, requests.find_all(SYSTEM)[0].id)
    fill(app, "Answer given", "sent")
    press(app, "Record the answer")

    assert not app.exception
    [item] = requests.find_all(SYSTEM)
    assert (item.answer, item.identity_checked_by, item.identity_check, item.received_on) == (
        "sent",
        "dora",
        "call back on that number",
        environment.today(),
    )
    assert isinstance(item.due_on, date)


def test_a_reason_in_the_audit_log_names_none_of_the_centres_people(
    centre: Path, add_person: Callable[..., str]
) -> None:
    add_person("lea", "team_lead")
    add_people({"a1": "Zoé Martin", "4501": "Ann"})
    with store.writing() as session:
        session.get_one(Account, "lea").display_name = "Léa Petit"
        for reason in (
            "plainte de zoé martin contre Petit",
            "Martin a crié, un petit incident, poste 4501",
            "quality: Ann's contact was annotated",
        ):
            audit_log.record(session, "dora", "contact_picked", "x", reason)
        texts = sa.select(JournalRow.reason).order_by(JournalRow.seq.desc()).limit(3)
        assert session.scalars(texts).all() == [
            "quality: •••'s contact was annotated",
            "••• a crié, un petit incident, poste 4501",
            "plainte de ••• contre •••",
        ]
