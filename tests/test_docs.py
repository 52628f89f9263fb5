"""What is declared is documented: columns, settings, permissions, import columns; and every message has its French."""

from __future__ import annotations

import re

import pytest
import sqlalchemy as sa

from qa_core import facts, home
from qa_core.locale.__main__ import collect, missing, read
from qa_core.records.model import Base

DICTIONARY = (home.PROJECT / "data" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("table", [facts.CONTACTS, facts.INTERVALS, facts.SPEND], ids=lambda table: table.name)
def test_every_column_of_the_lake_is_in_the_dictionary(table: sa.Table):
    section = DICTIONARY.split(f"## `{table.name}`")[1].split("\n## ")[0]
    assert [column.name for column in table.columns] == re.findall(r"^\| `(\w+)` \|", section, flags=re.M)


def test_every_table_of_the_records_is_in_the_dictionary():
    section = DICTIONARY.split("## Records")[1].split("\n## ")[0]
    assert set(Base.metadata.tables) == set(re.findall(r"`(\w+)`", section))


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_message_is_in_the_catalogue(language):
    assert missing(language) == []


def test_a_translation_keeps_the_places_of_its_message():
    for entry in read("fr"):
        for text in entry.string if isinstance(entry.string, tuple) else (entry.string,):
            expected = entry.id if isinstance(entry.id, str) else entry.id[1]
            assert set(re.findall(r"{(\w+)", text)) <= set(re.findall(r"{(\w+)", expected)) | {"n"}, entry.id


def test_the_environment_is_documented():
    readme = (home.PROJECT / "README.md").read_text(encoding="utf-8")
    source = (home.PROJECT / "qa_core" / "home.py").read_text(encoding="utf-8")
    for name in set(re.findall(r'"(QA_[A-Z_]+)"', source)):
        assert name in readme, name


def test_the_catalogues_hold_no_message_that_the_code_lost():
    known = {entry.id for entry in collect()}
    for language in ("en", "fr"):
        assert {entry.id for entry in read(language) if entry.id} <= known
