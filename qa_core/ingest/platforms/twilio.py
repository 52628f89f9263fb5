"""Twilio call resources, as JSON or as a table; the calls that a call dialled are its legs."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import pyarrow as pa

from qa_core.files.header_text import simplify
from qa_core.files.signatures import Headers, Keys
from qa_core.ingest.columns.scalars import fold_case, from_stamp
from qa_core.ingest.platforms import fields
from qa_core.ingest.platforms.call_legs import find_roots
from qa_core.ingest.platforms.declaration import LegChain, Platform
from qa_core.ingest.platforms.fields import Item
from qa_core.ingest.platforms.reader import ExportReader, FoldSession, report_lost_roots
from qa_core.ingest.staging.pseudonyms import find_outside_number
from qa_core.ingest.words.tables import index_tool_words

_OUTCOMES = index_tool_words("twilio", "outcomes")
_DIRECTIONS = index_tool_words("twilio", "directions")


def read(export: ExportReader) -> Iterator[pa.Table]:
    """Read calls. Raises Refusal for a list of recordings."""
    return export.tables(_name_fields(export))


def _name_fields(export: ExportReader) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, row in export.items():
        item = {simplify(name).replace(" ", "_"): value for name, value in row.items()}
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


def build(item: Item, record: Mapping[str, Any]) -> dict[str, Any]:
    is_inbound = record["direction"] == "inbound"
    parent = record["call"]
    target = str(item.get("to") or "")
    is_agent = parent and target and not find_outside_number(target)
    is_machine = fold_case(item.get("answered_by")).startswith("machine")
    computed = {
        "call": parent or record["sid"],
        "is_leg": parent is not None,
        "started_at": fields.require(
            record["started_at"] or _read_date(item.get("date_created")), "missing_start"
        ),
        "advisor": target.removeprefix("client:") if is_agent else None,
        "tracking_number": target if is_inbound else None,
        "customer": item.get("from" if is_inbound else "to"),
    }
    if record["outcome"] == "answered" and not is_inbound and is_machine:
        computed["outcome"] = "voicemail"
    return computed


def fold(session: FoldSession) -> str:
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
    report_lost_roots(session, "SELECT sid FROM numbered")
    columns = {
        "started_at": "min(started_at) FILTER (NOT is_leg)",
        "direction": "arg_min(direction, started_at) FILTER (NOT is_leg)",
        "outcome": """CASE WHEN bool_or(is_leg) THEN CASE WHEN bool_or(is_leg
            AND outcome = 'answered' AND duration > 0) THEN 'answered'
                WHEN any_value(outcome) FILTER (NOT is_leg) = 'answered' THEN 'unanswered'
                    ELSE any_value(outcome) FILTER (NOT is_leg) END
            ELSE coalesce(max(outcome) FILTER (outcome = 'answered'), arg_max(outcome,
                started_at)) END""",
        "wait_seconds": """CASE WHEN bool_or(is_leg AND outcome = 'answered') THEN greatest(0,
            date_diff('microsecond', min(started_at) FILTER (NOT is_leg), min(started_at)
                FILTER (is_leg AND outcome = 'answered')) / 1e6) END""",
        "talk_seconds": "any_value(t.talk_seconds)",
        "advisor": "arg_max(advisor, started_at) FILTER (is_leg AND outcome = 'answered' AND "
        "advisor IS NOT NULL)",
        "tracking_number": "any_value(tracking_number) FILTER (NOT is_leg)",
        "customer_key": "any_value(customer_key) FILTER (NOT is_leg)",
    }
    return session.fold_legs(
        columns,
        "(SELECT *, duration AS talk_seconds FROM legs WHERE copy = 1) l",
        since="started_at",
        spoken="outcome = 'answered' AND is_leg = has_legs",
        copies="legs WHERE copy > 1",
    )


PLATFORM = Platform(
    name="twilio",
    title="Twilio",
    signatures=(
        Keys(("sid", "account_sid")),
        Keys(("sid", "accountSid")),
        Keys(("recordings", "page_size")),
        Headers(("sid|call_sid", "parent_call_sid", "direction")),
    ),
    fields={
        "sid": fields.Value("sid", missing="missing_key"),
        "call": fields.Value("parent_call_sid"),
        "is_leg": fields.Computed(type=pa.bool_()),
        "started_at": fields.Moment("start_time", parse=_read_date),
        "updated_at": fields.Moment("date_updated", parse=_read_date),
        "direction": fields.DirectionWords("direction", known=_DIRECTIONS),
        "outcome": fields.OutcomeWords("status", known=_OUTCOMES),
        "duration": fields.Seconds("duration"),
        "advisor": fields.Computed("to"),
        "tracking_number": fields.Computed("to"),
        "customer": fields.Computed("from, to"),
    },
    build=build,
    read=read,
    fold=fold,
    folded={
        "contact_id": "parent_call_sid, sid",
        "wait_seconds": "start_time",
        "talk_seconds": "duration",
    },
    chain=LegChain(
        "sid",
        ("call",),
        {
            "sid": "contact_id",
            "call": "contact_id",
            "is_leg": "false",
            "duration": "talk_seconds",
        },
    ),
    shown=("sid", "start_time"),
)
