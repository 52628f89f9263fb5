"""Team members of today, for plans and the weekly list."""

from datetime import date, timedelta

from sqlalchemy.orm import Session

from qa_core.access.roles import Viewer
from qa_core.centre import members
from qa_core.metrics import query
from qa_core.metrics.dimensions import Period
from qa_core.metrics.query.dimension_sql import Names

RECENT_DAYS = 28
"""Days before the newest data whose contacts place an advisor."""


def find_members(session: Session, viewer: Viewer, day: date) -> dict[str, str]:
    """Return advisor → team, for advisors who are on that day in a team that the viewer
    leads or manages (for the system: any).

    By dated memberships; advisors without any, as where none were ever imported, by
    their latest contacts.
    """
    teams = viewer.teams_on(day)
    found = members.find_members(session, day, None if viewer.is_system else teams)
    loose = members.find_never_placed(session)
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


def find_names(session: Session) -> dict[str, str]:
    """Return advisor → name, with the id where several share the name."""
    return dict(Names.load(session, frozenset({"advisor"})).advisors)
