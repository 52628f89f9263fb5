"""Reading of an export into staged rows: records without identities, folded into contacts."""

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from qa_core.base import environment
from qa_core.base.errors import Refusal, require_known
from qa_core.base.i18n import N_
from qa_core.base.progress import Progress, ignore_progress
from qa_core.files.archives import Content
from qa_core.files.decision import SET_BY_PERSON, VALUE, Decision
from qa_core.files.header_text import simplify
from qa_core.files.json_documents import JsonObjects
from qa_core.files.options import ImportOptions
from qa_core.files.readers import parse_delimiter
from qa_core.files.signatures import Sample, take_inner, take_sample
from qa_core.ingest.columns import date_order, taught_words, timestamps
from qa_core.ingest.columns.scalars import read_seconds
from qa_core.ingest.columns.timezones import Zone
from qa_core.ingest.columns.vocabulary import clean_cells
from qa_core.ingest.platforms import call_legs
from qa_core.ingest.platforms.declaration import Platform
from qa_core.ingest.platforms.fields import MOMENT, Cells, Item, RejectedRecord, SkippedRecord
from qa_core.ingest.profiles.contacts import require_only
from qa_core.ingest.staging import quarantine, reason_texts
from qa_core.ingest.staging.arrays import map_texts
from qa_core.ingest.staging.excluded_lines import PARTIES, ExcludedLines
from qa_core.ingest.staging.pseudonyms import (
    Pseudonyms,
    find_outside_number,
    mask_cell,
    normalise_numbers,
)
from qa_core.ingest.staging.staged import SCHEMAS, Staged, build_table, open_writer
from qa_core.ingest.staging.tally import ImportTally
from qa_core.storage.facts import duckdb_connection
from qa_core.storage.facts.schema import Direction, Handler, Outcome
from qa_core.storage.lake.tables import quote

Items = Iterator[tuple[int, Item]]
"""Objects or rows of an export, each with its number or line."""
AS_TABLE = ("--profile generic",)
"""The options that read the export of a platform as a plain table."""
RECORDS_AT_ONCE = 10_000
RECORDS_PER_PART = 1_000_000
RECORDS_SHARE = 0.6
"""Share of the reading that is done when all records are on disk."""
SHOWN_OF_A_CELL = 200
SHOWN_ROWS = 20
MEMORY = "350MB"
THREADS = 2
LOCAL_DATE = r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4} \d{1,2}:\d{2}"
"""A date in the order of a country, as a spreadsheet writes it."""
_ROUNDED = re.compile(r"(?:^|[;,\t|\"])(\d(?:[.,]\d+)?E\+\d\d)(?=$|[;,\t|\"\r])", re.MULTILINE)
_DECIMAL_COMMA = re.compile(r"^-?\d+,\d+$")
MAX_UNREAD = 0.01
"""Share of values that are not understood from which on the export asks."""
SHOWN_VALUES = 6
_LIKE_A_NUMBER = re.compile(r"^\+?[\d .()/_-]{6,}$")
_LIKE_AN_ID = re.compile(r"^\d{9,10}\.\d+$|^\d{4}-\d\d-\d\d")


@dataclass
class ExportReader:
    """Export being read: its source, clocks and pseudonyms, and counts."""

    platform: Platform
    content: Content
    options: ImportOptions
    zone: Zone
    centre: Zone
    pseudonyms: Pseudonyms
    progress: Progress
    lines: ExcludedLines
    excluded: set[int] = field(default_factory=set)
    """Lines of the records that have a number of an excluded line."""
    decisions: list[Decision] = field(default_factory=list)
    tally: ImportTally = field(default_factory=ImportTally)
    records: int = 0
    rejected: list[tuple[int, str, list[str]]] = field(default_factory=list)
    unread: dict[tuple[str, str], Counter[str]] = field(default_factory=dict)
    """Values that were not understood: column of the export, reason → how many of each."""
    notes: dict[str, Any] = field(default_factory=dict)

    def reject(self, line: int, reason: str, cells: Iterable[Any] = ()) -> None:
        """Reject a row; `cells` go with the platform's `shown`, and are kept but for identities."""
        self.tally.reject({reason: 1})
        shown = [
            mask_cell(str(cell))
            if name in self.platform.masked and cell
            else _mask_number(str(cell)[:SHOWN_OF_A_CELL])
            for name, cell in zip(self.platform.shown, cells, strict=False)
        ]
        self.rejected.append((int(line), reason, shown))

    def decide(self, field_name: str, decision: str, seen: object = "", **places: Any) -> None:
        self.decisions.append(Decision.of(field_name, decision, seen, **places))

    def refuse(
        self, code: str, message: str, options: tuple[str, ...] = (), **places: Any
    ) -> Refusal:
        """Build a refusal of the export, with the places `{name}` and `{platform}`."""
        names = {"name": self.content.name, "platform": self.platform.title}
        return Refusal(code, message, options, **names | places)

    def refuse_empty(self, options: tuple[str, ...] = ()) -> Refusal:
        """Build the refusal of an export without a complete call."""
        kinds = (self.tally.skipped_kinds + self.tally.reasons).most_common(8)
        seen = ", ".join(f"{count} × {reason_texts.describe(kind)}" for kind, count in kinds)
        return self.refuse(
            "no_contacts",
            "{name} looks like an export of {platform}, but holds no complete call: {seen}. "
            "Import the export itself, for a period with calls.",
            options=options,
            seen=seen or "–",
        )

    def report_share(self, share: float) -> None:
        """Report the share of the export that is read; folding completes the step."""
        self.progress(N_("Reading"), RECORDS_SHARE * share)

    def find_taught(self) -> list[Mapping[str, Any]]:
        """Find taught words by column. Raises Refusal for another column, Misuse for no meaning."""
        columns = self.platform.words
        names = [column.title for column in columns]
        handlers = {str(handler) for handler in Handler}  # of advisors and queues: `machines`
        given = {text: to for text, to in self.options.words.items() if to not in handlers}
        for text in given:
            if not any(simplify(text).startswith(simplify(name)) for name in names):
                raise self.refuse(
                    "unknown_column",
                    "{column} is not a column of words in an export of {platform}. Its "
                    "columns of words: {seen}.",
                    tuple(f"--word {name}:VALUE=MEANING" for name in names),
                    seen=", ".join(names) or "–",
                    column=text.partition(":")[0],
                )
        taught = taught_words.index_meanings(given, names)
        for index, words in taught.items():
            meanings = {"outcome": Outcome, "direction": Direction}[columns[index].field]
            for meaning in words.values():
                if meaning is not None:
                    require_known(meaning, meanings, "bad_word")
        return [taught.get(index, {}) for index in range(len(columns))]

    def _find_unread(
        self, item: Mapping[str, Any], taught: list[Mapping[str, Any]]
    ) -> list[tuple[tuple[str, str], str]]:
        """Replace taught words by their meanings; find values not understood."""
        unread = []
        for column, words in zip(self.platform.words, taught, strict=True):
            value = item.get(column.name)
            word = simplify(value) if isinstance(value, str) else ""
            if word in words:
                item[column.name] = words[word] or ""
            elif word and word not in column.known:
                unread.append(((column.title, "unknown_word"), value))
        for name in self.platform.durations:
            value = item.get(name)
            if value not in (None, "") and read_seconds(value) is None:
                unread.append(((name, "bad_duration"), str(value)))
        return unread

    @property
    def is_named(self) -> bool:
        """Return whether a person has named the platform for this very file or its layout."""
        return self.options.profile == self.platform.name and not self.options.is_stated

    def find_undeclared(self) -> dict[str, list[str]]:
        """Find the words that the platform does not declare, by column, taught ones too."""
        taught = zip(self.platform.words, self.find_taught(), strict=True)
        words = {column.title: list(known) for column, known in taught if known}
        for (name, _reason), values in self.unread.items():
            words.setdefault(name, []).extend(values)
        return words

    def require_understood(self) -> None:
        """Count values not understood as missing. Raises Refusal beyond a few, unless accepted."""
        for (name, reason), values in self.unread.items():
            self.tally.blanked.setdefault(name, Counter())[reason] += values.total()
            is_word = reason == "unknown_word"
            is_accepted = self.is_named and not is_word
            if values.total() <= MAX_UNREAD * self.records or is_accepted:
                continue
            shown = [value for value, _count in values.most_common(SHOWN_VALUES)]
            words = (f"--word {name}:{value}=MEANING" for value in shown if is_word)
            raise self.refuse(
                "unknown_words" if is_word else "unreadable_numbers",
                "{count} values of {column} are not understood as {platform} writes it: {seen}. "
                "Say what they mean, or accept them as missing.",
                options=tuple(words) or (f"--profile {self.platform.name}",),
                count=values.total(),
                column=name,
                seen=", ".join(shown),
            )

    def _reject_item(self, number: int, reason: str, item: Mapping[str, Any]) -> None:
        cells = [item.get(name) for name in self.platform.shown]
        plain = [cell if isinstance(cell, (str, int, float)) else "" for cell in cells]
        self.reject(number, reason, plain)

    @property
    def system(self) -> str:
        """System under whose name the contacts are kept."""
        return self.options.system or self.platform.name

    @cached_property
    def sample(self) -> Sample:
        return take_sample(self.content)

    def items(self) -> Items:
        """Yield objects by number, from 1, or rows of a table by line, keyed by plain header."""
        if self.sample.is_document:
            objects = JsonObjects(self.content)
            for number, item in enumerate(objects, 1):
                if not number % RECORDS_AT_ONCE:
                    self.report_share(objects.share)
                yield number, take_inner(item, self.platform.within)
            return
        header: list[str] = []
        for number, row in self.rows():
            if header:
                yield number, Cells(zip(header, row, strict=False))
            else:
                header = [simplify(cell) for cell in row]

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield the filled rows of a table by their line, cells trimmed; count blank ones
        and titles. Dates in the order of a country read as ISO 8601. Raises Refusal where a
        spreadsheet has rounded numbers, or where dates leave their order open.
        """
        readings = self._find_date_readings()
        rows = self._filled_rows()
        while block := list(islice(rows, RECORDS_AT_ONCE)):
            for index, reading in readings.items():
                _write_iso(block, index, reading)
            yield from block

    def _filled_rows(self) -> Iterator[tuple[int, list[str]]]:
        titles = _count_titles(self.sample.rows)
        for number, row in self._split_rows():
            filled = sum(map(bool, row))
            if not filled:
                self.tally.skip("blank")
            elif number <= titles:
                self.tally.skip("note")
            else:
                yield number, row

    def _split_rows(self) -> Iterator[tuple[int, list[str]]]:
        delimiter = parse_delimiter(self.options.delimiter) or self.sample.delimiter
        has_decimal_comma = delimiter == ";" or self.options.decimal == ","
        number = 0
        for text, share in self.content.read_line_blocks():
            self.require_whole_numbers(text)
            for line in text.splitlines():
                number += 1
                # Line by line: a quote that is never closed costs its own row alone.
                cells = csv.reader([line], delimiter=delimiter, skipinitialspace=True)
                row = [cell.strip() for cell in next(cells, [])]
                if has_decimal_comma and "," in line:
                    row = [
                        cell.replace(",", ".") if _DECIMAL_COMMA.match(cell) else cell
                        for cell in row
                    ]
                yield number, row
            self.report_share(share)

    def require_whole_numbers(self, text: str) -> None:
        """Raise Refusal for rounded ids, numbers or moments, which several calls may share."""
        rounded = _ROUNDED.search(text) if "E+" in text else None
        if rounded:
            raise self.refuse(
                "rounded_numbers",
                "A spreadsheet has rounded numbers in {name}, an export of {platform} (for "
                "example {example}). Calls and callers can no longer be distinguished. Import "
                "the export itself, as {platform} wrote it.",
                example=rounded[1],
            )

    def _find_date_readings(self) -> dict[int, timestamps.MomentReading]:
        """Find columns of dates in a country's order, and how to read each. Raises Refusal."""
        local = re.compile(LOCAL_DATE)
        dated = {
            index
            for row in self.sample.rows
            for index, cell in enumerate(row)
            if local.match(cell.strip())
        }
        evidence = {
            index: timestamps.MomentEvidence("started_at", self._name_column(index))
            for index in sorted(dated)
        }
        seconds: set[int] = set()
        rows = self._split_rows() if evidence else iter(())
        while block := list(islice(rows, RECORDS_AT_ONCE)):
            for index, seen in evidence.items():
                cells = clean_cells(_take_cells(block, index))
                cells = cells.filter(pc.match_substring_regex(cells, r"^\d.*\d:\d"))
                seen.add(cells)
                if pc.any(pc.match_substring_regex(cells, r":\d{2}:\d{2}")).as_py():
                    seconds.add(index)
        self.notes["local_dates"] = bool(evidence)
        if evidence and not seconds and not self.is_named:
            raise self.refuse(
                "seconds_lost",
                "A spreadsheet has cut the seconds from the times in {name}, an export of "
                "{platform}. Waiting times are off by up to a minute. Import the export "
                "itself, or accept it as it is.",
                options=(f"--profile {self.platform.name}",),
            )
        readings: dict[int, timestamps.MomentReading] = {}
        certain: list[tuple[str, str]] = []
        # The column whose order is sure goes first: the others follow it.
        for index in sorted(evidence, key=lambda index: not _is_certain(evidence[index])):
            readings[index], decisions = date_order.decide_reading(
                evidence[index], self.options.date_order, tuple(certain)
            )
            self.decisions += decisions
            order = readings[index].order or readings[index].short_order
            if order:
                certain.append((evidence[index].column, order))
        return readings

    def _name_column(self, index: int) -> str:
        """Find the header of a column, or its number where the export has none."""
        titles = _count_titles(self.sample.rows)
        first = self.sample.rows[titles] if len(self.sample.rows) > titles else []
        is_named = not any(re.match(LOCAL_DATE, cell.strip()) for cell in first)
        return first[index] if is_named and index < len(first) else str(index + 1)

    def tables(self, items: Items | None = None) -> Iterator[pa.Table]:
        """Build tables of the platform's schema from records of these items (default:
        all), some thousand at a time. A clear `customer` becomes its `customer_key`. An
        item of an unexpected shape is rejected.
        """
        records = self._build_records(items or self.items())
        while block := list(islice(records, RECORDS_AT_ONCE)):
            yield self._as_table(block)

    def _build_records(self, items: Items) -> Iterator[Item]:
        taught = self.find_taught()
        for number, item in items:
            try:
                unread = self._find_unread(item, taught)
                record = self.platform.build_record(number, item)
                if self.lines.is_in_record(item, [record.get(name) for name in PARTIES]):
                    self.excluded.add(record["line"])
                for value_kind, value in unread:
                    self.unread.setdefault(value_kind, Counter())[value] += 1
                yield record
            except SkippedRecord as skipped:
                self.tally.skip(str(skipped))
            except RejectedRecord as rejected:
                self._reject_item(number, str(rejected), item)
            except (AttributeError, KeyError, TypeError, ValueError):
                self._reject_item(number, "unexpected_shape", item)

    def _as_table(self, block: list[Mapping[str, Any]]) -> pa.Table:
        schema = self.platform.schema
        columns = []
        for item in schema:
            if item.name == "customer_key":
                numbers = [_as_cell(record.get("customer"), pa.string()) for record in block]
                columns.append(self.find_keys(pa.array(numbers, pa.string())))
                continue
            cells = [_as_cell(record.get(item.name), item.type) for record in block]
            columns.append(
                self._from_file_clock(cells) if item.type == MOMENT else pa.array(cells, item.type)
            )
        return pa.table(columns, schema=schema)

    def _from_file_clock(self, moments: list[datetime | None]) -> pa.Array:
        """Convert moments on the export's clock to UTC; those with a zone are UTC."""
        sure = np.array(
            [moment is not None and moment.tzinfo is not None for moment in moments], bool
        )
        unsure = sum(moment is not None for moment in moments) - int(sure.sum())
        self.notes["without_zone"] = self.notes.get("without_zone", 0) + unsure
        values = np.array([moment and moment.replace(tzinfo=None) for moment in moments], "M8[us]")
        local = np.where(sure, np.datetime64("NaT", "us"), values)
        return pa.array(np.where(sure, values, self.zone.to_utc(local)), MOMENT)

    def find_keys(self, values: pa.Array) -> pa.Array:
        """Find pseudonyms of callers; null for withheld numbers, extensions, channels and names."""
        encoded = values.dictionary_encode()
        texts = encoded.dictionary
        doubtful = pc.invert(pc.match_substring_regex(texts, r"^\+?\d{6,15}$"))
        outside_numbers = map_texts(find_outside_number, texts.filter(doubtful))
        outside = pc.replace_with_mask(texts, doubtful, outside_numbers)
        return pc.take(self.pseudonyms.find_keys(outside), encoded.indices)


def _count_titles(rows: list[list[str]]) -> int:
    """Count the rows above a table that fill less than half of its columns."""
    filled = [sum(bool(cell.strip()) for cell in row) for row in rows]
    most = max(filled, default=0)
    return next((index for index, count in enumerate(filled) if count * 2 >= most), 0)


def _take_cells(block: list[tuple[int, list[str]]], index: int) -> pa.Array:
    return pa.array(
        [row[index] if index < len(row) else None for _number, row in block], pa.string()
    )


def _is_certain(evidence: timestamps.MomentEvidence) -> bool:
    """Return whether one number of the dates is above 12 more often than the other."""
    first, second = (evidence.count_days("year_last", name) for name in ("a", "b"))
    return first != second


def _write_iso(
    block: list[tuple[int, list[str]]], column: int, reading: timestamps.MomentReading
) -> None:
    """Rewrite the dates of a column in ISO 8601; other cells stay."""
    dates = reading.read(clean_cells(_take_cells(block, column)))
    moments = dates.day.astype("M8[us]") + dates.clock
    texts = np.datetime_as_string(moments, unit="s")
    for index in np.flatnonzero(~np.isnat(moments)):
        row = block[index][1]
        row[column] = f"{texts[index].replace('T', ' ')}{'+00:00' if dates.fixed[index] else ''}"


def _mask_number(cell: str) -> str:
    """Mask a possible phone number in a rejected row, whose values may be in wrong columns."""
    return mask_cell(cell) if _LIKE_A_NUMBER.match(cell) and not _LIKE_AN_ID.match(cell) else cell


def _as_cell(value: Any, kind: pa.DataType) -> Any:
    """Convert a value to the type of its column; None for another shape."""
    if kind != pa.string():
        return value if not isinstance(value, (list, dict, str)) else None
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


@dataclass
class FoldSession:
    """Connection with the view `records` for a fold, and its export."""

    connection: duckdb.DuckDBPyConnection
    export: ExportReader

    def fold_legs(self, columns: Mapping[str, str], legs: str = "records", **places: str) -> str:
        """Build the SELECT of contacts from legs (`call_legs.fold_legs`)."""
        return call_legs.fold_legs(self.export.platform.schema, columns, legs, **places)

    def count(self, statement: str) -> int:
        return int(self.connection.execute(statement).fetchall()[0][0] or 0)

    def counts(self, statement: str) -> dict[str, int]:
        rows = self.connection.execute(statement).fetchall()
        return {str(kind): int(count) for kind, count in rows}


def report_lost_roots(session: FoldSession, ids: str) -> None:
    """Report the contacts in `roots` whose first leg is none of these ids (a SELECT)."""
    lost = session.count(f"SELECT count(DISTINCT root) FROM roots WHERE root NOT IN ({ids})")
    if lost:
        message = N_("the first part of these contacts has not come yet")
        session.export.decide("contact_id", message, lost)


def stage_platform(
    platform: Platform,
    content: Content,
    kind: str,
    options: ImportOptions,
    folder: Path,
    digest: str,
    progress: Progress = ignore_progress,
) -> Staged:
    """Read an export into `folder`. Raises Refusal for no contact, or for what it leaves open."""
    if kind == "contacts":
        require_only(options.only)
    here = environment.current()
    export = ExportReader(
        platform,
        content,
        options,
        Zone(options.timezone or (here.timezone if platform.is_local else "UTC")),
        Zone(here.timezone),
        Pseudonyms.current(may_create=not options.dry_run),
        progress,
        ExcludedLines.current(),
    )
    by_person = SET_BY_PERSON if options.profile else ""
    export.decide("file", "read as an export of {platform}", by_person, platform=platform.title)
    for field_name, message, columns_read in platform.remarks:
        export.decide(field_name, message, columns_read)
    _require_known_columns(export)
    records = folder / "records.parquet"
    rejected_rows = folder / "rejected.parquet"
    with pq.ParquetWriter(rejected_rows, quarantine.REJECTED_SCHEMA) as refused:
        _write_records(export, records, refused)
        _write_rejected(export, refused)
    export.require_understood()
    rows = folder / "rows.parquet"
    staged_rows, columns, legs = _fold(export, records, rows, kind, folder)
    if "customer_key" in columns:
        columns_of_customers = platform.mapping["customer"]
        export.decide("customer", "replaced by pseudonyms: {columns}", columns=columns_of_customers)
    for name, value in options.only.items():
        export.decide(name, VALUE, SET_BY_PERSON, value=value)
    if export.notes.get("without_zone"):
        export.decide("started_at", "read by the clock of {zone}", zone=export.zone.name)
        export.zone.describe_changes(export.decide)
    if platform.finish:
        platform.finish(export)
    undeclared = export.find_undeclared()
    before = _sample_records(records, rows)
    records.unlink()
    tally = export.tally
    tally.read = (
        export.records + tally.skipped + tally.rejected - export.notes.get("skipped_records", 0)
    )
    tally.require_identity(content.name, staged_rows)
    return Staged(
        kind=kind,
        system=export.system,
        profile=platform.name,
        file=content.path,
        digest=digest,
        folder=folder,
        rows=rows,
        rejected_rows=rejected_rows,
        headers=platform.shown,
        columns=columns,
        mapping={
            name: source
            for name, source in platform.mapping.items()
            if name in columns or name in ("customer", "date", "time")
        },
        defaults={
            name: value
            for name, value in platform.defaults.items()
            if name not in columns and kind == "contacts"
        },
        decisions=export.decisions,
        tally=tally,
        accepted=staged_rows,
        before=before,
        inferred=frozenset(
            {*undeclared, *(("started_at",) if export.notes.get("local_dates") else ())}
        ),
        words=undeclared,
        pseudonymised=(platform.mapping["customer"],) if "customer" in platform.mapping else (),
        legs=legs,
    )


def _require_known_columns(export: ExportReader) -> None:
    """Raise Refusal for options on columns, which the platform knows, and for unknown words."""
    options = export.options
    if any((options.columns, options.ignored, options.units, options.scales, options.start_date)):
        raise export.refuse(
            "columns_of_export",
            "{name} is an export of {platform}, whose columns are known. Leave out the "
            "columns, units, scales and first day that you set. Or read the file as a plain "
            "table with one contact per row.",
            options=AS_TABLE,
        )
    for column, words in zip(export.platform.words, export.find_taught(), strict=True):
        if words:
            said = ", ".join(f"{word} → {meaning or '–'}" for word, meaning in words.items())
            export.decide(
                column.field, "read as: {said}", SET_BY_PERSON, said=said, column=column.title
            )


def _sample_records(records: Path, rows: Path) -> dict[int, dict[str, str]]:
    """Find the records behind the first contacts, identities masked, to show them."""
    with pq.ParquetFile(rows) as file:
        lines = next(file.iter_batches(SHOWN_ROWS, columns=["line"]))["line"].to_pylist()
    sampled = pq.read_table(records, filters=[("line", "in", lines)]).to_pylist()
    return {
        record["line"]: {
            name: mask_cell(str(value)) if name == "customer_key" else str(value)
            for name, value in record.items()
            if name != "line" and value is not None
        }
        for record in sampled
    }


def _write_records(export: ExportReader, path: Path, refused: pq.ParquetWriter) -> None:
    with open_writer(path, export.platform.schema) as writer:
        tables = export.platform.read(export) if export.platform.read else export.tables()
        for table in tables:
            writer.write_table(table)
            export.records += len(table)
            if len(export.rejected) > RECORDS_AT_ONCE:
                _write_rejected(export, refused)
    if not export.records:
        raise export.refuse_empty(AS_TABLE if export.rejected else ())


def _fold(
    export: ExportReader, records: Path, path: Path, kind: str, folder: Path
) -> tuple[int, tuple[str, ...], list[dict[str, Any]]]:
    """Fold the records part by part. Returns the rows written, their columns, and legs to keep."""
    group, chain, legs = export.platform.group, export.platform.chain, []
    parts = max(1, -(-export.records // RECORDS_PER_PART)) if group else 1
    written, writer = 0, None
    known: Counter[str] = Counter()
    connection = duckdb_connection.connect(
        MEMORY, folder / "spill", threads=THREADS, preserve_order=True
    )
    before = export.tally.skipped
    try:
        if export.excluded and group:  # a leg on such a line excludes the whole contact
            legs_of = f"FROM read_parquet({quote(str(records))}) WHERE"
            theirs = f"{group} IN (SELECT {group} {legs_of} list_contains(?, line))"
            lines = connection.execute(f"SELECT line {legs_of} {theirs}", [[*export.excluded]])
            export.excluded |= {line for (line,) in lines.fetchall()}
        with ExitStack() as stack:
            for part in range(parts):
                where = f"WHERE hash({group}) % {parts} = {part}" if parts > 1 else ""
                source = f"read_parquet({quote(str(records))}) {where}"
                if chain:
                    count = call_legs.load_earlier_legs(
                        connection, export.platform, export.system, source
                    )
                    if count:
                        message = N_("joined with legs of the same contacts from other files")
                        export.decide("contact_id", message, count)
                else:
                    connection.execute(f"CREATE OR REPLACE VIEW records AS SELECT * FROM {source}")
                fold = export.platform.fold
                rows = fold(FoldSession(connection, export)) if fold else "SELECT * FROM records"
                result = connection.sql(call_legs.select_current(rows) if chain else rows)
                for batch in result.to_arrow_reader(50_000):
                    if not len(batch):
                        continue
                    table = _finish(export, pa.Table.from_batches([batch]), kind)
                    for name in table.column_names:
                        known[name] += len(table) - table.column(name).null_count
                    if writer is None:
                        writer = stack.enter_context(open_writer(path, table.schema))
                    writer.write_table(table)
                    written += len(table)
                legs += call_legs.find_incomplete(connection, chain, export.system) if chain else ()
                share = (part + 1) / parts
                export.progress(N_("Reading"), RECORDS_SHARE + (1 - RECORDS_SHARE) * share)
    finally:
        connection.close()
    export.notes["skipped_records"] = export.tally.skipped - before
    if writer is None:
        raise export.refuse_empty()
    export.tally.fold(
        "leg", export.records - written - export.tally.folded - export.notes["skipped_records"]
    )
    # A column without any value counts as absent from the export: it must not clear the
    # values of other files.
    return written, tuple(name for name in SCHEMAS[kind] if known[name]), legs


def _finish(export: ExportReader, table: pa.Table, kind: str) -> pa.Table:
    """Add the centre's wall clock, and cast the columns to the types of the kind."""
    started = table.column("started_at").to_numpy().astype("M8[us]")
    columns = {name: table.column(name) for name in table.column_names}
    columns["local_start"] = pa.array(export.centre.to_local(started), MOMENT)
    if export.lines and kind == "contacts":
        columns["excluded_line"] = pc.is_in(
            columns["line"].cast(pa.int64()), pa.array(export.excluded, pa.int64())
        )
    if "tracking_number" in columns:
        columns["tracking_number"] = normalise_numbers(columns["tracking_number"].combine_chunks())
    if kind == "tracking" and "tracking_number" in columns:
        # The id of a call in the tracking tool is none of the telephony's: number and time join.
        columns["contact_id"] = pc.if_else(
            pc.is_valid(columns["tracking_number"]),
            pa.scalar(None, pa.string()),
            columns["contact_id"],
        )
    declared = SCHEMAS[kind]
    for name, value in export.options.only.items():
        nothing = pa.nulls(len(table), declared[name])
        known = columns.get(name, nothing).cast(declared[name])
        columns[name] = pc.coalesce(known, pa.scalar(value, declared[name]))
    lines = columns["line"].cast(pa.int64())
    return export.pseudonyms.hide_numbers(build_table(kind, lines, columns))


def _write_rejected(export: ExportReader, writer: pq.ParquetWriter) -> None:
    quarantine.write_rejected(writer, export.rejected, len(export.platform.shown))
    export.rejected.clear()
