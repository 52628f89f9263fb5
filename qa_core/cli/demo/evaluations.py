"""Evaluations of three simulated evaluators; one is strict, one is lenient."""

import tomllib
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from qa_core import scoring
from qa_core.base import environment
from qa_core.cli.demo import coaching, remarks
from qa_core.cli.demo.contacts import BILLING
from qa_core.cli.demo.extracts import Extracts, pick, to_utc
from qa_core.cli.demo.plan import DemoPlan
from qa_core.cli.demo.seasons import Calendar
from qa_core.cli.demo.staff import EVALUATORS

GRID_KEY = "customer-service"
GRID_FILE = environment.PROJECT / "data" / "scorecards" / "customer_service.toml"
EVALUATOR_SEVERITY = np.array([0.0, 0.035, -0.03])
DAYS_KEPT = 360
"""Documents of analysis are kept a year at most (docs/compliance.md, R6)."""

HARDNESS = {
    "ownership": 0.05,
    "record": 0.1,
    "questions": 0.06,
    "anticipation": 0.62,
    "close": 0.12,
    "courtesy": -0.06,
    "greeting": -0.08,
    "accuracy": -0.02,
}
NEVER_LOST = {"identification": 0.988}
NOT_APPLICABLE_SHARES = {"identification": 0.12, "questions": 0.15, "hold": 0.62}


COMMENTED_SHARE = 0.7
LOST_ON_BILLS, LOST_UNTRAINED, GAINED_BY_TRAINING = 0.4, 0.4, 0.15
"""Shares of the points of `coaching.TRAINED_CRITERION`: lost on bills at the worst of the
launch, lost by the advisor who is coached on it before, and gained after.
"""
TRAINED_DAYS, TRAINED_EVERY = 75, 6
"""In the last days, that advisor is evaluated once in so many."""


def read_grid() -> scoring.Scorecard:
    """Read the starter scorecard of the demo centre."""
    return scoring.parse_scorecard(tomllib.loads(GRID_FILE.read_text(encoding="utf-8")))


def evaluate(
    plan: DemoPlan, calendar: Calendar, extracts: Extracts, first_day: date = date.min
) -> pa.Table:
    """Evaluate two to four calls per advisor and month, one row per criterion."""
    chance = plan.chance("evaluations")
    rows = _draw(calendar, extracts, chance)
    size = len(rows)
    evaluator = chance.integers(0, len(EVALUATORS), size)
    evaluated_at = extracts.wave.at[rows] + (86_400 * (1 + chance.gamma(2, 2.2, size))).astype(
        "timedelta64[s]"
    )
    in_time = calendar.position(evaluated_at) < calendar.size
    if first_day > date.min:
        in_time &= extracts.wave.at[rows] >= np.datetime64(first_day + timedelta(days=1))
    rows, evaluator, evaluated_at = rows[in_time], evaluator[in_time], evaluated_at[in_time]
    advisor = extracts.wave.advisor[rows]
    level = (
        0.845
        + extracts.staff.scores[advisor]
        - EVALUATOR_SEVERITY[evaluator]
        + chance.normal(0, 0.055, len(rows))
    )
    level -= 0.06 * np.exp(
        -extracts.staff.tenure[calendar.position(extracts.wave.at[rows]), advisor] / 90
    )
    lost = _find_lost(calendar, extracts, rows)
    per_criterion = [
        _answer(
            criterion,
            level - lost if criterion.key == coaching.TRAINED_CRITERION else level,
            chance,
        )
        for criterion in read_grid().criteria
    ]
    comments, tags = remarks.write_evaluators(
        plan.chance("evaluators"), _find_lacking(per_criterion), COMMENTED_SHARE
    )
    sections = [
        (section, criterion) for section in read_grid().sections for criterion in section.criteria
    ]
    parts = []
    for (section, criterion), (points, applicable) in zip(sections, per_criterion, strict=True):
        parts.append(
            pa.table(
                {
                    "line": pa.array(np.arange(len(rows)) + 2, pa.int64()),
                    "contact_id": extracts.ids.take(pa.array(rows)),
                    "advisor": pick(pa.array(extracts.staff.ids), advisor),
                    "evaluator": pick(pa.array(EVALUATORS), evaluator),
                    "evaluated_at": to_utc(evaluated_at),
                    "grid": pa.array([GRID_KEY] * len(rows)),
                    "section": pa.array([section.name] * len(rows)),
                    "criterion": pa.array([criterion.key] * len(rows)),
                    "points": pa.array(points, pa.float64(), mask=~applicable),
                    "comment": pa.array(comments, pa.string()),
                    "tags": pa.array(tags, pa.string()),
                    "possible": pa.array(
                        np.full(len(rows), float(criterion.points)), pa.float64(), mask=~applicable
                    ),
                }
            )
        )
    # By evaluation, the criteria in the order of the grid.
    return pa.concat_tables(parts).take(
        pa.array(np.arange(len(parts) * len(rows)).reshape(len(parts), -1).T.ravel())
    )


def _draw(calendar: Calendar, extracts: Extracts, chance: np.random.Generator) -> np.ndarray:
    """Draw the calls listened to: recorded, inbound, long enough, few per advisor and month."""
    wave = extracts.wave
    day = calendar.position(wave.at)
    frame = np.nonzero(
        extracts.recorded
        & extracts.inbound
        & (np.nan_to_num(wave.talk) >= 60)
        & (calendar.age[day] < DAYS_KEPT)
    )[0]
    frame = chance.permutation(frame)
    month = wave.at[frame].astype("datetime64[M]").astype(np.int64)
    age = calendar.age[calendar.position(wave.at[frame])]
    is_trained = wave.advisor[frame] == coaching.choose_trained(extracts.staff)
    is_evenly = is_trained & (age <= TRAINED_DAYS)
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
    is_trained = wave.advisor[rows] == coaching.choose_trained(extracts.staff)
    is_before = calendar.age[day] > coaching.TRAINED_FROM
    return np.where(is_trained, np.where(is_before, LOST_UNTRAINED, -GAINED_BY_TRAINING), lost)


def _answer(
    criterion: scoring.Criterion, level: np.ndarray, chance: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    levels = np.array([float(value) for value in sorted(criterion.levels)])
    reached = np.clip(level - HARDNESS.get(criterion.key, 0.0), 0.03, 0.99)
    if criterion.key in NEVER_LOST:
        reached = np.full(len(level), NEVER_LOST[criterion.key])
    points = levels[chance.binomial(len(levels) - 1, reached)]
    return points, chance.random(len(level)) >= NOT_APPLICABLE_SHARES.get(criterion.key, 0.0)


def _find_lacking(per_criterion: list[tuple[np.ndarray, np.ndarray]]) -> list[list[str]]:
    """Find each evaluation's criteria with at most half of their points, the worst first."""
    criteria = read_grid().criteria
    possible = [float(criterion.points) for criterion in criteria]
    shares = np.array(
        [
            np.where(applicable, points / most, 1.0)
            for most, (points, applicable) in zip(possible, per_criterion, strict=True)
        ]
    )
    worst = np.argsort(shares, axis=0, kind="stable").T
    return [
        [criteria[place].key for place in places if shares[place, row] <= 0.5]
        for row, places in enumerate(worst)
    ]
