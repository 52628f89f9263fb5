"""Warnings of personal data in what people write, while they write it."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from qa_core.base import masking
from qa_core.base.i18n import _, uncapitalise
from qa_core.metrics.kpis import formatting


def find_kinds(*texts: str) -> list[str]:
    """Return the titles of the kinds of personal data that these texts seem to hold."""
    kinds = (match.kind for text in texts for match in masking.find_personal_data(text))
    return list(dict.fromkeys(uncapitalise(_(masking.KINDS[kind])) for kind in kinds))


def describe(kinds: Sequence[str]) -> str:
    """Return the warning of these kinds; empty for none."""
    if not kinds:
        return ""
    return _(
        "This seems to contain personal data: {kinds}. Remove what is not needed.",
        kinds=formatting.listing(kinds),
    )


def show_hint(text: str) -> None:
    """Show a hint below a text."""
    if warning := describe(find_kinds(text)):
        st.caption(f":orange[:material/warning:] {warning}")


def ask_text(label: str, most: int, key: str, **options: Any) -> str:
    """Ask for a text of at most so many characters, with a warning below it.

    `options` go to `st.text_area`.
    """
    text = st.text_area(label, max_chars=most, key=key, **options)
    if warning := describe(find_kinds(text)):
        st.warning(warning, icon=":material/shield_person:")
    return text


def ask_to_keep(key: str, *comments: str) -> bool:
    """Warn of personal data in comments, and ask whether it is needed."""
    warning = describe(find_kinds(*comments))
    if not warning:
        return False
    st.warning(warning, icon=":material/privacy_tip:")
    return st.checkbox(_("Keep it: needed to evaluate the contact"), key=key)
