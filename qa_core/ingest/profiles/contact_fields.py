"""Fields of a contact, which the profiles of contacts share."""

from collections.abc import Mapping
from dataclasses import replace

from qa_core.ingest.declaration import Field, ValueType, build_fields

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
    ("transfers", ValueType.WHOLE, 0),
    ("transferred declared_resolved", ValueType.BOOLEAN),
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
)
"""A header of a contact or a ticket names the contact; where another column does,
`contacts.claim` uses it as the ticket."""


def take_fields(synonyms: Mapping[str, str]) -> tuple[Field, ...]:
    """Take these fields of a contact, recognised by these headers instead of their own."""
    return tuple(
        replace(field, synonyms=synonyms[field.name]) for field in FIELDS if field.name in synonyms
    )
