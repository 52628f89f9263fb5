"""Cisco CUCM records: a second header row of types, epochs, legs under a global call id."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from qa_core.files.header_text import simplify
from qa_core.files.sample import Sample
from qa_core.ingest.columns import scalars
from qa_core.ingest.declaration import Platform
from qa_core.ingest.platforms import reader
from qa_core.ingest.pseudonyms import find_outside_number

_TYPES = ("INTEGER", "VARCHAR", "UNIQUEIDENTIFIER", "TIMESTAMP", "BIGINT")
_BUSY, _NUMBER_CHANGED = ("17",), ("1", "3", "22", "28")
_COLUMNS = (
    "globalCallID_ClusterID", "globalCallID_callManagerId", "globalCallID_callId",
    "dateTimeOrigination", "dateTimeConnect", "dateTimeDisconnect", "callingPartyNumber",
    "originalCalledPartyNumber", "finalCalledPartyNumber", "finalCalledPartyUnicodeLoginUserID",
    "huntPilotDN", "duration", "origCause_value", "destCause_value", "joinOnBehalfOf",
    "origCalledPartyRedirectOnBehalfOf", "lastRedirectRedirectOnBehalfOf",
)  # fmt: skip
_NAMES = {simplify(name).replace(" ", ""): name for name in _COLUMNS}
_RECORDERS = ("27", "28")
"""Recording and monitoring, as the columns `…OnBehalfOf` number them."""
_BUILT_IN_BRIDGE = re.compile(r"^b\d{5,}$", re.IGNORECASE)
"""The party that a telephone makes up for the leg to its recorder."""


def recognise(sample: Sample) -> bool:
    """Tell whether the header has CUCM's own names."""
    return sample.has_headers("globalCallID_callId", "dateTimeOrigination", "callingPartyNumber")


def read(export: reader.ExportReader) -> Iterator[pa.Table]:
    """Read call legs; the second header row, of types, is skipped."""
    rows = ((number, _name_cells(row)) for number, row in export.items())
    return export.tables(_build_record, rows)


def _name_cells(row: Mapping[str, str]) -> reader.Cells:
    return reader.Cells(
        (_NAMES.get(name.replace(" ", ""), name), cell) for name, cell in row.items()
    )


def _build_record(number: int, cells: reader.Cells) -> dict[str, Any]:
    if all(not cell or cell.upper().startswith(_TYPES) for cell in cells.values()):
        raise reader.SkippedRecord("types")
    if _is_recording(cells):
        raise reader.SkippedRecord("recording_leg")
    call = reader.require(cells["globalCallID_callId"], "missing_key")
    started = reader.require(scalars.from_epoch(cells["dateTimeOrigination"]), "missing_start")
    connected = scalars.from_epoch(cells["dateTimeConnect"])
    ended = scalars.from_epoch(cells["dateTimeDisconnect"])
    dialled, final = cells["originalCalledPartyNumber"], cells["finalCalledPartyNumber"]
    caller = find_outside_number(cells["callingPartyNumber"])
    called = find_outside_number(final or dialled)
    direction = "internal" if cells["callingPartyNumber"] else None
    if caller or called:
        direction = "inbound" if caller else "outbound"
    desk = cells["callingPartyNumber"] if direction == "outbound" else final
    talk = scalars.read_seconds(cells["duration"])
    node = (cells["globalCallID_ClusterID"], cells["globalCallID_callManagerId"])
    return scalars.keep_of_answered(
        {
            "line": number,
            "call": ".".join(filter(None, (*node, call))),
            "started_at": started,
            "connected_at": connected,
            "direction": direction,
            "outcome": "answered" if connected else _find_outcome(cells),
            "queue": cells["huntPilotDN"] or None,
            "advisor": cells["finalCalledPartyUnicodeLoginUserID"] or desk or None,
            "wait": scalars.seconds_between(started, connected or ended),
            "talk": scalars.seconds_between(connected, ended) if talk is None else talk,
            "did": dialled if direction == "inbound" and find_outside_number(dialled) else None,
            "customer": caller if direction == "inbound" else called,
        },
        "advisor",
        "talk",
    )


def _is_recording(cells: reader.Cells) -> bool:
    behalf = (name for name in _COLUMNS if name.endswith("OnBehalfOf"))
    parties = (cells["callingPartyNumber"], cells["finalCalledPartyNumber"])
    return any(cells[name] in _RECORDERS for name in behalf) or any(
        _BUILT_IN_BRIDGE.match(party) for party in parties
    )


def _find_outcome(cells: reader.Cells) -> str:
    causes = {cells["origCause_value"], cells["destCause_value"]}
    if causes & set(_BUSY):
        return "refused"
    return "failed" if causes & set(_NUMBER_CHANGED) else "unanswered"


def fold(session: reader.FoldSession) -> str:
    """Fold legs by call id: the wait until the first connection, the talk of all connected."""
    return """
        SELECT min(line) AS line, call AS contact_id, min(started_at) AS started_at,
            arg_min(direction, (started_at, line)) AS direction,
            CASE WHEN bool_or(outcome = 'answered') THEN 'answered' ELSE arg_max(outcome,
                (started_at, line)) END AS outcome,
            arg_max(queue, (started_at, line)) AS queue, arg_max(advisor, connected_at) AS advisor,
            CASE WHEN bool_or(connected_at IS NOT NULL) THEN date_diff('microsecond',
                min(started_at), min(connected_at)) / 1e6 ELSE max(wait) END
                AS wait_seconds,
            sum(talk) AS talk_seconds,
            CASE WHEN bool_or(outcome = 'answered') THEN CAST(count(DISTINCT advisor) FILTER
                (outcome = 'answered') - 1 AS INTEGER) END AS transfers,
            arg_min(did, (started_at, line)) AS tracking_number, arg_min(customer_key, (started_at,
                line)) AS customer_key
        FROM records GROUP BY call"""


PLATFORM = Platform(
    name="cisco_cucm",
    title="Cisco CUCM",
    recognise=recognise,
    schema=reader.record_schema(
        "call started_at connected_at direction outcome queue advisor wait talk did customer_key"
    ),
    read=read,
    fold=fold,
    mapping={
        "contact_id": "globalCallID_callManagerId, globalCallID_callId",
        "started_at": "dateTimeOrigination",
        "direction": "callingPartyNumber, finalCalledPartyNumber",
        "outcome": "dateTimeConnect, origCause_value, destCause_value",
        "queue": "huntPilotDN",
        "advisor": "finalCalledPartyNumber",
        "wait_seconds": "dateTimeConnect",
        "talk_seconds": "duration",
        "tracking_number": "originalCalledPartyNumber",
        "customer": "callingPartyNumber, finalCalledPartyNumber",
    },
    group="call",
    durations=("duration",),
    shown=("globalCallID_callId", "dateTimeOrigination", "callingPartyNumber"),
    masked=("callingPartyNumber",),
)
