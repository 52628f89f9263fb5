"""Staff of the demo centre. All names are invented."""

import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa

from qa_core.cli.demo.plan import TEXTS, DemoPlan
from qa_core.cli.demo.seasons import Calendar

SITES = ("Lyon", "Nantes")
TEAMS = (
    ("Belvédère", "Lyon"),
    ("Confluence", "Lyon"),
    ("Traboules", "Lyon"),
    ("Erdre", "Nantes"),
    ("Estuaire", "Nantes"),
    ("Graslin", "Nantes"),
)
QUEUES = ("Facturation", "Assistance technique", "Abonnements", "Commercial", "Réclamations")
TEAM_QUEUES = np.array(
    [
        [1.6, 0.7, 1.0, 0.8, 0.6],
        [0.7, 1.7, 0.8, 0.6, 0.5],
        [0.9, 0.8, 1.2, 1.5, 1.2],
        [1.5, 0.8, 1.1, 0.7, 0.7],
        [0.8, 1.6, 0.8, 0.7, 0.8],
        [0.8, 0.7, 1.1, 1.6, 1.2],
    ]
)
"""Weight of each queue in each team: every team serves all queues."""

FIRST_NAMES, LAST_NAMES = TEXTS["names"]["first"], TEXTS["names"]["last"]
EVALUATORS = ("Ève Mazerat", "Claire Vasseron", "Marc Tillier")
"""Evaluators; the first is the display name of a demo account, the others have none."""


@dataclass(frozen=True)
class DemoMembership:
    advisor: int
    team: int
    starts_on: date
    ends_on: date | None
    """Day before which it ends; None: no end."""


@dataclass(frozen=True)
class Staff:
    """Advisors as arrays by position. A trait is 0 (the factor: 1) for most of them."""

    ids: tuple[str, ...]
    names: tuple[str, ...]
    extensions: tuple[str, ...]
    logins: tuple[str, ...]
    memberships: tuple[DemoMembership, ...]
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
        """Draw the advisor who takes each contact."""
        taken = np.empty(len(day), dtype=np.int64)
        drawn = chance.random(len(day))
        for rows in np.array_split(
            np.arange(len(day)), max(1, len(day) * len(self.ids) // 2_000_000)
        ):
            lanes = self.duty[day[rows], half[rows], queue[rows]]
            taken[rows] = (lanes <= (drawn[rows] * lanes[:, -1])[:, None]).sum(axis=1)
        return np.minimum(taken, len(self.ids) - 1)

    def as_rows(self) -> pa.Table:
        """Build the advisors' file: a row per membership (days inclusive)."""
        rows = self.memberships
        return pa.table(
            {
                "advisor_id": pa.array([self.ids[row.advisor] for row in rows], pa.string()),
                "name": pa.array([self.names[row.advisor] for row in rows], pa.string()),
                "aliases": pa.array(
                    [[self.extensions[row.advisor], self.logins[row.advisor]] for row in rows],
                    pa.list_(pa.string()),
                ),
                "team": pa.array([TEAMS[row.team][0] for row in rows], pa.string()),
                "site": pa.array([TEAMS[row.team][1] for row in rows], pa.string()),
                "from": pa.array([row.starts_on for row in rows], pa.date32()),
                "to": pa.array(
                    [row.ends_on and row.ends_on - timedelta(days=1) for row in rows], pa.date32()
                ),
            }
        )


def hire(plan: DemoPlan, calendar: Calendar) -> Staff:
    """Hire all who ever work in the centre: teams over time, shifts, true differences."""
    chance = plan.chance("staff")
    size = plan.advisors
    names = _draw_names(size, chance)
    memberships, team_on, tenure = _draw_memberships(plan, calendar, chance)
    traits = _draw_traits(size, chance)
    return Staff(
        ids=tuple(f"A{position + 1:03d}" for position in range(size)),
        names=names,
        extensions=tuple(f"{4101 + position}" for position in range(size)),
        logins=_draw_logins(names),
        memberships=memberships,
        team_on=team_on,
        tenure=tenure,
        duty=_draw_duty(calendar, team_on, tenure, chance),
        **traits,
    )


def _draw_names(size: int, chance: np.random.Generator) -> tuple[str, ...]:
    pairs = chance.permutation(len(FIRST_NAMES) * len(LAST_NAMES))[:size]
    return tuple(
        f"{FIRST_NAMES[pair // len(LAST_NAMES)]} {LAST_NAMES[pair % len(LAST_NAMES)]}"
        for pair in pairs
    )


def _draw_logins(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        unicodedata.normalize("NFKD", name)
        .encode("ascii", "ignore")
        .decode()
        .lower()
        .replace(" ", ".")
        for name in names
    )


def _draw_memberships(
    plan: DemoPlan, calendar: Calendar, chance: np.random.Generator
) -> tuple[tuple[DemoMembership, ...], np.ndarray, np.ndarray]:
    size = plan.advisors
    first_team = np.arange(size) % len(TEAMS)
    order = chance.permutation(size)
    few = max(1, size // 10)
    joins = {
        advisor: int(chance.integers(calendar.size // 5, calendar.size * 4 // 5))
        for advisor in order[:few]
    }
    leaves = {
        advisor: int(chance.integers(calendar.size // 3, calendar.size * 19 // 20))
        for advisor in order[few : few + size // 15]
    }
    moves = {
        advisor: int(chance.integers(calendar.size // 4, calendar.size * 9 // 10))
        for advisor in order[2 * few : 3 * few]
    }
    team_on = np.full((calendar.size, size), -1)
    tenure = np.zeros((calendar.size, size), dtype=np.int64)
    found = []
    for advisor in range(size):
        start, end, team = joins.get(advisor, 0), leaves.get(advisor), int(first_team[advisor])
        starts_on = (
            plan.first_day + timedelta(days=start)
            if start
            else plan.first_day - timedelta(days=int(chance.integers(60, 2500)))
        )
        ends_on = plan.first_day + timedelta(days=end) if end else None
        tenure[:, advisor] = np.arange(calendar.size) + (plan.first_day - starts_on).days
        team_on[start:end, advisor] = team
        moves_at = moves.get(advisor)
        if moves_at is None:
            found.append(DemoMembership(advisor, team, starts_on, ends_on))
            continue
        # A colleague of the same site makes room: whoever moves stays where they live.
        other = (team + 1) % 3 + 3 * (team // 3)
        moved_on = plan.first_day + timedelta(days=moves_at)
        team_on[moves_at:end, advisor] = other
        found += [
            DemoMembership(advisor, team, starts_on, moved_on),
            DemoMembership(advisor, other, moved_on, ends_on),
        ]
    return tuple(found), team_on, tenure


def _draw_traits(size: int, chance: np.random.Generator) -> dict[str, np.ndarray]:
    traits = {name: np.zeros(size) for name in ("resolves", "pleases", "scores", "declares")} | {
        "handles": np.ones(size)
    }
    some = iter(chance.permutation(size))

    def mark(share: float, **changes: float) -> None:
        for _ in range(max(1, round(size * share))):
            advisor = next(some, None)
            for name, change in changes.items():
                if advisor is not None:
                    traits[name][advisor] += change

    mark(3 / 60, resolves=0.085, pleases=0.4, scores=0.08)
    mark(3 / 60, resolves=-0.115, pleases=-0.45, scores=-0.13)
    mark(2 / 60, handles=0.36)
    mark(2 / 60, handles=-0.22, resolves=-0.05)
    mark(2 / 60, pleases=0.45)
    mark(1 / 60, declares=0.4)
    return traits


def _draw_duty(
    calendar: Calendar, team_on: np.ndarray, tenure: np.ndarray, chance: np.random.Generator
) -> np.ndarray:
    days, size = team_on.shape
    employed = team_on >= 0
    part_time = np.where(chance.random(size) < 0.15, 0.8, 1.0)
    works = chance.random((days, size)) < 0.93 * part_time
    # Saturdays are shared: one in three; holidays are taken by the week, more in August
    # and at Christmas.
    works &= np.where(
        (calendar.weekday == 5)[:, None],
        (np.arange(days)[:, None] // 7 + np.arange(size)) % 3 == 0,
        True,
    )
    weeks = np.arange(days) // 7
    away_chance = np.array([0.05, 0.08, 0.05, 0.08, 0.06, 0.05, 0.16, 0.24, 0.03, 0.06, 0.04, 0.1])[
        calendar.month
    ]
    works &= chance.random((weeks[-1] + 1, size))[weeks] >= away_chance[:, None]
    late = (np.arange(days)[:, None] // 7 + np.arange(size)) % 2 == 1
    shifts = np.stack([np.where(late, 0.45, 1.0), np.where(late, 1.0, 0.45)], axis=1)
    # A newcomer takes fewer contacts; and somebody employed always answers in the end.
    pace = np.clip(0.55 + tenure / 120, 0, 1) * part_time
    weight = employed * (works * pace + 1e-6)
    serves = TEAM_QUEUES[np.maximum(team_on, 0)].transpose(0, 2, 1)
    return np.cumsum(
        weight[:, None, None, :] * shifts[:, :, None, :] * serves[:, None, :, :], axis=3
    ).astype(np.float32)
