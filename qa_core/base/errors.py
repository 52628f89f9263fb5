"""Exceptions that people read: the fault, and the remedy."""

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Any

N_ = str
"""Marker of a message for the catalogues: `i18n.N_`, which imports this module."""
_ANSWERS = ("--", "python -m qa_core import ")


UNREADABLE = "�"
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def hide_controls(text: str) -> str:
    """Replace control characters, by which a text could move the cursor or change its direction."""
    return _CONTROLS.sub(UNREADABLE, text)


def make_quotable(value: Any) -> Any:
    """Return what a message may quote: a text with control characters, such as the bytes of
    a key read as a header, is one mark.
    """
    if not isinstance(value, str) or value.isprintable():
        return value
    has_bytes = any(unicodedata.category(sign) == "Cc" and sign not in "\t\r\n" for sign in value)
    return UNREADABLE if has_bytes else value


class Refusal(Exception):
    """Error that the person can act on.

    `message` is an English gettext message whose `{named}` places are filled from
    `params` after translation (`i18n.format_refusal`), and a param `noun` is one too; `code`
    is a stable word for scripts; `options` are for the command line: options of the same
    command, or whole commands; each would resolve the refusal. `suggestion` is the known
    name that an unknown one resembles.
    """

    suggestion: str | None = None

    def __init__(
        self, code: str, message: str, options: tuple[str, ...] = (), **params: Any
    ) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.options = tuple(map(make_quotable, options))
        self.params = {name: make_quotable(value) for name, value in params.items()}

    def __str__(self) -> str:
        return self.message.format(**self.params)

    @property
    def answers(self) -> tuple[str, ...]:
        """The options that answer it as a question; other commands mend the centre first."""
        return tuple(option for option in self.options if option.startswith(_ANSWERS))


class Misuse(Refusal):
    """Malformed request: an unknown name, a bad date. The command line exits with 2."""


def require_known(name: object, known_names: Iterable[str], code: str) -> None:
    """Raise Misuse for a name that is not known, with the one that it resembles."""
    names = list(known_names)
    if name not in names:
        raise build_unlisted(code, name, names)


def build_unlisted(
    code: str,
    name: object,
    known: Iterable[str],
    options: Iterable[str] = (),
    kind: type[Refusal] | None = None,
) -> Refusal:
    """Build what to tell of a name that is none of a few, with the one that it resembles."""
    import difflib

    names = list(known)
    message, listed = N_("{name} is unknown here. Known: {known}."), ", ".join(names) or "–"
    refusal = (kind or Misuse)(code, message, tuple(options), name=name, known=listed)
    similar = difflib.get_close_matches(str(name).casefold(), names, n=1)
    refusal.suggestion = similar[0] if similar else None
    return refusal


def require_number(name: str, value: float | None, low: float, high: float, code: str) -> None:
    """Raise Misuse for a number out of range, or none; `name` is in the reader's language."""
    if value is None or not low <= value <= high:
        message = N_("{name} must be a number from {low} to {high}.")
        least, most = (f"{end:g}" if isinstance(end, float) else end for end in (low, high))
        raise Misuse(code, message, name=name, low=least, high=most)


def require_length(text: str, low: int, high: int, code: str) -> None:
    """Raise Misuse for a text shorter or longer than that."""
    if not low <= len(text) <= high:
        raise Misuse(code, "Write a text of 1 to {limit} characters.", limit=high)


UNKNOWN = N_("{noun}: {name} is not known here. Check the spelling.")


def build_unknown(code: str, noun: str, name: object, *options: str) -> Refusal:
    """Build what to tell of a name that no such thing here has, such as a team; `noun` is what
    pages call it, in English.
    """
    return Refusal(code, UNKNOWN, options, noun=noun, name=name)


def build_namesakes(name: str, ids: Iterable[str], code: str = "several_advisors") -> Refusal:
    """Build what to tell of a name that several advisors have."""
    message = N_("Several advisors are called {name}: {ids}. Give the id.")
    return Refusal(code, message, name=name, ids=", ".join(ids))


def build_malformed(
    code: str, text: str, example: str, *options: str, kind: type[Refusal] = Misuse
) -> Refusal:
    """Build what to tell of a text that is written in another way than it must be."""
    message = N_("Write {name} like this: {example}.")
    return kind(code, message, options, name=text, example=example)


def build_unopened(
    name: Path | str, error: OSError, code: str = "no_file", *options: str
) -> Refusal:
    """Build what to tell of a file or folder that the system does not open."""
    message, reason = N_("{name} cannot be opened: {reason}."), error.strerror or str(error)
    return Refusal(code, message, options, name=str(name), reason=reason)


def build_misread(code: str, name: str, form: str, error: Exception) -> Refusal:
    """Build what to tell of a file that is not of the form, such as TOML."""
    message = N_("{name} is not {form}: {detail}")
    return Refusal(code, message, name=name, form=form, detail=str(error))


class AccessDenied(Refusal):
    """Forbidden or missing: only the audit log tells which."""

    def __init__(
        self,
        message: str = N_("You do not have access to this, or it does not exist."),
        **params: Any,
    ) -> None:
        super().__init__("access_denied", message, **params)


def require_version(current: int, seen: int) -> None:
    """Refuse to overwrite a change made since the caller read that version."""
    if current != seen:
        message = N_(
            "This was changed meanwhile, in another tab or by somebody else. Nothing is lost: open "
            "it again, then repeat your change."
        )
        raise Refusal("changed_meanwhile", message)
