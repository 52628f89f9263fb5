"""Accounts: role, and the teams, sites or advisor the role is bound to.

No administrator changes their own account. What opens personal data takes a second
person, a data protection officer, a manager or another administrator, as soon as there
is one (docs/access.md, section 1).
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access import passwords, second_factor
from qa_core.access.roles import GRANTS, Permission, Role, TeamSpan, Viewer
from qa_core.access.usernames import normalise_username, parse_username, require_unlike
from qa_core.base import environment
from qa_core.base.errors import AccessDenied, Refusal, build_namesakes, build_unknown, require_known
from qa_core.base.i18n import LANGUAGES, N_
from qa_core.base.row_values import build_from_row, read_fields
from qa_core.storage import audit_log, name_merges
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.people import (
    IS_PERSON,
    Account,
    AccountRequest,
    Advisor,
    ExternalIdentity,
    ManagedSite,
    SavedView,
    ServiceToken,
    Site,
    Team,
    TeamLead,
)

DECIDING = frozenset({Role.DPO, Role.MANAGER, Role.ADMIN, Role.EXECUTIVE})
"""Roles whose accounts are not even closed by one administrator alone."""
GRAVE = frozenset({Role.DPO, Role.ADMIN, Role.EXECUTIVE})
"""Roles that one administrator alone gives after `WAIT_ALONE` only, shown to all meanwhile."""
WAIT_ALONE = timedelta(hours=24)
TOLD_DAYS = 90
"""Days for which a change of an account is shown."""
TOKEN = "token:"
"""Beginning of a service token's name where accounts are named; no username has a colon."""


class AccountAction(StrEnum):
    """Action on an account or a service token; with the prefix `account_`, its word in the
    audit log.
    """

    ADD = "add"
    CHANGE = "change"
    DISABLE = "disable"
    ENABLE = "enable"
    RESET = "reset"
    ADD_TOKEN = "add_token"
    REVOKE_TOKEN = "revoke_token"


@dataclass(frozen=True)
class AccountTerms:
    """Requested state of an account or a service token (which alone has `kpis`): role and
    bounds.

    `since` (None: the beginning) dates the teams led. A manager without sites sees what
    belongs to no site.
    """

    role: Role
    display_name: str = ""
    teams: tuple[str, ...] = ()
    sites: tuple[str, ...] = ()
    advisor_id: str | None = None
    since: date | None = None
    language: str | None = None
    sees_unassigned: bool | None = None
    kpis: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """Action that waits for a second person."""

    id: int
    act: AccountAction
    username: str
    role: str | None
    asked_by: str
    asked_at: datetime
    terms: AccountTerms | None = field(default=None, compare=False)


@dataclass(frozen=True)
class AccountChange:
    """Action done. `confirmed_by` None: nobody to confirm it, or the command line."""

    act: AccountAction
    username: str
    role: str | None
    asked_by: str
    done_at: datetime
    confirmed_by: str | None


def get_viewer(session: Session, username: str) -> Viewer:
    """Build the viewer of an account now. Raises AccessDenied for an unknown or closed one."""
    return store.remember(
        session, f"viewer {username}", lambda open_session: _build_viewer(open_session, username)
    )


def get_named(session: Session, username: str) -> Viewer:
    """Build the viewer of an account that an operator names. Raises Refusal for an unknown or
    closed one.
    """
    try:
        return get_viewer(session, username)
    except AccessDenied:
        raise _build_unknown(username) from None


def _build_unknown(username: str) -> Refusal:
    return build_unknown(
        "unknown_account", N_("Account"), username, "python -m qa_core people list"
    )


def _build_viewer(session: Session, username: str) -> Viewer:
    account = session.get(Account, normalise_username(username))
    if account is None or not account.active:
        raise AccessDenied()
    role = Role(account.role) if account.role in set(Role) else None
    led_teams: tuple[TeamSpan, ...] = ()
    managed_teams: tuple[str, ...] = ()
    if role == Role.TEAM_LEAD:
        led_teams = tuple(
            TeamSpan(span.team_name, span.starts_on, span.ends_on)
            for span in sorted(account.led_teams, key=lambda span: span.id)
        )
    if role == Role.MANAGER:
        sites = [site.site_name for site in account.sites]
        managed_teams = find_managed_teams(session, sites, account.sees_unassigned)
    advisor_id = account.advisor_id if role == Role.ADVISOR else None
    if advisor_id is not None:
        # Merged into another one, an advisor's facts stand under that id; undone, under
        # their own again.
        advisor_id = name_merges.find_kept_names(session)["advisor"].get(advisor_id, advisor_id)
    return Viewer(
        username=account.username,
        role=role,
        led_teams=led_teams,
        managed_teams=managed_teams,
        sees_unassigned=role == Role.MANAGER and account.sees_unassigned,
        advisor_id=advisor_id,
        display_name=account.display_name or account.username,
        language=account.language,
    )


def find_managed_teams(
    session: Session, sites: Iterable[str], sees_unassigned: bool
) -> tuple[str, ...]:
    """Find the teams that these sites have today, by name; also those without a site."""
    of_sites = Team.site_name.in_(sites)
    statement = sa.select(Team.name).where(
        sa.or_(of_sites, Team.site_name.is_(None)) if sees_unassigned else of_sites
    )
    return tuple(session.scalars(statement.order_by(Team.name)))


def find_accounts(viewer: Viewer) -> list[dict[str, Any]]:
    """List all accounts by name, ready for JSON: username, display_name, role, active,
    demo, teams, sites, sees_unassigned, advisor_id, …
    """
    viewer.require(Permission.MANAGE_ACCOUNTS)
    with store.reading() as session:
        accounts = session.scalars(sa.select(Account).order_by(Account.username)).all()
        today = environment.today()
        return [
            {
                **read_fields(account, ("username", "display_name", "role", "active", "demo")),
                "teams": sorted(
                    {
                        span.team_name
                        for span in account.led_teams
                        if span.ends_on is None or span.ends_on > today
                    }
                ),
                "sites": sorted(site.site_name for site in account.sites),
                "sees_unassigned": account.sees_unassigned,
                "advisor_id": account.advisor_id,
                "language": account.language,
                "must_change_password": account.must_change_password,
                "created_at": account.created_at.isoformat(timespec="seconds"),
            }
            for account in accounts
        ]


def find_lead_days(viewer: Viewer) -> dict[str, set[date | None]]:
    """Find by username the days since when a lead leads their teams now (None: the beginning)."""
    viewer.require(Permission.MANAGE_ACCOUNTS)
    led_now = TeamLead.ends_on.is_(None) | (TeamLead.ends_on > environment.today())
    days: dict[str, set[date | None]] = {}
    with store.reading() as session:
        for name, day in session.execute(
            sa.select(TeamLead.username, TeamLead.starts_on).where(led_now)
        ):
            days.setdefault(name, set()).add(day)
    return days


def has_accounts() -> bool:
    """Return whether anybody can sign in."""
    with store.reading() as session:
        return session.scalar(sa.select(sa.literal(1)).where(Account.active).limit(1)) is not None


def add(
    viewer: Viewer,
    username: str,
    role: Role | str,
    teams: Iterable[str] = (),
    sites: Iterable[str] = (),
    advisor_id: str | None = None,
    since: date | None = None,
    password: str | None = None,
    display_name: str = "",
    language: str | None = None,
    demo: bool = False,
    sees_unassigned: bool | None = None,
) -> str | None:
    """Add an account. Without a password, return a random one that has to be changed at
    the first sign-in, within the days of the setting `one_time_password_days`.

    Unknown teams and sites are created. Raises Misuse for a bad name or role; Refusal
    for a name that is taken, a weak password, or when a second administrator is needed
    (then `propose` it).
    """
    terms = AccountTerms(
        parse_role(role),
        display_name.strip(),
        tuple(teams),
        tuple(sites),
        advisor_id,
        since,
        language,
        sees_unassigned,
    )
    return _perform(viewer, AccountAction.ADD, username, terms, password, demo)


def add_under(viewer: Viewer, username: str, terms: AccountTerms) -> str | None:
    """Add an account under these terms, as `add` does; return its one-time password."""
    return _perform(viewer, AccountAction.ADD, username, terms)


def add_external(username: str, terms: AccountTerms) -> None:
    """Add the account of a person for whom an identity provider answers: no password opens it.

    Raises Refusal for a name that is taken.
    """
    _perform(Viewer.SYSTEM, AccountAction.ADD, username, terms, is_external=True)


def is_external(session: Session, username: str) -> bool:
    """Return whether an identity provider answers for that account: no password opens it."""
    identity = sa.select(ExternalIdentity.subject).filter_by(username=username).limit(1)
    return session.scalar(identity) is not None


def change(viewer: Viewer, username: str, terms: AccountTerms) -> None:
    """Replace the role and bounds of an account. Its sessions end at once."""
    _perform(viewer, AccountAction.CHANGE, username, terms)


def disable(viewer: Viewer, username: str) -> None:
    """Close an account. Its sessions end at once, and its saved views are deleted."""
    _perform(viewer, AccountAction.DISABLE, username)


def close(session: Session, account: Account) -> None:
    """Close an account of a restored backup that was changed since; its password is void."""
    account.password_hash = ""
    account.token_version += 1
    if account.active:
        account.active, account.closed_at = False, now()
        audit_log.record(
            session, Viewer.SYSTEM.username, "account_disable", account.username, "restored"
        )


def enable(viewer: Viewer, username: str) -> None:
    """Open a closed account again."""
    _perform(viewer, AccountAction.ENABLE, username)


def reset(viewer: Viewer, username: str) -> str:
    """Replace the password by a random one and return it, and remove the second factor.
    Sessions end at once; the person has to choose a new password.
    """
    return _perform(viewer, AccountAction.RESET, username) or ""


def needs_second(
    viewer: Viewer, act: AccountAction, username: str, role: Role | None = None
) -> bool:
    """Return whether that action, which gives that role, waits for a second person, or for
    `WAIT_ALONE`.
    """
    viewer.require(Permission.MANAGE_ACCOUNTS)
    with store.reading() as session:
        account = session.get(Account, normalise_username(username))
        return _needs_second(session, viewer, act, account, role)


def propose(
    viewer: Viewer, act: AccountAction, username: str, terms: AccountTerms | None = None
) -> None:
    """Request an action that a second person confirms."""
    viewer.require(Permission.MANAGE_ACCOUNTS)
    username = _read_username(act, username)
    with store.writing() as session:
        _check_possible(session, viewer, act, username, terms)
        _enter(session, viewer, act, username, terms, is_done=False)


def enter_token(
    session: Session, viewer: Viewer, act: AccountAction, name: str, terms: AccountTerms | None
) -> bool:
    """Enter an action on a service token; return whether it is done (else it waits)."""
    is_done = act == AccountAction.REVOKE_TOKEN or not _needs_second(
        session, viewer, act, None, terms and terms.role
    )
    _enter(session, viewer, act, TOKEN + name, terms, is_done)
    return is_done


def find_requests(viewer: Viewer) -> list[Request]:
    """List the actions that wait for a second person, oldest first."""
    viewer.require(Permission.CONFIRM_ACCOUNTS)
    with store.reading() as session:
        return [_build_request(row) for row in _find_open(session)]


def find_announced() -> list[Request]:
    """List the requests that their asker can confirm alone once `WAIT_ALONE` is over: every
    account is shown them.
    """
    with store.reading() as session:
        return [
            _build_request(row)
            for row in _find_open(session)
            if _gives_grave_role(session, row) and not _has_second(session, row.asked_by)
        ]


def find_changes(viewer: Viewer) -> list[AccountChange]:
    """List the changes of all accounts in the last `TOLD_DAYS`, newest first."""
    viewer.require(Permission.CONFIRM_ACCOUNTS)
    with store.reading() as session:
        return [_build_change(row) for row in _find_done(session)]


def has_dismissed(viewer: Viewer, notice: str) -> bool:
    """Return whether this person has read and closed the notice of that code."""
    with store.reading() as session:
        account = session.get(Account, viewer.username)
        return account is not None and notice in account.dismissed


def dismiss(viewer: Viewer, notice: str) -> None:
    """Close a notice for this person, for good."""
    with store.writing() as session:
        account = session.get(Account, viewer.username)
        if account is not None and notice not in account.dismissed:
            account.dismissed = [*account.dismissed, notice]


def find_own_changes(viewer: Viewer) -> list[AccountChange]:
    """List the changes in the last `TOLD_DAYS` that concern a person, newest first: of
    their account, and of accounts that were bound to the advisor they are.
    """
    with store.reading() as session:
        return [
            _build_change(row)
            for row in _find_done(session)
            if row.username == viewer.username
            or (viewer.advisor_id and row.content.get("advisor_id") == viewer.advisor_id)
        ]


def confirm(viewer: Viewer, request_id: int) -> str | None:
    """Do what an administrator requested. Returns the one-time password if one was made.

    Raises Refusal for one's own request (unless there is nobody else, and it was shown for
    `WAIT_ALONE`), for a request by somebody who made or reset one's account, for one's own
    account, and for a decided request.
    """
    viewer.require(Permission.CONFIRM_ACCOUNTS)
    one_time = passwords.make_one_time()
    password_hash = passwords.hash_password(one_time)
    with store.writing() as session:
        row = _open_request(session, request_id)
        if row.asked_by == viewer.username:
            is_shown = now() - row.asked_at >= WAIT_ALONE and _gives_grave_role(session, row)
            if not is_shown or _has_second(session, viewer.username):
                raise Refusal(
                    "second_person",
                    "You made this request yourself. Another person has to confirm it.",
                )
        elif viewer.username in _find_dependent(session, row.asked_by):
            raise Refusal(
                "second_person",
                "One of you and {name} made or reset the account of the other. A third person "
                "has to confirm this.",
                name=row.asked_by,
            )
        act, terms = AccountAction(row.act), _read_terms(row.content)
        if act != AccountAction.ADD_TOKEN:
            _check_possible(session, viewer, act, row.username, terms)
        row.decided_by, row.decided_at, row.confirmed = viewer.username, now(), True
        _apply(session, act, row.username, terms, password_hash, must_change=True)
        reason = f"asked by {row.asked_by}"
        audit_log.record(session, viewer.username, f"account_{act}", row.username, reason)
    return one_time if act in (AccountAction.ADD, AccountAction.RESET) else None


def decline(viewer: Viewer, request_id: int) -> None:
    """Decline a request, or withdraw one's own."""
    viewer.require(Permission.CONFIRM_ACCOUNTS)
    with store.writing() as session:
        row = _open_request(session, request_id)
        row.decided_by, row.decided_at, row.confirmed = viewer.username, now(), False
        if row.act == AccountAction.ADD_TOKEN:
            token = _get_token(session, row.username)
            token.revoked_at, token.revoked_by = now(), viewer.username
        audit_log.record(session, viewer.username, f"account_{row.act}_declined", row.username)


def set_language(viewer: Viewer, language: str | None) -> None:
    """Set the language of one's own pages; None follows the browser."""
    if language is not None:
        require_known(language, LANGUAGES, "unknown_language")
    with store.writing() as session:
        account = session.get(Account, viewer.username)
        if account is None or not account.active:
            raise AccessDenied()
        account.language = language
        audit_log.record(session, viewer.username, "language_changed", viewer.username)


def remove_demo_accounts(viewer: Viewer) -> int:
    """Delete the demo centre's accounts and their tokens. Returns the number of accounts."""
    viewer.require(Permission.MANAGE_ACCOUNTS)
    with store.writing() as session:
        accounts = session.scalars(sa.select(Account).where(Account.demo)).all()
        made_by = ServiceToken.created_by.in_([account.username for account in accounts])
        session.execute(sa.delete(ServiceToken).where(made_by))
        for account in accounts:
            session.delete(account)
            audit_log.record(
                session, viewer.username, "account_remove", account.username, reason="demo"
            )
        return len(accounts)


def find_teams(viewer: Viewer) -> list[str]:
    viewer.require(Permission.MANAGE_ACCOUNTS)
    with store.reading() as session:
        return list(session.scalars(sa.select(Team.name).order_by(Team.name)))


def find_sites(viewer: Viewer) -> list[str]:
    viewer.require(Permission.MANAGE_ACCOUNTS)
    with store.reading() as session:
        return list(session.scalars(sa.select(Site.name).order_by(Site.name)))


def find_unknown(
    viewer: Viewer, teams: Iterable[str], sites: Iterable[str], advisor: str | None
) -> list[str]:
    """List which of these teams, sites and advisor nobody has entered yet: `add` makes them."""
    people = {text.casefold() for pair in find_advisors(viewer) for text in pair}
    named = [*(set(teams) - {*find_teams(viewer)}), *(set(sites) - {*find_sites(viewer)})]
    return sorted(named) + [name for name in [advisor] if name and name.casefold() not in people]


def is_without_site(username: str) -> bool:
    """Return whether that manager has none of the centre's sites."""
    with store.reading() as session:
        account = session.get(Account, normalise_username(username))
        is_manager = account is not None and account.role == Role.MANAGER
        return is_manager and not account.sites and session.scalar(sa.exists(Site.name).select())


def find_advisors(viewer: Viewer) -> list[tuple[str, str]]:
    """List (advisor_id, name) of all advisors, by name."""
    viewer.require(Permission.MANAGE_ACCOUNTS)
    with store.reading() as session:
        rows = session.execute(
            sa.select(Advisor.advisor_id, Advisor.name).where(IS_PERSON).order_by(Advisor.name)
        )
        return [tuple(row) for row in rows]


def _read_username(act: AccountAction, username: str) -> str:
    return parse_username(username) if act == AccountAction.ADD else normalise_username(username)


def _perform(
    viewer: Viewer,
    act: AccountAction,
    username: str,
    terms: AccountTerms | None = None,
    password: str | None = None,
    demo: bool = False,
    is_external: bool = False,
) -> str | None:
    viewer.require(Permission.MANAGE_ACCOUNTS)
    username = _read_username(act, username)
    one_time = None
    if password is not None:
        passwords.check_policy(password, username)
    elif act in (AccountAction.ADD, AccountAction.RESET) and not is_external:
        one_time = passwords.make_one_time()
    new_password = password if password is not None else one_time
    # Hashing takes a quarter of a second on purpose: done before the records are locked
    # for writing.
    password_hash = passwords.hash_password(new_password) if new_password is not None else ""
    with store.writing() as session:
        _check_possible(session, viewer, act, username, terms)
        account = session.get(Account, username)
        if _needs_second(session, viewer, act, account, terms and terms.role):
            raise Refusal(
                "second_person",
                "This account gives access to personal data. Submit a request: a data "
                "protection officer, a manager or another administrator confirms it.",
            )
        _enter(session, viewer, act, username, terms, is_done=True, is_kept=not demo)
        must_change = one_time is not None
        _apply(session, act, username, terms, password_hash, must_change, demo)
    return one_time


def _check_possible(
    session: Session, viewer: Viewer, act: AccountAction, username: str, terms: AccountTerms | None
) -> None:
    account = session.get(Account, username)
    if act == AccountAction.ADD:
        require_unlike(username, session.scalars(sa.select(Account.username)))
    if act != AccountAction.ADD and account is None:
        raise _build_unknown(username)
    if act == AccountAction.RESET and is_external(session, username):
        message = N_("{name} signs in at an identity provider, and has no password here.")
        raise Refusal("external_account", message, name=username)
    if username == viewer.username:
        raise Refusal(
            "own_account", "You cannot do this to your own account. Ask another administrator."
        )
    is_lost = act == AccountAction.DISABLE or (terms is not None and terms.role != Role.ADMIN)
    if is_lost and _is_last_administrator(session, account):
        raise Refusal(
            "last_administrator",
            "{name} is the only administrator. Add another one first.",
            name=username,
        )


def _is_last_administrator(session: Session, account: Account | None) -> bool:
    if account is None or account.role != Role.ADMIN or not account.active:
        return False
    others = sa.select(Account.username).where(
        Account.role == Role.ADMIN, Account.active, Account.username != account.username
    )
    return session.scalar(others.limit(1)) is None


def _needs_second(
    session: Session,
    viewer: Viewer,
    act: AccountAction,
    account: Account | None,
    role: Role | None = None,
) -> bool:
    # Closing an account is urgent at times, and opens nothing; only of those who could
    # confirm, one administrator must not get rid alone.
    is_harmless = (
        act == AccountAction.DISABLE and account is not None and account.role not in DECIDING
    )
    if viewer.is_system or is_harmless:
        return False
    if act != AccountAction.DISABLE and (role or (account and account.role)) in GRAVE:
        return True
    return _has_second(session, viewer.username)


def _has_second(session: Session, username: str) -> bool:
    """Return whether somebody can confirm the requests of that person."""
    roles = [role for role, grants in GRANTS.items() if Permission.CONFIRM_ACCOUNTS in grants]
    own_account = session.get(Account, username)
    others = sa.select(Account.username).where(
        Account.role.in_(roles),
        Account.active,
        Account.username.not_in({username, *_find_dependent(session, username)}),
        # Anybody at this machine can sign in as the people of the demo centre.
        Account.demo == (own_account is not None and own_account.demo),
    )
    return session.scalar(others.limit(1)) is not None


def _find_dependent(session: Session, username: str) -> set[str]:
    """Find the accounts that are no second person for that one: it controls them, or they it."""
    done = sa.select(AccountRequest).where(AccountRequest.confirmed).order_by(AccountRequest.id)
    rows = session.scalars(done).all()
    makers = {row.asked_by for row in rows} - {username, Viewer.SYSTEM.username}
    controllers = {maker for maker in makers if username in _find_controlled(rows, maker)}
    return _find_controlled(rows, username) | controllers


def _find_controlled(rows: Sequence[AccountRequest], username: str) -> set[str]:
    """Find the accounts whose password that person had, or somebody whom they made: made or
    reset since a third person, or the command line, had a part in a change of them.
    """
    controlled, before = {username}, set[str]()
    while controlled != before:
        before, held = controlled, dict[str, bool]()
        for row in rows:
            if not {row.asked_by, row.decided_by or row.asked_by} <= controlled:
                held[row.username] = False
            elif row.act in (AccountAction.ADD, AccountAction.RESET):
                held[row.username] = True
        controlled = controlled | {name for name, is_held in held.items() if is_held}
    return controlled - {username}


def _gives_grave_role(session: Session, row: AccountRequest) -> bool:
    account = session.get(Account, row.username)
    return (row.content.get("role") or (account and account.role)) in GRAVE


def _find_open(session: Session) -> Iterable[AccountRequest]:
    is_open = AccountRequest.decided_at.is_(None)
    return session.scalars(
        sa.select(AccountRequest).where(is_open).order_by(AccountRequest.id)
    ).all()


def _build_request(row: AccountRequest) -> Request:
    return build_from_row(
        Request,
        row,
        act=AccountAction(row.act),
        role=row.content.get("role"),
        terms=_read_terms(row.content),
    )


def _enter(
    session: Session,
    viewer: Viewer,
    act: AccountAction,
    username: str,
    terms: AccountTerms | None,
    is_done: bool,
    is_kept: bool = True,
) -> None:
    """Record an action that is asked for or done; `is_kept`: also for the list of changes."""
    content = {}
    if terms is not None:
        content = {**asdict(terms), "since": terms.since.isoformat() if terms.since else None}
    row = AccountRequest(act=act, username=username, content=content, asked_by=viewer.username)
    if is_done:
        row.decided_at, row.confirmed = now(), True
    if is_kept:
        session.add(row)
    action = f"account_{act}" if is_done else f"account_{act}_asked"
    role = str(terms.role) if terms else ""
    audit_log.record(session, viewer.username, action, username, reason=role)


def _get_token(session: Session, username: str) -> ServiceToken:
    return session.get_one(ServiceToken, username.removeprefix(TOKEN))


def _find_done(session: Session) -> Iterable[AccountRequest]:
    since = now() - timedelta(days=TOLD_DAYS)
    return session.scalars(
        sa.select(AccountRequest)
        .where(AccountRequest.confirmed, AccountRequest.decided_at > since)
        .order_by(AccountRequest.decided_at.desc(), AccountRequest.id.desc())
    ).all()


def _build_change(row: AccountRequest) -> AccountChange:
    return build_from_row(
        AccountChange,
        row,
        act=AccountAction(row.act),
        role=row.content.get("role"),
        done_at=row.decided_at,
        confirmed_by=row.decided_by,
    )


def _apply(
    session: Session,
    act: AccountAction,
    username: str,
    terms: AccountTerms | None,
    password_hash: str,
    must_change: bool,
    demo: bool = False,
) -> None:
    if act == AccountAction.ADD_TOKEN:
        _get_token(session, username).confirmed_at = now()
        return
    if act == AccountAction.ADD:
        account = Account(
            username=username, display_name="", role="", password_hash=password_hash, demo=demo
        )
        session.add(account)
    else:
        account = session.get(Account, username)
        account.token_version += 1
    if act == AccountAction.DISABLE:
        account.active, account.closed_at = False, now()
        session.execute(sa.delete(SavedView).where(SavedView.username == username))
    elif act == AccountAction.ENABLE:
        account.active, account.closed_at = True, None
    elif act == AccountAction.RESET:
        account.password_hash = password_hash
        second_factor.drop(session, username)
    if act in (AccountAction.ADD, AccountAction.RESET):
        account.must_change_password = must_change
        account.one_time_since = now() if must_change else None
    if terms is not None:
        _bind(session, account, terms)
    session.flush()


def _bind(session: Session, account: Account, terms: AccountTerms) -> None:
    account.role = terms.role
    account.display_name = terms.display_name or account.display_name or account.username
    account.language = terms.language or account.language
    account.advisor_id = (
        _find_or_make_advisor(session, terms.advisor_id) if terms.advisor_id else None
    )
    account.sees_unassigned = terms.role == Role.MANAGER and (
        not terms.sites if terms.sees_unassigned is None else terms.sees_unassigned
    )
    for name in terms.sites:
        if session.get(Site, name) is None:
            session.add(Site(name=name))
    for name in terms.teams:
        if session.get(Team, name) is None:
            session.add(Team(name=name))
    session.flush()
    account.sites = [ManagedSite(site_name=name) for name in dict.fromkeys(terms.sites)]
    # A team that is led no longer keeps its past: the lead still sees what happened
    # while they led it.
    spans = [span for span in account.led_teams if span.ends_on is not None]
    today = environment.today()
    for span in account.led_teams:
        if (
            span.ends_on is None
            and span.team_name in terms.teams
            and terms.since in (None, span.starts_on)
        ):
            spans.append(span)
        elif span.ends_on is None and (span.starts_on is None or span.starts_on < today):
            span.ends_on = today
            spans.append(span)
    still = {span.team_name for span in spans if span.ends_on is None}
    spans.extend(
        TeamLead(team_name=name, starts_on=terms.since)
        for name in dict.fromkeys(terms.teams)
        if name not in still
    )
    account.led_teams = spans


def _find_or_make_advisor(session: Session, text: str) -> str:
    text = text.strip()
    if session.get(Advisor, text) is not None:
        return text
    advisor_ids = session.scalars(
        sa.select(Advisor.advisor_id).where(sa.func.lower(Advisor.name) == text.lower())
    ).all()
    if len(advisor_ids) == 1:
        return advisor_ids[0]
    if advisor_ids:
        raise build_namesakes(text, sorted(advisor_ids), "ambiguous_advisor")
    session.add(Advisor(advisor_id=text, name=text))
    session.flush()
    return text


def parse_role(role: Role | str) -> Role:
    """Parse a role by its name. Raises Misuse."""
    require_known(role, Role, "unknown_role")
    return Role(role)


def _open_request(session: Session, request_id: int) -> AccountRequest:
    row = session.get(AccountRequest, request_id)
    if row is None or row.decided_at is not None:
        raise Refusal("request_decided", "Somebody has already decided on this. Reload the list.")
    return row


def _read_terms(content: dict[str, Any]) -> AccountTerms | None:
    if not content:
        return None
    since = date.fromisoformat(content["since"]) if content["since"] else None
    return AccountTerms(
        **{
            **content,
            "role": Role(content["role"]),
            "teams": tuple(content["teams"]),
            "sites": tuple(content["sites"]),
            "kpis": tuple(content.get("kpis", ())),
            "since": since,
        }
    )
