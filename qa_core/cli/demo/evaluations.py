"""Evaluations of three simulated evaluators; one is strict, one is lenient."""

import functools
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from qa_core import scoring
from qa_core.cli.demo import remarks
from qa_core.cli.demo.accounts import choose_trained
from qa_core.cli.demo.contacts import BILLING
from qa_core.cli.demo.extracts import Extracts, pick, to_utc
from qa_core.cli.demo.seasons import LAUNCH, Calendar
from qa_core.cli.demo.staff import EVALUATORS
from qa_core.cli.demo.story import STORY, DemoPlan
from qa_core.quality.scorecards import publication

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


@functools.cache
def read_scorecard() -> scoring.Scorecard:
    """Read the starter scorecard of the demo centre."""
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
