"""A small centre whose evaluations are answered: one grid that a person can add up, and
everybody who has a part in it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from builders.centres import add_people, contact, evaluation, land
from qa_core import scoring
from qa_core.access import accounts
from qa_core.access.roles import Viewer
from qa_core.quality.evaluations import finalise
from qa_core.storage.records import store
from qa_core.storage.records.base import now
from qa_core.storage.records.evaluations import ScorecardVersion

GRID = {
    "title": "Service",
    "pass_mark": 75,
    "section": [
        {
            "name": "Welcome",
            "weight": 1,
            "criterion": [
                {"key": "greeting", "points": 2, "levels": [0, 1, 2]},
                {
                    "key": "identity",
                    "points": 2,
                    "levels": [0, 2],
                    "critical": "compliance",
                    "not_applicable": True,
                },
            ],
        },
        {
            "name": "Answer",
            "weight": 3,
            "criterion": [{"key": "accuracy", "points": 4, "levels": [0, 1, 2, 3, 4]}],
        },
    ],
}
GIVEN = {"greeting": 1, "identity": 2, "accuracy": 2}
"""Welcome 3 of 4 points, a quarter of the whole: 18.75. Answer 2 of 4, three quarters:
37.5. Together 56.25, below the pass mark of 75.
"""


def build(add_person: Callable[..., str]) -> Callable[..., int]:
    """Two advisors of a team, its lead, managers of its site and of another, an
    evaluator. Call what is returned for another published evaluation of Léa.
    """
    add_people({"a1": "Léa Roux", "a2": "Noé Petit"}, {"Blue": "Lyon", "Red": "Lille"})
    for username, role, bounds in (
        ("lea", "advisor", {"advisor_id": "a1"}),
        ("noe", "advisor", {"advisor_id": "a2"}),
        ("tom", "team_lead", {"teams": ("Blue",)}),
        ("mona", "manager", {"sites": ("Lyon",)}),
        ("max", "manager", {"sites": ("Lyon",)}),
        ("lise", "manager", {"sites": ("Lille",)}),
        ("eve", "evaluator", {}),
    ):
        add_person(username, role, **bounds)
    call = contact("2026-03-02 10:00", "c1", advisor_id="a1", team="Blue", talk_seconds=100)
    land([call])
    with store.writing() as session:
        grid = ScorecardVersion(key="service", title="Service", content=GRID, published_at=now())
        session.add(grid)
        session.flush()
        grid_id = grid.id

    def evaluate(
        given: dict[str, Any] = GIVEN, evaluated_at: datetime | None = None, **columns: Any
    ) -> int:
        with store.writing() as session:
            made = evaluation(
                call,
                None,
                **{
                    "grid_id": grid_id,
                    "evaluator": "eve",
                    "state": "published",
                    "published_at": now(),
                }
                | columns,
            )
            finalise.apply_scores(
                made, scoring.parse_scorecard(GRID), given, {"accuracy": "Wrong date given."}
            )
            made.evaluated_at = evaluated_at or made.evaluated_at
            session.add(made)
            session.flush()
            return made.id

    return evaluate


def viewer(username: str) -> Viewer:
    with store.reading() as session:
        return accounts.get_viewer(session, username)
