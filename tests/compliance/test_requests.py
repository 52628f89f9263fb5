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
from builders.listening_centre import keep_audio
from builders.sounds import make
from streamlit.testing.v1 import AppTest

from qa_core.access.accounts import get_viewer
from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.cli import doctor
from qa_core.cli.app import run
from qa_core.compliance import requests
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.people import Account
from qa_core.upkeep import subjects

SYSTEM = Viewer.SYSTEM


def say_state() -> str:
    [check] = [check for check in doctor.examine() if check.name == "requests of persons"]
    return check.state


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
    assert say_state() == "bad"

    number = str(entered["id"])
    assert run(["requests", "answer", number, "--answer", "sent"]) == 1
    [answered] = ask("answer", number, "--answer", "sent by post", "--identity-checked")
    assert (answered["answer"], answered["answered_on"]) == (
        "sent by post",
        environment.today().isoformat(),
    )
    assert run(["requests", "answer", number, "--answer", "x", "--identity-checked"]) == 1
    assert say_state() == "ok"


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
    requests.answer(dora, number, "handed out", identity_checked=True)
    with pytest.raises(AccessDenied):
        requests.confirm_audio(mia, number)


def test_the_doctor_reminds_in_the_last_week(centre: Path) -> None:
    today = environment.today()
    requests.add(SYSTEM, "erasure", "advisor", "A1", today)
    assert say_state() == "ok"
    requests.add(SYSTEM, "access", "advisor", "A1", today - timedelta(days=26))
    assert say_state() == "warn"


def test_what_is_no_request_is_refused(centre: Path) -> None:
    assert run(["requests", "add", "gossip", "--customer", "0612345678"]) == 2
    assert run(["requests", "add", "access"]) == 2
    assert run(["requests", "add", "access", "--customer", "0612345678", "--on", "2999-01-01"]) == 2
    with pytest.raises(AccessDenied):
        requests.answer(SYSTEM, 999, "Sent.", identity_checked=True)
    for role in set(Role) - {Role.DPO}:
        with pytest.raises(AccessDenied):
            requests.find_all(Viewer("somebody", role))


def test_the_officer_enters_and_answers_a_request_on_the_page(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("dora", "dpo")
    add_people({"A1": "Ann"})
    app = open_app("dora", "listening_rules")
    label = "Number of the customer, or name of the advisor"
    next(field for field in app.text_input if field.label == label).set_value("0612345678")
    next(button for button in app.button if button.label == "Record the request").click().run()
    assert not app.exception

    next(field for field in app.text_input if field.label == "Answer given").set_value("sent")
    next(box for box in app.checkbox if box.label == "I checked the requester's identity").check()
    next(button for button in app.button if button.label == "Record the answer").click().run()

    assert not app.exception
    [item] = requests.find_all(SYSTEM)
    assert (item.answer, item.identity_checked_by, item.received_on) == (
        "sent",
        "dora",
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
