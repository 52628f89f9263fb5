"""Cisco CUCM call detail records: a second header row of types, epochs, and several
legs under one global call id.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from qa_core.files.sample import Sample
from qa_core.ingest.columns.scalars import as_number, from_epoch, mask, seconds_between
from qa_core.ingest.declaration import Platform
from qa_core.ingest.platforms.reader import MOMENT, ExportReader, FoldSession
from qa_core.ingest.pseudonyms import find_outside

_TYPES = ("INTEGER", "VARCHAR", "UNIQUEIDENTIFIER", "TIMESTAMP", "BIGINT")
_BUSY, _NUMBER_CHANGED = ("17",), ("1", "3", "22", "28")

SCHEMA = pa.schema(
    [
        ("line", pa.int64()),
        ("call", pa.string()),
        ("started_at", MOMENT),
        ("connected_at", MOMENT),
        ("direction", pa.string()),
        ("outcome", pa.string()),
        ("queue", pa.string()),
        ("advisor", pa.string()),
        ("wait", pa.float64()),
        ("talk", pa.float64()),
        ("did", pa.string()),
        ("customer_key", pa.string()),
    ]
)


def recognise(sample: Sample) -> bool:
    """The header has CUCM's own names."""
    return sample.has_headers("globalCallID_callId", "dateTimeOrigination", "callingPartyNumber")


def read(work: ExportReader) -> Iterator[pa.Table]:
    return work.tables(_records(work))


def _records(work: ExportReader) -> Iterator[dict[str, Any]]:
    for number, row in work.table_rows():
        if all(not cell or cell.upper().startswith(_TYPES) for cell in row.values()):
            work.tally.skip("types")
            continue
        record = _as_record(
            number, {name.replace(" ", ""): cell for name, cell in row.items()}, work
        )
        if record is not None:
            yield record


def _as_record(number: int, cells: Mapping[str, str], work: ExportReader) -> dict[str, Any] | None:
    shown = mask(
        [
            cells.get("globalcallidcallid"),
            cells.get("datetimeorigination"),
            cells.get("callingpartynumber"),
        ],
        frozenset({2}),
    )
    started, connected = (
        from_epoch(cells.get("datetimeorigination")),
        from_epoch(cells.get("datetimeconnect")),
    )
    ended = from_epoch(cells.get("datetimedisconnect"))
    if not cells.get("globalcallidcallid"):
        work.reject(number, "missing_key", shown)
        return None
    if started is None:
        work.reject(number, "missing_start", shown)
        return None
    dialled, final = (
        cells.get("originalcalledpartynumber") or "",
        cells.get("finalcalledpartynumber") or "",
    )
    caller, called = find_outside(cells.get("callingpartynumber")), find_outside(final or dialled)
    direction = (
        "inbound"
        if caller and not called
        else "outbound"
        if called and not caller
        else "inbound"
        if caller
        else "internal"
        if cells.get("callingpartynumber")
        else None
    )
    desk = cells.get("callingpartynumber") if direction == "outbound" else final
    call = ".".join(
        filter(
            None,
            (
                cells.get("globalcallidclusterid"),
                cells.get("globalcallidcallmanagerid"),
                cells["globalcallidcallid"],
            ),
        )
    )
    talk = as_number(cells.get("duration"))
    return {
        "line": number,
        "call": call,
        "started_at": started,
        "connected_at": connected,
        "direction": direction,
        "outcome": "answered" if connected else _find_outcome(cells),
        "queue": cells.get("huntpilotdn") or None,
        "advisor": (cells.get("finalcalledpartyunicodeloginuserid") or desk or None)
        if connected
        else None,
        "wait": seconds_between(started, connected or ended),
        "talk": (talk if talk is not None else seconds_between(connected, ended))
        if connected
        else None,
        "did": dialled if direction == "inbound" and find_outside(dialled) else None,
        "customer": caller if direction == "inbound" else called,
    }


def _find_outcome(cells: Mapping[str, str]) -> str:
    causes = {cells.get("origcausevalue"), cells.get("destcausevalue")}
    if causes & set(_BUSY):
        return "refused"
    return "failed" if causes & set(_NUMBER_CHANGED) else "unanswered"


def fold(bench: FoldSession) -> str:
    """One row per global call id: from the first leg's start to its first connection,
    the talk of all legs that were connected.
    """
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
    schema=SCHEMA,
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
    shown=("globalCallID_callId", "dateTimeOrigination", "callingPartyNumber"),
)
