"""CallTrackingMetrics calls: contacts in their own right, and the campaign of the
telephony's contacts, joined by tracking number and time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pyarrow as pa

from qa_core.files.json_documents import look_up
from qa_core.files.sample import Sample
from qa_core.ingest.columns.scalars import as_number, from_epoch, from_iso
from qa_core.ingest.declaration import Platform
from qa_core.ingest.platforms.reader import ExportReader, record_schema, take_all

_OUTCOMES = {
    "answered": "answered", "completed": "answered", "in-progress": None, "ringing": None,
    "queued": None, "received": "answered", "no answer": "unanswered",
    "no-answer": "unanswered", "missed": "unanswered", "hangup": "abandoned",
    "hang up": "abandoned", "abandon": "abandoned", "abandoned": "abandoned",
    "canceled": "abandoned",
    "busy": "refused", "blocked": "refused", "failed": "failed", "voicemail": "voicemail",
}  # fmt: skip
_NO_CALLS = ("text", "sms", "msg", "form", "chat", "fax")

SCHEMA = record_schema(
    "contact_id",
    "started_at",
    "direction",
    "reason",
    "advisor",
    "outcome",
    "wait_seconds",
    "talk_seconds",
    "hold_seconds",
    "transfers",
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
    """Every object is a call on a tracking number, with the names of
    CallTrackingMetrics.
    """
    return sample.has_keys("sid", "tracking_number") and (
        sample.has_keys("called_at") or sample.has_keys("unix_time")
    )


def read(work: ExportReader) -> Iterator[pa.Table]:
    return work.tables(_records(work))


def _read_start(item: Mapping[str, Any]) -> datetime | None:
    moment = from_epoch(item.get("unix_time"))
    if moment is None and isinstance(item.get("called_at"), str):
        moment = from_iso(item["called_at"])
        for read_date in (parsedate_to_datetime, _read_own_date) if moment is None else ():
            with contextlib.suppress(TypeError, ValueError, IndexError, OverflowError):
                parsed = read_date(item["called_at"])
                moment = moment or (from_epoch(parsed.timestamp()) if parsed.tzinfo else None)
    return moment


def _read_own_date(value: str) -> datetime:
    """As its own reports write it: `2026-03-02 09:00 AM -05:00`."""
    return datetime.strptime(value, "%Y-%m-%d %I:%M %p %z")


def _records(work: ExportReader) -> Iterator[dict[str, Any]]:
    for number, item in work.documents():
        started, direction = _read_start(item), str(item.get("direction") or "").casefold()
        if any(direction.startswith(kind) for kind in _NO_CALLS):
            work.tally.skip(direction)
        elif started is None:
            work.reject(
                number,
                "missing_start",
                [str(item.get("id") or ""), str(item.get("called_at") or "")],
            )
        else:
            yield from work.build(number, _as_record, item, started, direction)


def _as_record(
    number: int, item: Mapping[str, Any], started: datetime, direction: str
) -> dict[str, Any]:
    said = str(
        item.get("dial_status") or item.get("call_status") or item.get("status") or ""
    ).casefold()
    talk = as_number(item.get("talk_time"))
    outcome = _OUTCOMES.get(said, "answered" if talk else None)
    agent = item.get("agent")
    tags = [tag for tag in item.get("tag_list") or () if isinstance(tag, str)]
    identity = item.get("id") if item.get("id") is not None else item.get("sid")
    return {
        "line": number,
        "contact_id": None if identity is None else str(identity),
        "started_at": started,
        "direction": direction if direction in ("inbound", "outbound") else None,
        "reason": tags[0] if tags else None,
        "advisor": (agent.get("email") or agent.get("name"))
        if isinstance(agent, Mapping)
        else item.get("agent_id"),
        "outcome": outcome,
        "wait_seconds": as_number(item.get("wait_time"))
        if item.get("wait_time") is not None
        else as_number(item.get("ring_time")),
        "talk_seconds": talk if outcome == "answered" else None,
        "hold_seconds": as_number(item.get("hold_time")),
        "transfers": len(item["transfers"])
        if isinstance(item.get("transfers"), list) and outcome == "answered"
        else None,
        "tracking_number": item.get("tracking_number"),
        "source": item.get("source") or item.get("web_source"),
        "medium": item.get("medium") or look_up(item, "paid.medium"),
        "campaign": item.get("campaign") or look_up(item, "paid.campaign"),
        "keyword": item.get("keyword") or look_up(item, "paid.keyword"),
        "landing_page": item.get("location"),
        "recorded": bool(item.get("audio")),
        "customer": item.get("caller_number_complete")
        or item.get("caller_number")
        or item.get("contact_number"),
    }


PLATFORM = Platform(
    name="calltrackingmetrics",
    title="CallTrackingMetrics",
    recognise=recognise,
    schema=SCHEMA,
    read=read,
    fold=take_all,
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
    shown=("id", "called_at"),
)
