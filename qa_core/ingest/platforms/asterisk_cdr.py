"""Asterisk's call detail records: cdr_csv and cdr_custom files without a header, told
apart by where the dates stand, and tables with one.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from qa_core.base.i18n import N_
from qa_core.files.header_text import simplify
from qa_core.files.sample import Sample
from qa_core.ingest.columns.scalars import as_number, from_stamp, mask, seconds_between
from qa_core.ingest.declaration import Platform
from qa_core.ingest.platforms.call_legs import select_talks
from qa_core.ingest.platforms.reader import MOMENT, ExportReader, FoldSession
from qa_core.ingest.pseudonyms import find_outside, is_withheld

CSV = (
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata",
    "start", "answer", "end", "duration", "billsec",
    "disposition", "amaflags",
    "uniqueid", "userfield",
)  # fmt: skip
CUSTOM = (
    "clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata", "start",
    "answer", "end", "duration", "billsec", "disposition",
    "amaflags", "accountcode",
    "uniqueid", "userfield", "sequence",
)  # fmt: skip
LEAST_CELLS = 15
_HEADERS = {
    "calldate": "start",
    "start": "start",
    "answer": "answer",
    "end": "end",
    "recordingfile": "recording",
    "cnum": "src_number",
    "linkedid": "linkedid",
    "did": "did",
}
_DATE = re.compile(r"^\d{4}-\d{2}-\d{2} \d{1,2}:\d{2}:\d{2}")
_UNIQUE = re.compile(r"^(?:[\w.-]+-)?\d{9,10}\.\d+$")
_CHANNEL = re.compile(r"^(?P<peer>[A-Za-z0-9]+/[^/;]+?)(?:-[0-9a-f]{6,}(?:;\d)?|;\d)?$")
_OUTCOMES = {
    "ANSWERED": "answered",
    "ANSWER": "answered",
    "NO ANSWER": "unanswered",
    "NOANSWER": "unanswered",
    "BUSY": "refused",
    "FAILED": "failed",
    "CONGESTION": "failed",
}
_FROM_OUTSIDE = re.compile(
    r"from-(?:trunk|pstn|did)|ext-did|incoming|inbound|entrant", re.IGNORECASE
)
_IDENTITIES = frozenset({0, 1})

SCHEMA = pa.schema(
    [
        ("line", pa.int64()),
        ("call", pa.string()),
        ("uniqueid", pa.string()),
        ("started_at", MOMENT),
        ("answered_at", MOMENT),
        ("ended_at", MOMENT),
        ("direction", pa.string()),
        ("outcome", pa.string()),
        ("advisor", pa.string()),
        ("queue", pa.string()),
        ("duration", pa.float64()),
        ("talk", pa.float64()),
        ("customer_key", pa.string()),
        ("did", pa.string()),
        ("recorded", pa.bool_()),
    ]
)


def recognise(sample: Sample) -> bool:
    """Without a header, most rows have dates where one of the two layouts has them;
    with one, it names the columns of a CDR.
    """
    if sample.has_headers("src", "dst", "billsec", "disposition"):
        return True
    rows = [row for row in sample.rows if any(row)]
    return bool(rows) and sum(_find_layout(row) is not None for row in rows) * 2 > len(rows)


def _find_layout(row: list[str]) -> tuple[str, ...] | None:
    if len(row) < LEAST_CELLS:
        return None
    for layout in (CSV, CUSTOM):
        start, end, disposition = (
            layout.index("start"),
            layout.index("end"),
            layout.index("disposition"),
        )
        if (
            _DATE.match(row[start])
            and (_DATE.match(row[end]) or not row[end])
            and len(row) > disposition
            and row[disposition].strip().upper() in _OUTCOMES
        ):
            return layout
    return None


def read(work: ExportReader) -> Iterator[pa.Table]:
    """Legs, as they were written."""
    work.decide(
        "direction",
        N_(
            "inbound when the caller is outside, outbound when only the other side is, "
            "internal when neither is"
        ),
    )
    work.decide(
        "outcome",
        N_(
            "as the disposition says; a call that its queue alone answered was abandoned, one "
            "that the voicemail answered is voicemail"
        ),
    )
    return work.tables(_records(work))


def _records(work: ExportReader) -> Iterator[dict[str, Any]]:
    header: tuple[str, ...] | None = None
    delimiter, number, started = ",", 0, False
    for text, share in work.content.blocks():
        for line in text.splitlines():
            number += 1
            if not line.strip():
                work.tally.skip("blank")
                continue
            if not started:
                started = True
                delimiter = max(",;\t|", key=line.count)
                names = [simplify(cell) for cell in next(csv.reader([line], delimiter=delimiter))]
                if {"src", "dst", "disposition"} <= set(names):
                    header = tuple(_HEADERS.get(name, name) for name in names)
                    work.notes["header_line"] = number
                    continue
            # Line by line, so that a quote which is never closed costs its own row
            # alone.
            row = [
                cell.strip()
                for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
            ]
            layout = header or _find_layout(row)
            if layout is None:
                work.reject(number, "not_a_record")
                continue
            cells = dict(zip(layout, row, strict=False))
            extra = row[len(layout) :]
            record = _as_record(number, cells, extra, work)
            if record is not None:
                yield record
        work.report_share(share)


def _as_record(
    number: int, cells: dict[str, str], extra: list[str], work: ExportReader
) -> dict[str, Any] | None:
    shown = mask(
        [
            cells.get("src"),
            cells.get("dst"),
            cells.get("start"),
            cells.get("disposition"),
            cells.get("uniqueid"),
        ],
        _IDENTITIES,
    )
    started, answered, ended = (from_stamp(cells.get(name)) for name in ("start", "answer", "end"))
    if started is None:
        work.reject(number, "missing_start" if not cells.get("start") else "impossible_date", shown)
        return None
    duration, talk = as_number(cells.get("duration")), as_number(cells.get("billsec"))
    if (cells.get("billsec") or "").startswith("-") or (cells.get("duration") or "").startswith(
        "-"
    ):
        work.reject(number, "negative_duration", shown)
        return None
    source, target = (
        cells.get("src_number") or cells.get("src") or "",
        cells.get("did") or cells.get("dst") or "",
    )
    direction, customer = _find_direction(source, target, cells)
    unique = cells.get("uniqueid") or None
    linked = cells.get("linkedid") or next((cell for cell in extra if _UNIQUE.match(cell)), None)
    if talk is None and answered is not None:
        talk = seconds_between(answered, ended)
    if duration is None:
        duration = seconds_between(started, ended)
    if answered is not None and seconds_between(started, answered) is None:
        answered = None  # the clock went back between them: the durations say when
    outcome = _find_outcome(cells)
    return {
        "line": number,
        "call": linked or unique or f"line {number}",
        "uniqueid": linked or unique,
        "started_at": started,
        "answered_at": answered,
        "ended_at": ended,
        "direction": direction,
        "outcome": outcome,
        "advisor": _find_peer(cells.get("channel" if direction == "outbound" else "dstchannel"))
        if outcome == "answered"
        else None,
        "queue": _find_queue(cells),
        "duration": duration,
        "talk": talk,
        "customer": customer,
        "did": cells.get("did")
        or (target if direction == "inbound" and find_outside(target) else None),
        "recorded": bool(cells["recording"]) if "recording" in cells else None,
    }


def _find_direction(
    source: str, target: str, cells: dict[str, str]
) -> tuple[str | None, str | None]:
    """Which way the call went, and the number of the party outside. Unknown where
    neither side shows who it is.
    """
    caller, called = find_outside(source), find_outside(target)
    if (
        caller
        or (is_withheld(source) and source)
        or cells.get("did")
        or _FROM_OUTSIDE.search(cells.get("dcontext", ""))
    ):
        return "inbound", caller
    if called:
        return "outbound", called
    return ("internal", None) if source and target else (None, None)


def _find_outcome(cells: dict[str, str]) -> str | None:
    outcome = _OUTCOMES.get(cells.get("disposition", "").upper())
    application = cells.get("lastapp", "").casefold()
    if outcome == "answered" and application in ("voicemail", "voicemailmain", "vm"):
        return "voicemail"
    # The queue itself answers the line: without a second channel nobody spoke with the
    # caller.
    if outcome == "answered" and application == "queue" and not cells.get("dstchannel"):
        return "abandoned"
    return outcome


def _find_peer(channel: str | None) -> str | None:
    found = _CHANNEL.match(channel or "")
    return found["peer"] if found and not found["peer"].startswith("Console") else None


def _find_queue(cells: dict[str, str]) -> str | None:
    if cells.get("lastapp", "").casefold() != "queue":
        return None
    return cells.get("lastdata", "").split(",")[0].split("|")[0] or None


def fold(bench: FoldSession) -> str:
    """One row per linked id. What several legs talked at the same time counts once; the
    wait lasts until the first of them was answered.
    """
    return f"""
        WITH spoken AS (SELECT *, coalesce(answered_at, started_at) AS since FROM records
            WHERE outcome = 'answered'),
        talks AS ({select_talks("spoken", "call")})
        SELECT min(r.line) AS line, arg_min(r.uniqueid, r.line) AS contact_id,
            min(started_at) AS started_at,
            arg_min(direction, (started_at, r.line)) AS direction, arg_max(queue, (started_at,
                r.line)) AS queue,
            arg_min(customer_key, (started_at, r.line)) AS customer_key, arg_max(advisor,
                (started_at, r.line)) FILTER (advisor IS NOT NULL) AS advisor,
            CASE WHEN bool_or(outcome = 'answered') THEN 'answered'
                WHEN bool_or(outcome = 'voicemail') THEN 'voicemail'
                WHEN bool_or(outcome = 'abandoned') THEN 'abandoned' ELSE arg_max(outcome,
                    (started_at, r.line)) END AS outcome,
            CASE WHEN bool_or(outcome = 'answered') THEN
                date_diff('microsecond', min(started_at),
                    min(coalesce(answered_at, started_at + to_microseconds(CAST(1000000 * (duration
                        - talk) AS BIGINT)))) FILTER (outcome = 'answered')) / 1e6
                ELSE max(duration) END AS wait_seconds,
            any_value(t.talk_seconds) AS talk_seconds,
            CASE WHEN bool_or(outcome = 'answered') THEN CAST(greatest(0,
                count(DISTINCT advisor) - 1) AS INTEGER) END AS transfers,
            arg_min(did, (started_at, r.line)) AS tracking_number, bool_or(recorded) AS recorded
        FROM records r LEFT JOIN talks t USING (call) GROUP BY call"""


PLATFORM = Platform(
    name="asterisk_cdr",
    title="Asterisk CDR",
    recognise=recognise,
    schema=SCHEMA,
    read=read,
    fold=fold,
    mapping={
        "contact_id": "linkedid, uniqueid",
        "started_at": "start",
        "direction": "src, dst, dcontext",
        "queue": "lastapp, lastdata",
        "customer": "src, dst",
        "advisor": "dstchannel, channel",
        "outcome": "disposition",
        "wait_seconds": "answer, duration",
        "talk_seconds": "billsec",
        "tracking_number": "did",
        "recorded": "recordingfile",
    },
    group="call",
    is_local=True,
    shown=("src", "dst", "start", "disposition", "uniqueid"),
)
