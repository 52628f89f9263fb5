"""Times of contacts: opening hours, holidays, the week, the year, weeks after a launch."""

import numpy as np

from qa_core.centre.rules import opening_hours
from qa_core.cli.demo.story import DAY_SECONDS, STORY, DemoPlan

DEFAULT, LAUNCH = STORY.seasons, STORY.launch


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
        years = range(plan.first_day.year, plan.last_day.year + 1)
        holidays = [day for year in years for day in opening_hours.find_holidays("FR", None, year)]
        self.is_holiday = np.isin(self.days, np.array(holidays, "datetime64[D]"))
        self.is_open = (self.weekday < 6) & ~self.is_holiday
        opens = np.append(np.nonzero(self.is_open)[0], self.size)
        self.next_open = opens[np.searchsorted(opens, np.arange(self.size + 1))]
        """The next open day from each day on; past the end, the position after the last."""
        after_closed = np.roll(~self.is_open & (self.weekday < 6), 1)
        by_phone, in_writing = DEFAULT.week[self.weekday], DEFAULT.written_week[self.weekday]
        year = DEFAULT.year[self.month]
        self.usual = by_phone * year * self.is_open * np.where(after_closed, 1.18, 1.0)
        self.usual_written = in_writing * year * np.where(self.is_holiday, 0.55, 1.0)
        # Nobody is planned for what nobody foresaw: mood of the day, that drags on from
        # one day to the next.
        level = plan.chance("surprise").normal(0, 0.075, self.size)
        for position in range(1, self.size):
            level[position] += 0.55 * level[position - 1]
        self.surprise = np.exp(level)
        self.trouble = launch_trouble(self.age)
        hour, saturday = np.arange(24), 5
        opens_at, closes_at = (
            times[np.minimum(np.arange(7), saturday)][:, None]
            for times in (DEFAULT.opens_at, DEFAULT.closes_at)
        )
        is_within = (hour >= opens_at) & (hour < closes_at)
        self._open_hours = [_cumulate(np.where(within, DEFAULT.hours, 0)) for within in is_within]
        self._written_hours = _cumulate(DEFAULT.written_hours)

    def position(self, moments: np.ndarray) -> np.ndarray:
        """Compute the position of the day of each moment (datetime64[s], wall clock)."""
        return (moments - self.start).astype(np.int64) // DAY_SECONDS

    def hour(self, moments: np.ndarray) -> np.ndarray:
        return (moments - self.start).astype(np.int64) % DAY_SECONDS / 3600

    def is_open_at(self, moments: np.ndarray) -> np.ndarray:
        position = np.minimum(self.position(moments), self.size - 1)
        weekday, hour = self.weekday[position], self.hour(moments)
        is_within = (hour >= DEFAULT.opens_at[weekday]) & (hour < DEFAULT.closes_at[weekday])
        return self.is_open[position] & is_within

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
        return self._build_moments(positions, np.minimum(hours, 23), chance)

    def draw_closed_moments(self, positions: np.ndarray, chance: np.random.Generator) -> np.ndarray:
        """Draw a moment out of the opening hours, near to them on open days."""
        weekday = self.weekday[positions]
        early = chance.random(len(positions)) < 0.35
        near = np.where(early, np.where(weekday == 5, 8, 7), DEFAULT.closes_at[weekday])
        closed_all_day = 9 + 10 * chance.random(len(positions))
        hour = np.where(self.is_open[positions], near, closed_all_day)
        return self._build_moments(positions, hour, chance)

    def _build_moments(
        self, positions: np.ndarray, hours: np.ndarray, chance: np.random.Generator
    ) -> np.ndarray:
        """Build moments of these days at a random second after these hours."""
        seconds = (hours * 3600).astype(np.int64) + chance.integers(0, 3600, len(positions))
        return self.start + (positions * DAY_SECONDS + seconds).astype("timedelta64[s]")


def launch_trouble(age: np.ndarray) -> np.ndarray:
    """Compute the trouble of the new invoice, 0–1, by days before the end."""
    rising = np.clip((LAUNCH.age - age) / 4, 0, 1)
    fading = np.clip((age - LAUNCH.over_at) / (LAUNCH.fades_at - LAUNCH.over_at), 0, 1)
    return np.minimum(rising, fading)


def _cumulate(weights: np.ndarray) -> np.ndarray:
    return np.cumsum(weights) / np.sum(weights)
