"""RingCentral call logs: records of a session that rang at several desks are one call."""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from qa_core.files.json_documents import look_up
from qa_core.files.signatures import Headers, Keys
from qa_core.ingest.columns import scalars
from qa_core.ingest.platforms import fields
from qa_core.ingest.platforms.declaration import Platform
from qa_core.ingest.platforms.fields import Item
from qa_core.ingest.platforms.reader import ExportReader, FoldSession
from qa_core.ingest.staging.declaration import DURATION_IS_TALK
from qa_core.ingest.words.tables import index_tool_words

_OUTCOMES = index_tool_words("ringcentral", "outcomes")

_TRANSFERS = ("transfer", "transferred", "call transfer")


def skip(item: Item) -> str | None:
    """Find what is no call: other media, and logins of desks."""
    if (medium := scalars.fold_case(item.get("type") or "Voice")) != "voice":
        return medium
    action = scalars.fold_case(item.get("action"))
    return "login" if action in ("phone login", "sip forwarding login") else None


def read(export: ExportReader) -> Iterator[pa.Table]:
    """Read the voice calls of a call log. Raises Refusal for a table of its records."""
    if not export.sample.is_document:
        raise export.refuse(
            "flattened_records",
            "{name} is a table of RingCentral records. Several of them are one call, and "
            "their legs are lost. Import the JSON itself, or the call log that RingCentral "
            "exports as CSV.",
        )
    return export.tables()


def build(item: Item, record: Mapping[str, Any]) -> dict[str, Any]:
    is_inbound = record["direction"] == "inbound"
    own_side, other_side = ("to", "from") if is_inbound else ("from", "to")
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
    computed = {
        "session": record["session"] or record["contact_id"],
        "queue": _find_queue(legs),
        "advisor": person.get("name") or person.get("extensionNumber"),
        "transfers": sum(scalars.fold_case(leg.get("action")) in _TRANSFERS for leg in legs),
        "tracking_number": ours.get("phoneNumber") if is_inbound else None,
        "customer": theirs.get("phoneNumber"),
    }
    if is_internal:
        computed["direction"] = "internal"
    if milliseconds is not None:
        computed["talk_seconds"] = milliseconds / 1000
    return computed


def _find_queue(legs: list[Item]) -> str | None:
    """Find the name of the extension that first accepted the call."""
    names = (
        look_up(leg, "to.name")
        for leg in legs
        if leg.get("legType") == "Accept" and look_up(leg, "to.extensionNumber")
    )
    return next(filter(None, names), None)


def fold(session: FoldSession) -> str:
    """Fold the records of each session, under the id of the first: answered if any was."""
    columns = {
        "outcome": "coalesce(max(outcome) FILTER (outcome = 'answered'), max(outcome) FILTER "
        "(outcome = 'voicemail'), arg_max(outcome, (started_at, line)))",
        "advisor": "arg_max(advisor, (started_at, line)) FILTER (outcome = 'answered' AND "
        "advisor IS NOT NULL)",
        "talk_seconds": "max(talk_seconds) FILTER (outcome = 'answered')",
        "transfers": "max(transfers)",
    }
    session.connection.execute(
        """
        CREATE OR REPLACE TEMP VIEW legs AS SELECT *, first_value(contact_id) OVER (PARTITION BY
            session ORDER BY started_at, line) AS call
        FROM (SELECT *, row_number() OVER (PARTITION BY contact_id
            ORDER BY updated_at DESC NULLS LAST, line DESC) AS copy FROM records)"""
    )
    return session.fold_legs(
        columns, "(FROM legs WHERE copy = 1)", by="session, call", copies="legs WHERE copy > 1"
    )


PLATFORM = Platform(
    name="ringcentral",
    title="RingCentral",
    signatures=(
        Headers(("id", "sessionId", "startTime", "result")),
        Keys(("id", "sessionId", "startTime", "direction"), some=("result", "from")),
    ),
    fields={
        "contact_id": fields.Value("id", missing="missing_key"),
        "session": fields.Value("telephonySessionId", "sessionId"),
        "started_at": fields.Moment("startTime", missing="missing_start"),
        "updated_at": fields.Moment("lastModifiedTime"),
        "direction": fields.DirectionWords("direction"),
        "outcome": fields.OutcomeWords("result", known=_OUTCOMES),
        "queue": fields.Computed("legs: to.name"),
        "advisor": fields.Computed("to.name, from.name"),
        "talk_seconds": fields.Seconds("duration"),
        "transfers": fields.Computed("legs: action"),
        "tracking_number": fields.Computed("to.phoneNumber"),
        "recorded": fields.Flag("recording"),
        "customer": fields.Computed("from.phoneNumber, to.phoneNumber"),
    },
    build=build,
    skip=skip,
    of_answered=("advisor", "transfers"),
    read=read,
    fold=fold,
    group="session",
    remarks=(("talk_seconds", DURATION_IS_TALK, "duration"),),
    shown=("id", "startTime"),
)
