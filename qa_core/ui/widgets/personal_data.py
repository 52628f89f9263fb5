"""Warnings of personal data in what people write, while they write it."""

from typing import Any

import streamlit as st

from qa_core.base import masking
from qa_core.base.i18n import _
from qa_core.metrics.kpis import formatting


def find_kinds(*texts: str) -> list[str]:
    """Return the titles of the kinds of personal data that these texts seem to hold."""
    kinds = (match.kind for text in texts for match in masking.find_personal_data(text))
    return list(dict.fromkeys(_(masking.KINDS[kind]) for kind in kinds))


def show_hint(text: str) -> None:
    """Show a hint below a text."""
    if kinds := find_kinds(text):
        text = _("This seems to contain personal data: {kinds}.", kinds=formatting.listing(kinds))
        st.caption(f":orange[:material/warning:] {text}")


def ask_text(label: str, most: int, key: str, **options: Any) -> str:
    """Ask for a text of at most so many characters, with a warning below it.

    `options` go to `st.text_area`.
    """
    text = st.text_area(label, max_chars=most, key=key, **options)
    if kinds := find_kinds(text):
        st.warning(
            _(
                "This seems to contain personal data ({kinds}). Remove what is not needed.",
                kinds=formatting.listing(kinds),
            ),
            icon=":material/shield_person:",
        )
    return text


def ask_to_keep(key: str, *comments: str) -> bool:
    """Warn of what comments seem to hold, and ask whether it is needed."""
    kinds = find_kinds(*comments)
    if not kinds:
        return False
    st.warning(
        _(
            "The comments seem to contain personal data: {kinds}. Remove what the work does not "
            "need.",
            kinds=formatting.listing(kinds),
        ),
        icon=":material/privacy_tip:",
    )
    return st.checkbox(_("Keep it: needed to evaluate the contact"), key=key)
