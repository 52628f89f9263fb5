"""Outcome of each contact, as the file states it: a column of words, flags, the moment
of the answer, the direction. What no column states is not known; nothing is inferred
from durations alone. Where columns or talk times contradict each other, the file asks.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.files.decision import NO_COLUMN, SET_BY_PERSON
from qa_core.files.header_text import separate_words, simplify
from qa_core.ingest.columns import vocabulary
from qa_core.ingest.columns.column_inference import (
    FLAGS,
    NOT_SO,
    FileContext,
    RowBatch,
    refuse_unread,
)
from qa_core.ingest.columns.durations import DurationReading
from qa_core.ingest.columns.header_matching import parse_header
from qa_core.ingest.staging.declaration import Column
from qa_core.ingest.words.tables import list_words
from qa_core.storage.facts.schema import Direction, Outcome

NOT_SAID, NOT_FLAGGED, WEAKLY_ANSWERED, ANSWERED, UNANSWERED = range(5)
"""Ranks of a cell by what it says of the outcome; those above `UNANSWERED` say how."""
_SPECIFIC = [item for item in Outcome if item not in (Outcome.ANSWERED, Outcome.UNANSWERED)]
_MEANINGS = np.array([None, None, *[Outcome.ANSWERED] * 2, Outcome.UNANSWERED, *_SPECIFIC], object)
_CODES: dict[object, int] = {
    None: NOT_SAID,
    NOT_SO: NOT_FLAGGED,
    Outcome.ANSWERED: ANSWERED,
    Outcome.UNANSWERED: UNANSWERED,
    **{item: UNANSWERED + 1 + index for index, item in enumerate(_SPECIFIC)},
}
MAX_UNKNOWN = 0.01
"""Share of unknown words from which on the file asks."""
MIN_ODD, MAX_ODD, MAX_ODD_OF_FEW = 3, 0.01, 0.1
"""Rows that may contradict each other without a question: this number or the first share,
whichever is more, up to the second share.
"""
EXAMPLES = 3
_RECEIVED = (Direction.INBOUND, None)
"""Meaning of `incoming` beside `missed`: a contact received, and answered."""
_OF_THRESHOLD = re.compile(r"\b(?:within|sla?)\b|\d+ ?s(?:ec\w*)?\b", re.IGNORECASE)
"""Header of a flag of the service level: `Answered within 20 s`."""
_ENDS = {Outcome.ANSWERED, Outcome.ABANDONED}
_SAY_BOTH = frozenset(("answered", "missed", "direction"))
"""Columns beside the outcome whose words say who was answered and who was not."""
_FLAG_STEMS = [
    (name, list_words(f"{name}_stems")) for name in ("missed", "abandoned", "voicemail", "answered")
]


@dataclass
class Contradictions:
    """Rows on which two columns disagree, counted while they are read."""

    rows: int = 0
    examples: list[str] = field(default_factory=list)

    def add(
        self, context: FileContext, batch: RowBatch, odd: np.ndarray, names: Iterable[str]
    ) -> None:
        """Count the rows of a mask, and keep the cells of the first ones."""
        self.rows += int(odd.sum())
        for row in np.flatnonzero(odd)[: EXAMPLES - len(self.examples)]:
            cells = ", ".join(
                f"{context.get_header(name)} = {batch.read_text(name)[int(row)].as_py()}"
                for name in names
            )
            self.examples.append(f"{batch.lines[row]}: {cells}")

    def is_more_than_few(self, rows: int) -> bool:
        allowed = min(max(MIN_ODD, MAX_ODD * rows), MAX_ODD_OF_FEW * rows)
        return self.rows > max(1, allowed)


@dataclass
class OutcomePlan:
    """Plan for the outcome: ranks of the words by column, and the outcome of rows without one."""

    ranks: dict[str, dict[str, int]] = field(default_factory=dict)
    by_answer: bool = False
    by_talk: bool = False
    not_flagged: int = NOT_SAID
    rest: int = NOT_SAID
    talk: bool = False
    rows: int = 0
    columns: Contradictions = field(default_factory=Contradictions)
    durations: Contradictions = field(default_factory=Contradictions)

    @property
    def is_known(self) -> bool:
        return bool(self.ranks) or self.by_answer or self.rest != NOT_SAID


def decide_outcome(context: FileContext) -> None:
    """Decide which columns give the outcome. Raises Refusal for unknown or unread words."""
    plan = context.notes["outcome"] = OutcomePlan()
    _rename_flags(context)
    _add_direction(context)
    others = [name for name in FLAGS if context.has(name) and context.evidence[name].total]
    plan.by_answer = context.has("answered_at")
    for name in ("outcome", *FLAGS):
        if context.has(name):
            says_both = {"answered", "missed", "outcome"} & set(others) - {name}
            _require_known(context, name, bool(says_both) or plan.by_answer)
    for name in ("outcome", *FLAGS):
        if context.has(name):
            plan.ranks[name] = _rank_words(context, name)
    _rank_direction(context, plan)
    stated = context.options.only.get("outcome")
    only = None if stated is None else Outcome(stated)
    says_both = plan.by_answer or bool(plan.ranks.keys() & {"outcome", *_SAY_BOTH})
    if only is None:
        adopted = _require_read(context, is_open=not says_both or _is_weak(context, plan))
        if adopted is not None:
            _adopt(context, plan, adopted)
            _add_direction(context)
            says_both = True
    plan.rest = _CODES[only]
    if plan.ranks and not says_both and only is None:
        _require_times(context, plan)
        plan.by_talk = True
        context.guesses.add("outcome")
    if _is_weak(context, plan):
        context.guesses.add("outcome")
    plan.talk = context.has("talk_seconds") and not context.profile.signatures
    _describe(context, plan, only)


def _require_times(context: FileContext, plan: OutcomePlan) -> None:
    """Raise Refusal where nothing tells which of the contacts without a flag were answered."""
    times = ("talk_seconds", "duration", "handle_seconds", "call_seconds")
    if any(context.has(name) for name in times):
        return
    raise Refusal(
        "flags_alone",
        "{columns} flag some contacts, but no column says which other contacts were answered. "
        "Name that column, or say that all of them were answered.",
        options=("--map answered=COLUMN", "--map talk_seconds=COLUMN", "--only outcome=answered"),
        columns=", ".join(context.get_header(name) for name in plan.ranks),
    )


def _rename_flags(context: FileContext) -> None:
    """Use yes and no as the flag that their header names. Raises Refusal where it names none."""
    if not context.has("outcome"):
        return
    column, evidence = context.columns["outcome"], context.evidence["outcome"]
    answers = set(vocabulary.YES_NO) - set(vocabulary.OUTCOMES)
    if not evidence.total or not evidence.words <= answers - vocabulary.CASE_STATES:
        return
    header = simplify(column.header.text)
    name = next((flag for flag, stems in _FLAG_STEMS if any(s in header for s in stems)), None)
    if name is None or context.has(name):
        raise context.refuse(
            "flag_as_outcome",
            "The column {column} says yes or no ({seen}), but its header does not say to "
            "what. Say what it flags.",
            "outcome",
            *(f"--map {name}={{column}}" for name in FLAGS if not context.has(name)),
            "--map ignore={column}",
            seen=evidence.show(),
        )
    field_of_flag = context.profile.get_field(name)
    context.columns[name] = replace(context.columns.pop("outcome"), field=field_of_flag)
    context.evidence[name] = context.evidence.pop("outcome")
    context.words.pop("outcome")
    context.add_words(context.columns[name])
    context.evidence[name].known = context.words[name]


def _add_direction(context: FileContext) -> None:
    """Read words that give direction and outcome together, such as `Missed inbound`."""
    for name, index in (("outcome", 1), ("direction", 0)):
        if context.has(name):
            words = context.words[name]
            for word in context.evidence[name].unknown:
                meaning = vocabulary.read_compound(word)[index]
                if name == "direction":
                    meaning = meaning or vocabulary.read_direction(word)
                if meaning:
                    words[simplify(word)] = meaning
    if context.has("outcome") and not context.has("direction"):
        evidence = context.evidence["outcome"]
        compound = {
            word: vocabulary.read_compound(word)[0]
            for word in evidence.seen
            if simplify(word) != "callback"  # to be made, as how a contact ended
        }
        if any(compound.values()) and context.profile.get_field("direction"):
            context.columns["direction"] = replace(
                context.columns["outcome"], field=context.profile.get_field("direction")
            )
            context.words["direction"] = {
                **{simplify(word): direction for word, direction in compound.items()},
                **context.taught.get(context.columns["outcome"].index, {}),
            }
            context.evidence["direction"] = replace(
                evidence, field="direction", known=context.words["direction"]
            )


def _require_known(context: FileContext, name: str, is_said_otherwise: bool) -> None:
    """Drop a column that says nothing of the outcome. Raises Refusal where words are unknown."""
    evidence = context.evidence[name]
    unknown = sum(evidence.unknown.values())
    is_requested = name in context.options.columns
    of_cases = evidence.words <= vocabulary.CASE_STATES
    if not evidence.total or (of_cases and not is_requested):
        context.leave_words_aside(name)
    elif unknown > MAX_UNKNOWN * evidence.total:
        if is_said_otherwise and not is_requested:
            context.leave_words_aside(name)
            return
        raise context.refuse(
            "unknown_words",
            "Some words of the column {column} do not say how a contact ended: {seen}. Say "
            "what they mean.",
            name,
            *context.list_word_options(name),
            seen=", ".join(
                f"{word} ({count})" for word, count in evidence.unknown.most_common(EXAMPLES * 2)
            ),
        )


def _rank_words(context: FileContext, name: str) -> dict[str, int]:
    taught = context.taught.get(context.columns[name].index, {})
    ranks = {}
    for word, meaning in context.words[name].items():
        if isinstance(meaning, bool) and name in FLAGS:  # a taught yes or no
            meaning = FLAGS[name][not meaning]
        is_weak = word in vocabulary.WEAK_ANSWERS and word not in taught and name == "outcome"
        ranks[word] = WEAKLY_ANSWERED if is_weak else _CODES.get(meaning, NOT_SAID)
    return ranks


def _rank_direction(context: FileContext, plan: OutcomePlan) -> None:
    """Rank words of the direction by outcomes: an inbound call not `Missed` was answered."""
    if not context.has("direction") or context.columns["direction"].index in {
        context.columns[name].index for name in plan.ranks
    }:
        return
    words = context.words["direction"]
    ranks, flagged = {}, {Direction.INBOUND}
    for word in context.evidence["direction"].seen:
        direction, outcome = vocabulary.read_compound(word)
        if outcome is not None and (direction is None or len(simplify(word).split()) > 1):
            words[simplify(word)] = direction or Direction.INBOUND
            flagged.add(words[simplify(word)])
            ranks[simplify(word)] = _CODES[outcome]
    if not ranks:
        return
    for word, direction in words.items():
        ranks.setdefault(word, NOT_FLAGGED if direction in flagged else NOT_SAID)
    plan.ranks["direction"] = ranks
    if not {"outcome", "answered", "missed"} & set(plan.ranks) and not plan.by_answer:
        plan.not_flagged = ANSWERED
    seen = context.evidence["direction"].show()
    context.decide("direction", "missed calls are inbound and unanswered", seen)


def _is_weak(context: FileContext, plan: OutcomePlan) -> bool:
    """Return whether the outcome has no word but such as `completed`, and no column beside it
    says which contacts were answered.
    """
    if "outcome" not in plan.ranks or plan.by_answer or plan.ranks.keys() & _SAY_BOTH:
        return False
    ranks = plan.ranks["outcome"]
    seen = {ranks.get(word, NOT_SAID) for word in context.evidence["outcome"].words}
    return WEAKLY_ANSWERED in seen and max(seen) == WEAKLY_ANSWERED


def _require_read(context: FileContext, is_open: bool) -> int | None:
    """Find a column without a field whose words all name outcomes, answered or not.
    Raises Refusal for other columns that may name them: by words or header where
    `is_open`, else only for flags by their header.
    """
    asked, adopted = [], []
    for index, evidence in context.unread.items():
        is_named = vocabulary.names_an_outcome(context.headers[index]) and not any(
            word.replace(" ", "").isdigit() and word not in ("0", "1") for word in evidence.words
        )
        is_flag = is_named and evidence.words <= set(vocabulary.YES_NO)
        if not evidence.seen or (is_flag and not is_open and _repeats_outcome(context, index)):
            continue
        if not is_open and _OF_THRESHOLD.search(separate_words(context.headers[index])):
            continue
        known = {
            word: meaning
            for word in evidence.seen
            if (meaning := vocabulary.read_compound(word)) != (None, None)
        }
        plain = {known[word][1] for word in known if vocabulary.is_plain_outcome(word)}
        is_answered = Outcome.ANSWERED in plain or _RECEIVED in known.values()
        is_known = len(known) == len(evidence.seen)
        says_both = is_known and {outcome for _direction, outcome in known.values()} >= _ENDS
        if is_answered and plain - {Outcome.ANSWERED} and is_known:
            adopted.append(index)
        elif not (is_open or is_flag):
            continue
        elif plain or says_both or (is_named and (len(evidence.seen) > 1 or evidence.is_ticked)):
            asked.append((index, evidence))
    if len(adopted) == 1 and not asked and not context.has("outcome"):
        return adopted[0]
    adopted = adopted if is_open else []
    asked += [(index, context.unread[index]) for index in adopted]
    if asked:
        names = [context.headers[index] for index, _evidence in asked]
        is_flag = all(
            evidence.is_ticked or evidence.words <= set(vocabulary.ANSWERS)
            for _at, evidence in asked
        )
        fields = [
            name
            for name in (*(() if is_flag else ("outcome",)), *FLAGS, "ignore")
            if not context.has(name) or (is_open and name == "outcome")
        ]
        raise refuse_unread("unread_outcome", names, N_("Outcome"), fields, asked[0][1].show())
    return None


def _repeats_outcome(context: FileContext, index: int) -> bool:
    """Return whether a flag without a field says the same as the recognised outcome."""
    sample = context.take_sample()
    answer = None
    if context.has("answered_at"):
        moments = sample.read_moment("answered_at")
        answer = ~(np.isnat(moments.day) & np.isnat(moments.clock))
    outcome = build_outcome(context, sample, answer)
    flags, _unknown = vocabulary.read_words(sample.cells[index], vocabulary.YES_NO, None)
    if False in flags:  # else only the rows that are so have a cell
        outcome = np.where(flags == None, None, outcome)  # noqa: E711
    is_known = outcome != None  # noqa: E711
    same = (outcome == Outcome.ANSWERED)[is_known] == (flags == True)[is_known]  # noqa: E712
    return len(same) > 0 and (same.all() or not same.any())


def _adopt(context: FileContext, plan: OutcomePlan, index: int) -> None:
    header = parse_header(context.headers[index])
    context.columns["outcome"] = Column(context.profile.get_field("outcome"), index, header)
    evidence = context.unread[index]
    context.words["outcome"] = {
        simplify(word): Outcome.ANSWERED if meaning == _RECEIVED else meaning[1]
        for word in evidence.seen
        if (meaning := vocabulary.read_compound(word))
    }
    context.evidence["outcome"] = replace(evidence, field="outcome", known=context.words["outcome"])
    plan.ranks["outcome"] = _rank_words(context, "outcome")
    context.decide("outcome", "{column} says how contacts ended, by its words")
    if context.has("reason") and context.columns["reason"].index == index:
        context.drop_replaced("reason", "outcome")


def _describe(context: FileContext, plan: OutcomePlan, only: Outcome | None) -> None:
    for name in plan.ranks:
        evidence = context.evidence[name]
        meanings = ", ".join(
            f"{word} → {meaning}"
            for word, _count in evidence.seen.most_common(12)
            if (meaning := _MEANINGS[plan.ranks[name].get(simplify(word), NOT_SAID)])
        )
        if meanings and name != "direction":
            seen, column = evidence.show(), context.get_header(name)
            context.decide("outcome", "read as: {said}", seen, said=meanings, column=column)
    if plan.by_answer and not {"outcome", "answered", "missed"} & set(plan.ranks):
        answered = context.get_header("answered_at")
        context.decide("outcome", "answered if there is an answer time, else unanswered", answered)
    elif plan.by_talk:
        columns = ", ".join(context.get_header(name) for name in plan.ranks)
        message = N_("answered if no flag says otherwise and there is talk time")
        context.decide("outcome", message, columns)
    if only is not None:
        context.decide("outcome", only.value, SET_BY_PERSON)
    elif not plan.is_known:
        context.decide("outcome", "unknown, so rates have no data", NO_COLUMN)


def build_outcome(
    context: FileContext, batch: RowBatch, answer: np.ndarray | None, talk: np.ndarray | None = None
) -> np.ndarray | None:
    """Build the outcome of each contact of a batch (object array, None where not
    known); None where no column gives it. `answer`: whether there is a moment of
    answer; `talk`: the talk time, which decides where there are only flags.
    """
    plan: OutcomePlan = context.notes["outcome"]
    plan.rows += 0 if batch.is_sample else len(batch)
    if not plan.is_known:
        return None
    parts = {name: batch.read_meanings(name, ranks, NOT_SAID) for name, ranks in plan.ranks.items()}
    if answer is not None and plan.by_answer:
        parts["answered_at"] = np.where(answer, WEAKLY_ANSWERED, UNANSWERED).astype(np.int8)
    # The column that a person has named decides.
    columns = sorted(parts, key=lambda name: name not in context.options.columns)
    parts = {name: parts[name] for name in columns}
    merged, odd = np.full(len(batch), NOT_SAID, np.int8), np.zeros(len(batch), bool)
    for part in parts.values():
        odd |= (merged == ANSWERED) & (part >= UNANSWERED)
        odd |= (merged >= UNANSWERED) & (part == ANSWERED)
        stronger = (merged < ANSWERED) & (part > merged)
        merged = np.where(stronger | ((merged == UNANSWERED) & (part > UNANSWERED)), part, merged)
    if batch.is_sample:
        odd[:] = False
    plan.columns.add(context, batch, odd, columns)
    if plan.by_talk and talk is not None:
        open_ended = merged <= NOT_FLAGGED
        merged[open_ended & (talk > 0)] = WEAKLY_ANSWERED
        merged[open_ended & (talk == 0)] = UNANSWERED
    merged[merged == NOT_FLAGGED] = plan.not_flagged
    merged[merged <= NOT_FLAGGED] = plan.rest
    reading: DurationReading | None = context.readings.get("talk_seconds")
    # Whole minutes round short calls down to zero.
    if plan.talk and not batch.is_sample and reading.unit in ("s", "ms"):
        talk = batch.read_number("talk_seconds")
        missed = (merged == UNANSWERED) | (merged == _CODES[Outcome.ABANDONED])
        answered = (merged == WEAKLY_ANSWERED) | (merged == ANSWERED)
        odd = (missed & (talk > 0)) | (answered & (talk == 0))
        plan.durations.add(context, batch, odd, (*plan.ranks, "talk_seconds"))
    return _MEANINGS[merged]


def require_agreement(context: FileContext) -> None:
    """Raise Refusal where columns contradict each other on many rows, unless that is accepted."""
    plan: OutcomePlan = context.notes["outcome"]
    fields = [*plan.ranks, *(("answered_at",) if plan.by_answer else ())]
    # Words that only a person understands say less than a flag.
    fields.sort(key=lambda name: name == "outcome" and bool(context.options.words))
    if any(name in context.options.columns for name in fields):
        return
    names = [context.get_header(name) for name in fields]
    decides = tuple(f"--map {name}={context.get_header(name)}" for name in fields)
    if plan.columns.is_more_than_few(plan.rows):
        raise Refusal(
            "contradicting_outcomes",
            "{columns} contradict each other on how {count} of {rows} contacts ended (line "
            "{examples}). Say which column decides.",
            options=decides,
            columns=", ".join(names),
            count=plan.columns.rows,
            rows=plan.rows,
            examples="; ".join(plan.columns.examples),
        )
    if plan.durations.is_more_than_few(plan.rows):
        talk = context.get_header("talk_seconds")
        raise Refusal(
            "outcome_and_talk",
            "{columns} and the talk time in {talk} contradict each other on {count} of {rows} "
            "contacts (line {examples}). Name {columns} if they are right, or say what {talk} is.",
            options=(*decides[:1], f"--map duration={talk}", f"--map ignore={talk}"),
            columns=", ".join(names),
            talk=talk,
            count=plan.durations.rows,
            rows=plan.rows,
            examples="; ".join(plan.durations.examples),
        )
