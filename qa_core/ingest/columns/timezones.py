"""Conversion between wall clocks and UTC; missing and repeated hours are counted, never lost."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import numpy as np

from qa_core.base import declared
from qa_core.base.i18n import N_
from qa_core.files.header_text import simplify

DAY = 86_400
EPOCH_DAY = 25_569
"""1 January 1970 in the day numbers of spreadsheets."""
_BIN = np.timedelta64(15, "m")
"""No zone of today changes its offset within a quarter of an hour, nor twice in a day."""
_BINS_OF_A_DAY = 96
_DECLARED = declared.read(__file__)
OFFSETS: dict[str, int] = _DECLARED["offsets"]
"""Seconds by which the clocks that these letters name are ahead of UTC."""
_ZONES: dict[str, list[str]] = _DECLARED["zones"]
_ALONE: dict[str, list[str]] = _DECLARED["alone"]
"""Letters that stand alone or in brackets: DATE ET HEURE is French, IST-ZEIT is German."""
_ZONE = re.compile(
    r"(?<![A-Za-z])(?:(?:UTC|GMT) ?(?P<sign>[+-])(?P<hours>\d{1,2})(?::?00)?(?![\d:])|"
    r"(?P<place>[A-Z][A-Za-z]+/[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_]+)?)|"
    rf"(?P<letters>{'|'.join(_ZONES)}|"
    rf"(?<![^(\[])(?:{'|'.join(_ALONE)})(?![^)\]])))(?![A-Za-z+-])"
)
"""Zone in a header."""
_OFFSET = re.compile(r"[+-]\d{1,2}(?::?\d\d)?")
FIRST_YEAR, LAST_YEAR = 1970, 2100


def find_zones(text: str) -> tuple[str, ...]:
    """Find the zones that a header or a cell may name, the likeliest first: `Start (UTC)`,
    `America/New_York`, `GMT+1`, `EST`, `+01:00`.
    """
    text = f"UTC{text}" if _OFFSET.fullmatch(text) else text
    for match in _ZONE.finditer(text):
        if match["hours"]:
            hours = int(match["sign"] + match["hours"])
            return (f"Etc/GMT{-hours:+d}" if hours and abs(hours) <= 12 else "UTC",)
        if match["letters"]:
            return tuple((_ZONES | _ALONE)[match["letters"]])
        if match["place"] in available_timezones():
            return (match["place"],)
    return ("UTC",) if re.search(r"\b(?:utc|gmt)\b(?! ?\d)", simplify(text)) else ()


def have_same_clock(one: str, other: str) -> bool:
    """Return whether two zones have the same offset in winter and in summer."""
    days = (datetime(2026, month, 1) for month in (1, 7))
    return all(ZoneInfo(one).utcoffset(day) == ZoneInfo(other).utcoffset(day) for day in days)


class Zone:
    """Conversion of arrays of local times of one zone to UTC and back."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.repeated = 0
        self.missing = 0
        self._zone = ZoneInfo(name)

    def to_utc(self, local: np.ndarray) -> np.ndarray:
        """Convert local datetime64[us] to UTC. Of a repeated hour the first is meant, a
        missing one is read by the clock before; both are counted.
        """
        first, second = _look_up(local, self._zone, _find_local_offsets).reshape(-1, 2).T
        known = ~np.isnat(local)
        self.repeated += int(((first > second) & known).sum())
        self.missing += int(((first < second) & known).sum())
        return local - first.astype("m8[s]")

    def find_gains(self, local: np.ndarray) -> np.ndarray:
        """Find the seconds by which a repeated hour comes later again; 0 for other moments."""
        first, second = _look_up(local, self._zone, _find_local_offsets).reshape(-1, 2).T
        return np.where(np.isnat(local), 0, np.maximum(first - second, 0))

    def to_local(self, utc: np.ndarray) -> np.ndarray:
        """Convert UTC datetime64[us] to the wall clock of this zone."""
        return utc + _look_up(utc, self._zone, _find_utc_offset).astype("m8[s]")

    def describe_changes(self, decide: Callable[..., None]) -> None:
        """Record how many values of a file fell into the hours of clock changes."""
        if self.repeated:
            message = N_("an hour that the clocks of {zone} show twice counts as the first one")
            decide("started_at", message, self.repeated, zone=self.name)
        if self.missing:
            message = N_("an hour that the clocks of {zone} skip is read as before the change")
            decide("started_at", message, self.missing, zone=self.name)


@cache
def _find_local_offsets(zone: ZoneInfo, number: int) -> tuple[int, ...]:
    moment = _as_datetime(number)
    offsets = (moment.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    return tuple(int(offset.total_seconds()) for offset in offsets)


@cache
def _find_utc_offset(zone: ZoneInfo, number: int) -> int:
    moment = _as_datetime(number).replace(tzinfo=UTC)
    return int(moment.astimezone(zone).utcoffset().total_seconds())


def _look_up(moments: np.ndarray, zone: ZoneInfo, find: Callable[..., Any]) -> np.ndarray:
    """Look up offsets by quarters of an hour; a day without a change is looked up once."""
    microseconds = moments.astype("M8[us]").astype(np.int64)
    numbers = np.where(np.isnat(moments), 0, microseconds // _BIN.astype("m8[us]").astype(np.int64))
    bins, places = np.unique(numbers, return_inverse=True)
    days, inverse = np.unique(bins // _BINS_OF_A_DAY, return_inverse=True)
    starts = [find(zone, day * _BINS_OF_A_DAY) for day in days.tolist()]
    ends = [find(zone, (day + 1) * _BINS_OF_A_DAY) for day in days.tolist()]
    offsets = np.array(starts, np.int64)[inverse]
    changing = np.array([start != end for start, end in zip(starts, ends, strict=True)], bool)
    for index in np.flatnonzero(changing[inverse]).tolist():
        offsets[index] = find(zone, int(bins[index]))
    return offsets[places]


def _as_datetime(number: int) -> datetime:
    return datetime(1970, 1, 1) + timedelta(minutes=15 * number)


def combine_day(
    year: np.ndarray, month: np.ndarray, day: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Combine to datetime64[D]; a mask marks days of no calendar, or outside 1970–2100."""
    wrong = (month < 1) | (month > 12) | (year < FIRST_YEAR) | (year > LAST_YEAR) | (day < 1)
    months = (np.where(wrong, FIRST_YEAR, year) - 1970) * 12 + np.where(wrong, 1, month) - 1
    first = months.astype("M8[M]")
    days = first.astype("M8[D]") + (np.where(wrong, 1, day) - 1).astype("m8[D]")
    wrong |= days.astype("M8[M]") != first
    return np.where(wrong, np.datetime64("NaT", "D"), days), wrong


def combine_clock(
    hour: np.ndarray, minute: np.ndarray, second: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Combine to timedelta64[us] since midnight; a mask marks times that no clock shows."""
    wrong = (hour > 23) | (minute > 59) | (second > 59)
    return (hour * 3600 + minute * 60 + second).astype("m8[s]").astype("m8[us]"), wrong
