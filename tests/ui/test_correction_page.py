"""Correcting an evaluation on its page: by its evaluator alone, with what changes and
why, and never over a dispute or another tab's correction.
"""

from __future__ import annotations

import tomllib

import pytest
import sqlalchemy as sa
from builders import centres, listening_centre
from builders.drafts import BEST, SERVICE, draw, evaluation_of, room, viewer_of
from builders.import_files import bring
from test_evaluate_page import texts

from qa_core.access.roles import Viewer
from qa_core.base.errors import AccessDenied
from qa_core.compliance.conditions import accreditations
from qa_core.quality.evaluations import advisor_response, corrections, disputes, drafts
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation

__all__ = ["room"]
SECTIONS = tomllib.loads(SERVICE.read_text(encoding="utf-8"))["section"]
MAX = {
    criterion["key"]: criterion["points"]
    for section in SECTIONS
    for criterion in section["criterion"]
}


@pytest.fixture
def submitted(room, add_person) -> int:
    """Eve's evaluation of a contact of Ana, published: everything well but the close, 1
    of 2, so 96.
    """
    add_person("ana", "advisor", advisor_id="A1")
    eve = viewer_of("eve")
    evaluation_id = drafts.start(eve, draw("eve"))
    drafts.submit(
        eve,
        evaluation_id,
        drafts.save(eve, evaluation_id, 1, BEST | {"close": 1}, {"close": "Hasty"}, "Fine"),
    )
    return evaluation_id


def correcting(open_app, evaluation_id: int):
    return open_app("eve", "evaluation", id=str(evaluation_id)).button(key="correct").click().run()


def set_answer(app, evaluation_id: int, criterion: str, code: str):
    return (
        app.segmented_control(key=f"correct_{evaluation_id}_answer_{criterion}")
        .set_value(code)
        .run()
    )


def save(app, evaluation_id: int, reason: str):
    app.text_area(key=f"correct_{evaluation_id}_reason").set_value(reason).run()
    return app.button(key=f"correct_{evaluation_id}_save").click().run()


def said(app) -> str:
    """What the page says, without the signs that keep names from being markdown."""
    return texts(app).replace("\\", "")


def labels(app) -> list[str]:
    return [button.label for button in app.button]


def has_control(app) -> bool:
    return any(button.key == "correct" for button in app.button)


def test_its_evaluator_corrects_it_and_sees_first_what_that_does(submitted: int, open_app) -> None:
    app = correcting(open_app, submitted)
    assert "Nothing has changed" in said(app)

    set_answer(app, submitted, "close", "2")
    assert "Score: 96.0 → 100.0" in said(app) and "1 → 2" in said(app)
    save(app, submitted, " ")
    assert "Give a reason." in said(app) and evaluation_of(submitted).score == pytest.approx(96)
    save(app, submitted, "The goodbye came after the music, call 06 12 34 56 78")

    assert not app.exception and evaluation_of(submitted).score == pytest.approx(100)
    assert {answer.criterion: answer.comment for answer in evaluation_of(submitted).answers}[
        "close"
    ] == "Hasty"
    assert (
        "Saved." in said(app)
        and "Changed once" in said(app)
        and "The goodbye came after the music, call •••" in said(app)
    )
    assert has_control(app) and not app.segmented_control
    assert (
        advisor_response.find_news(viewer_of("ana")).corrected == ()
    )  # not read before, so it is simply to be read
    read_by_the_advisor = open_app("ana", "evaluation", id=str(submitted))
    assert "Changed once" in said(read_by_the_advisor) and not has_control(read_by_the_advisor)


def test_what_is_left_is_left_as_it_was(submitted: int, open_app) -> None:
    version = evaluation_of(submitted).version
    app = set_answer(correcting(open_app, submitted), submitted, "close", "0")

    app.button(key=f"correct_{submitted}_leave").click().run()

    assert (
        not app.exception
        and not app.segmented_control
        and evaluation_of(submitted).version == version
    )
    app.button(key="correct").click().run()
    assert app.segmented_control(key=f"correct_{submitted}_answer_close").value == "1"


def test_over_the_correction_of_another_tab_it_is_said_first(submitted: int, open_app) -> None:
    app = set_answer(correcting(open_app, submitted), submitted, "close", "0")
    advisor_response.acknowledge(viewer_of("ana"), submitted)
    corrections.amend(
        viewer_of("eve"),
        submitted,
        evaluation_of(submitted).version,
        BEST,
        {},
        "Fine",
        "Heard again",
    )
    assert advisor_response.find_news(viewer_of("ana")).corrected == (submitted,)
    assert "1 evaluation corrected since you read it" in labels(open_app("ana", "my_quality"))

    save(app, submitted, "Heard twice")
    assert "This was changed meanwhile" in said(app) and evaluation_of(
        submitted
    ).score == pytest.approx(100)
    assert "Score: 100.0 → 92.0" in said(app)  # 80 + 20 × 3/5
    app.button(key=f"correct_{submitted}_save").click().run()

    assert not app.exception and evaluation_of(submitted).score == pytest.approx(92)
    assert "Changed 2 times" in said(
        app
    ) and "Sums up and checks that everything is settled: Hasty → –" in said(app)


def test_what_the_advisor_disputes_stays_as_it_is(submitted: int, open_app, add_person) -> None:
    add_person("mona", "manager", sites=())
    app = set_answer(correcting(open_app, submitted), submitted, "close", "0")

    dispute_id = disputes.raise_dispute(viewer_of("ana"), submitted, "close", 2, "It is there")
    app.run()
    assert app.segmented_control(
        key=f"correct_{submitted}_answer_close"
    ).disabled and "Nothing has changed" in said(app)
    disputes.decide(viewer_of("mona"), dispute_id, "accept", reason="At minute 2")
    app.run()
    assert app.segmented_control(key=f"correct_{submitted}_answer_close").value == "2"
    set_answer(app, submitted, "greeting", "0")
    save(app, submitted, "No greeting")  # looked at before the decision
    app.button(key=f"correct_{submitted}_save").click().run()

    assert (
        not app.exception
        and {answer.criterion: answer.earned for answer in evaluation_of(submitted).answers}[
            "close"
        ]
        == 2
    )


def test_who_may_not_listen_any_more_corrects_nothing(submitted: int, open_app) -> None:
    number = next(
        entry.id for entry in accreditations.find_all(Viewer.SYSTEM) if entry.username == "eve"
    )
    accreditations.end(Viewer.SYSTEM, number)

    app = correcting(open_app, submitted)

    assert not app.exception and not app.segmented_control and "accredited" in said(app)


def test_an_imported_evaluation_is_corrected_like_any_other_and_its_file_does_not_undo_it(
    room, tmp_path, open_app
) -> None:
    rows = "".join(
        "a,A1,eve,2026-03-05 "
        f"10:00,customer-service,{key},{'' if points == 'na' else points},{MAX[key]}\n"
        for key, points in BEST.items()
    )
    file = "contact_id,advisor,evaluator,evaluated_at,grid,criterion,points,possible\n" + rows
    assert bring(tmp_path, "evaluations", file).tally.new == 1
    [evaluation_id] = imported()
    app = set_answer(correcting(open_app, evaluation_id), evaluation_id, "close", "1")

    save(app, evaluation_id, "Heard again")

    assert not app.exception and evaluation_of(evaluation_id).score == pytest.approx(96)
    assert "Saved." in said(app) and "Changed once" in said(app)
    assert bring(tmp_path, "evaluations", file, name="again").tally.unchanged == 1
    assert evaluation_of(evaluation_id).score == pytest.approx(96)


def test_a_score_alone_from_a_file_says_why_it_is_not_corrected_here(
    room, tmp_path, open_app
) -> None:
    bring(
        tmp_path,
        "evaluations",
        "contact_id,advisor,evaluator,evaluated_at,grid,score\na,A1,eve,2026-03-05 10:00,Old,80\n",
        scales={"score": "0-100"},
    )

    app = open_app("eve", "evaluation", id=str(imported()[0]))

    assert not app.exception and not has_control(app)
    assert "This evaluation was imported" in said(app)
    with pytest.raises(AccessDenied):
        corrections.get_correction_base(viewer_of("eve"), imported()[0])


def test_an_advisor_sees_the_criteria_of_a_scorecard_without_sections(
    room, tmp_path, open_app, add_person
) -> None:
    add_person("ana", "advisor", advisor_id="A1")
    centres.add_people({"A2": "Ben"}, {})
    centres.land([centres.contact("2026-03-02 11:00", "c", advisor_id="A2")], "other")
    listening_centre.inform("A2")
    file = "contact_id,advisor,evaluator,evaluated_at,grid,criterion,points,possible\n"
    of_another = "c,A2,eve,2026-03-04 10:00,Old,Opening,2,2\n"
    bring(
        tmp_path, "evaluations", f"{file}{of_another}a,A1,eve,2026-03-05 10:00,Old,Farewell,1,2\n"
    )

    news = said(open_app("ana", "my_quality"))

    assert "Score by criterion" in news and "No evaluation in this period" not in news


def imported() -> list[int]:
    with store.reading() as session:
        return list(
            session.scalars(sa.select(Evaluation.id).where(Evaluation.batch_id.is_not(None)))
        )
