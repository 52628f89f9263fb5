"""Meanings of the words in cells: yes, no, outcomes, directions, channels, marks, nothing."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qa_core.base import declared
from qa_core.files.header_text import TICK, separate_words, simplify
from qa_core.ingest.staging.arrays import map_texts, to_numpy
from qa_core.ingest.staging.declaration import ColumnEvidence
from qa_core.ingest.words import tables
from qa_core.storage.facts.schema import Direction, Handler, Outcome

EMPTY = tuple(
    spelling
    for word in declared.read(__file__)["empty"]
    for spelling in dict.fromkeys((word, word.upper(), word.capitalize(), word.title()))
)
EMPTY = (*dict.fromkeys(("", *EMPTY, "NaN", "NaT", "N/a")),)
_NON_ANSWERS = tables.list_words("no_rating") | tables.list_words("not_applicable")

_AS_TEXT = r"^(?:=\"([^\"]*)\"|'([-+=\d][^']*))$"
"""Number that a spreadsheet keeps as text: `="0042"`, `'0042`."""

_WHOLE_WITH_DECIMAL = r"^(-?(?:\d{1,9}|[02-9]\d{9}|\d{11,}))\.0$"
"""Whole number with a decimal, and no id of Asterisk: seconds since 1970, which begin with 1."""
_FRACTION = r"^-?\d+\.\d*[1-9]\d*$"


@cache
def _build_empty_words() -> pa.Array:
    """Build these on first use: Arrow loads pandas for its first array."""
    return pa.array(EMPTY, pa.string())


def clean_cells(column: list[str] | pa.Array, meanings: Mapping[str, object] = {}) -> pa.Array:
    """Trim cells; those that say nothing (NULL, NaN …) become null, unless `meanings` has them.
    Letters get their accents in one form, and whole numbers lose the decimal that tools give
    them in columns with a gap: 33612345678.0. Beside fractions they keep it, as a sign of decimals.
    """
    cells = column if isinstance(column, pa.Array) else pa.array(column, pa.string())
    trimmed = pc.utf8_trim_whitespace(cells)
    letters = bytes(trimmed.buffers()[2] or b"")
    if b"'" in letters or b'="' in letters:
        trimmed = pc.replace_substring_regex(trimmed, _AS_TEXT, r"\1\2")
    if b"\xcc" in letters or b"\xcd" in letters:  # first bytes of accents that stand alone
        trimmed = pc.utf8_normalize(trimmed, form="NFC")
    if b".0" in letters and not pc.any(pc.match_substring_regex(trimmed, _FRACTION)).as_py():
        trimmed = pc.replace_substring_regex(trimmed, _WHOLE_WITH_DECIMAL, r"\1")
    empty = _build_empty_words()
    if meanings:
        empty = pa.array([word for word in EMPTY if simplify(word) not in meanings], pa.string())
    # Nulls by a new mask over the same letters: `if_else` would copy every cell.
    kept = pc.and_(trimmed.is_valid(), pc.invert(pc.is_in(trimmed, value_set=empty)))
    _nulls, *contents = trimmed.buffers()
    return pa.Array.from_buffers(pa.string(), len(kept), [kept.buffers()[1], *contents])


def strip_quotes(values: pa.Array) -> pa.Array:
    """Take off the quotation marks around cells, where the first cell has them."""
    first = next((value.as_py() for value in values if value.is_valid), "")
    return pc.utf8_trim(values, "'\"") if first[:1] in ("'", '"') else values


def clear_non_answers(values: pa.Array) -> pa.Array:
    """Turn words such as "not scored", for a value that was not given, into null."""
    # Letters sort at "A" or after it: one comparison spares most columns the expression.
    if (
        not pc.any(pc.greater_equal(values, "A")).as_py()
        or not pc.any(pc.match_substring_regex(values, r"^\pL")).as_py()
    ):
        return values
    return map_texts(lambda text: None if simplify(text) in _NON_ANSWERS else text, values)


def _is_yes(answer: str) -> bool:
    return answer == "yes"


ANSWERS = tables.index_words("answers", _is_yes)
TICKED = frozenset((TICK, "x"))
VERDICTS = tables.index_words("verdicts", _is_yes)
"""Words for a criterion that is met or not."""
YES_NO = {**tables.index_words("states", _is_yes), **ANSWERS}
OUTCOMES = tables.index_words("outcomes", Outcome)
DIRECTIONS = tables.index_words("directions", Direction)
HANDLERS = tables.index_words("handlers", Handler)
CHANNELS = tables.index_words("channels", str)
_DIRECTION_PARTS = {
    word: direction
    for word, direction in DIRECTIONS.items()
    if " " not in word
    and len(word) > 2
    and word not in ("acd", "queue", "local", "made", "recu", "manual", "preview")
    and word not in OUTCOMES
}
_LEGEND = re.compile(r"(\w+) ?[=:] ?(\w+(?: [^\W\d_]+)*)")
"""Code and its meaning in a header, in either order."""
_FILLERS = tables.list_words("fillers")
_REQUESTED = re.compile(r"request|demand|solicit|anfrage|anforder|richiest", re.IGNORECASE)


WEAK_ANSWERS = tables.list_words("weak_answers")
"""Words for a call that was connected, to a person or not; a column that says more wins."""
CASE_STATES = tables.list_words("case_states")
"""States of a case or ticket, which are no outcomes of a contact."""
_OUTCOME_STEMS = tables.list_words("outcome_stems")
_OUTCOME_HEADER = tables.build_pattern("outcome_header")


def is_plain_outcome(word: str) -> bool:
    """Return whether a word describes the outcome of a call and hardly anything else."""
    return any(stem in simplify(word) for stem in _OUTCOME_STEMS)


def names_an_outcome(header: str) -> bool:
    return bool(_OUTCOME_HEADER.search(simplify(header)))


def read_compound(text: str) -> tuple[Direction | None, Outcome | None]:
    """Parse a direction, an outcome or both, such as `Inbound - answered` and `Missed call`."""
    plain = simplify(text)
    if plain in OUTCOMES and plain not in DIRECTIONS:
        return None, OUTCOMES[plain]
    if plain in DIRECTIONS:
        return DIRECTIONS[plain], None
    words = plain.split()
    direction = next((_DIRECTION_PARTS[word] for word in words if word in _DIRECTION_PARTS), None)
    remaining = [word for word in words if word not in _DIRECTION_PARTS]
    significant = [word for word in remaining if word not in _FILLERS]
    outcome = OUTCOMES.get(" ".join(remaining)) or OUTCOMES.get(" ".join(significant))
    if significant and outcome is None:
        return None, None
    by_person = any(HANDLERS.get(word) == Handler.PERSON for word in words)
    if outcome == Outcome.ABANDONED and by_person:  # an advisor hung up: no customer gave up
        return direction, None
    return direction, outcome


def read_direction(text: str) -> Direction | None:
    """Parse the one direction that a text names, such as `Inbound on ACD`; what is only
    requested, such as a call back, has none.
    """
    if _REQUESTED.search(text):
        return None
    found = {_DIRECTION_PARTS[word] for word in simplify(text).split() if word in _DIRECTION_PARTS}
    return found.pop() if len(found) == 1 else None


def find_legend(header: str, known: Mapping[str, object]) -> dict[str, object]:
    """Find the meanings of codes that a header gives: `Solved (1=yes, 2=no)`."""
    pairs = [map(simplify, pair) for pair in _LEGEND.findall(separate_words(header))]
    codes = (pair[::-1] if pair[1].isdigit() else pair for pair in map(tuple, pairs))
    legend = {code: known[word] for code, word in codes if word in known}
    return legend if len(legend) > 1 else {}


@dataclass
class WordEvidence(ColumnEvidence):
    """Evidence about one column of words, and how many of them are known."""

    known: Mapping[str, object]
    seen: Counter = field(default_factory=Counter)
    limit: int = 2_000
    empty: int = 0

    def add(self, values: pa.Array) -> None:
        self.empty += values.null_count
        for item in pc.value_counts(values.drop_null()).to_pylist():
            if item["values"] in self.seen or len(self.seen) < self.limit:
                self.seen[item["values"]] += item["counts"]

    @property
    def total(self) -> int:
        return sum(self.seen.values())

    @property
    def unknown(self) -> Counter:
        return Counter(
            {word: count for word, count in self.seen.items() if simplify(word) not in self.known}
        )

    @property
    def known_share(self) -> float:
        return 1 - sum(self.unknown.values()) / self.total if self.total else 1.0

    @property
    def words(self) -> set[str]:
        return {simplify(word) for word in self.seen}

    @property
    def is_ticked(self) -> bool:
        """Return whether the column holds ticks alone, or nothing: then nothing means no."""
        return bool(self.seen and self.empty) and self.words <= TICKED

    def show(self, limit: int = 6) -> str:
        return ", ".join(f"{word} ({count})" for word, count in self.seen.most_common(limit))


def replace_words(values: pa.Array, meanings: Mapping[str, object]) -> pa.Array:
    """Replace taught words by the number that they mean, or null for a missing value."""

    def replace(text: str) -> str | None:
        meaning = meanings.get(simplify(text), text)
        return meaning if meaning is None or isinstance(meaning, str) else text

    return map_texts(replace, values)


def read_words(
    values: pa.Array, known: Mapping[str, object], empty: object = None
) -> tuple[np.ndarray, np.ndarray]:
    """Convert cells to meanings, `empty` where missing or unknown; a mask marks unknown
    words. The array is of objects, or of small integers where `empty` is one.
    """
    encoded = values.dictionary_encode()
    words = [simplify(text) for text in encoded.dictionary.to_pylist()]
    meanings = [known.get(word, empty) for word in words]
    table = np.array([*meanings, empty], np.int8 if isinstance(empty, int) else object)
    unknown = np.array([word not in known for word in words] + [False], bool)
    indices = to_numpy(pc.fill_null(encoded.indices, len(meanings)))
    return table[indices], unknown[indices]


_MARKS = tables.index_words("marks", int)
_ENDING = re.compile(r"(?<=[a-z])(?:es|e|s)(?= |$)")
_STEMS = {_ENDING.sub("", words): mark for words, mark in _MARKS.items()}
_STARS = re.compile(r"^([★⭐✭*])\ufe0f?(?:\1\ufe0f?)*[☆✩]*$")
_LEADING = re.compile(
    r"^(\d{1,3}(?:[.,]\d+)?)\s*[-–—:=.)]?\s*\(?(?!(?:sur|of|out of)\b)[^\W\d_][^\d/%]*\)?$"
)
_TRAILING = re.compile(r"^[^\W\d_][^\d/%]*[-–—:=(]\s*(\d{1,2})\)?$")


def find_mark(text: str) -> str | None:
    """Find the mark that a cell gives in words or stars, as a number; else None."""
    plain = text.strip()
    if _STARS.match(plain):
        return str(sum(plain.count(star) for star in "★⭐✭*"))
    beside = _LEADING.match(plain) or _TRAILING.match(plain)
    if beside:
        return beside[1]
    words = simplify(plain)
    mark = _MARKS.get(words) or _STEMS.get(_ENDING.sub("", words))
    return str(mark) if mark else None


def find_labelled(marks: Mapping[str, str]) -> list[tuple[int, int]]:
    """Find the numbers beside words, each with the mark of these words: `1 - Very satisfied`."""
    words = {
        int(mark): simplify(re.sub(r"\d", "", text))
        for text, mark in marks.items()
        if mark.isdecimal() and mark in text
    }
    return sorted((number, _MARKS[text]) for number, text in words.items() if text in _MARKS)


def find_alike(marks: Mapping[str, str]) -> list[str]:
    """Find words with the same mark, such as excellent and very good; not forms of one word."""
    found: dict[str, dict[str, str]] = {}
    for text, mark in marks.items():
        stem = _ENDING.sub("", simplify(text))
        if stem in _STEMS:
            found.setdefault(mark, {})[stem] = text
    return next(([*words.values()] for words in found.values() if len(words) > 1), [])


def read_marks(values: pa.Array) -> tuple[pa.Array, dict[str, str]]:
    """Replace words and stars by their marks. Returns the cells, and the mark of each word."""
    texts = values.unique().drop_null().to_pylist()
    has_numbers = any(map(str.isdigit, texts))  # then an asterisk is a key or a footnote
    marks = {
        text: mark
        for text in texts
        if not (text.isascii() and text[:1].isdigit() and text[-1:].isdigit())
        if not (has_numbers and text.startswith("*"))
        if (mark := find_mark(text))
    }
    return map_texts(lambda text: marks.get(text, text), values) if marks else values, marks
