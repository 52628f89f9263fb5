"""FreeSWITCH call detail records: the template of mod_cdr_csv without a header, and tables with one, dates as stamps or epochs."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa

from qa_core.ingest.folding import MOMENT, Bench, Work, as_number, from_epoch, from_iso, mask, seconds_between
from qa_core.ingest.identity import find_outside
from qa_core.ingest.platforms import Platform
from qa_core.ingest.sample import Sample
from qa_core.ingest.words import simplify

TEMPLATE = (
    "caller name", "caller", "called", "context", "start", "answer", "end", "duration", "talk", "cause", "uuid", "other uuid", "account", "read codec",
    "write codec",
)  # fmt: skip
_HEADERS = {
    "caller": "caller id number|caller number|src",
    "called": "destination number|dst|callee",
    "context": "context",
    "start": "start stamp|starting date|start epoch|start uepoch|start time|created time|start",
    "answer": "answer stamp|answer epoch|answer uepoch|answered time",
    "end": "end stamp|end epoch|end uepoch|hangup time",
    "duration": "duration",
    "talk": "billsec",
    "wait": "waitsec|answersec",
    "cause": "hangup cause",
    "cause number": "hangup cause id|hangup cause q850",
    "uuid": "uuid|callid|xml cdr uuid|call uuid",
    "other uuid": "bleg uuid|bridge uuid|bridged uuid",
    "parent": "originating leg uuid|originator uuid|originator",
    "direction": "direction",
    "queue": "cc queue",
    "agent": "cc agent",
    "did": "caller destination",
    "record": "record path|record name|recording file",
}
_PLACES = {name: field for field, spellings in _HEADERS.items() for name in spellings.split("|")}
_UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", re.IGNORECASE)
_STAMP = re.compile(r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}")
_OUTCOMES = {
    "USER_BUSY": "refused", "CALL_REJECTED": "refused", "NO_ANSWER": "unanswered", "NO_USER_RESPONSE": "unanswered", "ALLOTTED_TIMEOUT": "timeout",
    "ORIGINATOR_CANCEL": "abandoned", "NORMAL_CLEARING": "unanswered", "ATTENDED_TRANSFER": "answered", "BLIND_TRANSFER": "answered", "LOSE_RACE": "unanswered",
}  # fmt: skip
_NUMBERED = {
    "16": "NORMAL_CLEARING",
    "17": "USER_BUSY",
    "18": "NO_USER_RESPONSE",
    "19": "NO_ANSWER",
    "21": "CALL_REJECTED",
    "487": "ORIGINATOR_CANCEL",
    "602": "ALLOTTED_TIMEOUT",
}

SCHEMA = pa.schema(
    [
        ("line", pa.int64()),
        ("uuid", pa.string()),
        ("parent", pa.string()),
        ("child", pa.string()),
        ("started_at", MOMENT),
        ("direction", pa.string()),
        ("outcome", pa.string()),
        ("queue", pa.string()),
        ("advisor", pa.string()),
        ("wait", pa.float64()),
        ("talk", pa.float64()),
        ("did", pa.string()),
        ("recorded", pa.bool_()),
        ("customer_key", pa.string()),
    ]
)


def recognise(sample: Sample) -> bool:
    """The template's places hold stamps, a cause and a uuid; or a header has FreeSWITCH's own names."""
    if sample.has_headers("caller_id_number", "destination_number", "billsec") and (
        sample.has_headers("hangup_cause") or sample.has_headers("hangup_cause_id")
    ):
        return True
    rows = [row for row in sample.rows if any(row)]
    return bool(rows) and sum(_fits_template(row) for row in rows) * 2 > len(rows)


def _fits_template(row: list[str]) -> bool:
    return len(row) >= 11 and bool(_STAMP.match(row[4]) and _STAMP.match(row[6]) and _UUID.match(row[10].strip())) and row[9].isupper()


def read(work: Work) -> Iterator[pa.Table]:
    return work.tables(_records(work))


def _records(work: Work) -> Iterator[dict[str, Any]]:
    layout: tuple[str, ...] = ()
    delimiter, number = ",", 0
    for text, share in work.content.blocks():
        for line in text.splitlines():
            number += 1
            if not line.strip():
                work.skip("blank")
                continue
            if not layout:
                delimiter = max(",;\t|", key=line.count)
            row = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]
            if not layout:
                named = tuple(_PLACES.get(simplify(cell), "") for cell in row)
                layout = named if len(set(named) & {"caller", "called", "talk"}) == 3 else TEMPLATE
                if layout is named:
                    continue
            cells: dict[str, str] = {}
            for name, cell in zip(layout, row, strict=False):
                cells[name] = cells.get(name) or cell
            record = _as_record(number, cells, work)
            if record is not None:
                yield record
        work.progress(number, 0.6 * share)


def _read_moment(work: Work, value: str | None) -> datetime | None:
    """A stamp on the server's clock, or an epoch; both on that clock, as the platform's moments are."""
    if not value or value == "0":
        return None
    if value.isdigit():
        moment = from_epoch(value, 1_000_000 if len(value) >= 15 else 1000 if len(value) >= 12 else 1)
        return None if moment is None else work.to_file_clock(moment)
    return from_iso(value)


def _as_record(number: int, cells: Mapping[str, str], work: Work) -> dict[str, Any] | None:
    shown = mask([cells.get("uuid"), cells.get("start"), cells.get("caller"), cells.get("called")], frozenset({2, 3}))
    started, answered, ended = (_read_moment(work, cells.get(name)) for name in ("start", "answer", "end"))
    if started is None:
        work.reject(number, "impossible_date" if cells.get("start") else "missing_start", shown)
        return None
    duration, talk = as_number(cells.get("duration")), as_number(cells.get("talk"))
    if (cells.get("talk") or "").startswith("-") or (cells.get("duration") or "").startswith("-"):
        work.reject(number, "negative_duration", shown)
        return None
    cause = (cells.get("cause") or _NUMBERED.get(cells.get("cause number") or "", "")).upper()
    outcome = "answered" if answered is not None or (talk or 0) > 0 else _OUTCOMES.get(cause, "failed" if cause else "unanswered")
    caller, called = find_outside(cells.get("caller")), find_outside(cells.get("called"))
    said = {"inbound": "inbound", "outbound": "outbound", "local": "internal", "1": "inbound", "2": "outbound"}.get((cells.get("direction") or "").casefold())
    direction = said or ("outbound" if called and not caller else "inbound" if caller else "internal" if cells.get("caller") and cells.get("called") else None)
    wait = seconds_between(started, answered)
    if wait is None:
        wait = duration - talk if duration is not None and talk is not None and duration >= talk else as_number(cells.get("wait"))
    desk = cells.get("called") if direction == "inbound" else cells.get("caller")
    return {
        "line": number,
        "uuid": cells.get("uuid") or f"line {number}",
        "parent": cells.get("parent") or None,
        "child": cells.get("other uuid") or None,
        "started_at": started,
        "direction": direction,
        "outcome": outcome,
        "queue": cells.get("queue") or None,
        "advisor": (cells.get("agent") or (desk if desk and not find_outside(desk) else None)) if outcome == "answered" else None,
        "wait": wait if wait is not None else duration if outcome != "answered" else None,
        "talk": (talk if talk is not None else seconds_between(answered, ended)) if outcome == "answered" else None,
        "did": (cells.get("did") or cells.get("called")) if direction == "inbound" and find_outside(cells.get("did") or cells.get("called")) else None,
        "recorded": bool(cells["record"]) if "record" in cells else None,
        "customer": caller if direction != "outbound" else called,
    }


def fold(bench: Bench) -> str:
    """One row per call: a leg that another one names as its own goes into it."""
    bench.connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE legs AS
        WITH calls AS (SELECT uuid, any_value(parent) AS parent FROM records GROUP BY uuid),
        children AS (SELECT child, min(uuid) AS uuid FROM records WHERE child IS NOT NULL AND child <> uuid GROUP BY child),
        above AS (
            SELECT c.uuid, coalesce(p.uuid, CASE WHEN k.uuid < c.uuid OR NOT EXISTS (SELECT 1 FROM children b WHERE b.child = k.uuid) THEN k.uuid END) AS above
            FROM calls c LEFT JOIN calls p ON p.uuid = c.parent AND p.uuid <> c.uuid LEFT JOIN children k ON k.child = c.uuid
        )
        SELECT r.*, coalesce(a.above, r.uuid) AS call FROM records r JOIN above a USING (uuid)"""
    )
    return """
        SELECT min(line) AS line, CASE WHEN starts_with(call, 'line ') THEN NULL ELSE call END AS contact_id, min(started_at) AS started_at,
            arg_min(direction, (uuid <> call, line)) AS direction,
            CASE WHEN bool_or(outcome = 'answered') THEN 'answered' ELSE arg_min(outcome, (uuid <> call, line)) END AS outcome,
            arg_min(queue, (uuid <> call, line)) AS queue, arg_max(advisor, (started_at, line)) FILTER (advisor IS NOT NULL) AS advisor,
            CASE WHEN bool_or(outcome = 'answered') THEN
                min(date_diff('microsecond', first_start, started_at) / 1e6 + wait) FILTER (outcome = 'answered') ELSE max(wait) END AS wait_seconds,
            max(talk) AS talk_seconds, arg_min(did, (uuid <> call, line)) AS tracking_number, bool_or(recorded) AS recorded,
            arg_min(customer_key, (uuid <> call, line)) AS customer_key
        FROM (SELECT *, min(started_at) OVER (PARTITION BY call) AS first_start FROM legs) GROUP BY call"""


PLATFORM = Platform(
    name="freeswitch",
    title="FreeSWITCH CDR",
    recognise=recognise,
    schema=SCHEMA,
    read=read,
    fold=fold,
    mapping={
        "contact_id": "uuid",
        "started_at": "start_stamp",
        "direction": "direction",
        "outcome": "billsec, hangup_cause",
        "queue": "cc_queue",
        "advisor": "cc_agent, destination_number",
        "wait_seconds": "answer_stamp, duration",
        "talk_seconds": "billsec",
        "tracking_number": "destination_number",
        "recorded": "record_path",
        "customer": "caller_id_number",
    },
    is_local=True,
    shown=("uuid", "start", "caller", "called"),
)
