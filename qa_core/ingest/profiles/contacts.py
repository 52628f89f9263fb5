"""Contacts as any telephony platform lists them, one row each, recognised by headers."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qa_core.base.errors import Misuse, Refusal, build_unlisted
from qa_core.base.i18n import N_
from qa_core.base.masking import mask_contact_details
from qa_core.files.decision import NO_COLUMN, SET_BY_PERSON, VALUE
from qa_core.files.header_text import simplify
from qa_core.files.signatures import Headers
from qa_core.ingest.columns import header_matching
from qa_core.ingest.columns.column_inference import (
    NAME_OR_IGNORE,
    READ_AS_DURATION,
    FileContext,
    RowBatch,
    refuse_unread,
)
from qa_core.ingest.columns.timestamps import Moments
from qa_core.ingest.columns.timezones import Zone
from qa_core.ingest.columns.vocabulary import (
    ANSWERS,
    CHANNELS,
    DIRECTIONS,
    OUTCOMES,
    YES_NO,
    WordEvidence,
    read_direction,
    read_words,
)
from qa_core.ingest.profiles import other_records, outcomes, starts
from qa_core.ingest.profiles.handle_time import build_times, decide_times
from qa_core.ingest.profiles.telephone_selling import build_selling
from qa_core.ingest.staging.arrays import (
    as_moments,
    as_numbers,
    as_words,
    find_matches,
    map_texts,
    to_numpy,
)
from qa_core.ingest.staging.declaration import Column, Field, Profile, ValueType, build_fields
from qa_core.ingest.staging.pseudonyms import is_extension, normalise_numbers
from qa_core.ingest.words.tables import build_pattern, list_words, load_table
from qa_core.storage.facts.schema import Direction, Handler, Outcome

FIELDS = build_fields("contacts")


def take_fields(tool: str) -> tuple[Field, ...]:
    """Take the fields of a contact that a tool has, recognised by its own headers."""
    headers = load_table("tools")[tool]["headers"]
    known = (field for field in FIELDS if field.name in headers)
    return tuple(replace(field, synonyms="|".join(headers[field.name])) for field in known)


HALF_DAY = 43_200
MAX_SHARED = ((100, 0.2), (20, 0.5))
"""Least number of cells, and the share of them above which a number is nobody's. The last pair
does not hold for a column named customer.
"""
DAY = 86_400
IS_RATING = re.compile(r"\d{1,3}([.,]\d+)?( ?/ ?\d{1,3})?|[★*⭐]+[☆✩]*")
RATED = build_pattern("rated")
"""Words in the header of a rating."""
_SCALE = re.compile(r"[(\[][01] ?[-–àto]+ ?(?:5|7|10)[)\]]")
"""Scale of ratings in a header: `Happy? (1-5)`."""
_NO_ADVISOR = list_words("nobody")
_MAILBOXES = {word: 1 for word, ended in OUTCOMES.items() if ended == Outcome.VOICEMAIL}
_MAILBOXES.pop("vm", None)  # may be somebody's initials
_BETWEEN = re.compile(r"\s*(?:[,/&+>→]|->|\band\b|\bet\b|\bund\b|\by\b|\be\b)\s*")
_SEVERAL = r"\pL\s*[;|]\s*\pL|\pL (?:[/>+]|->|→) \pL"
"""Signs between the names of two advisors who have rows of their own, and of any two."""
_TOTAL = r"^(grand |sub-?|sous-)?tota(l|ls|ux|le)$"
OUTGOING = build_pattern("outgoing")
"""Header of a list of outgoing contacts."""
DIRECTION = build_pattern("direction_header")
"""Header of a column that says nothing but the direction."""
_CALLER = re.compile(r"\b(?:appelante?|ani|cli|present\w+|calling|caller|chiamante|llamante)\b")
"""Header of the customer's number that holds the centre's own where the centre calls."""
_DIALLED = re.compile(r"^(?!.*track).*\b(?:dnis|diall?ed|called|compose|appele)\b")
"""Header of a tracking number that holds the customer's where the centre calls."""
_FROM_US = (Direction.OUTBOUND, Direction.INTERNAL)
_PHONE = r"^\+?[\d\s().-]{8,}$"
_DIGITS, _CALLERS = r"^\+?[\d\s().-]+$", r"^(?:\+|\(?0)(?:[\s().-]*\d){8,14}$"
_FIRST_NAME = build_pattern("first_name")
_ADVISOR, _CHANNEL = build_pattern("advisor"), build_pattern("channel")
_NO_PERSON = build_pattern("no_person")
"""Header of places, products and subjects, whose names look like the name of a person."""
_PERSON = r"^(?:\d{2,6} ?[-–:] ?)?\p{Lu}[\pL'’-]+(?:,? \p{Lu}[\pL'’-]*\.?){1,2}(?: \(\d{2,6}\))?$"
_OF_ADVISOR = r"^(?:(?:\d{2,6} ?[-–:] ?)?\pL[\pL\d .,'’@_-]*(?:\(\d{2,6}\))?|\d{3,6})$"
"""A name of a person, with an extension or without; what names an advisor: also a login."""
MIN_RECURRING = 2
"""Least number of contacts for each of the names of advisors."""
_NOT_COUNTED = list_words("other_contacts")
_BRACKETED = re.compile(r"^.*<([^<>]*)>$")
_WAYS = {
    (False, True): Direction.INBOUND,
    (True, False): Direction.OUTBOUND,
    (True, True): Direction.INTERNAL,
}
"""Direction of a call by whether its caller, and the number called, are extensions."""
MIN_WAYS, MIN_KNOWN_WAYS = 2, 0.95
"""Least calls in and out, and share of calls with an extension, that tell the direction so."""
_OF_RECEIVED = ("queue", "abandoned")
"""Fields that contacts received have, and outgoing ones seldom."""
MIN_CALLED, MIN_CALLED_BY_ONE = 10, 3
"""Number of different called numbers, more than callers, from which on a file asks; the second
where one number calls them all.
"""
_TEXT_COLUMNS, _BOOLEAN_COLUMNS = (
    tuple(
        field.name
        for field in FIELDS
        if field.value_type == value_type
        and field.name not in ("advisor", "advisor_name", "transferred", "by_machine", "time_zone")
    )
    for value_type in (ValueType.TEXT, ValueType.BOOLEAN)
)
"""Fields that a contact carries as the file has them."""
ONLY: Mapping[str, tuple[str, ...]] = {"outcome": tuple(Outcome), "direction": tuple(Direction)}
"""Values that `--only` takes for a field; for texts it takes any."""
MIN_DAILY = 20
"""Rows all at midnight from which on a column of moments gives days alone."""
MAX_SHORT_WAIT = 300
"""Seconds of the median wait below which a minute more or less matters."""
_BY_MINUTE = r"(?i)(?:^|[ T,])\d{1,2}[:h]\d{2}(?: ?[ap]\.?m\.?)?$"
MIN_EARLY, MAX_EARLY = 3, 0.05
"""Number and share of moments before what they follow from which on a file asks."""
ZERO_COLUMNS = ("wait_seconds", "hold_seconds", "wrap_seconds", "csat", "nps", "ces")
"""Columns with 0 where nobody answered; see `table_reader.null_out_zero_placeholders`."""

_NUMBERED_PART = re.compile(r"(.*\w)[-._/][1-9]")
_OF_GROUP = re.compile(
    r"linkedid|(?:master|parent|root|original|initial|linked|correlation)"
    r"(?: (?:calls?|contact|interaction|conversation|session|leg))? (?:s|uu|gu)?id"
)
"""Header of a column that names the contact to which a row belongs."""
MAX_EXAMPLES, MAX_CODES, MAX_LETTER_CODES = 3, 8, 4

DESTROYED = r"^\d(?:[.,]\d+)?[eE]\+?\d+$"
"""Number in scientific notation, as a spreadsheet without room for its digits exports it."""


def claim(headers: tuple[str, ...], columns: dict[str, Column]) -> None:
    """Use a column as the ticket that would name the contact if no other column did."""
    if "ticket" in columns or "contact_id" not in columns:
        return
    field = PROFILE.get_field("ticket")
    used = {column.index for column in columns.values()}
    for index, text in enumerate(headers):
        if text and index not in used and header_matching.name_field(text, (field,)):
            columns["ticket"] = Column(field, index, header_matching.parse_header(text))
            return


def _drop_destroyed(context: FileContext) -> None:
    """Drop identities that a spreadsheet has rounded: many people share each."""
    for name in ("contact_id", "ticket", "customer", "caller", "called"):
        index = context.columns[name].index if context.has(name) else None
        if index is not None and context.compute_share(index, DESTROYED) > 0.1:
            context.drop_column(
                name,
                "the column {column} is left aside: a spreadsheet has rounded its numbers",
                context.sample_cells(index)[0].as_py(),
            )


def _find_placeholders(context: FileContext) -> None:
    """Find numbers that stand for many people: they are on too many rows; and the one number
    that all calls go to, which is nobody's extension.
    """
    for name in ("customer", "caller", "called"):
        if not context.has(name):
            continue
        cells = context.sample_cells(context.columns[name].index)
        if name == "called" and len(cells) >= MIN_CALLED_BY_ONE and len(cells.unique()) == 1:
            context.notes["service_number"] = cells[0].as_py()
        limits = MAX_SHARED[:1] if name == "customer" else MAX_SHARED
        if name == "customer":
            share = context.compute_share(context.columns[name].index, _PHONE)
            context.notes["by_number"] = share > 1 / 2
        share = next((share for number, share in limits if len(cells) >= number), 1)
        counts = pc.value_counts(cells).to_pylist() if share < 1 else []
        shared = [item["values"] for item in counts if item["counts"] > share * len(cells)]
        if shared and name != "called":
            context.notes.setdefault("placeholders", {})[name] = pa.array(shared, pa.string())
            context.inferred.add("customer")
            message = N_("numbers on more than {share} % of the rows identify no customer")
            context.decide(name, message, str(len(shared)), share=f"{100 * share:g}")


def decide_columns(context: FileContext) -> None:
    """Decide which columns give start, outcome and durations."""
    require_only(context.options.only)
    context.notes |= {"rated": 0, "not_answered": 0, "time_missing": 0}
    other_records.require_contacts(context)
    _drop_destroyed(context)
    _find_placeholders(context)
    if context.has("started_at", "local_start") and context.evidence["local_start"].total:
        context.zone = Zone("UTC")
    elif context.has("local_start") and not context.has("started_at"):
        for store in (context.columns, context.evidence, context.readings):
            store["started_at"] = store["local_start"]
    context.columns.pop("local_start", None)
    starts.decide_start(context)
    context.drop_empty("answered_at", "ended_at", "updated_at")
    outcomes.decide_outcome(context)
    _require_own_id(context)
    _require_whole_ids(context)
    _decide_system(context)
    _decide_direction(context)
    _require_one_advisor(context)
    _require_read_texts(context)
    context.require_counted("other_contacts", _NOT_COUNTED, context.used)
    if context.has("handled_by"):
        evidence = context.evidence["handled_by"]
        if sum(evidence.unknown.values()) > outcomes.MAX_UNKNOWN * evidence.total:
            raise context.refuse_words("handled_by")
    _move_source(context)
    _require_ratings(context)
    if context.has("channel") and context.columns["channel"].header.words == "via":
        cells = context.sample_cells(context.columns["channel"].index).unique().to_pylist()
        if not any(simplify(cell) in CHANNELS for cell in cells):
            context.leave_aside("channel", ", ".join(cells[:MAX_EXAMPLES]))
    if not context.has("channel"):
        context.defaults["channel"] = "phone"
        context.decide("channel", "Phone", NO_COLUMN)
    header_matching.require_clear(context.columns, context.options, "", "_seconds")
    _decide_times(context)
    if context.has("caller") or context.has("called"):
        context.decide(
            "customer" if not context.has("customer") else "caller",
            "the external number of the call; extensions are advisors, never customers",
        )
    if not context.has("wait_seconds") and context.has("answered_at"):
        answered = context.get_header("answered_at")
        message = N_("the time from the start to the answer, or to the end if nobody answered")
        context.decide("wait_seconds", message, answered)
    for name in context.options.only:
        if context.has(name):
            raise starts.refuse_twice(context.get_header(name), name)


def _move_source(context: FileContext) -> None:
    """Use a source with channels, the telephone among them, as the channel; and a channel beside
    a medium as the source, where it has none of them.
    """
    if context.has("channel", "medium") and not context.has("source"):
        cells = context.sample_cells(context.columns["channel"].index).unique().to_pylist()
        if not any(simplify(cell) in CHANNELS for cell in cells):
            field = context.profile.get_field("source")
            context.columns["source"] = replace(context.columns.pop("channel"), field=field)
    if context.has("source") and not context.has("channel"):
        cells = context.sample_cells(context.columns["source"].index).unique().to_pylist()
        channels = {CHANNELS.get(simplify(cell)) for cell in cells}
        if "phone" in channels and None not in channels and len(channels) > 1:
            field = context.profile.get_field("channel")
            context.columns["channel"] = replace(context.columns.pop("source"), field=field)


def require_only(only: Mapping[str, str]) -> None:
    """Raise Misuse where `--only` names a field or a value that there is not."""
    for name, value in only.items():
        known = ONLY.get(name, () if name in _TEXT_COLUMNS else None)
        if known is None:
            message = N_(
                "{field} cannot have one value set for all rows. Possible fields: {known}."
            )
            fields = ", ".join((*ONLY, *_TEXT_COLUMNS))
            raise Misuse("bad_only", message, ("--only FIELD=VALUE",), field=name, known=fields)
        if known and value not in known:
            raise build_unlisted("bad_only", value, known, ("--only FIELD=VALUE",))


def _decide_direction(context: FileContext) -> None:
    if context.has("direction"):
        evidence = context.evidence["direction"]
        header = simplify(context.get_header("direction")).removeprefix("is")  # isoutbound
        if evidence.words & {"e", "s"}:  # entrant, sortant, interne
            context.words["direction"]["i"] = Direction.INTERNAL
        if evidence.words <= set(ANSWERS) and (way := read_direction(header)):
            other = Direction.INBOUND if way != Direction.INBOUND else Direction.OUTBOUND
            meanings = {word: way if is_yes else other for word, is_yes in ANSWERS.items()}
            context.words["direction"] = evidence.known = meanings
        if sum(evidence.unknown.values()) <= outcomes.MAX_UNKNOWN * evidence.total:
            return
        is_named = DIRECTION.search(header) or _are_codes(evidence)
        if evidence.known_share > 1 / 2 or is_named or "direction" in context.options.columns:
            raise context.refuse_words("direction")
        if evidence.known_share > 0:
            raise _refuse_unread(evidence, "ignore", "direction")
        context.unread[context.columns["direction"].index] = evidence
        context.leave_words_aside("direction")
    if "direction" in context.options.only:
        context.decide("direction", context.options.only["direction"], SET_BY_PERSON)
        return
    if _tell_ways(context):
        return
    _require_inbound(context)
    context.defaults["direction"] = Direction.INBOUND.value
    context.decide("direction", "Inbound", NO_COLUMN)


def _are_codes(evidence: WordEvidence) -> bool:
    """Return whether a column has a few different codes, such as 1, 2 and 3, and nothing else."""
    most = MAX_CODES if all(map(str.isdigit, evidence.seen)) else MAX_LETTER_CODES
    return 1 < len(evidence.seen) <= most and all(len(word) <= 2 for word in evidence.seen)


def _tell_ways(context: FileContext) -> bool:
    """Return whether extensions among the numbers from and to give the direction."""
    if not context.has("caller", "called"):
        return False
    ways = _read_ways(context.take_sample())
    counts = [int((ways == way).sum()) for way in (Direction.INBOUND, Direction.OUTBOUND)]
    known = int((ways != None).sum())  # noqa: E711 (element by element)
    if min(counts) < MIN_WAYS or known < MIN_KNOWN_WAYS * len(ways):
        inside = int((ways == Direction.INTERNAL).sum())
        # Where every number is as short as an extension, they may be parts of longer ones.
        context.notes["from_extensions"] = counts[1] >= MIN_WAYS or MIN_WAYS <= inside < len(ways)
        return False
    context.notes["by_extension"] = True
    context.guesses.add("direction")
    columns = f"{context.get_header('caller')}, {context.get_header('called')}"
    context.decide("direction", "calls from an extension are outbound, to one inbound", columns)
    return True


def _read_ways(batch: RowBatch) -> np.ndarray:
    """Read the direction of each call by the side on which its extension is."""
    pairs = zip(*(batch.read_text(name).to_pylist() for name in ("caller", "called")), strict=True)
    inside = (
        tuple(is_extension(_BRACKETED.sub(r"\1", text or "")) for text in pair) for pair in pairs
    )
    return np.array([_WAYS.get(sides) for sides in inside], object)


def _refuse_unread(evidence: WordEvidence, *fields: str) -> Refusal:
    columns, seen = [evidence.column], evidence.show()
    return refuse_unread("unread_direction", columns, N_("Direction"), fields, seen)


def _require_inbound(context: FileContext) -> None:
    """Raise Refusal where something in the file says that its contacts may be outgoing."""
    if context.options.is_stated:
        return
    for _index, evidence in context.unread.items():
        meanings = {DIRECTIONS.get(simplify(word)) for word in evidence.seen}
        if len(evidence.words) > 1 and evidence.words <= set(ANSWERS):  # Incoming: yes or no
            meanings = {read_direction(evidence.column)}
        if meanings and None not in meanings and meanings != {Direction.INTERNAL}:
            raise _refuse_unread(evidence, "direction", "ignore")
    dialled = context.columns["tracking_number"].index if context.has("tracking_number") else None
    signs = [
        text
        for index, text in enumerate(context.headers)
        if OUTGOING.search(words := simplify(text))
        and len(context.sample_cells(index))
        and (dialled is None or (index != dialled and not words.startswith("lead")))
    ]
    signs += [
        context.get_header(name)
        for name in filter(context.has, ("campaign", "queue", "reason"))
        if any(map(_names_outbound, context.sample_cells(context.columns[name].index).unique()))
    ]
    signs += [
        line
        for line in context.notes["beside"]
        if OUTGOING.search(simplify(line)) and read_direction(line) == Direction.OUTBOUND
    ]
    different = {
        name: len(context.sample_cells(context.columns[name].index).unique())
        for name in ("customer", "caller", "called")
        if context.has(name)
    }
    called = different.get("called", 0)
    callers = max(number for name, number in {"": 0, **different}.items() if name != "called")
    if context.notes.get("from_extensions"):
        signs.append(context.get_header("caller"))
    elif callers > called > 0:
        signs = [text for text in signs if text != context.get_header("called")]
    if called > callers and called >= (MIN_CALLED_BY_ONE if callers == 1 else MIN_CALLED):
        signs.append(context.get_header("called"))
    is_received = callers > called > 0 or any(map(context.has, _OF_RECEIVED))
    if signs:
        raise Refusal(
            "which_direction",
            "No column gives the direction, but {columns} may mean outgoing contacts. Say which "
            "they are.",
            options=tuple(
                f"--only direction={name}"
                for name in sorted((Direction.INBOUND, Direction.OUTBOUND), reverse=not is_received)
            ),
            columns=", ".join(dict.fromkeys(signs)),
        )


def _names_outbound(label: pa.Scalar) -> bool:
    """Return whether a label has a word for outgoing contacts, which `out of hours` has not."""
    words = simplify(label.as_py()).split()
    ways = {DIRECTIONS.get(word) for word in words if len(word) > len("out")}
    return ways - {None} == {Direction.OUTBOUND}


def _decide_times(context: FileContext) -> None:
    sample = context.take_sample()
    own_start, _fixed = starts.build_own_start(context, sample)
    known = own_start[~np.isnat(own_start)]
    context.notes["is_daily"] = len(known) >= MIN_DAILY and bool(
        (known == known.astype("M8[D]")).all()
    )
    _answer, answer_seconds = _build_after(context, sample, "answered_at", own_start)
    _end, context.notes["sample_span"] = _build_after(context, sample, "ended_at", own_start)
    wait = sample.read_number("wait_seconds") if context.has("wait_seconds") else answer_seconds
    if wait is None:
        _require_answers(context, sample, own_start)
    elif wait is answer_seconds:
        _require_seconds(context, wait)
    decide_times(context, sample, wait)


def _require_seconds(context: FileContext, wait: np.ndarray) -> None:
    """Raise Refusal where short waits would follow from moments that have no seconds."""
    index = context.columns["answered_at"].index
    known = wait[~np.isnan(wait)]
    if (
        context.is_open("answered_at")
        and context.compute_share(index, _BY_MINUTE) == 1
        and len(known)
        and np.median(known) < MAX_SHORT_WAIT
    ):
        raise context.refuse(
            "moments_without_seconds",
            "The times in {column} have no seconds, so waits are only known to the minute, and "
            "many read as 0. Name the column if that is enough for you.",
            "answered_at",
            "--map answered_at={column}",
            "--map ignore={column}",
        )


def _require_answers(context: FileContext, sample: RowBatch, own_start: np.ndarray) -> None:
    """Raise Refusal where an unread column has moments between start and end. They may be the
    answers, without which the wait counts as talk.
    """
    length = context.notes["sample_span"]
    if length is None and context.has("duration"):
        length = sample.read_number("duration")
    clock = context.notes["start"][1]
    is_complete = context.has("talk_seconds", "wait_seconds")
    if not clock or is_complete or context.options.is_stated:
        return
    fields = ("answered_at", "ignore")
    if length is None:
        if any(map(context.has, ("answered_at", "wait_seconds", *READ_AS_DURATION))):
            return
        length, fields = DAY, ("answered_at", "ended_at", "ignore")
    reading = context.readings["ended_at" if context.has("ended_at") else clock]
    columns = []
    for index, text in context.find_unused():
        moments = reading.read(sample.cells[index])
        after = _count_after(moments, own_start)
        between = (after > 1) & (after < length)
        if between.sum() >= MIN_EARLY and between.sum() > (~np.isnan(after)).sum() / 2:
            columns.append(text)
    if columns:
        raise refuse_unread("unread_time", columns, N_("Time of the answer"), fields)


def _require_own_id(context: FileContext) -> None:
    """Raise Refusal where a column beside the id names one contact on several of its rows."""
    if not context.is_open("contact_id"):
        return
    cells, own = context.take_sample().cells, context.get_header("contact_id")
    ids = cells[context.columns["contact_id"].index].to_pylist()
    for index, text in context.find_unused():
        if not _OF_GROUP.fullmatch(simplify(text)):
            continue
        pairs = [pair for pair in zip(cells[index].to_pylist(), ids, strict=True) if pair[0]]
        counts = Counter(group for group, _id in pairs)
        others = {group for group, own_id in pairs if group != own_id}
        if others and (others & set(ids) or max(counts.values()) > 1):
            raise Refusal(
                "group_of_rows",
                "{column} is the same on rows with other {own}, such as the parts of a "
                "transferred call. Name {own} if every row is a contact. With {column}, only the "
                "last row of each counts.",
                options=(
                    *([f"--map contact_id={text}"] if len(pairs) == len(ids) else []),
                    f"--map contact_id={own}",
                ),
                column=text,
                own=own,
            )


def _require_whole_ids(context: FileContext) -> None:
    """Raise Refusal where ids such as `A-1` and `A-2` number the parts of one contact."""
    if not context.is_open("contact_id"):
        return
    ids = context.sample_cells(context.columns["contact_id"].index).to_pylist()
    parts = Counter(match[1] for text in ids if (match := _NUMBERED_PART.fullmatch(text)))
    numbered = {f"{whole}{mark}{n}" for whole in parts for mark in "-._/" for n in range(1, 10)}
    several = [whole for whole, count in parts.items() if count > 1]
    is_few = 0 < len(several) <= len(parts) / 2
    if is_few and sum(parts.values()) == len(ids) and numbered.issuperset(ids):
        raise context.refuse(
            "group_of_rows",
            "Ids such as {ids} may be the parts of one contact, which would count as several. "
            "Export one row per contact, or name {own} if every row is a contact.",
            "contact_id",
            ids=", ".join([text for text in ids if text.startswith(several[0])][:2]),
            own=context.get_header("contact_id"),
        )


def _require_one_advisor(context: FileContext) -> None:
    """Raise Refusal where cells name several advisors, which would be one more advisor."""
    for name in filter(context.has, ("advisor", "advisor_name")):
        index = context.columns[name].index
        names = set(context.sample_cells(index).unique().to_pylist())
        is_several = any(names > {*_BETWEEN.split(text)} for text in names if _BETWEEN.search(text))
        is_several |= context.compute_share(index, _SEVERAL) > 0
        if is_several and context.is_open(name):
            raise context.refuse(
                "several_advisors",
                "{column} names several advisors on some contacts, and each list would count as "
                "another advisor. Export who answered, leave the column aside, or name it.",
                name,
                *NAME_OR_IGNORE,
            )


def _require_read_texts(context: FileContext) -> None:
    """Raise Refusal where an unread column may name the advisor, the customer or the channel,
    and no column is known to.
    """
    if context.profile.signatures or context.options.is_stated:
        return
    if not (context.has("advisor") or context.has("advisor_name")):
        advisors = [text for at, text in context.find_unused() if _may_be_advisor(context, at)]
        if advisors:
            fields = "advisor", "ignore"
            raise refuse_unread("unread_advisor", advisors, N_("Advisor"), fields)
    if not any(map(context.has, ("customer", "caller", "called"))):
        numbers = [text for at, text in context.find_unused() if _are_callers(context, at)]
        if numbers:
            fields = ("customer",) if len(numbers) == 1 else ("caller", "called")
            raise refuse_unread("unread_customer", numbers, N_("Customer"), (*fields, "ignore"))
    if not context.has("channel"):
        for evidence in context.unread.values():
            channels = {CHANNELS.get(word) for word in evidence.words}
            is_other = bool(channels) and channels.isdisjoint((None, "phone"))
            is_named = is_other and _CHANNEL.search(simplify(evidence.column))
            if is_named or {"phone"} < channels - {None}:
                columns, fields = [evidence.column], ("channel", "ignore")
                raise refuse_unread("unread_channel", columns, N_("Channel"), fields)


def _are_callers(context: FileContext, index: int) -> bool:
    """Return whether a column holds telephone numbers of several people, and short ones at most."""
    several = len(context.sample_cells(index).unique()) >= MIN_CALLED_BY_ONE
    are_numbers = several and context.compute_share(index, _DIGITS) > MIN_KNOWN_WAYS
    return are_numbers and context.compute_share(index, _CALLERS) > 1 / 4


def _may_be_advisor(context: FileContext, index: int) -> bool:
    """Return whether a few names of persons recur in a column, or what else its header says
    that an advisor has. Values that share a word (`Above SLA`, `Below SLA`) are labels.
    """
    cells = context.sample_cells(index)
    few = cells.unique()
    if not 1 < len(few) <= len(cells) / MIN_RECURRING:
        return False
    if _NO_PERSON.search(simplify(context.headers[index])):
        return False
    words = {*map(simplify, few.to_pylist())}
    is_label = bool(set.intersection(*(set(text.split()) for text in words)))
    if is_label or words & {*YES_NO, *OUTCOMES, *DIRECTIONS, *CHANNELS}:
        return False
    pattern = _OF_ADVISOR if _ADVISOR.search(simplify(context.headers[index])) else _PERSON
    return context.compute_share(index, pattern) > MIN_KNOWN_WAYS


def _decide_system(context: FileContext) -> None:
    if not context.has("source_system"):
        return
    if context.options.system:
        system = context.options.system
        context.drop_column("source_system", VALUE, SET_BY_PERSON, value=system)
        context.inferred.discard("source_system")
    else:
        context.decide("source_system", "the system of each contact, from the column {column}")


def build(context: FileContext, batch: RowBatch) -> Mapping[str, pa.Array]:
    """Build the columns of a contact that the file carries from a batch of rows."""
    own_start, utc, local = starts.build_start(context, batch)
    batch.reject(np.isnat(own_start), "missing_start")
    timeless = starts.find_timeless(context, batch)
    is_row = batch.reasons == None  # noqa: E711 (element by element)
    context.notes["time_missing"] += int((timeless & is_row).sum())
    columns: dict[str, pa.Array] = {
        "started_at": as_moments(utc),
        "local_start": as_moments(local),
        "time_missing": pa.array(timeless, mask=~timeless),
    }
    direction = batch.read_word("direction") if context.has("direction") else None
    if "by_extension" in context.notes:
        direction = _read_ways(batch)
    if direction is not None:
        columns["direction"] = as_words(direction)
    answer, answer_seconds = _build_after(context, batch, "answered_at", own_start)
    _end, end_seconds = _build_after(context, batch, "ended_at", own_start)
    wait = batch.read_number("wait_seconds") if context.has("wait_seconds") else answer_seconds
    times = build_times(context, batch, answer_seconds, end_seconds, wait)
    talk = times.pop("talk_seconds", None)
    outcome = outcomes.build_outcome(context, batch, answer, talk)
    if outcome is not None:
        is_mailbox = _find_mailboxes(batch) & (outcome == Outcome.ANSWERED)
        outcome[is_mailbox] = Outcome.VOICEMAIL
        context.notes["mailboxes"] = context.notes.get("mailboxes", 0) + int(is_mailbox.sum())
        columns["outcome"] = as_words(outcome)
    not_answered = (
        np.zeros(len(batch), bool)
        if outcome is None
        else (outcome != None) & (outcome != Outcome.ANSWERED)  # noqa: E711
    )
    if context.has("abandon_wait_seconds"):
        given_up = batch.read_number("abandon_wait_seconds")
        wait = np.full(len(batch), np.nan) if wait is None else wait
        wait = np.where(not_answered & ~np.isnan(given_up), given_up, wait)
    elif wait is answer_seconds is not None and end_seconds is not None:
        is_over = np.isnan(wait) & (
            (outcome == Outcome.ABANDONED) | (outcome == Outcome.UNANSWERED)
        )
        wait = np.where(is_over, end_seconds, wait)
    if wait is not None:
        columns["wait_seconds"] = as_numbers(wait)
    if talk is not None:
        context.notes["talk_of_unanswered"] = context.notes.get("talk_of_unanswered", 0) + int(
            (not_answered & ~np.isnan(talk)).sum()
        )
        columns["talk_seconds"] = as_numbers(np.where(not_answered, np.nan, talk))
    columns |= {name: as_numbers(values) for name, values in times.items()}
    _build_transfers(context, batch, columns)
    _build_handler(context, batch, columns)
    columns |= build_marks(context, batch)
    if "csat" in columns:
        rated = to_numpy(columns["csat"].is_valid())
        context.notes["not_answered"] += int(not_answered.sum())
        context.notes["rated"] += int((not_answered & rated).sum())
    if context.has("survey_contacts"):
        columns["survey_contacts"] = as_numbers(batch.read_number("survey_contacts"), pa.int32())
    columns |= {
        name: as_words(batch.read_word(name), pa.bool_())
        for name in _BOOLEAN_COLUMNS
        if context.has(name)
    }
    columns |= batch.read_texts(*_TEXT_COLUMNS)
    if "survey_comment" in columns:
        columns["survey_comment"] = mask_contact_details(columns["survey_comment"])
    if "tracking_number" in columns:
        columns["tracking_number"] = normalise_numbers(columns["tracking_number"])
    if context.has("channel"):
        columns["channel"] = read_channel(batch.read_text("channel"))
    if context.has("updated_at"):
        columns["updated_at"] = as_moments(starts.build_moment(context, batch, "updated_at")[0])
    customers = _build_people(context, batch, direction, columns)
    columns |= build_selling(columns, customers)
    for name, value in context.options.only.items():
        if name not in columns:
            columns[name] = pa.array([value] * len(batch), pa.string())
    return columns


def _find_mailboxes(batch: RowBatch) -> np.ndarray:
    """Find the rows on which the advisor is called voicemail, as a mask."""
    masks = [
        read_words(cells, _MAILBOXES, 0)[0] == 1
        for cells in batch.read_texts("advisor", "advisor_name").values()
    ]
    return np.logical_or.reduce([np.zeros(len(batch), bool), *masks])


def build_marks(context: FileContext, batch: RowBatch) -> dict[str, pa.Array]:
    """Build csat with its scale, nps, and ces from 1 to 7, where the file has them."""
    columns = {
        name: as_numbers(batch.read_number(name)) for name in ("csat", "nps") if context.has(name)
    }
    if context.has("ces"):
        low, high = (float(part) for part in context.scales["ces"].split("-"))
        marks = batch.read_number("ces")
        columns["ces"] = as_numbers(
            marks if (low, high) == (1, 7) else 1 + 6 * (marks - low) / (high - low)
        )
    if context.has("csat"):
        columns["csat_scale"] = pc.if_else(
            pc.is_valid(columns["csat"]),
            pa.scalar(context.scales["csat"]),
            pa.scalar(None, pa.string()),
        )
    return columns


def _build_after(
    context: FileContext, batch: RowBatch, name: str, start: np.ndarray
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Read whether a later moment is there, and its seconds after the start, past midnight too."""
    if not context.has(name):
        return None, None
    moments = batch.read_moment(name)
    seconds = _count_after(moments, start)
    batch.blank(seconds < 0, name, "negative_duration")
    seconds = np.where(seconds < 0, np.nan, seconds)
    is_there = ~np.isnat(moments.day) | ~np.isnat(moments.clock)
    return is_there & ~moments.bad, seconds


def _count_after(moments: Moments, start: np.ndarray) -> np.ndarray:
    """Count the seconds of moments after a start; those without a day may lie past midnight."""
    dated = ~np.isnat(moments.day)
    moment = np.where(dated, moments.day, start.astype("M8[D]")).astype("M8[us]") + moments.clock
    seconds = (moment - start) / np.timedelta64(1, "s")
    return np.where(~dated & (seconds < -HALF_DAY), seconds + DAY, seconds)


def _build_transfers(context: FileContext, batch: RowBatch, columns: dict[str, pa.Array]) -> None:
    if context.has("transfers"):
        columns["transfers"] = as_numbers(batch.read_number("transfers"), pa.int32())
    elif context.has("transferred"):
        is_transferred = as_words(batch.read_word("transferred"), pa.bool_())
        columns["transfers"] = is_transferred.cast(pa.int32())


def _build_handler(context: FileContext, batch: RowBatch, columns: dict[str, pa.Array]) -> None:
    """Build who took each contact; the talk of a machine alone is the machine's time."""
    for name in ("machine_seconds", "handover_wait_seconds"):
        if context.has(name):
            columns[name] = as_numbers(batch.read_number(name))
    if context.has("handled_by"):
        columns["handled_by"] = as_words(batch.read_word("handled_by"))
    elif context.has("by_machine"):
        words = {True: Handler.MACHINE, False: Handler.PERSON}
        columns["handled_by"] = as_words(map(words.get, batch.read_word("by_machine")))
    else:
        return
    is_machine = pc.fill_null(pc.equal(columns["handled_by"], Handler.MACHINE), False)
    talk = columns.get("talk_seconds")
    if talk is not None:
        missing = pa.nulls(len(batch), pa.float64())
        known = columns.get("machine_seconds", missing)
        columns["machine_seconds"] = pc.if_else(is_machine, pc.coalesce(known, talk), known)
    for name in ("talk_seconds", "hold_seconds", "wrap_seconds"):
        if name in columns:
            columns[name] = pc.if_else(is_machine, pa.scalar(None, pa.float64()), columns[name])


def read_channel(cells: pa.Array) -> pa.Array:
    """Replace channels by our names for them; unknown ones stay."""
    return map_texts(lambda text: CHANNELS.get(simplify(text), text.casefold()), cells)


def _build_people(
    context: FileContext,
    batch: RowBatch,
    direction: np.ndarray | None,
    columns: dict[str, pa.Array],
) -> pa.Array:
    """Build advisor and customer; return the customers' numbers as the file has them."""
    customer = pa.nulls(len(batch), pa.string())
    for name, cells in batch.read_texts("advisor", "advisor_name").items():
        words = pc.utf8_lower(pc.replace_substring(cells, "_", " "))
        nobody = pc.is_in(words, value_set=pa.array(sorted(_NO_ADVISOR)))
        nobody = pc.or_(nobody, pc.match_substring_regex(words, r"\bqueue\b"))
        nobody = pc.or_(nobody, pa.array(_find_mailboxes(batch)))
        if not context.has("contact_id"):
            batch.reject(find_matches(words, _TOTAL), "footer")
        columns[name] = pc.if_else(nobody, pa.scalar(None, pa.string()), cells)
    if context.has("advisor", "advisor_name") and _is_first_name(context):
        # Two people may share either name.
        names = (columns.pop("advisor_name"), columns["advisor"])
        columns["advisor"] = pc.coalesce(pc.binary_join_element_wise(*names, " "), *names)
    elif context.has("advisor_name") and not context.has("advisor"):
        columns["advisor"] = columns.pop("advisor_name")
    elif context.has("advisor_name"):
        columns["advisor"] = pc.coalesce(columns["advisor"], columns["advisor_name"])
    called_field = _find_called(context)
    if called_field:
        ways = context.options.only.get("direction") if direction is None else direction
        is_from_us = np.isin(np.full(len(batch), ways, object), _FROM_US)
        if called_field in columns:
            columns[called_field] = pc.if_else(
                is_from_us, pa.scalar(None, pa.string()), columns[called_field]
            )
    if context.has("customer"):
        customer = _read_party(context, batch, "customer")
        if called_field and _CALLER.search(simplify(context.get_header("customer"))):
            called = map_texts(
                lambda text: text if _is_number(text) else None, batch.read_text(called_field)
            )
            customer = pc.if_else(is_from_us, called, customer)
        columns["customer_key"] = context.pseudonyms.find_keys(customer)
    elif context.has("caller") or called_field:
        customer, extension = _find_parties(context, batch, direction)
        columns["customer_key"] = context.pseudonyms.find_keys(customer)
        if "advisor" not in columns:
            columns["advisor"] = extension
    return customer


def _is_first_name(context: FileContext) -> bool:
    return bool(_FIRST_NAME.search(simplify(context.get_header("advisor"))))


def _find_called(context: FileContext) -> str | None:
    """Find the field of the called number."""
    if context.has("tracking_number") and _DIALLED.search(
        simplify(context.get_header("tracking_number"))
    ):
        return "tracking_number"
    return "called" if context.has("called") else None


def _read_party(context: FileContext, batch: RowBatch, name: str) -> pa.Array:
    """Return the numbers of a field without those that stand for many people."""
    cells, shared = batch.read_text(name), context.notes.get("placeholders", {}).get(name)
    if name == "customer" and context.notes.get("by_number"):
        has_sign = pc.match_substring_regex(cells, r"[\d@]")
        cells = pc.if_else(has_sign, cells, pa.scalar(None, pa.string()))
    if shared is None:
        return cells
    return pc.if_else(pc.is_in(cells, value_set=shared), pa.scalar(None, pa.string()), cells)


def _find_parties(
    context: FileContext, batch: RowBatch, direction: np.ndarray | None
) -> tuple[pa.Array, pa.Array]:
    """Find, of caller and called, the number outside and the extension."""
    empty = [None] * len(batch)
    callers = _read_party(context, batch, "caller").to_pylist() if context.has("caller") else empty
    name = _find_called(context)
    called = batch.read_text(name).to_pylist() if name else empty
    customers, extensions = [], []
    stated = context.options.only.get("direction")
    ways = [stated] * len(batch) if direction is None else direction
    for caller, other, way in zip(callers, called, ways, strict=True):
        is_from_us = way in _FROM_US
        parties = (other, caller) if is_from_us else (caller, other)
        customers.append(None if way == Direction.INTERNAL else _find_outside(*parties))
        inside = (
            party
            for party in reversed(parties)
            if party and "/" not in party and party != context.notes.get("service_number")
        )
        extensions.append(next(filter(is_extension, inside), None))
    return pa.array(customers, pa.string()), pa.array(extensions, pa.string())


def _find_outside(expected: str | None, other: str | None) -> str | None:
    """Find the number outside where it is expected, or across from an extension. Where the
    caller is withheld, the number called is the centre's own.
    """
    if expected and _is_number(expected):
        return expected
    is_across = expected and other and is_extension(expected) and _is_number(other)
    return other if is_across else None


def _is_number(party: str) -> bool:
    """Return whether a party is a number or an address outside; names are no customers."""
    return not is_extension(party) and ("@" in party or any(map(str.isdigit, party)))


def finish(context: FileContext) -> None:
    _require_order(context)
    outcomes.require_agreement(context)
    _require_rated(context)
    if context.notes.get("mailboxes"):
        message = N_("answered by an advisor who is called voicemail: voicemail")
        context.decide("outcome", message, context.notes["mailboxes"])
    if context.notes.get("talk_of_unanswered"):
        count = context.notes["talk_of_unanswered"]
        context.decide("talk_seconds", "no talk time on unanswered contacts", count)


def _require_order(context: FileContext) -> None:
    """Raise Refusal where many answers or ends lie before what they follow."""
    rows = context.notes["outcome"].rows
    for name in ("answered_at", "ended_at"):
        column = context.get_header(name) if context.has(name) else ""
        count = context.blanked.get(column, {}).get("negative_duration", 0)
        is_requested = name in context.options.columns
        if count >= MIN_EARLY and count > MAX_EARLY * rows and not is_requested:
            raise context.refuse(
                "moments_out_of_order",
                "{column} is earlier than the start or the answer on {count} of {rows} contacts. "
                "Say what the column is, leave it aside, or name it: then these times are missing.",
                name,
                *NAME_OR_IGNORE,
                count=count,
                rows=rows,
            )


def _require_ratings(context: FileContext) -> None:
    """Raise Refusal where an unread column may have the ratings of customers."""
    rated = [
        evidence.column
        for evidence in context.unread.values()
        if evidence.seen
        and all(map(IS_RATING.fullmatch, evidence.seen))
        and (RATED.search(simplify(evidence.column)) or _SCALE.search(evidence.column))
    ]
    if rated and not any(map(context.has, header_matching.RATINGS)):
        raise refuse_unread("unread_rating", rated, N_("Satisfaction"), ("csat", "ignore"))


def _require_rated(context: FileContext) -> None:
    """Raise Refusal where most contacts that nobody answered have a rating."""
    rated, rows = context.notes["rated"], context.notes["not_answered"]
    if not context.is_open("csat") or rated < MIN_EARLY or rated <= rows / 2:
        return
    raise context.refuse(
        "rated_unanswered",
        "{column} has a rating on {count} of {rows} contacts that nobody answered, so some may be "
        "filled in. Use the ratings as they are, or leave the column aside.",
        "csat",
        *NAME_OR_IGNORE,
        count=rated,
        rows=rows,
    )


PROFILE = Profile(
    "generic",
    "contacts",
    FIELDS,
    (("started_at", "date", "local_start", "time"),),
    decide_columns,
    build,
    finish,
    claim,
    required=("started_at", "local_start", "date", "time"),
)


def derive(name: str, fields: tuple[Field, ...], signature: Headers, **changes: Any) -> Profile:
    """Derive the profile of one tool's contacts, recognised by its own headers."""
    return replace(
        PROFILE, name=name, fields=fields, signatures=(signature,), claim=None, **changes
    )
