"""Texts from people and files inside markdown: shown letter by letter."""

import re

_SIGNS = re.compile(r"([\\`*_{}\[\]()#+.!|~<>$:&-])")
_AFTER_ESCAPES = re.compile(
    r"(?<=:)(?=//|material/|streamlit:)|(?<=www)(?=\.)|(?<=@)", re.IGNORECASE
)
"""Places where the browser makes links and icons of text that is already unescaped."""
_JOINER = "\u2060"


def escape(text: str) -> str:
    """Return markdown that shows a text as it is: no link, picture, colour, formula or icon."""
    return _SIGNS.sub(r"\\\1", _AFTER_ESCAPES.sub(_JOINER, text))
