"""Story of the demo centre, read from the file beside this module, and the plan that dates it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd

from qa_core.base import declared, environment

DAY_SECONDS = 86_400


class Entry(dict[str, Any]):
    """Table of the story; its values are attributes too."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError as error:
            raise AttributeError(name) from error


def _convert(value: Any) -> Any:
    match value:
        case dict():
            return Entry({name: _convert(item) for name, item in value.items()})
        case [int() | float(), *_]:
            return np.array(value)
        case list():
            return list(map(_convert, value))
    return value


STORY: Entry = _convert(declared.read(__file__))
"""The story; lists of numbers are arrays."""


def column(rows: list[Entry], name: str) -> np.ndarray:
    """Return one value of each table of a list, as an array."""
    return np.array([row.get(name) for row in rows])


@dataclass(frozen=True)
class DemoPlan:
    """Size and last day of the centre; the same plan gives the same numbers."""

    last_day: date
    months: int = 18
    advisors: int = 60
    contacts: int = 250_000
    seed: int = 7

    @staticmethod
    def until_yesterday(
        months: int = 18, advisors: int = 60, contacts: int = 250_000, seed: int = 7
    ) -> DemoPlan:
        """Build a plan that ends yesterday, so that its events keep their age."""
        return DemoPlan(environment.today() - timedelta(days=1), months, advisors, contacts, seed)

    @property
    def first_day(self) -> date:
        """First day: so many months before the last, or the end of a shorter month."""
        after = pd.Timestamp(self.last_day) + pd.DateOffset(days=1)
        return (after - pd.DateOffset(months=self.months)).date()

    def day(self, days_before: int) -> date:
        """Return the day that many days before the last one; after it where negative."""
        return self.last_day - timedelta(days=int(days_before))

    def moment(self, days_before: int, clock: time) -> datetime:
        """Return a moment of that day by the centre's clock, in UTC."""
        here = environment.current().zone
        return datetime.combine(self.day(days_before), clock, here).astimezone(UTC)

    def chance(self, part: str) -> np.random.Generator:
        """Return the random generator of one part; other parts do not change its draws."""
        return np.random.default_rng([self.seed, crc32(part.encode())])
