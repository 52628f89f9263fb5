"""From a file to staged rows: found, recognised, inferred on the whole column, typed, and written without any clear identity."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from qa_core import home
from qa_core.errors import Refusal
from qa_core.facts import Outcome
from qa_core.ingest import mapping, readers, tables, words
from qa_core.ingest.chunks import Chunk, Context
from qa_core.ingest.clock import Zone
from qa_core.ingest.identity import Pseudonyms, mask_cell
from qa_core.ingest.options import ImportOptions
from qa_core.ingest.profiles import get_profile
from qa_core.ingest.profiles.contacts import ZERO_COLUMNS
from qa_core.ingest.staged import SCHEMAS, Decision, Staged
from qa_core.wording import N_

ROWS_AT_ONCE = 25_000
SHOWN_OF_A_CELL = 200
_REJECTED = pa.schema([("line", pa.int64()), ("reason", pa.string()), ("cells", pa.list_(pa.string()))])

Progress = Callable[[int, float], None]
"""Called with the rows done, and what share of the reading is behind (0–1)."""


def stage(path: Path, kind: str, options: ImportOptions | None = None, progress: Progress | None = None) -> Staged:
    """Read one file of that kind. The temporary files of the result are the caller's to `discard()`.

    Raises Refusal when the file cannot be read rightly; nothing is left behind then.
    """
    path, options = Path(path), options or ImportOptions()
    profile = get_profile(kind, options.profile)
    vocabulary = mapping.build_vocabulary(profile.fields)
    source = readers.open_source(path, options, lambda rows: max((mapping.count_known(row, vocabulary) for row in rows), default=0))
    header = tables.find_header(source.sample(tables.SAMPLE_ROWS), vocabulary, tuple(options.columns.values()))
    columns = mapping.recognise(profile, list(header.names), options.columns)
    here = home.current()
    context = Context(
        profile, options, list(header.names), columns, Zone(options.timezone or here.timezone), Zone(here.timezone), Pseudonyms.current(), list(source.decisions)
    )
    if header.row:
        context.decisions.append(Decision("file", N_("the header is on line {line}; the rows above it are titles"), "", (("line", header.line),)))
    rows = _Rows(source, header, context, progress)
    rows.infer()
    here.temporary_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(prefix="staged-", dir=here.temporary_folder))
    staged = Staged(
        kind=kind,
        system=options.system or profile.name,
        profile=profile.name,
        file=path,
        digest=find_digest(path),
        folder=folder,
        rows=folder / "rows.parquet",
        rejected_rows=folder / "rejected.parquet",
        headers=header.names,
        columns=(),
        mapping={},
        dropped=(),
        defaults=context.defaults,
        decisions=context.decisions,
    )
    try:
        rows.write(staged)
        if kind == "contacts":
            unwrite_zeros(staged, context)
        if profile.finish:
            profile.finish(context)
    except BaseException:
        staged.discard()
        raise
    return staged


def find_digest(path: Path) -> str:
    """SHA-256 of the file as it is."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Rows:
    """The rows of one file, read twice: to infer on whole columns, then to write."""

    def __init__(self, source: readers.Source, header: tables.Header, context: Context, progress: Progress | None) -> None:
        self.source, self.header, self.context = source, header, context
        self._progress = progress or (lambda done, share: None)
        self._skipped: Counter[str] = Counter()
        self._misfits: list[tuple[int, str, list[str]]] = []
        self._read = 0
        self._shorter = 0
        self._last_line = self._last_short = -1

    def _blocks(self, half: int) -> Iterator[tuple[np.ndarray, list[list[str]]]]:
        """Data rows, all as wide as the header, with their lines; other rows are counted or kept as misfits."""
        width, offset = self.header.width, self.source.line_offset
        key = tuple(column.index for name, column in self.context.columns.items() if name in self._key_fields())
        quick = key[0] if key else 0
        self._skipped, self._misfits, self._read, self._shorter = Counter(), [], 0, 0
        with self.source.rows() as (reader, share):
            for _number in range(self.header.row + 1):
                next(reader)
            lines: list[int] = []
            block: list[list[str]] = []
            row: list[str] = []
            for row in reader:
                self._read += 1
                if len(row) != width or not row[quick]:
                    found = tables.classify(row, width, key)
                    if found in ("blank", "note", "footer"):
                        self._skipped[found] += 1
                        continue
                    if found:
                        self._misfits.append((reader.line_num + offset, found, row))
                        continue
                    if len(row) < width:
                        self._shorter += 1
                        self._last_short = reader.line_num + offset
                    row = (row + [""] * (width - len(row)))[:width]
                block.append(row)
                lines.append(reader.line_num + offset)
                if len(block) == ROWS_AT_ONCE:
                    yield np.array(lines, np.int64), block
                    self._progress(self._read, (half + share()) / 2)
                    lines, block = [], []
            self._last_line = reader.line_num + offset
            if block:
                yield np.array(lines, np.int64), block
            self._progress(self._read, (half + 1) / 2)

    def _key_fields(self) -> set[str]:
        return {name for group in self.context.profile.needs for name in group}

    def infer(self) -> None:
        """Look at every value of the columns that must be inferred, then decide. Raises Refusal."""
        context = self.context
        context.start_evidence()
        seen = 0
        for _lines, block in self._blocks(0):
            seen += len(block)
            cells = list(zip(*block, strict=True))
            for name, evidence in context.evidence.items():
                values = words.clean(list(cells[context.columns[name].index]))
                is_word = isinstance(evidence, words.WordEvidence)
                evidence.add(values if is_word else words.without_notes(values))
        if not seen:
            raise Refusal("headers_only", N_("The file has headers but no row of data. Seen: {seen}. Export it again with its rows."), seen=mapping.show(list(self.header.names)))
        context.notes["mapping"] = {name: column.header.text for name, column in context.columns.items()}
        context.decide_readings()
        context.profile.settle(context)

    def write(self, staged: Staged) -> None:
        """Type the rows and write them and the refused ones to the temporary files; fill in the counts."""
        context, reasons = self.context, Counter()
        schema: pa.Schema | None = None
        kept_lines = 0
        with ExitStack() as stack:
            refused = stack.enter_context(pq.ParquetWriter(staged.rejected_rows, _REJECTED))
            writer: pq.ParquetWriter | None = None
            used = {column.index for column in context.columns.values()}
            for lines, block in self._blocks(1):
                raw = list(zip(*block, strict=True))
                chunk = Chunk(context, lines, {index: words.clean(list(raw[index])) for index in used})
                built = context.profile.build(context, chunk)
                self._refuse_cut_row(chunk)
                self._count_footers(chunk, block)
                keep = np.array([reason is None for reason in chunk.reasons], bool)
                table = _as_table(staged.kind, chunk, built)
                kept = table.filter(pa.array(np.isin(table.column("line").to_numpy(), lines[keep]))) if not keep.all() else table
                kept_lines += int(keep.sum())
                if writer is None:
                    schema = kept.schema
                    writer = stack.enter_context(pq.ParquetWriter(staged.rows, schema, compression="zstd", compression_level=1))
                writer.write_table(kept.cast(schema))
                bad = np.flatnonzero([reason not in (None, "footer", "not_given") for reason in chunk.reasons])
                reasons.update(chunk.reasons[bad].tolist())
                self._skipped.update(chunk.reasons[[index for index, reason in enumerate(chunk.reasons) if reason in ("footer", "not_given")]].tolist())
                self._write_refused(refused, [(int(lines[index]), chunk.reasons[index], block[index]) for index in bad])
            reasons.update(reason for _line, reason, _row in self._misfits)
            self._write_refused(refused, self._misfits)
        if schema is None:
            raise Refusal("headers_only", N_("The file has headers but no row of data. Seen: {seen}. Export it again with its rows."), seen=mapping.show(list(self.header.names)))
        self._fill_in(staged, schema, kept_lines, reasons)

    def _fill_in(self, staged: Staged, schema: pa.Schema, kept: int, reasons: Counter[str]) -> None:
        context = self.context
        staged.read, staged.staged, staged.rejected = self._read, kept, sum(reasons.values())
        staged.reasons = dict(sorted(reasons.items()))
        staged.skipped_kinds = dict(sorted(self._skipped.items()))
        staged.columns = tuple(name for name in schema.names if name != "line")
        staged.mapping = {name: context.headers[column.index] for name, column in context.columns.items()}
        used = {column.index for column in context.columns.values()}
        staged.dropped = tuple(name for index, name in enumerate(context.headers) if name and index not in used)
        if staged.dropped:
            context.decisions.append(Decision("file", N_("not kept: {columns}"), N_("no field of {kind} is recognised in them"), (("columns", mapping.show(list(staged.dropped))), ("kind", staged.kind))))
        hidden = [name for name, column in context.columns.items() if column.field.is_identity]
        if hidden:
            context.decisions.append(Decision("customer", N_("replaced by pseudonyms: {columns}"), "", (("columns", ", ".join(context.columns[name].header.text for name in hidden)),)))
        if self._shorter:
            context.decisions.append(Decision("file", N_("cells missing at the end of a row are empty"), N_("{count} rows shorter than the header"), (("count", self._shorter),)))

    def _refuse_cut_row(self, chunk: Chunk) -> None:
        """A file cut in the middle ends in a row without its end."""
        if self.source.ends_with_newline or self._last_short != self._last_line or chunk.lines[-1] != self._last_line:
            return
        last = np.zeros(len(chunk), bool)
        last[-1] = True
        chunk.reject(last, "cut_row")

    def _count_footers(self, chunk: Chunk, block: list[list[str]]) -> None:
        for index in np.flatnonzero(chunk.reasons != None):  # noqa: E711 (element by element)
            if chunk.reasons[index] != "not_given" and tables.is_footer(block[index]):
                chunk.reasons[index] = "footer"

    def _write_refused(self, writer: pq.ParquetWriter, rows: list[tuple[int, str, list[str]]]) -> None:
        if not rows:
            return
        width = self.header.width
        shown = {column.index for column in self.context.columns.values() if not column.field.is_identity and column.field.name not in ("survey_comment", "comment")}
        masked = [[(cell[:SHOWN_OF_A_CELL] if index in shown else mask_cell(cell.strip())) for index, cell in enumerate((row + [""] * width)[:width])] for _line, _reason, row in rows]
        writer.write_table(pa.table([[line for line, _r, _c in rows], [reason for _l, reason, _c in rows], masked], schema=_REJECTED))


def _as_table(kind: str, chunk: Chunk, built: dict[str, pa.Array]) -> pa.Table:
    declared = SCHEMAS[kind]
    lines = built.get("line", pa.array(chunk.lines, pa.int64()))
    names = [name for name in declared if name in built]
    return pa.table([lines, *(built[name].cast(declared[name]) for name in names)], names=["line", *names])


def unwrite_zeros(staged: Staged, context: Context) -> None:
    """Some files write 0 where nobody answered. Where every unanswered contact has 0, it is no measure: it becomes missing."""
    names = [name for name in ZERO_COLUMNS if name in staged.columns]
    if "outcome" not in staged.columns or not names:
        return
    with pq.ParquetFile(staged.rows) as file:
        counts = {name: [0, 0] for name in names}
        for batch in file.iter_batches(columns=["outcome", *names]):
            unanswered = _not_answered(batch)
            for name in names:
                values = batch.column(name).filter(unanswered).drop_null()
                counts[name][0] += len(values)
                counts[name][1] += pc.sum(pc.equal(values, 0)).as_py() or 0
        emptied = [name for name in names if counts[name][0] and counts[name][0] == counts[name][1]]
        if not emptied:
            return
        replaced = staged.rows.with_name("rows-without-zeros.parquet")
        with pq.ParquetWriter(replaced, file.schema_arrow, compression="zstd", compression_level=1) as writer:
            for batch in file.iter_batches():
                unanswered = _not_answered(batch)
                for name in emptied:
                    index = batch.schema.get_field_index(name)
                    batch = batch.set_column(index, batch.schema.field(index), pc.if_else(unanswered, pa.scalar(None, batch.column(index).type), batch.column(index)))
                    if name == "csat":
                        at = batch.schema.get_field_index("csat_scale")
                        batch = batch.set_column(at, batch.schema.field(at), pc.if_else(unanswered, pa.scalar(None, pa.string()), batch.column(at)))
                writer.write_batch(batch)
    replaced.replace(staged.rows)
    for name in emptied:
        context.decide(name, N_("0 on contacts that nobody answered is read as: not measured"), N_("{count} unanswered contacts, every one with 0"), count=counts[name][0])


def _not_answered(batch: pa.RecordBatch) -> pa.Array:
    outcome = batch.column("outcome")
    return pc.fill_null(pc.not_equal(outcome, Outcome.ANSWERED.value), False)
