"""A watched folder: files are taken once they are whole, counted once whatever stops
it, and a growing log gives the same calls as the whole log at once.
"""

from __future__ import annotations

import ctypes
import gzip
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.forked_python import forked_python
from builders.import_files import CALLS, SURVEYS, TRACKING, bring, find_contacts, write
from builders.long_seeds import count_seeds, leave_to_long
from builders.special_files import find_command_without_rights, special_files
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.base.progress import Stop
from qa_core.files import archives
from qa_core.ingest.reading.report import FileReport
from qa_core.ingest.watch import folder as watching
from qa_core.ingest.watch.folder import Watch, lock_folder
from qa_core.ingest.watch.queue_log import Follower
from qa_core.storage import lake
from qa_core.storage.records import store
from qa_core.storage.records.imports import ImportBatch
from qa_core.upkeep import purge


@pytest.fixture
def folder(centre: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to be watched, outside the home of the centre."""
    return tmp_path_factory.mktemp("incoming")


def put(folder: Path, name: str, text: str) -> Path:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    return write(folder, name, text)


def look(folder: Path, times: int = 1, **options) -> list[FileReport | Refusal]:
    """Watch the folder anew, as after a restart, and return what was told."""
    told: list[FileReport | Refusal] = []
    watch = Watch(Viewer.SYSTEM, folder, stable_seconds=0, report=told.append, **options)
    for _time in range(times):
        watch.check()
    return told


def names(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
    )


def test_the_sub_folder_the_name_or_the_content_says_what_a_file_holds(folder: Path) -> None:
    put(folder, "contacts/march.csv", CALLS)
    put(folder, "surveys/2026/march.csv", SURVEYS)
    put(folder, "tracking_march.csv", TRACKING)
    put(
        folder,
        "march.csv",
        "day,source,medium,campaign,amount,currency\n2026-03-01,Google,,Spring,10,EUR\n",
    )
    told = look(folder, times=2)
    assert len(told) == 4 and not any(report.is_refused for report in told)
    with store.reading() as session:
        assert sorted(session.scalars(sa.select(ImportBatch.kind))) == [
            "contacts",
            "spend",
            "surveys",
            "tracking",
        ]
    assert find_contacts("csat", "source") == [
        ("C1", 5.0, "Google"),
        ("C2", 2.0, "Bing"),
        ("C3", None, None),
    ]
    assert [path for path in names(folder) if not path.startswith(".taken/")] == []
    (report,) = (folder / ".taken" / "contacts").glob("*.report.json")
    assert json.loads(report.read_text())["new"] == 3


def test_what_cannot_be_told_apart_is_set_aside_with_the_reason(folder: Path) -> None:
    put(folder, "calls.csv", TRACKING)
    put(folder, "contacts/empty.csv", "a,b\n")
    told = look(folder)
    assert len(told) == 2 and all(report.is_refused for report in told)
    reasons = [path.read_text() for path in (folder / ".refused").rglob("*.reason.txt")]
    assert len(reasons) == 2 and any(
        reason.startswith("which_kind: ") and "tracking" in reason for reason in reasons
    )
    assert look(folder) == []


def test_a_file_is_taken_only_when_it_has_not_changed_for_a_while(folder: Path) -> None:
    told: list[FileReport] = []
    watch = Watch(Viewer.SYSTEM, folder, stable_seconds=0.2, report=told.append)
    path = put(folder, "contacts/calls.csv", CALLS[:200])
    watch.check()
    path.write_text(CALLS)
    watch.check()
    assert told == []
    time.sleep(0.25)
    watch.check()
    assert told[0].tally.new == 3


@pytest.mark.parametrize(
    "name", ["calls.csv.part", ".calls.csv", "calls.csv.filepart", "calls.csv~", "calls.tmp"]
)
def test_a_file_that_somebody_is_still_sending_is_left_alone(folder: Path, name: str) -> None:
    path = put(folder, f"contacts/{name}", CALLS)
    assert look(folder) == [] and path.exists()


def test_the_same_file_again_changes_nothing(folder: Path) -> None:
    for _time in range(2):
        put(folder, "contacts/calls.csv", CALLS)
        (report,) = look(folder)
    assert report.recognised and len(find_contacts()) == 3
    assert len(list((folder / ".taken" / "contacts").glob("*.csv"))) == 1


def test_a_file_that_grows_after_it_was_taken_is_taken_again(folder: Path) -> None:
    told: list[FileReport] = []
    watch = Watch(Viewer.SYSTEM, folder, stable_seconds=0, report=told.append)
    whole = "".join(CALLS.splitlines(keepends=True)[:2])
    with put(folder, "contacts/calls.csv", whole).open("a") as sending:
        watch.check()
        sending.write(CALLS.removeprefix(whole))
    for _time in range(2):
        watch.check()
    assert [report.tally.new for report in told] == [1, 2] and len(find_contacts()) == 3


def test_a_folder_says_how_its_files_are_to_be_read_and_a_file_may_say_otherwise(
    folder: Path,
) -> None:
    put(
        folder,
        "old tool/import.toml",
        'kind = "contacts"\nsystem = "old"\ndate_order = "dmy"\n[columns]\ncontact_id = '
        '"ref"\nstarted_at = "moment"\n',
    )
    put(folder, "old tool/a.csv", "ref;moment\nC1;02/03/2026 09:00\n")
    put(folder, "old tool/b.csv", "ref;moment\nC2;02/03/2026 09:00\n")
    put(folder, "old tool/b.csv.toml", 'date_order = "mdy"\n')
    assert [report.tally.new for report in look(folder)] == [1, 1]
    assert [
        (name, str(start)[:10])
        for name, start in find_contacts("local_start", where="source_system = 'old'")
    ] == [
        ("C1", "2026-03-02"),
        ("C2", "2026-02-03"),
    ]
    assert any(name.endswith("b.csv.toml") for name in names(folder / ".taken"))


def test_the_saved_mapping_of_the_folder_says_its_kind_too(folder: Path, centre: Path) -> None:
    columns = {"contact_id": "ref", "started_at": "moment"}
    bring(
        centre,
        "contacts",
        "ref;moment\nC1;02/03/2026 09:00\n",
        columns=columns,
        date_order="dmy",
        save_mapping="old-tool",
    )
    put(folder, "import.toml", 'profile = "old-tool"\n')
    put(folder, "a.csv", "ref;moment\nC2;03/03/2026 09:00\n")
    assert look(folder)[0].profile == "old-tool"


@pytest.mark.parametrize(
    "text", ['colour = "red"', "kind = 'horoscopes'", "system = 3", "[", 'date_order = "ydm"']
)
def test_instructions_that_make_no_sense_are_said_once_and_move_no_file(
    folder: Path, text: str
) -> None:
    put(folder, "contacts/import.toml", text)
    path = put(folder, "contacts/calls.csv", CALLS)
    (told,) = look(folder, times=3)
    assert isinstance(told, Refusal) and path.exists()
    put(folder, "contacts/import.toml", "")
    assert look(folder)[0].tally.new == 3


def test_instructions_that_are_no_toml_are_said_with_their_line(folder: Path) -> None:
    path = put(folder, "contacts/import.toml", "")
    put(folder, "contacts/calls.csv", CALLS)
    for content, line in ((b'system = "x"\nkind = contacts\n', 2), (b"# caf\xe9\n", 1)):
        path.write_bytes(content)
        [told] = look(folder)
        assert str(told) == (
            f"Line {line} of {path} cannot be read. Write such lines, saved as UTF-8: "
            'kind = "contacts"'
        )
    path.write_bytes(b'\xef\xbb\xbfdate_order = "ymd"\n')  # as an editor of Windows saves it
    assert look(folder)[0].tally.new == 3


def test_pipes_and_devices_are_said_once_and_never_read(folder: Path) -> None:
    with special_files(folder, "calls.csv", "queue_log"):
        told = look(folder, times=3)
    assert [item.code for item in told] == ["no_regular_file", "no_regular_file"]
    path = put(folder, "contacts/calls.csv", CALLS)
    with special_files(path.parent, "import.toml", "calls.csv.toml") as (pipe, device):
        [told] = look(folder, times=2)
        assert told.code == "bad_instructions" and "a pipe or a device" in str(told)
        device.unlink()
        [told] = look(folder, times=2)
        assert told.code == "bad_instructions" and path.exists()
        pipe.unlink()
    assert look(folder)[-1].tally.new == 3


def test_where_nothing_may_be_moved_files_stay_and_are_imported_once(folder: Path) -> None:
    write(folder, ".taken", "in the way")
    path = put(folder, "contacts/calls.csv", CALLS)
    report, told = look(folder, times=3)
    assert report.tally.new == 3 and told.code == "cannot_move" and path.exists()
    assert look(folder)[0].recognised and len(find_contacts()) == 3


def test_a_busy_store_is_tried_again_and_said_once(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(watching, "FIRST_WAIT", 0.01)
    store.engine_for.cache_clear()
    put(folder, "contacts/calls.csv", CALLS)
    told: list[FileReport | Refusal] = []
    watch = Watch(Viewer.SYSTEM, folder, stable_seconds=0, report=told.append)
    with store.writing() as session:
        session.execute(sa.text("SELECT 1"))
        for _time in range(2):
            watch.check()
            time.sleep(0.05)
    assert [getattr(item, "code", item) for item in told] == ["store_busy"]
    watch.check()
    assert told[1].tally.new == 3 and len(find_contacts()) == 3
    store.engine_for.cache_clear()


@pytest.mark.sqlite("it locks the file of the records")
def test_records_that_another_program_keeps_for_itself_are_said_once_and_the_watch_goes_on(
    folder: Path, centre: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.1)
    monkeypatch.setattr(watching, "FIRST_WAIT", 0.01)
    store.close()
    store.engine_for.cache_clear()
    put(folder, "contacts/calls.csv", CALLS)
    told: list[FileReport | Refusal] = []
    looks, stop = [], Stop()

    def look_and_stop(watch: Watch) -> None:
        looks.append(watch)
        if len(looks) == 3:
            holder.rollback()
            holder.close()
        if len(looks) == 9:
            stop.set()

    holder = sqlite3.connect(centre / "records.sqlite", isolation_level=None)
    holder.execute("PRAGMA locking_mode = EXCLUSIVE")  # as some backups do: nobody reads either
    holder.execute("BEGIN IMMEDIATE")
    watch = Watch(Viewer.SYSTEM, folder, stable_seconds=0, report=told.append)
    monkeypatch.setattr(stop, "wait", lambda _seconds: look_and_stop(watch))
    watch.run(stop, every=0.01)
    assert [getattr(item, "code", "done") for item in told] == ["store_busy", "done"]
    assert len(find_contacts()) == 3
    store.engine_for.cache_clear()


def test_an_import_that_fails_again_and_again_sets_its_file_aside_and_the_others_go_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = lake.merge_contacts

    def broken(*arguments, **named):
        if calls.exists():
            raise ValueError("a defect")
        return whole(*arguments, **named)

    calls = put(folder, "contacts/calls.csv", CALLS)
    monkeypatch.setattr(lake, "merge_contacts", broken)
    monkeypatch.setattr(watching, "FIRST_WAIT", 0.0)
    put(folder, "spend.csv", "day,source,amount,currency\n2026-03-01,Google,10,EUR\n")
    told = look(folder, times=4)
    assert [
        item.code if isinstance(item, Refusal) else item.refusal.code if item.is_refused else "done"
        for item in told
    ] == ["failed", "done", "failed"]
    assert names(folder / ".refused")[0].endswith("calls.csv")


def test_files_taken_are_deleted_when_they_are_as_old_as_was_asked_for(folder: Path) -> None:
    put(folder, "contacts/calls.csv", CALLS)
    look(folder, keep_days=1)
    assert len(names(folder)) == 2
    look(folder, keep_days=0)
    assert names(folder) == []


def test_files_taken_go_after_thirty_days_also_where_nobody_watches_any_more(
    folder: Path,
) -> None:
    put(folder, "contacts/calls.csv", CALLS)
    with lock_folder(folder):
        look(folder)
    today = environment.today()

    assert purge.purge(Viewer.SYSTEM, today + timedelta(days=30)).deleted == {}
    assert len(names(folder)) == 2
    result = purge.purge(Viewer.SYSTEM, today + timedelta(days=31))
    assert result.deleted["delivered_files"] == 2
    assert names(folder) == []


def test_only_who_may_import_can_watch_and_one_process_at_a_time(folder: Path) -> None:
    with pytest.raises(AccessDenied):
        Watch(Viewer("someone", Role.MANAGER), folder)
    with lock_folder(folder), pytest.raises(Refusal) as refused, lock_folder(folder):
        pass
    assert refused.value.code == "watched_already"


MOMENTS = [
    ("qa_core.ingest.load.batches.start", "after"),
    ("qa_core.storage.lake.tables.commit", "after"),
    ("qa_core.ingest.load.batches.finish", "after"),
    ("qa_core.ingest.watch.folder.Watch._archive", "before"),
    ("qa_core.ingest.watch.folder.Watch._move", "before"),
    ("qa_core.ingest.watch.folder.Watch._move", "after"),
    ("qa_core.ingest.watch.queue_log.Follower._save", "before"),
    ("qa_core.ingest.watch.queue_log.Follower._save", "after"),
]


IN_EACH_RUN = [MOMENTS[place] for place in (5, 6)]
"""After the file is moved, and beside the log; `test_import_undo.py` kills imports at their
other moments.
"""


@pytest.mark.parametrize(
    "place,when", leave_to_long(MOMENTS, but=IN_EACH_RUN), ids=lambda value: value.split(".")[-1]
)
def test_a_watch_killed_at_that_moment_loses_nothing_and_brings_nothing_twice(
    folder: Path, place: str, when: str
) -> None:
    put(folder, "contacts/calls.csv", CALLS)
    put(folder, "queue_log", LOG)
    command = [
        *forked_python(),
        "-m",
        "tests.builders.killed_import",
        place,
        when,
        "watch",
        str(folder),
    ]
    assert (
        subprocess.run(
            command, cwd=environment.PROJECT, capture_output=True, check=False, timeout=300
        ).returncode
        == -signal.SIGKILL
    )
    look(folder)
    assert sorted(row[0] for row in find_contacts()) == ["A1", "A2", "A3", "C1", "C2", "C3"]
    assert (
        names(folder / ".taken")[0].endswith("calls.csv")
        and not (folder / "contacts/calls.csv").exists()
    )
    with store.reading() as session:
        counts = session.scalars(
            sa.select(ImportBatch.counts).where(ImportBatch.state == "done")
        ).all()
    assert sum(count["new"] for count in counts) == 6


@pytest.mark.parametrize(
    "number", leave_to_long([signal.SIGTERM, signal.SIGINT], but=[signal.SIGTERM])
)
def test_the_command_ends_cleanly_when_told_to(folder: Path, number: int) -> None:
    put(folder, "contacts/calls.csv", CALLS)
    command = [
        *forked_python(),
        "-m",
        "qa_core",
        "watch",
        str(folder),
        "--settle",
        "0",
        "--every",
        "0.1",
    ]
    with subprocess.Popen(
        command, cwd=environment.PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert str(folder) in process.stdout.readline()
        assert "3 new" in process.stdout.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=180)
    assert (process.returncode, out, err) == (0, "", "")


def test_the_command_takes_what_is_there_and_ends(folder: Path) -> None:
    put(folder, "contacts/calls.csv", CALLS)
    put(folder, "what.csv", "hello\n1\n")
    command = [*forked_python(), "-m", "qa_core", "watch", str(folder), "--once", "--settle", "0"]
    done = subprocess.run(
        command, cwd=environment.PROJECT, capture_output=True, text=True, check=False, timeout=180
    )
    assert (
        done.returncode == 1
        and "3 new" in done.stdout
        and "what.csv" in done.stderr
        and "Traceback" not in done.stderr
    )


def test_a_file_of_somebody_else_is_told_stays_and_holds_up_no_other(folder: Path) -> None:
    closed = put(folder, "contacts/closed.csv", CALLS)
    os.utime(closed, (1, 1))  # the oldest is read first
    closed.chmod(0)
    put(folder, "spend.csv", "day,source,amount,currency\n2026-03-01,Google,10,EUR\n")
    watch = [sys.executable, "-m", "qa_core", "watch", str(folder), "--once", "--settle", "0"]
    done = subprocess.run(
        [*find_command_without_rights(), *watch],
        cwd=environment.PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 1
    assert done.stderr == f"{closed} cannot be opened: Permission denied.\n"
    assert "spend.csv: 1 read · 1 new" in done.stdout and closed.exists()
    closed.chmod(0o600)
    [report] = look(folder)
    assert report.tally.new == 3


START = 1_772_442_000
LOG = f"""{START}|A1|support|NONE|ENTERQUEUE||0612345601|1
{START + 5}|A2|support|NONE|ENTERQUEUE||0612345602|2
{START + 10}|A1|support|SIP/diane|CONNECT|10|x|4
{START + 12}|NONE|support|SIP/becky|PAUSE|lunch
{START + 40}|A2|support|NONE|ABANDON|1|2|35
{START + 70}|A1|support|SIP/diane|BLINDTRANSFER|200|sales|10|60|1
{START + 71}|A1|sales|NONE|ENTERQUEUE||0612345601|1
{START + 75}|A3|sales|NONE|ENTERQUEUE||0612345603|2
{START + 80}|A1|sales|SIP/fatou|RINGNOANSWER|5000
{START + 90}|A1|sales|SIP/becky|CONNECT|19|y|3
{START + 95}|A3|sales|SIP/fatou|CONNECT|20|z|3
{START + 200}|A1|sales|SIP/becky|COMPLETECALLER|19|110|1
{START + 300}|A3|sales|SIP/fatou|COMPLETEAGENT|20|205|1
"""
COLUMNS = (
    "started_at",
    "queue",
    "advisor_id",
    "outcome",
    "wait_seconds",
    "talk_seconds",
    "transfers",
    "customer_key",
)


def read_on(path: Path) -> Follower:
    """Follow the log anew, as after a restart, to its end."""
    follower = Follower(Viewer.SYSTEM, path)
    for _time in range(2):
        assert not any(report.is_refused for report in follower.catch_up())
    return follower


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def test_calls_still_open_are_completed_when_they_end(folder: Path) -> None:
    path = folder / "queue_log"
    lines = LOG.splitlines(keepends=True)
    append(path, "".join(lines[:4]))
    read_on(path)
    assert find_contacts("outcome", "talk_seconds") == [
        ("A1", "answered", None),
        ("A2", "unanswered", None),
    ]
    append(path, "".join(lines[4:]))
    read_on(path)
    assert find_contacts("outcome", "talk_seconds", "transfers", "queue") == [
        ("A1", "answered", 170.0, 1, "sales"),
        ("A2", "abandoned", None, None, "support"),
        ("A3", "answered", 205.0, 0, "sales"),
    ]


def test_a_caller_who_is_in_the_queue_now_is_no_unanswered_call_until_nothing_is_heard_for_long(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, now = folder / "queue_log", int(time.time())
    append(path, f"{now}|B1|support|NONE|ENTERQUEUE||0612345601|1\n")
    read_on(path)
    assert lake.version("contacts") < 0
    monkeypatch.setattr("qa_core.ingest.watch.queue_log._now", lambda: at(now + 1900))
    read_on(path)
    assert find_contacts("outcome") == [("B1", "unanswered")]
    append(path, f"{now + 2000}|B1|support|SIP/diane|CONNECT|2000|x|3\n")
    read_on(path)
    assert find_contacts("outcome", "wait_seconds") == [("B1", "answered", 2000.0)]


def at(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def test_no_clear_number_stands_in_what_is_kept_between_two_looks(
    folder: Path, centre: Path
) -> None:
    append(folder / "queue_log", LOG)
    read_on(folder / "queue_log")
    for path in centre.rglob("*"):
        assert not path.is_file() or (
            b"0612345601" not in path.read_bytes() and b"612345601" not in path.read_bytes()
        ), path


def test_half_a_line_waits_for_its_end(folder: Path) -> None:
    path = folder / "queue_log"
    append(path, LOG[:120])
    read_on(path)
    append(path, LOG[120:])
    follower = read_on(path)
    assert follower.position.offset == len(LOG) and not follower.lost and len(find_contacts()) == 3


def test_a_log_that_was_cut_short_is_read_from_its_start_and_said(folder: Path) -> None:
    path = folder / "queue_log"
    append(path, LOG)
    read_on(path)
    path.write_text(f"{START + 9000}|D1|support|NONE|ENTERQUEUE||0612345609|1\n")
    assert read_on(path).lost
    assert [row[0] for row in find_contacts()] == ["A1", "A2", "A3", "D1"]


def test_the_log_in_the_folder_stays_where_it_is(folder: Path) -> None:
    put(folder, "pbx/queue_log", LOG)
    put(folder, "pbx/import.toml", 'system = "lille"\n')
    (report,) = look(folder, times=2)
    assert report.tally.new == 3 and names(folder) == ["pbx/import.toml", "pbx/queue_log"]
    assert find_contacts(where="source_system = 'lille'") == [("A1",), ("A2",), ("A3",)]


def test_a_log_elsewhere_is_followed_when_named(folder: Path, centre: Path) -> None:
    (report,) = look(folder, logs=(write(centre, "my_log", LOG),))
    assert report.tally.new == 3


@st.composite
def days_of_a_log(draw) -> list[tuple[str, str]]:
    """The log cut anywhere, and what happens to the file after each piece."""
    cuts = sorted(draw(st.sets(st.integers(1, len(LOG) - 1), max_size=5)))
    lines = {position + 1 for position, letter in enumerate(LOG) if letter == "\n"}
    steps = []
    for start, end in zip([0, *cuts], [*cuts, len(LOG)], strict=True):
        # A log is rotated between two lines.
        happens = (
            draw(
                st.sampled_from(
                    ["look", "nothing", "rename", "copy", "rename, look", "copy, look", "pack"]
                )
            )
            if end in lines
            else draw(st.sampled_from(["look", "nothing"]))
        )
        steps.append((LOG[start:end], happens))
    return steps


of_any_days = given(steps=days_of_a_log())


@settings(max_examples=2, suppress_health_check=list(HealthCheck))
@of_any_days
def test_any_pieces_and_rotations_give_the_same_calls_as_the_whole_log(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    compare_with_whole_log(tmp_path_factory, steps)


@pytest.mark.long
@settings(max_examples=count_seeds(100), suppress_health_check=list(HealthCheck))
@of_any_days
def test_many_pieces_and_rotations_give_the_same_calls_as_the_whole_log(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    compare_with_whole_log(tmp_path_factory, steps)


def compare_with_whole_log(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("QA_HOME", str(tmp_path_factory.mktemp("home")))
        shutil.copytree(_secrets(tmp_path_factory), environment.current().secrets_folder)
        store.migrate()
        path = tmp_path_factory.mktemp("pbx") / "queue_log"
        rotations = 0
        for text, happens in steps:
            append(path, text)
            if happens.startswith(("rename", "copy", "pack")):
                for number in range(rotations, 0, -1):
                    for old in path.parent.glob(f"queue_log.{number}*"):
                        old.rename(old.with_name(old.name.replace(f".{number}", f".{number + 1}")))
                rotations += 1
                if happens == "pack":
                    (path.parent / "queue_log.1.gz").write_bytes(gzip.compress(path.read_bytes()))
                    path.write_text("")
                elif happens.startswith("copy"):
                    shutil.copy(path, path.with_name("queue_log.1"))
                    path.write_text("")
                else:
                    path.rename(path.with_name("queue_log.1"))
            if happens.endswith("look"):
                read_on(path)
        assert not read_on(path).lost
        assert find_contacts(*COLUMNS) == _SHARED["whole"]


_SHARED: dict[str, object] = {}


def _secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The secrets of one centre, so that the pseudonyms of several are alike."""
    if "secrets" not in _SHARED:
        _SHARED["secrets"] = tmp_path_factory.mktemp("secrets")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("QA_HOME", str(_SHARED["secrets"].parent / "whole"))
            store.migrate()
            bring(_SHARED["secrets"], "contacts", LOG, name="log.txt")
            _SHARED["whole"] = find_contacts(*COLUMNS)
            shutil.copytree(
                environment.current().secrets_folder, _SHARED["secrets"], dirs_exist_ok=True
            )
    return _SHARED["secrets"]


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the watched one has no business in, with a secret and a table."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "audit.key").write_bytes(b"0123456789abcdef;0123456789abcde\n")
    write(elsewhere, "calls.csv", CALLS)
    return elsewhere


@pytest.mark.parametrize("name", ["audit.key", "calls.csv"])
def test_a_link_in_the_folder_leads_nowhere(folder: Path, outside: Path, name: str) -> None:
    (folder / "calls.csv").symlink_to(outside / name)
    (folder / "contacts").symlink_to(outside, target_is_directory=True)
    put(folder, "surveys/calls.csv", SURVEYS)
    (folder / "surveys/calls.csv.toml").symlink_to(outside / name)

    told = look(folder, times=2)

    assert {item.code for item in told} == {"no_regular_file", "bad_instructions"}
    assert not any("0123456789" in str(item) for item in told)
    with store.reading() as session:
        assert session.scalars(sa.select(ImportBatch)).all() == []


def test_a_file_that_becomes_a_link_between_two_looks_is_not_read(
    folder: Path, outside: Path
) -> None:
    path = put(folder, "in/calls.csv", CALLS)

    with archives.stay_inside(folder):
        assert archives.open_file(path).read().decode() == CALLS
        (folder / "in").rename(folder / "was")
        (folder / "in").symlink_to(outside, target_is_directory=True)
        for tried in (path, outside / "calls.csv", folder / "in", folder):
            with pytest.raises(Refusal) as refused:
                archives.open_file(tried)
            assert refused.value.code == "no_regular_file"


def test_files_are_neither_moved_nor_deleted_through_a_link(folder: Path, outside: Path) -> None:
    (folder / ".taken").symlink_to(outside, target_is_directory=True)
    put(folder, "contacts/calls.csv", CALLS)

    told = look(folder, keep_days=0)

    assert told[0].tally.new == 3 and told[1].code == "cannot_move"
    assert sorted(path.name for path in outside.iterdir()) == ["audit.key", "calls.csv"]


@contextmanager
def exchanging(*pairs: tuple[Path, Path]) -> Iterator[list[int]]:
    """Exchange these names with each other, again and again, from another thread. Yields how
    often so far.
    """
    libc, count, is_over = ctypes.CDLL(None, use_errno=True), [0], threading.Event()

    def exchange() -> None:
        moments = random.Random(1)
        while not is_over.wait(moments.uniform(0, 0.03)):
            for pause in (moments.uniform(0, 0.001), 0):  # there, and back
                for one, other in pairs:
                    names = (os.fsencode(one), os.fsencode(other))
                    libc.renameat2(AT_FDCWD, names[0], AT_FDCWD, names[1], RENAME_EXCHANGE)
                    count[0] += 1
                time.sleep(pause)

    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        yield count
    finally:
        is_over.set()
        thread.join()


AT_FDCWD, RENAME_EXCHANGE = -100, 2
ROUNDS = [30, pytest.param(count_seeds(2_000), marks=pytest.mark.long)]


@pytest.mark.parametrize("rounds", ROUNDS)
def test_folders_that_become_links_while_files_are_taken_lead_nowhere(
    folder: Path, outside: Path, rounds: int
) -> None:
    """The sender exchanges a folder, and the one for files taken, with links to another place,
    in which a file of the same name lies.
    """
    kept = {path.name: path.read_bytes() for path in outside.iterdir()}
    hidden = folder / ".links"
    hidden.mkdir()
    for name in ("in", ".taken", ".refused"):
        (folder / name).mkdir()
        (hidden / name).symlink_to(outside, target_is_directory=True)
    pairs = [(folder / name, hidden / name) for name in ("in", ".taken", ".refused")]
    codes: Counter[str] = Counter()
    watch = Watch(
        Viewer.SYSTEM,
        folder,
        stable_seconds=0,
        keep_days=0,
        report=lambda item: codes.update([getattr(item, "code", "imported")]),
    )
    with exchanging(*pairs) as count:
        for number in range(rounds):
            for place in (folder / "in", hidden / "in"):
                if not place.is_symlink():
                    with suppress(OSError):
                        number = os.open(place, os.O_DIRECTORY | os.O_NOFOLLOW)
                        (Path(f"/proc/self/fd/{number}") / "calls.csv").write_text(CALLS)
                        os.close(number)
            watch.check()

    assert {path.name: path.read_bytes() for path in outside.iterdir()} == kept
    print(f"\n{rounds} looks, {count[0]} exchanges: {dict(codes)}")
    assert codes["imported"] and count[0] > rounds


def test_a_log_whose_folder_becomes_a_link_is_not_read_on(folder: Path, outside: Path) -> None:
    path = put(folder, "in/queue_log", "".join(LOG.splitlines(keepends=True)[:20]))
    (outside / "queue_log").write_text(LOG)
    told: list[FileReport | Refusal] = []
    watch = Watch(Viewer.SYSTEM, folder, stable_seconds=0, report=told.append)
    watch.check()
    before = find_contacts()
    assert before

    path.parent.rename(folder / "was")
    (folder / "in").symlink_to(outside, target_is_directory=True)
    for _follower, sighting in watch._logs.values():
        sighting.next_try = 0.0
    watch.check()

    assert [item.code for item in told if isinstance(item, Refusal)][-1] == "no_regular_file"
    assert find_contacts() == before


def test_a_file_is_moved_through_no_link_and_beyond_no_folder(folder: Path, outside: Path) -> None:
    put(folder, "in/calls.csv", CALLS)
    (folder / "link").symlink_to(outside, target_is_directory=True)
    (folder / "out").mkdir()
    for one, other in (
        ("link/calls.csv", "out/calls.csv"),
        ("in/calls.csv", "link/new.csv"),
        ("in/../../elsewhere/calls.csv", "out/calls.csv"),
        ("in/calls.csv", "in/../../calls.csv"),
    ):
        with pytest.raises(OSError):
            archives.move(folder / one, folder / other, folder)
    assert names(folder) == ["in/calls.csv"]
    assert sorted(path.name for path in outside.iterdir()) == ["audit.key", "calls.csv"]
