"""The pages of accounts: what was typed and refused is not lost, and an account of
nobody says who mends it.
"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.people import LoginSession, ServiceToken


def field_of(app: AppTest, label: str):
    return next(field for field in app.text_input if field.label == label)


def add_account(app: AppTest, username: str, name: str) -> AppTest:
    field_of(app, "Username").set_value(username)
    field_of(app, "Display name").set_value(name)
    return next(button for button in app.button if button.label == "Add").click().run()


def test_a_refused_account_keeps_what_was_typed_and_an_added_one_leaves_an_empty_form(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("root", "admin")
    add_person("tom", "team_lead")

    app = add_account(open_app("root", "people"), "tom", "Thomas Two")
    assert app.error and not app.success
    assert (field_of(app, "Username").value, field_of(app, "Display name").value) == (
        "tom",
        "Thomas Two",
    )

    app = add_account(app, "tom2", "Thomas Two")
    assert "One-time password of tom2" in app.success[0].value and app.code[0].value
    assert (field_of(app, "Username").value, field_of(app, "Display name").value) == ("", "")
    assert not app.run().code  # shown once


def test_an_advisors_account_that_is_nobodys_says_who_links_it(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("new", "advisor")

    app = open_app("new", "my_quality")

    assert not app.error and not app.exception
    assert "Your account is not linked to an advisor yet" in app.markdown[0].value


def test_an_evaluator_who_may_not_listen_is_told_so(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("eve", "evaluator")

    app = open_app("eve", "evaluate")

    assert "You are not accredited to listen today" in app.warning[0].value and not app.success


def test_the_secret_of_a_new_token_is_shown_once_and_a_token_can_be_revoked(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("root", "admin")

    app = open_app("root", "service_tokens")
    assert {"curl", "Python", "Excel", "Power BI"} == {tab.label for tab in app.tabs}
    assert "http" in app.code[0].value and "Bearer" in app.code[0].value
    app.selectbox[0].select("executive").run()
    field_of(app, "Name").set_value("report")
    app = next(button for button in app.button if button.label == "Add").click().run()
    secret = app.code[0].value
    assert not app.exception and secret.startswith("ecoute_")
    with store.reading() as session:
        assert session.get(ServiceToken, "report").role == "executive"

    app = app.run()
    assert secret not in [code.value for code in app.code]  # shown once
    app = next(button for button in app.button if button.label == "Revoke").click().run()
    assert app.success[0].value.replace("\\", "") == "Saved."
    assert not [button for button in app.button if button.label == "Revoke"]


def test_the_glossary_explains_what_its_reader_may_see_and_is_searched_by_words(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("max", "manager")
    add_person("eve", "evaluator")

    def titles(app: AppTest) -> list[str]:
        return [item.value.split("**")[1] for item in app.markdown if "**" in item.value]

    app = open_app("max", "glossary")
    assert {"Answer rate", "Cost per contact", "Control limits"} <= set(titles(app))
    assert "Cost per contact" not in titles(open_app("eve", "glossary"))

    app = open_app("max", "glossary")
    field_of(app, "Find").set_value("control limits").run()
    assert titles(app) == ["Control limits"]

    field_of(app, "Find").set_value("zzz").run()
    assert "No term matches" in app.info[0].value


def test_whose_session_ends_beside_a_form_reads_why_the_sign_in_is_there(
    open_app: Callable[..., AppTest], add_person: Callable[..., str]
) -> None:
    add_person("root", "admin")
    app = open_app("root", "people")
    with store.writing() as session:
        session.execute(sa.update(LoginSession).values(revoked_at=now()))

    field_of(app, "Display name").set_value("Thomas").run()

    assert [error.value.replace("\\", "") for error in app.error] == [
        "Your session has ended, and what was not saved is lost. Sign in to go on here."
    ]
    assert not open_app(None).error  # a visitor who signs in for the first time does not read it
