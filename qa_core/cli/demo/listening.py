"""Listening in the demo centre: its legal conditions, and plans drawn from a seed."""

from datetime import date, timedelta

from qa_core.access.roles import Permission, Role, Viewer, has_on_others
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.centre import members
from qa_core.cli.demo import accounts, evaluations
from qa_core.cli.demo.plan import DemoPlan
from qa_core.cli.demo.staff import TEAMS, Staff
from qa_core.compliance import accreditations, gates, notices
from qa_core.metrics.dimensions import add_months
from qa_core.quality import sampling
from qa_core.storage.records import store

ENTERED_BY = "demo centre"
"""Author of the demo's entries; no account can have this name."""

ACCREDITED_DAYS = 180
PER_ADVISOR, MAXIMUM = 2, 8
DAYS_TO_LISTEN = 10


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


def draw_contacts(
    viewer: Viewer, plan: DemoPlan, staff: Staff, sign_ins: list[dict[str, str]]
) -> None:
    """Plan and draw for the team with audio; nothing where the centre may not listen."""
    viewer.require(Permission.MANAGE_ACCOUNTS)
    demo = Viewer(ENTERED_BY, None, is_system=True)
    evaluators = [entry["username"] for entry in sign_ins if entry["role"] == Role.EVALUATOR]
    this_month = plan.last_day.replace(day=1)
    for first, days in (
        (add_months(this_month, -1), DAYS_TO_LISTEN // 3),
        (this_month, DAYS_TO_LISTEN),
    ):
        content = {
            "name": f"demo-{first:%Y-%m}",
            "purpose": "quality",
            "from": first,
            "to": add_months(first, 1) - timedelta(days=1),
            "grid": evaluations.GRID_KEY,
            "per_advisor": PER_ADVISOR,
            "maximum_per_advisor": MAXIMUM,
            "strata": ["queue", "weekday"],
            "team": [TEAMS[accounts.choose_team(staff)][0]],
            "evaluators": evaluators,
            "due": environment.today() + timedelta(days=days),
        }
        try:
            sampling.add_plan(demo, content)
            sampling.draw(demo, content["name"], plan.seed)
        except Refusal:
            return


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
