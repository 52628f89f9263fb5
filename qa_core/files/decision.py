"""Decisions taken while a file is read, each with what in the file decided it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from qa_core.base.errors import make_quotable
from qa_core.base.i18n import N_, _, ngettext, uncapitalise

SET_BY_PERSON, NO_COLUMN = N_("as chosen"), N_("no column says it")
"""Evidence that is not in the cells: an option of the import, or a default."""
VALUE = "{value}"
"""Decision that is nothing but its parameter `value`."""
OWN_WORDS = {
    "comma": N_("comma"),
    "semicolon": N_("semicolon"),
    "tab": N_("tab"),
    "bar": N_("bar"),
    "answered": N_("Answered"),
    "abandoned": N_("Abandoned"),
    "timeout": N_("Timed out"),
    "overflow": N_("Overflowed"),
    "voicemail": N_("Voicemail"),
    "closed": N_("Outside hours"),
    "refused": N_("Refused"),
    "failed": N_("Failed"),
    "unanswered": N_("Not answered"),
}
"""Our words in the places of a decision; words of the file are not translated."""


@dataclass(frozen=True)
class Decision:
    """Decision about a field: an English gettext message with places. `evidence`: a
    message of an earlier version; without one, the parameters `column` and `seen` are
    shown.
    """

    field: str
    decision: str
    evidence: str = ""
    params: tuple[tuple[str, Any], ...] = ()

    @staticmethod
    def of(field: str, decision: str, seen: object = "", /, **params: Any) -> Decision:
        """Build a decision. `seen`: cells, a number of rows, or one of the constants."""
        if seen:
            params["seen"] = seen
        quoted = ((name, make_quotable(value)) for name, value in params.items())
        return Decision(field, decision, params=tuple(quoted))

    def as_json(self) -> dict[str, Any]:
        """Build the object that `import --json` prints, in the current language."""
        places = {name: _translate_param(name, value) for name, value in self.params}
        shown = (
            str(places[name])
            for name in ("column", "seen")
            if places.get(name) and f"{{{name}}}" not in self.decision
        )
        return {
            "field": self.field,
            "decision": _(self.decision).format(**places),
            "evidence": _(self.evidence).format(**places) if self.evidence else ": ".join(shown),
        }


def _translate_param(name: str, value: Any) -> Any:
    """Translate our words in a place (`comma`, `Y → answered`), and keep the file's words."""
    if name == "seen" and isinstance(value, int):
        return ngettext("{count} row", "{count} rows", value, count=value)
    if name == "delimiter" or value in (SET_BY_PERSON, NO_COLUMN):
        return _(value) if value in (SET_BY_PERSON, NO_COLUMN) else _translate_word(value)
    if name != "said":
        return value
    return re.sub(r"(?<=→ )\w+", lambda match: _translate_word(match[0]), value)


def _translate_word(word: str) -> str:
    return uncapitalise(_(OWN_WORDS[word])) if word in OWN_WORDS else word
