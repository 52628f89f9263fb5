"""Titles of the acts in the audit log, which itself holds language-free codes."""

from qa_core.base import declared
from qa_core.base.i18n import _

DECLARED = declared.read(__file__)
TITLES: dict[str, str] = DECLARED["acts"]
STAGES: dict[str, str] = DECLARED["stages"]
"""Of an act that a second administrator decides on."""


def title(action: str) -> str:
    """Translate the code of an act; an unknown one is returned as it is."""
    for ending, message in STAGES.items():
        act = action.removesuffix(ending)
        if act != action and act in TITLES:
            return _(message, act=_(TITLES[act]))
    return _(TITLES[action]) if action in TITLES else action
