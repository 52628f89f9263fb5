"""The page on coaching as the lead, the advisor and the manager use it: the list of the
week, a prefilled plan, notes, the end, and nobody else's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from builders.centres import add_people, contact, evaluation, land
from builders.drafts import draw
from builders.shown_texts import as_read, text_of
from streamlit.testing.v1 import AppTest

from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.base import environment
from qa_core.quality.coaching import plans
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import Evaluation
from qa_core.storage.records.listening import Dispute, DrawnContact
from qa_core.storage.records.people import Membership
from qa_core.ui.frame import menu

LEAD = Viewer("leo", Role.TEAM_LEAD, led_teams=(TeamSpan("Nord"),))


@pytest.fixture
def teams(start_from: Callable[..., Any], add_person: Callable[..., str]) -> None:
    """Six advisors of Nord, each evaluated ten times: Ada fails the greeting and the
    record each time, the others fail each once.
    """
    start_from(build_teams, add_person)


def build_teams(add_person: Callable[..., str]) -> None:
    add_people(
        {
            f"a{number}": name
            for number, name in enumerate(("Ada", "Bea", "Cleo", "Dina", "Elsa", "Fay"))
        },
        {"Nord": "Lille", "Sud": "Nice"},
    )
    made: list[Evaluation] = []
    contacts = []
    for number in range(6):
        for day in range(10):
            at = environment.today() - timedelta(days=7 * day + 1)
            contacts.append(
                contact(f"{at}T10:00", f"c{number}-{day}", advisor_id=f"a{number}", team="Nord")
            )
            misses = number == 0 or day == number
            points = {
                ("Call", key): (0.0 if misses else 2.0, 2) for key in ("greeting", "record")
            } | {("Call", "close"): (float(day % 3), 2)}
            made.append(
                evaluation(
                    contacts[-1],
                    100 * sum(earned for earned, _possible in points.values()) / 6,
                    points,
                )
            )
    land(contacts)
    with store.writing() as session:
        session.add_all(made)
        session.add_all(
            Membership(advisor_id=f"a{number}", team_name="Nord") for number in range(6)
        )
    add_person("leo", "team_lead", teams=("Nord",))
    add_person("lou", "team_lead", teams=("Sud",))
    add_person("mona", "manager", sites=("Lille",))
    add_person("ada", "advisor", advisor_id="a0")
    add_person("bea", "advisor", advisor_id="a1")


def click(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def ask(app: AppTest, page: str, **query: str) -> AppTest:
    """Follow a link to a page with that in its address."""
    app.switch_page(menu.find_page(page).path)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def labels(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_the_lead_opens_a_prefilled_plan_from_the_week_writes_on_it_and_ends_it(
    teams: None, open_app: Callable[..., AppTest]
) -> None:
    app = open_app("leo", "coaching")
    assert not app.exception
    assert "This week: 1 advisor needs you" in text_of(
        app
    ) and "from the rest of the team" in text_of(app)
    assert [
        label for label in labels(app) if label in ("Ada", "Bea", "Cleo", "Dina", "Elsa", "Fay")
    ] == ["Ada"]

    app = app.button(key="open_a0").click().run()
    assert app.selectbox[0].value == "a0"
    assert sorted(app.multiselect[0].value) == ["greeting", "record"]
    app.text_area[0].set_value("Greet everybody by name").run()
    app = app.button(key="coaching_send_1").click().run()
    assert not app.exception and not app.error
    assert "Saved." in text_of(app) and "Too early: 5 more evaluations needed" in text_of(app)
    plan = plans.find_plans(LEAD)[0]
    assert (plan.advisor, plan.goal, sorted(plan.criteria)) == (
        "Ada",
        "Greet everybody by name",
        ["greeting", "record"],
    )
    assert "Coaching on it is under way" in text_of(app)
    assert "open_a0" not in [button.key for button in app.button]

    app.text_area[0].set_value("Call back on 06 12 34 56 78").run()
    assert "This seems to contain personal data: phone number" in "\n".join(
        warning.value for warning in app.warning
    )
    app.text_area[0].set_value("Heard two calls").run()
    app.number_input[0].set_value(30).run()
    app = click(app, "Add")
    assert "session of 30 min" in text_of(app) and "1 session, 30 min" in text_of(app)

    app = click(app, "Goal reached")
    assert not app.exception and "Saved." in text_of(app)
    assert plans.get_plan(LEAD, plan.id).state == "reached"


def test_who_was_never_evaluated_stands_in_one_table(
    centre: Path, open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    people = {"a1": "Ann", "a2": "Bob", "a3": "Cleo"}
    add_people(people, {"Nord": "Lille"})
    land([contact("2026-05-04 09:00", name, advisor_id=name, team="Nord") for name in people])
    with store.writing() as session:
        session.add_all(Membership(advisor_id=name, team_name="Nord") for name in people)
    add_person("leo", "team_lead", teams=("Nord",))

    app = open_app("leo", "coaching")

    assert app.dataframe[0].value.to_dict("list") == {
        "Advisor": ["Ann", "Bob", "Cleo"],
        "Team": ["Nord"] * 3,
        "Evidence": ["Never evaluated"] * 3,
    }
    assert not [button for button in app.button if button.label in people.values()]


def test_a_plan_opens_in_a_dialog_on_the_page_of_the_advisor_and_stays_there(
    teams: None, open_app: Callable[..., AppTest]
) -> None:
    app = open_app("leo", "advisor", id="a1")
    assert not app.exception and app.title[0].value == "Bea" and not app.text_area
    app = app.button(key="open_here").click().run()
    assert "Agree on it with the advisor first." in text_of(app)
    assert app.selectbox(key="coaching_who_1").value == "a1" and app.multiselect[0].value == []
    app = app.button(key="coaching_cancel_1").click().run()
    assert not app.text_area and plans.find_plans(LEAD) == ()

    app = app.button(key="open_here").click().run()
    app = app.button(key="coaching_send_2").click().run()
    assert [item.value for item in app.error] and plans.find_plans(LEAD) == ()
    app.text_area[0].set_value("Say your *name*").run()
    app.multiselect[0].set_value(["greeting"]).run()
    app = app.button(key="coaching_send_2").click().run()
    assert not app.exception and not app.error and "Saved." in text_of(app)
    assert app.title[0].value == "Bea" and not app.text_area  # closed, on the same page
    assert "Coaching: Say your *name*" in [as_read(link.label) for link in app.get("page_link")]
    [plan] = plans.find_plans(LEAD)
    assert (plan.advisor, plan.goal, list(plan.criteria)) == (
        "Bea",
        "Say your *name*",
        ["greeting"],
    )


@pytest.mark.parametrize(("username", "sees"), [("mona", True), ("lou", False), ("bea", False)])
def test_nobody_but_the_lead_of_an_advisor_opens_a_plan_from_their_page(
    teams: None, open_app: Callable[..., AppTest], username: str, sees: bool
) -> None:
    app = open_app(username, "advisor", id="a0")
    assert ("Ada" in [title.value for title in app.title]) == sees
    assert "open_here" not in [button.key for button in app.button]


def test_an_end_decided_on_an_older_state_of_the_plan_is_refused(
    teams: None, open_app: Callable[..., AppTest]
) -> None:
    number = plans.open_plan(LEAD, "a0", "Greet", ["greeting"])
    app = open_app("leo", "coaching")
    plans.add_note(Viewer("ada", Role.ADVISOR, advisor_id="a0"), number, "Please wait")

    app = click(app, "Stopped")

    assert "This was changed meanwhile" in text_of(app)
    assert plans.get_plan(LEAD, number).state == "open"


def test_the_advisor_meets_their_own_plan_on_both_pages_and_nothing_of_colleagues(
    teams: None, open_app: Callable[..., AppTest]
) -> None:
    start = environment.today() - timedelta(days=30)
    plans.open_plan(LEAD, "a0", "Greet *everybody*", ["greeting"], starts_on=start)
    foreign = plans.open_plan(LEAD, "a1", "Listen", ["record"])

    app = open_app("ada", "coaching")
    assert not app.exception
    said = text_of(app)
    assert "Greet *everybody*" in said and "regression to the mean" in said
    assert not any(
        word in said for word in ("This week", "colleagues of the team", "Bea", "Listen")
    )
    assert "End the plan" not in labels(app)
    files = [link.label for link in app.get("link_button")]
    assert files == ["Training file · CSV", "XLSX"]
    app.text_area[0].set_value("I will try").run()
    click(app, "Add")
    assert plans.find_plans(LEAD, "a0")[0].notes[0].author == "ada"

    app = app.switch_page(menu.find_page("my_quality").path).run()
    assert any(
        "Greet" in link.label for link in app.get("page_link")
    ) and "Under way · greeting" in text_of(app)

    app = open_app("ada", "coaching", plan=str(foreign))
    assert "You do not have access to this" in text_of(app) and "Listen" not in text_of(app)


def test_the_manager_reads_and_another_lead_meets_nothing(
    teams: None, open_app: Callable[..., AppTest]
) -> None:
    plans.open_plan(
        LEAD, "a0", "Greet", ["greeting"], starts_on=environment.today() - timedelta(days=40)
    )

    app = open_app("mona", "coaching")
    assert not app.exception and "Greet" in text_of(app) and "This week" not in text_of(app)
    assert not {"Open a plan", "Add", "Stopped"} & set(labels(app))

    app = open_app("lou", "coaching")
    assert (
        not app.exception
        and "No advisor needs you this week" in text_of(app)
        and "No plan yet" in text_of(app)
    )

    app = open_app("leo", "advisor", id="a0")
    assert not app.exception and any("Greet" in link.label for link in app.get("page_link"))


def test_the_lead_s_page_begins_with_what_to_do_this_week_and_says_so_if_there_is_nothing(
    teams: None, open_app: Callable[..., AppTest]
) -> None:
    app = open_app("leo", "advisors")

    assert not app.exception
    said = text_of(app)
    assert "What you can do this week" in said and "from the rest of the team" in said
    assert said.index("What you can do") < said.index("test of the whole group")
    links = [(link.proto.label, link.proto.page) for link in app.get("page_link")]
    assert ("Ada", "coaching") in links
    assert not {"Bea", "Cleo"} & {label for label, _page in links}

    drawn_id = draw("eve", "c1-0", advisor_id="a1")
    with store.writing() as session:
        session.get_one(DrawnContact, drawn_id).team = "Nord"
    assert "0 of 1 planned contact evaluated" in text_of(app.run())

    other = open_app("lou", "advisors")
    assert not other.exception and "Nothing waits for you this week" in text_of(other)


def test_the_manager_s_week_has_what_managers_decide_and_names_nobody_to_coach(
    teams: None, open_app: Callable[..., AppTest]
) -> None:
    with store.writing() as session:
        number = session.scalar(sa.select(Evaluation.id).limit(1))
        session.add(
            Dispute(evaluation_id=number, criterion="greeting", reason="No", raised_by="ada")
        )

    app = open_app("mona", "advisors")

    assert not app.exception and "What you can do this week" in text_of(app)
    links = {(link.proto.label, link.proto.page) for link in app.get("page_link")}
    assert ("Disputes", "disputes") in links
    assert "1 dispute raised today waits for a decision" in text_of(app)
    assert "below the rest of the team" not in text_of(app)
