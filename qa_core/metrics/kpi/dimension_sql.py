"""Dimensions as SQL: the expression that groups, the predicate that filters, the shown value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.orm import Session

from qa_core.access.roles import Viewer
from qa_core.base.errors import AccessDenied, Misuse
from qa_core.centre import members
from qa_core.metrics.kpis.dimensions import Filters, Period
from qa_core.storage.records import store
from qa_core.storage.records.people import Team

Value = str | int | date | None
WEEKDAYS, HOURS = range(1, 8), range(24)
HALF_HOURS = tuple(f"{position // 2:02d}:{position % 2 * 30:02d}" for position in range(48))
"""The half-hours of a day by the clock; the engine counts them, people read them."""


@dataclass(frozen=True)
class Names:
    """Names in the records: the label of each advisor, and the teams of each site."""

    advisors: Mapping[str, str]
    sites: Mapping[str, str]
    """Team → site."""

    @staticmethod
    def load(session: Session, dimensions: frozenset[str]) -> Names:
        """Read only what those dimensions need."""
        advisors: dict[str, str] = {}
        if "advisor" in dimensions:
            names = members.find_names(session)
            count = Counter(names.values())
            advisors = {
                advisor_id: f"{name} ({advisor_id})" if count[name] > 1 else name
                for advisor_id, name in names.items()
            }
        sites = {}
        if "site" in dimensions:
            sites = store.remember(session, "sites", _read_sites)
        return Names(advisors, sites)

    def advisor_label(self, advisor_id: str | None) -> str | None:
        """Return the name of an advisor, with the id where several people share it."""
        return None if advisor_id is None else self.advisors.get(advisor_id, advisor_id)

    def find_advisors(self, text: str) -> tuple[str, ...]:
        """Find the ids meant by a label, an id or a name; a shared name means all of them."""
        exact = tuple(key for key, label in self.advisors.items() if text in (label, key))
        return (
            exact
            or tuple(key for key, label in self.advisors.items() if label == f"{text} ({key})")
            or (text,)
        )


def _read_sites(session: Session) -> dict[str, str]:
    sites = sa.select(Team.name, Team.site_name).where(Team.site_name.is_not(None))
    return dict(session.execute(sites).all())


def expression(dimension: str, columns: sa.ColumnCollection, names: Names) -> sa.ColumnElement[Any]:
    """Build the expression to group by, once per statement: twice, parameters would differ."""
    if dimension == "advisor":
        return columns.advisor_id
    if dimension == "site":
        if not names.sites:
            return sa.cast(sa.null(), sa.Text)
        return sa.case(
            *((columns.team == team, sa.literal(site)) for team, site in names.sites.items())
        )
    if dimension == "declared":
        return _yes_or_no(columns["declared_resolved"])
    if dimension == "surveyed":
        # Missing unless both questions were answered, as in the KPI: "not resolved"
        # alone would otherwise be an answer.
        in_one = sa.and_(
            columns["survey_resolved"], columns["survey_contacts"] <= sa.literal_column("1")
        )
        answered_both = sa.and_(
            columns["survey_resolved"].is_not(None), columns["survey_contacts"].is_not(None)
        )
        return sa.case((answered_both, _yes_or_no(in_one)))
    if dimension not in ("day", "week", "month", "weekday", "hour", "half_hour"):
        return columns[dimension]
    clock = columns.local_start if "local_start" in columns else columns.day
    match dimension:
        case "day":
            return sa.cast(clock, sa.Date)
        case "week":
            return sa.cast(sa.func.date_trunc(sa.literal_column("'week'"), clock), sa.Date)
        case "month":
            if "month" in columns:
                return columns.month
            return sa.cast(sa.func.date_trunc(sa.literal_column("'month'"), clock), sa.Date)
        case "weekday":
            return sa.cast(sa.extract("isodow", clock), sa.Integer)
        case "half_hour":
            second_half = sa.case(
                (sa.extract("minute", clock) >= sa.literal_column("30"), sa.literal_column("1")),
                else_=sa.literal_column("0"),
            )
            hour = sa.cast(sa.extract("hour", clock), sa.Integer)
            part = hour * sa.literal_column("2") + second_half
        case _:
            part = sa.cast(sa.extract("hour", clock), sa.Integer)
    if "time_missing" not in columns:
        return part
    return sa.case((columns["time_missing"].is_(None), part))


def _yes_or_no(test: sa.ColumnElement[bool]) -> sa.ColumnElement[str]:
    return sa.case(
        (test, sa.literal_column("'yes'", sa.Text)),
        (sa.not_(test), sa.literal_column("'no'", sa.Text)),
    )


def predicate(
    dimension: str, choices: tuple[Value, ...], columns: sa.ColumnCollection, names: Names
) -> sa.ColumnElement[bool]:
    """Select the rows whose dimension has one of the values (None: missing). Raises
    Misuse for a value that the dimension cannot have.
    """
    values = [value for value in choices if value is not None]
    if dimension == "site":
        tests = [columns.team.in_([team for team, site in names.sites.items() if site in values])]
        if None in choices:
            tests.append(sa.or_(columns.team.is_(None), columns.team.not_in(list(names.sites))))
        return sa.or_(*tests)
    if dimension == "advisor":
        values = [advisor_id for value in values for advisor_id in names.find_advisors(str(value))]
    else:
        values = [parse_value(dimension, value) for value in values]
    column = expression(dimension, columns, names)
    if dimension == "month" and isinstance(column.type, sa.Date):
        values = [date.fromisoformat(f"{value}-01") for value in values]
    if dimension == "half_hour":
        values = [HALF_HOURS.index(value) for value in values]
    tests = [column.in_(values)] if values else []
    if None in choices:
        tests.append(column.is_(None))
    return sa.or_(*tests)


def parse_value(dimension: str, value: Any) -> Value:
    """Parse a value as the dimension holds it: days and weeks are dates, weekday and
    hour whole numbers, half-hours `HH:MM`, the others text.
    """
    try:
        if dimension in ("day", "week"):
            return value if isinstance(value, date) else date.fromisoformat(str(value))
        if dimension in ("weekday", "hour"):
            if dimension == "weekday":
                return WEEKDAYS.index(int(value)) + 1
            return HOURS.index(int(value))
        if dimension == "half_hour":
            return HALF_HOURS[HALF_HOURS.index(str(value))]
        if dimension == "month":
            return date.fromisoformat(f"{value}-01").isoformat()[:7]
    except ValueError as error:
        raise Misuse(
            "bad_value", "{value} is not a value of {dimension}.", value=value, dimension=dimension
        ) from error
    return str(value)


def within(period: Period, columns: sa.ColumnCollection) -> list[sa.ColumnElement[bool]]:
    """Select the rows of a period, by the centre's wall clock."""
    clock, at = (
        (columns.local_start, lambda day: datetime.combine(day, time.min))
        if "local_start" in columns
        else (columns.day, lambda day: day)
    )
    tests = []
    if period.first_day:
        tests.append(clock >= sa.literal(at(period.first_day)))
    if period.last_day:
        tests.append(clock < sa.literal(at(period.last_day + timedelta(days=1))))
    return tests


def months(period: Period, before: int = 0, after: int = 0) -> dict[str, str | None]:
    """Return the first and last month of a period, `before` days added in front and
    `after` days behind: what the engine needs to leave files unread.
    """
    first = period.first_day - timedelta(days=before) if period.first_day else None
    last = period.last_day + timedelta(days=after) if period.last_day else None
    return {
        "first_month": f"{first:%Y-%m}" if first else None,
        "last_month": f"{last:%Y-%m}" if last else None,
    }


def plain(dimension: str, value: Any, names: Names) -> Value:
    """Return a grouped value as Python: dates, `YYYY-MM`, whole numbers, names; None is missing."""
    if value is None or value is pd.NaT or value != value:
        return None
    if dimension in ("day", "week"):
        return value.date() if isinstance(value, datetime) else value
    if dimension == "month":
        return value if isinstance(value, str) else f"{value:%Y-%m}"
    if dimension in ("weekday", "hour"):
        return int(value)
    if dimension == "half_hour":
        return HALF_HOURS[int(value)]
    return names.advisor_label(value) if dimension == "advisor" else value


def plain_records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame, missing values as None."""
    return frame.astype(object).where(frame.notna(), None).to_dict("records")


def dimensions_of(by: tuple[str, ...], where: Filters) -> frozenset[str]:
    return frozenset((*by, *(dimension for dimension, _ in where.values)))


def require_filters(viewer: Viewer, where: Filters) -> None:
    """Raise AccessDenied for a filter that the viewer may not use."""
    if not all(map(viewer.can_cut_by, dimensions_of((), where))):
        raise AccessDenied()
