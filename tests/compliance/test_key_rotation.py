"""Rotation of secrets: new keys write, old ones read until nothing needs them; nobody is
signed out, nothing is lost, and a stop at any moment loses nothing.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyotp
import pytest
import sqlalchemy as sa
from builders.forked_python import forked_python
from builders.health import find_check
from builders.import_files import bring
from builders.listening_centre import keep_audio
from builders.sounds import make
from builders.visitors import PASSWORD

from qa_core.access import second_factor, sessions
from qa_core.access.roles import Role, Viewer
from qa_core.access.sessions import Browser
from qa_core.base import environment, signed_links
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.cli.app import run
from qa_core.compliance import audit_report, key_rotation
from qa_core.compliance.recordings import vault
from qa_core.storage import audit_log, replay_list
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.listening import Recording
from qa_core.storage.signatures import compute_mac
from qa_core.upkeep import backup, restore

SYSTEM = Viewer.SYSTEM
HERE = Browser(b"0123456789abcdef", "Firefox", "192.0.2.7")
DAY = 86_400


def rotate(name: str) -> None:
    assert run(["secrets", "rotate", name]) == 0


def act(*actions: str) -> None:
    for action in actions:
        with store.writing() as session:
            audit_log.record(session, "eve", action, audit_log.name_advisor("zelda"))


def verify() -> audit_log.Verification:
    with store.reading() as session:
        return audit_log.verify(session)


def make_older(name: str, days: float) -> None:
    """Make every key of that name as old as if it had been made, or replaced, then."""
    for path in (environment.current().secrets_folder).glob(f"{name}*"):
        os.utime(path, (time.time() - days * DAY,) * 2)


def find_files() -> dict[str, str]:
    """The contacts with audio, and its files."""
    statement = sa.select(Recording.contact_id, Recording.file_name)
    with store.reading() as session:
        rows = session.execute(
            Unscoped(statement.where(Recording.file_name.is_not(None)), "a test")
        )
        return dict(tuple(row) for row in rows)


def play() -> dict[str, bytes]:
    return {contact: b"".join(vault.read(name)) for contact, name in find_files().items()}


@pytest.fixture
def sounding(centre: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A centre with the audio of four calls of today, and their files as delivered."""
    delivered = tmp_path_factory.mktemp("delivered")
    rows = [f"C{number},{environment.today()} 09:0{number}:00" for number in range(4)]
    bring(delivered, "contacts", "\n".join(["contact_id,started_at", *rows, ""]))
    with store.one_import_at_a_time(), store.writing() as session:
        for number in range(4):
            sound = make(delivered / f"c{number}.wav", tone=100 + number, seconds=6)
            keep_audio(session, f"C{number}", sound)
    return delivered


def test_links_and_sessions_of_before_are_good_until_they_expire(
    add_person: Callable[..., str],
) -> None:
    add_person("tom", "team_lead")
    token, link = sessions.sign_in("tom", PASSWORD, HERE, 7), signed_links.seal("audio", {"a": 1})

    rotate("cookie")
    rotate("cookie")

    key_rotation.finish()
    tom = sessions.resume(token, HERE).viewer
    assert tom.username == "tom"
    with pytest.raises(AccessDenied):
        key_rotation.rotate(tom, "cookie")
    assert signed_links.unseal("audio", link) == {"a": 1}
    assert sessions.find_new_browsers("tom", HERE) == []
    later = sessions.sign_in("tom", PASSWORD, HERE, 7)
    for key in environment.find_old_files("cookie"):
        os.utime(key, (time.time() - DAY,) * 2)

    key_rotation.finish()

    assert environment.find_old_files("cookie") == []
    assert sessions.resume(token, HERE) is None and sessions.resume(later, HERE) is not None
    with pytest.raises(AccessDenied):
        signed_links.unseal("audio", link)


def test_a_process_that_runs_takes_the_new_key_and_still_reads_the_old(centre: Path) -> None:
    program = (
        "import sys; from qa_core.base import signed_links as links\n"
        "for line in sys.stdin:\n"
        "    print(links.unseal('x', line.strip())['n'], links.seal('x', {'n': 0}), flush=True)\n"
    )
    environment.secret("cookie")
    with subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=environment.PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:

        def ask(ticket: str) -> tuple[str, str]:
            other.stdin.write(ticket + "\n")
            other.stdin.flush()
            number, made = other.stdout.readline().split()
            return number, made

        old = signed_links.seal("x", {"n": 1})
        assert ask(old)[0] == "1"
        rotate("cookie")
        assert ask(old)[0] == "1"
        number, made = ask(signed_links.seal("x", {"n": 2}))
        assert number == "2"
        other.stdin.close()
    [replaced] = environment.find_old_files("cookie")
    replaced.unlink()
    assert signed_links.unseal("x", made) == {"n": 0}  # it wrote with the new key alone


def test_recordings_are_encrypted_again_and_the_old_key_is_destroyed(sounding: Path) -> None:
    before, old = play(), environment.compute_key_id(environment.secret("recordings"))
    rotate("recordings")
    assert play() == before
    assert find_check("secrets") == (
        "warn",
        "4 recordings are still under an old key. The app, watch and purge encrypt them again.",
    )
    open_stream = vault.read(find_files()["C0"])
    begun = next(open_stream)

    assert run(["purge"]) == 0

    assert begun + b"".join(open_stream) == before["C0"]  # who listens meanwhile hears it all
    assert environment.find_old_files("recordings") == []
    assert play() == before and find_check("secrets")[0] == "ok"
    [destroyed] = audit_report.find_entries(SYSTEM, action="secret_destroyed")
    assert (destroyed.object, destroyed.reason) == ("recordings", old)


@pytest.mark.parametrize(
    "moment",
    [
        "qa_core.compliance.recordings.vault.encrypt_again after 2",
        *(
            pytest.param(moment, marks=pytest.mark.long)
            for moment in (
                "qa_core.compliance.recordings.vault._encrypt before 3",
                "qa_core.storage.audit_log.record before 1",
                "pathlib.Path.replace after 2",
            )
        ),
    ],
)
def test_a_rotation_that_is_killed_loses_nothing_and_is_finished(
    sounding: Path, moment: str
) -> None:
    before = play()
    rotate("recordings")

    program = (
        "import sys; from tests.builders.killed_purge import arm; from qa_core.compliance import "
        "key_rotation; arm(*sys.argv[1:3], int(sys.argv[3])); key_rotation.finish()"
    )
    killed = subprocess.run(
        [*forked_python(), "-c", program, *moment.split()], cwd=environment.PROJECT, check=False
    )

    assert killed.returncode == -signal.SIGKILL
    assert play() == before and len(environment.find_old_files("recordings")) == 1
    key_rotation.finish()
    assert environment.find_old_files("recordings") == [] and play() == before
    assert sorted(path.name for path in vault.folder().rglob("*") if path.is_file()) == sorted(
        Path(name).name for name in find_files().values()
    )


def test_a_recording_that_is_damaged_keeps_its_key_and_one_deleted_meanwhile_stays_so(
    sounding: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = find_files()
    damaged = vault.folder() / files["C1"]
    damaged.write_bytes(damaged.read_bytes()[:-100])
    rotate("recordings")
    encrypt_again = vault.encrypt_again

    def delete_meanwhile(name: str) -> Path:
        draft = encrypt_again(name)
        if name == files["C2"]:
            with store.writing() as session:
                gone = sa.update(Recording).where(Recording.file_name == name)
                session.execute(Unscoped(gone.values(file_name=None), "a test"))
            vault.remove(name)
        return draft

    monkeypatch.setattr(vault, "encrypt_again", delete_meanwhile)
    key_rotation.finish()

    assert not (vault.folder() / files["C2"]).exists()
    assert "1 recording is still under an old key" in find_check("secrets")[1]
    assert next(vault.read(files["C1"])) and len(environment.find_old_files("recordings")) == 1


@pytest.mark.owner
def test_the_audit_log_is_whole_over_rotations_and_a_cut_is_still_found(centre: Path) -> None:
    act("one", "two")
    rotate("journal")
    act("three")
    rotate("journal")
    act("four", "five")
    assert verify() == audit_log.Verification(7, True, None)
    acts = audit_report.find_entries(SYSTEM, actor="eve")
    assert {entry.object for entry in acts} == audit_log.find_advisors(["zelda"]).keys()
    key_rotation.finish()  # the old keys verify, and stay
    assert verify().ok and len(environment.find_old_files("journal")) == 2

    def seal(seq: int, key: bytes, action: str = "forged") -> None:
        with store.writing() as session:
            row, last = session.get(JournalRow, seq), session.get(JournalRow, seq - 1)
            row.action = action
            fields = row.seq, row.at, row.actor, action, row.object, row.reason
            row.mac = compute_mac(key, last.mac, *fields)

    with store.reading() as session:
        kept = {seq: session.get(JournalRow, seq) for seq in (2, 7)}
    newest, _middle, oldest = environment.find_keys("journal")
    seal(7, oldest)  # who has an old key alone can forge no later row
    assert verify().first_bad == 7
    seal(7, newest, kept[7].action)
    assert verify().ok
    seal(2, oldest)  # nor change an earlier one unseen
    assert verify().first_bad == 3
    seal(2, oldest, kept[2].action)
    assert verify().ok
    with store.writing() as session:
        session.execute(sa.delete(JournalRow).where(JournalRow.seq > 3))
    assert verify() == audit_log.Verification(3, False, 4, is_cut=True)


@pytest.mark.owner
def test_lists_certificates_and_second_factors_of_before_hold(add_person) -> None:
    add_person("tom", "team_lead")
    tom = Viewer("tom", Role.TEAM_LEAD)
    app = pyotp.parse_uri(second_factor.start(tom))
    codes = second_factor.confirm(tom, app.at(time.time() - 30), HERE)
    replay_list.add("customer", replay_list.digest("customer", "ann"))
    with store.writing() as session:
        audit_log.purge(session, environment.now())

    rotate("journal")

    [erased] = [entry.key for entry in replay_list.find().entries if entry.kind == "customer"]
    assert erased in replay_list.find_digests("customer", "ann")
    assert verify().ok
    with store.writing() as session:
        assert second_factor.use(session, "tom", app.now())
    for old in environment.find_old_files("journal"):
        old.unlink()
    with store.writing() as session:  # sealed anew with its first use
        assert second_factor.use(session, "tom", app.at(time.time() + 30))
        assert second_factor.use(session, "tom", codes[0])


@pytest.mark.sqlite("backup refuses records in PostgreSQL")
def test_a_backup_names_the_keys_it_needs_and_is_restored_with_them(
    sounding: Path, centre: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file, before = tmp_path_factory.mktemp("elsewhere") / "centre.bak", play()
    rotate("recordings")
    [old_recordings] = environment.find_old_files("recordings")
    kept = old_recordings.read_bytes()
    backup.back_up(SYSTEM, file)
    key_rotation.finish()
    rotate("backup")
    rotate("journal")
    store.engine_for(environment.current().database_url).dispose()
    for name in ("records.sqlite", "recordings", "lake"):
        (centre / name).rename(file.with_name(name))

    with pytest.raises(Refusal) as refused:
        restore.restore(SYSTEM, file)
    assert f"recordings {environment.compute_key_id(kept)}" in str(refused.value.params)
    environment.write_private(old_recordings, kept)
    restore.restore(SYSTEM, file)

    assert play() == before and verify().ok
    make_older("backup", 500)
    key_rotation.finish()
    assert environment.find_old_files("backup") == environment.find_old_files("recordings") == []
    assert play() == before


def test_what_cannot_be_rotated_says_so(
    centre: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in environment.SECRETS:
        environment.secret(name)
    present = environment.secret("pseudonyms")
    assert run(["secrets", "rotate", "pseudonyms"]) == 1
    assert "no earlier caller would be recognised" in capsys.readouterr().err
    assert environment.secret("pseudonyms") == present
    assert run(["secrets", "rotate", "master"]) == 2
    capsys.readouterr()

    ticket = signed_links.seal("x", {"n": 1})
    monkeypatch.setenv("QA_SECRET_COOKIE_OLD", environment.secret("cookie").hex())
    monkeypatch.setenv("QA_SECRET_COOKIE", "ab" * 32)
    (centre / "secrets" / "cookie").unlink()
    assert signed_links.unseal("x", ticket) == {"n": 1}
    assert run(["secrets", "rotate", "cookie"]) == 1
    assert "QA_SECRET_COOKIE_OLD" in capsys.readouterr().err

    assert run(["secrets", "list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [(key["name"], key["writes"]) for key in listed] == [
        (name, True) for name in ("pseudonyms", "recordings", "journal", "backup")
    ]


def test_the_doctor_names_keys_older_than_a_year(centre: Path) -> None:
    for name in environment.SECRETS:
        environment.secret(name)
    make_older("", 370)
    state, detail = find_check("secrets")
    assert (state, detail.split(":")[0]) == ("warn", "cookie, recordings, journal, backup")
    for name in ("cookie", "recordings", "journal", "backup"):
        rotate(name)
    assert find_check("secrets")[0] == "ok"
