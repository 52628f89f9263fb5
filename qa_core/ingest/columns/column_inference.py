"""Columns of a file as they were understood, and its rows in batches for a profile."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _, uncapitalise
from qa_core.files.decision import Decision
from qa_core.files.header_text import simplify
from qa_core.files.options import ImportOptions
from qa_core.ingest.columns import (
    date_order,
    durations,
    header_matching,
    numbers,
    timestamps,
    vocabulary,
)
from qa_core.ingest.columns.timezones import Zone
from qa_core.ingest.staging.arrays import to_numpy
from qa_core.ingest.staging.declaration import Column, Profile, ValueType
from qa_core.ingest.staging.pseudonyms import Pseudonyms
from qa_core.ingest.words.tables import list_words
from qa_core.storage.facts.schema import Direction, Outcome

MAX_UNKNOWN_SHARE, MAX_BLANKED_SHARE = 0.5, 0.05
MAX_WORDS = 60
"""A column with more different words than this says nothing of how contacts ended."""
SHOWN_WORDS = MAX_ANSWERS = 6
MIN_MILLISECONDS = 1_000
READ_AS_DURATION = ("call_seconds", "talk_seconds", "handle_seconds")
"""Fields that a person may say a column of durations is, after giving its unit."""
NAME_OR_IGNORE = ("--map {field}={column}", "--map ignore={column}")
"""Options that name the column of a field, or leave it aside."""
SAMPLED_ROWS = 400
"""Rows kept of each block, to try on them what columns mean together."""
MAX_COMPARED = 20_000
"""First rows of totals and costs that are all kept, to find those that sum up others."""
NOT_SO = "not so"
"""Meaning of a flag that is not set: the outcome stays open."""
FLAGS: Mapping[str, tuple[Outcome, Outcome | str]] = {
    "answered": (Outcome.ANSWERED, Outcome.UNANSWERED),
    "missed": (Outcome.UNANSWERED, Outcome.ANSWERED),
    "abandoned": (Outcome.ABANDONED, NOT_SO),
    "voicemail": (Outcome.VOICEMAIL, NOT_SO),
}
"""Yes-or-no fields about one outcome, with the meaning of yes and of no."""


def _list_flag_words(name: str) -> dict[str, object]:
    yes, no = FLAGS[name]
    spelled = {word: yes if is_yes else no for word, is_yes in vocabulary.ANSWERS.items()}
    return {**spelled, **vocabulary.OUTCOMES}


ANSWER_WORDS = _list_flag_words("answered")
ANSWER_NUMBERS = {
    word: "1" if is_yes else "0"
    for word, is_yes in {**vocabulary.VERDICTS, **vocabulary.ANSWERS}.items()
}
WORD_LISTS: Mapping[ValueType, Mapping[str, object]] = {
    ValueType.BOOLEAN: vocabulary.YES_NO,
    ValueType.OUTCOME: vocabulary.OUTCOMES,
    ValueType.DIRECTION: vocabulary.DIRECTIONS,
    ValueType.HANDLER: vocabulary.HANDLERS,
    ValueType.LABEL: {},
}
_UNCLEAR_RATING = re.compile(r"(?:survey |customer )?(?:scores?|notes?|nota|rating value)")
"""Header of a rating that may be of satisfaction, recommendation or effort."""
_BEST_FIRST = re.compile(
    r"\b1 (?:is|est|ist) (?:(?:very|tres|sehr|muy|molto|muito|completely|extremely|tout a fait) )*"
    r"(?:satisf|good|bien|bon\b|gut|zufrieden|excellent|best|meilleur|beste|parfait|happy|"
    r"easy|facil|einfach|leicht|low effort)|schulnote|note\b.* 1 6\b"
)
"""Header of a rating with 1 as the best, or a German mark, which mostly has."""
_HARD = list_words("hard")
"""Words of a question about effort whose greatest mark is the worst."""
_NOT_APPLICABLE = dict.fromkeys(list_words("not_applicable"))
_ONE_AND_TWO = {"1", "2"}
"""Codes of yes and no; files differ in which is which."""
MAX_OFF_SCALE, MIN_RECOMMENDATIONS = 0.2, 3
_DOTTED_CLOCK = r"^\s*(\d{1,2})\.(\d{2})\.(\d{2})\s*$"
_LEFT_ASIDE = (ValueType.BOOLEAN, ValueType.HANDLER, ValueType.LABEL)
"""Types whose column is no such field where most of its words are unknown."""
DEFAULT_SCALES = {"csat": (1, 5), "ces": (1, 7), "score": (0, 100)}
"""Scales of ratings that need no confirmation."""
_COMPUTED = (
    "duration",
    "handle_seconds",
    "call_seconds",
    "abandon_wait_seconds",
    "missed",
    "voicemail",
    "caller",
    "called",
)
"""Fields from which others are computed."""
DECLARED_WORDS = frozenset((*Outcome, *Direction, "yes", "no", "true", "false", "1", "0"))
_NUMBERS = (ValueType.NUMBER, ValueType.WHOLE, ValueType.MARK, ValueType.CRITERION)
_EVIDENCE = {
    ValueType.MOMENT: timestamps.MomentEvidence,
    ValueType.DURATION: durations.DurationEvidence,
    **dict.fromkeys(_NUMBERS, numbers.NumberEvidence),
}


def refuse_totals(column: str, words: str, option: str) -> Refusal:
    return Refusal(
        "totals_among_rows",
        "Rows with {words} in {column} are probably totals of others and would count twice. Remove "
        "them, or take the option if they count by themselves.",
        options=(option,),
        words=words,
        column=column,
    )


def says_best_first(header: str) -> bool:
    """Return whether a header says that 1 is the best rating: `Score (1 = very good)`."""
    said = re.sub(r"(?<=\d) ?[=(]|(?<=[(\[]1) ", " is ", header)
    return bool(_BEST_FIRST.search(simplify(said)))


def refuse_unread(
    code: str, columns: Sequence[str], meaning: str, fields: Sequence[str], seen: str = ""
) -> Refusal:
    """Build a refusal of columns without a field that may be one of these fields."""
    named = ", ".join(columns)
    return Refusal(
        code,
        "{columns} may be {meaning}, but is not recognised. Say what it is.",
        options=tuple(f"--map {name}={text}" for text in columns for name in fields),
        column=named,
        columns=f"{named} ({seen})" if seen else named,
        meaning=uncapitalise(_(meaning)),
    )


@dataclass
class FileContext:
    profile: Profile
    options: ImportOptions
    headers: list[str]
    columns: dict[str, Column]
    zone: Zone
    centre: Zone
    pseudonyms: Pseudonyms
    taught: dict[int, dict[str, Any]] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    guesses: set[str] = field(default_factory=set)
    """Fields that rest on a default or a guess, not on the words of the file."""
    inferred: set[str] = field(default_factory=set)
    """Fields that a person must confirm, found before the readings are decided."""
    blanked: dict[str, Counter[str]] = field(default_factory=dict)
    """Values made missing: column of the file → reason → count."""
    unread: dict[int, vocabulary.WordEvidence] = field(default_factory=dict)
    """Words of the columns without a field, and of the reason, by index, where they are few."""
    words: dict[str, dict[str, Any]] = field(default_factory=dict)
    """For each column of words, what each word means."""
    samples: list[tuple[np.ndarray, dict[int, pa.Array]]] = field(default_factory=list)
    """Lines and cells of some rows, from all parts of the file."""
    defaults: dict[str, str] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)
    readings: dict[str, Any] = field(default_factory=dict)
    scales: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    def has(self, *names: str) -> bool:
        return all(name in self.columns for name in names)

    def find_inferred(self) -> set[str]:
        """Find the fields that rest on more than declared headers, ISO dates, plain numbers
        and declared words.
        """
        of_tool = bool(self.profile.signatures)
        inferred = self.guesses | self.inferred
        for name, column in self.columns.items():
            evidence, reading = self.evidence.get(name), self.readings.get(name)
            declared = column.field.name
            is_declared = column.header.text.strip() == declared not in _COMPUTED
            is_plain = True
            if isinstance(reading, timestamps.MomentReading):
                is_plain = reading.is_plain(self.profile.date_order if of_tool else None)
            elif isinstance(reading, durations.DurationReading):
                is_plain = reading.unit == "s" and (evidence.numbers.is_plain or of_tool)
                is_plain &= of_tool or not (evidence.full_clocks or evidence.pairs)
            elif isinstance(reading, numbers.NumberReading):
                scale = DEFAULT_SCALES.get(name, (reading.low, reading.high))
                is_plain = evidence.is_plain and (reading.low, reading.high) == scale
                is_plain &= column.field.value_type != ValueType.CRITERION
                is_plain &= not (reading.zero_is_missing or reading.factor != 1)
            elif name in self.words and self.words[name] and evidence:
                known = self.words[name] if of_tool else DECLARED_WORDS
                is_plain = all(simplify(word) in known for word in evidence.seen)
            if not (is_declared or of_tool) or not is_plain:
                inferred.add(name)
        return inferred

    def find_covered_words(self) -> dict[str, list[str]]:
        """Find the words of each column of outcome, direction, yes or no, as the file has them."""
        return {
            column.header.text: sorted(self.evidence[name].seen)
            for name, column in self.columns.items()
            if name in self.words and self.words[name] and name in self.evidence
        }

    def find_settled(self) -> dict[str, Any]:
        """Find the date order, units and scales that were inferred, as options."""
        readings = [(name, self.readings.get(name)) for name in self.columns]
        orders = {
            order
            for _name, reading in readings
            if isinstance(reading, timestamps.MomentReading)
            and (order := reading.order or reading.short_order)
        }
        settled: dict[str, Any] = {"scales": dict(self.scales)}
        if len(orders) == 1:
            settled["date_order"] = orders.pop()
        settled["units"] = {
            name: reading.unit
            for name, reading in readings
            if isinstance(reading, durations.DurationReading) and self.evidence[name].numbers.total
        }
        return {name: value for name, value in settled.items() if value}

    def get_header(self, field_name: str) -> str:
        return self.columns[field_name].header.text

    def decide(self, field_name: str, decision: str, seen: object = "", **places: Any) -> None:
        """Record a decision; `{column}` in it is the field's column."""
        if field_name in self.columns:
            places.setdefault("column", self.get_header(field_name))
        self.decisions.append(Decision.of(field_name, decision, seen, **places))

    def drop_column(self, field_name: str, decision: str, seen: object = "", **places: Any) -> None:
        """Stop using the column of that field, and record why."""
        self.decide(field_name, decision, seen, **places)
        self.inferred.add(field_name)
        del self.columns[field_name]
        self.readings.pop(field_name, None)

    def drop_replaced(self, field_name: str, *others: str) -> None:
        """Stop using a column whose meaning the fields `others` give."""
        names = ", ".join(self.get_header(name) for name in others)
        self.drop_column(field_name, N_("the column {column} is not needed"), names)

    def leave_aside(self, field_name: str, seen: str = "") -> None:
        """Stop using a column whose values do not fit that field."""
        message = N_("the column {column} is left aside: its values do not fit this field")
        self.drop_column(field_name, message, seen)

    def leave_words_aside(self, field_name: str) -> None:
        """Stop using a column whose words do not fit that field."""
        self.leave_aside(field_name, self.evidence[field_name].show() or "–")

    def drop_empty(self, *field_names: str) -> None:
        """Drop the columns of these fields that have no value."""
        for name in field_names:
            if self.has(name) and not self.evidence[name].total:
                self.drop_column(name, "the column {column} is empty")
                self.inferred.discard(name)

    def is_needed(self, field_name: str) -> bool:
        """Return whether a file of this kind means nothing without the column of that field."""
        return any(
            field_name in group and sum(name in self.columns for name in group) == 1
            for group in self.profile.needs
        )

    def is_open(self, field_name: str) -> bool:
        """Return whether a field has a column, and nobody has said that it is the right one."""
        is_named = field_name in self.options.columns or self.options.is_stated
        return self.has(field_name) and not is_named

    def refuse(
        self, code: str, message: str, field_name: str, *options: str, **places: Any
    ) -> Refusal:
        """Build a refusal of a field's column, which is `{column}` in message and options; by
        default, naming it answers.
        """
        column = self.get_header(field_name)
        filled = tuple(
            option.replace("{field}", field_name).replace("{column}", column)
            for option in options or NAME_OR_IGNORE[:1]
        )
        return Refusal(code, message, filled, column=column, **places)

    def require_own(
        self, name: str, series: Sequence[Hashable], order: np.ndarray, counts: Sequence[np.ndarray]
    ) -> None:
        """Raise Refusal where counts of each series only grow in that order, as running totals."""
        if numbers.only_grow(series, order, counts):
            raise self.refuse(
                "running_totals",
                "{column} only grows, so each row may count everything before it too. Export each "
                "interval or day by itself, or name the column if it is so already.",
                name,
            )

    def require_no_sums(
        self,
        sample: RowBatch,
        index: int,
        option: str,
        groups: Sequence[Hashable],
        counts: Sequence[np.ndarray],
    ) -> None:
        """Raise Refusal where rows with one value of a column sum up the others of their group."""
        cells = sample.cells[index].fill_null("").to_pylist()[:MAX_COMPARED]
        rows = len(cells)
        label = numbers.find_sum(cells, groups[:rows], [count[:rows] for count in counts])
        if label is not None:
            column = self.headers[index]
            raise refuse_totals(column, label or _("no value"), option)

    def require_counted(self, code: str, others: frozenset[str], used: set[int]) -> None:
        """Raise Refusal where a column says that some rows are drafts, trials or withdrawn."""
        if self.options.is_stated:
            return
        sample, known = self.take_sample(), used | self.ignored
        for index, text in enumerate(self.headers):
            if not text or index in known:
                continue
            values = sample.cells[index].unique().to_pylist()
            is_flag = simplify(text) in others
            words = [
                value
                for value in filter(None, values)
                if (word := simplify(value)) in others or (is_flag and vocabulary.ANSWERS.get(word))
            ]
            if words and (len(values) > 1 or is_flag):
                raise Refusal(
                    code,
                    "Rows with {words} in {column} would count like all others. Export only the "
                    "rows that count, or leave the column aside if all do.",
                    options=(f"--map ignore={text}",),
                    words=", ".join(words),
                    column=text,
                )

    @property
    def used(self) -> set[int]:
        """Places of the columns with a field."""
        return {column.index for column in self.columns.values()}

    @property
    def ignored(self) -> set[int]:
        """Places of the columns that the person wants left aside."""
        return header_matching.find_ignored(self.headers, self.options.ignored)

    def find_unused(self) -> list[tuple[int, str]]:
        """Find place and header of the columns without a field, but those to leave aside."""
        used = self.used | self.ignored
        return [(at, text) for at, text in enumerate(self.headers) if text and at not in used]

    def start_evidence(self) -> None:
        """Start the evidence of every column that is inferred from all its cells."""
        ignored = self.ignored
        # A column called Issue has reasons in English, and how calls ended in French.
        used = {
            column.index
            for name, column in self.columns.items()
            if name != "reason" or name in self.options.columns
        }
        self.unread = {
            index: vocabulary.WordEvidence(text, text, vocabulary.OUTCOMES)
            for index, text in enumerate(self.headers)
            if text and index not in used | ignored
        }
        for name, column in self.columns.items():
            value_type, text = column.field.value_type, column.header.text
            if value_type in _EVIDENCE:
                self.evidence[name] = _EVIDENCE[value_type](name, text)
            elif value_type == ValueType.FLAG or value_type in WORD_LISTS:
                self.add_words(column)
                self.evidence[name] = vocabulary.WordEvidence(name, text, self.words[name])

    def add_words(self, column: Column) -> None:
        """Build the word list of a column from known words, its header and what was taught."""
        name, value_type = column.field.name, column.field.value_type
        known = _list_flag_words(name) if value_type == ValueType.FLAG else WORD_LISTS[value_type]
        legend = vocabulary.find_legend(column.header.text, known)
        self.words[name] = {**known, **legend, **self.taught.get(column.index, {})}

    def add_sample(self, lines: np.ndarray, cells: list[pa.Array]) -> None:
        kept = sum(len(rows) for rows, _cells in self.samples)
        head = MAX_COMPARED - kept if self.profile.kind in ("intervals", "spend") else 0
        spread = np.linspace(0, len(lines) - 1, SAMPLED_ROWS).astype(np.int64)
        indices = np.union1d(spread, np.arange(min(len(lines), max(head, 0))))
        used = self.used
        sample = {
            index: self.clean_cells(index, column.take(indices))
            for index, column in enumerate(cells)
            if self.headers[index] or index in used
        }
        self.samples.append((lines[indices], sample))

    def sample_cells(self, index: int) -> pa.Array:
        return pa.concat_arrays([part[index] for _rows, part in self.samples]).drop_null()

    def compute_share(self, index: int, pattern: str) -> float:
        """Compute the share of a column's sampled filled cells that match a pattern."""
        cells = self.sample_cells(index)
        matching = pc.sum(pc.match_substring_regex(cells, pattern)).as_py() or 0
        return matching / len(cells) if len(cells) else 0.0

    def take_sample(self) -> RowBatch:
        lines = np.concatenate([rows for rows, _cells in self.samples])
        cells = {
            index: pa.concat_arrays([part[index] for _rows, part in self.samples])
            for index in self.samples[0][1]
        }
        return RowBatch(self, lines, cells, is_sample=True)

    def look_at_unread(self, cells: list[pa.Array]) -> None:
        """Add rows to the evidence of columns without a field; drop one with many words."""
        for index, evidence in list(self.unread.items()):
            evidence.add(vocabulary.clean_cells(cells[index]))
            if len(evidence.seen) > MAX_WORDS:
                del self.unread[index]

    def add_evidence(self, name: str, cells: pa.Array) -> None:
        """Add some thousand cells of a field to the evidence of its column."""
        evidence, values = self.evidence[name], self.clean_cells(self.columns[name].index, cells)
        evidence.add(
            values
            if isinstance(evidence, vocabulary.WordEvidence)
            else self.clean_values(name, values)
        )

    def clean_cells(self, index: int, cells: pa.Array) -> pa.Array:
        kept = self.taught.get(index, {})
        if any(
            column.index == index and column.field.value_type == ValueType.CRITERION
            for column in self.columns.values()
        ):
            kept = {**kept, **_NOT_APPLICABLE}  # a criterion without a tick may not be met
        return vocabulary.clean_cells(cells, kept)

    def clean_values(self, name: str, values: pa.Array) -> pa.Array:
        """Clear cells that mean "not given"; replace words by the number they mean."""
        if self.columns[name].field.value_type == ValueType.MOMENT:
            values = vocabulary.strip_quotes(values)
            if pc.any(pc.match_substring(values, " Uhr")).as_py():
                values = pc.replace_substring(values, " Uhr", "")
            if name in ("answered_at", "ended_at", "updated_at"):  # an epoch of 0
                values = pc.if_else(pc.equal(values, "0"), pa.scalar(None, pa.string()), values)
        if name == "time":
            values = pc.replace_substring_regex(values, _DOTTED_CLOCK, r"\1:\2:\3")
        if name in self.notes.get("ticked", ()):
            values = pc.fill_null(values, "0")
        values = vocabulary.clear_non_answers(values)
        taught = self.taught.get(self.columns[name].index)
        if taught:
            values = vocabulary.replace_words(values, taught)
        if name in self.notes.get("yes_no", ()):
            values = vocabulary.replace_words(values, ANSWER_NUMBERS)
        if self.columns[name].field.value_type == ValueType.MARK or name == "nps":
            values, marks = vocabulary.read_marks(values)
            self.notes.setdefault("mark_words", {}).setdefault(name, {}).update(marks)
        return values

    def decide_readings(self) -> None:
        """Turn evidence into readings. Raises Refusal where the file does not tell."""
        self._decide_moments()
        times = [
            self.evidence[name]
            for name, column in self.columns.items()
            if column.field.value_type == ValueType.DURATION
        ]
        durations.mark_shifted(time for time in times if not self.columns[time.field].field.of_many)
        pairs = [evidence for evidence in times if evidence.pairs]
        clear = (other.column for other in pairs if other.full_clocks or other.minutes_as_hours)
        reference_column = next(clear, "")
        for evidence in pairs:
            evidence.reference_column = reference_column
        for name, column in list(self.columns.items()):
            evidence = self.evidence.get(name)
            if isinstance(evidence, durations.DurationEvidence):
                stated_units = self._find_unit(name), column.header.unit
                decimal, of_many = self.options.decimal, column.field.of_many
                self.readings[name] = durations.decide_reading(
                    evidence, *stated_units, decimal, self.decisions, of_many
                )
                if evidence.numbers.total and not any(stated_units):
                    self.guesses.add(name)
            elif isinstance(evidence, numbers.NumberEvidence):
                self.decide_numbers(name, column, evidence)
            elif isinstance(evidence, vocabulary.WordEvidence) and name in self.words:
                self._decide_words(name, column, evidence)

    def _find_unit(self, name: str) -> str | None:
        """Find the unit that the person gave; milliseconds hold for all large whole numbers."""
        units, amounts = self.options.units, self.evidence[name].numbers
        if name in READ_AS_DURATION and name in self.options.columns and "duration" in units:
            units = {name: units["duration"], **units}
        if name in units or self.columns[name].header.unit or "ms" not in units.values():
            return units.get(name)
        is_large = amounts.total and not amounts.fractions and amounts.highest >= MIN_MILLISECONDS
        return "ms" if is_large else None

    def _decide_moments(self) -> None:
        decided_orders: list[tuple[str, str]] = []
        ambiguity: Refusal | None = None
        undecided = [
            (name, evidence)
            for name, evidence in self.evidence.items()
            if isinstance(evidence, timestamps.MomentEvidence) and name in self.columns
        ]
        # Twice: a column that alone is ambiguous may follow one that is not.
        for is_last_pass in (False, True):
            for name, evidence in list(undecided):
                orders, usual = tuple(decided_orders), self.profile.date_order
                is_open = len({order for _column, order in orders}) != 1
                if is_last_pass and usual and is_open:
                    orders = ((self.profile.name, usual),)
                requested = self.options.date_order
                try:
                    reading, decisions = date_order.decide_reading(evidence, requested, orders)
                except Refusal as refusal:
                    start = self.evidence.get("started_at")
                    is_complete = start is not None and start.has_day and start.has_clock
                    is_spare = is_complete and name in ("date", "time") and self.is_open(name)
                    if is_spare and refusal.code == "unreadable_dates":
                        undecided.remove((name, evidence))
                        self.leave_aside(name, evidence.example)
                        continue
                    if refusal.code != "ambiguous_dates" or is_last_pass:
                        raise
                    ambiguity = refusal
                    continue
                undecided.remove((name, evidence))
                self.readings[name] = reading
                self.decisions += decisions
                order = reading.order or reading.short_order
                if order:
                    decided_orders.append((evidence.column, order))
            if ambiguity is None:
                break

    def decide_numbers(self, name: str, column: Column, evidence: numbers.NumberEvidence) -> None:
        options, item = self.options, column.field
        if column.header.out_of:
            evidence.denominators.add(column.header.out_of)
        if evidence.has_own_maxima:
            self.decide(name, "each cell says what it is out of", evidence.example)
        if evidence.total and evidence.unreadable > evidence.total / 2:
            is_criterion = item.value_type == ValueType.CRITERION or name == "points"
            if is_criterion and self._is_yes_no(column):
                self.notes.setdefault("yes_no", set()).add(name)
                if self._list_words(column) <= vocabulary.TICKED:
                    self.notes.setdefault("ticked", set()).add(name)
                    self.decide(name, "empty means no")
                self.readings[name] = numbers.NumberReading(low=0, high=1)
                return
            if is_criterion:
                self._require_known_answers(name, column)
            is_rating = self.profile.kind == "surveys" and name in header_matching.RATINGS
            if name in options.columns or self.is_needed(name) or is_rating:
                ignore = f"--map ignore={evidence.column}"
                raise evidence.refuse_unreadable("unreadable_numbers", evidence.odd_example, ignore)
            self.leave_aside(name, evidence.odd_example)
        elif item.value_type == ValueType.MARK:
            mark_words = self.notes.get("mark_words", {}).get(name)
            if mark_words:
                lowest = sorted(mark_words.items(), key=lambda item: item[::-1])[:12]
                self.decide(
                    name,
                    "ratings in words, read as: {said}",
                    said=", ".join(f"{word} → {mark}" for word, mark in lowest),
                )
            self._require_rating(name, column, evidence)
            alike = vocabulary.find_alike(mark_words or {})
            if alike and self.is_open(name):
                raise self.refuse(
                    "words_alike",
                    "{words} in {column} would count the same. Say which rating each word is.",
                    name,
                    *(f"--word {{column}}:{word}={mark}" for word, mark in mark_words.items()),
                    "--map ignore={column}",
                    words=", ".join(alike),
                )
            labelled = vocabulary.find_labelled(mark_words or {})
            has_words = any(mark not in word for word, mark in (mark_words or {}).items())
            evidence.is_usual = has_words or column.header.text == name
            evidence.is_zero_none = self.profile.kind == "contacts"  # unanswered ones have 0
            scale = options.scales.get(name) or options.scales.get(column.header.text)
            text = column.header.text
            is_hard = name == "ces" and any(words in simplify(text) for words in _HARD)
            if not scale and (is_hard or says_best_first(text)):
                raise self.refuse_reversed(name, column)
            hint = column.header.scale
            if len(labelled) > 1 and not scale:
                (lowest, first), (highest, last) = labelled[0], labelled[-1]
                if first > last:
                    raise self.refuse_reversed(name, column, highest if last == 1 else None)
                if (first, last) == (1, 5):
                    hint = f"{lowest}-{highest}"
            is_named = name in options.columns
            decisions = self.decisions
            if name == "score" and not scale and not is_named and self._has_criteria():
                scale, decisions = "0-100", []  # The criteria are kept, not their total.
                self.notes["is_open_score"] = True
            is_of_own = self.has("possible") or evidence.has_own_maxima
            if name == "score" and not scale and is_of_own:
                decimal = numbers.decide_decimal(evidence, options.decimal, self.decisions)
                self.readings[name] = numbers.NumberReading(decimal, 0)
                return
            if name == "score" and len(evidence.denominators) == 1 and not hint:
                hint = f"0-{next(iter(evidence.denominators)):g}"  # a grid gives no point for none
            self.readings[name], self.scales[name] = numbers.decide_mark(
                evidence, options.decimal, scale, hint, decisions
            )
        else:
            if name == "nps":
                self._require_recommendation(column, evidence)
            is_whole = item.value_type == ValueType.WHOLE
            decimal = numbers.decide_decimal(evidence, options.decimal, self.decisions, is_whole)
            self.readings[name] = numbers.NumberReading(
                decimal, item.low, item.high, is_whole=is_whole
            )

    def refuse_reversed(self, name: str, column: Column, greatest: int | None = None) -> Refusal:
        of_header = re.search(r"-(\d+)$", column.header.scale or "")
        if greatest is None:
            greatest = of_header[1] if of_header else max(5, int(self.evidence[name].highest))
        return Refusal(
            "reversed_scale",
            "In the column {column}, 1 may be the best rating. Say from which to which it goes, "
            "the best last.",
            options=(f"--scale {name}={greatest}-1", f"--scale {name}=1-{greatest}"),
            column=column.header.text,
        )

    def _require_recommendation(self, column: Column, evidence: numbers.NumberEvidence) -> None:
        """Raise Refusal for a recommendation that is not on 0–10."""
        off_scale = evidence.counts_above[10] + evidence.negative
        is_low = evidence.total >= MIN_RECOMMENDATIONS and not evidence.counts_above[5]
        is_low &= evidence.column != "nps"
        has_other = column.header.scale not in (None, "0-10", "1-10") or (
            evidence.denominators and evidence.denominators != {10}
        )
        is_doubtful = has_other or is_low or off_scale > MAX_OFF_SCALE * evidence.total
        if not is_doubtful or not self.is_open("nps"):
            return
        text = column.header.text
        raise evidence.refuse(
            "not_out_of_ten",
            "{column} has ratings from {low} to {high}, but a recommendation (NPS) goes from 0 to "
            "10. Say what it is.",
            options=(
                *(f"--map {name}={text}" for name in ("csat",) if not self.has(name)),
                *([f"--map nps={text}"] if is_low and not has_other else []),
                f"--map ignore={text}",
            ),
            low=f"{evidence.lowest:g}",
            high=f"{evidence.highest:g}",
        )

    def _has_criteria(self) -> bool:
        types = [column.field.value_type for column in self.columns.values()]
        return types.count(ValueType.CRITERION) > 1

    def _require_rating(self, name: str, column: Column, evidence: numbers.NumberEvidence) -> None:
        """Raise Refusal for a survey's `score`, which does not say what it rates."""
        named = self.options.is_stated or name in self.options.columns
        named = named or not _UNCLEAR_RATING.fullmatch(column.header.words)
        if self.profile.kind != "surveys" or named:
            return
        fits = {
            "csat": True,
            "nps": evidence.counts_above[7] and not evidence.counts_above[10],
            "ces": not evidence.counts_above[7] and not evidence.zeros,
        }
        text, of_file = column.header.text, self.notes.get("file", ())
        raise evidence.refuse(
            "unclear_rating",
            "{column} does not say what it rates. Say whether it is satisfaction (csat), "
            "recommendation (nps) or effort (ces).",
            options=tuple(
                f"--map {field}={text}"
                for field in sorted(fits, key=lambda name: name not in of_file)
                if fits[field] and (field == name or not self.has(field))
            ),
        )

    def _require_known_answers(self, name: str, column: Column) -> None:
        """Raise Refusal for answers between yes and no: left aside, they would raise scores."""
        words = self._list_words(column)
        unknown, known = sorted(words - ANSWER_NUMBERS.keys()), words & ANSWER_NUMBERS.keys()
        is_one_of_several = any(
            other.field.value_type == ValueType.CRITERION and self._is_yes_no(other)
            for other in self.columns.values()
        )
        is_answer = len(known) > 1 or (known and is_one_of_several)
        if len(words) <= MAX_ANSWERS and is_answer and unknown:
            raise self.refuse(
                "unknown_words",
                "The column {column} was read as {field}, but too many of its words are "
                "unknown: {seen}. Say what they mean.",
                name,
                *(f"--word {{column}}:{unknown[0]}={mark}" for mark in ("0.5", "0", "missing")),
                "--map ignore={column}",
                field=name,
                seen=", ".join(unknown),
            )

    def _is_yes_no(self, column: Column) -> bool:
        words = self._list_words(column)
        return bool(words) and words <= ANSWER_NUMBERS.keys()

    def _list_words(self, column: Column) -> set[str]:
        cells = vocabulary.clear_non_answers(self.sample_cells(column.index).unique())
        taught = self.taught.get(column.index, {})
        return {simplify(text) for text in cells.drop_null().to_pylist()} - taught.keys()

    def list_word_options(self, name: str) -> tuple[str, ...]:
        """List the options that would give the unknown words of a column a meaning."""
        column = self.get_header(name)
        unknown = self.evidence[name].unknown.most_common(SHOWN_WORDS)
        return (
            *(f"--word {column}:{word}=MEANING" for word, _count in unknown),
            f"--map ignore={column}",
        )

    def refuse_words(self, name: str) -> Refusal:
        unknown = self.evidence[name].unknown.most_common(SHOWN_WORDS)
        return self.refuse(
            "unknown_words",
            "The column {column} was read as {field}, but too many of its words are "
            "unknown: {seen}. Say what they mean.",
            name,
            *self.list_word_options(name),
            field=name,
            seen=", ".join(word for word, _count in unknown),
        )

    def _decide_words(self, name: str, column: Column, evidence: vocabulary.WordEvidence) -> None:
        if evidence.is_ticked and column.field.value_type in (ValueType.BOOLEAN, ValueType.FLAG):
            self.notes.setdefault("ticked", set()).add(name)
            self.decide(name, "empty means no", evidence.show())
        if column.field.value_type == ValueType.BOOLEAN and evidence.words == _ONE_AND_TWO:
            said = vocabulary.find_legend(column.header.text, self.words[name])
            said |= self.taught.get(column.index, {})
            if not said.keys() >= _ONE_AND_TWO:
                evidence.known = said
                raise self.refuse_words(name)
        is_answer = column.field.value_type == ValueType.BOOLEAN and self.is_open(name)
        if is_answer and 1 - MAX_UNKNOWN_SHARE <= evidence.known_share < 1 - MAX_BLANKED_SHARE:
            raise self.refuse_words(name)
        if (
            evidence.known_share >= 1 - MAX_UNKNOWN_SHARE
            or column.field.value_type not in _LEFT_ASIDE
            or not self.words[name]
        ):
            return
        if name in self.options.columns or self.is_needed(name):
            raise self.refuse_words(name)
        self.leave_words_aside(name)


@dataclass
class RowBatch:
    """Cleaned rows of a file. A row is rejected for the first reason it was given."""

    context: FileContext
    lines: np.ndarray
    cells: dict[int, pa.Array]
    is_sample: bool = False
    """True where these rows only serve to decide: what is bad in them is counted later."""
    reasons: np.ndarray = field(init=False)
    _values: dict[Any, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reasons = np.full(len(self.lines), None, object)

    def __len__(self) -> int:
        return len(self.lines)

    def reject(self, rows: np.ndarray, reason: str) -> None:
        """Refuse these rows (a mask), unless they already are."""
        self.reasons[rows & (self.reasons == None)] = reason  # noqa: E711 (element by element)

    def require_any(self, columns: Mapping[str, pa.Array], *names: str) -> None:
        """Reject rows without a value in any of these built columns."""
        present = [to_numpy(columns[name].is_valid()) for name in names if name in columns]
        self.reject(~np.logical_or.reduce(present), "missing_key")

    def blank(self, rows: np.ndarray, name: str, reason: str) -> None:
        """Count values missing for that reason; reject their rows if the field is required."""
        required = self.context.profile.required
        if required is None or name in required:
            self.reject(rows, reason)
        elif rows.any() and not self.is_sample:
            column = self.context.get_header(name)
            self.context.blanked.setdefault(column, Counter())[reason] += int(rows.sum())

    def read_text(self, name: str) -> pa.Array:
        return self.cells[self.context.columns[name].index]

    def read_texts(self, *names: str) -> dict[str, pa.Array]:
        """Return the cells of these fields, as far as the file has them, unchanged."""
        return {name: self.read_text(name) for name in names if self.context.has(name)}

    def read_moment(self, name: str) -> timestamps.Moments:
        """Read dates and times. Impossible ones are missing, or reject their rows."""
        if name not in self._values:
            values = self.context.clean_values(name, self.read_text(name))
            moments = self.context.readings[name].read(values)
            self.blank(moments.bad, name, "impossible_date")
            self._values[name] = moments
        return self._values[name]

    def read_number(self, name: str) -> np.ndarray:
        """Read numbers, or durations in seconds; NaN where missing, unreadable or impossible."""
        if name not in self._values:
            reading = self.context.readings[name]
            cells = self.context.clean_values(name, self.read_text(name))
            values, unreadable, off_scale = reading.read(cells)
            reasons = ("bad_number", "off_scale")
            if isinstance(reading, durations.DurationReading):
                reasons = ("bad_duration", "negative_duration")
            self.blank(unreadable, name, reasons[0])
            self.blank(off_scale & ~unreadable, name, reasons[1])
            self._values[name] = values
        return self._values[name]

    def read_maxima(self, name: str) -> np.ndarray:
        """Read what each mark of a field is out of: `17/20`; NaN where a cell does not say."""
        cells = self.context.clean_values(name, self.read_text(name))
        return self.context.readings[name].read_maxima(cells)

    def read_word(self, name: str) -> np.ndarray:
        """Read meanings (objects, None where missing). Unknown words are missing or reject rows."""
        return self.read_meanings(name, self.context.words[name])

    def read_meanings(
        self, name: str, meanings: Mapping[str, Any], empty: Any = None
    ) -> np.ndarray:
        """Read meanings from that word list; `empty` stands for a missing one. Where
        `empty` and all meanings are numbers, so is the array.
        """
        key = name, id(meanings)
        if key not in self._values:
            values, unknown = vocabulary.read_words(self.read_text(name), meanings, empty)
            if name in self.context.notes.get("ticked", ()):
                nothing = to_numpy(self.read_text(name).is_null())
                values[nothing] = meanings["n"]
            if not any(key[0] == name for key in self._values if isinstance(key, tuple)):
                self.blank(unknown, name, "unknown_word")
            self._values[key] = values
        return self._values[key]
