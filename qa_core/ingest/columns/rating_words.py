"""Marks in words or stars: `Très satisfait`, `5 - Satisfait`, `4 étoiles`, as numbers 1 to 5."""

import re

import pyarrow as pa

from qa_core.files.header_text import simplify
from qa_core.ingest.columns.arrays import map_texts

_MARKS = {
    simplify(word): mark
    for mark, spellings in {
        5: "très satisfait|extrêmement satisfait|tout à fait satisfait|pleinement "
        "satisfait|entièrement satisfait|excellent|très bien|très bon|parfait|"
        "very satisfied|extremely satisfied|completely satisfied|very good|perfect",
        4: "satisfait|plutôt satisfait|assez satisfait|bien|assez bien|bon|satisfied|somewhat "
        "satisfied|rather satisfied|fairly satisfied|good",
        3: "neutre|moyen|correct|moyennement satisfait|ni satisfait ni insatisfait|ni "
        "satisfait ni mécontent|neutral|average|fair|neither satisfied nor "
        "dissatisfied|neither satisfied nor unsatisfied",
        2: "insatisfait|plutôt insatisfait|peu satisfait|pas satisfait|plutôt pas "
        "satisfait|pas très satisfait|mécontent|plutôt mécontent|mauvais|médiocre|"
        "dissatisfied|unsatisfied|not satisfied|somewhat dissatisfied|rather dissatisfied|bad|poor",
        1: "très insatisfait|extrêmement insatisfait|pas du tout satisfait|très mécontent|très "
        "mauvais|very dissatisfied|very unsatisfied|"
        "extremely dissatisfied|not at all satisfied|very bad|very poor",
    }.items()
    for word in spellings.split("|")
}
_ENDING = re.compile(r"(?<=[a-z])(?:es|e|s)(?= |$)")
_STEMS = {_ENDING.sub("", words): mark for words, mark in _MARKS.items()}
_STARS = re.compile(r"^([★⭐✭*])\ufe0f?(?:\1\ufe0f?)*[☆✩]*$")
_LEADING = re.compile(
    r"^(\d{1,3}(?:[.,]\d+)?)\s*[-–—:=.)]?\s*\(?(?!(?:sur|of|out of)\b)[^\W\d_][^\d/%]*\)?$"
)


def find_mark(text: str) -> str | None:
    """Find the mark that a cell gives in words or stars, as a number; else None."""
    plain = text.strip()
    if _STARS.match(plain):
        return str(sum(plain.count(star) for star in "★⭐✭*"))
    leading = _LEADING.match(plain)
    if leading:
        return leading[1]
    words = simplify(plain)
    mark = _MARKS.get(words) or _STEMS.get(_ENDING.sub("", words))
    return str(mark) if mark else None


def read_words(values: pa.Array) -> tuple[pa.Array, dict[str, str]]:
    """Replace words and stars by their marks. Returns the cells, and the mark of each word."""
    marks = {
        text: mark
        for text in values.unique().drop_null().to_pylist()
        if not text[:1].isascii() or not text[-1:].isdigit()
        if (mark := find_mark(text))
    }
    return map_texts(lambda text: marks.get(text, text), values) if marks else values, marks
