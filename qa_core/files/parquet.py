"""Parquet files as flat records of text; nested names are joined with dots."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.files.archives import Content, refuse_damaged, require_columns
from qa_core.files.json_documents import Records, flatten

ROWS_AT_ONCE = 10_000


def open_records(content: Content) -> Records:
    """Open the rows of a Parquet file. Raises Refusal if damaged or in an archive."""
    if content.packing:
        raise Refusal(
            "packed_parquet",
            "{name} is a Parquet file inside an archive. Unpack it and import it on its own.",
            name=content.name,
        )
    try:
        with pq.ParquetFile(content.path) as file:
            require_columns(content.name, file.metadata.num_columns)
            schema, count = file.schema_arrow, file.metadata.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise refuse_damaged(content.name) from error
    names: dict[str, None] = {}
    for item in schema:
        names |= dict.fromkeys(_flatten_names(item))
    return Records(tuple(names), count, lambda: _read_rows(content), N_("read as Parquet"))


def _flatten_names(item: pa.Field, before: str = "") -> list[str]:
    name = before + item.name
    return (
        [name]
        if not pa.types.is_struct(item.type)
        else [inner for part in item.type.fields for inner in _flatten_names(part, f"{name}.")]
    )


def _read_rows(content: Content) -> Iterator[dict[str, str]]:
    try:
        with pq.ParquetFile(content.path) as file:
            for batch in file.iter_batches(ROWS_AT_ONCE):
                for row in batch.to_pylist():
                    yield flatten({name: _as_plain(value) for name, value in row.items()})
    except (pa.ArrowInvalid, OSError) as error:
        raise refuse_damaged(content.name) from error


def _as_plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _as_plain(part) for name, part in value.items()}
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value.decode("utf-8", errors="replace") if isinstance(value, bytes) else value
