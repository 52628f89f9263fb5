"""Genesys Cloud conversation details: participants, sessions, metrics in milliseconds."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from qa_core.files.signatures import Keys
from qa_core.ingest.columns import scalars
from qa_core.ingest.platforms import fields
from qa_core.ingest.platforms.declaration import Platform
from qa_core.ingest.platforms.fields import Item
from qa_core.ingest.platforms.reader import ExportReader, FoldSession
from qa_core.ingest.words.tables import index_tool_words

_CHANNELS = index_tool_words("genesys_cloud", "channels")
_OUTCOMES = index_tool_words("genesys_cloud", "outcomes")
"""Metrics that only a contact has which ended so."""


def read(export: ExportReader) -> Iterator[pa.Table]:
    """Read conversations, and note how many had not ended."""
    unfinished = 0
    for table in export.tables():
        unfinished += table.column("ended_at").null_count
        yield table
    if unfinished:
        export.decide("talk_seconds", "missing where a conversation has no end", unfinished)


Session = tuple[Item, Item]
"""A participant and one of their sessions."""


def _find_sessions(item: Item, *purposes: str) -> list[Session]:
    """Find the sessions of participants of these purposes, of all without any."""
    return [
        (person, session)
        for person in item.get("participants") or ()
        if not purposes or person.get("purpose") in purposes
        for session in person.get("sessions") or ()
    ]


def _sum_metric(sessions: Iterable[Session], *names: str) -> float | None:
    """Sum a metric over sessions, in seconds: in each the first of these names."""
    total = None
    for _person, session in sessions:
        metrics = session.get("metrics") or ()
        for name in names:
            values = [
                scalars.as_number(metric.get("value"))
                for metric in metrics
                if metric.get("name") == name
            ]
            if values:
                total = (total or 0.0) + sum(value for value in values if value is not None) / 1000
                break
    return total


def _find_value(sessions: Iterable[Session], *names: str) -> Any:
    """Find the first value that is given under one of these names, session by session."""
    return next(
        (session[name] for _person, session in sessions for name in names if session.get(name)),
        None,
    )


def build(item: Item, record: Mapping[str, Any]) -> dict[str, Any]:
    ended = record["ended_at"]
    sessions = _find_sessions(item)
    customers = _find_sessions(item, "customer", "external")
    queues = _find_sessions(item, "acd")
    agents = _find_sessions(item, "agent", "user")
    answers = [
        session
        for session in agents
        if _sum_metric([session], "tAnswered", "tTalk", "tTalkComplete") is not None
    ]
    last = answers[-1][0] if answers else {}
    direction = item.get("originatingDirection") or _find_value(customers, "direction")
    is_inbound = direction == "inbound"
    number_called = _find_value(customers, "dnis") if is_inbound else None
    is_complete = ended is not None and bool(answers)
    return {
        "direction": scalars.read_direction(direction),
        "channel": _find_channel(customers or sessions),
        "queue": _find_queue([*answers[-1:], *queues]),
        # The code of the last wrap-up.
        "reason": next(reversed(_list_in_segments(agents, "wrapUpCode")), None),
        "advisor": last.get("userId"),
        "advisor_name": last.get("participantName"),
        "outcome": _find_outcome(answers, sessions, ended),
        "wait_seconds": _find_wait(queues, answers, sessions, direction),
        "talk_seconds": _sum_metric(agents, "tTalkComplete", "tTalk") if ended else None,
        "hold_seconds": (_sum_metric(agents, "tHeldComplete", "tHeld") or 0.0)
        if is_complete
        else None,
        "wrap_seconds": (_sum_metric(agents, "tAcw") or 0.0) if is_complete else None,
        "transfers": int((_sum_metric(sessions, "nTransferred") or 0.0) * 1000),
        "tracking_number": number_called and number_called.removeprefix("tel:"),
        "recorded": any(session.get("recording") is True for _person, session in sessions) or None,
        "customer": _find_value(customers, *(("ani",) if is_inbound else ("dnis", "ani"))),
    }


def _find_channel(sessions: Iterable[Session]) -> str | None:
    media = (session.get("mediaType") for _person, session in sessions)
    return next((_CHANNELS[name] for name in media if name in _CHANNELS), None)


def _list_in_segments(sessions: list[Session], name: str) -> list[Any]:
    segments = (part for _person, session in sessions for part in session.get("segments") or ())
    return [part[name] for part in segments if part.get(name)]


def _find_queue(sessions: list[Session]) -> str | None:
    """Find the name of a voice queue, else its id: in a chat, that name is the customer's."""
    names = (
        person.get("participantName")
        for person, session in sessions
        if person.get("purpose") == "acd" and session.get("mediaType") == "voice"
    )
    ids = _list_in_segments(sessions, "queueId")
    return next(filter(None, names), None) or next(iter(ids), None)


def _find_outcome(answers: list[Session], sessions: list[Session], ended: Any) -> str | None:
    if answers:
        return "answered"
    for metric, outcome in _OUTCOMES.items():
        if _sum_metric(sessions, metric) is not None:
            return outcome
    return "unanswered" if ended else None


def _find_wait(
    queues: list[Session], answers: list[Session], sessions: list[Session], direction: str | None
) -> float | None:
    if direction == "outbound":
        return None
    answered = _sum_metric(answers[:1], "tAnswered")
    if answered is not None:
        return answered
    if not answers and not queues:
        return _sum_metric(sessions, "tAbandon")
    return _sum_metric(queues, "tAcd", "tAbandon")


def fold(session: FoldSession) -> str:
    """Select the newest record of each conversation, ended ones first; others are duplicates."""
    return """
        SELECT * EXCLUDE (ended_at, place), CASE WHEN place = 1 THEN coalesce(ended_at,
            started_at) END AS updated_at
        FROM (SELECT *, row_number() OVER (PARTITION BY contact_id
            ORDER BY ended_at DESC NULLS LAST, line DESC) AS place FROM records)"""


PLATFORM = Platform(
    name="genesys_cloud",
    title="Genesys Cloud",
    signatures=(Keys(("conversationId", "conversationStart", "participants")),),
    fields={
        "contact_id": fields.Value("conversationId", missing="missing_key"),
        "started_at": fields.Moment("conversationStart", missing="missing_start"),
        "ended_at": fields.Moment("conversationEnd"),
        "direction": fields.DirectionWords("originatingDirection"),
        "channel": fields.Computed("mediaType"),
        "queue": fields.Computed("acd: participantName, queueId"),
        "reason": fields.Computed("wrapUpCode"),
        "advisor": fields.Computed("agent: userId"),
        "advisor_name": fields.Computed("agent: participantName"),
        "outcome": fields.Computed("tAnswered, tAbandon, tVoicemail, tFlowOut"),
        "wait_seconds": fields.Computed("tAnswered, tAcd"),
        "talk_seconds": fields.Computed("tTalkComplete"),
        "hold_seconds": fields.Computed("tHeldComplete"),
        "wrap_seconds": fields.Computed("tAcw"),
        "transfers": fields.Computed("nTransferred"),
        "tracking_number": fields.Computed("dnis"),
        "recorded": fields.Computed("recording"),
        "customer": fields.Computed("ani"),
    },
    build=build,
    of_answered=("transfers",),
    read=read,
    fold=fold,
    group="contact_id",
    defaults={"channel": "phone", "direction": "inbound"},
    shown=("conversationId", "conversationStart"),
)
