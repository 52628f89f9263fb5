"""Confirmation of what was inferred of a file: by its layout, confirmed before, or by the
person who imports it now.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_, _
from qa_core.files.header_text import simplify
from qa_core.files.options import ImportOptions
from qa_core.ingest.columns.column_inference import DECLARED_WORDS, READ_AS_DURATION
from qa_core.ingest.load import layouts, reused_ids
from qa_core.ingest.matching import machines
from qa_core.ingest.profiles.evaluations import ALL_CRITERIA
from qa_core.ingest.questions import Interpreter
from qa_core.ingest.reading import plausibility, reading, table_reader
from qa_core.ingest.reading.reading import (
    MAX_ANSWERS,
    MAX_SAMPLES,
    TOLD_ROWS,
    AnswerOption,
    Question,
)
from qa_core.ingest.reading.report import UNCONFIRMED
from qa_core.ingest.staging.duckdb_session import open_session
from qa_core.ingest.staging.staged import Staged
from qa_core.storage.records import store
from qa_core.storage.records.imports import ConfirmedReading

Stage = Callable[[ImportOptions], Staged]


@dataclass
class Confirmation:
    """Confirmation of the reading of one file. `given`: the options of the person, completed
    from a saved mapping; `profile`: its name.
    """

    reading: reading.Reading
    given: ImportOptions
    path: Path | None = None
    profile: str | None = None
    options: ImportOptions = field(init=False)
    layout: ConfirmedReading | None = None
    missing: dict[str, str] = field(default_factory=dict)
    _interpreter: Interpreter | None = None
    _new_headers: list[str] = field(default_factory=list)
    _new_fields: frozenset[str] = frozenset()
    """Headers of fields that figures rest on and the layout did not have."""

    def __post_init__(self) -> None:
        self.options = self.given

    def read(self, stage: Stage) -> Staged:
        """Read the file with the answers of its layout, and collect its questions. Raises
        Refusal where the file cannot be read, or not before a question is answered.
        """
        found, kind = self.reading, self.reading.kind
        columns = table_reader.find_columns(self.path, kind, self.given, self.profile)
        found.system = columns.system
        found.layout = reading.compute_layout(kind, found.system, columns.headers)
        if not self.given.is_stated:
            with store.reading_or_empty() as session:
                self.layout, self.missing = layouts.find_layout(
                    session, kind, found.system, columns.headers
                )
        if self.layout is not None:
            self._compare(columns)
        self._interpreter = Interpreter(stage, columns.headers, columns.mapping, columns.empty)
        base = self._with_layout(self.given)
        try:
            staged = self._interpreter.interpret(base)
        except Refusal as refusal:
            measured = self._interpreter.measure(base)
            found.questions = [question for question in measured if question.answers]
            if refusal.code not in {question.refusal.code for question in found.questions}:
                found.questions = []
                raise
            raise self._refuse() from None
        self._require_effect(staged)
        self.options, found.questions = self._interpreter.options, self._interpreter.measure(base)
        return staged

    def _require_effect(self, staged: Staged) -> None:
        """Raise Refusal for an option of the person that nothing in the file is read by."""
        given, columns = self.given, {*staged.mapping, *staged.mapping.values(), ALL_CRITERIA}
        rated = {*(scales := staged.settled.get("scales", {})), *map(staged.mapping.get, scales)}
        rated |= {"nps"} if given.scales.get("nps") == "0-10" else set()  # on no other
        rated |= columns if staged.kind == "evaluations" else set()
        if not self._interpreter.options.columns.keys().isdisjoint(READ_AS_DURATION):
            columns.add("duration")
        pairs = [("unit", name) for name in given.units if name not in columns]
        pairs += [("scale", name) for name in given.scales if name not in rated]
        pairs.append(("purpose", given.purpose if staged.kind != "recordings" else None))
        pairs.append(("pattern", given.pattern))  # of recordings without a manifest
        for option, name in pairs:
            if name and not given.is_stated:
                staged.discard()
                raise Refusal(
                    "no_effect",
                    "{option} {field} has no effect: nothing in this file is read by it.",
                    options=(f"--map {name}=COLUMN",) if option in ("unit", "scale") else (),
                    option=f"--{option}",
                    field=name,
                )

    def _compare(self, columns: table_reader.FileColumns) -> None:
        """Find what the file has beyond its layout. Where it names further fields, and all in the
        words of the design, it needs none.
        """
        new = [text for text in columns.headers if text not in self.layout.headers]
        added = {
            text
            for name, text in columns.mapping.items()
            if self.layout.headers and text in new and name not in self.layout.mapping
        }
        if added and all(name == text for name, text in columns.mapping.items()):
            self.layout, self.missing = None, {}
            return
        self._new_fields = columns.deciding & added
        self._new_headers = [text for text in new if text not in self._new_fields]
        if not self.missing and not self._new_fields:
            self.reading.layout = self.layout.layout

    def _with_layout(self, options: ImportOptions) -> ImportOptions:
        if self.layout is None:
            return options
        headers = self._interpreter.headers
        return layouts.apply_layout(self.layout, options, headers, self._new_fields)

    def build(self, staged: Staged) -> list[plausibility.Oddity]:
        """Build the facts and remarks of a file that was read. Returns what looks odd. Raises
        Refusal where the file reads otherwise than the person expects.
        """
        found = self.reading
        if not found.layout:
            found.system = staged.system
            found.layout = reading.compute_layout(staged.kind, staged.system, staged.headers)
        is_known = self.layout is not None and not self._new_fields
        is_before = is_known and not self.missing
        with open_session(staged) as connection:
            scope = reused_ids.find_key_scope(connection, staged, self.options)[0]
            handled = None
            if staged.kind == "contacts":
                with store.reading_or_empty() as session:
                    handlers = machines.find_handlers(connection, staged, self.options, session)
                handled = machines.select_handled(staged, handlers)
            found.headline = reading.count_headline(connection, staged, scope, handled)
            days = reading.find_days(connection, staged)
            found.facts = reading.build_facts(
                connection, staged, days, found.headline, scope, is_known
            )
            odd = plausibility.check(connection, staged)
        found.rows = [
            reading.tell_row(staged.kind, row) for row in reading.find_rows(staged)[:TOLD_ROWS]
        ]
        found.unused = {
            column: [*dict.fromkeys(staged.unused_cells.get(column, ()))][:MAX_SAMPLES]
            for column in staged.dropped
        }
        found.remarks = [item.as_json() for item in odd]
        is_inferred = bool(staged.inferred or scope)
        found.must_confirm = is_inferred and not is_before and not self.given.is_stated
        if self.layout is not None:
            found.questions += self._find_drift(staged)
            self._remark_changes(staged)
        self._require_expected(days)
        return odd

    def _remark_changes(self, staged: Staged) -> None:
        for name, column in self.missing.items():
            message = _(
                "The column {column} is gone: {field} is missing.", column=column, field=name
            )
            if name not in staged.mapping:
                remark = {"code": "missing_column", "message": message, "value": column}
                self.reading.remarks.append(remark)
        new = [name for name in self._new_headers if name in staged.dropped and self.layout.headers]
        if new:
            message = _("New columns, not used: {columns}", columns=", ".join(new))
            self.reading.remarks.append(
                {"code": "new_column", "message": message, "value": len(new)}
            )

    def _find_drift(self, staged: Staged) -> Iterator[Question]:
        """Find what the layout's confirmation does not cover: missing columns, new words."""
        asked = {question.refusal.params.get("word") for question in self.reading.questions}
        for name, column in self.missing.items():
            self.reading.must_confirm = True
            if name not in self.given.columns:
                refusal = layouts.refuse_missing(name, column, self._new_headers)
                if answers := tuple(self._try_answers(refusal)):
                    yield Question(refusal, (*answers, self._as_read))
        for column, words in staged.words.items():
            covered = self.layout.words.get(column, words)
            for word in words:
                if word in covered or word in asked or simplify(word) in DECLARED_WORDS:
                    continue
                self.reading.must_confirm = True
                if f"{column}:{word}" not in self.given.words:
                    refusal = layouts.refuse_new_word(column, word)
                    yield Question(refusal, (self._as_read, *self._try_answers(refusal)))

    @property
    def _as_read(self) -> AnswerOption:
        return AnswerOption(self.reading.confirm_option, self.reading.headline)

    def _try_answers(self, refusal: Refusal) -> Iterator[AnswerOption]:
        for option in refusal.options[: MAX_ANSWERS - 1]:
            options = self._with_layout(self.given.with_answer(option))
            is_possible, effect = self._interpreter.find_effect(options)
            if is_possible:
                yield AnswerOption(option, effect)

    def _require_expected(self, days: tuple[object, object]) -> None:
        days_by_name = dict(zip(("first_day", "last_day"), days, strict=True))
        counts = {
            name: str(value) for name, value in (self.reading.headline | days_by_name).items()
        }
        for name, value in self.given.expect.items():
            if counts.get(name) != value:
                raise Refusal(
                    "unexpected_counts",
                    "{name} is {count} in this file, not {value} as expected. Nothing was written.",
                    name=name,
                    count=counts.get(name, "–"),
                    value=value,
                )

    def require(self) -> ImportOptions | None:
        """Return the options to keep with the layout where this import confirms it, None where
        there is nothing to confirm. Raises Refusal while a person must confirm the reading.
        """
        found = self.reading
        is_named = self.given.confirm == found.layout
        is_open = any(
            not (is_named and found.confirm_option in {item.option for item in question.answers})
            for question in found.questions
        )
        if found.verdict == "sure":
            return self.options if is_named and self.given.has_answers else None
        if is_open or not is_named or (self.given.has_answers and not self._was_printed()):
            raise self._refuse()
        found.questions, found.must_confirm = [], False
        return self.options

    def _was_printed(self) -> bool:
        """Return whether the person has seen these counts: expects them, or they were printed
        for this layout, or would be as the effect of an answer.
        """
        if set(self.reading.headline) <= set(self.given.expect):
            return True
        with store.reading() as session:
            if layouts.was_printed(session, self.reading):
                return True
        if self._interpreter is None:
            return False
        base = self._with_layout(self.given.without_answers())
        known = self._interpreter
        other = Interpreter(known.stage, known.headers, known.mapping, known.empty)
        try:
            other.interpret(base).discard()
        except Refusal:
            return False
        effects = [answer.effect for item in other.measure(base) for answer in item.answers]
        return self.reading.headline in (other.find_effect(other.options)[1], *effects)

    def _refuse(self) -> Refusal:
        """Build the refusal of a reading to confirm; what it prints is remembered."""
        found = self.reading
        if not self.given.dry_run:
            layouts.note_printed(found)
        options = [option for question in found.questions for option in question.refusal.options]
        return Refusal(
            UNCONFIRMED,
            N_("Answer the questions about this file, then confirm how it is read.")
            if found.questions
            else N_("Check how this file is read, and confirm it once. Nothing was written."),
            options=(*dict.fromkeys(options), found.confirm_option),
        )
