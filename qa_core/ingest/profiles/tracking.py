"""Call-tracking exports: what brought a contact, or the campaign of a number by dates."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from qa_core.base.errors import Refusal
from qa_core.ingest.columns.column_inference import FileContext, RowBatch
from qa_core.ingest.columns.header_matching import build_vocabulary, find_field, format_headers
from qa_core.ingest.profiles.starts import build_start, decide_start
from qa_core.ingest.staging.arrays import as_moments, to_numpy
from qa_core.ingest.staging.declaration import Column, Profile, build_fields
from qa_core.ingest.staging.pseudonyms import normalise_numbers
from qa_core.ingest.staging.staged import TRACKING

_TEXTS = ("contact_id", *TRACKING)
FIELDS = build_fields("tracking")
_STARTS = ("started_at", "date", "time")


def are_assignments(columns: Iterable[str]) -> bool:
    """Return whether rows assign numbers, not calls, to campaigns."""
    return bool({"from", "to"} & set(columns)) and not {"contact_id", "started_at"} & set(columns)


def _is_party(column: Column) -> bool:
    return column.header.words in ("from", "to")


def claim(headers: tuple[str, ...], columns: dict[str, Column]) -> None:
    """Distinguish days of a number from parties of a call, whose headers may be the same."""
    found = [name for name in _STARTS if name in columns]
    parties = [name for name in ("from", "to") if name in columns and _is_party(columns[name])]
    if "to" in columns and not parties and not columns.keys() & {"contact_id", "customer", "time"}:
        days = build_vocabulary((PROFILE.get_field("from"),))
        found.sort(key=lambda name: find_field(columns[name].header, days) is None)
        starts = [columns.pop(name) for name in found]
        if starts and "from" not in columns:
            columns["from"] = replace(starts[0], field=PROFILE.get_field("from"))
        return
    if "contact_id" not in columns and not found:
        return
    first_day = columns.pop("from", None)
    columns.pop("to", None)
    if first_day is not None and "customer" not in columns and _is_party(first_day):
        columns["customer"] = replace(first_day, field=PROFILE.get_field("customer"))


def decide_columns(context: FileContext) -> None:
    """Decide the start, which is needed only where contacts are not named."""
    if context.has("started_at") or context.has("date"):
        decide_start(context)
    context.drop_empty("from", "to")
    if not context.columns.keys() & {"contact_id", "started_at", "date", "from", "to"}:
        raise Refusal(
            "missing_column",
            "No column gives the start of calls, or the days of a tracking number. Columns: "
            "{seen}. Name one.",
            options=("--map from=COLUMN", "--map started_at=COLUMN"),
            seen=format_headers(context.headers),
        )


def build(context: FileContext, batch: RowBatch) -> Mapping[str, pa.Array]:
    """Build tracking rows, or assignments of numbers, from a batch of rows."""
    columns = batch.read_texts(*_TEXTS)
    if "tracking_number" in columns:
        columns["tracking_number"] = normalise_numbers(columns["tracking_number"])
    if are_assignments(context.columns):
        return _build_assignments(context, batch, columns)
    has_contact = by_number = np.zeros(len(batch), bool)
    if "contact_id" in columns:
        has_contact = to_numpy(columns["contact_id"].is_valid())
    if "start" in context.notes:
        own_start, utc, local = build_start(context, batch)
        columns |= {"started_at": as_moments(utc), "local_start": as_moments(local)}
        if "tracking_number" in columns:
            by_number = ~np.isnat(own_start) & to_numpy(columns["tracking_number"].is_valid())
    batch.reject(~has_contact & ~by_number, "missing_key")
    if context.has("customer"):
        columns["customer_key"] = context.pseudonyms.find_keys(batch.read_text("customer"))
    return columns


def _build_assignments(
    context: FileContext, batch: RowBatch, columns: dict[str, pa.Array]
) -> Mapping[str, pa.Array]:
    days = {
        name: batch.read_moment(name).day.astype("M8[D]")
        for name in ("from", "to")
        if context.has(name)
    }
    batch.reject(to_numpy(columns["tracking_number"].is_null()), "missing_key")
    if len(days) == 2:
        batch.reject(days["to"] < days["from"], "ends_before_start")
    return columns | {name: pa.array(values) for name, values in days.items()}


PROFILE = Profile(
    "generic",
    "tracking",
    FIELDS,
    (("tracking_number", "contact_id"),),
    decide_columns,
    build,
    claim=claim,
    required=("started_at", "date", "time", "from", "to"),
)
