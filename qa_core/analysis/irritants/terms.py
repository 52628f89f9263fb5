"""The words of a remark as terms that can be counted: French or English, stems instead
of forms, what is denied told apart. Pure.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass

import snowballstemmer
from stop_words import get_stop_words

LANGUAGES = {"fr": "french", "en": "english"}
SHORTEST = 3
"""Letters: shorter words say nothing alone."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MEANT_HERE = _words(
    "attendu mot nouveau nouveaux pièce bill call calls computer help home information line "
    "new number numbers order ordered orders parole problem problems "
    "system website work working works"
)
"""Among the stop words of the lists, those that say in a contact centre what a contact
was about.
"""

EMPTY_HERE = _words(
    "toujours merci bonjour vraiment madame monsieur hui déjà quelqu client clients cliente "
    "dit dis trois quatre "
    "customer customers thanks hello please really finally told"
)
"""And words that the lists lack and that say nothing of it."""

DENIALS = {
    "fr": frozenset({"pas", "jamais", "aucun", "aucune", "rien", "sans"}),
    "en": frozenset({"not", "never", "no", "nothing", "without", "cannot"}),
}
DENIAL_REACH = 4
"""So many words ahead, at most, lies what is denied: "n'avait pas la bonne réponse"."""

_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_SENTENCE = re.compile(r"[^.!?…;\n]+[.!?…;]*")


@dataclass(frozen=True)
class Mention:
    """A term where it stands: `term` is its language and stem (`fr:factur`, denied
    `fr:-factur`), `start` and `end` its place in the text.
    """

    term: str
    sentence: int
    start: int
    end: int


def find_language(text: str) -> str:
    """`fr` or `en`, by whose small words stand in the text; French where nothing tells."""
    words = _split(text)
    known = {
        language: sum(word in _stop_words(language) for word, _start, _end in words)
        for language in LANGUAGES
    }
    return "en" if known["en"] > known["fr"] else "fr"


def find_mentions(text: str) -> tuple[Mention, ...]:
    """Every term of a remark, in the order in which it stands; a word that a denial
    belongs to is another term than the word itself.
    """
    language = find_language(text)
    found: list[Mention] = []
    for number, (start, end) in enumerate(split_sentences(text)):
        found += _find_in_sentence(text, start, end, number, language)
    return tuple(found)


def split_sentences(text: str) -> list[tuple[int, int]]:
    """Where each sentence begins and ends."""
    return [match.span() for match in _SENTENCE.finditer(text) if match.group().strip()]


def cut_out(text: str, mentions: Sequence[Mention]) -> str:
    """What stands in the text for these terms: from the first to the last where they
    are near, else each with dots between.
    """
    ordered = sorted(mentions, key=lambda mention: mention.start)
    first, last = ordered[0], ordered[-1]
    whole = text[first.start : max(last.end, first.end)]
    if len(whole.split()) <= DENIAL_REACH:
        return whole.lower()
    return " … ".join(
        dict.fromkeys(text[mention.start : mention.end].lower() for mention in ordered)
    )


def _find_in_sentence(text: str, start: int, end: int, number: int, language: str) -> list[Mention]:
    words = [(word, start + first, start + last) for word, first, last in _split(text[start:end])]
    stems = [_stem(word, language) for word, _first, _last in words]
    denied = _find_denied([word for word, _first, _last in words], stems, language)
    found = []
    for place, ((_word, first, last), stem) in enumerate(zip(words, stems, strict=True)):
        if stem is None:
            continue
        by = denied.get(place)
        if by is None:
            found.append(Mention(f"{language}:{stem}", number, first, last))
        else:
            found.append(
                Mention(
                    f"{language}:-{stem}", number, min(first, words[by][1]), max(last, words[by][2])
                )
            )
    return found


def _find_denied(
    words: Sequence[str], stems: Sequence[str | None], language: str
) -> dict[int, int]:
    """Which word is denied by which: in French the verb before "pas" where it has a
    meaning of its own, else what follows.
    """
    denied: dict[int, int] = {}
    for place, word in enumerate(words):
        if not (word in DENIALS[language] or word.endswith("n't")):
            continue
        before = (
            [place - 1]
            if language == "fr" and word != "sans" and place and stems[place - 1]
            else []
        )
        after = [
            other
            for other in range(place + 1, min(place + 1 + DENIAL_REACH, len(words)))
            if stems[other]
        ]
        if before or after:
            denied[(before or after)[0]] = place
    return denied


def _split(text: str) -> list[tuple[str, int, int]]:
    """The words in small letters with their places; what is elided before an apostrophe
    (l', n') is left off, "n't" is kept.
    """
    words = []
    for match in _WORD.finditer(text.lower().replace("’", "'")):
        word, start = match.group(), match.start()
        head, mark, tail = word.partition("'")
        if mark and not word.endswith("n't") and len(tail) > 1:
            word, start = tail, start + len(head) + 1
        words.append((word, start, match.end()))
    return words


@functools.cache
def _stop_words(language: str) -> frozenset[str]:
    return frozenset(get_stop_words(language)) - MEANT_HERE | EMPTY_HERE


@functools.lru_cache(maxsize=100_000)
def _stem(word: str, language: str) -> str | None:
    """The stem of a word that means something by itself; None for the others."""
    if (
        len(word) < SHORTEST
        or word in _stop_words(language)
        or word in DENIALS[language]
        or "'" in word
    ):
        return None
    return _stemmer(language).stemWord(word)


@functools.cache
def _stemmer(language: str):
    return snowballstemmer.stemmer(LANGUAGES[language])
