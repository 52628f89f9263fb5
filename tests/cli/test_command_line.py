"""The command line as people script against it: exit codes, one JSON document, one
clear line, and the same numbers everywhere.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.long_seeds import leave_to_long
from builders.special_files import find_command_without_rights
from tools import documents

from qa_core.access.roles import Viewer
from qa_core.base.environment import PROJECT, SECRETS, current, to_local
from qa_core.cli.app import run
from qa_core.ingest.load import batches
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.ui import asgi

CALLS = """contact_id,advisor,date,time,reason,answered,declared_resolved,\
wait_seconds,talk_seconds,csat
ID0001,Diane,2026-01-27,9:12:58,Contract,yes,yes,10,120,5
ID0002,Becky,2026-01-27,9:30:00,Technical,yes,no,30,240,2
ID0003,Stewart,2026-01-27,10:01:00,Contract,no,no,,,
ID0004,Diane,2026-01-28,11:00:00,Payment,yes,yes,20,180,4
"""


@pytest.fixture
def calls(centre: Path, tmp_path: Path) -> Path:
    file = tmp_path / "calls.csv"
    file.write_text(CALLS, encoding="utf-8")
    return file


def ask(capsys, *arguments: str) -> tuple[int, object]:
    """Run a command with --json and return its exit code and its one document."""
    capsys.readouterr()
    code = run([*arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_second_engine_is_checked_by_its_address(centre, capsys, monkeypatch):
    assert ask(capsys, "engine", "check") == (0, {"ok": True, "engine": "duckdb://"})
    for url, code in (("oracle://", "unknown_engine"), ("sc://host", "nothing_to_compare")):
        exit_code, answer = ask(capsys, "engine", "check", url)
        assert (exit_code, answer["error"]["code"]) == (1, code)
    monkeypatch.setenv("QA_ENGINE_URL", "oracle://")
    exit_code, answer = ask(capsys, "kpi", "received")
    assert (exit_code, answer["error"]["code"]) == (1, "unknown_engine")


def test_an_import_accounts_for_every_row_and_the_numbers_follow(calls, capsys):
    code, [report] = ask(capsys, "import", "contacts", str(calls))
    assert code == 0
    assert report["read"] == 4 == report["new"]
    assert report["quarantine"] is None
    assert report["mapping"]["contact_id"] == "contact_id"

    code, answer = ask(
        capsys,
        "kpi",
        "received",
        "answered",
        "answer_rate",
        "average_speed_of_answer",
        "first_contact_resolution_declared",
        "csat",
    )
    assert code == 0
    values = {row["kpi"]: row for row in answer["rows"]}
    assert values["received"]["value"] == 4
    assert values["answer_rate"]["value"] == 0.75
    assert values["average_speed_of_answer"]["value"] == 20
    assert (
        values["first_contact_resolution_declared"]["numerator"],
        values["first_contact_resolution_declared"]["denominator"],
    ) == (2, 3)
    assert (values["csat"]["numerator"], values["csat"]["n"]) == (2, 3)
    assert all(
        row["status"] == "small_sample" or row["kpi"] in ("received", "answered")
        for row in answer["rows"]
    )
    assert answer["data_through"].startswith("2026-01-28T11:00:00")


def test_the_same_file_again_changes_nothing(calls, capsys):
    ask(capsys, "import", "contacts", str(calls))
    code, [report] = ask(capsys, "import", "contacts", str(calls))
    assert code == 0
    assert (report["read"], report["new"], report["unchanged"]) == (4, 0, 4)


def test_the_list_of_imports_shows_the_newest_and_says_how_many_there_are(calls, capsys):
    second = calls.with_name("more.csv")
    second.write_text(
        CALLS.replace("ID000", "M").replace("2026-01-28", "2026-02-31"), encoding="utf-8"
    )
    run(["import", "contacts", str(calls)])
    run(["import", "contacts", str(second)])

    capsys.readouterr()
    assert run(["batches", "list", "--last", "1"]) == 0
    shown = capsys.readouterr().out
    assert "more.csv" in shown and "calls.csv" not in shown
    assert "1 of 2. For all, run: batches list --last 0" in shown
    assert len(ask(capsys, "batches", "list", "--last", "1")[1]) == 2

    troubled = batches.BatchFilter(has_problems=True)
    assert [row["file"] for row in batches.find_batches(Viewer.SYSTEM, troubled)] == ["more.csv"]
    assert batches.count_batches(Viewer.SYSTEM, batches.BatchFilter(kind="surveys")) == 0
    today = to_local(batches.find_batches(Viewer.SYSTEM)[0]["started_at"]).date()
    assert batches.count_batches(Viewer.SYSTEM, batches.BatchFilter(day=today)) == 2
    assert (
        batches.count_batches(Viewer.SYSTEM, batches.BatchFilter(day=today - timedelta(days=1)))
        == 0
    )


def test_a_refused_file_does_not_stop_the_next_one(calls, tmp_path, capsys):
    bad = tmp_path / "broken.csv"
    bad.write_text("Agent,Date and time\nDiane,12:38.9\nBecky,14:02.1\n", encoding="utf-8")
    code, reports = ask(capsys, "import", "contacts", str(bad), str(calls))
    assert code == 1
    assert reports[0]["error"]["code"] and reports[0]["error"]["message"]
    assert reports[1]["new"] == 4


def test_where_no_store_exists_each_file_is_refused_in_the_array(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("QA_HOME", str(tmp_path / "nowhere"))
    files = [tmp_path / name for name in ("one.csv", "two.csv")]
    for file in files:
        file.write_text(CALLS, encoding="utf-8")
    code, reports = ask(capsys, "import", "contacts", *map(str, files))
    assert code == 1
    assert [(report["file"], report["error"]["code"]) for report in reports] == [
        (str(file), "no_records") for file in files
    ]
    assert reports[0]["error"]["options"] == ["python -m qa_core init"]
    assert not (tmp_path / "nowhere").exists()


def test_a_folder_of_somebody_else_is_named_in_one_clear_line(centre, tmp_path_factory):
    folder = tmp_path_factory.mktemp("closed")
    folder.chmod(0)
    command = [sys.executable, "-m", "qa_core", "import", "contacts", str(folder / "calls.csv")]
    done = subprocess.run(
        [*find_command_without_rights(), *command], capture_output=True, text=True, cwd=PROJECT
    )
    told = f"{folder / 'calls.csv'} cannot be opened: Permission denied.\n"
    assert (done.returncode, done.stderr) == (1, told)


def test_a_dry_run_writes_nothing_at_all(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("QA_HOME", str(tmp_path / "nowhere"))
    file = tmp_path / "calls.csv"
    file.write_text(CALLS, encoding="utf-8")
    code, [report] = ask(capsys, "import", "contacts", str(file), "--dry-run")
    assert (code, report["new"]) == (0, 4)
    assert not (tmp_path / "nowhere").exists()


def test_groups_are_sorted_and_missing_is_null(calls, capsys):
    ask(capsys, "import", "contacts", str(calls))
    _, answer = ask(capsys, "kpi", "received", "--by", "day", "--by", "reason")
    assert [(row["by"]["day"], row["by"]["reason"], row["value"]) for row in answer["rows"]] == [
        ("2026-01-27", "Contract", 2),
        ("2026-01-27", "Technical", 1),
        ("2026-01-28", "Payment", 1),
    ]
    _, answer = ask(capsys, "kpi", "received", "--by", "queue")
    assert [(row["by"]["queue"], row["value"]) for row in answer["rows"]] == [(None, 4)]


def test_an_empty_store_has_no_data_and_not_zero(centre, capsys):
    code, answer = ask(capsys, "kpi", "received", "answer_rate")
    assert code == 0
    assert [(row["value"], row["status"]) for row in answer["rows"]] == [
        (None, "no_data"),
        (None, "no_data"),
    ]
    assert answer["data_through"] is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("fly",),
        ("kpi", "happiness"),
        ("kpi", "received", "--by", "moon"),
        ("kpi", "received", "--set", "gravity=9"),
        ("kpi", "received", "--from", "2026-13-01"),
        ("kpi", "received", "--from", "27/01/2026"),
        ("kpi", "received", "--from", "2026-02-01", "--to", "2026-01-01"),
        ("kpi", "received", "--where", "moon=full"),
        ("import", "horoscopes", "x.csv"),
        ("import", "contacts", "x.csv", "--date-order", "ydm"),
        ("import", "recordings", "x.csv", "--purpose", "fun"),
        ("import", "contacts", "x.csv", "--encoding", "morse"),
        ("settings", "set", "gravity=9"),
        ("settings", "set", "first_contact_days=400"),
        ("people", "add", "zoe", "--role", "queen"),
    ],
)
def test_wrong_usage_exits_with_two_and_one_clear_line(centre, capsys, arguments):
    assert run(list(arguments)) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err and printed.err.strip()
    code, document = ask(capsys, *arguments)
    assert code == 2 and document["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("kpi", "recieved"), "Did you mean received?"),
        (("kpi", "received", "--by", "chanel"), "Did you mean channel?"),
        (("kpi", "received", "--where", "Queu=Billing"), "Did you mean queue?"),
        (("kpi", "received", "--set", "servce_level_seconds=20"), "service_level_seconds?"),
        (("import", "contcts", "x.csv"), "Did you mean contacts?"),
        (("people", "add", "zoe", "--role", "manger"), "Did you mean manager?"),
        (("kpi", "happiness"), "sales_after_refusal."),
    ],
)
def test_a_misspelt_name_is_answered_with_the_one_that_it_resembles(
    centre: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], hint: str
) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr().err.strip().endswith(hint)


def test_every_command_with_json_answers_a_wrong_option_with_one_document(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with_json = [
        words
        for words, command in documents.find_commands()
        if any("--json" in item.opts for item in command.params)
    ]
    assert {"kpi", "import", "people list", "subject erase", "doctor"} <= set(with_json)
    for words in with_json:
        code, document = ask(capsys, *words.split(), "--no-such-option")
        assert (code, document["error"]["code"]) == (2, "usage"), words


HEAVY = ["pandas", "pyarrow", "duckdb", "scipy", "deltalake", "plotly", "phonenumbers", "streamlit"]


SMALL = [
    ("--help", [*HEAVY, "sqlalchemy"]),
    ("import --help", [*HEAVY, "sqlalchemy"]),
    ("kpis", HEAVY),
    ("people list", HEAVY),
    ("settings list", HEAVY),
    ("token list", HEAVY),
    ("journal verify", HEAVY),
]


@pytest.mark.parametrize(
    ("arguments", "unneeded"), leave_to_long(SMALL, but=[SMALL[1], SMALL[2], SMALL[6]])
)
def test_a_small_command_imports_no_library_that_it_does_not_use(
    centre: Path, arguments: str, unneeded: list[str]
) -> None:
    script = (
        "import sys; from qa_core.cli.app import run; code = run(sys.argv[1:]); "
        "print(code, *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments.split()],
        capture_output=True,
        text=True,
        cwd=PROJECT,
    )
    code, *imported = done.stderr.splitlines()[-1].split()
    assert code == "0" and not set(unneeded) & set(imported)


def test_who_may_not_read_is_refused_and_who_has_no_open_account_is_unknown(calls, capsys):
    """The operator who names them lists all accounts: it betrays nothing."""
    ask(capsys, "import", "contacts", str(calls))
    assert run(["people", "add", "ada", "--role", "admin"]) == 0
    refused = ask(capsys, "kpi", "received", "--as", "ada")
    unknown = ask(capsys, "kpi", "received", "--as", "nobody")
    assert (refused[0], refused[1]["error"]["code"]) == (1, "access_denied")
    assert (unknown[0], unknown[1]["error"]["code"]) == (1, "unknown_account")
    assert run(["people", "disable", "ada"]) == 1  # the only administrator
    assert run(["people", "add", "mona", "--role", "manager"]) == 0
    assert run(["people", "disable", "mona"]) == 0
    closed = ask(capsys, "kpi", "received", "--as", "mona")
    assert (closed[0], closed[1]["error"]["code"]) == (1, "unknown_account")


def test_a_manager_of_a_site_sees_contacts_of_no_team_where_it_is_said(calls, capsys):
    ask(capsys, "import", "contacts", str(calls))
    assert run(["people", "add", "moe", "--role", "manager"]) == 0
    assert "sees nothing" not in capsys.readouterr().out
    assert ask(capsys, "kpi", "received", "--as", "moe")[1]["rows"][0]["value"] == 4
    for name, more in (("mia", []), ("max", ["--unassigned"])):
        assert run(["people", "add", name, "--role", "manager", "--site", "Lyon", *more]) == 0
    _, accounts = ask(capsys, "people", "list")
    assert {row["username"]: row["sees_unassigned"] for row in accounts} == {
        "moe": True,
        "mia": False,
        "max": True,
    }
    capsys.readouterr()
    assert run(["people", "add", "mo", "--role", "manager"]) == 0
    assert "Without sites, a manager sees only what belongs to no site." in capsys.readouterr().out


def test_an_advisor_reads_their_own_rows_only(calls, capsys):
    ask(capsys, "import", "contacts", str(calls))
    assert run(["people", "add", "diane", "--role", "advisor", "--advisor", "Diane"]) == 0
    assert "Not known so far" not in capsys.readouterr().out
    _, answer = ask(capsys, "kpi", "received", "--as", "diane")
    assert answer["rows"][0]["value"] == 2
    code, _document = ask(capsys, "kpi", "received", "--by", "advisor", "--as", "diane")
    assert code == 1


def test_who_mistypes_an_advisor_a_team_or_a_site_is_told_what_was_added(calls, capsys):
    ask(capsys, "import", "contacts", str(calls))
    for role, bounds, added in (
        ("advisor", ["--advisor", "zz9"], "zz9"),
        ("team_lead", ["--team", "Nrod", "--team", "Est"], "Est, Nrod"),
        ("manager", ["--site", "Lyno"], "Lyno"),
    ):
        assert run(["people", "add", f"new.{role}", "--role", role, *bounds]) == 0
        assert f"Not known so far: {added}." in capsys.readouterr().out


def test_whose_figures_an_operator_reads_is_in_the_audit_log(calls, capsys):
    ask(capsys, "import", "contacts", str(calls))
    assert run(["people", "add", "diane", "--role", "advisor", "--advisor", "Diane"]) == 0
    for cut in ([], ["--by", "advisor"], ["--where", "advisor=Diane"], ["--as", "diane"]):
        assert run(["kpi", "received", *cut]) == 0
    assert run(["deliveries", "preview", "diane"]) == 0
    with store.reading() as session:
        acts = ("acted_as", "kpis_of_people_asked")
        rows = sa.select(JournalRow).where(JournalRow.action.in_(acts)).order_by(JournalRow.seq)
        told = [(row.actor, row.action, row.object, row.reason) for row in session.scalars(rows)]
    assert told == [
        ("system", "kpis_of_people_asked", "received", "by advisor"),
        ("system", "kpis_of_people_asked", "received", "by advisor"),
        ("system", "acted_as", "diane", ""),
        ("system", "acted_as", "diane", ""),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "import contacts {none}",
        "plan add {none}",
        "people import {none}",
        "score {none} {none}",
        "grid import {none}",
        "watch {none}",
        pytest.param("backup {none}/x.bak", marks=pytest.mark.sqlite("backup refuses PostgreSQL")),
        "sources add lines --platform folder --url {none}",
        "sources add lines --platform sql --url sqlite:///x --statement {none}",
    ],
)
def test_a_file_that_is_missing_is_no_wrong_usage(
    centre, tmp_path_factory, monkeypatch, capsys, line
):
    none = tmp_path_factory.mktemp("elsewhere") / "none"
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert run(line.format(none=none).split()) == 1
    said = capsys.readouterr().err
    assert "none" in said and len(said.splitlines()) == 1


def test_a_backup_that_is_missing_is_named_before_any_key(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("QA_HOME", str(tmp_path / "home"))
    assert run(["restore", str(tmp_path / "none.bak")]) == 1
    assert f"{tmp_path / 'none.bak'} cannot be opened" in capsys.readouterr().err


def test_a_setting_holds_from_its_day_on(calls, capsys):
    ask(capsys, "import", "contacts", str(calls))
    _, before = ask(capsys, "kpi", "service_level", "--by", "day")
    assert [row["numerator"] for row in before["rows"]] == [1, 1]
    assert run(["settings", "set", "service_level_seconds=5", "--from", "2026-01-28"]) == 0
    _, after = ask(capsys, "kpi", "service_level", "--by", "day")
    assert [row["numerator"] for row in after["rows"]] == [1, 0]
    _, override = ask(
        capsys, "kpi", "service_level", "--by", "day", "--set", "service_level_seconds=60"
    )
    assert [row["numerator"] for row in override["rows"]] == [2, 1]


def test_settings_list_every_version_with_its_day_and_who_chose_it(centre, capsys):
    assert run(["settings", "set", "service_level_seconds=30", "--from", "2026-01-28"]) == 0
    _, rows = ask(capsys, "settings", "list")
    found = {
        row["name"]: [
            (version["from"], version["value"], version["set_by"]) for version in row["history"]
        ]
        for row in rows
    }
    assert found["service_level_seconds"] == [(None, 20, None), ("2026-01-28", 30.0, "system")]
    assert found["first_contact_days"] == [(None, 7, None)]
    assert run(["settings", "list"]) == 0
    assert "from 2026-01-28: 30.0 (system, " in capsys.readouterr().out


def test_targets_are_set_listed_and_removed(calls, capsys):
    ask(capsys, "import", "contacts", str(calls))
    assert run(["targets", "set", "answer_rate=85%", "--from", "2026-01-01"]) == 0
    assert run(["targets", "set", "average_handle_time=240"]) == 0
    assert run(["targets", "set", "answer_rate=0.9", "--team", "Nowhere"]) == 1
    assert run(["targets", "set", "answer_rate=0.9", "--team", "A", "--site", "B"]) == 2
    assert run(["targets", "set", "answer_rate=85"]) == 2
    assert run(["targets", "set", "happiness=1"]) == 2
    _, rows = ask(capsys, "targets", "list")
    assert rows == [
        {
            "id": 1,
            "kpi": "answer_rate",
            "value": 0.85,
            "dimension": None,
            "name": None,
            "from": "2026-01-01",
            "to": None,
        },
        {
            "id": 2,
            "kpi": "average_handle_time",
            "value": 240.0,
            "dimension": None,
            "name": None,
            "from": None,
            "to": None,
        },
    ]
    assert run(["targets", "remove", "1"]) == 0
    assert run(["targets", "remove", "1"]) == 1
    assert len(ask(capsys, "targets", "list")[1]) == 1


@pytest.mark.owner
def test_the_journal_notices_a_changed_row(calls, capsys):
    ask(capsys, "import", "contacts", str(calls))
    code, found = ask(capsys, "journal", "verify")
    assert (code, found["ok"], found["first_bad"]) == (0, True, None)
    assert found["rows"] >= 1
    with store.writing() as session:
        session.execute(sa.update(JournalRow).where(JournalRow.seq == 1).values(actor="another"))
    code, found = ask(capsys, "journal", "verify")
    assert (code, found["ok"], found["first_bad"]) == (1, False, 1)


def test_secrets_are_made_private_and_a_readable_one_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("QA_HOME", str(tmp_path / "centre"))
    assert run(["init", "--admin", "ada"]) == 0
    assert "One-time password" in capsys.readouterr().out
    for name in SECRETS:
        file = current().secrets_folder / name
        assert file.stat().st_mode & 0o777 == 0o600
        assert len(file.read_bytes()) == 32
    assert ask(capsys, "doctor")[1]["ok"] is True
    (current().secrets_folder / "journal").chmod(0o644)
    code, found = ask(capsys, "doctor")
    assert code == 1 and found["ok"] is False
    assert f"Try: chmod 600 {current().secrets_folder / 'journal'}" in json.dumps(found)


def test_a_refusal_names_the_command_that_resolves_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("QA_HOME", str(tmp_path / "centre"))
    assert run(["kpi", "received"]) == 1
    assert capsys.readouterr().err.endswith(" Try: python -m qa_core init\n")
    _, refused = ask(capsys, "kpi", "received")
    assert refused["error"]["options"] == ["python -m qa_core init"]


def test_the_glossary_declares_every_kpi(capsys):
    _, entries = ask(capsys, "kpis")
    assert {
        "received",
        "service_level",
        "first_contact_resolution",
        "csat",
        "evaluation_score",
        "cost_per_resolved",
    } <= {entry["key"] for entry in entries}
    assert all(
        set(entry)
        == {"key", "title", "meaning", "formula", "kind", "unit", "better", "needs", "dimensions"}
        for entry in entries
    )


GRID = 'title = "T"\n[[section]]\nname = "S"\n[[section.criterion]]\nkey = "a"\npoints = 2\n'


@pytest.mark.parametrize(
    ("grid", "answers", "code", "said"),
    [
        (GRID, '{"a": 1, "a": 2}', "bad_answers", "has a twice"),
        (GRID, '{"a": 1' + 5000 * "0" + "}", "bad_answers", "is not JSON"),
        (GRID, 100_000 * "[", "bad_answers", "is not JSON"),
        (GRID.replace("2", "1" + 400 * "0"), '{"a": 1}', "bad_grid", "a.points must be a number"),
        (GRID.replace("2", "1" + 5000 * "0"), '{"a": 1}', "bad_grid", "is not TOML"),
        (GRID, '{"a": 1e400}', "bad_answer", "a must be a number"),
    ],
)
def test_a_grid_or_answers_that_nobody_could_mean_are_refused_in_one_clear_line(
    tmp_path, capsys, grid, answers, code, said
):
    (tmp_path / "grid.toml").write_text(grid, encoding="utf-8")
    (tmp_path / "answers.json").write_text(answers, encoding="utf-8")

    exit_code, refused = ask(
        capsys, "score", str(tmp_path / "grid.toml"), str(tmp_path / "answers.json")
    )

    assert (exit_code, refused["error"]["code"]) == (1, code)
    assert said in refused["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["plan", "close", "caf\udce9"], "'caf\\udce9' is not UTF-8: "),
        (["import", "contacts", "a" * 300], "aaa cannot be opened: File name too long."),
    ],
)
def test_what_no_store_or_file_can_be_called_is_refused_in_words(
    centre, capsys, arguments: list[str], said: str
):
    assert run(arguments) == 1
    assert said in capsys.readouterr().err


def test_what_a_terminal_cannot_show_is_no_reason_to_fail(tmp_path, centre):
    (tmp_path / "grid.toml").write_text(GRID, encoding="utf-8")
    (tmp_path / "answers.json").write_text('{"a": 1, "\\ud800": 1}', encoding="utf-8")
    command = [sys.executable, "-m", "qa_core", "score", "grid.toml", "answers.json", "--json"]

    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        cwd=tmp_path,
    )

    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "bad_answer"
    assert len(done.stderr.splitlines()) == 1


def test_a_name_of_a_file_gives_a_terminal_no_orders(
    centre: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = centre / "calls\x1b]0;mine\x07\u202e.csv"
    path.write_text("contact_id,started_at,outcome\nc1,2026-05-04T10:00:00,answered\n")
    said = ""
    for words in (["import", "contacts", str(path)], ["batches", "list"], ["watch", str(path)]):
        run(words)
        said += "".join(capsys.readouterr())
    assert said.count("calls�") == 2 and not {"\x1b", "\x07", "\u202e"} & {*said}
    commands = (PROJECT / "qa_core" / "cli").rglob("*.py")
    assert [file.name for file in commands if " print(" in file.read_text()] == ["output.py"]


def test_a_fresh_process_answers_like_this_one(calls):
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "qa_core"]
    done = subprocess.run(
        [*command, "import", "contacts", str(calls), "--json"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=calls.parent,
    )
    assert done.returncode == 0 and json.loads(done.stdout)[0]["new"] == 4
    done = subprocess.run(
        [*command, "kpi", "received"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=calls.parent,
    )
    assert done.returncode == 0 and "4" in done.stdout


def test_a_service_token_is_added_listed_and_revoked(
    centre: Path, add_person, capsys: pytest.CaptureFixture[str]
) -> None:
    add_person("root", "admin")
    add_person("dora", "dpo")
    arguments = ("token", "add", "report", "--role", "executive", "--kpi", "csat", "--days", "30")

    code, token = ask(capsys, *arguments)
    assert code == 0 and token["name"] == "report" and token["state"] == "active"
    assert token["secret"].startswith("ecoute_")
    code, refused = ask(capsys, *arguments)
    assert (code, refused["error"]["code"]) == (1, "token_taken")
    code, waiting = ask(capsys, "token", "add", "other", "--role", "manager", "--as", "root")
    assert (code, waiting["state"]) == (0, "waiting")
    assert run(["token", "list"]) == 0
    listed = capsys.readouterr().out
    assert token["secret"] not in listed and "teams without a site, without a team" in listed

    code, document = ask(capsys, "token", "revoke", "report")
    assert (code, document) == (0, {"name": "report", "state": "revoked"})
    code, tokens = ask(capsys, "token", "list")
    assert [(row["name"], row["state"]) for row in tokens] == [
        ("other", "waiting"),
        ("report", "revoked"),
    ]
    assert ask(capsys, "token", "list", "--as", "dora")[0] == 1


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (("--role", "emperor"), "unknown_role"),
        (("--role", "advisor"), "unknown_role"),
        (("--role", "executive", "--kpi", "agreement"), "unknown_kpi"),
        (("--role", "team_lead"), "bad_bounds"),
        (("--role", "executive", "--days", "400"), "bad_days"),
    ],
)
def test_a_token_of_wrong_terms_is_wrong_usage(
    centre: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], code: str
) -> None:
    exit_code, document = ask(capsys, "token", "add", "report", *options)

    assert (exit_code, document["error"]["code"]) == (2, code)


def test_a_database_that_is_down_is_one_clear_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("QA_HOME", str(tmp_path / "centre"))
    monkeypatch.setenv("QA_DATABASE_URL", "postgresql+psycopg://ecoute:secret@127.0.0.1:1/ecoute")

    for arguments in (["people", "list"], ["journal", "verify"], ["init"]):
        assert run(arguments) == 1
        said = capsys.readouterr().err.strip()
        assert said == (
            "The database does not answer. Start PostgreSQL, or correct QA_DATABASE_URL, then "
            "try again."
        )
    with pytest.raises(SystemExit) as stopped:
        asgi.check_start()
    said = capsys.readouterr().err.strip()
    assert stopped.value.code == 1 and said.startswith("The database does not answer.")
    assert "secret" not in said and len(said.splitlines()) == 1


EXAMPLES = {
    "DATE": "2026-11-01",
    "N": "7",
    "KPI=VALUE": "answer_rate=0.9",
    "FIELD=VALUE…": "queue=x",
}


def test_an_unknown_name_is_called_unknown_by_every_command_and_option(
    centre: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator has access to everything: that is no reason."""
    monkeypatch.chdir(centre)
    tried = 0
    for path, command in documents.find_commands():
        kinds = {item: item.type_descriptor.annotation for item in command.params}
        texts = [item for item, kind in kinds.items() if kind in (str, list[str])]
        needed = [item for item in command.params if item.required]
        for asked in [needed, *([*needed, item] for item in texts if item not in needed)]:
            words = []
            for item in asked:
                words += [item.opts[0]] if item.opts[0].startswith("-") else []
                words.append(EXAMPLES.get(item.metavar, "nope" if item in texts else "7"))
            if (
                "nope" not in words or "7" in words or path in ("init", "watch")
            ):  # the name is new, or waits
                continue
            capsys.readouterr()
            code = run([*path.split(), *words])
            said = "".join(capsys.readouterr())
            tried += 1
            assert "You do not have access" not in said, (path, words)
            assert "Traceback" not in said and code in (0, 1, 2), (path, words)
    assert tried > 100
