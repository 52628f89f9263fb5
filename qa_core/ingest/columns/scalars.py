"""Conversion of single values to moments, durations and numbers, or None."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from qa_core.files.header_text import simplify
from qa_core.ingest.columns.timezones import FIRST_YEAR, LAST_YEAR, OFFSETS
from qa_core.storage.facts.schema import Direction

CLOCK_PARTS = 3
DIRECTIONS: Mapping[str, str | None] = {item.value: item.value for item in Direction}
_CLOCK_FIRST = re.compile(rf"^(\d\d:\d\d:\d\d) ({'|'.join(OFFSETS)}) (\d{{4}}-\d\d-\d\d)$")
_ONE_DIGIT = re.compile(r"^(\d{4}-\d{1,2}-)(\d)([T ])")


def from_epoch(value: Any, per_second: int = 1) -> datetime | None:
    """Convert seconds (or parts) since 1970 to a moment; None outside the years read."""
    try:
        seconds = float(value) / per_second
        moment = datetime.fromtimestamp(seconds, UTC) if seconds > 0 else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return moment if moment is None or FIRST_YEAR < moment.year < LAST_YEAR else None


def from_stamp(value: Any) -> datetime | None:
    """Parse ISO 8601, also `2021-04-2T…` and `09:00:01 CET 2026-03-14`; None when it is no
    moment. One that names its zone is in UTC, with `tzinfo`; any other on the clock of the
    export, without.
    """
    if not isinstance(value, str) or not value.strip():
        return None
    text, offset = value.strip(), timedelta()
    if turned := _CLOCK_FIRST.match(text):
        clock, zone, day = turned.groups()
        text, offset = f"{day}T{clock}Z", timedelta(seconds=OFFSETS[zone])
    try:
        moment = datetime.fromisoformat(_ONE_DIGIT.sub(r"\g<1>0\2\3", text))
        moment = moment if moment.tzinfo is None else moment.astimezone(UTC) - offset
    except (ValueError, OverflowError):
        return None
    return moment if FIRST_YEAR < moment.year < LAST_YEAR else None


def read_moment(value: Any) -> datetime | None:
    """Convert seconds since 1970 or a stamp to a moment; None when it is none."""
    return from_epoch(value) or from_stamp(value)


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """Compute the seconds; None if one is missing, the end is first, or only one has a zone."""
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


def read_seconds(value: Any) -> float | None:
    """Parse seconds, a number or a clock with hours: `27`, `00:01:00`; None when it is none."""
    parts = value.split(":") if isinstance(value, str) else [value]
    numbers = [as_number(part) for part in parts]
    if None in numbers or len(parts) not in (1, CLOCK_PARTS):
        return None
    return sum(number * 60**exponent for exponent, number in enumerate(reversed(numbers)))


def find_meaning(word: Any, known: Mapping[str, str | None], members: type[StrEnum]) -> str | None:
    """Find what a word means in `known` (simplified), or itself if `members` has it; else None."""
    text = simplify(str(word or ""))
    return known[text] if text in known else text if text in set(members) else None


def read_direction(value: Any) -> str | None:
    """Find the direction that a word names; None for any other value."""
    return find_meaning(value, DIRECTIONS, Direction)


def fold_case(value: Any) -> str:
    """Convert a value to text in lower case; empty where it is missing."""
    return str(value or "").casefold()
