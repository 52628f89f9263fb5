"""Coaching plans of the demo's team lead: open, overdue and ended, with their sessions."""

from dataclasses import dataclass
from datetime import time

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import Role, Viewer
from qa_core.cli.demo.accounts import choose_advisor, choose_team
from qa_core.cli.demo.plan import DemoPlan
from qa_core.cli.demo.staff import TEAMS, Staff
from qa_core.metrics import formatting, query
from qa_core.metrics.dimensions import Filters, Period
from qa_core.storage.records import store
from qa_core.storage.records.listening import CoachingNote, CoachingPlan
from qa_core.storage.records.people import Account

LOOKED_AT_DAYS = 90
TRAINED_CRITERION, TRAINED_FROM = "ownership", 50
"""Criterion hurt by the new invoice; days before the end when its coaching begins."""
CLOCK = time(16, 30)
"""Time of day of all that happens here."""


@dataclass(frozen=True)
class CoachingStory:
    """Plan in days before the end; notes: (days, minutes, text, by the advisor)."""

    goal: str
    criteria: tuple[str, ...]
    starts: int
    due: int
    state: str = "open"
    ended: int | None = None
    notes: tuple[tuple[int, int | None, str, bool], ...] = ()


WEAK = CoachingStory(
    "Retrouver des bases solides d'un appel à l'autre",
    (),
    130,
    45,
    "stopped",
    40,
    (
        (
            128,
            45,
            "Écoute de trois appels. Nous convenons d'une fiche à garder sous les yeux.",
            False,
        ),
        (96, 30, "La fiche aide au début de l'appel, moins quand le client s'impatiente.", False),
        (
            40,
            None,
            "Arrêté : trop peu de séances pendant le renfort de l'été. À reprendre autrement.",
            False,
        ),
    ),
)
"""For an advisor who truly scores low, on the weakest criteria."""
OTHERS = (
    CoachingStory(
        "Laisser une trace que le prochain collègue comprend sans rappeler",
        ("record", "close"),
        84,
        -12,
        notes=(
            (
                83,
                40,
                "Deux dossiers relus ensemble : la suite prévue manquait dans les deux.",
                False,
            ),
            (55, 30, "Essai d'un résumé en trois lignes : motif, réponse, suite.", False),
            (54, None, "Le résumé me prend moins d'une minute, je continue.", True),
        ),
    ),
    CoachingStory(
        "Reformuler la demande avant de répondre",
        ("listening", "questions"),
        150,
        60,
        "reached",
        58,
        (
            (149, 45, "Objectif choisi ensemble après l'écoute de deux appels.", False),
            (110, 30, "La reformulation vient naturellement, sauf en fin de journée.", False),
            (58, 20, "Objectif atteint : nous en restons là.", False),
        ),
    ),
    CoachingStory(
        "Aller au bout de la demande sans renvoi évitable",
        (TRAINED_CRITERION,),
        TRAINED_FROM,
        6,
        "reached",
        4,
        (
            (49, 45, "Écoute de deux appels sur la facture, renvoyés sans réponse.", False),
            (30, 30, "La fiche « nouvelle facture » répond aux quatre questions du moment.", False),
            (4, 20, "Objectif atteint : les derniers appels vont au bout de la demande.", False),
        ),
    ),
)


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
                        text=text,
                        minutes=minutes,
                        author=by_advisor if is_own else lead,
                        written_at=plan.moment(days, CLOCK),
                    )
                    for days, minutes, text, is_own in story.notes
                ]
                session.add(made)


def remove(session: Session) -> None:
    """Remove the plans opened by demo accounts, before these accounts are removed."""
    demo = sa.select(Account.username).where(Account.demo)
    session.execute(sa.delete(CoachingPlan).where(CoachingPlan.opened_by.in_(demo)))


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
