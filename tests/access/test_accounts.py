"""Accounts: who they are today, who may change them, and when it takes a second
administrator.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from qa_core.access import accounts, passwords
from qa_core.access.accounts import AccountAction, AccountTerms
from qa_core.access.roles import Permission, Role, TeamSpan, Viewer
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Misuse, Refusal
from qa_core.storage.records import store
from qa_core.storage.records.audit_log import JournalRow
from qa_core.storage.records.base import now
from qa_core.storage.records.people import Account, Team


def viewer_of(username: str) -> Viewer:
    with store.reading() as session:
        return accounts.get_viewer(session, username)


def journal_of(username: str) -> list[str]:
    with store.reading() as session:
        return list(
            session.scalars(
                sa.select(JournalRow.action)
                .where(JournalRow.object == username)
                .order_by(JournalRow.seq)
            )
        )


def account_of(username: str) -> Account:
    with store.reading() as session:
        return session.get(Account, username)


def test_a_team_lead_leads_from_the_day_given(add_person: Callable[..., str]) -> None:
    add_person("tom", "team_lead", teams=("Blue",), since=date(2026, 3, 1))

    assert viewer_of("tom").led_teams == (TeamSpan("Blue", date(2026, 3, 1), None),)
    assert viewer_of("tom").managed_teams == ()


def test_a_lead_whose_name_changes_sees_no_more_of_the_past(add_person: Callable[..., str]) -> None:
    add_person("tom", "team_lead", teams=("Blue",), since=date(2026, 3, 1))

    terms = AccountTerms(Role.TEAM_LEAD, teams=("Blue",), display_name="Tom Tulliver")
    accounts.change(Viewer.SYSTEM, "tom", terms)

    assert viewer_of("tom").led_teams == (TeamSpan("Blue", date(2026, 3, 1), None),)


def test_a_manager_has_the_teams_that_their_sites_have_today(
    add_person: Callable[..., str],
) -> None:
    add_person("lea", "manager", sites=("Lyon",))
    assert viewer_of("lea").managed_teams == ()

    with store.writing() as session:
        session.add_all([Team(name="Blue", site_name="Lyon"), Team(name="Red")])

    assert viewer_of("lea").managed_teams == ("Blue",)
    assert not viewer_of("lea").sees_unassigned


def test_a_manager_without_a_site_has_what_belongs_to_no_site(
    add_person: Callable[..., str],
) -> None:
    add_person("lea", "manager", sites=("Lyon",))
    add_person("max", "manager")
    with store.writing() as session:
        session.add_all([Team(name="Blue", site_name="Lyon"), Team(name="Red")])

    assert viewer_of("max").managed_teams == ("Red",)
    assert viewer_of("max").sees_unassigned


def test_bounds_count_only_for_the_role_that_has_them(add_person: Callable[..., str]) -> None:
    add_person("eve", "evaluator", teams=("Blue",), sites=("Lyon",), advisor_id="a1")

    viewer = viewer_of("eve")
    assert (viewer.led_teams, viewer.managed_teams, viewer.advisor_id) == ((), (), None)


def test_a_closed_account_and_an_unknown_one_are_the_same_nobody(
    add_person: Callable[..., str],
) -> None:
    add_person("tom", "team_lead")
    accounts.disable(Viewer.SYSTEM, "tom")

    for name in ("tom", "nobody"):
        with pytest.raises(AccessDenied) as refused:
            viewer_of(name)
        assert str(refused.value) == "You do not have access to this, or it does not exist."

    accounts.enable(Viewer.SYSTEM, "tom")
    assert viewer_of("tom").role == Role.TEAM_LEAD


def test_an_account_whose_role_nobody_knows_may_do_nothing(add_person: Callable[..., str]) -> None:
    add_person("tom", "team_lead")
    with store.writing() as session:
        session.get(Account, "tom").role = "emperor"

    assert not any(viewer_of("tom").can(permission) for permission in Permission)


@pytest.mark.parametrize("change", ["disable", "enable", "reset", "role"])
def test_every_change_ends_the_sessions_and_is_in_the_journal(
    change: str, add_person: Callable[..., str]
) -> None:
    add_person("tom", "team_lead")
    before = account_of("tom").token_version

    if change == "role":
        accounts.change(Viewer.SYSTEM, "tom", AccountTerms(Role.EVALUATOR))
    else:
        getattr(accounts, change)(Viewer.SYSTEM, "tom")

    assert account_of("tom").token_version == before + 1
    assert journal_of("tom") == [
        "account_add",
        "account_change" if change == "role" else f"account_{change}",
    ]


@pytest.mark.parametrize("role", [role for role in Role if role != Role.ADMIN])
def test_only_an_administrator_manages_accounts(role: Role, centre) -> None:
    viewer = Viewer("x", role)
    for attempt in (
        lambda: accounts.find_accounts(viewer),
        lambda: accounts.add(viewer, "tom", "admin"),
        lambda: accounts.change(viewer, "tom", AccountTerms(Role.ADMIN)),
        lambda: accounts.disable(viewer, "tom"),
        lambda: accounts.enable(viewer, "tom"),
        lambda: accounts.reset(viewer, "tom"),
        lambda: accounts.propose(viewer, AccountAction.ADD, "tom", AccountTerms(Role.ADMIN)),
        lambda: accounts.find_teams(viewer),
        lambda: accounts.find_sites(viewer),
        lambda: accounts.find_advisors(viewer),
        lambda: accounts.remove_demo_accounts(viewer),
    ):
        with pytest.raises(AccessDenied):
            attempt()
    with store.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(JournalRow)) == 0


def test_nobody_changes_their_own_account(add_person: Callable[..., str]) -> None:
    add_person("root", "admin")
    root = viewer_of("root")

    for attempt in (
        lambda: accounts.disable(root, "root"),
        lambda: accounts.reset(root, "ROOT "),
        lambda: accounts.change(root, "root", AccountTerms(Role.DPO)),
    ):
        with pytest.raises(Refusal) as refused:
            attempt()
        assert refused.value.code == "own_account"


@pytest.mark.parametrize("role", list(Role))
def test_one_administrator_alone_gives_at_once_what_decides_nothing(
    role: Role, add_person: Callable[..., str]
) -> None:
    add_person("root", "admin")
    root, is_grave = viewer_of("root"), role in (Role.DPO, Role.ADMIN, Role.EXECUTIVE)
    bounds = {"sites": ("Lyon",)} if role == Role.MANAGER else {}

    assert accounts.needs_second(root, AccountAction.ADD, "new", role) is is_grave
    if is_grave:
        assert refusal_of(accounts.add, root, "new", role) == "second_person"
    else:
        assert accounts.add(root, "new", role, **bounds)


def refusal_of(attempt: Callable[..., object], *given: object) -> str:
    with pytest.raises(Refusal) as refused:
        attempt(*given)
    return refused.value.code


def ask(viewer: Viewer, act: AccountAction, username: str, role: Role | None = None) -> int:
    """Ask for that; return the number of the request."""
    accounts.propose(viewer, act, username, role and AccountTerms(role))
    return accounts.find_requests(viewer)[-1].id


def test_a_deciding_role_given_alone_is_shown_to_all_for_a_day(
    add_person: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_person("root", "admin")
    root = viewer_of("root")
    number = ask(root, AccountAction.ADD, "dora", Role.DPO)

    assert [one.username for one in accounts.find_announced()] == ["dora"]
    assert refusal_of(accounts.confirm, root, number) == "second_person"
    present = now()
    monkeypatch.setattr(accounts, "now", lambda: present + timedelta(hours=23))
    assert refusal_of(accounts.confirm, root, number) == "second_person"
    monkeypatch.setattr(accounts, "now", lambda: present + timedelta(hours=25))
    assert accounts.confirm(root, number) and viewer_of("dora").role == Role.DPO
    assert accounts.find_announced() == []


def test_a_day_replaces_no_second_person_where_there_is_one(
    add_person: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_person("root", "admin")
    number = ask(viewer_of("root"), AccountAction.ADD, "bea", Role.ADMIN)
    add_person("dora", "dpo")
    present = now()
    monkeypatch.setattr(accounts, "now", lambda: present + timedelta(days=9))

    assert accounts.find_announced() == []
    assert refusal_of(accounts.confirm, viewer_of("root"), number) == "second_person"


def test_nobody_is_confirmed_by_an_account_that_they_made_or_reset(
    add_person: Callable[..., str],
) -> None:
    add_person("root", "admin")
    root = viewer_of("root")
    accounts.add(root, "puppet", "manager", sites=("Lyon",))
    ask(root, AccountAction.ADD, "dora", Role.DPO)
    [request] = accounts.find_requests(root)

    assert refusal_of(accounts.confirm, viewer_of("puppet"), request.id) == "second_person"

    # Once the operator, or a third person, had a part in a change of it, it may.
    accounts.change(Viewer.SYSTEM, "puppet", AccountTerms(Role.MANAGER, sites=("Lyon",)))
    assert accounts.confirm(viewer_of("puppet"), request.id)
    # A new password brings it back into the hands of who asked, whatever it was before,
    number = ask(root, AccountAction.RESET, "dora")
    accounts.confirm(viewer_of("puppet"), number)  # a third person knew
    number = ask(root, AccountAction.ADD, "bea", Role.ADMIN)
    assert accounts.confirm(viewer_of("dora"), number)


def test_a_puppet_of_a_puppet_confirms_nothing(
    add_person: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_person("root", "admin")
    root, present = viewer_of("root"), now()
    number = ask(root, AccountAction.ADD, "bea", Role.ADMIN)
    monkeypatch.setattr(accounts, "now", lambda: present + timedelta(hours=25))
    accounts.confirm(root, number)
    bea = viewer_of("bea")

    accounts.add(bea, "lea", "manager", sites=("Lyon",))
    number = ask(root, AccountAction.ADD, "dora", Role.DPO)

    for puppet in ("bea", "lea"):
        assert refusal_of(accounts.confirm, viewer_of(puppet), number) == "second_person"
    number = ask(bea, AccountAction.ADD, "eva", Role.DPO)
    assert refusal_of(accounts.confirm, root, number) == "second_person"  # who made bea


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.DPO, Role.MANAGER, Role.ADMIN}))
def test_only_who_confirms_accounts_sees_and_decides_requests(role: Role, centre) -> None:
    viewer = Viewer("x", role)
    for attempt in (
        lambda: accounts.find_requests(viewer),
        lambda: accounts.find_changes(viewer),
        lambda: accounts.confirm(viewer, 1),
        lambda: accounts.decline(viewer, 1),
    ):
        with pytest.raises(AccessDenied):
            attempt()


@pytest.mark.parametrize("second", [Role.DPO, Role.MANAGER, Role.ADMIN])
@pytest.mark.parametrize("role", list(Role))
def test_an_administrator_opens_personal_data_to_nobody_once_a_second_person_is_there(
    role: Role, second: Role, add_person: Callable[..., str]
) -> None:
    add_person("root", "admin")
    add_person("second", second)
    add_person("old", role)
    root = viewer_of("root")

    for attempt in (
        lambda: accounts.add(root, "puppet", role, sites=("Lyon",), advisor_id="a1"),
        lambda: accounts.change(root, "old", AccountTerms(Role.MANAGER, sites=("Lyon",))),
        lambda: accounts.change(root, "old", AccountTerms(Role.ADVISOR, advisor_id="a1")),
        lambda: accounts.reset(root, "old"),
        lambda: accounts.enable(root, "old"),
        lambda: accounts.reset(root, "second"),
        lambda: accounts.disable(root, "second"),
    ):
        with pytest.raises(Refusal) as refused:
            attempt()
        assert refused.value.code == "second_person"


def test_a_request_is_done_when_a_second_person_confirms_it(add_person: Callable[..., str]) -> None:
    add_person("root", "admin")
    add_person("dora", "dpo")
    root, dora = viewer_of("root"), viewer_of("dora")

    accounts.propose(
        root, AccountAction.ADD, "new", AccountTerms(Role.TEAM_LEAD, display_name="New")
    )
    [request] = accounts.find_requests(dora)
    assert (request.username, request.role, request.asked_by) == ("new", "team_lead", "root")
    with pytest.raises(Refusal):
        accounts.confirm(root, request.id)
    with pytest.raises(AccessDenied):
        viewer_of("new")

    one_time = accounts.confirm(dora, request.id)

    assert viewer_of("new").role == Role.TEAM_LEAD
    assert (
        passwords.matches(one_time, account_of("new").password_hash)
        and account_of("new").must_change_password
    )
    assert journal_of("new") == ["account_add_asked", "account_add"]
    with pytest.raises(Refusal):
        accounts.confirm(dora, request.id)


def test_nobody_confirms_what_concerns_their_own_account(add_person: Callable[..., str]) -> None:
    add_person("root", "admin")
    add_person("lea", "manager", sites=("Lyon",))
    accounts.propose(viewer_of("root"), AccountAction.CHANGE, "lea", AccountTerms(Role.DPO))
    [request] = accounts.find_requests(viewer_of("lea"))

    with pytest.raises(Refusal) as refused:
        accounts.confirm(viewer_of("lea"), request.id)

    assert refused.value.code == "own_account" and viewer_of("lea").role == Role.MANAGER


def test_who_could_not_confirm_is_closed_by_one_administrator_at_once(
    add_person: Callable[..., str],
) -> None:
    add_person("root", "admin")
    add_person("dora", "dpo")
    add_person("eve", "evaluator")

    accounts.disable(viewer_of("root"), "eve")

    with pytest.raises(AccessDenied):
        viewer_of("eve")


def test_people_of_the_demo_centre_confirm_nothing_for_others(
    add_person: Callable[..., str],
) -> None:
    add_person("root", "admin")
    add_person("demo-dpo", "dpo", demo=True)

    assert not accounts.needs_second(viewer_of("root"), AccountAction.ADD, "new")


def test_the_last_administrator_is_closed_and_changed_by_nobody(
    add_person: Callable[..., str],
) -> None:
    add_person("root", "admin")

    for attempt in (
        lambda: accounts.disable(Viewer.SYSTEM, "root"),
        lambda: accounts.change(Viewer.SYSTEM, "root", AccountTerms(Role.DPO)),
    ):
        with pytest.raises(Refusal) as refused:
            attempt()
        assert refused.value.code == "last_administrator"

    add_person("bea", "admin")
    accounts.disable(Viewer.SYSTEM, "root")


def test_those_concerned_find_what_was_changed_by_whom(add_person: Callable[..., str]) -> None:
    add_person("root", "admin")
    add_person("dora", "dpo")
    add_person("adam", "advisor", advisor_id="a1")
    root, dora = viewer_of("root"), viewer_of("dora")
    accounts.propose(root, AccountAction.ADD, "puppet", AccountTerms(Role.ADVISOR, advisor_id="a1"))
    accounts.propose(root, AccountAction.RESET, "adam")
    for request in accounts.find_requests(dora):
        accounts.confirm(dora, request.id)

    def told(viewer: Viewer) -> list[tuple[str, ...]]:
        return [
            (change.act, change.username, change.asked_by, change.confirmed_by)
            for change in accounts.find_own_changes(viewer)
        ]

    assert told(viewer_of("adam")) == [
        ("reset", "adam", "root", "dora"),
        ("add", "puppet", "root", "dora"),
        ("add", "adam", "system", None),
    ]
    assert told(dora) == [("add", "dora", "system", None)]
    assert len(accounts.find_changes(dora)) == 5


def test_a_request_that_is_turned_down_changes_nothing(add_person: Callable[..., str]) -> None:
    add_person("root", "admin")
    add_person("bea", "admin")
    accounts.propose(viewer_of("root"), AccountAction.DISABLE, "bea")
    [request] = accounts.find_requests(viewer_of("bea"))

    accounts.decline(viewer_of("bea"), request.id)

    assert accounts.find_requests(viewer_of("root")) == []
    assert viewer_of("bea").role == Role.ADMIN


def test_a_lead_who_changes_teams_keeps_sight_of_the_time_they_led(
    add_person: Callable[..., str],
) -> None:
    add_person("tom", "team_lead", teams=("Blue",), since=date(2025, 1, 1))

    accounts.change(
        Viewer.SYSTEM, "tom", AccountTerms(Role.TEAM_LEAD, teams=("Red",), since=date(2026, 1, 1))
    )

    assert viewer_of("tom").led_teams == (
        TeamSpan("Blue", date(2025, 1, 1), environment.today()),
        TeamSpan("Red", date(2026, 1, 1), None),
    )


def test_an_advisor_s_account_finds_the_advisor_by_name(add_person: Callable[..., str]) -> None:
    add_person("adam", "advisor", advisor_id="a17")
    with store.writing() as session:
        session.get(accounts.Advisor, "a17").name = "Adam Roy"

    add_person("adam2", "advisor", advisor_id="adam roy")

    assert viewer_of("adam2").advisor_id == "a17"


@pytest.mark.parametrize("name", ["", " ", "a b", "-x", "x" * 81, "a/b", "a\nb", "<b>"])
def test_a_username_that_a_sign_in_form_could_not_carry_is_refused(name: str, centre) -> None:
    with pytest.raises(Misuse):
        accounts.add(Viewer.SYSTEM, name, "admin")


def test_the_same_name_in_capitals_is_the_same_person(add_person: Callable[..., str]) -> None:
    accounts.add(Viewer.SYSTEM, "Lea.Martin@centre", "manager")

    assert viewer_of("lea.martin@CENTRE").username == "lea.martin@centre"
    with pytest.raises(Refusal) as refused:
        accounts.add(Viewer.SYSTEM, "LEA.MARTIN@centre", "manager")
    assert refused.value.code == "username_taken"


@pytest.mark.parametrize(
    "password",
    [
        "Violet-Lamp-27",
        "violet lamp harbour 27",
        "we listen to help people improve together",
        "Été-en-forêt-2031",
        "aB3!" * 3 + "zQ9?",
        "Violet-Lamp-27" * 5,
    ],
)
def test_a_good_password_is_taken(password: str) -> None:
    passwords.check_policy(password, "tom")


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("Violet-27!x", "weak_password"),  # eleven characters
        ("violetharbourlamps", "weak_password"),  # one kind, not a phrase
        ("violet27harbour", "weak_password"),  # fifteen, two kinds
        ("one one one one one one one", "weak_password"),  # one word seven times
        ("Password-2026!", "common_password"),
        ("P@ssw0rd-12345", "common_password"),
        ("Motdepasse!2026", "common_password"),
        ("aaaaaaaaaaA1!", "common_password"),
        ("Tom.Martin-2027!", "password_is_name"),
        ("Aa1!" * 19, "long_password"),  # 76 bytes
        ("Été1!" * 12, "long_password"),  # 60 characters, 84 bytes
    ],
)
def test_a_poor_password_is_refused_with_its_reason(password: str, code: str) -> None:
    with pytest.raises(Refusal) as refused:
        passwords.check_policy(password, "tom.martin")
    assert refused.value.code == code


def test_a_one_time_password_would_pass_the_policy_and_is_never_the_same() -> None:
    made = {passwords.make_one_time() for _ in range(50)}

    assert len(made) == 50
    for password in made:
        passwords.check_policy(password, "tom")
