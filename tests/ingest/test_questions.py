"""A right number or a question: what an import asks, what it reports as odd, what a
person may answer.
"""

from __future__ import annotations

import csv
import io
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.import_files import bring, describe_question, find_contacts, run_confirmed, write
from builders.listening_centre import allow_evaluations

from qa_core import ingest
from qa_core.access.roles import Viewer
from qa_core.base.errors import Misuse
from qa_core.files.options import ImportOptions
from qa_core.ingest.load import batches
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation, EvaluationAnswer, ScorecardVersion
from qa_core.storage.records.imports import ImportBatch

WORDS = """Call ID,Start time,Call Outcome,Sense
C1,2026-03-20 09:00:00,OK1,come
C2,2026-03-20 09:10:00,HUP,come
C3,2026-03-20 09:20:00,OK1,go
"""


def calls(rows: int, **columns: object) -> str:
    """A file of calls a minute apart; each column a value, or a function of the row."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["Call ID", "Start time", *columns])
    start = datetime(2026, 3, 20, 8)
    for row in range(rows):
        cells = [cell(row) if callable(cell) else cell for cell in columns.values()]
        writer.writerow([f"C{row}", f"{start + timedelta(minutes=row):%Y-%m-%d %H:%M:%S}", *cells])
    return out.getvalue()


def refuse(folder: Path, text: str, kind: str = "contacts", **options: object) -> dict:
    path = write(folder, "asked.csv", text)
    report = run_confirmed(Viewer.SYSTEM, kind, [path], ImportOptions(**options))[0]
    assert report.is_refused, report.as_text()
    return describe_question(report)


def test_taught_words_are_kept_in_a_saved_mapping(centre: Path) -> None:
    asked = refuse(centre, WORDS)
    assert (asked["verdict"], asked["error"]["code"]) == ("asks", "unknown_words")
    assert "--word Call Outcome:OK1=MEANING" in asked["error"]["options"]
    words = {"Call Outcome:OK1": "answered", "Call Outcome:HUP": "abandoned"}
    bring(centre, "contacts", WORDS, words=words, save_mapping="hotline")
    assert find_contacts("outcome") == [
        ("C1", "answered"),
        ("C2", "abandoned"),
        ("C3", "answered"),
    ]
    later = WORDS.replace("C", "D").replace("Dall", "Call")
    bring(centre, "contacts", later, profile="hotline")
    assert [row[1] for row in find_contacts("outcome")[3:]] == ["answered", "abandoned", "answered"]


def test_a_direction_is_taught_too(centre: Path) -> None:
    words = {
        "Call Outcome:OK1": "answered",
        "Call Outcome:HUP": "abandoned",
        "Sense:come": "inbound",
        "Sense:go": "outbound",
    }
    bring(centre, "contacts", WORDS, words=words)
    assert [row[1] for row in find_contacts("direction")] == ["inbound", "inbound", "outbound"]


def test_a_mark_is_taught_as_a_number(centre: Path) -> None:
    text = (
        "Call ID,Start time,Outcome,Satisfaction (1-5)\n"
        "C1,2026-03-20 09:00:00,answered,splendid\nC2,2026-03-20 09:10:00,answered,3\n"
    )
    bring(centre, "contacts", text, words={"Satisfaction (1-5):splendid": "5"})
    assert find_contacts("csat") == [("C1", 5.0), ("C2", 3.0)]


@pytest.mark.parametrize(
    ("marks", "options"),
    [
        ([12, 14, 20, 0], ["--scale csat=0-20", "--scale csat=0-100"]),
        ([0, 4, 10, 7], ["--scale csat=0-10", "--scale csat=1-10"]),
        ([1, 4, 7, 6], ["--scale csat=1-7", "--scale csat=1-10"]),
    ],
)
def test_ratings_that_fit_two_scales_are_asked_about_and_kept_with_the_one_given(
    centre: Path, marks: list[int], options: list[str]
) -> None:
    text = calls(12, **{"Outcome": "answered", "Satisfaction": lambda row: marks[row % 4]})
    asked = refuse(centre, text)["error"]
    assert (asked["code"], asked["options"]) == ("ambiguous_scale", options)
    assert not find_contacts()
    scale = options[0].partition("=")[2]
    bring(centre, "contacts", text, scales={"csat": scale})
    expected = [(float(mark), scale) for mark in marks]
    assert [row[1:] for row in find_contacts("csat", "csat_scale")][:1] == expected[:1]
    assert sorted({row[1:] for row in find_contacts("csat", "csat_scale")}) == sorted(expected)


def test_scores_up_to_twenty_are_asked_about_and_counted_on_the_scale_given(centre: Path) -> None:
    allow_evaluations("Eve")
    bring(centre, "contacts", "contact_id,started_at,advisor\nC1,2026-03-04 09:00:00,Ann\n")
    rows = "".join(f"C1,Eve,2026-03-{5 + row:02d},Service,{12 + row}\n" for row in range(5))
    marks = f"contact_id,evaluator,evaluated_at,grid,score\n{rows}"
    asked = refuse(centre, marks, "evaluations")["error"]
    assert "--scale score=0-20" in asked["options"]
    bring(centre, "evaluations", marks, scales={"score": "0-20"})
    with store.reading() as session:
        scores = sorted(session.scalars(sa.select(Evaluation.score)))
    assert scores == [60.0, 65.0, 70.0, 75.0, 80.0]


def test_a_header_with_an_equals_sign_can_be_answered(centre: Path) -> None:
    allow_evaluations("Eve")
    marks = "contact_id,evaluator,evaluated_at,grid,scor=e\nC1,Eve,2026-03-05,Service,4.5\n"
    report = bring(centre, "evaluations", marks, scales={"scor=e": "0-5"})
    assert report.tally.read == 1
    assert ImportOptions().with_answer("--scale scor=e=0-5").scales == {"scor=e": "0-5"}


def test_a_meaning_or_a_column_that_is_none_is_named(centre: Path) -> None:
    path = write(centre, "calls.csv", WORDS)
    with pytest.raises(Misuse, match="is not a known meaning"):
        ingest.run(
            Viewer.SYSTEM,
            "contacts",
            [path],
            ImportOptions(words={"Call Outcome:OK1": "so-so"}),
        )
    with pytest.raises(Misuse, match="COLUMN:VALUE=MEANING"):
        ImportOptions(words={"Call Outcome": "answered"})
    assert refuse(centre, WORDS, words={"Colour:red": "answered"})["error"]["code"] == (
        "unknown_column"
    )


def test_a_file_of_which_most_is_rejected_is_refused_with_its_reasons(centre: Path) -> None:
    text = "Call ID,Start time,Outcome\n" + "".join(
        f"C{row},2026-0{2 + row % 2}-30 09:00:00,answered\n" for row in range(10)
    )
    asked = refuse(centre, text)
    assert asked["error"]["code"] == "too_many_rejected"
    assert "5 × a date that does not exist" in asked["error"]["message"]
    assert not find_contacts()


def test_a_guess_that_looks_odd_needs_a_yes_and_the_batch_keeps_who_said_it(centre: Path) -> None:
    text = calls(300, Status="completed")
    asked = refuse(centre, text)
    assert (asked["error"]["code"], asked["error"]["options"][0]) == ("implausible", "--yes")
    assert not find_contacts()
    report = bring(centre, "contacts", text, yes=True)
    assert report.tally.new == 300
    assert [oddity["code"] for oddity in report.as_json()["plausibility"]] == ["all_answered"]
    with store.reading() as session:
        decisions = batches.load_decisions(session.get_one(ImportBatch, report.batch_id))
    said = [item.as_json() for item in decisions if "accepted" in item.decision]
    assert said == [
        {
            "field": "file",
            "decision": "accepted although it looks odd: all_answered",
            "evidence": Viewer.SYSTEM.username,
        }
    ]


def test_what_the_file_itself_says_is_only_shown(centre: Path) -> None:
    report = bring(centre, "contacts", calls(300, **{"Answered (Y/N)": "Y", "Agent": "Ann"}))
    codes = {oddity["code"] for oddity in report.as_json()["plausibility"]}
    assert codes == {"all_answered", "one_advisor"} and report.tally.new == 300


def test_a_contact_dated_years_ahead_among_many_is_shown(centre: Path) -> None:
    text = calls(300, Outcome=lambda row: ("answered", "abandoned")[row % 3 == 0])
    report = bring(centre, "contacts", text.replace("2026-03-20 08:05", "2062-03-20 08:05"))
    assert report.as_json()["plausibility"] == [
        {
            "code": "in_the_future",
            "message": "Contacts that begin after today: 1. Are their dates right?",
            "value": 1,
        }
    ]


def test_ids_of_the_day_before_are_asked_about(centre: Path) -> None:
    first = calls(300, Outcome=lambda row: ("answered", "abandoned")[row % 3 == 0])
    bring(centre, "contacts", first)
    next_day = first.replace("2026-03-20", "2026-03-22")
    asked = refuse(centre, next_day)
    assert asked["error"]["code"] == "implausible"
    assert asked["error"]["options"] == ["--yes", "--map ignore=Call ID"]
    assert len(find_contacts()) == 300


def test_ids_used_again_include_their_day_in_later_files_too(centre: Path) -> None:
    head = "Call ID,Start time,Outcome\n"
    days = "".join(
        f"{number},2026-03-{day} 09:0{number}:00,answered\n"
        for day in (20, 21)
        for number in (1, 2)
    )
    report = bring(centre, "contacts", head + days)
    assert [row[0] for row in find_contacts()] == [
        "1@2026-03-20",
        "1@2026-03-21",
        "2@2026-03-20",
        "2@2026-03-21",
    ]
    assert any("ids are reused" in item.decision for item in report.decisions)
    later = head + "1,2026-03-22 09:01:00,answered\n"
    assert bring(centre, "contacts", later).tally.new == 1
    again = bring(centre, "contacts", later.replace("\n", "\r\n"))
    assert (again.tally.new, again.tally.unchanged) == (0, 1)
    survey = bring(centre, "surveys", "contact_id,csat\n1,5\n")
    assert survey.tally.reasons == {"ambiguous_contact": 1}


def test_an_only_that_there_is_not_is_a_misuse(centre: Path) -> None:
    path = write(centre, "calls.csv", WORDS)
    for only in ({"outcome": "red"}, {"colour": "red"}):
        with pytest.raises(Misuse):
            ingest.run(Viewer.SYSTEM, "contacts", [path], ImportOptions(only=only))


MARKS = """Contact ID,Agent,Evaluator,Evaluated at,Welcome,Listening,Solution,Score /15
C1,Ann,Eve,2026-03-20 09:00:00,5,4,3,12
C2,Bob,Eve,2026-03-20 10:00:00,2,0,4,6
"""


def test_a_ticket_number_beside_answers_is_no_criterion(centre: Path) -> None:
    marks = "Ticket Number,Agent,Evaluator,Date,Greeting\n500123,Ann,Eve,2026-03-20,Yes\n"
    [report] = ingest.run(Viewer.SYSTEM, "evaluations", [write(centre, "marks.csv", marks)])
    assert not report.reading.questions


def test_criteria_without_a_maximum_are_one_question_whose_answers_show_the_score(
    centre: Path,
) -> None:
    path = write(centre, "marks.csv", MARKS)
    [report] = ingest.run(Viewer.SYSTEM, "evaluations", [path])
    [question] = report.reading.questions
    assert [(answer.option, dict(answer.effect)) for answer in question.answers] == [
        ("--scale criteria=0-5", {"rows": 2, "score": 60}),  # 18 of 30; 15 is 3 times 5
        ("--scale criteria=0-10", {"rows": 2, "score": 30}),
        ("--scale criteria=0-20", {"rows": 2, "score": 15}),
    ]
    allow_evaluations("Eve")
    calls_of_both = "C1,2026-03-19 09:00:00,Ann\nC2,2026-03-19 10:00:00,Bob\n"
    bring(centre, "contacts", "contact_id,started_at,advisor\n" + calls_of_both)
    bring(centre, "evaluations", MARKS, scales={"criteria": "0-5"})
    with store.reading() as session:
        possible = session.scalars(sa.select(EvaluationAnswer.possible)).all()
    assert possible == [5.0] * 6


def test_a_scorecard_made_from_a_file_has_what_did_not_apply_in_its_first_row(
    centre: Path,
) -> None:
    allow_evaluations("Eve")
    calls = "C1,2026-03-19 09:00:00,Ann\nC2,2026-03-19 10:00:00,Bob\n"
    bring(centre, "contacts", f"contact_id,started_at,advisor\n{calls}")
    marks = (
        "Contact ID,Agent,Evaluator,Evaluated at,Greeting /2,Offer /3\n"
        "C1,Ann,Eve,2026-03-20 09:00:00,N/A,3\nC2,Bob,Eve,2026-03-20 10:00:00,1,1\n"
    )
    bring(centre, "evaluations", marks)
    with store.reading() as session:
        content = session.scalars(sa.select(ScorecardVersion.content)).one()
        scores = session.scalars(Unscoped(sa.select(Evaluation.score), "a test reads all")).all()
    criteria = [item for section in content["section"] for item in section["criterion"]]
    assert [item["key"] for item in criteria] == ["Greeting /2", "Offer /3"]
    assert sorted(scores) == [40, 100]  # 2 of 5, and 3 of 3


def test_a_total_on_the_maximum_of_its_heading_agrees_with_its_criteria(centre: Path) -> None:
    marks = (
        "Contact ID,Agent,Evaluator,Evaluated at,Welcome /2,Solution /3,Score /40\n"
        "C1,Ann,Eve,2026-03-20 09:00:00,2,3,40\n"
        "C2,Bob,Eve,2026-03-20 10:00:00,1,1,16\n"
    )
    [report] = ingest.run(Viewer.SYSTEM, "evaluations", [write(centre, "marks.csv", marks)])
    assert report.reading.questions == []
    assert [item["column"] for item in report.reading.as_json()["unused"]] == ["Score /40"]


def test_a_total_that_somebody_says_is_right_is_the_score_whatever_its_criteria_give(
    centre: Path,
) -> None:
    calls = "contact_id,started_at,outcome,advisor\n"
    bring(centre, "contacts", calls + "C1,2026-03-02 09:00,answered,Ann\n")
    marks = (
        "Réf. appel;Auditeur;Date d'écoute;Note /20;Accueil;Conclusion\n"
        "C1;Eve;20/03/2026;15,5;1/5;2/4\n"
    )
    [asked] = ingest.run(Viewer.SYSTEM, "evaluations", [write(centre, "marks.csv", marks)])
    assert [one.refusal.code for one in asked.reading.questions] == ["total_and_criteria"]
    effects = {one.option: one.effect["score"] for one in asked.reading.questions[0].answers}
    assert effects["--map score=Note /20"] == 78 != effects["--map ignore=Note /20"]

    bring(centre, "evaluations", marks, columns={"score": "Note /20"})
    with store.reading() as session:
        statement = sa.select(Evaluation.score)
        assert session.scalars(Unscoped(statement, "a test reads all")).all() == [77.5]


@pytest.mark.parametrize(("name", "first"), [("nps-march.csv", "nps"), ("spring.csv", "csat")])
def test_the_name_of_a_file_says_what_its_scores_rate(centre: Path, name: str, first: str) -> None:
    rows = (f"C{number},2026-03-20 09:{number}:00,{number % 11}\n" for number in range(10, 50))
    path = write(centre, name, "Contact ID,Answered at,Score\n" + "".join(rows))
    [report] = ingest.run(Viewer.SYSTEM, "surveys", [path])
    rated = next(q for q in report.reading.questions if q.refusal.code == "unclear_rating")
    assert rated.answers[0].option == f"--map {first}=Score"


@pytest.mark.parametrize(
    ("headers", "named"),
    [("Agent;State;From;To", "State, From, To"), ("Agent;Statut;Début;Fin", "Statut, Début, Fin")],
)
def test_a_log_of_states_of_advisors_is_named(centre: Path, headers: str, named: str) -> None:
    rows = "Ann;Available;2026-03-20 09:00:00;2026-03-20 09:14:10\n"
    [report] = ingest.run(
        Viewer.SYSTEM, "contacts", [write(centre, "log.csv", f"{headers}\n{rows}")]
    )
    assert str(report.refusal) == (
        f"This looks like log-ins, shifts or states of advisors ({named}), not contacts. Export "
        "the list of calls of the telephony."
    )


def test_the_date_order_that_gives_the_shorter_time_is_offered_first(
    centre: Path, tmp_path: Path
) -> None:
    days = "".join(f"C{day},11/{day:02}/2026 09:00,Answered\n" for day in range(2, 9))
    path = write(tmp_path, "calls.csv", f"Call ID,Start time,Outcome\n{days}")

    [report] = run_confirmed(Viewer.SYSTEM, "contacts", [path])

    asked = describe_question(report)["error"]
    assert asked["code"] == "ambiguous_dates"
    assert asked["options"] == ["--date-order mdy", "--date-order dmy"]


WEAK = """Call ID,Created at,Call direction,Call status,Voicemail,Completion status
1,2026-03-02 09:00:00,inbound,completed,No,completed
2,2026-03-02 09:10:00,inbound,completed,No,abandoned_in_queue
3,2026-03-02 09:20:00,inbound,completed,No,abandoned_in_ivr
4,2026-03-02 09:30:00,inbound,completed,Yes,abandoned_in_voicemail
"""


def test_a_status_that_says_completed_of_all_leaves_the_outcome_to_another_column(
    centre: Path,
) -> None:
    """As Zendesk Talk exports it: three of the four were never answered."""
    [asked] = ingest.run(Viewer.SYSTEM, "contacts", [write(centre, "z.csv", WEAK)], ImportOptions())
    question = next(one for one in asked.reading.questions if one.refusal.code == "unread_outcome")
    assert question.answers[0].option == "--map outcome=Completion status"

    words = {
        f"Completion status:abandoned_in_{place}": "abandoned" for place in ("ivr", "voicemail")
    }
    bring(centre, "contacts", WEAK, columns={"outcome": "Completion status"}, words=words)
    assert [row[1] for row in find_contacts("outcome")] == ["answered", *["abandoned"] * 3]


def test_an_answer_about_parts_of_calls_holds_for_later_files(centre: Path) -> None:
    rows = (
        "Call Time,Call ID,From,To,Direction,Status,Ringing,Talking\n"
        "2026-03-20 09:00:00,1,0612345601,Ann Lee (101),Inbound,Unanswered,00:00:15,00:00:00\n"
        "2026-03-20 09:00:15,1,0612345601,Bob Roe (102),Inbound,Answered,00:00:04,00:03:10\n"
    )
    asked = refuse(centre, rows)
    assert asked["error"]["code"] == "legs_of_contacts"
    layout = asked["reading"]["layout"]
    columns = {"contact_id": "Call ID"}
    assert bring(centre, "contacts", rows, columns=columns, confirm=layout).tally.new == 1
    later = rows.replace("03-20", "03-21").replace(",1,0", ",2,0")
    [report] = ingest.run(Viewer.SYSTEM, "contacts", [write(centre, "later.csv", later)])
    assert (report.refusal, report.tally.new, report.tally.duplicates) == (None, 1, 1)
