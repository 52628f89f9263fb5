"""Reading of the tables of headers and words. A new spelling is added to the table of its
language: letters without accents in lower case, the best header of a field first.

Sections: `fields` with headers of a field in files of every kind; a kind of file with
headers of its fields; `outcomes`, `directions`, `answers` (yes and no), `states` (which
mean yes or no), `channels`, `marks`, `purposes` of recordings, `call_purposes` and
`consents` with the words of a meaning; `questions` with beginnings of words in a header that is
a question of a survey; `units`; `lists`; `patterns` of words in headers, whose endings may vary.
"""

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from qa_core.files.header_text import simplify

RANKED = ("en", "fr")
"""Languages whose headers are ranked; all other languages come after them."""
OTHERS = ("es", "pt", "de", "it", "nl", "pl")
LANGUAGES = (*RANKED, *OTHERS)
T = TypeVar("T")


@cache
def load_table(language: str) -> Mapping[str, Mapping[str, Any]]:
    """Load the table of a language, or `tools`: the words of single tools."""
    text = Path(__file__).with_name(f"{language}.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def find_headers(language: str, kind: str, field: str) -> list[str]:
    """Find the headers that name a field in files of a kind, the best first."""
    table = load_table(language)
    return [
        header for section in (kind, "fields") for header in table.get(section, {}).get(field, ())
    ]


def rank_headers(kind: str, field: str) -> tuple[str, ...]:
    """Rank the headers of a field over `RANKED`, each language in the order of its table."""
    order = TopologicalSorter()
    for language in RANKED:
        for before, header in pairwise(("", *find_headers(language, kind, field))):
            order.add(header, before)
    return tuple(filter(None, order.static_order()))


def find_other_headers(kind: str, field: str) -> tuple[str, ...]:
    return tuple(header for name in OTHERS for header in find_headers(name, kind, field))


def index_words(section: str, as_meaning: Callable[[str], T]) -> dict[str, T]:
    """Index meanings by simplified word, over all languages; the first language wins."""
    return {
        simplify(word): as_meaning(meaning)
        for language in reversed(LANGUAGES)
        for meaning, words in load_table(language).get(section, {}).items()
        for word in words
    }


def index_tool_words(tool: str, section: str) -> dict[str, str | None]:
    """Index what a tool's own words or headers mean (`tools.toml`); None: nothing yet."""
    meanings = load_table("tools")[tool][section].items()
    return {word: None if name == "open" else name for name, words in meanings for word in words}


def list_layouts(tool: str) -> list[tuple[str, ...]]:
    """List the columns of each of a tool's `layouts` of rows without a header."""
    return [tuple(names) for names in load_table("tools")[tool]["layouts"].values()]


def list_words(name: str) -> frozenset[str]:
    """List the simplified words of one of the `lists`, over all languages."""
    tables = (load_table(language).get("lists", {}) for language in LANGUAGES)
    return frozenset(simplify(word) for table in tables for word in table.get(name, ()))


@cache
def build_pattern(*names: str) -> re.Pattern[str]:
    """Build a pattern of the words of these `patterns`, over all languages."""
    tables = (load_table(language).get("patterns", {}) for language in LANGUAGES)
    words = (word for table in tables for name in names for word in table.get(name, ()))
    return re.compile(rf"\b(?:{'|'.join(words)})\b")


def list_meanings(*sections: str) -> Iterator[tuple[str, str, Iterable[str]]]:
    """List meaning, language and words of these sections."""
    for section in sections:
        for language in LANGUAGES:
            for meaning, words in load_table(language).get(section, {}).items():
                yield meaning, language, words
