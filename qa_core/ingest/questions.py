"""Questions that a file leaves open: all of them are collected at once, by taking the likeliest
answers for granted, with the headline counts that each answer leads to.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from qa_core.base import environment
from qa_core.base.errors import Misuse, Refusal
from qa_core.base.i18n import N_
from qa_core.files.header_text import simplify
from qa_core.files.options import ImportOptions
from qa_core.ingest.columns import header_matching, vocabulary
from qa_core.ingest.load import layouts, reused_ids
from qa_core.ingest.matching import machines, teams
from qa_core.ingest.profiles import surveys
from qa_core.ingest.reading import plausibility
from qa_core.ingest.reading.reading import (
    MAX_ANSWERS,
    AnswerOption,
    Counts,
    Question,
    count_headline,
)
from qa_core.ingest.reading.registry import get_profile
from qa_core.ingest.staging.duckdb_session import open_session
from qa_core.ingest.staging.staged import Staged
from qa_core.ingest.words.tables import build_pattern, list_words
from qa_core.storage.facts.schema import Handler
from qa_core.storage.records import store

MAX_QUESTIONS, MAX_TRIES, MAX_TRIED_COLUMNS = 16, 40, 8
MAX_TRIED_ROWS = 3_000_000
"""Rows that are read to find questions and effects; later answers have no effect printed."""
NO_QUESTIONS = frozenset(
    ("unknown_profile", "unknown_column", "unknown_field", "columns_of_export", "other_kind")
)
"""Refusals of an option that was given, which is obeyed or refused."""
_OPEN = ("--yes", "--delimiter D", "--encoding E", "--sheet NAME", "--timezone TZ")
"""Options that are no answer, or that only the person can complete."""
_CHOICE = re.compile(r"^(.*[ =])(\S+(?:\|\S+)+)$")
_OUTCOMES = ("answered", "abandoned", "unanswered", "missing")
_DIRECTIONS = ("inbound", "outbound", "internal", "missing")
_TRUTHS = ("yes", "no", "missing")
_IDS = ("contact_id", "ticket", "customer")
_PERSONS = list_words("persons")
_ANSWER = build_pattern("of_answer")
"""Header of the id of an answer, which names no contact."""
_PHONE = r"^(\+|0)[0-9 .]{8,}$"
_ID = build_pattern("of_id")


@dataclass
class OpenQuestion:
    """Question being collected: its candidate answers, and the one taken for granted."""

    refusal: Refusal
    options: tuple[str, ...]
    chosen: int = 0

    @property
    def answer(self) -> str | None:
        return self.options[self.chosen] if self.chosen < len(self.options) else None


@dataclass
class Interpreter:
    """Reading of one file under several options. `headers` and `mapping`: its columns, and
    the fields that they are recognised as; `empty`: columns that answer no question.
    """

    stage: Callable[[ImportOptions], Staged]
    headers: tuple[str, ...]
    mapping: Mapping[str, str]
    empty: frozenset[str] = frozenset()
    questions: list[OpenQuestion] = field(default_factory=list)
    options: ImportOptions = field(default_factory=ImportOptions)
    tries: int = 0
    rows: int = 0

    def interpret(self, options: ImportOptions) -> Staged:
        """Read the file; answers are taken for granted where it leaves questions open. Raises
        Refusal where no answer helps.
        """
        known: dict[tuple[str, ...], list[OpenQuestion]] = {}
        while True:
            self.options = self._complete(options)
            try:
                return self._read(self.options)[0]
            except Misuse:
                raise
            except Refusal as refusal:
                key = (refusal.code, *refusal.options)
                if key in known:
                    for question in known[key]:
                        question.chosen += 1
                else:
                    known[key] = [*self._open_questions(refusal)]
                    self.questions += known[key]
                is_answerable = any(question.answer for question in known[key])
                if not is_answerable or len(self.questions) > MAX_QUESTIONS:
                    ignored = [
                        question.refusal
                        for question in self.questions
                        if (question.answer or "").startswith("--map ignore=")
                    ]
                    # The column is missing because the answer before left it out.
                    is_follow = bool(ignored) and refusal.code == "missing_column"
                    is_rejected = refusal.code == "too_many_rejected"
                    missing = [
                        question.refusal
                        for question in self.questions
                        if is_rejected and question.refusal.code == "missing_column"
                    ]
                    raise (ignored[-1] if is_follow else [refusal, *missing][-1]) from None

    def measure(self, options: ImportOptions) -> list[Question]:
        """Build the questions, each answer with the counts that it leads to."""
        return [self._measure_question(options, question) for question in self.questions]

    def _measure_question(self, options: ImportOptions, question: OpenQuestion) -> Question:
        others = [other for other in self.questions if other is not question]
        base = self._complete(options, others)
        is_provisional = question.answer is not None
        answers = []
        for text in dict.fromkeys((question.answer, *question.options)):
            if text is None or len(answers) == MAX_ANSWERS:
                continue
            is_one_of_several = ", " in str(question.refusal.params.get("column"))
            is_one_of_several &= text.startswith("--map ignore=")
            code = question.refusal.code if is_one_of_several else ""
            is_possible, effect = self.find_effect(base.with_answer(_fill(text)), code)
            if not is_possible and (answers or not is_provisional):
                continue
            if effect is not None and text.startswith("--map ignore="):
                effect = {**effect, "lost": text.removeprefix("--map ignore=")}
            answers.append(AnswerOption(text, effect))
        return Question(question.refusal, tuple(answers), is_provisional and bool(answers))

    def find_effect(self, options: ImportOptions, code: str = "") -> tuple[bool, Counts | None]:
        """Return whether the file can be read so, but for another question with that code,
        and the counts; none beyond the limits.
        """
        if self.tries >= MAX_TRIES or self.rows >= MAX_TRIED_ROWS:
            return True, None
        try:
            staged, counts = self._read(options, is_counted=True)
        except Refusal as refusal:
            return refusal.code == code, None
        staged.discard()
        return True, counts

    def _read(
        self, options: ImportOptions, is_counted: bool = False
    ) -> tuple[Staged, Counts | None]:
        self.tries += 1
        staged = self.stage(options)
        try:
            self.rows += staged.tally.read
            plausibility.require_few_rejected(staged)
            with open_session(staged) as connection:
                scope, _decision = reused_ids.find_key_scope(connection, staged, options)
                with store.reading_or_empty() as session:
                    teams.find_teams(connection, staged, session)
                    if staged.kind == "contacts":
                        machines.find_answers(connection, staged, options, session)
                counts = count_headline(connection, staged, scope) if is_counted else None
                return staged, counts
        except BaseException:
            staged.discard()
            raise

    def _fits(self, answer: str, column: str, refusal: Refusal) -> bool:
        """Return whether a column holds what a question asks for."""
        try:
            staged = self._read(self.options.with_answer(answer))[0]
            is_different = not answer.startswith("--map contact_id=") or _are_different(staged)
            staged.discard()
        except Refusal as other:
            is_open = other.code.startswith("ambiguous_") or other.params.get("column") != column
            return other.code not in (refusal.code, "too_many_rejected") and is_open
        unreadable = sum(staged.tally.blanked.get(column, {}).values())
        return 2 * unreadable <= staged.accepted and is_different

    def _complete(
        self, options: ImportOptions, questions: Iterable[OpenQuestion] | None = None
    ) -> ImportOptions:
        for question in self.questions if questions is None else questions:
            if question.answer:
                options = options.with_answer(_fill(question.answer))
        return options

    def _open_questions(self, refusal: Refusal) -> Iterator[OpenQuestion]:
        """Split a refusal into questions with candidate answers: one per word, else one."""
        if refusal.code in NO_QUESTIONS:
            return
        options = [option for option in refusal.answers if option.startswith("--")]
        words = [option for option in options if option.endswith("=MEANING") and ":" in option]
        words = [option for option in words if not option.endswith(":VALUE=MEANING")]
        for option in words:
            column, _colon, word = option.removeprefix("--word ")[: -len("=MEANING")].partition(":")
            field_name = refusal.params.get("field") or next(
                (name for name, text in self.mapping.items() if text == column), column
            )
            prefix = option.removesuffix("MEANING")
            meanings = tuple(prefix + item for item in _rank_meanings(field_name, word))
            asked = Refusal(
                refusal.code,
                N_("What does {word} mean in the column {column}?"),
                (option,),
                word=word,
                column=column,
            )
            yield OpenQuestion(asked, meanings)
        if refusal.code == machines.MACHINE_OR_PERSON:
            for column, names in refusal.params["by_column"].items():
                prefix = f"--word {column}:"
                asked = Refusal(
                    refusal.code,
                    N_("Is {name} a machine or a person?")
                    if len(names) == 1
                    else N_("Which of these are machines, and which are people: {name}?"),
                    tuple(option for option in options if option.startswith(prefix)),
                    name=", ".join(names),
                    by_column={column: names},
                )
                yield OpenQuestion(asked, asked.options)
        elif not words:
            expanded = (answer for item in options for answer in self._expand(item, refusal))
            rest = dict.fromkeys(expanded)
            if rest:
                yield OpenQuestion(refusal, tuple(rest))

    def _expand(self, option: str, refusal: Refusal) -> Iterator[str]:
        if option in _OPEN or "FIELD=" in option or "VALUE=MEANING" in option:
            return
        if option.endswith("=COLUMN"):
            used = {*self.mapping.values(), *self.empty}
            name = option.removeprefix("--map ").removesuffix("=COLUMN")
            free = [
                text
                for text in self.headers
                if text and text not in used and not _is_other_field(name, text)
            ]
            likely = layouts.find_similar(name, free)
            if name in _IDS:
                likely.sort(key=lambda text: not _ID.search(simplify(text)))
            for column in likely[:MAX_TRIED_COLUMNS]:
                if self._fits(f"--map {name}={column}", column, refusal):
                    yield f"--map {name}={column}"
        elif match := _CHOICE.match(option):
            yield from (match[1] + choice for choice in match[2].split("|"))
        else:
            yield option


def _are_different(staged: Staged) -> bool:
    """Return whether most contacts of a file have an id of their own, which is no phone number."""
    with open_session(staged) as connection:
        rows, ids, phones = connection.execute(
            "SELECT count(contact_id), count(DISTINCT contact_id), count(*) FILTER "
            f"(regexp_matches(contact_id, '{_PHONE}')) FROM staged"
        ).fetchone()
    return 2 * ids > rows > 2 * phones


def _is_other_field(name: str, header: str) -> bool:
    """Return whether a header names another field of a contact, such as the advisor, not an id,
    or a fact of the answering, not a rating.
    """
    if name in header_matching.RATINGS:
        return bool(surveys.OF_ANSWERING.fullmatch(simplify(header)))
    if name not in _IDS:
        return False
    parsed = header_matching.parse_header(header)
    if parsed.scale or parsed.out_of or parsed.words in _PERSONS:
        return True
    if name == "contact_id" and _ANSWER.search(simplify(header)):
        return True
    field_name = header_matching.name_field(header, get_profile("contacts", None).fields)
    return field_name not in ("", *_IDS)


def _fill(option: str) -> str:
    """Fill in a day that only the person knows, to go on with."""
    is_day = option.startswith("--start-date ")
    return f"--start-date {environment.today()}" if is_day else option


def _rank_meanings(field_name: str, word: str) -> Iterable[str]:
    """List the meanings that a word may have, the likeliest first."""
    if field_name == "direction":
        return _DIRECTIONS
    if field_name == "handled_by":
        return (*reversed(Handler), "missing")
    profiles = (get_profile(kind, None) for kind in ("contacts", "surveys"))
    if field_name != "outcome" and any(known.get_field(field_name) for known in profiles):
        return _TRUTHS
    text = simplify(word)
    close = difflib.get_close_matches(text, list(vocabulary.OUTCOMES), 1, 0.75) or [
        part for part in text.split() if part in vocabulary.OUTCOMES
    ]
    likely = [str(vocabulary.OUTCOMES[name]) for name in close]
    return dict.fromkeys((*likely, *_OUTCOMES))
