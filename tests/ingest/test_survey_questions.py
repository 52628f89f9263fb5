"""Surveys whose headers are questions: what a question asks about is read, or asked about."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.centres import contact, land
from builders.import_files import describe_question, run_confirmed

from qa_core.access.roles import Viewer
from qa_core.files.options import ImportOptions
from qa_core.metrics import query

FRENCH = (
    "Horodateur;Référence appel;"
    "Quelle est votre satisfaction globale ? (1 = pas du tout satisfait, 5 = très satisfait);"
    "Votre demande a-t-elle été résolue ?;Nous recommanderiez-vous à un proche ?;Commentaire\n"
    "2026-05-04 10:00;c0;5;Oui;10;\n"
    "2026-05-04 11:00;c1;2;Non;0;Trop d'attente\n"
    "2026-05-05 12:00;c2;4;Oui;9;\n"
)
QUALTRICS = (
    "StartDate,RecordedDate,Progress,Finished,call_id,Q1,Q2\n"
    "Start Date,Recorded Date,Progress,Finished,call_id,How satisfied are you overall? (1-5),"
    "How satisfied are you with the wait? (1-5)\n"
    + ",".join(f'"{{""ImportId"":""{name}""}}"' for name in "abcdefg")
    + "\n2026-05-04 10:00:00,2026-05-04 10:01:00,100,True,c0,4,1\n"
    "2026-05-05 10:00:00,2026-05-05 10:01:00,100,True,c1,2,1\n"
)
UNCLEAR = (
    "call_id,Satisfaction with the first agent,Satisfaction with the second agent,Comment\n"
    "c0,1,2,Fine\nc1,2,3,\nc2,3,4,\n"
)


@pytest.fixture
def bring(centre: Path, tmp_path: Path):
    land(contact("2026-05-04 09:00", f"c{number}") for number in range(3))

    def bring(text: str):
        path = tmp_path / "survey.csv"
        path.write_text(text, encoding="utf-8")
        return run_confirmed(Viewer.SYSTEM, "surveys", [path], ImportOptions(system="generic"))[0]

    return bring


def measure(kpi: str) -> tuple[int, float]:
    [row] = query.measure(Viewer.SYSTEM, (kpi,)).to_dict("records")
    return row["n"], row["value"]


def test_questions_in_french_are_read_by_what_they_ask(bring) -> None:
    report = bring(FRENCH)

    assert report.refusal is None, report.as_text()
    assert measure("csat_mean") == (3, pytest.approx(11 / 3, abs=0.01))
    assert measure("nps") == (3, pytest.approx(100 / 3, abs=0.01))


def test_of_two_questions_about_satisfaction_the_one_about_everything_counts(bring) -> None:
    """The two lines under the headers of such an export are questions and ids, no answers."""
    report = bring(QUALTRICS)

    assert report.refusal is None, report.as_text()
    assert measure("csat_mean") == (2, 3.0)


def test_ratings_that_no_header_explains_are_asked_about(bring) -> None:
    """Without the question, the file would be three surveys without an answer."""
    said = describe_question(bring(UNCLEAR))["error"]

    assert said["code"] == "missing_column"


def test_a_header_that_says_one_is_the_best_is_asked_about(bring, tmp_path: Path) -> None:
    header = "Satisfaction (1 = very satisfied, 5 = very dissatisfied)"
    report = bring(
        f"call_id,Date,{header!r}\n".replace("'", '"') + "c0,2026-05-04,1\nc1,2026-05-04,2\n"
    )
    assert describe_question(report)["error"]["options"][0] == "--scale csat=5-1"

    options = ImportOptions(system="generic", scales=[("csat", "5-1")])
    run_confirmed(Viewer.SYSTEM, "surveys", [tmp_path / "survey.csv"], options)

    assert measure("csat_mean") == (2, 4.5)


def test_stars_beside_a_recommendation_are_asked_about(bring) -> None:
    report = bring("call_id,NPS,Rate our agent\nc0,9,★★★★★\nc1,3,★★☆☆☆\n")

    asked = describe_question(report)["error"]
    assert asked["code"] == "unread_rating"
    assert asked["options"] == ["--map csat=Rate our agent", "--map ignore=Rate our agent"]


def test_a_recommendation_with_words_beside_its_number_is_that_number(bring) -> None:
    bring("call_id,NPS\nc0,Extremely likely - 10\nc1,0 - Not at all likely\nc2,8\n")

    assert measure("nps") == (3, 0)


def test_ids_of_questions_right_under_the_questions_are_no_answer(bring) -> None:
    names = ",".join(f'"{{""ImportId"":""{name}""}}"' for name in "abc")
    questions = "call_id,How satisfied are you overall?,Recorded Date"
    report = bring(f"QID1,Q1,Q2\n{questions}\n{names}\nc0,4,2026-05-04 10:01:00\n")

    assert report.tally.skipped == 1, report.as_text()
    assert measure("csat_mean") == (1, 4)


def test_the_id_of_a_contact_is_looked_for_among_ids(bring) -> None:
    report = bring("Finished,Satisfaction,Reference no\nTrue,4,c0\nTrue,4,c1\nTrue,2,c2\n")

    [question] = report.reading.questions
    assert [answer.option for answer in question.answers] == ["--map contact_id=Reference no"]
