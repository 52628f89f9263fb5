"""Plan of the demo centre: length, size, seed, last day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from zlib import crc32

import numpy as np

from qa_core.base import environment


@dataclass(frozen=True)
class DemoPlan:
    """Size of the centre and its last day. The same plan gives the same numbers, on any
    day and any machine.
    """

    last_day: date
    months: int = 18
    advisors: int = 60
    contacts: int = 250_000
    seed: int = 7

    @staticmethod
    def until_yesterday(
        months: int = 18, advisors: int = 60, contacts: int = 250_000, seed: int = 7
    ) -> DemoPlan:
        """Build a plan whose last day is yesterday, so that its launch, campaigns and
        pending contacts keep their age.
        """
        return DemoPlan(environment.today() - timedelta(days=1), months, advisors, contacts, seed)

    @property
    def first_day(self) -> date:
        """First day: the day after the last one, so many months before; the end of a
        shorter month where that day does not exist.
        """
        after = self.last_day + timedelta(days=1)
        position = after.year * 12 + after.month - 1 - self.months
        year, month = position // 12, position % 12 + 1
        following = date(year + month // 12, month % 12 + 1, 1)
        return min(
            date(year, month, 1) + timedelta(days=after.day - 1), following - timedelta(days=1)
        )

    def chance(self, part: str) -> np.random.Generator:
        """Return the random generator of one part of the centre; other parts do not
        change its draws.
        """
        return np.random.default_rng([self.seed, crc32(part.encode())])
