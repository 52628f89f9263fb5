"""Dimensions that cut facts, periods in the centre's time, and filters as one frozen value."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from qa_core.base.errors import Misuse, require_known
from qa_core.base.i18n import N_


@dataclass(frozen=True)
class Dimension:
    """One way to cut. `family`: `time`, `contact`, `people`, `tracking` or `quality`."""

    key: str
    title: str
    family: str


DIMENSIONS: tuple[Dimension, ...] = (
    Dimension("day", N_("Day"), "time"),
    Dimension("week", N_("Week"), "time"),
    Dimension("month", N_("Month"), "time"),
    Dimension("weekday", N_("Weekday"), "time"),
    Dimension("hour", N_("Hour"), "time"),
    Dimension("half_hour", N_("Half-hour"), "time"),
    Dimension("direction", N_("Direction"), "contact"),
    Dimension("channel", N_("Channel"), "contact"),
    Dimension("queue", N_("Queue"), "contact"),
    Dimension("reason", N_("Reason"), "contact"),
    Dimension("outcome", N_("Outcome"), "contact"),
    Dimension("handled_by", N_("Handled by"), "contact"),
    Dimension("declared", N_("Declared"), "contact"),
    Dimension("surveyed", N_("Customer's answer"), "contact"),
    Dimension("site", N_("Site"), "people"),
    Dimension("team", N_("Team"), "people"),
    Dimension("advisor", N_("Advisor"), "people"),
    Dimension("source", N_("Source"), "tracking"),
    Dimension("medium", N_("Medium"), "tracking"),
    Dimension("campaign", N_("Campaign"), "tracking"),
    Dimension("keyword", N_("Keyword"), "tracking"),
    Dimension("tracking_number", N_("Tracking number"), "tracking"),
    Dimension("tracking_match", N_("How the source was found"), "tracking"),
    Dimension("evaluator", N_("Evaluator"), "quality"),
    Dimension("criterion", N_("Criterion"), "quality"),
    Dimension("section", N_("Section"), "quality"),
    Dimension("grid", N_("Scorecard"), "quality"),
)
BY_KEY: Mapping[str, Dimension] = {dimension.key: dimension for dimension in DIMENSIONS}


def get_dimension(key: str) -> Dimension:
    """Return the dimension of that name. Raises Misuse for an unknown one."""
    require_known(key, BY_KEY, "unknown_dimension")
    return BY_KEY[key]


@dataclass(frozen=True)
class Period:
    """Days in the centre's time zone, both inclusive; None is open."""

    first_day: date | None = None
    last_day: date | None = None

    def __post_init__(self) -> None:
        if self.first_day and self.last_day and self.first_day > self.last_day:
            raise Misuse(
                "bad_period",
                "The period starts on {first} but ends earlier, on {last}. Swap the days.",
                first=self.first_day,
                last=self.last_day,
            )

    @property
    def is_bounded(self) -> bool:
        return self.first_day is not None and self.last_day is not None

    @property
    def days(self) -> int:
        return (self.last_day - self.first_day).days + 1

    def meets(self, first: date, last: date) -> bool:
        """Return whether some day from `first` to `last` lies in the period."""
        return (self.first_day is None or self.first_day <= last) and (
            self.last_day is None or first <= self.last_day
        )

    def previous(self) -> Period:
        """Return the period of the same length just before, moved back by whole weeks
        so that weekdays agree; before whole months, as many whole months.
        """
        if self.is_whole_months:
            months = (
                (self.last_day.year - self.first_day.year) * 12
                + self.last_day.month
                - self.first_day.month
                + 1
            )
            return Period(add_months(self.first_day, -months), self.first_day - timedelta(days=1))
        back = timedelta(weeks=-(-self.days // 7))
        return Period(self.first_day - back, self.last_day - back)

    def year_before(self) -> Period:
        """Return the same period a year before: whole months, or 364 days back (same weekdays)."""
        if self.is_whole_months:
            return Period(
                add_months(self.first_day, -12),
                add_months(self.last_day + timedelta(days=1), -12) - timedelta(days=1),
            )
        return Period(self.first_day - timedelta(days=364), self.last_day - timedelta(days=364))

    @property
    def is_whole_months(self) -> bool:
        return (
            self.is_bounded
            and self.first_day.day == 1
            and (self.last_day + timedelta(days=1)).day == 1
        )


@dataclass(frozen=True)
class Filters:
    """Selection of facts: a period, and for each named dimension the values kept (None:
    missing). Frozen and hashable. Values of one dimension are alternatives; different
    dimensions must all hold.
    """

    period: Period = Period()
    values: tuple[tuple[str, tuple[str | None, ...]], ...] = ()

    @staticmethod
    def of(
        period: Period = Period(), values: Mapping[str, Iterable[str | None]] | None = None
    ) -> Filters:
        """Build filters without empty dimensions. Raises Misuse for an unknown dimension."""
        by_key = {
            get_dimension(key).key: tuple(dict.fromkeys(choices))
            for key, choices in (values or {}).items()
        }
        return Filters(
            period, tuple(sorted((key, choices) for key, choices in by_key.items() if choices))
        )

    def with_period(self, period: Period) -> Filters:
        return replace(self, period=period)

    def with_value(self, dimension: str, *choices: str | None) -> Filters:
        """Return the same filters with that dimension narrowed to these values."""
        return Filters.of(self.period, {**dict(self.values), dimension: choices})


def add_months(day: date, months: int) -> date:
    """Return the same day so many months later, at most the last of that month."""
    position = day.year * 12 + day.month - 1 + months
    year, month = position // 12, position % 12 + 1
    return date(year, month, min(day.day, monthrange(year, month)[1]))
