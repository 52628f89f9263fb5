"""Headers and words that an import knows, by language, for `import KIND --words`."""

from collections.abc import Iterator

from qa_core.ingest.registry import get_profile
from qa_core.ingest.words import tables


def list_headers(kind: str) -> Iterator[tuple[str, str, str]]:
    """List field, language and headers of every field of a kind of file."""
    for field in get_profile(kind, None).fields:
        for language in tables.LANGUAGES:
            own = [field.name] if language == tables.LANGUAGES[0] else []
            if headers := own + tables.find_headers(language, field.kind, field.name):
                yield field.name, language, " · ".join(headers)


def list_words() -> Iterator[tuple[str, str, str]]:
    """List meaning, language and words of outcomes, directions, yes and no."""
    for section in ("outcomes", "directions", "answers", "states"):
        for meaning, language, words in tables.list_meanings(section):
            yield meaning, language, " · ".join(words)
