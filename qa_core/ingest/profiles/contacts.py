"""Contacts as any telephony platform lists them, one row each, recognised by headers."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qa_core.base.errors import Misuse, Refusal
from qa_core.base.i18n import N_
from qa_core.base.masking import mask_contact_details
from qa_core.files.decision import NO_COLUMN, SET_BY_PERSON, VALUE
from qa_core.files.header_text import simplify
from qa_core.files.signatures import Headers
from qa_core.ingest.columns import header_matching
from qa_core.ingest.columns.column_inference import FileContext, RowBatch
from qa_core.ingest.columns.timezones import Zone
from qa_core.ingest.columns.vocabulary import CHANNELS
from qa_core.ingest.profiles import outcomes, starts
from qa_core.ingest.profiles.handle_time import build_times, decide_times, describe_taken_off
from qa_core.ingest.profiles.telephone_selling import build_selling
from qa_core.ingest.staging.arrays import as_moments, as_numbers, as_words, map_texts
from qa_core.ingest.staging.declaration import Column, Field, Profile, ValueType, build_fields
from qa_core.ingest.staging.pseudonyms import is_extension, normalise_numbers
from qa_core.ingest.words.tables import list_words, load_table
from qa_core.storage.facts.schema import Direction, Handler, Outcome

FIELDS = build_fields(
    "contacts",
    ("contact_id ticket source_system", ValueType.TEXT),
    ("started_at local_start date time answered_at ended_at updated_at", ValueType.MOMENT),
    ("direction", ValueType.DIRECTION),
    ("channel", ValueType.CHANNEL),
    ("queue reason advisor advisor_name team site", ValueType.TEXT),
    ("customer", ValueType.CUSTOMER),
    ("caller called", ValueType.PARTY),
    ("outcome", ValueType.OUTCOME),
    ("answered abandoned missed voicemail", ValueType.FLAG),
    (
        "wait_seconds talk_seconds hold_seconds wrap_seconds duration handle_seconds call_seconds",
        ValueType.DURATION,
    ),
    ("handled_by", ValueType.HANDLER),
    ("machine_seconds handover_wait_seconds", ValueType.DURATION),
    ("transfers", ValueType.WHOLE, 0),
    ("transferred by_machine declared_resolved", ValueType.BOOLEAN),
    ("tracking_number source medium campaign keyword landing_page", ValueType.TEXT),
    ("survey_sent", ValueType.BOOLEAN),
    ("csat", ValueType.MARK),
    ("nps", ValueType.NUMBER, 0, 10),
    ("ces", ValueType.MARK),
    ("survey_resolved", ValueType.BOOLEAN),
    ("survey_contacts", ValueType.WHOLE, 0),
    ("survey_comment", ValueType.TEXT),
    ("recorded notice_played customer_objected stopped_by_advisor private_line", ValueType.BOOLEAN),
    ("recording_purpose", ValueType.TEXT),
    ("purpose_of_call prior_consent customer_zone", ValueType.TEXT),
    ("sales_refused", ValueType.BOOLEAN),
)
"""A header of a contact or a ticket names the contact; where another column does,
`claim` uses it as the ticket."""


def take_fields(tool: str) -> tuple[Field, ...]:
    """Take the fields of a contact that a tool has, recognised by its own headers."""
    headers = load_table("tools")[tool]["headers"]
    known = (field for field in FIELDS if field.name in headers)
    return tuple(replace(field, synonyms="|".join(headers[field.name])) for field in known)


HALF_DAY = 43_200
MIN_CELLS, MAX_SHARED = 100, 0.2
"""Number of cells from which on a number on more than this share of them is nobody's.
"""
DAY = 86_400
_NO_ADVISOR = list_words("nobody")
_TEXT_COLUMNS, _BOOLEAN_COLUMNS = (
    tuple(
        field.name
        for field in FIELDS
        if field.value_type == value_type
        and field.name not in ("advisor", "advisor_name", "transferred", "by_machine")
    )
    for value_type in (ValueType.TEXT, ValueType.BOOLEAN)
)
"""Fields that a contact carries as the file has them."""
ONLY: Mapping[str, tuple[str, ...]] = {"outcome": tuple(Outcome), "direction": tuple(Direction)}
"""Values that `--only` takes for a field; for texts it takes any."""
MIN_EARLY, MAX_EARLY = 3, 0.05
"""Number and share of moments before what they follow from which on a file asks."""
ZERO_COLUMNS = ("wait_seconds", "hold_seconds", "wrap_seconds", "csat", "nps", "ces")
"""Columns with 0 where nobody answered; see `table_reader.null_out_zero_placeholders`."""

_CONTACT_FIELDS = (
    "contact_id", "advisor", "advisor_name", "customer", "caller", "called", "outcome", "answered",
    "answered_at", "ended_at", "direction", "queue", "wait_seconds", "talk_seconds", "duration",
    "tracking_number",
)  # fmt: skip
_TOTAL_HEADERS = list_words("totals")

_CALL_FIELDS = (
    "called", "answered", "abandoned", "missed", "voicemail", "answered_at", "ended_at",
    "direction", "queue", "wait_seconds", "talk_seconds", "hold_seconds", "wrap_seconds",
    "duration", "handle_seconds", "transfers", "declared_resolved", "csat", "recorded",
)  # fmt: skip
"""Fields that a list of persons does not have."""
_CAMPAIGN = ("source", "medium", "campaign", "landing_page")
_PERSON_HEADERS = list_words("persons")
_LEAD = re.compile(
    r"\b(?:leads?|prospects?|opportunit(?:y|e|ies)|deal|lifecycle|pipeline|etape|stage|"
    r"converted)\b"
)
_CALL = re.compile(r"\b(?:calls?|appels?|interaction|llamada|chamada|anruf|chiamata|uniqueid)\b")
_NO_COUNTS = ("contact_id", "survey_contacts", "transfers", "customer", "ticket")
_COUNTED = re.compile(
    r"\b(?:(?:nb|nbr|nombre|number|count|total|volume|sum|num|no) (?:d |of |de )?"
    r"(?:incoming |inbound |outbound )?(?:calls?|appels?|contacts?|llamadas|chamadas|anrufe|"
    r"chiamate)|(?:calls?|appels?|contacts?) (?:offered|received|answered|handled|abandoned|"
    r"missed|recus|traites|decroches|abandonnes|count|total|volume))$"
)
DESTROYED = r"^\d(?:[.,]\d+)?[eE]\+?\d+$"
"""Number in scientific notation, as a spreadsheet without room for its digits exports it."""


def claim(headers: tuple[str, ...], columns: dict[str, Column]) -> None:
    """Use a column as the ticket that would name the contact if no other column did."""
    if "ticket" in columns or "contact_id" not in columns:
        return
    field = PROFILE.get_field("ticket")
    vocabulary = header_matching.build_vocabulary((field,))
    used = {column.index for column in columns.values()}
    for index, text in enumerate(headers):
        header = header_matching.parse_header(text)
        if text and index not in used and header_matching.find_field(header, vocabulary):
            columns["ticket"] = Column(field, index, header)
            return


def refuse_totals(context: FileContext) -> None:
    """Raise Refusal for a file of totals, whose rows would each count as one contact."""
    fields = {context.columns[name].index for name in _NO_COUNTS if context.has(name)}
    totals = [
        text
        for index, text in enumerate(context.headers)
        if index not in fields | context.ignored and _is_count(context, index, text)
    ]
    if len(totals) > context.has("contact_id") and "contact_id" not in context.options.columns:
        raise Refusal(
            "totals_not_contacts",
            "Each row of this file holds totals ({columns}), not one contact. Import it as totals.",
            options=("python -m qa_core import intervals FILE",),
            columns=", ".join(totals),
        )
    if not any(context.has(name) for name in _CONTACT_FIELDS):
        raise Refusal(
            "not_contacts",
            "The contacts of this file cannot be distinguished. No id, advisor, customer, queue, "
            "outcome or duration is recognised. Columns: {seen}. Name at least one of them.",
            options=("--map contact_id=COLUMN",),
            seen=header_matching.format_headers(context.headers),
        )


def _refuse_leads(context: FileContext) -> None:
    """Raise Refusal for persons to call: names and numbers, or stages of a sale, without calls."""
    outcome = context.evidence.get("outcome")
    if (
        any(context.has(name) for name in _CALL_FIELDS)
        or (outcome is not None and outcome.known_share > 1 / 2)
        or (context.has("contact_id") and _CALL.search(context.columns["contact_id"].header.words))
        or "direction" in context.options.only
    ):
        return
    headers = {header_matching.parse_header(text).words for text in context.headers}
    persons = {words for words in headers if words in _PERSON_HEADERS or _LEAD.search(words)}
    if not (context.has("contact_id") or context.has("tracking_number")):
        persons |= {context.get_header(name) for name in _CAMPAIGN if context.has(name)}
    if persons:
        raise Refusal(
            "leads_not_contacts",
            "This looks like a list of people or leads ({columns}). No column gives the "
            "direction, the duration or the person who answered. Import the calls of your "
            "telephony. If each row is a contact, name such a column, or give the direction.",
            options=(
                "--map talk_seconds=COLUMN",
                "--map advisor=COLUMN",
                "--only direction=outbound|inbound",
            ),
            columns=", ".join(sorted(persons)),
        )


def _is_count(context: FileContext, index: int, header: str) -> bool:
    """Return whether a column counts contacts: by its header, and by numbers above one."""
    words = header_matching.parse_header(header).words
    if not (words in _TOTAL_HEADERS or _COUNTED.search(words)) or not header:
        return False
    if context.compute_share(index, r"^\d{1,6}([.,]0+)?$") < 0.9:
        return words in _TOTAL_HEADERS and "%" in str(context.sample_cells(index)[:1])
    return context.compute_share(index, r"^(?:[2-9]|\d\d+)([.,]0+)?$") > 0.5


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
    """Find numbers that stand for many people: they are on too many rows."""
    for name in ("customer", "caller", "called"):
        if not context.has(name):
            continue
        cells = context.sample_cells(context.columns[name].index)
        counts = pc.value_counts(cells).to_pylist() if len(cells) >= MIN_CELLS else []
        shared = [item["values"] for item in counts if item["counts"] > MAX_SHARED * len(cells)]
        if shared and name != "called":
            context.notes.setdefault("placeholders", {})[name] = pa.array(shared, pa.string())
            context.inferred.add("customer")
            message = N_("numbers on more than {share} % of the rows identify no customer")
            context.decide(name, message, str(len(shared)), share=f"{100 * MAX_SHARED:g}")


def decide_columns(context: FileContext) -> None:
    """Decide which columns give start, outcome and durations."""
    require_only(context.options.only)
    refuse_totals(context)
    _refuse_leads(context)
    _drop_destroyed(context)
    _find_placeholders(context)
    if context.has("started_at", "local_start") and context.evidence["local_start"].total:
        context.zone = Zone("UTC")
        context.decide("started_at", "read as UTC")
    elif context.has("local_start") and not context.has("started_at"):
        for store in (context.columns, context.evidence, context.readings):
            store["started_at"] = store["local_start"]
    context.columns.pop("local_start", None)
    starts.decide_start(context)
    context.drop_empty("answered_at", "ended_at", "updated_at")
    outcomes.decide_outcome(context)
    _decide_system(context)
    _decide_direction(context)
    if not context.has("channel"):
        context.defaults["channel"] = "phone"
        context.decide("channel", "phone", NO_COLUMN)
    _decide_times(context)
    if context.has("caller") or context.has("called"):
        context.decide(
            "customer" if not context.has("customer") else "caller",
            "the external number of the call; extensions are advisors, never customers",
        )
    if not context.has("wait_seconds") and context.has("answered_at"):
        answered = context.get_header("answered_at")
        context.decide("wait_seconds", "the time from the start to the answer", answered)


def require_only(only: Mapping[str, str]) -> None:
    """Raise Misuse where `--only` names a field or a value that there is not."""
    for name, value in only.items():
        known = ONLY.get(name, () if name in _TEXT_COLUMNS else None)
        if known is None or (known and value not in known):
            raise Misuse(
                "bad_only",
                N_("{value} is not a valid {field}. Use one of: {known}.")
                if known
                else N_(
                    "{field} cannot have one value set for all rows. Possible fields: {known}."
                ),
                ("--only FIELD=VALUE",),
                field=name,
                value=value,
                known=", ".join(known or (*ONLY, *_TEXT_COLUMNS)),
            )


def _decide_direction(context: FileContext) -> None:
    if not context.has("direction") and "direction" in context.options.only:
        context.decide("direction", context.options.only["direction"], SET_BY_PERSON)
        return
    if context.has("direction"):
        evidence = context.evidence["direction"]
        if sum(evidence.unknown.values()) <= outcomes.MAX_UNKNOWN * evidence.total:
            return
        if evidence.known_share > 0 or "direction" in context.options.columns:
            raise context.refuse_words("direction")
        context.leave_words_aside("direction")
    context.defaults["direction"] = Direction.INBOUND.value
    context.decide("direction", "inbound", NO_COLUMN)


def _decide_times(context: FileContext) -> None:
    sample = context.take_sample()
    own_start, _fixed = starts.build_own_start(context, sample)
    _answer, answer_seconds = _build_after(context, sample, "answered_at", own_start)
    _end, context.notes["sample_span"] = _build_after(context, sample, "ended_at", own_start)
    wait = sample.read_number("wait_seconds") if context.has("wait_seconds") else answer_seconds
    decide_times(context, sample, wait)


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
    columns: dict[str, pa.Array] = {"started_at": as_moments(utc), "local_start": as_moments(local)}
    direction = batch.read_word("direction") if context.has("direction") else None
    if direction is not None:
        columns["direction"] = as_words(direction)
    answer, answer_seconds = _build_after(context, batch, "answered_at", own_start)
    _end, end_seconds = _build_after(context, batch, "ended_at", own_start)
    wait = batch.read_number("wait_seconds") if context.has("wait_seconds") else answer_seconds
    times = build_times(context, batch, answer_seconds, end_seconds, wait)
    talk = times.pop("talk_seconds", None)
    outcome = outcomes.build_outcome(context, batch, answer, talk)
    if outcome is not None:
        columns["outcome"] = as_words(outcome)
    not_answered = (
        np.zeros(len(batch), bool)
        if outcome is None
        else (outcome != None) & (outcome != Outcome.ANSWERED)  # noqa: E711
    )
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
    dated = ~np.isnat(moments.day)
    moment = np.where(dated, moments.day, start.astype("M8[D]")).astype("M8[us]") + moments.clock
    seconds = (moment - start) / np.timedelta64(1, "s")
    seconds = np.where(~dated & (seconds < -HALF_DAY), seconds + DAY, seconds)
    batch.blank(seconds < 0, name, "negative_duration")
    seconds = np.where(seconds < 0, np.nan, seconds)
    is_there = dated | ~np.isnat(moments.clock)
    return is_there & ~moments.bad, seconds


def _build_transfers(context: FileContext, batch: RowBatch, columns: dict[str, pa.Array]) -> None:
    if context.has("transfers"):
        columns["transfers"] = as_numbers(batch.read_number("transfers"), pa.int32())
    elif context.has("transferred"):
        columns["transfers"] = as_words(
            (None if item is None else int(item) for item in batch.read_word("transferred")),
            pa.int32(),
        )


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
        columns[name] = pc.if_else(nobody, pa.scalar(None, pa.string()), cells)
    if context.has("advisor_name") and not context.has("advisor"):
        columns["advisor"] = columns.pop("advisor_name")
    if context.has("customer"):
        customer = _read_party(context, batch, "customer")
        columns["customer_key"] = context.pseudonyms.find_keys(customer)
    elif context.has("caller") or context.has("called"):
        customer, extension = _find_parties(context, batch, direction)
        columns["customer_key"] = context.pseudonyms.find_keys(customer)
        if "advisor" not in columns:
            columns["advisor"] = extension
    return customer


def _read_party(context: FileContext, batch: RowBatch, name: str) -> pa.Array:
    """Return the numbers of a field without those that stand for many people."""
    cells, shared = batch.read_text(name), context.notes.get("placeholders", {}).get(name)
    if shared is None:
        return cells
    return pc.if_else(pc.is_in(cells, value_set=shared), pa.scalar(None, pa.string()), cells)


def _find_parties(
    context: FileContext, batch: RowBatch, direction: np.ndarray | None
) -> tuple[pa.Array, pa.Array]:
    """Find, of caller and called, the number outside and the extension."""
    empty = [None] * len(batch)
    callers = _read_party(context, batch, "caller").to_pylist() if context.has("caller") else empty
    called = batch.read_text("called").to_pylist() if context.has("called") else empty
    customers, extensions = [], []
    ways = empty if direction is None else direction
    for caller, other, way in zip(callers, called, ways, strict=True):
        is_from_us = way in (Direction.OUTBOUND, Direction.INTERNAL)
        parties = (other, caller) if is_from_us else (caller, other)
        outside = (party for party in parties if party and not is_extension(party))
        customers.append(None if way == Direction.INTERNAL else next(outside, None))
        inside = (party for party in reversed(parties) if party and "/" not in party)
        extensions.append(next(filter(is_extension, inside), None))
    return pa.array(customers, pa.string()), pa.array(extensions, pa.string())


def finish(context: FileContext) -> None:
    """Decide what depends on every row of the file."""
    _require_order(context)
    outcomes.require_agreement(context)
    outcomes.describe_alternatives(context)
    describe_taken_off(context)
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
            raise Refusal(
                "moments_out_of_order",
                "{column} is earlier than the start or the answer on {count} of {rows} contacts. "
                "Say what the column is, leave it aside, or name it: then these times are missing.",
                options=(f"--map {name}={column}", f"--map ignore={column}"),
                column=column,
                count=count,
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
