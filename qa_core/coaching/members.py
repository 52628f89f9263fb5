"""Who is in which team today: what a team lead may open a plan for, and whom a week's list is about."""

from __future__ import annotations

from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core import query
from qa_core.access import Viewer
from qa_core.query.cuts import Names
from qa_core.records.model import Advisor, Membership
from qa_core.slices import Period

RECENT_DAYS = 28
"""Without any membership an advisor is in the team of the contacts of so many days before the newest data."""


def find_members(session: Session, viewer: Viewer, day: date) -> dict[str, str]:
    """advisor → team, of the advisors who are on that day in a team that the viewer leads or manages then (for the system: in any).

    By the dated memberships; who has none at all, as in a centre that never had a file of its advisors, by their latest contacts.
    """
    teams = viewer.teams_on(day)
    in_force = (sa.or_(Membership.starts_on.is_(None), Membership.starts_on <= day), sa.or_(Membership.ends_on.is_(None), Membership.ends_on > day))
    statement = sa.select(Membership.advisor_id, Membership.team_name).where(*in_force).order_by(Membership.id)
    if not viewer.is_system:
        statement = statement.where(Membership.team_name.in_(teams))
    found = dict(session.execute(statement).all())
    placed = sa.exists().where(Membership.advisor_id == Advisor.advisor_id)
    loose = set(session.scalars(sa.select(Advisor.advisor_id).where(~placed)))
    through = query.data_through(viewer) if loose else None
    if through is not None:
        for advisor in query.find_advisors(viewer, Period(through.date() - timedelta(days=RECENT_DAYS), through.date())):
            team = next((name for name in advisor.teams if name is not None and (viewer.is_system or name in teams)), None)
            if advisor.advisor_id in loose and team is not None:
                found[advisor.advisor_id] = team
    return found


def find_names(session: Session) -> dict[str, str]:
    """advisor → name, as every figure gives it: with the id behind it where several share the name."""
    return dict(Names.load(session, frozenset({"advisor"})).advisors)
