"""Decisions taken while a file is read, each with the evidence for it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from qa_core.base.i18n import N_, _

OWN_WORDS = frozenset(
    {
        *(N_("comma"), N_("semicolon"), N_("tab"), N_("bar")),
        *(
            N_("answered"),
            N_("abandoned"),
            N_("timeout"),
            N_("overflow"),
            N_("voicemail"),
            N_("closed"),
            N_("refused"),
            N_("failed"),
            N_("unanswered"),
        ),
    }
)
"""Words of ours that stand in the places of a decision, beside words of the file, which
are never translated.
"""


@dataclass(frozen=True)
class Decision:
    """One thing that was decided about a field, and what in the file decided it; both
    are English gettext messages with places.
    """

    field: str
    decision: str
    evidence: str = ""
    params: tuple[tuple[str, Any], ...] = ()

    @staticmethod
    def of(field: str, decision: str, evidence: str = "", /, **params: Any) -> Decision:
        """Build a decision with the values of its places by name."""
        return Decision(field, decision, evidence, tuple(params.items()))

    def as_json(self) -> dict[str, str]:
        """In the language spoken, as `import --json` prints it."""
        places = {name: _translate_param(name, value) for name, value in self.params}
        return {
            "field": self.field,
            "decision": _(self.decision).format(**places),
            "evidence": _(self.evidence).format(**places) if self.evidence else "",
        }


def _translate_param(name: str, value: Any) -> Any:
    """Return what stands in a place of a decision: our own words in the language spoken
    (`comma`, `Y → answered`), the file's as they are.
    """
    if name == "delimiter":
        return _(value) if value in OWN_WORDS else value
    return (
        re.sub(
            r"(?<=→ )\w+", lambda match: _(match[0]) if match[0] in OWN_WORDS else match[0], value
        )
        if name == "said"
        else value
    )
