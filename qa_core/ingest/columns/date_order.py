"""Order of day, month and year in a column: decided on every value, or else asked for."""

import re
from collections.abc import Sequence

from qa_core.base import declared
from qa_core.base.i18n import N_
from qa_core.files.decision import SET_BY_PERSON, Decision
from qa_core.ingest.columns.numbers import CUT_BY_SPREADSHEET
from qa_core.ingest.columns.timestamps import ORDERS, MomentEvidence, MomentReading

MAX_FAULT_SHARE = 0.01
"""Share of values up to which those that contradict their column are faults, not evidence."""
MIN_DATES_TO_UNDO = 3
MAX_OFFSETS = 3
"""No file has more different offsets behind UTC; more of them are ends of ranges."""
_DOTTED = re.compile(r"\s*\d{2}\.\d{2}\.\d{4}\b")
_DECLARED = declared.read(__file__)
ORDER_NAMES: dict[str, str] = _DECLARED["orders"]
NUMBER_MEANINGS: dict[str, str] = _DECLARED["numbers"]


Orders = tuple[tuple[str, str], ...]
"""Orders that are decided: column or tool, and order."""


def decide_reading(
    evidence: MomentEvidence, requested: str | None, decided: Orders = ()
) -> tuple[MomentReading, list[Decision]]:
    """Decide how to read a column, and why; the order `requested`, or others that are
    `decided`, serve where its values leave that open. Raises Refusal
    `destroyed_timestamps`, `ambiguous_dates`, `mixed_dates`, `swapped_dates`,
    `unreadable_dates`.
    """
    total = max(1, evidence.total)
    if evidence.destroyed_count > MAX_FAULT_SHARE * total:
        raise evidence.refuse("destroyed_timestamps", CUT_BY_SPREADSHEET)
    meaning = evidence.number_meaning
    recognised = sum(evidence.counts.values()) - (
        evidence.counts.get("number", 0) if meaning == "unknown" else 0
    )
    if evidence.total and recognised < total / 2:
        raise evidence.refuse_unreadable("unreadable_dates", evidence.example)
    decisions: list[Decision] = []
    order = short_order = None
    if "year_last" in evidence.counts:
        order = _decide_order(evidence, requested, decided, decisions)
    if "short_year" in evidence.counts:
        short_order = _decide_short_order(evidence, requested, decided, decisions)
    is_swapped = _decide_day_before_month(evidence, decisions) or (
        bool(order) and _decide_swapped(evidence, order, decisions)
    )
    has_ranges = len(evidence.negative_offsets) > MAX_OFFSETS
    if evidence.ranges or has_ranges:
        evidence.decide(decisions, N_("the start of each range"), evidence.example)
    if evidence.placeholder_days:
        evidence.decide(decisions, N_("days before 1901 mean no date"), evidence.placeholder_days)
    if meaning and meaning != "unknown":
        low, high = evidence.number_range
        evidence.decide(decisions, NUMBER_MEANINGS[meaning], f"{low} – {high}")
    shapes = tuple(sorted(evidence.counts, key=lambda shape: -evidence.counts[shape]))
    return MomentReading(
        shapes, order, short_order, meaning, is_swapped, has_ranges, evidence.is_timeless
    ), decisions


def _decide_order(
    evidence: MomentEvidence, requested: str | None, decided: Orders, decisions: list[Decision]
) -> str:
    first = evidence.count_days("year_last", "a")
    second = evidence.count_days("year_last", "b")
    count = evidence.counts["year_last"]
    if requested in ("dmy", "mdy"):
        evidence.decide(decisions, ORDER_NAMES[requested], SET_BY_PERSON)
        return requested
    if first and second and min(first, second) > MAX_FAULT_SHARE * count:
        raise evidence.refuse(
            "mixed_dates",
            "The column {column} mixes two date orders. {first} dates begin with a number "
            "above 12, {second} have one in the middle. Correct the file, or choose the right "
            "order. The other dates are then rejected.",
            options=("--date-order dmy", "--date-order mdy"),
            first=first,
            second=second,
        )
    if first != second:
        order = "dmy" if first > second else "mdy"
        evidence.decide(decisions, ORDER_NAMES[order], f"> 12: {max(first, second)} / {count}")
        return order
    if all(a == b for _year, a, b in evidence.months.get("year_last", ())):
        return "dmy"
    if not decided and _DOTTED.match(evidence.example):  # month first is written with strokes
        evidence.decide(decisions, ORDER_NAMES["dmy"], evidence.example)
        return "dmy"
    return _follow_others(evidence, decided, ("dmy", "mdy"), decisions)


def _follow_others(
    evidence: MomentEvidence, decided: Orders, possible: Sequence[str], decisions: list[Decision]
) -> str:
    if len({order for _column, order in decided}) == 1:
        column, order = decided[0]
        evidence.decide(decisions, ORDER_NAMES[order], f"← {column}")
        return order
    raise evidence.refuse(
        "ambiguous_dates",
        "The column {column} does not show which number is the day (for example {example}). "
        "Choose the order.",
        options=tuple(
            f"--date-order {order}"
            for order in sorted(possible, key=lambda order: _find_span(evidence, order))
        ),
    )


YEAR, FAR_SHORTER = 372, 10
"""Days of a year as `_find_span` counts them; the same days of several years, which follow one
another with the year first, are asked about.
"""


def _find_span(evidence: MomentEvidence, order: str) -> int:
    """Find how many days lie between the first and the last date read in that order: a file
    has the days of some weeks rather than the same days of many months.
    """
    year, month, day = (ORDERS[order].index(part) for part in "ymd")
    last = ((a, b, y) for y, a, b in evidence.months.get("year_last", ()))
    numbers = [*last, *evidence.months.get("short_year", ())]
    days = [372 * part[year] + 31 * part[month] + part[day] for part in numbers]
    return max(days, default=0) - min(days, default=0)


def _decide_short_order(
    evidence: MomentEvidence, requested: str | None, decided: Orders, decisions: list[Decision]
) -> str:
    if requested:
        evidence.decide(decisions, ORDER_NAMES[requested], SET_BY_PERSON)
        return requested
    count = evidence.counts["short_year"]
    value_counts = evidence.value_counts["short_year"]
    limits = {"d": 31, "m": 12, "y": 99}
    faults = {
        order: max(
            sum(
                rows
                for value, rows in value_counts[name].items()
                if value > limits[part] or (part != "y" and not value)
            )
            for name, part in zip(("a", "b", "c"), parts, strict=True)
        )
        for order, parts in ORDERS.items()
    }
    possible = [order for order in ORDERS if faults[order] <= MAX_FAULT_SHARE * count]
    others = [_find_span(evidence, order) for order in possible if order != "ymd"]
    is_far_shorter = FAR_SHORTER * _find_span(evidence, "ymd") < min(others, default=0) - YEAR
    if "-" not in evidence.example and len(possible) > 1 and not is_far_shorter:
        # A date that begins with a year of two digits goes on with a hyphen.
        possible = [order for order in possible if order != "ymd"]
    if len(possible) > 1:
        # A file covers few years, many days: the place with many different values is no year.
        places = {order: dict(zip(ORDERS[order], "abc", strict=True)) for order in possible}
        likely = [
            order
            for order, parts_of in places.items()
            if len(value_counts[parts_of["y"]]) <= 6 and len(value_counts[parts_of["d"]]) > 12
        ]
        possible = likely if len(likely) == 1 else possible
    if len(possible) == 1:
        evidence.decide(decisions, ORDER_NAMES[possible[0]], evidence.example)
        return possible[0]
    if not possible:
        raise evidence.refuse(
            "mixed_dates",
            "The dates in the column {column} follow no single order (for example {example}). "
            "Correct the file, or choose an order.",
            options=tuple(f"--date-order {order}" for order in ORDERS),
        )
    fitting = tuple(other for other in decided if other[1] in possible)
    return _follow_others(evidence, fitting, possible, decisions)


def _decide_day_before_month(evidence: MomentEvidence, decisions: list[Decision]) -> bool:
    """Return whether dates read year, day, month: the second number exceeds 12, the third never."""
    count = evidence.counts.get("year_first", 0)
    middle = evidence.count_days("year_first", "b")
    if not middle or middle <= MAX_FAULT_SHARE * count or evidence.count_days("year_first", "c"):
        return False
    evidence.decide(decisions, N_("year, day, month"), f"> 12: {middle} / {count}")
    return True


def _decide_swapped(evidence: MomentEvidence, order: str, decisions: list[Decision]) -> bool:
    """Return whether a spreadsheet swapped day and month of the dates that it recognised.
    One that expects the other order turns `03/02/2021` into a date and leaves
    `27/01/2021` text. The pattern is exact: every text has its day above 12, every date
    has its day at most 12. Dates are swapped back when that puts them, and only that, in
    the months of the texts. Raises Refusal `swapped_dates` when the months do not tell.
    """
    texts, dates = evidence.counts.get("year_last", 0), evidence.counts.get("year_first", 0)
    day_place, month_place = ("a", "b") if order == "dmy" else ("b", "a")
    if dates < MIN_DATES_TO_UNDO or texts < MIN_DATES_TO_UNDO:
        return False
    if (
        evidence.count_days("year_last", day_place) != texts
        or evidence.count_days("year_last", month_place)
        or evidence.count_days("year_first", "c")
    ):
        return False
    text_months = {
        (year, b if order == "dmy" else a) for year, a, b in evidence.months["year_last"]
    }
    date_days = evidence.months["year_first"]
    as_is = {(year, month) for year, month, _day in date_days}
    undone = {(year, day) for year, _month, day in date_days}
    if undone <= text_months and not as_is <= text_months:
        message = N_("a spreadsheet had swapped day and month in some dates; they are swapped back")
        evidence.decide(decisions, message, dates)
        return True
    raise evidence.refuse(
        "swapped_dates",
        "A spreadsheet has probably swapped day and month in the column {column}. {dates} "
        "values are dates with a day up to 12; {texts} are texts with a day above 12. The "
        "file cannot prove it, so nothing was imported. Export it again as CSV without "
        "opening it in a spreadsheet.",
        dates=dates,
        texts=texts,
    )
