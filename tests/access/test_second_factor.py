"""The second factor: set up, asked for after the password, good once, and removed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest
import sqlalchemy as sa
from builders.visitors import PASSWORD
from streamlit.testing.v1 import AppTest

from qa_core.access import accounts, second_factor, sessions, throttle
from qa_core.access.roles import Role, Viewer
from qa_core.access.sessions import Browser
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.centre import settings
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.people import SecondFactor, SignInThrottle

HERE = Browser(b"0123456789abcdef", "Firefox", "192.0.2.7")
TOM = Viewer("tom", Role.TEAM_LEAD)


@pytest.fixture
def app_of_tom(add_person: Callable[..., str]) -> pyotp.TOTP:
    """An app that has the secret of Tom's factor, which is in use."""
    add_person("tom", "team_lead")
    app = pyotp.parse_uri(second_factor.start(TOM))
    second_factor.confirm(TOM, app.at(time.time() - 30), HERE)
    return app


def ask(browser: Browser = HERE) -> str:
    """Give the right password; return the ticket for the code."""
    with pytest.raises(sessions.SecondStep) as step:
        sessions.sign_in("tom", PASSWORD, browser, one_time_days=7)
    return step.value.ticket


def code_of(ticket: str, code: str, browser: Browser = HERE) -> str:
    try:
        sessions.finish_sign_in(ticket, code, browser)
    except Refusal as refusal:
        return refusal.code
    return "in"


def refusal_of(change: Callable[..., object], *given: object) -> str:
    with pytest.raises(Refusal) as refused:
        change(*given)
    return refused.value.code


def code_of_sign_in() -> str:
    return refusal_of(sessions.sign_in, "tom", PASSWORD, HERE, 7)


def test_the_password_alone_opens_nothing_and_a_code_is_good_once(app_of_tom: pyotp.TOTP) -> None:
    code = app_of_tom.now()

    token = sessions.finish_sign_in(ask(), code, HERE)

    assert sessions.resume(token, HERE).viewer.username == "tom"
    assert code_of(ask(), code) == "wrong_code"


def test_a_ticket_is_of_its_browser_its_password_and_five_minutes(
    app_of_tom: pyotp.TOTP, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket, code = ask(), app_of_tom.now()

    assert code_of(ticket, code, replace(HERE, token=b"another browser!")) == "access_denied"
    assert code_of(ticket[:-2] + "AA", code) == "access_denied"
    late = sessions.now() + timedelta(minutes=6)
    with monkeypatch.context() as later:
        later.setattr(sessions, "now", lambda: late)
        assert code_of(ticket, code) == "access_denied"
    accounts.disable(Viewer.SYSTEM, "tom")
    assert code_of(ticket, code) == "access_denied"


def test_codes_are_guessed_no_faster_than_passwords(app_of_tom: pyotp.TOTP) -> None:
    ticket = ask()

    codes = [code_of(ticket, "000000") for _ in range(6)]

    assert codes == ["wrong_code"] * 4 + ["too_many_tries"] * 2


def test_codes_are_guessed_no_faster_from_many_addresses(
    app_of_tom: pyotp.TOTP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "FAILURES_PER_ACCOUNT", 6)
    ticket, elsewhere = ask(), [replace(HERE, address=f"198.51.100.{n}") for n in range(9)]

    codes = [code_of(ticket, "000000", browser) for browser in elsewhere]

    assert codes == ["wrong_code"] * 6 + ["too_many_tries"] * 3
    with store.writing() as session:
        for row in session.scalars(sa.select(SignInThrottle)):
            row.blocked_until = row.blocked_until and row.blocked_until - timedelta(seconds=31)
    assert code_of(ticket, "000000", elsewhere[6]) == "wrong_code"
    assert [code_of(ticket, "000000", browser) for browser in elsewhere[7:]] == [
        "too_many_tries"
    ] * 2


@pytest.mark.parametrize("act", ["confirm", "remove"])
def test_a_factor_is_changed_by_guessing_no_faster_than_one_signs_in(
    add_person: Callable[..., str], act: str
) -> None:
    add_person("tom", "team_lead")
    app = pyotp.parse_uri(second_factor.start(TOM))
    if act == "remove":
        second_factor.confirm(TOM, app.at(time.time() - 30), HERE)
    change = getattr(second_factor, act)

    codes = [refusal_of(change, TOM, "000000", HERE) for _ in range(30)]

    assert codes == ["wrong_code"] * 5 + ["too_many_tries"] * 25
    assert refusal_of(change, TOM, app.now(), HERE) == "too_many_tries"
    assert code_of_sign_in() == "too_many_tries"
    with store.reading() as session:
        written = session.scalars(sa.select(JournalRow.action).order_by(JournalRow.seq)).all()
    assert written.count("second_factor_refused") == 5
    assert "second_factor_removed" not in written


def test_a_recovery_code_is_good_once(add_person: Callable[..., str]) -> None:
    add_person("tom", "team_lead")
    app = pyotp.parse_uri(second_factor.start(TOM))
    codes = second_factor.confirm(TOM, app.now(), HERE)

    assert len(set(codes)) == 10
    assert all(re.fullmatch(r"[0-9a-f]{4}(-[0-9a-f]{4}){6}", code) for code in codes)  # 112 bits
    assert code_of(ask(), f" {codes[0].upper()} ") == "in"
    assert code_of(ask(), codes[0]) == "wrong_code"
    with store.reading() as session:
        row = session.get(SecondFactor, "tom")
        assert app.secret not in row.secret and not set(codes) & set(row.recovery)


def test_a_factor_counts_once_it_is_confirmed_and_until_it_is_removed(
    add_person: Callable[..., str],
) -> None:
    add_person("tom", "team_lead")
    with pytest.raises(AccessDenied):
        second_factor.confirm(TOM, "000000", HERE)
    app = pyotp.parse_uri(second_factor.start(TOM))
    with pytest.raises(Refusal):
        second_factor.confirm(TOM, "000000", HERE)
    assert sessions.sign_in("tom", PASSWORD, HERE, one_time_days=7)

    codes = second_factor.confirm(TOM, app.now(), HERE)
    with pytest.raises(Refusal):
        second_factor.start(TOM)
    with pytest.raises(Refusal):
        second_factor.remove(TOM, "000000", HERE)
    second_factor.remove(TOM, codes[0], HERE)

    assert sessions.sign_in("tom", PASSWORD, HERE, one_time_days=7)


def test_a_reset_removes_the_factor_of_a_lost_phone(app_of_tom: pyotp.TOTP) -> None:
    one_time = accounts.reset(Viewer.SYSTEM, "tom")

    assert sessions.sign_in("tom", one_time, HERE, one_time_days=7)


@pytest.mark.parametrize(
    ("asked", "role", "is_needed", "page", "shown"),
    [
        ("nobody", "dpo", False, "my_account", "My account"),
        ("deciding", "dpo", True, "listening_rules", "Compliance"),
        ("deciding", "evaluator", False, "my_account", "My account"),
        ("everybody", "evaluator", True, "my_account", "My account"),
    ],
)
def test_a_role_that_needs_a_factor_sees_nothing_before_it_is_set_up(
    asked: str,
    role: str,
    is_needed: bool,
    page: str,
    shown: str,
    add_person: Callable[..., str],
    open_app: Callable[..., AppTest],
) -> None:
    add_person("ann", role)
    with store.writing() as session:
        settings.set_value(session, Viewer.SYSTEM, "second_factor", asked)

    app = open_app("ann", page)

    assert ("Second factor" in [header.value for header in app.header]) is is_needed
    assert (shown in [title.value for title in app.title]) is not is_needed
    if is_needed:
        app.button(key="second_factor_start").click().run()
        [secret] = [code.value for code in app.code]
        app.text_input[0].set_value(pyotp.TOTP(secret).now())
        next(button for button in app.button if button.label == "Confirm").click().run()
        assert len(app.code[0].value.splitlines()) == 10
        next(button for button in app.button if button.label == "I have kept them").click().run()
        assert shown in [title.value for title in app.title]


def test_a_factor_that_the_centre_asks_for_from_now_on_is_asked_of_open_pages_too(
    add_person: Callable[..., str], open_app: Callable[..., AppTest]
) -> None:
    add_person("ann", "dpo")
    app = open_app("ann", "listening_rules")
    assert app.title[0].value == "Compliance"
    with store.writing() as session:
        settings.set_value(session, Viewer.SYSTEM, "second_factor", "deciding")

    app.run()

    assert [header.value for header in app.header] == ["Second factor"] and not app.title
