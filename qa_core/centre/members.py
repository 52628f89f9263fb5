"""Advisors for other rooms: names, and teams by day."""

from collections.abc import Collection
from datetime import date
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import TeamSpan
from qa_core.storage import name_merges
from qa_core.storage.records import store
from qa_core.storage.records.people import IS_PERSON, MACHINE, Advisor, Membership

T = TypeVar("T")


def find_names(session: Session) -> dict[str, str]:
    """Find the name of each advisor, by id; several may share one. Machines are no advisors."""
    return dict(session.execute(sa.select(Advisor.advisor_id, Advisor.name).where(IS_PERSON)).all())


def find_kinds(session: Session) -> dict[str, str]:
    """Find who is a person and who a machine, as far as the roster says it, by id."""
    return store.remember(session, "advisor_kinds", _read_kinds)


def find_machines(session: Session) -> frozenset[str]:
    return frozenset(key for key, kind in find_kinds(session).items() if kind == MACHINE)


def _read_kinds(session: Session) -> dict[str, str]:
    said = sa.select(Advisor.advisor_id, Advisor.kind).where(Advisor.kind.is_not(None))
    return dict(session.execute(said).all())


def is_known(session: Session, advisor_id: str) -> bool:
    return session.get(Advisor, advisor_id) is not None


def find_members(
    session: Session, day: date, teams: Collection[str] | None = None
) -> dict[str, str]:
    """Find the team of each advisor on that day, of those in these teams (None: all
    teams).

    A merged advisor counts as the kept one; where both are in a team, the kept one's
    counts.
    """
    statement = (
        sa.select(Membership.advisor_id, Membership.team_name)
        .where(
            sa.or_(Membership.starts_on.is_(None), Membership.starts_on <= day),
            sa.or_(Membership.ends_on.is_(None), Membership.ends_on > day),
        )
        .order_by(Membership.id)
    )
    if teams is not None:
        statement = statement.where(Membership.team_name.in_(teams))
    kept_ids = name_merges.find_kept_names(session)["advisor"]
    rows = sorted(session.execute(statement).all(), key=lambda row: row.advisor_id not in kept_ids)
    teams_by_advisor = {kept_ids.get(row.advisor_id, row.advisor_id): row.team_name for row in rows}
    return _without_machines(session, teams_by_advisor)


def find_never_placed(session: Session) -> set[str]:
    """Find the advisors who never had a team, by id."""
    has_team = sa.exists().where(Membership.advisor_id == Advisor.advisor_id)
    return set(session.scalars(sa.select(Advisor.advisor_id).where(~has_team, IS_PERSON)))


def find_teams(session: Session, day: date) -> dict[str, frozenset[str]]:
    """Find the teams of each advisor on that day: an empty set for those in one before
    or later; advisors who never had a team are absent.
    """
    kept_ids = name_merges.find_kept_names(session)["advisor"]
    teams_by_advisor: dict[str, frozenset[str]] = {}
    for row in session.scalars(sa.select(Membership)):
        advisor = kept_ids.get(row.advisor_id, row.advisor_id)
        holds = TeamSpan(row.team_name, row.starts_on, row.ends_on).holds_on(day)
        teams_by_advisor[advisor] = teams_by_advisor.get(advisor, frozenset()) | (
            {row.team_name} if holds else frozenset()
        )
    return _without_machines(session, teams_by_advisor)


def _without_machines(session: Session, by_advisor: dict[str, T]) -> dict[str, T]:
    machines = find_machines(session)
    return {advisor: value for advisor, value in by_advisor.items() if advisor not in machines}


def find_last_starts(session: Session, day: date) -> dict[str, date]:
    """Find the day on which each advisor last joined a team, by that day."""
    came = (
        sa.select(Membership.advisor_id, sa.func.max(Membership.starts_on))
        .where(Membership.starts_on <= day)
        .group_by(Membership.advisor_id)
    )
    return dict(session.execute(came).all())
