"""CallTrackingMetrics calls: contacts, or campaigns of others, joined by number and time."""

import contextlib
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from qa_core.files.signatures import Keys
from qa_core.ingest.columns import scalars
from qa_core.ingest.platforms import fields
from qa_core.ingest.platforms.declaration import Platform
from qa_core.ingest.platforms.fields import Item
from qa_core.ingest.words.tables import index_tool_words
from qa_core.storage.facts.schema import Outcome

_OUTCOMES = index_tool_words("calltrackingmetrics", "outcomes")
_NO_CALLS = ("text", "sms", "msg", "form", "chat", "fax")


def skip(item: Item) -> str | None:
    """Find what is no call: texts, forms and chats."""
    direction = scalars.fold_case(item.get("direction"))
    return direction if direction.startswith(_NO_CALLS) else None


def _read_start(item: Item) -> datetime | None:
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


def build(item: Item, record: Mapping[str, Any]) -> dict[str, Any]:
    has_status = item.get("dial_status") or item.get("call_status")
    outcome = record["outcome"]
    if not has_status:
        outcome = scalars.find_meaning(item.get("status"), _OUTCOMES, Outcome)
    tags = [tag for tag in item.get("tag_list") or () if isinstance(tag, str)]
    transfers = item.get("transfers")
    is_spoken = record["talk_seconds"] and not (has_status or item.get("status"))
    return {
        "started_at": fields.require(_read_start(item), "missing_start"),
        "reason": next(iter(tags), None),
        "outcome": outcome or ("answered" if is_spoken else None),
        "transfers": len(transfers) if isinstance(transfers, list) else None,
    }


PLATFORM = Platform(
    name="calltrackingmetrics",
    title="CallTrackingMetrics",
    signatures=(
        Keys(("sid", "tracking_number", "called_at")),
        Keys(("sid", "tracking_number", "unix_time")),
    ),
    fields={
        "contact_id": fields.Value("id", "sid", shown="id"),
        "started_at": fields.Computed("unix_time, called_at"),
        "direction": fields.DirectionWords("direction"),
        "reason": fields.Computed("tag_list"),
        "advisor": fields.Value("agent.email", "agent.name", "agent_id", shown="agent.email"),
        "outcome": fields.OutcomeWords("dial_status", "call_status", known=_OUTCOMES),
        "wait_seconds": fields.Seconds("wait_time", "ring_time"),
        "talk_seconds": fields.Seconds("talk_time"),
        "hold_seconds": fields.Seconds("hold_time"),
        "transfers": fields.Computed("transfers"),
        "tracking_number": fields.Value("tracking_number"),
        "source": fields.Value("source", "web_source", shown="source"),
        "medium": fields.Value("medium", "paid.medium", shown="medium"),
        "campaign": fields.Value("campaign", "paid.campaign", shown="campaign"),
        "keyword": fields.Value("keyword", "paid.keyword", shown="keyword"),
        "landing_page": fields.Value("location"),
        "recorded": fields.Flag("audio"),
        "customer": fields.Value(
            *("caller_number_complete", "caller_number", "contact_number"), shown="caller_number"
        ),
    },
    build=build,
    skip=skip,
    of_answered=("talk_seconds", "transfers"),
    kinds=("contacts", "tracking"),
    shown=("id", "called_at"),
)
