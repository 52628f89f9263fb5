"""Sign-in by an identity provider: an honest one from PyPI, and one that errs or lies."""

from __future__ import annotations

import functools
import re
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import oidc_provider_mock
import pytest
import requests
import sqlalchemy as sa
from builders import identity_provider
from builders.health import find_check
from builders.identity_provider import OTHER_KEY, PUBLIC_KEY
from builders.special_files import find_command_without_rights
from builders.visitors import PASSWORD
from builders.wires import Wire

from qa_core.access import accounts, identity, passwords, sessions, throttle
from qa_core.access.roles import Role, Viewer
from qa_core.access.sessions import Browser
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import now
from qa_core.storage.records.people import Account, LoginSession
from qa_core.ui.server import connections, identity_routes

HERE = Browser(b"0123456789abcdef", "Firefox", "192.0.2.7")
BACK = "http://localhost:8501/sign-in/corporate/callback"


@pytest.fixture
def lying(centre) -> Iterator[identity_provider.Provider]:
    with identity_provider.run() as provider:
        identity_provider.configure(corporate=provider.issuer)
        yield provider


def corporate() -> identity.Provider:
    return identity.find_providers()["corporate"]


def visit(here: Browser = HERE) -> tuple[str, dict[str, str]]:
    """Go to the provider; what the browser kept, and what it brings back."""
    address, kept = identity.begin(corporate(), BACK, here)
    back = requests.get(address, allow_redirects=False, timeout=60).headers["Location"]
    return kept, dict(parse_qsl(urlsplit(back).query))


def open_session(provider: identity_provider.Provider, here: Browser = HERE, **claims: Any) -> str:
    """Sign in, with a token of these claims; the id of the session."""
    provider.claims = claims
    kept, given = visit(here)
    return identity.finish(
        corporate(), kept, given["state"], given["code"], here, given.get("iss", "")
    )


def sign_in(provider: identity_provider.Provider, **claims: Any) -> str:
    """Sign in, with a token of these claims; the name of the account."""
    return sessions.resume(open_session(provider, **claims), HERE).viewer.username


def viewer_of(username: str) -> Viewer:
    with store.reading() as session:
        return accounts.get_viewer(session, username)


def test_a_person_signs_in_at_a_real_provider_and_has_the_role_of_their_group(centre) -> None:
    user = oidc_provider_mock.User(
        sub="ann@example.org", claims={"groups": ["quality-managers"], "name": "Ann Moreau"}
    )
    with oidc_provider_mock.run_server_in_thread(user_claims=[user]) as server:
        identity_provider.configure(corporate=f"http://localhost:{server.server_port}")
        file = identity.config_file()
        own = 'title = "One"\nusername_claim = "sub"\nsends_auth_time = false'
        file.write_text(file.read_text().replace('title = "Account of corporate"', own))
        address, kept = identity.begin(corporate(), BACK, HERE)
        answer = requests.post(
            address, data={"sub": "ann@example.org"}, allow_redirects=False, timeout=60
        )
        given = parse_qs(urlsplit(answer.headers["Location"]).query)
        token = identity.finish(corporate(), kept, given["state"][0], given["code"][0], HERE)
        with pytest.raises(Refusal):  # the same answer again
            identity.finish(corporate(), kept, given["state"][0], given["code"][0], HERE)

    viewer = sessions.resume(token, HERE).viewer
    assert (viewer.username, viewer.role) == ("ann@example.org", Role.MANAGER)
    assert viewer.display_name == "Ann Moreau"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"aud": "another client"},
        {"aud": None},
        {"aud": ["ecoute", "another"]},
        {"aud": ["ecoute", "another"], "azp": "another"},
        {"azp": "another"},
        {"nonce": "of another sign-in"},
        {"nonce": 7},
        {"nonce": None},
        {"exp": 1_700_000_000},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"iat": None},
        {"nbf": 4_000_000_000},
        {"sub": None},
        {"auth_time": None},
        {"auth_time": 1_700_000_000},
        {"auth_time": 4_000_000_000},
        {"auth_time": "now"},
    ],
    ids=str,
)
def test_a_token_with_a_wrong_claim_opens_nothing(
    lying: identity_provider.Provider, claims: dict[str, Any]
) -> None:
    with pytest.raises(Refusal) as refused:
        sign_in(lying, **claims)
    assert refused.value.code == "identity_refused"
    with pytest.raises(AccessDenied):
        viewer_of("ann")


UNSIGNED = {
    "no signature": {"algorithm": "none"},
    "another key": {"key": OTHER_KEY},
    "an unknown key": {"kid": "two"},
    "the client's secret": {"algorithm": "HS256", "key": b"secret"},
    "the public key as a secret": {"algorithm": "HS256", "key": PUBLIC_KEY},
}


@pytest.mark.parametrize("way", list(UNSIGNED))
def test_a_token_that_the_provider_did_not_sign_opens_nothing(
    lying: identity_provider.Provider, way: str
) -> None:
    lying.__dict__.update(UNSIGNED[way])
    with pytest.raises(Refusal) as refused:
        sign_in(lying)
    assert refused.value.code == "identity_refused"


def test_an_answer_is_of_its_browser_its_sign_in_and_ten_minutes(
    lying: identity_provider.Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = corporate()
    kept, given = visit()
    state, code = given["state"], given["code"]
    other_end = "BB" if kept.endswith("AA") else "AA"

    for attempt in (
        lambda: identity.finish(provider, kept, "another state", code, HERE),
        lambda: identity.finish(provider, kept, state, code, Browser(b"another browser!")),
        lambda: identity.finish(provider, kept, state, code, Browser(b"")),
        lambda: identity.finish(provider, "", state, code, HERE),
        lambda: identity.finish(provider, kept[:-2] + other_end, state, code, HERE),
    ):
        with pytest.raises(AccessDenied):
            attempt()
    late = time.time() + 601
    with monkeypatch.context() as patch, pytest.raises(AccessDenied):
        patch.setattr(identity.time, "time", lambda: late)
        identity.finish(provider, kept, state, code, HERE)
    # None of them used the code up.
    assert sessions.resume(identity.finish(provider, kept, state, code, HERE), HERE)


@pytest.mark.parametrize("takes_codes_twice", [False, True])
def test_an_answer_is_good_once(lying: identity_provider.Provider, takes_codes_twice: bool) -> None:
    lying.takes_codes_twice = takes_codes_twice
    kept, given = visit()
    identity.finish(corporate(), kept, given["state"], given["code"], HERE)

    with pytest.raises(Refusal) as refused:
        identity.finish(corporate(), kept, given["state"], given["code"], HERE)
    assert refused.value.code == "used_token"


def test_all_addresses_of_one_network_of_ipv6_have_one_budget(
    centre: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = functools.partial(connections.Budget, burst=3, per_second=0.001)
    monkeypatch.setattr(connections, "Budget", few)
    monkeypatch.setattr(identity_routes, "_budgets", connections.Budgets())
    addresses = (*(f"2001:db8:1:2::{n}" for n in range(1, 5)), "2001:db8:1:3::1")

    statuses = [Wire(None).ask("/sign-in/nobody", client=one)[0] for one in addresses]

    assert statuses == [403, 403, 403, 429, 403]


@pytest.mark.parametrize("state", ["", "%C3%A9", "a b", "x" * 129, "%00", "%F0%9F%94%91"])
def test_a_malformed_state_is_a_bad_request(lying: identity_provider.Provider, state: str) -> None:
    address = f"/sign-in/corporate/callback?state={state}&code=1"

    assert Wire(None).ask(address)[0] == 400


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("ｒｏｏｔ", "username_taken"),
        ("rооt", "mixed_scripts"),  # two Cyrillic letters
        ("гооt", "mixed_scripts"),
        ("r00t", "username_taken"),
        ("аnn", "mixed_scripts"),
        ("асе", "username_taken"),  # all Cyrillic
        ("αce", "mixed_scripts"),
        ("rooт", "mixed_scripts"),
        ("ro\u200bot", "bad_username"),
    ],
)
def test_no_provider_gives_a_name_that_looks_like_one_of_ours(
    lying: identity_provider.Provider, add_person: Callable[..., str], name: str, code: str
) -> None:
    add_person("root", "admin")
    add_person("ace", "admin")

    with pytest.raises(Refusal) as refused:
        sign_in(lying, sub="2", preferred_username=name)

    assert refused.value.code == code


def test_a_name_of_a_provider_is_one_line_of_usual_signs(
    lying: identity_provider.Provider,
) -> None:
    username = sign_in(lying, preferred_username="Ｚoé", name="Ｚoé\nRoot\u202e \x07x")

    assert username == "zoé" and viewer_of("zoé").display_name == "Zoé Root x"


def test_a_token_of_an_earlier_sign_in_opens_nothing(
    lying: identity_provider.Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    replayed = lying.build_id_token("of an earlier sign-in")
    monkeypatch.setattr(lying, "build_id_token", lambda _nonce: replayed)
    with pytest.raises(Refusal):
        sign_in(lying)


@pytest.mark.parametrize(
    ("is_announced", "issuer", "is_good"),
    [
        (False, None, True),
        (False, "own", True),
        (False, "https://elsewhere.example", False),
        (True, None, False),
        (True, "own", True),
    ],
    ids=str,
)
def test_an_answer_that_names_another_provider_is_refused(
    lying: identity_provider.Provider, is_announced: bool, issuer: str | None, is_good: bool
) -> None:
    lying.discovery = {"authorization_response_iss_parameter_supported": is_announced}
    lying.answer = {"iss": lying.issuer if issuer == "own" else issuer}
    if is_good:
        assert sign_in(lying) == "ann"
    else:
        with pytest.raises(AccessDenied):
            sign_in(lying)


def test_an_answer_of_one_provider_is_not_taken_for_another_one_s(
    lying: identity_provider.Provider,
) -> None:
    with identity_provider.run() as other:
        identity_provider.configure(corporate=lying.issuer, partner=other.issuer)
        kept, given = visit()
        partner = identity.find_providers()["partner"]
        with pytest.raises(AccessDenied):
            identity.finish(partner, kept, given["state"], given["code"], HERE)


def test_one_person_has_an_account_of_each_provider(lying: identity_provider.Provider) -> None:
    with identity_provider.run() as other:
        identity_provider.configure(partner=other.issuer, corporate=lying.issuer)
        assert sign_in(lying) == "ann"
        identity_provider.configure(corporate=other.issuer, former=lying.issuer)
        # The same subject at another provider is somebody else.
        with pytest.raises(Refusal) as refused:
            sign_in(other)
        assert refused.value.code == "username_taken"
        assert sign_in(other, preferred_username="ann.partner") == "ann.partner"


def test_a_provider_is_asked_for_a_sign_in_of_the_last_eight_hours(
    lying: identity_provider.Provider,
) -> None:
    with pytest.raises(Refusal):
        sign_in(lying, auth_time=time.time() - 8.1 * 3600)
    assert sign_in(lying, auth_time=time.time() - 7.9 * 3600) == "ann"

    assert lying.asked["max_age"] == "28800"
    assert lying.asked["code_challenge_method"] == "S256"


def test_a_session_of_a_provider_ends_after_eight_hours_of_use(
    lying: identity_provider.Provider,
) -> None:
    token = open_session(lying)
    for hours, is_live in ((7.9, True), (8.1, False)):
        with store.writing() as session:
            row = session.scalars(sa.select(LoginSession)).one()
            row.created_at, row.last_seen_at = now() - sessions.MAX_AGE * hours / 8, now()
        assert (sessions.resume(token, HERE) is not None) is is_live


def test_groups_give_change_and_take_away(lying: identity_provider.Provider) -> None:
    assert sign_in(lying, groups=["leads-red", "leads-blue", "other"]) == "ann"
    assert {span.team for span in viewer_of("ann").led_teams} == {"Blue", "Red"}

    assert sign_in(lying, groups=["quality-managers", "leads-red"]) == "ann"
    assert viewer_of("ann").role == Role.MANAGER

    with pytest.raises(Refusal) as refused:
        sign_in(lying, groups=["other"])
    assert refused.value.code == "no_group"
    with pytest.raises(AccessDenied):
        viewer_of("ann")
    with pytest.raises(Refusal) as refused:
        sign_in(lying, groups=["quality-managers"])
    assert refused.value.code == "closed_account"


@pytest.mark.parametrize("groups", [None, [], "", ["other"], [["leads-blue"]], 7], ids=str)
def test_without_a_group_that_fits_nobody_gets_an_account(
    lying: identity_provider.Provider, groups: Any
) -> None:
    lying.userinfo = {"sub": "1"}
    with pytest.raises(Refusal):
        sign_in(lying, groups=groups)
    with pytest.raises(AccessDenied):
        viewer_of("ann")


def test_groups_that_are_not_in_the_token_are_asked_for(lying: identity_provider.Provider) -> None:
    lying.userinfo = {"sub": "2", "groups": ["quality-managers"]}
    with pytest.raises(Refusal) as refused:  # of another person
        sign_in(lying, groups=None)
    assert refused.value.code == "identity_refused"
    lying.userinfo["sub"] = "1"
    assert sign_in(lying, groups=None) == "ann"
    assert viewer_of("ann").role == Role.MANAGER


def test_no_password_opens_such_an_account_and_no_provider_takes_a_local_one(
    lying: identity_provider.Provider, add_person: Callable[..., str]
) -> None:
    sign_in(lying)
    for password in ("", "x"):
        with pytest.raises(Refusal) as refused:
            sessions.sign_in("ann", password, HERE, one_time_days=7)
        assert refused.value.code == "sign_in_failed"

    with pytest.raises(Refusal) as refused:
        accounts.reset(Viewer.SYSTEM, "ann")
    assert refused.value.code == "external_account"
    with store.writing() as session:  # as such a reset left it once
        session.get(Account, "ann").password_hash = passwords.hash_password(PASSWORD)
    with pytest.raises(Refusal) as refused:
        sessions.sign_in("ann", PASSWORD, HERE, one_time_days=7)
    assert refused.value.code == "sign_in_failed"

    add_person("root", "admin")
    with pytest.raises(Refusal) as refused:
        sign_in(lying, sub="2", preferred_username="root")
    assert refused.value.code == "username_taken"
    with store.reading() as session:
        assert session.get(Account, "root").role == "admin"


def test_a_local_account_signs_in_while_no_provider_answers(
    lying: identity_provider.Provider, add_person: Callable[..., str]
) -> None:
    add_person("root", "admin")
    lying.shutdown()
    lying.server_close()
    with pytest.raises(Refusal) as refused:
        identity.begin(corporate(), BACK, HERE)
    assert refused.value.code == "identity_unreachable"
    assert sessions.sign_in("root", PASSWORD, HERE, one_time_days=7)


@pytest.mark.sqlite("it looks into the file of the records")
def test_the_sign_out_leads_to_the_provider_and_back(lying: identity_provider.Provider) -> None:
    origin = sessions.sign_out(open_session(lying, sid="s1"), HERE)

    address = identity.find_sign_out(origin, "http://localhost:8501/")

    assert address.startswith(f"{lying.issuer}/end_session?")
    asked = dict(parse_qsl(urlsplit(address).query))
    assert asked["client_id"] == "ecoute"
    assert asked["post_logout_redirect_uri"] == "http://localhost:8501/"
    assert asked["id_token_hint"].count(".") == 2
    records = environment.current().folder / "records.sqlite"
    assert asked["id_token_hint"].encode() not in records.read_bytes()


def test_a_long_token_is_not_sent_back(lying: identity_provider.Provider) -> None:
    origin = sessions.sign_out(open_session(lying, groups=["leads-blue", "x" * 3000]), HERE)

    assert "id_token_hint" not in identity.find_sign_out(origin, "http://localhost:8501/")


@pytest.mark.parametrize("case", ["by password", "no address", "not configured", "over"])
def test_a_sign_out_ends_here_where_no_provider_asks_for_more(
    lying: identity_provider.Provider, case: str, add_person: Callable[..., str]
) -> None:
    if case == "by password":
        add_person("root", "admin")
        token = sessions.sign_in("root", PASSWORD, HERE, one_time_days=7)
        assert sessions.sign_out(token, HERE) is None
        return
    if case == "no address":
        lying.discovery = {"end_session_endpoint": None}
    token = open_session(lying)
    origin = sessions.sign_out(token, HERE)
    if case == "over":
        assert sessions.sign_out(token, HERE) is None
    else:
        if case == "not configured":
            identity.config_file().unlink()
        assert identity.find_sign_out(origin, "http://localhost:8501/") is None


def are_live(*tokens: str) -> list[bool]:
    return [sessions.resume(token, HERE) is not None for token in tokens]


@pytest.mark.parametrize(
    ("claims", "live"),
    [
        ({"sub": None, "sid": "s1"}, [False, True, True, True]),
        ({"sub": "1", "sid": "s1"}, [False, True, False, True]),
        ({"sub": "1"}, [False, False, False, True]),
        ({"sub": "2", "sid": "s1"}, [True, True, True, True]),
        ({"sub": "3"}, [True, True, True, True]),
        ({"sub": None, "sid": "s9"}, [True, True, True, True]),
    ],
    ids=str,
)
def test_a_logout_token_ends_what_it_names(
    lying: identity_provider.Provider, claims: dict[str, Any], live: list[bool]
) -> None:
    tokens = [open_session(lying, sid=sid) for sid in ("s1", "s2", None)]
    tokens.append(open_session(lying, sid="s4", sub="2", preferred_username="bob"))

    identity.end_sessions(corporate(), lying.build_logout(**claims))

    assert are_live(*tokens) == live
    with store.reading() as session:
        noted = session.scalars(
            sa.select(JournalRow.reason).where(JournalRow.action == "session_ended")
        ).all()
    assert noted == ["corporate"] * live.count(False)


def test_a_logout_token_ends_no_session_of_another_provider(
    lying: identity_provider.Provider, add_person: Callable[..., str]
) -> None:
    with identity_provider.run() as other:
        identity_provider.configure(corporate=lying.issuer, partner=other.issuer)
        add_person("root", "admin")
        local = sessions.sign_in("root", PASSWORD, HERE, one_time_days=7)
        token = open_session(lying, sid="s1")
        partner = identity.find_providers()["partner"]

        identity.end_sessions(partner, other.build_logout(sid="s1", sub=None))
        identity.end_sessions(partner, other.build_logout(sub="1"))
        with pytest.raises(Refusal):
            identity.end_sessions(partner, lying.build_logout(sid="s1"))

        assert are_live(local, token) == [True, True]


WRONG_LOGOUT = (
    {"iss": "https://elsewhere.example"},
    {"iss": None},
    {"aud": "another client"},
    {"aud": None},
    {"iat": None},
    {"iat": 4_000_000_000},
    {"iat": 1_700_000_000},
    {"exp": None},
    {"exp": 1_700_000_000},
    {"jti": None},
    {"jti": 7},
    {"events": None},
    {"events": {}},
    {"events": [identity.LOGOUT_EVENT]},
    {"events": {identity.LOGOUT_EVENT: "yes"}},
    {"events": {"http://schemas.openid.net/event/other": {}}},
    {"nonce": "of a sign-in"},
    {"sub": None},
    {"sub": ""},
    {"sub": 1},
    {"sid": 1},
)


@pytest.fixture
def blind(lying: identity_provider.Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """No store can be opened."""
    file = environment.current().folder / "a file"
    file.touch()
    monkeypatch.setenv("QA_DATABASE_URL", f"sqlite:///{file}/records.sqlite")
    with pytest.raises(FileExistsError):
        identity.end_sessions(corporate(), lying.build_logout())


@pytest.mark.parametrize("claims", WRONG_LOGOUT, ids=str)
def test_a_wrong_logout_token_is_refused_before_a_store_is_opened(
    lying: identity_provider.Provider, blind: None, claims: dict[str, Any]
) -> None:
    with pytest.raises(Refusal) as refused:
        identity.end_sessions(corporate(), lying.build_logout(**claims))
    assert refused.value.code == "identity_refused"


@pytest.mark.parametrize("way", list(UNSIGNED))
def test_a_logout_token_that_the_provider_did_not_sign_is_refused(
    lying: identity_provider.Provider, blind: None, way: str
) -> None:
    lying.__dict__.update(UNSIGNED[way])
    with pytest.raises(Refusal) as refused:
        identity.end_sessions(corporate(), lying.build_logout())
    assert refused.value.code == "identity_refused"


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "nested", "an ID token"])
def test_what_is_no_logout_token_is_refused(
    lying: identity_provider.Provider, blind: None, text: str
) -> None:
    if text == "nested":
        text = f"{identity_provider.encode(b'[' * 9000)}.e30.AAAA"
    elif text == "an ID token":
        text = lying.build_id_token("nonce")
    with pytest.raises(Refusal) as refused:
        identity.end_sessions(corporate(), text)
    assert refused.value.code == "identity_refused"


def test_a_logout_token_is_used_once(
    lying: identity_provider.Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_session(lying)
    logout = lying.build_logout()
    identity.end_sessions(corporate(), logout)
    again = open_session(lying)

    with pytest.raises(Refusal) as refused:
        identity.end_sessions(corporate(), logout)

    assert refused.value.code == "used_token"
    assert are_live(first, again) == [False, True]
    # Once its id is forgotten it is too old.
    assert throttle.FORGET_AFTER.total_seconds() > identity.LOGOUT_SECONDS


def test_an_id_token_is_kept_no_longer_than_its_session(lying: identity_provider.Provider) -> None:
    open_session(lying)
    with store.writing() as session:
        session.scalars(sa.select(LoginSession)).one().created_at -= sessions.MAX_AGE
    open_session(lying)

    with store.reading() as session:
        rows = session.scalars(sa.select(LoginSession).order_by(LoginSession.id)).all()
        assert [row.id_token is not None for row in rows] == [False, True]


def test_the_file_in_the_documentation_is_read_and_names_every_field(centre: Path) -> None:
    text = (environment.PROJECT / "docs" / "access.md").read_text(encoding="utf-8")
    [sample] = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    file = identity.config_file()
    file.touch(mode=0o600)
    file.write_text(textwrap.dedent(sample), encoding="utf-8")

    corporate, partner = identity.find_providers().values()

    assert (corporate.name, partner.name) == ("corporate", "partner")
    assert [grant.role for grant in corporate.grants] == [Role.MANAGER, Role.TEAM_LEAD]
    for field in fields(identity.Provider):
        assert field.name in sample or field.name == "grants"


FAULTS = {
    "broken": ("[[provider]]", "[["),
    "unknown role": ("team_lead", "emperor"),
    "unknown field": ("client_id", "client"),
    "without encryption": ("http://localhost", "http://identity.example"),
    "a name that is no address": ('"corporate"', '"the corporate one"'),
    "one name twice": ('"partner"', '"corporate"'),
    "one issuer twice": ("https://partner.example", "{issuer}"),
}


@pytest.mark.parametrize("fault", ["open", *FAULTS])
def test_a_bad_file_is_refused_at_the_start(lying: identity_provider.Provider, fault: str) -> None:
    identity_provider.configure(corporate=lying.issuer, partner="https://partner.example")
    assert len(identity.find_providers()) == 2
    file = identity.config_file()
    if fault == "open":
        file.chmod(0o644)
    else:
        right, wrong = FAULTS[fault]
        file.write_text(file.read_text().replace(right, wrong.format(issuer=lying.issuer)))
    with pytest.raises(Refusal):
        identity.find_providers()


def test_doctor_names_the_file_of_providers_that_is_open_to_others_or_closed_to_us(
    lying: identity_provider.Provider,
) -> None:
    file = identity.config_file()
    file.chmod(0o644)
    state, detail = find_check("identity providers")
    assert state == "bad"
    assert f"Other users of this machine can read {file}." in detail

    file.chmod(0o000)
    command = [*find_command_without_rights(), sys.executable, "-m", "qa_core", "doctor"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=environment.PROJECT)
    assert (
        f"bad   identity providers: {file} cannot be opened: Permission denied. "
        f"Try: chown --reference={file.parent} {file}\n"
    ) in done.stdout


def test_doctor_tries_every_provider(lying: identity_provider.Provider) -> None:
    state = functools.partial(find_check, "identity providers")
    assert state() == ("ok", "corporate")
    identity_provider.configure(corporate=lying.issuer, partner="http://localhost:1")
    found, detail = state()
    assert found == "bad" and "partner: The identity provider does not answer" in detail
    assert "corporate" not in detail
