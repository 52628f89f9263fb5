"""Databases and folders as sources: SQLite, PostgreSQL, MariaDB where there is one; the shipped
statements over tables with the published columns.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path

import builders.mariadb
import builders.postgresql
import pytest
import sqlalchemy as sa
from builders.fakes.sql import SELECT, make_table
from builders.import_files import find_contacts, run_confirmed
from builders.long_seeds import count_seeds

from qa_core.access.roles import Viewer
from qa_core.base.environment import PROJECT
from qa_core.files.options import ImportOptions
from qa_core.ingest.load import layouts
from qa_core.sources import ledger, pull, register
from qa_core.sources.ledger import WindowEntry

SYSTEM = Viewer.SYSTEM
DAY = date(2026, 5, 11)
STATEMENTS = PROJECT / "qa_core" / "sources" / "statements"
TABLES = {
    "freepbx": (
        "CREATE TABLE cdr (calldate timestamp, clid text, src text, dst text, dcontext text, "
        "channel text, dstchannel text, lastapp text, lastdata text, duration int, billsec int, "
        "disposition text, accountcode text, uniqueid text, userfield text, did text, "
        "recordingfile text, cnum text, linkedid text)"
    ),
    "queuemetrics": (
        "CREATE TABLE queue_log (time_id int, call_id text, queue text, agent text, verb text, "
        "data1 text, data2 text, data3 text, data4 text, data5 text, unique_row_count int)"
    ),
    "vicidial": (
        "CREATE TABLE vicidial_closer_log (closecallid int, call_date timestamp, campaign_id text, "
        "\"user\" text, phone_code text, phone_number text, term_reason text, queue_seconds int, "
        "length_in_sec int)"
    ),
    "3cx": (
        "CREATE TABLE cdroutput (cdr_id text, call_history_id text, source_entity_type text, "
        "source_dn_name text, source_participant_phone_number text, destination_dn_type text, "
        "destination_dn_name text, cdr_started_at timestamptz, cdr_answered_at timestamptz, "
        "cdr_ended_at timestamptz)"
    ),
}  # fmt: skip
MARIADB_TABLES = {
    "freepbx": (
        "CREATE TABLE cdr (calldate datetime NOT NULL, clid varchar(80) NOT NULL DEFAULT '', "
        "src varchar(80) NOT NULL DEFAULT '', dst varchar(80) NOT NULL DEFAULT '', "
        "dcontext varchar(80) NOT NULL DEFAULT '', channel varchar(80) NOT NULL DEFAULT '', "
        "dstchannel varchar(80) NOT NULL DEFAULT '', lastapp varchar(80) NOT NULL DEFAULT '', "
        "lastdata varchar(80) NOT NULL DEFAULT '', duration int NOT NULL DEFAULT 0, "
        "billsec int NOT NULL DEFAULT 0, disposition varchar(45) NOT NULL DEFAULT '', "
        "accountcode varchar(20) NOT NULL DEFAULT '', uniqueid varchar(32) NOT NULL DEFAULT '', "
        "userfield varchar(255) NOT NULL DEFAULT '', did varchar(50) NOT NULL DEFAULT '', "
        "recordingfile varchar(255) NOT NULL DEFAULT '', cnum varchar(80) NOT NULL DEFAULT '', "
        "linkedid varchar(32) NOT NULL DEFAULT '', INDEX (calldate), INDEX (uniqueid))"
    ),
    "queuemetrics": (
        "CREATE TABLE queue_log (time_id int unsigned NOT NULL, call_id varchar(200) NOT NULL, "
        "queue varchar(200) NOT NULL, agent varchar(200) NOT NULL, verb varchar(30) NOT NULL, "
        "data1 varchar(200) NOT NULL, data2 varchar(200) NOT NULL, data3 varchar(200) NOT NULL, "
        "data4 varchar(200) NOT NULL, data5 varchar(200) NOT NULL, "
        "unique_row_count int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, "
        "INDEX (time_id), INDEX (call_id)) ENGINE = MyISAM"
    ),
    "vicidial": (
        "CREATE TABLE vicidial_closer_log (closecallid int(9) unsigned NOT NULL AUTO_INCREMENT "
        "PRIMARY KEY, call_date datetime, campaign_id varchar(20), `user` varchar(20), "
        "phone_code varchar(10), phone_number varchar(18), term_reason enum('CALLER', 'AGENT', "
        "'QUEUETIMEOUT', 'ABANDON', 'AFTERHOURS', 'HOLDRECALLXFER', 'HOLDTIME', 'NOAGENT', "
        "'NONE', 'MAXCALLS') DEFAULT 'NONE', queue_seconds decimal(7,2) DEFAULT 0, "
        "length_in_sec int(10), INDEX (call_date)) ENGINE = MyISAM"
    ),
}
LEG = ("SIP/trunk-00000001", "SIP/201-00000002", "Dial", "SIP/201", "ANSWERED")
EPOCH = int(datetime.fromisoformat("2026-05-11T09:00:00+02:00").timestamp())
CALLS = ("1778482800.1", "1778486400.3", "1778572800.5")
ROWS = {
    "freepbx": [
        ("2026-05-11 09:00:00", '"x" <0612345601>', "0612345601", "201", "from-trunk", *LEG[:4], 70,
         60, LEG[4], "", "1778482800.1", "", "0170000001", "a.wav", "0612345601", "1778482800.1"),
        ("2026-05-11 10:00:00", '"x" <0612345602>', "0612345602", "201", "from-trunk", *LEG[:4], 20,
         0, "NO ANSWER", "", "1778486400.3", "", "0170000001", "", "0612345602", "1778486400.3"),
        ("2026-05-12 10:00:00", '"x" <0612345603>', "0612345603", "201", "from-trunk", *LEG[:4], 20,
         0, "NO ANSWER", "", "1778572800.5", "", "0170000001", "", "0612345603", "1778572800.5"),
    ],
    "queuemetrics": [
        (EPOCH, CALLS[0], "support", "NONE", "ENTERQUEUE", "", "0612345601", "1", "", "", 1),
        (EPOCH + 10, CALLS[0], "support", "SIP/201", "CONNECT", "10", "x", "3", "", "", 2),
        (EPOCH + 70, CALLS[0], "support", "SIP/201", "COMPLETECALLER", "10", "60", "1", "", "", 3),
        (EPOCH + 3600, CALLS[1], "support", "NONE", "ENTERQUEUE", "", "0612345602", "1", "", "", 4),
        (EPOCH + 3620, CALLS[1], "support", "NONE", "ABANDON", "1", "1", "20", "", "", 5),
        (EPOCH + 90000, CALLS[2], "support", "NONE", "ENTERQUEUE", "", "0612345603", "", "", "", 6),
    ],
    "vicidial": [
        (1, "2026-05-11 09:00:00", "support", "6001", "33", "612345601", "CALLER", 10, 70),
        (2, "2026-05-11 10:00:00", "support", "VDCL", "33", "612345602", "ABANDON", 20, 20),
        (3, "2026-05-12 10:00:00", "support", "6001", "33", "612345603", "AGENT", 5, 50),
    ],
    "3cx": [
        ("a", "c1", "external_line", "trunk", "+33612345601", "queue", "support",
         "2026-05-11 09:00:00+02", "2026-05-11 09:00:01+02", "2026-05-11 09:00:10+02"),
        ("b", "c1", "queue", "support", None, "extension", "Diane",
         "2026-05-11 09:00:02+02", "2026-05-11 09:00:10+02", "2026-05-11 09:01:10+02"),
        ("c", "c2", "external_line", "trunk", "+33612345602", "queue", "support",
         "2026-05-11 10:00:00+02", "2026-05-11 10:00:01+02", "2026-05-11 10:00:20+02"),
        ("d", "c3", "external_line", "trunk", "+33612345603", "queue", "support",
         "2026-05-12 10:00:00+02", None, "2026-05-12 10:00:20+02"),
    ],
}  # fmt: skip
OUTCOMES = {"freepbx": "unanswered"}


@pytest.fixture
def here(set_clock: Callable[[str], None]) -> None:
    set_clock("2026-05-12T12:00")


def add(name: str, address: str, statement: str, kind: str = "contacts") -> None:
    register.add(SYSTEM, name, "sql", kind, address, statement, DAY)


def read(name: str, day: date = DAY) -> WindowEntry:
    [(_entry, window)] = pull.pull(SYSTEM, (name,), day, day, wait=lambda _seconds: None)
    return window


def confirm_waiting() -> None:
    """Confirm what waits, as a person does."""
    for row in layouts.find_waiting(SYSTEM):
        path, *options = row.waiting.split(" --")
        given = dict(option.split(" ", 1) for option in options)
        [report] = run_confirmed(SYSTEM, row.kind, [path], ImportOptions(**given))
        assert not report.is_refused, report.as_text()


def test_rows_of_a_database_come_by_the_clock_of_the_centre(here: None, tmp_path: Path) -> None:
    rows = [
        ("A", "2026-05-11 00:00:00", "answered", 60),
        ("B", "2026-05-11 23:59:59", "abandoned", None),
        ("C", "2026-05-12 00:00:00", "answered", 70),
    ]
    add("pbx", make_table(tmp_path / "pbx.db", rows), SELECT)

    window = read("pbx")

    assert (window.state, window.fetched, window.expected, window.gap) == ("complete", 2, 2, 0)
    assert find_contacts("source_system", "outcome", "talk_seconds") == [
        ("A", "pbx", "answered", 60.0),
        ("B", "pbx", "abandoned", None),
    ]
    rows[0] = ("A", "2026-05-11 00:00:00", "answered", 61)
    make_table(tmp_path / "pbx.db", rows)
    assert read("pbx").counts["updated"] == 1


def test_columns_may_be_called_like_tables_of_ours(here: None, tmp_path: Path) -> None:
    address = make_table(tmp_path / "pbx.db", [("A", "2026-05-11 09:00:00", "answered", 60)])
    statement = SELECT.replace("FROM calls", "FROM (SELECT *, id AS advisor, 1 AS team FROM calls)")
    add("pbx", address, statement.replace("outcome, talk", "outcome, advisor, talk"))

    assert (read("pbx").state, read("pbx").cause) == ("complete", None)
    assert find_contacts("advisor_id IS NOT NULL") == [("A", True)]


def test_a_database_that_fails_names_the_day_and_writes_nothing(here: None, tmp_path: Path) -> None:
    address = make_table(tmp_path / "pbx.db", [("A", "2026-05-11 09:00:00", "answered", 60)])
    add("pbx", address, SELECT.replace("outcome", "outcome_v2"))
    assert (read("pbx").state, read("pbx").cause) == ("failed", "changed")
    (tmp_path / "pbx.db").unlink()
    assert (read("pbx").state, read("pbx").cause) == ("failed", "unreachable")
    assert find_contacts() == []
    register.add(
        SYSTEM, "far", "sql", "contacts", "postgresql+psycopg://u@192.0.2.1/x", SELECT, DAY
    )
    assert (read("far").state, read("far").cause) == ("failed", "not_allowed")


def test_surveys_come_by_the_same_door(here: None, tmp_path: Path) -> None:
    address = make_table(tmp_path / "pbx.db", [("A", "2026-05-11 09:00:00", "answered", 60)])
    add("pbx", address, SELECT)
    answers = (
        "SELECT id AS contact_id, begun AS answered_at, 4 AS csat, 9 AS nps FROM calls "
        "WHERE begun >= :since AND begun < :until"
    )
    add("answers", address, answers, "surveys")
    read("pbx")
    if read("answers").state == "waiting":
        confirm_waiting()
    assert read("answers").state == "complete"
    assert find_contacts("nps") == [("A", 9)]


def test_a_statement_cannot_write(here: None, tmp_path: Path) -> None:
    address = make_table(tmp_path / "pbx.db", [("A", "2026-05-11 09:00:00", "answered", 60)])
    engine = sa.create_engine(address)
    add("pbx", address, SELECT)
    window = read("pbx")
    assert window.state == "complete"
    path = tmp_path / "pbx.db"
    before = path.read_bytes()
    read("pbx")
    assert path.read_bytes() == before
    engine.dispose()


def fill_table(engine: sa.Engine, name: str, tables: Mapping[str, str] = TABLES) -> None:
    places = ", ".join(f":p{n}" for n in range(len(ROWS[name][0])))
    table = tables[name].split()[2]
    with engine.begin() as connection:
        connection.exec_driver_sql(tables[name])
        for row in ROWS[name]:
            values = {f"p{n}": value for n, value in enumerate(row)}
            connection.execute(sa.text(f"INSERT INTO {table} VALUES ({places})"), values)


def read_statement(name: str, address: str) -> None:
    """Pull a shipped statement, confirm once, and compare what came."""
    add(name, address, (STATEMENTS / f"{name}.sql").read_text())
    if read(name).state == "waiting":
        confirm_waiting()
    window = read(name)
    assert window.state == "complete", window
    assert window.fetched == window.expected == {"queuemetrics": 5}.get(name, 2)
    rows = find_contacts(
        "outcome", "talk_seconds", "local_start", "queue", "advisor_id IS NOT NULL"
    )
    queue = None if name == "freepbx" else "support"
    assert [row[1:] for row in sorted(rows, key=lambda row: row[3])] == [
        ("answered", 60.0, datetime(2026, 5, 11, 9), queue, True),
        (OUTCOMES.get(name, "abandoned"), None, datetime(2026, 5, 11, 10), queue, False),
    ]


@pytest.mark.parametrize("name", ["freepbx", "queuemetrics", "vicidial"])
def test_the_shipped_statements_read_the_published_tables(
    name: str, here: None, tmp_path: Path
) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'x.db'}")
    fill_table(engine, name)
    engine.dispose()

    read_statement(name, f"sqlite:///{tmp_path / 'x.db'}")


needs_postgresql = pytest.mark.skipif(
    bool(builders.postgresql.explain_absence()), reason=str(builders.postgresql.explain_absence())
)


@pytest.fixture
def postgresql(here: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An empty database, at a socket that is allowed."""
    server = builders.postgresql.running()
    monkeypatch.setenv("QA_OUTSIDE_HOSTS", str(server.folder).casefold())
    server.run("CREATE DATABASE pbx")
    try:
        yield f"postgresql+psycopg://postgres@/pbx?host={server.folder}"
    finally:
        server.run("DROP DATABASE pbx WITH (FORCE)")


@needs_postgresql
def test_3cx_is_read_from_postgresql(postgresql: str) -> None:
    engine = sa.create_engine(postgresql, poolclass=sa.NullPool)
    fill_table(engine, "3cx")

    read_statement("3cx", postgresql)


@needs_postgresql
def test_count_and_rows_are_of_one_moment_and_nothing_can_be_written(postgresql: str) -> None:
    engine = sa.create_engine(postgresql, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE calls (id text, begun timestamp, outcome text, talk int)"
        )
        connection.exec_driver_sql(
            "INSERT INTO calls VALUES ('A', '2026-05-11 09:00', 'answered', 6)"
        )
        connection.exec_driver_sql(
            "CREATE FUNCTION slip() RETURNS int LANGUAGE sql AS "
            "$$ INSERT INTO calls VALUES ('Z', '2026-05-11 10:00', 'answered', 1); SELECT 1 $$"
        )
    add("pbx", postgresql, SELECT)
    assert read("pbx").state == "complete"
    add("sly", postgresql, SELECT.replace("talk AS", "talk + slip() AS"))
    assert read("sly").state == "failed"
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM calls").scalar_one() == 1


needs_mariadb = pytest.mark.skipif(
    bool(builders.mariadb.explain_absence()), reason=str(builders.mariadb.explain_absence())
)


@pytest.fixture
def mariadb(here: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, sa.Engine]]:
    """An empty database: the address of an account that may only SELECT, at a socket that is
    allowed, and the engine of its owner.
    """
    socket = builders.mariadb.running()
    monkeypatch.setenv("QA_OUTSIDE_HOSTS", str(socket).casefold())
    address = f"mysql+pymysql://%s@localhost/pbx?unix_socket={socket}"
    owner = sa.create_engine(address % "root", poolclass=sa.NullPool)
    builders.mariadb.run(
        socket,
        "CREATE DATABASE pbx CHARACTER SET utf8mb4",
        "CREATE USER IF NOT EXISTS reader@localhost",
        "GRANT SELECT ON pbx.* TO reader@localhost",
    )
    try:
        yield address % "reader", owner
    finally:
        builders.mariadb.run(socket, "DROP DATABASE pbx")


@needs_mariadb
@pytest.mark.parametrize("name", ["freepbx", "queuemetrics", "vicidial"])
def test_the_shipped_statements_run_on_mariadb(name: str, mariadb: tuple[str, sa.Engine]) -> None:
    address, owner = mariadb
    fill_table(owner, name, MARIADB_TABLES)

    read_statement(name, address)


@needs_mariadb
def test_rows_and_their_number_are_of_one_moment_on_mariadb_and_nothing_can_be_written(
    mariadb: tuple[str, sa.Engine],
) -> None:
    address, owner = mariadb
    with owner.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE calls (id varchar(9), begun datetime, outcome varchar(9), talk int)"
        )
        connection.exec_driver_sql(
            "INSERT INTO calls VALUES ('A', '2026-05-11 09:00', 'answered', 6)"
        )
        connection.exec_driver_sql(
            "CREATE FUNCTION slip() RETURNS int MODIFIES SQL DATA BEGIN "
            "INSERT INTO calls VALUES ('Z', '2026-05-11 10:00', 'answered', 1); RETURN 1; END"
        )
    add("pbx", address, SELECT)
    assert (read("pbx").state, read("pbx").fetched) == ("complete", 1)
    as_owner = str(owner.url)
    add("sly", as_owner, SELECT.replace("talk AS", "talk + slip() AS"))
    assert read("sly").state == "failed"
    with owner.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM calls").scalar_one() == 1


def write_old(path: Path, text: str, at: datetime) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at.timestamp(), at.timestamp()))


HEAD = "contact_id,started_at,direction,channel,outcome\n"


def test_a_folder_is_read_by_the_days_of_its_files_and_a_refused_file_is_a_gap(
    here: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("drop")
    noon = datetime.fromisoformat("2026-05-11T12:00:00+02:00")
    write_old(folder / "a.csv", HEAD + "A,2026-05-11T09:00:00+02:00,inbound,phone,answered\n", noon)
    write_old(
        folder / "sub/b.csv", HEAD + "B,2026-05-11T10:00:00+02:00,inbound,phone,answered\n", noon
    )
    write_old(folder / "c.part", "unfinished", noon)
    write_old(
        folder / "d.csv",
        HEAD + "D,2026-05-12T09:00:00+02:00,inbound,phone,answered\n",
        noon + timedelta(days=1),
    )
    register.add(SYSTEM, "drop", "folder", "contacts", str(folder), None, DAY)

    window = read("drop")
    assert (window.state, window.fetched, window.expected) == ("complete", 2, 2)
    assert [name for (name,) in find_contacts()] == ["A", "B"]

    write_old(folder / "e.csv", "%PDF-1.4 no table", noon)
    window = read("drop")
    assert (window.state, window.fetched, window.expected, window.gap) == ("failed", 2, 3, 1)
    said = ledger.describe(window)  # a sentence, not a code
    assert said.startswith("failed · e.csv ") and window.cause not in said
    (folder / "e.csv").unlink()
    assert read("drop").state == "complete"
    shutil.rmtree(folder)
    assert (read("drop").state, read("drop").cause) == ("failed", "unreachable")


def run_database_seed(folder: Path, seed: int) -> None:
    """Write, change and break a database between readings; the last reading is the truth."""
    draw = random.Random(seed)
    begin = datetime(2026, 3, 29) if seed % 2 else datetime(2026, 5, 11)
    rows: dict[str, tuple] = {}
    add(f"pbx{seed}", make_table(folder / f"{seed}.db", []), SELECT)
    for _round in range(2):
        for _call in range(draw.randrange(1, 6)):
            name = f"{seed}-{draw.randrange(30)}"
            at = begin + timedelta(seconds=draw.choice((0, 86399, draw.randrange(86400))))
            if name in rows:
                at = datetime.fromisoformat(rows[name][1])
            outcome = draw.choice(("answered", "abandoned"))
            rows[name] = (
                name,
                f"{at}",
                outcome,
                draw.randrange(60) if outcome == "answered" else None,
            )
        make_table(folder / f"{seed}.db", list(rows.values()))
        if draw.random() < 0.3:
            (folder / f"{seed}.db").rename(folder / "away.db")
            assert read(f"pbx{seed}", begin.date()).state == "failed"
            (folder / "away.db").rename(folder / f"{seed}.db")
        window = read(f"pbx{seed}", begin.date())
        assert (window.state, window.fetched) == ("complete", len(rows))
    found = find_contacts("outcome", "talk_seconds", where=f"source_system = 'pbx{seed}'")
    assert found == sorted((name, row[2], row[3]) for name, row in rows.items())


def test_a_database_that_changes_between_readings_is_followed(here: None, tmp_path: Path) -> None:
    for seed in (0, 1):
        run_database_seed(tmp_path, seed)
    assert ledger.find_days("pbx0", DAY, DAY)[0].state == "complete"


@pytest.mark.long
def test_many_databases_are_followed(here: None, tmp_path: Path) -> None:
    for seed in range(count_seeds(100)):
        run_database_seed(tmp_path, seed)
