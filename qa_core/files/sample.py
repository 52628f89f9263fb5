"""The beginning of a file for recognisers: lines, rows of cells, or the first JSON objects."""

import csv
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from qa_core.files.archives import Content, require_columns
from qa_core.files.header_text import simplify
from qa_core.files.json_documents import JsonObjects

SAMPLE_BYTES = 256 << 10
SAMPLE_LINES = 200
SAMPLE_OBJECTS = 25
TITLE_ROWS = 30


@dataclass(frozen=True)
class Sample:
    """`name`: of the file, only ever a hint. `objects`: the first of a JSON document."""

    name: str
    lines: tuple[str, ...] = ()
    objects: tuple[dict[str, Any], ...] = ()
    is_document: bool = False

    @cached_property
    def delimiter(self) -> str:
        from qa_core.files.readers import find_delimiter

        return find_delimiter(list(self.lines))

    @cached_property
    def rows(self) -> list[list[str]]:
        """The lines as cells, under the delimiter that fits best."""
        # Line by line: a quote that is never closed spoils one row, not the sample.
        return [
            next(csv.reader([line], delimiter=self.delimiter, skipinitialspace=True), [])
            for line in self.lines
        ]

    @cached_property
    def header_rows(self) -> list[set[str]]:
        """The simplified cells of each of the first rows; one of them may be the header."""
        return [{simplify(cell) for cell in row} for row in self.rows[:TITLE_ROWS]]


def take_sample(content: Content) -> Sample:
    """Look at the beginning; empty for binary files. Raises Refusal for a file that is too wide."""
    start = content.read_start(SAMPLE_BYTES)
    text = content.decode_start(start)
    if text is None:
        return Sample(content.name)
    if text.lstrip()[:1] in ("{", "["):
        objects = tuple(islice(JsonObjects(content), SAMPLE_OBJECTS))
        if objects:
            require_columns(content.name, max(map(len, objects)))
            return Sample(content.name, objects=objects, is_document=True)
    lines = text.splitlines()
    whole = lines[:-1] if len(start) == SAMPLE_BYTES and len(lines) > 1 else lines
    sample = Sample(content.name, tuple(whole[:SAMPLE_LINES]))
    require_columns(content.name, max(map(len, sample.rows), default=0))
    return sample
