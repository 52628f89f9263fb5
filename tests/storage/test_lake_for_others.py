"""The lake read by other tools, as docs/lake.md shows it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from builders.centres import contact, land
from deltalake import DeltaTable

from qa_core.base import environment
from qa_core.storage.facts import schema
from qa_core.storage.lake import tables

DOCUMENT = environment.PROJECT / "docs" / "lake.md"


def test_the_examples_of_the_document_read_the_lake(centre: Path) -> None:
    land(
        [
            contact("2026-05-04 09:00", "a", queue="Orders"),
            contact("2026-05-04 10:00", "b", queue="Orders", outcome="abandoned"),
            contact("2026-06-04 10:00", "c", queue="Help", direction=None),
            contact("2026-06-04 11:00", "d", queue="Help", direction="outbound"),
            contact("2025-12-31 10:00", "e", queue="Orders"),
        ]
    )
    examples = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    for example in examples:
        lake = environment.current().lake_url
        exec(example.replace("/var/lib/ecoute/lake", str(lake)), names)

    assert names["rows"] == [("Help", 1, 1), ("Orders", 2, 1)]
    assert names["meanings"]["queue"] == "the queue or skill that took it"
    assert all(names["meanings"].values())


def test_every_table_and_column_has_its_meaning_as_a_comment(centre: Path) -> None:
    for table in (schema.CONTACTS, schema.INTERVALS, schema.SPEND):
        known = tables.MEANINGS[table.name]["columns"]
        assert list(known) == [column.name for column in table.columns]
    land([contact("2026-05-04 09:00")])
    made = DeltaTable(Path(environment.current().lake_url) / "contacts")
    assert made.metadata().description == "one row per contact, as the customer experienced it"
