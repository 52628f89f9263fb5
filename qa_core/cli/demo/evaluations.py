"""Evaluations of three simulated evaluators, one strict and one lenient, and two calibration
sessions: one closed, one that waits.
"""

import functools
from collections.abc import Sequence
from datetime import date, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import sqlalchemy as sa

from qa_core import scoring
from qa_core.access.roles import Role, Viewer
from qa_core.base import doors
from qa_core.cli.demo import remarks
from qa_core.cli.demo.accounts import Cast, choose_trained
from qa_core.cli.demo.contacts import BILLING
from qa_core.cli.demo.extracts import Extracts, pick, to_utc
from qa_core.cli.demo.seasons import LAUNCH, Calendar
from qa_core.cli.demo.staff import EVALUATORS
from qa_core.cli.demo.story import STORY, DemoPlan, Entry
from qa_core.compliance import retention
from qa_core.compliance.recordings import law
from qa_core.metrics.law import listening_rights
from qa_core.metrics.law.listening_rights import Listenable
from qa_core.quality.calibration.contact_choice import PURPOSE
from qa_core.quality.calibration.sessions import build_contacts
from qa_core.quality.evaluations import finalise
from qa_core.quality.scorecards import publication
from qa_core.storage.facts.guard import Scoped
from qa_core.storage.records import store
from qa_core.storage.records.evaluations import CALIBRATION, Evaluation, ScorecardVersion
from qa_core.storage.records.listening import Calibration, Recording
from qa_core.storage.records.store import Session

SCORECARD_KEY = "customer-service"
DAYS_KEPT = 360
"""Documents of analysis are kept a year at most (docs/compliance.md, R6)."""
HARDNESS, NEVER_LOST, NOT_APPLICABLE = STORY.evaluations.values()

COMMENTED_SHARE = 0.7
LOST_ON_BILLS, LOST_UNTRAINED, GAINED_BY_TRAINING = 0.4, 0.4, 0.15
"""Shares of the points of the criterion of the launch: lost on bills at its worst, lost by
the advisor who is coached on it before, and gained after.
"""
TRAINED_DAYS, TRAINED_EVERY = 75, 6
"""In the last days, that advisor is evaluated once in so many."""
TOLD = STORY.calibration
MIN_CONTACTS = 3
HELD_AT = time(10, 15)
"""Time of day of all that happens in a calibration session."""
NOISE = 0.07
"""Random spread of its answers as a share of the points; larger where the wording is bad."""


@functools.cache
def read_scorecard() -> scoring.Scorecard:
    return scoring.parse_scorecard(publication.read_starter(SCORECARD_KEY))


def evaluate(
    plan: DemoPlan, calendar: Calendar, extracts: Extracts, first_day: date = date.min
) -> pa.Table:
    """Evaluate two to four calls per advisor and month, one row per criterion."""
    chance = plan.chance("evaluations")
    rows = _draw(calendar, extracts, chance)
    size = len(rows)
    evaluator = chance.integers(0, len(EVALUATORS), size)
    after = (86_400 * (1 + chance.gamma(2, 2.2, size))).astype("timedelta64[s]")
    evaluated_at = extracts.wave.at[rows] + after
    in_time = calendar.position(evaluated_at) < calendar.size
    if first_day > date.min:
        in_time &= extracts.wave.at[rows] >= np.datetime64(first_day + timedelta(days=1))
    rows, evaluator, evaluated_at = rows[in_time], evaluator[in_time], evaluated_at[in_time]
    advisor, day = extracts.wave.advisor[rows], calendar.position(extracts.wave.at[rows])
    level = 0.845 + extracts.staff.scores[advisor] - STORY.staff.severity[evaluator]
    level = level + chance.normal(0, 0.055, len(rows))
    level -= 0.06 * np.exp(-extracts.staff.tenure[day, advisor] / 90)
    levels = {LAUNCH.criterion: level - _find_lost(calendar, extracts, rows)}
    criteria = read_scorecard().criteria
    answers = [_answer(one, levels.get(one.key, level), chance) for one in criteria]
    points, applicable = (np.array(part) for part in zip(*answers, strict=True))
    most = np.array([float(criterion.points) for criterion in criteria])
    comments, tags = remarks.write_evaluators(
        plan.chance("evaluators"), _find_lacking(points, applicable, most), COMMENTED_SHARE
    )
    names = {
        criterion.key: section.name
        for section in read_scorecard().sections
        for criterion in section.criteria
    }
    # By evaluation, the criteria in the order of the grid.
    row = np.repeat(np.arange(len(rows)), len(criteria))
    position = np.tile(np.arange(len(criteria)), len(rows))
    unknown = ~applicable.T.ravel()
    return pa.table(
        {
            "line": pa.array(row + 2, pa.int64()),
            "contact_id": extracts.ids.take(pa.array(rows[row])),
            "advisor": pick(pa.array(extracts.staff.ids), advisor[row]),
            "evaluator": pick(pa.array(EVALUATORS), evaluator[row]),
            "evaluated_at": to_utc(evaluated_at[row]),
            "grid": pa.array([SCORECARD_KEY] * len(row), pa.string()),
            "section": pick(pa.array([names[one.key] for one in criteria]), position),
            "criterion": pick(pa.array([one.key for one in criteria]), position),
            "points": pa.array(points.T.ravel(), pa.float64(), mask=unknown),
            "comment": pick(pa.array(comments, pa.string()), row),
            "tags": pick(pa.array(tags, pa.string()), row),
            "possible": pa.array(most[position], pa.float64(), mask=unknown),
        }
    )


def _draw(calendar: Calendar, extracts: Extracts, chance: np.random.Generator) -> np.ndarray:
    """Draw the calls listened to: recorded, inbound, long enough, few per advisor and month."""
    wave = extracts.wave
    is_kept = calendar.age[calendar.position(wave.at)] < DAYS_KEPT
    long_enough = np.nan_to_num(wave.talk) >= 60
    frame = np.nonzero(extracts.recorded & extracts.inbound & long_enough & is_kept)[0]
    frame = chance.permutation(frame)
    month = wave.at[frame].astype("datetime64[M]").astype(np.int64)
    age = calendar.age[calendar.position(wave.at[frame])]
    is_evenly = (wave.advisor[frame] == choose_trained(extracts.staff)) & (age <= TRAINED_DAYS)
    cell = wave.advisor[frame] * 100_000 + np.where(is_evenly, 10_000 + age // TRAINED_EVERY, month)
    frame = frame[np.argsort(cell, kind="stable")]
    cell = np.sort(cell)
    starts = np.searchsorted(cell, cell)
    quota = chance.integers(2, 5, len(cell))[starts]
    quota = np.where(cell % 100_000 >= 10_000, 1, quota)
    return np.sort(frame[np.arange(len(cell)) - starts < quota])


def _find_lost(calendar: Calendar, extracts: Extracts, rows: np.ndarray) -> np.ndarray:
    """Find the share of the points of the criterion of the launch that each contact loses."""
    wave, day = extracts.wave, calendar.position(extracts.wave.at[rows])
    lost = LOST_ON_BILLS * calendar.trouble[day] * (wave.reason[rows] == BILLING)
    is_trained = wave.advisor[rows] == choose_trained(extracts.staff)
    is_before = calendar.age[day] > LAUNCH.coached_from
    return np.where(is_trained, np.where(is_before, LOST_UNTRAINED, -GAINED_BY_TRAINING), lost)


def _answer(
    criterion: scoring.Criterion, level: np.ndarray, chance: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the points of that criterion, and where it applies."""
    levels = np.array([float(value) for value in sorted(criterion.levels)])
    reached = np.clip(level - HARDNESS.get(criterion.key, 0.0), 0.03, 0.99)
    if criterion.key in NEVER_LOST:
        reached = np.full(len(level), NEVER_LOST[criterion.key])
    points = levels[chance.binomial(len(levels) - 1, reached)]
    return points, chance.random(len(level)) >= NOT_APPLICABLE.get(criterion.key, 0.0)


def _find_lacking(points: np.ndarray, applicable: np.ndarray, most: np.ndarray) -> list[list[str]]:
    """Find each evaluation's criteria with at most half of their points, the worst first."""
    keys = [criterion.key for criterion in read_scorecard().criteria]
    shares = np.where(applicable, points / most[:, None], 1.0).T
    worst = np.argsort(shares, axis=1, kind="stable")
    return [
        [keys[position] for position in places if shares_of_row[position] <= 0.5]
        for shares_of_row, places in zip(shares, worst, strict=True)
    ]


def calibrate(cast: Cast) -> None:
    """Add the calibration sessions for which enough contacts were evaluated."""
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
                opened_at=plan.moment(told.opened, HELD_AT),
                due_on=plan.day(told.due),
                contacts=build_contacts(contacts),
            )
            if told.is_closed:
                made.closed_at, made.closed_by = plan.moment(told.due, HELD_AT), manager
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


@doors.writes("evaluation")
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
                evaluated_at=plan.moment(days_before, HELD_AT) + timedelta(minutes=20 * position),
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
