"""Twilio call resources, as JSON or as a table; the calls that a call dialled are its legs."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pyarrow as pa

from qa_core.files.header_text import simplify
from qa_core.files.sample import Sample
from qa_core.ingest.columns.scalars import find_meaning, fold_case, from_stamp, read_seconds
from qa_core.ingest.declaration import LegChain, Platform, WordColumn
from qa_core.ingest.platforms import reader
from qa_core.ingest.platforms.call_legs import TALKS, find_roots
from qa_core.ingest.pseudonyms import find_outside_number
from qa_core.storage.schema import Direction, Outcome

_OUTCOMES = {
    **dict.fromkeys(("queued", "initiated", "ringing", "in progress")),
    "completed": "answered",
    "busy": "refused",
    "no answer": "unanswered",
    "canceled": "abandoned",
    "failed": "failed",
}
_DIRECTIONS = {
    **dict.fromkeys(("inbound", "incoming", "trunking originating"), "inbound"),
    **dict.fromkeys(
        ("outbound", "outgoing", "outbound api", "outbound dial", "outgoing api", "outgoing dial",
        "trunking terminating"), "outbound"
    ),
}  # fmt: skip


def recognise(sample: Sample) -> bool:
    """Tell whether all objects have an account and a sid, or are another of Twilio's resources."""
    return (
        sample.has_keys("sid", "account_sid")
        or sample.has_keys("sid", "accountSid")
        or sample.has_keys("recordings", "page_size")
        or sample.has_headers("sid", "parent_call_sid", "direction")
        or sample.has_headers("call_sid", "parent_call_sid", "direction")
    )


def read(export: reader.ExportReader) -> Iterator[pa.Table]:
    """Read calls. Raises Refusal for a list of recordings."""
    return export.tables(_build_record, _name_fields(export))


def _name_fields(export: reader.ExportReader) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, fields in export.items():
        item = {simplify(name).replace(" ", "_"): value for name, value in fields.items()}
        if "recordings" in item or ("call_sid" in item and "direction" not in item):
            raise export.refuse(
                "not_calls",
                "{name} lists Twilio recordings, which do not say who called or how the call "
                "ended. Export the calls (Calls.json) and import that file.",
            )
        yield number, {"sid": item.get("call_sid"), **item}


def _read_date(value: Any) -> datetime | None:
    if not isinstance(value, str) or not value.strip():
        return None
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError, OverflowError):
        return from_stamp(value)
    return moment.astimezone(UTC) if moment.tzinfo else moment


def _build_record(number: int, item: Mapping[str, Any]) -> dict[str, Any]:
    own = str(reader.require(item["sid"], "missing_key"))
    started = _read_date(item.get("start_time")) or _read_date(item.get("date_created"))
    direction = find_meaning(item.get("direction"), _DIRECTIONS, Direction)
    is_inbound = direction == "inbound"
    outcome = find_meaning(item.get("status"), _OUTCOMES, Outcome)
    is_machine = fold_case(item.get("answered_by")).startswith("machine")
    if outcome == "answered" and not is_inbound and is_machine:
        outcome = "voicemail"
    parent = item.get("parent_call_sid") or None
    target = str(item.get("to") or "")
    is_agent = parent and target and not find_outside_number(target)
    return {
        "line": number,
        "sid": own,
        "call": parent or own,
        "is_leg": parent is not None,
        "started_at": reader.require(started, "missing_start"),
        "updated_at": _read_date(item.get("date_updated")),
        "direction": direction,
        "outcome": outcome,
        "duration": read_seconds(item.get("duration")),
        "advisor": target.removeprefix("client:") if is_agent else None,
        "did": target if is_inbound else None,
        "customer": item.get("from" if is_inbound else "to"),
    }


def fold(session: reader.FoldSession) -> str:
    """Fold each call with those that it dialled; without any, only Twilio's answer is known."""
    connection = session.connection
    find_roots(
        connection,
        "sid",
        "SELECT n.sid AS id, p.sid AS before FROM newest n LEFT JOIN newest p ON p.sid = n.call "
        "AND p.sid <> n.sid",
        "n.call",
    )
    connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE legs AS
        SELECT *, bool_or(is_leg) OVER (PARTITION BY call) AS has_legs FROM (
            SELECT n.* EXCLUDE (call, is_leg), r.root AS call, is_leg
                AND bool_or(NOT is_leg) OVER (PARTITION BY r.root) AS is_leg
            FROM numbered n JOIN roots r ON r.id = n.sid
        )"""
    )
    reader.report_lost_roots(session, "SELECT sid FROM numbered")
    return f"""
        WITH spoken AS (SELECT *, started_at AS since, duration AS talk FROM legs WHERE copy = 1
            AND outcome = 'answered' AND is_leg = has_legs),
        talks AS ({TALKS})
        SELECT min(line) AS line, call AS contact_id, min(started_at) FILTER (NOT is_leg) AS
            started_at,
            coalesce(max(updated_at), min(started_at)) AS updated_at,
            arg_min(direction, started_at) FILTER (NOT is_leg) AS direction,
            CASE WHEN bool_or(is_leg) THEN CASE WHEN bool_or(is_leg AND outcome = 'answered'
                AND duration > 0) THEN 'answered'
                    WHEN any_value(outcome) FILTER (NOT is_leg) = 'answered' THEN 'unanswered'
                        ELSE any_value(outcome) FILTER (NOT is_leg) END
                ELSE coalesce(max(outcome) FILTER (outcome = 'answered'), arg_max(outcome,
                    started_at)) END AS outcome,
            CASE WHEN bool_or(is_leg AND outcome = 'answered') THEN
                greatest(0, date_diff('microsecond', min(started_at) FILTER (NOT is_leg),
                    min(started_at) FILTER (is_leg AND outcome = 'answered')) / 1e6) END AS
                        wait_seconds,
            any_value(t.talk_seconds) AS talk_seconds,
            arg_max(advisor, started_at) FILTER (is_leg AND outcome = 'answered'
                AND advisor IS NOT NULL) AS advisor,
            any_value(did) FILTER (NOT is_leg) AS tracking_number,
                any_value(customer_key) FILTER (NOT is_leg) AS customer_key
        FROM legs LEFT JOIN talks t USING (call) WHERE copy = 1 GROUP BY call
        UNION ALL BY NAME
        SELECT line, call AS contact_id, started_at, NULL AS updated_at FROM legs WHERE copy > 1"""


PLATFORM = Platform(
    name="twilio",
    title="Twilio",
    recognise=recognise,
    schema=reader.record_schema(
        "sid call is_leg started_at updated_at direction outcome duration advisor did customer_key"
    ),
    read=read,
    fold=fold,
    mapping={
        "contact_id": "parent_call_sid, sid",
        "started_at": "start_time",
        "updated_at": "date_updated",
        "direction": "direction",
        "outcome": "status",
        "wait_seconds": "start_time",
        "talk_seconds": "duration",
        "advisor": "to",
        "tracking_number": "to",
        "customer": "from, to",
    },
    chain=LegChain(
        "sid",
        ("call",),
        {
            "sid": "contact_id",
            "call": "contact_id",
            "is_leg": "false",
            "started_at": "started_at",
            "direction": "direction",
            "outcome": "outcome",
            "duration": "talk_seconds",
            "did": "tracking_number",
            "customer_key": "customer_key",
        },
    ),
    words=(
        WordColumn("status", "outcome", _OUTCOMES),
        WordColumn("direction", "direction", _DIRECTIONS),
    ),
    durations=("duration",),
    shown=("sid", "start_time"),
)
