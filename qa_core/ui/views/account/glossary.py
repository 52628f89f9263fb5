"""The Glossary page: every KPI that the viewer may see, and the terms of the field."""

from collections.abc import Iterator

import streamlit as st

from qa_core.access.roles import Viewer
from qa_core.base.i18n import N_, _, language
from qa_core.metrics import kpis
from qa_core.metrics.kpis import terms
from qa_core.ui.frame import menu
from qa_core.ui.frame.markdown import escape

DIRECTIONS = {
    "up": N_("Higher is better."),
    "down": N_("Lower is better."),
    "neither": "",
}


def show(viewer: Viewer) -> None:
    """Show the terms whose title or explanation holds the words searched for."""
    words = st.text_input(
        _("Find"), placeholder=_("For example: service level"), icon=":material/search:"
    )
    shown = 0
    for title, entries in _list_groups(viewer).items():
        matches = [entry for entry in entries if words.casefold() in entry[1].casefold()]
        shown += len(matches)
        if matches:
            st.subheader(f"{title} ({len(matches)})", anchor=False)
        for address, text in matches:
            with st.container(horizontal=True, wrap=False, vertical_alignment="top", gap="small"):
                st.markdown(text, width="stretch")
                if address:
                    menu.show_page_link("explain", _("Today’s value"), query={"kpi": address})
    if not shown:
        st.info(_("No term matches. Try fewer letters, or another word."))


def _list_groups(viewer: Viewer) -> dict[str, list[tuple[str, str]]]:
    """List by subject the key of each KPI (empty for other terms) and its text."""
    return {_("KPIs"): list(_describe_kpis(viewer))} | {
        title: [("", _describe(term, meaning)) for term, meaning in group.items()]
        for title, group in terms.read(language()).items()
    }


def _describe(title: str, meaning: str) -> str:
    return _("{what}: {text}", what=f"**{escape(title)}**", text=escape(meaning))


def _describe_kpis(viewer: Viewer) -> Iterator[tuple[str, str]]:
    for kpi in sorted(kpis.ALL, key=lambda kpi: _(kpi.title).casefold()):
        if viewer.can(kpi.needs):
            formula = _("Computed as: {formula}.", formula=_(kpi.formula).rstrip("."))
            yield (
                kpi.key,
                _describe(_(kpi.title), f"{_(kpi.meaning)} {formula} {_(DIRECTIONS[kpi.better])}"),
            )
