"""Conversion of single values of an export to moments, durations and numbers; None
where a value is none.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from qa_core.ingest.columns.timezones import FIRST_YEAR, LAST_YEAR

_ONE_DIGIT = re.compile(r"^(\d{4}-\d{1,2}-)(\d)([T ])")


def from_epoch(value: Any, per_second: int = 1) -> datetime | None:
    """Convert a count of seconds (or parts of them) since 1970 to UTC, without zone;
    None when it is none, zero, or outside the years that are read.
    """
    try:
        seconds = float(value) / per_second
        moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None) if seconds > 0 else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return moment if moment is None or FIRST_YEAR < moment.year < LAST_YEAR else None


def from_stamp(value: Any) -> datetime | None:
    """Parse a server's timestamp. One that names its zone is returned in UTC, with
    `tzinfo`; any other on the server's clock, without. None when it is no moment.
    """
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        moment = datetime.fromisoformat(_ONE_DIGIT.sub(r"\g<1>0\2\3", value.strip()))
        moment = moment if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if FIRST_YEAR < moment.year < LAST_YEAR else None


def from_iso(value: Any) -> datetime | None:
    """Parse ISO 8601 into a moment without zone: in UTC where it names a zone, else
    unchanged; None when it is no moment. `2021-04-2T…` is accepted.
    """
    moment = from_stamp(value)
    return moment and moment.replace(tzinfo=None)


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Compute the seconds from one moment to the other; None when either is missing,
    they are in the wrong order, or only one of them names its zone.
    """
    if (
        start is None
        or end is None
        or (start.tzinfo is None) != (end.tzinfo is None)
        or end < start
    ):
        return None
    return (end - start).total_seconds()


def as_number(value: Any) -> float | None:
    """Convert a value to a number; None when it is none or negative."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < 1e12 else None


def read_direction(value: Any) -> str | None:
    """Return the value when it is a direction, else None."""
    return value if value in ("inbound", "outbound", "internal") else None


def keep_of_answered(record: dict[str, Any], *columns: str) -> dict[str, Any]:
    """Clear the columns that only an answered contact has."""
    return record if record["outcome"] == "answered" else record | dict.fromkeys(columns)
