"""The purge: all that was kept for its time is gone from every store and from every byte,
nothing else is, and a signed certificate says how much.
"""

from __future__ import annotations

import json
import os
import subprocess
import time as clock
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.aging_centre import add_one_of_each, add_scorecard
from builders.centres import add_people
from builders.erasure import find_traces
from builders.forked_python import forked_python
from builders.import_files import find_contacts
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied
from qa_core.centre import settings
from qa_core.cli.app import run
from qa_core.compliance import recordings, retention
from qa_core.compliance.recordings import vault
from qa_core.metrics.kpi import month_closing
from qa_core.storage import audit_log, replay_list
from qa_core.storage.lake import tables
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.evaluations import Evaluation, EvaluationAnswer
from qa_core.storage.records.imports import BeforeImage, WaitingRow
from qa_core.storage.records.irritants import Irritant
from qa_core.storage.records.listening import (
    Calibration,
    CoachingNote,
    CoachingPlan,
    Dispute,
    Draw,
    DrawnContact,
    ListeningPlan,
    Playback,
    Recording,
)
from qa_core.storage.records.people import AccountRequest, Advisor, SignInThrottle
from qa_core.storage.records.retention import Purge
from qa_core.storage.records.targets import Annotation
from qa_core.upkeep import purge, subjects

SYSTEM = Viewer.SYSTEM
OLD = datetime(2023, 1, 15, 9, tzinfo=UTC)
KINDS = {
    "recordings": 1,
    "evaluations": 1,
    "calibrations": 1,
    "coaching": 1,
    "draws": 1,
    "playbacks": 1,
    "contacts": 2,
    "survey_comments": 1,
    "account_requests": 1,
    "sign_in_failures": 1,
    "closed_accounts": 1,
    "notes": 2,
    "requests": 1,
    "waiting_rows": 1,
    "before_images": 1,
    "quarantine": 1,
    "temporary_files": 1,
}
"""What `fill` leaves to be deleted, kind by kind; the journal only holds what is new."""


def fill(folder: Path) -> None:
    """One of each kind that is too old, and beside it one that is not."""
    add_people({"ann-secret": "Ann"})
    add_scorecard()
    for name, at in (("old", OLD), ("new", datetime.now(UTC))):
        add_one_of_each(folder, name, at)


def count_rows() -> dict[str, int]:
    """The rows of every table that `fill` fills."""
    tables_filled = (Evaluation, EvaluationAnswer, Dispute, Calibration, CoachingPlan)
    tables_filled += (CoachingNote, Draw, DrawnContact, ListeningPlan, Playback, WaitingRow)
    tables_filled += (BeforeImage, AccountRequest, SignInThrottle, Annotation, Irritant)
    with store.reading() as session:
        return {
            table.__tablename__: session.scalar(
                retention.Unscoped(sa.select(sa.func.count()).select_from(table), "a test")
            )
            for table in tables_filled
        }


def find_open_purges() -> int:
    with store.reading() as session:
        return session.scalar(sa.select(sa.func.count(Purge.id)).where(Purge.finished_at.is_(None)))


def fill_and_close(folder: Path) -> None:
    """Fill a centre, and count and publish its old months as a purge does before it deletes:
    the greater part of its time. `test_closed_months.py` and `test_editions.py` test that.
    """
    fill(folder)
    with store.reading() as session:
        oldest_days = [
            (group, retention.find_oldest_day(session, kind, environment.today()))
            for kind, group in purge.CLOSES.items()
        ]
    with store.one_import_at_a_time():
        for group, day in oldest_days:
            month_closing.close(group, day - timedelta(days=1))


@pytest.fixture
def filled(
    centre: Path, start_from: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    start_from(fill, tmp_path_factory.mktemp("delivered"))
    return centre


@pytest.fixture
def closed(
    centre: Path, start_from: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A filled centre whose old months are closed."""
    start_from(fill_and_close, tmp_path_factory.mktemp("delivered"))
    return centre


def purge_elsewhere(centre: Path, *place: str) -> subprocess.Popen[bytes]:
    """Purge in another process, killed at that place if one is named."""
    return subprocess.Popen(
        [*forked_python(), "-m", "tests.builders.killed_purge", *(place or ("-",))],
        cwd=environment.PROJECT,
        env={**os.environ, "QA_HOME": str(centre)},
    )


def test_every_kind_of_data_has_a_period_and_somebody_who_deletes_it() -> None:
    assert {keeper.kind for keeper in purge.KEEPERS} == set(retention.BY_KIND)
    rest = {"journal", "deleted_recordings", "certificates", "leavers", "delivered_files"}
    rest |= {"sealed_recordings", "rectifications", "deliveries", "call_backs"}
    assert set(KINDS) | rest == set(retention.BY_KIND)


def test_a_purge_deletes_what_is_too_old_and_nothing_else(filled: Path) -> None:
    before = count_rows()
    assert set(before.values()) == {2}

    result = purge.purge(SYSTEM)

    assert result.deleted == KINDS
    assert set(count_rows().values()) == {1}
    assert purge.find_overdue(SYSTEM) == []
    assert find_contacts(
        "customer_key", "advisor_id", "survey_comment", "csat", "had_customer"
    ) == [
        ("new0", "new-customer", "ann-secret", "new-words", 5.0, None),
        ("new1", "new-customer", "ann-secret", None, 5.0, None),
        ("old0", None, None, None, 5.0, True),
        ("old1", None, None, None, 5.0, True),
    ]
    assert len(list(vault.folder().rglob("*.bin"))) == 1
    assert [path.name for path in sorted((filled / "quarantine").iterdir())] == ["new.csv"]


@pytest.mark.sqlite("it looks into the files of the records")
def test_no_byte_of_the_stores_holds_what_was_deleted(closed: Path) -> None:
    words = ("old-customer", "old-words", "old-comment", "old-dispute", "old-goal", "old-note")
    words += ("old-row", "old-reason", "old-cells", "old-person", "old-event", "old-remark")
    assert all(find_traces(closed, word) for word in words)

    purge.purge(SYSTEM)

    assert [word for word in words if find_traces(closed, word)] == []
    assert find_traces(closed, "new-customer") and find_traces(closed, "new-comment")


def test_a_dry_run_counts_and_deletes_nothing(filled: Path) -> None:
    before = count_rows(), tables.version("contacts")
    result = purge.purge(SYSTEM, dry_run=True)

    assert (result.deleted, result.certificate) == (KINDS, None)
    assert (count_rows(), tables.version("contacts")) == before
    assert purge.find_certificates(SYSTEM) == []


def test_a_dry_run_counts_the_people_whose_last_data_goes_in_the_same_purge(
    centre: Path, tmp_path: Path
) -> None:
    """Lea's calls, evaluations, draws and plans are all too old, Ann's are not."""
    add_people({"left": "Lea", "ann-secret": "Ann"})
    add_scorecard()
    add_one_of_each(tmp_path, "old", OLD, "left")
    add_one_of_each(tmp_path, "new", datetime.now(UTC))
    with store.writing() as session:
        session.execute(sa.update(Advisor).values(created_at=OLD))
        # The row of an audio file stays a year longer, as proof of its deletion.
        session.execute(sa.delete(Recording).where(Recording.advisor_id == "left"))

    counted = purge.purge(SYSTEM, dry_run=True).deleted

    assert counted["leavers"] == 1
    assert purge.purge(SYSTEM).deleted == counted
    assert purge.purge(SYSTEM, dry_run=True).deleted == {}


def test_the_command_prints_what_the_contract_says(
    closed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def ask(*arguments: str) -> dict[str, Any]:
        capsys.readouterr()
        assert run(["purge", "--json", *arguments]) == 0
        return json.loads(capsys.readouterr().out)

    today = environment.today().isoformat()
    tried = ask("--dry-run", "--as-of", "2023-08-01")
    assert tried["dry_run"] and tried["as_of"] == "2023-08-01" and tried["certificate"] is None
    assert tried["deleted"]["recordings"] == 1 and "evaluations" not in tried["deleted"]

    done = ask()
    assert (done["as_of"], done["dry_run"], done["deleted"]) == (today, False, KINDS)
    certificate = done["certificate"]
    assert certificate["kinds"]["evaluations"]["oldest"] == "2023-01-15"
    assert {kind: note["count"] for kind, note in certificate["kinds"].items()} == KINDS
    assert ask() == {"as_of": today, "dry_run": False, "deleted": {}, "certificate": None}


@pytest.mark.parametrize(
    ("day", "kinds"),
    [
        ("2023-07-15", set()),
        ("2023-07-16", {"recordings"}),  # six months after the 15th, the day itself included
        ("2024-01-15", {"recordings"}),
        ("2024-01-16", {"recordings", "evaluations", "survey_comments"}),
        ("2024-02-15", {"recordings", "evaluations", "survey_comments"}),
        ("2024-02-16", {"recordings", "evaluations", "survey_comments", "contacts"}),
    ],
)
def test_each_kind_is_due_on_the_day_after_its_period(
    filled: Path, day: str, kinds: set[str]
) -> None:
    found = set(purge.purge(SYSTEM, datetime.fromisoformat(day).date(), dry_run=True).deleted)

    assert found & {"recordings", "evaluations", "survey_comments", "contacts"} == kinds


def test_a_shorter_period_holds_for_what_is_there(closed: Path) -> None:
    purge.purge(SYSTEM)
    with store.writing() as session:
        dora = Viewer("dora", Role.DPO)
        settings.set_value(session, dora, "contact_retention_months", "1")
    with store.writing() as session, pytest.raises(AccessDenied):
        settings.set_value(session, Viewer("adam", Role.ADMIN), "contact_retention_months", "2")

    later = environment.today() + timedelta(days=35)
    assert purge.purge(SYSTEM, later, dry_run=True).deleted["contacts"] == 2


def test_a_certificate_is_signed_and_shows_when_it_was_changed(closed: Path) -> None:
    made = purge.purge(SYSTEM).certificate
    [kept] = purge.find_certificates(SYSTEM)
    assert kept == made and kept.is_genuine
    with store.reading() as session:
        row = session.get_one(JournalRow, kept.seq)
        assert (row.action, row.object, row.mac) == ("purged", str(kept.number), kept.mac)

    with store.writing() as session:
        row = session.get_one(Purge, kept.number)
        row.kinds = {**row.kinds, "evaluations": {**row.kinds["evaluations"], "count": 7}}

    assert not purge.find_certificates(SYSTEM)[0].is_genuine


def test_the_journal_goes_by_age_and_the_rest_is_still_verified(
    centre: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for moment in (OLD, OLD + timedelta(days=1), datetime.now(UTC)):
        with monkeypatch.context() as patch, store.writing() as session:
            patch.setattr(audit_log, "now", lambda moment=moment: moment)
            audit_log.record(session, "eve", "sign_in", f"{moment:%Y}-visit")

    assert purge.purge(SYSTEM).deleted == {"journal": 2}
    with store.reading() as session:
        rows = session.scalars(retention.Unscoped(sa.select(JournalRow.seq), "a test"))
        assert set(rows) == {3, 4}
        assert audit_log.verify(session).ok
    assert find_traces(centre, "2023-visit") == []

    with store.writing() as session:  # taking off one more row leaves a gap
        session.execute(sa.delete(JournalRow).where(JournalRow.seq == 3))
        session.execute(sa.text("UPDATE journal_cut SET seq = 3"))
    with store.reading() as session:
        assert not audit_log.verify(session).ok


PLACES = [
    ("qa_core.storage.lake.tables.commit", "after", "1"),
    ("qa_core.compliance.recordings.vault.remove", "before", "1"),
]
"""In the lake, and beside the records."""
MORE_PLACES = [
    ("qa_core.upkeep.purge._save", "before", "2"),
    ("qa_core.quality.retention.EvaluationKeeper.delete_due", "after", "1"),
    ("qa_core.storage.lake.vacuum", "before", "1"),
    ("qa_core.upkeep.purge.close_certificate", "before", "1"),
    ("qa_core.upkeep.purge._save", "before", "1"),
    ("qa_core.upkeep.purge._save", "before", "5"),
    ("qa_core.upkeep.purge._save", "before", "9"),
    ("qa_core.quality.retention.EvaluationKeeper.delete_due", "before", "1"),
    ("qa_core.quality.retention.CalibrationKeeper.delete_due", "after", "1"),
    ("qa_core.storage.lake.tables.commit", "before", "1"),
    ("qa_core.storage.lake.tables.commit", "before", "2"),
    ("qa_core.compliance.recordings.vault.remove", "after", "1"),
    ("qa_core.storage.lake.maintenance._vacuum_table", "after", "1"),
    ("qa_core.upkeep.purge.close_certificate", "after", "1"),
]


@pytest.mark.parametrize(
    "place",
    [*PLACES, *(pytest.param(place, marks=pytest.mark.long) for place in MORE_PLACES)],
    ids=" ".join,
)
def test_a_purge_that_was_killed_is_finished_by_the_next_and_certifies_all_of_it(
    closed: Path, place: tuple[str, str, str]
) -> None:
    store.engine_for(environment.current().database_url).dispose()
    assert purge_elsewhere(closed, *place).wait() == -9

    purge.purge(SYSTEM)

    certified: dict[str, int] = {}
    for certificate in purge.find_certificates(SYSTEM):
        for kind, due in certificate.kinds.items():
            certified[kind] = certified.get(kind, 0) + due.count
    assert certified == KINDS
    assert find_open_purges() == 0 and purge.find_overdue(SYSTEM) == []
    assert set(count_rows().values()) == {1}
    for word in ("old-customer", "old-words", "old-comment", "old-reason", "old-cells"):
        assert find_traces(closed, word) == []


def test_two_purges_at_once_delete_and_certify_once(closed: Path) -> None:
    store.engine_for(environment.current().database_url).dispose()
    both = [purge_elsewhere(closed), purge_elsewhere(closed)]

    assert [process.wait() for process in both] == [0, 0]
    [certificate] = purge.find_certificates(SYSTEM)
    assert {kind: due.count for kind, due in certificate.kinds.items()} == KINDS


def test_the_server_purges_without_anybody_signed_in(closed: Path) -> None:
    program = "import time; from qa_core.ui import asgi; asgi.check_start(); time.sleep(600)"
    store.engine_for(environment.current().database_url).dispose()
    serving = subprocess.Popen(
        [*forked_python(), "-c", program],
        cwd=environment.PROJECT,
        env={**os.environ, "QA_HOME": str(closed)},
    )
    try:
        while not purge.find_certificates(SYSTEM):
            assert serving.poll() is None
            clock.sleep(0.2)
    finally:
        serving.kill()
        serving.wait()
    assert purge.find_overdue(SYSTEM) == []


def test_a_watch_purges_too(closed: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    inbox = tmp_path_factory.mktemp("inbox")

    assert run(["watch", str(inbox), "--once", "--settle", "0"]) == 0
    assert purge.find_overdue(SYSTEM) == []


def test_only_the_data_protection_officer_purges(closed: Path) -> None:
    for role in set(Role) - {Role.DPO}:
        with pytest.raises(AccessDenied):
            purge.purge(Viewer("somebody", role))
    assert purge.purge(Viewer("dora", Role.DPO)).deleted == KINDS


def test_a_file_that_no_row_names_goes_too(closed: Path) -> None:
    orphan = vault.folder() / "ab" / "orphan.bin"
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_bytes(b"sound")

    purge.purge(SYSTEM)

    assert not orphan.exists()
    with store.reading() as session:
        [kept] = session.scalars(
            retention.Unscoped(sa.select(Recording).where(Recording.file_name.is_not(None)), "")
        )
    assert (vault.folder() / kept.file_name).exists()
    assert recordings.delete_expired(SYSTEM) == 0


def test_the_page_lists_periods_and_certificates(
    closed: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("dora", "dpo")
    purge.purge(SYSTEM)
    app = open_app("dora", "listening_rules", section="retention")

    assert not app.exception and not app.error
    titles = [element.value for element in app.subheader]
    assert "How long data is kept" in titles and "Certificates of deletion" in titles


def object_to_listening() -> None:
    subjects.object_to(SYSTEM, advisors=["A1"])


def exclude_from_listening() -> None:
    subjects.exclude(SYSTEM, "representative", advisor="A1")


def restrict() -> None:
    subjects.restrict(SYSTEM, advisor="A1")


@pytest.mark.owner
@pytest.mark.parametrize("act", [object_to_listening, exclude_from_listening, restrict])
def test_what_applies_until_it_is_lifted_keeps_no_leaver(
    centre: Path, act: Callable[[], None]
) -> None:
    """Two years after the last contact nothing is left that it could apply to."""
    add_people({"A1": "Ann Leaver"}, {"Nord": "Lille"})
    act()
    assert "A1" in json.dumps([entry.key for entry in replay_list.ensure().entries])

    purged = purge.purge(SYSTEM, environment.today() + timedelta(days=730))

    assert purged.deleted["leavers"] == 1
    assert "A1" not in json.dumps([entry.key for entry in replay_list.ensure().entries])
    assert find_traces(centre, "Ann Leaver") == []


def test_calls_in_progress_of_a_log_that_nobody_watches_any_more_go(centre: Path) -> None:
    states = [centre / "watching" / f"{name}.parquet" for name in ("left", "watched")]
    states[0].parent.mkdir()
    for state, days in zip(states, (31, 1), strict=True):
        state.write_bytes(b"pseudonyms")
        moment = (environment.now() - timedelta(days=days)).timestamp()
        os.utime(state, (moment, moment))

    lock = states[0].with_suffix(".lock")  # names the folder, whose delivered files go by it
    lock.write_text(str(centre / "incoming"))
    os.utime(lock, (0, 0))

    assert purge.purge(SYSTEM).deleted == {"temporary_files": 1}
    assert [state.exists() for state in (*states, lock)] == [False, True, True]


def test_a_request_about_an_account_that_nobody_decided_goes_too(centre: Path) -> None:
    asked_at = environment.now() - timedelta(days=400)
    content = {"display_name": "Zelda Unmistakable"}
    with store.writing() as session:
        asked = AccountRequest(act="add", username="zelda", content=content, asked_by="root")
        asked.asked_at = asked_at
        session.add(asked)

    assert purge.purge(SYSTEM).deleted == {"account_requests": 1}
    assert find_traces(centre, "Unmistakable") == []
