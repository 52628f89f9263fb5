"""Satisfaction surveys: customers' answers about a contact or a ticket."""

import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.base.masking import mask_contact_details
from qa_core.files.decision import NO_COLUMN
from qa_core.files.header_text import simplify
from qa_core.ingest.columns.column_inference import FileContext, RowBatch, refuse_unread
from qa_core.ingest.columns.header_matching import RATINGS, parse_header, refuse_missing_column
from qa_core.ingest.columns.vocabulary import ANSWERS
from qa_core.ingest.profiles.contacts import IS_RATING, RATED, build_marks
from qa_core.ingest.profiles.starts import build_moment, decide_zone, to_clocks
from qa_core.ingest.staging.arrays import as_moments, as_numbers, as_words, is_among, to_numpy
from qa_core.ingest.staging.declaration import Column, Profile, build_fields
from qa_core.ingest.staging.staged import SURVEY
from qa_core.ingest.words import tables

LAST_SECOND = np.timedelta64(86_399, "s")
MIN_QUESTION_WORDS = 4
"""Words from which on a header is a question."""
STARS = re.compile(r"[★*⭐]")
_MAXIMUM = re.compile(r"\b(?:max|maximum|out of|scale|bareme|note max|maximo|massimo|maximal)\b")
OF_ANSWERING = re.compile(r"progress|finished|status|response type|duration\b.*|time taken")
"""Header of a fact of the answering, which rates nothing."""
_TRIALS = tables.list_words("trial_answers")
_TRIAL_NUMBERS = ("1", "2", "8", "9", "17", "18")
"""Previews, tests and spam as Qualtrics numbers them, beside its columns `_PROGRESS`."""
_PROGRESS = {"progress", "finished"}
MIN_ANSWERS, MAX_ANSWERS, MIN_ASKED = 50, 5, 0.8
"""Rows, and rows for each contact on average, above which they are no answers about contacts;
share of contacts and questions, each with each, from which on rows are questions.
"""
FIELDS = build_fields("surveys")


def claim(headers: tuple[str, ...], columns: dict[str, Column]) -> None:
    """Use columns whose header is a question that only one field answers; of several about
    one field, the one about everything.
    """
    used = {column.index for column in columns.values()}
    asked: dict[str, list[int]] = {}
    overall = set()
    for index, text in enumerate(headers):
        words = simplify(text).split()
        if index in used or len(words) < MIN_QUESTION_WORDS or words[-1] == "group":
            continue
        found = {
            name
            for name, _language, stems in tables.list_meanings("questions")
            if any(word.startswith(stem) for word in words for stem in stems)
        }
        if "overall" in found:
            overall.add(index)
        if len(names := found - {"overall"}) == 1:
            asked.setdefault(names.pop(), []).append(index)
    for name, indexes in asked.items():
        indexes = [index for index in indexes if index in overall] or indexes
        if name not in columns and len(indexes) == 1:
            [index] = indexes
            columns[name] = Column(PROFILE.get_field(name), index, parse_header(headers[index]))


def decide_columns(context: FileContext) -> None:
    """Drop empty dates, and record how rows are matched to contacts."""
    context.drop_empty("answered_at", "sent_at", "time")
    if context.has("time"):
        clock, day = context.evidence["time"], context.evidence.get("answered_at")
        if not context.has("answered_at") or day.has_clock or not clock.has_clock:
            context.leave_aside("time", clock.example)
    decide_zone(context, "answered_at", "sent_at")
    _leave_out_trials(context)
    _require_answers(context)
    _require_ratings(context)
    _require_maximum(context)
    if context.has("customer") and not context.has("contact_id") and not context.has("ticket"):
        context.decide("contact_id", "joined by customer and time", NO_COLUMN)
    if not context.has("survey_sent"):
        context.decide("survey_sent", "every row is a sent survey", NO_COLUMN)


def _require_maximum(context: FileContext) -> None:
    """Raise Refusal where a column beside the ratings has another maximum than was inferred."""
    if not context.has("csat") or "csat" in context.options.scales or context.options.is_stated:
        return
    greatest = context.scales["csat"].rpartition("-")[2]
    for index, text in context.find_unused():
        values = context.sample_cells(index).unique().to_pylist()
        is_maximum = _MAXIMUM.search(simplify(text)) and all(map(str.isdecimal, values))
        others = sorted({*map(int, values)} - {1, float(greatest)}) if is_maximum else []
        if others:
            raise context.evidence["csat"].refuse(
                "ambiguous_scale",
                "The maximum of {column} is {greatest}, by {other}. Choose its scale.",
                tuple(f"--scale csat={low}-{others[-1]}" for low in (1, 0))
                if len(values) == 1
                else (f"--map ignore={context.get_header('csat')}",),
                greatest=", ".join(sorted(values)),
                other=text,
            )


def _leave_out_trials(context: FileContext) -> None:
    """Find the answers that are previews, tests or spam, and leave them out."""
    if not context.has("answer_status"):
        return
    is_numbered = set(map(simplify, context.headers)) >= _PROGRESS
    context.notes["trials"] = trials = [
        word
        for word in context.evidence["answer_status"].seen
        if simplify(word) in _TRIALS or (is_numbered and word in _TRIAL_NUMBERS)
    ]
    if trials:
        message = N_("previews, tests and spam of the survey are left out: {words}")
        context.decide("answer_status", message, words=", ".join(trials))


def _require_answers(context: FileContext) -> None:
    """Raise Refusal where each id is on so many rows that the rows are means, not answers."""
    for name in ("contact_id", "ticket"):
        cells = context.sample_cells(context.columns[name].index) if context.has(name) else ()
        if len(cells) >= MIN_ANSWERS and len(cells) > MAX_ANSWERS * len(cells.unique()):
            raise Refusal(
                "not_surveys",
                "Each value of {column} is on many rows, so the rows are no answers of customers "
                "about one contact. Export the answers one by one.",
                column=context.get_header(name),
            )
    _require_one_question(context)


def _require_one_question(context: FileContext) -> None:
    """Raise Refusal where each contact has a row for each question: the last one would stay."""
    cells = context.take_sample().cells
    name = next(filter(context.has, ("contact_id", "ticket")), None)
    for index, text in context.find_unused() if name and context.is_open(name) else ():
        own = cells[context.columns[name].index].to_pylist()
        pairs = [*zip(own, cells[index].to_pylist(), strict=True)]
        keys, values = map(set, zip(*pairs, strict=True))
        is_each_asked = len(pairs) == len({*pairs}) > MIN_ASKED * len(keys) * len(values)
        if is_each_asked and min(len(keys), len(values)) > 1:
            raise context.refuse(
                "not_surveys",
                "Rows of one {column} hold different questions ({other}). Write a column for each "
                "question, and one row per answer.",
                name,
                "--map csat=COLUMN",
                other=text,
            )


def _require_ratings(context: FileContext) -> None:
    """Raise Refusal where nobody rated anything, and a column that is not used has ratings."""
    marked = [
        evidence
        for evidence in context.unread.values()
        if evidence.seen
        and (all(map(IS_RATING.fullmatch, evidence.seen)) or evidence.words <= ANSWERS.keys())
        and not OF_ANSWERING.fullmatch(simplify(evidence.column))
    ]
    rated = [
        evidence.column
        for evidence in marked
        if STARS.match(next(iter(evidence.seen)))
        or RATED.search(simplify(evidence.column))
        or (parse_header(evidence.column).scale or "").startswith(("0-", "1-"))
    ]
    has_any = any(map(context.has, RATINGS))
    has_marks = any(map(IS_RATING.fullmatch, (word for item in marked for word in item.seen)))
    if rated and not context.has("csat") and (has_any or not has_marks):
        raise refuse_unread("unread_rating", rated, N_("Satisfaction"), ("csat", "ignore"))
    if has_marks and not has_any:
        raise refuse_missing_column("missing_column", "surveys", context.headers, *RATINGS)


def build(context: FileContext, batch: RowBatch) -> Mapping[str, pa.Array]:
    columns = batch.read_texts("contact_id", "ticket")
    if context.has("customer"):
        columns["customer_key"] = context.pseudonyms.find_keys(batch.read_text("customer"))
    if context.notes.get("trials"):
        is_trial = is_among(batch.read_text("answer_status"), context.notes["trials"])
        batch.reject(is_trial, "trial")
    batch.require_any(columns, "contact_id", "ticket", "customer_key")
    if context.has("answered_at"):
        columns["answered_at"] = as_moments(_build_answered(context, batch))
    if context.has("sent_at"):
        columns["sent_at"] = as_moments(build_moment(context, batch, "sent_at")[0])
    columns |= build_marks(context, batch)
    if context.has("resolved"):
        columns["survey_resolved"] = as_words(batch.read_word("resolved"), pa.bool_())
    if context.has("contacts"):
        columns["survey_contacts"] = as_numbers(batch.read_number("contacts"), pa.int32())
    if context.has("comment"):
        columns["survey_comment"] = mask_contact_details(batch.read_text("comment"))
    columns["survey_sent"] = _build_sent(context, batch, columns)
    return columns


def _build_answered(context: FileContext, batch: RowBatch) -> np.ndarray:
    """Build the moments of answers in UTC; a day alone ends after its contacts."""
    moments = batch.read_moment("answered_at")
    clocks = moments.clock
    if context.has("time"):
        clocks = np.where(np.isnat(clocks), batch.read_moment("time").clock, clocks)
    if not context.has("contact_id"):
        is_day = np.isnat(clocks) & ~np.isnat(moments.day) & (batch.reasons == None)  # noqa: E711
        context.notes["time_missing"] = context.notes.get("time_missing", 0) + int(is_day.sum())
    own = moments.day.astype("M8[us]") + np.where(np.isnat(clocks), LAST_SECOND, clocks)
    return to_clocks(context, own, moments.fixed)[0]


def _build_sent(context: FileContext, batch: RowBatch, columns: Mapping[str, pa.Array]) -> pa.Array:
    if not context.has("survey_sent"):
        return pa.array(np.ones(len(batch), bool))
    answered = np.logical_or.reduce(
        [to_numpy(columns[name].is_valid()) for name in SURVEY if name in columns]
        or [np.zeros(len(batch), bool)]
    )
    return as_words(np.where(answered, True, batch.read_word("survey_sent")), pa.bool_())


PROFILE = Profile(
    "generic",
    "surveys",
    FIELDS,
    (
        ("contact_id", "ticket", "customer"),
        ("csat", "nps", "ces", "resolved", "comment", "sent_at"),
    ),
    decide_columns,
    build,
    claim=claim,
    required=(),
)
