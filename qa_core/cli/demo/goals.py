"""Targets, alert rules and notes of the demo centre, and irritants at three stages of the
action list.
"""

from datetime import time

import sqlalchemy as sa

from qa_core.access.roles import Role, Viewer
from qa_core.analysis import alerts, annotations, targets
from qa_core.analysis.irritants import action_list
from qa_core.analysis.irritants.action_list import ActionState
from qa_core.analysis.irritants.subject import IrritantKind, IrritantSubject
from qa_core.base.errors import AccessDenied
from qa_core.cli.demo.accounts import Cast
from qa_core.cli.demo.seasons import LAUNCH
from qa_core.cli.demo.story import STORY, DemoPlan
from qa_core.metrics.dimensions import Filters
from qa_core.storage.records import store
from qa_core.storage.records.alerts import AlertRule
from qa_core.storage.records.irritants import Irritant, IrritantStep

CLOCK = time(10)
"""Time of day of what happens to an irritant."""

Kept = dict[str, list[int]]
"""Ids of what was set up, by kind."""


def set_up(viewer: Viewer, plan: DemoPlan) -> Kept:
    """Set what nobody has set yet, and evaluate the alert rules."""
    present = {target.kpi for target in targets.find_all(viewer)}
    goals = [
        targets.set_target(viewer, kpi, text).id
        for kpi, text in STORY.targets.items()
        if kpi not in present
    ]
    launch = plan.day(LAUNCH.age)
    is_within = launch >= plan.first_day
    notes = [annotations.add(viewer, LAUNCH.note, launch).id] if is_within else []
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


def add_irritants(cast: Cast) -> None:
    """Add the irritants as the demo's manager would; existing entries stay."""
    manager, plan = cast.view(Role.MANAGER), cast.plan
    for story in STORY.irritants:
        subject, owner = _read_subject(**story.subject), cast.name(story.owner)
        number = action_list.open_entry(manager, subject, Filters(), owner)
        with store.writing() as session:
            entry = session.get(Irritant, number)
            entry.steps = [
                IrritantStep(
                    state=ActionState(state),
                    taken_by=manager.username,
                    taken_at=plan.moment(days, CLOCK),
                )
                for state, days in story.steps.items()
            ]
            entry.state, entry.opened_at = entry.steps[-1].state, entry.steps[0].taken_at
            entry.due_on, entry.note = plan.day(story.due), story.note


def _read_subject(kind: str, terms: tuple[str, ...] = (), **words: str) -> IrritantSubject:
    return IrritantSubject(IrritantKind(kind), terms=tuple(terms), **words)
