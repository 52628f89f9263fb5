"""Asterisk's queue_log, a line per event, as text or as its table in a database."""

import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from qa_core.base.i18n import N_
from qa_core.files.header_text import simplify
from qa_core.files.signatures import TITLE_ROWS, Headers, Lines, Sample
from qa_core.files.text_blocks import parse_columns
from qa_core.ingest.columns import date_order, timestamps
from qa_core.ingest.columns.vocabulary import clean_cells
from qa_core.ingest.platforms.declaration import Platform
from qa_core.ingest.platforms.fields import MOMENT, Computed, Moment, Seconds, Value, build_schema
from qa_core.ingest.platforms.reader import ExportReader, FoldSession
from qa_core.ingest.staging.arrays import is_among, to_numpy
from qa_core.ingest.words.tables import index_tool_words, load_table

ENTRY, CONNECT = "ENTERQUEUE", "CONNECT"
COMPLETED = ("COMPLETEAGENT", "COMPLETECALLER")
TRANSFERS = ("BLINDTRANSFER", "ATTENDEDTRANSFER", "TRANSFER")
EXITS = index_tool_words("asterisk_queue_log", "outcomes")
"""Events that end the wait without an answer, and what a contact that ends so is."""
_WORDS = load_table("tools")["asterisk_queue_log"]
AGENT_EVENTS = _WORDS["events"]["of_agents"]
CALL_EVENTS = (
    ENTRY, CONNECT, *COMPLETED, *TRANSFERS, *EXITS, "RINGNOANSWER", "RINGCANCELED", "DID",
)  # fmt: skip
NO_CALL_IDS = ("", "NONE", "REALTIME", "MANAGER")
FIELDS = 12
_WAIT_AT, _TALK_AT = _WORDS["wait_at"], _WORDS["talk_at"]
"""Pieces of data with wait and talk, counted from the end where a method takes one or two."""

_COLUMNS = _WORDS["headers"]

_NEEDED = (
    *(_COLUMNS[field] for field in ("at", "call", "event")),
    [*_COLUMNS["queue"], *_COLUMNS["agent"]],
)
"""Spellings of the headers that a database export has."""
RECORD = {
    "moment": Moment(),
    "callid": Value(),
    "queue": Computed("queue"),
    "agent": Value(),
    "event": Value(),
    "wait": Seconds(),
    "talk": Seconds(),
    "customer": Computed("ENTERQUEUE: callerid"),
    "did": Value(),
}
"""Columns of the record of an event."""
SCHEMA = build_schema(RECORD)
_EVENT_LINE = re.compile(
    r"^\s*\ufeff*\d{9,10}(?:\.\d*)?\s*(?:\|[^|]*){3}\|[^|a-z]*[A-Z][^|a-z]*(?:\||$)"
)
"""`epoch|call|queue|agent|EVENT…`"""


def _count_titles(sample: Sample) -> int | None:
    """Count the rows above the header of a database export; None where it has none."""
    rows = sample.rows[:TITLE_ROWS]
    return next((index for index, row in enumerate(rows) if _find_columns(row)), None)


def _find_columns(header: list[str]) -> dict[str, int]:
    """Find where a database export keeps what; empty when the row is not its header."""
    names = [simplify(name) for name in header]
    columns = {}
    for field, spellings in _COLUMNS.items():
        index = next((names.index(spelling) for spelling in spellings if spelling in names), None)
        if index is not None and index not in columns.values():
            columns[field] = index
    is_header = {"at", "call", "event"} <= set(columns) and bool({"queue", "agent"} & set(columns))
    return columns if is_header else {}


Block = tuple[np.ndarray, dict[str, pa.Array], list[pa.Array], np.ndarray]
"""Lines, their fields and pieces of data, and a mask of the good ones."""


def read(export: ExportReader) -> Iterator[pa.Table]:
    """Read the events of calls, block by block; agents' events are counted by name."""
    titles = None if export.sample.is_document else _count_titles(export.sample)
    blocks = _read_lines(export) if titles is None else _read_table(export, titles)
    last = np.datetime64(0, "us")
    for lines, fields, pieces, good in blocks:
        keep = pa.array(good)
        fields = {name: values.filter(keep) for name, values in fields.items()}
        pieces = [piece.filter(keep) for piece in pieces]
        table = _build_events(export, lines[good], fields, pieces)
        if len(table):
            at = table.column("moment").to_numpy()
            export.notes["in_order"] = bool(
                export.notes.get("in_order", True)
                and at[0] >= last
                and (np.diff(at) >= np.timedelta64(0, "us")).all()
            )
            last = at[-1]
        yield table


def _read_lines(export: ExportReader) -> Iterator[Block]:
    number = 0
    for count, filled, cells, share in _split_ahead(export):
        numbers = np.arange(number + 1, number + 1 + count)[filled]
        number += count
        export.report_share(share)
        export.tally.skip("blank", count - len(numbers))
        if not len(numbers):
            continue
        columns = [_take_cell(cells, index) for index in range(FIELDS)]
        fields = dict(zip(("at", "call", "queue", "agent", "event"), columns, strict=False))
        good = _check_lines(
            export, numbers, fields, is_last=share >= 1 and not export.content.ends_with_newline
        )
        yield numbers, fields, columns[5:], good


def _take_cell(cells: pa.ListArray, index: int) -> pa.Array:
    """Take the cell at that place of each line; null where it is shorter."""
    offsets = cells.offsets.to_numpy()
    is_short = np.diff(offsets) <= index
    return cells.values.take(pa.array(offsets[:-1] + index, pa.int64(), mask=is_short))


def _split_ahead(export: ExportReader) -> Iterator[tuple[int, np.ndarray, pa.ListArray, float]]:
    """Yield per block of text its number of lines, which of them are filled, the cells
    of those, and the share of the file read so far. The next block is split meanwhile.
    """
    with ThreadPoolExecutor(1) as splitter:
        waiting: deque[tuple[Future[tuple[int, np.ndarray, pa.ListArray]], float]] = deque()
        for text, share in export.content.read_line_blocks():
            waiting.append((splitter.submit(_split, text), share))
            if len(waiting) > 1:
                done, before = waiting.popleft()
                yield *done.result(), before
        for done, before in waiting:
            yield *done.result(), before


def _split(text: str) -> tuple[int, np.ndarray, pa.ListArray]:
    lines = pc.list_flatten(
        pc.split_pattern(pa.array([text.removesuffix("\n")], pa.large_string()), "\n")
    ).cast(pa.string())
    lines = pc.utf8_trim(lines, characters=" \r\ufeff")
    filled = to_numpy(pc.not_equal(lines, ""))
    cells = pc.split_pattern(
        pc.replace_substring_regex(lines.filter(pa.array(filled)), r"\|+$", ""), "|"
    )
    return len(lines), filled, cells


def _check_lines(
    export: ExportReader, numbers: np.ndarray, fields: dict[str, pa.Array], is_last: bool
) -> np.ndarray:
    """Find the lines with a moment and an event; sets `at` and `event` right."""
    stamp = pc.fill_null(pc.match_substring_regex(fields["at"], r"^\d{9,10}(\.\d+)?$"), False)
    event = pc.utf8_upper(pc.utf8_trim_whitespace(pc.fill_null(fields["event"], "")))
    good = to_numpy(pc.and_(stamp, pc.match_substring_regex(event, r"^[A-Z_]+$"))).copy()
    fields["event"] = event
    if is_last and good[-1] and event[-1].as_py() not in (*CALL_EVENTS, *AGENT_EVENTS):
        good[-1] = False
    for index in np.flatnonzero(~good):
        cut = is_last and index == len(numbers) - 1
        export.reject(
            numbers[index], "cut_row" if cut else "not_an_event", _mask_cells(fields, index)
        )
    seconds = to_numpy(pc.if_else(pa.array(good), fields["at"], pa.scalar("0")).cast(pa.float64()))
    fields["at"] = pa.array((np.round(seconds * 1_000_000)).astype(np.int64)).cast(MOMENT)
    return good


def _mask_cells(fields: dict[str, pa.Array], index: int) -> list[str]:
    # What follows the event may be a number of a caller, and of a line that is none every cell.
    known = fields["event"][index].as_py() in (*CALL_EVENTS, *AGENT_EVENTS)
    return [
        str(fields[name][index].as_py() or "") if known else ""
        for name in ("call", "queue", "agent", "event")
    ]


def _read_table(export: ExportReader, titles: int) -> Iterator[Block]:
    header, delimiter = export.sample.rows[titles], export.sample.delimiter
    columns, width = _find_columns(header), len(header)
    export.tally.skip("note", titles)
    first_of_row, reading = titles + 2, None
    for text, share in export.content.read_line_blocks():
        if reading is None:
            text = "".join(text.splitlines(keepends=True)[titles + 1 :])
        if not text.strip():
            continue
        export.require_whole_numbers(text)
        odd_rows: list[pa_csv.InvalidRow] = []

        def keep_odd_row(
            row: pa_csv.InvalidRow, odd_rows: list[pa_csv.InvalidRow] = odd_rows
        ) -> str:
            odd_rows.append(row)
            return "skip"

        found_columns = parse_columns(
            text.encode(), delimiter, width, invalid_row_handler=keep_odd_row
        )
        for row in odd_rows:
            blank = not (row.text or "").strip()
            export.tally.skip("blank") if blank else export.reject(
                first_of_row, "too_many_cells" if row.actual_columns > width else "too_few_cells"
            )
        cells = list(map(clean_cells, found_columns))
        if delimiter == ";":
            cells = [pc.replace_substring_regex(cell, r"^(\d+),(\d+)$", r"\1.\2") for cell in cells]
        count = len(cells[0])
        numbers = np.arange(first_of_row, first_of_row + count)
        first_of_row += count + len(odd_rows)
        export.report_share(share)
        filled = np.zeros(count, bool)
        for column in cells:
            filled |= to_numpy(column.is_valid())
        export.tally.skip("blank", (~filled).sum())
        keep = pa.array(filled)
        empty = pa.nulls(count, pa.string())
        fields = {
            name: cells[n].filter(keep)
            for name, n in columns.items()
            if not name.startswith("piece")
        }
        fields |= {name: empty.filter(keep) for name in ("queue", "agent") if name not in fields}
        pieces = [
            (cells[columns[f"piece{n}"]] if f"piece{n}" in columns else empty).filter(keep)
            for n in range(6)
        ]
        pieces = _split_data(fields, pieces)
        reading = reading or _decide_moments(export, fields["at"])
        moments = reading.read(fields["at"])
        clock = np.where(np.isnat(moments.clock), np.timedelta64(0, "us"), moments.clock)
        at = moments.day.astype("M8[us]") + clock
        export.notes["without_zone"] = bool((~moments.fixed & ~np.isnat(at)).any())
        local = np.where(moments.fixed, np.datetime64("NaT", "us"), at)
        at = np.where(moments.fixed, at, export.zone.to_utc(local))
        event = pc.utf8_upper(pc.fill_null(fields["event"], ""))
        good = ~np.isnat(at) & to_numpy(pc.match_substring_regex(event, r"^[A-Z_]+$"))
        numbers = numbers[filled]
        fields |= {"at": pa.array(at, MOMENT), "event": event}
        for index in np.flatnonzero(~good):
            export.reject(
                numbers[index],
                "impossible_date" if np.isnat(at[index]) else "not_an_event",
                _mask_cells(fields, index),
            )
        yield numbers, fields, pieces, good


def _split_data(fields: dict[str, pa.Array], pieces: list[pa.Array]) -> list[pa.Array]:
    """Split the data of an event, which older tables keep in one column."""
    if "data" not in fields or any(piece.null_count < len(piece) for piece in pieces):
        return pieces
    parts = [(text or "").split("|") for text in fields["data"].to_pylist()]
    padded = ([*part, *[""] * 6] for part in parts)
    columns = list(zip(*(part[:6] for part in padded), strict=True)) or [()] * 6
    return [pa.array([text or None for text in column], pa.string()) for column in columns]


def _decide_moments(export: ExportReader, values: pa.Array) -> timestamps.MomentReading:
    evidence = timestamps.MomentEvidence("started_at", "time")
    evidence.add(values)
    reading, decisions = date_order.decide_reading(evidence, export.options.date_order)
    export.decisions += decisions
    return reading


def _build_events(
    export: ExportReader, lines: np.ndarray, fields: dict[str, pa.Array], pieces: list[pa.Array]
) -> pa.Table:
    """Build records of the events of calls; agents' events are counted."""
    call = pc.fill_null(pc.utf8_trim_whitespace(fields["call"]), "")
    event = fields["event"]
    nameless = is_among(pc.utf8_upper(call), NO_CALL_IDS)
    of_calls, of_agents = is_among(event, CALL_EVENTS), is_among(event, AGENT_EVENTS)
    minor = is_among(event, ("RINGNOANSWER", "RINGCANCELED", "DID"))
    lost = nameless & of_calls & ~minor
    for index in np.flatnonzero(lost):
        export.reject(lines[index], "missing_call_id", _mask_cells(fields, index))
    skipped = (of_agents | nameless) & ~lost
    for item in pc.value_counts(event.filter(pa.array(skipped))).to_pylist():
        export.tally.skip(item["values"].lower(), item["counts"])
    keep = pa.array(~skipped & ~lost)
    kept = event.filter(keep)
    pieces = [piece.filter(keep) for piece in pieces]
    wait, talk = _read_durations(kept, pieces, _WAIT_AT), _read_durations(kept, pieces, _TALK_AT)
    for name, seconds, places in (("wait", wait, _WAIT_AT), ("talk", talk, _TALK_AT)):
        if name in fields:
            stated = _as_seconds(fields[name].filter(keep))
            np.copyto(seconds, stated, where=is_among(kept, places) & np.isnan(seconds))
    is_entry = pc.equal(kept, ENTRY)
    agent = pc.utf8_trim_whitespace(pc.fill_null(fields["agent"].filter(keep), "NONE"))
    nothing = pa.scalar(None, pa.string())
    caller = pc.if_else(is_entry, pieces[1], nothing)
    dialled = pc.if_else(pc.equal(kept, "DID"), pieces[0], nothing)
    kept_lines = pa.array(lines).filter(keep)
    if export.lines and len(kept):
        is_line = export.lines.find_rows((caller, dialled), (caller, dialled))
        export.excluded.update(kept_lines.filter(pa.array(is_line)).to_pylist())
    return pa.table(
        [
            kept_lines,
            fields["at"].filter(keep),
            call.filter(keep),
            _none_as_null(fields["queue"].filter(keep)),
            _none_as_null(agent),
            kept,
            pa.array(wait, pa.float64(), from_pandas=True),
            pa.array(talk, pa.float64(), from_pandas=True),
            export.find_keys(caller),
            dialled,
        ],
        schema=SCHEMA,
    )


def _none_as_null(values: pa.Array) -> pa.Array:
    return pc.if_else(
        pc.is_in(pc.utf8_upper(pc.fill_null(values, "")), value_set=pa.array(["", "NONE", "NULL"])),
        pa.scalar(None, pa.string()),
        values,
    )


def _read_durations(event: pa.Array, pieces: list[pa.Array], places: dict[str, int]) -> np.ndarray:
    """Read the seconds that each event has at its place among its data, or NaN."""
    picked = np.full(len(event), np.nan)
    filled = np.sum([to_numpy(piece.is_valid()) for piece in pieces], axis=0)
    wanted: dict[int, list[str]] = {}
    for name, index in places.items():
        wanted.setdefault(index, []).append(name)
    for index, names in wanted.items():
        rows = is_among(event, names)
        if not rows.any():
            continue
        if index >= 0:
            picked[rows] = _as_seconds(pieces[index].filter(pa.array(rows)))
            continue
        # Counted from the last piece of data that is there.
        for width in np.unique(filled[rows]):
            if width + index >= 0:
                same_width = rows & (filled == width)
                picked[same_width] = _as_seconds(pieces[width + index].filter(pa.array(same_width)))
    return picked


def _as_seconds(values: pa.Array) -> np.ndarray:
    plain = pc.fill_null(pc.match_substring_regex(values, r"^\d{1,9}(\.\d+)?$"), False)
    return to_numpy(pc.if_else(plain, values, pa.scalar(None, pa.string())).cast(pa.float64()))


_EXITS = ", ".join(f"'{event}'" for event in EXITS)
_ANSWERS = ", ".join(f"'{event}'" for event in (CONNECT, *COMPLETED, *TRANSFERS))
_CLOSINGS = ", ".join(f"'{event}'" for event in (*COMPLETED, *TRANSFERS))
_TRANSFERS = ", ".join(f"'{event}'" for event in TRANSFERS)
_OUTCOMES = " ".join(f"WHEN '{event}' THEN '{outcome}'" for event, outcome in EXITS.items())


def fold(session: FoldSession) -> str:
    """Fold the events of each call: the wait until the first answer in all queues, the
    talk of all agents. Most calls enter one queue, are answered and end once: they are
    summed up directly, only the others event by event.
    """
    connection = session.connection
    _order_events(session)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE calls AS {_CALLS}")
    loose = session.counts(
        "SELECT lower(event), count(*) FROM events SEMI JOIN (SELECT callid FROM calls WHERE "
        "NOT is_call) USING (callid) GROUP BY 1"
    )
    for kind, rows in loose.items():
        session.export.tally.skip(f"{kind}_without_call", rows)
    connection.execute("DELETE FROM calls WHERE NOT is_call")
    kinds = session.counts("SELECT lower(event), count(*) FROM events GROUP BY 1")
    first = session.counts("SELECT lower(first_event), count(*) FROM calls GROUP BY 1")
    for kind, rows in kinds.items():
        session.export.tally.fold(kind, rows - first.get(kind, 0) - loose.get(kind, 0))
    connection.execute(f"CREATE OR REPLACE TEMP TABLE whole AS {_SIMPLE}")
    if session.count("SELECT count(*) FROM calls WHERE NOT is_simple"):
        connection.execute(f"INSERT INTO whole BY NAME {_WHOLE}")
    _count_gaps(session)
    return (
        "SELECT line, callid AS contact_id, started_at, 'inbound' AS direction, queue, "
        "customer_key, agent AS advisor, outcome, wait_seconds, talk_seconds, "
        "transfers, did AS tracking_number FROM whole"
    )


def _order_events(session: FoldSession) -> None:
    """Create `events` with the `rank` of each in time; a repeated one counts once."""
    whole = "callid, moment, event, queue, agent, wait, talk, did"
    is_ordered = session.export.notes.get("in_order", True)
    rank = "line" if is_ordered else "row_number() OVER (ORDER BY moment, line)"
    events = f"CREATE OR REPLACE TEMP VIEW events AS SELECT *, {rank} AS place FROM"
    repeated = session.count(f"SELECT count(*) - count(DISTINCT hash({whole})) FROM records")
    if not repeated:
        session.connection.execute(f"{events} records")
        return
    session.connection.execute("DROP VIEW IF EXISTS events; DROP TABLE IF EXISTS once")
    session.connection.execute(
        "CREATE TEMP TABLE once AS SELECT * EXCLUDE (copy) "
        f"FROM (SELECT *, row_number() OVER (PARTITION BY {whole} ORDER BY line) AS copy FROM "
        "records) WHERE copy = 1"
    )
    dropped = "SELECT (SELECT count(*) FROM records) - (SELECT count(*) FROM once)"
    session.export.tally.fold("repeated_event", session.count(dropped))
    session.connection.execute(f"{events} once")


_CALLS = f"""
    SELECT *, is_call AND opening = '{ENTRY}' AND entries = 1 AND connects <= 1
        AND closings <= connects AND connects + exits <= 1 AS is_simple
    FROM (
        SELECT callid, arg_min(line, place) AS line, arg_min(event, place) AS first_event,
            arg_min(event, place) FILTER (event NOT IN ('DID', 'RINGNOANSWER',
                'RINGCANCELED')) AS opening,
            min(place) FILTER (event IN ({_ANSWERS})) AS answered_place,
            bool_or(event = '{ENTRY}' OR event IN ({_ANSWERS}) OR event IN ({_EXITS})) AS is_call,
            count(*) FILTER (event = '{ENTRY}') AS entries, count(*) FILTER (event = '{CONNECT}') AS
                connects,
            count(*) FILTER (event IN ({_CLOSINGS})) AS closings,
                count(*) FILTER (event IN ({_EXITS})) AS exits,
            count(*) FILTER (event IN ({_TRANSFERS})) AS transfers,
            min(moment) FILTER (event = '{ENTRY}') AS entered_at,
                max(moment) FILTER (event = '{CONNECT}' OR event IN ({_EXITS})) AS left_at,
            any_value(wait) FILTER (event = '{CONNECT}' OR event IN ({_EXITS})) AS waited,
            any_value(talk) FILTER (event IN ({_CLOSINGS})) AS talked,
            any_value(event) FILTER (event IN ({_EXITS})) AS exit,
            arg_min(customer_key, place) AS customer_key, arg_min(did, place) AS did,
            arg_max(agent, place) FILTER (event IN ({_ANSWERS}) AND agent IS NOT NULL) AS agent,
            coalesce(arg_max(queue, place) FILTER (event IN ({_ANSWERS}) AND queue IS NOT NULL),
                arg_max(queue, place) FILTER (queue IS NOT NULL AND event <> 'DID')) AS queue
        FROM events GROUP BY callid
    )"""

_SIMPLE = f"""
    SELECT line, callid, entered_at AS started_at, queue, customer_key, agent, did, opening,
        CASE WHEN connects = 1 THEN 'answered' ELSE CASE exit {_OUTCOMES}
            ELSE 'unanswered' END END AS outcome,
        coalesce(waited, CASE WHEN left_at IS NOT NULL THEN greatest(0, date_diff('microsecond',
            entered_at, left_at) / 1e6) END) AS wait_seconds,
        CASE WHEN connects = 1 THEN talked END AS talk_seconds,
        CASE WHEN connects = 1 THEN CAST(transfers AS INTEGER) END AS transfers,
        connects = 1 AND talked IS NULL AS is_open
    FROM calls WHERE is_simple"""

_WHOLE = f"""
    WITH numbered AS (
        SELECT e.*, c.opening, c.answered_place, sum(CASE WHEN event = '{CONNECT}' THEN 1
            ELSE 0 END) OVER (PARTITION BY callid ORDER BY e.place) AS leg
        FROM events e JOIN calls c USING (callid) WHERE NOT c.is_simple
    ),
    legs AS (
        SELECT callid, leg, bool_or(event IN ({_ANSWERS})) AS is_answered,
            max(talk) FILTER (event IN ({_CLOSINGS})) AS talk,
            max(CASE WHEN event IN ({_TRANSFERS}) THEN 1 ELSE 0 END) AS transfers
        FROM numbered GROUP BY callid, leg
    ),
    talks AS (
        SELECT callid, CASE WHEN bool_and(talk IS NOT NULL) FILTER (is_answered)
            THEN sum(talk) END AS talk_seconds, sum(transfers) AS transfers,
            bool_or(is_answered) AS is_answered
        FROM legs GROUP BY callid
    ),
    waits AS (
        SELECT callid,
            CASE WHEN any_value(opening) = '{ENTRY}' THEN min(moment) FILTER (event = '{ENTRY}')
                ELSE min(CASE WHEN event = '{ENTRY}' THEN moment WHEN event IN ({_ANSWERS},
                    {_EXITS})
                    THEN moment - to_microseconds(CAST(1000000 * (coalesce(wait, 0) + coalesce(talk,
                        0)) AS BIGINT)) END)
            END AS started_at,
            count(*) FILTER (event = '{ENTRY}' AND place < coalesce(answered_place,
                9223372036854775807)) AS entries,
            count(wait) FILTER (is_end) AS known, sum(wait) FILTER (is_end) AS waited,
                max(moment) FILTER (is_end) AS waited_until,
            arg_max(event, place) FILTER (event = '{ENTRY}' OR event IN ({_EXITS})) AS last_step
        FROM (SELECT *, (event IN ({_EXITS}) AND place < coalesce(answered_place,
            9223372036854775807)) OR place = answered_place AS is_end FROM numbered)
        GROUP BY callid
    )
    SELECT c.line, callid, w.started_at, c.queue, c.customer_key, c.agent, c.did,
        CASE WHEN t.is_answered THEN 'answered' ELSE CASE w.last_step {_OUTCOMES}
            ELSE 'unanswered' END END AS outcome,
        CASE WHEN w.entries <= 1 AND w.known = 1 OR w.known = w.entries THEN w.waited
            WHEN t.is_answered OR w.last_step <> '{ENTRY}' THEN greatest(0, date_diff('microsecond',
                w.started_at, w.waited_until) / 1e6) END AS wait_seconds,
        CASE WHEN t.is_answered THEN t.talk_seconds END AS talk_seconds,
        CASE WHEN t.is_answered THEN CAST(t.transfers AS INTEGER) END AS transfers,
        c.opening, t.talk_seconds IS NULL AND t.is_answered AS is_open
    FROM calls c JOIN talks t USING (callid) JOIN waits w USING (callid)"""


def _count_gaps(session: FoldSession) -> None:
    """Add up over the parts of the file what could only be reconstructed, for `finish`."""
    notes = session.export.notes.setdefault("queue_log", [0, 0, 0])
    row = session.connection.execute(
        "SELECT count(*) FILTER (outcome = 'unanswered'), count(*) FILTER (is_open), count(*) "
        f"FILTER (opening <> '{ENTRY}') FROM whole"
    ).fetchall()[0]
    notes[:] = [before + int(count) for before, count in zip(notes, row, strict=True)]


def finish(export: ExportReader) -> None:
    said = ", ".join(f"{event} → {outcome}" for event, outcome in EXITS.items())
    export.decide(
        "outcome",
        "answered if an advisor was connected, else by how the caller left the queue: {said}",
        said=said,
    )
    unclosed, talking, headless = export.notes["queue_log"]
    if unclosed:
        message = N_("unanswered where a call entered a queue and did not leave it")
        export.decide("outcome", message, unclosed)
    if talking:
        export.decide("talk_seconds", "missing where a conversation has no end", talking)
    if headless:
        message = N_("computed from durations, because the log begins after these calls arrived")
        export.decide("started_at", message, headless)


PLATFORM = Platform(
    name="asterisk_queue_log",
    title="Asterisk queue_log",
    signatures=(
        Headers(
            tuple("|".join(spellings) for spellings in _NEEDED),
            values={"|".join(_COLUMNS["event"]): (*CALL_EVENTS, *AGENT_EVENTS)},
        ),
        Lines(_EVENT_LINE),
    ),
    fields=RECORD,
    read=read,
    fold=fold,
    finish=finish,
    folded={
        "contact_id": "callid",
        "started_at": "ENTERQUEUE",
        "advisor": "CONNECT: agent",
        "outcome": "event",
        "wait_seconds": "CONNECT: holdtime, ABANDON: waittime",
        "talk_seconds": "COMPLETEAGENT, COMPLETECALLER: calltime",
        "transfers": "BLINDTRANSFER, ATTENDEDTRANSFER, TRANSFER",
        "tracking_number": "DID",
    },
    group="callid",
    is_local=True,
    shown=("call", "queue", "agent", "event"),
)
