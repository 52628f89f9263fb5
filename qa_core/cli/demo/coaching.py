"""Coaching plans of the demo's team lead: open, overdue and ended, with their sessions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from typing import Any

import numpy as np

from qa_core.access.roles import Role, Viewer
from qa_core.cli.demo.accounts import choose_advisor, choose_team
from qa_core.cli.demo.plan import TEXTS, DemoPlan
from qa_core.cli.demo.staff import TEAMS, Staff
from qa_core.metrics import formatting, query
from qa_core.metrics.dimensions import Filters, Period
from qa_core.storage.records import store
from qa_core.storage.records.listening import CoachingNote, CoachingPlan

LOOKED_AT_DAYS = 90
CLOCK = time(16, 30)
"""Time of day of all that happens here."""


@dataclass(frozen=True)
class CoachingStory:
    """Plan in days before the end; a note has `days`, `text`, perhaps `minutes`, `is_own`."""

    goal: str
    criteria: Sequence[str]
    starts: int
    due: int
    state: str = "open"
    ended: int | None = None
    notes: Sequence[Mapping[str, Any]] = ()


WEAK = CoachingStory(**TEXTS["coaching"]["weak"])
OTHERS = tuple(CoachingStory(**story) for story in TEXTS["coaching"]["others"])
TRAINED_CRITERION, TRAINED_FROM = OTHERS[2].criteria[0], OTHERS[2].starts
"""Criterion hurt by the new invoice; days before the end when its coaching begins."""


def set_up(viewer: Viewer, plan: DemoPlan, staff: Staff, sign_ins: list[dict[str, str]]) -> None:
    """Open the plans of the demo's team lead, except those older than the centre."""
    names = {entry["role"]: entry["username"] for entry in sign_ins}
    team, spoken = choose_team(staff), choose_advisor(staff)
    weak, *ordinary = _order(staff, team, spoken)
    stories = list(zip((spoken, *ordinary), OTHERS, strict=False))
    if staff.scores[weak] < 0:
        stories.append((weak, WEAK))
    with store.writing() as session:
        for advisor, story in stories:
            if plan.day(story.starts) >= plan.first_day:
                criteria = story.criteria or _find_weakest(
                    viewer, plan, TEAMS[team][0], staff.ids[advisor], story
                )
                lead = names[Role.TEAM_LEAD]
                by_advisor = names[Role.ADVISOR] if advisor == spoken else lead
                made = CoachingPlan(
                    advisor_id=staff.ids[advisor],
                    team=TEAMS[team][0],
                    local_day=plan.day(story.starts),
                    goal=story.goal,
                    criteria=list(criteria),
                    evaluations=[],
                    starts_on=plan.day(story.starts),
                    due_on=plan.day(story.due),
                    state=story.state,
                    version=1 + len(story.notes),
                    opened_by=lead,
                    opened_at=plan.moment(story.starts, CLOCK),
                    ended_on=None if story.ended is None else plan.day(story.ended),
                )
                made.notes = [
                    CoachingNote(
                        text=note["text"],
                        minutes=note.get("minutes"),
                        author=by_advisor if note.get("is_own") else lead,
                        written_at=plan.moment(note["days"], CLOCK),
                    )
                    for note in story.notes
                ]
                session.add(made)


def choose_trained(staff: Staff) -> int:
    """Choose the advisor whose coaching on the criterion of the launch succeeds."""
    order = _order(staff, choose_team(staff), choose_advisor(staff))
    return order[min(2, len(order) - 1)]


def _order(staff: Staff, team: int, spoken: int) -> list[int]:
    """Order the other members of the team today, the truly lowest first."""
    members = [
        int(member) for member in np.nonzero(staff.team_on[-1] == team)[0] if member != spoken
    ]
    return sorted(members, key=lambda member: (staff.scores[member], member)) or [spoken]


def _find_weakest(
    viewer: Viewer, plan: DemoPlan, team: str, advisor_id: str, story: CoachingStory
) -> tuple[str, ...]:
    """Find the two criteria on which the advisor was furthest behind before the plan."""
    before = Period(plan.day(story.starts + LOOKED_AT_DAYS), plan.day(story.starts + 1))
    where = Filters.of(before, {"team": (team,)})
    everybody = {
        row.criterion: row.value
        for row in query.measure(viewer, ("evaluation_score",), ("criterion",), where).itertuples()
    }
    own = query.measure(
        viewer, ("evaluation_score",), ("criterion",), where.with_value("advisor", advisor_id)
    )
    behind = {
        row.criterion: row.value - everybody[row.criterion]
        for row in own.itertuples()
        if not formatting.is_missing(row.value)
    }
    return tuple(sorted(behind, key=behind.__getitem__)[:2])
