"""What goes wrong around an import (damaged files, kills, a full disk, a locked store,
the same file at once): nothing is lost, nothing comes twice.
"""

from __future__ import annotations

import gzip
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.damaged_files import mutate
from builders.forked_python import forked_python, forked_with_file_limit
from builders.import_files import (
    CALLS,
    SURVEYS,
    TRACKING,
    bring,
    describe_question,
    find_contacts,
    find_evaluations,
    find_facts,
    find_waiting,
    run_confirmed,
    write,
)
from builders.listening_centre import allow_evaluations
from builders.long_seeds import count_seeds, leave_to_long
from builders.special_files import special_files

from qa_core import ingest
from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.cli.app import run as run_command
from qa_core.files.options import ImportOptions
from qa_core.ingest.reading import table_reader
from qa_core.storage import audit_log, lake
from qa_core.storage.records import store
from qa_core.storage.records.alerts import AlertRule
from qa_core.storage.records.imports import BeforeImage, ImportBatch, WaitingRow
from qa_core.storage.records.people import Advisor
from qa_core.upkeep import after_import, backup

LOG = """1772442000|L1|support|NONE|ENTERQUEUE||0612345601|1
1772442010|L1|support|SIP/diane|CONNECT|10|x|4
1772442012|NONE|support|SIP/becky|PAUSE|lunch
1772442100|L1|support|SIP/diane|COMPLETECALLER|10|90|1
1772442200|L2|support|NONE|ENTERQUEUE||0612345602|1
1772442235|L2|support|NONE|ABANDON|1|1|35
"""
MARKS = (
    "contact_id,evaluator,evaluated_at,grid,score\nC1,Eve,2026-03-05,Service,80\nC9,Max,"
    "2026-03-05,Service,60\n"
)
SPEND = (
    "day,source,campaign,amount,currency\n2026-03-01,Google,Spring,10,EUR\n2026-03-02,Bing,"
    "Spring,7.5,EUR\n"
)
PEOPLE = (
    "advisor_id,name,team,site,from\nDiane,Diane "
    "Leroy,South,Lille,2026-01-01\nA9,Zoé,South,Lille,\n"
)
DAMAGED = [
    ("contacts", CALLS),
    ("surveys", SURVEYS),
    ("tracking", TRACKING),
    ("contacts", LOG),
    ("evaluations", MARKS),
    ("spend", SPEND),
    ("advisors", PEOPLE),
]


def import_mutants(folder: Path, count: int, seed: int) -> Counter[str]:
    """Import damaged files one after the other into one centre. Every report accounts
    for every row, and the lake holds what the reports say.
    """
    allow_evaluations("Becky", "Diane")
    rng, seen, new = random.Random(seed), Counter(), 0
    for number in range(count):
        kind, text = DAMAGED[number % len(DAMAGED)]
        path = folder / "mutant.csv"
        path.write_bytes(mutate(rng, text.encode()))
        try:
            (report,) = run_confirmed(Viewer.SYSTEM, kind, [path])
        except Exception as error:
            raise AssertionError(
                f"mutant {number} of seed {seed}: {path.read_bytes()!r}"
            ) from error
        seen[report.refusal.code if report.is_refused else "landed"] += 1
        if report.is_refused:
            assert report.as_text()
            continue
        report.tally.require_identity(report.file)
        new += report.tally.new if kind == "contacts" else 0
    assert len(find_contacts()) == new
    with store.reading() as session:
        assert set(session.scalars(sa.select(ImportBatch.state))) == {"done"}
        assert audit_log.verify(session).ok
    assert list((environment.current().temporary_folder).glob("staged-*")) == []
    return seen


@pytest.mark.parametrize("files", leave_to_long([15, 100], but=[15]))
def test_damaged_files_crash_nothing_and_break_no_accounting(centre: Path, files: int) -> None:
    seen = import_mutants(centre, files, seed=3)
    assert seen["landed"] > files // 5 and sum(seen.values()) == files


def test_a_sheet_of_evaluations_with_a_column_without_a_header_is_read(centre: Path) -> None:
    allow_evaluations("Eve", "Max")
    path = centre / "marks.csv"
    path.write_text(MARKS.replace("grid,score", "grid,,score").replace("Service,", "Service,x,"))

    (report,) = run_confirmed(Viewer.SYSTEM, "evaluations", [path])

    assert not report.is_refused and report.tally.skipped_kinds == {"unmatched": 2}


@pytest.mark.long
def test_thousands_of_damaged_files_crash_nothing_and_break_no_accounting(centre: Path) -> None:
    files = count_seeds(2_000)
    assert import_mutants(centre, files, seed=5)["landed"] > files // 5


@pytest.mark.long
def test_thousands_of_damaged_files_of_every_kind_crash_no_reader(centre: Path) -> None:
    rng, seen, files = random.Random(13), Counter(), count_seeds(10_000)
    for number in range(files):
        kind, text = DAMAGED[number % len(DAMAGED)]
        path = centre / "mutant.csv"
        path.write_bytes(mutate(rng, text.encode()))
        try:
            staged = table_reader.stage(path, kind)
        except Refusal as refused:
            assert str(refused)
            seen["refused"] += 1
            continue
        except Exception as error:
            raise AssertionError(f"mutant {number}: {path.read_bytes()!r}") from error
        staged.tally.require_identity(path.name, pending=staged.accepted)
        staged.discard()
        seen["read"] += 1
    assert seen["read"] > files // 4
    assert list(environment.current().temporary_folder.glob("staged-*")) == []


def write_calls(path: Path, rows: int) -> Path:
    """Calls of a few customers over three months, every one with its own id."""
    with path.open("w", encoding="utf-8") as file:
        file.write(
            "contact_id,started_at,advisor,team,customer,outcome,wait_seconds,talk_seconds,"
            "tracking_number\n"
        )
        for row in range(rows):
            day, clock = divmod(row * 7_776_000 // rows, 86_400)
            at = (
                f"2026-{1 + day // 30:02d}-{1 + day % 28:02d} "
                f"{clock // 3600:02d}:{clock // 60 % 60:02d}:{clock % 60:02d}"
            )
            file.write(
                f"K{row},{at},Advisor {row % 40},Team "
                f"{row % 4},06{10_000_000 + row % 5_000:08d},answered,{row % 90},{row % 600},"
                f"+331700000{row % 20:02d}\n"
            )
    return path


def run_import(
    *arguments: str, kind: str = "contacts", file_limit: int | None = None
) -> subprocess.Popen:
    python = forked_with_file_limit(file_limit) if file_limit else (*forked_python(), "-m")
    return subprocess.Popen(
        [*python, "qa_core", "import", kind, *arguments],
        cwd=environment.PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def find_state() -> str | None:
    with store.reading() as session:
        return session.scalar(sa.select(ImportBatch.state).where(ImportBatch.kind == "contacts"))


def wait_until_begun(process: subprocess.Popen) -> None:
    """Wait until an import of contacts has noted that it begins to write, or has ended."""
    while process.poll() is None and find_state() is None:
        time.sleep(0.01)


def facts() -> dict[str, object]:
    """All that an import brings, to be the same whatever happened on the way."""
    with store.reading() as session:
        people = sorted(session.scalars(sa.select(Advisor.advisor_id)))
    return {
        "facts": sorted(map(str, find_facts())),
        "people": people,
        "waiting": sorted(find_waiting(), key=str),
        "evaluations": find_evaluations(),
    }


def expect_once(expected: dict[str, object], rows: int) -> None:
    """After a start of the app, everything stands, once, and nothing half-done is left."""
    ingest.resume()
    assert facts() == expected
    with store.reading() as session:
        batches = session.execute(
            sa.select(ImportBatch.id, ImportBatch.state, ImportBatch.counts).where(
                ImportBatch.kind == "contacts"
            )
        ).all()
        assert sum(counts["new"] for _id, state, counts in batches if state == "done") == rows
        assert {state for _id, state, _counts in batches} <= {"done", "failed"}
        failed = [batch_id for batch_id, state, _counts in batches if state == "failed"]
        assert (
            session.scalar(
                sa.select(sa.func.count())
                .select_from(BeforeImage)
                .where(BeforeImage.batch_id.in_(failed))
            )
            == 0
        )
        assert (
            session.scalar(
                sa.select(sa.func.count())
                .select_from(WaitingRow)
                .where(WaitingRow.batch_id.in_(failed))
            )
            == 0
        )
        assert audit_log.verify(session).ok
    assert list(environment.current().temporary_folder.glob("staged-*")) == []


@pytest.mark.long
def test_an_import_killed_at_twenty_moments_loses_nothing_and_brings_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, path = 60_000, write_calls(tmp_path / "calls.csv", 60_000)
    monkeypatch.setenv("QA_HOME", str(tmp_path / "before"))
    store.migrate()
    bring(tmp_path, "surveys", "contact_id,csat,nps\nK1,5,9\nK2,2,3\nX,4,4\n")
    allow_evaluations("Becky", "Diane")
    bring(tmp_path, "evaluations", MARKS.replace("C1", "K7"))
    shutil.copytree(tmp_path / "before", tmp_path / "whole")
    monkeypatch.setenv("QA_HOME", str(tmp_path / "whole"))
    forked_python()  # what takes so long is the import alone
    started_at = time.monotonic()
    process = run_import(str(path))
    wait_until_begun(process)
    begun_at = time.monotonic()
    assert process.wait(300) == 0
    reading_seconds, writing_seconds = begun_at - started_at, time.monotonic() - begun_at
    expected = facts()
    states: Counter[str] = Counter()
    for moment in range(20):
        centre = tmp_path / f"killed-{moment}"
        shutil.copytree(tmp_path / "before", centre)
        monkeypatch.setenv("QA_HOME", str(centre))
        process = run_import(str(path))
        # Some while the file is only read, most while it is written: the first of each at once.
        if moment < 5:
            time.sleep(reading_seconds * moment / 5)
        else:
            wait_until_begun(process)
            time.sleep(writing_seconds * (moment - 5) / 15)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        states[find_state() or "not begun"] += 1
        assert run_import(str(path)).wait(300) == 0
        expect_once(expected, rows)
        shutil.rmtree(centre)
    print(
        f"killed at twenty moments of {reading_seconds:.1f} + {writing_seconds:.1f} s; "
        f"found then: {dict(states)}"
    )
    assert states["started"] and states["not begun"]


LIMITS = [64, 512, 700, 1024]


@pytest.mark.parametrize("kilobytes", leave_to_long(LIMITS, but=[64, 700]))
def test_an_import_that_finds_no_space_says_so_and_lands_once_there_is(
    centre: Path, kilobytes: int
) -> None:
    path = write_calls(centre / "calls.csv", 30_000)
    process = run_import(str(path), file_limit=kilobytes << 10)
    _out, err = process.communicate(timeout=300)
    assert "Traceback" not in err
    if process.returncode:
        assert (
            "The disk that holds the stores is full" in err and len(err.strip().splitlines()) == 1
        )
    (report,) = ingest.run(Viewer.SYSTEM, "contacts", [path])
    assert not report.is_refused and report.tally.read == 30_000
    assert len(find_contacts()) == 30_000
    with store.reading() as session:
        counts = session.scalars(
            sa.select(ImportBatch.counts).where(ImportBatch.state == "done")
        ).all()
        assert [count["new"] for count in counts] == [30_000] and audit_log.verify(session).ok
    assert list((centre / "tmp").glob("staged-*")) == []


def test_a_store_locked_for_a_moment_is_waited_for_and_one_locked_for_long_is_said(
    centre: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(centre, "calls.csv", CALLS)
    monkeypatch.setattr(store, "BUSY_SECONDS", 1.5)
    store.engine_for.cache_clear()
    locked, free = threading.Event(), threading.Event()

    def hold() -> None:
        with store.writing() as session:
            session.execute(sa.text("SELECT 1"))
            locked.set()
            free.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    locked.wait()
    (report,) = ingest.run(Viewer.SYSTEM, "contacts", [path])
    assert report.refusal.code == "store_busy" and lake.version("contacts") < 0
    threading.Timer(0.5, free.set).start()
    (report,) = ingest.run(Viewer.SYSTEM, "contacts", [path])
    holder.join()
    assert report.tally.new == 3 and len(find_contacts()) == 3
    store.engine_for.cache_clear()


def test_several_processes_with_the_same_file_bring_it_once_and_with_others_all_of_them(
    centre: Path,
) -> None:
    same, other = write_calls(centre / "calls.csv", 3_000), write(centre, "other.csv", CALLS)
    processes = [run_import(str(path), "--json") for path in (same, same, other, same)]
    for process in processes:
        _out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
    assert len(find_contacts()) == 3_003
    with store.reading() as session:
        counts = session.scalars(
            sa.select(ImportBatch.counts).where(ImportBatch.state == "done")
        ).all()
        assert (
            sorted(count["new"] for count in counts) == [3, 3_000] and audit_log.verify(session).ok
        )


def test_a_file_whose_one_needed_column_holds_no_numbers_is_refused(centre: Path) -> None:
    path = write(
        centre, "spend.csv", "day,campaign,amount\n2026-03-01,Spring,EUR\n2026-03-02,Spring,EUR\n"
    )
    error = describe_question(ingest.run(Viewer.SYSTEM, "spend", [path])[0])["error"]
    assert error["code"] == "unreadable_numbers"


@pytest.mark.long
def test_what_a_killed_import_and_a_killed_dry_run_leave_is_removed(
    centre: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = forked_python()  # its socket lies in the folder of temporary files of before
    outside = tmp_path_factory.mktemp("outside")
    monkeypatch.setenv("TMPDIR", str(outside))
    monkeypatch.setattr(tempfile, "tempdir", str(outside))
    path = write(outside, "calls.csv", CALLS)
    program = (
        "import sys; from pathlib import Path; from tests.builders.killed_import import arm; from "
        "qa_core import ingest; from qa_core.access.roles import Viewer; from "
        "qa_core.files.options import ImportOptions; arm(sys.argv[1], 'before'); "
        "ingest.run(Viewer.SYSTEM, 'contacts', [Path(sys.argv[2])], "
        "ImportOptions(dry_run=len(sys.argv) > 3))"
    )
    for arguments in (
        ["qa_core.ingest.load.batches.start", str(path)],
        ["qa_core.ingest.dry_run._measure", str(path), "dry run"],
    ):
        killed = subprocess.run(
            [*python, "-c", program, *arguments], cwd=environment.PROJECT, check=False
        )
        assert killed.returncode == -signal.SIGKILL
    temporary = environment.current().temporary_folder
    assert list(temporary.iterdir()) and list(outside.glob("ecoute-trial-*"))

    ingest.resume()

    assert list(temporary.iterdir()) == [] and list(outside.iterdir()) == [path]


def test_a_gzip_of_zeros_is_refused_in_the_list_that_json_promises(
    centre: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = centre / "zeros.json.gz"
    path.write_bytes(gzip.compress(bytes(8 << 20)))
    assert run_command(["import", "contacts", str(path), "--json"]) == 1
    [refused] = json.loads(capsys.readouterr().out)
    assert refused["error"]["code"] == "wrong_file_type"


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_pipe_or_a_device_is_refused_at_once(
    centre: Path, tmp_path_factory: pytest.TempPathFactory, dry_run: bool
) -> None:
    folder = tmp_path_factory.mktemp("files")
    options = ImportOptions(dry_run=dry_run)
    with special_files(folder, "calls.csv", "zeros.csv") as paths:
        for report in ingest.run(Viewer.SYSTEM, "contacts", [*paths, folder], options):
            assert report.refusal.code == "no_regular_file"
        for path in paths:
            with pytest.raises(Refusal) as refused, backup.opening(path):
                pass
            assert refused.value.code == "no_regular_file"


@pytest.mark.sqlite("it locks the file of the records")
def test_alert_rules_that_find_the_records_held_fail_no_import(
    centre: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store, "BUSY_SECONDS", 0.1)
    store.engine_for.cache_clear()
    with store.writing() as session:
        session.add(AlertRule(kpi="received", kind="control", grain="day", created_by="mo"))
    assert ingest.run(Viewer.SYSTEM, "contacts", [write(centre, "c.csv", CALLS)])[0].refusal is None
    holder = sqlite3.connect(centre / "records.sqlite", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    after_import.do_due()
    holder.rollback()
    assert "Another program is using the records" in caplog.text and "Traceback" not in caplog.text
    store.engine_for.cache_clear()
