"""Follower of a queue_log that is still written: only new lines are read, and calls
that have not ended are kept without identities. A log is recognised by how it begins,
not by its name or number on the disk, so that a rotated one is read to its end wherever
it went.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from qa_core.access.roles import Permission, Viewer
from qa_core.base import environment
from qa_core.base.errors import Refusal
from qa_core.base.progress import Stop
from qa_core.files.archives import Content, HeldContent, is_regular, open_content
from qa_core.files.options import ImportOptions
from qa_core.ingest import pipeline
from qa_core.ingest.platforms import asterisk_queue_log
from qa_core.ingest.platforms.reader import ExportReader, FoldSession, stage_platform
from qa_core.ingest.reading import table_reader
from qa_core.ingest.reading.report import FileReport
from qa_core.storage import lake
from qa_core.storage.facts import duckdb_connection

LOG_NAME = re.compile(r"queue_log(?:[.-]\d+)*(?:\.gz)?")
"""A log and its rotations: queue_log.1, queue_log-20261124, queue_log.2.gz."""

STEP_BYTES = 32 << 20
"""Bytes that are read and loaded at once."""
START_BYTES = 4096
MEMORY = "350MB"
KEEP_ENDED = timedelta(hours=2)
"""Time for which an ended call is kept: its id may enter another queue."""
KEEP_UNENDED = timedelta(hours=24)
"""Time for which a call without an end is kept; some versions lose that event."""
MAX_SILENCE = timedelta(minutes=30)
"""Time without an event after which a call still in the queue counts as unanswered."""

_EPOCH = re.compile(rb"\d{9,10}(\.\d+)?")
_POSITION_KEY = b"mark"
_LAST_STEP = (
    "arg_max(event, (moment, line)) FILTER (event NOT IN ('RINGNOANSWER', 'RINGCANCELED', 'DID'))"
)
_WAITING = ("callid", "queue", "event", "moment", "line")
_UNFINISHED = f"('{asterisk_queue_log.ENTRY}', '{asterisk_queue_log.CONNECT}')"


@dataclass(frozen=True)
class LogPosition:
    """Position up to which a log was read: its beginning (`length` bytes with that
    `digest`), and the first byte and line not read yet. `first`: the moment on its
    first line, `landed_at`: when calls of it were last loaded, in seconds since 1970.
    `excluded`: the kept calls that have a number of an excluded line.
    """

    length: int
    digest: str
    offset: int
    lines: int
    first: float
    landed_at: float = 0.0
    excluded: Sequence[str] = ()


@dataclass(frozen=True)
class Log:
    """File of a log or of one of its rotations."""

    content: Content
    first: float

    def read(self, offset: int, is_last: bool) -> bytes:
        """Read the next whole lines; of a log that has ended, also an unfinished last one."""
        with self.content.open() as file:
            if self.content.packing is None:
                file.seek(offset)
            else:
                for _step in range(offset // STEP_BYTES):
                    file.read(STEP_BYTES)
                file.read(offset % STEP_BYTES)
            data = file.read(STEP_BYTES)
        whole = data[: data.rfind(b"\n") + 1]
        return whole if is_last or (whole and len(data) == STEP_BYTES) else data


class Follower:
    """Import of a log as it grows. Its state is complete after every step, which may repeat."""

    def __init__(self, viewer: Viewer, path: Path, options: ImportOptions | None = None) -> None:
        self.viewer, self.path, self.options = viewer, path.absolute(), options or ImportOptions()
        self._state = (
            environment.current().folder
            / "watching"
            / f"{hashlib.sha256(str(self.path).encode()).hexdigest()[:16]}.parquet"
        )
        self._loaded: tuple[int, int] | None = None
        self.position, self.open_events = self._load()
        self._excluded = set(self.position.excluded if self.position else ())
        self.lost = False
        """True where the log was cut short or removed: what was written last may be missing."""
        self._missed = False

    def catch_up(self, stop: Stop | None = None) -> Iterator[FileReport]:
        """Read and load what is new: a report for each step with calls; a refusal ends it."""
        if _read_state(self._state) != self._loaded:  # a customer was erased from it
            self.position, self.open_events = self._load()
        while not (stop and stop.is_set()):
            next_piece = self._find_next()
            if next_piece is None:
                return
            log, offset, data = next_piece
            report, open_events = self._load_piece(log, offset, data)
            if report is not None:
                yield report
                if report.is_refused:
                    return
            self._save(log, offset, data, open_events, landed=report is not None)
            if not data:
                return

    def _find_next(self) -> tuple[Log, int, bytes] | None:
        """Find log, offset and new bytes (empty: only overdue calls); None when nothing is due."""
        logs = find_logs(self.path)
        index, offset = 0, 0
        if self.position is not None:
            length, digest = self.position.length, self.position.digest
            beginnings = [_compute_digest(log.content.read_start(length)) for log in logs]
            index = beginnings.index(digest) if digest in beginnings else -1
            if index >= 0:
                offset, self._missed = self.position.offset, False
            elif not self._missed:
                # It may just be being renamed: only the next look takes it for gone.
                self._missed = True
                return None
            else:
                logs, index = [log for log in logs if log.first >= self.position.first], 0
                self.lost = self.lost or bool(logs)
        while index < len(logs):
            is_last = index == len(logs) - 1
            data = logs[index].read(offset, is_last)
            if data or is_last:
                break
            index, offset = index + 1, 0
        else:
            return None
        return (logs[index], offset, data) if data or len(self._find_overdue_calls()) else None

    def _load_piece(self, log: Log, offset: int, data: bytes) -> tuple[FileReport | None, pa.Table]:
        """Load a piece's calls and kept events. Returns the report, if any, and events to keep."""
        events: list[pa.Table] = []
        overdue_calls = self._find_overdue_calls()
        lines = self.position.lines if offset and self.position else 0
        platform = replace(
            asterisk_queue_log.PLATFORM,
            read=lambda export: self._read(export, lines, overdue_calls, events),
            fold=_fold_ended,
            finish=None,
        )
        piece = HeldContent(self.path, encoding=self.options.encoding, data=data)
        beginning = _compute_digest(log.content.read_start(START_BYTES))
        identity = "|".join((str(self.path), beginning, str(offset), *overdue_calls.to_pylist()))
        digest = _compute_digest(identity.encode() + data)
        try:
            with table_reader.staging_folder(self.options) as folder:
                staged = stage_platform(platform, piece, "contacts", self.options, folder, digest)
        except Refusal as refusal:
            if refusal.code != "no_contacts":
                return FileReport(file=str(self.path), refusal=refusal), self.open_events
            return None, _select_open([self.open_events, *events])
        report = pipeline.run_staged(self.viewer, staged, str(self.path), self.options)
        return report, _select_open([self.open_events, *events])

    def _read(
        self, export: ExportReader, lines: int, overdue_calls: pa.Array, events: list[pa.Table]
    ) -> Iterator[pa.Table]:
        """Yield the kept events of calls that go on or are due, then the piece."""
        events += asterisk_queue_log.PLATFORM.read(export)
        export.rejected[:] = [
            (line + lines, reason, cells) for line, reason, cells in export.rejected
        ]
        events[:] = [
            table.set_column(0, "line", pc.add(table.column("line"), lines)) for table in events
        ]
        export.excluded = {line + lines for line in export.excluded}
        on_lines = pa.array(export.excluded, pa.int64())
        for table in events:
            is_there = pc.is_in(table.column("line"), value_set=on_lines)
            self._excluded.update(table.filter(is_there).column("callid").to_pylist())
        chunks = (chunk for table in events for chunk in table.column("callid").chunks)
        calls = pa.concat_arrays([overdue_calls, *chunks])
        earlier = self.open_events.filter(
            pc.is_in(self.open_events.column("callid"), value_set=pc.unique(calls))
        )
        if len(earlier):
            starts = (pc.min(table.column("moment")).as_py() for table in events if len(table))
            first = min(starts, default=None)
            in_order = first is None or pc.max(earlier.column("moment")).as_py() <= first
            export.notes["in_order"] = export.notes.get("in_order", True) and in_order
            export.decide("file", "events of unfinished calls are carried over", str(len(earlier)))
            numbers = range(lines - len(earlier) + 1, lines + 1)
            named = earlier.column("callid").to_pylist()
            export.excluded.update(
                number
                for number, call in zip(numbers, named, strict=True)
                if call in self._excluded
            )
            yield earlier.set_column(0, "line", pa.array(numbers, pa.int64()))
        yield from (table for table in events if len(table))

    def _find_overdue_calls(self) -> pa.Array:
        """Find calls whose caller is in the queue for too long, and not loaded as such yet."""
        if not len(self.open_events) or self.position is None:
            return pa.array([], pa.string())
        since = (
            datetime.fromtimestamp(self.position.landed_at, UTC).replace(tzinfo=None) - MAX_SILENCE
        )
        with _open_connection(self.open_events) as connection:
            calls = connection.sql(
                f"SELECT callid FROM events GROUP BY callid HAVING {_LAST_STEP} = ? AND "
                "max(moment) >= ? AND max(moment) < ? ORDER BY callid",
                params=[asterisk_queue_log.ENTRY, since, _now() - MAX_SILENCE],
            ).to_arrow_table()
        return calls.column("callid").combine_chunks().cast(pa.string())

    def _save(
        self, log: Log, offset: int, data: bytes, open_events: pa.Table, landed: bool
    ) -> None:
        beginning = log.content.read_start(min(START_BYTES, offset + len(data)))
        lines = (self.position.lines if offset and self.position else 0) + data.count(b"\n")
        is_now = landed or self.position is None
        landed_at = environment.now().timestamp() if is_now else self.position.landed_at
        digest = _compute_digest(beginning)
        kept = self._excluded.intersection(open_events.column("callid").to_pylist())
        self.position = LogPosition(
            len(beginning), digest, offset + len(data), lines, log.first, landed_at, sorted(kept)
        )
        before, self.open_events = self.open_events, open_events
        with _alone(self._state.parent):
            if self._loaded and _read_state(self._state) != self._loaded:
                # A customer was erased while the piece was loaded.
                names = [table.column("customer_key") for table in (before, self._load()[1])]
                erased = set(names[0].to_pylist()) - set(names[1].to_pylist()) - {None}
                for key in erased:
                    self.open_events = _clear_customer(self.open_events, key)[0]
            position = {_POSITION_KEY: json.dumps(asdict(self.position))}
            _write(self._state, self.open_events.replace_schema_metadata(position))
            self._loaded = _read_state(self._state)

    def _load(self) -> tuple[LogPosition | None, pa.Table]:
        self._loaded = _read_state(self._state)
        if not self._state.exists():
            return None, asterisk_queue_log.SCHEMA.empty_table()
        table = pq.read_table(self._state)
        return LogPosition(**json.loads(table.schema.metadata[_POSITION_KEY])), table.cast(
            asterisk_queue_log.SCHEMA
        )


@dataclass(frozen=True)
class WaitingCallers:
    """Callers in the queues of the followed logs: moments of entry (UTC) by queue, and when
    the log that was quiet for longest was last read on.
    """

    entered: dict[str | None, list[datetime]]
    as_of: datetime


def find_waiting(viewer: Viewer) -> WaitingCallers | None:
    """Find who waits now; None where no log is followed."""
    viewer.require(Permission.HANDLE_CALLBACKS)
    entered: dict[str | None, list[datetime]] = {}
    ages = []
    for state in sorted((environment.current().folder / "watching").glob("*.parquet")):
        ages.append(datetime.fromtimestamp(state.stat().st_mtime, UTC))
        with _open_connection(pq.read_table(state, columns=list(_WAITING))) as connection:
            calls = connection.sql(
                "SELECT arg_min(queue, moment), max(moment) FROM events GROUP BY callid "
                f"HAVING {_LAST_STEP} = ? AND max(moment) >= ?",
                params=[asterisk_queue_log.ENTRY, _now() - MAX_SILENCE],
            )
            for queue, moment in calls.fetchall():
                entered.setdefault(queue, []).append(moment)
    fresh = [age for age in ages if age >= max(ages) - KEEP_UNENDED]
    return WaitingCallers(entered, min(fresh)) if ages else None


def erase_customer(customer_key: str) -> int:
    """Remove a customer from kept events, in every log; the calls stay. Returns their number."""
    erased = 0
    for state in sorted((environment.current().folder / "watching").glob("*.parquet")):
        with _alone(state.parent):
            table, count = _clear_customer(pq.read_table(state), customer_key)
            if count:
                _write(state, table)
        erased += count
    return erased


def _clear_customer(table: pa.Table, customer_key: str) -> tuple[pa.Table, int]:
    place = table.schema.get_field_index("customer_key")
    is_theirs = pc.fill_null(pc.equal(table.column(place), customer_key), False)
    cleared = pc.if_else(is_theirs, pa.scalar(None, pa.string()), table.column(place))
    count = pc.sum(is_theirs).as_py() or 0
    return table.set_column(place, table.schema.field(place), cleared), count


def _alone(folder: Path) -> AbstractContextManager[bool]:
    """Hold the right to write the states of logs, across processes."""
    return environment.lock(folder / ".lock")


def _write(state: Path, table: pa.Table) -> None:
    draft = state.with_suffix(".draft")
    with draft.open("wb") as file:
        pq.write_table(table, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(state)


def _read_state(state: Path) -> tuple[int, int] | None:
    try:
        status = state.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns


def find_logs(path: Path) -> list[Log]:
    """Find a log and its rotations with events, the oldest first; not a packed copy of another."""
    logs_by_digest: dict[str, Log] = {}
    others = (entry.name for entry in path.parent.iterdir() if entry.name != path.name)
    rotated = (
        name for name in others if LOG_NAME.fullmatch(name.replace(path.name, "queue_log", 1))
    )
    for name in (path.name, *sorted(rotated)):
        if not is_regular(path.parent / name):
            continue
        content = open_content(path.parent / name)
        beginning = content.read_start(START_BYTES)
        moments = (line.split(b"|", 1)[0] for line in beginning.splitlines() if b"|" in line)
        epochs = (moment for moment in moments if _EPOCH.fullmatch(moment.strip()))
        first = next(map(float, epochs), None)
        if first is not None:
            logs_by_digest.setdefault(
                _compute_digest(beginning[: beginning.rfind(b"\n") + 1][:1024]), Log(content, first)
            )
    return sorted(logs_by_digest.values(), key=lambda log: log.first)


def _fold_ended(session: FoldSession) -> str:
    """Fold the calls, except those in the queue at this moment: nobody knows how they end."""
    rows = asterisk_queue_log.PLATFORM.fold(session)
    session.connection.execute(
        "CREATE OR REPLACE TEMP TABLE still_waiting AS SELECT callid FROM records GROUP BY "
        f"callid HAVING {_LAST_STEP} = ? AND max(moment) >= ?",
        [asterisk_queue_log.ENTRY, _now() - MAX_SILENCE],
    )
    # One event of each call: its others are already counted as folded.
    session.export.tally.skip("still_waiting", session.count("SELECT count(*) FROM still_waiting"))
    return f"SELECT * FROM ({rows}) WHERE contact_id NOT IN (SELECT callid FROM still_waiting)"


def _select_open(tables: list[pa.Table]) -> pa.Table:
    """Select the events of calls that have not ended, or ended a short while ago."""
    events = pa.concat_tables(tables)
    if not len(events):
        return events
    newest = min(pc.max(events.column("moment")).as_py(), _now())
    with _open_connection(events) as connection:
        open_events = connection.sql(
            "SELECT * FROM events SEMI JOIN ("
            "SELECT callid FROM events GROUP BY callid HAVING max(moment) >= ? OR "
            f"{_LAST_STEP} IN {_UNFINISHED} AND min(moment) >= ?"
            ") USING (callid) ORDER BY moment, line",
            params=[newest - KEEP_ENDED, newest - KEEP_UNENDED],
        ).to_arrow_table()
    return open_events.cast(asterisk_queue_log.SCHEMA)


@contextmanager
def _open_connection(events: pa.Table) -> Iterator[duckdb.DuckDBPyConnection]:
    with (
        lake.scratch_folder() as folder,
        closing(duckdb_connection.connect(MEMORY, folder, threads=1)) as connection,
    ):
        connection.register("events", events)
        yield connection


def _now() -> datetime:
    return environment.now().replace(tzinfo=None)


def _compute_digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
