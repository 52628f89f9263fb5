"""Durations in seconds: clocks, plain numbers in some unit, fractions of a day, words."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qa_core.base import declared
from qa_core.base.i18n import N_
from qa_core.files.decision import SET_BY_PERSON, Decision
from qa_core.files.header_text import separate_words
from qa_core.ingest.columns.numbers import (
    CUT_BY_SPREADSHEET,
    NumberEvidence,
    decide_decimal,
    parse_cells,
    parse_number,
    read_plain,
    strip_decoration,
)
from qa_core.ingest.staging.arrays import to_numpy
from qa_core.ingest.staging.declaration import ColumnEvidence

_UNITS: dict[str, dict[str, Any]] = declared.read(__file__)["units"]
SECONDS_IN: dict[str, float] = {unit: item["seconds"] for unit, item in _UNITS.items()}
OTHER_UNIT = "other"
"""Unit in a header that is none of these, such as steps of 6 seconds."""
MAX_CALL_HOURS = 3
"""A conversation of more hours than this is less likely than minutes and seconds."""
LONG_CALL_SECONDS = 18_000
MIN_WHOLE_MINUTES = 5
"""Least number of clocks without seconds that suggests a spreadsheet took minutes for hours."""
MAX_MINUTES = 30
"""Numbers with decimals, all below this, may be minutes."""
_FULL = re.compile(
    r"^(?:(?P<date>\d{4}-\d{2}-\d{2}|\d{1,2}/\d{1,2}/\d{4})[ "
    r"T])?(?P<sign>-?)(?:(?P<days>\d+)(?: (?:days?|jours?|d|j),? |\.(?=\d\d:)))?"
    r"(?P<h>\d{1,4}):(?P<m>\d{1,2}):(?P<s>\d{1,2}(?:[.,]\d+)?)(?: ?(?P<half>[AaPp])[Mm]|Z)?$"
)
_PAIR = re.compile(r"^(?P<sign>-?)(?P<x>\d{1,4}):(?P<y>\d{2}(?:[.,]\d+)?)$")
_WORDS = re.compile(
    r"^(?P<sign>-?)(?:(?P<d>\d+) ?(?:d|j|days?|jours?) ?)?(?:(?P<h>\d+(?:[.,]\d+)?) "
    r"?(?:h|hr|hrs|heures?|hours?|std|stunden?|horas?|or[ae])\.?,? ?)?(?:et |and |und |[ye] )?"
    r"(?:(?P<m>\d+(?:[.,]\d+)?) ?(?:m|min|mins|mn|mns|minut(?:en?|es|os?|i)?|['’′])\.?,? ?)?"
    r"(?:et |and |und |[ye] )?(?:(?P<s>\d+(?:[.,]\d+)?) "
    r"?(?:s|secs?|seco?nd(?:e[ns]?|os?|i|s)?|seg|segundos?|sek|sekunden?|\"|″|'')?\.?)?$",
    re.IGNORECASE,
)
_ISO = re.compile(
    r"^(?P<sign>-?)P(?:(?P<d>\d+)D)?T?(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+(?:\.\d+)?)S)?$",
    re.IGNORECASE,
)
_PAIR_IN_HEADER = re.compile(
    r"(?P<minutes>\bmm?\s*[:.]\s*ss\b)|\b(?:hh?)\s*[:.]\s*mm\b(?!\s*[:.])", re.IGNORECASE
)
_DOTTED = re.compile(r"^(\d{1,4})\.([0-5]\d)\.([0-5]\d)$")
_MILLI = re.compile(r"^(-?\d+(?:[.,]\d+)?) ?(?:ms|msec|millisecond(?:e)?s?)$", re.IGNORECASE)
_PLACEHOLDER_DAYS = (
    "1899-12-30", "1899-12-31", "1900-01-00", "1900-01-01", "1970-01-01", "30/12/1899",
    "12/30/1899", "31/12/1899", "12/31/1899", "01/01/1900", "1/1/1900", "1/0/1900",
)  # fmt: skip
_SAID_AGAIN = re.compile(r"(?<=[A-Za-z]) ?\([\d \w:.]+\)$")
_DESTROYED = re.compile(r"^\d{1,2}:\d{2}\.\d$")


@dataclass
class DurationEvidence(ColumnEvidence):
    numbers: NumberEvidence = field(init=False)
    full_clocks: int = 0
    whole_minutes: int = 0  # full clocks without seconds
    longest: float = 0.0  # full clock, in seconds
    is_shifted: bool = False  # full clocks may be minutes and seconds, taken for hours and minutes
    pairs: int = 0
    minutes_as_hours: int = 0  # pairs whose first number is missing or implausible as hours
    words: int = 0
    unreadable: int = 0
    total: int = 0
    odd_example: str = ""
    reference_column: str = ""  # another column, whose pairs can only be minutes and seconds

    def __post_init__(self) -> None:
        self.numbers = NumberEvidence(self.field, self.column)

    def _add(self, values: pa.Array) -> None:
        self.total += len(values)
        if read_plain(values) is not None:
            self.numbers.add(values)
            return
        if (clocks := read_clocks(values)) is not None:
            self.example = self.example or values.drop_null()[0].as_py()
            self._add_clocks(clocks)
            return
        plain: list[str] = []
        for item in values.value_counts().to_pylist():
            text, count = normalise(item["values"]), item["counts"]
            pair = _PAIR.match(text)
            if pair:
                self.pairs += count
                self.example = self.example or text
                is_clear = int(pair["x"]) > MAX_CALL_HOURS or item["values"].strip()[0] == ":"
                self.minutes_as_hours += count * is_clear
            elif _FULL.match(text):
                self.example = self.example or text
                self._add_clocks(np.full(count, _read_full(text) or 0.0))
            elif (
                parse_number(strip_decoration(text), ",") is not None
                or parse_number(strip_decoration(text), ".") is not None
            ):
                plain.extend([text] * min(count, 3))
            elif _read_words(text) is not None:
                self.words += count
            else:
                self.unreadable += count
                self.odd_example = self.odd_example or text
        if plain:
            self.numbers.add(pa.array(plain, pa.string()))

    def _add_clocks(self, clocks: np.ndarray) -> None:
        known = np.nan_to_num(clocks)
        self.full_clocks += len(known)
        self.whole_minutes += int((known % 60 == 0).sum())
        self.longest = max(self.longest, float(known.max(initial=0)))


@dataclass(frozen=True)
class DurationReading:
    """Reading of a column of durations: unit, decimal sign, and what `1:30` means."""

    unit: str = "s"
    decimal: str = "."
    pair_is_minutes: bool = True
    clock_divisor: int = 1

    def read(self, values: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Convert cells to seconds, NaN where missing; masks of unreadable and negative ones."""
        clocks = read_clocks(values)
        if clocks is not None:
            is_bad = np.zeros(len(values), bool)
            return clocks / self.clock_divisor, is_bad, is_bad
        seconds, bad = parse_cells(values, self._parse, self.decimal, SECONDS_IN[self.unit])
        seconds = np.round(seconds, 0 if self.unit == "day" else 6)
        negative = seconds < 0
        seconds[negative] = np.nan
        return seconds, bad, negative

    def _parse(self, text: str) -> float | None:
        text = normalise(text)
        number = parse_number(strip_decoration(text), self.decimal)
        if number is not None:
            return number * SECONDS_IN[self.unit]
        pair = _PAIR.match(text)
        if pair:
            seconds = int(pair["x"]) * (60 if self.pair_is_minutes else 3600) + _parse_float(
                pair["y"]
            ) * (1 if self.pair_is_minutes else 60)
            return -seconds if pair["sign"] else seconds
        if not _FULL.match(text):
            return _read_words(text)
        seconds = _read_full(text)
        return seconds and seconds / self.clock_divisor


def mark_shifted(columns: Iterable[DurationEvidence]) -> None:
    """Mark columns of clocks that may all be minutes and seconds that a spreadsheet took for
    hours and minutes: none has seconds, and some are too long.
    """
    whole = [
        column
        for column in columns
        if column.total == column.whole_minutes >= MIN_WHOLE_MINUTES and column.longest
    ]
    if any(column.longest > MAX_CALL_HOURS * 3600 for column in whole):
        for column in whole:
            column.is_shifted = True


def normalise(text: str) -> str:
    """Write a duration with single spaces and colons: `00.01.05` as `00:01:05`, `:12` (Avaya)
    as `0:12`, `136s (2m 16s)` as `136s`.
    """
    plain = _DOTTED.sub(r"\1:\2:\3", _SAID_AGAIN.sub("", " ".join(text.split())))
    return f"0{plain}" if re.fullmatch(r":\d\d", plain) else plain


def read_clocks(values: pa.Array) -> np.ndarray | None:
    """Parse cells all like `0:02:23` into seconds (NaN: missing), else None. The fast path."""
    first = next((value.as_py() for value in values if value.is_valid), "")
    if ":" not in first:
        return None
    groups = pc.extract_regex(values, r"^(?P<h>\d{1,4}):(?P<m>[0-5]?\d):(?P<s>[0-5]?\d)$")
    if groups.null_count > values.null_count:
        return None
    hours, minutes, seconds = (
        to_numpy(pc.cast(pc.struct_field(groups, name), pa.float64())) for name in "hms"
    )
    return hours * 3600 + minutes * 60 + seconds


def decide_reading(
    evidence: DurationEvidence,
    requested: str | None,
    hint: str | None,
    decimal: str | None,
    decisions: list[Decision],
    of_many: bool = False,
) -> DurationReading:
    """Decide how to read a column, and why. `requested`: the unit asked for; `hint`:
    the unit in the header; `of_many`: each cell sums contacts. Raises Refusal
    `ambiguous_duration`, `ambiguous_unit`, `unreadable_durations`.
    """
    if evidence.total and evidence.unreadable > evidence.total / 2:
        refusal = evidence.refuse_unreadable("unreadable_durations", evidence.odd_example)
        if _DESTROYED.match(evidence.odd_example):
            refusal.message = CUT_BY_SPREADSHEET
        raise refusal
    has_pairs = evidence.pairs or evidence.is_shifted
    pair_is_minutes = _decide_pairs(evidence, requested, decisions) if has_pairs else True
    numbers = evidence.numbers
    if not numbers.total:
        divisor = 60 if evidence.is_shifted and pair_is_minutes else 1
        return DurationReading(pair_is_minutes=pair_is_minutes, clock_divisor=divisor)
    separator = decide_decimal(numbers, decimal, decisions)
    units, seen = (), f"{numbers.lowest:g} – {numbers.highest:g}"
    if requested:
        units, seen = (requested,), SET_BY_PERSON
    elif hint == OTHER_UNIT:
        units = ("s", "ms", "min")
    elif hint:
        units, seen = (hint,), ""
    elif numbers.fractions and numbers.lowest >= 0 and MAX_CALL_HOURS / 24 < numbers.highest < 1:
        units = ("min", "day", "s")
    elif numbers.fractions and numbers.lowest >= 0 and numbers.highest < 1:
        units = ("day",)
    elif (
        not of_many
        and numbers.lowest >= 0
        and numbers.highest < MAX_MINUTES
        and numbers.fractions > (numbers.total - numbers.zeros) / 2
    ):
        units = ("min", "s")
    elif (
        not of_many
        and numbers.lowest >= 0
        and numbers.counts_above[100]
        and numbers.highest > LONG_CALL_SECONDS
        and not numbers.fractions
        and numbers.counts_above[100] > 0.9 * (numbers.total - numbers.zeros)
    ):
        units = ("ms", "s")
    if len(units) > 1:
        raise evidence.refuse(
            "ambiguous_unit",
            "Numbers in the column {column} go up to {high}. Choose their unit.",
            options=(
                *(f"--unit {evidence.field}={unit}" for unit in units),
                *([f"--map ignore={evidence.column}"] if hint == OTHER_UNIT else []),
            ),
            high=f"{numbers.highest:g}",
        )
    unit = units[0] if units else "s"
    evidence.decide(decisions, _UNITS[unit]["name"], seen)
    return DurationReading(unit, separator, pair_is_minutes)


def _decide_pairs(
    evidence: DurationEvidence, requested: str | None, decisions: list[Decision]
) -> bool:
    stated = _PAIR_IN_HEADER.search(separate_words(evidence.column))
    is_minutes, seen = True, evidence.example
    if requested in ("s", "min"):
        is_minutes, seen = requested == "s", SET_BY_PERSON
    elif stated:
        is_minutes = bool(stated["minutes"])
    elif evidence.reference_column:
        seen = f"← {evidence.reference_column}"
    elif evidence.is_shifted or not (evidence.full_clocks or evidence.minutes_as_hours):
        raise evidence.refuse(
            "ambiguous_duration",
            "In the column {column}, {example} may be minutes and seconds, or hours and minutes. "
            "Say whether the last number is seconds or minutes.",
            options=(f"--unit {evidence.field}=s", f"--unit {evidence.field}=min"),
        )
    decision = N_("minutes and seconds") if is_minutes else N_("hours and minutes")
    evidence.decide(decisions, decision, seen)
    return is_minutes


def _parse_float(text: str | None) -> float:
    return float(text.replace(",", ".")) if text else 0.0


def _read_full(text: str) -> float | None:
    parts = _FULL.match(text)
    if parts["date"] and parts["date"] not in _PLACEHOLDER_DAYS:
        return None
    hours, minutes, seconds = int(parts["h"]), int(parts["m"]), _parse_float(parts["s"])
    # `00:00:65` and `00:90:00` are valid as long as no greater unit precedes them.
    if (minutes > 59 and (hours or parts["days"])) or (
        seconds >= 60 and (hours or minutes or parts["days"])
    ):
        return None
    if parts["half"]:
        # A spreadsheet shows 0:02:23 as 12:02:23 AM.
        hours = hours % 12 + (12 if parts["half"] in "pP" else 0)
    total = int(parts["days"] or 0) * 86_400 + hours * 3600 + minutes * 60 + seconds
    return -total if parts["sign"] else total


def _read_words(text: str) -> float | None:
    milliseconds = _MILLI.match(text)
    if milliseconds:
        return _parse_float(milliseconds[1]) / 1000
    parts = _WORDS.match(text) or _ISO.match(text)
    if not parts or not any(parts[name] for name in "dhms"):
        return None
    total = (
        int(parts["d"] or 0) * 86_400
        + _parse_float(parts["h"]) * 3600
        + _parse_float(parts["m"]) * 60
        + _parse_float(parts["s"])
    )
    return -total if parts["sign"] else total
