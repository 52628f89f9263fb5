"""Attacks on what is kept: each tries what somebody with a copy of the files, or a name
of their own choosing, could try.
"""

from __future__ import annotations

import json
import re
import sqlite3
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.centres import add_people
from builders.import_files import bring, find_contacts
from builders.wires import Wire
from streamlit.testing.v1 import AppTest

from qa_core.base import environment, i18n
from qa_core.base.errors import Refusal
from qa_core.cli import doctor
from qa_core.cli.app import run
from qa_core.compliance import audit_report
from qa_core.metrics import downloads
from qa_core.storage import audit_log, system_errors
from qa_core.storage.records import due_work, store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.people import LoginSession
from qa_core.ui import asgi
from qa_core.upkeep import after_import


def act(*actions: str) -> None:
    for action in actions:
        with store.writing() as session:
            audit_log.record(session, "eve", action)


def cut_after(seq: int) -> None:
    with store.writing() as session:
        session.execute(sa.delete(JournalRow).where(JournalRow.seq > seq))


def verified() -> audit_log.Verification:
    with store.reading() as session:
        return audit_log.verify(session)


@pytest.mark.owner
def test_rows_cut_off_the_end_of_the_journal_are_missed(centre: Path) -> None:
    act("one", "two", "three")
    assert verified() == audit_log.Verification(3, True, None)
    cut_after(1)
    assert verified() == audit_log.Verification(1, False, 2, is_cut=True)
    assert "row 2" in audit_report.describe(verified())


@pytest.mark.owner
def test_new_rows_do_not_make_good_what_was_cut(centre: Path) -> None:
    act("one", "two", "three")
    cut_after(1)
    act("four", "five", "six", "seven")
    assert verified() == audit_log.Verification(5, False, 3, is_cut=True)
    cut_after(0)
    act("eight")
    assert not verified().ok


def test_the_end_that_is_noted_is_that_of_what_was_committed(centre: Path) -> None:
    act("one")
    try:
        with store.writing() as session:
            audit_log.record(session, "eve", "two")
            raise RuntimeError
    except RuntimeError:
        pass
    assert verified() == audit_log.Verification(1, True, None)
    file = audit_log.end_file()
    assert file.parent == centre / "secrets" and file.stat().st_mode & 0o777 == 0o600
    before = file.read_text()
    act("two")
    # A note that fell behind, because the power went between the commit and the note,
    # is no cut.
    file.write_text(before)
    assert verified() == audit_log.Verification(2, True, None)
    act("three")
    assert verified().ok and file.read_text().startswith("3 ")


@pytest.mark.owner
def test_a_journal_whose_note_is_removed_or_spoilt_is_bad_and_stays_so(centre: Path) -> None:
    act("one", "two", "three")
    for spoil in (Path.unlink, lambda file: file.write_text("no end")):
        cut_after(1)
        spoil(audit_log.end_file())
        act("four")
        assert verified() == audit_log.Verification(
            2, False, None, missing_note=str(audit_log.end_file())
        )
        said = audit_report.describe_for_operator(verified())
        assert f"{audit_log.end_file().name} is missing" in said
        assert said.endswith("Try: python -m qa_core journal anchor --reason TEXT")
        with store.writing() as session:
            audit_log.anchor(session, "eve", "restored a backup")
        assert verified().ok
        act("five")
        assert verified().ok


@pytest.mark.owner
def test_the_note_elsewhere_shows_what_a_note_rewritten_here_hides(
    centre: Path, tmp_path_factory, monkeypatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "anchor"
    monkeypatch.setenv("QA_ANCHOR", str(elsewhere))
    act("one", "two", "three")
    assert verified().ok and elsewhere.read_text() == audit_log.end_file().read_text()

    with store.reading() as session:
        second = session.get(JournalRow, 2)
    cut_after(2)
    audit_log.end_file().write_text(f"2 {second.mac}\n")

    assert verified() == audit_log.Verification(2, False, 3, is_cut=True)
    elsewhere.unlink()
    act("four")
    assert verified().missing_note == str(elsewhere)


@pytest.mark.owner
def test_a_log_that_was_emptied_with_its_note_is_bad_where_there_are_accounts(
    centre: Path, add_person: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert verified().ok  # of a centre that is still empty
    add_person("root", "admin")
    cut_after(0)
    audit_log.end_file().unlink()

    assert verified() == audit_log.Verification(0, False, 1, is_cut=True)
    assert run(["journal", "verify", "--json"]) == 1


@pytest.mark.owner
def test_a_note_beside_the_log_alone_is_a_warning_since_both_can_be_cut(
    centre: Path, tmp_path_factory, monkeypatch, capsys: pytest.CaptureFixture[str]
) -> None:
    act("one")
    old_end = audit_log.end_file().read_text()
    act("two")
    cut_after(1)
    audit_log.end_file().write_text(old_end)

    assert run(["journal", "verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["warnings"] == ["end_beside_log"]
    [check] = [check for check in doctor.examine() if check.name == "journal"]
    assert check.state == doctor.WARN and "QA_ANCHOR" in check.detail

    for place in (centre / "anchor", centre / "secrets" / "anchor"):
        monkeypatch.setenv("QA_ANCHOR", str(place))
        assert verified().warnings == ("end_beside_log",)
    monkeypatch.setenv("QA_ANCHOR", str(tmp_path_factory.mktemp("elsewhere") / "anchor"))
    with store.writing() as session:
        audit_log.anchor(session, "eve")
    assert verified().ok and verified().warnings == ()


def test_a_new_place_for_the_note_is_made_once_and_recorded(
    centre: Path, tmp_path_factory, monkeypatch
) -> None:
    act("one")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "anchor"
    monkeypatch.setenv("QA_ANCHOR", str(elsewhere))
    assert verified().missing_note == str(elsewhere)

    made = []
    for _ in range(2):
        with store.writing() as session:
            made.append(audit_log.anchor_once(session, "system"))
    assert made == [elsewhere, None] and verified().ok

    elsewhere.unlink()
    with store.writing() as session:
        assert audit_log.anchor_once(session, "system") is None
    assert not verified().ok


def test_the_end_is_in_the_log_of_the_server_too(centre: Path, caplog, monkeypatch) -> None:
    monkeypatch.setattr(audit_log, "_logged_at", None)
    with caplog.at_level("INFO", logger="qa_core.journal"):
        act("one", "two")
    with store.reading() as session:
        seal = session.get(JournalRow, 1).mac
    assert caplog.messages == [f"end of the journal: row 1, seal {seal}"]


def test_a_customer_s_number_in_a_comment_is_kept_nowhere(centre: Path, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("files")
    bring(
        folder,
        "contacts",
        "contact_id,started_at,verbatim\nC1,2026-03-02 09:00:00,ring +33 (0)6 12 34 56 01 or "
        "ann@example.org\nC2,2026-03-02 09:05:00,\n",
    )
    bring(
        folder,
        "surveys",
        "contact_id,answered_at,csat,comment\nC2,2026-03-03 09:00:00,2,Rappelez-moi au "
        "06.12.34.56.02 avant le 2026-03-09 : 3 appels\n",
    )
    bring(
        folder,
        "surveys",
        "contact_id,answered_at,csat,comment\nC9,2026-03-03 09:00:00,2,0612345603\n",
    )
    assert find_contacts("survey_comment") == [
        ("C1", "ring ••• or •••"),
        ("C2", "Rappelez-moi au ••• avant le 2026-03-09 : 3 appels"),
    ]
    everything = b"".join(path.read_bytes() for path in centre.rglob("*") if path.is_file())
    for trace in (b"34 56 01", b"34.56.02", b"0612345603", b"ann@"):
        assert trace not in everything


@pytest.mark.sqlite("it looks at the files of the records")
def test_the_records_are_their_owner_s_alone(centre: Path) -> None:
    act("one")
    assert {path.stat().st_mode & 0o077 for path in centre.glob("records.sqlite*")} == {0}
    assert [check.state for check in doctor.examine() if check.name == "records"] == ["ok"]
    (centre / "records.sqlite").chmod(0o640)
    [check] = [check for check in doctor.examine() if "records.sqlite" in check.detail]
    assert check.state == "bad" and "Other users" in check.detail


def test_a_link_in_an_address_is_no_link_on_the_page(
    add_person: Callable[..., str], open_app: Callable[..., AppTest], tmp_path_factory
) -> None:
    bring(
        tmp_path_factory.mktemp("files"),
        "contacts",
        "contact_id,started_at,source\nC1,2026-03-02 09:00:00,Bing\n",
    )
    add_person("mia", "manager")
    app = open_app("mia", "contacts", source="[your session ended](https://elsewhere.example)")
    labels = [button.label for button in app.button if button.key == "remove_source"]
    assert labels == ["Source\\: \\[your session ended\\]\\(https\\:\u2060//elsewhere\\.example\\)"]


def test_a_number_of_thirty_digits_in_an_address_is_nobody_s(
    add_person: Callable[..., str], open_app: Callable[..., AppTest]
) -> None:
    add_person("mia", "manager")
    for page, field in (("evaluation", "id"), ("coaching", "plan")):
        app = open_app("mia", page, **{field: "9" * 30})
        assert "You do not have access to this" in app.error[0].value


def test_an_id_of_a_file_breaks_no_header_of_a_download(
    add_person: Callable[..., str],
) -> None:
    add_people({'Zoé";\r\nX: y': "Zoé"}, {"Blue": "Lyon"})
    add_person("zoe", "advisor", advisor_id='Zoé";\r\nX: y')
    zoe = Wire("zoe")
    asgi.load_download_rooms()
    ticket = downloads.make_ticket(zoe.signed_in, "training_file", advisor_id='Zoé";\r\nX: y')
    status, headers, _body = zoe.ask(f"/download/{ticket}")
    assert (status, headers["content-disposition"]) == (
        200,
        'attachment; filename="ecoute-training-Zo_____X__y.csv"',
    )


def test_a_range_of_five_thousand_digits_asks_for_the_whole(centre: Path) -> None:
    for header in ("bytes=0-" + "9" * 5000, "bytes=" + "9" * 5000 + "-", "bytes=-" + "9" * 5000):
        assert asgi._find_span(header, 100) == (0, 100, False)


def test_errors_of_the_system_are_said_in_words(tmp_path: Path) -> None:
    file = tmp_path / "records.sqlite"
    first = sqlite3.connect(file, isolation_level=None)
    first.execute("CREATE TABLE one (a)")
    first.execute("BEGIN IMMEDIATE")
    attempts = {
        "store_busy": lambda: sqlite3.connect(file, timeout=0).execute(
            "INSERT INTO one VALUES (1)"
        ),
        "store_read_only": lambda: sqlite3.connect(f"file:{file}?mode=ro", uri=True).execute(
            "INSERT INTO one VALUES (1)"
        ),
    }
    for code, attempt in attempts.items():
        with pytest.raises(sqlite3.OperationalError) as raised:
            attempt()
        assert system_errors.find_refusal(raised.value).code == code
    assert system_errors.find_refusal(ValueError("x")) is None


@pytest.mark.sqlite("it locks the file of the records")
def test_a_list_says_soon_that_another_writer_holds_the_records(
    add_person: Callable[..., str],
    open_app: Callable[..., AppTest],
    tmp_path_factory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(store, "NOTE_SECONDS", 0.2)
    bring(
        tmp_path_factory.mktemp("files"),
        "contacts",
        "contact_id,started_at,source\nC1,2026-03-02 09:00:00,Bing\n",
    )
    add_person("mia", "manager")
    app = open_app("mia", "contacts")
    assert not app.error
    with store.writing() as session:  # so that the session, too, is to be noted as used
        earlier = datetime.now(UTC) - timedelta(minutes=5)
        session.execute(sa.update(LoginSession).values(last_seen_at=earlier))
    file = store.file_of(environment.current().database_url)
    holder = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    # Who waits longer than that finds the records free, and shows the list.
    freed = threading.Timer(20, holder.rollback)
    freed.start()
    app.query_params["source"] = "Bing"

    app.run()

    assert "Another program is using the records" in app.error[0].value
    assert [title.value for title in app.title] == ["Contacts"] and app.button
    freed.cancel()
    holder.rollback()
    assert not app.run().error


def test_records_that_fail_for_a_moment_end_no_work_of_the_server(
    centre: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else nothing would be deleted, and no mail sent, until somebody starts it again."""
    rounds = []

    def fail(_name: str) -> None:
        raise sa.exc.OperationalError("SELECT 1", {}, ConnectionError())

    def wait(_seconds: float) -> None:
        rounds.append(len(rounds))
        if len(rounds) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(due_work, "find", fail)
    monkeypatch.setattr(after_import, "wait", wait)
    with pytest.raises(KeyboardInterrupt):
        asgi._work_unattended()
    assert rounds == [0, 1]


@pytest.mark.sqlite("it looks into the file of the records")
def test_records_that_cannot_be_opened_are_said_in_words_by_every_command(
    centre: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store.close()
    for name in ("records.sqlite-wal", "records.sqlite-shm"):  # as in a folder that is read-only
        (centre / name).unlink(missing_ok=True)
        (centre / name).mkdir()
    for command in ("settings list", "kpi received", "batches list", "journal verify", "purge"):
        assert run(command.split()) == 1
        assert "Écoute cannot write its stores" in capsys.readouterr().err, command
    assert run(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "Écoute cannot write its stores" in said and "sqlite3" not in said
    assert "temporary files" in said  # it goes on to the end


def find_addresses() -> list[str]:
    """Every variable of the environment with an address that the code reads."""
    sources = (
        path.read_text(encoding="utf-8") for path in (environment.PROJECT / "qa_core").rglob("*.py")
    )
    return sorted({name for text in sources for name in re.findall(r'"(QA_[A-Z_]+_URL)"', text)})


@pytest.mark.parametrize("name", find_addresses())
def test_a_password_in_an_address_of_the_environment_is_in_no_answer(
    name: str, centre: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a command or the start of the server prints ends in logs and in questions for help."""
    password = "Sup3r-Secret"
    finders = [environment.find_proxies, environment.find_metrics_readers]
    finders.append(environment.find_mail_server)
    for address in (f"smtp://bob:{password}@127.0.0.1:9", f"s3://bob:{password}@host:x/y"):
        monkeypatch.setenv(name, address)
        for command in ("doctor", "kpi received", "engine check", "deliveries due"):
            run(command.split())
        for find in finders:
            try:
                find()
            except Refusal as refusal:
                print(i18n.format_for_operator(refusal))
        assert password not in "".join(capsys.readouterr()), address
