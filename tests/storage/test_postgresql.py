"""The records in PostgreSQL: the same answers as in SQLite, writers who do not trip over
each other, and a role of the app that owns nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import builders.postgresql
import pytest
import sqlalchemy as sa
from builders.import_files import (
    CALLS,
    SURVEYS,
    TRACKING,
    bring,
    find_contacts,
    find_evaluations,
    find_facts,
    find_memberships,
    find_waiting,
)
from builders.postgresql import APPLICATION, OWNER, fresh_records

from qa_core import ingest
from qa_core.access import accounts, sessions
from qa_core.access.roles import Viewer
from qa_core.access.sessions import Browser
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.centre.rules import name_decisions
from qa_core.cli import demo, doctor
from qa_core.compliance import audit_report
from qa_core.ingest.load import recovery
from qa_core.metrics import query
from qa_core.storage import audit_log, permissions, replay_list
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.people import Account, SignInThrottle
from qa_core.upkeep import backup, purge, restore

pytestmark = pytest.mark.skipif(
    bool(builders.postgresql.explain_absence()), reason=str(builders.postgresql.explain_absence())
)
FORBIDDEN = (
    "UPDATE journal SET actor = 'nobody'",
    "TRUNCATE journal",
    "ALTER TABLE journal DISABLE ROW LEVEL SECURITY",
    "DROP TABLE journal",
    "CREATE TABLE mine (id integer)",
    "UPDATE alembic_version SET version_num = '0009'",
    "CREATE ROLE another",
)
HERE = Browser(b"0123456789abcdef", "Firefox", "192.0.2.7")
EVALUATIONS = (
    "contact_id,advisor,evaluator,evaluated_at,grid,score\nC1,Diane,eve,2026-03-05 "
    "10:00:00,Welcome,80\n"
)


@pytest.fixture(params=[APPLICATION])
def postgresql(
    centre: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Path]:
    """An empty centre whose records are in a database of their own. The app's role owns
    nothing there.
    """
    monkeypatch.setenv("QA_HOME", str(centre / "on-postgresql"))
    monkeypatch.setenv("QA_SECRET_PSEUDONYMS", "5e" * 32)
    with fresh_records(monkeypatch, request.param):
        permissions.protect()
        yield centre


def bring_all(folder: Path) -> None:
    bring(folder, "surveys", SURVEYS)
    bring(folder, "contacts", CALLS)
    bring(folder, "tracking", TRACKING)
    bring(folder, "evaluations", EVALUATIONS)
    report = bring(folder, "contacts", CALLS.replace("C1,", "D1,").replace("Diane", "Diana"))
    ingest.undo(Viewer.SYSTEM, report.batch_id)
    name_decisions.merge(Viewer.SYSTEM, "advisor", "Becky", "Diane")
    name_decisions.merge(Viewer.SYSTEM, "campaign", "Summer", "Spring")
    recovery.apply_due_rules()


def everything() -> list[object]:
    return [find_facts(), find_evaluations(), find_waiting(), find_memberships()]


@pytest.mark.sqlite("it compares both")
def test_the_same_files_make_the_same_centre(
    postgresql: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("files")
    bring_all(folder)
    found = everything()
    # Nobody has filled in the documents.
    bad = [check.name for check in doctor.examine() if check.state == "bad"]
    assert bad == ["rule_r12"]
    assert ("records", "postgresql") in [(check.name, check.detail) for check in doctor.examine()]
    monkeypatch.delenv("QA_DATABASE_URL")
    monkeypatch.setenv("QA_HOME", str(postgresql))
    bring_all(folder)
    assert found == everything() and found[0]


@pytest.mark.long
def test_a_demo_centre_stands_and_goes(postgresql: Path) -> None:
    demo.build(Viewer.SYSTEM, demo.DemoPlan.until_yesterday(2, 6, 300, 7))
    with store.reading() as session:
        lead = accounts.get_viewer(session, "lead")
    assert query.measure(lead, ("received",))["value"][0] > 0
    demo.remove(Viewer.SYSTEM)
    assert accounts.find_accounts(Viewer.SYSTEM) == []


@pytest.mark.parametrize("postgresql", [OWNER], indirect=True)
def test_a_cut_journal_is_noticed(postgresql: Path) -> None:
    for username in ("ann", "bob"):
        accounts.add(Viewer.SYSTEM, username, "admin")
    with store.writing() as session:
        assert audit_log.verify(session).ok
        session.execute(sa.delete(JournalRow).where(JournalRow.seq == 2))
    with store.reading() as session:
        assert audit_log.verify(session) == audit_log.Verification(1, False, 2, is_cut=True)


def test_tries_at_once_are_all_counted_and_all_answered(postgresql: Path) -> None:
    accounts.add(Viewer.SYSTEM, "tom", "manager")

    def attempt(_position: int) -> str:
        with pytest.raises(Refusal) as refused:
            sessions.sign_in("tom", "Not-the-password-1", HERE, one_time_days=7)
        return refused.value.code

    with ThreadPoolExecutor(8) as pool:
        codes = list(pool.map(attempt, range(16)))
    assert codes.count("sign_in_failed") == 5 and codes.count("too_many_tries") == 11
    with store.reading() as session:
        # of the account, of the address, and of the account from that address
        assert sorted(session.scalars(sa.select(SignInThrottle.failures))) == [5, 5, 5]
        assert audit_log.verify(session).ok


def test_one_of_two_who_take_a_name_at_once_is_told(postgresql: Path) -> None:
    def add(_position: int) -> str:
        try:
            accounts.add(Viewer.SYSTEM, "ann", "manager")
        except Refusal as refusal:
            return refusal.code
        return "added"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(add, range(4))) == [
            "added",
            "username_taken",
            "username_taken",
            "username_taken",
        ]
    with store.reading() as session:
        assert session.get(Account, "ann").one_time_since.utcoffset().total_seconds() == 0


def test_imports_at_once_wait_for_each_other(
    postgresql: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("files")
    with ThreadPoolExecutor(3) as pool:
        reports = list(
            pool.map(
                lambda position: bring(folder, "contacts", CALLS.replace("C", f"X{position}-")),
                range(3),
            )
        )
    assert [report.tally.new for report in reports] == [3, 3, 3] and len(find_facts()) == 9


def test_a_backup_is_refused_and_records_brought_back_by_other_means_are_cleared(
    postgresql: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    replay_list.ensure()
    since = environment.now()
    bring(tmp_path_factory.mktemp("files"), "contacts", CALLS)
    with pytest.raises(Refusal, match="pg_dump"):
        backup.back_up(Viewer.SYSTEM, tmp_path_factory.mktemp("elsewhere") / "centre.bak")
    key = next(key for _id, key in find_contacts("customer_key") if key)
    # As if the erasure had come after the dump.
    replay_list.add("customer", replay_list.digest("customer", key))
    replay_list.add("advisor", replay_list.digest("advisor", "Diane"))

    result = restore.replay(Viewer.SYSTEM, since, "pg_restore")

    assert (result.customers, result.advisors) == (1, 1)
    left = find_contacts("customer_key", "advisor_id")
    assert left and not {key, "Diane"} & {value for row in left for value in row[1:]}
    with store.reading() as session:
        assert audit_log.verify(session).ok


def test_the_role_of_the_app_neither_owns_nor_changes_what_it_should_not(
    postgresql: Path,
) -> None:
    accounts.add(Viewer.SYSTEM, "ann", "admin")

    for statement in FORBIDDEN:
        with (
            store.engine_for(environment.current().database_url).connect() as connection,
            pytest.raises(sa.exc.ProgrammingError, match=r"permission denied|must be owner"),
        ):
            connection.exec_driver_sql(statement)


def test_the_role_of_the_app_deletes_rows_of_the_journal_only_once_they_are_old(
    postgresql: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QA_CLOCK", "2024-03-05")
    environment.mark_drill()
    accounts.add(Viewer.SYSTEM, "ann", "admin")
    monkeypatch.delenv("QA_CLOCK")
    accounts.add(Viewer.SYSTEM, "bob", "admin")

    with pytest.raises(Refusal, match="younger than six months"):
        purge.purge(Viewer.SYSTEM, environment.today() + timedelta(days=800))
    with store.reading() as session:
        assert audit_log.verify(session) == audit_log.Verification(2, True, None)
    assert audit_report.find_last(audit_report.DELETIONS) == 0
    assert purge.purge(Viewer.SYSTEM).deleted["journal"] == 1
    assert (
        audit_report.find_last(audit_report.DELETIONS) == 3
    )  # by which every process forgets its answers
    with store.reading() as session:  # bob and the purge
        assert audit_log.verify(session) == audit_log.Verification(2, True, None)
    assert purge.find_overdue(Viewer.SYSTEM) == []


@pytest.mark.parametrize("postgresql", [OWNER], indirect=True)
def test_the_owner_migrates_and_the_app_goes_on_with_the_same_journal(
    postgresql: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts.add(Viewer.SYSTEM, "ann", "admin")
    url = environment.current().database_url
    owner = store.engine_for(url).execution_options(isolation_level="AUTOCOMMIT").connect()
    with owner:
        newest = owner.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        owner.exec_driver_sql("UPDATE alembic_version SET version_num = '0009'")
        monkeypatch.setenv("QA_DATABASE_URL", url.replace(OWNER, APPLICATION))
        with pytest.raises(Refusal, match="Update them once as the owner of the tables") as refused:
            store.migrate()
        assert refused.value.options == ("python -m qa_core init",)
        owner.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{newest}'")

    store.migrate()
    accounts.add(Viewer.SYSTEM, "bob", "admin")
    with store.reading() as session:
        assert audit_log.verify(session) == audit_log.Verification(2, True, None)
