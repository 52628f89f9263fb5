"""Staff of the demo centre. All names are invented."""

import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from qa_core.cli.demo.seasons import Calendar
from qa_core.cli.demo.story import STORY, DemoPlan, column

TEAMS = STORY.staff.teams
SITES = tuple(dict.fromkeys(team.site for team in TEAMS))
QUEUES = STORY.staff.queues
EVALUATORS = STORY.staff.evaluators
_BY_SITE = len(TEAMS) // len(SITES)


@dataclass(frozen=True)
class Staff:
    """Advisors as arrays by position. A trait is 0 (the factor: 1) for most of them."""

    ids: list[str]
    names: list[str]
    extensions: list[str]
    logins: list[str]
    memberships: list[tuple[int, int, date, date | None]]
    """Advisor, team, first day, and the day before which it ends, None: no end."""
    team_on: np.ndarray
    """days × advisors: position of the team that day, −1 while not employed."""
    tenure: np.ndarray
    """days × advisors: days since they joined; many for those present before the first day."""
    resolves: np.ndarray
    handles: np.ndarray
    pleases: np.ndarray
    scores: np.ndarray
    declares: np.ndarray
    duty: np.ndarray
    """days × halves of a day × queues × advisors, cumulated: who may take a contact."""

    def draw(
        self, day: np.ndarray, half: np.ndarray, queue: np.ndarray, chance: np.random.Generator
    ) -> np.ndarray:
        taken = np.empty(len(day), dtype=np.int64)
        drawn = chance.random(len(day))
        pieces = max(1, len(day) * len(self.ids) // 2_000_000)
        for rows in np.array_split(np.arange(len(day)), pieces):
            lanes = self.duty[day[rows], half[rows], queue[rows]]
            taken[rows] = (lanes <= (drawn[rows] * lanes[:, -1])[:, None]).sum(axis=1)
        return np.minimum(taken, len(self.ids) - 1)

    def as_rows(self) -> pa.Table:
        """Build the advisors' file: a row per membership (days inclusive)."""
        rows = [
            {
                "advisor_id": self.ids[advisor],
                "name": self.names[advisor],
                "aliases": [self.extensions[advisor], self.logins[advisor]],
                "team": TEAMS[team].name,
                "site": TEAMS[team].site,
                "from": starts_on,
                "to": ends_on and ends_on - timedelta(days=1),
            }
            for advisor, team, starts_on, ends_on in self.memberships
        ]
        return pa.Table.from_pylist(rows)


def build_staff(plan: DemoPlan, calendar: Calendar) -> Staff:
    """Build the staff of all the months: teams over time, shifts, true differences."""
    chance = plan.chance("staff")
    size = plan.advisors
    first, last = STORY.names.first, STORY.names.last
    pairs = chance.permutation(len(first) * len(last))[:size]
    names = [f"{first[pair // len(last)]} {last[pair % len(last)]}" for pair in pairs]
    plain = (unicodedata.normalize("NFKD", name).encode("ascii", "ignore") for name in names)
    memberships, team_on, tenure = _draw_memberships(plan, calendar, chance)
    traits = _draw_traits(size, chance)
    return Staff(
        ids=[f"A{position + 1:03d}" for position in range(size)],
        names=names,
        extensions=[f"{4101 + position}" for position in range(size)],
        logins=[name.decode().lower().replace(" ", ".") for name in plain],
        memberships=memberships,
        team_on=team_on,
        tenure=tenure,
        duty=_draw_duty(calendar, team_on, tenure, chance),
        **traits,
    )


def _draw_memberships(
    plan: DemoPlan, calendar: Calendar, chance: np.random.Generator
) -> tuple[list[tuple[int, int, date, date | None]], np.ndarray, np.ndarray]:
    size, days = plan.advisors, calendar.size
    order = chance.permutation(size)
    few = max(1, size // 10)

    def choose_days(advisors: np.ndarray, first: int, last: int) -> dict[int, int]:
        return {int(advisor): int(chance.integers(first, last)) for advisor in advisors}

    joins = choose_days(order[:few], days // 5, days * 4 // 5)
    leaves = choose_days(order[few : few + size // 15], days // 3, days * 19 // 20)
    moves = choose_days(order[2 * few : 3 * few], days // 4, days * 9 // 10)
    team_on = np.full((days, size), -1)
    tenure = np.zeros((days, size), dtype=np.int64)
    memberships = []
    for advisor in range(size):
        start, end, team = joins.get(advisor, 0), leaves.get(advisor), advisor % len(TEAMS)
        before = 0 if start else int(chance.integers(60, 2500))
        starts_on = plan.first_day + timedelta(days=start - before)
        ends_on = plan.first_day + timedelta(days=end) if end else None
        tenure[:, advisor] = np.arange(days) + (plan.first_day - starts_on).days
        team_on[start:end, advisor] = team
        if (moves_at := moves.get(advisor)) is not None:
            # An advisor who moves joins another team of the same site.
            moved_on = plan.first_day + timedelta(days=moves_at)
            memberships.append((advisor, team, starts_on, moved_on))
            team, starts_on = (team + 1) % _BY_SITE + _BY_SITE * (team // _BY_SITE), moved_on
            team_on[moves_at:end, advisor] = team
        memberships.append((advisor, team, starts_on, ends_on))
    return memberships, team_on, tenure


def _draw_traits(size: int, chance: np.random.Generator) -> dict[str, np.ndarray]:
    names = ("resolves", "pleases", "scores", "declares", "handles")
    traits = {name: np.full(size, float(name == "handles")) for name in names}
    some = iter(chance.permutation(size))
    for group in STORY.staff.traits:
        for _place in range(max(1, round(size * (group.of_sixty / 60)))):
            if (advisor := next(some, None)) is not None:
                for name, change in group.changes.items():
                    traits[name][advisor] += change
    return traits


def _draw_duty(
    calendar: Calendar, team_on: np.ndarray, tenure: np.ndarray, chance: np.random.Generator
) -> np.ndarray:
    days, size = team_on.shape
    part_time = np.where(chance.random(size) < 0.15, 0.8, 1.0)
    works = chance.random((days, size)) < 0.93 * part_time
    # Saturdays are shared: one in three; holidays are taken by the week, more in August
    # and at Christmas.
    weeks = np.arange(days) // 7
    turn = weeks[:, None] + np.arange(size)
    works &= (calendar.weekday != 5)[:, None] | (turn % 3 == 0)
    away = STORY.staff.away[calendar.month]
    works &= chance.random((weeks[-1] + 1, size))[weeks] >= away[:, None]
    late = turn % 2 == 1
    shifts = np.stack([np.where(late, 0.45, 1.0), np.where(late, 1.0, 0.45)], axis=1)
    # A newcomer takes fewer contacts; and somebody employed always answers in the end.
    pace = np.clip(0.55 + tenure / 120, 0, 1) * part_time
    weight = (team_on >= 0) * (works * pace + 1e-6)
    serves = column(TEAMS, "serves")[np.maximum(team_on, 0)].transpose(0, 2, 1)
    lanes = weight[:, None, None, :] * shifts[:, :, None, :] * serves[:, None, :, :]
    return np.cumsum(lanes, axis=3).astype(np.float32)
