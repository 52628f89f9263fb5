"""Texts of the screen and of the documents follow the rules of wording: short sentences,
one term for one thing, no command-line option on a page. No banned turn is there, nor in
a docstring or a comment of the product.
"""

from __future__ import annotations

import ast
import functools
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from qa_core.base.environment import PROJECT
from qa_core.compliance.documents import drafting
from qa_core.metrics.kpis import terms
from qa_core.upkeep import person_copy
from tests.tools import sources
from tests.tools.catalogues import collect, read

MAX = {"en": 20, "fr": 25}
"""Words of a sentence on the screen; a place such as `{count}` is one."""
MAX_IN_DOCUMENTS = 25
BANNED = re.compile(
    r"\b(of which|of whom|that of|those of|whoever|so long|told|it is of|came of|came back"
    r"|come back|comes back|nought|alike|beyond chance|drawn to|rings|apart|in place of"
    r"|says so|of its own|need not|it stands|tell whether)\b",
    re.IGNORECASE,
)
"""Turns that make a reader read twice: on the screen, in documents and in the code."""
OTHER_TERMS = {
    "en": {
        r"agents?": "advisor",
        r"grids?": "scorecard",
        r"graders?": "evaluator",
        r"call cent(?:er|re)s?": "contact centre",
    },
    "fr": {
        r"agents?": "conseiller",
        r"téléconseill\w+": "conseiller",
        r"centres? d[’']appels?": "centre de contact",
        r"superviseurs?": "responsable d’équipe",
    },
}
"""Words that say what another term of the glossary says already."""
OPTION = re.compile(r"(?<![\w-])--[a-z]|python -m qa_core")
ALLOWED: dict[str, str] = {
    "grid": "a word of the file format",
    "`contact_id`, `ticket`, `source_system`": "names of fields, in docs/import.md",
    "`start`, `date`, `period`": "names of fields, in docs/import.md",
}
"""Texts that break a rule, by their first words, with the reason."""
DOCUMENTS = [
    path
    for path in (
        *PROJECT.glob("*.md"),
        PROJECT / "data" / "README.md",
        *sorted((PROJECT / "docs").rglob("*.md")),
    )
    if "_build" not in path.parts
]


@functools.cache
def texts(language: str) -> list[tuple[str, set[str]]]:
    """Every text of the screen in that language, with the files that show it."""
    catalogue = read(language)
    shown = []
    for entry in collect():
        if entry.id:
            found = catalogue.get(entry.id).string
            files = {file for file, _line in entry.locations}
            assert files, entry.id
            shown += [(text, files) for text in ((found,) if isinstance(found, str) else found)]
    glossary = {"qa_core/ui/views/account/glossary.py"}
    for group, group_terms in terms.read(language).items():
        shown += [(text, glossary) for text in (group, *group_terms, *group_terms.values())]
    headings = person_copy.HEADINGS.get(language, {})
    shown += [(text, {"qa_core/upkeep/person_copy.toml"}) for text in headings.values()]
    return shown


def sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?…])[\s*_)»”]+|\n+", text) if part.strip()]


def count_words(sentence: str) -> int:
    return sum(bool(re.search(r"[\w{]", word)) for word in sentence.split())


def is_allowed(text: str) -> bool:
    return any(text.startswith(start) for start in ALLOWED)


def test_french_signs_stay_on_the_line_of_their_word():
    loose = re.compile(r"(?<=\S) (?=[:;?!»](\s|$))|« |(?<=[\d}]) %(?!\w)")

    assert [text for text, _files in texts("fr") if loose.search(text)] == []


@pytest.mark.parametrize("language", ["en", "fr"])
def test_sentences_on_the_screen_are_short(language):
    long = [
        (count_words(sentence), sentence)
        for text, _files in texts(language)
        if not is_allowed(text)
        for sentence in sentences(text)
        if count_words(sentence) > MAX[language]
    ]
    assert long == []


def legal_texts(language: str) -> Iterator[str]:
    """Paragraphs, items and cells of the templates of the law's documents, without their
    values. Their sentences follow the law: they may be longer.
    """
    for path in sorted((drafting.FOLDER / language).glob("*.md")):
        text = re.sub(r"{%.*?%}|{{.*?}}", "…", path.read_text(encoding="utf-8"))
        for part in re.split(r"\n\s*\n|\n(?=[-|#])|\|", text):
            if part.strip():
                yield re.sub(r"\s*\n[ >]*", " ", part)


def test_no_banned_turn_is_on_the_screen_or_in_a_document_of_the_law():
    shown = [text for language in ("en", "fr") for text, _files in texts(language)]
    assert [text for text in (*shown, *legal_texts("en")) if BANNED.search(text)] == []


def prose_of(path: Path) -> Iterator[str]:
    """Docstrings and comments of a file; lines of one comment are one text."""
    for node in sources.find_nodes(path):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield str(node.value.value)
    comment, last = "", 0
    for token in tokenize.generate_tokens(io.StringIO(sources.read(path)).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] > last + 1:
                yield comment
                comment = ""
            comment, last = f"{comment} {token.string.lstrip('# ')}", token.start[0]
    yield comment


def test_no_banned_turn_is_in_a_docstring_or_a_comment():
    files = [PROJECT / "app.py", *(PROJECT / "pages").rglob("*.py")]
    files += (PROJECT / "qa_core").rglob("*.py")
    parts = [
        (path.relative_to(PROJECT).as_posix(), " ".join(without_code(text).split()))
        for path in files
        for text in prose_of(path)
    ]
    assert len(parts) > 2_000
    assert [part for part in parts if BANNED.search(part[1])] == []


@pytest.mark.parametrize("language", ["en", "fr"])
def test_one_thing_has_one_term(language):
    others = [
        (text, term)
        for text in (
            *(re.sub(r"{\w+}", "", shown) for shown, _files in texts(language)),
            *legal_texts(language),
        )
        if not is_allowed(text)
        for word, term in OTHER_TERMS[language].items()
        if re.search(rf"\b{word}\b", text, re.IGNORECASE)
    ]
    assert others == []


@pytest.mark.parametrize("language", ["en", "fr"])
def test_pages_name_their_own_fields_and_no_command(language):
    assert [
        text
        for text, files in texts(language)
        if not all(file.startswith("qa_core/cli/") for file in files)
        and not is_allowed(text)
        and OPTION.search(text)
    ] == []


def paragraphs(path: Path) -> Iterator[str]:
    """Paragraphs, list items and table cells of a document, without its code."""
    text = re.sub(r"```.*?```|<!--.*?-->", "", path.read_text(encoding="utf-8"), flags=re.S)
    for block in re.split(r"\n\s*\n", text):
        item = ""
        for line in block.splitlines():
            if re.match(r"\s*([-*|#>]|\d+\.)\s?", line):
                yield from item.split("|")
                item = line
            else:
                item += " " + line.strip()
        yield from item.split("|")


def without_code(text: str) -> str:
    """The text with each quotation of code as one word."""
    return re.sub(r"`[^`]+`", "`code`", text)


def test_documents_follow_the_same_rules():
    parts = [(path.name, part) for path in DOCUMENTS for part in paragraphs(path)]
    banned = [one for one in parts if BANNED.search(without_code(one[1]))]
    long = [
        (name, sentence)
        for name, part in parts
        for sentence in sentences(without_code(part))
        if count_words(sentence) > MAX_IN_DOCUMENTS and not is_allowed(part.strip())
    ]
    assert len(parts) > 1_000
    assert (banned, long) == ([], [])
