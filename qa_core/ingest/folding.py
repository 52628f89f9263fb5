"""The export of a platform on its way to staged rows: records streamed to disk without identities, then folded, one row per contact."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from qa_core import home
from qa_core.errors import Refusal
from qa_core.ingest.clock import FIRST_YEAR, LAST_YEAR, Zone
from qa_core.ingest.content import Content
from qa_core.ingest.documents import Documents
from qa_core.ingest.identity import Pseudonyms, find_outside, mask_cell
from qa_core.ingest.options import ImportOptions
from qa_core.ingest.platforms import Platform
from qa_core.ingest.profiles.starts import say_clock_changes
from qa_core.ingest.staged import SCHEMAS, Decision, Staged
from qa_core.wording import N_

MOMENT = pa.timestamp("us")
RECORDS_AT_ONCE = 10_000
RECORDS_PER_PART = 1_000_000
SHOWN_OF_A_CELL = 200
SHOWN_ROWS = 20
MEMORY = "350MB"
_LIKE_A_NUMBER, _LIKE_AN_ID = re.compile(r"^\+?[\d .()/_-]{6,}$"), re.compile(r"^\d{9,10}\.\d+$|^\d{4}-\d\d-\d\d")
_REJECTED = pa.schema([("line", pa.int64()), ("reason", pa.string()), ("cells", pa.list_(pa.string()))])

Progress = Callable[[int, float], None]


def record_schema(*names: str) -> pa.Schema:
    """The schema of records that are contacts already: `line`, and these of their columns."""
    return pa.schema([("line", pa.int64()), *((name, SCHEMAS["contacts"][name]) for name in names)])


def take_all(bench: Bench) -> str:
    """The fold of exports with one record per contact. The same id again stays, as a duplicate of its newest."""
    return "SELECT * FROM records"


@dataclass
class Work:
    """One export being read: where it is, whose clocks and pseudonyms are used, and what became of its records."""

    platform: Platform
    content: Content
    options: ImportOptions
    zone: Zone
    centre: Zone
    pseudonyms: Pseudonyms
    progress: Progress
    decisions: list[Decision] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    folded: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    records: int = 0
    refused: list[tuple[int, str, list[str]]] = field(default_factory=list)
    notes: dict[str, Any] = field(default_factory=dict)

    def skip(self, kind: str, rows: int = 1) -> None:
        """Count rows of the file that speak of no contact."""
        if rows:
            self.skipped[kind] += int(rows)

    def fold(self, kind: str, rows: int) -> None:
        """Count records that went into the row of their contact."""
        if rows:
            self.folded[kind] += int(rows)

    def reject(self, line: int, reason: str, cells: Iterable[str] = ()) -> None:
        """Refuse one row. `cells`, aligned with the platform's `shown`, must hold no identity."""
        self.reasons[reason] += 1
        self.refused.append((int(line), reason, [_hide_number(str(cell)[:SHOWN_OF_A_CELL]) for cell in cells]))

    def decide(self, field_name: str, decision: str, evidence: str = "", **places: Any) -> None:
        """Write down a decision."""
        self.decisions.append(Decision(field_name, decision, evidence, tuple(places.items())))

    def build(self, number: int, make: Callable[..., Mapping[str, Any]], *arguments: Any) -> Iterator[Mapping[str, Any]]:
        """The record that `make` gives, or none where an object is not of the shape that its platform writes: it is rejected."""
        try:
            yield make(number, *arguments)
        except (AttributeError, KeyError, TypeError, ValueError):
            self.reject(number, "unexpected_shape")

    def to_file_clock(self, utc: datetime) -> datetime:
        """A moment in UTC on the clock of the export, for platforms that mix epochs with wall clocks."""
        return self.zone.to_local(np.array([utc], "M8[us]"))[0].item()

    def documents(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """The objects of a JSON export, numbered from 1."""
        documents = Documents(self.content)
        for number, _envelope, item in documents.objects():
            if not number % RECORDS_AT_ONCE:
                self.progress(number, 0.6 * documents.share)
            yield number, item

    def tables(self, records: Iterable[Mapping[str, Any]], identity: str = "customer") -> Iterator[pa.Table]:
        """Records as tables of the platform's schema, some thousand at a time; the clear `customer` of each becomes its `customer_key`."""
        block: list[Mapping[str, Any]] = []
        for record in records:
            block.append(record)
            if len(block) == RECORDS_AT_ONCE:
                yield self._as_table(block, identity)
                block = []
        if block:
            yield self._as_table(block, identity)

    def _as_table(self, block: list[Mapping[str, Any]], identity: str) -> pa.Table:
        schema = self.platform.schema
        columns = []
        for item in schema:
            if item.name == "customer_key":
                columns.append(self.find_keys(pa.array([_as_cell(record.get(identity), pa.string()) for record in block], pa.string())))
                continue
            values = pa.array([_as_cell(record.get(item.name), item.type) for record in block], item.type)
            if item.type == MOMENT and self.platform.is_local:
                values = pa.array(self.zone.to_utc(values.to_numpy(zero_copy_only=False).astype("M8[us]")), MOMENT)
            columns.append(values)
        return pa.table(columns, schema=schema)

    def find_keys(self, values: pa.Array) -> pa.Array:
        """The pseudonyms of the numbers that callers show; null for withheld ones, desks, channels and mere names."""
        encoded = values.dictionary_encode()
        texts = encoded.dictionary
        plain = pc.match_substring_regex(texts, r"^\+?\d{6,15}$")
        doubtful = pc.invert(plain)
        outside = texts
        if pc.any(doubtful).as_py():
            found = pa.array([find_outside(text) for text in texts.filter(doubtful).to_pylist()], pa.string())
            outside = pc.replace_with_mask(texts, doubtful, found)
        return pc.take(self.pseudonyms.find_keys(outside), encoded.indices)


def _hide_number(cell: str) -> str:
    """A cell of a rejected row, which may stand in another column than it should: what could be a phone number is masked."""
    return mask_cell(cell) if _LIKE_A_NUMBER.match(cell) and not _LIKE_AN_ID.match(cell) else cell


def _as_cell(value: Any, kind: pa.DataType) -> Any:
    """A value as its column takes it; what an export writes in another shape than it should is missing."""
    if kind == pa.string():
        return value or None if isinstance(value, str) else str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    return value if not isinstance(value, (list, dict, str)) else None


@dataclass
class Bench:
    """What a fold works with: a connection with the view `records`, and the work to count into."""

    connection: duckdb.DuckDBPyConnection
    work: Work

    def count(self, statement: str) -> int:
        return int(self.connection.execute(statement).fetchall()[0][0] or 0)

    def counts(self, statement: str) -> dict[str, int]:
        """The rows of a statement as (kind, how many)."""
        return {str(kind): int(rows) for kind, rows in self.connection.execute(statement).fetchall()}


def stage_platform(
    platform: Platform, content: Content, kind: str, options: ImportOptions, folder: Path, digest: str, progress: Progress | None = None
) -> Staged:
    """Read an export into `folder`. Raises Refusal when it holds no contact at all."""
    here = home.current()
    centre = Zone(here.timezone)
    work = Work(
        platform,
        content,
        options,
        Zone(options.timezone or here.timezone),
        centre,
        Pseudonyms.current(may_create=not options.dry_run),
        progress or (lambda done, share: None),
    )
    work.decide(
        "file",
        N_("recognised as an export of {platform}") if options.profile is None else N_("read as an export of {platform}, as asked for by --profile"),
        "",
        platform=platform.title,
    )
    records = folder / "records.parquet"
    rejected_rows = folder / "rejected.parquet"
    with pq.ParquetWriter(rejected_rows, _REJECTED) as refused:
        _write_records(work, records, refused)
        _write_refused(work, refused)
    rows = folder / "rows.parquet"
    staged_rows, columns = _fold(work, records, rows, kind, folder)
    if "customer_key" in columns:
        work.decide("customer", N_("replaced by pseudonyms: {columns}"), "", columns=platform.mapping["customer"])
    _say_clock_changes(work)
    if platform.finish:
        platform.finish(work)
    before = _find_some(records, rows) if options.dry_run else {}
    records.unlink()
    seen = work.records + sum(work.skipped.values()) + sum(work.reasons.values()) - work.notes.get("skipped_records", 0)
    return Staged(
        kind=kind,
        system=options.system or platform.name,
        profile=platform.name,
        file=content.path,
        digest=digest,
        folder=folder,
        rows=rows,
        rejected_rows=rejected_rows,
        headers=platform.shown,
        columns=columns,
        mapping={name: source for name, source in platform.mapping.items() if name in columns or name in ("customer", "date", "time")},
        dropped=(),
        defaults={name: value for name, value in platform.defaults.items() if name not in columns and kind == "contacts"},
        decisions=work.decisions,
        read=seen,
        staged=staged_rows,
        rejected=sum(work.reasons.values()),
        reasons=dict(sorted(work.reasons.items())),
        skipped_kinds=dict(sorted(work.skipped.items())),
        folded_kinds=dict(sorted(work.folded.items())),
        before=before,
        pseudonymised=tuple(source for name, source in platform.mapping.items() if name == "customer"),
    )


def _find_some(records: Path, rows: Path) -> dict[int, dict[str, str]]:
    """The record that stands for each of the first contacts, identities masked, to be shown beside what it became."""
    with pq.ParquetFile(rows) as file:
        lines = next(file.iter_batches(SHOWN_ROWS, columns=["line"]))["line"].to_pylist()
    found = pq.read_table(records, filters=[("line", "in", lines)]).to_pylist()
    return {
        record["line"]: {
            name: mask_cell(str(value)) if name == "customer_key" else str(value) for name, value in record.items() if name != "line" and value is not None
        }
        for record in found
    }


def _write_records(work: Work, path: Path, refused: pq.ParquetWriter) -> None:
    writer = None
    with ExitStack() as stack:
        for table in work.platform.read(work):
            if writer is None:
                writer = stack.enter_context(pq.ParquetWriter(path, work.platform.schema, compression="zstd", compression_level=1))
            writer.write_table(table)
            work.records += len(table)
            if len(work.refused) > RECORDS_AT_ONCE:
                _write_refused(work, refused)
    if not work.records:
        seen = ", ".join(f"{count} × {kind}" for kind, count in (work.skipped + work.reasons).most_common(8)) or "–"
        raise Refusal(
            "no_contacts",
            N_("{name} is an export of {platform}, but holds no call: {seen}. Export a period with calls."),
            name=work.content.name,
            platform=work.platform.title,
            seen=seen,
        )


def _fold(work: Work, records: Path, path: Path, kind: str, folder: Path) -> tuple[int, tuple[str, ...]]:
    """Fold part by part; returns the rows written and their columns."""
    group = work.platform.group
    parts = max(1, -(-work.records // RECORDS_PER_PART)) if group else 1
    written, writer = 0, None
    known: Counter[str] = Counter()
    connection = duckdb.connect(
        config={
            "memory_limit": MEMORY,
            "threads": 2,
            "temp_directory": str(folder / "spill"),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
    )
    before = sum(work.skipped.values())
    try:
        with ExitStack() as stack:
            for part in range(parts):
                where = f"WHERE hash({group}) % {parts} = {part}" if parts > 1 else ""
                connection.execute(f"CREATE OR REPLACE VIEW records AS SELECT * FROM read_parquet('{str(records).replace(chr(39), chr(39) * 2)}') {where}")
                result = connection.sql(work.platform.fold(Bench(connection, work)))
                for batch in result.to_arrow_reader(50_000):
                    if not len(batch):
                        continue
                    table = _finish(work, pa.Table.from_batches([batch]), kind)
                    for name in table.column_names:
                        known[name] += len(table) - table.column(name).null_count
                    if writer is None:
                        writer = stack.enter_context(pq.ParquetWriter(path, table.schema, compression="zstd", compression_level=1))
                    writer.write_table(table)
                    written += len(table)
                work.progress(work.records, 0.6 + 0.4 * (part + 1) / parts)
    finally:
        connection.close()
    work.notes["skipped_records"] = sum(work.skipped.values()) - before
    if writer is None:
        raise Refusal(
            "no_contacts",
            N_("{name} is an export of {platform}, but none of its records makes a whole call."),
            name=work.content.name,
            platform=work.platform.title,
        )
    work.fold("leg", work.records - written - sum(work.folded.values()) - work.notes["skipped_records"])
    # A column without any value is one that this export does not carry: it must not empty what other files have brought.
    return written, tuple(name for name in SCHEMAS[kind] if known[name])


def _finish(work: Work, table: pa.Table, kind: str) -> pa.Table:
    """The centre's wall clock beside UTC, and the types that rows of this kind have."""
    started = table.column("started_at").to_numpy().astype("M8[us]")
    columns = {name: table.column(name) for name in table.column_names}
    columns["local_start"] = pa.array(work.centre.to_local(started), MOMENT)
    if kind == "tracking" and "tracking_number" in columns:
        # The id of a call in the tracking tool is none of the telephony's: number and time join the two.
        columns["contact_id"] = pc.if_else(pc.is_valid(columns["tracking_number"]), pa.scalar(None, pa.string()), columns["contact_id"])
    declared = SCHEMAS[kind]
    names = [name for name in declared if name in columns]
    return pa.table([columns["line"].cast(pa.int64()), *(columns[name].cast(declared[name]) for name in names)], names=["line", *names])


def _write_refused(work: Work, writer: pq.ParquetWriter) -> None:
    width = len(work.platform.shown)
    cells = [(row + [""] * width)[:width] for _line, _reason, row in work.refused]
    if work.refused:
        writer.write_table(pa.table([[line for line, _r, _c in work.refused], [reason for _l, reason, _c in work.refused], cells], schema=_REJECTED))
    work.refused.clear()


def _say_clock_changes(work: Work) -> None:
    zone = work.zone
    if not work.platform.is_local:
        return
    work.decide("started_at", N_("times are on the clock of {zone}; --timezone says another"), "", zone=zone.name)
    say_clock_changes(work)


def from_epoch(value: Any, per_second: int = 1) -> datetime | None:
    """A count of seconds (or their parts) since 1970 as UTC without zone; None when it is none, or zero."""
    try:
        seconds = float(value) / per_second
        moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None) if seconds > 0 else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return moment if moment is None or FIRST_YEAR < moment.year < LAST_YEAR else None


_ONE_DIGIT = re.compile(r"^(\d{4}-\d{1,2}-)(\d)([T ])")


def from_iso(value: Any) -> datetime | None:
    """ISO 8601 with a zone as UTC without zone, or as it stands without one; None when it is no moment. `2021-04-2T…` will do."""
    if not isinstance(value, str) or not value.strip():
        return None
    text = _ONE_DIGIT.sub(r"\g<1>0\2\3", value.strip())
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment if FIRST_YEAR < moment.year < LAST_YEAR else None


def seconds_between(start: datetime | None, end: datetime | None) -> float | None:
    """How long from one moment to the other; None when either is missing or they are in the wrong order."""
    if start is None or end is None or end < start:
        return None
    return (end - start).total_seconds()


def as_number(value: Any) -> float | None:
    """A number that is not negative, however it is written; None when it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if 0 <= number < 1e12 else None


def mask(cells: Iterable[Any], identities: frozenset[int]) -> list[str]:
    """Cells for the quarantine, those at `identities` masked."""
    return [mask_cell(str(cell)) if index in identities and cell else str(cell if cell is not None else "") for index, cell in enumerate(cells)]
