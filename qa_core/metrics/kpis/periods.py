"""Periods that people choose by name, as days, ending where the data ends. Pure."""

import re
from collections.abc import Mapping
from datetime import date, timedelta

from qa_core.access.roles import Viewer
from qa_core.base.i18n import N_, _, ngettext
from qa_core.metrics.kpis.dimensions import Period, add_months

DAYS = ("7d", "28d", "91d", "182d", "364d", "month", "last_month", "all", "days")
MONTHS = ("1m", "3m", "6m", "12m")
_TITLES = {
    "month": N_("This month"),
    "last_month": N_("Last month"),
    "all": N_("All data"),
    "days": N_("Chosen days"),
}
MIN_WEEKS = 13
"""Periods of so many weeks are called by their weeks, shorter ones by their days."""
DEFAULT = "28d"
LATE_DAYS = 28
"""Days at the end of a longer period that are set against the days before them."""
MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])", re.ASCII)
COMPARISONS: Mapping[str, str] = {
    "previous": N_("Previous"),
    "year": N_("Year before"),
    "none": N_("No comparison"),
}


def choices(viewer: Viewer) -> Mapping[str, str]:
    """Return the periods offered to that viewer: key → title."""
    return {key: name(key) for key in (MONTHS if viewer.needs_suppression else DAYS)}


def name(choice: str) -> str:
    """Return the title of a period, such as `3 months`, in the reader's language."""
    if choice in _TITLES:
        return _(_TITLES[choice])
    count = int(choice[:-1])
    if choice in MONTHS:
        return ngettext("{n} month", "{n} months", count)
    if count >= 7 * MIN_WEEKS:
        return ngettext("{n} week", "{n} weeks", count // 7)
    return ngettext("{n} day", "{n} days", count)


def name_last(days: int) -> str:
    """Return the title of the last days, such as `Last 28 days`."""
    return ngettext("Last {n} day", "Last {n} days", days)


def default(viewer: Viewer, usual: str = DEFAULT) -> str:
    """Return the usual period, or whole months for those who see no less."""
    return "3m" if viewer.needs_suppression else usual


def split_late(period: Period, first_day: date) -> tuple[Period, Period] | None:
    """Return the last days of a period and those before, from the first day with data on;
    None for a short period.
    """
    if not period.is_bounded:
        return None
    period = Period(max(period.first_day, first_day), period.last_day)
    if period.days < 3 * LATE_DAYS:
        return None
    start = period.last_day - timedelta(days=LATE_DAYS - 1)
    return Period(start, period.last_day), Period(period.first_day, start - timedelta(days=1))


def is_known(choice: str, viewer: Viewer, last_day: date) -> bool:
    """Return whether that viewer may look at this choice, offered or not: also one month
    by its name (`2026-10`), and the periods offered to others.
    """
    if choice in choices(viewer):
        return True
    if MONTH.fullmatch(choice):
        return not viewer.needs_suppression or end_of(
            "month", _first_of(choice)
        ) <= last_whole_month_end(last_day)
    return choice in MONTHS


def _first_of(month: str) -> date:
    return date.fromisoformat(f"{month}-01")


def build_period(
    choice: str, last_day: date, first_day: date, ends: tuple[date, ...] = ()
) -> Period:
    """Return the days of a choice in data of these days; `ends`: the chosen days."""
    if MONTH.fullmatch(choice):
        return Period(_first_of(choice), end_of("month", _first_of(choice)))
    if choice in MONTHS:
        end = last_whole_month_end(last_day)
        return Period(add_months(end.replace(day=1), 1 - int(choice[:-1])), end)
    if choice == "month":
        return Period(last_day.replace(day=1), last_day)
    if choice == "last_month":
        end = last_day.replace(day=1) - timedelta(days=1)
        return Period(end.replace(day=1), end)
    if choice == "days" and ends:
        return Period(min(ends), max(ends))
    if choice in ("all", "days"):
        return Period(first_day, last_day)
    return Period(last_day - timedelta(days=int(choice[:-1]) - 1), last_day)


def build_span(viewer: Viewer, first_day: date, last_day: date) -> Period | None:
    """Build the period of all that this viewer may look at, from `query.data_span`;
    None where no month is over for who sees whole months.
    """
    if not viewer.needs_suppression:
        return Period(first_day, last_day)
    return Period(first_day.replace(day=1), last_day) if first_day <= last_day else None


def build_comparison(choice: str, period: Period) -> Period | None:
    return {"previous": period.previous, "year": period.year_before}.get(choice, lambda: None)()


def last_whole_day(last_day: date, today: date) -> date:
    """Return the last day that is over, of data that goes to `last_day`: what came in
    so far today says nothing of a day, week or month.
    """
    return min(last_day, today - timedelta(days=1))


def count_months(period: Period) -> int:
    """Count the calendar months that a bounded period touches."""
    first, last = period.first_day, period.last_day
    return (last.year - first.year) * 12 + last.month - first.month + 1


def build_trend(period: Period, whole_months: bool) -> tuple[str, Period]:
    """Choose the grain and the longer period that a trend shows: half a year of weeks
    before the end, a year for longer periods, months beyond.

    Whole weeks at the front, so that the first point is no stump.
    """
    if whole_months:
        first = min(add_months(period.last_day.replace(day=1), -12), period.first_day)
        return "month", Period(first, period.last_day)
    if period.days > 420:
        return "month", Period(period.first_day.replace(day=1), period.last_day)
    weeks = 26 if period.days <= 91 else 60
    monday = period.last_day - timedelta(days=period.last_day.weekday())
    return "week", Period(monday - timedelta(weeks=weeks - 1), period.last_day)


def starts_of(grain: str, period: Period) -> list[date]:
    """Return the first day of every day, week or month of a period, whatever happened in it."""
    if grain == "day":
        return [period.first_day + timedelta(days=number) for number in range(period.days)]
    if grain == "month":
        day, starts = period.first_day.replace(day=1), []
        while day <= period.last_day:
            starts.append(day)
            day = (day + timedelta(days=32)).replace(day=1)
        return starts
    monday = period.first_day - timedelta(days=period.first_day.weekday())
    return [
        monday + timedelta(weeks=week) for week in range((period.last_day - monday).days // 7 + 1)
    ]


def end_of(grain: str, start: date) -> date:
    """Return the last day of the day, week or month that starts then."""
    if grain == "day":
        return start
    if grain == "month":
        return (start + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return start + timedelta(days=6)


def period_of(grain: str, start: str | None) -> Period | None:
    """Return one day (`2026-10-07`), or the days of one week (by its Monday,
    `2026-10-05`) or month (`2026-10`); None for any other dimension or text.
    """
    try:
        first_day = (
            _first_of(start)
            if grain == "month"
            else date.fromisoformat(start)
            if grain in ("day", "week")
            else None
        )
    except (TypeError, ValueError):
        return None
    if first_day is None:
        return None
    return Period(first_day, first_day if grain == "day" else end_of(grain, first_day))


def last_whole_month_end(last_day: date) -> date:
    """Return the end of the last month that is whole in data that goes to `last_day`."""
    next_day = last_day + timedelta(days=1)
    return last_day if next_day.day == 1 else last_day.replace(day=1) - timedelta(days=1)


def last_closed_day(last_day: date, today: date) -> date:
    """Return the end of the last month whole in data up to `last_day`, and over today."""
    end = last_whole_month_end(last_day)
    return end.replace(day=1) - timedelta(days=1) if f"{today:%Y-%m}" == f"{end:%Y-%m}" else end
