"""CallRail calls: contacts in their own right, and the campaign of the telephony's
contacts, joined by tracking number and time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from qa_core.base.i18n import N_
from qa_core.files.sample import Sample
from qa_core.ingest.columns.scalars import as_number, from_iso
from qa_core.ingest.declaration import Platform
from qa_core.ingest.platforms.reader import ExportReader, record_schema, take_all

SCHEMA = record_schema(
    "contact_id",
    "started_at",
    "direction",
    "advisor",
    "outcome",
    "talk_seconds",
    "tracking_number",
    "source",
    "medium",
    "campaign",
    "keyword",
    "landing_page",
    "recorded",
    "customer_key",
)


def recognise(sample: Sample) -> bool:
    """Every object is a call on a tracking number, with CallRail's own names."""
    return sample.has_keys("tracking_phone_number", "customer_phone_number", "start_time")


def read(work: ExportReader) -> Iterator[pa.Table]:
    work.decide(
        "talk_seconds",
        N_("the duration of answered contacts is taken as talk time"),
        N_("{other}: no other column says it"),
        other="duration",
    )
    return work.tables(_records(work))


def _records(work: ExportReader) -> Iterator[dict[str, Any]]:
    for number, item in work.documents():
        started = from_iso(item.get("start_time"))
        if started is None:
            work.reject(
                number,
                "missing_start" if not item.get("start_time") else "impossible_date",
                [str(item.get("id") or ""), str(item.get("start_time") or "")],
            )
            continue
        yield from work.build(number, _as_record, item, started)


def _as_record(number: int, item: Mapping[str, Any], started: datetime) -> dict[str, Any]:
    said = (
        ("answered", "answered", True),
        ("voicemail", "voicemail", True),
        ("unanswered", "answered", False),
    )
    outcome = next((meaning for meaning, name, truth in said if item.get(name) is truth), None)
    return {
        "line": number,
        "contact_id": str(item["id"]) if item.get("id") else None,
        "started_at": started,
        "direction": item.get("direction")
        if item.get("direction") in ("inbound", "outbound")
        else None,
        "advisor": item.get("agent_email"),
        "outcome": outcome,
        "talk_seconds": _read_duration(item.get("duration")) if outcome == "answered" else None,
        "tracking_number": item.get("tracking_phone_number"),
        "source": _first(item, "utm_source", "source", "source_name"),
        "medium": _first(item, "utm_medium", "medium"),
        "campaign": _first(item, "utm_campaign", "campaign"),
        "keyword": _first(item, "utm_term", "keywords"),
        "landing_page": _first(item, "landing_page_url"),
        "recorded": bool(item.get("recording")),
        "customer": item.get("customer_phone_number"),
    }


def _read_duration(value: Any) -> float | None:
    """Seconds, or as a clock shows them: `27`, `00:01:00`."""
    parts = value.split(":") if isinstance(value, str) else [value]
    numbers = [as_number(part) for part in parts]
    return (
        None
        if None in numbers
        else sum(number * 60**place for place, number in enumerate(reversed(numbers)))
    )


def _first(item: Mapping[str, Any], *names: str) -> str | None:
    return next(
        (
            str(item[name])
            for name in names
            if isinstance(item.get(name), (str, int)) and str(item[name]).strip()
        ),
        None,
    )


PLATFORM = Platform(
    name="callrail",
    title="CallRail",
    recognise=recognise,
    schema=SCHEMA,
    read=read,
    fold=take_all,
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
    shown=("id", "start_time"),
)
