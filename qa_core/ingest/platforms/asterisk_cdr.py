"""Asterisk's call detail records: cdr_csv and cdr_custom files without a header, told
apart by where the dates stand, and tables with one.
"""

import re
from collections.abc import Iterator
from typing import Any

import pyarrow as pa

from qa_core.files.header_text import simplify
from qa_core.files.sample import Sample
from qa_core.ingest.columns import scalars
from qa_core.ingest.declaration import Platform, WordColumn
from qa_core.ingest.platforms import reader
from qa_core.ingest.platforms.call_legs import TALKS
from qa_core.ingest.pseudonyms import find_outside_number, is_withheld
from qa_core.storage.schema import Outcome

CSV = (
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata",
    "start", "answer", "end", "duration", "billsec", "disposition", "amaflags", "uniqueid",
    "userfield",
)  # fmt: skip
CUSTOM = (
    "clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata", "start",
    "answer", "end", "duration", "billsec", "disposition", "amaflags", "accountcode", "uniqueid",
    "userfield", "sequence",
)  # fmt: skip
LEAST_CELLS = 15
_HEADERS = {"calldate": "start", "recordingfile": "recording", "cnum": "src_number"}
_DATE = re.compile(rf"^(?:\d{{4}}-\d{{2}}-\d{{2}} \d{{1,2}}:\d{{2}}:\d{{2}}|{reader.LOCAL_DATE})")
_UNIQUE = re.compile(r"^(?:[\w.-]+-)?\d{9,10}\.\d+$")
_CHANNEL = re.compile(r"^(?P<peer>[A-Za-z0-9]+/[^/;]+?)(?:-[0-9a-f]{6,}(?:;\d)?|;\d)?$")
_OUTCOMES = {
    "answered": "answered",
    "answer": "answered",
    "no answer": "unanswered",
    "noanswer": "unanswered",
    "busy": "refused",
    "failed": "failed",
    "congestion": "failed",
}
_FROM_OUTSIDE = re.compile(
    r"from-(?:trunk|pstn|did)|ext-did|incoming|inbound|entrant", re.IGNORECASE
)


def recognise(sample: Sample) -> bool:
    """Tell whether a header names a CDR's columns, or most rows have dates as in one layout."""
    if sample.has_headers("src", "dst", "billsec", "disposition"):
        return True
    rows = [row for row in sample.rows if any(row)]
    return bool(rows) and sum(_find_layout(row) is not None for row in rows) * 2 > len(rows)


def _find_layout(row: list[str]) -> tuple[str, ...] | None:
    if len(row) < LEAST_CELLS:
        return None
    for layout in (CSV, CUSTOM):
        start = layout.index("start")
        end = layout.index("end")
        disposition = layout.index("disposition")
        if (
            _DATE.match(row[start])
            and (_DATE.match(row[end]) or not row[end])
            and len(row) > disposition
            and row[disposition].strip().casefold() in _OUTCOMES
        ):
            return layout
    return None


def read(export: reader.ExportReader) -> Iterator[pa.Table]:
    export.decide(
        "direction",
        "inbound if the caller is external, outbound if only the other side is, internal if "
        "neither is",
    )
    export.decide(
        "outcome",
        "from the disposition; answered only by the queue: abandoned; answered by voicemail: "
        "voicemail",
    )
    return export.tables(_build_record, _read_rows(export))


def _read_rows(export: reader.ExportReader) -> Iterator[tuple[int, reader.Cells]]:
    """Name the cells of each row, by its header or by where its dates stand."""
    header: tuple[str, ...] | None = None
    for position, (number, row) in enumerate(export.rows()):
        if not position:
            names = [simplify(cell) for cell in row]
            if {"src", "dst", "disposition"} <= set(names):
                header = tuple(_HEADERS.get(name, name) for name in names)
                continue
        layout = header or _find_layout(row)
        if layout is None:
            export.reject(number, "not_a_record")
        else:
            cells = reader.Cells(zip(layout, row, strict=False))
            further = row[len(layout) :]
            cells["further id"] = next((cell for cell in further if _UNIQUE.match(cell)), "")
            yield number, cells


def _build_record(number: int, cells: reader.Cells) -> dict[str, Any]:
    start = reader.require(cells["start"], "missing_start")
    started = reader.require(scalars.from_stamp(start), "impossible_date")
    answered, ended = scalars.from_stamp(cells["answer"]), scalars.from_stamp(cells["end"])
    if cells["billsec"].startswith("-") or cells["duration"].startswith("-"):
        raise reader.RejectedRecord("negative_duration")
    duration, talk = scalars.read_seconds(cells["duration"]), scalars.read_seconds(cells["billsec"])
    target = cells["did"] or cells["dst"]
    direction, customer = _find_direction(cells["src_number"] or cells["src"], target, cells)
    own = cells["linkedid"] or cells["further id"] or cells["uniqueid"] or None
    own_channel = cells["channel" if direction == "outbound" else "dstchannel"]
    # The clock went back between start and answer: the durations say when it was.
    is_after = answered is None or scalars.seconds_between(started, answered) is not None
    return scalars.keep_of_answered(
        {
            "line": number,
            "call": own or f"line {number}",
            "uniqueid": own,
            "started_at": started,
            "answered_at": answered if is_after else None,
            "ended_at": ended,
            "direction": direction,
            "outcome": _find_outcome(cells),
            "advisor": _find_peer(own_channel),
            "queue": _find_queue(cells),
            "duration": scalars.seconds_between(started, ended) if duration is None else duration,
            "talk": scalars.seconds_between(answered, ended) if talk is None else talk,
            "customer": customer,
            "did": cells["did"]
            or (target if direction == "inbound" and find_outside_number(target) else None),
            "recorded": bool(cells["recording"]) if "recording" in cells else None,
        },
        "advisor",
    )


def _find_direction(source: str, target: str, cells: reader.Cells) -> tuple[str | None, str | None]:
    """Find direction and number outside; None where neither side shows who it is."""
    caller, called = find_outside_number(source), find_outside_number(target)
    if (
        caller
        or (is_withheld(source) and source)
        or cells["did"]
        or _FROM_OUTSIDE.search(cells["dcontext"])
    ):
        return "inbound", caller
    if called:
        return "outbound", called
    return ("internal", None) if source and target else (None, None)


def _find_outcome(cells: reader.Cells) -> str | None:
    outcome = scalars.find_meaning(cells["disposition"], _OUTCOMES, Outcome)
    application = cells["lastapp"].casefold()
    if outcome == "answered" and application in ("voicemail", "voicemailmain", "vm"):
        return "voicemail"
    # The queue itself answers the line: without a second channel nobody spoke with the caller.
    if outcome == "answered" and application == "queue" and not cells["dstchannel"]:
        return "abandoned"
    return outcome


def _find_peer(channel: str) -> str | None:
    found = _CHANNEL.match(channel)
    return found["peer"] if found and not found["peer"].startswith("Console") else None


def _find_queue(cells: reader.Cells) -> str | None:
    if cells["lastapp"].casefold() != "queue":
        return None
    return cells["lastdata"].split(",")[0].split("|")[0] or None


def fold(session: reader.FoldSession) -> str:
    """Fold legs by linked id: talk at the same time once, the wait until the first answer."""
    return f"""
        WITH spoken AS (SELECT *, coalesce(answered_at, started_at) AS since FROM records
            WHERE outcome = 'answered'),
        talks AS ({TALKS})
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
    schema=reader.record_schema(
        "call uniqueid started_at answered_at ended_at direction outcome advisor queue duration "
        "talk customer_key did recorded"
    ),
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
    words=(WordColumn("disposition", "outcome", _OUTCOMES),),
    durations=("duration", "billsec"),
    shown=("src", "dst", "start", "disposition", "uniqueid"),
    masked=("src", "dst"),
)
