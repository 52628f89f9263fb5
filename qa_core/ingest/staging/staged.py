"""Result of reading a file: typed rows waiting on disk, rejected rows with their
reason, and every decision with its evidence.
"""

import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import sqlalchemy as sa

from qa_core.base import declared
from qa_core.files.decision import Decision
from qa_core.ingest.staging.tally import ImportTally
from qa_core.storage.facts import schema
from qa_core.storage.facts.guard import Unscoped
from qa_core.storage.lake.tables import quote
from qa_core.storage.records.base import now


@dataclass
class Staged:
    """File that was read: of the rows of its `tally`, `accepted` ones are to be loaded.

    `rows`: Parquet with `line` (int64, the line of the file or row of the sheet) and
    one typed column per entry of `columns` (see `SCHEMAS`); what the file does not
    carry has no column. Only evaluations may have several rows per line (one per
    criterion). `rejected_rows`: Parquet with `line` (int64), `reason` (text) and
    `cells` (list of text, aligned with `headers`, identities masked). `mapping`: field
    → column of the file as it was recognised. `dropped`: columns of the file that are
    not kept. `defaults`: columns that a *new* row gets although the file does not carry
    them (direction inbound, channel phone); they must not overwrite stored values.
    """

    kind: str
    system: str
    profile: str
    file: Path
    digest: str
    folder: Path
    rows: Path
    rejected_rows: Path
    headers: tuple[str, ...]
    columns: tuple[str, ...] = ()
    mapping: dict[str, str] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    defaults: dict[str, str] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    tally: ImportTally = field(default_factory=ImportTally)
    accepted: int = 0
    guesses: frozenset[str] = frozenset()
    """Fields that rest on a default or a guess, not on the words of the file."""
    inferred: frozenset[str] = frozenset()
    """Fields whose reading a person must confirm, once for the layout."""
    words: dict[str, list[str]] = field(default_factory=dict)
    """Words of the columns of outcome, direction, yes or no, by column."""
    settled: dict[str, Any] = field(default_factory=dict)
    """Date order, units and scales that were inferred, as options of an import."""
    time_missing: int = 0
    """Number of contacts with a date and no time of day."""
    repeated_ids: tuple[Any, ...] | None = None
    """Counts of repeated ids (`reused_ids`), once for all who ask; likewise the next two."""
    overlaps: tuple[Any, ...] | None = None
    """Number of calls with a customer, and of those during another of the same customer."""
    tireless: frozenset[str] | None = None
    """Advisors who seem to answer around the clock or several calls at once (`machines`)."""
    names: dict[tuple[str, ...], list[tuple[Any, ...]]] = field(default_factory=dict)
    """Values of columns where the file does not say who took the contact (`machines`)."""
    unused_cells: dict[str, list[str]] = field(default_factory=dict)
    """First cells of columns without a field, masked unless they are dates or short numbers."""
    before: dict[int, dict[str, str]] = field(default_factory=dict)
    """First rows as the file has them, by line: cells of the columns in use, identities
    masked.
    """
    pseudonymised: tuple[str, ...] = ()
    """Columns of the file that identify a customer; of them only pseudonyms are kept."""
    legs: list[dict[str, Any]] = field(default_factory=list)
    """Legs of incomplete contacts, as they are kept until the others come."""

    def select_column(self, name: str, relation: str = "", kind: str = "VARCHAR") -> str:
        """Build SQL for a column of `rows`, NULL of that type where the file has none.
        `relation`: an alias and a dot.
        """
        return f'{relation}"{name}"' if name in self.columns else f"CAST(NULL AS {kind})"

    def select_system(self) -> str:
        """Build SQL for the system of a row: the one that the row names, else the file's."""
        return f"coalesce({self.select_column('source_system')}, {quote(self.system)})"

    def discard(self) -> None:
        """Remove the temporary files, once the rows are committed or given up."""
        shutil.rmtree(self.folder, ignore_errors=True)


def create_batch_id(moment: datetime | None = None) -> str:
    """Create an id that sorts by time (default: now)."""
    return f"{moment or now():%Y%m%d-%H%M%S-%f}-{secrets.token_hex(2)}"


def open_writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    """Open a temporary Parquet file, packed as fast as can be."""
    return pq.ParquetWriter(path, schema, compression="lz4")


MOMENT = pa.timestamp("us")
TRACKING = ("tracking_number", "source", "medium", "campaign", "keyword", "landing_page")
SURVEY = (
    "csat", "csat_scale", "nps", "ces", "survey_resolved", "survey_contacts", "survey_comment",
)  # fmt: skip
"""Columns of a contact that files of tracking and of surveys carry."""


_CONTACT = {item.name: item.type for item in schema.arrow_schema(schema.CONTACTS)}
_TYPES = {
    "text": pa.string(),
    "texts": pa.list_(pa.string()),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "day": pa.date32(),
    "moment": MOMENT,
}

SCHEMAS: dict[str, dict[str, pa.DataType]] = {
    # `source_system`: the one that the row names, null for the whole file's.
    # `customer_key`: the pseudonym. `advisor`: the file's own text, not yet resolved by
    # aliases; `advisor_name`: the name beside it where the file has both. `updated_at`
    # tells which of two rows of one contact is newer; `excluded_line`: whether a number of
    # the row is one of an excluded line. `started_at` is UTC, `local_start`
    # the centre's wall clock; other moments (answered_at, ended_at …) are seconds here.
    "contacts": {
        **{
            name: kind
            for name, kind in _CONTACT.items()
            if name not in (*schema.NEIGHBOURS, *schema.AFTER_DELETION)
            and name not in ("month", "advisor_id", "batch_id", "tracking_match")
        },
        **dict.fromkeys(("advisor", "advisor_name", "site"), pa.string()),
        "updated_at": MOMENT,
        "excluded_line": pa.bool_(),
    },
    # Totals: `started_at` in UTC, `local_start` on the centre's wall clock. Without
    # `length_minutes` the length follows from the starts of the whole file.
    "intervals": {
        item.name: item.type
        for item in schema.arrow_schema(schema.INTERVALS)
        if item.name not in ("source_system", "month", "batch_id")
    },
    **{
        kind: {
            name: _CONTACT[name] if of == "contact" else _TYPES[of] for name, of in columns.items()
        }
        for kind, columns in declared.read(__file__).items()
    },
}
"""Columns that `rows` may have, by kind, in this order."""


def build_table(
    kind: str, lines: pa.Array, columns: Mapping[str, pa.Array | pa.ChunkedArray]
) -> pa.Table:
    """Build rows of a kind from their lines and columns, in the order and types of `SCHEMAS`."""
    types = {name: type for name, type in SCHEMAS[kind].items() if name in columns}
    arrays = [columns[name].cast(type) for name, type in types.items()]
    return pa.table([lines, *arrays], names=["line", *types])


def unscoped_import_rows(statement: sa.Select) -> Unscoped:
    """Exempt a statement on pending rows or before-images from the viewer's scope."""
    return Unscoped(
        statement,
        "Rows of a file wait for their contacts, and are undone, by their keys. A file belongs "
        "to no scope, and no person sees the rows.",
    )
