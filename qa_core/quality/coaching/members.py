"""Who is in which team today: what a team lead may open a plan for, and whom a week's
list is about.
"""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy.orm import Session

from qa_core.access.roles import Viewer
from qa_core.centre import members
from qa_core.metrics import query
from qa_core.metrics.dimensions import Period
from qa_core.metrics.query.dimension_sql import Names

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
    """advisor → name, as every figure gives it: with the id behind it where several
    share the name.
    """
    return dict(Names.load(session, frozenset({"advisor"})).advisors)
