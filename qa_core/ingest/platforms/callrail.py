"""CallRail calls: contacts, or campaigns of other contacts, joined by tracking number and time."""

from collections.abc import Mapping
from typing import Any

from qa_core.files.signatures import Keys
from qa_core.ingest.platforms import fields
from qa_core.ingest.platforms.declaration import Platform
from qa_core.ingest.platforms.fields import Item
from qa_core.ingest.staging.declaration import DURATION_IS_TALK

_OUTCOMES = (
    ("answered", True, "answered"),
    ("voicemail", True, "voicemail"),
    ("answered", False, "unanswered"),
)
"""Key, value and outcome; the first that fits counts."""


def build(item: Item, record: Mapping[str, Any]) -> dict[str, Any]:
    outcomes = (outcome for key, value, outcome in _OUTCOMES if item.get(key) is value)
    return {"outcome": next(outcomes, None)}


PLATFORM = Platform(
    name="callrail",
    title="CallRail",
    signatures=(Keys(("tracking_phone_number", "customer_phone_number", "start_time")),),
    fields={
        "contact_id": fields.Value("id"),
        "started_at": fields.Moment("start_time", missing="missing_start", bad="impossible_date"),
        "direction": fields.DirectionWords("direction"),
        "advisor": fields.Value("agent_email"),
        "outcome": fields.Computed("answered, voicemail"),
        "talk_seconds": fields.Seconds("duration"),
        "tracking_number": fields.Value("tracking_phone_number"),
        "source": fields.Value("utm_source", "source", "source_name", shown="utm_source, source"),
        "medium": fields.Value("utm_medium", "medium"),
        "campaign": fields.Value("utm_campaign", "campaign"),
        "keyword": fields.Value("utm_term", "keywords"),
        "landing_page": fields.Value("landing_page_url"),
        "recorded": fields.Flag("recording"),
        "customer": fields.Value("customer_phone_number"),
    },
    build=build,
    of_answered=("talk_seconds",),
    kinds=("contacts", "tracking"),
    remarks=(("talk_seconds", DURATION_IS_TALK, "duration"),),
    shown=("id", "start_time"),
)
