"""Cisco CUCM records: a second header row of types, epochs, legs under a global call id."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from qa_core.files.header_text import simplify
from qa_core.files.signatures import Headers
from qa_core.ingest.columns import scalars
from qa_core.ingest.platforms import fields
from qa_core.ingest.platforms.call_legs import ANSWERED_OR_LAST, LAST
from qa_core.ingest.platforms.declaration import Platform
from qa_core.ingest.platforms.fields import Cells
from qa_core.ingest.platforms.reader import ExportReader, FoldSession
from qa_core.ingest.staging.pseudonyms import find_outside_number
from qa_core.ingest.words.tables import load_table

_TYPES = ("INTEGER", "VARCHAR", "UNIQUEIDENTIFIER", "TIMESTAMP", "BIGINT")
_BUSY, _NUMBER_CHANGED = ("17",), ("1", "3", "22", "28")
_COLUMNS = load_table("tools")["cisco_cucm"]["columns"]
_NAMES = {simplify(name).replace(" ", ""): name for name in _COLUMNS}
_RECORDERS = ("27", "28")
"""Recording and monitoring, as the columns `…OnBehalfOf` number them."""
_BUILT_IN_BRIDGE = re.compile(r"^b\d{5,}$", re.IGNORECASE)
"""The party that a telephone makes up for the leg to its recorder."""


def read(export: ExportReader) -> Iterator[pa.Table]:
    """Read call legs, whose columns are spelt in several ways."""
    legs = (
        (number, Cells((_NAMES.get(name.replace(" ", ""), name), row[name]) for name in row))
        for number, row in export.items()
    )
    return export.tables(legs)


def skip(cells: Cells) -> str | None:
    """Find what is no call: the second header row, of types, and legs to a recorder."""
    if all(not cell or cell.upper().startswith(_TYPES) for cell in cells.values()):
        return "types"
    return "recording_leg" if _is_recording(cells) else None


def build(cells: Cells, record: Mapping[str, Any]) -> dict[str, Any]:
    connected = record["connected_at"]
    ended = scalars.from_epoch(cells["dateTimeDisconnect"])
    dialled, final = cells["originalCalledPartyNumber"], cells["finalCalledPartyNumber"]
    caller = find_outside_number(cells["callingPartyNumber"])
    called = find_outside_number(final or dialled)
    direction = "internal" if cells["callingPartyNumber"] else None
    if caller or called:
        direction = "inbound" if caller else "outbound"
    is_inbound = direction == "inbound"
    desk = cells["callingPartyNumber"] if direction == "outbound" else final
    node = (cells["globalCallID_ClusterID"], cells["globalCallID_callManagerId"])
    computed = {
        "call": ".".join(filter(None, (*node, record["call"]))),
        "direction": direction,
        "outcome": "answered" if connected else _find_outcome(cells),
        "advisor": record["advisor"] or desk or None,
        "wait_seconds": scalars.seconds_between(record["started_at"], connected or ended),
        "tracking_number": dialled if is_inbound and find_outside_number(dialled) else None,
        "customer": caller if is_inbound else called,
    }
    if record["talk_seconds"] is None:
        computed["talk_seconds"] = scalars.seconds_between(connected, ended)
    return computed


def _is_recording(cells: Cells) -> bool:
    behalf = (name for name in _COLUMNS if name.endswith("OnBehalfOf"))
    parties = (cells["callingPartyNumber"], cells["finalCalledPartyNumber"])
    return any(cells[name] in _RECORDERS for name in behalf) or any(
        _BUILT_IN_BRIDGE.match(party) for party in parties
    )


def _find_outcome(cells: Cells) -> str:
    causes = {cells["origCause_value"], cells["destCause_value"]}
    if causes & set(_BUSY):
        return "refused"
    return "failed" if causes & set(_NUMBER_CHANGED) else "unanswered"


def fold(session: FoldSession) -> str:
    """Fold legs by call id: the wait until the first connection, the talk of all connected."""
    return session.fold_legs(
        {
            "outcome": ANSWERED_OR_LAST,
            "queue": LAST,
            "advisor": "arg_max(advisor, connected_at)",
            "wait_seconds": "CASE WHEN bool_or(connected_at IS NOT NULL) THEN "
            "date_diff('microsecond', min(started_at), min(connected_at)) / 1e6 "
            "ELSE max(wait_seconds) END",
            "talk_seconds": "sum(talk_seconds)",
            "transfers": "CASE WHEN bool_or(outcome = 'answered') THEN CAST(count(DISTINCT "
            "advisor) FILTER (outcome = 'answered') - 1 AS INTEGER) END",
        }
    )


PLATFORM = Platform(
    name="cisco_cucm",
    title="Cisco CUCM",
    signatures=(Headers(("globalCallID_callId", "dateTimeOrigination", "callingPartyNumber")),),
    fields={
        "call": fields.Value("globalCallID_callId", missing="missing_key"),
        "started_at": fields.Moment(
            "dateTimeOrigination", parse=scalars.from_epoch, missing="missing_start"
        ),
        "connected_at": fields.Moment("dateTimeConnect", parse=scalars.from_epoch),
        "direction": fields.Computed("callingPartyNumber, finalCalledPartyNumber"),
        "outcome": fields.Computed("dateTimeConnect, origCause_value, destCause_value"),
        "queue": fields.Value("huntPilotDN"),
        "advisor": fields.Value(
            "finalCalledPartyUnicodeLoginUserID", shown="finalCalledPartyNumber"
        ),
        "wait_seconds": fields.Computed("dateTimeConnect"),
        "talk_seconds": fields.Seconds("duration"),
        "tracking_number": fields.Computed("originalCalledPartyNumber"),
        "customer": fields.Computed("callingPartyNumber, finalCalledPartyNumber"),
    },
    build=build,
    skip=skip,
    of_answered=("advisor", "talk_seconds"),
    read=read,
    fold=fold,
    folded={"contact_id": "globalCallID_callManagerId, globalCallID_callId"},
    group="call",
    shown=("globalCallID_callId", "dateTimeOrigination", "callingPartyNumber"),
    masked=("callingPartyNumber",),
)
