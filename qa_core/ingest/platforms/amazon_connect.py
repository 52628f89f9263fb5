"""Amazon Connect contact records: delivered at least once, so the newest of each wins;
transfers are chained and make one contact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from qa_core.base.i18n import N_
from qa_core.files.json_documents import look_up
from qa_core.files.sample import Sample
from qa_core.ingest.columns.scalars import as_number, from_epoch, from_iso, seconds_between
from qa_core.ingest.declaration import LegChain, Platform
from qa_core.ingest.platforms.call_legs import find_roots
from qa_core.ingest.platforms.reader import MOMENT, ExportReader, FoldSession

_DIRECTIONS = {
    "INBOUND": "inbound",
    "API": "inbound",  # a chat or task that a customer opened
    "TRANSFER": "inbound",
    "QUEUE_TRANSFER": "inbound",
    "DISCONNECT": "inbound",
    "WEBRTC_API": "inbound",
    "MESSAGING_PLATFORM": "inbound",
    "OUTBOUND": "outbound",
    "CALLBACK": "outbound",
    "EXTERNAL_OUTBOUND": "outbound",
    "AGENT_REPLY": "outbound",
}
_NOT_CHAINED = ("CALLBACK", "MONITOR", "OUTBOUND", "EXTERNAL_OUTBOUND")
"""A call back is a contact of its own, though it names the one it follows."""
_EARLIER = ("PreviousContactId", "InitialContactId")
_CHANNELS = {"VOICE": "phone", "CHAT": "chat", "EMAIL": "email", "TASK": "task"}
_ENDINGS = {"CUSTOMER_DISCONNECT": "abandoned", "TELECOM_PROBLEM": "failed", "EXPIRED": "timeout"}

SCHEMA = pa.schema(
    [
        ("line", pa.int64()),
        ("contact_id", pa.string()),
        ("before", pa.string()),
        ("first", pa.string()),
        ("after", pa.string()),
        ("started_at", MOMENT),
        ("updated_at", MOMENT),
        ("direction", pa.string()),
        ("channel", pa.string()),
        ("queue", pa.string()),
        ("advisor", pa.string()),
        ("connected_at", MOMENT),
        ("outcome", pa.string()),
        ("wait", pa.float64()),
        ("talk", pa.float64()),
        ("hold", pa.float64()),
        ("wrap", pa.float64()),
        ("is_transfer", pa.bool_()),
        ("did", pa.string()),
        ("recorded", pa.bool_()),
        ("customer_key", pa.string()),
    ]
)


def recognise(sample: Sample) -> bool:
    """Every object has a contact id and says how and when the contact was initiated."""
    items = [_unwrap(item) for item in sample.objects]
    names = (
        {"ContactId", "InitiationTimestamp"},
        {"Id", "InitiationMethod", "InitiationTimestamp"},
    )
    return (
        bool(items)
        and all(any(wanted <= set(item) for wanted in names) for item in items)
        and any("InitiationMethod" in item for item in items)
    )


def _unwrap(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """The contact itself, where it was asked for alone."""
    inner = item.get("Contact")
    return inner if isinstance(inner, Mapping) else item


def _read_moment(value: Any) -> datetime | None:
    return from_iso(value) or from_epoch(value)


def read(work: ExportReader) -> Iterator[pa.Table]:
    return work.tables(_records(work))


def _records(work: ExportReader) -> Iterator[dict[str, Any]]:
    for number, given in work.documents():
        item = _unwrap(given)
        own, started = (
            item.get("ContactId") or item.get("Id"),
            _read_moment(item.get("InitiationTimestamp")),
        )
        if not own or started is None:
            work.reject(
                number,
                "missing_start" if own else "missing_key",
                [str(own or ""), str(item.get("InitiationTimestamp") or "")],
            )
        elif item.get("InitiationMethod") == "MONITOR":
            work.tally.skip("monitoring")
        else:
            yield from work.build(number, _as_record, item, str(own), started)


def _as_record(number: int, item: Mapping[str, Any], own: str, started: Any) -> dict[str, Any]:
    method = item.get("InitiationMethod")
    agent, queue = (
        item.get("Agent") or item.get("AgentInfo") or {},
        item.get("Queue") or item.get("QueueInfo") or {},
    )
    connected, ended = (
        _read_moment(agent.get("ConnectedToAgentTimestamp")),
        _read_moment(item.get("DisconnectTimestamp")),
    )
    enqueued, dequeued = (
        _read_moment(queue.get("EnqueueTimestamp")),
        _read_moment(queue.get("DequeueTimestamp")),
    )
    wait, talk = as_number(queue.get("Duration")), as_number(agent.get("AgentInteractionDuration"))
    if wait is None:
        wait = seconds_between(enqueued, dequeued or connected or ended)
    if talk is None and "AgentInfo" in item:
        talk = seconds_between(connected, ended)
    before, first = (
        None if method in _NOT_CHAINED or item.get(name) in (None, "", own) else str(item[name])
        for name in _EARLIER
    )
    inbound = _DIRECTIONS.get(method) == "inbound"
    recordings = [
        *(item.get("Recordings") or ()),
        *([item["Recording"]] if item.get("Recording") else []),
    ]
    return {
        "line": number,
        "contact_id": own,
        "before": before,
        "first": first,
        "after": item.get("NextContactId") or None,
        "started_at": started,
        "updated_at": _read_moment(item.get("LastUpdateTimestamp")),
        "direction": _DIRECTIONS.get(method),
        "channel": _CHANNELS.get(
            item.get("Channel"), str(item["Channel"]).lower() if item.get("Channel") else None
        ),
        "queue": queue.get("Name") or queue.get("Id"),
        "advisor": agent.get("Username") or agent.get("Id"),
        "connected_at": connected,
        "outcome": _find_outcome(item, connected, bool(queue)),
        "wait": wait,
        "talk": talk,
        "hold": as_number(agent.get("CustomerHoldDuration")),
        "wrap": as_number(agent.get("AfterContactWorkDuration")),
        "is_transfer": method in ("TRANSFER", "QUEUE_TRANSFER"),
        "did": look_up(item, "SystemEndpoint.Address") if inbound else None,
        "recorded": any(
            part.get("Status", "AVAILABLE") == "AVAILABLE"
            for part in recordings
            if isinstance(part, Mapping)
        ),
        "customer": look_up(item, "CustomerEndpoint.Address"),
    }


def _find_outcome(item: Mapping[str, Any], connected: Any, queued: bool) -> str | None:
    if connected is not None:
        return "answered"
    if not item.get("DisconnectTimestamp"):
        return None
    if item.get("NextContactId"):
        return "overflow"
    return _ENDINGS.get(
        item.get("DisconnectReason"),
        "overflow"
        if queued and item.get("DisconnectReason") == "CONTACT_FLOW_DISCONNECT"
        else "unanswered",
    )


def fold(bench: FoldSession) -> str:
    """One row per chain of transfers, under the id of its first contact. Older copies
    of a record stay apart, as duplicates of the newest.
    """
    connection = bench.connection
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE numbered AS
        SELECT *, row_number() OVER (PARTITION BY contact_id ORDER BY updated_at DESC NULLS LAST,
            line DESC) AS copy FROM records"""
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE newest AS SELECT * FROM numbered WHERE copy = 1"
    )
    find_roots(
        connection,
        """
        SELECT n.contact_id AS id, coalesce(b.contact_id, f.contact_id,
            min(p.contact_id) FILTER (n.before IS NULL AND n.is_transfer)) AS before
        FROM newest n LEFT JOIN newest b ON b.contact_id = n.before LEFT JOIN newest f
            ON f.contact_id = n.first
            LEFT JOIN newest p ON p.after = n.contact_id AND p.contact_id <> n.contact_id
        GROUP BY n.contact_id, b.contact_id, f.contact_id""",
    )
    # A chain without its beginning stands under the id of that already, so that it is
    # the same contact when the beginning comes.
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE roots AS SELECT id, coalesce(n.first, n.before, root) AS "
        "root FROM roots r JOIN newest n ON n.contact_id = r.root"
    )
    lost = bench.count(
        "SELECT count(DISTINCT root) FROM roots WHERE root NOT IN (SELECT contact_id FROM newest)"
    )
    if lost:
        bench.work.decide(
            "contact_id",
            N_("contacts whose beginning is not there yet stand under its id: it completes them"),
            N_("{count} contacts"),
            count=lost,
        )
    return """
        WITH legs AS (SELECT n.*, r.root FROM newest n JOIN roots r ON r.id = n.contact_id),
        first_answers AS (SELECT root, min(connected_at) AS answered_at FROM legs GROUP BY root)
        SELECT min(line) AS line, root AS contact_id, min(started_at) AS started_at,
            coalesce(max(updated_at), min(started_at)) AS updated_at,
            arg_min(direction, (started_at, line)) AS direction, arg_min(channel, (started_at,
                line)) AS channel,
            coalesce(arg_max(queue, (started_at, line)) FILTER (connected_at IS NOT NULL),
                arg_max(queue, (started_at, line))) AS queue,
            arg_max(advisor, connected_at) FILTER (connected_at IS NOT NULL) AS advisor,
            CASE WHEN bool_or(outcome = 'answered') THEN 'answered' ELSE arg_max(outcome,
                (started_at, line)) END AS outcome,
            sum(wait) FILTER (answered_at IS NULL OR started_at <= answered_at
                AND (connected_at IS NULL OR connected_at = answered_at)) AS wait_seconds,
            CASE WHEN bool_and(talk IS NOT NULL) FILTER (connected_at IS NOT NULL)
                THEN sum(talk) FILTER (connected_at IS NOT NULL) END AS talk_seconds,
            CASE WHEN bool_and(hold IS NOT NULL) FILTER (connected_at IS NOT NULL)
                THEN sum(hold) FILTER (connected_at IS NOT NULL) END AS hold_seconds,
            CASE WHEN bool_and(wrap IS NOT NULL) FILTER (connected_at IS NOT NULL)
                THEN sum(wrap) FILTER (connected_at IS NOT NULL) END AS wrap_seconds,
            CASE WHEN bool_or(outcome = 'answered') THEN CAST(count(*) FILTER (is_transfer) AS
                INTEGER) END AS transfers,
            arg_min(did, (started_at, line)) AS tracking_number, bool_or(recorded) AS recorded,
                arg_min(customer_key, (started_at, line)) AS customer_key
        FROM legs JOIN first_answers USING (root) GROUP BY root
        UNION ALL BY NAME
        SELECT n.line, root AS contact_id, started_at, NULL AS updated_at FROM numbered n
            JOIN roots r ON r.id = n.contact_id WHERE copy > 1"""


PLATFORM = Platform(
    name="amazon_connect",
    title="Amazon Connect",
    recognise=recognise,
    schema=SCHEMA,
    read=read,
    fold=fold,
    mapping={
        "contact_id": "InitialContactId, ContactId",
        "started_at": "InitiationTimestamp",
        "updated_at": "LastUpdateTimestamp",
        "direction": "InitiationMethod",
        "channel": "Channel",
        "queue": "Queue.Name",
        "advisor": "Agent.Username",
        "outcome": "Agent.ConnectedToAgentTimestamp, DisconnectReason",
        "wait_seconds": "Queue.Duration",
        "talk_seconds": "Agent.AgentInteractionDuration",
        "hold_seconds": "Agent.CustomerHoldDuration",
        "wrap_seconds": "Agent.AfterContactWorkDuration",
        "transfers": "InitiationMethod",
        "tracking_number": "SystemEndpoint.Address",
        "recorded": "Recordings",
        "customer": "CustomerEndpoint.Address",
    },
    chain=LegChain("contact_id", ("before", "first", "after")),
    shown=("ContactId", "InitiationTimestamp"),
)
