"""Signing in: the throttle before the password, one message for all failures, and
sessions that end when they should.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from builders.visitors import PASSWORD
from builders.wires import Wire
from streamlit.testing.v1 import AppTest

from qa_core.access import accounts, passwords, sessions
from qa_core.access.accounts import AccountTerms
from qa_core.access.roles import Role, Viewer
from qa_core.access.sessions import Browser, SignedIn
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.centre import settings
from qa_core.compliance import audit_report
from qa_core.metrics import downloads
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.people import Account, LoginSession, SignInThrottle
from qa_core.ui.server import browser as browsers

HERE = Browser(b"0123456789abcdef", "Firefox", "192.0.2.7")


def code_of(username: str, password: str, browser: Browser = HERE) -> str:
    """Try to sign in; the code of the refusal, or "in"."""
    try:
        sessions.sign_in(username, password, browser, one_time_days=7)
    except Refusal as refusal:
        return refusal.code
    return "in"


def turn_back(table: type, span: timedelta, *columns: str) -> None:
    """Let time pass, as far as these rows know."""
    with store.writing() as session:
        for row in session.scalars(sa.select(table)):
            for column in columns:
                if getattr(row, column) is not None:
                    setattr(row, column, getattr(row, column) - span)


def test_the_right_password_opens_a_session_and_only_its_hash_is_kept(
    add_person: Callable[..., str],
) -> None:
    add_person("tom", "team_lead")

    token = sessions.sign_in(" TOM ", PASSWORD, HERE, one_time_days=7)

    assert sessions.resume(token, HERE).viewer.username == "tom"
    with store.reading() as session:
        row = session.scalars(sa.select(LoginSession)).one()
        kept = f"{row.token_hash} {row.browser_hash}"
    assert len(token) == 43 and token not in kept and HERE.token.hex() not in kept


def test_a_wrong_password_an_unknown_name_and_a_closed_account_say_one_thing(
    add_person: Callable[..., str],
) -> None:
    add_person("tom", "team_lead")
    add_person("closed", "team_lead")
    accounts.disable(Viewer.SYSTEM, "closed")

    told = set()
    for username, password in (
        ("tom", "wrong"),
        ("nobody", "wrong"),
        ("closed", PASSWORD),
        ("tom", ""),
        ("tom", "x" * 1000),
        ("", "x"),
    ):
        with pytest.raises(Refusal) as refused:
            sessions.sign_in(username, password, HERE, one_time_days=7)
        told.add(str(refused.value))

    assert told == {"The username or the password is wrong, or the account is closed."}


def test_an_unknown_name_costs_the_same_hashing_as_a_wrong_password(
    centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "ROUNDS", 10)
    passwords._nobody.cache_clear()
    accounts.add(Viewer.SYSTEM, "tom", "team_lead", password=PASSWORD)
    code_of("nobody", "wrong", replace(HERE, address="a"))  # the hash of nobody is made once

    spent = {}
    for username in ("tom", "nobody"):
        start = time.process_time()
        code_of(username, "wrong", replace(HERE, address=username))
        spent[username] = time.process_time() - start
    passwords._nobody.cache_clear()

    assert 0.5 < spent["tom"] / spent["nobody"] < 2


def test_five_failures_block_an_account_at_their_address_and_the_wait_doubles(
    add_person: Callable[..., str],
) -> None:
    add_person("tom", "team_lead")
    for _ in range(5):
        assert code_of("tom", "wrong") == "sign_in_failed"

    for seconds in (30, 60, 120, 240, 480, 900, 900):
        with pytest.raises(Refusal) as refused:
            sessions.sign_in("tom", PASSWORD, HERE, one_time_days=7)
        assert seconds - 5 <= refused.value.params["seconds"] <= seconds + 1
        turn_back(SignInThrottle, timedelta(seconds=seconds + 2), "blocked_until")
        assert code_of("tom", "wrong") == "sign_in_failed"


def test_wrong_tries_elsewhere_keep_nobody_out(add_person: Callable[..., str]) -> None:
    add_person("tom", "team_lead")
    attacker, at_home = replace(HERE, address="198.51.100.1"), replace(HERE, address="192.0.2.8")

    for _ in range(49):  # one try every half minute
        code_of("tom", "wrong", attacker)
        turn_back(SignInThrottle, timedelta(seconds=31), "blocked_until", "last_failure_at")
        assert code_of("tom", PASSWORD, at_home) == "in"


def test_a_browser_that_signed_in_before_gets_in_whatever_others_try_at_its_address(
    add_person: Callable[..., str],
) -> None:
    add_person("tom", "team_lead")
    assert code_of("tom", PASSWORD) == "in"
    neighbour = replace(HERE, token=b"another browser!")

    for n in range(60):
        code_of("tom" if n < 10 else f"guess{n}", "wrong", neighbour)

    assert code_of("tom", PASSWORD, neighbour) == "too_many_tries"
    assert code_of("tom", PASSWORD) == "in"
    assert [code_of("tom", "wrong") for _ in range(6)] == ["sign_in_failed"] * 5 + [
        "too_many_tries"
    ]


def test_guesses_from_many_addresses_make_each_new_one_wait_once(
    add_person: Callable[..., str],
) -> None:
    add_person("tom", "team_lead")
    for n in range(50):
        code_of("tom", "wrong", replace(HERE, address=f"198.51.100.{n}"))
    on_the_road = replace(HERE, address="192.0.2.8")

    assert code_of("tom", PASSWORD, on_the_road) == "too_many_tries"
    turn_back(SignInThrottle, timedelta(seconds=31), "blocked_until")
    assert code_of("tom", "wrong", replace(HERE, address="198.51.100.99")) == "too_many_tries"
    assert code_of("tom", PASSWORD, on_the_road) == "in"


def test_all_addresses_of_one_network_of_ipv6_are_one(add_person: Callable[..., str]) -> None:
    add_person("tom", "team_lead")
    for n in range(5):
        code_of("tom", "wrong", replace(HERE, address=f"2001:db8:1:2::{n:x}"))

    assert code_of("tom", PASSWORD, replace(HERE, address="2001:db8:1:2:ffff::9")) == (
        "too_many_tries"
    )
    assert code_of("tom", PASSWORD, replace(HERE, address="2001:db8:1:3::9")) == "in"


def test_nobody_is_locked_out_for_good(add_person: Callable[..., str]) -> None:
    add_person("tom", "team_lead")
    for _ in range(5):
        code_of("tom", "wrong")
    assert code_of("tom", PASSWORD) == "too_many_tries"

    turn_back(SignInThrottle, timedelta(seconds=31), "blocked_until")

    assert code_of("tom", PASSWORD) == "in"
    assert code_of("tom", "wrong") == "sign_in_failed"  # and the count began anew


def test_fifty_failures_block_an_address_for_every_name(
    add_person: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    passwords._nobody.cache_clear()
    add_person("tom", "team_lead")
    for n in range(50):
        assert code_of(f"guess{n}", "wrong") == "sign_in_failed"
    passwords._nobody.cache_clear()

    assert code_of("tom", PASSWORD) == "too_many_tries"
    assert code_of("tom", PASSWORD, replace(HERE, address="198.51.100.1")) == "in"


def test_a_good_sign_in_does_not_wash_the_address_clean(add_person: Callable[..., str]) -> None:
    add_person("tom", "team_lead")
    for n in range(3):
        code_of(f"guess{n}", "wrong")

    assert code_of("tom", PASSWORD) == "in"

    with store.reading() as session:
        assert session.get(SignInThrottle, f"address:{HERE.address}").failures == 3


def test_what_was_typed_as_a_name_is_kept_nowhere(add_person: Callable[..., str]) -> None:
    code_of("my-secret-password", "x")

    assert b"my-secret-password" not in b"".join(
        path.read_bytes() for path in environment.current().folder.glob("records.sqlite*")
    )


@pytest.mark.parametrize(
    "other",
    [Browser(b"another browser!", "Firefox", "192.0.2.7"), Browser(b"", "Firefox", "192.0.2.7")],
    ids=["another browser", "no browser token"],
)
def test_a_session_counts_only_in_the_browser_that_opened_it(
    other: Browser, add_person: Callable[..., str]
) -> None:
    add_person("tom", "team_lead")
    token = sessions.sign_in("tom", PASSWORD, HERE, one_time_days=7)

    assert sessions.resume(token, other) is None
    sessions.sign_out(token, other)
    assert sessions.resume(token, HERE) is not None


def test_without_a_browser_token_nobody_signs_in(add_person: Callable[..., str]) -> None:
    add_person("tom", "team_lead")

    assert code_of("tom", PASSWORD, Browser(b"")) == "no_browser_token"


@pytest.mark.parametrize(
    "end", ["sign_out", "disable", "reset", "role", "idle", "too long", "new secret"]
)
def test_a_session_ends_at_once(
    end: str, add_person: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_person("tom", "team_lead")
    token = sessions.sign_in("tom", PASSWORD, HERE, one_time_days=7)
    assert sessions.resume(token, HERE)

    if end == "sign_out":
        sessions.sign_out(token, HERE)
    elif end == "role":
        accounts.change(Viewer.SYSTEM, "tom", AccountTerms(Role.EVALUATOR))
    elif end == "idle":
        turn_back(LoginSession, timedelta(minutes=31), "last_seen_at")
    elif end == "too long":
        turn_back(LoginSession, timedelta(hours=8, minutes=1), "created_at")
    elif end == "new secret":
        monkeypatch.setenv("QA_SECRET_COOKIE", "ab" * 32)
    else:
        getattr(accounts, end)(Viewer.SYSTEM, "tom")

    assert sessions.resume(token, HERE) is None


def test_use_keeps_a_session_alive(add_person: Callable[..., str]) -> None:
    add_person("tom", "team_lead")
    token = sessions.sign_in("tom", PASSWORD, HERE, one_time_days=7)

    for _ in range(3):
        turn_back(LoginSession, timedelta(minutes=20), "last_seen_at")
        assert sessions.resume(token, HERE)


def test_a_new_password_ends_the_other_sessions_and_keeps_this_one(
    add_person: Callable[..., str],
) -> None:
    add_person("tom", "team_lead")
    this, other = (
        sessions.sign_in("tom", PASSWORD, HERE, one_time_days=7),
        sessions.sign_in("tom", PASSWORD, HERE, one_time_days=7),
    )
    signed_in = sessions.resume(this, HERE)

    with pytest.raises(Refusal):
        sessions.change_password(signed_in, HERE, "wrong", "Amber-Lantern-48-boats")
    with pytest.raises(Refusal):
        sessions.change_password(signed_in, HERE, PASSWORD, "short")
    sessions.change_password(signed_in, HERE, PASSWORD, "Amber-Lantern-48-boats")

    assert sessions.resume(this, HERE) and not sessions.resume(other, HERE)
    assert code_of("tom", PASSWORD) == "sign_in_failed"
    assert code_of("tom", "Amber-Lantern-48-boats") == "in"


def test_guessing_the_present_password_is_throttled_too(add_person: Callable[..., str]) -> None:
    add_person("tom", "team_lead")
    signed_in = sessions.resume(sessions.sign_in("tom", PASSWORD, HERE, one_time_days=7), HERE)
    codes = []
    for _ in range(6):
        with pytest.raises(Refusal) as refused:
            sessions.change_password(signed_in, HERE, "wrong", "Amber-Lantern-48-boats")
        codes.append(refused.value.code)

    assert codes == ["wrong_password"] * 5 + ["too_many_tries"]


def test_a_person_ends_their_own_sessions_and_nobody_else_s(add_person: Callable[..., str]) -> None:
    add_person("tom", "team_lead")
    add_person("eve", "evaluator")
    first, second = (
        sessions.sign_in("tom", PASSWORD, HERE, one_time_days=7),
        sessions.sign_in("tom", PASSWORD, replace(HERE, name="Chrome"), one_time_days=7),
    )
    tom, eve = (
        sessions.resume(first, HERE),
        sessions.resume(sessions.sign_in("eve", PASSWORD, HERE, one_time_days=7), HERE),
    )

    assert [(own.browser_name, own.is_this_one) for own in sessions.find_sessions(tom)] == [
        ("Chrome", False),
        ("Firefox", True),
    ]
    with pytest.raises(AccessDenied):
        sessions.end_session(tom, eve.session_id)
    sessions.end_session(tom, sessions.find_sessions(tom)[0].id)

    assert sessions.resume(second, HERE) is None and sessions.resume(first, HERE)


def test_a_person_ends_all_their_other_sessions_at_once(add_person: Callable[..., str]) -> None:
    add_person("tom", "team_lead")
    add_person("eve", "evaluator")
    tokens = [sessions.sign_in("tom", PASSWORD, HERE, one_time_days=7) for _ in range(3)]
    of_eve = sessions.sign_in("eve", PASSWORD, HERE, one_time_days=7)

    sessions.end_others(sessions.resume(tokens[1], HERE))

    assert [sessions.resume(token, HERE) is not None for token in tokens] == [False, True, False]
    assert sessions.resume(of_eve, HERE)


def test_a_sign_in_with_a_new_browser_is_news_in_the_others(add_person: Callable[..., str]) -> None:
    add_person("tom", "team_lead")
    phone = Browser(b"another browser!", "Phone", "198.51.100.1")
    assert code_of("tom", PASSWORD) == "in"
    assert sessions.find_new_browsers("tom", HERE) == []

    assert code_of("tom", PASSWORD, phone) == code_of("tom", PASSWORD, phone) == "in"

    assert [new.name for new in sessions.find_new_browsers("tom", HERE)] == ["Phone"]
    assert sessions.find_new_browsers("tom", phone) == []
    turn_back(LoginSession, timedelta(days=15), "created_at")
    assert sessions.find_new_browsers("tom", HERE) == []


def test_the_page_of_the_account_lists_sessions_ends_them_and_names_new_browsers(
    add_person: Callable[..., str], open_app: Callable[..., AppTest]
) -> None:
    add_person("tom", "team_lead")
    app = open_app("tom", "my_account")
    phone = Browser(b"another browser!", "Mozilla/5.0 (Android 14) Firefox/142.0", "198.51.100.1")
    tokens = [sessions.sign_in("tom", PASSWORD, phone, one_time_days=7) for _ in range(3)]

    def press(label: str) -> list[bool]:
        next(button for button in app.button if button.label == label).click().run()
        return [sessions.resume(token, phone) is not None for token in tokens]

    app.run()
    assert [text.value for text in app.text].count("Firefox, Android") == 3
    [notice] = [warning.value for warning in app.warning]
    assert "First sign-in with Firefox, Android" in notice and "change your password" in notice
    assert press("End this session") == [True, True, False]
    assert press("End all other sessions") == [False, False, False]
    assert "My account" in [title.value for title in app.title]


def test_a_one_time_password_opens_nothing_after_its_days(
    centre,
) -> None:
    one_time = accounts.add(Viewer.SYSTEM, "new", "manager")
    turn_back(Account, timedelta(days=6, hours=23), "one_time_since")
    assert code_of("new", one_time) == "in"
    turn_back(Account, timedelta(hours=2), "one_time_since")
    with pytest.raises(Refusal, match="more than 7 days old"):
        sessions.sign_in("new", one_time, HERE, one_time_days=7)
    assert code_of("new", one_time[:-1]) == "sign_in_failed"

    with store.writing() as session:
        settings.set_value(session, Viewer.SYSTEM, "one_time_password_days", "8")
    signed_in = sessions.resume(sessions.sign_in("new", one_time, HERE, one_time_days=8), HERE)
    sessions.change_password(signed_in, HERE, one_time, PASSWORD)
    turn_back(Account, timedelta(days=400), "one_time_since", "created_at")
    assert code_of("new", PASSWORD) == "in"

    one_time = accounts.reset(Viewer.SYSTEM, "new")
    assert code_of("new", one_time) == "in"
    turn_back(Account, timedelta(days=9), "one_time_since")
    assert code_of("new", one_time) == "old_one_time_password"


def test_demo_accounts_open_on_this_machine_only(add_person: Callable[..., str]) -> None:
    add_person("demo", "manager", demo=True)
    local = replace(HERE, address="127.0.0.1", is_local=True)

    assert code_of("demo", PASSWORD) == "sign_in_failed"
    token = sessions.sign_in("demo", PASSWORD, local, one_time_days=7)
    assert sessions.resume(token, local) and sessions.resume(token, HERE) is None


@pytest.mark.parametrize(
    ("address", "headers", "is_local"),
    [
        ("127.0.0.1", {"host": "localhost:8501"}, True),
        ("::1", {"host": "[::1]:8501"}, True),
        ("127.0.0.1", {"host": "127.0.0.1"}, True),
        ("192.0.2.7", {"host": "localhost:8501"}, False),
        ("127.0.0.1", {"host": "localhost:8501", "x-forwarded-for": "127.0.0.1"}, False),
        ("127.0.0.1", {"host": "localhost:8501", "forwarded": "for=192.0.2.7"}, False),
        ("127.0.0.1", {"host": "centre.example"}, False),
        ("127.0.0.1", {}, False),
        ("", {"host": "localhost"}, False),
        # A proxy that hands nothing on but the browser's own words, as the commonest
        # one does by default.
        ("127.0.0.1", {"host": "localhost:8501", "origin": "https://centre.example"}, False),
        (
            "127.0.0.1",
            {"host": "localhost:8501", "referer": "https://centre.example/overview"},
            False,
        ),
        ("127.0.0.1", {"host": "localhost:8501", "origin": "null"}, False),
        (
            "127.0.0.1",
            {
                "host": "localhost:8501",
                "origin": "http://localhost:8501",
                "referer": "http://localhost:8501/overview",
            },
            True,
        ),
        ("127.0.0.1", {"host": "[::1"}, False),
    ],
)
def test_a_proxy_on_this_machine_does_not_make_the_world_local(
    address: str, headers: dict[str, str], is_local: bool
) -> None:
    assert browsers.build({}, headers, address).is_local is is_local


@pytest.mark.parametrize(
    ("wishes", "language"),
    [
        (["fr-FR"], "fr"),
        (["", "de", " fr;q=0.8"], "fr"),
        (["de-DE"], "en"),
        ([], "en"),
        (["en-GB", "fr"], "en"),
    ],
)
def test_the_browser_s_first_known_language_is_spoken(wishes: list[str], language: str) -> None:
    assert browsers.first_known(wishes) == language


def test_sign_ins_and_their_failures_are_in_the_journal(add_person: Callable[..., str]) -> None:
    add_person("tom", "team_lead")
    code_of("tom", "wrong")
    code_of("nobody", "wrong")
    token = sessions.sign_in("tom", PASSWORD, HERE, one_time_days=7)
    sessions.sign_out(token, HERE)

    with store.reading() as session:
        rows = [
            (row.actor, row.action, row.object, row.reason)
            for row in session.scalars(sa.select(JournalRow).order_by(JournalRow.seq))
        ][1:]
        assert audit_log.verify(session).ok
    assert rows == [
        ("tom", "sign_in_failed", "192.0.2.7", "wrong password"),
        ("stranger", "sign_in_failed", "192.0.2.7", "unknown account"),
        ("tom", "sign_in", "192.0.2.7", ""),
        ("tom", "sign_out", "192.0.2.7", ""),
    ]


def signed_in_as(username: str) -> SignedIn:
    return sessions.resume(sessions.sign_in(username, PASSWORD, HERE, one_time_days=7), HERE)


def test_a_download_is_made_for_its_session_alone(add_person: Callable[..., str]) -> None:
    add_person("dora", "dpo")
    dora, again = signed_in_as("dora"), signed_in_as("dora")
    ticket = downloads.make_ticket(dora, "journal", action="sign_in")

    made = downloads.open_ticket(dora, ticket)

    assert (
        made.content.decode("utf-8-sig").splitlines()[0] == "seq,at,actor,action,object,reason,seal"
    )
    assert len(made.content.splitlines()) == 3
    assert audit_report.find_entries(dora.viewer)[0].action == "export"
    with pytest.raises(AccessDenied):
        downloads.open_ticket(again, ticket)
    for forged in ("", "x", "x.y", ticket[:-2] + "xx", ticket.split(".")[0] + ".AAAA"):
        with pytest.raises(AccessDenied):
            downloads.open_ticket(dora, forged)


def test_a_link_to_a_file_opens_while_its_session_lasts_and_in_no_other(
    add_person: Callable[..., str],
) -> None:
    for username in ("dora", "dan"):
        add_person(username, "dpo")
    dora, dan = Wire("dora"), Wire("dan")

    def link(wire: Wire) -> str:
        return f"/download/{downloads.make_ticket(wire.signed_in, 'journal')}"

    first = link(dora)
    assert [wire.ask(first)[0] for wire in (dora, dan, Wire("dora"), Wire(None))] == [
        200,
        404,
        404,
        404,
    ]
    assert b"sign_in" in dora.ask(first)[2] and b"sign_in" not in dan.ask(first)[2]

    here = browsers.build(dora.cookies, {"host": "localhost"}, "127.0.0.1")
    sessions.sign_out(dora.cookies[browsers.COOKIE], here)
    assert dora.ask(first)[0] == Wire("dora").ask(first)[0] == 404  # nor in the next session
    assert dora.ask(first)[2].startswith(b"Your session has ended. Sign in, and take the file")

    second = link(dan)
    accounts.change(Viewer.SYSTEM, "dan", AccountTerms(Role.EVALUATOR))
    assert dan.ask(second)[0] == 404
    last = Wire("dora")
    third = link(last)
    accounts.disable(Viewer.SYSTEM, "dora")
    assert last.ask(third)[0] == 404


def test_the_journal_is_read_by_the_data_protection_officer_alone(
    add_person: Callable[..., str],
) -> None:
    for role in Role:
        viewer = Viewer("x", role)
        for read in (
            audit_report.find_entries,
            audit_report.verify_journal,
            audit_report.build_file,
            lambda viewer: audit_report.find_values(viewer, "actor"),
        ):
            if role == Role.DPO:
                read(viewer)
            else:
                with pytest.raises(AccessDenied):
                    read(viewer)


@pytest.mark.parametrize(
    "cell", ["=1+1", "+33612345678", "-1", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1+1", "＠SUM(1)"]
)
def test_no_exported_cell_starts_a_formula(cell: str) -> None:
    assert downloads.escape(cell) == f"'{cell}"
    assert downloads.escape(-1.5) == -1.5


def test_the_account_s_language_overrides_the_browser(add_person: Callable[..., str]) -> None:
    add_person("tom", "team_lead")
    accounts.set_language(signed_in_as("tom").viewer, "fr")

    assert signed_in_as("tom").viewer.language == "fr"
    with store.reading() as session:
        assert session.get(Account, "tom").language == "fr"


def test_who_is_signed_out_or_closed_meanwhile_changes_nothing(
    add_person: Callable[..., str],
) -> None:
    add_person("tom", "team_lead")
    add_person("mona", "manager", sites=("Lyon",))
    token = sessions.sign_in("tom", PASSWORD, HERE, one_time_days=7)
    signed_in = sessions.resume(token, HERE)
    sessions.sign_out(token, HERE)
    with pytest.raises(AccessDenied):
        sessions.change_password(signed_in, HERE, PASSWORD, "Amber-Lantern-48-boats")
    assert code_of("tom", PASSWORD) == "in"

    accounts.disable(Viewer.SYSTEM, "tom")

    with pytest.raises(AccessDenied):
        sessions.open_external("tom", HERE, "provider")
    with pytest.raises(AccessDenied):
        sessions.open_external("nobody", HERE, "provider")
    with pytest.raises(AccessDenied):
        sessions.open_external("mona", replace(HERE, token=b""), "provider")
    with pytest.raises(AccessDenied):
        accounts.set_language(signed_in.viewer, "fr")
