"""Stores of an earlier version, which kept telephone numbers inside ids of contacts: after
`init` no byte holds one, and everything that names a contact still names it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders import every_column
from builders.centres import add_people, contact, land
from builders.erasure import find_traces
from builders.every_column import fill_every_column
from builders.forked_python import forked_python
from builders.import_files import bring, find_contacts
from builders.listening_centre import keep_audio
from builders.sounds import make

from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.analysis import call_backs
from qa_core.base import environment, masking
from qa_core.cli.app import run
from qa_core.metrics.rows import contacts
from qa_core.storage import audit_log, lake, replay_list
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.facts.personal_data import ColumnContent
from qa_core.storage.records import data_map, store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.call_backs import CallBack, build_key
from qa_core.storage.records.evaluations import Evaluation
from qa_core.upkeep import backup, purge, restore, subjects

pytestmark = pytest.mark.owner
SYSTEM = Viewer.SYSTEM
NUMBER = "0612345678"
ID, OTHER, LOST = f"20261119-100000-{NUMBER}", f"b-{NUMBER}", f"lost-{NUMBER}"
CALLS = f"""contact_id,started_at,customer,outcome,advisor,ticket,wait_seconds,talk_seconds
{ID},2026-11-19 10:00,0699999901,answered,Ann,T-{NUMBER},10,60
{OTHER},2026-11-20 10:00,0699999901,abandoned,,,30,
C3,2026-11-20 11:00,0699999902,answered,Ann,T-3,5,40
"""
LATER = f"contact_id,started_at,outcome,wait_seconds\n{ID},2026-11-19 10:00,answered,12\n"
SURVEYS = f"contact_id,answered_at,csat,scale\n{LOST},2026-11-21 12:00,4,1-5\n"
EVALUATIONS = f"""evaluation_id,contact_id,advisor,evaluator,evaluated_at,grid,score
E-{NUMBER},{ID},Ann,Eve,2026-11-20 09:00,Calls,80
"""
WITHOUT_ID = f"""contact_id,advisor,evaluator,evaluated_at,grid,score
{ID},Ann,Bea,2026-11-20 09:00,Calls,70
"""
KPIS = ("received", "answer_rate", "call_back_rate", "evaluation_score", "average_talk_time")
MONTH = ("--from", "2026-11-01", "--to", "2026-11-30")


@contextmanager
def earlier_version(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work as the version did that looked for no numbers, and leave its records."""
    with monkeypatch.context() as patch:
        patch.setattr(masking, "NUMBER_INSIDE", r"(^|x)\b\B(x)")
        yield
    with store.engine_for(environment.current().database_url).begin() as connection:
        connection.execute(sa.text("DROP TABLE journal_rewording"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0031'"))
    store.close()


def fill(sent: Path) -> None:
    bring(sent, "contacts", CALLS)
    bring(sent, "contacts", LATER)
    bring(sent, "surveys", SURVEYS)
    bring(sent, "evaluations", EVALUATIONS)
    bring(sent, "evaluations", WITHOUT_ID)
    with store.one_import_at_a_time(), store.writing() as session:
        keep_audio(session, ID, make(sent / "call.wav"))
    contacts.read_contact(SYSTEM, "generic", ID)
    audit_log.note_reading("ada", "irritant_read", f"generic/{ID}, generic/C3, generic/{OTHER}")
    subjects.restrict(SYSTEM, contact=("generic", OTHER), reason="asked for")
    subjects.object_to(SYSTEM, contacts=[("generic", OTHER)])
    subjects.rectify(SYSTEM, ("generic", ID), {"reason": "Bill"}, "asked for")
    with store.writing() as session:
        session.add(CallBack(key=build_key("generic", OTHER), state="done", taken_by="lea"))


@pytest.fixture
def sent(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sent")


def fill_as_before(sent: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, earlier_version(patch):
        fill(sent)


@pytest.fixture
def old(centre: Path, sent: Path, start_from: Callable[..., None]) -> Path:
    """A centre of that version, in which numbers stand wherever an id may."""
    start_from(fill_as_before, sent)
    return centre


def find_ids() -> set[str]:
    """Find the ids of contacts in all tables of the records."""
    found: set[str] = set()
    with store.reading() as session:
        for entry in data_map.find_records().values():
            for column, _datum in entry.find(ColumnContent.CONTACT):
                found.update(session.scalars(Unscoped(sa.select(column), "a test")))
    return found - {None}


def read(statement: Any) -> list[Any]:
    with store.reading() as session:
        return list(session.scalars(Unscoped(statement, "a test")))


def test_no_byte_of_taken_over_stores_holds_a_number_and_nothing_else_changes(
    old: Path, sent: Path, ask: Callable[..., Any]
) -> None:
    places = find_traces(old, NUMBER)
    assert {name.split("/")[0] for name in places} >= {"lake", "secrets"}
    assert find_ids() == {ID, OTHER, LOST}
    assert any("undo" in name and "-new" in name for name in places)
    assert any("undo" in name and "-changed" in name for name in places)
    figures = ask("kpi", *KPIS, *MONTH)

    assert run(["init"]) == 0
    assert run(["init"]) == 0, "a second time changes nothing"

    assert find_traces(old, NUMBER) == []
    key, other, lost = map(masking.key_number, (ID, OTHER, LOST))
    assert key.startswith("20261119-100000-n") and other.startswith("b-n")
    rows = find_contacts("wait_seconds", "ticket")
    assert sorted(rows) == [
        (key, 12.0, masking.key_number(f"T-{NUMBER}")), ("C3", 5.0, "T-3"), (other, 30.0, None)
    ]  # fmt: skip
    assert find_ids() == {key, other, lost}
    assert ask("kpi", *KPIS, *MONTH) == figures
    [keyed] = read(sa.select(Evaluation.external_key).where(Evaluation.score == 80))
    assert keyed == f"generic:{masking.key_number(f'E-{NUMBER}')}"
    verdicts = {verdict.rule.number: verdict for verdict in purge.judge_rules(SYSTEM)}
    assert verdicts["R16"].state == "in_order"
    assert (
        verdicts["R16"].finding.evidence
        == "All 10 contacts and entries hold pseudonyms, no numbers"
    )
    assert [found["contact_id"] for found in contacts.find_by_id(SYSTEM, ID)] == [key]

    assert contacts.read_contact(SYSTEM, "generic", ID)["evaluations"]
    assert find_traces(old, NUMBER) == []

    # The log names them by their ids of today; its seals hold, and a change still shows.
    with store.reading() as session:
        assert audit_log.verify(session).ok
    named = read(sa.select(JournalRow.object).where(JournalRow.action == "irritant_read"))
    assert named == [f"generic/{key}, generic/C3, generic/{other}"]

    # The same rows again, in other files, are known.
    assert bring(sent, "contacts", CALLS + "\n").tally.new == 0
    for text in (EVALUATIONS, WITHOUT_ID):
        assert bring(sent, "evaluations", text + "\n").tally.unchanged == 1
    bring(sent, "contacts", f"contact_id,started_at,outcome\n{LOST},2026-11-21 10:00,answered\n")
    assert find_contacts("csat", where="csat IS NOT NULL") == [(lost, 4.0)]
    purge.purge(SYSTEM)
    [certificate] = purge.find_certificates(SYSTEM)
    assert (certificate.is_genuine, certificate.kinds["contact_ids"].count) == (True, 2)
    assert find_traces(old, NUMBER) == []


def test_ids_of_every_table_are_taken_over(centre: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(every_column, "CONTACT", ID)
    with earlier_version(monkeypatch):
        fill_every_column("0" * 32)
    assert find_ids() == {ID}

    assert run(["init"]) == 0

    assert find_traces(centre, NUMBER) == []
    assert find_ids() == {masking.key_number(ID)}


def test_a_change_of_a_reworded_row_shows(old: Path) -> None:
    assert run(["init"]) == 0
    rows = read(sa.select(JournalRow.seq).where(JournalRow.action == "contact_read"))
    with store.engine_for(environment.current().database_url).begin() as connection:
        changed = sa.update(JournalRow.__table__).where(JournalRow.seq == rows[0])
        connection.execute(changed.values(object="generic/C3"))
    with store.reading() as session:
        assert audit_log.verify(session).first_bad == rows[0]


def test_imports_of_before_can_be_undone(old: Path, ask: Callable[..., Any]) -> None:
    assert run(["init"]) == 0
    key = masking.key_number(ID)
    batches = sorted(ask("batches", "list"), key=lambda item: item["started_at"])
    first, second, *others = (item["id"] for item in batches)

    for batch_id in (*others, second):
        assert run(["batches", "undo", batch_id]) == 0
    assert find_contacts("wait_seconds", where=f"contact_id = '{key}'") == [(key, 10.0)]
    assert run(["batches", "undo", first]) == 0
    assert find_contacts() == []


def test_a_call_back_that_was_made_stays_made(
    centre: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lead = Viewer("lea", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord"),))
    add_people({"a1": "Ann"}, {"Nord": "Lille"})
    missed = {"outcome": "abandoned", "queue": "Billing", "customer_key": "k1aa"}
    with earlier_version(monkeypatch):
        answered = contact("2026-05-06 09:00", queue="Billing", team="Nord", advisor_id="a1")
        land([answered, contact("2026-05-06 08:00", ID, **missed)])
        [due] = call_backs.find_due(lead)
        call_backs.settle(lead, due.caller.tries[0], "done")

    assert run(["init"]) == 0

    assert call_backs.find_due(lead) == ()


def test_one_of_two_contacts_stays_with_what_came_later(
    centre: Path, sent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = "2026-11-19 10:00"
    keyed, other = masking.key_number(ID), masking.key_number(OTHER)
    with earlier_version(monkeypatch):
        land([contact(moment, ID, queue="old"), contact(moment, other, queue="old")], "first")
        land([contact(moment, keyed, queue="new"), contact(moment, OTHER, queue="new")], "second")

    assert run(["init"]) == 0

    assert sorted(find_contacts("queue")) == [(keyed, "new"), (other, "new")]
    assert lake.span() is not None


@pytest.mark.sqlite("backup refuses records in PostgreSQL")
def test_a_backup_of_before_is_taken_over_when_it_is_restored(
    old: Path, tmp_path_factory: pytest.TempPathFactory, ask: Callable[..., Any]
) -> None:
    file = tmp_path_factory.mktemp("backups") / "old.bak"
    backup.back_up(SYSTEM, file)
    of_before = (old / "secrets" / "replay.json").read_bytes()
    assert run(["init"]) == 0
    keyed = masking.key_number(OTHER)
    assert any(keyed in entry.key for entry in replay_list.find().entries)
    store.engine_for(environment.current().database_url).dispose()
    for path in old.iterdir():
        if path.name != "secrets":
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    (old / "secrets" / "replay.json").write_bytes(of_before)

    restore.restore(SYSTEM, file)

    assert find_traces(old, NUMBER) == []
    assert find_contacts(where="customer_objected") == [(keyed,)]
    assert any(keyed in entry.key for entry in replay_list.find().entries)


def upgrade_elsewhere(home: Path, write: int) -> subprocess.CompletedProcess[str]:
    """Upgrade in another process, killed at that write (0: never)."""
    return subprocess.run(
        [*forked_python(), "-m", "tests.builders.killed_act", "upgrade", str(write), str(home)],
        cwd=environment.PROJECT,
        env={**os.environ, "QA_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def import_elsewhere(home: Path, file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*forked_python(), "-m", "qa_core", "import", "contacts", str(file)],
        cwd=environment.PROJECT,
        env={**os.environ, "QA_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )


def check_killed_takeovers(
    old: Path, sent: Path, homes: Path, monkeypatch: pytest.MonkeyPatch, moments: int
) -> None:
    """Kill upgrades at so many of their writes: no door opens before one is done."""
    again = sent / "again.csv"
    again.write_text(CALLS, encoding="utf-8")
    shutil.copytree(old, homes / "whole")
    writes = int(upgrade_elsewhere(homes / "whole", 0).stdout.split()[-1])
    assert writes > 20
    for moment in sorted(
        {1 + (2 * place + 1) * writes // (2 * moments) for place in range(moments)}
    ):
        home = homes / str(moment)
        shutil.copytree(old, home)
        assert upgrade_elsewhere(home, moment).returncode == -9
        monkeypatch.setenv("QA_HOME", str(home))
        if store._find_revision() == "0031":
            refused = import_elsewhere(home, again)
            assert refused.returncode == 1 and "qa_core init" in refused.stderr, moment

        assert run(["init"]) == 0

        assert find_traces(home, NUMBER) == [], moment
        assert len(find_contacts()) == 3 and len(find_ids()) == 3, moment
        called = build_key("generic", masking.key_number(OTHER))
        assert read(sa.select(CallBack.key)) == [called], moment
        purge.purge(SYSTEM)
        certified = [item.kinds.get("contact_ids") for item in purge.find_certificates(SYSTEM)]
        assert [due.count for due in certified if due] == [2], moment
        with store.reading() as session:
            assert audit_log.verify(session).ok, moment
        store.engine_for(environment.current().database_url).dispose()
        shutil.rmtree(home)


@pytest.mark.sqlite("stores are copied as files")
def test_a_killed_takeover_is_finished_by_the_next_start(
    old: Path, sent: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_killed_takeovers(old, sent, tmp_path_factory.mktemp("homes"), monkeypatch, 1)


@pytest.mark.long
@pytest.mark.sqlite("stores are copied as files")
def test_a_takeover_killed_at_any_of_sixty_writes_is_finished_by_the_next_start(
    old: Path, sent: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_killed_takeovers(old, sent, tmp_path_factory.mktemp("homes"), monkeypatch, 60)
