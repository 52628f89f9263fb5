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
SURVEYMONKEY = (
    "Respondent ID,End Date,call_id,How satisfied were you with our service?,"
    "Was your issue resolved?,,What could we do better?\n"
    ",,,Response,Response,Other (please specify),Open-Ended Response\n"
    "118001,05/13/2026 10:03:00 AM,c0,5,Yes,,Nothing\n"
    "118002,05/14/2026 10:02:00 AM,c1,2,No,I called twice,\n"
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


def test_the_titles_of_answers_under_the_questions_are_no_answer(bring) -> None:
    report = bring(SURVEYMONKEY)

    assert report.refusal is None, report.as_text()
    assert (report.tally.read, report.tally.updated, report.tally.rejected) == (3, 2, 0)
    assert report.tally.skipped_kinds == {"header": 1}
    assert "line 2 is a second header row" in report.as_text()
    assert measure("csat_mean") == (2, 3.5)


def test_the_columns_of_one_question_are_told_apart_by_their_choices(bring) -> None:
    """Satisfaction with the speed is not taken for satisfaction: which one counts is asked."""
    report = bring(
        "Respondent ID,call_id,How satisfied were you with our service?,\n,,Speed,Agent\n"
        "118001,c0,5,1\n118002,c1,4,2\n"
    )

    [question] = report.reading.questions
    assert {answer.option for answer in question.answers[:2]} == {
        "--map csat=Speed",
        "--map csat=Agent",
    }


@pytest.mark.parametrize(
    "first",
    [
        "118000,,,4,Yes,,Fine",  # an id
        ",05/12/2026 09:00:00 AM,,4,Yes,,Fine",  # a date
        ",,,4,Yes,,Fine",  # a rating
        ",,,,,,Fine",  # nothing that says it is the title of an answer
        ",,,,,c0,Fine",  # something like an id
    ],
)
def test_an_answer_right_under_the_questions_is_not_left_out(bring, first: str) -> None:
    head, _titles, *answers = SURVEYMONKEY.splitlines()
    report = bring("\n".join([head, first, *answers, ""]))

    assert "header" not in report.tally.skipped_kinds, report.as_text()
    assert report.tally.reasons == {"missing_key": 1} or report.tally.skipped_kinds == {"note": 1}


def test_a_question_of_two_lines_is_no_answer_either(bring) -> None:
    two_lines = "How satisfied are you\noverall? (1-5)"
    report = bring(QUALTRICS.replace("How satisfied are you overall? (1-5)", f'"{two_lines}"'))

    assert report.tally.skipped_kinds == {"header": 2}, report.as_text()
    assert report.mapping["csat"] == "How satisfied are you overall? (1-5)"
    assert measure("csat_mean") == (2, 3.0)


def test_how_far_an_answer_got_is_no_rating(bring) -> None:
    columns = "Status,Progress,Duration (in seconds),Finished,call_id,RecordedDate"
    rows = "".join(f"0,{60 + n},{40 + n},1,c{n},2026-05-04 10:0{n}:00,{n + 3}\n" for n in range(3))
    report = bring(f"{columns},Last call\n{rows}")

    [question] = report.reading.questions
    assert [answer.option for answer in question.answers] == ["--map csat=Last call"]


def test_an_answer_without_a_rating_is_not_asked_about_for_its_progress(bring) -> None:
    report = bring("Progress,Duration (in seconds),call_id,Comment\n100,61,c0,Good\n40,52,c1,Bad\n")

    assert report.tally.updated == 2, report.as_text()


@pytest.mark.parametrize("kinds", [("IP Address", "Survey Preview"), ("0", "1")])
def test_previews_of_a_survey_are_no_answers(bring, kinds: tuple[str, str]) -> None:
    answer, preview = kinds
    report = bring(
        "Status,Progress,Finished,call_id,How satisfied are you overall? (1-5)\n"
        f"{preview},100,True,c0,1\n{answer},100,True,c1,5\n{answer},100,True,c2,4\n"
    )

    assert report.tally.skipped_kinds == {"trial": 1}, report.as_text()
    assert measure("csat_mean") == (2, 4.5)


def test_a_maximum_beside_the_ratings_is_their_scale(bring) -> None:
    report = bring("call_id,Rating,Max Rating\nc0,5,10\nc1,1,10\n")

    [question] = report.reading.questions
    options = [answer.option for answer in question.answers]
    assert options == ["--scale csat=1-10", "--scale csat=0-10"]


def test_a_survey_in_german_says_whether_customers_recommend_the_centre(bring) -> None:
    report = bring(
        "Datum;Anruf-ID;Zufriedenheit (1-5);Weiterempfehlung (0-10);Anliegen gelöst\n"
        "17.03.2026 10:00;c0;5;10;Ja\n17.03.2026 10:00;c1;3;6;Nein\n"
    )

    assert report.tally.updated == 2, report.as_text()
    assert (measure("csat_mean"), measure("nps")) == ((2, 4.0), (2, 0.0))
