"""The map of personal data: every column is declared, and what is erased, copied and
searched follows from it.
"""

from __future__ import annotations

import io
import json
import logging
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.aging_centre import add_one_of_each, add_scorecard
from builders.centres import add_people, contact, land
from builders.erasure import find_traces
from builders.every_column import (
    ACCOUNT_NAME,
    ADVISOR_ID,
    ADVISOR_NAME,
    CALLER,
    CONTACT,
    USERNAME,
    WRITTEN_NUMBER,
    fill_every_column,
)
from builders.import_files import bring, find_contacts
from tools import catalogues

from qa_core.access.roles import Viewer
from qa_core.base import environment, i18n
from qa_core.centre import settings
from qa_core.cli import app
from qa_core.cli.app import run
from qa_core.compliance import retention
from qa_core.compliance.conditions import gates
from qa_core.storage import audit_log, system_errors
from qa_core.storage.facts.personal_data import KEEP, ColumnContent
from qa_core.storage.records import data_map, store
from qa_core.storage.records.base import Base, now
from qa_core.storage.records.people import Advisor
from qa_core.upkeep import backup, person_copy, purge, restore, subjects

SYSTEM = Viewer.SYSTEM
NUMBER = "0612345601"
TEXT_NAMES = ("comment", "note", "reason", "text", "title", "goal", "answer", "author", "owner")
TEXT_NAMES += ("username", "actor", "evaluator", "evaluators")


def test_every_column_is_declared() -> None:
    records = data_map.find_records()  # raises for a column that says nothing
    assert set(records) == set(Base.metadata.tables)
    with pytest.raises(TypeError, match="does not say what it holds"):
        type("Undeclared", (Base,), {})
    undeclared = {
        f"{entry.name}.{name}"
        for entry in records.values()
        for name, datum in entry.columns.items()
        if datum.what == ColumnContent.FACT
        and isinstance(entry.table.c[name].type, sa.Text)
        and (name in TEXT_NAMES or name.endswith("_by") or "advisor" in name)
    }
    # A kind of exclusion, the batch that joined a row, names that go with their row.
    assert undeclared == {
        *("exclusion.reason", "waiting_row.joined_by", "confirmed_evaluator.title"),
    }


def test_what_is_kept_has_a_period_or_a_reason() -> None:
    tables = [*data_map.find_records().values(), *data_map.LAKE.values()]
    for entry in tables:
        if entry.stored.whose:
            assert entry.stored.kind in retention.BY_KIND or entry.stored.because, entry.name
        if entry.stored.kind:
            assert entry.stored.kind in retention.BY_KIND, entry.name
        for name, datum in entry.columns.items():
            assert datum.on_erasure != KEEP or datum.because, f"{entry.name}.{name}"
    kinds = {entry.stored.kind for entry in tables}
    kinds |= {stored.kind for stored in data_map.FILES.values()}
    kinds |= {datum.kind for entry in tables for datum in entry.columns.values()}
    assert kinds - {None} == set(retention.BY_KIND)


def test_every_heading_of_a_copy_is_in_both_languages() -> None:
    own, shown = person_copy.HEADINGS["fr"], catalogues.read("fr")
    headings = set()
    for entry in (*data_map.find_records().values(), data_map.LAKE["contacts"]):
        for kind in entry.persons:
            columns = person_copy.find_shown(entry, kind)
            headings |= {person_copy.name_table(entry.name)}
            headings |= {person_copy.name_column(column) for column in columns}
    on_pages = {text for text in headings if shown.get(text) and shown.get(text).string}
    assert headings - on_pages == set(own)
    with i18n.in_language("fr"):
        assert person_copy.translate("Clear bytes") == "Taille en octets"
        assert person_copy.translate("Advisors") == "Conseillers"


@pytest.fixture
def filled(centre: Path, start_from: Callable[..., Any]) -> Path:
    start_from(fill)
    return centre


def fill() -> None:
    key = subjects.find_customer(NUMBER)
    moment = datetime(2026, 11, 20, 10)
    keys = {"advisor_id": ADVISOR_ID, "customer_key": key, "ticket": "T-erased"}
    land([contact(moment, CONTACT, survey_comment="mark:contacts.survey_comment", **keys)])
    texts = {
        column.name: f"{ADVISOR_NAME}’s"
        for what in (ColumnContent.TEXT, ColumnContent.WORDING)
        for column, _datum in data_map.LAKE["contacts"].find(what)
    }
    of_other = {"advisor_id": "other", "customer_key": "other-key"} | texts
    land([contact(moment, "K-other", **of_other)], "second")
    written = fill_every_column(key)
    personal = {
        f"{entry.name}.{name}"
        for entry in data_map.find_records().values()
        for name, datum in entry.columns.items()
        if datum.what not in (ColumnContent.FACT, ColumnContent.SCORE, ColumnContent.SECRET)
    }
    assert {name for name in personal - written if not name.startswith("journal.")} == {
        "recording.file_name",  # written with the audio, see test_subjects
        "objection.advisor_id",  # this one names the customer
        "account.advisor_id", "evaluation.given_advisor_id",
    }  # fmt: skip
    with store.writing() as session:
        audit_log.record(session, USERNAME, "account_add", reason="a reason")


@pytest.mark.sqlite("it looks into the file of the records")
def test_every_file_of_a_centre_is_declared(
    filled: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    add_scorecard()
    add_one_of_each(tmp_path_factory.mktemp("sent"), "kept", now(), ADVISOR_ID)
    purge.purge(SYSTEM)
    found = {path.name.removesuffix("-wal").removesuffix("-shm") for path in filled.iterdir()}
    assert {"recordings", "quarantine", "lake", "secrets", "records.sqlite"} <= found
    assert found - set(data_map.FILES) == set()
    of_lake = {f"lake/{path.name}" for path in (filled / "lake").iterdir() if path.is_dir()}
    assert of_lake - set(data_map.FILES) <= {f"lake/{name}" for name in data_map.LAKE}


def find_places(home: Path, word: str) -> set[str]:
    """The columns of the records that hold a word, and the other files that do."""
    places = {path for path in find_traces(home, word) if not path.startswith("records.sqlite")}
    with closing(sqlite3.connect(home / "records.sqlite")) as connection:
        connection.row_factory = sqlite3.Row
        for name in Base.metadata.tables:
            for row in connection.execute(f'SELECT * FROM "{name}"'):
                places |= {f"{name}.{key}" for key in row.keys() if word in str(row[key])}  # noqa: SIM118
    return places


LEADS_TO_NOBODY = {
    f"{name}.contact_id"
    for name in (
        *("evaluation", "recording", "playback", "drawn_contact", "calibration_contact"),
        *("subject_request", "objection", "exclusion", "restriction", "waiting_row"),
    )
} | {"journal.object"}  # that the recording of a contact was deleted
WORDS_ABOUT_NO_CONTACT = {
    *("accreditation.reason", "confirmed_evaluator.reason", "annotation.title", "irritant.note"),
    *("calibration.title", "coaching_note.text", "coaching_plan.goal", "import_batch.file_name"),
    *("confirmed_reading.waiting", "saved_view.name", "service_token.purpose"),
}


def find_wordings() -> set[str]:
    return {
        f"{entry.name}.{name}"
        for entry in data_map.find_records().values()
        for name, datum in entry.columns.items()
        if datum.what == ColumnContent.WORDING
    }


def check_erased(home: Path, key: str) -> None:
    """Search every byte for the three: what stays is what the map gives a reason for."""
    assert find_places(home, key) == {"objection.customer_key"}
    assert find_places(home, CONTACT) <= LEADS_TO_NOBODY
    assert find_places(home, "mark:") <= WORDS_ABOUT_NO_CONTACT | find_wordings()
    for word in (ADVISOR_ID, ADVISOR_NAME, "Unmistakable", ACCOUNT_NAME, "Unforgettable"):
        assert find_places(home, word) == set(), word
    # The seal and the signature cover these; they go at the end of their periods.
    assert find_places(home, USERNAME) == {"journal.actor", "purge.actor"}


@pytest.mark.sqlite("it searches the file of the records by itself")
def test_a_number_that_somebody_writes_is_in_no_free_text(filled: Path) -> None:
    """Texts inside JSON are masked where they are written (tests of drafts and remarks)."""
    inside = {"evaluation.draft", "evaluation.tags", "evaluation_revision.content"}
    assert find_places(filled, WRITTEN_NUMBER) == inside | {"calibration_contact.consensus"}


@pytest.mark.sqlite("it searches the file of the records by itself")
def test_who_is_erased_is_found_in_no_byte_of_any_store_nor_of_a_restored_backup(
    filled: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    key = subjects.find_customer(NUMBER)
    for word in (key, CONTACT, ADVISOR_ID, ADVISOR_NAME, USERNAME, ACCOUNT_NAME):
        assert find_places(filled, word), word
    file = tmp_path_factory.mktemp("elsewhere") / "centre.bak"
    backup.back_up(SYSTEM, file)

    subjects.erase(SYSTEM, customer=key)
    assert find_places(filled, "mark:evaluation.comment") == set()
    assert find_places(filled, "mark:evaluation_answer.comment") == set()
    assert find_places(filled, "mark:timed_comment.text") == set()
    assert find_places(filled, ADVISOR_ID) >= {"evaluation.advisor_id", "coaching_plan.advisor_id"}
    subjects.erase(SYSTEM, account=USERNAME)
    assert find_places(filled, ADVISOR_ID) >= {"evaluation.advisor_id", "coaching_plan.advisor_id"}
    subjects.erase(SYSTEM, advisor=ADVISOR_ID)

    check_erased(filled, key)
    assert find_contacts("advisor_id") == [("K-other", "other")]
    with store.reading() as session:
        assert audit_log.verify(session).ok

    store.engine_for(environment.current().database_url).dispose()
    for path in filled.iterdir():
        if path.name != "secrets":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    restored = restore.restore(SYSTEM, file)
    assert (restored.customers, restored.advisors) == (1, 1)
    check_erased(filled, key)


@pytest.mark.sqlite("it counts in the file of the records by itself")
def test_words_that_an_erasure_does_not_find_are_erased_in_every_text(
    filled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The name of a caller, in every text of the records, in a contact and in a quarantine."""
    land([contact("2026-11-20 11:00", "K-said", survey_comment=f"I am {CALLER}.")], "third")
    environment.write_private(filled / "quarantine" / "one.csv", f"line,{CALLER}\n".encode())
    subjects.erase(SYSTEM, customer=subjects.find_customer(NUMBER))
    for folder in ("pulling", "tmp/upload-killed"):  # what waits, and what was interrupted
        (filled / folder).mkdir(parents=True, exist_ok=True)
        (filled / folder / "calls.csv").write_text(f"comment\n{CALLER}\n", encoding="utf-8")

    def ask(words: str, *options: str) -> Any:
        run(["subject", "erase-words", words, *options, "--json"])
        return json.loads(capsys.readouterr().out)

    file = filled.parent / f"{filled.name}.bak"
    backup.back_up(SYSTEM, file)
    found = ask(CALLER.lower(), "--dry-run")["texts"]
    assert found["coaching_note"] == 1 and found["contacts"] == 1
    assert find_traces(filled, CALLER)

    assert ask(CALLER) == {"texts": found}

    assert find_traces(filled, CALLER) == []
    assert ask(CALLER, "--dry-run") == {"texts": {}}
    assert ("K-said", "I am ….") in find_contacts("survey_comment")

    store.engine_for(environment.current().database_url).dispose()
    for path in filled.iterdir():
        if path.name != "secrets":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert restore.restore(SYSTEM, file).words == 1
    assert find_traces(filled, CALLER) == [], "a restored backup has the words again"
    assert ("K-said", "I am ….") in find_contacts("survey_comment")
    for words in (ADVISOR_NAME, USERNAME, "Jo"):
        assert ask(words)["error"]["code"] == "bad_words"


@pytest.mark.sqlite("it looks into the file of the records")
def test_a_copy_has_every_row_that_names_its_person(filled: Path) -> None:
    def count(statement: str) -> int:
        with closing(sqlite3.connect(filled / "records.sqlite")) as connection:
            return connection.execute(f"SELECT count(*) FROM {statement}").fetchone()[0]

    copy = read_copy(subjects.export(SYSTEM, advisor=ADVISOR_ID))
    own = {
        entry.name
        for entry in data_map.find_records().values()
        if "advisor_id" in entry.table.c
        and count(f"{entry.name} WHERE advisor_id = '{ADVISOR_ID}'")
    }
    parts = {"evaluation_answer", "evaluation_revision", "timed_comment", "dispute"}
    of_files = {"waiting_row", "before_image"}
    assert set(copy) >= own | parts | of_files | {"coaching_note", "contacts"}
    assert all(len(copy[name]) == 1 for name in own | parts)
    assert "mark:dispute.reason" in json.dumps(copy) and "mark:coaching_note" in json.dumps(copy)
    others = (USERNAME, ACCOUNT_NAME)
    assert [name for name, rows in copy.items() if any(w in str(rows) for w in others)] == []

    of_customer = read_copy(subjects.export(SYSTEM, customer=subjects.find_customer(NUMBER)))
    assert "mark:evaluation.comment" in json.dumps(of_customer)
    assert "mark:contacts.survey_comment" in json.dumps(of_customer)
    assert [row["subject"] for row in of_customer["subject_request"]]
    assert ADVISOR_NAME not in json.dumps(of_customer) and "score" not in json.dumps(of_customer)

    of_account = read_copy(subjects.export(SYSTEM, account=USERNAME))
    named = {
        entry.name
        for entry in data_map.find_records().values()
        for column, _datum in entry.find(ColumnContent.IDENTIFIER, "account")
        if not isinstance(column.type, sa.JSON) and column.name != "dimension_value"
    }
    assert set(of_account) >= named | of_files | {"sign_in_throttle"}
    assert "password" not in json.dumps(of_account).replace("must_change_password", "")


def read_copy(content: bytes) -> dict[str, list[dict[str, Any]]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name, words in (
            (
                "index.html",
                ("CNIL", "Fontenoy", "Finalit", "Enregistrements", "6 mois", "Vos droits"),
            ),
            ("index.en.html", ("CNIL", "Fontenoy", "Recordings", "6 months", "Your rights")),
        ):
            page = archive.read(name).decode()
            assert [word for word in words if word not in page] == [], name
        return json.loads(archive.read("data.json"))


@pytest.mark.parametrize(
    "text", ["tel:+33612345601", "sip:0612345601@pbx", "06 12 34 56 01 (portable)"]
)
def test_a_number_is_found_however_it_is_written(filled: Path, text: str) -> None:
    assert subjects.find_customer(text) == subjects.find_customer(NUMBER)


@pytest.mark.parametrize("text", ["hello", "C-4711", "06 12", "not a number (portable)"])
def test_what_is_no_number_address_or_known_id_is_refused(
    filled: Path, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "copy.zip"
    assert run(["subject", "export", "--customer", text, "--out", str(out)]) == 1
    assert text in capsys.readouterr().err and not out.exists()


def test_an_erased_customer_comes_back_without_identity(
    centre: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sent = tmp_path_factory.mktemp("sent")
    calls = (
        "contact_id,started_at,customer,outcome\n"
        f"C1,2026-11-02 09:00:00,{NUMBER},answered\nC2,2026-11-02 09:05:00,0612345602,answered\n"
    )
    bring(sent, "contacts", calls)
    key = subjects.find_customer(NUMBER)
    subjects.erase(SYSTEM, customer=key)

    bring(sent, "contacts", calls + "C3,2026-11-02 10:00:00,0612345602,answered\n")

    assert find_contacts("customer_key IS NULL") == [("C1", True), ("C2", False), ("C3", False)]
    assert find_traces(centre, key) == []


@pytest.mark.sqlite("it looks into the file of the records")
def test_names_of_people_in_what_is_set_up_are_not_in_the_log(centre: Path) -> None:
    add_people({"Z1": ADVISOR_NAME}, {"Nord": "Lille"})
    with store.writing() as session:
        reason = f"as {ADVISOR_NAME} wants it"
        settings.set_value(session, SYSTEM, "recording_share_reason", reason)
        audit_log.record(session, "mona", "plan_added", f"extra for {ADVISOR_NAME.upper()}")
    gates.set_gate(SYSTEM, "machine_notice_wording", f"Ask {ADVISOR_NAME}")

    assert find_places(centre, "Unmistakable") == {
        *("advisor.name", "setting_value.value", "gate_value.value"),
    }
    subjects.erase(SYSTEM, advisor="Z1")
    assert find_places(centre, "Unmistakable") == set()
    with store.reading() as session:
        assert gates.value_of(session, "machine_notice_wording") == "Ask …"
        assert settings.current(session).recording_share_reason == "as … wants it"


def test_an_error_of_a_store_quotes_no_value(
    centre: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_people({"Z1": ADVISOR_NAME}, {"Nord": "Lille"})
    monkeypatch.chdir(centre)
    logging.getLogger().handlers.clear()
    with pytest.raises(sa.exc.IntegrityError) as broken, store.writing() as session:
        session.execute(sa.insert(Advisor).values(advisor_id="Z1", name=ADVISOR_NAME))
    assert ADVISOR_NAME not in str(broken.value)
    app._log_failures()
    error = ValueError(f"{ADVISOR_NAME} is no number")
    system_errors.log_failure(logging.getLogger("qa_core"), "the test", error)
    assert find_traces(centre, "is no number") == []
    assert find_traces(centre, "ValueError") == ["errors.log"]
    assert ADVISOR_NAME not in capsys.readouterr().err
    logging.getLogger().handlers.clear()
