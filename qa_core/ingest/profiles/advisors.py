"""Advisors: their ids, names and aliases, and their team and site by dates."""

import re
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from qa_core.files.header_text import simplify
from qa_core.ingest.columns.column_inference import FileContext, RowBatch
from qa_core.ingest.staging.arrays import as_words
from qa_core.ingest.staging.declaration import Profile, build_fields
from qa_core.ingest.words.tables import list_words
from qa_core.storage.facts.schema import Handler

FIELDS = build_fields("advisors")
_MOMENT = r"^[\d/. -]*\d{1,2}:\d{2}"
"""Time of a login, which is no id."""
_OF_ALL = list_words("of_all")
"""Labels of rows that count all advisors."""


def decide_columns(context: FileContext) -> None:
    """Join a first and a last name from two columns, and drop empty dates."""
    if context.has("first_name") and not context.has("last_name") and context.has("name"):
        context.decide("name", "first name, then {column}")
    context.drop_empty("from", "to")
    if context.is_open("advisor_id") and (context.has("name") or context.has("last_name")):
        index = context.columns["advisor_id"].index
        if context.compute_share(index, _MOMENT) == 1:
            context.leave_aside("advisor_id", context.sample_cells(index)[0].as_py())


def build(context: FileContext, batch: RowBatch) -> Mapping[str, pa.Array]:
    columns = batch.read_texts("advisor_id", "team", "site")
    for cells in batch.read_texts("advisor_id", "name", "last_name").values():
        is_total = [simplify(text or "") in _OF_ALL for text in cells.to_pylist()]
        batch.reject(np.array(is_total, bool), "footer")
    last_name = "last_name" if context.has("last_name") else "name"
    parts = [cells.to_pylist() for cells in batch.read_texts("first_name", last_name).values()]
    if parts:
        columns["name"] = pa.array(
            [" ".join(filter(None, row)) or None for row in zip(*parts, strict=True)], pa.string()
        )
    if context.has("aliases"):
        split = [
            [part for part in (piece.strip() for piece in re.split(r"[;|,]", text or "")) if part]
            for text in batch.read_text("aliases").to_pylist()
        ]
        columns["aliases"] = pa.array(split, pa.list_(pa.string()))
    if context.has("kind"):
        kinds = batch.read_word("kind")
        kinds[kinds == Handler.MACHINE_THEN_PERSON] = None
        columns["kind"] = as_words(kinds)
    batch.require_any(columns, "advisor_id", "name")
    columns |= {
        name: pa.array(batch.read_moment(name).day.astype("M8[D]"))
        for name in ("from", "to")
        if context.has(name)
    }
    return columns


PROFILE = Profile(
    "generic", "advisors", FIELDS, (("advisor_id", "name", "last_name"),), decide_columns, build
)
