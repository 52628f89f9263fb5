"""FreeSWITCH call detail records: the template of mod_cdr_csv without a header, tables
with one, and the JSON of mod_json_cdr.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from qa_core.files.header_text import simplify
from qa_core.files.sample import Sample
from qa_core.ingest.columns.scalars import as_number, from_epoch, from_stamp, mask, seconds_between
from qa_core.ingest.declaration import LegChain, Platform
from qa_core.ingest.platforms.call_legs import find_roots, select_talks
from qa_core.ingest.platforms.reader import MOMENT, ExportReader, FoldSession
from qa_core.ingest.pseudonyms import find_outside

TEMPLATE = (
    "caller name",
    "caller",
    "called",
    "context",
    "start",
    "answer",
    "end",
    "duration",
    "talk",
    "cause",
    "uuid",
    "other uuid",
    "account",
    "read codec",
    "write codec",
)
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
    "parent": "originating leg uuid|originator uuid|originator|cc member session uuid",
    "direction": "direction",
    "queue": "cc queue",
    "agent": "cc agent",
    "queued": "cc queue joined epoch|cc queue joined stamp",
    "connected": "cc queue answered epoch|cc queue answered stamp",
    "queue cause": "cc cause",
    "queue reason": "cc cancel reason",
    "application": "last app",
    "did": "caller destination",
    "record": "record path|record name|recording file",
}
_PLACES = {name: field for field, spellings in _HEADERS.items() for name in spellings.split("|")}
_UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", re.IGNORECASE)
_STAMP = re.compile(r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}")
_OUTCOMES = {
    "USER_BUSY": "refused", "CALL_REJECTED": "refused", "NO_ANSWER": "unanswered",
    "NO_USER_RESPONSE": "unanswered", "ALLOTTED_TIMEOUT": "timeout",
    "ORIGINATOR_CANCEL": "abandoned", "NORMAL_CLEARING": "unanswered",
    "ATTENDED_TRANSFER": "answered", "BLIND_TRANSFER": "answered", "LOSE_RACE": "unanswered",
}  # fmt: skip
_LEFT_QUEUE = {"TIMEOUT": "timeout", "NO_AGENT_TIMEOUT": "overflow", "EXIT_WITH_KEY": "overflow"}
"""How a caller left a queue of mod_callcenter unanswered; otherwise by hanging up."""
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
        ("from_queue", pa.bool_()),
        ("direction", pa.string()),
        ("outcome", pa.string()),
        ("queue", pa.string()),
        ("advisor", pa.string()),
        ("wait", pa.float64()),
        ("talk", pa.float64()),
        ("duration", pa.float64()),
        ("did", pa.string()),
        ("recorded", pa.bool_()),
        ("customer_key", pa.string()),
    ]
)


def recognise(sample: Sample) -> bool:
    """The template's places hold stamps, a cause and a uuid; or a header, or the
    variables of an object, have FreeSWITCH's own names.
    """
    if sample.is_document:
        return sample.has_keys("variables", "callflow")
    if sample.has_headers("caller_id_number", "destination_number", "billsec") and (
        sample.has_headers("hangup_cause") or sample.has_headers("hangup_cause_id")
    ):
        return True
    rows = [row for row in sample.rows if any(row)]
    return bool(rows) and sum(_fits_template(row) for row in rows) * 2 > len(rows)


def _fits_template(row: list[str]) -> bool:
    return (
        len(row) >= 11
        and bool(_STAMP.match(row[4]) and _STAMP.match(row[6]) and _UUID.match(row[10].strip()))
        and row[9].isupper()
    )


def read(work: ExportReader) -> Iterator[pa.Table]:
    return work.tables(_from_documents(work) if work.is_document else _records(work))


def _from_documents(work: ExportReader) -> Iterator[dict[str, Any]]:
    for number, item in work.documents():
        cells: dict[str, str] = {}
        for values in (
            item["variables"],
            (item.get("callflow") or [{}])[0].get("caller_profile") or {},
        ):
            for name, value in values.items():
                field = _PLACES.get(simplify(name), "")
                cells[field] = cells.get(field) or unquote(str(value or ""))
        record = _as_record(number, cells, work)
        if record is not None:
            yield record


def _records(work: ExportReader) -> Iterator[dict[str, Any]]:
    layout: tuple[str, ...] = ()
    delimiter, number = ",", 0
    for text, share in work.content.blocks():
        for line in text.splitlines():
            number += 1
            if not line.strip():
                work.tally.skip("blank")
                continue
            if not layout:
                delimiter = max(",;\t|", key=line.count)
            row = [
                cell.strip()
                for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
            ]
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
        work.report_share(share)


def _read_moment(value: str | None) -> datetime | None:
    """A stamp, on the server's clock unless it names a zone, or an epoch."""
    if not value or value == "0":
        return None
    if value.isdigit():
        moment = from_epoch(
            value, 1_000_000 if len(value) >= 15 else 1000 if len(value) >= 12 else 1
        )
        return moment and moment.replace(tzinfo=UTC)
    return from_stamp(value)


def _as_record(number: int, cells: Mapping[str, str], work: ExportReader) -> dict[str, Any] | None:
    shown = mask(
        [cells.get("uuid"), cells.get("start"), cells.get("caller"), cells.get("called")],
        frozenset({2, 3}),
    )
    started, answered, ended = (
        _read_moment(cells.get(name)) for name in ("start", "answer", "end")
    )
    if started is None:
        work.reject(number, "impossible_date" if cells.get("start") else "missing_start", shown)
        return None
    duration, talk = as_number(cells.get("duration")), as_number(cells.get("talk"))
    if (cells.get("talk") or "").startswith("-") or (cells.get("duration") or "").startswith("-"):
        work.reject(number, "negative_duration", shown)
        return None
    cause = (cells.get("cause") or _NUMBERED.get(cells.get("cause number") or "", "")).upper()
    outcome = (
        "answered"
        if answered is not None or (talk or 0) > 0
        else _OUTCOMES.get(cause, "failed" if cause else "unanswered")
    )
    # Durations before moments: no change of the clock lies between them.
    wait = (
        duration - talk
        if duration is not None and talk and duration >= talk
        else seconds_between(started, answered)
    )
    if talk is None:
        talk = seconds_between(answered, ended)
    if duration is None:
        duration = seconds_between(started, ended)
    if wait is None:
        wait = as_number(cells.get("wait"))
    queued = bool(cells.get("queue")) and ("queue cause" in cells or "connected" in cells)
    if queued:
        outcome, wait, talk = _read_queue(cells, started, ended, duration)
    elif outcome == "answered" and (cells.get("application") or "").casefold() == "voicemail":
        outcome = "voicemail"
    caller, called = find_outside(cells.get("caller")), find_outside(cells.get("called"))
    said = {
        "inbound": "inbound",
        "outbound": "outbound",
        "local": "internal",
        "1": "inbound",
        "2": "outbound",
    }.get((cells.get("direction") or "").casefold())
    direction = said or (
        "outbound"
        if called and not caller
        else "inbound"
        if caller
        else "internal"
        if cells.get("caller") and cells.get("called")
        else None
    )
    desk = (
        cells.get("called")
        if direction == "inbound" or (cells.get("parent") and not called)
        else cells.get("caller")
    )
    is_answered = outcome == "answered"
    return {
        "line": number,
        "uuid": cells.get("uuid") or f"line {number}",
        "parent": cells["parent"]
        if cells.get("parent") not in (None, "", cells.get("uuid"))
        else None,
        "child": cells.get("other uuid") or None,
        "started_at": started,
        "from_queue": queued,
        "direction": direction,
        "outcome": outcome,
        "queue": cells.get("queue") or None,
        "advisor": (
            cells.get("agent") or (desk if desk and not queued and not find_outside(desk) else None)
        )
        if is_answered
        else None,
        "wait": wait if is_answered or queued else duration,
        "talk": talk if is_answered else None,
        "duration": duration,
        "did": (cells.get("did") or cells.get("called"))
        if direction == "inbound" and find_outside(cells.get("did") or cells.get("called"))
        else None,
        "recorded": bool(cells["record"]) if "record" in cells else None,
        "customer": caller if direction != "outbound" else called,
    }


def _read_queue(
    cells: Mapping[str, str], started: datetime, ended: datetime | None, duration: float | None
) -> tuple[str, float | None, float | None]:
    """Outcome, wait and talk of a caller in a queue of mod_callcenter, which picks up
    the line itself as soon as the caller comes in.
    """
    queued, connected = _read_moment(cells.get("queued")), _read_moment(cells.get("connected"))
    since = queued if queued is not None else started
    if connected is not None or (cells.get("queue cause") or "").casefold() == "answered":
        return "answered", seconds_between(since, connected), seconds_between(connected, ended)
    wait = seconds_between(since, ended)
    return (
        _LEFT_QUEUE.get((cells.get("queue reason") or "").upper(), "abandoned"),
        duration if wait is None else wait,
        None,
    )


def fold(bench: FoldSession) -> str:
    """One row per call: the legs that another one names as its own, or that name it, go
    into it, over as many steps as there are.

    What picks up a line first is often a menu or a queue. Where a call has legs, only
    they say who answered, after how long, and how long was spoken; what several of them
    spoke at the same time counts once.
    """
    bench.connection.execute(
        "CREATE OR REPLACE TEMP TABLE numbered AS SELECT *, row_number() OVER (PARTITION BY "
        "uuid ORDER BY line DESC) AS copy FROM records"
    )
    find_roots(
        bench.connection,
        """
        WITH calls AS (SELECT * FROM numbered WHERE copy = 1),
        children AS (SELECT child, min(uuid) AS uuid FROM calls WHERE child IS NOT NULL
            AND child <> uuid GROUP BY child)
        SELECT c.uuid AS id,
            coalesce(p.uuid, CASE WHEN k.uuid < c.uuid OR NOT EXISTS (SELECT 1 FROM children b
                WHERE b.child = k.uuid) THEN k.uuid END) AS before
        FROM calls c LEFT JOIN calls p ON p.uuid = c.parent AND p.uuid <> c.uuid LEFT
            JOIN children k ON k.child = c.uuid""",
    )
    # Legs that name another which is not there yet stand under its id, so that they are
    # the same contact when it comes.
    bench.connection.execute(
        "CREATE OR REPLACE TEMP TABLE roots AS SELECT id, coalesce(n.parent, root) AS root "
        "FROM roots r JOIN numbered n ON n.uuid = r.root AND n.copy = 1"
    )
    bench.connection.execute(
        """
        CREATE OR REPLACE TEMP TABLE legs AS
        SELECT *, bool_or(is_leg) OVER (PARTITION BY call) AND NOT bool_or(from_queue
            AND NOT is_leg) OVER (PARTITION BY call) AS has_legs,
            min(started_at) OVER (PARTITION BY call) AS first_start
        FROM (
            SELECT n.*, r.root AS call, n.uuid <> r.root AND r.root IN (SELECT uuid
                FROM numbered) AS is_leg
            FROM numbered n JOIN roots r ON r.id = n.uuid WHERE n.copy = 1
        )"""
    )
    return f"""
        WITH spoken AS (
            SELECT *, started_at + to_microseconds(CAST(1000000 * coalesce(wait,
                0) AS BIGINT)) AS since FROM legs
            WHERE outcome = 'answered' AND is_leg = has_legs
        ),
        talks AS ({select_talks("spoken", "call")})
        SELECT min(line) AS line, CASE WHEN starts_with(call, 'line ') THEN NULL
            ELSE call END AS contact_id,
            min(started_at) AS started_at, min(started_at) AS updated_at,
            arg_min(direction, (is_leg, line)) AS direction,
            CASE WHEN bool_or(outcome = 'answered' AND is_leg = has_legs) THEN 'answered'
                WHEN bool_or(outcome = 'answered' AND NOT is_leg) THEN
                    CASE WHEN arg_max(outcome, (started_at, line)) FILTER (is_leg) = 'abandoned'
                        THEN 'abandoned' ELSE 'unanswered' END
                ELSE arg_min(outcome, (is_leg, line)) END AS outcome,
            arg_min(queue, (is_leg, line)) AS queue,
            arg_max(advisor, (started_at, line)) FILTER (advisor IS NOT NULL AND (is_leg
                OR NOT has_legs OR outcome <> 'answered')) AS advisor,
            CASE WHEN bool_or(outcome = 'answered' AND is_leg = has_legs) THEN
                min(date_diff('microsecond', first_start, started_at) / 1e6 + wait) FILTER (outcome
                    = 'answered' AND is_leg = has_legs)
                WHEN bool_or(has_legs) THEN max(duration) FILTER (NOT is_leg)
                    ELSE max(wait) END AS wait_seconds,
            any_value(t.talk_seconds) AS talk_seconds,
            CASE WHEN bool_or(has_legs AND is_leg AND outcome = 'answered') THEN
                CAST(greatest(0, count(DISTINCT advisor) FILTER (is_leg
                    AND outcome = 'answered') - 1) AS INTEGER) END AS transfers,
            arg_min(did, (is_leg, line)) AS tracking_number, bool_or(recorded) AS recorded,
                arg_min(customer_key, (is_leg, line)) AS customer_key
        FROM legs LEFT JOIN talks t USING (call) GROUP BY call
        UNION ALL BY NAME
        SELECT n.line, CASE WHEN starts_with(root, 'line ') THEN NULL ELSE root END AS contact_id,
            started_at, NULL AS updated_at
        FROM numbered n JOIN roots r ON r.id = n.uuid WHERE copy > 1"""


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
        "transfers": "bleg_uuid, originating_leg_uuid",
        "tracking_number": "destination_number",
        "recorded": "record_path",
        "customer": "caller_id_number",
    },
    chain=LegChain(
        "uuid",
        ("parent",),
        {
            "uuid": "contact_id",
            "from_queue": "queue IS NOT NULL",
            "started_at": "started_at",
            "direction": "direction",
            "outcome": "outcome",
            "queue": "queue",
            "advisor": "advisor_id",
            "wait": "wait_seconds",
            "talk": "talk_seconds",
            "duration": "coalesce(wait_seconds, 0) + coalesce(talk_seconds, 0)",
            "did": "tracking_number",
            "recorded": "recorded",
            "customer_key": "customer_key",
        },
    ),
    is_local=True,
    shown=("uuid", "start", "caller", "called"),
)
