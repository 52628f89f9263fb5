"""Amazon Connect contact records: delivered at least once, so the newest of each wins; transfers are chained and make one contact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from qa_core.ingest.documents import look_up
from qa_core.ingest.folding import MOMENT, Bench, Work, as_number, from_iso, seconds_between
from qa_core.ingest.platforms import Platform
from qa_core.ingest.sample import Sample
from qa_core.wording import N_

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
_CHANNELS = {"VOICE": "phone", "CHAT": "chat", "EMAIL": "email", "TASK": "task"}
_ENDINGS = {"CUSTOMER_DISCONNECT": "abandoned", "TELECOM_PROBLEM": "failed", "EXPIRED": "timeout"}

SCHEMA = pa.schema(
    [
        ("line", pa.int64()),
        ("contact_id", pa.string()),
        ("before", pa.string()),
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
    return sample.has_keys("ContactId", "InitiationTimestamp") and sample.some_have("InitiationMethod")


def read(work: Work) -> Iterator[pa.Table]:
    return work.tables(_records(work))


def _records(work: Work) -> Iterator[dict[str, Any]]:
    for number, item in work.documents():
        started = from_iso(item.get("InitiationTimestamp"))
        if not item.get("ContactId") or started is None:
            work.reject(
                number,
                "missing_start" if item.get("ContactId") else "missing_key",
                [str(item.get("ContactId") or ""), str(item.get("InitiationTimestamp") or "")],
            )
        elif item.get("InitiationMethod") == "MONITOR":
            work.skip("monitoring")
        else:
            yield from work.build(number, _as_record, item, started)


def _as_record(number: int, item: Mapping[str, Any], started: Any) -> dict[str, Any]:
    own, method = str(item["ContactId"]), item.get("InitiationMethod")
    agent, queue = item.get("Agent") or {}, item.get("Queue") or {}
    connected = from_iso(agent.get("ConnectedToAgentTimestamp"))
    enqueued, dequeued = from_iso(queue.get("EnqueueTimestamp")), from_iso(queue.get("DequeueTimestamp"))
    wait = as_number(queue.get("Duration"))
    if wait is None:
        wait = seconds_between(enqueued, dequeued or connected)
    before = next((str(item[name]) for name in ("PreviousContactId", "InitialContactId") if item.get(name) and item[name] != own), None)
    inbound = _DIRECTIONS.get(method) == "inbound"
    recordings = [*(item.get("Recordings") or ()), *([item["Recording"]] if item.get("Recording") else [])]
    return {
        "line": number,
        "contact_id": own,
        "before": None if method in _NOT_CHAINED else before,
        "after": item.get("NextContactId") or None,
        "started_at": started,
        "updated_at": from_iso(item.get("LastUpdateTimestamp")),
        "direction": _DIRECTIONS.get(method),
        "channel": _CHANNELS.get(item.get("Channel"), str(item["Channel"]).lower() if item.get("Channel") else None),
        "queue": queue.get("Name"),
        "advisor": agent.get("Username"),
        "connected_at": connected,
        "outcome": _find_outcome(item, connected, bool(queue)),
        "wait": wait,
        "talk": as_number(agent.get("AgentInteractionDuration")),
        "hold": as_number(agent.get("CustomerHoldDuration")),
        "wrap": as_number(agent.get("AfterContactWorkDuration")),
        "is_transfer": method in ("TRANSFER", "QUEUE_TRANSFER"),
        "did": look_up(item, "SystemEndpoint.Address") if inbound else None,
        "recorded": any(part.get("Status", "AVAILABLE") == "AVAILABLE" for part in recordings if isinstance(part, Mapping)),
        "customer": look_up(item, "CustomerEndpoint.Address"),
    }


def _find_outcome(item: Mapping[str, Any], connected: Any, queued: bool) -> str | None:
    if connected is not None:
        return "answered"
    if not item.get("DisconnectTimestamp"):
        return None
    if item.get("NextContactId"):
        return "overflow"
    return _ENDINGS.get(item.get("DisconnectReason"), "overflow" if queued and item.get("DisconnectReason") == "CONTACT_FLOW_DISCONNECT" else "unanswered")


def fold(bench: Bench) -> str:
    """One row per chain of transfers, under the id of its first contact. Older copies of a record stay apart, as duplicates of the newest."""
    connection = bench.connection
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE numbered AS
        SELECT *, row_number() OVER (PARTITION BY contact_id ORDER BY updated_at DESC NULLS LAST, line DESC) AS copy FROM records"""
    )
    connection.execute("CREATE OR REPLACE TEMP TABLE newest AS SELECT * FROM numbered WHERE copy = 1")
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE links AS
        SELECT contact_id, min(before) AS before FROM (
            SELECT n.contact_id, n.before FROM newest n SEMI JOIN newest p ON p.contact_id = n.before
            UNION ALL
            SELECT n.contact_id, p.contact_id FROM newest p JOIN newest n ON n.contact_id = p.after WHERE n.before IS NULL AND n.is_transfer
        ) WHERE before <> contact_id GROUP BY contact_id"""
    )
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE roots AS
        WITH RECURSIVE walk AS (
            SELECT contact_id, contact_id AS root, 0 AS steps FROM newest
            UNION ALL
            SELECT w.contact_id, l.before, steps + 1 FROM walk w JOIN links l ON l.contact_id = w.root WHERE steps < 50
        )
        SELECT contact_id, arg_max(root, steps) AS root FROM walk GROUP BY contact_id"""
    )
    lost = bench.count("SELECT count(*) FROM newest n WHERE n.before IS NOT NULL AND NOT EXISTS (SELECT 1 FROM links l WHERE l.contact_id = n.contact_id)")
    if lost:
        bench.work.decide("contact_id", N_("transferred contacts whose beginning is not in this file stand for themselves"), N_("{count} contacts"), count=lost)
    return """
        WITH legs AS (SELECT n.*, r.root FROM newest n JOIN roots r USING (contact_id)),
        first_answers AS (SELECT root, min(connected_at) AS answered_at FROM legs GROUP BY root)
        SELECT min(line) AS line, root AS contact_id, min(started_at) AS started_at, max(updated_at) AS updated_at,
            arg_min(direction, (started_at, line)) AS direction, arg_min(channel, (started_at, line)) AS channel,
            coalesce(arg_max(queue, (started_at, line)) FILTER (connected_at IS NOT NULL), arg_max(queue, (started_at, line))) AS queue,
            arg_max(advisor, connected_at) FILTER (connected_at IS NOT NULL) AS advisor,
            CASE WHEN bool_or(outcome = 'answered') THEN 'answered' ELSE arg_max(outcome, (started_at, line)) END AS outcome,
            sum(wait) FILTER (answered_at IS NULL OR started_at <= answered_at AND (connected_at IS NULL OR connected_at = answered_at)) AS wait_seconds,
            CASE WHEN bool_and(talk IS NOT NULL) FILTER (connected_at IS NOT NULL) THEN sum(talk) FILTER (connected_at IS NOT NULL) END AS talk_seconds,
            CASE WHEN bool_and(hold IS NOT NULL) FILTER (connected_at IS NOT NULL) THEN sum(hold) FILTER (connected_at IS NOT NULL) END AS hold_seconds,
            CASE WHEN bool_and(wrap IS NOT NULL) FILTER (connected_at IS NOT NULL) THEN sum(wrap) FILTER (connected_at IS NOT NULL) END AS wrap_seconds,
            CASE WHEN bool_or(outcome = 'answered') THEN CAST(count(*) FILTER (is_transfer) AS INTEGER) END AS transfers,
            arg_min(did, (started_at, line)) AS tracking_number, bool_or(recorded) AS recorded, arg_min(customer_key, (started_at, line)) AS customer_key
        FROM legs JOIN first_answers USING (root) GROUP BY root
        UNION ALL BY NAME
        SELECT n.line, root AS contact_id, started_at, NULL AS updated_at FROM numbered n JOIN roots USING (contact_id) WHERE copy > 1"""


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
    shown=("ContactId", "InitiationTimestamp"),
)
