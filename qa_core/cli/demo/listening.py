"""Legal conditions of listening in the demo centre: gates, accreditations, notices."""

from datetime import date, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import Permission, Viewer, has_on_others
from qa_core.base import environment
from qa_core.centre import members
from qa_core.cli.demo.plan import DemoPlan
from qa_core.cli.demo.staff import Staff
from qa_core.compliance import accreditations, gates, notices
from qa_core.storage.records import store
from qa_core.storage.records.listening import Accreditation, AdvisorNotice, GateValue

ENTERED_BY = "demo centre"
"""Author of the demo's entries; no account can have this name."""

ACCREDITED_DAYS = 180


def open_for_listening(
    viewer: Viewer, plan: DemoPlan, staff: Staff, sign_ins: list[dict[str, str]]
) -> None:
    """Enter what each closed gate requires, accredit the demo's listeners and inform
    its advisors, each before their first contact.

    A centre that has advisors of its own enters its gates itself: a demo beside it
    opens none.
    """
    viewer.require(Permission.MANAGE_ACCOUNTS)
    demo = Viewer(ENTERED_BY, None, is_system=True)
    with store.reading() as session:
        is_alone = members.find_names(session).keys() <= set(staff.ids)
        closed = set(gates.find_missing(session)) & set(gates.BY_NAME)
    if is_alone:
        for name, value in _values(plan).items():
            if name in closed:
                gates.set_gate(demo, name, value)
    for entry in sign_ins:
        if has_on_others(entry["role"], Permission.LISTEN):
            accreditations.accredit(
                demo, entry["username"], environment.today() + timedelta(days=ACCREDITED_DAYS)
            )
    for day, advisors in _days_of_notice(plan, staff).items():
        notices.inform(demo, advisors, day)


def remove(session: Session) -> None:
    """Remove the entries made above; those of people stay."""
    for table, column in (
        (GateValue, GateValue.set_by),
        (Accreditation, Accreditation.given_by),
        (AdvisorNotice, AdvisorNotice.entered_by),
    ):
        session.execute(sa.delete(table).where(column == ENTERED_BY))


def _values(plan: DemoPlan) -> dict[str, str]:
    before = plan.first_day - timedelta(days=30)
    return {
        "works_council_consulted_on": before.isoformat(),
        "purposes": ",".join(gates.PURPOSES),
        "callers_informed_since": before.isoformat(),
        "recording_retention_months": "6",
        "analysis_retention_months": "12",
    }


def _days_of_notice(plan: DemoPlan, staff: Staff) -> dict[date, list[str]]:
    """Choose the day each advisor is informed: before recording begins, or when they join."""
    joined: dict[int, date] = {}
    for membership in staff.memberships:
        joined[membership.advisor] = min(
            membership.starts_on, joined.get(membership.advisor, membership.starts_on)
        )
    days: dict[date, list[str]] = {}
    for advisor, day in sorted(joined.items()):
        days.setdefault(max(day, plan.first_day - timedelta(days=14)), []).append(
            staff.ids[advisor]
        )
    return days
