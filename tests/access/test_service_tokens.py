"""Service tokens: who makes them and confirms them, and what ends them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from builders.visitors import PASSWORD

from qa_core.access import accounts, service_tokens, sessions, throttle
from qa_core.access.accounts import AccountAction, AccountTerms
from qa_core.access.roles import Role, TeamSpan, Viewer
from qa_core.access.service_tokens import TokenRefused, TokenState
from qa_core.access.sessions import Browser
from qa_core.base import environment
from qa_core.base.errors import Misuse, Refusal
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import now
from qa_core.storage.records.people import ServiceToken, Site, Team

SYSTEM = Viewer.SYSTEM
HERE = Browser(b"", address="127.0.0.1", is_local=True)
ELSEWHERE = Browser(b"", address="192.0.2.7")


def viewer_of(username: str) -> Viewer:
    with store.reading() as session:
        return accounts.get_viewer(session, username)


def add_teams(**sites: str | None) -> None:
    with store.writing() as session:
        session.add_all([Team(name=name, site_name=site) for name, site in sites.items()])


def state_of(name: str) -> str:
    found = service_tokens.find_tokens(SYSTEM)
    return next(token["state"] for token in found if token["name"] == name)


def code_of(secret: str, origin: Browser = HERE) -> str:
    with pytest.raises(Refusal) as refused:
        service_tokens.open_token(secret, origin)
    return refused.value.code


def journal() -> list[tuple[str, str, str, str]]:
    columns = JournalRow.actor, JournalRow.action, JournalRow.object, JournalRow.reason
    with store.reading() as session:
        return [tuple(row) for row in session.execute(sa.select(*columns).order_by(JournalRow.seq))]


def test_a_token_reads_as_its_role_with_its_teams(centre: Path) -> None:
    add_teams(Blue=None)
    terms = AccountTerms(Role.TEAM_LEAD, teams=("Blue",), kpis=("csat",))
    token = service_tokens.add(SYSTEM, "Power-BI", terms)

    viewer = service_tokens.open_token(token.secret, ELSEWHERE)
    assert (viewer.username, viewer.role) == ("token:power-bi", Role.TEAM_LEAD)
    assert (viewer.led_teams, viewer.kpis) == ((TeamSpan("Blue"),), ("csat",))


def test_a_managers_token_has_the_teams_that_its_sites_have_today(
    add_person: Callable[..., str],
) -> None:
    add_person("lea", "manager", sites=("Lyon",))
    lyon = service_tokens.add(SYSTEM, "lyon", AccountTerms(Role.MANAGER, sites=("Lyon",)))
    rest = service_tokens.add(SYSTEM, "rest", AccountTerms(Role.MANAGER))
    add_teams(Blue="Lyon", Red=None)

    assert service_tokens.open_token(lyon.secret, HERE).managed_teams == ("Blue",)
    viewer = service_tokens.open_token(rest.secret, HERE)
    assert (viewer.managed_teams, viewer.sees_unassigned) == (("Red",), True)


def test_a_managers_token_with_sites_reads_contacts_without_a_team_where_it_was_asked(
    centre: Path,
) -> None:
    add_teams(Blue=None)
    with store.writing() as session:
        session.add(Site(name="Lyon"))
    for name, is_asked in (("plain", None), ("wide", True)):
        terms = AccountTerms(Role.MANAGER, sites=("Lyon",), sees_unassigned=is_asked)
        token = service_tokens.add(SYSTEM, name, terms)
        viewer = service_tokens.open_token(token.secret, HERE)
        assert viewer.sees_unassigned == viewer.sees_unassigned_contacts == bool(is_asked)
        assert service_tokens.find_viewers(SYSTEM)[name] == viewer
    found = {
        token["name"]: token["sees_unassigned"] for token in service_tokens.find_tokens(SYSTEM)
    }
    assert found == {"plain": False, "wide": True}


def test_a_token_works_through_its_last_day(centre: Path) -> None:
    tomorrow = environment.today() + timedelta(days=1)
    token = service_tokens.add(SYSTEM, "script", AccountTerms(Role.EXECUTIVE), until=tomorrow)

    [found] = service_tokens.find_tokens(SYSTEM)
    ends_at = environment.to_local(datetime.fromisoformat(found["expires_at"]))
    assert (ends_at.date(), ends_at.hour) == (tomorrow + timedelta(days=1), 0)
    assert token.state == TokenState.ACTIVE
    for day in (environment.today(), environment.today() + timedelta(days=366)):
        with pytest.raises(Misuse):
            service_tokens.add(SYSTEM, "other", AccountTerms(Role.EXECUTIVE), until=day)


@pytest.mark.sqlite("it looks into the file of the records")
def test_of_a_secret_only_its_digest_is_kept(centre: Path) -> None:
    token = service_tokens.add(SYSTEM, "script", AccountTerms(Role.EXECUTIVE))

    store.empty_log()
    kept = store.file_of(environment.current().database_url).read_bytes()
    assert token.secret.encode() not in kept
    assert len(token.secret.removeprefix(service_tokens.PREFIX)) == 43


@pytest.mark.parametrize(
    ("terms", "days", "code"),
    [
        (AccountTerms(Role.ADMIN), 90, "unknown_role"),
        (AccountTerms(Role.DPO), 90, "unknown_role"),
        (AccountTerms(Role.ADVISOR), 90, "unknown_role"),
        (AccountTerms(Role.EVALUATOR), 90, "unknown_role"),
        (AccountTerms(Role.TEAM_LEAD), 90, "bad_bounds"),
        (AccountTerms(Role.EXECUTIVE, teams=("Blue",)), 90, "bad_bounds"),
        (AccountTerms(Role.EXECUTIVE, sites=("Lyon",)), 90, "bad_bounds"),
        (AccountTerms(Role.EXECUTIVE, sees_unassigned=True), 90, "bad_bounds"),
        (AccountTerms(Role.TEAM_LEAD, teams=("Blu",)), 90, "unknown_bound"),
        (AccountTerms(Role.MANAGER, sites=("Mars",)), 90, "unknown_bound"),
        (AccountTerms(Role.EXECUTIVE), 0, "bad_days"),
        (AccountTerms(Role.EXECUTIVE), 366, "bad_days"),
        (AccountTerms(Role.EXECUTIVE), 10**11, "bad_days"),
    ],
)
def test_a_token_that_means_nothing_is_refused(
    centre: Path, terms: AccountTerms, days: int, code: str
) -> None:
    add_teams(Blue=None)
    with pytest.raises(Misuse) as refused:
        service_tokens.add(SYSTEM, "script", terms, days)
    assert refused.value.code == code


def test_a_name_is_used_once(centre: Path) -> None:
    service_tokens.add(SYSTEM, "script", AccountTerms(Role.EXECUTIVE))
    service_tokens.revoke(SYSTEM, "script")

    with pytest.raises(Refusal, match="is or was in use"):
        service_tokens.add(SYSTEM, "Script", AccountTerms(Role.EXECUTIVE))
    with pytest.raises(Misuse):
        service_tokens.add(SYSTEM, "a script", AccountTerms(Role.EXECUTIVE))
    with pytest.raises(Refusal, match="not known here"):
        service_tokens.revoke(SYSTEM, "script")


def test_a_second_person_confirms_a_token_before_it_works(add_person: Callable[..., str]) -> None:
    add_person("root", "admin")
    add_person("dora", "dpo")
    add_teams(Blue=None)
    root, dora = viewer_of("root"), viewer_of("dora")
    terms = AccountTerms(Role.TEAM_LEAD, "Weekly report", teams=("Blue",), kpis=("csat",))
    token = service_tokens.add(root, "script", terms)

    assert token.state == TokenState.WAITING == state_of("script")
    assert code_of(token.secret) == "token_waiting"
    [request] = accounts.find_requests(dora)
    assert (request.act, request.username) == (AccountAction.ADD_TOKEN, "token:script")
    assert request.terms == terms
    with pytest.raises(Refusal, match="Another person"):
        accounts.confirm(root, request.id)

    assert accounts.confirm(dora, request.id) is None
    assert service_tokens.open_token(token.secret, HERE).role == Role.TEAM_LEAD
    [change] = accounts.find_changes(dora)[:1]
    assert (change.username, change.asked_by, change.confirmed_by) == (
        "token:script",
        "root",
        "dora",
    )
    assert ("dora", "account_add_token", "token:script", "asked by root") in journal()


def test_a_token_that_was_declined_or_revoked_while_it_waited_never_works(
    add_person: Callable[..., str],
) -> None:
    add_person("root", "admin")
    add_person("dora", "dpo")
    root, dora = viewer_of("root"), viewer_of("dora")
    declined = service_tokens.add(root, "declined", AccountTerms(Role.EXECUTIVE))
    revoked = service_tokens.add(root, "revoked", AccountTerms(Role.EXECUTIVE))
    requests = accounts.find_requests(dora)

    accounts.decline(dora, requests[0].id)
    service_tokens.revoke(root, "revoked")

    with pytest.raises(Refusal, match="already decided"):
        accounts.confirm(dora, requests[1].id)
    assert code_of(declined.secret) == code_of(revoked.secret) == "token_revoked"
    assert accounts.find_changes(dora)[0].act == AccountAction.REVOKE_TOKEN


def test_a_token_that_decides_waits_where_one_administrator_is_alone(
    add_person: Callable[..., str],
) -> None:
    add_person("root", "admin")
    token = service_tokens.add(viewer_of("root"), "script", AccountTerms(Role.EXECUTIVE))

    assert code_of(token.secret) == "token_waiting"


def test_a_token_ends_by_its_day_by_being_revoked_and_with_its_creator(
    add_person: Callable[..., str],
) -> None:
    add_person("root", "admin")
    token = service_tokens.add(viewer_of("root"), "script", AccountTerms(Role.MANAGER))
    add_person("ada", "admin")

    accounts.disable(SYSTEM, "root")
    assert code_of(token.secret) == "token_orphaned"
    accounts.enable(SYSTEM, "root")
    accounts.change(SYSTEM, "root", AccountTerms(Role.EVALUATOR))
    assert code_of(token.secret) == "token_orphaned"
    accounts.change(SYSTEM, "root", AccountTerms(Role.ADMIN))
    service_tokens.open_token(token.secret, HERE)

    with store.writing() as session:
        session.get(ServiceToken, "script").expires_at = now()
    assert code_of(token.secret) == "token_expired"
    service_tokens.revoke(SYSTEM, "script")
    assert code_of(token.secret) == "token_revoked"


def test_a_token_of_the_demo_centre_is_for_this_machine_alone(
    add_person: Callable[..., str],
) -> None:
    add_person("root", "admin", demo=True)
    token = service_tokens.add(viewer_of("root"), "script", AccountTerms(Role.MANAGER))

    service_tokens.open_token(token.secret, HERE)
    assert code_of(token.secret, ELSEWHERE) == "token_elsewhere"
    accounts.remove_demo_accounts(SYSTEM)
    assert service_tokens.find_tokens(SYSTEM) == []


def test_wrong_tokens_are_recorded_and_slowed_down_and_nobody_s_sign_in_with_them(
    add_person: Callable[..., str],
) -> None:
    add_person("root", "admin")
    token = service_tokens.add(SYSTEM, "script", AccountTerms(Role.EXECUTIVE))
    codes = [code_of("ecoute_guess", ELSEWHERE) for _ in range(throttle.FAILURES_PER_ADDRESS + 2)]

    assert codes[-3:] == ["token_unknown", "too_many_tries", "too_many_tries"]
    refused = [row for row in journal() if row[1] == "token_refused"]
    assert refused == [("stranger", "token_refused", "192.0.2.7", "unknown")] * (len(codes) - 2)
    assert code_of("ecoute_guess") == "token_unknown"  # from another address
    assert service_tokens.open_token(token.secret, ELSEWHERE).role == Role.EXECUTIVE

    visitor = Browser(b"x" * 16, address="192.0.2.7")
    assert sessions.sign_in("root", PASSWORD, visitor, one_time_days=7)


def test_a_token_opens_no_session(add_person: Callable[..., str]) -> None:
    token = service_tokens.add(SYSTEM, "script", AccountTerms(Role.EXECUTIVE))
    visitor = Browser(b"x" * 16, address="127.0.0.1", is_local=True)

    assert sessions.resume(token.secret, visitor) is None
    for name in ("script", "token:script"):
        with pytest.raises(Refusal, match="wrong"):
            sessions.sign_in(name, token.secret, visitor, one_time_days=7)


def test_the_last_use_is_noted_by_the_day(centre: Path) -> None:
    token = service_tokens.add(SYSTEM, "script", AccountTerms(Role.EXECUTIVE), days=365)
    viewer = service_tokens.open_token(token.secret, HERE)
    service_tokens.note_use(viewer, ["csat"], ["month", "queue"])

    [found] = service_tokens.find_tokens(SYSTEM)
    assert found["last_used_on"] == environment.today().isoformat()
    assert journal()[-1] == ("token:script", "kpis_asked", "csat", "by month, queue")
    with store.reading() as session:
        row = session.get(ServiceToken, "script")
        assert row.expires_at - row.created_at <= timedelta(days=365, seconds=1)


def test_a_garbled_secret_is_an_unknown_one(centre: Path) -> None:
    with pytest.raises(TokenRefused) as refused:
        service_tokens.open_token("ecoute_" + "é\x00" * 5_000, HERE)
    assert refused.value.code == "token_unknown"
