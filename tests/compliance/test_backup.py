"""Backups: the whole centre in one encrypted file without its secrets, and a restored centre
in which nothing stands that was to be deleted since.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tarfile
import threading
import tomllib
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
import sqlalchemy as sa
from builders.aging_centre import add_one_of_each, add_scorecard
from builders.centres import add_people
from builders.erasure import find_traces
from builders.forked_python import forked_python
from builders.health import find_check
from builders.import_files import bring, find_contacts
from builders.listening_centre import keep_audio
from builders.sounds import make
from builders.visitors import PASSWORD

from qa_core.access import accounts, mail_choices, second_factor, service_tokens, sessions
from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.centre import settings
from qa_core.cli.app import run
from qa_core.compliance import restrictions
from qa_core.compliance.conditions import accreditations, exclusions, gates
from qa_core.compliance.recordings import vault
from qa_core.delivery import webhook
from qa_core.storage import audit_log, replay_list, sealed_files
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.lake import tables
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.deliveries import MailChoice, Webhook
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import Recording
from qa_core.storage.records.retention import Objection, Restriction
from qa_core.upkeep import backup, purge, restore, subjects

pytestmark = pytest.mark.sqlite("backup refuses records in PostgreSQL")
SYSTEM = Viewer.SYSTEM
BROWSER = sessions.Browser(b"0123456789abcdef", "Firefox", "127.0.0.1", is_local=True)
NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
AUDIT_LABELS = "qa_core/compliance/audit_labels.toml"
WORDS = ("ann-customer", "ann-words", "ann-comment", "ann-goal", "ann-row", "ann-reason")


@pytest.fixture
def filled(
    centre: Path, start_from: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A centre with one of each kind of data, of today."""
    start_from(fill, tmp_path_factory, "ann", datetime.now(UTC))
    return centre


@pytest.fixture
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("elsewhere") / "centre.bak"


def fill(factory: pytest.TempPathFactory, name: str, at: datetime) -> None:
    add_people({"zelda": "Zelda Blank", "yann": "Yann Black"})
    add_scorecard()
    add_one_of_each(factory.mktemp("sent"), name, at, "zelda")


def lose_stores(home: Path) -> None:
    """Take away everything but the secrets, as on a new machine."""
    store.engine_for(environment.current().database_url).dispose()
    for path in home.iterdir():
        if path.name != "secrets":
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def read_rows() -> dict[str, int]:
    """The rows of every table of the records, but the journal and the marks of change."""
    with store.engine_for(environment.current().database_url).connect() as connection:
        raw = connection.connection.cursor()
        names = raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {
            name: raw.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]
            for (name,) in names
            if name not in ("journal", "change_mark", "sqlite_sequence")
        }


def play() -> bytes:
    with store.reading() as session:
        statement = sa.select(Recording.file_name).where(Recording.file_name.is_not(None))
        [name] = session.scalars(Unscoped(statement, "a test"))
    return b"".join(vault.read(name))


def refuse(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    """Run a command that is refused, and return the code."""
    capsys.readouterr()
    assert run([*arguments, "--json"]) in (1, 2)
    return json.loads(capsys.readouterr().out)["error"]["code"]


def test_a_restored_centre_is_the_one_that_was_backed_up(filled: Path, file: Path) -> None:
    before, contacts, sound = read_rows(), find_contacts("csat", "customer_key"), play()
    quarantined = (filled / "quarantine" / "ann.csv").stat().st_mtime

    backup.back_up(SYSTEM, file)
    lose_stores(filled)
    result = restore.restore(SYSTEM, file)

    assert (result.customers, result.advisors, result.objections, result.deleted) == (0, 0, 0, {})
    assert (read_rows(), find_contacts("csat", "customer_key"), play()) == (before, contacts, sound)
    assert (filled / "quarantine" / "ann.csv").stat().st_mtime == quarantined
    with store.reading() as session:
        assert audit_log.verify(session).ok
        [*_, last, anchored] = session.scalars(
            Unscoped(sa.select(JournalRow).order_by(JournalRow.seq), "a test")
        )
    assert (last.action, last.object) == ("backup_restored", file.name)
    assert anchored.action == "journal_anchored"
    assert not (filled / "restoring").exists() and not (filled / "tmp" / "left").exists()


def test_a_backup_is_encrypted_its_owners_alone_and_without_secrets(
    filled: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["backup", str(file), "--json"]) == 0

    document = json.loads(capsys.readouterr().out)
    assert document["secrets"]["folder"] == str(filled / "secrets")
    assert "pseudonyms" in document["secrets"]["needed"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and list(file.parent.iterdir()) == [file]
    content = file.read_bytes()
    assert not any(word.encode() in content for word in (*WORDS, "Zelda", "records.sqlite"))
    with backup.opening(file) as (made, archive):
        entries = {entry.name: entry.size for entry in backup.iterate(archive)}
    assert (len(entries), sum(entries.values())) == (document["files"], document["bytes"])
    assert {name.split("/")[0] for name in entries} == {
        "records.sqlite",
        "lake",
        "recordings",
        "quarantine",
    }
    assert made.made_at.isoformat() == document["made_at"]
    with store.reading() as session:
        done = sa.select(JournalRow.object).where(JournalRow.action == "backup_made")
        assert list(session.scalars(Unscoped(done, "a test"))) == [file.name]
    assert run(["backup", str(file)]) == 2  # never over an earlier one
    assert run(["backup", str(filled / "beside.bak")]) == 2


def test_a_backup_removes_what_a_killed_one_left_beside_it_a_day_ago(
    filled: Path, file: Path
) -> None:
    old, fresh, foreign = (
        file.with_name(f".{name}.0a1b2c3d.part") for name in ["old", "fresh", "film"]
    )
    for draft in (old, fresh, foreign):
        draft.write_bytes(b"ecoute backup 1 0a1b2c3d\n" if draft != foreign else b"a film")
    for draft in (old, foreign):
        os.utime(draft, (0, 0))

    assert run(["backup", str(file)]) == 0

    assert {path.name for path in file.parent.iterdir()} == {file.name, fresh.name, foreign.name}


def test_the_command_says_where_the_secrets_are_and_the_doctor_when_the_last_backup_was(
    filled: Path, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_check("backup")[0] == "warn"
    assert run(["backup", str(file)]) == 0
    text = capsys.readouterr().out
    assert f"The secrets in {filled / 'secrets'} are not in this file" in text
    assert all(name in text for name in ("backup, pseudonyms, recordings, journal", "replay.json"))
    assert find_check("backup")[0] == "ok"

    environment.find_drill_file().touch()
    monkeypatch.setenv("QA_CLOCK", (environment.today() + timedelta(days=9)).isoformat())
    assert find_check("backup")[0] == "warn"


def test_a_backup_is_of_one_moment_while_others_write(filled: Path, file: Path) -> None:
    stop = threading.Event()

    def write_on() -> None:
        while not stop.is_set():
            with store.writing() as session:
                audit_log.record(session, "eve", "sign_in", "somewhere")

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        backup.back_up(SYSTEM, file)
    finally:
        stop.set()
        writer.join()
    lose_stores(filled)
    restore.restore(SYSTEM, file)

    with store.reading() as session:
        assert audit_log.verify(session).ok


def test_what_a_purge_deletes_is_in_no_later_backup(filled: Path, file: Path) -> None:
    purge.purge(SYSTEM, environment.today() + timedelta(days=1200))

    backup.back_up(SYSTEM, file)

    with backup.opening(file) as (_made, archive):
        for entry in backup.iterate(archive):
            content = archive.extractfile(entry).read()
            assert not any(word.encode() in content for word in WORDS), entry.name
            assert not entry.name.startswith("recordings")


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[:-70_000],
    "cut at a chunk": lambda content: content[: len(content) - (len(content) - 45) % 65_552],
    "cut short": lambda content: content[:50],
    "one bit": lambda content: content[:9000] + bytes([content[9000] ^ 1]) + content[9001:],
    "longer": lambda content: content + b"more",
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_backup_leaves_nothing_behind(
    damage: Callable[[bytes], bytes], filled: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backup.back_up(SYSTEM, file)
    lose_stores(filled)
    file.write_bytes(damage(file.read_bytes()))

    assert refuse("restore", str(file), capsys=capsys) == "backup_damaged"
    assert {path.name for path in filled.iterdir()} == {"secrets", ".imports.lock"}


Entries = list[tuple[tarfile.TarInfo, bytes]]


def read_entries(file: Path) -> Entries:
    with backup.opening(file) as (_made, archive):
        return [(entry, archive.extractfile(entry).read()) for entry in backup.iterate(archive)]


def forge(file: Path, manifest: bytes, entries: Entries) -> None:
    """Write a backup that has this in it, as who holds the key of backups can."""
    [key, *_old] = backup._find_keys()
    with file.open("wb") as target:
        target.write(f"{backup.FIRST_LINE} {backup._find_first_checks()[0]}\n".encode())
        writer = sealed_files.Writer(target, key, backup.FIRST_LINE)
        with tarfile.open(fileobj=writer, mode="w|") as archive:
            for entry, content in [(tarfile.TarInfo(backup.MANIFEST), manifest), *entries]:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        writer.finish()


def entry_of(name: str, content: bytes = b"planted", **more: Any) -> Entries:
    entry = tarfile.TarInfo(name)
    for field, value in more.items():
        setattr(entry, field, value)
    return [(entry, content)]


LINKED = entry_of("recordings", b"", type=tarfile.SYMTYPE, linkname="secrets")
FORGED: dict[str, Entries] = {
    "above": entry_of("../planted"),
    "above, through a part": entry_of("lake/../../planted"),
    "above, twice": entry_of("lake/x/../../../planted"),
    "absolute": entry_of("/tmp/planted-by-a-backup"),
    "a secret": entry_of("secrets/planted"),
    "the mark of what is ready": entry_of("ready.json", b"{}"),
    "another name": entry_of("planted"),
    "no name": entry_of("."),
    "a part as a link": [*LINKED, *entry_of("recordings/planted")],
    "a hard link": entry_of("lake/planted", b"", type=tarfile.LNKTYPE, linkname="../secrets"),
    "a pipe": entry_of("lake/planted", b"", type=tarfile.FIFOTYPE),
    "a device": entry_of("lake/planted", b"", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
    "a folder": entry_of("lake/planted", b"", type=tarfile.DIRTYPE),
    "the same twice": entry_of("lake/planted") * 2,
    "below a file": [*entry_of("lake/planted"), *entry_of("lake/planted/more")],
    "control characters": entry_of("lake/plan\x1b[2Jted"),
    "sparse": entry_of(
        "lake/planted",
        pax_headers={f"GNU.sparse.{name}": "1" for name in ("major", "realsize")}
        | {"GNU.sparse.minor": "0"},
    ),
    "a thousand petabytes": entry_of("lake/planted", b"", pax_headers={"size": "9" * 18}),
}


@pytest.mark.parametrize("planted", FORGED)
def test_a_forged_backup_that_its_key_opens_writes_nothing_beside_the_stores(
    planted: str, filled: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backup.back_up(SYSTEM, file)
    entries = read_entries(file)
    manifest = {"made_at": datetime.now(UTC).isoformat(), "number": 0, "checks": {}}
    lose_stores(filled)
    secrets = sorted(path.name for path in (filled / "secrets").iterdir())
    forge(file, json.dumps(manifest).encode(), [*FORGED[planted], *entries])

    assert refuse("restore", str(file), "--accept-gaps", capsys=capsys) == "backup_damaged"

    assert {path.name for path in filled.iterdir()} == {"secrets", ".imports.lock"}
    assert sorted(path.name for path in (filled / "secrets").iterdir()) == secrets
    assert not list(filled.parent.rglob("*planted*"))
    assert not Path("/tmp/planted-by-a-backup").exists()


def test_a_forged_backup_that_says_nonsense_of_itself_is_refused(
    filled: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backup.back_up(SYSTEM, file)
    entries = read_entries(file)
    lose_stores(filled)
    whole = {"made_at": "2026-05-01T10:00:00+00:00", "number": 0, "checks": {}}
    for manifest in (
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b"{}",
        *(
            json.dumps(whole | change).encode()
            for change in (
                {"made_at": "yesterday"},
                {"made_at": None},
                {"made_at": 5},
                {"number": "many"},
                {"number": None},
                {"checks": []},
                {"checks": {"journal": ["x"]}},
            )
        ),
    ):
        forge(file, manifest, entries)
        assert refuse("restore", str(file), "--accept-gaps", capsys=capsys) == "backup_damaged"
        assert {path.name for path in filled.iterdir()} == {"secrets", ".imports.lock"}


def test_stores_in_a_forged_backup_lead_to_no_file_beside_them(
    filled: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backup.back_up(SYSTEM, file)
    entries = read_entries(file)
    kept = {name: (filled / "secrets" / name).read_bytes() for name in backup.NEEDED}
    whole = {"made_at": datetime.now(UTC).isoformat(), "number": 0, "checks": {}}
    part = next(
        path
        for entry, _content in entries
        if (path := entry.name).startswith("lake/contacts/month=")
    ).removeprefix("lake/contacts/")

    def change(name: str, content: bytes) -> bytes:
        if name.startswith("lake/contacts/_delta_log/"):
            return content.replace(part.encode(), b"../../secrets/journal")
        return content

    lose_stores(filled)
    forged = [(entry, change(entry.name, content)) for entry, content in entries]
    forge(file, json.dumps(whole).encode(), forged)
    assert refuse("restore", str(file), "--accept-gaps", capsys=capsys) == "lake_damaged"
    assert {path.name for path in filled.iterdir()} == {"secrets", ".imports.lock"}

    forged = [
        (entry, b"no records" if entry.name == backup.RECORDS else content)
        for entry, content in entries
    ]
    forge(file, json.dumps(whole).encode(), forged)
    assert refuse("restore", str(file), "--accept-gaps", capsys=capsys) == "store_damaged"

    spoilt = file.with_name("records")
    [records] = [content for entry, content in entries if entry.name == backup.RECORDS]
    spoilt.write_bytes(records)
    with closing(sqlite3.connect(spoilt)) as connection:
        connection.execute(
            "UPDATE recording SET file_name = '../secrets/journal', delete_after = '2020-01-01'"
        )
        connection.commit()
    forged = [
        (entry, spoilt.read_bytes() if entry.name == backup.RECORDS else content)
        for entry, content in entries
    ]
    forge(file, json.dumps(whole).encode(), forged)
    assert run(["restore", str(file), "--accept-gaps"]) == 0
    assert {name: (filled / "secrets" / name).read_bytes() for name in kept} == kept


def test_a_restoration_needs_the_secrets_of_the_backup(
    filled: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backup.back_up(SYSTEM, file)
    lose_stores(filled)
    kept = filled.parent / f"{filled.name}-kept"
    for name in ("backup", "pseudonyms", "recordings", "journal"):
        shutil.copytree(filled / "secrets", kept)
        (filled / "secrets" / name).unlink()
        assert refuse("restore", str(file), capsys=capsys) == "wrong_secrets"
        assert not (filled / "secrets" / name).exists()  # none is made up
        environment.secret(name)
        assert refuse("restore", str(file), capsys=capsys) == "wrong_secrets"
        assert {path.name for path in filled.iterdir()} == {"secrets", ".imports.lock"}
        shutil.rmtree(filled / "secrets")
        kept.rename(filled / "secrets")

    assert run(["restore", str(file)]) == 0
    assert "Customers erased again: 0. Advisors erased again: 0." in capsys.readouterr().out


def test_other_files_and_a_home_with_stores_are_refused(
    filled: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    backup.back_up(SYSTEM, file)
    before = read_rows()

    assert refuse("restore", str(file), capsys=capsys) == "stores_exist"
    assert read_rows() == before
    lose_stores(filled)
    other = file.with_name("other")
    other.write_bytes(b"no backup at all")
    assert refuse("restore", str(other), capsys=capsys) == "no_backup"
    assert refuse("restore", str(file.with_name("none")), capsys=capsys) == "no_file"
    assert refuse("restore", capsys=capsys) == "no_backup_named"
    (filled / "recordings" / "ab").mkdir(parents=True)
    (filled / "recordings" / "ab" / "sound.bin").write_bytes(b"")
    assert refuse("restore", str(file), capsys=capsys) == "stores_exist"
    for viewer in (Viewer("dora", Role.DPO), Viewer("adam", Role.ADMIN)):
        with pytest.raises(AccessDenied):
            restore.restore(viewer, file)
        with pytest.raises(AccessDenied):
            backup.back_up(viewer, file)


def test_stores_elsewhere_are_told_what_to_do(
    filled: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("QA_LAKE_URL", "/srv/lake")
        with pytest.raises(Refusal, match="Unset QA_DATABASE_URL and QA_LAKE_URL"):
            restore.restore(SYSTEM, file)
    monkeypatch.setenv("QA_DATABASE_URL", "postgresql+psycopg://db/centre")
    with pytest.raises(Refusal, match="pg_dump"):
        backup.back_up(SYSTEM, file)
    with pytest.raises(Refusal, match="PostgreSQL"):
        restore.restore(SYSTEM, file)
    assert not file.exists()


def test_whoever_was_erased_since_the_backup_does_not_come_back(
    filled: Path, file: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    sent = tmp_path_factory.mktemp("later")
    add_one_of_each(sent, "bob", datetime.now(UTC), "yann")
    backup.back_up(SYSTEM, file)
    subjects.erase(SYSTEM, customer="ann-customer")
    subjects.erase(SYSTEM, advisor="zelda")
    subjects.object_to(SYSTEM, ["bob-customer"], [(None, "bob1")])
    listed = replay_list.find()
    lose_stores(filled)
    assert find_traces(filled, "customer") == ["secrets/replay.json"]  # of the objection alone
    assert find_traces(filled, "ann-customer") == find_traces(filled, "zelda") == []

    result = restore.restore(SYSTEM, file)

    assert (result.customers, result.advisors, result.objections) == (1, 1, 2)
    assert replay_list.find() == listed
    for word in ("ann-customer", "ann-words", "ann-comment", "ann-goal", "zelda", "Zelda"):
        assert find_traces(filled, word) == [], word
    assert find_contacts("customer_objected", "advisor_id") == [
        ("bob0", True, "yann"),
        ("bob1", True, "yann"),
    ]
    assert list(vault.folder().rglob("*.bin")) == []  # bob's went with the objection
    with store.reading() as session:
        kept = session.scalars(Unscoped(sa.select(Objection.customer_key), "a test")).all()
    assert set(kept) == {"bob-customer", None}


def test_audio_that_a_later_import_forbade_does_not_come_back(
    centre: Path, file: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    today = environment.today()
    delivered = tmp_path_factory.mktemp("delivered")
    calls = f"contact_id,started_at,advisor,outcome\nC1,{today} 09:00:00,Zelda,answered\n"
    bring(delivered, "contacts", calls)
    with store.one_import_at_a_time(), store.writing() as session:
        keep_audio(session, "C1", make(delivered / "c1.wav"))
    backup.back_up(SYSTEM, file)
    bring(
        delivered,
        "contacts",
        calls.replace("outcome", "outcome,customer_objected", 1).replace(
            "answered", "answered,yes"
        ),
    )
    assert list(vault.folder().rglob("*.bin")) == []
    lose_stores(centre)

    restore.restore(SYSTEM, file)

    assert list(vault.folder().rglob("*.bin")) == []


def test_what_was_left_out_since_the_backup_is_left_out_again(filled: Path, file: Path) -> None:
    backup.back_up(SYSTEM, file)
    subjects.exclude(SYSTEM, "private", line="0144556677")
    subjects.exclude(SYSTEM, "representative", advisor="yann")
    subjects.restrict(SYSTEM, customer="ann-customer")
    subjects.restrict(SYSTEM, customer="bob-customer")
    subjects.restrict(SYSTEM, advisor="zelda")
    lifted = next(item for item in restrictions.find_all(SYSTEM) if item.advisor_id)
    subjects.lift(SYSTEM, lifted.id, "settled")
    exclusions.remove(SYSTEM, exclusions.find_all(SYSTEM)[-1].id)
    subjects.erase(SYSTEM, customer="bob-customer")
    assert find_traces(filled, "bob-customer") == []
    lose_stores(filled)

    restore.restore(SYSTEM, file)

    [restriction] = restrictions.find_all(SYSTEM)
    assert restriction.customer_key == "ann-customer"
    assert [item.reason for item in exclusions.find_all(SYSTEM)] == ["representative"]


def test_what_was_entered_for_an_advisor_who_came_after_the_backup_is_entered_again(
    filled: Path, file: Path
) -> None:
    backup.back_up(SYSTEM, file)
    add_people({"new": "Newell Grey"})
    subjects.exclude(SYSTEM, "representative", advisor="new")
    subjects.object_to(SYSTEM, advisors=["new"])
    subjects.restrict(SYSTEM, advisor="new")
    lose_stores(filled)

    assert run(["restore", str(file)]) == 0

    with store.reading() as session:
        assert exclusions.load(session).advisors == {"new"}
    for kind in (Restriction, Objection):
        assert [entry.advisor_id for entry in restrictions.find_all(SYSTEM, kind)] == ["new"]


def test_an_account_that_came_after_the_backup_and_was_erased_is_erased_again(
    filled: Path, file: Path, add_person: Callable[..., str]
) -> None:
    """An evaluation of the backup was made under their name elsewhere."""
    with store.writing() as session:
        session.execute(sa.update(Evaluation).values(evaluator="ottilie.far"))
    backup.back_up(SYSTEM, file)
    add_person("ottilie.far", "evaluator")
    subjects.erase(SYSTEM, account="ottilie.far")
    lose_stores(filled)

    restore.restore(SYSTEM, file)

    with store.reading() as session:
        named = session.scalars(Unscoped(sa.select(Evaluation.evaluator), "a test")).all()
    assert [name[:7] for name in named] == ["former-"]


def test_a_restoration_names_the_corrections_made_since(
    filled: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [one, other] = [(None, name) for (name,) in find_contacts()]
    subjects.rectify(SYSTEM, one, {"queue": "Sales"}, "asked for")
    backup.back_up(SYSTEM, file)
    subjects.rectify(SYSTEM, other, {"reason": "delivery", "queue": "Help"}, "asked for")
    lose_stores(filled)

    assert run(["restore", str(file)]) == 0
    assert "Corrections to enter again: ann1: reason, ann1: queue." in capsys.readouterr().out
    assert find_contacts("queue") == [(one[1], "Sales"), (other[1], None)]


def test_who_was_erased_before_the_backup_may_have_called_again(
    filled: Path, file: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    subjects.erase(SYSTEM, customer="ann-customer")
    add_one_of_each(tmp_path_factory.mktemp("again"), "again", datetime.now(UTC), "yann")
    again = [name for (name,) in find_contacts()]
    backup.back_up(SYSTEM, file)
    lose_stores(filled)

    assert restore.restore(SYSTEM, file).customers == 0
    assert [name for (name,) in find_contacts()] == again


def test_periods_shortened_and_purges_ahead_hold_after_a_restoration(
    filled: Path, file: Path
) -> None:
    gates.set_gate(SYSTEM, "analysis_retention_months", "12")
    backup.back_up(SYSTEM, file)
    gates.set_gate(SYSTEM, "analysis_retention_months", "3")
    with store.writing() as session:
        settings.set_value(session, SYSTEM, "contact_retention_months", "5")
    purge.purge(SYSTEM)
    purge.purge(SYSTEM, environment.today() + timedelta(days=40))
    lose_stores(filled)

    result = restore.restore(SYSTEM, file)

    assert {"waiting_rows", "quarantine"} <= set(result.deleted)  # of thirty days
    with store.reading() as session:
        assert gates.value_of(session, "analysis_retention_months") == "3"
        assert settings.current(session).contact_retention_months == 5


STAYS_ENDED = {
    "alert_rule_ended": "opens nothing: an alert is shown in the scope of its reader",
    "calibration_ended": "work after the backup",
    "coaching_ended": "work after the backup",
    "exclusion_removed": "replayed by its own kind",
    "grid_draft_deleted": "work after the backup",
    "calibration_closed": "work after the backup",
    "note_removed": "work after the backup",
    "objection_lifted": "replayed by its own kind",
    "plan_closed": "draws need accredited evaluators, whatever the plan says",
    "recording_deleted": "replayed by its own kind",
    "remark_removed": "work after the backup",
    "restriction_lifted": "replayed by its own kind",
    "second_factor_removed": "the restored account asks for more, not for less",
    "source_removed": "its secret lies beside the keys, and went with it",
    "target_removed": "opens nothing",
}


def test_every_act_that_ends_something_is_repeated_in_a_restored_backup_or_opens_nothing() -> None:
    acts = tomllib.loads((environment.PROJECT / AUDIT_LABELS).read_text(encoding="utf-8"))["acts"]
    ending = {"ended", "removed", "disabled"}
    ends = {act for act, label in acts.items() if isinstance(label, list) and label[1] in ending}
    assert ends <= {*audit_log.WITHDRAWALS, *STAYS_ENDED}
    assert acts.keys() >= audit_log.WITHDRAWALS.keys()


def test_accounts_tokens_and_accreditations_are_as_closed_as_before_the_restoration(
    filled: Path,
    file: Path,
    add_person: Callable[..., str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Somebody left, changed a stolen password, lost a role, a team, an accreditation."""
    for name, role in (("ava", "admin"), ("lea", "team_lead"), ("max", "evaluator")):
        add_person(name, role, teams=["Team 1"] if role == "team_lead" else [])
    for name, role in (("eve", "evaluator"), ("ned", "manager"), ("dora", "dpo"), ("tom", "dpo")):
        add_person(name, role)
    app = pyotp.parse_uri(second_factor.start(Viewer("tom", Role.DPO)))
    code, *_others = second_factor.confirm(Viewer("tom", Role.DPO), app.now(), BROWSER)
    terms = accounts.AccountTerms(Role.MANAGER, "figures")
    secret = service_tokens.add(SYSTEM, "figures", terms).secret
    until = environment.today() + timedelta(days=30)
    for name in ("eve", "max"):
        accreditations.accredit(SYSTEM, name, until)
    ended = sessions.sign_in("ava", PASSWORD, BROWSER, 7)
    with store.writing() as session:
        session.add(MailChoice(username="ned", address="old@centre.example", confirmed_at=NOW))
        session.add(
            Webhook(name="alerts", address="", host="old.example", format="teams", username="ned",
                    secret="", created_by="ned")
        )  # fmt: skip
    backup.back_up(SYSTEM, file)

    accounts.change(SYSTEM, "lea", accounts.AccountTerms(Role.EVALUATOR))
    accounts.disable(SYSTEM, "max")
    sessions.sign_out(ended, BROWSER)
    signed_in = sessions.resume(sessions.sign_in("dora", PASSWORD, BROWSER, 7), BROWSER)
    sessions.change_password(signed_in, BROWSER, PASSWORD, f"{PASSWORD}, changed")
    with store.writing() as session:
        assert second_factor.use(session, "tom", code)
    service_tokens.revoke(SYSTEM, "figures")
    [eves] = [item.id for item in accreditations.find_all(SYSTEM) if item.username == "eve"]
    accreditations.end(SYSTEM, eves)
    mail_choices.change(Viewer("ned", Role.MANAGER), digest=False)
    webhook.remove(Viewer("ned", Role.MANAGER))
    gates.set_gate(SYSTEM, "purposes", "training")
    with store.writing() as session:
        settings.set_value(session, SYSTEM, "second_factor", "deciding")
    listed = replay_list.find()
    lose_stores(filled)

    capsys.readouterr()
    assert run(["restore", str(file)]) == 0
    said = capsys.readouterr().out
    for line in (
        "Check their roles, then use people enable and people reset: dora, lea, max, tom.",
        "Service tokens revoked again: figures.",
        "Accreditations ended again: eve.",
        "Mail choices removed, because they had changed: ned.",
        "Webhooks removed, because they had changed: old.example.",
        "Settings and gates changed after the backup. Set them again: purposes, second_factor.",
    ):
        assert line in said

    assert sessions.resume(ended, BROWSER) is None
    for name in ("dora", "lea", "max", "tom"):
        with pytest.raises(Refusal, match="username or the password is wrong"):
            sessions.sign_in(name, PASSWORD, BROWSER, 7)
        accounts.enable(SYSTEM, name)
        with pytest.raises(Refusal, match="username or the password is wrong"):
            sessions.sign_in(name, PASSWORD, BROWSER, 7)
    assert sessions.sign_in("ava", PASSWORD, BROWSER, 7)
    with pytest.raises(Refusal, match="token gives no access"):
        service_tokens.open_token(secret, BROWSER)
    assert not accreditations.is_listener(Viewer("eve", Role.EVALUATOR))
    assert accreditations.is_listener(Viewer("max", Role.EVALUATOR))
    assert mail_choices.find(Viewer("ned", Role.MANAGER)).address is None
    assert webhook.find(Viewer("ned", Role.MANAGER)) is None
    assert replay_list.find() == listed


def test_an_account_is_closed_though_the_list_is_damaged_and_the_log_says_so(
    filled: Path, add_person: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    add_person("max", "evaluator")
    replay_list.ensure()
    (filled / "secrets" / replay_list.FILE).write_text("{}", encoding="utf-8")

    accounts.disable(SYSTEM, "max")

    with pytest.raises(Refusal, match="username or the password is wrong"):
        sessions.sign_in("max", PASSWORD, BROWSER, 7)
    assert "account_disable of accounts is not noted for restored backups" in caplog.text


def test_a_gap_in_what_was_erased_since_is_asked_about(
    filled: Path, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    early = filled.parent / f"{filled.name}-early"
    replay_list.ensure()
    shutil.copytree(filled / "secrets", early)
    subjects.object_to(SYSTEM, ["somebody"])
    backup.back_up(SYSTEM, file)
    lose_stores(filled)

    listed = filled / "secrets" / replay_list.FILE
    listed.rename(listed.with_suffix(".kept"))
    assert refuse("restore", str(file), capsys=capsys) == "erasures_unknown"
    shutil.copy(early / replay_list.FILE, listed)  # a copy from before the backup
    assert refuse("restore", str(file), capsys=capsys) == "erasures_unknown"
    listed.write_text(listed.read_text().replace('"number": 0', '"number": 9'))
    assert refuse("restore", str(file), capsys=capsys) == "replay_list_damaged"
    listed.unlink()
    assert run(["restore", str(file), "--accept-gaps"]) == 0
    shutil.rmtree(early)


def test_the_list_is_noted_in_a_second_place(
    filled: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QA_ANCHOR", str(file.with_name("anchor")))
    backup.back_up(SYSTEM, file)
    subjects.erase(SYSTEM, customer="ann-customer")
    (filled / "secrets" / replay_list.FILE).unlink()
    lose_stores(filled)

    assert restore.restore(SYSTEM, file).customers == 1
    assert (filled / "secrets" / replay_list.FILE).exists()


def test_a_list_forgets_when_neither_backups_nor_files_need_it_any_more(
    filled: Path, file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment.find_drill_file().touch()
    monkeypatch.setenv("QA_CLOCK", "2026-01-10")
    replay_list.ensure()
    backup.back_up(SYSTEM, file)
    monkeypatch.setenv("QA_CLOCK", "2026-02-10")
    subjects.erase(SYSTEM, customer="ann-customer")
    with store.writing() as session:
        settings.set_value(session, SYSTEM, "backup_retention_months", "2")
    monkeypatch.setenv("QA_CLOCK", "2026-04-10")
    purge.purge(SYSTEM)
    kinds = {entry.kind for entry in replay_list.find().entries}
    assert kinds == {"customer", "contact", "settings"}
    monkeypatch.setenv("QA_CLOCK", "2027-03-10")
    purge.purge(SYSTEM)
    kinds = {entry.kind for entry in replay_list.find().entries}
    assert kinds == {"customer", "contact"}, "files of that time would bring them again"
    monkeypatch.setenv("QA_CLOCK", "2027-03-11")
    purge.purge(SYSTEM)
    assert replay_list.find().entries == ()

    lose_stores(filled)
    assert refuse("restore", str(file), capsys=capsys) == "erasures_unknown"


def test_a_centre_from_seven_months_ago_holds_nothing_that_expired_or_was_erased(
    centre: Path,
    file: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment.find_drill_file().touch()
    monkeypatch.setenv("QA_CLOCK", "2025-04-20")
    fill(tmp_path_factory, "ann", datetime(2025, 4, 1, 9, tzinfo=UTC))
    bob = datetime(2025, 4, 2, 9, tzinfo=UTC)
    add_one_of_each(tmp_path_factory.mktemp("bob"), "bob", bob, "yann")
    assert run(["backup", str(file)]) == 0
    monkeypatch.setenv("QA_CLOCK", "2025-08-01")
    subjects.erase(SYSTEM, customer="ann-customer")
    subjects.erase(SYSTEM, advisor="zelda")
    monkeypatch.setenv("QA_CLOCK", "2025-11-20")
    lose_stores(centre)

    assert run(["restore", str(file)]) == 0

    assert purge.find_overdue(SYSTEM) == []
    for word in ("ann-customer", "ann-words", "ann-comment", "Zelda"):
        assert find_traces(centre, word) == [], word
    assert list(vault.folder().rglob("*.bin")) == []  # six months
    assert find_traces(centre, "bob-comment") and not find_traces(centre, "bob-row")
    [certificate] = purge.find_certificates(SYSTEM)[:1]
    assert certificate.is_genuine and certificate.as_of.isoformat() == "2025-11-20"


PLACES = [
    ("qa_core.upkeep.backup._read_manifest", "after", "1"),
    ("qa_core.storage.records.store.migrate", "before", "1"),
    ("qa_core.upkeep.purge.purge", "after", "1"),
    ("qa_core.base.environment.write_private", "after", "1"),
    ("pathlib.Path.rename", "after", "2"),
    ("pathlib.Path.rename", "after", "4"),
]


@pytest.mark.parametrize(
    "place",
    [PLACES[-1], *(pytest.param(place, marks=pytest.mark.long) for place in PLACES[:-1])],
    ids=" ".join,
)
def test_a_killed_restoration_says_so_and_is_restored_again(
    place: tuple[str, str, str], filled: Path, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = read_rows()
    backup.back_up(SYSTEM, file)
    lose_stores(filled)
    killed = subprocess.run(
        [*forked_python(), "-m", "tests.builders.killed_restore", str(file), *place],
        cwd=environment.PROJECT,
        env={**os.environ, "QA_HOME": str(filled)},
        check=False,
    )
    assert killed.returncode == -9

    if not (filled / "records.sqlite").exists():
        assert run(["init"]) == 1
        assert refuse("purge", capsys=capsys) == "restore_unfinished"
    assert run(["restore", str(file)]) == 0
    assert read_rows() == before and play()
    assert not (filled / "restoring").exists() and tables.version("contacts") >= 0


def test_stores_brought_back_by_other_means_are_cleared_too(filled: Path, file: Path) -> None:
    replay_list.ensure()
    store.empty_log()
    shutil.copytree(filled, file, ignore=shutil.ignore_patterns("secrets", "tmp"))
    subjects.erase(SYSTEM, customer="ann-customer")
    lose_stores(filled)
    shutil.copytree(file, filled, dirs_exist_ok=True)
    assert find_traces(filled, "ann-customer")

    assert run(["restore", "--replay-from", environment.today().isoformat()]) == 2
    assert run(["restore", "--accept-gaps", "--replay-from", environment.today().isoformat()]) == 0

    assert find_traces(filled, "ann-customer") == []


def test_stores_made_on_the_day_are_brought_back_unless_the_list_or_the_keys_were_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("QA_HOME", str(tmp_path / "home"))
    command = ["restore", "--replay-from", environment.today().isoformat()]
    assert run(["init", "--admin", "ada"]) == 0
    assert run(command) == 0

    own = (tmp_path / "home" / "secrets").rename(tmp_path / "own")
    for name in environment.SECRETS:
        environment.secret(name)  # those of another centre
    assert refuse(*command, "--accept-gaps", capsys=capsys) == "wrong_secrets"
    shutil.rmtree(tmp_path / "home" / "secrets")
    own.rename(tmp_path / "home" / "secrets")

    (tmp_path / "home" / "secrets" / replay_list.FILE).unlink()
    assert run(["init"]) == 0
    assert run(command) == 2


@pytest.mark.long
def test_a_large_backup_takes_little_memory(filled: Path, file: Path) -> None:
    blocks = (bytes(range(256)) * 4096 for _block in range(64))
    with store.writing() as session:
        [kept] = session.scalars(
            Unscoped(sa.select(Recording).where(Recording.file_name.is_not(None)), "a test")
        )
        kept.file_name = vault.write(blocks)  # 64 MB
    program = (
        "import resource, sys; from pathlib import Path; from qa_core.access.roles import Viewer; "
        "from qa_core.upkeep import backup; peak = lambda: "
        "resource.getrusage(resource.RUSAGE_SELF).ru_maxrss; before = peak(); "
        "backup.back_up(Viewer.SYSTEM, Path(sys.argv[1])); print(peak() - before)"
    )
    store.engine_for(environment.current().database_url).dispose()
    grown = subprocess.run(
        [sys.executable, "-c", program, str(file)],
        cwd=environment.PROJECT,
        env={**os.environ, "QA_HOME": str(filled)},
        check=True,
        capture_output=True,
    )
    assert file.stat().st_size > 64 << 20
    assert int(grown.stdout) < 40_000  # KB
