"""Counts of the half-hours of the clock: most days have 48, the day on which
clocks go forward 46, the day on which they go back 50. Pure.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from qa_core.metrics.kpis.dimensions import Period


@dataclass(frozen=True)
class ClockChange:
    """A day that has not 24 hours: from `start` to `end` by the clock, a stretch came
    twice (`hours` above 24) or not at all (below).
    """

    day: date
    hours: float
    start: time
    end: time

    @property
    def is_back(self) -> bool:
        """Return whether clocks went back, so that the stretch came twice."""
        return self.hours > 24


def count_half_hours(
    days: Collection[date], zone: ZoneInfo, until: datetime | None = None
) -> dict[tuple[int, str], int]:
    """Count how often each half-hour began on these days of that zone: (weekday 1–7,
    `HH:MM`) → times.

    `until`: a moment with its zone, after which half-hours do not count, because
    nothing is known of them yet.
    """
    if not days:
        return {}
    starts = pd.date_range(
        _midnight(min(days), zone),
        _midnight(max(days) + timedelta(days=1), zone),
        freq="30min",
        inclusive="left",
    )
    if until is not None:
        starts = starts[starts <= until]
    local = starts.tz_convert(zone)
    local = local[
        np.isin(
            local.tz_localize(None).normalize().to_numpy(), pd.DatetimeIndex(list(days)).to_numpy()
        )
    ]
    positions, counts = np.unique(
        (local.day_of_week.to_numpy() + 1) * 48
        + local.hour.to_numpy() * 2
        + local.minute.to_numpy() // 30,
        return_counts=True,
    )
    return {
        (position // 48, f"{position % 48 // 2:02d}:{position % 2 * 30:02d}"): count
        for position, count in zip(positions.tolist(), counts.tolist(), strict=True)
    }


def find_clock_changes(period: Period, zone: ZoneInfo) -> list[ClockChange]:
    """Find the days of a bounded period on which the clocks of that zone change, in order."""
    days = (period.first_day + timedelta(days=number) for number in range(period.days))
    return [
        _describe(day, zone)
        for day in days
        if _midnight(day + timedelta(days=1), zone) - _midnight(day, zone) != timedelta(days=1)
    ]


def _describe(day: date, zone: ZoneInfo) -> ClockChange:
    start, end = _midnight(day, zone), _midnight(day + timedelta(days=1), zone)
    # From a quarter before the day: some clocks change at midnight.
    quarters = [
        start + timedelta(minutes=15 * number)
        for number in range(-1, int((end - start).total_seconds()) // 900)
    ]
    offsets = [moment.astimezone(zone).utcoffset() for moment in quarters]
    change = next(
        number for number in range(1, len(offsets)) if offsets[number] != offsets[number - 1]
    )
    before, after = (
        quarters[change].replace(tzinfo=None) + offset
        for offset in (offsets[change - 1], offsets[change])
    )
    return ClockChange(
        day,
        (end - start).total_seconds() / 3600,
        min(before, after).time(),
        max(before, after).time(),
    )


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)
