"""Aircall calls: epochs in seconds, and why a missed call was missed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from qa_core.files.json_documents import look_up
from qa_core.files.signatures import Keys
from qa_core.ingest.columns.scalars import read_moment, seconds_between
from qa_core.ingest.platforms import fields
from qa_core.ingest.platforms.declaration import Platform
from qa_core.ingest.platforms.fields import Item
from qa_core.ingest.words.tables import index_tool_words

_MISSED = index_tool_words("aircall", "outcomes")
_WRAPPERS = ("call", "data")
"""Keys under which the events of a webhook have the call."""


def build(item: Item, record: Mapping[str, Any]) -> dict[str, Any]:
    answered, ended = read_moment(item.get("answered_at")), read_moment(item.get("ended_at"))
    tags = [tag["name"] for tag in item.get("tags") or () if look_up(tag, "name")]
    return {
        "reason": next(iter(tags), None),
        "outcome": _find_outcome(item, record["outcome"], answered, ended),
        "wait_seconds": seconds_between(record["started_at"], answered or ended),
        "talk_seconds": seconds_between(answered, ended),
        "transfers": int(bool(item.get("transferred_by") or item.get("transferred_to"))),
        "tracking_number": record["tracking_number"]
        if item.get("direction") == "inbound"
        else None,
    }


def _find_outcome(
    item: Item, reason: str | None, answered: datetime | None, ended: datetime | None
) -> str | None:
    if answered is not None:
        return "answered"
    if reason == "closed":
        return reason
    if item.get("voicemail"):
        return "voicemail"
    return reason or ("unanswered" if ended is not None else None)


PLATFORM = Platform(
    name="aircall",
    title="Aircall",
    signatures=(Keys(("direction", "started_at", "raw_digits"), within=_WRAPPERS),),
    fields={
        "contact_id": fields.Value("id", missing="missing_key"),
        "started_at": fields.Moment("started_at", parse=read_moment, missing="missing_start"),
        "direction": fields.DirectionWords("direction"),
        "queue": fields.Value("number.name"),
        "reason": fields.Computed("tags"),
        "advisor": fields.Value(
            *("user.name", "user.email", "user"),
            *("assigned_to.name", "assigned_to.email", "assigned_to"),
            shown="user.name",
        ),
        "outcome": fields.OutcomeWords(
            "missed_call_reason",
            known=_MISSED,
            shown="answered_at, missed_call_reason, voicemail",
        ),
        "wait_seconds": fields.Computed("answered_at"),
        "talk_seconds": fields.Computed("ended_at"),
        "transfers": fields.Computed("transferred_to"),
        "tracking_number": fields.Value("number.digits"),
        "recorded": fields.Flag("recording"),
        "customer": fields.Value("raw_digits"),
    },
    build=build,
    of_answered=("advisor", "transfers"),
    within=_WRAPPERS,
    group="contact_id",
    shown=("id", "started_at"),
)
