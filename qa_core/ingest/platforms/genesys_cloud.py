"""Genesys Cloud conversation details: participants, sessions and metrics in
milliseconds, one conversation is one contact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from qa_core.base.i18n import N_
from qa_core.files.sample import Sample
from qa_core.ingest.columns.scalars import as_number, from_iso
from qa_core.ingest.declaration import Platform
from qa_core.ingest.platforms.reader import MOMENT, ExportReader, FoldSession

_CHANNELS = {
    "voice": "phone",
    "callback": "phone",
    "chat": "chat",
    "message": "chat",
    "email": "email",
    "sms": "sms",
}
_OF_CUSTOMERS, _OF_AGENTS = ("customer", "external"), ("agent", "user")

SCHEMA = pa.schema(
    [
        ("line", pa.int64()),
        ("contact_id", pa.string()),
        ("started_at", MOMENT),
        ("ended_at", MOMENT),
        ("direction", pa.string()),
        ("channel", pa.string()),
        ("queue", pa.string()),
        ("reason", pa.string()),
        ("advisor", pa.string()),
        ("advisor_name", pa.string()),
        ("outcome", pa.string()),
        ("wait_seconds", pa.float64()),
        ("talk_seconds", pa.float64()),
        ("hold_seconds", pa.float64()),
        ("wrap_seconds", pa.float64()),
        ("transfers", pa.int32()),
        ("tracking_number", pa.string()),
        ("recorded", pa.bool_()),
        ("customer_key", pa.string()),
    ]
)


def recognise(sample: Sample) -> bool:
    """Every object is a conversation with its start and participants."""
    return sample.has_keys("conversationId", "conversationStart", "participants")


def read(work: ExportReader) -> Iterator[pa.Table]:
    return work.tables(_records(work))


def _records(work: ExportReader) -> Iterator[dict[str, Any]]:
    still_open = 0
    for number, item in work.documents():
        started = from_iso(item.get("conversationStart"))
        if not item.get("conversationId") or started is None:
            work.reject(
                number,
                "missing_start" if item.get("conversationId") else "missing_key",
                [str(item.get("conversationId") or ""), str(item.get("conversationStart") or "")],
            )
            continue
        still_open += not item.get("conversationEnd")
        yield from work.build(number, _as_record, item, started)
    if still_open:
        work.decide(
            "talk_seconds",
            N_("missing for conversations that had not ended: they come again with their end"),
            N_("{count} without conversationEnd"),
            count=still_open,
        )


def _sessions(
    item: Mapping[str, Any], purposes: tuple[str, ...]
) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    return [
        (person, session)
        for person in item.get("participants") or ()
        if person.get("purpose") in purposes
        for session in person.get("sessions") or ()
    ]


def _seconds(
    sessions: list[tuple[Mapping[str, Any], Mapping[str, Any]]], *names: str
) -> float | None:
    """The sum of a metric over sessions, in seconds; of several names, in each session
    the first that it has.
    """
    total = None
    for _person, session in sessions:
        metrics = session.get("metrics") or ()
        for name in names:
            values = [
                as_number(metric.get("value")) for metric in metrics if metric.get("name") == name
            ]
            if values:
                total = (total or 0.0) + sum(value for value in values if value is not None) / 1000
                break
    return total


def _as_record(number: int, item: Mapping[str, Any], started: Any) -> dict[str, Any]:
    customers, queues, agents = (
        _sessions(item, _OF_CUSTOMERS),
        _sessions(item, ("acd",)),
        _sessions(item, _OF_AGENTS),
    )
    everybody = [
        (person, session)
        for person in item.get("participants") or ()
        for session in person.get("sessions") or ()
    ]
    ended = from_iso(item.get("conversationEnd"))
    direction = item.get("originatingDirection") or next(
        (session.get("direction") for _person, session in customers if session.get("direction")),
        None,
    )
    spoke = [
        (person, session)
        for person, session in agents
        if _seconds([(person, session)], "tAnswered", "tTalk", "tTalkComplete") is not None
    ]
    outcome = _find_outcome(spoke, everybody, ended)
    media = next(
        (
            session.get("mediaType")
            for _person, session in (customers or everybody)
            if session.get("mediaType") in _CHANNELS
        ),
        None,
    )
    last = spoke[-1][0] if spoke else {}
    talk = _seconds(agents, "tTalkComplete", "tTalk") if ended else None
    handled = ended is not None and bool(spoke)
    return {
        "line": number,
        "contact_id": str(item["conversationId"]),
        "started_at": started,
        "ended_at": ended,
        "direction": direction if direction in ("inbound", "outbound") else None,
        "channel": _CHANNELS.get(media),
        "queue": _find_queue(queues if not spoke else spoke[-1:] + queues),
        "reason": next(
            (
                part["wrapUpCode"]
                for _person, session in reversed(agents)
                for part in reversed(session.get("segments") or [])
                if part.get("wrapUpCode")
            ),
            None,
        ),
        "advisor": last.get("userId"),
        "advisor_name": last.get("participantName"),
        "outcome": outcome,
        "wait_seconds": _find_wait(queues, spoke, everybody, direction),
        "talk_seconds": talk,
        "hold_seconds": (_seconds(agents, "tHeldComplete", "tHeld") or 0.0) if handled else None,
        "wrap_seconds": (_seconds(agents, "tAcw") or 0.0) if handled else None,
        "transfers": int((_seconds(everybody, "nTransferred") or 0.0) * 1000)
        if outcome == "answered"
        else None,
        "tracking_number": next(
            (
                session["dnis"].removeprefix("tel:")
                for _person, session in customers
                if session.get("dnis") and direction == "inbound"
            ),
            None,
        ),
        "recorded": any(session.get("recording") is True for _person, session in everybody) or None,
        "customer": next(
            (
                session[name]
                for _person, session in customers
                for name in (("ani",) if direction == "inbound" else ("dnis", "ani"))
                if session.get(name)
            ),
            None,
        ),
    }


def _find_queue(sessions: list[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> str | None:
    """The name that a voice queue has, else its id: in a chat the participant bears the
    name of the person who writes.
    """
    ids = [
        part["queueId"]
        for _person, session in sessions
        for part in session.get("segments") or ()
        if part.get("queueId")
    ]
    named = next(
        (
            person["participantName"]
            for person, session in sessions
            if person.get("purpose") == "acd"
            and session.get("mediaType") == "voice"
            and person.get("participantName")
        ),
        None,
    )
    return named or (ids[0] if ids else None)


def _find_outcome(spoke: list[Any], everybody: list[Any], ended: Any) -> str | None:
    if spoke:
        return "answered"
    if _seconds(everybody, "tAbandon") is not None:
        return "abandoned"
    if _seconds(everybody, "tVoicemail") is not None:
        return "voicemail"
    if _seconds(everybody, "tFlowOut") is not None:
        return "overflow"
    return "unanswered" if ended else None


def _find_wait(
    queues: list[Any], spoke: list[Any], everybody: list[Any], direction: str | None
) -> float | None:
    if direction == "outbound":
        return None
    answered = _seconds(spoke[:1], "tAnswered")
    if answered is not None:
        return answered
    return (
        _seconds(everybody, "tAbandon")
        if not spoke and not queues
        else _seconds(queues, "tAcd", "tAbandon")
    )


def fold(bench: FoldSession) -> str:
    """The newest of each conversation: the one that has ended, else the last; the
    others stay as its duplicates.
    """
    return """
        SELECT * EXCLUDE (ended_at, place), CASE WHEN place = 1 THEN coalesce(ended_at,
            started_at) END AS updated_at
        FROM (SELECT *, row_number() OVER (PARTITION BY contact_id
            ORDER BY ended_at DESC NULLS LAST, line DESC) AS place FROM records)"""


PLATFORM = Platform(
    name="genesys_cloud",
    title="Genesys Cloud",
    recognise=recognise,
    schema=SCHEMA,
    read=read,
    fold=fold,
    mapping={
        "contact_id": "conversationId",
        "started_at": "conversationStart",
        "direction": "originatingDirection",
        "channel": "mediaType",
        "queue": "acd: participantName, queueId",
        "reason": "wrapUpCode",
        "advisor": "agent: userId",
        "advisor_name": "agent: participantName",
        "outcome": "tAnswered, tAbandon, tVoicemail, tFlowOut",
        "wait_seconds": "tAnswered, tAcd",
        "talk_seconds": "tTalkComplete",
        "hold_seconds": "tHeldComplete",
        "wrap_seconds": "tAcw",
        "transfers": "nTransferred",
        "tracking_number": "dnis",
        "recorded": "recording",
        "customer": "ani",
    },
    group="contact_id",
    defaults={"channel": "phone", "direction": "inbound"},
    shown=("conversationId", "conversationStart"),
)
