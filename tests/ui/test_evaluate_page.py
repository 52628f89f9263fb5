"""The page where grids are filled: what waits, answers that are there after a reload,
one submission, and two tabs that lose nothing.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from builders.drafts import BEST, draw, evaluation_of, room, viewer_of

from qa_core.base import environment
from qa_core.quality.evaluations import advisor_response, drafts
from qa_core.storage.records import store
from qa_core.storage.records.listening import DrawnContact

__all__ = ["room"]


def answer(app, evaluation_id: int, criterion: str, code: str):
    return (
        app.segmented_control(key=f"grid_{evaluation_id}_answer_{criterion}").set_value(code).run()
    )


def opened(app, evaluation_id: int):
    app.query_params["id"] = str(evaluation_id)
    return app.run()


def texts(app) -> str:
    return "\n".join(
        str(element.value)
        for kind in ("markdown", "caption", "text", "success", "error", "info", "warning")
        for element in app.get(kind)
    )


def test_a_contact_is_taken_from_the_list_answered_reloaded_and_submitted(room, open_app) -> None:
    drawn_id = draw("eve")
    app = open_app("eve")  # an evaluator comes for this page first

    app.button(key=f"start_{drawn_id}").click().run()
    (number,) = app.query_params["id"]
    evaluation_id = int(number)
    assert (
        not app.exception and "Ana" not in texts(app) and "Monday 2 March 2026, 09:00" in texts(app)
    )

    answer(app, evaluation_id, "greeting", "2")
    app.text_area(key=f"grid_{evaluation_id}_comment_greeting").set_value(
        "Call 06 12 34 56 78 back"
    ).run()
    assert drafts.get_draft(viewer_of("eve"), evaluation_id).comments == {
        "greeting": "Call ••• back"
    }

    again = open_app("eve", "evaluate", id=str(evaluation_id))  # the tab was closed
    assert again.segmented_control(key=f"grid_{evaluation_id}_answer_greeting").value == "2"
    assert again.text_area(key=f"grid_{evaluation_id}_comment_greeting").value == "Call ••• back"
    again.button(key=f"submit_{evaluation_id}").click().run()
    assert "Criteria without an answer" in texts(again)
    below_the_answers = [*again.main][-12:]  # where the eyes are after a click on Submit
    assert any("Criteria without" in str(getattr(one, "value", "")) for one in below_the_answers)

    for criterion, points in BEST.items():
        answer(again, evaluation_id, criterion, str(points))
    again.button(key=f"submit_{evaluation_id}").click().run()
    assert not again.exception and "Submitted and published" in texts(again)
    assert evaluation_of(evaluation_id).score == pytest.approx(100)
    assert "No contact is waiting" in texts(open_app("eve"))


def rows_of(app) -> list[dict]:
    return app.dataframe[0].value.to_dict("records")


def test_what_is_due_first_is_on_top_and_another_row_can_be_taken(room, open_app) -> None:
    later, sooner = draw("eve", "a"), draw("eve", "b")
    with store.writing() as session:
        for drawn_id, days in ((later, 3), (sooner, 0)):
            session.get_one(DrawnContact, drawn_id).due_on = environment.today() + timedelta(days)

    app = open_app("eve")

    assert not app.exception and "1 is due today or overdue" in texts(app)
    assert [row["Plan"] for row in rows_of(app)] == ["eve b evaluation", "eve a evaluation"]
    assert rows_of(app)[0]["Minutes"] == 2 and "Ana" not in str(rows_of(app))
    assert [one.key for one in app.button if one.key.startswith("start_")] == [f"start_{sooner}"]

    app.session_state["waiting_contacts"] = {"selection": {"cells": [(1, "Plan")]}}
    app.run()
    app.button(key=f"start_{later}").click().run()
    (number,) = app.query_params["id"]
    assert evaluation_of(int(number)).contact_id == "a"


def test_a_contact_that_cannot_be_evaluated_is_replaced_from_the_list(room, open_app) -> None:
    drawn_id = draw("eve")
    app = open_app("eve")

    app.radio(key=f"because_{drawn_id}").set_value("no_audio").run()
    app.button(key=f"replace_{drawn_id}").click().run()

    assert not app.exception and not app.error
    assert "No other contact of this advisor may be listened to" in texts(app)
    assert "No contact is waiting" in texts(app) and not app.dataframe
    with store.reading() as session:
        drawn = session.get_one(DrawnContact, drawn_id)
        assert (drawn.state, drawn.replaced_because) == ("replaced", "no_audio")


def test_two_tabs_lose_nothing(room, open_app) -> None:
    evaluation_id = drafts.start(viewer_of("eve"), draw("eve"))
    first, second = (open_app("eve", "evaluate", id=str(evaluation_id)) for _ in range(2))

    answer(first, evaluation_id, "greeting", "2")
    answer(second, evaluation_id, "greeting", "0")

    assert "Changed in two places" in texts(second)
    assert drafts.get_draft(viewer_of("eve"), evaluation_id).answers == {"greeting": 2}
    second.radio(key=f"grid_{evaluation_id}_choice_answer_greeting").set_value("typed").run()
    second.button(key=f"grid_{evaluation_id}_merge").click().run()
    assert drafts.get_draft(viewer_of("eve"), evaluation_id).answers == {"greeting": 0}
    assert "Changed in two places" not in texts(second)
    first.run()  # the other tab shows what counts now
    assert first.segmented_control(key=f"grid_{evaluation_id}_answer_greeting").value == "0"


def test_nobody_elses_draft_is_shown(room, open_app) -> None:
    evaluation_id = drafts.start(viewer_of("eve"), draw("eve"))

    app = open_app("max", "evaluate", id=str(evaluation_id))

    assert "You do not have access to this" in texts(app)
    assert [link.proto.label for link in app.main.get("page_link")] == ["Evaluate"]
    assert not app.get("segmented_control")


def test_advisors_fill_their_self_evaluation_here_and_have_no_list(
    room, add_person, open_app
) -> None:
    add_person("ana", "advisor", advisor_id="A1")
    evaluation_id = drafts.start(viewer_of("eve"), draw("eve"))
    drafts.submit(
        viewer_of("eve"), evaluation_id, drafts.save(viewer_of("eve"), evaluation_id, 1, BEST, {})
    )
    own_id = advisor_response.start_self_evaluation(viewer_of("ana"), evaluation_id)

    app = open_app("ana", "evaluate")
    assert not app.exception and not app.get("button_group")
    opened(app, own_id)
    assert "It counts in no figure" in texts(app)
    for criterion, points in BEST.items():
        answer(app, own_id, criterion, str(points))
    app.button(key=f"submit_{own_id}").click().run()

    made = evaluation_of(own_id)
    assert (made.kind, made.state, made.evaluator, made.score) == (
        "self",
        "published",
        "ana",
        pytest.approx(100),
    )
