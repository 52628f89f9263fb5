"""The page of listening plans: plan, try, draw, verify and replace by hand, and what is
said while nothing can be drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from builders import listening_centre
from builders.centres import add_people, contact, evaluation, land
from builders.shown_texts import as_read
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Viewer
from qa_core.base import environment
from qa_core.quality import sampling, scorecards
from qa_core.quality.sampling import power
from qa_core.storage.records import store
from qa_core.storage.records.listening import Draw, DrawnContact, ListeningPlan
from qa_core.upkeep import subjects

FIRST = (environment.today().replace(day=1) - timedelta(days=1)).replace(day=1)


def fill(add_person: Callable[..., str], **columns: Any) -> list[dict[str, Any]]:
    """A manager, an evaluator, and eight recorded calls of Zoé last month."""
    add_people({"zoe": "Zoé *Martin*"}, {"North": "Lyon"})
    add_person("boss", "manager", sites=("Lyon",))
    add_person("eve", "evaluator")
    common = {
        "advisor_id": "zoe",
        "team": "North",
        "queue": "Orders",
        "recorded": True,
        "notice_played": True,
        "talk_seconds": 200.0,
    } | columns
    contacts = [
        contact(f"{FIRST.replace(day=2 + number)} 10:00", f"c{number}", **common)
        for number in range(8)
    ]
    land(contacts)
    return contacts


def click(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def make_plan(app: AppTest) -> None:
    next(field for field in app.text_input if field.label == "Name").set_value("last")
    next(field for field in app.date_input if field.label == "First day of contacts").set_value(
        FIRST
    )
    next(field for field in app.multiselect if field.label == "Evaluators").set_value(["eve"])
    click(app, "Make a plan")


def plain(text: str) -> str:
    """As it is read: without the marks that keep markdown from reading it, and with
    ordinary spaces.
    """
    return text.replace("\\", "").replace("\u00a0", " ").replace("\u202f", " ")


def said(app: AppTest) -> str:
    return as_read(
        " ".join(
            element.value
            for kind in (app.markdown, app.caption, app.success, app.info, app.warning)
            for element in kind
        )
    )


def test_while_a_gate_is_closed_the_page_says_what_is_missing(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    fill(add_person)

    app = open_app("boss", "listening")

    assert "Listening is not open yet" in app.error[0].value
    assert not app.exception
    app.segmented_control(key="part").set_value("draw").run()
    assert "No plan yet" in said(app)


def test_a_manager_makes_a_plan_tries_it_draws_verifies_and_replaces(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    fill(add_person)
    listening_centre.open_gates()
    listening_centre.accredit("eve")
    listening_centre.inform("zoe", on=str(FIRST - timedelta(days=1)))

    app = open_app("boss", "listening")
    make_plan(app)
    assert "Saved." in said(app) and not app.error
    with store.reading() as session:
        assert session.scalar(sa.select(ListeningPlan.per_advisor)) == 4

    app.segmented_control(key="part").set_value("draw").run()
    app.number_input(key="listening_seed").set_value(5)
    click(app, "Try it")
    assert "4 contacts drawn, from 8 that may be listened to" in said(app)
    with store.reading() as session:
        assert session.scalar(sa.select(sa.func.count(Draw.id))) == 0
    click(app, "Draw")
    assert "4 contacts are drawn and assigned." in said(app)
    click(app, "Verify")
    assert "Same list, from the same sampling frame" in said(app)

    with store.reading() as session:
        assert (
            session.scalar(
                sa.select(sa.func.count(DrawnContact.id)).where(DrawnContact.evaluator == "eve")
            )
            == 4
        )
    app.segmented_control(key="part").set_value("given").run()
    assert not app.exception
    assert "Select a row" in said(app)


def test_a_draw_without_a_known_notice_says_which_column_is_missing(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    fill(add_person, notice_played=None)
    listening_centre.open_gates()
    listening_centre.accredit("eve")
    listening_centre.inform("zoe", on=str(FIRST - timedelta(days=1)))
    app = open_app("boss", "listening")
    make_plan(app)

    app.segmented_control(key="part").set_value("draw").run()
    for button in ("Try it", "Draw"):
        click(app, button)
        assert "column “notice_played”" in said(app)
        assert not app.success


def test_a_fault_of_the_form_is_said_by_its_field(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    fill(add_person)

    app = open_app("boss", "listening")
    next(field for field in app.text_input if field.label == "Name").set_value("last")
    click(app, "Make a plan")

    assert "“Evaluators”: at least one account." in [
        error.value.replace("\\", "") for error in app.error
    ]
    assert next(field for field in app.text_input if field.label == "Name").value == "last"


def test_the_form_gives_a_plan_all_that_its_file_can_say(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    fill(add_person)
    add_person("marc", "manager", sites=("Lyon",), language="fr")

    app = open_app("boss", "listening")
    next(field for field in app.text_input if field.label == "Name").set_value("last")
    for label, values in (("Evaluators", ["eve"]), ("Team", ["North"]), ("Queue", ["Orders"])):
        next(field for field in app.multiselect if field.label == label).set_value(values)
    for label, number in (
        ("Longest call, in seconds", 300),
        ("At most per evaluator", 3),
        ("Days for advisors to dispute", 7),
    ):
        next(field for field in app.number_input if field.label == label).set_value(number)
    click(app, "Make a plan")

    with store.reading() as session:
        plan = session.scalars(sa.select(ListeningPlan)).one()
    assert plan.filters == {
        "team": ["North"],
        "queue": ["Orders"],
        "minimum_seconds": 30,
        "maximum_seconds": 300,
    }
    assert (plan.most_per_evaluator, plan.dispute_days, plan.publish_after_days) == (3, 7, 0)
    assert (
        "Team: North · Queue: Orders · Shortest call, in seconds: 30 · Longest call, in seconds: "
        "300 · At most per evaluator: 3 · Evaluators: eve" in plain(said(app))
    )
    assert "Équipe : North · File : Orders" in plain(said(open_app("marc", "listening")))
    click(app, "Draw")
    assert app.segmented_control(key="part").value == "draw"
    assert next(field for field in app.selectbox if field.label == "Plan").value == "last"


def test_how_many_is_counted_from_the_scores_of_the_centre_itself(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    contacts = fill(add_person)
    with (
        store.writing() as session
    ):  # forty scores, 60 and 80 in turn: 10.13 points around their mean
        session.add_all(
            evaluation(contacts[number % 8], 60.0 + 20 * (number % 2), external_key=str(number))
            for number in range(40)
        )

    spread = power.find_spread(Viewer.SYSTEM)

    # √(40 × 10² / 39)
    assert (round(spread.deviation, 2), spread.evaluations, spread.is_own) == (10.13, 40, True)
    # (1.95996 + 0.84162)² × 2 × 10.13² / 5² = 64.4
    assert power.count_needed(spread.deviation, 5) == 65
    # 2.80158 × 10.13 × √2 / √4
    assert round(power.find_detectable(spread.deviation, 4)[0].points, 1) == 20.1
    assert [entry.evaluations for entry in power.find_detectable(spread.deviation, 4)] == [
        4,
        12,
        48,
    ]
    app = open_app("boss", "listening")
    app.segmented_control(key="part").set_value("sizes").run()
    assert "65 evaluations" in said(app)


def test_a_manager_gives_a_contact_out_from_its_own_page_and_nobody_else_can(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    [call, *_others] = fill(add_person)
    add_person("lead", "team_lead", teams=("North",))
    listening_centre.open_gates()
    listening_centre.accredit("eve")
    listening_centre.inform("zoe", on=str(FIRST - timedelta(days=1)))
    scorecards.publish_starter(Viewer.SYSTEM, "customer-service")
    place = {"system": call["source_system"], "id": call["contact_id"]}

    app = open_app("boss", "contact")
    app.query_params.update(place)
    app.run()
    click(app, "Assign")

    assert "Saved." in said(app) and not app.exception
    with store.reading() as session:
        assert session.execute(
            sa.select(DrawnContact.evaluator, DrawnContact.contact_id)
        ).all() == [("eve", call["contact_id"])]
    click(app, "Assign")
    assert "already drawn" in app.error[0].value
    app = open_app("lead", "contact")
    app.query_params.update(place)
    app.run()
    assert not [button for button in app.button if button.label == "Assign"]


def test_a_pick_that_an_objection_withdrew_is_no_draw_without_contacts(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    [call, *_others] = fill(add_person)
    listening_centre.open_gates()
    listening_centre.accredit("eve")
    listening_centre.inform("zoe", on=str(FIRST - timedelta(days=1)))
    scorecards.publish_starter(Viewer.SYSTEM, "customer-service")
    key = call["source_system"], call["contact_id"]
    sampling.pick(Viewer.SYSTEM, *key, "complaint", "eve")
    subjects.object_to(Viewer.SYSTEM, contacts=[key])

    app = open_app("boss", "listening")

    assert "None yet." in said(app) and "Nothing was drawn" not in said(app)
    assert "missing" not in said(app)
