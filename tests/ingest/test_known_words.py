"""Headers and words by language: what `import KIND --words` prints is what files are read by."""

from __future__ import annotations

import json

import pytest

from qa_core.cli.app import run
from qa_core.files.header_text import simplify
from qa_core.files.options import ALL_KINDS
from qa_core.ingest.columns import header_matching
from qa_core.ingest.reading.registry import get_profile, list_headers, list_words
from qa_core.ingest.words import tables


@pytest.mark.parametrize("kind", ALL_KINDS)
def test_every_printed_header_is_recognised_in_its_kind_of_file(kind: str) -> None:
    vocabulary = header_matching.build_vocabulary(get_profile(kind, None).fields)
    printed = [
        header
        for _field, _language, headers in list_headers(kind)
        for header in headers.split(" · ")
    ]

    unknown = [
        header
        for header in printed
        if not header_matching.find_field(header_matching.parse_header(header), vocabulary)
    ]
    assert len(printed) > 10
    assert unknown == []


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Talk time", "talk_seconds"),
        ("Durée de conversation", "talk_seconds"),
        ("Tiempo de espera", "wait_seconds"),
        ("Tempo na fila", "wait_seconds"),
        ("Gesprächsdauer", "talk_seconds"),
        ("Esito chiamata", "outcome"),
        ("Durée conv.", "talk_seconds"),
        ("Tps d’attente", "wait_seconds"),
        ("Gesprekstijd", "talk_seconds"),
        ("Wachttijd", "wait_seconds"),
        ("Beller", "caller"),
        ("Numero chiamante", "caller"),
        ("Durata", "duration"),
        ("Numer dzwoniącego", "caller"),
        ("Czas rozmowy", "talk_seconds"),
        ("Data i godzina", "started_at"),
        ("CZAS TRWANIA POŁĄCZENIA", "duration"),
    ],
)
def test_a_header_names_its_field_in_every_language(header: str, field: str) -> None:
    profile = get_profile("contacts", None)

    columns = header_matching.match_columns(profile, ["Call ID", "Date", header], {})

    assert columns[field].header.text == header


def test_the_better_header_of_a_language_wins_whatever_stands_first() -> None:
    profile = get_profile("contacts", None)

    for headers in (["Date", "Service", "File d'attente"], ["Date", "File d'attente", "Service"]):
        columns = header_matching.match_columns(profile, headers, {})
        assert columns["queue"].header.text == "File d'attente"


@pytest.mark.parametrize("language", tables.LANGUAGES)
def test_headers_and_words_of_cells_are_written_as_they_are_compared(language: str) -> None:
    table = tables.load_table(language)
    spellings = {
        spelling
        for section, entries in table.items()
        if section in ("fields", *ALL_KINDS, "outcomes", "directions")
        for found in entries.values()
        for spelling in found
    }

    assert {spelling for spelling in spellings if simplify(spelling) != spelling} == set()


def test_sections_and_fields_of_the_tables_are_known_ones() -> None:
    fields = {kind: {field.name for field in get_profile(kind, None).fields} for kind in ALL_KINDS}
    fields["fields"] = set().union(*fields.values())
    words = {
        "outcomes",
        "directions",
        "answers",
        "states",
        "channels",
        "marks",
        "purposes",
        "call_purposes",
        "consents",
        "lists",
        "handlers",
        "verdicts",
        "questions",
        "units",
        "patterns",
    }

    for language in tables.LANGUAGES:
        table = tables.load_table(language)
        assert set(table) <= set(fields) | words
        for section in set(table) - words:
            assert set(table[section]) <= fields[section]


def test_words_are_printed_by_language(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["import", "contacts", "--words", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)

    spellings = {
        (row["meaning"], row["language"]): row["spellings"]
        for row in [*printed["headers"], *printed["words"]]
    }
    assert "temps d attente" in spellings["wait_seconds", "fr"]
    assert "wait time" in spellings["wait_seconds", "en"]
    assert "tiempo de espera" in spellings["wait_seconds", "es"]
    assert "verpasst" in spellings["unanswered", "de"]
    assert "entrant" in spellings["inbound", "fr"]
    assert {name for name, language, _words in list_words() if language == "it"} >= {"yes", "no"}
