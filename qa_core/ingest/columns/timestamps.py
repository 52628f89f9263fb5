"""Dates and times as files spell them: evidence about a column, and values in its order."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qa_core.base import declared
from qa_core.ingest.columns import timezones
from qa_core.ingest.staging.arrays import find_matches, to_numpy
from qa_core.ingest.staging.declaration import ColumnEvidence

PIVOT_YEAR = 70

_HALF = r"(?: ?(?P<ap>[AaPp])\.? ?[Mm]\.?)?"
_TIME = (
    r"(?:(?:T|,? +(?:à |at |[-–] )?|,)(?P<H>\d{1,2}) ?[:hH.] ?(?P<M>\d{2})(?: ?[:mM.] "
    r"?(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?s?)?" + _HALF + ")?"
    r"(?: ?(?P<z>(?:GMT|UTC)?[+-]\d{2}:?\d{2}|[+-]\d{2}|(?:GMT|UTC)[+-]\d{1,2}(?::\d{2})?|"
    + "|".join(sorted(timezones.OFFSETS, key=len, reverse=True))
    + r"))?"
    r"(?:\[[A-Za-z_/+-]+\])?(?: \([A-Za-zÀ-ÿ’' -]+\))?$"
)
_DAY_NAME = r"(?:[A-Za-zÀ-ÿ]{2,9}\.?,? )?"
_SHAPES = {
    "year_first": r"^(?P<y>\d{4})[-/.](?P<b>\d{1,2})[-/.](?P<c>\d{1,2})" + _TIME,
    "year_last": r"^" + _DAY_NAME + r"(?P<a>\d{1,2})[-/. ](?P<b>\d{1,2})[-/. ](?P<y>\d{4})" + _TIME,
    "short_year": r"^" + _DAY_NAME + r"(?P<a>\d{1,2})[-/.](?P<b>\d{1,2})[-/.](?P<c>\d{2})" + _TIME,
    "named": r"^"
    + _DAY_NAME
    + r"(?P<d>\d{1,2})(?:st|nd|rd|th|er|\.)?[ \-/](?:de )?(?P<mon>[A-Za-zÀ-ÿ]{3,9})\.?,?[ "
    r"\-/](?:de )?(?P<y>\d{4}|\d{2})" + _TIME,
    "named_first": r"^"
    + _DAY_NAME
    + r"(?P<mon>[A-Za-zÀ-ÿ]{3,9})\.? (?P<d>\d{1,2})(?:st|nd|rd|th)?,? (?P<y>\d{4})"
    + _TIME,
    "compact": r"^(?P<y>(?:19|20)\d{2})(?P<b>0[1-9]|1[0-2])(?P<c>0[1-9]|[12]\d|3[01])"
    r"(?:(?:[T _-]?)(?P<H>[01]\d|"
    r"2[0-3]):?(?P<M>[0-5]\d):?(?P<S>[0-5]\d)?)?(?P<f>)(?P<ap>)(?P<z>Z|[+-]\d{2}:?\d{2})?$",
    "clock": r"^(?P<H>\d{1,2}) ?[:hH] ?(?P<M>\d{2})(?: ?[:mM] "
    r"?(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?s?)?" + _HALF + r"(?P<z>)$",
    "half": r"^(?P<H>\d{1,2}) ?(?P<M>)(?P<S>)(?P<f>)(?P<ap>[AaPp])\.? ?[Mm]\.?(?P<z>)$",
    "hour": r"^(?P<H>\d{1,2}) ?[hH](?:eures?|ours?)?(?P<M>)(?P<S>)(?P<f>)(?P<ap>)(?P<z>)$",
    "number": r"^(?P<n>\d+(?:[.,]\d+)?)$",
}
_PARTS = {"year_first": "ybc", "year_last": "yab", "short_year": "abc"}
"""Numbers of the dates of a shape."""
_DESTROYED = r"^\d{1,2}:\d{2}[.,]\d$"
_SPACES = r"[\s\x{00a0}\x{202f}\x{2009}]+"
_CLOCK_FIRST = (
    r"^(\d{1,2}:\d{2}(?::\d{2})?(?: ?[AaPp]\.?[Mm]\.?)?)( [A-Z]{2,4})?,? "
    r"(\d{1,4}[-/.]\d{1,2}[-/.]\d{2,4})$"
)
"""A time of day before its date, as the console of Twilio has it."""
_CLOCK = r"\d{1,2} ?(?:[:hH] ?(?:\d{2}(?: ?:\d{2}(?:\.\d+)?)?)?)(?:Z| ?[AaPp]\.?[Mm]\.?)?"
_RANGE = (
    rf"^(?P<start>(?:.*[ T])?{_CLOCK}) ?(?:-|–|—|à|to|→|>|/) ?(?:[0-9/.-]+[ T])?(?P<end>{_CLOCK})$"
)
"""A start with its end: `08:00-08:30`, `8h à 8h30`, `13/03/2026 08:00 - 13/03/2026 08:30`."""
_DOTNET = r"^/Date\((\d+)(?:[+-]\d{4})?\)/$"
"""Milliseconds since 1970 as .NET writes them to JSON."""
_DATED_OFFSET = r"\d[T ]\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)? ?-\d{2}:?\d{2}$"
_OFFSET = r"(?:Z|[+-]\d\d:?\d\d)$"
_FIRST_REAL_DAY = np.datetime64("1901-01-01", "D")
"""First day that counts. Times without a day are written on one of 1899, 1900 or the year 1."""
_DECLARED = declared.read(__file__)
_NUMBERS: dict[str, list[float]] = _DECLARED["numbers"]
_STARTS_OF_MONTHS: list[list[str]] = _DECLARED["months"]
_MONTHS = {start: number for number, names in enumerate(_STARTS_OF_MONTHS, 1) for start in names}
CLOCKS = ("clock", "half", "hour")
_CLOCKS_WITHOUT_SEPARATOR = {2: "hour", 4: "hhmm", 6: "hhmmss"}
_EPOCHS = {"epoch": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}
ORDERS = {"dmy": ("d", "m", "y"), "mdy": ("m", "d", "y"), "ymd": ("y", "m", "d")}


@dataclass
class Moments:
    """Dates and times row by row. `day`, `clock`: NaT where missing; `fixed`: already UTC."""

    day: np.ndarray  # datetime64[D]
    clock: np.ndarray  # timedelta64[us] since midnight
    fixed: np.ndarray  # bool
    bad: np.ndarray  # bool: there is a value, and it is no date or time

    @staticmethod
    def empty(rows: int) -> Moments:
        day, clock = np.full(rows, "NaT", "M8[D]"), np.full(rows, "NaT", "m8[us]")
        return Moments(day, clock, np.zeros(rows, bool), np.zeros(rows, bool))


@dataclass
class MomentEvidence(ColumnEvidence):
    counts: dict[str, int] = field(default_factory=dict)
    value_counts: dict[str, dict[str, dict[int, int]]] = field(default_factory=dict)
    """Shape → place (a, b, c) → value → rows."""
    months: dict[str, set[tuple[int, int, int]]] = field(default_factory=dict)
    """Shape → its `_PARTS` seen."""
    clock_count: int = 0
    day_count: int = 0
    unreadable: int = 0
    destroyed_count: int = 0
    number_range: list[float] = field(default_factory=lambda: [np.inf, -np.inf])
    clock_faults: dict[int, int] = field(
        default_factory=lambda: dict.fromkeys(_CLOCKS_WITHOUT_SEPARATOR, 0)
    )  # numbers that are no clock so written
    placeholder_days: int = 0  # rows on a day that stands for none
    ranges: int = 0
    range_minutes: set[int] = field(default_factory=set)
    negative_offsets: set[str] = field(default_factory=set)

    def _add(self, values: pa.Array) -> None:
        self.example = self.example or values[0].as_py()
        strict = _read_strict(values)
        if strict is not None:
            self._add_strict(values, strict[0])
            if strict[0] is not strict[1]:
                zones = pc.extract_regex(values, rf"(?P<z>{_OFFSET})").field("z").unique()
                self.negative_offsets |= {text for text in zones.to_pylist() if text[0] == "-"}
            return
        counted = values.value_counts()
        rows = to_numpy(counted.field("counts"))
        unique = self._add_ranges(_normalise_spaces(counted.field("values")), rows)
        destroyed = find_matches(unique, _DESTROYED)
        self.destroyed_count += int(rows[destroyed].sum())
        unmatched = ~destroyed
        for shape, pattern in _SHAPES.items():
            if not unmatched.any():
                break
            groups, matched = _extract(unique, pattern, unmatched)
            if matched.any():
                self._add_shape(shape, groups, rows[matched])
                unmatched &= ~matched
        self.unreadable += int(rows[unmatched].sum())

    def _add_ranges(self, unique: pa.Array, rows: np.ndarray) -> pa.Array:
        """Cut each range to its start, and note how long ranges are."""
        starts, groups, matched = _cut_ranges(unique)
        if matched.any():
            self.ranges += int(rows[matched].sum())
            ends = [
                [find_minute(text) for text in groups.field(name).to_pylist()]
                for name in ("start", "end")
            ]
            self.range_minutes |= {(end - start) % 1440 for start, end in zip(*ends, strict=True)}
        return starts

    def _add_strict(self, values: pa.Array, strict: pa.Array) -> None:
        self.counts["year_first"] = self.counts.get("year_first", 0) + len(values)
        days = to_numpy(strict).astype("M8[D]")
        placeholders = int((days < _FIRST_REAL_DAY).sum())
        self.placeholder_days += placeholders
        months = days.astype("M8[M]")
        self._add_places(
            "year_first",
            {"c": (days - months.astype("M8[D]")).astype(np.int64) + 1},
            np.ones(len(days), np.int64),
        )
        seen = (text.split("-") for text in np.datetime_as_string(np.unique(days)).tolist())
        self.months.setdefault("year_first", set()).update(tuple(map(int, day)) for day in seen)
        self.day_count += len(values) - placeholders
        if int(pc.max(pc.utf8_length(values)).as_py()) > 10:
            self.clock_count += len(values)

    def _add_shape(self, shape: str, groups: pa.StructArray, rows: np.ndarray) -> None:
        total = int(rows.sum())
        self.counts[shape] = self.counts.get(shape, 0) + total
        if shape == "number":
            numbers = _read_floats(groups.field("n"))
            self.number_range = [
                min(self.number_range[0], float(numbers.min())),
                max(self.number_range[1], float(numbers.max())),
            ]
            for digits in self.clock_faults:
                self.clock_faults[digits] += int(rows[_split_clock(numbers, digits)[1]].sum())
            return
        names = {item.name for item in groups.type}
        places = {name: _read_integers(groups, name) for name in ("a", "b", "c") if name in names}
        self._add_places(shape, places, rows)
        if shape in _PARTS:
            parts = [_read_integers(groups, name) for name in _PARTS[shape]]
            seen = np.unique(np.column_stack(parts), axis=0)
            self.months.setdefault(shape, set()).update(map(tuple, seen.tolist()))
        if shape in CLOCKS:
            self.clock_count += total
        else:
            placeholders = int(rows[_is_placeholder(groups)].sum())
            self.placeholder_days += placeholders
            self.day_count += total - placeholders
            self.clock_count += int(rows[_has_clock(groups)].sum())
            self.negative_offsets |= {
                zone for zone in groups.field("z").to_pylist() if zone and zone.startswith("-")
            }

    def _add_places(self, shape: str, places: dict[str, np.ndarray], rows: np.ndarray) -> None:
        for name, values in places.items():
            counts = self.value_counts.setdefault(shape, {}).setdefault(name, {})
            distinct, inverse = np.unique(values, return_inverse=True)
            for value, count in zip(
                distinct.tolist(), np.bincount(inverse, weights=rows).tolist(), strict=True
            ):
                counts[value] = counts.get(value, 0) + int(count)

    @property
    def total(self) -> int:
        return sum(self.counts.values()) + self.unreadable + self.destroyed_count

    def count_days(self, shape: str, part: str) -> int:
        """Count the rows whose number at that place is above 12, and so no month."""
        values = self.value_counts.get(shape, {}).get(part, {})
        return sum(rows for value, rows in values.items() if value > 12)

    @property
    def number_meaning(self) -> str | None:
        """Meaning of plain numbers: epoch, epoch_ms, epoch_us, serial (days of a
        spreadsheet), fraction (of a day), a clock, or unknown; None without any.
        """
        low, high = self.number_range
        if high < low:
            return None
        if low >= 0 and high < 1:
            return "fraction"
        if self.field == "time":
            for digits, name in _CLOCKS_WITHOUT_SEPARATOR.items():
                is_clock = high < 24 * 10 ** (digits - 2) and not self.clock_faults[digits]
                if is_clock and (digits == 2 or high > 24):  # hours from 1 to 24 are no minutes
                    return name
        fits = (name for name, (least, limit) in _NUMBERS.items() if least <= low <= high < limit)
        return next(fits, "unknown")

    @property
    def has_day(self) -> bool:
        return self.day_count > 0 or self.number_meaning in ("serial", *_EPOCHS)

    @property
    def has_clock(self) -> bool:
        return self.clock_count > 0 or self.number_meaning in (
            "serial",
            "fraction",
            *_EPOCHS,
            *_CLOCKS_WITHOUT_SEPARATOR.values(),
        )

    @property
    def is_timeless(self) -> bool:
        """True where most days of the column are placeholders: only the time of day counts."""
        return (
            self.placeholder_days > 0
            and self.placeholder_days > (self.day_count + self.placeholder_days) / 2
        )


@dataclass(frozen=True)
class MomentReading:
    shapes: tuple[str, ...]
    order: str | None  # of year_last
    short_order: str | None  # of short_year
    number_meaning: str | None
    is_swapped: bool = False
    has_ranges: bool = False  # what looks like an offset behind UTC is the end of a range
    is_timeless: bool = False  # a day of 1899 or 1900 stands for no day; else for no moment

    def is_plain(self, declared_order: str | None = None) -> bool:
        """Return whether all cells are ISO 8601 or clocks, or in the order that a tool declares."""
        is_iso = set(self.shapes) <= {"year_first", *CLOCKS} and not self.is_swapped
        orders = {self.order, self.short_order} - {None}
        return (is_iso or orders == {declared_order}) and not self.has_ranges

    def read(self, values: pa.Array) -> Moments:
        """Convert cells (empty ones null) to dates and times."""
        length = len(values)
        strict = (
            _read_strict(values) if "year_first" in self.shapes and not self.is_swapped else None
        )
        if strict is not None and (strict[0] is strict[1] or not self.has_ranges):
            return _from_strict(strict, values, self.is_timeless)
        encoded = values.dictionary_encode()
        result, unique = Moments.empty(length), Moments.empty(len(encoded.dictionary))
        unmatched = np.ones(len(encoded.dictionary), bool)
        texts = _cut_ranges(_normalise_spaces(encoded.dictionary), self.has_ranges)[0]
        for shape in self.shapes:
            groups, matched = _extract(texts, _SHAPES[shape], unmatched)
            if matched.any():
                self._fill(unique, shape, groups, matched)
                unmatched &= ~matched
        unique.bad |= unmatched
        present = to_numpy(encoded.indices.is_valid())
        chosen = encoded.indices.drop_null().to_numpy()
        for name in ("day", "clock", "fixed", "bad"):
            getattr(result, name)[present] = getattr(unique, name)[chosen]
        return result

    def _fill(
        self, unique: Moments, shape: str, groups: pa.StructArray, matched: np.ndarray
    ) -> None:
        if shape == "number":
            self._fill_numbers(unique, _read_floats(groups.field("n")), matched)
            return
        bad = np.zeros(int(matched.sum()), bool)
        is_placeholder = np.zeros(len(bad), bool)
        if shape not in CLOCKS:
            year, month, day = self._find_parts(shape, groups)
            days, impossible = timezones.combine_day(year, month, day)
            is_placeholder = _is_placeholder(groups)
            bad |= impossible & ~is_placeholder
            unique.day[matched] = days
        filled = _has_clock(groups) & (~is_placeholder | self.is_timeless)
        clock, wrong = _find_clock(groups)
        clock[~filled] = np.timedelta64("NaT")
        bad |= wrong & filled
        zone = groups.field("z").to_pylist()
        if any(zone):
            fixed = np.array([bool(text) for text in zone]) & filled
            offsets = np.array([_parse_offset(text) for text in zone], "m8[s]")
            clock[fixed] -= offsets[fixed]
            unique.fixed[matched] = fixed
        unique.clock[matched] = clock
        unique.bad[matched] = bad
        bad_places = np.flatnonzero(matched)[bad]
        unique.day[bad_places] = np.datetime64("NaT")
        unique.clock[bad_places] = np.timedelta64("NaT")

    def _find_parts(
        self, shape: str, groups: pa.StructArray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        if shape in ("named", "named_first"):
            month = np.array(
                [find_month(name) for name in groups.field("mon").to_pylist()], np.int64
            )
            return _complete_year(_read_integers(groups, "y")), month, _read_integers(groups, "d")
        if shape in ("year_first", "compact"):
            year, month, day = (_read_integers(groups, name) for name in ("y", "b", "c"))
            is_swapped = self.is_swapped and shape == "year_first"
            return (year, day, month) if is_swapped else (year, month, day)
        order = self.order if shape == "year_last" else self.short_order
        places = ("a", "b", "y") if shape == "year_last" else ("a", "b", "c")
        values = (_read_integers(groups, name) for name in places)
        parts = dict(zip(ORDERS[order or "dmy"], values, strict=True))
        return _complete_year(parts["y"]), parts["m"], parts["d"]

    def _fill_numbers(self, unique: Moments, numbers: np.ndarray, matched: np.ndarray) -> None:
        if self.number_meaning == "fraction":
            unique.clock[matched] = (
                np.round(numbers * timezones.DAY).astype("m8[s]").astype("m8[us]")
            )
            return
        for digits, name in _CLOCKS_WITHOUT_SEPARATOR.items():
            if name == self.number_meaning:
                unique.clock[matched] = _split_clock(numbers, digits)[0]
                return
        if self.number_meaning == "serial":
            # Spreadsheets count days from 30 December 1899; times are never even: to the second.
            seconds = np.round((numbers - timezones.EPOCH_DAY) * timezones.DAY)
        elif self.number_meaning in _EPOCHS:
            seconds = numbers / _EPOCHS[self.number_meaning]
            unique.fixed[matched] = True
        else:
            unique.bad[matched] = True
            return
        moments = np.round(seconds * 1e6).astype("M8[us]")
        unique.day[matched] = moments.astype("M8[D]")
        unique.clock[matched] = moments - moments.astype("M8[D]").astype("M8[us]")


def find_month(name: str) -> int:
    """Find the number of a month by its name or the start of it; else 0."""
    lowered = name.casefold()
    return next((number for length in (4, 3) if (number := _MONTHS.get(lowered[:length]))), 0)


def _read_strict(values: pa.Array) -> tuple[pa.Array, pa.Array] | None:
    """Parse cells all like `2021-01-27 09:12:58`, or all like `2021-01-27T09:12:58+01:00`,
    else None: a hundred times faster. Returns the local moments, and those in UTC where
    the cells have offsets.
    """
    first = next((value.as_py() for value in values if value.is_valid), "")
    if not re.match(r"\d{4}-\d\d-\d\d", first):
        return None
    try:
        if not re.search(_OFFSET, first[11:]):
            local = pc.cast(values, pa.timestamp("us"))
            return local, local
        utc = pc.cast(values, pa.timestamp("us", "UTC"))
        without_offset = pc.replace_substring_regex(values, _OFFSET, "")
        return pc.cast(without_offset, pa.timestamp("us")), utc
    except pa.ArrowInvalid:
        return None


def _from_strict(strict: tuple[pa.Array, pa.Array], values: pa.Array, is_timeless: bool) -> Moments:
    local, utc = (to_numpy(moments).astype("M8[us]") for moments in strict)
    day = local.astype("M8[D]")
    clock = utc - day.astype("M8[us]")
    is_bare_day = to_numpy(pc.fill_null(pc.less_equal(pc.utf8_length(values), 10), True))
    clock[is_bare_day] = np.timedelta64("NaT")
    is_placeholder = day < _FIRST_REAL_DAY
    bad = (
        ~is_placeholder
        & ~np.isnat(day)
        & (
            (day < np.datetime64(str(timezones.FIRST_YEAR), "D"))
            | (day >= np.datetime64(str(timezones.LAST_YEAR + 1), "D"))
        )
    )
    clock[bad | (is_placeholder & (not is_timeless))] = np.timedelta64("NaT")
    day = np.where(bad | is_placeholder, np.datetime64("NaT", "D"), day)
    return Moments(day, clock, ~np.isnat(clock) & (strict[0] is not strict[1]), bad)


def _normalise_spaces(texts: pa.Array) -> pa.Array:
    """Leave one space between parts, put the date first: `09:00:01 CET 2026-03-14`, and leave
    the number of `/Date(1773478801000)/`.
    """
    spaced = pc.utf8_trim_whitespace(pc.replace_substring_regex(texts, _SPACES, " "))
    spaced = pc.replace_substring_regex(spaced, _DOTNET, r"\1")
    return pc.utf8_trim_whitespace(pc.replace_substring_regex(spaced, _CLOCK_FIRST, r"\3 \1\2"))


def _cut_ranges(
    texts: pa.Array, even_tight: bool = False
) -> tuple[pa.Array, pa.StructArray, np.ndarray]:
    """Cut ranges to starts. Returns the texts, the parts of ranges, and their mask.
    After a date, `08:00-05:00` is a time with an offset, unless `even_tight`.
    """
    groups, matched = _extract(texts, _RANGE, ~find_matches(texts, _DATED_OFFSET) | even_tight)
    if not matched.any():
        return texts, groups, matched
    return pc.replace_with_mask(texts, pa.array(matched), groups.field("start")), groups, matched


def find_minute(text: str) -> int:
    hour, minute, half = re.search(
        r"(\d{1,2}) ?[:hH] ?(\d{2})?(?: ?:\d{2}(?:\.\d+)?)?(?:Z| ?([AaPp])\.?[Mm]\.?)?$", text
    ).groups()
    hours = int(hour) % 12 + 12 * (half in ("P", "p")) if half else int(hour)
    return hours * 60 + int(minute or 0)


def _is_placeholder(groups: pa.StructArray) -> np.ndarray:
    if "y" not in {item.name for item in groups.type}:
        return np.zeros(len(groups), bool)
    years = groups.field("y")
    return (_read_integers(groups, "y") < 1901) & to_numpy(pc.equal(pc.utf8_length(years), 4))


def _split_clock(numbers: np.ndarray, digits: int) -> tuple[np.ndarray, np.ndarray]:
    """Split numbers of so many digits into clocks (`905`: 9:05); mask the others."""
    whole = np.floor(np.clip(numbers, 0, 10**digits)).astype(np.int64) * 10 ** (6 - digits)
    clock, wrong = timezones.combine_clock(whole // 10_000, whole // 100 % 100, whole % 100)
    return clock, wrong | (numbers != np.floor(numbers)) | (numbers < 0)


def _extract(
    values: pa.Array, pattern: str, unmatched: np.ndarray
) -> tuple[pa.StructArray, np.ndarray]:
    """Match a pattern on values still `unmatched`. Returns the groups of matches, and a mask."""
    groups = pc.extract_regex(values, pattern)
    matched = to_numpy(groups.is_valid()) & unmatched
    return groups.filter(pa.array(matched)), matched


def _has_clock(groups: pa.StructArray) -> np.ndarray:
    return to_numpy(pc.not_equal(groups.field("H"), "")).astype(bool)


def _read_integers(groups: pa.StructArray, name: str) -> np.ndarray:
    texts = groups.field(name)
    return to_numpy(pc.cast(pc.if_else(pc.equal(texts, ""), "0", texts), pa.int64()))


def _read_floats(texts: pa.Array) -> np.ndarray:
    return to_numpy(pc.cast(pc.replace_substring(texts, ",", "."), pa.float64()))


def _complete_year(years: np.ndarray | int) -> np.ndarray:
    return np.where(years < 100, years + np.where(years < PIVOT_YEAR, 2000, 1900), years)


def _find_clock(groups: pa.StructArray) -> tuple[np.ndarray, np.ndarray]:
    hour, minute, second = (_read_integers(groups, name) for name in ("H", "M", "S"))
    half = pc.utf8_lower(groups.field("ap")).to_pylist()
    wrong = np.zeros(len(hour), bool)
    if any(half):
        afternoon = np.array([text == "p" for text in half])
        twelve = np.array([bool(text) for text in half])
        wrong |= twelve & ((hour < 1) | (hour > 12))
        hour = np.where(twelve, hour % 12 + np.where(afternoon, 12, 0), hour)
    clock, impossible = timezones.combine_clock(hour, minute, second)
    fractions = groups.field("f")
    if pc.any(pc.not_equal(fractions, "")).as_py():
        padded = pc.utf8_slice_codeunits(pc.binary_join_element_wise(fractions, "000000", ""), 0, 6)
        clock = clock + to_numpy(pc.cast(padded, pa.int64())).astype("m8[us]")
    return clock, wrong | impossible


def _parse_offset(text: str) -> int:
    if not text or text in timezones.OFFSETS:
        return timezones.OFFSETS.get(text, 0)
    sign, hours, minutes = re.search(r"([+-])(\d{1,2}?):?(\d{2})?$", text).groups()
    seconds = int(hours) * 3600 + int(minutes or 0) * 60
    return -seconds if sign == "-" else seconds


DAY_MINUTES = 1_440
_MONTH = re.compile(r"^(?P<y>\d{4})[-/. ](?P<m>\d{1,2})$|^(?P<m2>\d{1,2})[-/. ](?P<y2>\d{4})$")
_NAMED = re.compile(r"^(?P<name>[A-Za-zÀ-ÿ]{3,10})\.?[-/. ']*(?P<y>\d{4}|\d{2})$")
_WEEK = re.compile(
    r"^(?:(?P<y>\d{4})[-/ ]?)?(?:week|semaine|sem|wk|kw|w|s)\.? ?(?P<w>\d{1,2})"
    r"(?:[-/ ]+(?P<y2>\d{4}))?$",
    re.IGNORECASE,
)


def parse_period(text: str) -> tuple[date, int] | None:
    """Find the first day of a week or month, and its length in minutes; else None."""
    plain = " ".join(text.split())
    week = _WEEK.match(plain)
    if week:
        year = week["y"] or week["y2"]
        try:
            return date.fromisocalendar(int(year), int(week["w"]), 1), 7 * DAY_MINUTES
        except (TypeError, ValueError):
            return None
    numeric, named = _MONTH.match(plain), _NAMED.match(plain)
    if numeric:
        year, month = int(numeric["y"] or numeric["y2"]), int(numeric["m"] or numeric["m2"])
    elif named:
        year, month = int(_complete_year(int(named["y"]))), find_month(named["name"])
    else:
        return None
    if not 1 <= month <= 12:
        return None
    first = date(year, month, 1)
    following = (first + timedelta(days=32)).replace(day=1)
    return first, (following - first).days * DAY_MINUTES
