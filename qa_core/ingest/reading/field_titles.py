"""The titles of the fields of an import; commands and mappings use their codes."""

from qa_core.base import declared
from qa_core.base.i18n import N_, _
from qa_core.metrics.kpis import formatting

TITLES: dict[str, str] = declared.read(__file__)["titles"]


def find_title(field: str) -> str:
    """Return the title of a field, or its code where it has no title."""
    return _(TITLES[field]) if field in TITLES else field


def find_title_of_meaning(word: str) -> str:
    """Return how a meaning of a word is called on the page."""
    words = {"yes": N_("yes"), "no": N_("no"), "missing": N_("no value")}
    if word in words:
        return _(words[word])
    dimensions = (formatting.NAMES[name] for name in ("outcome", "direction", "handled_by"))
    return next((_(names[word]) for names in dimensions if word in names), word)


def find_title_and_code(field: str) -> str:
    """Return both, where a person chooses a field that the command line names by its code."""
    return f"{_(TITLES[field])} · {field}" if field in TITLES else field
