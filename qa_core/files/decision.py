"""Decisions taken while a file is read, each with the evidence for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from qa_core.base.i18n import N_, _

OWN_WORDS = (
    N_("comma"), N_("semicolon"), N_("tab"), N_("bar"), N_("answered"), N_("abandoned"),
    N_("timeout"), N_("overflow"), N_("voicemail"), N_("closed"), N_("refused"), N_("failed"),
    N_("unanswered"),
)  # fmt: skip
"""Words of ours that stand in the places of a decision, beside words of the file, which
are never translated.
"""


@dataclass(frozen=True)
class Decision:
    """One thing that was decided about a field, and what in the file decided it; both
    are English gettext messages with places. `weight`: how many rows it moves, and what
    figures would be otherwise.
    """

    field: str
    decision: str
    evidence: str = ""
    params: tuple[tuple[str, Any], ...] = ()
    weight: tuple[tuple[str, float | None], ...] = ()

    @staticmethod
    def of(field: str, decision: str, evidence: str = "", /, **params: Any) -> Decision:
        """Build a decision with the values of its places by name."""
        return Decision(field, decision, evidence, tuple(params.items()))

    def with_weight(self, **weight: float | None) -> Decision:
        """Return the same decision with its weight."""
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
    """Translate our own words in a place of a decision (`comma`, `Y → answered`); the
    file's words stay as they are.
    """
    if name == "delimiter":
        return _(value) if value in OWN_WORDS else value
    if name != "said":
        return value
    return re.sub(
        r"(?<=→ )\w+", lambda match: _(match[0]) if match[0] in OWN_WORDS else match[0], value
    )
