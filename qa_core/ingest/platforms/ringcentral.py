"""RingCentral call logs: records of a session that rang at several desks are one call."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from qa_core.files.json_documents import look_up
from qa_core.files.sample import Sample
from qa_core.ingest.columns import scalars
from qa_core.ingest.declaration import Platform, WordColumn
from qa_core.ingest.platforms import reader
from qa_core.storage.schema import Outcome

_OUTCOMES = {
    "accepted": "answered", "call connected": "answered", "received": "answered",
    "answered not accepted": "answered", "conference call": "answered", "missed": "unanswered",
    "no answer": "unanswered", "ringing": None, "in progress": None, "unknown": None,
    "voicemail": "voicemail", "busy": "refused", "rejected": "refused", "declined": "refused",
    "blocked": "refused", "hang up": "abandoned", "abandoned": "abandoned", "call failed": "failed",
    "call failure": "failed", "internal error": "failed", "no calling credit": "failed",
    "not allowed": "failed", "restricted number": "failed", "wrong number": "failed",
    "ip phone offline": "failed", "stopped": "failed", "suspended account": "failed",
    "international disabled": "failed", "reply": "answered", "account suspended": "failed",
    "partial receive": "failed", "receive error": "failed", "carrier is not active": "failed",
    "poor line quality": "failed",
}  # fmt: skip

_TRANSFERS = ("transfer", "transferred", "call transfer")


def recognise(sample: Sample) -> bool:
    """Tell whether all objects are records of sessions, or a table has flattened them."""
    return sample.has_headers("id", "sessionId", "startTime", "result") or (
        sample.has_keys("id", "sessionId", "startTime", "direction")
        and sample.has_any_with("result")
        and sample.has_any_with("from")
    )


def read(export: reader.ExportReader) -> Iterator[pa.Table]:
    """Read the voice calls of a call log. Raises Refusal for a table of its records."""
    if not export.sample.is_document:
        raise export.refuse(
            "flattened_records",
            "{name} is a table of RingCentral records. Several of them are one call, and "
            "their legs are lost. Import the JSON itself, or the call log that RingCentral "
            "exports as CSV.",
        )
    export.decide(
        "talk_seconds",
        "the duration of answered contacts is taken as talk time",
        "the call log has no other duration",
    )
    return export.tables(_build_record)


def _build_record(number: int, item: Mapping[str, Any]) -> dict[str, Any]:
    if (medium := scalars.fold_case(item.get("type") or "Voice")) != "voice":
        raise reader.SkippedRecord(medium)
    if scalars.fold_case(item.get("action")) in ("phone login", "sip forwarding login"):
        raise reader.SkippedRecord("login")
    own = str(reader.require(item.get("id"), "missing_key"))
    started = reader.require(scalars.from_stamp(item.get("startTime")), "missing_start")
    direction = scalars.read_direction(item.get("direction"))
    inbound = direction == "inbound"
    own_side, other_side = ("to", "from") if inbound else ("from", "to")
    ours, theirs = item.get(own_side) or {}, item.get(other_side) or {}
    is_internal = not theirs.get("phoneNumber") and bool(theirs.get("extensionNumber"))
    legs = [leg for leg in item.get("legs") or () if isinstance(leg, Mapping)]
    answers = [
        leg
        for leg in legs
        if leg.get("result") in ("Accepted", "Call connected") and look_up(leg, "extension.id")
    ]
    person = (answers[-1].get(own_side) if answers else None) or ours
    milliseconds = scalars.as_number(item.get("durationMs"))
    return scalars.keep_of_answered(
        {
            "line": number,
            "id": own,
            "session": str(item.get("telephonySessionId") or item.get("sessionId") or own),
            "started_at": started,
            "updated_at": scalars.from_stamp(item.get("lastModifiedTime")),
            "direction": "internal" if is_internal else direction,
            "outcome": scalars.find_meaning(item.get("result"), _OUTCOMES, Outcome),
            "queue": _find_queue(legs),
            "advisor": person.get("name") or person.get("extensionNumber"),
            "duration": scalars.read_seconds(item.get("duration"))
            if milliseconds is None
            else milliseconds / 1000,
            "transfers": sum(scalars.fold_case(leg.get("action")) in _TRANSFERS for leg in legs),
            "did": ours.get("phoneNumber") if inbound else None,
            "recorded": bool(item.get("recording")),
            "customer": theirs.get("phoneNumber"),
        },
        "advisor",
        "transfers",
    )


def _find_queue(legs: list[Mapping[str, Any]]) -> str | None:
    """Find the name of the extension that first accepted the call."""
    names = (
        look_up(leg, "to.name")
        for leg in legs
        if leg.get("legType") == "Accept" and look_up(leg, "to.extensionNumber")
    )
    return next(filter(None, names), None)


def fold(session: reader.FoldSession) -> str:
    """Fold the records of each session, under the id of the first: answered if any was."""
    return """
        WITH numbered AS (SELECT *, row_number() OVER (PARTITION BY id
            ORDER BY updated_at DESC NULLS LAST, line DESC) AS copy FROM records),
        legs AS (SELECT *, first_value(id) OVER (PARTITION BY session ORDER BY started_at,
            line) AS call FROM numbered)
        SELECT min(line) AS line, call AS contact_id, min(started_at) AS started_at,
            coalesce(max(updated_at), min(started_at)) AS updated_at,
            arg_min(direction, (started_at, line)) AS direction,
            coalesce(max(outcome) FILTER (outcome = 'answered'),
                max(outcome) FILTER (outcome = 'voicemail'), arg_max(outcome, (started_at,
                line))) AS outcome,
            arg_min(queue, (started_at, line)) AS queue,
            arg_max(advisor, (started_at, line)) FILTER (outcome = 'answered'
                AND advisor IS NOT NULL) AS advisor,
            max(duration) FILTER (outcome = 'answered') AS talk_seconds,
                max(transfers) AS transfers,
            arg_min(did, (started_at, line)) AS tracking_number, bool_or(recorded) AS recorded,
                arg_min(customer_key, (started_at, line)) AS customer_key
        FROM legs WHERE copy = 1 GROUP BY session, call
        UNION ALL BY NAME
        SELECT line, call AS contact_id, started_at, NULL AS updated_at FROM legs WHERE copy > 1"""


PLATFORM = Platform(
    name="ringcentral",
    title="RingCentral",
    recognise=recognise,
    schema=reader.record_schema(
        "id session started_at updated_at direction outcome queue advisor duration transfers did "
        "recorded customer_key"
    ),
    read=read,
    fold=fold,
    mapping={
        "contact_id": "id",
        "started_at": "startTime",
        "updated_at": "lastModifiedTime",
        "direction": "direction",
        "outcome": "result",
        "queue": "legs: to.name",
        "advisor": "to.name, from.name",
        "talk_seconds": "duration",
        "transfers": "legs: action",
        "tracking_number": "to.phoneNumber",
        "recorded": "recording",
        "customer": "from.phoneNumber, to.phoneNumber",
    },
    group="session",
    words=(
        WordColumn("result", "outcome", _OUTCOMES),
        WordColumn("direction", "direction", scalars.DIRECTIONS),
    ),
    durations=("duration",),
    shown=("id", "startTime"),
)
