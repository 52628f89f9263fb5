"""Titles of the acts in the audit log, which itself holds language-free codes."""

from qa_core.base import declared
from qa_core.base.i18n import _

DECLARED = declared.read(__file__)
TITLES: dict[str, str | list[str]] = DECLARED["acts"]


def title(action: str) -> str:
    """Translate the code of an act; an unknown one is returned as it is."""
    for ending, stage in DECLARED["stages"].items():
        act = action.removesuffix(ending)
        if act != action and act in TITLES:
            return _join(title(act), _(stage))
    match TITLES.get(action, action):
        case [what, act]:
            return _join(_(what), _(act))
        case text:
            return _(text)


def _join(what: str, act: str) -> str:
    return _("{what}: {text}", what=what, text=act)
