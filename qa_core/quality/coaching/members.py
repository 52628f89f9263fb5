"""Who is in which team today: what a team lead may open a plan for, and whom a week's
list is about.
"""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import Viewer
from qa_core.metrics import query
from qa_core.metrics.dimensions import Period
from qa_core.metrics.query.dimension_sql import Names
from qa_core.storage import name_merges
from qa_core.storage.records.people import Advisor, Membership

RECENT_DAYS = 28
"""Without any membership an advisor is in the team of the contacts of so many days
before the newest data.
"""


def find_members(session: Session, viewer: Viewer, day: date) -> dict[str, str]:
    """advisor → team, of the advisors who are on that day in a team that the viewer
    leads or manages then (for the system: in any).

    By the dated memberships; who has none at all, as in a centre that never had a file
    of its advisors, by their latest contacts.
    """
    teams = viewer.teams_on(day)
    in_force = (
        sa.or_(Membership.starts_on.is_(None), Membership.starts_on <= day),
        sa.or_(Membership.ends_on.is_(None), Membership.ends_on > day),
    )
    statement = (
        sa.select(Membership.advisor_id, Membership.team_name)
        .where(*in_force)
        .order_by(Membership.id)
    )
    if not viewer.is_system:
        statement = statement.where(Membership.team_name.in_(teams))
    kept = name_merges.find_kept(session)["advisor"]
    # Whoever was merged into another one is that one; where both are in a team, it is
    # that of the kept.
    rows = sorted(session.execute(statement).all(), key=lambda row: row.advisor_id not in kept)
    found = {kept.get(row.advisor_id, row.advisor_id): row.team_name for row in rows}
    placed = sa.exists().where(Membership.advisor_id == Advisor.advisor_id)
    loose = set(session.scalars(sa.select(Advisor.advisor_id).where(~placed)))
    through = query.data_through(viewer) if loose else None
    if through is not None:
        for advisor in query.find_advisors(
            viewer, Period(through.date() - timedelta(days=RECENT_DAYS), through.date())
        ):
            team = next(
                (
                    name
                    for name in advisor.teams
                    if name is not None and (viewer.is_system or name in teams)
                ),
                None,
            )
            if advisor.advisor_id in loose and team is not None:
                found[advisor.advisor_id] = team
    return found


def find_teams(session: Session, day: date) -> dict[str, frozenset[str]]:
    """advisor → the teams they are in on that day, by the dated memberships; nobody who
    never had any is in it.
    """
    kept = name_merges.find_kept(session)["advisor"]
    found: dict[str, frozenset[str]] = {}
    for row in session.scalars(sa.select(Membership)):
        advisor = kept.get(row.advisor_id, row.advisor_id)
        holds = (row.starts_on is None or row.starts_on <= day) and (
            row.ends_on is None or row.ends_on > day
        )
        found[advisor] = found.get(advisor, frozenset()) | (
            {row.team_name} if holds else frozenset()
        )
    return found


def find_names(session: Session) -> dict[str, str]:
    """advisor → name, as every figure gives it: with the id behind it where several
    share the name.
    """
    return dict(Names.load(session, frozenset({"advisor"})).advisors)
