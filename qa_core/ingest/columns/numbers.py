"""Numbers and marks as files spell them: decimal comma, thousands, scales of the whole column."""

import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.files.decision import SET_BY_PERSON, Decision
from qa_core.files.options import parse_scale
from qa_core.ingest.staging.arrays import to_numpy
from qa_core.ingest.staging.declaration import ColumnEvidence

MAX_FAULT_SHARE = 0.01
_SPACES = re.compile(r"[\s\u00a0\u202f\u2009]|['’](?=\d{3}(?!\d))")
CURRENCIES = (
    "EUR|USD|GBP|CHF|CAD|AUD|NZD|BRL|MXN|PLN|SEK|NOK|DKK|CZK|HUF|RON|MAD|TND|DZD|XOF|XAF|JPY|CNY|"
    "INR|TRY|ZAR|AED"
)
CURRENCY_SIGNS = {"€": "EUR", "£": "GBP", "$": "USD", "US$": "USD", "R$": "BRL", "CA$": "CAD"}
_SIGNS = "|".join(map(re.escape, sorted(CURRENCY_SIGNS, reverse=True)))
CURRENCY = re.compile(rf"\b(?:{CURRENCIES})\b|{_SIGNS}", re.IGNORECASE)
_DECORATION = re.compile(
    rf"(?i)^([-+−–(]?)\s*(?:{_SIGNS}|{CURRENCIES})?\s*(.*?)\s*(?:%|{_SIGNS}|{CURRENCIES})?(\)?)$"
)
_OF = re.compile(
    r"^([-+]?\d+(?:[.,]\d+)?)\s*(?:/|sur|of|out of|von|de|di|su|van)\s*(\d+(?:[.,]\d+)?)$",
    re.IGNORECASE,
)
_MINUS = str.maketrans("−–", "--")
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$")
_GROUPED = {
    ",": re.compile(r"[-+]?\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d*)?$"),
    ".": re.compile(r"[-+]?\d{1,3}(?:\.\d{2,3})*\.\d{3}(?:,\d*)?$"),
}
"""Numbers with thousands in groups, in India of two digits; by the sign between the groups."""
MIN_GROWING, MIN_RATINGS, MAX_CODE_SHARE = 6, 5, 1 / 3
"""Rows from which on counts that only grow are running totals, and from which on one rating has
the greatest mark of its scale.
"""
CENT, MIN_SUMS, MOST_SUMS, MIN_LARGE = 0.01, 2, 0.9, 30
"""Tolerance of a sum for each part; number and share of the groups where a label is the sum; two
counts of that size are enough in one group.
"""
_CODES = (9, 88, 98, 99)
"""Numbers that stand for no answer in files of surveys, on up to that share of the rows."""


@dataclass
class NumberEvidence(ColumnEvidence):
    total: int = 0
    unreadable: int = 0
    percents: int = 0
    negative: int = 0
    fractions: int = 0
    shares: int = 0  # between 0 and 1
    zeros: int = 0
    counts_above: dict[int, int] = field(
        default_factory=lambda: dict.fromkeys((5, 7, 10, 20, 100), 0)
    )
    lowest: float = np.inf
    highest: float = -np.inf
    denominators: set[float] = field(default_factory=set)
    fraction_count: int = 0  # 17/20
    is_usual: bool = False  # the scale is the usual one, whatever the greatest rating is
    is_zero_none: bool = False  # 0 on a scale from 1 is no rating, without a question
    comma_decimal: int = 0  # 1,5
    comma_three: int = 0  # 1,234
    dot_three_short: int = 0  # 1.234 with at most three digits before
    dot_other: int = 0
    bare_small: int = 0
    bare_long: int = 0
    odd_example: str = ""

    def refuse_scale(self, *options: str) -> Refusal:
        return self.refuse(
            "ambiguous_scale",
            "The column {column} holds {count} ratings from {low} to {high}. Choose their scale.",
            options,
            count=self.total,
            low=f"{self.lowest:g}",
            high=f"{self.highest:g}",
        )

    @property
    def has_own_maxima(self) -> bool:
        """Return whether each cell says its own maximum: `17/20` beside `10/15`."""
        return len(self.denominators) > 1 and self.fraction_count == self.total - self.unreadable

    @property
    def is_plain(self) -> bool:
        """Return whether no cell has a comma, a per cent sign or a maximum."""
        spelled = self.comma_decimal, self.comma_three, self.percents
        return not (any(spelled) or self.denominators)

    def _add(self, values: pa.Array) -> None:
        self.example = self.example or values[0].as_py()
        self.total += len(values)
        plain = read_plain(values)
        if plain is not None:
            self._add_plain(values, plain)
            return
        counted = values.value_counts().to_pylist()
        read = [(self._add_one(item["values"], item["counts"]), item["counts"]) for item in counted]
        known = [pair for pair in read if pair[0] is not None]
        if known:
            self._add_numbers(*map(np.array, zip(*known, strict=True)))

    def _add_numbers(self, numbers: np.ndarray, rows: np.ndarray) -> None:
        self.lowest = min(self.lowest, float(numbers.min()))
        self.highest = max(self.highest, float(numbers.max()))
        self.negative += int(rows[numbers < 0].sum())
        self.zeros += int(rows[numbers == 0].sum())
        self.fractions += int(rows[numbers != np.floor(numbers)].sum())
        self.shares += int(rows[(numbers > 0) & (numbers < 1)].sum())
        for limit in self.counts_above:
            self.counts_above[limit] += int(rows[numbers > limit].sum())

    def _add_plain(self, values: pa.Array, numbers: np.ndarray) -> None:
        self._add_numbers(numbers, np.ones(len(numbers), np.int64))
        dotted = pc.match_substring(values, ".")
        with_dot = int(pc.sum(dotted).as_py())
        three = 0
        if with_dot:
            like_thousands = pc.match_substring_regex(values, r"^[-+]?[1-9]\d{0,2}\.\d{3}$")
            three = int(pc.sum(like_thousands).as_py())
        self.dot_three_short += three
        self.dot_other += with_dot - three
        long = int(((np.abs(numbers) >= 1000) & ~to_numpy(dotted)).sum())
        self.bare_long += long
        self.bare_small += len(values) - with_dot - long

    def _add_one(self, text: str, count: int) -> float | None:
        fraction = _OF.match(text)
        if fraction:
            self.fraction_count += count
            self.denominators.add(_parse_maximum(text))
            text = fraction[1]
        plain = strip_decoration(text)
        self.percents += count * text.endswith("%")
        self._add_spelling(plain, count)
        value = parse_number(plain, max(",", ".", key=plain.rfind))
        if value is None:
            self.unreadable += count
            self.odd_example = self.odd_example or text
        return value

    def _add_spelling(self, plain: str, count: int) -> None:
        digits = plain.lstrip("+-")
        if 0 <= digits.rfind(",") < digits.rfind("."):  # 1,234.5
            self.dot_other += count
        elif "," in digits:
            head, _comma, tail = digits.rpartition(",")
            if (
                "." in head
                or len(tail) != 3
                or head.startswith("0")
                or (len(head) > 3 and "," not in head)
            ):
                self.comma_decimal += count
            else:
                self.comma_three += count
                self.example = plain
        elif "." in digits:
            head, _dot, tail = digits.rpartition(".")
            three = (
                len(tail) == 3
                and len(head.replace(".", "")) >= 1
                and not head.startswith("0")
                and (len(head) <= 3 or "." in head)
            )
            self.dot_three_short += count * three
            self.dot_other += count * (not three)
        elif digits:
            self.bare_small += count * (len(digits) <= 3)
            self.bare_long += count * (len(digits) > 3)


def _parse_maximum(text: str) -> float | None:
    fraction = _OF.match(text)
    return float(fraction[2].replace(",", ".")) if fraction else None


def read_plain(values: pa.Array) -> np.ndarray | None:
    """Parse cells that are all plain numbers (NaN: missing), else None. The fast path."""
    try:
        numbers = pc.cast(values, pa.float64())
    except pa.ArrowInvalid:
        return None
    plain = np.array(to_numpy(numbers))
    return None if np.isinf(plain).any() or np.isnan(plain).sum() > values.null_count else plain


def only_grow(series: Sequence[Hashable], order: np.ndarray, counts: Sequence[np.ndarray]) -> bool:
    """Return whether all counts of all series only grow in that order, on enough rows of one."""
    places: dict[Hashable, list[int]] = {}
    for row in np.argsort(order, kind="stable"):
        places.setdefault(series[row], []).append(row)
    grown = [rows for rows in places.values() if len(np.unique(counts[0][rows])) > 2]
    falls = (np.diff(count[rows]) < 0 for rows in grown for count in counts)
    return max(map(len, grown), default=0) >= MIN_GROWING and not any(map(np.any, falls))


def find_sum(
    labels: Sequence[str], groups: Sequence[Hashable], counts: Sequence[np.ndarray]
) -> str | None:
    """Find a label whose counts equal the sum of all others in each group; it may be empty."""
    sums: dict[Hashable, dict[str, np.ndarray]] = {}
    rows = np.nan_to_num(np.column_stack(counts))
    for label, group, row in zip(labels, groups, rows, strict=True):
        of_group = sums.setdefault(group, {})
        of_group[label] = of_group.get(label, 0) + row
    seen, equal, clear = Counter(), Counter(), {""}
    for of_group in sums.values():
        total = sum(of_group.values())
        for label, own in of_group.items():
            others = len(of_group) - 1
            if total[0] <= 0 or others < (2 if label else 1):
                continue
            seen[label] += 1
            if (np.abs(2 * own - total) < CENT * len(of_group)).all():
                equal[label] += 1
                if len(own) > 1 and own.min() >= MIN_LARGE:
                    clear.add(label)
    for label, number in equal.items():
        least = 1 if label in clear else MIN_SUMS
        if number >= max(least, MOST_SUMS * seen[label]):
            return label
    return None


def strip_decoration(text: str) -> str:
    """Remove currency, per cent sign and spaces from a number; brackets make it negative."""
    plain = _SPACES.sub("", _DECORATION.sub(r"\1\2\3", text.strip())).translate(_MINUS)
    return f"-{plain[1:-1]}" if plain[:1] + plain[-1:] == "()" else plain


def parse_number(plain: str, decimal: str) -> float | None:
    """Parse a number, else None. Of `,` and `.`, the one that is not `decimal` groups thousands;
    before anything but three digits it is unreadable.
    """
    group = "." if decimal == "," else ","
    if group in plain and not _GROUPED[group].match(plain):
        return None
    text = plain.replace(group, "").replace(decimal, ".")
    number = float(text) if _NUMBER.match(text) else math.inf
    return number if math.isfinite(number) else None


def decide_decimal(
    evidence: NumberEvidence,
    requested: str | None,
    decisions: list[Decision],
    is_whole: bool = False,
) -> str:
    """Decide on `,` or `.` as decimal sign, which counts have not. Raises Refusal."""
    if requested:
        return requested
    if evidence.comma_decimal:
        evidence.decide(decisions, N_("the comma is the decimal sign"), evidence.comma_decimal)
        return ","
    if evidence.comma_three and (evidence.dot_other or evidence.dot_three_short):
        return "."
    dot_as_thousands = (
        evidence.dot_three_short
        and (evidence.bare_small or evidence.field == "amount")  # no thousandths of money
        and not (evidence.dot_other or evidence.bare_long)
    )
    if is_whole and evidence.bare_small and (evidence.comma_three or dot_as_thousands):
        return "." if evidence.comma_three else ","
    if evidence.comma_three or dot_as_thousands:
        raise evidence.refuse(
            "ambiguous_decimal",
            "In the column {column}, {example} may have three decimals or a thousands "
            "separator. Choose the decimal sign.",
            options=("--decimal ,", "--decimal ."),
        )
    return "."


CUT_BY_SPREADSHEET = N_(
    "A spreadsheet has cut values in the column {column}, such as {example}. They cannot be "
    "recovered. Export the file again from its source without opening it in a spreadsheet."
)
MAX_WHOLE = np.iinfo(np.int32).max
"""Largest count that the stores hold."""


@dataclass(frozen=True)
class NumberReading:
    """Reading of a column of numbers; values outside `low`–`high` are missing, as `off_scale`."""

    decimal: str = "."
    low: float | None = None
    high: float | None = None
    zero_is_missing: bool = False
    is_whole: bool = False
    factor: float = 1.0
    is_reversed: bool = False

    def read(self, values: pa.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Convert cells to float64, NaN where missing; masks of unreadable and off-scale ones."""
        numbers, unreadable = parse_cells(values, self._parse, self.decimal)
        if self.zero_is_missing:
            numbers[numbers == 0] = np.nan
        numbers *= self.factor
        off_scale = np.zeros(len(numbers), bool)
        if self.low is not None:
            off_scale |= numbers < self.low - 1e-9
        if self.high is not None:
            off_scale |= numbers > self.high + 1e-9
        if self.is_whole:
            unreadable |= ~np.isnan(numbers) & (numbers != np.floor(numbers))
            off_scale |= numbers > MAX_WHOLE
        numbers[off_scale | unreadable] = np.nan
        if self.is_reversed:
            numbers = self.low + self.high - numbers
        return numbers, unreadable, off_scale

    def read_maxima(self, values: pa.Array) -> np.ndarray:
        """Read what each cell is out of, NaN where it does not say."""
        return parse_cells(values, _parse_maximum, ",")[0]

    def _parse(self, text: str) -> float | None:
        fraction = _OF.match(text)
        return parse_number(strip_decoration(fraction[1] if fraction else text), self.decimal)


def parse_cells(
    values: pa.Array, parse: Callable[[str], float | None], decimal: str, factor: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Parse distinct cells to float64 (NaN: missing), with a mask of unreadable ones.
    Batches of plain numbers are only multiplied by `factor`.
    """
    plain = read_plain(values) if decimal == "." else None
    if plain is not None:
        return plain * factor, np.zeros(len(values), bool)
    encoded = values.dictionary_encode()
    parsed = pa.array(map(parse, encoded.dictionary.to_pylist()), pa.float64())
    numbers = parsed.take(encoded.indices)
    is_bad = pc.and_(values.is_valid(), numbers.is_null())
    return np.array(to_numpy(numbers)), to_numpy(is_bad)


def decide_mark(
    evidence: NumberEvidence,
    decimal: str | None,
    scale: str | None,
    hint: str | None,
    decisions: list[Decision],
) -> tuple[NumberReading, str]:
    """Decide how a column of satisfaction marks is read, and its scale, "least-greatest"."""
    separator = decide_decimal(evidence, decimal, decisions)
    readable = max(1, evidence.total - evidence.unreadable)
    requested = parse_scale(scale) if scale else None
    factor, seen = 1.0, f"{evidence.lowest:g} – {evidence.highest:g}"
    if evidence.lowest < 0 < evidence.highest <= -2 * evidence.lowest <= 20 and not requested:
        raise evidence.refuse(
            "negative_ratings",
            "The ratings in {column} go from {low} to {high}. Write them on a scale that begins "
            "at 0 or 1, or leave the column aside.",
            options=(f"--map ignore={evidence.column}",),
            low=f"{evidence.lowest:g}",
            high=f"{evidence.highest:g}",
        )
    if requested:
        low, high, seen = *sorted(requested), SET_BY_PERSON
    elif len(evidence.denominators) > 1:
        raise evidence.refuse_scale(f"--map ignore={evidence.column}")
    elif hint and parse_scale(hint):
        (low, high), seen = parse_scale(hint), ""
    elif len(evidence.denominators) == 1:
        high = next(iter(evidence.denominators))
        low, seen = (1 if high <= 10 else 0), f"/ {high:g}"
    elif evidence.percents > readable / 2:
        low, high, seen = 0, 100, f"{seen} %"
    elif evidence.fractions and evidence.lowest >= 0 and evidence.highest <= 1:
        low, high, factor = 0, 100, 100.0
    else:
        (low, high), *others = _find_scales(evidence, MAX_FAULT_SHARE * readable)
        if others:
            scales = (f"{low}-{high}" for low, high in ((low, high), *others))
            raise evidence.refuse_scale(*(f"--scale {evidence.field}={scale}" for scale in scales))
    has_shares = evidence.shares > MAX_FAULT_SHARE * readable  # 0.85 beside 85
    if has_shares and high == 100 and factor == 1 and not requested:
        named = f"--scale {evidence.field}=0-100", f"--map ignore={evidence.column}"
        raise evidence.refuse_scale(*named)
    zero_is_missing = bool(evidence.zeros and low > 0 and not requested)
    least, greatest = f"{low:g}", f"{high:g}"
    message = N_("scale from {least} to {greatest}")
    evidence.decide(decisions, message, seen, least=least, greatest=greatest)
    if zero_is_missing:
        note = N_("0 is outside the scale and read as no rating")
        evidence.decide(decisions, note, evidence.zeros)
    is_reversed = bool(requested) and requested[0] > requested[1]
    if is_reversed:
        evidence.decide(decisions, N_("{least} is the best rating"), SET_BY_PERSON, least=least)
    reading = NumberReading(
        separator, float(low), float(high), zero_is_missing, False, factor, is_reversed
    )
    return reading, f"{least}-{greatest}"


def _find_scales(evidence: NumberEvidence, most_faults: float) -> tuple[tuple[int, int], ...]:
    """Find the usual scales that ratings fit, up to that number of faults, likeliest first."""
    above, highest = evidence.counts_above, evidence.highest
    few = MAX_CODE_SHARE * evidence.total
    has_zeros = evidence.zeros > most_faults
    if above[20] > most_faults:
        is_code = highest in _CODES and above[10] == above[20] <= few
        return ((0, 100), (1, 10) if above[5] > above[20] else (1, 5))[: 1 + is_code]
    if above[10] > most_faults:
        return ((0, 20), (0, 100))
    if "%" in evidence.column and highest > 1:
        return ((0, 100), (1, 5), (1, 10))[: 1 if above[10] else 3]
    if highest <= 1 and (evidence.zeros or evidence.field == "score"):  # 100 % or one point
        return ((0, 1), (0, 5), (1, 5)) if evidence.field == "csat" else ((0, 1), (0, 5))
    if evidence.field == "score":
        greatest = 10 if above[5] > most_faults else 5
        if greatest == 5 and evidence.lowest >= 1:
            return ((1, 5),)
        return ((0, greatest), (1, greatest))[: 2 - has_zeros]
    if above[7] > most_faults:
        is_code = highest == _CODES[0] and above[5] == above[7] <= few
        return ((0, 10), (1, 10), (1, 5))[1 - (has_zeros or is_code) : 2 + is_code]
    if above[5] > most_faults:
        return ((1, 7),) if evidence.field == "ces" else ((1, 7), (1, 10))
    is_usual = evidence.is_usual or evidence.total - evidence.zeros < MIN_RATINGS
    if evidence.field == "ces":
        return ((1, 7),) if is_usual else ((1, 5), (1, 7))
    if has_zeros and not evidence.is_zero_none:
        return ((0, 5), (1, 5), (0, 4))[: 2 + (highest <= 4)]
    if is_usual or evidence.lowest != 1 or not 2 < highest <= 4:
        return ((1, 5),)
    return ((1, 5), (1, math.ceil(highest)))
