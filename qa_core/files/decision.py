"""Decisions taken while a file is read, each with the evidence for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from qa_core.base.errors import make_quotable
from qa_core.base.i18n import N_, _

OWN_WORDS = (
    N_("comma"), N_("semicolon"), N_("tab"), N_("bar"), N_("answered"), N_("abandoned"),
    N_("timeout"), N_("overflow"), N_("voicemail"), N_("closed"), N_("refused"), N_("failed"),
    N_("unanswered"),
)  # fmt: skip
"""Words of ours in the places of a decision; those of the file beside them are not translated."""


@dataclass(frozen=True)
class Decision:
    """Decision about a field, and what in the file decided it; both are English gettext
    messages with places. `weight`: rows that it moves, and figures otherwise.
    """

    field: str
    decision: str
    evidence: str = ""
    params: tuple[tuple[str, Any], ...] = ()
    weight: tuple[tuple[str, float | None], ...] = ()

    @staticmethod
    def of(field: str, decision: str, evidence: str = "", /, **params: Any) -> Decision:
        quoted = ((name, make_quotable(value)) for name, value in params.items())
        return Decision(field, decision, evidence, tuple(quoted))

    def with_weight(self, **weight: float | None) -> Decision:
        return replace(self, weight=tuple(weight.items()))

    def as_json(self) -> dict[str, Any]:
        """Build the object that `import --json` prints, in the current language."""
        places = {name: _translate_param(name, value) for name, value in self.params}
        return {
            "field": self.field,
            "decision": _(self.decision).format(**places),
            "evidence": _(self.evidence).format(**places) if self.evidence else "",
        } | ({"weight": dict(self.weight)} if self.weight else {})


def _translate_param(name: str, value: Any) -> Any:
    """Translate our own words in a place (`comma`, `Y → answered`); those of the file stay."""
    if name == "delimiter":
        return _(value) if value in OWN_WORDS else value
    if name != "said":
        return value
    return re.sub(
        r"(?<=→ )\w+", lambda match: _(match[0]) if match[0] in OWN_WORDS else match[0], value
    )
