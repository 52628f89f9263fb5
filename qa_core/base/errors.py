"""The one exception that people are meant to read: what is wrong, and what to do next."""

from __future__ import annotations

from typing import Any

N_ = str
"""Marks a message for the catalogues, as `wording.N_` does, which this room is too low
to import.
"""


class Refusal(Exception):
    """Something cannot be done, for a reason that the person can act on.

    `message` is an English gettext message with `{named}` places, filled from `params`
    after translation (`wording.say(refusal)`); `code` is a stable word for scripts,
    never translated; `options` are command-line options, each of which would answer the
    question that the refusal asks.
    """

    def __init__(
        self, code: str, message: str, options: tuple[str, ...] = (), **params: Any
    ) -> None:
        super().__init__(code)
        self.code = code
        self.message = message
        self.options = options
        self.params = params

    def __str__(self) -> str:
        return self.message.format(**self.params)


class Misuse(Refusal):
    """The request itself is malformed: an unknown name, a bad date. The command line
    exits with 2.
    """


class AccessDenied(Refusal):
    """Forbidden or missing: the two are told apart by nobody but the journal."""

    def __init__(
        self,
        message: str = N_("You do not have access to this, or it does not exist."),
        **params: Any,
    ) -> None:
        super().__init__("access_denied", message, **params)
