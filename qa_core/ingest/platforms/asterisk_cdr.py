"""Asterisk's call detail records: cdr_csv and cdr_custom files without a header,
recognised by the places of their dates, and tables with one.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from qa_core.base.i18n import N_
from qa_core.files.header_text import simplify
from qa_core.files.signatures import Headers, Layout, Rows
from qa_core.ingest.columns import scalars
from qa_core.ingest.platforms import fields
from qa_core.ingest.platforms.call_legs import LAST
from qa_core.ingest.platforms.declaration import Platform
from qa_core.ingest.platforms.fields import Cells
from qa_core.ingest.platforms.reader import LOCAL_DATE, ExportReader, FoldSession
from qa_core.ingest.staging.declaration import BY_EXTERNAL_PARTY
from qa_core.ingest.staging.pseudonyms import find_outside_number, is_withheld
from qa_core.ingest.words.tables import index_tool_words, list_layouts

MIN_CELLS = 15
_HEADERS = {"calldate": "start", "recordingfile": "recording", "cnum": "src_number"}
_DATE = re.compile(rf"^(?:\d{{4}}-\d{{2}}-\d{{2}} \d{{1,2}}:\d{{2}}:\d{{2}}|{LOCAL_DATE})")
_UNIQUE = re.compile(r"^(?:[\w.-]+-)?\d{9,10}\.\d+$")
_CHANNEL = re.compile(r"^(?P<peer>[A-Za-z0-9]+/[^/;]+?)(?:-[0-9a-f]{6,}(?:;\d)?|;\d)?$")
_OUTCOMES = index_tool_words("asterisk_cdr", "outcomes")
_ANNOUNCEMENTS = (
    "playback", "background", "waitexten", "hangup", "busy", "congestion", "goto", "chanspy",
)  # fmt: skip
"""Applications that answer the line without anybody on a second channel."""
_BY_DISPOSITION = N_("answered only by the queue: abandoned; answered by voicemail: voicemail")
_FROM_OUTSIDE = re.compile(
    r"from-(?:trunk|pstn|did)|ext-did|incoming|inbound|entrant", re.IGNORECASE
)


def _is_end(cell: str) -> bool:
    return not cell or bool(_DATE.match(cell))


def _is_disposition(cell: str) -> bool:
    return cell.strip().casefold() in _OUTCOMES


_TESTS = {"start": _DATE.match, "end": _is_end, "disposition": _is_disposition}
LAYOUTS = Rows(tuple(Layout(names, _TESTS, MIN_CELLS) for names in list_layouts("asterisk_cdr")))


def read(export: ExportReader) -> Iterator[pa.Table]:
    return export.tables(_read_rows(export))


def _read_rows(export: ExportReader) -> Iterator[tuple[int, Cells]]:
    """Name the cells of each row, by its header or by where its dates stand."""
    header: tuple[str, ...] | None = None
    for position, (number, row) in enumerate(export.rows()):
        if not position:
            names = [simplify(cell) for cell in row]
            if {"src", "dst", "disposition"} <= set(names):
                header = tuple(_HEADERS.get(name, name) for name in names)
                continue
        layout = header or LAYOUTS.find_layout(row)
        if layout is None:
            export.reject(number, "not_a_record")
        else:
            cells = Cells(zip(layout, row, strict=False))
            further = row[len(layout) :]
            cells["further id"] = next((cell for cell in further if _UNIQUE.match(cell)), "")
            yield number, cells


def build(cells: Cells, record: Mapping[str, Any]) -> dict[str, Any]:
    if cells["billsec"].startswith("-") or cells["duration"].startswith("-"):
        raise fields.RejectedRecord("negative_duration")
    started, answered, ended = (record[name] for name in ("started_at", "answered_at", "ended_at"))
    target = cells["did"] or cells["dst"]
    direction, customer = _find_direction(cells["src_number"] or cells["src"], target, cells)
    unique_id = cells["linkedid"] or cells["further id"] or cells["uniqueid"] or None
    computed = {
        "call": unique_id or f"line {record['line']}",
        "uniqueid": unique_id,
        "direction": direction,
        "outcome": _find_outcome(cells, record["outcome"]),
        "advisor": _find_peer(cells["channel" if direction == "outbound" else "dstchannel"]),
        "queue": _find_queue(cells),
        "customer": customer,
        "tracking_number": cells["did"]
        or (target if direction == "inbound" and find_outside_number(target) else None),
        "recorded": bool(cells["recording"]) if "recording" in cells else None,
    }
    if answered is not None and scalars.seconds_between(started, answered) is None:
        # The clock went back between start and answer: the durations say when it was.
        computed["answered_at"] = None
    if record["duration"] is None:
        computed["duration"] = scalars.seconds_between(started, ended)
    if record["talk_seconds"] is None:
        computed["talk_seconds"] = scalars.seconds_between(answered, ended)
    return computed


def _find_direction(source: str, target: str, cells: Cells) -> tuple[str | None, str | None]:
    """Find direction and number outside; None where neither side shows who it is."""
    caller, called = find_outside_number(source), find_outside_number(target)
    # A Grandstream exchange writes the direction there.
    if called and scalars.read_direction(cells["userfield"]) == "outbound":
        return "outbound", called
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


def _find_outcome(cells: Cells, outcome: str | None) -> str | None:
    application = cells["lastapp"].casefold()
    if outcome == "answered" and application in ("voicemail", "voicemailmain", "vm"):
        return "voicemail"
    # The queue itself answers the line: without a second channel nobody spoke with the caller.
    if outcome == "answered" and application == "queue" and not cells["dstchannel"]:
        return "abandoned"
    is_alone = "dstchannel" in cells and not cells["dstchannel"]
    if outcome == "answered" and application in _ANNOUNCEMENTS and is_alone:
        return "unanswered"
    return outcome


def _find_peer(channel: str) -> str | None:
    match = _CHANNEL.match(channel)
    return match["peer"] if match and not match["peer"].startswith("Console") else None


def _find_queue(cells: Cells) -> str | None:
    if cells["lastapp"].casefold() != "queue":
        return None
    return cells["lastdata"].split(",")[0].split("|")[0] or None


def fold(session: FoldSession) -> str:
    """Fold legs by linked id: talk at the same time once, the wait until the first answer."""
    columns = {
        "contact_id": "arg_min(uniqueid, line)",
        "queue": LAST,
        "advisor": "arg_max(advisor, (started_at, line)) FILTER (advisor IS NOT NULL)",
        "outcome": """CASE WHEN bool_or(outcome = 'answered') THEN 'answered'
            WHEN bool_or(outcome = 'voicemail') THEN 'voicemail'
            WHEN bool_or(outcome = 'abandoned') THEN 'abandoned'
            ELSE arg_max(outcome, (started_at, line)) END""",
        "wait_seconds": """CASE WHEN bool_or(outcome = 'answered') THEN
            date_diff('microsecond', min(started_at), min(coalesce(answered_at, started_at
                + to_microseconds(CAST(1000000 * (duration - legs.talk_seconds) AS BIGINT))))
                FILTER (outcome = 'answered')) / 1e6
            ELSE max(duration) END""",
        "talk_seconds": "any_value(t.talk_seconds)",
        "transfers": "CASE WHEN bool_or(outcome = 'answered') THEN CAST(greatest(0, "
        "count(DISTINCT advisor) - 1) AS INTEGER) END",
    }
    return session.fold_legs(columns, "records legs", since="coalesce(answered_at, started_at)")


PLATFORM = Platform(
    name="asterisk_cdr",
    title="Asterisk CDR",
    signatures=(Headers(("src", "dst", "billsec", "disposition")), LAYOUTS),
    fields={
        "call": fields.Computed(),
        "uniqueid": fields.Computed(),
        "started_at": fields.Moment("start", missing="missing_start", bad="impossible_date"),
        "answered_at": fields.Moment("answer"),
        "ended_at": fields.Moment("end"),
        "direction": fields.Computed("src, dst, dcontext"),
        "queue": fields.Computed("lastapp, lastdata"),
        "customer": fields.Computed("src, dst"),
        "advisor": fields.Computed("dstchannel, channel"),
        "outcome": fields.OutcomeWords("disposition", known=_OUTCOMES),
        "duration": fields.Seconds("duration"),
        "talk_seconds": fields.Seconds("billsec"),
        "tracking_number": fields.Computed("did"),
        "recorded": fields.Computed("recordingfile"),
    },
    build=build,
    of_answered=("advisor",),
    read=read,
    fold=fold,
    folded={"contact_id": "linkedid, uniqueid", "wait_seconds": "answer, duration"},
    group="call",
    is_local=True,
    remarks=(
        ("direction", BY_EXTERNAL_PARTY, "src, dst"),
        ("outcome", _BY_DISPOSITION, "disposition, lastapp"),
    ),
    shown=("src", "dst", "start", "disposition", "uniqueid"),
    masked=("src", "dst"),
)
