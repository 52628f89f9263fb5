"""Manifests of recordings: file, contact, time, whether the notice was played, purpose or class."""

from collections.abc import Mapping

import pyarrow as pa

from qa_core.ingest.columns.column_inference import FileContext, RowBatch
from qa_core.ingest.profiles.starts import build_moment
from qa_core.ingest.staging.arrays import as_moments, as_words, to_numpy
from qa_core.ingest.staging.declaration import Profile, build_fields

FIELDS = build_fields("recordings")


def decide_columns(context: FileContext) -> None:
    """Drop an empty column of moments: the contact has one."""
    context.drop_empty("recorded_at")


def build(context: FileContext, batch: RowBatch) -> Mapping[str, pa.Array]:
    columns = batch.read_texts("file", "contact_id", "source_system", "purpose", "class")
    if context.has("recorded_at"):
        columns["recorded_at"] = as_moments(build_moment(context, batch, "recorded_at")[0])
    if context.has("notice_played"):
        columns["notice_played"] = as_words(batch.read_word("notice_played"), pa.bool_())
    batch.reject(to_numpy(columns["file"].is_null()), "no_file")
    batch.reject(to_numpy(columns["contact_id"].is_null()), "missing_key")
    return columns


PROFILE = Profile(
    "generic", "recordings", FIELDS, (("file",), ("contact_id",)), decide_columns, build
)
