"""Importing recordings: every row accounted for, nothing stored that the law or the
contact speaks against, and nothing half or twice.
"""

from __future__ import annotations

import csv
import json
import signal
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders import sounds
from builders.centres import contact, land
from builders.forked_python import forked_python, forked_with_file_limit
from builders.import_files import bring, run_confirmed
from builders.listening_centre import accredit, open_gates
from builders.long_seeds import leave_to_long
from builders.special_files import special_files

from qa_core import ingest
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.errors import Misuse, Refusal
from qa_core.centre import settings
from qa_core.cli.app import run
from qa_core.compliance import key_rotation, recordings
from qa_core.compliance.recordings import vault
from qa_core.files.options import ImportOptions
from qa_core.ingest.reading.report import FileReport
from qa_core.ingest.staging.pseudonyms import KEY_LENGTH
from qa_core.storage import audit_log, lake
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.imports import ImportBatch
from qa_core.storage.records.listening import Recording
from qa_core.upkeep import erasure

DAY = datetime.combine(environment.today() - timedelta(days=3), datetime.min.time()) + timedelta(
    hours=9
)
HEADER = "file,contact_id,recorded_at,notice_played,purpose"


@pytest.fixture
def open_centre(
    centre: Path, start_from: Callable[..., Any], add_person: Callable[..., str]
) -> Path:
    """Six calls of three days ago, of one system but the last, with nothing but the
    notice said; the gates are open.
    """
    start_from(build_open_centre, add_person)
    return centre


def build_open_centre(add_person: Callable[..., str]) -> None:
    add_person("eve", "evaluator")
    open_gates()
    accredit("eve")
    land(
        [
            contact(DAY + timedelta(minutes=number), f"c{number}", notice_played=True)
            for number in range(1, 6)
        ]
    )
    land([contact(DAY, "c5", notice_played=True, source_system="other")], "second")


def write(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "sent" / "manifest.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


def take(path: Path, **options: Any) -> FileReport:
    (report,) = run_confirmed(Viewer.SYSTEM, "recordings", [path], ImportOptions(**options))
    assert not report.is_refused, report.as_text()
    report.tally.require_identity(report.file)
    return report


def files() -> list[Path]:
    return [path for path in vault.folder().rglob("*") if path.is_file()]


def stored() -> list[tuple[str, str, str]]:
    with store.reading() as session:
        rows = session.execute(
            sa.select(Recording.source_system, Recording.contact_id, Recording.purpose).where(
                Recording.file_name.is_not(None)
            )
        )
        return sorted(tuple(row) for row in rows)


def clear_of(contact_id: str) -> bytes:
    with store.reading() as session:
        return b"".join(
            vault.read(
                session.scalar(
                    sa.select(Recording.file_name).where(
                        Recording.contact_id == contact_id, Recording.file_name.is_not(None)
                    )
                )
            )
        )


def test_a_manifest_brings_its_audio_and_the_same_again_changes_nothing(open_centre: Path) -> None:
    for name in ("one", "two"):
        sounds.make(
            open_centre / "sent" / "audio" / f"{name}.wav", tone=400 if name == "one" else 800
        )
    path = write(
        open_centre,
        f"audio/one.wav,c1,{DAY:%Y-%m-%d %H:%M},oui,qualité",
        f"audio\\two.wav,c2,{DAY:%Y-%m-%d %H:%M},1,training",
    )

    report = take(path)

    assert (report.tally.read, report.tally.new, report.tally.rejected, report.kind) == (
        2,
        2,
        0,
        "recordings",
    )
    assert stored() == [("generic", "c1", "quality"), ("generic", "c2", "training")]
    assert clear_of("c1") == (open_centre / "sent/audio/one.wav").read_bytes()
    with store.reading() as session:
        first = session.scalars(sa.select(Recording).order_by(Recording.contact_id)).first()
        assert (first.seconds, len(first.peaks), first.local_day, first.batch_id) == (
            1.0,
            200,
            DAY.date(),
            report.batch_id,
        )
        assert session.scalar(sa.select(ImportBatch.state)) == "done"
        assert session.scalar(sa.select(sa.func.count()).where(JournalRow.action == "import")) == 1
    again = take(path)
    assert (again.tally.read, again.tally.new, again.tally.unchanged) == (2, 0, 2)
    assert len(files()) == 2
    assert set(again.as_json()) == set(report.as_json())


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"customer_objected": True}, "objected"),
        ({"notice_played": False}, "no_notice"),
        ({"notice_played": None}, "no_notice"),
        ({"stopped_by_advisor": True}, "stopped_by_advisor"),
        ({"private_line": True}, "private_line"),
    ],
)
def test_what_the_contact_speaks_against_is_never_stored_and_the_contact_still_counts(
    open_centre: Path, flags: dict[str, bool], reason: str
) -> None:
    land([contact(DAY, "x1", **{"notice_played": True} | flags)], "flagged")
    sounds.make(open_centre / "sent" / "a.wav")

    report = take(write(open_centre, "a.wav,x1,,,quality"))

    assert (report.tally.read, report.tally.rejected, report.tally.reasons) == (1, 1, {reason: 1})
    assert (stored(), files()) == ([], [])
    with lake.working() as connection:
        assert connection.execute(
            "SELECT count(*) FROM contacts WHERE contact_id = 'x1'"
        ).fetchone() == (1,)


def test_the_manifest_may_say_that_the_caller_was_told_and_either_may_deny_it(
    open_centre: Path,
) -> None:
    land(
        [
            contact(DAY, "silent"),
            contact(DAY, "denied", notice_played=False),
            contact(DAY, "told", notice_played=True),
        ],
        "flagged",
    )
    sounds.make(open_centre / "sent" / "a.wav")

    report = take(
        write(
            open_centre,
            "a.wav,silent,,yes,quality",
            "a.wav,denied,,yes,quality",
            "a.wav,told,,no,quality",
        )
    )

    assert (report.tally.new, report.tally.reasons) == (1, {"no_notice": 2})
    assert stored() == [("generic", "silent", "quality")]


def test_purpose_age_place_and_content_of_each_row_are_checked(open_centre: Path) -> None:
    sent = open_centre / "sent"
    sounds.make(sent / "a.wav")
    sounds.make(open_centre / "outside.wav")
    (sent / "link.wav").symlink_to(open_centre / "outside.wav")
    (sent / "picture.wav").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    (sent / "empty.wav").write_bytes(b"")
    old = f"{DAY - timedelta(days=400):%Y-%m-%d %H:%M}"
    rows = {
        "a.wav,c1,,,": "no_purpose",
        "a.wav,c1,,,marketing": "unknown_purpose",
        f"a.wav,c1,{old},,quality": "expired",
        "a.wav,c5,,,quality": "ambiguous_contact",
        f"{open_centre}/outside.wav,c1,,,quality": "outside_folder",
        "../outside.wav,c1,,,quality": "outside_folder",
        "C:\\outside.wav,c1,,,quality": "outside_folder",
        "link.wav,c2,,,quality": "outside_folder",
        "missing.wav,c1,,,quality": "no_file",
        "picture.wav,c3,,,quality": "not_audio",
        "empty.wav,c4,,,quality": "damaged_audio",
        "a.wav,,,,quality": "missing_key",
    }

    for line, (row, reason) in enumerate(rows.items()):
        report = take(write(open_centre, row, f"a.wav,none{line},,,quality"))
        assert (report.tally.read, report.tally.reasons, report.tally.skipped_kinds) == (
            2,
            {reason: 1},
            {"unmatched": 1},
        ), row
        with report.quarantine.open(encoding="utf-8") as file:
            header, cells = csv.reader(file)
        assert header == ["line", "reason", *HEADER.split(",")]
        assert cells[:2] == ["2", reason]
    assert (stored(), files()) == ([], [])
    report = take(write(open_centre, "a.wav,c5,,,quality"), system="other")
    assert (report.tally.new, stored()) == (1, [("other", "c5", "quality")])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("x" * 5_000 + ".wav", "no_file"),
        ("/".join(["x"] * 3_000) + ".wav", "no_file"),
        ("\u202evaw.a", "no_file"),
        ("a.wav\x1b[2J", "no_file"),
        ("-rf.wav", "no_file"),
        ("file:///etc/passwd", "no_file"),
        ("\\\\server\\share\\a.wav", "outside_folder"),
        ("sub/../../outside.wav", "outside_folder"),
        (".", "no_file"),
        ("a.wav/", None),
        ("./a.wav", None),
    ],
)
def test_a_hostile_name_of_an_audio_file_leads_nowhere(
    open_centre: Path, name: str, reason: str | None
) -> None:
    sounds.make(open_centre / "sent" / "a.wav")
    sounds.make(open_centre / "outside.wav")

    report = take(write(open_centre, f'"{name}",c1,,,quality'))

    assert report.tally.reasons == ({reason: 1} if reason else {})
    assert len(stored()) == (reason is None)


def test_a_purpose_that_the_centre_has_not_entered_is_refused_and_proof_is_kept_apart(
    open_centre: Path,
) -> None:
    from qa_core.compliance.conditions import gates

    gates.set_gate(Viewer.SYSTEM, "purposes", "quality")
    sounds.make(open_centre / "sent" / "a.wav")
    rows = ("a.wav,c1,,,training", "a.wav,c1,,,proof", "a.wav,c1,,,quality")

    refused = take(write(open_centre, "a.wav,c1,,,proof"))
    assert refused.tally.reasons == {"class_not_entered": 1}
    with store.writing() as session:
        basis = "proof=60 Code civil, art. 2224"
        settings.set_value(session, Viewer.SYSTEM, "recording_classes", basis)
    report = take(write(open_centre, *rows))

    assert (report.tally.new, report.tally.reasons) == (2, {"purpose_not_entered": 1})
    assert stored() == [("generic", "c1", "proof"), ("generic", "c1", "quality")]


def test_one_contact_twice_keeps_the_newest_and_another_audio_later_takes_no_place(
    open_centre: Path,
) -> None:
    for name, tone in (("a", 300), ("b", 600), ("c", 900)):
        sounds.make(open_centre / "sent" / f"{name}.wav", tone=tone)
    at = [f"{DAY + timedelta(minutes=number):%Y-%m-%d %H:%M}" for number in range(2)]

    report = take(
        write(
            open_centre,
            f"b.wav,c1,{at[1]},,quality",
            f"a.wav,c1,{at[0]},,quality",
            "a.wav,c2,,,quality",
            "c.wav,c2,,,quality",
        )
    )

    assert (report.tally.read, report.tally.new, report.tally.duplicates) == (4, 2, 2)
    assert clear_of("c1") == (open_centre / "sent/b.wav").read_bytes()
    assert clear_of("c2") == (open_centre / "sent/c.wav").read_bytes()
    later = take(write(open_centre, "a.wav,c1,,,quality", "c.wav,c2,,,training"))
    assert later.tally.reasons == {"stored_otherwise": 2}


def test_a_contact_that_comes_later_takes_its_audio_with_the_next_import(open_centre: Path) -> None:
    sounds.make(open_centre / "sent" / "a.wav")
    path = write(open_centre, "a.wav,late,,,quality")

    first = take(path)
    land([contact(DAY, "late", notice_played=True)], "late")

    assert (
        first.tally.skipped_kinds,
        [item.decision for item in first.decisions if item.field == "contact_id"],
    ) == (
        {"unmatched": 1},
        ["not kept: their contact is not imported yet. Import the contact, then this file again"],
    )
    assert take(path).tally.new == 1


def test_nothing_is_imported_before_the_gates_are_open(centre: Path) -> None:
    land([contact(DAY, "c1", notice_played=True)])
    sounds.make(centre / "sent" / "a.wav")

    (report,) = ingest.run(Viewer.SYSTEM, "recordings", [write(centre, "a.wav,c1,,,quality")])

    assert report.refusal.code == "gate_closed"
    assert (stored(), files()) == ([], [])


def test_a_dry_run_says_the_same_and_writes_nothing(open_centre: Path) -> None:
    sounds.make(open_centre / "sent" / "a.wav")
    path = write(open_centre, "a.wav,c1,,,quality", "a.wav,c2,,,nothing", "b.wav,c3,,,quality")
    before = sorted(open_centre.rglob("*"))

    report = take(path, dry_run=True)

    assert sorted(open_centre.rglob("*")) == before
    assert stored() == []
    real = take(path)
    assert (
        (report.tally.new, report.tally.reasons)
        == (real.tally.new, real.tally.reasons)
        == (1, {"no_file": 1, "unknown_purpose": 1})
    )


def test_an_undo_deletes_the_audio_and_the_file_may_come_again(open_centre: Path) -> None:
    sounds.make(open_centre / "sent" / "a.wav")
    path = write(open_centre, "a.wav,c1,,,quality")
    report = take(path)

    ingest.undo(Viewer.SYSTEM, report.batch_id)

    assert (stored(), files()) == ([], [])
    with store.reading() as session:
        assert session.scalar(sa.select(Recording.deleted_because)) == "undone"
    assert take(path).tally.new == 1


def test_contacts_that_have_recordings_are_not_undone_before_those(open_centre: Path) -> None:
    calls = bring(
        open_centre,
        "contacts",
        f"contact_id,started_at,notice_played\nz1,{DAY:%Y-%m-%d %H:%M},yes\n",
    )
    sounds.make(open_centre / "sent" / "a.wav")
    audio = take(write(open_centre, "a.wav,z1,,,quality"))

    with pytest.raises(Refusal) as refused:
        ingest.undo(Viewer.SYSTEM, calls.batch_id)

    assert (refused.value.code, refused.value.params["later"]) == ("changed_since", audio.batch_id)


@pytest.mark.parametrize(
    ("column", "value", "because"),
    [
        ("customer_objected", "yes", "objected"),
        ("notice_played", "no", "no_notice"),
        ("stopped_by_advisor", "yes", "stopped_by_advisor"),
    ],
)
def test_an_objection_that_comes_later_deletes_the_audio_at_once(
    open_centre: Path, column: str, value: str, because: str
) -> None:
    sounds.make(open_centre / "sent" / "a.wav")
    take(write(open_centre, "a.wav,c1,,,quality", "a.wav,c2,,,quality"))

    bring(
        open_centre,
        "contacts",
        f"contact_id,started_at,{column}\nc1,{DAY + timedelta(minutes=1):%Y-%m-%d %H:%M},{value}\n",
    )

    assert stored() == [("generic", "c2", "quality")]
    assert len(files()) == 1
    with store.reading() as session:
        assert (
            session.scalar(sa.select(Recording.deleted_because).where(Recording.contact_id == "c1"))
            == because
        )
        assert audit_log.verify(session).ok
    assert take(write(open_centre, "a.wav,c1,,,quality")).tally.rejected == 1


def test_erasing_a_customer_deletes_their_recordings(open_centre: Path) -> None:
    land([contact(DAY, "k1", notice_played=True, customer_key="key-of-a-customer")], "keyed")
    sounds.make(open_centre / "sent" / "a.wav")
    take(write(open_centre, "a.wav,k1,,,quality", "a.wav,c1,,,quality"))

    erasure.erase(Viewer.SYSTEM, "customer", "key-of-a-customer")

    assert stored() == [("generic", "c1", "quality")]
    assert len(files()) == 1


def test_file_names_say_the_contact_by_a_pattern(open_centre: Path) -> None:
    folder = open_centre / "sent"
    sounds.make(folder / f"other_{DAY:%Y%m%d}_0900_c5.gsm", "gsm")
    sounds.make(folder / f"generic_{DAY:%Y-%m-%d}_09-01-30_c1.wav")
    sounds.make(folder / "deep" / f"generic_{DAY:%Y%m%d}_090200_c2.mp3", "mp3")
    sounds.make(folder / "generic_20269999_0900_c3.wav")
    (folder / "notes.txt").write_text("not a call")
    (folder / ".hidden").write_text("nothing")

    report = take(folder, purpose="quality", pattern="{system}_{date}_{time}_{contact_id}")

    assert (report.tally.read, report.tally.new, report.tally.reasons) == (
        5,
        3,
        {"unlike_pattern": 2},
    )
    assert stored() == [
        ("generic", "c1", "quality"),
        ("generic", "c2", "quality"),
        ("other", "c5", "quality"),
    ]
    with store.reading() as session:
        at = session.scalar(sa.select(Recording.recorded_at).where(Recording.contact_id == "c1"))
    assert f"{environment.to_local(at):%H:%M:%S}" == "09:01:30"
    assert (
        take(
            folder, purpose="quality", pattern="{system}_{date}_{time}_{contact_id}"
        ).tally.unchanged
        == 3
    )


def test_a_single_file_is_named_after_its_contact_and_nothing_comes_without_a_purpose(
    open_centre: Path,
) -> None:
    path = sounds.make(open_centre / "sent" / "c1.ogg", "ogg")
    picture = open_centre / "sent" / "c2.wav"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))

    (refused,) = ingest.run(Viewer.SYSTEM, "recordings", [path])
    reports = ingest.run(
        Viewer.SYSTEM, "recordings", [path, picture], ImportOptions(purpose="training")
    )

    assert refused.refusal.code == "no_purpose"
    assert [(report.tally.read, report.tally.new, report.tally.reasons) for report in reports] == [
        (1, 1, {}),
        (1, 0, {"not_audio": 1}),
    ]
    with pytest.raises(Misuse):
        ingest.run(
            Viewer.SYSTEM, "recordings", [path], ImportOptions(purpose="training", pattern="{date}")
        )


def test_a_full_disk_keeps_nothing_half_and_the_next_try_brings_all_once(open_centre: Path) -> None:
    for number in range(1, 5):
        sounds.make(
            open_centre / "sent" / f"c{number}.wav",
            seconds=60 if number == 4 else 1,
            tone=100 * number,
        )
    path = write(open_centre, *(f"c{number}.wav,c{number},,,quality" for number in range(1, 5)))

    python = forked_with_file_limit(600_000)
    done = subprocess.run(
        [*python, "qa_core", "import", "recordings", str(path), "--json"],
        cwd=environment.PROJECT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert json.loads(done.stdout)[0]["error"]["code"] == "disk_full"
    assert (stored(), files()) == ([], [])
    assert take(path).tally.new == 4
    assert len(files()) == 4


MOMENTS = (
    "qa_core.compliance.recordings.vault.write after",
    "qa_core.ingest.load.batches.start before",
    "qa_core.ingest.staging.quarantine.write before",
)


@pytest.mark.parametrize("moment", leave_to_long(MOMENTS, but=[MOMENTS[0], MOMENTS[2]]))
def test_an_import_that_is_killed_leaves_nothing_half(open_centre: Path, moment: str) -> None:
    for number in (1, 2):
        sounds.make(open_centre / "sent" / f"c{number}.wav", tone=100 * number)
    path = write(open_centre, *(f"c{number}.wav,c{number},,,quality" for number in (1, 2)))

    killed = subprocess.run(
        [
            *forked_python(),
            "-m",
            "tests.builders.killed_import",
            *moment.split(),
            "recordings",
            str(path),
        ],
        cwd=environment.PROJECT,
        check=False,
    )

    assert killed.returncode == -signal.SIGKILL
    ingest.resume()
    is_committed = "quarantine" in moment
    assert len(files()) == len(stored()) == (2 if is_committed else 0)
    again = take(path)
    assert (again.tally.new, again.tally.unchanged) == ((0, 2) if is_committed else (2, 0))
    assert len(files()) == len(stored()) == 2
    with store.reading() as session:
        assert set(session.scalars(sa.select(ImportBatch.state))) == {"done"}


def test_an_objection_whose_import_was_killed_deletes_the_audio_at_the_next_start(
    open_centre: Path,
) -> None:
    sounds.make(open_centre / "sent" / "a.wav")
    take(write(open_centre, "a.wav,c1,,,quality"))
    calls = open_centre / "calls.csv"
    calls.write_text(
        "contact_id,started_at,customer_objected\nc1,"
        f"{DAY + timedelta(minutes=1):%Y-%m-%d %H:%M},yes\n"
    )

    command = [
        *forked_python(),
        "-m",
        "tests.builders.killed_import",
        "qa_core.ingest.load.batches.finish",
        "before",
        "contacts",
        str(calls),
    ]
    subprocess.run(command, cwd=environment.PROJECT, check=False)

    ingest.resume()
    assert (stored(), files()) == ([], [])
    assert recordings.delete_orphans() == 0


def test_audio_is_recognised_again_after_its_key_was_replaced(open_centre: Path) -> None:
    sounds.make(open_centre / "sent" / "one.wav")
    path = write(open_centre, "one.wav,c1,,yes,quality")
    assert take(path).tally.new == 1
    key_rotation.rotate(Viewer.SYSTEM, "recordings")
    key_rotation.finish()

    path.write_text(path.read_text() + "\n")  # else the manifest itself is known
    assert take(path).tally.unchanged == 1

    sounds.make(open_centre / "sent" / "one.wav", tone=800)
    assert take(path).tally.rejected == 1


def test_pipes_and_devices_are_no_audio(open_centre: Path) -> None:
    path = write(open_centre, "pipe.wav,c1,,1,quality", "zeros.wav,c2,,1,quality")
    with special_files(path.parent, "pipe.wav", "zeros.wav"):
        assert take(path).tally.reasons == {"no_file": 1, "outside_folder": 1}
        path.unlink()
        (report,) = ingest.run(
            Viewer.SYSTEM, "recordings", [path.parent], ImportOptions(purpose="quality")
        )
    assert report.is_refused or report.tally.new == 0
    assert files() == []


@pytest.mark.parametrize("because", ["by hand", "erased", "erased before it came"])
def test_audio_that_was_deleted_for_good_does_not_come_again(
    open_centre: Path, because: str
) -> None:
    land([contact(DAY, "c9", notice_played=True, customer_key="0" * KEY_LENGTH)], "third")
    sounds.make(open_centre / "sent" / "one.wav")
    path = write(open_centre, f"one.wav,c9,{DAY:%Y-%m-%d %H:%M},yes,quality")
    if because != "erased before it came":
        assert take(path).tally.new == 1
    if because == "by hand":
        command = ["subject", "delete-audio", "--contact", "c9", "--reason", "promised"]
        assert run(command) == 0
    else:
        erasure.erase(Viewer.SYSTEM, "customer", "0" * KEY_LENGTH)
        land([contact(DAY, "c9", notice_played=True)], "again")
    assert take(path, yes=True).tally.reasons == {"deleted_before": 1}
    assert stored() == [] and files() == []
