"""Counts of the half-hours of the clock: most days have 48, the day on which
clocks go forward 46, the day on which they go back 50. Pure.
"""

from collections.abc import Collection
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd


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


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)
