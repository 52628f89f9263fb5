"""Parquet files as flat records of text; nested names are joined with dots.

The footer is judged first; the rows are decoded in a process with limits, since a small
file may say the same long text a million times.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from qa_core.base.errors import Refusal
from qa_core.base.i18n import N_
from qa_core.files.archives import (
    MAX_RATIO,
    MAX_UNPACKED_BYTES,
    MIN_BYTES_FOR_RATIO,
    Content,
    open_file,
    refuse_damaged,
    refuse_size,
    require_columns,
)
from qa_core.files.json_documents import Records, flatten

PROCESS = Path(__file__).with_name("parquet_process.py")
ROWS_AT_ONCE = 10_000
MIN_ROWS_FOR_RATIO = 100_000
"""Rows from which a file has at least a byte for each: contacts differ."""


def open_records(content: Content) -> Records:
    """Open the rows of a Parquet file. Raises Refusal if damaged or in an archive."""
    if content.packing:
        raise Refusal(
            "packed_parquet",
            "{name} is a Parquet file inside an archive. Unpack it and import it on its own.",
            name=content.name,
        )
    try:
        with open_file(content.path) as source, pq.ParquetFile(source) as file:
            require_columns(content.name, file.metadata.num_columns)
            schema, count = file.schema_arrow, file.metadata.num_rows
            _require_small(content, file.metadata)
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


def _require_small(content: Content, footer: pq.FileMetaData) -> None:
    groups = [footer.row_group(index) for index in range(footer.num_row_groups)]
    unpacked = sum(group.total_byte_size for group in groups)
    if (
        unpacked > MAX_UNPACKED_BYTES
        or (unpacked > MIN_BYTES_FOR_RATIO and unpacked > MAX_RATIO * content.size)
        or footer.num_rows > max(MIN_ROWS_FOR_RATIO, content.size)
    ):
        raise refuse_size(content.name, "parquet")


def _read_rows(content: Content) -> Iterator[dict[str, str]]:
    command = [sys.executable, "-I", str(PROCESS), str(ROWS_AT_ONCE)]
    with (
        open_file(content.path) as source,
        subprocess.Popen(
            command, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process,
    ):
        try:
            for line in process.stdout:
                yield flatten(json.loads(line))
            code = process.wait()
        finally:
            process.kill()
    if code:
        # A signal is the limit of processor time, or the system out of memory.
        raise (
            refuse_size(content.name, "parquet")
            if code == 3 or code < 0
            else refuse_damaged(content.name)
        )
