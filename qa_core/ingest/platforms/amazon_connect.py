"""Amazon Connect records: the newest copy of each wins; transfers make one contact."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from qa_core.files.signatures import Keys
from qa_core.ingest.columns.scalars import as_number, read_moment, seconds_between
from qa_core.ingest.platforms import fields
from qa_core.ingest.platforms.call_legs import ANSWERED_OR_LAST, find_roots
from qa_core.ingest.platforms.declaration import LegChain, Platform
from qa_core.ingest.platforms.fields import Item
from qa_core.ingest.platforms.reader import FoldSession, report_lost_roots
from qa_core.ingest.words.tables import index_tool_words

_DIRECTIONS = index_tool_words("amazon_connect", "directions")
_NOT_CHAINED = ("CALLBACK", "MONITOR", "OUTBOUND", "EXTERNAL_OUTBOUND")
"""A call back counts as a separate contact, though it names the one it follows."""
_CHANNELS = index_tool_words("amazon_connect", "channels")
_OUTCOMES = index_tool_words("amazon_connect", "outcomes")
_SUMS = ("talk_seconds", "hold_seconds", "wrap_seconds")
_IDS = ("ContactId", "Id")
_WRAPPERS = ("Contact",)
"""Key under which the answer to DescribeContact has the contact, with `Id` for its id."""


def skip(item: Item) -> str | None:
    """Find what is no contact: somebody listened in."""
    return "monitoring" if item.get("InitiationMethod") == "MONITOR" else None


def build(item: Item, record: Mapping[str, Any]) -> dict[str, Any]:
    contact_id, connected = record["contact_id"], record["connected_at"]
    method = item.get("InitiationMethod")
    agent = item.get("Agent") or item.get("AgentInfo") or {}
    queue = item.get("Queue") or item.get("QueueInfo") or {}
    ended = read_moment(item.get("DisconnectTimestamp"))
    direction = _DIRECTIONS.get(method)
    channel = item.get("Channel")
    talk = as_number(agent.get("AgentInteractionDuration"))
    if talk is None and "AgentInfo" in item:  # DescribeContact gives moments alone
        talk = seconds_between(connected, ended)
    return {
        **{
            name: None if method in _NOT_CHAINED or record[name] == contact_id else record[name]
            for name in ("before", "first")
        },
        "direction": direction,
        "channel": _CHANNELS.get(channel, str(channel).lower() if channel else None),
        "outcome": _find_outcome(item, connected, bool(queue)),
        "wait_seconds": _read_wait(queue, connected or ended),
        "talk_seconds": talk,
        "hold_seconds": as_number(agent.get("CustomerHoldDuration")),
        "wrap_seconds": as_number(agent.get("AfterContactWorkDuration")),
        "is_transfer": method in ("TRANSFER", "QUEUE_TRANSFER"),
        "tracking_number": record["tracking_number"] if direction == "inbound" else None,
        "recorded": _is_recorded(item),
    }


def _read_wait(queue: Item, until: datetime | None) -> float | None:
    wait = as_number(queue.get("Duration"))
    if wait is not None:
        return wait
    dequeued = read_moment(queue.get("DequeueTimestamp"))
    return seconds_between(read_moment(queue.get("EnqueueTimestamp")), dequeued or until)


def _is_recorded(item: Item) -> bool:
    recordings = [*(item.get("Recordings") or ()), item.get("Recording")]
    parts = (part for part in recordings if isinstance(part, Mapping))
    return any(part.get("Status", "AVAILABLE") == "AVAILABLE" for part in parts)


def _find_outcome(item: Item, connected: Any, queued: bool) -> str | None:
    if connected is not None:
        return "answered"
    if not item.get("DisconnectTimestamp"):
        return None
    reason = item.get("DisconnectReason")
    if item.get("NextContactId") or (queued and reason == "CONTACT_FLOW_DISCONNECT"):
        return "overflow"
    return _OUTCOMES.get(reason, "unanswered")


def _sum_connected(name: str) -> str:
    return (
        f"CASE WHEN bool_and({name} IS NOT NULL) FILTER (connected_at IS NOT NULL) "
        f"THEN sum({name}) FILTER (connected_at IS NOT NULL) END"
    )


def fold(session: FoldSession) -> str:
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
    report_lost_roots(session, "SELECT contact_id FROM newest")
    columns = {
        "queue": """coalesce(arg_max(queue, (started_at, line)) FILTER (connected_at IS NOT
            NULL), arg_max(queue, (started_at, line)))""",
        "advisor": "arg_max(advisor, connected_at) FILTER (connected_at IS NOT NULL)",
        "outcome": ANSWERED_OR_LAST,
        "wait_seconds": """sum(wait_seconds) FILTER (answered_at IS NULL OR started_at <=
            answered_at AND (connected_at IS NULL OR connected_at = answered_at))""",
        **{name: _sum_connected(name) for name in _SUMS},
        "transfers": "CASE WHEN bool_or(outcome = 'answered') THEN CAST(count(*) FILTER "
        "(is_transfer) AS INTEGER) END",
    }
    session.connection.execute(
        """
        CREATE OR REPLACE TEMP VIEW legs AS SELECT n.*, root AS call, min(connected_at)
            FILTER (copy = 1) OVER (PARTITION BY root) AS answered_at
        FROM numbered n JOIN roots r ON r.id = n.contact_id"""
    )
    return session.fold_legs(columns, "(FROM legs WHERE copy = 1)", copies="legs WHERE copy > 1")


PLATFORM = Platform(
    name="amazon_connect",
    title="Amazon Connect",
    signatures=tuple(
        Keys((name, "InitiationTimestamp"), some=("InitiationMethod",), within=_WRAPPERS)
        for name in _IDS
    ),
    fields={
        "contact_id": fields.Value(
            *_IDS, missing="missing_key", shown="InitialContactId, ContactId"
        ),
        "before": fields.Value("PreviousContactId"),
        "first": fields.Value("InitialContactId"),
        "after": fields.Value("NextContactId"),
        "started_at": fields.Moment(
            "InitiationTimestamp", parse=read_moment, missing="missing_start"
        ),
        "updated_at": fields.Moment("LastUpdateTimestamp", parse=read_moment),
        "connected_at": fields.Moment(
            *("Agent.ConnectedToAgentTimestamp", "AgentInfo.ConnectedToAgentTimestamp"),
            parse=read_moment,
        ),
        "direction": fields.Computed("InitiationMethod"),
        "channel": fields.Computed("Channel"),
        "queue": fields.Value(
            *("Queue.Name", "Queue.Id", "QueueInfo.Name", "QueueInfo.Id"), shown="Queue.Name"
        ),
        "advisor": fields.Value(
            *("Agent.Username", "Agent.Id", "AgentInfo.Username", "AgentInfo.Id"),
            shown="Agent.Username",
        ),
        "outcome": fields.Computed("Agent.ConnectedToAgentTimestamp, DisconnectReason"),
        "wait_seconds": fields.Computed("Queue.Duration"),
        "talk_seconds": fields.Computed("Agent.AgentInteractionDuration"),
        "hold_seconds": fields.Computed("Agent.CustomerHoldDuration"),
        "wrap_seconds": fields.Computed("Agent.AfterContactWorkDuration"),
        "is_transfer": fields.Computed(type=pa.bool_()),
        "tracking_number": fields.Value("SystemEndpoint.Address"),
        "recorded": fields.Computed("Recordings"),
        "customer": fields.Value("CustomerEndpoint.Address"),
    },
    build=build,
    skip=skip,
    within=_WRAPPERS,
    fold=fold,
    folded={"transfers": "InitiationMethod"},
    chain=LegChain("contact_id", ("before", "first", "after")),
    shown=("ContactId", "InitiationTimestamp"),
)
