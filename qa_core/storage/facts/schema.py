"""Columns of the facts, declared once as SQLAlchemy tables and Arrow schemas."""

from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.sql import visitors

from qa_core.storage.facts import personal_data as data

if TYPE_CHECKING:
    import pyarrow as pa

METADATA = sa.MetaData()
Clause = TypeVar("Clause", bound=sa.ClauseElement)


class Outcome(StrEnum):
    """End of a contact. `UNANSWERED`: file does not say how; counted as abandoned, with a note."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    TIMEOUT = "timeout"
    OVERFLOW = "overflow"
    VOICEMAIL = "voicemail"
    CLOSED = "closed"
    REFUSED = "refused"
    FAILED = "failed"
    UNANSWERED = "unanswered"


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    INTERNAL = "internal"


class Handler(StrEnum):
    """Handler of a contact; `MACHINE`: alone. Not known (null) counts as a person."""

    PERSON = "person"
    MACHINE = "machine"
    MACHINE_THEN_PERSON = "machine_then_person"


NEIGHBOUR_DAYS = 31
"""Days beyond which `seconds_to_next` and the like are null (data/README.md)."""

CONTACT_ID = data.Datum(data.CONTACT, (data.CUSTOMER, data.ADVISOR))
ADVISOR_ID = data.Datum(data.IDENTIFIER, (data.ADVISOR,), data.CUT, kind="contacts")
CUSTOMER_KEY = data.Datum(data.IDENTIFIER, (data.CUSTOMER,), kind="contacts")
COMMENT = data.Datum(data.TEXT, (data.CUSTOMER,), kind="survey_comments")
WORDING = data.Datum(data.WORDING, (), data.BLANK)
"""Names that the centre gives, such as a queue of one advisor."""
STORED_CONTACTS = data.Stored(
    (data.CUSTOMER, data.ADVISOR), "contacts", "local_start", because="figures stay without a name"
)
FOUND_BY = data.Datum(data.TEXT, (data.CUSTOMER,))
"""Words and page by which a customer came from the web."""


def _text(name: str, datum: data.Datum = data.CODE, **options: Any) -> sa.Column[str]:
    return sa.Column(name, sa.Text, info=datum.info, **options)


def _texts(names: str) -> list[sa.Column[str]]:
    return [_text(name) for name in names.split()]


def _columns(kind: type[sa.types.TypeEngine[Any]], names: str) -> list[sa.Column[Any]]:
    return [sa.Column(name, kind) for name in names.split()]


CONTACTS = sa.Table(
    "contacts",
    METADATA,
    _text("source_system", nullable=False),
    _text("contact_id", CONTACT_ID, nullable=False),
    # The case that the contact belongs to, as the tool numbers it; several may share one.
    _text("ticket", CONTACT_ID),
    _text("month", nullable=False),  # partition: YYYY-MM of local_start
    sa.Column("started_at", sa.DateTime, nullable=False),  # UTC, without zone
    sa.Column("local_start", sa.DateTime, nullable=False),  # the centre's wall clock
    sa.Column("time_missing", sa.Boolean),  # the source gave a day alone; else null
    *_texts("direction channel"),
    _text("queue", WORDING),
    _text("reason", WORDING),
    _text("advisor_id", ADVISOR_ID),
    _text("team"),
    _text("customer_key", CUSTOMER_KEY),
    _text("outcome"),
    *_columns(sa.Double, "wait_seconds talk_seconds hold_seconds wrap_seconds"),
    sa.Column("transfers", sa.Integer),
    _text("handled_by"),
    sa.Column("machine_seconds", sa.Double),
    sa.Column("handover_wait_seconds", sa.Double),  # from the machine's end to the person
    sa.Column("declared_resolved", sa.Boolean),
    *_columns(sa.Double, "seconds_to_next seconds_since_previous seconds_to_reached"),
    *_texts("tracking_number source medium campaign"),
    _text("keyword", FOUND_BY),
    _text("landing_page", FOUND_BY),
    _text("tracking_match"),  # id · number_and_time · number · null
    sa.Column("survey_sent", sa.Boolean),
    sa.Column("csat", sa.Double),
    _text("csat_scale"),  # "1-5": least and greatest mark of the scale as given
    *_columns(sa.Double, "nps ces"),
    sa.Column("survey_resolved", sa.Boolean),
    sa.Column("survey_contacts", sa.Integer),
    _text("survey_comment", COMMENT),
    *_columns(
        sa.Boolean, "recorded notice_played customer_objected stopped_by_advisor private_line"
    ),
    _text("recording_purpose"),
    # Outbound calls (R21): sales · service · survey; express · running_contract · no
    *_texts("purpose_of_call prior_consent"),
    sa.Column("sales_refused", sa.Boolean),
    _text("customer_zone"),
    sa.Column("outside_sales_hours", sa.Boolean),  # on the consumer's clock
    # What the source said where the centre says otherwise (merged advisors, spellings,
    # opening hours, shared numbers); null: unchanged.
    _text("given_queue", WORDING),
    _text("given_reason", WORDING),
    _text("given_campaign"),
    _text("given_advisor_id", ADVISOR_ID),
    _text("given_team"),  # empty: the source gave none
    _text("given_handled_by"),  # likewise
    _text("given_outcome"),
    _text("given_customer_key", CUSTOMER_KEY),
    sa.Column("has_customer", sa.Boolean),  # made when a file is written, see DERIVED
    sa.Column("customer_number", sa.BigInteger),  # likewise
    sa.Column("had_customer", sa.Boolean),  # its customer key was deleted by age; else null
    sa.Column("seen_before", sa.Boolean),  # of a customer whose earlier contacts name nobody now
    _text("batch_id", nullable=False),
    info={"stored": STORED_CONTACTS},
)

EVERY_CONTACT = sa.Table(
    # The contacts outside the viewer's scope too, and whether each is inside; in reach of
    # a statement that says why it looks beyond the scope (`guard.Scoped`), of no other.
    "every_contact",
    METADATA,
    *(sa.Column(column.name, column.type) for column in CONTACTS.columns),
    sa.Column("is_own", sa.Boolean, nullable=False),
)

SPEND = sa.Table(
    "spend",
    METADATA,
    sa.Column("day", sa.Date, nullable=False),
    _text("month", nullable=False),  # partition
    *_texts("source medium campaign"),
    sa.Column("amount", sa.Double, nullable=False),
    _text("currency", nullable=False),
    _text("batch_id", nullable=False),
    info={"stored": data.NOBODY},
)

INTERVALS = sa.Table(
    # Totals of a queue over some minutes, from platforms that export no single
    # contacts. Counts of contacts, sums of seconds; null is not given.
    "intervals",
    METADATA,
    _text("source_system", nullable=False),
    _text("month", nullable=False),  # partition: YYYY-MM of local_start
    sa.Column("started_at", sa.DateTime, nullable=False),  # UTC, without zone
    sa.Column("local_start", sa.DateTime, nullable=False),  # the centre's wall clock
    sa.Column("length_minutes", sa.Integer, nullable=False),
    *_texts("queue channel team"),
    *_columns(sa.Integer, "received answered abandoned short_abandons answered_in_threshold"),
    sa.Column("threshold_seconds", sa.Double),
    sa.Column("wait_seconds", sa.Double),  # of the answered
    sa.Column("abandon_wait_seconds", sa.Double),  # of the abandoned
    *_columns(sa.Double, "talk_seconds hold_seconds wrap_seconds"),
    _text("batch_id", nullable=False),
    info={"stored": data.NOBODY},
)

AS_GIVEN = {
    name: f"given_{name}"
    for name in (
        *("queue", "reason", "campaign", "advisor_id", "team", "handled_by"),
        *("outcome", "customer_key"),
    )
}
"""Columns that the centre's rules may change, and where each keeps its source value."""

EMPTY_GIVEN = ("team", "handled_by")
"""Columns whose source value is kept as an empty text where the source gave none."""

EXCLUDED_BY = ("tracking_number", "advisor_id")
"""Columns by which the data protection officer excludes lines and advisors."""

RESTRAINTS = ("customer_objected", "notice_played", "stopped_by_advisor", "private_line")
"""Columns of a contact that may forbid keeping its audio."""

IDENTITY = data.find_columns(CONTACTS, data.IDENTIFIER)
"""The columns that name people; a shared number leaves its key in `given_customer_key`."""

DERIVED = {
    "contacts": {
        "has_customer": '"customer_key" IS NOT NULL',
        "customer_number": """coalesce(try_cast('0x' || "customer_key"[-15:] AS BIGINT), """
        """CAST(md5_number_lower("customer_key") >> 1 AS BIGINT))""",
    }
}
"""Columns that are written from others of the same row (SQL), because reading and joining
the long keys took most of the time of many questions. The number is the last 60 bits of
the pseudonym: two of ten million customers share one with a probability of 1 in 20,000.
"""

AFTER_DELETION = ("had_customer", "seen_before")
"""The columns that say what deleted keys would have."""

NEIGHBOURS = ("seconds_to_next", "seconds_since_previous", "seconds_to_reached")
CONTACT_KEY = ("source_system", "contact_id")
SPEND_KEY = ("day", "source", "medium", "campaign", "currency")
INTERVAL_KEY = ("started_at", "length_minutes", "queue", "channel", "team", "source_system")

ANSWERS = sa.Table(
    # One row per answered criterion of the evaluations that the viewer may see;
    # registered beside the lake per question. The columns of the evaluation repeat on
    # each of its rows; `is_first` marks one row per evaluation.
    "answers",
    METADATA,
    sa.Column("evaluation_id", sa.Integer, nullable=False),
    sa.Column("is_first", sa.Boolean, nullable=False),
    *_columns(sa.Text, "source_system contact_id advisor_id team"),
    sa.Column("local_start", sa.DateTime, nullable=False),
    *_columns(sa.Text, "evaluator grid section criterion"),
    sa.Column("score", sa.Double),
    sa.Column("outcome", sa.Text),
    *_columns(sa.Double, "earned possible applied_weight"),
    # The class of error that an answer of 0 is: customer · business · compliance · null.
    sa.Column("critical", sa.Text),
)


def on_every_contact(clause: Clause) -> Clause:
    """Rewrite a clause on CONTACTS to the same on EVERY_CONTACT."""
    return visitors.replacement_traverse(clause, {}, _ON_EVERY_CONTACT.get)


_ON_EVERY_CONTACT = {
    CONTACTS: EVERY_CONTACT,
    **{column: EVERY_CONTACT.c[column.name] for column in CONTACTS.columns},
}


def arrow_schema(table: sa.Table) -> "pa.Schema":
    import pyarrow as pa

    types = {
        sa.Text: pa.string(),
        sa.DateTime: pa.timestamp("us"),
        sa.Date: pa.date32(),
        sa.Double: pa.float64(),
        sa.Integer: pa.int32(),
        sa.BigInteger: pa.int64(),
        sa.Boolean: pa.bool_(),
    }
    return pa.schema(
        [
            pa.field(column.name, types[type(column.type)], nullable=bool(column.nullable))
            for column in table.columns
        ]
    )
