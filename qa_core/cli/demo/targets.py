"""Targets, alert rules and notes of the demo centre; removed with it."""

from datetime import timedelta

import sqlalchemy as sa

from qa_core.access.roles import Viewer
from qa_core.analysis import alerts, annotations, targets
from qa_core.base.errors import AccessDenied
from qa_core.cli.demo.plan import DemoPlan
from qa_core.cli.demo.seasons import LAUNCH_AGE
from qa_core.storage.records import store
from qa_core.storage.records.alerts import AlertRule

TARGETS = {
    "answer_rate": "92%",
    "service_level": "80%",
    "first_contact_resolution": "75%",
    "csat": "70%",
}
LAUNCH = "Nouvelle facture envoyée à tous les clients"

Kept = dict[str, list[int]]
"""Ids of what was set up, by kind."""


def set_up(viewer: Viewer, plan: DemoPlan) -> Kept:
    """Set what nobody has set yet, and evaluate the alert rules."""
    present = {target.kpi for target in targets.find_all(viewer)}
    goals = [
        targets.set_target(viewer, kpi, text).id
        for kpi, text in TARGETS.items()
        if kpi not in present
    ]
    launch = plan.last_day - timedelta(days=LAUNCH_AGE)
    notes = [annotations.add(viewer, LAUNCH, launch).id] if launch >= plan.first_day else []
    rules = [rule.id for rule in alerts.add_suggested(viewer)]
    alerts.evaluate(viewer)
    return {"targets": goals, "notes": notes, "rules": rules}


def remove(viewer: Viewer, kept: Kept) -> None:
    """Remove what was set up and still exists, with all that its rules fired."""
    for remove, numbers in (
        (targets.remove, "targets"),
        (annotations.remove, "notes"),
        (alerts.end, "rules"),
    ):
        for number in kept.get(numbers, ()):
            try:
                remove(viewer, number)
            except AccessDenied:
                continue  # somebody has taken it away before
    with store.writing() as session:
        session.execute(sa.delete(AlertRule).where(AlertRule.id.in_(kept.get("rules", ()))))
