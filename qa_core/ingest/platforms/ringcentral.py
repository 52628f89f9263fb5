"""RingCentral call logs: one record per call, several where a session rang at several
desks; the legs of a detailed record count its transfers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from qa_core.base.i18n import N_
from qa_core.files.json_documents import look_up
from qa_core.files.sample import Sample
from qa_core.ingest.columns.scalars import as_number, from_iso
from qa_core.ingest.declaration import Platform
from qa_core.ingest.platforms.reader import MOMENT, ExportReader, FoldSession

_OUTCOMES = {
    "accepted": "answered", "call connected": "answered", "received": "answered",
    "answered not accepted": "answered", "conference call": "answered",
    "missed": "unanswered", "no answer": "unanswered", "ringing": None, "in progress": None,
    "unknown": None,
    "voicemail": "voicemail", "busy": "refused", "rejected": "refused", "declined": "refused",
    "blocked": "refused", "hang up": "abandoned",
    "abandoned": "abandoned",
    "call failed": "failed", "call failure": "failed", "internal error": "failed",
    "no calling credit": "failed", "not allowed": "failed",
    "restricted number": "failed",
    "wrong number": "failed", "ip phone offline": "failed", "stopped": "failed",
    "suspended account": "failed", "international disabled": "failed",
    "reply": "answered",
    "account suspended": "failed", "partial receive": "failed", "receive error": "failed",
    "carrier is not active": "failed", "poor line quality": "failed",
}  # fmt: skip

SCHEMA = pa.schema(
    [
        ("line", pa.int64()),
        ("id", pa.string()),
        ("session", pa.string()),
        ("started_at", MOMENT),
        ("updated_at", MOMENT),
        ("direction", pa.string()),
        ("outcome", pa.string()),
        ("queue", pa.string()),
        ("advisor", pa.string()),
        ("duration", pa.float64()),
        ("transfers", pa.int32()),
        ("did", pa.string()),
        ("recorded", pa.bool_()),
        ("customer_key", pa.string()),
    ]
)


def recognise(sample: Sample) -> bool:
    """Every object is a record of a session with its direction, result and two parties."""
    return (
        sample.has_keys("id", "sessionId", "startTime", "direction")
        and sample.some_have("result")
        and sample.some_have("from")
    )


def read(work: ExportReader) -> Iterator[pa.Table]:
    work.decide(
        "talk_seconds",
        N_("the duration of answered contacts is taken as talk time"),
        N_("the call log says no other"),
    )
    return work.tables(_records(work))


def _records(work: ExportReader) -> Iterator[dict[str, Any]]:
    for number, item in work.documents():
        started = from_iso(item.get("startTime"))
        if str(item.get("type", "Voice")).casefold() != "voice":
            work.tally.skip(str(item["type"]).casefold())
        elif str(item.get("action", "")).casefold() in ("phone login", "sip forwarding login"):
            work.tally.skip("login")
        elif not item.get("id") or started is None:
            work.reject(
                number,
                "missing_start" if item.get("id") else "missing_key",
                [str(item.get("id") or ""), str(item.get("startTime") or "")],
            )
        else:
            yield from work.build(number, _as_record, item, started)


def _as_record(number: int, item: Mapping[str, Any], started: Any) -> dict[str, Any]:
    inbound = item.get("direction") == "Inbound"
    ours, theirs = (
        (item.get("to") or {}, item.get("from") or {})
        if inbound
        else (item.get("from") or {}, item.get("to") or {})
    )
    outcome = _OUTCOMES.get(str(item.get("result", "")).casefold())
    legs = [leg for leg in item.get("legs") or () if isinstance(leg, Mapping)]
    inside = not theirs.get("phoneNumber") and bool(theirs.get("extensionNumber"))
    spoke = next(
        (
            leg
            for leg in reversed(legs)
            if leg.get("result") in ("Accepted", "Call connected") and look_up(leg, "extension.id")
        ),
        None,
    )
    person = (spoke or {}).get("to" if inbound else "from") or ours
    return {
        "line": number,
        "id": str(item["id"]),
        "session": str(item.get("telephonySessionId") or item.get("sessionId") or item["id"]),
        "started_at": started,
        "updated_at": from_iso(item.get("lastModifiedTime")),
        "direction": "internal" if inside else "inbound" if inbound else "outbound",
        "outcome": outcome,
        "queue": next(
            (
                look_up(leg, "to.name")
                for leg in legs
                if leg.get("legType") == "Accept"
                and look_up(leg, "to.extensionNumber")
                and look_up(leg, "to.name")
            ),
            None,
        ),
        "advisor": (person.get("name") or person.get("extensionNumber"))
        if outcome == "answered"
        else None,
        "duration": as_number(item["durationMs"]) / 1000
        if as_number(item.get("durationMs")) is not None
        else as_number(item.get("duration")),
        "transfers": sum(
            str(leg.get("action", "")).casefold() in ("transfer", "transferred", "call transfer")
            for leg in legs
        )
        if outcome == "answered"
        else None,
        "did": ours.get("phoneNumber") if inbound else None,
        "recorded": bool(item.get("recording")),
        "customer": theirs.get("phoneNumber"),
    }


def fold(bench: FoldSession) -> str:
    """One row per session, under the id of its first record: answered when one desk
    answered.
    """
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
    schema=SCHEMA,
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
    shown=("id", "startTime"),
)
