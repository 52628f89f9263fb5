"""Coaching plans of the demo's team lead: open, overdue and ended, with their sessions."""

from datetime import time

from qa_core.access.roles import Role, Viewer
from qa_core.cli.demo.accounts import Cast, order_colleagues
from qa_core.cli.demo.story import STORY, DemoPlan, Entry
from qa_core.metrics import formatting, query
from qa_core.metrics.dimensions import Filters, Period
from qa_core.storage.records import store
from qa_core.storage.records.listening import CoachingNote, CoachingPlan

LOOKED_AT_DAYS = 90
CLOCK = time(16, 30)
"""Time of day of all that happens here."""


def set_up(viewer: Viewer, cast: Cast) -> None:
    """Open the plans of the demo's team lead, except those older than the centre."""
    plan, lead = cast.plan, cast.name(Role.TEAM_LEAD)
    weak, *ordinary = order_colleagues(cast.staff)
    stories = list(zip((cast.advisor, *ordinary), STORY.coaching.others, strict=False))
    if cast.staff.scores[weak] < 0:
        stories.append((weak, STORY.coaching.weak))
    with store.writing() as session:
        for advisor, story in stories:
            starts_on = plan.day(story.starts)
            if starts_on < plan.first_day:
                continue
            advisor_id = cast.staff.ids[advisor]
            spoken = cast.name(Role.ADVISOR) if advisor == cast.advisor else lead
            session.add(
                CoachingPlan(
                    advisor_id=advisor_id,
                    team=cast.team,
                    local_day=starts_on,
                    goal=story.goal,
                    criteria=story.criteria
                    or _find_weakest(viewer, plan, cast.team, advisor_id, story),
                    evaluations=[],
                    starts_on=starts_on,
                    due_on=plan.day(story.due),
                    state=story.get("state", "open"),
                    version=1 + len(story.notes),
                    opened_by=lead,
                    opened_at=plan.moment(story.starts, CLOCK),
                    ended_on=plan.day(story.ended) if "ended" in story else None,
                    notes=[
                        CoachingNote(
                            text=note.text,
                            minutes=note.get("minutes"),
                            author=spoken if note.get("is_own") else lead,
                            written_at=plan.moment(note.days, CLOCK),
                        )
                        for note in story.notes
                    ],
                )
            )


def _find_weakest(
    viewer: Viewer, plan: DemoPlan, team: str, advisor_id: str, story: Entry
) -> list[str]:
    """Find the two criteria on which the advisor was furthest behind before the plan."""
    before = Period(plan.day(story.starts + LOOKED_AT_DAYS), plan.day(story.starts + 1))
    where = Filters.of(before, {"team": (team,)})
    everybody, own = (
        query.measure(viewer, ("evaluation_score",), ("criterion",), cut)
        .set_index("criterion")["value"]
        .to_dict()
        for cut in (where, where.with_value("advisor", advisor_id))
    )
    behind = {
        criterion: value - everybody[criterion]
        for criterion, value in own.items()
        if not formatting.is_missing(value)
    }
    return sorted(behind, key=behind.__getitem__)[:2]
