"""CallTrackingMetrics calls: contacts, or campaigns of others, joined by number and time."""

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pyarrow as pa

from qa_core.files.json_documents import look_up
from qa_core.files.sample import Sample
from qa_core.ingest.columns import scalars
from qa_core.ingest.declaration import Platform, WordColumn
from qa_core.ingest.platforms import reader
from qa_core.storage.schema import Outcome

_OUTCOMES = {
    "answered": "answered", "completed": "answered", "in progress": None, "ringing": None,
    "queued": None, "received": "answered", "no answer": "unanswered", "missed": "unanswered",
    "hangup": "abandoned", "hang up": "abandoned", "abandon": "abandoned", "abandoned": "abandoned",
    "canceled": "abandoned", "busy": "refused", "blocked": "refused", "failed": "failed",
    "voicemail": "voicemail",
}  # fmt: skip
_NO_CALLS = ("text", "sms", "msg", "form", "chat", "fax")

_TEXTS = {
    "tracking_number": ("tracking_number",),
    "source": ("source", "web_source"),
    "medium": ("medium", "paid.medium"),
    "campaign": ("campaign", "paid.campaign"),
    "keyword": ("keyword", "paid.keyword"),
    "landing_page": ("location",),
    "customer": ("caller_number_complete", "caller_number", "contact_number"),
}


def recognise(sample: Sample) -> bool:
    """Tell whether every object is a call with the names of CallTrackingMetrics."""
    return sample.has_keys("sid", "tracking_number") and (
        sample.has_keys("called_at") or sample.has_keys("unix_time")
    )


def read(export: reader.ExportReader) -> Iterator[pa.Table]:
    """Read calls; texts, forms and chats are skipped."""
    return export.tables(_build_record)


def _read_start(item: Mapping[str, Any]) -> datetime | None:
    moment = scalars.from_epoch(item.get("unix_time"))
    if moment is None and isinstance(item.get("called_at"), str):
        moment = scalars.from_stamp(item["called_at"])
        for read_date in (parsedate_to_datetime, _read_own_date) if moment is None else ():
            with contextlib.suppress(TypeError, ValueError, IndexError, OverflowError):
                moment = moment or scalars.from_stamp(read_date(item["called_at"]).isoformat())
    return moment


def _read_own_date(value: str) -> datetime:
    """Parse a date as the tool's own reports write it: `2026-03-02 09:00 AM -05:00`."""
    return datetime.strptime(value, "%Y-%m-%d %I:%M %p %z")


def _build_record(number: int, item: Mapping[str, Any]) -> dict[str, Any]:
    direction = scalars.fold_case(item.get("direction"))
    if direction.startswith(_NO_CALLS):
        raise reader.SkippedRecord(direction)
    started = reader.require(_read_start(item), "missing_start")
    talk = scalars.read_seconds(item.get("talk_time"))
    status = scalars.fold_case(_find_value(item, "dial_status", "call_status", "status"))
    agent = item.get("agent")
    tags = [tag for tag in item.get("tag_list") or () if isinstance(tag, str)]
    transfers = item.get("transfers")
    contact_id = item.get("sid") if item.get("id") is None else item["id"]
    return scalars.keep_of_answered(
        {
            "line": number,
            "contact_id": None if contact_id is None else str(contact_id),
            "started_at": started,
            "direction": scalars.read_direction(direction),
            "reason": next(iter(tags), None),
            "advisor": _find_value(agent, "email", "name")
            if isinstance(agent, Mapping)
            else item.get("agent_id"),
            "outcome": scalars.find_meaning(status, _OUTCOMES, Outcome)
            or ("answered" if talk and not status else None),
            "wait_seconds": scalars.read_seconds(
                item.get("ring_time" if item.get("wait_time") is None else "wait_time")
            ),
            "talk_seconds": talk,
            "hold_seconds": scalars.read_seconds(item.get("hold_time")),
            "transfers": len(transfers) if isinstance(transfers, list) else None,
            "recorded": bool(item.get("audio")),
        }
        | {column: _find_value(item, *paths) for column, paths in _TEXTS.items()},
        "talk_seconds",
        "transfers",
    )


def _find_value(item: Mapping[str, Any], *paths: str) -> Any:
    return next(filter(None, (look_up(item, path) for path in paths)), None)


PLATFORM = Platform(
    name="calltrackingmetrics",
    title="CallTrackingMetrics",
    recognise=recognise,
    schema=reader.record_schema(
        "contact_id started_at direction reason advisor outcome wait_seconds talk_seconds "
        "hold_seconds transfers tracking_number source medium campaign keyword landing_page "
        "recorded customer_key"
    ),
    read=read,
    fold=reader.select_all,
    mapping={
        "contact_id": "id",
        "started_at": "unix_time, called_at",
        "direction": "direction",
        "reason": "tag_list",
        "advisor": "agent.email",
        "outcome": "dial_status, call_status",
        "wait_seconds": "wait_time, ring_time",
        "talk_seconds": "talk_time",
        "hold_seconds": "hold_time",
        "transfers": "transfers",
        "tracking_number": "tracking_number",
        "source": "source",
        "medium": "medium",
        "campaign": "campaign",
        "keyword": "keyword",
        "landing_page": "location",
        "recorded": "audio",
        "customer": "caller_number",
    },
    kinds=("contacts", "tracking"),
    words=(
        *(WordColumn(name, "outcome", _OUTCOMES) for name in ("dial_status", "call_status")),
        WordColumn("direction", "direction", scalars.DIRECTIONS),
    ),
    durations=("talk_time", "wait_time", "ring_time", "hold_time"),
    shown=("id", "called_at"),
)
