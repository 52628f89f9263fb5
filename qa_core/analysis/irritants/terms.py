"""Terms of a remark in French or English: stems, with negated ones marked."""

import functools
import re
from collections.abc import Sequence
from typing import NamedTuple

import snowballstemmer
from stop_words import get_stop_words

LANGUAGES = {"fr": "french", "en": "english"}
MIN_LETTERS = 3
"""Minimum letters of a term."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


MEANINGFUL_STOP_WORDS = _words(
    "attendu mot nouveau nouveaux pièce bill call calls computer help home information line "
    "new number numbers order ordered orders parole problem problems "
    "system website work working works"
)
"""Stop words of the lists that are meaningful in a contact centre."""

EXTRA_STOP_WORDS = _words(
    "toujours merci bonjour vraiment madame monsieur hui déjà quelqu client clients cliente "
    "dit dis trois quatre "
    "customer customers thanks hello please really finally told"
)
"""Words without meaning that the lists lack."""

NEGATIONS = {
    "fr": frozenset({"pas", "jamais", "aucun", "aucune", "rien", "sans"}),
    "en": frozenset({"not", "never", "no", "nothing", "without", "cannot"}),
}
NEGATION_REACH = 4
"""Maximum words between a negation and its word: "n'avait pas la bonne réponse"."""

_Token = tuple[str, int, int]
"""Word in lower case, and its start and end in the text."""
_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_SENTENCE = re.compile(r"[^.!?…;\n]+[.!?…;]*")


class Mention(NamedTuple):
    """Place of a term: language and stem (`fr:factur`, negated `fr:-factur`)."""

    term: str
    sentence: int
    start: int
    end: int


def find_mentions(text: str) -> tuple[Mention, ...]:
    """Return every term of a remark in order; negated ones are other terms."""
    sentences = [
        [(word, start + first, start + last) for word, first, last in _split(text[start:end])]
        for start, end in split_sentences(text)
    ]
    language = _find_language([word for words in sentences for word, _first, _last in words])
    mentions: list[Mention] = []
    for number, words in enumerate(sentences):
        mentions += _find_in_sentence(words, number, language)
    return tuple(mentions)


def _find_language(words: Sequence[str]) -> str:
    """Return `fr` or `en` by the stop words among these; `fr` if undecided."""
    known = {
        language: sum(map(_stop_words(language).__contains__, words)) for language in LANGUAGES
    }
    return "en" if known["en"] > known["fr"] else "fr"


def split_sentences(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in _SENTENCE.finditer(text) if match.group().strip()]


def extract(text: str, mentions: Sequence[Mention]) -> str:
    """Return the text of these terms: the passage if short, else with dots."""
    ordered = sorted(mentions, key=lambda mention: mention.start)
    first, last = ordered[0], ordered[-1]
    whole = text[first.start : max(last.end, first.end)]
    if len(whole.split()) <= NEGATION_REACH:
        return whole.lower()
    return " … ".join(
        dict.fromkeys(text[mention.start : mention.end].lower() for mention in ordered)
    )


def _find_in_sentence(words: Sequence[_Token], number: int, language: str) -> list[Mention]:
    stems = [_stem(word, language) for word, _first, _last in words]
    denied = _find_negated([word for word, _first, _last in words], stems, language)
    mentions = []
    for index, ((_word, first, last), stem) in enumerate(zip(words, stems, strict=True)):
        if stem is None:
            continue
        by = denied.get(index)
        if by is None:
            mentions.append(Mention(f"{language}:{stem}", number, first, last))
        else:
            mentions.append(
                Mention(
                    f"{language}:-{stem}", number, min(first, words[by][1]), max(last, words[by][2])
                )
            )
    return mentions


def _find_negated(
    words: Sequence[str], stems: Sequence[str | None], language: str
) -> dict[int, int]:
    """Return the position of each negated word → the position of its negation. In French
    the negated word is the verb before "pas" if it is a content word, else the next
    content word.
    """
    denied: dict[int, int] = {}
    for index, word in enumerate(words):
        if not (word in NEGATIONS[language] or word.endswith("n't")):
            continue
        before = (
            [index - 1]
            if language == "fr" and word != "sans" and index and stems[index - 1]
            else []
        )
        after = [
            other
            for other in range(index + 1, min(index + 1 + NEGATION_REACH, len(words)))
            if stems[other]
        ]
        if before or after:
            denied[(before or after)[0]] = index
    return denied


def _split(text: str) -> list[_Token]:
    """Return the words in lower case with places, without elided articles."""
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
    return frozenset(get_stop_words(language)) - MEANINGFUL_STOP_WORDS | EXTRA_STOP_WORDS


@functools.lru_cache(maxsize=100_000)
def _stem(word: str, language: str) -> str | None:
    """Return the stem of a meaningful word; None for any other."""
    if (
        len(word) < MIN_LETTERS
        or word in _stop_words(language)
        or word in NEGATIONS[language]
        or "'" in word
    ):
        return None
    return _stemmer(language).stemWord(word)


@functools.cache
def _stemmer(language: str):
    return snowballstemmer.stemmer(LANGUAGES[language])
