"""Files whose rows are no contacts: totals, persons to call, times of advisors, data sessions."""

import re

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.files.header_text import simplify
from qa_core.ingest.columns import header_matching
from qa_core.ingest.columns.column_inference import FileContext
from qa_core.ingest.words.tables import build_pattern, list_words

_CONTACT_FIELDS = (
    "contact_id", "advisor", "advisor_name", "customer", "caller", "called", "outcome", "answered",
    "answered_at", "ended_at", "direction", "queue", "wait_seconds", "talk_seconds", "duration",
    "tracking_number",
)  # fmt: skip
_TOTAL_HEADERS = list_words("totals")

_SPOKEN = ("answered", "abandoned", "missed", "wait_seconds", "talk_seconds")
_OF_CALLS = ("contact_id", "customer", "caller", "called", "queue")
_KINDS = ("direction", "outcome")
_CALL_FIELDS = (
    "called", "answered", "abandoned", "missed", "voicemail", "answered_at", "ended_at",
    "direction", "queue", "wait_seconds", "talk_seconds", "hold_seconds", "wrap_seconds",
    "duration", "handle_seconds", "call_seconds", "transfers", "declared_resolved", "csat",
    "recorded",
)  # fmt: skip
"""Fields that a list of persons does not have."""
_CAMPAIGN = ("source", "medium", "campaign", "landing_page")
_PERSON_HEADERS = list_words("persons")
_LEAD = build_pattern("lead")
_CALL = re.compile(r"\b(?:calls?|appels?|interaction|llamada|chamada|anruf|chiamata|uniqueid)\b")
_NO_COUNTS = ("contact_id", "survey_contacts", "transfers", "customer", "ticket")
_COUNTED = re.compile(
    r"\b(?:(?:nb|nbr|nombre|number|count|total|volume|sum|num|no) (?:d |of |de )?"
    r"(?:incoming |inbound |outbound )?(?:calls?|appels?|contacts?|llamadas|chamadas|anrufe|"
    r"chiamate)|(?:calls?|appels?|contacts?) (?:offered|received|answered|handled|abandoned|"
    r"taken|made|missed|recus|traites|decroches|repondus|pris|servis|manques|perdus|emis|"
    r"abandonnes|count|total|volume)|"
    r"(?:llamadas|chamadas|chiamate|anrufe|gesprekken) \w+|\w+ anrufe)$"
)
_OTHER_RECORDS = {
    "advisor_time": header_matching.ADVISOR_TIME,
    "data_sessions": N_(
        "This looks like data sessions of a mobile network ({columns}), not contacts. Export the "
        "calls alone."
    ),
}
"""Records that are no contacts: the list of their headers and words, and the refusal."""
MIN_OTHER_HEADERS, MIN_OTHER_WORDS = 2, 0.05
"""Number of their headers, or share of their words in a column, from which on they are such."""


def require_contacts(context: FileContext) -> None:
    """Raise Refusal for a file whose rows are no contacts."""
    if not any(context.has(name) for name in _CALL_FIELDS):
        header_matching.require_no_advisors(context.headers, context.columns)
    _refuse_totals(context)
    _refuse_leads(context)
    _refuse_other_records(context)


def _refuse_other_records(context: FileContext) -> None:
    headers = [(text, header_matching.parse_header(text).words) for text in context.headers if text]
    outcome = context.evidence.get("outcome")
    is_call = any(context.has(name) for name in _SPOKEN) or (
        outcome and outcome.known_share > 1 / 2
    )
    for name, message in _OTHER_RECORDS.items():
        words = list_words(name)
        seen = [text for text, plain in headers if plain in words or simplify(text) in words]
        seen = [] if is_call or len(seen) < MIN_OTHER_HEADERS else seen
        if name == "advisor_time" and not is_call and not _has_call_field(context):
            seen += header_matching.find_states(context.headers)
        of_words = [*context.unread.values()]
        of_words += [context.evidence[field] for field in _KINDS if context.has(field)]
        for evidence in of_words:
            count = sum(n for word, n in evidence.seen.items() if simplify(word) in words)
            if count > MIN_OTHER_WORDS * max(1, evidence.total):
                seen.append(evidence.column)
        if seen:
            raise Refusal("not_contacts", message, columns=", ".join(dict.fromkeys(seen)))


def _has_call_field(context: FileContext) -> bool:
    """Return whether a column names a call; a column of activities only where it was mapped."""
    states = list_words("state_headers")
    return any(
        context.has(name)
        and (name in context.options.columns or context.columns[name].header.words not in states)
        for name in _OF_CALLS
    )


def _refuse_totals(context: FileContext) -> None:
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
