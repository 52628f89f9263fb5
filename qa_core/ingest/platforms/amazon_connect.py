"""Amazon Connect records: the newest copy of each wins; transfers make one contact."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from qa_core.files.json_documents import look_up
from qa_core.files.sample import Sample
from qa_core.ingest.columns.scalars import as_number, from_epoch, from_stamp, seconds_between
from qa_core.ingest.declaration import LegChain, Platform
from qa_core.ingest.platforms import reader
from qa_core.ingest.platforms.call_legs import find_roots

_INBOUND = (
    "INBOUND", "API", "TRANSFER", "QUEUE_TRANSFER", "DISCONNECT", "WEBRTC_API",
    "MESSAGING_PLATFORM",
)  # fmt: skip
"""Ways to begin from outside; `API`: a chat or task that a customer opened."""
_OUTBOUND = ("OUTBOUND", "CALLBACK", "EXTERNAL_OUTBOUND", "AGENT_REPLY")
_DIRECTIONS = {**dict.fromkeys(_INBOUND, "inbound"), **dict.fromkeys(_OUTBOUND, "outbound")}
_NOT_CHAINED = ("CALLBACK", "MONITOR", "OUTBOUND", "EXTERNAL_OUTBOUND")
"""A call back is a contact of its own, though it names the one it follows."""
_EARLIER = ("PreviousContactId", "InitialContactId")
_CHANNELS = {"VOICE": "phone", "CHAT": "chat", "EMAIL": "email", "TASK": "task"}
_ENDINGS = {"CUSTOMER_DISCONNECT": "abandoned", "TELECOM_PROBLEM": "failed", "EXPIRED": "timeout"}


def recognise(sample: Sample) -> bool:
    """Tell whether all objects have a contact id and a start, and one says how it began."""
    items = [_unwrap(item) for item in sample.objects]
    return all({"ContactId", "InitiationTimestamp"} <= set(item) for item in items) and any(
        "InitiationMethod" in item for item in items
    )


def _unwrap(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Take the contact out of the answer to DescribeContact, and name its id as exports do."""
    inner = item.get("Contact")
    contact = inner if isinstance(inner, Mapping) else item
    return {"ContactId": contact["Id"], **contact} if "Id" in contact else contact


def _read_moment(value: Any) -> datetime | None:
    return from_stamp(value) or from_epoch(value)


def read(export: reader.ExportReader) -> Iterator[pa.Table]:
    """Read contact records, each alone or within the answer to DescribeContact."""
    items = ((number, _unwrap(item)) for number, item in export.items())
    return export.tables(_build_record, items)


def _build_record(number: int, item: Mapping[str, Any]) -> dict[str, Any]:
    own = str(reader.require(item.get("ContactId"), "missing_key"))
    started = reader.require(_read_moment(item.get("InitiationTimestamp")), "missing_start")
    method = item.get("InitiationMethod")
    if method == "MONITOR":
        raise reader.SkippedRecord("monitoring")
    agent = item.get("Agent") or item.get("AgentInfo") or {}
    queue = item.get("Queue") or item.get("QueueInfo") or {}
    connected = _read_moment(agent.get("ConnectedToAgentTimestamp"))
    ended = _read_moment(item.get("DisconnectTimestamp"))
    before, first = (
        None if method in _NOT_CHAINED or item.get(name) in (None, "", own) else str(item[name])
        for name in _EARLIER
    )
    direction = _DIRECTIONS.get(method)
    channel = item.get("Channel")
    talk = as_number(agent.get("AgentInteractionDuration"))
    if talk is None and "AgentInfo" in item:  # DescribeContact gives moments alone
        talk = seconds_between(connected, ended)
    return {
        "line": number,
        "contact_id": own,
        "before": before,
        "first": first,
        "after": item.get("NextContactId") or None,
        "started_at": started,
        "updated_at": _read_moment(item.get("LastUpdateTimestamp")),
        "direction": direction,
        "channel": _CHANNELS.get(channel, str(channel).lower() if channel else None),
        "queue": queue.get("Name") or queue.get("Id"),
        "advisor": agent.get("Username") or agent.get("Id"),
        "connected_at": connected,
        "outcome": _find_outcome(item, connected, bool(queue)),
        "wait": _read_wait(queue, connected or ended),
        "talk": talk,
        "hold": as_number(agent.get("CustomerHoldDuration")),
        "wrap": as_number(agent.get("AfterContactWorkDuration")),
        "is_transfer": method in ("TRANSFER", "QUEUE_TRANSFER"),
        "did": look_up(item, "SystemEndpoint.Address") if direction == "inbound" else None,
        "recorded": _is_recorded(item),
        "customer": look_up(item, "CustomerEndpoint.Address"),
    }


def _read_wait(queue: Mapping[str, Any], until: datetime | None) -> float | None:
    wait = as_number(queue.get("Duration"))
    if wait is not None:
        return wait
    dequeued = _read_moment(queue.get("DequeueTimestamp"))
    return seconds_between(_read_moment(queue.get("EnqueueTimestamp")), dequeued or until)


def _is_recorded(item: Mapping[str, Any]) -> bool:
    recordings = [*(item.get("Recordings") or ()), item.get("Recording")]
    parts = (part for part in recordings if isinstance(part, Mapping))
    return any(part.get("Status", "AVAILABLE") == "AVAILABLE" for part in parts)


def _find_outcome(item: Mapping[str, Any], connected: Any, queued: bool) -> str | None:
    if connected is not None:
        return "answered"
    if not item.get("DisconnectTimestamp"):
        return None
    reason = item.get("DisconnectReason")
    if item.get("NextContactId") or (queued and reason == "CONTACT_FLOW_DISCONNECT"):
        return "overflow"
    return _ENDINGS.get(reason, "unanswered")


def fold(session: reader.FoldSession) -> str:
    """Fold each chain of transfers under its first id; older copies stay, as duplicates."""
    find_roots(
        session.connection,
        "contact_id",
        """
        SELECT n.contact_id AS id, coalesce(b.contact_id, f.contact_id,
            min(p.contact_id) FILTER (n.before IS NULL AND n.is_transfer)) AS before
        FROM newest n LEFT JOIN newest b ON b.contact_id = n.before LEFT JOIN newest f
            ON f.contact_id = n.first
            LEFT JOIN newest p ON p.after = n.contact_id AND p.contact_id <> n.contact_id
        GROUP BY n.contact_id, b.contact_id, f.contact_id""",
        "coalesce(n.first, n.before, root)",
    )
    reader.report_lost_roots(session, "SELECT contact_id FROM newest")
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
    schema=reader.record_schema(
        "contact_id before first after started_at updated_at direction channel queue advisor "
        "connected_at outcome wait talk hold wrap is_transfer did recorded customer_key"
    ),
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
