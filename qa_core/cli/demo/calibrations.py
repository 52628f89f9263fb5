"""Calibration sessions of the demo centre: one closed, one that waits."""

from collections.abc import Sequence
from datetime import time, timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa

from qa_core import scoring
from qa_core.access.roles import Role, Viewer
from qa_core.cli.demo.accounts import Cast
from qa_core.cli.demo.evaluations import NEVER_LOST, NOT_APPLICABLE, SCORECARD_KEY, read_scorecard
from qa_core.cli.demo.staff import EVALUATORS
from qa_core.cli.demo.story import STORY, DemoPlan, Entry
from qa_core.compliance import retention
from qa_core.compliance.recordings import law
from qa_core.metrics.law import listening_rights
from qa_core.metrics.law.listening_rights import Listenable
from qa_core.quality.calibration.contact_choice import PURPOSE
from qa_core.quality.calibration.sessions import build_contacts
from qa_core.quality.evaluations import finalise
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import CALIBRATION, Evaluation, ScorecardVersion
from qa_core.storage.records.listening import Calibration, Recording
from qa_core.storage.records.store import Session

TOLD = STORY.calibration
MIN_CONTACTS = 3
CLOCK = time(10, 15)
"""Time of day of all that happens here."""
NOISE = 0.07
"""Random spread as a share of the points; larger where the wording is bad."""


def set_up(cast: Cast) -> None:
    """Add the sessions for which enough contacts were evaluated."""
    plan, manager = cast.plan, cast.name(Role.MANAGER)
    evaluators = [*cast.evaluators, *EVALUATORS[len(cast.evaluators) :]]
    chance = plan.chance("calibrations")
    chosen = [(told, _choose(plan, told)) for told in TOLD.sessions]
    published = sa.select(ScorecardVersion).where(
        ScorecardVersion.key == SCORECARD_KEY, ScorecardVersion.published_at.is_not(None)
    )
    with store.writing() as session:
        grid = session.scalars(published.order_by(ScorecardVersion.version)).first()
        for told, contacts in chosen:
            if grid is None or len(contacts) < MIN_CONTACTS:
                continue
            made = Calibration(
                title=told.title,
                grid_id=grid.id,
                evaluators=[evaluators[position] for position in told.invited],
                opened_by=manager,
                opened_at=plan.moment(told.opened, CLOCK),
                due_on=plan.day(told.due),
                contacts=build_contacts(contacts),
            )
            if told.is_closed:
                made.closed_at, made.closed_by = plan.moment(told.due, CLOCK), manager
            session.add(made)
            session.flush()
            leans = {evaluators[position]: TOLD.leans[position] for position in told.scorers}
            _mark(session, plan, made, contacts, leans, chance, told.scored)


def _choose(plan: DemoPlan, told: Entry) -> list[Listenable]:
    """Choose evaluated contacts of most different advisors, recorded ones first."""
    first, last = map(plan.day, told.days)
    recorded = sa.exists().where(
        Recording.source_system == Evaluation.source_system,
        Recording.contact_id == Evaluation.contact_id,
    )
    statement = (
        sa.select(Evaluation.source_system, Evaluation.contact_id, Evaluation.advisor_id)
        .where(
            Evaluation.kind == "scored",
            Evaluation.local_day.between(first, last),
            Evaluation.advisor_id.is_not(None),
            Evaluation.team.is_not(None),
            Evaluation.contact_id.is_not(None),
        )
        .order_by(recorded.desc(), Evaluation.local_day.desc(), Evaluation.contact_id)
    )
    with store.reading() as session:
        rows = session.execute(Scoped(statement, Viewer.SYSTEM)).all()
        legal = law.load(session, retention.start_of(last + timedelta(days=1)))
    by_advisor: dict[str, tuple[str, str]] = {}
    for system, contact_id, advisor_id in rows:
        by_advisor.setdefault(advisor_id, (system, contact_id))
    keys = list(by_advisor.values())
    months = f"{first:%Y-%m}", f"{last:%Y-%m}"
    return listening_rights.find_listenable(Viewer.SYSTEM, keys, legal, *months)[: told.contacts]


def _mark(
    session: Session,
    plan: DemoPlan,
    made: Calibration,
    contacts: Sequence[Listenable],
    leans: dict[str, float],
    chance: np.random.Generator,
    days_before: int,
) -> None:
    """Score every contact as each of these evaluators hears it."""
    grid = read_scorecard()
    for position, contact in enumerate(contacts):
        deserved = {criterion.key: _deserve(criterion, chance) for criterion in grid.criteria}
        for username, lean in leans.items():
            answers = {
                criterion.key: _hear(criterion, deserved[criterion.key], lean, chance)
                for criterion in grid.criteria
            }
            evaluation = Evaluation(
                source_system=contact.source_system,
                contact_id=contact.contact_id,
                advisor_id=contact.advisor_id,
                team=contact.team,
                local_day=contact.local_start.date(),
                evaluator=username,
                grid_id=made.grid_id,
                grid_name=grid.title,
                kind=CALIBRATION,
                purpose=PURPOSE,
                calibration_id=made.id,
                state="submitted",
                evaluated_at=plan.moment(days_before, CLOCK) + timedelta(minutes=20 * position),
                seconds_spent=float(chance.integers(300, 900)),
            )
            evaluation.submitted_at = evaluation.evaluated_at
            finalise.apply_scores(evaluation, grid, answers)
            session.add(evaluation)


def _deserve(criterion: scoring.Criterion, chance: np.random.Generator) -> float | None:
    """Draw what the contact deserves on that criterion, 0–1; None: it does not apply."""
    if chance.random() < NOT_APPLICABLE.get(criterion.key, 0.0):
        return None
    return 1.0 if criterion.key in NEVER_LOST else float(np.clip(chance.normal(0.75, 0.25), 0, 1))


def _hear(
    criterion: scoring.Criterion, deserved: float | None, lean: float, chance: np.random.Generator
) -> Any:
    heard = chance.normal(lean, TOLD.unclear.get(criterion.key, NOISE))
    if deserved is None:
        return scoring.NOT_APPLICABLE
    levels = np.array([float(level) for level in criterion.levels])
    wanted = (deserved + (0 if criterion.key in NEVER_LOST else heard)) * float(criterion.points)
    return float(levels[np.argmin(np.abs(levels - wanted))])
