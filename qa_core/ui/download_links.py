"""Links to what is not a page: files that leave the centre, one session and one minute
at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from qa_core.base.i18n import _
from qa_core.metrics import downloads, spreadsheets
from qa_core.ui import gate


def show_download(
    label: str,
    kind: str,
    *,
    key: str = "",
    forms: Sequence[str] = tuple(spreadsheets.FORMS),
    **parameters: Any,
) -> None:
    """A button that makes the links, and the links, one to each form of the file, good
    for a minute. Nothing is drawn for who may not have it.

    `key`: tells several buttons of one page apart.
    """
    signed_in = gate.current_signed_in()
    if not signed_in.viewer.can(downloads.KINDS[kind].permission):
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
        if st.button(
            label,
            icon=":material/download:",
            key="_".join(filter(None, ("prepare", kind, key))),
            type="tertiary",
        ):
            for form in forms:
                address = (
                    f"/download/{downloads.make_ticket(signed_in, kind, **parameters, form=form)}"
                )
                st.link_button(
                    form.upper(), address, icon=":material/file_save:", help=_("Good for a minute")
                )
