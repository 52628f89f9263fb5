"""Times of contacts: opening hours, holidays, the week, the year, weeks after a launch."""

import numpy as np

from qa_core.centre.rules import opening_hours
from qa_core.cli.demo.plan import DemoPlan

DAY_SECONDS = 86_400
OPENS_AT = np.array([8, 8, 8, 8, 8, 9, 24])
"""Hour of opening by weekday, Monday first; 24: closed."""
CLOSES_AT = np.array([20, 20, 20, 20, 20, 18, 24])
HOURS_TEXTS = ("mon-fri=08:00-20:00", "sat=09:00-18:00")
"""The same hours, as a person enters them."""

WEEK = np.array([1.24, 1.06, 1.0, 0.98, 0.96, 0.5, 0.0])
WRITTEN_WEEK = np.array([1.16, 1.08, 1.04, 1.0, 0.94, 0.55, 0.42])
YEAR = np.array([1.08, 1.0, 1.01, 0.97, 0.92, 0.97, 0.88, 0.74, 1.13, 1.05, 1.06, 1.15])
HOURS = np.array([
    0, 0, 0, 0, 0, 0, 0, 0.1, 0.62, 1.08, 1.3, 1.18,
    0.78, 0.82, 1.06, 1.12, 1.08, 1.0, 0.78, 0.5, 0.12, 0.08, 0.04, 0.02,
])  # fmt: skip
WRITTEN_HOURS = np.array([
    0.1, 0.06, 0.04, 0.03, 0.03, 0.06, 0.16, 0.4, 0.8, 1, 1.05, 1,
    0.95, 0.95, 0.9, 0.88, 0.86, 0.9, 0.95, 1, 1.05, 0.9, 0.55, 0.25,
])  # fmt: skip

LAUNCH_AGE, LAUNCH_FADES_AT, LAUNCH_OVER_AT = 58, 36, 12
"""Launch of the new invoice in days before the end: start, fading, end."""


class Calendar:
    """Days of a plan, as arrays by position of the day: 0 is the first day."""

    def __init__(self, plan: DemoPlan) -> None:
        self.days = np.arange(
            np.datetime64(plan.first_day, "D"), np.datetime64(plan.last_day, "D") + 1
        )
        self.size = len(self.days)
        self.start = self.days[0].astype("datetime64[s]")
        self.age = np.arange(self.size)[::-1]
        self.weekday = (self.days.astype(int) + 3) % 7
        self.month = self.days.astype("datetime64[M]").astype(int) % 12
        holidays = [
            np.datetime64(day, "D")
            for year in range(plan.first_day.year, plan.last_day.year + 1)
            for day in opening_hours.find_holidays("FR", None, year)
        ]
        self.is_holiday = np.isin(self.days, np.array(holidays))
        self.is_open = (self.weekday < 6) & ~self.is_holiday
        self.next_open = self._next_open()
        after_closed = np.roll(~self.is_open & (self.weekday < 6), 1)
        self.usual = (
            WEEK[self.weekday] * YEAR[self.month] * self.is_open * np.where(after_closed, 1.18, 1.0)
        )
        self.usual_written = (
            WRITTEN_WEEK[self.weekday] * YEAR[self.month] * np.where(self.is_holiday, 0.55, 1.0)
        )
        # Nobody is planned for what nobody foresaw: mood of the day, that drags on from
        # one day to the next.
        self.surprise = self._surprise(plan)
        self.trouble = launch_trouble(self.age)
        self._open_hours = [
            _cumulative(np.where(_is_within(weekday), HOURS, 0)) for weekday in range(7)
        ]
        self._written_hours = _cumulative(WRITTEN_HOURS)

    def _next_open(self) -> np.ndarray:
        """Find the next open day from each day on; past the end, the position after the last."""
        following = np.full(self.size + 1, self.size)
        for position in range(self.size - 1, -1, -1):
            following[position] = position if self.is_open[position] else following[position + 1]
        return following

    def _surprise(self, plan: DemoPlan) -> np.ndarray:
        chance = plan.chance("surprise").normal(0, 0.075, self.size)
        level = np.zeros(self.size)
        for position in range(self.size):
            level[position] = 0.55 * level[position - 1] + chance[position]
        return np.exp(level)

    def position(self, moments: np.ndarray) -> np.ndarray:
        """Compute the position of the day of each moment (datetime64[s], wall clock)."""
        return (moments - self.start).astype(np.int64) // DAY_SECONDS

    def hour(self, moments: np.ndarray) -> np.ndarray:
        """Compute the hour of the day with its fraction."""
        return (moments - self.start).astype(np.int64) % DAY_SECONDS / 3600

    def is_open_at(self, moments: np.ndarray) -> np.ndarray:
        position = np.minimum(self.position(moments), self.size - 1)
        weekday, hour = self.weekday[position], self.hour(moments)
        return self.is_open[position] & (hour >= OPENS_AT[weekday]) & (hour < CLOSES_AT[weekday])

    def draw_moments(
        self, positions: np.ndarray, written: np.ndarray, chance: np.random.Generator
    ) -> np.ndarray:
        """Draw moments on these days: in opening hours, at any hour if `written`."""
        drawn = chance.random(len(positions))
        hours = np.empty(len(positions), dtype=np.int64)
        weekday = self.weekday[positions]
        for day in range(7):
            rows = (weekday == day) & ~written
            hours[rows] = np.searchsorted(self._open_hours[day], drawn[rows], side="right")
        hours[written] = np.searchsorted(self._written_hours, drawn[written], side="right")
        seconds = np.minimum(hours, 23) * 3600 + chance.integers(0, 3600, len(positions))
        return self.start + (positions * DAY_SECONDS + seconds).astype("timedelta64[s]")

    def draw_closed_moments(self, positions: np.ndarray, chance: np.random.Generator) -> np.ndarray:
        """Draw a moment out of the opening hours, near to them on open days."""
        weekday = self.weekday[positions]
        early = chance.random(len(positions)) < 0.35
        before, after = np.where(weekday == 5, 8.0, 7.0), CLOSES_AT[weekday].astype(float)
        hour = np.where(
            self.is_open[positions],
            np.where(early, before, after),
            9 + 10 * chance.random(len(positions)),
        )
        seconds = (hour * 3600).astype(np.int64) + chance.integers(0, 3600, len(positions))
        return self.start + (positions * DAY_SECONDS + seconds).astype("timedelta64[s]")


def launch_trouble(age: np.ndarray) -> np.ndarray:
    """Compute the trouble of the new invoice, 0–1, by days before the end."""
    rising = np.clip((LAUNCH_AGE - age) / 4, 0, 1)
    fading = np.clip((age - LAUNCH_OVER_AT) / (LAUNCH_FADES_AT - LAUNCH_OVER_AT), 0, 1)
    return np.minimum(rising, fading)


def _is_within(weekday: int) -> np.ndarray:
    hours = np.arange(24)
    return (hours >= OPENS_AT[min(weekday, 5)]) & (hours < CLOSES_AT[min(weekday, 5)])


def _cumulative(weights: np.ndarray) -> np.ndarray:
    return np.cumsum(weights) / np.sum(weights)
