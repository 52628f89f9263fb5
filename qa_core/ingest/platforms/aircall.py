"""Aircall calls: epochs in seconds, and why a missed call was missed."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from qa_core.files.json_documents import look_up
from qa_core.files.sample import Sample
from qa_core.ingest.columns import scalars
from qa_core.ingest.declaration import Platform, WordColumn
from qa_core.ingest.platforms import reader
from qa_core.storage.schema import Outcome

_MISSED = {
    "out of opening hours": "closed",
    "short abandoned": "abandoned",
    "abandoned in ivr": "abandoned",
    "abandoned in classic": "abandoned",
    "no available agent": "unanswered",
    "agents did not answer": "unanswered",
}


def recognise(sample: Sample) -> bool:
    """Tell whether every object is a call with direction, start and dialled digits."""
    return bool(sample.objects) and all(
        {"direction", "started_at", "raw_digits"} <= set(_unwrap(item)) for item in sample.objects
    )


def _unwrap(item: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = item.get("call") or item.get("data")
    return inner if isinstance(inner, Mapping) else item


def read(export: reader.ExportReader) -> Iterator[pa.Table]:
    """Read calls, as they come or each within a webhook's event."""
    items = ((number, _unwrap(item)) for number, item in export.items())
    return export.tables(_build_record, items)


def _read_moment(value: Any) -> datetime | None:
    return scalars.from_epoch(value) or scalars.from_stamp(value)


def _build_record(number: int, item: Mapping[str, Any]) -> dict[str, Any]:
    contact_id = reader.require(item.get("id"), "missing_key")
    started = reader.require(_read_moment(item.get("started_at")), "missing_start")
    answered, ended = _read_moment(item.get("answered_at")), _read_moment(item.get("ended_at"))
    outcome = _find_outcome(item, answered, ended)
    person = item.get("user") or item.get("assigned_to")
    if isinstance(person, Mapping):
        person = person.get("name") or person.get("email")
    tags = [tag["name"] for tag in item.get("tags") or () if look_up(tag, "name")]
    return scalars.keep_of_answered(
        {
            "line": number,
            "contact_id": str(contact_id),
            "started_at": started,
            "direction": scalars.read_direction(item.get("direction")),
            "queue": look_up(item, "number.name"),
            "reason": next(iter(tags), None),
            "advisor": person,
            "outcome": outcome,
            "wait_seconds": scalars.seconds_between(started, answered or ended),
            "talk_seconds": scalars.seconds_between(answered, ended),
            "transfers": int(bool(item.get("transferred_by") or item.get("transferred_to"))),
            "tracking_number": look_up(item, "number.digits")
            if item.get("direction") == "inbound"
            else None,
            "recorded": bool(item.get("recording")),
            "customer": item.get("raw_digits"),
        },
        "advisor",
        "transfers",
    )


def _find_outcome(
    item: Mapping[str, Any], answered: datetime | None, ended: datetime | None
) -> str | None:
    if answered is not None:
        return "answered"
    reason = scalars.find_meaning(item.get("missed_call_reason"), _MISSED, Outcome)
    if reason == "closed":
        return reason
    if item.get("voicemail"):
        return "voicemail"
    return reason or ("unanswered" if ended is not None else None)


PLATFORM = Platform(
    name="aircall",
    title="Aircall",
    recognise=recognise,
    schema=reader.record_schema(
        "contact_id started_at direction queue reason advisor outcome wait_seconds talk_seconds "
        "transfers tracking_number recorded customer_key"
    ),
    read=read,
    fold=reader.select_all,
    mapping={
        "contact_id": "id",
        "started_at": "started_at",
        "direction": "direction",
        "queue": "number.name",
        "reason": "tags",
        "advisor": "user.name",
        "outcome": "answered_at, missed_call_reason, voicemail",
        "wait_seconds": "answered_at",
        "talk_seconds": "ended_at",
        "transfers": "transferred_to",
        "tracking_number": "number.digits",
        "recorded": "recording",
        "customer": "raw_digits",
    },
    group="contact_id",
    words=(
        WordColumn("missed_call_reason", "outcome", _MISSED),
        WordColumn("direction", "direction", scalars.DIRECTIONS),
    ),
    shown=("id", "started_at"),
)
