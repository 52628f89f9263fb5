"""Names and roles of account holders, for lists and labels of other rooms."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import Role
from qa_core.storage.records.people import Account, ManagedSite, Team, TeamLead


@dataclass(frozen=True)
class Person:
    """Account holder. `name`: as shown; `advisor_id`: the advisor they are."""

    username: str
    name: str
    role: str
    advisor_id: str | None
    is_active: bool
    is_demo: bool


def find_people(session: Session) -> dict[str, Person]:
    """Find every present and former account holder by username, in the order of their names."""
    columns = (
        Account.username,
        sa.func.coalesce(sa.func.nullif(Account.display_name, ""), Account.username).label("name"),
        Account.role,
        Account.advisor_id,
        Account.active,
        Account.demo,
    )
    rows = session.execute(sa.select(*columns).order_by("name"))
    return {row.username: Person(*row) for row in rows}


def find_names(session: Session) -> dict[str, str]:
    """Find the displayed name of each account, by username."""
    return {person.username: person.name for person in find_people(session).values()}


def find_in_charge(
    session: Session, teams: Collection[str], with_unassigned: bool, day: date
) -> dict[str, str]:
    """Find who leads one of these teams on that day or manages its site (username →
    name, by name). `with_unassigned`: also those who see what belongs to no site.
    """
    active_accounts = sa.select(Account.username).where(Account.active)
    in_force = (
        sa.or_(TeamLead.starts_on.is_(None), TeamLead.starts_on <= day),
        sa.or_(TeamLead.ends_on.is_(None), TeamLead.ends_on > day),
    )
    leads = active_accounts.where(
        Account.role == Role.TEAM_LEAD,
        Account.led_teams.any(sa.and_(TeamLead.team_name.in_(teams), *in_force)),
    )
    sites = sa.select(Team.site_name).where(Team.name.in_(teams))
    manages = Account.sites.any(ManagedSite.site_name.in_(sites))
    managers = active_accounts.where(
        Account.role == Role.MANAGER,
        sa.or_(manages, Account.sees_unassigned) if with_unassigned else manages,
    )
    heads = {*session.scalars(leads), *session.scalars(managers)}
    return {username: name for username, name in find_names(session).items() if username in heads}
