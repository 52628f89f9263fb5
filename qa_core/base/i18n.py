"""Translation into French and English by gettext catalogues."""

import functools
import gettext
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from qa_core.base.errors import Refusal

LANGUAGES = ("en", "fr")
CATALOGUES = Path(__file__).with_name("locale")
_language: ContextVar[str] = ContextVar("language", default="en")


def N_(message: str) -> str:
    """Mark a message for the catalogues where it is declared; `_` translates it when shown."""
    return message


def NN_(singular: str, plural: str) -> tuple[str, str]:
    """Mark two forms for the catalogues where they are declared, for `ngettext`."""
    return singular, plural


def use(language: str) -> None:
    """Set the language of this thread of work; an unknown one falls back to English."""
    _language.set(language if language in LANGUAGES else "en")


def language() -> str:
    """Return the language of this thread of work."""
    return _language.get()


@contextmanager
def in_language(language: str) -> Iterator[None]:
    """Speak a language within the block, whatever the reader's is."""
    token = _language.set(language)
    try:
        yield
    finally:
        _language.reset(token)


@functools.cache
def _catalogue(code: str) -> gettext.NullTranslations:
    if code == "en":
        return gettext.NullTranslations()  # the code is written in English
    # Compiled in memory from the text that translators edit, so that no built file can
    # be stale.
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with (CATALOGUES / f"{code}.po").open("rb") as source:
        binary = io.BytesIO()
        write_mo(binary, read_po(source, locale=code))
    binary.seek(0)
    return gettext.GNUTranslations(binary)


def _(message: str, **params: Any) -> str:
    """Translate a message and fill its `{named}` places."""
    text = _catalogue(language()).gettext(message) if message else ""
    return text.format(**params) if params else text


def ngettext(singular: str, plural: str, n: int, **params: Any) -> str:
    """Translate the form that goes with `n`, also available as `{n}`."""
    return _catalogue(language()).ngettext(singular, plural, n).format(n=n, **params)


def capitalise(text: str) -> str:
    """Begin a text with a capital, as a title or a sentence."""
    return text[:1].upper() + text[1:]


def uncapitalise(text: str) -> str:
    """Begin a text with a small letter, as within a sentence."""
    return text[:1].lower() + text[1:]


def format_refusal(refusal: Refusal) -> str:
    """Translate a refusal, fill its places, and add its suggestion."""
    nouns = {name: _(text) for name, text in refusal.params.items() if name == "noun"}
    text = _(refusal.message).format(**refusal.params | nouns)
    if refusal.suggestion is None:
        return text
    return text + " " + _("Did you mean {name}?", name=refusal.suggestion)


def format_options(options: Iterable[str]) -> str:
    """Format the options of a refusal as the sentence that follows it; empty without any."""
    listed = " · ".join(options)
    return " " + _("Try: {options}", options=listed) if listed else ""


def format_for_operator(refusal: Refusal) -> str:
    """Translate a refusal for the command line or a log, with its options."""
    return format_refusal(refusal) + format_options(refusal.options)
