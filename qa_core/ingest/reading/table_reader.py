"""Reading of a file into staged rows: its table is found, its columns are inferred from
all their cells, and typed rows are written without any clear identity.
"""

import hashlib
import itertools
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from qa_core.base import environment
from qa_core.base.errors import Misuse, Refusal
from qa_core.base.i18n import N_
from qa_core.base.masking import ADDRESS_IN_ID
from qa_core.base.progress import Progress, ignore_progress
from qa_core.files import readers, workbooks
from qa_core.files.archives import Content, HeldContent, open_content, open_file
from qa_core.files.decision import Decision
from qa_core.files.header_text import simplify
from qa_core.files.options import ImportOptions
from qa_core.files.signatures import take_sample
from qa_core.files.text_blocks import RowBlock, build_block, read_blocks
from qa_core.ingest.columns import header_matching, header_rows, table_bounds, taught_words
from qa_core.ingest.columns.column_inference import FileContext, RowBatch
from qa_core.ingest.columns.timestamps import find_month, parse_period
from qa_core.ingest.columns.timezones import Zone, find_zones
from qa_core.ingest.columns.vocabulary import read_direction
from qa_core.ingest.platforms.declaration import Platform
from qa_core.ingest.platforms.reader import SHOWN_OF_A_CELL, SHOWN_ROWS, stage_platform
from qa_core.ingest.profiles.contacts import ZERO_COLUMNS
from qa_core.ingest.reading import registry
from qa_core.ingest.staging import quarantine
from qa_core.ingest.staging.arrays import find_matches, to_numpy
from qa_core.ingest.staging.declaration import Profile, ValueType
from qa_core.ingest.staging.excluded_lines import PARTIES, ExcludedLines
from qa_core.ingest.staging.pseudonyms import Pseudonyms, mask_cell
from qa_core.ingest.staging.staged import Staged, build_table, open_writer
from qa_core.ingest.staging.tally import ImportTally
from qa_core.ingest.words.tables import list_words
from qa_core.storage import lake
from qa_core.storage.facts.schema import Outcome

_MAXIMA = list_words("maxima")
MAX_NOTE = 200
"""Characters of a line beside the table that are read."""
SKIP_REASONS = ("footer", "not_given", "trial")
"""Reasons that are no fault of the row: it is skipped, not rejected."""
HARMLESS = re.compile(r"^(?:\d{1,5}(?:[.,]\d{1,3})?|(?:[\d./-]{8,10}[ T])?\d\d?:\d\d(?::\d\d)?)$")
"""Cell of an unused column that may be shown: a short number, a time; no day of birth."""
REFITTED_ROWS = 100
"""Rows looked at for columns whose cells are of another kind than their header."""


def stage(
    path: Path,
    kind: str,
    options: ImportOptions | None = None,
    progress: Progress = ignore_progress,
    system: str | None = None,
    digest: str | None = None,
    name: str = "",
) -> Staged:
    """Read one file of that kind; the caller must `discard()` the result. `system`: the
    source of rows where neither options nor rows name it, by default the profile's
    name. `digest`: the file's, if known; `name`: its own, if it is stored under another.
    Raises Refusal when it cannot be read reliably; no temporary file is left then.
    """
    path, options = Path(path), options or ImportOptions()
    digest = digest or compute_digest(path)
    is_period = kind == "intervals" and set(options.only) == {"period"}
    if options.only and kind != "contacts" and not is_period:
        raise Misuse("bad_only", "Only contacts can have one value set for all rows.")
    content = open_content(path, options.encoding)
    platform, export = _find_platform(content, kind, options)
    if platform is None:
        name_words = simplify(Path(name or path).stem).split()
        return _stage_table(content, kind, options, progress, system, digest, name_words)
    named = replace(options, system=options.system or system)
    with staging_folder(named) as folder:
        return stage_platform(platform, export, kind, named, folder, digest, progress)


def _find_platform(
    content: Content, kind: str, options: ImportOptions
) -> tuple[Platform | None, Content]:
    """Find the platform of an export, and its text: a sheet, where a spreadsheet has saved it."""
    if not workbooks.is_workbook(content):
        return registry.find_platform(take_sample(content), kind, options.profile), content
    for sheet in workbooks.find_sheets(content):
        if options.sheet not in (None, sheet["name"]):
            continue
        # Records without a header are known by their places, empty first ones among them.
        margin = [""] * sheet["first_column"]
        beginning = workbooks.write_rows([margin + row for row in sheet["rows"]])
        sample = take_sample(HeldContent(content.path, data=beginning))
        platform = registry.find_platform(sample, kind, options.profile)
        if platform is not None:
            _first, cells = workbooks.read_sheet(content, sheet["name"])
            rows = cells.splitlines(keepends=True)
            data = b"".join(b"," * len(margin) + row for row in rows)
            return platform, HeldContent(content.path, data=data)
    return None, content


def _stage_table(
    content: Content,
    kind: str,
    options: ImportOptions,
    progress: Progress,
    system: str | None,
    digest: str,
    name_words: Sequence[str],
) -> Staged:
    profile, source, sample, header, header_decisions = _find_table(content, kind, options)
    columns = header_matching.match_columns(
        profile, list(header.names), options.columns, options.ignored
    )
    rows = [row for line, row in sample if line > header.line][:REFITTED_ROWS]
    header_matching.refit_columns(profile, columns, options.columns, list(header.names), rows)
    taught = taught_words.index_meanings(options.words, header.names)
    taught_words.claim_columns(profile, taught, header.names, columns)
    letters = taught_words.teach_letters(taught, columns.values(), rows)
    here = environment.current()
    context = FileContext(
        profile,
        options,
        list(header.names),
        columns,
        Zone(options.timezone or here.timezone),
        Zone(here.timezone),
        Pseudonyms.current(may_create=not options.dry_run),
        taught,
        [*source.decisions, *header_decisions],
        notes={"file": name_words},
    )
    if letters:
        met, not_met = (letter.upper() for letter in letters)
        message = N_("{met} is all points of the criterion, {not_met} is none")
        context.decide("points", message, f"{met}, {not_met}", met=met, not_met=not_met)
    above = [row for line, row in sample if line < header.line]
    context.notes["beside"] = [" ".join(filter(None, row))[:MAX_NOTE] for row in above]
    if kind == "intervals":
        titles = header_rows.find_titles(above, profile)
        if source.title and not (parse_period(source.title) or find_month(source.title)):
            titles.setdefault("queue", source.title)
        context.notes["titles"] = {name: titles[name] for name in titles.keys() - columns}
    titles = dict(enumerate(header.constants, header.width - len(header.constants)))
    for name, column in columns.items():
        if column.index in titles:
            message = N_("{text}, from the title of the table")
            context.decide(name, message, text=titles[column.index])
            context.inferred.add(name)
    if header.row:
        header_line = header.line + source.line_offset
        context.decide(
            "file", "the header is on line {line}; the rows above it are titles", line=header_line
        )
    rows = _RowReader(source, header, context, progress)
    rows.infer()
    with staging_folder(options) as folder:
        staged = Staged(
            kind=kind,
            system=options.system or system or profile.name,
            profile=profile.name,
            file=content.path,
            digest=digest,
            folder=folder,
            rows=folder / "rows.parquet",
            rejected_rows=folder / "rejected.parquet",
            headers=header.names,
            defaults=context.defaults,
            decisions=context.decisions,
        )
        rows.write(staged)
        if kind == "contacts":
            null_out_zero_placeholders(staged, context)
        context.zone.describe_changes(context.decide)
        if profile.finish:
            profile.finish(context)
        named = {"file"} if header_decisions else set()
        staged.inferred = frozenset(context.find_inferred() | named)
        staged.time_missing = context.notes.get("time_missing", 0)
        staged.words, staged.settled = context.find_covered_words(), context.find_settled()
    return staged


def _find_table(
    content: Content, kind: str, options: ImportOptions
) -> tuple[Profile, readers.Source, list[tuple[int, list[str]]], table_bounds.HeaderRow, list]:
    """Find the profile, the rows, the first of them, and the header with its decisions."""
    profile = registry.get_profile(kind, options.profile)
    vocabulary = header_matching.build_vocabulary(profile.fields)
    source = readers.open_source(
        content, options, lambda rows: header_matching.score_rows(rows, vocabulary)
    )
    sample = source.sample(table_bounds.SAMPLE_ROWS)
    turned = []
    if header_rows.are_fields_in_rows([row for _line, row in sample], vocabulary):
        message = N_("the first column names the fields: each other column is read as a row")
        turned.append(Decision.of("file", message))
        rows = [*map(list, itertools.zip_longest(*(row for _line, row in sample), fillvalue=""))]
        source = readers.open_cells(workbooks.write_rows(rows), source.decisions)
        sample = source.sample(table_bounds.SAMPLE_ROWS)
    if options.profile is None:
        profile = registry.recognise_profile(kind, [row for _line, row in sample]) or profile
        vocabulary = header_matching.build_vocabulary(profile.fields)
    header = table_bounds.find_header(sample, vocabulary, tuple(options.columns.values()))
    header, header_decisions = header_rows.choose_table(header, source, vocabulary)
    if not header_decisions:
        header, header_decisions = header_rows.complete_header(header, sample, vocabulary)
    header = header_rows.join_date(header, sample)
    header = header_rows.add_titles(header, sample, profile, source.title)
    return profile, source, sample, header, [*turned, *header_decisions]


@dataclass(frozen=True)
class FileColumns:
    """System and headers of a file, the fields that they name (`mapping`: field → header), the
    headers of those that figures rest on, and those without a cell in the first rows; nothing of
    a file that cannot be read.
    """

    system: str = ""
    headers: tuple[str, ...] = ()
    mapping: Mapping[str, str] = field(default_factory=dict)
    deciding: frozenset[str] = frozenset()
    empty: frozenset[str] = frozenset()


def find_columns(
    path: Path, kind: str, options: ImportOptions, system: str | None = None
) -> FileColumns:
    """Find the columns of a file before it is read."""
    try:
        content = open_content(path, options.encoding)
        platform, _export = _find_platform(content, kind, options)
        if platform is not None:
            return FileColumns(options.system or system or platform.name, platform.shown)
        profile, _source, sample, header, _decisions = _find_table(content, kind, options)
    except (Refusal, OSError):
        return FileColumns()
    vocabulary = header_matching.build_vocabulary(profile.fields)
    hits = {
        text: hit[0]
        for text in reversed(header.names)
        if text not in options.ignored
        and (hit := header_matching.find_field(header_matching.parse_header(text), vocabulary))
    }
    named = {hit.name: text for text, hit in hits.items()}
    named |= {name: text for name, text in options.columns.items() if text in header.names}
    deciding = frozenset(text for text, hit in hits.items() if not hit.is_label)
    system = options.system or system or profile.name
    rows = [row for line, row in sample if line > header.line]
    names = header.names[: header.width - len(header.constants)]
    empty = {
        text
        for at, text in enumerate(names)
        if not any("".join(row[at : at + 1]).strip() for row in rows)
    }
    return FileColumns(system, header.names, named, deciding, frozenset(empty))


@contextmanager
def staging_folder(options: ImportOptions) -> Iterator[Path]:
    """Open a folder for temporary files, which is removed if the work fails; in a dry run
    outside the home, which must not change. The process in its name tells whether
    its owner is still alive.
    """
    maker = environment.name_process()
    if options.dry_run:
        folder = Path(tempfile.mkdtemp(prefix=f"{lake.TRIAL}-{maker}-"))
    else:
        temporary = environment.current().temporary_folder
        temporary.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder = Path(tempfile.mkdtemp(prefix=f"staged-{maker}-", dir=temporary))
    try:
        yield folder
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def compute_digest(path: Path) -> str:
    with open_file(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _RowReader:
    """Rows of one file, read twice: to infer from whole columns, then to write."""

    def __init__(
        self,
        source: readers.Source,
        header: table_bounds.HeaderRow,
        context: FileContext,
        progress: Progress,
    ) -> None:
        self.source, self.header, self.context = source, header, context
        self._progress = progress
        self._start()

    def _start(self) -> None:
        self._tally = ImportTally()
        self._odd_rows: list[tuple[int, str, list[str]]] = []
        self._addresses = 0
        self._shorter = 0
        self._notes: Counter[int] = Counter()
        self._last_line = self._last_short = -1

    def _read_blocks(self, half: int) -> Iterator[RowBlock]:
        """Yield the data rows, as wide as the header; count or keep the others."""
        constants = self.header.constants
        width = self.header.width - len(constants)
        key_fields = {name for group in self.context.profile.needs for name in group}
        key = tuple(
            column.index
            for name, column in self.context.columns.items()
            if name in key_fields and column.index < width
        )
        self._start()
        for block in read_blocks(self.source, self.header.line, width):
            if self.header.span:
                block = block.clear_outside(*self.header.span)
            self._tally.read += len(block.lines) + len(block.odd_rows)
            last_odd = [line for line, _row in block.odd_rows[-1:]]
            self._last_line = max(self._last_line, *block.lines[-1:].tolist(), *last_odd)
            parts = self.header.date_parts
            for rows in self._select_data(block, width, key):
                rows = rows.join_date(*parts) if parts else rows
                yield rows.append(constants) if constants else rows
            self._progress(N_("Reading"), (half + block.share) / 2)

    def _select_data(self, block: RowBlock, width: int, key: tuple[int, ...]) -> Iterator[RowBlock]:
        block = self._drop_header_rows(block)
        without_key = _is_blank(block.cells[key[0] if key else 0])
        summaries: set[int] = set()
        if self._find_moments() & set(
            key[:1]
        ):  # `Total` under a date is no value of the columns beside it
            without_key |= ~find_matches(block.cells[key[0]], r"\d")
        elif moments := self._find_moments():  # a total under an id has no time
            timeless = np.logical_and.reduce([_is_blank(block.cells[at]) for at in moments])
            places = np.flatnonzero(timeless)
            summaries |= {at for at in places if self._is_summary(block.row(int(at)))}
            without_key[[*summaries]] = True
        if without_key.any():
            blank = np.logical_and.reduce([_is_blank(column) for column in block.cells])
            self._tally.skip("blank", blank.sum())
            keep = ~blank
            for index in np.flatnonzero(without_key & keep):
                row = block.row(index)
                if self._names_maxima(row):
                    continue
                if index in summaries:
                    keep[index] = False
                    self._tally.skip("footer")
                else:
                    keep[index] = not self._classify_odd_row(
                        int(block.lines[index]), row, width, key
                    )
            block = block.filter(keep, block.odd_rows)
        padded = [
            (line, (row + [""] * (width - len(row)))[:width])
            for line, row in block.odd_rows
            if not self._classify_odd_row(line, row, width, key)
        ]
        if len(block.lines):
            yield block
        if padded:
            yield build_block(*zip(*padded, strict=True), [], width, block.share)

    def _find_moments(self) -> set[int]:
        columns = self.context.columns.values()
        moments = {item.index for item in columns if item.field.value_type == ValueType.MOMENT}
        return moments & {*range(self.header.width - len(self.header.constants))}

    def _is_summary(self, row: list[str]) -> bool:
        """Return whether a row without a time is named like a total or a header, and all its
        other cells are numbers.
        """
        first, *rest = [*filter(None, map(str.strip, row)), ""]
        is_named = simplify(first) in map(simplify, self.header.names)
        is_named |= table_bounds.is_footer(row)
        return is_named and not any(map(str.isalpha, "".join(rest)))

    def _names_maxima(self, row: list[str]) -> bool:
        """Return whether a row of an evaluation sheet says what its criteria are out of."""
        first = next(filter(None, (cell.strip() for cell in row)), "")
        return self.context.profile.kind == "evaluations" and simplify(first) in _MAXIMA

    def _drop_header_rows(self, block: RowBlock) -> RowBlock:
        header, offset = self.header, self.source.line_offset
        named = next(index for index, name in enumerate(header.raw) if name and header.names[index])
        suspect = np.isin(block.lines, [line + offset for line in header.second_rows])
        suspect |= to_numpy(
            pc.equal(pc.utf8_trim_whitespace(block.cells[named]), header.raw[named])
        ).astype(bool)
        keep = np.ones(len(block.lines), bool)
        for index in np.flatnonzero(suspect):
            keep[index] = not self._skip_header(int(block.lines[index]), block.row(int(index)))
        odd = [(line, row) for line, row in block.odd_rows if not self._skip_header(line, row)]
        return block if keep.all() and len(odd) == len(block.odd_rows) else block.filter(keep, odd)

    def _skip_header(self, line: int, row: list[str]) -> bool:
        header = self.header
        first, last = header.span or (0, header.width)
        kind = header.second_rows.get(line - self.source.line_offset)
        names = [*header.raw, *[""] * header.width][first : min(last, max(len(row), first))]
        if kind is None and [cell.strip() for cell in row[first:last]] == names:
            kind = "header"
        if kind:
            self._tally.skip(kind)
        return kind is not None

    def _classify_odd_row(
        self, line: int, row: list[str], width: int, key: tuple[int, ...]
    ) -> bool:
        self._require_one_table(line, row)
        kind = table_bounds.classify_row(row, width, key)
        if kind in ("blank", "note", "footer"):
            self._tally.skip(kind)
            self._notes.update([index for index, cell in enumerate(row) if kind == "note" and cell])
            text = " ".join(filter(None, row))[:MAX_NOTE]
            lines = self.context.notes["beside"]
            if (find_zones(text) or read_direction(text)) and text not in lines:
                lines.append(text)
        elif kind:
            self._odd_rows.append((line, kind, row))
        elif len(row) < width:
            self._shorter += 1
            self._last_short = line
        return kind is not None

    def _require_one_table(self, line: int, row: list[str]) -> None:
        """Raise Refusal where a line names another queue or team than the title of the table."""
        titles = self.context.notes.get("titles", {})
        others = header_rows.find_titles([row], self.context.profile) if titles else {}
        for name in others.keys() & titles:
            if others[name] != titles[name]:
                raise Refusal(
                    "several_tables",
                    "Line {line} begins a table of {other}, after the table of {first}. Put each "
                    "table in a separate file.",
                    line=line,
                    other=others[name],
                    first=titles[name],
                )

    def infer(self) -> None:
        """Read every value of the columns to infer, then decide. Raises Refusal."""
        context = self.context
        context.start_evidence()
        seen = 0
        for block in self._read_blocks(0):
            seen += len(block.lines)
            for name in context.evidence:
                context.add_evidence(name, block.cells[context.columns[name].index])
            context.look_at_unread(block.cells)
            context.add_sample(block.lines, block.cells)
        if not seen:
            raise self._refuse_headers_only()
        self._require_no_groups()
        context.notes["mapping"] = {
            name: column.header.text for name, column in context.columns.items()
        }
        context.decide_readings()
        context.profile.decide_columns(context)

    def _require_no_groups(self) -> None:
        """Raise Refusal where a column is empty but for lines that name the group of rows below."""
        for name in filter(self.context.has, ("advisor", "advisor_name", "queue", "team", "date")):
            column = self.context.columns[name]
            if self._notes[column.index] and not len(self.context.sample_cells(column.index)):
                raise Refusal(
                    "grouped_rows",
                    "{column} stands only in {count} lines above groups of rows. Write it in each "
                    "row, or export the list without groups.",
                    column=column.header.text,
                    count=self._notes[column.index],
                )

    def write(self, staged: Staged) -> None:
        """Write typed and rejected rows to the temporary files, and count them."""
        context = self.context
        schema: pa.Schema | None = None
        accepted_lines = 0
        with ExitStack() as stack:
            rejected_file = stack.enter_context(
                pq.ParquetWriter(staged.rejected_rows, quarantine.REJECTED_SCHEMA)
            )
            writer: pq.ParquetWriter | None = None
            excluded = ExcludedLines.current() if staged.kind == "contacts" else None
            used = context.used
            for block in self._read_blocks(1):
                batch = RowBatch(
                    context,
                    block.lines,
                    {index: context.clean_cells(index, block.cells[index]) for index in used},
                )
                self._reject_cut_row(batch)
                self._reject_dated_totals(batch, block)
                built = context.profile.build(context, batch)
                if excluded:
                    parties = batch.read_texts(*PARTIES).values()
                    built |= {"excluded_line": pa.array(excluded.find_rows(block.cells, parties))}
                self._mark_footers(batch, block)
                keep = batch.reasons == None  # noqa: E711 (element by element)
                lines = built.get("line", pa.array(batch.lines, pa.int64()))
                table = build_table(staged.kind, lines, built)
                accepted = table = context.pseudonyms.hide_numbers(table)
                if "contact_id" in table.column_names:
                    is_address = pc.match_substring_regex(table["contact_id"], ADDRESS_IN_ID)
                    self._addresses += pc.sum(is_address).as_py() or 0
                if not keep.all():
                    lines = table.column("line").to_numpy()
                    accepted = table.filter(pa.array(np.isin(lines, block.lines[keep])))
                accepted_lines += int(keep.sum())
                if writer is None:
                    schema = accepted.schema
                    writer = stack.enter_context(open_writer(staged.rows, schema))
                writer.write_table(accepted.cast(schema))
                self._sample_rows(staged, block, keep)
                skipped = np.isin(batch.reasons[~keep], SKIP_REASONS)
                self._tally.skipped_kinds.update(batch.reasons[~keep][skipped].tolist())
                bad = np.flatnonzero(~keep)[~skipped]
                self._tally.reasons.update(batch.reasons[bad].tolist())
                rows = [(int(block.lines[at]), batch.reasons[at], block.row(at)) for at in bad]
                self._write_rejected(rejected_file, rows)
            self._tally.reasons.update(reason for _line, reason, _row in self._odd_rows)
            self._write_rejected(rejected_file, self._odd_rows)
        if schema is None:
            raise self._refuse_headers_only()
        self._describe(staged, schema, accepted_lines)

    def _refuse_headers_only(self) -> Refusal:
        return Refusal(
            "headers_only",
            "The file has headers but no data rows. Headers: {seen}. Export it again with its "
            "rows.",
            seen=header_matching.format_headers(list(self.header.names)),
        )

    def _describe(self, staged: Staged, schema: pa.Schema, accepted: int) -> None:
        context = self.context
        staged.tally, staged.accepted = self._tally, accepted
        staged.tally.blanked = context.blanked
        staged.guesses = frozenset(context.guesses)
        staged.tally.require_identity(staged.file.name, accepted)
        staged.columns = tuple(name for name in schema.names if name != "line")
        staged.mapping = {
            name: context.headers[column.index] for name, column in context.columns.items()
        }
        used = context.used
        staged.dropped = tuple(
            text for at, text in enumerate(context.headers) if text and at not in used
        )
        ignored, unknown = context.ignored, [text for _at, text in context.find_unused()]
        if ignored:
            names = [context.headers[index] for index in sorted(ignored)]
            ignored_names = header_matching.format_headers(names)
            context.decide("file", "left aside by you: {columns}", columns=ignored_names)
        if unknown:
            names = header_matching.format_headers(unknown)
            context.decide("file", "Columns not used: {columns}", columns=names)
        staged.pseudonymised = tuple(
            column.header.text for column in context.columns.values() if column.field.is_identity
        )
        if staged.pseudonymised:
            context.decide(
                "customer",
                "replaced by pseudonyms: {columns}",
                columns=", ".join(staged.pseudonymised),
            )
        if self._addresses:
            message = N_("e-mail addresses in ids stay: if customers have them, export another id")
            context.decide("contact_id", message, self._addresses)
        if self._shorter:
            context.decide("file", "cells missing at the end of a row are empty", self._shorter)

    def _reject_cut_row(self, batch: RowBatch) -> None:
        is_short = self._last_line == self._last_short == batch.lines[-1]
        if is_short and not self.source.ends_with_newline:
            batch.reject(np.arange(len(batch)) == len(batch) - 1, "cut_row")

    def _reject_dated_totals(self, batch: RowBatch, block: RowBlock) -> None:
        """Reject totals that stand before a date in its column: `Total 13/03/2026`."""
        for place in self._find_moments():
            batch.reject(find_matches(block.cells[place], table_bounds.FOOTER), "footer")

    def _mark_footers(self, batch: RowBatch, block: RowBlock) -> None:
        moments = self._find_moments()
        for index in np.flatnonzero(batch.reasons != None):  # noqa: E711 (element by element)
            row = block.row(index)
            labels = [row, *([row[place]] for place in moments)]  # `Total` under a time
            if batch.reasons[index] != "not_given" and any(map(table_bounds.is_footer, labels)):
                batch.reasons[index] = "footer"

    def _sample_rows(self, staged: Staged, block: RowBlock, keep: np.ndarray) -> None:
        """Keep the first rows as they are in the file, identities masked, to show them."""
        shown = self._find_shown_columns()
        for index in np.flatnonzero(keep)[: SHOWN_ROWS - len(staged.before)]:
            row = block.row(int(index))
            staged.before[int(block.lines[index])] = {
                column.header.text: row[column.index].strip()[:SHOWN_OF_A_CELL]
                if column.index in shown
                else mask_cell(row[column.index].strip())
                for column in self.context.columns.values()
            }
            for at in set(range(len(row))) - self.context.used:
                if self.context.headers[at] and (cell := row[at].strip()):
                    cells = staged.unused_cells.setdefault(self.context.headers[at], [])
                    cells.append(cell if HARMLESS.match(cell) else mask_cell(cell))

    def _find_shown_columns(self) -> set[int]:
        return {
            column.index
            for column in self.context.columns.values()
            if not column.field.is_identity
            and column.field.name not in ("survey_comment", "comment")
        }

    def _write_rejected(
        self, writer: pq.ParquetWriter, rows: list[tuple[int, str, list[str]]]
    ) -> None:
        shown = self._find_shown_columns()
        masked = []
        for line, reason, row in rows:
            cells = [
                cell[:SHOWN_OF_A_CELL] if index in shown else mask_cell(cell.strip())
                for index, cell in enumerate(row)
            ]
            masked.append((line, reason, cells))
        quarantine.write_rejected(writer, masked, self.header.width)


def null_out_zero_placeholders(staged: Staged, context: FileContext) -> None:
    """Clear the zeros of a column where every unanswered contact has 0: they measure nothing."""
    names = [name for name in ZERO_COLUMNS if name in staged.columns]
    if "outcome" not in staged.columns or not names:
        return
    with pq.ParquetFile(staged.rows) as file:
        counts = {name: [0, 0] for name in names}
        for batch in file.iter_batches(columns=["outcome", *names]):
            unanswered = _find_unanswered(batch)
            for name in names:
                values = batch.column(name).filter(unanswered).drop_null()
                counts[name][0] += len(values)
                counts[name][1] += pc.sum(pc.equal(values, 0)).as_py() or 0
        emptied = [name for name in names if counts[name][0] and counts[name][0] == counts[name][1]]
        if not emptied:
            return
        replaced = staged.rows.with_name("rows-without-zeros.parquet")
        with open_writer(replaced, file.schema_arrow) as writer:
            for batch in file.iter_batches():
                unanswered = _find_unanswered(batch)
                for name in (*emptied, "csat_scale") if "csat" in emptied else emptied:
                    index = batch.schema.get_field_index(name)
                    values = batch.column(index)
                    cleared = pc.if_else(unanswered, pa.scalar(None, values.type), values)
                    batch = batch.set_column(index, batch.schema.field(index), cleared)
                writer.write_batch(batch)
    replaced.replace(staged.rows)
    for name in emptied:
        context.decide(name, "0 on unanswered contacts is read as not measured", counts[name][0])
    context.inferred.update(emptied)


def _is_blank(cells: pa.Array) -> np.ndarray:
    return find_matches(cells, r"^\s*$")


def _find_unanswered(batch: pa.RecordBatch) -> pa.Array:
    outcome = batch.column("outcome")
    return pc.fill_null(pc.not_equal(outcome, Outcome.ANSWERED.value), False)
