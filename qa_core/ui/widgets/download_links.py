"""Links to files that leave the centre: a click makes the file, in this session alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from qa_core.analysis import exports
from qa_core.base.i18n import _
from qa_core.metrics import downloads, spreadsheets
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.ui.frame import gate
from qa_core.ui.frame.markdown import escape


def show_download(
    kind: str,
    *,
    label: str = "",
    key: str = "",
    forms: Sequence[str] = tuple(spreadsheets.FORMS),
    **parameters: Any,
) -> None:
    """Show a link for each file format; nothing for a viewer without the permission.

    `key`: where a page has several of that kind.
    """
    signed_in = gate.current_signed_in()
    if not signed_in.viewer.can(downloads.KINDS[kind].permission):
        return
    first = label or _("Export")
    titles = [first, *(form.upper() for form in forms[1:])]
    if len(forms) > 1:
        titles[0] = f"{first} · {forms[0].upper()}"
    with st.container(horizontal=True, gap="small", width="content"):
        for form, title in zip(forms, titles, strict=True):
            ticket = downloads.make_ticket(signed_in, kind, **parameters, form=form)
            st.link_button(
                escape(title),
                f"/download/{ticket}",
                icon=":material/download:",
                type="tertiary",
                key="_".join(filter(None, ("file", kind, key, form))),
            )


def show_figures(
    key: str,
    kpis: Sequence[str],
    dimensions: Sequence[str],
    where: Filters,
    overrides: Mapping[str, str] | None = None,
) -> None:
    """Show the button that exports these KPIs, cut by these dimensions."""
    parameters = exports.build_figure_parameters(tuple(kpis), tuple(dimensions), where, overrides)
    show_download("figures", key=key, **parameters)
