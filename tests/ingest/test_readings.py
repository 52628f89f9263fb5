"""Inferences about a file are confirmed by a person, once per layout, until it drifts."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.health import find_check
from builders.import_files import CALLS, bring, find_contacts, run_confirmed, write

from qa_core import ingest
from qa_core.access.roles import Viewer
from qa_core.cli import app
from qa_core.files.options import ImportOptions
from qa_core.ingest import samples
from qa_core.ingest.load import layouts
from qa_core.ingest.reading import field_titles, registry, table_reader
from qa_core.ingest.reading.report import FileReport
from qa_core.ingest.watch.folder import Watch
from qa_core.storage import lake
from qa_core.storage.records import store
from qa_core.storage.records.imports import ConfirmedReading, ImportBatch

SYSTEM = Viewer.SYSTEM
EXPORT = """Call ID,Start time,Call status,Agent,Talk (s)
C1,20/03/2026 09:00:00,answered,Ann,120
C2,21/03/2026 09:10:00,abandoned,,
C3,20/03/2026 09:20:00,answered,Bob,30
"""
WORDS = EXPORT.replace("answered", "OK1").replace("abandoned", "HUP")


def read(folder: Path, text: str, kind: str = "contacts", **options: Any) -> FileReport:
    path = write(folder, "read.csv", text)
    return ingest.run(SYSTEM, kind, [path], ImportOptions(**options))[0]


def later(text: str, letter: str = "D") -> str:
    """The same export a month later, with other calls."""
    for number in "123":
        text = text.replace(f"\nC{number},", f"\n{letter}{number},")
    return text.replace("/03/2026", "/04/2026")


def facts_of(report: FileReport) -> dict[str, Any]:
    return {fact["fact"]: fact for fact in report.as_json()["reading"]["facts"]}


def test_a_file_in_the_words_of_the_design_needs_no_confirmation(centre: Path) -> None:
    report = read(centre, CALLS)
    reading = report.as_json()["reading"]
    assert (report.tally.new, reading["verdict"], reading["questions"]) == (3, "sure", [])
    facts = facts_of(report)
    assert facts["direction"]["basis"] == "default"
    assert facts["outcome"]["counts"] == {
        "received": 3,
        "answered": 2,
        "abandoned": 1,
        "outcomes": {"answered": 2, "abandoned": 1},
    }
    assert layouts.find_layouts(SYSTEM) == []


def test_a_reading_writes_nothing_until_its_layout_is_confirmed_and_then_passes(
    centre: Path,
) -> None:
    report = read(centre, EXPORT)
    asked = report.as_json()
    assert (asked["error"]["code"], asked["reading"]["verdict"]) == ("unconfirmed_reading", "asks")
    layout = asked["reading"]["layout"]
    assert asked["error"]["options"] == [f"--confirm {layout}"]
    assert not find_contacts()
    with store.reading() as session:
        assert not session.scalars(sa.select(ImportBatch)).all()

    assert read(centre, EXPORT, confirm="another").is_refused
    assert read(centre, EXPORT, confirm=layout).tally.new == 3
    again = read(centre, later(EXPORT))
    assert (again.tally.new, again.reading.layout) == (3, layout)
    assert facts_of(again)["outcome"]["basis"] == "before"
    # The 2nd of April could be the 4th of February: the layout says how its dates are written.
    third = later(EXPORT, "E").replace("20/04", "02/04").replace("21/04", "03/04")
    assert read(centre, third).tally.new == 3
    assert str(find_contacts("local_start")[-1][1]) == "2026-04-02 09:20:00"


def test_all_questions_come_at_once_each_answer_with_the_counts_it_leads_to(centre: Path) -> None:
    reading = read(centre, WORDS).as_json()["reading"]
    effects = {
        answer["option"]: answer["effect"]
        for question in reading["questions"]
        for answer in question["answers"]
    }
    assert len(reading["questions"]) == 2
    hup = "--word Call status:HUP="
    assert effects[f"{hup}abandoned"] == {"received": 3, "answered": 2, "abandoned": 1}
    assert effects[f"{hup}answered"]["answered"] == 3
    assert all(len(question["answers"]) <= 4 for question in reading["questions"])
    words = {"Call status:OK1": "answered", "Call status:HUP": "abandoned"}
    layout = reading["layout"]
    assert read(centre, WORDS, words=words, confirm=layout).tally.new == 3
    assert read(centre, later(WORDS)).tally.new == 3
    assert [row[1] for row in find_contacts("outcome")] == ["answered", "abandoned", "answered"] * 2


def test_counts_that_were_not_printed_are_printed_before_they_are_confirmed(centre: Path) -> None:
    layout = read(centre, EXPORT).reading.layout
    dropped = ImportOptions(columns={"reason": "Call status"}, confirm=layout)
    path = write(centre, "read.csv", EXPORT)
    [first] = ingest.run(SYSTEM, "contacts", [path], dropped)
    assert first.refusal.code == "unconfirmed_reading"
    assert first.reading.headline["answered"] == 0
    assert ingest.run(SYSTEM, "contacts", [path], dropped)[0].tally.new == 3


def test_yes_confirms_no_reading_and_answers_no_question(centre: Path) -> None:
    assert read(centre, WORDS, yes=True).refusal.code == "unconfirmed_reading"


def test_a_new_word_is_asked_about_alone(centre: Path) -> None:
    bring(centre, "contacts", EXPORT)
    drifted = later(EXPORT).replace(
        "D3,20/04/2026 09:20:00,answered", "D3,20/04/2026 09:20:00,lost"
    )
    report = read(centre, drifted)
    [question] = report.reading.questions
    assert "lost" in str(question.refusal)
    assert facts_of(report)["days"]["basis"] == "before"
    words = {"Call status:lost": "abandoned"}
    [report] = run_confirmed(
        SYSTEM, "contacts", [write(centre, "read.csv", drifted)], ImportOptions(words=words)
    )
    assert report.tally.new == 3
    third = later(EXPORT.replace("09:20:00,answered", "09:20:00,lost"), "E")
    assert read(centre, third).tally.new == 3


def test_a_renamed_column_is_asked_about_and_a_new_one_only_remarked(centre: Path) -> None:
    bring(centre, "contacts", EXPORT)
    more = "\n".join(f"{line},x" for line in later(EXPORT).splitlines())
    passed = read(centre, more)
    assert passed.tally.new == 3
    assert [remark["code"] for remark in passed.reading.remarks] == ["new_column"]
    renamed = later(EXPORT.replace("Call status", "How it went"), "E")
    report = read(centre, renamed)
    [question] = report.reading.questions
    assert question.answers[0].option == "--map outcome=How it went"
    assert question.answers[0].effect == {"received": 3, "answered": 2, "abandoned": 1}
    named = {"columns": {"outcome": "How it went"}, "confirm": report.reading.layout}
    assert read(centre, renamed, **named).tally.new == 3


def test_a_new_column_that_figures_rest_on_makes_another_layout(centre: Path) -> None:
    bring(centre, "contacts", EXPORT)
    richer = later(EXPORT).replace("(s)", "(s),Direction").replace(",120", ",120,Outbound")
    richer = richer.replace(",,\n", ",,Inbound\n").replace(",30\n", ",30,Inbound\n")
    report = read(centre, richer)
    assert report.refusal.code == "unconfirmed_reading"
    assert facts_of(report)["direction"]["counts"]["ways"] == {"inbound": 2, "outbound": 1}
    assert read(centre, richer, confirm=report.reading.layout).tally.new == 3
    assert dict(find_contacts("direction"))["D1"] == "outbound"
    assert read(centre, later(EXPORT, "E")).tally.new == 3


def test_a_file_in_the_words_of_the_design_is_read_by_itself_beside_a_narrow_layout(
    centre: Path,
) -> None:
    narrow = "contact_id,started_at,outcome\nN1,13/10/2026 10:00,answered\n"
    bring(centre, "contacts", narrow)
    columns = "contact_id,started_at,outcome,direction,queue,talk_seconds"
    report = read(centre, f"{columns}\nA1,2026-10-06T09:00:00,answered,outbound,Sales,60\n")
    assert report.reading.verdict == "sure"
    assert find_contacts("direction", "queue", "talk_seconds")[0] == ("A1", "outbound", "Sales", 60)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"only": {"queue": "Sales"}}, "given_twice"),
        ({"sheet": "May"}, "unknown_sheet"),
        ({"start_date": date(2026, 5, 4)}, "given_twice"),
        ({"units": {"hold_seconds": "min"}}, "no_effect"),
        ({"scales": {"nps": "1-5"}}, "no_effect"),
        ({"purpose": "quality"}, "no_effect"),
        ({"pattern": "{date}_{contact_id}"}, "no_effect"),
    ],
)
def test_an_option_that_does_not_fit_the_file_is_refused(
    centre: Path, options: dict[str, Any], code: str
) -> None:
    report = read(
        centre,
        CALLS.replace("outcome", "queue,outcome").replace(",answered", ",A,answered"),
        **options,
    )
    asked = {question.refusal.code for question in report.reading.questions}
    assert report.is_refused and code in {report.refusal.code, *asked}
    assert lake.span() is None


def test_a_word_that_a_layout_has_kept_need_not_be_in_a_later_file(centre: Path) -> None:
    words = {"Call status:OK1": "answered", "Call status:HUP": "abandoned"}
    bring(centre, "contacts", WORDS, words=words)
    assert read(centre, later(WORDS.replace("HUP", "OK1")), words=words).tally.new == 3


def test_surveys_are_told_by_the_clock_of_the_centre(centre: Path) -> None:
    text = "Call ID;Date de réponse;Note (1-5)\nC1;04/05/2026 00:30;4\nC2;15/05/2026 23:50;5\n"

    told = read(centre, text, kind="surveys").reading

    assert "Answered at: 4 May 2026, 00:30" in told.rows[0]
    days = next(fact for fact in told.facts if fact.fact == "days")
    assert (days.counts["first_day"], days.counts["last_day"]) == (
        date(2026, 5, 4),
        date(2026, 5, 15),
    )


def test_an_empty_column_answers_no_question(centre: Path) -> None:
    text = "Call ID,Notes,Start time,Abandoned,Wait (s)\n" + "".join(
        f"C{number},,2026-03-20 09:{number}0:00,{'Y' if number > 3 else 'N'},10\n"
        for number in range(6)
    )

    [question] = read(centre, text).reading.questions

    assert [answer.option for answer in question.answers] == ["--only outcome=answered"]


def test_an_answer_of_a_day_alone_is_told_to_be_of_the_last_contact_of_that_day(
    centre: Path,
) -> None:
    by_customer = (
        "Date;Customer phone;Note (1-5)\n04/05/2026;0611223344;4\n15/05/2026;0611223345;5\n"
    )
    by_id = "Date;Call ID;Note (1-5)\n04/05/2026;C1;4\n15/05/2026;C2;5\n"

    joined, named = (read(centre, text, kind="surveys").reading for text in (by_customer, by_id))

    told = "from 4 May 2026 to 15 May 2026; 2 without a time of day, joined to the last contact"
    assert next(fact.text for fact in joined.facts if fact.fact == "days").startswith(told)
    assert "time of day" not in next(fact.text for fact in named.facts if fact.fact == "days")


@pytest.mark.parametrize("by", [{}, {"profile": "ours"}])
def test_the_day_of_a_file_without_dates_is_not_taken_for_the_next_one(
    centre: Path, by: dict[str, str]
) -> None:
    text = "Call ID,Time,Status\n{0}1,09:00,Answered\n{0}2,10:00,Abandoned\n"
    bring(centre, "contacts", text.format("A"), start_date=date(2026, 5, 4), save_mapping="ours")

    asked = read(centre, text.format("B"), **by)
    codes = {asked.refusal.code, *(one.refusal.code for one in asked.reading.questions)}
    assert "missing_date" in codes

    done = read(centre, text.format("B"), start_date=date(2026, 5, 5), **by)
    assert not done.is_refused
    assert [str(row[1])[:10] for row in find_contacts("local_start")] == [
        *["2026-05-04"] * 2,
        *["2026-05-05"] * 2,
    ]


def test_an_undone_import_takes_its_confirmation_along_and_a_later_one_does_not(
    centre: Path,
) -> None:
    first = bring(centre, "contacts", EXPORT)
    second = read(centre, later(EXPORT))
    ingest.undo(SYSTEM, second.batch_id)
    assert [row["basis"] for row in layouts.find_layouts(SYSTEM)] == ["confirmed"]
    ingest.undo(SYSTEM, first.batch_id)
    assert layouts.find_layouts(SYSTEM) == []
    assert read(centre, EXPORT).is_refused


def test_a_forgotten_layout_asks_again(centre: Path, capsys: pytest.CaptureFixture) -> None:
    layout = bring(centre, "contacts", EXPORT).reading.layout
    assert app.run(["layouts", "show", layout, "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["columns"]["outcome"] == "Call status"
    assert "C1" not in json.dumps(shown) and "Ann" not in json.dumps(shown)
    assert app.run(["layouts", "forget", layout]) == 0
    assert app.run(["layouts", "forget", layout]) == 2
    assert read(centre, later(EXPORT)).is_refused


def test_a_dry_run_prints_the_reading_and_succeeds_while_it_asks(
    centre: Path, capsys: pytest.CaptureFixture
) -> None:
    path = str(write(centre, "read.csv", WORDS))
    assert app.run(["import", "contacts", path, "--dry-run", "--json"]) == 0
    [document] = json.loads(capsys.readouterr().out)
    assert document["reading"]["verdict"] == "asks" and len(document["reading"]["rows"]) == 3
    with store.reading() as session:
        assert not session.scalars(sa.select(ConfirmedReading)).all()
    assert app.run(["import", "contacts", path]) == 1


def test_a_file_that_reads_otherwise_than_expected_is_refused(centre: Path) -> None:
    refused = read(centre, CALLS, expect={"received": "3", "answered": "3"})
    assert (refused.refusal.code, lake.snapshot("contacts").rows) == ("unexpected_counts", 0)
    expected = {"received": "3", "answered": "2", "abandoned": "1", "first_day": "2026-03-02"}
    assert read(centre, CALLS, expect=expected).tally.new == 3


def test_identities_are_masked_in_samples_rows_and_unused_columns(centre: Path) -> None:
    text = "Call ID,Start time,Caller number,Outcome,Client\n" + "".join(
        f"C{row},2026-03-20 09:0{row}:00,06123456{row:02d},answered,Jeanne Martin\n"
        for row in range(4)
    )
    reading = json.dumps(read(centre, text).as_json()["reading"])
    assert "06123456" not in reading and "33612345" not in reading
    assert "Jeanne" not in reading and "Martin" not in reading


def test_a_watched_file_waits_until_its_layout_is_confirmed(
    centre: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("incoming")
    (folder / "contacts").mkdir()
    path = write(folder / "contacts", "march.csv", EXPORT)
    told: list[Any] = []

    def look() -> None:
        Watch(SYSTEM, folder, stable_seconds=0, report=told.append).check()

    look()
    assert path.exists() and [report.refusal.code for report in told] == ["unconfirmed_reading"]
    [row] = layouts.find_layouts(SYSTEM)
    assert (row["basis"], row["waiting"]) == ("waiting", str(path))
    state, detail = find_check("imports")
    assert state == "warn" and str(path) in detail
    ingest.run(SYSTEM, "contacts", [path], ImportOptions(confirm=row["layout"]))
    look()
    assert not path.exists() and len(find_contacts()) == 3


@pytest.mark.parametrize("kind", samples.SAMPLES)
def test_the_sample_files_need_no_confirmation(centre: Path, kind: str) -> None:
    path = centre / f"{kind}.csv"
    path.write_bytes(samples.build_file(SYSTEM, kind).content)
    staged = table_reader.stage(path, kind, ImportOptions())
    assert not staged.inferred
    staged.discard()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("vCard", "BEGIN:VCARD\nVERSION:3.0\nFN:A\nEND:VCARD\n"),
        ("mailbox", "From ann@x.example Fri Mar 20 09:00:00 2026\nSubject: Hi\n\nHello\n"),
        ("e-mail", "Return-Path: <ann@x.example>\nSubject: Hi\n\nHello\n"),
        ("SQL", "-- MySQL dump 10.13\nCREATE TABLE `calls` (`id` int);\n"),
        ("chat", "20/03/2026, 09:00 - Ann: Hello\n20/03/2026, 09:01 - Bob: Hi\n"),
    ],
)
def test_texts_that_are_no_tables_are_named(centre: Path, name: str, text: str) -> None:
    report = read(centre, text)
    assert report.refusal.code == "wrong_file_type" and name in str(report.refusal)
    assert report.as_json()["reading"]["verdict"] == "refused"


def test_a_contradiction_is_settled_by_naming_the_column_that_decides(centre: Path) -> None:
    text = "contact_id,started_at,outcome,talk_seconds\n" + "".join(
        f"C{row},2026-03-20 09:0{row}:00,{'abandoned' if row % 2 else 'answered'},{60}\n"
        for row in range(8)
    )
    [question] = read(centre, text, yes=True).reading.questions
    assert question.refusal.code == "outcome_and_talk"
    assert "--yes" not in question.refusal.options
    layout = read(centre, text).reading.layout
    assert read(centre, text, columns={"outcome": "outcome"}, confirm=layout).tally.new == 8
    assert read(centre, text.replace("C", "D")).tally.new == 8


def test_a_saved_mapping_is_listed_with_the_layouts_and_forgotten_like_one(centre: Path) -> None:
    bring(centre, "contacts", EXPORT, save_mapping="hotline")
    assert {"hotline"} < {row["layout"] for row in layouts.find_layouts(SYSTEM)}
    layouts.forget(SYSTEM, "hotline")
    assert read(centre, later(EXPORT), profile="hotline").refusal.code == "unknown_profile"


def test_totals_are_told_by_the_titles_of_the_page(centre: Path) -> None:
    text = (
        "Interval,Queue,Offered,Answered,Abandoned < 5 s,Abandoned > 5 s,ASA (s)\n"
        "16/03/2026 08:00 - 08:30,Hotline,24,20,1,2,14\n"
    )

    told = read(centre, text, kind="intervals").reading

    assert told.rows[0].replace("\N{NO-BREAK SPACE}", " ") == (
        "Line 2: Started: 16 Mar 2026, 08:00 · Minutes in each row: 30 · Queue: Hotline · "
        "Channel: Phone · Received: 24 · Answered: 20 · Abandoned: 3 · Short abandons: 1 · "
        "Wait: 4 min 40 s."
    )


def test_every_field_that_a_person_may_map_has_a_title() -> None:
    fields = {field.name for profile in registry.find_profiles() for field in profile.fields}
    assert sorted(fields - field_titles.TITLES.keys()) == []
