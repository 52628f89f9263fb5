"""What the demo centre is asked to be: how long, how large, from which seed, until
which day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from zlib import crc32

import numpy as np

from qa_core.base import environment


@dataclass(frozen=True)
class DemoPlan:
    """The size of the centre and its last day. The same plan gives the same numbers, on
    any day and any machine.
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
        """A centre whose last day is yesterday, so that its launch, its campaigns and
        its pending contacts are always as old.
        """
        return DemoPlan(environment.today() - timedelta(days=1), months, advisors, contacts, seed)

    @property
    def first_day(self) -> date:
        """The day after the last one, so many months before; the end of a shorter month
        where that day does not exist.
        """
        after = self.last_day + timedelta(days=1)
        position = after.year * 12 + after.month - 1 - self.months
        year, month = position // 12, position % 12 + 1
        following = date(year + month // 12, month % 12 + 1, 1)
        return min(
            date(year, month, 1) + timedelta(days=after.day - 1), following - timedelta(days=1)
        )

    def chance(self, part: str) -> np.random.Generator:
        """The dice of one part of the centre: another part may change its throws
        without moving these.
        """
        return np.random.default_rng([self.seed, crc32(part.encode())])
