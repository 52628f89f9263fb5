"""Service tokens: secrets by which scripts and wallboards ask for figures, each with
a role, its bounds, KPIs and an end (docs/access.md, section 9).

A token opens no page. Who it reads for is built from the records on each request.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access import accounts, throttle
from qa_core.access.accounts import TOKEN, AccountAction, AccountTerms
from qa_core.access.roles import (
    DEFAULT_TOKEN_DAYS,
    GRANTS,
    MAX_TOKEN_DAYS,
    TOKEN_ROLES,
    Permission,
    Role,
    TeamSpan,
    Viewer,
)
from qa_core.access.throttle import Browser
from qa_core.base import environment
from qa_core.base.errors import Misuse, Refusal, build_unknown, require_known, require_number
from qa_core.base.i18n import N_, _, capitalise
from qa_core.base.row_values import read_fields
from qa_core.storage import audit_log
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.people import Account, AccountRequest, ServiceToken, Site, Team

PREFIX = "ecoute_"
"""Beginning of every secret, by which scanners of source code know it."""


class TokenState(StrEnum):
    ACTIVE = "active"
    WAITING = "waiting"
    EXPIRED = "expired"
    REVOKED = "revoked"
    ORPHANED = "orphaned"


STATE_TITLES: dict[TokenState, str] = {
    TokenState.ACTIVE: N_("active"),
    TokenState.WAITING: N_("awaiting a second person"),
    TokenState.EXPIRED: N_("expired"),
    TokenState.REVOKED: N_("revoked"),
    TokenState.ORPHANED: N_("stopped: its creator is no longer an administrator"),
}


class TokenRefused(Refusal):
    """No token, or one that opens nothing; the code says why."""


@dataclass(frozen=True)
class NewToken:
    """Secret of a new token, which is shown once, and its state."""

    name: str
    secret: str
    state: TokenState


def add(
    viewer: Viewer,
    name: str,
    terms: AccountTerms,
    days: int = DEFAULT_TOKEN_DAYS,
    until: date | None = None,
    is_display: bool = False,
) -> NewToken:
    """Add a token; `terms.display_name` says what it is for. It ends after so many days, or
    with the day `until` by the centre's clock. A token of a wallboard opens that alone.

    Where there is a second person, it waits for their confirmation. Raises Misuse for bad
    names, roles, bounds or days; Refusal for a name that was used before.
    """
    viewer.require(Permission.MANAGE_ACCOUNTS)
    name = accounts.parse_username(name)
    if until is not None:
        days = (until - environment.today()).days
    require_number(capitalise(_("days")), days, 1, MAX_TOKEN_DAYS, "bad_days")
    ends_at = now() + timedelta(days=days)
    if until is not None:
        end = datetime.combine(until + timedelta(days=1), time.min, environment.current().zone)
        ends_at = end.astimezone(ends_at.tzinfo)
    secret = PREFIX + secrets.token_urlsafe(32)
    with store.writing() as session:
        _check(session, terms)
        if is_display and Permission.HANDLE_CALLBACKS not in GRANTS[Role(terms.role)]:
            raise Misuse("bad_role", "A wallboard shows the figures of teams: choose another role.")
        if session.get(ServiceToken, name) is not None:
            raise Refusal(
                "token_taken",
                "The name {name} is or was in use. Choose another name for the token.",
                name=name,
            )
        token = ServiceToken(
            name=name,
            purpose=terms.display_name,
            digest=_digest(secret),
            role=terms.role,
            teams=list(terms.teams),
            sites=list(terms.sites),
            sees_unassigned=bool(terms.sees_unassigned),
            kpis=list(terms.kpis),
            is_display=is_display,
            created_by=viewer.username,
            created_at=now(),
            expires_at=ends_at,
        )
        session.add(token)
        if accounts.enter_token(session, viewer, AccountAction.ADD_TOKEN, name, terms):
            token.confirmed_at = now()
        return NewToken(name, secret, _find_state(session, token))


def revoke(viewer: Viewer, name: str) -> None:
    """End a token at once. Raises Refusal for an unknown or revoked one."""
    viewer.require(Permission.MANAGE_ACCOUNTS)
    with store.writing() as session:
        token = session.get(ServiceToken, accounts.normalise_username(name))
        if token is None or token.revoked_at is not None:
            raise build_unknown("unknown_token", N_("Service token"), name)
        token.revoked_at, token.revoked_by = now(), viewer.username
        session.execute(
            sa.update(AccountRequest)
            .where(AccountRequest.username == TOKEN + token.name)
            .where(AccountRequest.decided_at.is_(None))
            .values(decided_by=viewer.username, decided_at=now(), confirmed=False)
        )
        accounts.enter_token(session, viewer, AccountAction.REVOKE_TOKEN, token.name, None)


def find_tokens(viewer: Viewer) -> list[dict[str, Any]]:
    """List all tokens by name, ready for JSON: name, purpose, role, teams, sites,
    sees_unassigned, kpis, is_display, state, created_by, created_at, expires_at, last_used_on.
    """
    viewer.require(Permission.MANAGE_ACCOUNTS)
    names = ("name", "purpose", "role", "teams", "sites", "kpis", "created_by", "is_display")
    with store.reading() as session:
        return [
            read_fields(token, names)
            | {
                "sees_unassigned": _sees_unassigned(token),
                "state": _find_state(session, token),
                "created_at": token.created_at.isoformat(timespec="seconds"),
                "expires_at": token.expires_at.isoformat(timespec="seconds"),
                "last_used_on": token.last_used_on and token.last_used_on.isoformat(),
            }
            for token in session.scalars(sa.select(ServiceToken).order_by(ServiceToken.name))
        ]


def find_viewers(viewer: Viewer) -> dict[str, Viewer]:
    """Return who each active token reads as, by its name."""
    viewer.require(Permission.MANAGE_ACCOUNTS)
    with store.reading() as session:
        return {
            token.name: _build_viewer(session, token)
            for token in session.scalars(sa.select(ServiceToken).order_by(ServiceToken.name))
            if _find_state(session, token) == TokenState.ACTIVE
        }


def open_token(secret: str, origin: Browser, is_display: bool = False) -> Viewer:
    """Build the viewer of a token of a script, or of a wallboard, as it is now.

    Raises TokenRefused, and after many of them from one address Refusal `too_many_tries`.
    """
    with store.reading() as session:
        token = session.scalars(
            sa.select(ServiceToken)
            .where(ServiceToken.digest == _digest(secret))
            .where(ServiceToken.is_display == is_display)
        ).one_or_none()
        reason = str(_find_state(session, token)) if token else "unknown"
        if reason == TokenState.ACTIVE:
            # Like the people of the demo centre, their tokens are for this machine alone.
            creator = session.get(Account, token.created_by)
            if origin.is_local or creator is None or not creator.demo:
                return _build_viewer(session, token)
            reason = "elsewhere"
        actor = TOKEN + token.name if token else "stranger"
    throttle.count_bad(origin, "token")
    with store.writing() as session:
        audit_log.record(session, actor, "token_refused", origin.address, reason)
    raise TokenRefused(
        f"token_{reason}",
        N_("This token gives no access: it is wrong, expired, revoked or not confirmed yet."),
    )


def note_use(viewer: Viewer, kpis: list[str], dimensions: list[str], refused: str = "") -> None:
    """Record in the audit log what a token asked for, with the code of a refusal."""
    parts = [f"by {', '.join(dimensions)}"] if dimensions else []
    parts += [f"refused: {refused}"] if refused else []
    with store.writing() as session:
        audit_log.record(session, viewer.username, "kpis_asked", ", ".join(kpis), "; ".join(parts))
        token = session.get_one(ServiceToken, viewer.username.removeprefix(TOKEN))
        token.last_used_on = environment.today()


def _check(session: Session, terms: AccountTerms) -> None:
    require_known(terms.role, TOKEN_ROLES, "unknown_role")
    if bool(terms.teams) != (terms.role == Role.TEAM_LEAD) or (
        (terms.sites or terms.sees_unassigned) and terms.role != Role.MANAGER
    ):
        raise Misuse(
            "bad_bounds",
            "A team lead's token needs teams. Only a manager's token can have sites, or "
            "contacts without a team.",
        )
    for table, names in ((Team, terms.teams), (Site, terms.sites)):
        known = session.scalars(sa.select(table.name).order_by(table.name)).all()
        for name in names:
            require_known(name, known, "unknown_bound")


def _find_state(session: Session, token: ServiceToken) -> TokenState:
    if token.revoked_at is not None:
        return TokenState.REVOKED
    if token.expires_at <= now():
        return TokenState.EXPIRED
    if not _is_administrator(session, token.created_by):
        return TokenState.ORPHANED
    return TokenState.ACTIVE if token.confirmed_at else TokenState.WAITING


def _is_administrator(session: Session, username: str) -> bool:
    account = session.get(Account, username)
    if account is None:  # the command line is nobody's account
        return username == Viewer.SYSTEM.username
    return account.active and account.role == Role.ADMIN


def _build_viewer(session: Session, token: ServiceToken) -> Viewer:
    sees_unassigned = _sees_unassigned(token)
    return Viewer(
        username=TOKEN + token.name,
        role=Role(token.role),
        led_teams=tuple(TeamSpan(team) for team in token.teams),
        managed_teams=accounts.find_managed_teams(session, token.sites, sees_unassigned)
        if token.role == Role.MANAGER
        else (),
        sees_unassigned=sees_unassigned,
        display_name=token.name,
        kpis=tuple(token.kpis),
    )


def _sees_unassigned(token: ServiceToken) -> bool:
    return token.role == Role.MANAGER and (token.sees_unassigned or not token.sites)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
