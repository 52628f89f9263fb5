"""Texts of the codes for rows that were rejected, skipped or folded."""

from qa_core.base import declared
from qa_core.base.i18n import _
from qa_core.metrics.law import legal_obstacles

DECLARED = declared.read(__file__)
REJECTED: dict[str, str] = DECLARED["rejected"] | legal_obstacles.TITLES
SKIPPED: dict[str, str] = DECLARED["skipped"]
FOLDED: dict[str, str] = DECLARED["folded"]
TEXTS = {**REJECTED, **SKIPPED, **FOLDED}


def describe(code: str) -> str:
    """Describe a code; kinds of events that platforms name only lose their underscores."""
    return _(TEXTS[code]) if code in TEXTS else code.replace("_", " ")
