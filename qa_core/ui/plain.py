"""Names given by people inside texts that Streamlit reads as markdown: shown as they
are, never understood.
"""

from __future__ import annotations


def escape(text: str) -> str:
    """The text, with every sign that markdown or Streamlit would act on made harmless."""
    for sign in "\\`*_[]<>#$|~":
        text = text.replace(sign, "\\" + sign)
    return text.replace("://", ":\u200b//").replace(":material", "material")
