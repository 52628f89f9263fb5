"""What is declared is documented: columns, settings, permissions, import columns; and
every message has its French.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from tools import documents, sources
from tools.catalogues import MESSAGES, PLURALS_OF, collect, missing, read

from qa_core.access import accounts
from qa_core.base import environment
from qa_core.compliance import audit_labels
from qa_core.sources import register
from qa_core.storage.facts import schema
from qa_core.storage.records.base import Base

SOURCES = [
    path
    for root in ("qa_core", "pages")
    for path in sorted((environment.PROJECT / root).rglob("*.py"))
]
SHOWING = {
    "title", "header", "subheader", "caption", "text", "markdown", "write", "info", "warning",
    "error", "success", "toast", "metric", "badge", "button",
    "link_button", "page_link", "checkbox", "toggle", "radio", "selectbox", "multiselect", "pills",
    "segmented_control", "text_input", "text_area",
    "number_input", "date_input", "file_uploader", "form_submit_button", "expander", "popover",
    "spinner", "progress", "print", "Finding", "add_column",
}  # fmt: skip
"""What puts its first argument, its label or its help before a person."""
NO_WORDS = re.compile(r":material/\w+:|:\w+\[|python -m qa_core[\w .-]*|ID")
DICTIONARY = (environment.PROJECT / "data" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "table", [schema.CONTACTS, schema.INTERVALS, schema.SPEND], ids=lambda table: table.name
)
def test_every_column_of_the_lake_is_in_the_dictionary(table: sa.Table):
    section = DICTIONARY.split(f"## `{table.name}`")[1].split("\n## ")[0]
    assert [column.name for column in table.columns] == re.findall(
        r"^\| `(\w+)` \|", section, flags=re.M
    )


def test_every_table_of_the_records_is_in_the_dictionary():
    section = DICTIONARY.split("## Records")[1].split("\n## ")[0]
    assert set(Base.metadata.tables) == set(re.findall(r"`(\w+)`", section))


@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_message_is_in_the_catalogue(language):
    assert missing(language) == [], (
        f"run `make catalogues`, then write them in qa_core/base/locale/{language}.po"
    )


def calls(path: Path) -> Iterator[tuple[ast.Call, str, str]]:
    """Every call of the file, with the last name of its function, and all as it is written."""
    for node, written in sources.find_calls(path):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        yield node, name or getattr(node.func, "id", ""), written


def literals(node: ast.expr) -> Iterator[str]:
    """The pieces of text that a value is put together from, but for what functions
    give.
    """
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr | ast.BinOp | ast.IfExp):
        for part in ast.iter_child_nodes(node):
            if isinstance(part, ast.expr) and part is not getattr(node, "test", None):
                yield from literals(part)


def place(path: Path, node: ast.AST) -> str:
    return f"{path.relative_to(environment.PROJECT)}:{node.lineno}"


def test_no_message_hides_from_the_catalogues():
    # What collects them sees no text that an f-string or a sum puts together.
    collected = {
        text
        for entry in collect()
        if entry.id
        for text in ((entry.id,) if isinstance(entry.id, str) else entry.id)
    }
    hidden = []
    for path in SOURCES:
        for call, name, _written in calls(path):
            places = (0, 1) if name in PLURALS_OF else MESSAGES.get(name, ())
            for message in (call.args[place] for place in places if place < len(call.args)):
                parts = [message.body, message.orelse] if isinstance(message, ast.IfExp) else []
                is_seen = (
                    message.value in collected | {""}
                    if isinstance(message, ast.Constant)
                    else not isinstance(message, ast.JoinedStr | ast.BinOp)
                    and not any(isinstance(part, ast.Constant) for part in parts)
                )
                hidden += [] if is_seen else [place(path, call)]
    assert hidden == []


def test_no_text_is_shown_that_is_no_message():
    bare = []
    for path in SOURCES:
        if (
            path.relative_to(environment.PROJECT).parts[:2]
            not in (("qa_core", "ui"), ("qa_core", "cli"))
            and "pages" not in path.parts
        ):
            continue
        for call, name, written in calls(path):
            if name in SHOWING and not written.startswith(("LOG.", "sa.")):
                told = [
                    *call.args[:1],
                    *(word.value for word in call.keywords if word.arg in ("label", "help")),
                ]
                shown = (text for argument in told for text in literals(argument))
                bare += [
                    f"{place(path, call)} {text!r}"
                    for text in shown
                    if re.search(r"[^\W\d_]{2}", NO_WORDS.sub("", text))
                ]
    assert bare == []


def test_every_act_of_the_journal_has_a_name():
    recorded = {f"account_{act}" for act in accounts.AccountAction}
    for path in SOURCES:
        for call, _name, written in calls(path):
            place = {"audit_log.record": 2, "audit_log.note_reading": 1}.get(written)
            if place and isinstance(call.args[place], ast.Constant):
                recorded.add(call.args[place].value)
    assert {"sign_in", "contacts_read"} <= recorded <= set(audit_labels.TITLES)


def test_a_translation_keeps_the_places_of_its_message():
    for entry in read("fr"):
        for text in entry.string if isinstance(entry.string, tuple) else (entry.string,):
            expected = entry.id if isinstance(entry.id, str) else entry.id[1]
            assert set(re.findall(r"{(\w+)", text)) <= set(re.findall(r"{(\w+)", expected)) | {
                "n"
            }, entry.id


def test_the_catalogues_hold_no_message_that_the_code_lost():
    known = {entry.id for entry in collect()}
    for language in ("en", "fr"):
        assert {entry.id for entry in read(language) if entry.id} <= known


@pytest.mark.parametrize(("document", "part"), documents.PARTS)
def test_the_generated_parts_of_the_documents_are_up_to_date(document: str, part: str):
    text = (environment.PROJECT / "docs" / document).read_text(encoding="utf-8")

    assert documents.fill(text, part, documents.PARTS[document, part]()) == text, (
        "run: make documents"
    )


def test_the_table_of_sources_has_a_row_for_each_platform():
    text = (environment.PROJECT / "docs" / "sources.md").read_text(encoding="utf-8")

    rows = re.findall(r"^\| `(\w+)` \| [^|]*\| [^|]*\| [^|]+\| `(\w+)`", text, re.M)
    assert dict(rows) == {name: one.basis for name, one in register.PLATFORMS.items()}


def test_the_table_of_asvs_counts_right_and_names_tests_that_exist():
    text = (environment.PROJECT / "docs" / "asvs.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| V([\d.]+) \| ([12]) \| [^|]+ \| ([^|]+) \| (.+) \|$", text, re.M)
    states = ("met", "not met", "not applicable")
    for level, title in (("1", "level 1"), ("2", "level 2 of five chapters")):
        counts = [[row[1:3] for row in rows].count((level, state)) for state in states]
        assert "| " + " | ".join(map(str, (title, *counts, sum(counts)))) + " |" in text
    assert len(rows) == len({row[0] for row in rows}) == 128
    known: dict[str, set[str]] = {}
    for number, _level, state, why in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", why)
        assert named or state != "met", number
        for file, name in named:
            if file not in known:
                source = (environment.PROJECT / file).read_text(encoding="utf-8")
                known[file] = set(re.findall(r"^def (test_\w+)", source, re.M))
            assert name in known[file], (number, file, name)


DOCS = environment.PROJECT / "docs"
BOTH = [
    "kpis.md",
    "glossary.md",
    *(f"guides/{path.name}" for path in (DOCS / "guides").glob("*.md")),
]


@pytest.mark.parametrize("name", BOTH)
def test_a_document_in_french_has_the_parts_of_the_english_one(name):
    english = (DOCS / name).read_text(encoding="utf-8")
    french = (DOCS / "fr" / name).read_text(encoding="utf-8")
    assert outline(french) == outline(english)


def outline(text: str) -> list[str]:
    """List the levels of headings with the KPI they name, rows of tables, pictures and commands
    of a document in order.
    """
    found = []
    for line in text.splitlines():
        if level := re.match(r"#+ ", line):
            found.append(level[0] + "".join(re.findall(r"`\w+`", line)))
        elif line.startswith("|"):
            found.append("row")
        elif picture := re.match(r"!\[.+\]\((?:.*/)?(\S+)\)", line):
            found.append(picture[1])
        elif line.startswith("python -m"):
            found.append(re.split(r" # | --how ", line)[0].strip())
    return found
