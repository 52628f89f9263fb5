"""CallRail calls: contacts, or campaigns of other contacts, joined by tracking number and time."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from qa_core.files.sample import Sample
from qa_core.ingest.columns import scalars
from qa_core.ingest.declaration import Platform, WordColumn
from qa_core.ingest.platforms import reader

_OUTCOMES = (
    ("answered", True, "answered"),
    ("voicemail", True, "voicemail"),
    ("answered", False, "unanswered"),
)
"""Key, value and outcome; the first that fits counts."""
_TEXTS = {
    "advisor": ("agent_email",),
    "tracking_number": ("tracking_phone_number",),
    "source": ("utm_source", "source", "source_name"),
    "medium": ("utm_medium", "medium"),
    "campaign": ("utm_campaign", "campaign"),
    "keyword": ("utm_term", "keywords"),
    "landing_page": ("landing_page_url",),
    "customer": ("customer_phone_number",),
}


def recognise(sample: Sample) -> bool:
    """Tell whether every object is a call on a tracking number, with CallRail's names."""
    return sample.has_keys("tracking_phone_number", "customer_phone_number", "start_time")


def read(export: reader.ExportReader) -> Iterator[pa.Table]:
    export.decide(
        "talk_seconds",
        "the duration of answered contacts is taken as talk time",
        "{other}: no other column says it",
        other="duration",
    )
    return export.tables(_build_record)


def _build_record(number: int, item: Mapping[str, Any]) -> dict[str, Any]:
    start = reader.require(item.get("start_time"), "missing_start")
    outcome = next((name for key, value, name in _OUTCOMES if item.get(key) is value), None)
    return scalars.keep_of_answered(
        {
            "line": number,
            "contact_id": str(item["id"]) if item.get("id") else None,
            "started_at": reader.require(scalars.from_stamp(start), "impossible_date"),
            "direction": scalars.read_direction(item.get("direction")),
            "outcome": outcome,
            "talk_seconds": scalars.read_seconds(item.get("duration")),
            "recorded": bool(item.get("recording")),
        }
        | {column: _find_text(item, *names) for column, names in _TEXTS.items()},
        "talk_seconds",
    )


def _find_text(item: Mapping[str, Any], *names: str) -> str | None:
    values = (item[name] for name in names if isinstance(item.get(name), (str, int)))
    return next((str(value) for value in values if str(value).strip()), None)


PLATFORM = Platform(
    name="callrail",
    title="CallRail",
    recognise=recognise,
    schema=reader.record_schema(
        "contact_id started_at direction advisor outcome talk_seconds tracking_number source "
        "medium campaign keyword landing_page recorded customer_key"
    ),
    read=read,
    fold=reader.select_all,
    mapping={
        "contact_id": "id",
        "started_at": "start_time",
        "direction": "direction",
        "advisor": "agent_email",
        "outcome": "answered, voicemail",
        "talk_seconds": "duration",
        "tracking_number": "tracking_phone_number",
        "source": "utm_source, source",
        "medium": "utm_medium, medium",
        "campaign": "utm_campaign, campaign",
        "keyword": "utm_term, keywords",
        "landing_page": "landing_page_url",
        "recorded": "recording",
        "customer": "customer_phone_number",
    },
    kinds=("contacts", "tracking"),
    words=(WordColumn("direction", "direction", scalars.DIRECTIONS),),
    durations=("duration",),
    shown=("id", "start_time"),
)
