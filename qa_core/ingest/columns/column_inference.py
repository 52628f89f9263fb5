"""What a profile works with: the columns of a file as they were understood, and some
thousand rows of them at a time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.files.decision import Decision
from qa_core.files.options import ImportOptions
from qa_core.ingest.columns import (
    date_order,
    durations,
    numbers,
    rating_words,
    timestamps,
    vocabulary,
)
from qa_core.ingest.columns.timezones import Zone
from qa_core.ingest.declaration import Column, Profile, ValueType
from qa_core.ingest.pseudonyms import Pseudonyms

MAX_UNKNOWN_SHARE = 0.5
_ANSWER_SPELLINGS = (
    "y",
    "yes",
    "oui",
    "o",
    "true",
    "vrai",
    "1",
    "1 0",
    "x",
    "tick",
    "ok",
    "t",
    "cross",
    "n",
    "no",
    "non",
    "false",
    "faux",
    "0",
    "0 0",
    "f",
)
ANSWER_WORDS = {
    **{
        word: vocabulary.Outcome.ANSWERED
        if vocabulary.YES_NO[word]
        else vocabulary.Outcome.UNANSWERED
        for word in _ANSWER_SPELLINGS
        if word in vocabulary.YES_NO
    },
    **vocabulary.OUTCOMES,
}
DIRECTION_WORDS = {**vocabulary.DIRECTIONS, **dict.fromkeys(vocabulary.MISSED_DIRECTIONS, "missed")}
WORD_LISTS = {
    ValueType.BOOLEAN: vocabulary.YES_NO,
    ValueType.OUTCOME: ANSWER_WORDS,
    ValueType.DIRECTION: DIRECTION_WORDS,
    ValueType.LABEL: {},
}
_MOMENTS, _NUMBERS = (
    (ValueType.MOMENT,),
    (ValueType.NUMBER, ValueType.WHOLE, ValueType.MARK, ValueType.CRITERION),
)


@dataclass
class FileContext:
    """One file being read."""

    profile: Profile
    options: ImportOptions
    headers: list[str]
    columns: dict[str, Column]
    zone: Zone
    centre: Zone
    pseudonyms: Pseudonyms
    decisions: list[Decision] = field(default_factory=list)
    defaults: dict[str, str] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)
    readings: dict[str, Any] = field(default_factory=dict)
    scales: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)

    def has(self, *names: str) -> bool:
        """Whether the file carries every one of these fields."""
        return all(name in self.columns for name in names)

    def decide(self, field_name: str, decision: str, evidence: str = "", **places: Any) -> None:
        """Write down a decision; `{column}` in it is the field's column."""
        if field_name in self.columns:
            places.setdefault("column", self.columns[field_name].header.text)
        self.decisions.append(Decision.of(field_name, decision, evidence, **places))

    def drop_column(
        self, field_name: str, decision: str, evidence: str = "", **places: Any
    ) -> None:
        """Do not use the column of that field, and say why."""
        self.decide(field_name, decision, evidence, **places)
        del self.columns[field_name]
        self.readings.pop(field_name, None)

    def is_needed(self, field_name: str) -> bool:
        """Whether a file of this kind means nothing without the column of that field."""
        return any(
            field_name in group and sum(name in self.columns for name in group) == 1
            for group in self.profile.needs
        )

    def start_evidence(self) -> None:
        """Prepare to look at the whole of every column whose reading must be inferred."""
        for name, column in self.columns.items():
            reads, text = column.field.value_type, column.header.text
            if reads in _MOMENTS:
                self.evidence[name] = timestamps.MomentEvidence(name, text)
            elif reads == ValueType.DURATION:
                self.evidence[name] = durations.DurationEvidence(name, text)
            elif reads in _NUMBERS:
                self.evidence[name] = numbers.NumberEvidence(name, text)
            elif reads in WORD_LISTS:
                self.evidence[name] = vocabulary.WordEvidence(name, text, WORD_LISTS[reads])

    def add_evidence(self, name: str, cells: pa.Array) -> None:
        """Add some thousand cells of a field to what is known of its column."""
        evidence, values = self.evidence[name], vocabulary.clean_cells(cells)
        evidence.add(
            values
            if isinstance(evidence, vocabulary.WordEvidence)
            else self.clean_values(name, values)
        )

    def clean_values(self, name: str, values: pa.Array) -> pa.Array:
        """Cells without what stands for "not given"; marks written in words as numbers."""
        values = vocabulary.clear_non_answers(values)
        if self.columns[name].field.value_type == ValueType.MARK:
            values, read = rating_words.read_words(values)
            self.notes.setdefault("mark_words", {}).setdefault(name, {}).update(read)
        return values

    def decide_readings(self) -> None:
        """Turn evidence into readings. Raises Refusal where the file does not tell."""
        self._decide_moments()
        for name, column in list(self.columns.items()):
            evidence = self.evidence.get(name)
            if isinstance(evidence, durations.DurationEvidence):
                said = self.options.units.get(name), column.header.unit
                self.readings[name] = durations.decide_reading(
                    evidence, *said, self.options.decimal, self.decisions, column.field.of_many
                )
            elif isinstance(evidence, numbers.NumberEvidence):
                self._decide_numbers(name, column, evidence)
            elif isinstance(evidence, vocabulary.WordEvidence) and evidence.known:
                self._decide_words(name, column, evidence)

    def _decide_moments(self) -> None:
        certain: list[tuple[str, str]] = []
        asked: Refusal | None = None
        waiting = [
            (name, evidence)
            for name, evidence in self.evidence.items()
            if isinstance(evidence, timestamps.MomentEvidence) and name in self.columns
        ]
        # Twice: a column that alone is ambiguous may follow one that is not.
        for last in (False, True):
            for name, evidence in list(waiting):
                try:
                    reading, decisions = date_order.decide_reading(
                        evidence,
                        self.options.date_order,
                        tuple(certain),
                        self.profile.date_order if last else None,
                    )
                except Refusal as refusal:
                    if refusal.code != "ambiguous_dates" or last:
                        raise
                    asked = refusal
                    continue
                waiting.remove((name, evidence))
                self.readings[name] = reading
                self.decisions += decisions
                order = reading.order or reading.short_order
                if order:
                    certain.append((evidence.column, order))
            if asked is None:
                break

    def _decide_numbers(self, name: str, column: Column, evidence: numbers.NumberEvidence) -> None:
        options, item = self.options, column.field
        if column.header.out_of:
            evidence.denominators.add(column.header.out_of)
        if (
            evidence.total
            and evidence.unread > evidence.total / 2
            and item.value_type != ValueType.CRITERION
        ):
            if name in options.columns or self.is_needed(name):
                raise Refusal(
                    "unreadable_numbers",
                    N_(
                        "The column {column}, taken for {field}, holds values such as "
                        "{example}, which are no numbers. Name the right column with --map."
                    ),
                    options=(f"--map {name}=COLUMN", f"--map ignore={evidence.column}"),
                    column=evidence.column,
                    field=name,
                    example=evidence.odd_example,
                )
            self.drop_column(
                name,
                N_("the column {column} is left aside: it holds no numbers"),
                N_("such as {example}"),
                example=evidence.odd_example,
            )
        elif item.value_type == ValueType.MARK:
            said = self.notes.get("mark_words", {}).get(name)
            if said:
                shown = ", ".join(
                    f"{word} → {mark}"
                    for word, mark in sorted(said.items(), key=lambda item: item[::-1])[:12]
                )
                self.decide(
                    name,
                    N_("marks in words, read as: {said}"),
                    N_("{column}: {count} spellings"),
                    said=shown,
                    count=len(said),
                )
            scale = options.scales.get(name) or options.scales.get(column.header.text)
            self.readings[name], self.scales[name] = numbers.decide_mark(
                evidence, options.decimal, scale, column.header.scale, self.decisions
            )
        else:
            reading = numbers.decide_number(evidence, options.decimal, self.decisions)
            self.readings[name] = numbers.NumberReading(
                reading.decimal, item.low, item.high, whole=item.value_type == ValueType.WHOLE
            )

    def _decide_words(self, name: str, column: Column, evidence: vocabulary.WordEvidence) -> None:
        if evidence.is_ticked and (
            column.field.value_type == ValueType.BOOLEAN or name == "answered"
        ):
            self.notes.setdefault("ticked", set()).add(name)
            self.decide(
                name,
                N_("empty means no"),
                N_("{column} holds nothing but ticks: {seen}, and {count} empty"),
                seen=evidence.show(),
                count=evidence.empty,
            )
        if evidence.known_share >= 1 - MAX_UNKNOWN_SHARE:
            return
        if name in self.options.columns or self.is_needed(name):
            raise Refusal(
                "unknown_words",
                N_(
                    "Too many words of the column {column}, taken for {field}, are not known: "
                    "{seen}."
                ),
                column=column.header.text,
                field=name,
                seen=", ".join(word for word, _count in evidence.unknown.most_common(6)),
            )
        self.drop_column(
            name,
            N_("the column {column} is left aside: its words do not say it"),
            N_("seen: {seen}"),
            seen=evidence.show(),
        )


@dataclass
class RowBatch:
    """Some rows of a file, cleaned; the first reason given to a row is the one it is
    refused for.
    """

    context: FileContext
    lines: np.ndarray
    cells: dict[int, pa.Array]
    reasons: np.ndarray = field(init=False)
    _values: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.reasons = np.full(len(self.lines), None, object)

    def __len__(self) -> int:
        return len(self.lines)

    def reject(self, rows: np.ndarray, reason: str) -> None:
        """Refuse these rows (a mask), unless they already are."""
        self.reasons[rows & (self.reasons == None)] = reason  # noqa: E711 (element by element)

    def read_text(self, name: str) -> pa.Array:
        """The cells of a field as they stand."""
        return self.cells[self.context.columns[name].index]

    def read_moment(self, name: str) -> timestamps.Moments:
        """A date or time; impossible ones refuse their rows."""
        if name not in self._values:
            found = self.context.readings[name].read(
                self.context.clean_values(name, self.read_text(name))
            )
            self.reject(found.bad, "impossible_date")
            self._values[name] = found
        return self._values[name]

    def read_number(self, name: str) -> np.ndarray:
        """A number or a duration in seconds, missing NaN; unreadable or impossible ones
        refuse their rows.
        """
        if name not in self._values:
            reading = self.context.readings[name]
            values, bad, off = reading.read(self.context.clean_values(name, self.read_text(name)))
            is_duration = isinstance(reading, durations.DurationReading)
            self.reject(bad, "bad_duration" if is_duration else "bad_number")
            self.reject(off, "negative_duration" if is_duration else "off_scale")
            self._values[name] = values
        return self._values[name]

    def read_word(self, name: str) -> np.ndarray:
        """The meaning of each cell (object array, None when missing); unknown words
        refuse their rows.
        """
        if name not in self._values:
            known = WORD_LISTS[self.context.columns[name].field.value_type]
            values, unknown = vocabulary.read_words(self.read_text(name), known)
            if name in self.context.notes.get("ticked", ()):
                values[values == None] = known["n"]  # noqa: E711 (element by element)
            self.reject(unknown, "unknown_word")
            self._values[name] = values
        return self._values[name]

    def read_customer(self, name: str) -> pa.Array:
        """The pseudonym of each cell."""
        return self.context.pseudonyms.find_keys(self.read_text(name))


def as_moments(values: np.ndarray) -> pa.Array:
    """datetime64[us] → Arrow, NaT null."""
    return pa.array(values.astype("M8[us]"), pa.timestamp("us"))


def as_numbers(values: np.ndarray, kind: pa.DataType | None = None) -> pa.Array:
    """float64 → Arrow, NaN null."""
    array = pa.array(values, pa.float64(), from_pandas=True)
    return array.cast(kind) if kind else array


def as_words(values: Iterable[Any], kind: pa.DataType | None = None) -> pa.Array:
    """An object array of texts or truths → Arrow, None null."""
    return pa.array(values if isinstance(values, np.ndarray) else list(values), kind or pa.string())
