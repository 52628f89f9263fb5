"""Tables of people: sites, teams, advisors, memberships, accounts, sessions, tokens."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from qa_core.storage.facts import personal_data as data
from qa_core.storage.records.base import ADVISOR, Base, Numbered, now, of_advisor, parts, reference

OF_VIEWS = (data.ACCOUNT, data.ADVISOR)
ViewText = data.declare(str, data.TEXT, *OF_VIEWS, if_named=data.ROW)
ViewFilters = data.declare(dict[str, list[str]], data.RECORD, *OF_VIEWS, if_named=data.ROW)
ThrottleKey = data.declare(str, data.RECORD, data.ACCOUNT, if_named=data.ROW)
Seals = data.declare(list[str], data.SECRET)


class Site(Base, holds=data.NOBODY):
    name: Mapped[data.Code] = mapped_column(primary_key=True)


class Team(Base, holds=data.NOBODY):
    """Team. Without a site it belongs to the part of the centre that no site claims."""

    name: Mapped[data.Code] = mapped_column(primary_key=True)
    site_name: Mapped[data.Code | None] = reference("site.name", onupdate="CASCADE", index=True)


class Advisor(Base, holds=data.Stored((data.ADVISOR,), "leavers", "created_at")):
    """Advisor. Contacts carry `advisor_id`; it may be the name where a file knows no other.
    A machine is one by its name in files alone: no contact carries it, no list of people has it.
    """

    advisor_id: Mapped[data.OwnAdvisorId] = mapped_column(primary_key=True)
    name: Mapped[data.Code]
    kind: Mapped[data.Code | None]
    """person · machine, as the roster says; null: it does not"""
    created_at: Mapped[datetime] = mapped_column(default=now)
    created_by_batch: Mapped[data.Seal | None]

    aliases: Mapped[list[AdvisorAlias]] = parts("advisor")
    memberships: Mapped[list[Membership]] = parts("advisor")


MACHINE = "machine"
IS_PERSON = Advisor.kind.is_distinct_from(MACHINE)


class AdvisorAlias(Base, holds=data.Stored((data.ADVISOR,), "leavers", part_of="advisor_id")):
    """Spelling, extension or id a tool knows the advisor by; `key`: its folded form, unique."""

    key: Mapped[data.Code] = mapped_column(primary_key=True)
    alias: Mapped[data.Code]
    advisor_id: Mapped[data.OwnAdvisorId] = of_advisor()

    advisor: Mapped[Advisor] = relationship(back_populates="aliases")


class Membership(Numbered, holds=data.Stored((data.ADVISOR,), "leavers", part_of="advisor_id")):
    """Membership in a team from `starts_on` (null: always) to before `ends_on` (null: open)."""

    advisor_id: Mapped[data.OwnAdvisorId] = of_advisor()
    team_name: Mapped[data.Code] = reference("team.name", onupdate="CASCADE", index=True)
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]

    advisor: Mapped[Advisor] = relationship(back_populates="memberships")


class Account(Base, holds=data.Stored((data.ACCOUNT,), "closed_accounts", "closed_at")):
    """Account: one role, and what it is bound to (teams led, sites managed, or an advisor)."""

    username: Mapped[data.OwnUsername] = mapped_column(primary_key=True)
    display_name: Mapped[data.Code]
    role: Mapped[data.Code]
    password_hash: Mapped[data.Seal]
    must_change_password: Mapped[bool] = mapped_column(default=False)
    one_time_since: Mapped[datetime | None]
    """Moment the one-time password was made; null: the person chose the password."""
    active: Mapped[bool] = mapped_column(default=True)
    demo: Mapped[bool] = mapped_column(default=False)
    token_version: Mapped[int] = mapped_column(default=1)
    language: Mapped[data.Code | None]
    advisor_id: Mapped[data.OwnAdvisorId | None] = reference(ADVISOR, onupdate="CASCADE")
    sees_unassigned: Mapped[bool] = mapped_column(default=False)
    """True: a manager also sees contacts without a team and teams without a site."""
    dismissed: Mapped[data.Codes] = mapped_column(sa.JSON, default=list, server_default="[]")
    """Codes of the notices that this person has read and closed."""
    created_at: Mapped[datetime] = mapped_column(default=now)
    closed_at: Mapped[datetime | None]

    led_teams: Mapped[list[TeamLead]] = parts("account")
    sites: Mapped[list[ManagedSite]] = parts("account")


class TeamLead(Numbered, holds=data.Stored((data.ACCOUNT,), "closed_accounts", part_of="username")):
    """Team an account leads, from `starts_on` (null: the beginning) to before `ends_on`."""

    username: Mapped[data.OwnUsername] = reference("account.username", "CASCADE", index=True)
    team_name: Mapped[data.Code] = reference("team.name", onupdate="CASCADE")
    starts_on: Mapped[date | None]
    ends_on: Mapped[date | None]

    account: Mapped[Account] = relationship(back_populates="led_teams")


class ManagedSite(Base, holds=data.Stored((data.ACCOUNT,), "closed_accounts", part_of="username")):
    username: Mapped[data.OwnUsername] = reference("account.username", "CASCADE", primary_key=True)
    site_name: Mapped[data.Code] = reference("site.name", onupdate="CASCADE", primary_key=True)

    account: Mapped[Account] = relationship(back_populates="sites")


class LoginSession(
    Numbered,
    holds=data.Stored(
        (data.ACCOUNT,), because="cleared at each sign-in, after thirty days at most"
    ),
):
    """Sign-in on a browser. Only hashes are kept, of the cookie's 256-bit id and its token."""

    token_hash: Mapped[data.Seal] = mapped_column(unique=True)
    username: Mapped[data.OwnUsername] = reference("account.username", "CASCADE", index=True)
    token_version: Mapped[int]
    browser_hash: Mapped[data.Seal]
    browser_name: Mapped[data.Code] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=now)
    last_seen_at: Mapped[datetime] = mapped_column(default=now)
    revoked_at: Mapped[datetime | None]
    provider: Mapped[data.Code | None]
    """Name of the identity provider that the person signed in at; null: by password."""
    provider_session: Mapped[data.Seal | None]
    """The provider's own id of that sign-in (`sid`)."""
    id_token: Mapped[data.Seal | None] = mapped_column(sa.Text())
    """ID token of that sign-in, sealed: the provider asks for it at the sign-out."""


class UsedLogoutToken(Base, holds=data.NOBODY):
    """Logout token, sign-in at a provider or ticket that was used; `key` is a hash of its id."""

    key: Mapped[data.Seal] = mapped_column(primary_key=True)
    used_at: Mapped[datetime] = mapped_column(default=now)


class SecondFactor(Base, holds=data.Stored((data.ACCOUNT,), "closed_accounts", part_of="username")):
    """Second factor of an account, in use once confirmed. `secret` is sealed; of recovery
    codes only hashes are kept. `last_step`: the last code used, so that none is used twice.
    """

    username: Mapped[data.OwnUsername] = reference("account.username", "CASCADE", primary_key=True)
    secret: Mapped[data.Seal]
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    recovery: Mapped[Seals] = mapped_column(sa.JSON, default=list)


class ExternalIdentity(
    Base, holds=data.Stored((data.ACCOUNT,), "closed_accounts", part_of="username")
):
    """Person of an identity provider, by its own name for them, and their account."""

    issuer: Mapped[data.Code] = mapped_column(primary_key=True)
    subject: Mapped[data.Code] = mapped_column(primary_key=True)
    username: Mapped[data.OwnUsername] = reference("account.username", "CASCADE", unique=True)


class SignInThrottle(
    Base, holds=data.Stored((data.ACCOUNT,), "sign_in_failures", "last_failure_at")
):
    """Failures of an account (`account:…`), of its codes (`code:…`), of it from one address
    (`account:…:…`) or from a known browser (`browser:…`), of an address (`address:…`) or of its
    wrong service tokens (`token:…`), and the end of the wait.
    """

    key: Mapped[ThrottleKey] = mapped_column(primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    last_failure_at: Mapped[datetime] = mapped_column(default=now)
    blocked_until: Mapped[datetime | None]


class AccountRequest(Numbered, holds=data.Stored((data.ACCOUNT,), "account_requests", "asked_at")):
    """Action on an account or token (`token:…`) that waits for a second person."""

    act: Mapped[data.Code]
    username: Mapped[data.Username] = mapped_column(index=True)
    content: Mapped[data.RecordJson]
    asked_by: Mapped[data.Username]
    asked_at: Mapped[datetime] = mapped_column(default=now)
    decided_by: Mapped[data.Username | None]
    decided_at: Mapped[datetime | None]
    confirmed: Mapped[bool | None]


class ServiceToken(
    Base, holds=data.Stored((data.ACCOUNT,), because="works until it expires or is revoked")
):
    """Token of a script: a role and its bounds, without an account. Of the secret only its
    SHA-256 digest is kept. `kpis`: empty for all that the role sees.
    """

    name: Mapped[data.Code] = mapped_column(primary_key=True)
    purpose: Mapped[data.FreeText]
    digest: Mapped[data.Seal] = mapped_column(unique=True)
    role: Mapped[data.Code]
    teams: Mapped[data.Codes]
    sites: Mapped[data.Codes]
    sees_unassigned: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """True: a manager's token with sites also reads contacts without a team."""
    kpis: Mapped[data.Codes]
    is_display: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """True: it opens the wallboard and nothing else."""
    created_by: Mapped[data.Username]
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    """Moment from which it works; null while a second person has not confirmed it."""
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[data.Username | None]
    last_used_on: Mapped[date | None]


class SavedView(
    Numbered, holds=data.Stored((data.ACCOUNT,), "closed_accounts", part_of="username")
):
    """Page with the parameters of its address under a name: `page` is its key in the menu.
    `shared_with` null: nobody; `role` or `teams`: who has the owner's role, or a team of
    theirs. It goes when the account is closed.
    """

    __table_args__ = (sa.UniqueConstraint("username", "name"),)

    username: Mapped[data.OwnUsername] = reference("account.username", "CASCADE", index=True)
    name: Mapped[ViewText]
    page: Mapped[data.Code]
    parameters: Mapped[ViewFilters] = mapped_column(sa.JSON)
    shared_with: Mapped[data.Code | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
