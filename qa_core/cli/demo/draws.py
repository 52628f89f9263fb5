"""Listening plans of the demo centre for this month and the last, drawn from a seed."""

from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import Permission, Role, Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.cli.demo import accounts, evaluations
from qa_core.cli.demo.listening import ENTERED_BY
from qa_core.cli.demo.plan import DemoPlan
from qa_core.cli.demo.staff import TEAMS, Staff
from qa_core.metrics.dimensions import add_months
from qa_core.quality import sampling
from qa_core.storage.records.listening import ListeningPlan

PER_ADVISOR, MAXIMUM = 2, 8
DAYS_TO_LISTEN = 10


def draw(viewer: Viewer, plan: DemoPlan, staff: Staff, sign_ins: list[dict[str, str]]) -> None:
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


def remove(session: Session) -> None:
    """Remove these plans with all that was drawn for them."""
    session.execute(sa.delete(ListeningPlan).where(ListeningPlan.created_by == ENTERED_BY))
