"""FreeSWITCH records: mod_cdr_csv's template without a header, tables, and mod_json_cdr."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from qa_core.files.header_text import simplify
from qa_core.files.json_documents import look_up
from qa_core.files.signatures import Headers, Keys, Layout, Rows
from qa_core.ingest.columns import scalars
from qa_core.ingest.platforms import fields
from qa_core.ingest.platforms.call_legs import find_roots
from qa_core.ingest.platforms.declaration import LegChain, Platform
from qa_core.ingest.platforms.fields import Cells
from qa_core.ingest.platforms.reader import LOCAL_DATE, ExportReader, FoldSession
from qa_core.ingest.staging.pseudonyms import find_outside_number
from qa_core.ingest.words.tables import index_tool_words, list_layouts
from qa_core.storage.facts.schema import Outcome

EXAMPLE, ASTERISK = list_layouts("freeswitch")
_FIELDS = index_tool_words("freeswitch", "headers")
_UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", re.IGNORECASE)
_STAMP = re.compile(rf"^(?:\d{{4}}-\d{{2}}-\d{{2}} \d{{2}}:\d{{2}}:\d{{2}}|{LOCAL_DATE})")
_OUTCOMES = index_tool_words("freeswitch", "outcomes")
_LEFT_QUEUE = {"TIMEOUT": "timeout", "NO_AGENT_TIMEOUT": "overflow", "EXIT_WITH_KEY": "overflow"}
"""Reasons to leave a queue of mod_callcenter unanswered; all others are hanging up."""
_DIRECTIONS = index_tool_words("freeswitch", "directions")
_NUMBERED = index_tool_words("freeswitch", "causes")
_CONTACT_ID = "CASE WHEN starts_with(call, 'line ') THEN NULL ELSE call END"


def _is_uuid(cell: str) -> bool:
    return bool(_UUID.match(cell.strip()))


_TESTS = {"start": _STAMP.match, "end": _STAMP.match, "uuid": _is_uuid, "cause": str.isupper}
TEMPLATES = Rows((Layout(EXAMPLE, _TESTS), Layout(ASTERISK, _TESTS)))


def read(export: ExportReader) -> Iterator[pa.Table]:
    """Read legs from the JSON of mod_json_cdr, a table, or lines of the template."""
    items = _read_objects(export) if export.sample.is_document else _read_rows(export)
    return export.tables(items)


def _read_objects(export: ExportReader) -> Iterator[tuple[int, Cells]]:
    for number, item in export.items():
        flow = next(iter(item.get("callflow") or ()), None)
        parts = (item.get("variables"), look_up(flow, "caller_profile"))
        values = (
            (_FIELDS.get(simplify(name), ""), unquote(str(value or "")))
            for part in parts
            if isinstance(part, Mapping)
            for name, value in part.items()
        )
        yield number, _cells_of(values)


def _read_rows(export: ExportReader) -> Iterator[tuple[int, Cells]]:
    layout: tuple[str, ...] = ()
    for number, row in export.rows():
        if not layout:
            named = tuple(_FIELDS.get(simplify(cell), "") for cell in row)
            if {"caller", "called", "talk"} <= set(named):
                layout = named
                continue
            layout = TEMPLATES.find_layout(row) or EXAMPLE
        yield number, _cells_of(zip(layout, row, strict=False))


def _cells_of(values: Iterable[tuple[str, str]]) -> Cells:
    """Collect cells by field; of several values for one field, the first filled one."""
    cells = Cells()
    for field, value in values:
        cells[field] = cells[field] or value
    return cells


def build(cells: Cells, record: Mapping[str, Any]) -> dict[str, Any]:
    times = _read_times(cells, record)
    outcome = _find_outcome(cells, times)
    is_queued = bool(cells["queue"]) and bool({"queue cause", "connected"} & set(cells))
    if is_queued:
        outcome, times = _read_queue(cells, times)
    caller, called = find_outside_number(cells["caller"]), find_outside_number(cells["called"])
    direction = _find_direction(cells, record["direction"], caller, called)
    is_inbound = direction == "inbound"
    dialled = cells["did"] or cells["called"]
    return {
        "uuid": record["uuid"] or f"line {record['line']}",
        "parent": record["parent"] if record["parent"] != cells["uuid"] else None,
        "from_queue": is_queued,
        "direction": direction,
        "outcome": outcome,
        "advisor": cells["agent"] or _find_desk(cells, is_inbound, called, is_queued),
        "wait_seconds": times.wait if outcome == "answered" or is_queued else times.duration,
        "talk_seconds": times.talk,
        "duration": times.duration,
        "tracking_number": dialled if is_inbound and find_outside_number(dialled) else None,
        "recorded": bool(cells["record"]) if "record" in cells else None,
        "customer": called if direction == "outbound" else caller,
    }


@dataclass(frozen=True)
class LegTimes:
    """Start and end of a leg, and its lengths in seconds."""

    started: datetime
    answered: datetime | None
    ended: datetime | None
    duration: float | None
    wait: float | None
    talk: float | None


def _read_times(cells: Cells, record: Mapping[str, Any]) -> LegTimes:
    """Read the times of a leg; raises RejectedRecord for a negative duration."""
    started, duration, talk = (record[name] for name in ("started_at", "duration", "talk_seconds"))
    answered, ended = _read_moment(cells["answer"]), _read_moment(cells["end"])
    if cells["talk"].startswith("-") or cells["duration"].startswith("-"):
        raise fields.RejectedRecord("negative_duration")
    # Durations before moments: no change of the clock lies between them.
    if duration is not None and talk and duration >= talk:
        wait = duration - talk
    else:
        wait = scalars.seconds_between(started, answered)
    return LegTimes(
        started,
        answered,
        ended,
        scalars.seconds_between(started, ended) if duration is None else duration,
        record["wait_seconds"] if wait is None else wait,
        scalars.seconds_between(answered, ended) if talk is None else talk,
    )


def _read_moment(value: str) -> datetime | None:
    """Read a stamp, on the server's clock unless it names a zone, or an epoch."""
    if not value.isdigit():
        return scalars.from_stamp(value)
    per_second = 1_000_000 if len(value) >= 15 else 1_000 if len(value) >= 12 else 1
    return scalars.from_epoch(value, per_second)


def _find_outcome(cells: Cells, times: LegTimes) -> str | None:
    if times.answered is not None or (scalars.read_seconds(cells["talk"]) or 0) > 0:
        return "voicemail" if cells["application"].casefold() == "voicemail" else "answered"
    cause = cells["cause"] or _NUMBERED.get(cells["cause number"], "")
    if not cause:
        return "failed" if cells["cause number"] else "unanswered"
    return scalars.find_meaning(cause, _OUTCOMES, Outcome)


def _read_queue(cells: Cells, times: LegTimes) -> tuple[str, LegTimes]:
    """Read outcome and times of a caller in mod_callcenter, which picks up the line at once."""
    connected = _read_moment(cells["connected"])
    since = _read_moment(cells["queued"]) or times.started
    if connected is not None or cells["queue cause"].casefold() == "answered":
        wait, talk = (
            scalars.seconds_between(since, connected),
            scalars.seconds_between(connected, times.ended),
        )
        return "answered", replace(times, wait=wait, talk=talk)
    wait = scalars.seconds_between(since, times.ended)
    outcome = _LEFT_QUEUE.get(cells["queue reason"].upper(), "abandoned")
    return outcome, replace(times, wait=times.duration if wait is None else wait)


def _find_direction(
    cells: Cells, stated: str | None, caller: str | None, called: str | None
) -> str | None:
    if stated is not None:
        return stated
    if caller:
        return "inbound"
    if called:
        return "outbound"
    return "internal" if cells["caller"] and cells["called"] else None


def _find_desk(cells: Cells, is_inbound: bool, called: str | None, is_queued: bool) -> str | None:
    """Find the extension that spoke; a queue's own leg has none."""
    is_called = is_inbound or (cells["parent"] and not called)
    desk = cells["called" if is_called else "caller"]
    return desk if desk and not is_queued and not find_outside_number(desk) else None


def fold(session: FoldSession) -> str:
    """Fold each call with its legs, over any number of steps. A menu or a queue often
    picks up first: where a call has legs, only they say who answered, when, and how
    long was spoken; talk at the same time counts once.
    """
    find_roots(
        session.connection,
        "uuid",
        """
        WITH children AS (SELECT child, min(uuid) AS uuid FROM newest WHERE child IS NOT NULL
            AND child <> uuid GROUP BY child)
        SELECT c.uuid AS id,
            coalesce(p.uuid, CASE WHEN k.uuid < c.uuid OR NOT EXISTS (SELECT 1 FROM children b
                WHERE b.child = k.uuid) THEN k.uuid END) AS before
        FROM newest c LEFT JOIN newest p ON p.uuid = c.parent AND p.uuid <> c.uuid LEFT
            JOIN children k ON k.child = c.uuid""",
        "coalesce(n.parent, root)",
        newest="line DESC",
    )
    session.connection.execute(
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
    columns = {
        "contact_id": _CONTACT_ID,
        "updated_at": "min(started_at)",
        "outcome": """CASE WHEN bool_or(outcome = 'answered' AND is_leg = has_legs) THEN 'answered'
            WHEN bool_or(outcome = 'answered' AND NOT is_leg) THEN
                CASE WHEN arg_max(outcome, (started_at, line)) FILTER (is_leg) = 'abandoned'
                    THEN 'abandoned' ELSE 'unanswered' END
            ELSE arg_min(outcome, (is_leg, line)) END""",
        "advisor": """arg_max(advisor, (started_at, line)) FILTER (advisor IS NOT NULL AND (is_leg
            OR NOT has_legs OR outcome <> 'answered'))""",
        "wait_seconds": """CASE WHEN bool_or(outcome = 'answered' AND is_leg = has_legs) THEN
            min(date_diff('microsecond', first_start, started_at) / 1e6 + wait_seconds)
                FILTER (outcome = 'answered' AND is_leg = has_legs)
            WHEN bool_or(has_legs) THEN max(duration) FILTER (NOT is_leg)
            ELSE max(wait_seconds) END""",
        "talk_seconds": "any_value(t.talk_seconds)",
        "transfers": """CASE WHEN bool_or(has_legs AND is_leg AND outcome = 'answered') THEN
            CAST(greatest(0, count(DISTINCT advisor) FILTER (is_leg AND outcome = 'answered') - 1)
                AS INTEGER) END""",
    }
    return session.fold_legs(
        columns,
        "legs",
        order="(is_leg, line)",
        since="started_at + to_microseconds(CAST(1000000 * coalesce(wait_seconds, 0) AS BIGINT))",
        spoken="outcome = 'answered' AND is_leg = has_legs",
        copies="(SELECT n.*, root AS call FROM numbered n JOIN roots r ON r.id = n.uuid) "
        "WHERE copy > 1",
    )


PLATFORM = Platform(
    name="freeswitch",
    title="FreeSWITCH CDR",
    signatures=(
        Keys(("variables", "callflow")),
        Headers(
            (
                *("caller_id_number", "destination_number", "billsec"),
                "hangup_cause|hangup_cause_id",
            )
        ),
        TEMPLATES,
    ),
    fields={
        "uuid": fields.Value("uuid"),
        "parent": fields.Value("parent"),
        "child": fields.Value("other uuid"),
        "started_at": fields.Moment(
            "start",
            parse=_read_moment,
            missing="missing_start",
            bad="impossible_date",
            shown="start_stamp",
        ),
        "from_queue": fields.Computed(type=pa.bool_()),
        "direction": fields.DirectionWords("direction", known=_DIRECTIONS),
        "outcome": fields.OutcomeWords(
            "cause", known=_OUTCOMES, title="hangup_cause", shown="billsec, hangup_cause"
        ),
        "queue": fields.Value("queue", shown="cc_queue"),
        "advisor": fields.Computed("cc_agent, destination_number"),
        "duration": fields.Seconds("duration"),
        "talk_seconds": fields.Seconds("talk", shown="billsec"),
        "wait_seconds": fields.Seconds("wait", shown="answer_stamp, duration"),
        "tracking_number": fields.Computed("destination_number"),
        "recorded": fields.Computed("record_path"),
        "customer": fields.Computed("caller_id_number"),
    },
    build=build,
    of_answered=("advisor", "talk_seconds"),
    read=read,
    fold=fold,
    folded={"contact_id": "uuid", "transfers": "bleg_uuid, originating_leg_uuid"},
    chain=LegChain(
        "uuid",
        ("parent",),
        {
            "uuid": "contact_id",
            "from_queue": "queue IS NOT NULL",
            "advisor": "advisor_id",
            "duration": "coalesce(wait_seconds, 0) + coalesce(talk_seconds, 0)",
        },
    ),
    is_local=True,
    shown=("uuid", "start", "caller", "called"),
    masked=("caller", "called"),
)
