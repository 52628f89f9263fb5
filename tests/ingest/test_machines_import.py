"""Handlers of the contacts of a file: a column, a word, the roster, or a question where a name,
hours or concurrent calls look like a machine.
"""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from builders.import_files import bring, describe_question, find_contacts, write
from builders.listening_centre import allow_evaluations
from builders.long_seeds import leave_to_long

from qa_core import ingest
from qa_core.access.roles import Viewer
from qa_core.files.options import ImportOptions
from qa_core.ingest.reading.report import FileReport
from qa_core.metrics import query
from qa_core.storage.records import store
from qa_core.storage.records.people import Advisor

BOT = """contact_id,started_at,queue,advisor,outcome,wait_seconds,talk_seconds,customer
B1,2026-10-01 09:00:00,Accueil,Voicebot Alix,answered,0,40,0612345601
B2,2026-10-01 09:05:00,Accueil,Marie Abbot,answered,12,160,0612345602
"""
ROSTER = "advisor_id,name,kind\nVoicebot Alix,Voicebot Alix,machine\n"
HANDLED = ("handled_by", "advisor_id")


def refuse(folder: Path, text: str, **options: object) -> dict:
    path = write(folder, "asked.csv", text)
    report = ingest.run(Viewer.SYSTEM, "contacts", [path], ImportOptions(**options))[0]
    assert report.is_refused, report.as_text()
    return describe_question(report)["error"]


def file_of(
    rows: int,
    who: Callable[[int], str],
    at: Callable[[int], datetime],
    queue: str = "Accueil",
    channel: str = "phone",
    talk: int = 120,
) -> str:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ["contact_id", "started_at", "channel", "queue", "agent", "outcome", "talk_seconds"]
    )
    for row in range(rows):
        start = f"{at(row):%Y-%m-%d %H:%M:%S}"
        writer.writerow([f"C{row}", start, channel, queue, who(row), "answered", talk])
    return out.getvalue()


def find_handled() -> dict[str | None, int]:
    return dict(Counter(handler for _id, handler in find_contacts("handled_by")))


def by_day(row: int) -> datetime:
    """Sixteen calls a day from eight to eighteen, at odd minutes."""
    return datetime(2026, 3, 2, 8) + timedelta(days=row // 16, minutes=37 * (row % 16), seconds=row)


def around_the_clock(row: int) -> datetime:
    return datetime(2026, 3, 2) + timedelta(minutes=29 * row, seconds=row % 60)


def four_at_once(row: int) -> datetime:
    return datetime(2026, 3, 2, 9) + timedelta(minutes=7 * (row // 4), seconds=row % 4)


def of_two(first: str, second: str = "Marie Dupont") -> Callable[[int], str]:
    return lambda row: (first, second)[row % 2]


BOTS = {
    "named voicebot": file_of(40, of_two("Voicebot Alix"), by_day),
    "named callbot": file_of(40, of_two("CALLBOT 2"), by_day),
    "named in French": file_of(40, of_two("Assistant virtuel"), by_day),
    "an agent of an IVR": file_of(40, of_two("IVR Agent"), by_day),
    "AI beside a name": file_of(40, of_two("Léa (IA)"), by_day),
    "with an underscore": file_of(40, of_two("bot_facturation"), by_day),
    "a queue of the IVR": file_of(40, of_two("Paul Martin"), by_day, queue="SVI niveau 1"),
    "the channel of a chatbot": file_of(40, of_two("Paul Martin"), by_day, channel="chatbot"),
    "awake all day": file_of(300, lambda row: "Alix", around_the_clock),
    "four calls at once": file_of(200, lambda row: "Alix", four_at_once),
}
OTHERS = {
    "Abbot": file_of(40, of_two("Jane Abbot"), by_day),
    "Talbot and Chabot": file_of(40, of_two("Talbot", "Chabot"), by_day),
    "Botella": file_of(40, of_two("Ana Botella"), by_day),
    "Iain": file_of(40, of_two("Iain Banks"), by_day),
    "Ia in Georgia": file_of(40, of_two("Ia Mikeladze"), by_day),
    "names in capitals": file_of(40, of_two("MIKELADZE IA", "DUPONT MARIE"), by_day),
    "virtual in a sentence": file_of(40, of_two("Paul"), by_day, queue="Carte virtuelle"),
    "lawn robots": file_of(40, of_two("Paul"), by_day, queue="Robots de jardin"),
    "washing machines": file_of(40, of_two("Paul"), by_day, queue="Machines à laver"),
    "a first queue": file_of(40, of_two("Paul"), by_day, queue="Accueil"),
    "svelte": file_of(40, of_two("Svitlana", "Silvia"), by_day),
    "nights": file_of(
        160, lambda row: "Nora", lambda row: by_day(row) + timedelta(hours=12 * (row // 80))
    ),
    "two shifts": file_of(300, of_two("Nora", "Omar"), by_day),
    "mails in the night": file_of(
        300, lambda row: "Alix", around_the_clock, channel="email", talk=0
    ),
    "three chats at once": file_of(200, lambda row: "Alix", four_at_once, channel="chat"),
    "times to the hour": file_of(
        300, lambda row: f"A{row % 3}", lambda row: by_day(row).replace(minute=0, second=0)
    ),
    "extensions": file_of(40, lambda row: str(201 + row % 9), by_day),
    "one advisor": file_of(150, lambda row: "Marie", by_day),
    "many advisors": file_of(400, lambda row: f"Conseiller {row % 20}", four_at_once),
    "nobody": file_of(40, lambda row: "", by_day),
}


BOTS_IN_EACH_RUN = ("named callbot", "an agent of an IVR", "a queue of the IVR", "awake all day")
OTHERS_IN_EACH_RUN = ("Talbot and Chabot", "names in capitals", "washing machines", "two shifts",
                      "three chats at once", "extensions", "many advisors")  # fmt: skip


@pytest.mark.parametrize("name", leave_to_long(BOTS, but=BOTS_IN_EACH_RUN))
def test_a_file_of_a_machine_is_asked_about(centre: Path, name: str) -> None:
    assert refuse(centre, BOTS[name])["code"] == "machine_or_person"


@pytest.mark.parametrize("name", leave_to_long(OTHERS, but=OTHERS_IN_EACH_RUN))
def test_a_file_of_people_is_not_asked_about(centre: Path, name: str) -> None:
    path = write(centre, "plain.csv", OTHERS[name])
    options = ImportOptions(dry_run=True, yes=True)
    report = ingest.run(Viewer.SYSTEM, "contacts", [path], options)[0]
    codes = [question.refusal.code for question in report.reading.questions]
    assert "machine_or_person" not in codes, report.as_text()


def test_a_question_about_a_machine_is_answered_by_a_word_or_by_the_roster(centre: Path) -> None:
    error = refuse(centre, BOT, yes=True)  # `--yes` answers no question
    assert error["options"] == [
        "--word advisor:Voicebot Alix=machine",
        "--word advisor:Voicebot Alix=person",
    ]
    bring(centre, "advisors", ROSTER)
    bring(centre, "contacts", BOT)
    assert find_contacts(*HANDLED) == [("B1", "machine", None), ("B2", None, "Marie Abbot")]


def test_several_names_that_look_like_machines_are_one_question(centre: Path) -> None:
    bots = [f"Voicebot {number}" for number in range(9)]
    text = file_of(100, lambda row: [*bots, "Marie Dupont"][row % 10], by_day)
    path = write(centre, "bots.csv", text)
    report = ingest.run(Viewer.SYSTEM, "contacts", [path])[0]
    [question] = report.as_json()["reading"]["questions"]
    listed = ", ".join(bots)
    assert question["message"] == f"Which of these are machines, and which are people: {listed}?"
    assert [answer["option"] for answer in question["answers"]] == [
        f"--word agent:{'|'.join(bots)}=machine",
        f"--word agent:{'|'.join(bots)}=person",
    ]
    told = {f"agent:{'|'.join(bots[:8])}": "machine", "agent:Voicebot 8": "person"}
    bring(centre, "contacts", text, words=told)
    assert find_handled() == {"machine": 80, None: 20}


def test_people_who_all_seem_to_work_around_the_clock_are_not_asked_about(centre: Path) -> None:
    names = [f"{first} {last}" for first in ("Ann", "Bob", "Cleo") for last in ("Roe", "Day")]
    rows = 6 * 300
    text = file_of(rows, lambda row: names[row % 6], lambda row: around_the_clock(row // 6))
    bring(centre, "contacts", text, yes=True)
    assert find_handled() == {None: rows}
    # One of seven is asked about: the others have the hours of a person.
    bot = file_of(
        rows, lambda row: [*names, "Alix"][row % 7],
        lambda row: (around_the_clock if row % 7 == 6 else by_day)(row // 7),
    )  # fmt: skip
    assert refuse(centre, bot, system="other")["options"][0] == "--word agent:Alix=machine"


def test_a_word_answers_for_later_files_and_for_contacts_that_are_stored(centre: Path) -> None:
    with store.writing() as session:
        session.add(Advisor(advisor_id="Voicebot Alix", name="Voicebot Alix", kind="person"))
    bring(centre, "contacts", BOT)
    assert find_contacts(*HANDLED)[0] == ("B1", None, "Voicebot Alix")
    later = BOT.replace("B1", "B3").replace("B2", "B4").replace("10-01", "10-02")
    report = bring(centre, "contacts", later, words={"advisor:Voicebot Alix": "machine"})
    assert find_contacts(*HANDLED) == [
        ("B1", "machine", None),
        ("B2", None, "Marie Abbot"),
        ("B3", "machine", None),
        ("B4", None, "Marie Abbot"),
    ]
    ingest.undo(Viewer.SYSTEM, report.batch_id)
    assert find_contacts(*HANDLED)[0] == ("B1", None, "Voicebot Alix")


def test_the_roster_that_names_a_machine_later_changes_the_stored_contacts_and_back(
    centre: Path,
) -> None:
    bring(centre, "contacts", BOT, words={"advisor:Voicebot Alix": "person"})
    assert find_contacts(*HANDLED)[0] == ("B1", None, "Voicebot Alix")
    report = bring(centre, "advisors", ROSTER)
    assert find_contacts(*HANDLED)[0] == ("B1", "machine", None)
    ingest.undo(Viewer.SYSTEM, report.batch_id)
    assert find_contacts(*HANDLED)[0] == ("B1", None, "Voicebot Alix")


def test_a_file_says_itself_who_took_each_contact(centre: Path) -> None:
    text = """contact_id,started_at,agent,agent type,outcome,talk_seconds,\
bot duration,wait after bot
A1,2026-10-01 09:00:00,Alix,Bot,answered,40,,
A2,2026-10-01 09:05:00,Marie,Human,answered,100,,
A3,2026-10-01 09:10:00,Paul,Handed over,answered,90,35,12
A4,2026-10-01 09:15:00,,Handed over,abandoned,,30,50
"""
    bring(centre, "contacts", text)
    columns = ("handled_by", "advisor_id", "talk_seconds", "machine_seconds")
    assert find_contacts(*columns, "handover_wait_seconds") == [
        ("A1", "machine", None, None, 40.0, None),
        ("A2", "person", "Marie", 100.0, None, None),
        ("A3", "machine_then_person", "Paul", 90.0, 35.0, 12.0),
        ("A4", "machine_then_person", None, None, 30.0, 50.0),
    ]
    with store.reading() as session:
        assert session.get(Advisor, "Alix") is None


def test_a_queue_that_is_a_machine_passes_a_contact_on_where_an_advisor_took_it(
    centre: Path,
) -> None:
    text = """contact_id,started_at,queue,advisor,outcome
Q1,2026-10-01 09:00:00,SVI,,answered
Q2,2026-10-01 09:05:00,SVI,Marie,answered
Q3,2026-10-01 09:10:00,Accueil,Marie,answered
"""
    assert refuse(centre, text)["options"][0] == "--word queue:SVI=machine"
    bring(centre, "contacts", text, words={"queue:SVI": "machine"})
    told = [("Q1", "machine"), ("Q2", "machine_then_person"), ("Q3", None)]
    assert find_contacts("handled_by") == told
    # The queue is known from now on.
    bring(centre, "contacts", text.replace("Q", "R").replace("10-01", "10-02"))
    assert find_contacts("handled_by")[3:] == [("R1", "machine"), *(
        ("R2", "machine_then_person"), ("R3", None)
    )]  # fmt: skip


def test_an_evaluation_of_a_machine_is_rejected(centre: Path) -> None:
    bring(centre, "advisors", ROSTER)
    bring(centre, "contacts", BOT)
    allow_evaluations()
    text = """contact_id,evaluator,evaluated_at,score
B1,Eve,2026-10-02 10:00:00,80
B2,Eve,2026-10-02 10:05:00,90
"""
    path = write(centre, "scores.csv", text)
    report = ingest.run(Viewer.SYSTEM, "evaluations", [path], ImportOptions(dry_run=True))[0]
    assert dict(report.tally.reasons) == {"machine": 1}, report.as_text()


def test_machines_are_in_no_list_of_advisors(centre: Path) -> None:
    bring(centre, "advisors", ROSTER + "marie,Marie Abbot,person\n")
    bring(centre, "contacts", BOT)
    names = {row.advisor for row in query.measure(
        Viewer.SYSTEM, ("received",), ("advisor",)
    ).itertuples()}  # fmt: skip
    assert names == {"Marie Abbot"}
    assert [count for _name, count in query.find_values(Viewer.SYSTEM, "handled_by")] == [1, 1]


@pytest.mark.parametrize("seed", range(3))
def test_rows_keep_their_handler_whatever_their_order(centre: Path, seed: int) -> None:
    kinds = ["Bot", "Human", "Handed over", ""]
    draw = random.Random(seed)
    rows = [(f"Z{row}", draw.choice(kinds)) for row in range(60)]
    lines = [f"{key},2026-10-01 09:{row:02d}:00,{kind}" for row, (key, kind) in enumerate(rows)]
    draw.shuffle(lines)
    bring(centre, "contacts", "\n".join(["contact_id,started_at,agent type", *lines]))
    meant = {"Bot": "machine", "Human": "person", "Handed over": "machine_then_person", "": None}
    assert dict(find_contacts("handled_by")) == {key: meant[kind] for key, kind in rows}


def test_a_machine_that_appears_later_is_asked_about_alone_and_counts_as_no_advisor(
    centre: Path,
) -> None:
    people = file_of(40, of_two("Paul Martin"), by_day)
    assert bring(centre, "contacts", people).tally.new == 40
    later = file_of(40, of_two("Voicebot Alix"), by_day).replace("\nC", "\nD")
    path = write(centre, "later.csv", later)

    def read(**options: object) -> FileReport:
        return ingest.run(Viewer.SYSTEM, "contacts", [path], ImportOptions(**options))[0]

    report = read()
    [question] = report.reading.questions
    assert question.refusal.code == "machine_or_person"
    assert [answer.option for answer in question.answers] == [
        "--word agent:Voicebot Alix=machine",
        "--word agent:Voicebot Alix=person",
    ]
    # The first answer is taken for granted: Marie Dupont alone is an advisor.
    facts = {fact["fact"]: fact["counts"] for fact in report.reading.as_json()["facts"]}
    expected = {"advisors": 1, "contacts": 20, "handlers": {"machine": 20}}
    assert facts["answered_by"] == expected
    assert len(find_contacts()) == 40, "nothing is written while it asks"
    words = {"agent:Voicebot Alix": "machine"}
    report = read(words=words, confirm=report.reading.layout)
    assert not report.is_refused, report.as_text()
    assert find_contacts(*HANDLED, where="contact_id = 'D0'") == [("D0", "machine", None)]
    # The next file of the layout goes through: somebody has said what Alix is.
    third = later.replace("\nD", "\nE")
    assert bring(centre, "contacts", third).tally.new == 40
