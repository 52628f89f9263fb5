"""Collector of every message of the code into the catalogues; lists those without French:
`python tests/tools/catalogues.py`, or `make catalogues`.

A missing text does not fail here: translators work on the catalogue.
`tests/test_docs.py` fails until all are translated.
"""

import ast
import functools
import io
import sys
import tomllib
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT / "tests")]
FOLDER = PROJECT / "qa_core" / "base" / "locale"
MESSAGES = {
    "_": (0,), "N_": (0,), "Refusal": (1,), "Misuse": (1,), "refuse": (1,), "decide": (1,),
    "drop_column": (1,),
}  # fmt: skip
"""Calls whose arguments at these places are messages."""
PLURALS_OF = ("ngettext", "NN_")
"""Calls whose first two arguments are the forms of one message."""
HEADER = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Language: {language}\\n"
"Plural-Forms: {plural_forms};\\n"

"""
PLURALS = {"en": "nplurals=2; plural=(n != 1)", "fr": "nplurals=2; plural=(n > 1)"}


def collect() -> Catalog:
    """Extract every message in `qa_core/` and `pages/`, with its places."""
    catalogue = Catalog(project="Écoute", charset="utf-8")
    for message, place in (*_find_messages(), *_find_declared()):
        catalogue.add(message, locations=[place])
    return catalogue


@functools.cache
def _find_messages() -> list[tuple[str | tuple[str, str], tuple[str, int]]]:
    """Find every message with its file and line; the source is parsed once a process."""
    from tools import sources

    messages: list[tuple[str | tuple[str, str], tuple[str, int]]] = []
    files = (path for root in ("qa_core", "pages") for path in (PROJECT / root).rglob("*.py"))
    for file in files:
        name_of_file = file.relative_to(PROJECT).as_posix()
        for node in sources.find_nodes(file):
            if not isinstance(node, ast.Call):
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            constants = (arg.value if isinstance(arg, ast.Constant) else "" for arg in node.args)
            texts = [text if isinstance(text, str) else "" for text in constants]
            for text in (texts[index] for index in MESSAGES.get(name, ()) if texts[index:]):
                if text:
                    messages.append((text, (name_of_file, node.lineno)))
            if name in PLURALS_OF and all(texts[:2]):
                messages.append(((texts[0], texts[1]), (name_of_file, node.lineno)))
    return messages


def _find_declared() -> Iterator[tuple[str | tuple[str, ...], tuple[str, int]]]:
    """Find the messages of declarations: texts under the keys that a file's `messages` name,
    and pairs of forms in the sections that its `plurals` name.
    """
    for file in (PROJECT / "qa_core").rglob("*.toml"):
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        sections = (content[name].values() for name in content.get("plurals", ()))
        pairs = (tuple(forms) for section in sections for forms in section)
        for message in (*_list_texts(content, content.get("messages", ())), *pairs):
            yield message, (file.relative_to(PROJECT).as_posix(), 1)


def _list_texts(value: Any, keys: Container[str], is_message: bool = False) -> Iterator[str]:
    match value:
        case dict():
            for key, item in value.items():
                yield from _list_texts(item, keys, is_message or key in keys)
        case list():
            for item in value:
                yield from _list_texts(item, keys, is_message)
        case str() if is_message:
            yield value


def missing(language: str) -> list[str]:
    """List the messages of the code that this catalogue does not translate."""
    catalogue = read(language)
    return [
        entry.id if isinstance(entry.id, str) else entry.id[0]
        for entry in collect()
        if entry.id and not _is_translated(catalogue.get(entry.id))
    ]


def read(language: str) -> Catalog:
    with (FOLDER / f"{language}.po").open("rb") as source:
        return read_po(source, locale=language)


def refresh() -> None:
    """Update both catalogues from the code; English repeats the message."""
    for language, plural_forms in PLURALS.items():
        catalogue = read(language)
        catalogue.update(collect(), no_fuzzy_matching=True)
        catalogue.obsolete.clear()
        for entry in catalogue:
            if entry.id and language == "en":
                entry.string = entry.id
        body = io.BytesIO()
        write_po(body, catalogue, width=140, omit_header=True, no_location=True, sort_output=True)
        header = HEADER.format(language=language, plural_forms=plural_forms)
        (FOLDER / f"{language}.po").write_text(
            header + body.getvalue().decode().strip() + "\n", encoding="utf-8"
        )


def _is_translated(entry) -> bool:
    return (
        entry is not None
        and bool(entry.string)
        and (isinstance(entry.string, str) or all(entry.string))
    )


if __name__ == "__main__":
    refresh()
    untranslated = missing("fr")
    for message in untranslated:
        print(message)
    print(f"{len(untranslated)} messages without French", file=sys.stderr)
