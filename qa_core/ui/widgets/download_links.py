"""Links to files that leave the centre, for one session and one minute each."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from qa_core.analysis import exports
from qa_core.base.i18n import _
from qa_core.metrics import downloads, spreadsheets
from qa_core.metrics.kpis.dimensions import Filters
from qa_core.ui.frame import gate


def show_download(
    kind: str,
    *,
    label: str = "",
    key: str = "",
    forms: Sequence[str] = tuple(spreadsheets.FORMS),
    **parameters: Any,
) -> None:
    """Show a button that makes one link for each file format; nothing for a viewer
    without the permission.

    `key`: where a page has several buttons of that kind.
    """
    signed_in = gate.current_signed_in()
    if not signed_in.viewer.can(downloads.KINDS[kind].permission):
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", width="content"):
        if st.button(
            label or _("Export"),
            icon=":material/download:",
            key="_".join(filter(None, ("prepare", kind, key))),
            type="tertiary",
        ):
            for form in forms:
                ticket = downloads.make_ticket(signed_in, kind, **parameters, form=form)
                st.link_button(
                    form.upper(),
                    f"/download/{ticket}",
                    icon=":material/file_save:",
                    help=_("Valid for one minute"),
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
