"""Headers and words that an import knows, by language, for `import KIND --words`."""

from collections.abc import Iterator

from qa_core.ingest.columns import languages, vocabulary
from qa_core.ingest.registry import get_profile

FIRST_LANGUAGES = "en, fr"


def list_headers(kind: str) -> Iterator[tuple[str, str, str]]:
    """List field, language and headers of every field of a kind of file."""
    for field in get_profile(kind, None).fields:
        yield field.name, FIRST_LANGUAGES, _join(f"{field.name}|{field.synonyms}")
        for language, headers in languages.HEADERS.items():
            if field.name in headers:
                yield field.name, language, _join(headers[field.name])


def list_words() -> Iterator[tuple[str, str, str]]:
    """List meaning, language and words of outcomes, directions, yes and no."""
    for first, others in (
        (vocabulary.OUTCOMES, languages.OUTCOMES),
        (vocabulary.DIRECTIONS, languages.DIRECTIONS),
        (vocabulary.YES_NO, languages.ANSWERS),
    ):
        for meaning in dict.fromkeys(first.values()):
            name = {True: "yes", False: "no"}.get(meaning, meaning)
            other_words = "|".join(words.get(meaning, "") for words in others.values()).split("|")
            first_words = [
                word
                for word, other_meaning in first.items()
                if other_meaning == meaning and word not in other_words
            ]
            yield str(name), FIRST_LANGUAGES, _join("|".join(first_words))
            for language, words in others.items():
                if meaning in words:
                    yield str(name), language, _join(words[meaning])


def _join(spellings: str) -> str:
    return " · ".join(word for word in spellings.split("|") if word)
